"""`review` as a person meets it: the real program on a real pseudo-terminal, and through pipes."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest
from reviews.projects import ODD_NAME, ORDERS, USERS, frozen, leaking, odd_project, project

from codemods import plan_file, planned
from codemods.saved_plan import AppliedRun, Decision, SavedPlan, Verdict
from codemods.shared_plan import SharedPlan

pexpect = pytest.importorskip("pexpect", reason="the test extra is not installed, or this system has no terminals")

PROGRAM = "import sys; from codemods import __main__; sys.exit(__main__.main())"
PLAN = "plan.json"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return save(project(tmp_path / "project"))


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    return save(odd_project(tmp_path / "odd"))


def save(root: Path) -> Path:
    plan_file.save(frozen(root), root / PLAN)
    return root


def environment(**more: str) -> dict[str, str]:
    """The process's own, without what colours or names; git says who reviews."""
    left = {"NO_COLOR", "FORCE_COLOR", "CI", "GITHUB_ACTIONS", "COLUMNS", "LINES"}
    kept = {name: value for name, value in os.environ.items() if name not in left}
    path = str(Path(__file__).parents[1])
    named = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "user.name", "GIT_CONFIG_VALUE_0": "Ann \u00c4"}
    return {**kept, **named, "PYTHONPATH": path, "TERM": "xterm", "PYTHONIOENCODING": "utf-8", **more}


class Sitting:
    """A person at a terminal, who waits for the prompt before each key."""

    def __init__(
        self,
        root: Path,
        *options: str,
        columns: int = 100,
        more: Mapping[str, str] = MappingProxyType({}),
        command: Sequence[str] = ("review", PLAN),
    ) -> None:
        self.root = root
        self.child = pexpect.spawn(
            sys.executable,
            ["-c", PROGRAM, *command, *options],
            cwd=str(root),
            env=environment(**more),
            encoding="utf-8",
            timeout=30,
            dimensions=(24, columns),
        )
        self.child.delaybeforesend = None
        self.shown = ""

    def key(self, key: str = "", *texts: str) -> str:
        """What is shown up to the next prompt after a key, and after lines of text that belong to it."""
        self.child.send(key)
        for text in texts:
            self.child.expect(r"(Note|Find): ")
            self.child.send(f"{text}\r")
        return self.prompted()

    def prompted(self) -> str:
        self.child.expect(r"\[(\d+ of \d+|end), \d+ open\](\x1b\[0m)? ")
        self.shown = str(self.child.before) + str(self.child.after)
        return self.shown

    def left(self, key: str = "") -> tuple[str, int]:
        """What is shown after a last key, and the exit code."""
        self.child.send(key)
        self.child.expect(pexpect.EOF)
        self.child.close()
        shown = str(self.child.before).replace("\r\n", "\n")
        return shown, self.child.exitstatus if self.child.exitstatus is not None else -self.child.signalstatus

    @property
    def plan(self) -> SavedPlan:
        return plan_file.load(self.root / PLAN)


@contextmanager
def sitting(
    root: Path, *options: str, columns: int = 100, command: Sequence[str] = ("review", PLAN), **more: str
) -> Iterator[Sitting]:
    one = Sitting(root, *options, columns=columns, more=more, command=command)
    try:
        one.prompted()
        yield one
    finally:
        one.child.close(force=True)


def verdicts(plan: SavedPlan) -> str:
    letters = {Verdict.ACCEPTED: "a", Verdict.REFUSED: "r", Verdict.OPEN: "."}
    return "".join(letters[plan.decision(group).verdict] for group in plan.groups)


def plain(root: Path, typed: str | bytes, *options: str, cwd: Path | None = None) -> subprocess.CompletedProcess[bytes]:
    data = typed if isinstance(typed, bytes) else typed.encode()
    place = os.path.relpath(root / PLAN, cwd or root)
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, "review", place, *options],
        cwd=cwd or root,
        env=environment(),
        input=data,
        capture_output=True,
        timeout=60,
        check=False,
    )


# --- keys -------------------------------------------------------------------------------------------------------------


