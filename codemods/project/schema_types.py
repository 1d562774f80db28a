"""The schemas within a declared type: in collections, unions, `Annotated`, quotes, and behind names of types.

Asks `Project`; pure.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from codemods.project.expressions import OPAQUE, dotted
from codemods.project.facts import Call, Either, Expression, Item, Literal, Name, Opaque, Series
from codemods.project.field_expressions import quoted_type
from codemods.project.link import Place
from codemods.project.mapping_definitions import definition, external_names
from codemods.project.mapping_names import ANNOTATED, COLLECTIONS, KEYED_COLLECTIONS, OPTIONAL, UNIONS
from codemods.project.schema_classes import ROOT_MODELS, is_in_view, outside
from codemods.project.schema_validators import SchemaValidators
from codemods.project.sessions import ClassMeaning, External, InstanceMeaning, UnknownMeaning

_VALIDATORS_IN_TYPES = frozenset({"BeforeValidator", "PlainValidator", "WrapValidator"})
_FOLLOWED = frozenset({"SerializeAsAny", "Final", "Required", "NotRequired", "ReadOnly", "FailFast"})
_NOT_FOLLOWED = frozenset(
    {"Literal", "Callable", "Type", "type", "InstanceOf", "SkipValidation", "ImportString", "Json"}
)
_MORE_COLLECTIONS = frozenset({"collections.deque", "typing.Deque", "collections.defaultdict", "typing.DefaultDict"})
_MORE_COLLECTIONS |= {"collections.OrderedDict", "typing.OrderedDict"}
_MORE_COLLECTIONS |= {
    f"{module}.{name}"
    for module in ("typing", "collections.abc")
    for name in ("AsyncIterable", "AsyncIterator", "AsyncGenerator", "Generator")
}


@dataclass(frozen=True, slots=True)
class Within:
    """The schemas within a declared type."""

    classes: tuple[ClassMeaning, ...] = ()
    many: bool = False  # there is a collection around one of them
    surely: bool = True  # a value goes to all of them as it is
    unknown: str = ""  # what else may be in it
    validator: str = ""  # what gets the value first


class SchemaTypes:
    """Reads the declared types of one project."""

    def __init__(self, validators: SchemaValidators) -> None:
        self._validators = validators
        self.classes = validators.classes
        self._project = self.classes.project

    def within(self, node: Expression, place: Place, owner: str, depth: int = 0) -> Within:
        """The schemas within a declared type. `owner` is the class in whose body it stands; "" for none."""
        if depth > 12:
            return Within(unknown="its type goes in circles")
        match node:
            case Literal(value=str(text)) if text:
                return self.within(quoted_type(text), place, owner, depth + 1)
            case Literal():
                return Within()
            case Either(options=options):
                return self._union(options, place, owner, depth)
            case Item(value=outer, key=key):
                return self._subscript(outer, key, place, owner, depth)
            case Opaque() | Call():
                return Within(unknown="its type cannot be read")
        made = definition(node, place, self._project) if isinstance(node, Name) else None
        if made is not None and isinstance(made.expression, (Item, Either)):
            return self.within(made.expression, made.place, "", depth + 1)
        return self._plain(node, place, owner, depth)

    def _plain(self, node: Expression, place: Place, owner: str, depth: int) -> Within:
        means = self._meaning(node, place, owner)
        name = dotted(node) or "its type"
        if isinstance(means, ClassMeaning):
            is_serializer = self.classes.is_serializer(means)
            if is_serializer is False:
                return Within()
            root = self._root(means, depth)
            if root is not None:
                return root
            return Within((means,), unknown="" if is_serializer else f"not all bases of `{name}` are in view")
        if isinstance(means, External):
            return Within() if is_in_view(means.dotted) else Within(unknown=f"`{name}` is not in view")
        if isinstance(means, InstanceMeaning) and isinstance(means.of, External):
            if means.of.dotted.endswith(".TypeVar"):
                return Within(unknown=f"`{name}` stands for any type")
            if means.of.dotted in ("typing.NewType", "typing_extensions.NewType"):
                return Within(unknown=f"`{name}` is a new type")
        return Within(unknown=f"what `{name}` is cannot be told")

    def _meaning(self, node: Expression, place: Place, owner: str) -> object:
        """What a name in a class body means: a class beside it in the body, or what it means outside."""
        if isinstance(node, Name) and owner:
            inner = ClassMeaning(place.path, f"{owner}.{node.id}")
            if self._project.class_facts(inner) is not None:
                return inner
        return self._project.meaning(node, place)

    def _root(self, class_: ClassMeaning, depth: int) -> Within | None:
        """What is within a schema that stands for one value: `RootModel[list[Item]]`, `__root__: list[Item]`."""
        for base in self.classes.order(class_):
            facts = self._project.class_facts(base) if isinstance(base, ClassMeaning) else None
            if facts is None or not isinstance(base, ClassMeaning):
                continue
            around_it = outside(base)
            is_root = any(isinstance(one, External) and one.dotted in ROOT_MODELS for one in self.classes.order(base))
            for attribute in self.classes.attributes(base):
                if attribute.name == "__root__" or (is_root and attribute.name == "root"):
                    if attribute.annotation is not None:
                        return self._as_root(self.within(attribute.annotation, place, base.qualname, depth + 1), class_)
            for written in facts.bases:
                if isinstance(written, Item) and is_root:
                    means = self._project.meaning(written.value, place)
                    if isinstance(means, External) and means.dotted in ROOT_MODELS:
                        return self._as_root(self.within(written.key, place, "", depth + 1), class_)
        return None

    def _as_root(self, within: Within, class_: ClassMeaning) -> Within:
        whole, taken = self._validators.taken_over(class_)
        return replace(within, surely=within.surely and not taken and not whole)

    def _union(self, options: tuple[Expression, ...], place: Place, owner: str, depth: int) -> Within:
        something = [option for option in options if option != Literal(None)]
        joined = _joined([self.within(option, place, owner, depth + 1) for option in something])
        return replace(joined, surely=joined.surely and len(something) < 2)

    def _subscript(self, outer: Expression, key: Expression, place: Place, owner: str, depth: int) -> Within:
        means = self._meaning(outer, place, owner)
        if isinstance(means, UnknownMeaning):  # `from typing_extensions import ...`, where `typing` lacks it
            homes = external_names(outer, place, self._project)
            if len({one.rpartition(".")[2] for one in homes}) == 1:
                means = External(min(homes))
        name = means.dotted if isinstance(means, External) else ""
        last = name.rpartition(".")[2]
        keyed = name in KEYED_COLLECTIONS or last.lower().endswith("dict")
        parameters = key.elements if isinstance(key, Series) else (key,)
        if isinstance(key, Either) and name in ANNOTATED | UNIONS | COLLECTIONS | _MORE_COLLECTIONS:
            # the scan of an expression tells parameters in this way; in a declared type it is `X | None`
            parameters = key.options if name in ANNOTATED | UNIONS or keyed else parameters
        if not parameters:
            return Within()
        if name in UNIONS:
            return self._union(parameters, place, owner, depth)
        if name in ANNOTATED:
            return self._annotated(key, parameters, place, owner, depth)
        if name in OPTIONAL or last in _FOLLOWED:
            return self.within(parameters[0], place, owner, depth + 1)
        if name in COLLECTIONS | _MORE_COLLECTIONS:
            elements = parameters[1:] if keyed else parameters
            if last.lower() == "tuple" and len(elements) > 1 and elements[-1] == OPAQUE:
                elements = elements[:-1]  # `tuple[X, ...]`
            told = _joined([self.within(element, place, owner, depth + 1) for element in elements])
            return replace(told, many=True)
        if name and (last in _NOT_FOLLOWED or is_in_view(name)):
            return Within()
        if isinstance(means, ClassMeaning) and self.classes.is_serializer(means) is False:
            return Within()
        return Within(unknown=f"`{dotted(outer) or 'its type'}[...]` is generic")

    def _annotated(
        self, key: Expression, parameters: tuple[Expression, ...], place: Place, owner: str, depth: int
    ) -> Within:
        if isinstance(key, Call):  # as `expressions.annotation` writes it: not all that is added is in view
            told = self.within(key.arguments[0], place, owner, depth + 1) if key.arguments else Within()
            return replace(told, surely=False)
        told = self.within(parameters[0], place, owner, depth + 1)
        for added in parameters[1:]:
            if isinstance(added, (Opaque, Literal)):
                continue
            means = self._project.meaning(added.function if isinstance(added, Call) else added, place)
            if isinstance(means, InstanceMeaning):
                means = means.of
            is_foreign = isinstance(means, External) and means.dotted.rpartition(".")[2] not in _VALIDATORS_IN_TYPES
            if not is_foreign:
                told = replace(told, surely=False, validator="a validator in its type gets it before it is read")
        return told


def _joined(all_: list[Within]) -> Within:
    return Within(
        tuple(dict.fromkeys(class_ for one in all_ for class_ in one.classes)),
        any(one.many for one in all_),
        all(one.surely for one in all_),
        next((one.unknown for one in all_ if one.unknown), ""),
        next((one.validator for one in all_ if one.validator), ""),
    )
