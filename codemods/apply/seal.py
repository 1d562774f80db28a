"""Tells the runs that we kept in a project from those that came with it. Touches one file in the user's state folder.

A project outside git may come with a folder of runs that somebody else made, and a run that was cut off is put back
without a question. So what is kept there is sealed with a key that stands outside of every project, and that nobody
but the user can read.
"""

from __future__ import annotations

import contextlib
import errno
import hmac
import os
import secrets
import stat
import sys
from pathlib import Path

from codemods.apply.durable import create
from codemods.apply.errors import WriteRefused, told_of

_LENGTH = 32
_KEY = "key"
_READ = os.O_RDONLY
for _flag in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_BINARY"):
    _READ |= getattr(os, _flag, 0)


def sealed(record: bytes, project: Path) -> bytes:
    """The seal of a record. The key is made if there is none yet.

    Raises WriteRefused when it cannot be made or is not fit, as one is not that stands in the project itself.
    """
    place = key_file()
    if _is_in(place, project):
        raise WriteRefused(
            str(place), "is in the project, but must be out of its reach; set XDG_STATE_HOME to another folder"
        )
    with told_of(str(place), "outside git, runs are sealed with this key, which cannot be made"):
        key = _read(place)
        if key is None and not os.path.lexists(place):
            _make(place)
            key = _read(place)
    if key is None:
        raise WriteRefused(str(place), "is not a key that you alone can read and write; remove it")
    return _seal(key, record)


def fits(seal: bytes, record: bytes, project: Path) -> bool:
    """Whether the seal was made of this record by this user, here. Only reads."""
    try:
        place = key_file()
        key = None if _is_in(place, project) else _read(place)
    except (OSError, WriteRefused):
        return False
    return key is not None and hmac.compare_digest(seal, _seal(key, record))


def key_file() -> Path:
    """Where the key is, or will be. Raises WriteRefused when the user has no home."""
    try:
        return _state_folder() / "session-codemods" / _KEY
    except RuntimeError as error:
        raise WriteRefused("~", f"outside git, runs are sealed with a key that is kept there: {error}") from error


def _state_folder() -> Path:
    named = os.environ.get("LOCALAPPDATA" if sys.platform == "win32" else "XDG_STATE_HOME", "")
    if os.path.isabs(named):
        return Path(named)
    below = {"win32": "AppData/Local", "darwin": "Library/Application Support"}.get(sys.platform, ".local/state")
    return Path.home() / below


def _is_in(place: Path, project: Path) -> bool:
    return place.resolve().is_relative_to(project.resolve())


def _read(place: Path) -> bytes | None:
    """None: there is no key, or somebody else might know it. Raises OSError."""
    try:
        handle = os.open(place, _READ)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
            return None
        raise
    try:
        seen = os.fstat(handle)
        is_private = not hasattr(os, "geteuid") or (seen.st_uid == os.geteuid() and not seen.st_mode & 0o077)
        data = os.read(handle, _LENGTH + 1) if is_private and stat.S_ISREG(seen.st_mode) else b""
    finally:
        os.close(handle)
    return data if len(data) == _LENGTH else None


def _make(place: Path) -> None:
    """Put a key there, whole or not at all. Raises OSError."""
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    unnamed = place.with_name(f".{secrets.token_hex(8)}.{_KEY}")
    create(unnamed, secrets.token_bytes(_LENGTH), 0o600)
    try:
        try:
            os.link(unnamed, place)
        except FileExistsError:  # another process was faster
            pass
        except OSError:  # a file system without hard links
            os.replace(unnamed, place)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(unnamed)


def _seal(key: bytes, record: bytes) -> bytes:
    return hmac.new(key, record, "sha256").hexdigest().encode("ascii")
