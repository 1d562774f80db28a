"""What the names of a function hold at one point of it, and how its objects and sessions stand there. Values only."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from codemods.flow.objects.values import (
    EMPTY,
    NOTHING,
    PLAIN,
    UNKNOWN,
    How,
    Origin,
    Unbound,
    Value,
    agreed,
    objects,
    union,
    value,
)


@dataclass(frozen=True, slots=True)
class Standing:
    """How the objects of one origin stand. Lines are those of what made it so; 0: it is not so.

    What is told as a line may be so; `expunged` and `attached` say what surely is, the names in `loaded` too.
    """

    attached: bool = False  # surely added, or loaded
    may_be_attached: bool = False
    pending: int = 0  # added, not flushed
    flushed: int = 0  # new, written, not committed
    expired: int = 0
    expired_by: str = ""
    changed: int = 0  # changed, not flushed
    touched: int = 0  # may have been changed, by something that is not followed
    deleted: int = 0
    may_be_deleted: int = 0  # a DELETE statement names its class
    expunged: bool = False
    may_be_expunged: int = 0
    merged: int = 0  # given to `merge`
    scheduled: int = 0  # line of the last call that runs something later
    changed_since: int = 0  # line of a change behind that call
    lost: int = 0  # expunged with a change or an INSERT pending, which the commit on this line would have written
    loaded: frozenset[str] = frozenset()  # relationships that were loaded or set by hand


@dataclass(frozen=True, slots=True)
class SessionStanding:
    """How a session stands."""

    left: bool = False  # its block has surely ended, or it has been closed
    wrote: int = 0  # line of the first thing that may write something
    loaded: int = 0  # line of the first thing that was loaded in it
    detached: int = 0  # line of an expunge, `expunge_all` or `close`, or of a call that may do such a thing
    committed: int = 0
    rolled_back: int = 0
    saved: bool = False  # it has surely been committed
    uncommitted: int = 0  # line of the first thing since the last commit that is, or may be, to be written
    kept: int = 0  # line on which it is put where other functions find it: any call may reach it
    scheduled: int = 0  # line of the last call that runs something later


class Holds(enum.StrEnum):
    """What a test says of a value."""

    TRUE = "true"
    FALSE = "false"
    NONE = "None"
    SOME = "not None"


Tested = tuple[str, Holds]  # a parameter, as it was given, and what holds of it


def of_constant(given: object) -> frozenset[Holds]:
    """All that holds of a constant."""
    return frozenset({Holds.TRUE if given else Holds.FALSE, Holds.NONE if given is None else Holds.SOME})


@dataclass(slots=True)
class World:
    """One point of a function. Copied where ways part, joined where they meet."""

    names: dict[str, Value] = field(default_factory=dict)
    objects: dict[Origin, Standing] = field(default_factory=dict)
    sessions: dict[int, SessionStanding] = field(default_factory=dict)
    related: dict[Origin, frozenset[Origin]] = field(default_factory=dict)  # to what `add` cascades from each
    tested: frozenset[Tested] = frozenset()  # what surely holds of parameters here

    def copy(self) -> World:
        return World(dict(self.names), dict(self.objects), dict(self.sessions), dict(self.related), self.tested)

    def standing(self, origin: Origin) -> Standing:
        return self.objects.get(origin, Standing())

    def relate(self, one: Origin, other: Origin) -> None:
        """A relationship leads from one object to the other."""
        self.related[one] = self.related.get(one, frozenset()) | {other}

    def kin(self, origin: Origin) -> set[Origin]:
        """The object and all that its relationships lead to."""
        found, waiting = {origin}, [origin]
        while waiting:
            for other in self.related.get(waiting.pop(), ()):
                if other not in found:
                    found.add(other)
                    waiting.append(other)
        return found


def joined(worlds: Iterable[World | None], *, named_only: bool = False, also: Iterable[Origin] = ()) -> World | None:
    """Where ways meet: what may hold on one of them may hold. None: no way leads here.

    `named_only`: objects that no name holds on a way any more say nothing of how they stand there, but for `also`.
    """
    there = [one for one in worlds if one is not None]
    if not there:
        return None
    if named_only and len(there) > 1:
        there = [of_names(one, also) for one in there]
    result = there[0].copy()
    missing = value(Unbound())
    for other in there[1:]:
        for name, that in other.names.items():
            this = result.names.get(name, missing)
            if this is not that:  # most names hold the very same on both ways
                result.names[name] = agreed(union([this, that]))
        for name in result.names.keys() - other.names.keys():
            result.names[name] = union([result.names[name], missing])
        for origin, standing in other.objects.items():
            known = result.objects.get(origin)
            # an object that one of the ways does not have is as the other way has it
            if known is not standing:
                result.objects[origin] = _unfilled(origin, standing) if known is None else _either(known, standing)
        for origin in result.objects.keys() - other.objects.keys():
            result.objects[origin] = _unfilled(origin, result.objects[origin])
        for number, session in other.sessions.items():
            before = result.sessions.get(number)
            both = replace(session, saved=False) if before is None else _either_session(before, session)
            result.sessions[number] = both
        for number in result.sessions.keys() - other.sessions.keys():
            result.sessions[number] = replace(result.sessions[number], saved=False)
        result.tested &= other.tested
        for origin, tied in other.related.items():
            result.related[origin] = result.related.get(origin, frozenset()) | tied
    return result


_BARE = frozenset({EMPTY, NOTHING, PLAIN, UNKNOWN})


def of_names(world: World, also: Iterable[Origin]) -> World:
    """The world without the objects that no name holds any more, but for `also` and what these lead to."""
    held = set(also)
    for given in world.names.values():
        if given not in _BARE:  # which is what most names hold
            held |= {one.origin for one in objects(given, rows=True)}
    if world.related:
        for origin in list(held):
            held |= world.kin(origin)
    kept = {origin: standing for origin, standing in world.objects.items() if origin in held}
    return World(world.names, kept, world.sessions, world.related, world.tested)


def _unfilled(origin: Origin, standing: Standing) -> Standing:
    """How a parameter stands where nothing was done to it on the other way: there it is as it was given."""
    return replace(standing, loaded=frozenset()) if origin.how is How.GIVEN and standing.loaded else standing


def _either(one: Standing, other: Standing) -> Standing:
    if one == other:
        return one
    surely = one.expunged and other.expunged
    by = (one.expired_by, other.expired_by)
    return Standing(
        attached=one.attached and other.attached,
        may_be_attached=one.may_be_attached or other.may_be_attached,
        pending=one.pending or other.pending,
        flushed=one.flushed or other.flushed,
        expired=one.expired or other.expired,
        expired_by="rollback" if "rollback" in by else one.expired_by or other.expired_by,
        changed=one.changed or other.changed,
        touched=one.touched or other.touched,
        deleted=one.deleted or other.deleted,
        may_be_deleted=one.may_be_deleted or other.may_be_deleted,
        expunged=surely,
        may_be_expunged=one.may_be_expunged or other.may_be_expunged,
        merged=one.merged or other.merged,
        scheduled=one.scheduled or other.scheduled,
        changed_since=one.changed_since or other.changed_since,
        lost=one.lost or other.lost,
        loaded=one.loaded & other.loaded,
    )


def _either_session(one: SessionStanding, other: SessionStanding) -> SessionStanding:
    return SessionStanding(
        left=one.left and other.left,
        wrote=one.wrote or other.wrote,
        loaded=one.loaded or other.loaded,
        detached=one.detached or other.detached,
        committed=one.committed or other.committed,
        rolled_back=one.rolled_back or other.rolled_back,
        saved=one.saved and other.saved,
        uncommitted=one.uncommitted or other.uncommitted,
        kept=one.kept or other.kept,
        scheduled=one.scheduled or other.scheduled,
    )


def same(one: World | None, other: World | None) -> bool:
    if one is None or other is None:
        return one is other
    return (one.names, one.objects, one.sessions, one.related, one.tested) == (
        other.names,
        other.objects,
        other.sessions,
        other.related,
        other.tested,
    )


def stand(world: World, origin: Origin, **how: object) -> None:
    """Changes how the objects of one origin stand."""
    world.objects[origin] = replace(world.standing(origin), **how)  # type: ignore[arg-type]


def note(world: World, number: int, **how: object) -> None:
    """Changes how a session stands."""
    world.sessions[number] = replace(world.sessions.get(number, SessionStanding()), **how)  # type: ignore[arg-type]
