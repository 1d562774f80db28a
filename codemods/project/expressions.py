"""`ast` expressions to the small picklable expressions of `facts`. Pure."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

from codemods.project.facts import (
    Annotated,
    Attribute,
    Awaited,
    Call,
    Either,
    Expression,
    Item,
    Lambda,
    Literal,
    Mapping,
    Name,
    Opaque,
)

OPAQUE = Opaque()


def expression(node: ast.expr | None) -> Expression:
    """The fact form of an expression; Opaque for what says nothing about sessions (and for None).

    It is kept with the node: scan, project and every rule ask for the form of the same calls over and over.
    """
    if node is None:
        return OPAQUE
    known: Expression | None = node.__dict__.get("_expression")
    if known is None:
        make = _FORMS.get(node.__class__)
        known = node.__dict__["_expression"] = OPAQUE if make is None else make(node)
    return known


def _name(node: ast.Name) -> Expression:
    return Name(node.id)


def _attribute(node: ast.Attribute) -> Expression:
    return Attribute(expression(node.value), node.attr)


def _call(node: ast.Call) -> Expression:
    return Call(
        expression(node.func),
        tuple([expression(argument) for argument in node.args]),
        tuple([(keyword.arg, expression(keyword.value)) for keyword in node.keywords]),
    )


def _awaited(node: ast.Await) -> Expression:
    return Awaited(expression(node.value))


def _subscript(node: ast.Subscript) -> Expression:
    if isinstance(node.slice, ast.Tuple):
        if called_name(node.value) == "Annotated":
            return annotation(node) or OPAQUE
        if node.slice.elts:
            return Item(expression(node.value), Either(tuple(expression(element) for element in node.slice.elts)))
    return Item(expression(node.value), expression(node.slice))


def _either(node: ast.BoolOp) -> Expression:
    if isinstance(node.op, ast.Or):
        return Either(tuple(expression(value) for value in node.values))
    return OPAQUE


def _conditional(node: ast.IfExp) -> Expression:
    return Either((expression(node.body), expression(node.orelse)))


def _named(node: ast.NamedExpr) -> Expression:
    return expression(node.value)


def _lambda(node: ast.Lambda) -> Expression:
    given = node.args
    return OPAQUE if given.args or given.posonlyargs or given.kwonlyargs else Lambda(expression(node.body))


def _mapping(node: ast.Dict) -> Expression:
    if not node.keys or not all(isinstance(key, ast.Constant) for key in node.keys):
        return OPAQUE
    pairs = zip(node.keys, node.values, strict=True)
    return Mapping(tuple((key.value, expression(value)) for key, value in pairs if isinstance(key, ast.Constant)))


def _literal(node: ast.Constant) -> Expression:
    value = node.value
    return Literal(value if isinstance(value, (str, int, float, bool, type(None))) else "")


_FORMS: dict[type[ast.AST], Callable[[Any], Expression]] = {
    ast.Name: _name,
    ast.Attribute: _attribute,
    ast.Call: _call,
    ast.Await: _awaited,
    ast.Subscript: _subscript,
    ast.BoolOp: _either,
    ast.IfExp: _conditional,
    ast.NamedExpr: _named,
    ast.Lambda: _lambda,
    ast.Dict: _mapping,
    ast.Constant: _literal,
}


def annotation(node: ast.expr | None) -> Expression | None:
    """A declared type: strings are parsed, `X | None` and `Optional[X]` mean X, `Annotated[X, ...]` is kept as written.

    None when there is no annotation; Opaque when it cannot be read.
    """
    if node is None:
        return None
    match node:
        case ast.Constant(value=str(text)):
            try:
                return annotation(ast.parse(text.strip(), mode="eval").body)
            except (SyntaxError, ValueError, RecursionError):
                return OPAQUE
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            sides = [side for side in (left, right) if not (isinstance(side, ast.Constant) and side.value is None)]
            return annotation(sides[0]) if len(sides) == 1 else OPAQUE
        case ast.Subscript(value=value, slice=ast.BinOp() as key):
            return Item(expression(value), annotation(key) or OPAQUE)  # `Mapped[datetime | None]`
        case ast.Subscript(value=value, slice=key) if called_name(value) == "Optional":
            return annotation(key)
        case ast.Subscript(value=value, slice=ast.Tuple(elts=elements)) if (
            elements and called_name(value) == "Annotated"
        ):
            inner = annotation(elements[0])
            depends = next((expression(item) for item in elements[1:] if isinstance(item, ast.Call)), OPAQUE)
            return Item(expression(value), Call(Name("Annotated"), (inner or OPAQUE, depends)))
        case _:
            return expression(node)


def declared(node: ast.expr | None) -> Expression:
    """The value of a name of which only the annotation is in view."""
    told = annotation(node)
    return OPAQUE if told is None or isinstance(told, Opaque) else Annotated(told)


def dotted_name(node: ast.expr) -> str:
    """`dotted(expression(node))`, without making what that makes of the arguments on the way."""
    names: list[str] = []
    while True:
        kind = node.__class__
        if kind is ast.Attribute:
            names.append(node.attr)  # type: ignore[attr-defined]
        elif kind is ast.Name:
            names.append(node.id)  # type: ignore[attr-defined]
            return ".".join(reversed(names)) if len(names) > 1 else names[0]
        elif kind is not ast.NamedExpr:
            return ""
        node = node.value  # type: ignore[attr-defined]


def called_name(node: ast.expr) -> str:
    """`last_name(expression(node))`: `c` of `a.b.c` and of `f().c`; "" when there is none."""
    while isinstance(node, ast.NamedExpr):
        node = node.value
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def is_true(node: Expression | None) -> bool:
    """`True`, and the 1 that Python takes for it."""
    return isinstance(node, Literal) and node.value == 1


def dotted(node: Expression) -> str:
    """`a.b.c` for a chain of attributes on a name; "" for anything else."""
    match node:
        case Name(id=name):
            return name
        case Attribute(value=value, name=name):
            front = dotted(value)
            return f"{front}.{name}" if front else ""
        case _:
            return ""


def shown(node: ast.expr, most: int = 60) -> str:
    """The expression as people read it in a sentence: at most so many characters of it."""
    text = ast.unparse(node)
    return text if len(text) <= most else f"{text[: most - 3]}..."


LOG_METHODS = frozenset({"debug", "info", "warning", "warn", "error", "exception", "critical", "log"})


def is_logging(callee: Expression) -> bool:
    """`logger.info`, `self._log.exception`: a method of something that goes by a logger's name."""
    receiver, _, last = dotted(callee).rpartition(".")
    return last in LOG_METHODS and receiver.rpartition(".")[2].strip("_").lower() in ("log", "logger", "logging")


def chained(text: str) -> Expression:
    """The expression of a dotted chain; Opaque for "".  The inverse of `dotted`."""
    first, *rest = text.split(".")
    node: Expression = Name(first) if first else OPAQUE
    for name in rest:
        node = Attribute(node, name)
    return node


def last_name(node: Expression) -> str:
    """The last name of a chain: `c` of `a.b.c` and of `f().c`; "" when there is none."""
    match node:
        case Name(id=name) | Attribute(name=name):
            return name
        case _:
            return ""
