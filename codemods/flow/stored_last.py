"""A session that is stored, or put where others take it out, as the last thing done in its own block. Reads only.

What is stored is lent while the block goes on (`request.state.db = session`, then the request); where nothing goes
on, all that is ever done with it opens it anew, and nothing closes that (semantics B4).
"""

from __future__ import annotations

import ast

from codemods.flow.reaching import declares_outside
from codemods.flow.scope import Loop, Scope, inside, own_expressions
from codemods.project.expressions import dotted, expression, last_name
from codemods.project.keeping import parameter_name
from codemods.project.keeping_methods import TAKING
from codemods.project.name_uses import NameUse, Role
from codemods.project.sessions import External, FunctionMeaning, UnknownMeaning

_RUNNING = (ast.Call, ast.Await, ast.Yield, ast.YieldFrom)
# `users.add(session)`, `signal.send(session)`: what works with the session goes by these names, too
_TAKING = TAKING - {"add", "extend", "insert", "register", "send", "set", "submit", "update"}


def stored_last(scope: Scope, block: ast.With | ast.AsyncWith, use: NameUse) -> str:
    """How the use in the block leaves the session where it is found after the block; "" when it does not."""
    statement = scope.statement(use.node)
    if use.role in (Role.STORED, Role.CONTAINED):
        target = _target(statement)
        if target is None or not _outlives(scope, block, target):
            return ""
        how = f"stored in `{ast.unparse(target)}`"
    elif use.role is Role.ARGUMENT and use.call is not None:
        function = use.call.func
        called, name = scope.callee(use.call), dotted(expression(function)) or last_name(expression(function))
        if isinstance(called, FunctionMeaning):
            if not _keeps(scope, called, use):
                return ""
            how = f"kept by `{name}()`"
        elif isinstance(called, (External, UnknownMeaning)) and isinstance(function, ast.Attribute):
            if function.attr not in _TAKING or not _outlives(scope, block, function):
                return ""
            how = f"kept by `{name}()`, as its name tells,"
        else:
            return ""
    else:
        return ""
    return how if _is_last(scope, block, statement, use) else ""


def _keeps(scope: Scope, function: FunctionMeaning, use: NameUse) -> bool:
    """Whether the function itself stores what it is given; what it calls may work with it there and then."""
    for definition in scope.project.symbols.functions(function.module, function.qualname):
        name = parameter_name(definition, function, use.position, use.keyword)
        for parameter in definition.uses:
            if parameter.name == name:
                stored = parameter.kept and not parameter.kept_by_self
                if stored or any(last_name(passed.function) in _TAKING for passed in parameter.passed):
                    return True
    return False


def _target(statement: ast.stmt) -> ast.expr | None:
    match statement:
        case ast.Assign(targets=[target]) | ast.AnnAssign(target=target):
            return target
    return None


def _outlives(scope: Scope, block: ast.With | ast.AsyncWith, target: ast.expr) -> bool:
    """`self.x`, `cache[key]`, `queue.put`: of something that the block itself has not made, or that is used behind."""
    root: ast.expr = target
    while isinstance(root, (ast.Attribute, ast.Subscript)):
        root = root.value
    if not isinstance(root, ast.Name):
        return False
    if isinstance(target, ast.Name):
        return declares_outside(scope, target.id)
    own = set(inside(block))
    uses = scope.uses(root.id)
    if not any(use.role is Role.BOUND and scope.statement(use.node) in own for use in uses):
        local = any(use.role is Role.BOUND for use in uses) and not declares_outside(scope, root.id)
        if not local:
            return True
    return any(
        use.role is not Role.BOUND and scope.statement(use.node) not in own and use.line > block.lineno for use in uses
    )


def _is_last(scope: Scope, block: ast.With | ast.AsyncWith, statement: ast.stmt, use: NameUse) -> bool:
    """Whether the block ends where the session has been stored, without running anything more."""
    for inner in inside(block):
        if isinstance(inner, Loop) and statement in set(inside(inner)):
            return False  # the next turn may work with it, or put another one there
        if inner is block or inner is statement or inner.lineno < statement.lineno:
            continue
        if any(isinstance(node, _RUNNING) for node in own_expressions(inner)):
            return False
        if isinstance(inner, (ast.For, ast.AsyncFor, ast.With, ast.AsyncWith)):
            return False
    seen = {use.call, scope.parents.of(use.call) if use.call is not None else None}
    return not any(isinstance(node, _RUNNING) and node not in seen for node in own_expressions(statement))
