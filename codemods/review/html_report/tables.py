"""The numbers of the page: tables whose rows and columns add up. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from codemods.plan import End, Entry, Ledger, Level
from codemods.review import words
from codemods.review.html_report.cards import STATES, state
from codemods.saved_plan import SavedPlan

ENDS = {end: word for end, word in words.ENDS.items() if end is not End.KNOWN}  # a saved plan knows of all


@dataclass(frozen=True, slots=True)
class Row:
    """`filter` is what the row's name is typed as in the filter of the table; "" for none."""

    name: str
    counts: tuple[int, ...]
    filter: str = ""
    told: str = ""

    @property
    def total(self) -> int:
        return sum(self.counts)


@dataclass(frozen=True, slots=True)
class Table:
    """`filters` names the filter that a row's name sets: rule, path, or ""; `columns` has no "total"."""

    id: str
    title: str
    head: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    filters: str = ""

    @property
    def total(self) -> Row:
        return Row("total", tuple(sum(row.counts[at] for row in self.rows) for at in range(len(self.columns))))


def per_rule(ledger: Ledger, summaries: Mapping[str, str]) -> Table:
    """How many places came to which end, rule by rule."""
    rows = tuple(
        Row(rule, counts, rule, summaries.get(rule, "")) for rule, counts in _counted(ledger, lambda one: one.rule)
    )
    return Table("rules", "Per rule", "rule", tuple(ENDS.values()), rows, "rule")


def per_folder(ledger: Ledger) -> Table:
    """How many places came to which end, folder by folder; a folder does not count those in it."""

    def folder(entry: Entry) -> str:
        return entry.site.path.rpartition("/")[0]

    rows = tuple(
        Row(f"{name}/" if name else "(root)", counts, f"{name}/" if name else "")
        for name, counts in _counted(ledger, folder)
    )
    return Table("folders", "Per folder", "folder", tuple(ENDS.values()), rows, "path")


def decisions(plan: SavedPlan) -> Table:
    """How many groups of which level were decided how."""
    found = Counter((state(plan, group), group.level) for group in plan.groups)
    levels = (Level.SAFE, Level.REVIEW)
    rows = tuple(Row(name, tuple(found[name, level] for level in levels), name) for name in STATES)
    return Table("decisions", "Decisions", "groups", tuple(level.label for level in levels), _present(rows), "decision")


def _present(rows: Iterable[Row]) -> tuple[Row, ...]:
    """The rows that say something; open, accepted and refused always do."""
    return tuple(row for row in rows if row.total or row.name in STATES[:3])


def _counted(ledger: Ledger, name: Callable[[Entry], str]) -> list[tuple[str, tuple[int, ...]]]:
    found = Counter((name(entry), entry.end) for entry in ledger.entries)
    return [(one, tuple(found[one, end] for end in ENDS)) for one in sorted({one for one, _ in found})]
