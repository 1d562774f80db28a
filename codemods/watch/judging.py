"""Says of a session whether it leaked, and counts those that did by the lines that made them. Reads records only."""

from __future__ import annotations

from codemods.leak_report import PLACES_KEPT, Leak, LeakKind, merged
from codemods.watch.instrument import Record
from codemods.watch.places import RawFrame, frames_of

NOWHERE: tuple[RawFrame, ...] = (("<unknown>", 0, "<unknown>"),)


def verdict(record: Record, *, strict: bool) -> LeakKind | None:
    """What is wrong with the session as it is now. None: nothing. One that holds no connection is wrong only in strict
    mode: it was never closed, or was used again after that."""
    if not strict and not record.holds:
        return None
    if record.reused:
        return LeakKind.REUSED
    if record.holds:
        return LeakKind.HELD
    return None if record.closed else LeakKind.UNCLOSED


class _Count:
    __slots__ = ("alive", "count", "where")

    def __init__(self) -> None:
        self.count = 0
        self.where: dict[str, None] = {}  # in their order
        self.alive: list[Record] = []


class Tally:
    """Sessions that leaked, by kind and lines."""

    def __init__(self) -> None:
        self._counts: dict[tuple[LeakKind, tuple[RawFrame, ...]], _Count] = {}

    def add(self, record: Record, kind: LeakKind, where: str = "") -> bool:
        """Count it; says whether it is the first of its kind from these lines."""
        key = (kind, record.frames or NOWHERE)
        first = key not in self._counts
        count = self._counts.setdefault(key, _Count())
        count.count += 1
        if where and len(count.where) < PLACES_KEPT:
            count.where[where] = None
        # those that are gone hold nothing any more; looked through seldom, so that many cost little
        if len(count.alive) >= 64 and len(count.alive) & (len(count.alive) - 1) == 0:
            count.alive = [one for one in count.alive if one.alive]
        count.alive.append(record)
        return first

    def leaks(self, root: str = "") -> tuple[Leak, ...]:
        """All of them, the paths relative to the root; without one absolute."""
        return merged(
            Leak(
                kind,
                frames_of(raw, root),
                count.count,
                sum(1 for record in count.alive if record.alive and record.took),
                tuple(count.where),
            )
            for (kind, raw), count in self._counts.items()
        )
