"""The one who writes in a tree: run after run, each of which can be undone, and nobody else in between.

Touches files of the user through the writer alone.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType

from codemods.apply.errors import TakenBackNow
from codemods.apply.journal import Journal
from codemods.apply.recovery import TakenBack, Tell, recovered
from codemods.apply.run_record import RunText
from codemods.apply.run_store import Run, RunStore
from codemods.apply.undo import Undone, undone
from codemods.apply.writer import write
from codemods.plan import Change


class RunWriter:
    """Writes in the project at `root`. From its first run until it is closed nobody else does, so that what was written
    stands while it is verified, committed and noted. Who only reads is not kept from it.

    `tell` hears of runs that were cut off.
    """

    def __init__(self, root: Path, tell: Tell) -> None:
        self._root = root
        self._tell = tell
        self._store: RunStore | None = None
        self._held = contextlib.ExitStack()

    def __enter__(self) -> RunWriter:
        return self

    def __exit__(
        self, type_: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._store = None
        self._held.close()

    def write(self, changes: Sequence[Change], what: RunText) -> str:
        """Write all of these changes or none, as a run that can be undone; gives its id, "" when there was nothing to
        do.

        Before the first one, runs that were cut off are taken back. When that puts files back, TakenBackNow is raised:
        call `recovery.recover` before the changes are made. Raises TreeBusy when another process writes in this tree,
        NotTakenBack, DamagedRun, NoStore; and StaleFile, WriteRefused and NotPutBack as the writer does.
        """
        if not changes:
            return ""
        journal = Journal(self._locked(), self._root, what)
        write(self._root, changes, journal)
        return journal.id

    def take_back(self, run: str, why: str) -> Undone:
        """Undo a run that was written by this one; `why` is kept. Raises as `undo.undo`, but for Needed."""
        return undone(self._locked(), RunStore.all_of(self._root), run, why=why)

    def commit_notes(self, run: str) -> Callable[[str], None]:
        """To be called with each commit that is made of this run: it is kept, for who undoes the run, as far as the
        system lets us."""
        written = self._run(run)

        def note(commit: str) -> None:
            with contextlib.suppress(OSError):
                written.note_commit(commit)

        return note

    def note_verified(self, run: str) -> None:
        """Keep that the command which this run had to pass has ended; as far as the system lets us."""
        with contextlib.suppress(OSError):
            self._run(run).note_verified()

    def _run(self, run: str) -> Run:
        runs, _ = self._locked().runs()
        return next(one for one in runs if one.id == run)

    def _locked(self) -> RunStore:
        if self._store is None:
            taken: list[TakenBack] = []

            def note(one: TakenBack) -> None:
                taken.append(one)
                self._tell(one)

            with contextlib.ExitStack() as held:
                store = held.enter_context(recovered(self._root, note))
                if any(one.put_back for one in taken):
                    raise TakenBackNow("files that were half written have just been put back; run the command again")
                self._held = held.pop_all()
            self._store = store
        return self._store
