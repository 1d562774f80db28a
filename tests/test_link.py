"""What a name means is decided by its definition, wherever that stands and however it is reached.

Writes small projects to temporary folders and asks `link`; nothing of them is ever imported.
"""

from __future__ import annotations

import ast
import pickle
import sys
from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from codemods import sources
from codemods.plan import Source
from codemods.project.expressions import expression
from codemods.project.facts import Attribute, Call, Either, Item, Literal, ModuleFacts, Name, Opaque, Series
from codemods.project.link import Place, Project, link
from codemods.project.scan import scan
from codemods.project.sessions import (
    UNKNOWN,
    CoroutineMeaning,
    External,
    GeneratorMeaning,
    MakerMeaning,
    Meaning,
    Ownership,
    RegistryMeaning,
    ScopeFactoryMeaning,
    ScopeMeaning,
    SessionMeaning,
)
from codemods.project.symbols import ModuleName

HEAD = """
from contextlib import asynccontextmanager, contextmanager
from functools import lru_cache, partial
from typing import Annotated, AsyncIterator, Callable, Optional
from fastapi import Depends
from sqlalchemy.ext.asyncio import (
    AsyncSession, async_scoped_session, async_sessionmaker, create_async_engine,
)
from sqlalchemy.orm import Session, scoped_session, sessionmaker
engine = create_async_engine("sqlite+aiosqlite://")
Maker = async_sessionmaker(engine, expire_on_commit=False)
"""
DB = "from sqlalchemy.ext.asyncio import async_sessionmaker\nSession = async_sessionmaker()\n"


class Written:
    """A project on disk: its sources as the tool reads them, and what they mean together."""

    def __init__(self, root: Path, files: Mapping[str, str]) -> None:
        for path, text in files.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(dedent(text), encoding="utf-8")
        self.sources: dict[str, Source] = {}
        for path in files:
            source = sources.read(root, path)
            assert isinstance(source, Source)
            self.sources[path] = source
        self.names = {path: ModuleName(one.module, one.is_package) for path, one in self.sources.items()}

    def facts(self) -> list[ModuleFacts]:
        return [scan(source) for source in self.sources.values()]

    def project(self, factories: tuple[str, ...] = ()) -> Project:
        return link(self.facts(), self.names, factories)

    def means(self, text: str, path: str, qualname: str = "") -> Meaning:
        return means(self.project(), text, path, qualname)


def means(project: Project, text: str, path: str, qualname: str = "") -> Meaning:
    """What the expression `text` means in the function `qualname` of the file `path`."""
    return project.meaning(expression(ast.parse(text, mode="eval").body), Place(path, qualname))


def session(meaning: Meaning) -> SessionMeaning:
    assert isinstance(meaning, SessionMeaning), meaning
    return meaning


def is_fresh(meaning: Meaning, origin: str = "db.py:Session") -> bool:
    return isinstance(meaning, SessionMeaning) and (meaning.ownership, meaning.origin) == (Ownership.FRESH, origin)


# --- how a factory is reached ---------------------------------------------------------------------------------------

REACHED = {
    "from its module": ("from db import Session", "Session()"),
    "under an alias": ("from db import Session as S", "S()"),
    "as an attribute of the module": ("import db", "db.Session()"),
    "as an attribute of an aliased module": ("import db as database", "database.Session()"),
    "through a star": ("from db import *", "Session()"),
    "through a second name in the module": ("import db\nopen_one = db.Session", "open_one()"),
    "under TYPE_CHECKING": (
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from db import Session",
        "Session()",
    ),
    "when the import may fail": (
        "try:\n    from db import Session\nexcept ImportError:\n    Session = None",
        "Session()",
    ),
    "inside of a with at module level": ("with suppress(ImportError):\n    from db import Session", "Session()"),
    "awaiting nothing": ("from db import Session", "(Session)()"),
    "called with arguments": ("from db import Session", "Session(bind=engine)"),
}


@pytest.mark.parametrize("situation", REACHED)
def test_factory_of_another_module_is_found(situation: str, tmp_path: Path) -> None:
    head, text = REACHED[situation]
    assert is_fresh(Written(tmp_path, {"db.py": DB, "use.py": head}).means(text, "use.py"))


def test_import_inside_a_function_means_something_only_there(tmp_path: Path) -> None:
    use = "def work():\n    from db import Session\n\ndef other():\n    pass\n"
    written = Written(tmp_path, {"db.py": DB, "use.py": use})
    assert is_fresh(written.means("Session()", "use.py", "work"))
    assert not isinstance(written.means("Session()", "use.py", "other"), SessionMeaning)
    assert not isinstance(written.means("Session()", "use.py"), SessionMeaning)


def test_import_of_an_enclosing_function_is_seen_by_the_nested_one(tmp_path: Path) -> None:
    use = "def work():\n    from db import Session\n    def inner():\n        pass\n"
    written = Written(tmp_path, {"db.py": DB, "use.py": use})
    assert is_fresh(written.means("Session()", "use.py", "work.inner"))


