"""Takes back what a killed process left half written. Touches files of the user through the writer alone.

Nobody holds the lock of the store but we: so a run that is still `writing` has lost its process. Can itself be killed
at any point, and is then done again by the next start.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from codemods.apply import companions
from codemods.apply.durable import sync_folder
from codemods.apply.errors import DamagedRun, NotPutBack, NotTakenBack, StaleFile, WriteRefused, told_of
from codemods.apply.lock import only_writer
from codemods.apply.now import Elsewhere, present
from codemods.apply.rewriting import Nobody, Rewrite
from codemods.apply.run_record import FileRecord, sha256
from codemods.apply.run_store import Run, RunStore, State
from codemods.apply.writer import rewrite


@dataclass(frozen=True, slots=True)
class TakenBack:
    """A run that was cut off. Its files are as they were before it, but for those in `left`. Paths are relative to the
    run's root."""

    run: str
    undoes: str  # of the record
    put_back: tuple[str, ...]
    left: tuple[str, ...]  # hold neither what they held before nor what the run wrote; nothing was done to them
    kept: tuple[str, ...]  # temporary files that hold what somebody saved at the very moment of writing


Tell = Callable[[TakenBack], None]


def recover(root: Path, tell: Tell) -> None:
    """Take back every run of the project that was cut off, and `tell` of each. Writes nothing if there is none.

    Raises TreeBusy when another process is writing right now, NotTakenBack when files cannot be put back, DamagedRun
    when it cannot be known what was there or that it was us who wrote, NoStore, and WriteRefused.
    """
    for store in RunStore.all_of(root):
        if store.is_pending():
            with only_writer(store):
                _recover(store, tell)


@contextlib.contextmanager
def recovered(root: Path, tell: Tell) -> Iterator[RunStore]:
    """Hold the lock of the store that new runs of the project are kept in; nothing is half written any more.

    Raises as `recover` does.
    """
    store, *others = RunStore.all_of(root)
    with only_writer(store):
        for other in others:
            if other.is_pending():
                with only_writer(other):
                    _recover(other, tell)
        _recover(store, tell)
        yield store


def _recover(store: RunStore, tell: Tell) -> None:
    """The lock is held."""
    store.sweep()
    if not store.is_pending():
        return
    runs, damaged = store.runs()
    problems: list[str] = []
    for run in runs:
        if run.state is State.WRITING:
            problems += _take_back(run, tell)
        elif run.state is State.WRITTEN:
            with contextlib.suppress(OSError):
                for companion in _companions(run):
                    companion.unlink(missing_ok=True)
                run.enter(State.DONE)
    if problems:
        raise NotTakenBack("a run was cut off and cannot be taken back whole: " + "; ".join(problems))
    for one in damaged:
        if store.is_writing(one.run):
            raise type(one)(one.run, f"{one}; remove the folder when the files of the project are as they should be")


def _take_back(run: Run, tell: Tell) -> list[str]:
    """Gives what went wrong."""
    root = run.root
    put_back: list[str] = []
    left: list[str] = []
    problems: list[str] = []
    for file in run.record.files:
        try:
            now = present(root, file.path)
            if isinstance(now, Elsewhere):
                left.append(file.path)
            elif _is_before(now, file):
                continue
            elif _is_from_the_run(now, file):
                before = None if file.before is None else run.content(file.before)
                _remove_second_names(run, root / file.path)
                mode = None if now and sha256(now) == file.after else file.mode  # they may have changed it since
                rewrite(root, [Rewrite(file.path, now, before, mode, file.mtime_ns)], Nobody(run.id))
                put_back.append(file.path)
            else:
                left.append(file.path)
        except StaleFile:
            left.append(file.path)
        except DamagedRun as error:
            problems.append(f"{file.path}: {error} (put it right by hand, or remove that folder to leave it as it is)")
        except (WriteRefused, NotPutBack) as error:
            problems.append(str(error))
    kept: list[str] = []
    if not problems:
        try:
            for companion in _companions(run):
                if _is_ours(run, companion):
                    companion.unlink(missing_ok=True)
                else:
                    kept.append(companion.relative_to(root).as_posix())
        except OSError as error:
            problems.append(f"temporary files of run {run.id} cannot be removed: {error.strerror or error}")
    if not problems:
        try:
            run.enter(State.UNDONE)
            sync_folder(run.folder)
        except OSError as error:
            problems.append(f"{run.folder}: {error.strerror or error}")
    if put_back or left or not problems:
        tell(TakenBack(run.id, run.record.undoes, tuple(put_back), tuple(left), tuple(kept)))
    return problems


def _is_before(now: bytes | None, file: FileRecord) -> bool:
    return sha256(now) == file.before


def _is_from_the_run(now: bytes | None, file: FileRecord) -> bool:
    if sha256(now) == file.after:
        return True
    # Without hard links a name is first taken by an empty file.
    return not now and (file.before is None or file.after is None)


def _remove_second_names(run: Run, file: Path) -> None:
    """A companion may be another name of the very file, which the writer would refuse to replace."""
    with told_of(file.name, "has a second name that cannot be removed"):
        for companion in companions.left_by(run.id, file.parent):
            if file.exists() and companion.samefile(file):
                companion.unlink()


def _companions(run: Run) -> list[Path]:
    """The temporary companions that are left of a run. Raises OSError."""
    root = run.root.resolve()
    found: list[Path] = []
    for name in sorted({str(PurePosixPath(file.path).parent) for file in run.record.files}):
        folder = (root / name).resolve()
        if folder.is_relative_to(root):
            found += companions.left_by(run.id, folder)
    return found


def _is_ours(run: Run, companion: Path) -> bool:
    """Whether a companion holds nothing but what the run replaced or wrote, or the beginning of what it wrote.

    When a process is killed between taking a file away and looking at it, it may hold what somebody has just saved.
    """
    data = companion.read_bytes()
    files = run.record.files
    if sha256(data) in {checksum for file in files for checksum in (file.before, file.after)}:
        return True
    try:
        return any(run.content(file.after).startswith(data) for file in files if file.after is not None)
    except DamagedRun:
        return False
