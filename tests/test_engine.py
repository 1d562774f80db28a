"""The engine as a whole: what a run reads, what it offers, at which level, and that it stays with what it said.

Writes small projects to temporary folders; runs in-process; nothing that it reads is imported.
"""

from __future__ import annotations

import ast
import builtins
import random
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from textwrap import dedent

import pytest

from codemods import engine
from codemods.engine import NoPythonFiles, RunRequest, chosen_rules, run
from codemods.plan import End, Finding, Group, Level, Plan
from codemods.settings import Settings, SettingsError, load
from codemods.sources import SourceError

LEGACY_APP = Path(__file__).parents[1] / "fixtures" / "legacy_app"

DB = """
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine

engine = create_async_engine(
    "postgresql+asyncpg://localhost/shop",
    pool_size=5,
    max_overflow=10,
    pool_timeout=30,
    pool_pre_ping=True,
    pool_recycle=3600,
)
new_session = async_sessionmaker(engine, expire_on_commit=False)
"""
COUNT = """
from sqlalchemy import func, select

from app.db import new_session


async def count() -> int:
    session = new_session()
    total = await session.scalar(select(func.count()))
    return 1
"""
COUNT_AFTER = """
from sqlalchemy import func, select

from app.db import new_session


async def count() -> int:
    async with new_session() as session:
        total = await session.scalar(select(func.count()))
    return 1
"""
LOAD = """
from app.db import new_session
from app.models import User


async def load(user_id: int) -> User | None:
    session = new_session()
    return await session.get(User, user_id)
"""
REFUSED = """
from app.db import new_session


class Worker:
    def __init__(self) -> None:
        self.session = new_session()
"""
MODELS = """
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True)
"""
APP = {"app/__init__.py": "", "app/db.py": DB, "app/models.py": MODELS}


def written(root: Path, files: Mapping[str, str | bytes]) -> Path:
    """The project of these files, on disk."""
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(text if isinstance(text, bytes) else dedent(text).lstrip("\n").encode())
    return root


def planned(
    root: Path,
    *paths: str,
    level: Level = Level.REVIEW,
    settings: Settings | None = None,
    cross_paths: bool = False,
    prefilter: bool = True,
) -> Plan:
    chosen = replace(settings or Settings(), respect_gitignore=False)
    return run(RunRequest(root, tuple(root / path for path in paths), chosen, level, cross_paths, prefilter))


def apply(root: Path, plan: Plan) -> None:
    for change in plan.changes:
        assert (root / change.path).read_bytes() == change.before
        (root / change.path).write_bytes(change.after)


def after(plan: Plan, path: str) -> str:
    return next(change.after.decode() for change in plan.changes if change.path == path)


def findings(plan: Plan) -> list[Finding]:
    return [finding for group in plan.groups for finding in group.findings]


