"""One run of `apply`, the list of those that were, and what they keep of the files as they are now.

Touches files of the user through the writer alone.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from codemods.apply.errors import DamagedRun, NoStore, WriteRefused
from codemods.apply.history import states
from codemods.apply.now import Elsewhere, present
from codemods.apply.recovery import Tell
from codemods.apply.run_record import FileRecord, GroupText, RunText
from codemods.apply.run_store import Run, RunStore, State, all_runs
from codemods.apply.run_writer import RunWriter
from codemods.plan import Change


def written(root: Path, changes: Sequence[Change], *, what: RunText, tell: Tell) -> str:
    """Write all of these changes or none, as a run that can be undone, and be done with it: see `RunWriter.write`."""
    with RunWriter(root, tell) as writer:
        return writer.write(changes, what)


@dataclass(frozen=True, slots=True)
class ListedRun:
    """One line of the list."""

    id: str
    when: datetime.datetime
    files: tuple[str, ...]  # relative to the project's root
    groups: tuple[GroupText, ...]
    state: State  # writing, done or undone
    undoes: str  # the id of the run that it took back; "" for an `apply`
    plan: str = ""  # the saved plan that it is of, or that the run which it took back is of
    why: str = ""  # what made the program take that back by itself
    commits: tuple[str, ...] = ()  # that were made of it
    unverified: str = ""  # the command that it had to pass, where that has not ended, as far as is known


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
            run.record.what.plan,
            run.record.what.why,
            run.commits,
            run.record.what.verify if run.is_unverified else "",
        )
        for run in reversed(runs)
        if run.root == root.resolve()
    ]
    return lines, damaged


def as_written(root: Path, paths: Iterable[str]) -> frozenset[str]:
    """Those of these files of the project at `root` that hold what the last run which stands left in them, to the byte.

    Nothing of them is lost when they are written again: the runs keep it, and what was there before. Only reads.
    """
    try:
        runs, _ = all_runs(RunStore.all_of(root))
    except NoStore:
        return frozenset()
    now = states(runs)
    last: dict[Path, tuple[Run, FileRecord]] = {}
    for run in runs:
        if now[run.id] is State.DONE and not run.record.undoes:
            last.update({run.root / file.path: (run, file) for file in run.record.files})
    found = {path: last.get((root / path).resolve()) for path in paths}
    return frozenset(path for path, left in found.items() if left is not None and _is_as_left(*left))


def _is_as_left(run: Run, file: FileRecord) -> bool:
    try:
        there = present(run.root, file.path)
        return file.after is not None and not isinstance(there, Elsewhere) and run.content(file.after) == there
    except (WriteRefused, DamagedRun):
        return False
