"""What one group does to one file, as data of the page: hunks of rows, with the reasons at the lines they belong to.

A hunk's rows are `[line]` for a line of both versions and `[old, new]` for one that differs, either of them null; old
and new lines of one row stand side by side. The page makes both views of the same rows. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from codemods.review.html_report.lines import Lines
from codemods.review.matching import Stretch, differing
from codemods.review.visible import visible

Row = list[object]
Encoder = Callable[[int], object]

_CONTEXT = 3
_CONTEXT_OF_NOTE = 1
_SECTION = re.compile(r"\s*((?:class|(?:async\s+)?def)\s.*)")
_SECTION_LENGTH = 80


@dataclass(frozen=True, slots=True)
class Note:
    """Something that is to be read beside a line of the old version. `kind` is why, confirm or fact."""

    kind: str
    label: str
    text: str


@dataclass(frozen=True, slots=True)
class Versions:
    """A file before and after, where it differs, and each line as the page's data, by its number from 0."""

    old: Lines
    new: Lines
    stretches: Sequence[Stretch]
    old_line: Encoder
    new_line: Encoder


def hunks(versions: Versions, notes: Mapping[int, Sequence[Note]]) -> list[dict[str, object]]:
    """The hunks of a file. A line that a note belongs to is in one of them, though nothing near it differs."""
    found = []
    for first, last in _ranges(versions, [line - 1 for line in notes]):
        inside = [one for one in versions.stretches if first <= one.first and one.last <= last]
        shift = sum(_growth(one) for one in versions.stretches if one.last <= first and one not in inside)
        size, new_size = last - first, last - first + sum(map(_growth, inside))
        place = f"@@ -{_range(first, size)} +{_range(first + shift, new_size)} @@"
        found.append(
            {
                "head": f"{place} {_section(versions.old.texts[:first])}".rstrip(),
                "old": first + 1,
                "new": first + shift + 1,
                "rows": list(_rows(versions, inside, first, last)),
            }
        )
    return found


def written(notes: Mapping[int, Sequence[Note]]) -> dict[str, list[list[str]]]:
    """The notes as the page's data, by the number of their line."""
    return {
        str(line): [[one.kind, visible(one.label), visible(one.text)] for one in notes[line]] for line in sorted(notes)
    }


def _ranges(versions: Versions, noted: Iterable[int]) -> list[tuple[int, int]]:
    """Stretches of old lines, from 0, end exclusive, that are to be shown; none touches the next."""
    count = len(versions.old.texts)
    wanted = [(one.first - _CONTEXT, one.last + _CONTEXT) for one in versions.stretches]
    wanted += [(line - _CONTEXT_OF_NOTE, line + 1 + _CONTEXT_OF_NOTE) for line in noted if 0 <= line < count]
    joined: list[tuple[int, int]] = []
    for first, last in sorted((max(first, 0), min(last, count)) for first, last in wanted):
        if joined and first <= joined[-1][1]:
            first, last = joined[-1][0], max(joined.pop()[1], last)
        joined.append((first, last))
    return joined


def _growth(stretch: Stretch) -> int:
    return (stretch.new_last - stretch.new_first) - (stretch.last - stretch.first)


def _range(first: int, count: int) -> str:
    if count == 1:
        return str(first + 1)
    return f"{first + 1 if count else first},{count}"


def _section(above: Sequence[str]) -> str:
    """The nearest line of a function or class above a hunk."""
    for line in reversed(above):
        if match := _SECTION.match(line):
            return visible(match[1].rstrip()[:_SECTION_LENGTH])
    return ""


def _rows(versions: Versions, inside: Iterable[Stretch], first: int, last: int) -> Iterator[Row]:
    at = first
    for stretch in inside:
        yield from ([versions.old_line(line)] for line in range(at, stretch.first))
        for old, new in _paired(versions, stretch):
            yield [
                None if old is None else versions.old_line(old),
                None if new is None else versions.new_line(new),
            ]
        at = stretch.last
    yield from ([versions.old_line(line)] for line in range(at, last))


def _paired(versions: Versions, stretch: Stretch) -> Iterator[tuple[int | None, int | None]]:
    """The lines of a stretch, those together that say the same but for the indentation, the others in order."""
    old = [_bare(text) for text in versions.old.texts[stretch.first : stretch.last]]
    new = [_bare(text) for text in versions.new.texts[stretch.new_first : stretch.new_last]]
    line, new_line = stretch.first, stretch.new_first
    for gap in [*differing(old, new), Stretch(len(old), len(old), len(new), len(new))]:
        while line < stretch.first + gap.first:
            yield line, new_line
            line, new_line = line + 1, new_line + 1
        yield from zip_longest(range(line, stretch.first + gap.last), range(new_line, stretch.new_first + gap.new_last))
        line, new_line = stretch.first + gap.last, stretch.new_first + gap.new_last


def _bare(text: str) -> bytes:
    return text.strip().encode("utf-8", "surrogatepass")