def contents(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def ends(plan: Plan) -> dict[str, list[str]]:
    """The places of the ledger by their end."""
    return {end.value: [entry.site.place for entry in plan.ledger.of(end)] for end in End}


@pytest.fixture
def legacy_app(tmp_path: Path) -> Path:
    copy = tmp_path / "legacy_app"
    shutil.copytree(LEGACY_APP, copy, ignore=shutil.ignore_patterns("__pycache__", "*.db", ".*"))
    return copy


# --- one run --------------------------------------------------------------------------------------------------------


def test_bare_session_is_opened_by_a_block(tmp_path: Path) -> None:
    plan = planned(written(tmp_path, {**APP, "app/count.py": COUNT}))
    assert after(plan, "app/count.py") == COUNT_AFTER.lstrip("\n")
    assert [change.path for change in plan.changes] == ["app/count.py"]
    assert ends(plan)["changed"] == ["app/count.py:7"]


def test_run_writes_nothing(legacy_app: Path) -> None:
    before = contents(legacy_app)
    plan = planned(legacy_app)
    assert plan.changes
    assert contents(legacy_app) == before


def test_hashes_are_those_of_the_files_that_were_read(tmp_path: Path) -> None:
    plan = planned(written(tmp_path, {**APP, "app/count.py": COUNT}))
    assert set(plan.hashes) == {*APP, "app/count.py"}
    assert plan.files_read == 4


def test_folder_without_python_files_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing")
    with pytest.raises(NoPythonFiles):
        planned(tmp_path)


def test_path_that_does_not_exist_is_said_so(tmp_path: Path) -> None:
    written(tmp_path, APP)
    with pytest.raises(SourceError, match="nowhere"):
        planned(tmp_path, "nowhere")


def test_progress_is_told_for_every_stage(tmp_path: Path) -> None:
    told: list[str] = []
    request = RunRequest(written(tmp_path, {**APP, "app/count.py": COUNT}), (), Settings(respect_gitignore=False))
    run(request, lambda stage, done, total: told.append(stage))
    assert set(told) == {"read", "scan", "examine", "compose"}


def test_two_runs_give_equal_plans(legacy_app: Path) -> None:
    assert planned(legacy_app) == planned(legacy_app)


# --- the prefilter --------------------------------------------------------------------------------------------------


def test_prefilter_changes_nothing_on_the_legacy_application(legacy_app: Path) -> None:
    assert planned(legacy_app) == planned(legacy_app, prefilter=False)


USE_GET_DB = """
from app.db import get_db


async def work() -> None:
    db = get_db()
    await db.execute(1)
"""
WORDLESS = {
    "the factory has a name of its own": {
        "app/db.py": DB.replace("new_session", "get_db"),
        "app/use.py": USE_GET_DB,
    },
    "the factory is a function two modules away": {
        "app/db.py": DB + "\n\ndef get_db():\n    return new_session()\n",
        "app/deps.py": "from app.db import get_db as connect\n",
        "app/use.py": "from app.deps import connect\n\n\n"
        "async def work() -> None:\n    db = connect()\n    await db.execute(1)\n",
    },
    "the factory comes through a star": {
        "app/db.py": DB.replace("new_session", "Make"),
        "app/deps.py": "from app.db import *\n",
        "app/use.py": "from app import deps\n\n\n"
        "async def work() -> None:\n    db = deps.Make()\n    await db.execute(1)\n",
    },
    "the factory is an attribute": {
        "app/db.py": DB + "\n\nclass Database:\n    connect = new_session\n\n\ndb = Database()\n",
        "app/use.py": "from app.db import db\n\n\n"
        "async def work() -> None:\n    conn = db.connect()\n    await conn.execute(1)\n",
    },
    "the caller awaits attributes of what is returned": {
        "app/load.py": LOAD,
        "app/mail.py": "from app.load import load\n\n\nasync def lines(key: int):\n"
        "    user = await load(key)\n    return await user.awaitable_attrs.orders\n",
    },
    "the helper that keeps it names its parameter db": {
        "app/keep.py": "kept = []\n\n\ndef keep(db) -> None:\n    kept.append(db)\n",
        "app/use.py": "from app.db import new_session\nfrom app.keep import keep\n\n\n"
        "async def work() -> None:\n    db = new_session()\n    keep(db)\n    await db.execute(1)\n",
    },
    "the test that patches it says nothing else": {
        "app/db.py": DB.replace("new_session", "get_db"),
        "app/use.py": USE_GET_DB,
        "tests/test_use.py": "from unittest.mock import patch\n\n\n@patch('app.use.get_db')\ndef test(db):\n    pass\n",
    },
    "what loads the entity is called by another name": {
        "app/load.py": LOAD,
        "app/again.py": "from app.load import load as fetch\n",
        "app/mail.py": "from app.again import fetch\n\n\nasync def lines(key: int):\n"
        "    user = await fetch(key)\n    return await user.awaitable_attrs.orders\n",
    },
}


@pytest.mark.parametrize("situation", WORDLESS)
def test_file_without_the_word_session_is_not_missed_when(situation: str, tmp_path: Path) -> None:
    root = written(tmp_path, {**APP, **WORDLESS[situation]})
    plan = planned(root)
    assert plan == planned(root, prefilter=False)
    assert [entry for end in (End.CHANGED, End.REFUSED) for entry in plan.ledger.of(end)]


def test_file_that_asks_an_entity_for_its_session_stops_the_change_of_what_loads_it(tmp_path: Path) -> None:
    situation = "the caller awaits attributes of what is returned"
    plan = planned(written(tmp_path, {**APP, **WORDLESS[situation]}), prefilter=False)
    assert plan.changes == ()
    assert "app/mail.py" in plan.refused[0].text


# --- the ledger -----------------------------------------------------------------------------------------------------


def test_ledger_of_the_legacy_application_adds_up(legacy_app: Path) -> None:
    plan = planned(legacy_app, level=Level.SAFE)
    counts = plan.ledger.counts()
    assert sum(counts.values()) == len(plan.ledger.entries)
    sites = [(entry.rule, entry.site) for entry in plan.ledger.entries]
    assert [site for site in sites if sites.count(site) > 1] == []
    assert counts[End.CHANGED] == sum(len(group.findings) for group in plan.included)
    assert counts[End.HELD_BACK] == sum(len(group.findings) for group in plan.groups if group not in plan.included)


def test_block_whose_session_is_used_after_it_has_one_end(tmp_path: Path) -> None:
    use = """
    from app.db import new_session

    async def work() -> None:
        async with new_session() as session:
            await session.execute(1)
        await session.execute(2)
    """
    plan = planned(written(tmp_path, {**APP, "app/use.py": use}))
    assert [entry.end for entry in plan.ledger.entries if entry.site.path == "app/use.py"] == [End.CHANGED]


def test_every_finding_of_a_group_has_a_changed_entry_that_names_the_group(legacy_app: Path) -> None:
    plan = planned(legacy_app)
    named = {(entry.key, entry.group) for entry in plan.ledger.of(End.CHANGED)}
    assert named == {(finding.key, group.id) for group in plan.included for finding in group.findings}


def test_refusal_says_why_and_what_to_do(legacy_app: Path) -> None:
    plan = planned(legacy_app)
    assert plan.refused
    for entry in plan.refused:
        assert entry.text
        assert entry.advice


# --- ids ------------------------------------------------------------------------------------------------------------


def ids(plan: Plan) -> set[str]:
    return {group.id for group in plan.groups}


def test_ids_are_unique_in_a_plan(legacy_app: Path) -> None:
    plan = planned(legacy_app)
    assert len(ids(plan)) == len(plan.groups)
    keys = [finding.key for finding in findings(plan)] + [entry.key for entry in plan.refused]
    assert len(keys) == len(set(keys))


def test_ids_survive_code_that_moves(legacy_app: Path) -> None:
    before = planned(legacy_app)
    for path in legacy_app.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        first = ast.parse(text).body[:1]
        if first and "from __future__" not in text:
            path.write_text(f"# moved\n\n\n{text}\n\n# the end\n", encoding="utf-8")
    assert ids(planned(legacy_app)) == ids(before)


def test_ids_survive_a_changed_neighbour_and_other_layout(tmp_path: Path) -> None:
    root = written(tmp_path, {**APP, "app/count.py": COUNT})
    before = ids(planned(root))
    text = COUNT.replace("new_session()", "new_session( )  # open").replace("return 1", "print(total)\n    return 2")
    written(root, {"app/count.py": text})
    assert ids(planned(root)) == before


def test_equal_statements_of_one_function_have_different_ids(tmp_path: Path) -> None:
    twice = """
    from app.db import new_session

    async def work() -> None:
        if await ready():
            session = new_session()
            await session.execute(1)
        else:
            session = new_session()
            await session.execute(2)
    """
    plan = planned(written(tmp_path, {**APP, "app/use.py": twice}))
    assert len(ids(plan)) == 2


def test_id_of_the_second_of_two_equal_creations_survives_applying_the_first(tmp_path: Path) -> None:
    twice = """
    from app.db import new_session

    async def work() -> None:
        if await ready():
            session = new_session()
            await session.execute(1)
        else:
            session = new_session()
            await session.execute(2)
    """
    before = planned(written(tmp_path, {**APP, "app/use.py": twice}))
    assert [entry.site.line for entry in before.ledger.of(End.CHANGED)] == [5, 8]
    second = next(group.id for group in before.groups if group.findings[0].site.line == 8)
    bare = "session = new_session()\n            await"
    first_applied = twice.replace(bare, "async with new_session() as session:\n                await", 1)
    rest = planned(written(tmp_path, {"app/use.py": first_applied}))
    assert [entry.site.line for entry in rest.ledger.of(End.CHANGED)] == [8]
    assert ids(rest) == {second}


def test_groups_that_were_not_applied_keep_their_ids(legacy_app: Path) -> None:
    whole = planned(legacy_app)
    safe = planned(legacy_app, level=Level.SAFE)
    assert safe.changes
    apply(legacy_app, safe)
    rest = planned(legacy_app)
    assert ids(rest) == ids(whole) - {group.id for group in safe.included}


# --- paths ----------------------------------------------------------------------------------------------------------


def test_only_findings_of_the_named_paths_are_wanted(legacy_app: Path) -> None:
    whole = planned(legacy_app)
    part = planned(legacy_app, "app/services")
    assert {change.path for change in part.changes} == {
        change.path for change in whole.changes if change.path.startswith("app/services/")
    }
    assert {entry.site.path.rpartition("/")[0] for entry in part.ledger.entries} == {"app/services"}
    assert ids(part) < ids(whole)


def test_what_a_path_means_does_not_depend_on_which_paths_are_named(legacy_app: Path) -> None:
    whole = planned(legacy_app).changes
    own = [change for change in whole if all(found_in(change.path, group) for group in change.groups)]
    assert len(own) > len(whole) / 2
    for change in own:
        # what a change needs in other files is made there, too; what other files need of this one is theirs
        part = {one.path: one.after for one in planned(legacy_app, change.path, cross_paths=True).changes}
        assert part[change.path] == change.after


def found_in(path: str, group: Group) -> bool:
    """Whether all that the group changes in the file was found there."""
    return all(
        finding.site.path == path for finding in group.findings if any(edit.path == path for edit in finding.edits)
    )


@pytest.mark.parametrize("cross_paths", [False, True])
def test_cross_paths_does_not_widen_what_was_asked_for(cross_paths: bool, tmp_path: Path) -> None:
    root = written(tmp_path, {**APP, "app/count.py": COUNT, "app/load.py": LOAD})
    plan = planned(root, "app/count.py", cross_paths=cross_paths)
    assert [change.path for change in plan.changes] == ["app/count.py"]


def test_excluded_files_are_not_read(tmp_path: Path) -> None:
    root = written(tmp_path, {**APP, "app/count.py": COUNT, "migrations/load.py": LOAD})
    plan = planned(root, settings=Settings(exclude=("migrations/",)))
    assert [change.path for change in plan.changes] == ["app/count.py"]
    assert "migrations/load.py" not in plan.hashes


# --- failures -------------------------------------------------------------------------------------------------------

BROKEN: dict[str, tuple[str | bytes, str]] = {
    "broken syntax": ("async def session(:\n", "parse"),
    "undecodable": (b"# session \xff\xfe\n", "read"),
    "an unknown encoding": (b"# -*- coding: klingon -*-\nsession = 1\n", "read"),
    "a null byte": (b"session = '\0'\n", "read"),
    "too deep": ("session = " + "(" * 3000 + ")" * 3000 + "\n", "parse"),
    "Python 2": ("print 'session'\n", "parse"),
}


@pytest.mark.parametrize("situation", BROKEN)
def test_bad_file_is_named_and_does_not_stop_the_others(situation: str, tmp_path: Path) -> None:
    text, stage = BROKEN[situation]
    plan = planned(written(tmp_path, {**APP, "app/count.py": COUNT, "app/bad.py": text}))
    assert [(failure.path, failure.stage) for failure in plan.failures] == [("app/bad.py", stage)]
    assert plan.failures[0].message
    assert [change.path for change in plan.changes] == ["app/count.py"]


def test_bad_file_with_nothing_of_interest_is_no_clean_file_either(tmp_path: Path) -> None:
    plan = planned(written(tmp_path, {**APP, "app/bad.py": b"\xff\xfe\xff"}))
    assert [failure.path for failure in plan.failures] == ["app/bad.py"]


@pytest.mark.parametrize(
    ("text", "is_of_newer_syntax"),
    [
        ("def session():\n\tif 1:\n        x = 1\n", False),
        ("def session():\nx = 1\n", False),
        ("print 'session'\n", False),
        ("session = 1 +\n", True),
    ],
    ids=["tabs and spaces", "indentation", "print of Python 2", "anything else"],
)
def test_newer_python_is_advised_only_where_it_can_help(text: str, is_of_newer_syntax: bool, tmp_path: Path) -> None:
    (failure,) = planned(written(tmp_path, {**APP, "app/bad.py": text})).failures
    assert failure.message.startswith("not valid Python 3.")
    assert ("for newer syntax" in failure.message) is is_of_newer_syntax


def test_named_file_without_the_ending_is_parsed_whatever_words_it_holds(tmp_path: Path) -> None:
    root = written(tmp_path, {**APP, "Makefile": "all:\n\techo\n"})
    (failure,) = planned(root, "Makefile").failures
    assert (failure.path, failure.stage) == ("Makefile", "parse")


def test_every_bad_file_is_named(tmp_path: Path) -> None:
    bad = {f"bad_{number}.py": text for number, (text, _) in enumerate(BROKEN.values())}
    plan = planned(written(tmp_path, {**APP, **bad, "app/count.py": COUNT}))
    assert {failure.path for failure in plan.failures} == set(bad)
    assert [change.path for change in plan.changes] == ["app/count.py"]


def test_factory_in_a_broken_file_is_not_guessed(tmp_path: Path) -> None:
    plan = planned(written(tmp_path, {**APP, "app/db.py": DB + "\ndef broken(:\n", "app/count.py": COUNT}))
    assert plan.changes == ()
    assert [failure.path for failure in plan.failures] == ["app/db.py"]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "latin-1", "utf-8"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_encoding_and_newlines_are_kept(encoding: str, newline: str, tmp_path: Path) -> None:
    coding = f"# -*- coding: {encoding} -*-\n" if encoding == "latin-1" else ""
    text = coding + COUNT.lstrip("\n").replace("session = new_session()", "session = new_session()  # öffnen")
    written(tmp_path, {**APP, "app/count.py": text.replace("\n", newline).encode(encoding)})
    plan = planned(tmp_path)
    (change,) = plan.changes
    changed = change.after.decode(encoding)
    assert "öffnen" in changed
    assert changed.count(newline) == text.count("\n")
    assert not {"\n", "\r"} & set(changed.replace(newline, ""))


def test_file_with_lone_carriage_returns_is_left_alone_and_says_so(tmp_path: Path) -> None:
    written(tmp_path, {**APP, "app/count.py": COUNT.lstrip("\n").replace("\n", "\r").encode()})
    plan = planned(tmp_path)
    assert plan.changes == ()
    assert ["carriage return" in entry.text for entry in plan.refused] == [True]


# --- suppression ----------------------------------------------------------------------------------------------------

MADE = "    session = new_session()\n"
MARK = "# session-codemods: ignore[session-scope] the bot owns it"
SUPPRESSED = {
    "on the line": COUNT.replace(MADE, MADE.replace("\n", f"  {MARK}\n")),
    "on the line above": COUNT.replace(MADE, f"    {MARK}\n{MADE}"),
    "for the file": COUNT + f"\n\n{MARK.replace('ignore', 'ignore-file')}\n",
    "with another rule": COUNT.replace(MADE, MADE.replace("\n", f"  {MARK.replace('[', '[engine-pool, ')}\n")),
}


@pytest.mark.parametrize("situation", SUPPRESSED)
def test_comment_suppresses(situation: str, tmp_path: Path) -> None:
    plan = planned(written(tmp_path, {**APP, "app/count.py": SUPPRESSED[situation]}))
    assert (plan.changes, plan.groups) == ((), ())
    assert [entry.site.path for entry in plan.ledger.of(End.SUPPRESSED)] == ["app/count.py"]
    assert plan.refused == ()


NOT_SUPPRESSED = {
    "another rule": COUNT.replace(MADE, MADE.replace("\n", "  # session-codemods: ignore[engine-pool]\n")),
    "another line": COUNT.replace("async def", f"{MARK}\nasync def"),
    "text in a string": COUNT.replace("return 1", f"return '{MARK}'"),
    "two lines above": COUNT.replace(MADE, f"    {MARK}\n    print(1)\n{MADE}"),
}


@pytest.mark.parametrize("situation", NOT_SUPPRESSED)
def test_comment_does_not_suppress(situation: str, tmp_path: Path) -> None:
    plan = planned(written(tmp_path, {**APP, "app/count.py": NOT_SUPPRESSED[situation]}))
    assert [change.path for change in plan.changes] == ["app/count.py"]
    assert plan.ledger.of(End.SUPPRESSED) == ()


@pytest.mark.parametrize(
    "text",
    [
        COUNT.replace("async def", f"{MARK}\nasync def"),
        COUNT_AFTER.replace("as session:", f"as session:  {MARK}"),
        f"{MARK}\nx = 1\n",
    ],
    ids=["beside a finding", "on what is right", "in a file without a session"],
)
def test_comment_that_suppresses_nothing_is_reported(text: str, tmp_path: Path) -> None:
    plan = planned(written(tmp_path, {**APP, "app/count.py": text}))
    assert ["suppresses nothing" in entry.text for entry in plan.refused] == [True]


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        (SUPPRESSED["on the line"].replace("[session-scope]", "[]"), "write ignore[session-scope]"),
        (SUPPRESSED["on the line above"].replace("[session-scope]", ""), "write ignore[session-scope]"),
        (SUPPRESSED["for the file"].replace("[session-scope]", "[]"), "write ignore-file[session-scope]"),
        (f"# session-codemods: ignore[]\n{COUNT}", "write ignore[RULE]; the rules are: "),
        ("# session-codemods: ignore-file[]\nx = 1\n", "write ignore-file[RULE]; the rules are: "),
    ],
    ids=["on the line", "without brackets above it", "for the file", "far from it", "in a file without findings"],
)
def test_comment_that_names_no_rule_is_told_which_it_means(text: str, advice: str, tmp_path: Path) -> None:
    plan = planned(written(tmp_path, {**APP, "app/count.py": text}))
    assert plan.ledger.of(End.SUPPRESSED) == ()
    assert [(entry.text, entry.advice.startswith(advice)) for entry in plan.refused] == [
        ("this comment names no rule", True)
    ]


