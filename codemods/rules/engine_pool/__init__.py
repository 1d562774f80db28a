"""The settings of a connection pool are written down, and objects do not expire when their session commits.

What it changes
    Calls of `create_async_engine` and `create_engine`, of SQLAlchemy and SQLModel, get the options that they lack:
    `pool_size=5`, `max_overflow=10`, `pool_timeout=30`, `pool_pre_ping=True`, `pool_recycle=3600`, and `echo_pool`
    where the project shows how development is told. Options that stand in a dict go there. Makers of async sessions
    get `expire_on_commit=False`. Other values are set in `[tool.session-codemods.engine-pool]`.

Why
    With `pool_pre_ping` a connection that the server has closed is replaced in place of an error in a request, and
    `pool_recycle` gives up connections before firewalls and servers do. 5, 10 and 30 are the queue pool's own
    defaults: written down they are found when the pool runs dry. An async session cannot load an expired attribute
    where it is read: it raises.

Before
    engine = create_async_engine("postgresql+asyncpg://app@db/app")
    async_session = async_sessionmaker(engine)

After
    engine = create_async_engine(
        "postgresql+asyncpg://app@db/app",
        pool_size=5,
        max_overflow=10,
        pool_timeout=30,
        pool_pre_ping=True,
        pool_recycle=3600,
    )
    async_session = async_sessionmaker(engine, expire_on_commit=False)

Leaves alone
    Whatever is set, in whatever way. SQLite, whose pools take no size, or lose the database with the connection;
    `NullPool`, `StaticPool` and their like; engines of tests, of Alembic's `env.py`, and those that the function which
    makes them disposes of when its work is done. The sizes, where the URL is not written out and the
    project does not show that only servers are behind it. Reported: options that are not in view (`**options` of a
    caller, configuration files), pools that are made by hand, engines that are made anew on each call, and
    `expire_on_commit=True`. `pool_pre_ping` and `pool_recycle` wait for sessions that several tasks share: with them
    those fail. Sessions that are made without a maker, `AsyncSession(engine)`: write `expire_on_commit=False` into the
    call.

Safety
    Always `review`: the options are right for most applications, and only a person knows the server.
"""

from __future__ import annotations

from collections.abc import Iterable

from codemods.flow.tasks.sharing import WORDS as SHARING_WORDS
from codemods.plan import Examined
from codemods.rules.base import ModuleView
from codemods.rules.engine_pool.engines import examine_engines
from codemods.rules.engine_pool.look import NAME
from codemods.rules.engine_pool.makers import examine_makers

_PAGE = __doc__ or ""


class EnginePool:
    """The rule. Its page is the docstring of this module."""

    name = NAME
    summary = "pools have their settings written down, and objects do not expire when a session commits"
    level_text = "review"
    # the last two: what tells that a database may be SQLite, and that tasks share a session
    words = (
        b"create_engine",
        b"create_async_engine",
        b"engine_from_config",
        b"sessionmaker",
        b"sqlite",
        *SHARING_WORDS,
    )
    page = _PAGE

    def examine(self, view: ModuleView) -> Iterable[Examined]:
        """A finding or a `Right` for every engine and for every maker of async sessions."""
        keys = view.keys(NAME)
        yield from examine_engines(view, keys)
        for scope in view.scopes:
            yield from examine_makers(view, scope, keys)
