"""The SARIF log is judged by the official schema, and its fixes by who applies them as the standard says.

`schemas/sarif-2.1.0.json` is the schema of SARIF 2.1.0 as SchemaStore has it (2.1.0-rtm.5, by the standard's authors),
from Microsoft's npm package `@microsoft/jest-sarif` 1.0.0-beta.0, unchanged. The first tests write down plans made by
hand; the last ones run the tool on the legacy application and on small files.
"""

from __future__ import annotations

import json
import os
import re
import textwrap
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from codemods import sources
from codemods.engine import RunRequest, run
from codemods.plan import (
    UNUSED,
    Change,
    End,
    Entry,
    Fact,
    Failure,
    Finding,
    Group,
    Ledger,
    Level,
    Plan,
    RemoveStatement,
    Site,
    Source,
)
from codemods.review.replacements import rewriting
from codemods.review.rule_page import as_markdown
from codemods.review.sarif import SCHEMA, report
from codemods.rules import RULES
from codemods.settings import Settings, load
from codemods.transformers.compose import compose

LEGACY_APP = Path(__file__).parents[1] / "fixtures" / "legacy_app"
Log = dict[str, Any]


@cache
def validator() -> Any:
    content = json.loads((Path(__file__).parent / "schemas" / "sarif-2.1.0.json").read_bytes())
    jsonschema.Draft4Validator.check_schema(content)
    return jsonschema.Draft4Validator(content)


def errors(log: object) -> list[str]:
    return [f"{'/'.join(map(str, one.absolute_path))}: {one.message}" for one in validator().iter_errors(log)]


def same(path: str) -> str:
    return path


def finding(path: str = "app/users.py", line: int = 2, **more: Any) -> Finding:
    given = {
        "key": f"session-scope:app.users.get:{path}:{line}",
        "rule": "session-scope",
        "site": Site(path, line, 5, line, 20, "app.users.get"),
        "level": Level.SAFE,
        "message": "session is never closed",
        "edits": (RemoveStatement(path, line),),
    }
    return Finding(**{**given, **more})


def entry(end: End, text: str, line: int = 9, rule: str = "session-scope", **more: Any) -> Entry:
    return Entry(end, rule, Site("app/jobs.py", line, 1, line, 8, "app.jobs.run"), text, **more)


def plan(*groups: Group, entries: tuple[Entry, ...] = (), failures: tuple[Failure, ...] = (), **more: Any) -> Plan:
    found = {"root": "/root", "level": Level.REVIEW, "changes": ()}
    return Plan(**{**found, "groups": groups, "ledger": Ledger(entries), "failures": failures, **more})


def log_of(made: Plan, alone: Callable[[Group], Sequence[Change]] | None = None) -> Log:
    """The log, which is valid, of plain ASCII, and names every rule by its index."""
    text = report(made, "1.2.3", same, RULES, alone)
    assert text.isascii()
    assert text.endswith("}\n")
    log: Log = json.loads(text)
    assert errors(log) == []
    assert log["$schema"] == SCHEMA
    known = log["runs"][0]["tool"]["driver"]["rules"]
    assert all(known[one["ruleIndex"]]["id"] == one["ruleId"] for one in results(log))
    return log


def results(log: Log) -> list[Log]:
    found: list[Log] = log["runs"][0]["results"]
    return found


def only(log: Log) -> Log:
    (result,) = results(log)
    return result


# --- what stands in it ------------------------------------------------------------------------------------------------


def test_the_schema_finds_what_is_wrong() -> None:
    log = log_of(plan(Group("g", (finding(),))))
    results(log)[0]["locations"][0]["physicalLocation"]["region"]["startColumn"] = 0
    results(log)[0]["hint"] = "not a word of the standard"
    assert len(errors(log)) == 2


def test_an_empty_plan_is_a_run_without_results() -> None:
    log = log_of(plan())
    assert results(log) == []
    assert log["runs"][0]["invocations"] == [{"executionSuccessful": True, "toolExecutionNotifications": []}]
    assert log["runs"][0]["tool"]["driver"]["version"] == "1.2.3"


