"""The endpoint that `scaffold pool-status` adds, as text: in every layout it is what the project would have written.

Each result is looked at as a person would: it compiles, ruff would neither format it nor sort its imports anew, git
applies the patch, a second run has nothing to do, and no rule of ours says anything of the new file.
"""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest

from codemods import __main__, engine
from codemods.apply.writer import write
from codemods.plan import Finding, Level, Plan
from codemods.review.patch import patch
from codemods.rules import RULES
from codemods.scaffold.asked import ROUTE, AlreadyThere, PoolStatus
from codemods.scaffold.errors import ScaffoldError
from codemods.scaffold.pool_status import planned
from codemods.scaffold.references import parsed
from codemods.settings import load

RUFF = shutil.which("ruff", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))

DB = """\
from sqlalchemy.ext.asyncio import create_async_engine

engine = create_async_engine("postgresql+asyncpg://localhost/shop")
"""
USERS = """\
from fastapi import APIRouter

router = APIRouter(prefix="/users")


@router.get("/")
async def users() -> list[str]:
    return []
"""
MAIN = """\
from fastapi import FastAPI

from app.db import engine
from app.routers import users

app = FastAPI()
app.include_router(users.router)
print(engine)
"""
PACKAGE = {
    "app/__init__.py": "",
    "app/db.py": DB,
    "app/main.py": MAIN,
    "app/routers/__init__.py": "",
    "app/routers/users.py": USERS,
}
SINGLE = {
    "main.py": """\
import os

from fastapi import FastAPI
from sqlalchemy.ext.asyncio import create_async_engine

app = FastAPI()
engine = create_async_engine(os.environ["DATABASE_URL"])


@app.get("/")
async def home() -> str:
    return "home"
"""
}
FACTORY = {
    **PACKAGE,
    "app/main.py": """\
from fastapi import FastAPI

from app.routers import users


def create_app() -> FastAPI:
    application = FastAPI()
    application.include_router(users.router)

    @application.get("/")
    async def home() -> str:
        return "home"

    return application


app = create_app()
""",
}
RELATIVE = {
    "shop/__init__.py": "",
    "shop/core/__init__.py": "",
    "shop/core/db.py": DB,
    "shop/api/__init__.py": "",
    "shop/api/users.py": USERS,
    "shop/main.py": """\
from fastapi import FastAPI

from .api import users

app = FastAPI()
app.include_router(users.router)
""",
}


def a_project(folder: Path, files: Mapping[str, str | bytes]) -> Path:
    root = folder / "project"
    for name, content in {"pyproject.toml": "", **files}.items():
        place = root / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content if isinstance(content, bytes) else content.encode())
    return root


def ask(root: Path, application: str = ".", *, folder: str = ".", **options: object) -> Plan | AlreadyThere:
    """What the command line asks for `application`, typed in `folder`."""
    reference = parsed(application)
    settings = load(root, rules=[rule.name for rule in RULES])
    target = (root / folder / application).resolve() if reference is None else reference
    return planned(PoolStatus(root, root / folder, settings, target, **options))  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Scaffolded:
    plan: Plan
    texts: Mapping[str, str]  # of the files that changed

    @property
    def finding(self) -> Finding:
        (group,) = self.plan.groups
        (finding,) = group.findings
        return finding

    @property
    def new(self) -> str:
        (path,) = (change.path for change in self.plan.changes if change.before is None)
        return path


def scaffolded(root: Path, application: str = ".", *, folder: str = ".", **options: object) -> Scaffolded:
    """The result, on the disk, after everything that holds of every result was seen to hold."""
    plan = ask(root, application, folder=folder, **options)
    assert isinstance(plan, Plan)
    assert [group.level for group in plan.groups] == [Level.REVIEW]
    assert len(plan.ledger.entries) == 1
    applied_by_git(root, plan)
    write(root, plan.changes)
    made = Scaffolded(plan, {change.path: change.after.decode() for change in plan.changes})
    for text in made.texts.values():
        compile(text, "<result>", "exec")
    looks_as_ruff_wants(root, made)
    again = ask(root, application, folder=folder, **options)
    assert isinstance(again, AlreadyThere)
    assert again.place.startswith(f"{made.new}:")
    checked = engine.run(engine.RunRequest(root, (), load(root, rules=[rule.name for rule in RULES])))
    assert [entry for entry in checked.ledger.entries if entry.site.path == made.new] == []
    assert [failure for failure in checked.failures if failure.path == made.new] == []
    return made


def applied_by_git(root: Path, plan: Plan) -> None:
    copy = root.with_name("by-git")
    shutil.copytree(root, copy)
    subprocess.run(["git", "init", "-q"], cwd=copy, check=True)
    command = ["git", "-c", "core.autocrlf=false", "apply"]
    subprocess.run(command, cwd=copy, input=patch(plan.changes), check=True)
    assert {change.path: (copy / change.path).read_bytes() for change in plan.changes} == {
        change.path: change.after for change in plan.changes
    }
    shutil.rmtree(copy)


def looks_as_ruff_wants(root: Path, made: Scaffolded) -> None:
    if RUFF is None:
        return
    width = f"--line-length={load(root, rules=[]).line_length}"
    # only what ruff would have left alone before is its matter afterwards
    for command in (["format", "--check"], ["check", "--select", "I,F", "--config", 'src=[".", "src", "backend"]']):
        for change in made.plan.changes:
            wrong = ["ruff", *command, "--isolated", "--no-cache", width, "--stdin-filename", change.path, "-"]
            if change.before is not None and _run_ruff(root, wrong, change.before).returncode:
                continue
            ran = _run_ruff(root, wrong, change.after)
            assert ran.returncode == 0, ran.stdout.decode() + ran.stderr.decode() + change.after.decode()


def _run_ruff(root: Path, command: list[str], data: bytes) -> subprocess.CompletedProcess[bytes]:
    assert RUFF is not None
    return subprocess.run([RUFF, *command[1:]], cwd=root, input=data, capture_output=True, check=False)


# --- the layouts ------------------------------------------------------------------------------------------------------

WHOLE = '''\
"""GET /debug/pool-status: how many database connections are in use."""

from fastapi import APIRouter
from sqlalchemy.pool import QueuePool

from app.db import engine

router = APIRouter()


@router.get("/debug/pool-status")
async def pool_status() -> dict[str, int | str]:
    """The connections of the pool: open and idle, lent out, above its size."""
    # read at each request: dispose() puts another pool in its place
    pool = engine.pool
    if not isinstance(pool, QueuePool):
        # NullPool, StaticPool and the like count nothing
        return {"status": pool.status()}
    return {
        "size": pool.size(),
        "checked_in": pool.checkedin(),
        "checked_out": pool.checkedout(),
        # negative as long as fewer than `size` connections are open
        "overflow": pool.overflow(),
    }
'''


