"""Commits of groups that stand in the working tree, made by real git with real hooks."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reviews.projects import ODD_NAME, ORDERS, USERS, finding, frozen, leaking, odd_project, project
from reviews.projects import write as write_files

from codemods import planned
from codemods.apply.git import DirtyFiles, GitError, NoRepository
from codemods.apply.writer import write
from codemods.batches import SUBJECT, Batch, By, batches
from codemods.committing import Commit, CommitRefused, CommitStopped, commit, ready
from codemods.plan import CreateFile, Finding, Group, Level, Site
from codemods.saved_plan import SavedPlan


def git(folder: Path, *command: str, code: int = 0) -> bytes:
    done = subprocess.run(["git", "--literal-pathspecs", *command], cwd=folder, capture_output=True)
    assert done.returncode == code, done.stderr
    return done.stdout


@pytest.fixture(autouse=True)
def identity(monkeypatch: pytest.MonkeyPatch) -> None:
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "A. Reviewer")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "a@example.com")
    for name in ("GLOBAL", "SYSTEM"):
        monkeypatch.setenv(f"GIT_CONFIG_{name}", os.devnull)


def committed(root: Path) -> Path:
    git(root, "init", "-q", "-b", "main")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "start")
    return root


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Four groups in two files."""
    return committed(project(tmp_path / "project"))


def hook(root: Path, name: str, text: str) -> None:
    path = root / ".git/hooks" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


class Applied:
    """All groups of a plan, written to the tree."""

    def __init__(self, root: Path, plan: SavedPlan | None = None) -> None:
        self.root, self.plan = root, plan or frozen(root)
        self.paths = sorted({path for group in self.plan.groups for path in group.paths})
        self.changes = planned.changes(self.plan, self.plan.groups)
        ready(root, self.paths, [path for path in self.paths if self.plan.file(path) is None])
        write(root, self.changes)

    def contents(self, some: Sequence[Group]) -> dict[str, bytes | None]:
        return planned.contents(self.plan, some, self.paths)

    def commit(self, by: By = By.group) -> tuple[Commit, ...]:
        return commit(self.root, batches(self.plan.groups, by), self.contents)

    def held(self, revision: str) -> dict[str, bytes | None]:
        """The files in a commit."""
        there = git(self.root, "ls-tree", "-r", "-z", "--name-only", revision).split(b"\0")
        return {
            path: git(self.root, "show", f"{revision}:{path}") if os.fsencode(path) in there else None
            for path in self.paths
        }


def log(root: Path) -> list[str]:
    return git(root, "log", "--reverse", "--format=%s").decode().splitlines()[1:]


def test_a_commit_for_each_group_holds_its_files_and_its_reasons(root: Path) -> None:
    applied = Applied(root)
    made = applied.commit()
    assert log(root) == [
        "session-scope: app/orders.py third()",
        "session-scope: app/orders.py fourth()",
        "session-scope: app/users.py first()",
        "session-scope: app/users.py second()",
    ]
    for count, one in enumerate(made, 1):
        assert applied.held(one.id) == applied.contents(applied.plan.groups[:count])
        assert one.changed_by_hook == ()
        changed = git(root, "show", "--format=", "--name-only", one.id).decode().splitlines()
        assert changed == list(one.batch.groups[0].paths)
        body = git(root, "show", "-s", "--format=%b", one.id).decode()
        assert one.batch.groups[0].findings[0].site.place in body
        assert f"  group: {one.batch.groups[0].id}\n" in body
        assert git(root, "show", "-s", "--format=%an", one.id) == b"A. Reviewer\n"
    assert git(root, "status", "--porcelain") == b""
    assert {path: (root / path).read_bytes() for path in applied.paths} == applied.held("HEAD")


def test_one_rule_one_commit_one_folder_one_commit(root: Path) -> None:
    applied = Applied(root)
    (made,) = applied.commit(By.rule)
    assert log(root) == ["session-scope: 4 groups in 2 files"]
    assert len(made.batch.groups) == 4
    git(root, "reset", "-q", "--soft", "HEAD~1")
    git(root, "reset", "-q")
    applied.commit(By.dir)
    assert log(root) == ["session-scope: app - 4 groups"]