def test_rules_come_with_their_pages_whether_they_found_something_or_not() -> None:
    driver = log_of(plan())["runs"][0]["tool"]["driver"]
    assert [rule["id"] for rule in driver["rules"]] == [*(rule.name for rule in RULES), UNUSED]
    for told in driver["rules"]:
        for part in ("shortDescription", "fullDescription", "help"):
            assert told[part]["text"].strip()
    scope = driver["rules"][0]
    assert scope["shortDescription"]["text"] == RULES[0].summary
    assert scope["help"]["text"] == RULES[0].page.strip("\n") + "\n"
    assert "### What it changes" in scope["help"]["markdown"]


@pytest.mark.parametrize("rule", RULES, ids=[rule.name for rule in RULES])
def test_a_page_as_markdown_has_headings_code_and_no_html(rule: Any) -> None:
    tokens = MarkdownIt("commonmark").parse(as_markdown(rule.page))
    inline = [child for token in tokens for child in token.children or ()]
    assert not [one for one in [*tokens, *inline] if one.type.startswith("html")]
    titles = [tokens[at + 1].content for at, one in enumerate(tokens) if one.type == "heading_open"]
    assert titles[:2] == ["What it changes", "Why"]
    assert [one.info for one in tokens if one.type == "fence"].count("python") == titles.count("Before") * 2
    assert not [one for one in tokens if one.type == "code_block"]
    words = [re.findall(r"\w+", text) for text in (rule.page, as_markdown(rule.page).replace("```python", ""))]
    assert words[0] == words[1]


def test_levels_say_what_is_left_to_a_person() -> None:
    groups = (
        Group("a", (finding(line=1),)),
        Group("b", (finding(line=2, level=Level.REVIEW, reason="a caller reads `user.orders`"),)),
    )
    refused = entry(End.REFUSED, "the session goes to a generator", key="k", advice="close it there")
    told = [(one["level"], one["message"]["text"]) for one in results(log_of(plan(*groups, entries=(refused,))))]
    assert told == [
        ("note", "left alone: the session goes to a generator -> close it there"),
        ("warning", "session is never closed"),
        ("warning", "session is never closed (a caller reads `user.orders`)"),
    ]


def test_what_is_right_or_held_back_is_no_result() -> None:
    above = Group("c", (finding(level=Level.REVIEW),))
    entries = (entry(End.RIGHT, "closed"), entry(End.HELD_BACK, "level review: never closed", key="k"))
    assert results(log_of(plan(above, entries=entries, level=Level.SAFE))) == []


def test_places_are_regions_with_columns_from_1_end_exclusive() -> None:
    log = log_of(plan(Group("g", (finding(site=Site("app/a.py", 3, 5, 4, 9, "app.a.get")),))))
    (place,) = only(log)["locations"]
    assert place["physicalLocation"] == {
        "artifactLocation": {"uri": "app/a.py", "uriBaseId": "%SRCROOT%"},
        "region": {"startLine": 3, "startColumn": 5, "endLine": 4, "endColumn": 9},
    }
    assert place["logicalLocations"] == [{"fullyQualifiedName": "app.a.get"}]
    assert log["runs"][0]["columnKind"] == "unicodeCodePoints"
    assert "%SRCROOT%" in log["runs"][0]["originalUriBaseIds"]
    assert "/root" not in json.dumps(log)


@pytest.mark.parametrize(
    ("site", "region"),
    [
        (Site("a.py", 0, 0, 0, 0, "a"), None),
        (Site("a.py", 3, 0, 3, 4, "a"), {"startLine": 3}),
        (Site("a.py", 3, 7, 3, 4, "a"), {"startLine": 3}),
    ],
)
def test_a_place_that_is_no_stretch_is_told_as_far_as_it_goes(site: Site, region: Log | None) -> None:
    place = only(log_of(plan(Group("g", (finding(site=site),)))))["locations"][0]["physicalLocation"]
    assert place.get("region") == region