def test_a_review_from_the_first_key_to_the_summary(root: Path) -> None:
    files = {path: path.read_bytes() for path in (root / "app").iterdir()}
    with sitting(root, "--color", "never") as one:
        for part in (
            "Group 1 of 4: session-scope:app.orders.third:",
            "1 edit, level safe, open",
            "app/orders.py:7  session-scope, safe",
            "session made at line 7 is never closed -> async with async_session()",
            "--- a/app/orders.py",
            "-    session = async_session()",
            "+    async with async_session() as session:",
            "y accept, n refuse, N with a note, a all of this rule, d rest of this file, s skip, w why, u undo, / find",
            "[1 of 4, 4 open] ",
        ):
            assert part in one.shown
        shown = one.key("y")
        assert "Accepted." in shown
        assert "Group 2 of 4" in shown
        assert verdicts(one.plan) == "a..."
        assert one.plan.decision(one.plan.groups[0]).by == "Ann \u00c4"
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", one.plan.decision(one.plan.groups[0]).at)
        assert "Group 3 of 4" in one.key("N", "tested elsewhere")
        assert one.plan.decision(one.plan.groups[1]).note == "tested elsewhere"
        assert "Group 4 of 4" in one.key("s")
        assert "That was the last group; 1 is left open." in one.key("n")
        assert "Group 3 of 4" in one.key("s")
        shown, code = one.left("q")
    assert code == 0
    assert shown.endswith(
        "4 groups: 1 accepted, 2 refused, 1 open\n"
        "The answers are in the plan; no file of the project was written.\n"
        "Next: session-codemods apply --plan plan.json\n"
    )
    assert verdicts(one.plan) == "ar.r"
    assert {path: path.read_bytes() for path in (root / "app").iterdir()} == files


def test_a_review_is_taken_up_where_it_was_left(root: Path) -> None:
    with sitting(root) as one:
        one.key("y")
        one.key("s")
        one.key("n")
        one.left("q")
    with sitting(root) as again:
        assert "Group 2 of 4" in again.shown
        assert "[2 of 4, 2 open]" in again.shown
        assert "Nothing to take back in this sitting." in again.key("u")
        assert "Group 4 of 4" in again.key("y")


def test_answers_are_taken_back_one_by_one(root: Path) -> None:
    with sitting(root) as one:
        one.key("n")
        assert "Accepted 3 groups (3 safe) of session-scope." in one.key("a")
        assert verdicts(one.plan) == "raaa"
        assert "Took back the last answer, of 3 groups." in one.key("u")
        assert verdicts(one.plan) == "r..."
        assert "Group 1 of 4" in one.key("u")
        assert "Accepted 2 groups (2 safe) in app/orders.py." in one.key("d")
        assert verdicts(one.plan) == "aa.."


def test_find_why_and_help(root: Path) -> None:
    with sitting(root) as one:
        shown = one.key("/", "USERS.second")
        assert "Found 1 of 1 for 'USERS.second'." in shown
        assert "Group 4 of 4" in shown
        assert "Nothing found for 'nowhere'." in one.key("/", "nowhere")
        shown = one.key("w")
        assert "function: app.users.second" in shown
        assert "Leaves alone" in shown
        assert "take back the last answer" in one.key("?")
        assert verdicts(one.plan) == "...."


@pytest.mark.parametrize("key", ["x", "Y", "yy", "\x1b[A", "\x1a", "\u00e9", "\r"])
def test_a_key_that_means_nothing_decides_nothing(root: Path, key: str) -> None:
    with sitting(root) as one:
        assert "Not a command" in one.key(key)
        assert verdicts(one.plan) == "...."


def test_a_note_that_is_not_given_refuses_nothing(root: Path) -> None:
    with sitting(root) as one:
        assert "nothing is refused" in one.key("N", "")
        assert verdicts(one.plan) == "...."


@pytest.mark.parametrize(("key", "code"), [("q", 0), ("\x04", 0), ("\x03", 130)])
def test_leaving_keeps_the_answers(root: Path, key: str, code: int) -> None:
    with sitting(root) as one:
        one.key("y")
        shown, left = one.left(key)
        assert left == code
        assert "4 groups: 1 accepted, 0 refused, 3 open" in shown
        assert ("interrupted; no file is half written" in shown) == (code == 130)
        assert verdicts(one.plan) == "a..."


