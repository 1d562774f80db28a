"""What a function returns is read as before once the tool has changed the function, or at last can be read.

Runs the applications of `leaving/situations.py` and `leaving/traps.py` on SQLite and PostgreSQL, in processes of their
own: as they were written, and as the tool leaves them at the level `review`.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from leaving.applications import Situation
from leaving.postgres import NoServer, server
from leaving.situations import SITUATIONS
from leaving.traps import TRAPS, Trap

from codemods.engine import RunRequest, run
from codemods.plan import Level, Plan
from codemods.rules import RULES
from codemods.settings import load

PROBE = Path(__file__).with_name("leaving") / "probe.py"
NEEDS = ("aiosqlite", "fastapi", "greenlet", "sqlalchemy")
NAMES = frozenset(rule.name for rule in RULES)

pytestmark = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in NEEDS), reason="the demo-app extra is not installed"
)


@dataclass(frozen=True, slots=True)
class Observed:
    """What came of one application on one database."""

    returned: str
    raised: str  # the name of the exception
    why: str  # and its traceback
    statements: tuple[str, ...]  # with their parameters; commits among them
    rows: Mapping[str, list[str]]
    out: int  # connections that were still out at the end


Databases = Mapping[str, Observed]


@dataclass(frozen=True, slots=True)
class Trial:
    """One situation, run as it was written and otherwise."""

    plan: Plan
    before: Databases
    after: Databases  # as the tool leaves it
    fallen_into: Databases  # as a trap's wrong change leaves it; without a trap, as it was written


class Trials:
    """Runs each situation once, on all of its databases that are there."""

    def __init__(self, folder: Path, socket: str, no_server: str) -> None:
        self.folder, self.socket, self.no_server = folder, socket, no_server
        self.run: dict[str, Trial] = {}

    def changed(self, situation: Situation, database: str) -> Trial:
        """A trial of which the tool was to change something."""
        if missing := situation.rules - NAMES:
            pytest.skip(f"there is no rule {', '.join(sorted(missing))} yet")
        return self.of(situation, database)

    def of(self, situation: Situation, database: str, fallen_into: Mapping[str, str] | None = None) -> Trial:
        if database == "postgresql" and self.no_server:
            pytest.skip(self.no_server)
        if situation.name not in self.run:
            self.run[situation.name] = self._try(situation, fallen_into or situation.files)
        return self.run[situation.name]

    def _try(self, situation: Situation, fallen_into: Mapping[str, str]) -> Trial:
        folder = Path(tempfile.mkdtemp(prefix=f"{situation.name}-", dir=self.folder))
        before, after, fallen = (folder / name for name in ("before", "after", "fallen_into"))
        write(before, situation.files)
        plan = planned(before, situation)
        write(after, {**situation.files, **{change.path: change.after.decode() for change in plan.changes}})
        write(fallen, fallen_into)
        databases = [name for name in situation.databases if name == "sqlite" or not self.no_server]
        return Trial(plan, *self._observe(situation.entry, databases, before, after, fallen))

    def _observe(self, entry: str, databases: list[str], *folders: Path) -> list[Databases]:
        command = [sys.executable, "-I", str(PROBE), entry, ",".join(databases), self.socket, *map(str, folders)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stderr
        seen = json.loads(done.stdout.splitlines()[-1])
        return [
            {name: Observed(**{**found, "statements": tuple(found["statements"])}) for name, found in one.items()}
            for one in seen
        ]


def planned(folder: Path, situation: Situation) -> Plan:
    """What the rules about sessions say of an application, all together."""
    settings = replace(load(folder, None, rules=NAMES), sqlalchemy=situation.sqlalchemy)
    settings = replace(settings, ignore=("engine-pool",))  # pools have trials of their own
    return run(RunRequest(folder, (), settings, Level.REVIEW))


def write(folder: Path, files: Mapping[str, str]) -> None:
    folder.mkdir()
    for name, text in files.items():
        (folder / name).write_text(text, "utf-8")


@pytest.fixture(scope="session")
def trials(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trials]:
    with ExitStack() as stack:
        socket, no_server = "", ""
        try:
            socket = stack.enter_context(server())
        except NoServer as error:
            no_server = str(error)
        yield Trials(tmp_path_factory.mktemp("leaving"), socket, no_server)


def complaints(before: Observed, after: Observed, *, promised: bool) -> list[str]:
    """What is worse after a change than it was, and, if it was `promised`, what it does not cure."""
    said = []
    if after.raised and after.raised != before.raised:
        said.append(f"raises {after.raised}: {after.why}")
    elif after.raised and promised:
        said.append(f"still fails: {after.why}")
    elif after.returned != before.returned and not before.raised:
        said.append(f"shows {after.returned} and not {before.returned}")
    if after.rows != before.rows:
        said.append(f"rows are {after.rows} and not {before.rows}")
    if after.out:
        said.append(f"connections are out: {after.out}")
    if (added := statements_added(before, after)) is None:
        said.append(f"statements are {after.statements} and not {before.statements}")
    elif not all(statement.startswith("SELECT ") for statement in added):
        said.append(f"statements are added: {added}")
    return said


def statements_added(before: Observed, after: Observed) -> list[str] | None:
    """Those of `after` that are not in `before`; None if one of `before` is missing, or comes in another order."""
    added = []
    left = list(before.statements)
    for statement in after.statements:
        if left and statement == left[0]:
            left.pop(0)
        else:
            added.append(statement)
    return None if left else added


# of one module: whoever asks for the same one comes next, and finds its trial made
@pytest.fixture(
    scope="module",
    params=[pytest.param((one, name), id=f"{one.name}-{name}") for one in SITUATIONS for name in one.databases],
)
def situated(request: pytest.FixtureRequest) -> tuple[Situation, str]:
    found: tuple[Situation, str] = request.param
    return found


@pytest.fixture(
    scope="module",
    params=[
        pytest.param((one, name), id=f"{one.situation.name}-{name}")
        for one in TRAPS
        for name in one.situation.databases
    ],
)
def trapped(request: pytest.FixtureRequest) -> tuple[Trap, str]:
    found: tuple[Trap, str] = request.param
    return found


def test_application_does_as_written_what_it_is_meant_to(trials: Trials, situated: tuple[Situation, str]) -> None:
    situation, database = situated
    before = trials.of(situation, database).before[database]
    assert before.raised == situation.fails, before.why
    assert before.returned == ("" if situation.fails else situation.shows)
    assert before.out == situation.leaks


def test_services_are_changed_and_nothing_else(trials: Trials, situated: tuple[Situation, str]) -> None:
    situation, database = situated
    plan = trials.changed(situation, database).plan
    assert plan.failures == ()
    assert [change.path for change in plan.changes] == ["services.py"], [entry.text for entry in plan.refused]


def test_reader_is_shown_the_same_or_at_last_something(trials: Trials, situated: tuple[Situation, str]) -> None:
    situation, database = situated
    trial = trials.changed(situation, database)
    after = trial.after[database]
    assert complaints(trial.before[database], after, promised=True) == []
    assert after.returned == situation.shows


def test_only_eager_loads_are_added(trials: Trials, situated: tuple[Situation, str]) -> None:
    situation, database = situated
    trial = trials.changed(situation, database)
    added = statements_added(trial.before[database], trial.after[database])
    assert added is not None
    assert len(added) == situation.eager


def test_trap_would_be_noticed(trials: Trials, trapped: tuple[Trap, str]) -> None:
    trap, database = trapped
    trial = trials.of(trap.situation, database, trap.files)
    before, fallen_into = trial.before[database], trial.fallen_into[database]
    assert (before.raised, before.out) == (trap.situation.fails, 0), before.why
    assert before.returned == ("" if trap.situation.fails else trap.situation.shows)
    said = complaints(before, fallen_into, promised=True)
    assert any(one.startswith(trap.noticed_by) for one in said), said


def test_trap_is_stepped_around(trials: Trials, trapped: tuple[Trap, str]) -> None:
    trap, database = trapped
    trial = trials.of(trap.situation, database, trap.files)
    assert trial.plan.failures == ()
    before, after = trial.before[database], trial.after[database]
    # an expunge promises nothing, and may stand where what is missing cannot be loaded
    promised = any(finding.rule == "eager-load" for group in trial.plan.included for finding in group.findings)
    assert complaints(before, after, promised=promised) == []
    assert after.returned in ({before.returned, trap.situation.shows} if before.raised else {before.returned})


def test_situations_show_what_is_kept_and_what_is_cured() -> None:
    names = [situation.name for situation in (*SITUATIONS, *(trap.situation for trap in TRAPS))]
    assert len(set(names)) == len(names)
    assert {bool(situation.fails) for situation in SITUATIONS} == {True, False}
    assert sum("postgresql" in situation.databases for situation in SITUATIONS) >= 15
