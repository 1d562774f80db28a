"""The project's own ways to open a session, and who replaces them in tests. Asks `Project`; pure."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from codemods.plan import Fact
from codemods.project.dependencies import Dependencies, FindMentions
from codemods.project.expressions import last_name
from codemods.project.facts import (
    IN_A_TEST,
    Attribute,
    Awaited,
    Call,
    Entered,
    Expression,
    FunctionFacts,
    Name,
    Replaced,
)
from codemods.project.link import Place, Project
from codemods.project.registries import are_removed
from codemods.project.sessions import (
    External,
    FunctionMeaning,
    MakerMeaning,
    Meaning,
    ModuleMeaning,
    Ownership,
    ScopeMeaning,
    SessionMeaning,
)


@dataclass(frozen=True, slots=True)
class Opener:
    """A context manager function of the project that only opens, rolls back and closes a session."""

    function: FunctionMeaning
    source: str  # what it opens: see `source_of`
    scope: ScopeMeaning


def source_of(callee: Expression, place: Place, project: Project) -> str:
    """What really makes the session that calling `callee` gives: a maker, a class, or a function that does more.

    Functions that only return what something else makes are looked through. "" when it cannot be followed.
    """
    seen: set[tuple[str, str]] = set()
    while True:
        means = project.meaning(callee, place)
        if isinstance(means, MakerMeaning):
            return means.origin
        if isinstance(means, External):
            return means.dotted
        if not isinstance(means, FunctionMeaning) or (means.module, means.qualname) in seen:
            return ""
        seen.add((means.module, means.qualname))
        definitions = project.symbols.functions(means.module, means.qualname)
        inner = _only_call(definitions[0]) if len(definitions) == 1 else None
        if inner is None or definitions[0].decorators:
            return f"{means.module}:{means.qualname}"
        callee, place = inner, Place(means.module, means.qualname)


def makes_only(callee: Expression, place: Place, project: Project) -> bool:
    """Whether calling `callee` does nothing but make a session: no set-up, no I/O. Then it may be called later."""
    source = source_of(callee, place, project)
    if not source:
        return False
    means = project.meaning(callee, place)
    if isinstance(means, FunctionMeaning):
        return source != f"{means.module}:{means.qualname}"
    return True


def _only_call(definition: FunctionFacts) -> Expression | None:
    """The callee of `return F()` in a function that does nothing else."""
    if not definition.returned_as_is or definition.is_generator or len(definition.returns) != 1:
        return None
    returned = definition.returns[0]
    if isinstance(returned, Name):
        returned = next((b.values[0] for b in definition.bindings if b.name == returned.id), returned)
    if isinstance(returned, Awaited):
        returned = returned.value
    if isinstance(returned, Call) and not returned.arguments and not returned.keywords:
        return returned.function
    return None


def openers(project: Project) -> tuple[Opener, ...]:
    """Every plain context manager function at the top level of a module of the project, in the order of paths."""
    found: list[Opener] = []
    for path in project.symbols.paths():
        for definition in project.symbols.all_functions(path):
            if definition.lends is None or definition.parent or not definition.decorators:
                continue
            if any(p.default is None and p.kind in ("positional", "keyword") for p in definition.parameters):
                continue
            function = FunctionMeaning(path, definition.qualname)
            scope = project.called(function)
            if isinstance(scope, ScopeMeaning) and scope.plain and isinstance(scope.value, SessionMeaning):
                source = _opened(definition, function, project)
                if source:
                    found.append(Opener(function, source, scope))
    return tuple(found)


def _opened(definition: FunctionFacts, function: FunctionMeaning, project: Project) -> str:
    assert definition.lends is not None
    name = definition.lends.yields
    if not isinstance(name, Name):
        return ""
    values = next((binding.values for binding in definition.bindings if binding.name == name.id), ())
    if len(values) != 1:
        return ""
    value = values[0].value if isinstance(values[0], Entered) else values[0]
    if isinstance(value, Awaited):
        value = value.value
    if not isinstance(value, Call) or value.arguments or value.keywords:
        return ""
    return source_of(value.function, Place(function.module, function.qualname), project)


class Customs:
    """What is usual in a project; looked for once, when it is first asked for."""

    def __init__(self, project: Project, find_mentions: FindMentions) -> None:
        self._project = project
        self._find_mentions = find_mentions

    @cached_property
    def openers(self) -> tuple[Opener, ...]:
        return openers(self._project)

    @cached_property
    def session_properties(self) -> frozenset[str]:
        """The names of properties that make a session each time they are read."""
        found = set()
        for path in self._project.symbols.paths():
            for definition in self._project.symbols.all_functions(path):
                if definition.in_class and any(
                    last_name(decorator) == "property" for decorator in definition.decorators
                ):
                    given = self._project.called(FunctionMeaning(path, definition.qualname, bound=True))
                    if isinstance(given, SessionMeaning) and given.ownership is Ownership.FRESH:
                        found.add(definition.name)
        return frozenset(found)

    @cached_property
    def registries_are_removed(self) -> bool:
        return are_removed(self._project)

    @cached_property
    def dependencies(self) -> Dependencies:
        return Dependencies(self._project, self._find_mentions)


def is_replaced(module: str, name: str, project: Project) -> bool:
    """Whether something is put in the place of what the file `module` calls `name`, there, at run time."""
    for _, replaced, where, attribute in _all_replaced(project):
        if replaced.how == "dependency_overrides":
            continue
        if attribute == name and (where == module or (where is None and replaced.how == IN_A_TEST)):
            return True
    return False


def replaced_by(callee: Meaning, path: str, name: str, project: Project) -> tuple[Fact, ...]:
    """The tests that put something else in the place of what is called here under `name` in the file `path`."""
    found: list[Fact] = []
    last = name.rpartition(".")[2]
    for test, replaced, module, attribute in _all_replaced(project):
        if replaced.how == IN_A_TEST and module is None:
            # the module is not told: it may be any
            hit = attribute == last
        elif module is not None:
            # what is replaced in a module is replaced for those who look it up there: itself, and the definition
            here = module == path and attribute == last
            hit = here or (_defined_in(callee) == module and project.member(module, attribute) == callee)
        elif isinstance(replaced.target, str) or replaced.how == "assignment":
            hit = False
        else:
            means = project.meaning(replaced.target, Place(test, replaced.scope))
            hit = means == callee and isinstance(means, (FunctionMeaning, MakerMeaning))
        if hit:
            found.append(Fact(test, replaced.line, f"{replaced.how} replaces `{name}`"))
    return tuple(found)


@dataclass(frozen=True, slots=True, eq=False)
class _AllReplaced:
    files: int  # how many were read when this was looked for
    places: list[tuple[str, Replaced, str | None, str]]


def _all_replaced(project: Project) -> list[tuple[str, Replaced, str | None, str]]:
    """All that the files that are read by now replace: where it is done, what, and the (file, name) that it is."""
    files = len(project.symbols.facts)
    kept = project.kept.get(("replaced", ""))
    if isinstance(kept, _AllReplaced) and kept.files == files:
        return kept.places
    places = [
        (path, replaced, *_replaced_place(replaced.target, Place(path, replaced.scope), project))
        for path in project.symbols.paths()
        for replaced in project.symbols.facts[path].replaced
    ]
    project.kept["replaced", ""] = _AllReplaced(files, places)
    return places


def _replaced_place(target: str | Expression, place: Place, project: Project) -> tuple[str | None, str]:
    """(file, name) of a module attribute that a test replaces; (None, "") when it is something else."""
    if isinstance(target, str):
        owner, _, attribute = target.rpartition(".")
        return project.symbols.module_path(owner, place.path) if owner else None, attribute
    if isinstance(target, Attribute):
        owner_means = project.meaning(target.value, place)
        if isinstance(owner_means, ModuleMeaning):
            return owner_means.module, target.name
    return None, ""


def _defined_in(callee: Meaning) -> str:
    if isinstance(callee, FunctionMeaning):
        return callee.module
    return callee.origin.partition(":")[0] if isinstance(callee, MakerMeaning) else ""
