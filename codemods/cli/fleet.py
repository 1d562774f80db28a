"""The command `fleet`: the dry run over a list of checkouts. Writes the folder of results, and the streams."""

from __future__ import annotations

import contextlib
import importlib
import os
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from codemods.cli import PROGRAM, options, stopping, streams

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from codemods.fleet import Local, Outcome, Summary
    from codemods.fleet.running import Told

_HELP = """Make the dry run of many checkouts; write no file of theirs.

LIST names one checkout a line, relative to the list; lines that begin with # are comments. For each one DIR/NAME gets
plan.json (as of `diff --save`) and fix.patch, and DIR a summary.json; the same as a table on stdout. What is done, and
has not changed since, is not done again.
"""


def add_to(program: typer.Typer) -> None:
    """Make the command known to the program."""
    program.command(name="fleet", help=_HELP)(fleet)


def fleet(
    file: Annotated[Path, typer.Argument(metavar="LIST", help="The file that names the checkouts")],
    folder: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="The folder of the results")],
    select: options.Select = None,
    ignore: options.Ignore = None,
    level: options.Highest = options.LevelName.review,
    extend_exclude: options.ExtendExclude = None,
    jobs: Annotated[
        int | None,
        typer.Option(
            "-j", "--jobs", metavar="N", min=1, help="Checkouts at a time [the processors]; 1: in this process"
        ),
    ] = None,
    dask: Annotated[
        str | None,
        typer.Option("--dask", metavar="ADDRESS", help="Have this Dask scheduler's workers do it, which see the paths"),
    ] = None,
    timeout: Annotated[
        float | None, typer.Option("--timeout", metavar="SECONDS", help="The longest that one checkout may take")
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="Also what is done and has not changed")] = False,
    exit_zero: options.ExitZero = False,
    quiet: options.Quiet = False,
    verbose: Annotated[
        bool, typer.Option("-v", "--verbose", help="A line for each checkout as it is done; tracebacks of errors")
    ] = False,
) -> int:
    if dask is not None and jobs is not None:
        raise stopping.Stopped("--jobs and --dask both say who does it; give one of them")
    if timeout is not None and not 0 < timeout < float("inf"):
        raise stopping.Stopped("--timeout is a number of seconds, more than 0")
    with stopping.stops():
        from codemods import fleet as work
        from codemods.fleet import local
        from codemods.fleet.listing import listed
        from codemods.fleet.look import check
        from codemods.fleet.table import not_handled, table
        from codemods.plan import Level

        asked = work.Options(
            Level[level.name.upper()],
            tuple(select or ()),
            tuple(ignore or ()),
            tuple(extend_exclude or ()),
            timeout,
            again,
        )
        try:
            paths = listed(file)
            check(asked)
            here = local.Local(min(jobs or local.processors(), len(paths)), inside=jobs == 1)
            with _executor(dask, here) as executor, _telling(quiet, verbose) as told:
                summary = work.run(paths, folder, asked, executor, told=told)
        except work.FleetError as error:
            raise stopping.Stopped(str(error)) from error
        text = table(summary)
        streams.put(streams.harmless(text))
        streams.say_visible(not_handled(summary))
        if not quiet:
            streams.say_visible(_next_step(summary, folder))
    if not summary.handled:
        return 3
    return int(summary.found and not exit_zero)


@contextlib.contextmanager
def _executor(address: str | None, here: Local) -> Iterator[Executor | Local]:
    """Who does it: this machine, or the workers of a Dask scheduler."""
    if address is None:
        yield here
        return
    try:
        distributed = importlib.import_module("distributed")
    except ImportError as error:
        raise stopping.Stopped(f"--dask needs more: pip install '{PROGRAM}[dask]' ({error})") from error
    try:
        client = distributed.Client(address, set_as_default=False)
    except (OSError, ValueError) as error:
        raise stopping.Stopped(f"--dask {address}: no scheduler answers there: {error}") from error
    with client:
        yield client.get_executor(pure=False)


@contextlib.contextmanager
def _telling(quiet: bool, verbose: bool) -> Iterator[Told]:
    """How a person hears of each repository that is finished."""
    from codemods.fleet.table import line
    from codemods.review import progress

    shown = progress.wanted(sys.stderr.isatty(), quiet, os.environ) and not verbose
    with progress.bar() if shown else contextlib.nullcontext(progress.unseen) as tell:

        def told(outcome: Outcome, done: int, total: int) -> None:
            tell("repositories", done, total)
            if verbose:
                streams.say_visible(f"[{done}/{total}] {line(outcome)}")

        yield told


def _next_step(summary: Summary, folder: Path) -> str:
    done = [one for one in summary.outcomes if one.result is not None and one.result.groups]
    if not done:
        return f"Nothing was written in the checkouts. Results in {folder}.\n"
    first = done[0]
    plan = os.path.abspath(folder / first.name / "plan.json")
    command = f"cd {shlex.quote(first.path)} && {shlex.join([PROGRAM, 'review', plan])}"
    return f"Nothing was written in the checkouts. Results in {folder}. Next, one by one: {command}\n"
