"""A plan file at which several people work at once: nobody's answers are overwritten.

Reads and writes the plan file. Whoever writes holds a lock on it meanwhile, and takes in first what others wrote.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from codemods import plan_file
from codemods.merging import AnotherPlan, Clash, merged
from codemods.plan_file import PlanFileError
from codemods.saved_plan import SavedPlan

if sys.platform != "win32":
    import fcntl


class SharedPlan:
    """A plan file, and the plan as it stood there when it was last read or written here."""

    def __init__(self, path: Path) -> None:
        """Raises PlanFileError."""
        self.path = path
        self._data, self.plan = self._read()

    def save(self, plan: SavedPlan) -> tuple[Clash, ...]:
        """Writes what changed in `plan` since it was last read or written here, and leaves alone what others changed.

        `self.plan` is then what the file holds. Gives the groups that others decided otherwise meanwhile. Raises
        PlanFileError, also when the file holds another dry run by now.
        """
        clashes: tuple[Clash, ...] = ()
        with self._held():
            data = self._bytes()
            if data != self._data:
                try:
                    both = merged(self.plan, plan, self._parsed(data))
                except AnotherPlan as error:
                    told = "was replaced by another dry run meanwhile; the last answer is not in it: review it anew"
                    raise PlanFileError(f"{self.path}: {told}") from error
                plan, clashes = both.plan, both.clashes
            self._data = plan_file.save(plan, self.path)
            self.plan = plan
        return clashes

    def replace(self, plan: SavedPlan) -> None:
        """Puts another dry run in the place of the one that was read here.

        Raises PlanFileError, also when somebody answered meanwhile: the answers would be lost.
        """
        with self._held():
            if self._bytes() != self._data:
                raise PlanFileError(f"{self.path}: somebody wrote to it meanwhile; nothing was changed, try again")
            self._data = plan_file.save(plan, self.path)
            self.plan = plan

    def _read(self) -> tuple[bytes, SavedPlan]:
        data = self._bytes()
        return data, self._parsed(data)

    def _bytes(self) -> bytes:
        try:
            return self.path.read_bytes()
        except OSError as error:
            raise PlanFileError(f"{self.path}: cannot be read: {error.strerror or error}") from error

    def _parsed(self, data: bytes) -> SavedPlan:
        try:
            return plan_file.parse(data.decode(), str(self.path))
        except UnicodeDecodeError as error:
            raise PlanFileError(f"{self.path}: not a plan file: it is not UTF-8") from error

    @contextlib.contextmanager
    def _held(self) -> Iterator[None]:
        """Holds the file that has the name now: who waited for one that was replaced waits for the new one, too."""
        if sys.platform == "win32":  # two that write in the same instant are not kept apart there
            yield
            return
        while True:
            try:
                file = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
            except OSError as error:
                raise PlanFileError(f"{self.path}: cannot be read: {error.strerror or error}") from error
            try:
                with contextlib.suppress(OSError):  # file systems without locks
                    fcntl.flock(file, fcntl.LOCK_EX)
                if self._is(file):
                    yield
                    return
            finally:
                os.close(file)

    def _is(self, file: int) -> bool:
        try:
            return os.path.samestat(os.fstat(file), os.stat(self.path))
        except OSError:
            return False
