"""The arithmetic: what one run took, and what is said of many. Touches nothing.

Everything is a median over the rounds. A ratio is the median of the ratios within each round, where both commands met
the same load of the machine, and not the ratio of two medians.
"""

from __future__ import annotations

import dataclasses
import operator
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Run:
    """What one run of a command took. `cpu` is user and system time with that of its children; `memory` is in bytes."""

    wall: float
    cpu: float
    memory: int


@dataclass(frozen=True, slots=True)
class Edits:
    """What making the edits of one run took: how many there were, and the CPU seconds."""

    count: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Figures:
    """The medians of the runs of one command on one tree; the `own_` ones without the start-up of its program."""

    runs: int
    wall: float
    own_wall: float
    cpu: float
    own_cpu: float
    memory: float


@dataclass(frozen=True, slots=True)
class Measured:
    """One tree and the runs on it: for each command, by its name, those of the rounds, the first round first."""

    tree: str
    files: int
    lines: int
    runs: Mapping[str, Sequence[Run]]


def figures(runs: Sequence[Run], start: Sequence[Run]) -> Figures:
    """The medians of `runs`, and these less the medians of `start`, the runs that only start the program.

    Less than nothing is never left: a command may be quicker than its `--version`. Raises StatisticsError without runs.
    """
    wall = statistics.median(run.wall for run in runs)
    cpu = statistics.median(run.cpu for run in runs)
    return Figures(
        runs=len(runs),
        wall=wall,
        own_wall=max(0.0, wall - (statistics.median(run.wall for run in start) if start else 0)),
        cpu=cpu,
        own_cpu=max(0.0, cpu - (statistics.median(run.cpu for run in start) if start else 0)),
        memory=statistics.median(run.memory for run in runs),
    )


def ratio(
    ours: Sequence[Run], theirs: Sequence[Run], what: Callable[[Run], float] = operator.attrgetter("wall")
) -> float | None:
    """How many times as much ours took: the median over the rounds that both ran in, None when there are none.

    `what` is what is compared of two runs of one round; a round in which theirs took nothing is left out.
    """
    shares = [what(one) / what(other) for one, other in zip(ours, theirs, strict=False) if what(other) > 0]
    return statistics.median(shares) if shares else None


def own_ratio(
    ours: Sequence[Run], our_start: Sequence[Run], theirs: Sequence[Run], their_start: Sequence[Run]
) -> float | None:
    """As `ratio` of the wall times, each without the median start-up of its program. None also where that is all."""
    return ratio(_without(our_start, ours), _without(their_start, theirs))


def _without(start: Sequence[Run], runs: Sequence[Run]) -> list[Run]:
    wall = statistics.median(run.wall for run in start) if start else 0.0
    return [dataclasses.replace(run, wall=max(0.0, run.wall - wall)) for run in runs]


def per_line(trees: Sequence[Measured], command: str, start: Sequence[Run]) -> tuple[float | None, ...]:
    """For each tree the time that a line of it takes, as a multiple of what a line of the first tree takes.

    The start-up is taken off: it would make everything look as if it grew slower than the tree. 1 throughout is linear
    growth; None stands where the command did not run, or the first tree has no runs of it.
    """
    costs = [_seconds_of_a_line(tree, command, start) for tree in trees]
    first = costs[0] if costs else None
    return tuple(cost / first if cost is not None and first else None for cost in costs)


def _seconds_of_a_line(tree: Measured, command: str, start: Sequence[Run]) -> float | None:
    runs = tree.runs.get(command, ())
    if not runs or not tree.lines:
        return None
    return figures(runs, start).own_wall / tree.lines
