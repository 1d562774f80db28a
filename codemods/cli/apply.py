"""The command `apply`: writes what a dry run shows, or the accepted groups of a saved plan.

Files of the project are written by `apply.writer` alone, in a run that `undo` takes back. What is heavy is imported
inside the command.
"""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from codemods import __version__
from codemods.cli import INTERRUPTED, PROGRAM, asking, dry_run, options, stopping, streams
from codemods.cli.writing import CommitPer, OnFailure, Ways, tell_taken_back, write

if TYPE_CHECKING:
    from codemods.plan import Change, Group
    from codemods.review.interactive.keyboard import Keyboard
    from codemods.review.interactive.telling import Voice
    from codemods.review.terminal import Viewpoint
    from codemods.saved_plan import Present, SavedPlan
    from codemods.verifying.applying import Verified

_HELP = """Write what `diff` shows at the same level: all of it, or nothing.

With --plan, write the groups that were accepted in a saved plan instead; the others stay as they are, and can be
applied later. Every run can be taken back: `undo`.

\b
  session-codemods apply app
  session-codemods apply --plan plan.json --verify "pytest -q" --on-fail bisect
  session-codemods apply --level review --commit-per rule app
"""


def add_to(program: typer.Typer) -> None:
    """Make the command known to the program."""
    program.command(name="apply", help=_HELP)(apply)


def apply(
    paths: options.Paths = None,
    plan_file: Annotated[
        Path | None,
        typer.Option("--plan", metavar="PLAN", help="Write the accepted groups of this plan, whatever their level"),
    ] = None,
    select: options.Select = None,
    ignore: options.Ignore = None,
    level: options.Highest = options.LevelName.safe,
    cross_paths: options.CrossPaths = False,
    exclude: options.Exclude = None,
    extend_exclude: options.ExtendExclude = None,
    respect_gitignore: options.RespectGitignore = None,
    config: options.Config = None,
    isolated: options.Isolated = False,
    output_format: options.Format = options.OutputFormat.text,
    output: options.Output = None,
    allow_dirty: Annotated[
        bool, typer.Option("--allow-dirty", help="Also write files that git could not give back as they are")
    ] = False,
    allow_no_vcs: Annotated[
        bool, typer.Option("--allow-no-vcs", help="Also write files that are in no git repository")
    ] = False,
    verify: Annotated[
        str | None,
        typer.Option(
            "--verify", metavar="CMD", help="Run this in the project's root afterwards; exit code 4 if it fails"
        ),
    ] = None,
    on_fail: Annotated[
        OnFailure,
        typer.Option("--on-fail", help="When CMD fails: put all back, keep it, or find the groups to leave out"),
    ] = OnFailure.rollback,
    commit_per: Annotated[
        CommitPer | None,
        typer.Option("--commit-per", help="Commit what was written, in this many commits, with the reasons"),
    ] = None,
    format_cmd: options.FormatCommand = None,
    interactive: Annotated[
        bool, typer.Option("-i", "--interactive", help="Ask about each group, and write what is accepted")
    ] = False,
    statistics: options.Statistics = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    color: options.Colour = options.ColourChoice.auto,
) -> int:
    wanted = options.wanted(**locals())
    ways = Ways(allow_dirty, allow_no_vcs, verify, on_fail, commit_per, format_cmd)
    with stopping.stops(), stopping.plan_stops(), stopping.write_stops():
        if plan_file is None:
            return _apply_paths(wanted, ways, output, verbose, color if interactive else None)
        if interactive:
            raise stopping.Stopped("--interactive asks about what a dry run finds; for a saved plan, `review` asks")
        if paths or select or ignore or config or isolated:
            raise stopping.Stopped(
                "--plan says what to write; PATHS, --select, --ignore, --config and --isolated do not go with it"
            )
        return _apply_plan(wanted, ways, plan_file, output)


def _apply_paths(
    wanted: options.Wanted, ways: Ways, output: Path | None, verbose: bool, asking_in: options.ColourChoice | None
) -> int:
    """`asking_in`: ask about each group first, in colour or not; None: write them all."""
    from codemods import saving
    from codemods.apply.recovery import recover
    from codemods.review import json_report, terminal
    from codemods.review.interactive import telling

    request = dry_run.requested(wanted)
    recover(request.root, tell_taken_back)  # before anything is read that it puts back
    keyboard = None if asking_in is None else asking.keyboard(plain=False)
    plan, seen = dry_run.planned(wanted, request)
    saved = saving.saved(plan, request)
    groups = plan.included
    if keyboard is not None and asking_in is not None:
        voice = telling.Voice(seen, streams.coloured(asking_in, sys.stdout))
        accepted = _accepted(saved, keyboard, voice)
        if accepted is None:
            return INTERRUPTED
        groups = accepted
    done, changes = write(saved, groups, (), Path(plan.root), ways)
    shown = dataclasses.replace(plan, changes=tuple(changes))
    if wanted.format is options.OutputFormat.json:
        streams.put(json_report.report(shown, __version__, seen.path, with_changes=True), output)
    else:
        streams.put("".join(f"{seen(change.path)}\n" for change in changes), output)
    streams.tell(wanted, terminal.left_alone(plan, seen) + terminal.held_back(plan, seen) if verbose else "")
    streams.tell(wanted, terminal.not_handled(plan.failures, seen), always=True)
    streams.statistics(wanted, plan)
    streams.tell(wanted, terminal.written(shown, done.groups))
    streams.tell(wanted, _left_out(done), always=True)
    streams.tell(wanted, _how_to_undo(done))
    return done.exit_code or (3 if plan.failures else 0)


