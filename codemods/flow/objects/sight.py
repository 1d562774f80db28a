"""Whether a function has a session in sight at all: cheap, and asked before it is run. Reads only."""

from __future__ import annotations

import ast

from codemods.flow.scope import Scope, With
from codemods.flow.values import METHODS, SELECTS
from codemods.project.mapped_classes import mapped
from codemods.project.providers import may_give_session
from codemods.project.sessions import (
    ClassMeaning,
    CoroutineMeaning,
    External,
    RegistryMeaning,
    ScopeMeaning,
    SessionMeaning,
    UnknownMeaning,
)


def has_session(scope: Scope) -> bool:
    """Whether the function gets, makes or enters a session, or calls a method of one."""
    for name in sorted(scope.parameters):
        if isinstance(scope.meaning(ast.Name(name, ast.Load())), SessionMeaning):
            return True
    for node in scope.watched():
        if isinstance(node, With):
            for item in node.items:
                means = scope.meaning(item.context_expr)
                if isinstance(means, (SessionMeaning, ScopeMeaning)):
                    return True
                if isinstance(scope.project.entered(means), SessionMeaning):
                    return True
                if item.optional_vars is not None and runs_orm(scope, item.context_expr, item.optional_vars):
                    return True
        elif isinstance(node, ast.Call):
            if isinstance(node.func, ast.Attribute) and node.func.attr in METHODS:
                if isinstance(scope.meaning(node.func.value), (SessionMeaning, RegistryMeaning)):
                    return True
            if may_give_session(scope.callee(node), scope.project):
                means = scope.meaning(node)
                if isinstance(means.value if isinstance(means, CoroutineMeaning) else means, SessionMeaning):
                    return True
    return False


def runs_orm(scope: Scope, given: ast.expr, name: ast.expr) -> bool:
    """Whether what a `with` over a call that is not in view gives is used as a session: it loads a mapped class."""
    call = given.value if isinstance(given, ast.Await) else given
    if not isinstance(call, ast.Call) or not isinstance(name, ast.Name):
        return False
    if not isinstance(scope.callee(call), (UnknownMeaning, External)):
        return False
    for node in scope.watched():
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id=owner), attr=method), args=[first, *_]) if (
                owner == name.id and method in _LOADING
            ):
                if _names_entity(scope, first):
                    return True
    return False


_LOADING = frozenset({"get", "get_one", "execute", "scalar", "scalars", "exec", "query"})


def _names_entity(scope: Scope, node: ast.expr) -> bool:
    """`User`, `select(User).where(...)`."""
    while isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        if isinstance(scope.meaning(node.func), External):
            break
        node = node.func.value
    if isinstance(node, ast.Call):
        called = scope.callee(node)
        if not (isinstance(called, External) and called.dotted in SELECTS and node.args):
            return False
        node = node.args[0]
    class_ = scope.meaning(node)
    return isinstance(class_, ClassMeaning) and mapped(class_, scope.project) is not None
