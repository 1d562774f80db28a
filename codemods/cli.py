"""The command line: options in, one call, text out, exit code.

Exit codes: 0 nothing to do or all done, 1 findings or a diff, 2 a wrong call or nothing could be done (`__main__`),
3 a file could not be handled; 3 wins over 1.

Reads the environment's colour and CI switches. Writes nothing but the streams and the file of `--output`; files of
the project are written by `apply.writer` alone. What is heavy is imported inside the commands, so that `--version`
and `--help` answer at once.
"""

from __future__ import annotations

import contextlib
import dataclasses
import enum
import os
import shlex
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from codemods import __version__

if TYPE_CHECKING:
    from codemods.engine import RunRequest
    from codemods.plan import Plan
    from codemods.review.terminal import Viewpoint
    from codemods.settings import Settings

PROGRAM = "session-codemods"
Aborted = typer.Abort

app = typer.Typer(
    rich_markup_mode=None,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Finds leaking SQLAlchemy AsyncSession use in a whole code base and writes the reviewed cure.",
)


class Stopped(Exception):
    """The run cannot go on; the text is one line that says why and what to do."""


class LevelName(enum.StrEnum):
    """The values of `--level`."""

    safe = "safe"
    review = "review"


class OutputFormat(enum.StrEnum):
    """The values of `--output-format`."""

    text = "text"
    json = "json"


class CheckFormat(enum.StrEnum):
    """The values of `--output-format` of `check`."""

    text = "text"
    json = "json"
    sarif = "sarif"
    github = "github"
    markdown = "markdown"


class ColourChoice(enum.StrEnum):
    """The values of `--color`."""

    auto = "auto"
    always = "always"
    never = "never"


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

    def apply_command(self, *more: str) -> str:
        """The `apply` that writes what this dry run shows, with `more` options, as one would type it."""
        words = [PROGRAM, "apply", *more]
        for option, values in (
            ("--select", self.select),
            ("--ignore", self.ignore),
            ("--exclude", self.exclude),
            ("--extend-exclude", self.extend_exclude),
            ("--config", (self.config,) if self.config else ()),
        ):
            for value in values:
                words += [option, str(value)]
        if self.respect_gitignore is not None:
            words.append("--respect-gitignore" if self.respect_gitignore else "--no-respect-gitignore")
        words += ["--isolated"] * self.isolated + ["--cross-paths"] * self.cross_paths
        paths = [str(path) for path in self.paths]
        return shlex.join([*words, *(["--"] if any(path.startswith("-") for path in paths) else []), *paths])


def _version(asked: bool) -> None:
    if asked:
        print(f"{PROGRAM} {__version__}")
        raise typer.Exit


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


