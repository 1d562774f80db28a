"""What each command makes of a review, without a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reviews.projects import by_hand, finding

from codemods.plan import Level
from codemods.review.interactive import choosing, telling
from codemods.review.interactive.commands import Command, Typed, of_key, of_line
from codemods.review.interactive.reviewing import Reviewing, Show, Signature, Step, step
from codemods.review.terminal import Viewpoint
from codemods.saved_plan import AppliedRun, Decision, SavedPlan, Verdict

ANN = Signature("Ann", "2025-01-02T03:04:05+00:00")
PLAN = by_hand(
    finding("app/a.py", 1, name="one"),
    finding("app/a.py", 2, "eager-load", Level.REVIEW, "two", "`user.orders` is read"),
    finding("app/a.py", 3, name="three"),
    finding("app/b.py", 1, name="four"),
    finding("app/b.py", 2, "eager-load", name="five"),
)
IDS = tuple(group.id for group in PLAN.groups)


def begun(plan: SavedPlan = PLAN, order: Sequence[str] = IDS) -> Reviewing:
    return Reviewing.begun(plan, order)


def after(now: Reviewing, typed: str, by: Signature = ANN) -> Step:
    """The step after commands as they are typed in lines, separated by `;`."""
    made = Step(now, Show.GROUP)
    for line in typed.split(";"):
        made = step(made.reviewing, of_line(line), by)
    return made


def verdicts(now: Reviewing) -> str:
    """One letter for each group of the plan: accepted, refused, or open."""
    return "".join(
        {"accepted": "a", "refused": "r", "open": "."}[now.plan.decision(g).verdict] for g in now.plan.groups
    )


@pytest.mark.parametrize(
    ("typed", "wanted", "place"),
    [
        ("y", "a....", 1),
        ("n", "r....", 1),
        ("N too early", "r....", 1),
        ("s", ".....", 1),
        ("y;n;s;y", "ar.a.", 4),
        ("y;y;y;y;y", "aaaaa", 5),
        ("s;s;s;s;s", ".....", 5),
        ("s;s;s;s;s;s", ".....", 0),
        ("y;s;y;s;y;s", "a.a.a", 1),
        ("a", "a.aa.", 1),
        ("s;a", ".a..a", 2),
        ("n;s;a", "r.aa.", 4),
        ("d", "aaa..", 3),
        ("s;d", ".aa..", 3),
        ("n;d", "raa..", 3),
        ("s;s;s;d", "...aa", 5),
        ("a;u", ".....", 0),
        ("y;d;u", "a....", 1),
        ("y;n;u;u", ".....", 0),
        ("find four", ".....", 3),
        ("find four;y", "...a.", 4),
        ("y;find one;n", "r....", 1),
        ("y;find one;a", "a.aa.", 1),
        ("y;find one;y;u", "a....", 0),
        ("w;?;bogus;u", ".....", 0),
        ("q", ".....", 0),
    ],
)
def test_commands_decide_and_move(typed: str, wanted: str, place: int) -> None:
    now = after(begun(), typed).reviewing
    assert (verdicts(now), now.place) == (wanted, place)


def test_a_review_begins_at_the_first_open_group() -> None:
    now = after(begun(), "y;n").reviewing
    assert begun(now.plan).place == 2
    assert begun(after(now, "y;y;y").reviewing.plan).group is None


def test_a_decision_says_who_when_and_why() -> None:
    now = after(begun(), "y;refuse it is  tested elsewhere").reviewing
    assert now.plan.decisions == {
        IDS[0]: Decision(Verdict.ACCEPTED, "Ann", "", ANN.at),
        IDS[1]: Decision(Verdict.REFUSED, "Ann", "it is  tested elsewhere", ANN.at),
    }


def test_a_refusal_with_a_note_needs_the_note() -> None:
    made = step(begun(), Typed(Command.REFUSE_NOTED), ANN)
    assert (made.reviewing, made.show) == (begun(), Show.PROMPT)


def test_accepting_many_says_how_many_of_which_level() -> None:
    assert after(begun(), "a").told == "Accepted 3 groups (3 safe) of session-scope."
    assert after(begun(), "d").told == "Accepted 3 groups (2 safe, 1 review) in app/a.py."
    assert after(begun(), "d;u").told == "Took back the last answer, of 3 groups."


def test_no_rule_and_no_path_of_a_plan_forges_a_line() -> None:
    evil = "x\nAccepted.\x1b[2J\u202e"
    now = begun(by_hand(finding(f"app/{evil}.py", 1, evil)), ())
    now = replace(now, order=(now.plan.groups[0].id,))
    for made in (after(now, "a"), after(now, "d")):
        assert made.told.isprintable()
        assert "\\x1b[2J" in made.told
    voice = telling.Voice(Viewpoint("/root", "/root"))
    shown = telling.group(now, now.plan.groups[0], lambda group: (), voice)
    shown += telling.why(now.plan, now.plan.groups[0], {evil: "A page."}, voice)
    assert all(line.isprintable() for line in shown.split("\n"))
    assert shown.count("\nAccepted.") == 0


def test_only_groups_that_are_shown_are_accepted() -> None:
    now = begun(order=(IDS[0], IDS[3]))
    assert verdicts(after(now, "a").reviewing) == "a..a."
    assert verdicts(after(now, "d").reviewing) == "a...."
    assert after(now, "find three").told == "Nothing found for 'three'."


@pytest.mark.parametrize(
    ("words", "hits"),
    [
        ("app/b.py", "4 5"),
        ("EAGER", "2 5"),
        ("app.three", "3"),
        ("`user.orders`", "2"),
        ("never closed", "1 2 3 4 5"),
        ("app/a.py:2", "2"),
        (IDS[3], "4"),
        ("nowhere", ""),
    ],
)
def test_a_group_is_found_by_what_is_told_of_it(words: str, hits: str) -> None:
    assert " ".join(str(n) for n, g in enumerate(PLAN.groups, 1) if choosing.has_text(g, words)) == hits


def test_finding_again_goes_on_and_round() -> None:
    now = begun()
    places = []
    for typed in ("/eager", "/", "find", "/"):
        now = after(now, typed).reviewing
        places.append(now.place)
    assert places == [1, 4, 1, 4]
    assert after(begun(), "/").told == "Nothing to find was typed."


def test_at_the_end_there_is_nothing_to_answer() -> None:
    end = after(begun(), "s;s;s;s;s").reviewing
    for typed in ("y", "n", "a", "d", "w", "note x"):
        made = after(end, typed)
        assert (made.reviewing, made.show) == (end, Show.PROMPT)
    assert after(end, "u").told == "Nothing to take back in this sitting."


def test_a_review_of_nothing_can_be_left() -> None:
    empty = begun(order=())
    assert after(empty, "y;s;/x;u;?").reviewing.place == 0
    assert after(empty, "q").show is Show.LEAVE


def test_taking_back_leaves_alone_what_somebody_else_decided_since() -> None:
    now = after(begun(), "a").reviewing
    others = Decision(Verdict.REFUSED, "Bob", "no", "2025-01-03T00:00:00+00:00")
    made = after(now.with_plan(now.plan.decided([PLAN.groups[2]], others)), "u")
    assert made.reviewing.plan.decisions == {IDS[2]: others}
    assert made.told == "Took back the last answer, of 3 groups; 1 of them somebody else decided since."


COMMANDS = st.one_of(
    st.sampled_from([*"ynadsw?q", "find app", "find two", "/", "refuse note", "x"]).map(of_line),
    st.sampled_from(Command).map(Typed),
)


@given(
    st.lists(COMMANDS, max_size=25),
    st.lists(st.sampled_from(IDS), unique=True),
    st.dictionaries(st.sampled_from(IDS), st.sampled_from([Decision(one) for one in Verdict if one != "open"])),
)
def test_any_answers_all_taken_back_are_no_answers(
    typed: list[Typed], order: list[str], decided: dict[str, Decision]
) -> None:
    start = by_hand(*(group.findings[0] for group in PLAN.groups))
    for group in start.groups:
        if group.id in decided:
            start = start.decided([group], decided[group.id])
    now = Reviewing.begun(start, order)
    for one in typed:
        now = step(now, one, ANN).reviewing
        assert 0 <= now.place <= len(order)
        assert set(now.plan.decisions) - set(start.decisions) <= set(order)
    for _ in list(now.history):
        now = step(now, Typed(Command.UNDO), ANN).reviewing
    assert now.plan == start
    assert not now.history


@given(st.lists(st.sampled_from(["y", "n", "s", "a", "d"]), max_size=12))
def test_answers_never_touch_a_group_that_is_decided(typed: list[str]) -> None:
    """Going on from open group to open group, no answer is ever overwritten."""
    now = begun()
    for key in typed:
        before = now.plan.decisions
        now = after(now, key).reviewing
        assert before.items() <= now.plan.decisions.items()


# --- what is typed ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "command", "text"),
    [
        ("accept", Command.ACCEPT, ""),
        ("  YES \r\n", Command.ACCEPT, ""),
        ("y", Command.ACCEPT, ""),
        ("no", Command.REFUSE, ""),
        ("n because", Command.REFUSE_NOTED, "because"),
        ("N because", Command.REFUSE_NOTED, "because"),
        ("note  because ", Command.REFUSE_NOTED, "because"),
        ("/app", Command.FIND, "app"),
        ("/ two words", Command.FIND, "two words"),
        ("find two words", Command.FIND, "two words"),
        ("help", Command.HELP, ""),
        ("accept it", None, "accept it"),
        ("yy", None, "yy"),
        ("Y", None, "Y"),
        ("", None, ""),
    ],
)
def test_a_line_is_a_word_or_a_key(line: str, command: Command | None, text: str) -> None:
    assert of_line(line) == Typed(command, text)


@pytest.mark.parametrize("key", ["", "yy", "\x1b[A", "Y", " ", "\n"])
def test_several_keys_at_once_are_no_answer(key: str) -> None:
    assert of_key(key) is None


def test_every_command_has_a_key_and_words_of_its_own() -> None:
    typed = [one for command in Command for one in (command.key, *command.words)]
    assert len(set(typed)) == len(typed)


# --- what is shown ----------------------------------------------------------------------------------------------------


def test_what_is_shown_is_wanted_fresh_and_not_written() -> None:
    def ids(plan: SavedPlan = PLAN, wanted: choosing.Wanted | None = None, stale: str = "") -> list[int]:
        return [IDS.index(one) + 1 for one in choosing.shown(plan, wanted or choosing.Wanted(), {stale: "changed"})]

    assert ids() == [1, 2, 3, 4, 5]
    assert ids(wanted=choosing.Wanted(rules=["eager-load"])) == [2, 5]
    assert ids(wanted=choosing.Wanted(level=Level.REVIEW)) == [2]
    assert ids(wanted=choosing.Wanted(level=Level.SAFE, path=lambda path: path == "app/b.py")) == [4, 5]
    assert ids(stale=IDS[1]) == [1, 3, 4, 5]
    written = replace(PLAN, applied=(AppliedRun("run", IDS[:2]),))
    assert ids(written) == [3, 4, 5]


# --- groups that need others ------------------------------------------------------------------------------------------

NEEDING = by_hand(
    finding("app/a.py", 1, name="caller"),
    replace(finding("app/a.py", 2, name="user"), requires_at=(("session-scope", "app/a.py", 1),)),
    finding("app/a.py", 3, name="alone"),
)


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("s;y", "app.user:2 is accepted, but needs session-scope:app.caller:1, which is open."),
        ("n;y", "app.user:2 is accepted, but needs session-scope:app.caller:1, which is refused."),
        ("s;y;u;u", ""),
        ("y;y", ""),
        ("y;n", ""),
        ("n;n", ""),
        ("n;s;y", ""),
        ("a", ""),
    ],
)
def test_an_answer_that_apply_would_stop_at_is_told_at_once(typed: str, told: str) -> None:
    step = after(begun(NEEDING, tuple(group.id for group in NEEDING.groups)), typed)
    assert ("needs" in step.told) == bool(told)
    assert told in step.told


def test_a_refusal_names_the_accepted_groups_that_need_it() -> None:
    order = tuple(group.id for group in NEEDING.groups)
    step = after(begun(NEEDING, order[1:]), "y")
    assert "needs session-scope:app.caller:1, which is open" in step.told
    again = after(Reviewing.begun(step.reviewing.plan, order), "n")
    assert "session-scope:app.user:2 is accepted, but needs session-scope:app.caller:1, which is refused." in again.told


def test_what_is_written_already_is_needed_no_more() -> None:
    first, second, _ = NEEDING.groups
    written = replace(NEEDING, applied=(AppliedRun("r", (first.id,)),))
    assert written.decided([second], Decision(Verdict.ACCEPTED)).unmet() == ()
    assert NEEDING.decided([second], Decision(Verdict.ACCEPTED)).unmet() == ((second, first),)
