"""Shapes whose task runs beside the request: `create_task()`, `start_soon()`."""

from __future__ import annotations

from tasks.applications import ENDS_AFTER_TASKS, ENDS_BEFORE_TASKS, MARK_DONE, TEA_DONE, Ending, shape

IN_THE_LOOP = (
    shape(
        "task_that_is_kept_in_a_set",
        {
            "tasks": """
            import asyncio

            from sqlalchemy.ext.asyncio import AsyncSession

            from database import Item
            from mail import send


            async def process_item(item: Item, session: AsyncSession) -> None:
                await asyncio.sleep(0.02)
                item.state = "done"
                await session.commit()
                await session.refresh(item)
                send(f"{item.name} is {item.state}")
            """,
            "app": """
            import asyncio

            from fastapi import FastAPI

            from database import Item, new_async_session
            from tasks import process_item

            app = FastAPI()
            running: set[asyncio.Task[None]] = set()


            @app.post("/items/{item_id}/process")
            async def process(item_id: int) -> dict[str, str]:
                session = new_async_session()
                item = await session.get_one(Item, item_id)
                task = asyncio.create_task(process_item(item, session))
                running.add(task)
                task.add_done_callback(running.discard)
                return {"name": item.name}
            """,
        },
        "POST /items/1/process",
        ends=TEA_DONE,
        differs={ENDS_BEFORE_TASKS: {"out": 1}, ENDS_AFTER_TASKS: {"out": 1}},
    ),
    shape(
        "task_that_outlives_its_dependency",
        {
            "tasks": """
            import asyncio

            from sqlalchemy import func, select
            from sqlalchemy.ext.asyncio import AsyncSession

            from database import Item
            from mail import send


            async def process_item(item: Item, session: AsyncSession) -> None:
                await asyncio.sleep(0.02)
                item.state = "done"
                await session.commit()
                send(f"{await session.scalar(select(func.count(Item.id)))} items")
            """,
            "app": """
            import asyncio

            from fastapi import Depends, FastAPI
            from sqlalchemy.ext.asyncio import AsyncSession

            from database import Item, get_session
            from tasks import process_item

            app = FastAPI()
            running: set[asyncio.Task[None]] = set()


            @app.post("/items/{item_id}/process")
            async def process(item_id: int, session: AsyncSession = Depends(get_session)) -> dict[str, str]:
                item = await session.get_one(Item, item_id)
                task = asyncio.create_task(process_item(item, session))
                running.add(task)
                task.add_done_callback(running.discard)
                return {"name": item.name}
            """,
        },
        "POST /items/1/process",
        ends=Ending(responses=('200 {"name":"tea"}',), written=("items 1: state='done'",), sent=("3 items",)),
        differs={ENDS_BEFORE_TASKS: {"written": (), "out": 1}, ENDS_AFTER_TASKS: {"written": (), "out": 1}},
    ),
    shape(
        "task_that_starts_a_task",
        {
            "tasks": """
            import asyncio

            from sqlalchemy.ext.asyncio import AsyncSession

            from database import Item
            from mail import send

            running: set[asyncio.Task[None]] = set()


            async def announce_item(item: Item) -> None:
                await asyncio.sleep(0.02)
                send(f"{item.name} is {item.state}")


            async def process_item(item: Item, session: AsyncSession) -> None:
                item.state = "done"
                await session.commit()
                task = asyncio.create_task(announce_item(item))
                running.add(task)
                task.add_done_callback(running.discard)
            """,
            "app": """
            from fastapi import BackgroundTasks, Depends, FastAPI
            from sqlalchemy.ext.asyncio import AsyncSession

            from database import Item, get_session
            from tasks import process_item

            app = FastAPI()


            @app.post("/items/{item_id}/process")
            async def process(
                item_id: int, background_tasks: BackgroundTasks, session: AsyncSession = Depends(get_session)
            ) -> dict[str, str]:
                item = await session.get_one(Item, item_id)
                background_tasks.add_task(process_item, item, session)
                return {"name": item.name}
            """,
        },
        "POST /items/1/process",
        ends=TEA_DONE,
        differs={ENDS_BEFORE_TASKS: {"written": ()}},
        sites=2,
    ),
    shape(
        "task_of_a_group_that_others_wait_for",
        {
            "tasks": """
            import anyio
            from sqlalchemy.ext.asyncio import AsyncSession

            from database import Item
            from mail import send


            async def process_item(item: Item, session: AsyncSession) -> None:
                await anyio.sleep(0.02)
                item.state = "done"
                await session.commit()
                send(f"{item.name} is done")
            """,
            "app": """
            from collections.abc import AsyncIterator

            import anyio
            from anyio.abc import TaskGroup
            from fastapi import Depends, FastAPI
            from sqlalchemy.ext.asyncio import AsyncSession

            from database import Item, get_session
            from tasks import process_item

            app = FastAPI()


            async def get_group() -> AsyncIterator[TaskGroup]:
                async with anyio.create_task_group() as group:
                    yield group


            @app.post("/items/{item_id}/process")
            async def process(
                item_id: int,
                group: TaskGroup = Depends(get_group),
                session: AsyncSession = Depends(get_session),
            ) -> dict[str, str]:
                item = await session.get_one(Item, item_id)
                group.start_soon(process_item, item, session)
                return {"name": item.name}
            """,
        },
        "POST /items/1/process",
        ends=TEA_DONE,
        # the dependency that comes last ends first, before the group has waited
        differs={ENDS_BEFORE_TASKS: {"written": ()}, ENDS_AFTER_TASKS: {"written": ()}},
    ),
    shape(
        "task_of_a_group_that_the_request_waits_for",
        {
            "tasks": MARK_DONE,
            "app": """
            import anyio
            from fastapi import Depends, FastAPI
            from sqlalchemy.ext.asyncio import AsyncSession

            from database import Item, get_session
            from tasks import process_item

            app = FastAPI()


            @app.post("/items/{item_id}/process")
            async def process(item_id: int, session: AsyncSession = Depends(get_session)) -> dict[str, str]:
                item = await session.get_one(Item, item_id)
                async with anyio.create_task_group() as group:
                    group.start_soon(process_item, item, session)
                return {"name": item.name}
            """,
        },
        "POST /items/1/process",
        ends=TEA_DONE,
        sites=0,  # the session is there until the group is over
    ),
)
