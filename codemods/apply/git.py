"""Asks git about a working tree: which files could not be got back from it, and where a patch is applied. Only reads.

Git itself must not write or run anything for us either: no index refresh, no file-system monitor, no hooks. Git's own
environment (GIT_DIR, GIT_INDEX_FILE, ... as hooks set them) speaks of some other tree and is not handed on.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from codemods.git_environment import without_git

_AT_ONCE = 200  # paths per call: command lines have a length limit
_QUIET = ("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "--no-optional-locks", "--literal-pathspecs")


class GitError(Exception):
    """Git could not answer; the text says why."""


class NotSaved(Exception):
    """These files hold something that git could not give back. `paths` as they were given."""

    def __init__(self, paths: Sequence[str]) -> None:
        super().__init__(", ".join(paths))
        self.paths = tuple(paths)


class DirtyFiles(NotSaved):
    """Changed since the last commit, or never committed."""


class NoRepository(NotSaved):
    """In no git repository at all."""


@dataclass(frozen=True, slots=True)
class OwnFolder:
    """A folder within git's own one, perhaps not there yet, and the top of the working tree that it belongs to."""

    folder: Path
    top: Path


@dataclass(frozen=True, slots=True)
class PatchBase:
    """The folder in which `git apply` takes a patch, and how paths of the project are named from there."""

    folder: Path
    prefix: str  # put before a path of the project
    strip: str  # taken off a path of the project; one of the two is empty


def guard(
    root: Path,
    paths: Sequence[str],
    allow_dirty: bool = False,
    allow_no_vcs: bool = False,
    new: Collection[str] = (),
    kept: Collection[str] = (),
) -> None:
    """Raise unless git could give back each of these files (relative to `root`) as it is now.

    Those of `new` are not there yet: nothing of them can be lost, whether git would track or ignore them. What those of
    `kept` hold can be had back otherwise.

    Raises NoRepository unless `allow_no_vcs`, DirtyFiles unless `allow_dirty` (a file that git does not track counts
    as dirty), GitError when git is missing or refuses to answer.
    """
    homeless: list[str] = []
    by_repository: dict[Path, dict[str, str]] = {}
    for path in paths:
        real = (root / path).resolve()
        home = _repository(real.parent)
        if home is None:
            homeless.append(path)
        elif path not in new and path not in kept:
            by_repository.setdefault(home, {})[real.relative_to(home).as_posix()] = path
    if homeless and not allow_no_vcs:
        raise NoRepository(homeless)
    if allow_dirty:
        return
    dirty: list[str] = []
    for home, names in by_repository.items():
        dirty.extend(names[name] for name in _unsaved(home, list(names)))
    if dirty:
        raise DirtyFiles(sorted(dirty))


def in_history(root: Path, commits: Sequence[str]) -> list[str]:
    """Those of the commits that the one which is checked out rests on; in the order given. Raises GitError."""
    home = _repository(root.resolve())
    if home is None or not commits:
        return []
    found = _records(home, "rev-list", *commits, "--not", "HEAD", "--")
    gone = set("".join(found).split())
    return [commit for commit in commits if commit not in gone]


def patch_base(root: Path, folder: Path, paths: Sequence[str]) -> PatchBase:
    """Where somebody who stands in `folder` would apply a patch of these paths of the project at `root`.

    That is the repository of `folder`, or `folder` itself outside git, as long as all paths lie below it; else the
    repository of the project, or the project itself.
    """
    root, folder = root.resolve(), folder.resolve()
    for base in (_repository(folder) or folder, _repository(root) or root):
        if root.is_relative_to(base):
            below = root.relative_to(base).as_posix()
            return PatchBase(base, "" if below == "." else f"{below}/", "")
        if base.is_relative_to(root):
            strip = f"{base.relative_to(root).as_posix()}/"
            if all(path.startswith(strip) for path in paths):
                return PatchBase(base, "", strip)
    return PatchBase(root, "", "")


def own_folder(root: Path, name: str) -> OwnFolder | None:
    """Where a tool may keep things about the working tree that `root` lies in, out of the way; None outside git.

    Working trees of one repository have a folder each. Raises GitError.
    """
    home = _repository(root.resolve())
    if home is None:
        return None
    answer = _records(home, "rev-parse", "--git-path", name)
    return OwnFolder((home / answer[0].removesuffix("\n")).resolve(), home)


def _repository(folder: Path) -> Path | None:
    """The nearest folder at or above this one that git takes for a working tree's top."""
    return next((home for home in (folder, *folder.parents) if _is_top(home / ".git")), None)


def _is_top(dot_git: Path) -> bool:
    # A `.git` file points elsewhere (worktrees, submodules); an empty `.git` folder is no repository to git.
    return dot_git.is_file() or (dot_git / "HEAD").exists()


def _unsaved(home: Path, names: Sequence[str]) -> list[str]:
    unsaved: list[str] = []
    for start in range(0, len(names), _AT_ONCE):
        some = names[start : start + _AT_ONCE]
        # `H`: tracked, and not told to look away (assume-unchanged and skip-worktree files have other letters).
        tracked = {entry[2:] for entry in _records(home, "ls-files", "-v", "-z", "--", *some) if entry[0] == "H"}
        status = _records(home, "status", "--porcelain=v1", "-z", "--no-renames", "--untracked-files=no", "--", *some)
        changed = {record[3:] for record in status}
        unsaved.extend(name for name in some if name not in tracked or name in changed)
    return unsaved


def _records(home: Path, *command: str) -> list[str]:
    still = {"GIT_OPTIONAL_LOCKS": "0", "GIT_NO_LAZY_FETCH": "1", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    try:
        run = subprocess.run(
            ["git", *_QUIET, *command],
            cwd=home,
            env={**without_git(), **still},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
        )
    except FileNotFoundError as error:
        raise GitError("git is not installed") from error
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode("utf-8", "replace").strip().splitlines()
        raise GitError(said[0] if said else f"git ended with code {error.returncode}") from error
    return [os.fsdecode(record) for record in run.stdout.split(b"\0") if record]
