"""How a function closes its session today: by which statements, on which paths, and which a block makes superfluous."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from codemods.flow.close_condition import LEAVING, condition_of
from codemods.flow.lifetime import Closed, Lifetime
from codemods.flow.quiet import is_quiet
from codemods.flow.reaching import bindings_inside, binds_directly
from codemods.flow.scope import Loop, Scope, With, inside
from codemods.project.expressions import dotted, expression, is_logging, last_name
from codemods.project.keeping import Fate, closes, constructed
from codemods.project.name_uses import NameUse, Role
from codemods.project.schedulers import runs_later
from codemods.project.sessions import ClassMeaning, External, FunctionMeaning

CLOSES = frozenset({"close", "aclose"})
_ENDING = CLOSES | {"__aexit__", "__exit__", "invalidate"}
_THREADS = frozenset({"run_in_threadpool", "to_thread", "run_sync"})


def settled(life: Lifetime) -> bool:
    """Whether the session is closed on every path already; sets `right`. What else is done with it is no matter then.

    It is, when all uses stand inside of a `with` that enters it, or inside of a `try` whose `finally` closes it.
    """
    if isinstance(life.statement, With):
        return False
    if life.given and any(use.role is Role.ENTERED for use in life.uses):
        return False  # it would close the session of the caller, too
    entered = [use.holder for use in life.uses if use.role is Role.ENTERED and isinstance(use.holder, With)]
    if entered and _all_within(life, *entered):
        life.right = f"entered by `with` at line {entered[0].lineno}"
        return True
    for use in life.uses:
        if use.role is Role.ARGUMENT and use.call is not None and _is_closing_block(life, use.call):
            life.right = f"closed by `with` at line {use.line}"
            return True
    for use in life.uses:
        if not is_closing(life, use) or (life.is_async and not use.awaited):
            continue
        statement = life.scope.statement(use.node)
        for guard in _finallies_around(life, statement):
            if not _one_binding(life, guard, forgotten=True) or not _unconditional(life, use, guard):
                continue
            if _all_within(life, guard) and not _opened_again(life, statement):
                life.guard = guard
                life.closing.append(statement)
                life.right = f"closed in `finally` (line {statement.lineno})"
                return True
    return False


def _opened_again(life: Lifetime, close: ast.stmt) -> bool:
    """Whether something behind the close, in its own suite, uses the session: it opens anew, and stays open."""
    seat = life.scope.seat(close)
    behind = {inner for later in seat.suite[seat.index + 1 :] for inner in inside(later)}
    again = [use for use in life.uses if life.scope.statement(use.node) in behind]
    return any(use.role in _RUNNING and not is_closing(life, use) for use in again)


_RUNNING = frozenset({Role.METHOD, Role.ARGUMENT, Role.CAPTURED})


def fill_gap(life: Lifetime) -> None:
    """Uses between the making and the `try` that closes: a block over both closes on every path."""
    for use in life.uses:
        if not is_closing(life, use) or (life.is_async and not use.awaited):
            continue
        guard = _finally_around(life, life.scope.statement(use.node))
        if guard is None:
            continue
        life.condition = condition_of(life, use, guard, is_closing)
        if not _one_binding(life, guard):
            continue
        members = {id(inner) for inner in inside(guard)}
        outside = [one for one in life.uses if id(life.scope.statement(one.node)) not in members]
        life.guard = guard
        if life.condition is not None and (not life.condition.active or life.given):
            return
        if outside and all(one.line < guard.lineno for one in outside) and dissolve(life):
            life.closed = Closed.GAP
        elif not outside and life.condition is not None and dissolve(life):
            life.closed = Closed.WHILE_ACTIVE
        return


def dissolve(life: Lifetime) -> bool:
    """Whether a block can replace the guard's close: it stands last in the `finally`. Its uses are dropped then."""
    guard = life.guard
    if guard is None:
        return False
    close = guard.finalbody[-1]
    beside = any(statement is guard for statement in life.seat.suite)
    alone = life.seat.suite is guard.body and not guard.handlers and not guard.orelse and len(guard.finalbody) == 1
    above = _bound_around(life, guard) if alone else []
    if above and not _is_forerunner(life, above, guard):
        alone = False  # it would be left behind
    closes_others = any(
        isinstance(node, ast.Attribute) and node.attr in CLOSES and node is not None
        for statement in guard.finalbody[:-1]
        for node in ast.walk(statement)
    )
    if closes_others:
        return False  # several sessions: one block for each, or none
    if life.condition is not None and any(
        isinstance(inner, LEAVING) for statement in guard.finalbody[:-1] for inner in inside(statement)
    ):
        return False  # the test that it hangs on is left behind
    if not beside and not alone:
        return False  # handlers, `else` and the rest of `finally` would run after the block
    uses = [use for use in life.uses if life.scope.statement(use.node) in set(inside(close))]
    closes = [use for use in uses if is_close_statement(life, use)]
    if len(closes) != 1 or not _only_closes(life, close):
        return False
    others = [use for use in life.uses if is_closing(life, use) and use not in closes]
    if any(_finally_around(life, life.scope.statement(use.node)) is guard for use in others):
        return False
    life.dissolved = (guard, close)
    life.removed += above
    life.uses = [use for use in life.uses if use not in uses]
    return True


