"""What is read of an object after it has left its session: in the function itself, in callers, in callees, in schemas.

Follows the object through the project: to where the functions that return it are called, to the parameters that it is
handed to, to the schemas of routes. Pure; asks runs of functions.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from codemods.flow.objects.interpret import run
from codemods.flow.objects.record import Record
from codemods.flow.objects.summaries import FunctionSummaries
from codemods.flow.objects.values import How, Origin, objects
from codemods.flow.scope import Scope, scopes
from codemods.project.link import Project
from codemods.project.mapped_classes import below, mapped
from codemods.project.routes import responses
from codemods.project.schemas import reads_attributes, relationship_paths
from codemods.project.sessions import ClassMeaning, FunctionMeaning

_DEEP = 5  # further than this from the load nothing is followed


@dataclass(frozen=True, slots=True, order=True)
class Reading:
    """One read: the attributes from the loaded object on, where it stands, and how it is written there."""

    names: tuple[str, ...]
    path: str
    line: int
    text: str
    stopped: str = ""  # why it cannot be told how far it reads


_ENDLESS = "it reads on and on in the same way, as deep as the objects go"


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """A function, or the body of a module, that was run."""

    scope: Scope
    record: Record

    @property
    def function(self) -> FunctionMeaning:
        return FunctionMeaning(self.scope.place.path, self.scope.place.qualname)


class Readers:
    """`tree` gives the tree of a file, `mentioning` the files in which one of the names stands."""

    def __init__(
        self,
        project: Project,
        summaries: FunctionSummaries,
        tree: Callable[[str], ast.Module | None],
        mentioning: Callable[[frozenset[str]], Iterable[str]],
    ) -> None:
        self.project = project
        self.summaries = summaries
        self._tree = tree
        self._mentioning = mentioning
        self._scopes: dict[str, list[tuple[Scope, frozenset[str]]]] = {}
        self._runs: dict[tuple[str, str, int], Run] = {}
        self._callers: dict[FunctionMeaning, list[tuple[Run, Origin, int]]] = {}

    def readings(self, start: Run, origin: Origin, class_: ClassMeaning, *, detached: bool) -> list[Reading]:
        """What is read of the objects of one origin once they have left their session, as far as relationships go.

        `detached`: they leave it when the function returns them.
        """
        found = set()
        for one in self._of(start, origin, (), frozenset(), class_, detached=detached):
            names, stopped = self._relationships(class_, one.names)
            if names or stopped:
                found.add(Reading(names or one.names, one.path, one.line, one.text, one.stopped or stopped))
        return sorted(found, key=lambda one: (one.path, one.line, one.names))

    def of_parameter(self, function: FunctionMeaning, name: str, class_: ClassMeaning) -> list[Reading]:
        """What a function, and whatever it hands it on to, reads of the object that it is given as `name`, as far as
        relationships go."""
        found = set()
        for one in self._parameter(function, None, name, (), frozenset(), class_):
            names, stopped = self._relationships(class_, one.names)
            if names or stopped:
                found.add(Reading(names or one.names, one.path, one.line, one.text, one.stopped or stopped))
        return sorted(found, key=lambda one: (one.path, one.line, one.names))

    def _relationships(self, class_: ClassMeaning, names: tuple[str, ...]) -> tuple[tuple[str, ...], str]:
        """As many of the names as are relationships, or proxies of such; and why it is not told how many are."""
        found: list[str] = []
        current: ClassMeaning | None = class_
        for name in names:
            known = mapped(current, self.project) if current is not None else None
            if known is None:
                break
            relationship = known.relationships.get(name)
            if relationship is None:
                if name in known.proxies:
                    found.append(name)
                elif current is not None and self._is_below(current, name):
                    return tuple(found), f"`{name}` is a relationship of a class below `{current.qualname}` only"
                break
            found.append(name)
            if found.count(name) > 2:
                return tuple(found), _ENDLESS
            current = relationship.target
        return tuple(found), ""

    def _is_below(self, class_: ClassMeaning, name: str) -> bool:
        """Whether a class that inherits from the mapped class has a relationship of this name."""
        for other in below(class_, self.project):
            known = mapped(other, self.project)
            if known is not None and name in known.relationships:
                return True
        return False

    # --- following -------------------------------------------------------------------------------------------------

    def _of(
        self,
        here: Run,
        origin: Origin,
        front: tuple[str, ...],
        seen: frozenset[tuple[FunctionMeaning, Origin]],
        class_: ClassMeaning | None,
        *,
        detached: bool = True,
    ) -> Iterator[Reading]:
        """What is read of an origin in a run, and from there on. `detached`: whoever is given it has it so."""
        key = (here.function, origin)
        if key in seen or len(seen) >= _DEEP:
            if front and any(read.one.origin == origin for read in here.record.reads):
                read = next(read for read in here.record.reads if read.one.origin == origin)
                yield Reading((*front, read.attribute), here.scope.place.path, read.line, read.text, _ENDLESS)
            return
        seen |= {key}
        path = here.scope.place.path
        free = origin.how is How.GIVEN or (origin.how is How.CALLED and origin.session == 0)
        for read in here.record.reads:
            if read.one.origin == origin and (free or read.left):
                yield Reading((*front, *read.one.names, read.attribute), path, read.line, read.text)
        for handed in here.record.passed:
            if handed.one.origin == origin and (free or handed.left):
                names = (*front, *handed.one.names)
                yield from self._parameter(handed.function, handed.position, handed.keyword, names, seen, class_)
        for told in here.record.serialized:
            if told.one.origin == origin and (free or told.left):
                if reads_attributes(told.schema, self.project) is not False:
                    yield from self._schema(told.schema, class_, (*front, *told.one.names), path, told.line)
        returned = {one for left in here.record.exits.values() for one in objects(left.value) if one.origin == origin}
        if returned and (detached or free):
            for one in returned:
                yield from self._response(here, class_, (*front, *one.names))
        if returned:
            yield from self._callers_of(here, origin, front, seen, class_)

    def _response(self, here: Run, class_: ClassMeaning | None, front: tuple[str, ...]) -> Iterator[Reading]:
        response = responses(self.project).get((here.scope.place.path, here.scope.place.qualname))
        for schema in response.schemas if response is not None else ():
            assert response is not None
            yield from self._schema(schema, class_, front, response.path, response.line)

    def _schema(
        self, schema: ClassMeaning, class_: ClassMeaning | None, front: tuple[str, ...], path: str, line: int
    ) -> Iterator[Reading]:
        """What a schema reads of an object that `front` leads to."""
        for name in front:
            known = mapped(class_, self.project) if class_ is not None else None
            relationship = known.relationships.get(name) if known is not None else None
            class_ = relationship.target if relationship is not None else None
        if class_ is None:
            return
        text = schema.qualname.rpartition(".")[2]
        for one in relationship_paths(schema, class_, self.project):
            told = f"{text}.{'.'.join(one.names)}"
            yield Reading((*front, *one.names), path, line, told, _ENDLESS if one.recursive else "")

    def _parameter(
        self,
        function: FunctionMeaning,
        position: int | None,
        keyword: str | None,
        front: tuple[str, ...],
        seen: frozenset[tuple[FunctionMeaning, Origin]],
        class_: ClassMeaning | None,
    ) -> Iterator[Reading]:
        """What a function reads of a parameter."""
        scope = self.summaries.scope(FunctionMeaning(function.module, function.qualname))
        if scope is None or not isinstance(scope.node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            return
        given = scope.node.args
        names = [one.arg for one in [*given.posonlyargs, *given.args]]
        name = keyword
        if name is None and position is not None and position < len(names):
            name = names[position]
        here = self.run(scope)
        origins = {read.one.origin for read in here.record.reads}
        origins |= {one.one.origin for one in here.record.passed} | {one.one.origin for one in here.record.serialized}
        for left in here.record.exits.values():
            origins |= {one.origin for one in objects(left.value)}
        for origin in sorted(origins, key=lambda one: one.place):
            if origin.how is How.GIVEN and origin.what == name:
                yield from self._of(here, origin, front, seen, class_)

    def _callers_of(
        self,
        here: Run,
        origin: Origin,
        front: tuple[str, ...],
        seen: frozenset[tuple[FunctionMeaning, Origin]],
        class_: ClassMeaning | None,
    ) -> Iterator[Reading]:
        function = here.function
        if not function.qualname:
            return
        summary = self.summaries.of(function)
        if summary is None or origin not in summary.origins:
            return
        index = summary.origins.index(origin)
        for caller, called, number in self.callers(function):
            if number == index:
                yield from self._of(caller, called, front, seen, class_)

    # --- runs ------------------------------------------------------------------------------------------------------

    def run(self, scope: Scope) -> Run:
        """The run of a function or module body, remembered."""
        key = (scope.place.path, scope.place.qualname, getattr(scope.node, "lineno", 0))
        if key not in self._runs:
            self._runs[key] = Run(scope, self.summaries.record(scope) or run(scope, self.summaries))
        return self._runs[key]

    def callers(self, function: FunctionMeaning) -> list[tuple[Run, Origin, int]]:
        """Where objects come out of calls of a function: the run, what they are there, and which of its objects."""
        if function not in self._callers:
            name = function.qualname.rpartition(".")[2]
            found: list[tuple[Run, Origin, int]] = []
            self._callers[function] = found
            for path in self._mentioning(frozenset({name})):
                for scope, called in self._in_file(path):
                    if name not in called:
                        continue
                    here = self.run(scope)
                    for origin, (means, index) in here.record.called.items():
                        if (means.module, means.qualname) == (function.module, function.qualname):
                            found.append((here, origin, index))
        return self._callers[function]

    def _in_file(self, path: str) -> list[tuple[Scope, frozenset[str]]]:
        """The scopes of a file, each with the last names of what it calls."""
        if path not in self._scopes:
            tree = self._tree(path)
            found = []
            for scope in scopes(tree, path, self.project) if tree is not None else ():
                if isinstance(scope.node, ast.ClassDef):
                    continue
                names = frozenset(
                    node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                    for node in scope.watched()
                    if isinstance(node, ast.Call)
                )
                found.append((scope, names))
            self._scopes[path] = found
        return self._scopes[path]
