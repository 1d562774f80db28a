"""A URL that is read off an object, `self.url`: SQLite, where all that the project ever puts there is. Reads only.

Objects are filled from anywhere, so every place counts that stores something under the name, on whatever object.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from codemods.flow.database_url import DatabaseUrl, Family, database_url
from codemods.flow.only_factory import is_test_path
from codemods.flow.scope import Scope
from codemods.project.nodes import Parents
from codemods.project.sessions import ClassMeaning
from codemods.rules.engine_pool.look import Look
from codemods.rules.engine_pool.set_otherwise import set_otherwise

_Stored = tuple[ast.expr | None, Scope]  # None: what is stored cannot be told
_BY_NAME = frozenset({"setattr", "__setattr__", "delattr", "__delattr__"})
_NAMING = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.ExceptHandler, ast.MatchAs, ast.MatchStar)


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
        told = database_url(value, None, owner, look.module_scope) if value is not None else None
        if told is None or told.family is not Family.SQLITE:
            return None
        found.append(told)
    class_ = ClassMeaning(scope.place.path, scope.place.qualname.rpartition(".")[0])
    if not found or set_otherwise(node.attr, class_, look):
        return None
    return DatabaseUrl(Family.SQLITE, found[0].text, any(one.in_memory for one in found))


def _stored(name: str, look: Look) -> Iterator[_Stored]:
    """Everything that any file but a test stores under the name: on an object, or in the body of a class."""
    for there in look.mentioning(name):
        if is_test_path(there.source.path):
            continue
        scopes = {scope.node: scope for scope in there.scopes}
        parents = there.scopes[0].parents
        for target in _targets(name, there.scopes[0]):
            owner = next(scopes[one] for one in parents.chain(target) if one in scopes)
            in_class = isinstance(owner.node, ast.ClassDef)
            if in_class or isinstance(target, (ast.Attribute, ast.Constant)):
                yield from _by(target, owner, parents, in_class=in_class)


def _targets(name: str, module: Scope) -> Iterator[ast.AST]:
    """Whatever of the file may give something the name, in no order."""
    parents = module.parents
    yield from (one for one in parents.of_kind(ast.Attribute) if one.attr == name and not isinstance(one.ctx, ast.Load))
    named = parents.named_within(module.node).get(name, ())
    yield from (one for one in named if not isinstance(one.ctx, ast.Load))
    for kind in _NAMING:  # a property is a function
        yield from (one for one in parents.of_kind(kind) if getattr(one, "name", "") == name)
    yield from (one for one in parents.of_kind(ast.MatchMapping) if one.rest == name)
    yield from (one for one in parents.of_kind(ast.alias) if (one.asname or one.name.partition(".")[0]) == name)
    for call in parents.of_kind(ast.Call):
        called = call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")
        if called in _BY_NAME:
            yield from (one for one in call.args[:2] if isinstance(one, ast.Constant) and one.value == name)


def _by(target: ast.AST, owner: Scope, parents: Parents, *, in_class: bool) -> Iterator[_Stored]:
    match parents.of(target):
        case ast.Assign(targets=targets, value=value) if target in targets:
            yield value, owner
        case ast.AnnAssign(value=value) if in_class or value is not None:
            # a field of a dataclass, or of a model, is filled by whoever makes the object
            yield None if in_class else value, owner
        case ast.AnnAssign():
            return
        case ast.Call(args=[*_, value]) if value is not target:
            yield value, owner  # `setattr(self, "url", value)`
        case _:
            yield None, owner
