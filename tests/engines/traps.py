"""The table of traps: engines and makers that an obvious change breaks.

Every trap carries the change that looks right, to show that a trial would notice it; the tool must not make it.
"""

from __future__ import annotations

from typing import Any

from engines.applications import (
    EVERY_DATABASE,
    FILE,
    LIVENESS,
    MEMORY,
    POSTGRESQL,
    SERVERS,
    SERVERS_AND_FILES,
    SHOWS,
    SIZES,
    SYNC_APP,
    Situation,
    Trap,
)
from engines.versions import FILES_UNPOOLED, INSTALLED

TRIED = (INSTALLED, FILES_UNPOOLED)


def trap(
    name: str,
    code: str,
    *changes: tuple[str, str],
    at: str,
    shows: str,
    databases: tuple[str, ...] = (POSTGRESQL, FILE),
    versions: tuple[str, ...] = TRIED,
    noticed_on: tuple[tuple[str, str], ...] = (),
    because: str = "",
    answers: str = SHOWS,
    **others: Any,
) -> Trap:
    """A trap whose wrong change replaces code of the module `database`, where it stands once.

    Noticed everywhere, if not said.
    """
    changed = code
    for old, new in changes:
        assert changed.count(old) == 1, (name, old)
        changed = changed.replace(old, new)
    everywhere = tuple((version, database) for version in versions for database in databases)
    situation = Situation(name=name, database=code, databases=databases, versions=versions, shows=answers, **others)
    wrong = {"database.py": changed}
    return Trap(
        situation=situation, wrong=wrong, stage=at, shows=shows, noticed_on=noticed_on or everywhere, because=because
    )


MADE, AT_ONCE, LATER = "made", "at once", "later"

