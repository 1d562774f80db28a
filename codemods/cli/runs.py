"""The commands `undo` and `runs`.

Files of the project are put back by `apply` alone. What is heavy is imported inside the commands.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from codemods.cli import PROGRAM, options, stopping, streams
from codemods.cli.writing import tell_taken_back

if TYPE_CHECKING:
    from codemods.apply.runs import ListedRun


_UNDO = """Put back what a run of apply wrote: content and time; all of it, or nothing.

Without RUN it takes back the last run that stands: a second `undo` takes back the run before that one. An undo is a
run, too: `undo` with its id, which is told, brings back what it took. Commits are never touched.

\b
  session-codemods runs
  session-codemods undo 20260131T1200
"""


def add_to(program: typer.Typer) -> None:
    """Make the commands known to the program."""
    program.command(help=_UNDO)(undo)
    program.command(help="List the runs of apply in this project, the last one first.")(runs)


def undo(
    run: Annotated[
        str | None,
        typer.Argument(
            metavar="RUN", help="The run, or how its name begins, as `runs` shows it [the last one that is not undone]"
        ),
    ] = None,
    force: Annotated[
        bool,
        typer.Option("--force", help="Also files that changed since, and what later runs need; it can be had back"),
    ] = False,
    output: options.Output = None,
    quiet: options.Quiet = False,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Tracebacks of errors")] = False,
) -> int:
    with stopping.stops():
        from codemods import run_words, sources
        from codemods.apply import undo as undoing
        from codemods.review.terminal import Viewpoint

        try:
            done = undoing.undo(sources.find_root(Path(".")), run, force, tell=tell_taken_back)
        except run_words.REFUSALS as error:
            raise stopping.Stopped(run_words.why_not(error, "undone")) from error
        seen = Viewpoint(str(done.root), os.getcwd())
        streams.put("".join(f"{seen(path)}\n" for path in sorted((*done.restored, *done.removed))), output)
        if not quiet:
            streams.say(run_words.undone(done, PROGRAM))
    return 3 if done.left else 0


def runs(
    output: options.Output = None,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Also the groups of each run, and why")] = False,
) -> int:
    with stopping.stops():
        from codemods import run_words, sources
        from codemods.apply.errors import RunError
        from codemods.apply.runs import listed
        from codemods.apply.unfinished import unfinished
        from codemods.review.visible import visible

        try:
            root = sources.find_root(Path("."))
            lines, damaged = listed(root)
        except RunError as error:
            raise stopping.Stopped(str(error)) from error
        half = [run for run in unfinished(root) if not run.damage]
        streams.put(_table(lines, {run.id for run in half if run.was_cut_off}, with_groups=verbose), output)
        for one in damaged:
            streams.say(f"{visible(str(one))}\n")
        streams.say(run_words.unfinished(half))
        if not lines:
            streams.say("Nothing was applied to this project yet.\n")
    return 3 if damaged else 0


def _table(lines: list[ListedRun], cut_off: Collection[str], *, with_groups: bool) -> str:
    from codemods.review.visible import visible

    if not lines:
        return ""
    head = ("run", "when (UTC)", "files", "groups", "state")
    rows = [head, *(_row(line, line.id in cut_off) for line in lines)]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    text = []
    for at, (run, when, files, groups, state) in enumerate(rows):
        text.append(f"{run:<{widths[0]}}  {when:<{widths[1]}}  {files:>{widths[2]}}  {groups:>{widths[3]}}  {state}")
        if with_groups and at:
            text += [f"  committed as {commit}" for commit in lines[at - 1].commits]
            for group in lines[at - 1].groups:
                text.append(f"  {visible(group.id)}")
                text += [f"    {visible(message)}" for message in group.messages]
    return "".join(f"{line}\n" for line in text)


def _row(line: ListedRun, was_cut_off: bool) -> tuple[str, str, str, str, str]:
    from codemods.apply.run_store import State
    from codemods.review.visible import visible

    state = "cut off" if was_cut_off else str(line.state)
    state += f", but `{visible(line.unverified)}` has not ended" if line.unverified and state == State.DONE else ""
    state += f", undid {line.undoes}" if line.undoes else ""
    state += f": {visible(line.why)}" if line.why else ""
    state += f" ({visible(line.plan)})" if line.plan else ""
    return line.id, f"{line.when:%Y-%m-%d %H:%M}", str(len(line.files)), str(len(line.groups)), state
