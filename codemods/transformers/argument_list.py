"""The arguments of a call as a list with commas, and what a text holds of them. Pure; works on nodes."""

from __future__ import annotations

import libcst as cst

from codemods.transformers.comma_lists import NOTHING, CommaList
from codemods.transformers.errors import ComposeError
from codemods.transformers.expression_spans import parse_expression


def call_at(node: cst.BaseExpression, line: int) -> cst.Call:
    """The node. Raises ComposeError, for `line`, where it is no call."""
    if not isinstance(node, cst.Call):
        raise ComposeError(f"the expression on line {line} is no call", line)
    return node


def argument_nodes(text: str, line: int) -> list[cst.Arg]:
    """The arguments that a text is, at least one. Raises ComposeError for `line` where it is none."""
    match parse_expression(f"_({text})", line):
        case cst.Call(func=cst.Name("_"), args=[*args, cst.Arg(comma=cst.MaybeSentinel.DEFAULT) as last], lpar=[]):
            return [*(arg.with_changes(comma=cst.MaybeSentinel.DEFAULT) for arg in args), last]
    raise ComposeError(f"`{text}` is no argument", line)


def listed(node: cst.Call) -> CommaList[cst.Arg]:
    """The arguments of a call, without their commas and the space around them."""
    commas = [arg.comma if isinstance(arg.comma, cst.Comma) else None for arg in node.args]
    bare = [arg.with_changes(comma=cst.MaybeSentinel.DEFAULT, whitespace_after_arg=NOTHING) for arg in node.args]
    last = node.args[-1].whitespace_after_arg if node.args else NOTHING
    return CommaList.of(bare, commas, node.whitespace_before_args, last)


def with_listed(node: cst.Call, made: CommaList[cst.Arg]) -> cst.Call:
    """The call with these arguments in the place of its own."""
    args = [_placed(made, index) for index in range(len(made.parts))]
    return node.with_changes(args=args, whitespace_before_args=made.first)


def _placed(made: CommaList[cst.Arg], index: int) -> cst.Arg:
    comma = made.comma(index)
    arg = made.parts[index].node
    if comma is not None:
        return arg.with_changes(comma=comma, whitespace_after_arg=NOTHING)
    return arg.with_changes(comma=cst.MaybeSentinel.DEFAULT, whitespace_after_arg=made.last)
