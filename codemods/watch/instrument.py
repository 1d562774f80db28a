"""Notes of every session of the program where it was made, and whether it has a connection out. Patches SQLAlchemy.

There is one point at which sessions are made: `Session.__init__`, inside of an `AsyncSession` too, with the caller's
frames right above it. What a session takes and gives back is told by SQLAlchemy's own events, so that no text of a
warning and no counter of a pool matters: any pool will do, and so will a session that was collected meanwhile.
"""

from __future__ import annotations

import contextlib
import functools
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from codemods.watch.on_import import after_orm
from codemods.watch.places import RawFrame, calling_frames

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection
    from sqlalchemy.orm import Session, SessionTransaction


class Place:
    """Something that sessions are made in, and that comes to an end: a test, a request."""

    __slots__ = ("_name", "over", "records")

    def __init__(self, name: str) -> None:
        self._name = name
        self.records: list[Record] = []
        self.over = False

    @property
    def name(self) -> str:
        """What it is called."""
        return self._name


PLACE: ContextVar[Place | None] = ContextVar("session_leaks_place", default=None)
"""The request that is being answered."""


class _Hold:
    """One connection that a session took from an engine."""

    __slots__ = ("connection", "given_back", "key", "record")

    def __init__(self, connection: Connection, key: int, record: Record) -> None:
        self.connection = weakref.ref(connection)
        self.key = key  # of the driver's connection
        self.record = weakref.ref(record)
        self.given_back = False

    def out(self) -> bool:
        if self.given_back:
            return False
        connection = self.connection()
        # gone without an end of its transaction: only the garbage collector gave it back
        return connection is None or not (connection.closed or connection.invalidated)

    def settled(self) -> bool:
        """Whether it can change no more: it is back, or there is nothing left that could give it back."""
        connection = None if self.given_back else self.connection()
        return connection is None or connection.closed


class Record:
    """What is known of one session. Holds nothing of the program: the session stays as collectable as it was."""

    __slots__ = (
        "__weakref__",
        "_holds",
        "_session",
        "_task",
        "_thread",
        "borrowed",
        "closed",
        "frames",
        "place",
        "reused",
        "since",
    )

    def __init__(self, frames: tuple[RawFrame, ...]) -> None:
        self.frames = frames
        self.place = PLACE.get()
        self.borrowed = False  # it used a connection that somebody else took, and will give back
        self.closed = ""  # by which method, since it last took a connection
        self.reused = False  # it took one after `close()`, and was not closed since
        self.since = 0.0  # when it took the first of those that are out
        self._holds: dict[int, _Hold] = {}
        self._session: weakref.ref[Session] | None = None
        self._task: weakref.ref[Any] | None = None
        self._thread: weakref.ref[threading.Thread] | None = None

    @property
    def alive(self) -> bool:
        """Whether the session is still there."""
        return self._session is not None and self._session() is not None

    @property
    def settled(self) -> bool:
        """Whether nothing can happen to it any more: the session is gone, and its connections with it."""
        return not self.alive and all(hold.settled() for hold in tuple(self._holds.values()))

    @property
    def holds(self) -> bool:
        """Whether it has a connection out, or had when it was collected."""
        return any(hold.out() for hold in tuple(self._holds.values()))

    @property
    def took(self) -> bool:
        """The same as far as its transaction tells: this looks at nothing that another thread works with."""
        return any(not hold.given_back for hold in tuple(self._holds.values()))

    @property
    def task_over(self) -> bool | None:
        """Whether the task that made it is done; None when no task did."""
        if self._task is None:
            return None
        task = self._task()
        return task is None or task.done()

    def made_by(self, task: object) -> bool:
        """Whether that task made it."""
        return self._task is not None and task is not None and self._task() is task

    @property
    def at_work(self) -> bool:
        """Whether what made it may still be going on beside us: a task that is not done, a thread of its own."""
        if self._task is not None:
            return not self.task_over
        thread = None if self._thread is None else self._thread()
        return thread is not None and thread.is_alive() and thread is not threading.current_thread()

    def note_maker(self) -> None:
        """Remember which task or thread this is."""
        asyncio = sys.modules.get("asyncio")
        task = None
        if asyncio is not None:
            with contextlib.suppress(RuntimeError):
                task = asyncio.current_task()
        if task is not None:
            self._task = weakref.ref(task)
        elif threading.current_thread() is not threading.main_thread():
            self._thread = weakref.ref(threading.current_thread())