def test_in_a_package_it_stands_beside_the_routers(tmp_path: Path) -> None:
    made = scaffolded(a_project(tmp_path, PACKAGE))
    assert made.texts == {
        "app/main.py": """\
from os import getenv

from fastapi import FastAPI

from app.db import engine
from app.routers import pool_status, users

app = FastAPI()
app.include_router(users.router)
if getenv("ENVIRONMENT") == "development":
    app.include_router(pool_status.router)
print(engine)
""",
        "app/routers/pool_status.py": WHOLE,
    }


def test_the_finding_says_what_to_confirm(tmp_path: Path) -> None:
    finding = scaffolded(a_project(tmp_path, PACKAGE)).finding
    assert finding.rule == "pool-status"
    assert (finding.site.path, finding.site.line, finding.site.function) == ("app/main.py", 7, "app.main")
    assert "GET /debug/pool-status" in finding.message
    assert "the environment variable ENVIRONMENT is `development`" in finding.reason
    assert [(fact.path, fact.line) for fact in finding.facts] == [("app/db.py", 3)]


def test_a_single_file_hands_its_engine_over(tmp_path: Path) -> None:
    made = scaffolded(a_project(tmp_path, SINGLE))
    assert made.new == "pool_status.py"
    main = made.texts["main.py"]
    assert "from sqlalchemy.ext.asyncio import create_async_engine\n\nfrom pool_status import" in main
    # below the engine, though the application stands above it
    assert (
        'engine = create_async_engine(os.environ["DATABASE_URL"])\n'
        'if os.getenv("ENVIRONMENT") == "development":\n'
        "    app.include_router(pool_status_router(engine))\n\n\n"
    ) in main
    new = made.texts["pool_status.py"]
    assert "def pool_status_router(engine: AsyncEngine) -> APIRouter:" in new
    assert "main" not in new


def test_a_single_file_in_a_package(tmp_path: Path) -> None:
    made = scaffolded(a_project(tmp_path, {"shop/__init__.py": "", "shop/main.py": SINGLE["main.py"]}))
    assert made.new == "shop/pool_status.py"
    assert "from shop.pool_status import pool_status_router\n" in made.texts["shop/main.py"]


def test_a_file_beside_its_database_module(tmp_path: Path) -> None:
    main = "from fastapi import FastAPI\n\nfrom db import engine\n\napp = FastAPI()\nprint(engine)\n"
    made = scaffolded(a_project(tmp_path, {"main.py": main, "db.py": DB}))
    assert "from db import engine\nfrom pool_status import router as pool_status_router\n" in made.texts["main.py"]
    assert "app = FastAPI()\nif getenv" in made.texts["main.py"]
    assert "    app.include_router(pool_status_router)\n" in made.texts["main.py"]
    assert "\nfrom db import engine\n" in made.texts["pool_status.py"]


@pytest.mark.parametrize("application", [".", "app", "app/main.py", "app.main:create_app", "app.main:app"])
def test_a_factory_includes_it_before_it_returns(tmp_path: Path, application: str) -> None:
    made = scaffolded(a_project(tmp_path, FACTORY), application)
    assert made.finding.site.function == "app.main.create_app"
    assert (
        "    application.include_router(users.router)\n"
        '    if getenv("ENVIRONMENT") == "development":\n'
        "        application.include_router(pool_status.router)\n\n"
        '    @application.get("/")\n'
    ) in made.texts["app/main.py"]


def test_a_factory_that_imports_its_routers_itself(tmp_path: Path) -> None:
    main = FACTORY["app/main.py"].replace("\nfrom app.routers import users\n", "")
    main = main.replace("    application = ", "    from app.routers import users\n\n    application = ")
    made = scaffolded(a_project(tmp_path, {**FACTORY, "app/main.py": main}))
    assert "    from app.routers import pool_status, users\n" in made.texts["app/main.py"]


def test_a_function_that_registers_the_routers_comes_before_it(tmp_path: Path) -> None:
    files = {
        **PACKAGE,
        "app/routers/__init__.py": """\
from fastapi import FastAPI

from app.routers import users


def register_routers(application: FastAPI) -> None:
    application.include_router(users.router)
""",
        "app/main.py": """\
from fastapi import FastAPI

from app.routers import register_routers


def create_app() -> FastAPI:
    application = FastAPI()
    register_routers(application)
    return application
""",
    }
    made = scaffolded(a_project(tmp_path, files))
    assert made.new == "app/routers/pool_status.py"
    text = made.texts["app/main.py"]
    assert text.index("register_routers(application)") < text.index("application.include_router(")


def test_relative_imports_stay_relative(tmp_path: Path) -> None:
    made = scaffolded(a_project(tmp_path, RELATIVE))
    assert "from .api import pool_status, users\n" in made.texts["shop/main.py"]
    assert "\nfrom ..core.db import engine\n" in made.texts["shop/api/pool_status.py"]


def test_relative_imports_beside_the_application(tmp_path: Path) -> None:
    main = "from fastapi import FastAPI\n\nfrom . import db\n\napp = FastAPI()\nprint(db)\n"
    made = scaffolded(a_project(tmp_path, {"shop/__init__.py": "", "shop/db.py": DB, "shop/main.py": main}))
    assert "from . import db, pool_status\n" in made.texts["shop/main.py"]
    assert "\nfrom .db import engine\n" in made.texts["shop/pool_status.py"]


def test_the_application_of_a_package_itself(tmp_path: Path) -> None:
    main = "from fastapi import FastAPI\n\nfrom .db import engine\n\napp = FastAPI()\nprint(engine)\n"
    made = scaffolded(a_project(tmp_path, {"shop/__init__.py": main, "shop/db.py": DB}), "shop:app")
    assert "\nfrom .db import engine\n" in made.texts["shop/pool_status.py"]
    assert "from . import pool_status\nfrom .db import engine\n" in made.texts["shop/__init__.py"]


def test_routers_that_are_imported_by_name(tmp_path: Path) -> None:
    main = MAIN.replace("from app.routers import users", "from app.routers.users import router as users_router")
    made = scaffolded(a_project(tmp_path, {**PACKAGE, "app/main.py": main.replace("users.router)", "users_router)")}))
    text = made.texts["app/main.py"]
    assert "from app.routers.pool_status import router as pool_status_router\n" in text
    assert "    app.include_router(pool_status_router)\n" in text


