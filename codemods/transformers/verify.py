"""Checks one file's new bytes against its old ones: still the same kind of file, nothing lost. Pure; writes nothing."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterable, Iterator

from codemods import syntax
from codemods.plan import (
    ChangeArguments,
    ChangeDefinition,
    ChangeParameters,
    DissolveTry,
    Edit,
    LoopToBlock,
    OpenBlock,
    ReplaceExpression,
    ReplaceStatement,
    Source,
)
from codemods.transformers.comma_lists import DIRECTIVE
from codemods.transformers.deep_stack import with_deep_stack
from codemods.transformers.errors import ComposeError
from codemods.transformers.expression_fit import arguments_as_written
from codemods.transformers.expression_spans import find_expression
from codemods.transformers.name_use import bound_name
from codemods.transformers.physical_lines import comments, split_lines


def verify_bytes(source: Source, after: bytes, edits: Iterable[Edit] = ()) -> None:
    """Raise ComposeError unless `after` is a sound new version of `source`.

    It decodes with the file's encoding and byte order mark, it can be read, it compiles if the original did, and it has
    every comment and string constant of the original. What an edit takes away by name may be missing: the comments of
    an import that went as a whole, the strings in an annotation or, with `edits`, in what other text replaced: a
    creation that has another context, the iterator of a loop, a statement, an argument, a parameter, the declared
    result of a function.
    """
    text = _decoded(source, after)
    with_deep_stack(lambda: _verify(source, text, tuple(edits)))


def _decoded(source: Source, after: bytes) -> str:
    if not after.startswith(source.bom):
        raise ComposeError("the byte order mark is gone")
    try:
        text = after[len(source.bom) :].decode(source.encoding)
    except UnicodeDecodeError as error:
        raise ComposeError(f"the result is not {source.encoding}: {error}") from error
    if source.encode(text) != after:
        raise ComposeError(f"the result does not survive {source.encoding}")
    return text


def _verify(source: Source, text: str, edits: tuple[Edit, ...]) -> None:
    try:
        before_tree = syntax.parse(source.text)
    except SyntaxError as error:
        raise ComposeError(f"this Python cannot read the file: {error}") from error
    try:
        after_tree = syntax.parse(text)
    except SyntaxError as error:
        raise ComposeError(f"the result cannot be parsed: {error.msg}", error.lineno or 0) from error
    if syntax.compile_error(source.text) is None:
        problem = syntax.compile_error(text)
        if problem is not None:
            raise ComposeError(f"the result does not compile: {problem}")
    drops = any(isinstance(edit, ChangeArguments | ChangeParameters) for edit in edits)
    _check_comments(source.text, text, before_tree, after_tree, drops=drops)
    lost = _strings(before_tree, _given_up(source.text, before_tree, edits)) - _strings(after_tree, set())
    if lost:
        raise ComposeError(f"the result lacks a string constant: {next(iter(lost))}")


def _check_comments(before: str, after: str, before_tree: ast.Module, after_tree: ast.Module, *, drops: bool) -> None:
    """`drops`: arguments or parameters go, and with them what only speaks to a tool of their lines."""
    kept = Counter(comment.text for comment in comments(after))
    left = {name for node in ast.walk(after_tree) for name in _imported(node)}
    free = {
        line
        for node in ast.walk(before_tree)
        if isinstance(node, ast.Import | ast.ImportFrom) and not left.intersection(_imported(node))
        for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }
    lost = Counter(comment.text for comment in comments(before) if comment.line not in free) - kept
    missed = [text for text in lost if not (drops and DIRECTIVE.match(text))]
    if missed:
        raise ComposeError(f"the result lacks a comment: {missed[0]}")


def _imported(node: ast.AST) -> set[tuple[str, str]]:
    if isinstance(node, ast.ImportFrom):
        return {("." * node.level + (node.module or ""), bound_name(alias)) for alias in node.names}
    return {("", alias.name) for alias in node.names} if isinstance(node, ast.Import) else set()


def _given_up(text: str, tree: ast.Module, edits: tuple[Edit, ...]) -> set[int]:
    """The ids of the expressions that the edits put others in the place of, or take away by name."""
    creations = {edit.creation for edit in edits if isinstance(edit, OpenBlock) and edit.context is not None}
    closes = {line for edit in edits if isinstance(edit, DissolveTry) for line in edit.closes}
    loops = {edit.line for edit in edits if isinstance(edit, LoopToBlock)}
    replaced = {edit.line for edit in edits if isinstance(edit, ReplaceStatement)}
    definitions = {edit.line for edit in edits if isinstance(edit, ChangeDefinition) and edit.returns is not None}
    lines = split_lines(text)
    found = {id(find_expression(tree, lines, edit)[0]) for edit in edits if isinstance(edit, ReplaceExpression)}
    for edit in edits:
        call = find_expression(tree, lines, edit)[0] if isinstance(edit, ChangeArguments) else None
        if isinstance(edit, ChangeArguments) and isinstance(call, ast.Call):
            written = arguments_as_written(call)
            found |= {id(written[change.index]) for change in edit.changes}
    parameters = {(edit.line, one.name) for edit in edits if isinstance(edit, ChangeParameters) for one in edit.changes}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found |= {id(part) for name, part in _parameters(node) if (node.lineno, name) in parameters}
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.lineno in creations and node.value is not None:
            found.add(id(node.value))
        if isinstance(node, ast.If) and node.lineno in closes:
            found.add(id(node.test))
        if isinstance(node, ast.For | ast.AsyncFor) and node.lineno in loops:
            found.add(id(node.iter))
        if isinstance(node, ast.stmt) and node.lineno in replaced:
            found.add(id(node))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.lineno in definitions and node.returns:
            found.add(id(node.returns))
    return found


def _parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[tuple[str, ast.AST]]:
    """The parameters and their defaults, each with the parameter's name."""
    args = function.args
    positional = [*args.posonlyargs, *args.args]
    for one in [*positional, *args.kwonlyargs]:
        yield one.arg, one
    for one, default in zip(reversed(positional), reversed(args.defaults), strict=False):
        yield one.arg, default
    for one, by_name in zip(args.kwonlyargs, args.kw_defaults, strict=True):
        if by_name is not None:
            yield one.arg, by_name


def _strings(tree: ast.Module, given_up: set[int]) -> Counter[str]:
    """The string and bytes constants of a tree, but for annotations of single names and expressions given up."""
    skipped: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            skipped.update(id(inner) for inner in ast.walk(node.annotation))
        if id(node) in given_up:
            skipped.update(id(inner) for inner in ast.walk(node))
    return Counter(
        repr(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes) and id(node) not in skipped
    )
