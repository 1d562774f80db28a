"""What stands in brackets with commas between: arguments, parameters, the items of a dict. Pure, on nodes.

Parts go, give way to others, or are joined by one more.

The layout of what stays is not touched: lines are not joined, a line that is emptied goes, every comment stays that
people read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

import libcst as cst

from codemods.transformers.errors import ComposeError
from codemods.transformers.leading_lines import Lines, comment_lines, join

Gap = cst.BaseParenthesizableWhitespace
Node = TypeVar("Node", bound=cst.CSTNode)

DIRECTIVE = re.compile(r"#\s*(?:noqa|nosec|type:\s*ignore|pyright:|mypy:|ty:|pylint:|pragma:)[^#]*\Z", re.IGNORECASE)
NOTHING = cst.SimpleWhitespace("")


@dataclass(frozen=True, slots=True, eq=False)
class Part(Generic[Node]):
    """One part, what stands before it (behind the bracket or the comma), and what stands between it and its comma."""

    node: Node
    before: Gap
    behind: Gap


@dataclass(frozen=True, slots=True, eq=False)
class CommaList(Generic[Node]):
    """The parts in order, what stands before the closing bracket, and whether the last part has a comma."""

    parts: tuple[Part[Node], ...]
    end: Gap
    has_last_comma: bool

    @classmethod
    def of(cls, nodes: Sequence[Node], commas: Sequence[cst.Comma | None], first: Gap, last: Gap) -> CommaList[Node]:
        """`first` stands before the first part, `last` behind the last one when it has no comma."""
        parts: list[Part[Node]] = []
        before = first
        for node, comma in zip(nodes, commas, strict=True):
            parts.append(Part(node, before, NOTHING if comma is None else comma.whitespace_before))
            before = last if comma is None else comma.whitespace_after
        return cls(tuple(parts), before, bool(commas) and commas[-1] is not None)

    def comma(self, index: int) -> cst.Comma | None:
        """The comma behind a part, with what follows it."""
        if index + 1 < len(self.parts):
            return cst.Comma(self.parts[index].behind, self.parts[index + 1].before)
        return cst.Comma(self.parts[index].behind, self.end) if self.has_last_comma else None

    @property
    def first(self) -> Gap:
        """What stands behind the opening bracket."""
        if self.parts:
            return self.parts[0].before
        return self.end if comment_lines(self.end) else NOTHING

    @property
    def last(self) -> Gap:
        """What stands between a last part without a comma and the closing bracket."""
        return NOTHING if self.has_last_comma or not self.parts else self.end

    def with_last(self, node: Node, line: int) -> CommaList[Node]:
        """The list with one more part at its end. It gets a line of its own where the last one has one, or has comments
        behind it, which stay there. Behind an only part on lines of its own, which formatters leave without a comma, it
        gets a comma, too.

        Raises ComposeError, for `line`, where a comment has no line to stay on.
        """
        if self.parts:
            gaps = [part.before for part in reversed(self.parts)]
            between, end = _parted(self.end, gaps, line)
            was_hanging = all(isinstance(gap, cst.ParenthesizedWhitespace) for gap in (*gaps, self.end))
            has_comma = self.has_last_comma or (len(gaps) == 1 and was_hanging)
            return CommaList((*self.parts, Part(node, between, NOTHING)), end, has_comma)
        if comment_lines(self.end):
            raise ComposeError(f"there is a comment in the place of what is added on line {line}", line)
        return replace(self, parts=(Part(node, NOTHING, NOTHING),), end=NOTHING)

    def changed(self, new: Mapping[int, Sequence[Node]], line: int) -> CommaList[Node]:
        """The list with other parts, one or more, at some places, or without the parts there.

        Raises ComposeError, for `line`, where a comment stands in a part that does not stay, or before its comma.
        """
        made = self
        for index in sorted(new, reverse=True):
            part, nodes = made.parts[index], new[index]
            if comment_lines(part.node) or comment_lines(part.behind):
                raise ComposeError(f"what changes on line {line} has a comment in it", line)
            if not nodes:
                made = made._without(index)
            else:
                others = [Part(node, _next(part.before), NOTHING) for node in nodes[1:]]
                several = [replace(part, node=nodes[0], behind=NOTHING), *others]
                several[-1] = replace(several[-1], behind=part.behind)
                made = replace(made, parts=(*made.parts[:index], *several, *made.parts[index + 1 :]))
        return made

    def _without(self, index: int) -> CommaList[Node]:
        parts, is_last = list(self.parts), index + 1 == len(self.parts)
        gone = parts.pop(index)
        after = self.end if is_last else parts[index].before
        gap = _joined(gone.before, after, is_first=index == 0, is_last=is_last)
        if is_last:
            return replace(self, parts=tuple(parts), end=gap)
        parts[index] = replace(parts[index], before=gap)
        return replace(self, parts=tuple(parts))


def _parted(gap: Gap, gaps: Sequence[Gap], line: int) -> tuple[Gap, Gap]:
    """What stands before a new part and behind it, where `gap` stood behind the last one.

    `gaps` are those before the parts, the last one's first.
    """
    has_comments = bool(comment_lines(gap))
    if not has_comments and not isinstance(gaps[0], cst.ParenthesizedWhitespace):
        return cst.SimpleWhitespace(" "), gap
    margin = next((one for one in gaps if isinstance(one, cst.ParenthesizedWhitespace)), None)
    if margin is None:
        raise ComposeError(f"the comment behind the last part on line {line} leaves no line for another", line)
    newline = cst.TrailingWhitespace(newline=margin.first_line.newline)
    between = margin.with_changes(first_line=newline, empty_lines=[])
    if not isinstance(gap, cst.ParenthesizedWhitespace):
        return between, gap
    end = gap.with_changes(first_line=newline, empty_lines=[])
    return between.with_changes(first_line=gap.first_line, empty_lines=gap.empty_lines), end


def _next(before: Gap) -> Gap:
    """What stands before one more part: a line of its own where the one above it has one."""
    if not isinstance(before, cst.ParenthesizedWhitespace):
        return cst.SimpleWhitespace(" ")
    return before.with_changes(first_line=cst.TrailingWhitespace(newline=before.first_line.newline), empty_lines=[])


def _joined(before: Gap, after: Gap, *, is_first: bool, is_last: bool) -> Gap:
    """What stands where a part stood, between what was before it and what was behind its comma."""
    if not isinstance(after, cst.ParenthesizedWhitespace):
        # a last part that had a line for itself leaves the bracket behind
        stays_broken = isinstance(before, cst.ParenthesizedWhitespace) and comment_lines(before)
        return after if is_last and not stays_broken else before
    if isinstance(before, cst.ParenthesizedWhitespace):
        behind = _own_line(after, before)
        lines = join([*before.empty_lines, *behind], after.empty_lines)
        return after.with_changes(first_line=before.first_line, empty_lines=lines)
    if not is_first:
        return after  # a comment at the end of the line speaks of those before, too
    if not comment_lines(after):
        return before
    newline = cst.TrailingWhitespace(newline=after.first_line.newline)
    return after.with_changes(first_line=newline, empty_lines=[*_own_line(after, after), *after.empty_lines])


def _own_line(gap: cst.ParenthesizedWhitespace, margin: cst.ParenthesizedWhitespace) -> Lines:
    """The comment at the end of a line as a line of its own, which begins where the lines behind `margin` do.

    One that only speaks to a tool, of the line that it stands on (`# noqa: B008`), goes with that line.
    """
    end = gap.first_line
    if end.comment is None or DIRECTIVE.match(end.comment.value):
        return []
    return [cst.EmptyLine(indent=margin.indent, whitespace=margin.last_line, comment=end.comment, newline=end.newline)]
