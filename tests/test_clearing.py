"""What a run can do once the makers of its sessions keep their objects at a commit, and that it is done at once.

Writes small projects to temporary folders; nothing that it reads is imported.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from textwrap import dedent

import pytest

from codemods.clearing import merged
from codemods.engine import RunRequest, run
from codemods.plan import AddArgument, End, Finding, Level, Plan, Right, Site, Span
from codemods.settings import Settings
from codemods.settle import settle

DB = """
from sqlalchemy.ext.asyncio import async_sessionmaker

from shop_engines import engine

new_session = async_sessionmaker(engine)
"""
MODELS = """
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
"""
USERS = """
from app.db import new_session
from app.models import User


async def create(name: str) -> User:
    async with new_session() as session:
        user = User(name=name)
        session.add(user)
        await session.commit()
        return user
"""
APP = {"app/__init__.py": "", "app/db.py": DB, "app/models.py": MODELS, "app/users.py": USERS}


def written(root: Path, files: dict[str, str]) -> Path:
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(dedent(text).lstrip("\n"), "utf-8")
    return root


def planned(root: Path, *paths: str, level: Level = Level.REVIEW, settings: Settings | None = None) -> Plan:
    chosen = replace(settings or Settings(), respect_gitignore=False)
    return run(RunRequest(root, tuple(root / path for path in paths), chosen, level))


def apply(root: Path, plan: Plan) -> None:
    for change in plan.changes:
        (root / change.path).write_bytes(change.after)


def findings(plan: Plan, rule: str = "expunge-return") -> list[Finding]:
    return [finding for group in plan.groups for finding in group.findings if finding.rule == rule]


def texts(plan: Plan, end: End) -> list[str]:
    return [f"{entry.rule} {entry.site.place} {entry.text}" for entry in plan.ledger.of(end)]


def test_what_the_commit_expired_is_expunged_in_the_same_run(tmp_path: Path) -> None:
    plan = planned(written(tmp_path, APP))
    assert [change.path for change in plan.changes] == ["app/db.py", "app/users.py"]
    assert b"async_sessionmaker(engine, expire_on_commit=False)" in plan.changes[0].after
    assert b"session.expunge(user)" in plan.changes[1].after
    assert texts(plan, End.REFUSED) == []


def test_a_second_run_offers_nothing(tmp_path: Path) -> None:
    root = written(tmp_path, APP)
    apply(root, planned(root))
    again = planned(root)
    assert again.changes == ()
    assert again.groups == ()
    assert texts(again, End.REFUSED) == []


def test_what_needs_the_maker_is_one_group_with_it(tmp_path: Path) -> None:
    plan = planned(written(tmp_path, APP))
    assert [sorted(finding.rule for finding in group.findings) for group in plan.groups] == [
        ["engine-pool", "expunge-return"]
    ]
    (finding,) = findings(plan)
    assert finding.requires_at == (("engine-pool", "app/db.py", 5),)
    assert [fact.text for fact in finding.facts if fact.path == "app/db.py"] == [
        "expire_on_commit=False is set with it"
    ]


def test_safe_neither_offers_nor_writes_it(tmp_path: Path) -> None:
    plan = planned(written(tmp_path, APP), level=Level.SAFE)
    assert plan.changes == ()
    assert plan.included == ()
    assert [entry.rule for entry in plan.ledger.of(End.HELD_BACK)] == ["engine-pool", "expunge-return"]


def test_a_suppressed_maker_leaves_the_refusal_as_it_was(tmp_path: Path) -> None:
    told = DB.replace("(engine)", "(engine)  # session-codemods: ignore[engine-pool] as it was")
    plan = planned(written(tmp_path, APP | {"app/db.py": told}))
    assert plan.changes == ()
    (refused,) = texts(plan, End.REFUSED)
    assert "app/users.py:10 the commit at line 9 expires `User`" in refused
    assert [entry.site.path for entry in plan.ledger.of(End.SUPPRESSED)] == ["app/db.py"]


@pytest.mark.parametrize(
    "settings",
    [
        Settings(ignore=("engine-pool",)),
        Settings(per_file_ignores=(("app/db.py", ("engine-pool",)),)),
        Settings(engine_pool=replace(Settings().engine_pool, makers=False)),
    ],
)
def test_a_maker_that_the_settings_leave_alone_clears_nothing(tmp_path: Path, settings: Settings) -> None:
    plan = planned(written(tmp_path, APP), settings=settings)
    assert plan.changes == ()
    assert len(texts(plan, End.REFUSED)) == 1


def test_a_maker_that_was_not_asked_for_clears_nothing(tmp_path: Path) -> None:
    plan = planned(written(tmp_path, APP), "app/users.py")
    assert plan.changes == ()
    assert len(texts(plan, End.REFUSED)) == 1


def test_a_file_that_was_not_asked_for_is_not_changed(tmp_path: Path) -> None:
    plan = planned(written(tmp_path, APP), "app/db.py")
    assert [change.path for change in plan.changes] == ["app/db.py"]


def test_a_maker_written_in_the_same_way_where_it_stays_counts_for_neither(tmp_path: Path) -> None:
    """Facts tell calls by what they say: of two that say the same thing none can be taken as cleared."""
    both = DB + "other = async_sessionmaker(engine)  # session-codemods: ignore[engine-pool]\n"
    plan = planned(written(tmp_path, APP | {"app/db.py": both}))
    assert [change.path for change in plan.changes] == ["app/db.py"]
    assert len(texts(plan, End.REFUSED)) == 1


def test_two_makers_written_in_the_same_way_are_cleared_together(tmp_path: Path) -> None:
    plan = planned(written(tmp_path, APP | {"app/db.py": DB + "other = async_sessionmaker(engine)\n"}))
    assert [change.path for change in plan.changes] == ["app/db.py", "app/users.py"]
    (finding,) = findings(plan)
    assert [line for _, _, line in finding.requires_at] == [5, 6]


def test_what_is_made_without_the_maker_stays_a_group_of_its_own(tmp_path: Path) -> None:
    other = """
    from app.db import new_session
    from app.models import User


    async def load(user_id: int) -> User | None:
        async with new_session() as session:
            return await session.get(User, user_id)
    """
    plan = planned(written(tmp_path, APP | {"app/other.py": other}), level=Level.SAFE)
    assert [change.path for change in plan.changes] == ["app/other.py"]
    assert len(plan.groups) == 2


def test_no_id_is_given_twice_and_no_place_is_told_of_twice(tmp_path: Path) -> None:
    more = USERS + dedent(USERS.partition("\n\n\n")[2]).replace("create", "make") + "\n"
    plan = planned(written(tmp_path, APP | {"app/users.py": more}))
    keys = [finding.key for group in plan.groups for finding in group.findings]
    places = [(entry.rule, entry.site) for entry in plan.ledger.entries]
    assert len(keys) == len(set(keys)) == 3
    assert len(places) == len(set(places))


def test_a_rollback_expires_all_the_same(tmp_path: Path) -> None:
    rolled = USERS.replace("session.commit()", "session.rollback()")
    plan = planned(written(tmp_path, APP | {"app/users.py": rolled}))
    assert [change.path for change in plan.changes] == ["app/db.py"]


def test_a_maker_that_expires_on_purpose_is_not_changed(tmp_path: Path) -> None:
    plan = planned(written(tmp_path, APP | {"app/db.py": DB.replace("(engine)", "(engine, expire_on_commit=True)")}))
    assert plan.changes == ()
    assert [entry.rule for entry in plan.ledger.of(End.REFUSED)] == ["engine-pool", "expunge-return"]


TASKS = """
from fastapi import APIRouter, BackgroundTasks

