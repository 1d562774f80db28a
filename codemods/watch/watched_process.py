"""One process of a watched command: keeps a file with what leaked in it so far, for the command to read.

Touches that file only. It is written as things happen, not at the end alone: servers are ended by signals. The work is
done in the program's own event loop where there is one: a thread beside it might be the one in which the garbage
collector finds a session, and a driver's connection must not be ended in another thread than its loop's.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import json
import os
import sys
import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import Any

from codemods import leak_report
from codemods.leak_report import Leak, LeakKind, LeakReport
from codemods.watch import instrument
from codemods.watch.instrument import Listener, Record
from codemods.watch.judging import Tally, verdict

FOLDER = "SESSION_LEAKS_FOLDER"
STRICT = "SESSION_LEAKS_STRICT"
AFTER = "SESSION_LEAKS_AFTER"
INTERVAL = 0.25


@dataclass(frozen=True, slots=True)
class ProcessState:
    """What one process tells. `leaks` are certain. `long`: hold a connection for longer than was asked for; `over`: for
    a shorter time, but the task that made them is done. These two may yet be closed while the process runs."""

    finished: bool
    sessions: int
    failures: int
    leaks: tuple[Leak, ...]
    long: tuple[Leak, ...]
    over: tuple[Leak, ...]


def dumped(state: ProcessState) -> str:
    """The state as JSON."""

    def report(leaks: tuple[Leak, ...]) -> Any:
        return json.loads(leak_report.dumps(LeakReport("", leaks)))

    return json.dumps(
        {
            "finished": state.finished,
            "sessions": state.sessions,
            "failures": state.failures,
            "leaks": report(state.leaks),
            "long": report(state.long),
            "over": report(state.over),
        }
    )


def parsed(text: str) -> ProcessState:
    """Back again. Raises ValueError, KeyError or TypeError for anything else."""
    content = json.loads(text)
    leaks, long, over = (leak_report.parsed(content[name]).leaks for name in ("leaks", "long", "over"))
    return ProcessState(content["finished"], content["sessions"], content["failures"], leaks, long, over)


class WatchedProcess(Listener):
    """Watches from now on until the process ends."""

    def __init__(self, folder: str, *, strict: bool, after: float) -> None:
        self._folder = folder
        self._strict = strict
        self._after = after
        self._empty()
        os.register_at_fork(after_in_child=self._forked)
        atexit.register(self.finish)
        self._write(finished=False)

    def _empty(self) -> None:
        self._path = os.path.join(self._folder, f"state-{os.getpid()}-{time.monotonic_ns()}.json")
        self._tally = Tally()
        self._gone: deque[Record] = deque()
        self._sessions = 0
        self._armed_until = 0.0
        self._thread: threading.Thread | None = None
        self._written = ""

    def _forked(self) -> None:
        instrument.forget_all()
        self._empty()
        # processes of `multiprocessing` that are forked end without `atexit`
        processes = sys.modules.get("multiprocessing.util")
        if processes is not None:
            processes.register_after_fork(self, lambda one: processes.Finalize(one, one.finish, exitpriority=-100))

    # --- sessions -----------------------------------------------------------------------------------------------------

    def made(self, record: Record) -> None:
        self._sessions += 1
        self._arm()

    def took(self, record: Record) -> None:
        self._arm()

    def collected(self, record: Record) -> None:
        self._gone.append(record)

    # --- now and then -------------------------------------------------------------------------------------------------

    def _arm(self) -> None:
        """See to it that we are called soon."""
        now = time.monotonic()
        if now < self._armed_until or self._thread is not None:
            return
        self._armed_until = now + 4 * INTERVAL  # that loop may end before
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self._thread = threading.Thread(target=self._repeat, name="session-leaks", daemon=True)
            self._thread.start()
        else:
            loop.call_later(INTERVAL, self._look_in_loop)

    def _repeat(self) -> None:
        while True:
            time.sleep(INTERVAL)
            self._look()

    def _look_in_loop(self) -> None:
        self._armed_until = 0.0
        self._look()
        if self._gone or any(record.took for record in instrument.live_records()):
            self._arm()

    def _look(self) -> None:
        with contextlib.suppress(Exception):  # the program's loop is no place for an error of ours
            self._judge_gone()
            self._write(finished=False)

    def _judge_gone(self) -> None:
        while self._gone:
            self._count(self._gone.popleft())

    def _count(self, record: Record) -> None:
        kind = verdict(record, strict=self._strict)
        if kind is not None:
            self._tally.add(record, kind, record.place.name if record.place else "")

    def finish(self) -> None:
        """The process ends: what has a connection now has leaked, but what was just at work."""
        self._judge_gone()
        for record in instrument.live_records():
            if not record.at_work or self._is_long(record):
                self._count(record)
        self._write(finished=True)

    def _is_long(self, record: Record) -> bool:
        return record.took and time.monotonic() - record.since > self._after

    def _write(self, finished: bool) -> None:
        long, over = Tally(), Tally()
        for record in [] if finished else instrument.live_records():
            tally = long if self._is_long(record) else over if record.took and record.task_over else None
            if tally is not None:
                kind = LeakKind.REUSED if record.reused else LeakKind.HELD
                tally.add(record, kind, record.place.name if record.place else "")
        state = ProcessState(
            finished, self._sessions, instrument.failures(), self._tally.leaks(), long.leaks(), over.leaks()
        )
        text = dumped(state)
        if text == self._written:
            return
        # gone when the command is over before this process
        with contextlib.suppress(OSError):
            unfinished = f"{self._path}.tmp"
            with open(unfinished, "w", encoding="utf-8") as file:
                file.write(text)
            os.replace(unfinished, self._path)
            self._written = text


def begin() -> None:
    """Watch this process as the environment says; SQLAlchemy's ORM has just been loaded."""
    watched = WatchedProcess(
        os.environ[FOLDER], strict=bool(os.environ.get(STRICT)), after=float(os.environ.get(AFTER, "10"))
    )
    instrument.start(watched, loaded=True)
