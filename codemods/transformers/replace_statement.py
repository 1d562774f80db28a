"""One simple statement gives way to others, written by a rule. Pure; works on the nodes it is given.

The comments around the statement stay; one inside of it has no place in what replaces it, and stops the edit.
"""

from __future__ import annotations

import re

import libcst as cst

from codemods.plan import ReplaceStatement
from codemods.transformers.errors import ComposeError
from codemods.transformers.items import Item, Statement
from codemods.transformers.leading_lines import comment_lines, is_blank, line_end


def replaced(edit: ReplaceStatement, node: Statement, *, step: str, newline: str) -> Item:
    """What stands where `node` stood: the statements of the edit's code, their suites indented by `step`.

    Raises ComposeError where `node` is not one simple statement, has a comment in it, or has one behind it for which
    the first line of the code has no room.
    """
    line = edit.line
    if not isinstance(node, cst.SimpleStatementLine) or len(node.body) != 1:
        raise ComposeError(f"line {line} is not one simple statement", line)
    if comment_lines(node.body[0]):
        raise ComposeError(f"the statement on line {line} has a comment in it", line)
    module = _parsed(edit, newline).visit(_Indented(step))
    nodes = []
    for statement in module.body:
        assert isinstance(statement, cst.SimpleStatementLine | cst.BaseCompoundStatement)
        nodes.append(statement)
    inner = [*module.header, *nodes[0].leading_lines]
    if node.trailing_whitespace.comment is not None:
        nodes[0] = _with_comment(nodes[0], line_end(node), line)
    return Item(line, tuple(nodes), list(node.leading_lines), inner, list(module.footer))


def _parsed(edit: ReplaceStatement, newline: str) -> cst.Module:
    text = re.sub(r"\r\n|\n", lambda _: newline, edit.code.strip("\r\n") + "\n")
    try:
        module = cst.parse_module(text)
    except cst.ParserSyntaxError as error:
        raise ComposeError(f"what is to replace line {edit.line} cannot be read: {error.message}", edit.line) from error
    if not module.body:
        raise ComposeError(f"nothing is to replace line {edit.line}", edit.line)
    return module


def _with_comment(first: Statement, end: cst.TrailingWhitespace, line: int) -> Statement:
    """The statement with a comment behind its first line."""
    if isinstance(first, cst.SimpleStatementLine):
        _check_free(first.trailing_whitespace, line)
        return first.with_changes(trailing_whitespace=end)
    body = getattr(first, "body", None)
    if isinstance(body, cst.IndentedBlock):
        _check_free(body.header, line)
        return first.with_changes(body=body.with_changes(header=end))
    if isinstance(body, cst.SimpleStatementSuite):
        _check_free(body.trailing_whitespace, line)
        return first.with_changes(body=body.with_changes(trailing_whitespace=end))
    raise ComposeError(f"the comment behind line {line} has no place in what replaces it", line)


def _check_free(end: cst.TrailingWhitespace, line: int) -> None:
    if end.comment is not None:
        raise ComposeError(f"the comment behind line {line} has no place in what replaces it", line)


class _Indented(cst.CSTTransformer):
    """Gives every suite the same step, and blank lines no white space."""

    def __init__(self, step: str) -> None:
        super().__init__()
        self._step = step

    def leave_IndentedBlock(
        self, original_node: cst.IndentedBlock, updated_node: cst.IndentedBlock
    ) -> cst.IndentedBlock:
        return updated_node.with_changes(indent=self._step)

    def leave_EmptyLine(self, original_node: cst.EmptyLine, updated_node: cst.EmptyLine) -> cst.EmptyLine:
        return updated_node.with_changes(indent=False) if is_blank(updated_node) else updated_node

    def leave_Match(self, original_node: cst.Match, updated_node: cst.Match) -> cst.Match:
        return updated_node.with_changes(indent=self._step)
