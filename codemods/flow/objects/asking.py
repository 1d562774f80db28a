"""Where code asks whether an attribute of an object is loaded, and does something else where it is not. Pure."""

from __future__ import annotations

import ast

from codemods.flow.objects.record import Asked
from codemods.flow.objects.values import One
from codemods.flow.scope import Scope
from codemods.project.nodes import walk
from codemods.project.sessions import External

STATES = frozenset(
    {"sqlalchemy.inspect", "sqlalchemy.inspection.inspect"}
    | {f"sqlalchemy.orm.{module}.instance_state" for module in ("attributes", "base")}
)
"""The functions that give the state of an object, of which `_TELLING` are the attributes that say what is loaded."""
DICTS = frozenset({"builtins.vars"} | {f"sqlalchemy.orm.{module}.instance_dict" for module in ("attributes", "base")})
_TELLING = frozenset({"unloaded", "unloaded_expirable", "attrs", "dict"})
_RAISED = frozenset({"MissingGreenlet", "DetachedInstanceError", "InvalidRequestError"})
_ANY_RAISED = frozenset({"SQLAlchemyError", "DBAPIError", "StatementError"})
_SUITES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)


def asked(scope: Scope, node: ast.expr, one: One) -> Asked:
    """What the contents of the object, which the expression gives, are asked for: `user.__dict__.get("roles")`."""
    above = scope.parents.of(node)
    name = ""
    match above, scope.parents.of(above) if above is not None else None:
        case ast.Attribute(attr="get" | "pop"), ast.Call(args=[ast.Constant(value=str(key)), *_]) as call:
            name, above = key, call
        case ast.Subscript(value=inner, slice=ast.Constant(value=str(key))), _ if inner is node:
            name = key
        case ast.Compare(left=ast.Constant(value=str(key)), ops=[ast.In() | ast.NotIn()]), _:
            name = key
        case ast.Attribute(attr=key), _ if isinstance(node, ast.Attribute) and node.attr == "attrs":
            name = key
        case _:
            above = node
    return Asked(one, name, node.lineno, f"asks what is loaded: `{ast.unparse(above)}`")


def asked_of_state(scope: Scope, call: ast.Call, one: One) -> Asked | None:
    """What `inspect(user)` is asked for; None where that has nothing to do with what is loaded."""
    above = scope.parents.of(call)
    if isinstance(above, ast.Attribute):
        return asked(scope, above, one) if above.attr in _TELLING else None
    for node in walk(scope.node):
        if isinstance(node, ast.Attribute) and node.attr in _TELLING:
            return Asked(one, "", node.lineno, f"asks what is loaded: `{ast.unparse(node)}`")
    return None


def caught(scope: Scope, node: ast.AST) -> str:
    """What is to be told of an `except` that is there for an attribute that cannot be loaded; "" for none."""
    inner: ast.AST = node
    for above in scope.parents.chain(node):
        if isinstance(above, _SUITES):
            return ""
        if isinstance(above, (ast.Try, ast.TryStar)) and any(one is inner for one in above.body):
            for handler in above.handlers:
                if not isinstance(handler.body[-1], ast.Raise) and _is_for(scope, handler.type, above):
                    assert handler.type is not None
                    return f"expects that it cannot be read: `except {ast.unparse(handler.type)}`"
        if isinstance(above, (ast.With, ast.AsyncWith)) and any(one is inner for one in above.body):
            for item in above.items:
                call = item.context_expr
                if isinstance(call, ast.Call):
                    means = scope.callee(call)
                    if isinstance(means, External) and means.dotted == "contextlib.suppress":
                        if any(_is_for(scope, argument, above) for argument in call.args):
                            return f"expects that it cannot be read: `{ast.unparse(call)}`"
        inner = above
    return ""


def _is_for(scope: Scope, type_: ast.expr | None, around: ast.Try | ast.TryStar | ast.With | ast.AsyncWith) -> bool:
    """Whether what is caught is what a read raises that cannot be done; what a query raises, too, only without one."""
    if isinstance(type_, ast.Tuple):
        return any(_is_for(scope, one, around) for one in type_.elts)
    means = scope.meaning(type_) if type_ is not None else None
    if not isinstance(means, External) or not means.dotted.startswith("sqlalchemy."):
        return False
    name = means.dotted.rpartition(".")[2]
    if name in _ANY_RAISED:
        return not any(isinstance(node, ast.Await) for one in around.body for node in walk(one))
    return name in _RAISED
