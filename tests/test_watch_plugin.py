"""The pytest plugin: it changes no result, it is nothing when it is off, and its options say what they do."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from watch.runs import Watched, environment, project, pytest_run

NEEDS = ("greenlet", "pytest_asyncio", "sqlalchemy", "xdist")
pytestmark = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in NEEDS), reason="the demo-app extra is not installed"
)
PLAIN = ("-p", "no:asyncio", "-p", "no:anyio")
PLAIN_INI = "[pytest]\npythonpath = .\n"


@pytest.fixture
def outcomes(tmp_path: Path) -> Path:
    return project(tmp_path / "project", "outcomes", ini=PLAIN_INI)


@pytest.fixture
def clean(tmp_path: Path) -> Path:
    folder = project(tmp_path / "project", ini=PLAIN_INI)
    (folder / "test_clean.py").write_text("def test_passes():\n    import sqlalchemy.orm\n")
    return folder


@pytest.fixture
def leaking(tmp_path: Path) -> Path:
    folder = project(tmp_path / "project", ini=PLAIN_INI)
    (folder / "test_leaking.py").write_text(LEAKING)
    return folder


UNWRITABLE = "/proc/sys/kernel/ostype"  # a file that not even root may write
LEAKING = """\
from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session


def test_leaks():
    session = Session(create_engine("sqlite://"))
    session.execute(text("select 1"))
