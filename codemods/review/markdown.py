"""The plan as the text of a pull request, in GitHub's Markdown: what would change and why, and what is left to people.

Texts of others come out through `markdown_text`, so that they can neither forge markup nor call a person or an issue.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

from codemods.plan import UNUSED, End, Entry, Failure, Finding, Group, Plan
from codemods.review.markdown_text import code, html_code, prose
from codemods.review.terminal import groups_line
from codemods.review.words import ENDS, counted, extent, word_of_reason

# GitHub takes 65,536 characters for the text of a pull request; some count as more than one
LIMIT = 60_000
_COMMENTS = "comments that suppress nothing"


def report(plan: Plan, tool_version: str, path: Callable[[str], str], limit: int = LIMIT) -> str:
    """The text, of no more than about `limit` bytes; what does not fit is counted.

    `path` turns a path of the plan into the one to show.
    """
    page = _Page(limit)
    page.add(f"## session-codemods: {groups_line(plan.included)}\n\n{_summary(plan)}\n")
    if rows := _table(plan):
        page.add(f"\n{rows}")
    page.section("Not handled", [_failure(one, path) for one in sorted(plan.failures)])
    page.section("Changes", [_group(group, path) for group in plan.included])
    refused = sorted(plan.refused, key=lambda entry: (entry.site, entry.rule))
    page.section("Left alone", [_left_alone(entry, path) for entry in refused])
    page.add(f"\nMade by session-codemods {prose(tool_version)}.\n", always=True)
    return page.text


class _Page:
    """Text that grows up to a limit."""

    def __init__(self, limit: int) -> None:
        self._room = limit
        self.text = ""

    def add(self, text: str, *, always: bool = False) -> bool:
        """Puts the text at the end, if there is room; says whether there was."""
        size = len(text.encode())
        if size > self._room and not always:
            return False
        self.text += text
        self._room -= size
        return True

    def section(self, title: str, items: list[str]) -> None:
        """A heading and its items; those from the first one on that does not fit are counted."""
        if not items:
            return
        self.add(f"\n### {title} ({len(items)})\n\n", always=True)
        for number, item in enumerate(items):
            if not self.add(item):
                self.add(f"\nand {len(items) - number} more: `session-codemods check` names them all\n", always=True)
                return


def _summary(plan: Plan) -> str:
    counts = plan.ledger.counts()
    told = ", ".join(f"{count} {ENDS[end]}" for end, count in counts.items() if count)
    places = f"{counted(sum(counts.values()), 'place')} looked at" + (f": {told}." if told else ".")
    failed = len({failure.path for failure in plan.failures})
    files = f"{counted(plan.files_read, 'file')} read"
    return f"{files}, {failed} not handled. {places}" if failed else f"{files}. {places}"


def _table(plan: Plan) -> str:
    """How many places of each rule came to which end; "" when no place was looked at."""
    counts = Counter((_name(entry), entry.end) for entry in plan.ledger.entries)
    names = sorted({name for name, _ in counts})
    if not names:
        return ""
    words = {end: word for end, word in ENDS.items() if end is not End.KNOWN or plan.ledger.of(end)}
    lines = [f"| rule | {' | '.join(words.values())} |", f"| --- |{' ---: |' * len(words)}"]
    for name in names:
        lines.append(f"| {name} | {' | '.join(str(counts[name, end]) for end in words)} |")
    return "\n".join(lines) + "\n"


def _name(entry: Entry) -> str:
    return _COMMENTS if entry.rule == UNUSED else entry.rule


def _group(group: Group, path: Callable[[str], str]) -> str:
    head = f"<details>\n<summary>{html_code(group.id)} · {group.level.label} · {extent(group)}</summary>\n"
    told = "".join(line for finding in group.findings for line in _finding(finding, path))
    return f"{head}\n{told}\n</details>\n"


def _finding(finding: Finding, path: Callable[[str], str]) -> Iterator[str]:
    place = code(f"{path(finding.site.path)}:{finding.site.line}")
    yield f"- {place} {code(finding.rule)} ({finding.level.label}): {prose(finding.message)}\n"
    if finding.reason:
        yield f"  - {word_of_reason(finding)}: {prose(finding.reason)}\n"
    for fact in finding.facts:
        yield f"  - {code(f'{path(fact.path)}:{fact.line}')} {prose(fact.text)}\n"


def _left_alone(entry: Entry, path: Callable[[str], str]) -> str:
    place = code(f"{path(entry.site.path)}:{entry.site.line}")
    rule = f" {code(entry.rule)}" if entry.rule != UNUSED else ""
    advice = f"\n  - by hand: {prose(entry.advice)}" if entry.advice else ""
    return f"- {place}{rule}: {prose(entry.text)}{advice}\n"


def _failure(failure: Failure, path: Callable[[str], str]) -> str:
    line = f":{failure.line}" if failure.line else ""
    return f"- {code(path(failure.path) + line)} {failure.stage}: {prose(failure.message)}\n"
