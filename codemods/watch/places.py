"""Which lines made a session: the project's own frames among all those that are running. Reads frames and source lines.

A factory's line alone would be of no use: every leak of the program would name it. So its callers are kept with it.
"""

from __future__ import annotations

import functools
import linecache
import os
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from types import FrameType

from codemods.leak_report import Frame

FRAMES_KEPT = 8

RawFrame = tuple[str, int, str]
"""Absolute path, line, function: what is noted while the program runs; its source is read when somebody asks."""

_HERE = os.path.dirname(os.path.abspath(__file__)) + os.sep
_INSTALLED = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")
_STANDARD = tuple(
    os.path.normpath(path) + os.sep
    for name in ("stdlib", "platstdlib", "scripts")
    if (path := sysconfig.get_paths().get(name))
)
_BETWEEN = ("sqlalchemy", "sqlmodel")


@functools.cache
def _origin(filename: str) -> tuple[str, bool, bool]:
    """The absolute path; whether the project wrote it; whether it is only in between: it can say nothing of a leak."""
    if filename.startswith("<"):
        return filename, False, True
    path = os.path.abspath(filename)
    if path.startswith((_HERE, *_folders_between())):
        return path, False, True
    installed = any(part in path for part in _INSTALLED)
    if not installed and not path.startswith(_STANDARD):
        return path, True, False
    return path, False, os.path.basename(path) == "contextlib.py"


def _folders_between() -> Iterator[str]:
    """Where they were loaded from: not always among what is installed."""
    for name in _BETWEEN:
        file = getattr(sys.modules.get(name), "__file__", None)
        if file is not None:
            yield os.path.dirname(os.path.abspath(file)) + os.sep


def _outwards(frame: FrameType | None) -> Iterator[FrameType]:
    """The frame and its callers; those of a greenlet's parent too, which is where the `await` stands."""
    greenlets = sys.modules.get("greenlet")
    parent = None if greenlets is None else greenlets.getcurrent()
    while True:
        while frame is not None:
            yield frame
            frame = frame.f_back
        parent = getattr(parent, "parent", None)
        if parent is None:
            return
        frame = parent.gr_frame


def calling_frames(frame: FrameType | None) -> tuple[RawFrame, ...]:
    """The project's own frames, the innermost first; when it has none, the innermost that says anything.

    Gives () only where nothing but SQLAlchemy is running. Keeps no frame alive.
    """
    own: list[RawFrame] = []
    other: list[RawFrame] = []
    for one in _outwards(frame):
        code = one.f_code
        path, ours, between = _origin(code.co_filename)
        if not ours and (between or own or other):
            continue
        (own if ours else other).append((path, one.f_lineno or code.co_firstlineno, code.co_qualname))
        if len(own) == FRAMES_KEPT:
            break
    return tuple(own or other)


@functools.cache
def _real(path: str) -> str:
    return os.path.realpath(path)


def relative(path: str, root: str) -> str:
    """The path as a report states it: below the root relative and with slashes, else as it is."""
    for below, above in ((path, root), (_real(path), _real(root))):
        if root and below.startswith(above.rstrip(os.sep) + os.sep):
            return below[len(above.rstrip(os.sep)) + 1 :].replace(os.sep, "/")
    return path


def frames_of(raw: Iterable[RawFrame], root: str = "") -> tuple[Frame, ...]:
    """The frames with their source lines; without a root the paths stay absolute."""
    return tuple(
        Frame(relative(path, root), line, function.replace("<locals>.", ""), linecache.getline(path, line).strip())
        for path, line, function in raw
    )
