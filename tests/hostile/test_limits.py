"""More than anyone writes: in a file, in what a project declares, in its .gitignore. It is named, and nobody waits."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from codemods import nesting, requirements, safe_git
from codemods.deep_stack import with_deep_stack
from codemods.plan import Plan
from codemods.requirements import SIZE_LIMIT
from codemods.scaffold.asked import PoolStatus
from codemods.scaffold.pool_status import planned
from codemods.settings import Settings, load
from hostile.projects import CURED, DB, LEAK, SCOPE_ONLY, after, failed, lay, run

RULES = ("session-scope",)


@pytest.mark.parametrize("part", ["1,", "a.", "x=1\n", "f(", "-", "[0]", "x is "])
def test_a_text_of_more_parts_than_memory_is_for_is_refused_before_it_is_parsed(part: str) -> None:
    with pytest.raises(nesting.TooLargeError, match="exclude it or split it"):
        nesting.check_size(part * (nesting.PARTS + 1))


@pytest.mark.parametrize(
    "text", ["x = '" + "a" * 10_000_000 + "'\n", "# " + "a" * 10_000_000, "def f(a, b):\n    return a + b\n" * 100_000]
)
def test_a_text_that_is_only_long_is_read(text: str) -> None:
    nesting.check_size(text)


def test_a_table_of_millions_is_named_and_the_files_beside_it_are_handled(tmp_path: Path) -> None:
    lay(tmp_path, {"table.py": "new_session = [" + "1," * (nesting.PARTS + 1) + "]\n", "good.py": LEAK})
    plan = run(tmp_path)
    assert list(failed(plan)) == ["table.py"]
    assert "too large to be read (3.8 MB of code)" in failed(plan)["table.py"]
    assert after(plan) == {"good.py": CURED.encode()}


def test_a_hundred_thousand_elements_and_a_megabyte_on_one_line_are_read(tmp_path: Path) -> None:
    table = f"from db import new_session\nA = [{'1, ' * 100_000}]\n"
    string = f"C = '{'c' * 2**20}'\n"
    plan = run(lay(tmp_path, {"table.py": table, "string.py": f"{LEAK}\n\n{string}"}))
    assert failed(plan) == {}
    assert after(plan) == {"string.py": f"{CURED}\n\n{string}".encode()}


# --- what a project declares ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        *("requirements.txt", "requirements/dev.in", "requirements-dev.txt", "uv.lock", "setup.cfg"),
        *(".env", "compose.yml", "pytest.ini", "tox.ini", "Pipfile", "ruff.toml", ".github/workflows/ci.yml"),
    ],
)
def test_a_file_of_declarations_too_large_to_be_read_is_named(tmp_path: Path, name: str) -> None:
    lay(tmp_path, {"good.py": LEAK, name: "sqlalchemy==2.0\n"})
    with (tmp_path / name).open("r+b") as file:
        file.truncate(SIZE_LIMIT + 1)
    plan = run(tmp_path, load(tmp_path, rules=RULES))
    assert list(failed(plan)) == [name]
    assert "larger than 16 MB" in failed(plan)[name]
    assert "good.py" in after(plan)


def test_files_of_declarations_of_a_usual_size_are_nothing_to_speak_of(tmp_path: Path) -> None:
    lay(tmp_path, {"good.py": LEAK, "requirements.txt": "sqlalchemy==2.0\n", ".env": "A=1\n", "big.bin": ""})
    with (tmp_path / "big.bin").open("r+b") as file:
        file.truncate(SIZE_LIMIT + 1)
    assert load(tmp_path, rules=RULES).unread == ()


@pytest.mark.parametrize(
    "line",
    [
        "sqlalchemy" + " " * 200_000 + "x",
        "sqlalchemy>=" + "1" * 200_000 + " x",
        "sqlalchemy==" + "9" * 6_000,
        "sqlalchemy" + "[" * 200_000,
        "a" * 500_000 + "!!",
        "a._-" * 200_000,
        "sqlalchemy (" + " (" * 100_000,
        ">=" * 100_000,
    ],
    ids=["blanks", "digits_and_more", "digits", "brackets", "letters", "marks", "parentheses", "clauses"],
)
def test_no_requirement_makes_a_run_wait_or_fail(tmp_path: Path, line: str) -> None:
    lay(tmp_path, {"good.py": LEAK, "requirements.txt": f"{line}\nsqlalchemy[asyncio] >= 2.0 , < 3 ; python_version\n"})
    lay(tmp_path, {"setup.cfg": f"[options]\ninstall_requires =\n    {line}\n"})
    settings = load(tmp_path, rules=RULES)
    assert settings.sqlalchemy is not None
    assert "good.py" in after(run(tmp_path, settings))


def test_a_python_version_of_many_digits_is_none(tmp_path: Path) -> None:
    lay(tmp_path, {"pyproject.toml": f"[project]\nrequires-python = '>=3.{'1' * 5_000}'\n"})
    assert load(tmp_path, rules=RULES).target_python in (None, (3, 0))


def test_a_setup_file_in_newer_syntax_is_read(tmp_path: Path) -> None:
    text = "type X = int\nsetup(install_requires=['asyncpg>=0.29'])\n"
    lay(tmp_path, {"setup.py": text})
    assert [one.name for one in requirements.requirements(tmp_path)] == ["asyncpg"]


# --- .gitignore -----------------------------------------------------------------------------------------------------

PATTERNS = ("**/" * 40 + "b", "**/a/" * 40 + "b", "a*" * 40 + "b", "*/" * 40 + "**/b", "**/*a*/" * 20 + "b")


@pytest.mark.parametrize("pattern", PATTERNS)
def test_without_git_no_pattern_makes_a_walk_wait(tmp_path: Path, pattern: str) -> None:
    deep = "a/" * 60 + "a" * 200
    lay(tmp_path, {".gitignore": f"{pattern}\n", f"{deep}/x.py": "x = 1\n", "good.py": LEAK})
    assert "good.py" in after(run(tmp_path, Settings(select=RULES)))


def test_a_pattern_on_which_git_ponders_is_read_without_it_and_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lay(tmp_path, {".gitignore": "**/a/" * 12 + "b\nleft.py\n", "a/" * 60 + "x.py": "x = 1\n"})
    lay(tmp_path, {"good.py": LEAK, "left.py": LEAK})
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    monkeypatch.setattr(safe_git, "SECONDS", 0.5)
    plan = run(tmp_path, Settings(select=RULES))
    assert after(plan) == {"good.py": CURED.encode()}
    assert "git takes too long" in " ".join(failed(plan).values())


# --- scaffolds ------------------------------------------------------------------------------------------------------

APP = """from fastapi import FastAPI

from db import engine

app = FastAPI()


async def health():
    return engine
"""


def test_a_scaffold_follows_deep_code_as_a_run_does(tmp_path: Path) -> None:
    deep = "x = 1" + " + 1" * 900 + "\n"
    lay(tmp_path, {"main.py": APP + deep, "db.py": DB + deep, "deeper.py": "x = 1" + " + 1" * 5_000 + "\n"})
    asked = PoolStatus(tmp_path, tmp_path, SCOPE_ONLY, tmp_path, "", "/debug/pool-status", "", False)
    plan = planned(asked)
    assert isinstance(plan, Plan)
    assert {change.path for change in plan.changes} >= {"main.py"}
    assert failed(plan) == {"deeper.py": "nested too deeply to be read"}
    assert with_deep_stack(lambda: planned(asked)) == plan
