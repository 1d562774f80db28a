"""Of which session the objects in a value are. Reads the record of a run; decides nothing."""

from __future__ import annotations

from codemods.flow.objects.record import Record
from codemods.flow.objects.values import Origin, Value, objects


def session_number(origin: Origin, record: Record) -> int:
    """The number of the session that an object was loaded in or added to; 0 where there is none."""
    return record.added.get(origin, 0) or origin.session


def own_sessions(record: Record) -> set[int]:
    """The numbers of the sessions that the function makes itself."""
    return {one.number for one in record.sessions if one.own}


def own_origins(given: Value, record: Record) -> dict[Origin, int]:
    """The objects in a value that were had from sessions of the function's own, with the number of the session.

    In the order of the source: what is said of the first must not depend on the order of a set.
    """
    own = own_sessions(record)
    found = {one.origin: session_number(one.origin, record) for one in objects(given)}
    return {origin: found[origin] for origin in sorted(found, key=lambda one: one.place) if found[origin] in own}
