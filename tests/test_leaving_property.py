"""Whatever a function loads, makes and returns: it does the same once the tool has changed it, and raises nothing new.

Functions of `leaving/functions.py` are rewritten by all rules together, and run before and after on SQLite, in this
process, with the garbage collector off. Writes to a temporary folder.
"""

from __future__ import annotations

import asyncio
import contextlib
import difflib
import gc
import importlib.util
import sqlite3
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from leaving.applications import DATABASE
from leaving.functions import HEADER, READERS, Program, programs

from codemods.engine import RunRequest, run
from codemods.plan import Level
from codemods.rules import RULES
from codemods.settings import Settings

NEEDS = ("aiosqlite", "greenlet", "sqlalchemy")
MISSING = {"expunge-return"} - {rule.name for rule in RULES}

pytestmark = [
    pytest.mark.skipif(
        any(importlib.util.find_spec(name) is None for name in NEEDS), reason="the demo-app extra is not installed"
    ),
]

EXAMPLES = 260
CHANGED_AT_LEAST = EXAMPLES // 4
# ends of a reading that a change may turn into what was to be read
CURABLE = ("DetachedInstanceError", "MissingGreenlet")


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Stands for a column that cannot be read any more."""

    error: str


@dataclass(frozen=True, slots=True)
class Entity:
    """An entity as it was after the block."""

    number: int  # one for each object, in the order in which they are met
    kind: str
    state: str
    columns: Mapping[str, object]
    related: Mapping[str, object]  # of the relationships that are loaded, whom they hold


@dataclass(frozen=True, slots=True)
class Ended:
    """How a function ended."""

    returned: object
    raised: str
    broken_expunges: tuple[int, ...]  # lines of the services whose expunge raised, seen by the function or not
    rows: Mapping[str, Sequence[tuple[object, ...]]]
    out: int


class World:
    """A database for the functions, in the state it is made in whenever one of them is run."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        file = folder / "rows.db"
        monkeypatch.setenv("DATABASE_URL", f"sqlite+aiosqlite:///{file}")
        self.monkeypatch = monkeypatch
        self.database = self.module("database", DATABASE.read_text("utf-8"))
        self.runner = asyncio.Runner()
        self.runner.run(self._make())
        # isolation_level=None: what is not committed here would be in the functions' way
        self.direct = sqlite3.connect(file, isolation_level=None)
        self.start = self.rows()
        self.broken_expunges: list[int] = []
        self._watch_expunge()

    def close(self) -> None:
        self.runner.run(self.database.engine.dispose())
        self.runner.close()
        self.direct.close()

    def module(self, name: str, text: str) -> Any:
        module = ModuleType(name)
        module.__file__ = f"{name}.py"
        self.monkeypatch.setitem(sys.modules, name, module)
        exec(compile(text, module.__file__, "exec"), module.__dict__)
        return module

    async def _make(self) -> None:
        async with self.database.engine.begin() as connection:
            await connection.run_sync(self.database.Base.metadata.create_all)
            for table, rows in self.database.ROWS.items():
                await connection.execute(table.insert(), rows)

    def _watch_expunge(self) -> None:
        from sqlalchemy.ext.asyncio import AsyncSession

        expunge: Callable[[Any, object], None] = AsyncSession.expunge

        def watched(session: Any, instance: object) -> None:
            try:
                expunge(session, instance)
            except Exception:
                caller: FrameType | None = sys._getframe(1)
                self.broken_expunges.append(caller.f_lineno if caller else 0)
                raise

        self.monkeypatch.setattr(AsyncSession, "expunge", watched)

    def rows(self) -> dict[str, list[tuple[object, ...]]]:
        return {
            table.name: sorted(self.direct.execute(f"select * from {table.name}"), key=repr)
            for table in self.database.ROWS
        }

    def _restore(self) -> None:
        self.direct.execute("begin")
        for name in self.start:
            self.direct.execute(f"delete from {name}")
        for name, rows in self.start.items():
            places = ", ".join("?" for _ in rows[0])
            self.direct.executemany(f"insert into {name} values ({places})", rows)
        self.direct.execute("commit")

    def ended(self, program: Program, entry: str) -> Ended:
        """Runs one of the functions `work` and `read`."""
        services, readers = self.module("services", program.services), self.module("readers", program.readers)
        self.broken_expunges.clear()
        returned, raised = None, ""
        try:
            found = self.runner.run({"work": services, "read": readers}[entry].__dict__[entry]())
            returned = Reader().shape(found)
        except Exception as error:
            raised = type(error).__name__
        out, rows = self.database.engine.pool.checkedout(), self.rows()
        if rows != self.start:
            self._restore()
        return Ended(returned, raised, tuple(self.broken_expunges), rows, out)


