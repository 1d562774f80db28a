"""Mapped classes: which attributes are columns, which are relationships. Asks `Project`; pure."""

from __future__ import annotations

import enum

from codemods.project.expressions import dotted, is_true, last_name
from codemods.project.facts import Annotated, Call, Either, Expression, Item, Literal
from codemods.project.link import Place, Project
from codemods.project.mapping_names import SQLMODEL
from codemods.project.sessions import ClassMeaning, External, InstanceMeaning

_DECLARATIVE = frozenset(
    {
        "sqlalchemy.orm.DeclarativeBase",
        "sqlalchemy.orm.DeclarativeBaseNoMeta",
        "sqlalchemy.orm.declarative_base",
        "sqlalchemy.ext.declarative.declarative_base",
        "sqlalchemy.orm.decl_api.DeclarativeBase",
    }
)
_PYDANTIC = frozenset({"pydantic.BaseModel", "pydantic.main.BaseModel", "pydantic.generics.GenericModel"})
_COLUMNS = frozenset({"mapped_column", "Column", "Field", "column_property", "synonym", "composite"})
_RELATIONSHIPS = frozenset({"relationship", "Relationship", "dynamic_loader"})


class Member(enum.StrEnum):
    """What an attribute of a mapped class is."""

    COLUMN = "column"
    RELATIONSHIP = "relationship"
    OTHER = "other"


def is_mapped(class_: ClassMeaning, project: Project) -> bool:
    """Whether instances of the class are entities: it is declarative and has a table, by itself or by a base."""
    declarative = False
    for base in project.bases(class_):
        if isinstance(base, External):
            declarative = declarative or base.dotted in _DECLARATIVE | SQLMODEL
    if not declarative:
        return False
    if any(isinstance(base, External) and base.dotted in SQLMODEL for base in project.bases(class_)):
        return any(
            key == "table" and is_true(value)
            for base in project.bases(class_)
            if isinstance(base, ClassMeaning) and (facts := project.class_facts(base)) is not None
            for key, value in facts.keywords
        )
    return True


def is_schema(class_: ClassMeaning, project: Project) -> bool:
    """Whether instances are pydantic models that copy what they are given."""
    bases = project.bases(class_)
    if is_mapped(class_, project) or not any(
        isinstance(base, External) and base.dotted in _PYDANTIC | SQLMODEL for base in bases
    ):
        return False
    for base in bases:
        facts = project.class_facts(base) if isinstance(base, ClassMeaning) else None
        for attribute in facts.attributes if facts else ():
            if isinstance(base, ClassMeaning) and not attribute.method and isinstance(attribute.value, Annotated):
                place = Place(base.module, base.qualname.rpartition(".")[0])
                if _holds_entity(attribute.value.annotation, place, project):
                    return False
    return True


def _holds_entity(annotation: Expression, place: Place, project: Project) -> bool:
    """`User`, `list[User]`, `Any`: a field that takes an object as it is."""
    match annotation:
        case Item(value=value, key=key):
            return _holds_entity(value, place, project) or _holds_entity(key, place, project)
        case Either(options=options):
            return any(_holds_entity(option, place, project) for option in options)
    means = project.meaning(annotation, place)
    if isinstance(means, ClassMeaning):
        return is_mapped(means, project)
    return isinstance(means, External) and means.dotted in ("typing.Any", "builtins.object")


def member(class_: ClassMeaning, name: str, project: Project) -> Member | None:
    """What the attribute `name` of a mapped class is; None when it is not declared in view."""
    for base in project.bases(class_):
        if not isinstance(base, ClassMeaning):
            continue
        facts = project.class_facts(base)
        for attribute in facts.attributes if facts else ():
            if attribute.name == name and not attribute.method:
                return _member(attribute.value, Place(base.module, base.qualname.rpartition(".")[0]), project)
        if project.symbols.functions(base.module, f"{base.qualname}.{name}"):
            return Member.OTHER
    return None


def _member(value: Expression, place: Place, project: Project) -> Member:
    match value:
        case Call(function=function):
            called = last_name(function)
            if called in _RELATIONSHIPS:
                return Member.RELATIONSHIP
            return Member.COLUMN if called in _COLUMNS else Member.OTHER
        case Annotated(annotation=Item(value=outer, key=inner)) if last_name(outer) == "Mapped":
            return Member.RELATIONSHIP if _names_entity(inner, place, project) else Member.COLUMN
        case Annotated(annotation=annotation):
            return Member.RELATIONSHIP if _names_entity(annotation, place, project) else Member.COLUMN
        case _:
            return Member.OTHER


def _names_entity(annotation: Expression, place: Place, project: Project) -> bool:
    """`User`, `list["User"]`, `Optional[User]`: whether the declared type is an entity or a collection of them."""
    if isinstance(annotation, Item):
        return _names_entity(annotation.key, place, project)
    if isinstance(annotation, Either):
        return any(_names_entity(option, place, project) for option in annotation.options)
    if isinstance(annotation, Literal):
        # a string target cannot be followed here; a relationship is the careful answer
        return True
    told = project.declared(annotation, place)
    if isinstance(told, InstanceMeaning) and isinstance(told.of, ClassMeaning):
        return is_mapped(told.of, project)
    return not dotted(annotation) or isinstance(told, ClassMeaning)
