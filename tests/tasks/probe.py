"""Makes requests to an application of `tasks`, waits for what it has scheduled, and says what came of it all.

A program of its own: `python -I probe.py FRAMEWORK REQUESTS DATABASES SOCKET FOLDER...`. FRAMEWORK is a folder to
import FastAPI from, or "" for the installed one; REQUESTS are "METHOD PATH", with commas; DATABASES are names, with
commas; SOCKET is the folder of the PostgreSQL server's socket (only used for `postgresql`). Imports the modules of
every FOLDER anew for every database, which it makes and fills, and prints a JSON object: the version of FastAPI, and
for each FOLDER database -> observation.

The garbage collector is off from the first line on: it would give back what a session that nobody closed still holds.
The process ends without cleaning up, since connections that leak keep their threads alive.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import json
import os
import sys
import traceback
import uuid
import warnings
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

Observation = dict[str, object]
Rows = dict[tuple[str, str], dict[str, object]]


class Trial:
    """One application, freshly imported over a database of its own."""

    def __init__(self, folder: Path, url: str, sync_url: str) -> None:
        os.environ["DATABASE_URL"] = url
        os.environ["SYNC_DATABASE_URL"] = sync_url
        for path in folder.glob("*.py"):
            sys.modules.pop(path.stem, None)
        sys.path.insert(0, str(folder))
        importlib.invalidate_caches()
        try:
            self.app, self.database, self.mail = map(importlib.import_module, ("app", "database", "mail"))
        finally:
            sys.path.remove(str(folder))
        self.tasks: list[asyncio.Task[Any]] = []
        self.failures: list[BaseException] = []

    async def observe(self, requests: list[str]) -> Observation:
        """The responses, what was written and sent, the exceptions, and the connections that are still out."""
        async with self.database.engine.begin() as connection:
            await connection.run_sync(self.database.Base.metadata.create_all)
            for table, rows in self.database.ROWS.items():
                await connection.execute(table.insert(), rows)
        before = await self._rows()
        asyncio.get_running_loop().set_task_factory(self._start)
        responses = [await self._respond(*request.split(" ")) for request in requests]
        # before the rows are read again: that takes a connection, too
        out = sum(one.pool.checkedout() for one in (self.database.engine, self.database.sync_engine))
        written = list(_differences(before, await self._rows()))
        failed = [type(error).__name__ for error in self.failures]
        why = "".join("".join(traceback.format_exception(error)) for error in self.failures)
        sent = list(self.mail.sent)
        return {"responses": responses, "written": written, "sent": sent, "failed": failed, "out": out, "why": why}

    async def _respond(self, method: str, path: str) -> str:
        """Status and body, when all that the request has set going is over."""
        httpx = importlib.import_module("httpx")
        transport = httpx.ASGITransport(app=self._application, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://server") as client:
            response = await client.request(method, path)
        while unfinished := [task for task in self.tasks if not task.done()]:
            await asyncio.wait(unfinished)
        self.failures += [error for task in self.tasks if not task.cancelled() and (error := task.exception())]
        self.tasks.clear()
        return f"{response.status_code} {response.text}"

    async def _application(self, scope: Any, receive: Any, send: Callable[[Any], Awaitable[None]]) -> None:
        try:
            await self.app.app(scope, receive, send)
        except Exception as error:
            self.failures.append(error)
            raise

    def _start(self, loop: asyncio.AbstractEventLoop, coroutine: Any, **how: Any) -> asyncio.Task[Any]:
        task = asyncio.Task(coroutine, loop=loop, **how)
        self.tasks.append(task)
        return task

    async def _rows(self) -> Rows:
        """All rows, by table and key."""
        rows: Rows = {}
        async with self.database.engine.connect() as connection:
            for table in self.database.ROWS:
                for row in await connection.execute(table.select()):
                    columns = dict(row._mapping)
                    key = ", ".join(str(columns.pop(column.name)) for column in table.primary_key.columns)
                    rows[table.name, key] = columns
        return rows


def _differences(before: Rows, after: Rows) -> list[str]:
    """A line for each row that was added or changed (with the columns that were), or is gone."""
    said = [f"{table} {key} is gone" for table, key in before.keys() - after.keys()]
    for (table, key), columns in after.items():
        old = before.get((table, key), {})
        new = [f"{name}={value!r}" for name, value in columns.items() if name not in old or old[name] != value]
        if new:
            said.append(f"{table} {key}: {', '.join(new)}")
    return sorted(said)


async def _urls(database: str, folder: Path, socket: str) -> tuple[str, str]:
    """Of a database that nobody has used, for async and for sync engines. Nobody waits long for a lock in it."""
    if database == "sqlite":
        return f"sqlite+aiosqlite:///{folder}/trial.db?timeout=1", f"sqlite:///{folder}/trial.db?timeout=1"
    asyncpg = importlib.import_module("asyncpg")  # not installed where no PostgreSQL is
    name = f"trial_{uuid.uuid4().hex}"
    connection = await asyncpg.connect(host=socket, user="postgres", database="postgres")
    await connection.execute(f"create database {name}")
    await connection.execute(f"alter database {name} set lock_timeout = '1s'")
    await connection.close()
    return f"postgresql+asyncpg://postgres@/{name}?host={socket}", "sqlite://"


async def _observed(folder: Path, requests: list[str], database: str, socket: str) -> Observation:
    for old in folder.glob("trial.db*"):  # of the same files under another framework
        old.unlink()
    return await Trial(folder, *await _urls(database, folder, socket)).observe(requests)


def main(framework: str, requests: str, databases: str, socket: str, *folders: str) -> None:
    gc.disable()
    sys.dont_write_bytecode = True
    warnings.simplefilter("ignore")
    if framework:
        sys.path.insert(0, framework)
    try:
        version = importlib.import_module("fastapi").__version__
        seen = [
            {
                name: asyncio.run(_observed(Path(folder), requests.split(","), name, socket))
                for name in databases.split(",")
            }
            for folder in folders
        ]
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    print(json.dumps({"fastapi": version, "seen": seen}), flush=True)
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
