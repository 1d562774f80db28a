"""Carries decisions from a saved plan onto a dry run of the present code. Pure.

A group is known by its id, else by the findings that it holds. A decision is carried when what was decided about is the
same: the lines that the group takes away and puts there, its level, and what a person is asked to confirm. Where they
stand does not count: code moves. What changed is asked again, and the new group's note names the earlier answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from codemods.plan import Group
from codemods.planned import ComposeError, changes
from codemods.review.matching import differing
from codemods.saved_plan import OPEN, Decision, SavedPlan, Verdict

_NUMBER = re.compile(r"\d+")
_NAMED = 3  # files that are named one by one

Alike = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Carried:
    """A group of the new plan, and what the old plan said of it."""

    group: Group
    was: str  # its id in the old plan
    decision: Decision


@dataclass(frozen=True, slots=True)
class Rebase:
    """What became of the groups: every group of either plan is named once at most, undecided ones that stay are not."""

    carried: tuple[Carried, ...]  # decided, and still the same
    reopened: tuple[Carried, ...]  # decided, and changed since
    gone: tuple[tuple[Group, Decision], ...]  # of the old plan, not written, not found any more
    written: tuple[Group, ...]  # of the old plan, written by it
    new: tuple[Group, ...]  # of the new plan, unknown to the old one


def rebased(old: SavedPlan, new: SavedPlan) -> tuple[SavedPlan, Rebase]:
    """The new plan with the old one's decisions, and what became of each. The new plan's own decisions are dropped."""
    pairs = dict(_pairs(old.groups, new.groups))
    plan = replace(new, decisions={}, applied=())
    carried, reopened = [], []
    for group in new.groups:
        before = pairs.get(group.id)
        if before is None or (decision := old.decision(before)) == OPEN:
            continue
        if decision.verdict is not Verdict.OPEN and _alike(old, before) != _alike(new, group):
            reopened.append(Carried(group, before.id, decision))
            decision = Decision(Verdict.OPEN, note=_changed_since(decision))
        elif decision.verdict is not Verdict.OPEN:
            carried.append(Carried(group, before.id, decision))
        plan = plan.decided([group], decision)
    known = {before.id for before in pairs.values()}
    missing = [group for group in old.groups if group.id not in known]
    return plan, Rebase(
        tuple(carried),
        tuple(reopened),
        tuple((group, old.decision(group)) for group in missing if group.id not in old.written),
        tuple(group for group in missing if group.id in old.written),
        tuple(group for group in new.groups if group.id not in pairs),
    )


def lost(old: SavedPlan, new: SavedPlan, report: Rebase) -> str:
    """Why the rebased plan must not take the place of the old one, since answers would be lost that may still be of
    worth; "" when it may."""
    gone = [group for group, decision in report.gone if decision.verdict is not Verdict.OPEN]
    if not gone:
        return ""
    answers = f"{len(gone)} answer{'s' if len(gone) != 1 else ''}"
    before = {(failure.path, failure.stage) for failure in old.failures}
    if failed := [failure for failure in sorted(new.failures) if (failure.path, failure.stage) not in before]:
        named = "; ".join(f"{one.path}: {one.message}" for one in failed[:_NAMED])
        more = f"; and {len(failed) - _NAMED} more" if len(failed) > _NAMED else ""
        return f"{answers} would be lost while files cannot be handled ({named}{more}); mend these first"
    if len(report.new) == len(new.groups):
        return f"none of its groups is found any more, and {answers} would be lost; `diff --save` makes another plan"
    return ""


def _pairs(old: Iterable[Group], new: Iterable[Group]) -> Iterator[tuple[str, Group]]:
    """The id of each new group that the old plan knows, with the old group; each of these once."""
    left, waiting = {group.id: group for group in old}, list(new)
    for group in list(waiting):
        if before := left.pop(group.id, None):
            waiting.remove(group)
            yield group.id, before
    by_keys = {_keys(group): group for group in left.values()}
    for group in list(waiting):
        if before := by_keys.get(_keys(group)):
            del left[before.id]
            waiting.remove(group)
            yield group.id, before
    by_key = {finding.key: group for group in waiting for finding in group.findings}
    for before in list(left.values()):
        found = by_key.get(before.findings[0].key)
        if found in waiting:
            waiting.remove(found)
            yield found.id, before


def _keys(group: Group) -> frozenset[str]:
    return frozenset(finding.key for finding in group.findings)


def _alike(plan: SavedPlan, group: Group) -> Alike:
    """All that a decision about a group was made about; equal for groups that differ only in where they stand."""
    confirm = sorted((finding.rule, finding.level, _NUMBER.sub("", finding.reason)) for finding in group.findings)
    return tuple(confirm), _lines(plan, group)


def _lines(plan: SavedPlan, group: Group) -> Alike:
    """The lines that the group takes away and puts there, file by file."""
    try:
        made = changes(plan, [group])
    except (ComposeError, UnicodeError, LookupError):
        return (object(),)  # like nothing else: what cannot be made is asked again
    found = []
    for change in made:
        old, new = (change.before or b"").splitlines(), change.after.splitlines()
        for stretch in differing(old, new):
            found.append((change.path, *old[stretch.first : stretch.last]))
            found.append((change.path, *new[stretch.new_first : stretch.new_last]))
    return tuple(found)


def _changed_since(decision: Decision) -> str:
    by = f" by {decision.by}" if decision.by else ""
    at = f" at {decision.at}" if decision.at else ""
    note = f", note: {decision.note}" if decision.note else ""
    return f"was {decision.verdict}{by}{at}{note}; its edits changed since"
