"""The journal of one run: what the writer's files were and will be, on the disk before the first of them is touched.

Writes to the store of runs alone. A process that dies leaves the run in a state from which `recovery` goes on.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import os
import secrets
from collections.abc import Sequence
from pathlib import Path

from codemods import __version__
from codemods.apply.durable import sync_folder
from codemods.apply.errors import WriteRefused, told_of
from codemods.apply.rewriting import Known
from codemods.apply.run_record import PERMISSIONS, FileRecord, RecordError, RunRecord, RunText, dump, parse, sha256
from codemods.apply.run_store import Run, RunStore, State


class Journal:
    """The writer's witness (`rewriting.Witness`) for a run in this store. Its lock must be held."""

    def __init__(self, store: RunStore, root: Path, what: RunText, undoes: str = "") -> None:
        now = datetime.datetime.now(datetime.UTC)
        self.store = store
        self.root = root.resolve()
        self.what = what
        self.undoes = undoes
        self.started = now.isoformat(timespec="microseconds")
        self.id = _free_id(store, now)
        self.run: Run | None = None

    @property
    def token(self) -> str:
        return self.id

    def begin(self, files: Sequence[Known]) -> None:
        with told_of(str(self.store.folder), "the run cannot be recorded"):
            runs, _ = self.store.runs()
            record = RunRecord(
                self.id,
                1 + max((run.record.number for run in runs), default=0),
                __version__,
                self.started,
                self.root.relative_to(self.store.top).as_posix(),
                self.undoes,
                self.what,
                tuple(_file_record(file) for file in files),
            )
            _check_readable(record)
            contents = [data for file in files for data in (file.before, file.after) if data is not None]
            self.run = self.store.keep(record, contents)

    def commit(self) -> None:
        self._enter(State.WRITTEN)

    def settle(self) -> None:
        with contextlib.suppress(OSError):  # recovery does it again
            assert self.run is not None
            self.run.enter(State.DONE)

    def abandon(self) -> None:
        if self.run is not None:
            self.store.forget(self.run)

    def _enter(self, state: State) -> None:
        assert self.run is not None
        with told_of(str(self.store.folder), "the run cannot be recorded"):
            self.run.enter(state)
        self.run = dataclasses.replace(self.run, state=state)
        with contextlib.suppress(OSError):  # it has happened; the worst is that a power cut takes the run back
            sync_folder(self.run.folder)


def _free_id(store: RunStore, now: datetime.datetime) -> str:
    while True:
        name = f"{now:%Y%m%dT%H%M%SZ}-{secrets.token_hex(2)}"
        if not os.path.lexists(store.folder / name):
            return name


def _file_record(file: Known) -> FileRecord:
    mode = None if file.mode is None else file.mode & PERMISSIONS
    return FileRecord(file.path, file.before is not None, sha256(file.before), sha256(file.after), mode, file.mtime_ns)


def _check_readable(record: RunRecord) -> None:
    """A run that could not be read again could not be taken back either. Raises WriteRefused."""
    try:
        parse(dump(record))
    except RecordError as error:
        raise WriteRefused(record.root, f"the run cannot be recorded: {error}") from error
