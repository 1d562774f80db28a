"""Tests with a Session, without a plugin for asyncio. Comments as in `async_situations.py`."""

from __future__ import annotations

import asyncio
import gc
import threading
import unittest
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session, scoped_session, sessionmaker

from watch.database import Base, Item, created, read, read_now


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    made = create_engine(f"sqlite:///{tmp_path}/items.db", connect_args={"check_same_thread": False})
    Base.metadata.create_all(made)
    return made


def test_read_only(engine: Engine) -> None:
    session = Session(engine)  # held
    read_now(session)


def test_made_by_a_maker(engine: Engine) -> None:
    session = sessionmaker(engine)()  # held
    read_now(session)


def test_block(engine: Engine) -> None:
    with Session(engine) as session:
        read_now(session)


def test_own_subclass(engine: Engine) -> None:
    class Own(Session):
        def close(self) -> None:
            super().close()

    with Own(engine) as session:
        read_now(session)
    bare = Own(engine)  # held
    read_now(bare)


def test_registry_with_remove(engine: Engine) -> None:
    registry = scoped_session(sessionmaker(engine))
    read_now(registry())
    registry.remove()


def test_registry_without_remove(engine: Engine) -> None:
    registry = scoped_session(sessionmaker(engine))
    session = registry()  # held
    read_now(session)


def test_reused_after_close(engine: Engine) -> None:
    session = Session(engine)  # reused
    read_now(session)
    session.close()
    read_now(session)


def test_permanently_closed(engine: Engine) -> None:
    with Session(engine, close_resets_only=False) as session:
        read_now(session)


# --- fixtures of a wider scope ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shared_engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    made = create_engine(f"sqlite:///{tmp_path_factory.mktemp('shared')}/items.db")
    Base.metadata.create_all(made)
    return made


@pytest.fixture(scope="module")
def of_the_module(shared_engine: Engine) -> Iterator[Session]:
    with Session(shared_engine) as session:
        read_now(session)
        yield session


@pytest.fixture(scope="session")
def of_the_run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    engine = create_engine(f"sqlite:///{tmp_path_factory.mktemp('run')}/items.db")
    with Session(engine) as session:
        read_now(session)
        yield session


@pytest.fixture(scope="module")
def never_closed(shared_engine: Engine) -> Session:
    session = Session(shared_engine)  # held by fixture never_closed (module)
    read_now(session)
    return session


def test_fixture_of_the_module(of_the_module: Session, of_the_run: Session) -> None:
    read_now(of_the_module)
    read_now(of_the_run)


@pytest.fixture(scope="module")
def closed_by_the_module() -> Iterator[list[Session]]:
    kept: list[Session] = []
    yield kept
    for session in kept:
        session.close()


def test_closed_by_a_fixture_of_the_module(shared_engine: Engine, closed_by_the_module: list[Session]) -> None:
    closed_by_the_module.append(Session(shared_engine))
    read_now(closed_by_the_module[0])


@pytest.fixture(scope="session")
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


def test_collected_while_its_thread_lives_on(engine: Engine, threads: ThreadPoolExecutor) -> None:
    def leak() -> None:
        session = Session(engine)  # held
        read_now(session)

    threads.submit(leak).result()
    gc.collect()


def test_collected_later_while_its_thread_lives_on(engine: Engine, threads: ThreadPoolExecutor) -> None:
    def leak() -> None:
        session = Session(engine)  # held
        session.info["itself"] = session
        read_now(session)

    threads.submit(leak).result()


def test_closed_in_a_thread_that_lives_on(engine: Engine, threads: ThreadPoolExecutor) -> None:
    def work() -> None:
        with Session(engine) as session:
            read_now(session)

    threads.submit(work).result()
    gc.collect()


def test_fixture_of_the_module_that_closes_nothing(never_closed: Session) -> None:
    read_now(never_closed)


def test_fixture_of_the_module_again(of_the_module: Session, of_the_run: Session) -> None:
    read_now(of_the_module)
    read_now(of_the_run)


@pytest.fixture
def connection(engine: Engine) -> Iterator[Connection]:
    with engine.connect() as made:
        transaction = made.begin()
        yield made
        transaction.rollback()


def test_rolled_back_with_its_connection(connection: Connection) -> None:
    session = sessionmaker()(bind=connection, join_transaction_mode="create_savepoint")  # strict: unclosed
    session.add(Item(name="a"))
    session.commit()
    read_now(session)


# --- threads ----------------------------------------------------------------------------------------------------------


def test_made_in_a_thread(engine: Engine) -> None:
    def work() -> None:
        session = Session(engine)  # held
        read_now(session)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


def test_block_in_a_thread(engine: Engine) -> None:
    def work() -> None:
        with Session(engine) as session:
            read_now(session)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


STOP = threading.Event()
THREADS: list[threading.Thread] = []


def test_thread_goes_on_after_the_test(engine: Engine) -> None:
    reading = threading.Event()

    def work() -> None:
        with Session(engine) as session:
            read_now(session)
            reading.set()
            STOP.wait(60)

    THREADS.append(threading.Thread(target=work, daemon=True))
    THREADS[0].start()
    assert reading.wait(60)


def test_thread_is_stopped_by_another_test() -> None:
    STOP.set()
    for thread in THREADS:
        thread.join()


# --- unittest and asyncio.run -----------------------------------------------------------------------------------------


def test_own_loop(tmp_path: Path) -> None:
    async def work() -> None:
        maker = await created(f"sqlite+aiosqlite:///{tmp_path}/items.db")
        session = maker()  # held
        await read(session)
        KEPT.append(session)
        await maker.kw["bind"].dispose()

    asyncio.run(work())


KEPT: list[AsyncSession] = []


class Case(unittest.IsolatedAsyncioTestCase):
    shared: Session

    @classmethod
    def setUpClass(cls) -> None:
        cls.shared = Session(create_engine("sqlite://"))
        read_now(cls.shared)

    @classmethod
    def tearDownClass(cls) -> None:
        cls.shared.close()

    async def asyncSetUp(self) -> None:
        self.engine = create_async_engine("sqlite+aiosqlite://")
        self.session = AsyncSession(self.engine)

    async def asyncTearDown(self) -> None:
        await self.session.close()
        await self.engine.dispose()

    async def test_closed_in_teardown(self) -> None:
        await read(self.session)
        read_now(self.shared)

    async def test_bare(self) -> None:
        session = AsyncSession(self.engine)  # held
        await read(session)
        KEPT.append(session)


class SyncCase(unittest.TestCase):
    def test_bare(self) -> None:
        session = Session(create_engine("sqlite://"))  # held
        read_now(session)

    def test_cleaned_up(self) -> None:
        session = Session(create_engine("sqlite://"))
        self.addCleanup(session.close)
        read_now(session)
