"""The database of every application of `leaving`: models, engines, session factories, and the rows it starts with.

Never imported from here: copied as the module `database` beside an application. Makes engines for DATABASE_URL, and
for SYNC_DATABASE_URL where there is one.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Column, ForeignKey, QueuePool, Table, create_engine
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, MappedAsDataclass, mapped_column, relationship, sessionmaker
from sqlalchemy.pool import AsyncAdaptedQueuePool

engine = create_async_engine(os.environ["DATABASE_URL"], poolclass=AsyncAdaptedQueuePool)
new_session = async_sessionmaker(engine, expire_on_commit=False)
expiring_session = async_sessionmaker(engine)

# connects to nothing until it is used
sync_engine = create_engine(os.environ.get("SYNC_DATABASE_URL", "sqlite://"), poolclass=QueuePool)
new_sync_session = sessionmaker(sync_engine, expire_on_commit=False)


class Base(DeclarativeBase):
    pass


user_role = Table(
    "user_role",
    Base.metadata,
    Column("user_id", ForeignKey("users.id"), primary_key=True),
    Column("role_id", ForeignKey("roles.id"), primary_key=True),
)


class City(Base):
    __tablename__ = "cities"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    users: Mapped[list[User]] = relationship(back_populates="city", order_by="User.id")


class Role(Base):
    __tablename__ = "roles"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    users: Mapped[list[User]] = relationship(secondary=user_role, back_populates="roles", order_by="User.id")


class User(Base):
    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    city_id: Mapped[int | None] = mapped_column(ForeignKey("cities.id"))
    city: Mapped[City | None] = relationship(back_populates="users")
    roles: Mapped[list[Role]] = relationship(secondary=user_role, back_populates="users", order_by="Role.id")
    orders: Mapped[list[Order]] = relationship(back_populates="user", cascade="all, delete-orphan", order_by="Order.id")


class Order(Base):
    __tablename__ = "orders"

    id: Mapped[int] = mapped_column(primary_key=True)
    note: Mapped[str]
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    user: Mapped[User] = relationship(back_populates="orders")


class Node(Base):
    __tablename__ = "nodes"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("nodes.id"))
    children: Mapped[list[Node]] = relationship(back_populates="parent", cascade="all", order_by="Node.id")
    parent: Mapped[Node | None] = relationship(back_populates="children", remote_side="Node.id")


class Team(Base):
    """As long as its size, so that an empty one counts as false."""

    __tablename__ = "teams"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    size: Mapped[int]

    def __len__(self) -> int:
        return self.size


class Badge(MappedAsDataclass, Base):
    """Equal to another one with the same columns, and known by two of them."""

    __tablename__ = "badges"

    team_id: Mapped[int] = mapped_column(ForeignKey("teams.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(default="member")


_ROWS: dict[str, Sequence[Mapping[str, Any]]] = {
    "cities": [{"name": "Kazan"}, {"name": "Tula"}],
    "roles": [{"name": "admin"}, {"name": "editor"}, {"name": "guest"}],
    "users": [{"name": "Anna", "city_id": 1}, {"name": "Boris", "city_id": None}, {"name": "Vera", "city_id": 2}],
    "user_role": [{"user_id": 1, "role_id": 1}, {"user_id": 1, "role_id": 2}, {"user_id": 2, "role_id": 2}],
    "orders": [{"note": "tea", "user_id": 1}, {"note": "rye", "user_id": 1}, {"note": "salt", "user_id": 2}],
    "nodes": [
        {"name": "root", "parent_id": None},
        {"name": "left", "parent_id": 1},
        {"name": "right", "parent_id": 1},
        {"name": "leaf", "parent_id": 2},
    ],
    "teams": [{"name": "empty", "size": 0}, {"name": "full", "size": 3}],
    "badges": [
        {"team_id": 1, "number": 1, "title": "lead"},
        {"team_id": 2, "number": 1, "title": "lead"},
        {"team_id": 2, "number": 2, "title": "member"},
    ],
}

# without keys of their own: the databases number them, from 1, and go on behind them
ROWS = {Base.metadata.tables[name]: rows for name, rows in _ROWS.items()}
