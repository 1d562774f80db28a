"""Syntax colours of Python, line by line, as pygments tells them from the whole file. Pure.

The whole file is looked at, because only it tells that a line stands in a string that began further up. A plan has many
groups in one file, each with a result of its own: of those, only what differs is looked at again, from the next line
above where no string is open.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from pygments.lexers.python import PythonLexer
from pygments.token import Comment, Keyword, Name, Number, Operator, String, _TokenType

from codemods.review.html_report.lines import Piece
from codemods.review.matching import Stretch

Pieces = tuple[Piece, ...]

_LARGEST = 2_000_000  # characters above which a file stays without colours
_LEXER = PythonLexer()
_PLAIN = Name
# The first that fits. The letters are those of `page.css`.
_LETTERS = (
    (String.Interpol, ""),
    (String.Affix, "k"),
    (String, "s"),
    (Comment, "c"),
    (Number, "n"),
    (Keyword, "k"),
    (Operator.Word, "k"),
    (Name.Decorator, "d"),
    (Name.Function, "f"),
    (Name.Class, "f"),
    (Name.Builtin, "b"),
)


@dataclass(frozen=True, slots=True)
class Coloured:
    """Every line of a file in pieces. `starts` are lines, from 0, from which the colours can be told anew."""

    lines: tuple[Pieces, ...]
    starts: tuple[int, ...]


def coloured(lines: Sequence[str]) -> Coloured:
    """The colours of a whole file; `lines` have no line ends."""
    found: list[list[Piece]] = [[] for _ in lines]
    starts: list[int] = []
    for line, token, text in _lexed(lines):
        if not found[line] and _is_a(token, Keyword, Name.Decorator):
            starts.append(line)
        _add(found[line], _letter(token), text)
    return Coloured(tuple(tuple(pieces) for pieces in found), tuple(starts))


def recoloured(old: Coloured, lines: Sequence[str], stretches: Sequence[Stretch]) -> list[Pieces]:
    """The colours of another version of a file. Lines outside of the stretches are those of the old one."""
    found: list[Pieces] = []
    at = begin = 0  # the old line up to which it is told; the new line from which it can be told anew
    for stretch in stretches:
        found += old.lines[at : stretch.first]
        safe = bisect.bisect_right(old.starts, stretch.first) - 1
        if safe >= 0 and at <= old.starts[safe] <= stretch.first:
            begin = stretch.new_first - (stretch.first - old.starts[safe])
        found += _fresh(lines, begin, stretch)
        at = stretch.last
    return [*found, *old.lines[at:]]


def _fresh(lines: Sequence[str], begin: int, stretch: Stretch) -> list[Pieces]:
    """The colours of the new lines of a stretch, told from line `begin` on."""
    found: list[list[Piece]] = [[] for _ in range(begin, stretch.new_last)]
    for line, token, text in _lexed(lines[begin:]):
        if line >= len(found):
            break
        _add(found[line], _letter(token), text)
    return [tuple(pieces) for pieces in found[stretch.new_first - begin :]]


def _lexed(lines: Sequence[str]) -> Iterator[tuple[int, _TokenType, str]]:
    """Every piece of a token that stands on one line, with that line from 0."""
    if sum(map(len, lines)) > _LARGEST:
        for line, text in enumerate(lines):
            yield line, _PLAIN, text
        return
    line = 0
    for _, token, value in _LEXER.get_tokens_unprocessed("\n".join(lines)):
        for number, text in enumerate(value.split("\n")):
            line += number > 0
            if text:
                yield line, token, text


def _add(pieces: list[Piece], letter: str, text: str) -> None:
    if pieces and (pieces[-1][0] == letter or text.isspace()):
        letter, before = pieces.pop()
        text = before + text
    pieces.append((letter, text))


def _is_a(token: _TokenType, *kinds: _TokenType) -> bool:
    return any(token[: len(kind)] == kind for kind in kinds)


@cache
def _letter(token: _TokenType) -> str:
    return next((letter for kind, letter in _LETTERS if _is_a(token, kind)), "")