def test_local_name_hides_the_import_of_the_module(tmp_path: Path) -> None:
    use = "from db import Session\ndef work(Session):\n    pass\ndef other():\n    Session = make()\n"
    written = Written(tmp_path, {"db.py": DB, "use.py": use})
    assert written.means("Session()", "use.py", "work") == UNKNOWN
    assert written.means("Session()", "use.py", "other") == UNKNOWN


def test_name_in_a_class_body_is_not_seen_by_its_methods(tmp_path: Path) -> None:
    use = "from db import Session as Made\nclass Repo:\n    Session = Made\n    def load(self):\n        pass\n"
    written = Written(tmp_path, {"db.py": DB, "use.py": use})
    assert is_fresh(written.means("self.Session()", "use.py", "Repo.load"))
    assert not isinstance(written.means("Session()", "use.py", "Repo.load"), SessionMeaning)


REEXPORTED = {
    "by name": ("from .db import Session", "from app import Session"),
    "under an alias": ("from .db import Session as Session", "from app import Session"),
    "by a star": ("from .db import *", "from app import Session"),
    "by a star and a star": ("from .db import *", "from app import *"),
    "as an attribute of the package": ("from .db import Session", "import app\nSession = app.Session"),
    "as an attribute of the submodule": ("", "import app.db\nSession = app.db.Session"),
    "as the submodule": ("from . import db", "from app import db\nSession = db.Session"),
    "as the submodule that the package does not import": ("", "from app import db\nSession = db.Session"),
    "as the aliased submodule": ("", "import app.db as d\nSession = d.Session"),
}


@pytest.mark.parametrize("situation", REEXPORTED)
def test_factory_reexported_by_a_package_is_found(situation: str, tmp_path: Path) -> None:
    init, use = REEXPORTED[situation]
    written = Written(tmp_path, {"app/__init__.py": init, "app/db.py": DB, "use.py": use})
    assert is_fresh(written.means("Session()", "use.py"), "app/db.py:Session")


def test_reexport_through_three_packages_is_followed(tmp_path: Path) -> None:
    written = Written(
        tmp_path,
        {
            "a/__init__.py": "from .b import Session",
            "a/b/__init__.py": "from a.b.c import Session",
            "a/b/c/__init__.py": "from .db import *",
            "a/b/c/db.py": DB,
            "use.py": "from a import Session",
        },
    )
    assert is_fresh(written.means("Session()", "use.py"), "a/b/c/db.py:Session")


def test_package_that_imports_a_name_like_its_submodule_gives_the_name(tmp_path: Path) -> None:
    files = {
        "app/__init__.py": "from .session import session",
        "app/session.py": DB + "session = Session",
        "use.py": "from app import session",
    }
    written = Written(tmp_path, files)
    assert is_fresh(written.means("session()", "use.py"), "app/session.py:Session")


STARS = {
    "no __all__": (DB, True),
    "__all__ with the name": (DB + "__all__ = ['Session']", True),
    "__all__ as a tuple": (DB + "__all__ = ('Session',)", True),
    "__all__ without the name": (DB + "__all__ = ['engine']\nengine = 1", False),
    "empty __all__": (DB + "__all__ = []", False),
    "underscored name in __all__": (DB.replace("Session =", "_S =") + "__all__ = ['_S']", True),
    "underscored name": (DB.replace("Session =", "_S ="), False),
    "annotated __all__": (DB + "__all__: list[str] = ['engine']\nengine = 1", False),
    "__all__ that grows": (DB + "__all__ = ['engine']\n__all__ += ['Session']", True),
}


@pytest.mark.parametrize("situation", STARS)
def test_star_import_brings_what_is_public(situation: str, tmp_path: Path) -> None:
    db, found = STARS[situation]
    name = "_S" if "_S =" in db else "Session"
    written = Written(tmp_path, {"db.py": db, "use.py": "from db import *"})
    assert isinstance(written.means(f"{name}()", "use.py"), SessionMeaning) is found


def test_own_definition_wins_over_a_star(tmp_path: Path) -> None:
    written = Written(tmp_path, {"db.py": DB, "use.py": "from db import *\ndef Session():\n    return 1\n"})
    assert not isinstance(written.means("Session()", "use.py"), SessionMeaning)


RELATIVE = {
    "from . in a module": ("app/use.py", "from .db import Session", "app/db.py"),
    "from . in a package": ("app/__init__.py", "from .db import Session", "app/db.py"),
    "from .. in a module": ("app/api/use.py", "from ..db import Session", "app/db.py"),
    "from .. in a package": ("app/api/__init__.py", "from ..db import Session", "app/db.py"),
    "from ... in a module": ("app/api/v1/use.py", "from ...db import Session", "app/db.py"),
    "from ...core": ("app/api/v1/use.py", "from ...core.db import Session", "app/core/db.py"),
    "from . import": ("app/use.py", "from . import db\nSession = db.Session", "app/db.py"),
    "from .. import": ("app/api/use.py", "from .. import db\nSession = db.Session", "app/db.py"),
}


