"""Everything that a name may stand for: imports in `try` and `except`, branches, conditions. Reads facts only.

The project's own answer leaves out `None`, and is "unknown" where a name stands for two things; here each is told.
"""

from __future__ import annotations

from collections.abc import Iterable

from codemods.project.facts import Attribute, Either, Expression, Import, Item, Name
from codemods.project.link import Place, Project
from codemods.project.sessions import (
    UNKNOWN,
    ClassMeaning,
    External,
    FunctionMeaning,
    InstanceMeaning,
    Meaning,
    ModuleMeaning,
    UnknownMeaning,
)

_Seen = frozenset[tuple[str, str, str]]


def alternatives(node: Expression, place: Place, project: Project) -> list[Meaning]:
    """What the expression can be at this place, `None` and what is unknown among it; what a dict holds is unknown."""
    return list(dict.fromkeys(_of(node, place, project, frozenset())))


def _of(node: Expression, place: Place, project: Project, seen: _Seen) -> list[Meaning]:
    found: list[Meaning] = []
    match node:
        case Either(options=options):
            return [one for option in options for one in _of(option, place, project, seen)]
        case Item():
            return [UNKNOWN]
        case Name(id=name):
            found = _named(name, place, project, seen)
        case Attribute(value=value, name=name):
            match project.meaning(value, place):
                case ModuleMeaning(module=path):
                    found = _in_module(name, path, project, seen)
                case (ClassMeaning() as class_) | InstanceMeaning(of=ClassMeaning() as class_):
                    for base in project.bases(class_):
                        if isinstance(base, ClassMeaning):
                            found += _in_class(name, base, project, seen)
                case UnknownMeaning() if isinstance(value, Name):
                    owners = _named(value.id, place, project, seen)  # one of several modules, as it may be
                    found = [project.attribute(one, name, place) for one in owners]
    return found or [project.meaning(node, place)]


def _named(name: str, place: Place, project: Project, seen: _Seen) -> list[Meaning]:
    """Of the innermost function around the place that binds the name, else of the module."""
    path, qualname = place.path, place.qualname
    while qualname:
        found: list[Meaning] = []
        functions = project.symbols.functions(path, qualname)
        for function in functions:
            if any(parameter.name == name for parameter in function.parameters):
                found.append(UNKNOWN)
            for binding in function.bindings:
                if binding.name == name:
                    found += _values(binding.values, name, Place(path, qualname), project, seen)
        if functions:
            if project.symbols.functions(path, f"{qualname}.{name}"):
                found.append(FunctionMeaning(path, f"{qualname}.{name}"))
            found += _imported(project.symbols.imports(path, qualname, name), path, project, seen)
        elif qualname == place.qualname:
            found += _in_class(name, ClassMeaning(path, qualname), project, seen)
        if found:
            return found
        qualname = qualname.rpartition(".")[0]
    return _in_module(name, path, project, seen)


def _in_module(name: str, path: str, project: Project, seen: _Seen) -> list[Meaning]:
    found = _values(project.symbols.binding(path, name), name, Place(path), project, seen)
    if project.symbols.functions(path, name):
        found.append(FunctionMeaning(path, name))
    if project.symbols.class_(path, name):
        found.append(ClassMeaning(path, name))
    return found + _imported(project.symbols.imports(path, "", name), path, project, seen)


def _in_class(name: str, class_: ClassMeaning, project: Project, seen: _Seen) -> list[Meaning]:
    facts = project.symbols.class_(class_.module, class_.qualname)
    found: list[Meaning] = []
    for attribute in facts.attributes if facts else ():
        if attribute.name == name:
            place = Place(class_.module, attribute.method or class_.qualname)
            found += _values([attribute.value], name, place, project, seen)
    return found + _imported(
        project.symbols.imports(class_.module, class_.qualname, name), class_.module, project, seen
    )


def _values(values: Iterable[Expression], name: str, place: Place, project: Project, seen: _Seen) -> list[Meaning]:
    here = (place.path, place.qualname, name)
    if here in seen:
        return []
    return [one for value in values for one in _of(value, place, project, seen | {here})]


def _imported(imports: Iterable[Import], path: str, project: Project, seen: _Seen) -> list[Meaning]:
    found: list[Meaning] = []
    for one in imports:
        module = project.symbols.module_path(one.module, path)
        if one.attribute is None:
            found.append(External(one.module) if module is None else ModuleMeaning(module))
        elif module is None:
            found.append(External(f"{one.module}.{one.attribute}"))
        elif (here := (module, "", f"import {one.attribute}")) not in seen:
            there = _in_module(one.attribute, module, project, seen | {here})
            found += there or [project.attribute(ModuleMeaning(module), one.attribute, Place(path))]
    return found
