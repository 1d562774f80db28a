"""Fills an empty database with the rows of `office`, by the models of the application on the import path. A script.

The database is that of DATABASE_URL. What is made here is copied for each trial, so all of them begin alike.
"""

from __future__ import annotations

import asyncio
import importlib
import sys

from sqlalchemy import insert, text

from proof.office import rows


async def fill(rounds: int) -> None:
    engine = importlib.import_module("app.core.db").engine
    metadata = importlib.import_module("app.models").Base.metadata
    async with engine.begin() as connection:
        await connection.run_sync(metadata.create_all)
        for table, values in rows(rounds=rounds).items():
            await connection.execute(insert(metadata.tables[table]), values)
        if connection.dialect.name == "postgresql":
            for table in metadata.tables.values():
                if "id" in table.columns:  # the next number is one more than what was given, as in SQLite
                    most = f"(select max(id) from {table.name})"
                    await connection.execute(
                        text(f"select setval(pg_get_serial_sequence('{table.name}', 'id'), {most})")
                    )
    await engine.dispose()


if __name__ == "__main__":
    asyncio.run(fill(int(sys.argv[1])))
