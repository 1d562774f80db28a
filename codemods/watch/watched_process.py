"""One process of a watched command: keeps files with what leaked in it so far, for the command to read.

Touches those files only. They are written as things happen, not at the end alone: servers are ended by signals. All of
it is done by the program's own threads, as they make and use sessions, and in its event loops a moment after that:
a thread of ours might be the one in which the garbage collector finds a session, and a driver's connection must not be
ended in another thread than its loop's. What is held for long is for the command to see, in `held_table`.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import contextvars
import itertools
import json
import os
import sys
import threading
import time
import weakref
from collections import deque
from dataclasses import dataclass
from typing import Any

from codemods import leak_report
from codemods.leak_report import Leak, LeakKind, LeakReport
from codemods.watch import instrument
from codemods.watch.held_table import HeldTable
from codemods.watch.instrument import Listener, Record
from codemods.watch.judging import NOWHERE, Tally, verdict
from codemods.watch.places import RawFrame, frames_of

FOLDER = "SESSION_LEAKS_FOLDER"
STRICT = "SESSION_LEAKS_STRICT"
AFTER = "SESSION_LEAKS_AFTER"
INTERVAL = 0.25
LINES_KEPT = 10_000

Entry = tuple[LeakKind, tuple[RawFrame, ...], str]


@dataclass(frozen=True, slots=True)
class ProcessState:
    """What one process tells: `leaks` are certain. `events`: how many of those in its table it has looked at;
    `borrowed`: how many sessions used a connection of somebody else."""

    finished: bool
    events: int
    sessions: int
    borrowed: int
    failures: int
    leaks: tuple[Leak, ...]


def _packed(leaks: tuple[Leak, ...]) -> Any:
    return json.loads(leak_report.dumps(LeakReport("", leaks)))


def dumped(state: ProcessState) -> str:
    """The state as JSON."""
    numbers = {name: getattr(state, name) for name in ("finished", "events", "sessions", "borrowed", "failures")}
    return json.dumps({**numbers, "leaks": _packed(state.leaks)})


def parsed(text: str) -> ProcessState:
    """Back again. Raises ValueError, KeyError or TypeError for anything else."""
    content = json.loads(text)
    return ProcessState(**(content | {"leaks": leak_report.parsed(content["leaks"]).leaks}))


def parsed_line(text: str) -> tuple[int, Leak]:
    """A number in the table, and what it stands for. Raises ValueError, KeyError or TypeError for anything else."""
    number, content = json.loads(text)
    (leak,) = leak_report.parsed(content).leaks
    return int(number), leak


@dataclass(frozen=True, slots=True)
class Paths:
    """The files of a process: what it tells, its table, and what the numbers in that stand for, a line each."""

    state: str
    table: str
    lines: str


def paths(folder: str, name: str) -> Paths:
    """Of the process that is known by this name."""
    start = os.path.join(folder, name)
    return Paths(f"{start}.state.json", f"{start}.table", f"{start}.lines")


class WatchedProcess(Listener):
    """Watches from now on until the process ends."""

    def __init__(self, folder: str, *, strict: bool, after: float) -> None:
        self._folder = folder
        self._strict = strict
        self._after = after
        self._empty()
        os.register_at_fork(after_in_child=self._forked)
        atexit.register(self.finish)
        self._finish_with_multiprocessing()
        self._write(finished=False)

    def _empty(self) -> None:
        self._paths = paths(self._folder, f"{os.getpid()}-{time.monotonic_ns()}")
        self._table: HeldTable | None = None
        self._slots: dict[Record, tuple[int, Entry]] = {}
        self._entries: dict[Entry, int] = {}
        self._numbers = itertools.count()
        self._looking = threading.Lock()
        self._looked = 0.0
        self._armed: weakref.WeakSet[asyncio.AbstractEventLoop] = weakref.WeakSet()
        self._tally = Tally()
        self._gone: deque[Record] = deque()
        self._sessions = 0
        self._borrowed = 0
        self._overflowed = False
        self._finished = False
        self._written = ""

    def _forked(self) -> None:
        instrument.forget_all()
        self._empty()
        self._finish_with_multiprocessing()

    def _finish_with_multiprocessing(self) -> None:
        """Its processes may end without `atexit`."""
        processes = sys.modules.get("multiprocessing")
        util = sys.modules.get("multiprocessing.util")
        if processes is None or util is None:
            return

        def register(one: WatchedProcess) -> None:
            util.Finalize(one, one.finish, exitpriority=-100)

        # what was registered before its start-up is over is forgotten then
        util.register_after_fork(self, register)
        if processes.parent_process() is not None:
            register(self)

    # --- sessions -----------------------------------------------------------------------------------------------------

    def made(self, record: Record) -> None:
        self._sessions += 1
        self._happened()

    def took(self, record: Record) -> None:
        if self._finished:
            return
        table, entry = self._happening(), _entry(record)
        slot, before = self._slots.get(record, (None, None))
        if before != entry:
            if slot is not None:
                table.give_back(slot)
            slot = table.take(record.since, self._number(entry))
            if slot is None:
                self._overflowed = True
            else:
                self._slots[record] = slot, entry
        self._happened()

    def gave_back(self, record: Record) -> None:
        self._free(record)
        self._happened()

    def borrowed(self, record: Record) -> None:
        self._borrowed += 1
        self._happened()

    def collected(self, record: Record) -> None:
        if self._finished:
            return  # the interpreter takes itself apart
        self._gone.append(record)
        self._free(record)
        if self._table is not None:
            self._table.happened()

    def _free(self, record: Record) -> None:
        slot, _ = self._slots.pop(record, (None, None))
        if slot is not None and self._table is not None:
            self._table.give_back(slot)

    def _number(self, entry: Entry) -> int:
        number = self._entries.get(entry)
        if number is not None:
            return number
        kind, raw, where = entry
        if len(self._entries) >= LINES_KEPT and where:
            return self._number((kind, raw, ""))
        number = next(self._numbers)
        leak = Leak(kind, frames_of(raw or NOWHERE), 1, 1, (where,) if where else ())
        # gone when the command is over before this process
        with contextlib.suppress(OSError), open(self._paths.lines, "ab", buffering=0) as file:
            file.write(json.dumps([number, _packed((leak,))]).encode() + b"\n")  # at once: threads do not mix
        self._entries[entry] = number
        return number

    # --- now and then -------------------------------------------------------------------------------------------------

    def _happening(self) -> HeldTable:
        # made late: most processes that are forked do nothing with the database
        if self._table is None:
            self._table = HeldTable(self._paths.table)
        return self._table

    def _happened(self) -> None:
        """Tell of it now when that is due, and see to it that we are called soon where there is a loop."""
        if self._finished:
            return
        self._happening().happened()
        # a loop that is there next time tells before; one that ends at once, or none, never would
        if time.monotonic() - self._looked > 2 * INTERVAL:
            self._look()
        with contextlib.suppress(RuntimeError, TypeError):  # there is none, or none that can be referred to
            self._arm(asyncio.get_running_loop())

    def _arm(self, loop: asyncio.AbstractEventLoop) -> None:
        if loop not in self._armed:
            self._armed.add(loop)
            # not in the program's own context: what that holds would be kept meanwhile
            loop.call_later(INTERVAL, self._look_in_loop, loop, context=contextvars.Context())

    def _look_in_loop(self, loop: asyncio.AbstractEventLoop) -> None:
        self._armed.discard(loop)
        self._look()
        if self._gone or any(record.took for record in instrument.live_records()):
            self._arm(loop)

    def _look(self) -> None:
        if self._finished or not self._looking.acquire(blocking=False):
            return
        try:
            self._looked = time.monotonic()
            events = self._events()
            self._judge_gone()
            self._mark_over()
            self._write(finished=False, events=events)
        except Exception as error:  # the program is no place for it
            instrument.note_failure(error)
        finally:
            self._looking.release()

    def _events(self) -> int:
        return 0 if self._table is None else self._table.events

    def _judge_gone(self) -> None:
        while self._gone:
            self._count(self._gone.popleft())

    def _count(self, record: Record) -> None:
        kind = verdict(record, strict=self._strict)
        if kind is not None:
            self._tally.add(record, kind, record.place.name if record.place else "")

    def _mark_over(self) -> None:
        for record, (slot, _) in list(self._slots.items()):
            if self._table is not None and record.took and record.task_over:
                self._table.mark(slot)

    def finish(self) -> None:
        """The process ends: what has a connection now has leaked, but what was just at work."""
        if self._finished:
            return
        self._looking.acquire(timeout=5)
        self._finished = True
        self._judge_gone()
        for record in instrument.live_records():
            if not record.at_work or self._is_long(record):
                self._count(record)
        self._write(finished=True)

    def _is_long(self, record: Record) -> bool:
        return record.took and time.monotonic() - record.since > self._after

    def _write(self, *, finished: bool, events: int = 0) -> None:
        state = ProcessState(
            finished,
            # where the table was too small it is not all
            -1 if self._overflowed else events,
            self._sessions,
            self._borrowed,
            instrument.failures(),
            self._tally.leaks(),
        )
        text = dumped(state)
        if text == self._written:
            return
        # gone when the command is over before this process
        with contextlib.suppress(OSError):
            unfinished = f"{self._paths.state}.tmp"
            with open(unfinished, "w", encoding="utf-8") as file:
                file.write(text)
            os.replace(unfinished, self._paths.state)
            self._written = text


def _entry(record: Record) -> Entry:
    kind = LeakKind.REUSED if record.reused else LeakKind.HELD
    return kind, record.frames, record.place.name if record.place else ""


def begin() -> None:
    """Watch this process as the environment says; SQLAlchemy's ORM has just been loaded."""
    watched = WatchedProcess(
        os.environ[FOLDER], strict=bool(os.environ.get(STRICT)), after=float(os.environ.get(AFTER, "10"))
    )
    instrument.start(watched, loaded=True)
