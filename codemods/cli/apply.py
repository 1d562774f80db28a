"""The command `apply`: writes what a dry run shows, or the accepted groups of a saved plan.

Files of the project are written by `apply.writer` alone, in a run that `undo` takes back. What is heavy is imported
inside the command.
"""

from __future__ import annotations

import dataclasses
import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from codemods.batch_unit import By
from codemods.cli import INTERRUPTED, PROGRAM, asking, dry_run, options, stopping, streams
from codemods.cli.home import root_of
from codemods.cli.standing import all_applied, check_needs, fresh, standing
from codemods.cli.writing import Notes, Ways, Written, named_when_stopped, tell_taken_back, write
from codemods.verifying.on_fail import OnFail

if TYPE_CHECKING:
    from codemods.plan import Change, Group, Plan
    from codemods.review.interactive.keyboard import Keyboard
    from codemods.review.interactive.telling import Voice
    from codemods.review.terminal import Viewpoint
    from codemods.saved_plan import AppliedRun, Present, SavedPlan
    from codemods.shared_plan import SharedPlan
    from codemods.verifying.applying import Verified
    from codemods.verifying.bisecting import LeftOut

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
    level: Annotated[
        options.LevelName | None,
        typer.Option("--level", help="The highest level of change that is included", show_default="safe"),
    ] = None,
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
        OnFail,
        typer.Option("--on-fail", help="When CMD fails: put all back, keep it, or find groups to leave out"),
    ] = OnFail.rollback,
    commit_per: Annotated[
        By | None,
        typer.Option("--commit-per", help="Commit what was written, in this many commits, with the reasons"),
    ] = None,
    format_cmd: options.FormatCommand = None,
    interactive: Annotated[
        bool, typer.Option("-i", "--interactive", help="Ask about each group, and write what is accepted")
    ] = False,
    statistics: options.Statistics = False,
    no_cache: options.NoCache = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    color: options.Colour = options.ColourChoice.auto,
) -> int:
    given = {
        "PATHS": paths,
        "--select": select,
        "--ignore": ignore,
        "--level": level,
        "--cross-paths": cross_paths,
        "--exclude": exclude,
        "--extend-exclude": extend_exclude,
        "--respect-gitignore": respect_gitignore,
        "--no-respect-gitignore": respect_gitignore is False,
        "--config": config,
        "--isolated": isolated,
        "--statistics": statistics,
        "--no-cache": no_cache,
    }
    level = level or options.LevelName.safe
    wanted = options.wanted(**locals())
    ways = Ways(allow_dirty, allow_no_vcs, verify, on_fail, commit_per, format_cmd)
    with stopping.stops():
        if plan_file is None:
            return _apply_paths(wanted, ways, output, verbose, color if interactive else None)
        if interactive:
            raise stopping.Stopped("--interactive asks about what a dry run finds; for a saved plan, `review` asks")
        if besides := [name for name, value in given.items() if value]:
            verb = "does" if len(besides) == 1 else "do"
            raise stopping.Stopped(f"--plan says what to write; {', '.join(besides)} {verb} not go with it")
        return _apply_plan(wanted, ways, plan_file, output)


def _apply_paths(
    wanted: options.Wanted, ways: Ways, output: Path | None, verbose: bool, asking_in: options.ColourChoice | None
) -> int:
    """`asking_in`: ask about each group first, in colour or not; None: write them all."""
    from codemods import saving
    from codemods.apply.recovery import recover
    from codemods.review import terminal
    from codemods.review.interactive import telling

    look = dry_run.Look(wanted)
    request = look.request
    recover(request.root, tell_taken_back)  # before anything is read that it puts back
    keyboard = None if asking_in is None else asking.keyboard(plain=False)
    plan, seen = look.planned()
    saved = saving.saved(plan, request)
    groups = plan.included
    if keyboard is not None and asking_in is not None:
        voice = telling.Voice(seen, streams.coloured(asking_in, sys.stdout))
        accepted = _accepted(saved, keyboard, voice)
        if accepted is None:
            return INTERRUPTED
        groups = accepted
    written = write(saved, groups, (), Path(plan.root), ways, Notes())
    done, shown = written.done, dataclasses.replace(plan, changes=written.changes)
    with named_when_stopped(lambda: done.run, written.commits):
        _put(wanted, ways, shown, written, {}, output)
        streams.tell(wanted, terminal.left_alone(plan, seen) + terminal.held_back(plan, seen) if verbose else "")
        streams.tell(wanted, terminal.not_handled(plan.failures, seen), always=True)
        streams.statistics(wanted, plan)
        streams.tell(wanted, _unformatted(written, seen), always=True)
        streams.tell(wanted, terminal.written(shown, done.groups))
        streams.tell(wanted, _left_out(done), always=True)
        streams.tell(wanted, _commits(written))
        streams.tell(wanted, _next(written, ways))
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
    check_needs(left.plan)
    return left.plan.having(Verdict.ACCEPTED)


