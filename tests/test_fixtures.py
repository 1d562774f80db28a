"""Every case in fixtures/<rule>/ comes out as its `after` and its `expect.toml` say.

Works on copies in temporary folders. Writes into fixtures/ only with `--update`, and then fails, so that a person
reads the git diff.

A case is a folder named after a situation. It holds `before.py` and `after.py`, or `before/` and `after/` with all
Python files of a small project; no `after` means that nothing may change. `expect.toml`:

    level = "review"       # of the run; default review
    right = 1              # sites that the ledger counts as already right; default 0
    alone = true           # false: all rules together may give another result than this rule alone
    [settings]             # keys of [tool.session-codemods]
    [[changed]]            # a finding that is made; likewise [[held_back]] and [[suppressed]]
    path = "before.py"     # default before.py
    line = 8
    level = "safe"
    message = "never closed"     # part of the finding's message
    reason = ""                  # part of its reason; empty or left out: the finding has none
    [[refused]]
    line = 12
    reason = "part of the ledger's text, which names the fact"
"""

from __future__ import annotations

import functools
import io
import json
import re
import tempfile
import tokenize
import tomllib
import zlib
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from codemods.decoding import decode
from codemods.engine import RunRequest, run
from codemods.plan import End, Entry, Finding, Level, Plan
from codemods.rules import RULES
from codemods.settings import load
from codemods.syntax import comment_tokens, compile_error

FIXTURES = Path(__file__).parents[1] / "fixtures"
RULE_NAMES = frozenset(rule.name for rule in RULES)
SINGLE = "before.py"
ENDS = {
    "changed": End.CHANGED,
    "held_back": End.HELD_BACK,
    "suppressed": End.SUPPRESSED,
    "refused": End.REFUSED,
}
KEYS_OF_ALL = frozenset({"level", "right", "alone", "settings", "rules", *ENDS})
KEYS_OF_ONE = {
    "changed": frozenset({"path", "line", "level", "message", "reason"}),
    "held_back": frozenset({"path", "line", "level", "message", "reason"}),
    "suppressed": frozenset({"path", "line", "message"}),
    "refused": frozenset({"path", "line", "reason"}),
}


@dataclass(frozen=True, slots=True)
class Expected:
    """One site that the case says something about. `parts` are substrings by what they are looked for in."""

    end: str
    path: str
    line: int
    parts: tuple[tuple[str, str], ...]

    @property
    def place(self) -> str:
        level = dict(self.parts).get("level", "")
        return " ".join(part for part in (self.end, f"{self.path}:{self.line}", level) if part)


@dataclass(frozen=True, slots=True)
class Case:
    """One folder of fixtures/<rule>/."""

    rule: str
    name: str
    folder: Path
    level: Level = Level.REVIEW
    right: int = 0
    alone: bool = True
    rules: tuple[str, ...] = ()  # those that run in the case, when it is not its own alone
    settings: dict[str, Any] = field(default_factory=dict, hash=False)
    expected: tuple[Expected, ...] = ()

    @property
    def has_after(self) -> bool:
        return (self.folder / "after.py").is_file() or (self.folder / "after").is_dir()

    def files(self, side: str) -> dict[str, bytes]:
        """The files of `before` or `after`, by path in the project."""
        single, tree = self.folder / f"{side}.py", self.folder / side
        if single.is_file():
            return {SINGLE: single.read_bytes()}
        return {
            path.relative_to(tree).as_posix(): path.read_bytes() for path in sorted(tree.rglob("*")) if path.is_file()
        }

    def after(self) -> dict[str, bytes]:
        """The project as the case wants it: `after`, with what is no Python file from `before`."""
        before = self.files("before")
        if not self.has_after:
            return before
        return {path: data for path, data in before.items() if not path.endswith(".py")} | self.files("after")


def read_case(folder: Path) -> Case:
    """The case in a folder. Raises ValueError for a key of expect.toml that does not exist."""
    data = tomllib.loads((folder / "expect.toml").read_text("utf-8"))
    _check_keys(folder, data, KEYS_OF_ALL)
    expected = []
    for end in ENDS:
        for one in data.get(end, []):
            _check_keys(folder, one, KEYS_OF_ONE[end])
            parts = {key: value for key, value in one.items() if key not in ("path", "line")}
            if end in ("changed", "held_back"):
                parts.setdefault("reason", "")
            expected.append(Expected(end, one.get("path", SINGLE), one["line"], tuple(sorted(parts.items()))))
    return Case(
        rule=folder.parent.name,
        name=folder.name,
        folder=folder,
        level=Level[data.get("level", "review").upper()],
        right=data.get("right", 0),
        alone=data.get("alone", True),
        rules=tuple(data.get("rules", ())),
        settings=data.get("settings", {}),
        expected=tuple(sorted(expected, key=lambda one: (one.path, one.line, one.end))),
    )


