"""Which factory stands behind a session, and how a function of the project opens one of its own with it.

Small projects are written to temporary folders and never imported.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

import pytest

from codemods import sources
from codemods.flow.objects.interpret import run
from codemods.flow.own_session import OwnSession, own_session
from codemods.flow.scope import Scope, scopes
from codemods.flow.session_factory import Factory, factory_behind, factory_given_to, sole_factory
from codemods.plan import NeedsImport, Source
from codemods.project.link import link
from codemods.project.openers import Customs
from codemods.project.scan import scan
from codemods.project.sessions import FunctionMeaning
from codemods.project.symbols import ModuleName
from codemods.transformers.imports import settle_imports

DB = """
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

engine = create_async_engine("sqlite+aiosqlite://")
SessionLocal = async_sessionmaker(engine, expire_on_commit=False)
"""
OPENER = """
from contextlib import asynccontextmanager

@asynccontextmanager
async def async_session():
    async with SessionLocal() as session:
        yield session
"""
GET_DB = """
async def get_db():
    async with SessionLocal() as session:
        yield session
"""
API = """
from fastapi import APIRouter, BackgroundTasks, Depends
from sqlalchemy.ext.asyncio import AsyncSession

from app.db import get_db
from app.tasks import work

router = APIRouter()

@router.post("/items")
async def site(tasks: BackgroundTasks, session: AsyncSession = Depends(get_db)):
    tasks.add_task(work, session)
"""
TASKS = """
import asyncio

from sqlalchemy.ext.asyncio import AsyncSession

from app.models import Item


async def work(session: AsyncSession) -> None:
    await session.commit()
"""
PACKAGE = {"app/__init__.py": "", "app/models.py": "class Item: ...\n"}


@dataclass
class Made:
    """A project on disk, and what is asked of it."""

    sources: Mapping[str, Source]

    def __post_init__(self) -> None:
        names = {path: ModuleName(one.module, one.is_package) for path, one in self.sources.items()}
        self.project = link([scan(one) for one in self.sources.values()], names)
        self.customs = Customs(self.project, lambda names: [])

    def scope(self, path: str, qualname: str) -> Scope:
        tree = ast.parse(self.sources[path].text)
        return next(one for one in scopes(tree, path, self.project) if one.place.qualname == qualname)

    def behind(self, path: str = "app/api.py", function: str = "site", name: str = "session") -> Factory | str:
        scope = self.scope(path, function)
        session = next(one for one in run(scope).sessions if name in (one.name, ast.unparse(one.node)))
        return factory_behind(scope, session, self.customs)

    def factory(self, path: str = "app/api.py", function: str = "site", name: str = "session") -> Factory:
        found = self.behind(path, function, name)
        assert isinstance(found, Factory), found
        return found

    def opened(
        self, path: str = "app/tasks.py", function: str = "work", wanted: str | None = None, site: str = "app/api.py"
    ) -> OwnSession | str:
        scope, source = self.scope(path, function), self.sources[path]
        return own_session(self.factory(site), scope, ast.parse(source.text), source, self.customs, wanted)

    def own(
        self, path: str = "app/tasks.py", function: str = "work", wanted: str | None = None, site: str = "app/api.py"
    ) -> OwnSession:
        found = self.opened(path, function, wanted, site)
        assert isinstance(found, OwnSession), found
        return found

    def reason(self, path: str = "app/tasks.py", function: str = "work", site: str = "app/api.py") -> str:
        found = self.opened(path, function, site=site)
        assert isinstance(found, str), found
        return found

    def imports(self, own: OwnSession, path: str = "app/tasks.py") -> str:
        """The lines above the first definition of the file when the requests are met."""
        source = self.sources[path]
        text = settle_imports(source, ast.parse(source.text), source.text, own.requests)
        first = next(
            one.lineno
            for one in ast.parse(text).body
            if isinstance(one, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
        )
        return "\n".join(text.splitlines()[: first - 1]).strip()


Make = Callable[[Mapping[str, str]], Made]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def made(files: Mapping[str, str]) -> Made:
        every = {**PACKAGE, **files}
        for path, text in every.items():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text(dedent(text).lstrip("\n"), encoding="utf-8")
        read = {path: sources.read(tmp_path, path) for path in every}
        return Made({path: one for path, one in read.items() if isinstance(one, Source)})

    return made


USUAL = {"app/db.py": DB + GET_DB, "app/api.py": API, "app/tasks.py": TASKS}


def usual(**changed: str) -> dict[str, str]:
    """The usual project, with other text for some of the files: `db`, `api`, `tasks`."""
    return {**USUAL, **{f"app/{name}.py": text for name, text in changed.items()}}


def with_site(body: str, head: str = "from app.db import *") -> dict[str, str]:
    """The usual project where the site makes its own session."""
    return usual(api=f"{head}\n\n{dedent(body)}")


# --- the factory behind a session --------------------------------------------------------------------------------


def test_a_dependency_is_followed_to_the_maker_that_it_opens(make: Make) -> None:
    factory = make(USUAL).factory()
    assert factory.source == "app/db.py:SessionLocal"
    assert (factory.is_async, factory.expire_on_commit, factory.assumed, factory.commits) == (True, False, False, None)
    assert factory.dependency is not None
    assert factory.dependency.qualname == "get_db"


@pytest.mark.parametrize(
    "dependency",
    [
        "async def get_db():\n    session = SessionLocal()\n    try:\n        yield session\n"
        "    except Exception:\n        await session.rollback()\n        raise\n"
        "    finally:\n        await session.close()\n",
        "async def get_db():\n    session = new_session()\n    async with session:\n        yield session\n"
        "def new_session():\n    return SessionLocal()\n",
        "async def get_db():\n    async for session in inner():\n        yield session\n"
        "async def inner():\n    async with SessionLocal() as session:\n        yield session\n",
        "def get_db():\n    return SessionLocal()\n",
        "async def get_db():\n    return SessionLocal()\n",
        OPENER + "async def get_db():\n    async with async_session() as session:\n        yield session\n",
    ],
)
def test_every_usual_form_of_a_dependency_is_followed(make: Make, dependency: str) -> None:
    factory = make(usual(db=DB + dependency)).factory()
    assert factory.source == "app/db.py:SessionLocal"
    assert factory.dependency is not None


@pytest.mark.parametrize(
    "parameter",
    [
        "session: AsyncSession = Depends(get_db)",
        "session: Annotated[AsyncSession, Depends(get_db)]",
        "session: SessionDep",
        "session=Depends(get_db)",
    ],
)
def test_every_way_to_inject_is_followed(make: Make, parameter: str) -> None:
    api = f"""
