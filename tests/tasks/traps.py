"""The table of traps: applications in which ids instead of entities and sessions break what works.

Most live on a session that is still open when the task runs: there the task's own commit, or that of the dependency,
writes what the request has left behind. Every trap carries the change that looks right, to show that a trial would
notice it; the tool has to refuse.
"""

from __future__ import annotations

from tasks.applications import (
    ENDED_AFTER_TASKS,
    ENDS_BEFORE_TASKS,
    FRAMEWORKS,
    Ending,
    shape,
    trap,
)

EVERYWHERE = (*FRAMEWORKS, ENDED_AFTER_TASKS)
POSTGRESQL = ("postgresql",)

IMPORTS = """
from sqlalchemy.ext.asyncio import AsyncSession

from database import Item
from mail import send


"""
IMPORTS_BY_ID = """
from database import Item, async_session
from mail import send


"""
MARK = """
from sqlalchemy.ext.asyncio import AsyncSession

from database import Item


async def mark_item(item: Item, session: AsyncSession) -> None:
    item.state = "marked"
    await session.commit()
"""
MARK_BY_ID = """
from database import Item, async_session


async def mark_item(item_id: int) -> None:
    async with async_session() as session:
        item = await session.get(Item, item_id)
        if item is None:
            return
        item.state = "marked"
        await session.commit()
"""
BY_ID = ("item, session)", "item.id)")

APP = """
from fastapi import BackgroundTasks, Depends, FastAPI
from sqlalchemy.ext.asyncio import AsyncSession

from database import Item, get_session
from tasks import mark_item

app = FastAPI()


"""
CREATE = """\
@app.post("/items/{name}")
async def create(
    name: str, background_tasks: BackgroundTasks, session: AsyncSession = Depends(get_session)
) -> dict[str, str]:
    item = Item(name=name, owner_id=1)
    session.add(item)
    await session.flush()
    background_tasks.add_task(mark_item, item, session)
    return {"name": item.name}
"""
CREATED = Ending(responses=('200 {"name":"milk"}',), written=("items 4: name='milk', state='marked', owner_id=1",))
RENAMED = Ending(responses=('200 {"name":"coffee"}',), written=("items 1: name='coffee', state='marked'",))