def _check_keys(folder: Path, table: dict[str, Any], known: frozenset[str]) -> None:
    if unknown := table.keys() - known:
        raise ValueError(f"{folder / 'expect.toml'}: unknown keys {', '.join(sorted(unknown))}")


def case_folders() -> list[Path]:
    return [folder for name in sorted(RULE_NAMES) for folder in sorted((FIXTURES / name).glob("*")) if folder.is_dir()]


def _name(folder: Path) -> str:
    # one rule has most cases, and a case is asked for by its bare name
    return folder.name if folder.parent.name == "session-scope" else f"{folder.parent.name}-{folder.name}"


each_case = pytest.mark.parametrize("folder", [pytest.param(folder, id=_name(folder)) for folder in case_folders()])


@pytest.fixture
def case(folder: Path) -> Case:
    return read_case(folder)


# --- running a case -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run over the files of a case gave."""

    plan: Plan
    files: dict[str, bytes] = field(hash=False)

    def findings(self) -> dict[str, Finding]:
        return {finding.key: finding for group in self.plan.groups for finding in group.findings}

    def entries(self, end: End) -> tuple[Entry, ...]:
        return tuple(sorted(self.plan.ledger.of(end), key=lambda entry: entry.site))


def outcome(case: Case, files: dict[str, bytes], *, rules: Collection[str] = ()) -> Outcome:
    """Runs the case's rule, or these, over files as a project of its own."""
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary).resolve() / "project"
        for path, data in files.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(data)
        config = None
        if case.settings:
            config = root.parent / "settings.toml"
            config.write_text(_table("tool.session-codemods", case.settings), "utf-8")
        settings = load(root, config, rules=RULE_NAMES)
        settings = replace(settings, select=tuple(sorted(rules)) or case.rules or (case.rule,))
        plan = run(RunRequest(root, (), settings, case.level))
    return Outcome(plan, files | {change.path: change.after for change in plan.changes})


@functools.cache
def first_outcome(case: Case) -> Outcome:
    return outcome(case, case.files("before"))


def actual(case: Case) -> list[Expected]:
    """What the run says of every site that is not right, in full."""
    result = first_outcome(case)
    findings = result.findings()
    found = []
    for end, ledger_end in ENDS.items():
        for entry in result.entries(ledger_end):
            parts = {"reason": entry.text} if end == "refused" else {"message": entry.text}
            if end in ("changed", "held_back"):
                finding = findings[entry.key]
                parts = {"level": finding.level.label, "message": finding.message, "reason": finding.reason}
            found.append(Expected(end, entry.site.path, entry.site.line, tuple(sorted(parts.items()))))
    return sorted(found, key=lambda one: (one.path, one.line, one.end))


def mismatch(expected: Expected, found: Expected) -> str:
    """How a site differs from what the case says of it; "" when it does not."""
    said = dict(found.parts)
    for part, text in expected.parts:
        if part == "reason" and not text and said[part]:
            return f"{expected.place}: expected no reason, found {said[part]!r}"
        if text not in said[part]:
            return f"{expected.place}: expected {part} {text!r}, found {said[part]!r}"
    return ""


# --- what holds for every case ------------------------------------------------------------------------------------


@each_case
def test_becomes_exactly_what_a_maintainer_would_merge(case: Case) -> None:
    files, wanted = first_outcome(case).files, case.after()
    assert sorted(files) == sorted(wanted)
    for path, data in wanted.items():
        assert files[path].decode("utf-8", "replace") == data.decode("utf-8", "replace"), path
        assert files[path] == data, path


@each_case
def test_says_what_was_found_and_why(case: Case) -> None:
    found = actual(case)
    assert [one.place for one in found] == [_placed_like(one, found).place for one in case.expected], [
        one.parts for one in found
    ]
    assert [said for pair in zip(case.expected, found, strict=True) if (said := mismatch(*pair))] == []


def _placed_like(expected: Expected, found: list[Expected]) -> Expected:
    """A case may leave the level out; then the one that was found will do."""
    if "level" in dict(expected.parts) or expected.end not in ("changed", "held_back"):
        return expected
    same = [one for one in found if (one.end, one.path, one.line) == (expected.end, expected.path, expected.line)]
    return same[0] if same else expected


