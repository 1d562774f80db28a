"""`python -m codemods.watch -- COMMAND...`: runs any command, and watches all of its Python processes for leaks.

Writes to stderr, and the report where it is told to. The command's signals, input, output and exit code are its own.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import FrameType

from codemods import leak_report
from codemods.leak_report import Frame, Leak, LeakReport
from codemods.watch import table, watched_process
from codemods.watch.places import relative
from codemods.watch.watched_process import ProcessState

PROGRAM = "python -m codemods.watch"
PREFIX = "session-leaks:"
STARTUP = Path(__file__).with_name("startup")
INTERVAL = 0.25
USAGE, NOT_EXECUTABLE, NOT_FOUND = 2, 126, 127
PASSED_ON = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGWINCH")
FROM_TERMINAL = ("SIGINT", "SIGQUIT", "SIGWINCH")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; gives its exit code, as shells do: 128 + n when signal n ended it, 127 when it is not there."""
    options = _parser().parse_args(arguments)
    command = options.command[1:] if options.command[:1] == ["--"] else options.command
    if not command:
        _parser().error("which command? Write it after `--`")
    report = Path(options.report) if options.report else None
    if report is not None and (report.is_dir() or not report.parent.is_dir()):
        _parser().error(f"--report {report}: no file can be written there")
    with tempfile.TemporaryDirectory(prefix="session-leaks-", ignore_cleanup_errors=True) as folder:
        states = States(Path(folder), options.after)
        environment = _environment(folder, strict=options.strict, after=options.after)
        try:
            code = _run(command, environment, states)
        except FileNotFoundError:
            return _refused(command[0], "no such command", NOT_FOUND)
        except OSError as error:
            return _refused(command[0], error.strerror or str(error), NOT_EXECUTABLE)
        _conclude(states, report, strict=options.strict)
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Run a command; tell which lines of its Python processes made a SQLAlchemy session that leaked.",
        usage="%(prog)s [--strict] [--report FILE] [--after SECONDS] -- COMMAND...",
        allow_abbrev=False,
    )
    parser.add_argument("--strict", action="store_true", help="also sessions that are never closed, but hold nothing")
    parser.add_argument("--report", metavar="FILE", help="write them as JSON, for `session-codemods check --witness`")
    parser.add_argument(
        "--after", metavar="SECONDS", type=_seconds, default=10.0, help="tell of a connection held longer (default: 10)"
    )
    parser.add_argument("command", metavar="COMMAND...", nargs=argparse.REMAINDER)
    return parser


def _seconds(text: str) -> float:
    number = float(text)
    if not 0 <= number < float("inf"):
        raise ValueError(text)
    return number


def _refused(program: str, reason: str, code: int) -> int:
    _tell(f"{program}: {reason}")
    return code


def _tell(text: str) -> None:
    with contextlib.suppress(OSError):
        print(PREFIX, text, file=sys.stderr, flush=True)


# --- the command ------------------------------------------------------------------------------------------------------


def _environment(folder: str, *, strict: bool, after: float) -> Mapping[str, str]:
    environment = dict(os.environ)
    before = environment.get("PYTHONPATH")
    environment["PYTHONPATH"] = f"{STARTUP}{os.pathsep}{before}" if before else str(STARTUP)
    environment[watched_process.FOLDER] = folder
    environment[watched_process.STRICT] = "1" if strict else ""
    environment[watched_process.AFTER] = str(after)
    return environment


def _run(command: Sequence[str], environment: Mapping[str, str], states: States) -> int:
    """Run it to its end, telling what happens. Raises OSError when it cannot be started."""
    sent: list[int] = []
    with _received(sent):
        process = subprocess.Popen(command, env=environment)
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                code = process.wait(INTERVAL)
                break
            while sent:
                process.send_signal(sent.pop(0))
            for line in states.news():
                _tell(line)
    return code if code >= 0 else 128 - code


