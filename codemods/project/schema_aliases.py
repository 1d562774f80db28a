"""By which names the fields of a schema are read, when not by their own. Asks `Project`; pure."""

from __future__ import annotations

import re

from codemods.project.expressions import dotted
from codemods.project.facts import Call, Expression, Literal
from codemods.project.link import Place, Project
from codemods.project.mapping_definitions import literal
from codemods.project.schema_settings import Settings
from codemods.project.sessions import External, FunctionMeaning, UnknownMeaning

_GENERATED = re.compile(r"[a-z]+(_[a-z]+)*")
Alias = tuple[tuple[str, ...], str]  # the names that are read, the first that there is; what of them cannot be told


def given_alias(call: Call, place: Place, project: Project) -> Alias | None:
    """The names that `Field(...)` makes be read, and what of them cannot be told; None when it gives none."""
    function = project.meaning(call.function, place)
    if isinstance(function, (FunctionMeaning, UnknownMeaning)):
        return (), f"`{dotted(call.function) or 'a call'}` may give it another name"
    if not isinstance(function, External):
        return None
    for key in ("validation_alias", "alias"):
        given = call.keyword(key)
        if given is not None and given != Literal(None):
            return _names(given, place, project)
    if call.has_double_star and function.dotted.endswith(".Field"):
        return (), "`**` may give it another name"
    return None


def _names(node: Expression, place: Place, project: Project) -> Alias:
    text = literal(node, place, project)
    if isinstance(text, str):
        return (text,), ""
    if isinstance(node, Call):
        means = project.meaning(node.function, place)
        kind = means.dotted.rpartition(".")[2] if isinstance(means, External) else ""
        if kind == "AliasChoices" and node.arguments:
            told = [_names(argument, place, project) for argument in node.arguments]
            names = tuple(name for found, _ in told for name in found)
            return names, next((why for _, why in told if why), "")
        if kind == "AliasPath" and node.arguments:
            first = literal(node.arguments[0], place, project)
            if isinstance(first, str):
                return (first,), "it reads on along an `AliasPath`"
    return (), "its alias cannot be told"


def generated_alias(name: str, settings: Settings) -> Alias | None:
    """The alias that the settings give a field, and what of it cannot be told; None when they give none."""
    if settings.get("fields") is not None:
        return (), "the `fields` of its settings may give it another name"
    generator = settings.get("alias_generator")
    if generator is None:
        return None
    if isinstance(generator, str) and _GENERATED.fullmatch(name):
        words = [word.title() for word in name.split("_")]
        if generator.endswith(".to_camel"):
            words[0] = words[0].lower()
        return ("".join(words),), ""
    return (), "its alias is generated, and cannot be told"
