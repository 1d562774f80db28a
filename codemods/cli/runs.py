"""The commands `undo` and `runs`.

Files of the project are put back by `apply` alone. What is heavy is imported inside the commands.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from codemods.cli import PROGRAM, options, stopping, streams
from codemods.cli.writing import tell_taken_back

if TYPE_CHECKING:
    from codemods.apply.runs import ListedRun
    from codemods.apply.undo import Undone


def add_to(program: typer.Typer) -> None:
    """Make the commands known to the program."""
    program.command(help="Put back what a run of apply wrote: content, mode and time; all of it, or nothing.")(undo)
    program.command(help="List the runs of apply in this project, the last one first.")(runs)


def undo(
    run: Annotated[
        str | None,
        typer.Argument(metavar="RUN", help="The run, or how its name begins, as `runs` shows it [the last one]"),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Also files that changed since; what they hold now can be had back")
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
            streams.say(_undone(done))
    return 0


def runs(
    output: options.Output = None,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Also the groups of each run, and why")] = False,
) -> int:
    with stopping.stops():
        from codemods import run_words, sources
        from codemods.apply.errors import RunError
        from codemods.apply.runs import listed
        from codemods.review.visible import visible

        try:
            lines, damaged = listed(sources.find_root(Path(".")))
        except RunError as error:
            raise stopping.Stopped(str(error)) from error
        streams.put(_table(lines, with_groups=verbose), output)
        for one in damaged:
            streams.say(f"{visible(str(one))}\n")
        streams.say(run_words.unfinished(lines))
        if not lines:
            streams.say("Nothing was applied to this project yet.\n")
    return 3 if damaged else 0


def _undone(done: Undone) -> str:
    from codemods.run_words import count

    parts = []
    if done.restored:
        parts.append(f"{count(done.restored)} as before it")
    if done.removed:
        parts.append(f"{count(done.removed)} removed")
    if done.already:
        parts.append(f"{count(done.already)} {'was' if len(done.already) == 1 else 'were'} so already")
    return f"Undid run {done.run}: {', '.join(parts)}.\nTo have it back: {PROGRAM} undo {done.by}\n"


def _table(lines: list[ListedRun], *, with_groups: bool) -> str:
    from codemods.review.visible import visible

    if not lines:
        return ""
    head = ("run", "when (UTC)", "files", "groups", "state")
    rows = [head, *(_row(line) for line in lines)]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    text = []
    for at, (run, when, files, groups, state) in enumerate(rows):
        text.append(f"{run:<{widths[0]}}  {when:<{widths[1]}}  {files:>{widths[2]}}  {groups:>{widths[3]}}  {state}")
        for group in lines[at - 1].groups if with_groups and at else ():
            text.append(f"  {visible(group.id)}")
            text += [f"    {visible(message)}" for message in group.messages]
    return "".join(f"{line}\n" for line in text)


def _row(line: ListedRun) -> tuple[str, str, str, str, str]:
    state = f"{line.state}, undid {line.undoes}" if line.undoes else str(line.state)
    return line.id, f"{line.when:%Y-%m-%d %H:%M}", str(len(line.files)), str(len(line.groups)), state
