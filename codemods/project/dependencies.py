"""Who is given to `Depends`, who receives what it gives, and who else uses it. Asks `Project`; pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from codemods.plan import Fact
from codemods.project.expressions import dotted, last_name
from codemods.project.facts import Call, Expression, Item, Name, Parameter
from codemods.project.link import Place, Project
from codemods.project.mentions import Mention
from codemods.project.name_uses import Role
from codemods.project.sessions import (
    ClassMeaning,
    External,
    FunctionMeaning,
    InstanceMeaning,
    Meaning,
    ModuleMeaning,
    UnknownMeaning,
)

FindMentions = Callable[[Collection[str]], Iterable[Mention]]

DEPENDS = frozenset(
    {
        "fastapi.Depends",
        "fastapi.Security",
        "fastapi.params.Depends",
        "fastapi.params.Security",
        "fastapi.param_functions.Depends",
        "fastapi.param_functions.Security",
    }
)


@dataclass(frozen=True, slots=True)
class Receiver:
    """A parameter of a function that is given what a dependency gives."""

    function: FunctionMeaning
    parameter: str
    fact: Fact


def is_depends(means: Meaning) -> bool:
    """FastAPI's `Depends` or `Security`."""
    return isinstance(means, External) and means.dotted in DEPENDS


class Dependencies:
    """The dependencies of a project; everything is looked for once, when it is first asked for.

    `find_mentions` gives the places at which names are mentioned, in all files that hold one of them.
    """

    def __init__(self, project: Project, find_mentions: FindMentions) -> None:
        self._project = project
        self._find_mentions = find_mentions
        self._unresolved: dict[str, list[Mention]] = {}  # by last name: on objects of which nothing is known

    @cached_property
    def places(self) -> dict[FunctionMeaning, tuple[Fact, ...]]:
        """Every function of the project that is given to `Depends`, with all places where that is done."""
        found: dict[FunctionMeaning, list[Fact]] = {}
        for path in self._project.symbols.paths():
            for call in self._project.symbols.facts[path].depends:
                place = Place(path, call.scope)
                if call.is_override or is_depends(self._project.meaning(call.function, place)):
                    target = self.target(call.argument, place)
                    if target is not None:
                        fact = Fact(path, call.line, f"Depends({dotted(call.argument)})")
                        found.setdefault(target, []).append(fact)
        for target, receivers in self.receivers.items():
            # annotations in quotes are no calls, and a class is made by its `__init__`
            for receiver in receivers:
                if all(receiver.fact.path != fact.path for fact in found.get(target, ())):
                    found.setdefault(target, []).append(receiver.fact)
        return {target: tuple(facts) for target, facts in found.items()}

    def of(self, function: FunctionMeaning) -> tuple[Fact, ...]:
        """The places where the function is given to `Depends`; none when it is no dependency."""
        return self.places.get(replace(function, bound=False), ())

    def target(self, argument: Expression, place: Place) -> FunctionMeaning | None:
        """The function that runs for `Depends(argument)`: itself, or the `__call__` of an object."""
        means = self._project.meaning(argument, place)
        if isinstance(means, InstanceMeaning):
            means = self._project.attribute(means, "__call__", place)
        elif isinstance(means, ClassMeaning):
            means = self._project.attribute(means, "__init__", place)
        return replace(means, bound=False) if isinstance(means, FunctionMeaning) else None

    @cached_property
    def receivers(self) -> dict[FunctionMeaning, tuple[Receiver, ...]]:
        """For each dependency the parameters that receive what it gives."""
        found: dict[FunctionMeaning, list[Receiver]] = {}
        for path in self._project.symbols.paths():
            for definition in self._project.symbols.facts[path].functions:
                outside = Place(path, definition.parent)
                for parameter in definition.parameters:
                    target = self.injected(parameter, outside)
                    if target is not None:
                        function = FunctionMeaning(path, definition.qualname)
                        fact = Fact(path, definition.line, f"{definition.qualname}({parameter.name})")
                        found.setdefault(target, []).append(Receiver(function, parameter.name, fact))
        return {target: tuple(receivers) for target, receivers in found.items()}

    def injected(self, parameter: Parameter, outside: Place) -> FunctionMeaning | None:
        """The dependency that a parameter is given; `outside` is where its function is defined."""
        for given in (parameter.default, parameter.annotation):
            for call, place in self._depends_in(given, outside):
                if is_depends(self._project.meaning(call.function, place)):
                    arguments = [*call.arguments[:1], *(v for k, v in call.keywords if k == "dependency")]
                    if arguments:
                        return self.target(arguments[0], place)
                    return None if parameter.annotation is None else self.target(parameter.annotation, outside)
        return None

    def is_injected(self, parameter: Parameter, outside: Place) -> bool:
        """Whether a parameter is given what a dependency gives, be that in view or not."""
        return any(
            is_depends(self._project.meaning(call.function, place))
            for given in (parameter.default, parameter.annotation)
            for call, place in self._depends_in(given, outside)
        )

    def _depends_in(self, given: Expression | None, place: Place, depth: int = 0) -> Iterator[tuple[Call, Place]]:
        """The calls in a default or an annotation, type aliases followed."""
        match given:
            case Call():
                yield given, place
            case Item(key=Call(function=Name("Annotated"), arguments=arguments)):
                for argument in arguments:
                    if isinstance(argument, Call):
                        yield argument, place
            case None:
                return
            case _ if depth < 10:
                found = self._alias(given, place)
                if found is not None:
                    yield from self._depends_in(*found, depth + 1)

    def _alias(self, given: Expression, place: Place) -> tuple[Expression, Place] | None:
        """What `SessionDep` or `deps.SessionDep` stands for, and where that is written."""
        symbols, name = self._project.symbols, last_name(given)
        path: str | None = None
        if isinstance(given, Name):
            path = place.path
        elif (chain := dotted(given)) and "." in chain:
            owner = self._project.meaning(getattr(given, "value", given), place)
            path = owner.module if isinstance(owner, ModuleMeaning) else None
        if path is None:
            return None
        values = symbols.binding(path, name)
        if len(values) == 1:
            return values[0], Place(path)
        for imported in symbols.imports(path, "", name):
            module = symbols.module_path(imported.module, path)
            if module is not None and imported.attribute is not None and module != path:
                return Name(imported.attribute), Place(module)
        return None

    # --- other uses --------------------------------------------------------------------------------------------

    @cached_property
    def _mentions(self) -> dict[FunctionMeaning, tuple[Mention, ...]]:
        """Everything that is done with dependencies and with generators of the project, by function."""
        names = self._names()
        found: dict[FunctionMeaning, list[Mention]] = {}
        for mention in self._find_mentions(names):
            means = self._project.meaning(mention.chain, Place(mention.path, mention.scope))
            if isinstance(means, FunctionMeaning):
                found.setdefault(replace(means, bound=False), []).append(mention)
            elif isinstance(means, UnknownMeaning) and not isinstance(mention.chain, Name):
                self._unresolved.setdefault(last_name(mention.chain), []).append(mention)
        return {
            function: tuple(sorted(list_, key=lambda mention: (mention.path, mention.line)))
            for function, list_ in found.items()
        }

    def _names(self) -> frozenset[str]:
        symbols = self._project.symbols
        names = {function.qualname.rpartition(".")[2] for function in self.places}
        for path in symbols.paths():
            names |= {one.name for one in symbols.all_functions(path) if one.lends is not None}
        known = 0
        while known < len(names):
            known = len(names)
            for path in symbols.paths():
                facts = symbols.facts[path]
                names |= {one.name for one in facts.imports if one.attribute in names}
                names |= {one.name for one in facts.bindings if any(last_name(value) in names for value in one.values)}
        return frozenset(names)

    def mentions(self, function: FunctionMeaning) -> tuple[Mention, ...]:
        """Where the function is used, imports apart, in the order of paths and lines."""
        return self._mentions.get(replace(function, bound=False), ())

    def other_uses(self, function: FunctionMeaning) -> tuple[Fact, ...]:
        """The places where the function is used otherwise than by `Depends`, its tests' overrides apart."""
        found = []
        for mention in self.mentions(function):
            place = Place(mention.path, mention.scope)
            if mention.is_override:
                continue
            if not mention.called and mention.role is Role.ARGUMENT and mention.around is not None:
                if is_depends(self._project.meaning(mention.around, place)):
                    continue
            if mention.bare and not mention.called and not mention.scope:
                continue  # another name for it: looked at under that name
            found.append(Fact(mention.path, mention.line, dotted(mention.chain)))
        return tuple(found)

    def possible_uses(self, function: FunctionMeaning) -> tuple[Fact, ...]:
        """Where something of a method's name is read off an object that is not known: it may be this method."""
        owner, _, name = function.qualname.rpartition(".")
        if not owner or self._project.symbols.class_(function.module, owner) is None or not self._mentions:
            return ()
        return tuple(Fact(one.path, one.line, dotted(one.chain) or name) for one in self._unresolved.get(name, ()))
