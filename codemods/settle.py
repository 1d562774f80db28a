"""Findings to groups: what can be made together, what has to go because something it needs is not there. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from codemods.plan import (
    AddArgument,
    AddFinally,
    AddFunction,
    AddItem,
    ChainCall,
    ChangeArguments,
    ChangeDefinition,
    ChangeParameters,
    CreateFile,
    DissolveBlock,
    DissolveTry,
    Edit,
    Finding,
    Group,
    GuardBlock,
    InsertAfter,
    InsertBefore,
    Level,
    LoopToBlock,
    NameReturned,
    OpenBlock,
    RemoveStatement,
    ReplaceExpression,
    ReplaceStatement,
    WidenBlock,
)


@dataclass(frozen=True, slots=True)
class Settled:
    groups: tuple[Group, ...]
    refused: Mapping[str, str]  # finding key -> why it is not made after all


def settle(
    findings: Sequence[Finding],
    dropped: Mapping[str, str],
    wanted: Collection[str],
    *,
    cross_paths: bool = False,
    right: Collection[tuple[str, str, int]] = (),
) -> Settled:
    """The greatest set of findings that can be made, in groups.

    `dropped` are keys that must not be made, with the reason. A finding whose requirement is refused goes too; of two
    edits that overlap without one holding the other the later one loses; a group that reaches into files that were not
    asked for is refused unless `cross_paths`. `right` are the places (rule, path, line) that need no change.
    """
    refused: dict[str, str] = {f.key: dropped[f.key] for f in findings if f.key in dropped}
    live = {f.key: f for f in findings if f.edits and f.level is not Level.MANUAL and f.key not in refused}
    while True:
        gone = (
            _unasked(live, wanted)
            or _unmet(live, right, set() if cross_paths else wanted)
            or _overlapping(live)
            or _out_of_bounds(live, wanted, cross_paths)
        )
        if not gone:
            break
        refused |= gone
        for key in gone:
            del live[key]
    return Settled(_groups(live), refused)


def _unasked(live: Mapping[str, Finding], wanted: Collection[str]) -> dict[str, str]:
    """What was only looked at because a finding of a file that was asked for may need it, and none does."""
    places = _places(live)
    reached: set[str] = set()
    waiting = [key for key, finding in live.items() if finding.site.path in wanted]
    while waiting:
        key = waiting.pop()
        if key in reached or key not in live:
            continue
        reached.add(key)
        finding = live[key]
        waiting += [*finding.requires, *_at(finding, places)]
    return {key: "it was not asked for" for key in live if key not in reached}


def _unmet(
    live: Mapping[str, Finding], right: Collection[tuple[str, str, int]], bounds: Collection[str]
) -> dict[str, str]:
    gone = {
        finding.key: f"it needs {needed}, which is not made"
        for finding in live.values()
        for needed in finding.requires
        if needed not in live
    }
    places = _places(live)
    for finding in live.values():
        for place in finding.requires_at:
            _, path, line = place
            if place not in places and place not in right:
                general = f"{path}:{line} would have to change with it, and is left alone"
                gone[finding.key] = finding.unless or general
            elif place in places and bounds and path not in bounds:
                gone[finding.key] = f"{path}:{line} would have to change with it, and was not asked for (--cross-paths)"
    return gone


def _at(finding: Finding, places: Mapping[tuple[str, str, int], list[str]]) -> list[str]:
    """The keys of the findings at the places that a finding needs."""
    return [key for place in finding.requires_at for key in places.get(place, ())]


def _places(live: Mapping[str, Finding]) -> dict[tuple[str, str, int], list[str]]:
    """The keys of the findings by rule and place."""
    found: dict[tuple[str, str, int], list[str]] = {}
    for finding in live.values():
        found.setdefault((finding.rule, finding.site.path, finding.site.line), []).append(finding.key)
    return found


def _overlapping(live: Mapping[str, Finding]) -> dict[str, str]:
    taken: list[tuple[str, int, int, str, bool]] = []
    shared: dict[Edit, str] = {}  # several findings may need one and the same edit: it is made once
    opened: set[tuple[str, int, int, str | None]] = set()  # two blocks of one name over the same lines would be one
    gone: dict[str, str] = {}
    for finding in live.values():
        for edit in finding.edits:
            if shared.setdefault(edit, finding.key) != finding.key:
                continue
            first, last = _extent(edit)
            for path, other_first, other_last, key, sole in taken:
                if path != edit.path or key == finding.key:
                    continue
                crosses = first < other_first <= last < other_last or other_first < first <= other_last < last
                same = sole and isinstance(edit, _SOLE) and first == other_first
                same = same or (isinstance(edit, OpenBlock) and (edit.path, first, last, edit.name) in opened)
                if crosses or same:
                    gone[finding.key] = f"it would overlap with {key}"
            taken.append((edit.path, first, last, finding.key, isinstance(edit, _SOLE)))
            if isinstance(edit, OpenBlock):
                opened.add((edit.path, first, last, edit.name))
        if gone:
            return gone
    return gone


# two of these cannot have the same statement
_SOLE = (RemoveStatement, ReplaceStatement, NameReturned)


def _extent(edit: Edit) -> tuple[int, int]:
    match edit:
        case OpenBlock(first=first, last=last) | GuardBlock(first=first, last=last):
            return first, last
        case WidenBlock(block=block, last=last):
            return block, last
        case ReplaceExpression(span=span) | AddArgument(span=span) | AddItem(span=span):
            return span.line, span.line
        case ChainCall(span=span) | ChangeArguments(span=span):
            return span.line, span.line
        case CreateFile():
            return 0, 0
        case (
            RemoveStatement(line=line)
            | DissolveTry(line=line)
            | DissolveBlock(line=line)
            | AddFinally(line=line)
            | LoopToBlock(line=line)
            | ReplaceStatement(line=line)
            | ChangeDefinition(line=line)
            | InsertBefore(line=line)
            | InsertAfter(line=line)
            | NameReturned(line=line)
            | ChangeParameters(line=line)
            | AddFunction(line=line)
        ):
            return line, line


def _out_of_bounds(live: Mapping[str, Finding], wanted: Collection[str], cross_paths: bool) -> dict[str, str]:
    if cross_paths:
        return {}
    gone: dict[str, str] = {}
    for group in _groups(live):
        outside = [path for path in group.paths if path not in wanted]
        if outside:
            reason = f"it would edit {outside[0]}, which was not asked for (--cross-paths)"
            gone |= {finding.key: reason for finding in group.findings}
    return gone


def _groups(live: Mapping[str, Finding]) -> tuple[Group, ...]:
    """The connected components under `requires`, shared edits, and `requires_at` of what is trusted less or needs this
    in turn."""
    leader = {key: key for key in live}

    def find(key: str) -> str:
        while leader[key] != key:
            key = leader[key]
        return key

    places = _places(live)
    holders: dict[Edit, str] = {}
    for finding in live.values():
        # what is trusted as far, or further, is made by every level that makes this; it must not wait for this in turn,
        # and a person who decides group by group is told what a group needs (`SavedPlan.needs`)
        here = (finding.rule, finding.site.path, finding.site.line)
        at = [key for key in _at(finding, places) if live[key].level > finding.level or here in live[key].requires_at]
        at += [holders.setdefault(edit, finding.key) for edit in finding.edits]
        for needed in [*finding.requires, *at]:
            first, second = sorted((find(finding.key), find(needed)))
            leader[second] = first
    members: dict[str, list[Finding]] = {}
    for key, finding in live.items():
        members.setdefault(find(key), []).append(finding)
    groups = [Group(found[0].key, tuple(found)) for found in members.values()]
    return tuple(sorted(groups, key=lambda group: (group.findings[0].site, group.id)))
