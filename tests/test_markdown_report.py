"""The text of a pull request is judged by a Markdown parser: nothing of others becomes markup, a mention or a link."""

from __future__ import annotations

import html
import os
import re
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from codemods.plan import UNUSED, End, Entry, Fact, Failure, Finding, Group, Ledger, Level, Plan, RemoveStatement, Site
from codemods.review.markdown import report
from codemods.review.markdown_text import code, html_code, prose
from codemods.review.visible import visible

PARSER = MarkdownIt("commonmark").enable(["table", "strikethrough"])
INVISIBLE = "\u200b"


def finding(path: str = "app/users.py", line: int = 14, message: str = "never closed", reason: str = "") -> Finding:
    return Finding(
        key=f"session-scope:app.users.get:{path}:{line}",
        rule="session-scope",
        site=Site(path, line, 5, line, 30, "app.users.get"),
        level=Level.REVIEW if reason else Level.SAFE,
        message=message,
        reason=reason,
        facts=(Fact(path, 3, message),),
        edits=(RemoveStatement(path, line),),
    )


def entry(end: End, text: str, line: int = 9, rule: str = "session-scope", key: str = "k", advice: str = "") -> Entry:
    return Entry(end, rule, Site("app/jobs.py", line, 1, line, 8, "app.jobs.run"), text, key=key, advice=advice)


def plan(*groups: Group, entries: tuple[Entry, ...] = (), failures: tuple[Failure, ...] = ()) -> Plan:
    return Plan("/root", Level.REVIEW, groups, Ledger(entries), failures, (), files_read=3)


def same(path: str) -> str:
    return path


def inline(text: str) -> Sequence[Token]:
    """The parts of a line that begins with a word of ours."""
    opened, content, closed = PARSER.parse(f"So: {text}")
    assert (opened.type, content.type, closed.type) == ("paragraph_open", "inline", "paragraph_close")
    return content.children or ()


def squeezed(text: str) -> str:
    """What is left to compare: code loses its fences, and spaces at its ends."""
    return re.sub(f"[` {INVISIBLE}]", "", text)


def clickable(rendered: str) -> list[str]:
    """What GitHub would make a link of in text that is not code."""
    text = html.unescape(re.sub(r"<code>.*?</code>", "", rendered, flags=re.DOTALL))
    return re.findall(r"@\w|#\d|\bGH-\d|://|\bwww\.|\b[0-9a-f]{7,40}\b", text, re.IGNORECASE)


TRICKS = [
    "thanks @torvalds, fixes #1 and org/repo#2, GH-3 and org/repo@deadbeef1",
    "see https://evil.example or www.evil.example or mail a@b.example",
    "commit 0123456789abcdef0123456789abcdef01234567",
    "<img src=x onerror=alert(1)> <!-- -->",
    "</details></summary><script>",
    "[click](javascript:x) ![i](http://x) [r][1] [^1]",
    "**bold** _it_ ~~gone~~ $x$ &lt;b&gt; &#64;user",
    "`code` and ``more` `` ` | cell | \\",
    "a\n\n# heading\n- item\n> quote\n```\nfence",
    "a\x1b[31mred\u202eleft\u200b\x00",
    "`@user` `#1` `a|b` `<b>`",
    "<https://evil.example>",
]


@pytest.mark.parametrize("told", TRICKS)
def test_prose_is_shown_and_means_nothing(told: str) -> None:
    parts = inline(prose(told))
    assert {one.type for one in parts} <= {"text", "text_special", "code_inline"}
    assert clickable(PARSER.render(f"So: {prose(told)}")) == []
    assert squeezed("".join(one.content for one in parts)) == squeezed(f"So: {visible(told)}")


@given(st.text(st.sampled_from("ab12@#:/.wGH-`*_[]()<>!&;|~$\\ \n{}") | st.characters(), max_size=30))
def test_no_prose_means_anything(told: str) -> None:
    parts = inline(prose(told))
    assert {one.type for one in parts} <= {"text", "text_special", "code_inline"}
    assert clickable(PARSER.render(f"So: {prose(told)}")) == []
    assert squeezed("".join(one.content for one in parts)) == squeezed(f"So: {visible(told)}")


@given(st.text(st.sampled_from("ab` @#|\\<>") | st.characters(), min_size=1, max_size=20))
def test_code_is_one_span_whatever_is_in_it(told: str) -> None:
    _, span = inline(code(told))
    assert span.type == "code_inline"
    assert span.content.strip(" ") == visible(told).strip(" ")


