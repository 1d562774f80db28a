"""Where runs are kept: in git's own folder of the project's repository, outside git in `.session-codemods` at its root.

What comes with a project cannot be in git's own folder. In the other one it can: there each run has a seal (see `seal`)
and is not believed without it.

Each run has a folder, named by its id, with its record, and `contents.zip`, which holds every content before and after
by its sha256. The record's name says what has become of the run:

    writing.json   files are being written, or were when the process died
    written.json   all are in place; temporary companions may be left
    done.json      all is done
    undone.json    it was cut off, and taken back

so that each step is one rename, which is whole or did not happen, and needs no space. `commits` may name the commits
that were made of it; `verified` is there when the command that it had to pass has ended. Folders that begin with a dot
are being made or taken away.
"""

from __future__ import annotations

import contextlib
import enum
import heapq
import io
import os
import re
import shutil
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from codemods.apply import seal
from codemods.apply.durable import create, sync_folder
from codemods.apply.errors import DamagedRun, NoStore, StrangersRun, WriteRefused, told_of
from codemods.apply.git import GitError, own_folder
from codemods.apply.run_record import RUN_ID, RecordError, RunRecord, dump, parse, sha256

_NAME = "session-codemods"
_CONTENTS = "contents.zip"
_SEAL = "seal"
_COMMITS = "commits"
_VERIFIED = "verified"
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")


class State(enum.StrEnum):
    """How far a run has come."""

    WRITING = "writing"
    WRITTEN = "written"
    DONE = "done"
    UNDONE = "undone"

    @property
    def file(self) -> str:
        return f"{self.value}.json"

    @property
    def is_pending(self) -> bool:
        """Whether something remains to be done when the process that made the run is gone."""
        return self in (State.WRITING, State.WRITTEN)


@dataclass(frozen=True, slots=True)
class Run:
    """A run that is kept."""

    record: RunRecord
    state: State
    folder: Path
    root: Path  # of the project that it wrote to

    @property
    def id(self) -> str:
        return self.record.id

    def enter(self, state: State) -> None:
        """Note how far the run has come. Raises OSError."""
        os.rename(self.folder / self.state.file, self.folder / state.file)

    @property
    def commits(self) -> tuple[str, ...]:
        """The ids of the commits that were made of this run, as far as is known. They are for people alone."""
        try:
            names = (self.folder / _COMMITS).read_text("ascii").split()
        except (OSError, UnicodeDecodeError):
            return ()
        return tuple(name for name in names if _COMMIT.fullmatch(name))

    def note_commit(self, commit: str) -> None:
        """Note that this one was made of it, after those that are noted. Raises OSError."""
        with open(self.folder / _COMMITS, "a", encoding="ascii", newline="\n") as commits:
            commits.write(f"{commit}\n")

    @property
    def is_unverified(self) -> bool:
        """Whether the command that it had to pass has not ended, as far as is known."""
        return bool(self.record.what.verify) and not os.path.exists(self.folder / _VERIFIED)

    def note_verified(self) -> None:
        """Note that this command has ended. Raises OSError."""
        create(self.folder / _VERIFIED, b"")

    def content(self, checksum: str) -> bytes:
        """A content that the run wrote or replaced. Raises DamagedRun."""
        try:
            with zipfile.ZipFile(self.folder / _CONTENTS) as contents:
                data = contents.read(checksum)
        except Exception as error:  # a damaged archive makes zipfile and all of its decoders raise whatever they like
            why = str(error) or type(error).__name__
            raise DamagedRun(self.id, f"what run {self.id} keeps cannot be read: {self.folder}: {why}") from error
        if sha256(data) != checksum:
            raise DamagedRun(self.id, f"what run {self.id} keeps was changed: {self.folder}")
        return data


