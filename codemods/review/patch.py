"""The explained patch: changes -> bytes that plain `git apply` (and GNU patch) takes. Touches nothing.

Works on bytes: lines end at b"\\n" only, so a carriage return, a byte order mark or a byte of some old encoding is part
of its line and comes out as it went in. Explanations stand before the `diff --git` line of the file. Each of their
lines begins with `# `: no tool takes such a line for a part of a patch, whatever follows on it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence

from codemods.plan import Change, Finding
from codemods.review.matching import Stretch, differing
from codemods.review.visible import visible
from codemods.review.words import extent, word_of_reason

_CONTEXT = 3
_SECTION = re.compile(rb"[ \t]*((?:class|(?:async[ \t]+)?def)[ \t].*)")
_SECTION_BYTES = 80
_NEW_FILE, _NO_FILE = b"new file mode 100644\n", b"/dev/null\n"
_NO_NEWLINE = b"\\ No newline at end of file\n"
_C_ESCAPES = {7: b"a", 8: b"b", 9: b"t", 10: b"n", 11: b"v", 12: b"f", 13: b"r", 34: b'"', 92: b"\\"}


def patch(changes: Sequence[Change], prefix: str = "", explain: bool = True, *, strip: str = "") -> bytes:
    """One patch of all changes, in their order; empty when no file would change.

    `prefix` is put before each path (the project root seen from the repository root: "" or "backend/"), after
    `strip`, a leading folder, is taken off where a path has it. With `explain` each group is told once, before the
    file in which it was found (the first that it touches, when that one does not change), and named before its others.
    """
    shown = _shown(prefix, strip)
    homes = _homes([change for change in changes if change.before != change.after], shown)
    out = bytearray()
    for change in changes:
        if change.before == change.after:
            continue
        path = prefix + change.path.removeprefix(strip)
        if explain:
            for line in _explanation(change, path, homes, shown):
                out += b"# " + visible(line).encode() + b"\n"
        old, new = quoted(f"a/{path}"), quoted(f"b/{path}")
        # git ends a name with a space in it by a tab, so that it can tell where the name ends.
        end = b"\t\n" if " " in path else b"\n"
        out += b"diff --git " + old + b" " + new + b"\n"
        if change.before is None:
            out += _NEW_FILE
        if change.after or change.before:  # git names no file that it has no line of
            out += b"--- " + (_NO_FILE if change.before is None else old + end) + b"+++ " + new + end
        for piece in _hunks(_lines(change.before or b""), _lines(change.after)):
            out += piece
    return bytes(out)


def quoted(path: str) -> bytes:
    """A path as git writes it in a patch: as it is, or in C quotes when it holds control, quote or non-ASCII bytes."""
    name = os.fsencode(path)
    if not any(byte < 0x20 or byte >= 0x7F or byte in b'"\\' for byte in name):
        return name
    return b'"' + b"".join(_c_escaped(byte) for byte in name) + b'"'


def _c_escaped(byte: int) -> bytes:
    if byte in _C_ESCAPES:
        return b"\\" + _C_ESCAPES[byte]
    return b"\\%03o" % byte if byte < 0x20 or byte >= 0x7F else bytes((byte,))


def _lines(data: bytes) -> list[bytes]:
    lines = [line + b"\n" for line in data.split(b"\n")]
    lines[-1] = lines[-1][:-1]
    return lines if lines[-1] else lines[:-1]


def _hunks(old: Sequence[bytes], new: Sequence[bytes]) -> Iterator[bytes]:
    for run in _runs(differing(old, new)):
        first, new_first = max(run[0].first - _CONTEXT, 0), max(run[0].new_first - _CONTEXT, 0)
        last, new_last = min(run[-1].last + _CONTEXT, len(old)), min(run[-1].new_last + _CONTEXT, len(new))
        yield b"@@ -%s +%s @@%s\n" % (_range(first, last), _range(new_first, new_last), _section(old, first))
        at = first
        for stretch in run:
            yield from _marked(b" ", old[at : stretch.first])
            yield from _marked(b"-", old[stretch.first : stretch.last])
            yield from _marked(b"+", new[stretch.new_first : stretch.new_last])
            at = stretch.last
        yield from _marked(b" ", old[at:last])


def _runs(stretches: Iterable[Stretch]) -> list[list[Stretch]]:
    """The stretches, those together whose context lines meet."""
    runs: list[list[Stretch]] = []
    for stretch in stretches:
        if runs and stretch.first - runs[-1][-1].last <= 2 * _CONTEXT:
            runs[-1].append(stretch)
        else:
            runs.append([stretch])
    return runs


def _range(first: int, last: int) -> bytes:
    count = last - first
    if count == 1:
        return b"%d" % (first + 1)
    return b"%d,%d" % (first + 1 if count else first, count)


def _section(old: Sequence[bytes], first: int) -> bytes:
    """The nearest function or class line above the hunk, as git shows it after the second `@@`."""
    for line in reversed(old[:first]):
        if match := _SECTION.match(line):
            text = match[1].rstrip()
            if len(text) > _SECTION_BYTES:
                text = text[:_SECTION_BYTES].decode("utf-8", "ignore").encode().rstrip()
            return b" " + text
    return b""


def _marked(mark: bytes, lines: Iterable[bytes]) -> Iterator[bytes]:
    for line in lines:
        yield mark + line if line.endswith(b"\n") else mark + line + b"\n" + _NO_NEWLINE


def _shown(prefix: str, strip: str) -> Callable[[str], str]:
    """How a path of the project is told of."""
    return lambda path: prefix + path.removeprefix(strip)


def _explanation(change: Change, path: str, homes: dict[str, str], shown: Callable[[str], str]) -> Iterator[str]:
    for group in change.groups:
        if homes[group.id] != path:
            yield f"{path}  part of {group.id}, explained at {homes[group.id]}"
            continue
        yield f"{path}  {group.id} · {extent(group)}"
        width = max((len(finding.rule) for finding in group.findings), default=0)
        for finding in group.findings:
            yield from _told(finding, change.path, width, shown)


def _homes(changes: Sequence[Change], shown: Callable[[str], str]) -> dict[str, str]:
    """Where each group is explained: where its first finding stands, if that file changes, else in its first file."""
    paths = {change.path for change in changes}
    homes: dict[str, str] = {}
    for change in changes:
        for group in change.groups:
            first = group.findings[0].site.path
            homes.setdefault(group.id, shown(first if first in paths else change.path))
    return homes


def _told(finding: Finding, path: str, width: int, shown: Callable[[str], str]) -> Iterator[str]:
    site = finding.site
    place = f"line {site.line}" if site.path == path else f"{shown(site.path)}:{site.line}"
    yield f"  {finding.rule:{width}}  {finding.level.label:6}  {place}: {finding.message}"
    if finding.reason:
        yield f"    {word_of_reason(finding)}: {finding.reason}"
    for fact in finding.facts:
        yield f"    {shown(fact.path)}:{fact.line}  {fact.text}"
