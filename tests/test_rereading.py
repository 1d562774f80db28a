"""Where entities are read again after a commit in the same session, and what is no such read.

Writes small projects to temporary folders; nothing that it reads is imported.
"""

from __future__ import annotations

import ast
from pathlib import Path
from textwrap import dedent, indent

import pytest

from codemods import sources
from codemods.flow.rereading import Reread, Tree, rereads, unfollowed
from codemods.plan import Source
from codemods.project.link import Project, link
from codemods.project.scan import scan
from codemods.project.symbols import ModuleName

HEAD = """
from fastapi import Depends
from outside import elsewhere, send
from sqlalchemy import func, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from app.db import make
from app.models import User
from app.repository import add_all, load, save, settle

query = select(User)
"""
DB = """
from sqlalchemy.ext.asyncio import async_sessionmaker

make = async_sessionmaker()
"""
MODELS = """
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
"""
REPOSITORY = """
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.models import User


async def save(session: AsyncSession, user: User) -> None:
    session.add(user)
    await session.commit()


async def load(session: AsyncSession, key: int) -> User | None:
    return await session.get(User, key)


async def count(session: AsyncSession) -> int:
    return await session.scalar(select(func.count()))


async def settle(session: AsyncSession) -> None:
    await session.rollback()


async def add_all(session: AsyncSession, users: list[User]) -> None:
    for user in users:
        await save(session, user)
"""


def found(root: Path, text: str, path: str = "app/users.py") -> tuple[Reread, ...]:
    return rereads(*read(root, text, path))


def read(root: Path, text: str, path: str = "app/users.py") -> tuple[Project, Tree]:
    files = {"app/__init__.py": "", "app/db.py": DB, "app/models.py": MODELS, "app/repository.py": REPOSITORY}
    there: dict[str, Source] = {}
    for name, content in (files | {path: HEAD + dedent(text)}).items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(dedent(content).lstrip("\n"), "utf-8")
        source = sources.read(root, name)
        assert isinstance(source, Source)
        there[name] = source
    names = {name: ModuleName(one.module, one.is_package) for name, one in there.items()}
    trees = {name: ast.parse(one.text) for name, one in there.items()}
    return link([scan(one) for one in there.values()], names), trees.get


def lines(root: Path, body: str, signature: str = "session: AsyncSession") -> list[int]:
    """The lines of the reads in a function of this body, which begins on line 1."""
    first = HEAD.lstrip("\n").count("\n") + 3
    text = f"\n\nasync def work({signature}):\n" + indent(dedent(body).strip("\n"), "    ") + "\n"
    return [one.line - first for one in found(root, text)]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("await session.commit()\nawait session.get(User, 1)", [2]),
        ("await session.commit()\nrows = (await session.execute(query)).scalars().all()", [2]),
        ("await session.commit()\nawait session.scalars(select(User).where(User.id > 1))", [2]),
        ("await session.commit()\nawait session.execute(elsewhere())", [2]),
        ("await session.commit()\nawait session.stream(query)", [2]),
        ("if send:\n    await session.commit()\nawait session.get(User, 1)", [3]),
        ("while True:\n    await session.get(User, 1)\n    await session.commit()", [2]),
        ("for key in send():\n    user = await session.get(User, key)\n    if not user:\n        continue\n"
         "    await session.commit()", [2]),
        ("for key in send():\n    await session.commit()\n    break\nawait session.get(User, 1)", [4]),
        ("try:\n    await session.commit()\nexcept ValueError:\n    pass\nawait session.get(User, 1)", [5]),
        ("try:\n    send()\nfinally:\n    await session.commit()\nawait session.get(User, 1)", [5]),
        ("async with session.begin():\n    await session.get(User, 1)\nawait session.get(User, 2)", [3]),
        ("match send():\n    case 1:\n        await session.commit()\n    case _:\n        pass\n"
         "await session.get(User, 1)", [6]),
        ("user = User()\nawait session.commit()\nawait session.refresh(user)\nawait session.get(User, 1)", [4]),
        ("await session.commit()\nreturn await session.get(User, 1)", [2]),
        ("await save(session, User())\nawait session.get(User, 1)", [2]),
        ("await add_all(session, [User()])\nawait load(session, 1)", [2]),
        ("await save(session=session, user=User())\nawait load(session, key=1)", [2]),
        ("await session.commit()\nawait load(session, 1)\nawait load(session, 2)", [2, 3]),
    ],
)  # fmt: skip
def test_a_read_after_a_commit(tmp_path: Path, body: str, expected: list[int]) -> None:
    assert lines(tmp_path, body) == expected