from typing import Annotated
from fastapi import Depends
from sqlalchemy.ext.asyncio import AsyncSession
from app.db import get_db
SessionDep = Annotated[AsyncSession, Depends(get_db)]
async def site({parameter}):
    await session.commit()
"""
    factory = make(usual(api=api)).factory()
    assert (factory.source, factory.assumed) == ("app/db.py:SessionLocal", False)
    assert factory.dependency is not None


def test_a_dependency_of_a_dependency_is_followed_and_its_commit_is_seen(make: Make) -> None:
    db = (
        DB
        + GET_DB
        + """
from fastapi import Depends
async def get_transaction(session: AsyncSession = Depends(get_db)):
    async with session.begin():
        yield session
"""
    )
    factory = make(usual(db=db, api=API.replace("get_db", "get_transaction"))).factory()
    assert factory.source == "app/db.py:SessionLocal"
    assert factory.dependency is not None
    assert factory.dependency.qualname == "get_transaction"
    assert factory.commits is not None
    assert "begin()" in factory.commits.text


@pytest.mark.parametrize(
    ("dependency", "line", "text"),
    [
        (
            "async def get_db():\n    async with SessionLocal() as session:\n        yield session\n"
            "        await session.commit()\n",
            8,
            "await session.commit()",
        ),
        ("async def get_db():\n    async with SessionLocal.begin() as session:\n        yield session\n", 6, "begin()"),
        (
            "async def get_db():\n    async with SessionLocal() as session:\n        yield session\n"
            "        await finish(session)\n",
            8,
            "await finish(session)",
        ),
        (
            "async def get_db():\n    async with SessionLocal() as session, session.begin():\n        yield session\n",
            6,
            "begin()",
        ),
    ],
)
def test_what_a_dependency_does_with_the_session_behind_its_yield_is_told(
    make: Make, dependency: str, line: int, text: str
) -> None:
    commits = make(usual(db=DB + dependency)).factory().commits
    assert commits is not None
    assert (commits.path, commits.line) == ("app/db.py", line)
    assert text in commits.text


def test_a_commit_in_a_context_manager_that_the_dependency_opens_is_told(make: Make) -> None:
    db = (
        DB
        + """
