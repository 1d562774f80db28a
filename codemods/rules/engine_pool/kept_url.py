"""A URL that is read off an object, `self.url`: SQLite, where all that the project ever puts there is. Reads only.

Objects are filled from anywhere, so every place counts that stores something under the name, on whatever object.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from codemods.flow.database_url import DatabaseUrl, Family, database_url
from codemods.flow.only_factory import is_test_path
from codemods.flow.scope import Scope
from codemods.rules.engine_pool.look import Look

_Stored = tuple[ast.expr | None, Scope]  # None: what is stored cannot be told


def kept_sqlite(node: ast.expr, scope: Scope, look: Look) -> DatabaseUrl | None:
    """What is told of a URL of SQLite that `node`, an attribute, holds; None where it may hold anything else."""
    if not isinstance(node, ast.Attribute) or not isinstance(node.value, ast.Name):
        return None
    if node.value.id not in scope.parameters or not isinstance(scope.parents.of(scope.node), ast.ClassDef):
        return None
    found: list[DatabaseUrl] = []
    for value, owner in _stored(node.attr, look):
        if isinstance(value, ast.Constant) and value.value in ("", None):
            continue  # stands there until the URL does
        if value is None:
            return None
        found.append(database_url(value, None, owner, look.module_scope))
    if not found or any(one.family is not Family.SQLITE for one in found):
        return None
    return DatabaseUrl(Family.SQLITE, found[0].text, any(one.in_memory for one in found))


def _stored(name: str, look: Look) -> Iterator[_Stored]:
    """Everything that any file but a test stores under the name: on an object, or in the body of a class."""
    for there in look.mentioning(name):
        if is_test_path(there.source.path):
            continue
        for scope in there.scopes:
            in_class = isinstance(scope.node, ast.ClassDef)
            for statement in scope.statements():
                yield from _by(statement, name, scope, in_class=in_class)


def _by(statement: ast.stmt, name: str, scope: Scope, *, in_class: bool) -> Iterator[_Stored]:
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)):
        if in_class and statement.name == name:
            yield None, scope  # a property: what it gives is told where it is read
        return
    targets: list[ast.expr]
    value: ast.expr | None
    if isinstance(statement, ast.Assign):
        targets, value = statement.targets, statement.value
    elif isinstance(statement, ast.AnnAssign):
        # a field of a dataclass, or of a model, is filled by whoever makes the object
        targets, value = [statement.target], None if in_class else statement.value
        if statement.value is None and not in_class:
            return
    elif isinstance(statement, ast.AugAssign):
        targets, value = [statement.target], None
    else:
        return
    for target in targets:
        match target:
            case ast.Attribute(attr=attr) if attr == name:
                yield value, scope
            case ast.Name(id=found) if in_class and found == name:
                yield value, scope
            case ast.Tuple() | ast.List() | ast.Starred():
                for inner in ast.walk(target):
                    if isinstance(inner, ast.Attribute) and inner.attr == name:
                        yield None, scope
