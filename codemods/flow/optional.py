"""`if session is None: session = F()`: a session that is made when the caller gave none. Reads; decides nothing."""

from __future__ import annotations

import ast

from codemods.flow.closing import closes_it
from codemods.flow.lifetime import Lifetime
from codemods.flow.made import Made
from codemods.flow.ownership import tests_truth
from codemods.flow.scope import Scope


def made_if_none(scope: Scope, statement: ast.stmt, made: Made) -> ast.If | None:
    """The `if` around `statement`, when all that it does is to make the session that a parameter lacks.

    None where the function closes the session somewhere, too.
    """
    match statement:
        case ast.Assign(targets=[ast.Name(id=name)], value=value) if value is made.node and name in scope.parameters:
            pass
        case _:
            return None
    branch = scope.owner_statement(statement)
    if not isinstance(branch, ast.If) or len(branch.body) > 1 or branch.orelse:
        return None
    if not _asks_for_none(branch.test, name) or branch.body[0].lineno == branch.lineno:
        return None
    if _is_elif(scope, branch) or any(closes_it(scope, use) for use in scope.uses(name)):
        return None  # who closes knows whose it is, or should: another form
    return branch


def falsy_is_none(life: Lifetime) -> bool:
    """Whether the form asks `if session`, not `if session is None`: then anything falsy counts as none given."""
    return isinstance(life.branch.test, ast.UnaryOp) if life.branch is not None else tests_truth(life.statement)


def _asks_for_none(test: ast.expr, name: str) -> bool:
    match test:
        case ast.Compare(left=ast.Name(id=tested), ops=[ast.Is()], comparators=[ast.Constant(value=None)]):
            return tested == name
        case ast.UnaryOp(op=ast.Not(), operand=ast.Name(id=tested)):
            return tested == name
        case _:
            return False


def _is_elif(scope: Scope, branch: ast.If) -> bool:
    above = scope.owner_statement(branch)
    return isinstance(above, ast.If) and above.orelse == [branch] and branch.col_offset == above.col_offset
