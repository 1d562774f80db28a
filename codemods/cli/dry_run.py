"""The dry run that commands begin with: settings read, the project looked through, with a bar on a terminal."""

from __future__ import annotations

import dataclasses
import functools
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from codemods.cli.options import OutputFormat, Wanted
from codemods.cli.stopping import Stopped
from codemods.cli.streams import say, say_visible, tell

if TYPE_CHECKING:
    from codemods.engine import RunRequest
    from codemods.plan import Plan
    from codemods.review.terminal import Viewpoint
    from codemods.run_cache.memory import Memory
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


class Look:
    """The dry run of a command. What it found last on the very same files is remembered (`run_cache`), unless the user
    wants no cache."""

    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted
        self._memory: Memory | None = None
        if wanted.cache and not os.environ.get("SESSION_CODEMODS_NO_CACHE"):
            from codemods.run_cache.memory import Memory

            # what is only about the telling
            options = dataclasses.replace(
                wanted, paths=(), format=OutputFormat.text, statistics=False, quiet=False, cache=True, verbose=False
            )
            self._memory = Memory(wanted.paths, str(options))

    @functools.cached_property
    def request(self) -> RunRequest:
        """What the engine is asked to do; read when it is needed first. Raises Stopped, SettingsError."""
        if self._memory is None:
            return requested(self._wanted)
        with self._memory.listening():
            return requested(self._wanted)

    def planned(self) -> tuple[Plan, Viewpoint]:
        """What was found, and how its paths are shown from here."""
        from codemods.review.terminal import Viewpoint

        plan = self._memory.recalled() if self._memory is not None else None
        if plan is None:
            plan = looked_through(self.request, self._wanted.quiet, self._memory)
        if self._memory is not None and self._memory.trouble and self._wanted.verbose:
            say_visible(f"The cache was not used: {self._memory.trouble}\n")
        warn_of_half_written(Path(plan.root))
        return plan, Viewpoint(plan.root, os.getcwd())


def warn_of_half_written(root: Path) -> None:
    """Say on stderr which runs of `apply` are half written: what is read now may be in neither state."""
    from codemods.apply.unfinished import unfinished

    if runs := unfinished(root):
        from codemods import run_words

        say(run_words.unfinished(runs))


def looked_through(request: RunRequest, quiet: bool, memory: Memory | None = None) -> Plan:
    """What the engine finds, or found before on the very same, with a bar on a terminal."""
    from codemods import engine
    from codemods.review import progress

    run = engine.run if memory is None else memory.answered
    if progress.wanted(sys.stderr.isatty(), quiet, os.environ):
        with progress.bar() as report:
            return run(request, report)
    return run(request)


def settings_for(wanted: Wanted, root: Path) -> Settings:
    """The project's settings with the command line laid over them. Raises SettingsError."""
    from codemods import settings
    from codemods.rules import RULES

    names = [rule.name for rule in RULES]
    return settings.laid_over(
        settings.load(root, wanted.config, wanted.isolated, rules=names),
        names,
        select=wanted.select,
        ignore=wanted.ignore,
        exclude=wanted.exclude,
        extend_exclude=wanted.extend_exclude,
        respect_gitignore=wanted.respect_gitignore,
    )


def save(plan: Plan, request: RunRequest, file: Path) -> None:
    """Freeze the dry run. A plan in which somebody decided something is not written over. Raises Stopped, Moved and
    PlanFileError."""
    from codemods import plan_file, saving

    if file.exists() and plan_file.load(file).decisions:
        what = "holds answers of a review; `review --rebase` carries them over, or name another file"
        raise Stopped(f"{file}: {what}")
    plan_file.save(saving.saved(plan, request), file)


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
