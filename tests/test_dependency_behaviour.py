"""What `session-dependency` makes of lent sessions works and writes as before, and gives every connection back.

Runs the applications of `behaviour/situations.py` and `behaviour/traps.py` on SQLite, in processes of their own: as
they were written and as the tool leaves them, to their normal end, with an exception in the middle, and cancelled (or
interrupted) there.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from behaviour import probe
from behaviour.situations import MEANT, RIGHT, SITUATIONS, Situation
from behaviour.traps import TRAPS, Trap

from codemods.engine import RunRequest, run
from codemods.plan import Plan
from codemods.rules import RULES
from codemods.settings import load

RULE = "session-dependency"
NEEDS = ("aiosqlite", "fastapi", "greenlet", "sqlalchemy")

pytestmark = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in NEEDS), reason="the demo-app extra is not installed"
)


@dataclass(frozen=True, slots=True)
class Ended:
    """How one ending of an application came out."""

    outcome: str  # what came back, or the name of the exception
    out_at_once: int  # connections that were still out when it came back
    out_later: int  # and when the loop had nothing left to do
    committed: list[str]


Endings = Mapping[str, Ended]


@dataclass(frozen=True, slots=True)
class Trial:
    """One situation, run as it was written and as the tool leaves it."""

    situation: Situation
    plan: Plan
    before: Endings
    after: Endings
    fallen_into: Endings = field(default_factory=dict)  # as a trap's wrong change leaves it


def rewritten(situation: Situation, folder: Path) -> tuple[Plan, dict[str, str]]:
    """What the rule says of the files of a situation, and the files as it leaves them at the situation's level."""
    write(folder, situation.files)
    settings = replace(load(folder, None, rules=frozenset(rule.name for rule in RULES)), select=(RULE,))
    plan = run(RunRequest(folder, (), settings, situation.level))
    return plan, situation.files | {change.path: change.after.decode() for change in plan.changes}


def observe(situation: Situation, *folders: Path) -> list[Endings]:
    """Runs the application of each folder to each of the situation's endings."""
    command = [sys.executable, "-I", probe.__file__, situation.entry, ",".join(situation.endings), *map(str, folders)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout.splitlines()[-1])
    return [{ending: Ended(**observation) for ending, observation in one.items()} for one in seen]


def write(folder: Path, files: Mapping[str, str]) -> None:
    folder.mkdir()
    for name, text in files.items():
        (folder / name).write_text(text, "utf-8")


def tried(situation: Situation, folder: Path, fallen_into: Mapping[str, str] | None = None) -> Trial:
    """Runs a situation before and after the tool, and after another change if one is given."""
    folders = [folder / "before", folder / "after"]
    plan, files = rewritten(situation, folders[0])
    write(folders[1], files)
    if fallen_into is not None:
        folders.append(folder / "fallen_into")
        write(folders[2], fallen_into)
    return Trial(situation, plan, *observe(situation, *folders))


@pytest.fixture(scope="module", params=[pytest.param(one, id=one.name) for one in SITUATIONS])
def trial(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Trial:
    return tried(request.param, tmp_path_factory.mktemp("situation"))


@pytest.fixture(scope="module", params=[pytest.param(one, id=one.situation.name) for one in TRAPS])
def trapped(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Trial:
    trap: Trap = request.param
    return tried(trap.situation, tmp_path_factory.mktemp("trap"), trap.files)


def assert_ended_as_meant(trial: Trial) -> None:
    """The work was done to the normal end, and broken off in its middle by the others."""
    assert str(trial.situation.counted) in trial.before["normal"].outcome
    meant = MEANT | trial.situation.otherwise
    broken_off = {ending: outcome for ending, outcome in outcomes(trial.before).items() if ending != "normal"}
    assert broken_off == {ending: meant[ending] for ending in trial.situation.endings if ending != "normal"}


def kept(endings: Endings) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The endings that keep a connection for good, and those that only keep it for a while."""
    leaks = tuple(ending for ending, ended in endings.items() if ended.out_later)
    lingers = tuple(ending for ending, ended in endings.items() if ended.out_at_once and not ended.out_later)
    return leaks, lingers


def outcomes(endings: Endings) -> dict[str, str]:
    return {ending: ended.outcome for ending, ended in endings.items()}


def committed(endings: Endings) -> dict[str, list[str]]:
    return {ending: ended.committed for ending, ended in endings.items()}


def test_every_site_that_leaks_is_changed(trial: Trial) -> None:
    assert trial.plan.failures == ()
    assert [entry.text for entry in trial.plan.refused] == []
    assert "app.py" in {change.path for change in trial.plan.changes}


def test_every_ending_was_reached_before(trial: Trial) -> None:
    assert_ended_as_meant(trial)


def test_keeps_connections_before(trial: Trial) -> None:
    assert kept(trial.before) == (trial.situation.leaks, trial.situation.lingers)


def test_gives_every_connection_back_after(trial: Trial) -> None:
    assert kept(trial.after) == ((), ())


def test_comes_to_the_same_end(trial: Trial) -> None:
    assert outcomes(trial.after) == outcomes(trial.before)


def test_commits_what_it_committed(trial: Trial) -> None:
    assert committed(trial.after) == committed(trial.before)


def test_trap_would_be_noticed(trapped: Trial) -> None:
    assert_ended_as_meant(trapped)
    assert kept(trapped.before) == (trapped.situation.leaks, trapped.situation.lingers)
    before = outcomes(trapped.before), committed(trapped.before)
    assert (outcomes(trapped.fallen_into), committed(trapped.fallen_into)) != before


def test_trap_is_stepped_around(trapped: Trial) -> None:
    before = outcomes(trapped.before), committed(trapped.before)
    assert (outcomes(trapped.after), committed(trapped.after)) == before


def test_form_of_the_practices_leaks_in_no_way_and_stays(tmp_path: Path) -> None:
    trial = tried(RIGHT, tmp_path)
    assert trial.plan.changes == ()
    assert_ended_as_meant(trial)
    assert kept(trial.before) == ((), ())


def test_situations_show_both_that_leak_and_that_do_not() -> None:
    assert len({situation.name for situation in SITUATIONS}) == len(SITUATIONS) >= 8
    assert {bool(situation.leaks or situation.lingers) for situation in SITUATIONS} == {True, False}
    assert len({trap.situation.name for trap in TRAPS}) == len(TRAPS)