def test_what_the_user_has_in_the_index_stays_there(root: Path) -> None:
    write_files(root, {"staged.txt": "staged", "later.txt": "one", "app/__init__.py": "# changed\n"})
    git(root, "add", "staged.txt", "later.txt")
    git(root, "add", "--intent-to-add", "app/__init__.py")
    (root / "later.txt").write_text("two")
    before = git(root, "status", "--porcelain"), git(root, "ls-files", "--stage", "staged.txt", "later.txt")
    applied = Applied(root)
    applied.commit()
    assert (git(root, "status", "--porcelain"), git(root, "ls-files", "--stage", "staged.txt", "later.txt")) == before
    assert applied.held("HEAD") == applied.contents(applied.plan.groups)
    assert git(root, "diff", "--name-only", "HEAD~4", "HEAD").decode().splitlines() == applied.paths


def test_hooks_run_and_one_that_fails_stops(root: Path, capfd: pytest.CaptureFixture[str]) -> None:
    hook(root, "pre-commit", "git diff --cached --name-only >> .git/seen; test $(wc -l < .git/seen) -lt 3 || exit 1")
    hook(root, "commit-msg", 'echo "Hooked: yes" >> "$1"')
    (root / "other.txt").write_text("x")
    git(root, "add", "other.txt")
    applied = Applied(root)
    start = git(root, "rev-parse", "HEAD").decode().strip()
    with pytest.raises(CommitStopped, match="git commit ended with code 1") as stopped:
        applied.commit()
    assert stopped.value.start == start
    assert len(stopped.value.made) == 2
    assert stopped.value.batch.groups == applied.plan.groups[2:3]
    assert applied.held("HEAD") == applied.contents(applied.plan.groups[:2])
    assert b"Hooked: yes" in git(root, "log", "-1", "--format=%b")
    assert (root / ".git/seen").read_text().splitlines() == [group.paths[0] for group in applied.plan.groups[:3]]
    assert {change.path: (root / change.path).read_bytes() for change in applied.changes} == {
        change.path: change.after for change in applied.changes
    }
    left = git(root, "status", "--porcelain").decode().splitlines()
    assert "A  other.txt" in left
    assert all(line.startswith((" M", "A ")) for line in left)


def test_what_a_hook_changes_is_told(root: Path) -> None:
    hook(root, "pre-commit", f"echo '# hooked' >> {USERS}; git add {USERS}; echo x > log.txt; git add log.txt")
    applied = Applied(root)
    (one,) = applied.commit(By.rule)
    assert one.changed_by_hook == (USERS,)
    assert git(root, "status", "--porcelain") == b""
    assert b"log.txt" in git(root, "ls-tree", "--name-only", "HEAD")


def test_odd_files_are_committed_to_the_byte(tmp_path: Path) -> None:
    root = committed(odd_project(tmp_path / "project"))
    applied = Applied(root)
    made = applied.commit()
    assert len(made) == 10
    assert applied.held("HEAD") == {change.path: change.after for change in applied.changes}
    assert ODD_NAME in applied.paths
    assert git(root, "status", "--porcelain") == b""
    subjects = log(root)
    assert all(subject.isprintable() for subject in subjects)


def test_line_ends_that_git_translates_stay_translated(tmp_path: Path) -> None:
    root = project(tmp_path / "project")
    (root / USERS).write_bytes(leaking("first", "second").replace("\n", "\r\n").encode())
    write_files(root, {".gitattributes": "*.py text eol=crlf\n"})
    (root / ORDERS).unlink()
    committed(root)
    applied = Applied(root)
    applied.commit()
    assert b"\r" not in git(root, "show", f"HEAD:{USERS}")
    assert git(root, "status", "--porcelain") == b""


