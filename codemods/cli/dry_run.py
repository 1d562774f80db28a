"""The dry run that commands begin with: settings read, the project looked through, with a bar on a terminal."""

from __future__ import annotations

import dataclasses
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from codemods.cli.options import Wanted
from codemods.cli.stopping import Stopped
from codemods.cli.streams import tell

if TYPE_CHECKING:
    from codemods.engine import RunRequest
    from codemods.plan import Plan
    from codemods.review.terminal import Viewpoint
    from codemods.settings import Settings


def requested(wanted: Wanted) -> RunRequest:
    """What the engine is asked to do: the project that PATHS lie in, its settings. Raises Stopped, SettingsError."""
    from codemods import engine, sources
    from codemods.plan import Level

    roots = {sources.find_root(path): path for path in wanted.paths}
    if len(roots) > 1:
        named = " and ".join(str(path) for path in list(roots.values())[:2])
        raise Stopped(f"{named} belong to different projects; run once for each")
    root = next(iter(roots))
    settings = settings_for(wanted, root)
    return engine.RunRequest(root, wanted.paths, settings, Level[wanted.level.name.upper()], wanted.cross_paths)


def planned(wanted: Wanted, request: RunRequest) -> tuple[Plan, Viewpoint]:
    """The dry run, and how its paths are shown from here."""
    from codemods.review.terminal import Viewpoint

    plan = looked_through(request, wanted.quiet)
    return plan, Viewpoint(plan.root, os.getcwd())


def looked_through(request: RunRequest, quiet: bool) -> Plan:
    """What the engine finds, with a bar on a terminal."""
    from codemods import engine
    from codemods.review import progress

    if progress.wanted(sys.stderr.isatty(), quiet, os.environ):
        with progress.bar() as report:
            return engine.run(request, report)
    return engine.run(request)


def settings_for(wanted: Wanted, root: Path) -> Settings:
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


def save(plan: Plan, request: RunRequest, file: Path) -> None:
    """Freeze the dry run. A plan in which somebody decided something is not written over."""
    from codemods import plan_file, saving

    try:
        if file.exists() and plan_file.load(file).decisions:
            what = "holds answers of a review; `review --rebase` carries them over, or name another file"
            raise Stopped(f"{file}: {what}")
        plan_file.save(saving.saved(plan, request), file)
    except (plan_file.PlanFileError, saving.Moved) as error:
        raise Stopped(str(error)) from error


def formatted(plan: Plan, command: str, wanted: Wanted) -> Plan:
    """The plan with the changed lines formatted by the user's command; told where they could not be."""
    from codemods.formatting import FormatError, Formatter

    try:
        made = Formatter(Path(plan.root), command).formatted(plan.changes)
    except FormatError as error:
        raise Stopped(str(error)) from error
    for path, why in made.kept.items():
        tell(wanted, f"{path}: not formatted: {why}\n")
    return dataclasses.replace(plan, changes=made.changes)
