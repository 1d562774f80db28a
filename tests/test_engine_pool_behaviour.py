"""Engines and makers work as before once the rule `engine-pool` has changed them, and with the pool that was written.

Runs the applications of `engines/situations.py` and `engines/traps.py` on SQLite and PostgreSQL, in processes of their
own: as they were written, and as the tool leaves them at the level `review`; with the SQLAlchemy that is installed and
with others whose pools take other options.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from engines import versions
from engines.applications import FILE, MEMORY, POSTGRESQL, Situation, Trap
from engines.situations import REREAD, REREAD_LINE, SITUATIONS
from engines.traps import IN_MEMORY, TRAPS
from engines.versions import FILES_UNPOOLED, INSTALLED, VERSIONS
from field.fetch import Package, Unreachable
from leaving.postgres import NoServer, server

from codemods.engine import RunRequest, run
from codemods.plan import AddArgument, AddItem, Finding, Level, Plan
from codemods.rules import RULES
from codemods.settings import load

RULE = "engine-pool"
PROBE = Path(__file__).with_name("engines") / "probe.py"
NEEDS = ("aiosqlite", "fastapi", "greenlet", "httpx", "sqlalchemy")
RAISED = "raised "
NAMES = frozenset(rule.name for rule in RULES)

pytestmark = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in NEEDS), reason="the demo-app extra is not installed"
)


@dataclass(frozen=True, slots=True)
class Observed:
    """What came of one application on one database."""

    pools: Mapping[str, Mapping[str, Any]]  # engine -> option -> what its pool was told, and "class"
    answers: Mapping[str, str]  # by what the application was doing; "raised ..." with the name of the exception
    why: str  # the tracebacks of what was raised


Databases = Mapping[str, Observed]


@dataclass(frozen=True, slots=True)
class Written:
    """One situation in folders, and what the tool says of it."""

    plan: Plan
    folders: Sequence[Path]  # as it was written, as the tool leaves it, and for a trap as the wrong change leaves it


@dataclass(frozen=True, slots=True)
class Trial:
    """One situation, run with one SQLAlchemy."""

    before: Databases
    after: Databases  # as the tool leaves it
    wrong: Databases  # as a trap's wrong change leaves it; without a trap empty


class Trials:
    """Runs each situation once with each SQLAlchemy, on all of its databases that are there."""

    def __init__(self, folder: Path, socket: str, no_server: str) -> None:
        self.folder, self.socket, self.no_server = folder, socket, no_server
        self.versions: dict[str, str] = {INSTALLED: ""}
        self.written: dict[str, Written] = {}
        self.run: dict[tuple[str, str], Trial] = {}

    def of(self, tried: Situation | Trap, version: str, database: str) -> Trial:
        if database == POSTGRESQL and self.no_server:
            pytest.skip(self.no_server)
        situation = tried.situation if isinstance(tried, Trap) else tried
        key = situation.name, version
        if key not in self.run:
            self.run[key] = self._try(situation, tried.wrong if isinstance(tried, Trap) else None, version)
        return self.run[key]

    def observe(self, situation: Situation, version: str, folders: Sequence[Path]) -> list[Databases]:
        """Runs the application of each folder on each database, with that SQLAlchemy and no other."""
        wanted = {
            "sqlalchemy": self._sqlalchemy(version),
            "engines": situation.engines,
            "databases": [name for name in situation.databases if name != POSTGRESQL or not self.no_server],
            "socket": self.socket,
            "environment": situation.environment,
            "folders": [str(folder) for folder in folders],
        }
        command = [sys.executable, "-I", str(PROBE), json.dumps(wanted)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout.splitlines()[-1])
        assert found["sqlalchemy"].startswith("2.1.") if version == INSTALLED else found["sqlalchemy"] == version
        return [{name: Observed(**observation) for name, observation in one.items()} for one in found["seen"]]

    def _try(self, situation: Situation, wrong: Mapping[str, str] | None, version: str) -> Trial:
        if situation.name not in self.written:
            folder = Path(tempfile.mkdtemp(prefix=f"{situation.name}-", dir=self.folder))
            self.written[situation.name] = written(situation, wrong, folder)
        seen = self.observe(situation, version, self.written[situation.name].folders)
        return Trial(*seen, *([{}] if wrong is None else []))

    def _sqlalchemy(self, version: str) -> str:
        """The folder to import it from; "" for the one that is installed."""
        if version not in self.versions:
            folder = Path(tempfile.mkdtemp(prefix="sqlalchemy-", dir=self.folder))
            self.versions[version] = str(installed(version, folder))
        return self.versions[version]


def installed(version: str, folder: Path) -> Path:
    """A SQLAlchemy beside the installed one. Without a network there is none, which only CI does not forgive."""
    try:
        return versions.install(version, folder)
    except Unreachable as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))


def written(situation: Situation, wrong: Mapping[str, str] | None, folder: Path) -> Written:
    folders = [folder / "before", folder / "after"]
    write(folders[0], situation.files)
    plan = planned(folders[0])
    write(folders[1], situation.files | {change.path: change.after.decode() for change in plan.changes})
    if wrong is not None:
        folders.append(folder / "wrong")
        write(folders[2], situation.changed_to(wrong))
    return Written(plan, folders)


def planned(folder: Path) -> Plan:
    """What all rules together say of an application."""
    return run(RunRequest(folder, (), load(folder, None, rules=NAMES), Level.REVIEW))


def write(folder: Path, files: Mapping[str, str]) -> None:
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name).write_text(text, "utf-8")


def changes(plan: Plan) -> list[Finding]:
    return [one for group in plan.included for one in group.findings if one.rule == RULE]


def said(plan: Plan) -> list[str]:
    """All texts of the rule: what it changes and why, and why it leaves alone what it does."""
    texts = [f"{one.message}; {one.reason}" for one in changes(plan)]
    return texts + [entry.text for entry in plan.ledger.entries if entry.rule == RULE]


def added(plan: Plan) -> list[str]:
    """The names of the arguments and items that the rule adds, of all engines and makers together."""
    edits = [edit for one in changes(plan) for edit in one.edits]
    assert all(isinstance(edit, AddArgument | AddItem) for edit in edits), edits
    found = [re.match(r'"?(\w+)', edit.text) for edit in edits if isinstance(edit, AddArgument | AddItem)]
    return sorted(match[1] for match in found if match is not None)


def meant(situation: Situation) -> list[str]:
    options = [name for engine in situation.written.values() for name in engine]
    return sorted([*options, *["expire_on_commit"] * situation.makers])


def complaints(
    situation: Situation, before: Observed, after: Observed, told: Mapping[str, Any], *, forgets: bool = False
) -> list[str]:
    """What is not as it is meant to be: the pools are those of `before` but for what they are `told`, the rows are too,
    and `main` answers each time; unless the application `forgets` its rows after a time."""
    found = [
        f"{option} is {is_told} and not {value}"
        for engine in situation.engines
        for option, value in {**before.pools[engine], **told.get(engine, {})}.items()
        if engine in after.pools and (is_told := after.pools[engine].get(option)) != value
    ]
    expected = {**before.answers, "at once": situation.shows, "later": situation.shows}
    if forgets:
        expected |= dict.fromkeys(("later", "rows"), "raised OperationalError")
    if "cut" in expected:
        expected["cut"] = answer_when_cut(situation, after)
    return found + [
        f"{stage}: {after.answers.get(stage)} and not {answer}\n{after.why}"
        for stage, answer in expected.items()
        if not is_answer(after.answers.get(stage, ""), answer)
    ]


def is_answer(found: str, expected: str) -> bool:
    """Whether it is that one; which exception tells of a connection that was cut is up to its driver."""
    return found.startswith(expected) if expected == RAISED else found == expected


def answer_when_cut(situation: Situation, observed: Observed) -> str:
    """What `main` answers when the server has cut all connections: nobody notices where they are tried before use, or
    never kept."""
    pool = observed.pools.get(situation.engines[0], {})
    if pool.get("pool_pre_ping") or pool.get("class") == "NullPool":
        return situation.shows
    return RAISED


def each(trials: Sequence[Situation | Trap]) -> list[Any]:
    """Every trial with every SQLAlchemy on every database, those of one together: it is made for the first of them."""
    return [
        pytest.param((one, version, database), id=f"{situation.name}-{version}-{database}")
        for one in trials
        for situation in [one.situation if isinstance(one, Trap) else one]
        for version in situation.versions
        for database in situation.databases
    ]


@pytest.fixture(scope="session")
def trials(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trials]:
    with ExitStack() as stack:
        socket, no_server = "", ""
        try:
            socket = stack.enter_context(server())
        except NoServer as error:
            no_server = str(error)
        yield Trials(tmp_path_factory.mktemp("engines"), socket, no_server)


@pytest.fixture
def rule() -> None:
    """For tests of what the rule itself does."""
    if RULE not in NAMES:
        pytest.skip(f"there is no rule {RULE} yet")


@pytest.fixture(scope="module", params=each(SITUATIONS))
def situated(request: pytest.FixtureRequest) -> tuple[Situation, str, str]:
    found: tuple[Situation, str, str] = request.param
    return found


@pytest.fixture(scope="module", params=each(TRAPS))
def trapped(request: pytest.FixtureRequest) -> tuple[Trap, str, str]:
    found: tuple[Trap, str, str] = request.param
    return found


def assert_works_as_written(situation: Situation, before: Observed) -> None:
    answer = f"raised {situation.fails}" if situation.fails else situation.shows
    assert before.answers["made"] == str([1 for _ in situation.engines]), before.why
    assert (before.answers["at once"], before.answers["later"]) == (answer, answer), before.why
    assert before.answers["rows"].startswith("[["), before.why
    if not situation.fails and "cut" in before.answers:
        assert is_answer(before.answers["cut"], answer_when_cut(situation, before)), before.why


def test_application_does_as_written_what_it_is_meant_to(trials: Trials, situated: tuple[Situation, str, str]) -> None:
    situation, version, database = situated
    assert_works_as_written(situation, trials.of(situation, version, database).before[database])


@pytest.mark.usefixtures("rule")
@pytest.mark.parametrize("situation", [pytest.param(one, id=one.name) for one in SITUATIONS])
def test_what_is_missing_is_added_and_nothing_else(situation: Situation, tmp_path: Path) -> None:
    plan = written(situation, None, tmp_path).plan
    assert plan.failures == ()
    assert added(plan) == meant(situation), said(plan)


@pytest.mark.usefixtures("rule")
def test_engine_works_with_the_pool_that_is_written(trials: Trials, situated: tuple[Situation, str, str]) -> None:
    situation, version, database = situated
    trial = trials.of(situation, version, database)
    before, after = trial.before[database], trial.after[database]
    assert complaints(situation, before, after, situation.written, forgets=database in situation.forgets) == []


def test_trap_works_as_written(trials: Trials, trapped: tuple[Trap, str, str]) -> None:
    trap, version, database = trapped
    assert_works_as_written(trap.situation, trials.of(trap, version, database).before[database])


@pytest.mark.parametrize(
    ("trap", "version", "database"),
    [
        pytest.param(one, version, database, id=f"{one.situation.name}-{version}-{database}")
        for one in TRAPS
        for version, database in one.noticed_on
    ],
)
def test_trap_would_be_noticed(trials: Trials, trap: Trap, version: str, database: str) -> None:
    trial = trials.of(trap, version, database)
    wrong = trial.wrong[database]
    assert complaints(trap.situation, trial.before[database], wrong, {}) != []
    if trap.stage == "pools":
        assert trap.shows in complaints(trap.situation, trial.before[database], wrong, {})
    else:
        assert wrong.answers[trap.stage] == trap.shows, wrong.why


@pytest.mark.usefixtures("rule")
@pytest.mark.parametrize("trap", [pytest.param(one, id=one.situation.name) for one in TRAPS])
def test_trap_is_stepped_over(trap: Trap, tmp_path: Path) -> None:
    plan = written(trap.situation, None, tmp_path).plan
    assert plan.failures == ()
    assert added(plan) == meant(trap.situation), said(plan)
    assert any(trap.because in one for one in said(plan)) or not trap.because, said(plan)


def test_trap_breaks_nothing(trials: Trials, trapped: tuple[Trap, str, str]) -> None:
    trap, version, database = trapped
    trial = trials.of(trap, version, database)
    before, after = trial.before[database], trial.after[database]
    told = trap.situation.written if RULE in NAMES else {}
    forgets = RULE in NAMES and database in trap.situation.forgets
    assert complaints(trap.situation, before, after, told, forgets=forgets) == []


@pytest.mark.usefixtures("rule")
@pytest.mark.parametrize("situation", [pytest.param(one, id=one.name) for one in SITUATIONS])
def test_second_look_offers_nothing(situation: Situation, tmp_path: Path) -> None:
    assert planned(written(situation, None, tmp_path).folders[1]).changes == ()


@pytest.mark.usefixtures("rule")
@pytest.mark.parametrize("situation", [pytest.param(one, id=one.name) for one in SITUATIONS if one.forgets])
def test_database_that_may_be_in_memory_is_told_of(situation: Situation, tmp_path: Path) -> None:
    (reason,) = [one.reason for one in changes(written(situation, None, tmp_path).plan)]
    assert "in memory" in reason


@pytest.mark.usefixtures("rule")
def test_read_that_a_maker_lets_grow_stale_is_named(trials: Trials) -> None:
    trial = trials.of(REREAD, INSTALLED, POSTGRESQL)
    assert trial.before[POSTGRESQL].answers["at once"] == "coffee"
    assert trial.after[POSTGRESQL].answers["at once"] == "tea"
    plan = trials.written[REREAD.name].plan
    assert added(plan) == meant(REREAD)
    assert [one.level for one in changes(plan)] == [Level.REVIEW]
    assert any(f"app.py:{REREAD_LINE}" in one for one in said(plan)), said(plan)


@pytest.mark.parametrize("version", VERSIONS)
def test_clock_that_is_put_forward_does_what_waiting_does(trials: Trials, version: str, tmp_path: Path) -> None:
    waits = """
    import asyncio

    from sqlalchemy import select

    from database import async_session
    from models import Item


    async def main() -> list[str]:
        await asyncio.sleep(1.1)
        async with async_session() as session:
            return sorted(await session.scalars(select(Item.name)))
    """
    situation = Situation(name="waits", database=IN_MEMORY, app=waits, databases=(MEMORY,))
    folders = []
    for age in (1, 3600):
        folders.append(tmp_path / f"after_{age}")
        text = IN_MEMORY.replace('://")', f'://", pool_recycle={age})')
        write(folders[-1], situation.changed_to({"database.py": text}))
    seconds, hours = (found[MEMORY] for found in trials.observe(situation, version, folders))
    assert seconds.answers["at once"] == "raised OperationalError", seconds.why
    assert hours.answers["at once"] == "['rye', 'tea']", hours.why
    assert hours.answers["later"] == "raised OperationalError", hours.why


def test_other_versions_leave_the_installed_one_alone(trials: Trials) -> None:
    situation = next(one for one in SITUATIONS if one.name == "file_in_a_literal")
    classes = {
        version: trials.of(situation, version, FILE).before[FILE].pools["engine"]["class"] for version in VERSIONS
    }
    queues = dict.fromkeys(VERSIONS, "AsyncAdaptedQueuePool")
    assert classes == {**queues, FILES_UNPOOLED: "NullPool"}


def test_without_a_network_only_ci_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fetched(package: Package, folder: Path) -> Path:
        raise Unreachable(f"{package.pin}: no line")

    monkeypatch.setattr(versions, "fetch", fetched)
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="no line"):
        installed(FILES_UNPOOLED, tmp_path / "at home")
    monkeypatch.setenv("CI", "1")
    with pytest.raises(Unreachable):
        installed(FILES_UNPOOLED, tmp_path / "in CI")


def test_situations_show_what_is_added_and_what_is_not() -> None:
    situations = (*SITUATIONS, *(trap.situation for trap in TRAPS))
    assert max(Counter(one.name for one in situations).values()) == 1
    options = {name for one in SITUATIONS for engine in one.written.values() for name in engine}
    assert options == {
        *("pool_size", "max_overflow", "pool_timeout", "pool_pre_ping", "pool_recycle", "echo_pool"),
    }
    assert sum(one.makers for one in SITUATIONS) >= 2
    assert any(one.fails for one in SITUATIONS)
    assert any(not meant(one) for one in SITUATIONS)
    assert {database for one in situations for database in one.databases} == {POSTGRESQL, FILE, MEMORY}
    assert {trap.stage for trap in TRAPS} == {"made", "at once", "later", "pools"}
    for trap in TRAPS:
        tried = {(version, database) for version in trap.situation.versions for database in trap.situation.databases}
        assert set(trap.noticed_on) <= tried, trap.situation.name
        assert trap.noticed_on, trap.situation.name
