"""Which findings can be made together: what they need of each other, and what they may not both touch."""

from __future__ import annotations

from codemods.plan import Edit, Finding, GuardBlock, Level, OpenBlock, RemoveStatement, ReplaceStatement, Site
from codemods.settle import settle


def finding(
    key: str,
    line: int,
    *edits: Edit,
    path: str = "app/db.py",
    rule: str = "session-dependency",
    level: Level = Level.SAFE,
    needs: tuple[tuple[str, int], ...] = (),
) -> Finding:
    made = edits or (RemoveStatement(path, line),)
    site = Site(path, line, 1, line, 2, "app.f")
    return Finding(
        key,
        rule,
        site,
        level,
        "message",
        edits=() if level is Level.MANUAL else made,
        requires_at=tuple((rule, *need) for need in needs),
    )


def settled(
    *findings: Finding, wanted: tuple[str, ...] = ("app/db.py", "app/jobs.py")
) -> tuple[list[list[str]], dict[str, str]]:
    result = settle(findings, {}, wanted)
    return [[one.key for one in group.findings] for group in result.groups], dict(result.refused)


def test_a_place_that_is_trusted_less_is_in_the_same_group() -> None:
    lends = finding("lends", 4, needs=(("app/jobs.py", 9),))
    drives = finding("drives", 9, path="app/jobs.py", level=Level.REVIEW)
    assert settled(lends, drives) == ([["lends", "drives"]], {})


def test_a_place_that_is_right_alone_stays_a_group_of_its_own() -> None:
    lends = finding("lends", 4, needs=(("app/jobs.py", 9),), level=Level.REVIEW)
    drives = finding("drives", 9, path="app/jobs.py")
    assert settled(lends, drives) == ([["lends"], ["drives"]], {})


def test_a_place_that_is_right_already_meets_a_need() -> None:
    lends = finding("lends", 4, needs=(("app/jobs.py", 9),))
    right = {("session-dependency", "app/jobs.py", 9)}
    assert settle((lends,), {}, ("app/db.py",), right=right).refused == {}


def test_what_nothing_needs_of_a_file_that_was_not_asked_for_is_left_out() -> None:
    drives = finding("drives", 9, path="app/jobs.py")
    lends = finding("lends", 4, level=Level.MANUAL, needs=(("app/jobs.py", 9),))
    assert settle((lends, drives), {}, ("app/db.py",), cross_paths=True).groups == ()


def test_with_cross_paths_a_needed_place_changes_in_a_file_that_was_not_asked_for() -> None:
    drives = finding("drives", 9, path="app/jobs.py")
    lends = finding("lends", 4, needs=(("app/jobs.py", 9),))
    result = settle((lends, drives), {}, ("app/db.py",), cross_paths=True)
    assert [group.id for group in result.groups] == ["lends", "drives"]


def test_two_places_that_need_each_other_are_one_group() -> None:
    lends = finding("lends", 4, needs=(("app/jobs.py", 9),))
    drives = finding("drives", 9, path="app/jobs.py", needs=(("app/db.py", 4),), level=Level.REVIEW)
    assert settled(drives, lends) == ([["drives", "lends"]], {})


def test_a_place_that_is_left_alone_stops_the_one_that_needs_it() -> None:
    lends = finding("lends", 4, needs=(("app/jobs.py", 9),))
    left = finding("left", 9, path="app/jobs.py", level=Level.MANUAL)
    groups, refused = settled(lends, left)
    assert groups == []
    assert refused == {"lends": "app/jobs.py:9 would have to change with it, and is left alone"}


def test_a_refusal_travels_along_all_that_rests_on_it() -> None:
    first = finding("first", 4, needs=(("app/db.py", 8),))
    second = finding("second", 8, needs=(("app/db.py", 12),))
    assert settled(first, second)[0] == []
    assert sorted(settled(first, second)[1]) == ["first", "second"]


def test_a_finding_of_another_rule_at_the_place_does_not_count() -> None:
    lends = finding("lends", 4, needs=(("app/jobs.py", 9),))
    other = finding("other", 9, path="app/jobs.py", rule="session-scope")
    assert settled(lends, other)[0] == [["other"]]


def test_a_needed_place_in_a_file_that_was_not_asked_for_holds_the_group_back() -> None:
    lends = finding("lends", 4, needs=(("app/jobs.py", 9),))
    drives = finding("drives", 9, path="app/jobs.py")
    groups, refused = settled(lends, drives, wanted=("app/db.py",))
    assert groups == []
    assert "app/jobs.py:9" in refused["lends"]
    assert "--cross-paths" in refused["lends"]


def test_the_least_trusted_member_gives_the_level_of_the_group() -> None:
    lends = finding("lends", 4, needs=(("app/jobs.py", 9),))
    drives = finding("drives", 9, path="app/jobs.py", level=Level.REVIEW)
    assert [group.level for group in settle((lends, drives), {}, ("app/db.py", "app/jobs.py")).groups] == [Level.REVIEW]


def test_a_guard_and_a_block_that_cross_are_not_both_made() -> None:
    guard = finding("guard", 3, GuardBlock("app/db.py", 3, 6, True, "session"))
    block = finding("block", 5, OpenBlock("app/db.py", None, 5, 8, True, "other", "F()"))
    groups, refused = settled(guard, block)
    assert groups == [["guard"]]
    assert refused == {"block": "it would overlap with guard"}


def test_one_statement_is_not_replaced_twice() -> None:
    one = finding("one", 3, ReplaceStatement("app/db.py", 3, "yield a"))
    other = finding("other", 3, ReplaceStatement("app/db.py", 3, "yield b"))
    assert settled(one, other)[0] == [["one"]]
