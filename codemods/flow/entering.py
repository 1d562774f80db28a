"""How a generator that was driven by hand can be entered by a block that keeps the behaviour. Decides no edit.

Over the factory of the generator where it only opens and closes; else over the generator itself as a context manager.
What then starts to run, or never ran and still does not, is for a person to confirm (`wild-sessions.md` 5).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from codemods.flow.driving import Driven, Form
from codemods.flow.enclosing import Ending, ending, runs_once
from codemods.flow.loops import Leaving
from codemods.flow.opening import Opening, Openings
from codemods.plan import Fact
from codemods.project.facts import GeneratorScope
from codemods.project.link import Place


@dataclass(frozen=True, slots=True)
class Entering:
    """`opening` is None when there is no way, for `reason`. `needs` is a place that has to change in the same run."""

    opening: Opening | None
    reason: str = ""
    confirm: list[str] = field(default_factory=list)
    needs: tuple[tuple[str, int], ...] = ()
    runs_it: bool = False  # the block runs the generator itself: what it tears down is torn down at its end


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
    looped = (one for one in lends.enclosing if one.is_loop and not runs_once(one, _place(driven), openings.project))
    odd = lends.odd or next((one.line for one in looped), 0)
    if odd:
        return Entering(None, f"`{name}()` yields under a condition or in a loop ({where}{odd})")
    if openings.project.overrides(driven.generator):
        return Entering(None, f"`{name}()` is overridden by a subclass")
    if lends.swallows:
        reason = f"`{name}()` swallows exceptions ({where}{definition.line})"
        return Entering(None, f"{reason}: as a block it would hide them")
    if driven.is_async != driven.session.is_async and (leaving is None or not lends.closes):
        kind, other = ("an async", "a sync") if driven.is_async else ("a sync", "an async")
        return Entering(None, f"`{name}()` is {kind} generator that lends {other} session ({where}{definition.line})")
    endings = {one: ending(one, _place(driven), openings.project) for one in lends.enclosing}
    for one, how in endings.items():
        if how is Ending.SWALLOWS:
            reason = f"the context manager around the yield of `{name}()` ({where}{one.line}) swallows exceptions"
            return Entering(None, f"{reason}: as a block it would hide them")
    around = next((one for one, how in endings.items() if how is not Ending.PLAIN), None)
    unknown = next((one for one, how in endings.items() if how is Ending.UNKNOWN), None)
    if leaving is Leaving.MIXED and lends.after:
        reason = f"what `{name}()` does behind its yield ({where}{lends.after}: `{lends.after_text}`)"
        return Entering(None, f"{reason} runs on some paths only: a block would run it on all of them, or on none")
    if leaving is Leaving.MIXED and around is not None:
        reason = f"the context manager around the yield of `{name}()` ({where}{around.line})"
        return Entering(None, f"{reason} ends in the normal way on some paths only: after a block it would on all")
    confirm = []
    if replacers:
        confirm.append(f"tests replace `{name}` ({replacers[0].path}:{replacers[0].line}): see that they still hold")
    has_arguments = bool(driven.call.args or driven.call.keywords)
    opens_only = not (_does_more(lends) or has_arguments or replacers or driven.is_async != driven.session.is_async)
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
    if around is not None and leaving is not Leaving.END:
        confirm.append(
            f"the context manager around the yield of `{name}()` ({where}{around.line}) never ended in the normal way"
            " here, and starts to"
        )
    elif unknown is not None:
        confirm.append(
            f"an exception in the block now passes through the context manager around the yield of `{name}()`"
            f" ({where}{unknown.line})"
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
    return Entering(wrapped, confirm=confirm, needs=needs, runs_it=True)


def _does_more(lends: GeneratorScope) -> bool:
    """Whether the generator does something beside making and closing its session, that a block over it would lose."""
    looped = any(one.is_loop for one in lends.enclosing)
    return bool(looped or lends.set_up or lends.tears_down or lends.translates or lends.logs)


def _place(driven: Driven) -> Place:
    return Place(driven.generator.module, driven.generator.qualname)
