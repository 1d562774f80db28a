"""What a docstring says of parameters that change: Google, Sphinx and NumPy forms. Works on text only."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence


def described(text: str, renamed: Mapping[str, Sequence[tuple[str, str]]]) -> str:
    """The docstring, a literal as it is written, with the parts about parameters adjusted.

    `renamed` says by the name of a parameter what takes its place: names and types; of several the first one. What is
    said of one that goes, goes; a section that is left empty goes, too.
    """
    newline = "\r\n" if "\r\n" in text else "\n"
    lines = text.split(newline)
    for name, new in renamed.items():
        lines = _changed(lines, name, *(new[0] if new else ("", "")))
    return newline.join(_without_empty_sections(lines))


def _changed(lines: list[str], name: str, new: str, type_: str) -> list[str]:
    sphinx = re.compile(rf"^(\s*):(param|type|arg|argument)(\s+[^:]*?)?\s+{re.escape(name)}:(.*)$")
    google = re.compile(rf"^(\s+){re.escape(name)}(\s*\([^)]*\))?:(.*)$")
    numpy = re.compile(rf"^(\s*){re.escape(name)}(\s*:.*)?$")
    made: list[str] = []
    index = 0
    while index < len(lines):
        line = lines[index]
        if found := sphinx.match(line):
            end = _end(lines, index, len(found[1]))
            if new and found[2] != "type":
                told = f" {type_}" if found[3] and found[3].strip() and type_ else ""
                made.append(f"{found[1]}:{found[2]}{told} {new}:{found[4]}")
                made += lines[index + 1 : end]
            elif new and type_:
                made.append(f"{found[1]}:type {new}: {type_}")
            index = end
        elif (found := google.match(line)) and _section(lines, index) == "google":
            end = _end(lines, index, len(found[1]))
            if new:
                told = f" ({type_})" if found[2] and type_ else ""
                made.append(f"{found[1]}{new}{told}:{found[3]}")
                made += lines[index + 1 : end]
            index = end
        elif (found := numpy.match(line)) and _section(lines, index) == "numpy":
            end = _end(lines, index, len(found[1]))
            if new:
                told = f" : {type_}" if found[2] and type_ else ""
                made.append(f"{found[1]}{new}{told}")
                made += lines[index + 1 : end]
            index = end
        else:
            made.append(line)
            index += 1
    return made


def _end(lines: Sequence[str], start: int, margin: int) -> int:
    """Where what is said of one parameter ends: at the next line that is not indented further, or is empty."""
    index = start + 1
    while index < len(lines):
        line = lines[index]
        if not line.strip() or len(line) - len(line.lstrip()) <= margin:
            break
        if line.strip() in ('"""', "'''"):
            break
        index += 1
    return index


def _section(lines: Sequence[str], index: int) -> str:
    """The kind of section about parameters in which a line stands."""
    margin = len(lines[index]) - len(lines[index].lstrip())
    for above in range(index - 1, -1, -1):
        text = lines[above].strip()
        if text in ("Args:", "Arguments:", "Parameters:") and len(lines[above]) - len(lines[above].lstrip()) < margin:
            return "google"
        if text and set(text) == {"-"} and above and lines[above - 1].strip() in ("Parameters", "Other Parameters"):
            return "numpy"
        if text and set(text) == {"-"}:
            return ""
    return ""


def _without_empty_sections(lines: list[str]) -> list[str]:
    made = list(lines)
    for index in range(len(made) - 1, -1, -1):
        text = made[index].strip()
        margin = len(made[index]) - len(made[index].lstrip())
        if text in ("Args:", "Arguments:", "Parameters:"):
            following = made[index + 1] if index + 1 < len(made) else ""
            if not following.strip() or len(following) - len(following.lstrip()) <= margin:
                made = _cut(made, index, index + 1)
        elif text and set(text) == {"-"} and index and made[index - 1].strip() == "Parameters":
            following = made[index + 1] if index + 1 < len(made) else ""
            if not following.strip() or following.strip() in ('"""', "'''"):
                made = _cut(made, index - 1, index + 1)
    return made


def _cut(lines: list[str], first: int, end: int) -> list[str]:
    """Without these lines, and without the blank line that stood before them."""
    while first and not lines[first - 1].strip():
        first -= 1
    return [*lines[:first], *lines[end:]]
