"""What a class inherits from, as far as mapping goes: their order, its registry, whether it is mapped. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from codemods.project.expressions import is_true
from codemods.project.facts import Attribute, Call, ClassFacts, Expression, Name
from codemods.project.link import Place, Project
from codemods.project.mapping_definitions import definition, external_names
from codemods.project.mapping_names import (
    AS_DECLARATIVE,
    DECLARATIVE_CALLS,
    DECLARATIVE_CLASSES,
    HARMLESS_BASES,
    MAPPED_DECORATORS,
    REGISTRY,
    SQLMODEL,
)
from codemods.project.sessions import ClassMeaning, External, InstanceMeaning

Base = ClassMeaning | External
GENERATED = External("sqlalchemy.orm.registry().generate_base")
UNTOLD = External("")  # a base that cannot be followed


@dataclass(frozen=True, slots=True)
class Root:
    """What the classes of one registry have in common: the class or the name that all of them go back to."""

    path: str
    name: str


_SQLMODEL_ROOT = Root("", "SQLModel")


@dataclass(frozen=True, slots=True)
class Ancestry:
    """`order` is the class and its bases as Python orders them. `is_root`: it is itself the base of a registry."""

    order: tuple[Base, ...]
    roots: frozenset[Root]
    is_root: bool
    untold: tuple[str, ...]  # the bases that may map more than is in view

    @property
    def project_bases(self) -> tuple[ClassMeaning, ...]:
        return tuple(base for base in self.order if isinstance(base, ClassMeaning))


class Hierarchy:
    """The ancestries of the classes of one project, remembered."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._known: dict[ClassMeaning, Ancestry] = {}
        self._active: set[ClassMeaning] = set()
        self._ran_in_circles = False  # what was found on the way to a circle holds only for who asked

    def ancestry(self, class_: ClassMeaning) -> Ancestry:
        """The bases of a class. A class that inherits from itself has none."""
        if class_ in self._known:
            return self._known[class_]
        if class_ in self._active:
            self._ran_in_circles = True
            return Ancestry((class_,), frozenset(), False, ())
        self._active.add(class_)
        found = self._ancestry(class_)
        self._active.discard(class_)
        if not self._active or not self._ran_in_circles:
            self._known[class_] = found
        self._ran_in_circles = self._ran_in_circles and bool(self._active)
        return found

    def _ancestry(self, class_: ClassMeaning) -> Ancestry:
        facts = self._project.class_facts(class_)
        outside = Place(class_.module, class_.qualname.rpartition(".")[0])
        lines: list[list[Base]] = []
        roots: set[Root] = set()
        is_root = False
        for written in facts.bases if facts else ():
            base, root, mixed = self._base(written, outside, class_)
            inherited: list[Base] = [base]
            if isinstance(base, ClassMeaning):
                above = self.ancestry(base)
                inherited = list(above.order)
                roots |= above.roots
            elif mixed is not None:
                inherited += self.ancestry(mixed).order
            if root is not None:
                roots.add(root)
            is_root = is_root or (isinstance(base, External) and base.dotted in DECLARATIVE_CLASSES)
            lines.append(inherited)
        for decorator in facts.decorators if facts else ():
            root, makes_base = self._decorated(decorator, outside, class_)
            if root is not None:
                roots.add(root)
                is_root = is_root or makes_base
        order = (class_, *_merged([*lines, [line[0] for line in lines]]))
        untold = tuple(
            sorted(
                {base.dotted for base in order if isinstance(base, External) and base.dotted not in HARMLESS_BASES}
                - {GENERATED.dotted}
            )
        )
        return Ancestry(order, frozenset(roots), is_root, untold)

    def _base(
        self, written: Expression, place: Place, class_: ClassMeaning
    ) -> tuple[Base, Root | None, ClassMeaning | None]:
        """One base: what it is; the registry that it belongs to; the class that it was made from."""
        means = self._project.meaning(written, place)
        if isinstance(means, ClassMeaning):
            return means, None, None
        if isinstance(means, External):
            if means.dotted in DECLARATIVE_CLASSES:
                return means, Root(class_.module, class_.qualname), None
            if means.dotted in SQLMODEL:
                return means, _SQLMODEL_ROOT, None
            return means, None, None
        made = definition(written, place, self._project)
        call, here = (made.expression, made.place) if made else (written, place)
        root = Root(made.place.path, made.name) if made else Root(class_.module, class_.qualname)
        if isinstance(call, Call):
            called = external_names(call.function, here, self._project)
            if called and called <= DECLARATIVE_CALLS:
                return External(min(called)), root, self._class_of(call.keyword("cls"), here)
            if isinstance(call.function, Attribute) and call.function.name == "generate_base":
                if self._registry(call.function.value, here) is not None:
                    return GENERATED, root, self._class_of(call.keyword("cls"), here)
        if isinstance(means, InstanceMeaning) and isinstance(means.of, External):
            return means.of, Root("", "") if means.of.dotted in DECLARATIVE_CALLS else None, None
        return UNTOLD, None, None

    def _class_of(self, node: Expression | None, place: Place) -> ClassMeaning | None:
        if isinstance(node, Name) and self._project.symbols.class_(place.path, node.id):
            return ClassMeaning(place.path, node.id)
        means = self._project.meaning(node, place) if node is not None else None
        return means if isinstance(means, ClassMeaning) else None

    def _registry(self, node: Expression, place: Place) -> Root | None:
        """The name that holds the `registry()` which this is."""
        made = definition(node, place, self._project)
        call, here = (made.expression, made.place) if made else (node, place)
        if isinstance(call, Call):
            called = self._project.meaning(call.function, here)
            if isinstance(called, External) and called.dotted in REGISTRY:
                return Root(here.path, made.name) if made else Root(here.path, "registry()")
        return None

    def _decorated(self, written: Expression, place: Place, class_: ClassMeaning) -> tuple[Root | None, bool]:
        """The registry that a decorator maps the class in; and whether it makes the class a base of it."""
        function = written.function if isinstance(written, Call) else written
        means = self._project.meaning(function, place)
        if isinstance(means, External) and means.dotted in AS_DECLARATIVE:
            return Root(class_.module, class_.qualname), True
        if isinstance(means, External) and means.dotted in MAPPED_DECORATORS and isinstance(written, Call):
            return (self._registry(written.arguments[0], place) if written.arguments else None), False
        if isinstance(function, Attribute) and isinstance(function.value, (Name, Attribute)):
            if function.name in ("mapped", "mapped_as_dataclass"):
                return self._registry(function.value, place), False
            if function.name == "as_declarative_base":
                return self._registry(function.value, place), True
        return None, False

    # --- what is mapped ----------------------------------------------------------------------------------------

    def is_mapped(self, class_: ClassMeaning) -> bool:
        """Whether the class has a mapping of its own. Classes in functions are left out: they come and go."""
        facts = self._project.class_facts(class_)
        if facts is None or self._is_in_function(class_):
            return False
        ancestry = self.ancestry(class_)
        if not ancestry.roots or ancestry.is_root or is_abstract(facts):
            return False
        if any(isinstance(base, External) and base.dotted in SQLMODEL for base in ancestry.order):
            return any(
                key == "table" and is_true(value)
                for base in ancestry.project_bases
                if (base_facts := self._project.class_facts(base)) is not None
                for key, value in base_facts.keywords
            )
        return True

    def _is_in_function(self, class_: ClassMeaning) -> bool:
        parts = class_.qualname.split(".")
        return any(
            self._project.symbols.functions(class_.module, ".".join(parts[:depth])) for depth in range(1, len(parts))
        )


def is_abstract(facts: ClassFacts) -> bool:
    """`__abstract__ = True` in the class itself; it is not inherited."""
    return any(one.name == "__abstract__" and not one.method and is_true(one.value) for one in facts.attributes)


def _merged(lines: list[list[Base]]) -> list[Base]:
    """Python's order of several lines of bases (C3); the lines one after another where there is no such order."""
    waiting = [list(line) for line in lines if line]
    order: list[Base] = []
    while waiting:
        for line in waiting:
            head = line[0]
            if not any(head in other[1:] for other in waiting):
                break
        else:
            return [*order, *dict.fromkeys(base for line in waiting for base in line)]
        order.append(head)
        waiting = [rest for line in waiting if (rest := [base for base in line if base != head])]
    return order