def new_file_plan(root: Path, path: str) -> SavedPlan:
    plan = frozen(root)
    made = Finding("new", "scaffold", Site(path, 1, 1, 1, 1, ""), Level.SAFE, "m", edits=(CreateFile(path, "a = 1\n"),))
    return replace(plan, groups=(*plan.groups, Group("new", (made,))))


def test_a_new_file_is_committed_and_modes_are_kept(root: Path) -> None:
    (root / USERS).chmod(0o755)
    git(root, "commit", "-qam", "executable")
    applied = Applied(root, new_file_plan(root, "app/new.py"))
    made = applied.commit()
    assert applied.held(made[-1].id)["app/new.py"] == b"a = 1\n"
    assert applied.held(made[-2].id)["app/new.py"] is None
    modes = git(root, "ls-tree", "-r", "HEAD", "--", USERS, "app/new.py").decode()
    assert [line.split()[0] for line in modes.splitlines()] == ["100644", "100755"]
    assert log(root)[-1] == "scaffold: app/new.py"
    assert git(root, "status", "--porcelain") == b""


def test_a_new_file_that_git_ignores_is_refused(root: Path) -> None:
    (root / ".gitignore").write_text("new.py\n")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "ignore")
    with pytest.raises(CommitRefused, match="git ignores it"):
        Applied(root, new_file_plan(root, "app/new.py"))


@pytest.mark.parametrize("what", ["merge", "rebase", "cherry-pick", "revert"])
def test_nothing_is_committed_in_the_middle_of_something(root: Path, what: str) -> None:
    write_files(root, {"a.txt": "main\n"})
    git(root, "add", "a.txt")
    git(root, "commit", "-qm", "main")
    git(root, "checkout", "-qb", "other", "HEAD~1")
    write_files(root, {"a.txt": "other\n"})
    git(root, "add", "a.txt")
    git(root, "commit", "-qm", "other")
    if what == "revert":
        write_files(root, {"a.txt": "more\n"})
        git(root, "commit", "-qam", "more")
        git(root, "revert", "HEAD~1", code=1)
    else:
        git(root, what, "main", code=1)
    plan = frozen(root)
    with pytest.raises(CommitRefused, match=f"{what}.* is under way"):
        ready(root, [USERS, ORDERS])
    assert plan.groups


def test_files_with_changes_of_the_user_are_refused(root: Path) -> None:
    (root / USERS).write_bytes((root / USERS).read_bytes() + b"# mine\n")
    with pytest.raises(DirtyFiles, match=r"app/users\.py"):
        ready(root, [USERS, ORDERS])
    git(root, "add", USERS)
    with pytest.raises(DirtyFiles, match=r"app/users\.py"):
        ready(root, [USERS, ORDERS])
    git(root, "restore", "--staged", "--worktree", USERS)
    ready(root, [USERS, ORDERS])


def test_outside_git_there_is_nothing_to_commit_to(tmp_path: Path) -> None:
    with pytest.raises((NoRepository, GitError)):
        ready(project(tmp_path / "bare"), [USERS])


def test_the_project_may_be_a_folder_of_the_repository_and_in_a_worktree(tmp_path: Path) -> None:
    project(tmp_path / "top/back end")
    committed(tmp_path / "top")
    git(tmp_path / "top", "worktree", "add", "-q", "-b", "work", str(tmp_path / "apart"))
    root = tmp_path / "apart/back end"
    applied = Applied(root)
    assert len(applied.commit()) == 4
    assert git(root, "rev-parse", "--abbrev-ref", "HEAD") == b"work\n"
    assert git(root, "status", "--porcelain") == b""
    assert git(tmp_path / "top", "status", "--porcelain") == b""
    assert git(tmp_path / "top", "rev-parse", "main") == git(root, "rev-parse", "work~4")


