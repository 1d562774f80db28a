"""The header of a function: `def` becomes `async def`, and another result is declared. Pure; works on nodes.

Nothing but the header is touched. Parameters that stand below the opening parenthesis move with it.
"""

from __future__ import annotations

import libcst as cst

from codemods.plan import ChangeDefinition
from codemods.transformers.errors import ComposeError
from codemods.transformers.expression_spans import parse_expression
from codemods.transformers.leading_lines import comment_lines

_ASYNC = "async "


def redefined(edit: ChangeDefinition, node: cst.FunctionDef) -> cst.FunctionDef:
    """The function with its new header. Raises ComposeError where the new annotation is no expression, or where the
    old one has a comment in it."""
    if edit.is_async and node.asynchronous is None:
        params = _moved_below_the_parenthesis(node)
        node = node.with_changes(asynchronous=cst.Asynchronous(), params=params)
    if edit.returns is None:
        return node
    annotation = parse_expression(edit.returns, edit.line)
    if node.returns is None:
        return node.with_changes(returns=cst.Annotation(annotation=annotation))
    if comment_lines(node.returns):
        raise ComposeError(f"the result that line {edit.line} declares has a comment in it", edit.line)
    return node.with_changes(returns=node.returns.with_changes(annotation=annotation))


def _moved_below_the_parenthesis(node: cst.FunctionDef) -> cst.Parameters:
    """The parameters, with lines aligned at the opening parenthesis moved as far as `async` moves it."""
    if not isinstance(node.whitespace_before_params, cst.SimpleWhitespace):
        return node.params
    generic = cst.Module([]).code_for_node(node.type_parameters) if node.type_parameters else ""
    start = f"def{node.whitespace_after_def.value}{node.name.value}{generic}{node.whitespace_after_name.value}("
    if "\n" in start:
        return node.params
    moved = node.params.visit(_MoveAligned(len(start)))
    assert isinstance(moved, cst.Parameters)
    return moved


class _MoveAligned(cst.CSTTransformer):
    """Moves the lines that begin at a column or right of it."""

    def __init__(self, column: int) -> None:
        super().__init__()
        self._column = column

    def leave_ParenthesizedWhitespace(
        self, original_node: cst.ParenthesizedWhitespace, updated_node: cst.ParenthesizedWhitespace
    ) -> cst.ParenthesizedWhitespace:
        if not (updated_node.indent and self._aligned(updated_node.last_line)):
            return updated_node
        return updated_node.with_changes(last_line=self._moved(updated_node.last_line))

    def leave_EmptyLine(self, original_node: cst.EmptyLine, updated_node: cst.EmptyLine) -> cst.EmptyLine:
        if updated_node.comment is None or not (updated_node.indent and self._aligned(updated_node.whitespace)):
            return updated_node
        return updated_node.with_changes(whitespace=self._moved(updated_node.whitespace))

    def _aligned(self, space: cst.SimpleWhitespace) -> bool:
        return not space.value.strip(" ") and len(space.value) >= self._column

    def _moved(self, space: cst.SimpleWhitespace) -> cst.SimpleWhitespace:
        return space.with_changes(value=space.value + " " * len(_ASYNC))