def test_ctrl_c_in_a_note_leaves_too(root: Path) -> None:
    with sitting(root) as one:
        one.child.send("N")
        one.child.expect("Note: ")
        assert one.left("\x03")[1] == 130
        assert verdicts(one.plan) == "...."


def test_the_terminal_is_given_back_as_it_was(root: Path) -> None:
    import termios

    with sitting(root) as one:
        one.child.send("N")
        one.child.expect("Note: ")
        modes = termios.tcgetattr(one.child.child_fd)[3]
        assert modes & termios.ECHO
        assert modes & termios.ICANON
        assert modes & termios.ISIG


def test_an_interrupt_from_outside_is_130(root: Path) -> None:
    with sitting(root) as one:
        one.key("y")
        one.child.kill(signal.SIGINT)
        assert one.left()[1] == 130
        assert verdicts(one.plan) == "a..."


def test_colour_comes_with_the_terminal_and_goes_on_request(root: Path) -> None:
    with sitting(root) as one:
        assert "\x1b[32m+    async with" in one.shown
    with sitting(root, NO_COLOR="1") as one:
        assert "\x1b" not in one.shown
    with sitting(root, TERM="dumb") as one:
        assert "\x1b" not in one.shown


def test_nothing_moves_the_cursor_and_a_resize_is_no_matter(root: Path) -> None:
    with sitting(root, columns=20) as one:
        one.child.setwinsize(50, 200)
        one.key("y")
        one.child.setwinsize(5, 10)
        shown = one.key("?") + one.key("w") + one.key("u")
        assert set(re.findall(r"\x1b\[?[^a-zA-Z]*[a-zA-Z]", shown)) <= {f"\x1b[{n}m" for n in (0, 1, 31, 32, 36)}


def test_hostile_names_and_source_are_escaped(odd: Path) -> None:
    with sitting(odd, "--color", "never") as one:
        shown = one.key("/", "odd:")
        assert r"app/odd\xff\x1b[2J.py:7  session-scope" in shown
        shown += one.key("/", "app.escape")
        assert r"select \x1b[2J\u202e" in shown
        assert "\x1b" not in shown
        assert "\u202e" not in shown
        one.key("y")
        assert verdicts(one.plan).count("a") == 1
        shown, _ = one.left("q")
        assert "1 accepted" in shown


def test_without_unicode_a_terminal_is_still_served(odd: Path) -> None:
    with sitting(odd, PYTHONIOENCODING="ascii", LC_ALL="C") as one:
        assert r"caf\xe9" in one.key("/", "app.latin")


def test_somebody_else_s_answers_are_kept_and_told(root: Path) -> None:
    with sitting(root) as one:
        other = SharedPlan(root / PLAN)
        groups = other.plan.groups
        other.save(other.plan.decided([groups[0], groups[2]], Decision(Verdict.REFUSED, "Bob", "no", "2999-01-01")))
        shown = one.key("y")
        assert "was decided twice: refused by Bob at 2999-01-01, note: no stands, it is the newest" in shown
        assert "[2 of 4, 2 open]" in shown
        one.key("y")
        assert verdicts(one.plan) == "rar."


def test_an_answer_that_cannot_be_saved_is_no_answer(root: Path) -> None:
    with sitting(root) as one:
        (root / PLAN).write_text("")
        shown, code = one.left("y")
        assert code == 2
        assert "session-codemods: plan.json: not a plan file" in shown


# --- words ------------------------------------------------------------------------------------------------------------


def test_words_through_a_pipe(root: Path) -> None:
    done = plain(root, "accept\nrefuse because of it\n\nbogus\nwhy\nhelp\nskip\naccept\nquit\n", "--plain")
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"\x1b" not in done.stdout
    assert b"Type accept, refuse, rule, file, skip, why, undo, find, quit or help, and Enter.\n" in done.stdout
    assert b"4 groups: 2 accepted, 1 refused, 1 open" in done.stdout
    plan = plan_file.load(root / PLAN)
    assert verdicts(plan) == "ar.a"
    assert plan.decision(plan.groups[1]).note == "because of it"


