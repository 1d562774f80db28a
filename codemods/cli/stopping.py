"""Stops a command with one plain line: every error that the user can do something about becomes `Stopped`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator


class Stopped(Exception):
    """The run cannot go on; the text is one line that says why and what to do."""


@contextlib.contextmanager
def stops() -> Iterator[None]:
    """Turns every error that the user can do something about into Stopped."""
    try:
        yield
    except Stopped:
        raise
    except Exception as error:
        told = _told(error)
        if told is None:
            raise
        raise Stopped(told) from error


def _told(error: Exception) -> str | None:
    """What to tell of an error; None for one that is nobody's doing. (What knows the errors is heavy: so, only now.)"""
    from codemods.apply.git import DirtyFiles, GitError, NoRepository
    from codemods.apply.writer import NotPutBack, StaleFile, WriteRefused
    from codemods.engine import NoPythonFiles
    from codemods.leak_report import LeakReportError
    from codemods.settings import SettingsError
    from codemods.sources import SourceError

    match error:
        case SettingsError() | SourceError() | LeakReportError():
            return str(error)
        case NoPythonFiles():
            return str(error) or "no Python file there; name a file or folder of the project"
        case DirtyFiles():
            what = "not saved in git as they are now; commit or stash them, or give --allow-dirty"
            return f"nothing was written: {_some(error.paths)}: {what}"
        case NoRepository():
            what = "in no git repository, so nothing could undo the change; give --allow-no-vcs to write all the same"
            return f"nothing was written: {_some(error.paths)}: {what}"
        case GitError():
            what = "--allow-dirty writes without asking git"
            return f"nothing was written: git could not say whether files are saved: {error}; {what}"
        case StaleFile():
            return f"nothing was written: {error}; run the command again"
        case NotPutBack():
            return f"writing failed, all other files are as they were: {error}"
        case WriteRefused():
            return f"nothing was written: {error}"
    return None


def _some(paths: tuple[str, ...]) -> str:
    more = f" and {len(paths) - 3} more" if len(paths) > 3 else ""
    return ", ".join(paths[:3]) + more


@contextlib.contextmanager
def plan_stops() -> Iterator[None]:
    """Turns every error of plan files that the user can do something about into Stopped."""
    from codemods.plan_file import PlanFileError
    from codemods.saving import Moved

    try:
        yield
    except (PlanFileError, Moved) as error:
        raise Stopped(str(error)) from error


@contextlib.contextmanager
def write_stops() -> Iterator[None]:
    """Turns every error of writing, verifying, formatting and committing into Stopped."""
    from codemods import run_words
    from codemods.committing import CommitRefused, CommitStopped
    from codemods.formatting import FormatError
    from codemods.transformers.errors import ComposeError

    try:
        yield
    except run_words.REFUSALS as error:
        raise Stopped(run_words.why_not(error, "written")) from error
    except FormatError as error:
        raise Stopped(f"nothing was written: {error}") from error
    except CommitRefused as error:
        raise Stopped(f"nothing was written: {error}") from error
    except CommitStopped as error:
        raise Stopped(f"the files are written, {len(error.made)} commits were made, then: {error}") from error
    except ComposeError as error:
        raise Stopped(f"nothing was written: the groups cannot be made together: {error}") from error
