"""An application with two endpoints that leak, one that does not and one at work, for uvicorn to serve."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator

from fastapi import BackgroundTasks, Depends, FastAPI
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

from watch.database import new_session, read

maker = async_sessionmaker(create_async_engine(os.environ.get("DATABASE", "sqlite+aiosqlite://")))
app = FastAPI()
KEPT: list[AsyncSession] = []
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
    KEPT.append(maker())  # unclosed: /thread
