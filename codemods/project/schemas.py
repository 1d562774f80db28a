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
- A route with `Page[UserOut]` reads by `UserOut` what is in `{"items": users}`, in `Page(items=users)`, in any object
  with `items`, when the route has returned. `Page[UserOut](items=users)` is read when it is made, by the settings of
  `UserOut`, and is sent as it is. Only models give types to the type parameters of their bases: those of a mixin that
  is no model take anything.
"""

from __future__ import annotations

from codemods.project.facts import Expression
from codemods.project.link import Place, Project
from codemods.project.schema_classes import SchemaClasses
from codemods.project.schema_fields import SchemaField, SchemaFields
from codemods.project.schema_paths import ReadPath, Untold, Walk
from codemods.project.schema_types import ParameterizedSchema, TypePlace, Within
from codemods.project.sessions import ClassMeaning

__all__ = [
    "ParameterizedSchema",
    "ReadPath",
    "SchemaField",
    "Untold",
    "Within",
    "fields_read",
    "is_serializer",
    "read_under",
    "reads_attributes",
    "relationship_paths",
    "schemas_within",
    "untold",
]


def fields_read(schema: ClassMeaning, project: Project) -> tuple[SchemaField, ...]:
    """The fields of a schema, inherited ones first, as pydantic orders them; () for a class that is none.

    A base that is not in view is told by a field without a name.
    """
    return SchemaFields(project).fields(schema)


def reads_attributes(schema: ClassMeaning, project: Project) -> bool | None:
    """Whether the settings of a schema let it read the attributes of objects; None when it cannot be told.

    FastAPI on pydantic 2 does not ask; `model_validate`, `from_orm` and FastAPI on pydantic 1 do.
    """
    settings = SchemaFields(project).settings.settings(schema)
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
    walk = Walk(SchemaFields(project), project)
    walk.step(schema, class_, (), True, ())
    return tuple(walk.paths.values())


def untold(schema: ClassMeaning, class_: ClassMeaning, project: Project) -> tuple[Untold, ...]:
    """What cannot be told of the relationships that serialising an instance of the class by the schema reads."""
    walk = Walk(SchemaFields(project), project)
    walk.step(schema, class_, (), True, ())
    return tuple(walk.untold)


def read_under(schema: ClassMeaning, name: str, project: Project) -> tuple[ClassMeaning, ...]:
    """The schemas that read what a dict, or an object made by hand, has under a name: `{"items": users}` by a page."""
    readers = (one for each in fields_read(schema, project) if name in each.names for one in each.nested)
    return tuple(dict.fromkeys(readers))


def is_serializer(class_: ClassMeaning, project: Project) -> bool | None:
    """Whether a class is a pydantic model or a SQLModel without a table; None when a base of it is not in view."""
    return SchemaClasses(project).is_serializer(class_)


def schemas_within(node: Expression, place: Place, project: Project) -> Within:
    """The schemas within a declared type: in collections, unions, `Annotated`, quotes, and behind names of types."""
    return SchemaFields(project).types.within(node, TypePlace(place))
