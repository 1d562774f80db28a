"""Which paths a set of .gitignore patterns, or all .gitignore files around a folder, ignore.

Reads .gitignore files; writes nothing. Used where git itself cannot answer: outside a work tree, in a folder that git
ignores, without git; and for the globs of the settings.
"""

from __future__ import annotations

import codecs
import os
import re
import stat
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern


class Globs:
    """Patterns of one .gitignore file, the last match decides. Lines that are no pattern are passed over, as git does.

    `match` asks about one path alone: a folder above it that is ignored is its caller's concern. pathspec's own
    `GitIgnoreSpec` answers for the folders above as well, which goes wrong where a later `!` takes one of them back.
    """

    def __init__(self, lines: Iterable[str]) -> None:
        self._patterns: list[tuple[GitIgnoreSpecPattern, bool, bool]] = []
        for line in lines:
            text = re.sub(r"/\*\*/\s*$", "/**/*/", line)  # pathspec takes `a/**/` for `a/`
            try:
                pattern = GitIgnoreSpecPattern(text)
            except ValueError:
                continue
            if pattern.include is not None:
                bare = text.rstrip().removeprefix("!")
                by_name = "/" not in bare.rstrip("/")
                self._patterns.append((pattern, by_name, bare in ("*", "**") or bare.endswith(("/**", "**/*"))))
        self._patterns.reverse()

    def match(self, path: str, is_folder: bool) -> bool | None:
        """Whether the path (relative to the patterns' folder) is ignored, or taken back (False), or neither (None)."""
        name = path[path.rfind("/") + 1 :]
        for pattern, by_name, takes_all in self._patterns:
            subject = name if by_name else path
            if is_folder and not takes_all:
                subject += "/"
            found = pattern.match_file(subject)
            # pathspec also matches what lies below the path that is meant; such a match ends before the subject does.
            if found is not None and (takes_all or found.match.end() == len(subject)):
                return bool(pattern.include)
        return None


class Ignores:
    """The .gitignore files that hold at and below a folder: its own, nested ones, and those above in its work tree."""

    def __init__(self, top: Path) -> None:
        repository = repository_of(top)
        above = [] if repository is None or top == repository else [*between(repository, top)]
        self._first = above[0] if above else top
        self._read = cache(self._globs)
        if above and any(self.match(folder, True) for folder in (*above[1:], top)):
            self._first = top  # ignored itself, but named by the user

    def match(self, path: Path, is_folder: bool) -> bool:
        folder = path.parent
        while True:
            verdict = self._read(folder).match(path.relative_to(folder).as_posix(), is_folder)
            if verdict is not None or folder == self._first:
                return bool(verdict)
            folder = folder.parent

    @staticmethod
    def _globs(folder: Path) -> Globs:
        file = folder / ".gitignore"
        try:
            data = file.read_bytes() if stat.S_ISREG(file.lstat().st_mode) else b""
        except OSError:
            data = b""
        lines = os.fsdecode(data.removeprefix(codecs.BOM_UTF8)).split("\n")
        return Globs(line.removesuffix("\r") for line in lines)


def between(above: Path, below: Path) -> Iterator[Path]:
    """The folders from `above` down to the parent of `below`."""
    chain = [folder for folder in below.parents if folder == above or above in folder.parents]
    return reversed(chain)


def repository_of(folder: Path) -> Path | None:
    return next((place for place in (folder, *folder.parents) if os.path.exists(place / ".git")), None)
