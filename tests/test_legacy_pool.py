"""The engine of the bundled application, migrated by the real command: its pool is what was written, and is quiet."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

LEGACY = Path(__file__).parent.parent / "fixtures" / "legacy_app"
NEEDS = ("aiosqlite", "fastapi", "greenlet", "sqlalchemy")

pytestmark = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in NEEDS), reason="the demo-app extra is not installed"
)

# what the pools are told, and the makers of sessions
POOLS = """
import asyncio, json, os
from sqlalchemy import text
from app.core import warehouse
from app.core.db import SessionFactory, engine
from app.core.sync_db import SyncSession, sync_engine
from app.services.reports import ReportSessionFactory

def told(pool):
    found = {"class": type(pool).__name__, "pool_pre_ping": pool._pre_ping, "pool_recycle": pool._recycle}
    if hasattr(pool, "_max_overflow"):
        found |= {"pool_size": pool.size(), "max_overflow": pool._max_overflow, "pool_timeout": pool._timeout}
    return found

async def main():
    async with engine.connect() as connection:
        answers = [await connection.scalar(text("select 1"))]
    with sync_engine.connect() as connection:
        answers.append(connection.scalar(text("select 1")))
    engines = {"async": engine, "sync": sync_engine}
    if os.environ["WITH_SERVERS"]:  # these connect to nothing until they are used
        engines |= {"warehouse": warehouse.warehouse_engine(), "archive": warehouse.archive_engine()}
    makers = {"services": SessionFactory, "scripts": SyncSession, "reports": ReportSessionFactory}
    pools = {name: told(one.pool) for name, one in engines.items()}
    expiring = [name for name, maker in makers.items() if maker.kw["expire_on_commit"]]
    print(json.dumps({"answers": answers, "pools": pools, "expiring": expiring}), flush=True)
    os._exit(0)

asyncio.run(main())
"""
URLS = {"a file": "sqlite+aiosqlite:///./legacy.db", "memory": "sqlite+aiosqlite://"}


def run(folder: Path, *arguments: str, **variables: str) -> str:
    """What Python prints in `folder`, with nothing of this pytest run or of the developer's database around it."""
    ours = ("PYTEST_", "DATABASE_URL", "SMOKE_DATABASE_URL", "PYTHONPATH", "PYTHONWARNINGS", "GITHUB_ACTIONS")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(ours)} | variables
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def told(application: Path, url: str) -> Mapping[str, Any]:
    servers = "1" if importlib.util.find_spec("asyncpg") is not None else ""
    printed = run(application, "-c", POOLS, DATABASE_URL=url, WITH_SERVERS=servers)
    found: Mapping[str, Any] = json.loads(printed.splitlines()[-1])
    return found


@pytest.fixture(scope="module")
def applications(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The application as it is, and as all rules leave it."""
    folder = tmp_path_factory.mktemp("pool")
    ignored = shutil.ignore_patterns("__pycache__", "*.db", ".pytest_cache")
    before, after = folder / "before", folder / "after"
    for copy in (before, after):
        shutil.copytree(LEGACY, copy, ignore=ignored)
    run(after, "-m", "codemods", "apply", "--level", "review", "--allow-no-vcs", ".")
    return before, after


@pytest.mark.parametrize("url", URLS.values(), ids=URLS)
def test_pools_are_what_was_written(applications: tuple[Path, Path], url: str) -> None:
    before, after = (told(application, url) for application in applications)
    assert before["answers"] == after["answers"] == [1, 1]
    liveness = {"pool_pre_ping": True, "pool_recycle": 3600}
    as_it_was = before["pools"]
    expected = {name: {**pool, **liveness} for name, pool in as_it_was.items()}
    assert after["pools"] == expected
    for name in ("async", "sync"):
        assert (as_it_was[name]["pool_pre_ping"], as_it_was[name]["pool_recycle"]) == (False, -1)
    if "warehouse" in expected:  # the sizes that are set stay
        assert (expected["warehouse"]["pool_size"], expected["warehouse"]["max_overflow"]) == (2, 1)
        assert as_it_was["archive"] == expected["archive"]


def test_objects_of_no_maker_expire(applications: tuple[Path, Path]) -> None:
    before, after = (told(application, URLS["a file"]) for application in applications)
    assert (before["expiring"], after["expiring"]) == (["reports"], [])
