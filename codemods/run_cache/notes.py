"""What a run was told by the file system and by git, and whether it would be told the same again. Writes nothing.

What a file or a listing says is kept as a hash. It is taken over unread while the status (size, times, inode, mode) is
the same, unless the file was changed so shortly before it was looked at that one more change could bear the same time:
then there is no status to compare, and it is read again (git calls such entries racy).
"""

from __future__ import annotations

import errno
import fnmatch
import functools
import os
import re
import stat
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from codemods.run_cache.tool import SETTLED

if TYPE_CHECKING:
    import subprocess

_LARGE = 64 * 1024 * 1024
"""A larger file is known by its status alone; of source, sources.SIZE_LIMIT says which is not read at all."""

Status = list[int]


@dataclass(slots=True)
class Noted:
    """An answer, and the status of what gave it; None where the status tells too little."""

    answer: str
    status: Status | None


@dataclass(slots=True)
class Notes:
    """Questions and answers; a listener of `asked`. The answer is taken down before the run itself asks."""

    files: dict[str, Noted] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)
    folders: dict[tuple[str, tuple[str, ...], tuple[str, ...] | None], Noted] = field(default_factory=dict)
    commands: dict[tuple[str, tuple[str, ...]], str] = field(default_factory=dict)

    def data(self, path: str) -> None:
        if path not in self.files:
            status = status_of(path, stat.S_ISREG)
            self.files[path] = Noted(_content(path), status)

    def kind(self, path: str) -> None:
        if path not in self.kinds:
            self.kinds[path] = _kind(path)

    def names(self, folder: str, globs: tuple[str, ...], quiet: tuple[str, ...] | None) -> None:
        if (folder, globs, quiet) not in self.folders:
            status = status_of(folder, stat.S_ISDIR)
            self.folders[folder, globs, quiet] = Noted(_listing(folder, globs, quiet), status)

    def command(self, folder: str, arguments: tuple[str, ...]) -> None:
        if (folder, arguments) not in self.commands:
            self.commands[folder, arguments] = _said(_asked_git(folder, arguments))

    def again(self) -> Notes | None:
        """The same questions with the same answers and the statuses of now; None when an answer is another one."""
        running = {key: _asked_git(*key) for key in self.commands}  # at work while the others are looked at
        try:
            found = self._looked_at_again()
            if found is None:
                return None
            for key, said in self.commands.items():
                if _said(running.pop(key)) != said:
                    return None
                found.commands[key] = said
            return found
        finally:
            for left in filter(None, running.values()):
                left.kill()
                _said(left)

    def _looked_at_again(self) -> Notes | None:
        found = Notes()
        for path, kind in self.kinds.items():
            if _kind(path) != kind:
                return None
            found.kinds[path] = kind
        for path, noted in self.files.items():
            if not holds(path, noted, stat.S_ISREG):
                found.data(path)
                if found.files[path].answer != noted.answer:
                    return None
            else:
                found.files[path] = noted
        for (folder, globs, quiet), noted in self.folders.items():
            if not holds(folder, noted, stat.S_ISDIR):
                found.names(folder, globs, quiet)
                if found.folders[folder, globs, quiet].answer != noted.answer:
                    return None
            else:
                found.folders[folder, globs, quiet] = noted
        return found

    def with_those_of(self, others: Notes) -> Notes:
        """Both; where they answer one question, the others."""
        return Notes(
            self.files | others.files,
            self.kinds | others.kinds,
            self.folders | others.folders,
            self.commands | others.commands,
        )

    def plain(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "files": [[path, one.answer, one.status] for path, one in self.files.items()],
            "kinds": self.kinds,
            "folders": [[*key, one.answer, one.status] for key, one in self.folders.items()],
            "commands": [[*key, said] for key, said in self.commands.items()],
        }

    @classmethod
    def of(cls, plain: dict[str, Any]) -> Notes:
        """What `plain` gave."""
        return cls(
            {path: Noted(answer, status) for path, answer, status in plain["files"]},
            plain["kinds"],
            {
                (folder, tuple(globs), None if quiet is None else tuple(quiet)): Noted(answer, status)
                for folder, globs, quiet, answer, status in plain["folders"]
            },
            {(folder, tuple(arguments)): said for folder, arguments, said in plain["commands"]},
        )


@dataclass(slots=True)
class Contents:
    """What the source files of a project hold, by their path from its root."""

    root: str
    noted: dict[str, Noted]

    @classmethod
    def now(cls, root: str, paths: Iterable[str], before: Contents | None) -> Contents | None:
        """The contents of these files; None when one cannot be read. `before`: what was known of files."""
        known = before.noted if before is not None and before.root == root else {}
        found: dict[str, Noted] = {}
        for path in paths:
            noted, place = known.get(path), os.path.join(root, path)
            if noted is None or not holds(place, noted, stat.S_ISREG):
                status = status_of(place, stat.S_ISREG)
                answer = source_content(place)
                if answer is None:
                    return None
                noted = Noted(answer, status)
            found[path] = noted
        return cls(root, found)

    def again(self) -> Contents | None:
        """The same contents, with the statuses of now; None when one is another one, or cannot be known."""
        found: dict[str, Noted] = {}
        for path, noted in self.noted.items():
            place = os.path.join(self.root, path)
            if not holds(place, noted, stat.S_ISREG):
                status = status_of(place, stat.S_ISREG)
                if source_content(place) != noted.answer:
                    return None
                noted = Noted(noted.answer, status)
            found[path] = noted
        return Contents(self.root, found)

    def digest(self) -> str:
        """Equal for equal contents."""
        told = "\0".join(f"{path}\0{one.answer}" for path, one in sorted(self.noted.items()))
        return sha256(told.encode("utf-8", "surrogatepass")).hexdigest()

    def plain(self) -> list[Any]:
        """As JSON has it."""
        return [self.root, [[path, one.answer, one.status] for path, one in self.noted.items()]]

    @classmethod
    def of(cls, plain: list[Any]) -> Contents:
        """What `plain` gave."""
        return cls(plain[0], {path: Noted(answer, status) for path, answer, status in plain[1]})


