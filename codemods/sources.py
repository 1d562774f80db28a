"""The files of a project: its root, which Python files belong to it, and one file's bytes as a `Source`.

Reads files and folders and asks git which files there are. Writes nothing, follows no symbolic link, runs no code of
the project: neither a git hook nor a codec that a file asks for.
"""

from __future__ import annotations

import keyword
import os
import re
import shutil
import stat
import subprocess
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath

from codemods.decoding import UnreadableError, decode, indentation, newline
from codemods.gitignore import Globs, Ignores, between, repository_of
from codemods.plan import Failure, Source
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
    is its own root; for a file that is the folder it is in, or the one that holds its outermost package.

    Raises SourceError when there is no such path.
    """
    path = _existing(path)
    folder = path if path.is_dir() else path.parent
    # `os.path` answers False where `Path.is_file` raises: in a folder that may not be entered (before Python 3.14).
    for candidate in (folder, *folder.parents):
        if os.path.isfile(candidate / "pyproject.toml") or os.path.exists(candidate / ".git"):
            if candidate != folder and _is_ignored(folder) and not _is_ignored(candidate):
                break
            return candidate
    else:
        for candidate in (folder, *folder.parents):
            if any(os.path.isfile(candidate / marker) for marker in _OLDER_MARKERS):
                return candidate
    return folder if path.is_dir() else _import_root(folder)


def discover(root: Path, paths: Sequence[Path], settings: Settings) -> Discovery:
    """All Python files of the project at `root`, and those of them that are named by `paths` (none: all).

    Inside a git work tree they are those that git tracks or would track; elsewhere, those that no .gitignore file
    ignores. Left out are: what `EXCLUDED` and the settings exclude, virtual environments, symbolic links (their
    target, inside the root, has a name of its own), submodules and nested repositories. A file named in `paths`
    counts always, whatever it is called; in a folder named there, only what is excluded below it is left out.

    Raises SourceError when one of `paths` does not exist or lies outside the root.
    """
    root = root.resolve()
    named = [(path, _below(root, path)) for path in map(_existing, paths)]
    excluded = Globs((*EXCLUDED, *settings.exclude, *settings.extend_exclude))
    files: set[str] = set()
    failures: set[Failure] = set()
    wanted: set[str] = set()

    for folder in dict.fromkeys((root, *(path for path, _ in named if path.is_dir()))):
        found, failed = _python_files(root, folder, excluded, settings.respect_gitignore)
        files |= found
        failures |= failed
    for path, name in named:
        if path.is_dir():
            prefix = "" if path == root else f"{name}/"
            wanted |= {file for file in files if file.startswith(prefix)}
        elif path.is_file():
            files.add(name)
            wanted.add(name)
        else:
            failures.add(_not_regular(name))
    return Discovery(root, tuple(sorted(files)), frozenset(wanted if named else files), tuple(sorted(failures)))


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


def _below(root: Path, path: Path) -> str:
    try:
        return path.relative_to(root).as_posix()
    except ValueError:
        raise SourceError(f"{path}: lies outside the project root {root}; run it on one project at a time") from None


def _import_root(folder: Path) -> Path:
    """The folder from which a file of `folder` is imported: the first one, going up, that is no package."""
    while os.path.isfile(folder / "__init__.py") and folder != folder.parent:
        folder = folder.parent
    return folder


def _not_regular(name: str) -> Failure:
    return Failure(name, "read", "not a regular file (a pipe, socket or device); exclude it")


# --- which files ----------------------------------------------------------------------------------------------------


def _python_files(root: Path, top: Path, excluded: Globs, respect_gitignore: bool) -> tuple[set[str], set[Failure]]:
    """The Python files under `top`, relative to `root`; only folders strictly below `top` can exclude them."""

    @cache
    def kept(folder: Path) -> bool:
        if folder == top:
            return True
        return (
            kept(folder.parent)
            and not excluded.match(folder.relative_to(root).as_posix(), is_folder=True)
            and not os.path.isfile(folder / "pyvenv.cfg")
        )

    failures: set[Failure] = set()

    def failed(place: str, error: str) -> None:
        name = os.path.relpath(place, root).replace(os.sep, "/")
        failures.add(Failure(name, "read", f"the folder cannot be listed: {error}"))

    in_git = respect_gitignore and not _is_ignored(top)
    listed: Iterable[Path] | None = _git_files(top, failed) if in_git else None
    if listed is None:
        ignores = Ignores(top) if respect_gitignore else None
        listed = _walk(top, kept, ignores, failed, leave_repositories=in_git and repository_of(top) is not None)

    files: set[str] = set()
    for path in listed:
        if path.suffix != ".py" or not kept(path.parent):
            continue
        name = path.relative_to(root).as_posix()
        if excluded.match(name, is_folder=False):
            continue
        try:
            mode = path.lstat().st_mode
        except OSError:  # deleted, though git still tracks it
            continue
        if stat.S_ISREG(mode):
            files.add(name)
        elif not stat.S_ISLNK(mode) and not stat.S_ISDIR(mode):
            failures.add(_not_regular(name))
    return files, failures


def _walk(
    top: Path,
    kept: Callable[[Path], bool],
    ignores: Ignores | None,
    failed: Callable[[str, str], None],
    leave_repositories: bool,
) -> Iterator[Path]:
    """Every path under `top` that is no folder and that no .gitignore ignores; symbolic links are not entered."""
    pending = [top]
    while pending:
        folder = pending.pop()
        try:
            with os.scandir(folder) as entries:
                children = [(Path(entry.path), entry.is_dir(follow_symlinks=False)) for entry in entries]
        except OSError as error:
            failed(str(folder), error.strerror or str(error))
            continue
        for path, is_folder in children:
            if ignores is not None and ignores.match(path, is_folder):
                continue
            if not is_folder:
                yield path
            elif kept(path) and not (leave_repositories and os.path.exists(path / ".git")):
                pending.append(path)


# --- git ------------------------------------------------------------------------------------------------------------

# What would make git look at another repository than the one it stands in; a hook sets them.
_GIT_PLACES = frozenset(
    f"GIT_{name}"
    for name in (
        *("DIR", "WORK_TREE", "INDEX_FILE", "COMMON_DIR", "OBJECT_DIRECTORY", "ALTERNATE_OBJECT_DIRECTORIES"),
        *("PREFIX", "NAMESPACE", "INTERNAL_SUPER_PREFIX", "LITERAL_PATHSPECS", "GLOB_PATHSPECS", "ICASE_PATHSPECS"),
    )
)


def _git(folder: Path, *arguments: str) -> subprocess.CompletedProcess[bytes] | None:
    """What git answers in `folder`, made unable to write, to run a program of the repository, or to fetch."""
    program = shutil.which("git")
    if program is None or not os.path.isabs(program):
        return None
    environment = {name: value for name, value in os.environ.items() if name not in _GIT_PLACES}
    environment |= {"GIT_OPTIONAL_LOCKS": "0", "GIT_NO_LAZY_FETCH": "1", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    command = [program, "-c", "core.fsmonitor=", "-c", "core.hooksPath=/dev/null", *arguments]
    try:
        return subprocess.run(
            command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=False
        )
    except OSError:
        return None


def _git_files(top: Path, failed: Callable[[str, str], None]) -> list[Path] | None:
    """The paths under `top` that git tracks or would track; None when git has no answer (no git, no work tree)."""
    answer = _git(top, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    if answer is None or answer.returncode != 0:
        return None
    for place, error in re.findall(r"could not open directory '(.*)': (.*)", os.fsdecode(answer.stderr)):
        failed(str(top / place.rstrip("/")), error)
    return [top / os.fsdecode(name) for name in set(answer.stdout.split(b"\0")) if name]


def _is_ignored(folder: Path) -> bool:
    """Whether the work tree around the folder ignores it."""
    answer = _git(folder, "check-ignore", "-q", ".")
    if answer is not None and answer.returncode in (0, 1):
        return answer.returncode == 0
    repository = repository_of(folder)
    if repository is None or repository == folder:
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
    if os.path.isfile(file.parent / "__init__.py"):
        parts = file.relative_to(_import_root(file.parent)).with_suffix("").parts
    else:
        parts = PurePosixPath(path).with_suffix("").parts
        parts = parts[1:] if parts[0] == "src" and len(parts) > 1 else parts
    if parts[-1] == "__init__":
        parts = parts[:-1]
    return ".".join(parts) if all(part.isidentifier() and not keyword.iskeyword(part) for part in parts) else ""
