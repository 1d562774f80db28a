"""A `with` that enters a session which is used outside of it, too: may one block around all uses take its place? Reads.

The session is closed where that `with` ends. The block around it may only take its place where it ends there as well:
nothing of the block runs after the `with`.
"""

from __future__ import annotations

import ast

from codemods.flow.lifetime import Closed, Lifetime
from codemods.flow.scope import With
from codemods.project.name_uses import NameUse

AROUND_ALL = "open the session with one block around all of its uses"
_LEAVING = (ast.Return, ast.Raise)


def enter(life: Lifetime, use: NameUse, block: ast.With | ast.AsyncWith) -> None:
    """Notes a `with` over the session as one that gives way to its body, or why it cannot."""
    kept = _kept(life, use, block)
    if kept:
        _refuse(life, block, kept)
    else:
        life.entered.append(block)


def check_ends(life: Lifetime) -> None:
    """Every `with` that is to give way must be the last that runs in the block. Asked once the block is measured."""
    for block in life.entered:
        after = _runs_after(life, block)
        if after is not None:
            how = "runs after it" if after.lineno > block.lineno else "around it has yet to end"
            _refuse(life, block, f"what stands at line {after.lineno} {how}")
            return
    if life.entered and life.closed is Closed.NEVER:
        life.closed = Closed.OUTSIDE


def _kept(life: Lifetime, use: NameUse, block: ast.With | ast.AsyncWith) -> str:
    """The fact that keeps a `with` as it is; "" when there is none in itself."""
    if isinstance(life.statement, With):
        return "it opens the session anew"
    if life.given:
        return "it closes the session of the caller, too"
    if life.dissolved is not None:
        return "a `finally` closes it as well"
    if life.scope.statement(block) is not block:
        return "it stands in the body of a class"
    if len(block.items) > 1:
        return "it holds something else open, too"
    item = block.items[0]
    if item.context_expr is not use.node:
        return "what it enters depends on the path"
    if item.optional_vars is not None:
        return "it binds a second name"
    if isinstance(block, ast.AsyncWith) is not life.is_async:
        return f"{'an async session' if life.is_async else 'a sync session'} cannot be entered by it"
    if block.body[0].lineno == block.lineno:
        return "its body stands on its own line"
    return ""


def _runs_after(life: Lifetime, block: ast.stmt) -> ast.stmt | None:
    """A statement of the block around all uses that can run, or end, after the `with` has ended."""
    leaves = isinstance(block, With) and isinstance(block.body[-1], _LEAVING)
    current = block
    while True:
        seat = life.scope.seat(current)
        if seat.suite is life.seat.suite:
            if leaves or life.last is None or seat.index >= life.last:
                return None
            return seat.suite[seat.index + 1]
        if not leaves and seat.index + 1 < len(seat.suite):
            return seat.suite[seat.index + 1]
        above = life.scope.owner_statement(current)
        if not isinstance(above, (ast.If, ast.Match)):
            return above  # a loop goes on, a `try` or `with` has yet to end
        current = above


def _refuse(life: Lifetime, block: ast.With | ast.AsyncWith, why: str) -> None:
    entered = f"entered by `with` at line {block.lineno}"
    # the statements of a class body in between are none of the function's own
    outside = [use for use in life.uses if block not in life.scope.parents.chain(use.node)]
    if not outside:
        life.stop(f"{entered}, which is not followed: {why}", block.lineno, AROUND_ALL)
        return
    line = outside[0].line
    when = "before" if line < block.lineno else "after"
    life.stop(f"{entered}, but used {when} that block at line {line}; {why}", line, AROUND_ALL)
