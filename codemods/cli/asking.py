"""Asks a person about groups in the terminal. Reads the keyboard; writes through what it is given."""

from __future__ import annotations

import getpass
import io
import subprocess
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from codemods.cli import stopping, streams

if TYPE_CHECKING:
    from codemods.plan import Group
    from codemods.review.interactive.keyboard import Keyboard
    from codemods.review.interactive.reviewing import Reviewing
    from codemods.review.interactive.telling import Voice
    from codemods.saved_plan import SavedPlan


def asked(
    begun: Reviewing,
    made: Sequence[Group],
    save: Callable[[SavedPlan], tuple[SavedPlan, str]],
    keyboard: Keyboard,
    voice: Voice,
    root: Path,
) -> tuple[Reviewing, bool]:
    """The review after a person went through it, and whether it was left by Ctrl-C. `made` are the groups that are in
    the files already; every answer goes through `save`, which gives the plan back with what to tell."""
    from codemods import planned
    from codemods.review.interactive import conversation, telling
    from codemods.review.interactive.reviewing import Signature
    from codemods.rules import RULES

    if not begun.order:
        streams.put(telling.end(begun))
        return begun, False
    plan, name = begun.plan, _name(root)
    world = conversation.Surroundings(
        keyboard=keyboard,
        write=streams.put,
        changes=lambda group: planned.changes(plan, [group], made),
        save=save,
        sign=lambda: Signature(name, datetime.now(UTC).isoformat(timespec="seconds")),
        pages={known.name: known.page for known in RULES},
        voice=voice,
    )
    return conversation.review(begun, world)


def keyboard(plain: bool) -> Keyboard:
    """Where answers are typed. Raises Stopped where there is no terminal, and plain words are not wanted."""
    from codemods.review.interactive.keyboard import Keys, Lines

    if sys.stdin is None:
        raise stopping.Stopped("there is nothing to read answers from: standard input is closed")
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="backslashreplace")  # a stray byte in a note must not end the review
    if plain:
        return Lines(sys.stdin, streams.put)
    if not sys.stdin.isatty():
        raise stopping.Stopped(
            "review asks in a terminal, and standard input is none; --plain reads answers from a pipe"
        )
    return Keys(sys.stdin, streams.put)


def _name(root: Path) -> str:
    """Who reviews: as git knows them, else as the system does; "" when neither can tell."""
    try:
        found = subprocess.run(
            ["git", "config", "user.name"], cwd=root, stdin=subprocess.DEVNULL, capture_output=True, check=False
        )
        if name := found.stdout.decode("utf-8", "replace").strip():
            return name
    except OSError:
        pass
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return ""
