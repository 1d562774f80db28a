"""How far a block for the session has to reach, and what must not end up in it."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from codemods.flow.closing import closes_always, end_close, is_close_statement, sort_closes
from codemods.flow.lifetime import Leave, Lifetime
from codemods.flow.reaching import binds_directly
from codemods.flow.scope import Seat, With, inside, own_expressions
from codemods.flow.values import Carry


def measure(life: Lifetime) -> None:
    scope, suite, start = life.scope, life.seat.suite, life.seat.index
    assert life.values is not None
    own = set(inside(life.statement)) if isinstance(life.statement, With) else set()
    later = [use for use in life.uses if scope.statement(use.node) not in own]
    if life.dissolved is not None and (end := scope.in_suite(suite, life.dissolved[0])) is not None:
        # the old code let go of the session where this try ends
        life.first = min([end, *(index for use in later if (index := scope.in_suite(suite, use.node)) is not None)])
        life.last = end
        _check_block(life)
        return
    indexes = [index for use in later if (index := scope.in_suite(suite, use.node)) is not None]
    if not indexes:
        return
    close_uses = [use for use in later if is_close_statement(life, use)]
    real = [use for use in later if use not in close_uses]
    life.first = min(indexes)
    last_use = max((scope.in_suite(suite, use.node) or 0 for use in real), default=None)
    last_close = end_close(life, close_uses, last_use)
    last = last_use if last_use is not None else max(indexes)
    last_index = max(indexes)
    if last_close is None and closes_always(life, suite[last_index], close_uses):
        life.last = last_index
        life.let_go = suite[last_index].end_lineno or suite[last_index].lineno
    elif last_close is None and suite[last_index] in life.entered:
        # the old code let go of the session where this `with` ends
        life.last = last_index
        life.let_go = suite[last_index].end_lineno or suite[last_index].lineno
    elif last_close is None:
        last = max([*indexes, last])
        while (further := _last_read(life, start, last)) > last:
            last = further
        life.last = last
    else:
        close_index = scope.in_suite(suite, last_close)
        assert close_index is not None
        life.last = close_index - 1
        life.removed.append(last_close)
        life.let_go = last_close.lineno
    sort_closes(life, close_uses, real, last_close)
    if life.last is not None and life.first is not None and life.last < life.first:
        life.first = life.last = None  # nothing but closes
    _check_block(life)


def _last_read(life: Lifetime, start: int, last: int) -> int:
    """The last sibling that mentions something loaded through the session."""
    assert life.values is not None
    loaded = {name for name, carry in life.values.names.items() if carry is not Carry.PLAIN}
    found = last
    for index in range(start + 1, len(life.seat.suite)):
        statement = life.seat.suite[index]
        if binds_directly(statement, life.name):
            break  # from here on the name is another session
        read: list[ast.AST] = [statement]
        if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)):
            read = [*statement.decorator_list, statement.args]  # its body runs later
        if any(isinstance(node, ast.Name) and node.id in loaded for one in read for node in ast.walk(one)):
            found = max(found, index)
    return found


def _check_block(life: Lifetime) -> None:
    """Statements that must not end up inside of a block that holds a connection, or cannot be moved into one."""
    if life.first is None or life.last is None:
        return
    within = [inner for statement in life.block for inner in inside(statement)]
    check_held_open(life, within)
    for inner in within:
        yields = any(isinstance(node, (ast.Yield, ast.YieldFrom)) for node in own_expressions(inner))
        if yields and not life.scope.is_fixture and not life.lent:
            life.notes.append(Leave(inner.lineno, "the connection is held while the generator's consumer runs"))
    for statement in [life.branch or life.statement, *life.block, *life.removed]:
        if _shares_line(life.scope.seat(statement)):
            life.stop(
                f"line {statement.lineno} holds more than one statement", statement.lineno, "one statement a line"
            )
            return


def _shares_line(seat: Seat) -> bool:
    """Whether another statement of the suite, or the header that the suite belongs to, stands on a line of it."""
    suite, index, owner = seat.suite, seat.index, seat.owner
    statement = suite[index]
    before = suite[index - 1].lineno if index else 0
    after = suite[index + 1].lineno if index + 1 < len(suite) else 0
    return (
        before == statement.lineno
        or statement.lineno <= after <= (statement.end_lineno or statement.lineno)
        or (isinstance(owner, (ast.stmt, ast.ExceptHandler)) and owner.lineno == statement.lineno)
    )


def check_held_open(life: Lifetime, statements: Sequence[ast.stmt]) -> None:
    """Loops that would hold a block open for as long as the program runs, or something else lasts."""
    for statement in statements:
        if isinstance(statement, ast.While) and _endless(statement):
            life.stop(
                f"it would be held open by the endless loop at line {statement.lineno}",
                statement.lineno,
                "make the session inside of the loop, one block per turn",
            )
        if isinstance(statement, ast.AsyncFor) and _foreign_stream(life, statement):
            life.stop(
                f"it would be held open while `async for` at line {statement.lineno} waits for something else",
                statement.lineno,
                "make the session inside of the loop, one block per turn",
            )


def _endless(loop: ast.While) -> bool:
    always = isinstance(loop.test, ast.Constant) and bool(loop.test.value)
    return always and not any(isinstance(node, (ast.Break, ast.Return)) for node in ast.walk(loop))


def _foreign_stream(life: Lifetime, loop: ast.AsyncFor) -> bool:
    assert life.values is not None
    return life.values.carry(loop.iter) is Carry.PLAIN