def _apply_plan(wanted: options.Wanted, ways: Ways, file: Path, output: Path | None) -> int:
    from codemods.apply.recovery import recover
    from codemods.review.terminal import Viewpoint
    from codemods.saved_plan import AppliedRun, Verdict
    from codemods.shared_plan import SharedPlan
    from codemods.verifying.applying import NOTHING

    shared = SharedPlan(file)
    root = root_of(shared.plan, file, "apply")
    recover(root, tell_taken_back)  # before anything is read that it puts back
    there = standing(shared.plan, root)
    saved = dataclasses.replace(shared.plan, applied=there.applied)  # `undo` may have taken runs back
    accepted = saved.having(Verdict.ACCEPTED)
    if not accepted and not all_applied(saved):
        raise stopping.Stopped(f"{file}: no group is accepted; `review` asks for each")
    groups, stale = fresh(saved, accepted, there)
    if groups and ways.format_cmd and (stale or saved.having(Verdict.OPEN)):
        raise stopping.Stopped(
            "nothing was written: --format-cmd with --plan is for the last part of a plan, as what is formatted fits"
            " no plan any more; decide about the open groups first, or format afterwards"
        )
    made = [group for group in saved.groups if group.id in there.made]
    notes = _InPlan(shared, there, ways.verify or "")
    written = write(saved, groups, made, root, ways, notes) if groups else Written(NOTHING)
    done, seen = written.done, Viewpoint(str(root), os.getcwd())
    with named_when_stopped(lambda: done.run, written.commits):
        _put(wanted, ways, _as_plan(saved, root, written.changes), written, stale, output)
        now = [AppliedRun(done.run, tuple(group.id for group in done.groups))] if done.run else []
        after = dataclasses.replace(shared.plan, applied=(*there.applied, *now))
        streams.tell(wanted, _stale(stale), always=True)
        streams.tell(wanted, _unformatted(written, seen), always=True)
        streams.tell(wanted, _of_the_plan(after, done, stale, file))
        streams.tell(wanted, _left_out(done), always=True)
        streams.tell(wanted, _commits(written))
        streams.tell(wanted, _next(written, ways))
    return done.exit_code or (3 if stale else 0)


class _InPlan(Notes):
    """Notes in the plan file what stands in the files, beside what others write there."""

    def __init__(self, shared: SharedPlan, there: Present, command: str) -> None:
        self._shared, self._there, self._command = shared, there, command
        self.plan = str(shared.path)

    def written(self, run: str, groups: Sequence[Group]) -> None:
        from codemods.saved_plan import AppliedRun

        kept = [one for one in self._shared.plan.applied if one.run not in self._there.gone]
        named = {one.run for one in kept}
        found = [one for one in self._there.applied if one.run not in named]  # those that the plan was not told of
        self._save([*kept, *found, AppliedRun(run, tuple(group.id for group in groups))])

    def taken_back(self, run: str) -> None:
        self._save([one for one in self._shared.plan.applied if one.run != run])

    def left_out(self, some: Sequence[LeftOut]) -> None:
        from codemods.verifying.applying import recorded

        now = datetime.now(UTC).isoformat(timespec="seconds")
        self._shared.save(recorded(self._shared.plan, some, self._command, now))

    def _save(self, applied: Sequence[AppliedRun]) -> None:
        self._shared.save(dataclasses.replace(self._shared.plan, applied=tuple(applied)))


