"""What is too deep or too much to be read: told of a tree without recursion, of a text before it is parsed. Pure.

What is nested deeper than `LIMIT` nobody wrote by hand. Parsers spend on it the square of its length, and some spend
stack on it that they do not count. Nor did anybody write a file of more than `PARTS` parts: a tree takes about a
thousand bytes for each of them.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

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


def check(tree: ast.Module) -> None:
    """Raises TooDeepError for a tree that is nested deeper than LIMIT."""
    waiting: list[tuple[ast.AST, int]] = [(tree, 0)]
    while waiting:
        node, depth = waiting.pop()
        if depth > LIMIT:
            raise TooDeepError(getattr(node, "lineno", 0))
        for child in _inside(node):
            # of what is short, nothing can be deep: a level takes a character
            if depth + _length(child) > LIMIT:
                waiting.append((child, depth + 1))


def _inside(node: ast.AST) -> Iterator[ast.AST]:
    for name in node._fields:
        value = getattr(node, name, None)
        if isinstance(value, ast.AST):
            yield value
        elif isinstance(value, list):
            yield from (one for one in value if isinstance(one, ast.AST))


def _length(node: ast.AST) -> int:
    """How many characters a node takes, at most; more than LIMIT when that is not told."""
    line, end_line = getattr(node, "lineno", None), getattr(node, "end_lineno", None)
    if line is None or line != end_line:
        return LIMIT + 1
    return int(getattr(node, "end_col_offset", LIMIT + 1)) - int(getattr(node, "col_offset", 0))
