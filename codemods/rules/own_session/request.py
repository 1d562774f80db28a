"""What else of a request works on the session that a function is given by FastAPI: other dependencies, services.

FastAPI gives all of them one and the same session. Decides only.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping

from codemods.flow.scheduling import Kind
from codemods.flow.tasks.behaviour import changed, unsaved
from codemods.flow.tasks.carried import Given, Site
from codemods.project.link import Place
from codemods.project.name_uses import Role
from codemods.project.session_holders import holds_session
from codemods.project.sessions import ClassMeaning, FunctionMeaning, InstanceMeaning
from codemods.rules.base import ModuleView
from codemods.rules.own_session.accepted import Refusal


def others_of_request(site: Site, carried: Mapping[str, Given], view: ModuleView) -> Refusal | None:
    """Other dependencies of the request that write in its session, and leave that for somebody else to commit."""
    scope = site.scope
    place = Place(scope.place.path, scope.place.qualname)
    outside = Place(place.path, place.qualname.rpartition(".")[0])
    dependencies = view.customs.dependencies
    own = FunctionMeaning(place.path, place.qualname)
    injected = [
        target
        for definition in view.project.symbols.functions(place.path, place.qualname)
        for parameter in definition.parameters
        if (target := dependencies.injected(parameter, outside)) is not None
    ]
    providers = list(dict.fromkeys(injected))
    given = [
        parameter.name
        for definition in view.project.symbols.functions(place.path, place.qualname)
        for parameter in definition.parameters
        if dependencies.is_injected(parameter, outside)
    ]
    if refused := _services(site, given, view):
        return refused
    for provider in providers:
        for receiver in dependencies.receivers.get(provider, ()):
            inner = view.summaries.scope(receiver.function) if dependencies.of(receiver.function) else None
            if inner is not None and receiver.function != own:
                line = changed(view.readers.run(inner).record, receiver.parameter)
                if line:
                    where = f"{receiver.function.module}:{line}"
                    reason = f"`{receiver.function.qualname}()`, another dependency, changes what it gets ({where})"
                    return Refusal(f"{reason}, and leaves it uncommitted", f"commit before line {site.line}")
    sessions = [one for one in providers if _lends(one, view)]
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
                name = f"`{receiver.function.qualname}()`, another dependency,"
                reason = f"{name} writes, or may write, in the same session ({where})"
                return Refusal(f"{reason}, and leaves it uncommitted", f"commit before line {site.line}")
    return None


def _lends(function: FunctionMeaning, view: ModuleView) -> bool:
    definitions = view.project.symbols.functions(function.module, function.qualname)
    return any(one.lends is not None for one in definitions)


def _services(site: Site, names: list[str], view: ModuleView) -> Refusal | None:
    """Objects of dependencies that hold the session: what their methods write in it is not seen."""
    scope = site.scope
    commits = [
        node.lineno
        for node in scope.watched()
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "commit"
    ]
    for name in names:
        means = scope.meaning(ast.Name(name, ast.Load()))
        of = means.of if isinstance(means, InstanceMeaning) else None
        if not isinstance(of, ClassMeaning) or not holds_session(of, view.project):
            continue
        for use in scope.uses(name):
            if use.role in (Role.METHOD, Role.ATTRIBUTE) and not any(use.line < line for line in commits):
                reason = f"`{name}.{use.attribute}()` works on the same session at line {use.line}"
                return Refusal(f"{reason}: what it writes there cannot be seen", f"commit before line {site.line}")
    return None