class Listener:
    """Is told of sessions. `collected` may be called in the midst of anything, by the garbage collector: it may take no
    lock, and do no more than note it."""

    def made(self, record: Record) -> None:
        """A session was made."""

    def took(self, record: Record) -> None:
        """A session took a connection."""

    def gave_back(self, record: Record) -> None:
        """A session has none any more."""

    def borrowed(self, record: Record) -> None:
        """A session uses a connection that somebody else took; told once of each."""

    def collected(self, record: Record) -> None:
        """A session is gone."""


# unique to this copy of the module: there may be another one in the process
_ATTRIBUTE = f"_session_leaks_{id(Listener)}"
_listeners: tuple[Listener, ...] = ()
_changing = threading.Lock()
_put_back: Callable[[], None] | None = None
_live: set[Record] = set()
_holds: dict[int, _Hold] = {}  # by the driver's connection
_failures: list[str] = []


def failures() -> int:
    """How many sessions could not be noted, by an error of ours."""
    return len(_failures)


def note_failure(error: Exception) -> None:
    """An error of ours, which the program was not told of."""
    _failures.append(repr(error))


def live_records() -> list[Record]:
    """Of the sessions that are there now."""
    while True:
        try:
            return list(_live)
        except RuntimeError:  # one was added meanwhile
            continue


def forget_all() -> None:
    """After a fork: all of them are the parent's."""
    _live.clear()
    _holds.clear()


@contextlib.contextmanager
def watching(listener: Listener) -> Iterator[Listener]:
    """Tells the listener of every session that is made in the block. SQLAlchemy is as before after the last such block.

    Where SQLAlchemy is not loaded yet, it is waited for.
    """
    stop = start(listener)
    try:
        yield listener
    finally:
        stop()


def start(listener: Listener, *, loaded: bool = False) -> Callable[[], None]:
    """As `watching`, for those who cannot use a block. Gives what ends it. `loaded`: SQLAlchemy's ORM is there, though
    its import is not quite over."""
    global _listeners
    with _changing:
        _listeners = (*_listeners, listener)
    stop_waiting = None
    if loaded:
        _install()
    else:
        stop_waiting = after_orm(_install)

    def stop() -> None:
        global _listeners, _put_back
        if stop_waiting is not None:
            stop_waiting()
        with _changing:
            _listeners = tuple(one for one in _listeners if one is not listener)
            if not _listeners and _put_back is not None:
                _put_back()
                _put_back = None

    return stop


def installed() -> bool:
    """Whether sessions are being noted: somebody watches, and SQLAlchemy's ORM is loaded."""
    return _put_back is not None


def _install() -> None:
    global _put_back
    with _changing:
        if _put_back is None and _listeners:
            _put_back = _patch()


def _patch() -> Callable[[], None]:
    from sqlalchemy import event
    from sqlalchemy.orm import Session
    from sqlalchemy.pool import Pool

    methods = {"__init__": _noting(Session.__init__)}
    for name in ("close", "invalidate", "reset"):  # `reset` since 2.0.22
        if name in vars(Session):
            methods[name] = _ending(getattr(Session, name), name)
    replaced = {name: (vars(Session)[name], method) for name, method in methods.items()}
    events = (
        (Session, "after_begin", _after_begin),
        (Session, "after_transaction_end", _after_transaction_end),
        (Pool, "invalidate", _after_invalidate),
    )
    for name, (_, method) in replaced.items():
        setattr(Session, name, method)
    for target, name, function in events:
        event.listen(target, name, function)

    def put_back() -> None:
        for name, (original, method) in replaced.items():
            if vars(Session).get(name) is method:  # somebody else's patch over ours stays
                setattr(Session, name, original)
        for target, name, function in events:
            event.remove(target, name, function)

    return put_back


