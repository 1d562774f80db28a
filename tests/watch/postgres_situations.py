"""Tests on a PostgreSQL server, whose folder the environment names. Comments as in `async_situations.py`."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from watch.database import created, new_session, read

Maker = async_sessionmaker[AsyncSession]


@pytest_asyncio.fixture
async def maker() -> AsyncIterator[Maker]:
    made = await created(f"postgresql+asyncpg://postgres@/postgres?host={os.environ['POSTGRES_FOLDER']}")
    yield made
    await made.kw["bind"].dispose()


def out(maker: Maker) -> int:
    number = maker.kw["bind"].pool.checkedout()
    assert isinstance(number, int)
    return number


async def test_read_only(maker: Maker) -> None:
    session = new_session(maker)  # held
    await read(session)
    assert out(maker) == 1


async def test_block(maker: Maker) -> None:
    async with maker() as session:
        await read(session)
    assert out(maker) == 0


async def test_cancelled_while_the_database_answers(maker: Maker) -> None:
    """The connection is thrown away, its place in the pool is free: nothing leaks, bare as the session is."""

    async def work() -> None:
        session = maker()
        await session.execute(text("select pg_sleep(3600)"))

    task = asyncio.create_task(work())
    await asyncio.sleep(0.5)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert out(maker) == 0


async def test_cancelled_between_two_statements(maker: Maker) -> None:
    reading = asyncio.Event()

    async def work() -> None:
        session = maker()  # held
        await read(session)
        reading.set()
        await asyncio.sleep(3600)

    task = asyncio.create_task(work())
    await reading.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert out(maker) == 1


async def test_server_ends_the_connection(maker: Maker) -> None:
    async with maker() as session:
        with pytest.raises(Exception, match="terminat"):
            await session.execute(text("select pg_terminate_backend(pg_backend_pid())"))
    assert out(maker) == 0


async def test_failed_statement(maker: Maker) -> None:
    session = maker()  # held
    with pytest.raises(Exception, match="nothing_there"):
        await session.execute(text("select * from nothing_there"))
    assert out(maker) == 1
