"""Runs the formatter of the user's on copies of the files that change, and takes over what it does to our lines.

The copies stand in a temporary folder, in the same folders as the files, with the settings files of formatters that
stand in those or above them. Nothing else is touched: what `diff` shows is what `apply` writes, to the byte.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from codemods.apply.held_signals import Interrupted, held_signals
from codemods.formatted_lines import NotTaken, for_formatter, taken_over
from codemods.plan import Change
from codemods.user_command import located, run

FILES = "{files}"
SETTINGS = (
    "pyproject.toml",
    "ruff.toml",
    ".ruff.toml",
    "setup.cfg",
    "tox.ini",
    ".flake8",
    ".style.yapf",
    ".editorconfig",
)
_LENGTH = 100_000  # characters of a command line; systems take 131,072 in one argument
_TOLD = 5  # lines of what the formatter said


class FormatError(Exception):
    """The command cannot be used, or failed; nothing was written. The text says why."""


@dataclass(frozen=True, slots=True)
class Formatted:
    """`changes` as they were given, with other bytes; `kept`: the files in which nothing was taken over, and why."""

    changes: tuple[Change, ...]
    kept: Mapping[str, str]


class Formatter:
    """A formatter's command for the project at `root`; knows what it made, and does not make the same twice."""

    def __init__(self, root: Path, command: str) -> None:
        """Raises FormatError when the command does not say where the files go."""
        if FILES not in command:
            raise FormatError(f"--format-cmd: {command!r} lacks {FILES}, which stands for the files to format")
        self._root, self._command = root.resolve(), command
        self._made: dict[Change, bytes | NotTaken] = {}

    def formatted(self, changes: Sequence[Change]) -> Formatted:
        """Raises FormatError, and KeyboardInterrupt."""
        bare = {change.path: replace(change, groups=()) for change in changes}
        new = {path: change for path, change in bare.items() if change not in self._made}
        if new:
            self._format(new)
        done, kept = [], {}
        for change in changes:
            match self._made[bare[change.path]]:
                case NotTaken() as why:
                    kept[change.path] = str(why)
                    done.append(change)
                case data:
                    done.append(replace(change, after=data))
        return Formatted(tuple(done), kept)

    def contents(
        self, before: Mapping[str, bytes | None], after: Mapping[str, bytes | None]
    ) -> dict[str, bytes | None]:
        """`after`, formatted where it differs from `before`. Raises as `formatted`."""
        changes = [
            Change(path, before[path], data, ())
            for path, data in after.items()
            if data is not None and data != before[path]
        ]
        return {**after, **{change.path: change.after for change in self.formatted(changes).changes}}

    def _format(self, changes: Mapping[str, Change]) -> None:
        is_done = False
        with held_signals() as check, contextlib.suppress(Interrupted):
            with tempfile.TemporaryDirectory(prefix="session-codemods-", ignore_cleanup_errors=True) as folder:
                copies = _Copies(Path(folder).resolve(), self._root)
                for path, change in changes.items():
                    try:
                        copies.put(path, for_formatter(change.after))
                    except NotTaken as error:
                        self._made[change] = error
                copies.format(self._command, check)
                for path in copies.paths:
                    change = changes[path]
                    try:
                        self._made[change] = taken_over(change.before, change.after, copies.data(path))
                    except NotTaken as error:
                        self._made[change] = error
            is_done = True
        if not is_done:
            raise KeyboardInterrupt


class _Copies:
    """Below `folder` stands the whole way from the top of the file system to the project, so that settings in any
    folder above it are found as they are there."""

    def __init__(self, folder: Path, root: Path) -> None:
        self._real = root
        self._root = folder.joinpath(*root.parts[1:])
        self._root.mkdir(parents=True, exist_ok=True)
        self._seen: set[Path] = set()
        self.paths: list[str] = []
        self._take_settings(root)

    def put(self, path: str, data: bytes) -> None:
        copy = self._root / path
        copy.parent.mkdir(parents=True, exist_ok=True)
        self._take_settings((self._real / path).parent)
        copy.write_bytes(data)
        self.paths.append(path)

    def data(self, path: str) -> bytes:
        try:
            return (self._root / path).read_bytes()
        except OSError as error:
            raise FormatError(f"--format-cmd: it took {path} away, or made it unreadable") from error

    def format(self, command: str, check: Callable[[], None]) -> None:
        command = located(command, self._real, self._root)
        for some in _portions(self.paths):
            ended = run(command.replace(FILES, some), self._root, check, shown=False)
            if not ended.passed:
                said = "".join(f"; {line.strip()}" for line in ended.output.splitlines()[-_TOLD:] if line.strip())
                raise FormatError(f"--format-cmd {ended.how}: {command}{said}")

    def _take_settings(self, folder: Path) -> None:
        for above in (folder, *folder.parents):
            if above in self._seen:
                return
            self._seen.add(above)
            copy = self._root.joinpath(os.path.relpath(above, self._real))
            for name in SETTINGS:
                with contextlib.suppress(OSError):
                    data = (above / name).read_bytes()
                    copy.mkdir(parents=True, exist_ok=True)
                    (copy / name).write_bytes(data)


def _portions(paths: Iterable[str]) -> Iterator[str]:
    """The files as the shell takes them, so many at once as a command line holds."""
    some: list[str] = []
    length = 0
    for path in paths:
        word = shlex.quote(f"./{path}" if path.startswith("-") else path)
        if some and length + len(word) > _LENGTH:
            yield " ".join(some)
            some, length = [], 0
        some.append(word)
        length += len(word) + 1
    if some:
        yield " ".join(some)