class Reader:
    """Reads all that can be read of what a function returned, and loads nothing."""

    def __init__(self) -> None:
        self.seen: dict[int, object] = {}

    def shape(self, value: object) -> object:
        """Plain values that compare as what was returned reads; entities keep their identity among each other."""
        from sqlalchemy import inspect

        if isinstance(value, dict):
            return {key: self.shape(one) for key, one in value.items()}
        if isinstance(value, list | tuple):
            return type(value).__name__, [self.shape(one) for one in value]
        state = inspect(value, raiseerr=False)
        if state is None or isinstance(value, str):
            return value
        number = self.number(value)
        columns = {attribute.key: self.column(value, attribute.key) for attribute in state.mapper.column_attrs}
        loaded = [one.key for one in state.mapper.relationships if one.key not in state.unloaded]
        related = {name: self.keys(getattr(value, name)) for name in loaded}
        lives = [name for name in ("transient", "pending", "persistent", "deleted", "detached") if getattr(state, name)]
        return Entity(number, type(value).__name__, " ".join(lives), columns, related)

    def number(self, value: object) -> int:
        self.seen.setdefault(id(value), value)
        return list(self.seen).index(id(value))

    def column(self, entity: object, name: str) -> object:
        try:
            return getattr(entity, name)
        except Exception as error:
            return Unreadable(type(error).__name__)

    def keys(self, related: object) -> object:
        from sqlalchemy import inspect

        if isinstance(related, list):
            return [self.keys(one) for one in related]
        return related and (type(related).__name__, inspect(related, raiseerr=True).identity)


def no_worse(before: object, after: object) -> bool:
    """Whether everything reads as it did; what could not be read may be readable now, and more may be loaded."""
    if isinstance(before, Unreadable):
        return before.error in CURABLE or before == after
    if isinstance(before, Entity) and isinstance(after, Entity):
        return (
            (before.number, before.kind, before.state) == (after.number, after.kind, after.state)
            and no_worse(before.columns, after.columns)
            and no_worse(before.related, {name: after.related.get(name) for name in before.related})
        )
    if isinstance(before, dict) and isinstance(after, dict):
        return before.keys() == after.keys() and all(no_worse(before[key], after[key]) for key in before)
    if isinstance(before, list | tuple) and isinstance(after, list | tuple):
        return len(before) == len(after) and all(map(no_worse, before, after))
    return type(before) is type(after) and before == after


def inserted_lines(before: str, after: str) -> set[int]:
    """The lines of `after` that do not stand in `before`."""
    matcher = difflib.SequenceMatcher(None, before.splitlines(), after.splitlines(), autojunk=False)
    return {
        number + 1 for tag, _, _, first, end in matcher.get_opcodes() if tag != "equal" for number in range(first, end)
    }


def complaints(before: Ended, after: Ended, inserted: set[int]) -> list[str]:
    """What is worse than before."""
    said = []
    if broken := inserted & set(after.broken_expunges):
        said.append(f"the expunge raises that was put into line {min(broken)}")
    if after.raised != before.raised and (after.raised or before.raised not in CURABLE):
        said.append(f"raises {after.raised or 'nothing'} and not {before.raised or 'nothing'}")
    if not before.raised and not after.raised and not no_worse(before.returned, after.returned):
        said.append(f"returns {after.returned} and not {before.returned}")
    for name, rows in before.rows.items():
        if after.rows[name] != rows:
            said.append(f"leaves {after.rows[name]} in {name} and not {rows}")
    if after.out:
        said.append(f"{after.out} connections are out")
    return said


