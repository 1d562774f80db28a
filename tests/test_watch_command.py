"""`python -m codemods.watch -- COMMAND`: the command runs as it would, and the leaks of all its processes are told."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from engines import versions
from field.fetch import Unreachable
from watch.runs import HERE, environment, project

from codemods.leak_report import LeakReport, load

NEEDS = ("aiosqlite", "fastapi", "greenlet", "httpx", "sqlalchemy", "uvicorn")
pytestmark = [
    pytest.mark.skipif(
        any(importlib.util.find_spec(name) is None for name in NEEDS), reason="the demo-app extra is not installed"
    ),
    pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's"),
]
Server = subprocess.Popen[str]
WATCH = (sys.executable, "-m", "codemods.watch")
PYTHON = sys.executable
PATIENCE = 60.0

SCRIPT = """\
import sys
from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session

KEPT = []


def leak():
    session = Session(create_engine("sqlite://"))
    session.execute(text("select 1"))
    KEPT.append(session)


def clean():
    with Session(create_engine("sqlite://")) as session:
        session.execute(text("select 1"))


leak()
clean()
"""
LEAKING_LINE = 9
UNWRITABLE = "/proc/sys/kernel/ostype"  # a file that not even root may write
UNTOLD = "1 process ended without telling everything, or outlived the command: what it had then is not counted"


@dataclass(frozen=True, slots=True)
class Done:
    code: int
    output: str
    errors: str
    report: LeakReport | None


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = project(tmp_path / "project")
    (made / "script.py").write_text(SCRIPT)
    return made


def watched(
    folder: Path, *command: str, options: Sequence[str] = (), paths: Sequence[Path] = (), entry: str = ""
) -> Done:
    done = subprocess.run(
        [*WATCH, "--report", "leaks.json", *options, "--", *command],
        cwd=folder,
        env=environment(*paths),
        input=entry,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    return Done(done.returncode, done.stdout, done.stderr, reported(folder))


def reported(folder: Path) -> LeakReport | None:
    file = folder / "leaks.json"
    return load(file) if file.exists() else None


def made_at(report: LeakReport | None, path: str = "script.py") -> list[tuple[int, int]]:
    """Line and count of each leak that this file made."""
    assert report is not None
    return [(frame.line, leak.count) for leak in report.leaks for frame in leak.frames[:1] if frame.path == path]


# --- any command ------------------------------------------------------------------------------------------------------


def test_a_script_runs_as_it_would_and_its_leak_is_named(folder: Path) -> None:
    with (folder / "script.py").open("a") as file:
        file.write("print(sys.stdin.read(), sys.argv[1:])\nprint('problem', file=sys.stderr)\nsys.exit(7)\n")
    done = watched(folder, PYTHON, "script.py", "--", "-x", "--strict", entry="typed")
    assert (done.code, done.output) == (7, "typed ['--', '-x', '--strict']\n")
    assert "problem\n" in done.errors
    assert "2 sessions watched, 1 leaked (1 still held) from 1 place in 1 process" in done.errors
    assert f"script.py:{LEAKING_LINE} in leak()" in done.errors
    assert made_at(done.report) == [(LEAKING_LINE, 1)]
    assert done.report is not None
    assert done.report.root == str(folder)


def test_the_command_needs_no_dashes_before_it(folder: Path) -> None:
    done = subprocess.run([*WATCH, PYTHON, "script.py"], cwd=folder, env=environment(), capture_output=True, text=True)
    assert (done.returncode, "1 leaked" in done.stderr) == (0, True)


@pytest.mark.parametrize(
    ("command", "code", "said"),
    [
        (["no-such-command-here"], 127, "no-such-command-here: no such command"),
        (["./script.py"], 126, "./script.py: Permission denied"),
    ],
)
def test_a_command_that_cannot_be_run(folder: Path, command: Sequence[str], code: int, said: str) -> None:
    done = watched(folder, *command)
    assert (done.code, done.errors) == (code, f"session-leaks: {said}\n")
    assert done.report is None


def test_no_command_is_a_usage_error(folder: Path) -> None:
    done = watched(folder)
    assert done.code == 2
    assert "which command?" in done.errors


@pytest.mark.parametrize(
    "options", [["--report", "missing/leaks.json"], ["--report", UNWRITABLE], ["--after", "soon"], ["--after", "-1"]]
)
def test_options_that_mean_nothing_are_usage_errors(folder: Path, options: Sequence[str]) -> None:
    assert watched(folder, PYTHON, "script.py", options=options).code == 2


def test_a_command_without_sqlalchemy(folder: Path) -> None:
    done = watched(folder, PYTHON, "-c", "import sys; sys.exit('sqlalchemy' in sys.modules)")
    assert (done.code, done.errors) == (
        0,
        "session-leaks: no process that could be watched loaded SQLAlchemy's ORM\n"
        "session-leaks: (a Python that is started with -I, -E or without our environment cannot be watched)\n",
    )


def test_a_process_that_does_not_load_sqlalchemy_has_no_module_of_ours(folder: Path) -> None:
    code = "import sys; print(sorted(name for name in sys.modules if name.startswith('codemods.')))"
    assert watched(folder, PYTHON, "-c", code).output == "[]\n"


def test_strict_mode_tells_what_was_never_closed(folder: Path) -> None:
    with (folder / "script.py").open("a") as file:
        file.write("KEPT.append(Session(create_engine('sqlite://')))\n")
    strict = watched(folder, PYTHON, "script.py", options=["--strict"]).report
    assert strict is not None
    assert [leak.kind.value for leak in strict.leaks] == ["held", "unclosed"]
    assert made_at(watched(folder, PYTHON, "script.py").report) == [(LEAKING_LINE, 1)]


def test_the_environments_own_startup_file_runs_too(folder: Path) -> None:
    (folder / "own").mkdir()
    (folder / "own" / "sitecustomize.py").write_text("import builtins\nbuiltins.own_startup = __file__\n")
    done = watched(
        folder,
        *(PYTHON, "-c", "import sitecustomize, script; print(own_startup == sitecustomize.__file__)"),
        paths=[folder / "own", folder],
    )
    assert done.output == "True\n"
    assert made_at(done.report) == [(LEAKING_LINE, 1)]


def test_a_program_with_a_package_of_our_name(folder: Path) -> None:
    (folder / "there" / "codemods").mkdir(parents=True)
    (folder / "there" / "codemods" / "__init__.py").write_text("theirs = True\n")
    (folder / "there" / "main.py").write_text(
        f"{SCRIPT}import codemods\nprint(codemods.theirs, 'codemods.watch' in sys.modules)\n"
    )
    done = watched(folder, PYTHON, "there/main.py")
    assert done.output == "True False\n"
    assert made_at(done.report, "there/main.py") == [(LEAKING_LINE, 1)]


def test_another_sqlalchemy(folder: Path, tmp_path: Path) -> None:
    try:
        path = versions.install(versions.OTHER_LINE, tmp_path)
    except Unreachable as error:
        pytest.skip(str(error))
    with (folder / "script.py").open("a") as file:
        file.write("import sqlalchemy; print(sqlalchemy.__version__)\n")
    done = watched(folder, PYTHON, "script.py", paths=[path])
    assert done.output == f"{versions.OTHER_LINE}\n"
    assert made_at(done.report) == [(LEAKING_LINE, 1)]


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_processes_of_multiprocessing_are_watched(folder: Path, method: str) -> None:
    (folder / "main.py").write_text(
        "import multiprocessing\nimport script\n\nif __name__ == '__main__':\n"
        f"    context = multiprocessing.get_context({method!r})\n"
        "    processes = [context.Process(target=script.leak) for _ in range(2)]\n"
        "    [one.start() for one in processes]\n    [one.join() for one in processes]\n"
    )
    leaks = made_at(watched(folder, PYTHON, "main.py").report)
    assert {line for line, _ in leaks} == {LEAKING_LINE}
    # a spawned process imports the script anew, which leaks once more; a forked one has its parent's, who tells of it
    assert sum(count for _, count in leaks) == (3 if method == "fork" else 5)


def test_a_process_that_is_killed_has_told_before(folder: Path) -> None:
    with (folder / "script.py").open("a") as file:
        file.write("import os, signal, time\ntime.sleep(2)\nos.kill(os.getpid(), signal.SIGKILL)\n")
    done = watched(folder, PYTHON, "script.py", options=["--after", "0.1"])
    assert done.code == 128 + signal.SIGKILL
    assert f"holds a connection for more than 0.1 s: script.py:{LEAKING_LINE} in leak(), called from" in done.errors
    assert made_at(done.report) == [(LEAKING_LINE, 1)]


def test_a_session_that_is_collected_is_told_of_once_and_counted_each_time(folder: Path) -> None:
    with (folder / "script.py").open("a") as file:
        file.write(
            "import gc, time\nKEPT.clear(); gc.collect()\n"
            "for _ in range(3):\n    leak(); KEPT.clear(); gc.collect(); time.sleep(0.6)\n"
        )
    done = watched(folder, PYTHON, "script.py")
    assert done.errors.count("a session ended with a connection out, and was collected so") == 2  # on two ways to it
    assert sorted(made_at(done.report)) == [(LEAKING_LINE, 1), (LEAKING_LINE, 3)]
    assert done.report is not None
    assert [leak.still_held for leak in done.report.leaks] == [0, 0]


def test_a_session_that_is_at_work_for_long_and_is_closed_then_has_not_leaked(folder: Path) -> None:
    (folder / "script.py").write_text(
        "import time\nfrom sqlalchemy import create_engine, text\nfrom sqlalchemy.orm import Session\n"
        "with Session(create_engine('sqlite://')) as session:\n"
        "    session.execute(text('select 1'))\n    time.sleep(1.5)\n"
    )
    done = watched(folder, PYTHON, "script.py", options=["--after", "0.1"])
    assert "holds a connection for more than 0.1 s: script.py:4" in done.errors
    assert made_at(done.report) == []


JOBS = """\
import asyncio, gc, os, sys, threading, time
import script
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine


