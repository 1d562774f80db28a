"""A saved plan gives the bytes of any chosen groups, and knows how it stands to the files as they are now."""

from __future__ import annotations

import ast
import itertools
import os
import random
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest
from reviews.projects import ORDERS, USERS, frozen, odd_project, project

from codemods import planned
from codemods.plan import CreateFile, Edit, Finding, Group, Level, Request, Site, Source
from codemods.saved_plan import AppliedRun, SavedPlan
from codemods.transformers.compose import compose

LEGACY_APP = Path(__file__).parents[1] / "fixtures" / "legacy_app"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return project(tmp_path)


@pytest.fixture
def plan(root: Path) -> SavedPlan:
    return frozen(root)


def put(root: Path, plan: SavedPlan, groups: Iterable[Group]) -> None:
    """Writes just these groups."""
    for path, data in planned.contents(plan, groups).items():
        assert data is not None
        (root / path).write_bytes(data)


def applied(plan: SavedPlan, *runs: Iterable[Group]) -> SavedPlan:
    made = (AppliedRun(f"run-{n}", tuple(group.id for group in run)) for n, run in enumerate(runs))
    return replace(plan, applied=tuple(made))


# --- chosen groups ----------------------------------------------------------------------------------------------------


def test_refusing_a_group_is_as_if_it_had_never_been_found(plan: SavedPlan) -> None:
    assert len(plan.groups) == 4
    for size in range(5):
        for chosen in itertools.combinations(plan.groups, size):
            without = replace(plan, groups=chosen)
            assert planned.changes(plan, chosen) == planned.changes(without, without.groups)
            made = planned.contents(plan, chosen, [USERS, ORDERS])
            for group in plan.groups:
                name = group.findings[0].site.function.rpartition(".")[2]
                text = (made[group.paths[0]] or b"").decode()
                assert (f"def {name}():\n    async with async_session() as session:" in text) == (group in chosen)


def test_the_order_of_the_groups_changes_nothing(plan: SavedPlan) -> None:
    made = planned.contents(plan, plan.groups)
    assert all(planned.contents(plan, order) == made for order in itertools.permutations(plan.groups))


def test_files_with_odd_bytes_change_only_where_they_are_edited(tmp_path: Path) -> None:
    odd = frozen(odd_project(tmp_path))
    assert len(odd.groups) == 10
    for group in odd.groups:
        (change,) = planned.changes(odd, [group])
        before = (change.before or b"").split(b"\n")
        after = change.after.split(b"\n")
        assert len(before) == len(after)
        assert sum(one != other for one, other in zip(before, after, strict=True)) == 2
        assert change.groups == (group,)


