"""What the applications are put together from: services that return entities, and a reader of what they return."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

DATABASE = Path(__file__).with_name("database.py")

SERVICES = """\
from sqlalchemy import func, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from database import Badge, City, Node, Order, Role, Team, User, expiring_session, new_session, new_sync_session
"""
DEFINED = re.compile(r"^(?:async )?def (\w+)", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """One application as it was written: functions that return entities of sessions, and who reads what they return.

    `fails` is the exception that ends it as it was written, if one does; `shows` is what is shown in the end.
    """

    name: str
    services: str  # the functions of the module `services`
    reader: str  # the module `app` below its imports, with the function `main` or an application
    shows: str
    fails: str = ""
    eager: int = 0  # the SELECTs that are added
    leaks: int = 0  # connections that it kept as it was written
    entry: str = "main"
    databases: tuple[str, ...] = ("sqlite", "postgresql")
    sqlalchemy: tuple[int, int] | None = None  # the lowest version that the application is said to run with

    @property
    def rules(self) -> frozenset[str]:
        """The names of the rules that change it."""
        return frozenset({"expunge-return", "eager-load"} if self.eager else {"expunge-return"})

    @property
    def files(self) -> dict[str, str]:
        """All of the application, by file name."""
        return self.with_services(self.services)

    def with_services(self, services: str, imports: str = "") -> dict[str, str]:
        """All of the application, with other services."""
        code = dedent(services)
        names = ", ".join(DEFINED.findall(code))
        return {
            "database.py": DATABASE.read_text("utf-8"),
            "services.py": f"{SERVICES}{imports}\n\n{code.strip()}\n",
            "app.py": f"from services import {names}\n\n\n{dedent(self.reader).strip()}\n",
        }
