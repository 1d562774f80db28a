"""From the dry run to the written code and back, with the real program: save, review, report, apply, verify, undo."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

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


def run(folder: Path, *arguments: str, answers: str = "") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "NO_COLOR": "1", "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    for name in ("GITHUB_ACTIONS", "FORCE_COLOR"):
        environment.pop(name, None)
    command = [sys.executable, "-m", "codemods", *arguments]
    return subprocess.run(
        command, cwd=folder, env=environment, input=answers, capture_output=True, text=True, check=False
    )


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-c", "user.name=a", "-c", "user.email=a@a.example", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    (root / "app").mkdir(parents=True)
    (root / "pyproject.toml").write_text("")
    (root / "app/__init__.py").write_text("")
    (root / "app/db.py").write_text(DB)
    for name in NAMES:
        (root / f"app/{name}.py").write_text(COUNT.format(name=name))
    git(root, "init", "-q")
    git(root, "config", "user.name", "a")
    git(root, "config", "user.email", "a@a.example")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "start")
    return root


def is_changed(root: Path, name: str) -> bool:
    return "async with" in (root / f"app/{name}.py").read_text()


@pytest.fixture
def plan(project: Path, tmp_path: Path) -> Path:
    """A saved plan of three groups: orders, slots, users."""
    file = tmp_path / "plan.json"
    assert run(project, "diff", "--save", str(file)).returncode == 1
    return file


def test_a_plan_is_applied_in_parts_and_taken_back(project: Path, plan: Path) -> None:
    before = {path: path.read_bytes() for path in project.glob("app/*.py")}
    run(project, "review", "--plain", str(plan), answers="accept\nrefuse\nquit\n")
    first = run(project, "apply", "--plan", str(plan))
    assert first.returncode == 0, first.stderr
    assert [is_changed(project, name) for name in ("orders", "slots", "users")] == [True, False, False]

    run(project, "review", "--plain", str(plan), answers="accept\nquit\n")
    second = run(project, "apply", "--plan", str(plan), "--allow-dirty")
    assert second.returncode == 0, second.stderr
    assert [is_changed(project, name) for name in ("orders", "slots", "users")] == [True, False, True]

    assert run(project, "undo").returncode == 0
    assert run(project, "undo").returncode == 0
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