@app.command(help="Name every place that breaks a rule; write nothing.")
def check(
    paths: Paths = None,
    select: Select = None,
    ignore: Ignore = None,
    level: Highest = LevelName.review,
    cross_paths: CrossPaths = False,
    exclude: Exclude = None,
    extend_exclude: ExtendExclude = None,
    respect_gitignore: RespectGitignore = None,
    config: Config = None,
    isolated: Isolated = False,
    checklist: Annotated[
        bool,
        typer.Option(
            "--checklist",
            help="Instead of findings: the seven points of the practices, each with how many places keep and break it;"
            " exits with 1 only when one is broken",
        ),
    ] = False,
    output_format: Annotated[
        CheckFormat,
        typer.Option(
            "--output-format",
            help="What to print: for eyes, for programs, SARIF 2.1.0, annotations of GitHub, text of a pull request",
        ),
    ] = CheckFormat.text,
    baseline: Annotated[
        Path | None,
        typer.Option(
            "--baseline", metavar="FILE", help="Only what this report (--output-format json) does not hold counts"
        ),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option("--since", metavar="REV", help="Only what the same check does not find at this revision counts"),
    ] = None,
    output: Output = None,
    statistics: Statistics = False,
    exit_zero: ExitZero = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    color: Colour = ColourChoice.auto,
) -> int:
    if checklist and (output_format in (CheckFormat.sarif, CheckFormat.github) or baseline or since):
        raise Stopped("--checklist is about the whole: it goes with text, json and markdown, not with a baseline")
    if baseline and since:
        raise Stopped("--baseline and --since both say what was there before; give one of them")
    wanted = _wanted(**{**locals(), "output_format": OutputFormat.text})
    with _stops():
        from codemods.review import json_report, terminal

        started = time.monotonic()
        request = _requested(wanted)
        plan, seen = _planned(wanted, request)
        found = bool(plan.refused or plan.included)
        if baseline or since:
            plan, known = _without(plan, _before(baseline, since, request))
            found = bool(plan.refused or plan.included)
            _tell(wanted, f"{known} findings were there before and do not count\n" if known else "")
        if checklist:
            text, found = _checklist(plan, request, seen, output_format, verbose=verbose)
        elif output_format is CheckFormat.json:
            text = json_report.report(plan, __version__, seen.path)
        elif output_format is CheckFormat.text:
            text = terminal.findings(plan, seen, output is None and _coloured(color, sys.stdout))
        else:
            text = _report(plan, request, seen, output_format)
        for_eyes = output_format in (CheckFormat.text, CheckFormat.markdown)
        _print(_harmless(text) if output is None and for_eyes else text, output)
        _tell(wanted, terminal.held_back(plan, seen) if verbose else "")
        _tell(wanted, terminal.not_handled(plan.failures, seen), always=True)
        _tell(wanted, terminal.summary(plan, time.monotonic() - started))
        _statistics(wanted, plan)
        _tell(wanted, terminal.next_step(plan, wanted.apply_command(), wanted.apply_command("--level", "review")))
    return 3 if plan.failures else int(found and not exit_zero)


@app.command(help="Print the patch, with a reason for every change; write nothing.")
def diff(
    paths: Paths = None,
    select: Select = None,
    ignore: Ignore = None,
    level: Highest = LevelName.review,
    cross_paths: CrossPaths = False,
    exclude: Exclude = None,
    extend_exclude: ExtendExclude = None,
    respect_gitignore: RespectGitignore = None,
    config: Config = None,
    isolated: Isolated = False,
    output_format: Format = OutputFormat.text,
    output: Output = None,
    explain: Annotated[
        bool, typer.Option("--explain/--no-explain", help="Say above each change why", show_default=False)
    ] = True,
    save: Annotated[
        Path | None,
        typer.Option("--save", metavar="PLAN", help="Also freeze the dry run in this file, to be reviewed and applied"),
    ] = None,
    format_cmd: FormatCommand = None,
    statistics: Statistics = False,
    exit_zero: ExitZero = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    color: Colour = ColourChoice.auto,
) -> int:
    wanted = _wanted(**locals())
    with _stops():
        from codemods.apply.git import patch_base
        from codemods.review import json_report, terminal
        from codemods.review.patch import patch

        started = time.monotonic()
        request = _requested(wanted)
        plan, seen = _planned(wanted, request)
        if save is not None:
            _save(plan, request, save)
        if format_cmd:
            plan = _formatted(plan, format_cmd, wanted)
        base = patch_base(Path(plan.root), Path.cwd(), [change.path for change in plan.changes])
        if wanted.format is OutputFormat.json:
            _print(json_report.report(plan, __version__, seen.path, with_changes=True), output)
        else:
            data = patch(plan.changes, base.prefix, explain, strip=base.strip)
            # FORCE_COLOR is often set for a whole CI job: a piped patch must stay one that can be applied.
            for_eyes = output is None and (sys.stdout.isatty() or color is ColourChoice.always)
            shown = terminal.patch_for_eyes(data, _coloured(color, sys.stdout)) if for_eyes else data
            _print(
                terminal.fenced(_bytes(shown, sys.stdout)) if data and output is None and _on_github() else shown,
                output,
            )
            _tell(wanted, terminal.left_alone(plan, seen))
        _tell(wanted, terminal.held_back(plan, seen) if verbose else "")
        _tell(wanted, terminal.not_handled(plan.failures, seen), always=True)
        _tell(wanted, terminal.summary(plan, time.monotonic() - started))
        _statistics(wanted, plan)
        if plan.changes and base.folder != Path.cwd():
            _tell(wanted, f"Paths in the patch start at {base.folder}: apply it there.\n")
        if save is not None:
            _tell(wanted, f"Saved in {save}. Next: {shlex.join([PROGRAM, 'review', str(save)])}\n")
        else:
            _tell(wanted, terminal.next_step(plan, wanted.apply_command(), wanted.apply_command("--level", "review")))
    return 3 if plan.failures else int(bool(plan.changes) and not exit_zero)