@pytest.mark.parametrize("situation", RELATIVE)
def test_relative_import_is_resolved(situation: str, tmp_path: Path) -> None:
    path, text, db = RELATIVE[situation]
    packages = {"app/__init__.py", "app/api/__init__.py", "app/api/v1/__init__.py", "app/core/__init__.py"}
    written = Written(tmp_path, {**dict.fromkeys(packages, ""), path: text, db: DB})
    assert is_fresh(written.means("Session()", path), f"{db}:Session")


def test_relative_import_that_leaves_the_top_package_means_nothing(tmp_path: Path) -> None:
    written = Written(tmp_path, {"app/__init__.py": "", "app/use.py": "from ...db import Session", "db.py": DB})
    assert not isinstance(written.means("Session()", "app/use.py"), SessionMeaning)


# --- layouts --------------------------------------------------------------------------------------------------------

LAYOUTS = {
    "flat": ("use.py", "db.py", "db"),
    "package": ("app/use.py", "app/db.py", "app.db"),
    "src": ("src/app/use.py", "src/app/db.py", "app.db"),
    "src without packages": ("src/use.py", "src/db.py", "db"),
    "namespace folder": ("things/use.py", "things/db.py", "things.db"),
    "started below the root": ("backend/app/use.py", "backend/app/db.py", "app.db"),
    "named from the root": ("backend/app/use.py", "backend/app/db.py", "backend.app.db"),
    "tests beside src": ("tests/use.py", "src/app/db.py", "app.db"),
}


@pytest.mark.parametrize("packages", [True, False], ids=["with __init__", "without __init__"])
@pytest.mark.parametrize("situation", LAYOUTS)
def test_module_is_found_in_the_layout(situation: str, packages: bool, tmp_path: Path) -> None:
    use, db, dotted = LAYOUTS[situation]
    files = {use: f"from {dotted} import Session", db: DB}
    if packages and "app" in Path(db).parts:
        files[(Path(db).parent / "__init__.py").as_posix()] = ""
    assert is_fresh(Written(tmp_path, files).means("Session()", use), f"{db}:Session")


def test_of_two_modules_with_one_name_the_one_beside_the_importer_is_meant(tmp_path: Path) -> None:
    other = "def Session():\n    return {}\n"
    files = {
        "shop/db.py": DB,
        "shop/use.py": "from db import Session",
        "blog/db.py": other,
        "blog/use.py": "from db import Session",
    }
    written = Written(tmp_path, files)
    assert is_fresh(written.means("Session()", "shop/use.py"), "shop/db.py:Session")
    assert not isinstance(written.means("Session()", "blog/use.py"), SessionMeaning)


def test_of_two_modules_equally_near_neither_is_taken(tmp_path: Path) -> None:
    files = {"one/app/db.py": DB, "two/app/db.py": DB, "use.py": "from app.db import Session"}
    assert not isinstance(Written(tmp_path, files).means("Session()", "use.py"), SessionMeaning)


def test_module_of_the_project_is_not_taken_for_a_library_module_of_that_name(tmp_path: Path) -> None:
    files = {"app/__init__.py": "", "app/aiohttp.py": DB, "use.py": "from aiohttp import Session"}
    assert not isinstance(Written(tmp_path, files).means("Session()", "use.py"), SessionMeaning)


def test_file_that_was_not_scanned_is_loaded_when_it_is_asked_for(tmp_path: Path) -> None:
    files = {"db.py": DB, "other.py": "x = 1", "use.py": "from db import Session"}
    written = Written(tmp_path, files)
    loaded: list[str] = []

    def load(path: str) -> ModuleFacts:
        loaded.append(path)
        return scan(written.sources[path])

    project = link([scan(written.sources["use.py"])], written.names, load=load)
    assert loaded == []
    assert is_fresh(means(project, "Session()", "use.py"))
    assert is_fresh(means(project, "Session()", "use.py"))
    assert loaded == ["db.py"]


def test_file_that_cannot_be_loaded_gives_no_session(tmp_path: Path) -> None:
    written = Written(tmp_path, {"db.py": DB, "use.py": "from db import Session"})
    project = link([scan(written.sources["use.py"])], written.names, load=lambda path: None)
    assert not isinstance(means(project, "Session()", "use.py"), SessionMeaning)


# --- cycles ---------------------------------------------------------------------------------------------------------


def test_modules_that_import_each_other_are_followed(tmp_path: Path) -> None:
    files = {
        "a.py": "from b import Session, helper",
        "b.py": DB + "from a import Session as Again\ndef helper():\n    return Again()\n",
    }
    written = Written(tmp_path, files)
    assert is_fresh(written.means("Session()", "a.py"), "b.py:Session")
    assert is_fresh(written.means("helper()", "a.py"), "b.py:Session")


def test_names_that_only_import_each_other_mean_nothing(tmp_path: Path) -> None:
    written = Written(tmp_path, {"a.py": "from b import Session", "b.py": "from a import Session"})
    assert not isinstance(written.means("Session()", "a.py"), SessionMeaning)


