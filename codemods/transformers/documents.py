"""Text that may be laid out in lines: documents of texts, possible line breaks and groups, and their printer. Pure.

The model is the one of Wadler and Prettier, which the formatters of Python follow: a group stands on one line if it
fits there together with what follows it up to the next possible line break, else its own breaks are all made.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

TAB = 4  # columns; what ruff and black count


@dataclass(frozen=True, slots=True)
class Break:
    """A possible line break: a new line, or `flat` where its group stands on one line."""

    flat: str = ""


@dataclass(frozen=True, slots=True)
class IfBroken:
    """Text that is there only where the group around it is broken: a trailing comma, parentheses."""

    text: str


@dataclass(frozen=True, slots=True)
class Indented:
    """Parts whose new lines stand one step deeper, where the group around them is broken."""

    parts: tuple[Document, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """Parts that are laid out together. `must_break`: never on one line."""

    parts: tuple[Document, ...]
    must_break: bool = False


# a text of several lines stands as it is, and breaks the groups around it
Document = str | Break | IfBroken | Indented | Group


class _Item(NamedTuple):
    depth: int
    broken: bool
    document: Document


def printed(parts: Sequence[Document], *, limit: int, margin: str, step: str, column: int) -> str:
    """The text of documents that begin at `column`; lines end with `\\n`, and new ones begin with `margin`."""
    made: list[str] = []
    ahead = [_Item(0, True, part) for part in reversed(parts)]
    while ahead:
        item = ahead.pop()
        match item.document:
            case Break() if item.broken:
                start = margin + step * item.depth
                made.append("\n" + start)
                column = width(start)
            case Group(parts=inner, must_break=must):
                broken = must or (item.broken and not _fits(item, ahead, limit - column))
                ahead += [_Item(item.depth, broken, part) for part in reversed(inner)]
            case Indented(parts=inner):
                ahead += [_Item(item.depth + item.broken, item.broken, part) for part in reversed(inner)]
            case _:
                text = _text(item)
                made.append(text)
                _, newline, last = text.rpartition("\n")
                column = width(last) if newline else column + width(text)
    return "".join(made)


def width(text: str) -> int:
    """How many columns a text of one line takes."""
    if text.isascii() and "\t" not in text:
        return len(text)
    return sum(_columns(character) for character in text)


def _columns(character: str) -> int:
    if character == "\t":
        return TAB
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _fits(group: _Item, following: Sequence[_Item], room: int) -> bool:
    """Whether a group on one line, and what follows it up to the next line break, takes no more than `room`."""
    ahead = [group._replace(broken=False)]
    left = len(following)
    while room >= 0:
        if not ahead:
            if not left:
                return True
            left -= 1
            ahead.append(following[left])
        item = ahead.pop()
        match item.document:
            case Break() if item.broken:
                return True
            case Group(must_break=True) if not item.broken:
                return False
            case Group(parts=inner) | Indented(parts=inner):
                ahead += [_Item(0, item.broken, part) for part in reversed(inner)]
            case _:
                text, newline, _ = _text(item).partition("\n")
                room -= width(text)
                if newline:
                    return item.broken and room >= 0
    return False


def _text(item: _Item) -> str:
    match item.document:
        case str(text):
            return text
        case Break(flat=text):
            return text
        case IfBroken(text=text) if item.broken:
            return text
    return ""
