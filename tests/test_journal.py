"""What is kept of a run, where, and for whom it stops: one writer per tree, and nothing half done is left standing."""

from __future__ import annotations

import contextlib
import datetime
import io
import json
import os
import platform
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codemods import __version__
from codemods.apply import renaming
from codemods.apply.errors import (
    DamagedRun,
    NoStore,
    NoSuchRun,
    NotTakenBack,
    StaleFile,
    StrangersRun,
    TakenBackNow,
    TreeBusy,
    UnderLaterRuns,
    WriteRefused,
)
from codemods.apply.recovery import TakenBack, recover
from codemods.apply.run_record import GroupText, RecordError, RunRecord, RunText, dump, parse, sha256
from codemods.apply.run_store import Run, RunStore, State
from codemods.apply.run_writer import RunWriter
from codemods.apply.runs import listed, written
from codemods.apply.undo import undo
from codemods.apply.unfinished import Unfinished, unfinished
from codemods.apply.writer import write
from codemods.plan import Change, Finding, Group, Level, Site
from codemods.run_words import taken_back, why_not
from codemods.run_words import unfinished as told_unfinished

OLD, NEW = b"old\r\n", b"new\xff"
CHANGES = (
    Change("app/a.py", OLD, NEW, ()),
    Change("app/b.py", b"", NEW, ()),
    Change("made.py", None, b"made\n", ()),
)


@pytest.fixture(autouse=True)
def state_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Of a user of their own, who has no key yet."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_project(tmp_path / "project")


def make_project(root: Path) -> Path:
    (root / "app").mkdir(parents=True)
    (root / "app/a.py").write_bytes(OLD)
    (root / "app/b.py").write_bytes(b"")
    os.utime(root / "app/a.py", ns=(5, 1_600_000_000_123_456_789))
    (root / "app/a.py").chmod(0o640)
    (root / "app/b.py").chmod(0o644)
    return root


def git(folder: Path, *command: str) -> str:
    done = subprocess.run(
        ["git", "-c", "user.name=n", "-c", "user.email=e@x", *command], cwd=folder, check=True, capture_output=True
    )
    return done.stdout.decode()


@pytest.fixture
def repository(root: Path) -> Path:
    git(root, "init", "-q")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "all")
    return root


def refuse(taken: TakenBack) -> None:
    raise AssertionError(f"nothing was cut off: {taken}")


def apply(root: Path, changes: tuple[Change, ...] = CHANGES) -> str:
    return written(root, changes, what=RunText(), tell=refuse)