def test_facts_are_related_places() -> None:
    facts = (Fact("app/b.py", 7, "read here"), Fact("app/b.py", 7, "read here"), Fact("requirements.txt", 0, "pinned"))
    related = only(log_of(plan(Group("g", (finding(facts=facts),)))))["relatedLocations"]
    assert [one["message"]["text"] for one in related] == ["read here", "pinned"]
    assert [one["physicalLocation"].get("region") for one in related] == [{"startLine": 7}, None]
    assert len({one["id"] for one in related}) == 2


def test_what_a_comment_suppresses_is_a_suppressed_result() -> None:
    suppressed = entry(End.SUPPRESSED, "session is never closed", key="session-scope:app.jobs.run:1a2b")
    result = only(log_of(plan(entries=(suppressed,))))
    assert result["suppressions"] == [{"kind": "inSource"}]
    assert result["partialFingerprints"] == {"findingKey/v1": "session-scope:app.jobs.run:1a2b"}


def test_a_comment_that_suppresses_nothing_is_of_a_rule_of_its_own() -> None:
    comment = entry(End.REFUSED, "this comment suppresses nothing", rule=UNUSED, key="k", advice="delete it")
    log = log_of(plan(entries=(comment,)))
    result = only(log)
    assert log["runs"][0]["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == UNUSED
    assert (result["ruleId"], result["message"]["text"]) == (UNUSED, "this comment suppresses nothing -> delete it")


def test_a_file_that_failed_makes_the_run_a_failed_one() -> None:
    failures = (Failure("app/b.py", "parse", "not valid Python", 12), Failure("app/a.py", "read", "no permission"))
    (invocation,) = log_of(plan(failures=failures))["runs"][0]["invocations"]
    assert not invocation["executionSuccessful"]
    notices = invocation["toolExecutionNotifications"]
    assert [(one["level"], one["descriptor"]["id"], one["message"]["text"]) for one in notices] == [
        ("error", "read", "no permission"),
        ("error", "parse", "not valid Python"),
    ]
    places = [one["locations"][0]["physicalLocation"] for one in notices]
    assert [one["artifactLocation"]["uri"] for one in places] == ["app/a.py", "app/b.py"]
    assert [one.get("region") for one in places] == [None, {"startLine": 12}]


ODD_NAMES = [
    "my app/the users.py",
    "a:b.py",
    "100%.py",
    "a?b#c.py",
    "a\\b.py",
    "a\nb\x1b[31m.py",
    "приложение/файл.py",
    os.fsdecode(b"caf\xe9.py"),
]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_addresses_are_relative_and_hold_the_bytes_of_the_name(name: str) -> None:
    odd = finding(name, facts=(Fact(name, 1, "here"),))
    log = log_of(plan(Group("g", (odd,)), failures=(Failure(name, "read", f"cannot read {name}"),)))
    uri = only(log)["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert re.fullmatch(r"(?:[A-Za-z0-9._~/-]|%[0-9A-F]{2})+", uri)
    assert unquote_to_bytes(uri) == os.fsencode(name)


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        ("an \x1b[2J escape\nand a line", "an \\x1b[2J escape\\nand a line"),
        ("`f(x)[0](y)` of {0}", "`f(x)[0] (y)` of {{0}}"),
        ("right\u202eleft", "right\\u202eleft"),
    ],
)
def test_texts_hold_no_control_characters_no_links_and_no_placeholders(told: str, shown: str) -> None:
    facts = (Fact("a.py", 1, told),)
    result = only(log_of(plan(Group("g", (finding(message=told, facts=facts),)))))
    assert result["message"]["text"] == shown
    assert result["relatedLocations"][0]["message"]["text"] == shown


def test_every_result_has_a_fingerprint_of_its_own() -> None:
    comment = entry(End.REFUSED, "this comment suppresses nothing", rule=UNUSED, key="k2")
    refused = entry(End.REFUSED, "a generator", key="k1")
    log = log_of(plan(Group("g", (finding(line=1), finding(line=2))), entries=(comment, refused)))
    prints = [one["partialFingerprints"]["findingKey/v1"] for one in results(log)]
    assert len(set(prints)) == 4


