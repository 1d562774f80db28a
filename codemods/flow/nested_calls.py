"""Where a function calls one of its nested functions, if that is all that it does with it. Reads."""

from __future__ import annotations

import ast

from codemods.flow.lifetime import Lifetime
from codemods.flow.reaching import binds_directly
from codemods.flow.scope import Scope, inside, own_expressions
from codemods.project.name_uses import Function, Role, name_uses
from codemods.project.nodes import SCOPES


def calls_of(scope: Scope, function: Function) -> tuple[ast.Call, ...]:
    """Where this scope calls the function; nothing when it does anything else with it."""
    name = function.name
    if name in scope.parameters or [one for one in scope.statements() if binds_directly(one, name)] != [function]:
        return ()
    if any(isinstance(one, (ast.Global, ast.Nonlocal)) and name in one.names for one in scope.statements()):
        return ()
    calls = []
    for use in scope.uses(name):
        call = scope.parents.of(use.node)
        if use.role is Role.CAPTURED or not isinstance(call, ast.Call) or call.func is not use.node:
            return ()
        statement = scope.parents.statement(call)
        if statement is not scope.statement(call) or isinstance(statement, (*SCOPES, ast.ClassDef)):
            return ()  # in the body of a class, or a decorator
        if isinstance(function, ast.AsyncFunctionDef) and not isinstance(scope.parents.of(call), ast.Await):
            return ()
        if consumed_later(scope, call):
            return ()
        calls.append(call)
    return tuple(calls)


def consumed_later(scope: Scope, node: ast.AST) -> bool:
    """Whether the node stands in a generator expression."""
    for around in scope.parents.chain(node):
        if isinstance(around, ast.stmt):
            return False
        if isinstance(around, ast.GeneratorExp):
            return True
    return False


def is_generator(function: Function) -> bool:
    nodes = (node for one in function.body for inner in inside(one) for node in own_expressions(inner))
    return any(isinstance(node, (ast.Yield, ast.YieldFrom)) for node in nodes)


def is_over_in_block(life: Lifetime, function: ast.AST, name: str) -> bool:
    """Whether a nested function, which uses by its name what holds the session, only runs inside of the block.

    It calls methods of that on the spot, gives nothing back, and all of its calls stand where the block will be.
    """
    if not isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)) or life.first is None or life.last is None:
        return False
    scope = life.scope
    if function.decorator_list or is_generator(function):
        return False
    for use in name_uses(function, name, scope.parents):
        around = None if use.call is None else scope.parents.of(use.call)
        if use.role is not Role.METHOD or not isinstance(around, (ast.Await, ast.Expr)):
            return False
        if consumed_later(scope, use.node):
            return False
    for statement in (inner for one in function.body for inner in inside(one)):
        if isinstance(statement, (ast.Global, ast.Nonlocal)) or (
            isinstance(statement, ast.Return) and statement.value is not None
        ):
            return False
    calls = calls_of(scope, function)
    places = [scope.in_suite(life.seat.suite, call) for call in calls]
    return bool(calls) and all(place is not None and life.first <= place <= life.last for place in places)
