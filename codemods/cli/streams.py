"""What commands print: results on stdout or into a file, all else on stderr. Reads colour and CI switches."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from codemods.cli.options import ColourChoice, Wanted
from codemods.cli.stopping import Stopped

if TYPE_CHECKING:
    from codemods.apply.git import PatchBase
    from codemods.plan import Plan


def coloured(choice: ColourChoice, stream: TextIO) -> bool:
    """Whether to colour what goes to this stream."""
    from codemods.review.terminal import colour_wanted

    return colour_wanted(choice.value, stream.isatty(), os.environ)


def on_github() -> bool:
    """Whether GitHub's runner reads what is printed."""
    return os.environ.get("GITHUB_ACTIONS") == "true"


def harmless(text: str) -> str | bytes:
    """Text for a log: fenced where GitHub's runner would take a line of it for a command."""
    from codemods.review.terminal import fenced, holds_command

    return fenced(text.encode()) if on_github() and holds_command(text) else text


def encoded(text: str | bytes, stream: TextIO) -> bytes:
    """Text as the stream's encoding has it; what it has no character for, as `\\xNN`."""
    return text if isinstance(text, bytes) else text.encode(stream.encoding or "utf-8", "backslashreplace")


def put(text: str | bytes, output: Path | None = None) -> None:
    """Write to the file, or to stdout."""
    if output is None:
        sys.stdout.flush()
        sys.stdout.buffer.write(encoded(text, sys.stdout))
        sys.stdout.flush()
        return
    try:
        output.write_bytes(text if isinstance(text, bytes) else text.encode())
    except OSError as error:
        raise Stopped(f"{output}: cannot be written: {error.strerror or error}") from error


def tell(wanted: Wanted, text: str, always: bool = False) -> None:
    """Write to stderr, unless the user wants quiet."""
    if text and (always or not wanted.quiet):
        say(text)


def say(text: str) -> None:
    """Write to stderr."""
    sys.stderr.flush()
    sys.stderr.buffer.write(encoded(harmless(text), sys.stderr))
    sys.stderr.flush()


def say_visible(text: str) -> None:
    """Write to stderr what holds text of others, with everything escaped that is no plain line."""
    from codemods.review.visible import visible

    say(visible(text, keep="\n"))


def put_patch(plan: Plan, base: PatchBase, explain: bool, output: Path | None, color: ColourChoice) -> None:
    """Write the plan's patch as bytes that `git apply` takes; for eyes, where a terminal or --color asks for it."""
    from codemods.review import terminal
    from codemods.review.patch import patch

    data = patch(plan.changes, base.prefix, explain, strip=base.strip)
    # FORCE_COLOR is often set for a whole CI job: a piped patch must stay one that can be applied.
    for_eyes = output is None and (sys.stdout.isatty() or color is ColourChoice.always)
    shown = terminal.patch_for_eyes(data, coloured(color, sys.stdout)) if for_eyes else data
    fenced = data and output is None and on_github()
    put(terminal.fenced(encoded(shown, sys.stdout)) if fenced else shown, output)


def statistics(wanted: Wanted, plan: Plan) -> None:
    """Write the table of counts to stderr, where it is asked for."""
    from codemods.review.terminal import statistics

    if wanted.statistics:
        tell(wanted, statistics(plan), always=True)
