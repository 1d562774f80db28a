"""A `try` whose `finally` was emptied: it goes on without one, or gives way to its body. Pure; works on nodes.

Every comment stays: those of the `try:` line above the body, those of the `finally` below what is left.
"""

from __future__ import annotations

from dataclasses import replace

import libcst as cst

from codemods.transformers.continuations import moved_out
from codemods.transformers.errors import ComposeError
from codemods.transformers.items import Item, Statement
from codemods.transformers.leading_lines import (
    Lines,
    comment_lines,
    has_comment,
    join,
    own_line,
    strip_first_blanks,
    strip_last_blanks,
)


def dissolve(line: int, node: Statement, *, default_step: str, ends_in_block: bool) -> Item:
    """What a `try` has become whose `finally` lost the statements that go.

    A `finally` with statements left stays; a suite of one line has none left. `ends_in_block` says that the body's
    last statement is a block that was opened over what stood there: lines of the `finally` then belong in it, unless a
    guard stands around it.
    """
    if not isinstance(node, cst.Try | cst.TryStar) or node.finalbody is None:
        raise ComposeError(f"the statement on line {line} is no `try` with a `finally`", line)
    final = node.finalbody
    if isinstance(final.body, cst.IndentedBlock) and final.body.body:
        return Item.of(line, node)
    tail = _lines_of(final)
    if node.handlers:
        return replace(Item.of(line, node.with_changes(finalbody=None)), tail=strip_last_blanks(tail))
    lead = list(node.leading_lines)
    if not isinstance(node.body, cst.IndentedBlock):
        assert isinstance(node.body, cst.SimpleStatementSuite)
        alone = cst.SimpleStatementLine(body=node.body.body, trailing_whitespace=node.body.trailing_whitespace)
        return Item(line, (alone,), lead, tail=strip_last_blanks(tail))
    step = node.body.indent or default_step
    nodes = [moved_out(statement, step) for statement in _statements(node.body)]
    inner = [*own_line(node.body.header), *strip_first_blanks(nodes[0].leading_lines)[1]]
    if ends_in_block and isinstance(nodes[-1], cst.With) and not has_comment(node.body.footer):
        nodes[-1] = _with_footer(nodes[-1], strip_last_blanks(tail))
        tail = []
    return Item(line, tuple(nodes), lead, inner, strip_last_blanks(join(node.body.footer, tail)))


def _lines_of(final: cst.Finally) -> Lines:
    """What a `finally` without statements leaves behind: its comments as lines of their own."""
    body = final.body
    if not isinstance(body, cst.IndentedBlock):
        return [*final.leading_lines, *comment_lines(body)]
    above = [*final.leading_lines, *own_line(body.header)]
    return join(above, strip_first_blanks(body.footer)[1])


def _statements(body: cst.IndentedBlock) -> list[Statement]:
    made: list[Statement] = []
    for statement in body.body:
        assert isinstance(statement, cst.SimpleStatementLine | cst.BaseCompoundStatement)
        made.append(statement)
    return made


def _with_footer(block: Statement, lines: Lines) -> Statement:
    assert isinstance(block, cst.With)
    assert isinstance(block.body, cst.IndentedBlock)
    footer = join(block.body.footer, lines)
    return block.with_changes(body=block.body.with_changes(footer=footer))
