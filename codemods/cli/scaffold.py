"""The commands `scaffold ...`: code that is added to a project, shown like `diff` and written like `apply`.

Writes nothing but the streams and the file of `--output`; files of the project are written by `apply.writer` alone.
What is heavy is imported inside the commands.
"""

from __future__ import annotations

import dataclasses
import os
import shlex
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from codemods import __version__
from codemods.cli import PROGRAM, dry_run, options, stopping, streams
from codemods.cli.writing import tell_taken_back

if TYPE_CHECKING:
    from codemods.plan import Plan
    from codemods.scaffold.asked import AlreadyThere, PoolStatus

COMMAND = "scaffold pool-status"

scaffold = typer.Typer(
    rich_markup_mode=None,
    no_args_is_help=True,
    help="Add code that the practices ask for; shows the patch unless --apply is given.",
)


def add_to(program: typer.Typer) -> None:
    """Make the commands known to the program."""
    program.add_typer(scaffold, name="scaffold")


_HELP = """Add an endpoint that shows how many connections of the database pool are in use.

Finds the FastAPI application and the engine, writes a module with a router beside the project's own routers, and
includes it in the application where the project runs in development. Shows the patch and writes nothing;
--apply writes it.

\b
  session-codemods scaffold pool-status
  session-codemods scaffold pool-status app.main:app --engine app.db:engine
  session-codemods scaffold pool-status --always --depends app.deps:require_admin --apply
"""


@scaffold.callback()
def program() -> None:
    """Keeps the name of the command on the command line, though there is but one."""


@scaffold.command(name="pool-status", help=_HELP)
def pool_status(
    application: Annotated[
        str,
        typer.Argument(metavar="APP", help="The application as for uvicorn, app.main:app; or a file or folder with it"),
    ] = ".",
    engine: Annotated[
        str, typer.Option("--engine", metavar="APP.DB:ENGINE", help="The engine, or a cached function that gives it")
    ] = "",
    route: Annotated[
        str, typer.Option("--path", metavar="PATH", help="The path of the endpoint [/debug/pool-status]")
    ] = "",
    depends: Annotated[
        str,
        typer.Option("--depends", metavar="APP.DEPS:NAME", help="A dependency that every request of it has to pass"),
    ] = "",
    always: Annotated[bool, typer.Option("--always", help="Include it in production, too")] = False,
    apply: Annotated[bool, typer.Option("--apply", help="Write it")] = False,
    save: Annotated[
        Path | None, typer.Option("--save", metavar="PLAN", help="Also freeze it in this file, for `apply --plan`")
    ] = None,
    allow_dirty: Annotated[
        bool, typer.Option("--allow-dirty", help="Also write files that git could not give back as they are")
    ] = False,
    allow_no_vcs: Annotated[
        bool, typer.Option("--allow-no-vcs", help="Also write files that are in no git repository")
    ] = False,
    exclude: options.Exclude = None,
    extend_exclude: options.ExtendExclude = None,
    respect_gitignore: options.RespectGitignore = None,
    config: options.Config = None,
    isolated: options.Isolated = False,
    output_format: options.Format = options.OutputFormat.text,
    output: options.Output = None,
    explain: Annotated[
        bool, typer.Option("--explain/--no-explain", help="Say above the change why", show_default=False)
    ] = True,
    exit_zero: options.ExitZero = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    color: options.Colour = options.ColourChoice.auto,
) -> int:
    words = [application] if application != "." else []
    for option, value in (("--engine", engine), ("--path", route), ("--depends", depends)):
        words += [option, value] if value else []
    words += ["--always"] * always
    wanted = options.wanted(
        paths=None,
        select=None,
        ignore=None,
        level=options.LevelName.review,
        cross_paths=True,
        exclude=exclude,
        extend_exclude=extend_exclude,
        respect_gitignore=respect_gitignore,
        config=config,
        isolated=isolated,
        output_format=output_format,
        output=output,
        statistics=False,
        quiet=quiet,
        save=save,
    )
    with stopping.stops():
        from codemods.engine import RunRequest
        from codemods.plan import Level
        from codemods.scaffold.asked import ROUTE, AlreadyThere
        from codemods.scaffold.errors import ScaffoldError

        started = time.monotonic()
        try:
            asked = _asked(wanted, application, engine, route or ROUTE, depends, always)
            plan = _dry_run(asked, quiet)
        except ScaffoldError as error:
            raise stopping.Stopped(str(error)) from error
        if isinstance(plan, AlreadyThere):
            streams.tell(wanted, f"GET {plan.route} is there already: {plan.place}. Nothing to do.\n")
            return 0
        if save is not None:
            dry_run.save(plan, RunRequest(Path(plan.root), (), asked.settings, Level.REVIEW, cross_paths=True), save)
            streams.tell(wanted, f"Saved in {save}: `review` and `apply --plan` take it like any other\n")
        if apply:
            return _write(wanted, plan, allow_dirty, allow_no_vcs, output)
        return _show(wanted, plan, started, _next(wanted, words), explain, exit_zero, verbose, output, color)


