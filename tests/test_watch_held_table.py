"""The table of what a process has out, as the command reads it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codemods.watch.held_table import SLOTS, Held, HeldTable, read


@given(st.lists(st.tuples(st.sampled_from(["take", "mark", "give back"]), st.integers(0, 9)), max_size=60))
def test_it_says_what_is_out(tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]]) -> None:
    path = tmp_path_factory.mktemp("table") / "one"
    table, out = HeldTable(str(path)), dict[int, tuple[int, Held]]()
    for number, (step, key) in enumerate(steps, start=1):
        if step == "take" and key not in out:
            slot = table.take(float(number), key)
            assert slot is not None
            out[key] = slot, Held(float(number), key, False)
        elif step == "mark" and key in out:
            slot, held = out[key]
            table.mark(slot)
            out[key] = slot, Held(held.since, key, True)
        elif step == "give back" and key in out:
            table.give_back(out.pop(key)[0])
        table.happened()
    events, held_now = read(path)
    assert events == len(steps)
    assert set(held_now) == {held for _, held in out.values()}


def test_more_than_it_has_room_for(tmp_path: Path) -> None:
    table = HeldTable(str(tmp_path / "one"))
    slots = [table.take(1.0, number) for number in range(SLOTS + 1)]
    assert slots[-1] is None
    assert None not in slots[:-1]
    table.give_back(0)
    assert table.take(1.0, 7) == 0
    assert len(read(tmp_path / "one")[1]) == SLOTS


def test_where_no_file_can_be_had_the_process_goes_on(tmp_path: Path) -> None:
    table = HeldTable(str(tmp_path / "missing" / "one"))
    table.happened()
    assert table.take(1.0, 1) is not None
    assert table.events == 1


def test_another_file_is_none(tmp_path: Path) -> None:
    (tmp_path / "one").write_text("no table")
    with pytest.raises(ValueError, match="no table"):
        read(tmp_path / "one")
