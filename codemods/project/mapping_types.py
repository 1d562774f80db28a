"""Declared types as mapping reads them: what is optional, a collection, plain; what they name. Asks `Project`; pure."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace

from codemods.project.expressions import is_true, last_name
from codemods.project.facts import Call, Either, Expression, Item, Literal, Name, Series
from codemods.project.field_expressions import quoted_type
from codemods.project.link import Place, Project
from codemods.project.mapping_definitions import definition
from codemods.project.mapping_names import (
    ANNOTATED,
    CLASS_VARS,
    COLLECTIONS,
    COLUMN_TYPES,
    ENUMS,
    KEYED_COLLECTIONS,
    MAPPED_TYPES,
    OPTIONAL,
    PLAIN_TYPES,
    UNIONS,
)
from codemods.project.sessions import ClassMeaning, External


@dataclass(frozen=True, slots=True)
class Declared:
    """A declared type, taken apart. `element` is what is left when optional, collection and `Mapped` are taken off."""

    element: Expression | None  # None: a union of several, or nothing that can be read
    place: Place
    optional: bool = False
    collection: bool = False
    wrapper: str = ""  # the dotted name of `Mapped`, `DynamicMapped`, ... when it is around it
    class_var: bool = False
    union: bool = False  # it is one of several types, beside None
    extras: tuple[tuple[Call, Place], ...] = ()  # the calls in `Annotated[X, mapped_column(...)]`


def declared(annotation: Expression | None, place: Place, project: Project) -> Declared | None:
    """The parts of a declared type; None when there is none."""
    return None if annotation is None else _taken_apart(annotation, place, project, 0)


def _taken_apart(node: Expression, place: Place, project: Project, depth: int) -> Declared:
    if depth > 12:
        return Declared(None, place)
    match node:
        case Literal(value=str(text)):  # quoted inside of an alias, or of what a function is declared to return
            return _taken_apart(quoted_type(text), place, project, depth + 1)
        case Either(options=options):
            return _one_of(options, place, project, depth)
        case Item(value=outer, key=key):
            return _subscript(outer, key, node, place, project, depth)
        case Name() | Call():
            made = definition(node, place, project) if isinstance(node, Name) else None
            if made is not None and isinstance(made.expression, (Item, Either)):
                return _taken_apart(made.expression, made.place, project, depth + 1)
    return Declared(node, place)


def _one_of(options: tuple[Expression, ...], place: Place, project: Project, depth: int) -> Declared:
    something = [option for option in options if option != Literal(None)]
    optional = len(something) < len(options)
    if len(something) != 1:
        return Declared(None, place, optional, union=True)
    inner = _taken_apart(something[0], place, project, depth + 1)
    return _with(inner, optional=optional)


def _with(inner: Declared, *, optional: bool = False, wrapper: str = "") -> Declared:
    return replace(inner, optional=inner.optional or optional, wrapper=wrapper or inner.wrapper)


def _subscript(
    outer: Expression, key: Expression, node: Expression, place: Place, project: Project, depth: int
) -> Declared:
    means = project.meaning(outer, place)
    name = means.dotted if isinstance(means, External) else ""
    parameters = key.elements if isinstance(key, Series) else (key,)
    if isinstance(key, Either) and name in ANNOTATED | UNIONS | COLLECTIONS:
        parameters = key.options  # the scan of an expression tells parameters in this way
    if not parameters:
        return Declared(None, place)
    if name in MAPPED_TYPES:
        return _with(_taken_apart(parameters[0], place, project, depth + 1), wrapper=name)
    if name in OPTIONAL:
        return _with(_taken_apart(parameters[0], place, project, depth + 1), optional=True)
    if name in UNIONS:
        return _one_of(parameters, place, project, depth)
    if name in CLASS_VARS:
        return Declared(None, place, class_var=True)
    if name in ANNOTATED:
        calls: tuple[Expression, ...] = parameters[1:]
        inner = parameters[0]
        if isinstance(key, Call) and key.function == Name("Annotated"):
            inner, *calls_ = key.arguments
            calls = tuple(calls_)
        told = _taken_apart(inner, place, project, depth + 1)
        extras = tuple((call, place) for call in calls if isinstance(call, Call))
        return replace(told, extras=told.extras + extras)
    if name in COLLECTIONS:
        element = parameters[-1] if name in KEYED_COLLECTIONS else parameters[0]
        inner_told = _taken_apart(element, place, project, depth + 1)
        return Declared(inner_told.element, inner_told.place, collection=True)
    return Declared(node, place)


def python_type(told: Declared | None, project: Project) -> tuple[bool, str]:
    """Whether values of the type are plain, and the type's dotted name where it is a single one."""
    if told is None or told.element is None:
        return False, ""
    if told.collection:
        plain, _ = python_type(Declared(told.element, told.place), project)
        return plain, ""
    element = told.element
    means = project.meaning(element, told.place)
    if isinstance(element, Item):
        outer = project.meaning(element.value, told.place)
        return isinstance(outer, External) and outer.dotted in PLAIN_TYPES, ""
    if isinstance(means, External) and means.dotted in PLAIN_TYPES:
        name = means.dotted.removeprefix("builtins.")
        return True, name if name.partition(".")[0] in _NAMED or "." not in name else ""
    if isinstance(means, ClassMeaning):
        is_enum = any(isinstance(base, External) and base.dotted in ENUMS for base in project.bases(means))
        known = project.symbols.names.get(means.module)
        return is_enum, f"{known.module}.{means.qualname}" if is_enum and known and known.module else ""
    return False, ""


_NAMED = frozenset({"datetime", "decimal", "uuid"})


def is_optional(told: Declared | None, project: Project) -> bool | None:
    """Whether the type allows None; None when there is no type, or a name in it that may be an alias of anything."""
    if told is None:
        return None
    if told.optional:
        return True
    if told.union or told.collection:
        return False
    element = told.element.value if isinstance(told.element, Item) else told.element
    means = project.meaning(element, told.place) if element is not None else None
    if isinstance(means, External):
        known = means.dotted in PLAIN_TYPES or means.dotted.partition(".")[0] in sys.stdlib_module_names
        return None if means.dotted in ("typing.Any", "typing_extensions.Any") or not known else False
    return False if isinstance(means, ClassMeaning) else None


def column_type(arguments: tuple[Expression, ...], place: Place, project: Project) -> tuple[bool, str]:
    """The same for what a `Column(...)` is given as its type: `String(20)`, `sa.Integer`."""
    for argument in arguments:
        if isinstance(argument, Literal):
            continue
        node = argument.function if isinstance(argument, Call) else argument
        means = project.meaning(node, place)
        if isinstance(means, External) and means.dotted.startswith("sqlalchemy."):
            name = last_name(node) and means.dotted.rpartition(".")[2].upper()
            if name == "UUID" and isinstance(argument, Call) and is_true(argument.keyword("as_uuid")):
                return True, "uuid.UUID"
            if name in COLUMN_TYPES:
                return True, COLUMN_TYPES[name]
            if name in ("FOREIGNKEY", "SEQUENCE", "IDENTITY", "COMPUTED"):
                continue
        return False, ""
    return False, ""
