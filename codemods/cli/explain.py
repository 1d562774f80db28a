"""The commands `rules` and `explain`: what the rules do, and what they decided about a line."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated

import typer

from codemods.cli import dry_run, options, stopping, streams


def add_to(program: typer.Typer) -> None:
    """Make the commands known to the program."""
    program.command(help="List the rules: their levels, and what each does.")(rules)
    what = "Show the page of a rule; or, for FILE:LINE, what each rule decided there and on what facts."
    program.command(help=what)(explain)


def rules(
    markdown: Annotated[bool, typer.Option("--markdown", help="As a Markdown table")] = False,
) -> int:
    from codemods.review import terminal
    from codemods.rules import RULES

    streams.put(terminal.rule_table(RULES, markdown))
    return 0


def explain(
    what: Annotated[str, typer.Argument(metavar="RULE|FILE:LINE", help="The name of a rule, or a place in the code")],
    config: options.Config = None,
    isolated: options.Isolated = False,
    no_cache: options.NoCache = False,
) -> int:
    from codemods.rules import RULES

    pages = {known.name: known.page for known in RULES}
    path, colon, line = what.rpartition(":")
    if colon and path and line.isdecimal():
        return _explain_place(Path(path), int(line), config, isolated, no_cache)
    if what not in pages:
        raise stopping.Stopped(f"there is no rule {what!r}; known are: {', '.join(pages)}; a place is FILE:LINE")
    streams.put(pages[what].strip("\n") + "\n")
    return 0


def _explain_place(path: Path, line: int, config: Path | None, isolated: bool, no_cache: bool) -> int:
    if path.is_dir():
        raise stopping.Stopped(f"{path} is a folder; name a line of a file")
    if path.is_symlink():
        from codemods import sources

        with stopping.stops():
            root, target = sources.find_root(path.parent), Path(os.path.realpath(path))
            if not target.is_relative_to(root):
                raise stopping.Stopped(
                    f"{path} is a link that leads out of {root}, so no rule looks at it; its target is {target}"
                )
    _check_line(path, line)
    wanted = options.Wanted(
        (path,),
        (),
        (),
        options.LevelName.review,
        True,
        (),
        (),
        None,
        config,
        isolated,
        options.OutputFormat.text,
        False,
        False,
        not no_cache,
    )
    with stopping.stops():
        from codemods.engine import chosen_rules
        from codemods.review import terminal
        from codemods.review.explaining import explanation

        look = dry_run.Look(wanted)
        plan, seen = look.planned()
        settings = look.request.settings
        here = path.resolve().relative_to(plan.root).as_posix()
        off = settings.ignored_in(here)
        rules = [rule for rule in chosen_rules(settings) if rule.name not in off]
        streams.put(streams.harmless(explanation(plan, here, line, rules, seen)))
        streams.tell(wanted, terminal.not_handled(plan.failures, seen), always=True)
    return 3 if plan.failures else 0


def _check_line(path: Path, line: int) -> None:
    """Raises Stopped for a line that the file does not have; of a file that cannot be read the dry run speaks."""
    from codemods.decoding import UnreadableError, decode

    try:
        text = decode(path.read_bytes())[2]
    except (OSError, UnreadableError):
        return
    *whole, rest = re.split(r"\r\n|\r|\n", text)
    count = len(whole) + bool(rest)
    if not 1 <= line <= count:
        raise stopping.Stopped(f"{path} has {count} line{'s' if count != 1 else ''}; there is no line {line}")
