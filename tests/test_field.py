"""The field trial: its short form over published packages, and that it would notice what it looks for."""

from __future__ import annotations

import dataclasses
import hashlib
import stat
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from field import fetch, run
from field.fetch import Package

CORPUS = fetch.load()
SHORT = [package for package in CORPUS if package.short]

LEAKING = """\
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy import text

new_session = async_sessionmaker(create_async_engine("sqlite+aiosqlite://"), expire_on_commit=False)


async def count() -> int:
    session = new_session()
    result = await session.execute(text("select 1"))
    return int(result.scalar_one())
"""


def wheel_of(folder: Path, files: Mapping[str, str | bytes]) -> Path:
    wheel = folder / "made-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return wheel


def package(uses_sessions: bool = True) -> Package:
    return Package("made", "1.0", uses_sessions, "0" * 64)


def stand_in(folder: Path, body: str) -> tuple[str, ...]:
    """A tool that is not ours: `command` and `level` are what it was called with, the report has what `body` adds."""
    script = folder / "stand_in.py"
    lines = [
        "import json, pathlib, sys",
        "command, level = sys.argv[1], sys.argv[3]",
        "module = pathlib.Path('made/db.py')",
        "report = {'findings': [], 'changes': [], 'failures': [], 'ledger': {'sites': 0, 'counts': {}, 'entries': []}}",
        "code = 0",
        body,
        "if command == 'apply': print(json.dumps(report))",
        "sys.exit(code)",
    ]
    script.write_text("\n".join(lines), encoding="utf-8")
    return (sys.executable, str(script))


@pytest.mark.parametrize("short", SHORT, ids=lambda short: short.name)
def test_promises_hold_on_a_published_package(short: Package, tmp_path: Path) -> None:
    try:
        wheel = fetch.fetch(short)
    except fetch.Unreachable as error:
        pytest.skip(str(error))
    outcome = run.examine(short, wheel, tmp_path / "trial", run.installed_tool())
    assert outcome.problems == ()
    assert outcome.reports.keys() == set(run.LEVELS)
    assert outcome.files > 0


def test_short_form_has_packages_with_and_without_sessions() -> None:
    assert {package.uses_sessions for package in SHORT} == {True, False}
    assert len(SHORT) < len(CORPUS)


def test_leaking_package_is_changed_and_keeps_every_promise(tmp_path: Path) -> None:
    wheel = wheel_of(tmp_path, {"made/__init__.py": "", "made/db.py": LEAKING, "made/logo.bin": b"\x00\xff"})
    outcome = run.examine(package(), wheel, tmp_path / "trial", run.installed_tool())
    assert outcome.problems == ()
    assert (outcome.files, outcome.lines) == (2, LEAKING.count("\n"))
    assert (outcome.count("changed"), outcome.places) == (1, 3)
    assert b"async with new_session() as session:" in (tmp_path / "trial" / "review.patch").read_bytes()
    assert "async with" in (tmp_path / "trial" / "review-applied" / "made" / "db.py").read_text(encoding="utf-8")


def test_finding_in_a_package_without_sessions_is_a_problem(tmp_path: Path) -> None:
    wheel = wheel_of(tmp_path, {"made/__init__.py": "", "made/db.py": LEAKING})
    outcome = run.examine(package(uses_sessions=False), wheel, tmp_path / "trial", run.installed_tool())
    assert "review: made/db.py:8: a finding where there are no sessions" in outcome.problems
    assert "review: changes a package without sessions" in outcome.problems