def rewritten(folder: Path, program: Program) -> Program:
    """The program as the tool leaves it."""
    texts = {"services.py": program.services, "readers.py": program.readers}
    for name, text in texts.items():
        (folder / name).write_text(text, "utf-8")
    settings = Settings(respect_gitignore=False, sqlalchemy=(2, 0), ignore=("engine-pool",))
    plan = run(RunRequest(folder, (), settings, Level.REVIEW))
    assert plan.failures == ()
    assert {change.path for change in plan.changes} <= {"services.py"}
    texts |= {change.path: change.after.decode() for change in plan.changes}
    return Program(texts["services.py"], texts["readers.py"])


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    world = World(tmp_path, monkeypatch)
    yield world
    world.close()


@contextlib.contextmanager
def held_off() -> Iterator[None]:
    """No garbage collector, which would give back what leaks; no warnings, which are errors here."""
    gc.disable()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        gc.enable()


def differences(world: World, before: Program, after: Program) -> list[str]:
    """What the rewritten program does worse, run both ways."""
    inserted = inserted_lines(before.services, after.services)
    with held_off():
        return [
            f"{entry} {complaint}"
            for entry in ("work", "read")
            for complaint in complaints(world.ended(before, entry), world.ended(after, entry), inserted)
        ]


@pytest.mark.skipif(bool(MISSING), reason=f"there is no rule {', '.join(sorted(MISSING))} yet")
@pytest.mark.parametrize("maker", ["new_session", "expiring_session"])
def test_function_does_the_same_and_raises_nothing_new(maker: str, tmp_path: Path, world: World) -> None:
    folder = tmp_path / "application"
    folder.mkdir()
    (folder / "database.py").write_bytes(DATABASE.read_bytes())
    changed: Counter[bool] = Counter()

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
    )
    @given(programs(maker))
    def does_the_same(program: Program) -> None:
        after = rewritten(folder, program)
        changed[after != program] += 1
        if after != program:
            assert differences(world, program, after) == [], after.services

    does_the_same()
    # of the functions that were drawn, so that the property does not come to hold for nothing
    assert changed[True] >= CHANGED_AT_LEAST, changed


# (what stands in the function, what stands there after a wrong change, what gives that away)
CHANGES = {
    "commits_in_finally": (
        ["try:", "    user = await session.get(User, 1)", "    user.name = 'Ada'", "    return user"],
        ["    session.expunge(user)"],
        ["finally:", "    await session.commit()"],
        "work leaves",
    ),
    "function_swallows_what_the_expunge_raises": (
        ["try:", "    user = await session.get(User, 77)", "    return user"],
        ["    session.expunge(user)"],
        ["except SQLAlchemyError:", "    return None"],
        "work the expunge raises",
    ),
    "expunge_raises": (
        ["city = City(name='Perm')", "return city"],
        ["session.expunge(city)"],
        [],
        "work raises InvalidRequestError and not nothing",
    ),
    "expires_what_is_returned": (
        ["city = await session.get(City, 1)", "return city"],
        ["session.expire(city)"],
        [],
        "work returns",
    ),
    "leaks": (
        ["city = await session.get(City, 1)", "return city"],
        ["leaked.append(new_session())", "await leaked[-1].get(City, 2)"],
        [],
        "work 1 connections are out",
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_wrong_change_would_be_noticed(name: str, world: World) -> None:
    lines, inserted, behind, noticed_by = CHANGES[name]
    *body, leaves = lines

    def program(*lines: str) -> Program:
        work = ["from database import leaked", "async def work():", "    async with new_session() as session:"]
        services = HEADER + "\n".join([*work, *(f"        {line}" for line in lines)]) + "\n"
        return Program(services, READERS + "async def read():\n    return await work()\n")

    leaked = world.database.leaked = []
    before, after = program(*body, leaves, *behind), program(*body, *inserted, leaves, *behind)
    assert differences(world, before, before) == []
    said = differences(world, before, after)
    for session in leaked:
        world.runner.run(session.close())
    assert any(one.startswith(noticed_by) for one in said), said