def test_stars_in_a_circle_end(tmp_path: Path) -> None:
    files = {"a.py": "from b import *", "b.py": "from c import *", "c.py": "from a import *\n" + DB}
    for path in files:
        assert is_fresh(Written(tmp_path, files).means("Session()", path), "c.py:Session")


def test_functions_that_call_each_other_give_what_the_way_out_gives(tmp_path: Path) -> None:
    files = {
        "a.py": DB + "from b import second\ndef first(n):\n    if n:\n        return second(n)\n    return Session()\n",
        "b.py": "from a import first\ndef second(n):\n    return first(n - 1)\n",
    }
    for path, name in (("a.py", "first"), ("b.py", "second")):
        assert is_fresh(Written(tmp_path, files).means(f"{name}(1)", path), "a.py:Session")


def test_functions_that_call_only_each_other_give_no_session(tmp_path: Path) -> None:
    text = "def first():\n    return second()\ndef second():\n    return first()\n"
    assert not isinstance(Written(tmp_path, {"a.py": text}).means("first()", "a.py"), SessionMeaning)


def test_class_that_inherits_from_itself_ends(tmp_path: Path) -> None:
    text = "class A(B):\n    pass\nclass B(A):\n    pass\n"
    assert not isinstance(Written(tmp_path, {"a.py": text}).means("A()", "a.py"), SessionMeaning)


# --- what gives a session -------------------------------------------------------------------------------------------

FRESH = {
    "async_sessionmaker": ("", "Maker()"),
    "sessionmaker with class_": ("M = sessionmaker(engine, class_=AsyncSession)", "M()"),
    "sessionmaker with a generic parameter": ("M = async_sessionmaker[AsyncSession](engine)", "M()"),
    "the class": ("", "AsyncSession(engine)"),
    "SQLModel's class": ("from sqlmodel.ext.asyncio.session import AsyncSession as S", "S(engine)"),
    "a subclass": ("class Own(AsyncSession):\n    pass", "Own(engine)"),
    "a subclass of a subclass": ("class One(AsyncSession):\n    pass\nclass Two(One):\n    pass", "Two()"),
    "a maker of a subclass": ("class Own(AsyncSession):\n    pass\nM = sessionmaker(class_=Own)", "M()"),
    "a subclass of the maker": ("class Makers(async_sessionmaker):\n    pass\nM = Makers(engine)", "M()"),
    "a function": ("def make():\n    return Maker()", "make()"),
    "a function through a name": ("def make():\n    made = Maker()\n    return made", "make()"),
    "a function that sets it up": (
        "def make():\n    made = Maker()\n    made.info['x'] = 1\n    return made",
        "make()",
    ),
    "an awaited function": ("async def make():\n    return Maker()", "await make()"),
    "a function that builds the maker": ("def make():\n    M = async_sessionmaker(engine)\n    return M()", "make()"),
    "a function that gives the maker": ("def maker():\n    return Maker", "maker()()"),
    "a cached function that gives the maker": ("@lru_cache\ndef maker():\n    return Maker", "maker()()"),
    "a method": ("class Db:\n    def make(self):\n        return Maker()\ndb = Db()", "db.make()"),
    "a static method": ("class Db:\n    @staticmethod\n    def make():\n        return Maker()", "Db.make()"),
    "a class method": ("class Db:\n    @classmethod\n    def make(cls):\n        return Maker()", "Db.make()"),
    "a property that gives the maker": (
        "class Db:\n    @property\n    def maker(self):\n        return Maker\ndb = Db()",
        "db.maker()",
    ),
    "an attribute set in __init__": (
        "class Db:\n    def __init__(self):\n        self.maker = async_sessionmaker(engine)\ndb = Db()",
        "db.maker()",
    ),
    "an attribute set in a setter method": (
        "class Db:\n    maker = None\n    def open(self):\n        self.maker = async_sessionmaker(engine)\ndb = Db()",
        "db.maker()",
    ),
    "a class attribute": ("class Db:\n    maker = async_sessionmaker(engine)", "Db.maker()"),
    "an attribute of the base class": (
        "class Base:\n    maker = Maker\nclass Db(Base):\n    pass\ndb = Db()",
        "db.maker()",
    ),
    "an object that can be called": (
        "class Make:\n    def __call__(self):\n        return Maker()\nmake = Make()",
        "make()",
    ),
    "a global that an init function sets": (
        "M = None\ndef init():\n    global M\n    M = async_sessionmaker(engine)",
        "M()",
    ),
    "a declared global that an init function sets": (
        "M: async_sessionmaker | None = None\ndef init():\n    global M\n    M = async_sessionmaker(engine)",
        "M()",
    ),
    "partial of the maker": ("M = partial(Maker, info={})", "M()"),
    "partial of the class": ("M = partial(AsyncSession, engine)", "M()"),
    "a maker chosen by a condition": ("M = Maker if debug else async_sessionmaker(engine)", "M()"),
    "a conditional definition": (
        "if debug:\n    def make():\n        return Maker()\nelse:\n    def make():\n        return AsyncSession()",
        "make()",
    ),
}


