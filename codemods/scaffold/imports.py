"""The imports that a scaffold adds to a file of the project. Reads only."""

from __future__ import annotations

import ast

from codemods.flow.import_place import ImportStatement, installed_place, is_bound, own_place, top_imports
from codemods.plan import NeedsImport
from codemods.project.link import Place
from codemods.project.sessions import External
from codemods.scaffold.errors import ScaffoldError
from codemods.scaffold.look import Look


def own_import(home: str, name: str, path: str, line: int, look: Look) -> NeedsImport:
    """`from (file home) import name` in the file `path`, above `line`. Raises ScaffoldError where it has no place."""
    return placed_import(look.written(home, path), name, path, line, look)


def placed_import(written: str, name: str, path: str, line: int, look: Look) -> NeedsImport:
    """`from written import name`, of the project itself, above `line`. Raises ScaffoldError where it has no place."""
    imports = top_imports(look.tree(path), line)
    place = own_place(path, imports, written, name, lambda one: _is_own(one, path, look))
    if place is None:
        raise ScaffoldError(f"{path} has no import at its top beside which another one could stand")
    return place


def fastapi_import(name: str, path: str, line: int, look: Look) -> tuple[NeedsImport, ...]:
    """What makes a name of FastAPI known in the file. Raises ScaffoldError where it stands for something else."""
    means = look.project.name(name, Place(path))
    if isinstance(means, External) and means.dotted.startswith("fastapi.") and means.dotted.endswith(f".{name}"):
        return ()
    place = None
    if not is_bound(look.tree(path), name):
        imports = top_imports(look.tree(path), line)
        place = installed_place(path, imports, "fastapi", name, lambda one: _is_own(one, path, look))
    if place is None:
        raise ScaffoldError(f"{path} cannot import {name} of FastAPI: the name is taken, or there is no import to join")
    return (place,)


def _is_own(statement: ImportStatement, path: str, look: Look) -> bool:
    module = statement.module if isinstance(statement, ast.ImportFrom) else statement.names[0].name
    symbols = look.project.symbols
    return symbols.module_path(module or "", path) is not None or symbols.is_folder(module or "")
