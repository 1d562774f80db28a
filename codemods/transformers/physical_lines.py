"""A file's physical lines and what they hold: code, a comment alone, or nothing. Pure; reads the text it is given.

Lines are split where Python splits them (`\\r\\n`, `\\r`, `\\n`), never at the other characters of `str.splitlines`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from codemods import syntax
from codemods.transformers.errors import ComposeError

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+\Z")


@dataclass(frozen=True, slots=True)
class Comment:
    """One comment: its text from the hash on, its 1-based line, and whether it has that line for itself."""

    text: str
    line: int
    alone: bool


def split_lines(text: str) -> list[str]:
    """The lines of a text with their line ends; joined again they are the text."""
    return _LINE.findall(text)


def comments(text: str) -> list[Comment]:
    """All comments of a module's text, in order. Raises ComposeError where the text cannot be split into tokens."""
    try:
        return [Comment(one.text, one.line, one.alone) for one in syntax.comment_tokens(text)]
    except SyntaxError as error:
        raise ComposeError(f"the text cannot be split into tokens: {error.msg}", error.lineno or 0) from error


@dataclass(frozen=True, slots=True)
class PhysicalLines:
    """The lines of a text; `[n]` is line n, 1-based."""

    lines: list[str]
    comment_lines: frozenset[int]

    @classmethod
    def of(cls, text: str) -> PhysicalLines:
        return cls(split_lines(text), frozenset(comment.line for comment in comments(text) if comment.alone))

    def __len__(self) -> int:
        return len(self.lines)

    def __getitem__(self, line: int) -> str:
        return self.lines[line - 1]

    def indent(self, line: int) -> str:
        """The white space that a line begins with."""
        text = self[line]
        return text[: len(text) - len(text.lstrip(" \t\f"))]

    def blank(self, line: int) -> bool:
        """Whether a line holds white space only."""
        return not self[line].strip(" \t\f\r\n")

    def comment(self, line: int) -> bool:
        """Whether a line holds a comment only."""
        return line in self.comment_lines
