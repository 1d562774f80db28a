"""The seven points of the checklist: what counts for which, how they are written down, and the counts of real projects.

The first tests tally plans made by hand; the last ones run the tool on the legacy application and on small files.
"""

from __future__ import annotations

import json
import os
import re
import textwrap
import tomllib
from collections import Counter
from pathlib import Path

import pytest

from codemods import __main__
from codemods.engine import RunRequest, run
from codemods.plan import End, Entry, Failure, Ledger, Level, Plan, Site
from codemods.review.checklist import QUESTIONS, Checklist, Point, State, markdown, report, tally, text
from codemods.rules import RULES
from codemods.settings import Settings, load

ROOT = Path(__file__).parents[1]
LEGACY_APP = ROOT / "fixtures" / "legacy_app"
NAMES = [rule.name for rule in RULES]
SCOPE, TASKS, SHARED, EXPUNGE = "session-scope", "task-arguments", "shared-session", "expunge-return"


def entry(
    end: End, rule: str, line: int = 1, aspect: str = "", told: str = "why", *, undecided: bool = False, key: str = "k"
) -> Entry:
    site = Site("app/users.py", line, 5, line, 20, "app.users.get")
    return Entry(end, rule, site, told, key="" if end is End.RIGHT else key, aspect=aspect, undecided=undecided)


def plan(*entries: Entry, failures: tuple[Failure, ...] = ()) -> Plan:
    return Plan("/root", Level.REVIEW, (), Ledger(entries), failures, ())


def same(path: str) -> str:
    return path


def point(checklist: Checklist, number: int) -> Point:
    return next(one for one in checklist.points if one.question.number == number)


def counts(one: Point) -> tuple[int, int, int, int]:
    return one.kept, one.broken, one.undecided, one.suppressed


# --- what counts ------------------------------------------------------------------------------------------------------


def test_the_points_are_the_seven_of_the_practices() -> None:
    assert [one.number for one in QUESTIONS] == [1, 2, 3, 4, 5, 6, 7]
    assert {rule for one in QUESTIONS for rule, _ in one.rules} <= set(NAMES)


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (entry(End.RIGHT, EXPUNGE), (1, 0, 0, 0)),
        (entry(End.CHANGED, EXPUNGE), (0, 1, 0, 0)),
        (entry(End.HELD_BACK, EXPUNGE), (0, 1, 0, 0)),
        (entry(End.REFUSED, EXPUNGE), (0, 1, 0, 0)),
        (entry(End.REFUSED, EXPUNGE, undecided=True), (0, 0, 1, 0)),
        (entry(End.SUPPRESSED, EXPUNGE), (0, 0, 0, 1)),
        (entry(End.REFUSED, EXPUNGE, told="this comment suppresses nothing", key=""), (0, 0, 0, 0)),
    ],
)
def test_each_end_of_a_place_counts_in_one_column(one: Entry, expected: tuple[int, int, int, int]) -> None:
    assert counts(point(tally(plan(one), NAMES), 3)) == expected


@pytest.mark.parametrize(
    ("rule", "aspect", "points"),
    [
        (SCOPE, "maker", {1}),
        (SCOPE, "function", {2}),
        (EXPUNGE, "", {3}),
        ("eager-load", "", {4}),
        (TASKS, "session", {5, 6}),
        (TASKS, "entity", {6}),
        (TASKS, "nothing", {5, 6}),
        (SHARED, "", {5}),
        ("session-dependency", "", {7}),
        ("engine-pool", "", set()),
    ],
)
def test_each_place_belongs_to_the_points_that_it_is_about(rule: str, aspect: str, points: set[int]) -> None:
    found = tally(plan(entry(End.CHANGED, rule, aspect=aspect)), NAMES)
    assert {one.question.number for one in found.points if one.broken} == points


