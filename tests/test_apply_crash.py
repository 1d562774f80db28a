"""Writing survives whatever happens at any of its calls of the system: no file is half written, nothing lies about,
the next start finishes or takes back, and what was written can be undone to the byte, the mode and the time.

The trials are made by `crashing.trials`, in processes of their own; there stands what each of them looks at.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from crashing.faults import Fault, Way

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """In memory if possible: thousands of small projects are made."""
    memory = Path("/dev/shm")
    if not os.access(memory, os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=memory) as name:
        yield Path(name)


def tried(folder: Path, action: str, way: Way, faults: Mapping[str, int]) -> list[str]:
    """Tries it, with each fault at so many calls of each kind; checks that nothing was wrong, and gives the calls that
    the action makes when all is well."""
    tests = str(Path(__file__).parent)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "crashing.trials", str(folder), action, way),
            *(f"{per_kind}:{fault}" for fault, per_kind in faults.items()),
        ],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([tests, str(Path(tests).parent)])},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["wrong"] == []
    assert found["uncounted"] == [], "all that writes is counted"
    assert found["calls"] > 50
    calls = [str(call) for call in found["made"]]
    if way is Way.EXCHANGE and not any(call.startswith("exchange") for call in calls):
        pytest.skip("this system cannot exchange names")
    return calls


DYING = {Fault.KILL: 3}
FAILING = {Fault.NO_SPACE: 2, Fault.IO_ERROR: 1, Fault.SHORT: 2, Fault.TORN: 2, Fault.FULL: 1, Fault.BROKEN: 2}
STOPPED = {Fault.INT: 2, Fault.TERM: 1}


@pytest.mark.parametrize("faults", [DYING, FAILING, STOPPED], ids=["dying", "failing", "stopped"])
def test_an_apply_survives(folder: Path, faults: Mapping[str, int]) -> None:
    tried(folder, "apply", Way.EXCHANGE, faults)


@pytest.mark.parametrize("way", [Way.SECOND_NAME, Way.NO_HARD_LINKS])
def test_an_apply_survives_where_the_file_system_can_less(folder: Path, way: Way) -> None:
    tried(folder, "apply", way, {Fault.KILL: 3, Fault.IO_ERROR: 1, Fault.BROKEN: 1})


@pytest.mark.parametrize("way", [Way.EXCHANGE, Way.NO_HARD_LINKS])
def test_an_undo_survives(folder: Path, way: Way) -> None:
    tried(folder, "undo", way, {Fault.KILL: 3, Fault.NO_SPACE: 1, Fault.BROKEN: 1, Fault.TERM: 1})


@pytest.mark.parametrize("way", Way)
def test_taking_back_survives(folder: Path, way: Way) -> None:
    tried(folder, "recover", way, {Fault.KILL: 2, Fault.BROKEN: 1, Fault.INT: 1})


@pytest.mark.parametrize("action", ["apply", "undo"])
def test_what_a_user_saves_meanwhile_is_never_lost(folder: Path, action: str) -> None:
    tried(folder, action, Way.EXCHANGE, {"saved in place": 1, "saved by rename": 1})


def test_nor_when_the_process_dies_right_after(folder: Path) -> None:
    tried(folder, "apply", Way.EXCHANGE, {"saved in place, then kill": 1, "saved by rename, then kill": 1})


def test_what_is_saved_in_place_is_not_lost_where_names_cannot_be_exchanged(folder: Path) -> None:
    tried(folder, "apply", Way.SECOND_NAME, {"saved in place": 1})


def test_the_journal_is_on_the_disk_before_the_first_file_is_touched(folder: Path) -> None:
    calls = tried(folder, "apply", Way.EXCHANGE, {})
    run = re.compile(r"/\.session-codemods/\.?\d{8}T\d{6}Z-[0-9a-f]{4}")
    first = next(at for at, call in enumerate(calls) if "/project/" in call and "/.session-codemods" not in call)
    before = calls[:first]
    kinds = [call.split()[0] for call in before]
    for name in ("contents.zip", "writing.json"):
        made = next(at for at, call in enumerate(before) if call.startswith("open") and call.split()[1].endswith(name))
        assert kinds[made : made + 3] == ["open", "write", "fsync"]
    named = kinds.index("rename")
    assert run.search(before[named])
    assert kinds[named - 2 : named] == ["open", "fsync"], "the run's folder"
    assert run.search(before[named - 2])
    assert kinds[named + 1 :] == ["open", "fsync"], "the folder of all runs"
    assert before[named + 1].split()[1].endswith("/.session-codemods")


def test_files_are_on_the_disk_before_the_run_is_told_as_done(folder: Path) -> None:
    calls = tried(folder, "apply", Way.EXCHANGE, {})
    kinds = [call.split()[0] for call in calls]
    moved = max(at for at, kind in enumerate(kinds) if kind in ("exchange", "link"))
    done = next(at for at, call in enumerate(calls) if call.startswith("rename") and call.endswith("written.json"))
    synced = {call.split()[1] for call, after in zip(calls, kinds[1:], strict=False) if after == "fsync"}
    assert {str(folder / "here/project" / name) for name in ("", "app", "app/deep", "app/deep/down")} <= {
        str(Path(name)) for name in synced
    }
    assert set(kinds[moved + 2 : done]) == {"open", "fsync"}
