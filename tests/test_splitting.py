"""A series of patches is judged by those who take it: `git am` and `git apply`."""

from __future__ import annotations

import ast
import os
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import typer
from reviews.projects import finding, frozen, odd_project, project

from codemods import plan_file, planned
from codemods.batches import Batch, By, batches
from codemods.cli import split as command
from codemods.cli.stopping import Stopped
from codemods.plan import CreateFile, Finding, Group, Level, Site
from codemods.saved_plan import Decision, SavedPlan, Verdict
from codemods.splitting import Mail, Sender, SplitRefused, mails, sender, write

LEGACY_APP = Path(__file__).parents[1] / "fixtures" / "legacy_app"
AT = datetime(2025, 3, 4, 5, 6, 7, tzinfo=UTC)
SENDER = Sender("A. Reviewer", "a@example.com", AT)


def git(folder: Path, *command: str) -> bytes:
    fixed = ["git", "-c", "user.name=n", "-c", "user.email=e@x", "-c", "core.autocrlf=false", *command]
    done = subprocess.run(fixed, cwd=folder, capture_output=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def committed(root: Path) -> Path:
    git(root, "init", "-q")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "start")
    return root


def composed(plan: SavedPlan, some: Sequence[Group]) -> dict[str, bytes | None]:
    return planned.contents(plan, some, sorted({path for group in plan.groups for path in group.paths}))


def series(plan: SavedPlan, by: By = By.group, **options: str) -> tuple[tuple[Batch, ...], tuple[Mail, ...]]:
    made = batches(plan.groups, by)
    return made, mails(made, lambda some: composed(plan, some), SENDER, **options)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return committed(project(tmp_path / "project"))


@pytest.mark.parametrize("by", list(By))
@pytest.mark.parametrize("tool", ["am", "apply"])
def test_git_takes_the_series_in_order(root: Path, tmp_path: Path, by: By, tool: str) -> None:
    plan = frozen(root)
    made, some = series(plan, by)
    folder = tmp_path / "out"
    paths = write(some, folder)
    assert (folder / "series").read_text().splitlines() == [path.name for path in paths] == [one.name for one in some]
    assert sorted(os.listdir(folder)) == sorted([*(path.name for path in paths), "series"])
    chosen: list[Group] = []
    for batch, path in zip(made, paths, strict=True):
        chosen += batch.groups
        git(root, tool, *(["--check"] if tool == "apply" else ["-q"]), str(path))
        if tool == "apply":
            git(root, "apply", str(path))
        now = composed(plan, chosen)
        assert {one: (root / one).read_bytes() for one in now} == now
        for data in now.values():
            ast.parse(data or b"")
    if tool == "am":
        log = git(root, "log", "--reverse", "--format=%an <%ae> %aI %B%x00").decode().split("\0")
        for batch, entry in zip(made, log[1:], strict=False):
            said = f"{batch.subject}\n\n{batch.body}"
            assert entry.strip() == f"A. Reviewer <a@example.com> 2025-03-04T05:06:07+00:00 {said}".strip()


def test_names_and_heads_of_the_patches(root: Path) -> None:
    _, some = series(frozen(root))
    assert [one.name for one in some] == [
        "0001-session-scope-app-orders.py-third.patch",
        "0002-session-scope-app-orders.py-fourth.patch",
        "0003-session-scope-app-users.py-first.patch",
        "0004-session-scope-app-users.py-second.patch",
    ]
    head = some[0].data.decode().split("\n\n")[0].splitlines()
    assert head[0].startswith("From 0000")
    assert head[1] == 'From: "A. Reviewer" <a@example.com>'
    assert head[2] == "Date: Tue, 04 Mar 2025 05:06:07 +0000"
    assert head[3].startswith("Subject: [PATCH 1/4] session-scope: app/")
    assert not any(one.needs_keep_cr for one in some)


