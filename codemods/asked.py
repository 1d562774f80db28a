"""What a run asks of the file system and of git, told to whoever listens.

Imports nothing of ours and touches nothing. What reads settings, and what looks for the files of a project, says here
what it is about to ask; a listener (`run_cache`) so learns on what the answers rest, absent files included. Without a
listener nothing happens. Files that are read as source need not be told: the answer names them.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Protocol

Place = str | os.PathLike[str]


class Listener(Protocol):
    """Is told of each question before it is asked."""

    def data(self, path: str) -> None:
        """What a file holds, or that there is none."""

    def kind(self, path: str) -> None:
        """Whether this is a file, a folder, a link, or not there."""

    def names(self, folder: str, globs: tuple[str, ...], quiet: tuple[str, ...] | None) -> None:
        """The names in a folder that one of the globs covers; with `quiet`, also all folders but those of the names."""

    def command(self, folder: str, arguments: tuple[str, ...]) -> None:
        """What git answers in a folder."""


_listeners: list[Listener] = []


@contextlib.contextmanager
def heard_by(listener: Listener) -> Iterator[None]:
    """Within the block, tell this listener, and no other."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.pop()


def data(path: Place) -> None:
    """As `Listener.data`; so the others."""
    if _listeners:
        _listeners[-1].data(_absolute(path))


def kind(path: Place) -> None:
    if _listeners:
        _listeners[-1].kind(_absolute(path))


def names(folder: Place, *globs: str, quiet: tuple[str, ...] | None = None) -> None:
    if _listeners:
        _listeners[-1].names(_absolute(folder), globs, quiet)


def names_below(root: Place, *globs: str) -> None:
    """As `names`, for globs such as `requirements/*.txt`, whose folders stand in them."""
    for folder in sorted({glob.rpartition("/")[0] for glob in globs}):
        names(
            os.path.join(root, folder), *(one.rpartition("/")[2] for one in globs if one.rpartition("/")[0] == folder)
        )


def command(folder: Place, *arguments: str) -> None:
    if _listeners:
        _listeners[-1].command(_absolute(folder), arguments)


def _absolute(path: Place) -> str:
    """Without taking `..` out, which is another place where there are links."""
    return os.path.join(os.getcwd(), path)
