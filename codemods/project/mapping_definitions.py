"""The assignment that a name leads to, through imports, wherever it stands. Asks `Project`; pure.

`Project.meaning` says what a name means for sessions; what a mapping is made of (an alias of a type, a base that is
made by a call, a constant) has no such meaning, and is read here as it is written.
"""

from __future__ import annotations

from dataclasses import dataclass

from codemods.project.facts import Attribute, Call, Expression, Literal, Name
from codemods.project.link import Place, Project
from codemods.project.sessions import ClassMeaning, External, ModuleMeaning


@dataclass(frozen=True, slots=True)
class Definition:
    """`name = expression` at `place`, which is the module or class that it stands in."""

    name: str
    expression: Expression
    place: Place


def definition(node: Expression, place: Place, project: Project) -> Definition | None:
    """What a name or chain of attributes is assigned, once and for all; None when it cannot be told."""
    return _definition(node, place, project, frozenset())


def _definition(
    node: Expression, place: Place, project: Project, seen: frozenset[tuple[str, str]]
) -> Definition | None:
    match node:
        case Name(id=name):
            if any(project.symbols.functions(place.path, around) for around in _around(place.qualname)):
                return None  # a name inside of a function may be its own
            return _in_module(place.path, name, project, seen)
        case Attribute(value=value, name=name):
            owner = project.meaning(value, place)
            if isinstance(owner, ModuleMeaning):
                return _in_module(owner.module, name, project, seen)
            if isinstance(owner, ClassMeaning):
                facts = project.class_facts(owner)
                found = [one for one in facts.attributes if one.name == name] if facts else []
                if len(found) == 1:
                    return Definition(name, found[0].value, Place(owner.module, owner.qualname))
    return None


def _around(qualname: str) -> list[str]:
    parts = qualname.split(".") if qualname else []
    return [".".join(parts[: depth + 1]) for depth in range(len(parts))]


def _in_module(path: str, name: str, project: Project, seen: frozenset[tuple[str, str]]) -> Definition | None:
    if (path, name) in seen:
        return None
    seen |= {(path, name)}
    symbols = project.symbols
    values = [value for value in symbols.binding(path, name) if value != Literal(None)]
    if len(values) > 1:  # `Base = Any` under TYPE_CHECKING
        values = [value for value in values if project.meaning(value, Place(path)) != External("typing.Any")]
    imports = symbols.imports(path, "", name)
    if symbols.functions(path, name) or len(values) > 1 or (values and imports):
        return None
    if symbols.class_(path, name) and not any(_is_made_of(value, name) for value in values):
        return None
    if values:
        value = values[0]
        further = None
        if isinstance(value, (Name, Attribute)):
            further = _definition(value, Place(path), project, seen)
        return further or Definition(name, value, Place(path))
    found: list[Definition] = []
    for imported in imports:
        module = symbols.module_path(imported.module, path)
        if module is not None and module != path and imported.attribute is not None:
            there = _in_module(module, imported.attribute, project, seen)
            if there is not None:
                found.append(there)
    facts = symbols.facts.get(path)
    for star in facts.stars if facts and not imports else ():
        module = symbols.module_path(star, path)
        there_facts = symbols.facts.get(module) if module else None
        if module and there_facts and (there_facts.public is None or name in there_facts.public):
            there = _in_module(module, name, project, seen)
            if there is not None:
                found.append(there)
    return found[0] if found and all(one == found[0] for one in found) else None


def _is_made_of(value: Expression, name: str) -> bool:
    """`Base = declarative_base(cls=Base)`, after `class Base`."""
    return isinstance(value, Call) and value.keyword("cls") == Name(name)


def external_names(node: Expression, place: Place, project: Project, depth: int = 0) -> frozenset[str]:
    """The names outside of the project that this may be, several where there is a fallback; none: it may be another."""
    means = project.meaning(node, place)
    if isinstance(means, External):
        return frozenset({means.dotted})
    if not isinstance(node, Name) or depth > 4:
        return frozenset()
    found: set[str] = set()
    for value in project.symbols.binding(place.path, node.id):
        names = external_names(value, Place(place.path), project, depth + 1)
        if not names:
            return frozenset()
        found |= names
    for one in project.symbols.imports(place.path, "", node.id):
        if one.attribute is None or project.symbols.module_path(one.module, place.path):
            return frozenset()
        found.add(f"{one.module}.{one.attribute}")
    return frozenset(found)


def literal(node: Expression | None, place: Place, project: Project) -> object:
    """The constant that an expression is, by itself or through a name; Ellipsis when it is none that can be told."""
    if isinstance(node, Literal):
        return node.value
    if isinstance(node, (Name, Attribute)):
        found = definition(node, place, project)
        if found is not None and isinstance(found.expression, Literal):
            return found.expression.value
    return ...
