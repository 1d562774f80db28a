"""Runs an application of `leaving` on its databases, and says what came of it.

A program of its own: `python -I probe.py ENTRY DATABASES SOCKET FOLDER...`. ENTRY is a function of the module `app`, or
the path of a GET request to `app.app`; DATABASES are names, with commas; SOCKET is the folder of the PostgreSQL
server's socket (only used for `postgresql`). Imports the modules of every FOLDER anew for every database, which it
makes and fills, and prints a JSON list with one object for each FOLDER: database -> observation.

The garbage collector is off from the first line on: it would give back what a session that nobody closed still holds.
The process ends without cleaning up, since connections that leak keep their threads alive.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import inspect
import json
import os
import sys
import traceback
import uuid
import warnings
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

from sqlalchemy import event, select

Observation = dict[str, object]


class Trial:
    """One application, freshly imported over a database of its own."""

    def __init__(self, folder: Path, entry: str, url: str, sync_url: str) -> None:
        os.environ["DATABASE_URL"] = url
        os.environ["SYNC_DATABASE_URL"] = sync_url
        for path in folder.glob("*.py"):
            sys.modules.pop(path.stem, None)
        sys.path.insert(0, str(folder))
        importlib.invalidate_caches()
        try:
            self.app, self.database = importlib.import_module("app"), importlib.import_module("database")
        finally:
            sys.path.remove(str(folder))
        self.entry = entry
        self.statements: list[str] = []

    async def observe(self) -> Observation:
        """What was returned or raised, the statements in their order, the rows, and the connections still out."""
        engine = self.database.engine
        async with engine.begin() as connection:
            await connection.run_sync(self.database.Base.metadata.create_all)
            for table, rows in self.database.ROWS.items():
                await connection.execute(table.insert(), rows)
        for listened in (engine.sync_engine, self.database.sync_engine):
            event.listen(listened, "before_cursor_execute", self._executes)
            event.listen(listened, "commit", lambda connection: self.statements.append("COMMIT"))
        observation = await self._outcome()
        statements = list(self.statements)
        out = sum(one.pool.checkedout() for one in (engine, self.database.sync_engine))
        async with engine.connect() as connection:
            rows_left = {
                table.name: sorted(repr(tuple(row)) for row in await connection.execute(select(table)))
                for table in self.database.ROWS
            }
        return {**observation, "statements": statements, "rows": rows_left, "out": out}

    async def _outcome(self) -> Observation:
        try:
            if self.entry.startswith("/"):
                found: object = await _get(self.app.app, self.entry)
            else:
                found = getattr(self.app, self.entry)()
                found = await found if inspect.isawaitable(found) else found
        except Exception as error:
            return {"returned": "", "raised": type(error).__name__, "why": "".join(traceback.format_exception(error))}
        return {"returned": repr(found), "raised": "", "why": ""}

    def _executes(self, connection: Any, cursor: Any, statement: str, parameters: Any, *how: Any) -> None:
        self.statements.append(f"{' '.join(statement.split())} {parameters!r}")


async def _get(application: Any, path: str) -> tuple[int, str]:
    """Status and body of one request, made without a client, a server or a task in between."""
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    scope = {"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "http"}
    addressed = {"path": path, "raw_path": path.encode(), "root_path": "", "query_string": b"", "headers": []}
    await application({**scope, **addressed, "client": ("client", 1), "server": ("server", 80)}, receive, send)
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent).decode()


async def _urls(database: str, folder: Path, socket: str) -> tuple[str, str]:
    """Of a database that nobody has used, for async and for sync engines."""
    if database == "sqlite":
        return f"sqlite+aiosqlite:///{folder}/async.db", f"sqlite:///{folder}/async.db"
    asyncpg = importlib.import_module("asyncpg")  # not installed where no PostgreSQL is
    name = f"trial_{uuid.uuid4().hex}"
    connection = await asyncpg.connect(host=socket, user="postgres", database="postgres")
    await connection.execute(f"create database {name}")
    await connection.close()
    return f"postgresql+asyncpg://postgres@/{name}?host={socket}", "sqlite://"


async def _observed(folder: Path, entry: str, database: str, socket: str) -> Observation:
    return await Trial(folder, entry, *await _urls(database, folder, socket)).observe()


def main(entry: str, databases: str, socket: str, *folders: str) -> None:
    gc.disable()
    sys.dont_write_bytecode = True
    warnings.simplefilter("ignore")
    try:
        seen = [
            {name: asyncio.run(_observed(Path(folder), entry, name, socket)) for name in databases.split(",")}
            for folder in folders
        ]
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    print(json.dumps(seen), flush=True)
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
