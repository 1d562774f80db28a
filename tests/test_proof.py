"""The leak proof, in short: it holds, it would notice what it is for, and it leaves nothing behind."""

from __future__ import annotations

import asyncio
import dataclasses
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from leaving.postgres import NoServer

NEEDS = ("aiosqlite", "fastapi", "greenlet", "httpx", "psycopg", "sqlalchemy", "uvicorn")
for name in NEEDS:
    pytest.importorskip(name, reason="the demo-app or the proof extra is not installed")

from proof import databases, office, run, table, verdict  # noqa: E402
from proof.application import Applications, prepared  # noqa: E402
from proof.server import ProofError, running  # noqa: E402
from proof.trial import SHORT, Side, Trial, tried  # noqa: E402
from proof.visits import LEFT_ALONE, NOBODY, Answer, visits  # noqa: E402

TESTS = Path(__file__).parent


@pytest.fixture(scope="module")
def applications(tmp_path_factory: pytest.TempPathFactory) -> Applications:
    return prepared(tmp_path_factory.mktemp("applications"))


async def on_sqlite(folder: Path, applications: Applications) -> Trial:
    async with databases.opened("sqlite", "", folder) as database:
        return await tried(database, applications, SHORT, folder, lambda text: None)


def test_migrated_application_no_longer_leaks_and_a_trial_that_shows_less_fails(
    tmp_path: Path, applications: Applications
) -> None:
    trial = asyncio.run(on_sqlite(tmp_path, applications))

    assert verdict.problems(trial, applications) == []
    assert table.results([trial], applications, [])["holds"]

    for spoil, expected in SPOILT.items():
        found = verdict.problems(spoil(trial), applications)
        assert any(expected in problem for problem in found), (expected, found)
    silent = dataclasses.replace(applications, left_alone=())
    assert any("does not say" in problem for problem in verdict.problems(trial, silent))


def without_the_leak(trial: Trial) -> Trial:
    return dataclasses.replace(trial, before=trial.after)


def without_the_cure(trial: Trial) -> Trial:
    return dataclasses.replace(trial, after=trial.before)


def with_another_answer(trial: Trial) -> Trial:
    number = next(place for place, one in enumerate(trial.after.calm.replies) if one.visit.path == "/cities")
    replies = list(trial.after.calm.replies)
    other = dataclasses.replace(replies[number].reply, body=b"[]")
    replies[number] = dataclasses.replace(replies[number], reply=other)
    return with_calm(trial, replies=tuple(replies))


def with_another_answer_under_load(trial: Trial) -> Trial:
    key = next(
        (visitor, place)
        for (visitor, place), reply in trial.before.loaded.load.replies.items()
        if reply.problem is None and trial.plans[visitor][place].answer is Answer.OWN
    )
    replies = dict(trial.after.loaded.load.replies)
    replies[key] = dataclasses.replace(replies[key], body=b"something else")
    return with_load(trial, replies=replies)


def with_a_row_less(trial: Trial) -> Trial:
    return with_calm(trial, rows={**trial.after.calm.rows, "messages": trial.after.calm.rows["messages"][1:]})


def with_an_operation_more(trial: Trial) -> Trial:
    return with_calm(trial, operations=trial.after.calm.operations | {"GET /new"})


def with_a_task_less(trial: Trial) -> Trial:
    return with_after(trial, loaded=dataclasses.replace(trial.after.loaded, done=trial.after.loaded.done - 1))


def with_a_visit_less(trial: Trial) -> Trial:
    return with_load(trial, unmade=1)


def with_an_idle_transaction(trial: Trial) -> Trial:
    return with_load(trial, idle=1)


def with_a_larger_pool(trial: Trial) -> Trial:
    state = trial.after.loaded.load.end
    larger: Mapping[str, object] = {**state.pools[0], "size": 50}
    return with_load(trial, end=dataclasses.replace(state, pools=(larger, *state.pools[1:])))


def with_a_collected_connection(trial: Trial) -> Trial:
    return with_load(trial, end=dataclasses.replace(trial.after.loaded.load.end, collected=1))


def with_a_leak_mended(trial: Trial) -> Trial:
    return with_calm(trial, replies=tuple(dataclasses.replace(one, kept=0) for one in trial.after.calm.replies))


def with_calm(trial: Trial, **values: object) -> Trial:
    return with_after(trial, calm=dataclasses.replace(trial.after.calm, **values))  # type: ignore[arg-type]


def with_load(trial: Trial, **values: object) -> Trial:
    load = dataclasses.replace(trial.after.loaded.load, **values)  # type: ignore[arg-type]
    return with_after(trial, loaded=dataclasses.replace(trial.after.loaded, load=load))


def with_after(trial: Trial, **values: object) -> Trial:
    after: Side = dataclasses.replace(trial.after, **values)  # type: ignore[arg-type]
    return dataclasses.replace(trial, after=after)


SPOILT: Mapping[Callable[[Trial], Trial], str] = {
    without_the_leak: "every connection was given back, so nothing is shown",
    without_the_cure: "connections are out at the end",
    with_another_answer: "GET /cities: ",
    with_another_answer_under_load: "something else",
    with_a_row_less: "the table messages has other rows",
    with_an_operation_more: "GET /new is offered and not asked for",
    with_a_task_less: "background tasks were done",
    with_a_visit_less: "could not be made",
    with_an_idle_transaction: "transactions are idle at the end",
    with_a_larger_pool: "not 5 + 10",
    with_a_collected_connection: "given back by the garbage collector only",
    with_a_leak_mended: "belongs into the load",
}


