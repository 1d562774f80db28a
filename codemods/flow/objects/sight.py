"""Whether a function has a session in sight at all: cheap, and asked before it is run. Reads only."""

from __future__ import annotations

import ast

from codemods.flow.scope import Scope, With
from codemods.flow.values import METHODS
from codemods.project.providers import may_give_session
from codemods.project.sessions import CoroutineMeaning, RegistryMeaning, ScopeMeaning, SessionMeaning


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
        elif isinstance(node, ast.Call):
            if isinstance(node.func, ast.Attribute) and node.func.attr in METHODS:
                if isinstance(scope.meaning(node.func.value), (SessionMeaning, RegistryMeaning)):
                    return True
            if may_give_session(scope.callee(node), scope.project):
                means = scope.meaning(node)
                if isinstance(means.value if isinstance(means, CoroutineMeaning) else means, SessionMeaning):
                    return True
    return False
