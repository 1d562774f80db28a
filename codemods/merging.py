"""Two people's decisions about one plan become one set. Pure.

Both began with the same plan and answered on their own; what one of them did not touch is taken from the other.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime

from codemods.saved_plan import OPEN, AppliedRun, Decision, SavedPlan


class AnotherPlan(Exception):
    """The two are not the same dry run: their decisions speak of other edits."""


@dataclass(frozen=True, slots=True)
class Clash:
    """A group that both decided, each in another way. `kept` holds now, `lost` does not."""

    group: str
    kept: Decision
    lost: Decision


@dataclass(frozen=True, slots=True)
class Merged:
    plan: SavedPlan
    clashes: tuple[Clash, ...]


def merged(base: SavedPlan, ours: SavedPlan, theirs: SavedPlan) -> Merged:
    """`theirs` with what changed between `base` and `ours`: the decisions of both, the runs that they applied.

    What both decided since `base` has the newest answer. Taking an answer back takes back one's own alone: it never
    takes away what the other one answered since. Raises AnotherPlan when `theirs` was made by another dry run.
    """
    if _bare(ours) != _bare(theirs):
        raise AnotherPlan
    decisions = dict(theirs.decisions)
    clashes: list[Clash] = []
    for group in sorted({*base.decisions, *ours.decisions, *theirs.decisions}):
        was, our, their = (plan.decisions.get(group, OPEN) for plan in (base, ours, theirs))
        if our in (was, their):
            continue
        kept = our if their == was or _is_newer(our, their) else their
        if their != was:
            clashes.append(Clash(group, kept, their if kept == our else our))
        decisions[group] = kept
    kept_decisions = {group: one for group, one in decisions.items() if one != OPEN}
    return Merged(replace(theirs, decisions=kept_decisions, applied=_applied(base, ours, theirs)), tuple(clashes))


def _applied(base: SavedPlan, ours: SavedPlan, theirs: SavedPlan) -> tuple[AppliedRun, ...]:
    """The runs of both: what one of them added since `base` is there, what one of them took out is not."""
    was, our = {run.run for run in base.applied}, {run.run for run in ours.applied}
    kept = [run for run in theirs.applied if run.run in our or run.run not in was]
    there = {run.run for run in kept}
    return (*kept, *(run for run in ours.applied if run.run not in was | there))


def _bare(plan: SavedPlan) -> SavedPlan:
    """The dry run alone, without what came after it."""
    return replace(plan, decisions={}, applied=())


def _is_newer(our: Decision, their: Decision) -> bool:
    if our == OPEN:
        return False
    return _time(our) >= _time(their)


def _time(decision: Decision) -> datetime:
    """When it was decided; long ago where that is not told, or not in a form that can be read."""
    try:
        at = datetime.fromisoformat(decision.at)
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
    return at if at.tzinfo else at.replace(tzinfo=UTC)
