"""What people are told of runs of `apply` and `undo`: that one was cut off, why one was refused. Touches nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from codemods.apply.errors import (
    ChangedSince,
    Needed,
    NotPutBack,
    NotTakenBack,
    RunError,
    StaleFile,
    UnderLaterRuns,
    WriteRefused,
)
from codemods.review.visible import visible
from codemods.review.words import counted

if TYPE_CHECKING:
    from codemods.apply.recovery import TakenBack
    from codemods.apply.undo import Undone
    from codemods.apply.unfinished import Unfinished

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


def unfinished(runs: Sequence[Unfinished]) -> str:
    """A line about each run that is half written, for who reads the files; escaped."""
    return "".join(f"{visible(_unfinished(run))}\n" for run in runs)


def _unfinished(run: Unfinished) -> str:
    what = f"undoing run {run.undoes}" if run.undoes else f"run {run.id}"
    how = "was cut off" if run.was_cut_off else "is going on, or was cut off"
    then = "" if run.was_cut_off else "if it was cut off, "
    if run.damage:
        return f"{what} {how}, and files may be half written; {run.damage}"
    if run.undoes:
        return f"{what} {how}, and files may be half written; {then}`undo {run.undoes}` does it again"
    return f"{what} {how}, and files may be half written; {then}`undo` takes it back"


def undone(done: Undone, program: str) -> str:
    """Lines about what `undo` did, and what can be done next; escaped. What was cut off is told by `taken_back`."""
    if not done.by:
        again = f"; to undo run {done.undoes} now: {program} undo {done.undoes}" if done.undoes else ""
        lines = [f"Nothing else was undone{again}."]
    else:
        parts = [f"{count(done.restored)} as before it"] if done.restored else []
        parts += [f"{count(done.removed)} removed"] if done.removed else []
        parts += [f"{count(done.already)} {_was(done.already)} so already"] if done.already else []
        lines = [f"Undid run {done.run}: {', '.join(parts)}.", *_of_commits(done, program)]
        lines.append(f"To have it back: {program} undo {done.by}")
    if done.next and not done.undoes:
        lines.append(f"Without a name, the next undo takes back run {done.next}, too.")
    return "".join(f"{visible(line)}\n" for line in lines)


def _of_commits(done: Undone, program: str) -> list[str]:
    if not done.commits:
        return []
    short = [commit[:12] for commit in done.commits]
    many = len(short) > 1
    newest_first = " ".join(reversed(short))
    return [
        f"The commit{'s' * many} of it stand{'s' * (not many)}: {some(short)}. The files are now as before"
        f" {'them' if many else 'it'}: commit that; or take the undo back and revert the commit{'s' * many}:"
        f" {program} undo {done.by} && git revert --no-edit {newest_first}"
    ]


def _was(paths: Sequence[str]) -> str:
    return "was" if len(paths) == 1 else "were"


def why_not(error: RunError | WriteRefused | NotPutBack, done: str) -> str:
    """One line, not escaped; `done` is `written` or `undone`."""
    nothing = f"nothing was {done}"
    match error:
        case ChangedSince():
            advice = "--force puts them back all the same, and keeps what they hold now"
            return f"{nothing}: changed since the run: {some(error.paths)}; {advice}"
        case UnderLaterRuns():
            return f"{nothing}: later runs wrote the same files, undo them first: {some(error.runs)}"
        case Needed():
            if error.stands:
                return f"{nothing}: {error}, which would be taken back; undo run {error.run} first, or give --force"
            return f"{nothing}: {error}, which is not there any more; bring that back first, or give --force"
        case NotTakenBack():
            return f"{nothing}: {error}; mend that, then run the command again"
        case StaleFile():
            return f"{nothing}: {error}; run the command again"
        case NotPutBack():
            return f"writing failed, all other files are as they were: {error}"
        case _:
            return f"{nothing}: {error}"


def count(paths: Sequence[str]) -> str:
    return counted(len(paths), "file")


def some(names: Sequence[str], most: int = _NAMED) -> str:
    """The names in one line; only the first ones, and how many more, where there are many."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
