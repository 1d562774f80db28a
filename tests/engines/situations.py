"""The table of situations: how applications make their engines and makers, and what is added to them."""

from __future__ import annotations

from engines.applications import (
    EVERY_DATABASE,
    FILE,
    LIVENESS,
    MEMORY,
    POSTGRESQL,
    SERVERS,
    SERVERS_AND_FILES,
    SIZES,
    SYNC_APP,
    Situation,
)

ALL = {**SIZES, **LIVENESS}

SETTINGS = """
import os
from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    database_url: str
    environment: str


settings = Settings(
    database_url=os.environ["DATABASE_URL"],
    environment=os.getenv("ENVIRONMENT", "production"),
)
"""
FROM_SETTINGS = """
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine

from settings import settings

engine = create_async_engine(settings.database_url)
async_session = async_sessionmaker(engine, expire_on_commit=False)
"""

SERVER_URLS = (
    Situation(
        name="server_in_a_literal",
        database="""
        from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine

        engine = create_async_engine("postgresql+asyncpg://")
        async_session = async_sessionmaker(engine, expire_on_commit=False)
        """,
        written={"engine": ALL},
        databases=(POSTGRESQL,),
    ),
    Situation(
        name="server_in_a_format_string",
        database="""
        import os

        from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine

        DATABASE_URL = f"postgresql+asyncpg://postgres@/{os.environ['PGDATABASE']}?host={os.environ['PGHOST']}"

        engine = create_async_engine(
            DATABASE_URL,
            echo=False,  # too much to read
        )
        async_session = async_sessionmaker(bind=engine, expire_on_commit=False)
        """,
        written={"engine": ALL},
        databases=(POSTGRESQL,),
    ),
    Situation(
        name="server_in_parts",
        database="""
        import os

        from sqlalchemy import URL
        from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine

        url = URL.create("postgresql+asyncpg", username="postgres", database=os.environ["PGDATABASE"])
        engine = create_async_engine(url, connect_args={"host": os.environ["PGHOST"]})
        async_session = async_sessionmaker(engine, expire_on_commit=False)
        """,
        written={"engine": ALL},
        databases=(POSTGRESQL,),
    ),
    Situation(
        name="server_with_a_pool_of_its_own_size",
        database="""
        from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine

        engine = create_async_engine("postgresql+asyncpg://", pool_size=20, pool_pre_ping=False)
        async_session = async_sessionmaker(engine, expire_on_commit=False)
        """,
        written={"engine": {"max_overflow": 10, "pool_timeout": 30, "pool_recycle": 3600}},
        databases=(POSTGRESQL,),
    ),
    Situation(
        name="server_with_options_in_a_dict",
        database="""
        from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine

        OPTIONS = {
            "echo": False,
            "pool_recycle": 600,
        }
        engine = create_async_engine("postgresql+asyncpg://", **OPTIONS)
        async_session = async_sessionmaker(engine, expire_on_commit=False)
        """,
        written={"engine": {**SIZES, "pool_pre_ping": True}},
        databases=(POSTGRESQL,),
    ),
    Situation(
        name="server_with_options_in_a_call",
        database="""
        from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine

        options = dict(echo=False)
        engine = create_async_engine("postgresql+asyncpg://", **options)
        async_session = async_sessionmaker(engine, expire_on_commit=False)
        """,
        written={"engine": ALL},
        databases=(POSTGRESQL,),
    ),
    Situation(
        name="server_beside_a_cache_in_memory",
        database="""
        from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine

        engine = create_async_engine("postgresql+asyncpg://")
        cache = create_async_engine("sqlite+aiosqlite://")
        async_session = async_sessionmaker(engine, expire_on_commit=False)
        """,
        written={"engine": ALL},
        engines=("engine", "cache"),
        databases=(POSTGRESQL,),
    ),
)

