"""The command `split`: the accepted groups of a saved plan as numbered patches.

Writes the patches into a folder of their own; no file of the project. What is heavy is imported inside the command.
"""

from __future__ import annotations

import dataclasses
import os
import shlex
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from codemods.batch_unit import By
from codemods.cli import options, stopping, streams
from codemods.cli.home import root_of
from codemods.cli.standing import all_applied, fresh, standing

if TYPE_CHECKING:
    from codemods.splitting import Mail

_NAMED = 3  # reasons that are told one by one
_HELP = """Write the accepted groups of a plan as numbered patches, which `git am` and `git apply` take in order.

Each patch has its reasons as the message, and after each one every file compiles; the file `series` names them in
order. Where files have CRLF line ends, `git am` needs --keep-cr: the last line that is printed is the command to type.
Writes no file of the project.
"""


def add_to(program: typer.Typer) -> None:
    """Make the command known to the program."""
    program.command(name="split", help=_HELP)(split)


def split(
    file: Annotated[Path, typer.Argument(metavar="PLAN", help="The file that `diff --save` wrote")],
    folder: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="A folder that is new or empty")],
    by: Annotated[By, typer.Option("--by", help="What the groups of a patch have in common")] = By.rule,
    quiet: options.Quiet = False,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Tracebacks of errors")] = False,
) -> int:
    with stopping.stops():
        from codemods import plan_file, planned, splitting
        from codemods.apply.git import patch_base
        from codemods.batches import batches
        from codemods.review.terminal import Viewpoint
        from codemods.review.visible import visible
        from codemods.saved_plan import Verdict

        plan = plan_file.load(file)
        root = root_of(plan, file, "split")
        there = standing(plan, root)
        plan = dataclasses.replace(plan, applied=there.applied)
        groups = plan.having(Verdict.ACCEPTED)
        if not groups:
            why = all_applied(plan)
            advice = f"{why}; no patch is left to be made" if why else "no group is accepted; `review` asks for each"
            raise stopping.Stopped(f"{file}: {advice}")
        _, stale = fresh(plan, groups, there)
        if stale:
            reasons = list(dict.fromkeys(stale.values()))
            more = f"; and {len(reasons) - _NAMED} more" if len(reasons) > _NAMED else ""
            raise stopping.Stopped(
                f"nothing was written: {len(stale)} of {len(groups)} accepted groups are stale:"
                f" {'; '.join(reasons[:_NAMED])}{more}; `review --rebase` carries the answers over"
            )
        made = [group for group in plan.groups if group.id in there.made]
        paths = sorted({path for group in groups for path in group.paths})
        base = patch_base(root, root, paths)
        try:
            mails = splitting.mails(
                batches(groups, by, plan.needs_of(groups)),
                planned.Composer(plan, paths, made),
                splitting.sender(root, datetime.now(UTC)),
                base.prefix,
                base.strip,
            )
            written = splitting.write(mails, folder)
        except (splitting.SplitRefused, planned.ComposeError) as error:
            raise stopping.Stopped(str(error)) from error
        seen = Viewpoint(str(Path.cwd()), os.getcwd())
        streams.put("".join(f"{seen(str(path))}\n" for path in written))
        if not quiet:
            streams.say(visible(_summary(len(groups), mails, base.folder, folder.resolve()), keep="\n"))
    return 0


def _summary(groups: int, mails: Sequence[Mail], top: Path, folder: Path) -> str:
    from codemods.review.words import counted

    keep = ["--keep-cr"] if any(mail.needs_keep_cr for mail in mails) else []
    command = f"{shlex.join(['git', 'am', *keep, str(folder)])}/*.patch"
    count = f"{len(mails)} patch{'es' * (len(mails) != 1)} of {counted(groups, 'group')}"
    return f"Wrote {count}. Next, in {top}: {command}\n"