@pytest.mark.parametrize(
    "body",
    [
        "await session.get(User, 1)\nawait session.commit()",
        "await session.commit()\nawait session.rollback()\nawait session.get(User, 1)",
        "await session.commit()\nsession.expire_all()\nawait session.get(User, 1)",
        "await session.commit()\nawait session.close()\nawait session.get(User, 1)",
        "await session.commit()\nsession = make()\nawait session.get(User, 1)",
        "await session.commit()\nasync with make() as session:\n    await session.get(User, 1)",
        "if send():\n    await session.commit()\n    return\nawait session.get(User, 1)",
        "if send():\n    await session.commit()\nelse:\n    await session.get(User, 1)",
        "while True:\n    async with make() as session:\n        await session.get(User, 1)\n"
        "        await session.commit()",
        "try:\n    await session.commit()\nexcept IntegrityError:\n    await session.rollback()\n"
        "    await session.get(User, 1)",
        "await session.commit()\nawait session.scalar(select(func.count()))",
        "await session.commit()\nawait session.execute(select(User.id, User.name))",
        "await session.commit()\nawait session.execute(update(User).values(name=''))",
        "await session.commit()\nawait session.execute(text('select 1'))",
        "await session.commit()\nawait session.get(User, 1, populate_existing=True)",
        "await session.commit()\nawait session.scalars(query.execution_options(populate_existing=True))",
        "await session.commit()\nawait session.refresh(send())\nawait session.flush()",
        "await session.commit()\nother = lambda: session.get(User, 1)",
        "await save(session, User())\nawait settle(session)\nawait session.get(User, 1)",
        "await session.commit()\nsend(session)",
    ],
)
def test_what_is_no_such_read(tmp_path: Path, body: str) -> None:
    assert lines(tmp_path, body) == []


def test_a_sync_session_loads_what_expired_when_it_is_read(tmp_path: Path) -> None:
    assert lines(tmp_path, "session.commit()\nsession.get(User, 1)", "session: Session") == []


def test_an_object_that_is_no_session_is_not_spoken_of(tmp_path: Path) -> None:
    assert lines(tmp_path, "await session.commit()\nawait session.get(User, 1)", "session") == []


def test_methods_of_one_object_know_one_session(tmp_path: Path) -> None:
    text = """

    class Users:
        def __init__(self, session: AsyncSession) -> None:
            self.session = session

        async def add(self, user: User) -> None:
            self.session.add(user)
            await self.session.commit()

        async def load(self, key: int) -> User | None:
            return await self.session.get(User, key)

        async def rename(self, key: int) -> None:
            await self.add(User())
            await self.load(key)
    """
    (read,) = found(tmp_path, text)
    assert read.text == "self.load"


def test_the_maker_of_the_session_is_told_where_it_is_in_view(tmp_path: Path) -> None:
    text = """

    async def made():
        async with make() as session:
            await session.commit()
            await session.get(User, 1)


    async def given(session: AsyncSession):
        await session.commit()
        await session.get(User, 1)
    """
    assert [(one.text, one.origin) for one in found(tmp_path, text)] == [
        ("session.get", "app/db.py:make"),
        ("session.get", ""),
    ]


@pytest.mark.parametrize("path", ["tests/test_users.py", "app/tests/users.py", "conftest.py"])
def test_tests_are_left_out(tmp_path: Path, path: str) -> None:
    text = "\n\nasync def work(session: AsyncSession):\n    await session.commit()\n    await session.get(User, 1)\n"
    assert found(tmp_path, text, path) == ()


def test_functions_that_call_each_other_are_followed_to_an_end(tmp_path: Path) -> None:
    text = """

    async def one(session: AsyncSession, depth: int):
        await session.commit()
        await two(session, depth - 1)


    async def two(session: AsyncSession, depth: int):
        await session.get(User, depth)
        await one(session, depth)
    """
    assert [one.text for one in found(tmp_path, text)] == ["two"]


