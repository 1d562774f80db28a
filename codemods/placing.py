"""Where an edit stands: the text of the functions around it, and its lines in them. Pure.

Lines are counted as Python counts them, from 0; a line number of a file says nothing here, since code moves.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from codemods import decoding, syntax
from codemods.review.matching import Stretch

_NEAR = 3  # lines, as in the hunk of a patch

Extent = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The lines next to an edit, in its function: those that say something, in order."""

    above: tuple[bytes, ...]
    below: tuple[bytes, ...]


def extents(data: bytes, name: str) -> list[Extent]:
    """The lines [first, last) of all functions and classes of a dotted name, `Repository.get`, decorators included.

    All of the file for "", for a name that it does not have, and where it is no Python.
    """
    found: list[Extent] = []
    if name:
        try:
            found = list(_defined(syntax.parse(decoding.decode(data)[2]), name.split(".")))
        except (decoding.UnreadableError, SyntaxError, ValueError, RecursionError, MemoryError):
            found = []
    return found or [(0, len(data.splitlines()))]


def _defined(inside: ast.AST, parts: Sequence[str]) -> Iterator[Extent]:
    for node in ast.iter_child_nodes(inside):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            if not isinstance(node, ast.expr):
                yield from _defined(node, parts)  # an `if` or a `try` around it
        elif node.name == parts[0]:
            if parts[1:]:
                yield from _defined(node, parts[1:])
            else:
                first = min([node.lineno, *(one.lineno for one in node.decorator_list)])
                yield first - 1, node.end_lineno or node.lineno


def inside(stretches: Sequence[Stretch], extent: Extent) -> list[Stretch]:
    """The stretches that change lines of a function, or put lines into it."""
    first, last = extent
    return [
        one
        for one in stretches
        if (one.first < last and one.last > first) or (one.first == one.last and first <= one.first <= last)
    ]


def neighbours(lines: Sequence[bytes], stretch: Stretch, extent: Extent) -> Neighbours:
    """The lines of a function next to a stretch of it that is changed."""
    first, last = extent
    above = [line.strip() for line in lines[first : max(first, stretch.first)]]
    below = [line.strip() for line in lines[min(last, stretch.last) : last]]
    return Neighbours(tuple([one for one in above if one][-_NEAR:]), tuple([one for one in below if one][:_NEAR]))