def test_settings_of_messages_do_not_spoil_them(root: Path) -> None:
    git(root, "config", "commit.cleanup", "strip")
    git(root, "config", "core.commentChar", "*")
    git(root, "config", "commit.template", "/nowhere")
    git(root, "config", "commit.verbose", "true")
    applied = Applied(root)
    (one, *_) = applied.commit()
    message = git(root, "show", "-s", "--format=%B", one.id).decode()
    assert message.startswith(f"{one.batch.subject}\n\n* app/")


def test_a_plan_with_nothing_to_do_makes_no_commit(root: Path) -> None:
    applied = Applied(root)
    assert commit(root, (), applied.contents) == ()
    made = batches(applied.plan.groups, By.rule)
    commit(root, made, applied.contents)
    before = applied.contents(applied.plan.groups)
    assert commit(root, made, lambda some: before) == ()


PROGRAM = """\
import os, sys
from pathlib import Path
Path(sys.argv[2], ".git/pid").write_text(str(os.getpid()))
sys.path.insert(0, sys.argv[1])
from test_committing import Applied
try:
    Applied(Path(sys.argv[2])).commit()
except KeyboardInterrupt:
    sys.exit(130)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no such signals")
@pytest.mark.parametrize("number", ["INT", "TERM"])
def test_an_interrupt_ends_after_a_whole_commit(root: Path, number: str) -> None:
    hook(root, "post-commit", f"test -e .git/once || {{ touch .git/once; kill -{number} $(cat .git/pid); }}")
    words = [sys.executable, "-c", PROGRAM, str(Path(__file__).parent), str(root)]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == (130 if number == "INT" else -15), done.stderr
    assert len(log(root)) == 1
    status = git(root, "status", "--porcelain").decode().splitlines()
    assert all(line.startswith(" M") for line in status)
    assert not list((root / ".git").glob("*.lock"))


@pytest.mark.skipif(sys.platform == "win32", reason="no such signals")
def test_a_commit_that_was_there_before_a_signal_ended_git_counts(root: Path) -> None:
    hook(root, "post-commit", "test -e .git/once || { touch .git/once; kill -INT $PPID; sleep 1; }")
    applied = Applied(root)
    assert len(applied.commit()) == 4
    assert len(log(root)) == 4
    assert git(root, "status", "--porcelain") == b""


def test_who_commits_may_be_told_by_the_environment(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME"):
        monkeypatch.delenv(name)
    for name, value in {"COUNT": "1", "KEY_0": "user.name", "VALUE_0": "B. Reviewer"}.items():
        monkeypatch.setenv(f"GIT_CONFIG_{name}", value)
    Applied(root).commit(By.rule)
    assert git(root, "show", "-s", "--format=%an", "HEAD") == b"B. Reviewer\n"


# --- messages ---------------------------------------------------------------------------------------------------------


def a_batch(*findings: Finding, by: By = By.group) -> Batch:
    (made,) = batches([Group("one:group:id", findings)], by)
    return made


def test_the_subject_names_the_function_without_its_module() -> None:
    def subject(path: str, function: str) -> str:
        return a_batch(replace(finding(path, 3), site=Site(path, 3, 1, 3, 9, function))).subject

    assert subject("src/app/users.py", "app.users.Service.get") == "session-scope: src/app/users.py Service.get()"
    assert subject("app/__init__.py", "app.get") == "session-scope: app/__init__.py get()"
    assert subject("app/users.py", "app.users") == "session-scope: app/users.py"
    assert subject("script.py", "other.get") == "session-scope: script.py other.get()"
    long = subject("a_long_folder/" * 8 + "users.py", f"{'a_long_folder.' * 8}users.get")
    assert len(long) <= SUBJECT
    assert long.endswith("/users.py get()")
    assert long.startswith("session-scope: .../a_long_folder/")
    assert len(subject("x" * 90, "")) == SUBJECT


def test_messages_hold_no_control_characters_and_no_line_that_means_something() -> None:
    hostile = "\n---\ndiff --git a/x b/x\n# comment\nFrom: someone\x1b[2J\u202e"
    one = replace(finding("app/a\nb.py", 3, level=Level.REVIEW, reason=hostile), message=hostile)
    made = a_batch(one)
    assert made.subject.isprintable()
    lines = made.body.splitlines()
    assert all(line.isprintable() and line.startswith(("* ", "  ")) for line in lines)
    assert any(line.startswith("  confirm: ") for line in lines)
    assert lines[-1] == "  group: one:group:id"


def test_a_group_of_several_rules_goes_with_its_first_finding() -> None:
    both = Group("both", (finding("b/x.py", 1, rule="expunge-return"), finding("a/y.py", 2)))
    other = Group("other", (finding("a/y.py", 5, rule="expunge-return"),))
    third = Group("third", (finding("a/y.py", 9),))
    groups = [both, other, third]
    assert [one.groups for one in batches(groups, By.rule)] == [(both, other), (third,)]
    assert [one.groups for one in batches(groups, By.dir)] == [(both,), (other, third)]
    assert [one.subject for one in batches(groups, By.rule)] == [
        "expunge-return: 2 groups in 2 files",
        "session-scope: a/y.py app.f()",
    ]
    assert batches(groups, By.dir)[1].subject == "session-codemods: a - 2 groups of 2 rules"


def test_each_batch_comes_after_what_it_needs() -> None:
    first = Group("first", (finding("a/x.py", 1, rule="expunge-return"),))
    second = Group("second", (finding("b/x.py", 1),))
    third = Group("third", (finding("a/y.py", 2, rule="expunge-return"),))
    groups = [first, second, third]

    def made(by: By, needs: dict[str, set[str]]) -> list[tuple[str, ...]]:
        return [tuple(group.id for group in one.groups) for one in batches(groups, by, needs)]

    assert made(By.group, {}) == [("first",), ("second",), ("third",)]
    assert made(By.group, {"first": {"third"}, "second": {"gone"}}) == [("second",), ("third",), ("first",)]
    assert made(By.rule, {}) == [("first", "third"), ("second",)]
    assert made(By.rule, {"third": {"second"}}) == [("second",), ("first", "third")]
    assert made(By.rule, {"first": {"third"}}) == [("first", "third"), ("second",)]
    # the one rule's first group needs the other rule, which needs the one rule's second group
    assert made(By.rule, {"first": {"second", "third"}, "second": {"third"}}) == [("third",), ("second",), ("first",)]
    assert made(By.dir, {"first": {"second"}, "second": {"first"}}) == [("third",), ("first", "second")]
    assert made(By.group, {"first": {"second"}, "second": {"first"}}) == [("third",), ("first", "second")]


def test_what_is_left_after_a_circle_is_in_order() -> None:
    groups = [Group(f"g{at}", (finding(f"{at % 2}/x.py", at + 1),)) for at in range(6)]
    circle = {"g0": {"g1"}, "g1": {"g0"}, "g4": {"g0", "g1", "g5"}}
    made = [[group.id for group in one.groups] for one in batches(groups, By.group, circle)]
    assert made == [["g2"], ["g3"], ["g5"], ["g0", "g1"], ["g4"]]


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=8),
    st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=8),
    st.sampled_from(By),
)
def test_no_batch_needs_a_later_one(kinds: list[tuple[int, int]], pairs: list[tuple[int, int]], by: By) -> None:
    groups = [
        Group(f"g{at}", (finding(f"{folder}/x.py", at + 1, rule=f"rule-{rule}"),))
        for at, (folder, rule) in enumerate(kinds)
    ]
    needs = {f"g{at}": {f"g{two}" for one, two in pairs if one == at} for at in range(8)}
    for middle in needs:
        for some in needs.values():
            some.update(needs[middle] if middle in some else ())
    made = batches(groups, by, needs)
    assert sorted(group.id for one in made for group in one.groups) == sorted(group.id for group in groups)
    there: set[str] = set()
    for one in made:
        there |= {group.id for group in one.groups}
        assert all(needs[group.id] & {group.id for group in groups} <= there for group in one.groups)
