"""The fields of a schema: what each reads of an object, and the schemas that read on. Asks `Project`; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from weakref import WeakKeyDictionary

from codemods.project.expressions import dotted
from codemods.project.facts import Annotated, AttributeSet, Call, Expression, Item, Literal, Series
from codemods.project.field_expressions import quoted_type
from codemods.project.link import Project
from codemods.project.mapping_names import CLASS_VARS, SQLMODEL_RELATIONSHIPS
from codemods.project.schema_aliases import Alias, generated_alias, given_alias
from codemods.project.schema_classes import SchemaClasses, is_in_view, outside
from codemods.project.schema_settings import SchemaSettings, Settings
from codemods.project.schema_types import SchemaTypes, TypePlace, Within
from codemods.project.schema_validators import SchemaValidators
from codemods.project.sessions import ClassMeaning, External

_BY_NAME = ("populate_by_name", "allow_population_by_field_name", "validate_by_name")


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


_REMEMBERED: WeakKeyDictionary[Project, dict[ClassMeaning, tuple[SchemaField, ...]]] = WeakKeyDictionary()


class SchemaFields:
    """The fields of the schemas of one project."""

    def __init__(self, project: Project) -> None:
        self.classes = SchemaClasses(project)
        self.settings = SchemaSettings(self.classes)
        self.validators = SchemaValidators(self.settings)
        self.types = SchemaTypes(self.validators)
        self._project = project
        self._known = _REMEMBERED.setdefault(project, {})

    def fields(self, schema: ClassMeaning) -> tuple[SchemaField, ...]:
        """The fields, inherited ones first; () for a class that is no schema."""
        known = self._known
        if schema not in known:
            known[schema] = () if self.classes.is_serializer(schema) is False else self._fields(schema)
        return known[schema]

    def _fields(self, schema: ClassMeaning) -> tuple[SchemaField, ...]:
        whole, taken = self.validators.taken_over(schema)
        settings = self.settings.settings(schema)
        bound = self.types.bound(schema)
        facts = self._project.class_facts(schema)
        found: dict[str, SchemaField] = {}
        order = self.classes.order(schema)
        for base in reversed(order):
            if not isinstance(base, ClassMeaning):
                if not is_in_view(base.dotted):
                    named = f"inherits from `{base.dotted}`, which is" if base.dotted else "has a base that is"
                    why = f"the schema {named} not in view"
                    line = facts.line if facts else 0
                    found[f" {base.dotted}"] = SchemaField(
                        None, (), schema.module, line, "", surely=False, nested_surely=False, unknown=why
                    )
                continue
            is_model = self.classes.is_serializer(base) is not False
            for attribute in self.classes.attributes(base):
                one = self._field(attribute, base, settings, bound.get(base, {}))
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

    def _field(
        self, attribute: AttributeSet, owner: ClassMeaning, settings: Settings, bound: Mapping[str, Within]
    ) -> SchemaField | None:
        """One field; None for what is none: settings, private and class variables, relationships of SQLModel."""
        annotation = attribute.annotation
        if annotation is None and isinstance(attribute.value, Annotated):
            annotation = attribute.value.annotation
        name, value = attribute.name, attribute.value
        if annotation is None or name.startswith("_") or name == "model_config":
            return None
        place = outside(owner)
        at = TypePlace(place, owner.qualname, bound)
        outer = self.types.meaning(annotation.value if isinstance(annotation, Item) else annotation, at)
        if isinstance(outer, External) and outer.dotted in CLASS_VARS:
            return None
        calls = _added(annotation)
        if isinstance(value, Call):
            function = self._project.meaning(value.function, place)
            if isinstance(function, External) and function.dotted in SQLMODEL_RELATIONSHIPS:
                return None
            calls.append(value)
        within = self.types.within(annotation, at)
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
        alias: Alias | None = None
        for call in calls:
            alias = given_alias(call, place, self._project) or alias
        if alias is None:
            alias = generated_alias(name, settings)
            if settings.get("") and "alias_generator" not in settings:
                one = replace(one, surely=False)  # settings that are not in view may generate aliases
        return one if alias is None else _under(one, alias, settings)


def _under(one: SchemaField, alias: Alias, settings: Settings) -> SchemaField:
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
