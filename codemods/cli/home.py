"""Where a saved plan belongs: the project that a command runs in, or where to go when that is another one.

Only reads.
"""

from __future__ import annotations

import hashlib
import os
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from codemods.cli import PROGRAM
from codemods.cli.stopping import Stopped

if TYPE_CHECKING:
    from codemods.saved_plan import SavedPlan

_DEEP, _MANY, _NAMED = 4, 5000, 3  # how far down is looked, in how many folders, and how many of them are named
_PASSED = frozenset({"node_modules", "site-packages", "__pycache__"})


def root_of(plan: SavedPlan, file: Path, command: str) -> Path:
    """The root of the project that the command runs in, which must be that of the plan in `file`.

    Raises Stopped where none of the plan's files is in it. That names the folder with these files, where it is near,
    and how to type the command there; a folder is never taken for it unasked.
    """
    from codemods import sources

    root = sources.find_root(Path())
    if not plan.files or any(os.path.lexists(root / saved.path) for saved in plan.files):
        return root
    found = _fitting(plan, file)
    if not found:
        where = "run the command in the project that it was made for"
    elif len(found) == 1:
        where = f"they are in {found[0]}: {there(found[0], command, file)}"
    else:
        where = f"files of these names are in {', '.join(map(str, found[:_NAMED]))}; run the command there"
    raise Stopped(f"none of the plan's files is in {root}; {where}")


def reviewing(root: Path, file: Path) -> str:
    """The command that reviews the plan in `file`, made for the project at `root`, as one would type it here."""
    from codemods import sources

    if sources.find_root(Path()) == root:
        return shlex.join([PROGRAM, "review", str(file)])
    return there(root, "review", file)


def there(folder: Path, command: str, file: Path, *more: str) -> str:
    """The command as one would type it here, to be run in `folder` with the plan in `file`."""
    words = [PROGRAM, command, os.path.relpath(file.resolve(), folder), *more]
    return f"cd {shlex.quote(os.path.relpath(folder))} && {shlex.join(words)}"


def _fitting(plan: SavedPlan, file: Path) -> list[Path]:
    """The folders near the working directory, and near the plan, that hold what the plan was made from; where none
    does, those that hold files of its names. The best alone where one is better than the others."""
    scored: dict[Path, tuple[int, int]] = {}
    for folder in _near(file):
        names = [saved for saved in plan.files if os.path.isfile(folder / saved.path)]
        if names:
            scored[folder] = sum(_is_the_same(folder / saved.path, saved.before) for saved in names), len(names)
    best = max(scored.values(), default=None)
    return sorted(folder for folder, score in scored.items() if score == best)


def _is_the_same(path: Path, digest: str) -> bool:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest() == digest
    except OSError:
        return False


def _near(file: Path) -> Iterator[Path]:
    """Folders below the working directory and below that of the plan, and those above them; each once."""
    seen: set[Path] = set()
    for start in dict.fromkeys((Path.cwd(), file.resolve().parent)):
        for folder in (*start.parents, *_below(start)):
            if folder not in seen:
                seen.add(folder)
                yield folder


def _below(start: Path) -> Iterator[Path]:
    for count, (place, folders, files) in enumerate(os.walk(start)):
        folder = Path(place)
        deep = len(folder.relative_to(start).parts)
        if "pyvenv.cfg" in files or deep >= _DEEP:
            folders.clear()
        folders[:] = sorted(name for name in folders if name not in _PASSED and not name.startswith("."))
        yield folder
        if count >= _MANY:
            return
