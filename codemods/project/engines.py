"""What makes engines and pools: the names of SQLAlchemy and SQLModel, and what dialects are. Tables and pure questions.

Which pool takes which option is `semantics H1`, `H2` and `H4`.
"""

from __future__ import annotations

from collections.abc import Iterable

SYNC_ENGINES = frozenset(
    {
        "sqlalchemy.create_engine",
        "sqlalchemy.engine.create_engine",
        "sqlalchemy.engine.create.create_engine",
        "sqlalchemy.future.create_engine",
        "sqlalchemy.future.engine.create_engine",
        "sqlmodel.create_engine",
    }
)
ASYNC_ENGINES = frozenset(
    {"sqlalchemy.ext.asyncio.create_async_engine", "sqlalchemy.ext.asyncio.engine.create_async_engine"}
)
ENGINES = SYNC_ENGINES | ASYNC_ENGINES
ENGINES_FROM_CONFIG = frozenset(
    {
        "sqlalchemy.engine_from_config",
        "sqlalchemy.engine.engine_from_config",
        "sqlalchemy.engine.create.engine_from_config",
        "sqlalchemy.ext.asyncio.async_engine_from_config",
        "sqlalchemy.ext.asyncio.engine.async_engine_from_config",
    }
)
ENGINE = "sqlalchemy.Engine"  # what these give, and what their engines give, by one name each
CONNECTION = "sqlalchemy.Connection"
ENGINE_CLASSES = frozenset(
    {
        ENGINE,
        "sqlalchemy.engine.Engine",
        "sqlalchemy.engine.base.Engine",
        "sqlalchemy.future.Engine",
        "sqlalchemy.future.engine.Engine",
        "sqlalchemy.ext.asyncio.AsyncEngine",
        "sqlalchemy.ext.asyncio.engine.AsyncEngine",
    }
)
CONNECTION_CLASSES = frozenset(
    {
        CONNECTION,
        "sqlalchemy.engine.Connection",
        "sqlalchemy.engine.base.Connection",
        "sqlalchemy.future.Connection",
        "sqlalchemy.future.engine.Connection",
        "sqlalchemy.ext.asyncio.AsyncConnection",
        "sqlalchemy.ext.asyncio.engine.AsyncConnection",
    }
)
URL_CLASSES = frozenset({"sqlalchemy.URL", "sqlalchemy.engine.URL", "sqlalchemy.engine.url.URL"})
URL_MAKERS = frozenset({"sqlalchemy.make_url", "sqlalchemy.engine.make_url", "sqlalchemy.engine.url.make_url"})

# declared types whose values are URLs of one kind of server: pydantic takes no other
URL_TYPES = {
    "PostgresDsn": "postgresql",
    "CockroachDsn": "cockroachdb",
    "MySQLDsn": "mysql",
    "MariaDBDsn": "mariadb",
}

SIZES = ("pool_size", "max_overflow", "pool_timeout")
OPTIONS = (*SIZES, "pool_pre_ping", "pool_recycle", "echo_pool")
# with these a checkout may have to wait for the server in the middle of things (semantics F2)
WAITING = frozenset({"pool_pre_ping", "pool_recycle"})

# pools that take no size, or of which there is nothing to say
PLAIN_POOLS = frozenset({"NullPool", "StaticPool", "SingletonThreadPool", "AssertionPool"})
ASYNC_QUEUE_POOLS = frozenset({"AsyncAdaptedQueuePool", "FallbackAsyncAdaptedQueuePool"})
QUEUE_POOLS = ASYNC_QUEUE_POOLS | {"QueuePool"}
_POOL_MODULES = ("sqlalchemy", "sqlalchemy.pool", "sqlalchemy.pool.impl")

# dialects of SQLAlchemy itself, and of CockroachDB: their pool is the queue pool
SERVER_DIALECTS = frozenset({"postgresql", "postgres", "mysql", "mariadb", "mssql", "oracle", "cockroachdb"})
SQLITE = "sqlite"


def given_by(dotted: str) -> str:
    """What calling this gives: `ENGINE`, `CONNECTION`, or "" for anything else. Methods are `Class().method`."""
    if dotted in ENGINES or dotted in ENGINES_FROM_CONFIG:
        return ENGINE
    owner, _, method = dotted.rpartition("().")
    if owner in ENGINE_CLASSES and method in ("connect", "begin", "execution_options"):
        return ENGINE if method == "execution_options" else CONNECTION
    if owner in CONNECTION_CLASSES and method == "execution_options":
        return CONNECTION
    return CONNECTION if dotted == "alembic.op.get_bind" else ""


def pool_name(dotted: str) -> str:
    """The name of one of SQLAlchemy's pools by its dotted name; "" for anything else."""
    module, _, name = dotted.rpartition(".")
    return name if module in _POOL_MODULES and name in PLAIN_POOLS | QUEUE_POOLS else ""


def dialect_of_type(dotted: str) -> str:
    """The dialect of all URLs of a declared type, by its dotted name; "" when it has none."""
    module, _, name = dotted.rpartition(".")
    return URL_TYPES.get(name, "") if module.partition(".")[0] == "pydantic" else ""


def maker_behind(dotted: str, stars: Iterable[str]) -> str:
    """The dotted name of what makes an engine; "" for anything else. `stars` are the star imports of the file."""
    if dotted in ENGINES | ENGINES_FROM_CONFIG:
        return dotted
    if dotted.startswith("builtins."):
        # no builtin is called so: it came with `from sqlalchemy import *`
        for star in stars:
            if (found := f"{star}.{dotted.removeprefix('builtins.')}") in ENGINES | ENGINES_FROM_CONFIG:
                return found
    return ""
