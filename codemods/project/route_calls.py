"""How routes are declared, as facts: decorators with their response model, calls of `add_api_route`. Pure; `ast` only.

A response model is a declared type: its unions are kept, as those of an annotation are.
"""

from __future__ import annotations

import ast

from codemods.project.expressions import OPAQUE, expression
from codemods.project.facts import Call, Expression, Opaque, RouteCall
from codemods.project.field_expressions import type_expression

ADD_ROUTE = "add_api_route"
_RESPONSE_MODEL = "response_model"


def decorator(node: ast.expr) -> Expression:
    """As `expression`, but a response model among the keywords is kept as a declared type."""
    told = expression(node)
    if isinstance(node, ast.Call) and isinstance(told, Call):
        return Call(told.function, told.arguments, tuple((one.arg, _keyword(one)) for one in node.keywords))
    return told


def _keyword(keyword: ast.keyword) -> Expression:
    if keyword.arg != _RESPONSE_MODEL:
        return expression(keyword.value)
    told = type_expression(keyword.value)
    return expression(keyword.value) if isinstance(told, Opaque) else told  # `UserOut if DETAILED else UserBrief`


def route_call(node: ast.Call, scope: str) -> RouteCall | None:
    """The route that `router.add_api_route("/x", endpoint, response_model=...)` adds; None when it is no such call."""
    if not isinstance(node.func, ast.Attribute) or node.func.attr != ADD_ROUTE:
        return None
    told = decorator(node)
    assert isinstance(told, Call)
    starred = any(isinstance(argument, ast.Starred) for argument in node.args[:2])
    endpoint = told.arguments[1] if len(told.arguments) > 1 and not starred else told.keyword("endpoint")
    return RouteCall(told, endpoint or OPAQUE, node.lineno, scope)
