"""A file that is there and is to be replaced or removed: checks that it may be, and later that it still is the same.

Only reads.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from codemods.apply.errors import StaleFile, WriteRefused, told_of
from codemods.apply.rewriting import Known, Rewrite


class PresentFile:
    """Raises StaleFile and WriteRefused when made."""

    def __init__(self, root: Path, rewrite: Rewrite, before: bytes) -> None:
        self.path = rewrite.path
        self.before = before
        with told_of(self.path, "cannot be read"):
            self.target = (root / rewrite.path).resolve(strict=True)
            if not self.target.is_relative_to(root):
                raise WriteRefused(self.path, "leads out of the project through a symbolic link")
            self.seen = self.target.stat()
            if not stat.S_ISREG(self.seen.st_mode):
                raise WriteRefused(self.path, "is not a regular file")
            if self.target.read_bytes() != before:
                raise StaleFile(self.path)
        if not os.access(self.target.parent, os.W_OK | os.X_OK):
            raise WriteRefused(self.path, "stands in a folder that cannot be written to")
        self.known = Known(
            self.target.relative_to(root).as_posix(),
            before,
            rewrite.after,
            stat.S_IMODE(self.seen.st_mode),
            self.seen.st_mtime_ns,
        )

    def is_untouched(self, name: Path) -> bool:
        """Whether the file that has this name now is the one that was checked, and nobody has changed it. Raises
        OSError."""
        now, seen = name.lstat(), self.seen
        return (
            (now.st_ino, now.st_size, now.st_mtime_ns, now.st_mode)
            == (seen.st_ino, seen.st_size, seen.st_mtime_ns, seen.st_mode)
        ) and name.read_bytes() == self.before


def holds(name: Path, data: bytes) -> bool:
    """Whether a regular file of this content has the name. Raises OSError."""
    try:
        return stat.S_ISREG(name.lstat().st_mode) and name.read_bytes() == data
    except FileNotFoundError:
        return False
