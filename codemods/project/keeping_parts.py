"""Whether a function may keep what it takes out of an argument: an element of a list, an attribute. Pure.

The facts tell what becomes of the argument itself (`keeping`), not of what is in it. So this asks whether the function
puts anything at all where it outlives the call. In doubt it does.
"""

from __future__ import annotations

from codemods.project.expressions import last_name
from codemods.project.facts import (
    Attribute,
    Awaited,
    Expression,
    FunctionFacts,
    Item,
    Iterated,
    Literal,
    Name,
    ParameterUse,
)
from codemods.project.keeping import TAKING, Fate, handed, parameter_name
from codemods.project.link import Place, Project
from codemods.project.models import is_mapped
from codemods.project.sessions import ClassMeaning, FunctionMeaning, InstanceMeaning, SessionMeaning

_PLAIN = frozenset({"str", "int", "float", "bool", "bytes"})


def may_keep_part(
    function: FunctionMeaning,
    position: int | None,
    keyword: str | None,
    project: Project,
    seen: frozenset[FunctionMeaning] = frozenset(),
) -> bool:
    """Whether something of the argument at this position, or of this keyword, may be kept when the call is over."""
    if function in seen:
        return False
    for one in [function, *project.overrides(function)]:
        for definition in project.symbols.functions(one.module, one.qualname):
            name = parameter_name(definition, one, position, keyword)
            use = next((use for use in definition.uses if use.name == name), None)
            if use is None:
                continue
            place = Place(one.module, one.qualname)
            given = [(passed, project.meaning(passed.function, place)) for passed in use.passed]
            followed = frozenset(called for _, called in given if isinstance(called, FunctionMeaning))
            if _Keeper(definition, place, project, use.name, followed).keeps():
                return True
            for passed, called in given:
                if isinstance(called, FunctionMeaning):
                    if may_keep_part(called, passed.position, passed.keyword, project, seen | {function}):
                        return True
    return False


class _Keeper:
    """A function as one that may keep something; `name` is the parameter that this is about.

    `given` are the functions that get the argument as a whole: they are looked into.
    """

    def __init__(
        self,
        definition: FunctionFacts,
        place: Place,
        project: Project,
        name: str,
        given: frozenset[FunctionMeaning],
    ) -> None:
        self.given = given
        self.definition = definition
        self.place = place
        self.project = project
        self.facts = project.symbols.facts[place.path]
        self.receiver = definition.parameters[0].name if definition.in_class else ""
        self.parameters = {one.name for one in definition.parameters}
        # what the function is given here, has taken out of it, or has made
        self.own = {name, *(one.name for one in definition.bindings if one.name not in self.parameters)}
        while borrowed := self._borrowed():
            self.own -= borrowed

    def keeps(self) -> bool:
        return self._fills() or self._sets_attributes() or self._sets_globals() or self._hands_to_a_keeper()

    def _borrowed(self) -> set[str]:
        """`box = self.box`: names of the function for something that was there before."""
        return {
            binding.name
            for binding in self.definition.bindings
            if binding.name in self.own - self.parameters
            and any((root := _root(value)) is not None and root not in self.own for value in binding.values)
        }

    def _fills(self) -> bool:
        """`BOX.append(...)`, `REPOS[key] = ...`; which things are filled, and how, is told of the file as a whole."""
        for chain in self.facts.attributes:
            base, _, method = chain.rpartition(".")
            if base.partition(".")[0] in {*self.own, ""}:
                continue
            if method == "__setitem__" or (method in TAKING and method in self.definition.calls):
                if self._is_filled(base, method):
                    return True
        return False

    def _is_filled(self, base: str, method: str) -> bool:
        root, *attributes = base.split(".")
        if not self._knows(root):
            return False  # a name of another function of the file
        filled: Expression = Name(root)
        for one in attributes:
            filled = Attribute(filled, one)
        if isinstance(self.project.meaning(filled, self.place), SessionMeaning):
            return False
        called = self.project.meaning(Attribute(filled, method), self.place)
        if isinstance(called, FunctionMeaning):
            return handed(called, 0, None, self.project).fate >= Fate.CAPTURED
        if base in self.parameters and method != "__setitem__":
            return any(use.name == base and method in use.methods for use in self.definition.uses)
        return True

    def _knows(self, name: str) -> bool:
        symbols = self.project.symbols
        if name in symbols.locals(self.place.path, self.place.qualname):
            return True
        return bool(symbols.binding(self.place.path, name) or symbols.imports(self.place.path, "", name))

    def _sets_attributes(self) -> bool:
        """`self.repo = deps.repo`, `Registry.current = deps.repo`"""
        class_ = self.project.symbols.class_(self.place.path, self.definition.in_class)
        for one in class_.attributes if class_ is not None else ():
            if one.method == self.place.qualname and not isinstance(one.value, Literal):
                if _root(one.value) is None or _root(one.value) in self.own:
                    return True
        for other in self.facts.replaced:
            if other.scope != self.place.qualname or not isinstance(other.target, Attribute):
                continue
            if other.target.value != Name(self.receiver) and _root(other.target) not in self.own:
                if not self._is_entity(other.target.value):
                    return True
        return False

    def _is_entity(self, node: Expression) -> bool:
        """`user.name = ...`: a column is no place for what holds a session."""
        owner = self.project.meaning(node, self.place)
        of = owner.of if isinstance(owner, InstanceMeaning) else None
        return isinstance(of, ClassMeaning) and is_mapped(of, self.project)

    def _sets_globals(self) -> bool:
        """`global CURRENT` and `CURRENT = deps.repo`: the module's names are told with all that they are bound to."""
        known = {binding.name for binding in self.facts.bindings}
        return any(_root(value) in self.own - known for one in self.facts.bindings for value in one.values)

    def _hands_to_a_keeper(self) -> bool:
        """`remember(deps.repo)`"""
        for name in self.definition.calls:
            called = self.project.meaning(Name(name), self.place)
            if isinstance(called, FunctionMeaning) and called not in self.given:
                for one in self.project.symbols.functions(called.module, called.qualname):
                    if any(self._is_kept(use, one, called) for use in one.uses):
                        return True
        return False

    def _is_kept(self, use: ParameterUse, definition: FunctionFacts, function: FunctionMeaning) -> bool:
        """Whether a function keeps what it is given for a parameter, as it comes; a text or a number is nothing."""
        told = next((one.annotation for one in definition.parameters if one.name == use.name), None)
        if isinstance(told, Name) and told.id in _PLAIN:
            return False
        place = Place(function.module, function.qualname)
        return bool(use.kept) or any(
            last_name(one.function) in TAKING
            and not isinstance(self.project.meaning(one.function, place), FunctionMeaning)
            and not isinstance(self.project.meaning(_owner(one.function), place), SessionMeaning)
            for one in use.passed
        )


def _owner(callee: Expression) -> Expression:
    return callee.value if isinstance(callee, Attribute) else callee


def _root(value: Expression) -> str | None:
    """The name that an attribute or an item is taken from; None for what is made in other ways."""
    while isinstance(value, (Attribute, Item, Awaited, Iterated)):
        value = value.value
    return value.id if isinstance(value, Name) else None
