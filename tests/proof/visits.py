"""What visitors ask for: every operation of the application, right and wrong, the same each time. Plain data.

No request needs the answer to another one, and none of them is right only in a certain order.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from proof import office

NOBODY = 999_999

LEFT_ALONE: Mapping[str, str] = {"GET /admin/support/{telegram_id}": "app.routers.deps.support_session"}
"""The operations that keep a connection after the migration, too, each with the function that the tool left alone."""


class Answer(enum.Enum):
    """How far the body of an answer depends on what others do meanwhile."""

    OWN = "not at all"
    NUMBERED = "by the id of the new row"
    SHARED = "altogether"


@dataclass(frozen=True, slots=True)
class Visit:
    """One request. `task` is what must be done later when it is answered, `about` the row where it is not a new one."""

    operation: str  # as in the OpenAPI document: method and template
    path: str
    status: int = 200
    parameters: Mapping[str, str | int] = field(default_factory=dict)
    body: Any = None
    answer: Answer = Answer.OWN
    task: str | None = None
    about: int | None = None
    before: int | None = None  # the status as long as the application is not migrated, where that is another

    @property
    def method(self) -> str:
        return self.operation.partition(" ")[0]


def calm() -> Iterator[Visit]:
    """One of every kind, one after the other; also those that only the migration makes work, and those left alone."""
    yield from visits(0, 0)
    # reads a relationship after the block, which eager loading cures
    yield Visit("GET /slots/{slot_id}/label", f"/slots/{office.steady(0) + 1}/label", before=500)
    yield from left_alone(0)


def turn_of(visitor: int, turn: int) -> Iterator[Visit]:
    """What the visitor asks for in this turn; every visitor begins at another place."""
    every = list(visits(visitor, turn))
    begin = visitor * len(every) // office.VISITORS
    yield from every[begin:]
    yield from every[:begin]


def left_alone(visitor: int) -> Iterator[Visit]:
    """The operations of LEFT_ALONE."""
    account = office.account(office.steady(visitor))
    yield Visit("GET /admin/support/{telegram_id}", f"/admin/support/{account}")


def visits(visitor: int, turn: int) -> Iterator[Visit]:
    """Every operation but those of LEFT_ALONE."""
    yield from _users(visitor, turn)
    yield from _messages(visitor, turn)
    yield from _slots(visitor, turn)
    yield from _notes(visitor, turn)
    yield from _orders(visitor, turn)
    yield from _places(visitor, turn)
    yield from _office(visitor, turn)


def _users(visitor: int, turn: int) -> Iterator[Visit]:
    steady, hired = office.steady(visitor), office.hired(visitor, turn)
    new = {"full_name": f"New {visitor}.{turn}", "city_id": office.GROWING_CITY}
    added = new | {"telegram_id": office.new_account(visitor, turn, 0)}
    yield Visit("POST /users", "/users", 201, body=added, answer=Answer.NUMBERED, task="greet_user")
    yield Visit("POST /users", "/users", 409, body=new | {"telegram_id": office.account(steady)})
    yield Visit("GET /users", "/users", parameters={"city_id": office.STEADY_CITY})
    yield Visit("GET /users", "/users", parameters={"term": f"steady {visitor}"})
    yield Visit("GET /users/count", "/users/count", parameters={"status": "hired"}, answer=Answer.SHARED)
    yield Visit("GET /users/{user_id}", f"/users/{steady}")
    yield Visit("GET /users/{user_id}", f"/users/{NOBODY}", 404)
    yield Visit("GET /users/{user_id}/card", f"/users/{steady}/card")
    yield Visit("GET /users/{user_id}/card", f"/users/{NOBODY}/card", 404)
    yield Visit("PUT /users/{user_id}/status", f"/users/{hired}/status", 204, body={"status": "hired"})
    yield Visit("PUT /users/{user_id}/status", f"/users/{steady}/status", 204, body={"status": "interview"})
    yield Visit("PUT /users/{user_id}/status", f"/users/{steady}/status", 422, body={"status": "lost"})
    yield Visit("PUT /users/{user_id}/status", f"/users/{NOBODY}/status", 404, body={"status": "hired"})
    yield Visit("DELETE /users/{user_id}", f"/users/{office.leaving(visitor, turn)}", 204)
    yield Visit("DELETE /users/{user_id}", f"/users/{NOBODY}", 404)


def _messages(visitor: int, turn: int) -> Iterator[Visit]:
    steady, moving = office.steady(visitor), office.moving(visitor)
    post = "POST /users/{user_id}/messages"
    body = {"text": f"See you in {turn} days"}
    yield Visit("GET /users/{user_id}/messages", f"/users/{steady}/messages")
    yield Visit("GET /users/{user_id}/messages/last", f"/users/{steady}/messages/last")
    yield Visit(post, f"/users/{moving}/messages", 202, body=body, answer=Answer.NUMBERED, task="deliver_message")
    yield Visit(post, f"/users/{NOBODY}/messages", 404, body=body)
    yield Visit("POST /messages/{message_id}/resend", f"/messages/{moving + 10}/resend")
    yield Visit("POST /messages/{message_id}/resend", f"/messages/{NOBODY}/resend", 404)
    yield Visit("POST /users/{user_id}/messages/read", f"/users/{office.unread(visitor, turn)}/messages/read")
    yield Visit("GET /users/{user_id}/messages.txt", f"/users/{steady}/messages.txt")
    yield Visit("GET /users/{user_id}/messages.txt", f"/users/{NOBODY}/messages.txt", 404)
    yield Visit("GET /users/{user_id}/unread", f"/users/{steady}/unread")
    yield Visit("GET /messages/unread", "/messages/unread", answer=Answer.SHARED)


def _slots(visitor: int, turn: int) -> Iterator[Visit]:
    steady, booking, confirming = office.steady(visitor), office.leaving(visitor, turn), office.hired(visitor, turn)
    offered = {
        "recruiter_id": office.RECRUITER,
        "city_id": office.GROWING_CITY,
        "starts_at": office.DAY.replace(year=office.DAY.year + 1, minute=turn, hour=visitor).isoformat(),
    }
    book = "POST /slots/{slot_id}/book"
    somebody = {"user_id": steady}
    yield Visit("POST /slots", "/slots", 201, body=offered, answer=Answer.NUMBERED)
    yield Visit("GET /slots", "/slots", parameters={"city_id": office.STEADY_CITY, "status": "free"})
    yield Visit("GET /slots/plan", "/slots/plan", parameters={"day": f"{office.DAY:%Y-%m-%d}"}, answer=Answer.SHARED)
    yield Visit("GET /slots/free/{city_id}", f"/slots/free/{office.BOOKED_CITY}", answer=Answer.SHARED)
    yield Visit("GET /slots/free/{city_id}", f"/slots/free/{NOBODY}", 404)
    yield Visit(book, f"/slots/{booking}/book", body=somebody, task="notify_recruiter", about=booking)
    yield Visit(book, f"/slots/{steady + 1}/book", body=somebody)
    yield Visit(book, f"/slots/{NOBODY}/book", body=somebody)
    yield Visit(
        "POST /slots/{slot_id}/confirm", f"/slots/{confirming}/confirm", 202, task="confirm_slot", about=confirming
    )
    yield Visit("GET /slots/{slot_id}/label", f"/slots/{steady}/label")
    yield Visit("GET /slots/{slot_id}/label", f"/slots/{NOBODY}/label", 404)
    yield Visit("POST /slots/release", "/slots/release", answer=Answer.SHARED)


def _notes(visitor: int, turn: int) -> Iterator[Visit]:
    steady, moving = office.steady(visitor), office.moving(visitor)
    post = "POST /users/{user_id}/notes"
    note = {"author": "Eva", "text": f"Note {turn}"}
    yield Visit("GET /users/{user_id}/notes", f"/users/{steady}/notes")
    yield Visit(post, f"/users/{moving}/notes", 201, body=note, answer=Answer.NUMBERED)
    yield Visit(post, f"/users/{moving}/notes", 201, body=note | {"parent_id": moving}, answer=Answer.NUMBERED)
    yield Visit(post, f"/users/{moving}/notes", 422, body=note | {"parent_id": steady})
    yield Visit("GET /users/{user_id}/notes/count", f"/users/{steady}/notes/count")
    yield Visit("POST /users/{user_id}/notes/copy-to/{other_id}", f"/users/{steady}/notes/copy-to/{moving}")
    yield Visit("GET /notes/{note_id}", f"/notes/{steady}")
    yield Visit("GET /notes/{note_id}", f"/notes/{NOBODY}", 404)
    yield Visit("GET /notes/{note_id}/size", f"/notes/{steady}/size")
    yield Visit("DELETE /notes/{note_id}", f"/notes/{office.leaving(visitor, turn)}", 204)
    yield Visit("DELETE /notes/{note_id}", f"/notes/{NOBODY}", 404)


def _orders(visitor: int, turn: int) -> Iterator[Visit]:
    steady, moving = office.steady(visitor), office.moving(visitor)
    order = {"user_id": moving, "items": ["Laptop", "Phone"]}
    item = {"title": f"Chair {turn}"}
    retried = office.hired(visitor, turn)
    yield Visit("POST /orders", "/orders", 201, body=order, answer=Answer.NUMBERED)
    yield Visit("GET /orders/{order_id}", f"/orders/{steady}")
    yield Visit("GET /orders/{order_id}", f"/orders/{NOBODY}", 404)
    yield Visit("GET /orders/{order_id}/items", f"/orders/{steady}/items")
    yield Visit("GET /orders/{order_id}/items", f"/orders/{NOBODY}/items", 404)
    yield Visit("GET /orders/{order_id}/progress", f"/orders/{steady}/progress")
    yield Visit("POST /orders/{order_id}/ship", f"/orders/{office.leaving(visitor, turn)}/ship")
    yield Visit(
        "POST /orders/{order_id}/items",
        f"/orders/{moving}/items",
        202,
        body=item,
        answer=Answer.NUMBERED,
        task="process_item",
    )
    yield Visit(
        "POST /orders/{order_id}/spare-items",
        f"/orders/{moving}/spare-items",
        202,
        body=item,
        answer=Answer.NUMBERED,
        task="prepare_item",
    )
    yield Visit("POST /orders/items/{item_id}/retry", f"/orders/items/{retried}/retry")
    yield Visit("POST /orders/items/{item_id}/retry", f"/orders/items/{NOBODY}/retry", 404)


def _places(visitor: int, turn: int) -> Iterator[Visit]:
    own = office.first(visitor)
    yield Visit("GET /cities", "/cities")
    yield Visit("GET /cities/named/{name}", "/cities/named/brno")
    yield Visit("GET /cities/named/{name}", "/cities/named/Nowhere", 404)
    yield Visit("GET /cities/{city_id}", f"/cities/{office.STEADY_CITY}")
    yield Visit("GET /cities/{city_id}", f"/cities/{NOBODY}", 404)
    yield Visit("GET /cities/{city_id}/candidates/count", f"/cities/{office.STEADY_CITY}/candidates/count")
    yield Visit("GET /recruiters/{recruiter_id}", f"/recruiters/{office.RECRUITER}")
    yield Visit("GET /recruiters/{recruiter_id}", f"/recruiters/{NOBODY}", 404)
    yield Visit("GET /recruiters.csv", "/recruiters.csv", answer=Answer.SHARED)
    rename = "PUT /recruiters/{recruiter_id}/name"
    yield Visit(rename, f"/recruiters/{own}/name", 204, body={"name": f"Renamed {turn}"})
    yield Visit(rename, f"/recruiters/{own}/name", 422, body={"name": " "})
    yield Visit(rename, f"/recruiters/{NOBODY}/name", 404, body={"name": "Zed"})


def _office(visitor: int, turn: int) -> Iterator[Visit]:
    account = office.account(office.steady(visitor))
    new = {"name": f"New {visitor}.{turn}", "cities": ["Riga", "Brno"], "telegram_id": None}
    lines = "".join(f"{office.new_account(visitor, turn, number)};Fair {number};Riga\n" for number in (1, 2))
    yield Visit("GET /admin/health", "/admin/health")
    yield Visit("POST /admin/recruiters", "/admin/recruiters", 201, body=new, answer=Answer.NUMBERED)
    yield Visit("GET /admin/dashboard", "/admin/dashboard", answer=Answer.SHARED)
    yield Visit("GET /admin/reports/kinds", "/admin/reports/kinds", answer=Answer.SHARED)
    yield Visit("POST /admin/reports/weekly", "/admin/reports/weekly", answer=Answer.SHARED)
    yield Visit("GET /admin/activity/{telegram_id}", f"/admin/activity/{account}")
    yield Visit("GET /admin/activity/{telegram_id}", f"/admin/activity/{NOBODY}")
    yield Visit("GET /admin/candidates.csv", "/admin/candidates.csv", answer=Answer.SHARED)
    yield Visit("POST /admin/import", "/admin/import", body={"content": lines})
    yield Visit("POST /admin/cleanup", "/admin/cleanup", answer=Answer.SHARED)
