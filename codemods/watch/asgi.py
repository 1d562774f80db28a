"""ASGI middleware that tells which line made a session that a request did not give back. Logs, and changes no answer.

    app.add_middleware(SessionLeaks)

A request is over when the application returns: after its background tasks and the ends of its dependencies. What its
tasks and threads still work with is judged when they are done, and what somebody still has a moment later: a generator
that was left early ends after its request. Leaks go to the logger `session_leaks` as warnings, each line of the program
once, and to `report` as JSON when the server ends.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import contextvars
import logging
import os
import threading
import time
import weakref
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

from codemods import leak_report
from codemods.leak_report import Leak, LeakReport
from codemods.watch import instrument, table
from codemods.watch.instrument import PLACE, Listener, Place, Record
from codemods.watch.judging import Tally, verdict
from codemods.watch.places import frames_of

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

LOGGER = logging.getLogger("session_leaks")
GRACE = 1.0
CROWDED = 64
PATH_SHOWN = 200


class SessionLeaks(Listener):
    """Watches the sessions that are made while `app` answers a request, from now until the process ends.

    `strict`: also those that are never closed, though they hold nothing. `report`: a file, for `check --witness`.
    """

    def __init__(self, app: Application, *, strict: bool = False, report: str | os.PathLike[str] | None = None) -> None:
        self.app = app
        self._strict = strict
        self._report = None if report is None else Path(report).absolute()
        self._root = os.getcwd()
        self._tally = Tally()
        self._open: list[_Open] = []
        self._crowded = CROWDED
        self._lock = threading.RLock()  # the garbage collector may make a session in the midst of our own work
        self._looking: weakref.WeakSet[asyncio.AbstractEventLoop] = weakref.WeakSet()
        self._stop = instrument.start(self)
        if self._report is not None:
            atexit.register(self.write)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer; then judge."""
        if scope["type"] not in ("http", "websocket"):
            try:
                await self.app(scope, receive, send)
            finally:  # the server's start and end: no request comes after that
                self._judge_open(at_end=True)
            return
        place = _Request(self, scope)
        token = PLACE.set(place)
        try:
            await self.app(scope, receive, send)
        finally:
            PLACE.reset(token)
            self._over(place)

    def leaks(self) -> tuple[Leak, ...]:
        """All so far."""
        self._judge_open()
        return self._tally.leaks(self._root)

    def stop(self) -> None:
        """Watch no longer; what is still open is judged now."""
        self._stop()
        self._judge_open(at_end=True)

    def write(self) -> None:
        """Write the report now. Raises nothing."""
        if self._report is None:
            return
        self._judge_open(at_end=True)
        try:
            content = leak_report.dumps(LeakReport(self._root, self._tally.leaks(self._root), self._strict))
            self._report.write_text(content, encoding="utf-8")
        except OSError as error:
            LOGGER.warning("%s: not written: %s", self._report, error.strerror or error)

    # --- sessions -----------------------------------------------------------------------------------------------------

    def made(self, record: Record) -> None:
        place = record.place
        if not isinstance(place, _Request) or place.owner is not self:
            return
        with self._lock:
            # a task that outlives its request goes on making sessions in its name
            if place.over:
                self._open.append(_Open(record, place))
                if len(self._open) >= self._crowded:
                    self._judge_open()
                    self._crowded = max(CROWDED, 2 * len(self._open))
            else:
                place.records.append(record)
                if len(place.records) >= place.crowded:
                    self._judge_settled(place)
                    place.crowded = max(CROWDED, 2 * len(place.records))
        if place.over:
            self._look_later()

    def _judge_settled(self, place: _Request) -> None:
        """A connection that stays open for days makes many of them."""
        judged, place.records = place.records, []
        for record in judged:
            if record.settled:
                self._judge(record, place)
            else:
                place.records.append(record)

    def _over(self, place: _Request) -> None:
        here = asyncio.current_task()
        with self._lock:
            place.end()
            self._open += [_Open(record, place, record.made_by(here)) for record in place.records]
            place.records = []
            self._judge_open()
        self._look_later()

    def _look_later(self) -> None:
        """See to it that those are judged that are not yet, when no other request comes."""
        with contextlib.suppress(RuntimeError, TypeError):  # there is no loop, or none that can be referred to
            loop = asyncio.get_running_loop()
            if self._open and loop not in self._looking:
                self._looking.add(loop)
                loop.call_later(GRACE, self._look, loop, context=contextvars.Context())

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        self._looking.discard(loop)
        self._judge_open()
        self._look_later()

    def _judge_open(self, *, at_end: bool = False) -> None:
        now = time.monotonic()
        with self._lock:
            judged, self._open = self._open, []
            for one in judged:
                if not at_end and self._may_change(one, now):
                    self._open.append(one)
                else:
                    self._judge(one.record, one.place)

    def _may_change(self, one: _Open, now: float) -> bool:
        if one.record.settled:
            return False
        if not one.by_request and one.record.at_work:
            one.idle_since = None
            return True
        if not one.record.alive or verdict(one.record, strict=self._strict) is None:
            return False
        if one.idle_since is None:
            one.idle_since = now
        return now - one.idle_since < GRACE

    def _judge(self, record: Record, place: Place) -> None:
        kind = verdict(record, strict=self._strict)
        if kind is not None and self._tally.add(record, kind, place.name):
            lines = ", called from ".join(table.place(frame) for frame in frames_of(record.frames[:2], self._root))
            LOGGER.warning("a session %s: %s, in %s", table.MEANING[kind], lines, place.name)


class _Request(Place):
    """A request, or the connection of a websocket."""

    __slots__ = ("_scope", "crowded", "owner")

    def __init__(self, owner: SessionLeaks, scope: Scope) -> None:
        super().__init__("")
        self.owner = owner
        self._scope: Scope | None = scope
        self.crowded = CROWDED

    @property
    def name(self) -> str:
        """Method and path: that of the route where it is known, as a path may hold what nobody may read in a log."""
        return self._name if self._scope is None else _named(self._scope)

    def end(self) -> None:
        """It is over; its scope is not needed any more."""
        self._name, self._scope, self.over = self.name, None, True


def _named(scope: Scope) -> str:
    path = getattr(scope.get("route"), "path", None)
    if not isinstance(path, str):
        path = str(scope.get("path", ""))
        for name, value in (scope.get("path_params") or {}).items():
            path = path.replace(f"/{value}", f"/{{{name}}}") if str(value) else path
    shown = f"{scope.get('method', 'WEBSOCKET')} {path}"
    # a line break would forge a line of the log
    shown = "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in shown[:PATH_SHOWN])
    return shown[:PATH_SHOWN]


class _Open:
    """A session of a request that is over, which may yet be closed."""

    __slots__ = ("by_request", "idle_since", "place", "record")

    def __init__(self, record: Record, place: _Request, by_request: bool = False) -> None:
        self.record = record
        self.place = place
        self.by_request = by_request  # made by the task that answered, which may go on with the next one
        self.idle_since: float | None = None  # what made it is done
