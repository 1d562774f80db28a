"""How a generator that was driven by hand can be entered by a block that keeps the behaviour. Decides no edit.

Over the factory of the generator where it only opens and closes; else over the generator itself as a context manager.
What then starts to run, or never ran and still does not, is for a person to confirm (`wild-sessions.md` 5).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from codemods.flow.driving import Driven, Form
from codemods.flow.loops import Leaving
from codemods.flow.opening import Opening, Openings
from codemods.plan import Fact


@dataclass(frozen=True, slots=True)
class Entering:
    """`opening` is None when there is no way, for `reason`. `needs` is a place that has to change in the same run."""

    opening: Opening | None
    reason: str = ""
    confirm: list[str] = field(default_factory=list)
    needs: tuple[tuple[str, int], ...] = ()


def entering(
    driven: Driven, leaving: Leaving | None, openings: Openings, text: str, replacers: tuple[Fact, ...]
) -> Entering:
    """How to enter the generator instead of driving it.

    `leaving` is how its loop is left; None when it is advanced once and abandoned. `text` is the call of the generator
    as it is written. `replacers` are the tests that put something else in its place.
    """
    definition, name = driven.definition, driven.name
    lends = definition.lends if definition is not None else None
    if definition is None or lends is None:
        return Entering(None, f"`{name}()` cannot be followed to the one `yield` of a generator")
    where = f"{driven.generator.module}:"
    if lends.odd:
        return Entering(None, f"`{name}()` yields under a condition or in a loop ({where}{lends.odd})")
    if openings.project.overrides(driven.generator):
        return Entering(None, f"`{name}()` is overridden by a subclass")
    if lends.swallows:
        reason = f"`{name}()` swallows exceptions ({where}{definition.line})"
        return Entering(None, f"{reason}: as a block it would hide them")
    if leaving is Leaving.MIXED and lends.after:
        reason = f"what `{name}()` does behind its yield ({where}{lends.after}: `{lends.after_text}`)"
        return Entering(None, f"{reason} runs on some paths only: a block would run it on all of them, or on none")
    confirm = []
    if replacers:
        confirm.append(f"tests replace `{name}` ({replacers[0].path}:{replacers[0].line}): see that they still hold")
    has_arguments = bool(driven.call.args or driven.call.keywords)
    more = lends.set_up or lends.tears_down or lends.translates
    opens_only = not (more or has_arguments or replacers)
    if opens_only and not (leaving is Leaving.END and lends.after):
        within = openings.within(driven.call, driven.generator, lends)
        if within is not None:
            if lends.after:
                confirm.append(
                    f"`{name}()` does more behind its yield ({where}{lends.after}: `{lends.after_text}`), which never"
                    " ran here and does not run now"
                )
            return Entering(within, confirm=confirm)
    wrapped = openings.wrapped(driven.call, text, is_async=driven.is_async)
    if wrapped is None:
        return Entering(None, f"`{name}()` cannot be entered as a context manager here: the name for it is taken")
    if lends.after and leaving is not Leaving.END:
        confirm.append(
            f"what `{name}()` does behind its yield ({where}{lends.after}: `{lends.after_text}`) never ran here, and"
            " starts to run"
        )
    if lends.handles:
        confirm.append(f"the handler of `{name}()` ({where}{lends.handles}) runs at other times than it did")
    if lends.around and leaving is not Leaving.END:
        confirm.append(
            f"the context manager around the yield of `{name}()` ({where}{lends.around}) never ended in the normal way"
            " here, and starts to"
        )
    if lends.translates:
        confirm.append(
            f"an exception in the block starts to reach the caller as `{name}()` translates it"
            f" ({where}{lends.translates}: `{lends.translates_text}`)"
        )
    undone = lends.prepares or lends.tears_down
    if leaving is None and undone and driven.form is not Form.VARIABLE:
        line = undone
        confirm.append(
            f"what `{name}()` sets up ({where}{line}) was undone before the session was used, and holds in the block"
        )
    needs = () if lends.closes or not lends.made else ((driven.generator.module, lends.made),)
    if not lends.closes and not needs:
        return Entering(None, f"`{name}()` does not close its session itself ({where}{definition.line})")
    return Entering(wrapped, confirm=confirm, needs=needs)