def files(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*.py")}


DONE = {"app/a.py": NEW, "app/b.py": NEW, "made.py": b"made\n"}


# --- what is kept, and where ------------------------------------------------------------------------------------------


def test_a_run_is_kept_with_all_that_it_replaced_and_wrote(root: Path) -> None:
    before = datetime.datetime.now(datetime.UTC)
    what = RunText((GroupText("session-scope:app.a.f:3fa9", ("session is never closed",), ("deps:f:1",)),), "plan.json")
    run = written(root, CHANGES, what=what, tell=refuse)
    assert files(root) == DONE
    assert re.fullmatch(r"\d{8}T\d{6}Z-[0-9a-f]{4}", run)
    folder = root / ".session-codemods" / run
    assert sorted(path.name for path in folder.iterdir()) == ["contents.zip", "done.json", "seal"]
    record = json.loads((folder / "done.json").read_bytes())
    assert before <= datetime.datetime.fromisoformat(record.pop("started")) <= datetime.datetime.now(datetime.UTC)
    mtime = (root / "app/b.py").stat().st_mtime_ns
    assert record["files"][1].pop("mtime_ns") <= mtime
    assert record == {
        "format": 1,
        "id": run,
        "number": 1,
        "tool_version": __version__,
        "root": ".",
        "undoes": "",
        "what": {
            "groups": [
                {"id": "session-scope:app.a.f:3fa9", "messages": ["session is never closed"], "needs": ["deps:f:1"]}
            ],
            "plan": "plan.json",
            "why": "",
            "verify": "",
        },
        "files": [
            {
                "path": "app/a.py",
                "existed": True,
                "before": sha256(OLD),
                "after": sha256(NEW),
                "mode": 0o640,
                "mtime_ns": 1_600_000_000_123_456_789,
            },
            {"path": "app/b.py", "existed": True, "before": sha256(b""), "after": sha256(NEW), "mode": 0o644},
            {
                "path": "made.py",
                "existed": False,
                "before": None,
                "after": sha256(b"made\n"),
                "mode": None,
                "mtime_ns": None,
            },
        ],
    }
    with zipfile.ZipFile(folder / "contents.zip") as contents:
        assert {contents.read(name) for name in contents.namelist()} == {OLD, NEW, b"", b"made\n"}


def test_the_text_of_a_run_is_that_of_its_groups() -> None:
    site = Site("a.py", 1, 1, 1, 2, "a")
    group = Group("g", (Finding("k", "r", site, Level.SAFE, "one"), Finding("l", "r", site, Level.SAFE, "two")))
    changes = [Change("a.py", b"", b"x", (group,)), Change("b.py", b"", b"x", (group,))]
    assert RunText.of_changes(changes) == RunText((GroupText("g", ("one", "two")),))
    of = RunText.of([group], {"g": frozenset({"z", "a"}), "other": ()}, "plan.json")
    assert of == RunText((GroupText("g", ("one", "two"), ("a", "z")),), "plan.json")


def test_a_record_from_before_plans_and_needs_were_kept_is_read(root: Path) -> None:
    record = record_of(root)
    record["what"] = {"groups": [{"id": "g", "messages": ["m"]}]}
    assert parse(json.dumps(record).encode()).what == RunText((GroupText("g", ("m",)),))


def test_outside_git_runs_are_kept_in_the_project_where_git_would_ignore_them(root: Path) -> None:
    apply(root)
    assert (root / ".session-codemods/.gitignore").read_bytes() == b"*\n"
    git(root, "init", "-q")
    assert ".session-codemods" not in git(root, "status", "--porcelain", "-uall")


def test_in_git_runs_are_kept_in_its_own_folder(repository: Path) -> None:
    run = apply(repository)
    assert (repository / ".git/session-codemods" / run / "done.json").is_file()
    assert not (repository / ".session-codemods").exists()
    assert git(repository, "status", "--porcelain").split() == ["M", "app/a.py", "M", "app/b.py", "??", "made.py"]


def test_each_working_tree_keeps_its_own_runs(repository: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    git(repository, "worktree", "add", "-q", str(other))
    run = apply(other)
    assert files(other) == DONE
    assert listed(repository) == ([], [])
    assert [line.id for line in listed(other)[0]] == [run]
    assert (repository / ".git/worktrees/other/session-codemods" / run).is_dir()


def test_projects_of_one_repository_see_their_own_runs(repository: Path) -> None:
    run = apply(repository / "app", (Change("a.py", OLD, NEW, ()),))
    other = apply(repository, (Change("made.py", None, b"made\n", ()),))
    assert [line.id for line in listed(repository / "app")[0]] == [run]
    assert [line.id for line in listed(repository)[0]] == [other]


def test_the_environment_of_a_hook_is_not_believed(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_DIR", "/nonexistent")
    run = apply(repository)
    assert (repository / ".git/session-codemods" / run).is_dir()


NO_ANSWER = {
    "git is not installed": ("PATH", "/nonexistent"),
    "git does not trust the folder": ("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1"),
}


@pytest.mark.parametrize("why", NO_ANSWER)
def test_where_git_does_not_answer_nothing_is_written_and_nothing_believed(
    repository: Path, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    plant(repository, ".git/hooks/post-commit")
    before = every_file(repository)
    monkeypatch.setenv(*NO_ANSWER[why])
    for act in (apply, lambda root: recover(root, refuse), listed):
        with pytest.raises(NoStore, match=r"git does not say where that is: .*(not installed|dubious ownership)"):
            act(repository)
    assert every_file(repository) == before


def test_runs_from_before_there_was_a_git_are_known_and_can_be_undone(root: Path) -> None:
    first = apply(root)
    git(root, "init", "-q")
    second = apply(root, (Change("app/b.py", NEW, b"newer", ()),))
    assert [line.id for line in listed(root)[0]] == [second, first]
    with pytest.raises(UnderLaterRuns, match=second):
        undo(root, first, tell=refuse)
    undo(root, tell=refuse)
    assert undo(root, tell=refuse).run == first
    assert files(root) == {"app/a.py": OLD, "app/b.py": b""}
    assert [line.state for line in listed(root)[0]] == [State.DONE, State.DONE, State.UNDONE, State.UNDONE]
    assert (root / ".git/session-codemods" / second).is_dir()


def test_a_run_that_was_cut_off_before_there_was_a_git_is_taken_back(root: Path) -> None:
    run = cut_off(root)
    git(root, "init", "-q")
    told: list[TakenBack] = []
    with pytest.raises(TakenBackNow):
        written(root, (Change("made2.py", None, b"", ()),), what=RunText(), tell=told.append)
    assert [(one.run, one.put_back) for one in told] == [(run, ("app/a.py", "app/b.py", "made.py"))]
    assert files(root) == {"app/a.py": OLD, "app/b.py": b""}


def test_runs_are_not_kept_behind_a_link(root: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (root / ".session-codemods").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(WriteRefused, match="is a link"):
        apply(root)
    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert files(root)["app/a.py"] == OLD


def test_a_file_behind_a_link_is_kept_under_its_own_name(root: Path) -> None:
    (root / "link.py").symlink_to("app/a.py")
    apply(root, (Change("link.py", OLD, NEW, ()),))
    assert listed(root)[0][0].files == ("app/a.py",)


def test_a_name_that_is_not_utf_8_is_kept(root: Path) -> None:
    name = os.fsdecode(b"caf\xe9.py")
    try:
        (root / name).write_bytes(OLD)
    except OSError:
        pytest.skip("this file system wants UTF-8")
    apply(root, (Change(name, OLD, NEW, ()),))
    assert listed(root)[0][0].files == (name,)


def test_no_changes_are_no_run(root: Path) -> None:
    assert apply(root, ()) == ""
    assert not (root / ".session-codemods").exists()


def test_what_is_refused_leaves_no_run(root: Path) -> None:
    with pytest.raises(StaleFile):
        apply(root, (*CHANGES, Change("app/c.py", None, b"", ()), Change("app/a.py", b"other", NEW, ())))
    assert listed(root) == ([], [])
    assert sorted(path.name for path in (root / ".session-codemods").iterdir()) == [".gitignore", "lock"]


def test_what_fails_half_way_leaves_no_run(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(one: Path, other: Path) -> bool:
        if other.name == "b.py":
            raise OSError(28, "No space left on device")
        return exchanged(one, other)

    exchanged = renaming.exchanged
    monkeypatch.setattr(renaming, "exchanged", full)
    with pytest.raises(WriteRefused, match=r"app/b\.py: cannot be written: No space left on device"):
        apply(root)
    assert files(root) == {"app/a.py": OLD, "app/b.py": b""}
    assert sorted(path.name for path in (root / ".session-codemods").iterdir()) == [".gitignore", "lock"]


def test_runs_are_listed_the_last_one_first(root: Path) -> None:
    ids = [apply(root, (Change(f"made{number}.py", None, b"", ()),)) for number in range(4)]
    lines, damaged = listed(root)
    assert [line.id for line in lines] == ids[::-1], "although all are of one second"
    assert {line.state for line in lines} == {State.DONE}
    assert damaged == []


def test_looking_at_runs_writes_nothing(root: Path) -> None:
    def everything() -> list[tuple[Path, int]]:
        return sorted((path, path.lstat().st_mtime_ns) for path in (root, *root.rglob("*")))

    before = everything()
    assert listed(root) == ([], [])
    recover(root, refuse)
    assert everything() == before
    apply(root)
    before = everything()
    assert len(listed(root)[0]) == 1
    recover(root, refuse)
    assert everything() == before


# --- records that cannot be read --------------------------------------------------------------------------------------


def record_of(root: Path) -> dict[str, object]:
    apply(root)
    content = json.loads(next(root.glob(".session-codemods/*/done.json")).read_bytes())
    assert isinstance(content, dict)
    return content


def test_a_record_is_read_as_it_was_written(root: Path) -> None:
    data = json.dumps(record_of(root)).encode()
    assert json.loads(dump(parse(data))) == json.loads(data)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("format", 2, "its format is 2, this version reads 1"),
        ("format", None, "its format is None"),
        ("number", "7", "expected int @ \\$.number"),
        ("more", 1, "more"),
        ("root", "../other", "leads out of the project"),
        ("root", "/etc", "leads out of the project"),
        ("root", ".git/hooks", "not the project's"),
        ("started", "yesterday", "is no time"),
        ("started", "2026-01-01T00:00:00", "is no time"),
        ("id", "../../x", "is no id of a run"),
        ("files", [{}], "files"),
    ],
)
def test_a_record_that_is_not_whole_is_refused(root: Path, key: str, value: object, message: str) -> None:
    with pytest.raises(RecordError, match=message):
        parse(json.dumps({**record_of(root), key: value}).encode())


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("path", "../x.py", "leads out of the project"),
        ("path", "/x.py", "leads out of the project"),
        ("before", "zz", "no right checksum"),
        ("existed", False, "contradicts itself"),
        ("mode", True, "expected int"),
        ("mode", 0o4755, "has the mode 0o4755"),
        ("mtime_ns", 2**63, "no right time"),
        ("path", "app/.GIT/x", "not the project's"),
        ("path", "\ud800.py", "is no name of a file"),
    ],
)
def test_a_file_of_a_record_that_is_wrong_is_refused(root: Path, key: str, value: object, message: str) -> None:
    record = record_of(root)
    assert isinstance(record["files"], list)
    record["files"][0][key] = value
    with pytest.raises(RecordError, match=message):
        parse(json.dumps(record).encode())


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b"\xff", b"[" * 100_000])
def test_what_is_no_record_at_all_is_refused(data: bytes) -> None:
    with pytest.raises(RecordError):
        parse(data)


