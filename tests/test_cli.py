"""The command line as a user meets it: streams, exit codes, and what is never touched.

Most tests put a plan made by hand in the engine's place; the last ones run the real program.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import TypeAlias

import pytest
from reviews.projects import by_hand
from reviews.projects import finding as by_hand_finding

from codemods import __main__, plan_file
from codemods.plan import (
    Change,
    End,
    Entry,
    Failure,
    Finding,
    Group,
    Ledger,
    Level,
    OpenBlock,
    Plan,
    RemoveStatement,
    Site,
)
from codemods.review import progress, terminal
from codemods.review.json_report import report
from codemods.review.terminal import Viewpoint

Captured: TypeAlias = pytest.CaptureFixture[bytes]

BEFORE = b"async def get():\n    session = new()\n    return 1\n"
AFTER = b"async def get():\n    async with new() as session:\n        return 1\n"


def finding(path: str = "app/users.py", level: Level = Level.SAFE, line: int = 2) -> Finding:
    block = OpenBlock(path, 2, 3, 3, is_async=True, name="session")
    return Finding(
        key=f"session-scope:app.users.get:{path}:{line}",
        rule="session-scope",
        site=Site(path, line, 5, line, 20, "app.users.get"),
        level=level,
        message="session is never closed",
        reason="a caller reads `user.orders`" if level is Level.REVIEW else "",
        edits=(block if line == 2 else RemoveStatement(path, line),),  # the others are never composed
    )


def entry(end: End, text: str, line: int = 9, path: str = "app/jobs.py") -> Entry:
    return Entry(end, "session-scope", Site(path, line, 1, line, 8, "app.jobs.run"), text)


SAFE = Group("session-scope:app.users.get:3fa9", (finding(),))
REVIEW = Group("session-scope:app.users.put:77aa", (finding(level=Level.REVIEW, line=7),))
REFUSED = entry(End.REFUSED, "the session goes to a generator that outlives this function")


def plan(
    root: Path,
    *groups: Group,
    level: Level = Level.REVIEW,
    entries: tuple[Entry, ...] = (),
    failures: tuple[Failure, ...] = (),
) -> Plan:
    included = tuple(group for group in groups if group.level <= level)
    found = tuple(
        Entry(End.CHANGED if group in included else End.HELD_BACK, f.rule, f.site, f.message, group.id)
        for group in groups
        for f in group.findings
    )
    return Plan(
        root=str(root),
        level=level,
        groups=groups,
        ledger=Ledger((*found, *entries)),
        failures=failures,
        changes=(Change("app/users.py", BEFORE, AFTER, included),) if included else (),
        files_read=3,
    )


@dataclass(frozen=True, slots=True)
class Request:
    """What the command line hands to the engine."""

    root: Path
    paths: tuple[Path, ...]
    settings: object
    level: Level = Level.REVIEW
    cross_paths: bool = False


class Engine(ModuleType):
    """Stands in for the engine: gives the plan it holds, and keeps what it was asked."""

    class NoPythonFiles(Exception):
        pass

    RunRequest = Request
    chosen: tuple[str, ...] = ("session-scope", "expunge-return", "eager-load")
    asked: Request
    answer: Plan | BaseException
    read: bytes = b""  # what it read of the file; nothing: what stands there

    def run(self, request: Request, report: progress.Progress | None = None, discovery: object = None) -> Plan:
        self.asked = request
        if isinstance(self.answer, BaseException):
            raise self.answer
        level = min(request.level, self.answer.level)
        root = Path(self.answer.root)
        data = self.read or (root / "app/users.py").read_bytes()
        made = plan(
            Path(self.answer.root),
            *self.answer.groups,
            level=level,
            entries=tuple(e for e in self.answer.ledger.entries if e.end not in (End.CHANGED, End.HELD_BACK)),
            failures=self.answer.failures,
        )
        return replace(made, hashes={"app/users.py": hashlib.sha256(data).hexdigest()})

    def chosen_rules(self, settings: object) -> tuple[Rule, ...]:
        return tuple(Rule(name) for name in self.chosen)


@dataclass(frozen=True, slots=True)
class Rule:
    name: str
    summary: str = "opens sessions in a block"
    level_text: str = "safe, review"
    page: str = "Opens sessions in a block.\n\nWhat it changes: x\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "project"
    (root / "app").mkdir(parents=True)
    (root / "pyproject.toml").write_text("")
    (root / "app/users.py").write_bytes(BEFORE)
    git(root, "init", "-q")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "all")
    monkeypatch.chdir(root)
    for name in ("GITHUB_ACTIONS", "NO_COLOR", "FORCE_COLOR", "CI"):
        monkeypatch.delenv(name, raising=False)
    return root


@pytest.fixture
def engine(project: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
    import codemods
    import codemods.rules

    engine = Engine("codemods.engine")
    engine.answer = plan(project, SAFE)
    monkeypatch.setitem(sys.modules, "codemods.engine", engine)
    monkeypatch.setattr(codemods, "engine", engine, raising=False)
    monkeypatch.setattr(codemods.rules, "RULES", (Rule("session-scope"), Rule("eager-load")), raising=False)
    return engine


def git(folder: Path, *command: str, data: bytes = b"") -> None:
    fixed = ["git", "-c", "user.name=n", "-c", "user.email=e@x", *command]
    subprocess.run(fixed, cwd=folder, input=data, check=True)


def run(*arguments: str) -> int:
    return __main__.main(arguments)


# --- exit codes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "groups", "entries", "failed", "code"),
    [
        (["check"], (), (), False, 0),
        (["check"], (SAFE,), (), False, 1),
        (["check"], (), (REFUSED,), False, 1),
        (["check"], (), (entry(End.RIGHT, "opened by async with"),), False, 0),
        (["check", "--level", "safe"], (REVIEW,), (), False, 0),
        (["check", "--exit-zero"], (SAFE,), (REFUSED,), False, 0),
        (["check"], (SAFE,), (), True, 3),
        (["check", "--exit-zero"], (SAFE,), (), True, 3),
        (["diff"], (), (), False, 0),
        (["diff"], (), (REFUSED,), False, 0),
        (["diff"], (REVIEW,), (), False, 1),
        (["diff", "--level", "safe"], (REVIEW,), (), False, 0),
        (["diff", "--exit-zero"], (SAFE,), (), False, 0),
        (["diff"], (), (), True, 3),
        (["diff", "--output-format", "json"], (SAFE,), (), False, 1),
        (["apply"], (), (), False, 0),
        (["apply"], (SAFE, REVIEW), (REFUSED,), False, 0),
        (["apply"], (SAFE,), (), True, 3),
    ],
)
def test_the_exit_code_says_what_there_is(
    engine: Engine,
    project: Path,
    arguments: list[str],
    groups: tuple[Group, ...],
    entries: tuple[Entry, ...],
    failed: bool,
    code: int,
) -> None:
    failures = (Failure("app/bad.py", "parse", "invalid syntax", 3),) if failed else ()
    engine.answer = plan(project, *groups, entries=entries, failures=failures)
    assert run(*arguments) == code


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["chek"], "check"),
        (["check", "--nonsense"], "--nonsense"),
        (["check", "--level", "manual"], "review"),
        (["check", "gone"], "gone: no such file or folder"),
        (["check", "--select", "session-skope"], "session-scope"),
        (["check", "--exclude", "../x"], "leaves the project root"),
        (["check", "--config", "gone.toml"], "gone.toml"),
        (["check", "--config", "pyproject.toml", "--isolated"], "contradict"),
        (["check", "--output-format", "sarif", "--checklist"], "--checklist is about the whole"),
        (["check", "--baseline", "a.json", "--since", "HEAD"], "give one of them"),
        (["diff", "--output-format", "markdown"], "markdown"),
        (["diff", "-o", "gone/fix.patch"], "gone/fix.patch: cannot be written"),
        (["explain", "session-skope"], "session-scope"),
        (["explain"], "explain --help"),
        (["apply", "-o", "app"], "app: cannot be written"),
    ],
)
def test_a_wrong_call_is_one_line_that_says_what_to_do(
    engine: Engine, capfdbinary: Captured, arguments: list[str], says: str
) -> None:
    assert run(*arguments) == 2
    told = capfdbinary.readouterr().err.decode().splitlines()[-1]
    assert told.startswith("session-codemods: ")
    assert says in told


def test_two_projects_at_once_are_refused(engine: Engine, tmp_path: Path, capfdbinary: Captured) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other/pyproject.toml").write_text("")
    assert run("check", ".", str(tmp_path / "other")) == 2
    assert b"different projects" in capfdbinary.readouterr().err


def test_no_python_file_at_all_is_a_usage_error(engine: Engine, capfdbinary: Captured) -> None:
    engine.answer = Engine.NoPythonFiles()
    assert run("check") == 2
    assert b"no Python file" in capfdbinary.readouterr().err


def test_an_internal_error_is_one_line_and_with_v_a_traceback(engine: Engine, capfdbinary: Captured) -> None:
    engine.answer = ZeroDivisionError("odd\x1b[2J\nthing")
    assert run("check") == 2
    told = capfdbinary.readouterr().err.decode()
    assert told == ("session-codemods: internal error: ZeroDivisionError: odd\\x1b[2J\\nthing (-v shows where)\n")
    assert run("check", "-v") == 2
    assert b"Traceback" in capfdbinary.readouterr().err


def test_an_interrupt_is_130(engine: Engine, capfdbinary: Captured) -> None:
    engine.answer = KeyboardInterrupt()
    assert run("check") == 130
    assert capfdbinary.readouterr().err == b"session-codemods: interrupted; no file is half written\n"


# --- what goes where --------------------------------------------------------------------------------------------------


def test_check_names_each_place_with_its_reason(engine: Engine, project: Path, capfdbinary: Captured) -> None:
    engine.answer = plan(project, SAFE, REVIEW, entries=(REFUSED,))
    run("check")
    out, err = capfdbinary.readouterr()
    assert out.decode().splitlines() == [
        "app/jobs.py:9:1: session-scope [manual] left alone:"
        " the session goes to a generator that outlives this function",
        "app/users.py:2:5: session-scope [safe] session is never closed",
        "app/users.py:7:5: session-scope [review] session is never closed (a caller reads `user.orders`)",
    ]
    assert b"3 places looked at: 2 to change, 0 already right, 1 left alone, 0 held back, 0 suppressed" in err
    assert b"2 groups (2 edits in 1 file): 1 safe, 1 review" in err


def test_places_are_seen_from_the_working_directory(
    engine: Engine, project: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: Captured
) -> None:
    engine.answer = plan(project, SAFE, entries=(REFUSED,))
    (project / "docs").mkdir()
    monkeypatch.chdir(project / "app")
    run("check")
    assert capfdbinary.readouterr().out.startswith(b"jobs.py:9:1: ")
    monkeypatch.chdir(project / "docs")
    run("check", "--output-format", "json", "..")
    assert json.loads(capfdbinary.readouterr().out)["findings"][0]["path"] == "../app/jobs.py"


KEPT = Entry(End.RIGHT, "eager-load", Site("app/users.py", 4, 1, 4, 8, "app.users.get"), "what is read is loaded")
OPEN = Entry(
    End.REFUSED,
    "expunge-return",
    Site("app/jobs.py", 3, 1, 3, 8, "app.jobs.run"),
    "it cannot be told what is returned",
    key="expunge-return:app.jobs.run:1a2b",
    undecided=True,
)
BROKEN = Entry(
    End.REFUSED,
    "session-scope",
    Site("app/jobs.py", 9, 1, 9, 8, "app.jobs.run"),
    "stored on `self.session`: it outlives the function",
    key="session-scope:app.jobs.run:3c4d",
    aspect="maker",
)


@pytest.mark.parametrize(
    ("arguments", "entries", "failed", "code"),
    [
        ([], (KEPT,), False, 0),
        ([], (KEPT, OPEN), False, 0),
        ([], (KEPT, OPEN, BROKEN), False, 1),
        (["--exit-zero"], (BROKEN,), False, 0),
        ([], (KEPT,), True, 3),
        (["--exit-zero"], (KEPT,), True, 3),
        (["--output-format", "json"], (BROKEN,), False, 1),
        (["--output-format", "markdown"], (OPEN,), False, 0),
    ],
)
def test_a_checklist_fails_only_when_a_point_is_broken(
    engine: Engine, project: Path, arguments: list[str], entries: tuple[Entry, ...], failed: bool, code: int
) -> None:
    failures = (Failure("app/bad.py", "parse", "invalid syntax", 3),) if failed else ()
    engine.answer = plan(project, entries=entries, failures=failures)
    assert run("check", "--checklist", *arguments) == code


def test_a_checklist_takes_the_place_of_the_findings(engine: Engine, project: Path, capfdbinary: Captured) -> None:
    engine.answer = plan(project, SAFE, entries=(KEPT, OPEN, BROKEN))
    (project / "docs").mkdir()
    run("check", "--checklist", "-q")
    out = capfdbinary.readouterr().out.decode()
    assert out.startswith("Checklist: 2 of 7 points kept, 1 broken, 1 not decidable, 3 not looked at\n")
    assert "app/jobs.py:9  stored on `self.session`" in out
    assert "app/jobs.py:3  cannot be told: it cannot be told what is returned" in out
    assert "[safe]" not in out
    run("check", "--checklist", "-o", "checklist.md", "--output-format", "markdown")
    assert capfdbinary.readouterr().out == b""
    assert "- [x] Relationships are loaded eagerly" in (project / "checklist.md").read_text()


def test_a_checklist_names_all_places_when_verbose(engine: Engine, project: Path, capfdbinary: Captured) -> None:
    many = tuple(replace(BROKEN, site=replace(BROKEN.site, line=line)) for line in range(1, 8))
    engine.answer = plan(project, entries=many)
    run("check", "--checklist", "-q")
    assert b"and 4 more (--verbose names all)" in capfdbinary.readouterr().out
    run("check", "--checklist", "-q", "-v")
    assert capfdbinary.readouterr().out.count(b"app/jobs.py:") == 7


def test_a_checklist_is_seen_from_the_working_directory(
    engine: Engine, project: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: Captured
) -> None:
    engine.answer = plan(project, entries=(BROKEN,))
    monkeypatch.chdir(project / "app")
    run("check", "--checklist", "--output-format", "json")
    point = json.loads(capfdbinary.readouterr().out)["points"][0]
    assert [place["path"] for place in point["places"]] == ["jobs.py"]


def test_diff_puts_the_patch_and_nothing_else_on_stdout(engine: Engine, project: Path, capfdbinary: Captured) -> None:
    engine.answer = plan(project, SAFE, entries=(REFUSED,))
    run("diff")
    out, err = capfdbinary.readouterr()
    git(project, "apply", "--check", data=out)
    assert b"# app/users.py  session-scope:app.users.get:3fa9" in out
    assert b"Left alone (1)\n  app/jobs.py:9  session-scope  the session goes to a generator" in err
    assert err.endswith(b"Nothing was written. Next: session-codemods apply .\n")


def test_a_patch_made_below_the_repository_applies_at_its_top(
    engine: Engine, project: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: Captured
) -> None:
    monkeypatch.chdir(project / "app")
    run("diff", "--no-explain")
    out, err = capfdbinary.readouterr()
    assert out.startswith(b"diff --git a/app/users.py b/app/users.py\n")
    assert f"Paths in the patch start at {project}".encode() in err


def test_the_next_command_repeats_what_was_asked(engine: Engine, project: Path, capfdbinary: Captured) -> None:
    engine.answer = plan(project, SAFE, REVIEW)
    run("diff", "--select", "session-scope", "--cross-paths", "app")
    same = "--select session-scope --cross-paths app"
    assert (
        f"Next: session-codemods apply {same}   or, with the review ones,"
        f" session-codemods apply --level review {same}\n" in capfdbinary.readouterr().err.decode()
    )


def test_the_next_command_is_safe_to_paste(engine: Engine, project: Path, capfdbinary: Captured) -> None:
    (project / "-odd $(name)").mkdir()
    run("diff", "--", "-odd $(name)")
    told = capfdbinary.readouterr().err.decode()
    assert told.endswith("Next: session-codemods apply -- '-odd $(name)'\n")


def test_quiet_leaves_only_the_patch_and_what_could_not_be_handled(
    engine: Engine, project: Path, capfdbinary: Captured
) -> None:
    failures = (Failure("app/bad.py", "parse", "invalid\nsyntax", 3),)
    engine.answer = plan(project, SAFE, entries=(REFUSED,), failures=failures)
    run("diff", "-q")
    assert capfdbinary.readouterr().err == b"Not handled (1)\n  app/bad.py:3  parse  invalid\\nsyntax\n"


def test_output_goes_to_a_file_when_asked(engine: Engine, project: Path, capfdbinary: Captured) -> None:
    run("diff", "-o", "fix.patch", "--color", "always")
    assert capfdbinary.readouterr().out == b""
    git(project, "apply", "--check", "fix.patch")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["check", "-o", "app/jobs.py"], "app/jobs.py is Python code"),
        (["diff", "-o", "link"], "link is Python code"),
        (["diff", "-o", "plan.json"], "plan.json is a saved plan"),
        (["diff", "--save", "new.json", "-o", "./new.json"], "new.json is named twice"),
        (["diff", "--save", "../project/new.json", "-o", "new.json"], "new.json is named twice"),
        (["check", "--baseline", "b.json", "-o", "b.json"], "b.json is named twice"),
        (["check", "--config", "pyproject.toml", "-o", "pyproject.toml"], "pyproject.toml is named twice"),
        (["apply", "--plan", "plan.json", "-o", "plan.json"], "plan.json is"),
        (["report", "plan.json", "-o", "plan.json"], "plan.json is named twice"),
        (["report", "plan.json", "-o", "same.json"], "same.json is named twice"),
        (["report", "plan.json", "-o", "app/jobs.py"], "app/jobs.py is Python code"),
        (["report", "plan.json", "-o", "gone/page.html"], "gone/page.html: cannot be written"),
    ],
)
def test_output_takes_the_place_of_nothing_of_worth(
    engine: Engine, project: Path, capfdbinary: Captured, arguments: list[str], says: str
) -> None:
    (project / "app/jobs.py").write_text("import os\n")
    (project / "link").symlink_to("app/jobs.py")
    plan_file.save(by_hand(by_hand_finding("app/users.py", 2)), project / "plan.json")
    os.link(project / "plan.json", project / "same.json")
    (project / "b.json").write_text('{"findings": []}')
    before = everything(project)
    assert run(*arguments) == 2
    assert says in capfdbinary.readouterr().err.decode()
    assert everything(project) == before


def test_output_may_take_the_place_of_an_earlier_one(engine: Engine, project: Path, capfdbinary: Captured) -> None:
    for name, *command in (["a.json", "check", "--output-format", "json"], ["a.patch", "diff"]):
        assert run(*command, "-o", name) == 1
        before = (project / name).read_bytes()
        assert run(*command, "-o", name) == 1
        assert (project / name).read_bytes() == before


def test_statistics_add_up(engine: Engine, project: Path, capfdbinary: Captured) -> None:
    engine.answer = plan(project, SAFE, REVIEW, entries=(REFUSED,))
    run("check", "--statistics", "-q", "--level", "safe")
    table = [line.split() for line in capfdbinary.readouterr().err.decode().splitlines()[1:]]
    assert table == [["session-scope", "1", "0", "1", "1", "0", "3"], ["total", "1", "0", "1", "1", "0", "3"]]


def test_the_command_line_is_laid_over_the_settings(engine: Engine, project: Path) -> None:
    (project / "pyproject.toml").write_text(
        '[tool.session-codemods]\nselect = ["eager-load"]\nignore = ["session-scope"]\nexclude = ["a/"]\ntidy = true\n'
    )
    from codemods.settings import Settings

    run("check", "--select", "session-scope", "--extend-exclude", "b/", "--no-respect-gitignore", "app")
    assert engine.asked.paths == (Path("app"),)
    assert engine.asked.root == project
    assert isinstance(engine.asked.settings, Settings)
    expected = Settings(
        select=("session-scope",), exclude=("a/",), extend_exclude=("b/",), respect_gitignore=False, tidy=True
    )
    assert engine.asked.settings == expected
    run("check", "--isolated")
    assert engine.asked.settings == Settings()


def test_each_command_has_its_own_default_level(engine: Engine) -> None:
    levels = []
    for command in ("check", "diff", "apply"):
        run(command)
        levels.append(engine.asked.level)
    assert levels == [Level.REVIEW, Level.REVIEW, Level.SAFE]


# --- JSON -------------------------------------------------------------------------------------------------------------


def test_json_is_one_object_whose_counts_add_up(engine: Engine, project: Path, capfdbinary: Captured) -> None:
    failures = (Failure("app/bad.py", "parse", "invalid syntax", 3),)
    engine.answer = plan(project, SAFE, REVIEW, entries=(REFUSED, entry(End.RIGHT, "ok")), failures=failures)
    run("diff", "--output-format", "json", "--level", "safe")
    content = json.loads(capfdbinary.readouterr().out)
    assert content["version"] == 1
    assert [(f["rule"], f["level"], f["path"], f["line"], f["column"], f["group"]) for f in content["findings"]] == [
        ("session-scope", "manual", "app/jobs.py", 9, 1, None),
        ("session-scope", "safe", "app/users.py", 2, 5, SAFE.id),
    ]
    assert [(group["id"], group["included"]) for group in content["groups"]] == [(SAFE.id, True), (REVIEW.id, False)]
    assert sum(content["ledger"]["counts"].values()) == content["ledger"]["sites"] == len(content["ledger"]["entries"])
    assert content["failures"] == [{"path": "app/bad.py", "stage": "parse", "message": "invalid syntax", "line": 3}]
    assert content["changes"] == [{"path": "app/users.py", "groups": [SAFE.id]}]


def test_json_survives_a_name_that_is_not_utf8(project: Path) -> None:
    name = os.fsdecode(b"caf\xe9.py")
    text = report(plan(project, entries=(entry(End.REFUSED, name, path=name),)), "1", lambda path: path)
    assert json.loads(text.encode("utf-8"))["findings"][0]["path"] == "caf\\xe9.py"


# --- strangers' text, terminals, runners ------------------------------------------------------------------------------

EVIL = "a\x1b[31m\u202eb\nc\r::error::x\x9b.py"


def test_names_and_reasons_cannot_move_the_cursor_or_forge_a_line(project: Path) -> None:
    found = plan(project, SAFE, entries=(entry(End.REFUSED, EVIL, path=EVIL),), failures=(Failure(EVIL, "read", EVIL),))
    seen = Viewpoint(str(project), str(project))
    for text in (
        terminal.findings(found, seen),
        terminal.left_alone(found, seen),
        terminal.not_handled(found.failures, seen),
    ):
        assert all(char.isprintable() or char == "\n" for char in text)
        assert "\\x1b[31m\\u202eb\\nc\\r::error::x\\x9b.py" in text


def test_a_patch_on_a_terminal_is_coloured_by_what_its_lines_are_and_escaped() -> None:
    data = b"# why\ndiff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1,2 +1,2 @@\n--- sql\x1b[2J\n+++ sql\n same\r\n"
    lines = terminal.patch_for_eyes(data, colour=True).splitlines()
    assert lines == [
        "\x1b[36m# why\x1b[0m",
        "\x1b[1mdiff --git a/x b/x\x1b[0m",
        "\x1b[1m--- a/x\x1b[0m",
        "\x1b[1m+++ b/x\x1b[0m",
        "\x1b[36m@@ -1,2 +1,2 @@\x1b[0m",
        "\x1b[31m--- sql\\x1b[2J\x1b[0m",
        "\x1b[32m+++ sql\x1b[0m",
        " same",
    ]
    assert "\x1b" not in terminal.patch_for_eyes(data, colour=False)


@pytest.mark.parametrize(
    ("choice", "is_terminal", "environment", "expected"),
    [
        ("auto", True, {}, True),
        ("auto", False, {}, False),
        ("auto", True, {"NO_COLOR": "1"}, False),
        ("auto", True, {"NO_COLOR": ""}, True),
        ("auto", False, {"FORCE_COLOR": "1"}, True),
        ("auto", True, {"TERM": "dumb"}, False),
        ("always", False, {"NO_COLOR": "1"}, True),
        ("never", True, {"FORCE_COLOR": "1"}, False),
    ],
)
def test_colour_is_for_terminals_unless_told_otherwise(
    choice: str, is_terminal: bool, environment: dict[str, str], expected: bool
) -> None:
    assert terminal.colour_wanted(choice, is_terminal, environment) is expected


def test_a_piped_patch_stays_plain_although_the_job_forces_colour(
    engine: Engine, project: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: Captured
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    run("diff")
    git(project, "apply", "--check", data=capfdbinary.readouterr().out)
    run("diff", "--color", "always")
    assert b"\x1b[32m+" in capfdbinary.readouterr().out


def test_on_github_a_diff_is_fenced_and_still_applies(
    engine: Engine, project: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: Captured
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    fences = []
    for _ in range(2):
        run("diff")
        out = capfdbinary.readouterr().out
        git(project, "apply", "--check", data=out)
        fence = re.fullmatch(rb"::stop-commands::(\w{32})\n(.*)::\1::\n", out, re.DOTALL)
        assert fence is not None
        fences.append(fence[1])
    assert fences[0] != fences[1]


def test_on_github_a_name_cannot_give_orders(
    engine: Engine, project: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: Captured
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    engine.answer = plan(project, entries=(entry(End.REFUSED, "x", path="::error::x/y.py"),))
    run("check")
    assert capfdbinary.readouterr().out.startswith(b"::stop-commands::")


@pytest.mark.parametrize(
    ("is_terminal", "quiet", "environment", "expected"),
    [(True, False, {}, True), (False, False, {}, False), (True, True, {}, False), (True, False, {"CI": "1"}, False)],
)
def test_progress_is_for_somebody_who_watches(
    is_terminal: bool, quiet: bool, environment: dict[str, str], expected: bool
) -> None:
    assert progress.wanted(is_terminal, quiet, environment) is expected


def test_progress_takes_stages_in_any_order(capfdbinary: Captured) -> None:
    with progress.bar() as report_progress:
        report_progress("scan", 0, 3)
        report_progress("examine", 1, 1)
        report_progress("scan", 3, 3)
    assert capfdbinary.readouterr().out == b""


# --- rules ------------------------------------------------------------------------------------------------------------


def test_rules_and_their_pages(engine: Engine, capfdbinary: Captured) -> None:
    assert run("rules") == run("rules", "--markdown") == run("explain", "session-scope") == 0
    out = capfdbinary.readouterr().out.decode()
    assert "session-scope  safe, review  opens sessions in a block\n" in out
    assert "| `session-scope` | safe, review | opens sessions in a block |\n" in out
    assert out.endswith("Opens sessions in a block.\n\nWhat it changes: x\n")


# --- writing ----------------------------------------------------------------------------------------------------------


def test_apply_writes_what_diff_showed_and_says_what_is_left(
    engine: Engine, project: Path, capfdbinary: Captured
) -> None:
    engine.answer = plan(project, SAFE, REVIEW, entries=(REFUSED,))
    assert run("apply") == 0
    out, err = capfdbinary.readouterr()
    assert out == b"app/users.py\n"
    assert (project / "app/users.py").read_bytes() == AFTER
    assert b"Wrote 1 file: 1 group (1 edit in 1 file): 1 safe\n" in err
    assert b"Not written, because they are above --level safe: 1 group (1 edit in 1 file): 1 review\n" in err
    assert b"Left for a person: 1 place" in err


def test_apply_refuses_a_dirty_file_and_says_how_to_go_on(engine: Engine, project: Path, capfdbinary: Captured) -> None:
    (project / "app/users.py").write_bytes(BEFORE + b"# mine\n")
    assert run("apply") == 2
    assert b"app/users.py: not saved in git as they are now" in (told := capfdbinary.readouterr().err)
    assert b"--allow-dirty" in told
    assert (project / "app/users.py").read_bytes() == BEFORE + b"# mine\n"
    engine.read = BEFORE
    assert run("apply", "--allow-dirty") == 2, "the file is also stale"
    assert b"changed while it was looked at" in capfdbinary.readouterr().err
    assert (project / "app/users.py").read_bytes() == BEFORE + b"# mine\n"


def test_apply_outside_git_wants_to_be_told(
    engine: Engine, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: Captured
) -> None:
    outside = tmp_path / "outside"
    (outside / "app").mkdir(parents=True)
    (outside / "app/users.py").write_bytes(BEFORE)
    monkeypatch.chdir(outside)
    engine.answer = plan(outside, SAFE)
    assert run("apply") == 2
    assert b"--allow-no-vcs" in capfdbinary.readouterr().err
    assert run("apply", "--allow-no-vcs") == 0
    assert (outside / "app/users.py").read_bytes() == AFTER


@pytest.mark.parametrize("command", [["check"], ["diff"], ["check", "--output-format", "json"], ["diff", "app"]])
def test_a_dry_run_writes_nothing(engine: Engine, project: Path, command: list[str]) -> None:
    os.utime(project / "app/users.py", (1, 1))  # git would like to note the new time in its index
    before = everything(project)
    run(*command)
    assert everything(project) == before


def everything(root: Path) -> dict[str, tuple[int, bytes]]:
    return {
        path.relative_to(root).as_posix(): (path.stat().st_mtime_ns, path.read_bytes() if path.is_file() else b"")
        for path in sorted([root, *root.rglob("*")])
    }


# --- the real program -------------------------------------------------------------------------------------------------


def program(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([sys.executable, "-m", "codemods", *arguments], cwd=cwd, capture_output=True)


@pytest.mark.parametrize("option", ["--version", "--help"])
def test_version_and_help_load_nothing_heavy(tmp_path: Path, option: str) -> None:
    script = (
        "import sys\nfrom codemods.__main__ import main\n"
        f"assert main([{option!r}]) == 0\n"
        "print([name for name in ('libcst', 'rich', 'pathspec', 'codemods.engine') if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, check=True)
    assert done.stdout.splitlines()[-1] == b"[]"


def test_ctrl_c_while_the_program_is_still_loading_is_told_like_any_other(tmp_path: Path) -> None:
    script = (
        "import sys\n"
        "class Interrupting:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'typer':\n"
        "            raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Interrupting())\n"
        "from codemods.__main__ import main\n"
        "sys.exit(main(['check']))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True)
    assert (done.returncode, done.stderr) == (130, b"session-codemods: interrupted; no file is half written\n")


def test_no_command_at_all_shows_the_help_as_an_error(tmp_path: Path) -> None:
    done = program(cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"check" in done.stderr
    assert b"apply" in done.stderr


def test_the_level_of_a_plan_is_told_by_words(project: Path) -> None:
    assert terminal.groups_line((replace(SAFE, id="a"), REVIEW, REVIEW)) == (
        "3 groups (3 edits in 1 file): 1 safe, 2 review"
    )


def test_a_reader_that_goes_away_is_no_error() -> None:
    script = (
        "import sys\n"
        "from codemods import __main__\n"
        "from codemods.cli import program, streams\n"
        "program.app.command('flood')(lambda: [streams.put('x' * 100000) for _ in range(100)] and 0)\n"
        "sys.exit(__main__.main(['flood']))\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as flood:
        assert flood.stdout is not None
        assert flood.stderr is not None
        flood.stdout.read(1)
        flood.stdout.close()
        assert flood.stderr.read() == b""


def test_verbose_also_names_what_is_held_back(engine: Engine, project: Path, capfdbinary: Captured) -> None:
    engine.answer = plan(project, SAFE, REVIEW)
    for command in ("check", "diff"):
        run(command, "--level", "safe", "-v")
        assert (
            b"Held back (1)\n  app/users.py:7  session-scope  session is never closed\n" in capfdbinary.readouterr().err
        )


# --- with the real engine ---------------------------------------------------------------------------------------------

needs_engine = pytest.mark.skipif(importlib.util.find_spec("codemods.engine") is None, reason="no engine yet")

DATABASE = """\
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