@pytest.mark.parametrize("situation", FRESH)
def test_fresh_session_is_recognised(situation: str, tmp_path: Path) -> None:
    text, made = FRESH[situation]
    found = session(Written(tmp_path, {"db.py": f"{HEAD}\n{text}"}).means(made, "db.py"))
    assert (found.is_async, found.ownership) == (True, Ownership.FRESH)


SYNC = {
    "sessionmaker": ("M = sessionmaker()", "M()"),
    "sessionmaker with class_": ("M = sessionmaker(class_=Session)", "M()"),
    "the class": ("", "Session()"),
    "SQLModel's class": ("import sqlmodel", "sqlmodel.Session(engine)"),
    "a subclass": ("class Own(Session):\n    pass", "Own()"),
}


@pytest.mark.parametrize("situation", SYNC)
def test_sync_session_is_not_taken_for_an_async_one(situation: str, tmp_path: Path) -> None:
    text, made = SYNC[situation]
    found = session(Written(tmp_path, {"db.py": f"{HEAD}\n{text}"}).means(made, "db.py"))
    assert (found.is_async, found.ownership) == (False, Ownership.FRESH)


NOT_FRESH = {
    "a parameter declared as a session": ("def f(s: AsyncSession):\n    pass", "s", "f"),
    "an optional parameter": ("def f(s: AsyncSession | None = None):\n    pass", "s", "f"),
    "a parameter declared in a string": ("def f(s: 'Optional[AsyncSession]'):\n    pass", "s", "f"),
    "a parameter that Depends fills": (
        "async def get():\n    async with Maker() as s:\n        yield s\ndef f(s=Depends(get)):\n    pass",
        "s",
        "f",
    ),
    "an annotated dependency": (
        "def get():\n    yield Maker()\nDep = Annotated[AsyncSession, Depends(get)]\ndef f(s: Dep):\n    pass",
        "s",
        "f",
    ),
    "an attribute that was set in __init__": (
        "class R:\n    def __init__(self):\n        self.s = Maker()\n    def f(self):\n        pass",
        "self.s",
        "R.f",
    ),
    "a property that gives the stored session": (
        "class R:\n    def __init__(self, s: AsyncSession):\n        self._s = s\n"
        "    @property\n    def s(self):\n        return self._s\n    def f(self):\n        pass",
        "self.s",
        "R.f",
    ),
    "a module global": ("s = Maker()\ndef f():\n    pass", "s", "f"),
    "a getter of a module global": ("s = Maker()\ndef get():\n    return s", "get()", ""),
    "a getter of a global that is made on demand": (
        "s = None\ndef get():\n    global s\n    if s is None:\n        s = Maker()\n    return s",
        "get()",
        "",
    ),
    "a cached function": ("@lru_cache\ndef get():\n    return Maker()", "get()", ""),
    "a cached function with a size": ("@lru_cache(maxsize=1)\ndef get():\n    return Maker()", "get()", ""),
    "a function that gives back its parameter": ("def same(s: AsyncSession):\n    return s", "same(x)", ""),
}


@pytest.mark.parametrize("situation", NOT_FRESH)
def test_session_of_someone_else_is_shared(situation: str, tmp_path: Path) -> None:
    text, expr, qualname = NOT_FRESH[situation]
    found = session(Written(tmp_path, {"db.py": f"{HEAD}\n{text}"}).means(expr, "db.py", qualname))
    assert found.ownership is Ownership.SHARED


UNDECIDED = {
    "the given one or a new one": "def get(s: AsyncSession | None = None):\n    return s or Maker()",
    "by a condition": "class R:\n    s: AsyncSession\nr = R()\n"
    "def get():\n    if flag:\n        return r.s\n    return Maker()",
    "a parameter declared to make one": "def f(get: Callable[[], AsyncSession]):\n    pass",
    "only the return type is known": "def get() -> AsyncSession:\n    return container.resolve()",
    "an unknown decorator": "@inject\ndef get() -> AsyncSession:\n    return Maker()",
    "one branch is not in view": "def get():\n    return Maker() if flag else other.thing()",
}


@pytest.mark.parametrize("situation", UNDECIDED)
def test_session_that_may_be_someone_elses_is_never_fresh(situation: str, tmp_path: Path) -> None:
    text = UNDECIDED[situation]
    qualname = "f" if "def f(" in text else ""
    found = Written(tmp_path, {"db.py": f"{HEAD}\n{text}"}).means("get()", "db.py", qualname)
    assert session(found).ownership is Ownership.UNKNOWN


def test_scoped_registries_give_shared_sessions(tmp_path: Path) -> None:
    text = f"{HEAD}\nA = async_scoped_session(Maker, scopefunc=x)\nS = scoped_session(sessionmaker())"
    written = Written(tmp_path, {"db.py": text})
    for name, is_async in (("A", True), ("S", False)):
        assert written.means(name, "db.py") == RegistryMeaning(is_async)
        assert session(written.means(f"{name}()", "db.py")).through == "registry"