@each_case
def test_counts_what_is_already_right(case: Case) -> None:
    right = first_outcome(case).entries(End.RIGHT)
    assert len(right) == case.right, [f"{entry.site.place} {entry.text}" for entry in right]


@each_case
def test_reads_every_file(case: Case) -> None:
    assert first_outcome(case).plan.failures == ()


@each_case
def test_result_compiles(case: Case) -> None:
    for path, data in first_outcome(case).files.items():
        if path.endswith(".py"):
            assert compile_error(decode(data)[2]) is None, path


@each_case
def test_keeps_every_comment(case: Case) -> None:
    result = first_outcome(case)
    for path, data in case.files("before").items():
        if path.endswith(".py"):
            lost = comments(data) - comments(result.files[path])
            # what only speaks to a tool goes with the parameter that stood on its line
            assert [text for text in lost if not text.startswith("# noqa")] == [], path


@each_case
def test_second_run_offers_nothing(case: Case) -> None:
    again = outcome(case, first_outcome(case).files)
    assert again.plan.changes == ()
    assert [group.id for group in again.plan.included] == []
    assert again.entries(End.CHANGED) == ()


@each_case
def test_all_rules_together_give_the_same_result(case: Case) -> None:
    """The cases of other rules make engines and makers as they please, so `engine-pool` has no say in these."""
    if not case.alone:
        pytest.skip("the case says that other rules add to it")
    every = RULE_NAMES if case.rule == POOL else RULE_NAMES - {POOL}
    assert outcome(case, case.files("before"), rules=every).files == first_outcome(case).files


POOL = "engine-pool"
_MAKES_ENGINES = re.compile(rb"create_(async_)?engine|sessionmaker")


def _with_engines() -> list[Any]:
    """Every fourth of the cases of other rules in which engines or makers stand, by a choice that stays the same."""
    return [
        pytest.param(folder, id=_name(folder))
        for folder in case_folders()
        if folder.parent.name != POOL and zlib.crc32(folder.name.encode()) % 4 == 0
        if any(_MAKES_ENGINES.search(path.read_bytes()) for path in sorted(folder.rglob("*.py")))
    ]


@pytest.mark.parametrize("folder", _with_engines())
def test_pools_are_set_beside_all_other_changes(case: Case) -> None:
    """What the other rules change they change when `engine-pool` writes into the same files, too.

    Looks at every fourth such case, to keep the time down.
    """
    before = case.files("before")
    without = outcome(case, before, rules=RULE_NAMES - {POOL})
    result = outcome(case, before, rules=RULE_NAMES)
    assert result.plan.failures == ()
    assert without.findings().keys() - result.findings().keys() == set()
    for path, data in result.files.items():
        if path.endswith(".py"):
            assert compile_error(decode(data)[2]) is None, path
    again = outcome(case, result.files, rules=RULE_NAMES)
    assert again.plan.changes == ()


@each_case
def test_ledger_adds_up(case: Case) -> None:
    result = first_outcome(case)
    ledger, findings = result.plan.ledger, result.findings()
    assert sum(ledger.counts().values()) == len(ledger.entries)
    sites = Counter((entry.rule, entry.site) for entry in ledger.entries)
    assert [site for site, count in sites.items() if count > 1] == []
    edited = [entry.key for end in (End.CHANGED, End.HELD_BACK) for entry in result.entries(end)]
    assert sorted(edited) == sorted(findings)
    assert all(findings[key].paths for key in edited)  # not always those of the site: options may stand elsewhere
    assert {change.path for change in result.plan.changes} == {
        path for group in result.plan.included for path in group.paths
    }


def comments(data: bytes) -> Counter[str]:
    text = decode(data)[2]
    try:
        compile(text, "<fixture>", "exec")
    except SyntaxError:  # newer than `tokenize`
        return Counter(comment.text.strip() for comment in comment_tokens(text))
    tokens = tokenize.generate_tokens(io.StringIO(text, newline="").readline)
    return Counter(token.string.strip() for token in tokens if token.type == tokenize.COMMENT)


# --- the cases as a whole -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", sorted(path.name for path in FIXTURES.iterdir() if path.name in RULE_NAMES))
def test_more_situations_are_left_alone_than_changed(rule: str) -> None:
    cases = [read_case(folder) for folder in case_folders() if folder.parent.name == rule]
    changed = [case.name for case in cases if case.has_after]
    assert len(cases) - len(changed) > len(changed)


