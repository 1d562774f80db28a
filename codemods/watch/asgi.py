"""ASGI middleware that tells which line made a session that a request did not give back. Logs, and changes no answer.

    app.add_middleware(SessionLeaks)

A request is over when the application returns: after its background tasks and the ends of its dependencies. Leaks go to
the logger `session_leaks` as warnings, each line of the program once, and to `report` as JSON when the server ends.
"""

from __future__ import annotations

import asyncio
import atexit
import logging
import os
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
        self._open: list[tuple[Record, Place]] = []
        self._stop = instrument.start(self)
        if self._report is not None:
            atexit.register(self.write)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer; then judge."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        place = Place(f"{scope.get('method', 'WEBSOCKET')} {scope.get('path', '')}")
        token = PLACE.set(place)
        try:
            await self.app(scope, receive, send)
        finally:
            PLACE.reset(token)
            self._over(place)

    def leaks(self) -> tuple[Leak, ...]:
        """All so far."""
        self._judge_open(at_end=False)
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
        if place is None:
            return
        # a task that outlives its request goes on making sessions in its name
        if place.over:
            self._open.append((record, place))
        else:
            place.records.append(record)

    def _over(self, place: Place) -> None:
        place.over = True
        here = asyncio.current_task()
        for record in place.records:
            # what a thread made, it made for the answer; only another task can still be at work
            if record.task_over is False and not record.made_by(here):
                self._open.append((record, place))
            else:
                self._judge(record, place)
        place.records.clear()
        self._judge_open(at_end=False)

    def _judge_open(self, at_end: bool) -> None:
        judged, self._open = self._open, []
        for record, place in judged:
            if not at_end and record.task_over is False and record.alive:
                self._open.append((record, place))
            else:
                self._judge(record, place)

    def _judge(self, record: Record, place: Place) -> None:
        kind = verdict(record, strict=self._strict)
        if kind is not None and self._tally.add(record, kind, place.name):
            lines = ", called from ".join(table.place(frame) for frame in frames_of(record.frames[:2], self._root))
            LOGGER.warning("a session %s: %s, in %s", table.MEANING[kind], lines, place.name)
