"""From a statement that binds a fresh session to a name to the `Lifetime` of that session. Reads; decides nothing."""

from __future__ import annotations

import ast

from codemods.flow.closing import dissolve, fill_gap, find_closes, is_none, settled
from codemods.flow.closures import READS_ALL_NAMES, closure, look_into, values_of
from codemods.flow.escapes import captured, check_uses
from codemods.flow.extent import measure
from codemods.flow.late_entry import check_ends
from codemods.flow.leaving import find_leaves
from codemods.flow.lifetime import Closed, Lifetime, Obstacle
from codemods.flow.reaching import Reaching, reaching
from codemods.flow.rebound import rebound
from codemods.flow.scope import Scope, With, inside, own_expressions
from codemods.flow.values import Values
from codemods.project.name_uses import NameUse, Role


def examine(
    scope: Scope,
    statement: ast.stmt,
    name: str,
    *,
    is_async: bool,
    tidy: bool = False,
    given: bool = False,
    branch: ast.If | None = None,
    lent: bool = False,
    freed: frozenset[ast.Call] = frozenset(),
) -> Lifetime:
    """The life of the session that `statement` (an assignment or a `with`) binds to `name`.

    With `tidy` a session that is closed in `finally` is looked at as if it still had to be taken into a block; it stays
    right where that cannot be done. `given`: the statement keeps the session of the caller, if there is one; `branch`
    is the `if` around the statement, where that is what asks for it.
    `lent`: handing it out by `yield` or `return` is what the function is for. `freed`: calls that run something later,
    and will be given neither the session nor what is loaded through it.
    """
    seat = scope.seat(statement if branch is None else branch)
    life = Lifetime(scope, name, statement, seat, is_async, given=given, lent=lent, branch=branch, freed=freed)
    seen, held = _gather_uses(life)
    if life.obstacles:
        return life
    right = ""
    if settled(life) and not _runs_on(life) and not _is_let_go(life):
        if not tidy or not dissolve(life):
            return life
        right, life.right, life.closed = life.right, "", Closed.BY_HAND
    elif life.obstacles:
        return life
    elif not isinstance(statement, With):
        _enter_late(life, seen)
        fill_gap(life)
    _follow(life, seen, held)
    if life.closed is Closed.GAP and life.obstacles and life.guard is not None:
        line = life.guard.lineno
        reason = f"used before the `try` at line {line} that closes it: an exception there leaves it open"
        advice = "start the `try` directly after the session is made"
        life.obstacles.insert(0, Obstacle(reason, line, advice))
    elif life.condition is not None and life.obstacles and life.obstacles[0].reason != life.condition.reason:
        if not life.obstacles[0].undecided:
            life.obstacles.insert(0, life.condition.obstacle)
    if right and (life.obstacles or life.first is None or (life.leaves and not is_async)):
        life.obstacles.clear()
        life.right = right
    return life


def _runs_on(life: Lifetime) -> bool:
    """Whether something that has yet to run on the session outlives the `try` that closes it: then it is not closed."""
    if life.guard is None:
        return False
    values = Values(life.scope, [life.name], _following(life), is_async=life.is_async)
    members = set(inside(life.guard))
    for statement in life.scope.statements():
        if statement in members and isinstance(statement, ast.Return) and values.is_pending(statement.value):
            reason = f"what is returned at line {statement.lineno} runs on it after the close"
            life.stop(reason, statement.lineno, "run it before the close: `.all()`, `await`")
        elif statement.lineno > (life.guard.end_lineno or 0):
            for node in own_expressions(statement):
                if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and values.is_pending(node):
                    reason = f"`{node.id}` runs on it at line {node.lineno}, after the close"
                    life.stop(reason, node.lineno, "run it before the close: `.all()`, `await`")
    if life.obstacles:
        life.right = ""
    return bool(life.obstacles)


def _is_let_go(life: Lifetime) -> bool:
    """Whether the `finally` finds something else under the name, and the session is open: then it is not closed."""
    found = rebound(life)
    if found is None:
        return False
    other, every = found
    life.values = values_of(life, _following(life))
    every, life.uses = life.uses, [use for use in every if use.role in _GIVING]
    check_uses(life)  # who has it now
    life.uses = every
    end = life.closing[-1].lineno
    becomes = "set to None" if is_none(other) else "bound to something else"
    reason = f"`{life.name}` is {becomes} at line {other.lineno}, before its close at line {end}"
    life.stop(f"{reason}: nothing closes it then", other.lineno, "close it before its name is given away")
    life.right = ""
    return True


_GIVING = frozenset({Role.STORED, Role.CONTAINED, Role.ALIASED, Role.RETURNED, Role.YIELDED, Role.ARGUMENT, Role.OTHER})