def test_suppressing_one_of_two_sessions_leaves_the_other(tmp_path: Path) -> None:
    text = SUPPRESSED["on the line"] + COUNT.split("\n\n\n")[1].replace("count", "again")
    plan = planned(written(tmp_path, {**APP, "app/count.py": text}))
    assert plan.ledger.counts()[End.SUPPRESSED] == 1
    assert [finding.site.function for finding in findings(plan)] == ["app.count.again"]


# --- levels ---------------------------------------------------------------------------------------------------------


def test_level_holds_back_what_a_person_should_confirm(tmp_path: Path) -> None:
    root = written(tmp_path, {**APP, "app/count.py": COUNT, "app/load.py": LOAD})
    safe, review = planned(root, level=Level.SAFE), planned(root)
    assert [change.path for change in safe.changes] == ["app/count.py"]
    # the expunge is safe by itself, but needs the block
    held_back = [(entry.site.path, entry.rule) for entry in safe.ledger.of(End.HELD_BACK)]
    assert held_back == [("app/load.py", "session-scope"), ("app/load.py", "expunge-return")]
    assert [change.path for change in review.changes] == ["app/count.py", "app/load.py"]
    assert review.ledger.of(End.HELD_BACK) == ()
    assert ids(safe) == ids(review)


def test_refused_is_refused_at_every_level(tmp_path: Path) -> None:
    root = written(tmp_path, {**APP, "app/worker.py": REFUSED})
    for level in (Level.SAFE, Level.REVIEW):
        plan = planned(root, level=level)
        assert (plan.changes, ends(plan)["refused"]) == ((), ["app/worker.py:6"])


