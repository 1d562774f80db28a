"""Why a file was not written or a run not undone, as the command line tells it. Touches nothing."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence


class WriteRefused(Exception):
    """A file that must not or cannot be written. Nothing was written, to this file or to any other."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


class StaleFile(WriteRefused):
    """The file is no longer the one that the change was made from."""

    def __init__(self, path: str, reason: str = "changed since it was read") -> None:
        super().__init__(path, reason)


class NotPutBack(Exception):
    """Writing failed half way, and so did putting this file back. `reason` says where its old content lies."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


class SavedMeanwhile(Exception):
    """Somebody saved a file between the moment it was written and the moment it was to be put back."""


class RunError(Exception):
    """What has to do with the runs that are kept. The text says what is wrong, and what to do."""


class TreeBusy(RunError):
    """Another process writes in this tree; the text says which, and since when."""


class DamagedRun(RunError):
    """What is kept of a run cannot be read."""

    def __init__(self, run: str, text: str) -> None:
        super().__init__(text)
        self.run = run


class StrangersRun(DamagedRun):
    """What is kept of a run bears no seal of ours: it may have come with the project."""


class NoStore(RunError):
    """It cannot be known where the runs of this project are kept."""


class TakenBackNow(RunError):
    """Files were put back a moment ago; what was planned before that may rest on their half written state."""


class NotTakenBack(RunError):
    """A run that was cut off could not be taken back whole. It is tried again at the next start."""


class UndoRefused(RunError):
    """Nothing was undone."""


class NoSuchRun(UndoRefused):
    """There is no such run, or none that could be undone."""


class ChangedSince(UndoRefused):
    """Files are no longer what the run left. `paths` are relative to the project's root."""

    def __init__(self, paths: Sequence[str]) -> None:
        super().__init__(f"changed since: {', '.join(paths)}")
        self.paths = tuple(paths)


class UnderLaterRuns(UndoRefused):
    """Later runs wrote the same files. `runs` are their ids, the last one first."""

    def __init__(self, runs: Sequence[str]) -> None:
        super().__init__(f"later runs wrote the same files: {', '.join(runs)}")
        self.runs = tuple(runs)


class Needed(UndoRefused):
    """A run holds a group that cannot do without one that would not be there: the run stands, and what it needs would
    be taken back; or the run would be brought back, and what it needs is not there."""

    def __init__(self, run: str, group: str, needed: str, *, stands: bool) -> None:
        super().__init__(f"run {run} wrote {group}, which needs {needed}")
        self.run = run
        self.stands = stands


@contextlib.contextmanager
def told_of(path: str, what: str) -> Iterator[None]:
    """Turns what the system says of a file into WriteRefused, which begins with `what`."""
    try:
        yield
    except OSError as error:
        raise WriteRefused(path, f"{what}: {error.strerror or error}") from error
    except RuntimeError as error:  # what pathlib says of a circle of links on older Pythons
        raise WriteRefused(path, f"{what}: {error}") from error
