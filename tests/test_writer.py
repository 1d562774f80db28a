"""All or nothing: whatever goes wrong, every file is as it was and nothing lies about."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from codemods.apply import renaming
from codemods.apply.git import DirtyFiles, NoRepository, guard, patch_base
from codemods.apply.rewriting import Rewrite
from codemods.apply.writer import NotPutBack, StaleFile, WriteRefused, rewrite, write
from codemods.plan import Change


def change(path: str, before: bytes = b"old\n", after: bytes = b"new\r\n\xff") -> Change:
    return Change(path, before, after, ())


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    (root / "app").mkdir(parents=True)
    for name in ("app/a.py", "app/b.py", "c.py"):
        (root / name).write_bytes(b"old\n")
    return root


THREE = [change("app/a.py"), change("app/b.py"), change("c.py")]

EXCHANGED = renaming.exchanged

Picture = dict[str, tuple[int, int, bytes]]


def picture(root: Path) -> Picture:
    """Names, modes, times and contents of everything below a folder."""
    return {
        path.relative_to(root).as_posix(): (path.lstat().st_mode, path.lstat().st_mtime_ns, path.read_bytes())
        for path in sorted(root.rglob("*"))
        if path.is_file() or path.is_symlink()
    }


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "repository" not in metafunc.fixturenames:  # those ask git, and write nothing
        metafunc.parametrize("way", ["exchange", "second name"], indirect=True)


@pytest.fixture(autouse=True)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """How files are replaced: in one step where the system can, else with a second name for the old file."""
    param = getattr(request, "param", "exchange")
    if param != "exchange":
        monkeypatch.setattr(renaming, "exchanged", lambda one, other: False)
    elif not sys.platform.startswith(("linux", "darwin")):
        pytest.skip("this system cannot exchange names")
    return str(param)


def refuse_replacing(monkeypatch: pytest.MonkeyPatch, at: int, error: BaseException | Callable[[], object]) -> None:
    """Make the `at`-th move into place fail."""
    calls = 0
    replace, exchanged = os.replace, renaming.exchanged

    def count() -> None:
        nonlocal calls
        calls += 1
        if calls == at:
            if isinstance(error, BaseException):
                raise error
            error()

    def counted_replace(one: Path, other: Path) -> None:
        count()
        replace(one, other)

    def counted_exchange(one: Path, other: Path) -> bool:
        if exchanged is EXCHANGED:
            count()
        return exchanged(one, other)

    monkeypatch.setattr(os, "replace", counted_replace)
    monkeypatch.setattr(renaming, "exchanged", counted_exchange)


def test_every_file_gets_its_new_bytes_and_nothing_else_appears(root: Path) -> None:
    names = set(picture(root))
    write(root, THREE)
    assert {name: content for name, (_, _, content) in picture(root).items()} == dict.fromkeys(names, b"new\r\n\xff")


def test_mode_and_owner_are_kept(root: Path) -> None:
    (root / "c.py").chmod(0o751)
    owner = (root / "c.py").stat().st_uid
    if os.geteuid() == 0:
        os.chown(root / "c.py", 1234, 1234)
        owner = 1234
    write(root, [change("c.py")])
    now = (root / "c.py").stat()
    assert (stat.S_IMODE(now.st_mode), now.st_uid) == (0o751, owner)


def test_no_changes_is_no_work(root: Path) -> None:
    before = picture(root)
    write(root, [])
    assert picture(root) == before


def test_a_file_that_changed_since_it_was_read_stops_everything(root: Path) -> None:
    (root / "c.py").write_bytes(b"newer\n")
    before = picture(root)
    with pytest.raises(StaleFile, match=r"c\.py: changed since it was read"):
        write(root, THREE)
    assert picture(root) == before


def test_a_file_that_changes_while_we_write_is_not_overwritten(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_replacing(monkeypatch, 1, lambda: (root / "app/b.py").write_bytes(b"by an editor\n"))
    with pytest.raises(StaleFile, match=r"app/b\.py"):
        write(root, THREE)
    left = {name: content for name, (_, _, content) in picture(root).items()}
    assert left == {"app/a.py": b"old\n", "app/b.py": b"by an editor\n", "c.py": b"old\n"}


def test_a_mode_that_changes_while_we_write_is_kept(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_replacing(monkeypatch, 1, lambda: (root / "app/b.py").chmod(0o755))
    with pytest.raises(StaleFile, match=r"app/b\.py"):
        write(root, THREE)
    assert stat.S_IMODE((root / "app/b.py").stat().st_mode) == 0o755
    assert {content for _, _, content in picture(root).values()} == {b"old\n"}


def test_a_missing_file_is_named(root: Path) -> None:
    before = picture(root)
    with pytest.raises(WriteRefused, match=r"app/gone\.py: cannot be read: No such file"):
        write(root, [*THREE, change("app/gone.py")])
    assert picture(root) == before


@pytest.mark.parametrize("at", [1, 2, 3])
def test_a_move_that_fails_puts_everything_back(root: Path, monkeypatch: pytest.MonkeyPatch, at: int) -> None:
    before = picture(root)
    refuse_replacing(monkeypatch, at, OSError(28, "No space left on device"))
    with pytest.raises(WriteRefused, match="No space left on device"):
        write(root, THREE)
    assert picture(root) == before


def test_a_full_disk_while_preparing_leaves_no_temporary_file(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = picture(root)

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(WriteRefused, match="No space left on device"):
        write(root, THREE)
    assert picture(root) == before


def test_without_hard_links_a_copy_of_the_old_content_is_put_back(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "link", no_links)
    (root / "app/a.py").chmod(0o640)
    refuse_replacing(monkeypatch, 3, OSError(5, "Input/output error"))
    with pytest.raises(WriteRefused):
        write(root, THREE)
    left = {name: (stat.S_IMODE(mode), content) for name, (mode, _, content) in picture(root).items()}
    assert left["app/a.py"] == (0o640, b"old\n")
    assert {content for _, content in left.values()} == {b"old\n"}
    assert set(left) == {"app/a.py", "app/b.py", "c.py"}


def test_a_file_that_cannot_be_put_back_is_named_and_its_old_content_kept(
    root: Path, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace, exchanged = os.replace, renaming.exchanged
    broken = False

    def check(target: Path) -> None:
        nonlocal broken
        broken = broken or target.name == "c.py"
        if broken and target.name in ("c.py", "a.py"):
            raise OSError(5, "Input/output error")

    def failing_replace(one: Path, other: Path) -> None:
        check(other)
        replace(one, other)

    def failing_exchange(one: Path, other: Path) -> bool:
        if way == "exchange":
            check(other)
        return exchanged(one, other)

    monkeypatch.setattr(os, "replace", failing_replace)
    monkeypatch.setattr(renaming, "exchanged", failing_exchange)
    with pytest.raises(NotPutBack, match=r"app/a\.py: could not be put back .* its old content is in (.*)") as caught:
        write(root, THREE)
    kept = Path(caught.value.reason.rpartition(" is in ")[2])
    assert kept.read_bytes() == b"old\n"
    assert (root / "app/b.py").read_bytes() == b"old\n"


@pytest.mark.parametrize("at", [1, 2])
def test_an_interrupt_between_two_moves_puts_everything_back(
    root: Path, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    before = picture(root)
    refuse_replacing(monkeypatch, at, lambda: signal.raise_signal(signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        write(root, THREE)
    assert picture(root) == before


def test_an_interrupt_after_the_last_move_comes_too_late(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_replacing(monkeypatch, 3, lambda: signal.raise_signal(signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        write(root, THREE)
    assert {content for _, _, content in picture(root).values()} == {b"new\r\n\xff"}


def test_a_handler_that_goes_on_still_hears_that_nothing_was_written(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = picture(root)
    refuse_replacing(monkeypatch, 1, lambda: signal.raise_signal(signal.SIGTERM))
    heard: list[int] = []
    old = signal.signal(signal.SIGTERM, lambda number, frame: heard.append(number))
    try:
        with pytest.raises(KeyboardInterrupt):
            write(root, THREE)
    finally:
        signal.signal(signal.SIGTERM, old)
    assert heard == [signal.SIGTERM]
    assert picture(root) == before


def test_an_ignored_signal_stays_ignored(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_replacing(monkeypatch, 1, lambda: signal.raise_signal(signal.SIGHUP))
    old = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as `nohup` does
    try:
        write(root, THREE)
    finally:
        signal.signal(signal.SIGHUP, old)
    assert {content for _, _, content in picture(root).values()} == {b"new\r\n\xff"}


def test_the_handlers_of_signals_are_as_before(root: Path) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    write(root, THREE)
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


INTERRUPTING = {  # each move into place begins with a signal
    "exchange": """