engine = create_async_engine("sqlite+aiosqlite://")
async_session = async_sessionmaker(engine, expire_on_commit=False)
"""
LEAK = """\
from sqlalchemy import text

from app.db import async_session


async def ping() -> int:
    session = async_session()  # the pool's smallest question
    result = await session.execute(text("select 1"))
    return int(result.scalar_one())
"""
CURED = """\
from sqlalchemy import text

from app.db import async_session


async def ping() -> int:
    async with async_session() as session:  # the pool's smallest question
        result = await session.execute(text("select 1"))
        return int(result.scalar_one())
"""


@pytest.fixture
def leaking(project: Path) -> Path:
    for name, content in (("__init__.py", ""), ("db.py", DATABASE), ("ping.py", LEAK), ("users.py", "")):
        (project / "app" / name).write_bytes(content.encode())
    git(project, "add", "-A")
    git(project, "commit", "-qm", "a leak")
    return project


@needs_engine
def test_the_program_finds_shows_and_cures_a_leak(leaking: Path) -> None:
    before = everything(leaking)
    checked = program("check", "app", cwd=leaking)
    assert checked.returncode == 1, checked.stderr.decode()
    assert checked.stdout.startswith(b"app/ping.py:7:")
    shown = program("diff", "app", cwd=leaking)
    assert shown.returncode == 1, shown.stderr.decode()
    assert everything(leaking) == before
    git(leaking, "apply", "--check", data=shown.stdout)

    applied = program("apply", "--level", "review", "app", cwd=leaking)
    assert (applied.returncode, applied.stdout) == (0, b"app/ping.py\n"), applied.stderr.decode()
    assert (leaking / "app/ping.py").read_text() == CURED
    git(leaking, "apply", "-R", "--check", data=shown.stdout)
    again = program("diff", "app", cwd=leaking)
    assert (again.returncode, again.stdout) == (0, b""), again.stderr.decode()


@needs_engine
def test_the_program_shows_the_checklist(leaking: Path) -> None:
    done = program("check", "--checklist", "-q", cwd=leaking)
    assert done.returncode == 1
    assert done.stdout.startswith(b"Checklist: ")
    done = program("check", "--checklist", "-q", "--select", "eager-load", cwd=leaking)
    assert done.returncode == 0
    assert b"its rules are not run: session-scope" in done.stdout


@needs_engine
def test_the_program_names_a_file_that_does_not_parse_and_handles_the_others(leaking: Path) -> None:
    (leaking / "app/broken.py").write_bytes(b"from app.db import async_session\nasync def f(:\n")
    checked = program("check", "--output-format", "json", cwd=leaking)
    assert checked.returncode == 3, checked.stderr.decode()
    content = json.loads(checked.stdout)
    assert [failure["path"] for failure in content["failures"]] == ["app/broken.py"]
    assert [finding["path"] for finding in content["findings"]] == ["app/ping.py"]


@needs_engine
@pytest.mark.parametrize(
    ("place", "says"),
    [
        ("app/ping.py:0", "app/ping.py has 9 lines; there is no line 0"),
        ("app/ping.py:10", "app/ping.py has 9 lines; there is no line 10"),
        ("app/cut.py:2", "app/cut.py has 1 line; there is no line 2"),
        ("app/users.py:1", "app/users.py has 0 lines; there is no line 1"),
        ("app/out.py:7", "app/out.py is a link that leads out of "),
        ("app/round.py:7", "app/round.py: "),
        ("app/gone.py:7", "app/gone.py: no such file"),
    ],
)
def test_there_is_nothing_to_explain_where_nothing_is(
    leaking: Path, tmp_path: Path, capfdbinary: Captured, place: str, says: str
) -> None:
    (tmp_path / "elsewhere.py").write_text(LEAK)
    (leaking / "app/out.py").symlink_to(tmp_path / "elsewhere.py")
    (leaking / "app/round.py").symlink_to("round.py")
    (leaking / "app/cut.py").write_text("x = 1")
    assert run("explain", place) == 2
    done = capfdbinary.readouterr()
    assert done.out == b""
    assert says in done.err.decode()


@needs_engine
def test_what_is_there_is_explained(leaking: Path, capfdbinary: Captured) -> None:
    (leaking / "app/inside.py").symlink_to("ping.py")
    (leaking / "app/cut.py").write_text("# session-codemods: ignore[session-scope] x")
    for place, says in (
        ("app/ping.py:7", b"app/ping.py:7:15  session-scope  to be changed"),
        ("app/ping.py:9", b"nothing to look at here: session-scope"),
        ("app/inside.py:7", b"app/ping.py:7:15  session-scope  to be changed"),
        ("app/cut.py:1", b"app/cut.py:1:1  unused-suppression  left alone"),
    ):
        assert run("explain", place) == 0
        assert says in capfdbinary.readouterr().out


@needs_engine
def test_the_program_wants_a_python_file(tmp_path: Path) -> None:
    done = program("check", ".", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith(b"session-codemods: ")