def _enter_late(life: Lifetime, seen: list[tuple[NameUse, Reaching]]) -> None:
    """`try: s = F() except E: raise Other`, used after the try: it stays where it is made, and a block enters it."""
    above = life.scope.owner_statement(life.statement)
    if not isinstance(above, ast.Try) or life.seat.suite is not above.body or above.finalbody or above.orelse:
        return
    if not life.uses or not all(handler.body and isinstance(handler.body[-1], _LEAVING) for handler in above.handlers):
        return
    outer = life.scope.seat(above)
    places = [life.scope.in_suite(outer.suite, use.node) for use in life.uses]
    if any(place is None or place <= outer.index for place in places):
        return
    if any(reached.statements != {life.statement} for _, reached in seen):
        return
    life.late, life.seat = True, outer


_LEAVING = (ast.Return, ast.Raise, ast.Continue, ast.Break)


def _follow(life: Lifetime, seen: list[tuple[NameUse, Reaching]], held: list[NameUse]) -> None:
    for use in held:
        captured(life, use)
    for use, reached in seen:
        if use in life.uses:
            _check_certain(life, use, reached)
    if not life.obstacles:
        _check_place(life)
    if life.obstacles:
        return
    life.values = values_of(life, _following(life))
    check_uses(life)
    for one in life.closures:
        look_into(life, one)
    find_closes(life)
    if not life.right:
        measure(life)
        check_ends(life)
        find_leaves(life)


def _following(life: Lifetime) -> list[ast.stmt]:
    suite = life.seat.suite[life.seat.index + 1 :]
    own = life.statement.body if isinstance(life.statement, With) else []
    return [inner for statement in [*own, *suite] for inner in inside(statement)]


def _gather_uses(life: Lifetime) -> tuple[list[tuple[NameUse, Reaching]], list[NameUse]]:
    """Which uses of the name may be uses of this session, with what else they may be; and those in nested functions."""
    scope, name, creation = life.scope, life.name, life.statement
    held: list[NameUse] = []
    nested: dict[ast.AST | None, list[NameUse]] = {}
    seen: list[tuple[NameUse, Reaching]] = []
    for statement in scope.statements():
        if isinstance(statement, (ast.Global, ast.Nonlocal)) and name in statement.names:
            how = "global" if isinstance(statement, ast.Global) else "nonlocal"
            life.stop(f"`{name}` is declared {how}: others can see it", statement.lineno, undecided=True)
            return seen, held
    for node in scope.watched():
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in READS_ALL_NAMES:
            if node.lineno > creation.lineno:
                reason = f"`{node.func.id}()` at line {node.lineno} reads every name of the function"
                life.stop(reason, node.lineno, undecided=True)
                return seen, held
    for use in scope.uses(name):
        if use.role is Role.BOUND:
            continue
        statement = scope.statement(use.node)
        if use.role is Role.CAPTURED:
            nested.setdefault(use.holder, []).append(use)  # it binds the variable, wherever the function stands
        elif statement is (life.branch or creation):
            if life.given and reaching(scope, statement, name).statements:
                reason = f"`{name}` is bound before, too: it may be an own session that is kept"
                life.stop(reason, use.line, undecided=True)
            if not isinstance(creation, With) and not life.given:
                # `s = make(s)`: another session goes in
                life.stop(f"`{name}` is read in the statement that makes it", use.line, undecided=True)
        else:
            reached = reaching(scope, statement, name)
            if creation in reached.statements:
                seen.append((use, reached))
    for holder, uses in nested.items():
        if calls := _called_here(life, holder, uses):
            seen += calls
        else:
            held += uses
    seen.sort(key=lambda one: (one[0].node.lineno, one[0].node.col_offset))
    life.uses = [use for use, _ in seen]
    return seen, held


def _called_here(life: Lifetime, holder: ast.AST | None, uses: list[NameUse]) -> list[tuple[NameUse, Reaching]]:
    """The calls of a nested function as uses of this session; none when it can run at another time."""
    one = closure(life, holder, uses)
    calls: list[tuple[NameUse, Reaching]] = []
    for call in one.calls if one is not None else ():
        statement = life.scope.statement(call)
        reached = reaching(life.scope, statement, life.name)
        if life.statement in reached.statements:
            calls.append((NameUse(call.func, Role.CAPTURED, call, holder=holder), reached))
    if one is not None and calls:
        life.closures.append(one)
    return calls


def _check_certain(life: Lifetime, use: NameUse, reached: Reaching) -> None:
    if reached.statements == {life.statement} and (life.late or life.branch is not None or not reached.unbound):
        return
    others = sorted(other.lineno for other in reached.statements - {life.statement})
    if others:
        where = f"line {others[0]}"
    elif life.name in life.scope.parameters:
        where = "the one that the caller gave"
    else:
        where = "a path that does not make it"
    life.stop(
        f"at line {use.line} `{life.name}` may be another value ({where})",
        use.line,
        "make and use the session in one place, under the same condition",
    )


def _check_place(life: Lifetime) -> None:
    """Every use must stand in the suite in which the session is made."""
    for use in life.uses:
        if life.scope.in_suite(life.seat.suite, use.node) is None:
            life.stop(
                f"used at line {use.line}, outside of the block of statements in which it is made",
                use.line,
                "make the session where all of its uses are, or open it with a block around all of them",
            )
            return
