"""The command `check`: what was found, for eyes and for programs."""

from __future__ import annotations

import dataclasses
import enum
import functools
import re
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
    from codemods.plan import Plan
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
        from codemods.review import json_report, terminal, witnessed

        started = time.monotonic()
        leaks = leak_report.load(witness) if witness is not None else None
        request = dry_run.requested(wanted)
        plan, seen = dry_run.planned(wanted, request)
        found = bool(plan.refused or plan.included)
        if baseline or since:
            plan, known = _without(plan, _before(baseline, since, request))
            found = bool(plan.refused or plan.included)
            streams.tell(wanted, f"{known} findings were there before and do not count\n" if known else "")
        saw = _witness(plan, leaks, request) if leaks is not None else None
        if checklist:
            text, found = _checklist(plan, request, seen, output_format, verbose=verbose)
        elif output_format is CheckFormat.json:
            text = json_report.report(plan, __version__, seen.path, witness=saw)
        elif output_format is CheckFormat.text:
            text = terminal.findings(plan, seen, output is None and streams.coloured(color, sys.stdout), saw)
            text += witnessed.not_found(saw, seen) if saw is not None else ""
        else:
            text = _report(plan, request, seen, output_format)
        for_eyes = output_format in (CheckFormat.text, CheckFormat.markdown)
        streams.put(streams.harmless(text) if output is None and for_eyes else text, output)
        streams.tell(wanted, terminal.held_back(plan, seen) if verbose else "")
        streams.tell(wanted, terminal.not_handled(plan.failures, seen), always=True)
        streams.tell(wanted, terminal.summary(plan, time.monotonic() - started))
        streams.statistics(wanted, plan)
        streams.tell(
            wanted, terminal.next_step(plan, wanted.apply_command(), wanted.apply_command("--level", "review"))
        )
    found = found or bool(saw is not None and saw.not_found)
    return 3 if plan.failures else int(found and not exit_zero)


def _witness(plan: Plan, leaks: LeakReport, request: RunRequest) -> Witness:
    """What the report saw, joined with what was found in the files that are asked about."""
    from codemods import sources
    from codemods.decoding import UnreadableError, decode
    from codemods.witness import joined

    wanted = sources.discover(request.root, request.paths, request.settings).wanted

    @functools.cache
    def lines(path: str) -> list[str]:
        try:
            return re.split(r"\r\n|\r|\n", decode((request.root / path).read_bytes())[2])
        except (OSError, UnreadableError, ValueError):
            return []

    def line(path: str, number: int) -> str | None:
        return lines(path)[number - 1].strip() if 0 < number <= len(lines(path)) else None

    return joined(plan, leaks, line, wanted.__contains__)


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
