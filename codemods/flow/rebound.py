"""A name that is bound to something else before the close in `finally` looks at it: the session is not closed there.

`self.session = session; session = None` in a `try` with `finally: if session: await session.close()` hands the session
over. On that way nothing closes it. Reads only.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence

from codemods.flow.closing import is_closing
from codemods.flow.lifetime import Lifetime
from codemods.flow.reaching import bindings_of, reaching
from codemods.flow.scope import With, inside, own_expressions
from codemods.project.name_uses import NameUse, Role

_LEAVING = (ast.Return, ast.Raise, ast.Continue, ast.Break)
# what opens no connection, and gives the session to nobody
_IDLE = frozenset({Role.TESTED, Role.ATTRIBUTE, Role.SET, Role.BOUND, Role.DELETED})


def rebound(life: Lifetime) -> tuple[ast.stmt, list[NameUse]] | None:
    """The first statement that binds the name anew while the session is open, ahead of the close in the `finally` of
    its guard, and the uses of the session up to there. None: the close always finds it.

    What is told of a session that was closed first, is made last in a `try` whose handler binds the name, or was never
    used until then, is None, too: nothing stays open. So is a value that is made of the session: it may be the same.
    """
    if life.guard is None or not life.closing:
        return None
    others = [one for one in bindings_of(life.scope, life.name) if one is not life.statement]
    start, end = life.statement.lineno, life.closing[-1].lineno
    others = [one for one in others if start < one.lineno < end and not isinstance(one, ast.Delete)]
    if not others:
        return None
    closing = {
        life.scope.statement(use.node)
        for use in life.uses
        if is_closing(life, use) and (use.awaited or not life.is_async)
    }
    for other in others:
        if life.statement not in reaching(life.scope, other, life.name).statements or _keeps(life, other):
            continue
        if not _can_follow(life, other) or _closed_before(life, other, closing):
            continue
        uses = [use for use in life.uses if use.line <= other.lineno]
        if any(use.role not in _IDLE and not is_closing(life, use) for use in uses):
            return other, uses
    return None


def _keeps(life: Lifetime, other: ast.stmt) -> bool:
    """Whether the new value is made of the old one, so that it may be the same session still."""
    match other:
        case ast.Assign(targets=[ast.Tuple(elts=targets)], value=ast.Tuple(elts=values)) if len(targets) == len(values):
            pairs = zip(targets, values, strict=True)
            made = [value for target, value in pairs if isinstance(target, ast.Name) and target.id == life.name]
            read = [node for value in made for node in ast.walk(value)]
        case _:
            read = [*own_expressions(other)]
    return any(isinstance(node, ast.Name) and node.id == life.name and isinstance(node.ctx, ast.Load) for node in read)


def _can_follow(life: Lifetime, other: ast.stmt) -> bool:
    """Whether the session can be there already: not in the handler of a `try` in which nothing follows the making."""
    current: ast.stmt | None = life.statement
    follows = False
    while current is not None:
        seat, above = life.scope.seat(current), life.scope.owner_statement(current)
        follows = follows or seat.index + 1 < len(seat.suite)
        if isinstance(above, ast.Try) and seat.suite is above.body and not follows:
            if any(other in set(inside(one)) for handler in above.handlers for one in handler.body):
                return False
        current = above
    return True


def _closed_before(life: Lifetime, other: ast.stmt, closing: set[ast.stmt]) -> bool:
    """Whether the session is closed whenever `other` is reached: above it in its suite, or in one of those around."""
    scope = life.scope
    current: ast.stmt | None = other
    while current is not None:
        seat = scope.seat(current)
        for one in reversed(seat.suite[: seat.index]):
            if _closes(life, one, closing):
                return True
            members = set(inside(one))
            if life.statement in members:
                return not closing.isdisjoint(members)  # on the way out of there, as far as anyone sees
        above = scope.owner_statement(current)
        if isinstance(above, With) and _enters(life, above):
            return True
        if isinstance(above, ast.Try) and seat.suite is above.orelse and _any_closes(life, above.body, closing):
            return True
        current = above
    return False


def _closes(life: Lifetime, statement: ast.stmt, closing: set[ast.stmt]) -> bool:
    """Whether the session is closed when the statement is over."""
    match statement:
        case ast.If(test=test, body=body, orelse=orelse):
            in_body, in_else = _any_closes(life, body, closing), _any_closes(life, orelse, closing)
            asked = any(isinstance(node, ast.Name) and node.id == life.name for node in ast.walk(test))
            return (in_body and in_else) or (asked and (in_body or in_else))
        case ast.Try(body=body, handlers=handlers, finalbody=finalbody):
            if _any_closes(life, finalbody, closing) or _closes(life, body[0], closing):
                return True  # a close that raises has still closed it, as far as it can be
            return _any_closes(life, body, closing) and all(
                isinstance(one.body[-1], _LEAVING) or _any_closes(life, one.body, closing) for one in handlers
            )
        case ast.With() | ast.AsyncWith():
            return _enters(life, statement) or _any_closes(life, statement.body, closing)
        case ast.For() | ast.AsyncFor() | ast.While() | ast.Match():
            return False
        case _:
            return statement in closing


def _any_closes(life: Lifetime, suite: Sequence[ast.stmt], closing: set[ast.stmt]) -> bool:
    return any(_closes(life, one, closing) for one in suite)


def _enters(life: Lifetime, block: ast.With | ast.AsyncWith) -> bool:
    """`async with session:`"""
    return any(use.role is Role.ENTERED and use.holder is block for use in life.uses)
