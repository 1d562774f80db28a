"""What a change replaces in the text of a file, as whole lines: exact to the byte, whatever the encoding. Pure.

A byte order mark counts as nothing. A newline at the very end that stays is left out of every replacement: few programs
can tell the place behind it.
"""

from __future__ import annotations

import codecs
import io
import re
import tokenize
from collections.abc import Sequence
from dataclasses import dataclass

from codemods.review.matching import differing

NEWLINES = ("\r\n", "\n", "\r")  # what Python counts as ends of lines
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\n|\r)|[^\r\n]+\Z")
_LAST_NEWLINE = re.compile(r"(?:\r\n|\n|\r)?\Z")


@dataclass(frozen=True, slots=True)
class Replacement:
    """Put `text` in the place of a stretch of the old text: 1-based lines and columns in code points, end exclusive."""

    line: int
    column: int
    end_line: int
    end_column: int
    text: str


@dataclass(frozen=True, slots=True)
class Rewriting:
    """The replacements in one file, in order, none touching another; `encoding` is the file's, by Python's name."""

    encoding: str
    replacements: tuple[Replacement, ...]


def rewriting(before: bytes, after: bytes) -> Rewriting | None:
    """What makes `after` of `before`; None when the two are not text in the encoding that `before` declares."""
    mark = codecs.BOM_UTF8 if before.startswith(codecs.BOM_UTF8) else b""
    try:
        encoding = "utf-8" if mark else tokenize.detect_encoding(io.BytesIO(before).readline)[0]
        old, new = _text(before, mark, encoding), _text(after, mark, encoding)
    except (SyntaxError, UnicodeError):
        return None
    end = _last_newline(old)
    if end != _last_newline(new):
        end = ""
    lines, new_lines = _lines(old.removesuffix(end)), _lines(new.removesuffix(end))
    found = []
    for stretch in differing(_comparable(lines), _comparable(new_lines)):
        text = "".join(new_lines[stretch.new_first : stretch.new_last])
        first, last = _place(lines, stretch.first, end), _place(lines, stretch.last, end)
        found.append(Replacement(*first, *last, text))
    return Rewriting(encoding, tuple(found))


def _place(lines: Sequence[str], index: int, end: str) -> tuple[int, int]:
    """Line and column of the place before a line, or behind the last one; `end` is the newline left out behind it."""
    if index < len(lines) or not lines or (end and _last_newline(lines[-1])):
        return index + 1, 1
    return index, len(lines[-1]) + 1


def _text(data: bytes, mark: bytes, encoding: str) -> str:
    """Raises UnicodeError when the text would not become the same bytes again."""
    text = data.removeprefix(mark).decode(encoding)
    if mark + text.encode(encoding) != data:
        raise UnicodeError
    return text


def _last_newline(text: str) -> str:
    found = _LAST_NEWLINE.search(text)
    return found[0] if found else ""


def _lines(text: str) -> list[str]:
    return _LINE.findall(text)


def _comparable(lines: Sequence[str]) -> list[bytes]:
    return [line.encode() for line in lines]
