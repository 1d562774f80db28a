"""What a session of one's own can be opened with, given the factory behind it: the best first. Asks the project; pure.

Nothing that commits at its end, no registry; two objects of one class are never taken for each other.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

from codemods.flow.definition_site import definition_site
from codemods.flow.factory_search import Called, Factory, needs_arguments
from codemods.flow.only_factory import is_test_path
from codemods.project.expressions import chained, dotted
from codemods.project.facts import Call, FunctionFacts, Name
from codemods.project.link import Place, Project
from codemods.project.openers import Customs, Opener, source_of
from codemods.project.sessions import (
    CoroutineMeaning,
    FunctionMeaning,
    MakerMeaning,
    Meaning,
    ModuleMeaning,
    Ownership,
    ScopeMeaning,
    SessionMeaning,
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """Something that a session can be opened with: `name` of the file `home`, and what is read off it."""

    home: str
    name: str
    rest: str = ""  # `.session`, where `name` is an object
    awaited: bool = False  # calling it gives a coroutine

    @property
    def text(self) -> str:
        return f"{self.name}{self.rest}"


def candidates(
    factory: Factory, path: str, project: Project, customs: Customs, wanted: str | None
) -> Iterator[Candidate]:
    """What the file `path` may open a session of this factory with; none twice. `wanted` is the setting `scope`."""
    search = _Search(factory, path, project, customs, wanted)
    seen: set[Candidate] = set()
    for one in chain(search.openers(), search.makers(), search.functions()):
        if one not in seen:
            seen.add(one)
            yield one


class _Search:
    def __init__(self, factory: Factory, path: str, project: Project, customs: Customs, wanted: str | None) -> None:
        self.factory = factory
        self.path = path
        self.customs = customs
        self.wanted = wanted
        self.project = project
        self.symbols = project.symbols

    @property
    def _of_object(self) -> bool:
        """Whether the factory is an attribute of objects: two objects of one class are not told apart by `source`."""
        return "." in self.factory.source.partition(":")[2]

    def openers(self) -> Iterator[Candidate]:
        found = [
            one for one in self.customs.openers if one.source == self.factory.source and self._is_right_opener(one)
        ]
        if len(found) == 1:
            yield Candidate(found[0].function.module, found[0].function.qualname)

    def _is_right_opener(self, opener: Opener) -> bool:
        function, scope = opener.function, opener.scope
        if scope.is_async != self.factory.is_async or is_test_path(function.module) != is_test_path(self.path):
            return False
        if isinstance(scope.value, SessionMeaning) and scope.value.is_async != self.factory.is_async:
            return False
        if self._of_object and not any(self._means(one, function) for one in self.factory.through):
            return False
        if function.qualname.startswith("_") and function.module != self.path:
            return False
        known = self.symbols.names.get(function.module)
        dotted_name = f"{known.module}.{function.qualname}" if known else ""
        return self.wanted is None or dotted_name == self.wanted

    def _means(self, called: Called, function: FunctionMeaning) -> bool:
        means = self.project.meaning(called.callee, called.place)
        return isinstance(means, FunctionMeaning) and (means.module, means.qualname) == (
            function.module,
            function.qualname,
        )

    def makers(self) -> Iterator[Candidate]:
        """The factory by its own name; what it is read off, where that is an object of a module."""
        path, _, name = self.factory.source.partition(":")
        if name and not self._of_object and path in self.symbols.facts:
            means = self.project.member(path, name)
            if isinstance(means, MakerMeaning):
                yield Candidate(path, name)
        if self._of_object:
            for called in [*reversed(self.factory.through), Called(self.factory.callee, self.factory.place)]:
                yield from self._read_off(called)

    def _read_off(self, called: Called) -> Iterator[Candidate]:
        """`db.session` of a module-level `db`: the method or factory of the very object that the site uses."""
        root, _, rest = dotted(called.callee).partition(".")
        if not root or not rest or any(part.startswith("_") for part in rest.split(".")):
            return
        means = self.project.meaning(Call(called.callee), called.place)
        at, read = self._object_of(root, rest, called.place)
        if at is None:
            return
        if isinstance(means, CoroutineMeaning):
            if _is_fresh(means.value):
                yield Candidate(*at, rest=read, awaited=True)
        elif _is_fresh(means) or (isinstance(means, ScopeMeaning) and self._only_opens(called)):
            yield Candidate(*at, rest=read)

    def _object_of(self, root: str, rest: str, place: Place) -> tuple[tuple[str, str] | None, str]:
        """Where the object is defined that a chain starts with, and what is read off it; modules are looked through."""
        if not self._is_global(root, place):
            return None, ""
        parts = rest.split(".")
        for end in range(len(parts)):
            node = chained(".".join([root, *parts[:end]]))
            at = definition_site(node, Place(place.path), self.project)
            if at is not None and not isinstance(self.project.meaning(node, Place(place.path)), ModuleMeaning):
                return at, "".join(f".{part}" for part in parts[end:])
        return None, ""

    def _is_global(self, name: str, place: Place) -> bool:
        qualname = place.qualname
        while qualname:
            for definition in self.symbols.functions(place.path, qualname):
                names = {one.name for one in definition.parameters} | {one.name for one in definition.bindings}
                if name in names or self.symbols.imports(place.path, qualname, name):
                    return False
            qualname = qualname.rpartition(".")[0]
        return True

    def _only_opens(self, called: Called) -> bool:
        """Whether entering it does nothing to the session but open and close it."""
        means = self.project.meaning(called.callee, called.place)
        if not isinstance(means, FunctionMeaning):
            return False
        found = self.symbols.functions(means.module, means.qualname)
        lends = found[0].lends if len(found) == 1 else None
        if lends is None or needs_arguments(found[0]) or lends.commits or not lends.closes or lends.swallows:
            return False
        return not (lends.after or lends.prepares or lends.handles or lends.translates or lends.tears_down)

    def functions(self) -> Iterator[Candidate]:
        """Functions at the top of a module that only give what the factory makes; those at the site first."""
        path, _, own = self.factory.source.partition(":")
        near: dict[FunctionMeaning, None] = {}
        for called in reversed(self.factory.through):
            means = self.project.meaning(called.callee, called.place)
            if isinstance(means, FunctionMeaning):
                near[means] = None
        if not self._of_object:
            for other in [path, *self.symbols.paths()] if path in self.symbols.facts else self.symbols.paths():
                if not is_test_path(other) or is_test_path(self.path):
                    for definition in list(self.symbols.all_functions(other)):
                        near[FunctionMeaning(other, definition.qualname)] = None
        for function in near:
            definitions = self.symbols.functions(function.module, function.qualname)
            if len(definitions) == 1 and self._gives_only(definitions[0], function, own):
                yield Candidate(function.module, function.qualname, awaited=definitions[0].is_async)

    def _gives_only(self, definition: FunctionFacts, function: FunctionMeaning, own: str) -> bool:
        if definition.parent or definition.is_generator or needs_arguments(definition):
            return False
        if not definition.returned_as_is and definition.qualname != own:
            return False
        given = self.project.called(function)
        given = given.value if isinstance(given, CoroutineMeaning) else given
        if not _is_fresh(given):
            return False
        callee = Name(function.qualname)
        return source_of(callee, Place(function.module), self.project) == self.factory.source


def _is_fresh(given: Meaning) -> bool:
    """Whether it is a session that who asks for it owns, and that a block does no more to than close it."""
    if not isinstance(given, SessionMeaning) or given.ownership is not Ownership.FRESH:
        return False
    return not (given.through or given.optional or given.own_exit)
