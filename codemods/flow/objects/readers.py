"""What is read of an object after it has left its session: in the function itself, in callers, in callees, in schemas.

Follows the object through the project: to where the functions that return it are called, to the parameters that it is
handed to, to the schemas of routes. Pure; asks runs of functions.
"""

from __future__ import annotations

import ast
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace

from codemods.flow.objects.guards import led_to, may_hold, may_lead
from codemods.flow.objects.interpret import run
from codemods.flow.objects.record import Constants, Record
from codemods.flow.objects.summaries import FunctionSummaries
from codemods.flow.objects.values import How, One, Origin, objects
from codemods.flow.objects.world import Holds, Tested, of_constant
from codemods.flow.scope import Scope, scopes
from codemods.project.link import Project
from codemods.project.mapped_classes import below, mapped
from codemods.project.routes import responses
from codemods.project.schemas import reads_attributes, relationship_paths
from codemods.project.sessions import ClassMeaning, FunctionMeaning

_NEAR = 5  # what is read behind more functions than this is told as `far`
_DEEP = 12  # through more functions than this nothing is followed
_ROWS = frozenset({How.LOADED, How.GOT})  # objects of rows: their keys are there


@dataclass(frozen=True, slots=True, order=True)
class Reading:
    """One read: the attributes from the loaded object on, where it stands, and how it is written there."""

    names: tuple[str, ...]
    path: str
    line: int
    text: str
    stopped: str = ""  # why it cannot be told how far it reads
    by_hand: tuple[str, ...] = ()  # the front of the names that is loaded or set by hand before
    asks: str = ""  # nothing is read: it is asked whether this attribute ("?": some one) is loaded
    plain: bool = False  # what is read is a column of what the names lead to
    far: bool = False  # so many functions away that something on the way may load it


_ENDLESS = "it reads on and on in the same way, as deep as the objects go"
_TOO_FAR = f"it is followed through {_DEEP} functions, and this is the next one"


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """A function, or the body of a module, that was run."""

    scope: Scope
    record: Record

    @property
    def function(self) -> FunctionMeaning:
        return FunctionMeaning(self.scope.place.path, self.scope.place.qualname)


_Way = tuple[tuple[tuple[FunctionMeaning, Origin], tuple[str, ...]], ...]
_Found = tuple[Reading, frozenset[tuple[str, ...]]]  # with the paths that are loaded by hand there


@dataclass(frozen=True, slots=True)
class _State:
    """A place that the objects get to: what they are there, and by which attributes they were had from those loaded."""

    here: Run
    origin: Origin
    front: tuple[str, ...] = ()
    by_hand: frozenset[tuple[str, ...]] = frozenset()
    constants: frozenset[tuple[str, frozenset[Holds]]] = frozenset()  # the parameters that are given a constant
    way: _Way = field(default=(), compare=False)  # the places before, each with the attributes up to there
    detached: bool = True  # whoever is given it has it so


