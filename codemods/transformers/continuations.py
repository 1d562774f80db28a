"""Lines continued by a backslash move with their statement, as libcst moves those in parentheses. Pure."""

from __future__ import annotations

from collections.abc import Callable

import libcst as cst

from codemods.transformers.items import Statement


def moved_in(statement: Statement, step: str) -> Statement:
    """The statement as it stands one `step` further right."""
    return _moved(statement, lambda line: step + line)


def moved_out(statement: Statement, step: str) -> Statement:
    """The statement as it stands one `step` further left; a line that has not that much before it stays."""
    return _moved(statement, lambda line: line.removeprefix(step))


def _moved(statement: Statement, move: Callable[[str], str]) -> Statement:
    moved = statement.visit(_MoveContinuations(move))
    assert isinstance(moved, cst.SimpleStatementLine | cst.BaseCompoundStatement)
    return moved


class _MoveContinuations(cst.CSTTransformer):
    def __init__(self, move: Callable[[str], str]) -> None:
        super().__init__()
        self._move = move

    def leave_SimpleWhitespace(
        self, original_node: cst.SimpleWhitespace, updated_node: cst.SimpleWhitespace
    ) -> cst.SimpleWhitespace:
        value = updated_node.value
        if "\\" not in value:
            return updated_node
        first, *others = value.split("\n")
        return updated_node.with_changes(value="\n".join([first, *(self._move(line) for line in others)]))