def test_a_run_that_cannot_be_read_is_named_and_the_others_are_listed(root: Path) -> None:
    first, second = apply(root), apply(root, (Change("made2.py", None, b"", ()),))
    place = root / ".session-codemods" / first / "done.json"
    place.write_bytes(b"{")
    lines, damaged = listed(root)
    assert [line.id for line in lines] == [second]
    assert str(place) in str(damaged[0])
    apply(root, (Change("made3.py", None, b"", ()),))


def test_a_run_that_was_cut_off_and_cannot_be_read_stops_the_next_one(root: Path) -> None:
    run = apply(root)
    folder = root / ".session-codemods" / run
    (folder / "done.json").rename(folder / "writing.json")
    (folder / "writing.json").write_bytes(b'{"format": 2}')
    with pytest.raises(DamagedRun, match=r"its format is 2.*remove the folder"):
        apply(root, (Change("made2.py", None, b"", ()),))
    assert not (root / "made2.py").exists()


# --- what came with the project ---------------------------------------------------------------------------------------


def every_file(root: Path) -> dict[str, tuple[int, bytes]]:
    """But those that hold and tell the lock."""
    return {
        path.relative_to(root).as_posix(): (path.lstat().st_mode, path.read_bytes())
        for path in root.rglob("*")
        if path.is_file() and path.name not in ("lock", ".gitignore")
    }


EVIL = b"#!/bin/sh\necho evil\n"


def plant(root: Path, path: str, now: bytes | None = None, *, folder: Path | None = None, mode: int = 0o755) -> Path:
    """What a stranger puts into a project: a run that looks cut off, so that `path` gets what it "held before"."""
    name = "20260101T000000Z-abcd"
    content = {
        "format": 1,
        "id": name,
        "number": 1,
        "tool_version": __version__,
        "started": "2026-01-01T00:00:00+00:00",
        "root": ".",
        "undoes": "",
        "what": {"groups": []},
        "files": [
            {
                "path": path,
                "existed": True,
                "before": sha256(EVIL),
                "after": sha256(now),
                "mode": mode,
                "mtime_ns": 0,
            }
        ],
    }
    run = (folder or root / ".session-codemods") / name
    run.mkdir(parents=True)
    (run / "writing.json").write_text(json.dumps(content))
    with zipfile.ZipFile(run / "contents.zip", "w") as contents:
        contents.writestr(str(sha256(EVIL)), EVIL)
    return run


