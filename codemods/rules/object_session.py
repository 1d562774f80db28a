"""Who may ask an object that leaves a function for its session: `async_object_session`, `awaitable_attrs`. Reads only.

Behind a block there is no session to be asked for (semantics C7). A reader counts when it stands in the module of the
function or in one that calls it by name, unless what it asks is declared to be of a mapped class that nothing that
leaves is, or leads to.
"""

from __future__ import annotations

import ast

from codemods.flow.lifetime import Lifetime
from codemods.flow.objects.values import Many, Nothing, One, Plain, objects
from codemods.flow.scope import Scope, own_expressions
from codemods.project.link import Project
from codemods.project.mapped_classes import are_kin, below, mapped
from codemods.project.sessions import ClassMeaning, InstanceMeaning
from codemods.rules.base import ModuleView

_ATTRIBUTE = "awaitable_attrs"


def object_session_reader(view: ModuleView, scope: Scope, life: Lifetime) -> str:
    """The first place (`path:line`) at which what leaves may be asked for its session; "" where there is none."""
    name = scope.place.qualname.rpartition(".")[2]
    symbols = view.project.symbols
    leaving: frozenset[ClassMeaning] | None = None
    for path in symbols.paths():
        facts = symbols.facts[path]
        if not facts.object_session_lines or (path != view.source.path and name not in facts.calls):
            continue
        if leaving is None:
            leaving = _reached(_leaving(view, scope, life), view.project)
        for line in facts.object_session_lines:
            asked = _asked(view if path == view.source.path else view.beside(path), line) if leaving else None
            if asked is None or any(are_kin(asked, one, view.project) for one in leaving):
                return f"{path}:{line}"
    return ""


def _leaving(view: ModuleView, scope: Scope, life: Lifetime) -> frozenset[ClassMeaning]:
    """The classes of what is returned; none, when something else leaves, or when it cannot be told."""
    record = view.readers.run(scope).record
    exits = {left.statement.lineno: left for left in record.exits.values()}
    found: set[ClassMeaning] = set()
    for leave in life.leaves:
        left = exits.get(leave.line)
        if left is None or not all(isinstance(one, (One, Many, Nothing, Plain)) for one in left.value):
            return frozenset()
        inner = [each for one in left.value if isinstance(one, Many) for each in one.element]
        if not all(isinstance(one, (One, Nothing, Plain)) for one in inner):
            return frozenset()
        classes = {one.class_ for one in objects(left.value)}
        if not classes or None in classes:
            return frozenset()
        found |= {one for one in classes if one is not None}
    return frozenset(found)


def _reached(classes: frozenset[ClassMeaning], project: Project) -> frozenset[ClassMeaning]:
    """The classes, those below them, and all that their relationships lead to; none, where one is not all in view."""
    found: set[ClassMeaning] = set()
    waiting = list(classes)
    while waiting:
        one = waiting.pop()
        if one in found:
            continue
        known = mapped(one, project)
        if known is None or known.proxies or any(not each.only_columns for each in known.unknown):
            return frozenset()
        found.add(one)
        waiting += [*known.parents, *below(one, project)]
        for relationship in known.relationships.values():
            if relationship.target is None:
                return frozenset()
            waiting.append(relationship.target)
    return frozenset(found)


def _asked(view: ModuleView | None, line: int) -> ClassMeaning | None:
    """The mapped class of which what is asked on the line is declared to be; None, when that cannot be told."""
    found: list[ClassMeaning | None] = []
    for scope in view.scopes if view is not None else ():
        for node in (inner for statement in scope.statements() for inner in own_expressions(statement)):
            if not isinstance(node, ast.Attribute) or node.lineno != line or node.attr != _ATTRIBUTE:
                continue
            asked = node.value
            known = isinstance(asked, ast.Name) and asked.id in scope.parameters
            means = scope.meaning(asked) if known else None
            of = means.of if isinstance(means, InstanceMeaning) else None
            is_mapped = isinstance(of, ClassMeaning) and mapped(of, scope.project) is not None
            found.append(of if isinstance(of, ClassMeaning) and is_mapped else None)
    return found[0] if len(found) == 1 else None