# --- fixes ------------------------------------------------------------------------------------------------------------

CONTENT = {
    "unix": (b"a\nb\nc\nd\n", b"a\nB\nc\nd\n"),
    "carriage returns": (b"a\r\nb\r\nc\r\n", b"a\r\n    b\r\nc\r\n"),
    "mixed newlines": (b"a\r\nb\nc\rd\r\n", b"a\r\nB\nc\rD\r\n"),
    "only carriage returns": (b"a\rb\rc", b"a\rB\rc"),
    "no final newline before": (b"a\nb", b"a\nb\n"),
    "no final newline after": (b"a\nb\n", b"a\nb"),
    "no final newline on either side": (b"a\nb\nc", b"a\nB\nc"),
    "another final newline": (b"a\nb\n", b"a\nb\r\n"),
    "lines at the end": (b"a\nb\n", b"a\nb\nc\nd\n"),
    "lines at the end, blank": (b"a\nb\n", b"a\nb\n\n\n"),
    "last line goes": (b"a\nb\n", b"a\n"),
    "last blank line goes": (b"a\n\n", b"a\n"),
    "first line": (b"a\nb\n", b"x\na\nb\n"),
    "byte order mark": (b"\xef\xbb\xbfa\nb\n", b"\xef\xbb\xbfA\nb\n"),
    "latin-1": (b"# -*- coding: latin-1 -*-\nx = '\xe9'\n", b"# -*- coding: latin-1 -*-\ny = '\xe9\xff'\n"),
    "cp1251": (b"# coding: cp1251\nx = 1\n", "# coding: cp1251\nя = 'ё'\n".encode("cp1251")),
    "beyond the basic plane": ("x = '𝒳'; y\n".encode(), "x = '𝒳'; z  # 𝒵\n".encode()),
    "separators that end no line": ("a\u2028b\x0cc\x85\n".encode(), "a\u2028b\x0cC\x85\n".encode()),
    "empty to something": (b"", b"a\n"),
    "something to empty": (b"a\n", b""),
    "one newline": (b"\n", b"x\n\n"),
    "everything changes": (b"a\nb\nc\n", b"x\ny\n"),
}


def lines_of(text: str) -> list[str]:
    """The lines with their ends; behind a last newline there is one more, empty, line."""
    return re.split(r"(?<=\n)|(?<=\r)(?!\n)", text)


def offset(lines: Sequence[str], line: int, column: int) -> int:
    assert 1 <= line <= len(lines)
    assert 1 <= column <= len(lines[line - 1]) + 1
    return sum(map(len, lines[: line - 1])) + column - 1


def applied(log: Log, fix: Log, contents: dict[str, bytes]) -> dict[str, bytes]:
    """What a program that knows nothing but the standard makes of the files. Regions are of the unmodified files."""
    known = {one["location"]["uri"]: one["encoding"] for one in log["runs"][0]["artifacts"]}
    assert log["runs"][0]["newlineSequences"] == ["\r\n", "\n", "\r"]
    after = dict(contents)
    for change in fix["artifactChanges"]:
        uri = change["artifactLocation"]["uri"]
        path = os.fsdecode(unquote_to_bytes(uri))
        data = contents[path]
        mark = b"\xef\xbb\xbf" if data.startswith(b"\xef\xbb\xbf") else b""
        text = data[len(mark) :].decode(known[uri])
        lines, out, at = lines_of(text), [], 0
        for one in change["replacements"]:
            region = one["deletedRegion"]
            start = offset(lines, region["startLine"], region["startColumn"])
            end = offset(lines, region["endLine"], region["endColumn"])
            inserted = one.get("insertedContent", {"text": ""})["text"]
            assert at <= start <= end
            assert start < end or inserted
            out += [text[at:start], inserted]
            at = end
        after[path] = mark + "".join([*out, text[at:]]).encode(known[uri])
    return after


