"""`# session-codemods: ignore[rule] reason` on a line or the line above, `ignore-file[rule]` anywhere. Pure."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from codemods import syntax
from codemods.plan import UNUSED, End, Entry, Finding, Site, Source

_MARK = re.compile(r"#\s*session-codemods:\s*(ignore(?:-file)?)\b\s*(?:\[([^\]]*)\])?")


@dataclass(frozen=True, slots=True)
class _Comment:
    path: str
    text: str
    line: int
    column: int
    rules: tuple[str, ...]
    whole_file: bool
    alone: bool  # nothing but the comment stands on its line: it speaks for the line below

    @property
    def key(self) -> str:
        """The same for equal comments of a file, wherever they stand in it."""
        text = f"{self.path}\0{self.text}"
        return f"{UNUSED}:{self.path}:{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:4]}"


class Suppressions:
    """The suppressing comments of some files; remembers which of them were of use."""

    def __init__(self, sources: Iterable[Source]) -> None:
        self._comments = [comment for source in sources for comment in _comments(source)]
        self._used: set[_Comment] = set()
        self._meant: dict[_Comment, set[str]] = {}  # of comments that name no rule: those whose findings they stand at

    def covers(self, finding: Finding) -> bool:
        """Whether a comment asks to leave this finding alone."""
        covered = False
        for comment in self._comments:
            if comment.path != finding.site.path or (comment.rules and finding.rule not in comment.rules):
                continue
            first = finding.site.line
            line = comment.line + 1 if comment.alone else comment.line
            if comment.whole_file or line == first or (not comment.alone and first <= line <= finding.site.end_line):
                if not comment.rules:
                    self._meant.setdefault(comment, set()).add(finding.rule)
                    continue
                self._used.add(comment)
                covered = True
        return covered

    def unused(self, ran: Mapping[str, Collection[str]], known: Collection[str]) -> Iterator[Entry]:
        """A refused entry for every comment that cannot work, or suppresses nothing although its rules were run.

        Its rule is UNUSED, since a comment may name any other, or none. Its key stays when the comment moves; among
        equal comments of a file those that are unused are counted.

        `ran` are the rules that looked at each file; `known` those that there are.
        """
        seen: Counter[str] = Counter()
        for comment in self._comments:
            unknown = [rule for rule in comment.rules if rule not in known]
            if unknown and comment not in self._used:
                text, advice = (
                    f"there is no rule `{unknown[0]}` to ignore",
                    f"the rules are: {', '.join(sorted(known))}",
                )
            elif not comment.rules:
                text, advice = "this comment names no rule", self._named(comment, known)
            elif comment not in self._used and set(comment.rules) <= set(ran.get(comment.path, ())):
                text, advice = "this comment suppresses nothing", "delete it, or move it to the line of the finding"
            else:
                continue
            site = Site(comment.path, comment.line, comment.column, comment.line, comment.column, comment.path)
            key = comment.key
            seen[key] += 1
            key += f".{seen[key]}" if seen[key] > 1 else ""
            yield Entry(End.REFUSED, UNUSED, site, text, key=key, advice=advice)

    def _named(self, comment: _Comment, known: Collection[str]) -> str:
        """How to write a comment that names no rule: with those whose findings it stands at, where there are any."""
        word = "ignore-file" if comment.whole_file else "ignore"
        if meant := self._meant.get(comment):
            return f"write {word}[{', '.join(sorted(meant))}]"
        return f"write {word}[RULE]; the rules are: {', '.join(sorted(known))}"


def _comments(source: Source) -> Iterator[_Comment]:
    if "session-codemods:" not in source.text:
        return
    try:
        comments = syntax.comment_tokens(source.text)
    except SyntaxError:
        return
    for comment in comments:
        if (found := _MARK.search(comment.text)) is None:
            continue
        rules = tuple(name.strip() for name in (found[2] or "").split(",") if name.strip())
        is_file = found[1] == "ignore-file"
        yield _Comment(source.path, comment.text, comment.line, comment.column + 1, rules, is_file, comment.alone)
