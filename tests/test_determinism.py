"""The same code gets the same words in every run, whatever order the sets of one Python process happen to have."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

MODELS = """\
from sqlalchemy import select
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

new_session = async_sessionmaker(create_async_engine("sqlite+aiosqlite://"))


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "user"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
"""
# the two objects that may be returned stand equally badly: which of them the reason names must not be a matter of luck
TWO_WAYS = """

async def sign_in_{number}(name: str) -> User:
    async with new_session() as session:
        user = await session.scalar(select(User).where(User.name == name))
        if user is None:
            user = User(name=name)
            session.add(user)
            await session.flush()
        await session.commit()
        return user
"""
# so many that no two orders agree on all of them by chance
FUNCTIONS = 10
SERVICE = MODELS + "".join(TWO_WAYS.format(number=number) for number in range(FUNCTIONS))


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What processes with different seeds for the hashes of texts say of the same project."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "pyproject.toml").write_text("", encoding="utf-8")
    (folder / "service.py").write_text(SERVICE, encoding="utf-8")
    command = [sys.executable, "-m", "codemods", "check", "--isolated", "--output-format", "json"]
    command += ["--ignore", "engine-pool", str(folder)]  # it would clear the maker, and with it the reasons
    reports = []
    for seed in range(3):
        environment = {**os.environ, "PYTHONHASHSEED": str(seed)}
        done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120, check=False)
        assert done.returncode == 1, done.stderr
        reports.append(done.stdout)
    return reports


def test_a_place_with_two_equal_reasons_is_told_the_same_in_every_process(reports: list[str]) -> None:
    assert reports[0].count('"reason": "the commit at line') == FUNCTIONS
    assert set(reports) == {reports[0]}
