"""Makes commits of groups that stand in the working tree: one for each batch, with the reasons as its message.

Writes git's objects, the branch, and the index's entries of the files that were committed. Files are not touched, and
what the user has put into the index besides stays there. Hooks run as for every commit; they are the user's.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from codemods.apply.git import GitError, guard
from codemods.apply.held_signals import Interrupted, held_signals
from codemods.batches import Batch, Contents, steps
from codemods.git_environment import without_git
from codemods.plan import Change
from codemods.repository import Repository

_UNDER_WAY = {
    "MERGE_HEAD": "a merge",
    "CHERRY_PICK_HEAD": "a cherry-pick",
    "REVERT_HEAD": "a revert",
    "rebase-merge": "a rebase",
    "rebase-apply": "a rebase or `git am`",
    "sequencer": "a cherry-pick or revert",
}
_NEW = ("100644", "")
_NONE = ("0", "0" * 40)  # takes a file out of an index
_AT_ONCE = 200  # paths per call: command lines have a length limit


class CommitRefused(Exception):
    """No commit can be made here; nothing was written. The text says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit that was made. `changed_by_hook`: the files in it that do not hold what was to be committed."""

    id: str
    batch: Batch
    changed_by_hook: tuple[str, ...]


class CommitStopped(Exception):
    """A commit could not be made. Those before it, `made`, stand upon the commit `start`, "" for none; what is not
    committed stands in the working tree."""

    def __init__(self, reason: str, batch: Batch, made: Sequence[Commit], start: str = "") -> None:
        super().__init__(f"{batch.subject}: {reason}")
        self.batch = batch
        self.made = tuple(made)
        self.start = start


def ready(root: Path, paths: Sequence[str], new: Sequence[str] = ()) -> None:
    """To be asked before anything is written. `paths` are all that will be committed, `new` those not there yet.

    Raises CommitRefused in the middle of a merge, rebase or the like, and where git ignores a new file; DirtyFiles,
    NoRepository and GitError as `apply.git.guard`: a commit would hold what the user changed besides.
    """
    guard(root, paths, new=new)
    repository = Repository.of(root)
    for name, what in _UNDER_WAY.items():
        if repository.path(name).exists():
            raise CommitRefused(f"{what} is under way in {repository.top}; finish or abort it, then commit")
    for path in new:
        if repository.ignores(repository.prefix + path):
            raise CommitRefused(f"{path}: git ignores it; it cannot be committed")


def commit(
    root: Path, made: Sequence[Batch], contents: Contents, tell: Callable[[Commit], None] = lambda _: None
) -> tuple[Commit, ...]:
    """A commit for each batch on the branch that is checked out, each with the files as they are with it and all before
    it made. Batches that change nothing get none. `tell` hears of each as soon as it is there.

    Raises CommitStopped (a hook said no, git failed), what `contents` raises, and KeyboardInterrupt; commits that were
    made until then stay.
    """
    commits: list[Commit] = []
    done = False
    with held_signals() as check, contextlib.suppress(Interrupted):
        repository = Repository.of(root)
        start = repository.head()
        for batch, changes in steps(made, contents):
            check()
            if not changes:
                continue
            try:
                found = _committed(repository, batch, changes)
            except (GitError, OSError) as error:
                check()
                raise CommitStopped(str(error), batch, commits, start) from error
            if found is not None:
                commits.append(found)
                tell(found)
        done = True
    if not done:
        raise KeyboardInterrupt
    return tuple(commits)


def _committed(repository: Repository, batch: Batch, changes: Sequence[Change]) -> Commit | None:
    with _private_index(repository) as index:
        private = {"GIT_INDEX_FILE": str(index)}
        paths = [repository.prefix + change.path for change in changes]
        staged = _staged(repository, paths, private)
        wanted = {}
        for change, path in zip(changes, paths, strict=True):
            blob = repository.git("hash-object", "-w", "--stdin", f"--path={path}", data=change.after).decode().strip()
            wanted[path] = (staged.get(path, _NEW)[0], blob)
        _put(repository, wanted, private)
        head = repository.head()
        if repository.word("write-tree", environment=private) == repository.word("rev-parse", f"{head}^{{tree}}"):
            return None  # the change is one that git's filters undo
        _git_commit(repository, head, batch, index)
    now = repository.head()
    found = _entries(repository, now, paths)
    _put(repository, {**_added_by_hooks(repository, head, now, paths), **found})
    pairs = zip(changes, paths, strict=True)
    different = tuple(change.path for change, path in pairs if found.get(path, _NONE)[1] != wanted[path][1])
    return Commit(now, batch, different)


def _added_by_hooks(
    repository: Repository, before: str, after: str, paths: Sequence[str]
) -> dict[str, tuple[str, str]]:
    """What hooks put into the commit besides these files: the user's index learns of it where it was as the commit
    before."""
    names = _records(repository.git("diff-tree", "-r", "-z", "--name-only", "--no-renames", before, after))
    others = [path for path in names if path not in set(paths)]
    if not others:
        return {}
    old, new = _entries(repository, before, others), _entries(repository, after, others)
    staged = _staged(repository, others)
    return {path: new.get(path, _NONE) for path in others if staged.get(path) == old.get(path)}


@contextlib.contextmanager
def _private_index(repository: Repository) -> Iterator[Path]:
    """An index of the last commit. A copy of the user's, so that git need not read all files again."""
    with tempfile.TemporaryDirectory(prefix="session-codemods-") as folder:
        index = Path(folder) / "index"
        with contextlib.suppress(FileNotFoundError):
            shutil.copyfile(repository.path("index"), index)
        repository.git("read-tree", "-i", "-m", "HEAD", environment={"GIT_INDEX_FILE": str(index)})
        yield index


