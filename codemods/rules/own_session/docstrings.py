"""What a docstring says of parameters that change: Google, Sphinx and NumPy forms. Works on text only."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_LITERAL = re.compile(r"([a-zA-Z]*)(\"\"\"|'''|\"|')(.*)\2\Z", re.DOTALL)
_GOOGLE = re.compile(r"^(?:Args|Arguments|Parameters|Params|Keyword Args|Keyword Arguments):\s*$")
_NUMPY = re.compile(r"^(?:Other )?Parameters\s*$")
_DASHES = re.compile(r"^-{3,}\s*$")
_SPHINX = re.compile(r"^\s*:(?:param|type|arg|argument|keyword|key|kwparam)\s")


@dataclass(frozen=True, slots=True)
class _Section:
    """Lines of a docstring that describe parameters: its heading, and `first` up to `end` below that."""

    heading: int
    first: int
    end: int
    is_numpy: bool


def described(text: str, renamed: Mapping[str, Sequence[tuple[str, str]]]) -> str:
    """The docstring, a literal as it is written, with the parts about parameters adjusted.

    `renamed` says by the name of a parameter what takes its place: names and types; of several the first one. What is
    said of one that goes, goes; a section that is left empty by that goes, too. Nothing else is touched.
    """
    found = _LITERAL.match(text)
    if found is None:
        return text
    prefix, quotes, inner = found[1], found[2], found[3]
    newline = "\r\n" if "\r\n" in inner else "\n"
    lines = inner.split(newline)
    for name, new in renamed.items():
        lines = _in_sections(lines, name, *(new[0] if new else ("", "")))
        lines = _in_fields(lines, name, *(new[0] if new else ("", "")))
    made = newline.join(lines)
    if quotes in made:
        return text
    return f"{prefix}{quotes}{made}{quotes}"


# --- Sphinx ---------------------------------------------------------------------------------------------------------


def _in_fields(lines: list[str], name: str, new: str, type_: str) -> list[str]:
    field = re.compile(
        rf"^(\s*):(param|type|arg|argument|keyword|key|kwparam)((?:\s+[^:]+?)?)\s+{re.escape(name)}:(.*)$"
    )
    made: list[str] = []
    index, gone = 0, False
    while index < len(lines):
        found = field.match(lines[index])
        if found is None:
            made.append(lines[index])
            index += 1
            continue
        end = index + 1
        while end < len(lines) and lines[end].strip() and not lines[end].lstrip().startswith(":"):
            end += 1
        if end == len(lines) and not lines[-1].strip():
            end -= 1
        if new and found[2] == "type":
            made += [f"{found[1]}:type {new}: {type_}"] if type_ else []
        elif new:
            told = f" {type_}" if found[3].strip() and type_ else ""
            made += [f"{found[1]}:{found[2]}{told} {new}:{found[4]}", *lines[index + 1 : end]]
        gone = gone or not new
        index = end
    if gone and not any(_SPHINX.match(line) for line in made):
        return _without_trailing_gap(made, ends_alone=not lines[-1].strip())
    return made


def _without_trailing_gap(lines: list[str], *, ends_alone: bool) -> list[str]:
    """The blank line above fields that are all gone goes, too, where nothing follows; `ends_alone`: the closing quotes
    have a line for themselves."""
    last = lines[-1:] if ends_alone else []
    body = lines[: len(lines) - len(last)]
    while body and not body[-1].strip():
        body.pop()
    return [*body, *last]


# --- sections -------------------------------------------------------------------------------------------------------


def _in_sections(lines: list[str], name: str, new: str, type_: str) -> list[str]:
    index = 0
    while index < len(lines):
        section = _section(lines, index)
        if section is None:
            index += 1
            continue
        changed = _entries(lines, section, name, new, type_)
        if changed is not None:
            return changed
        index = max(section.first, index + 1)
    return lines


def _section(lines: Sequence[str], index: int) -> _Section | None:
    """The section of which this line is the heading."""
    text = lines[index].strip()
    margin = _margin(lines[index])
    if _GOOGLE.match(text):
        first = index + 1
        if first >= len(lines) or not lines[first].strip() or (_margin(lines[first]) <= margin and index):
            return None
        end = first
        while end < len(lines) and (not lines[end].strip() or _margin(lines[end]) > margin):
            end += 1
        return _Section(index, first, _last(lines, first, end), is_numpy=False)
    if _NUMPY.match(text) and index + 1 < len(lines) and _DASHES.match(lines[index + 1].strip()):
        first = index + 2
        end = first
        while end < len(lines) and not (end + 1 < len(lines) and _DASHES.match(lines[end + 1].strip())):
            end += 1
        return _Section(index, first, _last(lines, first, end), is_numpy=True)
    return None


def _last(lines: Sequence[str], first: int, end: int) -> int:
    while end > first and not lines[end - 1].strip():
        end -= 1
    return end


def _entries(lines: list[str], section: _Section, name: str, new: str, type_: str) -> list[str] | None:
    """The docstring with the entry of this name changed; None when the section has none."""
    if section.first >= section.end:
        return None
    margin = _margin(lines[section.first])
    starts = [
        place for place in range(section.first, section.end) if lines[place].strip() and _margin(lines[place]) == margin
    ]
    if section.is_numpy:
        form = re.compile(rf"^(\s*){re.escape(name)}(\s*:.*)?$")
    else:
        form = re.compile(rf"^(\s*){re.escape(name)}(\s*\([^)]*\))?:(.*)$")
    for place, start in enumerate(starts):
        found = form.match(lines[start])
        if found is None:
            continue
        end = starts[place + 1] if place + 1 < len(starts) else section.end
        if new:
            return [*lines[:start], _entry(found, new, type_, is_numpy=section.is_numpy), *lines[start + 1 :]]
        if len(starts) > 1:
            return [*lines[:start], *lines[end:]] if place + 1 < len(starts) else _tail(lines, start, end)
        first = section.heading
        while first and not lines[first - 1].strip():
            first -= 1
        return [*lines[:first], *lines[section.end :]]
    return None


def _tail(lines: list[str], start: int, end: int) -> list[str]:
    """Without the last entry of a section, and without the blank lines that set it off."""
    while start and not lines[start - 1].strip():
        start -= 1
    return [*lines[:start], *lines[end:]]


def _entry(found: re.Match[str], new: str, type_: str, *, is_numpy: bool) -> str:
    if is_numpy:
        return f"{found[1]}{new}{f' : {type_}' if found[2] and type_ else ''}"
    return f"{found[1]}{new}{f' ({type_})' if found[2] and type_ else ''}:{found[3]}"


def _margin(line: str) -> int:
    return len(line) - len(line.lstrip())
