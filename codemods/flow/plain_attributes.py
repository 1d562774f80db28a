"""Attributes that hold neither a session nor anything loaded: numbers, texts and the like that a class sets. Pure."""

from __future__ import annotations

from codemods.flow.values import PLAIN_BUILTINS, plain_type
from codemods.project.facts import Annotated, Call, Either, Expression, Literal, Name
from codemods.project.link import Place, Project
from codemods.project.sessions import ClassMeaning, External, InstanceMeaning, Meaning

_PLAIN_MODULES = ("datetime.", "decimal.", "time.", "uuid.")


def is_plain_attribute(owner: Meaning, name: str, project: Project) -> bool:
    """Whether all that the classes of `owner` put under the name is plain, and it is neither method nor property.

    None alone says nothing: it keeps the place for what somebody else puts there.
    """
    if not isinstance(owner, InstanceMeaning) or not isinstance(owner.of, ClassMeaning):
        return False
    found = False
    for base in project.bases(owner.of):
        facts = project.symbols.class_(base.module, base.qualname) if isinstance(base, ClassMeaning) else None
        if facts is None or not isinstance(base, ClassMeaning):
            continue
        if project.symbols.functions(base.module, f"{base.qualname}.{name}"):
            return False
        for one in facts.attributes:
            if one.name == name:
                value = one.value if one.annotation is None else Annotated(one.annotation)
                if not _is_plain(value, Place(base.module, one.method or base.qualname), project):
                    return False
                found = found or value != Literal(None)
    return found


def _is_plain(value: Expression, place: Place, project: Project) -> bool:
    match value:
        case Literal():
            return True
        case Annotated(annotation=annotation):
            return plain_type(annotation, place, project)
        case Either(options=options):
            return all(_is_plain(one, place, project) for one in options)
        case Name(id=name):
            definitions = project.symbols.functions(place.path, place.qualname)
            if len(definitions) != 1 or any(one.name == name for one in definitions[0].bindings):
                return False
            told = [one.annotation for one in definitions[0].parameters if one.name == name]
            outside = Place(place.path, definitions[0].parent)
            return any(one is not None and plain_type(one, outside, project) for one in told)
        case Call(function=function):
            made = project.meaning(function, place)
            dotted = made.dotted if isinstance(made, External) else ""
            return dotted in PLAIN_BUILTINS or dotted.startswith(_PLAIN_MODULES)
        case _:
            return False
