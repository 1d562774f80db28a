"""What becomes of a function that is run later: its new parameters, and how it fetches what it needs. Decides only."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from codemods.flow.class_import import class_named
from codemods.flow.loader_names import written
from codemods.flow.loader_options import loaded_by, missing
from codemods.flow.own_session import OwnSession, own_session
from codemods.flow.scheduling import Kind
from codemods.flow.scope import Scope
from codemods.flow.tasks.behaviour import (
    changed,
    gives_something,
    logger_of,
    raises_for_http,
    reads_only_key,
    unmapped_reads,
    unsaved,
)
from codemods.flow.tasks.carried import Given, What
from codemods.plan import Fact, Request
from codemods.project.expressions import chained
from codemods.project.facts import FunctionFacts
from codemods.project.keeping import Fate, handed
from codemods.project.link import Place
from codemods.project.mapping import Column
from codemods.project.name_uses import Role
from codemods.project.sessions import ClassMeaning, External, FunctionMeaning
from codemods.rules.base import ModuleView
from codemods.rules.task_arguments.judging import Accepted, Refusal, judged, keys_of
from codemods.rules.task_arguments.layout import laid_out

_PLAIN_TYPES = frozenset({"int", "str", "bool", "float", "bytes"})


@dataclass(frozen=True, slots=True)
class Key:
    """One new parameter: a column of a primary key."""

    name: str
    attribute: str
    annotation: str  # "" when the type cannot be told, or would have to be imported and cannot be
    requests: tuple[Request, ...] = ()

    @property
    def text(self) -> str:
        return f"{self.name}: {self.annotation}" if self.annotation else self.name


@dataclass(frozen=True, slots=True)
class Replaced:
    """One parameter that carries a session (no keys) or an entity, and what takes its place."""

    name: str
    what: What
    class_: ClassMeaning | None = None
    keys: tuple[Key, ...] = ()
    only_key: bool = False  # the task reads nothing but the key
    options: tuple[str, ...] = ()
    requests: tuple[Request, ...] = ()
    class_text: str = ""
    local: str = ""  # the import of the class that must stand in the function


@dataclass(slots=True, eq=False)
class Task:
    """A function that is run later, with all that is known of it. `replaced` is in the order of its parameters."""

    function: FunctionMeaning
    scope: Scope
    view: ModuleView
    definition: FunctionFacts
    replaced: tuple[Replaced, ...]
    own: OwnSession | None
    is_async: bool
    in_place: bool
    needs: tuple[tuple[str, str, int], ...] = ()  # sites inside of it that have to change, too
    reasons: list[str] = field(default_factory=list)
    plain: frozenset[str] = frozenset()  # what the sites give beside that

    @property
    def node(self) -> ast.FunctionDef | ast.AsyncFunctionDef:
        assert isinstance(self.scope.node, (ast.FunctionDef, ast.AsyncFunctionDef))
        return self.scope.node

    @property
    def session_name(self) -> str:
        """What the task's own session is called."""
        named = [one.name for one in self.replaced if one.what is What.SESSION]
        return named[0] if named else "session"

    @property
    def fetched(self) -> tuple[Replaced, ...]:
        return tuple(one for one in self.replaced if one.keys and not (one.only_key and self.in_place))

    @property
    def local(self) -> tuple[str, ...]:
        """The imports that must stand in the function itself."""
        own = [self.own.local] if self.own is not None and self.own.local else []
        return tuple(dict.fromkeys([*own, *(one.local for one in self.fetched if one.local)]))

    def fetch(self, margin: int) -> list[str]:
        """The statements that fetch the entities, and leave when one is gone; to be indented by `margin`."""
        limit = self.view.settings.line_length
        lines: list[str] = []
        logger = logger_of(self.scope)
        wait = "await " if self.is_async else ""
        for one in self.fetched:
            names = [key.name for key in one.keys]
            if one.what is What.ENTITIES:
                for line in self._fetch_all(one, wait):
                    lines += laid_out(line, margin, limit)
                continue
            key = names[0] if len(names) == 1 else f"({', '.join(names)})"
            options = f", options=[{', '.join(one.options)}]" if one.options else ""
            got = f"{one.name} = {wait}{self.session_name}.get({one.class_text}, {key}{options})"
            lines += laid_out(got, margin, limit)
            lines.append(f"if {one.name} is None:")
            if logger:
                told = ", ".join(["%s"] * len(names))
                label = one.class_text.rpartition(".")[2]
                warning = f'{logger}.warning("{label} {told} no longer exists", {", ".join(names)})'
                lines += [f"    {line}" for line in laid_out(warning, margin + 4, limit)]
            lines.append("    return")
        return lines

    def _fetch_all(self, one: Replaced, wait: str) -> list[str]:
        (key,) = one.keys
        options = f".options({', '.join(one.options)})" if one.options else ""
        column = f"{one.class_text}.{key.attribute}"
        each = one.name.removesuffix("s") if one.name.endswith("s") else "each"
        statement = f"select({one.class_text}){options}.where({column}.in_({key.name}))"
        return [
            f"{one.name} = list({wait}{self.session_name}.scalars({statement}))",
            f"{one.name}.sort(key=lambda {each}: {key.name}.index({each}.{key.attribute}))",
        ]


