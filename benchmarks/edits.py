"""What one edit costs: looks through the working directory and times the making of the edits alone.

`python -P edits.py`; prints one line, `N edits, S seconds, L lines`: the edits of the patch, the CPU seconds that were
spent on writing and checking all files, for both levels as a run does, and the lines of the files that changed. The
import of libcst is not counted: it is paid once. Writes nothing.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path

from codemods import engine, settings, sources
from codemods.plan import Change, Group, Level
from codemods.rules import RULES
from codemods.transformers import compose as _imported_before_it_is_timed  # noqa: F401


def main() -> int:
    """Measure on the working directory."""
    root = sources.find_root(Path.cwd())
    spent = 0.0
    composed = engine.composed

    def timed(
        codebase: engine.Codebase, groups: Sequence[Group], level: Level, made: engine.Made | None = None
    ) -> tuple[tuple[Change, ...], dict[str, str]]:
        nonlocal spent
        began = time.thread_time()
        try:
            return composed(codebase, groups, level, made)
        finally:
            spent += time.thread_time() - began

    engine.composed = timed
    read = settings.load(root, None, False, rules=[rule.name for rule in RULES])
    plan = engine.run(engine.RunRequest(root, (), read))
    edits = {edit for group in plan.included for finding in group.findings for edit in finding.edits}
    lines = sum(change.after.count(b"\n") for change in plan.changes)
    print(f"{len(edits)} edits, {spent!r} seconds, {lines} lines")
    return 0


if __name__ == "__main__":
    sys.exit(main())
