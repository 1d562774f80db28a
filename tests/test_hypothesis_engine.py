"""Whatever a function does around its sessions: the rewritten one does the same, and closes them.

Functions are generated, rewritten by the engine, and both forms are executed against a fake session that records what
is done with it and raises where it is told to. Writes to a temporary folder; needs no database.
"""

from __future__ import annotations

import ast
import asyncio
import io
import tokenize
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from codemods.engine import RunRequest, run
from codemods.plan import Level, Plan
from codemods.settings import Settings

MAKERS = ("new_session", "open_session", "report_session", "audit_session")
HEADER = """# what stands above
from sqlalchemy import select
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine

from .models import User  \t# odd   spacing

engine = create_async_engine("sqlite+aiosqlite://")
new_session = async_sessionmaker(engine)
open_session = async_sessionmaker(engine)
report_session = async_sessionmaker(engine)
audit_session = async_sessionmaker(engine)


async def helper(session, number):
    return await session.scalar(select(User.id).where(number))


"""
SYNC_HEADER = HEADER.replace("await ", "").replace("async ", "").replace("async_", "").replace(".ext.asyncio", ".orm")
FOOTER = """

x  =  1   # what stands below
"""

# --- functions ------------------------------------------------------------------------------------------------------

NAMES = ("session", "other")
VALUES = ("a", "b")


@dataclass
class Writer:
    """Draws the lines of a function."""

    draw: st.DrawFn
    numbers: int = 0
    makers: list[str] = field(default_factory=lambda: list(MAKERS[2:]))

    def number(self) -> int:
        self.numbers += 1
        return self.numbers

    def one_of(self, *options: str) -> str:
        return self.draw(st.sampled_from(options))

    def body(self, indent: str, depth: int, in_loop: bool, most: int = 4) -> list[str]:
        lines: list[str] = []
        for _ in range(self.draw(st.integers(1, most))):
            if self.draw(st.integers(0, 4)) == 0:
                lines += self.one_of("", f"{indent}# note {self.number()}", f"{indent}#far {self.number()}\n").split(
                    "\n"
                )
            lines += self.statement(indent, depth, in_loop)
        return lines

    def statement(self, indent: str, depth: int, in_loop: bool) -> list[str]:
        kinds = ["use"] * 5 + ["plain"] * 3 + ["read", "close", "close", "make", "leave", "rare"]
        if depth < 3:
            kinds += ["if", "if", "for", "while", "try", "try", "with", "open"]
        match self.one_of(*kinds):
            case "make" if self.makers:
                return self.make(indent)
            case "use":
                return self.simple(indent, self.use())
            case "rare":
                return self.simple(indent, self.rare())
            case "open" if self.makers:
                head = f"async with {self.makers.pop(0)}() as {self.name()}:"
                return [*self.simple(indent, head), *self.body(f"{indent}    ", depth + 1, in_loop, 3)]
            case "open":
                return [f"{indent}async with {self.name()}:", *self.body(f"{indent}    ", depth + 1, in_loop, 3)]
            case "read":
                return self.simple(indent, f"note({self.one_of(*VALUES)}.name, {self.number()})")
            case "close":
                return self.simple(indent, f"await {self.name()}.close()")
            case "leave":
                ways = [f"return {self.one_of(*VALUES)}", "return", f"raise ValueError({self.number()})"]
                ways += ["break", "continue"] if in_loop else []
                return self.simple(indent, self.one_of(*ways))
            case "if":
                lines = [f"{indent}if holds({self.number()}):", *self.body(f"{indent}    ", depth + 1, in_loop, 2)]
                if self.draw(st.booleans()):
                    lines += [f"{indent}else:", *self.body(f"{indent}    ", depth + 1, in_loop, 2)]
                return lines
            case "for":
                head = f"for {self.one_of('a', 'i')} in (1, 2):"
                return [indent + head, *self.body(f"{indent}    ", depth + 1, True, 3)]
            case "while":
                return [f"{indent}while holds({self.number()}):", *self.body(f"{indent}    ", depth + 1, True, 3)]
            case "try":
                return self.try_(indent, depth, in_loop)
            case "with":
                head = self.one_of("with", "async with")
                return [f"{indent}{head} guard({self.number()}):", *self.body(f"{indent}    ", depth + 1, in_loop, 3)]
            case _:
                plain = [f"note({self.number()})", f"{self.one_of(*VALUES)} = {self.number()}", "pass"]
                return self.simple(indent, self.one_of(*plain))

    def try_(self, indent: str, depth: int, in_loop: bool) -> list[str]:
        def inner(most: int = 2) -> list[str]:
            return self.body(f"{indent}    ", depth + 1, in_loop, most)

        lines = [f"{indent}try:", *inner(3)]
        shape = self.one_of("except", "finally", "both", "else")
        if shape != "finally":
            caught = self.one_of("except Boom:", "except Exception:", "except ValueError as error:")
            lines += [indent + caught, *inner()]
            if self.draw(st.booleans()):
                lines.append(f"{indent}    raise")
        if shape == "else":
            lines += [f"{indent}else:", *inner()]
        if shape in ("finally", "both"):
            closing = [f"{indent}    await {self.name()}.close()"] if self.draw(st.booleans()) else inner()
            lines += [f"{indent}finally:", *closing]
        return lines

    def name(self) -> str:
        return self.one_of(NAMES[0], NAMES[0], NAMES[1])

    def make(self, indent: str) -> list[str]:
        return self.simple(indent, f"{self.name()} = {self.makers.pop(0)}()")

    def use(self) -> str:
        name, value = self.name(), self.one_of(*VALUES)
        return self.one_of(
            f"{value} = await {name}.scalar(select(User.id).where({self.number()}))",
            f"{value} = await {name}.get(User, {self.number()})",
            f"await {name}.execute(select(User).where({self.number()}))",
            f"{name}.add(User({self.number()}))",
            f"await {name}.commit()",
            f"await {name}.rollback()",
            f"{value} = await helper({name}, {self.number()})",
            f"found.append(await {name}.get(User, {self.number()}))",
            f"{value} = [await {name}.get(User, i) for i in (1, 2)][0]",
            f"if holds({self.number()}): await {name}.commit()",
            f"{value} = (\n    await {name}.get(User, {self.number()})  # inside {self.number()}\n)",
        )

    def rare(self) -> str:
        name, value = self.name(), self.one_of(*VALUES)
        return self.one_of(
            f"{name} = None",
            f"del {name}",
            f"return await {name}.get(User, {self.number()})",
            f"return {value}.name",
            f"return {name}",
            f"{value} = {name}",
            f"later = lambda: {name}.add({self.number()})",
            f"assert {name} is not None",
            f"if {name}:\n    await {name}.close()",
            f"found = [{value}]",
            f"note(*[one.name for one in found], {self.number()})",
            f'note("""\n  {name} = new_session()  # no comment {self.number()}\n""")',
        )

    def simple(self, indent: str, text: str) -> list[str]:
        comment = f"  # c{self.number()}" if self.draw(st.integers(0, 3)) == 0 else ""
        return [indent + line for line in f"{text}{comment}".split("\n")]


