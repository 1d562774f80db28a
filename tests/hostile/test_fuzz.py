"""Programs that nobody would write: nothing is raised, what is changed compiles, and a second run changes nothing.

A fixed set of seeds; `make fuzz` goes on from there for as long as one likes.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from hostile.fuzz import Worker, smaller
from hostile.programs import mutated, program, real_files
from hostile.verdict import wrong

SEEDS = range(1, 121)


@pytest.mark.parametrize("first", SEEDS[::10])
def test_programs_of_fixed_seeds_are_taken_well(tmp_path: Path, first: int) -> None:
    for seed in range(first, first + 10):
        assert (seed, wrong(tmp_path, program(seed))) == (seed, "")


def test_one_seed_makes_one_program() -> None:
    assert program(7) == program(7)
    assert len({program(seed) for seed in range(50)}) > 45


def test_changes_change() -> None:
    chance = random.Random(1)
    assert sum(mutated(data, chance) != data for data in real_files()[:40]) > 30


def test_a_worker_that_dies_is_told_of_and_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    import hostile.fuzz

    worker = Worker()
    monkeypatch.setattr(hostile.fuzz, "judged", os._exit)
    assert worker.judged(3) == "ended the process"  # type: ignore[arg-type]
    monkeypatch.undo()
    assert worker.judged(b"x = 1\n") == ""


def test_what_fails_is_made_small() -> None:
    data = b"".join(b"line %d\n" % number for number in range(100))
    assert smaller(data, lambda fewer: b"line 17\n" in fewer and b"line 80\n" in fewer) == b"line 17\nline 80\n"
