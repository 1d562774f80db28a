"""Small projects that leak, and their frozen dry runs."""

from __future__ import annotations

import os
from pathlib import Path

from codemods import engine, saving, settings
from codemods.plan import Finding, Group, Ledger, Level, RemoveStatement, Site
from codemods.rules import RULES
from codemods.saved_plan import Asked, SavedPlan

SETTINGS = '[tool.session-codemods]\nselect = ["session-scope"]\n'
DATABASE = """\
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

engine = create_async_engine("postgresql+asyncpg://u:p@localhost/app")
async_session = async_sessionmaker(engine, expire_on_commit=False)
"""
HEAD = "from sqlalchemy import text\n\nfrom app.db import async_session\n"
LEAK = """

async def {name}():
    session = async_session()
    await session.execute(text("select {name}"))
"""
USERS, ORDERS = "app/users.py", "app/orders.py"


def leaking(*names: str, head: str = HEAD) -> str:
    """A module whose functions each leak a session."""
    return head + "".join(LEAK.format(name=name) for name in names)


def write(root: Path, files: dict[str, str | bytes]) -> Path:
    for path, content in files.items():
        place = root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content if isinstance(content, bytes) else content.encode())
    return root


def project(root: Path) -> Path:
    """Four groups in two files."""
    files: dict[str, str | bytes] = {"pyproject.toml": SETTINGS, "app/__init__.py": "", "app/db.py": DATABASE}
    files |= {USERS: leaking("first", "second"), ORDERS: leaking("third", "fourth")}
    return write(root, files)


ODD_NAME = os.fsdecode(b"app/odd\xff\x1b[2J.py")


def odd_project(root: Path) -> Path:
    """A project whose files have odd encodings, line ends and names, with a group in each."""
    project(root)
    accented = leaking("caf\u00e9")
    files: dict[str, str | bytes] = {
        "app/latin.py": f"# -*- coding: latin-1 -*-\n{accented}".encode("latin-1"),
        "app/windows.py": leaking("windows").replace("\n", "\r\n"),
        "app/marked.py": b"\xef\xbb\xbf" + accented.encode(),
        "app/cut.py": leaking("cut").removesuffix("\n"),
        "app/escape.py": leaking("escape").replace("select escape", "select \x1b[2J\u202e"),
        ODD_NAME: leaking("odd"),
    }
    return write(root, files)


def request(root: Path, *paths: str, level: Level = Level.REVIEW) -> engine.RunRequest:
    read = settings.load(root, rules=[rule.name for rule in RULES])
    return engine.RunRequest(root, tuple(root / path for path in paths), read, level)


def frozen(root: Path, *paths: str, level: Level = Level.REVIEW) -> SavedPlan:
    """The saved dry run of a project."""
    asked = request(root, *paths, level=level)
    return saving.saved(engine.run(asked), asked)


def finding(
    path: str, line: int, rule: str = "session-scope", level: Level = Level.SAFE, name: str = "f", reason: str = ""
) -> Finding:
    """A finding made by hand; its edit would take a line away."""
    site = Site(path, line, 1, line, 9, f"app.{name}")
    edits = (RemoveStatement(path, line),)
    return Finding(f"{rule}:app.{name}:{line}", rule, site, level, "never closed", reason, edits=edits)


def by_hand(*findings: Finding) -> SavedPlan:
    """A plan of one group for each finding, without any file."""
    groups = tuple(Group(one.key, (one,)) for one in findings)
    asked = Asked((), Level.REVIEW, False, settings.Settings())
    return SavedPlan("1", asked, groups, Ledger(), (), ())
