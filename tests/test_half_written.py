"""Commands that only read, on a tree in which a run was cut off: they say so, and write nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from codemods.apply.run_record import RunText
from codemods.apply.run_store import RunStore
from codemods.apply.runs import written
from codemods.plan import Change

DB = """\
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine

engine = create_async_engine("sqlite+aiosqlite:///shop.db")
new_session = async_sessionmaker(engine, expire_on_commit=False)
"""
USERS = """\
from app.db import new_session


async def count() -> int:
    session = new_session()
    return int(await session.scalar("select 1"))
"""


def run(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "codemods", *arguments]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    (root / "app").mkdir(parents=True)
    (root / "pyproject.toml").write_text("")
    for name, text in (("__init__", ""), ("db", DB), ("users", USERS), ("other", "x = 1\n")):
        (root / f"app/{name}.py").write_text(text)
    subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    assert run(root, "diff", "--save", "../plan.json").returncode == 1
    return root


def cut_off(root: Path) -> str:
    """Makes the last run one whose process died while it was writing."""
    change = Change("app/other.py", b"x = 1\n", b"x = 2\n", ())
    made = written(root, [change], what=RunText.of_changes([change]), tell=lambda taken: None)
    folder = next(path.parent for path in root.glob(".git/session-codemods/**/done.json") if made in path.as_posix())
    (folder / "done.json").rename(folder / "writing.json")
    assert RunStore.of(root).is_pending()
    return made


@pytest.mark.parametrize(
    "command",
    [["check"], ["diff"], ["review", "--plain", "../plan.json"], ["report", "../plan.json", "-o", "../report.html"]],
)
def test_commands_that_read_say_that_files_may_be_half_written(root: Path, command: list[str]) -> None:
    made = cut_off(root)
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    done = run(root, *command)
    assert f"run {made} was cut off, and files may be half written; `undo` takes it back" in done.stderr
    assert {path: path.read_bytes() for path in root.rglob("*") if path.is_file()} == before


def test_nothing_is_said_of_a_tree_that_is_whole(root: Path) -> None:
    for command in (["check"], ["diff"], ["review", "--plain", "../plan.json"]):
        assert "half written" not in run(root, *command).stderr


def test_apply_takes_it_back_first(root: Path) -> None:
    cut_off(root)
    os.utime(root / "app/users.py")
    done = run(root, "apply", "--allow-dirty")
    assert done.returncode == 0, done.stderr
    assert (root / "app/other.py").read_text() == "x = 1\n"
    assert "async with" in (root / "app/users.py").read_text()
    assert "had been cut off; 1 file put back" in done.stderr