SETTINGS_URLS = (
    Situation(
        name="settings_of_a_project_of_servers",
        database=FROM_SETTINGS,
        others={"settings.py": SETTINGS},
        requirements=SERVERS,
        written={"engine": ALL},
        databases=(POSTGRESQL,),
    ),
    Situation(
        name="settings_of_a_project_of_both",
        database=FROM_SETTINGS,
        others={"settings.py": SETTINGS},
        requirements=SERVERS_AND_FILES,
        written={"engine": LIVENESS},
        databases=(POSTGRESQL, FILE),
    ),
    # it can be told only while it runs that this is a database in memory
    Situation(
        name="settings_that_turn_out_to_be_memory",
        database=FROM_SETTINGS,
        others={"settings.py": SETTINGS},
        requirements=SERVERS_AND_FILES,
        written={"engine": LIVENESS},
        databases=(MEMORY,),
        forgets=(MEMORY,),
    ),
    Situation(
        name="settings_of_a_project_that_declares_nothing",
        database=FROM_SETTINGS,
        others={"settings.py": SETTINGS},
        written={"engine": LIVENESS},
        databases=(POSTGRESQL, FILE),
    ),
    Situation(
        name="settings_with_a_pool_that_is_named",
        database="""
        import os

        from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
        from sqlalchemy.pool import AsyncAdaptedQueuePool

        engine = create_async_engine(os.environ["DATABASE_URL"], poolclass=AsyncAdaptedQueuePool)
        async_session = async_sessionmaker(engine, expire_on_commit=False)
        """,
        written={"engine": ALL},
        databases=(POSTGRESQL, FILE),
    ),
    Situation(
        name="settings_with_a_branch_for_files",
        database="""
        import os

        from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine

        url = os.environ["DATABASE_URL"]
        options = {"pool_pre_ping": True}
        if not url.startswith("sqlite"):
            options["pool_size"] = 20
            options.update(max_overflow=5, pool_timeout=10)
        engine = create_async_engine(url, **options)
        async_session = async_sessionmaker(engine, expire_on_commit=False)
        """,
        requirements=SERVERS_AND_FILES,
        written={"engine": {"pool_recycle": 3600}},
        databases=(POSTGRESQL, FILE),
    ),
    Situation(
        name="settings_of_an_engine_that_is_not_async",
        database="""
        import os

        from sqlalchemy import create_engine
        from sqlalchemy.orm import sessionmaker

        engine = create_engine(os.environ["SYNC_DATABASE_URL"])
        new_session = sessionmaker(engine)
        """,
        app=SYNC_APP,
        written={"engine": LIVENESS},
        databases=(FILE,),
    ),
)

LEFT_AS_THEY_ARE = (
    Situation(
        name="file_in_a_literal",
        database="""
        from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine

        engine = create_async_engine("sqlite+aiosqlite:///trial.db")
        async_session = async_sessionmaker(engine, expire_on_commit=False)
        """,
        databases=(FILE,),
    ),
    Situation(
        name="memory_in_a_literal",
        database="""
        from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine

        engine = create_async_engine("sqlite+aiosqlite:///:memory:")
        async_session = async_sessionmaker(engine, expire_on_commit=False)
        """,
        databases=(MEMORY,),
    ),
    Situation(
        name="memory_that_several_threads_share",
        database="""
        import os

        from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
        from sqlalchemy.pool import StaticPool

        engine = create_async_engine(os.environ["DATABASE_URL"], poolclass=StaticPool)
        async_session = async_sessionmaker(engine, expire_on_commit=False)
        """,
        databases=(MEMORY,),
    ),
    Situation(
        name="everything_is_set",
        database="""
        import os

        from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine

        engine = create_async_engine(
            os.environ["DATABASE_URL"],
            pool_size=2,
            max_overflow=0,
            pool_timeout=1,
            pool_pre_ping=False,
            pool_recycle=-1,
            echo_pool=False,
        )
        async_session = async_sessionmaker(engine, expire_on_commit=False)
        """,
        databases=(POSTGRESQL,),
    ),
    Situation(
        name="engine_of_a_configuration_file",
        database="""
        import os

        from sqlalchemy.ext.asyncio import async_engine_from_config, async_sessionmaker

        config = {"sqlalchemy.url": os.environ["DATABASE_URL"], "sqlalchemy.pool_recycle": "60"}
        engine = async_engine_from_config(config)
        async_session = async_sessionmaker(engine, expire_on_commit=False)
        """,
        databases=EVERY_DATABASE[:2],
    ),
)

DEVELOPMENT = tuple(
    Situation(
        name=f"settings_that_tell_development_in_{environment}",
        database=FROM_SETTINGS,
        others={"settings.py": SETTINGS + '\nDEVELOPMENT = settings.environment == "development"\n'},
        requirements=SERVERS,
        written={"engine": {**ALL, "echo_pool": environment == "development"}},
        databases=(POSTGRESQL,),
        environment={"ENVIRONMENT": environment},
    )
    for environment in ("development", "production")
)

READ_AFTER_COMMIT = """
from database import async_session
from models import Item


async def main() -> str:
    async with async_session() as session:
        item = Item(name="milk")
        session.add(item)
        await session.commit()
        return item.name
"""

