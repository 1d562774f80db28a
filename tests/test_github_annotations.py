"""Workflow commands are judged by a reader that takes lines apart as GitHub's runner does."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codemods.plan import UNUSED, End, Entry, Failure, Finding, Group, Ledger, Level, Plan, RemoveStatement, Site
from codemods.review.github import SHOWN, report
from codemods.review.visible import visible


@dataclass(frozen=True, slots=True)
class Command:
    """What the runner understood of a line."""

    name: str
    properties: dict[str, str]
    data: str


def back(text: str, escapes: dict[str, str]) -> str:
    for written, meant in escapes.items():
        text = text.replace(written, meant)
    return text


DATA = {"%0D": "\r", "%0A": "\n", "%25": "%"}
PROPERTY = {"%0D": "\r", "%0A": "\n", "%3A": ":", "%2C": ",", "%25": "%"}


def understood(line: str) -> Command:
    """The rules of the runner's `ActionCommand.TryParseV2`: the first `::` ends the properties, `,` parts them."""
    line = line.lstrip()
    assert line.startswith("::")
    head, separator, data = line[2:].partition("::")
    assert separator
    name, _, written = head.partition(" ")
    properties = dict(one.split("=", 1) for one in written.strip().split(",") if "=" in one)
    return Command(name, {key: back(value, PROPERTY) for key, value in properties.items()}, back(data, DATA))


def commands(made: Plan, prefix: str = "") -> list[Command]:
    text = report(made, lambda path: prefix + path)
    assert text == "" or text.endswith("\n")
    assert not re.search(r"\r|[\x00-\x09\x0b-\x1f\x7f\x85\u2028\u2029]", text)
    return [understood(line) for line in text.split("\n")[:-1]]


def finding(line: int = 14, path: str = "app/users.py", message: str = "never closed", **more: object) -> Finding:
    made = Finding(
        key=f"session-scope:app.users.get:{path}:{line}",
        rule="session-scope",
        site=Site(path, line, 5, line, 30, "app.users.get"),
        level=Level.SAFE,
        message=message,
        edits=(RemoveStatement(path, line),),
    )
    return replace(made, **more)  # type: ignore[arg-type]


def refused(line: int, text: str = "a generator", rule: str = "session-scope", advice: str = "") -> Entry:
    site = Site("app/jobs.py", line, 1, line, 8, "app.jobs.run")
    return Entry(End.REFUSED, rule, site, text, key="k", advice=advice)


def plan(*groups: Group, entries: tuple[Entry, ...] = (), failures: tuple[Failure, ...] = ()) -> Plan:
    return Plan("/root", Level.REVIEW, groups, Ledger(entries), failures, ())


def test_nothing_found_prints_nothing() -> None:
    assert report(plan(entries=(Entry(End.RIGHT, "r", Site("a.py", 1, 1, 1, 2, "a"), "closed"),)), str) == ""


def test_a_finding_is_one_line_to_the_letter() -> None:
    review = finding(level=Level.REVIEW, reason="a caller reads `user.orders`")
    assert report(plan(Group("g", (review,))), lambda path: f"backend/{path}") == (
        "::warning file=backend/app/users.py,line=14,endLine=14,col=5,endColumn=30,title=session-scope (review)"
        "::backend/app/users.py:14: never closed (a caller reads `user.orders`)\n"
    )


def test_each_kind_has_its_own_command() -> None:
    made = plan(
        Group("g", (finding(),)),
        entries=(refused(3, advice="close it there"), refused(9, "this comment suppresses nothing", rule=UNUSED)),
        failures=(Failure("app/b.py", "parse", "not valid Python", 12), Failure("app/a.py", "read", "no permission")),
    )
    assert [(one.name, one.properties["title"], one.data) for one in commands(made)] == [
        ("error", "not handled: read", "app/a.py: no permission"),
        ("error", "not handled: parse", "app/b.py:12: not valid Python"),
        ("warning", "session-scope (safe)", "app/users.py:14: never closed"),
        ("notice", "session-scope (manual)", "app/jobs.py:3: left alone: a generator -> close it there"),
        ("notice", "session-codemods", "app/jobs.py:9: left alone: this comment suppresses nothing"),
    ]
    assert [one.properties.get("line") for one in commands(made)] == [None, "12", "14", "3", "9"]


@pytest.mark.parametrize(
    ("site", "told"),
    [
        (Site("a.py", 3, 5, 3, 9, ""), {"line": "3", "endLine": "3", "col": "5", "endColumn": "9"}),
        (Site("a.py", 3, 5, 4, 2, ""), {"line": "3", "endLine": "4"}),
        (Site("a.py", 3, 9, 3, 5, ""), {"line": "3", "endLine": "3"}),
        (Site("a.py", 3, 0, 3, 5, ""), {"line": "3", "endLine": "3"}),
        (Site("a.py", 0, 0, 0, 0, ""), {}),
    ],
)
def test_a_stretch_is_one_that_the_runner_keeps(site: Site, told: dict[str, str]) -> None:
    (command,) = commands(plan(Group("g", (finding(site=site),))))
    assert {key: value for key, value in command.properties.items() if key not in ("file", "title")} == told


@pytest.mark.parametrize(
    "name",
    [
        "a,b.py",
        "a:b::c.py",
        "100%0A.py",
        "a=b.py",
        "приложение/файл.py",
        "a\nb.py",
        "a\x1b[2J.py",
        os.fsdecode(b"\xe9"),
    ],
)
def test_names_come_out_whole_and_visible(name: str) -> None:
    (command,) = commands(plan(Group("g", (finding(path=name),))))
    assert command.properties["file"] == visible(name)
    assert command.data == f"{visible(name)}:14: never closed"
    assert "line" in command.properties


@given(st.text(), st.text(min_size=1))
def test_no_text_of_others_becomes_a_command(told: str, name: str) -> None:
    made = plan(
        Group("g", (finding(path=name, message=told, reason=told),)),
        entries=(refused(1, told, advice=told),),
        failures=(Failure(name, "parse", told),),
    )
    found = commands(made)
    assert [one.name for one in found] == ["error", "warning", "notice"]
    assert found[0].data == f"{visible(name)}: {visible(told)}"
    assert all(set(one.properties) <= {"file", "line", "endLine", "col", "endColumn", "title"} for one in found)
    assert [one.properties["file"] for one in found] == [visible(name), visible(name), "app/jobs.py"]


def test_every_group_is_told_before_the_second_findings_of_any() -> None:
    groups = (Group("a", (finding(1), finding(2), finding(3))), Group("b", (finding(8), finding(4))))
    lines = [one.properties["line"] for one in commands(plan(*groups))]
    assert lines == ["1", "8", "2", "3", "4"]


def test_all_are_printed_and_a_notice_says_when_github_shows_fewer() -> None:
    groups = tuple(Group(str(number), (finding(number),)) for number in range(1, SHOWN + 1))
    assert [one.name for one in commands(plan(*groups))] == ["warning"] * SHOWN
    more = (*groups, Group("more", (finding(99),)))
    first, *others = commands(plan(*more, entries=(refused(1),)))
    assert len(others) == SHOWN + 2
    assert (first.name, first.properties) == ("notice", {"title": "session-codemods"})
    assert first.data.startswith("11 warnings, 1 notice; GitHub shows about 10 of each kind")
