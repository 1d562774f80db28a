"""Shapes whose task runs behind the response: `add_task()`, `BackgroundTask`."""

from __future__ import annotations

from dataclasses import replace

from tasks.applications import ENDS_AFTER_TASKS, ENDS_BEFORE_TASKS, MARK_DONE, TEA_DONE, Ending, shape

SQLITE = ("sqlite",)

BACKGROUND = (
    shape(
        "session_and_item",
        {
            "tasks": MARK_DONE,
            "app": """
            from fastapi import BackgroundTasks, Depends, FastAPI
            from sqlalchemy.ext.asyncio import AsyncSession

            from database import Item, get_session
            from tasks import process_item

            app = FastAPI()


            @app.post("/items/{item_id}/process")
            async def process(
                item_id: int,
                background_tasks: BackgroundTasks,
                session: AsyncSession = Depends(get_session),
            ) -> dict[str, str]:
                item = await session.get_one(Item, item_id)
                background_tasks.add_task(process_item, item, session)
                return {"name": item.name}
            """,
        },
        "POST /items/1/process",
        ends=TEA_DONE,
        differs={ENDS_BEFORE_TASKS: {"written": ()}},
    ),
    shape(
        "session_only",
        {
            "tasks": """
            from sqlalchemy import func, select
            from sqlalchemy.ext.asyncio import AsyncSession

            from database import Item
            from mail import send


            async def send_report(session: AsyncSession) -> None:
                count = await session.scalar(select(func.count(Item.id)).where(Item.state == "new"))
                send(f"{count} new items")
            """,
            "app": """
            from fastapi import BackgroundTasks, Depends, FastAPI
            from sqlalchemy.ext.asyncio import AsyncSession

            from database import get_session
            from tasks import send_report

            app = FastAPI()


            @app.post("/reports")
            async def order_report(
                background_tasks: BackgroundTasks, session: AsyncSession = Depends(get_session)
            ) -> dict[str, bool]:
                background_tasks.add_task(send_report, session)
                return {"ordered": True}
            """,
        },
        "POST /reports",
        ends=Ending(responses=('200 {"ordered":true}',), sent=("2 new items",)),
        differs={ENDS_BEFORE_TASKS: {"out": 1}},
    ),
    shape(
        "item_whose_owner_the_task_reads",
        {
            "tasks": """
            from database import Item
            from mail import send


            async def announce_item(item: Item) -> None:
                send(f"{item.owner.name} has {item.name}")
            """,
            "app": """
            from fastapi import BackgroundTasks, Depends, FastAPI, HTTPException
            from sqlalchemy import select
            from sqlalchemy.ext.asyncio import AsyncSession
            from sqlalchemy.orm import selectinload

            from database import Item, get_session
            from tasks import announce_item

            app = FastAPI()


            @app.post("/items/{item_id}/announce")
            async def announce(
                item_id: int, background_tasks: BackgroundTasks, session: AsyncSession = Depends(get_session)
            ) -> dict[str, str]:
                found = await session.execute(
                    select(Item).options(selectinload(Item.owner)).where(Item.id == item_id)
                )
                item = found.scalar_one_or_none()
                if item is None:
                    raise HTTPException(404, "no such item")
                background_tasks.add_task(announce_item, item)
                return {"name": item.name}
            """,
        },
        "POST /items/3/announce",
        "POST /items/9/announce",
        ends=Ending(responses=('200 {"name":"salt"}', '404 {"detail":"no such item"}'), sent=("Boris has salt",)),
    ),
    shape(
        "task_of_a_response",
        {
            "tasks": MARK_DONE,
            "app": """
            from fastapi import Depends, FastAPI
            from fastapi.responses import JSONResponse
            from sqlalchemy.ext.asyncio import AsyncSession
            from starlette.background import BackgroundTask

            from database import Item, get_session
            from tasks import process_item

            app = FastAPI()


            @app.post("/items/{item_id}/process")
            async def process(item_id: int, session: AsyncSession = Depends(get_session)) -> JSONResponse:
                item = await session.get_one(Item, item_id)
                return JSONResponse(
                    {"name": item.name},
                    background=BackgroundTask(process_item, item, session),
                )
            """,
        },
        "POST /items/1/process",
        ends=TEA_DONE,
        differs={ENDS_BEFORE_TASKS: {"written": ()}},
    ),
    shape(
        "tasks_of_a_response",
        {
            "tasks": MARK_DONE,
            "app": """
            from fastapi import Depends, FastAPI
            from fastapi.responses import JSONResponse
            from sqlalchemy.ext.asyncio import AsyncSession
            from starlette.background import BackgroundTask, BackgroundTasks

            from database import Item, get_session
            from mail import send
            from tasks import process_item

            app = FastAPI()


            @app.post("/items/{item_id}/process")
            async def process(item_id: int, session: AsyncSession = Depends(get_session)) -> JSONResponse:
                item = await session.get_one(Item, item_id)
                background = BackgroundTasks(
                    [
                        BackgroundTask(send, "beginning"),  # needs no database
                        BackgroundTask(process_item, item, session),
                    ]
                )
                return JSONResponse({"name": item.name}, background=background)
            """,
        },
        "POST /items/1/process",
        ends=replace(TEA_DONE, sent=("beginning", *TEA_DONE.sent)),
        differs={ENDS_BEFORE_TASKS: {"written": ()}},
    ),
    shape(
        "item_that_is_committed_after_the_call",
        {
            "tasks": MARK_DONE,
            "app": """
            from fastapi import BackgroundTasks, Depends, FastAPI
            from sqlalchemy.ext.asyncio import AsyncSession

            from database import Item, get_session
            from tasks import process_item

            app = FastAPI()


            @app.post("/items/{name}")
            async def create(
                name: str, background_tasks: BackgroundTasks, session: AsyncSession = Depends(get_session)
            ) -> dict[str, str]:
                item = Item(name=name, owner_id=2)
                session.add(item)
                await session.flush()
                background_tasks.add_task(process_item, item, session)
                await session.commit()
                return {"name": item.name}
            """,
        },
        "POST /items/milk",
        ends=Ending(
            responses=('200 {"name":"milk"}',),
            written=("items 4: name='milk', state='done', owner_id=2",),
            sent=("milk is done",),
        ),
        differs={ENDS_BEFORE_TASKS: {"written": ("items 4: name='milk', state='new', owner_id=2",)}},
    ),
    shape(
        "arguments_by_keyword",
        {
            "tasks": """
            from sqlalchemy.ext.asyncio import AsyncSession

            from database import Item
            from mail import send


            async def move_item(session: AsyncSession, item: Item, *, state: str = "done", loud: bool = False) -> None:
                item.state = state
                await session.commit()
                if loud:
                    send(f"{item.name} is {state}")
            """,
            "app": """
            from fastapi import BackgroundTasks, Depends, FastAPI
            from sqlalchemy.ext.asyncio import AsyncSession

            from database import Item, get_session
            from tasks import move_item

            app = FastAPI()


            @app.post("/items/{item_id}/pack")
            async def pack(
                item_id: int, background_tasks: BackgroundTasks, session: AsyncSession = Depends(get_session)
            ) -> dict[str, str]:
                item = await session.get_one(Item, item_id)
                background_tasks.add_task(move_item, item=item, session=session, loud=True, state="packed")
                return {"name": item.name}
            """,
        },
        "POST /items/2/pack",
        ends=Ending(responses=('200 {"name":"rye"}',), written=("items 2: state='packed'",), sent=("rye is packed",)),
        differs={ENDS_BEFORE_TASKS: {"written": ()}},
    ),
    shape(
        "item_that_was_just_committed",
        {
            "tasks": """
            from sqlalchemy.ext.asyncio import AsyncSession

            from database import Item


            async def index_item(item: Item, session: AsyncSession) -> None:
                item.state = f"indexed as {item.name[:1]}"
                await session.commit()
            """,
            "app": """
            from fastapi import BackgroundTasks, Depends, FastAPI
            from sqlalchemy.ext.asyncio import AsyncSession

            from database import Item, get_session
            from tasks import index_item

            app = FastAPI()


            @app.post("/items/{name}")
            async def create(
                name: str, background_tasks: BackgroundTasks, session: AsyncSession = Depends(get_session)
            ) -> dict[str, int]:
                item = Item(name=name, owner_id=1)
                session.add(item)
                await session.commit()
                background_tasks.add_task(index_item, item, session)
                return {"id": item.id}
            """,
        },
        "POST /items/milk",
        "POST /items/oil",
        ends=Ending(
            responses=('200 {"id":4}', '200 {"id":5}'),
            written=(
                "items 4: name='milk', state='indexed as m', owner_id=1",
                "items 5: name='oil', state='indexed as o', owner_id=1",
            ),
        ),
        differs={
            ENDS_BEFORE_TASKS: {
                "written": (
                    "items 4: name='milk', state='new', owner_id=1",
                    "items 5: name='oil', state='new', owner_id=1",
                )
            }
        },
    ),
    shape(
        "item_of_a_dependency",
        {
            "tasks": MARK_DONE,
            "app": """
            from typing import Annotated

            from fastapi import BackgroundTasks, Depends, FastAPI, HTTPException
            from sqlalchemy.ext.asyncio import AsyncSession

            from database import Item, get_session
            from tasks import process_item

            app = FastAPI()
            DbSession = Annotated[AsyncSession, Depends(get_session)]


            async def load_item(item_id: int, session: DbSession) -> Item:
                item = await session.get(Item, item_id)
                if item is None:
                    raise HTTPException(404, "no such item")
                return item


            @app.post("/items/{item_id}/process")
            async def process(
                background_tasks: BackgroundTasks, session: DbSession, item: Item = Depends(load_item)
            ) -> dict[str, str]:
                background_tasks.add_task(process_item, item, session)
                return {"name": item.name}
            """,
        },
        "POST /items/1/process",
        "POST /items/9/process",
        ends=Ending(
            responses=('200 {"name":"tea"}', '404 {"detail":"no such item"}'),
            written=TEA_DONE.written,
            sent=TEA_DONE.sent,
        ),
        differs={ENDS_BEFORE_TASKS: {"written": ()}},
    ),
    shape(
        "task_that_is_called_directly_too",
        {
            "tasks": """
            from sqlalchemy.ext.asyncio import AsyncSession

            from database import Item
            from mail import send


            async def process_item(item: Item, session: AsyncSession) -> str:
                old = item.state
                item.state = "done"
                await session.commit()
                send(f"{item.name} is done")
                return old
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


            @app.put("/items/{item_id}/process")
            async def process_now(item_id: int, session: AsyncSession = Depends(get_session)) -> dict[str, str]:
                item = await session.get_one(Item, item_id)
                old = await process_item(item, session)
                return {"old": old, "new": item.state}
            """,
        },
        "POST /items/1/process",
        "PUT /items/3/process",
        ends=Ending(
            responses=('200 {"name":"tea"}', '200 {"old":"old","new":"done"}'),
            written=("items 1: state='done'", "items 3: state='done'"),
            sent=("tea is done", "salt is done"),
        ),
        differs={ENDS_BEFORE_TASKS: {"written": ("items 3: state='done'",)}},
    ),
    shape(
        "two_tasks_of_one_request",
        {
            "tasks": """
            from sqlalchemy.ext.asyncio import AsyncSession

            from database import Item, Owner
            from mail import send


            async def process_item(item: Item, session: AsyncSession) -> None:
                item.state = "done"
                await session.commit()


            async def praise_owner(owner: Owner, session: AsyncSession, why: str) -> None:
                owner.name = owner.name.upper()
                await session.commit()
                send(f"{owner.name} for {why}")
            """,
            "app": """
            from fastapi import BackgroundTasks, Depends, FastAPI
            from sqlalchemy.ext.asyncio import AsyncSession

            from database import Item, Owner, get_session
            from tasks import praise_owner, process_item

            app = FastAPI()


            @app.post("/items/{item_id}/process")
            async def process(
                item_id: int, background_tasks: BackgroundTasks, session: AsyncSession = Depends(get_session)
            ) -> dict[str, str]:
                item = await session.get_one(Item, item_id)
                owner = await session.get_one(Owner, item.owner_id)
                background_tasks.add_task(process_item, item, session)
                background_tasks.add_task(praise_owner, owner, session, item.name)
                return {"owner": owner.name}
            """,
        },
        "POST /items/3/process",
        ends=Ending(
            responses=('200 {"owner":"Boris"}',),
            written=("items 3: state='done'", "owners 2: name='BORIS'"),
            sent=("BORIS for salt",),
        ),
        differs={ENDS_BEFORE_TASKS: {"written": ()}},
        sites=2,
    ),
    shape(
        "task_whose_work_is_in_another_function",
        {
            "services": """
            from sqlalchemy.ext.asyncio import AsyncSession

            from database import Item
            from mail import send


            async def close_item(item: Item, session: AsyncSession) -> None:
                item.state = f"closed for {item.owner.name}"
                await session.commit()
                send(item.state)
            """,
            "tasks": """
            from sqlalchemy.ext.asyncio import AsyncSession

            from database import Item
            from services import close_item


            async def process_item(session: AsyncSession, item: Item, really: bool = True) -> None:
                if not really:
                    return
                await close_item(item, session)
            """,
            "app": """
            from fastapi import BackgroundTasks, Depends, FastAPI
            from sqlalchemy import select
            from sqlalchemy.ext.asyncio import AsyncSession
            from sqlalchemy.orm import selectinload

            from database import Item, get_session
            from tasks import process_item

            app = FastAPI()


            @app.post("/items/{item_id}/process")
            async def process(
                item_id: int, background_tasks: BackgroundTasks, session: AsyncSession = Depends(get_session)
            ) -> dict[str, str]:
                query = select(Item).where(Item.id == item_id).options(selectinload(Item.owner))
                item = (await session.execute(query)).scalar_one()
                background_tasks.add_task(process_item, session, item)
                return {"name": item.name}
            """,
        },
        "POST /items/3/process",
        ends=Ending(
            responses=('200 {"name":"salt"}',),
            written=("items 3: state='closed for Boris'",),
            sent=("closed for Boris",),
        ),
        differs={ENDS_BEFORE_TASKS: {"written": ()}},
    ),
    shape(
        "only_the_key_is_read",
        {
            "tasks": """
            from database import Item
            from mail import send


            async def ring(item: Item) -> None:
                send(f"item {item.id}")
            """,
            "app": """
            from fastapi import BackgroundTasks, Depends, FastAPI
            from sqlalchemy.ext.asyncio import AsyncSession

            from database import Item, get_session
            from tasks import ring

            app = FastAPI()


            @app.post("/items/{item_id}/ring")
            async def ring_for(
                item_id: int, background_tasks: BackgroundTasks, session: AsyncSession = Depends(get_session)
            ) -> dict[str, str]:
                item = await session.get_one(Item, item_id)
                background_tasks.add_task(ring, item)
                return {"name": item.name}
            """,
        },
        "POST /items/2/ring",
        ends=Ending(responses=('200 {"name":"rye"}',), sent=("item 2",)),
    ),
    shape(
        "items_in_an_order",
        {
            "tasks": """
            from sqlalchemy.ext.asyncio import AsyncSession

            from database import Item
            from mail import send


            async def close_items(items: list[Item], session: AsyncSession) -> None:
                for item in items:
                    item.state = "closed"
                    send(f"{item.name} is closed")
                await session.commit()
            """,
            "app": """
            from fastapi import BackgroundTasks, Depends, FastAPI
            from sqlalchemy import select
            from sqlalchemy.ext.asyncio import AsyncSession

            from database import Item, get_session
            from tasks import close_items

            app = FastAPI()


            @app.post("/close")
            async def close(
                background_tasks: BackgroundTasks, session: AsyncSession = Depends(get_session)
            ) -> dict[str, int]:
                result = await session.execute(select(Item).where(Item.state == "new").order_by(Item.id.desc()))
                items = list(result.scalars())
                background_tasks.add_task(close_items, items, session)
                return {"closing": len(items)}
            """,
        },
        "POST /close",
        ends=Ending(
            responses=('200 {"closing":2}',),
            written=("items 1: state='closed'", "items 2: state='closed'"),
            sent=("rye is closed", "tea is closed"),
        ),
        differs={ENDS_BEFORE_TASKS: {"written": ()}},
    ),
    shape(
        "sync_task_with_a_sync_session",
        {
            "tasks": """
            from sqlalchemy.orm import Session

            from database import Item
            from mail import send


            def process_item(item: Item, session: Session) -> None:
                item.state = "done"
                session.commit()
                send(f"{item.name} of {item.owner.name}")
            """,
            "app": """
            from fastapi import BackgroundTasks, Depends, FastAPI
            from sqlalchemy.orm import Session

            from database import Item, get_sync_session
            from tasks import process_item

            app = FastAPI()


            @app.post("/items/{item_id}/process")
            def process(
                item_id: int, background_tasks: BackgroundTasks, session: Session = Depends(get_sync_session)
            ) -> dict[str, str]:
                item = session.get_one(Item, item_id)
                background_tasks.add_task(process_item, item, session)
                return {"name": item.name}
            """,
        },
        "POST /items/1/process",
        ends=Ending(responses=('200 {"name":"tea"}',), written=("items 1: state='done'",), sent=("tea of Anna",)),
        # and it reads the owner of an item that no session has any more
        differs={
            ENDS_BEFORE_TASKS: {"written": (), "sent": (), "failed": ("DetachedInstanceError",)},
            ENDS_AFTER_TASKS: {},
        },
        databases=SQLITE,
    ),
)
