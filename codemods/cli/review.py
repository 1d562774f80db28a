"""The command `review`: group by group through a saved plan, in the terminal.

Writes the plan file, and the streams; no file of the project. What is heavy is imported inside the command.
"""

from __future__ import annotations

import dataclasses
import os
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from codemods.cli import INTERRUPTED, PROGRAM, asking, dry_run, options, stopping, streams
from codemods.cli.home import root_of
from codemods.cli.standing import standing

if TYPE_CHECKING:
    from codemods.merging import Clash
    from codemods.rebasing import Carried, Rebase
    from codemods.review.interactive.telling import Commands
    from codemods.review.terminal import Viewpoint
    from codemods.saved_plan import AppliedRun, Present, SavedPlan
    from codemods.shared_plan import SharedPlan

_HELP = """Review a saved plan in the terminal, group by group; the answers are kept in the plan.

Each answer is saved at once, so a review can be left and taken up again, by several people. Writes no file of the
project: `apply --plan` does, with the groups that were accepted.

\b
  session-codemods diff app --save plan.json
  session-codemods review plan.json --level review --path app/services/
  session-codemods apply --plan plan.json
"""


def add_to(program: typer.Typer) -> None:
    """Make the command known to the program."""
    taking_all = {"allow_extra_args": True}  # so that more can be said of them than that there are too many
    program.command(name="review", help=_HELP, context_settings=taking_all)(review)


def review(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="PLAN", help="The file that `diff --save` wrote")],
    rule: Annotated[
        list[str] | None, typer.Option("--rule", metavar="RULE", help="Only groups with this rule; repeatable")
    ] = None,
    level: Annotated[options.LevelName | None, typer.Option("--level", help="Only groups of this level")] = None,
    path: Annotated[
        list[str] | None,
        typer.Option("--path", metavar="GLOB", help="Only groups that edit such a file; repeatable"),
    ] = None,
    rebase: Annotated[
        bool,
        typer.Option("--rebase", help="Make the dry run anew on the present code, and carry the answers over to it"),
    ] = False,
    plain: Annotated[
        bool,
        typer.Option("--plain", help="Words and Enter instead of keys, no colour: for screen readers and for pipes"),
    ] = False,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Tracebacks of errors")] = False,
    color: options.Colour = options.ColourChoice.auto,
) -> int:
    if context.args:
        why = "; put the GLOB of --path in quotes, or the shell replaces it by what it finds" if path else ""
        raise stopping.Stopped(f"one PLAN is reviewed at a time, and {context.args[0]!r} is one argument more{why}")
    with stopping.stops():
        from codemods.shared_plan import SharedPlan

        shared = SharedPlan(file)
        if rebase:
            if rule or level or path:
                raise stopping.Stopped(
                    "--rebase is for all of a plan; give --rule, --level and --path when you review it"
                )
            return _rebase(shared)
        return _review(shared, rule or [], level, path or [], plain, color)


def _review(
    shared: SharedPlan,
    rules: Sequence[str],
    level: options.LevelName | None,
    globs: Sequence[str],
    plain: bool,
    color: options.ColourChoice,
) -> int:
    from codemods.plan import Level
    from codemods.review.interactive import choosing, telling
    from codemods.review.interactive.reviewing import Reviewing
    from codemods.review.terminal import Viewpoint

    plan, root = shared.plan, _root(shared)
    seen = Viewpoint(str(root), os.getcwd())
    known = sorted({finding.rule for group in plan.included for finding in group.findings})
    if unknown := [rule for rule in rules if rule not in known]:
        raise stopping.Stopped(
            f"--rule: the plan has no group of {unknown[0]!r}; it has: {', '.join(known) or 'no group'}"
        )
    # Before anything is shown, so that a pipe without --plain is told so and no answer is lost in it.
    answers = asking.keyboard(plain)
    there = standing(plan, root)
    plan = dataclasses.replace(plan, applied=there.applied)  # what was taken back is to be written again
    stale = {group.id: why for group in plan.included if (why := there.reason(group))}
    stale = {group: why for group, why in stale.items() if group not in plan.written}
    made = [group for group in plan.groups if group.id in there.made]
    wanted = choosing.Wanted(rules, None if level is None else Level[level.name.upper()], _paths(globs, seen))
    order = choosing.shown(plan, wanted, stale)
    commands = _commands(shared.path)
    _say(
        telling.left_out(
            [(group, stale[group.id]) for group in plan.included if group.id in stale and wanted(group)],
            sum(group.id in plan.written and wanted(group) for group in plan.included),
            commands.rebase,
        )
    )

    def save(changed: SavedPlan) -> tuple[SavedPlan, str]:
        # only `apply` says in a plan what it wrote
        clashes = shared.save(dataclasses.replace(changed, applied=shared.plan.applied))
        now = dataclasses.replace(shared.plan, applied=there.applied)
        return now, "\n".join(_clash(clash) for clash in clashes)

    voice = telling.Voice(seen, not plain and streams.coloured(color, sys.stdout), plain)
    left, interrupted = asking.asked(Reviewing.begun(plan, order), made, save, answers, voice, root)
    _say(telling.summary(left.plan, order, stale, commands))
    return INTERRUPTED if interrupted else 0


