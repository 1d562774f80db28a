"""A run of `apply`, from the lock to the last file, and the list of those that were.

Touches files of the user through the writer alone.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from codemods.apply.errors import DamagedRun, TakenBackNow
from codemods.apply.history import states
from codemods.apply.journal import Journal
from codemods.apply.recovery import TakenBack, Tell, recovered
from codemods.apply.run_record import GroupText, RunText
from codemods.apply.run_store import RunStore, State, all_runs
from codemods.apply.writer import write
from codemods.plan import Change


def written(root: Path, changes: Sequence[Change], *, what: RunText, tell: Tell) -> str:
    """Write all of these changes or none, as a run that can be undone; gives its id, "" when there was nothing to do.

    Runs that were cut off are taken back first; `tell` hears of them. When that puts files back, TakenBackNow is
    raised: call `recovery.recover` before the changes are made. Raises TreeBusy when another process writes in this
    tree, NotTakenBack, DamagedRun, NoStore; and StaleFile, WriteRefused and NotPutBack as the writer does.
    """
    if not changes:
        return ""
    taken: list[TakenBack] = []

    def note(one: TakenBack) -> None:
        taken.append(one)
        tell(one)

    with recovered(root, note) as store:
        if any(one.put_back for one in taken):
            raise TakenBackNow("files that were half written have just been put back; run the command again")
        journal = Journal(store, root, what)
        write(root, changes, journal)
    return journal.id


@dataclass(frozen=True, slots=True)
class ListedRun:
    """One line of the list."""

    id: str
    when: datetime.datetime
    files: tuple[str, ...]  # relative to the project's root
    groups: tuple[GroupText, ...]
    state: State  # writing, done or undone
    undoes: str  # the id of the run that it took back; "" for an `apply`


def listed(root: Path) -> tuple[list[ListedRun], list[DamagedRun]]:
    """The runs of the project at this root, the last one first, and what cannot be read. Only reads. Raises NoStore."""
    runs, damaged = all_runs(RunStore.all_of(root))
    now = states(runs)
    lines = [
        ListedRun(
            run.id,
            datetime.datetime.fromisoformat(run.record.started),
            tuple(file.path for file in run.record.files),
            run.record.what.groups,
            now[run.id],
            run.record.undoes,
        )
        for run in reversed(runs)
        if run.root == root.resolve()
    ]
    return lines, damaged