"""


def without_times(text: str) -> str:
    text = re.sub(r"=+ session leaks =+\n(.*\n)*?(?==)", "", text)
    return re.sub(r" in [\d.]+s| at 0x[0-9a-f]+|=+", "", text)


@pytest.mark.parametrize("more", [(), ("-W", "error"), ("-n", "2"), ("-x",), ("--collect-only",)])
def test_no_result_and_no_output_of_a_test_changes(outcomes: Path, more: tuple[str, ...]) -> None:
    def results(*options: str) -> tuple[int, dict[str | None, list[tuple[str, str]]], list[str]]:
        done = pytest_run(outcomes, *PLAIN, "-rA", "--junitxml=results.xml", *more, *options, report=False)
        cases = ElementTree.parse(outcomes / "results.xml").iter("testcase")
        told = {case.get("name"): sorted((part.tag, part.get("message", "")) for part in case) for case in cases}
        # workers take turns
        return done.code, told, [] if "-n" in more else without_times(done.output).splitlines()

    assert results("--session-leaks=strict") == results()


def test_the_comparison_would_see_another_output() -> None:
    assert without_times("== session leaks ==\na\nb\n== 1 passed in 2.3s ==") == without_times("== 1 passed in 5s ==")
    assert without_times("a\n== 1 passed in 2s ==") != without_times("b\n== 1 passed in 2s ==")


def test_the_order_of_tests_stays(outcomes: Path) -> None:
    def names(*options: str) -> list[str]:
        return re.findall(r"::(\w+) \w+", pytest_run(outcomes, *PLAIN, "-v", *options, report=False).output)

    assert names("--session-leaks") == names()
    assert len(names()) >= 9


def test_off_it_tells_nothing_and_imports_nothing(clean: Path) -> None:
    (clean / "test_clean.py").write_text(
        "import sys\n\ndef test_nothing_is_loaded():\n"
        "    ours = {name for name in sys.modules if name.startswith('codemods')}\n"
        "    assert ours == {'codemods', 'codemods.watch', 'codemods.watch.pytest_plugin'}\n"
        "    assert not {'sqlalchemy', 'codemods.leak_report'} & set(sys.modules)\n"
    )
    done = pytest_run(clean, *PLAIN, report=False)
    assert done.code == 0, done.output
    assert "session leaks" not in done.output
    assert pytest_run(clean, *PLAIN, "-p", "no:session_leaks", report=False).code == 1


def test_loading_it_loads_only_pytest() -> None:
    code = "import pytest, sys; before = set(sys.modules); import codemods.watch.pytest_plugin"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}; print(set(sys.modules) - before)"], capture_output=True, text=True, check=True
    )
    assert set(re.findall(r"'(.+?)'", done.stdout)) == {
        *("codemods", "codemods.watch", "codemods.watch.pytest_plugin"),
    }


def test_a_run_with_leaks_passes_and_shows_them(leaking: Path) -> None:
    done = pytest_run(leaking, *PLAIN, "--session-leaks", report=False)
    assert done.code == 0
    assert "1 session watched, 1 leaked" in done.output
    assert 'test_leaking.py:6 in test_leaks()\n        session = Session(create_engine("sqlite://"))' in done.output
    assert "seen in test_leaking.py::test_leaks" in done.output


def test_the_fail_option_turns_the_exit_status(leaking: Path) -> None:
    assert pytest_run(leaking, *PLAIN, "--session-leaks-fail", report=False).code == 1
    assert pytest_run(leaking, *PLAIN, "--session-leaks-fail", "-n", "1", report=False).code == 1
    assert pytest_run(leaking, *PLAIN, "-p", "no:terminal", "--session-leaks-fail", report=False).code == 1


def test_the_fail_option_leaves_a_clean_run_and_other_failures(clean: Path) -> None:
    assert pytest_run(clean, *PLAIN, "--session-leaks-fail", report=False).code == 0
    assert pytest_run(clean, *PLAIN, "--session-leaks-fail", "-k", "nothing", report=False).code == 5


def test_without_a_terminal_the_report_is_written(leaking: Path) -> None:
    done = pytest_run(leaking, *PLAIN, "-p", "no:terminal")
    assert done.report is not None
    assert [leak.count for leak in done.report.leaks] == [1]


def test_the_option_takes_no_path_for_its_value(leaking: Path) -> None:
    done = pytest_run(leaking, *PLAIN, "--session-leaks", "test_leaking.py", report=False)
    assert done.code == 0
    assert "1 leaked" in done.output


@pytest.mark.parametrize(("stated", "shown"), [("true", True), ("strict", True), ("false", False), ("", False)])
def test_the_setting_in_the_ini_file(leaking: Path, stated: str, shown: bool) -> None:
    (leaking / "pytest.ini").write_text(f"{PLAIN_INI}session_leaks = {stated}\n")
    assert ("session leaks" in pytest_run(leaking, *PLAIN, report=False).output) is shown


def test_a_setting_that_means_nothing_is_refused(leaking: Path) -> None:
    done = pytest_run(leaking, *PLAIN, "-o", "session_leaks=maybe", report=False)
    assert done.code == pytest.ExitCode.USAGE_ERROR
    assert "session_leaks = maybe: must be true, strict or false" in done.errors


def test_the_option_takes_the_word_of_the_setting(leaking: Path) -> None:
    done = pytest_run(leaking, *PLAIN, "--session-leaks=true", report=False)
    assert done.code == 0
    assert "1 leaked" in done.output


def test_a_mode_that_means_nothing_is_refused(leaking: Path) -> None:
    assert pytest_run(leaking, *PLAIN, "--session-leaks=maybe", report=False).code == pytest.ExitCode.USAGE_ERROR


@pytest.mark.parametrize("file", ["missing/leaks.json", "watch", "dangling", UNWRITABLE])
def test_a_report_that_cannot_be_written_is_refused_before_the_tests(leaking: Path, file: str) -> None:
    (leaking / "dangling").symlink_to("missing/leaks.json")
    done = pytest_run(leaking, *PLAIN, "--session-leaks-report", file, report=False)
    assert done.code == pytest.ExitCode.USAGE_ERROR
    assert f"--session-leaks-report {file}: no file can be written there" in done.errors
    assert "1 passed" not in done.output


def test_a_report_that_cannot_be_written_after_all_changes_no_result(leaking: Path) -> None:
    with (leaking / "test_leaking.py").open("a") as file:
        file.write("    import os; os.mkdir('leaks.json')\n")
    done = pytest_run(leaking, *PLAIN, "--session-leaks-report", "leaks.json", report=False)
    assert done.code == 0
    assert "leaks.json: not written" in done.errors


def test_a_group_of_its_own_in_the_help(clean: Path) -> None:
    done = pytest_run(clean, *PLAIN, "--help", report=False)
    assert done.code == 0
    (group,) = re.findall(r"\nSQLAlchemy sessions .*:\n((?: .*\n)+)", done.output)
    assert re.findall(r"^  (--[\w-]+)", group, re.M) == [
        *("--session-leaks", "--session-leaks", "--session-leaks-report", "--session-leaks-fail"),
    ]


def test_a_project_without_sqlalchemy(clean: Path) -> None:
    (clean / "test_clean.py").write_text("def test_passes():\n    pass\n")
    (clean / "sqlalchemy.py").write_text("raise ImportError('not installed')\n")
    done = pytest_run(clean, *PLAIN, "--session-leaks")
    assert done.code == 0
    assert "SQLAlchemy's ORM was not loaded: nothing to watch" in done.output
    assert done.report is not None
    assert done.report.leaks == ()


def test_sqlalchemy_is_not_loaded_before_the_program_does(clean: Path) -> None:
    (clean / "conftest.py").write_text("import sys\nassert 'sqlalchemy' not in sys.modules\n")
    assert pytest_run(clean, *PLAIN, "--session-leaks").code == 0


def test_a_program_that_loads_sqlalchemy_within_a_test_is_watched(leaking: Path) -> None:
    lines = LEAKING.splitlines(keepends=True)
    (leaking / "test_leaking.py").write_text("".join([*lines[4:5], *(f"    {line}" for line in lines[:2]), *lines[5:]]))
    done = pytest_run(leaking, *PLAIN)
    assert done.report is not None
    assert [leak.frames[0].line for leak in done.report.leaks] == [4]


def test_a_worker_that_dies_is_named(leaking: Path) -> None:
    (leaking / "test_dying.py").write_text("import os\n\ndef test_dies():\n    os._exit(3)\n")
    done = pytest_run(leaking, *PLAIN, "-n", "1", "--session-leaks", "--max-worker-restart=0")
    assert done.code != 0
    assert "worker gw0 ended early: the sessions of its tests are not counted" in done.output


def test_a_session_made_while_tests_are_collected_is_judged_at_the_end(clean: Path) -> None:
    (clean / "test_clean.py").write_text(
        "from sqlalchemy import create_engine, text\nfrom sqlalchemy.orm import Session\n\n"
        "KEPT, CLOSED = (Session(create_engine('sqlite://')) for _ in range(2))\n"
        "KEPT.execute(text('select 1'))\nCLOSED.execute(text('select 1'))\n\n"
        "def test_passes():\n    pass\n\ndef test_closes():\n    CLOSED.close()\n"
    )
    report = pytest_run(clean, *PLAIN).report
    assert report is not None
    assert [(leak.count, leak.still_held, leak.where) for leak in report.leaks] == [(1, 1, ())]


def test_an_interrupted_run_still_reports(leaking: Path) -> None:
    (leaking / "test_stopping.py").write_text("def test_stops():\n    raise KeyboardInterrupt\n")
    done: Watched = pytest_run(leaking, *PLAIN)
    assert done.code == pytest.ExitCode.INTERRUPTED
    assert done.report is not None
    assert len(done.report.leaks) == 1


def test_the_report_names_the_root_and_the_mode(leaking: Path) -> None:
    pytest_run(leaking, *PLAIN, "--session-leaks=strict")
    content = json.loads((leaking / "leaks.json").read_text())
    assert (content["root"], content["strict"]) == (str(leaking), True)


def test_loaded_by_name_where_plugins_are_not_found_by_themselves(leaking: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "codemods.watch.pytest_plugin", "--session-leaks"],
        cwd=leaking,
        env=environment(PYTEST_DISABLE_PLUGIN_AUTOLOAD="1"),
        capture_output=True,
        text=True,
    )
    assert "1 leaked" in done.stdout


LEFT_EARLY = """\
from watch.database import created, read

