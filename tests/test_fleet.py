"""Many checkouts in one run: every executor finds the same, one bad repository stops nothing, nothing is done twice."""

from __future__ import annotations

import ast
import importlib
import json
import os
import re
import signal
import subprocess
import sys
import time
import unicodedata
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reviews.projects import ORDERS, USERS, leaking, odd_project, project, write

from codemods import __main__, __version__, engine, fleet, plan_file, settings
from codemods.fleet import look
from codemods.fleet.apart import apart
from codemods.fleet.listing import listed
from codemods.fleet.local import Local, Serial
from codemods.fleet.names import names
from codemods.fleet.results import PATCH, PLAN, RESERVED, RESULT, SUMMARY, NotWritten, Results, opened
from codemods.fleet.table import line, not_handled, table
from codemods.fleet.values import Answer, FleetError, Options, Outcome, Result, State, Summary, Task
from codemods.plan import Failure, Level
from codemods.saved_plan import Decision, Verdict

SERIAL = Local(1, inside=True)
DEADLINE = 60.0  # seconds after which a process that should be gone counts as one that stays


# --- what workers do in these tests; found by name in the processes that do it ----------------------------------------


def result(task: Task, key: str = "k") -> Result:
    return Result(key, __version__, task.path, task.path, 1, 2, {"changed": 1}, 1, 0, 1, (), 0.5)


def quick(task: Task) -> Answer:
    return Answer(kept=True) if task.known == "k" else Answer(result(task), PLAN_TEXT, b"")


def dies_on_bad(task: Task) -> Answer:
    if "bad" in task.name:
        os.kill(os.getpid(), signal.SIGKILL)
    return quick(task)


def dies_once_on_bad(task: Task) -> Answer:
    if "bad" in task.name and not task.apart:
        os._exit(7)
    return quick(task)


def leaves_on_bad(task: Task) -> Answer:
    if "bad" in task.name:
        print("this is not an answer")
        sys.stderr.write("one line\nthe last words\n")
        sys.stderr.flush()
        os._exit(9)
    return quick(task)


def never_ends_on_bad(task: Task) -> Answer:
    if "bad" in task.name:
        re.match(r"(a+)+$", "a" * 200 + "b")  # where no other thread gets a turn
    return quick(task)


def waits_on_bad(task: Task) -> Answer:
    if "bad" in task.name:
        Path(task.path, "pid").write_text(str(os.getpid()))
        while True:
            time.sleep(0.05)
    return quick(task)


def raises_on_bad(task: Task) -> Answer:
    if "bad" in task.name:
        raise ValueError("something came between")
    return quick(task)


def empty_plan() -> bytes:
    from codemods.plan import Ledger
    from codemods.saved_plan import Asked, SavedPlan

    asked = Asked((), Level.REVIEW, False, settings.Settings())
    return plan_file.dump(SavedPlan(__version__, asked, (), Ledger(), (), ())).encode()


PLAN_TEXT = empty_plan()


# --- projects ---------------------------------------------------------------------------------------------------------


def git(folder: Path, *command: str) -> None:
    fixed = ["git", "-c", "user.name=n", "-c", "user.email=e@x", "-c", "core.autocrlf=false", *command]
    subprocess.run(fixed, cwd=folder, check=True, capture_output=True)


def in_git(root: Path) -> Path:
    git(root, "init", "-q")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "start")
    return root


@pytest.fixture
def checkouts(tmp_path: Path) -> tuple[Path, ...]:
    """Two that are right, and what else a list may name."""
    project(tmp_path / "in" / "api")
    odd_project(tmp_path / "in" / "odd")
    (tmp_path / "in" / "empty").mkdir()
    unreadable = write(
        tmp_path / "in" / "unread", {"pyproject.toml": "[tool.session-codemods]\nselct = 1\n", "a.py": ""}
    )
    return tmp_path / "in/api", tmp_path / "in/empty", tmp_path / "in/gone", unreadable, tmp_path / "in/odd"


def folders(tmp_path: Path, *some: str) -> tuple[Path, ...]:
    for name in some:
        (tmp_path / "in" / name).mkdir(parents=True)
    return tuple(tmp_path / "in" / name for name in some)


def states(summary: Summary) -> dict[str, str]:
    return {one.name: one.state.value for one in summary.outcomes}


