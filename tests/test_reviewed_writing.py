"""From the dry run to the written code and back: save, review, report, apply, verify, undo.

Commands run within this process, but for those where the border of a process is the point.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from unittest import mock

import pytest

from codemods import __main__
from codemods.apply.run_store import State
from codemods.apply.runs import listed
from codemods.saving import Moved

DB = """\
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine

engine = create_async_engine("sqlite+aiosqlite:///shop.db")
new_session = async_sessionmaker(engine, expire_on_commit=False)
"""
COUNT = """\
from sqlalchemy import text

from app.db import new_session


async def count_{name}() -> int:
    session = new_session()
    return int(await session.scalar(text("select 1")))
"""
NAMES = ("users", "orders", "slots")
# Two groups: `carts` needs `deps`, which it passes on.
NEEDING = Path(__file__).parents[1] / (
    "fixtures/session-dependency/project_dependency_passes_the_session_of_another_module_on_to_a_loop/before"
)
PROGRAM = [sys.executable, "-m", "codemods"]


def surroundings(**more: str) -> dict[str, str]:
    fixed = {"NO_COLOR": "1", "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    kept = {name: value for name, value in os.environ.items() if name not in ("GITHUB_ACTIONS", "FORCE_COLOR")}
    return {**kept, **fixed, **more}


def run(folder: Path, *arguments: str, answers: str = "", **more: str) -> subprocess.CompletedProcess[str]:
    """The program within this process, with the streams and the surroundings of one of its own."""
    with contextlib.ExitStack() as stack:
        stdin = io.TextIOWrapper(io.BytesIO(answers.encode()), encoding="utf-8")
        stdout, stderr = (stack.enter_context(tempfile.TemporaryFile("w+", encoding="utf-8")) for _ in range(2))
        stack.enter_context(mock.patch.dict(os.environ, surroundings(**more), clear=True))
        stack.enter_context(mock.patch.multiple(sys, stdin=stdin, stdout=stdout, stderr=stderr))
        stack.enter_context(contextlib.chdir(folder))
        code = __main__.main(arguments)
        said = []
        for stream in (stdout, stderr):
            stream.seek(0)
            said.append(stream.read())
    return subprocess.CompletedProcess(arguments, code, *said)


def started(folder: Path, *arguments: str, answers: str = "", **more: str) -> subprocess.CompletedProcess[str]:
    """The same as a process of its own."""
    return subprocess.run(
        [*PROGRAM, *arguments],
        cwd=folder,
        env=surroundings(**more),
        input=answers,
        capture_output=True,
        text=True,
        check=False,
    )


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-c", "user.name=a", "-c", "user.email=a@a.example", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a project that git knows, and a saved plan of its three groups: orders, slots, users."""
    folder = tmp_path_factory.mktemp("prepared")
    root = folder / "project"
    (root / "app").mkdir(parents=True)
    (root / "pyproject.toml").write_text("")
    (root / "app/__init__.py").write_text("")
    (root / "app/db.py").write_text(DB)
    for name in NAMES:
        (root / f"app/{name}.py").write_text(COUNT.format(name=name))
    committed(root)
    assert run(root, "diff", "--save", str(folder / "plan.json")).returncode == 1
    return folder


@pytest.fixture
def project(prepared: Path, tmp_path: Path) -> Path:
    return shutil.copytree(prepared / "project", tmp_path / "project")


def committed(root: Path) -> Path:
    git(root, "init", "-q")
    git(root, "config", "user.name", "a")
    git(root, "config", "user.email", "a@a.example")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "start")
    return root


def is_changed(root: Path, name: str) -> bool:
    return "async with" in (root / f"app/{name}.py").read_text()


@pytest.fixture
def plan(prepared: Path, tmp_path: Path) -> Path:
    return shutil.copyfile(prepared / "plan.json", tmp_path / "plan.json")


def test_a_plan_is_applied_in_parts_and_taken_back(project: Path, plan: Path) -> None:
    before = {path: path.read_bytes() for path in project.glob("app/*.py")}
    started(project, "review", "--plain", str(plan), answers="accept\nrefuse\nquit\n")
    first = started(project, "apply", "--plan", str(plan))
    assert first.returncode == 0, first.stderr
    assert [is_changed(project, name) for name in ("orders", "slots", "users")] == [True, False, False]

    started(project, "review", "--plain", str(plan), answers="accept\nquit\n")
    second = started(project, "apply", "--plan", str(plan))  # what is not committed is the first run's own
    assert second.returncode == 0, second.stderr
    assert [is_changed(project, name) for name in ("orders", "slots", "users")] == [True, False, True]

    assert started(project, "undo").returncode == 0
    assert started(project, "undo").returncode == 0
    assert {path: path.read_bytes() for path in project.glob("app/*.py")} == before
    assert git(project, "status", "--short") == ""


