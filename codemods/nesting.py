"""How deep the expressions of a tree are nested, told without recursion. Pure; touches nothing.

What is nested deeper than `LIMIT` nobody wrote by hand. Parsers spend on it the square of its length, and some spend
stack on it that they do not count.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

LIMIT = 1000
"""Levels of nesting that are still read."""


class TooDeepError(Exception):
    """A tree is nested deeper than LIMIT. `line` is where the statement begins that is."""

    def __init__(self, line: int) -> None:
        super().__init__("nested too deeply to be read")
        self.line = line


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
