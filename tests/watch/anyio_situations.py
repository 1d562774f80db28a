"""Tests with the plugin of anyio. Comments as in `async_situations.py`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from watch.database import created, new_session, read

pytestmark = pytest.mark.anyio
Maker = async_sessionmaker[AsyncSession]


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def maker(tmp_path: Path) -> AsyncIterator[Maker]:
    made = await created(f"sqlite+aiosqlite:///{tmp_path}/items.db")
    yield made
    await made.kw["bind"].dispose()


@pytest.fixture
async def session(maker: Maker) -> AsyncIterator[AsyncSession]:
    async with maker() as made:
        yield made


@pytest.fixture(scope="module")
async def of_the_module(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[AsyncSession]:
    made = await created(f"sqlite+aiosqlite:///{tmp_path_factory.mktemp('module')}/items.db")
    async with made() as session:
        await read(session)
        yield session


async def test_bare(maker: Maker) -> None:
    session = new_session(maker)  # held
    await read(session)


async def test_fixture_that_closes(session: AsyncSession) -> None:
    await read(session)


async def test_fixture_of_the_module(of_the_module: AsyncSession) -> None:
    await read(of_the_module)


async def test_bare_beside_a_fixture_of_the_module(of_the_module: AsyncSession, maker: Maker) -> None:
    bare = maker()  # held
    await read(bare)


async def test_fixture_of_the_module_again(of_the_module: AsyncSession) -> None:
    await read(of_the_module)
