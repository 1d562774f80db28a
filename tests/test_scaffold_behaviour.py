"""The endpoint that `scaffold pool-status` adds answers: on every pool, under load, and only where it should.

Small applications in several layouts, and the legacy application, get the endpoint from the real program and are asked
through ASGI, in processes of their own, on PostgreSQL and SQLite. What the guards of the endpoint are for is shown by
taking them away.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from leaving.postgres import NoServer, server

LEGACY_APP = Path(__file__).parents[1] / "fixtures" / "legacy_app"
NEEDS = ("aiosqlite", "fastapi", "greenlet", "httpx", "sqlalchemy")
COUNTS = {"size", "checked_in", "checked_out", "overflow"}

pytestmark = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in NEEDS), reason="the demo-app extra is not installed"
)
needs_mypy = pytest.mark.skipif(importlib.util.find_spec("mypy") is None, reason="the lint extra is not installed")

DB = """\
import os
from typing import Any

from sqlalchemy import pool as pools
from sqlalchemy.ext.asyncio import create_async_engine

options: dict[str, Any] = {}
if os.environ.get("POOL"):
    options["poolclass"] = getattr(pools, os.environ["POOL"])
engine = create_async_engine(os.environ["DATABASE_URL"], **options)
"""
ITEMS = """\
import asyncio

from fastapi import APIRouter
from sqlalchemy import text

from {db} import engine

router = APIRouter()


@router.get("/items")
async def items() -> int:
    async with engine.connect() as connection:
        await asyncio.sleep(0.4)
        return (await connection.execute(text("SELECT 1"))).scalar_one()
"""
PACKAGE = {
    "app/__init__.py": "",
    "app/db.py": DB,
    "app/routers/__init__.py": "",
    "app/routers/items.py": ITEMS.format(db="app.db"),
    "app/main.py": """\
from fastapi import FastAPI

from app.routers import items

app = FastAPI()
app.include_router(items.router)
""",
}
RELATIVE = {
    **PACKAGE,
    "app/routers/items.py": ITEMS.format(db="..db"),
    "app/main.py": PACKAGE["app/main.py"].replace("app.routers", ".routers"),
}
FACTORY = {
    **PACKAGE,
    "app/main.py": """\
from fastapi import FastAPI


def create_app() -> FastAPI:
    from app.routers import items

    made = FastAPI()
    made.include_router(items.router)
    return made


app = create_app()
""",
}
SINGLE = {
    "app/__init__.py": "",
    "app/main.py": "from fastapi import FastAPI\n"
    + ITEMS.format(db="x").replace(
        "from x import engine\n", DB.replace("from sqlalchemy import pool", "import sqlalchemy.pool")
    )
    + "\n\napp = FastAPI()\napp.include_router(router)\n",
}
CIRCLE = {
    **PACKAGE,
    "app/db.py": DB + "\nfrom app.main import app  # noqa: E402\n\nNAME = app.title\n",
    "app/main.py": """\
import asyncio

from fastapi import FastAPI

app = FastAPI()


@app.get("/items")
async def items() -> int:
    from sqlalchemy import text

    from app.db import engine

    async with engine.connect() as connection:
        await asyncio.sleep(0.4)
        return (await connection.execute(text("SELECT 1"))).scalar_one()
""",
}
MADE_ONCE = """\
@cache
def get_engine() -> AsyncEngine:
    return create_async_engine(os.environ["DATABASE_URL"], **options)
"""
CACHED = {
    **PACKAGE,
    "app/db.py": DB.replace("import os\n", "import os\nfrom functools import cache\n")
    .replace("import create_async_engine", "import AsyncEngine, create_async_engine")
    .replace('engine = create_async_engine(os.environ["DATABASE_URL"], **options)\n', f"\n\n{MADE_ONCE}"),
    "app/routers/items.py": ITEMS.format(db="app.db")
    .replace("import engine", "import get_engine")
    .replace("engine.connect", "get_engine().connect"),
}
HELD = {
    **PACKAGE,
    "app/db.py": DB.replace("engine = ", "class Database:\n    def __init__(self) -> None:\n        self.engine = ")
    + "\n\ndatabase = Database()\n",
    "app/routers/items.py": ITEMS.format(db="app.db")
    .replace("import engine", "import database")
    .replace("engine.connect", "database.engine.connect"),
}
LAYOUTS: Mapping[str, Mapping[str, str]] = {
    "package": PACKAGE,
    "relative": RELATIVE,
    "factory": FACTORY,
    "single": SINGLE,
    "circle": CIRCLE,
    "cached": CACHED,
    "held": HELD,
}
ARGUMENTS = {"cached": ["--engine", "app.db:get_engine"]}

# asks at rest, while three requests hold a connection, after them, and while one holds one of another pool
PROBE = """
import asyncio, importlib, json, os, sys
import httpx