def snapshot(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    return {
        str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.stat().st_ino, path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def contents(folder: Path) -> dict[str, object]:
    """All that a run wrote, without what is of the moment."""
    found: dict[str, object] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name != "fleet.lock":
            text = path.read_bytes()
            text = re.sub(rb'"seconds": [\d.]+', b'"seconds": 0', text)
            # of the tool's code as it stands: somebody may be at work on it while the tests run
            found[str(path.relative_to(folder))] = re.sub(rb'"key": "\w+"', b'"key": "a key"', text)
    return found


def run(paths: tuple[Path, ...], folder: Path, options: Options | None = None, **more: Any) -> Summary:
    return fleet.run(paths, folder, options or Options(), more.pop("executor", SERIAL), **more)


# --- every executor finds the same ------------------------------------------------------------------------------------


def test_each_repository_gets_what_diff_gives_and_bad_ones_are_named(
    checkouts: tuple[Path, ...], tmp_path: Path
) -> None:
    before = snapshot(tmp_path / "in")
    summary = run(checkouts, tmp_path / "out")
    assert states(summary) == {
        "api": "done",
        "empty": "failed",
        "gone": "failed",
        "unread": "failed",
        "odd": "done",
    }
    messages = {one.name: one.message for one in summary.outcomes}
    assert messages["empty"] == "no Python file there"
    assert "no such file or folder" in messages["gone"]
    assert "unknown key 'selct'" in messages["unread"]
    assert snapshot(tmp_path / "in") == before
    assert sorted(os.listdir(tmp_path / "out")) == ["api", "fleet.lock", "odd", "summary.json"]
    for name in ("api", "odd"):
        code = __main__.main(
            ["diff", str(tmp_path / "in" / name), "--no-cache", "-q", "--save", str(tmp_path / f"{name}.json")]
        )
        assert code == 1
        assert (tmp_path / "out" / name / PLAN).read_bytes() == (tmp_path / f"{name}.json").read_bytes()
        outcome = next(one for one in summary.outcomes if one.name == name)
        assert outcome.result is not None
        assert outcome.result.places == outcome.result.safe + outcome.result.review + outcome.result.left_alone
        assert outcome.result.places == {"api": 4, "odd": 10}[name]


def test_the_patch_applies_where_the_summary_says(tmp_path: Path) -> None:
    project(tmp_path / "in" / "services" / "api")
    in_git(tmp_path / "in")
    run((tmp_path / "in/services/api",), tmp_path / "out")
    told = json.loads((tmp_path / "out" / SUMMARY).read_bytes())["repositories"][0]
    assert told["apply_in"] == str(tmp_path / "in")
    git(Path(told["apply_in"]), "apply", str(tmp_path / "out" / told["patch"]))
    for path in (USERS, ORDERS):
        assert "async with async_session()" in (tmp_path / "in/services/api" / path).read_text()
    again = run((tmp_path / "in/services/api",), tmp_path / "out")
    assert states(again) == {"api": "done"}
    assert again.outcomes[0].result is not None
    assert not again.found


def test_processes_find_what_one_finds(checkouts: tuple[Path, ...], tmp_path: Path) -> None:
    one = run(checkouts, tmp_path / "one")
    several = run(checkouts, tmp_path / "several", executor=Local(2))
    assert states(one) == states(several)
    assert contents(tmp_path / "one") == contents(tmp_path / "several")


@pytest.mark.parametrize("make", [Serial, lambda: ThreadPoolExecutor(2)])
def test_any_executor_will_do_and_is_not_shut_down(
    checkouts: tuple[Path, ...], tmp_path: Path, make: Callable[[], Executor]
) -> None:
    run(checkouts, tmp_path / "one")
    executor = make()
    run(checkouts, tmp_path / "other", executor=executor)
    assert contents(tmp_path / "one") == contents(tmp_path / "other")
    assert executor.submit(len, "abc").result() == 3
    executor.shutdown()


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    distributed = pytest.importorskip("distributed", reason="the extra [dask] is not installed")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dask: Any = importlib.import_module("dask")
        with (
            dask.config.set({"distributed.scheduler.allowed-failures": 0}),
            distributed.LocalCluster(
                n_workers=1, threads_per_worker=1, host="127.0.0.1", dashboard_address=None, silence_logs=50
            ) as cluster,
        ):
            yield cluster.scheduler_address


@pytest.mark.filterwarnings("ignore")
def test_workers_of_dask_find_what_one_finds(scheduler: str, checkouts: tuple[Path, ...], tmp_path: Path) -> None:
    run(checkouts, tmp_path / "one")
    (tmp_path / "list").write_text("".join(f"{path}\n" for path in checkouts))
    assert __main__.main(["fleet", str(tmp_path / "list"), "-o", str(tmp_path / "many"), "--dask", scheduler]) == 3
    assert contents(tmp_path / "one") == contents(tmp_path / "many")


@pytest.mark.filterwarnings("ignore")
def test_a_worker_of_dask_that_dies_costs_one_repository(scheduler: str, tmp_path: Path) -> None:
    distributed: Any = importlib.import_module("distributed")
    paths = folders(tmp_path, "a", "bad", "c")
    with distributed.Client(scheduler, set_as_default=False) as client:
        summary = run(paths, tmp_path / "out", executor=client.get_executor(pure=False), work=dies_on_bad)
    assert states(summary) == {"a": "done", "bad": "failed", "c": "done"}
    assert "SIGKILL" in summary.outcomes[1].message


def test_without_dask_the_option_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    (tmp_path / "list").write_text("a\n")
    assert __main__.main(["fleet", str(tmp_path / "list"), "-o", str(tmp_path / "out"), "--dask", "tcp://x:1"]) == 2
    assert "pip install 'session-codemods[dask]'" in capfd.readouterr().err


def test_the_library_itself_knows_no_dask() -> None:
    for file in Path(fleet.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            named = [alias.name for alias in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
            named += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not {name.split(".")[0] for name in named} & {"dask", "distributed", "ray"}


# --- one bad repository stops nothing ---------------------------------------------------------------------------------


def test_a_worker_that_dies_is_named_and_the_others_go_on(tmp_path: Path) -> None:
    paths = folders(tmp_path, "a", "b", "bad", "d", "e", "f", "bad2", "h")
    summary = run(paths, tmp_path / "out", executor=Local(2), work=dies_on_bad)
    assert {name for name, state in states(summary).items() if state == "failed"} == {"bad", "bad2"}
    assert all("SIGKILL" in one.message for one in summary.outcomes if one.state is State.FAILED)
    assert all(one.state is State.DONE for one in summary.outcomes if "bad" not in one.name)
    assert not (tmp_path / "out" / "bad").exists()


def test_who_only_was_there_when_a_worker_died_is_done(tmp_path: Path) -> None:
    summary = run(folders(tmp_path, "a", "bad", "c"), tmp_path / "out", executor=Local(2), work=dies_once_on_bad)
    assert set(states(summary).values()) == {"done"}


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_repository_that_takes_too_long_is_named_whatever_it_does(tmp_path: Path, jobs: int) -> None:
    paths = folders(tmp_path, "bad")
    options = Options(timeout=1.5)
    summary = run(paths, tmp_path / "out", options, executor=Local(jobs), work=never_ends_on_bad)
    assert states(summary) == {"bad": "failed"}
    assert summary.outcomes[0].message == "took longer than 1.5 seconds (--timeout)"


def test_with_a_limit_of_time_all_is_found_as_without(checkouts: tuple[Path, ...], tmp_path: Path) -> None:
    run(checkouts, tmp_path / "one")
    run(checkouts, tmp_path / "other", Options(timeout=DEADLINE))
    one, other = contents(tmp_path / "one"), contents(tmp_path / "other")
    assert {path for path in one if one[path] != other[path]} == {SUMMARY}  # which tells the options
    assert one.keys() == other.keys()


def test_the_last_words_of_a_process_are_told_and_what_it_prints_is_no_answer(tmp_path: Path) -> None:
    answer = apart(leaves_on_bad, Task("bad", str(tmp_path), Options()))
    assert answer.error == "the process that looked at it ended with code 9: the last words"
    assert apart(leaves_on_bad, Task("good", str(tmp_path), Options())).result is not None


def test_an_error_on_the_way_is_tried_apart_and_then_named(tmp_path: Path) -> None:
    summary = run(folders(tmp_path, "a", "bad", "c"), tmp_path / "out", work=raises_on_bad)
    assert states(summary) == {"a": "done", "bad": "failed", "c": "done"}
    assert "something came between" in summary.outcomes[1].message


def test_an_executor_that_is_broken_and_not_ours_ends_in_failures_not_in_an_endless_loop(tmp_path: Path) -> None:
    class Broken(Executor):
        def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
            raise BrokenExecutor("gone for good")

    summary = run(folders(tmp_path, "a", "b"), tmp_path / "out", executor=Broken(), work=quick)
    assert [one.message for one in summary.outcomes] == [
        "no worker could look at it: BrokenExecutor: gone for good"
    ] * 2


def test_a_fault_of_the_engine_costs_one_repository(
    checkouts: tuple[Path, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = engine.run

    def run_or_fail(request: engine.RunRequest, *more: Any) -> Any:
        if request.root.name == "api":
            raise AssertionError("two findings have one id")
        return real(request, *more)

    monkeypatch.setattr(engine, "run", run_or_fail)
    summary = run((checkouts[0], checkouts[-1]), tmp_path / "out")
    assert states(summary) == {"api": "failed", "odd": "done"}
    assert summary.outcomes[0].message == "internal error: AssertionError: two findings have one id"


def test_a_file_that_changes_while_it_is_looked_at_leaves_no_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, real = project(tmp_path / "api"), engine.run

    def run_later(request: engine.RunRequest, *more: Any) -> Any:
        (root / USERS).write_text(leaking("other"))
        return real(request, *more)

    monkeypatch.setattr(engine, "run", run_later)
    summary = run((root,), tmp_path / "out")
    assert summary.outcomes[0].message == f"{USERS} changed while it was looked at; run the command again"
    assert not (tmp_path / "out" / "api").exists()


def test_a_worker_of_another_version_is_told(tmp_path: Path) -> None:
    answer = look.look(Task("a", str(tmp_path), Options(), version="0.0.0"))
    assert answer.error == f"the worker has version {__version__} of this tool, not 0.0.0"


# --- nothing is done twice --------------------------------------------------------------------------------------------


def test_what_is_done_is_not_done_again_until_something_changes(tmp_path: Path) -> None:
    api, other = in_git(project(tmp_path / "api")), project(tmp_path / "other")
    out = tmp_path / "out"

    def states_now(options: Options | None = None) -> list[str]:
        return [one.state.value for one in run((api, other), out, options).outcomes]

    assert states_now() == ["done", "done"]
    before = {path: told for path, told in snapshot(out).items() if path != SUMMARY}
    assert states_now() == ["unchanged", "unchanged"]
    assert {path: told for path, told in snapshot(out).items() if path != SUMMARY} == before
    (api / USERS).write_text(leaking("first"))  # not committed
    assert states_now() == ["done", "unchanged"]
    git(api, "commit", "-qam", "one less")  # says nothing new
    assert states_now() == ["unchanged", "unchanged"]
    (other / "pyproject.toml").write_text("")
    assert states_now() == ["unchanged", "done"]
    assert states_now(Options(level=Level.SAFE)) == ["done", "done"]
    assert states_now(Options(level=Level.SAFE, extend_exclude=("app/orders.py",))) == ["done", "done"]
    assert states_now(Options(level=Level.SAFE, extend_exclude=("app/orders.py",), timeout=DEADLINE, again=True)) == [
        "done",
        "done",
    ]


def test_every_process_has_the_same_key(tmp_path: Path) -> None:
    project(tmp_path / "api")
    program = (
        "import sys; from codemods.fleet import look; from codemods.fleet.values import *; look.identity = lambda: '';"
        "print(look.look(Task('api', sys.argv[1], Options())).result.key)"
    )
    keys = {
        subprocess.run(
            [sys.executable, "-c", program, tmp_path / "api"],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(keys) == 1


def test_another_tool_does_everything_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = project(tmp_path / "api")
    run((root,), tmp_path / "out")
    monkeypatch.setattr(look, "identity", lambda: "another")
    assert states(run((root,), tmp_path / "out")) == {"api": "done"}


def test_a_checkout_that_was_moved_is_the_same_one(tmp_path: Path) -> None:
    root = project(tmp_path / "here" / "api")
    run((root,), tmp_path / "out")
    (tmp_path / "there").mkdir()
    moved = root.rename(tmp_path / "there" / "api")
    assert states(run((moved,), tmp_path / "out")) == {"api": "unchanged"}


@pytest.mark.parametrize("file", [PLAN, PATCH, RESULT])
def test_a_result_that_is_not_whole_any_more_is_made_anew(tmp_path: Path, file: str) -> None:
    root, place = project(tmp_path / "api"), tmp_path / "out" / "api"
    run((root,), tmp_path / "out")
    whole = (place / PATCH).read_bytes()
    if file == RESULT:
        (place / RESULT).write_text(json.dumps({**json.loads((place / RESULT).read_text()), "safe": "4"}))
    else:
        (place / file).unlink()
    assert states(run((root,), tmp_path / "out")) == {"api": "done"}
    assert (place / PATCH).read_bytes() == whole


def test_a_failure_that_need_not_come_again_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root, real = project(tmp_path / "api"), engine.run
    failed = Failure(USERS, "examine", "took longer than 120 seconds")
    monkeypatch.setattr(engine, "run", lambda *given: replace(real(*given), failures=(failed,)))
    summary = run((root,), tmp_path / "out")
    assert not summary.handled
    assert states(run((root,), tmp_path / "out")) == {"api": "done"}
    lasting = Failure(USERS, "parse", "not valid Python 3.13 (invalid syntax)")
    monkeypatch.setattr(engine, "run", lambda *given: replace(real(*given), failures=(lasting,)))
    run((root,), tmp_path / "out")
    summary = run((root,), tmp_path / "out")
    assert states(summary) == {"api": "unchanged"}
    assert not summary.handled  # it is told again, all the same


def test_a_repository_that_is_away_keeps_the_result_it_has(tmp_path: Path) -> None:
    root = project(tmp_path / "api")
    run((root,), tmp_path / "out")
    before = snapshot(tmp_path / "out" / "api")
    root.rename(tmp_path / "away")
    summary = run((root,), tmp_path / "out")
    assert states(summary) == {"api": "failed"}
    assert summary.outcomes[0].message.endswith("; the result of an earlier run is still there")
    assert snapshot(tmp_path / "out" / "api") == before


def test_one_that_is_named_twice_is_done_once(tmp_path: Path) -> None:
    root = project(tmp_path / "api")
    (tmp_path / "link").symlink_to(root)
    assert len(run((root, tmp_path / "link", root / ".." / "api"), tmp_path / "out").outcomes) == 1


# --- what is written is whole, and only what is ours -----------------------------------------------------------------


@pytest.mark.parametrize("at", range(4))
def test_a_stop_at_any_write_leaves_a_whole_result_or_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    root, out = project(tmp_path / "api"), tmp_path / "out"
    run((root,), out)
    (root / USERS).write_text(leaking("first", "second", "more"))
    real, seen = os.replace, []

    def stopped(one: Any, other: Any) -> None:
        seen.append(other)
        if len(seen) == at + 1:
            raise KeyboardInterrupt
        real(one, other)

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", stopped)
        with pytest.raises(KeyboardInterrupt):
            run((root,), out)
    assert list(out.rglob("*.part")) == []
    json.loads((out / "api" / RESULT).read_bytes())
    assert json.loads((out / SUMMARY).read_bytes())["whole"] is False
    assert states(run((root,), out)) == {"api": "done"}
    assert b"more" in (out / "api" / PATCH).read_bytes()
    assert b"app.users.more" in (out / "api" / PLAN).read_bytes()
    assert states(run((root,), out)) == {"api": "unchanged"}


def test_answers_of_a_review_are_not_written_over(tmp_path: Path) -> None:
    root, out = project(tmp_path / "api"), tmp_path / "out"
    run((root,), out)
    plan = plan_file.load(out / "api" / PLAN)
    plan_file.save(plan.decided(plan.groups[:1], Decision(Verdict.ACCEPTED)), out / "api" / PLAN)
    before = snapshot(out / "api")
    assert states(run((root,), out)) == {"api": "unchanged"}
    (root / USERS).write_text(leaking("first"))
    summary = run((root,), out)
    assert "holds answers of a review" in summary.outcomes[0].message
    assert snapshot(out / "api") == before


def test_a_folder_or_link_or_plan_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    out, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    paths = folders(tmp_path, "foreign", "linked", "file", "plan", "fresh", "pipe")
    write(out, {"foreign/notes.txt": "mine", "file": "mine", "plan/plan.json": "mine", "plan/result.json": "{}"})
    elsewhere.mkdir()
    (out / "linked").symlink_to(elsewhere)
    (out / "fresh").mkdir()  # empty: nobody's
    (out / "pipe").mkdir()
    os.mkfifo(out / "pipe" / RESULT)
    before = snapshot(out)
    summary = run(paths, out, work=quick)
    assert states(summary) == {
        **dict.fromkeys(("foreign", "linked", "file", "plan", "pipe"), "failed"),
        "fresh": "done",
    }
    assert {path: told for path, told in snapshot(out).items() if path in before} == before
    assert os.listdir(elsewhere) == []


def test_a_plan_that_is_a_pipe_or_no_plan_is_not_written_over(tmp_path: Path) -> None:
    paths, out = folders(tmp_path, "pipe", "broken"), tmp_path / "out"
    run(paths, out, work=quick)
    (out / "pipe" / PLAN).unlink()
    os.mkfifo(out / "pipe" / PLAN)
    (out / "broken" / PLAN).write_text('{"format": 1, "tool": "session-codemods", "answers that were cut o')
    summary = run(paths, out, Options(again=True), work=quick)
    assert "is no file" in summary.outcomes[0].message
    assert "it could hold answers" in summary.outcomes[1].message


def test_nothing_is_written_into_a_checkout(tmp_path: Path) -> None:
    root = project(tmp_path / "api")
    for folder in (root, root / "out", tmp_path):
        with pytest.raises(FleetError, match="written into the repository"):
            run((root,), folder)
    assert not (tmp_path / SUMMARY).exists()


def test_a_folder_that_cannot_be_had_is_told_before_any_work(tmp_path: Path) -> None:
    paths = folders(tmp_path, "a")
    (tmp_path / "file").write_text("")
    with pytest.raises(FleetError, match="no folder can be made there"):
        run(paths, tmp_path / "file" / "out", work=quick)
    write(tmp_path / "theirs", {SUMMARY: '{"tool": "another"}'})
    with pytest.raises(FleetError, match="not of this tool"):
        run(paths, tmp_path / "theirs", work=quick)
    with opened(tmp_path / "busy", ()), pytest.raises(FleetError, match="another run is writing there"):
        run(paths, tmp_path / "busy", work=quick)


def test_a_disk_that_is_full_costs_one_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.fsync
    calls: list[int] = []

    def full(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) == 2:
            raise OSError(28, "No space left on device")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    summary = run(folders(tmp_path, "a", "b"), tmp_path / "out", work=quick)
    assert states(summary) == {"a": "failed", "b": "done"}
    assert "No space left on device" in summary.outcomes[0].message
    assert Results(tmp_path / "out").known("a") is None


def test_a_stop_right_behind_the_last_file_of_a_result_does_not_hide_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Results.put

    def stopped(results: Results, name: str, *given: Any) -> None:
        real(results, name, *given)
        raise KeyboardInterrupt

    monkeypatch.setattr(Results, "put", stopped)
    with pytest.raises(KeyboardInterrupt):
        run(folders(tmp_path, "a", "b"), tmp_path / "out", work=quick)
    told = json.loads((tmp_path / "out" / SUMMARY).read_bytes())
    assert [one["state"] for one in told["repositories"]] == ["done", "not looked at"]


def test_check_finds_what_put_would_meet(tmp_path: Path) -> None:
    results = Results(tmp_path)
    (tmp_path / "a").write_text("")
    with pytest.raises(NotWritten, match="is no folder"):
        results.check("a")
    with pytest.raises(NotWritten, match="is no folder"):
        results.put("a", result(Task("a", "/a", Options())), PLAN_TEXT, b"")


# --- Ctrl-C, and a parent that is gone --------------------------------------------------------------------------------

DRIVER = """
import sys
sys.path[:0] = {tests!r}
import test_fleet
from pathlib import Path
from codemods import fleet
if __name__ == "__main__":
    options = fleet.Options(timeout={timeout!r})
    try:
        fleet.run({paths!r}, Path({out!r}), options, fleet.Local({jobs!r}), work=test_fleet.waits_on_bad)
    except KeyboardInterrupt:
        sys.exit(130)
"""


def is_there(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def until(what: Callable[[], bool]) -> bool:
    end = time.monotonic() + DEADLINE
    while not what():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="asks /proc which processes there are")
@pytest.mark.parametrize(
    ("stop", "jobs", "timeout"), [("INT", 2, None), ("KILL", 2, None), ("INT", 2, DEADLINE), ("KILL", 1, DEADLINE)]
)
def test_a_stop_leaves_whole_results_and_no_process(
    tmp_path: Path, stop: str, jobs: int, timeout: float | None
) -> None:
    paths, out = folders(tmp_path, "a", "bad"), tmp_path / "out"
    script = tmp_path / "driver.py"
    tests = [str(Path(__file__).parent)]
    script.write_text(DRIVER.format(tests=tests, paths=list(map(str, paths)), out=str(out), jobs=jobs, timeout=timeout))
    with (
        open(tmp_path / "said", "wb") as errors,
        subprocess.Popen([sys.executable, script], start_new_session=True, stderr=errors) as process,
    ):
        pid = paths[1] / "pid"
        assert until(lambda: pid.exists() and pid.read_text() != "" and (out / "a" / RESULT).exists())
        assert until(lambda: "key" in json.loads((out / "a" / RESULT).read_bytes()))
        worker = int(pid.read_text())
        assert is_there(worker)
        if stop == "INT":
            os.killpg(process.pid, signal.SIGINT)  # as a terminal does it: to all of them
        else:
            process.kill()
        code = process.wait(DEADLINE)
    assert until(lambda: not is_there(worker))
    assert code == (130 if stop == "INT" else -signal.SIGKILL)
    if stop == "INT":
        assert (tmp_path / "said").read_bytes() == b""
        told = json.loads((out / SUMMARY).read_bytes())
        assert told["whole"] is False
        assert [one["state"] for one in told["repositories"]] == ["done", "not looked at"]
    assert states(run(paths, out, work=quick)) == {"a": "unchanged", "bad": "done"}


@pytest.mark.parametrize("options", [("-j", "2"), ("-j", "1", "--timeout", "60")])
def test_no_module_of_the_folder_one_stands_in_is_run(tmp_path: Path, options: tuple[str, ...]) -> None:
    trap = "import pathlib; pathlib.Path(__file__).with_name('TRAPPED').write_text('')\n"
    here = write(
        tmp_path / "here", dict.fromkeys(("random.py", "json.py", "pickle.py", "multiprocessing/__init__.py"), trap)
    )
    write(here, {"codemods/__init__.py": trap, "list": "../api\n../api2\n"})
    project(tmp_path / "api")
    project(tmp_path / "api2")
    program = Path(sys.executable).with_name("session-codemods")
    done = subprocess.run([program, "fleet", "list", "-o", "../out", *options], cwd=here, capture_output=True)
    assert done.returncode == 1, done.stderr
    assert list(here.rglob("TRAPPED")) == []


# --- the list and the names -------------------------------------------------------------------------------------------


def test_the_list_has_a_path_a_line_relative_to_itself(tmp_path: Path) -> None:
    file = tmp_path / "list"
    file.write_bytes(b"\xef\xbb\xbf# all of them\r\napi\r\n\r\n  ../other # one \r\n\t/abs/olute\n#gone\nodd\xff name")
    assert [str(path) for path in listed(file)] == [
        f"{tmp_path}/api",
        f"{tmp_path}/../other # one",
        "/abs/olute",
        os.fsdecode(os.fsencode(tmp_path) + b"/odd\xff name"),
    ]


@pytest.mark.parametrize(
    ("data", "told"), [(b"", "names no"), (b"# a\n\n", "names no"), (b"a\0b", "NUL"), (None, "read")]
)
def test_a_list_that_names_nothing_is_refused(tmp_path: Path, data: bytes | None, told: str) -> None:
    if data is not None:
        (tmp_path / "list").write_bytes(data)
    with pytest.raises(FleetError, match=told):
        listed(tmp_path / "list")


def test_a_repository_has_the_name_of_its_folder_and_of_those_above_where_it_must() -> None:
    assert names(["/x/api"], ()) == ("api",)
    assert names(["/a/api", "/b/api", "/b/web"], ()) == ("a-api", "b-api", "web")
    assert names(["/x/a/api", "/y/a/api", "/z/a-api"], ()) == ("x-a-api", "y-a-api", "z-a-api")
    assert names(["/a/API", "/b/api"], ()) == ("a-API", "b-api")  # one folder to many file systems
    assert names(["/x/summary.json"], RESERVED) == ("x-summary.json",)
    assert names(["/x/..", "/x/.git", "/x/-rf", "/x/nul.txt"], ()) == ("repository", "git", "rf", "_nul.txt")
    assert names(["/"], ()) == ("repository",)


PARTS = st.text(
    st.characters(exclude_characters="/\0") | st.sampled_from("aA.-_ ~\n\x1b\\:*é\u202e\udcff"), min_size=1, max_size=6
) | st.sampled_from(
    ["api", "API", "a-api", "a", "..", ".", "con", "CON.txt", "summary.json", "x" * 300, "é" * 200, "ﬁ", "fi"]
)


@given(st.lists(st.lists(PARTS, max_size=4).map(lambda parts: "/" + "/".join(parts)), max_size=8))
def test_names_are_different_folders_on_every_file_system(paths: list[str]) -> None:
    paths = list(dict.fromkeys(map(os.path.normpath, paths)))
    made = names(paths, RESERVED)
    assert len(made) == len(paths)
    for name in made:
        assert name == os.path.basename(name) == name.strip(" .")
        assert name
        assert name[0] not in ".-"
        assert len(name.encode()) < 200
        assert name.isprintable()
        assert not set(name) & set('\\/:*?"<>| ')
        assert name.split(".")[0].lower() not in ("con", "nul", "aux", "prn")
    folded = [unicodedata.normalize("NFC", name).casefold() for name in made]
    assert len({*folded, *RESERVED}) == len(paths) + len(RESERVED)
    assert names(paths, RESERVED) == made


def test_hostile_names_stay_in_the_folder_and_on_their_line(tmp_path: Path) -> None:
    hostile = ["..\\up", "new\nline", "\x1b[2J", "\u202egnp", os.fsdecode(b"\xff"), "-o", ".git", "a b", "::error::x"]
    paths = folders(tmp_path, *hostile)
    summary = run(paths, tmp_path / "out", work=quick)
    assert {one.state for one in summary.outcomes} == {State.DONE}
    top = {"summary.json", "fleet.lock", *(one.name for one in summary.outcomes)}
    assert set(os.listdir(tmp_path / "out")) == top
    assert len(table(summary).splitlines()) == len(hostile) + 2
    assert all(text.isprintable() for text in table(summary).splitlines())
    failed = Summary(tuple(Outcome(one.name, one.path, State.FAILED, None, "a\nb\x1b") for one in summary.outcomes))
    assert len(not_handled(failed).splitlines()) == len(hostile) + 1
    assert all(text.isprintable() for text in not_handled(failed).splitlines())
    assert line(failed.outcomes[1]).count("\n") == 1
    assert json.loads((tmp_path / "out" / SUMMARY).read_bytes())["repositories"][1]["path"] == str(paths[1])


# --- the command ------------------------------------------------------------------------------------------------------


def test_the_command_prints_a_table_that_adds_up(
    checkouts: tuple[Path, ...], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "list").write_text("in/api\nin/odd\n")
    call = ["fleet", str(tmp_path / "list"), "-o", str(tmp_path / "out"), "-j", "1"]
    assert __main__.main(call) == 1
    shown = capfd.readouterr()
    rows = [re.split(r"  +", text) for text in shown.out.splitlines()]
    assert rows[0] == re.split(
        "  +", "repository  files  lines  places  safe  review  left alone  failures  seconds  state"
    )
    assert [row[0] for row in rows[1:]] == ["api", "odd", "total"]
    for column in (1, 2, 3, 4, 5, 6, 7):
        assert int(rows[1][column]) + int(rows[2][column]) == int(rows[3][column])
    assert rows[3][-1] == "2 of 2"
    assert "Nothing was written in the checkouts." in shown.err
    assert __main__.main([*call, "--exit-zero", "-q"]) == 0
    shown = capfd.readouterr()
    assert shown.err == ""
    assert [re.split(r"  +", text)[-1] for text in shown.out.splitlines()[1:3]] == ["unchanged", "unchanged"]
    told = json.loads((tmp_path / "out" / SUMMARY).read_bytes())
    assert told["whole"] is True
    assert [one["state"] for one in told["repositories"]] == ["unchanged", "unchanged"]


def test_nothing_found_is_zero_and_a_repository_that_fails_is_three(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "clean", {"a.py": "x = 1\n"})
    (tmp_path / "list").write_text("clean\n")
    call = ["fleet", str(tmp_path / "list"), "-o", str(tmp_path / "out"), "-j", "1", "-v"]
    assert __main__.main(call) == 0
    assert "[1/1] clean: done: 0 safe, 0 review, 0 left alone\n" in capfd.readouterr().err
    (tmp_path / "list").write_text("clean\ngone\n")
    assert __main__.main([*call, "-q"]) == 3
    assert f"{tmp_path}/gone: no such file or folder" in capfd.readouterr().err
    write(tmp_path / "clean", {"b.py": "def (:\n"})
    (tmp_path / "list").write_text("clean\n")
    assert __main__.main([*call, "-q", "--select", "session-scope"]) in (0, 3)


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (("--select", "nothing"), "unknown rule 'nothing'"),
        (("--select", "session-scope", "--ignore", "session-scope"), "no rule is left"),
        (("--extend-exclude", "../x"), "leaves the project root"),
        (("--timeout", "0"), "more than 0"),
        (("--timeout", "nan"), "more than 0"),
        (("-j", "0"), "jobs"),
        (("-j", "2", "--dask", "tcp://127.0.0.1:1"), "give one of them"),
    ],
)
def test_a_wrong_call_is_two_and_nothing_is_made(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], more: tuple[str, ...], told: str
) -> None:
    project(tmp_path / "api")
    (tmp_path / "list").write_text("api\n")
    assert __main__.main(["fleet", str(tmp_path / "list"), "-o", str(tmp_path / "out"), *more]) == 2
    assert told in capfd.readouterr().err
    assert not (tmp_path / "out").exists()


def test_options_reach_every_repository(tmp_path: Path) -> None:
    root = project(tmp_path / "api")
    chosen = Options(select=("expunge-return",), extend_exclude=("app/orders.py",))
    made = look.settings_for(root, chosen)
    assert made.select == ("expunge-return",)
    assert made.extend_exclude == ("app/orders.py",)
    less = run((root,), tmp_path / "out", Options(extend_exclude=("app/orders.py",))).outcomes[0].result
    assert less is not None
    assert (less.files, less.safe) == (3, 2)
