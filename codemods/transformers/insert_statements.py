"""Statements, written by a rule, that stand beside an original one. Pure; makes nodes, changes none."""

from __future__ import annotations

import libcst as cst

from codemods.plan import InsertAfter, InsertBefore, OpenBlock
from codemods.transformers.code_statements import statements_of
from codemods.transformers.items import Item, Side
from codemods.transformers.statement_fit import only_imports


def inserted(edit: InsertBefore | InsertAfter, *, step: str, newline: str) -> Item:
    """The statements of the edit's code, their suites indented by `step`, as they go beside the one that it names.

    Imports have a blank line below them.

    Raises ComposeError where the code cannot be read.
    """
    nodes, footer = statements_of(edit.code, edit.line, step=step, newline=newline)
    if isinstance(edit, InsertAfter):
        side = Side.AFTER
    elif only_imports(edit.code):
        side = Side.ABOVE
        footer = [*footer, cst.EmptyLine(indent=False)]
    else:
        side = Side.BEFORE
    inner = list(nodes[0].leading_lines)
    return Item(edit.line, tuple(nodes), [], inner, footer, side)


def prologue_of(block: OpenBlock, *, step: str, newline: str) -> Item:
    """The statements that a block begins with; they stand beside no statement of their own. Raises as `inserted`."""
    nodes, footer = statements_of(block.prologue, block.first, step=step, newline=newline)
    return Item(0, tuple(nodes), [], list(nodes[0].leading_lines), footer, Side.BEFORE)
