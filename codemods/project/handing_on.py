"""Functions that only hand a callable on, with its arguments: `def later(f, *args, **kwargs)`. Pure; `ast` only.

A function is told by its own tree; whether what it hands to is a scheduler is for `schedulers` to say.
"""

from __future__ import annotations

import ast

from codemods.project.expressions import expression
from codemods.project.facts import HandedOn
from codemods.project.name_uses import Function
from codemods.project.nodes import Parents, walk


def handed_on(node: Function, parents: Parents) -> HandedOn | None:
    """What the function hands on exactly as it got it; None when it hands on nothing, or does more with it."""
    if node.args.vararg is None:
        return None
    names = [node.args.vararg.arg, *([node.args.kwarg.arg] if node.args.kwarg else [])]
    calls = [call for call in parents.of_kind_within(node, ast.Call) if _stars(call) == names]
    if len(calls) != 1 or any(_mentions(node, name) != 1 for name in names):
        return None
    [call] = calls
    own = {one.arg for one in [*node.args.posonlyargs, *node.args.args]}
    match call.func:
        case ast.Name(id=name) if name in own and len(call.args) == 1:
            around = parents.of(call)
            if not isinstance(around, ast.Call) or call not in around.args or _mentions(node, name) != 1:
                return None
            return HandedOn(name, expression(around.func), around.args.index(call), called=True)
    match call.args[-2:]:
        case [ast.Name(id=name), ast.Starred()] if name in own and _mentions(node, name) == 1:
            return HandedOn(name, expression(call.func), len(call.args) - 2, called=False)
    return None


def _stars(call: ast.Call) -> list[str]:
    """The names given in bulk as the last arguments; what else may be a keyword of the scheduler's own."""
    found = [one.value for one in call.args[-1:] if isinstance(one, ast.Starred)]
    found += [keyword.value for keyword in call.keywords if keyword.arg is None]
    if any(isinstance(one, ast.Starred) for one in call.args[:-1]):
        return []
    return [one.id for one in found if isinstance(one, ast.Name)] if found else []


def _mentions(node: Function, name: str) -> int:
    return sum(isinstance(inner, ast.Name) and inner.id == name for inner in walk(node))