async def sessions(maker):
    async with maker() as session:
        yield session

async def count(maker):
    async for session in sessions(maker):
        await read(session)
        return

async def test_leaves_a_generator(tmp_path):
    await count(await created(f"sqlite+aiosqlite:///{tmp_path}/items.db"))

async def test_next():
    import asyncio
    await asyncio.sleep(0.1)
"""


def test_a_generator_that_ends_only_after_its_test_has_not_leaked(tmp_path: Path) -> None:
    """In a loop that goes on it closes its session a moment later."""
    scopes = "".join(f"asyncio_default_{one}_loop_scope = session\n" for one in ("fixture", "test"))
    folder = project(tmp_path / "project", ini=f"[pytest]\npythonpath = .\nasyncio_mode = auto\n{scopes}")
    (folder / "test_early.py").write_text(LEFT_EARLY)
    done = pytest_run(folder)
    assert done.code == 0, done.output
    assert "1 session watched, none leaked" in done.output


BOUND = """\
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session

@pytest.fixture
def connection():
    with create_engine("sqlite://").connect() as made:
        yield made

def test_bound(connection):
    session = Session(connection)
    session.execute(text("select 1")); session.commit(); session.execute(text("select 1"))

def test_own():
    with Session(create_engine("sqlite://")) as session:
        session.execute(text("select 1"))
"""


@pytest.mark.parametrize("more", [(), ("-n", "2")])
def test_sessions_that_could_not_leak_are_told_apart(clean: Path, more: tuple[str, ...]) -> None:
    (clean / "test_clean.py").write_text(BOUND)
    done = pytest_run(clean, *PLAIN, *more, "--session-leaks", report=False)
    told = "2 sessions watched (1 of them bound to a connection of somebody else, which cannot leak), none leaked"
    assert told in done.output
