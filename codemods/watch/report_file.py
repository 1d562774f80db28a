"""Whether a report can be written to a file, asked before the work that it reports. Leaves the file as it is."""

from __future__ import annotations

import os
from pathlib import Path


def writable(path: Path) -> bool:
    """Whether it could be written now. Makes no file."""
    target = Path(os.path.realpath(path))
    if target.is_dir() or target.is_symlink():  # a link to itself
        return False
    if not target.is_file():
        return os.access(target if target.exists() else target.parent, os.W_OK) and target.parent.is_dir()
    try:
        with target.open("ab"):
            return True
    except OSError:
        return False