from contextlib import asynccontextmanager
@asynccontextmanager
async def transaction():
    async with SessionLocal() as session:
        yield session
        await session.commit()
async def get_db():
    async with transaction() as session:
        yield session
"""
    )
    factory = make(usual(db=db)).factory()
    assert factory.source == "app/db.py:SessionLocal"
    assert factory.commits is not None
    assert factory.commits.text == "await session.commit()"


@pytest.mark.parametrize(
    "body",
    [
        "async def site():\n    session = SessionLocal()\n    await session.close()\n",
        "async def site():\n    async with SessionLocal() as session:\n        pass\n",
        "async def site():\n    async with SessionLocal.begin() as session:\n        pass\n",
        "async def site():\n    session = await anext(get_db())\n    await session.commit()\n",
        "async def site():\n    async with async_session() as session:\n        pass\n",
    ],
)
def test_a_session_that_the_site_makes_is_followed(make: Make, body: str) -> None:
    files = usual(db=DB + GET_DB + OPENER, api=f"from app.db import SessionLocal, async_session, get_db\n{body}")
    factory = make(files).factory()
    assert factory.source == "app/db.py:SessionLocal"
    assert factory.dependency is None


def test_a_session_of_unknown_origin_has_the_only_factory_of_the_project(make: Make) -> None:
    api = "from sqlalchemy.ext.asyncio import AsyncSession\nasync def site(session: AsyncSession):\n    pass\n"
    conftest = "from sqlalchemy.ext.asyncio import async_sessionmaker\nTesting = async_sessionmaker()\n"
    files = usual(api=api, reports="from sqlalchemy.orm import sessionmaker\nReports = sessionmaker()\n")
    factory = make({**files, "tests/conftest.py": conftest}).factory()
    assert factory.assumed
    assert factory.source == "app/db.py:SessionLocal"


@pytest.mark.parametrize(
    "other",
    [
        "from sqlalchemy.ext.asyncio import async_sessionmaker\nReports = async_sessionmaker()\n",
        "from sqlalchemy.orm import sessionmaker\nfrom sqlalchemy.ext.asyncio import AsyncSession\n"
        "Reports = sessionmaker(class_=AsyncSession)\n",
        "from sqlalchemy.ext.asyncio import AsyncSession\ndef report(engine):\n    return AsyncSession(engine)\n",
        "from sqlalchemy.ext.asyncio import async_sessionmaker\ndef main():\n    make = async_sessionmaker()\n",
        "from sqlalchemy.ext.asyncio import async_sessionmaker\nclass Database:\n    def __init__(self, engine):\n"
        "        self.make = async_sessionmaker(engine)\n",
    ],
)
def test_a_session_of_unknown_origin_may_come_from_any_of_several_factories(make: Make, other: str) -> None:
    api = "from sqlalchemy.ext.asyncio import AsyncSession\nasync def site(session: AsyncSession):\n    pass\n"
    reason = make(usual(api=api, reports=other)).behind()
    assert isinstance(reason, str)
    assert "it cannot be told which factory makes `session`" in reason


@pytest.mark.parametrize(
    ("dependency", "words"),
    [
        ("from elsewhere import get_db\n", "not in view"),
        (
            "async def get_db():\n    async with SessionLocal() as session:\n"
            "        await session.execute(tenant)\n        yield session\n",
            "does more with it before it lends it out (app/db.py:7)",
        ),
        (
            "async def get_db():\n    async with lock(), SessionLocal() as session:\n        yield session\n",
            "inside of another block",
        ),
        (
            "async def get_db():\n    async with SessionLocal(bind=other) as session:\n        yield session\n",
            "does not get it by a plain call",
        ),
        (
            "async def get_db():\n    async with AsyncSession(engine) as session:\n        yield session\n",
            "does not get it by a plain call",
        ),
        (
            "async def get_db(request):\n    async with request.app.state.make() as session:\n        yield session\n",
            "cannot be followed",
        ),
        (
            "async def get_db():\n    if a:\n        async with SessionLocal() as session:\n"
            "            yield session\n    else:\n        yield None\n",
            "more than one `yield`",
        ),
        (GET_DB + GET_DB, "defined more than once"),
        (
            "async def get_db():\n    async for session in other():\n        yield session\n"
            "async def other():\n    async for session in get_db():\n        yield session\n",
            "goes round in a circle",
        ),
        (
            "from fastapi import Depends\nasync def get_db(session: AsyncSession = Depends(lambda: None)):\n"
            "    yield session\n",
            "the dependency that gives it is not in view",
        ),
        (
            "from sqlalchemy.ext.asyncio import async_scoped_session\nscoped = async_scoped_session(SessionLocal, f)\n"
            "async def get_db():\n    session = scoped()\n    yield session\n",
            "scoped registry",
        ),
        (
            "shared = SessionLocal()\ndef get_db():\n    return shared\n",
            "may give one that someone else holds",
        ),
        (
            "class Saving(AsyncSession):\n    async def __aexit__(self, *a):\n        await self.commit()\n"
            "Maker = async_sessionmaker(engine, class_=Saving)\n"
            "async def get_db():\n    async with Maker() as session:\n        yield session\n",
            "`Saving.__aexit__()` of its own",
        ),
    ],
)
def test_a_factory_that_cannot_be_told_is_said_to_be_so(make: Make, dependency: str, words: str) -> None:
    reason = make(usual(db=DB + dependency)).behind()
    assert isinstance(reason, str), reason
    assert reason.startswith("it cannot be told which factory makes `session`: ")
    assert words in reason


@pytest.mark.parametrize("made", ["SessionLocal(bind=engine)", "SessionLocal(expire_on_commit=True)"])
def test_arguments_at_the_site_are_no_part_of_the_factory(make: Make, made: str) -> None:
    api = f"from app.db import SessionLocal, engine\nasync def site():\n    session = {made}\n"
    reason = make(usual(api=api)).behind()
    assert isinstance(reason, str)
    assert "given arguments at line 3" in reason


def test_a_dependency_that_the_application_itself_overrides_is_not_what_runs(make: Make) -> None:
    main = "from app.db import get_db\napp.dependency_overrides[get_db] = other\n"
    reason = make(usual(main=main)).behind()
    assert isinstance(reason, str)
    assert "`get_db()` is replaced at app/main.py:2" in reason


def test_an_exit_stack_and_closing_hold_what_they_are_given(make: Make) -> None:
    api = """