def test_a_run_that_came_with_the_project_is_not_believed_and_named(root: Path) -> None:
    run = plant(root, "app/a.py", OLD)
    before = every_file(root)
    why = rf"no seal of yours, .*{re.escape(str(run))}; remove the folder when the files of the project are as they"
    for act in (apply, lambda root: recover(root, refuse), lambda root: undo(root, tell=refuse)):
        with pytest.raises(StrangersRun, match=why):
            act(root)
    lines, damaged = listed(root)
    assert (lines, [one.run for one in damaged]) == ([], [run.name])
    assert every_file(root) == before
    shutil.rmtree(run)
    apply(root)
    assert files(root) == DONE


def test_a_run_that_came_with_the_project_cannot_be_undone(root: Path) -> None:
    run = plant(root, "app/a.py", OLD)
    (run / "writing.json").rename(run / "done.json")
    with pytest.raises(StrangersRun, match="no seal of yours"):
        undo(root, run.name, tell=refuse)
    with pytest.raises(NoSuchRun):
        undo(root, tell=refuse)
    assert files(root)["app/a.py"] == OLD


def test_a_run_of_somebody_else_with_a_key_of_their_own_is_not_believed(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut_off(root)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "other"))
    with pytest.raises(StrangersRun):
        recover(root, refuse)
    assert not (tmp_path / "other").exists(), "looking makes no key"
    apply(other := make_project(tmp_path / "second"))
    assert (tmp_path / "other/session-codemods/key").is_file()
    with pytest.raises(StrangersRun):
        recover(root, refuse)
    assert files(root) == files(other) == DONE


def test_a_record_that_was_changed_loses_its_seal(root: Path) -> None:
    run = cut_off(root)
    place = root / ".session-codemods" / run / "writing.json"
    place.write_bytes(place.read_bytes().replace(b'"app/b.py"', b'"app/c.py"'))
    with pytest.raises(StrangersRun):
        recover(root, refuse)
    assert files(root) == DONE


def test_a_run_is_not_read_through_a_link(root: Path, tmp_path: Path) -> None:
    run = cut_off(root)
    (root / ".session-codemods" / run).rename(tmp_path / run)
    (root / ".session-codemods" / run).symlink_to(tmp_path / run)
    with pytest.raises(StrangersRun):
        recover(root, refuse)


def test_a_lock_that_is_a_link_is_not_opened(root: Path, tmp_path: Path) -> None:
    (tmp_path / "precious").write_bytes(b"precious")
    (root / ".session-codemods").mkdir()
    (root / ".session-codemods/lock").symlink_to(tmp_path / "precious")
    with pytest.raises(WriteRefused, match="lock: is a link"):
        apply(root)
    assert (tmp_path / "precious").read_bytes() == b"precious"


@pytest.mark.parametrize("mode", [0o644, 0o602])
def test_a_key_that_others_may_know_is_none(root: Path, state_folder: Path, mode: int) -> None:
    cut_off(root)
    key = state_folder / "session-codemods/key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    key.chmod(mode)
    with pytest.raises(StrangersRun):
        recover(root, refuse)
    with pytest.raises(WriteRefused, match="key: is not a key that you alone can read"):
        apply(make_project(root.parent / "second"))
    assert files(root.parent / "second") == {"app/a.py": OLD, "app/b.py": b""}


@pytest.mark.parametrize("data", [b"", b"x" * 31, b"x" * 33, None])
def test_what_is_no_key_is_neither_used_nor_replaced(root: Path, state_folder: Path, data: bytes | None) -> None:
    key = state_folder / "session-codemods/key"
    key.parent.mkdir(parents=True)
    if data is None:
        (state_folder / "other").write_bytes(b"x" * 32)
        (state_folder / "other").chmod(0o600)
        key.symlink_to(state_folder / "other")
    else:
        key.write_bytes(data)
        key.chmod(0o600)
    with pytest.raises(WriteRefused, match="remove it"):
        apply(root)
    assert files(root) == {"app/a.py": OLD, "app/b.py": b""}
    assert key.is_symlink() if data is None else key.read_bytes() == data
    assert list(root.glob(".session-codemods/*Z-*")) == []


