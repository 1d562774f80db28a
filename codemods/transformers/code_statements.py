"""Code that a rule wrote, read as statements that can stand in a file. Pure; makes nodes, reads no file."""

from __future__ import annotations

import re

import libcst as cst

from codemods.transformers.errors import ComposeError
from codemods.transformers.items import Statement
from codemods.transformers.leading_lines import Lines, is_blank


def statements_of(code: str, line: int, *, step: str, newline: str) -> tuple[list[Statement], Lines]:
    """The statements of a code without indentation, at least one, and the comment lines at its end.

    Their suites are indented by `step`, and lines that end in the code end with `newline`. Raises ComposeError, for the
    statement on `line` of the original, where the code cannot be read or holds no statement.
    """
    text = re.sub(r"\r\n|\n", lambda _: newline, code.strip("\r\n") + "\n")
    try:
        module = cst.parse_module(text)
    except cst.ParserSyntaxError as error:
        raise ComposeError(f"the code for line {line} cannot be read: {error.message}", line) from error
    if not module.body:
        raise ComposeError(f"the code for line {line} holds no statement", line)
    module = module.visit(_Indented(step))
    made: list[Statement] = []
    for statement in module.body:
        assert isinstance(statement, cst.SimpleStatementLine | cst.BaseCompoundStatement)
        made.append(statement)
    made[0] = made[0].with_changes(leading_lines=[*module.header, *made[0].leading_lines])
    return made, list(module.footer)


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
