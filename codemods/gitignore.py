"""Which paths a set of .gitignore patterns, or all .gitignore files around a folder, ignore.

Reads .gitignore files; writes nothing. Used where git itself cannot answer: outside a work tree, in a folder that git
ignores, without git; and for the globs of the settings.

Patterns are translated here, as git reads them. Those of pathspec also match whatever lies below the path they mean,
and forget on the way what they say of the path itself (`a/**/`, `**/*/`), which is what a walk has to know.
"""

from __future__ import annotations

import codecs
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from codemods import asked

_STARS = re.compile(r"\*+")
# What stands in brackets: a named class, a range, or one character.
_MEMBER = re.compile(r"\[:(?P<name>[^]]*):]|(?P<low>\\.|[^\\])(?:-(?P<high>\\.|[^]\\]))?", re.DOTALL)
_CLASSES = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "blank": r" \t",
    "cntrl": r"\x00-\x1f\x7f",
    "digit": "0-9",
    "graph": "!-~",
    "lower": "a-z",
    "print": " -~",
    "punct": r"!-/:-@\[-`{-~",
    "space": r" \t-\r",
    "upper": "A-Z",
    "xdigit": "0-9A-Fa-f",
}


class _MatchesNothing(Exception):
    """A glob that git takes and that no path can match: an open bracket, an unknown class, a backslash at the end."""


@dataclass(frozen=True, slots=True)
class _Pattern:
    expression: re.Pattern[str]
    ignores: bool  # not taken back by `!`
    only_folders: bool
    by_name: bool  # else by the path from the folder of the patterns


class Globs:
    """Patterns of one .gitignore file, the last match decides. Lines that are no pattern are passed over, as git does.

    `match` asks about one path alone: a folder above it that is ignored is its caller's concern.
    """

    def __init__(self, lines: Iterable[str]) -> None:
        self._patterns = [pattern for line in lines if (pattern := _pattern(line)) is not None]
        self._patterns.reverse()
        # Most paths match none of them: two expressions for all say so at once, and names come again and again.
        self._named = cache(_any_of(pattern.expression.pattern for pattern in self._patterns if pattern.by_name))
        self._placed = _any_of(pattern.expression.pattern for pattern in self._patterns if not pattern.by_name)

    def __bool__(self) -> bool:
        """Whether there is any pattern at all."""
        return bool(self._patterns)

    def match(self, path: str, is_folder: bool) -> bool | None:
        """Whether the path (relative to the patterns' folder) is ignored, or taken back (False), or neither (None)."""
        name = path[path.rfind("/") + 1 :]
        if not self._named(name) and not self._placed(path):
            return None
        for pattern in self._patterns:
            if pattern.only_folders and not is_folder:
                continue
            if pattern.expression.fullmatch(name if pattern.by_name else path):
                return pattern.ignores
        return None


class Ignores:
    """The .gitignore files that hold at and below a folder: its own, nested ones, and those above in its work tree."""

    def __init__(self, top: Path) -> None:
        repository = repository_of(top)
        above = [] if repository is None or top == repository else [*between(repository, top)]
        self._first = str(above[0] if above else top)
        self._within = cache(self._holding)
        if above and any(self.match(folder, True) for folder in (*above[1:], top)):
            self._first = str(top)  # ignored itself, but named by the user
            self._within.cache_clear()

    def match(self, path: Path, is_folder: bool) -> bool:
        return self.match_in(str(path.parent), path.name, is_folder)

    def match_in(self, folder: str, name: str, is_folder: bool) -> bool:
        """As `match`, for a name in a folder below the first one: fast enough for every entry of a walk."""
        octets = _octets(os.fsencode(name))
        for globs, prefix in self._within(folder):
            verdict = globs.match(prefix + octets, is_folder)
            if verdict is not None:
                return verdict
        return False

    def _holding(self, folder: str) -> tuple[tuple[Globs, str], ...]:
        """The patterns that hold in a folder, the nearest first, and how the names in it begin for each of them."""
        own = _globs_of(folder)
        if folder == self._first:
            return ((own, ""),) if own else ()
        parent, name = os.path.split(folder)
        step = f"{_octets(os.fsencode(name))}/"
        above = tuple((globs, prefix + step) for globs, prefix in self._within(parent))
        return ((own, ""), *above) if own else above


def _globs_of(folder: str) -> Globs:
    file = os.path.join(folder, ".gitignore")
    asked.data(file)
    try:
        if not stat.S_ISREG(os.lstat(file).st_mode):
            return Globs(())
        with open(file, "rb") as stream:
            data = stream.read()
    except OSError:
        return Globs(())
    lines = _octets(data.removeprefix(codecs.BOM_UTF8)).split("\n")
    return Globs(line.removesuffix("\r") for line in lines)