FROM_ENVIRONMENT = """
import os

from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine

engine = create_async_engine(os.environ["DATABASE_URL"])
async_session = async_sessionmaker(engine, expire_on_commit=False)
"""
CONFTEST = """
import os

os.environ["DATABASE_URL"] = "sqlite+aiosqlite://"
"""
UNPOOLED = """
import os

from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.pool import NullPool

engine = create_async_engine(os.environ["DATABASE_URL"], poolclass=NullPool)
async_session = async_sessionmaker(engine, expire_on_commit=False)
"""
ONE_CONNECTION = """
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.pool import StaticPool

engine = create_async_engine("postgresql+asyncpg://", poolclass=StaticPool)
async_session = async_sessionmaker(engine, expire_on_commit=False)
"""
BRANCH = """
import os

from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine

url = os.environ["DATABASE_URL"]
engine = create_async_engine(url, **({} if url.startswith("sqlite") else {"pool_size": 20, "pool_recycle": 600}))
async_session = async_sessionmaker(engine, expire_on_commit=False)
"""
OPTIONS_OF_A_FUNCTION = """
import os
from typing import Any

from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine


def pool_options(url: str) -> dict[str, Any]:
    if url.startswith("sqlite"):
        return {}
    return {"pool_size": 20, "pool_pre_ping": True}


engine = create_async_engine(os.environ["DATABASE_URL"], **pool_options(os.environ["DATABASE_URL"]))
async_session = async_sessionmaker(engine, expire_on_commit=False)
"""
OPTIONS_OF_TWO = """
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.pool import NullPool

OPTIONS = {"echo": False}
engine = create_async_engine("postgresql+asyncpg://", **OPTIONS)
maintenance = create_async_engine("postgresql+asyncpg://", poolclass=NullPool, **OPTIONS)
async_session = async_sessionmaker(engine, expire_on_commit=False)
"""
OPTIONS_FOR_MORE = """
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine

OPTIONS = {"echo": False}


def banner(*, echo: bool) -> str:
    return "loud" if echo else "quiet"


BANNER = banner(**OPTIONS)
engine = create_async_engine("postgresql+asyncpg://", **OPTIONS)
async_session = async_sessionmaker(engine, expire_on_commit=False)
"""
CONFIGURED = """
import os

from sqlalchemy.ext.asyncio import async_engine_from_config, async_sessionmaker

config = {"sqlalchemy.url": os.environ["DATABASE_URL"]}
if not os.environ["DATABASE_URL"].startswith("sqlite"):
    config["sqlalchemy.pool_size"] = "20"
engine = async_engine_from_config(config)
async_session = async_sessionmaker(engine, expire_on_commit=False)
"""
OWN_POOL = """
import os

from sqlalchemy import create_engine
from sqlalchemy.orm import sessionmaker
from sqlalchemy.pool import QueuePool

import drivers

engine = create_engine(os.environ["SYNC_DATABASE_URL"], pool=QueuePool(drivers.connect))
new_session = sessionmaker(engine)
"""
DRIVERS = """
import os
import sqlite3


def connect() -> sqlite3.Connection:
    return sqlite3.connect(os.environ["SYNC_DATABASE_URL"].removeprefix("sqlite:///"))
"""
OWN_FUNCTION = """
import os

from sqlalchemy.ext import asyncio
from sqlalchemy.ext.asyncio import AsyncEngine, async_sessionmaker


def create_async_engine(url: str) -> AsyncEngine:
    return asyncio.create_async_engine(url, pool_pre_ping=True, pool_recycle=60, echo_pool=False)


engine = create_async_engine(os.environ["DATABASE_URL"])
async_session = async_sessionmaker(engine, expire_on_commit=False)
"""
DEFAULT_IN_MEMORY = """
import os

from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine

engine = create_async_engine(os.getenv("APP_DATABASE_URL", "sqlite+aiosqlite:///:memory:"))
async_session = async_sessionmaker(engine, expire_on_commit=False)
"""
IN_MEMORY = """
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine

engine = create_async_engine("sqlite+aiosqlite://")
async_session = async_sessionmaker(engine, expire_on_commit=False)
"""
# what the tasks have loaded is changed with their session: they cannot have sessions of their own
GATHERED = """
import asyncio

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from database import async_session
from models import Item


async def find(session: AsyncSession, name: str) -> Item | None:
    return await session.scalar(select(Item).where(Item.name == name))


async def main() -> list[str]:
    async with async_session() as session:
        items = [one for one in await asyncio.gather(*[find(session, one) for one in ("tea", "rye")]) if one]
        for item in items:
            item.name = item.name.lower()
        await session.commit()
        return [item.name for item in items]
"""
SYNC_MAKER = """
import os

from sqlalchemy import create_engine
from sqlalchemy.orm import sessionmaker

engine = create_engine(os.environ["SYNC_DATABASE_URL"], pool_pre_ping=True, pool_recycle=3600)
new_session = sessionmaker(engine)
"""
REREADS = """
from database import new_session
from models import Item


def main() -> str:
    with new_session() as session:
        item = session.get_one(Item, 1)
        item.name = "tea"
        session.commit()
        with new_session() as other:
            other.get_one(Item, 1).name = "coffee"
            other.commit()
        return item.name
"""
MAKER_OPTIONS = """
import os

from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine

engine = create_async_engine(os.environ["DATABASE_URL"], pool_pre_ping=True, pool_recycle=3600)
OPTIONS = {"autoflush": False, "expire_on_commit": False}
async_session = async_sessionmaker(engine, **OPTIONS)
"""

WRONG_ARGUMENT = "raised TypeError"