KEEPING = """

class Base:
    def __init__(self, session):
        self.session = session

    async def commit(self):
        await self.session.commit()


class Users(Base):
    async def load(self, key):
        return await self._one(key)

    async def _one(self, key):
        return await self.session.get(User, key)

    async def forget(self):
        self.session.expire_all()


class Named(Base):
    def __init__(self, session, name):
        super().__init__(session)
        self.name = name

    async def load(self, key):
        return await self.session.get(User, key)


@dataclass
class Given:
    session: AsyncSession
    name: str = ""

    async def load(self, key):
        return await self.session.get(User, key)


class Service:
    def __init__(self, session):
        self.session = session
        self.users = Users(session)


class Unit:
    async def __aenter__(self):
        self.session = make()
        self.users = Users(self.session)
        return self

    async def __aexit__(self, *error):
        await self.session.close()

    async def commit(self):
        await self.session.commit()


class Hiding:
    def __init__(self, session):
        self._held = {"session": session}


def users_of(session):
    return Users(session)


async def finish(users: Users):
    await users.commit()


async def end(users):
    await users.commit()


async def work(session: AsyncSession, other: AsyncSession, unit: Unit):
"""


def objects(root: Path, body: str) -> tuple[list[str], list[str]]:
    """What is read again, and what is not followed, in a function of this body below classes that keep sessions."""
    text = "from dataclasses import dataclass\n" + KEEPING + indent(dedent(body).strip("\n"), "    ") + "\n"
    project, tree = read(root, text)
    return [one.text for one in rereads(project, tree)], [one.text for one in unfollowed(project, tree)]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("users = Users(session)\nawait session.commit()\nawait users.load(1)", "users.load"),
        ("users = Users(session)\nawait users.commit()\nawait users.load(1)", "users.load"),
        ("users = Users(session)\nawait users.commit()\nawait session.get(User, 1)", "session.get"),
        ("users = Users(session=session)\nawait users.session.commit()\nawait users.load(1)", "users.load"),
        ("await Users(session).commit()\nawait Users(session).load(1)", "Users(session).load"),
        ("users = Named(session, 'a')\nawait users.commit()\nawait users.load(1)", "users.load"),
        ("users = Given(session, 'a')\nawait session.commit()\nawait users.load(1)", "users.load"),
        ("service = Service(session)\nawait session.commit()\nawait service.users.load(1)", "service.users.load"),
        ("users = users_of(session)\nawait session.commit()\nawait users.load(1)", "users.load"),
        ("users = Users(session)\nawait finish(users)\nawait users.load(1)", "users.load"),
        ("again = session\nawait again.commit()\nawait session.get(User, 1)", "session.get"),
        ("async with unit:\n    await unit.commit()\n    await unit.users.load(1)", "unit.users.load"),
        ("async with Unit() as one:\n    await one.commit()\n    await one.users.load(1)", "one.users.load"),
    ],
)
def test_an_object_that_keeps_the_session_reads_it(tmp_path: Path, body: str, expected: str) -> None:
    assert objects(tmp_path, body) == ([expected], [])


@pytest.mark.parametrize(
    "body",
    [
        "users = Users(session)\nawait users.load(1)\nawait users.commit()",
        "users = Users(session)\nawait users.commit()\nawait users.forget()\nawait users.load(1)",
        "users = Users(session)\nawait other.commit()\nawait users.load(1)",
        "users = Users(session)\nawait users.commit()\nusers = Users(other)\nawait users.load(1)",
        "async with unit:\n    await unit.commit()\n    await session.get(User, 1)",
    ],
)
def test_objects_of_which_nothing_is_read_again(tmp_path: Path, body: str) -> None:
    assert objects(tmp_path, body) == ([], [])


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("users = Hiding(session)\nawait users.load(1)", "Hiding"),
        ("users = elsewhere(session)\nawait users.load(1)", "elsewhere"),
        ("await elsewhere.load(session=session)", "elsewhere.load"),
        ("users = (Users if send() else Named)(session)", "Users if send() else Named"),
        ("await end(Users(session))", "users.commit"),
    ],
)
def test_what_is_given_a_session_and_is_not_followed_is_told(tmp_path: Path, body: str, expected: str) -> None:
    assert objects(tmp_path, body) == ([], [expected])


def test_builtins_and_sqlalchemy_are_not_spoken_of(tmp_path: Path) -> None:
    assert objects(tmp_path, "print(session)\nselect(session)\nsession.add(session)") == ([], [])
