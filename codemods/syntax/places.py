"""Where an offset of a text is for `ast`: line from 1, column in UTF-8 bytes. Pure."""

from __future__ import annotations

import bisect
import re
from typing import NamedTuple

_LINE_END = re.compile(r"\r\n|\r|\n")


class Position(NamedTuple):
    """A place as `ast` counts it."""

    line: int
    column: int


class Places:
    """The places of one text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._starts = [0, *(match.end() for match in _LINE_END.finditer(text))]

    def __getitem__(self, offset: int) -> Position:
        """The place of the character at `offset`."""
        line = self.line(offset)
        start = self._starts[line - 1]
        return Position(line, len(self._text[start:offset].encode("utf-8", "surrogatepass")))

    def line(self, offset: int) -> int:
        """The line of the character at `offset`."""
        return bisect.bisect_right(self._starts, offset)

    def column(self, offset: int) -> int:
        """How many characters stand before `offset` in its line."""
        return offset - self._starts[self.line(offset) - 1]

    def offset(self, place: Position) -> int:
        """The offset of the character at a place."""
        start = self._starts[place.line - 1]
        behind = self._starts[place.line] if place.line < len(self._starts) else len(self._text)
        written = self._text[start:behind].encode("utf-8", "surrogatepass")[: place.column]
        return start + len(written.decode("utf-8", "surrogatepass"))

    def error(self, message: str, offset: int) -> SyntaxError:
        """The error that says what is wrong at `offset`."""
        line, _ = self[offset]
        start = self._starts[line - 1]
        found = _LINE_END.search(self._text, start)
        written = self._text[start : found.start() if found else len(self._text)]
        return SyntaxError(message, ("<unknown>", line, offset - start + 1, written))
