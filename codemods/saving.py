"""Freezes a dry run: from a `Plan` to a `SavedPlan`. Reads the files that its groups edit, writes nothing."""

from __future__ import annotations

import os
from pathlib import Path

from codemods import sources
from codemods.engine import RunRequest
from codemods.plan import Plan, Source
from codemods.saved_plan import Asked, SavedFile, SavedPlan


class Moved(Exception):
    """A file changed while the dry run was made: what was found no longer speaks of it."""

    def __init__(self, path: str) -> None:
        super().__init__(f"{path} changed while it was looked at; run the command again")
        self.path = path


def saved(plan: Plan, request: RunRequest) -> SavedPlan:
    """The plan with the bytes that it was made from, nothing decided.

    Raises Moved when a file that its groups edit is not any more what the plan was made from.
    """
    root = Path(plan.root)
    after = {change.path: change.after for change in plan.changes}
    files = []
    for path in sorted({path for group in plan.groups for path in group.paths} & set(plan.hashes)):
        source = sources.read(root, path)
        if not isinstance(source, Source) or source.sha256 != plan.hashes[path]:
            raise Moved(path)
        files.append(SavedFile.of(source, after.get(path, source.data)))
    return SavedPlan(
        tool_version=plan.tool_version,
        asked=Asked(_asked_paths(root, request), plan.level, request.cross_paths, request.settings),
        groups=plan.groups,
        ledger=plan.ledger,
        failures=plan.failures,
        files=tuple(files),
        files_read=plan.files_read,
        lines_read=plan.lines_read,
        settings_hash=plan.settings_hash,
    )


def again(plan: SavedPlan, root: Path) -> RunRequest:
    """The request that makes the dry run of a saved plan once more, on the project at `root` as it stands now.

    Paths that are not there any more are left out: what was found there is gone.
    """
    paths = tuple(root / path for path in plan.asked.paths)
    there = tuple(path for path in paths if os.path.lexists(path))
    return RunRequest(root, there or paths, plan.asked.settings, plan.asked.level, plan.asked.cross_paths)


def _asked_paths(root: Path, request: RunRequest) -> tuple[str, ...]:
    paths = tuple(path.resolve().relative_to(root).as_posix() for path in request.paths)
    return () if paths == (".",) else paths
