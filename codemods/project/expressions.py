"""`ast` expressions to the small picklable expressions of `facts`. Pure."""

from __future__ import annotations

import ast

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
    """The fact form of an expression; Opaque for what says nothing about sessions (and for None)."""
    match node:
        case ast.Name(id=name):
            return Name(name)
        case ast.Attribute(value=value, attr=attr):
            return Attribute(expression(value), attr)
        case ast.Call(func=function, args=arguments, keywords=keywords):
            return Call(
                expression(function),
                tuple(expression(argument) for argument in arguments),
                tuple((keyword.arg, expression(keyword.value)) for keyword in keywords),
            )
        case ast.Await(value=value):
            return Awaited(expression(value))
        case ast.Subscript(value=value, slice=ast.Tuple()) if _last_name(value) == "Annotated":
            return annotation(node) or OPAQUE
        case ast.Subscript(value=value, slice=ast.Tuple(elts=elements)) if elements:
            return Item(expression(value), Either(tuple(expression(element) for element in elements)))
        case ast.Subscript(value=value, slice=key):
            return Item(expression(value), expression(key))
        case ast.BoolOp(op=ast.Or(), values=values):
            return Either(tuple(expression(value) for value in values))
        case ast.IfExp(body=body, orelse=orelse):
            return Either((expression(body), expression(orelse)))
        case ast.NamedExpr(value=value):
            return expression(value)
        case ast.Lambda(args=ast.arguments(args=[], posonlyargs=[], kwonlyargs=[]), body=body):
            return Lambda(expression(body))
        case ast.Dict(keys=keys, values=values) if keys and all(isinstance(key, ast.Constant) for key in keys):
            pairs = zip(keys, values, strict=True)
            return Mapping(tuple((k.value, expression(v)) for k, v in pairs if isinstance(k, ast.Constant)))
        case ast.Constant(value=value):
            return Literal(value if isinstance(value, (str, int, float, bool, type(None))) else "")
        case _:
            return OPAQUE


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
        case ast.Subscript(value=value, slice=key) if _last_name(value) == "Optional":
            return annotation(key)
        case ast.Subscript(value=value, slice=ast.Tuple(elts=elements)) if (
            elements and _last_name(value) == "Annotated"
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


def _last_name(node: ast.expr) -> str:
    return last_name(expression(node))