async def job():
    engine = create_async_engine("sqlite+aiosqlite://")
    session = AsyncSession(engine)  # leaks
    await session.execute(text("select 1"))


def jobs(seconds):
    done, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        asyncio.run(job())
        gc.collect()
        done += 1
    return done
"""
JOB_LINE = 9


def jobs(folder: Path, *lines: str) -> str:
    (folder / "script.py").write_text("")
    (folder / "jobs.py").write_text("\n".join([JOBS, *lines]))
    return "jobs.py"


def test_jobs_with_short_loops_of_their_own_are_told_while_they_go_on(folder: Path) -> None:
    """As a worker of celery runs them."""
    done = watched(folder, PYTHON, jobs(folder, "print(jobs(2), flush=True)", "os._exit(0)"))
    ((line, count),) = made_at(done.report, "jobs.py")
    assert line == JOB_LINE
    assert 1 <= count <= int(done.output)
    assert UNTOLD in done.errors


def test_jobs_of_a_process_that_ends_are_all_counted(folder: Path) -> None:
    done = watched(folder, PYTHON, jobs(folder, "print(jobs(1))"))
    assert made_at(done.report, "jobs.py") == [(JOB_LINE, int(done.output))]
    assert UNTOLD not in done.errors


def test_no_thread_of_ours_runs_beside_the_program(folder: Path) -> None:
    """The garbage collector would end a driver's connections in it."""
    with (folder / "script.py").open("a") as file:
        file.write(
            "import asyncio, threading\nasyncio.run(asyncio.sleep(0.6))\nleak()\n"
            "print([thread.name for thread in threading.enumerate()])\n"
        )
    assert watched(folder, PYTHON, "script.py").output == "['MainThread']\n"


