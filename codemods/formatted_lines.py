"""What of a formatter's work is taken over: the lines that our edits changed, and those next to them. Pure.

The rest of a file is its owner's, whether the formatter likes it or not.
"""

from __future__ import annotations

import ast
import inspect
import re
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence

from codemods import decoding, syntax
from codemods.review.matching import Stretch, differing

_COOKIE = re.compile(r"^([ \t\f]*#.*?coding[:=][ \t]*)[-\w.]+")
_SPACE = re.compile(r"\s+")
_Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef

Range = tuple[int, int]  # lines from 0, the end exclusive


class NotTaken(Exception):
    """Nothing of what the formatter did to a file can be taken over; the text says why."""


def for_formatter(data: bytes) -> bytes:
    """The file as any formatter reads it: in UTF-8, whatever the project keeps it in. Raises NotTaken."""
    mark, encoding, text = _decoded(data)
    if encoding == "utf-8":
        return data
    lines = text.split("\n", 2)
    return mark + "\n".join([*(_COOKIE.sub(r"\g<1>utf-8", line) for line in lines[:2]), *lines[2:]]).encode()


def taken_over(before: bytes | None, after: bytes, formatted: bytes) -> bytes:
    """`after` with what the formatter changed on or next to the lines that differ from `before`.

    `formatted` is what it made of `for_formatter(after)`. Line ends, mark and encoding stay those of `after`. A
    statement that we changed in one of its lines counts as changed in all of them. Raises NotTaken when the result
    would not mean what `after` means.
    """
    mark, encoding, text = _decoded(after)
    own = _lines(text)
    given, pretty = _bare(_lines(_decoded(for_formatter(after))[2])), _bare(_lines(_decoded(formatted)[2]))
    if given == pretty:
        return after
    ours = [(0, len(own))] if before is None else list(_whole_statements(text, _changed(before, own)))
    fixed = {at for at, line in enumerate(_bare(own)) if line != given[at]}  # where the encoding is declared
    found = differing(_comparable(given), _comparable(pretty))
    newline = decoding.newline(text)
    meaning = _meaning(text)
    # Line by line where the formatter changed lines in place; else, or when that does not fit, all that hangs together.
    for stretches in ([piece for one in found for piece in _pieces(one)], found):
        wanted = [
            one
            for one in stretches
            if any(_touches(one, lines) for lines in ours) and not fixed.intersection(range(one.first, one.last))
        ]
        made = _replaced(own, pretty, wanted, newline)
        try:
            data = mark + made.encode(encoding)
        except UnicodeEncodeError as error:
            raise NotTaken(f"its encoding {encoding} lacks a character that the formatter wrote") from error
        if data == after or _meaning(made) == meaning is not None:
            return data
    raise NotTaken("what the formatter made of the changed lines would not mean the same")


def _decoded(data: bytes) -> tuple[bytes, str, str]:
    try:
        return decoding.decode(data)
    except decoding.UnreadableError as error:
        raise NotTaken(str(error)) from error


def _lines(text: str) -> list[str]:
    lines = [f"{line}\n" for line in text.split("\n")]
    lines[-1] = lines[-1][:-1]
    return lines if lines[-1] else lines[:-1]


def _bare(lines: Sequence[str]) -> list[str]:
    return [line.rstrip("\r\n") for line in lines]


def _comparable(lines: Sequence[str]) -> list[bytes]:
    return [line.encode() for line in lines]


def _changed(before: bytes, own: Sequence[str]) -> Iterator[Range]:
    for one in differing(_comparable(_lines(_decoded(before)[2])), _comparable(own)):
        yield one.new_first, one.new_last


def _whole_statements(text: str, changed: Iterator[Range]) -> Iterator[Range]:
    """The ranges, each with the simple statements and the headers of compound ones that it lies in."""
    extents = sorted(_extents(text))
    for first, last in changed:
        over = [extent for extent in extents if extent[0] < last and first < extent[1]]
        yield min([first, *(one[0] for one in over)]), max([last, *(one[1] for one in over)])


def _extents(text: str) -> Iterator[Range]:
    tree = _tree(text)
    for node in ast.walk(tree) if tree is not None else ():
        if isinstance(node, ast.stmt):
            body = getattr(node, "body", None)
            end = _start(body[0]) if isinstance(body, list) and body else (node.end_lineno or node.lineno)
            yield _start(node), max(end, node.lineno)


def _start(node: ast.stmt) -> int:
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return min([node.lineno, *(one.lineno for one in decorators)]) - 1


def _pieces(stretch: Stretch) -> list[Stretch]:
    size = stretch.last - stretch.first
    if size != stretch.new_last - stretch.new_first:
        return [stretch]
    at, new_at = stretch.first, stretch.new_first
    return [Stretch(at + n, at + n + 1, new_at + n, new_at + n + 1) for n in range(size)]


def _touches(stretch: Stretch, lines: Range) -> bool:
    return stretch.first <= lines[1] and lines[0] <= stretch.last


def _replaced(own: Sequence[str], pretty: Sequence[str], stretches: Sequence[Stretch], newline: str) -> str:
    out: list[str] = []
    at = 0
    for one in stretches:
        out += own[at : one.first]
        if out and not out[-1].endswith("\n"):
            out.append(newline)
        out += [line + newline for line in pretty[one.new_first : one.new_last]]
        at = one.last
    return "".join([*out, *own[at:]])


def _meaning(text: str) -> tuple[str, Counter[str]] | None:
    """All that a formatter must leave alone: the syntax tree, and the comments. None: it cannot be told."""
    tree = _tree(text)
    if tree is None:
        return None
    for node in ast.walk(tree):
        if isinstance(node, _Documented) and ast.get_docstring(node, clean=False) is not None:
            _without_layout(node)
        if isinstance(node, ast.Constant):
            node.kind = None
    try:
        return ast.dump(tree), Counter(_SPACE.sub("", one.text) for one in syntax.comment_tokens(text))
    except (SyntaxError, RecursionError):
        return None


def _without_layout(node: _Documented) -> None:
    statement = node.body[0]
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
        lines = inspect.cleandoc(str(statement.value.value)).splitlines()
        statement.value.value = "\n".join(line.rstrip() for line in lines).strip()


def _tree(text: str) -> ast.Module | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an invalid escape is not ours to speak of
            return syntax.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