def test_file_that_does_not_parse_is_told_and_no_problem(tmp_path: Path) -> None:
    unreadable = "from sqlalchemy.orm import Session\n\ndef broken(:\n    session = Session()\n"
    wheel = wheel_of(tmp_path, {"made/__init__.py": "", "made/db.py": LEAKING, "made/template.py": unreadable})
    outcome = run.examine(package(), wheel, tmp_path / "trial", run.installed_tool())
    assert outcome.problems == ()
    assert outcome.failures == 1
    assert outcome.count("changed") == 1


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        pytest.param("if command == 'diff': module.write_text('')", "diff wrote into the tree", id="diff-that-writes"),
        pytest.param(
            "if command == 'apply': module.write_text('')",
            "made/db.py: apply wrote other bytes than its patch",
            id="apply-that-is-not-the-diff",
        ),
        pytest.param(
            "if command == 'apply': module.write_text('def')",
            "made/db.py: does not compile after the change",
            id="change-that-does-not-compile",
        ),
        pytest.param(
            "if command == 'apply': module.write_text('')",
            "made/db.py: changed but not in the report, or the other way round",
            id="change-that-is-not-reported",
        ),
        pytest.param(
            "if command == 'diff': print('--- a/no\\n+++ b/no\\n@@ -1 +1 @@\\n-a\\n+b'); code = 1",
            "git apply does not take the patch",
            id="patch-that-does-not-apply",
        ),
        pytest.param(
            "module.write_text('') if command == 'apply' else print('more')",
            "a second run offers more",
            id="second-run-that-is-not-quiet",
        ),
        pytest.param("code = 1 * (command == 'diff')", "diff ended with exit code 1", id="diff-that-cries-wolf"),
        pytest.param("code = 3 * (command == 'apply')", "apply ended with exit code 3", id="apply-that-cries-wolf"),
        pytest.param("if command == 'apply': sys.exit(2)", "apply gave no report, exit code 2", id="apply-that-stops"),
        pytest.param(
            "sys.stderr.write('Traceback (most recent call last):\\n')", "diff shows a traceback", id="traceback"
        ),
        pytest.param(
            "report['ledger']['sites'] = 1", "the counts of the ledger are not those of its entries", id="lost-place"
        ),
        pytest.param(
            "report['failures'] = [{'path': 'made/db.py', 'stage': 'parse', 'message': 'no'}]; code = 3",
            "made/db.py: failed in parse: no",
            id="file-that-parses-called-broken",
        ),
        pytest.param(
            "report['failures'] = [{'path': 'made/db.py', 'stage': 'compose', 'message': 'no'}]; code = 3",
            "made/db.py: failed in compose: no",
            id="tool-that-fails-half-way",
        ),
    ],
)
def test_broken_promise_is_noticed(tmp_path: Path, body: str, problem: str) -> None:
    wheel = wheel_of(tmp_path, {"made/__init__.py": "", "made/db.py": LEAKING})
    outcome = run.examine(package(), wheel, tmp_path / "trial", stand_in(tmp_path, body))
    assert any(problem in found for found in outcome.problems), outcome.problems


def test_tool_that_keeps_quiet_has_no_problem(tmp_path: Path) -> None:
    wheel = wheel_of(tmp_path, {"made/__init__.py": "", "made/db.py": LEAKING})
    assert run.examine(package(), wheel, tmp_path / "trial", stand_in(tmp_path, "")).problems == ()


def test_levels_that_contradict_each_other_are_noticed(tmp_path: Path) -> None:
    body = """\
entry = {"end": "changed" if level == "safe" else "refused", "path": "made/db.py", "line": 8, "column": 15, "text": ""}
report["ledger"] = {"sites": 1, "counts": {entry["end"]: 1}, "entries": [entry]}"""
    wheel = wheel_of(tmp_path, {"made/__init__.py": "", "made/db.py": LEAKING})
    outcome = run.examine(package(), wheel, tmp_path / "trial", stand_in(tmp_path, body))
    assert outcome.problems == ("made/db.py:8: changed at safe and not at review",)


def test_module_of_a_package_is_not_taken_for_one_of_the_tool(tmp_path: Path) -> None:
    trap = "raise SystemExit('the code that was to be read has been run')\n"
    modules = ("rich/__init__.py", "libcst/__init__.py", "codemods/__init__.py", "sitecustomize.py", "json.py")
    wheel = wheel_of(tmp_path, {"made/db.py": LEAKING, **dict.fromkeys(modules, trap)})
    outcome = run.examine(package(), wheel, tmp_path / "trial", run.installed_tool())
    assert outcome.problems == ()
    assert outcome.count("changed") == 1


