"""The legacy application works, leaks, and is what its README says.

Runs it on a temporary copy, in processes of its own; touches nothing else.
"""

from __future__ import annotations

import ast
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

LEGACY_APP = Path(__file__).parents[1] / "fixtures" / "legacy_app"
NEEDS = ("aiosqlite", "anyio", "fastapi", "greenlet", "httpx", "pydantic", "sqlalchemy")
MAP_ROW = re.compile(
    r"^\| `(?P<file>[^`]+)` \| `(?P<name>[^`]+)` \| (?P<patterns>[^|]+) \| (?P<verdict>[^|]+) \| (?P<shape>[^|]+) \|$"
)

runs_the_application = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in NEEDS), reason="the demo-app extra is not installed"
)

# Sessions of queries that were never given back, counted while no garbage collection can hide them. The process ends
# at once, since connections that leak keep their threads alive.
LEAK_COUNT = """
import asyncio, gc, os
from app.core.db import async_session, engine
from app.models import Base
from app.services import users

async def main():
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    gc.disable()
    await users.search_users("nobody")
    print("with a block:", engine.pool.checkedout())
    await users.count_users()
    await users.get_user_by_telegram_id(1)
    print("without:", engine.pool.checkedout(), flush=True)
    os._exit(0)

asyncio.run(main())
"""


@pytest.fixture
def legacy_app(tmp_path: Path) -> Path:
    """A copy of the application that a test may change."""
    copy = tmp_path / "legacy_app"
    shutil.copytree(LEGACY_APP, copy, ignore=shutil.ignore_patterns("__pycache__", "*.db", ".*"))
    return copy


def run_python(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python in `folder` with nothing of this pytest run or of the developer's database in the environment."""
    ours = ("PYTEST_", "DATABASE_URL", "SMOKE_DATABASE_URL", "PYTHONPATH", "PYTHONWARNINGS")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=environment | {"PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def map_rows() -> list[re.Match[str]]:
    """The rows of the README's map; empty when its layout is no longer the one that this file knows."""
    lines = (LEGACY_APP / "README.md").read_text(encoding="utf-8").splitlines()
    return [row for line in lines if (row := MAP_ROW.match(line)) and row["file"].endswith(".py")]


def defined_names(path: Path) -> set[str]:
    """Names of the module's functions, methods and assigned variables; methods with their class."""
    names: set[str] = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                names.add(node.name)
            case ast.Assign(targets=[ast.Name(id=name)]):
                names.add(name)
            case ast.ClassDef():
                names |= {f"{node.name}.{part.name}" for part in node.body if hasattr(part, "name")}
            case _:
                pass
    return names


@runs_the_application
def test_smoke_tests_pass_on_a_copy(legacy_app: Path) -> None:
    run = run_python(legacy_app, "-m", "pytest", "smoke", "-q", "-W", "ignore")
    assert run.returncode == 0, run.stdout + run.stderr
    passed = re.search(r"(\d+) passed", run.stdout)
    assert passed is not None
    collected = sum(path.read_text(encoding="utf-8").count("def test_") for path in legacy_app.glob("smoke/smoke_*.py"))
    assert int(passed[1]) == collected


@runs_the_application
def test_smoke_tests_notice_a_session_that_is_closed_too_early(legacy_app: Path) -> None:
    slots = legacy_app / "app" / "services" / "slots.py"
    whole = slots.read_text(encoding="utf-8")
    anchor = '    lines = [f"{day:%d.%m.%Y}'
    assert whole.count(anchor) == 1
    slots.write_text(whole.replace(anchor, f"    await session.close()\n{anchor}"), encoding="utf-8")
    run = run_python(legacy_app, "-m", "pytest", "smoke/smoke_slots.py", "-q", "-W", "ignore")
    assert run.returncode == 1, run.stdout + run.stderr
    assert "1 failed" in run.stdout
    assert "test_day_plan_names_the_recruiters" in run.stdout


@runs_the_application
def test_bare_sessions_keep_their_connections(legacy_app: Path) -> None:
    run = run_python(legacy_app, "-c", LEAK_COUNT)
    assert run.stdout.split("\n") == ["with a block: 0", "without: 2", ""], run.stdout + run.stderr


def test_application_parses_and_carries_no_labels() -> None:
    sources = sorted(LEGACY_APP.glob("app/**/*.py"))
    assert sources
    for path in sources:
        text = path.read_text(encoding="utf-8")
        ast.parse(text)
        assert not re.search(r"\b(WRONG|BAD|LEAK|LEAKS|FIXME)\b|codemod", text), path


def test_every_place_on_the_map_exists() -> None:
    rows = map_rows()
    assert rows
    for row in rows:
        assert row["name"] in defined_names(LEGACY_APP / row["file"]), row[0]
        assert row["verdict"] in ("wrong", "right", "refuse"), row[0]
        assert set(row["patterns"].split()) <= {"1", "2", "3", "4", "5", "pool"}, row[0]
    places = Counter((row["file"], row["name"]) for row in rows)
    assert [place for place, times in places.items() if times > 1] == []


def test_every_pattern_of_the_practices_occurs_wrong_and_right() -> None:
    seen = {(pattern, row["verdict"]) for row in map_rows() for pattern in row["patterns"].split()}
    for pattern in ("1", "2", "3", "4", "5", "pool"):
        assert {(pattern, "wrong"), (pattern, "right")} <= seen


def test_every_function_that_calls_a_session_factory_is_on_the_map() -> None:
    factories = {"new_async_session", "SessionFactory", "ReportSessionFactory", "AsyncSession", "open_report_session"}
    factories |= {"SyncSession", "get_async_session", "get_session", "job_transaction", "get_db", "support_session"}
    aliases = {"open_session", "make_session", "async_session", "unit_of_work", "current_session"}
    mapped = {(row["file"], row["name"]) for row in map_rows()}
    missing = [
        f"{path.relative_to(LEGACY_APP).as_posix()} {function.name}"
        for path in sorted(LEGACY_APP.glob("app/**/*.py"))
        for function in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef))
        and any(
            isinstance(call, ast.Call) and ast.unparse(call.func).rpartition(".")[2] in factories | aliases
            for call in ast.walk(function)
        )
        and not any(
            file == path.relative_to(LEGACY_APP).as_posix() and name.rpartition(".")[2] == function.name
            for file, name in mapped
        )
    ]
    assert missing == []
