"""What happens around a call that hands an entity to a task, until the task starts. Decides only.

A task that is given the object itself has it whatever becomes of the row; one that fetches it has not.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from codemods.flow.objects.world import World
from codemods.flow.scheduling import Kind
from codemods.flow.scope import Loop
from codemods.flow.tasks.behaviour import changed, unsaved
from codemods.flow.tasks.carried import Given, Site, What
from codemods.project.link import Place
from codemods.project.mapped_classes import mapped
from codemods.project.name_uses import Role
from codemods.project.sessions import FunctionMeaning
from codemods.rules.base import ModuleView
from codemods.rules.own_session.accepted import Refusal

_BY_VALUE = "hand over the values that it needs"
_MUTATING = frozenset({"append", "extend", "insert", "remove", "pop", "clear", "sort", "reverse"})


def between(site: Site, carried: Mapping[str, Given], view: ModuleView) -> Refusal | None:
    """Why an id would not lead the task to what it is given today."""
    for given in carried.values():
        if given.what is What.SESSION:
            continue
        if refused := _deleted(site, given) or _key_changed(site, given, view) or _list_changed(site, given):
            return refused
    return _others_of_request(site, carried, view)


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
    for use in site.scope.uses(node.id):
        if use.role is Role.SET and use.attribute in (known.primary_key or ()) and use.line > site.line:
            return Refusal(f"line {use.line} changes the key of `{given.text}` behind the call", _BY_VALUE)
    return None


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
    for change in changes:
        if change.lineno > site.line or (here is not None and _loop(site, change) is here):
            return Refusal(f"line {change.lineno} changes the list `{given.text}` behind the call", _BY_VALUE)
    return None


def _loop(site: Site, node: ast.AST) -> ast.stmt | None:
    current = site.scope.owner_statement(site.scope.statement(node))
    while current is not None and not isinstance(current, Loop):
        current = site.scope.owner_statement(current)
    return current


def _others_of_request(site: Site, carried: Mapping[str, Given], view: ModuleView) -> Refusal | None:
    """Other dependencies of the request that write in its session, and leave that for somebody else to commit."""
    scope = site.scope
    place = Place(scope.place.path, scope.place.qualname)
    outside = Place(place.path, place.qualname.rpartition(".")[0])
    dependencies = view.customs.dependencies
    own = FunctionMeaning(place.path, place.qualname)
    providers = {
        target
        for definition in view.project.symbols.functions(place.path, place.qualname)
        for parameter in definition.parameters
        if (target := dependencies.injected(parameter, outside)) is not None
    }
    for provider in providers:
        for receiver in dependencies.receivers.get(provider, ()):
            inner = view.summaries.scope(receiver.function) if dependencies.of(receiver.function) else None
            if inner is not None and receiver.function != own:
                line = changed(view.readers.run(inner).record, receiver.parameter)
                if line:
                    where = f"{receiver.function.module}:{line}"
                    reason = f"`{receiver.function.qualname}()`, another dependency, changes what it gets ({where})"
                    return Refusal(f"{reason}, and leaves it uncommitted", f"commit before line {site.line}")
    sessions = {one for one in providers if _lends(one, view)}
    if not sessions:
        return None
    if dependencies.of(own):
        reason = f"`{place.qualname}()` is a dependency itself: what is written after it cannot be seen here"
        return Refusal(reason, "start the task in the endpoint")
    if site.scheduling.kind is not Kind.BACKGROUND and all(site.is_saved(one.session) for one in carried.values()):
        return None
    for session in sessions:
        for receiver in dependencies.receivers.get(session, ()):
            if receiver.function == own or not dependencies.of(receiver.function):
                continue
            inner = view.summaries.scope(receiver.function)
            if inner is None:
                continue
            record = view.readers.run(inner).record
            number = next((one.number for one in record.sessions if one.name == receiver.parameter), 0)
            if number and (line := unsaved(record, number)):
                where = f"{receiver.function.module}:{line}"
                reason = f"`{receiver.function.qualname}()`, another dependency, writes in the same session ({where})"
                return Refusal(f"{reason}, and leaves it uncommitted", f"commit before line {site.line}")
    return None


def _lends(function: FunctionMeaning, view: ModuleView) -> bool:
    definitions = view.project.symbols.functions(function.module, function.qualname)
    return any(one.lends is not None for one in definitions)
