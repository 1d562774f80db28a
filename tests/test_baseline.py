"""What an earlier revision or a kept report held does not count: whatever the repository looks like, and no more."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from reviews.projects import DATABASE, ORDERS, SETTINGS, USERS, finding, leaking, project, request, write

from codemods import baseline, engine
from codemods.baseline import BaselineError
from codemods.plan import End, Entry, Group, Ledger, Level, Plan
from codemods.repository import Repository
from codemods.review import terminal

UNUSED = "# session-codemods: ignore[session-scope]\n\n"


def git(folder: Path, *command: str) -> str:
    """What git says, whatever git repository the surroundings speak of."""
    who = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    done = subprocess.run(["git", *who, *command], cwd=folder, env=kept, capture_output=True, text=True, check=True)
    return done.stdout


def committed(top: Path) -> None:
    git(top, "init", "-q")
    git(top, "add", "-A", "-f")
    git(top, "commit", "-qm", "made")


def new(root: Path, *paths: str, since: str = "HEAD") -> list[str]:
    """The places found now that were not found at the revision, as `path function`."""
    asked = request(root, *paths)
    known = baseline.of_revision(since, asked, Repository.of(root))
    plan = engine.run(asked)
    found = [(one.key, one.site) for group in plan.included for one in group.findings]
    found += [(one.key, one.site) for one in plan.ledger.of(End.REFUSED)]
    return sorted(f"{site.path} {site.function.rpartition('.')[2]}" for key, site in found if key not in known)


LAYOUTS: dict[str, Callable[[Path], Path]] = {}


def layout(made: Callable[[Path], Path]) -> Callable[[Path], Path]:
    """Of a repository at a folder; gives the project's root in it."""
    LAYOUTS[made.__name__.replace("_", " ")] = made
    return made


@layout
def a_project_at_the_top(top: Path) -> Path:
    return project(top)


@layout
def a_project_in_a_folder(top: Path) -> Path:
    return project(top / "svc" / "back end")


@layout
def links_that_lead_elsewhere(top: Path) -> Path:
    root = project(top / "svc")
    (top / "README.md").write_text("read me\n")
    (root / "README.md").symlink_to("../README.md")
    (root / "absolute.py").symlink_to("/etc/passwd")
    (root / "app" / "around").symlink_to("..")
    return root


@layout
def a_root_that_is_a_package(top: Path) -> Path:
    root = project(top)
    (root / "__init__.py").touch()
    return root


@layout
def a_root_in_packages_of_the_repository(top: Path) -> Path:
    root = project(top / "outer" / "inner")
    for folder in (top, top / "outer", root):
        (folder / "__init__.py").touch()
    return root


@layout
def a_root_in_a_package_that_holds_the_repository(top: Path) -> Path:
    root = project(top)
    for folder in (root.parent, root):
        (folder / "__init__.py").touch()
    return root


@layout
def files_that_archives_leave_out_or_rewrite(top: Path) -> Path:
    root = project(top)
    (root / ".gitattributes").write_text("app/ export-ignore\n*.py export-subst ident eol=crlf\n")
    return root


@layout
def files_that_are_tracked_although_they_are_ignored(top: Path) -> Path:
    root = project(top)
    (root / ".gitignore").write_text("app/*\n")
    return root


@layout
def a_comment_that_suppresses_nothing(top: Path) -> Path:
    root = project(top)
    (root / ORDERS).write_text(UNUSED + (root / ORDERS).read_text())
    return root


@layout
def names_that_are_not_utf8(top: Path) -> Path:
    return write(project(top), {os.fsdecode(b"app/odd\xff\n\t.py"): leaking("odd")})


@pytest.mark.parametrize("name", LAYOUTS)
def test_what_was_there_is_known_and_what_is_added_is_new(name: str, tmp_path: Path) -> None:
    top = tmp_path / "the top"
    root = LAYOUTS[name](top)
    committed(top)
    assert engine.run(request(root)).groups
    assert new(root) == []
    write(root, {USERS: (root / USERS).read_text() + leaking("added", head="")})
    git(top, "add", "-Af")
    assert new(root) == [f"{USERS} added"]
    git(top, "commit", "-qm", "more")
    assert new(root) == []
    assert new(root, since="HEAD~1") == [f"{USERS} added"]


def test_a_project_that_was_not_there_is_all_new(tmp_path: Path) -> None:
    write(tmp_path, {"README.md": "read me\n"})
    committed(tmp_path)
    root = project(tmp_path / "svc")
    assert new(root) == sorted([f"{ORDERS} third", f"{ORDERS} fourth", f"{USERS} first", f"{USERS} second"])


def test_paths_that_were_not_there_are_all_new(tmp_path: Path) -> None:
    root = project(tmp_path)
    committed(root)
    write(root, {"more/a.py": leaking("one"), "more/plain": leaking("two")})
    assert new(root, "more", USERS) == ["more/a.py one"]
    assert new(root, "more/plain") == ["more/plain two"]
    committed(root)
    assert new(root, "more/plain") == []


def test_a_folder_is_a_folder_and_no_beginning_of_a_name(tmp_path: Path) -> None:
    write(tmp_path, {"svc2/pyproject.toml": SETTINGS, "svc2/app/db.py": DATABASE, f"svc2/{USERS}": leaking("first")})
    committed(tmp_path)
    root = project(tmp_path / "svc")
    assert len(new(root)) == 4