@pytest.mark.parametrize(
    ("entries", "state"),
    [
        ([], State.KEPT),
        ([entry(End.RIGHT, EXPUNGE)], State.KEPT),
        ([entry(End.RIGHT, EXPUNGE), entry(End.SUPPRESSED, EXPUNGE)], State.KEPT),
        ([entry(End.REFUSED, EXPUNGE, undecided=True)], State.UNDECIDED),
        ([entry(End.REFUSED, EXPUNGE, undecided=True), entry(End.CHANGED, EXPUNGE)], State.BROKEN),
    ],
)
def test_one_broken_place_breaks_a_point_and_an_open_one_leaves_it_open(entries: list[Entry], state: State) -> None:
    found = tally(plan(*entries), NAMES)
    assert point(found, 3).state is state
    assert found.is_broken == (state is State.BROKEN)


def test_a_point_of_which_no_rule_ran_is_not_looked_at() -> None:
    found = tally(plan(entry(End.RIGHT, SHARED)), [SHARED])
    assert {one.state for one in found.points if one.question.number != 5} == {State.SKIPPED}
    assert point(found, 5).skipped == (TASKS,)
    assert point(found, 5).state is State.UNDECIDED  # the other half of it was not run


@pytest.mark.parametrize(
    ("entries", "state"),
    [
        ([], State.UNDECIDED),
        ([entry(End.RIGHT, EXPUNGE)], State.KEPT),
        ([entry(End.CHANGED, EXPUNGE)], State.BROKEN),
    ],
)
def test_files_without_its_rule_do_not_keep_a_point_by_silence(entries: list[Entry], state: State) -> None:
    found = tally(plan(*entries), NAMES, {"app/a.py": {EXPUNGE, "engine-pool"}, "app/b.py": {EXPUNGE}, "app/c.py": ()})
    assert point(found, 3).state is state
    assert {one.question.number for one in found.points if one.passed_over} == {3}
    told = "not looked at in 2 files (per-file-ignores)"
    assert text(found, same).count(told) == 1
    assert markdown(found, same).count(told) == 1
    assert json.loads(report(found, "1.0", same))["points"][2]["files_not_looked_at"] == ["app/a.py", "app/b.py"]


def test_a_rule_that_is_not_run_at_all_is_turned_off_for_no_file() -> None:
    assert not point(tally(plan(), [], {"app/a.py": [EXPUNGE]}), 3).passed_over


