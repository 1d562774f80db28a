"""Twice as much code takes about twice the work, not four times: counted in calls of functions, which never vary."""

from __future__ import annotations

import cProfile
import pstats
from collections.abc import Callable
from pathlib import Path

import pytest

from codemods import engine
from codemods.deep_stack import with_deep_stack
from codemods.engine import RunRequest
from codemods.plan import Level
from codemods.settings import Settings
from hostile.projects import lay

MODELS = """from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase): ...


class User(Base):
    __tablename__ = "user"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
"""
HEADER = """import asyncio
from fastapi import APIRouter, BackgroundTasks
from sqlalchemy import select
from sqlalchemy.ext.asyncio import create_async_engine
from db import new_session
from models import Base, User

router = APIRouter()


"""

Files = dict[str, str]


def function(name: str, lines: list[str], parameters: str = "query") -> str:
    body = "".join(f"    {line}\n" for line in ["session = new_session()", *lines])
    return f"async def {name}({parameters}):\n{body}\n\n"


def _one(lines: list[str], parameters: str = "query", above: str = "") -> Files:
    return {"wide.py": HEADER + above + function("go", lines, parameters)}


def _many(size: int, lines: list[str], above: str = "") -> Files:
    return {"wide.py": HEADER + above + "".join(function(f"go{one}", lines) for one in range(size))}


def statements(size: int) -> Files:
    return _one(["await session.execute(query)"] * size)


def additions(size: int) -> Files:
    return _one([f"session.add(User(name='{one}'))" for one in range(size)])


def objects(size: int) -> Files:
    loaded = [
        line for one in range(size) for line in (f"u{one} = await session.get(User, {one})", f"print(u{one}.name)")
    ]
    return _one([*loaded, "return u0"])


def conditions(size: int) -> Files:
    return _one([line for one in range(size) for line in (f"if query == {one}:", "    await session.execute(query)")])


def tries(size: int) -> Files:
    lines = ("try:", "    await session.execute(query)", "except ValueError:", "    await session.rollback()")
    return _one([*lines * size, "await session.close()"])


def tasks(size: int) -> Files:
    above = "async def notify(user): print(user.name)\n\n\n"
    lines = ["user = await session.get(User, 1)", *["tasks.add_task(notify, user)"] * size]
    return _one(lines, "tasks: BackgroundTasks", above)


def gathered(size: int) -> Files:
    return _one([f"await asyncio.gather({', '.join(['session.execute(query)'] * size)})"])


def nested_functions(size: int) -> Files:
    return _one(
        [
            line
            for one in range(size)
            for line in (f"async def f{one}():", "    return await session.scalar(query)", f"await f{one}()")
        ]
    )


def in_strings(size: int) -> Files:
    return _one([f"print(f'{'{session!r}' * size}')", "await session.execute(query)"])


def functions(size: int) -> Files:
    return _many(size, ["await session.execute(query)"])


def returned(size: int) -> Files:
    return _many(size, ["user = await session.get(User, 1)", "return user"])


def used_elsewhere(size: int) -> Files:
    return _many(size, ["return await use(session, query)"], "async def use(session, query): ...\n\n\n")


def methods(size: int) -> Files:
    text = "".join(function(f"go{one}", ["return await session.scalar(query)"], "self, query") for one in range(size))
    inside = "".join(f"    {line}" if line.strip() else line for line in text.splitlines(keepends=True))
    return {"wide.py": f"{HEADER}class Users:\n{inside}"}


def entities(size: int) -> Files:
    column = "    id: Mapped[int] = mapped_column(primary_key=True)\n\n\n"
    classes = "".join(f"class E{one}(Base):\n    __tablename__ = 'e{one}'\n{column}" for one in range(size))
    uses = "".join(function(f"go{one}", [f"return await session.get(E{one}, 1)"]) for one in range(size))
    return {"wide.py": f"from sqlalchemy.orm import Mapped, mapped_column\n{HEADER}{classes}{uses}"}


def files(size: int) -> Files:
    return {
        f"m{one}.py": f"from m{(one + 1) % size} import go as other\n{HEADER}"
        + function("go", ["await session.execute(query)", "await other(query)"])
        for one in range(size)
    }


SHAPES: dict[str, tuple[Callable[[int], Files], int]] = {
    "statements": (statements, 60),
    "additions": (additions, 60),
    "objects": (objects, 40),
    "conditions": (conditions, 60),
    "tries": (tries, 30),
    "tasks": (tasks, 60),
    "gathered": (gathered, 60),
    "nested functions": (nested_functions, 30),
    "in strings": (in_strings, 60),
    "functions": (functions, 30),
    "returned": (returned, 20),
    "used elsewhere": (used_elsewhere, 30),
    "methods": (methods, 30),
    "entities": (entities, 20),
    "files": (files, 30),  # more of them in one circle than calls are followed
}


def work(root: Path, project: Files) -> int:
    """The calls of functions, built in ones too, that a run over the files makes."""
    root.mkdir()
    lay(root, {"models.py": MODELS, **project})
    request = RunRequest(root, (), Settings(respect_gitignore=False), Level.REVIEW)
    profile = cProfile.Profile()
    plan = with_deep_stack(lambda: profile.runcall(engine.run, request))
    assert plan.failures == ()
    calls: int = pstats.Stats(profile).total_calls  # type: ignore[attr-defined]
    return calls


@pytest.mark.parametrize("shape", SHAPES)
def test_work_grows_with_the_code_and_not_with_its_square(tmp_path: Path, shape: str) -> None:
    make, size = SHAPES[shape]
    work(tmp_path / "first", make(2))  # what is made once for a process
    once, twice, four_times = (work(tmp_path / f"{times}", make(size * times)) for times in (1, 2, 4))
    # what is done whatever the size falls out; 2 for a line, 4 for a square
    assert (four_times - twice) / (twice - once) < 2.6