def test_words_on_a_terminal(root: Path) -> None:
    one = Sitting(root, "--plain")
    try:
        for typed in ("accept", "undo", "find users", "file", "quit"):
            one.child.expect("and Enter.")
            one.child.send(f"{typed}\r")
        shown, code = one.left()
        assert code == 0
        assert "\x1b" not in shown
        assert verdicts(one.plan) == "..aa"
    finally:
        one.child.close(force=True)


def test_the_end_of_a_pipe_keeps_the_answers(root: Path) -> None:
    done = plain(root, "y\nn", "--plain")
    assert done.returncode == 0
    assert verdicts(plan_file.load(root / PLAN)) == "ar.."


def test_stray_bytes_in_a_pipe_are_text(root: Path) -> None:
    assert plain(root, b"refuse \xff\x1b[2J\nq\n", "--plain").returncode == 0
    plan = plan_file.load(root / PLAN)
    assert plan.decision(plan.groups[0]).note == "\\xff"
    assert b"\x1b" not in plain(root, "find third\n", "--plain").stdout


def test_a_pipe_without_plain_is_a_wrong_call(root: Path) -> None:
    before = (root / PLAN).read_bytes()
    done = plain(root, "y\ny\ny\n")
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"--plain reads answers from a pipe" in done.stderr
    assert (root / PLAN).read_bytes() == before


# --- what is shown ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "count"),
    [
        (["--path", "app/users.py"], 2),
        (["--path", "users.py"], 2),
        (["--path", "app/"], 4),
        (["--path", "app/**"], 4),
        (["--path", "./app/u*"], 2),
        (["--path", "app/users.py", "--path", "app/orders.py"], 4),
        (["--path", "tests/"], 0),
        (["--level", "safe"], 4),
        (["--level", "review"], 0),
        (["--rule", "session-scope"], 4),
    ],
)
def test_a_part_of_the_plan_is_reviewed(root: Path, options: list[str], count: int) -> None:
    done = plain(root, "rule\nquit\n", "--plain", *options)
    assert done.returncode == 0, done.stderr
    assert f"4 groups: {count} accepted".encode() in done.stdout
    assert (f"({count} in this review)".encode() in done.stdout) == (count != 4)


def test_globs_and_paths_are_seen_from_the_working_directory(root: Path) -> None:
    done = plain(root, "rule\n", "--plain", "--path", "users.py", cwd=root / "app")
    assert b"users.py:7  session-scope" in done.stdout
    assert b"--- a/users.py\n" in done.stdout
    assert b"Next: session-codemods apply --plan ../plan.json\n" in done.stdout


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--rule", "session-skope"], b"--rule: the plan has no group of 'session-skope'; it has: session-scope"),
        (["--level", "manual"], b"review"),
        (["--rebase", "--path", "x"], b"--rebase is for all of a plan"),
    ],
)
def test_a_wrong_call_says_what_to_do(root: Path, options: list[str], says: bytes) -> None:
    done = plain(root, "", "--plain", *options)
    assert done.returncode == 2
    assert says in done.stderr