async def main():
    module = importlib.import_module("app.main")
    transport = httpx.ASGITransport(app=module.app, raise_app_exceptions=False)
    seen = []
    async with httpx.AsyncClient(transport=transport, base_url="http://here") as http:
        async def ask():
            reply = await http.get(sys.argv[1])
            seen.append([reply.status_code, reply.json() if reply.status_code == 200 else None])

        await ask()
        work = [asyncio.create_task(http.get("/items")) for _ in range(3)]
        await asyncio.sleep(0.2)
        await ask()
        assert [(await one).status_code for one in work] == [200] * 3
        await ask()
        await find_engine().dispose()
        work = asyncio.create_task(http.get("/items"))
        await asyncio.sleep(0.2)
        await ask()
        await work
    print(json.dumps(seen), flush=True)
    os._exit(0)

def find_engine():
    for name in ("app.db", "app.main"):
        module = importlib.import_module(name) if name == "app.main" or os.path.exists("app/db.py") else None
        for found in (vars(module) if module else {}).items():
            if found[0] == "engine":
                return found[1]
            if found[0] == "get_engine":
                return found[1]()
            if found[0] == "database":
                return found[1].engine

asyncio.run(main())
"""


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    """The URL of a server; "" where none can be started."""
    try:
        with server() as socket:
            yield f"postgresql+asyncpg://postgres@/postgres?host={socket}"
    except NoServer:
        yield ""


def run(folder: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    ours = ("PYTEST_", "DATABASE_URL", "PYTHONPATH", "PYTHONWARNINGS", "ENVIRONMENT", "POOL", "GITHUB_ACTIONS")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=environment | {"PYTHONDONTWRITEBYTECODE": "1"} | more,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def scaffolded(folder: Path, files: Mapping[str, str], *arguments: str) -> Path:
    for name, text in {"pyproject.toml": "", **files}.items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")
    ran = run(folder, "-m", "codemods", "scaffold", "pool-status", "--apply", "--allow-no-vcs", *arguments)
    assert ran.returncode == 0, ran.stderr
    return folder


def asked(
    folder: Path, url: str, environment: str = "development", pool: str = "", route: str = ""
) -> list[list[object]]:
    """Status code and content at rest, under load, after it, and under a little load once the pool is another one."""
    more = {"DATABASE_URL": url, "POOL": pool} | ({"ENVIRONMENT": environment} if environment else {})
    ran = run(folder, "-c", PROBE, route or "/debug/pool-status", **more)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    answers: list[list[object]] = json.loads(ran.stdout)
    return answers


def counts(checked_in: int, checked_out: int, opened: int) -> list[object]:
    return [200, {"size": 5, "checked_in": checked_in, "checked_out": checked_out, "overflow": opened - 5}]


BUSY = [counts(0, 0, 0), counts(0, 3, 3), counts(3, 0, 3), counts(0, 1, 1)]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_numbers_move_under_load_and_return(tmp_path: Path, postgres: str, layout: str) -> None:
    if not postgres:
        pytest.skip("no PostgreSQL server can be started here")
    folder = scaffolded(tmp_path, LAYOUTS[layout], *ARGUMENTS.get(layout, []))
    assert asked(folder, postgres) == BUSY


@pytest.mark.parametrize("layout", LAYOUTS)
def test_it_is_not_there_outside_development(tmp_path: Path, layout: str) -> None:
    folder = scaffolded(tmp_path, LAYOUTS[layout], *ARGUMENTS.get(layout, []))
    for environment in ("", "production"):
        assert [code for code, _ in asked(folder, f"sqlite+aiosqlite:///{tmp_path}/x.db", environment)] == [404] * 4


def test_it_is_there_always_where_that_was_asked_for(tmp_path: Path) -> None:
    folder = scaffolded(tmp_path, PACKAGE, "--always", "--path", "/internal/pool")
    answers = asked(folder, f"sqlite+aiosqlite:///{tmp_path}/x.db", "production", route="/internal/pool")
    assert [code for code, _ in answers] == [200] * 4


@pytest.mark.parametrize(
    ("url", "pool", "expected"),
    [
        ("sqlite+aiosqlite:///{folder}/x.db", "", BUSY),
        ("sqlite+aiosqlite://", "", [[200, {"status": "StaticPool"}]] * 4),
        ("sqlite+aiosqlite:///{folder}/x.db", "NullPool", [[200, {"status": "NullPool"}]] * 4),
        ("sqlite+aiosqlite:///{folder}/x.db", "StaticPool", [[200, {"status": "StaticPool"}]] * 4),
        ("sqlite+aiosqlite:///{folder}/x.db", "AsyncAdaptedQueuePool", BUSY),
    ],
)
def test_every_pool_answers(tmp_path: Path, url: str, pool: str, expected: list[object]) -> None:
    folder = scaffolded(tmp_path, PACKAGE)
    assert asked(folder, url.format(folder=tmp_path), pool=pool) == expected


SYNC = {
    "app/__init__.py": "",
    "app/db.py": DB.replace("sqlalchemy.ext.asyncio", "sqlalchemy").replace("create_async_engine", "create_engine"),
    "app/main.py": """\
