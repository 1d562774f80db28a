"""Puts back what a run wrote, content and time, and what it removed; what it made goes. Touches files through the
writer alone. A run leaves a file the mode that it has; so does its undo.

An undo is a run of its own, with a journal: it can be killed at any point, and can be undone itself. What `force`
overwrites is kept in it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from codemods.apply.errors import ChangedSince, DamagedRun, Needed, NoSuchRun, UnderLaterRuns, UndoRefused, WriteRefused
from codemods.apply.git import GitError, in_history
from codemods.apply.history import states
from codemods.apply.journal import Journal
from codemods.apply.now import Elsewhere, present
from codemods.apply.recovery import TakenBack, Tell, recovered
from codemods.apply.rewriting import Rewrite
from codemods.apply.run_record import sha256
from codemods.apply.run_store import Run, RunStore, State, all_runs
from codemods.apply.writer import rewrite


@dataclass(frozen=True, slots=True)
class Undone:
    """`run` was undone by `by`; or it had been cut off, and `by` is "". Paths are relative to `root`."""

    run: str
    by: str
    root: Path
    restored: tuple[str, ...]
    removed: tuple[str, ...]
    already: tuple[str, ...]  # were as before the run already
    left: tuple[str, ...] = ()  # of a run that had been cut off: changed since, and left as they are
    commits: tuple[str, ...] = ()  # that were made of the run, and stand in the history
    undoes: str = ""  # what was undone is the undoing of this run
    next: str = ""  # the run that would be undone next when none is named


def undo(root: Path, run_id: str | None = None, force: bool = False, *, tell: Tell) -> Undone:
    """Undo a run: the one whose id begins like this, or the project's last one that is done. All of it, or nothing.

    Runs that were cut off are taken back first; `tell` hears of them. Where that is what was asked for, no other run is
    undone. Raises NoSuchRun, ChangedSince and Needed unless `force`, UnderLaterRuns, DamagedRun, NotTakenBack, NoStore,
    TreeBusy; and WriteRefused and NotPutBack as the writer does.
    """
    stores = RunStore.all_of(root)
    if not any(store.folder.is_dir() for store in stores):
        raise NoSuchRun("nothing was applied to this project yet")
    taken: list[TakenBack] = []

    def note(one: TakenBack) -> None:
        taken.append(one)
        tell(one)

    with recovered(root, note) as store:
        done = _done_by_taking_back(taken, stores, root.resolve(), run_id)
        return (
            undone(store, stores, _id(stores, root.resolve(), run_id), force, heed_needs=True) if done is None else done
        )


def undone(
    store: RunStore,
    stores: Sequence[RunStore],
    run_id: str,
    force: bool = False,
    *,
    heed_needs: bool = False,
    why: str = "",
) -> Undone:
    """Undo this run, where the lock of `store`, the first of the `stores`, is held and nothing is half written.

    `why` is kept. Raises as `undo`; Needed only to `heed_needs`.
    """
    runs, damaged = all_runs(stores)
    run = _named(runs, damaged, run_id)
    _refuse_under_later(run, runs)
    if heed_needs and not force:
        _refuse_needed(run, runs)
    back, already = _back(run, force)
    journal = Journal(store, run.root, dataclasses.replace(run.record.what, why=why, verify=""), run.id)
    rewrite(run.root, back, journal)
    return Undone(
        run.id,
        journal.id,
        run.root,
        tuple(one.path for one in back if one.after is not None),
        tuple(one.path for one in back if one.after is None),
        tuple(already),
        commits=_standing_commits(run),
        undoes=run.record.undoes,
        next=_next(stores, run.root),
    )


def _done_by_taking_back(
    taken: Sequence[TakenBack], stores: Sequence[RunStore], root: Path, run_id: str | None
) -> Undone | None:
    """What was asked for, if it is done already: a run that was cut off is undone by being taken back.

    Without a name that is meant by `undo`; but for an `undo` that was cut off itself, and is now to be done again.
    """
    last = _next(stores, root)
    meant = [
        one for one in taken if (not one.undoes or one.undoes != last if run_id is None else one.run.startswith(run_id))
    ]
    if not meant or (run_id is not None and len(_fitting(all_runs(stores)[0], run_id)) > 1):
        return None
    one = meant[-1]
    place = next(run.root for run in all_runs(stores)[0] if run.id == one.run)
    there = {path for path in one.put_back if (place / path).exists()}
    return Undone(
        one.run,
        "",
        place,
        tuple(path for path in one.put_back if path in there),
        tuple(path for path in one.put_back if path not in there),
        (),
        left=one.left,
        undoes=one.undoes,
        next=last,
    )


def _id(stores: Sequence[RunStore], root: Path, run_id: str | None) -> str:
    wanted = _next(stores, root) if run_id is None else run_id
    if not wanted:
        raise NoSuchRun("there is no run of this project that could be undone")
    return wanted


def _next(stores: Sequence[RunStore], root: Path) -> str:
    """The last run of the project that stands; "" when there is none."""
    runs, _ = all_runs(stores)
    return next((run.id for run in reversed(_standing(runs)) if run.root == root), "")


def _standing(runs: Sequence[Run], and_then_undone: str = "") -> list[Run]:
    """Those that are neither undone nor undo another one."""
    now = states(runs, and_then_undone)
    return [run for run in runs if now[run.id] is State.DONE and not run.record.undoes]


def _standing_commits(run: Run) -> tuple[str, ...]:
    try:
        return tuple(in_history(run.root, run.commits))
    except GitError:  # who wants to know asks git
        return ()


def _named(runs: Sequence[Run], damaged: Sequence[DamagedRun], beginning: str) -> Run:
    fitting = _fitting(runs, beginning)
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


def _fitting(runs: Sequence[Run], beginning: str) -> list[Run]:
    return [run for run in runs if run.id.startswith(beginning)]


def _refuse_needed(run: Run, runs: Sequence[Run]) -> None:
    """Raises Needed. A group that no run is known to have written is in the code otherwise, and not missed."""
    known = {group.id for one in runs for group in one.record.what.groups}
    standing = _standing(runs)
    missed_already = _missed(standing, known)
    for holder, group, needed in _missed(_standing(runs, run.id), known):
        stands = holder in standing
        if (holder, group, needed) not in missed_already and (not stands or _is_in_the_files(holder)):
            raise Needed(holder.id, group, needed, stands=stands)


def _missed(standing: Sequence[Run], known: Collection[str]) -> list[tuple[Run, str, str]]:
    """Runs, groups of them, and known groups that these need and that no run holds."""
    there = {group.id for run in standing for group in run.record.what.groups}
    return [
        (run, group.id, needed)
        for run in reversed(standing)
        for group in run.record.what.groups
        for needed in group.needs
        if needed in known and needed not in there
    ]


def _is_in_the_files(run: Run) -> bool:
    """Whether something of it is, as far as can be read: git may have taken it back."""
    for file in run.record.files:
        try:
            now = present(run.root, file.path)
        except WriteRefused:
            return True
        if isinstance(now, Elsewhere) or sha256(now) != file.before:
            return True
    return False


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
