"""Which connections a process has out at this moment, in a file in memory that the command reads beside it.

So a process needs no thread to tell of a session that holds a connection for long: the command looks at the clock, also
when the process hangs, was killed or left without a word. Written by the program's own threads as they take and give
back, a few bytes each time; written in the midst of a garbage collection too.
"""

from __future__ import annotations

import contextlib
import mmap
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SLOTS = 2048
_EVENTS = struct.Struct("=Q")
_SLOT = struct.Struct("=dII")  # since when, which line of the other file, whether its maker is done
_OVER = struct.Struct("=I")
_SIZE = _EVENTS.size + SLOTS * _SLOT.size
_EMPTY = _SLOT.pack(0.0, 0, 0)

# a map's file descriptor is closed with it, and may be another file's by then: a daemon closes all it does not know
_KEPT: list[mmap.mmap] = []


@dataclass(frozen=True, slots=True)
class Held:
    """One connection that is out: since when by `time.monotonic()`, the number that was given to `take`, and whether
    what made its session is done."""

    since: float
    entry: int
    over: bool


class HeldTable:
    """Written by one process. Raises nothing: where no file can be had, nobody reads it."""

    def __init__(self, path: str) -> None:
        self._events = 0
        self._free = list(range(SLOTS))
        self._memory = _mapped(path)
        _KEPT.append(self._memory)

    def happened(self) -> None:
        """Something happened that the process has not told yet. Call it after the fact."""
        self._events += 1
        _EVENTS.pack_into(self._memory, 0, self._events)

    @property
    def events(self) -> int:
        """How often something happened."""
        number: int = _EVENTS.unpack_from(self._memory, 0)[0]
        return number

    def take(self, since: float, entry: int) -> int | None:
        """A connection is out. Gives the slot that says so; None when all are taken."""
        try:
            slot = self._free.pop()
        except IndexError:
            return None
        _SLOT.pack_into(self._memory, _offset(slot), since, entry, 0)
        return slot

    def mark(self, slot: int) -> None:
        """What made its session is done."""
        _OVER.pack_into(self._memory, _offset(slot) + _SLOT.size - _OVER.size, 1)

    def give_back(self, slot: int) -> None:
        """It is back."""
        _SLOT.pack_into(self._memory, _offset(slot), 0.0, 0, 0)
        self._free.append(slot)


def _offset(slot: int) -> int:
    return _EVENTS.size + slot * _SLOT.size


def _mapped(path: str) -> mmap.mmap:
    with contextlib.suppress(OSError), open(path, "x+b") as file:
        file.write(bytes(_SIZE))  # all of it: a hole that the disk has no room for would kill the program later
        file.flush()
        return mmap.mmap(file.fileno(), _SIZE)
    return mmap.mmap(-1, _SIZE)


def read(path: Path) -> tuple[int, tuple[Held, ...]]:
    """How often something happened, and what is out. Raises OSError, and ValueError for anything else than a table."""
    first, second = path.read_bytes(), path.read_bytes()
    if len(first) != _SIZE or len(second) != _SIZE:
        raise ValueError("no table")
    return _EVENTS.unpack_from(second)[0], tuple(_slots(first, second))


def _slots(first: bytes, second: bytes) -> Iterator[Held]:
    # what changed between the two may be half written
    for start in range(_EVENTS.size, _SIZE, _SLOT.size):
        raw = second[start : start + _SLOT.size]
        if raw != _EMPTY and raw == first[start : start + _SLOT.size]:
            since, entry, over = _SLOT.unpack(raw)
            if since:
                yield Held(since, entry, bool(over))
