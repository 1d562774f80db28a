"""The life of one session in one function: where it is made, used, closed, and how it gets away. Pure.

`examine` looks at a statement that binds a fresh session to a name and gives a `Lifetime`: the run of sibling
statements that a block must hold, the closes that the block replaces, and the obstacles to a block, each with its
line. A rule turns that into a change, a refusal, or "right as it is".
"""

from __future__ import annotations

import ast
import enum
from collections.abc import Sequence
from dataclasses import dataclass, field

from codemods.flow.reaching import binds_directly, reaching
from codemods.flow.scope import Loop, Scope, Seat, With, inside, own_expressions
from codemods.flow.values import SYNC_METHODS, Carry, Values
from codemods.plan import Fact
from codemods.project.expressions import dotted, expression, last_name
from codemods.project.keeping import Fate, closes, handed
from codemods.project.name_uses import COMPREHENSIONS, NameUse, Role
from codemods.project.schedulers import runs_later
from codemods.project.sessions import ClassMeaning, External, FunctionMeaning, UnknownMeaning

CLOSES = frozenset({"close", "aclose"})
_QUIET_BUILTINS = frozenset({"print", "repr", "str", "id", "type", "isinstance", "hasattr", "getattr", "bool", "hash"})
_LOGGING = frozenset({"debug", "info", "warning", "error", "exception", "critical", "log"})
_IMMEDIATE = frozenset(
    {"list", "tuple", "set", "dict", "frozenset", "sorted", "sum", "any", "all", "min", "max", "join", "gather"}
)
_CARE = "take the session into a block of its own by hand"


