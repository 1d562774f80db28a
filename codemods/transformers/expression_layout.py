"""How a formatter lays out an expression: chains of calls, what awaits them, and displays. Pure; `ast` alone.

The style is that of ruff and black. All other expressions are kept as they are written. A caller compares
what comes out with what stood there: parentheses and comments that `ast` does not know are not kept here.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from codemods.transformers.documents import Break, Document, Group, IfBroken, Indented

Written = Callable[[ast.expr], str]
"""The source text of a node."""


def layout_of(value: ast.expr, written: Written, *, may_be_enclosed: bool) -> Group | None:
    """The layout of the value of a statement. A chain or condition that has to be broken gets parentheses where it may
    have them, else a chain is broken in its brackets only; None where it is awaited, too."""
    layout = _Layout(written)
    chain = value.value if isinstance(value, ast.Await) else value
    if not isinstance(value, ast.IfExp) and not _is_fluent(chain):
        return Group(layout.of(value))
    if may_be_enclosed:
        return Group((IfBroken("("), Indented((Break(), *layout.of(value))), Break(), IfBroken(")")))
    return None if isinstance(value, ast.Await | ast.IfExp) else Group(layout.chain(chain, fluent=False))


def _is_fluent(node: ast.expr) -> bool:
    """Whether the calls of a chain go on lines of their own: two or more attributes stand behind a call."""
    behind_calls = 0
    while True:
        match node:
            case ast.Attribute(value=inner):
                behind_calls += _breaks_before_dot(inner)
                node = inner
            case ast.Call(func=inner) | ast.Subscript(value=inner):
                node = inner
            case _:
                return behind_calls >= 2


def _breaks_before_dot(value: ast.expr) -> bool:
    return isinstance(value, ast.Call | ast.Subscript) or _needs_parentheses(value)


def _needs_parentheses(value: ast.expr) -> bool:
    """Whether an attribute, a call or a subscript binds tighter than the expression that it follows."""
    return isinstance(
        value,
        ast.Await | ast.BoolOp | ast.BinOp | ast.UnaryOp | ast.Compare | ast.IfExp | ast.Lambda | ast.NamedExpr,
    )


@dataclass(frozen=True, slots=True)
class _Layout:
    written: Written

    def of(self, node: ast.expr) -> tuple[Document, ...]:
        """An expression in brackets, or on a line of its own."""
        match node:
            case ast.Await(value=value) if not _needs_parentheses(value):
                return ("await ", *self.of(value))
            case ast.Call() | ast.Attribute() | ast.Subscript():
                fluent = _is_fluent(node)
                parts = self.chain(node, fluent=fluent)
                return (Group(parts),) if fluent else parts
            case ast.List(elts=[_, *_] as elements):
                return self._bracketed("[", [self.of(one) for one in elements], "]", node)
            case ast.Dict(values=[_, *_] as values):
                keys = ["**" if key is None else f"{self.written(key)}: " for key in node.keys]
                return self._bracketed(
                    "{", [(key, *self.of(one)) for key, one in zip(keys, values, strict=True)], "}", node
                )
            case ast.ListComp(elt=element, generators=[_] as clauses):
                return (
                    Group(("[", Indented((Break(), Group(self._comprehension(element, clauses[0])))), Break(), "]")),
                )
            case ast.IfExp(body=body, test=test, orelse=other):
                found, condition, otherwise = (self.of(one) for one in (body, test, other))
                return (Group((*found, Break(" "), "if ", *condition, Break(" "), "else ", *otherwise)),)
            case ast.Starred(value=value):
                return ("*", *self.of(value))
        return self._as_written(node)

    def _comprehension(self, element: ast.expr, clause: ast.comprehension) -> tuple[Document, ...]:
        loop = f"{'async ' if clause.is_async else ''}for {self.written(clause.target)} in "
        conditions = [part for one in clause.ifs for part in (Break(" "), f"if {self.written(one)}")]
        return (*self.of(element), Break(" "), loop, *self.of(clause.iter), *conditions)

    def chain(self, node: ast.expr, *, fluent: bool) -> tuple[Document, ...]:
        """Names, attributes, calls and subscripts that follow each other; `fluent`: with line breaks before dots."""
        match node:
            case ast.Call(func=callee):
                return (*self.chain(callee, fluent=fluent), *self._arguments(node))
            case ast.Subscript(value=value, slice=index):
                return (
                    *self.chain(value, fluent=fluent),
                    Group(("[", Indented((Break(), self.written(index))), Break(), "]")),
                )
            case ast.Attribute(value=value, attr=name):
                dot: tuple[Document, ...] = (Break(),) if fluent and _breaks_before_dot(value) else ()
                return (*self.chain(value, fluent=fluent), *dot, f".{name}")
        if _needs_parentheses(node):
            return (Group(("(", Indented((Break(), *self.of(node))), Break(), ")")),)
        return self._as_written(node)

    def _arguments(self, call: ast.Call) -> tuple[Document, ...]:
        if not call.args and not call.keywords:
            return ("()",)
        given: list[ast.expr | ast.keyword] = sorted(
            [*call.args, *call.keywords], key=lambda one: (one.lineno, one.col_offset)
        )
        return self._bracketed("(", [self._argument(one) for one in given], ")", call)

    def _argument(self, given: ast.expr | ast.keyword) -> tuple[Document, ...]:
        if isinstance(given, ast.keyword) and given.arg is None and _needs_parentheses(given.value):
            return (Group(("**(", Indented((Break(), *self.of(given.value))), Break(), ")")),)
        if isinstance(given, ast.keyword):
            return ("**" if given.arg is None else f"{given.arg}=", *self.of(given.value))
        return self.of(given)

    def _bracketed(
        self, left: str, parts: Sequence[tuple[Document, ...]], right: str, node: ast.expr
    ) -> tuple[Document, ...]:
        """Parts in brackets: on one line, else on lines of their own with a trailing comma. The arguments of a call are
        tried on one inner line before.

        A trailing comma that is there already asks for lines of their own.
        """
        magic = self.written(node).removesuffix(right).rstrip().endswith(",")
        joined: list[Document] = []
        for part in parts:
            joined += [",", Break(" "), *part] if joined else part
        if magic or len(parts) > 1:
            joined.append(IfBroken(","))
        inner = (Group(tuple(joined), magic),) if isinstance(node, ast.Call) else tuple(joined)
        return (Group((left, Indented((Break(), *inner)), Break(), right), magic),)

    def _as_written(self, node: ast.expr) -> tuple[Document, ...]:
        return (self.written(node),)
