"""What an expression may give, as far as entities are concerned: values only; touches nothing.

A `Value` is a set of alternatives: `user` after `await session.get(User, pk)` is an entity, or None.
"""

from __future__ import annotations

import ast
import enum
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from codemods.project.hashing import Hashed, hashed_once
from codemods.project.sessions import ClassMeaning


class How(enum.StrEnum):
    """How an object came into the hands of the function."""

    LOADED = "loaded"  # by a SELECT
    GOT = "got"  # by its primary key: perhaps out of the identity map
    MADE = "made"  # by calling its class
    MERGED = "merged"
    GIVEN = "given"  # a parameter
    CALLED = "called"  # what a function of the project gave
    DECLARED = "declared"  # what a function of the project, which is not followed, is declared to give
    UNTOLD = "untold"  # through the session, and it cannot be told what it is


@hashed_once
@dataclass(frozen=True, slots=True)
class Origin(Hashed):
    """Where objects come from: all those that one expression gives, each time it runs, have one origin.

    `line` and `column` are those of the expression, as `ast` counts. `anchor` is the position of what loads them: the
    call of `select`, `get` or `query`. `class_` is the mapped class, if that is known; `what` is the source text of
    it, or the name of the function or parameter.
    """

    how: How
    path: str
    line: int
    column: int
    index: int = 0
    what: str = ""
    class_: ClassMeaning | None = None
    session: int = 0  # the number of the session that it was had from; 0: none that this function holds
    anchor: tuple[int, int] = (0, 0)
    joined: bool = False  # the SELECT has a join: rows can repeat an object, or lack it
    options: tuple[tuple[int, int], ...] = ()  # the ends of the calls of `options` of the statement
    foreign: str = ""  # the function that makes the statement, where it is not this one

    @property
    def place(self) -> tuple[str, int, int, int, str, str, tuple[tuple[int, int], ...], int]:
        """What origins are sorted by."""
        where = self.path, self.line, self.column, self.index
        return *where, self.how.value, str(self.class_), self.options, self.session


@dataclass(frozen=True, slots=True)
class Nothing:
    """None."""


@dataclass(frozen=True, slots=True)
class Unbound:
    """The name may not have been given a value at all."""


