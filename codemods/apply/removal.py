"""One file that goes, because the run that made it is undone.

It moves to a temporary name, and is looked at there: what somebody saved in the last moment is found, and put back.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from codemods.apply import companions
from codemods.apply.errors import StaleFile, told_of
from codemods.apply.present_file import PresentFile
from codemods.apply.renaming import move_to_free_name
from codemods.apply.rewriting import Rewrite


class Removal:
    """Checked when made, then prepared, placed, confirmed, perhaps put back, and cleaned: see `writer`."""

    def __init__(self, root: Path, rewrite: Rewrite, before: bytes, token: str) -> None:
        self.file = PresentFile(root, rewrite, before)
        self.path, self.target, self.known = self.file.path, self.file.target, self.file.known
        self.token = token
        self.old: Path | None = None  # the file under its temporary name

    def prepare(self) -> None:
        """There is no new content."""

    def place(self) -> None:
        """Take the file away. Raises StaleFile when it is not the one that was checked."""
        with told_of(self.path, "cannot be removed"):
            old = companions.fresh(self.target.parent, self.token)
            os.rename(self.target, old)
            self.old = old
        self.confirm()

    def confirm(self) -> None:
        """Raises StaleFile when somebody has written to the file, which they had open, since it was taken away."""
        with told_of(self.path, "cannot be read"):
            if self.old is not None and not self.file.is_untouched(self.old):
                raise StaleFile(self.path)

    def put_back(self) -> None:
        """Undo `place`, if it happened. Raises FileExistsError when something has the name now, and OSError."""
        if self.old is not None:
            move_to_free_name(self.old, self.target)
            self.old = None

    def left(self, why: str) -> str:
        """What to say when `put_back` failed; the old content is not cleaned away then."""
        kept, self.old = self.old, None
        return f"could not be put back ({why}); its content is in {kept}"

    def clean(self) -> None:
        """Remove the temporary companion. Raises OSError."""
        if self.old is not None:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.old)
