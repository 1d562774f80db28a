"""The seven points of the practices' checklist, counted over a plan: how many places keep each, break it, or leave it
open. A value, and three ways to write it down: for a terminal, for a pull request, for programs. Prints nothing.

What counts where: a place that is right already keeps its point. One that a finding would change breaks it, at
whatever level; so does one that is left alone although it is certain that the rule is broken there. A place of which
not even that could be told is not decidable. A suppressed one stands in a column of its own.
"""

from __future__ import annotations

import enum
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from codemods.plan import End, Entry, Failure, Plan
from codemods.review.markdown_text import code, prose
from codemods.review.visible import encodable, visible

FORMAT_VERSION = 1
FIRST = 3  # places that are named of each point, unless all are wanted


class State(enum.StrEnum):
    """What is said of a point: broken by one place, kept by all, or not told of any that is not kept."""

    KEPT = "kept"
    BROKEN = "broken"
    UNDECIDED = "not decidable"
    SKIPPED = "not looked at"


@dataclass(frozen=True, slots=True)
class Question:
    """A point of the practices, and the places that it is about: by rule, those of some aspects of it; None: all."""

    number: int
    text: str
    counted: str  # what its places are
    rules: tuple[tuple[str, frozenset[str] | None], ...]


QUESTIONS = (
    Question(
        1,
        "Every `AsyncSession` is made with `async with async_session()`",
        "places that call a session class or a sessionmaker",
        (("session-scope", frozenset({"maker"})),),
    ),
    Question(
        2,
        "No bare calls of functions like `new_async_session()`, without a context manager",
        "places that get a session from a function of the project",
        (("session-scope", frozenset({"function"})),),
    ),
    Question(
        3,
        "ORM objects that functions return are detached with `session.expunge()`",
        "returns of what was loaded",
        (("expunge-return", None),),
    ),
    Question(
        4,
        "Relationships are loaded eagerly (`selectinload`, `joinedload`)",
        "loads of which a relationship is read later",
        (("eager-load", None),),
    ),
    Question(
        5,
        "Background tasks make sessions of their own",
        "tasks that get a session, or certainly nothing but values, and sessions that several tasks share",
        (("task-arguments", frozenset({"session", "nothing"})), ("shared-session", None)),
    ),
    Question(
        6,
        "Neither a `session` nor an ORM object is handed to a background task",
        "tasks that get a session or an ORM object, or certainly nothing but values",
        (("task-arguments", None),),
    ),
    Question(
        7,
        "FastAPI dependencies close their session in `finally`",
        "generators and dependencies that lend a session, and places that drive one by hand",
        (("session-dependency", None),),
    ),
)


@dataclass(frozen=True, slots=True)
class Place:
    """A place that is not kept: broken, or not decidable."""

    state: State
    entry: Entry


@dataclass(frozen=True, slots=True)
class Point:
    """What came out for one point. `skipped` are its rules that were not run; `places` the broken ones first.

    `passed_over` are the files, sorted, in which the settings turn a rule of the point off.
    """

    question: Question
    kept: int
    broken: int
    undecided: int
    suppressed: int
    places: tuple[Place, ...]
    skipped: tuple[str, ...] = ()
    passed_over: tuple[str, ...] = ()

    @property
    def state(self) -> State:
        """One broken place breaks it. It is kept only when all of its rules were run, and told of every place; and by
        silence, without a place that keeps it, only when they looked at every file."""
        if len(self.skipped) == len(self.question.rules):
            return State.SKIPPED
        if self.broken:
            return State.BROKEN
        is_silent = bool(self.passed_over) and not self.kept
        return State.UNDECIDED if self.undecided or self.skipped or is_silent else State.KEPT

    @property
    def looked_at(self) -> int:
        return self.kept + self.broken + self.undecided + self.suppressed


