"""What a file of a run holds now. Only reads."""

from __future__ import annotations

from pathlib import Path

from codemods.apply.errors import told_of


class Elsewhere:
    """There is something that is no file of the project any more: a folder, or a symbolic link."""


def present(root: Path, path: str) -> bytes | Elsewhere | None:
    """The content of the file; None when there is none. Raises WriteRefused when it cannot be read."""
    top = root.resolve()
    place = top / path
    with told_of(path, "cannot be read"):
        try:
            if place.resolve(strict=True) != place or not place.is_file():
                return Elsewhere()
            return place.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return Elsewhere() if place.is_symlink() else None
