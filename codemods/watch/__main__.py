"""`python -m codemods.watch -- COMMAND...`: runs any command, and watches all of its Python processes for leaks.

Writes to stderr, and the report where it is told to. The command's signals, input, output and exit code are its own.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from codemods import leak_report
from codemods.leak_report import Frame, Leak, LeakReport
from codemods.watch import held_table, table, watched_process
from codemods.watch.held_table import Held
from codemods.watch.passing_on import Signals
from codemods.watch.places import relative
from codemods.watch.report_file import writable
from codemods.watch.watched_process import ProcessState

PROGRAM = "python -m codemods.watch"
PREFIX = "session-leaks:"
STARTUP = Path(__file__).with_name("startup")
INTERVAL = 0.25
NOT_EXECUTABLE, NOT_FOUND = 126, 127  # exit codes, as shells have them


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; gives its exit code, as shells do: 128 + n when signal n ended it, 127 when it is not there."""
    options = _parser().parse_args(arguments)
    command = options.command[1:] if options.command[:1] == ["--"] else options.command
    if not command:
        _parser().error("which command? Write it after `--`")
    report = Path(options.report) if options.report else None
    if report is not None and not writable(report):
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
    with Signals() as signals:
        process = subprocess.Popen(command, env=environment)
        signals.begin()
        while (code := process.poll()) is None:
            for number in signals.received(INTERVAL, process):
                process.send_signal(number)
            for line in states.news():
                _tell(line)
    return code if code >= 0 else 128 - code


# --- what its processes tell ------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Process:
    """What is known of one process. `lines`: what the numbers in its table stand for."""

    state: ProcessState
    changed: tuple[int, int, int]
    lines: dict[int, Leak] = field(default_factory=dict)
    events: int = 0
    held: tuple[Held, ...] = ()

    def leak(self, held: Held) -> Leak | None:
        return self.lines.get(held.entry)


class States:
    """The files of all processes."""

    def __init__(self, folder: Path, after: float) -> None:
        self._folder = folder
        self._after = after
        self._root = os.getcwd()
        self._processes: dict[str, _Process] = {}
        self._told: set[tuple[str, tuple[Frame, ...]]] = set()

    def _read(self) -> None:
        """As they are now."""
        for path in self._folder.glob("*.state.json"):
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
                name = path.name.removesuffix(".state.json")
                # the clock of files is a coarse one, and the last change matters
                status, one = path.stat(), self._processes.get(name)
                changed = status.st_mtime_ns, status.st_ino, status.st_size
                if one is None or one.changed != changed:
                    state = watched_process.parsed(path.read_text(encoding="utf-8"))
                    lines = {} if one is None else one.lines
                    one = self._processes[name] = _Process(state, changed, lines)
                self._read_table(one, watched_process.paths(str(self._folder), name))

    def _read_table(self, one: _Process, paths: watched_process.Paths) -> None:
        one.events, one.held = 0, ()
        file = Path(paths.table)
        if one.state.finished or not file.exists():
            return
        one.events, one.held = held_table.read(file)
        if any(held.entry not in one.lines for held in one.held):
            for line in Path(paths.lines).read_text(encoding="utf-8").splitlines():
                with contextlib.suppress(ValueError, KeyError, TypeError):  # the last may not be whole yet
                    number, leak = watched_process.parsed_line(line)
                    one.lines[number] = leak

    def states(self) -> list[ProcessState]:
        """Of all processes, as they are now."""
        self._read()
        return [one.state for one in self._processes.values()]

    def news(self) -> Iterator[str]:
        """What was not told yet, each line of the program once."""
        self._read()
        now = time.monotonic()
        for one in self._processes.values():
            for leak in self._relative(one.state.leaks):
                if self._first(leak.kind, leak):
                    finished = one.state.finished
                    gone = "" if finished else ", and was collected so" if leak.kind == "held" else ", and is gone"
                    yield f"a session {table.MEANING[leak.kind]}{gone}: {_lines(leak)}"
            long = [one.leak(held) for held in one.held if self._is_long(held, now)]
            for leak in self._relative(leak for leak in long if leak is not None):
                if self._first("long", leak):
                    yield f"a session holds a connection for more than {self._after:g} s: {_lines(leak)}"

    def _is_long(self, held: Held, now: float) -> bool:
        return now - held.since > self._after

    def _first(self, what: str, leak: Leak) -> bool:
        key = (what, leak.frames)
        if key in self._told:
            return False
        self._told.add(key)
        return True

    def leaks(self) -> tuple[Leak, ...]:
        """Of all processes. One that was killed could not say what leaked: there what it held without reason counts."""
        self._read()
        found: list[Leak] = []
        now = time.monotonic()
        for one in self._processes.values():
            found += one.state.leaks
            found += [leak for held in one.held if self._counts(held, now) and (leak := one.leak(held)) is not None]
        return leak_report.merged(self._relative(found))

    def _counts(self, held: Held, now: float) -> bool:
        return held.over or self._is_long(held, now)

    def _relative(self, leaks: Iterable[Leak]) -> Iterator[Leak]:
        for leak in leaks:
            frames = tuple(replace(frame, path=relative(frame.path, self._root)) for frame in leak.frames)
            yield replace(leak, frames=frames)

    def untold(self) -> int:
        """How many processes ended before they had told everything, or go on; what they had then is not counted."""
        self._read()
        now = time.monotonic()
        return sum(
            not one.state.finished
            and (
                one.events != one.state.events
                or any(not self._counts(held, now) or one.leak(held) is None for held in one.held)
            )
            for one in self._processes.values()
        )

    def remarks(self) -> list[str]:
        """What could not be watched, and why."""
        found = {path.read_text(encoding="utf-8", errors="replace") for path in self._folder.glob("not-watched-*.txt")}
        failures = sum(state.failures for state in self.states())
        if failures:
            found.add(f"{table.counted(failures, 'session')} could not be watched: an error of ours")
        if untold := self.untold():
            found.add(
                f"{table.counted(untold, 'process')} ended without telling everything, or outlived the command: "
                f"what {'it' if untold == 1 else 'they'} had then is not counted"
            )
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
    processes = states.states()
    if processes:
        sessions, borrowed = (sum(one.sessions for one in processes), sum(one.borrowed for one in processes))
        summary = table.summary(leaks, sessions, borrowed, complete=not states.remarks())
        _tell(f"{summary} in {table.counted(len(processes), 'process')}")
    else:
        _tell("no process that could be watched loaded SQLAlchemy's ORM")
        _tell("(a Python that is started with -I, -E or without our environment cannot be watched)")
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