def test_safe_subset_stands_by_itself(legacy_app: Path) -> None:
    plan = planned(legacy_app, level=Level.SAFE)
    assert plan.changes
    for change in plan.changes:
        compile(change.after, change.path, "exec")
        assert all(group.level is Level.SAFE for group in change.groups)


@pytest.mark.parametrize("level", [Level.SAFE, Level.REVIEW])
def test_second_run_offers_nothing(level: Level, legacy_app: Path) -> None:
    first = planned(legacy_app, level=level)
    assert first.changes
    apply(legacy_app, first)
    second = planned(legacy_app, level=level)
    assert (second.changes, second.included) == ((), ())
    assert [entry.site.function for entry in second.refused] == [entry.site.function for entry in first.refused]


def test_applying_in_two_steps_gives_what_one_step_gives(legacy_app: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(legacy_app, other)
    apply(legacy_app, planned(legacy_app))
    apply(other, planned(other, level=Level.SAFE))
    apply(other, planned(other))
    assert contents(other) == contents(legacy_app)


def test_result_imports_every_name_it_uses(legacy_app: Path) -> None:
    """What the changed files use at all they still define or import."""
    for change in planned(legacy_app).changes:
        before, changed = ast.parse(change.before or b""), ast.parse(change.after)
        assert unbound(changed) <= unbound(before), change.path


def unbound(tree: ast.Module) -> set[str]:
    """Names that are read in a file and bound nowhere in it."""
    read = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    return read - set(bound(tree)) - set(dir(builtins))


def bound(tree: ast.Module) -> Iterable[str]:
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Store()) | ast.arg(arg=name):
                yield name
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.alias(name=name, asname=alias):
                yield alias or name.partition(".")[0]
            case ast.ExceptHandler(name=str(name)):
                yield name