def test_function_that_calls_a_registry_gives_the_registrys_session(tmp_path: Path) -> None:
    text = f"{HEAD}\nS = scoped_session(sessionmaker())\ndef get():\n    return S()"
    found = session(Written(tmp_path, {"db.py": text}).means("get()", "db.py"))
    assert (found.ownership, found.through) == (Ownership.SHARED, "registry")


SCOPES = {
    "decorated": "@asynccontextmanager\nasync def scope():\n    async with Maker() as s:\n        yield s",
    "wrapped": "async def _scope():\n    async with Maker() as s:\n        yield s\n"
    "scope = asynccontextmanager(_scope)",
    "closed in finally": "@asynccontextmanager\nasync def scope():\n    s = Maker()\n    try:\n        yield s\n"
    "    finally:\n        await s.close()",
    "rolled back": "@asynccontextmanager\nasync def scope():\n    async with Maker() as s:\n        try:\n"
    "            yield s\n        except Exception:\n            await s.rollback()\n            raise",
}


@pytest.mark.parametrize("situation", SCOPES)
def test_context_manager_of_the_project_lends_a_session(situation: str, tmp_path: Path) -> None:
    scope = Written(tmp_path, {"db.py": f"{HEAD}\n{SCOPES[situation]}"}).means("scope()", "db.py")
    assert isinstance(scope, ScopeMeaning)
    assert (scope.is_async, scope.plain, scope.commits) == (True, True, False)
    assert session(scope.value).is_async


MORE_THAN_PLAIN = {
    "commits": "    async with Maker() as s:\n        yield s\n        await s.commit()",
    "begins": "    async with Maker.begin() as s:\n        yield s",
    "swallows": "    async with Maker() as s:\n        try:\n            yield s\n"
    "        except ValueError:\n            pass",
    "never closes": "    s = Maker()\n    yield s",
    "sets the role": "    async with Maker() as s:\n        await s.execute(role)\n        yield s",
    "closes on the happy path only": "    s = Maker()\n    yield s\n    await s.close()",
    "is shared": "    yield shared",
}


@pytest.mark.parametrize("situation", MORE_THAN_PLAIN)
def test_context_manager_that_does_more_is_not_plain(situation: str, tmp_path: Path) -> None:
    text = f"{HEAD}\nshared = Maker()\n@asynccontextmanager\nasync def scope():\n{MORE_THAN_PLAIN[situation]}"
    scope = Written(tmp_path, {"db.py": text}).means("scope()", "db.py")
    assert isinstance(scope, ScopeMeaning)
    assert not scope.plain
    assert scope.commits is (situation in ("commits", "begins"))


def test_generator_is_not_a_session(tmp_path: Path) -> None:
    text = f"{HEAD}\nasync def get():\n    async with Maker() as s:\n        yield s\ndef sync():\n    yield Session()"
    written = Written(tmp_path, {"db.py": text})
    assert isinstance(written.means("get()", "db.py"), GeneratorMeaning)
    driven = session(written.means("await anext(get())", "db.py"))
    assert (driven.ownership, driven.through) == (Ownership.SHARED, "generator")
    assert session(written.means("next(sync())", "db.py")).through == "generator"


def test_coroutine_is_not_a_session_until_it_is_awaited(tmp_path: Path) -> None:
    written = Written(tmp_path, {"db.py": f"{HEAD}\nasync def make():\n    return Maker()"})
    assert isinstance(written.means("make()", "db.py"), CoroutineMeaning)


def test_begin_of_a_maker_is_a_scope_that_commits(tmp_path: Path) -> None:
    written = Written(tmp_path, {"db.py": HEAD})
    scope = written.means("Maker.begin()", "db.py")
    assert isinstance(scope, ScopeMeaning)
    assert scope.commits


def test_asynccontextmanager_called_by_hand_gives_a_callable(tmp_path: Path) -> None:
    text = f"{HEAD}\nasync def get():\n    async with Maker() as s:\n        yield s\n"
    assert isinstance(
        Written(tmp_path, {"db.py": text}).means("asynccontextmanager(get)", "db.py"), ScopeFactoryMeaning
    )


NO_SESSION = {
    "aiohttp": ("import aiohttp\nasync def get_session():\n    return aiohttp.ClientSession()", "await get_session()"),
    "requests": ("import requests", "requests.Session()"),
    "a model called Session": ("class Session(Base):\n    __tablename__ = 's'", "Session()"),
    "a client opened by the session": ("import aioboto3\nasync_session = aioboto3.Session", "async_session()"),
    "the factory itself": ("", "Maker"),
    "an unknown library": ("from somewhere import async_session", "async_session()"),
    "sessionmaker with unknown keywords": ("M = sessionmaker(**options)", "M()"),
    "a builder of another object": ("def new_session(x):\n    return {'id': x}", "new_session(1)"),
    "a method of an unknown object": ("", "manager.get_session()"),
    "a coroutine of a session method": ("s = Maker()", "s.execute(1)"),
}


