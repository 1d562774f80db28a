"""The words for development that the declaration of a field shows: `Literal["dev", "prod"]`, an enumeration, a default.

Reads trees.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

from codemods.flow.development.fields import Declared, Field, bare
from codemods.flow.development.given import text_given
from codemods.plan import Fact
from codemods.project.expressions import expression
from codemods.project.link import Place
from codemods.project.mapping_definitions import definition
from codemods.project.sessions import ClassMeaning, External

WORDS = frozenset({"development", "dev", "local"})  # in lower case
ENUMS = frozenset({"enum.Enum", "enum.StrEnum"})


@dataclass(slots=True)
class Words:
    """The words for development that are shown, each with what shows it."""

    shown: dict[str, Fact] = field(default_factory=dict)
    default: str = ""  # the one of them that the field has when nothing else is given
    is_closed: bool = False  # there are no others: a Literal, an enumeration
    is_text: bool = True
    enum: ClassMeaning | None = None
    members: dict[str, str] = field(default_factory=dict)  # of the enumeration, by word


def words_of(one: Field, declared: Declared) -> Words:
    """What the type and the default of a field show."""
    found = Words()
    if one.annotation is not None:
        _declared_words(one, found, declared)
    if one.value is not None and found.enum is not None:
        member = one.value.attr if isinstance(one.value, ast.Attribute) else ""
        found.default = next((word for word, name in found.members.items() if name == member), "")
    elif one.value is not None:
        default = text_given(one.value, one.place, declared.project)
        if default is not None and default.lower() in WORDS:
            found.shown.setdefault(default, one.fact)
            found.default = default
    return found


def _declared_words(one: Field, found: Words, declared: Declared) -> None:
    """What the declared type shows: `Literal["development", "production"]`, an enumeration."""
    assert one.annotation is not None
    told, place = bare(one.annotation), one.place
    made = definition(told, Place(place.path), declared.project)
    texts = _literal_texts(one.annotation, place, declared)
    if texts is None and made is not None:
        texts = _alias_texts(made.name, made.place.path, declared)
    if texts is not None:
        found.is_closed = True
        found.shown.update({text: one.fact for text in texts if text.lower() in WORDS})
        return
    means = declared.project.meaning(told, place)
    if isinstance(means, ClassMeaning) and declared.is_below(means, ENUMS):
        found.enum, found.is_closed = means, True
        for member in declared.fields(means):
            text = member_text(member, means, declared)
            if text is not None and text.lower() in WORDS:
                found.shown[text] = member.fact
                found.members[text] = member.name
        return
    found.is_text = isinstance(means, External) and means.dotted in ("builtins.str", "pydantic.StrictStr")


def _alias_texts(name: str, path: str, declared: Declared) -> list[str] | None:
    """The texts of `Environment = Literal["dev", "prod"]`."""
    for one in declared.constants(path):
        if one.name == name and one.value is not None:
            return _literal_texts(one.value, one.place, declared)
    return None


def _literal_texts(node: ast.expr, place: Place, declared: Declared) -> list[str] | None:
    """The texts of a `Literal[...]`, also inside of `Optional`, `Annotated` or quotes; None: it is none."""
    match node:
        case ast.Constant(value=str(text)):
            try:
                return _literal_texts(ast.parse(text.strip(), mode="eval").body, place, declared)
            except (SyntaxError, ValueError, RecursionError):
                return None
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return _literal_texts(left, place, declared) or _literal_texts(right, place, declared)
        case ast.Subscript(value=value, slice=key):
            means = declared.project.meaning(expression(value), place)
            name = means.dotted.rpartition(".")[2] if isinstance(means, External) else ""
            elements = key.elts if isinstance(key, ast.Tuple) else [key]
            if name == "Literal":
                return [one.value for one in elements if isinstance(one, ast.Constant) and isinstance(one.value, str)]
            if name in ("Optional", "Annotated", "ClassVar", "Final"):
                return _literal_texts(elements[0], place, declared)
    return None


def member_text(member: Field, enum: ClassMeaning, declared: Declared) -> str | None:
    """The text that a member of an enumeration is."""
    if member.is_property or not member.on_class or member.value is None:
        return None
    if isinstance(member.value, ast.Constant):
        return member.value.value if isinstance(member.value.value, str) else None
    if isinstance(member.value, ast.Call) and declared.is_below(enum, {"enum.StrEnum"}):
        means = declared.project.meaning(expression(member.value.func), member.place)
        return member.name.lower() if means == External("enum.auto") else None
    return None


def is_text_enum(enum: ClassMeaning, declared: Declared) -> bool:
    """Whether its members are texts, too."""
    return declared.is_below(enum, {"builtins.str", "enum.StrEnum"})


def stores_values(class_: ClassMeaning, declared: Declared) -> bool:
    """Whether the class says anything of `use_enum_values`, which keeps the texts of an enumeration."""
    for base in declared.project.bases(class_):
        node = declared.node(base) if isinstance(base, ClassMeaning) else None
        for inner in ast.walk(node) if node is not None else ():
            if isinstance(inner, ast.keyword) and inner.arg == "use_enum_values":
                return True
            if isinstance(inner, (ast.Name, ast.Constant)):
                if "use_enum_values" in (getattr(inner, "id", ""), getattr(inner, "value", "")):
                    return True
    return False
