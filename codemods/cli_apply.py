"""The command `apply`: writes what a dry run shows, or the accepted groups of a saved plan.

Files of the project are written by `apply.writer` alone, in a run that `undo` takes back. What is heavy is imported
inside the command.
"""

from __future__ import annotations

import dataclasses
import enum
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from codemods import __version__, cli, cli_review

if TYPE_CHECKING:
    from codemods.apply.recovery import TakenBack
    from codemods.plan import Change, Group
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


class OnFailure(enum.StrEnum):
    """The values of `--on-fail`."""

    rollback = "rollback"
    keep = "keep"
    bisect = "bisect"


class CommitPer(enum.StrEnum):
    """The values of `--commit-per`."""

    rule = "rule"
    group = "group"
    dir = "dir"


@dataclasses.dataclass(frozen=True, slots=True)
class _Ways:
    """How to write."""

    allow_dirty: bool
    allow_no_vcs: bool
    verify: str | None
    on_fail: OnFailure
    commit_per: CommitPer | None
    format_cmd: str | None


def add_to(program: typer.Typer) -> None:
    """Make the command known to the program."""
    program.command(name="apply", help=_HELP)(apply)


def apply(
    paths: cli.Paths = None,
    plan_file: Annotated[
        Path | None,
        typer.Option("--plan", metavar="PLAN", help="Write the accepted groups of this plan, whatever their level"),
    ] = None,
    select: cli.Select = None,
    ignore: cli.Ignore = None,
    level: cli.Highest = cli.LevelName.safe,
    cross_paths: cli.CrossPaths = False,
    exclude: cli.Exclude = None,
    extend_exclude: cli.ExtendExclude = None,
    respect_gitignore: cli.RespectGitignore = None,
    config: cli.Config = None,
    isolated: cli.Isolated = False,
    output_format: cli.Format = cli.OutputFormat.text,
    output: cli.Output = None,
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
    format_cmd: cli.FormatCommand = None,
    statistics: cli.Statistics = False,
    quiet: cli.Quiet = False,
    verbose: cli.Verbose = False,
    color: cli.Colour = cli.ColourChoice.auto,
) -> int:
    wanted = cli._wanted(**locals())
    ways = _Ways(allow_dirty, allow_no_vcs, verify, on_fail, commit_per, format_cmd)
    with cli._stops(), cli_review._plan_stops(), _write_stops():
        if plan_file is None:
            return _apply_paths(wanted, ways, output, verbose)
        if paths or select or ignore or config or isolated:
            raise cli.Stopped(
                "--plan says what to write; PATHS, --select, --ignore, --config and --isolated do not go with it"
            )
        return _apply_plan(wanted, ways, plan_file, output)


def _apply_paths(wanted: cli.Wanted, ways: _Ways, output: Path | None, verbose: bool) -> int:
    from codemods import saving
    from codemods.review import json_report, terminal

    request = cli._requested(wanted)
    plan, seen = cli._planned(wanted, request)
    saved = saving.saved(plan, request)
    done, changes = _write(saved, plan.included, (), Path(plan.root), ways)
    shown = dataclasses.replace(plan, changes=tuple(changes))
    if wanted.format is cli.OutputFormat.json:
        cli._print(json_report.report(shown, __version__, seen.path, with_changes=True), output)
    else:
        cli._print("".join(f"{seen(change.path)}\n" for change in changes), output)
    cli._tell(wanted, terminal.left_alone(plan, seen) + terminal.held_back(plan, seen) if verbose else "")
    cli._tell(wanted, terminal.not_handled(plan.failures, seen), always=True)
    cli._statistics(wanted, plan)
    cli._tell(wanted, terminal.written(shown, done.groups))
    cli._tell(wanted, _left_out(done), always=True)
    cli._tell(wanted, _how_to_undo(done))
    return done.exit_code or (3 if plan.failures else 0)


def _apply_plan(wanted: cli.Wanted, ways: _Ways, file: Path, output: Path | None) -> int:
    from codemods import planned, sources
    from codemods.review.terminal import Viewpoint
    from codemods.saved_plan import AppliedRun, Verdict
    from codemods.shared_plan import SharedPlan
    from codemods.verifying import applying

    shared = SharedPlan(file)
    root = sources.find_root(Path())
    standing = planned.present(shared.plan, root)
    saved = dataclasses.replace(shared.plan, applied=standing.applied)  # `undo` may have taken runs back
    accepted = saved.having(Verdict.ACCEPTED)
    if not accepted:
        raise cli.Stopped(f"{file}: no group is accepted and still to be written; `review` asks for each")
    fresh, stale = _fresh(saved, accepted, standing)
    if not fresh:
        raise cli.Stopped(
            f"nothing was written: {next(iter(stale.values()))}; `review --rebase` carries the answers over"
        )
    if ways.format_cmd and (stale or saved.having(Verdict.OPEN)):
        raise cli.Stopped(
            "nothing was written: --format-cmd with --plan is for the last part of a plan, as what is formatted fits"
            " no plan any more; decide about the open groups first, or format afterwards"
        )
    seen = Viewpoint(str(root), os.getcwd())
    made = planned.remaining(saved, saved.applied)
    done, changes = _write(saved, fresh, made, root, ways)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    saved = applying.recorded(saved, done.left_out, ways.verify or "", now)
    if done.run:
        run = AppliedRun(done.run, tuple(group.id for group in done.groups))
        saved = dataclasses.replace(saved, applied=(*saved.applied, run))
    shared.save(saved)
    if wanted.format is cli.OutputFormat.json:
        cli._print(_plan_report(done, changes, stale, seen), output)
    else:
        cli._print("".join(f"{seen(change.path)}\n" for change in changes), output)
    cli._tell(wanted, _stale(stale), always=True)
    cli._tell(wanted, _of_the_plan(saved, done))
    cli._tell(wanted, _left_out(done), always=True)
    cli._tell(wanted, _how_to_undo(done))
    return done.exit_code or (3 if stale else 0)


