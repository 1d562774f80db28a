"""What a run of a function in the head leaves behind: sessions, reads, what is handed on, its ends. Values only."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field

from codemods.flow.objects.values import One, Origin, Value
from codemods.flow.objects.world import Holds, Standing, Tested, World
from codemods.project.sessions import ClassMeaning, FunctionMeaning

Constants = frozenset[tuple[int | str, frozenset[Holds] | None]] | None
"""The arguments of a call by place or keyword, each with what holds of it if it is a constant; None: there may be more
arguments than are written."""


@dataclass(frozen=True, slots=True, eq=False)
class Session:
    """One session of a function, as it is made, entered or given."""

    number: int
    name: str  # what it is bound to; "" when nothing is
    node: ast.expr
    is_async: bool
    expire_on_commit: bool | None
    own: bool  # made by this very function
    block: ast.With | ast.AsyncWith | ast.For | ast.AsyncFor | None = None  # a loop that is to become a block, too
    doubt: str = ""  # why nothing can be said of its end, or of whose it is
    commits: bool = False  # its block commits at the end, or may
    may_not_commit: bool = False  # ... which is not certain
    plain: bool = True  # its block only opens, rolls back and closes
    statement: ast.stmt | None = None  # the assignment that makes it, when no block does


@dataclass(frozen=True, slots=True)
class Read:
    """An attribute of an object is read. `left`: the block of the session it was loaded in has ended by then."""

    one: One
    attribute: str
    line: int
    column: int
    text: str
    left: bool
    loaded: frozenset[str] = frozenset()  # relationships of the origin that were loaded or set by hand before
    tested: frozenset[Tested] = frozenset()  # what holds of the parameters there


@dataclass(frozen=True, slots=True)
class Passed:
    """An object, or a collection of them, is handed to a function of the project."""

    one: One
    function: FunctionMeaning
    position: int | None
    keyword: str | None
    line: int
    left: bool
    loaded: frozenset[str] = frozenset()  # as of `Read`
    tested: frozenset[Tested] = frozenset()  # as of `Read`
    constants: Constants = None


@dataclass(frozen=True, slots=True)
class Asked:
    """The code does one thing where an attribute of the object is loaded, and another where it is not.

    `attribute` is "" where it cannot be told which one; `text` tells how that is asked.
    """

    one: One
    attribute: str
    line: int
    text: str


@dataclass(frozen=True, slots=True)
class Serialized:
    """An object is read by a schema: `UserOut.model_validate(user)`."""

    one: One
    schema: ClassMeaning
    line: int
    left: bool
    loaded: frozenset[str] = frozenset()  # as of `Read`
    tested: frozenset[Tested] = frozenset()  # as of `Read`


@dataclass(frozen=True, slots=True, eq=False)
class Exit:
    """A `return`: what it gives, and how things stand there.

    `after` is how things stand when the function is left: behind the `finally` clauses, and the ends of context
    managers that the function has been given or makes of what it has been given.
    """

    statement: ast.Return
    value: Value
    world: World
    after: World


@dataclass(frozen=True, slots=True)
class Effects:
    """What a function may do to a session it is given: the line of each, 0 where it does not."""

    commits: int = 0
    rolls_back: int = 0
    detaches: int = 0
    writes: int = 0
    saves: bool = False  # it surely commits
    uncommitted: int = 0  # something that is written, and not committed when the function ends
    keeps: int = 0  # the session is put where other functions find it


@dataclass(frozen=True, slots=True)
class Summary:
    """What calling a function of the project gives: plain data, no tree. Its sessions do not leave it.

    `value` is what it gives at the end of all ways, `origins` the objects in it, in order; `given` says how the objects
    that were handed in stand at the end, by the name of the parameter.
    """

    value: Value
    origins: tuple[Origin, ...]
    standings: Mapping[Origin, Standing] = field(hash=False)
    given: Mapping[str, Standing] = field(hash=False)
    own: frozenset[Origin] = frozenset()  # those that were loaded in a session of its own
    effects: Effects = Effects()
    is_async: bool = False
    is_bound: bool = False  # its first parameter is the object whose method it is
    parameters: tuple[str, ...] = ()
    lends: bool = False  # it was seen to do something with a session that it was given
    may_write: bool = False  # it may change something, and it is not followed what


@dataclass(frozen=True, slots=True)
class Planned:
    """What is to be changed in the function before anything else is: by the lines of its statements.

    `removed` go; `loops` over a generator of sessions become blocks; the sessions that are made on the lines `opened`
    get a block, whatever they come from, and so do those that expressions `inside` of statements make.
    """

    removed: frozenset[int] = frozenset()
    loops: frozenset[int] = frozenset()
    opened: frozenset[int] = frozenset()
    inside: frozenset[tuple[int, int]] = frozenset()  # where expressions stand that make a session and get a block


@dataclass(frozen=True, slots=True)
class Watched:
    """Expressions of which it is to be told what they give; those in `scheduling` run something later."""

    expressions: frozenset[ast.expr]
    scheduling: frozenset[ast.expr] = frozenset()


@dataclass(frozen=True, slots=True)
class Seen:
    """What an expression gives each time it is evaluated, and how things stand right behind that."""

    value: Value
    world: World = field(hash=False)


@dataclass(slots=True, eq=False)
class Record:
    """Filled while a function is run."""

    sessions: list[Session] = field(default_factory=list)
    reads: dict[Read, None] = field(default_factory=dict)
    passed: dict[Passed, None] = field(default_factory=dict)
    serialized: dict[Serialized, None] = field(default_factory=dict)
    asked: dict[Asked, None] = field(default_factory=dict)
    exits: dict[ast.Return, Exit] = field(default_factory=dict)
    end: World | None = None  # how things stand where the function ends without a `return`; None: it does not
    ends: dict[ast.stmt, World] = field(default_factory=dict)  # how things stand at the end of a `with` or `try` body
    called: dict[Origin, tuple[FunctionMeaning, int]] = field(default_factory=dict)  # which object of which function
    nodes: dict[tuple[int, int], ast.expr] = field(default_factory=dict)  # what loads, by its position
    options: dict[tuple[int, int], ast.Call] = field(default_factory=dict)  # the calls of `options`, by their ends
    executed: dict[tuple[int, int], set[tuple[tuple[int, int], ...]]] = field(default_factory=dict)
    """By the position of a `select` or `query`: the options of every statement that is made of it and run."""
    added: dict[Origin, int] = field(default_factory=dict)  # new objects: the session that they were added to
    lenders: set[str] = field(default_factory=set)  # names of objects that a `with` of this function is open for
    escapes: dict[int, int] = field(default_factory=dict)  # sessions of which a method is handed on: the line
    entered: dict[int, ast.With | ast.AsyncWith] = field(default_factory=dict)  # `async with session:`
    refreshed: dict[Origin, int] = field(default_factory=dict)  # line of the last `refresh`
    seen: dict[ast.expr, Seen] = field(default_factory=dict)  # of the expressions that were to be watched
    may_write: bool = False  # something may be changed of which it is not followed what it is
    stopped: str = ""  # why the function could not be run to its ends
