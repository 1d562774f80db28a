"""One writer per tree: a lock file in the store of runs, which the system lets go when the process dies.

Beside it stands who holds it, for people; nothing is decided by that.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import platform
import sys
from collections.abc import Iterator
from pathlib import Path

from codemods.apply.durable import create
from codemods.apply.errors import TreeBusy, WriteRefused, told_of
from codemods.apply.run_store import RunStore

_LOCK = "lock"
_HOLDER = "holder.json"


@contextlib.contextmanager
def only_writer(store: RunStore) -> Iterator[None]:
    """Hold the lock of a store, which is made if it is not there.

    Raises TreeBusy at once when another process holds it, and WriteRefused when there can be no lock file.
    """
    from filelock import FileLock, Timeout  # heavy, and who only looks does not need it

    store.make()
    lock = FileLock(store.folder / _LOCK, timeout=0)
    if (store.folder / _LOCK).is_symlink():  # locking would empty the file that it leads to
        raise WriteRefused(str(store.folder / _LOCK), "is a link; remove it")
    with told_of(str(store.folder), "cannot be locked"):
        try:
            lock.acquire()
        except Timeout:
            raise TreeBusy(f"{holder(store)} is writing in this tree; try again when it has ended") from None
    noted = store.folder / _HOLDER
    try:
        with contextlib.suppress(OSError):
            _note(noted)
        yield
    finally:
        with contextlib.suppress(OSError):
            os.unlink(noted)
        with contextlib.suppress(OSError):
            lock.release()


def holder(store: RunStore) -> str:
    """Who holds the lock, or held it last, in words."""
    try:
        content = json.loads((store.folder / _HOLDER).read_bytes())
        pid, since = int(content["pid"]), datetime.datetime.fromisoformat(content["since"])
    except (OSError, ValueError, TypeError, KeyError):
        return "another process"
    return f"process {pid}, since {since:%Y-%m-%d %H:%M:%S} UTC,"


def is_held(store: RunStore) -> bool | None:
    """Whether somebody holds the lock, as far as can be told without touching it; None: that cannot be told."""
    try:
        content = json.loads((store.folder / _HOLDER).read_bytes())
        pid, host = int(content["pid"]), str(content["host"])
    except FileNotFoundError:
        return False
    except (OSError, ValueError, TypeError, KeyError):
        return None
    if host != platform.node() or pid <= 0 or sys.platform == "win32":  # there, asking would end the process
        return None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return None
    return True


def _note(place: Path) -> None:
    since = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    place.unlink(missing_ok=True)  # of one who was killed
    create(place, json.dumps({"pid": os.getpid(), "host": platform.node(), "since": since}).encode("ascii"))
