"""Every `Depends(...)`, `Security(...)` and override of one in a file, as facts. Pure."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from codemods.project.expressions import called_name, expression
from codemods.project.facts import DependsCall, Import
from codemods.project.nodes import Parents

_NAMES = frozenset({"Depends", "Security"})


def depends_calls(parents: Parents, imports: Iterable[Import]) -> Iterator[DependsCall]:
    """The calls that by their name inject a dependency, in source order; under their alias, too, where imported."""
    names = _NAMES | {one.name for one in imports if one.attribute in _NAMES}
    found = [
        (node, scope)
        for scope, nodes in parents.watched.items()
        for node in nodes
        if isinstance(node, ast.Call) and called_name(node.func) in names
    ]
    for node, scope in sorted(found, key=lambda pair: (pair[0].lineno, pair[0].col_offset)):
        given = node.args[:1] + [keyword.value for keyword in node.keywords if keyword.arg == "dependency"]
        if given:
            yield DependsCall(expression(node.func), expression(given[0]), node.lineno, _qualname(scope, parents))


def _qualname(scope: ast.AST, parents: Parents) -> str:
    names = [
        around.name
        for around in [scope, *parents.chain(scope)]
        if isinstance(around, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
    ]
    return ".".join(reversed(names))


def overrides(tree: ast.Module, parents: Parents) -> Iterator[DependsCall]:
    """What `app.dependency_overrides[get_session] = other` puts in the place of a dependency: one, too."""
    if not any(one.attr == "dependency_overrides" for one in parents.of_kind(ast.Attribute)):
        return
    for node in ast.walk(tree):
        match node:
            case ast.Assign(
                targets=[ast.Subscript(value=ast.Attribute(attr="dependency_overrides") as held)], value=value
            ):
                scope = _innermost(tree, node)
                yield DependsCall(expression(held), expression(value), node.lineno, scope, is_override=True)


def _innermost(tree: ast.Module, statement: ast.stmt) -> str:
    names: list[str] = []
    suite: list[ast.AST] = [tree]
    while suite:
        current = suite.pop()
        for inner in ast.iter_child_nodes(current):
            if inner.__class__ in _DEFINITIONS and _covers(inner, statement):
                names.append(getattr(inner, "name", ""))
                suite = [inner]
                break
            if isinstance(inner, (ast.stmt, ast.ExceptHandler, ast.match_case)):
                suite.append(inner)
    return ".".join(names)


_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def _covers(node: ast.AST, statement: ast.stmt) -> bool:
    first, last = getattr(node, "lineno", 0), getattr(node, "end_lineno", 0)
    return first <= statement.lineno <= last and node is not statement
