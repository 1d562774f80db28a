"""What gives a session: the meanings that an expression of the analysed code can have. Values only; touches nothing.

`Meaning` says what evaluating an expression gives, as far as sessions are concerned. The names of SQLAlchemy and
SQLModel that start it all stand in the tables at the top.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace

from codemods.project.facts import Call
from codemods.project.hashing import Hashed, hashed_once

ASYNC_SESSION_CLASSES = frozenset(
    {
        "sqlalchemy.ext.asyncio.AsyncSession",
        "sqlalchemy.ext.asyncio.session.AsyncSession",
        "sqlmodel.ext.asyncio.session.AsyncSession",
        "sqlmodel.ext.asyncio.AsyncSession",
    }
)
SYNC_SESSION_CLASSES = frozenset(
    {
        "sqlalchemy.orm.Session",
        "sqlalchemy.orm.session.Session",
        "sqlmodel.Session",
        "sqlmodel.orm.session.Session",
    }
)
SESSION_CLASSES = ASYNC_SESSION_CLASSES | SYNC_SESSION_CLASSES
ASYNC_MAKERS = frozenset(
    {"sqlalchemy.ext.asyncio.async_sessionmaker", "sqlalchemy.ext.asyncio.session.async_sessionmaker"}
)
SYNC_MAKERS = frozenset(
    {"sqlalchemy.orm.sessionmaker", "sqlalchemy.orm.session.sessionmaker", "sqlalchemy.orm.create_session"}
)
REGISTRIES = frozenset(
    {
        "sqlalchemy.orm.scoped_session",
        "sqlalchemy.orm.scoping.scoped_session",
        "sqlalchemy.ext.asyncio.async_scoped_session",
        "sqlalchemy.ext.asyncio.scoping.async_scoped_session",
    }
)
CONTEXT_MANAGERS = frozenset({"contextlib.asynccontextmanager", "contextlib.contextmanager"})
CACHES = frozenset({"functools.lru_cache", "functools.cache", "functools.cached_property", "async_lru.alru_cache"})
# decorators that hand the call through and give back what the function gives
TRANSPARENT_DECORATORS = frozenset(
    {
        "staticmethod",
        "classmethod",
        "property",
        "abc.abstractmethod",
        "typing.override",
        "typing_extensions.override",
        "typing.final",
        "functools.wraps",
    }
)


# the types of dicts whose parameters are those of the key and of the value
DICTS = frozenset(
    {"builtins.dict"}
    | {f"typing.{name}" for name in ("Dict", "DefaultDict", "Mapping", "MutableMapping", "OrderedDict")}
    | {f"collections.{name}" for name in ("defaultdict", "OrderedDict")}
    | {f"collections.abc.{name}" for name in ("Mapping", "MutableMapping")}
    | {f"weakref.{name}" for name in ("WeakKeyDictionary", "WeakValueDictionary")}
)


class Ownership(enum.StrEnum):
    """Whose a session is that an expression gives."""

    FRESH = "fresh"  # made by this very evaluation: who evaluates it owns it
    SHARED = "shared"  # someone else's: a parameter, a global, an attribute, a scoped registry
    UNKNOWN = "unknown"  # one or the other, by what runs


@hashed_once
@dataclass(frozen=True, slots=True)
class External(Hashed):
    """A name of a module that is not part of the project."""

    dotted: str


@dataclass(frozen=True, slots=True)
class ModuleMeaning:
    module: str


@hashed_once
@dataclass(frozen=True, slots=True)
class FunctionMeaning(Hashed):
    module: str
    qualname: str
    bound: bool = False  # reached through an instance or class: the first parameter is already given


@hashed_once
@dataclass(frozen=True, slots=True)
class ClassMeaning(Hashed):
    module: str
    qualname: str


@hashed_once
@dataclass(frozen=True, slots=True)
class InstanceMeaning(Hashed):
    """An object of a class of the project, or of a class outside of it."""

    of: ClassMeaning | External


@hashed_once
@dataclass(frozen=True, slots=True)
class Bound(Hashed):
    """A session, or a maker of sessions, is bound to a connection, or may be: to something that is no engine in view.

    Such a session takes no connection of its own, and its close rolls back what was begun on the one it is given.
    """

    certain: bool  # it is a connection; else it may be one
    path: str  # the file and the function in which `call` binds it
    qualname: str
    call: Call


@hashed_once
@dataclass(frozen=True, slots=True)
class SessionMeaning(Hashed):
    is_async: bool
    ownership: Ownership
    origin: str = ""  # dotted name of the maker or class it comes from; "" when it is not in view
    expire_on_commit: bool | None = None  # None: cannot be seen
    through: str = ""  # how it is had, when that matters: "registry", "generator"
    optional: bool = False  # it may be None instead
    own_exit: str = ""  # the method of a subclass that runs when a block ends, in place of SQLAlchemy's own
    bound: Bound | None = None  # None: to an engine, as far as can be told, or to nothing in view


@hashed_once
@dataclass(frozen=True, slots=True)
class MakerMeaning(Hashed):
    """A callable whose call gives a session: a sessionmaker, or a declared `Callable[[], AsyncSession]`."""

    is_async: bool
    origin: str = ""
    expire_on_commit: bool | None = None
    ownership: Ownership = Ownership.FRESH
    own_exit: str = ""  # see `SessionMeaning`
    bound: Bound | None = None  # see `SessionMeaning`


@dataclass(frozen=True, slots=True)
class ScopeMeaning:
    """A context manager object that lends out `value` while it is entered."""

    is_async: bool
    value: Meaning
    commits: bool  # at its end; or it may
    plain: bool  # only opens, rolls back and closes
    by: tuple[FunctionMeaning, ...] = ()  # the generators of the project that may be behind it; (): one of a library
    may_not_commit: bool = False  # `commits` is not certain


@dataclass(frozen=True, slots=True)
class ScopeFactoryMeaning:
    """What `asynccontextmanager(function)` gives: a callable whose call gives a scope."""

    scope: ScopeMeaning


@dataclass(frozen=True, slots=True)
class GeneratorMeaning:
    """A (async) generator object that yields `value`."""

    is_async: bool
    value: Meaning


@dataclass(frozen=True, slots=True)
class CoroutineMeaning:
    """What calling an `async def` gives before it is awaited."""

    value: Meaning


@dataclass(frozen=True, slots=True)
class RegistryMeaning:
    """A scoped registry: its sessions belong to a thread or a task, never to one function (semantics B11)."""

    is_async: bool


@hashed_once
@dataclass(frozen=True, slots=True)
class TableMeaning(Hashed):
    """A dict of things that are all made alike: the one that a file keeps under this name, or a declared one."""

    module: str = ""
    qualname: str = ""  # `_makers`, `Registry._makers`; "": it is only declared
    declared: Meaning | None = None  # what each item of a declared one is


@dataclass(frozen=True, slots=True)
class NothingMeaning:
    """None."""


@dataclass(frozen=True, slots=True)
class UnknownMeaning:
    """Nothing is known: leave alone."""


Meaning = (
    External
    | ModuleMeaning
    | FunctionMeaning
    | ClassMeaning
    | InstanceMeaning
    | SessionMeaning
    | MakerMeaning
    | ScopeMeaning
    | ScopeFactoryMeaning
    | GeneratorMeaning
    | CoroutineMeaning
    | RegistryMeaning
    | TableMeaning
    | NothingMeaning
    | UnknownMeaning
)

UNKNOWN = UnknownMeaning()
NOTHING = NothingMeaning()


def shared(meaning: Meaning) -> Meaning:
    """The same meaning reached through a name that others hold too: a session found there is not fresh."""
    if isinstance(meaning, SessionMeaning) and meaning.ownership is Ownership.FRESH:
        return replace(meaning, ownership=Ownership.SHARED)
    if isinstance(meaning, CoroutineMeaning):
        return CoroutineMeaning(shared(meaning.value))
    return meaning


def lent(meaning: Meaning) -> Meaning:
    """The same meaning as what a block or an exit stack holds open: whoever made the session, it is closed there."""
    if isinstance(meaning, SessionMeaning):
        return replace(meaning, ownership=Ownership.SHARED)
    return shared(meaning)


def join(meanings: list[Meaning]) -> Meaning:
    """What a name or a call can be that is one of these. None is dropped where there is something else.

    Sessions of unlike ownership, or a session beside something unknown, give a session of unknown ownership.
    """
    distinct = list(dict.fromkeys(meanings))
    something = [meaning for meaning in distinct if not isinstance(meaning, NothingMeaning)]
    if not something:
        return NOTHING if distinct else UNKNOWN
    if len(something) == 1:
        only = something[0]
        if isinstance(only, SessionMeaning) and len(distinct) > 1:
            return replace(only, optional=True)
        return only
    sessions = [meaning for meaning in something if isinstance(meaning, SessionMeaning)]
    known = [meaning for meaning in something if not isinstance(meaning, UnknownMeaning)]
    if sessions and len(sessions) == len(known) and len({session.is_async for session in sessions}) == 1:
        ownerships = {session.ownership for session in sessions}
        whole = len(known) == len(something)
        origins = {session.origin for session in sessions}
        settings = {session.expire_on_commit for session in sessions}
        return SessionMeaning(
            sessions[0].is_async,
            ownerships.pop() if whole and len(ownerships) == 1 else Ownership.UNKNOWN,
            origins.pop() if len(origins) == 1 else "",
            settings.pop() if len(settings) == 1 else None,
            next((session.through for session in sessions if session.through), ""),
            any(session.optional for session in sessions) or len(something) < len(distinct),
            next((session.own_exit for session in sessions if session.own_exit), ""),
            _either_bound([session.bound for session in sessions]),
        )
    coroutines = [meaning for meaning in something if isinstance(meaning, CoroutineMeaning)]
    if len(coroutines) == len(something):
        return CoroutineMeaning(join([coroutine.value for coroutine in coroutines]))
    scopes = [meaning for meaning in something if isinstance(meaning, ScopeMeaning)]
    if len(scopes) == len(something) and len({scope.is_async for scope in scopes}) == 1:
        return ScopeMeaning(
            scopes[0].is_async,
            join([scope.value for scope in scopes]),
            commits=any(scope.commits for scope in scopes),
            plain=all(scope.plain for scope in scopes),
            by=tuple(dict.fromkeys(function for scope in scopes for function in scope.by)),
            may_not_commit=any(scope.may_not_commit or not scope.commits for scope in scopes),
        )
    makers = [meaning for meaning in something if isinstance(meaning, MakerMeaning)]
    if len(makers) == len(something) and len({maker.is_async for maker in makers}) == 1:
        settings = {maker.expire_on_commit for maker in makers}
        owners = {maker.ownership for maker in makers}
        return MakerMeaning(
            makers[0].is_async,
            "",
            settings.pop() if len(settings) == 1 else None,
            owners.pop() if len(owners) == 1 else Ownership.UNKNOWN,
            next((maker.own_exit for maker in makers if maker.own_exit), ""),
            _either_bound([maker.bound for maker in makers]),
        )
    return UNKNOWN


def _either_bound(given: list[Bound | None]) -> Bound | None:
    """What one of several sessions is bound to: it may be a connection where one of them is bound to such a thing."""
    doubtful = [bound for bound in given if bound is not None]
    if not doubtful or all(bound == given[0] for bound in given):
        return given[0] if given else None
    return replace(doubtful[0], certain=len(doubtful) == len(given) and all(bound.certain for bound in doubtful))