@dataclass(slots=True, eq=False)
class _Query:
    """One question: `is_row`: what is asked about are objects of rows."""

    class_: ClassMeaning
    is_row: bool = False
    seen: set[_State] = field(default_factory=set)
    waiting: deque[_State] = field(default_factory=deque)


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

        `detached`: they leave it when the function returns them. Where it is asked whether something is loaded is
        among it.
        """
        query = _Query(class_, is_row=origin.how in _ROWS)
        query.waiting.append(_State(start, origin, detached=detached))
        return self._told(query)

    def of_parameter(self, function: FunctionMeaning, name: str, class_: ClassMeaning) -> list[Reading]:
        """What a function, and whatever it hands it on to, reads of the object that it is given as `name`, as far as
        relationships go."""
        query = _Query(class_)
        self._parameter(query, function, None, name, (), frozenset(), ())
        return [one for one in self._told(query) if not one.asks and (one.stopped or one.by_hand != one.names)]

    def _told(self, query: _Query) -> list[Reading]:
        """The readings, each cut to its relationships."""
        found: set[Reading] = set()
        for one, by_hand in self._everywhere(query):
            if one.asks:
                found.add(one)
                continue
            names, stopped = self._relationships(query.class_, one.names)
            if not names and not (stopped or one.stopped):
                continue
            held = next((path for path in by_hand if names[: len(path)] == path), ())
            plain = len(one.names) > len(names) and not stopped
            cut = replace(one, names=names or one.names, stopped=one.stopped or stopped, by_hand=held, plain=plain)
            found.add(cut)
        # a column is read of what the relationship gives: where that is read itself, nothing is added by it
        itself = {one.names for one in found if not (one.plain or one.asks)}
        kept = [one for one in found if not (one.plain and one.names in itself)]
        return sorted(kept, key=lambda one: (one.path, one.line, one.names))

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

    def _everywhere(self, query: _Query) -> Iterator[_Found]:
        """What is read where the objects get to, the nearest places first: each is looked at once."""
        while query.waiting:
            state = query.waiting.popleft()
            far = len(state.way) >= _NEAR
            for one, by_hand in self._of(query, state):
                yield (replace(one, far=True) if far else one), by_hand

    def _of(self, query: _Query, state: _State) -> Iterator[_Found]:
        """What is read of an origin in a run; where it gets to from there waits."""
        here, origin, front = state.here, state.origin, state.front
        if state in query.seen or not may_lead(query.class_, front, self.project):
            return
        query.seen.add(state)
        path, place = here.scope.place.path, (here.function, origin)
        free = origin.how is How.GIVEN or (origin.how is How.CALLED and origin.session == 0)
        before = next((earlier for other, earlier in state.way if other == place), None)
        if before is not None:
            read = next((one for one in here.record.reads if one.one.origin == origin), None)
            if len(before) < len(front) and read is not None:
                names = (*front, read.attribute)
                yield Reading(names, path, read.line, read.text, _ENDLESS), state.by_hand
            return
        way = (*state.way, (place, front))

        def by_hand(loaded: Iterable[str]) -> frozenset[tuple[str, ...]]:
            return state.by_hand | {(*front, name) for name in loaded}

        def is_met(one: One) -> bool:
            return one.origin == origin and may_hold(one.guards, front, query.class_, self.project, is_row=query.is_row)

        def is_run(tested: Iterable[Tested]) -> bool:
            return all(holds in constants.get(name, Holds) for name, holds in tested)

        constants = dict(state.constants)
        for asked in here.record.asked:
            if is_met(asked.one):
                names = (*front, *asked.one.names, *([asked.attribute] if asked.attribute else []))
                yield Reading(names, path, asked.line, asked.text, asks=asked.attribute or "?"), frozenset()
        for read in here.record.reads:
            if is_met(read.one) and (free or read.left) and is_run(read.tested):
                names = (*front, *read.one.names, read.attribute)
                yield Reading(names, path, read.line, read.text), by_hand(read.loaded)
        for handed in here.record.passed:
            if is_met(handed.one) and (free or handed.left) and is_run(handed.tested):
                names = (*front, *handed.one.names)
                if len(way) >= _DEEP:
                    if may_lead(query.class_, names, self.project):
                        text = f"{handed.function.qualname}(...)"
                        yield Reading(names, path, handed.line, text, _TOO_FAR), frozenset()
                    continue
                held = by_hand(handed.loaded)
                place_given = handed.position, handed.keyword
                self._parameter(query, handed.function, *place_given, names, held, way, handed.constants)
        for told in here.record.serialized:
            if is_met(told.one) and (free or told.left) and is_run(told.tested):
                if reads_attributes(told.schema, self.project) is not False:
                    names = (*front, *told.one.names)
                    for validated in self._schema(told.schema, query.class_, names, path, told.line):
                        yield validated, by_hand(told.loaded)
        left = [
            (one, exit_.world.standing(origin).loaded)
            for exit_ in here.record.exits.values()
            for one in objects(exit_.value)
            if is_met(one) and is_run(exit_.world.tested)
        ]
        if left and (state.detached or free):
            for one, loaded in left:
                for read_there in self._response(here, query.class_, (*front, *one.names)):
                    yield read_there, by_hand(loaded)
        if left:
            everywhere = frozenset.intersection(*(loaded for _, loaded in left))
            yield from self._callers_of(query, state, by_hand(everywhere), way)

    def _response(self, here: Run, class_: ClassMeaning | None, front: tuple[str, ...]) -> Iterator[Reading]:
        response = responses(self.project).get((here.scope.place.path, here.scope.place.qualname))
        for schema in response.schemas if response is not None else ():
            assert response is not None
            yield from self._schema(schema, class_, front, response.path, response.line)

    def _schema(
        self, schema: ClassMeaning, class_: ClassMeaning | None, front: tuple[str, ...], path: str, line: int
    ) -> Iterator[Reading]:
        """What a schema reads of an object that `front` leads to."""
        class_ = led_to(class_, front, self.project)
        if class_ is None:
            return
        text = schema.qualname.rpartition(".")[2]
        for one in relationship_paths(schema, class_, self.project):
            told = f"{text}.{'.'.join(one.names)}"
            yield Reading((*front, *one.names), path, line, told, _ENDLESS if one.recursive else "")

    def _parameter(
        self,
        query: _Query,
        function: FunctionMeaning,
        position: int | None,
        keyword: str | None,
        front: tuple[str, ...],
        by_hand: frozenset[tuple[str, ...]],
        way: _Way,
        given_beside: Constants = None,
    ) -> None:
        """The parameter of a function is looked at next."""
        scope = self.summaries.scope(FunctionMeaning(function.module, function.qualname))
        if scope is None or not isinstance(scope.node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            return
        given = scope.node.args
        names = [one.arg for one in [*given.posonlyargs, *given.args]]
        name = keyword
        if name is None and position is not None and position < len(names):
            name = names[position]
        constants = _parameters(given, given_beside)
        here = self.run(scope)
        origins = {read.one.origin for read in here.record.reads} | {one.one.origin for one in here.record.asked}
        origins |= {one.one.origin for one in here.record.passed} | {one.one.origin for one in here.record.serialized}
        for left in here.record.exits.values():
            origins |= {one.origin for one in objects(left.value)}
        for origin in sorted(origins, key=lambda one: one.place):
            if origin.how is How.GIVEN and origin.what == name:
                query.waiting.append(_State(here, origin, front, by_hand, constants, way))

    def _callers_of(
        self, query: _Query, state: _State, by_hand: frozenset[tuple[str, ...]], way: _Way
    ) -> Iterator[_Found]:
        """The callers of a function that returns the object are looked at next."""
        function = state.here.function
        if not function.qualname:
            return
        summary = self.summaries.of(function)
        if summary is None or state.origin not in summary.origins:
            return
        index = summary.origins.index(state.origin)
        for caller, called, number in self.callers(function):
            if number == index:
                if len(way) >= _DEEP:
                    place = caller.scope.place.path
                    yield Reading(state.front, place, called.line, f"{function.qualname}(...)", _TOO_FAR), frozenset()
                    return
                query.waiting.append(_State(caller, called, state.front, by_hand, way=way))

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


def _parameters(declared: ast.arguments, given: Constants) -> frozenset[tuple[str, frozenset[Holds]]]:
    """The parameters that a call gives a constant, or leaves at one, with what holds of that."""
    if given is None:
        return frozenset()
    positional = [one.arg for one in [*declared.posonlyargs, *declared.args]]
    found: dict[str, frozenset[Holds] | None] = {}
    defaults = [*zip(reversed(positional), reversed(declared.defaults), strict=False)]
    defaults += [
        (one.arg, default) for one, default in zip(declared.kwonlyargs, declared.kw_defaults, strict=True) if default
    ]
    for name, default in defaults:
        found[name] = of_constant(default.value) if isinstance(default, ast.Constant) else None
    for place, holds in given:
        if isinstance(place, str):
            found[place] = holds
        elif place < len(positional):
            found[positional[place]] = holds
    return frozenset((name, holds) for name, holds in found.items() if holds is not None)