from contextlib import AsyncExitStack, aclosing
from app.db import SessionLocal
async def site():
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(SessionLocal())
    async with aclosing(SessionLocal()) as second:
        await second.commit()
"""
    made = make(usual(api=api))
    assert made.factory(name="stack.enter_async_context(SessionLocal())").source == "app/db.py:SessionLocal"
    assert made.factory(name="second").source == "app/db.py:SessionLocal"


def test_a_generator_that_goes_by_a_name_is_not_followed(make: Make) -> None:
    api = "from app.db import get_db\nasync def site():\n    g = get_db()\n    session = await anext(g)\n"
    reason = make(usual(api=api)).behind()
    assert isinstance(reason, str)
    assert "what `anext` is given at line 4 cannot be followed" in reason


def test_the_session_that_a_dependency_is_given_is_followed(make: Make) -> None:
    auth = """
from fastapi import Depends
from sqlalchemy.ext.asyncio import AsyncSession
from app.db import get_db
async def get_user(token: str, session: AsyncSession = Depends(get_db)):
    return await session.get(User, token)
async def get_nobody(token: str):
    return None
"""
    made = make(usual(auth=auth))
    factory = factory_given_to(FunctionMeaning("app/auth.py", "get_user"), made.project, made.customs)
    assert isinstance(factory, Factory)
    assert (factory.source, factory.assumed) == ("app/db.py:SessionLocal", False)
    reason = factory_given_to(FunctionMeaning("app/auth.py", "get_nobody"), made.project, made.customs)
    assert reason == "it cannot be told which session `get_nobody()` loads it in"


def test_the_sole_factory_is_the_only_one_of_all_kinds(make: Make) -> None:
    made = make(USUAL)
    factory = sole_factory(made.project, made.customs)
    assert isinstance(factory, Factory)
    assert (factory.source, factory.assumed) == ("app/db.py:SessionLocal", True)


@pytest.mark.parametrize(
    "other",
    [
        "from sqlalchemy.orm import sessionmaker\nReports = sessionmaker()\n",
        "from sqlalchemy.ext.asyncio import async_sessionmaker\nReports = async_sessionmaker()\n",
        "from sqlalchemy.ext.asyncio import async_sessionmaker\nfrom sqlalchemy.orm import sessionmaker\n"
        "Reports = async_sessionmaker()\nPlain = sessionmaker()\n",
    ],
)
def test_of_several_factories_none_is_the_sole_one(make: Make, other: str) -> None:
    made = make(usual(reports=other))
    reason = sole_factory(made.project, made.customs)
    assert isinstance(reason, str)
    assert "several" in reason


# --- what it is opened with --------------------------------------------------------------------------------------


def test_the_maker_is_imported_beside_the_imports_of_the_project(make: Make) -> None:
    made = make(USUAL)
    own = made.own()
    assert (own.context, own.local, own.replaced) == ("SessionLocal()", "", ())
    assert made.imports(own) == (
        "import asyncio\n\nfrom sqlalchemy.ext.asyncio import AsyncSession\n\n"
        "from app.db import SessionLocal\nfrom app.models import Item"
    )


def test_the_only_context_manager_of_the_project_is_preferred(make: Make) -> None:
    made = make(usual(db=DB + GET_DB + OPENER))
    own = made.own()
    assert own.context == "async_session()"
    assert "from app.db import async_session" in made.imports(own)


def test_of_several_context_managers_none_is_taken_unless_the_settings_name_it(make: Make) -> None:
    made = make(usual(db=DB + GET_DB + OPENER + OPENER.replace("async def async_session", "async def other")))
    assert made.own().context == "SessionLocal()"
    assert made.own(wanted="app.db.other").context == "other()"
    assert made.own(wanted="app.db.nothing").context == "SessionLocal()"


@pytest.mark.parametrize(
    "more",
    [
        "        await session.commit()\n",
        "        await notify()\n",
    ],
)
def test_a_context_manager_that_does_more_is_never_taken(make: Make, more: str) -> None:
    assert make(usual(db=DB + GET_DB + OPENER + more)).own().context == "SessionLocal()"


def test_a_context_manager_of_the_tests_is_never_taken(make: Make) -> None:
    conftest = "from app.db import SessionLocal\n" + OPENER
    assert make({**USUAL, "tests/conftest.py": conftest}).own().context == "SessionLocal()"


def test_a_context_manager_over_another_factory_is_never_taken(make: Make) -> None:
    db = DB + "Other = async_sessionmaker(engine)\n" + GET_DB + OPENER.replace("SessionLocal", "Other")
    assert make(usual(db=db)).own().context == "SessionLocal()"


def test_a_private_maker_is_reached_through_the_function_that_gives_what_it_makes(make: Make) -> None:
    private = (DB + GET_DB).replace("SessionLocal", "_make")
    assert make(usual(db=private + "def new_session():\n    return _make()\n")).own().context == "new_session()"
    waiting = private + "async def new_session():\n    return _make()\n"
    assert make(usual(db=waiting)).own().context == "await new_session()"


def test_a_private_maker_without_such_a_function_is_out_of_reach(make: Make) -> None:
    assert "`_make` is private to app/db.py" in make(usual(db=(DB + GET_DB).replace("SessionLocal", "_make"))).reason()


def test_a_private_maker_is_used_in_its_own_module(make: Make) -> None:
    db = (DB + GET_DB).replace("SessionLocal", "_make") + "async def work(session: AsyncSession):\n    pass\n"
    own = make(usual(db=db)).own("app/db.py")
    assert (own.context, own.requests) == ("_make()", ())


def test_a_function_that_does_more_than_the_maker_is_called_as_it_is(make: Make) -> None:
    db = DB + "def new_session():\n    return AsyncSession(engine)\n" + GET_DB.replace("SessionLocal", "new_session")
    own = make(usual(db=db)).own()
    assert own.context == "new_session()"


@pytest.mark.parametrize(
    ("statement", "context"),
    [
        ("from app.db import SessionLocal", "SessionLocal()"),
        ("from app.db import SessionLocal as make", "make()"),
        ("from app import db", "db.SessionLocal()"),
        ("from app import db as database", "database.SessionLocal()"),
        ("import app.db as db", "db.SessionLocal()"),
        ("from app.names import SessionLocal", "SessionLocal()"),
    ],
)
def test_what_the_file_has_already_is_used_as_it_is(make: Make, statement: str, context: str) -> None:
    names = "from app.db import SessionLocal\n"
    own = make(usual(tasks=f"{statement}\n{TASKS}", names=names)).own()
    assert (own.context, own.requests) == (context, ())


def test_a_module_that_only_imports_the_factory_is_not_gone_through(make: Make) -> None:
    made = make(usual(tasks=f"from app import names\n{TASKS}", names="from app.db import SessionLocal\n"))
    assert made.own().context == "SessionLocal()"


def test_an_import_of_the_same_module_is_joined(make: Make) -> None:
    made = make(usual(tasks=TASKS.replace("from app.models import Item", "from app.db import engine")))
    own = made.own()
    assert isinstance(own.requests[0], NeedsImport)
    assert "from app.db import SessionLocal, engine" in made.imports(own)


def test_an_import_of_a_package_that_offers_the_name_is_joined(make: Make) -> None:
    files = {
        "app/database/__init__.py": "from app.database.session import SessionLocal, engine\n",
        "app/database/session.py": DB,
        "app/api.py": "from app.database import SessionLocal\nasync def site():\n    session = SessionLocal()\n",
        "app/tasks.py": TASKS.replace("from app.models import Item", "from app.database import engine"),
    }
    made = make(files)
    assert "from app.database import SessionLocal, engine" in made.imports(made.own())


def test_a_file_that_imports_its_package_relatively_gets_a_relative_import(make: Make) -> None:
    made = make(usual(tasks=TASKS.replace("from app.models", "from .models")))
    assert made.imports(made.own()).endswith("from .db import SessionLocal\nfrom .models import Item")


def test_a_relative_import_from_another_package_counts_its_dots(make: Make) -> None:
    tasks = TASKS.replace("from app.models", "from ..models")
    files = {"app/jobs/__init__.py": "", "app/jobs/tasks.py": tasks, "app/api.py": API, "app/db.py": DB + GET_DB}
    made = make(files)
    own = made.own("app/jobs/tasks.py")
    assert "from ..db import SessionLocal\nfrom ..models import Item" in made.imports(own, "app/jobs/tasks.py")


def test_a_file_without_imports_of_the_project_gets_one_behind_those_of_others(make: Make) -> None:
    made = make(usual(tasks=TASKS.replace("from app.models import Item\n", "")))
    assert made.imports(made.own()) == (
        "import asyncio\n\nfrom sqlalchemy.ext.asyncio import AsyncSession\n\nfrom app.db import SessionLocal"
    )


def test_a_project_below_a_folder_is_imported_as_its_own_files_do(make: Make) -> None:
    files = {f"backend/{path}": text for path, text in {**PACKAGE, **USUAL}.items()}
    made = make(files)
    own = made.own("backend/app/tasks.py", site="backend/app/api.py")
    assert "\nfrom app.db import SessionLocal\n" in made.imports(own, "backend/app/tasks.py")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            "from __future__ import annotations\n",
            "from __future__ import annotations\n\nfrom app.db import SessionLocal",
        ),
        ("import asyncio\nimport app.zebra\n", "import asyncio\nimport app.zebra\nfrom app.db import SessionLocal"),
        (
            "import asyncio\n\nfrom app.api import x\nfrom app.models import Item\n",
            "import asyncio\n\nfrom app.api import x\nfrom app.db import SessionLocal\nfrom app.models import Item",
        ),
        (
            "import asyncio\n\nfrom app.models import Item\n\nfrom .zebra import x\n",
            "import asyncio\n\nfrom app.db import SessionLocal\nfrom app.models import Item\n\nfrom .zebra import x",
        ),
        (
            "import asyncio\n\nfrom . import zebra\n",
            "import asyncio\n\nfrom . import zebra\nfrom .db import SessionLocal",
        ),
        (
            "from app.db import (\n    engine,\n    get_db,\n)\n",
            "from app.db import (\n    SessionLocal,\n    engine,\n    get_db,\n)",
        ),
    ],
)
def test_a_new_import_stands_where_isort_would_have_it(make: Make, before: str, after: str) -> None:
    made = make(usual(tasks=f"{before}\n\nasync def work(session):\n    pass\n", zebra="x = 1\n"))
    own = made.own()
    assert own.context == "SessionLocal()"
    assert made.imports(own) == after


def test_a_file_without_any_import_is_told_of(make: Make) -> None:
    assert "has no import beside which" in make(usual(tasks="async def work(session):\n    pass\n")).reason()


# --- circles -----------------------------------------------------------------------------------------------------


def test_an_import_that_would_go_round_in_a_circle_is_written_into_the_function(make: Make) -> None:
    own = make(usual(db="from app.tasks import work\n" + DB + GET_DB)).own()
    assert (own.context, own.requests, own.local) == ("SessionLocal()", (), "from app.db import SessionLocal")


def test_a_longer_way_round_is_a_circle_too(make: Make) -> None:
    own = make(usual(db="import app.middle\n" + DB + GET_DB, middle="from app import tasks\n")).own()
    assert own.local == "from app.db import SessionLocal"


def test_what_the_packages_of_a_module_load_is_loaded_with_it(make: Make) -> None:
    files = {
        "app/core/__init__.py": "from app.tasks import work\n",
        "app/core/db.py": DB + GET_DB,
        "app/api.py": API.replace("app.db", "app.core.db"),
        "app/tasks.py": TASKS,
    }
    assert make(files).own().local == "from app.core.db import SessionLocal"


def test_the_middle_module_of_a_chain_is_reached_from_both_ends(make: Make) -> None:
    own = make(usual(db="from app import middle\n" + DB + GET_DB, middle="from .tasks import work\n")).own()
    assert own.local == "from app.db import SessionLocal"


def test_the_package_of_the_file_itself_is_loaded_before_it_anyway(make: Make) -> None:
    made = make({**USUAL, "app/__init__.py": "from app.tasks import work\n"})
    assert made.own().local == ""


def test_imports_in_functions_make_no_circle(make: Make) -> None:
    db = DB + GET_DB + "def later():\n    from app.tasks import work\n"
    assert make(usual(db=db)).own().local == ""


# --- out of reach ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "statement",
    [
        "SessionLocal = None",
        "from elsewhere import SessionLocal",
        "def other(SessionLocal): ...",
        "if TYPE_CHECKING:\n    from app.db import SessionLocal",
    ],
)
def test_a_name_that_is_taken_in_the_file_is_not_imported_over(make: Make, statement: str) -> None:
    reason = make(usual(tasks=f"{TASKS}\n{statement}\n")).reason()
    assert "`SessionLocal` means something else in app/tasks.py" in reason


def test_where_one_name_is_taken_the_next_will_do(make: Make) -> None:
    made = make(usual(db=DB + GET_DB + OPENER, tasks=TASKS + "\n\nasync_session = None\n"))
    assert made.own().context == "SessionLocal()"


def test_a_name_that_the_function_itself_binds_is_not_used(make: Make) -> None:
    tasks = "from app.db import SessionLocal\nasync def work(session, SessionLocal):\n    pass\n"
    assert "`SessionLocal` means something else" in make(usual(tasks=tasks)).reason()


def test_a_maker_that_is_bound_at_run_time_is_looked_up_in_its_module(make: Make) -> None:
    db = """
