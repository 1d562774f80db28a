"""A command decides what stays applied: real projects, real git, real processes."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reviews.projects import DATABASE, SETTINGS, frozen, leaking
from reviews.projects import write as write_files

from codemods import planned
from codemods.apply.errors import RunError
from codemods.apply.git import GitError
from codemods.apply.run_record import RunText
from codemods.apply.runs import written
from codemods.apply.undo import undo
from codemods.plan import Group
from codemods.saved_plan import SavedPlan, Verdict
from codemods.user_command import located, run
from codemods.verifying.applying import NotBack, OnFail, Tree, Verified, ready, recorded, verified
from codemods.verifying.bisecting import LeftOut
from codemods.verifying.culprits import FailsAnyway, culprits
from codemods.verifying.worktree import worktree

PYTHON = shlex.quote(sys.executable)

# Tests that put something in the place of the factory: an object that no `async with` takes, for those that are named.
CHECK = """\
import asyncio
import importlib
import sys
import types
from pathlib import Path

class Session:
    async def execute(self, statement):
        pass

class Entered(Session):
    async def __aenter__(self):
        return self
    async def __aexit__(self, *error):
        pass

sys.modules["sqlalchemy"] = types.SimpleNamespace(text=str)
sys.modules["app.db"] = types.SimpleNamespace(async_session=Entered)
sys.path.insert(0, "")
if sys.argv[1].endswith(".txt"):
    sys.argv[1:] = Path(sys.argv[1]).read_text().split()
for module in ("users", "orders", "jobs"):
    module = importlib.import_module(f"app.{module}")
    for name, function in list(vars(module).items()):
        if asyncio.iscoroutinefunction(function):
            module.async_session = Session if name in sys.argv[1:] else Entered
            try:
                asyncio.run(function())
            except (TypeError, AttributeError) as error:
                sys.exit(f"{name}() failed")
