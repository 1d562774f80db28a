"""Which tool it is: version, its own code as it stands on disk, Python, and the libraries that have a say in a plan.

Looks at those files' names, sizes and times; opens none, imports nothing of them.
"""

from __future__ import annotations

import os
import sys
import time
from hashlib import sha256
from importlib.machinery import PathFinder

import codemods
from codemods.run_cache.place import Unusable

_LIBRARIES = ("libcst", "inflection")
SETTLED = 2_000_000_000
"""Nanoseconds after which a file that is written once more has another time of change on every file system."""


def identity() -> str:
    """Equal for equal tools. Raises Unusable while the tool's own code is being changed, or cannot be looked at."""
    found = sha256(f"{codemods.__version__}\0{sys.version}\0{sys.platform}\0".encode())
    package = os.path.dirname(codemods.__file__)
    newest = 0
    for name, (size, changed, made, inode) in sorted(_files(package, "").items()):
        newest = max(newest, changed, made)
        found.update(f"{name}\0{size}\0{changed}\0{made}\0{inode}\n".encode("utf-8", "surrogatepass"))
    if newest > time.time_ns() - SETTLED:
        raise Unusable("the program itself was changed just now")
    for library in _LIBRARIES:
        spec = PathFinder.find_spec(library)
        place = spec.origin if spec is not None else None
        if place is None:
            raise Unusable(f"{library} is not installed as files")
        for path in (os.path.dirname(place), place, os.path.join(os.path.dirname(place), "_version.py")):
            try:
                status = os.stat(path)
            except FileNotFoundError:
                continue
            found.update(
                f"{path}\0{status.st_size}\0{status.st_mtime_ns}\0{status.st_ino}\n".encode("utf-8", "replace")
            )
    return found.hexdigest()


def _files(folder: str, prefix: str) -> dict[str, tuple[int, int, int, int]]:
    """The modules of the package: size, times, inode."""
    found: dict[str, tuple[int, int, int, int]] = {}
    try:
        with os.scandir(folder) as scanned:
            entries = list(scanned)
    except OSError as error:
        raise Unusable(f"{folder} cannot be looked at") from error
    for entry in entries:
        if entry.is_dir():
            if entry.name != "__pycache__":
                found |= _files(entry.path, f"{prefix}{entry.name}/")
        elif entry.name.endswith(".py"):
            status = entry.stat()
            found[prefix + entry.name] = status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino
    return found
