"""The expression that a name is bound to once and for all, in a function, around it or in the module. Pure; `ast`."""

from __future__ import annotations

import ast
from collections.abc import Iterable

from codemods.flow.reaching import binds_directly
from codemods.flow.scope import Scope
from codemods.project.link import Place

_CHANGING = frozenset({"append", "extend", "insert", "remove", "pop", "clear", "__setitem__", "__iadd__", "reverse"})


def bound_once(name: str, scope: Scope) -> ast.expr | str:
    """The expression that the function or module binds the name to, for good; else why that cannot be told."""
    for owner in _owners(scope):
        if name in owner.parameters:
            return f"`{name}` is a parameter"
        bindings = [one for one in owner.statements() if binds_directly(one, name)]
        if not bindings:
            continue
        if any(isinstance(one, (ast.Import, ast.ImportFrom)) for one in bindings):
            return f"`{name}` comes from another file"
        if len(bindings) > 1 or _is_declared_outside(owner.node, name):
            return f"`{name}` is bound more than once"
        match bindings[0]:
            case ast.Assign(targets=[ast.Name(id=target)], value=value) if target == name:
                pass
            case ast.AnnAssign(target=ast.Name(id=target), value=ast.expr() as value) if target == name:
                pass
            case _:
                return f"`{name}` cannot be followed"
        if isinstance(value, (ast.List, ast.ListComp)) and _may_be_changed(owner.node, name):
            return f"`{name}` is filled in several places"
        return value
    return f"`{name}` cannot be followed"


def _owners(scope: Scope) -> Iterable[Scope]:
    """The scope, the functions around it and the module: where a name is looked for."""
    yield scope
    qualname = scope.place.qualname
    for around in scope.parents.chain(scope.node):
        if isinstance(around, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            qualname = qualname.rpartition(".")[0]
            if not isinstance(around, ast.ClassDef):
                yield Scope(around, Place(scope.place.path, qualname), scope.parents, scope.project)
        elif isinstance(around, ast.Module):
            yield Scope(around, Place(scope.place.path), scope.parents, scope.project)


def _is_declared_outside(owner: ast.AST, name: str) -> bool:
    """Whether something inside declares the name `global` or `nonlocal`, and so may bind it anew."""
    return any(isinstance(node, (ast.Global, ast.Nonlocal)) and name in node.names for node in ast.walk(owner))


def _may_be_changed(owner: ast.AST, name: str) -> bool:
    """Whether a list of this name is filled or cut, or handed to something that may do so."""
    for node in ast.walk(owner):
        match node:
            case ast.Attribute(value=ast.Name(id=found), attr=attr) if found == name and attr in _CHANGING:
                return True
            case ast.Subscript(value=ast.Name(id=found), ctx=ast.Store() | ast.Del()) if found == name:
                return True
            case ast.Call(args=arguments) if any(isinstance(one, ast.Name) and one.id == name for one in arguments):
                return True
            case ast.Assign(value=ast.Name(id=found)) | ast.Return(value=ast.Name(id=found)) if found == name:
                return True
    return False
