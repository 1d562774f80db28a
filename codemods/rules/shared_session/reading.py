"""Whether coroutines that share a session only read: then each can have one of its own. Decides only."""

from __future__ import annotations

import ast
from dataclasses import dataclass, replace

from codemods.flow.objects.world import SessionStanding
from codemods.flow.own_session import own_session
from codemods.flow.session_factory import factory_behind
from codemods.flow.tasks.behaviour import gives_plain, only_reads
from codemods.flow.tasks.carried import Given, Site, What
from codemods.flow.tasks.sharing import Sharing, sharings
from codemods.project.keeping import Fate, handed, parameter_name
from codemods.project.name_uses import Role
from codemods.project.sessions import External, FunctionMeaning
from codemods.rules.base import ModuleView
from codemods.rules.own_session.accepted import Accepted, Refusal
from codemods.rules.own_session.request import others_of_request
from codemods.rules.own_session.task import Replaced, Task

_READING = frozenset({"execute", "scalar", "scalars", "get", "get_one", "exec", "query", "stream", "stream_scalars"})
_ADVICE = "give each its own session, or await one after the other"


@dataclass(frozen=True, slots=True, eq=False)
class Reader:
    """One coroutine that gets a session of its own. `needs` are places that have to change with it."""

    accepted: Accepted
    task: Task
    needs: tuple[tuple[str, str, int], ...] = ()


def readers_of(sharing: Sharing, view: ModuleView) -> list[Reader] | Refusal:
    """The coroutines with what becomes of each; or why they are left alone."""
    if sharing.meanwhile:
        return Refusal(f"line {sharing.meanwhile} uses it before the task is waited for", _ADVICE)
    accepted = _accepted(sharing, view)
    if isinstance(accepted, Refusal):
        return accepted
    found: list[Reader] = []
    for one in accepted:
        sources = {other.factory.source for other in accepted if other.factory and other.function == one.function}
        if len(sources) > 1:
            return Refusal(f"`{one.function.qualname}()` is given sessions of several factories", _ADVICE)
        made = _reader(one, [other for other in accepted if other.function == one.function], view)
        if isinstance(made, Refusal):
            return made
        found.append(made)
    return found


def _accepted(sharing: Sharing, view: ModuleView) -> list[Accepted] | Refusal:
    found = []
    for site in sharing.sites:
        one = _judged(site, view)
        if isinstance(one, Refusal):
            return one
        found.append(one)
    return found


def _judged(site: Site, view: ModuleView) -> Accepted | Refusal:
    """One call, seen alone."""
    target, function = site.scheduling.target, site.function
    text = f"`{ast.unparse(target)}()`" if target is not None else "what runs"
    if site.owner is not None or site.captured:
        return Refusal(f"{text} works on the session that all have", _ADVICE)
    if function is None or view.beside(function.module) is None or site.scheduling.in_bulk:
        return Refusal(f"{text} is not in view", _ADVICE)
    definitions = view.project.symbols.functions(function.module, function.qualname)
    scope = view.summaries.scope(FunctionMeaning(function.module, function.qualname))
    if len(definitions) != 1 or scope is None or definitions[0].parent or definitions[0].decorators:
        return Refusal(f"{text} is no plain function of a module", _ADVICE)
    if not definitions[0].is_async or definitions[0].is_generator:
        return Refusal(f"{text} is no coroutine", _ADVICE)
    carried: dict[str, Given] = {}
    plain: set[str] = set()
    for one in site.given:
        name = parameter_name(definitions[0], function, one.argument.position, one.argument.keyword)
        if name is None:
            return Refusal(f"{text} is given something in bulk", _ADVICE)
        if one.what is What.SESSION and not one.optional and isinstance(one.argument.value, ast.Name):
            carried[name] = one
        elif one.matters:
            return Refusal(f"{text} is given `{one.text}`, too", _ADVICE)
        else:
            plain.add(name)
    if len(carried) != 1:
        return Refusal(f"{text} is given more than one session", _ADVICE)
    (name,) = carried
    record = view.readers.run(scope).record
    number = next((one.number for one in record.sessions if one.name == name), 0)
    if not number or not only_reads(record, number):
        return Refusal(f"{text} does more than to read through the session", _ADVICE)
    if handed(function, None, name, view.project).fate > Fate.UNKNOWN:
        return Refusal(f"{text} keeps the session, or hands it on", _ADVICE)
    if not gives_plain(record, definitions[0], function, view.project):
        return Refusal(f"{text} gives what belongs to the session", _ADVICE)
    for use in scope.uses(name):
        if use.role in (Role.METHOD, Role.ATTRIBUTE) and use.attribute not in _READING:
            return Refusal(f"{text} uses `{name}.{use.attribute}`, which another session has not", _ADVICE)
    if line := _set_up(site):
        return Refusal(f"line {line} may set something up that only this session has", _ADVICE)
    if refused := others_of_request(site, carried, view):
        return refused
    seen = site.record.seen.get(site.scheduling.call)
    given = carried[name].session
    standing = seen.world.sessions.get(given, SessionStanding()) if seen is not None else SessionStanding()
    if seen is None or standing.uncommitted:
        return Refusal(f"line {standing.uncommitted} writes, or may write, what another session does not see", _ADVICE)
    session = site.session(given)
    factory = factory_behind(site.scope, session, view.customs) if session is not None else "its session is not told"
    if isinstance(factory, str):
        return Refusal(factory, _ADVICE)
    return Accepted(site, replace(function, bound=False), carried, frozenset(plain), factory)


