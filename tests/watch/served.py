"""An application with two endpoints that leak, one that does not and one at work, for uvicorn to serve."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import AsyncIterator

from fastapi import BackgroundTasks, Depends, FastAPI
from sqlalchemy import create_engine
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import Session

from watch.database import new_session, read, read_now

maker = async_sessionmaker(create_async_engine(os.environ.get("DATABASE", "sqlite+aiosqlite://")))
app = FastAPI()
KEPT: list[AsyncSession] = []
NEVER_CLOSED: list[AsyncSession] = []
TASKS: list[asyncio.Task[None]] = []


async def depended_upon() -> AsyncIterator[AsyncSession]:
    session = maker()  # leaks: /dependency
    KEPT.append(session)
    yield session


@app.get("/bare")
async def bare() -> int:
    session = new_session(maker)  # leaks: /bare
    KEPT.append(session)
    await read(session)
    return os.getpid()


@app.get("/dependency")
async def dependency(session: AsyncSession = Depends(depended_upon)) -> int:  # noqa: B008
    await read(session)
    return os.getpid()


@app.get("/good")
async def good(work: BackgroundTasks) -> int:
    async with maker() as session:
        await read(session)
    work.add_task(later)
    return os.getpid()


async def later() -> None:
    async with maker() as session:
        await read(session)


@app.get("/fails")
async def fails() -> None:
    session = maker()  # leaks: /fails
    KEPT.append(session)
    await read(session)
    raise LookupError("on purpose")


@app.get("/afterwards")
async def afterwards(seconds: float) -> None:
    """Goes on in a task of its own when the request is over."""
    started = asyncio.Event()

    async def work() -> None:
        async with maker() as session:
            await read(session)
            started.set()
            await asyncio.sleep(seconds)

    TASKS.append(asyncio.create_task(work()))
    await started.wait()


@app.get("/afterwards/bare")
async def afterwards_bare() -> None:
    started = asyncio.Event()

    async def work() -> None:
        session = maker()  # leaks: /afterwards/bare
        KEPT.append(session)
        await read(session)
        started.set()

    TASKS.append(asyncio.create_task(work()))
    await started.wait()


@app.get("/thread")
def thread() -> None:
    """An endpoint that Starlette runs in a thread."""
    NEVER_CLOSED.append(maker())  # unclosed: /thread


@app.get("/early")
async def early() -> None:
    """The generator ends a moment after the request."""
    async for session in ending():
        await read(session)
        return


async def ending() -> AsyncIterator[AsyncSession]:
    async with maker() as session:
        yield session


@app.get("/thread/afterwards")
async def thread_afterwards() -> None:
    """A thread goes on when the request is over."""
    started = threading.Event()

    def work() -> None:
        with Session(create_engine("sqlite://")) as session:
            read_now(session)
            started.set()
            time.sleep(0.8)

    TASKS.append(asyncio.create_task(asyncio.to_thread(work)))
    while not started.is_set():
        await asyncio.sleep(0.01)


@app.get("/reset/{token}")
async def reset(token: str) -> None:
    session = maker()  # leaks: /reset
    KEPT.append(session)
    await read(session)
