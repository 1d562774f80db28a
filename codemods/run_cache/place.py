"""Where the databases are kept: one for each project, in the user's cache folder. Makes that folder, and bounds it."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from collections.abc import Callable
from hashlib import sha256

FORMAT = 1
"""Of the databases: stands in their names, so that no version reads those of another one."""
LIMIT = 200 * 1024 * 1024
"""Bytes that all databases together may take."""
_SUFFIX = ".sqlite"


class Unusable(Exception):
    """The cache cannot be used. The text says why."""


def folder() -> str:
    """The folder of the databases, there or not. Raises Unusable where the user has none."""
    home = os.path.expanduser("~")
    if stated := os.environ.get("XDG_CACHE_HOME", ""):
        base = stated
    elif os.name == "nt":
        base = os.environ.get("LOCALAPPDATA", "")
    elif sys.platform == "darwin":
        base = os.path.join(home, "Library", "Caches")
    else:
        base = os.path.join(home, ".cache")
    if not os.path.isabs(base):
        raise Unusable("there is no cache folder")
    return os.path.join(base, "session-codemods")


def database(project: str, *, make: bool = False) -> str:
    """The file for the project at or above this path; with `make` it is there afterwards.

    Raises Unusable for a folder or file that somebody else could have written, and OSError.
    """
    place = folder()
    if make:
        os.makedirs(os.path.dirname(place), exist_ok=True)
        with contextlib.suppress(FileExistsError):
            os.mkdir(place, 0o700)
    name = sha256(os.fsencode(_likely_root(project))).hexdigest()[:32]
    file = os.path.join(place, f"runs-{FORMAT}-{name}{_SUFFIX}")
    _check(place, stat.S_ISDIR, "folder")
    if make:
        with contextlib.suppress(FileExistsError):
            os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    _check(file, stat.S_ISREG, "file")
    return file


def make_room(kept: str) -> None:
    """Removes the databases that were written longest ago, until the limit is kept; `kept` stays."""
    found = []
    with os.scandir(folder()) as entries:
        for entry in entries:
            if entry.name.endswith(_SUFFIX):
                status = entry.stat(follow_symlinks=False)
                found.append((status.st_mtime_ns, status.st_size, entry.path))
    total = sum(size for _, size, _ in found)
    for _, size, path in sorted(found):
        if total <= LIMIT:
            return
        if path != kept:
            with contextlib.suppress(OSError):
                os.unlink(path)
            total -= size


def _likely_root(path: str) -> str:
    """A name for the project of a path: which one it really is, is asked with all else."""
    place = path
    while True:
        if any(os.path.exists(os.path.join(place, marker)) for marker in ("pyproject.toml", ".git")):
            return place
        above = os.path.dirname(place)
        if above == place:
            return path
        place = above


def _check(path: str, right: Callable[[int], bool], what: str) -> None:
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        raise Unusable("") from None  # nothing is remembered yet
    if not right(status.st_mode):
        raise Unusable(f"{path} is no {what}")
    if os.name == "posix" and status.st_uid != os.geteuid():
        raise Unusable(f"{path} belongs to somebody else")
    if os.name == "posix" and status.st_mode & 0o022:
        raise Unusable(f"others may write to {path}")
