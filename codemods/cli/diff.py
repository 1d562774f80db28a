"""The command `diff`: the dry run as an explained patch, or frozen in a plan. Writes that plan, and the streams."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from codemods import __version__
from codemods.cli import dry_run, options, stopping, streams
from codemods.cli.home import reviewing


def add_to(program: typer.Typer) -> None:
    """Make the command known to the program."""
    program.command(help="Print the patch, with a reason for every change; write nothing.")(diff)


def diff(
    paths: options.Paths = None,
    select: options.Select = None,
    ignore: options.Ignore = None,
    level: options.Highest = options.LevelName.review,
    cross_paths: options.CrossPaths = False,
    exclude: options.Exclude = None,
    extend_exclude: options.ExtendExclude = None,
    respect_gitignore: options.RespectGitignore = None,
    config: options.Config = None,
    isolated: options.Isolated = False,
    output_format: options.Format = options.OutputFormat.text,
    output: options.Output = None,
    explain: Annotated[
        bool, typer.Option("--explain/--no-explain", help="Say above each change why", show_default=False)
    ] = True,
    save: Annotated[
        Path | None,
        typer.Option("--save", metavar="PLAN", help="Also freeze the dry run in this file, to be reviewed and applied"),
    ] = None,
    format_cmd: options.FormatCommand = None,
    statistics: options.Statistics = False,
    exit_zero: options.ExitZero = False,
    no_cache: options.NoCache = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    color: options.Colour = options.ColourChoice.auto,
) -> int:
    wanted = options.wanted(**locals())
    with stopping.stops():
        from codemods.apply.git import patch_base
        from codemods.review import json_report, terminal

        started = time.monotonic()
        look = dry_run.Look(wanted)
        plan, seen = look.planned()
        if save is not None:
            dry_run.save(plan, look.request, save)
        if format_cmd:
            plan = dry_run.formatted(plan, format_cmd, wanted)
        base = patch_base(Path(plan.root), Path.cwd(), [change.path for change in plan.changes])
        if wanted.format is options.OutputFormat.json:
            streams.put(json_report.report(plan, __version__, seen.path, with_changes=True), output)
        else:
            streams.put_patch(plan, base, explain, output, color)
            streams.tell(wanted, terminal.left_alone(plan, seen))
        streams.tell(wanted, terminal.held_back(plan, seen) if verbose else "")
        streams.tell(wanted, terminal.not_handled(plan.failures, seen), always=True)
        streams.tell(wanted, terminal.summary(plan, time.monotonic() - started))
        streams.statistics(wanted, plan)
        if plan.changes and base.folder != Path.cwd():
            streams.tell(wanted, f"Paths in the patch start at {base.folder}: apply it there.\n")
        if save is not None:
            streams.tell(wanted, f"Saved in {save}. Next: {reviewing(Path(plan.root), save)}\n")
        else:
            streams.tell(
                wanted, terminal.next_step(plan, wanted.apply_command(), wanted.apply_command("--level", "review"))
            )
    return 3 if plan.failures else int(bool(plan.changes) and not exit_zero)