def _noting(original: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(original)
    def __init__(self: Session, *arguments: Any, **named: Any) -> None:
        __tracebackhide__ = True
        original(self, *arguments, **named)
        if _listeners:
            try:
                _note(self)
            except Exception as error:
                _failures.append(repr(error))

    return __init__


def _note(session: Session) -> None:
    if _ATTRIBUTE in vars(session):  # by an older patch of ours, which somebody else's stands upon
        return
    record = Record(calling_frames(sys._getframe(2)))
    record.note_maker()
    record._session = weakref.ref(session, functools.partial(_after_collection, record))
    vars(session)[_ATTRIBUTE] = record
    _live.add(record)
    for listener in _listeners:
        listener.made(record)


def _after_collection(record: Record, _: object) -> None:
    _live.discard(record)
    for hold in tuple(record._holds.values()):
        _holds.pop(hold.key, None)
    for listener in _listeners:
        listener.collected(record)


def _ending(original: Callable[..., None], name: str) -> Callable[..., None]:
    @functools.wraps(original)
    def method(self: Session, *arguments: Any, **named: Any) -> None:
        __tracebackhide__ = True
        try:
            original(self, *arguments, **named)
        finally:
            record = _record(self)
            if record is not None:
                record.closed = name
                record.reused = False

    return method


def _record(session: Session) -> Record | None:
    return vars(session).get(_ATTRIBUTE)


def _after_begin(session: Session, transaction: SessionTransaction, connection: Connection) -> None:
    record = _record(session)
    if record is None:
        return
    try:
        if not _from_an_engine(session, transaction, connection):
            if not record.borrowed:
                record.borrowed = True
                for listener in _listeners:
                    listener.borrowed(record)
            return
        if id(connection) not in record._holds or record._holds[id(connection)].connection() is not connection:
            hold = _Hold(connection, id(connection.connection.dbapi_connection), record)
            if not record._holds:
                record.since = time.monotonic()
            record._holds[id(connection)] = _holds[hold.key] = hold
        # `reset()` says that it will be used again
        record.reused = record.reused or record.closed in ("close", "invalidate")
        record.closed = ""
        for listener in _listeners:
            listener.took(record)
    except Exception as error:
        _failures.append(repr(error))


def _from_an_engine(session: Session, transaction: SessionTransaction, connection: Connection) -> bool:
    """Whether the session took the connection itself; else it was bound to it, and somebody else gives it back."""
    entry = getattr(transaction, "_connections", {}).get(connection)
    if isinstance(entry, tuple) and len(entry) == 4:
        return bool(entry[3])
    return getattr(session.bind, "engine", None) is session.bind  # an engine is its own


def _after_transaction_end(session: Session, transaction: SessionTransaction) -> None:
    record = _record(session)
    if record is None or transaction.parent is not None:
        return
    for hold in tuple(record._holds.values()):
        hold.given_back = True
        _holds.pop(hold.key, None)
    if record._holds:
        record._holds.clear()
        _tell_given_back(record)


def _tell_given_back(record: Record) -> None:
    try:
        for listener in _listeners:
            listener.gave_back(record)
    except Exception as error:
        _failures.append(repr(error))


def _after_invalidate(dbapi_connection: Any, *_: object) -> None:
    """Thrown away, its place in the pool is free: so it is when a task is cancelled while the database answers."""
    hold = _holds.pop(id(dbapi_connection), None)
    if hold is not None:
        hold.given_back = True
        record = hold.record()
        if record is not None and not record.took:
            _tell_given_back(record)
