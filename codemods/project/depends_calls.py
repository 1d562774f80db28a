"""Every `Depends(...)` and `Security(...)` of one file, as facts. Pure; whose `Depends` it is `Project` says."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from codemods.project.expressions import expression, last_name
from codemods.project.facts import DependsCall, Import
from codemods.project.name_uses import Parents

_NAMES = frozenset({"Depends", "Security"})


def depends_calls(parents: Parents, imports: Iterable[Import]) -> Iterator[DependsCall]:
    """The calls that by their name inject a dependency, in source order; under their alias, too, where imported."""
    names = _NAMES | {one.name for one in imports if one.attribute in _NAMES}
    found = [
        (node, scope)
        for scope, nodes in parents.watched.items()
        for node in nodes
        if isinstance(node, ast.Call) and last_name(expression(node.func)) in names
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