def fixed(before: bytes, after: bytes) -> bytes:
    group = Group("g", (finding(),))
    log = log_of(plan(group), lambda _: [Change("app/users.py", before, after, (group,))])
    (fix,) = only(log)["fixes"]
    return applied(log, fix, {"app/users.py": before})["app/users.py"]


@pytest.mark.parametrize(("before", "after"), CONTENT.values(), ids=CONTENT.keys())
def test_a_fix_makes_the_bytes_of_the_group(before: bytes, after: bytes) -> None:
    assert fixed(before, after) == after


TEXT = st.lists(st.sampled_from(["\n", "\r\n", "\r", "\n", "a", "b", "x = 'é'", "\t𝒳", "\x0c"]), max_size=14).map(
    "".join
)


@given(TEXT, TEXT)
def test_the_replacements_of_any_text_make_the_other_one(before: str, after: str) -> None:
    found = rewriting(before.encode(), after.encode())
    assert found is not None
    lines, out, at = lines_of(before), [], 0
    for one in found.replacements:
        start, end = offset(lines, one.line, one.column), offset(lines, one.end_line, one.end_column)
        assert at <= start <= end
        out += [before[at:start], one.text]
        at = end
    assert "".join([*out, before[at:]]) == after


def test_a_final_newline_that_stays_is_in_no_replacement() -> None:
    found = rewriting(b"a\r\nb\r\n", b"a\r\nb\r\nc\r\n")
    assert found is not None
    (one,) = found.replacements
    assert (one.line, one.column, one.end_line, one.end_column, one.text) == (2, 1, 2, 2, "b\r\nc")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"# coding: no-such\n", b"x\n"),
        (b"x = '\xff'\n", b"y = '\xff'\n"),
        (b"\xef\xbb\xbfa\n", b"b\n"),
        (None, b"a new file\n"),
    ],
    ids=["unknown encoding", "not its encoding", "mark goes", "new file"],
)
def test_what_cannot_be_told_as_a_fix_has_none(before: bytes | None, after: bytes) -> None:
    group = Group("g", (finding(),))
    changes = [Change("app/a.py", b"a\n", b"b\n", (group,)), Change("app/users.py", before, after, (group,))]
    assert "fixes" not in only(log_of(plan(group), lambda _: changes))


def test_a_group_has_one_fix_at_its_first_finding() -> None:
    group = Group("g", (finding(line=7), finding("app/a.py", line=2), finding(line=3)))
    changes = [Change(path, b"a\n", b"b\n", (group,)) for path in ("app/a.py", "app/users.py")]
    log = log_of(plan(group), lambda _: changes)
    (with_fix,) = [one for one in results(log) if "fixes" in one]
    assert with_fix["locations"][0]["physicalLocation"]["region"]["startLine"] == 7
    (fix,) = with_fix["fixes"]
    assert fix["description"]["text"] == "3 edits in 2 files: g"
    assert [one["artifactLocation"]["uri"] for one in fix["artifactChanges"]] == ["app/a.py", "app/users.py"]
    assert {one["properties"]["group"] for one in results(log)} == {"g"}


def test_nobody_is_asked_for_groups_above_the_level() -> None:
    asked: list[Group] = []
    safe, review = Group("a", (finding(line=1),)), Group("b", (finding(line=2, level=Level.REVIEW),))

    def alone(group: Group) -> Sequence[Change]:
        asked.append(group)
        return ()

    log_of(plan(safe, review, level=Level.SAFE), alone)
    assert asked == [safe]


# --- real projects ----------------------------------------------------------------------------------------------------


def alone_in(root: Path) -> Callable[[Group], list[Change]]:
    def alone(group: Group) -> list[Change]:
        changes = []
        for path in group.paths:
            source = sources.read(root, path)
            assert isinstance(source, Source)
            edits = [edit for one in group.findings for edit in one.edits if edit.path == path]
            requests = [asked for one in group.findings for asked in one.requests if asked.path == path]
            changes.append(Change(path, source.data, compose(source, edits, requests), (group,)))
        return changes

    return alone


