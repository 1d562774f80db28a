"""Whether edits fit a file and each other: which statements each one names, and what may not be asked for. Pure."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Sequence
from itertools import combinations, permutations

from codemods.plan import (
    AddFunction,
    AddItem,
    ChangeArguments,
    ChangeParameters,
    CreateFile,
    DissolveBlock,
    DissolveTry,
    Edit,
    GuardBlock,
    InsertAfter,
    InsertBefore,
    LoopToBlock,
    OpenBlock,
    RemoveStatement,
    ReplaceExpression,
    ReplaceStatement,
    WidenBlock,
)
from codemods.transformers.errors import ComposeError
from codemods.transformers.expression_fit import Growing, arguments_as_written, check_expression, item_of
from codemods.transformers.expression_spans import ExpressionEdit, find_expression
from codemods.transformers.function_fit import check_function
from codemods.transformers.insertion_fit import check_insertion, check_opening
from codemods.transformers.open_block import Block, block_anchors, block_start, made_on
from codemods.transformers.outline import Outline, Place
from codemods.transformers.parameter_fit import check_parameters
from codemods.transformers.statement_fit import Reshaping, check_jumps, check_one_shape, check_statement


def start_line(edit: Edit) -> int:
    """The line that a message about an edit names."""
    match edit:
        case OpenBlock():
            return made_on(edit)
        case WidenBlock():
            return edit.block
        case _ if isinstance(edit, ExpressionEdit):
            return edit.span.line
        case GuardBlock():
            return edit.first
        case CreateFile():
            return 0
        case _:
            return edit.line


def places_of(outline: Outline, tree: ast.Module, edit: Edit) -> list[Place]:
    """The sibling statements that an edit names, in order. `tree` is the one that the outline was made from.

    An expression's is the innermost statement around it that has its lines for itself. Raises ComposeError where
    lines name no statements, or none that are siblings and in order.
    """
    match edit:
        case _ if isinstance(edit, ExpressionEdit):
            return [_holder(outline, tree, edit)]
        case OpenBlock() | WidenBlock() | GuardBlock():
            anchors = block_anchors(edit)
        case CreateFile():
            raise ComposeError(f"{edit.path} is there already")
        case _:
            return [outline.find(edit.line)]
    places = [outline.find(line) for line in anchors]
    if any(place.suite is not places[0].suite for place in places):
        raise ComposeError(f"lines {', '.join(map(str, anchors))} are not of one suite", anchors[0])
    indexes = [place.index for place in places]
    if indexes != sorted(indexes):
        raise ComposeError(f"lines {', '.join(map(str, anchors))} are out of order", anchors[0])
    return places


def check_fit(outline: Outline, tree: ast.Module, edits: Sequence[Edit]) -> None:
    """Raise ComposeError unless every edit fits the file and no two of them get in each other's way."""
    places = {edit: places_of(outline, tree, edit)[0] for edit in edits}
    for edit, place in places.items():
        _check_one(outline, place.statement, edit)
        if isinstance(edit, InsertBefore | InsertAfter):
            check_insertion(outline, place, edit, edits)
        if isinstance(edit, AddFunction):
            check_function(place, edit, edits)
        if isinstance(edit, OpenBlock):
            check_opening(outline, place, edit)
        if isinstance(edit, Growing):
            check_expression(find_expression(tree, outline.lines.lines, edit)[0], edit)
    check_one_shape(edits)
    check_jumps(tree, edits)
    closes = {line for edit in edits if isinstance(edit, DissolveTry) for line in edit.closes}
    removed = closes | {edit.line for edit in edits if isinstance(edit, RemoveStatement)}
    _check_creations([edit for edit in edits if isinstance(edit, OpenBlock)], removed)
    blocks = [(edit, place) for edit, place in places.items() if isinstance(edit, Block)]
    for (one, place), (other, of_other) in combinations(blocks, 2):
        if place.suite is of_other.suite:
            _check_pair(one, other)
    expressions = [edit for edit in edits if isinstance(edit, ExpressionEdit)]
    _check_expressions(expressions)
    _check_arguments(outline, tree, expressions)
    _check_items(expressions)
    _check_headers(outline, tree, edits, expressions)
    replaced = {edit.creation for edit in edits if isinstance(edit, OpenBlock) and edit.context is not None}
    replaced |= {edit.line for edit in edits if isinstance(edit, ReplaceStatement)}
    for edit, place in places.items():
        if isinstance(edit, RemoveStatement):
            continue
        # an expression is lost with the statement that holds it, everything else with what its statement stands in
        own, *outer = _lines_around(place)
        lost_in = own in removed | replaced if isinstance(edit, ExpressionEdit) else False
        if lost_in or closes.intersection(outer):
            raise ComposeError(f"what is edited on line {start_line(edit)} is taken away too", start_line(edit))


def _holder(outline: Outline, tree: ast.Module, edit: ExpressionEdit) -> Place:
    statement = find_expression(tree, outline.lines.lines, edit)[1]
    place: Place | None = next(
        Place(suite, index)
        for suite in outline.suites
        for index, one in enumerate(suite.statements)
        if one is statement
    )
    while place is not None and not outline.alone(place):
        place = place.suite.owner
    if place is None:
        raise ComposeError(f"the statement on line {edit.span.line} shares its line with other code", edit.span.line)
    return place


def _lines_around(place: Place) -> list[int]:
    """The lines of a statement and of those around it, from the inside out."""
    lines = [place.statement.lineno]
    while place.suite.owner is not None:
        place = place.suite.owner
        lines.append(place.statement.lineno)
    return lines


