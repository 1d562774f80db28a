"""Comment and blank lines above a statement: how they are parted and joined when statements move. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import libcst as cst

Lines = list[cst.EmptyLine]
Statement = cst.SimpleStatementLine | cst.BaseCompoundStatement


def is_blank(line: cst.EmptyLine) -> bool:
    """An empty line that can go without a loss: no comment, no form feed."""
    return line.comment is None and "\f" not in line.whitespace.value


def strip_first_blanks(lines: Sequence[cst.EmptyLine]) -> tuple[Lines, Lines]:
    """The blank lines at the start, and the rest."""
    count = next((index for index, line in enumerate(lines) if not is_blank(line)), len(lines))
    return list(lines[:count]), list(lines[count:])


def strip_last_blanks(lines: Sequence[cst.EmptyLine]) -> Lines:
    """The lines without the blank ones at the end."""
    kept = list(lines)
    while kept and is_blank(kept[-1]):
        kept.pop()
    return kept


def split_attached(lines: Sequence[cst.EmptyLine]) -> tuple[Lines, Lines]:
    """The lines up to and with the last blank one, and the comments below it that speak of the statement itself."""
    cut = max((index + 1 for index, line in enumerate(lines) if is_blank(line)), default=0)
    return list(lines[:cut]), list(lines[cut:])


def join(above: Sequence[cst.EmptyLine], below: Sequence[cst.EmptyLine]) -> Lines:
    """Two runs of lines that have become neighbours: where both bring blank lines, the longer stretch stays."""
    kept = strip_last_blanks(above)
    first, rest = strip_first_blanks(below)
    last = list(above)[len(kept) :]
    return [*kept, *(last if len(last) > len(first) else first), *rest]


def own_line(trailing: cst.TrailingWhitespace) -> Lines:
    """A statement's trailing comment as a line of its own; nothing if it has none."""
    return [] if trailing.comment is None else [cst.EmptyLine(comment=trailing.comment, newline=trailing.newline)]


def line_end(statement: cst.SimpleStatementLine) -> cst.TrailingWhitespace:
    """What ends a statement's line, for the end of the line that takes its place."""
    end = statement.trailing_whitespace
    if end.comment is not None and not end.whitespace.value:
        # a semicolon that is gone owned the space before the comment
        return end.with_changes(whitespace=cst.SimpleWhitespace("  "))
    return end


def has_comment(lines: Sequence[cst.EmptyLine]) -> bool:
    return any(line.comment is not None for line in lines)


def without_margin(statement: Statement) -> Statement:
    """A statement of a module whose blank lines stay blank when it moves into a block.

    At the margin every blank line counts as one that holds its indentation, of which there is none. Suites in the
    statement are left as they are: theirs tell one from the other.
    """
    made = statement.visit(_WithoutMargin())
    assert isinstance(made, cst.SimpleStatementLine | cst.BaseCompoundStatement)
    return made


class _WithoutMargin(cst.CSTTransformer):
    def visit_IndentedBlock(self, node: cst.IndentedBlock) -> bool:
        return False

    def leave_EmptyLine(self, original_node: cst.EmptyLine, updated_node: cst.EmptyLine) -> cst.EmptyLine:
        blank = is_blank(updated_node) and not updated_node.whitespace.value
        return updated_node.with_changes(indent=False) if blank else updated_node


def comment_lines(node: cst.CSTNode) -> Lines:
    """Every comment inside a node, in order, as lines of their own."""
    found = _CommentLines()
    node.visit(found)
    return found.lines


class _CommentLines(cst.CSTVisitor):
    def __init__(self) -> None:
        super().__init__()
        self.lines: Lines = []

    def visit_TrailingWhitespace(self, node: cst.TrailingWhitespace) -> None:
        self.lines += own_line(node)

    def visit_EmptyLine(self, node: cst.EmptyLine) -> None:
        if node.comment is not None:
            self.lines.append(cst.EmptyLine(comment=node.comment, newline=node.newline))
