"""Temporary companions: files that stand beside those of the user while these are written. Touches nothing but them.

Their names begin with a dot and the token of the run that makes them, so that what a killed process left can be told
from everything else.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

MARK = ".session-codemods"


def fresh(folder: Path, token: str) -> Path:
    """A name for a companion in this folder that nothing has yet."""
    return folder / f".{token}.{secrets.token_hex(4)}{MARK}"


def left_by(token: str, folder: Path) -> list[Path]:
    """The companions of a run in this folder; none when the folder is gone. Raises OSError."""
    try:
        names = os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [folder / name for name in sorted(names) if name.startswith(f".{token}.") and name.endswith(MARK)]
