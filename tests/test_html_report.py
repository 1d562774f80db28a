"""The review page as text: it holds what the plan says, its numbers add up, and nothing in it can break out."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from report_pages.plans import EVIL, Case, a_finding, a_group, hostile, of_files, of_the_legacy_app
from report_pages.reading import Page, read_page
from reviews.projects import USERS, frozen, project

from codemods import planned
from codemods.plan import End, Entry, Fact, Failure, Group, Ledger, Level, Site
from codemods.review.html_report import report
from codemods.review.html_report.cards import Pages
from codemods.review.html_report.colour import coloured, recoloured
from codemods.review.html_report.lines import encoded, read
from codemods.review.html_report.tables import ENDS
from codemods.review.matching import differing
from codemods.saved_plan import AppliedRun, Decision, Verdict


@pytest.fixture(scope="module")
def legacy(tmp_path_factory: pytest.TempPathFactory) -> Case:
    return of_the_legacy_app(tmp_path_factory.mktemp("report"))


@pytest.fixture(scope="module")
def legacy_text(legacy: Case) -> str:
    return report(legacy.plan, legacy.composed, name="legacy_app", summaries={"session-scope": "sessions have a block"})


@pytest.fixture(scope="module")
def legacy_page(legacy_text: str) -> Page:
    return read_page(legacy_text)


def page_of(case: Case) -> Page:
    return read_page(report(case.plan, case.composed))


def only_file(case: Case) -> dict[str, Any]:
    """The one file of the one group of a page."""
    [[file]] = page_of(case).files
    return file


def lines_of(row: list[Any]) -> list[str]:
    return [line if isinstance(line, str) else line[0] for line in row if line is not None]


def shown_lines(file: dict[str, Any]) -> list[str]:
    return [text for hunk in file["hunks"] for row in hunk["rows"] for text in lines_of(row)]


# --- what it holds ----------------------------------------------------------------------------------------------------


def test_every_group_is_there_with_its_place_level_and_decision(legacy: Case, legacy_page: Page) -> None:
    groups = legacy.plan.groups
    assert len(groups) > 30
    assert [one.attributes["id"] for one in legacy_page.with_class("group")] == [f"group-{one.id}" for one in groups]
    cards = legacy_page.with_class("card")
    assert [one.attributes["data-level"] for one in cards] == [one.level.label for one in groups]
    assert {one.attributes["data-decision"] for one in cards} == {"open"}
    for card, group in zip(cards, groups, strict=True):
        for finding in group.findings:
            assert f"{finding.site.place} " in card.text.replace("\n", " ")
            assert finding.message in card.text
            assert finding.reason in card.text
            for fact in finding.facts:
                assert f"{fact.path}:{fact.line} {fact.text}" in card.text


def test_the_diff_of_a_group_makes_the_old_file_the_new_one(legacy: Case, legacy_page: Page) -> None:
    for group, files in zip(legacy.plan.groups, legacy_page.files, strict=True):
        changes = {change.path: change for change in legacy.composed([group])}
        assert [file["path"] for file in files] == sorted(changes)
        for file in files:
            change = changes[file["path"]]
            assert change.before is not None
            assert patched(change.before.decode().splitlines(), file) == change.after.decode().splitlines()


def patched(old: list[str], file: dict[str, Any]) -> list[str]:
    """The old lines with the hunks made in them; old lines of the hunks have to be those of the file."""
    new: list[str] = []
    at = 0
    for hunk in file["hunks"]:
        new += old[at : hunk["old"] - 1]
        at = hunk["old"] - 1
        assert len(new) == hunk["new"] - 1
        for row in hunk["rows"]:
            for number, line in enumerate(row):
                if line is None:
                    continue
                text = line if isinstance(line, str) else line[0]
                if number == 0:
                    assert text == old[at]
                    at += 1
                if number == len(row) - 1:
                    new.append(text)
    return new + old[at:]


def test_a_reason_stands_at_a_line_that_is_shown(legacy_page: Page) -> None:
    noted = 0
    for files in legacy_page.files:
        for file in files:
            shown = set()
            for hunk in file["hunks"]:
                olds = [row for row in hunk["rows"] if row[0] is not None]
                shown |= set(range(hunk["old"], hunk["old"] + len(olds)))
            assert {int(line) for line in file["notes"]} <= shown
            noted += len(file["notes"])
    assert noted >= len(legacy_page.files)


def test_a_fact_far_from_the_change_is_shown_at_its_line() -> None:
    before = "".join(f"line_{number} = {number}\n" for number in range(1, 101)).encode()
    finding = a_finding("a.py", 3, facts=(Fact("a.py", 80, "it is read here"), Fact("b.py", 2, "elsewhere")))
    case = of_files({"a.py": (before, before.replace(b"line_3 = 3\n", b""))}, Group("g", (finding,)))
    file = only_file(case)
    assert [hunk["head"] for hunk in file["hunks"]] == ["@@ -1,6 +1,5 @@", "@@ -79,3 +78,3 @@"]
    assert lines_of(file["hunks"][1]["rows"][1]) == ["line_80 = 80"]
    assert file["notes"] == {
        "3": [["why", "a-rule · safe", "something is wrong"]],
        "80": [["fact", "fact", "it is read here"]],
    }


def test_a_review_reason_is_something_to_confirm() -> None:
    finding = a_finding("a.py", 1, level=Level.REVIEW, reason="nobody else reads it")
    case = of_files({"a.py": (b"x\n", b"y\n")}, Group("g", (finding,)))
    assert only_file(case)["notes"]["1"][1] == ["confirm", "confirm", "nobody else reads it"]


def test_lines_that_only_moved_to_the_right_stand_beside_each_other() -> None:
    before, after = b"a = f()\nb = 1\n\nc = 2\n", b"with f() as a:\n    b = 1\n\n    c = 2\n"
    file = only_file(of_files({"a.py": (before, after)}, a_group("a.py")))
    assert [lines_of(row) for row in file["hunks"][0]["rows"]] == [
        ["a = f()", "with f() as a:"],
        ["b = 1", "    b = 1"],
        [""],
        ["c = 2", "    c = 2"],
    ]


def test_a_new_file_is_one() -> None:
    file = only_file(of_files({"new.py": (None, b"x = 1\ny = 2\n")}, a_group("new.py")))
    assert (file["new"], file["added"], file["removed"]) == (True, 2, 0)
    assert [row[0] for row in file["hunks"][0]["rows"]] == [None, None]
    assert shown_lines(file) == ["x = 1", "y = 2"]


def test_a_file_of_the_group_that_was_not_composed_is_named() -> None:
    case = of_files({}, a_group("gone.py"))
    assert only_file(case) == {"path": "gone.py", "hunks": []}


def test_the_decisions_are_told() -> None:
    files: dict[str, tuple[bytes | None, bytes]] = {f"{name}.py": (b"x\n", b"y\n") for name in "abcde"}
    groups = [a_group(path) for path in files]
    groups[4] = a_group("e.py", level=Level.REVIEW)
    case = of_files(files, *groups)
    plan = replace(
        case.plan,
        asked=replace(case.plan.asked, level=Level.SAFE),
        decisions={
            groups[0].id: Decision(Verdict.ACCEPTED, "Ada", "fine\nby me", "2026-01-02T03:04:05Z"),
            groups[1].id: Decision(Verdict.REFUSED),
            groups[2].id: Decision(Verdict.ACCEPTED),
        },
        applied=(AppliedRun("1", (groups[2].id,)),),
    )
    page = page_of(replace(case, plan=plan))
    decided = [card.attributes["data-decision"] for card in page.with_class("card")]
    assert decided == ["accepted", "refused", "written", "open", "held back"]
    assert page.with_class("decision")[0].text == "accepted by Ada at 2026-01-02T03:04:05Zfineby me"
    assert page.tables["decisions"] == [
        ["groups", "safe", "review", "total"],
        ["open", "1", "0", "1"],
        ["accepted", "1", "0", "1"],
        ["refused", "1", "0", "1"],
        ["written", "1", "0", "1"],
        ["held back", "0", "1", "1"],
        ["total", "4", "1", "5"],
    ]


def test_what_was_left_alone_comes_with_reason_and_advice(legacy: Case, legacy_page: Page) -> None:
    refused = legacy.plan.ledger.of(End.REFUSED)
    told = legacy_page.with_class("alone")
    assert len(told) == len(refused) > 0
    for element, entry in zip(told, refused, strict=True):
        assert entry.site.place in element.text
        assert entry.text in element.text
        assert entry.advice in element.text


def test_failures_are_named_with_their_line() -> None:
    case = of_files({})
    plan = replace(case.plan, failures=(Failure("b.py", "parse", "not valid", 7), Failure("a.py", "read", "no")))
    page = page_of(replace(case, plan=plan))
    assert [" ".join(one.text.split()) for one in page.with_class("failure")] == [
        "read a.pyno",
        "parse b.py:7not valid",
    ]
    assert "2 not handled" in page.with_class("about")[0].text


def test_a_plan_of_nothing_is_a_page() -> None:
    page = page_of(of_files({}))
    assert "There is nothing to change." in "".join(one.text for one in page.named("p"))
    assert page.tables["rules"] == [
        ["rule", "to change", "already right", "left alone", "held back", "suppressed", "total"],
        ["total", "0", "0", "0", "0", "0", "0"],
    ]


def test_the_same_plan_makes_the_same_page(legacy: Case, legacy_text: str) -> None:
    again = report(
        legacy.plan, legacy.composed, name="legacy_app", summaries={"session-scope": "sessions have a block"}
    )
    assert again == legacy_text


# --- numbers ----------------------------------------------------------------------------------------------------------


def test_the_numbers_add_up(legacy: Case, legacy_page: Page) -> None:
    counts = [legacy.plan.ledger.counts()[end] for end in ENDS]
    *ledger, all_places = [int(row[-1]) for row in legacy_page.tables["ledger"]]
    assert ledger == counts
    assert all_places == sum(counts) == len(legacy.plan.ledger.entries)
    for name in ("rules", "folders"):
        _, *rows, total = legacy_page.tables[name]
        numbers = [[int(cell) for cell in row[1:]] for row in rows]
        assert all(row[-1] == sum(row[:-1]) for row in numbers)
        assert [sum(column) for column in zip(*numbers, strict=True)] == [int(cell) for cell in total[1:]]
        assert [int(cell) for cell in total[1:]] == [*counts, sum(counts)]


def test_every_end_has_its_column() -> None:
    site = Site("pkg/a.py", 1, 1, 1, 2, "pkg.a")
    wide = [end for number, end in enumerate(ENDS, 1) for _ in range(number)]
    case = of_files({})
    plan = replace(case.plan, ledger=Ledger(tuple(Entry(end, "r", site, "t") for end in wide)))
    page = page_of(replace(case, plan=plan))
    assert page.tables["rules"][1:] == [["r", "1", "2", "3", "4", "5", "15"], ["total", "1", "2", "3", "4", "5", "15"]]
    assert page.tables["folders"][1][0] == "pkg/"
    assert [one.text for one in page.named("h2") if one.attributes.get("id") in ("alone", "held", "suppressed")] == [
        "Left alone (3)",
        "Held back (4)",
        "Suppressed (5)",
    ]
    assert [element.attributes["width"] for element in page.named("rect")] == ["1", "2", "3", "4", "5"]


# --- nothing breaks out, nothing is loaded ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def hostile_text() -> str:
    case = hostile()
    evil = " ".join(EVIL)
    return report(case.plan, case.composed, name=evil, summaries={evil: evil})


def test_hostile_text_makes_no_element(hostile_text: str) -> None:
    page = read_page(hostile_text)
    kinds = [element.attributes.get("type", "") for element in page.named("script")]
    assert kinds == ["application/json", ""]
    assert not page.named("img")
    names = {name for element in page.elements for name in element.attributes}
    assert not [name for name in names if name.startswith("on") or name in ("src", "style", "srcset", "action")]
    [card] = page.with_class("card")
    assert EVIL[0] in card.text
    assert EVIL[4] in card.text


def test_no_character_of_the_page_is_one_that_does_not_print(hostile_text: str, legacy_text: str) -> None:
    for text in (hostile_text, legacy_text):
        assert {char for char in text if not char.isprintable()} == {"\n"}
        text.encode()
    assert r"\u202eleft\u2066\u200b\x1b[31m\x00\x07\x85\u2028\r\n\ud800\xff" in hostile_text


def test_bytes_that_are_no_text_and_text_that_does_not_print_are_escaped_in_the_code(hostile_text: str) -> None:
    [[file]] = read_page(hostile_text).files
    text = "\n".join(shown_lines(file))
    assert r"\xff\xfe \xe9" in text
    assert r"\u202eleft\u2066\u200b\x1b[31m\x00\x07\x85\u2028" in text
    assert EVIL[0] in text


def test_the_page_refers_to_nothing_outside(hostile_text: str, legacy_text: str) -> None:
    for text in (hostile_text, legacy_text):
        page = read_page(text)
        links = [element.attributes["href"] for element in page.elements if "href" in element.attributes]
        assert links
        assert all(link.startswith("#") for link in links)
        assert not {"link", "base", "iframe", "object", "embed", "img", "audio", "video"} & {
            element.name for element in page.elements
        }
        [style] = page.named("style")
        assert not re.search(r"url\(|@import|@font-face|src:", style.text)
        assert "http" not in page.named("script")[-1].text


def test_every_link_leads_somewhere(legacy_page: Page) -> None:
    ids = [element.attributes["id"] for element in legacy_page.elements if "id" in element.attributes]
    assert len(ids) == len(set(ids))
    links = {element.attributes["href"][1:] for element in legacy_page.elements if "href" in element.attributes}
    assert links <= set(ids)


def test_the_policy_allows_the_pages_own_script_and_style_and_nothing_else(hostile_text: str) -> None:
    page = read_page(hostile_text)
    [policy] = [one.attributes["content"] for one in page.named("meta") if "http-equiv" in one.attributes]

    def hashed(text: str) -> str:
        return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"

    assert policy.split("; ") == [
        "default-src 'none'",
        f"script-src {hashed(page.named('script')[-1].text)}",
        f"style-src {hashed(page.named('style')[0].text)}",
        "base-uri 'none'",
        "form-action 'none'",
    ]


# --- lines ------------------------------------------------------------------------------------------------------------


def test_line_ends_are_told_where_they_differ_from_the_usual_one() -> None:
    before, after = b"a\r\nb\r\nc\r\n", b"a\r\nB\nc"
    file = only_file(of_files({"a.py": (before, after)}, a_group("a.py")))
    assert file["hunks"][0]["rows"] == [
        ["a"],
        ["b", ["B", "", 0, "LF"]],
        ["c", ["c", "", 0, "no line end"]],
    ]


def test_lines_are_those_that_python_counts() -> None:
    assert read(b"a\rb\r\nc\x0cd\n\xe2\x80\xa8e", "utf-8").texts == ("a", "b", "c\x0cd", "\u2028e")
    assert read(b"", "utf-8").texts == ()
    assert read(b"\n\n", "utf-8").texts == ("", "")


def test_a_file_is_read_in_its_encoding_and_without_its_mark() -> None:
    assert read("é = 1\n".encode("latin-1"), "latin-1").texts == ("é = 1",)
    assert read(b"\xef\xbb\xbfx\n", "utf-8", b"\xef\xbb\xbf").texts == ("x",)
    assert read(b"x\xff\n", "no-such-encoding").texts == ("x\udcff",)


def test_a_very_long_line_is_cut_and_says_by_how_much() -> None:
    before, after = b"x = 1\n", b"x = '" + b"a" * 100_000 + b"'\n"
    case = of_files({"a.py": (before, after)}, a_group("a.py"))
    text = report(case.plan, case.composed)
    [[old, new]] = only_file(case)["hunks"][0]["rows"]
    assert old[0] == "x = 1"
    assert len(new[0]) == 2000
    assert new[2] == 100_006 - 2000
    assert "a" * 2001 not in text


def test_colours_cover_what_a_browser_counts_and_escapes_are_marked() -> None:
    assert encoded([("k", "if"), ("", " "), ("s", "'\U0001f600\u202e'"), ("", " x")], "\n", "\n") == [
        "if '\U0001f600\\u202e' x",
        "2k1.3s6x1s",
    ]
    assert encoded([("", "x\ty")], "\n", "\n") == "x\ty"


# --- colours ----------------------------------------------------------------------------------------------------------


def test_a_string_of_many_lines_is_one_on_every_line() -> None:
    lines = ["def f():", '    """Says', "    if this is code.", '    """', "    return 1"]
    found = coloured(lines)
    assert found.lines[2] == (("s", "    if this is code."),)
    assert found.lines[0][0] == ("k", "def ")
    assert found.starts == (0,)


def test_a_change_in_a_string_is_coloured_as_a_string() -> None:
    old = ["def f():", '    """Says', "    if this is code.", '    """', "    return 1"]
    new = [*old[:2], "    for that is none.", *old[3:]]
    stretches = differing([line.encode() for line in old], [line.encode() for line in new])
    assert recoloured(coloured(old), new, stretches)[2] == (("s", "    for that is none."),)


def test_colours_told_from_the_old_ones_are_those_of_the_whole_file(legacy: Case) -> None:
    looked_at = 0
    for group in legacy.plan.groups:
        for change in legacy.composed([group]):
            assert change.before is not None
            old, new = (read(data, "utf-8") for data in (change.before, change.after))
            found = recoloured(coloured(old.texts), new.texts, differing(old.keys, new.keys))
            assert found == list(coloured(new.texts).lines)
            assert ["".join(text for _, text in pieces) for pieces in found] == list(new.texts)
            looked_at += 1
    assert looked_at > 30


def test_a_file_that_is_no_python_is_shown_all_the_same() -> None:
    before = b"'''\n" * 3 + b"$$$ ((( \xff\n" + b"def\n" * 2
    file = only_file(of_files({"a.py": (before, before + b'"""')}, a_group("a.py")))
    assert shown_lines(file)[-1] == '"""'


def test_notes_stand_at_their_lines_where_another_group_is_written_above(tmp_path: Path) -> None:
    plan = frozen(project(tmp_path))
    *_, second = (group for group in plan.groups if group.paths == (USERS,))
    (alone,) = planned.changes(plan, [second])
    assert alone.before is not None
    pages, written = Pages(plan), b"# written\n# above\n"
    lines = []
    for above in (b"", written):
        change = replace(alone, before=above + alone.before, after=above + alone.after)
        shown: Any = pages.card(second, [change]).data
        noted = shown["files"][0]["notes"]
        lines.append([int(line) for line, notes in noted.items() if any(kind == "why" for kind, *_ in notes)])
    at = second.findings[0].site.line
    assert lines == [[at], [at + 2]]
