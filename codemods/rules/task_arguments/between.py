"""What happens around a call that hands an entity to a task, until the task starts. Decides only.

A task that is given the object itself has it whatever becomes of the row; one that fetches it has not.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from codemods.flow.objects.world import World
from codemods.flow.scope import Loop, Scope
from codemods.flow.tasks.carried import Given, Site, What
from codemods.project.mapped_classes import mapped
from codemods.project.name_uses import Role
from codemods.project.sessions import ClassMeaning, FunctionMeaning
from codemods.rules.base import ModuleView
from codemods.rules.own_session.accepted import Refusal
from codemods.rules.own_session.request import others_of_request

_BY_VALUE = "hand over the values that it needs"
_MUTATING = frozenset({"append", "extend", "insert", "remove", "pop", "clear", "sort", "reverse"})


def between(site: Site, carried: Mapping[str, Given], view: ModuleView) -> Refusal | None:
    """Why an id would not lead the task to what it is given today."""
    for given in carried.values():
        if given.what is What.SESSION:
            continue
        if refused := _deleted(site, given) or _key_changed(site, given, view) or _list_changed(site, given):
            return refused
        if refused := _deleted_elsewhere(site, given, view):
            return refused
    return others_of_request(site, carried, view)


def _worlds(site: Site) -> Iterator[World]:
    """How things stand at the call, and where the function ends behind it."""
    seen = site.record.seen.get(site.scheduling.call)
    if seen is not None:
        yield seen.world
    for left in site.record.exits.values():
        yield left.world
    if site.record.end is not None:
        yield site.record.end


def _deleted(site: Site, given: Given) -> Refusal | None:
    assert given.one is not None
    text = f"`{given.text}`"
    for world in _worlds(site):
        standing = world.standing(given.one.origin)
        if line := standing.deleted:
            return Refusal(f"{text} is deleted by line {line}", _BY_VALUE)
        if line := standing.may_be_deleted:
            return Refusal(f"{text} may be deleted by line {line}", _BY_VALUE)
        for origin, other in world.objects.items():
            number = site.record.added.get(origin, 0) or origin.session
            if other.deleted and number == given.session and number:
                return Refusal(f"{text} may be deleted together with what line {other.deleted} deletes", _BY_VALUE)
    return None


def _key_changed(site: Site, given: Given, view: ModuleView) -> Refusal | None:
    known = mapped(given.class_, view.project) if given.class_ is not None else None
    node = given.argument.value
    if known is None or not isinstance(node, ast.Name):
        return None
    keys = known.primary_key or ()
    natural = any(known.columns[key].python_type == "str" for key in keys if key in known.columns)
    for use in site.scope.uses(node.id):
        if use.line <= site.line:
            continue
        if use.role is Role.SET and use.attribute in keys:
            return Refusal(f"line {use.line} changes the key of `{given.text}` behind the call", _BY_VALUE)
        if natural and use.role is Role.ARGUMENT:
            return Refusal(f"line {use.line} may change the key of `{given.text}` behind the call", _BY_VALUE)
    for call in _calls_behind(site) if natural else ():
        if isinstance(call.func, ast.Attribute) and call.func.attr == "execute":
            return Refusal(f"line {call.lineno} may change the key of `{given.text}` behind the call", _BY_VALUE)
    return None


def _calls_behind(site: Site) -> Iterator[ast.Call]:
    for node in site.scope.watched():
        if isinstance(node, ast.Call) and node.lineno > site.line:
            yield node


def _deleted_elsewhere(site: Site, given: Given, view: ModuleView) -> Refusal | None:
    """A function of the project that is called behind the call, and deletes objects of the class."""
    others = {id(one.scheduling.call) for one in view.tasks.sites(site.path)}
    for call in _calls_behind(site):
        called = site.scope.callee(call)
        if isinstance(called, FunctionMeaning) and id(call) not in others:
            inner = view.summaries.scope(FunctionMeaning(called.module, called.qualname))
            if inner is not None and given.class_ is not None and _deletes(inner, given.class_):
                reason = f"`{given.text}` may be deleted by line {call.lineno} behind the call"
                return Refusal(reason, _BY_VALUE)
    return None


def _deletes(scope: Scope, class_: ClassMeaning) -> bool:
    """Whether a function has both a call of something called `delete` and the class in it."""
    nodes = list(ast.walk(scope.node))
    names = [node for node in nodes if isinstance(node, ast.Name) and node.id == class_.qualname.rpartition(".")[2]]
    calls = [node.func for node in nodes if isinstance(node, ast.Call)]
    deletes = [one for one in calls if getattr(one, "attr", getattr(one, "id", "")) == "delete"]
    return bool(names and deletes)


def _list_changed(site: Site, given: Given) -> Refusal | None:
    """A task that runs after the function gets the list as it is then."""
    node = given.argument.value
    if given.what is not What.ENTITIES or not isinstance(node, ast.Name):
        return None
    here = _loop(site, site.scheduling.call)
    changes = [use.node for use in site.scope.uses(node.id) if use.role is Role.METHOD and use.attribute in _MUTATING]
    changes += [
        one.target
        for one in site.scope.statements()
        if isinstance(one, ast.AugAssign) and isinstance(one.target, ast.Name) and one.target.id == node.id
    ]
    changes += [
        inner
        for inner in ast.walk(site.scope.node)
        if isinstance(inner, ast.Subscript) and not isinstance(inner.ctx, ast.Load)
        if isinstance(inner.value, ast.Name) and inner.value.id == node.id
    ]
    for change in changes:
        if change.lineno > site.line or (here is not None and _loop(site, change) is here):
            return Refusal(f"line {change.lineno} changes the list `{given.text}` behind the call", _BY_VALUE)
    return None


def _loop(site: Site, node: ast.AST) -> ast.stmt | None:
    current = site.scope.owner_statement(site.scope.statement(node))
    while current is not None and not isinstance(current, Loop):
        current = site.scope.owner_statement(current)
    return current
