"""The names of a file whose value goes somewhere: into a call, a name, a container, back to a caller. Pure; `ast` only.

What is only read (`makers[key]`, `makers.get(key)`, `key in makers`) is not among them.
"""

from __future__ import annotations

import ast

from codemods.project.nodes import Parents

_GOING = (ast.keyword, ast.Assign, ast.AnnAssign, ast.NamedExpr, ast.Return, ast.Yield, ast.Starred, ast.Tuple)
_GATHERING = (ast.List, ast.Set, ast.Dict, ast.BinOp, ast.AugAssign, ast.IfExp, ast.Lambda)


def handed_names(parents: Parents) -> tuple[str, ...]:
    """The last names: `_makers` of `put(db._makers)`, `db._makers = {}`, `patch.dict("app.db._makers")`."""
    found: set[str] = set()
    for name in parents.of_kind(ast.Name):
        if isinstance(name.ctx, ast.Load) and _goes_on(name, parents):
            found.add(name.id)
    for attribute in parents.of_kind(ast.Attribute):
        if not isinstance(attribute.ctx, ast.Load) or _goes_on(attribute, parents):
            found.add(attribute.attr)
    for constant in parents.of_kind(ast.Constant):
        if isinstance(constant.value, str) and (last := constant.value.rpartition(".")[2]).isidentifier():
            found.add(last)
    return tuple(sorted(found))


def _goes_on(node: ast.expr, parents: Parents) -> bool:
    around = parents.of(node)
    if isinstance(around, ast.Call):
        return around.func is not node
    return isinstance(around, (*_GOING, *_GATHERING))