@st.composite
def functions(draw: st.DrawFn) -> str:
    """The text of `async def work()`: makes a session, does something, maybe makes another."""
    writer = Writer(draw)
    lines = ["async def work():"]
    if draw(st.booleans()):
        lines.append('    """Does it."""')
    if draw(st.booleans()):
        lines += writer.body("    ", 1, False, 1)
    lines.append(f"    session = {MAKERS[0]}()")
    if draw(st.integers(0, 2)) == 0:
        lines += writer.body("    ", 2, False, 1)
        lines.append(f"    other = {MAKERS[1]}()")
    lines += writer.body("    ", 0, False, 6)
    text = "\n".join(lines) + "\n"
    if draw(st.integers(0, 3)) == 0:
        text = text.replace("await ", "").replace("async ", "")
    compile(text, "generated", "exec")
    return text


# --- execution ------------------------------------------------------------------------------------------------------


class Boom(Exception):
    """Raised where the script says so."""


class World:
    """What the functions act on. The script decides, event by event, what raises and what holds."""

    def __init__(self, script: list[int]) -> None:
        self.script = script
        self.events: list[tuple[object, ...]] = []
        self.reads: list[bool] = []  # of something loaded: whether its session was still alive
        self.made: dict[str, list[FakeSession]] = {name: [] for name in MAKERS}

    def happens(self, *what: object) -> int:
        self.events.append(what)
        index = len(self.events) - 1
        outcome = self.script[index] if index < len(self.script) else 0
        if outcome == 9:
            raise Boom(index)
        return outcome

    def namespace(self, is_async: bool) -> dict[str, Any]:
        return {
            **{name: self.maker(name, is_async) for name in MAKERS},
            "Boom": Boom,
            "User": _Column,
            "select": _Column,
            "note": lambda *given: self.happens("note", *map(str, given)),
            "holds": lambda number: self.happens("holds", number) % 2 == 1,
            "guard": lambda number: Guard(self, number),
            "found": [],
            "helper": _helper if is_async else _sync_helper,
        }

    def maker(self, name: str, is_async: bool) -> Callable[[], FakeSession]:
        def make() -> FakeSession:
            self.made[name].append((FakeSession if is_async else FakeSyncSession)(self, name))
            return self.made[name][-1]

        return make

    def execute(self, text: str) -> tuple[object, ...]:
        """Runs `work()`; how it ended."""
        is_async = text.startswith("async ")
        namespace = self.namespace(is_async)
        exec(compile(text, "generated", "exec"), namespace)
        try:
            result = namespace["work"]()
            return "returned", str(asyncio.run(result) if is_async else result)
        except Exception as error:
            return type(error), str(error)


