"""The tree that the edits ought to give, made with `ast` alone: a second opinion on what libcst wrote. Pure.

Only what is not an import is compared: imports have their own rules (`imports.py`), and `pass` is what an emptied
suite gets, so both are left out on either side.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable

from codemods.plan import Edit, OpenBlock, RemoveStatement, WidenBlock
from codemods.transformers.errors import ComposeError
from codemods.transformers.outline import suites_of


def check_statements(before: str, after: str, edits: Iterable[Edit]) -> None:
    """Raise ComposeError unless `after` holds the statements of `before` with exactly these edits made."""
    expected = ast.parse(before)
    _edit_all(expected.body, list(edits))
    found = ast.parse(after)
    for tree in (expected, found):
        _without_fillers(tree.body)
    if ast.dump(expected) != ast.dump(found):
        raise ComposeError("the edited text does not hold the statements that it ought to hold")


def _edit_all(suite: list[ast.stmt], edits: list[Edit]) -> None:
    for statement in suite:
        for inner in suites_of(statement):
            # the body of `if x: y` stands on its header's line, and a line names the outermost statement
            if inner[0].lineno != statement.lineno:
                _edit_all(inner, edits)
    by_line = {statement.lineno: statement for statement in suite}
    gone = {edit.line for edit in edits if isinstance(edit, RemoveStatement)}
    gone |= {edit.creation for edit in edits if isinstance(edit, OpenBlock)}
    blocks = [edit for edit in edits if not isinstance(edit, RemoveStatement) and _start(edit) in by_line]
    # outer before inner; of two blocks over the same statements the one whose session was made first is outside
    blocks.sort(key=lambda edit: (_start(edit), -edit.last, *_birth(edit)))
    suite[:] = _nest(suite, blocks, gone, by_line)


def _start(edit: OpenBlock | WidenBlock) -> int:
    return edit.first if isinstance(edit, OpenBlock) else edit.block


def _birth(edit: OpenBlock | WidenBlock) -> tuple[int, int]:
    return (0, edit.creation) if isinstance(edit, OpenBlock) else (1, edit.block)


def _nest(
    suite: list[ast.stmt], blocks: list[OpenBlock | WidenBlock], gone: set[int], by_line: dict[int, ast.stmt]
) -> list[ast.stmt]:
    made: list[ast.stmt] = []
    reached = 0
    for statement in suite:
        line = statement.lineno
        if line <= reached:
            continue
        block = next((block for block in blocks if _start(block) == line), None)
        if block is None:
            if line not in gone:
                made.append(statement)
            continue
        rest = [other for other in blocks if other is not block]
        reached = block.last
        inside = [sibling for sibling in suite if line <= sibling.lineno <= reached]
        if isinstance(block, WidenBlock):
            assert isinstance(statement, ast.With | ast.AsyncWith)
            statement.body.extend(_nest(inside[1:], rest, gone, by_line))
            made.append(statement)
        else:
            made.extend(_opened(block, by_line[block.creation], _nest(inside, rest, gone, by_line)))
    return made


def _opened(block: OpenBlock, creation: ast.stmt, body: list[ast.stmt]) -> list[ast.stmt]:
    assert isinstance(creation, ast.Assign | ast.AnnAssign)
    assert creation.value is not None
    value = creation.value if block.context is None else ast.parse(f"({block.context}\n)", mode="eval").body
    item = ast.withitem(context_expr=value, optional_vars=ast.Name(id=block.name, ctx=ast.Store()))
    opened = (ast.AsyncWith if block.is_async else ast.With)(items=[item], body=body)
    if not block.keep_annotation:
        return [opened]
    assert isinstance(creation, ast.AnnAssign)
    bare = ast.AnnAssign(target=creation.target, annotation=creation.annotation, value=None, simple=creation.simple)
    return [bare, opened]


def _without_fillers(suite: list[ast.stmt]) -> None:
    suite[:] = [statement for statement in suite if not isinstance(statement, ast.Import | ast.ImportFrom | ast.Pass)]
    for statement in suite:
        for inner in suites_of(statement):
            _without_fillers(inner)