def test_a_plan_of_another_project_is_not_reviewed(root: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other/pyproject.toml").touch()
    done = plain(root, "y\n", "--plain", cwd=tmp_path / "other")
    assert done.returncode == 2
    assert b"none of the plan's files is in " in done.stderr


def test_a_plan_of_another_project_is_not_rebased(root: Path, tmp_path: Path) -> None:
    plain(root, "accept\n", "--plain")
    before = (root / PLAN).read_bytes()
    other = project(tmp_path / "other")
    (other / "app").rename(other / "elsewhere")
    done = plain(root, "", "--rebase", cwd=other)
    assert done.returncode == 2
    assert b"none of the plan's files is in " in done.stderr
    assert (root / PLAN).read_bytes() == before


def test_a_file_that_is_no_plan_is_named(root: Path) -> None:
    (root / PLAN).write_text("{}")
    done = plain(root, "", "--plain")
    assert done.returncode == 2
    assert done.stderr.startswith(b"session-codemods: plan.json: not a plan file")


def test_stale_and_applied_groups_are_named_and_left_out(root: Path) -> None:
    plan = plan_file.load(root / PLAN)
    third = plan.groups[0]
    for path, data in planned.contents(plan, [third]).items():
        (root / path).write_bytes(data or b"")
    plan_file.save(replace(plan, applied=(AppliedRun("run", (third.id,)),)), root / PLAN)
    (root / USERS).write_text(leaking("first", "second", "more"))
    done = plain(root, "y\n", "--plain")
    shown = done.stdout.decode()
    assert "Applied already, not shown: 1 group.\n" in shown
    assert "Stale, not shown: 2 groups.\n  session-scope:app.users.first:" in shown
    assert "app/users.py changed since the plan was made\n" in shown
    assert "review plan.json --rebase\n" in shown
    assert "Group 1 of 1: session-scope:app.orders.fourth:" in shown
    assert "4 groups: 1 accepted, 0 refused, 0 open, 1 applied, 2 stale\n" in shown


# --- rebase -----------------------------------------------------------------------------------------------------------


def test_answers_are_carried_to_the_present_code(root: Path) -> None:
    plain(root, "accept\nrefuse no\naccept\n", "--plain")
    (root / USERS).write_text(leaking("second", "fifth"))
    (root / ORDERS).write_text((root / ORDERS).read_text().replace('"select third"', '"select 3"'))
    done = plain(root, "", "--rebase")
    shown = done.stdout.decode()
    assert done.returncode == 0, done.stderr
    for part in (
        "Answers carried over: 1\n",
        "To be answered again: 1\n  session-scope:app.orders.third:",
        "Not found any more: 1\n  session-scope:app.users.first:",
        ": accepted by Ann \u00c4 at ",
        "New: 1\n  session-scope:app.users.fifth:",
        "Next: session-codemods review plan.json\n",
    ):
        assert part in shown
    assert verdicts(plan_file.load(root / PLAN)) == ".r.."
    again = plain(root, "", "--plain").stdout.decode()
    assert "open, note: was accepted by Ann \u00c4 at " in again
    assert "; its edits changed since" in again
    assert "Stale" not in again


def test_answers_are_not_lost_while_a_file_does_not_parse(root: Path) -> None:
    plain(root, "accept\nrefuse no\naccept\n", "--plain")
    before, text = (root / PLAN).read_bytes(), (root / USERS).read_text()
    (root / USERS).write_text(text + "def broken(:\n")
    done = plain(root, "", "--rebase")
    assert done.returncode == 2
    assert (
        b"plan.json stays as it is: 1 answer would be lost while files cannot be handled (app/users.py: " in done.stderr
    )
    assert (root / PLAN).read_bytes() == before
    (root / USERS).write_text("\n" + text)
    assert plain(root, "", "--rebase").returncode == 0
    assert verdicts(plan_file.load(root / PLAN)) == "ara."


def test_a_file_that_does_not_parse_and_has_no_answers_does_not_stop_a_rebase(root: Path) -> None:
    plain(root, "accept\nquit\n", "--plain")
    (root / USERS).write_text((root / USERS).read_text() + "def broken(:\n")
    done = plain(root, "", "--rebase")
    assert done.returncode == 3, done.stderr
    assert verdicts(plan_file.load(root / PLAN)) == "a."


def test_rebase_keeps_what_the_dry_run_was_asked(tmp_path: Path) -> None:
    root = project(tmp_path / "project")
    plan_file.save(frozen(root, "app/users.py"), root / PLAN)
    (root / ORDERS).write_text(leaking("more"))
    assert plain(root, "", "--rebase").returncode == 0
    plan = plan_file.load(root / PLAN)
    assert plan.asked.paths == ("app/users.py",)
    assert {path for group in plan.groups for path in group.paths} == {USERS}


def test_an_odd_project_is_rebased_without_loss(odd: Path) -> None:
    plain(odd, "rule\n", "--plain")
    before = plan_file.load(odd / PLAN)
    assert plain(odd, "", "--rebase").returncode == 0
    assert plan_file.load(odd / PLAN) == before
    assert any(file.path == ODD_NAME for file in before.files)


# --- apply --interactive ----------------------------------------------------------------------------------------------

ASKING = ("apply", "--interactive", "--allow-no-vcs")


def changed(root: Path) -> list[str]:
    """The functions whose session is in a block now."""
    code = "".join((root / path).read_text() for path in (USERS, ORDERS))
    names = ("first", "second", "third", "fourth")
    return [name for name in names if "async with" in code.split(f"def {name}(")[1].split("async def")[0]]


def test_apply_asks_about_each_group_and_writes_what_is_accepted(root: Path) -> None:
    with sitting(root, command=ASKING) as review:
        assert "Group 1 of 4" in review.shown
        assert "+    async with async_session() as session:" in review.shown
        review.key("y")
        review.key("n")
        review.key("s")
        review.key("y")
        assert changed(root) == []
        told, code = review.left("q")
    assert code == 0
    assert "To take it back: session-codemods undo" in told
    assert len(changed(root)) == 2


def test_apply_that_asks_is_left_without_writing(root: Path) -> None:
    with sitting(root, command=ASKING) as review:
        review.key("y")
        told, code = review.left("\x03")
    assert code == 130
    assert changed(root) == []
    with sitting(root, command=ASKING) as review:
        told, code = review.left("q")
    assert code == 0
    assert changed(root) == []
    assert "undo" not in told


def test_apply_that_asks_needs_a_terminal_and_no_saved_plan(root: Path) -> None:
    for options, told in ((["-i", "--allow-no-vcs"], b"in a terminal"), (["-i", "--plan", PLAN], b"`review` asks")):
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, "apply", *options],
            cwd=root,
            env=environment(),
            input=b"y",
            capture_output=True,
            check=False,
        )
        assert done.returncode == 2
        assert told in done.stderr
    assert changed(root) == []


