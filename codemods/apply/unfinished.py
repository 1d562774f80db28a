"""Which runs are half written, for who only reads the files. Only reads, takes nothing back and asks for no lock."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from codemods.apply.errors import DamagedRun, NoStore, StrangersRun
from codemods.apply.lock import is_held
from codemods.apply.run_store import Run, RunStore, State


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A run whose files are partly written."""

    id: str
    undoes: str  # the id of the run that it takes back; "" for an `apply`
    was_cut_off: bool  # False: perhaps; or it is being written right now
    damage: str = ""  # why what is kept of it cannot be read


def unfinished(root: Path) -> tuple[Unfinished, ...]:
    """The runs that write, or wrote when their process died, where the project at this root has files.

    Empty where the runs cannot be known: who writes hears why.
    """
    try:
        stores = RunStore.all_of(root)
    except NoStore:
        return ()
    return tuple(one for store in stores if store.is_pending() for one in _of(store, root.resolve()))


def _of(store: RunStore, root: Path) -> list[Unfinished]:
    before = {one.id if isinstance(one, Run) else one.run for one in _writing(store, root)}
    # Who writes a run holds the lock all the while. So a run that is being written before and after this look is one
    # that has lost its process, if nobody holds the lock.
    was_cut_off = is_held(store) is False
    found = []
    for one in _writing(store, root):
        if isinstance(one, Run):
            found.append(Unfinished(one.id, one.record.undoes, was_cut_off and one.id in before))
        else:
            found.append(Unfinished(one.run, "", was_cut_off and one.run in before, str(one)))
    return found


def _writing(store: RunStore, root: Path) -> list[Run | DamagedRun]:
    runs, damaged = store.runs()
    return [
        *(run for run in runs if run.state is State.WRITING and _shares_files(run.root, root)),
        *(one for one in damaged if store.is_writing(one.run) and not isinstance(one, StrangersRun)),
    ]


def _shares_files(one: Path, other: Path) -> bool:
    return one.is_relative_to(other) or other.is_relative_to(one)
