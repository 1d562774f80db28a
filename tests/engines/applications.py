"""What a trial of an engine is: a small application that makes one, what it answers, and what its pool is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from textwrap import dedent
from typing import Any

from engines.versions import VERSIONS

POSTGRESQL = "postgresql"
FILE = "sqlite_file"
MEMORY = "sqlite_memory"
EVERY_DATABASE = (POSTGRESQL, FILE, MEMORY)

MODELS = """\
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class Item(Base):
    __tablename__ = "items"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
"""

# what most do with their engine: write a row, and read all
APP = """\
from sqlalchemy import select

from database import async_session
from models import Item


async def main() -> list[str]:
    async with async_session() as session:
        session.add(Item(name="milk"))
        await session.commit()
    async with async_session() as session:
        return sorted(await session.scalars(select(Item.name).distinct()))
"""
# the same with an engine that is not async
SYNC_APP = """\
from sqlalchemy import select

from database import new_session
from models import Item


def main() -> list[str]:
    with new_session() as session:
        session.add(Item(name="milk"))
        session.commit()
    with new_session() as session:
        return sorted(session.scalars(select(Item.name).distinct()))
"""
SHOWS = "['milk', 'rye', 'tea']"

SERVERS = "sqlalchemy[asyncio]>=2.0\nasyncpg>=0.30\n"
SERVERS_AND_FILES = "sqlalchemy[asyncio]>=2.0\nasyncpg>=0.30\naiosqlite>=0.20\n"

SIZES = {"pool_size": 5, "max_overflow": 10, "pool_timeout": 30}
LIVENESS = {"pool_pre_ping": True, "pool_recycle": 3600}


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """One application as it was written: `database` makes the engines, and `main` of `app` uses them.

    `shows` is what `main` answers each time in the end; `fails` is the exception that it raised as it was written, if
    it did.
    """

    name: str
    database: str
    app: str = APP
    requirements: str = ""
    others: Mapping[str, str] = field(default_factory=dict)  # more files, by name
    written: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # engine -> option -> value, as added
    makers: int = 0  # those that get expire_on_commit=False
    shows: str = SHOWS
    fails: str = ""
    engines: tuple[str, ...] = ("engine",)  # names in the module `database`, the one of the rows first
    databases: tuple[str, ...] = EVERY_DATABASE
    versions: tuple[str, ...] = VERSIONS
    forgets: tuple[str, ...] = ()  # databases that are gone with a connection that has got too old
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def files(self) -> dict[str, str]:
        """All of the application, by file name."""
        return self.changed_to({})

    def changed_to(self, files: Mapping[str, str]) -> dict[str, str]:
        """All of the application, with other texts of some of its files."""
        texts = {"models.py": MODELS, "database.py": self.database, "app.py": self.app, **self.others}
        if self.requirements:
            texts["requirements.txt"] = self.requirements
        return {name: module_text(text) for name, text in {**texts, **files}.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Trap:
    """A situation in which an obvious change breaks what worked, and that change."""

    situation: Situation
    wrong: Mapping[str, str]  # the files that it changes, by name
    stage: str  # what the application was doing when it shows, or "pools"
    shows: str  # what it answers then, or what the pool is told
    noticed_on: tuple[tuple[str, str], ...]  # (version, database)
    because: str = ""  # what the tool says of the place; "" where it is only settled that nothing breaks


def module_text(text: str) -> str:
    return dedent(text).lstrip("\n")
