"""Whether a name that is read at a place is bound there for certain: once, above it, under no condition. Pure."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from codemods.flow.reaching import binds_directly
from codemods.flow.scope import Scope, With, inside

_Owner = ast.Module | ast.FunctionDef | ast.AsyncFunctionDef


def at_hand(scope: Scope, name: str, line: int) -> bool:
    """Whether `name`, read on this line of the scope, was bound by then, by the one statement that binds it.

    A name that is only imported for type checkers, or in a `try`, need not be there when the code runs.
    """
    for owner in _owners(scope):
        if isinstance(owner, (ast.FunctionDef, ast.AsyncFunctionDef)):
            arguments = owner.args
            given = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
            if any(argument is not None and argument.arg == name for argument in given):
                return False
        bindings = [inner for one in owner.body for inner in inside(one) if binds_directly(inner, name)]
        declared = [
            inner
            for one in owner.body
            for inner in inside(one)
            if isinstance(inner, (ast.Global, ast.Nonlocal)) and name in inner.names
        ]
        if bindings or declared:
            return (
                not declared and len(bindings) == 1 and bindings[0].lineno < line and _certain(owner.body, bindings[0])
            )
        line = owner.lineno if not isinstance(owner, ast.Module) else line
    return False


def _owners(scope: Scope) -> Iterator[_Owner]:
    """The functions around the scope, and the module: where a name is looked for, the innermost first."""
    for node in (scope.node, *scope.parents.chain(scope.node)):
        if isinstance(node, (ast.Module, ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node


def _certain(body: Sequence[ast.stmt], binding: ast.stmt) -> bool:
    return any(
        one is binding or (isinstance(one, With) and one is not binding and _certain(one.body, binding)) for one in body
    )