@dataclass(frozen=True, slots=True)
class Checklist:
    """All points, and the files that could not be looked at."""

    points: tuple[Point, ...]
    failures: tuple[Failure, ...] = ()

    @property
    def is_broken(self) -> bool:
        return any(point.state is State.BROKEN for point in self.points)


def tally(plan: Plan, ran: Collection[str], off: Mapping[str, Collection[str]] | None = None) -> Checklist:
    """Counts the places of a plan. `ran` are the names of the rules that looked at it, `off` those that the settings
    turn off for single files, by path."""
    points = tuple(_point(one, plan.ledger.entries, ran, off or {}) for one in QUESTIONS)
    return Checklist(points, tuple(sorted(plan.failures)))


def _point(
    question: Question, entries: Sequence[Entry], ran: Collection[str], off: Mapping[str, Collection[str]]
) -> Point:
    states = [(entry, _state(entry)) for entry in entries if _is_about(entry, question)]
    kept = sum(state is State.KEPT for _, state in states)
    broken = [Place(State.BROKEN, entry) for entry, state in states if state is State.BROKEN]
    undecided = [Place(State.UNDECIDED, entry) for entry, state in states if state is State.UNDECIDED]
    suppressed = sum(state is None for _, state in states)
    skipped = tuple(rule for rule, _ in question.rules if rule not in ran)
    places = tuple(
        sorted(group, key=lambda place: (place.entry.site, place.entry.rule)) for group in (broken, undecided)
    )
    looking = {rule for rule, _ in question.rules}.difference(skipped)
    passed_over = tuple(sorted(path for path, rules in off.items() if looking.intersection(rules)))
    told = (*places[0], *places[1])
    return Point(question, kept, len(broken), len(undecided), suppressed, told, skipped, passed_over)


def _is_about(entry: Entry, question: Question) -> bool:
    if entry.end is End.REFUSED and not entry.key:
        return False  # a comment that suppresses nothing
    return any(entry.rule == rule and (aspects is None or entry.aspect in aspects) for rule, aspects in question.rules)


def _state(entry: Entry) -> State | None:
    """What a place says of its points; None for a suppressed one."""
    match entry.end:
        case End.RIGHT:
            return State.KEPT
        case End.SUPPRESSED:
            return None
        case End.REFUSED if entry.undecided:
            return State.UNDECIDED
        case _:
            return State.BROKEN


# --- for a terminal -------------------------------------------------------------------------------------------------


def text(checklist: Checklist, seen: Callable[[str], str], limit: int | None = FIRST) -> str:
    """The points, each with its counts and its first places. `seen` gives a path as it is shown on a line."""
    out = [f"{_headline(checklist)}\n"]
    width = max(len(state) for state in State)
    for point in checklist.points:
        out.append(f"\n {point.question.number}  {point.state:{width}}  {point.question.text}\n")
        margin = " " * (width + 6)
        out.append(f"{margin}{_counts(point)}\n")
        shown, more = _first(point, limit)
        for place in shown:
            where = f"{seen(place.entry.site.path)}:{place.entry.site.line}"
            out.append(f"{margin}{where}  {_marked(place)}{visible(place.entry.text)}\n")
        if more:
            out.append(f"{margin}and {more} more (--verbose names all)\n")
    return "".join(out)


def _headline(checklist: Checklist) -> str:
    kept = sum(point.state is State.KEPT for point in checklist.points)
    line = f"Checklist: {kept} of {len(checklist.points)} points kept"
    for state in (State.BROKEN, State.UNDECIDED, State.SKIPPED):
        if count := sum(point.state is state for point in checklist.points):
            line += f", {count} {state}"
    if checklist.failures:
        line += f"; {_unread(checklist)} not looked at"
    return line


def _unread(checklist: Checklist) -> str:
    return _files({failure.path for failure in checklist.failures})


def _files(paths: Collection[str]) -> str:
    return f"{len(paths)} file" if len(paths) == 1 else f"{len(paths)} files"


