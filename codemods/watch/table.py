"""The leaks as a table of plain text, for the end of a run. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from codemods.leak_report import Frame, Leak, LeakKind

FRAMES_SHOWN = 4

MEANING = {
    LeakKind.HELD: "ended with a connection out",
    LeakKind.REUSED: "took a connection again after close()",
    LeakKind.UNCLOSED: "never closed, held nothing",
}


def counted(number: int, what: str) -> str:
    """1 session, 2 sessions, 3 processes."""
    return f"{number} {what}{'' if number == 1 else 'es' if what.endswith('s') else 's'}"


def place(frame: Frame) -> str:
    """path:line in function()"""
    name = frame.function if frame.function.startswith("<") else f"{frame.function}()"
    return f"{frame.path}:{frame.line} in {name}"


def summary(leaks: Sequence[Leak], sessions: int, borrowed: int = 0, *, complete: bool = True) -> str:
    """One line: how many, from how many places. `borrowed`: those that used a connection of somebody else. Without
    `complete`, some are not judged: then nothing is said of all."""
    watched = f"{counted(sessions, 'session')} watched"
    if borrowed:
        watched += f" ({borrowed} of them bound to a connection of somebody else, which cannot leak)"
    if not leaks:
        return f"{watched}, none leaked" if complete else f"{watched}, no leak was seen"
    leaked, held = sum(one.count for one in leaks), sum(one.still_held for one in leaks)
    places = len({one.frames for one in leaks})
    still = f" ({held} still held)" if held else ""
    return f"{watched}, {leaked} leaked{still} from {counted(places, 'place')}"


def rows(leaks: Iterable[Leak]) -> Iterator[str]:
    """Each leak: what it was, the lines that made it (the innermost first), where it was seen."""
    for leak in leaks:
        held = f", {leak.still_held} still held" if leak.still_held else ""
        yield ""
        yield f"{leak.kind.value}: {counted(leak.count, 'session')} {MEANING[leak.kind]}{held}"
        for frame in leak.frames[:FRAMES_SHOWN]:
            yield f"    {place(frame)}"
            if frame.code:
                yield f"        {frame.code}"
        if len(leak.frames) > FRAMES_SHOWN:
            yield f"    ... and {counted(len(leak.frames) - FRAMES_SHOWN, 'caller')}"
        if leak.where:
            more = f" and {len(leak.where) - 1} more" if len(leak.where) > 1 else ""
            yield f"    seen in {leak.where[0]}{more}"
