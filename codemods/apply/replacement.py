"""One file on its way to other content.

Where the system can, the new content and the file exchange their names in one step, and what was there is looked at
afterwards: what somebody saved in the last moment is found, and put back. Elsewhere the file first gets a second name;
then a moment remains, between the last look and the move, in which what an editor puts in the file's place is lost.
"""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

from codemods.apply import companions, renaming
from codemods.apply.durable import create
from codemods.apply.errors import SavedMeanwhile, StaleFile, WriteRefused, told_of
from codemods.apply.present_file import PresentFile, holds
from codemods.apply.rewriting import Rewrite


class Replacement:
    """Checked when made, then prepared, placed, confirmed, perhaps put back, and cleaned: see `writer`."""

    def __init__(self, root: Path, rewrite: Rewrite, before: bytes, after: bytes, token: str) -> None:
        self.file = PresentFile(root, rewrite, before)
        self.path, self.target, self.known = self.file.path, self.file.target, self.file.known
        self.after = after
        self.rewrite = rewrite
        self.token = token
        self.new: Path | None = None  # the new content under its temporary name
        self.old: Path | None = None  # what was there, under a temporary name
        self.is_copy = False  # `old` is a copy of what was there
        self.is_placed = False
        seen = self.file.seen
        if seen.st_nlink > 1:
            raise WriteRefused(self.path, "has more than one hard link; the others would keep the old content")
        if not seen.st_mode & 0o222 or not os.access(self.target, os.W_OK):
            raise WriteRefused(self.path, "is read-only")

    def prepare(self) -> None:
        """Put the new content beside the file, safely on the disk."""
        with told_of(self.path, "cannot be written"):
            self.new = self._companion(self.after, self.rewrite.mode, self.rewrite.mtime_ns)

    def place(self) -> None:
        """Move the new content into the file's place. Raises StaleFile when somebody was faster."""
        assert self.new is not None
        with told_of(self.path, "cannot be written"):
            if renaming.exchanged(self.new, self.target):
                self.old, self.new, self.is_placed = self.new, None, True
                if not self.file.is_untouched(self.old):
                    raise StaleFile(self.path)
            else:
                self._second_name()
                if not self.file.is_untouched(self.target):
                    raise StaleFile(self.path)
                os.replace(self.new, self.target)
                self.new, self.is_placed = None, True

    def confirm(self) -> None:
        """Raises StaleFile when somebody has written to the old file, which they had open, since it was replaced."""
        with told_of(self.path, "cannot be read"):
            if self.old is not None and not self.is_copy and not self.file.is_untouched(self.old):
                raise StaleFile(self.path)

    def put_back(self) -> None:
        """Undo `place`, if it happened. The very file from before returns, not a copy of it, where that is possible.

        Raises SavedMeanwhile when its place holds something else than was put there, which is left; and OSError.
        """
        if not self.is_placed:
            return
        assert self.old is not None
        if renaming.exchanged(self.old, self.target):
            if not holds(self.old, self.after):
                renaming.exchanged(self.old, self.target)
                raise SavedMeanwhile
        else:
            if not holds(self.target, self.after):
                raise SavedMeanwhile
            os.replace(self.old, self.target)
            self.old = None
        self.is_placed = False

    def left(self, why: str) -> str:
        """What to say when `put_back` failed; the old content is not cleaned away then."""
        kept, self.old = self.old, None
        return f"could not be put back ({why}); its old content is in {kept}"

    def clean(self) -> None:
        """Remove the temporary companions. Raises OSError."""
        for companion in (self.new, self.old):
            if companion is not None:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(companion)

    def _second_name(self) -> None:
        self.old = companions.fresh(self.target.parent, self.token)
        try:
            os.link(self.target, self.old)
        except OSError:  # a file system without hard links
            self.old = self._companion(self.file.before, None, self.file.seen.st_mtime_ns)
            self.is_copy = True

    def _companion(self, data: bytes, mode: int | None, mtime_ns: int | None) -> Path:
        companion = companions.fresh(self.target.parent, self.token)
        create(companion, data, 0o600, lambda: self._dress(companion, mode, mtime_ns))
        return companion

    def _dress(self, companion: Path, mode: int | None, mtime_ns: int | None) -> None:
        """Give the owner, the mode and the extended attributes of the file to its companion."""
        now, seen = companion.stat(), self.file.seen
        if hasattr(os, "chown") and (now.st_uid, now.st_gid) != (seen.st_uid, seen.st_gid):
            with told_of(self.path, "its owner cannot be kept"):
                os.chown(companion, seen.st_uid, seen.st_gid)
        if hasattr(os, "listxattr"):
            with contextlib.suppress(OSError):
                for attribute in os.listxattr(self.target):
                    os.setxattr(companion, attribute, os.getxattr(self.target, attribute))
        os.chmod(companion, stat.S_IMODE(seen.st_mode) if mode is None else mode)
        if mtime_ns is not None:
            os.utime(companion, ns=(mtime_ns, mtime_ns))
