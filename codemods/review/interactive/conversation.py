"""A review from its first question to its summary: shows, reads a command, saves the answer, goes on.

Writes only through what it is given.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from codemods.plan import Change, Group
from codemods.review.interactive import telling
from codemods.review.interactive.keyboard import Keyboard
from codemods.review.interactive.reviewing import Reviewing, Show, Signature, step
from codemods.review.interactive.telling import Voice
from codemods.review.visible import visible
from codemods.saved_plan import SavedPlan


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a review needs of the world."""

    keyboard: Keyboard
    write: Callable[[str], None]
    changes: Callable[[Group], Sequence[Change]]  # the files that one group alone changes
    save: Callable[[SavedPlan], tuple[SavedPlan, str]]  # gives the plan with others' answers, and what to tell of them
    sign: Callable[[], Signature]
    pages: Mapping[str, str]  # the page of each rule
    voice: Voice


def review(begun: Reviewing, world: Surroundings) -> tuple[Reviewing, bool]:
    """The review after the reviewer left it, and whether that was by Ctrl-C. Every answer has been saved by then.

    Raises what `save` raises.
    """
    now, show = begun, Show.GROUP
    unsaved: SavedPlan | None = None
    try:
        while show is not Show.LEAVE:
            _show(now, show, world)
            made = step(now, world.keyboard.read(telling.prompt(now, world.voice)), world.sign())
            told = made.told
            if made.reviewing.plan is not now.plan:
                unsaved = made.reviewing.plan
                plan, more = world.save(unsaved)
                unsaved = None
                made = replace(made, reviewing=made.reviewing.with_plan(plan))
                told = f"{told}\n{more}" if more else told
            now, show = made.reviewing, made.show
            if told:
                world.write("".join(f"{visible(line)}\n" for line in told.splitlines()))
    except EOFError:
        world.write("\n")
    except KeyboardInterrupt:
        if unsaved is not None:
            now = now.with_plan(world.save(unsaved)[0])
        world.write("\n")
        return now, True
    return now, False


def _show(now: Reviewing, show: Show, world: Surroundings) -> None:
    group = now.group
    match show:
        case Show.GROUP if group is None:
            world.write(f"\n{telling.end(now)}")
        case Show.GROUP if group is not None:
            world.write(f"\n{telling.group(now, group, world.changes, world.voice)}")
        case Show.WHY if group is not None:
            world.write(telling.why(now.plan, group, world.pages, world.voice))
        case Show.HELP:
            world.write(telling.help_text(world.voice))
        case _:
            pass
