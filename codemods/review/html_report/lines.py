"""The bytes of a file as the lines that Python counts, and a line as something safe to show. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from codemods.review.visible import visible

Piece = tuple[str, str]  # its colour, one letter or "" for none, and its text

ESCAPED = "x"  # the colour of an escape that stands for a character that does not print
_LONGEST = 2000  # characters of a line that are shown
_LINE = re.compile(r"([^\r\n]*)(\r\n|\r|\n|\Z)")
_ENDS = {"\n": "LF", "\r\n": "CRLF", "\r": "CR", "": "no line end"}


@dataclass(frozen=True, slots=True)
class Lines:
    """A text by its lines. `ends` are what ended each; "" for a last one that nothing ends."""

    texts: tuple[str, ...]
    ends: tuple[str, ...]

    @property
    def keys(self) -> list[bytes]:
        """The lines with their ends, to be matched with those of another version."""
        pairs = zip(self.texts, self.ends, strict=True)
        return [(text + end).encode("utf-8", "surrogatepass") for text, end in pairs]

    @property
    def usual_end(self) -> str:
        counted = Counter(end for end in self.ends if end).most_common(1)
        return counted[0][0] if counted else "\n"


NONE = Lines((), ())


def read(data: bytes, encoding: str, bom: bytes = b"") -> Lines:
    """The lines of a file's bytes. A byte that the encoding has no character for is a lone surrogate."""
    data = data.removeprefix(bom)
    try:
        text = data.decode(encoding, "surrogateescape")
    except (LookupError, UnicodeError):
        text = data.decode("utf-8", "surrogateescape")
    found = [(match[1], match[2]) for match in _LINE.finditer(text) if match[0]]
    return Lines(tuple(text for text, _ in found), tuple(end for _, end in found))


def encoded(pieces: Sequence[Piece], end: str, usual: str) -> str | list[object]:
    """A line as the page's data: its text, or `[text, colours]` and what else is to be said of it.

    The colours are a run of lengths and letters, `3k1.4f`, in the units in which a browser counts characters; what they
    do not cover has none. A third item is how many characters were cut off, a fourth the line's end when it is not the
    `usual` one.
    """
    shown = list(_cut(_escaped(pieces)))
    text = "".join(text for _, text in shown)
    rest = sum(len(text) for _, text in pieces) - _LONGEST
    colours = re.sub(r"\d+\.$", "", "".join(f"{_units(text)}{colour or '.'}" for colour, text in _joined(shown)))
    note = "" if end == usual else _ENDS[end]
    if note:
        return [text, colours, max(rest, 0), note]
    if rest > 0:
        return [text, colours, rest]
    return [text, colours] if colours else text


def _escaped(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """The pieces with what does not print as pieces of their own."""
    for colour, text in pieces:
        if text.isprintable():
            yield colour, text
            continue
        for char in text:
            yield (colour, char) if char == "\t" or char.isprintable() else (ESCAPED, visible(char))


def _cut(pieces: Iterable[Piece]) -> Iterator[Piece]:
    left = _LONGEST
    for colour, text in pieces:
        if not left:
            return
        # an escape is one character of the line, however long it is written
        taken = text if colour == ESCAPED else text[:left]
        left -= 1 if colour == ESCAPED else len(taken)
        yield colour, taken


def _joined(pieces: Iterable[Piece]) -> list[Piece]:
    joined: list[Piece] = []
    for colour, text in pieces:
        if joined and joined[-1][0] == colour:
            text = joined.pop()[1] + text
        joined.append((colour, text))
    return joined


def _units(text: str) -> int:
    """The length as JavaScript counts it."""
    return len(text) + sum(char > "\uffff" for char in text)