def _bound_around(life: Lifetime, guard: ast.Try) -> list[ast.stmt]:
    """What binds the name beside the `try`, or makes it None anywhere else around it."""
    members, beside = set(inside(guard)), life.scope.seat(guard).suite
    return [
        one
        for one in life.scope.statements()
        if one not in members
        and binds_directly(one, life.name)
        and (life.scope.seat(one).suite is beside or is_none(one))
    ]


def is_none(statement: ast.stmt) -> bool:
    value = statement.value if isinstance(statement, (ast.Assign, ast.AnnAssign)) else None
    return isinstance(value, ast.Constant) and value.value is None


def _is_forerunner(life: Lifetime, bound: Sequence[ast.stmt], guard: ast.Try) -> bool:
    """Whether what is bound around the `try` is only `session = None` above it, for the `finally` to look at."""
    none, seat = bound[0], life.scope.seat(guard)
    if len(bound) > 1 or not is_none(none) or (isinstance(none, ast.Assign) and len(none.targets) > 1):
        return False
    if life.scope.seat(none).suite is not seat.suite or life.scope.seat(none).index > seat.index:
        return False
    around = {life.scope.statement(use.node) for use in life.scope.uses(life.name)} - set(inside(guard))
    return around == {none}


def _is_closing_block(life: Lifetime, call: ast.Call) -> bool:
    """`with closing(session):` around all uses."""
    called = life.scope.callee(call)
    if not isinstance(called, External) or called.dotted not in ("contextlib.closing", "contextlib.aclosing"):
        return False
    item = life.scope.parents.of(call)
    block = life.scope.parents.of(item) if isinstance(item, ast.withitem) else None
    return isinstance(block, With) and _all_within(life, block)


def _only_closes(life: Lifetime, statement: ast.stmt) -> bool:
    """`await session.close()`, or that under `if session:`, `if session is not None and session.is_active:`."""
    match statement:
        case ast.Expr():
            return True
        case ast.If(test=test, body=[ast.Expr()], orelse=[]):
            return _asks_for(life, test)
        case _:
            return False


def _asks_for(life: Lifetime, test: ast.expr) -> bool:
    """Whether a test only asks whether there is a session, or whether it is active."""
    match test:
        case ast.Name(id=name):
            return name == life.name
        case ast.Compare(left=ast.Name(id=name), ops=[ast.IsNot()], comparators=[ast.Constant(value=None)]):
            return name == life.name
        case ast.Attribute(value=ast.Name(id=name), attr="is_active"):
            return name == life.name
        case ast.BoolOp(op=ast.And(), values=values):
            return all(_asks_for(life, one) for one in values)
        case _:
            return False


def _one_binding(life: Lifetime, guard: ast.Try, *, forgotten: bool = False) -> bool:
    """Whether the `finally` can only close this session: the try binds the name to nothing else, once.

    `forgotten`: it may be set to None there; whether the session is closed by then is for `rebound` to say.
    """
    handlers = [statement for handler in guard.handlers for statement in handler.body]
    inner = bindings_inside([*guard.body, *handlers, *guard.orelse], life.name) - {life.statement}
    if forgotten:
        inner = {one for one in inner if not is_none(one)}
    if inner and life.statement not in set(inside(guard)):
        return False
    if any(_is_made(life, other) for other in inner):
        return _is_alternative(life, inner)
    current: ast.stmt | None = life.statement
    around = set(inside(guard))
    while current is not None and current is not guard:
        if isinstance(current, Loop) and (current in around or guard not in set(inside(current))):
            return False
        current = life.scope.owner_statement(current)
    return True


