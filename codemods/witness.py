"""Joins what a running program was seen to leak with what the analysis found, by the lines where sessions were made.

A leak that no finding explains is a miss of the analysis, and is told as one. Pure; the project comes in as `Files`.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path, PurePosixPath

from codemods.leak_report import Frame, Leak, LeakReport, merged
from codemods.plan import End, Entry, Plan

# the rules that look at places where sessions are made, or given away
SESSION_RULES = frozenset({"session-scope", "session-dependency", "task-arguments", "shared-session"})
_FOUND = (End.CHANGED, End.REFUSED)
_NOT_COUNTED = (End.SUPPRESSED, End.HELD_BACK, End.KNOWN)
_LINE_END = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True, slots=True)
class Files:
    """The project as it is now. `text` gives a file of it, None when there is no such file; `off` says why sessions are
    not looked for in a file, "" when they are. Paths are the plan's."""

    text: Callable[[str], str | None]
    off: Callable[[str], str]


@dataclass(frozen=True, slots=True)
class LookedAt:
    """A line that was running when a session was made, and what the analysis said of it.

    `path` is the plan's, "" when the line lies outside of the project; `line` is where it stands now. `note` says why
    nothing was joined there, "" when it was looked at: then `entries` is empty when no session was seen.
    """

    frame: Frame
    path: str
    line: int
    entries: tuple[Entry, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class Unexplained:
    """A leak that no finding explains."""

    leak: Leak
    frames: tuple[LookedAt, ...]


@dataclass(frozen=True, slots=True)
class Witness:
    """`seen` has, by the key of each finding or place left alone, what was seen leaking there.

    Of the others `missed` is what should have been found; `not_counted` was found, but is suppressed, held back or
    known from before; `not_asked` lies where nothing was looked for, `outside` in no file of the project.
    """

    seen: Mapping[str, tuple[Leak, ...]] = field(default_factory=dict)
    missed: tuple[Unexplained, ...] = ()
    not_counted: tuple[Unexplained, ...] = ()
    not_asked: tuple[Unexplained, ...] = ()
    outside: tuple[Unexplained, ...] = ()

    def sessions(self, key: str) -> tuple[int, int]:
        """How many sessions leaked at a finding, and how many of them still held a connection."""
        leaks = self.seen.get(key, ())
        return sum(leak.count for leak in leaks), sum(leak.still_held for leak in leaks)

    def where(self, key: str) -> tuple[str, ...]:
        """The tests or requests in which it was seen."""
        return tuple(dict.fromkeys(where for leak in self.seen.get(key, ()) for where in leak.where))


def joined(plan: Plan, report: LeakReport, files: Files) -> Witness:
    """What was seen, by finding."""
    places = _Places(plan, report, files)
    seen: defaultdict[str, list[Leak]] = defaultdict(list)
    others: defaultdict[str, list[Unexplained]] = defaultdict(list)
    for leak in report.leaks:
        looked = tuple(places.of(frame) for frame in leak.frames)
        found = _first(looked, lambda entry: entry.end in _FOUND and bool(entry.key))
        for entry in found:
            seen[entry.key].append(leak)
        if not found:
            others[_kind(looked)].append(Unexplained(leak, looked))
    return Witness(
        {key: merged(leaks) for key, leaks in seen.items()}, **{kind: tuple(some) for kind, some in others.items()}
    )


def _kind(looked: Sequence[LookedAt]) -> str:
    """The field of Witness for a leak that no finding explains."""
    inside = [one for one in looked if one.path]
    if not inside:
        return "outside"
    if _first(looked, lambda entry: entry.end in _NOT_COUNTED):
        return "not_counted"
    # a factory is right as it is: the line that calls it is the one that counts
    open_ = next((one for one in inside if not one.entries), None)
    return "missed" if open_ is None or open_.note in ("", MOVED) else "not_asked"


def _first(looked: Iterable[LookedAt], wanted: Callable[[Entry], bool]) -> tuple[Entry, ...]:
    """Such entries of the innermost line that has any."""
    return next((found for one in looked if (found := tuple(filter(wanted, one.entries)))), ())


OUTSIDE = "outside of the project"
MOVED = "reads differently now"


class _Places:
    """Finds the lines of a report in the present code, and what the ledger says of them."""

    def __init__(self, plan: Plan, report: LeakReport, files: Files) -> None:
        self._plan, self._report, self._files = plan, report, files
        self._by_path: defaultdict[str, list[Entry]] = defaultdict(list)
        for entry in plan.ledger.entries:
            if entry.rule in SESSION_RULES:
                self._by_path[entry.site.path].append(entry)
        self._lines = cache(lambda path: _LINE_END.split(files.text(path) or ""))
        self._functions = cache(lambda path: _functions(files.text(path) or ""))

    def of(self, frame: Frame) -> LookedAt:
        path = self._path(frame)
        if not path:
            return LookedAt(frame, "", frame.line, note=OUTSIDE)
        if off := self._files.off(path):
            return LookedAt(frame, path, frame.line, note=off)
        line = self._line(path, frame)
        if line is None:
            return LookedAt(frame, path, frame.line, note=MOVED)
        return LookedAt(frame, path, line, self._entries(path, line, frame.function))

    def _path(self, frame: Frame) -> str:
        """The plan's path of a frame's file; "" when it is none of the project's.

        A report from another machine, or a container, names folders that are not these: then the longest end of the
        path is taken whose line reads the same here.
        """
        place = Path(self._report.root, frame.path)
        if place.is_relative_to(self._plan.root):
            path = PurePosixPath(place.relative_to(self._plan.root)).as_posix()
            if self._files.text(path) is not None:
                return path
        parts = PurePosixPath(frame.path).parts
        ends = ["/".join(parts[at:]) for at in range(len(parts)) if at == 0 or len(parts) - at > 1]
        return next((end for end in ends if frame.code and self._reads(end, frame.line) == frame.code), "")

    def _reads(self, path: str, line: int) -> str | None:
        lines = self._lines(path)
        return lines[line - 1].strip() if 0 < line <= len(lines) else None

    def _line(self, path: str, frame: Frame) -> int | None:
        """Where the line stands now: at its place, or the only one of its function that reads the same."""
        if not frame.code or self._reads(path, frame.line) == frame.code:
            return frame.line
        spans = self._functions(path).get(frame.function, ())
        same = [
            line for first, last in spans for line in range(first, last + 1) if self._reads(path, line) == frame.code
        ]
        return same[0] if len(same) == 1 else None

    def _entries(self, path: str, line: int, function: str) -> tuple[Entry, ...]:
        """The entries on a line; else those of the function itself, which is where a dependency is judged."""
        there = self._by_path.get(path, ())
        on_line = [one for one in there if one.site.line <= line <= one.site.end_line]
        if on_line:
            return tuple(on_line)
        name = "." + function.replace("<locals>.", "")
        return tuple(
            one for one in there if one.rule == "session-dependency" and f".{one.site.function}".endswith(name)
        )


def _functions(text: str) -> dict[str, list[tuple[int, int]]]:
    """The first and last lines of the functions of a file, by qualified name as Python gives it."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return {}
    found: dict[str, list[tuple[int, int]]] = {"<module>": [(1, text.count("\n") + 1)]}
    for name, node in _definitions(tree, ""):
        found.setdefault(name, []).append((node.lineno, node.end_lineno or node.lineno))
    return found


def _definitions(tree: ast.AST, prefix: str) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    waiting = [(tree, prefix)]
    while waiting:
        parent, before = waiting.pop()
        for node in ast.iter_child_nodes(parent):
            match node:
                case ast.FunctionDef() | ast.AsyncFunctionDef():
                    yield f"{before}{node.name}", node
                    waiting.append((node, f"{before}{node.name}.<locals>."))
                case ast.ClassDef():
                    waiting.append((node, f"{before}{node.name}."))
                case _:
                    waiting.append((node, before))
