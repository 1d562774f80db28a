"""What is scheduled writes, sends and answers as before once it has a session of its own, and keeps no connection.

Runs the applications of `tasks/shapes.py` and `tasks/traps.py` through FastAPI on SQLite and PostgreSQL, in processes
of their own: as they were written, and as the tool leaves them at the level `review`; with the FastAPI that is
installed and with those that end dependencies at another time.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, fields, replace
from pathlib import Path

import pytest
from field.fetch import Package, Unreachable
from leaving.postgres import NoServer, server
from tasks import frameworks
from tasks.applications import ENDS_AFTER_TASKS, Ending, Shape, Trap
from tasks.shapes import SHAPES
from tasks.traps import TRAPS

from codemods.engine import RunRequest, run
from codemods.plan import Level, Plan
from codemods.rules import RULES
from codemods.settings import load

RULE = "task-arguments"
PROBE = Path(__file__).with_name("tasks") / "probe.py"
NEEDS = ("aiosqlite", "fastapi", "greenlet", "httpx", "sqlalchemy")
NAMES = frozenset(rule.name for rule in RULES)

pytestmark = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in NEEDS), reason="the demo-app extra is not installed"
)


@dataclass(frozen=True, slots=True)
class Observed:
    """What came of one application on one database."""

    ending: Ending
    why: str  # the tracebacks of what failed


Databases = Mapping[str, Observed]


@dataclass(frozen=True, slots=True)
class Written:
    """One shape in folders, and what the tool says of it."""

    plan: Plan
    folders: Sequence[Path]  # as it was written, as the tool leaves it, and for a trap as the wrong change leaves it


@dataclass(frozen=True, slots=True)
class Trial:
    """One shape, run with one FastAPI."""

    plan: Plan
    before: Databases
    after: Databases  # as the tool leaves it
    wrong: Databases  # as a trap's wrong change leaves it; without a trap empty


class Trials:
    """Runs each shape once with each FastAPI, on all of its databases that are there."""

    def __init__(self, folder: Path, socket: str, no_server: str) -> None:
        self.folder, self.socket, self.no_server = folder, socket, no_server
        self.frameworks: dict[str, Path] = {}
        self.written: dict[str, Written] = {}
        self.run: dict[tuple[str, str], Trial] = {}

    def of(self, tried: Shape | Trap, framework: str, database: str) -> Trial:
        if database == "postgresql" and self.no_server:
            pytest.skip(self.no_server)
        shape = tried.shape if isinstance(tried, Trap) else tried
        key = shape.name, framework
        if key not in self.run:
            self.run[key] = self._try(shape, tried.wrong if isinstance(tried, Trap) else None, framework)
        return self.run[key]

    def _try(self, shape: Shape, wrong: Mapping[str, str] | None, framework: str) -> Trial:
        imported = self._framework(framework)
        if shape.name not in self.written:
            self.written[shape.name] = self._write(shape, wrong)
        written = self.written[shape.name]
        databases = [name for name in shape.databases if name == "sqlite" or not self.no_server]
        seen = observe(imported, framework, shape.requests, databases, self.socket, written.folders)
        return Trial(written.plan, *seen, *([{}] if wrong is None else []))

    def _write(self, shape: Shape, wrong: Mapping[str, str] | None) -> Written:
        folder = Path(tempfile.mkdtemp(prefix=f"{shape.name}-", dir=self.folder))
        before, after = folder / "before", folder / "after"
        write(before, shape.all_files)
        plan = planned(before)
        write(after, {**shape.all_files, **{change.path: change.after.decode() for change in plan.changes}})
        if wrong is None:
            return Written(plan, (before, after))
        write(folder / "wrong", wrong)
        return Written(plan, (before, after, folder / "wrong"))

    def _framework(self, version: str) -> str:
        """The folder to import it from; "" for the one that is installed."""
        if version == ENDS_AFTER_TASKS:
            return ""
        if version not in self.frameworks:
            folder = Path(tempfile.mkdtemp(prefix="frameworks-", dir=self.folder))
            self.frameworks[version] = installed(version, folder)
        return str(self.frameworks[version])


def installed(version: str, folder: Path) -> Path:
    """A FastAPI beside the installed one. Without a network there is none, which only CI does not forgive."""
    try:
        return frameworks.install(version, folder)
    except Unreachable as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))


def observe(
    imported: str, version: str, requests: Sequence[str], databases: Sequence[str], socket: str, folders: Sequence[Path]
) -> list[Databases]:
    """Runs the application of each folder on each database, with that FastAPI and no other."""
    arguments = [imported, ",".join(requests), ",".join(databases), socket, *map(str, folders)]
    command = [sys.executable, "-I", str(PROBE), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    numbers = tuple(int(part) for part in found["fastapi"].split(".")[:2])
    assert numbers >= (0, 118) if version == ENDS_AFTER_TASKS else found["fastapi"] == version
    return [{name: _observed(**observation) for name, observation in one.items()} for one in found["seen"]]


def _observed(out: int, why: str, **seen: list[str]) -> Observed:
    return Observed(Ending(out=out, **{name: tuple(lines) for name, lines in seen.items()}), why)


def planned(folder: Path) -> Plan:
    """What the rules about sessions say of an application, all together."""
    settings = replace(load(folder, None, rules=NAMES), ignore=("engine-pool",))  # pools have trials of their own
    return run(RunRequest(folder, (), settings, Level.REVIEW))


def write(folder: Path, files: Mapping[str, str]) -> None:
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name).write_text(text, "utf-8")


def changed_sites(plan: Plan) -> list[str]:
    """The places that the rule changes."""
    return [one.site.place for group in plan.included for one in group.findings if one.rule == RULE]


def refusals(plan: Plan) -> list[str]:
    return [entry.text for entry in plan.refused if entry.rule == RULE]


def differing(one: Ending, other: Ending) -> list[str]:
    """The fields in which two endings are not the same."""
    return [field.name for field in fields(Ending) if getattr(one, field.name) != getattr(other, field.name)]


@pytest.fixture(scope="session")
def trials(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trials]:
    with ExitStack() as stack:
        socket, no_server = "", ""
        try:
            socket = stack.enter_context(server())
        except NoServer as error:
            no_server = str(error)
        yield Trials(tmp_path_factory.mktemp("tasks"), socket, no_server)


@pytest.fixture
def rule() -> None:
    """For tests of what the rule itself does."""
    if RULE not in NAMES:
        pytest.skip(f"there is no rule {RULE} yet")


# of one module: whoever asks for the same one comes next, and finds its trial made
@pytest.fixture(
    scope="module",
    params=[
        pytest.param((one, framework, database), id=f"{one.name}-{framework}-{database}")
        for one in SHAPES
        for framework in one.frameworks
        for database in one.databases
    ],
)
def shaped(request: pytest.FixtureRequest) -> tuple[Shape, str, str]:
    found: tuple[Shape, str, str] = request.param
    return found


@pytest.fixture(
    scope="module",
    params=[
        pytest.param((one, framework, database), id=f"{one.shape.name}-{framework}-{database}")
        for one in TRAPS
        for framework in one.shape.frameworks
        for database in one.shape.databases
    ],
)
def trapped(request: pytest.FixtureRequest) -> tuple[Trap, str, str]:
    found: tuple[Trap, str, str] = request.param
    return found


def test_application_ends_as_written_as_it_is_said_to(trials: Trials, shaped: tuple[Shape, str, str]) -> None:
    shape, framework, database = shaped
    before = trials.of(shape, framework, database).before[database]
    assert before.ending == shape.as_written(framework), before.why


@pytest.mark.usefixtures("rule")
@pytest.mark.parametrize("shape", [pytest.param(one, id=one.name) for one in SHAPES])
def test_every_site_is_changed(shape: Shape, tmp_path: Path) -> None:
    write(tmp_path / "before", shape.all_files)
    plan = planned(tmp_path / "before")
    assert plan.failures == ()
    assert refusals(plan) == []
    assert len(changed_sites(plan)) == shape.sites


@pytest.mark.usefixtures("rule")
def test_changed_application_ends_as_it_is_meant_to(trials: Trials, shaped: tuple[Shape, str, str]) -> None:
    shape, framework, database = shaped
    after = trials.of(shape, framework, database).after[database]
    assert after.ending == shape.ends, after.why


def test_trap_works_as_written(trials: Trials, trapped: tuple[Trap, str, str]) -> None:
    trap, framework, database = trapped
    before = trials.of(trap, framework, database).before[database]
    assert before.ending == trap.shape.as_written(framework), before.why
    # only what works can be broken
    assert framework not in trap.noticed_on or before.ending == trap.shape.ends


@pytest.mark.parametrize(
    ("trap", "framework", "database"),
    [
        pytest.param(one, framework, database, id=f"{one.shape.name}-{framework}-{database}")
        for one in TRAPS
        for framework in one.noticed_on
        for database in one.shape.databases
    ],
)
def test_trap_would_be_noticed(trials: Trials, trap: Trap, framework: str, database: str) -> None:
    wrong = trials.of(trap, framework, database).wrong[database]
    assert trap.gives_away in differing(wrong.ending, trap.shape.ends), wrong.why


def test_trap_is_stepped_around(trials: Trials, trapped: tuple[Trap, str, str]) -> None:
    trap, framework, database = trapped
    trial = trials.of(trap, framework, database)
    assert trial.plan.failures == ()
    assert changed_sites(trial.plan) == []
    after = trial.after[database]
    assert after.ending == trial.before[database].ending, after.why


@pytest.mark.usefixtures("rule")
@pytest.mark.parametrize("trap", [pytest.param(one, id=one.shape.name) for one in TRAPS if one.because])
def test_trap_is_refused_for_what_it_is(trap: Trap, tmp_path: Path) -> None:
    write(tmp_path / "before", trap.shape.all_files)
    said = refusals(planned(tmp_path / "before"))
    assert any(trap.because in one for one in said), said


def test_another_framework_leaves_the_installed_one_alone(trials: Trials) -> None:
    shape = SHAPES[0]
    found = {one: trials.of(shape, one, "sqlite").before["sqlite"].ending for one in shape.frameworks}
    assert found == {one: shape.as_written(one) for one in shape.frameworks}
    assert len(set(found.values())) == len(found)


def test_without_a_network_only_ci_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fetched(package: Package, folder: Path) -> Path:
        raise Unreachable(f"{package.pin}: no line")

    monkeypatch.setattr(frameworks, "fetch", fetched)
    version = next(iter(frameworks.WHEELS))
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="no line"):
        installed(version, tmp_path / "at home")
    monkeypatch.setenv("CI", "1")
    with pytest.raises(Unreachable):
        installed(version, tmp_path / "in CI")


def test_shapes_show_what_is_kept_and_what_is_cured() -> None:
    names = Counter(shape.name for shape in (*SHAPES, *(trap.shape for trap in TRAPS)))
    assert max(names.values()) == 1
    differences = {name for shape in SHAPES for fields_ in shape.differs.values() for name in fields_}
    assert {"written", "out", "failed"} <= differences
    assert any(shape.as_written(ENDS_AFTER_TASKS) == shape.ends for shape in SHAPES)
    assert sum("postgresql" in shape.databases for shape in SHAPES) >= 14
    assert {trap.gives_away for trap in TRAPS} == {"written", "sent", "failed", "responses"}
    for trap in TRAPS:
        assert trap.noticed_on, trap.shape.name
        assert set(trap.noticed_on) <= set(trap.shape.frameworks), trap.shape.name
        assert replace(trap.shape.ends, out=0) == trap.shape.ends, trap.shape.name