@pytest.mark.parametrize("seed", range(2))
def test_any_selection_of_paths_applied_in_any_order_ends_at_the_same_code(seed: int, legacy_app: Path) -> None:
    wanted = {change.path: change.after for change in planned(legacy_app).changes}
    paths = sorted(wanted)
    random.Random(seed).shuffle(paths)
    for path in paths:
        apply(legacy_app, planned(legacy_app, path))
    apply(legacy_app, planned(legacy_app))  # what changes several files at once is refused for one of them
    for path in paths:
        assert comparable((legacy_app / path).read_bytes()) == comparable(wanted[path]), path


def comparable(text: bytes) -> str:
    """The code of a file but for its module-level imports, and for the order of keywords.

    An import that another file takes from here goes once that file is changed, not before; an option that waits for
    another file stands behind those that do not.
    """
    tree = ast.parse(text)
    tree.body = [statement for statement in tree.body if not isinstance(statement, (ast.Import, ast.ImportFrom))]
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            node.keywords.sort(key=lambda keyword: keyword.arg or "")
    return ast.unparse(tree)


# --- settings -------------------------------------------------------------------------------------------------------


def test_rules_are_those_that_are_selected_and_not_ignored() -> None:
    assert [rule.name for rule in chosen_rules(Settings(select=("session-scope",)))] == ["session-scope"]
    assert chosen_rules(Settings(select=("session-scope",), ignore=("session-scope",))) == ()


