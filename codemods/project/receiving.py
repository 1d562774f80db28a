"""What becomes of a dependency's session in the functions that receive it, one of another included. Asks; pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from codemods.plan import Fact
from codemods.project.dependencies import Dependencies, Receiver
from codemods.project.keeping import Fate, Handed, constructed, handed, starts_later
from codemods.project.link import Place, Project
from codemods.project.sessions import ClassMeaning, FunctionMeaning

_DEPTH = 4  # functions that a receiver hands things on to


@dataclass(frozen=True, slots=True)
class Received:
    """One receiver. `schedules` and `streams` are places where it, or what it calls, may outlive the request."""

    receiver: Receiver
    directly: bool  # it receives the session itself, not something that was made with it
    fate: Handed
    schedules: Fact | None
    streams: Fact | None


def received(function: FunctionMeaning, dependencies: Dependencies, project: Project) -> Iterator[Received]:
    """Every receiver of what the dependency gives, and of what other dependencies make of that."""
    seen: set[FunctionMeaning] = set()
    waiting = [(function, True)]
    while waiting:
        current, directly = waiting.pop(0)
        if current in seen:
            continue
        seen.add(current)
        for receiver in dependencies.receivers.get(current, ()):
            yield Received(
                receiver,
                directly,
                _fate(receiver, project),
                _schedules(receiver.function, project, _DEPTH),
                _streams(receiver.function, project, _DEPTH),
            )
            waiting.append((receiver.function, False))


def _fate(receiver: Receiver, project: Project) -> Handed:
    owner, _, name = receiver.function.qualname.rpartition(".")
    if name == "__init__" and owner:
        return constructed(ClassMeaning(receiver.function.module, owner), None, receiver.parameter, project)
    return handed(receiver.function, None, receiver.parameter, project)


def _schedules(function: FunctionMeaning, project: Project, depth: int) -> Fact | None:
    """Where the function, or one to which it hands its parameters, may start something that runs later."""
    line = starts_later(function, project)
    if line:
        return Fact(function.module, line, function.qualname)
    found = (_schedules(called, project, depth - 1) for called in _handed_on_to(function, project, depth))
    return next((fact for fact in found if fact is not None), None)


def _streams(function: FunctionMeaning, project: Project, depth: int) -> Fact | None:
    for definition in project.symbols.functions(function.module, function.qualname):
        if definition.streams:
            return Fact(function.module, definition.streams, function.qualname)
    found = (_streams(called, project, depth - 1) for called in _handed_on_to(function, project, depth))
    return next((fact for fact in found if fact is not None), None)


def _handed_on_to(function: FunctionMeaning, project: Project, depth: int) -> Iterator[FunctionMeaning]:
    """The functions to which this one hands its parameters; none at depth 0."""
    place = Place(function.module, function.qualname)
    for definition in project.symbols.functions(function.module, function.qualname) if depth else ():
        for use in definition.uses:
            for passed in use.passed:
                called = project.meaning(passed.function, place)
                if isinstance(called, FunctionMeaning) and called != function:
                    yield called


def outlives(fate: Fate) -> bool:
    """Whether what was received is still held when the request is over, as far as can be told."""
    return fate in (Fate.KEPT, Fate.CAPTURED)
