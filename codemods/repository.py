"""The git repository of a project, for what writes to it: working trees apart, commits. Runs git.

Git's own environment (GIT_DIR, GIT_INDEX_FILE, ... as hooks set them) speaks of some other tree and is not handed on.
A Ctrl-C in the terminal does not reach the git that is run here: it is short, and must not be cut off half way.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from codemods.apply.git import GitError
from codemods.git_environment import without_git

__all__ = ["GitError", "Repository"]

# Names as they are, nothing run for us that the user did not ask for.
_QUIET = ("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "-c", "gc.auto=0")
_PLAIN = {"GIT_TERMINAL_PROMPT": "0", "GIT_LITERAL_PATHSPECS": "1", "LC_ALL": "C"}


@dataclass(frozen=True, slots=True)
class Repository:
    """`top` is the top of the working tree, `prefix` the project's path in it, "" or `backend/`."""

    top: Path
    prefix: str

    @classmethod
    def of(cls, root: Path) -> Repository:
        """The repository that this folder lies in. Raises GitError when there is none, or git does not say."""
        where = _git(root, ("rev-parse", "--show-toplevel"))
        prefix = _git(root, ("rev-parse", "--show-prefix"))
        return cls(Path(os.fsdecode(where.removesuffix(b"\n"))), os.fsdecode(prefix.removesuffix(b"\n")))

    def git(self, *command: str, data: bytes = b"", environment: Mapping[str, str] | None = None) -> bytes:
        """What git says at the top, without hooks. Raises GitError."""
        return _git(self.top, command, data, environment)

    def word(self, *command: str, environment: Mapping[str, str] | None = None) -> str:
        """The same, where it is one line."""
        return os.fsdecode(self.git(*command, environment=environment).removesuffix(b"\n"))

    def ignores(self, path: str) -> bool:
        """Whether git would leave out a new file of this name, seen from the top. Raises GitError."""
        # `check-ignore` takes its arguments as they are, and refuses to be told so.
        run = _run(self.top, ("check-ignore", "--quiet", "--", f"./{path}"), b"", {"GIT_LITERAL_PATHSPECS": "0"})
        if run.returncode > 1:
            raise _error(run, "check-ignore")
        return run.returncode == 0

    def path(self, name: str) -> Path:
        """Where git keeps this file of its own, `index` or `MERGE_HEAD`. Raises GitError."""
        return self.top / self.word("rev-parse", "--git-path", name)

    def head(self) -> str:
        """The id of the commit that is checked out; "" before the first one."""
        try:
            return self.word("rev-parse", "--quiet", "--verify", "HEAD^{commit}")
        except GitError:
            return ""


def _git(
    folder: Path, command: tuple[str, ...], data: bytes = b"", environment: Mapping[str, str] | None = None
) -> bytes:
    run = _run(folder, command, data, environment or {})
    if run.returncode:
        raise _error(run, command[0])
    return run.stdout


def _run(
    folder: Path, command: tuple[str, ...], data: bytes, environment: Mapping[str, str]
) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(
            ["git", *_QUIET, *command],
            cwd=folder,
            env={**without_git(), **_PLAIN, **environment},
            input=data,
            capture_output=True,
            check=False,
            start_new_session=True,
        )
    except OSError as error:
        raise GitError(f"git does not run: {error.strerror or error}") from error


def _error(run: subprocess.CompletedProcess[bytes], command: str) -> GitError:
    said = run.stderr.decode("utf-8", "replace").strip().splitlines()
    return GitError(said[0] if said else f"git {command} ended with code {run.returncode}")