@contextlib.contextmanager
def _received(sent: list[int]) -> Iterator[None]:
    """Signals are noted instead of ending us: the command decides. Those that are ignored stay so."""

    def note(number: int, _: FrameType | None) -> None:
        if signal.Signals(number).name not in FROM_TERMINAL or not _terminal_tells_the_command():
            sent.append(number)

    before = {}
    for name in PASSED_ON:
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            before[number] = signal.signal(number, note)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _terminal_tells_the_command() -> bool:
    """Whether Ctrl-C reaches the command by itself: sent twice, it would make a server give up at once."""
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
    except (OSError, AttributeError):
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)


# --- what its processes tell ------------------------------------------------------------------------------------------


class States:
    """The files of all processes."""

    def __init__(self, folder: Path, after: float) -> None:
        self._folder = folder
        self._after = after
        self._root = os.getcwd()
        self._read: dict[Path, tuple[int, ProcessState]] = {}
        self._told: set[tuple[str, tuple[Frame, ...]]] = set()

    def processes(self) -> list[ProcessState]:
        """As they are now."""
        for path in self._folder.glob("state-*.json"):
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
                changed = path.stat().st_mtime_ns
                if path not in self._read or self._read[path][0] != changed:
                    self._read[path] = changed, watched_process.parsed(path.read_text(encoding="utf-8"))
        return [state for _, state in self._read.values()]

    def news(self) -> Iterator[str]:
        """What was not told yet, each line of the program once."""
        for state in self.processes():
            for leak in self._relative(state.leaks):
                if self._first(leak.kind, leak):
                    gone = (
                        "" if state.finished else ", and was collected so" if leak.kind == "held" else ", and is gone"
                    )
                    yield f"a session {table.MEANING[leak.kind]}{gone}: {_lines(leak)}"
            for leak in self._relative(state.long):
                if self._first("long", leak):
                    yield f"a session holds a connection for more than {self._after:g} s: {_lines(leak)}"

    def _first(self, what: str, leak: Leak) -> bool:
        key = (what, leak.frames)
        if key in self._told:
            return False
        self._told.add(key)
        return True

    def leaks(self) -> tuple[Leak, ...]:
        """Of all processes. One that was killed could not say what leaked: there what it held without reason counts."""
        found: list[Leak] = []
        for state in self.processes():
            found += state.leaks if state.finished else (*state.leaks, *state.long, *state.over)
        return leak_report.merged(self._relative(found))

    def _relative(self, leaks: Iterable[Leak]) -> Iterator[Leak]:
        for leak in leaks:
            frames = tuple(replace(frame, path=relative(frame.path, self._root)) for frame in leak.frames)
            yield replace(leak, frames=frames)

    def remarks(self) -> list[str]:
        """What could not be watched, and why."""
        found = {path.read_text(encoding="utf-8", errors="replace") for path in self._folder.glob("not-watched-*.txt")}
        failures = sum(state.failures for state in self.processes())
        if failures:
            found.add(f"{table.counted(failures, 'session')} could not be watched: an error of ours")
        return sorted(found)

    @property
    def root(self) -> str:
        """The folder that the command was started in."""
        return self._root


def _lines(leak: Leak) -> str:
    """The innermost line and its caller."""
    return ", called from ".join(table.place(frame) for frame in leak.frames[:2])


def _conclude(states: States, report: Path | None, *, strict: bool) -> None:
    leaks = states.leaks()
    processes = states.processes()
    if processes:
        sessions = sum(state.sessions for state in processes)
        _tell(f"{table.summary(leaks, sessions)} in {table.counted(len(processes), 'process')}")
    else:
        _tell("no process that could be watched loaded SQLAlchemy's ORM")
    for line in table.rows(leaks):
        with contextlib.suppress(OSError):
            print(line, file=sys.stderr)
    for remark in states.remarks():
        _tell(remark)
    if report is not None:
        try:
            report.write_text(leak_report.dumps(LeakReport(states.root, leaks, strict)), encoding="utf-8")
        except OSError as error:
            _tell(f"{report}: not written: {error.strerror or error}")


if __name__ == "__main__":
    sys.exit(main())