from sqlalchemy.ext.asyncio import async_sessionmaker
SessionLocal = None
def init(engine):
    global SessionLocal
    SessionLocal = async_sessionmaker(engine)
"""
    late = usual(db=db + GET_DB)
    assert "`SessionLocal` is bound anew at run time in app/db.py" in make(late).reason()
    assert "bound anew" in make({**late, "app/tasks.py": f"from app.db import SessionLocal\n{TASKS}"}).reason()
    assert make({**late, "app/tasks.py": f"from app import db\n{TASKS}"}).own().context == "db.SessionLocal()"
    assert make(usual(db=db + GET_DB + OPENER)).own().context == "async_session()"


def test_a_maker_that_another_module_replaces_is_bound_at_run_time(make: Make) -> None:
    main = "from app import db\ndef start(engine):\n    db.SessionLocal = make(engine)\n"
    assert "bound anew at run time" in make(usual(main=main)).reason()


def test_a_plain_function_cannot_open_an_async_session(make: Make) -> None:
    assert (
        "`work()` is a plain function: it cannot await"
        in make(usual(tasks=TASKS.replace("async def", "def").replace("await ", ""))).reason()
    )


OBJECT = """
from contextlib import asynccontextmanager
from sqlalchemy.ext.asyncio import async_sessionmaker