def _accepted(saved: SavedPlan, keyboard: Keyboard, voice: Voice) -> tuple[Group, ...] | None:
    """The groups that a person accepts now; None when they leave by Ctrl-C. Raises Stopped for answers that do not go
    together."""
    from codemods.review.interactive.reviewing import Reviewing
    from codemods.saved_plan import Verdict

    begun = Reviewing.begun(saved, [group.id for group in saved.included])
    left, interrupted = asking.asked(begun, (), lambda plan: (plan, ""), keyboard, voice, Path(voice.seen.root))
    if interrupted:
        return None
    _check_needs(left.plan)
    return left.plan.having(Verdict.ACCEPTED)


def _check_needs(saved: SavedPlan) -> None:
    for group, needed in saved.unmet():
        verdict = saved.decision(needed).verdict
        raise stopping.Stopped(
            f"nothing was written: {group.id} is accepted, but needs {needed.id}, which is {verdict};"
            " accept that, too, or refuse this"
        )


def _apply_plan(wanted: options.Wanted, ways: Ways, file: Path, output: Path | None) -> int:
    from codemods import planned, sources
    from codemods.apply.recovery import recover
    from codemods.review.terminal import Viewpoint
    from codemods.saved_plan import AppliedRun, Verdict
    from codemods.shared_plan import SharedPlan
    from codemods.verifying import applying

    shared = SharedPlan(file)
    root = sources.find_root(Path())
    recover(root, tell_taken_back)  # before anything is read that it puts back
    standing = planned.present(shared.plan, root)
    saved = dataclasses.replace(shared.plan, applied=standing.applied)  # `undo` may have taken runs back
    accepted = saved.having(Verdict.ACCEPTED)
    if not accepted:
        raise stopping.Stopped(f"{file}: no group is accepted and still to be written; `review` asks for each")
    fresh, stale = _fresh(saved, accepted, standing)
    if not fresh:
        raise stopping.Stopped(
            f"nothing was written: {next(iter(stale.values()))}; `review --rebase` carries the answers over"
        )
    if ways.format_cmd and (stale or saved.having(Verdict.OPEN)):
        raise stopping.Stopped(
            "nothing was written: --format-cmd with --plan is for the last part of a plan, as what is formatted fits"
            " no plan any more; decide about the open groups first, or format afterwards"
        )
    seen = Viewpoint(str(root), os.getcwd())
    made = planned.remaining(saved, saved.applied)
    done, changes = write(saved, fresh, made, root, ways)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    saved = applying.recorded(saved, done.left_out, ways.verify or "", now)
    if done.run:
        run = AppliedRun(done.run, tuple(group.id for group in done.groups))
        saved = dataclasses.replace(saved, applied=(*saved.applied, run))
    shared.save(saved)
    if wanted.format is options.OutputFormat.json:
        streams.put(_plan_report(done, changes, stale, seen), output)
    else:
        streams.put("".join(f"{seen(change.path)}\n" for change in changes), output)
    streams.tell(wanted, _stale(stale), always=True)
    streams.tell(wanted, _of_the_plan(saved, done))
    streams.tell(wanted, _left_out(done), always=True)
    streams.tell(wanted, _how_to_undo(done))
    return done.exit_code or (3 if stale else 0)


def _fresh(saved: SavedPlan, accepted: Sequence[Group], standing: Present) -> tuple[list[Group], dict[str, str]]:
    """The accepted groups that can be written, and why each of the others cannot. Raises Stopped for decisions that
    contradict each other."""
    stale = {group.id: why for group in accepted if (why := standing.reason(group))}
    _check_needs(saved)
    for group in accepted:
        for needed in saved.needs(group):
            if needed.id in stale:
                stale.setdefault(group.id, f"it needs {needed.id}: {stale[needed.id]}")
    return [group for group in accepted if group.id not in stale], stale


# --- what is told ---------------------------------------------------------------------------------------------------


def _plan_report(done: Verified, changes: Sequence[Change], stale: Mapping[str, str], seen: Viewpoint) -> str:
    content = {
        "version": 1,
        "run": done.run or None,
        "verified": done.passed,
        "files": [seen.path(change.path) for change in changes],
        "groups": [group.id for group in done.groups],
        "left_out": [{"group": one.group.id, "why": one.why} for one in done.left_out],
        "stale": [{"group": group, "why": why} for group, why in stale.items()],
    }
    return json.dumps(content, indent=2) + "\n"


def _stale(stale: Mapping[str, str]) -> str:
    from codemods.review.visible import visible

    return "".join(f"not written, stale: {visible(group)}: {visible(why)}\n" for group, why in stale.items())


def _of_the_plan(saved: SavedPlan, done: Verified) -> str:
    from codemods.review.terminal import groups_line
    from codemods.saved_plan import Verdict

    wrote = f"Wrote {groups_line(done.groups)}\n" if done.run else "Nothing was written.\n"
    return wrote + f"Still open in the plan: {len(saved.having(Verdict.OPEN))} groups\n"


def _left_out(done: Verified) -> str:
    from codemods.review.visible import visible

    return "".join(f"left out: {visible(one.group.id)}: {visible(one.why)}\n" for one in done.left_out)


def _how_to_undo(done: Verified) -> str:
    return f"To take it back: {PROGRAM} undo {done.run}\n" if done.run else ""
