"""The `try` that the practices give a dependency around what it hands out, and the `finally` alone. Pure; makes nodes.

Nothing here reads a file; what stands inside of the `try` is given by the suite that is put together again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import libcst as cst

from codemods.plan import AddFinally, GuardBlock
from codemods.transformers.errors import ComposeError
from codemods.transformers.items import Statement
from codemods.transformers.leading_lines import Lines

Tried = TypeVar("Tried", cst.Try, cst.TryStar)


def guarded(
    block: GuardBlock, body: Sequence[Statement], footer: Sequence[cst.EmptyLine], above: Lines, step: str
) -> cst.Try:
    """`body` in a `try` that rolls back and raises what went wrong, and closes the session in any case.

    `footer` are lines at the end of the body, `above` those above the `try`; its suites are indented by `step`.
    """
    handler = cst.ExceptHandler(
        type=cst.Name("Exception"),
        whitespace_after_except=cst.SimpleWhitespace(" "),
        body=cst.IndentedBlock(
            body=[_call(block, "rollback"), cst.SimpleStatementLine(body=[cst.Raise()])], indent=step
        ),
    )
    return cst.Try(
        body=cst.IndentedBlock(body=body, indent=step, footer=footer),
        handlers=[handler],
        finalbody=cst.Finally(body=cst.IndentedBlock(body=[_call(block, "close")], indent=step)),
        leading_lines=above,
    )


def with_finally(edit: AddFinally, node: Tried, step: str) -> Tried:
    """The `try` with a `finally` that closes the session, indented as its body; by `step` where that has one line.

    Raises ComposeError where there is a `finally` already.
    """
    if node.finalbody is not None:
        raise ComposeError(f"the `try` on line {edit.line} has a `finally`", edit.line)
    indent = node.body.indent if isinstance(node.body, cst.IndentedBlock) else step
    final = cst.Finally(body=cst.IndentedBlock(body=[_call(edit, "close")], indent=indent))
    return node.with_changes(finalbody=final)


def _call(edit: GuardBlock | AddFinally, method: str) -> cst.SimpleStatementLine:
    """`[await] name.method()` as a statement."""
    call: cst.BaseExpression = cst.Call(func=cst.Attribute(value=cst.Name(edit.name), attr=cst.Name(method)))
    return cst.SimpleStatementLine(body=[cst.Expr(value=cst.Await(expression=call) if edit.is_async else call)])