def test_odd_files_come_through_to_the_byte(tmp_path: Path) -> None:
    root = committed(odd_project(tmp_path / "project"))
    plan = frozen(root)
    _, some = series(plan)
    wanted = composed(plan, plan.groups)
    paths = write(some, tmp_path / "out")
    assert [one.needs_keep_cr for one in some].count(True) == 1
    for path in paths:
        git(root, "apply", str(path))
    assert {one: (root / one).read_bytes() for one in wanted} == wanted
    git(root, "checkout", "-q", ".")
    git(root, "am", "-q", "--keep-cr", *map(str, paths))
    assert {one: (root / one).read_bytes() for one in wanted} == wanted


def test_a_real_plan_splits_into_patches_that_apply(tmp_path: Path) -> None:
    plan = frozen(LEGACY_APP)
    root = tmp_path / "app"
    for saved in plan.files:
        (root / saved.path).parent.mkdir(parents=True, exist_ok=True)
        (root / saved.path).write_bytes(saved.data)
    committed(root)
    _, some = series(plan, By.dir)
    assert len(some) > 1
    git(root, "am", "-q", *map(str, write(some, tmp_path / "out")))
    wanted = composed(plan, plan.groups)
    assert {one: (root / one).read_bytes() for one in wanted} == wanted


def test_a_new_file_is_made(root: Path, tmp_path: Path) -> None:
    plan = frozen(root)
    edit = CreateFile("app/new.py", "a = 1\n")
    new = Finding("new", "scaffold", Site("app/new.py", 1, 1, 1, 1, ""), Level.SAFE, "m", edits=(edit,))
    plan = replace(plan, groups=(*plan.groups, Group("new", (new,))))
    git(root, "am", "-q", *map(str, write(series(plan)[1], tmp_path / "out")))
    assert (root / "app/new.py").read_bytes() == b"a = 1\n"


def test_paths_are_those_of_the_repository(tmp_path: Path) -> None:
    root = project(tmp_path / "top/back end")
    committed(tmp_path / "top")
    plan = frozen(root)
    _, some = series(plan, By.rule, prefix="back end/")
    git(tmp_path / "top", "am", "-q", *map(str, write(some, tmp_path / "out")))
    wanted = composed(plan, plan.groups)
    assert {one: (root / one).read_bytes() for one in wanted} == wanted


@pytest.mark.parametrize(
    "text",
    [
        "\n---\ndiff --git a/x b/x",
        "From: somebody <s@x>",
        "\nFrom 0000 Mon Sep 17 00:00:00 2001\nSubject: x",
        "Index: x",
        "\u0430\u0431\u0432 caf\u00e9 =?utf-8?q?x?=",
        "\x1b[2J\u202e",
        "-- >8 --",
    ],
)
def test_a_message_is_never_taken_for_something_else(root: Path, tmp_path: Path, text: str) -> None:
    plan = frozen(root)
    first, *rest = plan.groups
    hostile = replace(first.findings[0], message=text, reason=text, rule=f"rule {text}")
    plan = replace(plan, groups=(Group(f"id {text}", (hostile,)), *rest))
    made, some = series(plan)
    git(root, "am", "-q", *map(str, write(some, tmp_path / "out")))
    wanted = composed(plan, plan.groups)
    assert {one: (root / one).read_bytes() for one in wanted} == wanted
    said = git(root, "log", "-1", "--format=%B", "HEAD~3").decode().strip()
    assert said == f"{made[0].subject}\n\n{made[0].body}".strip()


