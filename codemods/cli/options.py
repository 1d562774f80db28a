"""The options that commands share, as types, and what was given for them. Touches nothing but the output's folder."""

from __future__ import annotations

import dataclasses
import enum
import os
import re
import shlex
from pathlib import Path
from typing import Annotated

import typer

from codemods.cli import PROGRAM
from codemods.cli.stopping import Stopped


class LevelName(enum.StrEnum):
    """The values of `--level`."""

    safe = "safe"
    review = "review"


class OutputFormat(enum.StrEnum):
    """The values of `--output-format`."""

    text = "text"
    json = "json"


class ColourChoice(enum.StrEnum):
    """The values of `--color`."""

    auto = "auto"
    always = "always"
    never = "never"


_PLAN = re.compile(rb'\{\s*"format": \d+,\s*"tool": "session-codemods"')  # how a plan file begins

Paths = Annotated[
    list[Path] | None, typer.Argument(metavar="PATHS", help="Files and folders whose findings are wanted [.]")
]
Select = Annotated[list[str] | None, typer.Option("--select", metavar="RULE", help="Only this rule; repeatable")]
Ignore = Annotated[list[str] | None, typer.Option("--ignore", metavar="RULE", help="Not this rule; repeatable")]
Highest = Annotated[LevelName, typer.Option("--level", help="The highest level of change that is included")]
CrossPaths = Annotated[bool, typer.Option("--cross-paths", help="Also groups that edit files outside PATHS")]
Exclude = Annotated[
    list[str] | None,
    typer.Option("--exclude", metavar="GLOB", help="Files to leave out, instead of the settings' list; repeatable"),
]
ExtendExclude = Annotated[
    list[str] | None,
    typer.Option("--extend-exclude", metavar="GLOB", help="Files to leave out besides; repeatable"),
]
RespectGitignore = Annotated[
    bool | None,
    typer.Option("--respect-gitignore/--no-respect-gitignore", help="Leave out what git ignores", show_default=False),
]
Config = Annotated[Path | None, typer.Option("--config", metavar="FILE", help="Read the settings from this file")]
Isolated = Annotated[bool, typer.Option("--isolated", help="Read no settings at all")]
Format = Annotated[OutputFormat, typer.Option("--output-format", help="What to print")]
Output = Annotated[
    Path | None, typer.Option("-o", "--output", metavar="FILE", help="Write to this file instead of stdout")
]
Statistics = Annotated[bool, typer.Option("--statistics", help="Add a table of counts per rule, on stderr")]
ExitZero = Annotated[bool, typer.Option("--exit-zero", help="Exit with 0 although there are findings")]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="No progress, no summary")]
NoCache = Annotated[bool, typer.Option("--no-cache", help="Look at every file anew; also SESSION_CODEMODS_NO_CACHE=1")]
Verbose = Annotated[bool, typer.Option("-v", "--verbose", help="Also what is held back; tracebacks of errors")]
FormatCommand = Annotated[
    str | None,
    typer.Option(
        "--format-cmd", metavar="CMD", help="Format what is changed, as with 'ruff format {files}'; other lines stay"
    ),
]
Colour = Annotated[ColourChoice, typer.Option("--color", help="When to colour")]


@dataclasses.dataclass(frozen=True, slots=True)
class Wanted:
    """What `check`, `diff` and `apply` share of the command line."""

    paths: tuple[Path, ...]
    select: tuple[str, ...]
    ignore: tuple[str, ...]
    level: LevelName
    cross_paths: bool
    exclude: tuple[str, ...]
    extend_exclude: tuple[str, ...]
    respect_gitignore: bool | None
    config: Path | None
    isolated: bool
    format: OutputFormat
    statistics: bool
    quiet: bool
    cache: bool = True
    verbose: bool = False

    def apply_command(self, *more: str) -> str:
        """The `apply` that writes what this dry run shows, with `more` options, as one would type it."""
        return self.command("apply", *more)

    def command(self, *words: str) -> str:
        """A command with options of its own that looks at what this dry run looks at, as one would type it."""
        words = (PROGRAM, *words)
        for option, values in (
            ("--select", self.select),
            ("--ignore", self.ignore),
            ("--exclude", self.exclude),
            ("--extend-exclude", self.extend_exclude),
            ("--config", (self.config,) if self.config else ()),
        ):
            for value in values:
                words += (option, str(value))
        if self.respect_gitignore is not None:
            words += ("--respect-gitignore" if self.respect_gitignore else "--no-respect-gitignore",)
        words += ("--isolated",) * self.isolated + ("--cross-paths",) * self.cross_paths
        paths = [str(path) for path in self.paths]
        return shlex.join([*words, *(["--"] if any(path.startswith("-") for path in paths) else []), *paths])


def check_output(output: Path | None, *named: Path | None) -> None:
    """Raises Stopped when `-o` names what cannot be written, or would take the place of something of worth: one of
    the other files that are `named`, a saved plan, or source. (Now, not after the work.)"""
    if output is None:
        return
    if output.is_dir() or not os.access(output.parent, os.W_OK | os.X_OK):
        raise Stopped(f"{output}: cannot be written; name a file in a folder that is there")
    for other in named:
        if other is not None and _same(output, other):
            raise Stopped(f"{output} is named twice, and -o would write over it; name another file")
    if not output.is_file():
        return
    if output.resolve().suffix in (".py", ".pyi", ".pyw"):
        raise Stopped(f"{output} is Python code, and -o would write over it; name another file")
    try:
        with output.open("rb") as file:
            is_plan = _PLAN.match(file.read(100)) is not None
    except OSError:  # whether it can be written is another matter
        return
    if is_plan:
        raise Stopped(f"{output} is a saved plan, and -o would write over it; name another file")


def _same(one: Path, other: Path) -> bool:
    return os.path.realpath(one) == os.path.realpath(other) or (
        one.exists() and other.exists() and one.samefile(other)  # two names of one file
    )


def wanted(
    *,
    paths: list[Path] | None,
    select: list[str] | None,
    ignore: list[str] | None,
    level: LevelName,
    cross_paths: bool,
    exclude: list[str] | None,
    extend_exclude: list[str] | None,
    respect_gitignore: bool | None,
    config: Path | None,
    isolated: bool,
    output_format: OutputFormat,
    output: Path | None,
    statistics: bool,
    quiet: bool,
    no_cache: bool = False,
    verbose: bool = False,
    plan_file: Path | None = None,
    save: Path | None = None,
    baseline: Path | None = None,
    witness: Path | None = None,
    **_: object,
) -> Wanted:
    """The options of a command, given as its `locals()`. Raises Stopped where they contradict each other."""
    if config is not None and isolated:
        raise Stopped("--config and --isolated contradict each other; give one of them")
    check_output(output, plan_file, save, baseline, witness, config)
    return Wanted(
        tuple(paths or (Path("."),)),
        tuple(select or ()),
        tuple(ignore or ()),
        level,
        cross_paths,
        tuple(exclude or ()),
        tuple(extend_exclude or ()),
        respect_gitignore,
        config,
        isolated,
        output_format,
        statistics,
        quiet,
        not no_cache,
        verbose,
    )