def _git_commit(repository: Repository, head: str, batch: Batch, index: Path) -> None:
    """The user's own `git commit` upon `head`: identity, signature and hooks are theirs. What it says goes to stderr.

    Raises GitError when there is no commit. A signal may end git when it is there already, in the last hook.
    """
    message = f"{batch.subject}\n\n{batch.body}".encode()
    environment = {**without_git(), "GIT_INDEX_FILE": str(index), "GIT_EDITOR": ":"}
    sys.stderr.flush()
    run = subprocess.run(
        ["git", "commit", "--quiet", "--cleanup=whitespace", "-F", "-"],
        cwd=repository.top,
        env=environment,
        input=message,
        stdout=2,
        check=False,
    )
    if run.returncode > 0 or (run.returncode and repository.head() == head):
        raise GitError(f"git commit ended with code {run.returncode}; a hook, or git's own message above, says why")


def _staged(
    repository: Repository, paths: Sequence[str], environment: dict[str, str] | None = None
) -> dict[str, tuple[str, str]]:
    """Mode and blob of these files in the index that the environment names."""
    found = {}
    for some in _portions(paths):
        listed = repository.git("ls-files", "--stage", "-z", "--", *some, environment=environment)
        for record in _records(listed):
            entry, path = record.split("\t", 1)
            found[path] = (entry.split(" ")[0], entry.split(" ")[1])
    return found


def _entries(repository: Repository, commit: str, paths: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Mode and blob of these files in a commit."""
    found = {}
    for some in _portions(paths):
        for record in _records(repository.git("ls-tree", "-r", "-z", "--full-tree", commit, "--", *some)):
            entry, path = record.split("\t", 1)
            found[path] = (entry.split(" ")[0], entry.split(" ")[2])
    return found


def _portions(paths: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(paths), _AT_ONCE):
        yield paths[start : start + _AT_ONCE]


def _records(listed: bytes) -> list[str]:
    return [os.fsdecode(record) for record in listed.split(b"\0") if record]


def _put(
    repository: Repository, entries: dict[str, tuple[str, str]], environment: dict[str, str] | None = None
) -> None:
    """Into the index that the environment names: mode and blob by path."""
    data = b"".join(os.fsencode(f"{mode} {blob}\t{path}") + b"\0" for path, (mode, blob) in entries.items())
    repository.git("update-index", "-z", "--index-info", data=data, environment=environment)
