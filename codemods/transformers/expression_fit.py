"""Whether an edit that adds to one expression fits that expression, and what it adds can be read. Pure; `ast` alone."""

from __future__ import annotations

import ast

from codemods import syntax
from codemods.plan import AddArgument, AddItem, ChainCall, ChangeArguments
from codemods.transformers.errors import ComposeError

Growing = AddArgument | AddItem | ChainCall | ChangeArguments


def check_expression(expression: ast.expr, edit: Growing) -> None:
    """Raise ComposeError unless `expression` is a call that takes the arguments, a dict display that lacks the key, or
    an expression that calls can follow."""
    line = edit.span.line
    match edit, expression:
        case AddItem(), ast.Dict():
            _check_item(expression, edit)
        case AddItem(), _:
            raise ComposeError(f"the expression on line {line} is no dict display", line)
        case AddArgument(), ast.Call():
            argument_of(edit.text, line)
        case ChangeArguments(), ast.Call():
            _check_arguments(expression, edit)
        case ChainCall(), ast.Name() | ast.Attribute() | ast.Call() | ast.Subscript():
            chain_on(edit, ast.Name(id="_", ctx=ast.Load()))
        case ChainCall(), _:
            raise ComposeError(f"no call can follow the expression on line {line}", line)
        case _:
            raise ComposeError(f"the expression on line {line} is no call", line)


def _check_item(display: ast.Dict, edit: AddItem) -> None:
    """A key that a dict has already would be given another value, which no compiler tells."""
    line = edit.span.line
    key = ast.unparse(item_of(edit.text, line)[0])
    if key in [ast.unparse(known) for known in display.keys if known is not None]:
        raise ComposeError(f"the dict on line {line} has the key {key} already", line)


def _check_arguments(call: ast.Call, edit: ChangeArguments) -> None:
    line, count = edit.span.line, len(call.args) + len(call.keywords)
    indexes = {change.index for change in edit.changes}
    if not indexes or len(indexes) < len(edit.changes):
        raise ComposeError(f"the arguments to change on line {line} are not told one by one", line)
    if not all(0 <= index < count for index in indexes):
        raise ComposeError(f"the call on line {line} has no such argument", line)
    for change in edit.changes:
        if change.text is not None:
            arguments_of(change.text, line)


def arguments_as_written(call: ast.Call) -> list[ast.expr | ast.keyword]:
    """All arguments of a call in the order in which they stand in its text."""
    given: list[ast.expr | ast.keyword] = [*call.args, *call.keywords]
    return sorted(given, key=lambda one: (one.lineno, one.col_offset))


def argument_of(text: str, line: int) -> ast.expr | ast.keyword:
    """The argument that a text is. Raises ComposeError for `line` where it is none, or more than one."""
    found = _arguments(text)
    if len(found) != 1:
        raise ComposeError(f"`{text}` is not one argument", line)
    return found[0]


def arguments_of(text: str, line: int) -> list[ast.expr | ast.keyword]:
    """The arguments that a text is, at least one. Raises ComposeError for `line` where it is none."""
    found = _arguments(text)
    if not found:
        raise ComposeError(f"`{text}` is no argument", line)
    return found


def item_of(text: str, line: int) -> tuple[ast.expr, ast.expr]:
    """The key and the value of the item of a dict that a text is. Raises ComposeError for `line` where it is none, or
    more than one."""
    match _parsed(f"{{{text}\n}}"):
        case ast.Dict(keys=[ast.expr() as key], values=[value]) if not text.rstrip().endswith(","):
            return key, value
    raise ComposeError(f"`{text}` is not one item of a dict", line)


def _arguments(text: str) -> list[ast.expr | ast.keyword]:
    match _parsed(f"_({text}\n)"):
        case ast.Call(func=ast.Name(id="_")) as call if text.strip()[-1:] not in ("", ","):
            return arguments_as_written(call)
    return []


def chain_on(edit: ChainCall, start: ast.expr) -> ast.expr:
    """The calls that a text is, behind `start`. Raises ComposeError where it is no chain that ends with a call."""
    made = _parsed(f"_{edit.text}") if edit.text.startswith(".") else None
    node = made
    while True:
        match node:
            case ast.Call(func=inner) | ast.Attribute(value=inner) | ast.Subscript(value=inner) if not (
                isinstance(inner, ast.Name)
            ):
                node = inner
            case ast.Attribute(value=ast.Name(id="_")) if isinstance(made, ast.Call):
                node.value = start
                return made
            case _:
                raise ComposeError(f"`{edit.text}` is no call of a chain", edit.span.line)


def _parsed(text: str) -> ast.expr | None:
    try:
        return syntax.parse_expression(text)
    except SyntaxError:
        return None
