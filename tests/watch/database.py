"""The tables and engines of the programs beside this file. Not a test."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

ONE = text("select 1")


class Base(DeclarativeBase):
    pass


class Item(Base):
    __tablename__ = "item"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class OtherBase(DeclarativeBase):
    pass


class Other(OtherBase):
    __tablename__ = "other"
    id: Mapped[int] = mapped_column(primary_key=True)


async def created(url: str) -> async_sessionmaker[AsyncSession]:
    """A maker over a new engine, with the tables."""
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    return async_sessionmaker(engine)


def new_session(maker: async_sessionmaker[AsyncSession]) -> AsyncSession:
    return maker()


async def read(session: AsyncSession) -> None:
    await session.execute(ONE)


def read_now(session: Session) -> None:
    session.execute(ONE)
