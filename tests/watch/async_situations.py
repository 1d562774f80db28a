"""Tests with an AsyncSession.

The comment on the line that makes one says what is to be told of it, for the test that the line stands in or the one
that it names: the kind of leak, or `strict: unclosed` for strict mode only. Without a comment, nothing may be told.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from fastapi import BackgroundTasks, Depends, FastAPI
from sqlalchemy import select
from sqlalchemy.ext.asyncio import (
    AsyncConnection,
    AsyncEngine,
    AsyncSession,
    async_scoped_session,
    async_sessionmaker,
    create_async_engine,
)
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool, StaticPool

from watch.database import ONE, Item, Other, OtherBase, created, new_session, read

Maker = async_sessionmaker[AsyncSession]

KEPT: list[AsyncSession] = []


@pytest_asyncio.fixture
async def url(tmp_path: Path) -> str:
    return f"sqlite+aiosqlite:///{tmp_path}/items.db"


@pytest_asyncio.fixture
async def maker(url: str) -> AsyncIterator[Maker]:
    made = await created(url)
    yield made
    engine = made.kw["bind"]
    assert isinstance(engine, AsyncEngine)
    await engine.dispose()


# --- plain ------------------------------------------------------------------------------------------------------------


async def test_read_only(maker: Maker) -> None:
    session = maker()  # held
    await read(session)


async def test_made_by_a_factory(maker: Maker) -> None:
    session = new_session(maker)  # held
    await read(session)


async def test_block(maker: Maker) -> None:
    async with maker() as session:
        await read(session)


async def test_closed_in_finally(maker: Maker) -> None:
    session = maker()
    try:
        await read(session)
    finally:
        await session.close()


async def test_unused(maker: Maker) -> None:
    maker()  # strict: unclosed


async def test_committed(maker: Maker) -> None:
    session = maker()  # strict: unclosed
    session.add(Item(name="a"))
    await session.commit()


async def test_rolled_back(maker: Maker) -> None:
    session = maker()  # strict: unclosed
    await read(session)
    await session.rollback()


async def test_committed_and_refreshed(maker: Maker) -> None:
    session = maker()  # held
    item = Item(name="a")
    session.add(item)
    await session.commit()
    await session.refresh(item)


async def test_begin_block(maker: Maker) -> None:
    session = maker()  # strict: unclosed
    async with session.begin():
        await read(session)


async def test_maker_begin_block(maker: Maker) -> None:
    async with maker.begin() as session:
        session.add(Item(name="a"))


async def test_savepoint_left_open_outside(maker: Maker) -> None:
    session = maker()  # held
    async with session.begin_nested():
        session.add(Item(name="a"))


async def test_savepoint_rolled_back_in_a_block(maker: Maker) -> None:
    async with maker() as session:
        savepoint = await session.begin_nested()
        session.add(Item(name="a"))
        await savepoint.rollback()
        await session.commit()


async def test_two_leaks_on_two_lines(maker: Maker) -> None:
    first = maker()  # held
    second = maker()  # held
    await read(first)
    await read(second)


async def test_stream_left_open(maker: Maker) -> None:
    session = maker()  # held
    result = await session.stream(select(Item))
    await result.first()


async def test_reused_after_close(maker: Maker) -> None:
    session = maker()  # reused
    await session.close()
    await read(session)


async def test_reused_after_its_block(maker: Maker) -> None:
    async with maker() as session:  # strict: reused
        await read(session)
    await read(session)
    await session.commit()


async def test_reused_and_closed_again(maker: Maker) -> None:
    async with maker() as session:
        await read(session)
        await session.close()
        await read(session)


async def test_reset_and_used_and_committed(maker: Maker) -> None:
    session = maker()  # strict: unclosed
    await read(session)
    await session.reset()
    await read(session)
    await session.commit()


async def test_invalidated(maker: Maker) -> None:
    session = maker()
    await read(session)
    await session.invalidate()


# --- engines ----------------------------------------------------------------------------------------------------------


async def test_pool_that_keeps_nothing(url: str) -> None:
    session = AsyncSession(create_async_engine(url, poolclass=NullPool))  # held
    await read(session)
    KEPT.append(session)


async def test_pool_of_one_in_memory() -> None:
    session = AsyncSession(create_async_engine("sqlite+aiosqlite://", poolclass=StaticPool))  # held
    await read(session)
    KEPT.append(session)


async def test_closed_with_a_pool_that_keeps_nothing(url: str) -> None:
    engine = create_async_engine(url, poolclass=NullPool)
    async with AsyncSession(engine) as session:
        await read(session)


async def test_engine_disposed_under_it(maker: Maker) -> None:
    session = maker()  # held
    await read(session)
    await maker.kw["bind"].dispose()
    KEPT.append(session)


async def two_engines(url: str) -> dict[Any, Any]:
    others = create_async_engine(url.replace("items.db", "others.db"))
    async with others.begin() as connection:
        await connection.run_sync(OtherBase.metadata.create_all)
    return {Item: (await created(url)).kw["bind"], Other: others}


async def test_two_engines(url: str) -> None:
    session = AsyncSession(binds=await two_engines(url))  # held
    await session.execute(select(Item))
    await session.execute(select(Other))
    KEPT.append(session)


async def test_two_engines_committed(url: str) -> None:
    session = AsyncSession(binds=await two_engines(url))  # strict: unclosed
    await session.execute(select(Item))
    await session.execute(select(Other))
    await session.commit()


# --- bound to a connection that is not its own ------------------------------------------------------------------------


@pytest_asyncio.fixture
async def connection(maker: Maker) -> AsyncIterator[AsyncConnection]:
    async with maker.kw["bind"].connect() as made:
        transaction = await made.begin()
        yield made
        await transaction.rollback()


async def test_rolled_back_with_its_connection(connection: AsyncConnection) -> None:
    session = AsyncSession(connection, join_transaction_mode="create_savepoint")  # strict: unclosed
    session.add(Item(name="a"))
    await session.commit()
    await session.execute(select(Item))


async def test_made_by_a_maker_over_a_connection(connection: AsyncConnection) -> None:
    async with async_sessionmaker(connection)() as session:
        session.add(Item(name="a"))
        await session.flush()
    await session.execute(select(Item))


async def test_connection_taken_by_hand(maker: Maker) -> None:
    session = maker()  # held
    await session.connection()


# --- fixtures ---------------------------------------------------------------------------------------------------------


@pytest_asyncio.fixture
async def closed_later(maker: Maker) -> AsyncIterator[AsyncSession]:
    async with maker() as session:
        yield session


@pytest_asyncio.fixture
async def never_closed(maker: Maker) -> AsyncIterator[AsyncSession]:
    session = maker()  # held by test_fixture_that_closes_nothing
    yield session


@pytest_asyncio.fixture
async def raising(maker: Maker) -> None:
    session = maker()  # held by test_fixture_raises
    await read(session)
    raise LookupError("on purpose")


async def test_fixture_that_closes(closed_later: AsyncSession) -> None:
    await read(closed_later)


async def test_fixture_that_closes_nothing(never_closed: AsyncSession) -> None:
    await read(never_closed)


async def test_fixture_raises(raising: None) -> None:
    raise AssertionError("not reached")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def of_the_module(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[AsyncSession]:
    made = await created(f"sqlite+aiosqlite:///{tmp_path_factory.mktemp('module')}/items.db")
    async with made() as session:
        await read(session)
        yield session


@pytest.mark.asyncio(loop_scope="module")
async def test_fixture_of_the_module(of_the_module: AsyncSession) -> None:
    await read(of_the_module)


@pytest.mark.asyncio(loop_scope="module")
async def test_fixture_of_the_module_again(of_the_module: AsyncSession) -> None:
    await read(of_the_module)


WORK: list[asyncio.Task[None]] = []


@pytest.mark.asyncio(loop_scope="module")
async def test_work_goes_on_after_the_test(tmp_path: Path) -> None:
    made = await created(f"sqlite+aiosqlite:///{tmp_path}/items.db")
    reading = asyncio.Event()

    async def work() -> None:
        async with made() as session:
            await read(session)
            reading.set()
            await asyncio.sleep(3600)

    WORK.append(asyncio.create_task(work()))
    await reading.wait()


@pytest.mark.asyncio(loop_scope="module")
async def test_work_is_stopped_by_another_test() -> None:
    for task in WORK:
        task.cancel()
    await asyncio.gather(*WORK, return_exceptions=True)


# --- how a test ends --------------------------------------------------------------------------------------------------


async def test_fails(maker: Maker) -> None:
    session = maker()  # held
    await read(session)
    raise AssertionError("on purpose")


async def test_fails_in_a_block(maker: Maker) -> None:
    async with maker() as session:
        await read(session)
        raise AssertionError("on purpose")


async def test_skips(maker: Maker) -> None:
    session = maker()  # held
    await read(session)
    pytest.skip("on purpose")


@pytest.mark.skip(reason="on purpose")
async def test_is_skipped(maker: Maker) -> None:
    session = maker()
    await read(session)


@pytest.mark.xfail(reason="on purpose")
async def test_is_expected_to_fail(maker: Maker) -> None:
    session = maker()  # held
    await read(session)
    raise AssertionError("on purpose")


@pytest.mark.parametrize("leaks", [True, False])
async def test_parametrised(maker: Maker, leaks: bool) -> None:
    if leaks:
        session = maker()  # held by test_parametrised[True]
        await read(session)
    else:
        async with maker() as session:
            await read(session)


class TestClass:
    async def test_method(self, maker: Maker) -> None:
        session = maker()  # held
        await read(session)

    async def test_method_with_a_block(self, maker: Maker) -> None:
        async with maker() as session:
            await read(session)


# --- tasks ------------------------------------------------------------------------------------------------------------


async def cancelled_while_it_sleeps(maker: Maker, block: bool) -> None:
    reading = asyncio.Event()

    async def work() -> None:
        if block:
            async with maker() as session:
                await read(session)
                reading.set()
                await asyncio.sleep(3600)
        else:
            session = maker()  # held by test_cancelled
            await read(session)
            reading.set()
            await asyncio.sleep(3600)

    task = asyncio.create_task(work())
    await reading.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_cancelled(maker: Maker) -> None:
    await cancelled_while_it_sleeps(maker, block=False)


async def test_cancelled_in_a_block(maker: Maker) -> None:
    await cancelled_while_it_sleeps(maker, block=True)


async def test_timeout(maker: Maker) -> None:
    async def work() -> None:
        async with asyncio.timeout(0.2):
            session = maker()  # held
            await read(session)
            await asyncio.sleep(3600)

    with pytest.raises(TimeoutError):
        await work()


async def test_timeout_in_a_block(maker: Maker) -> None:
    async def work() -> None:
        async with asyncio.timeout(0.2), maker() as session:
            await read(session)
            await asyncio.sleep(3600)

    with pytest.raises(TimeoutError):
        await work()


async def test_gathered(maker: Maker) -> None:
    async def work() -> None:
        session = maker()  # held
        await read(session)

    await asyncio.gather(work(), work())


async def test_inside_of_run_sync(maker: Maker) -> None:
    def leak(session: Session) -> None:
        bare = Session(session.get_bind())  # held
        bare.execute(ONE)
        KEPT.append(bare)  # type: ignore[arg-type]

    async with maker() as session:
        await session.run_sync(leak)


# --- the garbage collector --------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore")
async def test_collected_before_the_test_ends(maker: Maker) -> None:
    session = maker()  # held
    await read(session)
    del session
    gc.collect()


@pytest.mark.filterwarnings("ignore")
async def test_collected_when_closed(maker: Maker) -> None:
    session = maker()
    await read(session)
    await session.close()
    del session
    gc.collect()


async def test_collector_is_off(maker: Maker) -> None:
    gc.disable()
    try:
        session = maker()  # held
        await read(session)
        del session
    finally:
        gc.enable()


# --- kinds of session -------------------------------------------------------------------------------------------------


class Own(AsyncSession):
    def __init__(self, *arguments: Any, tenant: str, **named: Any) -> None:
        self.tenant = tenant
        super().__init__(*arguments, **named)

    async def exec(self, statement: Any) -> Any:
        return (await self.execute(statement)).scalars()


async def test_subclass(maker: Maker) -> None:
    session = Own(maker.kw["bind"], tenant="a")  # held
    await session.exec(select(Item))


async def test_subclass_from_a_maker(maker: Maker) -> None:
    session = async_sessionmaker(maker.kw["bind"], class_=Own, tenant="a")()  # held
    await session.exec(select(Item))


async def test_subclass_in_a_block(maker: Maker) -> None:
    async with Own(maker.kw["bind"], tenant="a") as session:
        await session.exec(select(Item))


async def test_registry_without_remove(maker: Maker) -> None:
    registry = async_scoped_session(maker, scopefunc=asyncio.current_task)
    await registry.execute(ONE)  # held


async def test_registry_with_remove(maker: Maker) -> None:
    registry = async_scoped_session(maker, scopefunc=asyncio.current_task)
    await registry.execute(ONE)
    await registry.remove()


# --- FastAPI ----------------------------------------------------------------------------------------------------------


def application(maker: Maker) -> FastAPI:
    app = FastAPI()

    async def good() -> AsyncIterator[AsyncSession]:
        async with maker() as session:
            yield session

    async def bad() -> AsyncIterator[AsyncSession]:
        session = maker()  # held by test_dependency_that_closes_nothing
        yield session

    async def later() -> None:
        async with maker() as session:
            await read(session)

    @app.get("/good")
    async def get_good(work: BackgroundTasks, session: AsyncSession = Depends(good)) -> None:  # noqa: B008
        await read(session)
        work.add_task(later)

    @app.get("/bad")
    async def get_bad(session: AsyncSession = Depends(bad)) -> None:  # noqa: B008
        await read(session)

    @app.get("/bare")
    async def get_bare() -> None:
        session = new_session(maker)  # held by test_bare_session_of_an_endpoint
        await read(session)

    return app


async def requested(maker: Maker, path: str) -> None:
    transport = httpx.ASGITransport(app=application(maker))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        assert (await client.get(path)).status_code == 200


async def test_dependency_that_closes(maker: Maker) -> None:
    await requested(maker, "/good")


async def test_dependency_that_closes_nothing(maker: Maker) -> None:
    await requested(maker, "/bad")


async def test_bare_session_of_an_endpoint(maker: Maker) -> None:
    await requested(maker, "/bare")
