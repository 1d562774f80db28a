"""The command `report`: the review page of a saved plan. Writes that page, and the streams."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from codemods.cli import options, stopping, streams
from codemods.cli.standing import standing

if TYPE_CHECKING:
    from codemods.plan import Group
    from codemods.saved_plan import SavedPlan

_HELP = """Write the review page of a saved plan: one HTML file that needs no network.

\b
  session-codemods diff app --save plan.json
  session-codemods report plan.json -o report.html
"""


def add_to(program: typer.Typer) -> None:
    """Make the command known to the program."""
    program.command(name="report", help=_HELP)(report)


def report(
    file: Annotated[Path, typer.Argument(metavar="PLAN", help="The file that `diff --save` wrote")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="The page to write")],
    quiet: options.Quiet = False,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Tracebacks of errors")] = False,
) -> int:
    options.check_output(output, file)
    with stopping.stops():
        from codemods import plan_file, planned
        from codemods.plan import Change
        from codemods.review import html_report, progress
        from codemods.rules import RULES

        plan, made = _as_it_stands(plan_file.load(file))
        there = {group.id for group in made}
        done = itertools.count(1)

        def alone(groups: Sequence[Group], tell: progress.Progress) -> tuple[Change, ...]:
            tell("compose", next(done), len(plan.groups))
            try:
                return planned.changes(plan, groups, () if any(group.id in there for group in groups) else made)
            except planned.ComposeError:
                return ()

        shown = progress.wanted(sys.stderr.isatty(), quiet, os.environ)
        with progress.bar() if shown else contextlib.nullcontext(progress.unseen) as tell:
            page = html_report.report(
                plan,
                lambda groups: alone(groups, tell),
                name=file.name,
                summaries={rule.name: rule.summary for rule in RULES},
            )
        streams.put(page.encode("utf-8", "backslashreplace"), output)
    return 0


def _as_it_stands(plan: SavedPlan) -> tuple[SavedPlan, list[Group]]:
    """The plan with the runs that are in the files, and the groups that are. Away from the project, with what the plan
    says itself."""
    from codemods import sources

    root = sources.find_root(Path())
    if not any(os.path.lexists(root / saved.path) for saved in plan.files):
        return plan, []
    there = standing(plan, root)
    return dataclasses.replace(plan, applied=there.applied), [one for one in plan.groups if one.id in there.made]
