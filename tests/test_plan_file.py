"""The plan file: what is saved comes back, what is damaged is refused, and a save is whole or not at all."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from reviews.projects import ODD_NAME, USERS, by_hand, finding, frozen, odd_project, project, request

from codemods import engine, plan_file, planned, saving
from codemods.plan import UNUSED, CreateFile, End, Finding, Group, Ledger, Level, Site
from codemods.plan_file import PlanFileError
from codemods.saved_plan import AppliedRun, Decision, SavedPlan, Verdict

LEGACY_APP = Path(__file__).parents[1] / "fixtures" / "legacy_app"


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, SavedPlan]:
    root = odd_project(tmp_path_factory.mktemp("odd"))
    return root, frozen(root)


def decided(plan: SavedPlan) -> SavedPlan:
    accepted = plan.decided(
        plan.included[:1], Decision(Verdict.ACCEPTED, "Ann \u202e", "", "2025-01-02T03:04:05+00:00")
    )
    refused = accepted.decided(plan.included[1:2], Decision(Verdict.REFUSED, "", "line\none \udcff \U0001f600"))
    return replace(refused, applied=(AppliedRun("run-1", (plan.included[0].id,)),))


def test_a_plan_comes_back_as_it_was(odd: tuple[Path, SavedPlan], tmp_path: Path) -> None:
    root, made = odd
    assert {file.path for file in made.files} >= {"app/latin.py", "app/windows.py", "app/marked.py", ODD_NAME}
    plan = decided(made)
    plan_file.save(plan, tmp_path / "plan.json")
    back = plan_file.load(tmp_path / "plan.json")
    assert back == plan
    assert not planned.present(back, root).stale
    assert planned.changes(back, back.groups) == planned.changes(plan, plan.groups)
    for file in back.files:
        assert file.source.encode(file.source.text) == file.data


def test_the_types_come_back_too(odd: tuple[Path, SavedPlan]) -> None:
    """An IntEnum equals its number and a StrEnum its word, so that being equal is not enough."""
    back = plan_file.parse(plan_file.dump(decided(odd[1])), "x")
    assert back.asked.level is Level.REVIEW
    assert {type(one.level) for group in back.groups for one in group.findings} == {Level}
    assert {type(entry.end) for entry in back.ledger.entries} == {End}
    assert back.having(Verdict.REFUSED) == back.groups[1:2]
    assert len(back.having(Verdict.OPEN)) == len(back.groups) - 2
    assert repr(back) == repr(decided(odd[1]))


def test_a_plan_of_the_legacy_application_comes_back() -> None:
    made = frozen(LEGACY_APP)
    assert repr(plan_file.parse(plan_file.dump(made), "x")) == repr(made)
    assert len(made.groups) > 20


def test_the_file_is_plain_ascii_with_a_line_for_each_group(odd: tuple[Path, SavedPlan]) -> None:
    text = plan_file.dump(decided(odd[1]))
    assert text.isascii()
    assert text.endswith("\n}\n")
    lines = text.splitlines()
    for group in odd[1].groups:
        assert sum(line.startswith("  {" + f'"id": {json.dumps(group.id)}') for line in lines) == 1
    assert plan_file.dump(plan_file.parse(text, "x")) == text


def test_a_decision_changes_its_own_line_alone(odd: tuple[Path, SavedPlan]) -> None:
    plan = odd[1].decided(odd[1].groups[:2], Decision(Verdict.ACCEPTED))
    before = plan_file.dump(plan).splitlines()
    after = plan_file.dump(plan.decided(odd[1].groups[:1], Decision(Verdict.REFUSED))).splitlines()
    assert sum(one != other for one, other in zip(before, after, strict=True)) == 1


# --- damaged files ----------------------------------------------------------------------------------------------------


def content(plan: SavedPlan) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(plan_file.dump(plan))
    return read


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "not a plan file"),
        ("nonsense", "it is damaged on line 1; take it from git"),
        ("\n", "it is empty; take it from git or from a copy; `diff --save FILE` makes another one"),
        ('{"tool":\n"session-codemods", "dec', "it ends in the middle, on line 2"),
        ('{"tool":\n', "it ends in the middle, on line 2"),
        ('{\n<<<<<<< ours\n "format": 1,\n', "it holds the marks of a merge that was not finished"),
        ("[]", "`diff --save FILE` makes one"),
        ("{}", "`diff --save FILE` makes one"),
        ("null", "`diff --save FILE` makes one"),
        ('{"tool": "other", "format": 1}', "`diff --save FILE` makes one"),
        ('{"tool": "session-codemods", "format": 2}', "its format is 2, this version reads 1"),
        ('{"tool": "session-codemods", "format": 1}', "not a whole plan file"),
        ('{"tool": "session-codemods"}', "its format is None"),
        ('{"tool": "session-codemods", "tool": "session-codemods"}', "it holds 'tool' twice"),
        ("[" * 100_000, "not a plan file"),
        ("\ufeff{}", "not a plan file"),
    ],
)
def test_what_is_no_plan_is_refused_by_name(text: str, says: str) -> None:
    with pytest.raises(PlanFileError, match=r"^plan\.json: ") as error:
        plan_file.parse(text, "plan.json")
    assert says in str(error.value)


def change(*path: str | int, to: Any) -> Any:
    def made(content: dict[str, Any]) -> None:
        *above, last = path
        holder: Any = content
        for key in above:
            holder = holder[key]
        holder[last] = to

    return made


FINDING = ("groups", 0, "findings", 0)
KEPT_BY_OTHERS = (
    *(".git/commondir", "app/.GIT/hooks/post-commit", ".session-codemods/runs/x.py", "app\\.git\\config"),
    *(".git./config", ".git /config", ".g\u200cit/config", ".git::$INDEX_ALLOCATION/config", "GIT~1/config"),
)
NO_ENCODINGS = ("no-such", "hex", "zlib", "rot13", "\0", "", "\ud800", "utf-16", "undefined")
NO_RULES = ("", "Session-scope", "session scope", "session-scope\n", "\x1b[2J", "a\ninjected: line", "\u202e")


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (change("colour", to="red"), "colour"),
        (change("groups", 0, "colour", to="red"), "colour"),
        (change(*FINDING, "edits", 0, "colour", to="red"), "colour"),
        (change(*FINDING, "edits", 0, "kind", to="FormatDisk"), "FormatDisk"),
        (change(*FINDING, "edits", 0, "first", to="1"), "'1'"),
        (change(*FINDING, "edits", 0, "first", to=True), "True"),
        (change(*FINDING, "edits", 0, "first", to=1.0), "1.0"),
        (change(*FINDING, "level", to=7), "7"),
        (change(*FINDING, "level", to=True), "True"),
        (change(*FINDING, "level", to="0"), "'0'"),
        (change(*FINDING, "key", to=None), "None"),
        (change("decisions", to={"nobody": {"verdict": "accepted"}}), "'nobody'"),
        (change("decisions", to={"nobody": {"verdict": "maybe"}}), "maybe"),
        (change("applied", to=[{"run": "r", "groups": ["nobody"]}]), "'nobody'"),
        (change("groups", 0, "findings", to=[]), "holds nothing"),
        (change(*FINDING, "edits", 0, "path", to="../../etc/passwd"), "leaves the project"),
        (change(*FINDING, "edits", 0, "path", to="/etc/passwd"), "leaves the project"),
        (change(*FINDING, "edits", 0, "path", to="app/../../x.py"), "leaves the project"),
        (change(*FINDING, "edits", 0, "path", to="x\0.py"), "leaves the project"),
        (change("files", 0, "path", to="../x.py"), "leaves the project"),
        *((change(*FINDING, "edits", 0, "path", to=path), "keeps its own files") for path in KEPT_BY_OTHERS),
        (change("files", 0, "path", to=".git/config"), "keeps its own files"),
        (change("asked", "paths", to=[".git"]), "keeps its own files"),
        (change(*FINDING, "edits", 0, "path", to="app/\ud800.py"), "the name of no file"),
        (change("asked", "paths", to=["\ud800"]), "the name of no file"),
        *((change("files", 0, "encoding", to=name), "is no text in") for name in NO_ENCODINGS),
        (change("files", 0, "newline", to="; "), "the line ends or the indentation"),
        (change("files", 0, "indent", to="pass; "), "the line ends or the indentation"),
        *((change(*FINDING, "rule", to=rule), "is no name of a rule") for rule in NO_RULES),
        *((change("ledger", "entries", 0, "rule", to=rule), "is no name of a rule") for rule in NO_RULES),
        (change(*FINDING, "requires_at", to=[["\x1b[2J", "app/a.py", 1]]), "is no name of a rule"),
        (change("asked", "paths", to=["/"]), "leaves the project"),
        (change("files", 0, "data", to="!"), "not a whole plan file"),
        (change("files", 0, "data", to="Xk~0{Zv"), "damaged"),
        (change("files", 0, "before", to="0" * 64), "damaged"),
        (change("files", 0, "bom", to="Xk"), "damaged"),
        (lambda content: content["groups"].append(content["groups"][0]), "is there twice"),
        (lambda content: content["files"].append(content["files"][0]), "is there twice"),
        (lambda content: content.pop("ledger"), "ledger"),
    ],
)
def test_a_damaged_plan_is_refused_and_says_where(odd: tuple[Path, SavedPlan], damage: Any, says: str) -> None:
    damaged = content(odd[1])
    damage(damaged)
    with pytest.raises(PlanFileError) as error:
        plan_file.parse(json.dumps(damaged), "plan.json")
    assert says in str(error.value)


def leaves(value: Any, holder: Any = None, key: Any = None, name: str = "") -> Iterator[tuple[Any, Any, str]]:
    match value:
        case dict():
            for inner, one in value.items():
                yield from leaves(one, value, inner, inner)
        case list():
            for place, one in enumerate(value):
                yield from leaves(one, value, place, name)
        case _:
            yield holder, key, name


MAY_BE_NONE = {"creation", "name", "context", "text", "pool_size", "max_overflow", "pool_timeout", "pool_recycle"}


def test_a_value_of_another_type_is_never_taken(odd: tuple[Path, SavedPlan]) -> None:
    damaged = content(decided(odd[1]))
    for part in ("groups", "files"):
        damaged[part] = damaged[part][:2]
    damaged["ledger"]["entries"] = damaged["ledger"]["entries"][:1]
    for holder, key, name in leaves(damaged):
        was = holder[key]
        others: tuple[object, ...] = (1.5, "x", True, 3, None, [])
        for other in others:
            if type(other) is type(was) or was is None or (other is None and name in MAY_BE_NONE):
                continue
            holder[key] = other
            with pytest.raises(PlanFileError):
                plan_file.parse(json.dumps(damaged), "plan.json")
        holder[key] = was
    assert plan_file.parse(json.dumps(damaged), "plan.json").groups == odd[1].groups[:2]


@pytest.mark.parametrize("path", ["git/a.py", ".github/a.py", "app/.gitignore", "app/x.git/a.py", "app/git~2.py"])
def test_names_that_are_like_those_of_git_are_taken(path: str) -> None:
    plan = by_hand(finding(path, 1))
    assert plan_file.parse(plan_file.dump(plan), "x") == plan


def test_a_comment_that_suppresses_nothing_comes_back(tmp_path: Path) -> None:
    root = project(tmp_path)
    (root / USERS).write_text("# session-codemods: ignore[a \x1b[2J b] x\n\n" + (root / USERS).read_text())
    plan = frozen(root)
    assert [entry.rule for entry in plan.ledger.of(End.REFUSED)] == [UNUSED]
    assert plan_file.parse(plan_file.dump(plan), "x") == plan


def test_a_plan_cut_short_anywhere_is_refused(odd: tuple[Path, SavedPlan]) -> None:
    text = plan_file.dump(odd[1]).rstrip()
    for length in range(0, len(text), max(1, len(text) // 97)):
        with pytest.raises(PlanFileError):
            plan_file.parse(text[:length], "plan.json")


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(PlanFileError, match="No such file"):
        plan_file.load(tmp_path / "gone.json")
    with pytest.raises(PlanFileError, match="Is a directory"):
        plan_file.load(tmp_path)
    (tmp_path / "plan.json").write_bytes(b"\xff{}")
    with pytest.raises(PlanFileError, match="not UTF-8"):
        plan_file.load(tmp_path / "plan.json")


def test_a_new_file_comes_back() -> None:
    made = Finding(
        "k", "scaffold", Site("new.py", 1, 1, 1, 1, ""), Level.SAFE, "m", edits=(CreateFile("new.py", "x\n"),)
    )
    plan = replace(by_hand(), groups=(Group("k", (made,)),))
    assert plan_file.parse(plan_file.dump(plan), "x") == plan
    assert planned.changes(plan, plan.groups)[0].before is None


# --- saving -----------------------------------------------------------------------------------------------------------

SMALL = by_hand(finding("app/a.py", 1))


def test_a_failed_save_leaves_the_old_plan_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "plan.json"
    plan_file.save(SMALL, place)
    before = place.read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(PlanFileError, match="No space left on device"):
        plan_file.save(decided(SMALL), place)
    assert place.read_bytes() == before
    assert os.listdir(tmp_path) == ["plan.json"]


def test_a_save_that_is_killed_leaves_a_whole_plan(tmp_path: Path) -> None:
    place = tmp_path / "plan.json"
    plan_file.save(SMALL, place)
    killed = (
        "import os, signal, sys\nfrom pathlib import Path\nfrom codemods import plan_file\n"
        "os.fsync = lambda descriptor: os.kill(os.getpid(), signal.SIGKILL)\n"
        "path = Path(sys.argv[1])\nplan = plan_file.load(path)\nplan_file.save(plan, path)\n"
    )
    done = subprocess.run([sys.executable, "-c", killed, str(place)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert plan_file.load(place) == SMALL


def test_a_save_keeps_the_mode_and_follows_a_link(tmp_path: Path) -> None:
    place, link = tmp_path / "plan.json", tmp_path / "link.json"
    plan_file.save(SMALL, place)
    place.chmod(0o640)
    link.symlink_to(place)
    plan_file.save(decided(SMALL), link)
    assert link.is_symlink()
    assert stat.S_IMODE(place.stat().st_mode) == 0o640
    assert plan_file.load(place).decisions


def test_a_new_plan_has_the_mode_of_a_new_file(tmp_path: Path) -> None:
    plan_file.save(SMALL, tmp_path / "plan.json")
    (tmp_path / "other").touch()
    assert (tmp_path / "plan.json").stat().st_mode == (tmp_path / "other").stat().st_mode


def test_a_device_is_not_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(PlanFileError, match="not a regular file"):
        plan_file.save(SMALL, tmp_path / "pipe")
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(PlanFileError, match="cannot be written"):
        plan_file.save(SMALL, tmp_path / "loop")


def test_a_file_that_changes_while_it_is_saved_is_no_plan(tmp_path: Path) -> None:
    root = project(tmp_path)
    asked = request(root, "app")
    found = engine.run(asked)
    assert saving.saved(found, asked).asked.paths == ("app",)
    (root / USERS).write_text("")
    with pytest.raises(saving.Moved, match=USERS):
        saving.saved(found, asked)


def test_a_plan_that_speaks_of_a_baseline_is_refused(tmp_path: Path) -> None:
    """A page that leaves the places out would not add up."""
    plan = frozen(project(tmp_path))
    known = tuple(replace(entry, end=End.KNOWN) for entry in plan.ledger.entries)
    with pytest.raises(PlanFileError, match="its ledger speaks of a baseline"):
        plan_file.parse(plan_file.dump(replace(plan, ledger=Ledger(known))), "plan.json")
