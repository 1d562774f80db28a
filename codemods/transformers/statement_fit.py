"""Whether an edit that gives one statement another shape fits that statement, and what else is asked of it. Pure."""

from __future__ import annotations

import ast
import keyword
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set

from codemods import syntax
from codemods.plan import (
    AddFinally,
    ChangeDefinition,
    DissolveBlock,
    DissolveTry,
    Edit,
    GuardBlock,
    InsertAfter,
    InsertBefore,
    LoopToBlock,
    NameReturned,
    OpenBlock,
    RemoveStatement,
    ReplaceStatement,
    WidenBlock,
)
from codemods.transformers.errors import ComposeError
from codemods.transformers.outline import suites_of

Reshaping = DissolveBlock | AddFinally | LoopToBlock | ReplaceStatement | NameReturned | ChangeDefinition


def check_statement(statement: ast.stmt, edit: Reshaping | GuardBlock) -> None:
    """Raise ComposeError unless `statement` is of the kind that `edit` speaks of, and what it says can be written."""
    match edit:
        case GuardBlock():
            _check_name(edit.name, edit.first)
        case AddFinally():
            _check_name(edit.name, edit.line)
            if not isinstance(statement, ast.Try | ast.TryStar) or statement.finalbody:
                raise ComposeError(f"the statement on line {edit.line} is no `try` without a `finally`", edit.line)
        case DissolveBlock():
            _check_block(statement, edit.line)
        case LoopToBlock():
            _check_loop(statement, edit.line)
        case ReplaceStatement():
            if any(suites_of(statement)):
                raise ComposeError(f"line {edit.line} is no simple statement to replace", edit.line)
            code = code_of(edit)
            if not code:
                raise ComposeError(f"nothing is to replace line {edit.line}", edit.line)
            _check_no_import([statement, *code], edit.line)
        case NameReturned():
            _check_name(edit.name, edit.line)
            if not isinstance(statement, ast.Return) or statement.value is None:
                raise ComposeError(f"the statement on line {edit.line} returns no value", edit.line)
            check_code(edit.code, edit.line)
        case ChangeDefinition():
            if not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
                raise ComposeError(f"the statement on line {edit.line} defines no function", edit.line)


def _check_name(name: str, line: int) -> None:
    if not name.isidentifier() or keyword.iskeyword(name):
        raise ComposeError(f"`{name}` is no name of a variable", line)


def _check_block(statement: ast.stmt, line: int) -> None:
    if not isinstance(statement, ast.With | ast.AsyncWith) or len(statement.items) != 1:
        raise ComposeError(f"the statement on line {line} is no `with` block of one item", line)
    if not isinstance(statement.items[0].optional_vars, ast.Name | None):
        raise ComposeError(f"the block on line {line} does not assign to one name", line)


def _check_loop(statement: ast.stmt, line: int) -> None:
    if not isinstance(statement, ast.For | ast.AsyncFor):
        raise ComposeError(f"the statement on line {line} is no `for` loop", line)
    if statement.orelse:
        raise ComposeError(f"the loop on line {line} has an `else`", line)
    if not isinstance(statement.target, ast.Name):
        raise ComposeError(f"the loop on line {line} does not assign to one name", line)


def _check_no_import(statements: Sequence[ast.stmt], line: int) -> None:
    if any(isinstance(node, ast.Import | ast.ImportFrom) for one in statements for node in ast.walk(one)):
        raise ComposeError(f"the statement on line {line}, or what replaces it, imports something", line)


def code_of(edit: ReplaceStatement) -> list[ast.stmt]:
    """The statements of the code that replaces another. Raises ComposeError where it cannot be read."""
    try:
        return syntax.parse(edit.code).body
    except SyntaxError as error:
        raise ComposeError(f"what is to replace line {edit.line} cannot be read: {error.msg}", edit.line) from error


def check_code(code: str, line: int) -> None:
    """Raise ComposeError where the code that goes beside `line` cannot be read, is none, or imports something."""
    try:
        statements = syntax.parse(code).body
    except SyntaxError as error:
        raise ComposeError(f"the code for line {line} cannot be read: {error.msg}", line) from error
    if not statements:
        raise ComposeError(f"the code for line {line} holds no statement", line)
    if any(isinstance(node, ast.Import | ast.ImportFrom) for one in statements for node in ast.walk(one)):
        raise ComposeError(f"the code for line {line} imports something", line)


def only_imports(code: str) -> bool:
    """Whether a code that can be read is nothing but imports."""
    return all(isinstance(statement, ast.Import | ast.ImportFrom) for statement in syntax.parse(code).body)


def check_one_shape(edits: Sequence[Edit]) -> None:
    """Raise ComposeError where a statement is to take two shapes, or one and to go."""
    shaped = [edit.line for edit in edits if isinstance(edit, Reshaping)]
    others = {edit.line for edit in edits if isinstance(edit, RemoveStatement | DissolveTry)}
    others |= {line for edit in edits if isinstance(edit, DissolveTry) for line in edit.closes}
    others |= {edit.creation for edit in edits if isinstance(edit, OpenBlock) and edit.creation is not None}
    widened = {edit.block for edit in edits if isinstance(edit, WidenBlock)}
    dissolved = {edit.line for edit in edits if isinstance(edit, DissolveBlock)}
    twice = {line for line, count in Counter(shaped).items() if count > 1}
    for line in sorted(twice | others.intersection(shaped) | (widened & dissolved)):
        raise ComposeError(f"the statement on line {line} is changed in two ways", line)


def check_jumps(tree: ast.Module, edits: Sequence[Edit]) -> None:
    """Raise ComposeError where a `break` or `continue` of a loop that becomes a block would stay: it would leave
    another loop than before, or none."""
    loops = {edit.line for edit in edits if isinstance(edit, LoopToBlock)}
    if not loops:
        return
    gone = {edit.line for edit in edits if isinstance(edit, RemoveStatement)}
    codes = {edit.line: code_of(edit) for edit in edits if isinstance(edit, ReplaceStatement)}
    added: dict[int, list[ast.stmt]] = {}
    for edit in edits:
        if isinstance(edit, InsertBefore | InsertAfter | NameReturned):
            added.setdefault(edit.line, []).extend(syntax.parse(edit.code).body)
    for node in ast.walk(tree):
        if isinstance(node, ast.For | ast.AsyncFor) and node.lineno in loops:
            for line in _jumps(node.body, gone, codes, added):
                raise ComposeError(f"the loop on line {node.lineno} is left or gone on with on line {line}", line)


def _jumps(
    suite: Sequence[ast.stmt],
    gone: Set[int],
    codes: Mapping[int, list[ast.stmt]],
    added: Mapping[int, list[ast.stmt]],
) -> Iterator[int]:
    """The lines of the jumps of a suite that belong to the loop around it: `codes` stand in the place of statements,
    `added` beside them."""
    for statement in suite:
        line = statement.lineno
        yield from (line for _ in _jumps(added.get(line, []), set(), {}, {}))
        if line in gone:
            continue
        if line in codes:
            yield from (line for _ in _jumps(codes[line], set(), {}, {}))
        elif isinstance(statement, ast.Break | ast.Continue):
            yield line
        elif isinstance(statement, ast.For | ast.AsyncFor | ast.While):
            yield from _jumps(statement.orelse, gone, codes, added)
        elif not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            for inner in suites_of(statement):
                yield from _jumps(inner, gone, codes, added)