def test_a_loop_over_routers(tmp_path: Path) -> None:
    files = {
        **PACKAGE,
        "app/routers/__init__.py": "from app.routers import orders, users\n\nROUTERS = (users.router, orders.router)\n",
        "app/routers/orders.py": USERS.replace("users", "orders"),
        "app/main.py": """\
from fastapi import FastAPI

from app.routers import ROUTERS

app = FastAPI()
for router in ROUTERS:
    app.include_router(router)
""",
    }
    made = scaffolded(a_project(tmp_path, files))
    assert made.new == "app/routers/pool_status.py"
    assert "from app.routers import ROUTERS, pool_status\n" in made.texts["app/main.py"]
    assert made.texts["app/main.py"].endswith(
        "    app.include_router(router)\n"
        'if getenv("ENVIRONMENT") == "development":\n'
        "    app.include_router(pool_status.router)\n"
    )


def test_routers_that_are_scattered_have_no_common_place(tmp_path: Path) -> None:
    files = {
        "app/__init__.py": "",
        "app/db.py": DB,
        "app/users/__init__.py": "",
        "app/users/router.py": USERS,
        "app/orders/__init__.py": "",
        "app/orders/router.py": USERS.replace("users", "orders"),
        "app/main.py": """\
from fastapi import FastAPI

from app.orders.router import router as orders_router
from app.users.router import router as users_router

app = FastAPI()
app.include_router(users_router)
app.include_router(orders_router)
""",
    }
    made = scaffolded(a_project(tmp_path, files))
    assert made.new == "app/pool_status.py"
    assert "from app.pool_status import router as pool_status_router\n" in made.texts["app/main.py"]


def test_an_aggregating_router_decides_the_folder(tmp_path: Path) -> None:
    files = {
        **PACKAGE,
        "app/routers/main.py": """\
from fastapi import APIRouter

from app.routers.v1 import users

api_router = APIRouter()
api_router.include_router(users.router)
""",
        "app/routers/v1/__init__.py": "",
        "app/routers/v1/users.py": USERS,
        "app/main.py": """\
from fastapi import FastAPI

from app.routers.main import api_router

app = FastAPI()
app.include_router(api_router, prefix="/api/v1")
""",
    }
    assert scaffolded(a_project(tmp_path, files)).new == "app/routers/pool_status.py"


def test_a_source_folder(tmp_path: Path) -> None:
    made = scaffolded(a_project(tmp_path, {f"src/{path}": text for path, text in PACKAGE.items()}))
    assert made.new == "src/app/routers/pool_status.py"
    assert "from app.db import engine\n" in made.texts[made.new]


@pytest.mark.parametrize(("application", "folder"), [(".", "."), ("main:app", "backend"), ("main:app", ".")])
def test_a_folder_that_is_no_package_is_where_python_was_started(tmp_path: Path, application: str, folder: str) -> None:
    files = {
        "backend/db.py": DB,
        "backend/routers/users.py": USERS,
        "backend/main.py": MAIN.replace("app.db", "db").replace("app.routers", "routers"),
    }
    made = scaffolded(a_project(tmp_path, files), application, folder=folder)
    assert made.new == "backend/routers/pool_status.py"
    assert "\nfrom db import engine\n" in made.texts[made.new]
    assert "from routers import pool_status, users\n" in made.texts["backend/main.py"]


@pytest.mark.parametrize(
    ("application", "folder", "written"),
    [
        ("main:app", "backend", "from pool_status import"),
        ("backend.main:app", ".", "from backend.pool_status import"),
        ("backend.main:app", "backend", "from backend.pool_status import"),
    ],
)
def test_what_was_typed_says_how_a_lone_file_is_imported(
    tmp_path: Path, application: str, folder: str, written: str
) -> None:
    root = a_project(tmp_path, {"backend/main.py": SINGLE["main.py"]})
    assert written in scaffolded(root, application, folder=folder).texts["backend/main.py"]


def test_how_a_lone_file_is_imported_is_not_guessed(tmp_path: Path) -> None:
    root = a_project(tmp_path, {"backend/main.py": SINGLE["main.py"]})
    with pytest.raises(ScaffoldError, match=r"backend\.main:app or, .* main:app"):
        ask(root)


def test_carriage_returns_and_tabs_stay(tmp_path: Path) -> None:
    main = FACTORY["app/main.py"].replace("    ", "\t").replace("\n", "\r\n").encode()
    root = a_project(tmp_path, {**FACTORY, "app/main.py": b"\xef\xbb\xbf" + main})
    plan = ask(root)
    assert isinstance(plan, Plan)
    by_path = {change.path: change.after for change in plan.changes}
    after = by_path["app/main.py"]
    assert after.startswith(b"\xef\xbb\xbf")
    assert after.count(b"\n") == after.count(b"\r\n")
    assert (
        b'\tif getenv("ENVIRONMENT") == "development":\r\n\t\tapplication.include_router(pool_status.router)\r\n'
        in after
    )
    assert b"\r" not in by_path["app/routers/pool_status.py"]
    applied_by_git(root, plan)


def test_a_subclass_of_fastapi_is_an_application(tmp_path: Path) -> None:
    files = {
        **PACKAGE,
        "app/base.py": "from fastapi import FastAPI as Base\n\n\nclass Service(Base):\n    pass\n",
        "app/main.py": MAIN.replace("from fastapi import FastAPI\n", "from app.base import Service\n").replace(
            "FastAPI()", "Service()"
        ),
    }
    assert "pool_status.router" in scaffolded(a_project(tmp_path, files)).texts["app/main.py"]


def test_an_application_in_a_condition(tmp_path: Path) -> None:
    main = MAIN.replace(
        "app = FastAPI()\n", "if __debug__:\n    app = FastAPI(debug=True)\nelse:\n    app = FastAPI()\n"
    ).replace("app.include_router(users.router)\n", "")
    made = scaffolded(a_project(tmp_path, {**PACKAGE, "app/main.py": main.replace("print(engine)", "print(users)")}))
    assert '    app = FastAPI()\nif getenv("ENVIRONMENT")' in made.texts["app/main.py"]


# --- which application, which engine ----------------------------------------------------------------------------------

TWO = {**PACKAGE, "app/admin.py": "from fastapi import FastAPI\n\nfrom app.db import engine\n\nadmin = FastAPI()\n"}


