"""The benchmark's arithmetic and its table. Nothing is timed here."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import chart, rounds, table, tools, trees
from benchmarks import run as command_line
from benchmarks.figures import Edits, Measured, Run, figures, own_ratio, per_line, ratio
from benchmarks.report import Report, memory, seconds, times
from benchmarks.table import block, replaced
from benchmarks.targets import Role, Target, targets
from benchmarks.tools import (
    CACHED,
    CODEMODDER,
    COLD,
    LIBCST,
    OURS,
    PYTHON,
    RUFF,
    RUFF_CACHED,
    TYPER,
    Command,
    Program,
    Toolbox,
)

MIB = 2**20
LEAK = """\
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine

make = async_sessionmaker(create_async_engine("sqlite+aiosqlite://"), expire_on_commit=False)


async def count(query) -> None:
    session = make()
    await session.execute(query)
"""


def runs(*walls: float) -> tuple[Run, ...]:
    return tuple(Run(wall, wall / 2, 10 * MIB) for wall in walls)


def report(*, growth: Sequence[Measured] = (), notes: Sequence[str] = ()) -> Report:
    tree = Measured(
        *("app 1.0", 1200, 50_000),
        {COLD: runs(3.0, 2.0, 4.0), CACHED: runs(0.2, 0.3, 0.1), RUFF: runs(0.03, 0.02, 0.05)},
    )
    return Report(
        *([tree], growth),
        starts={"session-codemods": runs(0.05, 0.05, 0.05), "ruff": runs(0.01, 0.01, 0.01)},
        programs={COLD: "session-codemods", CACHED: "session-codemods", RUFF: "ruff"},
        about="a machine",
        notes=notes,
    )


def cells(text: str, command: str) -> list[str]:
    line = next(line for line in text.splitlines() if line.startswith(f"| {command} |"))
    return [cell.strip() for cell in line.strip("|").split("|")]


# --- arithmetic ------------------------------------------------------------------------------------------------------


def test_one_slow_round_does_not_move_the_figures() -> None:
    taken = figures([Run(1.0, 2.0, 30), Run(99.0, 99.0, 99), Run(2.0, 3.0, 40)], [Run(0.5, 0.25, 5)])

    assert (taken.wall, taken.cpu, taken.memory, taken.runs) == (2.0, 3.0, 40, 3)
    assert (taken.own_wall, taken.own_cpu) == (1.5, 2.75)


def test_start_up_that_takes_longer_than_the_work_leaves_nothing_and_not_less() -> None:
    taken = figures(runs(0.1), runs(0.3))

    assert (taken.own_wall, taken.own_cpu) == (0.0, 0.0)


def test_ratio_compares_within_a_round_and_not_across_rounds() -> None:
    # the machine was four times as slow in the last two rounds; ours took twice as long in each of them
    assert ratio(runs(2.0, 8.0, 8.0), runs(1.0, 4.0, 4.0)) == 2.0
    assert ratio(runs(1.0, 10.0, 100.0), runs(1.0, 2.0, 50.0)) == 2.0  # of the medians it would be 5


def test_ratio_takes_the_rounds_that_both_ran_in() -> None:
    assert ratio(runs(2.0, 100.0, 100.0), runs(1.0)) == 2.0
    assert ratio(runs(), runs(1.0)) is None


@given(st.lists(st.floats(0.001, 1000), min_size=1, max_size=9), st.floats(0.01, 100))
def test_ratio_of_times_that_are_all_stretched_alike_is_the_stretch(walls: list[float], stretch: float) -> None:
    assert ratio(runs(*(wall * stretch for wall in walls)), runs(*walls)) == pytest.approx(stretch)


def test_growth_is_one_where_a_line_always_costs_the_same() -> None:
    sizes = [Measured("app", 1, lines, {COLD: runs(lines / 1000)}) for lines in (1000, 2000, 4000)]

    assert per_line(sizes, COLD, runs(0.0)) == (1.0, 1.0, 1.0)
    assert per_line([*sizes, Measured("more", 1, 8000, {COLD: runs(16.0)})], COLD, runs(0.0))[-1] == 2.0


def test_growth_does_not_count_the_start_up() -> None:
    sizes = [Measured("app", 1, lines, {COLD: runs(0.5 + lines / 1000)}) for lines in (1000, 2000)]

    assert per_line(sizes, COLD, runs(0.5)) == (1.0, 1.0)


def test_growth_of_what_did_not_run_is_unknown() -> None:
    sizes = [Measured("app", 1, 1000, {COLD: runs(1.0)}), Measured("app, 2x", 2, 2000, {})]

    assert per_line(sizes, COLD, runs(0.1)) == (1.0, None)
    assert per_line(sizes[::-1], COLD, runs(0.1)) == (None, None)
    assert per_line([], COLD, runs(0.1)) == ()


# --- table -----------------------------------------------------------------------------------------------------------


def test_row_has_the_medians_the_start_up_taken_off_and_both_ratios() -> None:
    text = block(report())

    shares = ["100x / 100x / 1.0x", "6.7x / 6.7x / 1.0x"]
    assert cells(text, RUFF) == [RUFF, "3", "0.030", "0.020", "0.015", "0.010", "10", *shares]
    shares = ["-", "1/15 / 1/15 / 1.0x"]
    assert cells(text, COLD) == [COLD, "3", "3.00", "2.95", "1.50", "1.48", "10", *shares]
    shares = ["15x / 15x / 1.0x", "-"]
    assert cells(text, CACHED) == [CACHED, "3", "0.200", "0.150", "0.100", "0.075", "10", *shares]
    assert "**app 1.0**: 1,200 files, 50,000 lines" in text


def test_all_rows_of_a_table_have_as_many_cells_as_its_head() -> None:
    told = block(report()).partition("**app 1.0**")[2]
    lines = [line for line in told.splitlines() if line.startswith("|")]

    assert len(lines) == 5
    assert {line.count("|") for line in lines} == {len(table.HEAD) + 1}


def test_growth_has_only_what_ran_on_every_copy() -> None:
    sizes = [Measured("app", 1, 1000, {COLD: runs(1.05), RUFF: runs(1.0)}), Measured("2x", 2, 2000, {COLD: runs(3.05)})]
    told = block(report(growth=sizes)).partition("**Growth**")[2]

    assert cells(told, COLD) == [COLD, "1.05 (1.0x)", "3.05 (1.5x)"]
    assert f"| {RUFF} |" not in told


def test_what_was_not_measured_is_said() -> None:
    assert "- not measured: codemodder is not there" in block(report(notes=["codemodder is not there"]))
    assert "- not measured" not in block(report())


@pytest.mark.parametrize(
    ("value", "text"),
    [(310.4, "310x"), (10.0, "10x"), (1.54, "1.5x"), (0.314, "0.31x"), (0.1, "0.10x"), (0.025, "1/40"), (None, "-")],
)
def test_ratio_in_words(value: float | None, text: str) -> None:
    assert times(value) == text


@pytest.mark.parametrize(("value", "text"), [(0.0314, "0.031"), (3.14159, "3.14"), (31.4159, "31.4")])
def test_seconds_have_the_digits_that_they_deserve(value: float, text: str) -> None:
    assert seconds(value) == text


def test_new_table_takes_the_place_of_the_old_one_and_nothing_else() -> None:
    old = f"# Title\r\n\n{table.BEGIN}\nstale\n{table.END}\n\nrest"
    new = block(report())

    once = replaced(old, new)

    assert once.startswith("# Title\r\n\n")
    assert once.endswith(f"{table.END}\n\nrest")
    assert "stale" not in once
    assert replaced(once, new) == once


@pytest.mark.parametrize(
    "document",
    ["", table.BEGIN, f"{table.END}{table.BEGIN}", f"{table.BEGIN}{table.END}{table.BEGIN}{table.END}"],
    ids=["none", "no end", "the wrong way round", "two"],
)
def test_document_without_one_place_for_the_table_is_refused(document: str) -> None:
    with pytest.raises(table.NoMarkers):
        replaced(document, block(report()))


# --- targets ---------------------------------------------------------------------------------------------------------


def grown() -> Report:
    """A report in which every target is reached, by little more than is needed."""
    starts = {OURS: runs(0.05), "ruff": runs(0.01), "libcst": runs(0.5), "codemodder": runs(1.0)}
    starts |= {PYTHON: runs(0.01), TYPER: runs(0.04)}
    programs = {COLD: OURS, CACHED: OURS, RUFF: "ruff", RUFF_CACHED: "ruff", LIBCST: "libcst", CODEMODDER: "codemodder"}
    large = {COLD: runs(0.49), CACHED: runs(0.05)}
    all_runs = {
        COLD: runs(0.05 + 0.149),
        CACHED: runs(0.05 + 0.0119),
        RUFF: runs(0.11),
        RUFF_CACHED: runs(0.02),
        LIBCST: runs(0.5 + 25),
        CODEMODDER: runs(1 + 81),
    }
    dense = {**all_runs, COLD: runs(0.05 + 0.299), LIBCST: (), CODEMODDER: ()}
    return Report(
        [Measured("app", 10, 50_000, all_runs), Measured("dense", 9, 40_000, dense), Measured("2x", 9, 100_000, large)],
        [Measured("1", 1, 400_000, {COLD: runs(1.05)}), Measured("10", 1, 4_000_000, {COLD: runs(0.05 + 10.49)})],
        *(starts, programs, "a machine", ()),
        roles={Role.APPLICATION: "app", Role.DENSE: "dense", Role.LARGE: "2x"},
        edits={"app": [Edits(10, 0.03), Edits(10, 0.02), Edits(10, 0.9)], "dense": [Edits(0, 0.1)]},
    )


def changed(report: Report, tree: str, command: str, taken: Sequence[Run]) -> Report:
    def of(measured: Sequence[Measured]) -> list[Measured]:
        return [
            dataclasses.replace(one, runs={**one.runs, command: taken}) if one.tree == tree else one for one in measured
        ]

    return dataclasses.replace(report, trees=of(report.trees), growth=of(report.growth))


def missed(report: Report) -> list[Target]:
    return [one for one in targets(report) if not one.is_met]


def test_targets_that_are_just_reached_are_reached() -> None:
    assert missed(grown()) == []
    assert len(targets(grown())) == 11


@pytest.mark.parametrize(
    ("tree", "command", "wall", "what", "found"),
    [
        ("app", COLD, 0.05 + 0.16, "an application", "1.6x (app, 50,000 lines)"),
        ("dense", COLD, 0.05 + 0.31, "densest", "3.1x (dense, 40,000 lines)"),
        ("app", CACHED, 0.05 + 0.013, "second run, against ruff", "1.3x (app, 50,000 lines)"),
        ("dense", CACHED, 0.05 + 0.013, "second run, against ruff", "1.3x (dense, 40,000 lines)"),
        ("2x", COLD, 0.51, "100,000 lines", "0.510 s (100,000 lines)"),
        ("app", LIBCST, 0.5 + 14.9, "libcst's own runner", "100x (app)"),
        ("app", CODEMODDER, 1 + 29.8, "as fast as codemodder", "200x (app)"),
        ("10", COLD, 0.05 + 11.0, "largest copy", "1.1x (400,000 to 4,000,000 lines)"),
    ],
)
def test_target_that_is_missed_is_said_with_what_was_found(
    tree: str, command: str, wall: float, what: str, found: str
) -> None:
    (one,) = missed(changed(grown(), tree, command, runs(wall)))
    assert what in one.what
    assert (one.found, one.is_met) == (found, False)


def test_memory_edits_and_the_start_have_targets_too() -> None:
    fat = (Run(0.05 + 0.1, 0.1, 101_000_000),)
    (one,) = missed(changed(grown(), "app", COLD, fat))
    assert (one.what, one.found) == ("peak memory, cold", "101 MB (50,000 lines)")
    (one,) = missed(dataclasses.replace(grown(), edits={"app": [Edits(10, 0.031)]}))
    assert one.found == "3.1 ms (app)"
    report = grown()
    # the start is taken off everywhere else
    slow = dataclasses.replace(report, starts={**report.starts, OURS: runs(0.051)})
    (one,) = [one for one in missed(slow) if "--version" in one.what]
    assert one.found == "1.0x (0.051 s; `python -c pass` 0.010 s)"


def test_what_was_not_measured_is_neither_reached_nor_missed() -> None:
    nothing = Report([], [], {}, {}, "", ())
    assert {(one.found, one.is_met) for one in targets(nothing)} == {("not measured", None)}
    assert [(one.what, one.wanted) for one in targets(nothing)] == [(one.what, one.wanted) for one in targets(grown())]


def test_target_stands_beside_the_figure() -> None:
    text = block(changed(grown(), "app", COLD, runs(0.35)))
    what = "cold, against ruff with one rule and no cache: an application"
    assert cells(text, what) == [what, "<= 1.5x", "3.0x (app, 50,000 lines)", "**no**"]


def test_ratio_without_start_up_takes_each_programs_own() -> None:
    assert own_ratio(runs(1.5, 2.5), runs(0.5), runs(0.6), runs(0.1)) == pytest.approx(2.0)
    assert own_ratio(runs(1.0), (), runs(0.1), runs(0.2)) is None  # theirs is quicker than its start: nothing to tell
    assert own_ratio((), runs(0.1), runs(0.1), ()) is None


def test_short_form_leaves_out_all_but_the_application_and_names_where_the_rest_is() -> None:
    corpus = [Measured("other", 1, 1000, {COLD: runs(0.15), RUFF: runs(0.03)})]
    report = dataclasses.replace(grown(), corpus=corpus)
    short, whole = block(report, "chart.svg", "all.md"), block(report)
    assert "(all.md)" in short
    assert "(chart.svg)" in short
    assert "**app**" in short
    assert "**dense**" not in short
    assert "| other |" not in short
    assert "**Targets**" in short
    assert "**Growth**" in short
    assert "**dense**" in whole
    assert cells(whole, "other") == ["other", "1,000", "0.150", "0.030", "5.0x", "-", "-", "-", "10"]


def test_plot_is_the_same_file_for_the_same_figures_and_small(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    for name in ("one.svg", "other.svg"):
        chart.draw(changed(grown(), "1", RUFF, runs(1.0)), tmp_path / name)
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "other.svg").read_bytes()
    assert (tmp_path / "one.svg").stat().st_size < 100_000


def test_megabytes_are_millions_of_bytes() -> None:
    assert memory(1_234_567_890) == "1,235"


# --- what is chosen --------------------------------------------------------------------------------------------------


def test_command_line_changes_the_form_that_is_chosen() -> None:
    choice = command_line.chosen(command_line._options([]))
    assert choice == command_line.FULL
    assert choice.copies == (2, 4, 10)
    words = ["--quick", "--rounds", "2", "--minutes", "3", "--grown", "httpx", "--copies", "10,1,2", "--no-corpus"]
    choice = command_line.chosen(command_line._options(words))
    assert (choice.grown, choice.copies, choice.corpus) == ("httpx", (2, 10), ())
    assert (choice.size.rounds, choice.size.seconds) == (2, 180)
    assert choice.application == command_line.SHORT.application


# --- copies ----------------------------------------------------------------------------------------------------------


def test_copy_refers_to_itself_and_not_to_the_first_one() -> None:
    source = b"import app.db\nfrom app_more import application  # app\nlogger = 'app'\n"

    assert trees.renamed(source, ["app"], 1) == source
    assert trees.renamed(source, ["app"], 2) == (
        b"import app_copy2.db\nfrom app_more import application  # app_copy2\nlogger = 'app_copy2'\n"
    )
    assert trees.renamed(source, ["app", "app_more"], 3).startswith(b"import app_copy3.db\nfrom app_more_copy3 import")
    assert trees.renamed(source, [], 2) == source


def test_copies_have_the_files_as_often_and_are_seen_when_they_change(tmp_path: Path) -> None:
    package = tmp_path / "original" / "app"
    package.mkdir(parents=True)
    (package / "db.py").write_text("from app import models\n")
    (package / "models.py").write_text("import app\n\n")

    tree = trees.copied(trees.Tree("app", tmp_path / "original", 2, 3, slow=True), 4, tmp_path / "copies")

    assert (tree.name, tree.files, tree.lines, tree.slow) == ("app, 4x", 8, 12, False)
    assert (tree.folder / "app" / "db.py").read_text() == "from app import models\n"
    assert (tree.folder / "app_copy4" / "db.py").read_text() == "from app_copy4 import models\n"
    assert not trees.changed(tree)
    (tree.folder / "app" / "new.py").touch()
    assert trees.changed(tree)


# --- rounds ----------------------------------------------------------------------------------------------------------


def python(name: str, code: str, slow: bool = False) -> Command:
    return Command(name, "python", (sys.executable, "-c", code), frozenset({0, 1}), "done", slow=slow)


def test_rounds_have_every_command_and_a_failing_one_is_said_and_has_no_figures(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    places = [trees.Tree(name, tmp_path / "tree", 1, 1, slow) for name, slow in (("large", False), ("small", True))]
    commands = [
        python("good", "print('done')"),
        python("slow", "print('done')", slow=True),
        python("idle", "pass"),
        python("broken", "print('done'); raise SystemExit(2)"),
        Command("absent", "python", ("/nowhere/to/be/found",)),
    ]
    toolbox = Toolbox([Program("python", (sys.executable, "--version"))], commands, ())

    results = rounds.measured(places, toolbox, rounds.Size(3, 2), tmp_path, lambda text: None)

    counts = {tree: {name: len(took) for name, took in by_name.items()} for tree, by_name in results.runs.items()}
    assert counts == {"large": {"good": 3}, "small": {"good": 3, "slow": 2}}
    assert len(results.starts["python"]) == 3
    assert set(results.failures) == {(tree.name, name) for tree in places for name in ("idle", "broken", "absent")}
    assert results.failures["large", "broken"] == "exit code 2: done"
    assert "cannot be started" in results.failures["small", "absent"]


def test_time_that_is_up_ends_the_rounds_and_never_before_there_is_one(tmp_path: Path) -> None:
    toolbox = Toolbox([Program("python", (sys.executable, "--version"))], [python("good", "print('done')")], ())
    tree = trees.Tree("tree", tmp_path, 1, 1, slow=False)

    results = rounds.measured([tree], toolbox, rounds.Size(3, 1, seconds=0), tmp_path, lambda text: None)

    assert len(results.runs["tree"]["good"]) == 1
    assert results.skipped == [f"tree in round {number}: there was no time for it" for number in (2, 3)]


def test_large_tree_is_only_in_the_last_rounds_and_left_out_when_it_would_take_too_long(tmp_path: Path) -> None:
    toolbox = Toolbox([Program("python", (sys.executable, "--version"))], [python("good", "print('done')")], ())
    small = trees.Tree("small", tmp_path, 1, 10, slow=False)
    large, endless = (trees.Tree(name, tmp_path, 1, lines, False, rounds=1) for name, lines in (("a", 5), ("b", 10**9)))

    results = rounds.measured([small, large, endless], toolbox, rounds.Size(2, 1, 600), tmp_path, lambda text: None)

    assert {tree: len(by_name.get("good", ())) for tree, by_name in results.runs.items()} == {
        "small": 2,
        "a": 1,
        "b": 0,
    }
    assert results.skipped == ["b in round 2: there was no time for it"]


def test_programs_that_are_only_started_are_timed_and_not_run_on_trees(tmp_path: Path) -> None:
    beside = [Program("nothing", (sys.executable, "-c", "pass"))]
    toolbox = Toolbox([], [], (), beside)

    results = rounds.measured([], toolbox, rounds.Size(2, 1), tmp_path, lambda text: None)

    assert len(results.starts["nothing"]) == 2


def test_cost_of_edits_is_told_of_slow_trees(tmp_path: Path) -> None:
    folder = tmp_path / "tree"
    folder.mkdir()
    (folder / "app.py").write_text(LEAK, encoding="utf-8")
    toolbox = Toolbox([], [], (), edits=tools.EDITS)
    tree = trees.Tree("tree", folder, 1, 7, slow=True)
    results = rounds.measured([tree], toolbox, rounds.Size(2, 1), tmp_path, lambda text: None)
    assert results.failures == {}
    (edits,) = results.edits["tree"]
    assert edits.count == 1
    assert edits.seconds > 0

    (folder / "pyproject.toml").write_text("[tool.session-codemods]\nnonsense = 1\n", encoding="utf-8")
    results = rounds.measured([tree], toolbox, rounds.Size(1, 1), tmp_path, lambda text: None)
    assert "nonsense" in results.failures["tree", "the cost of edits"]


def test_run_is_told_with_the_work_of_its_children(tmp_path: Path) -> None:
    child = "x = bytearray(200 << 20); sum(range(3_000_000))"
    words = (sys.executable, "-c", f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])")

    code, took = rounds.run(words, tmp_path, {}, tmp_path / "output")

    assert code == 0
    assert took.memory > 200 * MIB
    assert took.cpu > 0


def test_what_the_benchmark_itself_holds_is_not_counted_as_memory_of_a_command(tmp_path: Path) -> None:
    ballast = bytearray(300 * MIB)

    _, took = rounds.run((sys.executable, "-c", "pass"), tmp_path, {}, tmp_path / "output")

    assert took.memory < len(ballast) / 2


def test_order_turns_so_that_no_command_always_follows_the_same() -> None:
    commands = [python(name, "") for name in "abc"]

    assert ["".join(one.name for one in rounds.turned(commands, number)) for number in range(4)] == [
        *("abc", "bca", "cab", "abc")
    ]
    assert rounds.turned([], 1) == ()


def test_commands_have_names_of_their_own_programs_that_are_there_and_caches_in_the_scratch_folder(
    tmp_path: Path,
) -> None:
    toolbox = tools.found(tmp_path)
    names = [command.name for command in toolbox.commands]

    assert names[:2] == [COLD, CACHED]
    assert len(set(names)) == len(names)
    assert {command.program for command in toolbox.commands} == {program.name for program in toolbox.programs}
    for command in toolbox.commands:
        if command.cached:
            assert any(str(tmp_path) in word for word in (*command.words, *command.environment.values())), command.name


def test_wrong_call_and_a_file_without_a_place_for_the_table_end_before_anything_is_measured(tmp_path: Path) -> None:
    file = tmp_path / "README.md"
    file.write_text("nothing\n")
    root = Path(__file__).parent.parent
    for words in (["--rounds", "0"], ["--into", str(file)]):
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.run", *words, "-o", str(tmp_path / "out")],
            cwd=root,
            env=os.environ | {"PYTHONPATH": f"{root / 'tests'}:{root}"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 2, done.stderr
        assert "Traceback" not in done.stderr
    assert file.read_text() == "nothing\n"
    assert not (tmp_path / "out").exists()