def test_no_transaction_is_left_idle_on_postgresql_and_the_report_is_written(
    tmp_path: Path,
    applications: Applications,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(run, "prepared", lambda folder: applications)
    output = tmp_path / "report"
    code = run.main(["--database", "postgresql", "--short", "-o", str(output)])
    out, err = capsys.readouterr()
    if "No PostgreSQL server can be started" in err:
        pytest.skip(err.splitlines()[-1])

    assert code == 0, out
    written = (output / "table.md").read_text(encoding="utf-8")
    assert out.startswith(written)
    assert all(operation in written for operation in LEFT_ALONE)
    assert (output / "chart.txt").read_text(encoding="utf-8") in out
    assert (output / "chart.png").exists() == (importlib.util.find_spec("matplotlib") is not None)
    told = json.loads((output / "results.json").read_text(encoding="utf-8"))
    (trial,) = told["trials"]
    assert trial["before"]["most_lingering"] > 0
    assert trial["after"]["idle_in_transaction_at_end"] == 0
    assert trial["after"]["operations_that_keep_connections"].keys() == LEFT_ALONE.keys()


def test_what_can_be_done_once_is_asked_for_once() -> None:
    asked = [
        visit.path
        for visitor in range(office.VISITORS)
        for turn in range(SHORT.rounds + 1)
        for visit in visits(visitor, turn)
        if str(NOBODY) not in visit.path
        and (visit.about is not None or visit.method == "DELETE" or visit.path.endswith(("/read", "/ship", "/retry")))
    ]
    assert len(asked) == 7 * office.VISITORS * (SHORT.rounds + 1)
    assert len(set(asked)) == len(asked)


def test_a_machine_without_a_server_is_told_and_proves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def no_server(kind: str) -> None:
        raise NoServer("it is not installed")

    nothing = Applications(tmp_path, tmp_path, 0, 0, ())
    monkeypatch.setattr(run, "prepared", lambda folder: nothing)
    monkeypatch.setattr(databases, "server", no_server)
    assert run.main(["--database", "postgresql", "-o", str(tmp_path / "report")]) == 1
    assert "it is not installed. `--database sqlite` does without." in capsys.readouterr().err
    assert not (tmp_path / "report").exists()


def test_a_server_that_does_not_start_is_told_with_its_last_words(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "main.py").write_text("raise RuntimeError('out of order')\n")

    async def started() -> None:
        async with running(tmp_path, "sqlite+aiosqlite://", tmp_path / "log", pool_timeout=1):
            pytest.fail("it runs")

    with pytest.raises(ProofError, match="out of order"):
        asyncio.run(started())


def processes_below(folder: Path) -> list[str]:
    """The processes that work in the folder or below it."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            where = os.readlink(entry / "cwd") if entry.name.isdigit() else ""
        except OSError:
            continue
        if Path(where.removesuffix(" (deleted)")).is_relative_to(folder):
            found.append(entry.name)
    return found


needs_proc = pytest.mark.skipif(not Path("/proc/self/cwd").exists(), reason="no /proc to look for processes in")


@needs_proc
def test_nothing_is_left_behind_when_it_is_interrupted(tmp_path: Path) -> None:
    folder = tmp_path.resolve() / "temporary"
    folder.mkdir()
    command = [sys.executable, "-m", "proof.run", "--database", "sqlite", "--short", "-o", str(tmp_path / "report")]
    environment = {**os.environ, "PYTHONPATH": str(TESTS), "TMPDIR": str(folder)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        told = b""
        while b"asking both calmly" not in told:
            line = process.stderr.readline()
            assert line, told.decode()
            told += line
        until(lambda: len(processes_below(folder)) == 2)
        process.send_signal(signal.SIGINT)
        told += process.stderr.read()
    assert (process.returncode, told.splitlines()[-1]) == (130, b"interrupted")
    assert processes_below(folder) == []
    assert list(folder.iterdir()) == []
    assert not (tmp_path / "report").exists()


SERVING = """
import asyncio, pathlib, sys
from proof.server import running

async def main():
    folder = pathlib.Path(sys.argv[1])
    url = f"sqlite+aiosqlite:///{folder / 'office.db'}"
    async with running(folder, url, folder / "log", pool_timeout=1):
        print("runs", flush=True)
        await asyncio.sleep(600)

asyncio.run(main())
"""


@needs_proc
def test_a_server_does_not_outlive_who_started_it_and_was_killed(tmp_path: Path, applications: Applications) -> None:
    folder = tmp_path.resolve() / "application"
    shutil.copytree(applications.before, folder)
    command = [sys.executable, "-c", SERVING, str(folder)]
    environment = {**os.environ, "PYTHONPATH": str(TESTS)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"runs\n"
        assert len(processes_below(folder)) == 1
        process.kill()
    until(lambda: processes_below(folder) == [])


def until(holds: Callable[[], bool]) -> None:
    ends = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < ends
        time.sleep(0.05)