def test_several_applications_are_named(tmp_path: Path) -> None:
    root = a_project(tmp_path, TWO)
    with pytest.raises(ScaffoldError) as caught:
        ask(root)
    assert str(caught.value) == (
        "there are 2 FastAPI applications: app.admin:admin (app/admin.py:5), app.main:app (app/main.py:6); "
        "name one: session-codemods scaffold pool-status app.admin:admin"
    )
    assert "app/main.py" in scaffolded(root, "app.main:app").texts


@pytest.mark.parametrize("application", ["app.admin:admin", "app/admin.py", "app/admin.py:admin"])
def test_one_of_several_applications_is_taken(tmp_path: Path, application: str) -> None:
    made = scaffolded(a_project(tmp_path, TWO), application)
    assert set(made.texts) == {"app/admin.py", "app/pool_status.py"}


def test_an_application_that_is_handed_on(tmp_path: Path) -> None:
    files = {**PACKAGE, "app/asgi.py": "from app.main import app\n\napplication = app\n"}
    assert "app/main.py" in scaffolded(a_project(tmp_path, files), "app.asgi:application").texts


def test_an_application_of_a_test_is_none(tmp_path: Path) -> None:
    test = "from fastapi import FastAPI\n\napp = FastAPI()\n"
    made = scaffolded(a_project(tmp_path, {**PACKAGE, "tests/conftest.py": test, "app/test_x.py": test}))
    assert "app/main.py" in made.texts


@pytest.mark.parametrize(
    ("application", "message"),
    [
        ("app.nothing:app", "app.nothing: no module of this project has that name"),
        ("app.main:engine", "engine of app/main.py is not a FastAPI application .*; applications are: app.main:app"),
        ("app.main:nothing", "nothing of app/main.py is not a FastAPI application"),
        ("app/routers", "no FastAPI application was found; name it as for uvicorn"),
    ],
)
def test_what_is_no_application_is_said(tmp_path: Path, application: str, message: str) -> None:
    with pytest.raises(ScaffoldError, match=message):
        ask(a_project(tmp_path, PACKAGE), application)


def test_a_file_that_cannot_be_read_is_named_when_nothing_is_found(tmp_path: Path) -> None:
    with pytest.raises(ScaffoldError, match=r"\(app/main\.py could not be read: not valid Python"):
        ask(a_project(tmp_path, {**PACKAGE, "app/main.py": "app = FastAPI(\n"}))


def test_an_application_without_a_name_is_said(tmp_path: Path) -> None:
    main = "from fastapi import FastAPI\n\n\ndef create_app() -> FastAPI:\n    return FastAPI()\n"
    with pytest.raises(ScaffoldError, match=r"app/main\.py:5 has no name"):
        ask(a_project(tmp_path, {**PACKAGE, "app/main.py": main}))


SYNC = DB.replace("sqlalchemy.ext.asyncio", "sqlalchemy").replace("create_async_engine", "create_engine")
CACHED = """\
from functools import cache

from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine


@cache
def warehouse_engine() -> AsyncEngine:
    return create_async_engine("postgresql+asyncpg://localhost/warehouse")


def new_engine() -> AsyncEngine:
    return create_async_engine("postgresql+asyncpg://localhost/warehouse")


def other_engine(name: str) -> AsyncEngine:
    return create_async_engine(name)


async def late_engine() -> AsyncEngine:
    return new_engine()
"""


def test_the_async_engine_is_taken_before_others(tmp_path: Path) -> None:
    made = scaffolded(a_project(tmp_path, {**PACKAGE, "app/sync_db.py": SYNC, "app/warehouse.py": CACHED}))
    assert "from app.db import engine\n" in made.texts[made.new]


def test_a_sync_engine_alone_is_taken(tmp_path: Path) -> None:
    assert (
        "pool = engine.pool"
        in scaffolded(a_project(tmp_path, {**PACKAGE, "app/db.py": SYNC})).texts["app/routers/pool_status.py"]
    )


def test_a_sync_engine_of_the_applications_own_module(tmp_path: Path) -> None:
    main = (
        SINGLE["main.py"]
        .replace("sqlalchemy.ext.asyncio", "sqlalchemy")
        .replace("create_async_engine", "create_engine")
    )
    new = scaffolded(a_project(tmp_path, {"main.py": main})).texts["pool_status.py"]
    assert "from sqlalchemy.engine import Engine\n" in new
    assert "def pool_status_router(engine: Engine) -> APIRouter:" in new


def test_several_engines_are_named(tmp_path: Path) -> None:
    root = a_project(tmp_path, {**PACKAGE, "app/archive.py": DB.replace("engine = ", "archive = ")})
    with pytest.raises(ScaffoldError) as caught:
        ask(root)
    assert str(caught.value) == (
        "there are 2 engines: app.archive:archive, app.db:engine; name the one to watch: --engine app.archive:archive"
    )
    made = scaffolded(root, engine="app.archive:archive")
    assert "from app.archive import archive\n" in made.texts[made.new]
    assert "pool = archive.pool\n" in made.texts[made.new]


def test_branches_of_one_engine_are_one(tmp_path: Path) -> None:
    db = DB.replace("engine =", "if __debug__:\n    engine =") + DB.split("\n\n")[1].replace(
        "engine =", "else:\n    engine ="
    )
    assert scaffolded(a_project(tmp_path, {**PACKAGE, "app/db.py": db}))


