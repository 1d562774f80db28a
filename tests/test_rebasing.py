"""Decisions are carried onto the present code, and asked again where what was decided about is another thing now."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from reviews.projects import ORDERS, USERS, by_hand, finding, frozen, leaking, project

from codemods.plan import Group, Level
from codemods.rebasing import Rebase, rebased
from codemods.rebasing import lost as not_to_be_lost
from codemods.saved_plan import AppliedRun, Decision, SavedPlan, Verdict

DB = "app/db.py"
YES = Decision(Verdict.ACCEPTED, "Ann", "", "2025-01-02T03:04:05+00:00")
NO = Decision(Verdict.REFUSED, "Bob", "not this one", "2025-01-02T03:04:06+00:00")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return project(tmp_path)


@pytest.fixture
def old(root: Path) -> SavedPlan:
    """`first` and `third` are accepted, `second` is refused, `fourth` is open."""
    plan = frozen(root)
    return plan.decided(named(plan, "first", "third"), YES).decided(named(plan, "second"), NO)


def named(plan: SavedPlan, *names: str) -> tuple[Group, ...]:
    return tuple(g for g in plan.groups if g.findings[0].site.function.rpartition(".")[2] in names)


def answers(plan: SavedPlan) -> dict[str, Decision]:
    return {g.findings[0].site.function.rpartition(".")[2]: plan.decision(g) for g in plan.groups}


def lost(report: Rebase) -> tuple[int, int, int, int]:
    return len(report.reopened), len(report.gone), len(report.written), len(report.new)


def test_on_the_same_code_every_decision_stays(root: Path, old: SavedPlan) -> None:
    plan, report = rebased(old, frozen(root))
    assert plan == old
    assert [one.decision for one in report.carried] == [old.decision(one.group) for one in report.carried]
    assert (len(report.carried), lost(report)) == (3, (0, 0, 0, 0))


def test_decisions_follow_code_that_moves(root: Path, old: SavedPlan) -> None:
    text = (root / USERS).read_text()
    (root / USERS).write_text(text.replace("\n\nasync def first", "\n# above\n\nMORE = 1\n\n\nasync def first"))
    plan, report = rebased(old, frozen(root))
    assert answers(plan) == answers(old)
    assert plan.files != old.files
    assert lost(report) == (0, 0, 0, 0)


def test_a_group_that_edits_other_lines_is_asked_again(root: Path, old: SavedPlan) -> None:
    text = (root / USERS).read_text()
    (root / USERS).write_text(text.replace('"select second"', '"select 2"').replace('"select first"', '"select 1"'))
    plan, report = rebased(old, frozen(root))
    assert answers(plan)["first"] == Decision(
        Verdict.OPEN, note="was accepted by Ann at 2025-01-02T03:04:05+00:00; its edits changed since"
    )
    assert answers(plan)["second"].note.startswith("was refused by Bob at ")
    assert "note: not this one" in answers(plan)["second"].note
    assert answers(plan)["third"] == YES
    assert [one.decision for one in report.reopened] == [YES, NO]
    assert plan.having(Verdict.OPEN) == named(plan, "first", "second", "fourth")


def test_asked_again_and_answered_it_is_like_any_other(root: Path, old: SavedPlan) -> None:
    (root / USERS).write_text((root / USERS).read_text().replace('"select first"', '"select 1"'))
    plan, _ = rebased(old, frozen(root))
    once_more, report = rebased(plan, frozen(root))
    assert once_more == plan
    assert lost(report) == (0, 0, 0, 0)
    assert answers(rebased(plan.decided(named(plan, "first"), NO), frozen(root))[0])["first"] == NO


def test_what_is_gone_and_what_is_new_is_told(root: Path, old: SavedPlan) -> None:
    (root / USERS).write_text(leaking("second", "fifth"))
    plan, report = rebased(old, frozen(root))
    assert [(group.id, decision) for group, decision in report.gone] == [(named(old, "first")[0].id, YES)]
    assert report.new == named(plan, "fifth")
    assert answers(plan)["second"] == NO
    assert answers(plan)["fifth"].verdict is Verdict.OPEN


def test_what_was_applied_is_no_loss(root: Path, old: SavedPlan) -> None:
    from codemods import planned

    accepted = old.having(Verdict.ACCEPTED)
    for path, data in planned.contents(old, accepted).items():
        (root / path).write_bytes(data or b"")
    written = replace(old, applied=(AppliedRun("run", tuple(group.id for group in accepted)),))
    plan, report = rebased(written, frozen(root))
    assert report.written == accepted
    assert lost(report) == (0, 0, 2, 0)
    assert plan.applied == ()
    assert answers(plan) == {"second": NO, "fourth": Decision(Verdict.OPEN)}


def test_a_change_elsewhere_in_the_function_asks_nothing_again(root: Path, old: SavedPlan) -> None:
    text = (root / USERS).read_text()
    (root / USERS).write_text(text.replace("async def first():\n", 'async def first():\n    """Told."""\n'))
    assert answers(rebased(old, frozen(root))[0]) == answers(old)


# --- when the old plan stays ------------------------------------------------------------------------------------------


def why_kept(root: Path, old: SavedPlan) -> str:
    new, report = rebased(old, frozen(root))
    return not_to_be_lost(old, new, report)


def test_a_plan_of_which_nothing_is_found_any_more_stays(root: Path, old: SavedPlan) -> None:
    for path in (USERS, ORDERS):
        (root / path).write_text(leaking("other"))
    assert why_kept(root, old).startswith("none of its groups is found any more, and 3 answers would be lost")
    assert why_kept(root, replace(old, decisions={})) == ""


def test_a_plan_of_which_all_was_applied_or_something_is_left_goes(root: Path, old: SavedPlan) -> None:
    applied = (AppliedRun("run", tuple(group.id for group in old.groups)),)
    (root / ORDERS).write_text("")
    assert why_kept(root, old) == ""
    (root / USERS).write_text("")
    assert why_kept(root, replace(old, applied=applied)) == ""
    assert why_kept(root, old) != ""


def test_answers_that_hang_on_a_file_that_does_not_parse_stay(root: Path, old: SavedPlan) -> None:
    """The groups are in other files: without the maker of the sessions nobody knows what they are."""
    (root / DB).write_text("def broken(:\n")
    (root / "app/fine.py").write_text(leaking("fine").replace("app.db", "app.other"))
    assert why_kept(root, old).startswith("3 answers would be lost while files cannot be handled (app/db.py: not valid")


def test_a_file_that_never_parsed_keeps_no_plan(root: Path) -> None:
    (root / "app/broken.py").write_text(leaking("broken") + "def broken(:\n")
    plan = frozen(root)
    old = plan.decided(plan.groups, YES)
    (root / USERS).write_text("")
    assert len(frozen(root).failures) == 1
    assert why_kept(root, old) == ""


# --- by other names ---------------------------------------------------------------------------------------------------

ONE, TWO, THREE = finding("a.py", 1, name="one"), finding("a.py", 2, name="two"), finding("a.py", 3, name="three")


def grouped(**groups: list[object]) -> SavedPlan:
    """A plan by hand whose groups have ids and findings of our choice."""
    return replace(by_hand(), groups=tuple(Group(name, tuple(found)) for name, found in groups.items()))  # type: ignore[arg-type]


def carried(old: SavedPlan, new: SavedPlan) -> dict[str, str]:
    """For each new group with a decision or a note of one: the old group from which it came."""
    everything = old
    for group in old.groups:
        everything = everything.decided([group], YES)
    _, report = rebased(everything, new)
    return {one.group.id: one.was for one in (*report.carried, *report.reopened)}


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        (grouped(a=[ONE]), grouped(a=[TWO]), {"a": "a"}),
        (grouped(a=[ONE, TWO]), grouped(b=[TWO, ONE]), {"b": "a"}),
        (grouped(a=[ONE, TWO]), grouped(b=[ONE, TWO, THREE]), {"b": "a"}),
        (grouped(a=[ONE, TWO]), grouped(b=[THREE, ONE]), {"b": "a"}),
        (grouped(a=[ONE, TWO]), grouped(b=[TWO, THREE]), {}),
        (grouped(a=[ONE], b=[TWO]), grouped(c=[ONE, TWO]), {"c": "a"}),
        (grouped(a=[ONE, TWO]), grouped(b=[ONE], c=[TWO]), {"b": "a"}),
        (grouped(a=[ONE], b=[TWO]), grouped(b=[ONE], a=[TWO]), {"a": "a", "b": "b"}),
    ],
)
def test_a_group_is_known_by_its_id_then_by_its_findings(old: SavedPlan, new: SavedPlan, found: dict[str, str]) -> None:
    assert carried(old, new) == found


def test_a_decision_that_rested_on_another_promise_is_asked_again(root: Path, old: SavedPlan) -> None:
    def doubtful(plan: SavedPlan, reason: str) -> SavedPlan:
        groups = [
            replace(g, findings=tuple(replace(f, level=Level.REVIEW, reason=reason) for f in g.findings))
            for g in plan.groups
        ]
        return replace(plan, groups=tuple(groups))

    assert len(rebased(old, doubtful(frozen(root), "line 3 reads it"))[1].reopened) == 3
    assert not rebased(doubtful(old, "line 3 reads it"), doubtful(frozen(root), "line 4 reads it"))[1].reopened
    assert len(rebased(doubtful(old, "line 3 reads it"), doubtful(old, "nobody knows"))[1].reopened) == 3


def test_what_cannot_be_made_is_asked_again(old: SavedPlan) -> None:
    assert len(rebased(replace(old, files=()), replace(old, files=()))[1].reopened) == 3


# --- among equals -----------------------------------------------------------------------------------------------------

DEPENDENCY = """\
from sqlalchemy import create_engine
from sqlalchemy.orm import sessionmaker

