"""The type parameters of a class: `class Page(Generic[T])`, `class Page[T]`. Asks `Project`; pure."""

from __future__ import annotations

from codemods.project.facts import Either, Item, Name
from codemods.project.link import Place, Project
from codemods.project.sessions import ClassMeaning, External

_GENERIC = frozenset(
    f"{module}.{name}" for module in ("typing", "typing_extensions") for name in ("Generic", "Protocol")
)


def type_parameters(class_: ClassMeaning, project: Project) -> tuple[str, ...]:
    """The names of the type parameters, in order; () for a class that has none, or has some that take several types."""
    facts = project.class_facts(class_)
    if facts is None:
        return ()
    if facts.type_parameters:
        return () if any(name.startswith("*") for name in facts.type_parameters) else facts.type_parameters
    for base in facts.bases:
        if isinstance(base, Item):
            means = project.meaning(base.value, Place(class_.module, class_.qualname.rpartition(".")[0]))
            if isinstance(means, External) and means.dotted in _GENERIC:
                keys = base.key.options if isinstance(base.key, Either) else (base.key,)
                names = tuple(key.id for key in keys if isinstance(key, Name))
                return names if len(names) == len(keys) else ()
    return ()
