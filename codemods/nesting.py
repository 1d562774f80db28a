"""What is too deep or too much to be read: told of a tree without recursion, of a text before it is parsed. Pure.

What is nested deeper than `LIMIT` nobody wrote by hand. Parsers spend on it the square of its length, and some spend
stack on it that they do not count. Nor did anybody write a file of more than `PARTS` parts: a tree takes about a
thousand bytes for each of them.
"""

from __future__ import annotations

import ast

from codemods.project.nodes import FIELDS

LIMIT = 1000
"""Levels of nesting that are still read."""
PARTS = 2_000_000
"""Parts of expressions, and lines, that are still read."""

# what stands between two parts of an expression, in nearly all of them
_BETWEEN = (*",.([{:=\n+-*/%@&|^<>~", " is ", " in ", " and ", " or ", " not ", " if ")


class TooDeepError(Exception):
    """A tree is nested deeper than LIMIT. `line` is where the statement begins that is."""

    def __init__(self, line: int) -> None:
        super().__init__("nested too deeply to be read")
        self.line = line


class TooLargeError(Exception):
    """A text has more than PARTS parts."""

    line = 0

    def __init__(self, size: int) -> None:
        megabytes = size / 1024 / 1024
        super().__init__(f"too large to be read ({megabytes:.1f} MB of code); exclude it or split it")


def check_size(text: str) -> None:
    """Raises TooLargeError for a text of more than PARTS parts, as far as its operators and lines tell."""
    if len(text) > PARTS and sum(map(text.count, _BETWEEN)) > PARTS:
        raise TooLargeError(len(text))


def check(tree: ast.Module, text: str | None = None) -> None:
    """Raises TooDeepError for a tree that is nested deeper than LIMIT.

    With the text that the tree was read from it is told sooner what is too short to be deep.
    """
    # the lines of `ast` end at carriage returns, too: they are no longer than these
    longest = LIMIT + 1 if text is None else max(map(len, text.split("\n"))) + 1
    waiting: list[tuple[ast.AST, int]] = [(tree, 0)]
    while waiting:
        node, depth = waiting.pop()
        if depth > LIMIT:
            raise TooDeepError(getattr(node, "lineno", 0))
        for field in FIELDS[node.__class__]:
            value = getattr(node, field, None)
            for child in value if value.__class__ is list else (value,):
                # of what is short, nothing can be deep: a level takes a character
                if child is not None and depth + _length(child, longest) > LIMIT:
                    waiting.append((child, depth + 1))


def _length(node: ast.AST, longest: int) -> int:
    """How many characters a node takes, at most; more than LIMIT when that is not told."""
    if getattr(node, "decorator_list", None):
        return LIMIT + 1  # they stand before its first line
    try:
        line, end_line = node.lineno, node.end_lineno  # type: ignore[attr-defined]
        if line == end_line:
            return int(node.end_col_offset) - int(node.col_offset)  # type: ignore[attr-defined]
        return int(end_line - line + 1) * longest if line < end_line else LIMIT + 1
    except (AttributeError, TypeError):
        return LIMIT + 1
