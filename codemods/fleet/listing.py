"""Reads the list of repositories: one path a line. Reads that file, and nothing that it names."""

from __future__ import annotations

import codecs
import os
from pathlib import Path

from codemods.fleet.values import FleetError


def listed(file: Path) -> tuple[Path, ...]:
    """The paths in the list, in its order; relative ones start at the list's folder.

    A line that begins with `#` is a comment; blanks around a path are none of it. Raises FleetError when the list
    cannot be read, or names nothing.
    """
    try:
        data = file.read_bytes()
    except OSError as error:
        raise FleetError(f"{file}: cannot be read: {error.strerror or error}") from error
    if b"\0" in data:
        raise FleetError(f"{file}: not a list of paths: it holds NUL bytes")
    lines = [os.fsdecode(line).strip() for line in data.removeprefix(codecs.BOM_UTF8).splitlines()]
    paths = tuple(file.parent / line for line in lines if line and not line.startswith("#"))
    if not paths:
        raise FleetError(f"{file}: names no repository; write one path a line")
    return paths