@dataclass(frozen=True, slots=True)
class Plain:
    """Something that is no entity and holds none: a number, a text, a schema, a row of columns."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """Something of which nothing is known. `why`: the text by which it was had through a session, its `session`.

    `holds`: it is an object of the project's own that was made with an entity. `keeps`: with what may be one.
    """

    why: str = ""
    session: int = 0
    holds: bool = False
    keeps: bool = False


@dataclass(frozen=True, slots=True)
class Guard:
    """What a test has said of the object that `names` lead to, counted from the object of the origin.

    With `classes`: it is of one of them, or (not `truth`) of none. Without: what `names` lead to is false, or None.
    """

    names: tuple[str, ...]
    classes: frozenset[ClassMeaning] = frozenset()
    truth: bool = False


@hashed_once
@dataclass(frozen=True, slots=True)
class One(Hashed):
    """An object. With `names` it is the one that these attributes lead to from the object of that origin.

    `class_` is the mapped class, if that is known; `guards` is what holds of it, or of what it was had from, here.
    """

    origin: Origin
    names: tuple[str, ...] = ()
    class_: ClassMeaning | None = None
    guards: frozenset[Guard] = frozenset()


@hashed_once
@dataclass(frozen=True, slots=True)
class Many(Hashed):
    """A list, set or other collection whose elements are all alike. `doubled`: one object may be in it twice."""

    element: Value
    doubled: bool = False
    lazy: bool = False  # a generator: nothing has been read from it yet
    relation: bool = False  # it is what a relationship holds: what is put into it is written


@dataclass(frozen=True, slots=True)
class Pack:
    """A tuple or list with known elements: `users, total`."""

    elements: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A dict; its keys are plain."""

    values: Value


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a result: what it holds, in order, and the names of that; None when that cannot be told."""

    elements: tuple[Value, ...] | None
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Selected:
    """One thing that a statement selects: a mapped class, or (None) something plain unless `unknown`."""

    class_: ClassMeaning | None
    text: str = ""
    unknown: bool = False
    alias: bool = False


@dataclass(frozen=True, slots=True)
class Selection:
    """A SQL statement that gives rows. `anchor` is the position of the call of `select` (or `query`)."""

    selected: tuple[Selected, ...]
    anchor: tuple[int, int]
    joined: bool = False
    unique: bool = False  # of a legacy query: it never repeats an object (semantics D2)
    sqlmodel: bool = False
    deletes: ClassMeaning | None = None  # a statement that deletes rows of this class
    locks: bool = False  # `with_for_update`: nobody else can write the rows until the next commit
    writes: bool = False  # an INSERT, UPDATE or DELETE
    options: tuple[tuple[int, int], ...] = ()  # the ends of the calls of `options`
    foreign: str = ""  # the function of the project that made it


@dataclass(frozen=True, slots=True)
class Class:
    """A mapped class, or an alias of one, as a value. `doubtful`: an alias of a subquery, which may repeat rows."""

    class_: ClassMeaning
    alias: bool = False
    doubtful: bool = False


@dataclass(frozen=True, slots=True)
class Result:
    """What executing a statement gives."""

    selection: Selection | None  # None: rows of plain values
    site: tuple[int, int]
    session: int
    scalars: bool = False
    index: int = 0  # which of the selected things `scalars(index)` gives
    unique: bool = False
    plain_rows: bool = False  # mappings


@dataclass(frozen=True, slots=True)
class Query:
    """A legacy query, not run yet."""

    selection: Selection | None
    site: tuple[int, int]
    session: int


@dataclass(frozen=True, slots=True)
class SessionValue:
    """A session, by its number in the function."""

    number: int


@dataclass(frozen=True, slots=True)
class Bearer:
    """Something that has sessions: `UserRepository(session)`, a nested function, a transaction."""

    class_: ClassMeaning | None
    sessions: frozenset[int]


@dataclass(frozen=True, slots=True)
class Closure:
    """A nested function or lambda, with the names of the function around it that it mentions."""

    names: frozenset[str]


@dataclass(frozen=True, slots=True)
class Later:
    """A coroutine: what awaiting it gives."""

    value: Value


Alternative = (
    Nothing
    | Unbound
    | Plain
    | Unknown
    | One
    | Many
    | Pack
    | Table
    | Row
    | Selection
    | Class
    | Result
    | Query
    | SessionValue
    | Bearer
    | Closure
    | Later
)
Value = frozenset[Alternative]

NOTHING: Value = frozenset({Nothing()})
PLAIN: Value = frozenset({Plain()})
UNKNOWN: Value = frozenset({Unknown()})
EMPTY: Value = frozenset()
_DEEP = 6  # a collection of collections of ... deeper than this is not followed


def value(*alternatives: Alternative) -> Value:
    return frozenset(alternatives)


def union(values: Iterable[Value]) -> Value:
    """Any of the values. Collections become one collection, so that what a loop fills stays one thing."""
    every = frozenset().union(*values) if values else EMPTY
    for one in every:
        if one.__class__ in _HOLDING:
            break
    else:
        return every  # nothing in it holds anything, as nearly always
    many = [one for one in every if isinstance(one, Many)]
    if len(many) > 1:
        merged = Many(
            union([one.element for one in many]),
            any(one.doubled for one in many),
            any(one.lazy for one in many),
            any(one.relation for one in many),
        )
        every = (every - set(many)) | {merged}
    return every if depth(every) <= _DEEP else UNKNOWN


def agreed(of: Value) -> Value:
    """The value with only those guards on its objects that hold of each of them in every case."""
    if any(one.__class__ in _HOLDING for one in of) and any(one.guards for one in objects(of)):
        of = frozenset(_agreed_inside(one) for one in of)
    if not any(isinstance(one, One) and one.guards for one in of):
        return of
    guards: dict[One, frozenset[Guard]] = {}
    for one in of:
        if isinstance(one, One):
            bare = unguarded(one)
            guards[bare] = guards[bare] & one.guards if bare in guards else one.guards
    return frozenset(
        replace(unguarded(one), guards=guards[unguarded(one)]) if isinstance(one, One) else one for one in of
    )


def _agreed_inside(one: Alternative) -> Alternative:
    match one:
        case Many(element=inner):
            return replace(one, element=agreed(inner))
        case Table(values=inner):
            return Table(agreed(inner))
        case _:
            return one


def unguarded(one: One) -> One:
    """The object, whatever was tested."""
    return replace(one, guards=frozenset()) if one.guards else one


def depth(of: Value) -> int:
    """How deep collections lie in each other."""
    deepest = 0
    for one in of:
        inside = 1
        if one.__class__ in _HOLDING:
            for inner in parts(one):
                inside = max(inside, 1 + depth(inner))
        deepest = max(deepest, inside)
    return deepest


_HOLDING = frozenset({Many, Table, Later, Pack, Row})


def holds_others(one: Alternative) -> bool:
    """Whether it is a collection: what is in it are values, too."""
    return one.__class__ in _HOLDING


def parts(one: Alternative) -> tuple[Value, ...]:
    """The values that a collection directly holds."""
    match one:
        case Many(element=inner) | Table(values=inner) | Later(value=inner):
            return (inner,)
        case Pack(elements=elements):
            return elements
        case Row(elements=elements):
            return elements or ()
        case _:
            return ()


def objects(of: Value, *, rows: bool = False) -> set[One]:
    """The objects in a value, at any depth; those in rows only when asked for."""
    found: set[One] = set()
    for one in of:
        if isinstance(one, One):
            found.add(one)
        elif one.__class__ in _HOLDING and (rows or not isinstance(one, Row)):
            for inner in parts(one):
                found |= objects(inner, rows=rows)
    return found


def sessions(of: Value) -> frozenset[int]:
    """The numbers of the sessions in a value."""
    found: set[int] = set()
    for one in of:
        if isinstance(one, SessionValue):
            found.add(one.number)
        elif isinstance(one, Bearer):
            found |= one.sessions
        elif one.__class__ in _HOLDING:
            for inner in parts(one):
                found |= sessions(inner)
    return frozenset(found)


def changed(of: Value, change: Callable[[Alternative], Value]) -> Value:
    """The value with every alternative in it that is no collection replaced, at any depth."""

    def each(one: Alternative) -> Value:
        match one:
            case Many():
                return value(replace(one, element=changed(one.element, change)))
            case Table():
                return value(Table(changed(one.values, change)))
            case Later():
                return value(Later(changed(one.value, change)))
            case Pack():
                return value(Pack(tuple(changed(inner, change) for inner in one.elements)))
            case Row(elements=tuple(elements)):
                return value(Row(tuple(changed(inner, change) for inner in elements), one.names))
            case _:
                return change(one)

    return union([each(one) for one in of])


def elements(of: Value) -> Value:
    """What iterating over the value gives."""
    found: list[Value] = []
    for one in of:
        match one:
            case Many(element=element):
                found.append(element)
            case Pack(elements=inner):
                found += inner
            case Row(elements=inner):
                found += inner or [UNKNOWN]
            case Table() | Plain() | Nothing() | Unbound():
                found.append(PLAIN)
            case One(class_=None):
                found.append(value(one))  # an object of unknown class: it may be a list
            case Result() | Query():
                raise AssertionError("results are consumed by the one who knows the statement")
            case Unknown():
                found.append(value(one))
            case _:
                found.append(UNKNOWN)
    return union(found)


def is_doubled(of: Value) -> bool:
    return any(isinstance(one, Many) and one.doubled for one in of)


def awaited(given: Value) -> Value:
    """What awaiting the value gives."""
    later = [one for one in given if isinstance(one, Later)]
    return union([one.value for one in later]) if later else given


def listed(given: Value) -> Value:
    """The value without what cannot be iterated over."""
    return frozenset(one for one in given if not isinstance(one, (Result, Query, Nothing, Unbound)))


def index_of(key: ast.expr) -> int | None:
    """The number that a subscript is written as."""
    match key:
        case ast.Constant(value=int(index)):
            return index
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int(index))):
            return -index
        case _:
            return None
