"""Whether what one call hands to a task can be replaced by ids: the call itself, seen alone. Decides only."""

from __future__ import annotations

import ast
from dataclasses import replace

from codemods.flow.objects.values import How, Nothing, Origin
from codemods.flow.scheduling import Kind
from codemods.flow.session_factory import Factory, factory_behind, factory_given_to, sole_factory
from codemods.flow.tasks.carried import Given, Site, What
from codemods.plan import Fact
from codemods.project.keeping import parameter_name
from codemods.project.link import Place
from codemods.project.mapped_classes import mapped
from codemods.project.mapping import Column
from codemods.project.sessions import FunctionMeaning
from codemods.rules.base import ModuleView
from codemods.rules.own_session.accepted import Accepted, Refusal
from codemods.rules.task_arguments.between import between
from codemods.rules.task_arguments.untold import untold

_DEEP = 4  # functions through which an entity is followed to where it is loaded
_LATER = {
    Kind.THREAD: ("to a thread or process", "hand over the values that it needs"),
    Kind.QUEUE: ("to a queue", "give it the id, and let the job open a session of its own"),
}


def judged(site: Site, view: ModuleView, active: frozenset[FunctionMeaning] = frozenset()) -> Accepted | Refusal:
    """What can be said of the call alone, without looking at what the task does. `active`: the tasks on the way."""
    if active:
        return _Judging(site, view, active).result()
    known = view.tasks.judged.get(site)
    if not isinstance(known, Accepted | Refusal):
        known = view.tasks.judged[site] = _Judging(site, view, active).result()
    return known


