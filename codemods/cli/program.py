"""The program: all commands under one name, and its version."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from codemods import __version__
from codemods.cli import PROGRAM, apply, check, diff, explain, fleet, report, review, runs, scaffold, split

app = typer.Typer(
    rich_markup_mode=None,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Finds leaking SQLAlchemy AsyncSession use in a whole code base and writes the reviewed cure.",
)


def _version(asked: bool) -> None:
    if asked:
        print(f"{PROGRAM} {__version__}")
        raise typer.Exit


# in the order in which --help names them
for commands in (check, diff, explain, apply, review, report, runs, split, scaffold, fleet):
    commands.add_to(app)


@app.callback(invoke_without_command=True)
def program(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit")
    ] = False,
) -> int:
    if context.invoked_subcommand is None:
        sys.stderr.write(context.get_help() + "\n")
        raise typer.Exit(2)
    return 0