def _set_up(site: Site) -> int:
    """The line of a statement as a text before the call that does more than to select: `SET`, a temporary table."""
    for node in site.scope.watched():
        if isinstance(node, ast.Call) and node.lineno < site.line and node.args:
            means, first = site.scope.callee(node), node.args[0]
            if (
                isinstance(means, External)
                and means.dotted.startswith("sqlalchemy.")
                and means.dotted.endswith(".text")
            ):
                told = first.value if isinstance(first, ast.Constant) else ""
                if not (isinstance(told, str) and told.lstrip().lower().startswith("select")):
                    return node.lineno
    return 0


def _reader(accepted: Accepted, alike: list[Accepted], view: ModuleView) -> Reader | Refusal:
    """What becomes of the function: changed in its place where every use of it is such a call."""
    function, factory = accepted.function, accepted.factory
    assert factory is not None
    home = view.beside(function.module)
    scope = view.summaries.scope(function)
    assert home is not None
    assert scope is not None
    (definition,) = view.project.symbols.functions(function.module, function.qualname)
    own = own_session(factory, scope, home.tree, home.source, home.customs, home.settings.scope)
    if isinstance(own, str):
        return Refusal(own, _ADVICE)
    (name,) = accepted.carried
    uses = view.tasks.uses(function)
    sharing_sites = _changing(function, view)
    in_place = not uses.others and all(any(site is one for one in sharing_sites) for site in uses.sites)
    in_place = in_place and all(use.role in (Role.METHOD, Role.ARGUMENT, Role.ATTRIBUTE) for use in scope.uses(name))
    facts = view.project.symbols.facts[function.module]
    in_place = in_place and not (facts.public is not None and definition.name in facts.public)
    node = scope.node
    assert isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    in_place = in_place and node.body[0].lineno != node.lineno
    reasons: list[str] = []
    if own.replaced:
        fact = own.replaced[0]
        reasons.append(
            f"tests replace what gives the session ({fact.path}:{fact.line}): they do not reach the new ones"
        )
    if factory.assumed:
        reasons.append("the sessions come from the project's only factory: nothing here says so")
    plain = frozenset(name for one in alike for name in one.plain)
    replaced = (Replaced(name, What.SESSION),)
    task = Task(
        function, scope, home, definition, replaced, own, factory.is_async, in_place, (), reasons, plain,
        suffix="_own_session", gives=True,
    )  # fmt: skip
    wrapper = f"{definition.name}{task.suffix}"
    if not in_place and (facts.is_package or _is_taken(wrapper, home)):
        return Refusal(f"`{wrapper}` means something else in {function.module}", _ADVICE)
    needs = tuple(("shared-session", one.path, _line(one, view)) for one in sharing_sites) if in_place else ()
    return Reader(accepted, task, tuple(dict.fromkeys(needs)))


def _changing(function: FunctionMeaning, view: ModuleView) -> list[Site]:
    """The calls of a function that stand in groups all of which can change."""
    found: list[Site] = []
    for path in sorted({site.path for site in view.tasks.uses(function).sites}):
        beside = view.beside(path)
        for sharing in sharings(view.tasks.sites(path)) if beside is not None else ():
            assert beside is not None
            if any(site.function == function for site in sharing.sites) and not isinstance(
                _accepted(sharing, beside), Refusal
            ):
                found += sharing.sites
    return found


def _line(site: Site, view: ModuleView) -> int:
    """The line of the finding that changes the call."""
    for sharing in sharings(view.tasks.sites(site.path)):
        if any(one is site for one in sharing.sites):
            return sharing.sites[0].line
    return site.line


def _is_taken(name: str, view: ModuleView) -> bool:
    return any(
        getattr(node, "name", getattr(node, "id", "")) == name
        for node in ast.walk(view.tree)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Name, ast.alias))
    )
