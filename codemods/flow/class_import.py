"""How a mapped class of the project is named in a function of a file that may not import it yet. Decides no edit."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from codemods.flow.import_circle import would_circle
from codemods.flow.import_place import ImportStatement, installed_place, is_bound, own_place, top_imports
from codemods.flow.loader_names import class_written
from codemods.flow.module_names import module_name
from codemods.flow.scope import Scope
from codemods.plan import DropIfUnused, Request, Source
from codemods.project.link import Place
from codemods.project.sessions import ClassMeaning, External


def sqlalchemy_name(
    name: str, scope: Scope, tree: ast.Module, source: Source, module: str = "sqlalchemy"
) -> tuple[Request, ...] | None:
    """The import that gives a function of SQLAlchemy its own name here, if it takes one; None: the name is taken."""
    means = scope.project.name(name, Place(source.path))
    if isinstance(means, External) and means.dotted.startswith(("sqlalchemy.", "sqlmodel.")):
        return () if means.dotted.endswith(f".{name}") else None
    if is_bound(tree, name):
        return None
    place = installed_place(source.path, top_imports(tree), module, name, lambda one: _is_own(one, scope, source))
    return None if place is None else (place,)


def _is_own(statement: ImportStatement, scope: Scope, source: Source) -> bool:
    module = statement.module if isinstance(statement, ast.ImportFrom) else statement.names[0].name
    return scope.project.symbols.module_path(module or "", source.path) is not None


@dataclass(frozen=True, slots=True)
class Named:
    """The text of the class, and the imports that it needs; `local` is one that must stand in the function."""

    text: str
    requests: tuple[Request, ...] = ()
    local: str = ""


def class_named(class_: ClassMeaning, scope: Scope, tree: ast.Module, source: Source) -> Named | str:
    """How the class is named; or the reason why it cannot be."""
    known = class_written(class_, scope, tree, source)
    if not isinstance(known, str):
        return Named(known.text, known.requests)
    name, project = class_.qualname, scope.project
    if "." in name or name.startswith("_"):
        return known
    written = module_name(class_.module, tree, source, project)
    if not written:
        return known
    if is_bound(tree, name):
        # imported for type checking only: there may be a reason why it is not imported at the top
        if project.name(name, scope.place) != class_:
            return known
        drops = tuple(
            DropIfUnused(source.path, one.line, name)
            for one in project.symbols.imports(source.path, "", name)
            if one.attribute is not None
        )
        return Named(name, drops, f"from {written} import {name}")
    if would_circle(source.path, class_.module, project.symbols):
        return Named(name, (), f"from {written} import {name}")
    place = own_place(source.path, top_imports(tree), written, name, lambda one: _is_own(one, scope, source))
    return known if place is None else Named(name, (place,))
