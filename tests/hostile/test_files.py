"""Odd things in the file system: what is read is what was listed, and nothing outside of the root is touched."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from codemods import sources
from codemods.plan import Failure, Source
from hostile.projects import CURED, LEAK, SCOPE_ONLY, after, failed, lay, run


def command(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "codemods", *arguments]
    return subprocess.run(line, cwd=root, capture_output=True, text=True, errors="replace", check=False, timeout=120)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return lay(tmp_path / "project", {"good.py": LEAK})


def apply(root: Path) -> subprocess.CompletedProcess[str]:
    return command(root, "apply", "--level", "review", "--select", "session-scope", "--allow-no-vcs", ".")


def test_a_file_that_shrinks_grows_or_goes_after_it_was_listed_is_read_as_it_is_then(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lay(root, {"gone.py": LEAK, "grown.py": LEAK, "swapped.py": LEAK})
    read = sources.read

    def late(folder: Path, path: str) -> Source | Failure:
        if path == "gone.py":
            (folder / path).unlink()
        elif path == "grown.py":
            (folder / path).write_text(LEAK + "x = 1\n")
        elif path == "swapped.py":
            (folder / path).unlink()
            (folder / path).symlink_to("/etc/passwd")
        return read(folder, path)

    monkeypatch.setattr(sources, "read", late)
    plan = run(root)
    assert set(failed(plan)) == {"gone.py", "swapped.py"}
    assert after(plan) == {"good.py": CURED.encode(), "grown.py": f"{CURED}x = 1\n".encode()}


@pytest.mark.parametrize("other", ["pipe", "folder", "link"])
def test_what_takes_the_place_of_a_file_is_neither_waited_for_nor_read(root: Path, other: str) -> None:
    place = root / "odd.py"
    match other:
        case "pipe":
            os.mkfifo(place)
        case "folder":
            place.mkdir()
        case _:
            place.symlink_to("/dev/zero")
    assert isinstance(sources.read(root, "odd.py"), Failure)
    assert after(run(root)) == {"good.py": CURED.encode()}


def test_a_link_out_of_the_root_is_not_written_through(root: Path, tmp_path: Path) -> None:
    outside = lay(tmp_path / "outside", {"their.py": LEAK})
    (root / "link.py").symlink_to(outside / "their.py")
    (root / "folder").symlink_to(outside)
    assert apply(root).returncode == 0
    assert (outside / "their.py").read_text() == LEAK
    assert (root / "good.py").read_text() == CURED
    assert (root / "link.py").is_symlink()


def test_links_that_lead_in_circles_end(root: Path) -> None:
    (root / "a").symlink_to("b")
    (root / "b").symlink_to("a")
    (root / "self").symlink_to(".")
    (root / "self.py").symlink_to("self.py")
    assert after(run(root)) == {"good.py": CURED.encode()}


def test_a_file_under_two_names_is_written_by_neither(root: Path, tmp_path: Path) -> None:
    os.link(root / "good.py", tmp_path / "other_name")
    told = apply(root)
    assert told.returncode == 2
    assert "Traceback" not in told.stderr
    assert (tmp_path / "other_name").read_text() == LEAK


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o755, 0o4755])
def test_permissions_are_kept_when_written(root: Path, mode: int) -> None:
    (root / "good.py").chmod(mode)
    status = (root / "good.py").stat()
    assert apply(root).returncode == 0
    assert (root / "good.py").read_text() == CURED
    now = (root / "good.py").stat()
    assert stat.S_IMODE(now.st_mode) == mode
    assert (now.st_uid, now.st_gid) == (status.st_uid, status.st_gid)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root gives files away")
def test_a_file_of_somebody_else_stays_theirs_or_is_left(root: Path) -> None:
    os.chown(root / "good.py", 12345, 54321)
    told = apply(root)
    status = (root / "good.py").stat()
    assert (status.st_uid, status.st_gid) == (12345, 54321)
    assert (root / "good.py").read_text() == (LEAK if told.returncode else CURED)


def test_a_file_that_may_not_be_written_is_not_replaced(root: Path) -> None:
    (root / "good.py").chmod(0o444)
    told = apply(root)
    assert told.returncode == 2
    assert "read-only" in told.stderr
    assert (root / "good.py").read_text() == LEAK


NAMES = {
    "253_bytes": "a" * 250 + ".py",
    "not_utf8": os.fsdecode(b"latin\xe9.py"),
    "newline": "new\nline.py",
    "tab": "tab\t.py",
    "option": "-rf.py",
    "quotes": "quo\"te'.py",
    "right_to_left": "\u202egnp.py",
    "backslash": "back\\slash.py",
    "blank": " .py",
    "format": "%s{0}.py",
    "escape": "\x1b]0;x\x07.py",
}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of files with these names, shown and then written."""
    root = lay(tmp_path_factory.mktemp("names"), dict.fromkeys(NAMES.values(), LEAK))
    shown = command(root, "diff", "--select", "session-scope", "--no-cache", ".")
    assert shown.returncode == 1
    assert not {"\u202e", "\x1b", "\x07"} & {*shown.stdout, *shown.stderr}
    told = apply(root)
    assert told.returncode == 0, told.stderr
    assert "Traceback" not in shown.stderr + told.stderr
    return root


@pytest.mark.parametrize("name", NAMES)
def test_a_file_of_any_name_is_written(written: Path, name: str) -> None:
    assert (written / NAMES[name]).read_text() == CURED


def test_a_folder_without_rights_is_named(root: Path) -> None:
    lay(root, {"closed/a.py": LEAK})
    (root / "closed").chmod(0)
    try:
        if os.access(root / "closed", os.R_OK):
            pytest.skip("this user may read everything")
        plan = run(root)
    finally:
        (root / "closed").chmod(0o755)
    assert set(failed(plan)) == {"closed"}
    assert after(plan) == {"good.py": CURED.encode()}


def test_a_file_larger_than_anyone_writes_is_named(root: Path) -> None:
    with (root / "large.py").open("wb") as file:
        file.write(LEAK.encode())
        file.truncate(sources.SIZE_LIMIT + 1)
    plan = run(root, SCOPE_ONLY)
    assert "larger than" in failed(plan)["large.py"]
    assert after(plan) == {"good.py": CURED.encode()}


def test_an_empty_file_and_one_of_blanks_are_nothing_special(root: Path) -> None:
    lay(root, {"empty.py": "", "blank.py": " \n\t\n", "comment.py": "# new_session"})
    plan = run(root)
    assert failed(plan) == {}
    assert list(after(plan)) == ["good.py"]
