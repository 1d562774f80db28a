"""The files of a project: its root, which Python files belong to it, and one file's bytes as a `Source`.

Reads files and folders and asks git which files there are. Writes nothing, follows no symbolic link, runs no code of
the project: neither a git hook nor a codec that a file asks for.
"""

from __future__ import annotations

import keyword
import os
import re
import stat
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from codemods import asked
from codemods.decoding import UnreadableError, decode, indentation, newline
from codemods.gitignore import Globs, Ignores, between, repository_of
from codemods.plan import Failure, Source

if TYPE_CHECKING:
    from codemods.settings import Settings

SIZE_LIMIT = 20 * 1024 * 1024
"""A larger file is refused: nobody wrote it by hand."""

EXCLUDED = (
    *(".bzr/", ".direnv/", ".eggs/", ".git/", ".hg/", ".hypothesis/", ".ipynb_checkpoints/", ".mypy_cache/", ".nox/"),
    *(".pants.d/", ".pyenv/", ".pytest_cache/", ".pytype/", ".ruff_cache/", ".svn/", ".tox/", ".venv/", "venv/"),
    *("__pycache__/", "__pypackages__/", "build/", "dist/", "node_modules/", "site-packages/"),
)
"""Globs of what is nobody's source; a setting such as `exclude = ["!build/"]` takes one back."""


class SourceError(Exception):
    """A path that cannot be used. `message` says which and why."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


@dataclass(frozen=True, slots=True)
class Discovery:
    """The Python files of a project, as sorted posix paths relative to its root."""

    root: Path  # absolute, no symbolic link in it
    files: tuple[str, ...]
    wanted: frozenset[str]  # those of `files` that the user named, themselves or by a folder above them
    failures: tuple[Failure, ...]  # what looked like one and cannot be one, and folders that could not be listed


_OLDER_MARKERS = ("setup.py", "setup.cfg", "requirements.txt", "Pipfile")


def find_root(path: Path) -> Path:
    """The root of the project that `path` belongs to; absolute, symbolic links resolved.

    It is the nearest folder at or above `path` with a `pyproject.toml` or a `.git`; where no folder has one, the
    nearest with what older projects have instead (`setup.py`, `requirements.txt`). Where there is none either, or
    where git ignores the folder of `path` but not that one (a checkout put aside inside another project), the folder
    is its own root; for a file that is the folder it is in, or the one that holds its outermost package. A link to a
    file belongs to the project that the link lies in.

    Raises SourceError when there is no such path.
    """
    path = _placed(path)
    folder = path if path.is_dir() else path.parent
    # `os.path` answers False where `Path.is_file` raises: in a folder that may not be entered (before Python 3.14).
    for candidate in (folder, *folder.parents):
        asked.kind(candidate / "pyproject.toml")
        asked.kind(candidate / ".git")
        if os.path.isfile(candidate / "pyproject.toml") or os.path.exists(candidate / ".git"):
            if candidate != folder and _is_ignored(folder) and not _is_ignored(candidate):
                break
            return candidate
    else:
        for candidate in (folder, *folder.parents):
            for marker in _OLDER_MARKERS:
                asked.kind(candidate / marker)
            if any(os.path.isfile(candidate / marker) for marker in _OLDER_MARKERS):
                return candidate
    return folder if path.is_dir() else _import_root(folder)


def discover(root: Path, paths: Sequence[Path], settings: Settings) -> Discovery:
    """All Python files of the project at `root`, and those of them that are named by `paths` (none: all).

    Inside a git work tree they are those that git tracks or would track; elsewhere, those that no .gitignore file
    ignores. Left out are: what `EXCLUDED` and the settings exclude, virtual environments, symbolic links (their
    target, inside the root, has a name of its own), submodules and nested repositories. A file named in `paths`
    counts however it is ignored or excluded; in a folder named there, only what is excluded below it is left out. One
    whose name says that it is something else than Python is a failure, as is a link to a file outside the root.

    Raises SourceError when one of `paths` does not exist or lies outside the root.
    """
    root = root.resolve()
    excluded = Globs((*EXCLUDED, *settings.exclude, *settings.extend_exclude))
    files: set[str] = set()
    failures: set[Failure] = set()
    wanted: set[str] = set()
    named: list[tuple[Path, str]] = []
    for given in paths:
        path, placed = _existing(given), _placed(given)
        if path != placed and not path.is_relative_to(root):
            failures.add(Failure(_below(root, placed), "read", f"a link that leads out of the project, to {path}"))
        else:
            named.append((path, _below(root, path)))

    for folder in dict.fromkeys((root, *(path for path, _ in named if path.is_dir()))):
        found, failed = _python_files(root, folder, excluded, settings.respect_gitignore)
        files |= found
        failures |= failed
    for path, name in named:
        asked.kind(path)
        if path.is_dir():
            prefix = "" if path == root else f"{name}/"
            wanted |= {file for file in files if file.startswith(prefix)}
        elif path.is_file() and not _may_be_python(path):
            failures.add(Failure(name, "read", "no Python file, going by its name and its first line"))
        elif path.is_file():
            files.add(name)
            wanted.add(name)
        else:
            failures.add(_not_regular(name))
    return Discovery(root, tuple(sorted(files)), frozenset(wanted if paths else files), tuple(sorted(failures)))


def ask_of(root: Path, path: str) -> None:
    """Asks what `read` asks of a file besides what it holds: its module's name, and that no link leads to it."""
    folder = os.path.join(root, *PurePosixPath(path).parts[:-1])
    while len(folder) >= len(str(root)):
        asked.kind(folder)
        folder = os.path.dirname(folder)
    _module(root, path)


