"""The databases that the proof runs on: a SQLite file, and a PostgreSQL server of its own. Each trial gets a copy.

`Database.template` is to be filled once; nothing may be connected to it when it is copied.
"""

from __future__ import annotations

import contextlib
import importlib
import shutil
import sqlite3
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

from leaving import postgres

TEMPLATE = "template_office"
LINGERING = 1.0  # seconds after which a transaction in which nothing happens is counted as lingering

Row = Mapping[str, Any]


class Database(Protocol):
    """Databases of one kind, by their names."""

    kind: str

    def url(self, name: str) -> str:
        """What the application is to be told."""

    async def copy(self, name: str) -> None:
        """Makes a database with what the template has."""

    async def rows(self, name: str, query: str) -> list[Row]:
        """What a query gives, asked by a connection of our own."""

    async def idle(self, name: str) -> tuple[int, int] | None:
        """Transactions in which nothing happens, and those of them that linger. None where the server cannot tell."""


class SQLite:
    """Files in a folder."""

    kind = "sqlite"

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def url(self, name: str) -> str:
        return f"sqlite+aiosqlite:///{self._file(name).as_posix()}"

    async def copy(self, name: str) -> None:
        shutil.copyfile(self._file(TEMPLATE), self._file(name))

    async def rows(self, name: str, query: str) -> list[Row]:
        with contextlib.closing(sqlite3.connect(self._file(name))) as connection:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute(query)]

    async def idle(self, name: str) -> None:
        return None

    def _file(self, name: str) -> Path:
        return self.folder / f"{name}.db"


class PostgreSQL:
    """Databases of the server behind a socket."""

    kind = "postgresql"

    def __init__(self, socket: str, administrator: Any) -> None:
        self.socket = socket
        self.administrator = administrator

    def url(self, name: str) -> str:
        return f"postgresql+asyncpg://postgres@/{name}?host={self.socket}"

    async def copy(self, name: str) -> None:
        await self.administrator.execute(f"create database {name} template {TEMPLATE}")

    async def rows(self, name: str, query: str) -> list[Row]:
        connection = await _connect(self.socket, name)
        try:
            return [dict(row) for row in await connection.fetch(query)]
        finally:
            await connection.close()

    async def idle(self, name: str) -> tuple[int, int]:
        lingers = "clock_timestamp() - state_change > make_interval(secs => $2)"
        row = await self.administrator.fetchrow(
            f"select count(*) as idle, count(*) filter (where {lingers}) as lingering"
            " from pg_stat_activity where datname = $1 and state like 'idle in transaction%'",
            name,
            LINGERING,
        )
        return row["idle"], row["lingering"]


@contextlib.contextmanager
def server(kind: str) -> Iterator[str]:
    """Where the databases of this kind get in: the socket of a server that ends with the block, or "" without one.

    Raises `postgres.NoServer`.
    """
    if kind == "sqlite":
        yield ""
        return
    with postgres.server() as socket:
        yield socket


@contextlib.asynccontextmanager
async def opened(kind: str, socket: str, folder: Path) -> AsyncIterator[Database]:
    """The databases of this kind, with an empty template."""
    if kind == "sqlite":
        yield SQLite(folder)
        return
    administrator = await _connect(socket, "postgres")
    try:
        await administrator.execute(f"create database {TEMPLATE}")
        yield PostgreSQL(socket, administrator)
    finally:
        await administrator.close()


async def _connect(socket: str, name: str) -> Any:
    # not installed where no PostgreSQL is
    return await importlib.import_module("asyncpg").connect(host=socket, user="postgres", database=name)