def test_the_sender_is_the_one_that_git_knows(root: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("GLOBAL", "SYSTEM"):
        monkeypatch.setenv(f"GIT_CONFIG_{name}", os.devnull)
    git(root, "config", "user.name", "J\u00f6rg M\u00fcller, Jr.")
    git(root, "config", "user.email", "j@example.com")
    found = sender(root, AT)
    assert (found.name, found.mail) == ("J\u00f6rg M\u00fcller, Jr", "j@example.com")
    plan = frozen(root)
    made = batches(plan.groups, By.rule)
    some = mails(made, lambda chosen: composed(plan, chosen), found)
    git(root, "am", "-q", *map(str, write(some, tmp_path / "out")))
    assert git(root, "log", "-1", "--format=%an <%ae>").decode() == "J\u00f6rg M\u00fcller, Jr <j@example.com>\n"
    git(root, "config", "user.useConfigOnly", "true")
    git(root, "config", "--unset", "user.email")
    monkeypatch.delenv("EMAIL", raising=False)
    assert sender(root, AT).name == "session-codemods"
    assert sender(tmp_path, AT).mail == "session-codemods@localhost"


def test_a_folder_that_holds_something_is_left_alone(root: Path, tmp_path: Path) -> None:
    _, some = series(frozen(root))
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "mine").write_text("mine")
    with pytest.raises(SplitRefused, match="holds something already"):
        write(some, folder)
    assert os.listdir(folder) == ["mine"]
    (folder / "mine").unlink()
    assert len(write(some, folder)) == 4
    with pytest.raises(SplitRefused, match="holds something already"):
        write(some, folder)
    with pytest.raises(SplitRefused, match="cannot be written"):
        write(some, folder / "series")
    with pytest.raises(SplitRefused, match="cannot be written"):
        write(some, folder / "series" / "below")


def test_what_cannot_be_written_whole_is_taken_away_again(tmp_path: Path) -> None:
    bad = [Mail("0001-a.patch", b"a", False), Mail("0001-a.patch", b"b", False)]
    with pytest.raises(SplitRefused, match="cannot be written"):
        write(bad, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_batch_that_changes_nothing_has_no_patch() -> None:
    group = Group("g", (finding("app/a.py", 1),))
    assert mails(batches([group], By.group), lambda some: {"app/a.py": b"x\n"}, SENDER) == ()


def test_the_names_are_in_order() -> None:
    groups = [Group(f"g{n}", (finding(f"app/{n}.py", 1),)) for n in range(3)]
    made = batches(groups, By.group)
    some = mails(made, lambda chosen: {g.paths[0]: b"b\n" if g in chosen else b"a\n" for g in groups}, SENDER)
    assert [one.name[:5] for one in some] == ["0001-", "0002-", "0003-"]


# --- the command ------------------------------------------------------------------------------------------------------


def split(*words: str | Path) -> int:
    program = typer.Typer()
    command.add_to(program)
    program.callback()(lambda: None)
    code = program(["split", *map(str, words)], standalone_mode=False)
    assert isinstance(code, int)
    return code


def test_the_command_writes_what_was_accepted(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    plan = frozen(root)
    first, second, third, _ = plan.groups
    plan = plan.decided([first, third], Decision(Verdict.ACCEPTED)).decided([second], Decision(Verdict.REFUSED))
    file, folder = tmp_path / "plan.json", tmp_path / "out dir"
    plan_file.save(plan, file)
    monkeypatch.chdir(root / "app")
    assert split(file, "--by", "group", "-o", folder) == 0
    out, err = capsysbinary.readouterr()
    assert len(out.splitlines()) == 2
    assert err.decode() == f"Wrote 2 patches of 2 groups. Next, in {root}: git am '{folder}'/*.patch\n"
    subprocess.run(f"git -c user.name=n -c user.email=e@x am -q '{folder}'/*.patch", shell=True, cwd=root, check=True)
    wanted = composed(plan, [first, third])
    assert {one: (root / one).read_bytes() for one in wanted} == wanted
    with pytest.raises(Stopped, match="changed since the plan was made"):
        split(file, "-o", tmp_path / "more")
    git(root, "checkout", "-q", "HEAD~2")
    with pytest.raises(Stopped, match="holds something already"):
        split(file, "-o", folder)
    plan_file.save(frozen(root), file)
    with pytest.raises(Stopped, match="no group is accepted"):
        split(file, "-o", tmp_path / "more")
    assert not (tmp_path / "more").exists()
