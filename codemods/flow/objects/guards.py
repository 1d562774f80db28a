"""What tests say of the class and the keys of an object, held against the class that it is loaded as. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from codemods.flow.objects.values import Guard
from codemods.project.link import Project
from codemods.project.mapped_classes import below, mapped
from codemods.project.sessions import ClassMeaning, External

_STRUCTURAL = frozenset({"Protocol", "ABC"})


def led_to(class_: ClassMeaning | None, names: Iterable[str], project: Project) -> ClassMeaning | None:
    """The class that relationships lead to from another one; None where that cannot be told."""
    for name in names:
        known = mapped(class_, project) if class_ is not None else None
        relationship = known.relationships.get(name) if known is not None else None
        class_ = relationship.target if relationship is not None else None
    return class_


def may_lead(class_: ClassMeaning, names: Iterable[str], project: Project) -> bool:
    """Whether an object of the class may have another object there."""
    current: ClassMeaning | None = class_
    for name in names:
        known = mapped(current, project) if current is not None else None
        if known is None or current is None:
            return True
        relationship = known.relationships.get(name)
        if relationship is None:
            return (
                name not in known.columns and name not in known.column_properties and _may_have(current, name, project)
            )
        current = relationship.target
    return True


def _may_have(class_: ClassMeaning, name: str, project: Project) -> bool:
    for one in [class_, *below(class_, project)]:
        known = mapped(one, project)
        if known is None or known.unknown or known.may_have(name):
            return True
        for base in project.bases(one):
            if isinstance(base, ClassMeaning):
                facts = project.class_facts(base)
                if facts is None or any(attribute.name == name for attribute in facts.attributes):
                    return True
                if project.symbols.functions(base.module, f"{base.qualname}.{name}"):
                    return True
    return False


def is_key(class_: ClassMeaning | None, names: tuple[str, ...], project: Project) -> bool:
    """Whether the names lead to a primary or foreign key that is never NULL: of a row it is taken to be true."""
    class_ = led_to(class_, names[:-1], project)
    known = mapped(class_, project) if class_ is not None else None
    column = known.columns.get(names[-1]) if known is not None else None
    if column is None:
        return False
    return column.primary_key is True or (bool(column.foreign_keys) and column.nullable is False)


def may_hold(
    guards: Iterable[Guard], front: tuple[str, ...], class_: ClassMeaning | None, project: Project, *, is_row: bool
) -> bool:
    """Whether all that was tested can be so: of an object that `front` leads to from one of the class.

    `is_row`: that one was loaded, so that its keys are there.
    """
    for guard in guards:
        names = (*front, *guard.names)
        if not guard.classes:
            if is_row and is_key(class_, names, project):
                return False
            continue
        one = led_to(class_, names, project)
        if one is None or mapped(one, project) is None:
            continue
        if guard.truth and not any(_may_be(one, other, project) for other in guard.classes):
            return False
        if not guard.truth and any(other in project.bases(one) for other in guard.classes):
            return False
    return True


def _may_be(one: ClassMeaning, other: ClassMeaning, project: Project) -> bool:
    """Whether `isinstance` can say so of an object that is loaded as of the one class."""
    if mapped(other, project) is None:
        above = [base.dotted for base in project.bases(other) if isinstance(base, External)]
        if any(name.rpartition(".")[2] in _STRUCTURAL for name in above):
            return True
    for each in [one, *below(one, project)]:
        known = mapped(each, project)
        if other in project.bases(each) or known is None or any(not told.name for told in known.unknown):
            return True
    return False
