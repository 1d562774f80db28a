"""A loop over a dependency that yields once becomes the block that it stands for. Pure; works on the nodes it is given.

Only the header is written again: the body, its comments and the comment behind the header stay as they are.
"""

from __future__ import annotations

import libcst as cst

from codemods.plan import LoopToBlock
from codemods.transformers.errors import ComposeError
from codemods.transformers.expression_spans import parse_expression
from codemods.transformers.leading_lines import comment_lines


def block_of(edit: LoopToBlock, loop: cst.For) -> cst.With:
    """The block that a loop becomes. Raises ComposeError where its header holds a comment that would be lost, where it
    has an `else`, takes its values apart, or where the context cannot open a block."""
    if loop.orelse is not None:
        raise ComposeError(f"the loop on line {edit.line} has an `else`", edit.line)
    if not isinstance(loop.target, cst.Name):
        raise ComposeError(f"the loop on line {edit.line} does not assign to one name", edit.line)
    if comment_lines(loop.target) or comment_lines(loop.iter):
        raise ComposeError(f"the header of the loop on line {edit.line} has a comment in it", edit.line)
    context = parse_expression(edit.context, edit.line)
    if isinstance(context, cst.Yield | cst.Tuple | cst.NamedExpr) and not context.lpar:
        raise ComposeError(f"`{edit.context}` cannot open a block", edit.line)
    item = cst.WithItem(item=context, asname=cst.AsName(name=cst.Name(loop.target.value)))
    return cst.With(items=[item], body=loop.body, asynchronous=loop.asynchronous, leading_lines=loop.leading_lines)
