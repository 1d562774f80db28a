"""Stops a command with one plain line: every error that the user can do something about becomes `Stopped`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

_NAMED = 3  # files in one line, before the others are only counted


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
    from codemods import run_words
    from codemods.apply.git import DirtyFiles, GitError, NoRepository
    from codemods.committing import CommitRefused
    from codemods.engine import NoPythonFiles
    from codemods.formatting import FormatError
    from codemods.leak_report import LeakReportError
    from codemods.plan_file import PlanFileError
    from codemods.saving import Moved
    from codemods.settings import SettingsError
    from codemods.sources import SourceError
    from codemods.transformers.errors import ComposeError

    match error:
        case SettingsError() | SourceError() | LeakReportError() | PlanFileError() | Moved():
            return str(error)
        case NoPythonFiles():
            return str(error) or "no Python file there; name a file or folder of the project"
        case DirtyFiles():
            what = "not saved in git as they are now; commit or stash them, or give --allow-dirty"
            return f"nothing was written: {run_words.some(error.paths, _NAMED)}: {what}"
        case NoRepository():
            what = "in no git repository, so nothing could undo the change; give --allow-no-vcs to write all the same"
            return f"nothing was written: {run_words.some(error.paths, _NAMED)}: {what}"
        case GitError():
            what = "--allow-dirty writes without asking git"
            return f"nothing was written: git could not say whether files are saved: {error}; {what}"
        case FormatError() | CommitRefused():
            return f"nothing was written: {error}"
        case ComposeError():
            return f"nothing was written: the groups cannot be made together: {error}"
    return run_words.why_not(error, "written") if isinstance(error, run_words.REFUSALS) else None
