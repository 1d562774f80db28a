"""Runs one entry of a small application in the ways it can end, and says what came of it.

A program of its own: `python -I probe.py ENTRY ENDING,... FOLDER...`. ENTRY is a request path (`/notes`, posted to
`app.app`) or the name of a function of the module `app`. Imports the modules of every FOLDER anew for every ending,
makes a database file in it, and prints a JSON list with one object for each FOLDER: ending -> observation.

The garbage collector is off from the first line on: it would give back what a session that nobody closed still holds,
now or later. The process ends without cleaning up, since connections that leak keep their threads alive.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import importlib
import inspect
import json
import os
import sqlite3
import sys
import traceback
from collections.abc import MutableMapping
from pathlib import Path
from types import ModuleType
from typing import Any

Observation = dict[str, object]


class OutsideError(Exception):
    """What lies outside of the application has failed."""


class Outside:
    """The module `outside` that applications import. `ending` says how its `announce` ends what waits for it."""

    def __init__(self, ending: str) -> None:
        self.ending = ending
        self.reached = asyncio.Event()

    def module(self) -> ModuleType:
        made = ModuleType("outside")
        made.__dict__.update(announce=self.announce, announce_now=self.announce_now, look_up=self.look_up)
        return made

    async def announce(self) -> None:
        """Stands in the middle of the work: comes back, raises, or waits until its task is cancelled."""
        if self.ending == "raises":
            raise OutsideError
        if self.ending == "cancelled":
            self.reached.set()
            await asyncio.Event().wait()

    def announce_now(self) -> None:
        """The same for code that no task runs: there Ctrl-C takes the place of being cancelled."""
        if self.ending == "raises":
            raise OutsideError
        if self.ending == "interrupted":
            raise KeyboardInterrupt

    async def look_up(self) -> None:
        """Comes back after so many turns of the loop that an abandoned generator has been closed."""
        await _turns()


class Trial:
    """One application, freshly imported over a database of its own, and one way to end its entry."""

    def __init__(self, folder: Path, entry: str, ending: str) -> None:
        self.database_file = folder / f"{ending}.db"
        self.outside = Outside(ending)
        os.environ["DATABASE_FILE"] = str(self.database_file)
        for name in ("outside", *(path.stem for path in folder.glob("*.py"))):
            sys.modules.pop(name, None)
        sys.modules["outside"] = self.outside.module()
        sys.path.insert(0, str(folder))
        importlib.invalidate_caches()
        try:
            app, self.database = importlib.import_module("app"), importlib.import_module("database")
        finally:
            sys.path.remove(str(folder))
        self.database.Base.metadata.create_all(self.database.sync_engine)
        self.entry = entry if entry.startswith("/") else getattr(app, entry)
        self.application = getattr(app, "app", None)

    def checked_out(self) -> int:
        engines = (self.database.engine, self.database.sync_engine)
        return sum(engine.pool.checkedout() for engine in engines)

    def observe(self) -> Observation:
        """What came back or was raised, the connections still out then and a while later, and what was committed."""
        if isinstance(self.entry, str) or inspect.iscoroutinefunction(self.entry):
            outcome, at_once, later = asyncio.run(self._in_a_task())
        else:
            try:
                outcome = repr(self.entry())
            except BaseException as error:
                outcome = type(error).__name__
            at_once = later = self.checked_out()
        with contextlib.closing(sqlite3.connect(self.database_file)) as connection:
            committed = [text for (text,) in connection.execute("select text from note order by id")]
        return {"outcome": outcome, "out_at_once": at_once, "out_later": later, "committed": committed}

    async def _in_a_task(self) -> tuple[str, int, int]:
        task = asyncio.create_task(self._entered())
        if self.outside.ending == "cancelled":
            reached = asyncio.create_task(self.outside.reached.wait())
            await asyncio.wait({task, reached}, return_when=asyncio.FIRST_COMPLETED)
            reached.cancel()
            task.cancel()
        try:
            outcome = repr(await task)
        except BaseException as error:
            outcome = type(error).__name__
        at_once = self.checked_out()
        await _settled()
        return outcome, at_once, self.checked_out()

    async def _entered(self) -> object:
        if isinstance(self.entry, str):
            return await _post(self.application, self.entry)
        return await self.entry()


async def _post(application: Any, path: str) -> tuple[int, str]:
    """Status and body of one request, made without a client, a server or a task in between."""
    sent: list[MutableMapping[str, Any]] = []
    waiting = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> MutableMapping[str, Any]:
        if waiting:
            return waiting.pop()
        return await asyncio.get_running_loop().create_future()  # type: ignore[no-any-return]

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [],
        "client": ("client", 1),
        "server": ("server", 80),
    }
    await application(scope, receive, send)
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent).decode()


async def _settled() -> None:
    """Waits until nothing but this task is left: the loop closes abandoned generators in tasks of its own."""
    await _turns()
    while others := asyncio.all_tasks() - {asyncio.current_task()}:
        await asyncio.wait(others)
        await _turns()


async def _turns() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


def main(entry: str, endings: str, *folders: str) -> None:
    gc.disable()
    sys.dont_write_bytecode = True
    try:
        seen = [
            {ending: Trial(Path(folder), entry, ending).observe() for ending in endings.split(",")}
            for folder in folders
        ]
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    print(json.dumps(seen), flush=True)
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
