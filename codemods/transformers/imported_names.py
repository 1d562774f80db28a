"""The names of one import statement as text: where each stands, and the statement with one more, one less, another.

Pure: text in, text out. Comments and line breaks of the statement stay; an edit that would lose one is not made.
"""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from codemods.transformers.physical_lines import split_lines

_IGNORED = frozenset({tokenize.NL, tokenize.NEWLINE, tokenize.COMMENT, tokenize.INDENT, tokenize.DEDENT})


@dataclass(frozen=True, slots=True)
class ImportedName:
    """One `name` or `name as alias` of an import: what it is called and its offsets in the statement's text."""

    name: str
    alias: str
    start: int
    end: int

    @property
    def bound(self) -> str:
        return self.alias or self.name


@dataclass(frozen=True, slots=True)
class ImportText:
    """An import statement's own text, without its indentation and without what follows it on its last line."""

    text: str
    names: tuple[ImportedName, ...]
    in_parentheses: bool

    @classmethod
    def of(cls, text: str) -> ImportText:
        starts = [0]
        for line in split_lines(text):
            starts.append(starts[-1] + len(line))
        names: list[ImportedName] = []
        words: list[tokenize.TokenInfo] = []
        in_parentheses = False
        listing = text.startswith("import")
        for token in tokenize.generate_tokens(io.StringIO(text, newline="").readline):
            if not listing:
                listing = token.string == "import"
            elif token.string in ("(", ")"):
                in_parentheses = True
            elif token.string == "," or token.type == tokenize.ENDMARKER:
                if words:
                    names.append(_name(words, starts))
                words = []
            elif token.type not in _IGNORED and token.string != "import":
                words.append(token)
        return cls(text, tuple(names), in_parentheses)

    def find(self, name: str) -> int | None:
        """The index of an imported name: what it is bound to counts before what it is called where it comes from."""
        bound = [index for index, one in enumerate(self.names) if one.bound == name]
        called = [index for index, one in enumerate(self.names) if one.name == name]
        return next(iter(bound + called), None)

    def comment_of(self, index: int) -> str:
        """The comment behind a name that has its line for itself, in parentheses; "" when there is none."""
        name = self.names[index]
        if not self.in_parentheses or not self._alone_on_line(name):
            return ""
        behind = self.text[name.end : self._line_end(name.end)].lstrip(" \t").removeprefix(",").strip()
        return behind if behind.startswith("#") else ""

    def replaced(self, index: int, name: str) -> ImportText:
        """The statement with another name in the place of one."""
        old = self.names[index]
        return ImportText.of(self.text[: old.start] + name + self.text[old.end :])

    def inserted(self, name: str) -> ImportText:
        """The statement with one more name: where the order of the others puts it, at the end when they have none."""
        index = sorted_index([one.name for one in self.names], name)
        text, names = self.text, self.names
        if not self._one_per_line():
            if index == len(names):
                end = names[-1].end
                return ImportText.of(f"{text[:end]}, {name}{text[end:]}")
            start = names[index].start
            return ImportText.of(f"{text[:start]}{name}, {text[start:]}")
        newline = "\r\n" if "\r\n" in text else "\n"
        if index == 0:
            # below the parenthesis, so that a comment above the first name stays above that name or the new one
            at = self._line_end(text.index("("))
            indent = self._indent_of(names[0].start)
            return ImportText.of(f"{text[:at]}{indent}{name},{newline}{text[at:]}")
        before = names[index - 1]
        indent = self._indent_of(before.start)
        at = self._line_end(before.end)
        rest_of_line = text[before.end : at]
        if rest_of_line.lstrip(" \t").startswith(","):
            comma_first, comma_own = "", ","
        else:
            comma_first, comma_own = ",", ""
        return ImportText.of(
            f"{text[: before.end]}{comma_first}{rest_of_line}{indent}{name}{comma_own}{newline}{text[at:]}"
        )

    def without(self, index: int) -> ImportText | None:
        """The statement without one of its several names; None when that would lose a comment or the layout."""
        text, name = self.text, self.names[index]
        previous = self.names[index - 1] if index else None
        following = self.names[index + 1] if index + 1 < len(self.names) else None
        if following and not _breaks(text[name.end : following.start]):
            return ImportText.of(text[: name.start] + text[following.start :])
        if previous and not _breaks(text[previous.end : name.start]):
            return ImportText.of(text[: previous.end] + text[name.end :])
        if self._alone_on_line(name):
            start, end = self._line_start(name.start), self._line_end(name.end)
            comment = text[name.end : end].lstrip(" \t").removeprefix(",").lstrip(" \t")
            kept = self._indent_of(name.start) + comment if comment.startswith("#") else ""
            return ImportText.of(text[:start] + kept + text[end:])
        if following and "#" not in text[name.end : following.start]:
            return ImportText.of(text[: name.start] + text[following.start :])
        if previous and "#" not in text[previous.end : name.start]:
            return ImportText.of(text[: previous.end] + text[name.end :])
        return None

    def _one_per_line(self) -> bool:
        return self.in_parentheses and all(self._alone_on_line(name) for name in self.names)

    def _alone_on_line(self, name: ImportedName) -> bool:
        before = self.text[self._line_start(name.start) : name.start]
        after = self.text[name.end : self._line_end(name.end)]
        return not before.strip(" \t") and re.fullmatch(r"[ \t]*,?[ \t]*(#.*)?[\r\n]+", after) is not None

    def _indent_of(self, offset: int) -> str:
        return self.text[self._line_start(offset) : offset]

    def _line_start(self, offset: int) -> int:
        return self.text.rfind("\n", 0, offset) + 1

    def _line_end(self, offset: int) -> int:
        end = self.text.find("\n", offset)
        return len(self.text) if end < 0 else end + 1


def sorted_index(names: list[str], name: str) -> int:
    """Where a name goes among others: their own order if they have one (by case and kind, plain, without case)."""
    for key in _ORDERS:
        if names == sorted(names, key=key):
            return sorted([*names, name], key=key).index(name)
    return len(names)


def is_sorted(names: list[str]) -> bool:
    """Whether names stand in one of the orders that `sorted_index` knows."""
    return any(names == sorted(names, key=key) for key in _ORDERS)


def _by_kind(name: str) -> tuple[int, str]:
    """Constants, classes, everything else: the order that isort and ruff keep unless told otherwise."""
    if name.isupper() and len(name) > 1:
        return 0, name.lower()
    return (1 if name[:1].isupper() else 2), name.lower()


_ORDERS: tuple[Callable[[str], Any], ...] = (_by_kind, str, str.casefold)


def _name(words: list[tokenize.TokenInfo], starts: list[int]) -> ImportedName:
    parts = [word.string for word in words]
    alias = parts[-1] if len(parts) > 2 and parts[-2] == "as" else ""
    name = "".join(parts[:-2] if alias else parts)
    first, last = words[0].start, words[-1].end
    return ImportedName(name, alias, starts[first[0] - 1] + first[1], starts[last[0] - 1] + last[1])


def _breaks(gap: str) -> bool:
    """Whether a gap between two names holds a line break or a comment."""
    return "\n" in gap or "\r" in gap or "#" in gap
