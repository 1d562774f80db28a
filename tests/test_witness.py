"""What a program was seen to leak, joined with what was found in its code; with the real command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from codemods.leak_report import Frame, Leak, LeakKind, LeakReport, dumps

DB = """\
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine

engine = create_async_engine("sqlite+aiosqlite:///shop.db", pool_pre_ping=True, pool_recycle=1800)
maker = async_sessionmaker(engine, expire_on_commit=False)


def new_session():
    return maker()


async def get_session():
    session = maker()
    yield session
    await session.close()
"""
USERS = """\
from sqlalchemy import text

from app.db import new_session


async def first() -> int:
    session = new_session()
    return int(await session.scalar(text("select 1")))


async def second() -> int:
    session = new_session()
    return int(await session.scalar(text("select 1")))


async def closed() -> int:
    async with new_session() as session:
        return int(await session.scalar(text("select 1")))


async def quiet() -> int:
    session = new_session()  # session-codemods: ignore[session-scope] looked at
    return int(await session.scalar(text("select 1")))


def plain() -> int:
    return 1
"""
FACTORY_ONLY = """\
from sqlalchemy.ext.asyncio import async_sessionmaker

maker = async_sessionmaker()


def new_session():
    return maker()
"""
FACTORY = Frame("app/db.py", 8, "new_session", "return maker()")


def frame(line: int, function: str, code: str = "session = new_session()", path: str = "app/users.py") -> Frame:
    return Frame(path, line, function, code)


FIRST, SECOND = frame(7, "first"), frame(12, "second")
CLOSED = frame(17, "closed", "async with new_session() as session:")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    (root / "app").mkdir(parents=True)
    (root / "pyproject.toml").write_text("")
    (root / "app/__init__.py").write_text("")
    (root / "app/db.py").write_text(DB)
    (root / "app/users.py").write_text(USERS)
    return root


def check(
    root: Path, *leaks: Leak, made_in: str | None = None, options: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    file = root.parent / "leaks.json"
    file.write_text(dumps(LeakReport(str(root) if made_in is None else made_in, leaks)))
    environment = {key: value for key, value in os.environ.items() if key not in ("GITHUB_ACTIONS", "FORCE_COLOR")}
    command = [sys.executable, "-m", "codemods", "check", "--witness", str(file), *options]
    return subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)


def held(*frames: Frame, count: int = 1, where: tuple[str, ...] = (), still_held: int = 0) -> Leak:
    return Leak(LeakKind.HELD, frames, count, still_held, where)


def as_json(root: Path, *leaks: Leak, **more: str) -> dict[str, list[dict[str, object]]]:
    done = check(root, *leaks, options=("--output-format", "json"), **more)
    found = json.loads(done.stdout)
    assert isinstance(found, dict)
    return found


def test_what_was_seen_leaking_comes_first_and_says_so(project: Path) -> None:
    done = check(project, held(FACTORY, SECOND, count=37, still_held=12, where=("tests/test_x.py::test_y",)))
    first, second = done.stdout.splitlines()[:2]
    assert first.startswith("app/users.py:12:")
    assert second == (
        "  seen leaking: 37 sessions (12 held a connection to the end), never closed, e.g. in tests/test_x.py::test_y"
    )
    assert "app/users.py:7:" in done.stdout.splitlines()[2] or "app/db.py" in done.stdout.splitlines()[2]
    assert "not found" not in done.stdout
    assert done.returncode == 1


def test_the_more_often_seen_come_before_the_less(project: Path) -> None:
    done = check(project, held(FACTORY, SECOND, count=2), held(FACTORY, FIRST, count=3))
    places = [line.split(":")[1] for line in done.stdout.splitlines() if line.startswith("app/users.py")]
    assert places[:2] == ["7", "12"]


def test_without_a_report_nothing_is_said_of_leaks(project: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "codemods", "check", "--output-format", "json"],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )
    found = json.loads(done.stdout)
    assert "not_found" not in found
    assert all("seen" not in finding for finding in found["findings"])


def test_programs_are_told_too(project: Path) -> None:
    found = as_json(project, held(FACTORY, FIRST, count=3, where=("a", "b")), held(CLOSED, count=2))
    assert found["findings"][0]["seen"] == {"sessions": 3, "still_held": 0, "where": ["a", "b"]}
    assert [finding["seen"] for finding in found["findings"][1:]] == [None] * (len(found["findings"]) - 1)
    (missed,) = found["not_found"]
    assert missed["sessions"] == 2
    assert missed["kind"] == "held"
    assert missed["frames"] == [
        {
            "path": "app/users.py",
            "line": 17,
            "function": "closed",
            "note": "",
            "said": [{"rule": "session-scope", "end": "already right", "text": "opened by a block"}],
        }
    ]


def test_a_miss_is_visible_with_what_the_analysis_said(project: Path) -> None:
    done = check(project, held(FACTORY, CLOSED), held(frame(27, "plain", "return 1")))
    told = done.stdout[done.stdout.index("Seen leaking, but not found (2)") :]
    assert "app/users.py:17 in closed(): session-scope: counted as right: " in told
    assert "app/users.py:27 in plain(): no session was seen here" in told
    assert done.returncode == 1


def test_a_miss_counts_for_the_exit_code(project: Path) -> None:
    (project / "app/users.py").write_text(USERS[USERS.index("def plain") :])
    (project / "app/db.py").write_text("maker = None\n")
    assert check(project).returncode == 0
    assert check(project, held(frame(2, "plain", "return 1"))).returncode == 1
    assert check(project, held(frame(2, "plain", "return 1")), options=("--exit-zero",)).returncode == 0


def test_what_is_suppressed_is_no_finding(project: Path) -> None:
    code = "session = new_session()  # session-codemods: ignore[session-scope] looked at"
    done = check(project, held(FACTORY, frame(22, "quiet", code)))
    assert "Seen leaking, and found, but not counted (1)" in done.stdout
    assert "app/users.py:22 in quiet(): session-scope: suppressed: " in done.stdout
    assert "not found (" not in done.stdout


def test_what_is_found_but_not_counted_is_no_miss(project: Path) -> None:
    (project / "app/db.py").write_text(FACTORY_ONLY)
    quiet = USERS[: USERS.index("async def first")] + USERS[USERS.index("async def quiet") :]
    (project / "app/users.py").write_text(quiet)
    code = "session = new_session()  # session-codemods: ignore[session-scope] looked at"
    select = ("--select", "session-scope")
    assert check(project, options=select).returncode == 0
    assert check(project, held(frame(7, "quiet", code)), options=select).returncode == 0


def test_the_innermost_line_that_has_a_finding_is_named(project: Path) -> None:
    found = as_json(project, held(FACTORY, FIRST, SECOND))
    assert [f["line"] for f in found["findings"] if f["seen"]] == [7]


def test_a_dependency_is_joined_by_its_function(project: Path) -> None:
    found = as_json(project, held(frame(12, "get_session", "session = maker()", "app/db.py")))
    assert [f["rule"] for f in found["findings"] if f["seen"]] == ["session-dependency"]
    assert found["not_found"] == []


def test_code_that_moved_in_its_function_is_joined_where_it_stands_now(project: Path) -> None:
    (project / "app/users.py").write_text(f"# a line more\n{USERS}")
    found = as_json(project, held(FACTORY, FIRST))
    assert [f["line"] for f in found["findings"] if f["seen"]] == [8]
    assert found["not_found"] == []


def test_code_that_changed_since_is_not_guessed_at(project: Path) -> None:
    (project / "app/users.py").write_text(USERS.replace("session = new_session()\n", "session = new_session( )\n"))
    done = check(project, held(FACTORY, FIRST))
    assert "seen leaking:" not in done.stdout
    assert "app/users.py:7 in first(): reads differently now" in done.stdout
    assert "run the program again for a report that can be joined" in done.stdout


def test_a_line_that_stands_twice_in_its_function_is_not_guessed_at(project: Path) -> None:
    twice = USERS.replace("    session = new_session()\n", "    session = new_session()\n" * 2, 1)
    (project / "app/users.py").write_text(f"# a line more\n# and one\n{twice}")
    done = check(project, held(FACTORY, FIRST))
    assert "seen leaking:" not in done.stdout
    assert "app/users.py:7 in first(): reads differently now" in done.stdout


def test_files_that_are_not_asked_about_are_no_miss(project: Path) -> None:
    for frames in ((FIRST,), (FACTORY, FIRST)):
        done = check(project, held(*frames), options=("app/db.py",))
        assert "Seen leaking where sessions were not looked for (1)" in done.stdout
        assert "app/users.py:7 in first(): not among the files that were asked about" in done.stdout
        assert "not found (" not in done.stdout


def test_a_rule_that_is_off_and_a_file_that_is_excluded_are_no_miss(project: Path) -> None:
    done = check(project, held(FACTORY, FIRST), options=("--select", "expunge-return"))
    assert (
        "app/users.py:7 in first(): session-dependency, session-scope, shared-session, task-arguments: not"
        in done.stdout
    )
    assert done.returncode == 0
    done = check(project, held(FACTORY, FIRST), options=("--exclude", "app/users.py"))
    assert "app/users.py:7 in first(): not among the project's files: excluded, or ignored by git" in done.stdout
    (project / "pyproject.toml").write_text(
        '[tool.session-codemods]\nper-file-ignores = {"app/users.py" = ["session-scope"]}\n'
    )
    done = check(project, held(FACTORY, FIRST))
    assert "app/users.py:7 in first(): session-scope: not looked for" in done.stdout
    assert "not found (" not in done.stdout


def test_tests_that_are_excluded_hide_no_miss(project: Path) -> None:
    (project / "tests").mkdir()
    (project / "tests/test_plain.py").write_text("def test_plain():\n    plain()\n")
    test = Frame("tests/test_plain.py", 2, "test_plain", "plain()")
    done = check(project, held(frame(27, "plain", "return 1"), test), options=("--extend-exclude", "tests/"))
    assert "not found (1)" in done.stdout


def test_lines_outside_of_the_project_are_named_as_such(project: Path) -> None:
    done = check(project, held(Frame("/usr/lib/other.py", 3, "make", "x"), CLOSED))
    assert "/usr/lib/other.py:3 in make(): outside of the project" in done.stdout


def test_a_report_from_a_folder_below_or_another_machine_is_joined(project: Path) -> None:
    below = Frame("users.py", 7, "first", FIRST.code)
    assert [
        f["line"] for f in as_json(project, held(below), made_in=str(project / "app"))["findings"] if f["seen"]
    ] == [7]
    there = as_json(project, held(FIRST), made_in="/builds/of/somebody/else")
    assert [f["line"] for f in there["findings"] if f["seen"]] == [7]
    container = Frame("/usr/src/svc/app/users.py", 7, "first", FIRST.code)
    assert [f["line"] for f in as_json(project, held(container), made_in="/home/ci")["findings"] if f["seen"]] == [7]
    # the folder of the report is here, too, and has nothing to do with it
    assert [f["line"] for f in as_json(project, held(FIRST), made_in="/usr")["findings"] if f["seen"]] == [7]


def test_a_report_of_another_project_is_not_joined(project: Path) -> None:
    done = check(project, held(frame(7, "first", "something else")), made_in="/builds/of/somebody/else")
    assert "Seen leaking outside of this project, by a report made in /builds/of/somebody/else (1)" in done.stdout
    assert "seen leaking:" not in done.stdout
    alike = Frame("/other/users.py", 7, "first", FIRST.code)
    (project / "users.py").write_text(USERS)
    assert not [f for f in as_json(project, held(alike), made_in="/other/x")["findings"] if f["seen"]]


def test_hostile_names_in_a_report_cannot_forge_a_line(project: Path) -> None:
    odd = Frame("app/users.py\n::error::x\x1b[2J", 1, "f\n::error::y", "z")
    done = check(project, held(odd, CLOSED, where=("test\n::error::w",)))
    assert "\x1b" not in done.stdout
    assert not [line for line in done.stdout.splitlines() if line.lstrip().startswith("::error")]


@pytest.mark.parametrize("options", [("--output-format", "sarif"), ("--checklist",)])
def test_it_goes_with_text_and_json_only(project: Path, options: tuple[str, ...]) -> None:
    done = check(project, options=options)
    assert done.returncode == 2
    assert "--witness goes with" in done.stderr


def test_a_file_that_is_no_report_is_an_error(project: Path) -> None:
    command = [sys.executable, "-m", "codemods", "check", "--witness", "pyproject.toml"]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "pyproject.toml: no report of leaks; `pytest --session-leaks" in done.stderr
