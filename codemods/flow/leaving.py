"""What that was loaded through the session leaves the function, and how."""

from __future__ import annotations

import ast

from codemods.flow.lifetime import HAND_OVER, TO_TASK, Leave, Lifetime
from codemods.flow.reaching import binds_directly
from codemods.flow.scope import With, inside, own_expressions
from codemods.flow.values import Carry
from codemods.project.expressions import dotted, expression, last_name
from codemods.project.schedulers import runs_later


def find_leaves(life: Lifetime) -> None:
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
        life.stop(f"something loaded goes to `{name}()` at line {call.lineno}, which runs later", call.lineno, TO_TASK)
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
                life.stop(f"something that holds it is stored at line {call.lineno}", call.lineno, HAND_OVER)
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
        life.stop(f"what is {how} at line {line} may still use it", line, HAND_OVER)
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
