"""Carries decisions from a saved plan onto a dry run of the present code. Pure.

A group is known by its id, else by the findings that it holds. A decision is carried when what was decided about is the
same: the lines that the group takes away and puts there, its level, what a person is asked to confirm, and something of
what stands beside it. Where they stand in the file does not count: code moves. What changed is asked again, and the new
group's note names the earlier answer.

Equal places of a function have ids that differ by a number alone, and numbers shift when one of them is written, mended
by hand or added. So among equals an id proves nothing: decisions are carried only where there are as many as before, in
a function that is the same as before. And a group that the plan wrote is none that is found now.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from codemods import placing
from codemods.plan import Change, Group
from codemods.planned import ComposeError, changes, remaining
from codemods.review.matching import Stretch, differing
from codemods.saved_plan import OPEN, Decision, SavedPlan, Verdict

_NUMBER = re.compile(r"\d+")
# how the key of a finding ends: the digits of its hash stay
_AMONG_EQUALS = re.compile(r"(?:(?<=:[0-9a-f]{4})|(?<=:[0-9a-f]{12}))(?:\.\d+)?(?:-\d+)?\Z")
_NAMED = 3  # files that are named one by one

Alike = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Carried:
    """A group of the new plan, and what the old plan said of it."""

    group: Group
    was: str  # its id in the old plan
    decision: Decision
    why: str = ""  # why it is asked again; "" when it is not


@dataclass(frozen=True, slots=True)
class Rebase:
    """What became of the groups: every group of either plan is named once at most, undecided ones that stay are not."""

    carried: tuple[Carried, ...]  # decided, and still the same
    reopened: tuple[Carried, ...]  # decided, and changed since
    gone: tuple[tuple[Group, Decision], ...]  # of the old plan, not written, not found any more
    written: tuple[Group, ...]  # of the old plan, written by it
    new: tuple[Group, ...]  # of the new plan, unknown to the old one


def rebased(old: SavedPlan, new: SavedPlan) -> tuple[SavedPlan, Rebase]:
    """The new plan with the old one's decisions, and what became of each. The new plan's own decisions are dropped.

    `old.applied` are the runs that are in the files: what they wrote is not asked about again, and not looked for.
    """
    was, now = _Edits(old), _Edits(replace(new, applied=()))
    pairs = {group.id: (before, same) for group, before, same in _pairs(was, now)}
    plan = replace(new, decisions={}, applied=())
    carried, reopened = [], []
    for group in new.groups:
        if group.id not in pairs:
            continue
        before, same = pairs[group.id]
        if (decision := old.decision(before)) == OPEN:
            continue
        if decision.verdict is not Verdict.OPEN:
            why = _changed(was, before, now, group) if same else "which of the equal places it was cannot be told"
            if why:
                reopened.append(Carried(group, before.id, decision, why))
                decision = Decision(Verdict.OPEN, note=_note(decision, why))
            else:
                carried.append(Carried(group, before.id, decision))
        plan = plan.decided([group], decision)
    known = {before.id for before, _ in pairs.values()}
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


# --- which group was which ------------------------------------------------------------------------------------------


def _pairs(was: _Edits, now: _Edits) -> Iterator[tuple[Group, Group, bool]]:
    """Each group of the new plan that the old one knows, with the old group, each of these once; and whether these are
    the same place. What the old plan wrote is none of them."""
    written = was.plan.written
    left = [group for group in was.plan.groups if group.id not in written]
    waiting = list(now.plan.groups)
    equals = {name for name in {*was.places, *now.places} if max(was.places[name], now.places[name]) > 1}
    old_equals = [group for group in left if equals & _names(group)]
    new_equals = [group for group in waiting if equals & _names(group)]
    yield from _equal_pairs(was, old_equals, now, new_equals)
    other = _known(
        [group for group in left if group not in old_equals], [group for group in waiting if group not in new_equals]
    )
    yield from ((group, before, True) for group, before in other)


def _equal_pairs(
    was: _Edits, left: list[Group], now: _Edits, waiting: list[Group]
) -> Iterator[tuple[Group, Group, bool]]:
    """Pairs of groups that have equals."""
    stand = {group.id: was.place(group) for group in left}
    for group in list(waiting):
        names = _names(group)
        if any(was.open[name] != now.open[name] for name in names):
            continue
        place = now.place(group)
        same = [before for before in left if _names(before) == names and stand[before.id] == place]
        if len(same) == 1:
            left.remove(same[0])
            waiting.remove(group)
            yield group, same[0], True
    # For each one that is left: one with an answer that is asked again, so that no answer goes without a word
    for group in waiting:
        of_it = [before for before in left if not _names(before).isdisjoint(_names(group))]
        answered = [before for before in of_it if was.plan.decision(before).verdict is not Verdict.OPEN]
        if found := next(iter(sorted(answered, key=lambda one: one.id != group.id)), None):
            left.remove(found)
            yield group, found, False


def _known(left: list[Group], waiting: list[Group]) -> Iterator[tuple[Group, Group]]:
    """Pairs of groups that have no equals: by their ids, by all that they hold, by the first thing that they hold."""
    by_id = {group.id: group for group in left}
    for group in list(waiting):
        if before := by_id.pop(group.id, None):
            waiting.remove(group)
            yield group, before
    by_keys = {_keys(group): group for group in by_id.values()}
    for group in list(waiting):
        if before := by_keys.get(_keys(group)):
            del by_id[before.id]
            waiting.remove(group)
            yield group, before
    by_key = {finding.key: group for group in waiting for finding in group.findings}
    for before in list(by_id.values()):
        found = by_key.get(before.findings[0].key)
        if found in waiting:
            waiting.remove(found)
            yield found, before


def _keys(group: Group) -> frozenset[str]:
    return frozenset(finding.key for finding in group.findings)


def _names(group: Group) -> frozenset[str]:
    """What its findings are called without the numbers that tell equals apart."""
    return frozenset(_name(finding.key) for finding in group.findings)


def _name(key: str) -> str:
    return _AMONG_EQUALS.sub("", key)


# --- whether it is the same -----------------------------------------------------------------------------------------


class _Edits:
    """The edits of a plan's groups, each by itself where all that is written stands."""

    def __init__(self, plan: SavedPlan) -> None:
        self.plan = plan
        self._made = remaining(plan, plan.applied)
        self._changes: dict[str, tuple[Change, ...] | None] = {}

    @cached_property
    def places(self) -> Counter[str]:
        """How many findings have a name, whatever became of them."""
        return Counter(map(_name, self._found))

    @cached_property
    def open(self) -> Counter[str]:
        """The same without those that are written."""
        written = {finding.key for group in self._made for finding in group.findings}
        return Counter(_name(key) for key in self._found - written)

    @cached_property
    def _found(self) -> frozenset[str]:
        grouped = {finding.key for group in self.plan.groups for finding in group.findings}
        return frozenset(grouped | {entry.key for entry in self.plan.ledger.entries if entry.key})

    def of(self, group: Group) -> tuple[Change, ...] | None:
        """The files that the group changes; None when it cannot be made."""
        if group.id not in self._changes:
            try:
                self._changes[group.id] = changes(self.plan, [group], self._made)
            except (ComposeError, UnicodeError, LookupError):
                self._changes[group.id] = None
        return self._changes[group.id]

    def lines(self, group: Group) -> Alike:
        """The lines that the group takes away and puts there, file by file."""
        made = self.of(group)
        if made is None:
            return (object(),)  # like nothing else: what cannot be made is asked again
        found = []
        for change in made:
            old, new = (change.before or b"").splitlines(), change.after.splitlines()
            for stretch in differing(old, new):
                found.append((change.path, *old[stretch.first : stretch.last]))
                found.append((change.path, *new[stretch.new_first : stretch.new_last]))
        return tuple(found)

    def place(self, group: Group) -> Alike:
        """The functions in which the group was found, whole, and the lines of them that it edits."""
        found = [
            (
                path,
                name,
                tuple(lines[slice(*extent)]),
                *((one.first - extent[0], one.last - extent[0]) for one in edited),
            )
            for path, name, lines, extent, edited in self._functions(group)
        ]
        return tuple(found) if found else (object(),)

    def beside(self, group: Group) -> list[placing.Neighbours]:
        """What stands next to the group's edits, in the functions in which it was found."""
        return [
            placing.neighbours(lines, one, extent)
            for _, _, lines, extent, edited in self._functions(group)
            for one in edited
        ]

    def _functions(self, group: Group) -> Iterator[tuple[str, str, list[bytes], placing.Extent, list[Stretch]]]:
        """The functions that findings of the group are in and its edits touch: file, name, the lines of the file, those
        of the function, and the edits."""
        for change in self.of(group) or ():
            before = change.before or b""
            lines, stretches = before.splitlines(), differing(before.splitlines(), change.after.splitlines())
            file = self.plan.file(change.path)
            module = file.module if file is not None else ""
            sites = {one.site.function for one in group.findings if one.site.path == change.path}
            for function in sorted(sites):
                dotted = function == change.path or function == module
                name = "" if dotted else function.removeprefix(f"{module}." if module else "")
                for extent in placing.extents(before, name):
                    if edited := placing.inside(stretches, extent):
                        yield change.path, name, lines, extent, edited


def _changed(was: _Edits, before: Group, now: _Edits, group: Group) -> str:
    """What is another thing than it was when a group was decided about; "" when nothing is."""
    if _asked(before) != _asked(group):
        return "what is asked changed since"
    if was.lines(before) != now.lines(group):
        return "its edits changed since"
    pairs = zip(was.beside(before), now.beside(group), strict=False)
    if any(one.above != other.above and one.below != other.below for one, other in pairs):
        return "what stands around it changed since"
    return ""


def _asked(group: Group) -> Alike:
    """What a person is asked to confirm."""
    return tuple(sorted((finding.rule, finding.level, _NUMBER.sub("", finding.reason)) for finding in group.findings))


def _note(decision: Decision, why: str) -> str:
    by = f" by {decision.by}" if decision.by else ""
    at = f" at {decision.at}" if decision.at else ""
    note = f", note: {decision.note}" if decision.note else ""
    return f"was {decision.verdict}{by}{at}{note}; {why}"