def test_what_was_taken_back_can_be_applied_again(project: Path, plan: Path) -> None:
    run(project, "review", "--plain", str(plan), answers="accept\nquit\n")
    assert run(project, "apply", "--plan", str(plan)).returncode == 0
    assert run(project, "undo").returncode == 0
    again = run(project, "apply", "--plan", str(plan))
    assert again.returncode == 0, again.stderr
    assert is_changed(project, "orders")


def test_a_file_that_changed_makes_its_groups_stale_and_no_others(project: Path, plan: Path) -> None:
    run(project, "review", "--plain", str(plan), answers="accept\naccept\nquit\n")
    orders = project / "app/orders.py"
    orders.write_text(orders.read_text() + "\n\nMINE = 1\n")
    done = run(project, "apply", "--plan", str(plan))
    assert done.returncode == 3
    assert "app/orders.py changed since the plan was made" in done.stderr
    assert "MINE" in orders.read_text()
    assert [is_changed(project, name) for name in ("orders", "slots", "users")] == [False, True, False]

    rebased = run(project, "review", "--rebase", str(plan))
    assert rebased.returncode == 0, rebased.stderr
    assert run(project, "apply", "--plan", str(plan), "--allow-dirty").returncode == 0
    assert is_changed(project, "orders")
    assert "MINE" in orders.read_text()


def test_a_plan_with_answers_is_not_saved_over(project: Path, plan: Path) -> None:
    run(project, "review", "--plain", str(plan), answers="accept\nquit\n")
    kept = plan.read_bytes()
    again = run(project, "diff", "--save", str(plan))
    assert again.returncode == 2
    assert "holds answers of a review" in again.stderr
    assert plan.read_bytes() == kept


def test_a_verify_that_fails_is_traced_to_the_group(project: Path, plan: Path) -> None:
    run(project, "review", "--plain", str(plan), answers="accept\naccept\naccept\nquit\n")
    failing = "! grep -q 'async with' app/slots.py"
    done = run(project, "apply", "--plan", str(plan), "--verify", failing, "--on-fail", "bisect")
    assert done.returncode == 4, done.stderr
    assert "left out: session-scope:app.slots.count_slots" in done.stderr
    assert [is_changed(project, name) for name in ("orders", "slots", "users")] == [True, False, True]
    assert git(project, "worktree", "list").count("\n") == 1


def test_a_verify_that_fails_puts_all_back(project: Path) -> None:
    done = run(project, "apply", "--verify", "false")
    assert done.returncode == 4
    assert git(project, "status", "--short") == ""
    assert run(project, "apply", "--verify", "true").returncode == 0
    assert all(is_changed(project, name) for name in NAMES)


def test_every_group_can_be_a_commit(project: Path) -> None:
    done = run(project, "apply", "--commit-per", "group")
    assert done.returncode == 0, done.stderr
    assert git(project, "log", "--format=%s").count("session-scope: app/") == 3
    assert git(project, "status", "--short") == ""


def test_an_accepted_plan_is_split_into_patches(project: Path, plan: Path, tmp_path: Path) -> None:
    run(project, "review", "--plain", str(plan), answers="accept\naccept\nquit\n")
    done = run(project, "split", str(plan), "--by", "group", "-o", str(tmp_path / "patches"))
    assert done.returncode == 0, done.stderr
    git(project, "am", "-q", *sorted(str(path) for path in (tmp_path / "patches").glob("*.patch")))
    assert [is_changed(project, name) for name in ("orders", "slots", "users")] == [True, True, False]


def test_the_report_is_a_page_of_all_groups(project: Path, plan: Path, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    done = run(project, "report", str(plan), "-o", str(page))
    assert done.returncode == 0, done.stderr
    assert all(f"count_{name}" in page.read_text() for name in NAMES)


def test_only_what_is_new_counts(project: Path, tmp_path: Path) -> None:
    report = tmp_path / "before.json"
    assert run(project, "check", "--output-format", "json", "-o", str(report)).returncode == 1
    assert len(json.loads(report.read_text())["findings"]) == 3
    assert run(project, "check", "--baseline", str(report)).returncode == 0
    assert run(project, "check", "--since", "HEAD").returncode == 0
    (project / "app/cities.py").write_text(COUNT.format(name="cities"))
    for known in (["--baseline", str(report)], ["--since", "HEAD"]):
        found = run(project, "check", *known)
        assert found.returncode == 1, found.stderr
        assert found.stdout.count("\n") == 1
        assert "app/cities.py" in found.stdout


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--baseline", "gone.json"], "gone.json: cannot be read"),
        (["--baseline", "pyproject.toml"], "no report of check"),
        (["--since", "no-such-revision"], "git cannot give the files"),
        (["--since", "--output=x"], "is no revision"),
    ],
)
def test_a_baseline_that_is_none_is_an_error(project: Path, arguments: list[str], told: str) -> None:
    done = run(project, "check", *arguments)
    assert done.returncode == 2
    assert told in done.stderr