from app.db import new_session
from app.models import User

router = APIRouter()


async def greet(user: User) -> None:
    print(user.name)


@router.post("/users")
async def create(name: str, background_tasks: BackgroundTasks) -> None:
    async with new_session() as session:
        user = User(name=name)
        session.add(user)
        await session.commit()
        background_tasks.add_task(greet, user)
"""


def test_a_task_gets_the_id_of_an_object_that_the_commit_keeps(tmp_path: Path) -> None:
    files = {path: text for path, text in APP.items() if path != "app/users.py"} | {"app/tasks.py": TASKS}
    root = written(tmp_path, files)
    plan = planned(root)
    (finding,) = findings(plan, "task-arguments")
    assert finding.requires_at[-1] == ("engine-pool", "app/db.py", 5)
    apply(root, plan)
    assert "background_tasks.add_task(greet, user.id)" in (root / "app/tasks.py").read_text("utf-8")
    again = planned(root)
    assert (again.changes, again.groups) == ((), ())


def test_the_result_of_a_run_that_the_maker_is_left_out_of_has_nothing_that_needs_it(tmp_path: Path) -> None:
    """At `safe` nothing is made, and what could be made without the maker still is at the next run."""
    root = written(tmp_path, APP | {"app/tasks.py": TASKS})
    apply(root, planned(root, level=Level.SAFE))
    assert (root / "app/users.py").read_text("utf-8") == dedent(USERS).lstrip("\n")
    assert [change.path for change in planned(root).changes] == ["app/db.py", "app/tasks.py", "app/users.py"]


# --- the two looks together -------------------------------------------------------------------------------------------

MAKER = Finding(
    "maker", "engine-pool", Site("app/db.py", 5, 1, 5, 9, "app.db"), Level.REVIEW, "kept",
    edits=(AddArgument("app/db.py", Span(5, 0, 5, 9), "expire_on_commit=False"),),
)  # fmt: skip
HERE = Site("app/users.py", 9, 1, 9, 9, "app.users.create")
EDIT = AddArgument("app/users.py", Span(9, 0, 9, 9), "x")
THEN = Finding("then", "expunge-return", HERE, Level.SAFE, "expunged", edits=(EDIT,))
REFUSED = Finding("now", "expunge-return", HERE, Level.MANUAL, "expired", reason="the commit expires it")


def test_a_change_takes_the_place_of_a_refusal_and_falls_back_to_its_reason() -> None:
    (one,) = merged([REFUSED], [THEN], [MAKER])
    assert isinstance(one, Finding)
    assert (one.requires, one.requires_at) == (("maker",), (("engine-pool", "app/db.py", 5),))
    settled = settle([MAKER, one], {"maker": "it could not be made"}, {"app/db.py", "app/users.py"})
    assert settled.groups == ()
    assert settled.refused["then"] == "the commit expires it"


@pytest.mark.parametrize("now", [[], [Right("expunge-return", HERE, "nothing is read of it")]])
def test_a_change_takes_the_place_of_nothing_and_of_what_was_right(now: list[Right]) -> None:
    assert [one.site for one in merged(now, [THEN], [MAKER]) if isinstance(one, Finding)] == [HERE]
    assert len(merged(now, [THEN], [MAKER])) == 1


def test_what_can_be_made_now_stays() -> None:
    now = replace(THEN, key="now")
    assert merged([now], [THEN], [MAKER]) == [now]
    elsewhere = replace(now, site=replace(HERE, line=20), key="then")
    assert merged([elsewhere], [THEN], [MAKER]) == [elsewhere]  # an id means one place


def test_what_is_refused_in_the_second_look_says_nothing() -> None:
    right = Right("expunge-return", HERE, "nothing is read of it")
    assert merged([right], [replace(REFUSED, key="then")], [MAKER]) == [right]
