"""What is measured on: packages of the field corpus, unpacked as data, and copies of one of them in one tree.

Writes below the folder that it is given. Nothing of the packages is built, installed or imported. Each tree is a git
repository with everything committed, as the code bases are that the tools are made for.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from field.fetch import FetchError, fetch, load, unpack


@dataclass(frozen=True, slots=True)
class Tree:
    """A folder to measure on: how many Python files and lines it has, and whether slow commands run on it.

    `rounds` is in how many rounds it is, the last ones; None: in all.
    """

    name: str
    folder: Path
    files: int
    lines: int
    slow: bool
    rounds: int | None = None


def package(name: str, folder: Path, slow: bool = False) -> Tree:
    """The package of the corpus as a tree in `folder`, which must not exist yet. Raises FetchError."""
    chosen = next((one for one in load() if one.name == name), None)
    if chosen is None:
        raise FetchError(f"{name} is not in the corpus")
    unpack(fetch(chosen), folder)
    return _tree(f"{name} {chosen.version}", folder, slow)


def copied(original: Tree, count: int, folder: Path, rounds: int | None = None) -> Tree:
    """`count` copies of the tree in one, each with top-level names of its own, so that none refers to another.

    `folder` must not exist yet. Copies are made under names that import: `app` becomes `app_copy2`.
    """
    names = [path.name for path in original.folder.iterdir() if path.is_dir() and path.name.isidentifier()]
    for number in range(1, count + 1):
        for name in names:
            shutil.copytree(original.folder / name, folder / copy_name(name, number))
        for name in names:
            for path in (folder / copy_name(name, number)).rglob("*.py"):
                path.write_bytes(renamed(path.read_bytes(), names, number))
    return replace(_tree(f"{original.name}, {count}x", folder, slow=False), rounds=rounds)


def copy_name(name: str, number: int) -> str:
    """The top-level name of this copy; the first copy keeps the name it had."""
    return name if number == 1 else f"{name}_copy{number}"


def renamed(source: bytes, names: Sequence[str], number: int) -> bytes:
    """The source with each of the top-level names, wherever it stands as a word, in the form of this copy."""
    words = b"|".join(re.escape(name.encode()) for name in sorted(names))
    if not words:
        return source
    return re.sub(rb"\b(?:%b)\b" % words, lambda word: copy_name(word[0].decode(), number).encode(), source)


def changed(tree: Tree) -> bool:
    """Whether anything in the tree is no longer as it was committed."""
    return bool(_git(tree.folder, "status", "--porcelain", "--ignored"))


def _tree(name: str, folder: Path, slow: bool) -> Tree:
    _git(folder, "init", "--quiet", "--template=")
    _git(folder, "add", "--all", "--force")
    _git(folder, "commit", "--quiet", "--message", "as published")
    sources = [path for path in folder.rglob("*.py") if path.is_file()]
    return Tree(name, folder, len(sources), sum(path.read_bytes().count(b"\n") for path in sources), slow)


def _git(folder: Path, *arguments: str) -> bytes:
    person = ("-c", "user.name=benchmark", "-c", "user.email=benchmark@localhost", "-c", "commit.gpgsign=false")
    settings = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")} | settings
    words = ["git", *person, *arguments]
    return subprocess.run(words, cwd=folder, env=environment, stdout=subprocess.PIPE, check=True).stdout
