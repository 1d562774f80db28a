"""What a running program was seen to leak, beside the findings, as text and as JSON. Prints nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from codemods.leak_report import LeakKind
from codemods.plan import End, Entry
from codemods.review.visible import visible
from codemods.review.words import counted
from codemods.witness import MOVED, LookedAt, Unexplained, Witness

_MEANING = {
    LeakKind.HELD: "never closed",
    LeakKind.REUSED: "used again after close()",
    LeakKind.UNCLOSED: "never closed, though they held nothing",
}
_SAID = {
    End.CHANGED: "found",
    End.REFUSED: "left alone",
    End.RIGHT: "counted as right",
    End.HELD_BACK: "held back",
    End.SUPPRESSED: "suppressed",
    End.KNOWN: "found before",
}


def seen_line(witness: Witness, key: str) -> str:
    """The line under a finding that was seen leaking; "" for others."""
    leaks = witness.seen.get(key, ())
    if not leaks:
        return ""
    kinds = ", ".join(dict.fromkeys(_MEANING[leak.kind] for leak in leaks))
    count, still_held = witness.sessions(key)
    return f"  seen leaking: {_sessions(count, still_held)}, {kinds}{_where(witness.where(key))}\n"


def unexplained(witness: Witness, report_root: str, seen: Callable[[str], str]) -> str:
    """The leaks that no finding explains, each with what was said of its lines; "" when there are none.

    `seen` shows a path of the plan on a line of text; `report_root` is the folder in which the report was made.
    """
    out = _listing("Seen leaking, but not found", witness.missed, seen)
    if any(at.note == MOVED for one in witness.missed for at in one.frames):
        out += "  Where the code changed since, run the program again for a report that can be joined.\n"
    out += _listing("Seen leaking, and found, but not counted", witness.not_counted, seen)
    out += _listing("Seen leaking where sessions were not looked for", witness.not_asked, seen)
    made = f"Seen leaking outside of this project, by a report made in {visible(report_root)}"
    return out + _listing(made, witness.outside, seen)


def _listing(title: str, some: Sequence[Unexplained], seen: Callable[[str], str]) -> str:
    if not some:
        return ""
    out = f"{title} ({len(some)})\n"
    for one in some:
        leak = one.leak
        out += f"  {_sessions(leak.count, leak.still_held, leak.kind)}{_where(leak.where)}; made, innermost first, at\n"
        out += "".join(f"    {_looked_at(at, seen)}\n" for at in one.frames)
    return out


def seen_json(witness: Witness, key: str) -> object:
    """What is added to a finding; None when it was not seen leaking."""
    if key not in witness.seen:
        return None
    count, still_held = witness.sessions(key)
    return {"sessions": count, "still_held": still_held, "where": list(witness.where(key))}


def unexplained_json(witness: Witness, path: Callable[[str], str]) -> dict[str, object]:
    """The leaks that no finding explains: `not_found` is what should have been."""
    return {
        "not_found": [_one_json(one, path) for one in witness.missed],
        "seen_not_counted": [_one_json(one, path) for one in witness.not_counted],
        "seen_not_asked": [_one_json(one, path) for one in witness.not_asked],
        "seen_outside": [_one_json(one, path) for one in witness.outside],
    }


def _one_json(one: Unexplained, path: Callable[[str], str]) -> object:
    return {
        "kind": one.leak.kind.value,
        "sessions": one.leak.count,
        "still_held": one.leak.still_held,
        "where": list(one.leak.where),
        "frames": [
            {
                "path": path(at.path) if at.path else at.frame.path,
                "line": at.line,
                "function": at.frame.function,
                "note": at.note,
                "said": [{"rule": entry.rule, "end": entry.end.value, "text": entry.text} for entry in at.entries],
            }
            for at in one.frames
        ],
    }


def _looked_at(at: LookedAt, seen: Callable[[str], str]) -> str:
    place = seen(at.path) if at.path else visible(at.frame.path)
    said = at.note or "; ".join(_said(at.entries)) or "no session was seen here"
    return f"{place}:{at.line} in {visible(at.frame.function)}(): {visible(said)}"


def _said(entries: Iterable[Entry]) -> list[str]:
    return [f"{entry.rule}: {_SAID.get(entry.end, entry.end.value)}: {entry.text}" for entry in entries]


def _sessions(count: int, still_held: int, kind: LeakKind | None = None) -> str:
    words = counted(count, "session")
    words += f" {_MEANING[kind]}" if kind else ""
    return words + (f" ({still_held} held a connection to the end)" if still_held else "")


def _where(where: Iterable[str]) -> str:
    first = next(iter(where), "")
    return f", e.g. in {visible(first)}" if first else ""
