"""Which attributes a pydantic model or SQLModel reads of an object that it serialises. Asks `Project`; pure.

Measured with FastAPI 0.165.0 and pydantic 2.14.3, SQLModel 0.0.50 beside them, FastAPI 0.99.1 with pydantic 1.10.27:

- FastAPI on pydantic 2 reads the attributes of what a route returns whatever the `from_attributes` of the model says,
  and of the models nested in it. On pydantic 1 `orm_mode` has to be set. `Schema.model_validate(obj)` reads nothing
  without `from_attributes`; a nested model without it raises after the attribute of the outer one was read.
- Everything is read first and left out later: `response_model_include` and `_exclude` and `Field(exclude=True)` change
  nothing in what is read. A field with a default is read as any other.
- `validation_alias` is read, else `alias`, else the name; `serialization_alias` never. A later `Field(...)` beats an
  earlier one, the default beats what `Annotated` adds, all of them beat an alias generator. With `populate_by_name` the
  alias is read where the object has it, else the name. `AliasChoices`: the first that the object has.
- A field validator, "before" and "plain" included, gets what was read: the attribute is read, what is nested may not
  be. A model validator "before" gets the object: it may read all, or nothing. Neither `__init__` nor `model_validate`
  of a schema's own is called by FastAPI; `from_orm` is, on pydantic 1.
- Of a union of models all members were tried, and all of them read, in whatever order; that is not promised.
- Annotations of a base that is no model are fields on pydantic 2, not on 1.
- A SQLModel with a table that is a response model reads nothing of an object of its own class.
- Settings of several bases: the last one wins on pydantic 2, the first on 1.
"""

from __future__ import annotations

import builtins
import re
import sys
from dataclasses import dataclass, field, replace
from weakref import WeakKeyDictionary

from codemods.project.expressions import OPAQUE, dotted
from codemods.project.facts import (
    Annotated,
    AttributeSet,
    Call,
    Either,
    Expression,
    FunctionFacts,
    Item,
    Literal,
    Mapping,
    Name,
    Opaque,
    Series,
)
from codemods.project.field_expressions import quoted_type
from codemods.project.link import Place, Project
from codemods.project.mapped_classes import mapped
from codemods.project.mapping import Mapped
from codemods.project.mapping_bases import Base, Hierarchy
from codemods.project.mapping_definitions import definition, external_names, literal
from codemods.project.mapping_names import (
    ANNOTATED,
    CLASS_VARS,
    COLLECTIONS,
    KEYED_COLLECTIONS,
    OPTIONAL,
    SQLMODEL,
    SQLMODEL_RELATIONSHIPS,
    UNIONS,
)
from codemods.project.models import is_mapped
from codemods.project.sessions import ClassMeaning, External, FunctionMeaning, InstanceMeaning, UnknownMeaning

_ROOT_MODELS = frozenset({"pydantic.RootModel", "pydantic.root_model.RootModel"})
_MODELS = (
    frozenset(
        f"{module}.{name}"
        for module in ("pydantic", "pydantic.main", "pydantic.generics", "pydantic.v1", "pydantic.v1.main")
        for name in ("BaseModel", "GenericModel")
    )
    | frozenset({"pydantic.BaseSettings", "pydantic_settings.BaseSettings"})
    | _ROOT_MODELS
    | SQLMODEL
)
_IN_VIEW = sys.stdlib_module_names | {
    "annotated_types",
    "builtins",
    "fastapi",
    "pydantic",
    "pydantic_core",
    "pydantic_extra_types",
    "pydantic_settings",
    "sqlmodel",
    "sse_starlette",
    "starlette",
    "typing_extensions",
}
_VALIDATORS_IN_TYPES = frozenset({"BeforeValidator", "PlainValidator", "WrapValidator"})
_FIELD_VALIDATORS = frozenset({"field_validator", "validator"})
_MODEL_VALIDATORS = frozenset({"model_validator", "root_validator"})
_BY_NAME = ("populate_by_name", "allow_population_by_field_name", "validate_by_name")
_OWN_READING = frozenset({"__get_pydantic_core_schema__", "__get_validators__", "from_orm", "validate", "__new__"})
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
_DEEPEST = 6