def test_a_line_is_explained(project: Path) -> None:
    done = run(project, "explain", "app/users.py:7")
    assert done.returncode == 0
    assert "session-scope  to be changed  in app.users.count_users" in done.stdout
    nothing = run(project, "explain", "app/users.py:1")
    assert "nothing to look at here: session-scope" in nothing.stdout
    assert "app/users.py:7" in nothing.stdout


@pytest.mark.parametrize("form", ["sarif", "github", "markdown"])
def test_check_speaks_to_other_programs(project: Path, form: str) -> None:
    done = run(project, "check", "--output-format", form)
    assert done.returncode == 1
    assert all(f"app/{name}.py" in done.stdout for name in NAMES)


def test_changed_lines_are_formatted_alike_in_diff_and_apply(project: Path) -> None:
    script = "import sys; p = sys.argv[1]; t = open(p).read(); open(p, 'w').write(t.replace(' as s', '  as s'))"
    command = f'{sys.executable} -c "{script}" {{files}}'
    shown = run(project, "diff", "--format-cmd", command, "app/users.py")
    assert "+    async with new_session()  as session:" in shown.stdout, shown.stderr
    assert run(project, "apply", "--format-cmd", command, "app/users.py").returncode == 0
    assert "new_session()  as session" in (project / "app/users.py").read_text()


# --- what stands in the files is known, whatever comes between --------------------------------------------------------


def accept_all(project: Path, plan: Path) -> None:
    run(project, "review", "--plain", str(plan), answers="accept\n" * len(NAMES) + "quit\n")


def applied(plan: Path) -> list[str]:
    """The runs that the plan knows of."""
    return [one["run"] for one in json.loads(plan.read_text())["applied"]]


def kept_runs(project: Path) -> list[str]:
    """The runs of apply that stand, the last one first."""
    return [one.id for one in listed(project)[0] if one.state is State.DONE and not one.undoes]


def test_a_command_that_formats_what_was_written_leaves_it_and_says_so(project: Path, plan: Path) -> None:
    accept_all(project, plan)
    done = run(project, "apply", "--plan", str(plan), "--verify", "echo '# formatted' >> app/orders.py; exit 1")
    assert done.returncode == 4, done.stderr
    (made,) = applied(plan)
    assert "The files stay as they are: changed since they were written: app/orders.py" in done.stderr
    assert f"To take it back: session-codemods undo {made} --force\n" in done.stderr
    assert "nothing was written" not in done.stderr
    assert done.stdout == "app/orders.py\napp/slots.py\napp/users.py\n"
    assert all(is_changed(project, name) for name in NAMES)
    assert run(project, "undo", made, "--force").returncode == 0
    assert git(project, "status", "--short") == ""


def test_an_answer_that_is_given_during_a_verify_takes_nothing_from_the_plan(project: Path, plan: Path) -> None:
    run(project, "review", "--plain", str(plan), answers="accept\nquit\n")
    review = f"printf 'refuse\\nquit\\n' | {shlex.join([*PROGRAM, 'review', '--plain', str(plan)])}"
    done = run(project, "apply", "--plan", str(plan), "--verify", review)
    assert done.returncode == 0, done.stderr
    assert applied(plan) == kept_runs(project)
    assert len(applied(plan)) == 1
    assert sorted(one["verdict"] for one in json.loads(plan.read_text())["decisions"].values()) == [
        "accepted",
        "refused",
    ]


def test_nobody_else_writes_until_the_verdict_is_there_and_all_may_look(project: Path, plan: Path) -> None:
    accept_all(project, plan)
    program = shlex.join(PROGRAM)
    meanwhile = f"{program} undo -q 2>&1; test $? -eq 2 && {program} runs"
    done = run(project, "apply", "--plan", str(plan), "--verify", meanwhile, "--commit-per", "rule")
    assert done.returncode == 0, done.stderr
    assert "is writing in this tree" in done.stderr
    assert all(is_changed(project, name) for name in NAMES)
    (made,) = kept_runs(project)
    (line,) = (one for one in listed(project)[0] if one.id == made)
    assert line.plan == str(plan)
    assert list(line.commits) == [git(project, "rev-parse", "HEAD").strip()]