@app.command(help="List the rules: their levels, and what each does.")
def rules(
    markdown: Annotated[bool, typer.Option("--markdown", help="As a Markdown table")] = False,
) -> int:
    from codemods.review import terminal
    from codemods.rules import RULES

    _print(terminal.rule_table(RULES, markdown))
    return 0


@app.command(help="Show the page of a rule; or, for FILE:LINE, what each rule decided there and on what facts.")
def explain(
    what: Annotated[str, typer.Argument(metavar="RULE|FILE:LINE", help="The name of a rule, or a place in the code")],
    config: Config = None,
    isolated: Isolated = False,
) -> int:
    from codemods.rules import RULES

    pages = {known.name: known.page for known in RULES}
    path, colon, line = what.rpartition(":")
    if colon and path and line.isdecimal():
        return _explain_place(Path(path), int(line), config, isolated)
    if what not in pages:
        raise Stopped(f"there is no rule {what!r}; known are: {', '.join(pages)}; a place is FILE:LINE")
    _print(pages[what].strip("\n") + "\n")
    return 0


def _explain_place(path: Path, line: int, config: Path | None, isolated: bool) -> int:
    if path.is_dir():
        raise Stopped(f"{path} is a folder; name a line of a file")
    wanted = Wanted(
        (path,), (), (), LevelName.review, True, (), (), None, config, isolated, OutputFormat.text, False, False
    )
    with _stops():
        from codemods.engine import chosen_rules
        from codemods.review import terminal
        from codemods.review.explaining import explanation

        request = _requested(wanted)
        plan, seen = _planned(wanted, request)
        here = path.resolve().relative_to(plan.root).as_posix()
        off = request.settings.ignored_in(here)
        rules = [rule for rule in chosen_rules(request.settings) if rule.name not in off]
        _print(_harmless(explanation(plan, here, line, rules, seen)))
        _tell(wanted, terminal.not_handled(plan.failures, seen), always=True)
    return 3 if plan.failures else 0


def _wanted(
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
    **_: object,
) -> Wanted:
    if config is not None and isolated:
        raise Stopped("--config and --isolated contradict each other; give one of them")
    if output is not None and (output.is_dir() or not os.access(output.parent, os.W_OK | os.X_OK)):
        raise Stopped(f"{output}: cannot be written; name a file in a folder that is there")  # now, not after the work
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
    )


def _save(plan: Plan, request: RunRequest, file: Path) -> None:
    """Freeze the dry run. A plan in which somebody decided something is not written over."""
    from codemods import plan_file, saving

    try:
        if file.exists() and plan_file.load(file).decisions:
            what = "holds answers of a review; `review --rebase` carries them over, or name another file"
            raise Stopped(f"{file}: {what}")
        plan_file.save(saving.saved(plan, request), file)
    except (plan_file.PlanFileError, saving.Moved) as error:
        raise Stopped(str(error)) from error


def _formatted(plan: Plan, command: str, wanted: Wanted) -> Plan:
    from codemods.formatting import FormatError, Formatter

    try:
        made = Formatter(Path(plan.root), command).formatted(plan.changes)
    except FormatError as error:
        raise Stopped(str(error)) from error
    for path, why in made.kept.items():
        _tell(wanted, f"{path}: not formatted: {why}\n")
    return dataclasses.replace(plan, changes=made.changes)