def _counts(point: Point) -> str:
    """`4 kept, 2 broken, 1 not decidable, of 7 returns of what was loaded`."""
    if point.state is State.SKIPPED:
        return f"its rules are not run: {', '.join(point.skipped)}"
    if not point.looked_at:
        line = f"there are no {point.question.counted}"
    else:
        parts = [
            f"{count} {word}"
            for count, word in (
                (point.kept, "kept"),
                (point.broken, "broken"),
                (point.undecided, "not decidable"),
                (point.suppressed, "suppressed"),
            )
            if count or word in ("kept", "broken")
        ]
        line = f"{', '.join(parts)}, of {point.looked_at} {point.question.counted}"
    if point.skipped:
        line += f"; not run: {', '.join(point.skipped)}"
    return f"{line}; not looked at in {_files(point.passed_over)} (per-file-ignores)" if point.passed_over else line


def _first(point: Point, limit: int | None) -> tuple[tuple[Place, ...], int]:
    shown = point.places if limit is None else point.places[:limit]
    return shown, len(point.places) - len(shown)


def _marked(place: Place) -> str:
    return "cannot be told: " if place.state is State.UNDECIDED else ""


# --- for a pull request ---------------------------------------------------------------------------------------------


def markdown(checklist: Checklist, path: Callable[[str], str], limit: int | None = FIRST) -> str:
    """A task list. A box is ticked when every place keeps the point; one that cannot be decided is left to a person."""
    out = []
    for point in checklist.points:
        box = "x" if point.state is State.KEPT else " "
        out.append(f"- [{box}] {point.question.text}: {prose(_said(point))}\n")
        shown, more = _first(point, limit)
        for place in shown:
            where = code(f"{path(place.entry.site.path)}:{place.entry.site.line}")
            out.append(f"  - {where} {_marked(place)}{prose(place.entry.text)}\n")
        if more:
            out.append(f"  - and {more} more\n")
    if checklist.failures:
        out.append(f"\nNot looked at, because they could not be read ({_unread(checklist)}):\n\n")
        for failure in checklist.failures:
            line = f":{failure.line}" if failure.line else ""
            out.append(f"- {code(path(failure.path) + line)} {prose(failure.message)}\n")
    return "".join(out)


def _said(point: Point) -> str:
    return _counts(point) if point.state is not State.SKIPPED else f"{State.SKIPPED}, {_counts(point)}"


# --- for programs ---------------------------------------------------------------------------------------------------


def report(checklist: Checklist, tool_version: str, path: Callable[[str], str]) -> str:
    """One JSON object, with a final newline; every place is in it."""
    content = {
        "version": FORMAT_VERSION,
        "tool": {"name": "session-codemods", "version": tool_version},
        "broken": checklist.is_broken,
        "points": [_json(point, path) for point in checklist.points],
        "failures": [
            {
                "path": encodable(path(one.path)),
                "stage": one.stage,
                "message": encodable(one.message),
                "line": one.line or None,
            }
            for one in checklist.failures
        ],
    }
    return json.dumps(content, indent=2) + "\n"


def _json(point: Point, path: Callable[[str], str]) -> dict[str, object]:
    return {
        "number": point.question.number,
        "text": point.question.text,
        "counted": point.question.counted,
        "state": point.state.value,
        "kept": point.kept,
        "broken": point.broken,
        "undecided": point.undecided,
        "suppressed": point.suppressed,
        "rules": [rule for rule, _ in point.question.rules],
        "rules_not_run": list(point.skipped),
        "files_not_looked_at": [encodable(path(one)) for one in point.passed_over],
        "places": [
            {
                "path": encodable(path(place.entry.site.path)),
                "line": place.entry.site.line,
                "column": place.entry.site.column,
                "function": encodable(place.entry.site.function),
                "rule": place.entry.rule,
                "state": place.state.value,
                "reason": encodable(place.entry.text),
            }
            for place in point.places
        ],
    }