def test_a_run_that_was_put_back_says_why(project: Path) -> None:
    run(project, "apply", "--verify", "exit 7")
    back, made = listed(project)[0]
    assert (back.undoes, made.state) == (made.id, State.UNDONE)
    assert back.why == "`exit 7` did not pass"


@pytest.mark.parametrize("before", [0, 1])
def test_a_hook_that_says_no_leaves_a_plan_that_knows_and_a_way_back(project: Path, plan: Path, before: int) -> None:
    accept_all(project, plan)
    start = git(project, "rev-parse", "HEAD").strip()
    (project / "mine.txt").write_text("staged by somebody")
    git(project, "add", "mine.txt")
    hook = project / ".git/hooks/pre-commit"
    hook.write_text(f"#!/bin/sh\ntest $(git rev-list --count HEAD) -le {before}\n")
    hook.chmod(0o755)
    done = run(project, "apply", "--plan", str(plan), "--commit-per", "group")
    assert done.returncode == 2
    (made,) = applied(plan)
    assert len(listed(project)[0][0].commits) == before
    commits = ", 1 commit was made" if before else ""
    reset = f"git read-tree -i -m HEAD {start[:12]} && git reset --soft {start[:12]}"
    then = f", then {reset}" if before else ""
    assert f"the files are written{commits}, then: session-scope: app/" in done.stderr
    assert f"commit it; or to take it back: session-codemods undo {made}{then}\n" in done.stderr
    again = run(project, "apply", "--plan", str(plan))
    assert again.returncode == 0
    assert "Nothing to write: all 3 groups are applied.\n" in again.stderr

    back = run(project, "undo", made)
    assert back.returncode == 0
    assert ("The commit of it stands: " in back.stderr) == bool(before)
    if before:
        subprocess.run(reset, shell=True, cwd=project, check=True)
    assert git(project, "status", "--short") == "A  mine.txt\n", "what is staged besides stays so"
    assert git(project, "rev-parse", "HEAD").strip() == start


@pytest.mark.parametrize("more", [(), ("--allow-dirty",)], ids=str)
def test_commits_over_what_is_not_committed_are_refused_with_advice_that_helps(
    project: Path, plan: Path, more: tuple[str, ...]
) -> None:
    """All three groups are in files of their own; so one of them is made dirty by hand."""
    accept_all(project, plan)
    with (project / "app/users.py").open("a") as file:
        file.write("# mine\n")
    done = run(project, "apply", "--commit-per", "group", *more)
    assert done.returncode == 2
    assert "nothing was written: app/users.py: not saved in git as they are now, and a commit would hold" in done.stderr
    assert "--allow-dirty" not in done.stderr
    git(project, "stash", "-q")
    assert run(project, "apply", "--commit-per", "group").returncode == 0


def test_commits_outside_git_are_refused_in_their_own_words(project: Path) -> None:
    shutil.rmtree(project / ".git")
    done = run(project, "apply", "--commit-per", "rule")
    assert done.returncode == 2
    assert "nothing was written: --commit-per needs a git repository" in done.stderr
    assert "--allow" not in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="no such signals")
@pytest.mark.parametrize("number", ["INT", "TERM"])
def test_commits_that_were_made_before_an_interrupt_are_known_to_undo(project: Path, number: str) -> None:
    hook = project / ".git/hooks/post-commit"
    hook.write_text(f"#!/bin/sh\nkill -{number} $(ps -o ppid= -p $PPID)\n")  # git's parent
    hook.chmod(0o755)
    done = started(project, "apply", "--commit-per", "group")
    assert done.returncode == (130 if number == "INT" else -signal.SIGTERM), done.stderr
    (made,) = listed(project)[0]
    assert made.commits == (git(project, "rev-parse", "HEAD").strip(),)
    if number == "INT":
        assert f"The files are written, 1 commit was made; to take it back: session-codemods undo {made.id}\n" in (
            done.stderr
        )
    assert f"The commit of it stands: {made.commits[0][:12]}." in run(project, "undo").stderr


