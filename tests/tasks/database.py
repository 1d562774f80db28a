"""The database of every application of `tasks`: models, engines, what makes sessions, and the rows it starts with.

Never imported from here: copied as the module `database` beside an application. Makes engines for DATABASE_URL, and
for SYNC_DATABASE_URL where there is one.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, QueuePool, create_engine
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship, sessionmaker
from sqlalchemy.pool import AsyncAdaptedQueuePool

engine = create_async_engine(os.environ["DATABASE_URL"], poolclass=AsyncAdaptedQueuePool)
new_async_session = async_sessionmaker(engine, expire_on_commit=False)

# connects to nothing until it is used
sync_engine = create_engine(os.environ.get("SYNC_DATABASE_URL", "sqlite://"), poolclass=QueuePool)
SyncSession = sessionmaker(sync_engine, expire_on_commit=False)


@asynccontextmanager
async def async_session() -> AsyncIterator[AsyncSession]:
    async with new_async_session() as session:
        yield session


async def get_session() -> AsyncIterator[AsyncSession]:
    async with new_async_session() as session:
        yield session


def get_sync_session() -> Iterator[Session]:
    session = SyncSession()
    try:
        yield session
    finally:
        session.close()


class Base(DeclarativeBase):
    pass


class Owner(Base):
    __tablename__ = "owners"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    items: Mapped[list[Item]] = relationship(back_populates="owner", order_by="Item.id")


class Item(Base):
    __tablename__ = "items"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    state: Mapped[str] = mapped_column(default="new")
    owner_id: Mapped[int] = mapped_column(ForeignKey("owners.id"))
    owner: Mapped[Owner] = relationship(back_populates="items")


class Document(Base):
    __tablename__ = "documents"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    title: Mapped[str]
    pages: Mapped[int]


class Seat(Base):
    __tablename__ = "seats"

    hall: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    guest: Mapped[str | None]


class Account(Base):
    __tablename__ = "accounts"

    telegram_id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    visits: Mapped[int]


_ROWS: dict[str, Sequence[Mapping[str, Any]]] = {
    "owners": [{"name": "Anna"}, {"name": "Boris"}],
    "items": [
        {"name": "tea", "state": "new", "owner_id": 1},
        {"name": "rye", "state": "new", "owner_id": 1},
        {"name": "salt", "state": "old", "owner_id": 2},
    ],
    "documents": [{"id": UUID("6f1c2a1e-0b4e-4c39-9a57-0d6a6f0f2b11"), "title": "lease", "pages": 1}],
    "seats": [{"hall": "A", "number": 7, "guest": None}, {"hall": "B", "number": 7, "guest": None}],
    "accounts": [{"telegram_id": 5001, "name": "Vera", "visits": 1}],
}

# those with a number of their own are numbered by the databases, from 1, and go on behind them
ROWS = {Base.metadata.tables[name]: rows for name, rows in _ROWS.items()}