class _Column:
    id = 0

    def __init__(self, number: object) -> None:
        self.number = number

    def where(self, number: int) -> _Column:
        return _Column(number)

    def __str__(self) -> str:
        return f"column {self.number}"


class FakeSession:
    """Records every use; `begun` from a use until the next close."""

    def __init__(self, world: World, maker: str) -> None:
        self.world, self.maker = world, maker
        self.begun = False
        self.closings = 0

    def __str__(self) -> str:
        return f"session of {self.maker}"

    def use(self, method: str, *given: object) -> None:
        self.begun = True
        self.world.happens(self.maker, method, *map(str, given))

    async def execute(self, statement: object) -> None:
        self.use("execute", statement)

    async def scalar(self, statement: object) -> str:
        self.use("scalar", statement)
        return f"value of {self.maker}"

    async def get(self, entity: object, key: int) -> Loaded:
        self.use("get", key)
        return Loaded(self)

    def add(self, instance: object) -> None:
        self.use("add", instance)

    async def commit(self) -> None:
        self.use("commit")

    async def rollback(self) -> None:
        self.use("rollback")

    async def close(self) -> None:
        self.begun = False
        self.closings += 1

    async def __aenter__(self) -> FakeSession:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()


class FakeSyncSession(FakeSession):
    """The same, of functions that are not async."""

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        return partial(_driven, found) if asyncio.iscoroutinefunction(found) else found

    def __enter__(self) -> FakeSyncSession:
        return self

    def __exit__(self, *error: object) -> None:
        _driven(super().close)


def _driven(method: Callable[..., Any], *given: Any) -> Any:
    """Runs a coroutine that waits for nothing."""
    try:
        method(*given).send(None)
    except StopIteration as stop:
        return stop.value
    raise AssertionError("it waits")


async def _helper(session: FakeSession, number: int) -> str:
    return await session.scalar(_Column(number))


def _sync_helper(session: FakeSession, number: int) -> Any:
    return session.scalar(_Column(number))


class Loaded:
    """An entity: what is read of it is loaded lazily, as long as nothing closed its session since."""

    def __init__(self, owner: FakeSession) -> None:
        self.owner, self.closings = owner, owner.closings

    @property
    def name(self) -> str:
        self.owner.world.reads.append(self.owner.closings == self.closings)
        return "name"

    def __str__(self) -> str:
        return f"entity of {self.owner.maker}"


class Guard:
    """A lock, as far as it matters."""

    def __init__(self, world: World, number: int) -> None:
        self.world, self.number = world, number

    def __enter__(self) -> None:
        self.world.happens("enter", self.number)

    def __exit__(self, *error: object) -> None:
        self.world.happens("exit", self.number)

    async def __aenter__(self) -> None:
        self.__enter__()

    async def __aexit__(self, *error: object) -> None:
        self.__exit__()


# --- properties -----------------------------------------------------------------------------------------------------

quickly = settings(
    max_examples=120,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.filter_too_much],
)
scripts = st.lists(st.lists(st.sampled_from([0, 0, 1, 1, 2, 3, 9]), max_size=14), min_size=1, max_size=6)


