"""One more argument at the end of a call, in the layout of those that it has. Pure; works on nodes."""

from __future__ import annotations

from collections.abc import Sequence

import libcst as cst

from codemods.plan import AddArgument
from codemods.transformers.errors import ComposeError
from codemods.transformers.expression_spans import parse_expression
from codemods.transformers.leading_lines import comment_lines

_Gap = cst.BaseParenthesizableWhitespace


def with_argument(edit: AddArgument, node: cst.BaseExpression) -> cst.Call:
    """The call with the argument. Raises ComposeError where `node` is no call or its only argument is a generator
    without parentheses, where a comment has no line to stay on, or where the text is not one argument."""
    line = edit.span.line
    if not isinstance(node, cst.Call):
        raise ComposeError(f"the expression on line {line} is no call", line)
    (new,) = argument_nodes(edit.text, line)
    if not node.args:
        if comment_lines(node.whitespace_before_args):
            raise ComposeError(f"the call on line {line} has a comment in the place of arguments", line)
        return node.with_changes(args=[new], whitespace_before_args=cst.SimpleWhitespace(""))
    *others, last = node.args
    if isinstance(last.value, cst.GeneratorExp) and not last.value.lpar:
        raise ComposeError(f"the only argument of the call on line {line} is a generator without parentheses", line)
    comma = last.comma if isinstance(last.comma, cst.Comma) else None
    gap = last.whitespace_after_arg if comma is None else comma.whitespace_after
    between, end = _parted(gap, _gaps(node.whitespace_before_args, others), line)
    if comma is None:
        last = last.with_changes(
            comma=cst.Comma(whitespace_after=between), whitespace_after_arg=cst.SimpleWhitespace("")
        )
        new = new.with_changes(whitespace_after_arg=end)
    else:
        last = last.with_changes(comma=comma.with_changes(whitespace_after=between))
        new = new.with_changes(comma=cst.Comma(whitespace_after=end))
    return node.with_changes(args=[*others, last, new])


def argument_nodes(text: str, line: int) -> list[cst.Arg]:
    """The arguments that a text is, at least one. Raises ComposeError for `line` where it is none."""
    match parse_expression(f"_({text})", line):
        case cst.Call(func=cst.Name("_"), args=[*args, cst.Arg(comma=cst.MaybeSentinel.DEFAULT) as last], lpar=[]):
            return [*(arg.with_changes(comma=cst.MaybeSentinel.DEFAULT) for arg in args), last]
    raise ComposeError(f"`{text}` is no argument", line)


def _gaps(first: _Gap, others: Sequence[cst.Arg]) -> list[_Gap]:
    """What stands before each argument, the last one's first."""
    return [*(arg.comma.whitespace_after for arg in reversed(others) if isinstance(arg.comma, cst.Comma)), first]


def _parted(gap: _Gap, gaps: Sequence[_Gap], line: int) -> tuple[_Gap, _Gap]:
    """What stands before the new argument and behind it, where `gap` stood behind the last one.

    `gaps` are those before the arguments, the last one's first. The new one gets a line of its own where the last one
    has one, or has comments behind it, which stay there.
    """
    has_comments = bool(comment_lines(gap))
    if not has_comments and not isinstance(gaps[0], cst.ParenthesizedWhitespace):
        return cst.SimpleWhitespace(" "), gap
    margin = next((one for one in gaps if isinstance(one, cst.ParenthesizedWhitespace)), None)
    if margin is None:
        raise ComposeError(f"the comment behind the last argument on line {line} leaves no line for another", line)
    newline = cst.TrailingWhitespace(newline=margin.first_line.newline)
    between = margin.with_changes(first_line=newline, empty_lines=[])
    if not isinstance(gap, cst.ParenthesizedWhitespace):
        return between, gap
    end = gap.with_changes(first_line=newline, empty_lines=[])
    return between.with_changes(first_line=gap.first_line, empty_lines=gap.empty_lines), end
