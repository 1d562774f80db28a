"""What the tool is to reach, each beside what was measured. Touches nothing.

The trees have roles: one stands for an application of 50,000 lines or more, one is the densest in async sessions, one
has 100,000 lines. What was not measured is said so, and what is missed stands there like the rest.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from benchmarks.figures import Edits, Measured, Run, figures, own_ratio, per_line
from benchmarks.report import Report, memory, seconds, times
from benchmarks.tools import CACHED, CODEMODDER, COLD, LIBCST, OURS, PYTHON, RUFF, RUFF_CACHED, TYPER


class Role(StrEnum):
    """What a tree stands for."""

    APPLICATION = "application"
    DENSE = "dense"
    LARGE = "100,000 lines"


@dataclass(frozen=True, slots=True)
class Target:
    """What is wanted, what was found and on what; `is_met` is None where it was not measured."""

    what: str
    wanted: str
    found: str = "not measured"
    is_met: bool | None = None


def targets(report: Report) -> list[Target]:
    """All targets, in the order in which they are told."""
    return list(_targets(report))


def _targets(report: Report) -> Iterator[Target]:
    what = "cold, against ruff with one rule and no cache"
    yield _at_most(f"{what}: an application", 1.5, [_ratio(report, Role.APPLICATION, COLD, RUFF)])
    yield _at_most(f"{what}: the densest in async sessions", 3, [_ratio(report, Role.DENSE, COLD, RUFF)])
    cached = [_ratio(report, role, CACHED, RUFF_CACHED) for role in (Role.APPLICATION, Role.DENSE)]
    yield _at_most("second run, against ruff with its cache", 1.2, cached)

    what, wanted = "cold, 100,000 lines, start-up included", "< 0.5 s"
    large = report.role(Role.LARGE)
    if large is None or not large.runs.get(COLD):
        yield Target(what, wanted)
    else:
        wall = statistics.median(run.wall for run in large.runs[COLD])
        yield Target(what, wanted, f"{seconds(wall)} s ({large.lines:,} lines)", wall < 0.5)

    for name, other, least in (("libcst's own runner", LIBCST, 150), ("codemodder", CODEMODDER, 500)):
        what, wanted = f"cold, times as fast as {name}", f">= {least}x"
        shares = [(_own(report, tree, other, COLD), tree.tree) for tree in report.trees]
        known = [(share, tree) for share, tree in shares if share is not None]
        if known:
            share, on = min(known)
            yield Target(what, wanted, f"{times(share)} ({on})", share >= least)
        else:
            yield Target(what, wanted)

    costs = [(statistics.median(_costs(some)), tree) for tree, some in report.edits.items() if _costs(some)]
    what, wanted = "one edit, CPU, written and checked", "<= 3 ms"
    if costs:
        cost, on = max(costs)
        yield Target(what, wanted, f"{cost:.1f} ms ({on})", cost <= 3)
    else:
        yield Target(what, wanted)
    yield _growth(report)

    for command, what in ((COLD, "peak memory, cold"), (CACHED, "peak memory, second run")):
        trees = [tree for tree in (*report.trees, *report.corpus, *report.growth) if tree.runs.get(command)]
        peaks = [(figures(tree.runs[command], ()).memory, tree) for tree in trees]
        if not peaks:
            yield Target(what, "<= 100 MB")
            continue
        most, largest = max(peaks, key=lambda pair: pair[0])
        yield Target(what, "<= 100 MB", f"{memory(most)} MB ({largest.lines:,} lines)", most <= 100e6)
    yield _version(report)


def _costs(some: Iterable[Edits]) -> list[float]:
    return [1000 * one.seconds / one.count for one in some if one.count]


def _growth(report: Report) -> Target:
    what, wanted = "a line's time in the largest copy, against 1x", "<= 1.05x"
    shares = per_line(report.growth, COLD, report.starts.get(OURS, ()))
    if len(shares) < 2 or shares[-1] is None:
        return Target(what, wanted)
    first, last = report.growth[0], report.growth[-1]
    found = f"{times(shares[-1])} ({first.lines:,} to {last.lines:,} lines)"
    return Target(what, wanted, found, shares[-1] <= 1.05)


def _version(report: Report) -> Target:
    what = "`--version`, against twice `python -c pass` plus importing typer"
    walls = {name: statistics.median(run.wall for run in runs) for name, runs in report.starts.items() if runs}
    if not {OURS, PYTHON, TYPER} <= walls.keys():
        return Target(what, "<= 1x")
    allowed = 2 * walls[PYTHON] + max(0.0, walls[TYPER] - walls[PYTHON])
    found = f"{times(walls[OURS] / allowed)} ({seconds(walls[OURS])} s; `python -c pass` {seconds(walls[PYTHON])} s)"
    return Target(what, "<= 1x", found, walls[OURS] <= allowed)


def _at_most(what: str, most: float, found: Iterable[tuple[float, str] | None]) -> Target:
    known = [one for one in found if one is not None]
    if not known:
        return Target(what, f"<= {most:g}x")
    share, tree = max(known)
    return Target(what, f"<= {most:g}x", f"{times(share)} ({tree})", share <= most)


def _ratio(report: Report, role: Role, ours: str, theirs: str) -> tuple[float, str] | None:
    tree = report.role(role)
    share = None if tree is None else _own(report, tree, ours, theirs)
    return None if tree is None or share is None else (share, f"{tree.tree}, {tree.lines:,} lines")


def _own(report: Report, tree: Measured, one: str, other: str) -> float | None:
    """How many times as long the one takes as the other on the tree, start-up taken off."""
    taken = [(tree.runs.get(name, ()), _start(report, name)) for name in (one, other)]
    return own_ratio(*taken[0], *taken[1])


def _start(report: Report, command: str) -> Sequence[Run]:
    return report.starts.get(report.programs.get(command, ""), ())