def test_any_part_of_a_real_plan_composes_and_any_order_of_parts_gives_the_same() -> None:
    legacy = frozen(LEGACY_APP)
    some = random.Random(7)
    for _ in range(4):
        groups = list(legacy.groups)
        some.shuffle(groups)
        first, rest = groups[: len(groups) // 2], groups[len(groups) // 2 :]
        earlier = {change.path: change for change in planned.changes(legacy, first)}
        later = {change.path: change for change in planned.changes(legacy, rest, first)}
        whole = {change.path: change for change in planned.changes(legacy, legacy.groups)}
        for path, change in whole.items():
            for part in (earlier.get(path), later.get(path)):
                if part is not None:
                    ast.parse(part.after)
            assert (later.get(path) or earlier[path]).after == change.after
            if path in earlier and path in later:
                assert later[path].before == earlier[path].after


def test_what_the_level_shuts_out_is_not_made(root: Path) -> None:
    safe = frozen(root, level=Level.SAFE)
    assert safe.included == tuple(group for group in safe.groups if group.level is Level.SAFE)


def test_a_file_is_asked_for_by_name(plan: SavedPlan) -> None:
    assert planned.contents(plan, plan.groups, ["app/none.py"]) == {"app/none.py": None}
    assert set(planned.contents(plan, plan.groups, [USERS])) == {USERS}
    data = plan.file(USERS)
    assert data is not None
    assert planned.contents(plan, [], [USERS]) == {USERS: data.data}


def test_no_state_of_a_file_is_composed_twice(plan: SavedPlan, monkeypatch: pytest.MonkeyPatch) -> None:
    made, *rest = plan.groups
    choices = [some for size in range(4) for some in itertools.combinations(rest, size)]
    paths = [USERS, ORDERS, "app/none.py"]
    expected = [planned.contents(plan, [made, *some], paths) for some in choices]
    states: list[tuple[str, tuple[object, ...]]] = []
    real = compose

    def counted(source: Source, edits: Iterable[Edit], requests: Iterable[Request]) -> bytes:
        states.append((source.path, tuple(edits)))
        return real(source, edits, requests)

    monkeypatch.setattr("codemods.planned.compose", counted)
    composer = planned.Composer(plan, paths, [made])
    assert [composer(some) for some in choices] == expected
    assert [composer(some[::-1]) for some in choices] == expected
    assert len(states) == len(set(states)) < 2 * len(choices)


NEW = Finding(
    "new", "scaffold", Site("app/new.py", 1, 1, 1, 1, ""), Level.SAFE, "m", edits=(CreateFile("app/new.py", "a = 1\n"),)
)


def test_a_new_file_is_one_that_was_not_there(plan: SavedPlan, root: Path) -> None:
    group = Group("new", (NEW,))
    more = replace(plan, groups=(*plan.groups, group))
    (change,) = planned.changes(more, [group])
    assert (change.before, change.after) == (None, b"a = 1\n")
    assert planned.present(more, root).reason(group) == ""
    (root / "app/new.py").write_text("mine")
    assert planned.present(more, root).reason(group) == "app/new.py is there already"
    put(root, more, [group])
    assert planned.present(applied(more, [group]), root).stale == {}


def test_a_group_that_edits_what_the_plan_does_not_hold_cannot_be_made(plan: SavedPlan) -> None:
    bare = replace(plan, files=())
    with pytest.raises(planned.ComposeError):
        planned.changes(bare, bare.groups)


# --- the present files ------------------------------------------------------------------------------------------------


def test_nothing_is_stale_in_the_code_that_the_plan_was_made_from(plan: SavedPlan, root: Path) -> None:
    found = planned.present(plan, root)
    assert (found.applied, found.stale) == ((), {})


def test_a_file_that_changed_makes_just_its_groups_stale(plan: SavedPlan, root: Path) -> None:
    (root / USERS).write_bytes((root / USERS).read_bytes() + b"\n# more\n")
    found = planned.present(plan, root)
    assert found.stale == {USERS: f"{USERS} changed since the plan was made"}
    assert [found.reason(group) != "" for group in plan.groups] == [USERS in group.paths for group in plan.groups]


def test_a_file_that_is_gone_or_unreadable_is_named(plan: SavedPlan, root: Path) -> None:
    (root / USERS).unlink()
    (root / ORDERS).unlink()
    (root / ORDERS).mkdir()
    stale = planned.present(plan, root).stale
    assert stale == {USERS: f"{USERS} is not there any more", ORDERS: f"{ORDERS} cannot be read: {os.strerror(21)}"}


def test_applied_parts_are_found_in_the_files(plan: SavedPlan, root: Path) -> None:
    first, second, third, fourth = plan.groups
    put(root, plan, [first, third])
    now = applied(plan, [first], [third])
    found = planned.present(now, root)
    assert found.applied == now.applied
    assert found.stale == {}
    assert planned.remaining(now, found.applied) == (first, third)
    (change,) = planned.changes(now, [second], [first, third])
    assert change.before == (root / change.path).read_bytes()
    assert planned.changes(now, [fourth], [first, third])


def test_a_run_that_was_taken_back_is_noticed(plan: SavedPlan, root: Path) -> None:
    first, second, third, _ = plan.groups
    now = applied(plan, [first], [second, third])
    put(root, plan, [first, second, third])
    assert planned.present(now, root).applied == now.applied
    for path, data in planned.contents(plan, [first], [USERS, ORDERS]).items():
        (root / path).write_bytes(data or b"")
    found = planned.present(now, root)
    assert (found.applied, found.stale) == (now.applied[:1], {})
    for path, data in planned.contents(plan, [], [USERS, ORDERS]).items():
        (root / path).write_bytes(data or b"")
    assert planned.present(now, root).applied == ()


def parts(plan: SavedPlan) -> tuple[list[Group], list[Group]]:
    """The groups of the one file, and those of the other one."""
    return [one for one in plan.groups if ORDERS in one.paths], [one for one in plan.groups if USERS in one.paths]


def test_what_is_in_a_file_that_changed_is_not_counted_as_written(plan: SavedPlan, root: Path) -> None:
    here, there = parts(plan)
    now = applied(plan, here, there)
    put(root, plan, here)
    (root / USERS).write_text("mine\n")
    found = planned.present(now, root)
    assert found.applied == now.applied[:1]
    assert found.stale == {USERS: f"{USERS} changed since run run-1 wrote it"}
    assert found.gone == frozenset()  # it may be in there


def test_an_earlier_run_in_another_file_may_be_taken_back_first(plan: SavedPlan, root: Path) -> None:
    here, there = parts(plan)
    now = applied(plan, here, there)
    put(root, plan, there)
    found = planned.present(now, root)
    assert (found.applied, found.stale, found.gone) == (now.applied[1:], {}, frozenset({"run-0"}))


def test_one_of_several_runs_in_a_file_may_be_taken_back_by_other_means(plan: SavedPlan, root: Path) -> None:
    first, second = parts(plan)[1]
    now = applied(plan, [first], [second])
    put(root, plan, [second])
    found = planned.present(now, root)
    assert (found.applied, found.stale, found.gone) == (now.applied[1:], {}, frozenset({"run-0"}))


def test_of_a_run_that_is_taken_back_in_one_file_the_other_one_counts(plan: SavedPlan, root: Path) -> None:
    here, there = parts(plan)
    now = applied(plan, [*here, *there])
    put(root, plan, here)
    found = planned.present(now, root)
    assert found.applied == (AppliedRun("run-0", tuple(group.id for group in here)),)
    assert (found.stale, found.gone) == ({}, frozenset())


def test_a_group_that_is_in_one_of_its_files_only_cannot_be_written(plan: SavedPlan, root: Path) -> None:
    (one, *others), there = parts(plan)
    both = Group("both", (*one.findings, *there[0].findings))
    more = replace(plan, groups=(both, *others, there[1]))
    now = applied(more, [both, *others])
    put(root, more, [both, *others])
    (root / USERS).write_bytes(more.files[[file.path for file in more.files].index(USERS)].data)
    found = planned.present(now, root)
    assert found.applied == (AppliedRun("run-0", tuple(group.id for group in others)),)
    assert "both was taken back there, and not in its other files" in found.reason(both)
    assert found.reason(there[1]) != ""  # what is composed there would bring half of `both` back
    assert found.made == {"both", *(group.id for group in others)}


def test_what_a_run_wrote_that_the_plan_was_not_told_of_is_found(plan: SavedPlan, root: Path) -> None:
    here, there = parts(plan)
    put(root, plan, here)
    told, another = applied(plan, here).applied[0], AppliedRun("other", tuple(group.id for group in there))
    found = planned.present(plan, root, [another, told])
    assert (found.applied, found.stale, found.gone) == ((told,), {}, frozenset())
    assert planned.present(plan, root).stale


def test_what_would_be_made_otherwise_than_it_was_planned_is_named(plan: SavedPlan) -> None:
    assert planned.otherwise(plan, plan.groups) == ()
    files = tuple(replace(file, after="0" * 64) if file.path == USERS else file for file in plan.files)
    here, there = parts(plan)
    assert planned.otherwise(replace(plan, files=files), here) == ()
    assert planned.otherwise(replace(plan, files=files), there) == (USERS,)


def test_looking_changes_nothing(plan: SavedPlan, root: Path) -> None:
    def everything() -> dict[Path, tuple[bytes, int]]:
        return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in root.rglob("*") if path.is_file()}

    before = everything()
    planned.present(plan, root)
    planned.changes(plan, plan.groups)
    assert everything() == before
