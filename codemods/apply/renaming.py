"""Giving files other names without ever losing what has the name now. Touches the names it is given.

A plain rename destroys whatever has the new name at that moment, be it a file that an editor saved a moment ago.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import os
from collections.abc import Callable
from pathlib import Path

_HERE = -100  # AT_FDCWD of Linux: names are relative to the working directory
_EXCHANGE = 2  # RENAME_EXCHANGE of Linux, RENAME_SWAP of macOS
# Errors that say something of the two files; after all others the caller tries to do without.
_OF_THE_FILES = frozenset({errno.ENOENT, errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.EROFS})


def exchanged(one: Path, other: Path) -> bool:
    """Give each of two files the name of the other in a single step. False: not possible here, nothing happened.

    Raises OSError.
    """
    exchange = _exchange()
    if exchange is None:
        return False
    code = exchange(os.fsencode(one), os.fsencode(other))
    if code in _OF_THE_FILES:
        raise OSError(code, os.strerror(code), str(other))
    return code == 0


@functools.cache
def _exchange() -> Callable[[bytes, bytes], int] | None:
    """The system's own call; gives 0 or the number of the error. None where there is no such call."""
    try:
        library = ctypes.CDLL(None, use_errno=True)
    except (OSError, TypeError):  # Windows
        return None
    linux, macos = getattr(library, "renameat2", None), getattr(library, "renamex_np", None)

    def call(one: bytes, other: bytes) -> int:
        if linux is not None:
            failed = linux(_HERE, one, _HERE, other, ctypes.c_uint(_EXCHANGE))
        else:
            assert macos is not None
            failed = macos(one, other, ctypes.c_uint(_EXCHANGE))
        return (ctypes.get_errno() or errno.EINVAL) if failed else 0

    return None if linux is None and macos is None else call


def move_to_free_name(file: Path, name: Path) -> None:
    """Give a file another name in the same folder. Raises FileExistsError when something has that name, and OSError."""
    try:
        os.link(file, name)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        os.close(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))  # the name is ours now
        try:
            os.replace(file, name)
        except BaseException:
            os.unlink(name)
            raise
    else:
        os.unlink(file)
