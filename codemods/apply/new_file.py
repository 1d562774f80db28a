"""One file that is not there yet, on its way to the disk. Never takes the place of anything.

The new content is written under a temporary name and then given its own, which fails where something has that name.
The file gets the mode that the user's umask gives new files, unless it is one that returns.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from codemods.apply import companions
from codemods.apply.durable import create
from codemods.apply.errors import SavedMeanwhile, StaleFile, WriteRefused, told_of
from codemods.apply.present_file import holds
from codemods.apply.renaming import move_to_free_name
from codemods.apply.rewriting import Known, Rewrite


class Creation:
    """Checked when made, then prepared, placed, confirmed, perhaps put back, and cleaned: see `writer`."""

    def __init__(self, root: Path, rewrite: Rewrite, after: bytes, token: str) -> None:
        self.path = rewrite.path
        self.data = after
        self.rewrite = rewrite
        self.token = token
        self.new: Path | None = None  # the content under its temporary name
        self.aside: Path | None = None  # the name of the file while it is taken away again
        self.own: os.stat_result | None = None  # what the system says of the file that we made
        place = root / rewrite.path
        with told_of(self.path, "cannot be made"):
            self.target = place.parent.resolve(strict=True) / place.name
            if not self.target.is_relative_to(root):
                raise WriteRefused(self.path, "leads out of the project")
            if not self.target.parent.is_dir():
                raise WriteRefused(self.path, "stands in what is no folder")
            if os.path.lexists(self.target):
                raise StaleFile(self.path, "is there already")
        if not os.access(self.target.parent, os.W_OK | os.X_OK):
            raise WriteRefused(self.path, "stands in a folder that cannot be written to")
        self.known = Known(self.target.relative_to(root).as_posix(), None, after, None, None)

    def prepare(self) -> None:
        """Put the content beside its place, safely on the disk."""
        with told_of(self.path, "cannot be made"):
            name = companions.fresh(self.target.parent, self.token)
            self.own = create(name, self.data, 0o666, lambda: self._dress(name))
            self.new = name

    def _dress(self, name: Path) -> None:
        if self.rewrite.mode is not None:
            os.chmod(name, self.rewrite.mode)
        if self.rewrite.mtime_ns is not None:
            os.utime(name, ns=(self.rewrite.mtime_ns, self.rewrite.mtime_ns))

    def place(self) -> None:
        """Give the content its name. Raises StaleFile when somebody else has taken it."""
        assert self.new is not None
        with told_of(self.path, "cannot be made"):
            try:
                move_to_free_name(self.new, self.target)
            except FileExistsError:
                raise StaleFile(self.path, "is there already") from None
            self.new = None

    def confirm(self) -> None:
        """There was nothing here that somebody could have changed."""

    def put_back(self) -> None:
        """Undo `place`, if it happened: the file goes, unless it is not the one that we made.

        Raises SavedMeanwhile when somebody has written to it, which is left; and OSError.
        """
        if self.own is None or not os.path.lexists(self.target):
            return
        if not os.path.samestat(self.own, self.target.lstat()):
            return
        aside = companions.fresh(self.target.parent, self.token)
        os.rename(self.target, aside)  # whatever it is, it is out of everybody's reach now, and can be looked at
        if not holds(aside, self.data):
            move_to_free_name(aside, self.target)
            raise SavedMeanwhile
        self.aside = aside

    def left(self, why: str) -> str:
        """What to say when `put_back` failed."""
        return f"was made and could not be taken away again ({why})"

    def clean(self) -> None:
        """Remove the temporary names. Raises OSError."""
        for companion in (self.new, self.aside):
            if companion is not None:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(companion)
