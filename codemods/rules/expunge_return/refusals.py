"""What must not be expunged, by how the objects stand: rules 9, 10 and 15 of the semantics. Edits nothing."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass

from codemods.flow.objects.record import Record
from codemods.flow.objects.values import Alternative, How, Origin, Row, Unknown, Value, objects, parts
from codemods.flow.objects.world import SessionStanding, World
from codemods.project.link import Project
from codemods.project.mapped_classes import mapped
from codemods.rules.expunge_return.origins import own_sessions


@dataclass(frozen=True, slots=True, order=True)
class Refused:
    """Why nothing is inserted, and what a person can do. `undecided`: what leaves may be no entity of the session."""

    reason: str
    advice: str = ""
    undecided: bool = False


def untold(given: Value, record: Record) -> Refused | None:
    """Something in the value was had through a session of the function's own, and may be an entity or not."""
    own = own_sessions(record)
    # a value is a set: what is said of it must not depend on the order in which it is gone through
    return min((refused for one in given if (refused := _untold(one, own, record))), default=None)


def _untold(one: Alternative, own: set[int], record: Record) -> Refused | None:
    if isinstance(one, Unknown) and one.why and one.session in own:
        if one.holds:
            return Refused(f"an entity goes out inside of `{one.why}`", "expunge it before it goes in there")
        return Refused(
            f"it cannot be told what `{one.why}` takes out of the session: entities, or plain values",
            "if it is an entity, expunge it before the return",
            undecided=True,
        )
    inner = () if isinstance(one, Row) else parts(one)
    return next((refused for each in inner if (refused := untold(each, record))), None)


def never_added(given: Value, record: Record, world: World, project: Project) -> Refused | None:
    """A new object is returned that no session has been given, although one is open; a copy is not meant to be."""
    is_open = any(one.own and not world.sessions.get(one.number, SessionStanding()).left for one in record.sessions)
    for one in sorted(objects(given), key=lambda each: each.origin.place):
        origin, standing = one.origin, world.standing(one.origin)
        if origin.how is How.MADE and origin not in record.added and not standing.may_be_attached and is_open:
            if is_copy(origin, record, world, project):
                continue
            # it is in no session, as far as can be seen
            return Refused(f"`{origin.what}` of line {origin.line} is never added to the session", undecided=True)
    return None


def is_copy(origin: Origin, record: Record, world: World, project: Project) -> bool:
    """`User(id=user.id, email=user.email)`: made of nothing but the same columns of another object of its class.

    One that is handed to something that is not followed is none: that may add it to the session.
    """
    if world.standing(origin).touched:
        return False
    node = record.nodes.get((origin.line, origin.column))
    known = mapped(origin.class_, project) if origin.class_ is not None else None
    if origin.how is not How.MADE or not isinstance(node, ast.Call) or known is None or node.args or not node.keywords:
        return False
    names = set()
    for keyword in node.keywords:
        match keyword.value:
            case ast.Attribute(value=ast.Name(id=name), attr=attribute) if attribute == keyword.arg:
                names.add(name)
            case _:
                return False
        if keyword.arg not in known.columns:
            return False
    copied = objects(world.names.get(names.pop(), frozenset())) if len(names) == 1 else set()
    return bool(copied) and all(one.class_ == origin.class_ and not one.names for one in copied)


def unfit(own: Mapping[Origin, int], world: World) -> Refused | None:
    """One of the objects is in a state in which an expunge loses something, raises, or helps nobody."""
    for origin in own:
        standing = world.standing(origin)
        what = f"`{origin.what}` of line {origin.line}"
        if origin.session and origin.session != own[origin]:
            return Refused(f"{what} is loaded in another session than the one that it is added to")
        if standing.lost:
            return Refused(
                f"the commit at line {standing.lost} does not write {what}: it is expunged before",
                "expunge it after the commit",
            )
        if standing.expired and standing.expired_by == "rollback":
            return Refused(
                f"{what} is rolled back at line {standing.expired}: nothing of it can be read outside",
                "load it again after the rollback, or return what is needed of it",
            )
        if standing.pending:
            return Refused(
                f"{what} is added at line {standing.pending} and not flushed: expunged, it would never be written",
                "commit (or flush) before the return",
            )
        if gone := standing.deleted or standing.may_be_deleted:
            # a commit detaches what is deleted
            reason = f"{what} is deleted at line {gone}"
            return Refused(reason, "return what is needed of it instead", undecided=True)
        if standing.expired:
            return _expired(what, standing.expired, standing.expired_by)
        if standing.merged and not standing.attached:
            reason = f"{what} was only merged at line {standing.merged}: it is not in the session itself"
            return Refused(reason, undecided=True)
    return None


def _expired(what: str, line: int, by: str) -> Refused:
    if by == "commit?":
        return Refused(
            f"the commit at line {line} may expire {what}: the factory's expire_on_commit is not in view",
            "refresh it after the commit, or set expire_on_commit=False on the factory",
        )
    if by == "commit":
        return Refused(
            f"the commit at line {line} expires {what}: nothing of it can be read outside, expunged or not",
            "refresh it after the commit, or set expire_on_commit=False on the factory",
        )
    return Refused(f"line {line} expires {what}: nothing of it can be read outside", "refresh it before the return")