def test_a_key_within_the_project_would_come_with_it_and_is_none(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = cut_off(root)
    shutil.copytree(root.parent / "state", root / "state")
    monkeypatch.setenv("XDG_STATE_HOME", str(root / "state"))
    with pytest.raises(StrangersRun, match=run):
        recover(root, refuse)
    (root / ".session-codemods" / run / "writing.json").rename(root / ".session-codemods" / run / "done.json")
    with pytest.raises(WriteRefused, match="set XDG_STATE_HOME to another folder"):
        apply(root, (Change("made2.py", None, b"", ()),))
    assert not (root / "made2.py").exists()


def test_where_no_key_can_be_made_nothing_is_written(root: Path, state_folder: Path) -> None:
    state_folder.write_bytes(b"a file in the way")
    with pytest.raises(WriteRefused, match="which cannot be made: Not a directory"):
        apply(root)
    assert files(root) == {"app/a.py": OLD, "app/b.py": b""}


def test_in_git_no_key_is_needed(repository: Path, state_folder: Path) -> None:
    apply(repository)
    assert not state_folder.exists()


def test_in_git_a_run_that_came_with_the_project_is_not_believed(repository: Path) -> None:
    run = plant(repository, "app/c.py")
    git(repository, "add", "-Af")
    git(repository, "commit", "-qm", "more")
    with pytest.raises(StrangersRun, match=re.escape(str(run))):
        apply(repository)
    assert not (repository / "app/c.py").exists()
    assert files(repository)["app/a.py"] == OLD


SPELLINGS = (
    *(".git/hooks/post-commit", ".GIT/config", "app/.Git/config", ".git", "git~1/config", ".git /config", ".git./x"),
    *(
        ".git::$INDEX_ALLOCATION/x",
        ".g\u200cit/config",
        "app\\.git\\config",
        ".session-codemods/x",
        ".Session-Codemods/x",
    ),
)


@pytest.mark.parametrize("path", SPELLINGS)
def test_a_record_that_leads_into_the_folder_of_git_or_of_the_runs_is_refused(repository: Path, path: str) -> None:
    (repository / ".git/session-codemods").mkdir()
    plant(repository, path, folder=repository / ".git/session-codemods")
    before = every_file(repository)
    with pytest.raises(DamagedRun, match="leads to what is not the project's"):
        recover(repository, refuse)
    assert every_file(repository) == before


@pytest.mark.parametrize("path", SPELLINGS)
def test_the_writer_writes_nothing_there_either(repository: Path, path: str) -> None:
    before = every_file(repository)
    with pytest.raises(WriteRefused, match="which is not the project's"):
        write(repository, (*CHANGES, Change(path, None, EVIL, ())))
    assert every_file(repository) == before


def test_nor_through_a_link_within_the_project(repository: Path) -> None:
    (repository / "hooks").symlink_to(".git/hooks")
    with pytest.raises(WriteRefused, match=r"hooks/post-commit: stands in \.git, which is not the project's"):
        write(repository, (Change("hooks/post-commit", None, EVIL, ()),))
    assert not (repository / ".git/hooks/post-commit").exists()


@pytest.mark.parametrize("name", [".gitignore", ".github/x.py", "a.git/x.py", ".gitx", "git", ".session-codemods.py"])
def test_names_that_only_look_like_it_are_written(root: Path, name: str) -> None:
    (root / name).parent.mkdir(exist_ok=True)
    apply(root, (Change(name, None, NEW, ()),))
    undo(root, tell=refuse)
    assert not (root / name).exists()


@pytest.mark.parametrize("mode", [0o4755, 0o2755, 0o1777, -1])
def test_a_mode_that_says_more_than_who_may_read_write_and_run_is_refused(repository: Path, mode: int) -> None:
    (repository / ".git/session-codemods").mkdir()
    plant(repository, "app/c.py", folder=repository / ".git/session-codemods", mode=mode)
    with pytest.raises(DamagedRun, match="has the mode"):
        recover(repository, refuse)
    assert not (repository / "app/c.py").exists()


def test_a_file_keeps_such_a_mode_through_writing_and_undoing(root: Path) -> None:
    (root / "app/a.py").chmod(0o2750)
    if stat.S_IMODE((root / "app/a.py").stat().st_mode) != 0o2750:
        pytest.skip("this system does not keep it")
    apply(root)
    assert stat.S_IMODE((root / "app/a.py").stat().st_mode) == 0o2750
    undo(root, tell=refuse)
    assert stat.S_IMODE((root / "app/a.py").stat().st_mode) == 0o2750


def test_a_name_that_could_not_be_read_again_is_refused_before_anything_is_written(root: Path) -> None:
    with pytest.raises((WriteRefused, UnicodeEncodeError)):
        apply(root, (*CHANGES, Change("app/\ud800.py", None, b"", ())))
    assert files(root) == {"app/a.py": OLD, "app/b.py": b""}


# --- one that was cut off ---------------------------------------------------------------------------------------------


def cut_off(root: Path, changes: tuple[Change, ...] = CHANGES) -> str:
    """All was written, and then the process died."""
    run = apply(root, changes)
    folder = root / ".session-codemods" / run
    (folder / "done.json").rename(folder / "writing.json")
    return run


def test_a_run_that_was_cut_off_is_taken_back_by_the_next_one(root: Path) -> None:
    run = cut_off(root)
    told: list[TakenBack] = []
    changes = (Change("made2.py", None, b"", ()),)
    with pytest.raises(TakenBackNow) as caught:  # what was planned may rest on what was half written
        written(root, changes, what=RunText(), tell=told.append)
    assert why_not(caught.value, "written").endswith("have just been put back; run the command again")
    next_run = apply(root, changes)
    assert told == [TakenBack(run, "", ("app/a.py", "app/b.py", "made.py"), (), ())]
    assert files(root) == {"app/a.py": OLD, "app/b.py": b"", "made2.py": b""}
    status = (root / "app/a.py").stat()
    assert (status.st_mode & 0o777, status.st_mtime_ns) == (0o640, 1_600_000_000_123_456_789)
    assert [(line.id, line.state) for line in listed(root)[0]] == [(next_run, State.DONE), (run, State.UNDONE)]


def test_what_changed_since_is_left_alone_and_named(root: Path) -> None:
    run = cut_off(root)
    (root / "app/b.py").write_bytes(b"by hand")
    (root / "made.py").unlink()
    (root / "made.py").mkdir()
    told: list[TakenBack] = []
    recover(root, told.append)
    assert told == [TakenBack(run, "", ("app/a.py",), ("app/b.py", "made.py"), ())]
    assert (root / "app/b.py").read_bytes() == b"by hand"
    assert taken_back(told[0]) == (
        f"run {run} had been cut off; 1 file put back as before it\n"
        "  app/b.py: changed since; it was left as it is\n"
        "  made.py: changed since; it was left as it is\n"
    )


def test_temporary_companions_of_a_run_go_and_those_of_others_stay(root: Path) -> None:
    run = cut_off(root)
    ours = root / f"app/.{run}.0a1b2c3d.session-codemods"
    ours.write_bytes(NEW[:2])
    theirs = [root / "app/.x.session-codemods", root / f"app/{run}.session-codemods", root / f"app/.{run}.py"]
    for path in theirs:
        path.write_bytes(b"")
    recover(root, lambda taken: None)
    assert not ours.exists()
    assert all(path.exists() for path in theirs)


def test_a_companion_that_holds_what_somebody_saved_stays_and_is_named(root: Path) -> None:
    run = cut_off(root)
    saved = root / f"app/.{run}.0a1b2c3d.session-codemods"
    saved.write_bytes(b"somebody's work")
    told: list[TakenBack] = []
    recover(root, told.append)
    assert saved.read_bytes() == b"somebody's work"
    assert told[0].kept == (saved.relative_to(root).as_posix(),)
    assert "look at it, then remove it" in taken_back(told[0])


def test_one_that_cannot_be_taken_back_is_tried_again(root: Path) -> None:
    run = cut_off(root)
    os.link(root / "app/a.py", root / "second.txt")
    told: list[TakenBack] = []
    with pytest.raises(NotTakenBack, match=r"app/a\.py: has more than one hard link") as caught:
        recover(root, told.append)
    assert why_not(caught.value, "written").endswith("mend that, then run the command again")
    assert [one.put_back for one in told] == [("app/b.py", "made.py")]
    assert listed(root)[0][0].state is State.WRITING
    (root / "second.txt").unlink()
    recover(root, told.append)
    assert [one.put_back for one in told] == [("app/b.py", "made.py"), ("app/a.py",)]
    assert (listed(root)[0][0].id, listed(root)[0][0].state) == (run, State.UNDONE)


def archive(*contents: bytes) -> bytearray:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as kept:
        for data in contents:
            kept.writestr(zipfile.ZipInfo(str(sha256(data))), data, zipfile.ZIP_DEFLATED)
    return bytearray(buffer.getvalue())


def stomped(stream: bytes) -> bytes:
    """Other bytes where the first content stands."""
    data = archive(OLD)
    start = 30 + len(str(sha256(OLD)))
    data[start : start + len(stream)] = stream
    return bytes(data)


def marked(method: int, flags: int) -> bytes:
    """Packed in a way that this version does not know, or needs a password for."""
    data = archive(OLD)
    listing = data.index(b"PK\x01\x02")
    for at in (6, listing + 8):
        data[at : at + 2] = flags.to_bytes(2, "little")
    for at in (8, listing + 10):
        data[at : at + 2] = method.to_bytes(2, "little")
    return bytes(data)


DAMAGED = {
    "no such block": stomped(b"\xff\xff"),
    "ends too early": stomped(b"\x03\x00"),
    "other bytes": stomped(b"\x00\x00\x00"),
    "cut off": bytes(archive(OLD))[:60],
    "without its list": bytes(archive(OLD))[:-30],
    "with a password": marked(8, 1),
    "unknown method": marked(77, 0),
    "lzma": marked(14, 0),
    "bzip2": marked(12, 0),
}


@pytest.mark.parametrize("how", DAMAGED)
def test_one_content_that_is_damaged_keeps_only_its_own_file_from_being_put_back(root: Path, how: str) -> None:
    run, other = apply(root, CHANGES[:1]), apply(root, CHANGES[1:])
    for folder in (root / ".session-codemods" / run, root / ".session-codemods" / other):
        (folder / "done.json").rename(folder / "writing.json")
    (root / ".session-codemods" / run / "contents.zip").write_bytes(DAMAGED[how])
    told: list[TakenBack] = []
    with pytest.raises(NotTakenBack, match=rf"app/a\.py: .*{run}.*put it right by hand, or remove that folder"):
        recover(root, told.append)
    assert [(one.run, one.put_back) for one in told] == [(other, ("app/b.py", "made.py"))]
    assert files(root) == {"app/a.py": NEW, "app/b.py": b""}
    (root / "app/a.py").write_bytes(OLD)
    recover(root, told.append)
    assert [line.state for line in listed(root)[0]] == [State.UNDONE, State.UNDONE]


@given(st.data())
def test_whatever_is_damaged_in_the_contents_is_told_as_that(data: st.DataObject) -> None:
    whole = archive(OLD, NEW * 50)
    at = data.draw(st.integers(0, len(whole) - 1))
    damage = data.draw(st.binary(min_size=1, max_size=8))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "contents.zip").write_bytes(whole[:at] + damage + whole[at + len(damage) :])
        record = RunRecord("20260101T000000Z-abcd", 1, "", "2026-01-01T00:00:00+00:00", ".", "", RunText(), ())
        run = Run(record, State.WRITING, folder, folder)
        for content in (OLD, NEW * 50):
            with contextlib.suppress(DamagedRun):
                assert run.content(str(sha256(content))) == content


