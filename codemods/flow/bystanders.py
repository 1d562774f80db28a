"""Statements of a `finally` that have nothing to do with a session or its objects: `lock.release()`. Reads only.

A name tells what such a call does; what it is called on has to have come from elsewhere than the session.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from codemods.flow.scope import Scope, own_expressions
from codemods.project.expressions import expression, is_logging
from codemods.project.name_uses import NameUse, Role
from codemods.project.sessions import ClassMeaning, External, FunctionMeaning, SessionMeaning

_LETTING_GO = frozenset({"release", "reset", "observe", "inc", "dec", "set", "close", "aclose", "stop", "cancel"})
# what may do anything at all before it ends; the others are known by their names to do one thing
_ENDING = frozenset({"close", "aclose", "stop"})
_ASKING = frozenset({"labels", "total_seconds"})
_BUILTINS = frozenset({"print", "len", "round", "int", "float", "str", "min", "max", "abs", "id", "type"})


def is_bystander(scope: Scope, statement: ast.stmt, ours: frozenset[str]) -> bool:
    """Whether all that the statement calls leaves the names alone: the session, its objects and what holds either."""
    if not isinstance(statement, (ast.Expr, ast.Assign, ast.AnnAssign, ast.AugAssign)):
        return False
    nodes = list(ast.walk(statement))
    if any(isinstance(node, (ast.Yield, ast.YieldFrom, ast.Lambda)) for node in nodes):
        return False
    if any(isinstance(node, ast.Name) and node.id in ours for node in nodes):
        return False
    outermost = statement.value
    if isinstance(outermost, ast.Await):
        outermost = outermost.value
    if sum(isinstance(node, ast.Await) for node in nodes) > isinstance(statement.value, ast.Await):
        return False
    if isinstance(outermost, ast.Call) and not is_logging(expression(outermost.func)):
        given = [*outermost.args, *(keyword.value for keyword in outermost.keywords)]
        names = {node.id for one in given for node in ast.walk(one) if isinstance(node, ast.Name)}
        if any(_is_met(scope, name, ours) for name in names):
            return False
    return all(
        _is_plain(scope, node) or (node is outermost and _lets_go(scope, node, ours))
        for node in nodes
        if isinstance(node, ast.Call)
    )


def _is_plain(scope: Scope, call: ast.Call) -> bool:
    """Clocks, builtins that look at values, messages to a logger."""
    called = scope.callee(call)
    if isinstance(called, External):
        module, _, last = called.dotted.rpartition(".")
        if (module == "time" and last != "sleep") or (module == "builtins" and last in _BUILTINS):
            return True
    if isinstance(called, (FunctionMeaning, ClassMeaning)):
        return False
    return is_logging(expression(call.func)) or (isinstance(call.func, ast.Attribute) and call.func.attr in _ASKING)


def _lets_go(scope: Scope, call: ast.Call, ours: frozenset[str]) -> bool:
    """`lock.release()`, `await client.aclose()`: of something that no statement brings together with the session."""
    if not isinstance(call.func, ast.Attribute) or call.func.attr not in _LETTING_GO:
        return False
    owner = call.func.value
    if isinstance(scope.callee(call), (FunctionMeaning, ClassMeaning)) or isinstance(
        scope.meaning(owner), SessionMeaning
    ):
        return False
    if (call.func.attr in _ENDING or scope.parents.is_awaited(call)) and not all(_is_kept_back(scope, n) for n in ours):
        return False
    root: ast.AST = owner
    while isinstance(root, (ast.Attribute, ast.Call, ast.Subscript)):
        root = root.func if isinstance(root, ast.Call) else root.value
    if not isinstance(root, ast.Name) or (root is owner and root.id in ("self", "cls")):
        return False
    return not _is_met(scope, root.id, ours)


def _is_kept_back(scope: Scope, name: str) -> bool:
    """Whether the function hands the name to nothing that could have brought it to something else since."""
    return all(use.role in _AT_HOME or _is_by_sqlalchemy(scope, use) for use in scope.uses(name))


_AT_HOME = frozenset({Role.METHOD, Role.ATTRIBUTE, Role.SET, Role.TESTED, Role.BOUND, Role.ENTERED, Role.RETURNED})


def _is_by_sqlalchemy(scope: Scope, use: NameUse) -> bool:
    """`session.add(user)`, `await session.refresh(user)`: a method of a session."""
    function = use.call.func if use.role is Role.ARGUMENT and use.call is not None else None
    return isinstance(function, ast.Attribute) and isinstance(scope.meaning(function.value), SessionMeaning)


def _is_met(scope: Scope, name: str, ours: frozenset[str]) -> bool:
    """Whether a statement brings the name together with one of ours, so that it may hold it since."""
    return any(name in names and names & ours for names in _together(scope))


def _together(scope: Scope) -> Iterator[set[str]]:
    """The names that each statement of the function holds, without those of the statements in it."""
    for statement in scope.statements():
        inner = statement if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) else None
        nodes = ast.walk(inner) if inner is not None else own_expressions(statement)
        yield {node.id for node in nodes if isinstance(node, ast.Name)}