def test_a_note_is_left_with_escape_and_nothing_is_refused(root: Path) -> None:
    with sitting(root) as one:
        for left in ("half a note\x1b", "\x1b", "\x1b[A", "\r"):
            one.child.send("N")
            one.child.expect("Note: ")
            one.child.send(left)
            assert "[1 of 4, 4 open]" in one.prompted()
        assert verdicts(one.plan) == "...."
        one.key("N", "a whole one")
        assert one.plan.decision(one.plan.groups[0]).note == "a whole one"
        one.left("q")


def test_a_glob_that_the_shell_replaced_is_told_of(root: Path) -> None:
    done = plain(root, "", "--path", USERS, ORDERS)
    assert done.returncode == 2
    assert b"put the GLOB of --path in quotes" in done.stderr
    assert b"quotes" not in plain(root, "", "more").stderr


def test_what_was_taken_back_is_asked_and_told_as_not_written(root: Path) -> None:
    """`undo` does not know of plans: the plan still says that it wrote the group."""
    plan = plan_file.load(root / PLAN)
    third = plan.groups[0]
    run = AppliedRun("run", (third.id,))
    plan_file.save(replace(plan.decided([third], Decision(Verdict.ACCEPTED)), applied=(run,)), root / PLAN)
    done = plain(root, "accept\n", "--plain")
    assert b"4 groups: 2 accepted, 0 refused, 2 open\n" in done.stdout
    assert b"pplied" not in done.stdout
    assert plan_file.load(root / PLAN).applied == (run,)


def test_what_a_run_wrote_that_the_plan_does_not_know_of_is_not_made_twice(root: Path) -> None:
    from codemods.apply.run_record import RunText
    from codemods.apply.runs import written

    plan = plan_file.load(root / PLAN)
    third = plan.groups[0]
    plan_file.save(plan.decided(plan.groups[:2], Decision(Verdict.ACCEPTED)), root / PLAN)
    changes = planned.changes(plan, [third])
    written(root, changes, what=RunText.of_changes(changes), tell=lambda _: None)
    shown = plain(root, "", "--rebase").stdout.decode()
    assert "Applied by this plan: 1\n" in shown
    assert "Not found any more: 0\n" in shown


def test_where_a_plan_belongs_is_named(tmp_path: Path) -> None:
    top = tmp_path / "top"
    inner = save(project(top / "services" / "shop"))
    other = project(top / "services" / "other")
    (other / USERS).write_text("")
    (top / "pyproject.toml").touch()
    (inner / PLAN).rename(top / PLAN)
    done = plain(top, "", "--plain")
    assert done.returncode == 2
    told = done.stderr.decode().strip().rpartition(": ")[2]
    assert told == "cd services/shop && session-codemods review ../../plan.json"
    (inner / PLAN).write_bytes((top / PLAN).read_bytes())
    assert plain(inner, "q\n", "--plain").returncode == 0