def _checklist(
    plan: Plan, request: RunRequest, seen: Viewpoint, form: CheckFormat, *, verbose: bool
) -> tuple[str, bool]:
    """The checklist as it is to be printed, and whether a point of it is broken."""
    from codemods import sources
    from codemods.engine import chosen_rules
    from codemods.review import checklist

    settings = request.settings
    files = sources.discover(request.root, request.paths, settings).wanted if settings.per_file_ignores else ()
    off = {path: settings.ignored_in(path) for path in files}
    found = checklist.tally(plan, [rule.name for rule in chosen_rules(settings)], off)
    limit = None if verbose else checklist.FIRST
    match form:
        case CheckFormat.json:
            text = checklist.report(found, __version__, seen.path)
        case CheckFormat.markdown:
            text = checklist.markdown(found, seen.path, limit)
        case _:
            text = checklist.text(found, seen, limit)
    return text, found.is_broken


def _before(baseline: Path | None, since: str | None, request: RunRequest) -> frozenset[str]:
    """The keys of what was found before."""
    from codemods import baseline as before

    try:
        return before.of_report(baseline) if baseline is not None else before.of_revision(since or "", request)
    except before.BaselineError as error:
        raise Stopped(str(error)) from error


def _without(plan: Plan, known: frozenset[str]) -> tuple[Plan, int]:
    """The plan without the findings that are known, and how many these are.

    A group is left out when all of it is known; of the ledger only what is left alone.
    """
    from codemods.plan import End, Ledger

    groups = tuple(one for one in plan.groups if any(finding.key not in known for finding in one.findings))
    entries = tuple(one for one in plan.ledger.entries if one.end is not End.REFUSED or one.key not in known)
    kept = {one.id for one in groups}
    changes = tuple(change for change in plan.changes if any(group.id in kept for group in change.groups))
    fewer = dataclasses.replace(plan, groups=groups, ledger=Ledger(entries), changes=changes)
    return fewer, len(plan.included) - len(fewer.included) + len(plan.refused) - len(fewer.refused)


def _report(plan: Plan, request: RunRequest, seen: Viewpoint, form: CheckFormat) -> str:
    """A report for other programs."""
    from codemods import planned, saving
    from codemods.apply.git import patch_base
    from codemods.plan import Change, Group
    from codemods.review import github, markdown, sarif
    from codemods.rules import RULES

    base = patch_base(Path(plan.root), Path(plan.root), ())

    def from_the_top(path: str) -> str:
        return f"{base.prefix}{path}"

    match form:
        case CheckFormat.github:
            return github.report(plan, from_the_top)
        case CheckFormat.markdown:
            return markdown.report(plan, __version__, seen.path)
    saved = saving.saved(plan, request)

    def alone(group: Group) -> tuple[Change, ...]:
        try:
            return planned.changes(saved, [group])
        except planned.ComposeError:
            return ()

    return sarif.report(plan, __version__, from_the_top, RULES, alone)


def _run(wanted: Wanted) -> tuple[Plan, Viewpoint]:
    return _planned(wanted, _requested(wanted))


def _requested(wanted: Wanted) -> RunRequest:
    from codemods import engine, sources
    from codemods.plan import Level

    roots = {sources.find_root(path): path for path in wanted.paths}
    if len(roots) > 1:
        named = " and ".join(str(path) for path in list(roots.values())[:2])
        raise Stopped(f"{named} belong to different projects; run once for each")
    root = next(iter(roots))
    settings = _settings(wanted, root)
    return engine.RunRequest(root, wanted.paths, settings, Level[wanted.level.name.upper()], wanted.cross_paths)


def _planned(wanted: Wanted, request: RunRequest) -> tuple[Plan, Viewpoint]:
    from codemods import engine
    from codemods.review import progress
    from codemods.review.terminal import Viewpoint

    if progress.wanted(sys.stderr.isatty(), wanted.quiet, os.environ):
        with progress.bar() as report:
            plan = engine.run(request, report)
    else:
        plan = engine.run(request)
    return plan, Viewpoint(plan.root, os.getcwd())