from codemods.apply import renaming
real = renaming.exchanged
def exchanged(one, other):
    os.kill(os.getpid(), signal.SIGTERM)
    return real(one, other)
renaming.exchanged = exchanged
""",
    "second name": """
from codemods.apply import renaming
renaming.exchanged = lambda one, other: False
real = os.replace
def replace(one, other):
    os.kill(os.getpid(), signal.SIGTERM)
    return real(one, other)
os.replace = replace
""",
}


def test_termination_half_way_puts_everything_back(root: Path, way: str) -> None:
    before = picture(root)
    script = f"""
import os, signal
from pathlib import Path
from codemods.apply.writer import write
from codemods.plan import Change
{INTERRUPTING[way]}
write(Path({str(root)!r}), [Change(p, b"old\\n", b"new", ()) for p in ("app/a.py", "app/b.py", "c.py")])
"""
    assert subprocess.run([sys.executable, "-c", script]).returncode == -signal.SIGTERM
    assert picture(root) == before


def test_a_link_inside_the_project_is_written_through_and_stays_a_link(root: Path) -> None:
    (root / "link.py").symlink_to("app/a.py")
    write(root, [change("link.py")])
    assert (root / "link.py").readlink() == Path("app/a.py")
    assert (root / "app/a.py").read_bytes() == b"new\r\n\xff"


@pytest.mark.parametrize("folder", [False, True])
def test_a_link_out_of_the_project_is_refused(root: Path, tmp_path: Path, folder: bool) -> None:
    (tmp_path / "other").mkdir()
    outside = tmp_path / "other" / "x.py"
    outside.write_bytes(b"old\n")
    (root / "out").symlink_to(outside.parent if folder else outside)
    with pytest.raises(WriteRefused, match="out of the project"):
        write(root, [*THREE, change("out/x.py" if folder else "out")])
    assert outside.read_bytes() == (root / "c.py").read_bytes() == b"old\n"


@pytest.mark.parametrize("path", ["../other.py", "app/../../other.py"])
def test_a_path_out_of_the_project_is_refused(root: Path, path: str) -> None:
    (root.parent / "other.py").write_bytes(b"old\n")
    with pytest.raises(WriteRefused, match="out of the project"):
        write(root, [change(path)])
    assert (root.parent / "other.py").read_bytes() == b"old\n"


def test_a_circle_of_links_is_refused(root: Path) -> None:
    (root / "x.py").symlink_to("y.py")
    (root / "y.py").symlink_to("x.py")
    with pytest.raises(WriteRefused, match=r"x\.py: cannot be read"):
        write(root, [change("x.py")])


def test_a_file_with_a_second_hard_link_is_refused(root: Path) -> None:
    os.link(root / "c.py", root / "d.py")
    with pytest.raises(WriteRefused, match="more than one hard link"):
        write(root, THREE)
    assert (root / "app/a.py").read_bytes() == b"old\n"


def test_a_file_under_two_names_is_refused(root: Path) -> None:
    (root / "link.py").symlink_to("c.py")
    with pytest.raises(WriteRefused, match=r"is the same file as c\.py"):
        write(root, [change("c.py"), change("link.py")])
    assert (root / "c.py").read_bytes() == b"old\n"


def test_a_read_only_file_is_refused(root: Path) -> None:
    (root / "c.py").chmod(0o444)
    with pytest.raises(WriteRefused, match=r"c\.py: is read-only"):
        write(root, THREE)
    assert (root / "app/a.py").read_bytes() == b"old\n"


def test_a_folder_in_place_of_the_file_is_refused(root: Path) -> None:
    with pytest.raises(WriteRefused, match="not a regular file"):
        write(root, [change("app")])


def test_a_very_long_name_is_written(root: Path) -> None:
    name = "n" * 252 + ".py"
    (root / name).write_bytes(b"old\n")
    write(root, [change(name)])
    assert (root / name).read_bytes() == b"new\r\n\xff"


# --- files that are not there yet -------------------------------------------------------------------------------------


def new(path: str, after: bytes = b"new\r\n\xff") -> Change:
    return Change(path, None, after, ())


def test_a_new_file_is_made_beside_those_that_change(root: Path) -> None:
    names = set(picture(root))
    write(root, [*THREE, new("app/d.py")])
    after = {name: content for name, (_, _, content) in picture(root).items()}
    assert after == dict.fromkeys([*names, "app/d.py"], b"new\r\n\xff")


def test_a_new_file_has_the_mode_that_the_user_gives_new_files(root: Path) -> None:
    before = os.umask(0o027)
    try:
        write(root, [new("d.py")])
    finally:
        os.umask(before)
    status = (root / "d.py").stat()
    assert (stat.S_IMODE(status.st_mode), status.st_nlink) == (0o640, 1)


@pytest.mark.parametrize("kind", ["file", "folder", "link", "dangling link"])
def test_a_new_file_never_takes_the_place_of_anything(root: Path, kind: str) -> None:
    place = root / "d.py"
    match kind:
        case "file":
            place.write_bytes(b"mine\n")
        case "folder":
            place.mkdir()
        case _:
            place.symlink_to("c.py" if kind == "link" else "nothing.py")
    names = sorted(root.rglob("*"))
    with pytest.raises(StaleFile, match=r"d\.py: is there already"):
        write(root, [*THREE, new("d.py")])
    assert sorted(root.rglob("*")) == names
    assert [(root / one.path).read_bytes() for one in THREE] == [b"old\n"] * 3


def test_a_new_file_whose_name_is_taken_while_we_write_is_not_overwritten(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse_replacing(monkeypatch, 3, lambda: (root / "d.py").write_bytes(b"by an editor\n"))
    with pytest.raises(StaleFile, match=r"d\.py: is there already"):
        write(root, [*THREE, new("d.py")])
    left = {name: content for name, (_, _, content) in picture(root).items()}
    assert left == {"app/a.py": b"old\n", "app/b.py": b"old\n", "c.py": b"old\n", "d.py": b"by an editor\n"}


@pytest.mark.parametrize("at", [1, 2, 3])
def test_a_new_file_goes_again_when_another_cannot_be_written(
    root: Path, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    before = picture(root)
    refuse_replacing(monkeypatch, at, OSError(28, "No space left on device"))
    with pytest.raises(WriteRefused, match="No space left on device"):
        write(root, [new("app/d.py"), *THREE])
    assert picture(root) == before


@pytest.mark.parametrize("fails", [False, True])
def test_without_hard_links_a_new_file_is_made_all_the_same(
    root: Path, monkeypatch: pytest.MonkeyPatch, fails: bool
) -> None:
    def no_links(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "link", no_links)
    before = picture(root)
    if not fails:
        write(root, [new("d.py")])
        assert (root / "d.py").read_bytes() == b"new\r\n\xff"
        assert set(picture(root)) == {*before, "d.py"}
        return
    refuse_replacing(monkeypatch, 1, OSError(5, "Input/output error"))
    with pytest.raises(WriteRefused, match="Input/output error"):
        write(root, [new("d.py")])
    assert picture(root) == before


def test_a_full_disk_leaves_nothing_of_a_new_file(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = picture(root)

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(WriteRefused, match=r"d\.py: cannot be made: No space left on device"):
        write(root, [new("d.py")])
    assert picture(root) == before


def test_a_new_file_that_cannot_be_taken_away_is_named(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_replacing(monkeypatch, 1, OSError(28, "No space left on device"))
    rename = os.rename

    def refusing(one: Path, other: Path) -> None:
        if one.name == "d.py":
            raise OSError(1, "Operation not permitted")
        rename(one, other)

    monkeypatch.setattr(os, "rename", refusing)
    with pytest.raises(
        NotPutBack, match=r"d\.py: was made and could not be taken away again \(Operation not permitted"
    ):
        write(root, [new("d.py"), change("c.py")])
    assert (root / "c.py").read_bytes() == b"old\n"


def test_a_new_file_goes_again_on_an_interrupt(root: Path, way: str) -> None:
    before = picture(root)
    script = f"""