def test_ignored_rule_says_nothing(tmp_path: Path) -> None:
    root = written(tmp_path, {**APP, "app/count.py": COUNT})
    plan = planned(root, settings=Settings(ignore=tuple(rule.name for rule in chosen_rules(Settings()))))
    assert (plan.changes, plan.ledger.entries) == ((), ())


def test_rule_is_ignored_in_files_that_match(tmp_path: Path) -> None:
    root = written(tmp_path, {**APP, "app/count.py": COUNT, "tests/count.py": COUNT})
    plan = planned(root, settings=Settings(per_file_ignores=(("tests/**", ("session-scope",)),)))
    assert [change.path for change in plan.changes] == ["app/count.py"]
    assert all(entry.site.path != "tests/count.py" for entry in plan.ledger.entries)


def test_declared_factory_is_a_factory(tmp_path: Path) -> None:
    db = "from company import container\n\nnew_session = container.get('s')\n"
    root = written(tmp_path, {**APP, "app/db.py": db, "app/count.py": COUNT})
    (refused,) = planned(root).ledger.entries
    assert refused.end is End.REFUSED
    assert "`sessions` of the settings" in refused.advice
    plan = planned(root, settings=Settings(sessions=("app.db.new_session",)))
    assert after(plan, "app/count.py") == COUNT_AFTER.lstrip("\n")


