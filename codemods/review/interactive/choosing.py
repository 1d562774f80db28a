"""Which groups of a plan a review shows, and what a group is found by. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from codemods.plan import Group, Level
from codemods.saved_plan import SavedPlan


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the groups that are shown have in common. None and empty: anything."""

    rules: Collection[str] = ()
    level: Level | None = None
    path: Callable[[str], bool] | None = None

    def __call__(self, group: Group) -> bool:
        return (
            (not self.rules or not {finding.rule for finding in group.findings}.isdisjoint(self.rules))
            and (self.level is None or group.level is self.level)
            and (self.path is None or any(self.path(path) for path in group.paths))
        )


def shown(plan: SavedPlan, wanted: Callable[[Group], bool], stale: Mapping[str, str]) -> tuple[str, ...]:
    """The ids of the groups to show, in the order of the plan: those wanted that are neither written nor stale."""
    written = plan.written
    return tuple(
        group.id for group in plan.included if group.id not in written and group.id not in stale and wanted(group)
    )


def rule(group: Group) -> str:
    """The rule by which a group is known: that of its first finding."""
    return group.findings[0].rule


def home(group: Group) -> str:
    """The file in which a group is shown: where it was found, or the first that it edits."""
    found = group.findings[0].site.path
    return found if found in group.paths else group.paths[0]


def has_text(group: Group, words: str) -> bool:
    """Whether a text stands in what is told of a group: id, paths, functions, rules, reasons and facts. Any case."""
    told = [group.id, *group.paths]
    for finding in group.findings:
        told += [finding.rule, finding.site.place, finding.site.function, finding.message, finding.reason]
        told += [f"{fact.path}:{fact.line} {fact.text}" for fact in finding.facts]
    return any(words.casefold() in one.casefold() for one in told)
