"""The arithmetic: what one run took, and what is said of many. Touches nothing.

Everything is a median over the rounds. A ratio is the median of the ratios within each round, where both commands met
the same load of the machine, and not the ratio of two medians.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Run:
    """What one run of a command took. `cpu` is user and system time with that of its children; `memory` is in bytes."""

    wall: float
    cpu: float
    memory: int


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
        own_wall=max(0.0, wall - statistics.median(run.wall for run in start)),
        cpu=cpu,
        own_cpu=max(0.0, cpu - statistics.median(run.cpu for run in start)),
        memory=statistics.median(run.memory for run in runs),
    )


def ratio(ours: Sequence[Run], theirs: Sequence[Run]) -> float | None:
    """How many times as long ours took: the median over the rounds that both ran in, None when there are none."""
    shares = [one.wall / other.wall for one, other in zip(ours, theirs, strict=False) if other.wall > 0]
    return statistics.median(shares) if shares else None


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
