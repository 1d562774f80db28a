"""Other arguments for a call, in the places and the layout of those that it has. Pure; works on nodes."""

from __future__ import annotations

import libcst as cst

from codemods.plan import ChangeArguments
from codemods.transformers.add_argument import argument_nodes
from codemods.transformers.comma_lists import NOTHING, CommaList
from codemods.transformers.errors import ComposeError


def with_arguments(edit: ChangeArguments, node: cst.BaseExpression) -> cst.Call:
    """The call with the arguments changed. Raises ComposeError where `node` is no call or lacks one of the arguments,
    where a text is no argument, or where an argument that does not stay has a comment in it."""
    line = edit.span.line
    if not isinstance(node, cst.Call):
        raise ComposeError(f"the expression on line {line} is no call", line)
    if any(not 0 <= change.index < len(node.args) for change in edit.changes):
        raise ComposeError(f"the call on line {line} has no such argument", line)
    new = {change.index: [] if change.text is None else argument_nodes(change.text, line) for change in edit.changes}
    made = _listed(node).changed(new, line)
    args = [_placed(made, index) for index in range(len(made.parts))]
    return node.with_changes(args=args, whitespace_before_args=made.first)


def _listed(node: cst.Call) -> CommaList[cst.Arg]:
    commas = [arg.comma if isinstance(arg.comma, cst.Comma) else None for arg in node.args]
    bare = [arg.with_changes(comma=cst.MaybeSentinel.DEFAULT, whitespace_after_arg=NOTHING) for arg in node.args]
    last = node.args[-1].whitespace_after_arg if node.args else NOTHING
    return CommaList.of(bare, commas, node.whitespace_before_args, last)


def _placed(made: CommaList[cst.Arg], index: int) -> cst.Arg:
    comma = made.comma(index)
    arg = made.parts[index].node
    if comma is not None:
        return arg.with_changes(comma=comma, whitespace_after_arg=NOTHING)
    return arg.with_changes(comma=cst.MaybeSentinel.DEFAULT, whitespace_after_arg=made.last)