UNCOMMITTED = (
    # before 0.106 and since 0.118 the task finds no row: the commit comes behind it
    trap(
        shape(
            "dependency_commits_what_is_created",
            {
                "sessions": """
                from collections.abc import AsyncIterator

                from sqlalchemy.ext.asyncio import AsyncSession

                from database import new_async_session


                async def get_session() -> AsyncIterator[AsyncSession]:
                    async with new_async_session() as session:
                        yield session
                        await session.commit()
                """,
                "tasks": MARK,
                "app": APP.replace("Item, get_session\n", "Item\nfrom sessions import get_session\n") + CREATE,
            },
            "POST /items/milk",
            ends=CREATED,
            # the dependency has committed what the request made, and closed what the task would commit
            differs={ENDS_BEFORE_TASKS: {"written": ("items 4: name='milk', state='new', owner_id=1",)}},
            frameworks=EVERYWHERE,
        ),
        MARK_BY_ID,
        BY_ID,
        gives_away="written",
        because="commits behind its `yield`",
    ),
    trap(
        shape(
            "task_commits_what_is_only_flushed",
            {"tasks": MARK, "app": APP + CREATE},
            "POST /items/milk",
            ends=CREATED,
            differs={ENDS_BEFORE_TASKS: {"written": ()}},
            frameworks=EVERYWHERE,
        ),
        MARK_BY_ID,
        BY_ID,
        gives_away="written",
        because="the task's own commit writes it",
    ),
    trap(
        shape(
            "task_commits_what_has_no_id_yet",
            {"tasks": MARK, "app": APP + CREATE.replace("    await session.flush()\n", "")},
            "POST /items/milk",
            ends=CREATED,
            differs={ENDS_BEFORE_TASKS: {"written": ()}},
        ),
        MARK_BY_ID,
        BY_ID,
        gives_away="written",
        because="is not in the database yet",
    ),
    trap(
        shape(
            "task_commits_what_the_request_changed",
            {
                "tasks": MARK,
                "app": APP
                + """\
@app.post("/items/{item_id}/rename/{name}")
async def rename(
    item_id: int, name: str, background_tasks: BackgroundTasks, session: AsyncSession = Depends(get_session)
) -> dict[str, str]:
    item = await session.get_one(Item, item_id)
    item.name = name
    background_tasks.add_task(mark_item, item, session)
    return {"name": item.name}
""",
            },
            "POST /items/1/rename/coffee",
            ends=RENAMED,
            differs={ENDS_BEFORE_TASKS: {"written": ()}},
            frameworks=EVERYWHERE,
        ),
        MARK_BY_ID,
        BY_ID,
        gives_away="written",
        because="is not committed when the task starts",
    ),
    trap(
        shape(
            "task_commits_what_is_changed_after_the_call",
            {
                "tasks": MARK,
                "app": APP
                + """\
@app.post("/items/{item_id}/rename/{name}")
async def rename(
    item_id: int, name: str, background_tasks: BackgroundTasks, session: AsyncSession = Depends(get_session)
) -> dict[str, str]:
    item = await session.get_one(Item, item_id)
    background_tasks.add_task(mark_item, item, session)
    item.name = name
    return {"name": item.name}
""",
            },
            "POST /items/1/rename/coffee",
            ends=RENAMED,
            differs={ENDS_BEFORE_TASKS: {"written": ()}},
        ),
        MARK_BY_ID,
        BY_ID,
        gives_away="written",
        because="is not committed when the task starts",
    ),
    trap(
        shape(
            "request_commits_on_one_path_only",
            {
                "tasks": MARK,
                "app": APP
                + """\
@app.post("/items/{item_id}/rename/{name}")
async def rename(
    item_id: int, name: str, background_tasks: BackgroundTasks, session: AsyncSession = Depends(get_session)
) -> dict[str, str]:
    item = await session.get_one(Item, item_id)
    item.name = name
    if len(name) > 10:
        await session.commit()
    background_tasks.add_task(mark_item, item, session)
    return {"name": item.name}
""",
            },
            "POST /items/1/rename/coffee",
            ends=RENAMED,
            differs={ENDS_BEFORE_TASKS: {"written": ()}},
        ),
        MARK_BY_ID,
        BY_ID,
        gives_away="written",
        because="is not committed when the task starts",
    ),
    trap(
        shape(
            "task_starts_before_the_commit",
            {
                "tasks": MARK,
                "app": """
                import asyncio

                from fastapi import Depends, FastAPI
                from sqlalchemy.ext.asyncio import AsyncSession

                from database import Item, get_session
                from tasks import mark_item

                app = FastAPI()
                running: set[asyncio.Task[None]] = set()


                @app.post("/items/{name}")
                async def create(name: str, session: AsyncSession = Depends(get_session)) -> dict[str, str]:
                    item = Item(name=name, owner_id=1)
                    session.add(item)
                    await session.flush()
                    task = asyncio.create_task(mark_item(item, session))
                    running.add(task)
                    task.add_done_callback(running.discard)
                    while running:
                        await asyncio.sleep(0.01)
                    await session.commit()
                    return {"name": item.name}
                """,
            },
            "POST /items/milk",
            ends=CREATED,
        ),
        MARK_BY_ID,
        BY_ID,
        gives_away="written",
        because="is not committed when the task starts",
        on=FRAMEWORKS,
    ),
    trap(
        shape(
            "dependency_commits_what_the_task_changed",
            {
                "sessions": """
                from collections.abc import AsyncIterator

                from sqlalchemy.ext.asyncio import AsyncSession

                from database import new_async_session


                async def get_session() -> AsyncIterator[AsyncSession]:
                    async with new_async_session() as session:
                        try:
                            yield session
                        except BaseException:
                            await session.rollback()
                            raise
                        else:
                            await session.commit()
                """,
                "tasks": """
                from database import Item


                async def mark_item(item: Item) -> None:
                    item.state = "marked"
                """,
                "app": """
                from fastapi import BackgroundTasks, Depends, FastAPI
                from sqlalchemy.ext.asyncio import AsyncSession

                from database import Item
                from sessions import get_session
                from tasks import mark_item

                app = FastAPI()


                @app.post("/items/{item_id}/mark")
                async def mark(
                    item_id: int, background_tasks: BackgroundTasks, session: AsyncSession = Depends(get_session)
                ) -> dict[str, str]:
                    item = await session.get_one(Item, item_id)
                    background_tasks.add_task(mark_item, item)
                    return {"name": item.name}
                """,
            },
            "POST /items/1/mark",
            ends=Ending(responses=('200 {"name":"tea"}',), written=("items 1: state='marked'",)),
            differs={ENDS_BEFORE_TASKS: {"written": ()}},
            frameworks=EVERYWHERE,
        ),
        """
        from database import Item, async_session


        async def mark_item(item_id: int) -> None:
            async with async_session() as session:
                item = await session.get(Item, item_id)
                if item is None:
                    return
                item.state = "marked"
        """,
        ("(mark_item, item)", "(mark_item, item.id)"),
        gives_away="written",
        because="changes `item` without a commit",
    ),
    trap(
        shape(
            "one_task_commits_what_another_changed",
            {
                "tasks": """
                from sqlalchemy.ext.asyncio import AsyncSession

                from database import Item


                async def mark_item(item: Item) -> None:
                    item.state = "marked"


                async def save(session: AsyncSession) -> None:
                    await session.commit()
                """,
                "app": """
                from fastapi import BackgroundTasks, Depends, FastAPI
                from sqlalchemy.ext.asyncio import AsyncSession

                from database import Item, get_session
                from tasks import mark_item, save

                app = FastAPI()


                @app.post("/items/{item_id}/mark")
                async def mark(
                    item_id: int, background_tasks: BackgroundTasks, session: AsyncSession = Depends(get_session)
                ) -> dict[str, str]:
                    item = await session.get_one(Item, item_id)
                    background_tasks.add_task(mark_item, item)
                    background_tasks.add_task(save, session)
                    return {"name": item.name}
                """,
            },
            "POST /items/1/mark",
            ends=Ending(responses=('200 {"name":"tea"}',), written=("items 1: state='marked'",)),
            differs={ENDS_BEFORE_TASKS: {"written": ()}},
        ),
        """
        from database import Item, async_session


        async def mark_item(item_id: int) -> None:
            async with async_session() as session:
                item = await session.get(Item, item_id)
                if item is None:
                    return
                item.state = "marked"


        async def save() -> None:
            async with async_session() as session:
                await session.commit()
        """,
        ("(mark_item, item)", "(mark_item, item.id)"),
        ("(save, session)", "(save)"),
        gives_away="written",
    ),
    # the row is locked until the request's session ends, which waits for the task
    trap(
        shape(
            "row_that_the_request_has_locked",
            {
                "tasks": MARK,
                "app": APP
                + """\
@app.post("/items/{item_id}/mark")
async def mark(
    item_id: int, background_tasks: BackgroundTasks, session: AsyncSession = Depends(get_session)
) -> dict[str, str]:
    item = await session.get_one(Item, item_id, with_for_update=True)
    background_tasks.add_task(mark_item, item, session)
    return {"name": item.name}
""",
            },
            "POST /items/1/mark",
            ends=Ending(responses=('200 {"name":"tea"}',), written=("items 1: state='marked'",)),
            differs={ENDS_BEFORE_TASKS: {"written": ()}},
            databases=POSTGRESQL,
        ),
        MARK_BY_ID,
        BY_ID,
        gives_away="failed",
    ),
)

