"""Whether an edit that adds to one expression fits that expression, and what it adds can be read. Pure; `ast` alone."""

from __future__ import annotations

import ast

from codemods.plan import AddArgument, ChainCall
from codemods.transformers.errors import ComposeError

_CHAINABLE = (ast.Name, ast.Attribute, ast.Call, ast.Subscript)


def check_expression(expression: ast.expr, edit: AddArgument | ChainCall) -> None:
    """Raise ComposeError unless `expression` is a call that takes the argument, or one that calls can follow."""
    line = edit.span.line
    if isinstance(edit, AddArgument):
        if not isinstance(expression, ast.Call):
            raise ComposeError(f"the expression on line {line} is no call", line)
        argument_of(edit)
        return
    if not isinstance(expression, _CHAINABLE):
        raise ComposeError(f"no call can follow the expression on line {line}", line)
    chain_on(edit, ast.Name(id="_", ctx=ast.Load()))


def argument_of(edit: AddArgument) -> ast.expr | ast.keyword:
    """The argument that a text is. Raises ComposeError where it is none, or more than one."""
    match _parsed(f"_({edit.text}\n)"):
        case ast.Call(func=ast.Name(id="_"), args=[only], keywords=[]) if edit.text.strip()[-1] != ",":
            return only
        case ast.Call(func=ast.Name(id="_"), args=[], keywords=[named]) if edit.text.strip()[-1] != ",":
            return named
    raise ComposeError(f"`{edit.text}` is not one argument", edit.span.line)


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
        return ast.parse(text, mode="eval").body
    except SyntaxError:
        return None
