"""The schemas within a declared type: in collections, unions, `Annotated`, quotes, and behind names of types.

Asks `Project`; pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from codemods.project.expressions import OPAQUE, dotted
from codemods.project.facts import Attribute, Call, Either, Expression, Item, Literal, Name, Opaque, Series
from codemods.project.field_expressions import quoted_type
from codemods.project.link import Place
from codemods.project.mapping_definitions import Definition, definition, external_names
from codemods.project.mapping_names import ANNOTATED, COLLECTIONS, KEYED_COLLECTIONS, OPTIONAL, UNIONS
from codemods.project.schema_classes import ROOT_MODELS, is_in_view, outside, plain
from codemods.project.schema_validators import SchemaValidators
from codemods.project.sessions import ClassMeaning, External, InstanceMeaning, Meaning, UnknownMeaning
from codemods.project.type_parameters import type_parameters

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


@dataclass(frozen=True, slots=True)
class ParameterizedSchema(ClassMeaning):
    """`Page[UserOut]`: a schema, and what is within the types that are given for its parameters."""

    arguments: tuple[Within, ...]


@dataclass(frozen=True, slots=True)
class TypePlace:
    """Where a declared type stands, and what the type parameters in it stand for."""

    place: Place
    owner: str = ""  # the class in whose body it stands; "" for none
    bound: Mapping[str, Within] = field(default_factory=dict)


class SchemaTypes:
    """Reads the declared types of one project."""

    def __init__(self, validators: SchemaValidators) -> None:
        self._validators = validators
        self.classes = validators.classes
        self._project = self.classes.project

    def within(self, node: Expression, at: TypePlace, depth: int = 0) -> Within:
        """The schemas within a declared type."""
        if depth > 12:
            return Within(unknown="its type goes in circles")
        match node:
            case Literal(value=str(text)) if text:
                return self.within(quoted_type(text), at, depth + 1)
            case Literal():
                return Within()
            case Either(options=options):
                return self._union(options, at, depth)
            case Item(value=outer, key=key):
                return self._subscript(outer, key, at, depth)
            case Opaque() | Call():
                return Within(unknown="its type cannot be read")
            case Name(id=name) if name in at.bound:
                return at.bound[name]
        made = self._alias(node, at)
        if made is not None:
            return self.within(made.expression, TypePlace(made.place), depth + 1)
        return self._plain(node, at, depth)

    def _alias(self, node: Expression, at: TypePlace) -> Definition | None:
        """The type that a name is another name of."""
        made = definition(node, at.place, self._project) if isinstance(node, (Name, Attribute)) else None
        return made if made is not None and isinstance(made.expression, (Item, Either)) else None

    def _plain(self, node: Expression, at: TypePlace, depth: int) -> Within:
        means = self.meaning(node, at)
        name = dotted(node) or "its type"
        if isinstance(means, ClassMeaning):
            return self._schema(means, name, depth)
        if isinstance(means, External):
            return Within() if is_in_view(means.dotted) else Within(unknown=f"`{name}` is not in view")
        if isinstance(means, InstanceMeaning) and isinstance(means.of, External):
            if means.of.dotted.endswith(".TypeVar"):
                return Within(unknown=f"`{name}` stands for any type")
            if means.of.dotted in ("typing.NewType", "typing_extensions.NewType"):
                return Within(unknown=f"`{name}` is a new type")
        return Within(unknown=f"what `{name}` is cannot be told")

    def meaning(self, node: Expression, at: TypePlace) -> Meaning:
        """What a name in a class body means: a class beside it in the body, or what it means outside."""
        if isinstance(node, Name) and at.owner:
            inner = ClassMeaning(at.place.path, f"{at.owner}.{node.id}")
            if self._project.class_facts(inner) is not None:
                return inner
        return self._project.meaning(node, at.place)

    def _schema(self, schema: ClassMeaning, name: str, depth: int) -> Within:
        is_serializer = self.classes.is_serializer(schema)
        if is_serializer is False:
            return Within()
        root = self._root(schema, depth)
        if root is not None:
            return root
        return Within((schema,), unknown="" if is_serializer else f"not all bases of `{name}` are in view")

    def _root(self, schema: ClassMeaning, depth: int) -> Within | None:
        """What is within a schema that stands for one value: `RootModel[list[Item]]`, `__root__: list[Item]`."""
        for base in self.classes.order(schema):
            facts = self._project.class_facts(base) if isinstance(base, ClassMeaning) else None
            if facts is None or not isinstance(base, ClassMeaning):
                continue
            is_root = any(isinstance(one, External) and one.dotted in ROOT_MODELS for one in self.classes.order(base))
            for attribute in self.classes.attributes(base):
                if attribute.name == "__root__" or (is_root and attribute.name == "root"):
                    if attribute.annotation is not None:
                        at = TypePlace(outside(base), base.qualname, self.bound(schema, depth + 1).get(base, {}))
                        return self._as_root(self.within(attribute.annotation, at, depth + 1), schema)
            for written in facts.bases:
                if isinstance(written, Item) and is_root:
                    means = self._project.meaning(written.value, outside(base))
                    if isinstance(means, External) and means.dotted in ROOT_MODELS:
                        at = TypePlace(outside(base), bound=self.bound(schema, depth + 1).get(base, {}))
                        return self._as_root(self.within(written.key, at, depth + 1), schema)
        return None

    def _as_root(self, within: Within, class_: ClassMeaning) -> Within:
        whole, taken = self._validators.taken_over(class_)
        return replace(within, surely=within.surely and not taken and not whole)

    def _union(self, options: tuple[Expression, ...], at: TypePlace, depth: int) -> Within:
        something = [option for option in options if option != Literal(None)]
        joined = _joined([self.within(option, at, depth + 1) for option in something])
        return replace(joined, surely=joined.surely and len(something) < 2)

    def _subscript(self, outer: Expression, key: Expression, at: TypePlace, depth: int) -> Within:
        if self._alias(outer, at) is not None:
            return Within(unknown=f"`{dotted(outer)}[...]` is generic")
        means = self.meaning(outer, at)
        if isinstance(means, ClassMeaning):
            return self._parameterized(means, key, at, depth)
        if isinstance(means, UnknownMeaning):  # `from typing_extensions import ...`, where `typing` lacks it
            homes = external_names(outer, at.place, self._project)
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
            return self._union(parameters, at, depth)
        if name in ANNOTATED:
            return self._annotated(key, parameters, at, depth)
        if name in OPTIONAL or last in _FOLLOWED:
            return self.within(parameters[0], at, depth + 1)
        if name in COLLECTIONS | _MORE_COLLECTIONS:
            elements = parameters[1:] if keyed else parameters
            if last.lower() == "tuple" and len(elements) > 1 and elements[-1] == OPAQUE:
                elements = elements[:-1]  # `tuple[X, ...]`
            told = _joined([self.within(element, at, depth + 1) for element in elements])
            return replace(told, many=True)
        if name and (last in _NOT_FOLLOWED or is_in_view(name)):
            return Within()
        return Within(unknown=f"`{dotted(outer) or 'its type'}[...]` is generic")

    # --- type parameters -----------------------------------------------------------------------------------------

    def _parameterized(self, class_: ClassMeaning, key: Expression, at: TypePlace, depth: int) -> Within:
        """`Page[UserOut]`."""
        if self.classes.is_serializer(class_) is False:
            return Within()
        arguments = self._arguments(class_, key, at, depth)
        if arguments is None:
            return Within(unknown=f"`{class_.qualname}[...]` is generic")
        return self._schema(ParameterizedSchema(class_.module, class_.qualname, arguments), class_.qualname, depth)

    def _arguments(self, class_: ClassMeaning, key: Expression, at: TypePlace, depth: int) -> tuple[Within, ...] | None:
        """What is given for each type parameter of a class; None when it cannot be told which is for which."""
        names = type_parameters(class_, self._project)
        given = key.elements if isinstance(key, Series) else (key,)
        if isinstance(key, Either) and len(names) > 1:
            given = key.options  # the scan of an expression tells parameters in this way
        if not names or len(given) != len(names):
            return None
        return tuple(self.within(one, at, depth + 1) for one in given)

    def bound(self, schema: ClassMeaning, depth: int = 0) -> dict[ClassMeaning, dict[str, Within]]:
        """What the type parameters of a schema, and of each class that it inherits from, stand for."""
        found: dict[ClassMeaning, dict[str, Within]] = {}
        arguments = schema.arguments if isinstance(schema, ParameterizedSchema) else None
        self._bind(plain(schema), arguments, found, depth)
        return found

    def _bind(
        self,
        class_: ClassMeaning,
        arguments: tuple[Within, ...] | None,
        found: dict[ClassMeaning, dict[str, Within]],
        depth: int,
    ) -> None:
        names = type_parameters(class_, self._project)
        untold = {name: Within(unknown=f"`{name}` stands for any type") for name in names}
        is_model = (
            self.classes.is_serializer(class_) is not False
        )  # pydantic gives types to the parameters of models only
        here = untold if arguments is None or not is_model else dict(zip(names, arguments, strict=True))
        if class_ in found:
            here = here if found[class_] == here else untold  # it is inherited from twice, in two ways
            if found[class_] == here:
                return
        found[class_] = here
        facts = self._project.class_facts(class_)
        for base in facts.bases if facts else ():
            at = TypePlace(outside(class_), bound=here)
            made = self._alias(base, at)
            written, at = (made.expression, TypePlace(made.place)) if made is not None else (base, at)
            means = self._project.meaning(written, at.place)
            if isinstance(means, ClassMeaning):
                key = written.key if isinstance(written, Item) else None
                self._bind(means, None if key is None else self._arguments(means, key, at, depth), found, depth)

    # --- what `Annotated` adds -----------------------------------------------------------------------------------

    def _annotated(self, key: Expression, parameters: tuple[Expression, ...], at: TypePlace, depth: int) -> Within:
        if isinstance(key, Call):  # as `expressions.annotation` writes it: not all that is added is in view
            told = self.within(key.arguments[0], at, depth + 1) if key.arguments else Within()
            return replace(told, surely=False)
        told = self.within(parameters[0], at, depth + 1)
        for added in parameters[1:]:
            if isinstance(added, (Opaque, Literal)):
                continue
            means = self._project.meaning(added.function if isinstance(added, Call) else added, at.place)
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
