"""What was measured, as all who tell of it get it, and how figures are written. Touches nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from benchmarks.figures import Edits, Measured, Run

MISSING = "-"


@dataclass(frozen=True, slots=True)
class Report:
    """All that is said: trees of their own, those that are copies of one, smallest first, and what went before."""

    trees: Sequence[Measured]  # told of command by command
    growth: Sequence[Measured]
    starts: Mapping[str, Sequence[Run]]  # program -> runs that only start it
    programs: Mapping[str, str]  # command -> its program
    about: str  # machine and versions
    notes: Sequence[str]  # what was not measured, and why
    corpus: Sequence[Measured] = ()  # told of in a line each
    roles: Mapping[str, str] = field(default_factory=dict)  # what a tree stands for -> its name
    edits: Mapping[str, Sequence[Edits]] = field(default_factory=dict)  # by tree

    def role(self, role: str) -> Measured | None:
        """The tree that stands for this, if it was measured."""
        every = {tree.tree: tree for tree in (*self.trees, *self.corpus, *self.growth)}
        return every.get(self.roles.get(role, ""))


def seconds(value: float) -> str:
    """Seconds with as many digits as a benchmark can vouch for."""
    return f"{value:.3f}" if value < 1 else f"{value:.2f}" if value < 10 else f"{value:.1f}"


def memory(value: float) -> str:
    """Megabytes, of 1,000,000 bytes."""
    return f"{value / 1e6:,.0f}"


def times(value: float | None) -> str:
    """A ratio in words: `12x`, `1.5x`, `0.31x`, and `1/40` where ours takes less than a tenth."""
    if value is None:
        return MISSING
    if value >= 10:
        return f"{value:.0f}x"
    if value >= 1:
        return f"{value:.1f}x"
    return f"{value:.2f}x" if value >= 0.1 or value <= 0 else f"1/{1 / value:.0f}"
