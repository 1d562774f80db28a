"""A session that is put into a parameter for the call to which that goes: what middlewares do. Reads."""

from __future__ import annotations

import ast

from codemods.flow.closing import CLOSES
from codemods.flow.lifetime import Lifetime, Obstacle
from codemods.flow.scope import Scope
from codemods.project.expressions import dotted, expression
from codemods.project.name_uses import NameUse


def lent_for_a_call(life: Lifetime, use: NameUse) -> Obstacle | None:
    """`data["session"] = session; await handler(event, data)`, as a reason with its advice; None for all else."""
    statement = life.scope.statement(use.node)
    match statement:
        case ast.Assign(targets=[(ast.Subscript() | ast.Attribute()) as target], value=value) if value is use.node:
            holder = _root(target)
        case _:
            return None
    if holder in ("", "self", "cls") or holder not in life.scope.parameters:
        return None
    call = _awaited_with(holder, life.scope, statement.lineno)
    if call is None:
        return None
    name = dotted(expression(call.func)) or "the call"
    closed = next((one for one in life.uses if one.attribute in CLOSES and one.line > call.lineno), None)
    what = f"its close at line {closed.line} is skipped when that raises" if closed else "nothing here closes it then"
    reason = f"put into `{ast.unparse(target)}` at line {use.line} for `{name}()`, and {what}"
    advice = f"open a block around the assignment and the call: `{'async ' if life.is_async else ''}with ... as"
    return Obstacle(reason, use.line, f"{advice} {life.name}:`", undecided=closed is None)


def _root(target: ast.expr) -> str:
    while isinstance(target, (ast.Subscript, ast.Attribute)):
        target = target.value
    return target.id if isinstance(target, ast.Name) else ""


def _awaited_with(holder: str, scope: Scope, after: int) -> ast.Call | None:
    """The first call below a line that is awaited and given the parameter."""
    for node in scope.watched():
        if isinstance(node, ast.Call) and node.lineno > after and isinstance(scope.parents.of(node), ast.Await):
            given = [*node.args, *(keyword.value for keyword in node.keywords)]
            if any(isinstance(one, ast.Name) and one.id == holder for one in given):
                return node
    return None