TELL = """
from database import Item
from mail import send


"""
TELL_BY_ID = (
    IMPORTS_BY_ID
    + """\
async def tell(item_id: int) -> None:
    async with async_session() as session:
        item = await session.get(Item, item_id)
        if item is None:
            return
        send(item.name)
"""
)

LEFT_BEHIND = (
    trap(
        shape(
            "attribute_that_is_no_column",
            {
                "tasks": TELL
                + """\
async def tell(item: Item) -> None:
    send(f"{item.name}: {item.note}")
""",
                "app": APP.replace("mark_item", "tell")
                + """\
@app.post("/items/{item_id}/tell/{note}")
async def tell_of(
    item_id: int, note: str, background_tasks: BackgroundTasks, session: AsyncSession = Depends(get_session)
) -> dict[str, str]:
    item = await session.get_one(Item, item_id)
    item.note = note
    background_tasks.add_task(tell, item)
    return {"name": item.name}
""",
            },
            "POST /items/1/tell/urgent",
            ends=Ending(responses=('200 {"name":"tea"}',), sent=("tea: urgent",)),
        ),
        IMPORTS_BY_ID
        + """\
async def tell(item_id: int) -> None:
    async with async_session() as session:
        item = await session.get(Item, item_id)
        if item is None:
            return
        send(f"{item.name}: {item.note}")
""",
        ("(tell, item)", "(tell, item.id)"),
        gives_away="sent",
        because="`item.note` is no column",
        on=FRAMEWORKS,
    ),
    trap(
        shape(
            "what_the_session_was_told",
            {
                "sessions": """
                from collections.abc import AsyncIterator

                from sqlalchemy.ext.asyncio import AsyncSession

                from database import new_async_session


                async def get_session() -> AsyncIterator[AsyncSession]:
                    async with new_async_session() as session:
                        session.info["user"] = "Anna"
                        yield session
                """,
                "tasks": IMPORTS
                + """\
async def mark_item(item: Item, session: AsyncSession) -> None:
    user = session.info.get("user", "nobody")
    send(f"{user} asked for {item.name}")
""",
                "app": APP.replace("Item, get_session\n", "Item\nfrom sessions import get_session\n")
                + """\
@app.post("/items/{item_id}/mark")
async def mark(
    item_id: int, background_tasks: BackgroundTasks, session: AsyncSession = Depends(get_session)
) -> dict[str, str]:
    item = await session.get_one(Item, item_id)
    background_tasks.add_task(mark_item, item, session)
    return {"name": item.name}
""",
            },
            "POST /items/2/mark",
            ends=Ending(responses=('200 {"name":"rye"}',), sent=("Anna asked for rye",)),
        ),
        IMPORTS_BY_ID
        + """\
async def mark_item(item_id: int) -> None:
    async with async_session() as session:
        item = await session.get(Item, item_id)
        if item is None:
            return
        user = session.info.get("user", "nobody")
        send(f"{user} asked for {item.name}")
""",
        BY_ID,
        gives_away="sent",
        on=FRAMEWORKS,
    ),
    trap(
        shape(
            "row_that_the_request_has_deleted",
            {
                "tasks": TELL
                + """\
async def tell(item: Item) -> None:
    send(f"{item.name} is gone")
""",
                "app": APP.replace("mark_item", "tell")
                + """\
@app.delete("/items/{item_id}")
async def remove(
    item_id: int, background_tasks: BackgroundTasks, session: AsyncSession = Depends(get_session)
) -> dict[str, str]:
    item = await session.get_one(Item, item_id)
    await session.delete(item)
    await session.commit()
    background_tasks.add_task(tell, item)
    return {"name": item.name}
""",
            },
            "DELETE /items/2",
            ends=Ending(responses=('200 {"name":"rye"}',), written=("items 2 is gone",), sent=("rye is gone",)),
        ),
        IMPORTS_BY_ID
        + """\
async def tell(item_id: int) -> None:
    async with async_session() as session:
        item = await session.get(Item, item_id)
        if item is None:
            return
        send(f"{item.name} is gone")
""",
        ("(tell, item)", "(tell, item.id)"),
        gives_away="sent",
        because="is deleted by line",
        on=FRAMEWORKS,
    ),
    trap(
        shape(
            "item_that_the_commit_has_expired",
            {
                "sessions": """
                from collections.abc import AsyncIterator

                from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

                from database import engine

                expiring_session = async_sessionmaker(engine)


                async def get_session() -> AsyncIterator[AsyncSession]:
                    async with expiring_session() as session:
                        yield session
                """,
                "tasks": MARK.replace("item.state", "await session.refresh(item)\n    item.state"),
                "app": APP.replace("Item, get_session\n", "Item\nfrom sessions import get_session\n")
                + CREATE.replace("flush", "commit").replace("item.name", "name"),
            },
            "POST /items/milk",
            ends=CREATED,
            differs={
                ENDS_BEFORE_TASKS: {
                    "written": ("items 4: name='milk', state='new', owner_id=1",),
                    "failed": ("InvalidRequestError",),
                }
            },
        ),
        """
from database import Item
from sessions import expiring_session


async def mark_item(item_id: int) -> None:
    async with expiring_session() as session:
        item = await session.get(Item, item_id)
        if item is None:
            return
        item.state = f"marked as {item.name}"
        await session.commit()
""",
        BY_ID,
        gives_away="failed",
        because="is expired by the commit at line",
    ),
    trap(
        shape(
            "copy_that_the_request_has_masked",
            {
                "tasks": TELL
                + """\
async def tell(item: Item) -> None:
    send(item.name)
""",
                "app": APP.replace("mark_item", "tell")
                + """\
@app.post("/items/{item_id}/tell")
async def tell_of(
    item_id: int, background_tasks: BackgroundTasks, session: AsyncSession = Depends(get_session)
) -> dict[str, bool]:
    item = await session.get_one(Item, item_id)
    session.expunge(item)
    item.name = "***"
    background_tasks.add_task(tell, item)
    return {"told": True}
""",
            },
            "POST /items/1/tell",
            ends=Ending(responses=('200 {"told":true}',), sent=("***",)),
        ),
        TELL_BY_ID,
        ("(tell, item)", "(tell, item.id)"),
        gives_away="sent",
        because="",
        on=FRAMEWORKS,
    ),
    trap(
        shape(
            "item_that_no_session_has",
            {
                "tasks": TELL
                + """\
async def tell(item: Item) -> None:
    send(item.name)
""",
                "app": APP.replace("mark_item", "tell")
                + """\
@app.post("/items/{item_id}/tell")
async def tell_of(
    item_id: int, background_tasks: BackgroundTasks, session: AsyncSession = Depends(get_session)
) -> dict[str, bool]:
    item = Item(name=f"like {item_id}", owner_id=1)
    background_tasks.add_task(tell, item)
    return {"told": True}
""",
            },
            "POST /items/1/tell",
            ends=Ending(responses=('200 {"told":true}',), sent=("like 1",)),
        ),
        TELL_BY_ID,
        ("(tell, item)", "(tell, item.id)"),
        gives_away="sent",
        because="is not in the database yet",
        on=FRAMEWORKS,
    ),
    trap(
        shape(
            "item_that_may_be_missing",
            {
                "tasks": TELL
                + """\
async def tell(item: Item | None) -> None:
    send("no item" if item is None else item.name)
""",
                "app": APP.replace("mark_item", "tell")
                + """\
@app.post("/items/{item_id}/tell")
async def tell_of(
    item_id: int, background_tasks: BackgroundTasks, session: AsyncSession = Depends(get_session)
) -> dict[str, bool]:
    item = await session.get(Item, item_id)
    background_tasks.add_task(tell, item)
    return {"told": True}
""",
            },
            "POST /items/9/tell",
            ends=Ending(responses=('200 {"told":true}',), sent=("no item",)),
        ),
        TELL_BY_ID,
        ("(tell, item)", "(tell, item.id)"),
        gives_away="responses",
        because="may be None",
        on=FRAMEWORKS,
    ),
    trap(
        shape(
            "item_that_a_rollback_has_expired",
            {
                "tasks": MARK.replace("item.state", "await session.refresh(item)\n    item.state"),
                "app": APP
                + """\
@app.post("/items/{item_id}/mark")
async def mark(
    item_id: int, background_tasks: BackgroundTasks, session: AsyncSession = Depends(get_session)
) -> dict[str, int]:
    item = await session.get_one(Item, item_id)
    await session.rollback()
    background_tasks.add_task(mark_item, item, session)
    return {"id": item_id}
""",
            },
            "POST /items/1/mark",
            ends=Ending(responses=('200 {"id":1}',), written=("items 1: state='marked'",)),
            differs={ENDS_BEFORE_TASKS: {"written": (), "failed": ("InvalidRequestError",)}},
        ),
        MARK_BY_ID,
        BY_ID,
        gives_away="failed",
        because="is expired by the rollback at line",
    ),
)