def rewritten(folder: Path, function: str, level: Level) -> tuple[Plan, str]:
    """The plan for a module with this function, and the text of the function afterwards."""
    path = folder / "service.py"
    header = HEADER if function.startswith("async ") else SYNC_HEADER
    before = header + function + FOOTER
    path.write_bytes(before.encode())
    plan = run(RunRequest(folder, (), Settings(respect_gitignore=False, ignore=("engine-pool",)), level))
    assert path.read_bytes() == before.encode()
    assert plan.failures == ()
    if not plan.changes:
        return plan, function
    (change,) = plan.changes
    after = change.after.decode()
    assert after.startswith(header)
    assert after.endswith(FOOTER)
    return plan, after[len(header) : -len(FOOTER)]


def changed_makers(plan: Plan, function: str) -> set[str]:
    """The makers whose sessions the plan puts into a block."""
    header = HEADER if function.startswith("async ") else SYNC_HEADER
    lines = (header + function).split("\n")
    made = [lines[finding.site.line - 1] for group in plan.included for finding in group.findings]
    return {name for line in made for name in MAKERS if f" {name}()" in line}


def made_in(function: str) -> int:
    """How many calls of a maker stand in the function."""
    calls = [node.func for node in ast.walk(ast.parse(function)) if isinstance(node, ast.Call)]
    return len([called for called in calls if isinstance(called, ast.Name) and called.id in MAKERS])


def comments(text: str) -> Counter[str]:
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return Counter(token.string for token in tokens if token.type == tokenize.COMMENT)


@quickly
@given(function=functions())
def test_every_comment_is_kept_and_a_second_run_is_quiet(tmp_path: Path, function: str) -> None:
    plan, after = rewritten(tmp_path, function, Level.REVIEW)
    assume(plan.changes)
    compile(after, "rewritten", "exec")
    assert comments(after) == comments(function)
    again, last = rewritten(tmp_path, after, Level.REVIEW)
    assert again.included == ()
    assert last == after


@quickly
@given(function=functions(), scripts=scripts)
def test_rewritten_function_does_the_same_and_closes_its_sessions(
    tmp_path: Path, function: str, scripts: list[list[int]]
) -> None:
    plan, after = rewritten(tmp_path, function, Level.REVIEW)
    assume(plan.changes)
    changed = changed_makers(plan, function)
    assert changed
    for script in scripts:
        old, new = World(script), World(script)
        assert new.execute(after) == old.execute(function)
        assert new.events == old.events
        assert [one.maker for name in changed for one in new.made[name] if one.begun] == []


@quickly
@given(function=functions(), scripts=scripts)
def test_safe_rewriting_closes_nothing_that_is_still_read(
    tmp_path: Path, function: str, scripts: list[list[int]]
) -> None:
    plan, after = rewritten(tmp_path, function, Level.SAFE)
    assume(plan.changes)
    for script in scripts:
        old, new = World(script), World(script)
        assert new.execute(after) == old.execute(function)
        assert [was for was, still in zip(old.reads, new.reads, strict=True) if was and not still] == []


@quickly
@given(function=functions())
def test_every_session_comes_to_exactly_one_end(tmp_path: Path, function: str) -> None:
    plan, _ = rewritten(tmp_path, function, Level.REVIEW)
    made = made_in(function)
    about_sessions = ("session-scope", "session-dependency")
    sites = [entry.site for entry in plan.ledger.entries if entry.rule in about_sessions]
    assert len(sites) == len(set(sites)) == made
    # what the other rules looked at is there once, too
    looked_at = [(entry.rule, entry.site) for entry in plan.ledger.entries]
    assert len(looked_at) == len(set(looked_at))


@pytest.mark.parametrize("level", [Level.SAFE, Level.REVIEW])
def test_the_check_itself_notices_a_session_that_stays_open(tmp_path: Path, level: Level) -> None:
    function = "async def work():\n    session = new_session()\n    await session.execute(select(1))\n"
    plan, after = rewritten(tmp_path, function, level)
    assert changed_makers(plan, function) == {"new_session"}
    for text, still_open in ((function, True), (after, False)):
        world = World([])
        world.execute(text)
        assert [one.begun for one in world.made["new_session"]] == [still_open]
