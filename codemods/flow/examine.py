"""From a statement that binds a fresh session to a name to the `Lifetime` of that session. Reads; decides nothing."""

from __future__ import annotations

import ast

from codemods.flow.closing import find_closes, settled
from codemods.flow.escapes import captured, check_uses
from codemods.flow.extent import measure
from codemods.flow.leaving import find_leaves
from codemods.flow.lifetime import Lifetime
from codemods.flow.reaching import Reaching, reaching
from codemods.flow.scope import Scope, With, inside
from codemods.flow.values import Values
from codemods.project.name_uses import NameUse, Role

_READS_ALL_NAMES = frozenset({"locals", "vars", "eval", "exec", "dir"})


def examine(scope: Scope, statement: ast.stmt, name: str, *, is_async: bool) -> Lifetime:
    """The life of the session that `statement` (an assignment or a `with`) binds to `name`."""
    life = Lifetime(scope, name, statement, scope.seat(statement), is_async)
    _gather_uses(life)
    if life.obstacles or life.right:
        return life
    life.values = Values(scope, [name], _following(life), is_async=is_async)
    check_uses(life)
    find_closes(life)
    if not life.right:
        measure(life)
        find_leaves(life)
    return life


def _following(life: Lifetime) -> list[ast.stmt]:
    suite = life.seat.suite[life.seat.index + 1 :]
    own = life.statement.body if isinstance(life.statement, With) else []
    return [inner for statement in [*own, *suite] for inner in inside(statement)]


def _gather_uses(life: Lifetime) -> None:
    """Which uses of the name are uses of this session, and whether each of them is that for certain."""
    scope, name, creation = life.scope, life.name, life.statement
    for statement in scope.statements():
        if isinstance(statement, (ast.Global, ast.Nonlocal)) and name in statement.names:
            how = "global" if isinstance(statement, ast.Global) else "nonlocal"
            life.stop(f"`{name}` is declared {how}: others can see it", statement.lineno)
            return
    for node in scope.watched():
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _READS_ALL_NAMES:
            if node.lineno > creation.lineno:
                life.stop(f"`{node.func.id}()` at line {node.lineno} reads every name of the function", node.lineno)
                return
    held: list[NameUse] = []
    seen: list[tuple[NameUse, Reaching]] = []
    for use in scope.uses(name):
        if use.role is Role.BOUND:
            continue
        statement = scope.statement(use.node)
        if use.role is Role.CAPTURED:
            if use.line >= creation.lineno or creation in reaching(scope, statement, name).statements:
                held.append(use)
        elif statement is creation:
            if not isinstance(creation, With):
                # `s = make(s)`: another session goes in
                life.stop(f"`{name}` is read in the statement that makes it", use.line)
        else:
            reached = reaching(scope, statement, name)
            if creation in reached.statements:
                seen.append((use, reached))
    life.uses = [use for use, _ in seen]
    if settled(life):
        return
    for use in held:
        captured(life, use)
    for use, reached in seen:
        _check_certain(life, use, reached)
    if not life.obstacles:
        _check_place(life)


def _check_certain(life: Lifetime, use: NameUse, reached: Reaching) -> None:
    if reached.statements == {life.statement} and not reached.unbound:
        return
    others = sorted(other.lineno for other in reached.statements - {life.statement})
    where = f"line {others[0]}" if others else "a path that does not make it"
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
