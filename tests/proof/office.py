"""The rows that every trial begins with. Plain data; ids follow from the visitor and the round.

A visitor asks for things one after the other, in rounds. What it reads belongs to it and is changed by nobody; what it
changes belongs to it and to one round. So most answers are the same whatever the other visitors do meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

VISITORS = 8
MOST_ROUNDS = 20

Rows = Mapping[str, Sequence[Mapping[str, Any]]]

# the nightly jobs take what is old, and nothing of the rest for a long time to come
LONG_AGO = datetime(2020, 1, 1, 8, 0)
DAY = datetime(2099, 5, 6, 8, 0)

CITIES = ("Brno", "Oslo", "Riga")
STEADY_CITY, BOOKED_CITY, GROWING_CITY = 1, 2, 3
RECRUITER = 1
OLD_USER = 1


def first(visitor: int) -> int:
    """Where the ids of the visitor begin, in every table."""
    return 1000 * (visitor + 1)


def steady(visitor: int) -> int:
    """A candidate, an order, a note, a message and a free slot that nobody changes; the slot after it is booked."""
    return first(visitor) + 1


def moving(visitor: int) -> int:
    """A candidate, an order, a note and a message that get more and more."""
    return first(visitor) + 3


def unread(visitor: int, turn: int) -> int:
    """A candidate with two unread messages."""
    return first(visitor) + 100 + turn


def leaving(visitor: int, turn: int) -> int:
    """A candidate to delete; a note to delete; a slot to book; an order to ship."""
    return first(visitor) + 200 + turn


def hired(visitor: int, turn: int) -> int:
    """A candidate to hire; a booked slot to confirm; an item to try again."""
    return first(visitor) + 300 + turn


def account(user: int) -> int:
    """The telegram id of a candidate."""
    return 6_000_000_000 + user


def new_account(visitor: int, turn: int, number: int) -> int:
    """One that nobody has yet."""
    return 7_000_000_000 + 10_000 * visitor + 10 * turn + number


def rows(visitors: int = VISITORS, rounds: int = MOST_ROUNDS) -> Rows:
    """All rows by table, in an order that foreign keys allow."""
    found: dict[str, list[dict[str, Any]]] = {
        "cities": [{"id": number, "name": name, "timezone": "UTC"} for number, name in enumerate(CITIES, 1)],
        "recruiters": [{"id": RECRUITER, "name": "Eva", "telegram_id": 5_000_000_001, "is_active": True}],
        "recruiter_cities": [{"recruiter_id": RECRUITER, "city_id": city} for city in (1, 2, 3)],
        **{name: [] for name in ("users", "slots", "orders", "items", "notes", "messages")},
        "reports": [{"id": 1, "kind": "monthly", "payload": {"new": 1}, "created_at": LONG_AGO}],
    }

    def user(user_id: int, name: str, status: str = "new", city_id: int | None = None) -> None:
        seen = LONG_AGO if status == "interview" else None
        found["users"].append(
            {
                "id": user_id,
                "telegram_id": account(user_id),
                "full_name": name,
                "phone": None,
                "status": status,
                "city_id": city_id,
                "last_seen_at": seen,
                "created_at": LONG_AGO,
            }
        )

    def message(message_id: int, user_id: int, text: str, is_read: bool = False, delivery: str = "none") -> None:
        direction = "in" if delivery == "none" else "out"
        created = LONG_AGO if user_id == OLD_USER else DAY
        common = {"id": message_id, "user_id": user_id, "text": text, "created_at": created}
        found["messages"].append({**common, "direction": direction, "is_read": is_read, "delivery": delivery})

    def note(note_id: int, user_id: int, text: str, parent_id: int | None = None) -> None:
        common = {"id": note_id, "user_id": user_id, "parent_id": parent_id}
        found["notes"].append({**common, "author": "Eva", "text": text, "created_at": LONG_AGO})

    def slot(slot_id: int, city_id: int, starts_at: datetime, candidate_id: int | None = None) -> None:
        status = "free" if candidate_id is None else "booked"
        found["slots"].append(
            {
                "id": slot_id,
                "recruiter_id": RECRUITER,
                "city_id": city_id,
                "candidate_id": candidate_id,
                "starts_at": starts_at,
                "status": status,
                "reminded_at": None,
                "created_at": LONG_AGO,
            }
        )

    def order(order_id: int, user_id: int, states: Mapping[int, str]) -> None:
        found["orders"].append({"id": order_id, "user_id": user_id, "state": "open", "created_at": LONG_AGO})
        for item_id, state in states.items():
            common = {"id": item_id, "order_id": order_id, "title": f"Thing {item_id}"}
            found["items"].append({**common, "state": state, "attempts": int(state == "ready")})

    user(OLD_USER, "Rejected long ago", "rejected")
    message(1, OLD_USER, "read long ago", is_read=True)
    slot(1, BOOKED_CITY, LONG_AGO, OLD_USER)  # is released
    for visitor in range(visitors):
        known, more = steady(visitor), moving(visitor)
        found["recruiters"].append(
            {"id": first(visitor), "name": f"Recruiter {visitor}", "telegram_id": None, "is_active": True}
        )
        user(known, f"Steady {visitor}", "interview", STEADY_CITY)
        user(more, f"Moving {visitor}")
        for number, text in enumerate(("Good morning", "Is it today?", "Hello?")):
            message(known + number, known, text, is_read=number == 0)
        message(more + 10, more, "Welcome", delivery="queued")
        note(known, known, "Speaks Czech")
        note(known + 1, known, "and Norwegian", known)
        note(more, more, "Late")
        soon = DAY + timedelta(minutes=10 * visitor)
        slot(known, STEADY_CITY, soon)
        slot(known + 1, STEADY_CITY, soon + timedelta(minutes=5), known)
        order(known, known, {known: "ready", known + 1: "open"})
        order(more, more, {})
        for turn in range(rounds):
            later = soon + timedelta(days=turn + 1)
            user(unread(visitor, turn), f"Unread {visitor}.{turn}")
            message(unread(visitor, turn), unread(visitor, turn), "Anybody there?")
            message(unread(visitor, turn) + 300, unread(visitor, turn), "Hello?")
            user(leaving(visitor, turn), f"Leaving {visitor}.{turn}")
            user(hired(visitor, turn), f"Hired {visitor}.{turn}")
            note(leaving(visitor, turn), more, "Wrong candidate")
            slot(leaving(visitor, turn), BOOKED_CITY, later)
            slot(hired(visitor, turn), BOOKED_CITY, later, known)
            order(leaving(visitor, turn), more, {leaving(visitor, turn): "ready"})
            order(hired(visitor, turn), more, {hired(visitor, turn): "open"})
    return found
