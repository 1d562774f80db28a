"""The bundled application, migrated by the real command: the patch applies, is quiet, and the application works."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

LEGACY = Path(__file__).parent.parent / "fixtures" / "legacy_app"
APP = "fixtures/legacy_app"
LEVELS = ["safe", "review"]

# Connections that are still out when each of these has ended, counted while no garbage collection can hide them. The
# process ends at once, since connections that leak keep their threads alive.
HELD_CONNECTIONS = """
import asyncio, gc, os
import httpx
from app.core.db import engine
from app.main import app
from app.services import cities
from app.tasks.cleanup import last_activity

PAGES = (
    "/cities",
    "/cities/1",
    "/cities/1/candidates/count",
    "/users/1/notes/count",
    "/users/1/unread",
    "/admin/reports/kinds",
    "/admin/support/1",
    "/admin/candidates.csv",
)

async def main():
    transport = httpx.ASGITransport(app=app)
    http = httpx.AsyncClient(transport=transport, base_url="http://office")
    async with app.router.lifespan_context(app), http:
        gc.disable()
        work = {page: http.get(page) for page in PAGES}
        work["a request that fails"] = http.put("/recruiters/999999/name", json={"name": "Zed"})
        work |= {"city_names": cities.city_names(), "find_city": cities.find_city("Brno")}
        work["last_activity"] = last_activity(1)
        for name, doing in work.items():
            before = engine.pool.checkedout()
            await doing
            print(engine.pool.checkedout() - before, name, flush=True)
        os._exit(0)

asyncio.run(main())
"""


# The same for what runs after a response, or on the side, with the rows that it leaves.
TASKS = """
import asyncio, gc, os
from datetime import timedelta
import httpx
from app.bot import handlers
from app.core.db import async_session, engine
from app.main import app
from app.models import City, Item, Message, Recruiter, Slot, utcnow

async def main():
    transport = httpx.ASGITransport(app=app)
    http = httpx.AsyncClient(transport=transport, base_url="http://office")
    async with app.router.lifespan_context(app), http:
        user = await http.post("/users", json=USER)
        user_id = user.json()["id"]
        async with async_session() as session:
            city = City(name=f"Brno {os.getpid()}")
            session.add(city)
            await session.flush()
            recruiter = Recruiter(name="Eva")
            session.add(recruiter)
            await session.flush()
            near = utcnow() + timedelta(minutes=30)
            slot = Slot(recruiter_id=recruiter.id, city_id=city.id, starts_at=near)
            session.add(slot)
            await session.commit()
            slot_id = slot.id
        order = (await http.post("/orders", json={"user_id": user_id, "items": []})).json()["id"]
        gc.disable()
        before = engine.pool.checkedout()
        message = (await http.post(f"/users/{user_id}/messages", json={"text": "See you"})).json()["id"]
        item = (await http.post(f"/orders/{order}/items", json={"title": "Chair"})).json()["id"]
        await handlers.book(USER["telegram_id"], str(slot_id))
        await handlers.drain()
        kept = engine.pool.checkedout() - before
        async with async_session() as session:
            sent = (await session.get_one(Message, message)).delivery
            state = (await session.get_one(Item, item)).state
            reminded = (await session.get_one(Slot, slot_id)).reminded_at is not None
        print(kept, sent, state, reminded, flush=True)
        os._exit(0)

USER = {"telegram_id": os.getpid(), "full_name": "Jan"}
asyncio.run(main())
"""


def run(command: list[str], folder: Path) -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, "NO_COLOR": "1", "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    for name in ("GITHUB_ACTIONS", "FORCE_COLOR", "DATABASE_URL", "SMOKE_DATABASE_URL"):
        environment.pop(name, None)
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=False)


def tool(folder: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    return run([sys.executable, "-m", "codemods", *arguments], folder)


def git(folder: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    done = run(["git", "-c", "user.name=a", "-c", "user.email=a@a.example", *arguments], folder)
    assert done.returncode == 0, done.stderr.decode()
    return done


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A git repository of its own in which the application lies below the root, as it does here."""
    folder = tmp_path / "repository"
    ignored = shutil.ignore_patterns("__pycache__", "*.db", ".pytest_cache")
    shutil.copytree(LEGACY, folder / APP, ignore=ignored)
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "as it was")
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and ".git" not in path.parts and "__pycache__" not in path.parts
    }


