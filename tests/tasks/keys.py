"""Shapes whose entities have other keys than a number called `id`."""

from __future__ import annotations

from tasks.applications import ENDS_BEFORE_TASKS, Ending, shape

KEYS = (
    shape(
        "key_of_two_columns",
        {
            "tasks": """
            from sqlalchemy.ext.asyncio import AsyncSession

            from database import Seat
            from mail import send


            async def book(seat: Seat, session: AsyncSession, guest: str) -> None:
                seat.guest = guest
                await session.commit()
                send(f"{seat.hall}{seat.number} for {guest}")
            """,
            "app": """
            from fastapi import BackgroundTasks, Depends, FastAPI, HTTPException
            from sqlalchemy.ext.asyncio import AsyncSession

            from database import Seat, get_session
            from tasks import book

            app = FastAPI()


            @app.post("/seats/{hall}/{number}")
            async def take(
                hall: str,
                number: int,
                background_tasks: BackgroundTasks,
                session: AsyncSession = Depends(get_session),
            ) -> dict[str, str]:
                seat = await session.get(Seat, (hall, number))
                if not seat:
                    raise HTTPException(404, "no such seat")
                background_tasks.add_task(book, seat, session, "Vera")
                return {"hall": seat.hall}
            """,
        },
        "POST /seats/B/7",
        ends=Ending(responses=('200 {"hall":"B"}',), written=("seats B, 7: guest='Vera'",), sent=("B7 for Vera",)),
        differs={ENDS_BEFORE_TASKS: {"written": ()}},
    ),
    shape(
        "key_that_is_a_uuid",
        {
            "tasks": """
            from sqlalchemy.ext.asyncio import AsyncSession

            from database import Document
            from mail import send


            async def count_pages(document: Document, session: AsyncSession) -> None:
                document.pages = len(document.title)
                await session.commit()
                send(document.id.hex)
            """,
            "app": """
            from uuid import UUID

            from fastapi import BackgroundTasks, Depends, FastAPI
            from sqlalchemy.ext.asyncio import AsyncSession

            from database import Document, get_session
            from tasks import count_pages

            app = FastAPI()


            @app.post("/documents/{document_id}")
            async def count(
                document_id: UUID, background_tasks: BackgroundTasks, session: AsyncSession = Depends(get_session)
            ) -> dict[str, str]:
                document = await session.get_one(Document, document_id)
                background_tasks.add_task(count_pages, document, session)
                return {"title": document.title}
            """,
        },
        "POST /documents/6f1c2a1e-0b4e-4c39-9a57-0d6a6f0f2b11",
        ends=Ending(
            responses=('200 {"title":"lease"}',),
            written=("documents 6f1c2a1e-0b4e-4c39-9a57-0d6a6f0f2b11: pages=5",),
            sent=("6f1c2a1e0b4e4c399a570d6a6f0f2b11",),
        ),
        differs={ENDS_BEFORE_TASKS: {"written": ()}},
    ),
    shape(
        "key_that_is_not_called_id",
        {
            "tasks": """
            from sqlalchemy.ext.asyncio import AsyncSession

            from database import Account
            from mail import send


            async def count_visit(account: Account, session: AsyncSession) -> None:
                account.visits += 1
                await session.commit()
                send(f"{account.name}: {account.visits}")
            """,
            "app": """
            from fastapi import BackgroundTasks, Depends, FastAPI
            from sqlalchemy import select
            from sqlalchemy.ext.asyncio import AsyncSession

            import tasks
            from database import Account, get_session

            app = FastAPI()


            @app.post("/accounts/{name}")
            async def visit(
                name: str, background_tasks: BackgroundTasks, session: AsyncSession = Depends(get_session)
            ) -> dict[str, str]:
                account = (await session.scalars(select(Account).where(Account.name == name))).one()
                background_tasks.add_task(tasks.count_visit, account, session)
                return {"name": account.name}
            """,
        },
        "POST /accounts/Vera",
        ends=Ending(responses=('200 {"name":"Vera"}',), written=("accounts 5001: visits=2",), sent=("Vera: 2",)),
        differs={ENDS_BEFORE_TASKS: {"written": ()}},
    ),
)
