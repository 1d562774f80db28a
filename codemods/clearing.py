"""What becomes possible when makers of sessions get `expire_on_commit=False` in the same run (`design.md` 3, step 9).

The rules look twice: at the project as it is, and at the project in which these makers count as cleared. This module
says which makers are meant, and puts what was found in the two looks together. Pure.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from codemods.flow.session_makers import OPTION
from codemods.plan import AddArgument, Examined, Fact, Finding, Level
from codemods.project.expressions import expression
from codemods.project.facts import Call
from codemods.rules.base import ModuleView

RULE = "engine-pool"


@dataclass(frozen=True, slots=True)
class Cleared:
    """The makers that count as cleared in the second look, and the findings that clear them."""

    calls: frozenset[tuple[str, Call]] = frozenset()
    findings: tuple[Finding, ...] = ()


def clears(finding: Finding) -> bool:
    """Whether a finding writes `expire_on_commit=False` into the call of a maker."""
    return finding.rule == RULE and any(
        isinstance(edit, AddArgument) and edit.text == f"{OPTION}=False" for edit in finding.edits
    )


def cleared(findings: Iterable[Finding], view_of: Callable[[str], ModuleView | None]) -> Cleared:
    """The makers that these findings clear.

    A call that is written in the same way elsewhere in its file, where it is not cleared, cannot be told from that one:
    then neither counts.
    """
    by_path: dict[str, list[Finding]] = {}
    for finding in findings:
        if clears(finding):
            by_path.setdefault(finding.site.path, []).append(finding)
    calls: set[tuple[str, Call]] = set()
    kept: list[Finding] = []
    for path, here in sorted(by_path.items()):
        view = view_of(path)
        if view is None:
            continue
        spans = {edit.span: finding for finding in here for edit in finding.edits if isinstance(edit, AddArgument)}
        alike: dict[Call, list[Finding | None]] = {}
        for node in ast.walk(view.tree):
            if isinstance(node, ast.Call) and isinstance(told := expression(node), Call):
                alike.setdefault(told, []).append(spans.get(view.span(node)) if spans else None)
        for told, makers in alike.items():
            found = [one for one in makers if one is not None]
            if found and len(found) == len(makers):
                calls.add((path, told))
                kept += found
    return Cleared(frozenset(calls), tuple(sorted(kept, key=lambda one: (one.site, one.key))))


def may_gain(now: Iterable[Examined]) -> bool:
    """Whether a second look at a file can find anything: only where something was refused that is not about makers."""
    return any(isinstance(one, Finding) and one.rule != RULE and one.level is Level.MANUAL for one in now)


def merged(now: Sequence[Examined], then: Sequence[Examined], makers: Sequence[Finding]) -> list[Examined]:
    """What is to be said of one file: `now`, but for what can only be done when `makers` are cleared, in `then`.

    A change of `then` takes the place of a refusal or a `Right`, or of nothing; it requires the makers, and gives the
    refusal as its reason where one of them stays as it is.
    """
    result: list[Examined] = list(now)
    index = {(one.rule, one.site): number for number, one in enumerate(now)}
    keys = {one.key: (one.rule, one.site) for one in now if isinstance(one, Finding)}
    for one in then:
        if not isinstance(one, Finding) or not one.edits or one.level is Level.MANUAL:
            continue
        place = (one.rule, one.site)
        number = index.get(place)
        before = now[number] if number is not None else None
        if keys.get(one.key, place) != place or (isinstance(before, Finding) and before.edits):
            continue
        ahead = _requiring(one, makers, before.reason if isinstance(before, Finding) else "")
        if number is None:
            result.append(ahead)
        else:
            result[number] = ahead
    return result


def _requiring(finding: Finding, makers: Sequence[Finding], reason: str) -> Finding:
    places = tuple((one.rule, one.site.path, one.site.line) for one in makers)
    facts = tuple(Fact(one.site.path, one.site.line, f"{OPTION}=False is set with it") for one in makers)
    return replace(
        finding,
        facts=(*finding.facts, *facts),
        requires=tuple(dict.fromkeys([*finding.requires, *(one.key for one in makers)])),
        requires_at=tuple(dict.fromkeys([*finding.requires_at, *places])),
        unless=reason or finding.unless,
    )