@pytest.mark.parametrize("data", [b"no archive", None, "other content"])
def test_contents_that_were_damaged_are_not_put_back(root: Path, data: bytes | str | None) -> None:
    run = cut_off(root)
    place = root / ".session-codemods" / run / "contents.zip"
    if isinstance(data, str):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr(str(sha256(OLD)), data)
            archive.writestr(str(sha256(b"")), data)
        data = buffer.getvalue()
    if data is None:
        place.unlink()
    else:
        place.write_bytes(data)
    with pytest.raises(NotTakenBack, match=re.escape(str(place.parent))):
        recover(root, lambda taken: None)
    assert files(root) == {"app/a.py": NEW, "app/b.py": NEW}


def test_a_record_that_a_stranger_made_writes_nothing_through_a_link(root: Path, tmp_path: Path) -> None:
    cut_off(root)
    outside = tmp_path / "outside"
    (root / "app").rename(outside)
    (root / "app").symlink_to(outside)
    told: list[TakenBack] = []
    recover(root, told.append)
    assert told[0].left == ("app/a.py", "app/b.py")
    assert (outside / "a.py").read_bytes() == NEW


def test_what_people_are_told_is_escaped() -> None:
    text = taken_back(TakenBack("r", "q", (), ("a\x1b[2J\n.py",), ("\u202e",)))
    assert all(char.isprintable() or char == "\n" for char in text)
    assert text.startswith("undoing run q had been cut off; no file had been changed\n")
    assert len(text.splitlines()) == 3


