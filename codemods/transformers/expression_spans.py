"""Where an expression stands, in `ast`'s tree and in libcst's. Pure; reads what it is given, writes nothing.

The span of an expression is the one that `ast` gives it, in code points: without the parentheses around it, but with
those of a tuple or a generator.
"""

from __future__ import annotations

import ast
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence

import libcst as cst
from libcst.metadata import CodeRange

from codemods.plan import AddArgument, AddItem, ChainCall, ChangeArguments, ReplaceExpression, Span
from codemods.transformers.errors import ComposeError
from codemods.transformers.outline import first_line, last_line

ExpressionEdit = ReplaceExpression | AddArgument | AddItem | ChainCall | ChangeArguments

_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.arguments)


def find_expression(tree: ast.Module, lines: Sequence[str], edit: ExpressionEdit) -> tuple[ast.expr, ast.stmt]:
    """The expression at the span of `edit`, and the innermost statement that holds it.

    Raises ComposeError where there is none, where there are two, and where the expression is part of a definition
    (a decorator, a default, an annotation or a base), which does not run where the body runs.
    """
    span = edit.span
    found: ast.expr | None = None
    holder: ast.AST | None = None
    for node, outer in _walk(tree, span, ()):
        if not isinstance(node, ast.expr) or not _spans(node, lines, span):
            continue
        if found in outer:
            continue  # the parts of an f-string may have the span of the whole
        if found is not None:
            raise ComposeError(f"two expressions have the same span on line {span.line}", span.line)
        found = node
        holder = next(one for one in outer if isinstance(one, ast.stmt | ast.arguments))
        if isinstance(holder, _DEFINITIONS):
            raise ComposeError(f"the expression on line {span.line} belongs to a definition", span.line)
        if not isinstance(getattr(node, "ctx", ast.Load()), ast.Load):
            raise ComposeError(f"the expression on line {span.line} is assigned to", span.line)
    if found is None or not isinstance(holder, ast.stmt):
        raise ComposeError(f"no expression has the span asked for on line {span.line}", span.line)
    return found, holder


def parse_expression(text: str, line: int) -> cst.BaseExpression:
    """The expression that a text is. Raises ComposeError for `line` when it is none."""
    try:
        return cst.parse_expression(text)
    except cst.ParserSyntaxError as error:
        raise ComposeError(f"`{text}` is no expression", line) from error


def nodes_at(
    spans: Iterable[Span], positions: Mapping[cst.CSTNode, CodeRange], offset: int
) -> dict[Span, cst.BaseExpression]:
    """The nodes of a tree that stand at the spans of an original; `offset` is what a line of the tree lacks to the line
    of the original. Raises ComposeError where one is not found."""
    wanted = set(spans)
    found: dict[Span, cst.BaseExpression] = {}
    if not wanted:
        return found
    for node, position in positions.items():
        if not isinstance(node, cst.BaseExpression):
            continue
        start, end = position.start, position.end
        if own_pairs(node):
            start, end = positions[node.lpar[-1]].start, positions[node.rpar[0]].end
        span = Span(start.line + offset, start.column, end.line + offset, end.column)
        if span in wanted:
            found.setdefault(span, node)
    for span in sorted(wanted - found.keys()):
        raise ComposeError(f"no expression has the span asked for on line {span.line}", span.line)
    return found


def own_pairs(node: cst.BaseExpression) -> int:
    """How many of the parentheses of a node lie in the span of its expression."""
    return 1 if isinstance(node, cst.Tuple | cst.GeneratorExp) and node.lpar else 0


def _walk(node: ast.AST, span: Span, outer: tuple[ast.AST, ...]) -> Iterator[tuple[ast.AST, tuple[ast.AST, ...]]]:
    """The nodes that may lie over `span`, outer ones first, each with those around it from the inside out."""
    yield node, outer
    around = (node, *outer)
    for _, value in ast.iter_fields(node):
        if isinstance(value, ast.AST):
            yield from _walk(value, span, around)
        elif isinstance(value, list) and value and isinstance(value[0], ast.stmt):
            # statements stand in order: in a long suite, few are looked at
            for index in range(bisect_left(value, span.line, key=last_line), len(value)):
                if first_line(value[index]) > span.line:
                    break
                yield from _walk(value[index], span, around)
        elif isinstance(value, list):
            for inner in value:
                if isinstance(inner, ast.AST):
                    yield from _walk(inner, span, around)


def _spans(node: ast.expr, lines: Sequence[str], span: Span) -> bool:
    if (node.lineno, node.end_lineno) != (span.line, span.end_line) or node.end_col_offset is None:
        return False
    return (
        _code_points(lines[node.lineno - 1], node.col_offset) == span.column
        and _code_points(lines[span.end_line - 1], node.end_col_offset) == span.end_column
    )


def _code_points(line: str, byte_offset: int) -> int:
    return len(line.encode()[:byte_offset].decode(errors="replace"))