from fastapi import FastAPI
from sqlalchemy import text

from app.db import engine

app = FastAPI()


@app.get("/items")
def items() -> int:
    with engine.connect() as connection:
        return connection.execute(text("SELECT 1")).scalar_one()
""",
}


@pytest.mark.parametrize("pool", ["QueuePool", "NullPool", "StaticPool", "SingletonThreadPool"])
def test_a_sync_engine_answers(tmp_path: Path, pool: str) -> None:
    folder = scaffolded(tmp_path, SYNC)
    probe = PROBE.replace("await find_engine().dispose()", "find_engine().dispose()")
    more = {"DATABASE_URL": f"sqlite:///{tmp_path}/x.db", "POOL": pool, "ENVIRONMENT": "development"}
    ran = run(folder, "-c", probe, "/debug/pool-status", **more)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    for code, content in json.loads(ran.stdout):
        assert code == 200
        assert set(content) == (COUNTS if pool == "QueuePool" else {"status"})


def test_without_its_guard_other_pools_fail(tmp_path: Path) -> None:
    folder = scaffolded(tmp_path, PACKAGE)
    new = folder / "app/routers/pool_status.py"
    text = new.read_text(encoding="utf-8")
    assert text.count("if not isinstance(pool, QueuePool):") == 1
    new.write_text(text.replace("if not isinstance(pool, QueuePool):", "if False:"), encoding="utf-8")
    url = f"sqlite+aiosqlite:///{tmp_path}/x.db"
    assert [code for code, _ in asked(folder, url, pool="NullPool")] == [500] * 4
    assert asked(folder, url) == BUSY


def test_a_pool_that_is_kept_tells_of_one_that_is_gone(tmp_path: Path) -> None:
    folder = scaffolded(tmp_path, PACKAGE)
    new = folder / "app/routers/pool_status.py"
    text = new.read_text(encoding="utf-8")
    kept = text.replace("    pool = engine.pool\n", "    pool = POOL\n").replace(
        "router = APIRouter()\n", "router = APIRouter()\nPOOL = engine.pool\n"
    )
    assert kept.count("POOL") == 2
    new.write_text(kept, encoding="utf-8")
    answers = asked(folder, f"sqlite+aiosqlite:///{tmp_path}/x.db")
    assert answers[:3] == BUSY[:3]
    assert answers[3] == counts(0, 0, 0)


GUARD = """\
from fastapi import Header, HTTPException