ENGINES = (
    # SQLAlchemy chooses the pool by the URL: that of memory takes no size, and in old versions that of a file
    trap(
        "sizes_for_a_url_of_the_environment",
        FROM_ENVIRONMENT,
        ('"])', '"], pool_size=5, max_overflow=10, pool_timeout=30)'),
        because="aiosqlite is among the declared drivers",
        at=MADE,
        shows=WRONG_ARGUMENT,
        noticed_on=(
            *((version, MEMORY) for version in TRIED),
            (FILES_UNPOOLED, FILE),
        ),
        requirements=SERVERS_AND_FILES,
        written={"engine": LIVENESS},
        databases=EVERY_DATABASE,
        forgets=(MEMORY,),
    ),
    trap(
        "sizes_for_a_url_that_tests_replace",
        FROM_ENVIRONMENT,
        ('"])', '"], pool_size=5, max_overflow=10, pool_timeout=30)'),
        because="conftest.py:3 names SQLite",
        at=MADE,
        shows=WRONG_ARGUMENT,
        requirements=SERVERS,
        others={"conftest.py": CONFTEST},
        written={"engine": LIVENESS},
        databases=(MEMORY,),
        forgets=(MEMORY,),
    ),
    trap(
        "sizes_without_a_pool",
        UNPOOLED,
        ("=NullPool)", "=NullPool, pool_size=5)"),
        because="NullPool",
        at=MADE,
        shows=WRONG_ARGUMENT,
    ),
    trap(
        "sizes_for_the_only_connection",
        ONE_CONNECTION,
        ("=StaticPool)", "=StaticPool, max_overflow=10)"),
        because="StaticPool",
        at=MADE,
        shows=WRONG_ARGUMENT,
        databases=(POSTGRESQL,),
    ),
    trap(
        "sizes_beside_a_pool_that_is_there",
        OWN_POOL,
        ("drivers.connect))", "drivers.connect), pool_size=5)"),
        because="the pool is made by hand (`pool=`)",
        at=MADE,
        shows=WRONG_ARGUMENT,
        app=SYNC_APP,
        others={"drivers.py": DRIVERS},
        databases=(FILE,),
    ),
    trap(
        "liveness_beside_a_pool_that_is_there",
        OWN_POOL,
        ("drivers.connect))", "drivers.connect), pool_pre_ping=True)"),
        because="the pool is made by hand (`pool=`)",
        at=MADE,
        shows=WRONG_ARGUMENT,
        app=SYNC_APP,
        others={"drivers.py": DRIVERS},
        databases=(FILE,),
    ),
    trap(
        "pool_of_engines_that_are_not_async",
        FROM_ENVIRONMENT,
        ('"])', '"], poolclass=QueuePool, pool_size=5)'),
        ("create_async_engine\n\n", "create_async_engine\nfrom sqlalchemy.pool import QueuePool\n\n"),
        at=MADE,
        shows="raised ArgumentError",
        written={"engine": LIVENESS},
    ),
    trap(
        "expiry_for_the_engine",
        FROM_ENVIRONMENT.replace("engine, expire_on_commit=False", "engine"),
        ('"])', '"], expire_on_commit=False)'),
        at=MADE,
        shows=WRONG_ARGUMENT,
        written={"engine": LIVENESS},
        makers=1,
    ),
    trap(
        "pool_options_for_the_maker",
        FROM_ENVIRONMENT,
        ("engine, expire", "engine, pool_pre_ping=True, expire"),
        at=AT_ONCE,
        shows=WRONG_ARGUMENT,
        written={"engine": LIVENESS},
    ),
    trap(
        "options_of_a_branch_once_more",
        BRANCH,
        ("create_async_engine(url, ", "create_async_engine(url, pool_recycle=3600, "),
        because="under a condition (line 6)",
        at=MADE,
        shows=WRONG_ARGUMENT,
        noticed_on=tuple((version, POSTGRESQL) for version in TRIED),
        requirements=SERVERS_AND_FILES,
        written={"engine": {"pool_pre_ping": True}},
    ),
    trap(
        "options_of_a_function_once_more",
        OPTIONS_OF_A_FUNCTION,
        (", **pool_options", ", pool_pre_ping=True, **pool_options"),
        because="`**pool_options(",
        at=MADE,
        shows=WRONG_ARGUMENT,
        noticed_on=tuple((version, POSTGRESQL) for version in TRIED),
    ),
    trap(
        "sizes_in_options_of_another_engine_without_a_pool",
        OPTIONS_OF_TWO,
        ('{"echo": False}', '{"echo": False, "pool_size": 5}'),
        at=MADE,
        shows=WRONG_ARGUMENT,
        engines=("engine", "maintenance"),
        written={"engine": {**SIZES, **LIVENESS}},
        databases=(POSTGRESQL,),
    ),
    trap(
        "options_that_another_function_takes",
        OPTIONS_FOR_MORE,
        ('{"echo": False}', '{"echo": False, "pool_pre_ping": True}'),
        at=MADE,
        shows=WRONG_ARGUMENT,
        written={"engine": {**SIZES, **LIVENESS}},
        databases=(POSTGRESQL,),
    ),
    # keywords override what the configuration says
    trap(
        "sizes_over_those_of_a_configuration",
        CONFIGURED,
        ("from_config(config)", "from_config(config, pool_size=5)"),
        because="its options come from the configuration",
        at="pools",
        shows="pool_size is 5 and not 20",
        databases=(POSTGRESQL,),
    ),
    trap(
        "sizes_over_the_pool_of_a_configuration",
        CONFIGURED,
        ("from_config(config)", "from_config(config, pool_size=5)"),
        at=MADE,
        shows=WRONG_ARGUMENT,
        databases=(MEMORY,),
    ),
    trap(
        "options_for_a_function_of_that_name",
        OWN_FUNCTION,
        (
            'create_async_engine(os.environ["DATABASE_URL"]',
            'create_async_engine(os.environ["DATABASE_URL"], pool_size=5',
        ),
        at=MADE,
        shows=WRONG_ARGUMENT,
    ),
)