def test_session_scope_has_cases_for_what_the_wild_shows() -> None:
    assert len([folder for folder in case_folders() if folder.parent.name == "session-scope"]) >= 80


def test_what_leaves_a_block_has_cases_for_what_the_wild_shows() -> None:
    rules = ("expunge-return", "eager-load")
    assert len([folder for folder in case_folders() if folder.parent.name in rules]) >= 150


@each_case
def test_case_is_well_formed(case: Case) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9_]+", case.name)
    before = case.files("before")
    assert any(path.endswith(".py") for path in before)
    assert case.has_after == any(one.end == "changed" for one in case.expected)
    if case.has_after:
        assert case.after() != before
        assert all(path.endswith(".py") for path in case.files("after"))


# --- rewriting expectations ---------------------------------------------------------------------------------------


@pytest.mark.rewrites
@each_case
def test_expectations_are_up_to_date(case: Case) -> None:
    if rewritten := rewrite(case):
        pytest.fail(f"rewrote {', '.join(rewritten)} of {case.name}: read the git diff before you believe it")


@pytest.mark.rewrites
def test_rewriting_is_never_a_pass() -> None:
    pytest.fail("expectations were rewritten where they differed: read `git diff fixtures`, then run without --update")


def rewrite(case: Case) -> list[str]:
    """Makes `after` and expect.toml of a case say what the tool does now; gives the names of what was written."""
    result = first_outcome(case)
    written = []
    if result.files != case.after():
        written.append(_rewrite_after(case, result.files))
    found = actual(case)
    right = len(result.entries(End.RIGHT))
    if [*map(_key, found)] != [*map(_key, case.expected)] or right != case.right or _any_mismatch(case, found):
        target = case.folder / "expect.toml"
        target.write_text(_expectations(case, found, right, _leading_comment(target)), "utf-8")
        written.append("expect.toml")
    return written


def _key(one: Expected) -> tuple[str, str, int]:
    return (one.end, one.path, one.line)


def _any_mismatch(case: Case, found: list[Expected]) -> bool:
    return any(mismatch(*pair) for pair in zip(case.expected, found, strict=True))


def _rewrite_after(case: Case, files: dict[str, bytes]) -> str:
    before = case.files("before")
    if (case.folder / SINGLE).is_file():
        after = case.folder / "after.py"
        if files == before:
            after.unlink()
        else:
            after.write_bytes(files[SINGLE])
        return "after.py"
    tree = case.folder / "after"
    for path, data in files.items():
        target = tree / path
        if files == before:
            target.unlink(missing_ok=True)
        elif path.endswith(".py"):
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
    if files == before:
        for folder in sorted(tree.rglob("*"), reverse=True):
            folder.rmdir()
        tree.rmdir()
    return "after"


def _leading_comment(path: Path) -> str:
    lines = path.read_text("utf-8").splitlines(keepends=True)
    count = next((index for index, line in enumerate(lines) if not line.startswith("#")), len(lines))
    return "".join(lines[:count])


def _expectations(case: Case, found: list[Expected], right: int, comment: str) -> str:
    """The text of expect.toml. Substrings that still hold are kept as a person wrote them."""
    top: dict[str, Any] = {}
    if case.level is not Level.REVIEW:
        top["level"] = case.level.label
    if right:
        top["right"] = right
    if not case.alone:
        top["alone"] = False
    text = comment + "".join(f"{key} = {_value(value)}\n" for key, value in top.items())
    if case.settings:
        text += _table("settings", case.settings)
    written = {_key(one): one for one in case.expected}
    for one in found:
        earlier = written.get(_key(one))
        parts = dict(one.parts)
        if earlier is not None and not mismatch(earlier, one):
            parts = dict(earlier.parts)
        table: dict[str, Any] = {} if one.path == SINGLE else {"path": one.path}
        table |= {"line": one.line} | {key: parts[key] for key in ("level", "message", "reason") if parts.get(key)}
        text += _table(one.end, table, repeated=True)
    return text


def _table(name: str, values: dict[str, Any], *, repeated: bool = False) -> str:
    header = f"[[{name}]]" if repeated else f"[{name}]"
    return f"{header}\n" + "".join(f"{_bare(key)} = {_value(value)}\n" for key, value in values.items())


def _bare(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else json.dumps(key)


def _value(value: Any) -> str:
    match value:
        case dict():
            return "{ " + ", ".join(f"{_bare(key)} = {_value(one)}" for key, one in value.items()) + " }"
        case list():
            return "[" + ", ".join(map(_value, value)) + "]"
        case _:
            return json.dumps(value, ensure_ascii=False)