@pytest.mark.parametrize("level", LEVELS)
def test_patch_applies_from_the_root_and_a_second_run_offers_nothing(repository: Path, level: str) -> None:
    before = contents(repository)
    patch = tool(repository, "diff", "--level", level, APP)
    assert patch.returncode == 1, patch.stderr.decode()
    assert contents(repository) == before

    copy = repository.parent / "applied"
    shutil.copytree(repository, copy)
    (repository.parent / "p.patch").write_bytes(patch.stdout)
    git(repository, "apply", str(repository.parent / "p.patch"))
    after = contents(repository)
    assert after != before
    for path, data in after.items():
        if path.endswith(".py"):
            compile(data, path, "exec")

    again = tool(repository, "diff", "--level", level, APP)
    assert (again.returncode, again.stdout) == (0, b""), again.stderr.decode()

    applied = tool(copy, "apply", "--level", level, APP)
    assert applied.returncode == 0, applied.stderr.decode()
    assert contents(copy) == after


@pytest.mark.parametrize("level", LEVELS)
def test_application_works_after_the_migration(repository: Path, level: str) -> None:
    applied = tool(repository, "apply", "--level", level, APP)
    assert applied.returncode == 0, applied.stderr.decode()
    smoke = run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "smoke"], repository / APP)
    assert smoke.returncode == 0, smoke.stdout.decode()[-3000:]


def held_connections(application: Path) -> dict[str, int]:
    """How many connections each request and job of HELD_CONNECTIONS kept."""
    counted = run([sys.executable, "-c", HELD_CONNECTIONS], application)
    assert counted.returncode == 0, counted.stderr.decode()[-3000:]
    lines = [line.partition(" ") for line in counted.stdout.decode().splitlines()]
    return {name: int(amount) for amount, _, name in lines}


def test_dependencies_give_their_connections_back_after_the_migration(repository: Path) -> None:
    kept = held_connections(repository / APP)
    assert {name for name, amount in kept.items() if amount == 0} == {"/admin/candidates.csv"}
    applied = tool(repository, "apply", "--level", "review", APP)
    assert applied.returncode == 0, applied.stderr.decode()
    after = held_connections(repository / APP)
    # the one that is left alone: its dependency is called directly, too
    assert {name for name, amount in after.items() if amount} == {"/admin/support/1"}


def test_tasks_write_what_they_wrote_and_give_their_connections_back_after_the_migration(repository: Path) -> None:
    before = run([sys.executable, "-c", TASKS], repository / APP)
    assert before.returncode == 0, before.stderr.decode()[-3000:]
    kept, *rows = before.stdout.decode().split()
    assert int(kept) > 0  # it leaks today
    applied = tool(repository, "apply", "--level", "review", APP)
    assert applied.returncode == 0, applied.stderr.decode()
    after = run([sys.executable, "-c", TASKS], repository / APP)
    assert after.stdout.decode().split() == ["0", *rows] == ["0", "sent", "ready", "True"], after.stderr.decode()


def test_sessions_that_go_to_a_task_are_left_alone_without_the_rule_for_tasks(repository: Path) -> None:
    checked = tool(repository, "check", "--ignore", "task-arguments", "--output-format", "json", APP)
    findings = json.loads(checked.stdout)["findings"]
    alone = {
        found["function"]: found["reason"]
        for found in findings
        if found["level"] == "manual" and "runs it later" in found["reason"]
    }
    assert set(alone) == {"app.bot.handlers.book", "app.routers.messages.post_message"}
    assert "`background_tasks.add_task()` at line 38" in alone["app.routers.messages.post_message"]


def test_dependencies_that_are_left_alone_are_these(repository: Path) -> None:
    checked = tool(repository, "check", "--select", "session-dependency", "--output-format", "json", APP)
    findings = json.loads(checked.stdout)["findings"]
    alone = {found["function"] for found in findings if found["level"] == "manual"}
    assert alone == {
        "app.routers.admin.get_candidates",
        "app.routers.deps.support_session",
    }
