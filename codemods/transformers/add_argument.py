"""One more argument at the end of a call, in the layout of those that it has. Pure; works on nodes."""

from __future__ import annotations

import libcst as cst

from codemods.plan import AddArgument
from codemods.transformers.argument_list import argument_nodes, call_at, listed, with_listed
from codemods.transformers.errors import ComposeError


def with_argument(edit: AddArgument, node: cst.BaseExpression) -> cst.Call:
    """The call with the argument. Raises ComposeError where `node` is no call or its only argument is a generator
    without parentheses, where a comment has no line to stay on, or where the text is not one argument."""
    line = edit.span.line
    call = call_at(node, line)
    (new,) = argument_nodes(edit.text, line)
    match call.args:
        case [*_, cst.Arg(value=cst.GeneratorExp(lpar=[]))]:
            raise ComposeError(f"the only argument of the call on line {line} is a generator without parentheses", line)
    return with_listed(call, listed(call).with_last(new, line))
