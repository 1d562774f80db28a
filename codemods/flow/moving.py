"""Whether a session may be made later than it is: at its first use. Reads; decides nothing."""

from __future__ import annotations

import ast

from codemods.flow.lifetime import Lifetime
from codemods.flow.made import Made
from codemods.flow.reaching import binds_directly
from codemods.flow.scope import Scope
from codemods.project.expressions import expression, is_logging
from codemods.project.openers import makes_only, source_of
from codemods.project.sessions import ClassMeaning, External, UnknownMeaning


def movable(made: Made, life: Lifetime) -> bool:
    """Whether the session may be made where it is first used: nothing in between can change what is made."""
    assert life.first is not None
    if isinstance(made.node, ast.Await):
        return False
    if not makes_only(expression(made.call.func), life.scope.place, life.scope.project):
        return False
    arguments = [*made.call.args, *made.call.keywords]
    if any(isinstance(node, ast.Call) for argument in arguments for node in ast.walk(argument)):
        return False
    read = {node.id for node in ast.walk(made.call) if isinstance(node, ast.Name)}
    if not arguments and _never_changes(life.scope, made):
        return True
    return all(_indifferent(life.scope, between, read) for between in life.seat.suite[life.seat.index + 1 : life.first])


def _never_changes(scope: Scope, made: Made) -> bool:
    """Whether the maker is bound once, at the top of a module, and nothing in the project configures one later."""
    symbols = scope.project.symbols
    path, _, name = source_of(expression(made.call.func), scope.place, scope.project).partition(":")
    if len(symbols.binding(path, name)) != 1 or "." in name:
        return False
    return not any("configure" in symbols.facts[other].calls for other in symbols.paths())


def _indifferent(scope: Scope, statement: ast.stmt, read: set[str]) -> bool:
    """Whether a statement neither touches the names that making the session reads, nor runs code of the project."""
    for node in ast.walk(statement):
        if isinstance(node, (ast.Await, ast.AsyncFor, ast.AsyncWith, ast.Yield, ast.YieldFrom, ast.Global)):
            return False
        if isinstance(node, ast.Name) and node.id in read:
            return False
        if isinstance(node, ast.Call) and not _harmless(scope, node):
            return False
    return True


def _harmless(scope: Scope, call: ast.Call) -> bool:
    """A library, a class, a logger, or a method of a value that this function holds itself."""
    called, callee = scope.callee(call), expression(call.func)
    if isinstance(called, (External, ClassMeaning)) or is_logging(callee):
        return True
    if not isinstance(called, UnknownMeaning) or not isinstance(call.func, ast.Attribute):
        return False
    root: ast.expr = call.func.value
    while isinstance(root, (ast.Attribute, ast.Subscript, ast.Call, ast.Await)):
        root = root.func if isinstance(root, ast.Call) else root.value
    if isinstance(root, ast.Constant):
        return True
    return isinstance(root, ast.Name) and root.id not in ("self", "cls") and _is_local(scope, root.id)


def _is_local(scope: Scope, name: str) -> bool:
    return name in scope.parameters or any(binds_directly(statement, name) for statement in scope.statements())