def test_a_program_that_hangs_is_told_of_meanwhile(folder: Path) -> None:
    with (folder / "script.py").open("a") as file:
        file.write("import threading\nthreading.Lock().acquire()\nthreading.Event().wait(2)\n")
    done = watched(folder, PYTHON, "script.py", options=["--after", "0.1"])
    long = done.errors.index("holds a connection for more than 0.1 s: script.py")
    assert long < done.errors.index("2 sessions watched")


def test_a_context_of_the_program_is_not_kept(folder: Path) -> None:
    (folder / "main.py").write_text(
        "import asyncio, contextvars, gc, weakref\n"
        "from sqlalchemy.orm import Session\n"
        "kept = contextvars.ContextVar('kept')\n"
        "class One: pass\n"
        "async def work():\n    kept.set(One()); Session(); return weakref.ref(kept.get())\n"
        "async def main():\n    gone = await asyncio.create_task(work())\n"
        "    await asyncio.sleep(0); gc.collect(); print(gone())\n"
        "asyncio.run(main())\n"
    )
    assert watched(folder, PYTHON, "main.py").output == "None\n"


FORKED = """\
import multiprocessing
import os
import sys


def work():
    import script


if __name__ == "__main__":
    if sys.argv[1] == "os":
        child = os.fork()
        if not child:
            work()
            os._exit(0)
        os.waitpid(child, 0)
    else:
        process = multiprocessing.get_context(sys.argv[1]).Process(target=work)
        process.start()
        process.join()
"""


