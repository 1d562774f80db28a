"""What a running program was seen to leak, beside the findings, as text and as JSON. Prints nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from codemods.leak_report import LeakKind
from codemods.plan import End, Entry
from codemods.review.visible import visible
from codemods.witness import LookedAt, NotFound, Witness

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
}


def seen_line(witness: Witness, key: str) -> str:
    """The line under a finding that was seen leaking; "" for others."""
    leaks = witness.seen.get(key, ())
    if not leaks:
        return ""
    kinds = ", ".join(dict.fromkeys(_MEANING[leak.kind] for leak in leaks))
    return f"  seen leaking: {_sessions(*witness.sessions(key))} ({kinds}){_where(witness.where(key))}\n"


def not_found(witness: Witness, seen: Callable[[str], str]) -> str:
    """The leaks that no finding explains, each with what was said of its lines; "" when there are none.

    `seen` shows a path of the plan on a line of text.
    """
    out = ""
    if witness.not_found:
        out += f"Seen leaking, but not found ({len(witness.not_found)})\n"
        for one in witness.not_found:
            leak = one.leak
            held = _sessions(leak.count, leak.still_held)
            out += f"  {held} {_MEANING[leak.kind]}, made here, the innermost line first{_where(leak.where)}\n"
            out += "".join(f"    {_looked_at(at, seen)}\n" for at in one.frames)
            if one.changed:
                out += "    the code changed since; run the program again for a report that can be joined\n"
    if witness.elsewhere:
        count = len(witness.elsewhere)
        out += f"Seen leaking in files that were not asked about: {count} place{'s' * (count != 1)}\n"
    return out


def seen_json(witness: Witness, key: str) -> object:
    """What is added to a finding; None when it was not seen leaking."""
    if key not in witness.seen:
        return None
    count, still_held = witness.sessions(key)
    return {"sessions": count, "still_held": still_held, "where": list(witness.where(key))}


def not_found_json(witness: Witness, path: Callable[[str], str]) -> list[object]:
    """The leaks that no finding explains."""
    return [_one_json(one, path) for one in witness.not_found]


def _one_json(one: NotFound, path: Callable[[str], str]) -> object:
    return {
        "kind": one.leak.kind.value,
        "sessions": one.leak.count,
        "still_held": one.leak.still_held,
        "where": list(one.leak.where),
        "code_changed": one.changed,
        "frames": [
            {
                "path": path(at.path) if at.path else at.frame.path,
                "line": at.frame.line,
                "function": at.frame.function,
                "said": [{"rule": entry.rule, "end": entry.end.value, "text": entry.text} for entry in at.entries],
            }
            for at in one.frames
        ],
    }


def _looked_at(at: LookedAt, seen: Callable[[str], str]) -> str:
    place = seen(at.path) if at.path else visible(at.frame.path)
    said = "; ".join(_said(at.entries)) if at.path else "outside of the project"
    return f"{place}:{at.frame.line} in {visible(at.frame.function)}(): {said or 'no session was seen here'}"


def _said(entries: Iterable[Entry]) -> list[str]:
    return [f"{entry.rule}: {_SAID[entry.end]}: {visible(entry.text)}" for entry in entries]


def _sessions(count: int, still_held: int) -> str:
    held = f", {still_held} of them to the end" if still_held else ""
    return f"{count} session{'s' * (count != 1)}{held}"


def _where(where: Iterable[str]) -> str:
    first = next(iter(where), "")
    return f", e.g. in {visible(first)}" if first else ""
