"""Whether a function can be added behind a statement. Pure; `ast` alone."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from codemods import syntax
from codemods.plan import AddFunction, Edit
from codemods.transformers.errors import ComposeError
from codemods.transformers.outline import Place

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def check_function(place: Place, edit: AddFunction, edits: Sequence[Edit]) -> None:
    """Raise ComposeError unless the statement of `place` is a function or class, the code of `edit` is one function,
    and nothing in the suite bears its name, functions that other edits add there included."""
    line = edit.line
    if not isinstance(place.statement, Definition):
        raise ComposeError(f"the statement on line {line} defines no function or class", line)
    name = function_of(edit).name
    lines = {statement.lineno for statement in place.suite.statements}
    others = [one for one in edits if isinstance(one, AddFunction) and one != edit and one.line in lines]
    taken = {bound for statement in place.suite.statements for bound in _bound(statement)}
    if name in taken or any(function_of(one).name == name for one in others):
        raise ComposeError(f"the name `{name}` is taken beside line {line}", line)


def function_of(edit: AddFunction) -> ast.FunctionDef | ast.AsyncFunctionDef:
    """The function that the code of `edit` is. Raises ComposeError where it cannot be read, or is something else."""
    try:
        body = syntax.parse(edit.code).body
    except SyntaxError as error:
        raise ComposeError(f"the code for line {edit.line} cannot be read: {error.msg}", edit.line) from error
    match body:
        case [ast.FunctionDef() | ast.AsyncFunctionDef() as only]:
            return only
    raise ComposeError(f"the code for line {edit.line} is not one function", edit.line)


def _bound(statement: ast.stmt) -> Iterator[str]:
    """The names that a statement binds at its own level."""
    if isinstance(statement, Definition):
        yield statement.name
        return
    for node in ast.walk(statement):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.alias):
            yield node.asname or node.name.partition(".")[0]