import os, signal
from pathlib import Path
from codemods.apply.writer import write
from codemods.plan import Change
{INTERRUPTING[way]}
old = [Change(p, b"old\\n", b"new", ()) for p in ("c.py", "app/a.py")]
write(Path({str(root)!r}), [Change("d.py", None, b"new", ()), *old])
"""
    assert subprocess.run([sys.executable, "-c", script]).returncode == -signal.SIGTERM
    assert picture(root) == before


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("gone/d.py", "cannot be made: No such file"),
        ("c.py/d.py", "cannot be made|stands in what is no folder|is there already"),
        ("../d.py", "leads out of the project"),
        ("n" * 300 + ".py", "cannot be made: File name too long"),
    ],
)
def test_a_new_file_without_a_place_is_refused(root: Path, path: str, message: str) -> None:
    before = picture(root)
    with pytest.raises(WriteRefused, match=message):
        write(root, [*THREE, new(path)])
    assert picture(root) == before
    assert not (root.parent / "d.py").exists()


def test_a_new_file_behind_a_link_out_of_the_project_is_refused(root: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (root / "out").symlink_to(tmp_path / "other")
    with pytest.raises(WriteRefused, match="out of the project"):
        write(root, [new("out/d.py")])
    assert list((tmp_path / "other").iterdir()) == []


def test_one_new_file_under_two_names_is_refused(root: Path) -> None:
    (root / "link").symlink_to("app")
    with pytest.raises(WriteRefused, match=r"is the same file as app/d\.py"):
        write(root, [new("app/d.py"), new("link/d.py")])
    assert not (root / "app/d.py").exists()


# --- files that go, and files that return -----------------------------------------------------------------------------


def test_a_file_goes(root: Path) -> None:
    rewrite(root, [Rewrite("c.py", b"old\n", None), Rewrite("app/a.py", b"old\n", b"new")])
    assert {name: content for name, (_, _, content) in picture(root).items()} == {
        "app/a.py": b"new",
        "app/b.py": b"old\n",
    }


def test_a_file_that_returns_has_its_mode_and_time(root: Path) -> None:
    rewrite(root, [Rewrite("d.py", None, b"x", 0o751, 1_234_567_891), Rewrite("c.py", b"old\n", b"x", 0o640, 7_000)])
    assert [(stat.S_IMODE(mode), time) for mode, time, data in picture(root).values() if data == b"x"] == [
        (0o640, 7_000),
        (0o751, 1_234_567_891),
    ]


@pytest.mark.parametrize("hard_links", [True, False])
def test_a_file_that_went_returns_when_another_cannot_be_written(
    root: Path, hard_links: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = picture(root)
    refuse_replacing(monkeypatch, 1, OSError(28, "No space left on device"))
    if not hard_links:

        def no_links(*_: object) -> None:
            raise OSError(95, "Operation not supported")

        monkeypatch.setattr(os, "link", no_links)
    with pytest.raises(WriteRefused, match="No space left on device"):
        rewrite(root, [Rewrite("c.py", b"old\n", None), Rewrite("app/a.py", b"old\n", b"new")])
    assert picture(root) == before


def test_what_is_saved_in_the_last_moment_in_the_place_of_a_file_that_goes_stays(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = os.rename

    def late(one: Path, other: Path) -> None:
        (root / "editor.tmp").write_bytes(b"by an editor\n")
        (root / "editor.tmp").replace(root / "c.py")
        rename(one, other)

    monkeypatch.setattr(os, "rename", late)
    with pytest.raises(StaleFile, match=r"c\.py"):
        rewrite(root, [Rewrite("c.py", b"old\n", None)])
    assert (root / "c.py").read_bytes() == b"by an editor\n"
    assert set(picture(root)) == {"app/a.py", "app/b.py", "c.py"}


def test_what_is_saved_over_new_content_is_not_put_back(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def save() -> None:
        (root / "app/a.py").write_bytes(b"by an editor\n")
        raise OSError(5, "Input/output error")

    refuse_replacing(monkeypatch, 3, save)
    with pytest.raises(NotPutBack, match=r"app/a\.py: .*it was changed meanwhile, and was left as it is now") as caught:
        write(root, THREE)
    assert (root / "app/a.py").read_bytes() == b"by an editor\n"
    assert Path(caught.value.reason.rpartition(" is in ")[2]).read_bytes() == b"old\n"
    assert (root / "app/b.py").read_bytes() == b"old\n"


@pytest.mark.parametrize("by_rename", [False, True])
def test_what_is_saved_over_a_new_file_is_not_taken_away(
    root: Path, by_rename: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def save() -> None:
        place = root / ("editor.tmp" if by_rename else "d.py")
        place.write_bytes(b"by an editor\n")
        place.replace(root / "d.py") if by_rename else None
        raise OSError(5, "Input/output error")

    refuse_replacing(monkeypatch, 1, save)
    told = WriteRefused if by_rename else NotPutBack  # a file of another's making was never ours to take away
    with pytest.raises(told, match=r"Input/output error|d\.py: .*changed meanwhile"):
        write(root, [new("d.py"), change("c.py")])
    assert (root / "d.py").read_bytes() == b"by an editor\n"
    assert set(picture(root)) == {"app/a.py", "app/b.py", "c.py", "d.py"}
    assert (root / "c.py").read_bytes() == b"old\n"


# --- git --------------------------------------------------------------------------------------------------------------


def git(folder: Path, *command: str) -> None:
    subprocess.run(["git", "-c", "user.name=n", "-c", "user.email=e@x", *command], cwd=folder, check=True)


@pytest.fixture
def repository(root: Path) -> Path:
    git(root, "init", "-q")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "all")
    return root


def test_a_clean_file_may_be_written_though_another_one_is_dirty(repository: Path) -> None:
    (repository / "c.py").write_bytes(b"mine\n")
    guard(repository, ["app/a.py"])


@pytest.mark.parametrize("staged", [False, True])
def test_a_changed_file_is_dirty(repository: Path, staged: bool) -> None:
    (repository / "c.py").write_bytes(b"mine\n")
    if staged:
        git(repository, "add", "c.py")
    with pytest.raises(DirtyFiles) as caught:
        guard(repository, ["app/a.py", "c.py"])
    assert caught.value.paths == ("c.py",)
    guard(repository, ["app/a.py", "c.py"], allow_dirty=True)


@pytest.mark.parametrize("mark", ["--assume-unchanged", "--skip-worktree"])
def test_a_change_that_git_was_told_to_overlook_is_dirty(repository: Path, mark: str) -> None:
    git(repository, "update-index", mark, "c.py")
    (repository / "c.py").write_bytes(b"mine\n")
    with pytest.raises(DirtyFiles):
        guard(repository, ["c.py"])


@pytest.mark.parametrize("name", ["new.py", "ignored/new.py", "new [a]*.py", ":(top)new.py", "nové.py"])
def test_a_file_that_git_does_not_know_is_dirty(repository: Path, name: str) -> None:
    (repository / "ignored").mkdir()
    (repository / ".gitignore").write_text("ignored/\n")
    (repository / name).write_bytes(b"old\n")
    with pytest.raises(DirtyFiles) as caught:
        guard(repository, [name])
    assert caught.value.paths == (name,)


@pytest.mark.parametrize("name", ["new.py", "ignored/new.py", "app/b.py"])
def test_of_a_file_that_is_not_there_yet_nothing_can_be_lost(repository: Path, name: str) -> None:
    (repository / "ignored").mkdir()
    (repository / ".gitignore").write_text("ignored/\n")
    (repository / "app/b.py").unlink()
    guard(repository, ["c.py", name], new=[name])
    (repository / "c.py").write_bytes(b"mine\n")
    with pytest.raises(DirtyFiles) as caught:
        guard(repository, ["c.py", name], new=[name])
    assert caught.value.paths == ("c.py",)


def test_outside_git_a_new_file_has_to_be_allowed_too(root: Path) -> None:
    with pytest.raises(NoRepository):
        guard(root, ["d.py"], new=["d.py"])


def test_a_name_that_git_would_read_as_a_pattern_is_only_a_name(repository: Path) -> None:
    for name in (":(top)x.py", ":!y.py", "[c].py"):
        (repository / name).write_bytes(b"old\n")
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "names")
    (repository / "c.py").write_bytes(b"mine\n")
    guard(repository, [":(top)x.py", ":!y.py", "[c].py"])


def test_a_file_in_a_nested_repository_is_judged_by_that_one(repository: Path) -> None:
    (repository / "vendor").mkdir()
    (repository / "vendor/x.py").write_bytes(b"old\n")
    git(repository / "vendor", "init", "-q")
    git(repository / "vendor", "add", "-A")
    git(repository / "vendor", "commit", "-qm", "all")
    guard(repository, ["vendor/x.py", "c.py"])


def test_a_hook_environment_of_another_repository_is_not_believed(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (repository / "c.py").write_bytes(b"mine\n")
    monkeypatch.setenv("GIT_DIR", "/nonexistent")
    monkeypatch.setenv("GIT_INDEX_FILE", "/nonexistent/index")
    with pytest.raises(DirtyFiles):
        guard(repository, ["c.py"])


def test_outside_git_nothing_is_written_unless_allowed(root: Path) -> None:
    with pytest.raises(NoRepository) as caught:
        guard(root, ["c.py"])
    assert caught.value.paths == ("c.py",)
    guard(root, ["c.py"], allow_no_vcs=True)


def test_asking_git_leaves_its_index_alone_and_runs_no_monitor(repository: Path, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    git(repository, "config", "core.fsmonitor", f"touch '{ran}'; false")
    os.utime(repository / "c.py", (1, 1))  # git would like to note the new time in its index
    before = picture(repository)
    guard(repository, ["c.py", "app/a.py"])
    assert picture(repository) == before
    assert not ran.exists()


def test_a_patch_starts_at_the_repository_of_the_working_directory(repository: Path) -> None:
    backend = repository / "app"
    base = patch_base(backend, backend, ["a.py"])
    assert (base.folder, base.prefix, base.strip) == (repository, "app/", "")
    assert patch_base(repository, backend, ["c.py"]).prefix == ""


def test_outside_git_a_patch_starts_at_the_working_directory(root: Path) -> None:
    assert patch_base(root, root.parent, ["c.py"]).prefix == "project/"
    inside = patch_base(root, root / "app", ["app/a.py"])
    assert (inside.folder, inside.strip) == (root / "app", "app/")


def test_a_patch_that_cannot_start_there_starts_at_the_project(root: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    assert patch_base(root, tmp_path / "elsewhere", ["c.py"]).folder == root
    assert patch_base(root, root / "app", ["c.py"]).folder == root