"""
NAMES = {"users": ("u1", "u2", "u3"), "orders": ("o1", "o2"), "jobs": ("j1", "j2", "j3")}


def git(folder: Path, *command: str) -> str:
    fixed = ["git", "-c", "user.name=n", "-c", "user.email=e@x", *command]
    return subprocess.run(fixed, cwd=folder, capture_output=True, check=True, text=True).stdout


def everything(root: Path) -> dict[str, tuple[bytes, int]]:
    """Every file of the project, but for git's own."""
    files = (path for path in root.rglob("*") if path.is_file() and ".git" not in path.parts)
    return {str(path): (path.read_bytes(), path.stat().st_mtime_ns) for path in files if path.suffix != ".pyc"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Eight groups in three files; git knows all of them."""
    root = tmp_path / "project"
    write_files(root, {"pyproject.toml": SETTINGS, "app/__init__.py": "", "app/db.py": DATABASE, "check.py": CHECK})
    write_files(root, {f"app/{module}.py": leaking(*names) for module, names in NAMES.items()})
    git(root, "init", "-q")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "start")
    return root


@pytest.fixture
def plan(root: Path) -> SavedPlan:
    plan = frozen(root)
    assert len(plan.groups) == 8
    return plan


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary folders go."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


def tree(root: Path, plan: SavedPlan) -> Tree:
    paths = sorted({path for group in plan.groups for path in group.paths})
    return Tree(
        root,
        lambda groups: written(root, planned.changes(plan, groups), what=RunText.of(groups), tell=lambda _: None),
        lambda one: taken_back(root, one),
        lambda groups: planned.contents(plan, groups, paths),
        plan.needs_of(plan.groups),
    )


def taken_back(root: Path, one: str) -> None:
    try:
        undo(root, one, tell=lambda _: None)
    except RunError as error:
        raise NotBack(str(error)) from error


def check(*fail: str) -> str:
    return f"{PYTHON} -B check.py none {' '.join(fail)}"


def tried(root: Path, plan: SavedPlan, command: str, on_fail: OnFail = OnFail.bisect) -> tuple[Verified, str]:
    said: list[str] = []
    result = verified(plan.groups, command, on_fail, tree(root, plan), said.append)
    return result, "".join(said)


def functions(groups: Sequence[Group] | Sequence[LeftOut]) -> list[str]:
    found = [one.group if isinstance(one, LeftOut) else one for one in groups]
    return [group.findings[0].site.function.rpartition(".")[2] for group in found]


def assert_no_worktree(root: Path, scratch: Path) -> None:
    assert git(root, "worktree", "list").count("\n") == 1
    assert list((root / ".git").glob("worktrees/*")) == []
    assert list(scratch.iterdir()) == []


# --- one command after an apply ---------------------------------------------------------------------------------------


def test_what_passes_stays(root: Path, plan: SavedPlan, capfd: pytest.CaptureFixture[str]) -> None:
    result, said = tried(root, plan, f"echo to stdout; echo to stderr >&2; {check()}")
    assert (result.passed, result.exit_code, result.groups) == (True, 0, plan.groups)
    assert planned.present(plan, root).stale
    assert said.splitlines()[-1].startswith("verify: passed (")
    out, err = capfd.readouterr()
    assert out == ""
    assert "to stdout\nto stderr\n" in err


def test_what_fails_is_taken_back(root: Path, plan: SavedPlan) -> None:
    before = everything(root)
    result, said = tried(root, plan, check("o2"), OnFail.rollback)
    assert result == Verified(False, "", ())
    assert result.exit_code == 4
    assert everything(root) == before
    assert "verify: failed with exit code 1 (" in said
    assert "put back" in said


def test_what_fails_stays_when_it_is_to_be_kept(root: Path, plan: SavedPlan) -> None:
    result, said = tried(root, plan, check("o2"), OnFail.keep)
    assert (result.passed, result.exit_code, result.groups) == (False, 4, plan.groups)
    assert "kept" in said
    taken_back(root, result.run)
    assert git(root, "status", "--porcelain") == ""


def test_a_command_that_is_not_there_is_named(root: Path, plan: SavedPlan) -> None:
    result, said = tried(root, plan, "no-such-command-here -x", OnFail.rollback)
    assert result.exit_code == 4
    assert "failed with exit code 127: the shell found no such command" in said
    assert git(root, "status", "--porcelain") == ""


def test_a_command_that_a_signal_ended_is_told_so(root: Path, plan: SavedPlan) -> None:
    _, said = tried(root, plan, "kill -SEGV $$", OnFail.rollback)
    assert "failed, ended by SIGSEGV" in said


def test_nothing_to_write_is_nothing_to_verify(root: Path, plan: SavedPlan) -> None:
    assert verified((), "false", OnFail.rollback, tree(root, plan), print).exit_code == 0


def test_a_command_that_changes_the_files_keeps_them_from_being_taken_back(root: Path, plan: SavedPlan) -> None:
    for on_fail in (OnFail.rollback, OnFail.bisect):
        result, said = tried(root, plan, "echo '# mine' >> app/users.py; false", on_fail)
        assert (result.passed, result.exit_code, result.groups) == (False, 4, plan.groups)
        assert result.stuck == "changed since: app/users.py"
        assert "The files stay as they are: changed since: app/users.py\n" in said
        assert "put back as they were" not in said
        assert (root / "app/users.py").read_text().endswith("# mine\n")
        undo(root, result.run, force=True, tell=lambda _: None)
        assert git(root, "status", "--porcelain") == ""


def test_what_a_command_says_stands_in_the_fence(
    root: Path, plan: SavedPlan, capfd: pytest.CaptureFixture[str]
) -> None:
    @contextlib.contextmanager
    def fence() -> Iterator[None]:
        os.write(2, b"[")
        yield
        os.write(2, b"]\n")

    fenced = replace(tree(root, plan), fence=fence)
    verified(plan.groups, "echo ::error::x", OnFail.keep, fenced, lambda _: None)
    assert "[::error::x\n]\n" in capfd.readouterr().err


# --- bisect -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["u1", "o2", "j3"])
def test_bisect_finds_the_one_group_that_a_test_fails_with(
    root: Path, plan: SavedPlan, scratch: Path, name: str
) -> None:
    result, said = tried(root, plan, check(name))
    assert functions(result.left_out) == [name]
    assert result.left_out[0].why == f"{name}() failed"
    assert result.groups == tuple(group for group in plan.groups if group is not result.left_out[0].group)
    assert (result.passed, result.exit_code) == (False, 4)
    now = {path: (root / path).read_bytes() for path in ("app/users.py", "app/orders.py", "app/jobs.py")}
    assert now == planned.contents(plan, result.groups, now)
    assert "run 1: 0 of 8 groups ... passes (" in said
    assert "run 2: 8 of 8 groups ... fails (" in said
    # none, all, all again; halving; the rest; that again; it with the one left out, again
    assert said.count("\nrun ") <= 1 + 2 + 3 + 1 + 1 + 2
    assert_no_worktree(root, scratch)
    taken_back(root, result.run)
    assert git(root, "status", "--porcelain") == ""


def test_two_culprits_are_both_left_out(root: Path, plan: SavedPlan, scratch: Path) -> None:
    result, _ = tried(root, plan, check("u2", "j1"))
    assert sorted(functions(result.left_out)) == ["j1", "u2"]
    assert len(result.groups) == 6
    assert_no_worktree(root, scratch)


def test_all_of_them_may_be_to_blame(root: Path, plan: SavedPlan) -> None:
    result, _ = tried(root, plan, check(*(name for names in NAMES.values() for name in names)))
    assert (result.run, result.groups, len(result.left_out)) == ("", (), 8)
    assert git(root, "status", "--porcelain") == ""


def test_groups_that_fail_only_together_cost_one_of_them(root: Path, plan: SavedPlan) -> None:
    count = "test $(grep -l 'async with' app/users.py app/orders.py | wc -l) -lt 2"
    result, _ = tried(root, plan, count)
    files = {path for group in result.groups for path in group.paths}
    assert len(files & {"app/users.py", "app/orders.py"}) == 1
    assert "app/jobs.py" in files
    assert subprocess.run(count, shell=True, cwd=root).returncode == 0


def test_a_command_that_fails_without_any_change_blames_nobody(root: Path, plan: SavedPlan, scratch: Path) -> None:
    before = everything(root)
    result, said = tried(root, plan, "echo it is broken; exit 3")
    assert result == Verified(False, "", ())
    assert "the command fails without any change, too" in said
    assert "(failed with exit code 3)" in said
    assert "  | it is broken\n" in said
    assert "run 2" not in said
    assert everything(root) == before
    assert_no_worktree(root, scratch)


def test_a_command_that_is_not_there_blames_nobody(root: Path, plan: SavedPlan) -> None:
    result, said = tried(root, plan, "no-such-command-here")
    assert (result.groups, result.left_out) == ((), ())
    assert "(failed with exit code 127: the shell found no such command)" in said


def test_what_passes_in_a_fresh_tree_blames_nobody(root: Path, plan: SavedPlan) -> None:
    (root / "untracked.txt").write_text("u1 u2")
    result, said = tried(root, plan, "test ! -e untracked.txt")
    assert (result.groups, result.left_out) == ((), ())
    assert "passes with all groups in a fresh working tree" in said


def test_a_flaky_command_blames_nobody(root: Path, plan: SavedPlan, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    runs.write_text("")
    # Fails at the first run, in the user's tree, and at the one with all groups; never again.
    flaky = f"echo >> {runs}; n=$(wc -l < {runs}); test $n -ne 1 -a $n -ne 3"
    result, said = tried(root, plan, flaky)
    assert (result.groups, result.left_out) == ((), ())
    assert "does not end the same way each time" in said
    assert git(root, "status", "--porcelain") == ""


def test_a_command_that_fails_without_the_one_to_blame_now_and_then_blames_nobody(
    root: Path, plan: SavedPlan, tmp_path: Path
) -> None:
    runs = tmp_path / "runs"
    runs.write_text("")
    # Fails with u1, and at the second time that the other seven are tried.
    seven = "test $(cat app/users.py app/orders.py app/jobs.py | grep -c 'async with') -eq 7"
    flaky = f"{check('u1')} || exit 1; {seven} || exit 0; echo >> {runs}; test $(wc -l < {runs}) -ne 2"
    result, said = tried(root, plan, flaky)
    assert (result.run, result.groups, result.left_out) == ("", (), ())
    assert "it is not repeatable: it failed and passed with the same groups" in said
    assert runs.read_text() == "\n\n"
    assert git(root, "status", "--porcelain") == ""


def test_what_fails_here_all_the_same_is_taken_back(root: Path, plan: SavedPlan) -> None:
    (root / "untracked.txt").write_text("none u1 j3")
    (root / "tracked.txt").write_text("none u1")
    git(root, "add", "tracked.txt")
    command = f"{PYTHON} -B check.py $(ls untracked.txt 2>/dev/null || echo tracked.txt)"
    result, said = tried(root, plan, command)
    assert functions(result.left_out) == ["u1"]
    assert (result.run, result.groups) == ("", ())
    assert "fails here without these groups, too" in said
    assert git(root, "diff", "--stat", "app") == ""


def test_uncommitted_changes_are_in_the_tree_that_is_tried_in(root: Path, scratch: Path) -> None:
    (root / "list.txt").write_text("none")
    git(root, "add", "list.txt")
    git(root, "commit", "-qm", "list")
    (root / "list.txt").write_text("none u3")  # not staged
    (root / "more.txt").write_text("x")
    git(root, "add", "more.txt")  # staged
    (root / "app/orders.py").write_text(leaking("o1", "o2", "o3"))  # what the plan is made from is not committed
    status = git(root, "status", "--porcelain")
    index = (root / ".git/index").read_bytes()
    plan = frozen(root)
    result, _ = tried(root, plan, f"test -e more.txt && {PYTHON} -B check.py list.txt")
    assert functions(result.left_out) == ["u3"]
    assert len(result.groups) == 8
    taken_back(root, result.run)
    assert (root / ".git/index").read_bytes() == index
    assert git(root, "status", "--porcelain") == status
    assert git(root, "stash", "list") == ""
    assert_no_worktree(root, scratch)


def test_no_run_sees_what_another_one_left(root: Path) -> None:
    (root / ".gitignore").write_text("ignored\n")
    git(root, "add", ".gitignore")
    with worktree(root) as apart:
        for _ in range(2):
            apart.hold({"app/new/file.py": b"x\n", "app/jobs.py": None})
            assert (apart.root / "app/new/file.py").exists()
            assert not (apart.root / "app/jobs.py").exists()
            (apart.root / ".git").unlink()
            write_files(apart.root, {"left/one": "", "ignored": "", "app/jobs.py": "mine"})
            (apart.root / "check.py").unlink()
        apart.hold({})
        assert (apart.root / "app/jobs.py").exists()
        assert (apart.root / "check.py").exists()
        assert not {"left", "ignored"} & {path.name for path in apart.root.iterdir()}
        assert not (apart.root / "app/new").exists()
    assert git(root, "status", "--porcelain") == "A  .gitignore\n"


def test_a_temporary_folder_within_a_repository_does_not_harm_it(
    root: Path, plan: SavedPlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "tmp").mkdir()
    (root / "tmp/mine").write_text("mine")
    monkeypatch.setattr("tempfile.tempdir", str(root / "tmp"))
    (root / "check.py").write_text("mine = 1\n")
    with worktree(root) as apart:
        (apart.root / ".git").unlink()
        apart.hold({})
    assert (root / "check.py").read_text() == "mine = 1\n"
    assert [path.name for path in (root / "tmp").iterdir()] == ["mine"]


def test_a_link_out_of_the_tree_is_not_followed(root: Path) -> None:
    (root / "app/link.py").symlink_to(root / "app/users.py")
    git(root, "add", "-A")
    before = (root / "app/users.py").read_bytes()
    with worktree(root) as apart, pytest.raises(GitError, match="leads out"):
        apart.hold({"app/link.py": b"owned\n"})
    assert (root / "app/users.py").read_bytes() == before


def test_the_project_may_be_a_folder_of_the_repository(tmp_path: Path, scratch: Path) -> None:
    top = tmp_path / "top"
    root = top / "back end"
    write_files(root, {"pyproject.toml": SETTINGS, "app/__init__.py": "", "app/db.py": DATABASE, "check.py": CHECK})
    write_files(root, {f"app/{module}.py": leaking(*names) for module, names in NAMES.items()})
    git(top, "init", "-q")
    git(top, "add", "-A")  # never committed
    result, _ = tried(root, frozen(root), check("o1"))
    assert functions(result.left_out) == ["o1"]
    assert_no_worktree(top, scratch)


def test_hooks_are_not_run_for_a_working_tree_apart(root: Path, plan: SavedPlan) -> None:
    hook = root / ".git/hooks/post-checkout"
    hook.write_text(f"#!/bin/sh\ntouch {root}/hooked\n")
    hook.chmod(0o755)
    assert tried(root, plan, check("o1"))[0].left_out
    assert not (root / "hooked").exists()


def test_a_search_that_cannot_be_made_is_a_failed_verify(
    root: Path, plan: SavedPlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(root / "none"))
    result, said = tried(root, plan, "false")
    assert result == Verified(False, "", ())
    assert "The search could not be made: " in said
    (root / ".git/worktrees").write_text("in the way")
    monkeypatch.setattr("tempfile.tempdir", str(root.parent))
    result, said = tried(root, plan, "false")
    assert result == Verified(False, "", ())
    assert "The search could not be made: " in said
    assert git(root, "status", "--porcelain") == ""


def test_no_group_is_tried_or_written_without_what_it_needs(root: Path, plan: SavedPlan) -> None:
    u1 = plan.groups[next(at for at, group in enumerate(plan.groups) if functions([group]) == ["u1"])]
    others = [group for group in plan.groups if functions([group])[0] in ("o1", "j2")]
    needs = {group.id: {u1.id} for group in others}
    command = check("u1")  # it would not fail with the others
    said: list[str] = []
    result = verified(plan.groups, command, OnFail.bisect, replace(tree(root, plan), needs=needs), said.append)
    assert sorted(functions(result.left_out)) == ["j2", "o1", "u1"]
    why = {functions([one])[0]: one.why for one in result.left_out}
    assert why == {"u1": "u1() failed", "o1": why["o1"], "j2": why["o1"]}
    assert why["o1"] == f"it needs {u1.id}, which is left out"
    assert len(result.groups) == 5


def test_bisect_needs_a_repository(tmp_path: Path) -> None:
    with pytest.raises(GitError, match="not a git repository"):
        ready(tmp_path, OnFail.bisect)
    ready(tmp_path, OnFail.rollback)


def test_what_was_left_out_is_refused_in_the_plan(root: Path, plan: SavedPlan) -> None:
    command = check("o2")
    result, _ = tried(root, plan, command)
    after = recorded(plan, result.left_out, command, "2025-01-01T00:00:00+00:00")
    (refused,) = after.having(Verdict.REFUSED)
    assert functions([refused]) == ["o2"]
    assert after.decision(refused).note == f"left out, because `{command}` fails with it: o2() failed"


def test_programs_that_git_does_not_know_are_taken_from_the_project(tmp_path: Path) -> None:
    here, there = tmp_path / "a b", tmp_path / "c"
    write_files(here, {".venv/bin/pytest": "", "run.sh": ""})
    write_files(there, {"run.sh": ""})
    assert located(".venv/bin/pytest -q 'x y'", here, there) == f"'{here}/.venv/bin/pytest' -q 'x y'"
    assert located("./run.sh", here, there) == "./run.sh"
    assert located("pytest", here, there) == "pytest"
    assert located("/bin/sh x", here, there) == "/bin/sh x"
    assert located("bin/none", here, there) == "bin/none"


# --- interrupts -------------------------------------------------------------------------------------------------------

PROGRAM = """\
import signal, sys, tempfile
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from reviews.projects import frozen
from test_verifying import tree
from codemods.verifying.applying import OnFail, verified
root, command, on_fail, tempfile.tempdir = Path(sys.argv[2]), sys.argv[3], OnFail(sys.argv[4]), sys.argv[5]
plan = frozen(root)
say = lambda text: print(text, end="", flush=True)
try:
    verified(plan.groups, command, on_fail, tree(root, plan), say)
except KeyboardInterrupt:
    sys.exit(130)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no such signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(
    ("on_fail", "during"), [(OnFail.rollback, "verify"), (OnFail.bisect, "verify"), (OnFail.bisect, "bisect")]
)
def test_an_interrupt_leaves_the_tree_as_it_was(
    root: Path, scratch: Path, tmp_path: Path, number: signal.Signals, on_fail: OnFail, during: str
) -> None:
    before = everything(root)
    mark = tmp_path / "running"
    sleeping = f"echo $$ > {mark}.new; sleep 60 & echo $! >> {mark}.new; mv {mark}.new {mark}; wait"
    # In the user's tree nothing is below the scratch folder.
    command = sleeping if during == "verify" else f"case $PWD in {scratch}/*) {sleeping};; *) false;; esac"
    words = [sys.executable, "-c", PROGRAM, str(Path(__file__).parent), str(root), command, on_fail, str(scratch)]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        _wait(mark.exists)
        process.send_signal(number)
        said, _ = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == (130 if number == signal.SIGINT else -number)
    assert everything(root) == before, said
    assert_no_worktree(root, scratch)
    for pid in map(int, mark.read_text().split()):
        _wait(lambda pid=pid: not _is_alive(pid))  # type: ignore[misc]


def _wait(done: Callable[[], bool]) -> None:
    until = time.monotonic() + 30
    while not done():
        assert time.monotonic() < until
        time.sleep(0.02)


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_what_does_not_listen_to_an_interrupt_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("codemods.user_command._GRACE", 0.2)
    mark = tmp_path / "deaf"

    def check() -> None:
        if mark.exists():
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(f"trap '' INT TERM; echo $$ > {mark}; while :; do sleep 1; done", tmp_path, check, shown=False)
    _wait(lambda: not _is_alive(int(mark.read_text())))


def test_only_the_end_of_what_a_command_says_is_kept(tmp_path: Path) -> None:
    ended = run("seq 100000; echo 'caf\\351'; echo; echo", tmp_path, lambda: None, shown=False)
    assert len(ended.output) < 20_000
    assert ended.last_line == "caf\ufffd"
    assert os.listdir(tmp_path) == []


# --- the search alone -------------------------------------------------------------------------------------------------


class Oracle:
    """Says whether a choice passes, and counts."""

    def __init__(self, passes: Callable[[frozenset[int]], bool]) -> None:
        self._passes = passes
        self.asked: list[frozenset[int]] = []

    def __call__(self, some: Sequence[int]) -> bool:
        assert list(some) == sorted(set(some))
        self.asked.append(frozenset(some))
        return self._passes(self.asked[-1])


Needs = Mapping[int, frozenset[int]]


def assert_sound(
    count: int, oracle: Oracle, passes: Callable[[frozenset[int]], bool], needs: Needs | None = None
) -> tuple[int, ...]:
    kept, out = culprits(range(count), oracle, needs)
    assert sorted((*kept, *out)) == list(range(count))
    assert frozenset(kept) in oracle.asked
    assert passes(frozenset(kept))
    assert len(oracle.asked) == len(set(oracle.asked))
    of = needs or {}
    for some in oracle.asked:
        assert all(of.get(one, frozenset()) <= some for one in some)
    for one in out:
        mutual = {one, *(other for other in of.get(one, ()) if one in of.get(other, ()))}
        if of.get(one, frozenset()) <= {*kept, *mutual}:
            assert not passes(frozenset((*kept, *mutual)))
    return out


bad_sets = st.lists(st.frozensets(st.integers(0, 15), min_size=1, max_size=3), max_size=5)


@given(bad_sets)
def test_of_what_fails_together_something_is_left_out_and_nothing_else(bad: list[frozenset[int]]) -> None:
    """Monotone: a choice fails when it holds all of one of the bad sets."""

    def passes(some: frozenset[int]) -> bool:
        return not any(one <= some for one in bad)

    out = assert_sound(16, Oracle(passes), passes)
    assert set(out) <= {one for some in bad for one in some}
    if all(len(one) == 1 for one in bad):
        assert set(out) == {one for some in bad for one in some}


@given(st.integers(0, 6), st.randoms(use_true_random=False))
def test_what_is_kept_passes_whatever_the_oracle_says(count: int, random: object) -> None:
    """Not monotone: any answer for any choice, only that nothing at all passes."""
    choices = [frozenset(some) for size in range(count + 1) for some in combinations(range(count), size)]
    answers = {some: not some or random.random() < 0.4 for some in choices}  # type: ignore[attr-defined]
    assert_sound(count, Oracle(answers.__getitem__), answers.__getitem__)


@st.composite
def needed(draw: st.DrawFn, count: int) -> Needs:
    """What each one needs, and what these need in turn; circles, too."""
    pairs = draw(st.lists(st.tuples(st.integers(0, count - 1), st.integers(0, count - 1)), max_size=8))
    needs = {one: {two for three, two in pairs if three == one} for one in range(count)}
    for middle in range(count):
        for one in range(count):
            if middle in needs[one]:
                needs[one] |= needs[middle]
    return {one: frozenset(some - {one}) for one, some in needs.items()}


@given(bad_sets, needed(16))
def test_nothing_is_tried_or_kept_without_what_it_needs(bad: list[frozenset[int]], needs: Needs) -> None:
    def passes(some: frozenset[int]) -> bool:
        return not any(one <= some for one in bad)

    out = assert_sound(16, Oracle(passes), passes, needs)
    if not bad:
        assert out == ()


def test_what_fails_with_each_of_many_is_left_out_alone() -> None:
    def passes(some: frozenset[int]) -> bool:
        return not (0 in some and some & set(range(1, 8))) and 12 not in some

    oracle = Oracle(passes)
    assert assert_sound(16, oracle, passes) == (0, 12)
    backwards = Oracle(lambda some: passes(frozenset(15 - one for one in some)))
    assert culprits(range(16), backwards)[1] == (3, 15)


def test_of_what_needs_each_other_all_is_left_out() -> None:
    out = culprits(range(4), lambda some: 2 not in some, {0: {3}, 3: {0}, 2: {1}, 1: {2}})[1]
    assert out == (1, 2)


def test_one_that_needs_another_one_comes_back_with_it() -> None:
    """2 fails without 5, which fails with 1."""

    def passes(some: frozenset[int]) -> bool:
        return not (2 in some and 5 not in some) and not ({1, 5} <= some)

    out = assert_sound(8, Oracle(passes), passes)
    assert out in ((1,), (2, 5), (5, 2))


def test_one_of_a_thousand_takes_few_runs() -> None:
    oracle = Oracle(lambda some: 617 not in some)
    assert culprits(range(1000), oracle)[1] == (617,)
    assert len(oracle.asked) <= 13


def test_nothing_to_blame_is_said() -> None:
    with pytest.raises(FailsAnyway):
        culprits(range(5), lambda some: False)
    assert culprits(range(0), lambda some: True) == ((), ())


def test_nothing_is_left_out_of_what_passes() -> None:
    assert culprits("abc", lambda some: True) == (("a", "b", "c"), ())