@dataclass(frozen=True, slots=True)
class SchemaField:
    """One field: what is read of the object, and the schemas that then read what was read.

    `names` are the attributes of which the first that the object has is read; `name` is the only one, None where there
    are several, or where it cannot be told which.
    """

    name: str | None
    nested: tuple[ClassMeaning, ...]
    path: str
    line: int
    field: str  # its name in the schema; "" for the fields of a base that is not in view
    names: tuple[str, ...] = ()
    surely: bool = True  # one of `names` is read, whatever else the schema does
    nested_surely: bool = True  # what was read is read by `nested` as they are declared
    unknown: str = ""  # what of the above cannot be told
    validator: str = ""  # what of the schema gets the value first, and may read more of it


@dataclass(frozen=True, slots=True)
class ReadPath:
    """Relationships that are read one after another. `path` and `line` are those of the schema's field."""

    names: tuple[str, ...]
    path: str
    line: int
    recursive: bool = False  # the schema reads on in the same way, as deep as the objects go
    surely: bool = True


@dataclass(frozen=True, slots=True)
class Untold:
    """Something that may be read beside the paths, of what `names` lead to (`()`: of the object itself)."""

    names: tuple[str, ...]
    why: str
    path: str
    line: int
    computed: bool = False  # code that is not followed: a hybrid or property of the class, the validator of a field


@dataclass(frozen=True, slots=True)
class Within:
    """The schemas within a declared type."""

    classes: tuple[ClassMeaning, ...] = ()
    many: bool = False  # there is a collection around one of them
    surely: bool = True  # a value goes to all of them as it is
    unknown: str = ""  # what else may be in it
    validator: str = ""  # what gets the value first


def fields_read(schema: ClassMeaning, project: Project) -> tuple[SchemaField, ...]:
    """The fields of a schema, inherited ones first, as pydantic orders them; () for a class that is none.

    A base that is not in view is told by a field without a name.
    """
    return _Reader(project).fields(schema)


def reads_attributes(schema: ClassMeaning, project: Project) -> bool | None:
    """Whether the settings of a schema let it read the attributes of objects; None when it cannot be told.

    FastAPI on pydantic 2 does not ask; `model_validate`, `from_orm` and FastAPI on pydantic 1 do.
    """
    reader = _Reader(project)
    settings = reader.settings(schema)
    told = [settings[key] for key in ("from_attributes", "orm_mode") if key in settings]
    if any(value is True for value in told):
        return True
    if settings.get("") or any(value is not False for value in told):
        return None
    return False


def relationship_paths(schema: ClassMeaning, class_: ClassMeaning, project: Project) -> tuple[ReadPath, ...]:
    """The relationships of a mapped class that serialising an instance by the schema reads, each with its leading ones.

    `("user",)` and `("user", "city")`. Where schemas and classes repeat, the path that leads there again is the last,
    and `recursive`. What may be read beside them is told by `untold`.
    """
    walk = _Walk(_Reader(project), project)
    walk.step(schema, class_, (), True, ())
    return tuple(walk.paths.values())


def untold(schema: ClassMeaning, class_: ClassMeaning, project: Project) -> tuple[Untold, ...]:
    """What cannot be told of the relationships that serialising an instance of the class by the schema reads."""
    walk = _Walk(_Reader(project), project)
    walk.step(schema, class_, (), True, ())
    return tuple(walk.untold)


def is_serializer(class_: ClassMeaning, project: Project) -> bool | None:
    """Whether a class is a pydantic model or a SQLModel without a table; None when a base of it is not in view."""
    return _Reader(project).is_serializer(class_)


def schemas_within(node: Expression, place: Place, project: Project) -> Within:
    """The schemas within a declared type: in collections, unions, `Annotated`, quotes, and behind names of types."""
    return _Reader(project).within(node, place, "")


