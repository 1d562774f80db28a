"""Puts back what a run wrote, content and time, and what it removed; what it made goes. Touches files through the
writer alone. A run leaves a file the mode that it has; so does its undo.

An undo is a run of its own, with a journal: it can be killed at any point, and can be undone itself. What `force`
overwrites is kept in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from codemods.apply.errors import ChangedSince, DamagedRun, NoSuchRun, UnderLaterRuns, UndoRefused
from codemods.apply.history import states
from codemods.apply.journal import Journal
from codemods.apply.now import Elsewhere, present
from codemods.apply.recovery import Tell, recovered
from codemods.apply.rewriting import Rewrite
from codemods.apply.run_record import sha256
from codemods.apply.run_store import Run, RunStore, State, all_runs
from codemods.apply.writer import rewrite


@dataclass(frozen=True, slots=True)
class Undone:
    """`run` was undone by `by`. Paths are relative to `root`."""

    run: str
    by: str
    root: Path
    restored: tuple[str, ...]
    removed: tuple[str, ...]
    already: tuple[str, ...]  # were as before the run already


def undo(root: Path, run_id: str | None = None, force: bool = False, *, tell: Tell) -> Undone:
    """Undo a run: the one whose id begins like this, or the project's last one that is done. All of it, or nothing.

    Runs that were cut off are taken back first; `tell` hears of them. Raises NoSuchRun, ChangedSince unless `force`,
    UnderLaterRuns, DamagedRun, NotTakenBack, NoStore, TreeBusy; and WriteRefused and NotPutBack as the writer does.
    """
    stores = RunStore.all_of(root)
    if not any(store.folder.is_dir() for store in stores):
        raise NoSuchRun("nothing was applied to this project yet")
    with recovered(root, tell) as store:
        runs, damaged = all_runs(stores)
        run = _last(runs, root.resolve()) if run_id is None else _named(runs, damaged, run_id)
        _refuse_under_later(run, runs)
        back, already = _back(run, force)
        journal = Journal(store, run.root, run.record.what, run.id)
        rewrite(run.root, back, journal)
    return Undone(
        run.id,
        journal.id,
        run.root,
        tuple(one.path for one in back if one.after is not None),
        tuple(one.path for one in back if one.after is None),
        tuple(already),
    )


def _last(runs: Sequence[Run], root: Path) -> Run:
    now = states(runs)
    for run in reversed(runs):
        if now[run.id] is State.DONE and not run.record.undoes and run.root == root:
            return run
    raise NoSuchRun("there is no run of this project that could be undone")


def _named(runs: Sequence[Run], damaged: Sequence[DamagedRun], beginning: str) -> Run:
    fitting = [run for run in runs if run.id.startswith(beginning)]
    if not fitting:
        for one in damaged:
            if one.run.startswith(beginning):
                raise one
        raise NoSuchRun(f"there is no run {beginning}; the command `runs` lists them")
    if len(fitting) > 1:
        raise NoSuchRun(f"several runs begin with {beginning}: {', '.join(run.id for run in fitting)}")
    run = fitting[0]
    if states(runs)[run.id] is not State.DONE:
        raise NoSuchRun(f"run {run.id} is undone already")
    return run


def _refuse_under_later(run: Run, runs: Sequence[Run]) -> None:
    """Raises UnderLaterRuns. A later run and what took it back cancel each other out."""
    now = states(runs)
    numbers = {one.id: number for number, one in enumerate(runs)}
    number, ours = numbers[run.id], _places(run)
    later = [
        one.id
        for one in reversed(runs)
        if numbers[one.id] > number
        and now[one.id] is State.DONE
        and numbers.get(one.record.undoes, -1) <= number
        and ours & _places(one)
    ]
    if later:
        raise UnderLaterRuns(later)


def _places(run: Run) -> set[Path]:
    return {run.root / file.path for file in run.record.files}


def _back(run: Run, force: bool) -> tuple[list[Rewrite], list[str]]:
    """What is to be written, and the files that need nothing. Raises ChangedSince."""
    back: list[Rewrite] = []
    already: list[str] = []
    changed: list[str] = []
    for file in run.record.files:
        now = present(run.root, file.path)
        if isinstance(now, Elsewhere):
            if force:
                raise UndoRefused(f"{file.path}: is a folder or a link now; remove it, then undo again")
            changed.append(file.path)
            continue
        checksum = sha256(now)
        if checksum == file.before:
            already.append(file.path)
            continue
        if checksum != file.after and not force:
            changed.append(file.path)
            continue
        before = None if file.before is None else run.content(file.before)
        back.append(Rewrite(file.path, now, before, file.mode if now is None else None, file.mtime_ns))
    if changed:
        raise ChangedSince(changed)
    return back, already
