"""What the context managers do that are open while a generator is suspended at its `yield`. Asks `Project`; pure."""

from __future__ import annotations

import enum

from codemods.flow.scope import Scope
from codemods.project.facts import Attribute, Call, Enclosing, Expression, GeneratorScope
from codemods.project.link import Place, Project
from codemods.project.sessions import (
    External,
    FunctionMeaning,
    GeneratorMeaning,
    InstanceMeaning,
    MakerMeaning,
    Meaning,
    ScopeMeaning,
    SessionMeaning,
)

_LOCKS = frozenset({"Lock", "RLock", "Semaphore", "BoundedSemaphore", "Condition", "CapacityLimiter"})
_LOCKING = frozenset({"asyncio", "threading", "multiprocessing", "anyio", "trio", "aiorwlock", "aiolimiter"})
_TRANSACTIONS = frozenset({"begin", "begin_nested"})


class Ending(enum.IntEnum):
    """What the end of a context manager does, the worst last."""

    PLAIN = 0  # closes a session or gives a lock back: the same however it is left
    DECIDES = 1  # it may do something else after success than after an exception, and lets exceptions through
    UNKNOWN = 2  # it may swallow an exception, or raise another one
    SWALLOWS = 3


def ending(one: Enclosing, place: Place, project: Project, depth: int = 4) -> Ending:
    """What the end of a context manager (or of a generator that is looped over) does to who leaves it.

    `depth` is how many functions deep it is looked for.
    """
    means = project.meaning(one.value, place)
    if isinstance(means, SessionMeaning):
        return Ending.UNKNOWN if means.own_exit else Ending.PLAIN
    if is_lock(means) or (isinstance(means, ScopeMeaning) and means.plain):
        return Ending.PLAIN
    called = _function(one.value, place, project)
    if called is None or not isinstance(means, (ScopeMeaning, GeneratorMeaning)):
        return Ending.UNKNOWN
    definitions = project.symbols.functions(called.module, called.qualname)
    lends = definitions[0].lends if len(definitions) == 1 else None
    if lends is None or lends.odd or project.overrides(called):
        return Ending.UNKNOWN
    return _of_generator(lends, Place(called.module, called.qualname), project, depth - 1)


def _of_generator(lends: GeneratorScope, place: Place, project: Project, depth: int) -> Ending:
    if lends.swallows:
        return Ending.SWALLOWS
    if depth == 0 or lends.translates or lends.handles or lends.logs:
        return Ending.UNKNOWN
    inner = [ending(one, place, project, depth) for one in lends.enclosing]
    return max([Ending.DECIDES if lends.after else Ending.PLAIN, *inner])


def runs_once(one: Enclosing, place: Place, project: Project, depth: int = 4) -> bool:
    """Whether a loop over a generator runs its body once: the generator has one `yield`, under no condition."""
    called = _function(one.value, place, project)
    definitions = project.symbols.functions(called.module, called.qualname) if called is not None else ()
    lends = definitions[0].lends if len(definitions) == 1 else None
    if called is None or lends is None or lends.odd or depth == 0:
        return False
    there = Place(called.module, called.qualname)
    return all(runs_once(inner, there, project, depth - 1) for inner in lends.enclosing if inner.is_loop)


def may_swallow(value: Expression, scope: Scope) -> bool:
    """Whether a `with` over this may go on behind its end although something was raised inside."""
    means = scope.project.meaning(value, scope.place)
    if isinstance(means, SessionMeaning):
        return bool(means.own_exit)
    if isinstance(value, Call) and isinstance(value.function, Attribute) and value.function.name in _TRANSACTIONS:
        if isinstance(scope.project.meaning(value.function.value, scope.place), (SessionMeaning, MakerMeaning)):
            return False
    if isinstance(value, Call) and scope.project.meaning(value.function, scope.place) == External("builtins.open"):
        return False
    return ending(Enclosing(value, 0), scope.place, scope.project) > Ending.DECIDES


def is_lock(means: Meaning) -> bool:
    """A lock or a semaphore of a library: it is given back in the same way however its block is left."""
    if not isinstance(means, InstanceMeaning) or not isinstance(means.of, External):
        return False
    module, _, name = means.of.dotted.rpartition(".")
    return name in _LOCKS and module.partition(".")[0] in _LOCKING


def _function(value: Expression, place: Place, project: Project) -> FunctionMeaning | None:
    if not isinstance(value, Call):
        return None
    found = project.meaning(value.function, place)
    return found if isinstance(found, FunctionMeaning) else None