@pytest.mark.skipif(sys.platform == "win32", reason="no such signals")
def test_a_run_whose_verify_was_killed_with_the_program_is_not_said_to_have_passed(project: Path) -> None:
    done = started(project, "apply", "--verify", "kill -KILL $PPID; exec true")
    assert done.returncode == -signal.SIGKILL
    assert "done, but `kill -KILL $PPID; exec true` has not ended" in run(project, "runs").stdout
    assert run(project, "undo").returncode == 0
    assert "has not ended" not in run(project, "runs").stdout
    assert run(project, "apply", "--verify", "true").returncode == 0
    assert "has not ended" not in run(project, "runs").stdout


def test_commits_are_taken_back_by_git(project: Path) -> None:
    before = git(project, "rev-parse", "HEAD^{tree}")
    done = run(project, "apply", "--commit-per", "group")
    first, last = (git(project, "rev-parse", name).strip()[:12] for name in ("HEAD~2", "HEAD"))
    assert f"To take it back: git revert --no-edit {first}^..{last}\n" in done.stderr
    assert "session-codemods undo" not in done.stderr
    git(project, "revert", "--no-edit", f"{first}^..{last}")
    assert git(project, "rev-parse", "HEAD^{tree}") == before


@pytest.mark.parametrize("removed", [True, False])
def test_a_plan_that_cannot_be_written_any_more_leaves_the_files_as_they_were(
    project: Path, plan: Path, removed: bool
) -> None:
    """It goes, or becomes another one, while the command runs that makes the formatted content."""
    accept_all(project, plan)
    other = plan.with_name("other.json")
    run(project, "diff", "--save", str(other), "app/users.py")
    harm = f"rm {plan}" if removed else f"cp {other} {plan}"
    done = run(project, "apply", "--plan", str(plan), "--format-cmd", f"{harm}; true {{files}}")
    assert done.returncode == 2
    assert "nothing was written: " in done.stderr
    assert git(project, "status", "--short") == ""


@pytest.mark.skipif(sys.platform == "win32", reason="no such signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_plan_knows_what_was_written_however_the_verify_ends(
    project: Path, plan: Path, tmp_path: Path, number: signal.Signals
) -> None:
    accept_all(project, plan)
    mark, heard = tmp_path / "running", tmp_path / "stderr"
    waiting = f"echo $$ > {mark}.new; mv {mark}.new {mark}; exec sleep 60"
    words = ["apply", "--plan", str(plan), "--on-fail", "keep", "--verify", waiting]
    with heard.open("wb") as stderr:
        process = subprocess.Popen([*PROGRAM, *words], cwd=project, env=surroundings(), stderr=stderr)
    try:
        while not mark.exists() and process.poll() is None:
            time.sleep(0.02)
        process.send_signal(number)
        process.wait(60)
    finally:
        process.kill()
        with contextlib.suppress(ProcessLookupError):  # nobody ends it where the program was killed
            os.kill(int(mark.read_text()), signal.SIGKILL)
    said = heard.read_text()
    assert applied(plan) == kept_runs(project)
    assert len(applied(plan)) == 1
    if number == signal.SIGINT:
        assert process.returncode == 130
        assert f"The files are written; to take it back: session-codemods undo {applied(plan)[0]}\n" in said
    again = run(project, "apply", "--plan", str(plan))
    assert again.returncode == 0
    assert "Nothing to write: all 3 groups are applied.\n" in again.stderr


def test_a_run_that_the_plan_was_not_told_of_is_found_in_the_files(project: Path, plan: Path, tmp_path: Path) -> None:
    """As when the process dies between the last file and the plan."""
    run(project, "review", "--plain", str(plan), answers="accept\nquit\n")
    before = plan.read_bytes()
    run(project, "apply", "--plan", str(plan))
    plan.write_bytes(before)
    again = run(project, "apply", "--plan", str(plan))
    assert again.returncode == 0
    assert again.stdout == ""
    assert "Nothing to write: what is accepted is applied already, 1 of 3 groups.\n" in again.stderr
    run(project, "review", "--plain", str(plan), answers="accept\nquit\n")
    more = run(project, "apply", "--plan", str(plan), "--allow-dirty")
    assert more.returncode == 0, more.stderr
    assert applied(plan) == kept_runs(project)[::-1]


def test_runs_may_be_undone_in_any_order(project: Path, plan: Path) -> None:
    accept_all(project, plan)
    data = json.loads(plan.read_text())
    answers = data["decisions"]
    for name in ("orders", "slots"):
        data["decisions"] = {group: one for group, one in answers.items() if name in group}
        now = json.loads(plan.read_text())
        plan.write_text(json.dumps({**now, "decisions": data["decisions"]}))
        assert run(project, "apply", "--plan", str(plan)).returncode == 0
    first, second = applied(plan)
    assert run(project, "undo", first).returncode == 0
    plan.write_text(json.dumps({**json.loads(plan.read_text()), "decisions": answers}))
    done = run(project, "apply", "--plan", str(plan))
    assert done.returncode == 0, done.stderr
    assert done.stdout == "app/orders.py\napp/users.py\n"
    assert applied(plan)[0] == second
    assert len(applied(plan)) == 2