def test_summary_says_what_failed_and_why_places_were_left_alone(tmp_path: Path) -> None:
    entries = [
        {"rule": "r", "end": "refused", "path": "a.py", "line": 3, "text": "`db` is kept (line 4)"},
        {"rule": "r", "end": "refused", "path": "b.py", "line": 5, "text": "`session` is kept (lines 6, 7 and 9)"},
        {"rule": "r", "end": "refused", "path": "b.py", "line": 8, "text": "`session` is kept (line 9)"},
        {"rule": "r", "end": "already right", "path": "b.py", "line": 9, "text": "opened by a block"},
    ]
    ledger = {"sites": 4, "counts": {"changed": 0, "already right": 1, "refused": 3}, "entries": entries}
    report = {"ledger": ledger, "failures": []}
    outcome = run.Outcome(package(), 2, 20, {"safe": report, "review": report}, ("review: no",), 1.0)
    text = run.summary([outcome])
    assert "made==1.0" in text
    assert "1 FAILED" in text
    assert "     2  r: `...` is kept (line N)  [made a.py:3]" in text
    assert "     1  r: `...` is kept (lines N)  [made b.py:5]" in text
    assert "     1  r: opened by a block  [made b.py:9]" in text
    assert text.endswith("FAILED  made==1.0  review: no\n")


@pytest.mark.parametrize(("made", "code"), [("quiet", 0), ("leaking", 1), ("unreachable", 3)])
def test_exit_code_says_how_the_trial_ended(
    made: str, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fetched(wanted: Package) -> Path:
        if made == "unreachable":
            raise fetch.Unreachable(f"{wanted.pin}: no line")
        return wheel_of(tmp_path, {"made/db.py": LEAKING if made == "leaking" else "x = 1\n"})

    monkeypatch.setattr(run, "load", lambda: (package(uses_sessions=False),))
    monkeypatch.setattr(run, "fetch", fetched)
    assert run.main(["--only", "made"]) == code
    said = capsys.readouterr()
    assert ("NOT TRIED  made==1.0: no line" in said.out) == (made == "unreachable")
    assert "[1/1] made==1.0" in said.err
    same = "1 packages: identical with and without accelerations (all also from memory)"
    assert (same in said.out.splitlines()) == (made != "unreachable")


def test_difference_between_the_ways_is_a_problem_of_its_package(tmp_path: Path) -> None:
    wheel = wheel_of(tmp_path, {"made/__init__.py": "", "made/db.py": LEAKING})
    plain = (sys.executable, "-c", "import pathlib, sys; f = pathlib.Path(sys.argv[2]); (f / 'report.json').touch(); "
             "(f / 'fix.patch').touch(); sys.exit(1)")  # fmt: skip
    outcome = run.examine(package(), wheel, tmp_path / "trial", run.installed_tool(), plain)
    assert len(outcome.problems) == 2
    assert all(problem.startswith("both ways: ") for problem in outcome.problems)
    told = run.summary([outcome])
    assert "0 packages: identical with and without accelerations" in told
    assert "1 packages: NOT identical with and without accelerations" in told


def test_unknown_package_is_a_wrong_call(capsys: pytest.CaptureFixture[str]) -> None:
    assert run.main(["--only", "no-such"]) == 2
    assert "not in the corpus: no-such" in capsys.readouterr().err


def member(name: str, mode: int = stat.S_IFREG | 0o644) -> zipfile.ZipInfo:
    made = zipfile.ZipInfo("x")
    made.filename = name
    made.external_attr = mode << 16
    return made


@pytest.mark.parametrize(
    "harmful",
    [
        pytest.param(member("../out.py"), id="parent"),
        pytest.param(member("a/../../out.py"), id="parent-inside"),
        pytest.param(member("/tmp/out.py"), id="absolute"),
        pytest.param(member("C:/out.py"), id="drive"),
        pytest.param(member("a\\..\\out.py"), id="backslash"),
        pytest.param(member("link", stat.S_IFLNK | 0o777), id="symbolic-link"),
        pytest.param(member("pipe", stat.S_IFIFO | 0o644), id="pipe"),
        pytest.param(member(".git/config"), id="settings-of-git"),
        pytest.param(member("a/.GIT/hooks/pre-commit"), id="hook-of-git"),
    ],
)
def test_harmful_member_is_not_unpacked(tmp_path: Path, harmful: zipfile.ZipInfo) -> None:
    wheel = tmp_path / "made.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(harmful, "out.py")
    with pytest.raises(fetch.UnsafeArchive):
        fetch.unpack(wheel, tmp_path / "here" / "unpacked")
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and path != wheel]


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_file_that_comes_twice_is_not_overwritten(tmp_path: Path) -> None:
    wheel = tmp_path / "made.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("a.py", "first")
        archive.writestr("a.py", "second")
    with pytest.raises(fetch.UnsafeArchive, match="comes twice"):
        fetch.unpack(wheel, tmp_path / "unpacked")
    assert (tmp_path / "unpacked" / "a.py").read_text(encoding="utf-8") == "first"


