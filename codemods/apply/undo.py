"""Puts back what a run wrote: content, mode and time; what it made goes. Touches files through the writer alone.

An undo is a run of its own, with a journal: it can be killed at any point, and can be undone itself. What `force`
overwrites is kept in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from codemods.apply.errors import ChangedSince, NoSuchRun, UnderLaterRuns, UndoRefused
from codemods.apply.history import states
from codemods.apply.journal import Journal
from codemods.apply.lock import only_writer
from codemods.apply.now import Elsewhere, present
from codemods.apply.recovery import Tell, recover_locked
from codemods.apply.rewriting import Rewrite
from codemods.apply.run_record import sha256
from codemods.apply.run_store import Run, RunStore, State
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
    UnderLaterRuns, DamagedRun, NotTakenBack, TreeBusy; and WriteRefused and NotPutBack as the writer does.
    """
    store = RunStore.of(root)
    if not store.folder.is_dir():
        raise NoSuchRun("nothing was applied to this project yet")
    with only_writer(store):
        recover_locked(store, tell)
        runs, _ = store.runs()
        run = _last(store, runs, root.resolve()) if run_id is None else _named(runs, run_id)
        _refuse_under_later(store, run, runs)
        home = store.root(run.record)
        back, already = _back(home, run, force)
        journal = Journal(store, home, run.record.what, run.id)
        rewrite(home, back, journal)
    return Undone(
        run.id,
        journal.id,
        home,
        tuple(one.path for one in back if one.after is not None),
        tuple(one.path for one in back if one.after is None),
        tuple(already),
    )


def _last(store: RunStore, runs: Sequence[Run], root: Path) -> Run:
    now = states(runs)
    for run in reversed(runs):
        if now[run.id] is State.DONE and not run.record.undoes and store.root(run.record) == root:
            return run
    raise NoSuchRun("there is no run of this project that could be undone")


def _named(runs: Sequence[Run], beginning: str) -> Run:
    fitting = [run for run in runs if run.id.startswith(beginning)]
    if not fitting:
        raise NoSuchRun(f"there is no run {beginning}; the command `runs` lists them")
    if len(fitting) > 1:
        raise NoSuchRun(f"several runs begin with {beginning}: {', '.join(run.id for run in fitting)}")
    run = fitting[0]
    if states(runs)[run.id] is not State.DONE:
        raise NoSuchRun(f"run {run.id} is undone already")
    return run


def _refuse_under_later(store: RunStore, run: Run, runs: Sequence[Run]) -> None:
    """Raises UnderLaterRuns. A later run and what took it back cancel each other out."""
    now = states(runs)
    numbers = {one.id: one.record.number for one in runs}
    ours = _places(store, run)
    later = [
        one.id
        for one in reversed(runs)
        if one.record.number > run.record.number
        and now[one.id] is State.DONE
        and numbers.get(one.record.undoes, 0) <= run.record.number
        and ours & _places(store, one)
    ]
    if later:
        raise UnderLaterRuns(later)


def _places(store: RunStore, run: Run) -> set[Path]:
    return {store.root(run.record) / file.path for file in run.record.files}


def _back(root: Path, run: Run, force: bool) -> tuple[list[Rewrite], list[str]]:
    """What is to be written, and the files that need nothing. Raises ChangedSince."""
    back: list[Rewrite] = []
    already: list[str] = []
    changed: list[str] = []
    for file in run.record.files:
        now = present(root, file.path)
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
        back.append(Rewrite(file.path, now, before, file.mode, file.mtime_ns))
    if changed:
        raise ChangedSince(changed)
    return back, already