def test_a_cached_function_is_called_at_each_request(tmp_path: Path) -> None:
    root = a_project(tmp_path, {**PACKAGE, "app/db.py": CACHED, "app/main.py": MAIN.replace("engine", "new_engine")})
    with pytest.raises(
        ScaffoldError, match=r"these functions give one: app\.db:warehouse_engine; .* --engine app\.db:war"
    ):
        ask(root)
    made = scaffolded(root, engine="app.db:warehouse_engine")
    assert "from app.db import warehouse_engine\n" in made.texts[made.new]
    assert "pool = warehouse_engine().pool\n" in made.texts[made.new]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("app.warehouse:new_engine", "makes a new engine at each call"),
        ("app.warehouse:other_engine", "takes arguments"),
        ("app.warehouse:late_engine", "is a coroutine function"),
        (
            "app.warehouse:nothing",
            "is not an engine that can be followed; engines are: app.db:engine, app.warehouse:ware",
        ),
        ("app.main:users", "is not an engine"),
        ("app.db", "'app.db' is not of the form app.db:engine"),
        ("app.dbx:engine", "app.dbx: no module of this project"),
    ],
)
def test_what_is_no_engine_is_said(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(ScaffoldError, match=message):
        ask(a_project(tmp_path, {**PACKAGE, "app/warehouse.py": CACHED}), engine=name)


def test_an_engine_that_comes_later_is_not_imported(tmp_path: Path) -> None:
    db = """\
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

engine: AsyncEngine | None = None


def connect(url: str) -> None:
    global engine
    engine = create_async_engine(url)
"""
    root = a_project(tmp_path, {**PACKAGE, "app/db.py": db})
    with pytest.raises(ScaffoldError, match=r"every engine is made in a function \(app/db\.py:8\)"):
        ask(root)
    with pytest.raises(ScaffoldError, match="is not an engine from the start"):
        ask(root, engine="app.db:engine")


def test_an_engine_that_a_function_makes_once(tmp_path: Path) -> None:
    db = """\
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

_engine: AsyncEngine | None = None


def get_engine() -> AsyncEngine:
    global _engine
    if _engine is None:
        _engine = create_async_engine("postgresql+asyncpg://localhost/shop")
    return _engine
"""
    main = MAIN.replace("import engine", "import get_engine").replace("print(engine)", "print(get_engine)")
    made = scaffolded(
        a_project(tmp_path, {**PACKAGE, "app/db.py": db, "app/main.py": main}), engine="app.db:get_engine"
    )
    assert "pool = get_engine().pool\n" in made.texts[made.new]


HELPER = """\
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine


class Database:
    def __init__(self, url: str) -> None:
        self.engine = create_async_engine(url)
        self._late: AsyncEngine | None = None

    def connect(self) -> None:
        self._late = create_async_engine("postgresql+asyncpg://localhost/shop")


database = Database("postgresql+asyncpg://localhost/shop")
"""


def test_an_engine_that_an_object_holds(tmp_path: Path) -> None:
    main = MAIN.replace("import engine", "import database").replace("print(engine)", "print(database)")
    root = a_project(tmp_path, {**PACKAGE, "app/db.py": HELPER, "app/main.py": main})
    made = scaffolded(root)
    assert "from app.db import database\n" in made.texts[made.new]
    assert "pool = database.engine.pool\n" in made.texts[made.new]


def test_an_engine_that_an_object_gets_later_is_none(tmp_path: Path) -> None:
    root = a_project(tmp_path, {**PACKAGE, "app/db.py": HELPER})
    with pytest.raises(ScaffoldError, match="is not an engine"):
        ask(root, engine="app.db:database._late")


def test_an_engine_by_its_declared_type(tmp_path: Path) -> None:
    db = (
        "from somewhere import make\nfrom sqlalchemy.ext.asyncio import AsyncEngine\n\n\n"
        "def get_engine() -> AsyncEngine:\n    return make()\n"
    )
    root = a_project(tmp_path, {**PACKAGE, "app/db.py": db})
    with pytest.raises(ScaffoldError, match="no SQLAlchemy engine was found"):
        ask(root)


def test_engines_that_have_no_name_are_said(tmp_path: Path) -> None:
    db = """\
from sqlalchemy.ext.asyncio import create_async_engine

engines = {
    "writer": create_async_engine("postgresql+asyncpg://writer/shop"),
    "reader": create_async_engine("postgresql+asyncpg://reader/shop"),
}
"""
    with pytest.raises(
        ScaffoldError, match=r"the engines of app/db\.py:4, 5 have no name of their own; bind one at mod"
    ):
        ask(a_project(tmp_path, {**PACKAGE, "app/db.py": db}))


def test_a_function_that_takes_an_argument_is_said(tmp_path: Path) -> None:
    db = """\
from functools import cache

from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine


@cache
def cached_engine(url: str) -> AsyncEngine:
    return create_async_engine(url)
"""
    with pytest.raises(ScaffoldError, match=r"app\.db:cached_engine takes an argument, so it cannot be called at each"):
        ask(a_project(tmp_path, {**PACKAGE, "app/db.py": db}))


def test_no_engine_at_all(tmp_path: Path) -> None:
    with pytest.raises(ScaffoldError, match=r"no SQLAlchemy engine was found; name it: --engine app\.db:engine"):
        ask(a_project(tmp_path, {**PACKAGE, "app/db.py": "engine = None\n"}))


def test_names_that_would_get_into_each_others_way(tmp_path: Path) -> None:
    files = {
        **PACKAGE,
        "app/db.py": DB.replace("engine = ", "pool = "),
        "app/deps.py": "def router() -> None:\n    pass\n",
        "app/main.py": MAIN.replace("import engine", "import pool").replace("(engine)", "(pool)"),
    }
    made = scaffolded(a_project(tmp_path, files), depends="app.deps:router")
    text = made.texts[made.new]
    assert "from app.db import pool as app_pool\n" in text
    assert "pool = app_pool.pool\n" in text
    assert "dependencies=[Depends(app_router)]" in text


def test_an_engine_whose_module_imports_the_application_is_imported_late(tmp_path: Path) -> None:
    db = DB.replace("\nengine", "\nfrom app.main import app\n\nengine") + "print(app)\n"
    main = MAIN.replace("from app.db import engine\n", "").replace("print(engine)\n", "")
    made = scaffolded(a_project(tmp_path, {**PACKAGE, "app/db.py": db, "app/main.py": main}))
    text = made.texts[made.new]
    assert "    from app.db import engine\n\n    # read at each request" in text
    assert text.index("async def pool_status") < text.index("from app.db import engine")


# --- when, and for whom -----------------------------------------------------------------------------------------------

SETTINGS = """\
from pydantic_settings import BaseSettings


class Settings(BaseSettings):
    environment: str = "development"
    database_url: str


settings = Settings()
"""


def test_the_projects_own_setting_says_when(tmp_path: Path) -> None:
    made = scaffolded(
        a_project(
            tmp_path,
            {
                **PACKAGE,
                "app/config.py": SETTINGS,
                "app/db.py": DB.replace("\nengine", "\nfrom app.config import settings\n\nengine").replace(
                    '"postgresql+asyncpg://localhost/shop"', "settings.database_url"
                ),
            },
        )
    )
    text = made.texts["app/main.py"]
    assert "from app.config import settings\nfrom app.db import engine\n" in text
    assert 'if settings.environment == "development":\n    app.include_router(pool_status.router)\n' in text
    assert "getenv" not in text
    assert '`settings.environment == "development"`' in made.finding.reason
    assert "app/config.py" in {fact.path for fact in made.finding.facts}


def test_a_setting_that_is_named_already_is_named_so(tmp_path: Path) -> None:
    main = MAIN.replace("from app.db", "from app.config import settings as conf\nfrom app.db")
    files = {**PACKAGE, "app/config.py": SETTINGS, "app/main.py": main.replace("print(engine)", "print(engine, conf)")}
    text = scaffolded(a_project(tmp_path, files)).texts["app/main.py"]
    assert 'if conf.environment == "development":\n' in text


def test_a_setting_that_stands_in_the_applications_module(tmp_path: Path) -> None:
    main = SINGLE["main.py"] + '\n\nENVIRONMENT = os.getenv("ENVIRONMENT", "development")\n'
    text = scaffolded(a_project(tmp_path, {"main.py": main})).texts["main.py"]
    assert text.endswith(
        'ENVIRONMENT = os.getenv("ENVIRONMENT", "development")\n'
        'if ENVIRONMENT == "development":\n    app.include_router(pool_status_router(engine))\n'
    )


def test_a_setting_of_something_else_does_not_count(tmp_path: Path) -> None:
    text = scaffolded(a_project(tmp_path, {**PACKAGE, "tools/config.py": SETTINGS})).texts["app/main.py"]
    assert 'getenv("ENVIRONMENT") == "development"' in text


def test_always_says_that_everybody_may_read_it(tmp_path: Path) -> None:
    made = scaffolded(a_project(tmp_path, PACKAGE), always=True)
    assert "app.include_router(users.router)\napp.include_router(pool_status.router)\n" in made.texts["app/main.py"]
    assert made.finding.reason == (
        "it is there in production, too, for everybody who reaches the application; "
        "--depends names what a request has to pass"
    )


DEPS = "class Role:\n    pass\n\n\ndef require_admin() -> None:\n    pass\n\n\nLEVEL = 3\n"


@pytest.mark.parametrize("name", ["require_admin", "Role"])
def test_a_dependency_guards_the_router(tmp_path: Path, name: str) -> None:
    made = scaffolded(a_project(tmp_path, {**PACKAGE, "app/deps.py": DEPS}), always=True, depends=f"app.deps:{name}")
    text = made.texts[made.new]
    assert "from fastapi import APIRouter, Depends\n" in text
    assert f"from app.deps import {name}\n" in text
    assert f"router = APIRouter(dependencies=[Depends({name})])\n" in text
    assert made.finding.reason == f"it is there in production, too, for who passes `{name}`"


def test_a_dependency_of_the_applications_own_module(tmp_path: Path) -> None:
    main = SINGLE["main.py"].replace("app = ", "def require_admin() -> None:\n    pass\n\n\napp = ")
    made = scaffolded(a_project(tmp_path, {"main.py": main}), always=True, depends="main:require_admin")
    assert "from fastapi import Depends, FastAPI\n" in made.texts["main.py"]
    assert ("app.include_router(pool_status_router(engine), dependencies=[Depends(require_admin)])\n") in made.texts[
        "main.py"
    ]
    assert "Depends" not in made.texts["pool_status.py"]


def test_a_dependency_that_is_defined_below_the_application(tmp_path: Path) -> None:
    main = (
        SINGLE["main.py"]
        + '\n\ndef require_admin() -> None:\n    pass\n\n\nif __name__ == "__main__":\n    print(app)\n'
    )
    plan = ask(a_project(tmp_path, {"main.py": main}), depends="main:require_admin")
    assert isinstance(plan, Plan)
    after = plan.changes[0].after.decode()
    assert after.index("def require_admin") < after.index("app.include_router(") < after.index("if __name__")
    assert (
        'if os.getenv("ENVIRONMENT") == "development":\n'
        "    app.include_router(\n"
        "        pool_status_router(engine), dependencies=[Depends(require_admin)]\n"
        "    )\n"
    ) in after


@pytest.mark.parametrize(
    ("depends", "message"),
    [
        ("app.deps:nothing", r"--depends: there is no function or class nothing in app/deps\.py"),
        ("app.deps:LEVEL", "--depends: there is no function or class LEVEL"),
        ("app.deps", "is not of the form"),
        ("app.late:guard", r"--depends: app/late\.py imports app/main\.py, which would import it in a circle"),
    ],
)
def test_what_is_no_dependency_is_said(tmp_path: Path, depends: str, message: str) -> None:
    late = "from app.main import app\n\n\ndef guard() -> None:\n    print(app)\n"
    with pytest.raises(ScaffoldError, match=message):
        ask(a_project(tmp_path, {**PACKAGE, "app/deps.py": DEPS, "app/late.py": late}), depends=depends)


@pytest.mark.parametrize("route", ["/status", "/a/b-c/d_e.f~g", "/status/"])
def test_the_path_may_be_another(tmp_path: Path, route: str) -> None:
    made = scaffolded(a_project(tmp_path, PACKAGE), route=route)
    assert f'@router.get("{route}")\n' in made.texts[made.new]


@pytest.mark.parametrize("route", ["status", "", "/", "/a b", "/{id}", '/a"b', "/a//b", "/a?b", "/ä", "/a\n"])
def test_what_is_no_path_is_said(tmp_path: Path, route: str) -> None:
    with pytest.raises(ScaffoldError, match="is not a path such as /debug/pool-status"):
        ask(a_project(tmp_path, PACKAGE), route=route)


@pytest.mark.parametrize(
    ("python", "result", "imports"),
    [
        ("3.10", "dict[str, int | str]", ""),
        ("3.9", "dict[str, Union[int, str]]", "from typing import Union\n"),
        ("3.8", "Dict[str, Union[int, str]]", "from typing import Dict, Union\n"),
    ],
)
def test_the_result_is_declared_as_the_projects_python_can_evaluate_it(
    tmp_path: Path, python: str, result: str, imports: str
) -> None:
    files = {**PACKAGE, "pyproject.toml": f'[project]\nname = "x"\nrequires-python = ">={python}"\n'}
    made = scaffolded(a_project(tmp_path, files))
    assert f"async def pool_status() -> {result}:\n" in made.texts[made.new]
    assert imports in made.texts[made.new]
    assert ("typing" in made.texts[made.new]) is bool(imports)


def test_long_names_are_laid_out_as_a_formatter_would(tmp_path: Path) -> None:
    long = "require_somebody_who_may_look_at_the_internals"
    folder = "a_rather_long_name_of_a_package_for_what_is_shared"
    files = {
        **PACKAGE,
        f"app/{folder}/__init__.py": "",
        f"app/{folder}/dependencies.py": DEPS.replace("require_admin", long),
    }
    made = scaffolded(
        a_project(tmp_path, files), always=True, depends=f"app.{folder}.dependencies:{long}", route="/debug/" + "x" * 40
    )
    assert f"import (\n    {long},\n)\n" in made.texts[made.new]
    assert f"router = APIRouter(\n    dependencies=[Depends({long})]\n)\n" in made.texts[made.new]


# --- what is there already --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "routes",
    [
        "router = APIRouter()\n\n\n@router.get('/debug/pool-status')\ndef x():\n    pass\n",
        "router = APIRouter(prefix='/debug')\n\n\n@router.get(path='/pool-status/')\ndef x():\n    pass\n",
        "router = APIRouter()\nrouter.add_api_route('/debug/pool-status', print)\n",
        "from starlette.routing import Route\n\nroutes = [Route('/debug/pool-status', print)]\n",
    ],
)
def test_a_route_to_the_path_is_enough(tmp_path: Path, routes: str) -> None:
    text = f"from fastapi import APIRouter\n\n{routes}"
    answer = ask(a_project(tmp_path, {**PACKAGE, "app/routers/debug.py": text}))
    assert isinstance(answer, AlreadyThere)
    assert answer.place.startswith("app/routers/debug.py:")


