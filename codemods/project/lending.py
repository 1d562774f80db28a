"""How a generator lends out what it yields: does it only open, roll back and close, or more? Pure; `ast` only."""

from __future__ import annotations

import ast

from codemods.project.expressions import expression
from codemods.project.facts import GeneratorScope
from codemods.project.name_uses import Function
from codemods.project.ways import CLOSING, is_harmless, is_name, is_opening, raises, ways_around


def lending(function: Function) -> GeneratorScope | None:
    """What a generator function with exactly one `yield` does around it; None for every other function."""
    yields = [node for node in _own_nodes(function) if isinstance(node, (ast.Yield, ast.YieldFrom))]
    if len(yields) != 1 or not isinstance(yields[0], ast.Yield):
        return None
    value = yields[0].value
    name = value.id if isinstance(value, ast.Name) else ""
    nodes = list(_own_nodes(function))
    methods = {
        node.func.attr
        for node in nodes
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and is_name(node.func.value, name)
    }
    begins = any(
        isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("begin", "commit")
        for node in nodes
    )
    ways = ways_around(function, yields[0], name)
    return GeneratorScope(
        yields=expression(value),
        plain=_plain(function.body, name),
        commits="commit" in methods or begins,
        closes=_closes(nodes, name),
        swallows=ways.swallows,
        line=yields[0].lineno,
        opens=None if ways.opens is None else expression(ways.opens.func),
        awaited=ways.awaited,
        made=ways.made,
        prepares=ways.prepares,
        set_up=ways.set_up,
        after=ways.after,
        after_text=ways.after_text,
        translates=ways.translates,
        translates_text=ways.translates_text,
        handles=ways.handles,
        logs=ways.logs,
        enclosing=tuple(ways.enclosing),
        tears_down=ways.tears_down,
        odd=ways.odd,
    )


def _own_nodes(function: Function) -> list[ast.AST]:
    found: list[ast.AST] = []
    stack: list[ast.AST] = list(function.body)
    while stack:
        node = stack.pop()
        found.append(node)
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)):
            stack += list(ast.iter_child_nodes(node))
    return found


def _closes(nodes: list[ast.AST], name: str) -> bool:
    """Whether a `with` opens what is yielded, or a `finally` closes it."""
    for node in nodes:
        if isinstance(node, (ast.With, ast.AsyncWith)):
            for item in node.items:
                if isinstance(item.optional_vars, ast.Name) and is_name(item.optional_vars, name):
                    return True
                if is_name(item.context_expr, name):
                    return True
        if isinstance(node, ast.Try):
            for statement in node.finalbody:
                for inner in ast.walk(statement):
                    if (
                        isinstance(inner, ast.Call)
                        and isinstance(inner.func, ast.Attribute)
                        and inner.func.attr in CLOSING
                        and is_name(inner.func.value, name)
                    ):
                        return True
    return False


def _plain(body: list[ast.stmt], name: str) -> bool:
    """Whether every statement only opens, yields, rolls back, logs, re-raises or closes."""
    return bool(name) and all(_plain_statement(statement, name) for statement in body)


def _plain_statement(statement: ast.stmt, name: str) -> bool:
    match statement:
        case ast.Expr(value=ast.Constant()) | ast.Pass() | ast.Raise(exc=None):
            return True
        case ast.Expr(value=ast.Yield(value=value)):
            return value is not None and is_name(value, name)
        case ast.Expr(value=value):
            return is_harmless(value, name)
        case (
            ast.Assign(targets=[ast.Name(id=bound)], value=value)
            | ast.AnnAssign(target=ast.Name(id=bound), value=ast.expr() as value)
        ):
            return bound == name and is_opening(value)
        case ast.With(items=[item], body=body) | ast.AsyncWith(items=[item], body=body):
            target = item.optional_vars
            ours = (target is not None and is_name(target, name)) or is_name(item.context_expr, name)
            begins = isinstance(item.context_expr, ast.Call) and (
                isinstance(item.context_expr.func, ast.Attribute) and item.context_expr.func.attr == "begin"
            )
            return ours and not begins and _plain(body, name)
        case ast.Try(body=body, handlers=handlers, orelse=orelse, finalbody=finalbody):
            return (
                _plain(body, name)
                and _plain_or_empty(orelse, name)
                and _plain_or_empty(finalbody, name)
                and all(raises(handler) and _plain(handler.body, name) for handler in handlers)
            )
        case _:
            return False


def _plain_or_empty(body: list[ast.stmt], name: str) -> bool:
    return not body or _plain(body, name)