def _fresh(saved: SavedPlan, accepted: Sequence[Group], standing: Present) -> tuple[list[Group], dict[str, str]]:
    """The accepted groups that can be written, and why each of the others cannot. Raises Stopped for decisions that
    contradict each other."""
    stale = {group.id: why for group in accepted if (why := standing.reason(group))}
    ids = {group.id for group in accepted} | saved.written
    for group in accepted:
        for needed in saved.needs(group):
            if needed.id not in ids:
                verdict = saved.decision(needed).verdict
                raise cli.Stopped(
                    f"nothing was written: {group.id} is accepted, but needs {needed.id}, which is {verdict}"
                )
            if needed.id in stale:
                stale.setdefault(group.id, f"it needs {needed.id}: {stale[needed.id]}")
    return [group for group in accepted if group.id not in stale], stale


def _write(
    saved: SavedPlan, groups: Sequence[Group], made: Sequence[Group], root: Path, ways: _Ways
) -> tuple[Verified, Sequence[Change]]:
    """Write the groups where `made` are made already; gives what stands in the tree now, and the changed files."""
    from codemods import committing, planned
    from codemods.apply.git import guard
    from codemods.apply.run_record import RunText
    from codemods.apply.runs import written
    from codemods.apply.undo import undo
    from codemods.batches import By, batches
    from codemods.formatting import Formatter
    from codemods.plan import Change
    from codemods.verifying import applying

    paths = sorted({path for group in groups for path in group.paths})
    before = planned.contents(saved, made, paths)
    formatter = Formatter(root, ways.format_cmd) if ways.format_cmd else None

    def contents(some: Sequence[Group]) -> Mapping[str, bytes | None]:
        after = planned.contents(saved, [*made, *some], paths)
        return formatter.contents(before, after) if formatter else after

    def changes(some: Sequence[Group]) -> list[Change]:
        return [
            Change(path, before[path], new, tuple(group for group in some if path in group.paths))
            for path, new in contents(some).items()
            if new is not None and new != before[path]
        ]

    tree = applying.Tree(
        root,
        lambda some: written(root, changes(some), what=RunText.of(some), tell=_tell_taken_back),
        lambda run: _ignored(undo(root, run, tell=_tell_taken_back)),
        contents,
    )
    on_fail = applying.OnFail(ways.on_fail.value)
    new = [path for path in paths if before[path] is None]
    guard(root, [path for path in paths if path not in new], ways.allow_dirty, ways.allow_no_vcs, new=new)
    if ways.verify:
        applying.ready(root, on_fail)
    if ways.commit_per:
        committing.ready(root, paths, new)
    if ways.verify:
        done = applying.verified(groups, ways.verify, on_fail, tree, _say_plain)
    else:
        done = applying.Verified(True, tree.write(groups), tuple(groups))
    final = changes(done.groups) if done.run else []
    if ways.commit_per and done.run:
        for one in committing.commit(root, batches(done.groups, By(ways.commit_per.value)), contents):
            changed = f"; a hook changed {', '.join(one.changed_by_hook)}" if one.changed_by_hook else ""
            _say_plain(f"committed {one.id[:12]} {one.batch.subject}{changed}\n")
    return done, final


def _ignored(_: object) -> None:
    return None


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
    return f"To take it back: {cli.PROGRAM} undo {done.run}\n" if done.run else ""


def _say_plain(text: str) -> None:
    from codemods.review.visible import visible

    sys.stderr.flush()
    sys.stderr.buffer.write(cli._bytes(visible(text, keep="\n"), sys.stderr))
    sys.stderr.flush()


def _tell_taken_back(taken: TakenBack) -> None:
    from codemods import run_words

    _say_plain(run_words.taken_back(taken))


@contextmanager
def _write_stops() -> Iterator[None]:
    """Turns every error of writing, verifying, formatting and committing into Stopped."""
    from codemods import run_words
    from codemods.committing import CommitRefused, CommitStopped
    from codemods.formatting import FormatError
    from codemods.transformers.errors import ComposeError

    try:
        yield
    except run_words.REFUSALS as error:
        raise cli.Stopped(run_words.why_not(error, "written")) from error
    except FormatError as error:
        raise cli.Stopped(f"nothing was written: {error}") from error
    except CommitRefused as error:
        raise cli.Stopped(f"nothing was written: {error}") from error
    except CommitStopped as error:
        raise cli.Stopped(f"the files are written, {len(error.made)} commits were made, then: {error}") from error
    except ComposeError as error:
        raise cli.Stopped(f"nothing was written: the groups cannot be made together: {error}") from error
