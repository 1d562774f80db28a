"""Joins what a running program was seen to leak with what the analysis found, by the lines where sessions were made.

A leak that no finding explains is a miss of the analysis, and is told as one. Pure; lines of the present code come
through a function.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from codemods.leak_report import Frame, Leak, LeakReport, merged
from codemods.plan import End, Entry, Plan

# the rules that look at places where sessions are made, or given away
_SESSIONS = frozenset({"session-scope", "session-dependency", "task-arguments", "shared-session"})
_FOUND = (End.CHANGED, End.REFUSED)


@dataclass(frozen=True, slots=True)
class LookedAt:
    """A line that was running when a session was made, and what the analysis said of it. `path` is the plan's; "" when
    the line lies outside of the project. `entries` is empty when no session was seen there."""

    frame: Frame
    path: str
    entries: tuple[Entry, ...] = ()


@dataclass(frozen=True, slots=True)
class NotFound:
    """A leak that no finding explains. `changed`: a line of it reads differently now, so that it cannot be joined."""

    leak: Leak
    frames: tuple[LookedAt, ...]
    changed: bool = False


@dataclass(frozen=True, slots=True)
class Witness:
    """`seen` has, by the key of each finding or place left alone, what was seen leaking there. `elsewhere` are leaks of
    which no line is among the files that were asked about."""

    seen: Mapping[str, tuple[Leak, ...]] = field(default_factory=dict)
    not_found: tuple[NotFound, ...] = ()
    elsewhere: tuple[Leak, ...] = ()

    def sessions(self, key: str) -> tuple[int, int]:
        """How many sessions leaked at a finding, and how many of them still held a connection."""
        leaks = self.seen.get(key, ())
        return sum(leak.count for leak in leaks), sum(leak.still_held for leak in leaks)

    def where(self, key: str) -> tuple[str, ...]:
        """The tests or requests in which it was seen."""
        return tuple(dict.fromkeys(where for leak in self.seen.get(key, ()) for where in leak.where))


def joined(
    plan: Plan, report: LeakReport, line: Callable[[str, int], str | None], is_asked: Callable[[str], bool]
) -> Witness:
    """What was seen, by finding.

    `line` gives a line of a file of the plan as it reads now, without the spaces around it, None when there is none;
    `is_asked` tells whether the findings of a file are wanted.
    """
    places = _Places(plan.ledger.entries)
    seen: defaultdict[str, list[Leak]] = defaultdict(list)
    not_found: list[NotFound] = []
    elsewhere: list[Leak] = []
    for leak in report.leaks:
        paths = [_path(frame, report.root, plan.root, line) for frame in leak.frames]
        if not any(path and is_asked(path) for path in paths):
            elsewhere.append(leak)
            continue
        changed = [
            bool(path and frame.code) and line(path, frame.line) != frame.code
            for path, frame in zip(paths, leak.frames, strict=True)
        ]
        looked = tuple(
            LookedAt(frame, path, () if moved or not path else places.of(path, frame))
            for path, frame, moved in zip(paths, leak.frames, changed, strict=True)
        )
        if found := _first_found(looked):
            for entry in found:
                seen[entry.key].append(leak)
        else:
            not_found.append(NotFound(leak, looked, any(changed)))
    return Witness({key: merged(leaks) for key, leaks in seen.items()}, tuple(not_found), tuple(elsewhere))


def _first_found(looked: Iterable[LookedAt]) -> tuple[Entry, ...]:
    """The findings of the innermost line that has any."""
    for one in looked:
        if found := tuple(entry for entry in one.entries if entry.end in _FOUND and entry.key):
            return found
    return ()


def _path(frame: Frame, root: str, plan_root: str, line: Callable[[str, int], str | None]) -> str:
    """The plan's path of a frame's file; "" when it is none of the project's files.

    A report that was made on another machine names a root that is not here: then a relative path is taken for one of
    this project when the line reads the same in it.
    """
    place = Path(root, frame.path)
    if place.is_relative_to(plan_root):
        return PurePosixPath(place.relative_to(plan_root)).as_posix()
    if not Path(frame.path).is_absolute() and frame.code and not Path(root).is_dir():
        return frame.path if line(frame.path, frame.line) == frame.code else ""
    return ""


class _Places:
    """The places of the ledger where sessions are made or given away, by file."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._by_path: defaultdict[str, list[Entry]] = defaultdict(list)
        for entry in entries:
            if entry.rule in _SESSIONS:
                self._by_path[entry.site.path].append(entry)

    def of(self, path: str, frame: Frame) -> tuple[Entry, ...]:
        """The entries on the frame's line; else those of the function itself, which is where a dependency is judged."""
        there = self._by_path.get(path, ())
        on_line = [one for one in there if one.site.line <= frame.line <= one.site.end_line]
        if on_line:
            return tuple(on_line)
        name = "." + frame.function.replace("<locals>.", "")
        return tuple(
            one for one in there if one.rule == "session-dependency" and f".{one.site.function}".endswith(name)
        )