@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_a_child_that_loads_sqlalchemy_itself_is_counted(folder: Path, method: str) -> None:
    (folder / "main.py").write_text(FORKED)
    done = watched(folder, PYTHON, "main.py", method)
    assert made_at(done.report) == [(LEAKING_LINE, 1)], done.errors
    assert UNTOLD not in done.errors


def test_a_child_that_ends_without_a_word_is_told_of(folder: Path) -> None:
    (folder / "main.py").write_text(FORKED)
    done = watched(folder, PYTHON, "main.py", "os")
    assert made_at(done.report) == []
    assert UNTOLD in done.errors
    assert "2 sessions watched" in done.errors or "1 session watched" in done.errors
    assert "none leaked" not in done.errors


def test_a_process_that_is_killed_when_it_had_told_everything(folder: Path) -> None:
    (folder / "script.py").write_text(
        "import asyncio, os, signal\nfrom sqlalchemy import create_engine, text\nfrom sqlalchemy.orm import Session\n"
        "async def main():\n"
        "    with Session(create_engine('sqlite://')) as session:\n        session.execute(text('select 1'))\n"
        "    await asyncio.sleep(1)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "asyncio.run(main())\n"
    )
    done = watched(folder, PYTHON, "script.py")
    assert done.errors == "session-leaks: 1 session watched, none leaked in 1 process\n"


def test_sessions_that_could_not_leak_are_told_apart(folder: Path) -> None:
    (folder / "script.py").write_text(
        "from sqlalchemy import create_engine, text\nfrom sqlalchemy.orm import Session\n"
        "with create_engine('sqlite://').connect() as connection:\n"
        "    session = Session(connection); session.execute(text('select 1'))\n"
    )
    assert "1 of them bound to a connection of somebody else" in watched(folder, PYTHON, "script.py").errors


# --- signals ----------------------------------------------------------------------------------------------------------

HANDLER = (
    "import signal, sys, time\n"
    "seen = []\n"
    "signal.signal(signal.SIGINT, lambda *_: seen.append(1))\n"
    "open('ready', 'w').close()\n"
    "end = time.monotonic() + 20\n"
    "while not seen and time.monotonic() < end: time.sleep(0.01)\n"
    "time.sleep(0.7)\n"
    "print('told', len(seen), flush=True)\n"
)


def test_a_job_in_the_background_of_a_script_is_told(folder: Path) -> None:
    """It is started to ignore Ctrl-C, and handles it all the same."""
    (folder / "script.py").write_text(HANDLER)
    command = " ".join((*WATCH, "--", PYTHON, "script.py"))
    script = f"{command} & job=$!; while [ ! -e ready ]; do sleep 0.1; done; kill -INT $job; wait $job; echo ended $?"
    done = subprocess.run(
        ["sh", "-c", script], cwd=folder, env=environment(), capture_output=True, text=True, timeout=PATIENCE
    )
    assert done.stdout == "told 1\nended 0\n"


@pytest.mark.skipif(not hasattr(signal, "sigtimedwait"), reason="nothing says there who sent a signal")
@pytest.mark.parametrize("by", ["keys", "somebody"])
def test_in_a_terminal_the_command_is_told_once(folder: Path, by: str) -> None:
    import pty

    (folder / "script.py").write_text(HANDLER)
    process, terminal = pty.fork()
    if process == 0:
        os.chdir(folder)
        os.execve(PYTHON, [*WATCH, "--", PYTHON, "script.py"], environment())
    try:
        eventually((folder / "ready").exists, "not started")
        if by == "keys":
            os.write(terminal, b"\x03")
        else:
            os.kill(process, signal.SIGINT)
        output = b""
        with contextlib.suppress(OSError):  # its end
            while part := os.read(terminal, 1000):
                output += part
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
        os.close(terminal)
        os.waitpid(process, 0)
    assert b"told 1\r\n" in output, output


