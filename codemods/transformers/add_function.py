"""A function, written by a rule, that stands behind an original one. Pure; makes nodes, changes none."""

from __future__ import annotations

import libcst as cst

from codemods.plan import AddFunction
from codemods.transformers.code_statements import statements_of
from codemods.transformers.items import Item, Side


def added(edit: AddFunction, *, step: str, newline: str, is_module: bool) -> Item:
    """The function of the edit's code, its suites indented by `step`, with the blank lines that set it apart from what
    stands above and below: two in a module, one elsewhere.

    Raises ComposeError where the code cannot be read.
    """
    nodes, footer = statements_of(edit.code, edit.line, step=step, newline=newline)
    apart = [cst.EmptyLine(indent=False)] * (2 if is_module else 1)
    return Item(edit.line, tuple(nodes), list(apart), list(nodes[0].leading_lines), [*footer, *apart], Side.BEHIND)