SEEN_BY_THE_REQUEST = (
    trap(
        shape(
            "item_is_shown_when_its_task_is_over",
            {
                "tasks": MARK,
                "app": """
                import asyncio

                from fastapi import Depends, FastAPI
                from sqlalchemy.ext.asyncio import AsyncSession

                from database import Item, get_session
                from tasks import mark_item

                app = FastAPI()


                @app.post("/items/{item_id}/mark")
                async def mark(item_id: int, session: AsyncSession = Depends(get_session)) -> dict[str, str]:
                    item = await session.get_one(Item, item_id)
                    task = asyncio.create_task(mark_item(item, session))
                    await asyncio.sleep(0)
                    await task
                    return {"state": item.state}
                """,
            },
            "POST /items/1/mark",
            ends=Ending(responses=('200 {"state":"marked"}',), written=("items 1: state='marked'",)),
        ),
        MARK_BY_ID,
        BY_ID,
        gives_away="responses",
        on=FRAMEWORKS,
    ),
    trap(
        shape(
            "item_is_shown_when_its_group_is_over",
            {
                "tasks": MARK,
                "app": """
                import anyio
                from fastapi import Depends, FastAPI
                from sqlalchemy.ext.asyncio import AsyncSession

                from database import Item, get_session
                from tasks import mark_item

                app = FastAPI()


                @app.post("/items/{item_id}/mark")
                async def mark(item_id: int, session: AsyncSession = Depends(get_session)) -> dict[str, str]:
                    item = await session.get_one(Item, item_id)
                    async with anyio.create_task_group() as group:
                        group.start_soon(mark_item, item, session)
                    return {"state": item.state}
                """,
            },
            "POST /items/1/mark",
            ends=Ending(responses=('200 {"state":"marked"}',), written=("items 1: state='marked'",)),
        ),
        MARK_BY_ID,
        BY_ID,
        gives_away="responses",
        on=FRAMEWORKS,
    ),
)

TRAPS = (*UNCOMMITTED, *LEFT_BEHIND, *SEEN_BY_THE_REQUEST)
