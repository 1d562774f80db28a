"""Writes changes to the disk, all of them or none. The only code that changes a user's file.

First every file is checked, then every new content is put beside its file under a temporary name, then all are moved
into place; when anything fails on the way, or the user interrupts, what was moved is moved back. A file keeps its
mode, its owner and its extended attributes; its temporary companions never outlive the call.
"""

from __future__ import annotations

import contextlib
import os
import signal
import stat
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from codemods.plan import Change

_MARK = ".session-codemods"


class WriteRefused(Exception):
    """A file that must not or cannot be written. Nothing was written, to this file or to any other."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


class StaleFile(WriteRefused):
    """The file is no longer the one that the change was made from."""

    def __init__(self, path: str) -> None:
        super().__init__(path, "changed since it was read")


class NotPutBack(Exception):
    """Writing failed half way, and so did putting this file back. `reason` says where its old content lies."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


class _Interrupted(Exception):
    """A signal came while files were being written."""


def write(root: Path, changes: Sequence[Change]) -> None:
    """Write the `after` of each change to its path under `root`.

    Raises StaleFile when a file does not hold `before` any more; WriteRefused when it is no regular file, leaves the
    root through a symbolic link, has several hard links, is read-only, or cannot be written. In every case, and on an
    interrupt, all files are as they were. Only when the system does not even let us put a file back is NotPutBack
    raised; the others are put back all the same. Signals wait until the files are whole.
    """
    replacements: list[_Replacement] = []
    done = False
    with _held_signals() as check, contextlib.suppress(_Interrupted):
        try:
            top = root.resolve()
            for change in changes:
                replacements.append(_Replacement(top, change))
            _refuse_twins(replacements)
            for step in (_Replacement.prepare, _Replacement.place):
                for replacement in replacements:
                    check()
                    step(replacement)
            done = True
        except BaseException:
            _put_back(replacements)
            raise
        finally:
            for replacement in replacements:
                replacement.clean()
            for folder in {replacement.target.parent for replacement in replacements}:
                _sync_folder(folder)
    if not done:  # the program's own handler of the signal let us live; that nothing was written must be told
        raise KeyboardInterrupt


