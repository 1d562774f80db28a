"""Whether the lines above a `return` expunge what it returns already, in any of the usual forms. Reads only."""

from __future__ import annotations

import ast

from codemods.flow.reaching import binds_directly
from codemods.flow.scope import Scope, inside


def is_expunged_above(scope: Scope, leaving: ast.stmt, name: str, session: str) -> bool:
    """`if user: session.expunge(user)`, `for m in messages: session.expunge(m)`, above in the same suite.

    Other statements may stand between, unless they give the name another value.
    """
    seat = scope.seat(leaving)
    for statement in reversed(seat.suite[: seat.index]):
        if _expunges(statement, name, session):
            return True
        if any(binds_directly(inner, name) for inner in inside(statement)):
            return False
    return False


def _expunges(statement: ast.stmt, name: str, session: str) -> bool:
    match statement:
        case ast.Expr(
            value=ast.Call(func=ast.Attribute(value=ast.Name(id=owner), attr="expunge"), args=[ast.Name(id=it)])
        ):
            return owner == session and it == name
        case ast.If(test=test, body=[inner], orelse=[]):
            mentioned = {node.id for node in ast.walk(test) if isinstance(node, ast.Name)}
            return name in mentioned <= {name, session} and _expunges(inner, name, session)
        case ast.For(target=ast.Name(id=element), iter=ast.Name(id=many), body=[inner], orelse=[]):
            return many == name and _expunges(inner, element, session)
    return False


def is_emptied_above(scope: Scope, leaving: ast.stmt, session: str) -> bool:
    """`session.expunge_all()` above in the same suite."""
    seat = scope.seat(leaving)
    return any(
        isinstance(one, ast.Expr) and ast.unparse(one.value) == f"{session}.expunge_all()"
        for one in seat.suite[: seat.index]
    )