def read(root: Path, path: str) -> Source | Failure:
    """The file at `path` (posix, relative to `root`) as a `Source`, or why it cannot be one.

    A `Failure` is given for what is no regular file, is reached through a symbolic link or lies outside the root, is
    larger than `SIZE_LIMIT`, cannot be read, and for text that cannot be decoded and encoded to the same bytes.
    """
    try:
        data = _read_bytes(root, path)
        mark, encoding, text = decode(data)
    except UnreadableError as error:
        return Failure(path, "read", str(error), error.line)
    return Source(
        path=path,
        module=_module(root, path),
        is_package=PurePosixPath(path).name == "__init__.py",
        data=data,
        text=text,
        encoding=encoding,
        bom=mark,
        newline=newline(text),
        indent=indentation(text),
    )


def has_word(data: bytes, words: Collection[bytes]) -> bool:
    """Whether one of the words stands in the bytes, at least as part of another; True when no words are given."""
    return not words or any(word in data for word in words)


# --- paths ----------------------------------------------------------------------------------------------------------


def _existing(path: Path) -> Path:
    try:
        return path.resolve(strict=True)
    except (FileNotFoundError, NotADirectoryError):
        raise SourceError(f"{path}: no such file or folder") from None
    except (OSError, RuntimeError, ValueError) as error:  # RuntimeError: a loop of symbolic links, before Python 3.13
        raise SourceError(f"{path}: {getattr(error, 'strerror', None) or error}") from error


def _placed(path: Path) -> Path:
    """The path without links, but for one to a file: that one stays what it is called. Raises SourceError."""
    target = _existing(path)
    if target.is_dir() or not path.is_symlink():
        return target
    return _existing(path.parent) / path.name


def _below(root: Path, path: Path) -> str:
    try:
        return path.relative_to(root).as_posix()
    except ValueError:
        raise SourceError(f"{path}: lies outside the project root {root}; run it on one project at a time") from None


def _import_root(folder: Path) -> Path:
    """The folder from which a file of `folder` is imported: the first one, going up, that is no package."""
    while _is_package(folder) and folder != folder.parent:
        folder = folder.parent
    return folder


def _is_package(folder: Path) -> bool:
    marker = os.path.join(folder, "__init__.py")
    asked.kind(marker)
    return os.path.isfile(marker)


def _not_regular(name: str) -> Failure:
    return Failure(name, "read", "not a regular file (a pipe, socket or device); exclude it")


# --- which files ----------------------------------------------------------------------------------------------------


