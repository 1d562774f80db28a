"""How a loop that runs once is left, and what of it can become a block. Pure; `ast` only."""

from __future__ import annotations

import ast
import enum
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from codemods.flow.enclosing import may_swallow
from codemods.flow.scope import Loop, Scope, inside
from codemods.project.expressions import expression


class Leaving(enum.StrEnum):
    """How the body of a loop ends when nothing is raised."""

    END = "runs to its end"
    EARLY = "always leaves early"
    MIXED = "leaves early on some paths"


@dataclass(frozen=True, slots=True)
class LoopShape:
    """`jumps` are the lines of `break` and `continue` that a block makes superfluous; `obstacle` is why it is none."""

    leaving: Leaving
    jumps: tuple[int, ...]
    obstacle: str = ""
    line: int = 0


def shape(scope: Scope, loop: ast.For | ast.AsyncFor, lines: Sequence[str]) -> LoopShape:
    """How the loop is left. Its own `break` and `continue` only count, not those of loops in it.

    `lines` are those of the file.
    """
    leaving = _leaving(scope, loop)
    jumps: list[int] = []
    if loop.orelse:
        return LoopShape(leaving, (), "the loop has an `else`", loop.orelse[0].lineno)
    if not isinstance(loop.target, ast.Name):
        return LoopShape(leaving, (), f"the loop binds `{ast.unparse(loop.target)}`, no plain name", loop.lineno)
    if loop.body[0].lineno <= (loop.iter.end_lineno or loop.lineno):
        return LoopShape(leaving, (), "its body stands on the line of its header", loop.lineno)
    for statement in _own(loop.body):
        if isinstance(statement, (ast.Break, ast.Continue, ast.Return)) and scope.in_finally(statement, loop):
            word = type(statement).__name__.lower()
            reason = f"the `{word}` in `finally` at line {statement.lineno} swallows exceptions"
            return LoopShape(leaving, (), reason, statement.lineno)
        if isinstance(statement, (ast.Break, ast.Continue)):
            if not _is_last(scope, statement, loop):
                word = type(statement).__name__.lower()
                reason = f"`{word}` at line {statement.lineno} leaves the body in its middle"
                return LoopShape(leaving, (), reason, statement.lineno)
            word = type(statement).__name__.lower()
            if lines[statement.lineno - 1].partition("#")[0].strip() != word:
                reason = f"the `{word}` at line {statement.lineno} shares its line with other code"
                return LoopShape(leaving, (), reason, statement.lineno)
            jumps.append(statement.lineno)
    return LoopShape(leaving, tuple(jumps))


def _own(suite: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of a loop's body whose `break` and `continue` mean this loop, and every `return`."""
    for statement in suite:
        for inner in inside(statement):
            if isinstance(inner, (ast.Break, ast.Continue)) and _within_loop(statement, inner):
                continue
            yield inner


def _within_loop(statement: ast.stmt, jump: ast.stmt) -> bool:
    return any(
        isinstance(loop, Loop) and any(inner is jump for one in loop.body for inner in inside(one))
        for loop in inside(statement)
    )


def _is_last(scope: Scope, statement: ast.stmt, loop: ast.stmt) -> bool:
    """Whether the body is over where this statement stands, so that falling through does the same."""
    current: ast.stmt = statement
    while True:
        seat, above = scope.seat(current), scope.owner_statement(current)
        if seat.index + 1 < len(seat.suite):
            return False
        if above is loop or above is None:
            return True
        if isinstance(above, Loop):
            return False
        if isinstance(above, ast.Try) and seat.suite is above.body and above.orelse:
            return False
        current = above


def _leaving(scope: Scope, loop: ast.For | ast.AsyncFor) -> Leaving:
    leaves = any(isinstance(one, (ast.Return, ast.Break)) for one in _own(loop.body))
    ends = _completes(scope, loop.body) or any(isinstance(one, ast.Continue) for one in _own(loop.body))
    if not leaves:
        return Leaving.END
    return Leaving.MIXED if ends else Leaving.EARLY


def _completes(scope: Scope, suite: Sequence[ast.stmt]) -> bool:
    """Whether control may reach the end of the statements."""
    return not any(_stops(scope, statement) for statement in suite)


def _stops(scope: Scope, statement: ast.stmt) -> bool:
    match statement:
        case ast.Return() | ast.Raise() | ast.Break() | ast.Continue():
            return True
        case ast.If(body=body, orelse=orelse):
            return bool(orelse) and not _completes(scope, body) and not _completes(scope, orelse)
        case ast.With(items=items, body=body) | ast.AsyncWith(items=items, body=body):
            if any(may_swallow(expression(item.context_expr), scope) for item in items):
                return False
            return not _completes(scope, body)
        case ast.Try(body=body, handlers=handlers, orelse=orelse, finalbody=finalbody):
            if finalbody and not _completes(scope, finalbody):
                return True
            through = _completes(scope, body) and (not orelse or _completes(scope, orelse))
            return not through and not any(_completes(scope, handler.body) for handler in handlers)
        case ast.While(test=ast.Constant(value=value)) if value:
            return not any(isinstance(inner, ast.Break) for inner in _own(statement.body))
        case _:
            return False