class _Replacement:
    """One file on its way: checked when made, then prepared, placed, perhaps put back, and cleaned."""

    def __init__(self, root: Path, change: Change) -> None:
        self.path = change.path
        self.change = change
        self.new: Path | None = None  # the new content under its temporary name
        self.old: Path | None = None  # a second name of the old content
        with self._told("cannot be read"):
            self.target = (root / change.path).resolve(strict=True)
            if not self.target.is_relative_to(root):
                raise WriteRefused(self.path, "leads out of the project through a symbolic link")
            self.seen = self.target.stat()
            if not stat.S_ISREG(self.seen.st_mode):
                raise WriteRefused(self.path, "is not a regular file")
            if self.target.read_bytes() != change.before:
                raise StaleFile(self.path)
        if self.seen.st_nlink > 1:
            raise WriteRefused(self.path, "has more than one hard link; the others would keep the old content")
        if not self.seen.st_mode & 0o222 or not os.access(self.target, os.W_OK):
            raise WriteRefused(self.path, "is read-only")
        if not os.access(self.target.parent, os.W_OK | os.X_OK):
            raise WriteRefused(self.path, "stands in a folder that cannot be written to")

    def prepare(self) -> None:
        """Put the new content beside the file, safely on the disk."""
        with self._told("cannot be written"):
            self.new = self._companion(self.change.after)

    def place(self) -> None:
        """Move the new content into the file's place. Raises StaleFile when somebody was faster."""
        with self._told("cannot be written"):
            self.old = self._second_name()
            now = self.target.stat()
            if (now.st_ino, now.st_size, now.st_mtime_ns) != (
                self.seen.st_ino,
                self.seen.st_size,
                self.seen.st_mtime_ns,
            ):
                self.old.unlink()
                self.old = None
                raise StaleFile(self.path)
            assert self.new is not None
            self.new.replace(self.target)
            self.new = None

    def put_back(self) -> None:
        """Undo `place`, if it happened. The very file from before returns, not a copy of it, where that is possible."""
        if self.old is not None:
            self.old.replace(self.target)

    def clean(self) -> None:
        """Remove the temporary companions."""
        for companion in (self.new, self.old):
            if companion is not None:
                with contextlib.suppress(OSError):
                    companion.unlink(missing_ok=True)

    def _companion(self, data: bytes) -> Path:
        handle, name = tempfile.mkstemp(prefix=f".{self.target.name[:100]}.", suffix=_MARK, dir=self.target.parent)
        companion = Path(name)
        try:
            with open(handle, "wb") as file:
                file.write(data)
                file.flush()
                self._dress(companion)
                os.fsync(file.fileno())
        except BaseException:
            companion.unlink(missing_ok=True)
            raise
        return companion

    def _dress(self, companion: Path) -> None:
        """Give the owner, the mode and the extended attributes of the file to its companion."""
        now = companion.stat()
        if hasattr(os, "chown") and (now.st_uid, now.st_gid) != (self.seen.st_uid, self.seen.st_gid):
            with self._told("its owner cannot be kept"):
                os.chown(companion, self.seen.st_uid, self.seen.st_gid)
        if hasattr(os, "listxattr"):
            with contextlib.suppress(OSError):
                for attribute in os.listxattr(self.target):
                    os.setxattr(companion, attribute, os.getxattr(self.target, attribute))
        companion.chmod(stat.S_IMODE(self.seen.st_mode))

    def _second_name(self) -> Path:
        with tempfile.NamedTemporaryFile(
            prefix=f".{self.target.name[:100]}.", suffix=_MARK, dir=self.target.parent
        ) as unused:
            free = Path(f"{unused.name}-old")
        try:
            os.link(self.target, free)
        except OSError:  # a file system without hard links
            return self._companion(self.change.before)
        return free

    @contextlib.contextmanager
    def _told(self, what: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise WriteRefused(self.path, f"{what}: {error.strerror or error}") from error
        except RuntimeError as error:  # what pathlib says of a circle of links on older Pythons
            raise WriteRefused(self.path, f"{what}: {error}") from error


def _put_back(replacements: Sequence[_Replacement]) -> None:
    """Put every file back, even when one of them cannot be; then say which, and where its old content lies."""
    stuck: list[NotPutBack] = []
    for replacement in replacements:
        try:
            replacement.put_back()
        except OSError as error:
            what = f"could not be put back ({error.strerror or error}); its old content is in {replacement.old}"
            stuck.append(NotPutBack(replacement.path, what))
            replacement.old = None  # what could not be put back must not be cleaned away
    if stuck:
        raise stuck[0]


def _refuse_twins(replacements: Sequence[_Replacement]) -> None:
    first: dict[Path, str] = {}
    for replacement in replacements:
        other = first.setdefault(replacement.target, replacement.path)
        if other != replacement.path:
            raise WriteRefused(replacement.path, f"is the same file as {other}")


@contextlib.contextmanager
def _held_signals() -> Iterator[Callable[[], None]]:
    """Hold back the signals that end a process; yields a check that raises _Interrupted when one has come.

    They are raised again at the end. Only the main thread can do this; elsewhere nothing is held.
    """
    came: list[int] = []

    def check() -> None:
        if came:
            raise _Interrupted

    if threading.current_thread() is not threading.main_thread():
        yield check
        return
    names = ("SIGINT", "SIGTERM", "SIGHUP")
    held = {number: signal.getsignal(number) for name in names if (number := getattr(signal, name, None)) is not None}
    held = {number: handler for number, handler in held.items() if handler not in (None, signal.SIG_IGN)}
    for number in held:
        signal.signal(number, lambda number, frame: came.append(number))
    try:
        yield check
    finally:
        for number, handler in held.items():
            signal.signal(number, handler)
        for number in came[:1]:
            signal.raise_signal(number)


def _sync_folder(folder: Path) -> None:
    """Make the renames of this folder last. Not every system can; the content itself is safe already."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