def task_of(accepted: Sequence[Accepted], refused: int, others: Sequence[Fact], view: ModuleView) -> Task | Refusal:
    """What becomes of the function that all these calls run; `refused` more calls of it, and `others`, stay."""
    return _Reading(accepted, refused, others, view).task()


class _Reading:
    def __init__(self, accepted: Sequence[Accepted], refused: int, others: Sequence[Fact], view: ModuleView) -> None:
        self.accepted = accepted
        self.first = accepted[0]
        self.function = self.first.function
        self.stays = refused + len(others)
        self.others = others
        found = view.beside(self.function.module)
        assert found is not None
        self.view = found
        self.project = view.project
        scope = view.summaries.scope(FunctionMeaning(self.function.module, self.function.qualname))
        assert scope is not None
        self.scope = scope
        (self.definition,) = self.project.symbols.functions(self.function.module, self.function.qualname)
        self.record = view.readers.run(scope).record
        self.reasons: list[str] = []
        self.needs: set[tuple[str, str, int]] = set()
        self.name = f"`{self.function.qualname}()`"

    def task(self) -> Task | Refusal:
        if refused := self._differing() or self._behaviour():
            return refused
        if self._is_in_place():
            task = self._made(in_place=True)
            if isinstance(task, Refusal) or not self._clash(task):
                return task
        task = self._made(in_place=False)
        if isinstance(task, Task) and (clash := self._clash(task)):
            return Refusal(clash)
        return task

    def _made(self, *, in_place: bool) -> Task | Refusal:
        carried = self.first.carried
        has_session = any(one.what is What.SESSION for one in carried.values())
        replaced: list[Replaced] = []
        for parameter in self.definition.parameters:
            given = carried.get(parameter.name)
            if given is None:
                continue
            one = self._replaced(parameter.name, given, in_place=in_place)
            if isinstance(one, Refusal):
                return one
            replaced.append(one)
        fetches = any(one.keys and not (one.only_key and in_place) for one in replaced)
        own: OwnSession | None = None
        factory = self.first.factory
        if has_session or fetches:
            assert factory is not None
            if factory.is_async and not self.scope.is_async:
                return Refusal(f"{self.name} is not async: it cannot await what an async session gives")
            found = own_session(
                factory,
                self.scope,
                self.view.tree,
                self.view.source,
                self.view.customs,
                self.view.settings.scope,
            )
            if isinstance(found, str):
                return Refusal(found)
            own = found
            if own.replaced:
                fact = own.replaced[0]
                self.reasons.append(
                    f"tests replace what gives the session ({fact.path}:{fact.line}): they do not reach the task's own"
                )
        plain = frozenset(name for one in self.accepted for name in one.plain)
        is_async = factory.is_async if factory is not None else self.scope.is_async
        for accepted in self.accepted:
            self.reasons += [reason for reason in accepted.assumed if reason not in self.reasons]
        return Task(
            self.function,
            self.scope,
            self.view,
            self.definition,
            tuple(replaced),
            own,
            is_async,
            in_place,
            tuple(sorted(self.needs)),
            list(dict.fromkeys(self.reasons)),
            plain,
        )

    # --- what the task does --------------------------------------------------------------------------------------

    def _differing(self) -> Refusal | None:
        """Whether the calls hand the same kinds of things to the same parameters."""
        kinds = [{name: (one.what, one.class_) for name, one in each.carried.items()} for each in self.accepted]
        if any(one != kinds[0] for one in kinds):
            return Refusal(f"{self.name} is given other things by other calls")
        sources = {each.factory.source for each in self.accepted if each.factory is not None}
        if len(sources) > 1:
            return Refusal(f"{self.name} is given sessions of several factories")
        return None

    def _behaviour(self) -> Refusal | None:
        sessions = [name for name, one in self.first.carried.items() if one.what is What.SESSION]
        entities = [
            (name, one)
            for name, one in self.first.carried.items()
            if one.what in (What.ENTITY, What.ENTITIES) and one.class_ is not None
        ]
        if len(sessions) > 1:
            return Refusal(f"{self.name} gets more than one session")
        if line := raises_for_http(self.scope):
            return Refusal(f"{self.name} raises HTTPException at line {line}: nobody answers a request there")
        numbers = {session.name: session.number for session in self.record.sessions}
        for name, given in entities:
            assert given.class_ is not None
            by_hand = frozenset(
                use.attribute
                for one in self.accepted
                if isinstance(node := one.carried[name].argument.value, ast.Name)
                for use in one.site.scope.uses(node.id)
                if use.role is Role.SET
            )
            for read in unmapped_reads(self.scope, name, given.class_, self.view.readers, by_hand):
                where = f"{read.path}:{read.line}"
                return Refusal(f"`{read.text}` is no column ({where}): it does not come along with the id")
        for name in sessions if entities else ():
            for use in self.scope.uses(name):
                if use.attribute == "begin":
                    reason = (
                        f"{self.name} begins a transaction at line {use.line}: what is fetched before has begun one"
                    )
                    return Refusal(reason, "fetch in the transaction by hand")
        for name in self.first.carried:
            if refused := self._fate(name, is_session=name in sessions):
                return refused
        for name, _ in entities:
            if not sessions and (line := changed(self.record, name)):
                return Refusal(f"{self.name} changes `{name}` without a commit (line {line})", "commit it in the task")
        for name in sessions:
            if line := unsaved(self.record, numbers.get(name, 0)):
                what = entities[0][0] if entities else name
                reason = f"{self.name} changes `{what}` without a commit behind line {line}"
                return Refusal(reason, "commit in the task")
        return None

    def _fate(self, name: str, *, is_session: bool) -> Refusal | None:
        found = handed(self.function, None, name, self.project)
        where = f" ({found.fact.path}:{found.fact.line})" if found.fact else ""
        inner = [
            site
            for site in self.view.tasks.sites(self.function.module)
            if site.scope.place == self.scope.place and any(name in _names(one.argument.value) for one in site.given)
        ]
        for site in inner:
            result = judged(site, self.view)
            if isinstance(result, Refusal) and (is_session or site.scheduling.kind is not Kind.AWAITED):
                how = f"{self.name} hands `{name}` on to `{site.scheduling.name}()` ({site.path}:{site.line})"
                return Refusal(f"{how}: {result.reason}", result.advice)
            if isinstance(result, Accepted):
                self.needs.add(("task-arguments", site.path, site.line))
        if inner and found.fate is Fate.SCHEDULED:
            return None
        if found.fate is Fate.SCHEDULED:
            return Refusal(f"{self.name} hands `{name}` on to something that runs later{where}")
        if found.fate is Fate.KEPT:
            return Refusal(f"{self.name} keeps it: `{name}` outlives the task{where}")
        if found.fate is Fate.CAPTURED and is_session:
            why = f": {found.fact.text}" if found.fact else ""
            return Refusal(f"{self.name} keeps it, or may{why}{where}")
        return None

    # --- the form ------------------------------------------------------------------------------------------------

    def _is_in_place(self) -> bool:
        """Whether the function itself changes: nobody calls it otherwise, and nothing in it stands in the way."""
        definition, node = self.definition, self.scope.node
        assert isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        if self.stays or definition.parent or definition.decorators or gives_something(self.record):
            return False
        if self._is_exported():
            return False
        if node.body[0].lineno == node.lineno:
            return False
        for name, given in self.first.carried.items():
            uses = self.scope.uses(name)
            if given.what is What.SESSION:
                if any(
                    use.role not in (Role.METHOD, Role.ARGUMENT, Role.ATTRIBUTE) or use.attribute == "close"
                    for use in uses
                ):
                    return False
            elif any(use.role is Role.BOUND for use in uses):
                return False
        return not any(isinstance(one, (ast.Global, ast.Nonlocal)) for one in self.scope.statements())

    def _is_exported(self) -> bool:
        """Whether the name is in the `__all__` of a module that has the function: others may call it."""
        name, symbols = self.definition.name, self.project.symbols
        return any(
            facts.public is not None and name in facts.public and self.project.member(path, name) == self._plain
            for path, facts in symbols.facts.items()
        )

    @property
    def _plain(self) -> FunctionMeaning:
        return FunctionMeaning(self.function.module, self.function.qualname)

    def _replaced(self, name: str, given: Given, *, in_place: bool) -> Replaced | Refusal:
        if given.what is What.SESSION:
            return Replaced(name, What.SESSION)
        columns = keys_of(given, self.view)
        assert columns is not None
        class_ = given.class_
        assert class_ is not None
        many = given.what is What.ENTITIES
        keys = tuple(self._key(name, column, many=many) for column in columns)
        only = len(columns) == 1 and not many and reads_only_key(self.scope, name, columns[0].name)
        if only and in_place:
            return Replaced(name, given.what, class_, keys, only_key=True)
        place = self.scope if in_place else self.view.scopes[0]
        text = class_named(class_, place, self.view.tree, self.view.source)
        if isinstance(text, str):
            return Refusal(text)
        options = self._options(name, class_, text.text, place)
        if isinstance(options, Refusal):
            return options
        texts, requests = options
        if many:
            select = self.view.openings(place).standard("sqlalchemy", "select", "sqlmodel", "sqlalchemy.future")
            if select is None or select[0] != "select":
                return Refusal(f"`select` means something else in {self.view.source.path}")
            requests = (*requests, *select[1])
        imports = (*text.requests, *requests)
        return Replaced(name, given.what, class_, keys, only, texts, imports, text.text, text.local)

    def _options(
        self, name: str, class_: ClassMeaning, class_text: str, place: Scope
    ) -> tuple[tuple[str, ...], tuple[Request, ...]] | Refusal:
        """Loader options for the relationships that the task reads. A sync session loads them when they are read."""
        factory = self.first.factory
        if factory is None or not factory.is_async:
            return (), ()
        readings = self.view.readers.of_parameter(self.function, name, class_)
        stopped = next((one.stopped for one in readings if one.stopped), "")
        if stopped:
            return Refusal(f"{self.name} reads `{readings[0].text}`: {stopped}")
        wanted = list(dict.fromkeys(one.names for one in readings))
        texts: list[str] = []
        requests: list[Request] = []
        for one in missing(wanted, class_, loaded_by([], class_, place), self.project):
            if one.refused:
                return Refusal(f"{self.name} reads `{readings[0].text}`: {one.refused}")
            line = self.scope.statements()[0].lineno if place is self.scope else None
            option = written(one, class_text, place, self.view.tree, self.view.source, self.project, line)
            if isinstance(option, str):
                return Refusal(option)
            texts.append(option.text)
            requests += [request for request in option.requests if request not in requests]
        return tuple(texts), tuple(requests)

    def _key(self, name: str, column: Column, *, many: bool) -> Key:
        if many:
            singular = name.removesuffix("s")
            inner, requests = self._type(column)
            return Key(f"{singular}_{column.name}s", column.name, f"list[{inner}]" if inner else "", requests)
        new = column.name if column.name.startswith(f"{name}_") else f"{name}_{column.name}"
        annotation, requests = self._type(column)
        return Key(new, column.name, annotation, requests)

    def _type(self, column: Column) -> tuple[str, tuple[Request, ...]]:
        """How the type of a key is written in the task's file."""
        if column.python_type in _PLAIN_TYPES:
            return column.python_type, ()
        module, _, name = column.python_type.rpartition(".")
        if not module:
            return "", ()
        means = self.project.meaning(chained(column.python_type), Place(self.view.source.path))
        openings = self.view.openings(self.view.scopes[0])
        facts = self.project.symbols.facts[self.view.source.path]
        if means == External(column.python_type) and any(one.name == module and not one.scope for one in facts.imports):
            return column.python_type, ()
        found = openings.standard(module, name, above=self.scope.node.lineno)  # type: ignore[union-attr]
        return found if found is not None else ("", ())

    def _clash(self, task: Task) -> str:
        """A new name that means something in the task already."""
        new = [key.name for one in task.replaced for key in one.keys]
        if len(set(new)) < len(new):
            return f"two of the new parameters of {self.name} would have one name"
        taken = set(self.scope.parameters) - {one.name for one in task.replaced}
        if task.in_place:
            node = self.scope.node
            taken |= {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}
            if task.fetched and not any(one.what is What.SESSION for one in task.replaced):
                new.append("session")
        for name in new:
            if name in taken:
                return f"`{name}` means something else in {self.name}"
        return ""


def _names(node: ast.expr) -> Iterable[str]:
    return {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)}