def test_what_git_took_back_in_one_file_is_written_again(project: Path, plan: Path) -> None:
    accept_all(project, plan)
    run(project, "apply", "--plan", str(plan))
    git(project, "checkout", "app/orders.py")
    done = run(project, "apply", "--plan", str(plan))
    assert done.returncode == 0, done.stderr
    assert done.stdout == "app/orders.py\n"


def test_what_changed_after_it_was_written_is_told(project: Path, plan: Path) -> None:
    accept_all(project, plan)
    run(project, "apply", "--plan", str(plan))
    (project / "app/orders.py").write_text("MINE = 1\n")
    git(project, "checkout", "app/users.py")
    done = run(project, "apply", "--plan", str(plan))
    assert done.returncode == 3
    assert f"app/orders.py changed since run {kept_runs(project)[-1]} wrote it" in done.stderr
    assert done.stdout == "app/users.py\n"


# --- what is told of all groups of a plan -----------------------------------------------------------------------------


def told(done: subprocess.CompletedProcess[str]) -> list[str]:
    """What is said of the plan's groups, without what goes on before."""
    words = ("Wrote ", "Nothing ", "Accepted", "Still open", "To ")
    return [line for line in done.stderr.splitlines() if line.startswith(words)]


def test_stale_groups_are_counted_and_the_next_step_is_named(project: Path, plan: Path) -> None:
    run(project, "review", "--plain", str(plan), answers="accept\naccept\nquit\n")
    (project / "app/orders.py").write_text("MINE = 1\n")
    rest = [
        f"Accepted, but stale: 1 group; to have the plan fit the files again: session-codemods review --rebase {plan}",
        "Still open in the plan: 1 group",
    ]
    done = run(project, "apply", "--plan", str(plan))
    assert done.returncode == 3
    assert told(done)[0].startswith("Wrote 1 group (")
    assert told(done)[1:3] == rest
    again = run(project, "apply", "--plan", str(plan))
    assert again.returncode == 3
    assert told(again) == ["Nothing was written.", *rest]
    assert again.stderr.count("not written, stale: session-scope:app.orders.count_orders") == 1


def test_every_stale_group_is_named_where_nothing_can_be_written(project: Path, plan: Path, tmp_path: Path) -> None:
    accept_all(project, plan)
    for name in NAMES:
        (project / f"app/{name}.py").write_text("MINE = 1\n")
    done = run(project, "apply", "--plan", str(plan), "--output-format", "json")
    assert done.returncode == 3
    assert [one["group"].split(":")[1] for one in json.loads(done.stdout)["stale"]] == [
        f"app.{name}.count_{name}" for name in sorted(NAMES)
    ]
    assert all(f"app/{name}.py changed since the plan was made" in done.stderr for name in NAMES)
    split = run(project, "split", str(plan), "-o", str(tmp_path / "out"))
    assert split.returncode == 2
    assert "3 of 3 accepted groups are stale: app/orders.py changed since the plan was made; app/slots" in split.stderr


def test_what_was_put_back_still_waits_and_the_next_step_is_named(project: Path, plan: Path) -> None:
    run(project, "review", "--plain", str(plan), answers="accept\naccept\nquit\n")
    done = run(project, "apply", "--plan", str(plan), "--verify", "false")
    assert done.returncode == 4
    assert told(done) == [
        "Nothing was written.",
        "Accepted and still to be written: 2 groups",
        "Still open in the plan: 1 group",
        "To write all but the groups that it fails with, give --on-fail bisect, too.",
    ]
    searched = run(project, "apply", "--plan", str(plan), "--verify", "false", "--on-fail", "bisect")
    assert told(searched) == told(done)[:3]


def test_a_plan_of_which_all_is_written_is_done(project: Path, plan: Path, tmp_path: Path) -> None:
    accept_all(project, plan)
    assert run(project, "apply", "--plan", str(plan)).returncode == 0
    again = run(project, "apply", "--plan", str(plan), "--verify", "false", "--output-format", "json")
    assert again.returncode == 0
    assert told(again) == ["Nothing to write: all 3 groups are applied.", "Still open in the plan: 0 groups"]
    made = json.loads(again.stdout)
    assert (made["run"], made["verified"], made["changes"]) == (None, None, [])
    split = run(project, "split", str(plan), "-o", str(tmp_path / "out"))
    assert split.returncode == 2
    assert "all 3 groups are applied; no patch is left to be made" in split.stderr


