"""Other arguments for a call, in the places and the layout of those that it has. Pure; works on nodes."""

from __future__ import annotations

import libcst as cst

from codemods.plan import ChangeArguments
from codemods.transformers.argument_list import argument_nodes, call_at, listed, with_listed
from codemods.transformers.errors import ComposeError


def with_arguments(edit: ChangeArguments, node: cst.BaseExpression) -> cst.Call:
    """The call with the arguments changed. Raises ComposeError where `node` is no call or lacks one of the arguments,
    where a text is no argument, or where an argument that does not stay has a comment in it."""
    line = edit.span.line
    call = call_at(node, line)
    if any(not 0 <= change.index < len(call.args) for change in edit.changes):
        raise ComposeError(f"the call on line {line} has no such argument", line)
    new = {change.index: [] if change.text is None else argument_nodes(change.text, line) for change in edit.changes}
    return with_listed(call, listed(call).changed(new, line))
