"""Where an import that an edit needs is to stand in a file: joined to one that is there, or where isort would have it.

Reads one file's tree; decides nothing about what is imported.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Sequence
from itertools import pairwise

from codemods.plan import NeedsImport

ImportStatement = ast.Import | ast.ImportFrom


def top_imports(tree: ast.Module, above: int | None = None) -> list[ImportStatement]:
    """The imports at the top of the file that have their lines for themselves; those before the line `above`."""
    found: list[ImportStatement] = []
    for place, one in enumerate(tree.body):
        if not isinstance(one, (ast.Import, ast.ImportFrom)) or (above is not None and one.lineno >= above):
            continue
        near = [*tree.body[max(place - 1, 0) : place], *tree.body[place + 1 : place + 2]]
        if all(other.end_lineno != one.lineno and other.lineno != one.end_lineno for other in near):
            found.append(one)
    return found


def is_bound(tree: ast.AST, name: str) -> bool:
    """Whether the name already means something in this tree: then it cannot be imported over it."""
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=found) | ast.arg(arg=found) if found == name:
                return True
            case ast.FunctionDef(name=found) | ast.AsyncFunctionDef(name=found) | ast.ClassDef(name=found):
                if found == name:
                    return True
            case ast.alias(name=found, asname=alias) if (alias or found.partition(".")[0]) == name:
                return True
    return False


def standard_place(path: str, imports: Sequence[ImportStatement], module: str, name: str) -> NeedsImport:
    """Where `from module import name`, of the standard library, goes among the imports of the file."""
    for one in imports:
        if isinstance(one, ast.ImportFrom) and not one.level and one.module == module:
            return NeedsImport(path, one.lineno, module, name)
    standard = [one for one in imports if _root(one) in sys.stdlib_module_names and not _is_future(one)]
    straight_first = _is_straight_first(standard)
    own = (straight_first, module)
    lower = [
        one for one in standard if (straight_first and isinstance(one, ast.ImportFrom), _full_module_of(one)) < own
    ]
    if lower:
        return NeedsImport(path, lower[-1].lineno, module, name)
    if standard:
        return NeedsImport(path, standard[0].lineno, module, name, above=True)
    future = [one for one in imports if _is_future(one)]
    if future:
        return NeedsImport(path, future[-1].lineno, module, name, apart=True)
    return NeedsImport(path, imports[0].lineno if imports else 0, module, name, above=True, apart=True)


def own_place(
    path: str,
    imports: Sequence[ImportStatement],
    written: str,
    name: str,
    is_own: Callable[[ImportStatement], bool],
) -> NeedsImport | None:
    """Where `from written import name`, of the project itself, goes among the imports of the file.

    `is_own` says of an absolute import whether it is one of the project. None when the file has no import beside which
    it could stand.
    """
    for one in imports:
        if isinstance(one, ast.ImportFrom) and written_module(one) == written:
            return NeedsImport(path, one.lineno, written, name)
    relative = [one for one in imports if isinstance(one, ast.ImportFrom) and one.level]
    absolute = [one for one in imports if one not in relative and not _is_future(one)]
    own = [one for one in absolute if is_own(one)]
    if written.startswith("."):
        if relative:
            return _among(path, relative, written, name)
        return NeedsImport(path, imports[-1].lineno, written, name, apart=True) if imports else None
    if own:
        return _among(path, own, written, name)
    if absolute:
        return NeedsImport(path, absolute[-1].lineno, written, name, apart=True)
    if relative:
        return NeedsImport(path, relative[0].lineno, written, name, above=True, apart=True)
    return NeedsImport(path, imports[-1].lineno, written, name, apart=True) if imports else None


def installed_place(
    path: str,
    imports: Sequence[ImportStatement],
    module: str,
    name: str,
    is_own: Callable[[ImportStatement], bool],
) -> NeedsImport | None:
    """Where `from module import name`, of an installed package, goes among the imports of the file."""
    for one in imports:
        if isinstance(one, ast.ImportFrom) and written_module(one) == module:
            return NeedsImport(path, one.lineno, module, name)
    absolute = [one for one in imports if not (isinstance(one, ast.ImportFrom) and one.level) and not _is_future(one)]
    own = [one for one in absolute if is_own(one)]
    standard = [one for one in absolute if one not in own and _root(one) in sys.stdlib_module_names]
    installed = [one for one in absolute if one not in own and one not in standard]
    if installed:
        return _among(path, installed, module, name)
    if standard:
        return NeedsImport(path, standard[-1].lineno, module, name, apart=True)
    return NeedsImport(path, imports[0].lineno, module, name, above=True, apart=True) if imports else None


def written_module(statement: ast.ImportFrom) -> str:
    """The module as it is written after `from`, dots included."""
    return "." * statement.level + (statement.module or "")


def _among(path: str, group: Sequence[ImportStatement], written: str, name: str) -> NeedsImport:
    straight_first = _is_straight_first(group)

    def key(module: str, is_from: bool) -> tuple[bool, int, str]:
        # the farthest package first, as ruff has it
        return straight_first and is_from, len(module.lstrip(".")) - len(module), module

    own = key(written, True)
    lower = [one for one in group if key(_written(one), isinstance(one, ast.ImportFrom)) < own]
    if lower:
        return NeedsImport(path, lower[-1].lineno, written, name)
    return NeedsImport(path, group[0].lineno, written, name, above=True)


def _written(statement: ImportStatement) -> str:
    return written_module(statement) if isinstance(statement, ast.ImportFrom) else statement.names[0].name


def _is_straight_first(group: Sequence[ImportStatement]) -> bool:
    return not any(isinstance(one, ast.ImportFrom) and isinstance(other, ast.Import) for one, other in pairwise(group))


def _root(statement: ImportStatement) -> str:
    if isinstance(statement, ast.ImportFrom):
        return (statement.module or ".").partition(".")[0] if not statement.level else "."
    return statement.names[0].name.partition(".")[0]


def _full_module_of(statement: ImportStatement) -> str:
    return statement.module or "" if isinstance(statement, ast.ImportFrom) else statement.names[0].name


def _is_future(statement: ImportStatement) -> bool:
    return isinstance(statement, ast.ImportFrom) and statement.module == "__future__"