def test_a_plan_of_which_nothing_is_accepted_is_not_done(project: Path, plan: Path, tmp_path: Path) -> None:
    for words in (["apply", "--plan", str(plan)], ["split", str(plan), "-o", str(tmp_path / "out")]):
        done = run(project, *words)
        assert done.returncode == 2
        assert "no group is accepted; `review` asks for each" in done.stderr


def test_after_an_undo_there_are_patches_to_be_made_again(project: Path, plan: Path, tmp_path: Path) -> None:
    accept_all(project, plan)
    run(project, "apply", "--plan", str(plan))
    run(project, "undo")
    assert "Wrote 1 patch of 3 groups" in run(project, "split", str(plan), "-o", str(tmp_path / "out")).stderr


def test_files_in_which_nothing_could_be_formatted_are_named(project: Path, plan: Path) -> None:
    accept_all(project, plan)
    spoil = "sed -i 's/ as session:/ as other:/' {files}"
    why = "not formatted: what the formatter made of the changed lines would not mean the same\n"
    by_plan = run(project, "apply", "--plan", str(plan), "--format-cmd", spoil, "--output-format", "json")
    assert by_plan.returncode == 0
    assert [one["path"] for one in json.loads(by_plan.stdout)["not_formatted"]] == [
        f"app/{name}.py" for name in sorted(NAMES)
    ]
    assert all(f"app/{name}.py: {why}" in by_plan.stderr for name in NAMES)
    run(project, "undo")
    only = "sed -i 's/ as session:/ as other:/' $(ls {files} | grep orders)"
    by_paths = run(project, "apply", "--format-cmd", only)
    assert by_paths.returncode == 0
    assert f"app/orders.py: {why}" in by_paths.stderr
    assert by_paths.stderr.count(why) == 1


# --- groups that need others ------------------------------------------------------------------------------------------


@pytest.fixture
def needing(tmp_path: Path) -> Path:
    root = tmp_path / "needing"
    shutil.copytree(NEEDING, root)
    (root / "pyproject.toml").write_text("")
    return committed(root)


def accept(project: Path, plan: Path, name: str) -> None:
    """Accept the groups whose id holds this; "" for all."""
    run(project, "diff", "--save", str(plan))
    data = json.loads(plan.read_text())
    yes = {"verdict": "accepted", "by": "me", "note": "", "at": ""}
    data["decisions"] = {group["id"]: yes for group in data["groups"] if name in group["id"]}
    plan.write_text(json.dumps(data))


def test_bisect_writes_nothing_without_what_it_needs(needing: Path) -> None:
    failing = "! grep -q 'async with async_session' app/deps.py"
    done = run(needing, "apply", "--verify", failing, "--on-fail", "bisect", "--output-format", "json")
    assert done.returncode == 4, done.stderr
    assert git(needing, "status", "--short") == ""
    told = {one["group"].split(":")[1]: one["why"] for one in json.loads(done.stdout)["left_out"]}
    assert set(told) == {"app.deps.get_cart_session", "app.carts.clear_carts"}
    assert told["app.carts.clear_carts"].endswith("which is left out")


def test_split_asks_for_what_is_needed(needing: Path, tmp_path: Path) -> None:
    plan, folder = tmp_path / "plan.json", tmp_path / "out"
    accept(needing, plan, "clear_carts")
    done = run(needing, "split", str(plan), "-o", str(folder))
    assert done.returncode == 2
    assert "but needs session-dependency:app.deps.get_cart_session" in done.stderr
    assert not folder.exists()


def test_what_is_needed_comes_first(needing: Path, tmp_path: Path) -> None:
    plan, folder = tmp_path / "plan.json", tmp_path / "out"
    accept(needing, plan, "")
    assert run(needing, "split", str(plan), "--by", "group", "-o", str(folder)).returncode == 0
    series = (folder / "series").read_text().splitlines()
    assert [name[5:].split("-app-")[1] for name in series if "db" not in name] == [
        "deps.py-get_cart_session.patch",
        "carts.py-clear_carts.patch",
    ]
    assert run(needing, "apply", "--plan", str(plan), "--commit-per", "group").returncode == 0
    assert [line for line in git(needing, "log", "--format=%s").splitlines() if "deps" in line or "carts" in line] == [
        "session-dependency: app/carts.py clear_carts()",
        "session-dependency: app/deps.py get_cart_session()",
    ]


