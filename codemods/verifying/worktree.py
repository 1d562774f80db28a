"""A working tree of git apart, in a temporary folder, to try contents of files in. Never touches the user's tree.

It is made of the last commit and what changed in tracked files since. Files that git does not track are not in it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from codemods.repository import GitError, Repository

_NAME, _MAIL = "session-codemods", "session-codemods@localhost"
_SOMEBODY = {
    "GIT_AUTHOR_NAME": _NAME,
    "GIT_AUTHOR_EMAIL": _MAIL,
    "GIT_COMMITTER_NAME": _NAME,
    "GIT_COMMITTER_EMAIL": _MAIL,
}


@dataclass(frozen=True, slots=True)
class Worktree:
    """`root` is the project's root in it."""

    root: Path
    top: Path
    repository: Repository
    git_folder: str

    def hold(self, contents: Mapping[str, bytes | None]) -> None:
        """Make it as it was in the beginning, whatever a command left behind, with these contents of the project's
        files; None: not there. Raises GitError and OSError.
        """
        # A command may have removed `.git`: the next repository above must not be reset instead.
        (self.top / ".git").write_text(f"gitdir: {self.git_folder}\n")
        here = {"GIT_DIR": self.git_folder, "GIT_WORK_TREE": str(self.top)}
        self.repository.git("-C", str(self.top), "reset", "--hard", "--quiet", environment=here)
        # Also what is ignored: compiled files of the last contents would be taken for those of the next ones.
        self.repository.git("-C", str(self.top), "clean", "-ffdxq", environment=here)
        for path, data in contents.items():
            place = self.root / path
            if not place.resolve().is_relative_to(self.top):
                raise GitError(f"{path} is a link that leads out of a working tree")
            if data is None:
                place.unlink(missing_ok=True)
            else:
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(data)


@contextlib.contextmanager
def worktree(root: Path) -> Iterator[Worktree]:
    """A working tree of the repository that `root` lies in; it is gone afterwards, in every case. Raises GitError."""
    repository = Repository.of(root)
    folder = Path(tempfile.mkdtemp(prefix="session-codemods-")).resolve()
    top = folder / (repository.top.name or "tree")
    try:
        commit = _snapshot(repository, folder)
        repository.git("worktree", "add", "--quiet", "--detach", str(top), commit)
        git_folder = repository.word("-C", str(top), "rev-parse", "--absolute-git-dir")
        yield Worktree(top / repository.prefix, top, repository, git_folder)
    finally:
        with contextlib.suppress(GitError):
            repository.git("worktree", "remove", "--force", "--force", str(top))
        _remove(folder)
        with contextlib.suppress(GitError):
            repository.git("worktree", "prune")


def _snapshot(repository: Repository, folder: Path) -> str:
    """A commit of the tracked files as they are now; no branch knows it, and the user's index is not touched.

    (`git stash create` would refresh the index, and wants to know who commits.)
    """
    head = repository.head()
    index = folder / "index"
    with contextlib.suppress(FileNotFoundError):
        shutil.copyfile(repository.path("index"), index)
    private = {"GIT_INDEX_FILE": str(index)}
    repository.git("add", "--update", environment=private)
    tree = repository.word("write-tree", environment=private)
    if head and repository.word("rev-parse", f"{head}^{{tree}}") == tree:
        return head
    parents = ("-p", head) if head else ()
    return repository.word("commit-tree", tree, *parents, "-m", "as it is now", environment=_SOMEBODY)


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    if folder.exists():  # folders that a command made read-only
        for one, _, _ in os.walk(folder):
            with contextlib.suppress(OSError):
                os.chmod(one, 0o700)
        shutil.rmtree(folder, ignore_errors=True)
