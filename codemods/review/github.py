"""The plan as workflow commands, which GitHub's runner turns into annotations of the changed lines. Pure.

Only what begins a line with `::` is a command; every text of others is escaped as the runner takes it back.

GitHub shows a few annotations of each kind for a step (`SHOWN`) and keeps the rest in the log, without their places.
So the first finding of every group comes before the others, each message names its place, and when there are more a
notice says how many.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from codemods.plan import UNUSED, Entry, Failure, Finding, Level, Plan, Site
from codemods.review.visible import visible
from codemods.review.words import counted

SHOWN = 10  # of each kind, for one step


@dataclass(frozen=True, slots=True)
class _Annotation:
    kind: str  # error, warning, notice
    title: str
    message: str
    path: str
    site: Site | None  # None: of the file as a whole, or of a line of it
    line: int = 0


def report(plan: Plan, path: Callable[[str], str]) -> str:
    """One line for each file that could not be handled, each finding and each place left alone.

    `path` turns a path of the plan into the one from the top of the repository.
    """
    annotations = [*map(_failure, sorted(plan.failures)), *_findings(plan)]
    annotations += [_left_alone(entry) for entry in sorted(plan.refused, key=lambda entry: (entry.site, entry.rule))]
    return _surplus(annotations) + "".join(_command(one, path) for one in annotations)


def _findings(plan: Plan) -> Iterator[_Annotation]:
    found = [(number > 0, one) for group in plan.included for number, one in enumerate(group.findings)]
    for _, finding in sorted(found, key=lambda pair: (pair[0], pair[1].site, pair[1].key)):
        yield _finding(finding)


def _finding(finding: Finding) -> _Annotation:
    reason = f" ({finding.reason})" if finding.reason else ""
    title = f"{finding.rule} ({finding.level.label})"
    return _Annotation("warning", title, f"{finding.message}{reason}", finding.site.path, finding.site)


def _left_alone(entry: Entry) -> _Annotation:
    told = f"left alone: {entry.text}" + (f" -> {entry.advice}" if entry.advice else "")
    title = f"{entry.rule} ({Level.MANUAL.label})" if entry.rule != UNUSED else "session-codemods"
    return _Annotation("notice", title, told, entry.site.path, entry.site)


def _failure(failure: Failure) -> _Annotation:
    return _Annotation("error", f"not handled: {failure.stage}", failure.message, failure.path, None, failure.line)


def _surplus(annotations: list[_Annotation]) -> str:
    """A notice, before all others, when GitHub will not show them all."""
    counts = Counter(one.kind for one in annotations)
    if all(count <= SHOWN for count in counts.values()):
        return ""
    told = ", ".join(counted(counts[kind], kind) for kind in ("error", "warning", "notice") if counts[kind])
    text = f"{told}; GitHub shows about {SHOWN} of each kind for a step, the log of the step names all"
    return f"::notice title=session-codemods::{_data(text)}\n"


def _command(one: _Annotation, path: Callable[[str], str]) -> str:
    shown = visible(path(one.path))
    properties = {"file": shown, **_region(one), "title": visible(one.title)}
    written = ",".join(f"{name}={_property(value)}" for name, value in properties.items())
    line = one.site.line if one.site else one.line
    place = f"{shown}:{line}" if line > 0 else shown
    return f"::{one.kind} {written}::{_data(f'{place}: {visible(one.message)}')}\n"


def _region(one: _Annotation) -> dict[str, str]:
    """The runner drops columns of a stretch that has more than one line."""
    site = one.site
    if site is None or site.line < 1:
        return {"line": str(one.line)} if one.line > 0 else {}
    if site.end_line > site.line:
        return {"line": str(site.line), "endLine": str(site.end_line)}
    region = {"line": str(site.line), "endLine": str(site.line)}
    if 1 <= site.column <= site.end_column:
        region |= {"col": str(site.column), "endColumn": str(site.end_column)}
    return region


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
