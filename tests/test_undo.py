"""`undo` gives back content, mode and time of what a run wrote, or nothing; `runs` lists them."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
from pathlib import Path
from typing import TypeAlias

import pytest
import typer

from codemods.apply.errors import ChangedSince, Needed, NoSuchRun, UnderLaterRuns, UndoRefused, WriteRefused
from codemods.apply.git import DirtyFiles, NoRepository, guard
from codemods.apply.recovery import TakenBack, recover
from codemods.apply.run_record import GroupText, RunText
from codemods.apply.run_store import State
from codemods.apply.run_writer import RunWriter
from codemods.apply.runs import as_written, listed, written
from codemods.apply.undo import Undone, undo
from codemods.cli import runs as commands
from codemods.cli.stopping import Stopped
from codemods.plan import Change
from codemods.run_words import why_not

OLD, NEW = b"old\r\n", b"new\xff"

Picture = dict[str, tuple[int, int, bytes]]


def git(folder: Path, *command: str) -> str:
    done = subprocess.run(
        ["git", "-c", "user.name=n", "-c", "user.email=e@x", *command], cwd=folder, check=True, capture_output=True
    )
    return done.stdout.decode()


Captured: TypeAlias = pytest.CaptureFixture[bytes]


@pytest.fixture(autouse=True)
def state_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Of a user of their own, who has no key yet."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    (root / "app").mkdir(parents=True)
    (root / "pyproject.toml").write_bytes(b"")
    for number, name in enumerate(("app/a.py", "app/b.py", "c.py")):
        (root / name).write_bytes(OLD)
        (root / name).chmod((0o640, 0o755, 0o600)[number])
        os.utime(root / name, ns=(7, 1_600_000_000_123_456_789 + number))
    return root


def picture(root: Path) -> Picture:
    return {
        path.relative_to(root).as_posix(): (
            stat.S_IMODE(path.lstat().st_mode),
            path.lstat().st_mtime_ns,
            path.read_bytes(),
        )
        for path in sorted(root.rglob("*"))
        if path.is_file() and ".session-codemods" not in path.parts
    }


def contents(root: Path) -> dict[str, bytes]:
    return {name: data for name, (_, _, data) in picture(root).items() if name != "pyproject.toml"}


def refuse(taken: TakenBack) -> None:
    raise AssertionError(f"nothing was cut off: {taken}")


def apply(root: Path, *paths: str, before: bytes = OLD, after: bytes = NEW, made: tuple[str, ...] = ()) -> str:
    changes = [Change(path, before, after, ()) for path in paths]
    new = [Change(path, None, b"made\n", ()) for path in made]
    what = RunText((GroupText("session-scope:app.a.f:3fa9", ("session is never closed",)),))
    return written(root, [*changes, *new], what=what, tell=refuse)


def take_back(root: Path, run: str | None = None, *, force: bool = False) -> Undone:
    return undo(root, run, force, tell=refuse)


def states(root: Path) -> dict[str, State]:
    return {line.id: line.state for line in listed(root)[0]}


def test_content_mode_and_time_return_and_what_was_made_goes(root: Path) -> None:
    before = picture(root)
    run = apply(root, "app/a.py", "app/b.py", made=("d.py",))
    done = take_back(root)
    assert picture(root) == before
    assert done == Undone(run, done.by, root, ("app/a.py", "app/b.py"), ("d.py",), ())
    assert states(root) == {run: State.UNDONE, done.by: State.DONE}


def test_a_mode_that_was_given_since_stays(root: Path) -> None:
    before = picture(root)
    apply(root, "app/a.py", "app/b.py", made=("d.py",))
    (root / "app/a.py").chmod(0o750)
    (root / "d.py").chmod(0o755)
    by = take_back(root).by
    assert picture(root) == {**before, "app/a.py": (0o750, *before["app/a.py"][1:])}
    (root / "app/b.py").chmod(0o700)
    take_back(root, by)
    modes = {name: mode for name, (mode, _, _) in picture(root).items()}
    assert (modes["app/a.py"], modes["app/b.py"], modes["d.py"]) == (0o750, 0o700, 0o755)


def test_a_mode_that_was_given_since_a_run_was_cut_off_stays(root: Path) -> None:
    run = apply(root, "app/a.py")
    folder = root / ".session-codemods" / run
    (folder / "done.json").rename(folder / "writing.json")
    (root / "app/a.py").chmod(0o750)
    recover(root, lambda taken: None)
    assert picture(root)["app/a.py"] == (0o750, 1_600_000_000_123_456_789, OLD)


def test_without_a_name_it_is_the_last_run_that_is_not_undone(root: Path) -> None:
    first = apply(root, "app/a.py")
    second = apply(root, "app/b.py")
    assert take_back(root).run == second
    assert take_back(root).run == first
    with pytest.raises(NoSuchRun):
        take_back(root)
    assert contents(root) == dict.fromkeys(("app/a.py", "app/b.py", "c.py"), OLD)


def test_a_run_is_named_by_how_its_id_begins(root: Path) -> None:
    first = apply(root, "app/a.py")
    apply(root, "app/b.py")
    assert take_back(root, first).run == first
    assert (root / "app/b.py").read_bytes() == NEW
    with pytest.raises(NoSuchRun, match="several runs begin with 2"):
        take_back(root, "2")
    with pytest.raises(NoSuchRun, match="there is no run nope"):
        take_back(root, "nope")
    with pytest.raises(NoSuchRun, match="is undone already"):
        take_back(root, first)


def test_where_nothing_was_applied_there_is_nothing_to_undo_and_nothing_appears(root: Path) -> None:
    with pytest.raises(NoSuchRun, match="nothing was applied"):
        take_back(root)
    assert not (root / ".session-codemods").exists()


@pytest.mark.parametrize("how", ["edited", "removed", "a folder", "a link"])
def test_a_file_that_changed_since_stops_all_of_it(root: Path, how: str) -> None:
    run = apply(root, "app/a.py", "app/b.py", "c.py")
    (root / "app/b.py").unlink()
    match how:
        case "edited":
            (root / "app/b.py").write_bytes(NEW + b"mine\n")
        case "a folder":
            (root / "app/b.py").mkdir()
        case "a link":
            (root / "app/b.py").symlink_to("../c.py")
    before = picture(root)
    with pytest.raises(ChangedSince) as caught:
        take_back(root)
    assert caught.value.paths == ("app/b.py",)
    assert picture(root) == before
    assert states(root) == {run: State.DONE}


def test_force_overwrites_and_keeps_what_it_overwrote(root: Path) -> None:
    before = picture(root)
    apply(root, "app/a.py", "app/b.py", made=("d.py",))
    (root / "app/b.py").write_bytes(b"mine\n")
    (root / "app/a.py").unlink()
    (root / "d.py").write_bytes(b"mine, too\n")
    edited = contents(root)
    done = take_back(root, force=True)
    assert picture(root) == before
    take_back(root, done.by)
    assert contents(root) == edited


@pytest.mark.parametrize("how", ["a folder", "a link"])
def test_force_removes_no_folder_and_follows_no_link(root: Path, how: str) -> None:
    apply(root, "app/a.py", "app/b.py")
    (root / "app/b.py").unlink()
    if how == "a folder":
        (root / "app/b.py").mkdir()
    else:
        (root / "app/b.py").symlink_to("../c.py")
    before = picture(root)
    with pytest.raises(UndoRefused, match=r"app/b\.py: is a folder or a link now"):
        take_back(root, force=True)
    assert picture(root) == before


def test_a_run_under_later_ones_is_refused_even_by_force(root: Path) -> None:
    first = apply(root, "app/a.py", "app/b.py")
    second = apply(root, "app/b.py", before=NEW, after=b"newer")
    third = apply(root, "c.py")
    fourth = apply(root, "app/a.py", before=NEW, after=b"newer")
    before = picture(root)
    for force in (False, True):
        with pytest.raises(UnderLaterRuns) as caught:
            take_back(root, first, force=force)
        assert caught.value.runs == (fourth, second)
    assert picture(root) == before
    take_back(root, fourth)
    take_back(root, second)
    take_back(root, first)
    assert states(root)[third] is State.DONE
    assert contents(root) == {"app/a.py": OLD, "app/b.py": OLD, "c.py": NEW}


def test_an_undo_can_be_undone_and_the_run_undone_again(root: Path) -> None:
    before = picture(root)
    run = apply(root, "app/a.py", made=("d.py",))
    after = picture(root)
    first = take_back(root).by
    again = take_back(root, first).by
    assert picture(root) == after
    assert states(root) == {run: State.DONE, first: State.UNDONE, again: State.DONE}
    assert take_back(root).run == run
    assert picture(root) == before
    assert states(root)[run] is State.UNDONE


def test_files_that_are_as_before_already_need_nothing(root: Path) -> None:
    run = apply(root, "app/a.py", "app/b.py", made=("d.py",))
    (root / "app/a.py").write_bytes(OLD)  # as `git checkout` does
    (root / "d.py").unlink()
    done = take_back(root)
    assert (done.restored, done.removed, done.already) == (("app/b.py",), (), ("app/a.py", "d.py"))
    assert states(root)[run] is State.UNDONE


def test_what_the_writer_refuses_stops_all_of_it(root: Path) -> None:
    run = apply(root, "app/a.py", "app/b.py")
    (root / "app/b.py").chmod(0o444)
    before = picture(root)
    with pytest.raises(WriteRefused, match="read-only"):
        take_back(root)
    assert picture(root) == before
    assert states(root) == {run: State.DONE}


def test_a_project_is_undone_from_where_it_was_moved_to(root: Path, tmp_path: Path) -> None:
    before = picture(root)
    apply(root, "app/a.py", made=("d.py",))
    moved = root.rename(tmp_path / "moved")
    take_back(moved)
    assert picture(moved) == before


def test_an_undo_that_was_cut_off_is_taken_back_first(root: Path) -> None:
    run = apply(root, "app/a.py", "app/b.py")
    by = take_back(root).by
    folder = root / ".session-codemods" / by
    (folder / "done.json").rename(folder / "writing.json")
    told: list[TakenBack] = []
    before = picture(root)
    done = undo(root, tell=told.append)
    assert told == [TakenBack(by, run, ("app/a.py", "app/b.py"), (), ())]
    assert done.run == run
    assert picture(root) == before


def cut_off(root: Path, run: str) -> str:
    """As if the process had died when all was written."""
    folder = root / ".session-codemods" / run
    (folder / "done.json").rename(folder / "writing.json")
    return run


def test_taking_back_a_run_that_was_cut_off_is_the_undo_that_was_asked_for(root: Path) -> None:
    good = apply(root, "app/b.py")
    run = cut_off(root, apply(root, "app/a.py", made=("d.py",)))
    told: list[TakenBack] = []
    done = undo(root, tell=told.append)
    assert [one.run for one in told] == [run]
    assert done == Undone(run, "", root, ("app/a.py",), ("d.py",), (), next=good)
    assert contents(root) == {"app/a.py": OLD, "app/b.py": NEW, "c.py": OLD}
    assert states(root) == {good: State.DONE, run: State.UNDONE}
    assert take_back(root).run == good


def test_so_it_is_when_it_had_not_begun_to_write(root: Path) -> None:
    good = apply(root, "app/b.py")
    run = cut_off(root, apply(root, "app/a.py"))
    (root / "app/a.py").write_bytes(OLD)
    done = undo(root, tell=lambda taken: None)
    assert (done.run, done.by, done.restored) == (run, "", ())
    assert states(root)[good] is State.DONE


def test_a_run_that_was_cut_off_can_be_named(root: Path) -> None:
    good = apply(root, "app/b.py")
    run = cut_off(root, apply(root, "app/a.py"))
    assert undo(root, run, tell=lambda taken: None).run == run
    assert states(root) == {good: State.DONE, run: State.UNDONE}


def test_a_run_that_is_named_is_undone_besides_the_one_that_was_cut_off(root: Path) -> None:
    good = apply(root, "app/b.py")
    run = cut_off(root, apply(root, "app/a.py"))
    done = undo(root, good, tell=lambda taken: None)
    assert (done.run, bool(done.by)) == (good, True)
    assert set(states(root).values()) == {State.UNDONE, State.DONE}
    assert states(root)[run] is State.UNDONE
    assert contents(root) == dict.fromkeys(("app/a.py", "app/b.py", "c.py"), OLD)


def test_the_undo_of_an_earlier_run_that_was_cut_off_is_not_turned_into_that_of_the_last_one(root: Path) -> None:
    first = apply(root, "app/a.py")
    last = apply(root, "app/b.py")
    by = cut_off(root, take_back(root, first).by)
    told: list[TakenBack] = []
    done = undo(root, tell=told.append)
    assert [one.run for one in told] == [by]
    assert (done.run, done.by, done.undoes) == (by, "", first)
    assert states(root) == {first: State.DONE, last: State.DONE, by: State.UNDONE}
    assert contents(root) == {"app/a.py": NEW, "app/b.py": NEW, "c.py": OLD}


def test_what_changed_since_a_run_was_cut_off_is_told_by_the_exit_code(here: Path, capfdbinary: Captured) -> None:
    cut_off(here, apply(here, "app/a.py", "c.py"))
    (here / "c.py").write_bytes(b"mine\n")
    assert call("undo") == 3
    assert b"  c.py: changed since; it was left as it is\n" in capfdbinary.readouterr().err
    assert contents(here) == {"app/a.py": OLD, "app/b.py": OLD, "c.py": b"mine\n"}


# --- groups that need others ------------------------------------------------------------------------------------------


def apply_group(root: Path, path: str, group: str, *needs: str) -> str:
    what = RunText((GroupText(group, (), needs),))
    return written(root, [Change(path, OLD, NEW, ())], what=what, tell=refuse)


def test_a_run_that_a_standing_one_needs_is_kept_unless_forced(root: Path) -> None:
    needed = apply_group(root, "app/a.py", "deps")
    needing = apply_group(root, "app/b.py", "carts", "deps")
    before = picture(root)
    with pytest.raises(Needed, match=f"run {needing} wrote carts, which needs deps"):
        take_back(root, needed)
    assert picture(root) == before
    take_back(root, needed, force=True)
    assert (root / "app/a.py").read_bytes() == OLD
    take_back(root, needing)


def test_what_needs_it_is_undone_first(root: Path) -> None:
    needed = apply_group(root, "app/a.py", "deps")
    needing = apply_group(root, "app/b.py", "carts", "deps")
    by = take_back(root, needing).by
    undone = take_back(root, needed).by
    with pytest.raises(Needed, match=f"run {needing} wrote carts, which needs deps") as caught:
        take_back(root, by)
    assert why_not(caught.value, "undone").endswith("is not there any more; bring that back first, or give --force")
    take_back(root, undone)
    take_back(root, by)
    assert contents(root) == {"app/a.py": NEW, "app/b.py": NEW, "c.py": OLD}


def test_what_git_took_back_needs_nothing(root: Path) -> None:
    needed = apply_group(root, "app/a.py", "deps")
    apply_group(root, "app/b.py", "carts", "deps")
    (root / "app/b.py").write_bytes(OLD)
    assert take_back(root, needed).run == needed


def test_a_group_that_no_run_wrote_is_not_missed(root: Path) -> None:
    other = apply_group(root, "app/a.py", "other")
    apply_group(root, "app/b.py", "carts", "deps")
    assert take_back(root, other).run == other


def test_what_another_run_holds_too_is_not_missed(root: Path) -> None:
    first = apply_group(root, "app/a.py", "deps")
    apply_group(root, "c.py", "deps")
    apply_group(root, "app/b.py", "carts", "deps")
    assert take_back(root, first).run == first


# --- what the runs keep of the files as they are ----------------------------------------------------------------------


def test_files_are_as_written_while_they_hold_what_the_last_standing_run_left(root: Path) -> None:
    paths = ("app/a.py", "app/b.py", "c.py", "d.py", "none.py")
    assert as_written(root, paths) == frozenset()
    apply(root, "app/a.py", "app/b.py", made=("d.py",))
    assert as_written(root, paths) == {"app/a.py", "app/b.py", "d.py"}
    second = apply(root, "app/a.py", before=NEW, after=b"newer")
    (root / "app/b.py").write_bytes(NEW + b"mine")
    (root / "d.py").unlink()
    assert as_written(root, paths) == {"app/a.py"}
    take_back(root, second)
    assert as_written(root, paths) == {"app/a.py"}, "as the first run left it"
    (root / "app/a.py").write_bytes(b"newer")
    assert as_written(root, paths) == frozenset(), "it is undone"


def test_what_an_undo_brought_back_is_not_as_written(root: Path) -> None:
    (root / "app/a.py").write_bytes(b"mine")
    apply(root, "app/a.py", before=b"mine")
    take_back(root)
    assert as_written(root, ["app/a.py"]) == frozenset()


@pytest.mark.parametrize("how", ["a link", "not kept", "outside"])
def test_what_cannot_be_had_back_is_not_as_written(root: Path, tmp_path: Path, how: str) -> None:
    run = apply(root, "app/a.py")
    match how:
        case "a link":
            (root / "app/a.py").rename(tmp_path / "a.py")
            (root / "app/a.py").symlink_to(tmp_path / "a.py")
        case "not kept":
            (root / ".session-codemods" / run / "contents.zip").write_bytes(b"")
    paths = ["../project/../x.py"] if how == "outside" else ["app/a.py"]
    assert as_written(root, paths) == frozenset()


def test_git_is_not_asked_for_what_runs_keep(root: Path) -> None:
    git(root, "init", "-q")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "all")
    apply(root, "app/a.py", "c.py")
    (root / "c.py").write_bytes(b"mine")
    with pytest.raises(DirtyFiles) as caught:
        guard(root, ["app/a.py", "c.py"], kept=as_written(root, ["app/a.py", "c.py"]))
    assert caught.value.paths == ("c.py",)


def test_outside_git_it_has_to_be_allowed_all_the_same(root: Path) -> None:
    apply(root, "app/a.py")
    with pytest.raises(NoRepository):
        guard(root, ["app/a.py"], kept=as_written(root, ["app/a.py"]))


# --- the commands -----------------------------------------------------------------------------------------------------

program = typer.Typer()
commands.add_to(program)


def call(*words: str) -> int:
    return int(program(list(words), standalone_mode=False) or 0)


@pytest.fixture
def here(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(root / "app")
    for name in ("GITHUB_ACTIONS", "NO_COLOR", "FORCE_COLOR", "CI"):
        monkeypatch.delenv(name, raising=False)
    return root


def test_undo_prints_the_files_and_how_to_have_it_back(here: Path, capfdbinary: Captured) -> None:
    run = apply(here, "app/a.py", "c.py", made=("d.py",))
    assert call("undo") == 0
    out, err = capfdbinary.readouterr()
    assert out == b"a.py\n../c.py\n../d.py\n"
    by = next(line.id for line in listed(here)[0] if line.undoes == run)
    assert err.decode() == (
        f"Undid run {run}: 2 files as before it, 1 file removed.\nTo have it back: session-codemods undo {by}\n"
    )
    assert call("undo", by, "-q") == 0
    assert capfdbinary.readouterr().err == b""


def test_undo_says_what_a_second_one_would_take(here: Path, capfdbinary: Captured) -> None:
    first = apply(here, "app/a.py")
    apply(here, "c.py")
    assert call("undo") == 0
    assert capfdbinary.readouterr().err.decode().splitlines()[-1] == (
        f"Without a name, the next undo takes back run {first}, too."
    )
    assert call("undo") == 0
    assert b"next undo" not in capfdbinary.readouterr().err


def test_undo_says_which_commits_stand_and_what_to_do(here: Path, capfdbinary: Captured) -> None:
    git(here, "init", "-q")
    git(here, "add", "-A")
    git(here, "commit", "-qm", "all")
    commits = []
    with RunWriter(here, refuse) as writer:
        run = writer.write([Change("app/a.py", OLD, NEW, ()), Change("c.py", OLD, NEW, ())], RunText())
        for path in ("app/a.py", "c.py"):
            git(here, "commit", "-qm", path, path)
            commits.append(git(here, "rev-parse", "HEAD").strip())
        for commit in commits:
            writer.commit_notes(run)(commit)
    assert listed(here)[0][0].commits == tuple(commits)
    assert call("undo") == 0
    one, two = (commit[:12] for commit in commits)
    said = capfdbinary.readouterr().err.decode()
    assert f"\nThe commits of it stand: {one}, {two}. The files are now as before them: commit that; or" in said
    back = f"session-codemods undo {newest(here)}"
    assert said.endswith(f": {back} && git revert --no-edit {two} {one}\nTo have it back: {back}\n")
    assert call("undo", newest(here)) == 0
    assert git(here, "status", "--porcelain") == ""
    git(here, "revert", "--no-edit", two, one)
    assert {name: (here / name).read_bytes() for name in ("app/a.py", "c.py")} == {"app/a.py": OLD, "c.py": OLD}


def test_commits_that_are_gone_are_not_spoken_of(here: Path, capfdbinary: Captured) -> None:
    git(here, "init", "-q")
    git(here, "add", "-A")
    git(here, "commit", "-qm", "all")
    with RunWriter(here, refuse) as writer:
        run = writer.write([Change("app/a.py", OLD, NEW, ())], RunText())
        git(here, "commit", "-qam", "it")
        writer.commit_notes(run)(git(here, "rev-parse", "HEAD").strip())
    git(here, "reset", "-q", "--hard", "HEAD~1")
    assert call("undo") == 0
    assert b"commit" not in capfdbinary.readouterr().err


def test_undo_names_what_needs_the_run(here: Path) -> None:
    needed = apply_group(here, "app/a.py", "deps")
    needing = apply_group(here, "app/b.py", "carts", "deps")
    why = (
        f"nothing was undone: run {needing} wrote carts, which needs deps, .* undo run {needing} first, or give --force"
    )
    with pytest.raises(Stopped, match=why):
        call("undo", needed)
    assert call("undo", needed, "--force") == 0


def test_runs_tell_of_which_plan_they_are_and_why_they_were_taken_back(here: Path, capfdbinary: Captured) -> None:
    with RunWriter(here, refuse) as writer:
        what = RunText((), "plan\x1b.json")
        run = writer.write([Change("app/a.py", OLD, NEW, ())], what)
        writer.take_back(run, "`pytest -q` did not pass")
    assert call("runs") == 0
    out = capfdbinary.readouterr().out.decode().splitlines()
    assert out[1].endswith(f"  done, undid {run}: `pytest -q` did not pass (plan\\x1b.json)")
    assert out[2].endswith("  undone (plan\\x1b.json)")


def test_undo_names_what_changed_since(here: Path, capfdbinary: Captured) -> None:
    apply(here, *("app/a.py", "app/b.py"))
    (here / "app/b.py").write_bytes(b"mine\n")
    with pytest.raises(Stopped, match=r"nothing was undone: changed since the run: app/b\.py; --force"):
        call("undo")
    assert call("undo", "--force") == 0
    assert contents(here)["app/b.py"] == OLD


def newest(root: Path) -> str:
    return listed(root)[0][0].id


def test_undo_names_later_runs(here: Path) -> None:
    run = apply(here, "app/a.py")
    later = apply(here, "app/a.py", before=NEW, after=b"newer")
    with pytest.raises(Stopped, match=f"later runs wrote the same files, undo them first: {later}"):
        call("undo", run)


def test_runs_are_shown_as_a_table(here: Path, capfdbinary: Captured) -> None:
    run = apply(here, "app/a.py", "c.py")
    by = take_back(here).by
    assert call("runs") == 0
    out, err = capfdbinary.readouterr()
    when = r"\d{4}-\d\d-\d\d \d\d:\d\d"
    assert re.fullmatch(
        r"run {20}when \(UTC\) {8}files  groups  state\n"
        rf"{by}  {when} {{6}}2 {{7}}1  done, undid {run}\n"
        rf"{run}  {when} {{6}}2 {{7}}1  undone\n",
        out.decode(),
    )
    assert err == b""
    assert call("runs", "-v") == 0
    assert b"  session-scope:app.a.f:3fa9\n    session is never closed\n" in capfdbinary.readouterr().out


def test_runs_of_nothing_say_so(here: Path, capfdbinary: Captured) -> None:
    assert call("runs") == 0
    assert capfdbinary.readouterr() == (b"", b"Nothing was applied to this project yet.\n")
    assert not (here / ".session-codemods").exists()


def test_runs_only_list_what_was_cut_off_and_undo_takes_it_back(here: Path, capfdbinary: Captured) -> None:
    first = apply(here, "app/b.py")
    run = apply(here, "app/a.py")
    folder = here / ".session-codemods" / run
    (folder / "done.json").rename(folder / "writing.json")
    before = sorted((path, path.lstat().st_mtime_ns) for path in here.rglob("*"))
    assert call("runs") == 0
    assert before == sorted((path, path.lstat().st_mtime_ns) for path in here.rglob("*"))
    out, err = capfdbinary.readouterr()
    assert out.decode().splitlines()[1].endswith("  cut off")
    assert err.decode() == f"run {run} was cut off, and files may be half written; `undo` takes it back\n"
    assert call("undo") == 0
    out, err = capfdbinary.readouterr()
    assert out == b"a.py\n"
    assert err.decode() == (
        f"run {run} had been cut off; 1 file put back as before it\nNothing else was undone.\n"
        f"Without a name, the next undo takes back run {first}, too.\n"
    )
    assert contents(here) == {"app/a.py": OLD, "app/b.py": NEW, "c.py": OLD}
    assert call("undo") == 0
    assert contents(here) == dict.fromkeys(("app/a.py", "app/b.py", "c.py"), OLD)


def test_runs_where_git_does_not_answer_say_why(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    subprocess.run(["git", "init", "-q"], cwd=here, check=True)
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(Stopped, match="git does not say where that is: git is not installed"):
        call("runs")


def test_runs_name_what_cannot_be_read(here: Path, capfdbinary: Captured) -> None:
    run = apply(here, "app/a.py")
    (here / ".session-codemods" / run / "done.json").write_bytes(b"\x1b")
    assert call("runs") == 3
    out, err = capfdbinary.readouterr()
    assert out == b""
    assert err.startswith(b"the record of a run cannot be read: ")


def test_names_and_messages_cannot_move_the_cursor(here: Path, capfdbinary: Captured) -> None:
    name = "app/\x1b[2J\n.py"
    (here / name).write_bytes(OLD)
    what = RunText((GroupText("g\x1b[2J", ("m\n::error::x",)),))
    written(here, [Change(name, OLD, NEW, ())], what=what, tell=refuse)
    (here / name).write_bytes(b"mine\n")
    call("runs", "-v")
    with pytest.raises(Stopped):
        call("undo")
    call("undo", "--force")
    out, err = capfdbinary.readouterr()
    assert all(char.isprintable() or char == "\n" for char in (out + err).decode())
    assert b"\n::error" not in out + err


def test_the_commands_load_nothing_heavy_for_their_help() -> None:
    script = (
        "import sys\nfrom codemods.cli.program import app\n"
        "app(['undo', '--help'], standalone_mode=False)\n"
        "print([name for name in ('libcst', 'cattrs', 'filelock', 'codemods.engine') if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert done.stdout.splitlines()[-1] == b"[]"
