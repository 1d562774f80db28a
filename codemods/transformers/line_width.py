"""Lines that arguments, items or calls made too long are laid out anew, as a formatter would. Pure; text to text.

Only lines that an edit wrote on are touched, and only where the formatter's layout of the whole statement differs from
the present one in nothing else. What cannot be laid out so stays long.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from codemods import syntax
from codemods.plan import AddArgument, AddItem, ChainCall, ChangeArguments
from codemods.transformers.documents import IfBroken, printed, width
from codemods.transformers.expression_fit import Growing, arguments_as_written
from codemods.transformers.expression_layout import layout_of
from codemods.transformers.physical_lines import split_lines

PRAGMA = re.compile(r"#\s*(?:noqa|type:|pyright:|pylint:|mypy:|ruff:|flake8:|pragma:|fmt:|yapf:|isort:|nosec)", re.I)
_Edited = list[tuple[ast.expr, Growing]]
_COMMENT = re.compile(r"\s*(?:#[^\n]*)?")


def within_limits(before: str, after: str, made: Iterable[tuple[ast.stmt, ast.expr, Growing]], step: str) -> str:
    """`after` with the lines that are too long laid out, where that can be done.

    `made` are the expressions of `after` that were edited, each with the statement that holds it; `before` is the
    original. Lines that were too long already stay so, but where arguments or items join them: those may be many. There
    a part that does not fit by itself (a long string) does not stop the others either.
    Lines in brackets are indented by `step`.
    """
    old, lines = split_lines(before), split_lines(after)
    around: dict[ast.stmt, _Edited] = {}
    for statement, node, edit in made:
        first = edit.span.line if isinstance(edit, ChangeArguments) else edit.span.end_line
        known = old[first - 1 : edit.span.end_line]
        joins = isinstance(edit, AddArgument | AddItem)
        if edit.limit > 0 and (joins or all(width(_bare(line)) <= edit.limit for line in known)):
            around.setdefault(statement, []).append((node, edit))
    for statement in sorted(around, key=lambda one: one.lineno, reverse=True):
        laid_out = _laid_out(lines, statement, around[statement], step)
        if laid_out is not None:
            first, last, text = laid_out
            made_of = [*lines[: first - 1], text, *lines[last:]]
            if same_meaning("".join(lines), "".join(made_of)):  # parentheses may be needed that a layout leaves out
                lines = made_of
    return "".join(lines)


def same_meaning(one: str, other: str) -> bool:
    """Whether two texts are the same code, the second of which may be none at all."""
    try:
        return ast.dump(syntax.parse(one)) == ast.dump(syntax.parse(other))
    except SyntaxError:
        return False


def _value(statement: ast.stmt) -> ast.expr | None:
    """The expression that ends a statement, or its header."""
    match statement:
        case ast.Assign() | ast.AnnAssign() | ast.AugAssign() | ast.Return() | ast.Expr():
            return statement.value
        case ast.If() | ast.While():
            return statement.test
        case ast.For() | ast.AsyncFor():
            return statement.iter
    return None


def _laid_out(lines: Sequence[str], statement: ast.stmt, edited: _Edited, step: str) -> tuple[int, int, str] | None:
    """The first and last line of a statement or header and what takes their place; None where they stay."""
    value = _value(statement)
    if value is None:
        return None
    limit = min(edit.limit for _, edit in edited)
    added = Counter(node for node, edit in edited if isinstance(edit, AddArgument | AddItem))
    written_on = {line for node, edit in edited for line in lines_of(node, edit, added[node])}
    too_long = [line for line in written_on if width(_bare(lines[line - 1])) > limit]
    frame = _Frame.of(lines, statement, value)
    if not too_long or frame is None:
        return None
    document = layout_of(value, lambda node: _written(lines, node), may_be_enclosed=not isinstance(statement, ast.Expr))
    if document is None:
        return None
    margin = lines[frame.first - 1][: len(lines[frame.first - 1]) - len(lines[frame.first - 1].lstrip())]
    parts = (document, frame.suffix)
    text = printed(parts, limit=limit, margin=margin, step=step, column=width(frame.prefix))
    may_be_enclosed = isinstance(document.parts[0], IfBroken)
    if not _same_tokens(text.removesuffix(frame.suffix), _written(lines, value), may_be_enclosed):
        return None
    new = (frame.prefix + text).split("\n")
    now = [_bare(line) for line in lines[frame.first - 1 : frame.last]]
    above, below = min(too_long) - frame.first, frame.last - max(too_long)
    if new[:above] != now[:above] or new[len(new) - below :] != now[len(now) - below :] or len(new) <= above + below:
        return None
    joins = len(added) == len({node for node, _ in edited})
    written = new[above : len(new) - below]
    if new == now or any(width(line) > limit for line in ((new[0], new[-1]) if joins else written)):
        return None
    last = lines[frame.last - 1]
    end = last[len(_bare(last)) :]
    inner = lines[frame.first - 1][len(_bare(lines[frame.first - 1])) :] or "\n"
    return frame.first, frame.last, inner.join(new) + end


@dataclass(frozen=True, slots=True)
class _Frame:
    """The lines of a statement or header, and what stands on them before and behind its value."""

    first: int
    last: int
    prefix: str
    suffix: str

    @classmethod
    def of(cls, lines: Sequence[str], statement: ast.stmt, value: ast.expr) -> _Frame | None:
        """None where the value does not end the line, or where comments for programs stand behind it."""
        first = statement.lineno
        start, end = _point(lines, value.lineno, value.col_offset), _end(lines, value)
        opening = "".join([*lines[first - 1 : start[0] - 1], lines[start[0] - 1][: start[1]]])
        prefix = opening.rstrip()
        closing, line = lines[end[0] - 1][end[1] :], end[0]
        if prefix.endswith("(") and not isinstance(statement, ast.Expr) and "\n" not in prefix:
            while not closing.strip() and line < len(lines):
                closing = lines[line]
                line += 1
            closing = closing.lstrip()
            if not closing.startswith(")"):
                return None
            closing = closing[1:]
            prefix = prefix[:-1]
        else:
            prefix = opening
        suffix = _bare(closing)
        is_header = isinstance(statement, ast.If | ast.While | ast.For | ast.AsyncFor)
        if is_header and not suffix.startswith(":"):
            return None
        before = lines[first - 1][: _point(lines, first, statement.col_offset)[1]]
        if before.strip() or "\n" in prefix or PRAGMA.search(suffix):
            return None
        if not _COMMENT.fullmatch(suffix.removeprefix(":") if is_header else suffix):
            return None
        return cls(first, line, prefix, suffix)


def lines_of(node: ast.expr, edit: Growing, added: int) -> range:
    """The lines that an edit has written on, in the result; `added`: how many arguments or items the node got."""
    first = node.lineno
    match edit, node:
        case AddArgument(), ast.Call():
            first = arguments_as_written(node)[-added].lineno
        case AddItem(), ast.Dict():
            first = min(one.lineno for one in node.keys[-added:] if one is not None)
        case ChainCall(), ast.Call(func=ast.Attribute(value=value)):
            first = value.end_lineno or first
    return range(first, (node.end_lineno or first) + 1)


def _same_tokens(text: str, before: str, may_be_enclosed: bool) -> bool:
    """Whether two layouts hold the same, but for trailing commas and the parentheses around all of it."""
    made, known = _tokens(text), _tokens(before)
    if made is None or known is None:
        return False
    return made == known or (may_be_enclosed and made[:1] == ["("] and made[1:-1] == known)


def _tokens(text: str) -> list[str] | None:
    found: list[str] = []
    try:
        for token in tokenize.generate_tokens(io.StringIO(f"({text}\n)").readline):
            if token.string in (")", "]", "}") and found[-1:] == [","]:
                found.pop()
            if token.type not in (tokenize.NL, tokenize.NEWLINE, tokenize.ENDMARKER):
                found.append(token.string)
    except (tokenize.TokenError, SyntaxError):
        return None
    return found[1:-1]


def node_range(lines: Sequence[str], node: ast.expr) -> tuple[tuple[int, int], tuple[int, int]]:
    """Where a node of this text begins and ends: 1-based lines, columns in code points."""
    return _point(lines, node.lineno, node.col_offset), _end(lines, node)


def _written(lines: Sequence[str], node: ast.expr) -> str:
    start, end = node_range(lines, node)
    if start[0] == end[0]:
        return lines[start[0] - 1][start[1] : end[1]]
    inner = lines[start[0] : end[0] - 1]
    text = "".join([lines[start[0] - 1][start[1] :], *inner, lines[end[0] - 1][: end[1]]])
    return text.replace("\r\n", "\n")


def _end(lines: Sequence[str], node: ast.expr) -> tuple[int, int]:
    assert node.end_lineno is not None
    assert node.end_col_offset is not None
    return _point(lines, node.end_lineno, node.end_col_offset)


def _point(lines: Sequence[str], line: int, byte_offset: int) -> tuple[int, int]:
    return line, len(lines[line - 1].encode()[:byte_offset].decode(errors="replace"))


def _bare(line: str) -> str:
    return line.rstrip("\r\n")