def _is_made(life: Lifetime, statement: ast.stmt) -> bool:
    return isinstance(statement, (ast.Assign, ast.AnnAssign)) and isinstance(statement.value, (ast.Call, ast.Await))


def _is_alternative(life: Lifetime, others: set[ast.stmt]) -> bool:
    """`if a: s = F() else: s = G()`: only one of them runs."""
    mine = life.scope.owner_statement(life.statement)
    return isinstance(mine, (ast.If, ast.Try)) and all(
        life.scope.owner_statement(other) is mine and life.scope.seat(other).suite is not life.seat.suite
        for other in others
    )


def _unconditional(life: Lifetime, close: NameUse, guard: ast.Try) -> bool:
    """Whether a close in the `finally` of `guard` runs whenever the session was made, as often as it was."""
    statement = life.scope.statement(close.node)
    current: ast.stmt | None = statement
    if isinstance(life.scope.seat(statement).owner, ast.ExceptHandler):
        return False  # `finally: try: ... except: session.close()`
    while current is not None and current is not guard:
        if isinstance(current, Loop):
            return False
        current = life.scope.owner_statement(current)
    return condition_of(life, close, guard, is_closing) is None


def _all_within(life: Lifetime, *around: ast.stmt) -> bool:
    """Whether every use stands inside of the statements, but for those that start nothing on the database."""
    members = {id(inner) for statement in around for inner in inside(statement)}
    return all(
        id(life.scope.statement(use.node)) in members
        or use.role is Role.TESTED
        or (use.line < around[0].lineno and (_sets_up(life, use) or _is_put_down(life, use, around[0])))
        for use in life.uses
    )


def _sets_up(life: Lifetime, use: NameUse) -> bool:
    """`session.info[...]`, `session.bind`, `id(session)` before the try: none of them opens a connection."""
    if use.role is Role.ARGUMENT and use.call is not None:
        called = life.scope.callee(use.call)
        if isinstance(called, ClassMeaning):  # an object that holds it runs nothing by being made
            built = constructed(called, use.position, use.keyword, life.scope.project)
            return built.fate <= Fate.IN_RESULT
        return is_quiet(called, use.call)
    return use.role in (Role.ATTRIBUTE, Role.SET)


def _is_put_down(life: Lifetime, use: NameUse, around: ast.stmt) -> bool:
    """`request.state.session = session` before `around`, and nothing between them could run a statement on it.

    A session that nobody has used holds no connection: whatever is raised there leaves nothing open.
    """
    statement = life.scope.statement(use.node)
    if use.role not in (Role.STORED, Role.CONTAINED) or not _is_plain_store(statement):
        return False
    suite = life.scope.seat(around).suite
    current: ast.stmt | None = statement
    while current is not None and life.scope.seat(current).suite is not suite:
        current = life.scope.owner_statement(current)
        if not isinstance(current, ast.If):
            return False
    if current is None or not _runs_nothing(life, current):
        return False
    between = suite[life.scope.seat(current).index + 1 : life.scope.seat(around).index]
    if not all(_runs_nothing(life, one) for one in between):
        return False
    # where it was put it may be found again behind its close, and opens anew
    own = set(inside(around))
    behind = [one for one in life.scope.statements() if one.lineno > around.lineno and one not in own]
    return all(_runs_nothing(life, one) for one in behind)


def _is_plain_store(statement: ast.stmt) -> bool:
    """An assignment that calls nothing; not one to a global name alone, which others may read as they like."""
    match statement:
        case ast.Assign(targets=targets, value=value):
            pass
        case ast.AnnAssign(target=target, value=ast.expr() as value):
            targets = [target]
        case _:
            return False
    if isinstance(value, ast.Name) and not all(isinstance(one, (ast.Attribute, ast.Subscript)) for one in targets):
        return False
    return not any(isinstance(node, (ast.Call, ast.Await, ast.Lambda)) for node in ast.walk(value))


