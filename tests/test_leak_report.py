"""The file in which a running program's leaks are handed over."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codemods.leak_report import PLACES_KEPT, Frame, Leak, LeakKind, LeakReport, LeakReportError, dumps, load, merged

MAKER = Frame("app/db.py", 9, "new_session", "return maker()")
HERE = Frame("app/users.py", 17, "count_users", "session = new_session()")
THERE = Frame("app/orders.py", 4, "Orders.all", "session = new_session()")

frames = st.builds(Frame, st.text(), st.integers(1), st.text(), st.text())
leaks = st.builds(
    Leak,
    st.sampled_from(LeakKind),
    st.lists(frames, min_size=1, max_size=3).map(tuple),
    st.integers(1, 99),
    st.integers(0, 99),
    st.lists(st.text(), max_size=3).map(tuple),
)


@given(st.builds(LeakReport, st.text(), st.lists(leaks).map(tuple), st.booleans()))
def test_a_report_is_read_as_it_was_written(tmp_path_factory: pytest.TempPathFactory, report: LeakReport) -> None:
    file = tmp_path_factory.getbasetemp() / "leaks.json"
    file.write_text(dumps(report))
    assert load(file) == report
    assert dumps(report).isascii()


def test_the_same_lines_are_one_leak_and_other_lines_another() -> None:
    one = Leak(LeakKind.HELD, (MAKER, HERE), 2, 1, ("test_a",))
    same = Leak(LeakKind.HELD, (MAKER, HERE), 3, 0, ("test_b", "test_a"))
    other_caller = Leak(LeakKind.HELD, (MAKER, THERE))
    other_kind = Leak(LeakKind.REUSED, (MAKER, HERE), 9)
    assert merged([other_kind, other_caller, one, same]) == (
        Leak(LeakKind.HELD, (MAKER, HERE), 5, 1, ("test_a", "test_b")),
        other_caller,
        other_kind,
    )


def test_only_the_first_places_are_kept() -> None:
    many = merged(Leak(LeakKind.HELD, (HERE,), where=(f"test_{number}",)) for number in range(PLACES_KEPT + 5))
    assert many[0].count == PLACES_KEPT + 5
    assert many[0].where == tuple(f"test_{number}" for number in range(PLACES_KEPT))


@given(st.lists(leaks), st.randoms())
def test_merging_loses_no_session(some: list[Leak], random: object) -> None:
    assert sum(leak.count for leak in merged(some)) == sum(leak.count for leak in some)
    assert merged(merged(some)) == merged(some)


GOOD = json.loads(dumps(LeakReport("/app", (Leak(LeakKind.HELD, (HERE,)),))))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b"{}",
        b"[" * 100_000,
        json.dumps({**GOOD, "version": 0}).encode(),
        json.dumps({**GOOD, "version": None}).encode(),
        json.dumps({**GOOD, "leaks": {}}).encode(),
        json.dumps({**GOOD, "strict": "yes"}).encode(),
        json.dumps({**GOOD, "leaks": [{**GOOD["leaks"][0], "frames": []}]}).encode(),
        json.dumps({**GOOD, "leaks": [{**GOOD["leaks"][0], "kind": "lost"}]}).encode(),
        json.dumps({**GOOD, "leaks": [{**GOOD["leaks"][0], "frames": [{"path": "a"}]}]}).encode(),
        json.dumps({**GOOD, "leaks": [{**GOOD["leaks"][0], "count": "2"}]}).encode(),
    ],
)
def test_what_is_no_report_is_said_with_the_file_s_name(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "leaks.json"
    file.write_bytes(content)
    with pytest.raises(LeakReportError, match=r"leaks\.json: no report of leaks; `pytest --session-leaks"):
        load(file)


def test_a_report_of_a_newer_version_asks_for_an_update(tmp_path: Path) -> None:
    file = tmp_path / "leaks.json"
    file.write_text(json.dumps({**GOOD, "version": 2, "leaks": "other"}))
    with pytest.raises(LeakReportError, match="newer version of session-codemods; update it"):
        load(file)
    with pytest.raises(LeakReportError, match="cannot be read: No such file"):
        load(tmp_path / "none.json")
