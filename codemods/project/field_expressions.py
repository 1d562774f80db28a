"""What stands in a class body, kept as whole as mapping needs it: lists, and types with their None. Pure; `ast` only.

`expressions` drops both, since no session is ever told by them.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from codemods.project.expressions import OPAQUE, expression
from codemods.project.facts import AttributeSet, Call, Either, Expression, Item, Lambda, Literal, Mapping, Series

_KEPT_WHOLE = frozenset({"__mapper_args__", "__table_args__"})  # tuples and dicts that say what is mapped how
_SUITES = ("body", "orelse", "finalbody", "handlers")


def class_attributes(node: ast.ClassDef, bound: dict[str, list[Expression]]) -> list[AttributeSet]:
    """What the class body binds, in the order of the names' first binding, with lines and declared types.

    `bound` is what the body binds, as `expression` tells it.
    """
    told: dict[str, list[AttributeSet]] = {}
    for name, value, annotation, line in _assigned(node.body):
        known = _value(name, value) if value is not None else None
        values = bound.get(name, ())
        index = len(told.get(name, ()))
        if known is None and index < len(values):
            known = values[index]
        declared = None if annotation is None else type_expression(annotation)
        told.setdefault(name, []).append(AttributeSet(name, known or OPAQUE, "", line, declared))
    found: list[AttributeSet] = []
    for name, values in bound.items():
        mine = told.get(name, [])
        found += mine if len(mine) == len(values) else [AttributeSet(name, value, "") for value in values]
    return found


def _assigned(body: list[ast.stmt]) -> Iterator[tuple[str, ast.expr | None, ast.expr | None, int]]:
    for statement in body:
        match statement:
            case ast.Assign(targets=targets, value=value):
                for target in targets:
                    if isinstance(target, ast.Name):
                        yield target.id, value, None, statement.lineno
            case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation, value=value):
                yield name, value, annotation, statement.lineno
            case ast.If() | ast.Try() | ast.With() | ast.ExceptHandler():
                for suite in _SUITES:
                    yield from _assigned(getattr(statement, suite, []))


def _value(name: str, node: ast.expr) -> Expression | None:
    """The richer form of what needs one; None for what `expression` tells well enough."""
    if isinstance(node, ast.Call) or name in _KEPT_WHOLE:
        return field_value(node)
    return None


def field_value(node: ast.expr) -> Expression:
    """As `expression`, but the lists, tuples and dicts in calls are kept."""
    match node:
        case ast.Call(func=function, args=arguments, keywords=keywords):
            return Call(
                expression(function),
                tuple(field_value(argument) for argument in arguments),
                tuple((keyword.arg, field_value(keyword.value)) for keyword in keywords),
            )
        case ast.List(elts=elements) | ast.Tuple(elts=elements):
            return Series(tuple(field_value(element) for element in elements))
        case ast.Dict(keys=keys, values=values) if all(isinstance(key, ast.Constant) for key in keys):
            pairs = zip(keys, values, strict=True)
            return Mapping(tuple((k.value, field_value(v)) for k, v in pairs if isinstance(k, ast.Constant)))
        case ast.Lambda(args=ast.arguments(args=[], posonlyargs=[], kwonlyargs=[]), body=body):
            return Lambda(field_value(body))
        case _:
            return expression(node)


def returned_value(method: str, node: ast.expr) -> Expression:
    """What a function returns: the settings of a mapping are kept whole."""
    return field_value(node) if method in _KEPT_WHOLE else expression(node)


def quoted_type(text: str) -> Expression:
    """The type that a text names; Opaque when it cannot be read."""
    return type_expression(ast.Constant(text))


def type_expression(node: ast.expr) -> Expression:
    """A declared type as it is written: quoted parts are read, `X | None` is an Either of both, parameters a Series.

    What `Annotated` adds to a type is kept as values.
    """
    match node:
        case ast.Constant(value=str(text)):
            try:
                return type_expression(ast.parse(text.strip(), mode="eval").body)
            except (SyntaxError, ValueError, RecursionError, MemoryError):
                return OPAQUE
        case ast.Constant(value=None):
            return Literal(None)
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            options: list[Expression] = []
            for side in (left, right):
                told = type_expression(side)
                options += told.options if isinstance(told, Either) else [told]
            return Either(tuple(options))
        case ast.Subscript(value=value, slice=ast.Tuple(elts=elements)):
            return Item(expression(value), Series(tuple(_parameter(element) for element in elements)))
        case ast.Subscript(value=value, slice=key):
            return Item(expression(value), type_expression(key))
        case ast.Name() | ast.Attribute():
            return expression(node)
        case _:
            return OPAQUE


def _parameter(node: ast.expr) -> Expression:
    return field_value(node) if isinstance(node, ast.Call) else type_expression(node)