def test_a_route_under_the_prefix_of_its_inclusion(tmp_path: Path) -> None:
    files = {
        **PACKAGE,
        "app/routers/debug.py": USERS.replace('prefix="/users"', "").replace('"/"', '"/pool-status"'),
        "app/main.py": MAIN.replace("import users", "import debug, users").replace(
            "print(engine)", 'app.include_router(debug.router, prefix="/debug")\nprint(engine)'
        ),
    }
    assert isinstance(ask(a_project(tmp_path, files)), AlreadyThere)


NESTED = """\
from fastapi import APIRouter

router = APIRouter()


@router.get("/pool-status")
async def pool() -> str:
    return "ok"
"""


def nested(including: str, own: str = "", **more: str) -> dict[str, str]:
    """A route of a router that another one includes, which the application includes."""
    parent = f"from fastapi import APIRouter\n\nfrom app.routers import debug\n\n{including}\n"
    main = MAIN.replace("import users", "import parent, users")
    return {
        **PACKAGE,
        "app/routers/debug.py": NESTED.replace("APIRouter()", f"APIRouter({own})"),
        "app/routers/parent.py": parent,
        "app/main.py": main.replace("print(engine)", "app.include_router(parent.router)\nprint(engine)"),
        **more,
    }


INCLUDED = "router.include_router(debug.router"