def test_declared_factory_whose_name_lacks_the_word_is_found(tmp_path: Path) -> None:
    db = "from company import container\n\nconnect = container.get('s')\n"
    use = "from app.db import connect\n\n\nasync def work() -> None:\n    db = connect()\n    await db.execute(1)\n"
    root = written(tmp_path, {**APP, "app/db.py": db, "app/use.py": use})
    plan = planned(root, settings=Settings(sessions=("app.db.connect",)))
    assert [change.path for change in plan.changes] == ["app/use.py"]


SCOPES = """

from contextlib import asynccontextmanager


@asynccontextmanager
async def read_session():
    async with new_session() as session:
        yield session


@asynccontextmanager
async def write_session():
    async with new_session() as session:
        yield session
"""


def test_scope_setting_chooses_the_context_manager(tmp_path: Path) -> None:
    root = written(tmp_path, {**APP, "app/db.py": DB + SCOPES, "app/count.py": COUNT})
    assert "async with new_session() as session" in after(planned(root), "app/count.py")
    for name in ("read_session", "write_session"):
        changed = after(planned(root, settings=Settings(scope=f"app.db.{name}")), "app/count.py")
        assert f"async with {name}() as session" in changed
        assert f"from app.db import {name}\n" in changed


def test_scope_setting_that_names_nothing_is_an_error_that_names_the_settings_file(tmp_path: Path) -> None:
    root = written(tmp_path, {**APP, "app/db.py": DB + SCOPES, "app/count.py": COUNT})
    text = '[tool.session-codemods]\nscope = "app.db.nope"\n'
    settings = load(written(root, {"pyproject.toml": text}), rules=())
    with pytest.raises(SettingsError) as caught:
        planned(root, settings=settings)
    assert str(caught.value).startswith(f"{root / 'pyproject.toml'}: scope: `app.db.nope` is no context manager")