@pytest.mark.parametrize("situation", NO_SESSION)
def test_what_only_sounds_like_a_session_is_none(situation: str, tmp_path: Path) -> None:
    text, expr = NO_SESSION[situation]
    assert not isinstance(Written(tmp_path, {"db.py": f"{HEAD}\n{text}"}).means(expr, "db.py"), SessionMeaning)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [("", True), ("expire_on_commit=False", False), ("expire_on_commit=flag", None), ("**options", None)],
)
def test_expire_on_commit_is_what_can_be_seen(arguments: str, expected: bool | None, tmp_path: Path) -> None:
    written = Written(tmp_path, {"db.py": f"{HEAD}\nM = async_sessionmaker({arguments})"})
    assert session(written.means("M()", "db.py")).expire_on_commit is expected


def test_settings_declare_a_factory_that_cannot_be_proved(tmp_path: Path) -> None:
    files = {"app/__init__.py": "", "app/db.py": "make = container.resolve('s')", "use.py": "from app.db import make"}
    written = Written(tmp_path, files)
    assert not isinstance(means(written.project(), "make()", "use.py"), SessionMeaning)
    assert session(means(written.project(("app.db.make",)), "make()", "use.py")).ownership is Ownership.FRESH


def test_settings_declare_a_factory_outside_of_the_project(tmp_path: Path) -> None:
    written = Written(tmp_path, {"use.py": "from company.db import make"})
    assert written.means("make", "use.py") == External("company.db.make")
    assert session(means(written.project(("company.db.make",)), "make()", "use.py")).is_async


def test_declared_maker_parameter_makes_sessions(tmp_path: Path) -> None:
    text = f"{HEAD}\ndef f(maker: async_sessionmaker[AsyncSession], other: sessionmaker):\n    pass"
    written = Written(tmp_path, {"db.py": text})
    assert isinstance(written.means("maker", "db.py", "f"), MakerMeaning)
    assert session(written.means("maker()", "db.py", "f")).ownership is Ownership.FRESH
    assert not isinstance(written.means("other()", "db.py", "f"), SessionMeaning)


# --- facts ----------------------------------------------------------------------------------------------------------

TANGLED = {
    "app/__init__.py": "from .db import *\nfrom .helpers import get",
    "app/db.py": HEAD + "from .helpers import get\n@asynccontextmanager\nasync def scope():\n"
    "    async with Maker() as s:\n        yield s\ndef make(n):\n    return second(n)\n"
    "def second(n):\n    return make(n - 1) if n else Maker()\n",
    "app/helpers.py": "from app import db\nfrom app import second as again\ndef get():\n    return db.make(again(1))\n",
    "app/models.py": "from app.db import AsyncSession\nclass Own(AsyncSession):\n    pass\n",
    "use.py": "from app import get, Maker as M, scope\nfrom app.models import Own\nclass R:\n"
    "    def __init__(self):\n        self.m = M\n    def f(self):\n        return self.m()\n",
    "test_use.py": "import app\nfrom unittest.mock import patch\n@patch('app.db.Maker')\ndef test():\n    pass\n",
}
ASKED = [
    ("get()", "use.py", ""),
    ("M()", "use.py", ""),
    ("scope()", "use.py", ""),
    ("Own()", "use.py", ""),
    ("self.m()", "use.py", "R.f"),
    ("self.f()", "use.py", "R.f"),
    ("make(1)", "app/db.py", ""),
    ("second(1)", "app/db.py", ""),
    ("get()", "app/db.py", ""),
    ("db.make(1)", "app/helpers.py", ""),
    ("again(1)", "app/helpers.py", ""),
]


@pytest.fixture(scope="module")
def tangled(tmp_path_factory: pytest.TempPathFactory) -> Written:
    return Written(tmp_path_factory.mktemp("tangled"), TANGLED)


def test_tangled_project_is_understood(tangled: Written) -> None:
    project = tangled.project()
    for question in ASKED:
        found = means(project, *question)
        assert isinstance(found, ScopeMeaning) if question[0] == "scope()" else is_fresh(found, session(found).origin)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(facts=st.permutations(sorted(TANGLED)), questions=st.permutations(ASKED))
def test_neither_the_order_of_files_nor_of_questions_matters(
    tangled: Written, facts: list[str], questions: list[tuple[str, str, str]]
) -> None:
    by_path = {fact.path: fact for fact in tangled.facts()}
    usual = tangled.project()
    expected = {question: means(usual, *question) for question in ASKED}
    names = {path: tangled.names[path] for path in reversed(facts)}
    shuffled = link([by_path[path] for path in facts], names)
    assert {question: means(shuffled, *question) for question in questions} == expected


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    scanned=st.sets(st.sampled_from(sorted(TANGLED))),
    questions=st.permutations([question for question in ASKED if question[1] == "use.py"]),
)
def test_which_files_were_scanned_before_they_were_asked_for_does_not_matter(
    tangled: Written, scanned: set[str], questions: list[tuple[str, str, str]]
) -> None:
    by_path = {fact.path: fact for fact in tangled.facts()}
    usual = tangled.project()
    partly = link([by_path[path] for path in sorted({"use.py", *scanned})], tangled.names, load=by_path.get)
    assert [means(partly, *question) for question in questions] == [means(usual, *question) for question in questions]