@pytest.mark.parametrize(
    "files",
    [
        nested(f"router = APIRouter(prefix='/debug')\n{INCLUDED})"),
        nested(f"router = APIRouter()\n{INCLUDED}, prefix='/debug')"),
        nested(f"PREFIX = '/debug'\nrouter = APIRouter(prefix=PREFIX)\n{INCLUDED})"),
        nested(f"router = APIRouter(prefix='/de')\n{INCLUDED}, prefix='bug')"),
        nested(f"def f():\n    inner = APIRouter(prefix='/debug')\n    inner.{INCLUDED[7:]})"),
        {
            **PACKAGE,
            "app/other.py": NESTED.replace("APIRouter", "FastAPI"),
            "app/main.py": MAIN.replace("import users", "import users\nfrom app.other import router").replace(
                "print(engine)", "app.mount('/debug', router)\nprint(engine)"
            ),
        },
    ],
    ids=["own prefix", "prefix of the inclusion", "constant", "two prefixes", "in a function", "mounted"],
)
def test_a_route_under_the_prefixes_of_the_routers_around_it(tmp_path: Path, files: dict[str, str]) -> None:
    answer = ask(a_project(tmp_path, files), "app.main:app")
    assert isinstance(answer, AlreadyThere)
    assert answer.place.endswith(":6")


@pytest.mark.parametrize(
    "files",
    [
        nested(f"import os\nrouter = APIRouter(prefix=os.environ['PREFIX'])\n{INCLUDED})"),
        nested("router = APIRouter()\nfor one in [debug.router]:\n    router.include_router(one, prefix='/debug')"),
        nested(f"router = APIRouter()\n{INCLUDED})", own="prefix=str(__name__)"),
        nested(f"def make():\n    return APIRouter(prefix='/debug')\n\nrouter = make()\n{INCLUDED})"),
    ],
    ids=["prefix of the environment", "loop", "computed", "made by a function"],
)
def test_a_route_whose_prefix_cannot_be_told_is_named(tmp_path: Path, files: dict[str, str]) -> None:
    root = a_project(tmp_path, files)
    with pytest.raises(ScaffoldError, match=r"app/routers/debug\.py:6 is a route that ends with /pool-status.*--path"):
        ask(root)
    assert isinstance(ask(root, route="/debug/pool"), Plan)


@pytest.mark.parametrize(
    "files",
    [
        nested(f"router = APIRouter(prefix='/api')\n{INCLUDED})"),
        nested(f"router = APIRouter(prefix='/debug')\n{INCLUDED}, prefix='/inner')"),
        nested(f"router = APIRouter()\n{INCLUDED}, prefix='/api')", own="prefix='/debug'"),
        nested(f"import os\nrouter = APIRouter(prefix='/api')\n{INCLUDED}, prefix=f'/inner/{{os.name}}')"),
        nested(f"router = APIRouter(prefix='/api')\n{INCLUDED})\ndebug.router.include_router(router)"),
    ],
)
def test_a_route_under_other_prefixes_is_no_reason_to_stop(tmp_path: Path, files: dict[str, str]) -> None:
    assert isinstance(ask(a_project(tmp_path, files)), Plan)


@pytest.mark.parametrize(
    "text",
    [
        "@router.post('/debug/pool-status')\ndef x():\n    pass\n",
        "@router.get('/debug/pool-statuses')\ndef x():\n    pass\n",
        "print('/debug/pool-status')\n",
        "client.get('/pool-status')\n",
    ],
)
def test_another_route_is_no_reason_to_stop(tmp_path: Path, text: str) -> None:
    text = f"from fastapi import APIRouter\n\nrouter = APIRouter()\nclient = router\n\n\n{text}"
    assert isinstance(ask(a_project(tmp_path, {**PACKAGE, "app/routers/debug.py": text})), Plan)


def test_a_request_of_a_test_is_no_route(tmp_path: Path) -> None:
    test = "def test_it(client):\n    assert client.get('/debug/pool-status').status_code == 404\n"
    assert isinstance(ask(a_project(tmp_path, {**PACKAGE, "tests/test_debug.py": test})), Plan)


def test_the_module_under_another_path_is_there_already(tmp_path: Path) -> None:
    root = a_project(tmp_path, PACKAGE)
    scaffolded(root)
    answer = ask(root, route="/other")
    assert answer == AlreadyThere("app/routers/pool_status.py:11", ROUTE)


