"""Under which condition a development endpoint is there, and how that is written in the application's module.

What the project itself shows is taken (`flow.development`); without that the convention of the practices, the
environment variable ENVIRONMENT. Reads only.
"""

from __future__ import annotations

import ast
import sys
from dataclasses import dataclass

from codemods.flow.definition_site import member_site
from codemods.flow.development import ProjectSign, of_project
from codemods.flow.development.readable import is_bound_at_top, is_bound_in_a_function
from codemods.flow.import_place import is_bound, standard_place, top_imports
from codemods.plan import Fact, Request
from codemods.project.facts import Attribute, Name
from codemods.project.link import Place
from codemods.project.sessions import External
from codemods.scaffold.definitions import last_line_of
from codemods.scaffold.errors import ScaffoldError
from codemods.scaffold.imports import own_import
from codemods.scaffold.look import Look

_VARIABLE = 'getenv("ENVIRONMENT") == "development"'


@dataclass(frozen=True, slots=True)
class Condition:
    """The expression, the imports that it needs, and the line above which it cannot be evaluated (0: anywhere)."""

    text: str
    requests: tuple[Request, ...] = ()
    facts: tuple[Fact, ...] = ()
    below: int = 0
    is_shown: bool = True  # the project shows it; else it is the convention


def development(path: str, line: int, look: Look) -> Condition:
    """What is true in development, as a statement behind `line` of the file says it. Raises ScaffoldError."""
    reached = {path, *look.reached(path)}
    signs = [sign for sign in of_project(look.project, look.codebase.trees.get) if sign.path in reached]
    for wanted in (_named_already, _imported):
        for sign in signs:
            found = wanted(sign, path, line, look)
            if found is not None:
                return found
    return _convention(path, line, look)


def _named_already(sign: ProjectSign, path: str, line: int, look: Look) -> Condition | None:
    symbols = look.project.symbols
    if sign.path == path and (line != sys.maxsize or _is_there(sign.name, path, line, look)):
        return Condition(sign.text(), facts=sign.facts, below=last_line_of(look, path, sign.name))
    for imported in symbols.facts[path].imports:
        if imported.scope or not _is_there(imported.name, path, line, look):
            continue
        if member_site(path, imported.name, look.project) == (sign.path, sign.name):
            return Condition(sign.text(imported.name), facts=sign.facts)
        if imported.attribute is not None and _file(imported.module, imported.attribute, path, look) == sign.path:
            return Condition(sign.text(f"{imported.name}.{sign.name}"), facts=sign.facts)
    return None


def _is_there(name: str, path: str, line: int, look: Look) -> bool:
    """Whether the name is bound for certain where the condition is to stand, and not for type checkers only."""
    tree = look.tree(path)
    if line != sys.maxsize:
        return is_bound_at_top(name, tree, line)
    # in a function, which may run as soon as it is defined
    functions = [one.lineno for one in tree.body if isinstance(one, (ast.FunctionDef, ast.AsyncFunctionDef))]
    return is_bound_at_top(name, tree, min(functions, default=line)) and not is_bound_in_a_function(name, tree)


def _file(module: str, attribute: str, path: str, look: Look) -> str | None:
    return look.project.symbols.module_path(f"{module}.{attribute}", path)


def _imported(sign: ProjectSign, path: str, line: int, look: Look) -> Condition | None:
    if is_bound(look.tree(path), sign.name) or look.would_circle(path, sign.path):
        return None
    try:
        request = own_import(sign.path, sign.name, path, line, look)
    except ScaffoldError:
        return None
    return Condition(sign.text(), (request,), sign.facts)


def _convention(path: str, line: int, look: Look) -> Condition:
    tree, project = look.tree(path), look.project
    if project.meaning(Attribute(Name("os"), "getenv"), Place(path)) == External("os.getenv"):
        return Condition(f"os.{_VARIABLE}", is_shown=False)
    if project.name("getenv", Place(path)) == External("os.getenv"):
        return Condition(_VARIABLE, is_shown=False)
    if is_bound(tree, "getenv"):
        raise ScaffoldError(f"{path} uses the name `getenv` for something else; give --always, or import os there")
    return Condition(_VARIABLE, (standard_place(path, top_imports(tree, line), "os", "getenv"),), is_shown=False)