class Closed(enum.StrEnum):
    """How the function closes the session today."""

    NEVER = "never closed"
    HAPPY_PATH = "closed only when nothing is raised before"
    SOME_PATHS = "closed on some paths only"
    REUSED = "used again after it was closed"


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why no block can be put here; `advice` is what to do by hand."""

    reason: str
    line: int
    advice: str = _CARE


@dataclass(frozen=True, slots=True)
class Leave:
    """Something loaded through the session leaves the block."""

    line: int
    text: str


@dataclass(slots=True, eq=False)
class Lifetime:
    """What `examine` found. `first` and `last` are indexes into `seat.suite`; None when the session is never used."""

    scope: Scope
    name: str
    statement: ast.stmt
    seat: Seat
    is_async: bool
    uses: list[NameUse] = field(default_factory=list)
    closing: list[ast.stmt] = field(default_factory=list)
    removed: list[ast.stmt] = field(default_factory=list)
    closed: Closed = Closed.NEVER
    right: str = ""
    first: int | None = None
    last: int | None = None
    obstacles: list[Obstacle] = field(default_factory=list)
    leaves: list[Leave] = field(default_factory=list)
    notes: list[Leave] = field(default_factory=list)
    values: Values | None = None

    @property
    def block(self) -> Sequence[ast.stmt]:
        """The statements that a block must hold."""
        if self.first is None or self.last is None:
            return ()
        return self.seat.suite[self.first : self.last + 1]


def examine(scope: Scope, statement: ast.stmt, name: str, *, is_async: bool) -> Lifetime:
    """The life of the session that `statement` (an assignment or a `with`) binds to `name`."""
    life = Lifetime(scope, name, statement, scope.seat(statement), is_async)
    _gather_uses(life)
    if life.obstacles or life.right:
        return life
    life.values = Values(scope, [name], _following(life), is_async=is_async)
    _check_uses(life)
    _find_closes(life)
    if not life.right:
        _measure(life)
        _find_leaves(life)
    return life


def _following(life: Lifetime) -> list[ast.stmt]:
    suite = life.seat.suite[life.seat.index + 1 :]
    own = life.statement.body if isinstance(life.statement, With) else []
    return [inner for statement in [*own, *suite] for inner in inside(statement)]


def _stop(life: Lifetime, reason: str, line: int, advice: str = _CARE) -> None:
    life.obstacles.append(Obstacle(reason, line, advice))


# --- which uses are uses of this session --------------------------------------------------------------------------


def _gather_uses(life: Lifetime) -> None:
    scope, name, creation = life.scope, life.name, life.statement
    for statement in scope.statements():
        if isinstance(statement, (ast.Global, ast.Nonlocal)) and name in statement.names:
            _stop(life, f"`{name}` is declared {type(statement).__name__.lower()}: others can see it", statement.lineno)
            return
    within_own_block = isinstance(creation, With)
    for use in scope.uses(name):
        if use.role is Role.BOUND:
            continue
        if use.role is Role.CAPTURED:
            if use.line >= creation.lineno or _may_see(scope, use, name, creation):
                _captured(life, use)
            continue
        statement = scope.statement(use.node)
        if statement is creation:
            if use.role is not Role.DELETED and not within_own_block:
                # `s = make(s)`: another session goes in
                _stop(life, f"`{name}` is read in the statement that makes it", use.line)
            continue
        seen = reaching(scope, statement, name)
        if creation not in seen.statements:
            continue
        if seen.statements != {creation} or seen.unbound:
            others = sorted(other.lineno for other in seen.statements - {creation})
            where = f"line {others[0]}" if others else "a path that does not make it"
            _stop(
                life,
                f"at line {use.line} `{name}` may be another value ({where})",
                use.line,
                "make and use the session in one place, under the same condition",
            )
            continue
        life.uses.append(use)
    if not life.obstacles:
        _check_place(life)


def _may_see(scope: Scope, use: NameUse, name: str, creation: ast.stmt) -> bool:
    return creation in reaching(scope, scope.statement(use.node), name).statements


def _captured(life: Lifetime, use: NameUse) -> None:
    holder = use.holder
    what = f"`{holder.name}()`" if isinstance(holder, (ast.FunctionDef, ast.AsyncFunctionDef)) else "a lambda"
    _stop(
        life,
        f"{what} at line {getattr(holder, 'lineno', use.line)} holds on to `{life.name}` and can run after the block",
        use.line,
        "pass the session as a parameter, or open a session inside the nested function",
    )


def _check_place(life: Lifetime) -> None:
    """Every use must stand in the suite in which the session is made; a finally around may close it."""
    if _closed_around(life):
        life.right = f"closed in the `finally` around it (line {life.closing[0].lineno})"
        return
    suite = life.seat.suite
    for use in life.uses:
        index = life.scope.in_suite(suite, use.node)
        if index is None:
            _stop(
                life,
                f"used at line {use.line}, outside of the block of statements in which it is made",
                use.line,
                "make the session where all of its uses are, or open it with a block around all of them",
            )
            return


def _closed_around(life: Lifetime) -> bool:
    """`try: s = F(); ... finally: await s.close()`: made inside of the try that closes it."""
    current: ast.stmt | None = life.statement
    while current is not None:
        seat = life.scope.seat(current)
        above = life.scope.owner_statement(current)
        if isinstance(above, ast.Try) and seat.suite is not above.finalbody:
            for use in life.uses:
                statement = life.scope.statement(use.node)
                if life.scope.in_suite(above.finalbody, use.node) is not None and _is_closing(life, use):
                    life.closing.append(statement)
                    return True
        current = above
    return False


# --- what each use does -------------------------------------------------------------------------------------------


def _check_uses(life: Lifetime) -> None:
    for use in life.uses:
        if isinstance(life.statement, With) and life.scope.statement(use.node) in set(inside(life.statement)):
            continue  # inside its own block: not a question of where the block ends
        _check_comprehension(life, use)
        match use.role:
            case Role.RETURNED:
                _stop(life, f"returned at line {use.line}: it belongs to the caller", use.line, _HAND_OVER)
            case Role.YIELDED:
                _stop(
                    life,
                    f"yielded at line {use.line}: this is a dependency or a context manager",
                    use.line,
                    "close it in `finally` around the yield, or yield inside of `async with`",
                )
            case Role.STORED | Role.CONTAINED:
                _stop(life, f"stored at line {use.line}: it outlives the function", use.line, _HAND_OVER)
            case Role.ALIASED:
                _stop(life, f"given a second name at line {use.line}", use.line, "use one name for the session")
            case Role.TESTED:
                _stop(
                    life,
                    f"tested at line {use.line}: whether there is a session depends on the path",
                    use.line,
                    "make the session unconditionally, in a block",
                )
            case Role.DELETED:
                _stop(life, f"deleted at line {use.line}", use.line, "drop the `del`")
            case Role.AWAITED | Role.ITERATED | Role.OTHER:
                _stop(life, f"used at line {use.line} in a way that cannot be followed", use.line)
            case Role.ENTERED:
                _entered(life, use)
            case Role.METHOD:
                _method(life, use)
            case Role.ARGUMENT:
                _argument(life, use)
            case _:
                pass


_HAND_OVER = "let the owner open the session with a block and pass it in, or pass the factory instead of a session"


def _check_comprehension(life: Lifetime, use: NameUse) -> None:
    for around in life.scope.parents.chain(use.node):
        if isinstance(around, ast.stmt):
            return
        if isinstance(around, ast.GeneratorExp):
            call = life.scope.parents.of(around)
            if isinstance(call, ast.Call) and last_name(expression(call.func)) in _IMMEDIATE:
                return
            if isinstance(call, ast.Starred):
                return
            _stop(life, f"a generator expression at line {use.line} uses it when it is consumed", use.line)
            return
        if isinstance(around, COMPREHENSIONS):
            return


def _entered(life: Lifetime, use: NameUse) -> None:
    with_ = use.holder
    if not isinstance(with_, With):
        return
    index = life.scope.in_suite(life.seat.suite, with_)
    in_block = {id(inner) for inner in inside(with_)}
    outside = [other for other in life.uses if id(life.scope.statement(other.node)) not in in_block]
    if not outside and index is not None:
        life.right = f"entered by `with` at line {with_.lineno}"
        return
    first = outside[0] if outside else use
    when = "before" if first.line < with_.lineno else "after"
    _stop(
        life,
        f"entered by `with` at line {with_.lineno}, but used {when} that block at line {first.line}",
        first.line,
        "open the session with one block around all of its uses",
    )


def _method(life: Lifetime, use: NameUse) -> None:
    if use.attribute in ("__aenter__", "__enter__", "__aexit__", "__exit__"):
        _stop(life, f"`{use.attribute}` is called by hand at line {use.line}", use.line)
        return
    if not life.is_async or use.awaited or use.attribute in SYNC_METHODS:
        if use.attribute in ("stream", "stream_scalars") and not _consumed_here(life, use):
            life.notes.append(Leave(use.line, f"`{use.attribute}` reads from the open session while it is consumed"))
        return
    if use.attribute in CLOSES and isinstance(life.scope.parents.of(use.call or use.node), ast.Expr):
        _stop(life, f"`{life.name}.{use.attribute}()` at line {use.line} is not awaited", use.line, "await it")
        return
    _stop(
        life,
        f"`{life.name}.{use.attribute}(...)` at line {use.line} is not awaited there: it would run after the close",
        use.line,
        "await the call where it is made",
    )


def _consumed_here(life: Lifetime, use: NameUse) -> bool:
    assert life.values is not None
    return any(isinstance(around, ast.AsyncFor) for around in life.scope.parents.chain(use.node))


def _argument(life: Lifetime, use: NameUse) -> None:
    call = use.call
    assert call is not None
    scope = life.scope
    name = dotted(expression(call.func)) or last_name(expression(call.func)) or "a call"
    if _scheduled(life, use, call):
        return
    called = scope.meaning(call.func)
    if last_name(expression(call.func)) in ("enter_async_context", "enter_context", "push_async_exit"):
        life.right = f"handed to an exit stack at line {use.line}"
        return
    match called:
        case FunctionMeaning():
            _handed_to_function(life, use, called, name)
        case ClassMeaning():
            pass  # an object that holds the session: `Values` follows it as a HOLDER
        case External(dotted=dotted_name):
            last = dotted_name.rpartition(".")[2]
            if use.awaited or last in _QUIET_BUILTINS or dotted_name.startswith("sqlalchemy.inspect"):
                return
            _unfollowed(life, use, call, name)
        case UnknownMeaning():
            if use.awaited or last_name(expression(call.func)) in _LOGGING:
                return
            _unfollowed(life, use, call, name)
        case _:
            if not use.awaited:
                _unfollowed(life, use, call, name)


def _unfollowed(life: Lifetime, use: NameUse, call: ast.Call, name: str) -> None:
    """A call neither awaited nor in view: as a statement it may keep the session; else its result may hold it."""
    if isinstance(life.scope.parents.of(call), ast.Expr):
        _stop(
            life,
            f"handed to `{name}()` at line {use.line}, which is not in view and may keep it or run it later",
            use.line,
            "look whether it keeps the session; if not, open the session with a block by hand",
        )


def _handed_to_function(life: Lifetime, use: NameUse, called: FunctionMeaning, name: str) -> None:
    definitions = life.scope.project.symbols.functions(called.module, called.qualname)
    if not use.awaited:
        if any(one.is_async and not one.is_generator for one in definitions):
            _stop(
                life,
                f"the coroutine of `{name}()` at line {use.line} is not awaited there: it would run after the close",
                use.line,
                "await the call where it is made, or let the task open its own session",
            )
            return
        if any(one.is_generator for one in definitions) and not _iterated_here(life, use):
            _stop(
                life,
                f"it goes to the generator `{name}()` at line {use.line}, which can outlive this function",
                use.line,
                "consume the generator inside of the block, or let it open its own session",
            )
            return
    found = handed(called, use.position, use.keyword, life.scope.project)
    where = f" ({_place(found.fact)})" if found.fact else ""
    match found.fate:
        case Fate.SCHEDULED:
            _stop(life, f"`{name}()` hands it to a task{where}", use.line, _TASK)
        case Fate.KEPT:
            _stop(life, f"`{name}()` keeps it{where}", use.line, _HAND_OVER)
        case Fate.CAPTURED:
            _stop(life, f"`{name}()` lets a nested function hold on to it{where}", use.line, _HAND_OVER)
        case Fate.UNKNOWN:
            life.notes.append(Leave(use.line, f"`{name}()` hands it on to something that is not in view{where}"))
        case _:
            pass


_TASK = "give the task ids instead, and let it open its own session (rule task-arguments)"


def _place(fact: Fact | None) -> str:
    return f"{fact.path}:{fact.line}" if fact else ""


def _iterated_here(life: Lifetime, use: NameUse) -> bool:
    current: ast.AST = use.node
    for around in life.scope.parents.chain(use.node):
        if isinstance(around, (ast.For, ast.AsyncFor, ast.comprehension)):
            return around.iter is current
        if isinstance(around, ast.Call) and current is not use.node:
            if last_name(expression(around.func)) in _IMMEDIATE:
                return True
        if isinstance(around, ast.stmt):
            return False
        current = around
    return False


def _scheduled(life: Lifetime, use: NameUse, call: ast.Call) -> bool:
    """Whether a call around the use runs it later; says so when it does."""
    scope = life.scope
    for around in [call, *scope.parents.chain(call)]:
        if isinstance(around, ast.stmt):
            return False
        if not isinstance(around, ast.Call):
            continue
        awaited = scope.parents.is_awaited(around)
        how = runs_later(scope.meaning(around.func), last_name(expression(around.func)), awaited)
        if how and not (awaited and how == "suspected"):
            name = dotted(expression(around.func)) or last_name(expression(around.func))
            kind = "runs it later" if how == "task" else "may run it later"
            _stop(life, f"handed to `{name}()` at line {around.lineno}, which {kind}", around.lineno, _TASK)
            return True
    return False


# --- closes -------------------------------------------------------------------------------------------------------


def _is_closing(life: Lifetime, use: NameUse) -> bool:
    """Whether the use closes the session: by its own method, or through a function that does."""
    if use.role is Role.METHOD:
        return use.attribute in CLOSES
    if use.role is Role.ARGUMENT and use.call is not None:
        called = life.scope.meaning(use.call.func)
        if isinstance(called, FunctionMeaning):
            return closes(called, use.position, use.keyword, life.scope.project)
        return "close" in last_name(expression(use.call.func))
    return False


def is_close_statement(life: Lifetime, use: NameUse) -> bool:
    """`await session.close()` standing as a statement of its own."""
    if use.role is not Role.METHOD or use.attribute not in CLOSES:
        return False
    statement = life.scope.statement(use.node)
    if not isinstance(statement, ast.Expr):
        return False
    call = statement.value.value if isinstance(statement.value, ast.Await) else statement.value
    return call is use.call


def _find_closes(life: Lifetime) -> None:
    scope, suite = life.scope, life.seat.suite
    if isinstance(life.statement, With):
        return
    in_finally: ast.Try | None = None
    for use in life.uses:
        if not _is_closing(life, use):
            continue
        statement = scope.statement(use.node)
        life.closing.append(statement)
        guard = _finally_around(life, statement)
        if guard is not None and in_finally is None:
            in_finally = guard
    if in_finally is not None:
        _closed_in_finally(life, in_finally, suite)


def _finally_around(life: Lifetime, statement: ast.stmt) -> ast.Try | None:
    current: ast.stmt | None = statement
    while current is not None:
        seat = life.scope.seat(current)
        above = life.scope.owner_statement(current)
        if isinstance(above, ast.Try) and seat.suite is above.finalbody:
            return above
        current = above
    return None


def _closed_in_finally(life: Lifetime, guard: ast.Try, suite: Sequence[ast.stmt]) -> None:
    """Closed in `finally`: right when nothing uses the session outside of that try."""
    # what stood in the way of a block (tests for None, yields, stores) is no objection to a try that closes
    life.obstacles.clear()
    life.notes.clear()
    members = {id(inner) for inner in inside(guard)}
    outside = [use for use in life.uses if id(life.scope.statement(use.node)) not in members]
    if not outside:
        life.right = f"closed in `finally` (line {life.closing[0].lineno})"
        return
    first = outside[0]
    if first.line < guard.lineno:
        if _only_sets_up(outside):
            life.right = f"closed in `finally` (line {life.closing[0].lineno})"
            return
        _stop(
            life,
            f"used at line {first.line} before the `try` at line {guard.lineno} that closes it:"
            " an exception there leaves it open",
            first.line,
            "start the `try` directly after the session is made, or open the session with a block",
        )
        return
    _stop(
        life,
        f"used again at line {first.line} after the `finally` that closes it: it opens anew and stays open",
        first.line,
        "move the use into the `try`, or open a block around all of it",
    )


def _only_sets_up(uses: Sequence[NameUse]) -> bool:
    """Uses that start no statement on the database: attributes read or set (`session.info[...]`, `session.bind`)."""
    return all(use.role in (Role.ATTRIBUTE, Role.SET) for use in uses)


# --- how far a block reaches --------------------------------------------------------------------------------------


def _measure(life: Lifetime) -> None:
    scope, suite, start = life.scope, life.seat.suite, life.seat.index
    assert life.values is not None
    own = set(inside(life.statement)) if isinstance(life.statement, With) else set()
    later = [use for use in life.uses if scope.statement(use.node) not in own]
    indexes = [index for use in later if (index := scope.in_suite(suite, use.node)) is not None]
    if not indexes:
        return
    close_uses = [use for use in later if is_close_statement(life, use)]
    real = [use for use in later if use not in close_uses]
    life.first = min(indexes)
    last_use = max((scope.in_suite(suite, use.node) or 0 for use in real), default=None)
    end_close = _end_close(life, close_uses, last_use)
    last = last_use if last_use is not None else max(indexes)
    if end_close is None:
        last = max([*indexes, last])
        while (further := _last_read(life, start, last)) > last:
            last = further
        life.last = last
    else:
        close_index = scope.in_suite(suite, end_close)
        assert close_index is not None
        life.last = close_index - 1
        life.removed.append(end_close)
    _sort_closes(life, close_uses, real, end_close)
    if life.last is not None and life.first is not None and life.last < life.first:
        life.first = life.last = None  # nothing but closes
    _check_block(life)


def _end_close(life: Lifetime, close_uses: list[NameUse], last_use: int | None) -> ast.stmt | None:
    """A close that stands in the suite itself, after every other use: there the old code let go of the session."""
    for use in close_uses:
        statement = life.scope.statement(use.node)
        seat = life.scope.seat(statement)
        if seat.suite is life.seat.suite and (last_use is None or seat.index > last_use):
            return statement
    return None


def _last_read(life: Lifetime, start: int, last: int) -> int:
    """The last sibling that mentions something loaded through the session."""
    assert life.values is not None
    loaded = {name for name, carry in life.values.names.items() if carry is not Carry.PLAIN}
    found = last
    for index in range(start + 1, len(life.seat.suite)):
        statement = life.seat.suite[index]
        if binds_directly(statement, life.name):
            break  # from here on the name is another session
        if any(isinstance(node, ast.Name) and node.id in loaded for node in ast.walk(statement)):
            if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                continue
            found = max(found, index)
    return found


def _sort_closes(life: Lifetime, close_uses: list[NameUse], real: list[NameUse], end_close: ast.stmt | None) -> None:
    """Says how the session is closed today, and which closes the block makes superfluous."""
    if not close_uses:
        return
    nested = [life.scope.statement(use.node) for use in close_uses]
    reused = False
    for statement in nested:
        if statement is end_close:
            continue
        if _use_can_follow(life, statement, real):
            reused = True
        elif _may_go(life, statement):
            life.removed.append(statement)
    seat_suite = life.seat.suite
    straight = [statement for statement in nested if life.scope.seat(statement).suite is seat_suite]
    if reused:
        life.closed = Closed.REUSED
    elif straight:
        life.closed = Closed.HAPPY_PATH
    else:
        life.closed = Closed.SOME_PATHS


def _use_can_follow(life: Lifetime, close: ast.stmt, real: list[NameUse]) -> bool:
    """Whether another use of the session can run after this close."""
    scope = life.scope
    current: ast.stmt | None = close
    statements = {scope.statement(use.node) for use in real}

    def used_in(suite: Sequence[ast.stmt]) -> bool:
        return any(inner in statements for statement in suite for inner in inside(statement))

    while current is not None:
        seat = scope.seat(current)
        rest = seat.suite[seat.index + 1 :]
        if used_in(rest):
            return True
        if seat.suite is life.seat.suite:
            return False
        if any(isinstance(statement, (ast.Return, ast.Raise)) for statement in rest):
            return False
        above = scope.owner_statement(current)
        leaves_loop = any(isinstance(statement, ast.Break) for statement in rest)
        if isinstance(above, Loop) and not leaves_loop and used_in([above]):
            return True
        if isinstance(above, ast.Try):
            if seat.suite is above.body and (used_in(above.orelse) or used_in(above.finalbody)):
                return True
            if isinstance(seat.owner, ast.ExceptHandler) and used_in(above.finalbody):
                return True
        current = above
    return False


def _may_go(life: Lifetime, close: ast.stmt) -> bool:
    """A close may go when the block ends soon after: it is not alone in its suite, and nothing slow follows."""
    seat = life.scope.seat(close)
    if len(seat.suite) == 1:
        return False
    return not any(
        isinstance(node, (ast.Await, ast.AsyncFor, ast.AsyncWith))
        for statement in seat.suite[seat.index + 1 :]
        for node in ast.walk(statement)
    )


def _check_block(life: Lifetime) -> None:
    """Statements that must not end up inside of a block that holds a connection, or cannot be moved into one."""
    if life.first is None or life.last is None:
        return
    for statement in life.block:
        for inner in inside(statement):
            if isinstance(inner, ast.While) and _endless(inner):
                _stop(
                    life,
                    f"it would be held open by the endless loop at line {inner.lineno}",
                    inner.lineno,
                    "make the session inside of the loop, one block per turn",
                )
            if isinstance(inner, ast.AsyncFor) and _foreign_stream(life, inner):
                _stop(
                    life,
                    f"it would be held open while `async for` at line {inner.lineno} waits for something else",
                    inner.lineno,
                    "make the session inside of the loop, one block per turn",
                )
            if any(isinstance(node, (ast.Yield, ast.YieldFrom)) for node in own_expressions(inner)):
                life.notes.append(Leave(inner.lineno, "the connection is held while the generator's consumer runs"))
    for statement in [life.statement, *life.block, *life.removed]:
        shared = [
            other
            for other in life.scope.statements()
            if other is not statement
            and statement.lineno <= other.lineno <= (statement.end_lineno or statement.lineno)
            and life.scope.seat(other).suite is life.scope.seat(statement).suite
        ]
        owner = life.scope.seat(statement).owner
        body_on_header = isinstance(owner, (ast.stmt, ast.ExceptHandler)) and owner.lineno == statement.lineno
        if shared or body_on_header:
            _stop(
                life, f"line {statement.lineno} holds more than one statement", statement.lineno, "one statement a line"
            )
            return


def _endless(loop: ast.While) -> bool:
    always = isinstance(loop.test, ast.Constant) and bool(loop.test.value)
    return always and not any(isinstance(node, (ast.Break, ast.Return)) for node in ast.walk(loop))


def _foreign_stream(life: Lifetime, loop: ast.AsyncFor) -> bool:
    assert life.values is not None
    return life.values.carry(loop.iter) is Carry.PLAIN


# --- what leaves --------------------------------------------------------------------------------------------------


def _find_leaves(life: Lifetime) -> None:
    scope, values = life.scope, life.values
    assert values is not None
    for statement in _after(life):
        if isinstance(statement, ast.Return):
            _leave(life, statement.value, statement.lineno, "returned")
        for node in own_expressions(statement):
            if isinstance(node, (ast.Yield, ast.YieldFrom)):
                _leave(life, node.value, node.lineno, "yielded")
            if isinstance(node, ast.Call):
                _call_leaves(life, node)
        for target, value in _stores(statement):
            if _outlives(life, target):
                _leave(life, value, statement.lineno, "stored")
    if life.last is not None and not isinstance(life.statement, With):
        _read_outside(life)
    del scope


def _after(life: Lifetime) -> list[ast.stmt]:
    """The statements that can run after the session is made: those behind it, at any depth."""
    own = set(inside(life.statement)) if isinstance(life.statement, With) else set()
    return [
        statement
        for statement in life.scope.statements()
        if statement.lineno > life.statement.lineno and statement not in own
    ]


def _stores(statement: ast.stmt) -> list[tuple[ast.expr, ast.expr]]:
    match statement:
        case ast.Assign(targets=targets, value=value):
            return [(target, value) for target in targets]
        case ast.AugAssign(target=target, value=value) | ast.AnnAssign(target=target, value=ast.expr() as value):
            return [(target, value)]
        case _:
            return []


def _outlives(life: Lifetime, target: ast.expr) -> bool:
    """`self.x = ...`, `cache[k] = ...` of something that this function did not make or load itself."""
    if isinstance(target, (ast.Attribute, ast.Subscript)):
        root: ast.expr = target
        while isinstance(root, (ast.Attribute, ast.Subscript)):
            root = root.value
        if not isinstance(root, ast.Name):
            return True
        return not _is_local(life, root.id)
    if isinstance(target, ast.Name):
        return any(
            isinstance(statement, (ast.Global, ast.Nonlocal)) and target.id in statement.names
            for statement in life.scope.statements()
        )
    return False


def _is_local(life: Lifetime, name: str) -> bool:
    return any(binds_directly(statement, name) for statement in life.scope.statements())


def _call_leaves(life: Lifetime, call: ast.Call) -> None:
    """`cache.append(user)`, `create_task(notify(user))`."""
    values = life.values
    assert values is not None
    given = max(
        (values.carry(argument) for argument in [*call.args, *(k.value for k in call.keywords)]), default=Carry.PLAIN
    )
    if given is Carry.PLAIN:
        return
    if any(isinstance(n, ast.Name) and n.id == life.name for a in call.args for n in ast.walk(a)):
        return  # the session itself is looked at use by use
    name = dotted(expression(call.func)) or last_name(expression(call.func))
    awaited = life.scope.parents.is_awaited(call)
    how = runs_later(life.scope.meaning(call.func), last_name(expression(call.func)), awaited)
    if how and not awaited:
        _stop(life, f"something loaded goes to `{name}()` at line {call.lineno}, which runs later", call.lineno, _TASK)
        return
    if isinstance(call.func, ast.Attribute) and call.func.attr in (
        "append",
        "extend",
        "put",
        "put_nowait",
        "setdefault",
    ):
        root: ast.expr = call.func.value
        while isinstance(root, (ast.Attribute, ast.Subscript)):
            root = root.value
        if isinstance(root, ast.Name) and not _is_local(life, root.id):
            if given is Carry.HOLDER:
                _stop(life, f"something that holds it is stored at line {call.lineno}", call.lineno, _HAND_OVER)
            else:
                life.leaves.append(Leave(call.lineno, f"something loaded is put into `{name.rpartition('.')[0]}`"))


def _leave(life: Lifetime, value: ast.expr | None, line: int, how: str) -> None:
    values = life.values
    assert values is not None
    carry = values.carry(value)
    if carry is Carry.HOLDER and value is not None:
        if any(isinstance(node, ast.Name) and node.id == life.name for node in ast.walk(value)) and not isinstance(
            value, ast.Call
        ):
            return  # already said use by use
        _stop(life, f"what is {how} at line {line} may still use it", line, _HAND_OVER)
    elif carry is Carry.LOADED:
        life.leaves.append(Leave(line, f"`{_short(value)}` is {how}"))


def _short(value: ast.expr | None) -> str:
    text = ast.unparse(value) if value is not None else ""
    return text if len(text) <= 40 else f"{text[:37]}..."


def _read_outside(life: Lifetime) -> None:
    """Loaded names that are read behind the suite, where the block cannot reach."""
    values, suite = life.values, life.seat.suite
    assert values is not None
    loaded = {name for name, carry in values.names.items() if carry is not Carry.PLAIN}
    for statement in _after(life):
        if isinstance(statement, ast.Return) or life.scope.in_suite(suite, statement) is not None:
            continue
        for node in own_expressions(statement):
            if isinstance(node, ast.Name) and node.id in loaded and isinstance(node.ctx, ast.Load):
                life.leaves.append(Leave(node.lineno, f"`{node.id}` is read after the block"))
                return
