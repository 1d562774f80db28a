"""A session that an expression makes: `F()`, or `await f()`. A value; what becomes of it others decide."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from codemods.flow.scope import Scope
from codemods.project.expressions import dotted, expression
from codemods.project.providers import may_give_session
from codemods.project.sessions import CoroutineMeaning, SessionMeaning


@dataclass(frozen=True, slots=True, eq=False)
class Made:
    """`node` is the whole expression, `call` the call in it (the same but for an `await`)."""

    node: ast.expr
    call: ast.Call
    session: SessionMeaning

    @property
    def called(self) -> str:
        """The dotted name of what is called; "" when it is no chain of names."""
        return dotted(expression(self.call.func))

    @property
    def has_arguments(self) -> bool:
        return bool(self.call.args or self.call.keywords)


def made(scope: Scope, node: ast.Call) -> Made | None:
    """The session that a call gives (after awaiting it, where it has to be); None when it gives none."""
    if not may_give_session(scope.callee(node), scope.project):
        return None
    means = scope.meaning(node)
    outer: ast.expr = node
    if isinstance(means, CoroutineMeaning):
        above = scope.parents.of(node)
        if not isinstance(above, ast.Await):
            return None
        means, outer = means.value, above
    return Made(outer, node, means) if isinstance(means, SessionMeaning) else None
