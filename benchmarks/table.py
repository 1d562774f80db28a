"""What people read of a benchmark: markdown between two markers, for a README to hold. Touches nothing."""

from __future__ import annotations

import operator
from collections.abc import Iterator, Sequence

from benchmarks.figures import Measured, Run, figures, own_ratio, per_line, ratio
from benchmarks.report import MISSING, Report, memory, seconds, times
from benchmarks.targets import Role, targets
from benchmarks.tools import CACHED, COLD, RUFF, RUFF_CACHED

BEGIN = "<!-- measured by `make benchmark` -->"
END = "<!-- end of benchmark -->"
HEAD = ("", "runs", "wall s", "own", "CPU s", "own", "peak MB", "diff takes", "cached takes")
CORPUS_HEAD = ("", "lines", "cold s", "ruff s", "own", "cached s", "ruff s", "own", "peak MB")
MARKS = {True: "yes", False: "**no**", None: MISSING}
LEGEND = """\
Medians of rounds in which all commands ran one after another on the same trees. "own" is without start-up (what
`--version` of the same program takes in the same rounds). CPU is user and system time, children included; the peak is
that of the largest process, and 8 MB is about the least that is seen. "diff takes", "cached takes": how many times as
much as this command `session-codemods diff` takes, without its cache and with it (nothing has changed since it was
filled), in wall time / CPU time / peak memory, start-up included; the median of the rounds' own ratios. "A line's own,
against 1x": 1.0x throughout is linear growth. ruff checks one rule and ripgrep looks for one word: they are there as
what is known to be fast, not for doing the same. The no-op codemod parses, visits and prints each file; both codemod
runners are given two workers. The cost of an edit: making all of them, for both levels, and reading the files back."""

SHORT_LEGEND = """\
Medians of rounds in which all commands ran one after another. Targets are without start-up but where it is said. "diff
takes", "cached takes": wall time / CPU time / peak memory, start-up included. ruff (one rule) and ripgrep (one word)
stand for what is known to be fast; they do not do the same. [All tables, and how it is measured]({whole})."""


class NoMarkers(ValueError):
    """The document has no place for the table."""


def block(report: Report, chart: str = "", whole: str = "") -> str:
    """The text from marker to marker, both of them and a last newline included.

    `chart` is the file of the plot, as seen from the document. `whole` is the file that has all tables: where it is
    named, only the targets, the application and the growth are told, and what was not measured.
    """
    application = report.role(Role.APPLICATION)
    trees = report.trees if not whole or application is None else [application]
    parts = [BEGIN, _targets(report), *([f"![the plot of these figures]({chart})"] if chart else ())]
    parts += [_tree(tree, report) for tree in trees]
    if report.corpus and not whole:
        parts.append(_corpus(report))
    if len(report.growth) > 1:
        parts.append(_growth(report))
    parts += [SHORT_LEGEND.format(whole=whole) if whole else LEGEND, report.about]
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


def _targets(report: Report) -> str:
    rows = [(one.what, one.wanted, one.found, MARKS[one.is_met]) for one in targets(report)]
    return f"**Targets**\n\n{_markdown([('', 'wanted', 'measured', 'reached'), *rows])}"


def _corpus(report: Report) -> str:
    rows = [tuple(_corpus_row(report, tree)) for tree in report.corpus]
    return f"**The other packages of the field trial**\n\n{_markdown([CORPUS_HEAD, *rows])}"


def _corpus_row(report: Report, tree: Measured) -> Iterator[str]:
    yield tree.tree
    yield f"{tree.lines:,}"
    for ours, theirs in ((COLD, RUFF), (CACHED, RUFF_CACHED)):
        runs = [tree.runs.get(name, ()) for name in (ours, theirs)]
        starts = [report.starts.get(report.programs.get(name, ""), ()) for name in (ours, theirs)]
        yield from (
            seconds(figures(one, start).wall) if one else MISSING for one, start in zip(runs, starts, strict=True)
        )
        yield times(own_ratio(runs[0], starts[0], runs[1], starts[1]))
    cold = tree.runs.get(COLD, ())
    yield memory(figures(cold, ()).memory) if cold else MISSING


def _tree(tree: Measured, report: Report) -> str:
    rows = [_row(tree, command, report) for command in report.programs if tree.runs.get(command)]
    return f"**{tree.tree}**: {tree.files:,} files, {tree.lines:,} lines\n\n{_markdown([HEAD, *rows])}"


def _row(tree: Measured, command: str, report: Report) -> tuple[str, ...]:
    runs = tree.runs[command]
    taken = figures(runs, report.starts[report.programs[command]])
    compared = [MISSING if command == ours else _compared(tree.runs.get(ours, ()), runs) for ours in (COLD, CACHED)]
    return (
        *(command, f"{taken.runs}", seconds(taken.wall), seconds(taken.own_wall)),
        *(seconds(taken.cpu), seconds(taken.own_cpu), memory(taken.memory), *compared),
    )


def _compared(ours: Sequence[Run], theirs: Sequence[Run]) -> str:
    """What ours takes of theirs: wall time, CPU time, peak memory."""
    measures = [operator.attrgetter(name) for name in ("wall", "cpu", "memory")]
    return " / ".join(times(ratio(ours, theirs, what)) for what in measures)


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
