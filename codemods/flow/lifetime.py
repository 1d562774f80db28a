"""The life of one session in one function, as a value: where it is made, used and closed, and how it gets away.

Filled by `examine`; a rule turns it into a change, a refusal, or "right as it is".
"""

from __future__ import annotations

import ast
import enum
from collections.abc import Sequence
from dataclasses import dataclass, field

from codemods.flow.scope import Scope, Seat
from codemods.flow.values import Values
from codemods.project.name_uses import Function, NameUse

TAKE_CARE = "take the session into a block of its own by hand"
HAND_OVER = "let the owner open the session with a block and pass it in, or pass the factory instead of a session"
TO_TASK = "give the task ids instead, and let it open its own session (rule task-arguments)"


class Closed(enum.StrEnum):
    """How the function closes the session today."""

    NEVER = "never closed"
    HAPPY_PATH = "closed only when nothing is raised before"
    SOME_PATHS = "closed on some paths only"
    REUSED = "used again after it was closed"
    GAP = "closed in `finally`, but left open when something is raised before the `try`"
    WHILE_ACTIVE = "closed in `finally` only while it is active, which it is not after a failed flush"
    BY_HAND = "closed by hand in `finally`"
    OUTSIDE = "used outside of the block that enters it"


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why no block can be put here; `advice` is what to do by hand."""

    reason: str
    line: int
    advice: str = TAKE_CARE
    returned: bool = False  # the session is returned, or what holds it
    scheduled: int = 0  # line of the call that runs something later, when that is all that stands in the way
    undecided: bool = False  # it may be closed out of sight, so that nothing may be wrong with it


@dataclass(frozen=True, slots=True)
class Condition:
    """On what a close in a `finally` hangs: the first test that need not hold whenever the session was made.

    `active`: `session.is_active` is all that is asked beyond that.
    """

    text: str
    line: int
    active: bool

    @property
    def reason(self) -> str:
        """What is wrong with a close that hangs on it."""
        told = f"its close in `finally` runs only if `{self.text}` (line {self.line})"
        return f"{told}: false after a failed flush, and the connection stays out" if self.active else told

    @property
    def obstacle(self) -> Obstacle:
        """It, where no block can be put in its place."""
        return Obstacle(self.reason, self.line, "close it whenever it was made, or open it with a block")


@dataclass(frozen=True, slots=True)
class Leave:
    """Something loaded through the session leaves the block."""

    line: int
    text: str


@dataclass(slots=True, eq=False)
class Closure:
    """A nested function that uses the session, and the calls in the function around it that run it on the spot."""

    function: Function
    scope: Scope
    calls: tuple[ast.Call, ...]
    values: Values | None = None


@dataclass(slots=True, eq=False)
class Lifetime:
    """What `examine` found. `first` and `last` are indexes into `seat.suite`; None when the session is never used."""

    scope: Scope
    name: str
    statement: ast.stmt
    seat: Seat
    is_async: bool
    late: bool = False  # made in a `try` that only maps its errors, and used after it: entered there, under its name
    given: bool = False  # the statement makes it only when the caller gave none
    branch: ast.If | None = None  # `if session is None:` around the statement, all of which a block takes the place of
    around: Lifetime | None = None  # that of the function around, when this is what a nested one does with the session
    lent: bool = False  # handed out on purpose, by the `yield` of a generator or the `return` of a dependency
    freed: frozenset[ast.Call] = frozenset()  # calls that run something later, and are to be given ids instead
    inline: bool = False  # made inside of `statement`, which is part of the block; `name` is the one it would be given
    uses: list[NameUse] = field(default_factory=list)
    closures: list[Closure] = field(default_factory=list)
    closing: list[ast.stmt] = field(default_factory=list)
    removed: list[ast.stmt] = field(default_factory=list)
    guard: ast.Try | None = None  # the try whose finally closes it
    condition: Condition | None = None  # on what that close hangs
    entered: list[ast.With | ast.AsyncWith] = field(default_factory=list)  # blocks over it that give way to their body
    dissolved: tuple[ast.Try, ast.stmt] | None = None  # a try whose finally the block replaces, and the close in it
    closed: Closed = Closed.NEVER
    let_go: int = 0  # line of the close after which the old code's objects were detached anyway; 0: none
    right: str = ""
    first: int | None = None
    last: int | None = None
    obstacles: list[Obstacle] = field(default_factory=list)
    leaves: list[Leave] = field(default_factory=list)
    notes: list[Leave] = field(default_factory=list)
    values: Values | None = None

    def stop(self, reason: str, line: int, advice: str = TAKE_CARE, *, undecided: bool = False) -> None:
        """Notes an obstacle. `undecided`: the session may be closed where nobody looks, beyond it."""
        self.obstacles.append(Obstacle(reason, line, advice, undecided=undecided))

    def stop_for_task(self, reason: str, line: int, *, undecided: bool = False) -> None:
        """Notes that the call on this line runs something later with the session, or with what was loaded in it.

        `undecided`: only its name says so.
        """
        self.obstacles.append(Obstacle(reason, line, TO_TASK, scheduled=line, undecided=undecided))

    @property
    def block(self) -> Sequence[ast.stmt]:
        """The statements that a block must hold."""
        if self.first is None or self.last is None:
            return ()
        return self.seat.suite[self.first : self.last + 1]
