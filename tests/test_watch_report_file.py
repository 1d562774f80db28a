"""Reports: whether one can be written is known before, and a damaged one is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from codemods.leak_report import Frame, Leak, LeakKind, LeakReport, LeakReportError, dumps, load
from codemods.watch.report_file import writable


def test_what_can_be_written_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "there").write_text("kept")
    before = (tmp_path / "there").stat()
    (tmp_path / "link").symlink_to("there")
    assert [writable(tmp_path / name) for name in ("there", "link", "new")] == [True] * 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "there"]
    assert (tmp_path / "there").stat().st_mtime_ns == before.st_mtime_ns
    assert (tmp_path / "there").read_text() == "kept"


def test_what_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "dangling").symlink_to("missing/one")
    (tmp_path / "itself").symlink_to("itself")
    names = ("", "missing/one", "dangling", "itself", "/proc/sys/kernel/ostype")
    assert not [name for name in names if writable(tmp_path / name)]


@pytest.mark.parametrize(
    ("name", "number"),
    [("count", 0), ("count", -3), ("count", 10**30), ("count", True), ("still_held", -1), ("still_held", 10**30)],
)
def test_numbers_that_count_nothing_are_refused(tmp_path: Path, name: str, number: int) -> None:
    assert damaged(tmp_path, lambda leak: leak.update({name: number}))


@pytest.mark.parametrize("number", [-1, True])
def test_lines_that_no_file_has_are_refused(tmp_path: Path, number: int) -> None:
    assert damaged(tmp_path, lambda leak: leak["frames"][0].update({"line": number}))


def test_the_same_file_undamaged_is_read(tmp_path: Path) -> None:
    assert not damaged(tmp_path, lambda leak: None)


def damaged(folder: Path, change: Any) -> bool:
    """Whether a report is refused after such a change."""
    content = json.loads(dumps(LeakReport("/project", (Leak(LeakKind.HELD, (Frame("a.py", 1, "f"),), 2, 1),))))
    change(content["leaks"][0])
    (folder / "leaks.json").write_text(json.dumps(content))
    try:
        load(folder / "leaks.json")
    except LeakReportError as error:
        return "no report of leaks" in str(error)
    return False
