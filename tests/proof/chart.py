"""Draws what came of the trials with matplotlib, which is imported only here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from proof.trial import Trial
from proof.verdict import LIMIT

BEFORE, AFTER = "#c0392b", "#1e8449"


def draw(trials: Sequence[Trial], path: Path) -> None:
    """Writes a PNG: for each database the connections that are out, and what was answered as expected so far.

    Raises ImportError where matplotlib is not installed.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 3.6 * len(trials) + 0.4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(trials), 2, squeeze=False)
    for (out, good), trial in zip(axes, trials, strict=True):
        for name, colour, side in (("before", BEFORE, trial.before), ("after", AFTER, trial.after)):
            samples = side.loaded.load.samples
            passed = [sample.seconds for sample in samples]
            out.plot(passed, [sample.out for sample in samples], color=colour, label=name)
            good.plot(passed, [sample.finished - sample.problems for sample in samples], color=colour, label=name)
        out.axhline(LIMIT, color="grey", linestyle=":", label=f"limit of the pool ({LIMIT})")
        out.set_title(f"{trial.kind}: connections out of the pool")
        out.set_ylim(0, LIMIT + 2)
        good.set_title(f"{trial.kind}: visits answered as expected, so far")
        for axis in (out, good):
            axis.set_xlabel("seconds")
            axis.set_xlim(left=0)
            axis.grid(alpha=0.3)
    figure.legend(handles=axes[0][0].lines, loc="outside lower center", ncols=3)
    figure.savefig(path, dpi=110)