# --- what is refused, and what programs are told ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        ["--level", "safe"],
        ["--exclude", "app/users.py"],
        ["--extend-exclude", "app/users.py"],
        ["--cross-paths"],
        ["--no-respect-gitignore"],
        ["--respect-gitignore"],
        ["--statistics"],
        ["--select", "session-scope", "app"],
    ],
)
def test_what_does_not_go_with_a_plan_is_refused(tmp_path: Path, words: list[str]) -> None:
    done = run(tmp_path, "apply", "--plan", "plan.json", *words)
    assert done.returncode == 2
    assert words[0] in done.stderr
    assert "not go with it" in done.stderr


def test_bisect_outside_git_is_refused_in_its_own_words(project: Path) -> None:
    shutil.rmtree(project / ".git")
    done = run(project, "apply", "--allow-no-vcs", "--verify", "false", "--on-fail", "bisect")
    assert done.returncode == 2
    assert "nothing was written: --on-fail bisect needs a git repository" in done.stderr
    assert "--allow-dirty" not in done.stderr
    assert not any(is_changed(project, name) for name in NAMES)


def test_a_search_that_git_does_not_allow_is_a_failed_verify(project: Path) -> None:
    (project / ".git/worktrees").write_text("in the way")
    done = run(project, "apply", "--verify", "false", "--on-fail", "bisect")
    assert done.returncode == 4
    assert "The search could not be made: " in done.stderr
    assert "--allow-dirty" not in done.stderr
    assert not any(is_changed(project, name) for name in NAMES)


def test_what_a_verify_says_is_fenced_for_github(project: Path) -> None:
    done = run(project, "apply", "--verify", "echo ::error::mine", GITHUB_ACTIONS="true")
    lines = done.stderr.splitlines()
    at = lines.index("::error::mine")
    assert lines[at - 1].startswith("::stop-commands::")
    assert lines[at + 1] == f"::{lines[at - 1].removeprefix('::stop-commands::')}::"


def test_programs_are_told_the_same_with_a_plan_and_without(project: Path, plan: Path) -> None:
    accept_all(project, plan)
    failed = run(project, "apply", "--verify", "false", "--output-format", "json")
    nothing = json.loads(failed.stdout)
    assert (nothing["run"], nothing["verified"], nothing["changes"]) == (None, False, [])
    assert [group["included"] for group in nothing["groups"]] == [False] * 3

    words = ["--output-format", "json", "--verify", "! grep -q 'async with' app/slots.py", "--on-fail", "bisect"]
    by_plan = json.loads(run(project, "apply", "--plan", str(plan), *words).stdout)
    assert by_plan["run"] == applied(plan)[0]
    assert by_plan["verified"] is False
    assert [one["group"].split(":")[1] for one in by_plan["left_out"]] == ["app.slots.count_slots"]
    assert [one["path"] for one in by_plan["changes"]] == ["app/orders.py", "app/users.py"]
    assert [group["included"] for group in by_plan["groups"]] == [True, False, True]
    run(project, "undo")

    by_paths = json.loads(run(project, "apply", *words).stdout)
    assert {**by_paths, "run": "", "level": ""} == {**by_plan, "run": "", "level": ""}
    run(project, "undo")
    plain = json.loads(run(project, "apply", "--output-format", "json").stdout)
    assert (plain["verified"], plain["left_out"], len(plain["changes"])) == (None, [], 3)
    assert [plain["run"]] == kept_runs(project)


def test_a_plan_that_another_version_would_make_otherwise_is_refused(project: Path, plan: Path) -> None:
    accept_all(project, plan)
    data = json.loads(plan.read_text())
    next(file for file in data["files"] if file["path"] == "app/users.py")["after"] = "0" * 64
    plan.write_text(json.dumps(data))
    done = run(project, "apply", "--plan", str(plan))
    assert done.returncode == 3
    assert "app/users.py: this version of the program makes another change there" in done.stderr
    assert [is_changed(project, name) for name in ("orders", "slots", "users")] == [True, True, False]


def test_a_file_that_changes_while_a_report_for_programs_is_made_is_no_internal_error(project: Path) -> None:
    with mock.patch("codemods.saving.saved", side_effect=Moved("app/users.py")):
        done = run(project, "check", "--output-format", "sarif")
    assert done.returncode == 2
    assert done.stderr == "session-codemods: app/users.py changed while it was looked at; run the command again\n"