class _Judging:
    def __init__(self, site: Site, view: ModuleView, active: frozenset[FunctionMeaning]) -> None:
        self.active = active
        self.site = site
        self.view = view
        self.project = view.project
        self.assumed: list[str] = []
        self.needs: set[tuple[str, str, int]] = set()  # the calls that make this function a task
        self.of_task: Factory | None = None  # of the session in which the function, a task itself, fetches the entity
        self.injected: dict[Origin, FunctionMeaning] = {}  # the entities that dependencies give

    def result(self) -> Accepted | Refusal:
        function = self.site.function
        if refused := self._way() or self._target():
            return refused
        assert function is not None
        (definition,) = self.project.symbols.functions(function.module, function.qualname)
        carried: dict[str, Given] = {}
        plain: set[str] = set()
        for one in self.site.given:
            name = parameter_name(definition, function, one.argument.position, one.argument.keyword)
            if name is None:
                return Refusal(f"`{one.text}` reaches `{function.qualname}()` in bulk")
            if not one.matters:
                plain.add(name)
                continue
            if refused := self._argument(one):
                return refused
            carried[name] = one
        factory = self._factory()
        if isinstance(factory, Refusal):
            return factory
        if refused := self._committed(factory):
            return refused
        for one in carried.values():
            if refused := self._expired(one, factory):
                return refused
        if refused := between(self.site, carried, self.view):
            return refused
        assumed, needs = tuple(dict.fromkeys(self.assumed)), tuple(sorted(self.needs))
        return Accepted(self.site, function, carried, frozenset(plain), factory, assumed, needs)

    # --- the call ------------------------------------------------------------------------------------------------

    def _way(self) -> Refusal | None:
        """What the scheduler, or the form of the call, says against it."""
        scheduling = self.site.scheduling
        if scheduling.kind in (Kind.AWAITED, Kind.GATHER) or (scheduling.kind is Kind.TASK and self.site.is_waited_for):
            return Refusal("it is waited for in the same function")
        what = told(self.site)
        if scheduling.kind in _LATER:
            how, advice = _LATER[scheduling.kind]
            return Refusal(f"{what} {goes(self.site)} {how} by `{scheduling.name}()`", advice)
        if self.site.captured:
            names = " and ".join(f"`{name}`" for name in self.site.captured)
            return Refusal(f"{_target_text(self.site)} captures {names}, and runs later")
        if self.site.owner is not None:
            how = "is an entity" if self.site.owner.what is What.ENTITY else "holds a session"
            return Refusal(f"`{self.site.owner.text}` {how}, and its method runs later")
        if not scheduling.proved:
            return Refusal(f"`{scheduling.name}()` is not in view: it may run `{what.strip('`')}` later")
        if scheduling.holder is None:
            return Refusal(f"what `{scheduling.name}()` hands over stands in several places")
        if scheduling.in_bulk:
            return Refusal(f"`{scheduling.name}()` hands its arguments on in bulk")
        return None

    def _target(self) -> Refusal | None:
        target, function = self.site.scheduling.target, self.site.function
        text = _target_text(self.site)
        if function is None:
            return untold(target, self.site.scope) if target is not None else Refusal(f"{text} is not in view")
        definitions = self.project.symbols.functions(function.module, function.qualname)
        if len(definitions) != 1:
            return Refusal(f"{text} is defined more than once")
        definition = definitions[0]
        if definition.is_generator:
            return Refusal(f"{text} is a generator")
        home = self.view.beside(function.module)
        if home is None:
            return Refusal(f"{text} is not in view")
        if "task-arguments" not in home.running:
            return Refusal(f"{home.source.path}, where {text} stands, is not to be changed (per-file-ignores)")
        plain = Place(function.module, function.qualname)
        parent = plain.qualname.rpartition(".")[0]
        if parent and not definition.in_class:
            return Refusal(f"{text} is a nested function: what it captures cannot be replaced by ids")
        if definition.in_class and not _is_static(definition.decorators):
            return Refusal(f"{text} is a method: what its object holds cannot be seen here")
        if self.project.overrides(replace(function, bound=bool(definition.in_class))):
            return Refusal(f"{text} is overridden")
        if not isinstance(target, (ast.Name, ast.Attribute)):
            return Refusal(f"{text} is chosen where it is called")
        return None

    # --- the arguments -------------------------------------------------------------------------------------------

    def _argument(self, given: Given) -> Refusal | None:
        text = f"`{given.text}`"
        match given.what:
            case What.SESSION:
                if given.optional:
                    return Refusal(f"{text} may be None")
                if not given.session:
                    return Refusal(f"it cannot be told which factory makes {text}")
                return None
            case What.ENTITY | What.ENTITIES:
                return self._entity(given)
            case What.HOLDER:
                return Refusal(f"{text} holds a session")
            case What.CONTAINER:
                return Refusal(f"{text} holds an entity")
            case What.MIXED:
                return Refusal(f"{text} may be one of several things")
            case _:
                return Refusal(f"it cannot be told what {text} is")

    def _entity(self, given: Given) -> Refusal | None:
        text = f"`{given.text}`"
        assert given.one is not None
        assert given.class_ is not None
        if not isinstance(given.argument.value, (ast.Name, ast.Attribute)):
            return Refusal(f"{text} is made in the call itself", "give it a name, and hand over its id")
        keys = keys_of(given, self.view)
        if keys is None:
            return Refusal(f"the primary key of `{given.class_.qualname}` cannot be told")
        if given.optional:
            return Refusal(f"{text} may be None", "leave it out where it is None, then hand over its id")
        if given.what is What.ENTITIES and len(keys) > 1:
            return Refusal(f"{text} is a collection whose keys cannot be handed over as one list")
        standing = given.standing
        if standing.pending:
            advice = "put `await session.flush()` behind the `add`, and commit before the task starts"
            return Refusal(f"{text} is not in the database yet: line {standing.pending} adds it", advice)
        if given.one.origin.how is How.GIVEN:
            return self._parameter(given)
        if given.one.origin.how is How.MADE and not standing.attached:
            return Refusal(f"{text} is not in the database yet: nothing adds it here")
        return None

    def _expired(self, given: Given, factory: Factory | None) -> Refusal | None:
        """Reading the key of an expired object loads it again: in sync sessions only (semantics E4)."""
        standing = given.standing
        if not standing.expired or (factory is not None and not factory.is_async):
            return None
        by = standing.expired_by.rstrip("?")
        if by == "commit" and factory is not None and factory.expire_on_commit is False:
            return None
        advice = f"`await session.refresh(...)` it behind line {standing.expired}, or set `expire_on_commit=False`"
        reason = f"`{given.text}` is expired by the {by} at line {standing.expired}: reading its id raises"
        return Refusal(reason, advice)

    def _parameter(self, given: Given) -> Refusal | None:
        """What the function was given: the result of a dependency, or something of which nothing is known."""
        assert given.one is not None
        name, scope = given.one.origin.what, self.site.scope
        place = scope.place
        outside = Place(place.path, place.qualname.rpartition(".")[0])
        dependencies = self.view.customs.dependencies
        for definition in self.project.symbols.functions(place.path, place.qualname):
            for parameter in definition.parameters:
                if parameter.name != name or not dependencies.is_injected(parameter, outside):
                    continue
                target = dependencies.injected(parameter, outside)
                if target is None:
                    self.assumed.append(f"the dependency behind `{name}` is not in view: it should give a loaded row")
                    return None
                self.injected[given.one.origin] = target
                return self._dependency(name, target)
        # what a task schedules on the request whose task it is, is another matter
        outer = self._outer(name) if self.site.scheduling.kind is not Kind.BACKGROUND else None
        if outer is not None:
            self.of_task = outer.factory
            return None
        reason = f"`{given.text}` is a parameter: whether its row is committed cannot be seen here"
        return Refusal(reason, "hand the id through from where the row is known to be committed")

    def _is_injected(self, given: Given) -> bool:
        """Whether nothing but this function has done anything in the session: it has made it, or FastAPI gives it."""
        session, scope = self.site.session(given.session), self.site.scope
        if session is None or not isinstance(session.node, ast.Name) or session.node.id not in scope.parameters:
            return session is None or session.own or isinstance(session.node, ast.Call)
        outside = Place(scope.place.path, scope.place.qualname.rpartition(".")[0])
        dependencies = self.view.customs.dependencies
        return (
            any(
                parameter.name == session.node.id and dependencies.is_injected(parameter, outside)
                for definition in self.project.symbols.functions(scope.place.path, scope.place.qualname)
                for parameter in definition.parameters
            )
            or self._is_of_framework()
            or self._outer(session.node.id) is not None
        )

    def _is_of_framework(self) -> bool:
        """Whether a decorator registers the function, and nobody else calls it: `@router.message()`."""
        place = self.site.scope.place
        definitions = self.project.symbols.functions(place.path, place.qualname)
        decorated = bool(definitions) and all(one.decorators for one in definitions)
        return decorated and not self.view.tasks.uses(FunctionMeaning(place.path, place.qualname)).others

    def _outer(self, name: str) -> Accepted | None:
        """The call that gives the function what it has as `name`, where the function is a task itself and all calls of
        it change: then it has opened the session, and fetched the entity, by its own."""
        place = self.site.scope.place
        function = FunctionMeaning(place.path, place.qualname)
        uses = self.view.tasks.uses(function)
        if uses.others or not uses.sites or function in self.active:
            return None
        found: Accepted | None = None
        for site in uses.sites:
            beside = self.view.beside(site.path)
            outer = judged(site, beside, self.active | {function}) if beside is not None else None
            if not isinstance(outer, Accepted) or name not in outer.carried:
                return None
            found = outer
        self.needs |= {("task-arguments", site.path, site.line) for site in uses.sites}
        return found

    def _dependency(self, name: str, target: FunctionMeaning) -> Refusal | None:
        summary = self.view.summaries.of(target)
        if summary is None:
            self.assumed.append(f"what `{target.qualname}()` does cannot be followed: it should give a loaded row")
            return None
        if any(isinstance(one, Nothing) for one in summary.value):
            return Refusal(f"`{name}` may be None", "leave it out where it is None, then hand over its id")
        for standing in summary.standings.values():
            if standing.expired and standing.expired_by.startswith("commit"):
                factory = factory_given_to(target, self.project, self.view.customs)
                if isinstance(factory, str) or (factory.is_async and factory.expire_on_commit is not False):
                    where = f"`{target.qualname}()` (line {standing.expired})"
                    return Refusal(f"`{name}` is expired by the commit in {where}: reading its id raises")
            if line := standing.pending or standing.flushed or standing.changed:
                return Refusal(f"`{name}` is changed by `{target.qualname}()` (line {line}), and not committed there")
        return None

    # --- the session ---------------------------------------------------------------------------------------------

    def _factory(self) -> Factory | Refusal | None:
        numbers = sorted(self.site.numbers)
        if len(numbers) > 1:
            return Refusal("what it is given belongs to more than one session")
        session = self.site.session(numbers[0]) if numbers else None
        if session is not None:
            found = factory_behind(self.site.scope, session, self.view.customs)
        else:
            found = self._factory_of_entity()
        if isinstance(found, str):
            return Refusal(found)
        if found.assumed:
            self.assumed.append("the task's session comes from the project's only factory: nothing here says so")
        return found

    def _factory_of_entity(self) -> Factory | str:
        """The factory of the session in which an entity was loaded that another function gave."""
        customs = self.view.customs
        for given in self.site.given:
            if given.one is None:
                continue
            origin, record = given.one.origin, self.site.record
            for _ in range(_DEEP):
                if origin not in record.called:
                    break
                function, index = record.called[origin]
                summary = self.view.summaries.of(function)
                scope = self.view.summaries.scope(FunctionMeaning(function.module, function.qualname))
                if summary is None or scope is None or index >= len(summary.origins):
                    break
                origin, record = summary.origins[index], self.view.readers.run(scope).record
                if 0 < origin.session <= len(record.sessions):
                    return factory_behind(scope, record.sessions[origin.session - 1], customs)
            if self.of_task is not None and given.one.origin.how is How.GIVEN:
                return self.of_task  # it is fetched with the session of the task that this is
            if given.one.origin in self.injected:
                return factory_given_to(self.injected[given.one.origin], self.project, customs)
        return sole_factory(self.project, customs)

    def _committed(self, factory: Factory | None) -> Refusal | None:
        """The task's own session sees what is committed, and nothing else (semantics E4)."""
        kind = self.site.scheduling.kind
        for given in self.site.given:
            if given.what is What.SESSION and not self._is_injected(given) and not self.site.is_saved(given.session):
                reason = f"`{given.text}` is a parameter: what its callers have not committed cannot be seen here"
                return Refusal(reason, f"put `await {given.text}.commit()` before line {self.site.line}")
        line = self.site.unwritten(at_once=kind is not Kind.BACKGROUND)
        if not line:
            return None
        names = [session.name for number in sorted(self.site.numbers) if (session := self.site.session(number))]
        advice = f"put `await {(names or ['session'])[0] or 'session'}.commit()` before line {self.site.line}"
        what = f"what line {line} writes or locks, or may write,"
        commits: Fact | None = factory.commits if factory is not None else None
        if commits is not None and kind is Kind.BACKGROUND:
            reason = (
                f"{what} is committed by the dependency, which commits behind its `yield` ({commits.path}:"
                f"{commits.line}): FastAPI up to 0.105 and from 0.118 on runs the task before that"
            )
            return Refusal(reason, advice)
        reason = f"{what} is not committed when the task starts"
        if self._task_commits():
            reason += ": the task's own commit writes it"
        return Refusal(reason, advice)

    def _task_commits(self) -> bool:
        """Whether the task commits the session that it is given: what was pending is written then."""
        function = self.site.function
        scope = self.view.summaries.scope(FunctionMeaning(function.module, function.qualname)) if function else None
        if function is None or scope is None:
            return False
        (definition,) = self.project.symbols.functions(function.module, function.qualname)
        for one in self.site.given:
            name = parameter_name(definition, function, one.argument.position, one.argument.keyword)
            if one.what is What.SESSION and name is not None:
                return any(use.attribute == "commit" for use in scope.uses(name))
        return False


