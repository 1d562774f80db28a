"""What people are told of runs of `apply` and `undo`: that one was cut off, why one was refused. Touches nothing."""

from __future__ import annotations

from collections.abc import Sequence

from codemods.apply.errors import (
    ChangedSince,
    NotPutBack,
    NotTakenBack,
    RunError,
    StaleFile,
    UnderLaterRuns,
    WriteRefused,
)
from codemods.apply.recovery import TakenBack
from codemods.apply.run_store import State
from codemods.apply.runs import ListedRun
from codemods.review.visible import visible

REFUSALS = (RunError, WriteRefused, NotPutBack)  # what `why_not` has words for
_NAMED = 10  # names in one line, before the others are only counted


def taken_back(taken: TakenBack) -> str:
    """Lines about a run that was found cut off, and what was done about it; escaped."""
    what = f"undoing run {taken.undoes}" if taken.undoes else f"run {taken.run}"
    done = f"{count(taken.put_back)} put back as before it" if taken.put_back else "no file had been changed"
    lines = [
        f"{what} had been cut off; {done}",
        *(f"  {path}: changed since; it was left as it is" for path in taken.left),
        *(f"  {path}: what was saved while the run was writing; look at it, then remove it" for path in taken.kept),
    ]
    return "".join(f"{visible(line)}\n" for line in lines)


def unfinished(runs: Sequence[ListedRun]) -> str:
    """A line about each run that may have been cut off. Who only looks cannot know: it may be writing now."""
    return "".join(
        f"run {run.id} is writing now, or was cut off; then the next apply or undo takes it back\n"
        for run in runs
        if run.state is State.WRITING
    )


def why_not(error: RunError | WriteRefused | NotPutBack, done: str) -> str:
    """One line, not escaped; `done` is `written` or `undone`."""
    nothing = f"nothing was {done}"
    match error:
        case ChangedSince():
            advice = "--force puts them back all the same, and keeps what they hold now"
            return f"{nothing}: changed since the run: {_some(error.paths)}; {advice}"
        case UnderLaterRuns():
            return f"{nothing}: later runs wrote the same files, undo them first: {_some(error.runs)}"
        case NotTakenBack():
            return f"{nothing}: {error}; mend that, then run the command again"
        case StaleFile():
            return f"{nothing}: {error}; run the command again"
        case NotPutBack():
            return f"writing failed, all other files are as they were: {error}"
        case _:
            return f"{nothing}: {error}"


def count(paths: Sequence[str]) -> str:
    return f"{len(paths)} file{'s' * (len(paths) != 1)}"


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