def _python_files(root: Path, top: Path, excluded: Globs, respect_gitignore: bool) -> tuple[set[str], set[Failure]]:
    """The Python files under `top`, relative to `root`; only folders strictly below `top` can exclude them."""
    failures: set[Failure] = set()

    def failed(place: str, error: str) -> None:
        name = os.path.relpath(place, root).replace(os.sep, "/")
        failures.add(Failure(name, "read", f"the folder cannot be listed: {error}"))

    prefix = "" if top == root else f"{top.relative_to(root).as_posix()}/"
    in_git = respect_gitignore and not _is_ignored(top)
    listed = _git_files(top, failed) if in_git else None
    found: Iterable[tuple[str, int]]
    if listed is not None:
        found = _of_git(str(top), prefix, listed, excluded)
    else:
        ignores = Ignores(top) if respect_gitignore else None
        leave = in_git and repository_of(top) is not None
        found = _walk(str(top), prefix, excluded, ignores, failed, leave_repositories=leave)

    files: set[str] = set()
    for name, mode in found:
        if stat.S_ISREG(mode):
            files.add(name)
        elif not stat.S_ISLNK(mode) and not stat.S_ISDIR(mode):
            failures.add(_not_regular(name))
    return files, failures


def _is_python(name: str) -> bool:
    return name.endswith(".py") and name != ".py"


def _may_be_python(path: Path) -> bool:
    """Whether a file that the user named can be one of Python: `bin/serve` and `a.cgi` that begins `#!python` can."""
    if path.suffix in ("", ".py", ".pyi", ".pyw"):
        return True
    asked.data(path)
    try:
        with path.open("rb") as file:
            first = file.readline(256)
    except OSError:
        return True  # whoever reads it says why it cannot be read
    return first.startswith(b"#!") and b"python" in first


def _of_git(top: str, prefix: str, listed: Iterable[str], excluded: Globs) -> Iterator[tuple[str, int]]:
    """Those of the Python files that git lists (posix paths from `top`) that are not excluded: path from the root, and
    mode."""

    @cache
    def kept(folder: str) -> bool:
        if not folder:
            return True
        return (
            kept(folder.rpartition("/")[0])
            and not excluded.match(prefix + folder, is_folder=True)
            and not _is_environment(os.path.join(top, folder))
        )

    for path in listed:
        folder, _, name = path.rpartition("/")
        if not _is_python(name) or not kept(folder) or excluded.match(prefix + path, is_folder=False):
            continue
        place = os.path.join(top, path)
        try:
            mode = os.lstat(place).st_mode
        except OSError:  # deleted, though git still tracks it
            mode = 0
        if not stat.S_ISREG(mode):
            asked.kind(place)
        if mode:
            yield prefix + path, mode


# What the names in a folder tell a walk; and folders that tools make and nobody keeps sources in.
_TELLING = ("*.py", ".git", ".gitignore", "pyvenv.cfg")
_QUIET = ("__pycache__", ".hypothesis", ".mypy_cache", ".pytest_cache", ".ruff_cache")


def _walk(
    top: str,
    prefix: str,
    excluded: Globs,
    ignores: Ignores | None,
    failed: Callable[[str, str], None],
    leave_repositories: bool,
) -> Iterator[tuple[str, int]]:
    """The Python files under `top` that no .gitignore ignores and that are not excluded: path from the root, and mode.
    Symbolic links are not entered."""
    quiet = tuple(name for name in _QUIET if excluded.match(name, is_folder=True))
    pending = [(top, prefix)]
    while pending:
        folder, before = pending.pop()
        asked.names(folder, *_TELLING, quiet=quiet)
        try:
            with os.scandir(folder) as scanned:
                entries = list(scanned)
        except OSError as error:
            failed(folder, error.strerror or str(error))
            continue
        if folder != top and _is_left({entry.name for entry in entries}, folder, leave_repositories):
            continue
        for entry in entries:
            name = entry.name
            is_folder = entry.is_dir(follow_symlinks=False)
            if not is_folder and not _is_python(name):
                continue
            path = before + name
            if excluded.match(path, is_folder) or (ignores is not None and ignores.match_in(folder, name, is_folder)):
                continue
            if is_folder:
                pending.append((entry.path, f"{path}/"))
            else:
                yield path, _mode(entry)


