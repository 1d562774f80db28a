"""How a generator lends out what it yields: does it only open, roll back and close, or more? Pure; `ast` only."""

from __future__ import annotations

import ast

from codemods.project.expressions import expression
from codemods.project.facts import GeneratorScope
from codemods.project.name_uses import Function, own_nodes
from codemods.project.ways import CLOSING, is_call_of, is_harmless, is_name, is_opening, raises, ways_around


def lending(function: Function) -> GeneratorScope | None:
    """What a generator function with exactly one `yield` does around it; None for every other function."""
    nodes = list(own_nodes(function))
    yields = [node for node in nodes if isinstance(node, (ast.Yield, ast.YieldFrom))]
    if len(yields) != 1 or not isinstance(yields[0], ast.Yield):
        return None
    value = yields[0].value
    name = value.id if isinstance(value, ast.Name) else ""
    ways = ways_around(function, yields[0], name)
    return GeneratorScope(
        yields=expression(value),
        plain=bool(name) and _plain(function.body, name),
        commits=any(is_call_of(node, "begin", "commit") for node in nodes),
        closes=_closes(nodes, name),
        swallows=ways.swallows,
        line=yields[0].lineno,
        closed=ways.closed,
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
                    if is_call_of(inner, *CLOSING, of=name):
                        return True
    return False


def _plain(body: list[ast.stmt], name: str) -> bool:
    """Whether every statement only opens, yields, rolls back, logs, re-raises or closes the variable `name`."""
    return all(_plain_statement(statement, name) for statement in body)


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
            return ours and not is_call_of(item.context_expr, "begin") and _plain(body, name)
        case ast.Try(body=body, handlers=handlers, orelse=orelse, finalbody=finalbody):
            return _plain([*body, *orelse, *finalbody], name) and all(
                raises(handler) and _plain(handler.body, name) for handler in handlers
            )
        case _:
            return False
