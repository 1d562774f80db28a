"""Tree nodes of syntax that the running Python may not have yet, as the `ast` of a newer one has them. Touches nothing.

A class that `ast` itself has in full is that class. Fields that a known node only got later are given to the single
node (`with_field`): so its class stays the one that everybody asks for, and `ast.walk` and `ast.dump` see the field.
"""

from __future__ import annotations

import ast
import sys
import typing
from typing import TYPE_CHECKING, Any

Node = typing.TypeVar("Node", bound=ast.AST)

if TYPE_CHECKING:

    class _Expression(ast.expr):
        def __init__(self, **fields: Any) -> None: ...

    class _Statement(ast.stmt):
        def __init__(self, **fields: Any) -> None: ...

    class _Parameter(ast.AST):
        def __init__(self, **fields: Any) -> None: ...

else:
    _Expression, _Statement, _Parameter = ast.expr, ast.stmt, ast.AST


class _TypeVar(_Parameter):
    """`T: bound = default` of a list of type parameters."""

    _fields = ("name", "bound", "default_value")
    _attributes = ("lineno", "col_offset", "end_lineno", "end_col_offset")
    bound: ast.expr | None = None
    default_value: ast.expr | None = None


class _TypeVarTuple(_Parameter):
    """`*Ts = default` of a list of type parameters."""

    _fields = ("name", "default_value")
    _attributes = ("lineno", "col_offset", "end_lineno", "end_col_offset")
    default_value: ast.expr | None = None


class _ParamSpec(_Parameter):
    """`**P = default` of a list of type parameters."""

    _fields = ("name", "default_value")
    _attributes = ("lineno", "col_offset", "end_lineno", "end_col_offset")
    default_value: ast.expr | None = None


class _TypeAlias(_Statement):
    """`type name[type_params] = value`."""

    _fields = ("name", "type_params", "value")
    name: ast.expr
    type_params: list[ast.AST]
    value: ast.expr


class _TemplateStr(_Expression):
    """`t"..."`: `values` are constants and interpolations."""

    _fields = ("values",)
    values: list[ast.expr]


class _Interpolation(_Expression):
    """`{value!conversion:format_spec}` in a template; `str` is the text of the expression."""

    _fields = ("value", "str", "conversion", "format_spec")
    value: ast.expr
    format_spec: ast.expr | None = None


for _known in (_TypeVar, _TypeVarTuple, _ParamSpec, _TypeAlias, _TemplateStr, _Interpolation):
    # `ast.dump`, and whoever asks a node of another Python for its kind, goes by the name
    _known.__name__ = _known.__qualname__ = _known.__name__.removeprefix("_")

if TYPE_CHECKING or sys.version_info < (3, 12):
    TypeAlias = _TypeAlias
else:
    TypeAlias = ast.TypeAlias
if TYPE_CHECKING or sys.version_info < (3, 13):
    TypeVar, TypeVarTuple, ParamSpec = _TypeVar, _TypeVarTuple, _ParamSpec
else:
    TypeVar, TypeVarTuple, ParamSpec = ast.TypeVar, ast.TypeVarTuple, ast.ParamSpec
if TYPE_CHECKING or sys.version_info < (3, 14):
    TemplateStr, Interpolation = _TemplateStr, _Interpolation
else:
    TemplateStr, Interpolation = ast.TemplateStr, ast.Interpolation


def with_field(node: Node, field: str, value: object) -> Node:
    """The node, with a field more than its class has in this Python."""
    if field not in node._fields:
        node.__dict__["_fields"] = (*node._fields, field)
    setattr(node, field, value)
    return node


def same_fields(node: Node, like: ast.AST) -> Node:
    """A node that was made from the fields of another, with those of them that its class lacks in this Python."""
    for field in like._fields:
        if field not in node._fields:
            with_field(node, field, getattr(like, field))
    return node


def type_parameter_names(node: ast.AST) -> tuple[str, ...]:
    """The names that a function, class or `type` statement declares in brackets: `T`, `Ts`, `P` of `[T, *Ts, **P]`."""
    return tuple(one.name for one in getattr(node, "type_params", ()))