def _asked(wanted: options.Wanted, application: str, engine: str, route: str, depends: str, always: bool) -> PoolStatus:
    from codemods import sources
    from codemods.scaffold.asked import PoolStatus
    from codemods.scaffold.references import parsed

    path = Path(application)
    reference = None if path.exists() else parsed(application)
    root = sources.find_root(path if reference is None else Path("."))
    target = path.resolve() if reference is None else reference
    return PoolStatus(root, Path.cwd(), dry_run.settings_for(wanted, root), target, engine, route, depends, always)


def _dry_run(asked: PoolStatus, quiet: bool) -> Plan | AlreadyThere:
    from codemods.review import progress
    from codemods.scaffold.pool_status import planned

    if progress.wanted(sys.stderr.isatty(), quiet, os.environ):
        with progress.bar() as report:
            return planned(asked, report)
    return planned(asked)


def _next(wanted: options.Wanted, words: list[str]) -> str:
    """The command that writes what was shown, as one would type it."""
    options = dataclasses.replace(wanted, paths=(), cross_paths=False).apply_command()
    return f"{PROGRAM} {COMMAND} {shlex.join([*words, '--apply'])}{options.removeprefix(f'{PROGRAM} apply')}"


def _show(
    wanted: options.Wanted,
    plan: Plan,
    started: float,
    following: str,
    explain: bool,
    exit_zero: bool,
    verbose: bool,
    output: Path | None,
    color: options.ColourChoice,
) -> int:
    from codemods.apply.git import patch_base
    from codemods.review import json_report, terminal

    seen = terminal.Viewpoint(plan.root, os.getcwd())
    base = patch_base(Path(plan.root), Path.cwd(), [change.path for change in plan.changes])
    if wanted.format is options.OutputFormat.json:
        streams.put(json_report.report(plan, __version__, seen.path, with_changes=True), output)
    else:
        streams.put_patch(plan, base, explain, output, color)
    streams.tell(wanted, terminal.not_handled(plan.failures, seen), always=True)
    streams.tell(wanted, terminal.summary(plan, time.monotonic() - started))
    if base.folder != Path.cwd():
        streams.tell(wanted, f"Paths in the patch start at {base.folder}: apply it there.\n")
    streams.tell(wanted, terminal.next_step(plan, following, following))
    return 3 if plan.failures else int(not exit_zero)


def _write(wanted: options.Wanted, plan: Plan, allow_dirty: bool, allow_no_vcs: bool, output: Path | None) -> int:
    from codemods.apply.git import guard
    from codemods.apply.run_record import RunText
    from codemods.apply.runs import written
    from codemods.review import json_report, terminal

    seen = terminal.Viewpoint(plan.root, os.getcwd())
    touched = [change.path for change in plan.changes]
    new = [change.path for change in plan.changes if change.before is None]
    guard(Path(plan.root), touched, allow_dirty, allow_no_vcs, new)
    what = RunText.of_changes(plan.changes)
    run = written(Path(plan.root), plan.changes, what=what, tell=tell_taken_back)
    if wanted.format is options.OutputFormat.json:
        streams.put(json_report.report(plan, __version__, seen.path, with_changes=True), output)
    else:
        streams.put("".join(f"{seen(path)}\n" for path in touched), output)
    streams.tell(wanted, terminal.not_handled(plan.failures, seen), always=True)
    streams.tell(wanted, terminal.written(plan))
    streams.tell(wanted, f"To take it back: {PROGRAM} undo {run}\n")
    return 3 if plan.failures else 0