engine = create_engine("sqlite://")
Session = sessionmaker(engine)


def get_db():
    with Session() as session:
        yield session
"""
WORK = "app/work.py"
EQUAL = '    with next(get_db()) as db:\n        db.execute("{}")\n'
RIGHT = '    with Session() as db:\n        db.execute("{}")\n'


def working(*places: str, named: str = "work") -> str:
    """A function with places that are equal to a rule, and prints between them."""
    between = "".join(f'{place}    print("after {number}")\n' for number, place in enumerate(places))
    head = "from app.sync import Session, get_db\n\n\ndef kept():\n    return get_db\n"
    return f'{head}\n\ndef {named}():\n    print("first")\n{between}'


def equals(root: Path, text: str) -> SavedPlan:
    """The dry run of a project with such a function."""
    project(root)
    (root / "pyproject.toml").write_text('[tool.session-codemods]\nselect = ["session-dependency"]\n')
    (root / "app/sync.py").write_text(DEPENDENCY)
    (root / WORK).write_text(text)
    return frozen(root)


def apply(root: Path, plan: SavedPlan) -> SavedPlan:
    """Writes what is accepted, as `apply --plan` does."""
    from codemods import planned

    accepted = plan.having(Verdict.ACCEPTED)
    for change in planned.changes(plan, accepted):
        (root / change.path).write_bytes(change.after)
    return replace(plan, applied=(*plan.applied, AppliedRun("run", tuple(group.id for group in accepted))))


def in_order(plan: SavedPlan) -> list[Verdict]:
    return [plan.decision(group).verdict for group in plan.groups]


def test_equal_places_have_ids_that_shift(tmp_path: Path) -> None:
    """What these tests stand on: else they would prove nothing."""
    both = equals(tmp_path, working(EQUAL.format(1), EQUAL.format(2)))
    second = equals(tmp_path, working(RIGHT.format(1), EQUAL.format(2)))
    assert [group.id for group in both.groups] == [second.groups[0].id, f"{second.groups[0].id}.2"]


def test_a_refused_place_stays_refused_when_an_equal_one_was_written(tmp_path: Path) -> None:
    old = equals(tmp_path, working(EQUAL.format(1), EQUAL.format(2)))
    first, second = old.groups
    old = apply(tmp_path, old.decided([first], YES).decided([second], NO))
    plan, report = rebased(old, frozen(tmp_path))
    assert [plan.decision(group) for group in plan.groups] == [NO]
    assert [(one.group.id, one.was) for one in report.carried] == [(first.id, second.id)]
    assert report.written == (first,)
    assert (report.reopened, report.gone, report.new) == ((), (), ())


def test_an_open_place_stays_open_when_an_equal_one_was_written(tmp_path: Path) -> None:
    old = equals(tmp_path, working(*(EQUAL.format(number) for number in range(3))))
    old = apply(tmp_path, old.decided(old.groups[1:2], YES))
    plan, report = rebased(old, frozen(tmp_path))
    assert in_order(plan) == [Verdict.OPEN, Verdict.OPEN]
    assert report.new == ()
    assert plan.decisions == {}


@pytest.mark.parametrize(
    "now",
    [
        working(RIGHT.format(1), EQUAL.format(2)),
        working(EQUAL.format(1), RIGHT.format(2)),
        working(EQUAL.format(0), EQUAL.format(1), EQUAL.format(2)),
        working(EQUAL.format(2), EQUAL.format(1)),
        working(EQUAL.format(3), EQUAL.format(2)),
        working(EQUAL.format(1), EQUAL.format(2)).replace("after 0", "changed"),
    ],
    ids=["first mended", "second mended", "one above", "turned round", "another first", "changed between"],
)
def test_equal_places_are_asked_again_when_their_function_changed(now: str, tmp_path: Path) -> None:
    old = equals(tmp_path, working(EQUAL.format(1), EQUAL.format(2)))
    old = old.decided(old.groups[:1], YES).decided(old.groups[1:], NO)
    (tmp_path / WORK).write_text(now)
    plan, report = rebased(old, frozen(tmp_path))
    assert set(in_order(plan)) == {Verdict.OPEN}
    assert report.carried == ()
    assert len(report.reopened) + len(report.gone) == 2
    assert all("which of the equal places it was cannot be told" in one.why for one in report.reopened)


def test_equal_places_keep_their_answers_when_only_what_is_outside_of_the_function_changes(tmp_path: Path) -> None:
    old = equals(tmp_path, working(EQUAL.format(1), EQUAL.format(2)))
    old = old.decided(old.groups[:1], YES).decided(old.groups[1:], NO)
    text = (tmp_path / WORK).read_text()
    (tmp_path / WORK).write_text(text.replace("def kept", "MORE = 1\n\n\ndef more():\n    pass\n\n\ndef kept"))
    plan, report = rebased(old, frozen(tmp_path))
    assert [plan.decision(group) for group in plan.groups] == [YES, NO]
    assert len(report.carried) == 2


def test_what_was_written_is_no_partner_of_what_is_found_again(tmp_path: Path) -> None:
    text = working(EQUAL.format(1))
    old = equals(tmp_path, text)
    old = apply(tmp_path, old.decided(old.groups, YES))
    (tmp_path / WORK).write_text(text)  # taken back by hand, with something else
    plan, report = rebased(old, frozen(tmp_path))
    assert plan.decisions == {}
    assert (report.written, report.new) == (old.groups, plan.groups)


def test_the_only_place_is_asked_again_when_it_is_another_one(tmp_path: Path) -> None:
    old = equals(tmp_path, working(EQUAL.format(1), RIGHT.format(2)))
    old = old.decided(old.groups, YES)
    (tmp_path / WORK).write_text(working(RIGHT.format(2), EQUAL.format(1)))
    plan, report = rebased(old, frozen(tmp_path))
    assert in_order(plan) == [Verdict.OPEN]
    assert [one.why for one in report.reopened] == ["what stands around it changed since"]


def test_an_answer_stays_when_another_group_wrote_the_import_that_both_need(tmp_path: Path) -> None:
    """The new dry run does not make again what is written, so the old one must not, either."""
    one, two = working(EQUAL.format(1), named="one"), working(EQUAL.format(2), named="two")
    text = one + "\n\ndef two" + two.partition("def two")[2]
    old = equals(tmp_path, text.replace("import Session, get_db", "import get_db"))
    first, second = old.groups
    old = apply(tmp_path, old.decided([first], YES).decided([second], NO))
    assert "import Session, get_db" in (tmp_path / WORK).read_text()
    plan, report = rebased(old, frozen(tmp_path))
    assert plan.decisions == {second.id: NO}
    assert report.reopened == ()
