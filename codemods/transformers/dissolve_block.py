"""A block that another one around it has made needless gives way to its body. Pure; works on the nodes it is given.

Every comment stays: those of the header as lines of their own above the body, those at its end below it.
"""

from __future__ import annotations

import libcst as cst

from codemods.transformers.continuations import moved_out
from codemods.transformers.errors import ComposeError
from codemods.transformers.items import Item, Statement
from codemods.transformers.leading_lines import comment_lines, own_line, strip_first_blanks, strip_last_blanks


def body_of(line: int, node: Statement, *, default_step: str) -> Item:
    """What stays of a `with` of one item: its statements as they stand one step further left, none if all went."""
    if not isinstance(node, cst.With) or len(node.items) != 1:
        raise ComposeError(f"the statement on line {line} is no `with` block of one item", line)
    header = comment_lines(node.with_changes(body=cst.SimpleStatementSuite(body=[cst.Pass()]), leading_lines=[]))
    lead = list(node.leading_lines)
    if not isinstance(node.body, cst.IndentedBlock):
        assert isinstance(node.body, cst.SimpleStatementSuite)
        alone = cst.SimpleStatementLine(body=node.body.body, trailing_whitespace=node.body.trailing_whitespace)
        return Item(line, (alone,), lead, header)
    header += own_line(node.body.header)
    footer = strip_last_blanks(node.body.footer)
    if not node.body.body:
        return Item(line, (), lead, header, footer)
    nodes: list[Statement] = []
    for statement in node.body.body:
        assert isinstance(statement, cst.SimpleStatementLine | cst.BaseCompoundStatement)
        nodes.append(moved_out(statement, node.body.indent or default_step))
    return Item(line, tuple(nodes), lead, [*header, *strip_first_blanks(nodes[0].leading_lines)[1]], footer)
