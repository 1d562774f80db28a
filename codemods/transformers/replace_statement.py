"""One simple statement gives way to others, written by a rule. Pure; works on the nodes it is given.

The comments around the statement stay; one inside of it has no place in what replaces it, and stops the edit.
"""

from __future__ import annotations

import libcst as cst

from codemods.plan import ReplaceStatement
from codemods.transformers.code_statements import statements_of
from codemods.transformers.errors import ComposeError
from codemods.transformers.items import Item, Statement
from codemods.transformers.leading_lines import comment_lines, line_end


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
    (first, *others), footer = statements_of(edit.code, line, step=step, newline=newline)
    inner = list(first.leading_lines)
    if node.trailing_whitespace.comment is not None:
        first = _with_comment(first, line_end(node), line)
    return Item(line, (first, *others), list(node.leading_lines), inner, footer)


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
