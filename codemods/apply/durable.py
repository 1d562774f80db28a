"""Files that are whole and on the disk when the call returns, or not there at all.

Calls the system through `os` alone, one call for each step, so that what happens when one of them fails can be tried.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable
from pathlib import Path

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
# what systems answer that cannot sync a folder at all
_UNABLE = frozenset({errno.EACCES, errno.EPERM, errno.EINVAL, errno.ENOTSUP, errno.EBADF, errno.EISDIR})


def create(path: Path, data: bytes, mode: int = 0o666, finish: Callable[[], None] | None = None) -> os.stat_result:
    """Make a file of this content, which must not be there yet; gives what the system says of it.

    `finish` is called when the content is written, before it is synced, to give the file its owner and times. Raises
    OSError; then the file is gone again.
    """
    handle = os.open(path, _NEW, mode)
    try:
        try:
            _write(handle, data)
            if finish is not None:
                finish()
            os.fsync(handle)
            return os.fstat(handle)
        finally:
            os.close(handle)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(path)
        raise


def _write(handle: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        count = os.write(handle, left)  # may take less than it is given
        if not count:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        left = left[count:]


def sync_folder(folder: Path) -> None:
    """Make what happened to the names in this folder last. Does nothing where the system has no such thing.

    Raises OSError when the disk fails.
    """
    try:
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        if error.errno not in _UNABLE:
            raise
