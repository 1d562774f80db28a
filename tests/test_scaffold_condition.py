"""Under which condition the endpoint of `scaffold pool-status` is included: only what is there, and is the project's.

Small projects are written to temporary folders and never imported.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from codemods.plan import Plan
from codemods.rules import RULES
from codemods.scaffold.asked import PoolStatus
from codemods.scaffold.pool_status import planned
from codemods.scaffold.references import parsed
from codemods.settings import load

DB = """
from sqlalchemy.ext.asyncio import create_async_engine

engine = create_async_engine("postgresql+asyncpg://localhost/shop")
"""
CONFIG = """
from pydantic_settings import BaseSettings


class Mail(BaseSettings):
    debug: bool = False


class Settings(BaseSettings):
    database_url: str
    mail: Mail = Mail()
    debug: bool = False


settings = Settings()
"""
APP = """
from fastapi import FastAPI
from app.db import engine

app = FastAPI()
"""
IMPORT = "from app.config import settings\n"
FACTORY = """
from fastapi import FastAPI
from app.config import settings
from app.db import engine


def create_app():
    app = FastAPI()
    return app


app = create_app()
"""
CONVENTION = 'if getenv("ENVIRONMENT") == "development":'


def condition(root: Path, main: str, config: str = CONFIG, db: str = DB) -> str:
    """The line of the application's module that the inclusion stands under."""
    for name, text in {"__init__": "", "config": config, "db": db, "main": main}.items():
        (root / "app").mkdir(exist_ok=True)
        (root / "app" / f"{name}.py").write_text(text, encoding="utf-8")
    target = parsed("app.main:app" if "create_app" not in main else "app.main:create_app")
    assert target is not None
    plan = planned(PoolStatus(root, root, load(root, rules=[rule.name for rule in RULES]), target))
    assert isinstance(plan, Plan)
    [text] = [change.after.decode() for change in plan.changes if change.path == "app/main.py"]
    [line] = [line.strip() for line in text.splitlines() if line not in main.splitlines() and "if " in line]
    return line


@pytest.mark.parametrize(
    "main",
    [IMPORT + APP, APP.replace("app = ", f"{IMPORT}\napp = "), FACTORY],
    ids=["above the application", "just above", "in a factory"],
)
def test_the_flag_of_the_settings_with_the_url(tmp_path: Path, main: str) -> None:
    assert condition(tmp_path, main) == "if settings.debug:"


UNTOLD = {
    "for type checkers": APP.replace(
        "\napp = ",
        """
if TYPE_CHECKING:
    from app.config import settings

app = """,
    ).replace("\nfrom fastapi", "from typing import TYPE_CHECKING\n\nfrom fastapi"),
    "deleted": IMPORT + APP.replace("\napp = ", "\ndel settings\n\napp = "),
    "perhaps nothing": "try:\n    from app.config import settings\nexcept ImportError:\n    settings = None\n" + APP,
    "replaced by a star": IMPORT + APP.replace("\napp = ", "\nfrom outside import *\n\napp = "),
    "a parameter of the factory": FACTORY.replace("create_app():", "create_app(settings=None):").replace(
        "= create_app(settings=None)", "= create_app()"
    ),
    "imported below the factory": FACTORY.replace(IMPORT, "") + IMPORT,
}


@pytest.mark.parametrize("case", UNTOLD)
def test_a_name_that_may_not_be_there_is_not_used(case: str, tmp_path: Path) -> None:
    assert condition(tmp_path, UNTOLD[case]) == CONVENTION


OTHERS = {
    "a part of the settings": CONFIG.replace("    debug: bool = False\n\n\nsettings", "\n\nsettings"),
    "settings of something else": CONFIG.replace("database_url", "host"),
    "two settings with a URL": CONFIG + "\nclass Reports(BaseSettings):\n    db_url: str\n    debug: bool = False\n"
    "\nreports = Reports()\n",
    "a text": CONFIG.replace("    debug: bool = False\n\n\nsettings", "    debug: str = ''\n\n\nsettings"),
}


@pytest.mark.parametrize("case", OTHERS)
def test_the_flag_of_something_else_is_not_used(case: str, tmp_path: Path) -> None:
    assert condition(tmp_path, IMPORT + APP, OTHERS[case]) == CONVENTION