MEMORIES = (
    # its only connection is the database: with the connection that is too old goes all that is in it
    trap(
        "age_of_a_database_in_memory",
        IN_MEMORY,
        ('sqlite://")', 'sqlite://", pool_recycle=3600)'),
        because="SQLite",
        at=LATER,
        shows="raised OperationalError",
        databases=(MEMORY,),
    ),
    trap(
        "age_of_a_database_in_memory_by_default",
        DEFAULT_IN_MEMORY,
        (':memory:"))', ':memory:"), pool_recycle=3600)'),
        because="pool_recycle is left out: database.py:5 names a database in memory",
        at=LATER,
        shows="raised OperationalError",
        written={"engine": {"pool_pre_ping": True}},
        databases=(MEMORY,),
    ),
)

# the first task waits for the connection, and the others find their session busy with that (semantics F2): not only
# where connections are tried before use, but also where one is too old
SHARED = (
    trap(
        "pings_before_tasks_that_share_a_session",
        FROM_ENVIRONMENT,
        ('"])', '"], pool_pre_ping=True)'),
        because="pool_pre_ping, pool_recycle are not added: app.py:16 uses one session in several tasks",
        at=AT_ONCE,
        shows="raised IllegalStateChangeError",
        app=GATHERED,
        answers="['tea', 'rye']",
        databases=(POSTGRESQL,),
    ),
    trap(
        "age_before_tasks_that_share_a_session",
        FROM_ENVIRONMENT,
        ('"])', '"], pool_recycle=3600)'),
        at=LATER,
        shows="raised IllegalStateChangeError",
        app=GATHERED,
        answers="['tea', 'rye']",
        databases=(POSTGRESQL,),
    ),
)

MAKERS = (
    trap(
        "expiry_of_sessions_that_are_not_async",
        SYNC_MAKER,
        ("sessionmaker(engine)", "sessionmaker(engine, expire_on_commit=False)"),
        at=AT_ONCE,
        shows="tea",
        app=REREADS,
        answers="coffee",
        databases=(FILE,),
    ),
    trap(
        "expiry_in_options_once_more",
        MAKER_OPTIONS,
        ("engine, **OPTIONS", "engine, expire_on_commit=False, **OPTIONS"),
        because="expire_on_commit is set",
        at=MADE,
        shows=WRONG_ARGUMENT,
    ),
)

TRAPS = (*ENGINES, *MEMORIES, *SHARED, *MAKERS)