def require_admin(token: str = Header("")) -> None:
    if token != "secret":
        raise HTTPException(403)
"""


@pytest.mark.parametrize("layout", ["package", "single"])
def test_a_dependency_keeps_others_out(tmp_path: Path, layout: str) -> None:
    files = dict(LAYOUTS[layout])
    where = "app.deps" if layout == "package" else "app.main"
    if layout == "package":
        files["app/deps.py"] = GUARD
    else:
        files["app/main.py"] = GUARD + "\n\n" + files["app/main.py"]
    folder = scaffolded(tmp_path, files, "--always", "--depends", f"{where}:require_admin")
    url = f"sqlite+aiosqlite:///{tmp_path}/x.db"
    assert [code for code, _ in asked(folder, url)] == [403] * 4
    probe = PROBE.replace("http.get(sys.argv[1])", "http.get(sys.argv[1], headers={'token': 'secret'})")
    ran = run(folder, "-c", probe, "/debug/pool-status", DATABASE_URL=url)
    assert [code for code, _ in json.loads(ran.stdout)] == [200] * 4


def test_run_as_a_program_it_is_the_same_engine(tmp_path: Path) -> None:
    """`python app/main.py` makes the module `__main__`: importing it by its name would make a second engine."""
    folder = scaffolded(tmp_path, {"main.py": SINGLE["app/main.py"]})
    with (folder / "main.py").open("a", encoding="utf-8") as file:
        file.write(
            "\n\nif __name__ == '__main__':\n"
            "    import sys, types\n"
            "    package = sys.modules['app'] = types.ModuleType('app')\n"
            "    package.main = sys.modules['app.main'] = sys.modules['__main__']\n"
            f"    exec({PROBE!r}, {{'__name__': 'probe'}})\n"
        )
    more = {"DATABASE_URL": f"sqlite+aiosqlite:///{tmp_path}/x.db", "ENVIRONMENT": "development"}
    ran = run(folder, "main.py", "/debug/pool-status", **more)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert json.loads(ran.stdout) == BUSY


LEGACY_PROBE = """
import asyncio, json, os
import httpx
from app.main import app
from app.core.db import engine

async def main():
    transport = httpx.ASGITransport(app=app)
    async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport, base_url="http://x") as http:
        reply = await http.get("/debug/pool-status")
        held = [await engine.connect() for _ in range(2)]
        under = await http.get("/debug/pool-status")
        for one in held:
            await one.close()
        after = await http.get("/debug/pool-status")
    print(json.dumps([reply.status_code, under.json(), after.json()]), flush=True)
    os._exit(0)

asyncio.run(main())
"""


def test_the_legacy_application_answers_in_development_only(tmp_path: Path) -> None:
    folder = tmp_path / "legacy_app"
    shutil.copytree(LEGACY_APP, folder, ignore=shutil.ignore_patterns("__pycache__", "*.db", ".*"))
    scaffolded(folder, {"pyproject.toml": (LEGACY_APP / "pyproject.toml").read_text(encoding="utf-8")})
    url = f"sqlite+aiosqlite:///{tmp_path}/legacy.db"
    on = run(folder, "-c", LEGACY_PROBE, DATABASE_URL=url, ENVIRONMENT="development")
    assert on.returncode == 0, on.stdout + on.stderr
    code, under, after = json.loads(on.stdout)
    assert (code, set(under), under["checked_out"], after["checked_out"]) == (200, COUNTS, 2, 0)
    off = run(folder, "-c", LEGACY_PROBE, DATABASE_URL=url)
    assert off.returncode == 0, off.stdout + off.stderr
    assert json.loads(off.stdout)[0] == 404


@needs_mypy
def test_mypy_accepts_the_module_in_every_layout(tmp_path: Path) -> None:
    for layout, files in LAYOUTS.items():
        folder = scaffolded(tmp_path / layout, files, *ARGUMENTS.get(layout, []))
        (new,) = folder.rglob("pool_status.py")
        command = ("-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache"), "--follow-imports", "silent")
        ran = run(folder, *command, str(new.relative_to(folder)))
        assert ran.returncode == 0, layout + ran.stdout + ran.stderr