def keys_of(given: Given, view: ModuleView) -> tuple[Column, ...] | None:
    """The columns of the primary key of an entity, in the order in which `get` takes them; None: it cannot be told."""
    known = mapped(given.class_, view.project) if given.class_ is not None else None
    if known is None or not known.primary_key:
        return None
    columns = [known.columns.get(name) for name in known.primary_key]
    found = [column for column in columns if column is not None]
    return tuple(found) if len(found) == len(columns) else None


def told(site: Site) -> str:
    """What goes along, as it is written: "`item` and `session`"."""
    texts = [f"`{one.text}`" for one in site.given if one.matters]
    texts = texts or [f"`{name}`" for name in site.captured]
    texts = texts or ([f"`{site.owner.text}`"] if site.owner is not None else ["what it runs"])
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} and {texts[-1]}"


def goes(site: Site) -> str:
    """The verb for what `told` says."""
    return "goes" if told(site).count("`") <= 2 else "go"


def _target_text(site: Site) -> str:
    target = site.scheduling.target
    if target is None:
        return "what runs later"
    return "a lambda" if isinstance(target, ast.Lambda) else f"`{ast.unparse(target)}()`"


def _is_static(decorators: tuple[object, ...]) -> bool:
    return any(getattr(one, "id", "") in ("staticmethod", "classmethod") for one in decorators)
