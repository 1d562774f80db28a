"""Whether statements can be put beside another one without harm to what its place means. Pure."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence

from codemods import syntax
from codemods.plan import Edit, InsertAfter, InsertBefore, OpenBlock
from codemods.transformers.errors import ComposeError
from codemods.transformers.outline import Outline, Place, first_line, suites_of
from codemods.transformers.statement_fit import check_code, only_imports

_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_SIGNATURE = re.compile(r"\s*#\s*type:\s*\(")


def check_insertion(outline: Outline, place: Place, edit: InsertBefore | InsertAfter, edits: Sequence[Edit]) -> None:
    """Raise ComposeError unless the code of `edit` can be read and can stand beside the statement of `place`."""
    statement, line = place.statement, edit.line
    if isinstance(edit, InsertBefore) and _imports_in_function(place, edit):
        # what is made above the import cannot come from it
        if any(isinstance(one, OpenBlock) and one.creation is not None and one.first == line for one in edits):
            raise ComposeError(f"the import above line {line} would stand between a creation and its block", line)
    else:
        check_code(edit.code, line)
    if any(inner[0].lineno == line for inner in suites_of(statement)):
        raise ComposeError(f"the statement on line {line} shares its line with what it holds", line)
    if isinstance(edit, InsertAfter):
        # what stands between a creation and its block cannot use the session
        if any(isinstance(one, OpenBlock) and one.creation == line != one.first for one in edits):
            raise ComposeError(f"what is put after line {line} would stand above the block", line)
        return
    if place.index:
        return
    if place.suite.owner is None:
        raise ComposeError(f"line {line} begins the module", line)
    _check_first(outline, place, line, goes_above_comments=True)


def _imports_in_function(place: Place, edit: InsertBefore) -> bool:
    """Whether the code is nothing but imports, for a function of its own: those of a module are asked for elsewhere."""
    try:
        imports = bool(syntax.parse(edit.code).body) and only_imports(edit.code)
    except SyntaxError:
        return False
    owner = place.suite.owner
    while owner is not None and not isinstance(owner.statement, ast.FunctionDef | ast.AsyncFunctionDef):
        owner = owner.suite.owner
    return imports and owner is not None


def check_opening(outline: Outline, place: Place, edit: OpenBlock) -> None:
    """Raise ComposeError unless a block can begin with the statement of `place`, and with the block's prologue.

    What is first in a function may stand there for programs to read. A prologue comes above the comments of the first
    statement.
    """
    line = edit.first
    if edit.prologue:
        check_code(edit.prologue, line)
    if edit.creation is not None:
        return
    statement = place.statement
    if any(inner[0].lineno == line for inner in suites_of(statement)) and isinstance(statement, _DEFINITIONS):
        raise ComposeError(f"the statement on line {line} shares its line with what it holds", line)
    if not place.index and place.suite.owner is not None:
        _check_first(outline, place, line, goes_above_comments=bool(edit.prologue))


def _check_first(outline: Outline, place: Place, line: int, *, goes_above_comments: bool) -> None:
    """Raise ComposeError where the first statement of a suite documents it, or comments above it declare its types."""
    assert place.suite.owner is not None
    if not isinstance(place.suite.owner.statement, _DEFINITIONS):
        return
    match place.statement:
        case ast.Expr(value=ast.Constant(value=str())):
            raise ComposeError(f"the statement on line {line} documents what it stands in", line)
    if goes_above_comments and any(_SIGNATURE.match(comment) for comment in _above(outline, place.statement)):
        raise ComposeError(f"the comment above line {line} declares the types of the function", line)


def _above(outline: Outline, statement: ast.stmt) -> Iterator[str]:
    """The comment and blank lines above a statement."""
    line = first_line(statement) - 1
    while line and (outline.lines.blank(line) or outline.lines.comment(line)):
        yield outline.lines[line]
        line -= 1