MAKERS = (
    Situation(
        name="maker_of_async_sessions",
        database="""
        import os

        from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine

        engine = create_async_engine(os.environ["DATABASE_URL"], pool_pre_ping=True, pool_recycle=3600)
        async_session = async_sessionmaker(engine)
        """,
        app=READ_AFTER_COMMIT,
        makers=1,
        fails="MissingGreenlet",
        shows="milk",
        databases=(POSTGRESQL, FILE),
    ),
    Situation(
        name="maker_of_the_line_before",
        database="""
        import os

        from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
        from sqlalchemy.orm import sessionmaker

        engine = create_async_engine(os.environ["DATABASE_URL"], pool_pre_ping=True, pool_recycle=3600)
        async_session = sessionmaker(
            bind=engine,
            class_=AsyncSession,
            autoflush=False,
        )
        """,
        app=READ_AFTER_COMMIT,
        makers=1,
        fails="MissingGreenlet",
        shows="milk",
        databases=(POSTGRESQL, FILE),
    ),
    Situation(
        name="maker_that_keeps_what_it_is_told",
        database="""
        import os

        from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine

        engine = create_async_engine(os.environ["DATABASE_URL"], pool_pre_ping=True, pool_recycle=3600)
        async_session = async_sessionmaker(engine, expire_on_commit=True)
        """,
        app="""
        from database import async_session
        from models import Item


        async def main() -> str:
            async with async_session() as session:
                item = Item(name="milk")
                session.add(item)
                await session.commit()
                await session.refresh(item)
                return item.name
        """,
        shows="milk",
        databases=(POSTGRESQL, FILE),
    ),
)

RESPONDING = (
    Situation(
        name="responses_of_an_application",
        database="""
        import os
        from collections.abc import AsyncIterator

        from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

        engine = create_async_engine(os.environ["DATABASE_URL"])
        async_session = async_sessionmaker(engine)


        async def get_session() -> AsyncIterator[AsyncSession]:
            async with async_session() as session:
                yield session
        """,
        app="""
        import asyncio

        import httpx
        from fastapi import Depends, FastAPI
        from sqlalchemy import func, select
        from sqlalchemy.ext.asyncio import AsyncSession

        from database import get_session
        from models import Item

        app = FastAPI()


        @app.post("/items/{name}", status_code=201)
        async def create(name: str, session: AsyncSession = Depends(get_session)) -> dict[str, str]:
            session.add(Item(name=name))
            await session.commit()
            return {"name": name}


        @app.get("/items/{name}/count")
        async def count(name: str, session: AsyncSession = Depends(get_session)) -> int | None:
            return await session.scalar(select(func.count()).where(Item.name == name))


        async def main() -> list[str]:
            transport = httpx.ASGITransport(app=app)
            async with httpx.AsyncClient(transport=transport, base_url="http://server") as client:
                created = await client.post("/items/milk")
                counts = await asyncio.gather(*(client.get(f"/items/{name}/count") for name in ("tea", "salt")))
            return [f"{one.status_code} {one.text}" for one in (created, *counts)]
        """,
        requirements=SERVERS,
        written={"engine": ALL},
        makers=1,
        shows="""['201 {"name":"milk"}', '200 1', '200 0']""",
        databases=(POSTGRESQL,),
    ),
)

SHARED = (
    Situation(
        name="tasks_that_get_sessions_of_their_own",
        database="""
        import os

        from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine

        engine = create_async_engine(os.environ["DATABASE_URL"])
        async_session = async_sessionmaker(engine, expire_on_commit=False)
        """,
        app="""
        import asyncio

        from sqlalchemy import select
        from sqlalchemy.ext.asyncio import AsyncSession

        from database import async_session
        from models import Item


        async def names(session: AsyncSession, name: str) -> list[str]:
            return list(await session.scalars(select(Item.name).where(Item.name == name)))


        async def main() -> list[list[str]]:
            async with async_session() as session:
                return await asyncio.gather(*[names(session, one) for one in ("tea", "rye", "salt")])
        """,
        written={"engine": LIVENESS},
        shows="[['tea'], ['rye'], []]",
        databases=(POSTGRESQL,),
    ),
)

# read again after a commit, in the same session: as it was, and no more as others have left it (semantics C11)
REREAD = Situation(
    name="maker_of_sessions_that_read_again",
    database="""
    import os

    from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine

    engine = create_async_engine(os.environ["DATABASE_URL"], pool_pre_ping=True, pool_recycle=3600)
    async_session = async_sessionmaker(engine)
    """,
    app="""
    from sqlalchemy import select

    from database import async_session
    from models import Item


    async def main() -> str:
        async with async_session() as session:
            item = await session.get_one(Item, 1)
            item.name = "tea"
            await session.commit()
            async with async_session() as other:
                (await other.get_one(Item, 1)).name = "coffee"
                await other.commit()
            again = (await session.scalars(select(Item).where(Item.id == 1))).one()
            return again.name
    """,
    makers=1,
    shows="coffee",
    databases=(POSTGRESQL,),
)
REREAD_LINE = 15  # of the module `app`

SITUATIONS = (*SERVER_URLS, *SETTINGS_URLS, *LEFT_AS_THEY_ARE, *DEVELOPMENT, *MAKERS, *RESPONDING, *SHARED)