_WAITING = (ast.Await, ast.AsyncFor, ast.AsyncWith, ast.Yield, ast.YieldFrom)


def _runs_nothing(life: Lifetime, statement: ast.stmt) -> bool:
    """Whether no statement can be run on the session by whoever finds it where it was put."""
    if not life.is_async:
        return _is_quick(life, statement)
    for node in ast.walk(statement):
        if isinstance(node, _WAITING):
            return False  # an async session runs nothing that is not awaited
        if isinstance(node, ast.Call):
            called, last = life.scope.callee(node), last_name(expression(node.func))
            if runs_later(called, last, awaited=False, project=life.scope.project):
                return False
    return True


def is_closing(life: Lifetime, use: NameUse) -> bool:
    """Whether the use closes the session: by its own method, or through a function that does."""
    return closes_it(life.scope, use)


def closes_it(scope: Scope, use: NameUse) -> bool:
    """`is_closing`, where there is no life of the session yet."""
    if use.role is Role.METHOD:
        return use.attribute in _ENDING
    if use.role is Role.ATTRIBUTE and use.attribute in CLOSES:
        # `await run_in_threadpool(session.close)`
        handed_on = scope.parents.of(use.node)
        call = scope.parents.of(handed_on) if handed_on is not None else None
        return isinstance(call, ast.Call) and last_name(expression(call.func)) in _THREADS
    if use.role is Role.ARGUMENT and use.call is not None:
        called = scope.meaning(use.call.func)
        if isinstance(called, FunctionMeaning):
            return closes(called, use.position, use.keyword, scope.project)
        return bool(CLOSES & set(last_name(expression(use.call.func)).split("_")))
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


def find_closes(life: Lifetime) -> None:
    """Collects the closes. One in a `finally` that does not hold all uses (else it is `settled`) is an obstacle."""
    if isinstance(life.statement, With):
        return
    for use in life.uses:
        if not is_closing(life, use):
            continue
        statement = life.scope.statement(use.node)
        life.closing.append(statement)
        guard = _finally_around(life, statement)
        if guard is not None and life.is_async and not use.awaited:
            life.obstacles.clear()
            life.stop(
                f"its close in `finally` at line {use.line} is not awaited: nothing closes it", use.line, "await it"
            )
            return
        if guard is not None:
            _unsettled(life, guard)
            return


def _finally_around(life: Lifetime, statement: ast.stmt) -> ast.Try | None:
    return next(_finallies_around(life, statement), None)


def _finallies_around(life: Lifetime, statement: ast.stmt) -> Iterator[ast.Try]:
    """The `try` statements in whose `finally` a statement stands, the innermost first."""
    current: ast.stmt | None = statement
    while current is not None:
        seat = life.scope.seat(current)
        above = life.scope.owner_statement(current)
        if isinstance(above, ast.Try) and seat.suite is above.finalbody:
            yield above
        current = above


def _unsettled(life: Lifetime, guard: ast.Try) -> None:
    """Why a `finally` that closes the session is not enough."""
    members = {id(inner) for inner in inside(guard)}
    outside = [use for use in life.uses if id(life.scope.statement(use.node)) not in members]
    # what stands in the way of a block (a test for None, a yield) is not what is wrong here
    life.obstacles.clear()
    if not outside and life.condition is not None:
        life.obstacles.append(life.condition.obstacle)
        return
    if not outside:
        line = life.closing[-1].lineno
        life.stop(f"used again after its close at line {line}: it opens anew, and nothing closes that", line)
        return
    first = next((use for use in outside if not (_sets_up(life, use) or _is_put_down(life, use, guard))), outside[0])
    if first.line < guard.lineno:
        life.stop(
            f"used at line {first.line} before the `try` at line {guard.lineno} that closes it:"
            " an exception there leaves it open",
            first.line,
            "start the `try` directly after the session is made, or open the session with a block",
        )
    else:
        life.stop(
            f"used at line {first.line} outside of the `try` at line {guard.lineno} that closes it",
            first.line,
            "move the use into the `try`, or open a block around all of it",
        )


