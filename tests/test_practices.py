"""The practices' own wrong examples (sections 1 to 3) come out as their right forms, with all rules together.

Comments and the name of the loop variable aside; the block of section 1 is opened by the function that the code calls.
"""

from __future__ import annotations

from pathlib import Path

from codemods.engine import RunRequest, run
from codemods.rules import RULES
from codemods.settings import load

MODELS = """\
from sqlalchemy import ForeignKey
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
class Base(DeclarativeBase): pass
class City(Base):
    __tablename__ = "city"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
class Recruiter(Base):
    __tablename__ = "recruiter"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
class User(Base):
    __tablename__ = "user"
    id: Mapped[int] = mapped_column(primary_key=True)
class Message(Base):
    __tablename__ = "message"
    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"))
class Slot(Base):
    __tablename__ = "slot"
    id: Mapped[int] = mapped_column(primary_key=True)
    recruiter_id: Mapped[int] = mapped_column(ForeignKey("recruiter.id"))
    city_id: Mapped[int] = mapped_column(ForeignKey("city.id"))
    recruiter: Mapped[Recruiter] = relationship()
    city: Mapped[City] = relationship()
"""

DB = """\
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
engine = create_async_engine(
    "postgresql+asyncpg://localhost/x",
    pool_size=5,
    max_overflow=10,
    pool_timeout=30,
    pool_pre_ping=True,
    pool_recycle=3600,
)
async_session = async_sessionmaker(engine, expire_on_commit=False)
def new_async_session() -> AsyncSession:
    return async_session()
"""

HANDLERS = """\
from app.services import get_slot_with_relations


async def show(slot_id: int) -> str:
    slot = await get_slot_with_relations(slot_id)
    return f"{slot.city.name}: {slot.recruiter.name}"
"""

BEFORE = """\
from typing import List, Optional

from sqlalchemy import select

from app.db import async_session, new_async_session
from app.models import Message, Slot, User


async def get_user(user_id: int) -> Optional[User]:
    session = new_async_session()  # Сессия может не закрыться!
    user = await session.get(User, user_id)
    return user  # УТЕЧКА!


async def list_messages(user_id: int) -> List[Message]:
    async with async_session() as session:
        result = await session.execute(
            select(Message).where(Message.user_id == user_id)
        )
        return list(result.scalars())  # Объекты привязаны к сессии!


async def get_slot_with_relations(slot_id: int) -> Optional[Slot]:
    async with async_session() as session:
        result = await session.execute(
            select(Slot)
            .where(Slot.id == slot_id)
        )
        slot = result.scalar_one_or_none()
        return slot
"""

AFTER = """\
from typing import List, Optional

from sqlalchemy import select
from sqlalchemy.orm import selectinload

from app.db import async_session, new_async_session
from app.models import Message, Slot, User


async def get_user(user_id: int) -> Optional[User]:
    async with new_async_session() as session:  # Сессия может не закрыться!
        user = await session.get(User, user_id)
        if user:
            session.expunge(user)
        return user  # УТЕЧКА!


async def list_messages(user_id: int) -> List[Message]:
    async with async_session() as session:
        result = await session.execute(
            select(Message).where(Message.user_id == user_id)
        )
        messages = list(result.scalars())  # Объекты привязаны к сессии!
        for message in messages:
            session.expunge(message)
        return messages


async def get_slot_with_relations(slot_id: int) -> Optional[Slot]:
    async with async_session() as session:
        result = await session.execute(
            select(Slot)
            .options(selectinload(Slot.recruiter), selectinload(Slot.city))
            .where(Slot.id == slot_id)
        )
        slot = result.scalar_one_or_none()
        if slot:
            session.expunge(slot)
        return slot
"""


def test_the_practices_wrong_examples_become_their_right_ones(tmp_path: Path) -> None:
    files = {"models": MODELS, "db": DB, "handlers": HANDLERS, "services": BEFORE, "__init__": ""}
    (tmp_path / "app").mkdir()
    (tmp_path / "pyproject.toml").write_text("", "utf-8")
    for name, text in files.items():
        (tmp_path / "app" / f"{name}.py").write_text(text, "utf-8")
    plan = run(RunRequest(tmp_path, (), load(tmp_path, None, rules=frozenset(rule.name for rule in RULES))))
    assert [change.path for change in plan.changes] == ["app/services.py"]
    assert plan.changes[0].after.decode() == AFTER