def _rebase(shared: SharedPlan) -> int:
    from codemods import saving
    from codemods.rebasing import lost, rebased

    root = _root(shared)
    old = dataclasses.replace(shared.plan, applied=_written(shared.plan, standing(shared.plan, root)))
    request = saving.again(old, root)
    found = dry_run.looked_through(request, quiet=False)
    plan, report = rebased(old, saving.saved(found, request))
    if why := lost(old, plan, report):
        raise stopping.Stopped(f"{shared.path} stays as it is: {why}")
    shared.replace(plan)
    _say(_rebase_report(report))
    _say(f"Next: {_commands(shared.path).review}\n")
    return 3 if found.failures else 0


def _written(plan: SavedPlan, there: Present) -> tuple[AppliedRun, ...]:
    """The runs whose groups must not be written again. In a file that changed since, what the plan wrote counts as
    still there: nobody can tell, and what is not there any more is found anew."""
    from codemods.saved_plan import AppliedRun

    whole = {run.run: run.groups for run in there.applied}
    doubtful = {group.id for group in plan.groups if there.reason(group)}
    runs = [run for run in plan.applied if run.run not in there.gone]
    kept = {
        run.run: tuple(one for one in run.groups if one in doubtful or one in whole.get(run.run, ())) for run in runs
    }
    return tuple(AppliedRun(run, groups) for run, groups in {**whole, **kept}.items() if groups)


def _rebase_report(report: Rebase) -> str:
    """What became of the answers, each lost or doubtful one by name."""
    from codemods.review.interactive.telling import decision
    from codemods.review.visible import visible

    def moved(one: Carried) -> str:
        was = "" if one.was == one.group.id else f" (was {visible(one.was)})"
        why = f"; {one.why}" if one.why else ""
        return f"  {visible(one.group.id)}{was}: {decision(one.decision)}{why}\n"

    out = f"Answers carried over: {len(report.carried)}\n"
    out += "".join(moved(one) for one in report.carried if one.was != one.group.id)
    out += f"To be answered again: {len(report.reopened)}\n"
    out += "".join(map(moved, report.reopened))
    out += f"Not found any more: {len(report.gone)}\n"
    out += "".join(f"  {visible(group.id)}: {decision(one)}\n" for group, one in report.gone)
    out += f"Applied by this plan: {len(report.written)}\n" if report.written else ""
    out += f"New: {len(report.new)}\n"
    return out + "".join(f"  {visible(group.id)}\n" for group in report.new)


def _clash(clash: Clash) -> str:
    from codemods.review.interactive.telling import decision

    kept, lost = decision(clash.kept), decision(clash.lost)
    return f"{clash.group} was decided twice: {kept} stands, it is the newest; not {lost}."


def _root(shared: SharedPlan) -> Path:
    return root_of(shared.plan, shared.path, "review")


def _paths(globs: Sequence[str], seen: Viewpoint) -> Callable[[str], bool] | None:
    """Whether one of the globs, seen from the working directory, means a file or a folder above it."""
    from codemods.gitignore import Globs

    if not globs:
        return None
    matching = Globs(glob.removeprefix("./") for glob in globs)

    def matches(path: str) -> bool:
        parts = seen.path(path).split("/")
        folders = ["/".join(parts[:count]) for count in range(1, len(parts))]
        return bool(matching.match("/".join(parts), False)) or any(matching.match(one, True) for one in folders)

    return matches


def _commands(path: Path) -> Commands:
    from codemods.review.interactive.telling import Commands

    words = [f"./{path}" if str(path).startswith("-") else str(path)]
    return Commands(
        review=shlex.join([PROGRAM, "review", *words]),
        apply=shlex.join([PROGRAM, "apply", "--plan", *words]),
        rebase=shlex.join([PROGRAM, "review", *words, "--rebase"]),
    )


def _say(text: str) -> None:
    streams.put(text)