Settings = dict[str, object]  # what is set, Ellipsis where it cannot be told; "" when there may be more
Methods = dict[str, list[FunctionFacts]]


@dataclass(slots=True)
class _Known:
    """What was found out of one project. Holds no project, which could then never go."""

    orders: dict[ClassMeaning, tuple[Base, ...]] = field(default_factory=dict)
    fields: dict[ClassMeaning, tuple[SchemaField, ...]] = field(default_factory=dict)
    settings: dict[ClassMeaning, Settings] = field(default_factory=dict)
    methods: dict[str, Methods] = field(default_factory=dict)


_REMEMBERED: WeakKeyDictionary[Project, _Known] = WeakKeyDictionary()


class _Reader:
    """Reads the schemas of one project."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._known = _REMEMBERED.setdefault(project, _Known())

    # --- classes -----------------------------------------------------------------------------------------------

    def order(self, class_: ClassMeaning) -> tuple[Base, ...]:
        """The class and its bases as Python orders them."""
        known = self._known.orders
        if class_ not in known:
            known[class_] = Hierarchy(self._project).ancestry(class_).order
        return known[class_]

    def is_serializer(self, class_: ClassMeaning) -> bool | None:
        if is_mapped(class_, self._project):
            return False
        outside = [base.dotted for base in self.order(class_) if isinstance(base, External)]
        if any(name in _MODELS for name in outside):
            return True
        return None if any(not _is_in_view(name) for name in outside) else False

    def methods(self, class_: ClassMeaning) -> list[FunctionFacts]:
        known = self._known.methods
        if class_.module not in known:
            found: Methods = {}
            for function in self._project.symbols.all_functions(class_.module):
                if function.in_class:
                    found.setdefault(function.in_class, []).append(function)
            known[class_.module] = found
        return known[class_.module].get(class_.qualname, [])

    def attributes(self, class_: ClassMeaning) -> list[AttributeSet]:
        """What the class body binds."""
        facts = self._project.class_facts(class_)
        return [attribute for attribute in facts.attributes if not attribute.method] if facts else []

    # --- settings ----------------------------------------------------------------------------------------------

    def settings(self, class_: ClassMeaning, around: tuple[ClassMeaning, ...] = ()) -> Settings:
        """The settings that decide what is read, inherited ones included."""
        if class_ in self._known.settings:
            return self._known.settings[class_]
        found: Settings = {}
        facts = self._project.class_facts(class_)
        if facts is None or class_ in around:
            return found
        outside = _outside(class_)
        for written in facts.bases:
            means = self._project.meaning(written, outside)
            if isinstance(means, ClassMeaning):
                self._join(found, self.settings(means, (*around, class_)))
            elif isinstance(means, External) and means.dotted in SQLMODEL:
                self._join(found, {"from_attributes": True})
            elif not isinstance(means, External) or not _is_in_view(means.dotted):
                self._join(found, {"": ...})
        found |= self._own_settings(class_)
        for key, value in facts.keywords:
            is_generator = key == "alias_generator"
            found[key] = self._generator(value, outside) if is_generator else literal(value, outside, self._project)
        if not around:
            self._known.settings[class_] = found
        return found

    def _join(self, found: Settings, other: Settings) -> None:
        """Adds what one more base says. Which of two bases wins depends on the version of pydantic."""
        for key, value in other.items():
            found[key] = value if found.get(key, value) == value else ...

    def _own_settings(self, class_: ClassMeaning) -> Settings:
        found: Settings = {}
        for attribute in self.attributes(class_):
            if attribute.name == "model_config":
                found |= self._dict(attribute.value, Place(class_.module, class_.qualname))
            elif attribute.name == "Config":
                means = self._project.meaning(attribute.value, _outside(class_))
                found |= self._config_class(means) if isinstance(means, ClassMeaning) else {"": ...}
        config = ClassMeaning(class_.module, f"{class_.qualname}.Config")
        if self._project.class_facts(config) is not None:
            found |= self._config_class(config)
        return found

    def _dict(self, value: Expression, place: Place) -> Settings:
        """`ConfigDict(from_attributes=True)`, `{"from_attributes": True}`, or a name for one."""
        made = definition(value, place, self._project)
        node, here = (made.expression, made.place) if made else (value, place)
        if isinstance(node, Mapping):
            pairs: list[tuple[object, Expression]] = list(node.items)
        elif isinstance(node, Call):
            pairs = list(node.keywords)
            if node.arguments:
                pairs.append((None, OPAQUE))
        else:
            return {"": ...}
        found: Settings = {}
        for key, given in pairs:
            if not isinstance(key, str):
                found[""] = ...  # `**DEFAULTS`
            elif key == "alias_generator":
                found[key] = self._generator(given, here)
            else:
                found[key] = literal(given, here, self._project)
        return found

    def _config_class(self, class_: ClassMeaning) -> Settings:
        found: Settings = {}
        for base in reversed(self.order(class_)):
            if not isinstance(base, ClassMeaning):
                if not _is_in_view(base.dotted):
                    found[""] = ...
                continue
            place = Place(base.module, base.qualname)
            for attribute in self.attributes(base):
                if attribute.name == "alias_generator":
                    found["alias_generator"] = self._generator(attribute.value, place)
                else:
                    found[attribute.name] = literal(attribute.value, place, self._project)
            for method in self.methods(base):
                found[method.name] = ...
        return found

    def _generator(self, node: Expression, place: Place) -> object:
        """What makes the aliases that are read: None, the dotted name of it, or Ellipsis."""
        if node == Literal(None):
            return None
        if isinstance(node, Call):
            means = self._project.meaning(node.function, place)
            if isinstance(means, External) and means.dotted.endswith(".AliasGenerator"):
                given = node.keyword("validation_alias") or node.keyword("alias")
                if given is not None:
                    return self._generator(given, place)
                return ... if node.arguments or node.has_double_star else None
            return ...
        means = self._project.meaning(node, place)
        return means.dotted if isinstance(means, External) and means.dotted in _GENERATORS else ...

    # --- validators --------------------------------------------------------------------------------------------

    def taken_over(self, class_: ClassMeaning) -> tuple[str, dict[str, str]]:
        """What of the schema gets the object before it is read, "" for nothing; what gets the value of which field."""
        whole, fields = "", dict[str, str]()
        for base in self.order(class_):
            if not isinstance(base, ClassMeaning):
                continue
            outside = _outside(base)
            validators: list[tuple[str, Expression]] = []
            for method in self.methods(base):
                is_method = not any(decorator == Name("classmethod") for decorator in method.decorators)
                if method.name in _OWN_READING and not (is_method and method.name in ("from_orm", "validate")):
                    whole = whole or f"`{method.name}` of the schema may read in its own way"
                validators += [(method.name, decorator) for decorator in method.decorators]
            for attribute in self.attributes(base):
                if isinstance(attribute.value, Call) and isinstance(attribute.value.function, Call):
                    validators.append((attribute.name, attribute.value.function))
            for name, decorator in validators:
                taken, names = self._validator(decorator, outside)
                if taken:
                    whole = whole or f"`{name}` of the schema gets the object before it is read"
                for one in sorted(names):
                    fields.setdefault(one, f"`{name}` of the schema gets it before it is read")
        if self.settings(class_).get("getter_dict") is not None:
            whole = whole or "the `getter_dict` of its settings reads in its own way"
        return whole, fields

    def _validator(self, decorator: Expression, place: Place) -> tuple[bool, frozenset[str]]:
        """Whether it takes over the model; the fields that it takes over, "*" among them for all."""
        call = decorator if isinstance(decorator, Call) else Call(decorator)
        means = self._project.meaning(call.function, place)
        name = means.dotted.rpartition(".")[2] if isinstance(means, External) else ""
        if not isinstance(means, External) or means.dotted.partition(".")[0] not in ("pydantic", "sqlmodel"):
            return False, frozenset()
        mode = call.keyword("mode")
        pre = call.keyword("pre")
        told = {literal(one, place, self._project) for one in (mode, pre) if one is not None}
        if call.has_double_star:
            told.add(...)
        takes_over = bool(told & {"before", "wrap", "plain", True, ...})
        if name in _MODEL_VALIDATORS:
            return takes_over, frozenset()
        if name in _FIELD_VALIDATORS and takes_over:
            names = [literal(one, place, self._project) for one in call.arguments]
            return False, frozenset(one if isinstance(one, str) else "*" for one in names)
        return False, frozenset()

    # --- fields ------------------------------------------------------------------------------------------------

    def fields(self, schema: ClassMeaning) -> tuple[SchemaField, ...]:
        known = self._known.fields
        if schema not in known:
            known[schema] = () if self.is_serializer(schema) is False else self._fields(schema)
        return known[schema]

    def _fields(self, schema: ClassMeaning) -> tuple[SchemaField, ...]:
        whole, taken = self.taken_over(schema)
        settings = self.settings(schema)
        facts = self._project.class_facts(schema)
        found: dict[str, SchemaField] = {}
        order = self.order(schema)
        for base in reversed(order):
            if not isinstance(base, ClassMeaning):
                if not _is_in_view(base.dotted):
                    named = f"inherits from `{base.dotted}`, which is" if base.dotted else "has a base that is"
                    why = f"the schema {named} not in view"
                    line = facts.line if facts else 0
                    found[f" {base.dotted}"] = SchemaField(
                        None, (), schema.module, line, "", surely=False, nested_surely=False, unknown=why
                    )
                continue
            is_model = self.is_serializer(base) is not False
            for attribute in self.attributes(base):
                one = self._field(attribute, base, settings)
                if one is None:
                    if attribute.annotation is not None or isinstance(attribute.value, Annotated):
                        found.pop(attribute.name, None)
                    continue
                validator = taken.get(attribute.name) or taken.get("*")
                if validator:
                    one = replace(one, nested_surely=False, validator=validator)
                if not is_model:
                    one = replace(one, surely=False)
                if whole:
                    one = replace(one, surely=False, nested_surely=False, unknown=one.unknown or whole)
                found[attribute.name] = one
        return tuple(found.values())

    def _field(self, attribute: AttributeSet, owner: ClassMeaning, settings: Settings) -> SchemaField | None:
        """One field; None for what is none: settings, private and class variables, relationships of SQLModel."""
        annotation = attribute.annotation
        if annotation is None and isinstance(attribute.value, Annotated):
            annotation = attribute.value.annotation
        name, value = attribute.name, attribute.value
        if annotation is None or name.startswith("_") or name == "model_config":
            return None
        place = _outside(owner)
        outer = self._meaning(annotation.value if isinstance(annotation, Item) else annotation, place, owner.qualname)
        if isinstance(outer, External) and outer.dotted in CLASS_VARS:
            return None
        calls = _added(annotation)
        if isinstance(value, Call):
            function = self._project.meaning(value.function, place)
            if isinstance(function, External) and function.dotted in SQLMODEL_RELATIONSHIPS:
                return None
            calls.append(value)
        within = self.within(annotation, place, owner.qualname)
        one = SchemaField(
            name,
            within.classes,
            owner.module,
            attribute.line,
            name,
            (name,),
            nested_surely=within.surely,
            unknown=within.unknown,
            validator=within.validator,
        )
        alias: tuple[tuple[str, ...], str] | None = None
        for call in calls:
            alias = self._alias(call, place) or alias
        if alias is None:
            alias = _generated(name, settings)
            if settings.get("") and "alias_generator" not in settings:
                one = replace(one, surely=False)  # settings that are not in view may generate aliases
        return one if alias is None else _under(one, alias, settings)

    def _alias(self, call: Call, place: Place) -> tuple[tuple[str, ...], str] | None:
        """The names that `Field(...)` makes be read, and what of them cannot be told; None when it gives none."""
        function = self._project.meaning(call.function, place)
        if isinstance(function, (FunctionMeaning, UnknownMeaning)):
            return (), f"`{dotted(call.function) or 'a call'}` may give it another name"
        if not isinstance(function, External):
            return None
        for key in ("validation_alias", "alias"):
            given = call.keyword(key)
            if given is not None and given != Literal(None):
                return self._names(given, place)
        if call.has_double_star and function.dotted.endswith(".Field"):
            return (), "`**` may give it another name"
        return None

    def _names(self, node: Expression, place: Place) -> tuple[tuple[str, ...], str]:
        text = literal(node, place, self._project)
        if isinstance(text, str):
            return (text,), ""
        if isinstance(node, Call):
            means = self._project.meaning(node.function, place)
            kind = means.dotted.rpartition(".")[2] if isinstance(means, External) else ""
            if kind == "AliasChoices" and node.arguments:
                told = [self._names(argument, place) for argument in node.arguments]
                names = tuple(name for found, _ in told for name in found)
                return names, next((why for _, why in told if why), "")
            if kind == "AliasPath" and node.arguments:
                first = literal(node.arguments[0], place, self._project)
                if isinstance(first, str):
                    return (first,), "it reads on along an `AliasPath`"
        return (), "its alias cannot be told"

    # --- declared types ----------------------------------------------------------------------------------------

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
            is_serializer = self.is_serializer(means)
            if is_serializer is False:
                return Within()
            root = self._root(means, depth)
            if root is not None:
                return root
            return Within((means,), unknown="" if is_serializer else f"not all bases of `{name}` are in view")
        if isinstance(means, External):
            return Within() if _is_in_view(means.dotted) else Within(unknown=f"`{name}` is not in view")
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
        for base in self.order(class_):
            facts = self._project.class_facts(base) if isinstance(base, ClassMeaning) else None
            if facts is None or not isinstance(base, ClassMeaning):
                continue
            place = _outside(base)
            is_root = any(isinstance(one, External) and one.dotted in _ROOT_MODELS for one in self.order(base))
            for attribute in self.attributes(base):
                if attribute.name == "__root__" or (is_root and attribute.name == "root"):
                    if attribute.annotation is not None:
                        return self._as_root(self.within(attribute.annotation, place, base.qualname, depth + 1), class_)
            for written in facts.bases:
                if isinstance(written, Item) and is_root:
                    means = self._project.meaning(written.value, place)
                    if isinstance(means, External) and means.dotted in _ROOT_MODELS:
                        return self._as_root(self.within(written.key, place, "", depth + 1), class_)
        return None

    def _as_root(self, within: Within, class_: ClassMeaning) -> Within:
        whole, taken = self.taken_over(class_)
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
        if name and (last in _NOT_FOLLOWED or _is_in_view(name)):
            return Within()
        if isinstance(means, ClassMeaning) and self.is_serializer(means) is False:
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


class _Walk:
    """Follows one schema along the relationships of a mapped class."""

    def __init__(self, reader: _Reader, project: Project) -> None:
        self._reader = reader
        self._project = project
        self.paths: dict[tuple[str, ...], ReadPath] = {}
        self.untold: list[Untold] = []

    def step(
        self,
        schema: ClassMeaning,
        class_: ClassMeaning,
        front: tuple[str, ...],
        surely: bool,
        around: tuple[tuple[ClassMeaning, ClassMeaning], ...],
    ) -> None:
        """Adds what one schema reads of an object of one class, to which the relationships `front` have led."""
        one = mapped(class_, self._project)
        if one is None:
            facts = self._project.class_facts(class_)
            line = facts.line if facts else 0
            self._tell(Untold(front, f"`{class_.qualname}` is not known to be mapped", class_.module, line))
            return
        around = (*around, (schema, class_))
        whole, _ = self._reader.taken_over(schema)
        if whole and _may_relate(one):
            facts = self._project.class_facts(schema)
            self._tell(Untold(front, whole, schema.module, facts.line if facts else 0))
        for each in self._reader.fields(schema):
            self._field(each, one, front, surely, around)

    def _field(
        self,
        each: SchemaField,
        one: Mapped,
        front: tuple[str, ...],
        surely: bool,
        around: tuple[tuple[ClassMeaning, ClassMeaning], ...],
    ) -> None:
        if each.name is None and each.unknown and _may_relate(one):
            self._tell(Untold(front, each.unknown, each.path, each.line))
        name = next((name for name in each.names if self._has(one, name)), None)
        if name is None:
            if one.may_relate_more and each.names:
                why = f"`{each.names[0]}` of `{one.class_.qualname}` may be a relationship that is not in view"
                self._tell(Untold(front, why, each.path, each.line))
            return
        if name != each.names[0] and one.unknown:
            surely = False  # the object may have the first name, too
        surely = surely and each.surely
        steps, target = self._steps(one, name, front, each)
        if not steps:
            return
        for length in range(1, len(steps) + 1):
            self._add(ReadPath((*front, *steps[:length]), each.path, each.line, surely=surely))
        names = (*front, *steps)
        if each.name is not None and each.unknown:
            self._tell(Untold(names, each.unknown, each.path, each.line))
        if each.validator:
            self._tell(Untold(names, each.validator, each.path, each.line, computed=True))
        for nested in each.nested if target is not None else ():
            if target is None:
                continue
            if (nested, target) in around or len(names) >= _DEEPEST:
                self._add(ReadPath(names, each.path, each.line, recursive=True, surely=surely))
            else:
                self.step(nested, target, names, surely and each.nested_surely, around)

    def _steps(
        self, one: Mapped, name: str, front: tuple[str, ...], each: SchemaField, depth: int = 0
    ) -> tuple[tuple[str, ...], ClassMeaning | None]:
        """The relationships that reading an attribute goes along, and the class that the last one leads to."""
        if name in one.relationships:
            relationship = one.relationships[name]
            if relationship.target is None and (each.nested or depth):
                self._tell(Untold((*front, name), relationship.unresolved, each.path, each.line))
            return (name,), relationship.target
        if name in one.synonyms:
            of = one.synonyms[name]
            if of and depth < 4:
                return self._steps(one, of, front, each, depth + 1)
            self._tell(Untold(front, f"what `{name}` is a synonym of cannot be told", each.path, each.line))
        elif name in one.proxies:
            proxy = one.proxies[name]
            steps, target = self._steps(one, proxy.through, front, each, depth + 1) if depth < 4 else ((), None)
            if not proxy.through or not steps:
                self._tell(Untold(front, f"what `{name}` is a proxy of cannot be told", each.path, each.line))
                return (), None
            further = mapped(target, self._project) if target is not None else None
            if further is None:
                return steps, None
            if not proxy.attribute:
                why = f"which attribute `{name}` is a proxy of cannot be told"
                self._tell(Untold((*front, *steps), why, each.path, each.line))
                return steps, None
            more, end = self._steps(further, proxy.attribute, (*front, *steps), each, depth + 1)
            return (*steps, *more), end
        elif name in one.hybrids or self._is_method(one, name):
            why = f"`{name}` of `{one.class_.qualname}` is computed, and may read relationships"
            self._tell(Untold(front, why, each.path, each.line, computed=True))
        elif any(known.name == name and not known.only_columns for known in one.unknown):
            why = next(known.why for known in one.unknown if known.name == name)
            self._tell(Untold(front, why, each.path, each.line))
        return (), None

    def _has(self, one: Mapped, name: str) -> bool:
        """Whether an instance has an attribute of the name, as far as is in view."""
        groups = (one.columns, one.relationships, one.hybrids, one.proxies, one.synonyms, one.column_properties)
        if any(name in group for group in groups) or any(known.name == name for known in one.unknown):
            return True
        if self._is_method(one, name):
            return True
        return any(
            attribute.name == name
            for base in self._reader.order(one.class_)
            if isinstance(base, ClassMeaning) and (facts := self._project.class_facts(base)) is not None
            for attribute in facts.attributes
        )

    def _is_method(self, one: Mapped, name: str) -> bool:
        return any(
            method.name == name
            for base in self._reader.order(one.class_)
            if isinstance(base, ClassMeaning)
            for method in self._reader.methods(base)
        )

    def _add(self, path: ReadPath) -> None:
        known = self.paths.get(path.names)
        if known is not None:
            first = known if known.surely or not path.surely else path
            path = replace(first, recursive=known.recursive or path.recursive)
        self.paths[path.names] = path

    def _tell(self, one: Untold) -> None:
        if not any((known.names, known.why) == (one.names, one.why) for known in self.untold):
            self.untold.append(one)


# --- names ----------------------------------------------------------------------------------------------------------

_GENERATORS = frozenset({"pydantic.alias_generators.to_camel", "pydantic.alias_generators.to_pascal"})


def _generated(name: str, settings: Settings) -> tuple[tuple[str, ...], str] | None:
    """The alias that the settings give a field, and what of it cannot be told; None when they give none."""
    if settings.get("fields") is not None:
        return (), "the `fields` of its settings may give it another name"
    generator = settings.get("alias_generator")
    if generator is None:
        return None
    if isinstance(generator, str) and re.fullmatch(r"[a-z]+(_[a-z]+)*", name):
        words = [word.title() for word in name.split("_")]
        if generator.endswith(".to_camel"):
            words[0] = words[0].lower()
        return ("".join(words),), ""
    return (), "its alias is generated, and cannot be told"


def _under(one: SchemaField, alias: tuple[tuple[str, ...], str], settings: Settings) -> SchemaField:
    """The field as it is read under an alias: with `populate_by_name` by its own name, too."""
    names, why = alias
    by_name = [settings.get(key) for key in _BY_NAME]
    if settings.get("validate_by_alias") is False:
        return one
    told = bool(names)
    if not told or any(value is True for value in by_name):
        names = tuple(dict.fromkeys((*names, one.field)))
    surely = told and ... not in by_name and settings.get("validate_by_alias", True) is True
    return replace(
        one,
        name=names[0] if len(names) == 1 and told else None,
        names=names,
        surely=surely,
        nested_surely=one.nested_surely and not why,
        unknown=one.unknown or why,
    )


def _added(annotation: Expression) -> list[Call]:
    """The calls that `Annotated` adds to the outermost type."""
    match annotation:
        case Item(value=outer, key=Series(elements=elements)) if dotted(outer).rpartition(".")[2] == "Annotated":
            return [*_added(elements[0]), *(one for one in elements[1:] if isinstance(one, Call))] if elements else []
        case Literal(value=str(text)):
            return _added(quoted_type(text))
        case _:
            return []


def _may_relate(one: Mapped) -> bool:
    return bool(one.relationships or one.proxies or one.may_relate_more)


def _joined(all_: list[Within]) -> Within:
    return Within(
        tuple(dict.fromkeys(class_ for one in all_ for class_ in one.classes)),
        any(one.many for one in all_),
        all(one.surely for one in all_),
        next((one.unknown for one in all_ if one.unknown), ""),
        next((one.validator for one in all_ if one.validator), ""),
    )


def _is_in_view(name: str) -> bool:
    """Whether a name outside of the project is of a package whose types read no attributes of objects."""
    module, _, rest = name.partition(".")
    if module == "builtins":
        return hasattr(builtins, rest)
    return module in _IN_VIEW


def _outside(class_: ClassMeaning) -> Place:
    return Place(class_.module, class_.qualname.rpartition(".")[0])
