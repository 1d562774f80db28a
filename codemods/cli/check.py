"""The command `check`: what was found, for eyes and for programs."""

from __future__ import annotations

import enum
import functools
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from codemods import __version__
from codemods.cli import dry_run, options, stopping, streams

if TYPE_CHECKING:
    from codemods.engine import RunRequest
    from codemods.leak_report import LeakReport
    from codemods.plan import Change, Group, Plan
    from codemods.review.terminal import Viewpoint
    from codemods.witness import Witness


class CheckFormat(enum.StrEnum):
    """The values of `--output-format` of `check`."""

    text = "text"
    json = "json"
    sarif = "sarif"
    github = "github"
    markdown = "markdown"


def add_to(program: typer.Typer) -> None:
    """Make the command known to the program."""
    program.command(help="Name every place that breaks a rule; write nothing.")(check)


def check(
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
    witness: Annotated[
        Path | None,
        typer.Option(
            "--witness",
            metavar="FILE",
            help="Put what this report (pytest --session-leaks-report FILE) saw leaking first, and list what it saw and"
            " the analysis did not find",
        ),
    ] = None,
    output: options.Output = None,
    statistics: options.Statistics = False,
    exit_zero: options.ExitZero = False,
    no_cache: options.NoCache = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    color: options.Colour = options.ColourChoice.auto,
) -> int:
    if checklist and (output_format in (CheckFormat.sarif, CheckFormat.github) or baseline or since):
        raise stopping.Stopped(
            "--checklist is about the whole: it goes with text, json and markdown, not with a baseline"
        )
    if witness and (checklist or output_format not in (CheckFormat.text, CheckFormat.json)):
        raise stopping.Stopped("--witness goes with --output-format text and json")
    if baseline and since:
        raise stopping.Stopped("--baseline and --since both say what was there before; give one of them")
    wanted = options.wanted(**{**locals(), "output_format": options.OutputFormat.text})
    with stopping.stops():
        from codemods import leak_report
        from codemods.plan import End
        from codemods.review import json_report, terminal, witnessed

        started = time.monotonic()
        leaks = leak_report.load(witness) if witness is not None else None
        look = dry_run.Look(wanted)
        plan, seen = look.planned()
        found = bool(plan.refused or plan.included)
        if baseline or since:
            from codemods import baseline as before

            plan = before.without(plan, _before(baseline, since, look.request))
            found = bool(plan.refused or plan.included)
        saw = _witness(plan, leaks, look.request) if leaks is not None else None
        if checklist:
            text, found = _checklist(plan, look.request, seen, output_format, verbose=verbose)
        elif output_format is CheckFormat.json:
            text = json_report.report(plan, __version__, seen.path, witness=saw)
        elif output_format is CheckFormat.text:
            text = terminal.findings(plan, seen, output is None and streams.coloured(color, sys.stdout), saw)
            if leaks is not None and saw is not None:
                text += witnessed.unexplained(saw, leaks.root, seen)
        else:
            text = _report(plan, look, seen, output_format)
        for_eyes = output_format in (CheckFormat.text, CheckFormat.markdown)
        streams.put(streams.harmless(text) if output is None and for_eyes else text, output)
        streams.tell(wanted, terminal.held_back(plan, seen) if verbose else "")
        streams.tell(wanted, terminal.not_handled(plan.failures, seen), always=True)
        streams.tell(wanted, terminal.summary(plan, time.monotonic() - started))
        streams.statistics(wanted, plan)
        if plan.ledger.of(End.KNOWN):
            at = ("--level", level.value) if level is not options.LevelName.review else ()
            streams.tell(wanted, terminal.next_of_the_new(plan, wanted.command("diff", *at, "--save", "plan.json")))
        else:
            streams.tell(
                wanted, terminal.next_step(plan, wanted.apply_command(), wanted.apply_command("--level", "review"))
            )
    found = found or bool(saw is not None and saw.missed)
    return 3 if plan.failures else int(found and not exit_zero)


def _witness(plan: Plan, leaks: LeakReport, request: RunRequest) -> Witness:
    """What the report saw, joined with what was found."""
    from codemods import sources
    from codemods.decoding import UnreadableError, decode
    from codemods.engine import chosen_rules
    from codemods.witness import SESSION_RULES, Files, joined

    found = sources.discover(request.root, request.paths, request.settings)
    files, on = frozenset(found.files), {rule.name for rule in chosen_rules(request.settings)}

    @functools.cache
    def text(path: str) -> str | None:
        try:
            return decode((request.root / path).read_bytes())[2]
        except (OSError, UnreadableError, ValueError):
            return None

    def off(path: str) -> str:
        if path not in files:
            return "not among the project's files: excluded, or ignored by git"
        if path not in found.wanted:
            return "not among the files that were asked about"
        missing = SESSION_RULES - (on - request.settings.ignored_in(path))
        # with the rule for sessions on, what is not found is missed, whatever else is off
        return f"{', '.join(sorted(missing))}: not looked for" if "session-scope" in missing else ""

    return joined(plan, leaks, Files(text, off))


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
    from codemods.repository import GitError, Repository

    try:
        if baseline is not None:
            return before.of_report(baseline)
        return before.of_revision(since or "", request, Repository.of(request.root))
    except before.BaselineError as error:
        raise stopping.Stopped(str(error)) from error
    except GitError as error:
        raise stopping.Stopped(f"--since: git cannot give the files of {since!r}: {error}") from error


def _report(plan: Plan, look: dry_run.Look, seen: Viewpoint, form: CheckFormat) -> str:
    """A report for other programs."""
    from codemods.apply.git import patch_base

    base = patch_base(Path(plan.root), Path(plan.root), ())

    def from_the_top(path: str) -> str:
        return f"{base.prefix}{path}"

    match form:
        case CheckFormat.github:
            from codemods.review import github

            return github.report(plan, from_the_top)
        case CheckFormat.markdown:
            from codemods.review import markdown

            return markdown.report(plan, __version__, seen.path)

    from codemods import planned, saving
    from codemods.review import sarif
    from codemods.rules import RULES

    saved = saving.saved(plan, look.request)

    def alone(group: Group) -> tuple[Change, ...]:
        try:
            return planned.changes(saved, [group])
        except planned.ComposeError:
            return ()

    return sarif.report(plan, __version__, from_the_top, RULES, alone)