def test_settings_have_their_part_in_the_hash(tmp_path: Path) -> None:
    root = written(tmp_path, {**APP, "app/count.py": COUNT})
    assert planned(root).settings_hash != planned(root, settings=Settings(expunge="needed")).settings_hash


# --- tests that replace the factory -----------------------------------------------------------------------------------

REPLACED = {
    "patch with a string": "from unittest.mock import patch\n\ndef test():\n"
    "    with patch('app.count.new_session'):\n        pass\n",
    "patch as a decorator": "from unittest.mock import patch\n\n\n@patch('app.count.new_session')\n"
    "def test(new):\n    pass\n",
    "patch of the definition": "from unittest import mock\n\n\n@mock.patch('app.db.new_session')\n"
    "def test(new):\n    pass\n",
    "patch.object": "from unittest.mock import patch\nfrom app import count\n\ndef test():\n"
    "    with patch.object(count, 'new_session'):\n        pass\n",
    "mocker.patch": "def test(mocker):\n    mocker.patch('app.count.new_session')\n",
    "monkeypatch with a string": "def test(monkeypatch):\n    monkeypatch.setattr('app.count.new_session', None)\n",
    "monkeypatch with an object": "from app import count\n\ndef test(monkeypatch):\n"
    "    monkeypatch.setattr(count, 'new_session', None)\n",
    "monkeypatch with the defining module": "import app.db\n\ndef test(monkeypatch):\n"
    "    monkeypatch.setattr(app.db, 'new_session', None)\n",
    "dependency_overrides": "from app.db import new_session\nfrom app.main import api\n\n"
    "api.dependency_overrides[new_session] = None\n",
    "dependency_overrides in a fixture": "from app.db import new_session\nfrom app.main import api\n\n"
    "def client():\n    api.dependency_overrides[new_session] = lambda: None\n    yield api\n",
    "plain assignment": "from app import count\n\ndef test():\n    count.new_session = lambda: None\n",
    "imported inside of the test": "def test(monkeypatch):\n    from app import count\n"
    "    monkeypatch.setattr(count, 'new_session', None)\n",
}


@pytest.mark.parametrize("situation", REPLACED)
def test_replaced_factory_makes_it_a_matter_of_review(situation: str, tmp_path: Path) -> None:
    root = written(tmp_path, {**APP, "app/count.py": COUNT, "tests/test_count.py": REPLACED[situation]})
    (finding,) = findings(planned(root))
    assert finding.level is Level.REVIEW
    assert "tests/test_count.py:" in finding.reason


NOT_REPLACED = {
    "another name": "from unittest.mock import patch\n\n@patch('app.count.select')\ndef test(new):\n    pass\n",
    "a name of another module": "from unittest.mock import patch\n\n@patch('app.models.new_session')\n"
    "def test(n):\n    pass\n",
    "only used": "from app.db import new_session\n\ndef test():\n    new_session()\n",
}


@pytest.mark.parametrize("situation", NOT_REPLACED)
def test_replacing_something_else_changes_no_level(situation: str, tmp_path: Path) -> None:
    root = written(tmp_path, {**APP, "app/count.py": COUNT, "tests/test_count.py": NOT_REPLACED[situation]})
    levels = {finding.site.path: finding.level for finding in findings(planned(root))}
    assert levels["app/count.py"] is Level.SAFE


def test_a_process_that_makes_many_runs_looks_for_what_is_left_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.py").write_text("x = 1\n")
    request = RunRequest(tmp_path, (), Settings(), Level.REVIEW)
    looked: list[int] = []
    monkeypatch.setattr("gc.collect", lambda: looked.append(engine._kept))
    monkeypatch.setattr(engine, "_kept", 0)
    engine.run(request)
    assert engine._kept > 0
    made = engine._kept
    monkeypatch.setattr(engine, "_DUE", made - 1)
    engine.run(request)
    assert looked == [made]
    assert engine._kept < made * 3
