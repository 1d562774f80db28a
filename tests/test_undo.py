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

from codemods.apply.errors import ChangedSince, NoSuchRun, UnderLaterRuns, UndoRefused, WriteRefused
from codemods.apply.recovery import TakenBack, recover
from codemods.apply.run_record import GroupText, RunText
from codemods.apply.run_store import State
from codemods.apply.runs import listed, written
from codemods.apply.undo import Undone, undo
from codemods.cli import runs as commands
from codemods.cli.stopping import Stopped
from codemods.plan import Change

OLD, NEW = b"old\r\n", b"new\xff"

Picture = dict[str, tuple[int, int, bytes]]
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


def test_undo_names_what_changed_since(here: Path, capfdbinary: Captured) -> None:
    apply(here, *("app/a.py", "app/b.py"))
    (here / "app/b.py").write_bytes(b"mine\n")
    with pytest.raises(Stopped, match=r"nothing was undone: changed since the run: app/b\.py; --force"):
        call("undo")
    assert call("undo", "--force") == 0
    assert contents(here)["app/b.py"] == OLD


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
    assert out.decode().splitlines()[1].endswith("  writing")
    assert err.decode() == f"run {run} is writing now, or was cut off; then the next apply or undo takes it back\n"
    assert call("undo") == 0
    assert f"run {run} had been cut off; 1 file put back as before it\nUndid run {first}" in (
        capfdbinary.readouterr().err.decode()
    )
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
