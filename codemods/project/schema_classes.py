"""Which classes are schemas: pydantic models, SQLModels without a table; what their bodies hold. Asks `Project`."""

from __future__ import annotations

import builtins
import sys
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

from codemods.project.facts import AttributeSet, FunctionFacts
from codemods.project.link import Place, Project
from codemods.project.mapping_bases import Base, Hierarchy
from codemods.project.mapping_names import SQLMODEL
from codemods.project.models import is_mapped
from codemods.project.sessions import ClassMeaning, External

ROOT_MODELS = frozenset({"pydantic.RootModel", "pydantic.root_model.RootModel"})
_MODELS = (
    frozenset(
        f"{module}.{name}"
        for module in ("pydantic", "pydantic.main", "pydantic.generics", "pydantic.v1", "pydantic.v1.main")
        for name in ("BaseModel", "GenericModel")
    )
    | frozenset({"pydantic.BaseSettings", "pydantic_settings.BaseSettings"})
    | ROOT_MODELS
    | SQLMODEL
)
_IN_VIEW = sys.stdlib_module_names | {
    "annotated_types",
    "builtins",
    "fastapi",
    "pydantic",
    "pydantic_core",
    "pydantic_extra_types",
    "pydantic_settings",
    "sqlmodel",
    "sse_starlette",
    "starlette",
    "typing_extensions",
}


Methods = dict[str, list[FunctionFacts]]  # by the qualified name of their class


@dataclass(slots=True)
class _Known:
    """What was found out of one project. Holds no project, which could then never go."""

    orders: dict[ClassMeaning, tuple[Base, ...]] = field(default_factory=dict)
    methods: dict[str, Methods] = field(default_factory=dict)


_REMEMBERED: WeakKeyDictionary[Project, _Known] = WeakKeyDictionary()


class SchemaClasses:
    """The classes of one project, as schemas are made of them."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self._known = _REMEMBERED.setdefault(project, _Known())

    def order(self, class_: ClassMeaning) -> tuple[Base, ...]:
        """The class and its bases as Python orders them."""
        class_ = plain(class_)
        known = self._known.orders
        if class_ not in known:
            known[class_] = Hierarchy(self.project).ancestry(class_).order
        return known[class_]

    def is_serializer(self, class_: ClassMeaning) -> bool | None:
        """Whether instances are made by reading what is given; None when a base is not in view."""
        if is_mapped(class_, self.project):
            return False
        outside = [base.dotted for base in self.order(class_) if isinstance(base, External)]
        if any(name in _MODELS for name in outside):
            return True
        return None if any(not is_in_view(name) for name in outside) else False

    def methods(self, class_: ClassMeaning) -> list[FunctionFacts]:
        """The functions of the class body."""
        known = self._known.methods
        if class_.module not in known:
            found: Methods = {}
            for function in self.project.symbols.all_functions(class_.module):
                if function.in_class:
                    found.setdefault(function.in_class, []).append(function)
            known[class_.module] = found
        return known[class_.module].get(class_.qualname, [])

    def attributes(self, class_: ClassMeaning) -> list[AttributeSet]:
        """What the class body binds."""
        facts = self.project.class_facts(class_)
        return [attribute for attribute in facts.attributes if not attribute.method] if facts else []


def plain(schema: ClassMeaning) -> ClassMeaning:
    """The class of a schema, without the types that are given to its parameters."""
    return schema if schema.__class__ is ClassMeaning else ClassMeaning(schema.module, schema.qualname)


def is_in_view(name: str) -> bool:
    """Whether a name outside of the project is of a package whose types read no attributes of objects."""
    module, _, rest = name.partition(".")
    if module == "builtins":
        return hasattr(builtins, rest)
    return module in _IN_VIEW


def outside(class_: ClassMeaning) -> Place:
    """Where the bases and the declared types of a class are looked up."""
    return Place(class_.module, class_.qualname.rpartition(".")[0])
