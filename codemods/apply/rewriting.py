"""What the writer is asked to do to a file, and whom it tells. Values and a protocol; touches nothing."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Rewrite:
    """One file, relative to the root: what it holds, and what it is to hold. None: it is not there."""

    path: str
    before: bytes | None
    after: bytes | None
    mode: int | None = None  # permissions afterwards; None: those it has, or those that new files get
    mtime_ns: int | None = None  # None: the time of writing


@dataclass(frozen=True, slots=True)
class Known:
    """A file that was checked and will be written. `path` has no symbolic link in it any more."""

    path: str
    before: bytes | None
    after: bytes | None
    mode: int | None  # of the file before; None when it is not there
    mtime_ns: int | None


class Witness(Protocol):
    """Is told how writing goes on, and keeps what is needed to take it back when the process dies.

    Each call may raise WriteRefused, which puts all files back; the last two never raise.
    """

    @property
    def token(self) -> str:
        """What the names of temporary companions begin with."""

    def begin(self, files: Sequence[Known]) -> None:
        """All files were checked; nothing is touched before this returns."""

    def commit(self) -> None:
        """All files are in place. From here on writing has happened."""

    def settle(self) -> None:
        """After `commit`: no companion is left."""

    def abandon(self) -> None:
        """All files are as they were, and no companion is left."""


@dataclass(frozen=True, slots=True)
class Nobody:
    """A witness that keeps nothing."""

    token: str = field(default_factory=lambda: secrets.token_hex(4))

    def begin(self, files: Sequence[Known]) -> None: ...

    def commit(self) -> None: ...

    def settle(self) -> None: ...

    def abandon(self) -> None: ...