def test_the_command_says_in_how_many_files_a_point_was_not_looked_at(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.session-codemods.per-file-ignores]\n"a.py" = ["session-scope"]\n')
    (tmp_path / "a.py").write_text("from b import maker\n\nasync def f():\n    session = maker()\n")
    (tmp_path / "b.py").write_text(
        "from sqlalchemy.ext.asyncio import async_sessionmaker\nmaker = async_sessionmaker()\n"
    )
    assert __main__.main(["check", "--checklist", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert "5 of 7 points kept, 2 not decidable" in shown
    assert shown.count("not looked at in 1 file (per-file-ignores)") == 2


def test_the_broken_places_come_first_and_each_half_in_the_order_of_the_files() -> None:
    entries = [
        entry(End.REFUSED, EXPUNGE, 2, undecided=True),
        entry(End.CHANGED, EXPUNGE, 9),
        entry(End.REFUSED, EXPUNGE, 4),
        entry(End.REFUSED, EXPUNGE, 1, undecided=True),
    ]
    places = point(tally(plan(*entries), NAMES), 3).places
    assert [place.entry.site.line for place in places] == [4, 9, 1, 2]


# --- how it is written ------------------------------------------------------------------------------------------------


MANY = [entry(End.CHANGED, EXPUNGE, line) for line in range(1, 6)]


def test_the_text_names_the_first_places_and_how_many_more_there_are() -> None:
    shown = text(tally(plan(*MANY, entry(End.RIGHT, EXPUNGE)), NAMES), same)
    assert "Checklist: 6 of 7 points kept, 1 broken" in shown
    assert "1 kept, 5 broken, of 6 returns of what was loaded" in shown
    assert shown.count("app/users.py:") == 3
    assert "and 2 more" in shown
    everything = text(tally(plan(*MANY), NAMES), same, limit=None)
    assert everything.count("app/users.py:") == 5
    assert "more" not in everything


def test_the_text_says_of_an_open_place_that_it_cannot_be_told() -> None:
    shown = text(tally(plan(entry(End.REFUSED, EXPUNGE, 7, told="it may be a row", undecided=True)), NAMES), same)
    assert "1 not decidable" in shown
    assert "app/users.py:7  cannot be told: it may be a row" in shown


def test_no_text_of_a_place_can_forge_a_line() -> None:
    found = tally(plan(entry(End.CHANGED, EXPUNGE, told="a\n- [x] b\x1b[2J \u202e")), NAMES)
    for shown in (text(found, same), markdown(found, same)):
        assert "\x1b" not in shown
        assert "\u202e" not in shown
        assert not any(line.startswith("- [x] b") for line in shown.splitlines())


def test_markdown_ticks_what_is_kept_and_nothing_else() -> None:
    entries = [
        entry(End.RIGHT, SCOPE, aspect="maker"),
        entry(End.CHANGED, EXPUNGE),
        entry(End.REFUSED, "eager-load", undecided=True),
    ]
    shown = markdown(tally(plan(*entries), [*(name for name in NAMES if name != "session-dependency")]), same)
    boxes = re.findall(r"^- \[(.)\] ", shown, re.MULTILINE)
    assert boxes == ["x", "x", " ", " ", "x", "x", " "]
    assert "not looked at" in shown.splitlines()[-1]


@pytest.mark.parametrize(
    ("told", "written"),
    [
        ("`users[0]` leaves -> it is *expunged*", r"`users[0]` leaves -> it is \*expunged\*"),
        ("owned by @octocat, see #12", "owned by @&#8203;octocat, see #&#8203;12"),
        ("see GH-12 and https://example.org", "see GH-&#8203;12 and https:&#8203;//example.org"),
        ("<script>", r"\<script>"),
        ("one ` alone", r"one \` alone"),
    ],
)
def test_markdown_shows_a_reason_as_it_is_and_calls_nobody(told: str, written: str) -> None:
    assert f"`app/users.py:1` {written}\n" in markdown(tally(plan(entry(End.CHANGED, EXPUNGE, told=told)), NAMES), same)


def test_a_backtick_in_a_path_does_not_end_its_code() -> None:
    shown = markdown(tally(plan(entry(End.CHANGED, EXPUNGE)), NAMES), lambda path: "a`b.py")
    assert "`` a`b.py:1 ``" in shown


def test_files_that_could_not_be_read_are_named() -> None:
    found = tally(plan(failures=(Failure("app/bad.py", "parse", "invalid syntax", 3),)), NAMES)
    assert "1 file not looked at" in text(found, same)
    assert "`app/bad.py:3` invalid syntax" in markdown(found, same)
    assert json.loads(report(found, "1.0", same))["failures"] == [
        {"path": "app/bad.py", "stage": "parse", "message": "invalid syntax", "line": 3}
    ]


def test_the_json_holds_every_place_and_the_counts() -> None:
    read = json.loads(report(tally(plan(*MANY), NAMES), "1.0", lambda path: f"../{path}"))
    assert (read["version"], read["broken"]) == (1, True)
    third = read["points"][2]
    assert (third["state"], third["kept"], third["broken"], third["undecided"]) == ("broken", 0, 5, 0)
    assert [one["line"] for one in third["places"]] == [1, 2, 3, 4, 5]
    assert third["places"][0] == {
        "path": "../app/users.py",
        "line": 1,
        "column": 5,
        "function": "app.users.get",
        "rule": EXPUNGE,
        "state": "broken",
        "reason": "why",
    }


def test_the_json_survives_a_name_that_is_not_utf_8() -> None:
    read = json.loads(report(tally(plan(*MANY[:1]), NAMES), "1.0", lambda path: os.fsdecode(b"\xff.py")))
    assert read["points"][2]["places"][0]["path"] == r"\xff.py"


# --- on projects ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def legacy() -> Plan:
    return run(RunRequest(LEGACY_APP, (), load(LEGACY_APP, rules=NAMES)))


def test_the_legacy_application_breaks_every_point(legacy: Plan) -> None:
    found = tally(legacy, NAMES)
    assert {one.state for one in found.points} == {State.BROKEN}
    assert {one.question.number: one.broken for one in found.points} == {1: 8, 2: 29, 3: 9, 4: 2, 5: 4, 6: 4, 7: 19}


def test_the_counts_add_up_to_those_of_the_ledger(legacy: Plan) -> None:
    """Tasks that get a session stand in two points; each other place in one."""
    found = tally(legacy, NAMES)
    rules = {rule for one in QUESTIONS for rule, _ in one.rules}
    ledger = [one for one in legacy.ledger.entries if one.rule in rules]
    twice = [one for one in ledger if one.rule == TASKS and one.aspect in ("session", "nothing")]
    assert sum(one.looked_at for one in found.points) == len(ledger) + len(twice)
    ends = Counter(one.end for one in [*ledger, *twice])
    assert sum(one.kept for one in found.points) == ends[End.RIGHT]
    assert sum(one.suppressed for one in found.points) == ends[End.SUPPRESSED]
    assert all(len(one.places) == one.broken + one.undecided for one in found.points)


def test_every_place_of_the_rules_is_about_some_point(legacy: Plan) -> None:
    found = tally(legacy, NAMES)
    rules = {rule for one in QUESTIONS for rule, _ in one.rules}
    named = {place.entry for one in found.points for place in one.places}
    assert named == {
        one for one in legacy.ledger.entries if one.rule in rules and one.end not in (End.RIGHT, End.SUPPRESSED)
    }


BASE = """
    from fastapi import BackgroundTasks, Depends
    from sqlalchemy import select
    from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
    from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

    Maker = async_sessionmaker(create_async_engine("postgresql+asyncpg://db"), expire_on_commit=False)

    class Base(DeclarativeBase):
        pass

    class User(Base):
        __tablename__ = "users"
        id: Mapped[int] = mapped_column(primary_key=True)
        name: Mapped[str]

    def new_session() -> AsyncSession:
        return Maker()
"""


def look(tmp_path: Path, code: str) -> dict[int, tuple[int, int, int, int]]:
    """The counts of each point on one file, without those of what the file begins with."""
    (tmp_path / "app.py").write_text(textwrap.dedent(BASE) + "\n\n" + textwrap.dedent(code))
    plain = tally(run(RunRequest(tmp_path, (), Settings())), NAMES)
    (tmp_path / "app.py").write_text(textwrap.dedent(BASE))
    before = tally(run(RunRequest(tmp_path, (), Settings())), NAMES)
    found = {}
    for one, base in zip(plain.points, before.points, strict=True):
        difference = tuple(after - own for after, own in zip(counts(one), counts(base), strict=True))
        if any(difference):
            found[one.question.number] = (difference[0], difference[1], difference[2], difference[3])
    return found


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        pytest.param(
            """
            async def f():
                async with Maker() as session:
                    return (await session.get(User, 1)).name
            """,
            {1: (1, 0, 0, 0)},
            id="made in a block",
        ),
        pytest.param(
            """
            async def f():
                session = Maker()
                return (await session.get(User, 1)).name
            """,
            {1: (0, 1, 0, 0)},
            id="a maker is called",
        ),
        pytest.param(
            """
            async def f():
                session = new_session()
                return (await session.get(User, 1)).name
            """,
            {2: (0, 1, 0, 0)},
            id="a function of the project is called",
        ),
        pytest.param(
            """
            class Repository:
                def __init__(self):
                    self.session = new_session()
            """,
            {2: (0, 1, 0, 0)},
            id="left alone, and certainly in no block",
        ),
        pytest.param(
            """
            import elsewhere

            async def f():
                session = new_session()
                elsewhere.watch(session)
                await session.get(User, 1)
            """,
            {2: (0, 0, 1, 0)},
            id="something that is not in view may close it",
        ),
        pytest.param(
            """
            import elsewhere

            async def f():
                session = elsewhere.state["session"]()
                return (await session.execute(select(User))).scalars().first().name
            """,
            {1: (0, 0, 1, 0)},
            id="what makes it is not in view",
        ),
        pytest.param(
            """
            async def f():
                session = Maker()  # session-codemods: ignore[session-scope] closed by the test client
                return (await session.get(User, 1)).name
            """,
            {1: (0, 0, 0, 1)},
            id="suppressed",
        ),
        pytest.param(
            """
            async def f():
                async with Maker() as session:
                    user = User(name="a")
                    session.add(user)
                    return user
            """,
            {1: (1, 0, 0, 0), 3: (0, 1, 0, 0)},
            id="a new object that is not flushed is not expunged",
        ),
        pytest.param(
            """
            async def f(statement):
                async with Maker() as session:
                    return (await session.execute(statement)).scalars().first()
            """,
            {1: (1, 0, 0, 0), 3: (0, 0, 1, 0)},
            id="it cannot be told whether an entity is returned",
        ),
        pytest.param(
            """
            async def work(user_id: int):
                async with Maker() as session:
                    (await session.get(User, user_id)).name

            async def f(tasks: BackgroundTasks, user_id: int):
                tasks.add_task(work, user_id)
            """,
            {1: (1, 0, 0, 0), 5: (1, 0, 0, 0), 6: (1, 0, 0, 0)},
            id="a task gets an id",
        ),
        pytest.param(
            """
            async def work(user: User):
                print(user.name)

            async def f(tasks: BackgroundTasks):
                async with Maker() as session:
                    user = await session.get(User, 1)
                    tasks.add_task(work, user)
            """,
            {1: (1, 0, 0, 0), 6: (0, 1, 0, 0)},
            id="a task gets an entity that may be None",
        ),
        pytest.param(
            """
            import asyncio

            async def work(session: AsyncSession):
                await session.commit()

            async def f(session: AsyncSession):
                asyncio.create_task(work(session))
            """,
            {5: (0, 1, 0, 0), 6: (0, 1, 0, 0)},
            id="a task gets a session",
        ),
        pytest.param(
            """
            import elsewhere

            async def work(session: AsyncSession):
                await session.commit()

            async def f(session: AsyncSession):
                elsewhere.bus.add_task(work, session)
            """,
            {5: (0, 0, 1, 0), 6: (0, 0, 1, 0)},
            id="something that is not in view may run it later",
        ),
        pytest.param(
            """
            async def lend():
                session = Maker()
                try:
                    yield session
                finally:
                    await session.close()

            async def route(session: AsyncSession = Depends(lend)):
                return None
            """,
            {1: (1, 0, 0, 0), 7: (1, 0, 0, 0)},
            id="a dependency closes",
        ),
        pytest.param(
            """
            async def route(session: AsyncSession = Depends(Maker)):
                return None
            """,
            {7: (0, 1, 0, 0)},
            id="a maker is given to Depends",
        ),
    ],
)
def test_a_place_counts_where_it_should(
    tmp_path: Path, code: str, expected: dict[int, tuple[int, int, int, int]]
) -> None:
    assert look(tmp_path, code) == expected


