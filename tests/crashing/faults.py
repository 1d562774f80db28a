"""Counts the calls of the system that writing makes, and lets one of them go wrong. Changes the process it is used in.

Only calls that change something, or make it last, are counted. What does not go through these is told by an audit hook.
"""

from __future__ import annotations

import enum
import errno
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from codemods.apply import renaming

NAMES = (
    *("open", "write", "fsync", "rename", "replace", "link", "unlink", "remove", "mkdir", "rmdir"),
    *("chmod", "chown", "utime", "setxattr"),
)
_AUDITED = frozenset(
    {"os.rename", "os.remove", "os.link", "os.mkdir", "os.rmdir", "os.chmod", "os.chown", "os.utime", "os.truncate"}
)
_NEEDS_SPACE = frozenset({"write", "mkdir", "link"})


class Fault(enum.StrEnum):
    """What happens at the chosen call."""

    NONE = "none"
    KILL = "kill"
    NO_SPACE = "no space"
    IO_ERROR = "input/output error"
    SHORT = "short write"
    TORN = "half a write, then no space"
    FULL = "a full disk from then on"
    BROKEN = "a broken disk from then on"
    INT = "SIGINT"
    TERM = "SIGTERM"


ONLY_WRITES = frozenset({Fault.SHORT, Fault.TORN})


class Way(enum.StrEnum):
    """What the file system can do."""

    EXCHANGE = "exchange"
    SECOND_NAME = "second name"
    NO_HARD_LINKS = "no hard links"


class Calls:
    """The calls that were made, as texts. `hooks` are called before the n-th call, counted from 1."""

    def __init__(self, fault: Fault = Fault.NONE, at: int = 0, hooks: dict[int, Callable[[], None]] | None = None):
        self.fault = fault
        self.at = at
        self.hooks = hooks or {}
        self.made: list[str] = []
        self.uncounted: list[str] = []
        self.depth = 0

    def install(self, way: Way) -> None:
        """From here on everything is counted."""
        for name in NAMES:
            if hasattr(os, name):
                setattr(os, name, self._counted(name, getattr(os, name), way))
        exchange = renaming.exchanged
        if way is Way.EXCHANGE:
            renaming.exchanged = self._counted("exchange", exchange, way)
        else:
            renaming.exchanged = lambda one, other: False
        sys.addaudithook(self._audit)

    def _counted(self, name: str, real: Callable[..., Any], way: Way) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            self.made.append(" ".join([name, *(str(one) for one in args[: 1 if name == "write" else 2])]))
            number = len(self.made)
            if number in self.hooks:
                self.hooks[number]()
            taken = self._go_wrong(number, name, real, args)
            if taken is not None:
                return taken
            if name == "link" and way is Way.NO_HARD_LINKS:
                raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))
            self.depth += 1
            try:
                return real(*args, **options)
            finally:
                self.depth -= 1

        return call

    def _go_wrong(self, number: int, name: str, real: Callable[..., Any], args: tuple[Any, ...]) -> int | None:
        """The result of the call, if it is done already."""
        needs_space = name in _NEEDS_SPACE or (name == "open" and bool(args[1] & os.O_CREAT))
        match self.fault:
            case Fault.FULL if number >= self.at and needs_space:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            case Fault.BROKEN if number >= self.at:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
        if number != self.at:
            return None
        match self.fault:
            case Fault.KILL:
                os.kill(os.getpid(), signal.SIGKILL)
            case Fault.INT:
                os.kill(os.getpid(), signal.SIGINT)
            case Fault.TERM:
                os.kill(os.getpid(), signal.SIGTERM)
            case Fault.NO_SPACE:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            case Fault.IO_ERROR:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            case Fault.SHORT | Fault.TORN:
                handle, data = args
                count = int(real(handle, data[: max(1, len(data) // 2)]))
                if self.fault is Fault.TORN:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                return count
        return None

    def _audit(self, event: str, args: tuple[Any, ...]) -> None:
        if self.depth:
            return
        writes = event == "open" and (
            (isinstance(args[1], str) and set(args[1]) & set("wax+"))
            or (isinstance(args[2], int) and args[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))
        )
        if writes or event in _AUDITED:
            self.uncounted.append(f"{event} {args}")
