"""What people read of a benchmark: markdown between two markers, for a README to hold. Touches nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.figures import Measured, Run, figures, per_line, ratio
from benchmarks.tools import CACHED, COLD

BEGIN = "<!-- measured by `make benchmark` -->"
END = "<!-- end of benchmark -->"
MISSING = "-"
HEAD = ("", "runs", "wall s", "own", "CPU s", "own", "peak MiB", "diff takes", "cached takes")
LEGEND = """\
Medians of rounds in which all commands ran one after another on the same trees. "own" is without start-up (what
`--version` of the same program takes in the same rounds). CPU is user and system time, children included; the peak is
that of the largest process, and 8 MiB is about the least that is seen. "diff takes", "cached takes": how many times as
long as this command `session-codemods diff` takes, without its cache and with it (nothing has changed since it was
filled); wall time with start-up, the median of the rounds' own ratios. "A line's own, against 1x": 1.0x throughout is
linear growth. ruff checks one rule and ripgrep looks for one word: they are there as what is known to be fast, not for
doing the same. The no-op codemod parses, visits and prints each file; both codemod runners are given two workers."""


class NoMarkers(ValueError):
    """The document has no place for the table."""


@dataclass(frozen=True, slots=True)
class Report:
    """All that is said: the trees of their own, those that are copies of one, smallest first, and what went before."""

    trees: Sequence[Measured]
    growth: Sequence[Measured]
    starts: Mapping[str, Sequence[Run]]  # program -> runs that only start it
    programs: Mapping[str, str]  # command -> its program
    about: str  # machine and versions
    notes: Sequence[str]  # what was not measured, and why


def block(report: Report) -> str:
    """The text from marker to marker, both of them and a last newline included."""
    parts = [BEGIN, *(_tree(tree, report) for tree in report.trees)]
    if len(report.growth) > 1:
        parts.append(_growth(report))
    parts += [LEGEND, report.about]
    if report.notes:
        parts.append("\n".join(f"- not measured: {note}" for note in report.notes))
    return "\n\n".join(parts) + f"\n{END}\n"


def replaced(document: str, new: str) -> str:
    """The document with `new` in place of the block that it has. Raises NoMarkers unless it has exactly one."""
    if document.count(BEGIN) != 1 or document.count(END) != 1 or document.index(BEGIN) > document.index(END):
        raise NoMarkers(f"one {BEGIN} and, after it, one {END} are wanted, each on a line of its own")
    before, _, rest = document.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + new.removesuffix("\n") + after


def seconds(value: float) -> str:
    """Seconds with as many digits as a benchmark can vouch for."""
    return f"{value:.3f}" if value < 1 else f"{value:.2f}" if value < 10 else f"{value:.1f}"


def times(value: float | None) -> str:
    """A ratio in words: `12x`, `1.5x`, `0.31x`, and `1/40` where ours takes less than a tenth."""
    if value is None:
        return MISSING
    if value >= 10:
        return f"{value:.0f}x"
    if value >= 1:
        return f"{value:.1f}x"
    return f"{value:.2f}x" if value >= 0.1 or value <= 0 else f"1/{1 / value:.0f}"


def _tree(tree: Measured, report: Report) -> str:
    rows = [_row(tree, command, report) for command in report.programs if tree.runs.get(command)]
    return f"**{tree.tree}**: {tree.files:,} files, {tree.lines:,} lines\n\n{_markdown([HEAD, *rows])}"


def _row(tree: Measured, command: str, report: Report) -> tuple[str, ...]:
    runs = tree.runs[command]
    taken = figures(runs, report.starts[report.programs[command]])
    compared = [
        MISSING if command in (COLD, CACHED) and command == ours else times(ratio(tree.runs.get(ours, ()), runs))
        for ours in (COLD, CACHED)
    ]
    return (
        *(command, f"{taken.runs}", seconds(taken.wall), seconds(taken.own_wall)),
        *(seconds(taken.cpu), seconds(taken.own_cpu), f"{taken.memory / 2**20:.0f}", *compared),
    )


def _growth(report: Report) -> str:
    trees = report.growth
    commands = [name for name in report.programs if all(tree.runs.get(name) for tree in trees)]
    head = ("wall s (a line's own, against 1x)", *(f"{tree.lines:,} lines" for tree in trees))
    rows = [tuple(_growth_row(report, name)) for name in commands]
    return f"**Growth**: copies of {trees[0].tree} in one tree\n\n{_markdown([head, *rows])}"


def _growth_row(report: Report, command: str) -> Iterator[str]:
    yield command
    start = report.starts[report.programs[command]]
    for tree, share in zip(report.growth, per_line(report.growth, command, start), strict=True):
        yield f"{seconds(figures(tree.runs[command], start).wall)} ({times(share)})"


def _markdown(rows: Sequence[Sequence[str]]) -> str:
    head, *others = rows
    rule = ["---", *("---:" for _ in head[1:])]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, rule, *others))
