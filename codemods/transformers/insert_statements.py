"""Statements, written by a rule, that stand beside an original one. Pure; makes nodes, changes none."""

from __future__ import annotations

from codemods.plan import InsertAfter, InsertBefore, OpenBlock
from codemods.transformers.code_statements import statements_of
from codemods.transformers.items import Item, Side


def inserted(edit: InsertBefore | InsertAfter, *, step: str, newline: str) -> Item:
    """The statements of the edit's code, their suites indented by `step`, as they go beside the one that it names.

    Raises ComposeError where the code cannot be read.
    """
    nodes, footer = statements_of(edit.code, edit.line, step=step, newline=newline)
    side = Side.BEFORE if isinstance(edit, InsertBefore) else Side.AFTER
    inner = list(nodes[0].leading_lines)
    return Item(edit.line, tuple(nodes), [], inner, footer, side)


def prologue_of(block: OpenBlock, *, step: str, newline: str) -> Item:
    """The statements that a block begins with; they stand beside no statement of their own. Raises as `inserted`."""
    nodes, footer = statements_of(block.prologue, block.first, step=step, newline=newline)
    return Item(0, tuple(nodes), [], list(nodes[0].leading_lines), footer, Side.BEFORE)
