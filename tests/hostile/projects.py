"""Small projects that leak a session, and a run over them. Writes only to the folder that it is given."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from codemods import engine
from codemods.engine import RunRequest
from codemods.plan import Level, Plan
from codemods.settings import Settings

DB = """from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine

engine = create_async_engine("sqlite+aiosqlite://")
new_session = async_sessionmaker(engine, expire_on_commit=False)
"""
LEAK = """from db import new_session


async def count(query):
    session = new_session()
    await session.execute(query)
    return 1
"""
CURED = """from db import new_session


async def count(query):
    async with new_session() as session:
        await session.execute(query)
    return 1
"""
SCOPE_ONLY = Settings(respect_gitignore=False, select=("session-scope",))


def lay(root: Path, files: Mapping[str, str | bytes]) -> Path:
    """The files below `root`, beside a `db.py` that gives sessions."""
    for name, content in {"pyproject.toml": "", "db.py": DB, **files}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return root


def run(root: Path, settings: Settings = SCOPE_ONLY, level: Level = Level.REVIEW) -> Plan:
    return engine.run(RunRequest(root, (), settings, level))


def after(plan: Plan) -> dict[str, bytes]:
    """The new bytes of each file that changes."""
    return {change.path: change.after for change in plan.changes}


def failed(plan: Plan) -> dict[str, str]:
    """What is said of each file that could not be handled."""
    return {failure.path: failure.message for failure in plan.failures}
