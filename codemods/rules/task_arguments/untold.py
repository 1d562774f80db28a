"""What keeps the function that a task runs from being known: chosen in branches, handed in, out of a table. Reads."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from codemods.flow.bound_once import owners
from codemods.flow.reaching import binds_directly
from codemods.flow.scope import Definition, Scope
from codemods.project.expressions import expression
from codemods.project.sessions import ClassMeaning, FunctionMeaning, InstanceMeaning, Meaning
from codemods.rules.own_session.accepted import Refusal

CHOOSE = "call one function in each branch, then look again"
_MOST = 4  # lines that are named


def untold(target: ast.expr, scope: Scope) -> Refusal:
    """Why it is not known what runs where `target`, read in `scope`, is what a task is to run."""
    text = f"`{ast.unparse(target)}`"
    match target:
        case ast.Name(id=name):
            return _name(name, scope) or Refusal(f"`{name}()` is not in view")
        case ast.IfExp() | ast.BoolOp():
            if all(_is_function(scope.meaning(one)) for one in _sides(target)):
                return Refusal(f"{text} may be one of several functions", CHOOSE)
            return Refusal(f"which function {text} is depends on a condition")
        case ast.Subscript():
            return Refusal(f"which function {text} is cannot be told: it is taken out of `{ast.unparse(target.value)}`")
        case _ if isinstance(means := scope.meaning(target), InstanceMeaning) and isinstance(means.of, ClassMeaning):
            return Refusal(f"{text} is an object, no function: what a call of it does is not followed")
        case ast.Call():
            return Refusal(f"which function {text} gives cannot be told")
        case _:
            return Refusal(f"`{ast.unparse(target)}()` is not in view")


def _name(name: str, scope: Scope) -> Refusal | None:
    """What is told of a name by the places that bind it; None where there are none, or only one that leads outside."""
    for owner in owners(scope):
        if name in owner.parameters:
            return Refusal(f"`{name}` is a parameter: which function it is depends on the caller")
        binding = [one for one in owner.statements() if binds_directly(one, name)]
        if not binding:
            continue
        if isinstance(owner.node, ast.Module):
            binding += _declared_global(owner.node, name)
        binding = [one for one in binding if not _is_nothing(one)]
        if len(binding) == 1:
            value = _value(binding[0], name)
            if value is None or isinstance(value, (ast.Name, ast.Attribute)):
                return None
            found = untold(value, owner)
            return Refusal(f"`{name}` (line {binding[0].lineno}): {found.reason}", found.advice)
        lines = _lines(binding)
        if all(_is_certain(one, name, owner) for one in binding):
            return Refusal(f"`{name}` may be one of several functions ({lines})", CHOOSE)
        return Refusal(f"which function `{name}` is cannot be told: it is bound more than once ({lines})")
    return None


def _is_function(means: Meaning) -> bool:
    return isinstance(means, FunctionMeaning)


def _is_certain(binding: ast.stmt, name: str, owner: Scope) -> bool:
    """Whether the statement certainly binds the name to a function of the project."""
    if isinstance(binding, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return True
    value = _value(binding, name)
    return value is not None and _is_function(owner.project.meaning(expression(value), owner.place))


def _value(binding: ast.stmt, name: str) -> ast.expr | None:
    match binding:
        case ast.Assign(targets=[ast.Name(id=target)], value=value) if target == name:
            return value
        case ast.AnnAssign(target=ast.Name(id=target), value=value) if target == name:
            return value
        case _:
            return None


def _is_nothing(binding: ast.stmt) -> bool:
    """`run = None`, and `run: Callable[..., None]`: a task never runs that."""
    match binding:
        case ast.Assign(value=ast.Constant(value=None)) | ast.AnnAssign(value=ast.Constant(value=None) | None):
            return True
        case _:
            return False


def _declared_global(module: ast.Module, name: str) -> list[ast.stmt]:
    """The statements by which functions that declare the name `global` bind it anew."""
    return [
        one
        for function in ast.walk(module)
        if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef))
        and any(isinstance(node, ast.Global) and name in node.names for node in ast.walk(function))
        for one in ast.walk(function)
        if isinstance(one, ast.stmt) and not isinstance(one, Definition) and binds_directly(one, name)
    ]


def _sides(node: ast.expr) -> Sequence[ast.expr]:
    match node:
        case ast.IfExp(body=first, orelse=second):
            return [*_sides(first), *_sides(second)]
        case ast.BoolOp(values=values):
            return [one for value in values for one in _sides(value)]
        case _:
            return [node]


def _lines(binding: Sequence[ast.stmt]) -> str:
    """ "lines 12, 14 and 20" """
    every = sorted({one.lineno for one in binding})
    shown = [str(one) for one in every[:_MOST]]
    if len(every) > _MOST:
        return f"lines {', '.join(shown)} and others"
    return f"line {shown[0]}" if len(shown) == 1 else f"lines {', '.join(shown[:-1])} and {shown[-1]}"