def test_archive_that_swells_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheel = wheel_of(tmp_path, {"a.py": b"#" * 600, "b.py": b"#" * 600})
    monkeypatch.setattr(fetch, "MOST_BYTES", 1000)
    with pytest.raises(fetch.UnsafeArchive, match="1,000 bytes"):
        fetch.unpack(wheel, tmp_path / "unpacked")
    monkeypatch.setattr(fetch, "MOST_BYTES", 1200)
    fetch.unpack(wheel, tmp_path / "unpacked-whole")
    assert run.digests(tmp_path / "unpacked-whole").keys() == {"a.py", "b.py"}


def test_large_file_is_unpacked_only_when_it_is_python(tmp_path: Path) -> None:
    large = "#" * (fetch.LARGE + 1)
    wheel = wheel_of(tmp_path, {"large.py": large, "large.js": large, "small.js": "#"})
    fetch.unpack(wheel, tmp_path / "unpacked")
    assert run.digests(tmp_path / "unpacked").keys() == {"large.py", "small.js"}


def test_file_that_is_no_archive_is_an_error_of_its_package(tmp_path: Path) -> None:
    wheel = tmp_path / "made.whl"
    wheel.write_bytes(b"not a zip")
    with pytest.raises(fetch.FetchError, match=r"made\.whl"):
        fetch.unpack(wheel, tmp_path / "unpacked")


def test_kept_wheel_is_used_only_with_the_pinned_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = tmp_path / "made-1.0.whl"
    kept.write_bytes(b"the pinned bytes")
    pinned = dataclasses.replace(package(), sha256=hashlib.sha256(b"the pinned bytes").hexdigest())
    # a stand-in for pip that brings a file with other bytes than asked for
    brings = "import pathlib, sys; pathlib.Path(sys.argv[sys.argv.index('--dest') + 1], 'a.whl').write_bytes(b'other')"
    monkeypatch.setattr(fetch, "_pip", lambda: (sys.executable, "-c", brings))
    assert fetch.fetch(pinned, tmp_path) == kept
    kept.write_bytes(b"spoiled")
    with pytest.raises(fetch.FetchError, match="not the pinned file"):
        fetch.fetch(pinned, tmp_path)


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError'\nERROR: No", True),
        ("ERROR: Could not find a version that satisfies the requirement made==1.0 (from versions: 0.9)", False),
        ("ERROR: Could not find a version that satisfies the requirement made==1.0 (from versions: none)", False),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.", False),
        ("WARNING: Retrying after connection broken by 'x'\nERROR: THESE PACKAGES DO NOT MATCH THE HASHES", False),
        ("WARNING: Retrying after connection broken by 'x'\nERROR: No made==1.0 (from versions: 0.9)", False),
    ],
    ids=["no-line", "no-such-version", "no-such-name", "other-bytes", "bad-line-other-bytes", "bad-line-no-version"],
)
def test_only_a_dead_line_counts_as_unreachable(said: str, kind: bool) -> None:
    assert isinstance(fetch.failure(package(), said), fetch.Unreachable) is kind


@pytest.mark.parametrize(
    "corpus",
    [
        "packages = []",
        "[[package]]\nname = 'a'",
        "[[package]]\nname = 'a'\nversion = '>1'\nuses_sessions = true\nsha256 = '{sha}'",
        "[[package]]\nname = '--index-url'\nversion = '1 x'\nuses_sessions = true\nsha256 = '{sha}'",
        "[[package]]\nname = 'a'\nversion = '1'\nuses_sessions = true\nsha256 = '12'",
    ],
    ids=["no-packages", "nothing-pinned", "range", "option", "short-hash"],
)
def test_corpus_that_does_not_pin_is_refused(tmp_path: Path, corpus: str) -> None:
    file = tmp_path / "corpus.toml"
    file.write_text(corpus.replace("{sha}", "0" * 64), encoding="utf-8")
    with pytest.raises(fetch.FetchError, match=r"corpus\.toml"):
        fetch.load(file)


def test_every_package_of_the_corpus_is_there_once() -> None:
    names = [package.name for package in CORPUS]
    assert len(names) == len(set(names))