def sort_closes(life: Lifetime, close_uses: list[NameUse], real: list[NameUse], end_close: ast.stmt | None) -> None:
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
    jumps: ast.stmt | None = None  # the `break` or `continue` that is under way to its loop

    def used_in(suite: Sequence[ast.stmt]) -> bool:
        return any(inner in statements for statement in suite for inner in inside(statement))

    while current is not None:
        seat = scope.seat(current)
        if jumps is None:
            rest = seat.suite[seat.index + 1 :]
            if used_in(rest):
                return True
            if any(isinstance(statement, (ast.Return, ast.Raise)) for statement in rest):
                return False
            jumps = next((statement for statement in rest if isinstance(statement, (ast.Break, ast.Continue))), None)
        if seat.suite is life.seat.suite:
            return False
        above = scope.owner_statement(current)
        if isinstance(above, Loop) and seat.suite is above.body:
            if not isinstance(jumps, ast.Break) and used_in([above]):
                return True
            jumps = None
        if isinstance(above, ast.Try):
            if jumps is None and seat.suite is above.body and used_in(above.orelse):
                return True
            if seat.suite is not above.finalbody and used_in(above.finalbody):
                return True
        current = above
    return False


def _may_go(life: Lifetime, close: ast.stmt) -> bool:
    """A close may go when the block ends next: its suite then leaves, and nothing that takes time runs between."""
    seat = life.scope.seat(close)
    rest = seat.suite[seat.index + 1 :]
    leaves = bool(rest) and isinstance(rest[-1], (ast.Return, ast.Raise, ast.Break, ast.Continue))
    if not leaves and (life.let_go < close.lineno or len(seat.suite) == 1 or not _last_everywhere(life, close)):
        return False
    return all(_is_quick(life, statement) for statement in rest)


def _last_everywhere(life: Lifetime, statement: ast.stmt) -> bool:
    """Whether nothing follows in the suites around it, up to the one in which the session is made."""
    current = life.scope.owner_statement(statement)
    while current is not None:
        seat = life.scope.seat(current)
        if seat.suite is life.seat.suite:
            return True
        if isinstance(current, Loop) or seat.index + 1 < len(seat.suite):
            return False
        current = life.scope.owner_statement(current)
    return False


def _is_quick(life: Lifetime, statement: ast.stmt) -> bool:
    """No call but of builtins, of exceptions and other classes outside of the project, and of loggers."""
    for node in ast.walk(statement):
        if isinstance(node, _WAITING):
            return False
        if isinstance(node, ast.Call):
            called, name = life.scope.callee(node), dotted(expression(node.func))
            last = name.rpartition(".")[2]
            is_class = last[:1].isupper() and not isinstance(called, ClassMeaning)
            is_error = last.endswith(("Error", "Exception"))
            is_builtin = isinstance(called, External) and called.dotted.startswith("builtins.")
            if not (is_class or is_error or is_builtin or is_logging(expression(node.func))):
                return False
    return True


def closes_always(life: Lifetime, statement: ast.stmt, close_uses: list[NameUse]) -> bool:
    """Whether every path through an `if` with all its branches closes the session last, or leaves the function."""
    closes = {life.scope.statement(use.node) for use in close_uses}
    using = {life.scope.statement(use.node) for use in life.uses} - closes

    def ends(suite: Sequence[ast.stmt]) -> bool:
        for place, one in enumerate(suite):
            if one in closes:
                return not any(inner in using for rest in suite[place + 1 :] for inner in inside(rest))
        last = suite[-1] if suite else None
        return isinstance(last, (ast.Return, ast.Raise)) or (isinstance(last, ast.If) and ends_if(last))

    def ends_if(one: ast.If) -> bool:
        return bool(one.orelse) and ends(one.body) and ends(one.orelse)

    return bool(closes) and isinstance(statement, ast.If) and ends_if(statement)


def end_close(life: Lifetime, close_uses: list[NameUse], last_use: int | None) -> ast.stmt | None:
    """A close that stands in the suite itself, after every other use: there the old code let go of the session."""
    for use in close_uses:
        statement = life.scope.statement(use.node)
        seat = life.scope.seat(statement)
        if seat.suite is life.seat.suite and (last_use is None or seat.index > last_use):
            return statement
    return None
