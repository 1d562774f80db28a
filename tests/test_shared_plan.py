"""Several people answer in one plan file: nobody's answers are lost, and who decided last is told."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reviews.projects import by_hand, finding

from codemods import plan_file
from codemods.merging import AnotherPlan, Clash, merged
from codemods.plan_file import PlanFileError
from codemods.saved_plan import OPEN, AppliedRun, Decision, SavedPlan, Verdict
from codemods.shared_plan import SharedPlan

PLAN = by_hand(*(finding("app/a.py", line) for line in range(1, 6)))
ONE, TWO, THREE, *_ = PLAN.groups


def yes(by: str, minute: int) -> Decision:
    return Decision(Verdict.ACCEPTED, by, "", f"2025-01-02T03:{minute:02}:00+00:00")


def no(by: str, minute: int) -> Decision:
    return replace(yes(by, minute), verdict=Verdict.REFUSED)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    plan_file.save(PLAN, tmp_path / "plan.json")
    return tmp_path / "plan.json"


def test_answers_of_two_are_both_kept(place: Path) -> None:
    ann, bob = SharedPlan(place), SharedPlan(place)
    assert ann.save(ann.plan.decided([ONE], yes("Ann", 1))) == ()
    assert bob.save(bob.plan.decided([TWO], no("Bob", 2))) == ()
    assert bob.plan.decisions == {ONE.id: yes("Ann", 1), TWO.id: no("Bob", 2)}
    assert ann.save(ann.plan.decided([THREE], yes("Ann", 3))) == ()
    assert ann.plan == plan_file.load(place)
    assert len(ann.plan.decisions) == 3


def test_of_two_answers_the_newest_stands_and_the_other_is_told(place: Path) -> None:
    ann, bob = SharedPlan(place), SharedPlan(place)
    ann.save(ann.plan.decided([ONE], yes("Ann", 1)))
    assert bob.save(bob.plan.decided([ONE], no("Bob", 2))) == (Clash(ONE.id, no("Bob", 2), yes("Ann", 1)),)
    # Bob's clock is ahead of Ann's
    assert ann.save(ann.plan.decided([ONE], yes("Ann", 0))) == (Clash(ONE.id, no("Bob", 2), yes("Ann", 0)),)
    assert plan_file.load(place).decisions == ann.plan.decisions == {ONE.id: no("Bob", 2)}


def test_what_apply_wrote_meanwhile_is_kept(place: Path) -> None:
    ann = SharedPlan(place)
    plan_file.save(replace(PLAN, applied=(AppliedRun("run", (TWO.id,)),)), place)
    ann.save(ann.plan.decided([ONE], yes("Ann", 1)))
    assert plan_file.load(place).written == {TWO.id}


def test_an_answer_does_not_take_away_what_apply_noted(place: Path) -> None:
    """`apply --plan` notes its run while a review answers, and the other way round."""
    ann, apply = SharedPlan(place), SharedPlan(place)
    ann.save(ann.plan.decided([ONE], yes("Ann", 1)))
    apply.save(replace(apply.plan, applied=(AppliedRun("run", (TWO.id,)),)))
    assert plan_file.load(place).written == {TWO.id}
    assert plan_file.load(place).decision(ONE) == yes("Ann", 1)
    bob = SharedPlan(place)
    ann.save(ann.plan.decided([THREE], yes("Ann", 2)))
    apply.save(replace(apply.plan, applied=()))  # taken back
    bob.save(bob.plan.decided([ONE], no("Bob", 3)))
    assert plan_file.load(place).applied == ()
    assert plan_file.load(place).decision(THREE) == yes("Ann", 2)


def test_runs_that_two_wrote_are_both_kept(place: Path) -> None:
    ann, bob = SharedPlan(place), SharedPlan(place)
    ann.save(replace(ann.plan, applied=(AppliedRun("a", (ONE.id,)),)))
    bob.save(replace(bob.plan, applied=(AppliedRun("b", (TWO.id,)),)))
    assert [run.run for run in plan_file.load(place).applied] == ["a", "b"]


def test_another_dry_run_is_not_overwritten(place: Path) -> None:
    ann, bob = SharedPlan(place), SharedPlan(place)
    other = by_hand(finding("app/b.py", 1))
    bob.replace(other)
    with pytest.raises(PlanFileError, match="replaced by another dry run"):
        ann.save(ann.plan.decided([ONE], yes("Ann", 1)))
    with pytest.raises(PlanFileError, match="somebody wrote to it meanwhile"):
        ann.replace(PLAN)
    assert plan_file.load(place) == other


def test_a_plan_that_is_gone_or_broken_is_named_and_left(place: Path) -> None:
    ann = SharedPlan(place)
    place.write_text("<<<<<<< ours")
    with pytest.raises(PlanFileError, match="not a plan file"):
        ann.save(ann.plan.decided([ONE], yes("Ann", 1)))
    assert place.read_text() == "<<<<<<< ours"
    place.unlink()
    with pytest.raises(PlanFileError, match="No such file"):
        ann.save(ann.plan.decided([ONE], yes("Ann", 1)))


def test_taking_back_never_takes_back_another_s_answer(place: Path) -> None:
    ann, bob = SharedPlan(place), SharedPlan(place)
    ann.save(ann.plan.decided([ONE, TWO], yes("Ann", 1)))
    bob.save(bob.plan.decided([ONE], no("Bob", 2)))
    assert ann.save(ann.plan.decided([ONE, TWO], OPEN)) == (Clash(ONE.id, no("Bob", 2), OPEN),)
    assert ann.plan.decisions == {ONE.id: no("Bob", 2)}


MANY = by_hand(*(finding("app/a.py", line) for line in range(1, 61)))


def test_two_that_write_at_once_lose_nothing(tmp_path: Path) -> None:
    """Two processes answer, as fast as they can, every second group each."""
    place = tmp_path / "plan.json"
    plan_file.save(MANY, place)
    answer = (
        "import sys\nfrom pathlib import Path\nfrom codemods.saved_plan import *\n"
        "from codemods.shared_plan import SharedPlan\nshared = SharedPlan(Path(sys.argv[1]))\n"
        "for group in shared.plan.groups[int(sys.argv[2])::2]:\n"
        "    shared.save(shared.plan.decided([group], Decision(Verdict.ACCEPTED, sys.argv[2])))\n"
    )
    command = [sys.executable, "-c", answer, str(place)]
    running = [subprocess.Popen([*command, which]) for which in "01"]
    assert [one.wait(60) for one in running] == [0, 0]
    assert [plan_file.load(place).decision(group).by for group in MANY.groups] == ["0", "1"] * 30
    assert [path.name for path in tmp_path.iterdir()] == ["plan.json"]


DECISIONS = st.dictionaries(
    st.sampled_from([group.id for group in PLAN.groups]),
    st.builds(
        Decision,
        st.sampled_from([Verdict.ACCEPTED, Verdict.REFUSED]),
        st.sampled_from(["Ann", "Bob"]),
        at=st.sampled_from(["", "nonsense", "2025-01-01", "2025-01-01T00:00:00+00:00", "2025-01-01T00:00:00+02:00"]),
    ),
)


def holding(decisions: dict[str, Decision]) -> SavedPlan:
    return replace(PLAN, decisions=decisions)


@given(DECISIONS, DECISIONS, DECISIONS)
def test_what_only_one_changed_is_taken_from_that_one(
    base: dict[str, Decision], ours: dict[str, Decision], theirs: dict[str, Decision]
) -> None:
    both = merged(holding(base), holding(ours), holding(theirs))
    clashing = {clash.group for clash in both.clashes}
    for group in (group.id for group in PLAN.groups):
        was, our, their, now = (one.get(group) for one in (base, ours, theirs, both.plan.decisions))
        assert (group in clashing) == (our != was and their != was and our != their)
        if group not in clashing:
            assert now == (their if our == was else our)
        else:
            assert now in (our, their)
            assert now is not None
    json.loads(plan_file.dump(both.plan))


def test_decisions_of_another_dry_run_are_not_mixed() -> None:
    with pytest.raises(AnotherPlan):
        merged(PLAN, PLAN, by_hand())
