"""The expression that a name is bound to once and for all, in a function, around it or in the module. Pure; `ast`."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass

from codemods.flow.reaching import bindings_of
from codemods.flow.scope import Definition, Scope
from codemods.project.link import Place
from codemods.project.name_uses import COMPREHENSIONS
from codemods.project.nodes import walk
from codemods.project.symbols import Symbols

_CHANGING = frozenset({"append", "extend", "insert", "remove", "pop", "clear", "__setitem__", "__iadd__", "reverse"})


@dataclass(frozen=True, slots=True, eq=False)
class Bound:
    """The one statement that binds a name, the scope whose name it is, and what it is bound to; None: an import."""

    owner: Scope
    statement: ast.stmt
    value: ast.expr | None


def bound_once(name: str, scope: Scope) -> ast.expr | str:
    """The expression that the function or module binds the name to, for good; else why that cannot be told."""
    found = sole_binding(name, scope)
    if isinstance(found, str):
        return found
    if found.value is None:
        return f"`{name}` comes from another file"
    if isinstance(found.value, (ast.List, ast.ListComp)) and _may_be_changed(found.owner.node, name):
        return f"`{name}` is filled in several places"
    return found.value


def sole_binding(name: str, scope: Scope) -> Bound | str:
    """The only statement that binds the name which is read in `scope`; else why that cannot be told.

    What the value is filled with later is not looked at. Of a name that stands in a comprehension or in a lambda
    `bound_inside` is to be asked first.
    """
    for owner in owners(scope):
        if name in owner.parameters:
            return f"`{name}` is a parameter"
        bindings = bindings_of(owner, name)
        if not bindings:
            continue
        imported = any(isinstance(one, (ast.Import, ast.ImportFrom)) for one in bindings)
        if imported and len(bindings) > 1:
            return f"`{name}` comes from another file"
        if len(bindings) > 1 or is_declared_inside(owner.node, name):
            return f"`{name}` is bound more than once"
        if _is_bound_by_star(name, owner, bindings[0]):
            return f"`{name}` may come from a star import"
        if imported:
            return Bound(owner, bindings[0], None)
        match bindings[0]:
            case ast.Assign(targets=[ast.Name(id=target)], value=value) if target == name:
                return Bound(owner, bindings[0], value)
            case ast.AnnAssign(target=ast.Name(id=target), value=ast.expr() as value) if target == name:
                return Bound(owner, bindings[0], value)
            case _:
                return f"`{name}` cannot be followed"
    return f"`{name}` cannot be followed"


def bound_inside(node: ast.AST, name: str, scope: Scope) -> bool:
    """Whether a name that stands at `node` is not the one that `scope` sees: something between them binds it.

    That is a comprehension, a lambda, or a nested definition; also a comprehension or a lambda in a class body, which
    does not see the names of the class.
    """
    current, enclosed = node, False
    for around in scope.parents.chain(node):
        if around is scope.node:
            return isinstance(around, ast.ClassDef) and enclosed and binds(scope, name)
        if isinstance(around, ast.Lambda) and current is around.body:
            given = around.args
            every = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
            if name in {one.arg for one in every if one is not None} or name in _stored(around.body, ast.NamedExpr):
                return True
            enclosed = True
        elif isinstance(around, COMPREHENSIONS):
            if any(name in _stored(one.target, ast.AST) for one in around.generators):
                return True
            enclosed = True
        elif isinstance(around, Definition) and isinstance(current, ast.stmt) and current in around.body:
            is_class = isinstance(around, ast.ClassDef)
            inner = Scope(around, Place(scope.place.path), scope.parents, scope.project)
            if not (is_class and enclosed) and binds(inner, name) and not is_declared_inside(around, name):
                return True
            enclosed = enclosed or not is_class
        current = around
    return False


def _stored(node: ast.expr, within: type[ast.AST]) -> set[str]:
    """The names that are given a value in an expression, by the kind of node `within`."""
    return {
        name.id
        for one in ast.walk(node)
        if isinstance(one, within)
        for name in ast.walk(one.target if isinstance(one, ast.NamedExpr) else one)
        if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store)
    }


def binds(scope: Scope, name: str) -> bool:
    """Whether the scope itself gives the name a value."""
    return name in scope.parameters or bool(bindings_of(scope, name))


def _is_bound_by_star(name: str, owner: Scope, binding: ast.stmt) -> bool:
    """Whether `from module import *` may bind a name of the module anew: behind the binding, or in another branch."""
    if not isinstance(owner.node, ast.Module):
        return False
    stars = [one for one in owner.statements() if isinstance(one, ast.ImportFrom) and one.names[0].name == "*"]
    if binding in owner.node.body:
        stars = [one for one in stars if one.lineno > binding.lineno]  # the binding replaces what came before it
    facts = owner.project.symbols.facts.get(owner.place.path)
    symbols, path = owner.project.symbols, owner.place.path
    return bool(stars) and (facts is None or any(_may_give(star, name, path, symbols) for star in facts.stars))


def stars_giving(name: str, path: str, symbols: Symbols) -> list[str]:
    """The star-imported files that may bind the name in the file, as paths; "" for one that is not in view."""
    facts = symbols.facts.get(path)
    stars = [star for star in facts.stars if _may_give(star, name, path, symbols)] if facts is not None else []
    return [symbols.module_path(star, path) or "" for star in stars]


def _may_give(module: str, name: str, importer: str, symbols: Symbols) -> bool:
    """Whether a star import of the module may bind the name: one that is not in view may bind any."""
    path = symbols.module_path(module, importer)
    facts = symbols.facts.get(path) if path is not None else None
    if path is None or facts is None:
        return True
    if facts.public is not None:
        return name in facts.public
    known = (symbols.binding(path, name), symbols.functions(path, name), symbols.class_(path, name))
    return any(known) or bool(symbols.imports(path, "", name) or facts.stars)


def owners(scope: Scope) -> Iterable[Scope]:
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


def is_declared_inside(owner: ast.AST, name: str) -> bool:
    """Whether something in a node declares the name `global` or `nonlocal`, and so may bind it anew."""
    known: frozenset[str] | None = owner.__dict__.get("_declared_inside")
    if known is None:
        declaring = [node for node in walk(owner) if isinstance(node, (ast.Global, ast.Nonlocal))]
        # kept with the node, which is asked for one name after another
        known = owner.__dict__["_declared_inside"] = frozenset(one for each in declaring for one in each.names)
    return name in known


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