# --- answers --------------------------------------------------------------------------------------------------------


def status_of(path: str, right: Callable[[int], bool]) -> Status | None:
    """The status of a file or folder of the right kind, itself and not through a link; None else, or if racy."""
    try:
        one = os.lstat(path)
    except (OSError, ValueError):
        return None
    if not right(one.st_mode) or max(one.st_mtime_ns, one.st_ctime_ns) > time.time_ns() - SETTLED:
        return None
    if os.name != "posix" and stat.S_ISDIR(one.st_mode):
        return None  # the time of a folder does not always tell there that a name came or went
    return [one.st_mode, one.st_dev, one.st_ino, one.st_size, one.st_mtime_ns, one.st_ctime_ns]


def holds(path: str, noted: Noted, right: Callable[[int], bool]) -> bool:
    """Whether the status says that the answer is the same."""
    if noted.status is None:
        return False
    try:
        one = os.lstat(path)
    except (OSError, ValueError):
        return False
    now = [one.st_mode, one.st_dev, one.st_ino, one.st_size, one.st_mtime_ns, one.st_ctime_ns]
    return now == noted.status and right(one.st_mode)


def _content(path: str) -> str:
    """What a file holds, whichever file the path leads to."""
    try:
        real = os.path.realpath(path)
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):
            return f"kind {stat.S_IFMT(status.st_mode)} at {real}"
        if status.st_size > _LARGE:
            return f"{status.st_ino} {status.st_size} {status.st_mtime_ns} {status.st_ctime_ns} at {real}"
        with open(path, "rb") as file:
            return f"{sha256(file.read()).hexdigest()} at {real}"
    except (OSError, ValueError) as error:
        return _why(error)


def source_content(path: str) -> str | None:
    """The hash of a source file as the run reads it; None for what is none, or cannot be read now."""
    from codemods.sources import SIZE_LIMIT

    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    try:
        if not stat.S_ISREG(os.lstat(path).st_mode):
            return None
        with open(os.open(path, flags), "rb") as file:
            data = file.read(SIZE_LIMIT + 1)
    except (OSError, ValueError):
        return None
    return sha256(data).hexdigest() if len(data) <= SIZE_LIMIT else "too large"


def _kind(path: str) -> str:
    try:
        itself = stat.S_IFMT(os.lstat(path).st_mode)
    except (OSError, ValueError) as error:
        return _why(error)
    if not stat.S_ISLNK(itself):
        return str(itself)
    try:
        return f"{itself} to {stat.S_IFMT(os.stat(path).st_mode)}"
    except (OSError, ValueError) as error:
        return f"{itself} to {_why(error)}"


def _listing(folder: str, globs: tuple[str, ...], quiet: tuple[str, ...] | None) -> str:
    try:
        with os.scandir(folder) as scanned:
            entries = list(scanned)
    except (OSError, ValueError) as error:
        return _why(error)
    covers = _covers(globs)
    told = []
    for entry in entries:
        is_folder = entry.is_dir(follow_symlinks=False)
        if covers(entry.name) or (is_folder and quiet is not None and entry.name not in quiet):
            form = "d" if is_folder else "l" if entry.is_symlink() else "f" if entry.is_file() else "o"
            told.append(f"{entry.name}\0{form}")
    return sha256("\0\0".join(sorted(told)).encode("utf-8", "surrogatepass")).hexdigest()


@functools.cache
def _covers(globs: tuple[str, ...]) -> Callable[[str], re.Match[str] | None]:
    """Any of the globs, in small or capital letters: what a file system takes for one name, it may answer for."""
    return re.compile("|".join(map(fnmatch.translate, globs)), re.IGNORECASE).match


def _asked_git(folder: str, arguments: tuple[str, ...]) -> subprocess.Popen[bytes] | None:
    from codemods import safe_git

    return safe_git.start(folder, *arguments)


def _said(running: subprocess.Popen[bytes] | None) -> str:
    from codemods import safe_git

    if running is None:
        return "nothing"
    answer = safe_git.answer(running)
    names = b"\0".join(sorted(set(answer.stdout.split(b"\0"))))
    return f"{answer.returncode} {sha256(names + b' ' + answer.stderr).hexdigest()}"


def _why(error: Exception) -> str:
    number = error.errno if isinstance(error, OSError) else None
    return "not there" if number in (errno.ENOENT, errno.ENOTDIR) else f"error {number}"