def _check_one(outline: Outline, statement: ast.stmt, edit: Edit) -> None:
    match edit:
        case RemoveStatement() if _has_suite(statement):
            raise ComposeError(f"line {edit.line} is no simple statement to take away", edit.line)
        case WidenBlock() if edit.block == edit.last:
            raise ComposeError(f"the block on line {edit.block} has nothing to take in", edit.block)
        case DissolveTry():
            if not isinstance(statement, ast.Try | ast.TryStar) or not statement.finalbody:
                raise ComposeError(f"the statement on line {edit.line} is no `try` with a `finally`", edit.line)
            if not edit.closes:
                raise ComposeError(f"nothing goes from the `finally` of line {edit.line}", edit.line)
            for line in edit.closes:
                _check_close(outline, statement.finalbody, line)
        case ChangeParameters():
            if not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
                raise ComposeError(f"the statement on line {edit.line} defines no function", edit.line)
            check_parameters(outline, statement, edit)
        case _ if isinstance(edit, GuardBlock | Reshaping):
            check_statement(statement, edit)


def _check_close(outline: Outline, final: list[ast.stmt], line: int) -> None:
    """A close may be all that stands beside `finally:`, else it has its line for itself."""
    found = [statement for statement in final if statement.lineno == line]
    if not found:
        raise ComposeError(f"line {line} starts no statement of the `finally`", line)
    beside_header = outline.lines[line].encode()[: found[0].col_offset].strip()
    if len(final) > 1 or not beside_header:
        outline.find(line)
    is_guard = isinstance(found[0], ast.If) and not found[0].orelse
    if _has_suite(found[0]) and not is_guard:
        raise ComposeError(f"line {line} is no close to take away", line)
    if any(isinstance(node, ast.Import | ast.ImportFrom) for node in ast.walk(found[0])):
        raise ComposeError(f"the statement on line {line} imports something", line)


def _has_suite(statement: ast.stmt) -> bool:
    return bool(getattr(statement, "body", None) or getattr(statement, "cases", None))


def _check_creations(blocks: Sequence[OpenBlock], removed: set[int]) -> None:
    creations = Counter(block.creation for block in blocks if block.creation is not None)
    for line, count in creations.items():
        if count > 1:
            raise ComposeError(f"two blocks are to take the place of line {line}", line)
        if line in removed:
            raise ComposeError(f"line {line} is both taken away and made a block", line)


def _check_expressions(edits: Sequence[ExpressionEdit]) -> None:
    """Nothing in an expression that is replaced may be edited."""
    for one, other in permutations(edits, 2):
        inner = other.span
        starts = (one.span.line, one.span.column) <= (inner.line, inner.column)
        ends = (inner.end_line, inner.end_column) <= (one.span.end_line, one.span.end_column)
        if isinstance(one, ReplaceExpression) and starts and ends:
            raise ComposeError(f"two expressions on line {inner.line} lie in each other", inner.line)


def _check_arguments(outline: Outline, tree: ast.Module, edits: Sequence[ExpressionEdit]) -> None:
    """Nothing in an argument that goes or gives way may be edited."""
    lines = outline.lines.lines
    gone: set[ast.AST] = set()
    for edit in edits:
        call = find_expression(tree, lines, edit)[0] if isinstance(edit, ChangeArguments) else None
        if isinstance(edit, ChangeArguments) and isinstance(call, ast.Call):
            written = arguments_as_written(call)
            gone.update(node for change in edit.changes for node in ast.walk(written[change.index]))
    for edit in edits:
        if gone and find_expression(tree, lines, edit)[0] in gone:
            raise ComposeError(f"what is edited on line {edit.span.line} is taken away too", edit.span.line)


def _check_items(edits: Sequence[ExpressionEdit]) -> None:
    """No dict may get one key twice."""
    added = [edit for edit in edits if isinstance(edit, AddItem)]
    keys = Counter((edit.span, ast.unparse(item_of(edit.text, edit.span.line)[0])) for edit in added)
    for (span, key), count in keys.items():
        if count > 1:
            raise ComposeError(f"the dict on line {span.line} is to get the key {key} twice", span.line)


def _check_headers(
    outline: Outline, tree: ast.Module, edits: Sequence[Edit], expressions: Sequence[ExpressionEdit]
) -> None:
    """No expression of a header that goes may be edited; one of a body on the header's line may."""
    gone: set[ast.AST] = set()
    for edit in edits:
        if not isinstance(edit, LoopToBlock | DissolveBlock):
            continue
        match outline.find(edit.line).statement:
            case ast.For(iter=header) | ast.AsyncFor(iter=header):
                gone.update(ast.walk(header))
            case ast.With(items=[item]) | ast.AsyncWith(items=[item]):
                gone.update(ast.walk(item))
    for expression in expressions:
        if gone and find_expression(tree, outline.lines.lines, expression)[0] in gone:
            line = expression.span.line
            raise ComposeError(f"what is edited on line {line} is taken away too", line)


def _check_pair(one: Block, other: Block) -> None:
    if block_start(one) > block_start(other) or (block_start(one) == block_start(other) and one.last < other.last):
        one, other = other, one
    start = block_start(other)
    if start > one.last:
        return
    partial = other.last > one.last
    # the header of a widened block cannot go into a block that ends before what the widened one takes in
    beheaded = start == block_start(one) and isinstance(one, WidenBlock) and other.last < one.last
    if partial or beheaded:
        raise ComposeError(
            f"the blocks over lines {block_start(one)}-{one.last} and {start}-{other.last} overlap", start
        )