def _as_plan(saved: SavedPlan, root: Path, changes: Sequence[Change]) -> Plan:
    """The dry run that was saved, with what was changed now."""
    from codemods.plan import Plan

    return Plan(
        root=str(root),
        level=saved.asked.level,
        groups=saved.groups,
        ledger=saved.ledger,
        failures=saved.failures,
        changes=tuple(changes),
        files_read=saved.files_read,
        lines_read=saved.lines_read,
        settings_hash=saved.settings_hash,
        tool_version=saved.tool_version,
    )


# --- what is told ---------------------------------------------------------------------------------------------------


def _put(
    wanted: options.Wanted, ways: Ways, plan: Plan, written: Written, stale: Mapping[str, str], output: Path | None
) -> None:
    """The changed files, or the JSON object, where results go."""
    from codemods.cli.apply_report import report
    from codemods.review.terminal import Viewpoint
    from codemods.verifying.applying import NOTHING

    seen = Viewpoint(plan.root, os.getcwd())
    if wanted.format is options.OutputFormat.json:
        verified = written.done.passed if ways.verify and written.done != NOTHING else None
        streams.put(report(plan, written, verified, stale, seen), output)
    else:
        streams.put("".join(f"{seen(change.path)}\n" for change in plan.changes), output)


def _stale(stale: Mapping[str, str]) -> str:
    from codemods.review.visible import visible

    return "".join(f"not written, stale: {visible(group)}: {visible(why)}\n" for group, why in stale.items())


def _unformatted(written: Written, seen: Viewpoint) -> str:
    from codemods.review.visible import visible

    return "".join(f"{seen(path)}: not formatted: {visible(why)}\n" for path, why in written.unformatted.items())


def _of_the_plan(saved: SavedPlan, done: Verified, stale: Mapping[str, str], file: Path) -> str:
    """What was written and what was not, so that all groups of the plan are counted. `saved` knows of both."""
    from codemods.review.terminal import groups_line
    from codemods.review.visible import visible
    from codemods.review.words import counted
    from codemods.saved_plan import Verdict

    waiting = [group for group in saved.having(Verdict.ACCEPTED) if group.id not in stale]
    lines = []
    if done.run:
        lines.append(f"Wrote {groups_line(done.groups)}")
    elif waiting or stale or done.left_out:
        lines.append("Nothing was written.")
    else:
        lines.append(f"Nothing to write: {all_applied(saved)}.")
    if waiting:
        lines.append(f"Accepted and still to be written: {counted(len(waiting), 'group')}")
    if stale:
        again = shlex.join([PROGRAM, "review", "--rebase", str(file)])
        lines.append(
            f"Accepted, but stale: {counted(len(stale), 'group')}; to have the plan fit the files again: {again}"
        )
    lines.append(f"Still open in the plan: {counted(len(saved.having(Verdict.OPEN)), 'group')}")
    return "".join(f"{visible(line)}\n" for line in lines)


def _left_out(done: Verified) -> str:
    from codemods.review.visible import visible

    return "".join(f"left out: {visible(one.group.id)}: {visible(one.why)}\n" for one in done.left_out)


def _commits(written: Written) -> str:
    from codemods.review.visible import visible

    lines = []
    for one in written.commits:
        by_hook = f"; a hook changed {', '.join(one.changed_by_hook)}" if one.changed_by_hook else ""
        lines.append(visible(f"committed {one.id[:12]} {one.batch.subject}{by_hook}"))
    return "".join(f"{line}\n" for line in lines)


def _next(written: Written, ways: Ways) -> str:
    """How to take back what was written; or what to do where nothing was."""
    done = written.done
    if written.commits:
        first, last = written.commits[0].id[:12], written.commits[-1].id[:12]
        which = first if first == last else f"{first}^..{last}"
        return f"To take it back: git revert --no-edit {which}\n"
    if done.run:
        return f"To take it back: {PROGRAM} undo {done.run}{' --force' if done.stuck else ''}\n"
    if not done.passed and ways.on_fail is OnFail.rollback:
        return "To write all but the groups that it fails with, give --on-fail bisect, too.\n"
    return ""