def test_facts_survive_pickling_and_compare_by_value(tangled: Written) -> None:
    facts = tangled.facts()
    again = pickle.loads(pickle.dumps(facts))
    assert again == facts == tangled.facts()
    project, unpickled = link(facts, tangled.names), link(again, tangled.names)
    for question in ASKED:
        assert means(project, *question) == means(unpickled, *question)


def test_facts_hold_no_tree_node(tangled: Written) -> None:
    for fact in tangled.facts():
        assert "<ast." not in repr(fact)
        assert b"_ast" not in pickle.dumps(fact)


# --- what the facts keep of declared types ----------------------------------------------------------------------------


def facts_of(root: Path, text: str) -> ModuleFacts:
    (facts,) = Written(root, {"app.py": text}).facts()
    return facts


TYPES = {
    "A": Name("A"),
    "A | None": Either((Name("A"), Literal(None))),
    "'A | B'": Either((Name("A"), Name("B"))),
    "dict[str, A | bool]": Item(Name("dict"), Series((Name("str"), Either((Name("A"), Name("bool")))))),
    "m.Page[A]": Item(Attribute(Name("m"), "Page"), Name("A")),
    "None": Literal(None),
}


@pytest.mark.parametrize("text", TYPES)
def test_declared_result_is_kept_whole(text: str, tmp_path: Path) -> None:
    (function,) = facts_of(tmp_path, f"async def read() -> {text}: ...\n").functions
    assert function.returns_type == TYPES[text]


def test_function_that_declares_no_result_has_none(tmp_path: Path) -> None:
    (function,) = facts_of(tmp_path, "async def read(): ...\n").functions
    assert (function.returns_type, function.returns_annotation) == (None, None)


@pytest.mark.parametrize("text", TYPES)
def test_response_model_of_a_decorator_is_kept_whole(text: str, tmp_path: Path) -> None:
    (function,) = facts_of(
        tmp_path, f"@r.get('/', tags=A | B, response_model={text})\nasync def read(): ...\n"
    ).functions
    (decorator,) = function.decorators
    assert isinstance(decorator, Call)
    assert decorator.function == Attribute(Name("r"), "get")
    assert decorator.arguments == (Literal("/"),)
    assert decorator.keyword("response_model") == TYPES[text]
    assert decorator.keyword("tags") == Opaque()


def test_response_model_that_is_no_type_is_kept_as_any_expression(tmp_path: Path) -> None:
    text = "@r.get('/', response_model=A if DETAILED else B)\nasync def read(): ...\n"
    (decorator,) = facts_of(tmp_path, text).functions[0].decorators
    assert isinstance(decorator, Call)
    assert decorator.keyword("response_model") == Either((Name("A"), Name("B")))


def test_decorator_that_gives_two_stars_says_so(tmp_path: Path) -> None:
    (decorator,) = facts_of(tmp_path, "@r.get('/', **OPTIONS)\nasync def read(): ...\n").functions[0].decorators
    assert isinstance(decorator, Call)
    assert decorator.has_double_star


ENDPOINTS = {
    "'/', read": Name("read"),
    "'/', endpoint=h.read": Attribute(Name("h"), "read"),
    "endpoint=read, path='/'": Name("read"),
    "*given, read": Opaque(),
    "'/', *given": Opaque(),
    "'/'": Opaque(),
}


@pytest.mark.parametrize("arguments", ENDPOINTS)
def test_route_that_is_added_tells_its_function(arguments: str, tmp_path: Path) -> None:
    text = f"def install(app):\n    app.router.add_api_route({arguments}, response_model=A | None)\n"
    (route,) = facts_of(tmp_path, text).routes
    assert (route.endpoint, route.line, route.scope) == (ENDPOINTS[arguments], 2, "install")
    assert route.call.function == Attribute(Attribute(Name("app"), "router"), "add_api_route")
    assert route.call.keyword("response_model") == TYPES["A | None"]


def test_route_that_is_added_in_an_expression_is_found_once(tmp_path: Path) -> None:
    facts = facts_of(tmp_path, "if x:\n    for one in all_: keep(r.add_api_route('/', one))\nr.add_route('/', read)\n")
    assert [route.endpoint for route in facts.routes] == [Name("one")]


@pytest.mark.skipif(sys.version_info < (3, 12), reason="type parameters are read by Python since 3.12")
def test_type_parameters_of_a_class_are_kept(tmp_path: Path) -> None:
    facts = facts_of(tmp_path, "class Page[T: int, *Ts, **P]: ...\nclass Plain: ...\n")
    assert [class_.type_parameters for class_ in facts.classes] == [("T", "*Ts", "**P"), ()]
