"""Sources of small applications that all do the same work, and what they are put together from. Only text.

The work: commit one note, write a second one and leave it open, turn to what lies outside (where `probe.py` ends it),
and count. What differs is how the session is lent.
"""

from __future__ import annotations

from textwrap import dedent, indent

DATABASE = """\
import os

from sqlalchemy import ForeignKey, QueuePool, create_engine
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship, sessionmaker
from sqlalchemy.pool import AsyncAdaptedQueuePool

FILE = os.environ["DATABASE_FILE"]

engine = create_async_engine(f"sqlite+aiosqlite:///{FILE}", poolclass=AsyncAdaptedQueuePool)
new_session = async_sessionmaker(engine, expire_on_commit=False)

sync_engine = create_engine(f"sqlite:///{FILE}", poolclass=QueuePool)
new_sync_session = sessionmaker(sync_engine, expire_on_commit=False)


class Base(DeclarativeBase):
    pass


class Note(Base):
    __tablename__ = "note"

    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str]
    remarks: Mapped[list["Remark"]] = relationship()


class Remark(Base):
    __tablename__ = "remark"

    id: Mapped[int] = mapped_column(primary_key=True)
    note_id: Mapped[int] = mapped_column(ForeignKey("note.id"))
"""

HEADER = """\
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from fastapi import Depends, FastAPI
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from database import Note, new_session, new_sync_session
from outside import announce, announce_now, look_up

"""

WORK = """\
session.add(Note(text="first"))
await session.commit()
session.add(Note(text="second"))
await session.flush()
await announce()
count = await session.scalar(select(func.count(Note.id)))
"""
WORK_SYNC = WORK.replace("await ", "").replace("announce", "announce_now")
RETURN = "return count\n"

ENDPOINT = """

app = FastAPI()


@app.post("/notes")
async def save_notes(session: AsyncSession = Depends(get_session)) -> int | None:
""" + indent(WORK + RETURN, "    ")
# an `async def` all the same: a worker thread cannot be cancelled
ENDPOINT_SYNC = ENDPOINT.replace("AsyncSession", "Session").replace("await session", "session")

OPENS_ONLY = """
async def get_session() -> AsyncIterator[AsyncSession]:
    async with new_session() as session:
        yield session

"""
COMMITS_AFTERWARDS = OPENS_ONLY.rstrip() + "\n        await session.commit()\n\n"
COMMITS_IN_FINALLY = """
async def get_session() -> AsyncIterator[AsyncSession]:
    session = new_session()
    try:
        yield session
    finally:
        await session.commit()
        await session.close()

"""
OPENS_ONLY_SYNC = """
def get_session() -> Iterator[Session]:
    session = new_sync_session()
    try:
        yield session
    finally:
        session.close()

"""
COMMITS_AFTERWARDS_SYNC = OPENS_ONLY_SYNC.replace("yield session", "yield session\n        session.commit()")
COMMITS_IN_FINALLY_SYNC = OPENS_ONLY_SYNC.replace("session.close()", "session.commit()\n        session.close()")


def application(*parts: str) -> str:
    """The module `app` with these definitions, each of which may be indented as a whole."""
    return HEADER + "".join(dedent(part) for part in parts)


def suite(header: str, *statements: str) -> str:
    """A compound statement around statements that stand at no indentation."""
    return f"{header}\n" + indent("".join(statements), "    ")


def save_notes(*statements: str) -> str:
    """The coroutine that a trial calls."""
    return "\n" + suite("async def save_notes() -> int | None:", *statements)


def save_notes_sync(*statements: str) -> str:
    """The function that a trial calls."""
    return save_notes(*statements).replace("async def", "def")