# --- servers ----------------------------------------------------------------------------------------------------------


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
        assert isinstance(port, int)
        return port


def eventually(condition: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.05)


@contextlib.contextmanager
def serving(
    folder: Path, *options: str, application: str = "served:app"
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The watched server, and its address. Its stderr is a file in the folder."""
    (folder / "served.py").write_text((HERE / "served.py").read_text())
    port = free_port()
    uvicorn = (PYTHON, "-m", "uvicorn", application, "--host", "127.0.0.1", "--port", str(port), *options)
    with (folder / "stderr").open("w") as errors:
        process = subprocess.Popen(
            [*WATCH, "--report", "leaks.json", "--after", "0.2", "--", *uvicorn],
            cwd=folder,
            env=environment(folder, DATABASE=f"sqlite+aiosqlite:///{folder}/items.db"),
            stdout=subprocess.DEVNULL,
            stderr=errors,
            text=True,
            start_new_session=True,
        )
    try:
        url = f"http://127.0.0.1:{port}"
        eventually(lambda: answers(url), (folder / "stderr").read_text())
        yield process, url
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def answers(url: str) -> bool:
    import httpx

    with contextlib.suppress(httpx.HTTPError):
        return httpx.get(f"{url}/good").status_code == 200
    return False


def leaking_lines() -> dict[str, int]:
    lines = (HERE / "served.py").read_text().splitlines()
    return {found[1]: number for number, line in enumerate(lines, 1) if (found := re.search(r"# leaks: (\S+)", line))}


def test_lines_that_leak_are_marked() -> None:
    assert {"/bare", "/dependency"} <= set(leaking_lines())


@pytest.mark.parametrize(
    ("options", "number"), [((), signal.SIGINT), (("--reload",), signal.SIGINT), (("--workers", "2"), signal.SIGTERM)]
)
def test_a_server_is_watched_until_a_signal_ends_it(folder: Path, options: Sequence[str], number: int) -> None:
    import httpx

    with serving(folder, *options) as (process, url):
        answered = set()
        for path in ("/bare", "/dependency", "/good") * 4:
            answered.add(httpx.get(url + path).json())  # a connection each: any worker may take it
        for line in leaking_lines()["/bare"], leaking_lines()["/dependency"]:
            eventually(lambda line=line: f"served.py:{line} in" in (folder / "stderr").read_text(), "not told")  # type: ignore[misc]
        process.send_signal(number)
        assert process.wait(PATIENCE) == 0
    errors = (folder / "stderr").read_text()
    report = reported(folder)
    assert report is not None
    counts = {frame.line: leak.count for leak in report.leaks for frame in leak.frames if frame.path == "served.py"}
    assert counts == {leaking_lines()["/bare"]: 4, leaking_lines()["/dependency"]: 4}, errors
    if "--workers" in options:
        assert "in 2 processes" in errors


def test_ctrl_c_reaches_a_server_once(folder: Path) -> None:
    """Twice, uvicorn would not wait for what is being answered."""
    with serving(folder) as (process, url):
        assert answers(url)
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 0
    assert "Finished server process" in (folder / "stderr").read_text()


def test_the_middleware_names_the_requests(folder: Path) -> None:
    import httpx

    (folder / "wrapped.py").write_text(
        "from served import app as inner\nfrom codemods.watch.asgi import SessionLeaks\napp = SessionLeaks(inner)\n"
    )
    with serving(folder, application="wrapped:app") as (process, url):
        httpx.get(f"{url}/bare")
        eventually(lambda: "in GET /bare" in (folder / "stderr").read_text(), "not logged")
        process.send_signal(signal.SIGINT)
        process.wait(PATIENCE)
    report = reported(folder)
    assert report is not None
    assert [leak.where for leak in report.leaks] == [("GET /bare",)]


def test_a_server_that_is_terminated_has_told_everything(folder: Path) -> None:
    """It ends by that signal itself, without any word at its end."""
    import httpx

    with serving(folder) as (process, url):
        assert httpx.get(f"{url}/good").status_code == 200
        time.sleep(1)
        process.terminate()
        process.wait(PATIENCE)
    assert "none leaked in 1 process" in (folder / "stderr").read_text()
