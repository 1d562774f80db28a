"""What a trial of a scheduled task is: a small FastAPI application, the requests made to it, and how it all ends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from textwrap import dedent
from typing import Any

DATABASE = Path(__file__).with_name("database.py")

# where the application hands over what leaves it, so that a task that ran can be seen to have run
MAIL = '''\
"""Sends messages: here by keeping them."""

sent: list[str] = []


def send(text: str) -> None:
    sent.append(text)
'''

ENDS_AFTER_TASKS = "installed"
"""The FastAPI that is installed: what follows the `yield` of a dependency runs when the tasks are over."""

ENDS_BEFORE_TASKS = "0.115.14"
"""One of those (0.106 to 0.117) in which it runs before the response is sent, and so before the tasks."""

ENDED_AFTER_TASKS = "0.105.0"
"""The last one before those, which does as the installed one."""

FRAMEWORKS = (ENDS_AFTER_TASKS, ENDS_BEFORE_TASKS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """What came of an application when all of its tasks were over."""

    responses: tuple[str, ...]  # status and body
    written: tuple[str, ...] = ()  # what is in the database that was not, by row
    sent: tuple[str, ...] = ()  # messages, in their order
    failed: tuple[str, ...] = ()  # the names of exceptions that nobody handled
    out: int = 0  # connections that were not given back


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """One application as it was written.

    `ends` is how it is meant to end, and how it ends once the tool has changed it. `differs` says where it ended
    otherwise as it was written: framework -> fields of `Ending`.
    """

    name: str
    files: Mapping[str, str]
    requests: tuple[str, ...]
    ends: Ending
    differs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    sites: int = 1  # the calls that change: 0 where the session may stay
    frameworks: tuple[str, ...] = FRAMEWORKS
    databases: tuple[str, ...] = ("sqlite", "postgresql")

    @property
    def all_files(self) -> dict[str, str]:
        """The application with the modules that all of them have, by file name."""
        return {"database.py": DATABASE.read_text("utf-8"), "mail.py": MAIL, **self.files}

    def as_written(self, framework: str) -> Ending:
        """How it ended before anything was changed."""
        return replace(self.ends, **self.differs.get(framework, {}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Trap:
    """A shape in which ids instead of entities and sessions break what worked, and the change that would do so."""

    shape: Shape
    wrong: Mapping[str, str]  # all of the application after that change
    gives_away: str  # the field of `Ending` that shows it
    noticed_on: tuple[str, ...]  # the frameworks on which it shows
    because: str  # what the refusal says; "" where it is only settled that nothing changes


def shape(name: str, files: Mapping[str, str], *requests: str, ends: Ending, **others: Any) -> Shape:
    """A shape with the given modules, each of which may be indented as a whole."""
    written = {f"{module}.py": module_text(text) for module, text in files.items()}
    return Shape(name=name, files=written, requests=requests, ends=ends, **others)


def trap(
    shape: Shape,
    tasks: str,
    *replaced: tuple[str, str],
    gives_away: str,
    because: str = "",
    on: tuple[str, ...] | None = None,
) -> Trap:
    """A trap whose wrong change writes the module `tasks` anew, and replaces some code of the module `app`.

    What is replaced stands there once. The change shows wherever the dependency ends after the tasks, if not said.
    """
    app = shape.files["app.py"]
    for old, new in replaced:
        assert app.count(old) == 1, (shape.name, old)
        app = app.replace(old, new)
    wrong = {**shape.all_files, "tasks.py": module_text(tasks), "app.py": app}
    noticed_on = on if on is not None else tuple(one for one in shape.frameworks if one != ENDS_BEFORE_TASKS)
    return Trap(shape=shape, wrong=wrong, gives_away=gives_away, noticed_on=noticed_on, because=because)


def module_text(text: str) -> str:
    return dedent(text).lstrip("\n")


# what most tasks do; it is lost where the session was closed: then the item belongs to none
MARK_DONE = """
from sqlalchemy.ext.asyncio import AsyncSession

from database import Item
from mail import send


async def process_item(item: Item, session: AsyncSession) -> None:
    \"\"\"Marks an item as done.\"\"\"
    item.state = "done"
    await session.commit()
    send(f"{item.name} is done")
"""
TEA_DONE = Ending(responses=('200 {"name":"tea"}',), written=("items 1: state='done'",), sent=("tea is done",))
