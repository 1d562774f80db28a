"""What is wrong with how the tool takes a program: a word for it, or nothing. Writes to the folder that it is given."""

from __future__ import annotations

import warnings
from pathlib import Path

from codemods import engine
from codemods.engine import RunRequest
from codemods.plan import Level
from codemods.settings import Settings

EVERYTHING = Settings(respect_gitignore=False)


def wrong(folder: Path, data: bytes, level: Level = Level.REVIEW) -> str:
    """What the tool does wrong with a module of these bytes, in one line; "" when nothing is.

    Nothing may be raised; what cannot be read is named with a reason; what is changed can be compiled if it could be
    before, keeps its comments, and a second run finds nothing more to change.
    """
    path = folder / "module.py"
    path.write_bytes(data)
    try:
        plan = engine.run(RunRequest(folder, (), EVERYTHING, level))
    except Exception as error:  # whatever it is, it is what we look for
        return f"raised {type(error).__name__}: {error}"
    for failure in plan.failures:
        if "internal" in failure.message or not failure.message:
            return f"failed with {failure.message}"
    for change in plan.changes:
        if change.after is None or not change.path.endswith("module.py"):
            return f"changed {change.path}"
        if _compiles(data) and not _compiles(change.after):
            return "the result does not compile"
        path.write_bytes(change.after)
    if not plan.changes:
        return ""
    try:
        second = engine.run(RunRequest(folder, (), EVERYTHING, level))
    except Exception as error:
        return f"the second run raised {type(error).__name__}: {error}"
    return f"the second run changes it again: {second.groups[0].id}" if second.changes else ""


def _compiles(data: bytes) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            compile(data, "module.py", "exec", dont_inherit=True)
        except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError):
            return False
    return True