def _settings(wanted: Wanted, root: Path) -> Settings:
    """The project's settings with the command line laid over them: `--select` also revives what settings ignore."""
    from codemods import settings
    from codemods.rules import RULES

    names = [rule.name for rule in RULES]
    select = settings.check_rules(wanted.select, names, "--select")
    ignore = settings.check_rules(wanted.ignore, names, "--ignore")
    exclude = settings.check_globs(wanted.exclude, "--exclude")
    extend_exclude = settings.check_globs(wanted.extend_exclude, "--extend-exclude")
    read = settings.load(root, wanted.config, wanted.isolated, rules=names)
    if select and not set(select) - set(ignore):
        raise settings.SettingsError("no rule is left: what --select names is what --ignore names too")
    return dataclasses.replace(
        read,
        select=select or read.select,
        ignore=(*(rule for rule in read.ignore if rule not in select), *ignore),
        exclude=exclude or read.exclude,
        extend_exclude=(*read.extend_exclude, *extend_exclude),
        respect_gitignore=read.respect_gitignore if wanted.respect_gitignore is None else wanted.respect_gitignore,
    )


@contextlib.contextmanager
def _stops() -> Iterator[None]:
    """Turns every error that the user can do something about into Stopped."""
    from codemods.apply.git import DirtyFiles, GitError, NoRepository
    from codemods.apply.writer import NotPutBack, StaleFile, WriteRefused
    from codemods.engine import NoPythonFiles
    from codemods.settings import SettingsError
    from codemods.sources import SourceError

    try:
        yield
    except (SettingsError, SourceError) as error:
        raise Stopped(str(error)) from error
    except NoPythonFiles as error:
        raise Stopped(str(error) or "no Python file there; name a file or folder of the project") from error
    except DirtyFiles as error:
        what = "not saved in git as they are now; commit or stash them, or give --allow-dirty"
        raise Stopped(f"nothing was written: {_some(error.paths)}: {what}") from error
    except NoRepository as error:
        what = "in no git repository, so nothing could undo the change; give --allow-no-vcs to write all the same"
        raise Stopped(f"nothing was written: {_some(error.paths)}: {what}") from error
    except GitError as error:
        what = "--allow-dirty writes without asking git"
        raise Stopped(f"nothing was written: git could not say whether files are saved: {error}; {what}") from error
    except StaleFile as error:
        raise Stopped(f"nothing was written: {error}; run the command again") from error
    except NotPutBack as error:
        raise Stopped(f"writing failed, all other files are as they were: {error}") from error
    except WriteRefused as error:
        raise Stopped(f"nothing was written: {error}") from error


def _some(paths: tuple[str, ...]) -> str:
    more = f" and {len(paths) - 3} more" if len(paths) > 3 else ""
    return ", ".join(paths[:3]) + more


def _coloured(choice: ColourChoice, stream: TextIO) -> bool:
    from codemods.review.terminal import colour_wanted

    return colour_wanted(choice.value, stream.isatty(), os.environ)


def _on_github() -> bool:
    return os.environ.get("GITHUB_ACTIONS") == "true"


def _harmless(text: str) -> str | bytes:
    """Text for a log: fenced where GitHub's runner would take a line of it for a command."""
    from codemods.review.terminal import fenced, holds_command

    return fenced(text.encode()) if _on_github() and holds_command(text) else text


def _bytes(text: str | bytes, stream: TextIO) -> bytes:
    return text if isinstance(text, bytes) else text.encode(stream.encoding or "utf-8", "backslashreplace")


def _print(text: str | bytes, output: Path | None = None) -> None:
    """Write to the file, or to stdout."""
    if output is None:
        sys.stdout.flush()
        sys.stdout.buffer.write(_bytes(text, sys.stdout))
        sys.stdout.flush()
        return
    try:
        output.write_bytes(text if isinstance(text, bytes) else text.encode())
    except OSError as error:
        raise Stopped(f"{output}: cannot be written: {error.strerror or error}") from error


def _tell(wanted: Wanted, text: str, always: bool = False) -> None:
    """Write to stderr, unless the user wants quiet."""
    if text and (always or not wanted.quiet):
        sys.stderr.flush()
        sys.stderr.buffer.write(_bytes(_harmless(text), sys.stderr))
        sys.stderr.flush()


def _statistics(wanted: Wanted, plan: Plan) -> None:
    from codemods.review.terminal import statistics

    if wanted.statistics:
        _tell(wanted, statistics(plan), always=True)