def between(above: Path, below: Path) -> Iterator[Path]:
    """The folders from `above` down to the parent of `below`."""
    chain = [folder for folder in below.parents if folder == above or above in folder.parents]
    return reversed(chain)


def repository_of(folder: Path) -> Path | None:
    for place in (folder, *folder.parents):
        asked.kind(place / ".git")
        if os.path.exists(place / ".git"):
            return place
    return None


def _octets(data: bytes) -> str:
    """One character for each byte: to git, `?` is one byte of a name, not one letter."""
    return data.decode("latin-1")


def _any_of(expressions: Iterable[str]) -> Callable[[str], bool]:
    """Whether one of the expressions matches the whole of a text."""
    either = "|".join(f"(?:{one})" for one in expressions)
    matches = re.compile(either, re.DOTALL).fullmatch if either else None
    return (lambda text: matches(text) is not None) if matches else (lambda text: False)


# --- one line -------------------------------------------------------------------------------------------------------


_STAR = "[^/]*"  # any part of a name
_FOLDERS = "(?:.*/)?"  # any folders, or none


def _pattern(line: str) -> _Pattern | None:
    glob = line.rstrip(" ")
    if (len(glob) - len(glob.rstrip("\\"))) % 2:  # the first of the spaces is escaped
        glob = line[: len(glob) + 1]
    if glob.startswith("#"):
        return None
    ignores = not glob.startswith("!")
    glob = glob.removeprefix("!")
    only_folders = glob.endswith("/")
    glob = glob.removesuffix("/")
    by_name = "/" not in glob
    try:
        expression = re.compile(_expression(glob.removeprefix("/")), re.DOTALL)
    except _MatchesNothing:
        return None
    return _Pattern(expression, ignores, only_folders, by_name)


def _expression(glob: str) -> str:
    """The regular expression of all paths that the glob means. Raises _MatchesNothing when there are none."""
    parts: list[str] = []
    at = 0
    while at < len(glob):
        if stars := _STARS.match(glob, at):
            crosses = len(stars[0]) > 1 and (at == 0 or glob[at - 1] == "/")  # `**` is special only between slashes
            at = stars.end()
            if crosses and glob.startswith("/", at):
                parts.append(_FOLDERS)
                at += 1
            else:
                parts.append(".*" if crosses and (at == len(glob) or glob.startswith("\\/", at)) else _STAR)
        elif glob[at] == "?":
            parts.append("[^/]")
            at += 1
        elif glob[at] == "[":
            part, at = _brackets(glob, at + 1)
            parts.append(part)
        else:
            at += glob[at] == "\\"
            if at == len(glob):
                raise _MatchesNothing
            parts.append(re.escape(glob[at]))
            at += 1
    return _in_linear_time(parts)


def _in_linear_time(parts: list[str]) -> str:
    """The parts as one expression that never tries a star again that was followed by another one of its kind.

    The first place where what stands between two stars fits leaves most to the second: no other place need be tried.
    """
    folders: list[list[str]] = [[]]
    for part in parts:
        if part == _FOLDERS:
            folders.append([])
        else:
            folders[-1].append(part)
    first, *others = ("".join(_stars_tried_once(group)) for group in folders)
    tried_once = [f"(?>(?:.*?/)??{group})" for group in others[:-1]]
    return "".join([first, *tried_once, *(f"{_FOLDERS}{group}" for group in others[-1:])])


def _stars_tried_once(parts: list[str]) -> Iterator[str]:
    name: list[str] = []  # the parts of the name that we are in, since its last star
    for part in [*parts, "/"]:
        if part == _STAR and name[:1] == [_STAR]:
            yield f"(?>[^/]*?{''.join(name[1:])})"
            name = [part]
        elif part in ("/", _STAR):
            yield "".join(name)
            name = [part]
        else:
            name.append(part)
    yield "".join(name).removesuffix("/")


def _brackets(glob: str, at: int) -> tuple[str, int]:
    """The brackets whose inside begins at `at`: their regular expression, and where the glob goes on."""
    negated = glob.startswith(("!", "^"), at)
    at += negated
    members: list[str] = []
    while not members or not glob.startswith("]", at):  # one that comes first closes nothing
        member = _MEMBER.match(glob, at)
        if member is None:
            raise _MatchesNothing
        name, low, high = member.group("name", "low", "high")
        if name is not None:
            if name not in _CLASSES:
                raise _MatchesNothing
            members.append(_CLASSES[name])
        elif high is not None and low[-1] <= high[-1]:  # without the backslash that escapes it
            members.append(f"{re.escape(low[-1])}-{re.escape(high[-1])}")
        else:  # of a range that runs backwards its begin is left
            members.append(re.escape(low[-1]))
        at = member.end()
    return f"(?!/)[{'^' * negated}{''.join(members)}]", at + 1