def _is_left(names: Collection[str], folder: str, leave_repositories: bool) -> bool:
    """Whether a walk leaves a folder with these names in it alone."""
    if "pyvenv.cfg" in names and _is_environment(folder):
        return True
    if leave_repositories and ".git" in names:
        place = os.path.join(folder, ".git")
        asked.kind(place)
        return os.path.exists(place)
    return False


def _mode(entry: os.DirEntry[str]) -> int:
    """The type of what is no folder; the listing itself tells that of a regular file and of a link."""
    if entry.is_symlink():
        return stat.S_IFLNK
    if entry.is_file(follow_symlinks=False):
        return stat.S_IFREG
    try:
        return entry.stat(follow_symlinks=False).st_mode
    except OSError:  # gone meanwhile
        return stat.S_IFDIR


def _is_environment(folder: str) -> bool:
    marker = os.path.join(folder, "pyvenv.cfg")
    asked.kind(marker)
    return os.path.isfile(marker)


# --- git ------------------------------------------------------------------------------------------------------------


def _git_files(top: Path, failed: Callable[[str, str], None]) -> list[str] | None:
    """The Python files under `top` that git tracks or would track; None when git has no answer (no git, no work
    tree)."""
    if repository_of(top) is None:
        return None
    from codemods import safe_git

    answer = safe_git.ask(top, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    if answer is not None and answer.returncode < 0:
        failed(str(top), "git takes too long; what it tracks although it ignores it is not read")
    if answer is None or answer.returncode != 0:
        return None
    for place, error in re.findall(r"could not open directory '(.*)': (.*)", os.fsdecode(answer.stderr)):
        failed(str(top / place.rstrip("/")), error)
    return [os.fsdecode(name) for name in set(answer.stdout.split(b"\0")) if name.endswith(b".py")]


def _is_ignored(folder: Path) -> bool:
    """Whether the work tree around the folder ignores it."""
    repository = repository_of(folder)
    if repository is None:
        return False
    from codemods import safe_git  # a project outside of git does not pay for it

    answer = safe_git.ask(folder, "check-ignore", "-q", ".")
    if answer is not None and answer.returncode in (0, 1):
        return answer.returncode == 0
    if repository == folder:
        return False
    ignores = Ignores(repository)
    return any(ignores.match(place, True) for place in (*list(between(repository, folder))[1:], folder))


# --- one file's bytes -------------------------------------------------------------------------------------------------


def _read_bytes(root: Path, path: str) -> bytes:
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts or "\0" in path:
        raise UnreadableError("the path leaves the project root")
    place = os.path.join(os.path.realpath(root), *parts)
    if os.path.realpath(place) != place:
        raise UnreadableError("reached through a symbolic link; name the file itself")
    try:
        # Opening a pipe waits for a writer and opening a device may act on it: look first.
        if not stat.S_ISREG(os.lstat(place).st_mode):
            raise UnreadableError("not a regular file")
        # What is read is what is judged, whatever took the name in between.
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
        with open(os.open(place, flags), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise UnreadableError("not a regular file")
            data = b"" if status.st_size > SIZE_LIMIT else file.read(SIZE_LIMIT + 1)
    except FileNotFoundError:
        raise UnreadableError("the file is gone since it was listed; run again") from None
    except OSError as error:
        raise UnreadableError(f"cannot be read: {error.strerror or error}") from error
    if max(status.st_size, len(data)) > SIZE_LIMIT:
        raise UnreadableError(f"larger than {SIZE_LIMIT // 1024 // 1024} MB; exclude it or split it")
    return data


def _module(root: Path, path: str) -> str:
    """The dotted name by which the file is imported; "" when there is none.

    Relative to the folder that holds its outermost package, even above the root; for a file that is in no package,
    relative to the root, a leading `src` left out.
    """
    file = root / path
    if file.suffix != ".py":
        return ""
    if _is_package(file.parent):
        parts = file.relative_to(_import_root(file.parent)).with_suffix("").parts
    else:
        parts = PurePosixPath(path).with_suffix("").parts
        parts = parts[1:] if parts[0] == "src" and len(parts) > 1 else parts
    if parts[-1] == "__init__":
        parts = parts[:-1]
    return ".".join(parts) if all(part.isidentifier() and not keyword.iskeyword(part) for part in parts) else ""
