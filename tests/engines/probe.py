"""Makes the engines of an application of `engines`, has it answer, and says what came of it all.

A program of its own: `python -I probe.py WANTED`. WANTED is a JSON object: `sqlalchemy`, a folder to import it from,
or "" for the installed one; `engines`, the names of the engines in the module `database`; `databases`, by name;
`socket`, the folder of the PostgreSQL server's socket; `environment`, variables; and `folders`. Imports the modules of
every folder anew for every database, which it makes and fills, and prints a JSON object: the version of SQLAlchemy,
and for each folder database -> observation.

The process ends without cleaning up, since connections that leak keep their threads alive.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import inspect
import json
import os
import sys
import time
import traceback
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

Observation = dict[str, object]

LATER = 7200  # seconds: longer than connections are kept


class Trial:
    """One application, freshly imported over a database of its own."""

    def __init__(self, folder: Path, engines: list[str]) -> None:
        self.folder, self.names = folder, engines
        self.engines: dict[str, Any] = {}
        self.answers: dict[str, str] = {}
        self.why = ""

    async def observe(self, cut: Callable[[], Awaitable[None]] | None) -> Observation:
        """The pools, and the answers: when just made, two hours later, and when the server has cut all connections."""
        with _movable_clock() as move:
            if await self._answer("made", self._make):
                await self._answer("at once", self.app.main)
                move(LATER)
                await self._answer("later", self.app.main)
                await self._answer("rows", self._rows)
                if cut is not None:
                    await cut()
                    await self._answer("cut", self.app.main)
        pools = {name: _described(engine.pool) for name, engine in self.engines.items()}
        return {"pools": pools, "answers": self.answers, "why": self.why}

    async def _answer(self, stage: str, doing: Callable[[], Any]) -> bool:
        """Keeps what it answers, or that it raises; whether it answers."""
        try:
            found = doing()
            self.answers[stage] = str(await found if inspect.isawaitable(found) else found)
        except Exception as error:
            # what the driver raised, where SQLAlchemy has wrapped it
            cause = getattr(error, "orig", None) or error
            self.answers[stage] = f"raised {type(cause).__name__}"
            self.why += "".join(traceback.format_exception(error))
            return False
        return True

    async def _make(self) -> list[Any]:
        """Imports all of it, fills the first engine's database, and asks every engine for a number."""
        for path in self.folder.glob("*.py"):
            sys.modules.pop(path.stem, None)
        sys.path.insert(0, str(self.folder))
        importlib.invalidate_caches()
        try:
            self.database = importlib.import_module("database")
            self.models = importlib.import_module("models")
            self.app = importlib.import_module("app")
        finally:
            sys.path.remove(str(self.folder))
        self.engines = {name: getattr(self.database, name) for name in self.names}
        first = self.engines[self.names[0]]
        await _with(first, self.models.Base.metadata.create_all, begin=True)
        await _with(first, lambda connection: connection.execute(self.models.Item.__table__.insert(), ROWS), begin=True)
        text = importlib.import_module("sqlalchemy").text
        return [
            await _with(engine, lambda connection: connection.scalar(text("select 1")))
            for engine in self.engines.values()
        ]

    async def _rows(self) -> list[list[Any]]:
        """All rows of the table, as they are now."""
        table = self.models.Item.__table__
        select = table.select().order_by(table.c.id)
        rows = await _with(self.engines[self.names[0]], lambda connection: connection.execute(select).all())
        return [list(row) for row in rows]


ROWS = [{"name": "tea"}, {"name": "rye"}]


async def _with(engine: Any, doing: Callable[[Any], Any], *, begin: bool = False) -> Any:
    """What that gives with a connection of an engine of either kind, in a transaction that commits if `begin`."""
    if hasattr(engine, "sync_engine"):
        async with engine.begin() if begin else engine.connect() as connection:
            return await connection.run_sync(doing)
    with engine.begin() if begin else engine.connect() as connection:
        return doing(connection)


def _described(pool: Any) -> dict[str, Any]:
    """The class of a pool, and by the names of the options what it was told."""
    found = {
        "class": type(pool).__name__,
        "pool_pre_ping": pool._pre_ping,
        "pool_recycle": pool._recycle,
        "echo_pool": pool._should_log_info(),
    }
    if hasattr(pool, "_max_overflow"):
        found |= {"pool_size": pool.size(), "max_overflow": pool._max_overflow, "pool_timeout": pool._timeout}
    return found


@contextlib.contextmanager
def _movable_clock() -> Iterator[Callable[[float], None]]:
    """Gives what puts the clock forward that pools read the age of their connections from."""
    real, ahead = time.time, 0.0

    def move(seconds: float) -> None:
        nonlocal ahead
        ahead += seconds

    time.time = lambda: real() + ahead
    try:
        yield move
    finally:
        time.time = real


@contextlib.asynccontextmanager
async def _administrator(socket: str, database: str = "postgres") -> AsyncIterator[Any]:
    asyncpg = importlib.import_module("asyncpg")  # not installed where no PostgreSQL is
    connection = await asyncpg.connect(host=socket, user="postgres", database=database)
    try:
        yield connection
    finally:
        await connection.close()


async def _empty(socket: str) -> None:
    """Makes the database DATABASE, or takes out of it what the last trial has left: making one takes its time."""
    async with _administrator(socket) as connection:
        if not await connection.fetchval("select count(*) from pg_database where datname = $1", DATABASE):
            await connection.execute(f"create database {DATABASE}")
    await _cut(socket)
    async with _administrator(socket, DATABASE) as connection:
        await connection.execute("drop table if exists items")


async def _cut(socket: str) -> None:
    """Has the server end all connections to the database, and their other ends notice."""
    async with _administrator(socket) as connection:
        await connection.execute(f"select pg_terminate_backend(pid) {CONNECTIONS}", DATABASE)
        while await connection.fetchval(f"select count(*) {CONNECTIONS}", DATABASE):
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)


DATABASE = "trial"
CONNECTIONS = "from pg_stat_activity where datname = $1"


async def _observed(folder: Path, wanted: dict[str, Any], database: str) -> Observation:
    for old in folder.glob("trial.db*"):  # of the same files under another SQLAlchemy
        old.unlink()
    os.chdir(folder)
    trial = Trial(folder, wanted["engines"])
    if database != "postgresql":
        path = "/trial.db" if database == "sqlite_file" else ""
        os.environ["DATABASE_URL"] = f"sqlite+aiosqlite://{path}"
        os.environ["SYNC_DATABASE_URL"] = f"sqlite://{path}"
        return await trial.observe(None)
    socket = wanted["socket"]
    await _empty(socket)
    os.environ["DATABASE_URL"] = f"postgresql+asyncpg://postgres@/{DATABASE}?host={socket}"
    # what a URL does not say, asyncpg takes from here
    os.environ |= {"PGHOST": socket, "PGUSER": "postgres", "PGDATABASE": DATABASE}
    return await trial.observe(lambda: _cut(socket))


def main(text: str) -> None:
    wanted = json.loads(text)
    warnings.simplefilter("ignore")
    if wanted["sqlalchemy"]:
        sys.path.insert(0, wanted["sqlalchemy"])
    os.environ |= wanted["environment"]
    try:
        version = importlib.import_module("sqlalchemy").__version__
        seen = [
            {name: asyncio.run(_observed(Path(folder), wanted, name)) for name in wanted["databases"]}
            for folder in wanted["folders"]
        ]
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    print(json.dumps({"sqlalchemy": version, "seen": seen}), flush=True)
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1])
