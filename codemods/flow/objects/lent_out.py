"""Whose session a context manager of the project gives, by the generators behind it. Asks `Project`; pure.

What is called for it does not matter: a function, a method, an object with a `__call__`, something that only returns
what another one gives. A context manager of a library (`maker.begin()`, `closing(session)`) closes what it gives.
"""

from __future__ import annotations

import ast

from codemods.project.facts import GeneratorScope
from codemods.project.link import Place, Project
from codemods.project.sessions import FunctionMeaning, Ownership, ScopeMeaning, SessionMeaning

_DEEP = 6  # generators that lend what another one lends are not followed further


def doubt_of(scope: ScopeMeaning, node: ast.expr, project: Project) -> str:
    """Why it is not told whose session the expression gives, or what becomes of it at the end; "" where it is told."""
    return _doubt(scope, ast.unparse(node), project, _DEEP)


def is_harmless(scope: ScopeMeaning, project: Project) -> bool:
    """Whether the end does nothing to the session but roll back and close it. Asked where there is no doubt."""
    found = [_lends(function, project) for function in scope.by]
    return scope.plain or (bool(found) and all(lends is not None and _only_closes(lends) for lends in found))


def _only_closes(lends: GeneratorScope) -> bool:
    return not (lends.after or lends.tears_down or lends.odd or lends.commits) and len(lends.enclosing) <= 1


def _doubt(scope: ScopeMeaning, text: str, project: Project, depth: int) -> str:
    return next((told for one in scope.by if (told := _doubt_of(one, scope, text, project, depth))), "")


def _doubt_of(function: FunctionMeaning, scope: ScopeMeaning, text: str, project: Project, depth: int) -> str:
    lends = _lends(function, project)
    someone_elses = f"`{text}` may lend a session that someone else holds"
    if lends is None or not (lends.made or lends.opens is not None) or depth == 0:
        return someone_elses
    inside = Place(function.module, function.qualname)
    for around in lends.enclosing:
        means = project.meaning(around.value, inside)
        if isinstance(means, ScopeMeaning) and _doubt(means, text, project, depth - 1):
            return someone_elses
        if not isinstance(means, SessionMeaning) and not (isinstance(means, ScopeMeaning) and means.plain):
            told = f"`{function.qualname}` (line {around.line}) opens something that is not in view"
            return f"{told}: what that does with the session at its end is not told"
    fresh = isinstance(scope.value, SessionMeaning) and scope.value.ownership is Ownership.FRESH
    if not fresh and not lends.closed:
        return someone_elses  # `session = current.get()`, and nothing closes it for certain
    return ""


def _lends(function: FunctionMeaning, project: Project) -> GeneratorScope | None:
    definitions = project.symbols.functions(function.module, function.qualname)
    return definitions[0].lends if len(definitions) == 1 else None