@dataclass(frozen=True, slots=True)
class RunStore:
    """`folder` may not be there yet. `top` is what the paths of roots start from."""

    folder: Path
    top: Path
    is_ours: bool  # in the project, not in git's folder

    @classmethod
    def of(cls, root: Path) -> RunStore:
        """The store for new runs of the project at this root. Raises NoStore when there is a git that does not answer.

        It is not installed then, or does not trust this folder; so shall not we.
        """
        root = root.resolve()
        try:
            own = own_folder(root, _NAME)
        except GitError as error:
            raise NoStore(f"runs are kept in git's own folder, and git does not say where that is: {error}") from error
        if own is not None:
            return cls(own.folder, own.top, is_ours=False)
        return cls._in_project(root)

    @classmethod
    def all_of(cls, root: Path) -> list[RunStore]:
        """The store for new runs, and the one from before there was a git here, if there is one. Raises NoStore."""
        first, other = cls.of(root), cls._in_project(root.resolve())
        return [first, other] if first != other and other.folder.is_dir() and not other.folder.is_symlink() else [first]

    @classmethod
    def _in_project(cls, root: Path) -> RunStore:
        return cls(root / f".{_NAME}", root, is_ours=True)

    def make(self) -> None:
        """Make the folder if it is not there. Raises WriteRefused."""
        with told_of(str(self.folder), "cannot be written"):
            if self.is_ours and self.folder.is_symlink():
                raise WriteRefused(str(self.folder), "is a link, but runs are kept in it; remove it")
            with contextlib.suppress(FileExistsError):  # another process may make them, too
                if not self.folder.is_dir():
                    os.mkdir(self.folder)
                    sync_folder(self.folder.parent)
                ignore = self.folder / ".gitignore"
                if self.is_ours and not (ignore.exists() and ignore.stat().st_size):
                    ignore.unlink(missing_ok=True)
                    create(ignore, b"*\n")

    def runs(self) -> tuple[list[Run], list[DamagedRun]]:
        """The runs in the order in which they were made, and what cannot be read."""
        found: list[Run] = []
        damaged: list[DamagedRun] = []
        for name in self._names():
            if RUN_ID.fullmatch(name):
                try:
                    found.append(self._run(name))
                except DamagedRun as error:
                    damaged.append(error)
        return sorted(found, key=lambda run: run.record.number), damaged

    def is_pending(self) -> bool:
        """Whether a run was cut off, or is being written right now. Reads no record."""
        for name in self._names():
            if RUN_ID.fullmatch(name.removeprefix(".")):
                state = _state(self.folder / name)
                if name.startswith(".") or (state is not None and state.is_pending):
                    return True
        return False

    def is_writing(self, name: str) -> bool:
        """Whether the folder of this name says so, be it readable or not."""
        return _state(self.folder / name) is State.WRITING

    def keep(self, record: RunRecord, contents: Iterable[bytes]) -> Run:
        """Put a run into the store, in state `writing`, safely on the disk.

        Raises OSError, and WriteRefused when it cannot be sealed; then it is not there.
        """
        unfinished, folder = self.folder / f".{record.id}", self.folder / record.id
        os.mkdir(unfinished)
        try:
            create(unfinished / _CONTENTS, _zipped(contents))
            data = dump(record)
            if self.is_ours:
                create(unfinished / _SEAL, seal.sealed(data, self.top))
            create(unfinished / State.WRITING.file, data)
            sync_folder(unfinished)
            os.rename(unfinished, folder)
        except BaseException:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise
        run = Run(record, State.WRITING, folder, self.top / record.root)
        try:
            sync_folder(self.folder)
        except BaseException:
            self.forget(run)
            raise
        return run

    def forget(self, run: Run) -> None:
        """Take a run out of the store, as far as the system lets us."""
        gone = self.folder / f".{run.id}"
        try:
            os.rename(run.folder, gone)
        except OSError:
            return
        shutil.rmtree(gone, ignore_errors=True)

    def sweep(self) -> None:
        """Take away what a killed process was making, or taking away."""
        for name in self._names():
            if name.startswith(".") and RUN_ID.fullmatch(name[1:]):
                shutil.rmtree(self.folder / name, ignore_errors=True)

    def _names(self) -> Sequence[str]:
        try:
            return sorted(os.listdir(self.folder))
        except OSError:
            return ()

    def _run(self, name: str) -> Run:
        folder = self.folder / name
        for _ in range(3):  # another process may just be renaming the record
            state = _state(folder)
            if state is None:
                continue
            try:
                data = (folder / state.file).read_bytes()
                record = parse(data)
                self._check_seal(folder, data)
            except FileNotFoundError:
                continue
            except (OSError, RecordError) as error:
                raise DamagedRun(name, f"the record of a run cannot be read: {folder / state.file}: {error}") from error
            if record.id == name:
                return Run(record, state, folder, self.top / record.root)
        raise DamagedRun(name, f"not a record of a run: {folder}")

    def _check_seal(self, folder: Path, record: bytes) -> None:
        """Raises StrangersRun, and OSError."""
        if not self.is_ours:
            return
        try:
            found = (folder / _SEAL).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            found = b""
        if folder.is_symlink() or not seal.fits(found, record, self.top):
            raise StrangersRun(
                folder.name, f"a run that bears no seal of yours, and may be somebody else's, is left alone: {folder}"
            )


def all_runs(stores: Iterable[RunStore]) -> tuple[list[Run], list[DamagedRun]]:
    """The runs of several stores in the order in which they were made, and what cannot be read."""
    found: list[list[Run]] = []
    damaged: list[DamagedRun] = []
    for store in stores:
        runs, unread = store.runs()
        found.append(runs)
        damaged += unread
    return list(heapq.merge(*found, key=lambda run: run.record.started)), damaged


def _state(folder: Path) -> State | None:
    return next((state for state in State if os.path.exists(folder / state.file)), None)


def _zipped(contents: Iterable[bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in {str(sha256(data)): data for data in contents}.items():
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()