class Database:
    def __init__(self, engine):
        self.{attribute} = async_sessionmaker(engine)
{method}
database = Database(engine)
other = Database(engine)
"""
METHOD = """
    @asynccontextmanager
    async def session(self):
        if self._make is None:
            raise RuntimeError("not started")
        async with self._make() as session:
            yield session
"""


def test_a_factory_that_is_an_attribute_is_read_off_the_very_object(make: Make) -> None:
    db = OBJECT.format(attribute="make", method="") + GET_DB.replace("SessionLocal", "other.make")
    made = make(usual(db=db))
    own = made.own()
    assert own.context == "other.make()"
    assert "from app.db import other" in made.imports(own)


def test_a_method_that_only_opens_is_called_on_the_very_object(make: Make) -> None:
    db = OBJECT.format(attribute="_make", method=METHOD) + GET_DB.replace("SessionLocal", "other.session")
    assert make(usual(db=db)).own().context == "other.session()"


def test_a_private_attribute_is_out_of_reach(make: Make) -> None:
    db = OBJECT.format(attribute="_make", method="") + GET_DB.replace("SessionLocal", "other._make")
    assert "no name of a module reaches" in make(usual(db=db)).reason()


def test_an_object_that_no_module_holds_is_out_of_reach(make: Make) -> None:
    db = OBJECT.format(attribute="make", method="") + (
        "async def get_db():\n    mine = Database(engine)\n    async with mine.make() as session:\n"
        "        yield session\n"
    )
    assert "no name of a module reaches" in make(usual(db=db)).reason()


def test_a_context_manager_over_another_object_of_the_class_is_never_taken(make: Make) -> None:
    db = OBJECT.format(attribute="make", method="") + GET_DB.replace("SessionLocal", "other.make")
    assert make(usual(db=db + OPENER.replace("SessionLocal", "database.make"))).own().context == "other.make()"


# --- tests that replace ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "from app.db import get_db\nfrom app.main import app\napp.dependency_overrides[get_db] = fake\n",
        "def test_it(monkeypatch):\n    monkeypatch.setattr('app.db.SessionLocal', fake)\n",
        "from unittest.mock import patch\nwith patch('app.tasks.SessionLocal'):\n    pass\n",
    ],
)
def test_tests_that_replace_what_gives_sessions_are_named(make: Make, text: str) -> None:
    own = make({**USUAL, "tests/test_it.py": text}).own()
    assert own.context == "SessionLocal()"
    assert {fact.path for fact in own.replaced} == {"tests/test_it.py"}


def test_what_the_application_binds_itself_is_no_test(make: Make) -> None:
    main = "from app import db\ndef start(engine):\n    db.SessionLocal = make(engine)\n"
    own = make(usual(db=DB + GET_DB + OPENER, main=main)).own()
    assert (own.context, own.replaced) == ("async_session()", ())


def test_a_sync_session_in_a_plain_function(make: Make) -> None:
    def plain(text: str) -> str:
        text = text.replace("async with", "with").replace("async def", "def").replace("await ", "")
        text = text.replace("sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine", "M")
        text = text.replace("from M", "from sqlalchemy import create_engine\nfrom sqlalchemy.orm import sessionmaker")
        text = text.replace("create_async_engine", "create_engine").replace("async_sessionmaker", "sessionmaker")
        return text.replace("sqlalchemy.ext.asyncio import AsyncSession", "sqlalchemy.orm import Session").replace(
            "AsyncSession", "Session"
        )

    made = make({path: plain(text) for path, text in USUAL.items()})
    assert not made.factory().is_async
    assert made.own().context == "SessionLocal()"