def looked_at(root: Path) -> Plan:
    return run(RunRequest(root, (root,), load(root, rules=[rule.name for rule in RULES])))


def contents_of(root: Path, paths: Iterable[str]) -> dict[str, bytes]:
    return {path: (root / path).read_bytes() for path in paths}


def test_the_legacy_application_is_told_whole_and_every_fix_makes_the_bytes_of_its_group() -> None:
    made = looked_at(LEGACY_APP)
    alone = alone_in(LEGACY_APP)
    log = log_of(made, alone)
    counts = made.ledger.counts()
    assert len(results(log)) == counts[End.CHANGED] + counts[End.REFUSED] + counts[End.SUPPRESSED]
    prints = [one["partialFingerprints"]["findingKey/v1"] for one in results(log)]
    assert len(set(prints)) == len(prints)
    fixes = {one["properties"]["group"]: fix for one in results(log) for fix in one.get("fixes", ())}
    assert len(fixes) == len(made.included) > 10
    for group in made.included:
        before = contents_of(LEGACY_APP, group.paths)
        after = applied(log, fixes[group.id], before)
        assert after == {**before, **{change.path: change.after for change in alone(group)}}
        assert after != before


LEAKS = """\
from app.db import new_async_session

async def load(key):
    session = new_async_session()  # é
    return await session.scalar(key)

async def other(key):
    session = new_async_session(){comment}
    return await session.scalar(key)
"""
DB = """\
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

maker = async_sessionmaker(create_async_engine("sqlite+aiosqlite://"))

def new_async_session() -> AsyncSession:
    return maker()
"""


def small_project(root: Path, text: str, encoding: str = "utf-8") -> Path:
    (root / "app").mkdir(parents=True)
    (root / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    (root / "app" / "__init__.py").touch()
    (root / "app" / "db.py").write_text(DB)
    (root / "app" / "jobs.py").write_bytes(text.encode(encoding))
    return root


def prints_of(root: Path) -> set[str]:
    made = run(RunRequest(root, (root,), Settings(select=("session-scope",))))
    log = log_of(made, alone_in(made_root := Path(made.root)))
    for one in results(log):
        for fix in one.get("fixes", ()):
            (group,) = [group for group in made.included if group.id == one["properties"]["group"]]
            before = contents_of(made_root, group.paths)
            wanted = {change.path: change.after for change in alone_in(made_root)(group)}
            assert applied(log, fix, before) == {**before, **wanted}
    return {one["partialFingerprints"]["findingKey/v1"] for one in results(log)}


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_fingerprints_stay_when_lines_move_and_fixes_keep_encodings(tmp_path: Path, newline: str) -> None:
    text = LEAKS.format(comment="").replace("\n", newline)
    prints = prints_of(small_project(tmp_path / "a", text))
    assert prints
    moved = f"# what was put above{newline}import os{newline}" + text
    assert prints_of(small_project(tmp_path / "b", moved)) == prints
    if newline != "\r":
        cookie = f"# -*- coding: latin-1 -*-{newline}{text}"
        assert prints_of(small_project(tmp_path / "c", cookie, "latin-1")) == prints
    assert prints_of(small_project(tmp_path / "d", text, "utf-8-sig")) == prints


def test_comments_that_suppress_are_told_and_those_that_do_not(tmp_path: Path) -> None:
    text = LEAKS.format(comment="  # session-codemods: ignore[session-scope] a tool closes it")
    root = small_project(tmp_path, text + textwrap.dedent("\n\n# session-codemods: ignore[nothing]\nx = 1\n"))
    log = log_of(run(RunRequest(root, (root,), Settings(select=("session-scope",)))))
    (suppressed,) = [one for one in results(log) if "suppressions" in one]
    assert suppressed["ruleId"] == "session-scope"
    assert [one["level"] for one in results(log) if one["ruleId"] == UNUSED] == ["note"]