@pytest.mark.parametrize("taken", ["app/routers/pool_status.py", "app/routers/pool_status/__init__.py"])
def test_nothing_is_overwritten(tmp_path: Path, taken: str) -> None:
    root = a_project(tmp_path, {**PACKAGE, taken: "x = 1\n"})
    with pytest.raises(ScaffoldError, match=r"app/routers/pool_status\.py is there already and is something else"):
        ask(root)


def test_an_ignored_file_is_not_overwritten(tmp_path: Path) -> None:
    root = a_project(tmp_path, {**PACKAGE, ".gitignore": "pool_status.py\n", "app/routers/pool_status.py": "x = 1\n"})
    with pytest.raises(ScaffoldError, match="is there already"):
        ask(root)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("pool_status = pool_status_router = 1\n", "uses the name `pool_status_router` for something else"),
        ("def getenv() -> None: ...\n", "uses the name `getenv` for something else"),
    ],
)
def test_a_name_of_the_application_that_is_taken(tmp_path: Path, line: str, message: str) -> None:
    with pytest.raises(ScaffoldError, match=message):
        ask(a_project(tmp_path, {**PACKAGE, "app/main.py": MAIN + line}))


def test_a_taken_module_name_gives_way(tmp_path: Path) -> None:
    text = scaffolded(a_project(tmp_path, {**PACKAGE, "app/main.py": MAIN + "pool_status = 1\n"})).texts["app/main.py"]
    assert "from app.routers.pool_status import router as pool_status_router\n" in text


def test_statements_that_share_a_line_are_left_alone(tmp_path: Path) -> None:
    main = MAIN.replace("app.include_router(users.router)\n", "").replace("app = FastAPI()", "app = FastAPI(); x = 1")
    with pytest.raises(ScaffoldError, match=r"app/main\.py:6: the edit could not be made"):
        ask(a_project(tmp_path, {**PACKAGE, "app/main.py": main}))


# --- the command ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ran:
    code: int
    out: bytes
    err: str


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = a_project(tmp_path, PACKAGE)
    git(root, "init", "-q")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "all")
    monkeypatch.chdir(root)
    for name in ("GITHUB_ACTIONS", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    return root


def git(folder: Path, *command: str, data: bytes = b"") -> bytes:
    fixed = ["git", "-c", "user.name=n", "-c", "user.email=e@x", *command]
    return subprocess.run(fixed, cwd=folder, input=data, capture_output=True, check=True).stdout


def run(capfdbinary: pytest.CaptureFixture[bytes], *arguments: str) -> Ran:
    code = __main__.main(["scaffold", "pool-status", *arguments])
    out, err = capfdbinary.readouterr()
    return Ran(code, out, err.decode())


def test_a_dry_run_writes_nothing_and_prints_a_patch(
    repository: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    ran = run(capfdbinary, "app.main:app", "--engine", "app.db:engine")
    assert ran.code == 1
    assert git(repository, "status", "--porcelain") == b""
    assert b"# app/main.py  pool-status:app.main:" in ran.out
    assert b"new file mode 100644\n--- /dev/null\n+++ b/app/routers/pool_status.py\n" in ran.out
    assert ran.err.endswith(
        "Nothing was written. Next: session-codemods scaffold pool-status app.main:app --engine app.db:engine --apply\n"
    )
    git(repository, "apply", data=ran.out)
    assert (repository / "app/routers/pool_status.py").read_text() == WHOLE
    assert run(capfdbinary).code == 0


def test_writing_says_what_was_written(repository: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    ran = run(capfdbinary, "--apply")
    assert (ran.code, ran.out) == (0, b"app/main.py\napp/routers/pool_status.py\n")
    assert "Wrote 2 files: 1 group (2 edits in 2 files): 1 review\n" in ran.err
    assert git(repository, "status", "--porcelain") == b" M app/main.py\n?? app/routers/pool_status.py\n"
    again = run(capfdbinary, "--apply")
    assert (again.code, again.out) == (0, b"")
    assert again.err == "GET /debug/pool-status is there already: app/routers/pool_status.py:11. Nothing to do.\n"


def test_a_dirty_application_is_not_written(repository: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    (repository / "app/main.py").write_text(MAIN + "\n# mine\n")
    ran = run(capfdbinary, "--apply")
    assert ran.code == 2
    assert "nothing was written: app/main.py: not saved in git" in ran.err
    assert not (repository / "app/routers/pool_status.py").exists()
    assert run(capfdbinary, "--apply", "--allow-dirty").code == 0


def test_outside_git_it_has_to_be_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    monkeypatch.chdir(a_project(tmp_path, PACKAGE))
    assert "in no git repository" in run(capfdbinary, "--apply").err
    assert run(capfdbinary, "--apply", "--allow-no-vcs").code == 0


def test_the_report_says_which_file_is_new(repository: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    import json

    report = json.loads(run(capfdbinary, "--output-format", "json").out)
    (group,) = (group["id"] for group in report["groups"])
    assert report["changes"] == [
        {"path": "app/main.py", "groups": [group]},
        {"path": "app/routers/pool_status.py", "new": True, "groups": [group]},
    ]
    assert [finding["rule"] for finding in report["findings"]] == ["pool-status"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["app.nothing:app"], "app.nothing: no module of this project has that name"),
        (["nothing"], "nothing: no such file or folder"),
        (["--path", "x"], "--path: 'x' is not a path"),
        (["--engine", "app.db:x"], "--engine: x of app/db.py is not an engine"),
    ],
)
def test_a_wrong_call_is_one_line(
    repository: Path, capfdbinary: pytest.CaptureFixture[bytes], arguments: list[str], message: str
) -> None:
    ran = run(capfdbinary, *arguments)
    assert (ran.code, ran.out) == (2, b"")
    assert ran.err.startswith(f"session-codemods: {message}")
    assert ran.err.count("\n") == 1


def test_the_help_shows_an_example(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    ran = run(capfdbinary, "--help")
    assert ran.code == 0
    assert b"session-codemods scaffold pool-status app.main:app --engine app.db:engine\n" in ran.out


def test_the_command_is_among_the_others(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert __main__.main(["--help"]) == 0
    assert b"scaffold" in capfdbinary.readouterr().out


def test_every_new_file_is_a_module_with_a_docstring(tmp_path: Path) -> None:
    for name, files in SimpleNamespace(package=PACKAGE, single=SINGLE, relative=RELATIVE).__dict__.items():
        made = scaffolded(a_project(tmp_path / name, files))
        assert ast.get_docstring(ast.parse(made.texts[made.new]))
