"""What a `return` gives back gets a name, so that statements can work on it first. Pure; works on nodes.

The value is not written again: it moves from the one statement to the other with the comments in it.
"""

from __future__ import annotations

import libcst as cst

from codemods.plan import NameReturned
from codemods.transformers.code_statements import statements_of
from codemods.transformers.errors import ComposeError
from codemods.transformers.items import Item, Statement
from codemods.transformers.leading_lines import line_end


def named(edit: NameReturned, node: Statement, *, step: str, newline: str) -> Item:
    """What stands where the `return` stood: the assignment, the statements of the code, and the `return` of the name.

    Raises ComposeError where `node` is no `return` with a value, or where the code cannot be read.
    """
    match node:
        case cst.SimpleStatementLine(body=[cst.Return(value=cst.BaseExpression() as value) as old]):
            pass
        case _:
            raise ComposeError(f"the statement on line {edit.line} returns no value", edit.line)
    gap = old.whitespace_after_return
    # a line continued by a backslash goes on as it did
    space = gap if isinstance(gap, cst.SimpleWhitespace) and "\\" in gap.value else cst.SimpleWhitespace(" ")
    target = cst.AssignTarget(target=cst.Name(edit.name), whitespace_after_equal=space)
    first = cst.SimpleStatementLine(
        body=[cst.Assign(targets=[target], value=value)], trailing_whitespace=line_end(node)
    )
    nodes, footer = statements_of(edit.code, edit.line, step=step, newline=newline)
    last = cst.SimpleStatementLine(body=[cst.Return(value=cst.Name(edit.name))], leading_lines=footer)
    return Item(edit.line, (first, *nodes, last), list(node.leading_lines))
