"""Draws what was measured with matplotlib, which is imported only here."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.figures import Measured
from benchmarks.report import Report
from benchmarks.tools import CACHED, COLD

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = {COLD: "#1e8449", CACHED: "#82c99b"}
OTHERS = "#8e9aa6"


def draw(report: Report, path: Path) -> None:
    """Writes an SVG: the wall time of each command on each tree, and how it grows with the lines of the copies.

    The same figures give the same file. Raises ImportError where matplotlib is not installed.
    """
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    # texts as texts: the file is a tenth as large, and can be searched
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "session-codemods"}):
        figure = Figure(figsize=(12, 0.9 + 2.8 * ((len(report.trees) + 2) // 2)), layout="constrained")
        FigureCanvasSVG(figure)
        _drawn(report, figure)
        figure.savefig(path, metadata={"Date": None, "Creator": None})


def _drawn(report: Report, figure: Figure) -> None:
    axes = figure.subplots((len(report.trees) + 2) // 2, 2, squeeze=False).flatten()
    for axis, tree in zip(axes, report.trees, strict=False):
        commands = [name for name in reversed(tuple(report.programs)) if tree.runs.get(name)]
        bars = axis.barh(commands, [_wall(tree, name) for name in commands])
        for bar, name in zip(bars, commands, strict=True):
            bar.set_color(COLOURS.get(name, OTHERS))
        axis.bar_label(bars, fmt="%.2g s", padding=3)
        axis.set_xscale("log")
        axis.minorticks_off()
        axis.margins(x=0.25)
        axis.set_title(f"{tree.tree}, {tree.lines:,} lines")
        axis.set_xlabel("seconds (logarithmic)")
    growth = axes[len(report.trees)]
    for name in report.programs:
        if report.growth and all(tree.runs.get(name) for tree in report.growth):
            lines = [tree.lines for tree in report.growth]
            colour = COLOURS.get(name)
            growth.plot(lines, [_wall(tree, name) for tree in report.growth], marker="o", label=name, color=colour)
    growth.set_xscale("log")
    growth.set_yscale("log")
    sizes = [tree.lines for tree in report.growth]
    growth.set_xticks(sizes, [f"{size:,}" for size in sizes])
    growth.minorticks_off()
    growth.set_title("growth: copies of one tree")
    growth.set_xlabel("lines (logarithmic)")
    growth.set_ylabel("seconds (logarithmic)")
    growth.grid(alpha=0.3)
    if growth.lines:
        figure.legend(handles=growth.lines, loc="outside lower center", ncols=5, fontsize="small", title="growth")
    for axis in axes[len(report.trees) + 1 :]:
        axis.set_axis_off()


def _wall(tree: Measured, command: str) -> float:
    return statistics.median(run.wall for run in tree.runs[command])
