"""What a running program was seen to leak, and the JSON file in which that is handed over.

Values and pure functions; the standard library only, so that the watched program needs nothing else of this package,
and the migration tool needs no SQLAlchemy. `watch` writes such files, `witness` reads them.
"""

from __future__ import annotations

import enum
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

FORMAT_VERSION = 1
PLACES_KEPT = 20
MOST = 2**53  # more is no count, but a damaged file


class LeakReportError(Exception):
    """A file is no report of leaks. The text names the file and says why, and what to do."""


class LeakKind(enum.StrEnum):
    """What was wrong with a session, the worst first."""

    HELD = "held"  # it ended with a connection of the pool, in an open transaction
    REUSED = "reused"  # it took a connection again after `close()`
    UNCLOSED = "unclosed"  # never closed, but it held nothing (told in strict mode only)


@dataclass(frozen=True, slots=True, order=True)
class Frame:
    """A line that was running when a session was made. `path` is relative to the report's root where it lies below it
    (posix), else absolute; `code` is the line as it read then, stripped, "" when its source was not to be had."""

    path: str
    line: int
    function: str
    code: str = ""


@dataclass(frozen=True, slots=True)
class Leak:
    """All sessions that leaked in the same way from the same lines.

    `frames` are the project's own, the innermost first; there is at least one. `where` names tests or requests in which
    it was seen, the first `PLACES_KEPT`. `still_held` of the `count` sessions held a connection when it was last seen.
    """

    kind: LeakKind
    frames: tuple[Frame, ...]
    count: int = 1
    still_held: int = 0
    where: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LeakReport:
    """`root` is the absolute folder that the paths of the frames start at; `strict`: also unclosed ones were wanted."""

    root: str
    leaks: tuple[Leak, ...]
    strict: bool = False


def merged(leaks: Iterable[Leak]) -> tuple[Leak, ...]:
    """Leaks of the same kind from the same lines as one, the most frequent first."""
    found: dict[tuple[LeakKind, tuple[Frame, ...]], Leak] = {}
    for leak in leaks:
        key = (leak.kind, leak.frames)
        one = found.get(key)
        if one is None:
            found[key] = replace(leak, where=tuple(dict.fromkeys(leak.where))[:PLACES_KEPT])
            continue
        where = tuple(dict.fromkeys((*one.where, *leak.where)))[:PLACES_KEPT]
        total, held = one.count + leak.count, one.still_held + leak.still_held
        found[key] = replace(one, count=total, still_held=held, where=where)
    kinds = list(LeakKind)
    return tuple(sorted(found.values(), key=lambda one: (kinds.index(one.kind), -one.count, one.frames)))


def dumps(report: LeakReport) -> str:
    """The report as JSON text, plain ASCII, with a final newline."""
    content = {
        "version": FORMAT_VERSION,
        "root": report.root,
        "strict": report.strict,
        "leaks": [
            {
                "kind": leak.kind.value,
                "count": leak.count,
                "still_held": leak.still_held,
                "where": list(leak.where),
                "frames": [
                    {"path": frame.path, "line": frame.line, "function": frame.function, "code": frame.code}
                    for frame in leak.frames
                ],
            }
            for leak in report.leaks
        ],
    }
    return json.dumps(content, indent=2) + "\n"


def load(path: Path) -> LeakReport:
    """Read a report. Raises LeakReportError."""
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise LeakReportError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise LeakReportError(f"{path}: {_NO_REPORT}") from error
    try:
        return parsed(content)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        version = content.get("version") if isinstance(content, dict) else None
        if isinstance(version, int) and version > FORMAT_VERSION:
            raise LeakReportError(f"{path}: made by a newer version of session-codemods; update it") from error
        raise LeakReportError(f"{path}: {_NO_REPORT}") from error


_NO_REPORT = "no report of leaks; `pytest --session-leaks --session-leaks-report FILE` makes one"


def parsed(content: object) -> LeakReport:
    """The report in what `dumps` wrote. Raises KeyError, TypeError or ValueError when it is none."""
    match content:
        case {"version": version, "root": str(root), "strict": bool(strict), "leaks": list(leaks)}:
            if version != FORMAT_VERSION:
                raise ValueError(f"version {version!r}")
            return LeakReport(root, tuple(_leak(one) for one in leaks), strict)
    raise ValueError("no report")


def _leak(content: object) -> Leak:
    match content:
        case {
            "kind": str(kind),
            "count": int(count),
            "still_held": int(still_held),
            "where": list(where),
            "frames": [_, *_] as frames,
        } if _number(count) and count and _number(still_held) and max(count, still_held) <= MOST:
            return Leak(LeakKind(kind), tuple(map(_frame, frames)), count, still_held, tuple(map(str, where)))
    raise ValueError("no leak")


def _frame(content: object) -> Frame:
    match content:
        case {"path": str(path), "line": int(line), "function": str(function), "code": str(code)} if _number(line):
            return Frame(path, line, function, code)
    raise ValueError("no frame")


def _number(number: int) -> bool:
    return not isinstance(number, bool) and number >= 0