# --- hooks ------------------------------------------------------------------------------------------------------------


def hooks() -> dict[str, dict[str, str]]:
    """The hooks of `.pre-commit-hooks.yaml`, which keeps to `key: value` lines so that no YAML reader is needed."""
    found: dict[str, dict[str, str]] = {}
    current: dict[str, str] = {}
    for line in (ROOT / ".pre-commit-hooks.yaml").read_text("utf-8").splitlines():
        told = re.sub(r"(^|\s)#.*", "", line)
        if not told.strip():
            continue
        read = re.fullmatch(r"(- |  )([a-z_]+): (\S.*?)\s*", told)
        assert read is not None, line
        if read[1] == "- ":
            current = found[read[3]] = {}
        current[read[2]] = read[3]
    return found


def test_the_hooks_are_there() -> None:
    assert set(hooks()) == {"session-codemods", "session-codemods-checklist"}
    for hook in hooks().values():
        assert {"id", "name", "description", "entry", "language", "types"} <= set(hook)
        assert (hook["language"], hook["types"], hook["require_serial"]) == ("python", "[python]", "true")
    assert hooks()["session-codemods-checklist"]["pass_filenames"] == "false"


@pytest.mark.parametrize("hook", sorted(hooks()))
def test_what_a_hook_runs_is_a_command_of_this_program(hook: str, capsys: pytest.CaptureFixture[str]) -> None:
    program, *arguments = hooks()[hook]["entry"].split()
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["scripts"]
    assert program in scripts
    assert __main__.main([*arguments, "--help"]) == 0
    assert __main__.main([*arguments, "--there-is-none", "--help"]) == 2
    assert "--checklist" in capsys.readouterr().out
