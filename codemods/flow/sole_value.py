"""The one expression that a name stands for, wherever in the project it is bound. Pure; reads trees it is given."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass

from codemods.flow.bound_once import bound_inside, sole_binding
from codemods.flow.definition_site import definition_site, member_site
from codemods.flow.scope import Scope
from codemods.project.expressions import expression, shown
from codemods.project.link import Project
from codemods.project.openers import is_replaced

ModuleScope = Callable[[str], Scope | None]
"""The scope of the module of a file, by its path; None for a file that is not in view."""


@dataclass(frozen=True, slots=True, eq=False)
class Value:
    """An expression, the scope in which it is evaluated, and the name that it is bound to there."""

    node: ast.expr
    owner: Scope
    name: str


def sole_value(node: ast.expr, scope: Scope, module_scope: ModuleScope) -> Value | str:
    """What a name, or `module.NAME`, was bound to once and for all; else why that cannot be told."""
    for inner in ast.walk(node) if isinstance(node, (ast.Name, ast.Attribute)) else ():
        if isinstance(inner, ast.Name) and bound_inside(inner, inner.id, scope):
            return f"`{inner.id}` is bound by what stands around it"
    if isinstance(node, ast.Name):
        found = sole_binding(node.id, scope)
        if isinstance(found, str):
            return found
        if found.value is not None:
            path = found.owner.place.path
            if isinstance(found.owner.node, ast.Module) and _is_replaced(path, node.id, scope.project):
                return f"`{node.id}` is replaced somewhere"
            return Value(found.value, found.owner, node.id)
        site = _imported(node.id, found.owner)
    elif isinstance(node, ast.Attribute):
        site = definition_site(expression(node), scope.place, scope.project)
    else:
        return f"`{shown(node)}` cannot be followed"
    there = module_scope(site[0]) if site is not None else None
    if site is None or there is None:
        return f"`{shown(node)}` cannot be followed"
    bound = sole_binding(site[1], there)
    if isinstance(bound, str):
        return bound
    if bound.value is None or _is_replaced(site[0], site[1], scope.project):
        return f"`{shown(node)}` cannot be followed"
    return Value(bound.value, there, site[1])


def _imported(name: str, owner: Scope) -> tuple[str, str] | None:
    """The file and the name there of what the scope imports under `name`."""
    symbols, place = owner.project.symbols, owner.place
    found = symbols.imports(place.path, place.qualname, name)
    if len(found) != 1 or found[0].attribute is None:
        return None
    module = symbols.module_path(found[0].module, place.path)
    return member_site(module, found[0].attribute, owner.project) if module is not None else None


def _is_replaced(path: str, name: str, project: Project) -> bool:
    """Whether any file of the project replaces the name: the answer must not depend on which ones were read first."""
    symbols = project.symbols
    for unread in symbols.names.keys() - symbols.facts.keys():
        # one that cannot be imported, `scripts/load-data.py`, has no other name than that of its folders
        symbols.module_path(unread.removesuffix(".py").removesuffix("/__init__").replace("/", "."), unread)
    return is_replaced(path, name, project)