# --- one writer per tree ----------------------------------------------------------------------------------------------

WAITING = """
import sys
from pathlib import Path
from codemods.apply import renaming
from codemods.apply.run_record import RunText
from codemods.apply.runs import written
from codemods.plan import Change
real = renaming.exchanged
def exchanged(one, other):
    print("writing", flush=True)
    sys.stdin.readline()
    return real(one, other)
renaming.exchanged = exchanged
written(Path(sys.argv[1]), [Change("app/a.py", b"old\\r\\n", b"first", ())], what=RunText(), tell=print)
"""


def start_waiting(root: Path) -> subprocess.Popen[bytes]:
    first = subprocess.Popen(
        [sys.executable, "-c", WAITING, str(root)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
    )
    assert first.stdout is not None
    assert first.stdout.readline() == b"writing\n"
    return first


def test_of_two_at_once_the_second_says_who_writes_and_changes_nothing(root: Path) -> None:
    with start_waiting(root) as first:
        before = files(root)
        for _ in range(2):
            with pytest.raises(TreeBusy) as caught:
                apply(root)
        assert files(root) == before
        said = why_not(caught.value, "written")
        now = datetime.datetime.now(datetime.UTC)
        assert re.fullmatch(
            rf"nothing was written: process {first.pid}, since {now:%Y-%m-%d} \d\d:\d\d:\d\d UTC, "
            r"is writing in this tree; try again when it has ended",
            said,
        )
        with pytest.raises(TreeBusy):
            recover(root, refuse)
        assert listed(root)[0][0].state is State.WRITING
        first.communicate(b"\n")
    assert first.returncode == 0
    assert (root / "app/a.py").read_bytes() == b"first"
    with pytest.raises(StaleFile, match=r"app/a\.py: changed since it was read"):
        apply(root)
    assert files(root) == {"app/a.py": b"first", "app/b.py": b""}


def test_a_lock_goes_with_its_process(root: Path) -> None:
    with start_waiting(root) as first:
        first.send_signal(signal.SIGKILL)
    told: list[TakenBack] = []
    assert written(root, CHANGES, what=RunText(), tell=told.append)
    assert [one.put_back for one in told] == [()], "the file was not moved yet"
    assert files(root) == DONE


SECOND = (Change("app/a.py", NEW, b"newer", ()),)


def test_from_its_first_run_until_it_is_closed_a_writer_is_the_only_one(root: Path) -> None:
    other = (Change("made2.py", None, b"", ()),)
    with RunWriter(root, refuse) as writer:
        earlier = apply(root, other)
        run = writer.write(CHANGES, RunText())
        for act in (lambda: apply(root, SECOND), lambda: undo(root, tell=refuse), lambda: undo(root, run, tell=refuse)):
            with pytest.raises(TreeBusy, match=f"process {os.getpid()}, since"):
                act()
        assert files(root) == {**DONE, "made2.py": b""}
        assert [line.id for line in listed(root)[0]] == [run, earlier], "who only reads is let in"
        assert unfinished(root) == ()
        recover(root, refuse)
        assert writer.take_back(run, "because").run == run
        again = writer.write(CHANGES, RunText())
        with pytest.raises(TreeBusy):
            undo(root, tell=refuse)
    assert [line.why for line in listed(root)[0]] == ["", "because", "", ""]
    assert undo(root, tell=refuse).run == again
    assert files(root) == {"app/a.py": OLD, "app/b.py": b"", "made2.py": b""}


def test_a_writer_that_wrote_nothing_leaves_nothing(root: Path) -> None:
    with RunWriter(root, refuse) as writer:
        assert writer.write((), RunText()) == ""
    assert not (root / ".session-codemods").exists()


def test_a_writer_that_is_refused_lets_others_in(root: Path) -> None:
    with RunWriter(root, refuse) as writer, contextlib.suppress(StaleFile):
        writer.write((Change("app/a.py", b"other", NEW, ()),), RunText())
    apply(root)


def test_a_writer_that_found_a_run_cut_off_lets_others_in(root: Path) -> None:
    cut_off(root)
    with RunWriter(root, lambda taken: None) as writer:
        with pytest.raises(TakenBackNow):
            writer.write((Change("made2.py", None, b"", ()),), RunText())
        apply(root)
    assert files(root) == DONE


def test_what_a_writer_takes_back_needs_no_leave_of_earlier_runs(root: Path) -> None:
    what = RunText((GroupText("deps", ()),))
    needed = written(root, CHANGES[:1], what=what, tell=refuse)
    written(root, CHANGES[1:2], what=RunText((GroupText("carts", (), ("deps",)),)), tell=refuse)
    undo(root, needed, force=True, tell=refuse)
    with RunWriter(root, refuse) as writer:
        writer.take_back(writer.write(CHANGES[:1], what), "because")
    assert files(root) == {"app/a.py": OLD, "app/b.py": NEW}


# --- what those hear who only read ------------------------------------------------------------------------------------


def test_a_run_that_was_cut_off_is_known_and_nothing_is_touched(root: Path) -> None:
    run = cut_off(root)
    before = every_file(root)
    assert unfinished(root) == (Unfinished(run, "", was_cut_off=True),)
    assert told_unfinished(unfinished(root)) == (
        f"run {run} was cut off, and files may be half written; `undo` takes it back\n"
    )
    assert every_file(root) == before
    assert unfinished(root.parent / "elsewhere") == ()
    undo(root, tell=lambda taken: None)
    assert unfinished(root) == ()


def test_of_an_undo_that_was_cut_off_it_is_told_how_to_do_it_again(root: Path) -> None:
    run = apply(root)
    by = undo(root, tell=refuse).by
    (root / ".session-codemods" / by / "done.json").rename(root / ".session-codemods" / by / "writing.json")
    assert unfinished(root) == (Unfinished(by, run, was_cut_off=True),)
    assert told_unfinished(unfinished(root)) == (
        f"undoing run {run} was cut off, and files may be half written; `undo {run}` does it again\n"
    )
    assert undo(root, run, tell=lambda taken: None).run == run


HOLDERS: dict[str, tuple[Callable[[], object], bool]] = {
    "this process": (lambda: {"pid": os.getpid(), "host": platform.node()}, False),
    "one that is gone": (lambda: {"pid": ended(), "host": platform.node()}, True),
    "one of another computer": (lambda: {"pid": ended(), "host": "other"}, False),
    "no process": (lambda: {"pid": -1, "host": platform.node()}, False),
    "too large a number": (lambda: {"pid": 10**30, "host": platform.node()}, False),
    "an older note": (lambda: {"pid": ended()}, False),
    "no object": (lambda: 7, False),
}


def ended() -> int:
    """The id of a process that is no more."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@pytest.mark.parametrize("who", HOLDERS)
def test_who_only_looks_says_that_a_run_may_be_going_on_unless_its_process_is_known_to_be_gone(
    root: Path, who: str
) -> None:
    run = cut_off(root)
    holder, was_cut_off = HOLDERS[who]
    (root / ".session-codemods/holder.json").write_text(json.dumps(holder()))
    assert unfinished(root) == (Unfinished(run, "", was_cut_off),)
    if not was_cut_off:
        assert told_unfinished(unfinished(root)) == (
            f"run {run} is going on, or was cut off, and files may be half written;"
            " if it was cut off, `undo` takes it back\n"
        )


def test_a_run_of_another_project_of_the_repository_is_not_told(repository: Path) -> None:
    (repository / "other").mkdir()
    run = apply(repository / "app", (Change("a.py", OLD, NEW, ()),))
    folder = repository / ".git/session-codemods" / run
    (folder / "done.json").rename(folder / "writing.json")
    assert [one.id for one in unfinished(repository)] == [one.id for one in unfinished(repository / "app")] == [run]
    assert unfinished(repository / "other") == ()


def test_one_whose_record_cannot_be_read_is_told_with_the_reason(root: Path) -> None:
    run = cut_off(root)
    (root / ".session-codemods" / run / "writing.json").write_bytes(b"{")
    (found,) = unfinished(root)
    assert (found.id, found.was_cut_off) == (run, True)
    assert "files may be half written; the record of a run cannot be read" in told_unfinished([found])


def test_a_run_that_came_with_the_project_is_not_told_as_ours(root: Path) -> None:
    plant(root, "app/a.py", OLD)
    assert unfinished(root) == ()


def test_where_git_does_not_answer_nothing_is_told(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cut_off_in_git = apply(repository)
    folder = repository / ".git/session-codemods" / cut_off_in_git
    (folder / "done.json").rename(folder / "writing.json")
    monkeypatch.setenv("PATH", "/nonexistent")
    assert unfinished(repository) == ()


def test_looking_for_half_written_runs_loads_nothing_heavy(root: Path) -> None:
    script = (
        "import sys\nfrom pathlib import Path\nfrom codemods import run_words\nfrom codemods.apply import unfinished\n"
        "run_words.unfinished(unfinished.unfinished(Path(sys.argv[1])))\n"
        "print([name for name in ('libcst', 'cattrs', 'filelock') if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(root)], capture_output=True, check=True)
    assert done.stdout == b"[]\n"


def test_of_many_at_once_exactly_one_writes(root: Path) -> None:
    script = """
import sys
from pathlib import Path
from codemods.apply.errors import StaleFile, TreeBusy
from codemods.apply.run_record import RunText
from codemods.apply.runs import written
from codemods.plan import Change
print("ready", flush=True)
sys.stdin.readline()
after = sys.argv[2].encode()
changes = [Change("app/a.py", b"old\\r\\n", after, ()), Change("app/b.py", b"", after, ())]
try:
    written(Path(sys.argv[1]), changes, what=RunText(), tell=print)
except (StaleFile, TreeBusy):
    sys.exit(2)
"""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(root), str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
        )
        for number in range(6)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(b"\n")
    for process in processes:
        process.communicate()
    codes = [process.returncode for process in processes]
    assert sorted(codes) == [0, 2, 2, 2, 2, 2]
    winner = str(codes.index(0)).encode()
    assert files(root) == {"app/a.py": winner, "app/b.py": winner}


def test_without_a_place_for_the_journal_nothing_is_written(root: Path) -> None:
    (root / ".session-codemods").write_bytes(b"a file in the way")
    with pytest.raises(WriteRefused, match=r"\.session-codemods: cannot be"):
        apply(root)
    assert files(root) == {"app/a.py": OLD, "app/b.py": b""}


def test_a_store_knows_the_top_of_its_repository(repository: Path) -> None:
    store = RunStore.of(repository / "app")
    assert (store.folder, store.top) == (repository / ".git/session-codemods", repository)