@pytest.mark.parametrize("told", TRICKS)
def test_code_in_html_stays_inside_of_its_element(told: str) -> None:
    assert html_code(told).count("<") == 2
    assert html.unescape(html_code(told)) == f"<code>{visible(told)}</code>"
    assert "\n" not in html_code(told)


def test_the_whole_text() -> None:
    group = Group("session-scope:app.users.get:3fa9", (finding(reason="a caller reads `user.orders`"),))
    entries = (
        entry(End.CHANGED, "never closed"),
        entry(End.RIGHT, "closed", key=""),
        entry(End.REFUSED, "a generator", advice="close it *there*"),
        entry(End.REFUSED, "this comment suppresses nothing", rule=UNUSED),
    )
    made = plan(group, entries=entries, failures=(Failure("app/b.py", "parse", "not valid Python", 12),))
    assert report(made, "1.2.3", same) == (
        "## session-codemods: 1 group (1 edit in 1 file): 1 review\n"
        "\n"
        "3 files read, 1 not handled. 4 places looked at: 1 to change, 1 already right, 2 left alone.\n"
        "\n"
        "| rule | to change | already right | left alone | held back | suppressed |\n"
        "| --- | ---: | ---: | ---: | ---: | ---: |\n"
        "| comments that suppress nothing | 0 | 0 | 1 | 0 | 0 |\n"
        "| session-scope | 1 | 1 | 1 | 0 | 0 |\n"
        "\n"
        "### Not handled (1)\n"
        "\n"
        "- `app/b.py:12` parse: not valid Python\n"
        "\n"
        "### Changes (1)\n"
        "\n"
        "<details>\n"
        "<summary><code>session-scope:app.users.get:3fa9</code> · review · 1 edit</summary>\n"
        "\n"
        "- `app/users.py:14` `session-scope` (review): never closed\n"
        "  - confirm: a caller reads `user.orders`\n"
        "  - `app/users.py:3` never closed\n"
        "\n"
        "</details>\n"
        "\n"
        "### Left alone (2)\n"
        "\n"
        "- `app/jobs.py:9` `session-scope`: a generator\n"
        "  - by hand: close it \\*there\\*\n"
        "- `app/jobs.py:9`: this comment suppresses nothing\n"
        "\n"
        "Made by session-codemods 1.2.3.\n"
    )


def test_a_plan_without_anything_is_a_short_text() -> None:
    assert report(plan(), "1.2.3", same) == (
        "## session-codemods: 0 groups\n\n3 files read. 0 places looked at.\n\nMade by session-codemods 1.2.3.\n"
    )


def shape(text: str) -> list[tuple[str, str]]:
    """Every block, and every part of a line but for its text."""
    tokens = PARSER.parse(text)
    found = [(one.type, one.tag) for one in tokens]
    found += [(part.type, part.tag) for one in tokens for part in one.children or () if part.type[:4] != "text"]
    return found


@pytest.mark.parametrize("told", [*TRICKS, os.fsdecode(b"caf\xe9.py")])
def test_no_text_of_others_changes_the_shape(told: str) -> None:
    def made(text: str, name: str) -> str:
        group = Group(f"session-scope:{name}:1", (finding(name, message=text, reason=text),))
        entries = (
            entry(End.REFUSED, text, advice=text),
            entry(End.REFUSED, text, line=20, rule=UNUSED),
            entry(End.CHANGED, text),
        )
        return report(plan(group, entries=entries, failures=(Failure(name, "read", text),)), "1", same)

    hostile = made(told.replace("`", "'"), told)
    assert shape(hostile) == shape(made("harmless", "a.py"))
    assert clickable(PARSER.render(hostile)) == []
    assert hostile.encode()


def test_what_does_not_fit_is_counted() -> None:
    groups = tuple(Group(f"g{number}", (finding(line=number),)) for number in range(1, 400))
    entries = tuple(entry(End.REFUSED, "a generator", number) for number in range(1, 400))
    text = report(plan(*groups, entries=entries), "1", same, limit=8_000)
    assert 7_500 < len(text.encode()) < 8_500
    assert text.count("<details>") == text.count("</details>") > 20
    told = [int(count) for count in re.findall(r"and (\d+) more: `session-codemods check` names them all", text)]
    assert told[0] == 399 - text.count("<details>")
    assert told[1] <= 399
    assert text.endswith("Made by session-codemods 1.\n")
    assert len(report(plan(*groups, entries=entries), "1", same).encode()) < 65_536