@pytest.mark.parametrize("name", ["GIT_DIR", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY"])
def test_what_a_hook_says_of_another_repository_is_not_asked(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = project(tmp_path / "one")
    committed(root)
    write(tmp_path / "two", {"a.py": ""})
    committed(tmp_path / "two")
    monkeypatch.setenv(name, str(tmp_path / "two" / ".git"))
    assert new(root) == []


def test_no_filter_of_the_repository_runs(tmp_path: Path) -> None:
    root = project(tmp_path / "one")
    (root / ".gitattributes").write_text("*.py filter=evil\n")
    committed(root)
    git(root, "config", "filter.evil.smudge", f"touch {tmp_path}/ran; cat")
    assert new(root) == []
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("revision", ["no-such", "--output=x", "HEAD:app/db.py", "HEAD\nHEAD", "", "deadbeef"])
def test_what_is_no_revision_is_refused_by_name(revision: str, tmp_path: Path) -> None:
    root = project(tmp_path)
    committed(root)
    with pytest.raises(BaselineError) as error:
        new(root, since=revision)
    assert repr(revision) in str(error.value)


def test_a_clone_that_lacks_files_is_refused(tmp_path: Path) -> None:
    root = project(tmp_path)
    committed(root)
    blob = git(root, "rev-parse", f"HEAD:{USERS}").strip()
    (root / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    with pytest.raises(BaselineError, match="the clone lacks some of them"):
        new(root)


# --- comments that suppress nothing -----------------------------------------------------------------------------------


def unused(root: Path) -> list[str]:
    return [entry.key for entry in engine.run(request(root)).refused]


def test_a_comment_that_suppresses_nothing_is_known_again_where_it_moves(tmp_path: Path) -> None:
    root = project(tmp_path)
    text = (root / USERS).read_text()
    (root / USERS).write_text(UNUSED + text)
    before = unused(root)
    (root / USERS).write_text("import os\n\n" + UNUSED + text)
    assert unused(root) == before
    assert len(before) == 1


def test_each_comment_that_suppresses_nothing_has_a_key_of_its_own(tmp_path: Path) -> None:
    root = project(tmp_path)
    for path in (USERS, ORDERS):
        other = "# session-codemods: ignore[no-such]\n\n"
        (root / path).write_text(UNUSED + UNUSED + other + (root / path).read_text())
    found = unused(root)
    assert len(set(found)) == len(found) == 6
    assert all(found)


def test_one_more_comment_that_suppresses_nothing_is_new(tmp_path: Path) -> None:
    root = project(tmp_path)
    (root / USERS).write_text(UNUSED + (root / USERS).read_text())
    committed(root)
    (root / USERS).write_text(UNUSED + (root / USERS).read_text())
    known = baseline.of_revision("HEAD", request(root), Repository.of(root))
    assert [key in known for key in unused(root)] == [True, False]


def test_a_report_from_before_comments_had_keys_swallows_none(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    report.write_text(json.dumps({"findings": [{"key": ""}, {"key": "a"}, {"key": 3}]}))
    assert baseline.of_report(report) == {"a"}


# --- what is told beside a baseline -----------------------------------------------------------------------------------


def beside(root: Path, known: frozenset[str]) -> tuple[Plan, str, str]:
    """The dry run without what is known, its summary, and its last line."""
    found = baseline.without(engine.run(request(root)), known)
    return found, terminal.summary(found), terminal.next_of_the_new(found, "session-codemods diff --save plan.json")


def refusing(root: Path) -> Path:
    """The project, and a comment that is left alone: 5 findings, of which 4 can be written."""
    (root / ORDERS).write_text(UNUSED + (root / ORDERS).read_text())
    return root


def test_what_was_there_is_counted_by_findings_and_the_places_add_up(tmp_path: Path) -> None:
    root = refusing(project(tmp_path))
    before = engine.run(request(root))
    found, summary, following = beside(root, baseline.keys(before))
    counts, earlier = found.ledger.counts(), before.ledger.counts()
    assert sum(counts.values()) == sum(earlier.values())
    assert (counts[End.KNOWN], counts[End.CHANGED], counts[End.REFUSED]) == (5, 0, 0)
    assert earlier[End.CHANGED] + earlier[End.REFUSED] == 5
    assert ": 0 to change, " in summary
    assert ", 5 there before\n0 groups\n" in summary
    assert following == "Nothing new. Nothing was written.\n"


def test_apply_is_not_named_where_it_would_write_more_than_what_is_new(tmp_path: Path) -> None:
    root = refusing(project(tmp_path))
    known = baseline.keys(engine.run(request(root)))
    write(root, {USERS: (root / USERS).read_text() + leaking("added", head="")})
    found, summary, following = beside(root, known)
    assert [group.findings[0].site.function for group in found.groups] == ["app.users.added"]
    assert ": 1 to change, " in summary
    assert ", 5 there before\n1 group (" in summary
    assert "`apply` would also write what was there before" in following
    assert following.endswith("session-codemods diff --save plan.json\n")


def test_without_a_baseline_nothing_is_said_of_one(tmp_path: Path) -> None:
    _, summary, _ = beside(project(tmp_path), frozenset())
    assert "there before" not in summary
    assert "there before" not in terminal.statistics(engine.run(request(tmp_path)))


def test_a_group_that_holds_something_new_counts_whole(tmp_path: Path) -> None:
    one, two = finding("a.py", 1, name="one"), finding("a.py", 2, name="two")
    entries = [Entry(End.CHANGED, one.rule, one.site, "t", group="g", key=one.key) for one in (one, two)]
    plan = Plan(str(tmp_path), Level.SAFE, (Group("g", (one, two)),), Ledger(tuple(entries)), (), ())
    assert baseline.without(plan, {one.key}) == plan
    assert baseline.without(plan, {one.key, two.key}).ledger.counts()[End.KNOWN] == 2
