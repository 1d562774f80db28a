"""What schemas and response models read of objects: fields, settings, paths along relationships, routes.

Small projects are written to temporary folders and never imported. What pydantic and FastAPI themselves read is
measured in one place, on objects that write down which of their attributes are asked for.
"""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from textwrap import dedent

import httpx
import pytest
from fastapi import FastAPI

from codemods import sources
from codemods.plan import Source
from codemods.project.link import Project, link
from codemods.project.routes import ANNOTATION, RESPONSE_MODEL, Response, responses, routes_unseen
from codemods.project.scan import scan
from codemods.project.schemas import (
    ParameterizedSchema,
    ReadPath,
    SchemaField,
    Untold,
    Within,
    fields_read,
    is_serializer,
    read_under,
    reads_attributes,
    relationship_paths,
    untold,
)
from codemods.project.sessions import ClassMeaning
from codemods.project.symbols import ModuleName

MODELS = """
from sqlalchemy import ForeignKey
from sqlalchemy.ext.associationproxy import AssociationProxy, association_proxy
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship, synonym
class Base(DeclarativeBase): pass
class City(Base):
    __tablename__ = "cities"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
class User(Base):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    city_id: Mapped[int] = mapped_column(ForeignKey("cities.id"))
    city: Mapped["City"] = relationship()
    roles: Mapped[list["Role"]] = relationship(back_populates="user")
    groups = synonym("roles")
    user_tags: Mapped[list["UserTag"]] = relationship()
    tags: AssociationProxy[list["Tag"]] = association_proxy("user_tags", "tag")
    notes: AssociationProxy[list[str]] = association_proxy("user_tags", "note")
    @hybrid_property
    def role_count(self): return len(self.roles)
    @property
    def title(self): return self.city.name
class Role(Base):
    __tablename__ = "roles"
    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    user: Mapped["User"] = relationship(back_populates="roles")
    permissions: Mapped[list["Permission"]] = relationship()
class Permission(Base):
    __tablename__ = "permissions"
    id: Mapped[int] = mapped_column(primary_key=True)
    role_id: Mapped[int] = mapped_column(ForeignKey("roles.id"))
class Tag(Base):
    __tablename__ = "tags"
    id: Mapped[int] = mapped_column(primary_key=True)
    city_id: Mapped[int] = mapped_column(ForeignKey("cities.id"))
    city: Mapped["City"] = relationship()
class UserTag(Base):
    __tablename__ = "user_tags"
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), primary_key=True)
    tag_id: Mapped[int] = mapped_column(ForeignKey("tags.id"), primary_key=True)
    note: Mapped[str]
    tag: Mapped["Tag"] = relationship()
class Node(Base):
    __tablename__ = "nodes"
    id: Mapped[int] = mapped_column(primary_key=True)
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("nodes.id"))
    children: Mapped[list["Node"]] = relationship()
"""
HEAD = """
from __future__ import annotations
import datetime, enum, typing
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Dict, Generic, List, Literal, Optional, TypeVar, Union
from pydantic import (
    AliasChoices, AliasPath, BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator, RootModel, computed_field,
    field_validator, model_validator, root_validator, validator,
)
from pydantic.alias_generators import to_camel
from models import User
"""
SMALL = """
class PermissionOut(BaseModel):
    id: int
class RoleOut(BaseModel):
    id: int
    permissions: list[PermissionOut]
class CityOut(BaseModel):
    id: int
"""


def written(root: Path, files: Mapping[str, str]) -> Project:
    """The project that the files make up."""
    read: list[Source] = []
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(dedent(text), encoding="utf-8")
        source = sources.read(root, path)
        assert isinstance(source, Source)
        read.append(source)
    return link([scan(one) for one in read], {one.path: ModuleName(one.module, one.is_package) for one in read})


def schemas(root: Path, body: str, **more: str) -> Project:
    """A module of schemas below the imports and three small schemas, beside the models."""
    files = {"models.py": MODELS, "schemas.py": HEAD + SMALL + dedent(body)}
    return written(root, files | {f"{name}.py": text for name, text in more.items()})


def schema(name: str = "Out", path: str = "schemas.py") -> ClassMeaning:
    return ClassMeaning(path, name)


def fields(project: Project, name: str = "Out") -> dict[str, SchemaField]:
    return {one.field: one for one in fields_read(schema(name), project)}


def only(project: Project, name: str = "Out") -> SchemaField:
    (one,) = fields_read(schema(name), project)
    return one


def paths(project: Project, name: str = "Out", class_: str = "User") -> dict[tuple[str, ...], ReadPath]:
    found = relationship_paths(schema(name), ClassMeaning("models.py", class_), project)
    return {one.names: one for one in found}


def unsure(project: Project, name: str = "Out", class_: str = "User") -> tuple[Untold, ...]:
    return untold(schema(name), ClassMeaning("models.py", class_), project)


# --- fields ---------------------------------------------------------------------------------------------------------


def test_field_tells_where_it_stands(tmp_path: Path) -> None:
    project = written(
        tmp_path, {"s.py": "from pydantic import BaseModel\nclass Out(BaseModel):\n    a: int\n    b: str\n"}
    )
    first, second = fields_read(schema(path="s.py"), project)
    assert first == SchemaField("a", (), "s.py", 3, "a", ("a",))
    assert (second.name, second.line) == ("b", 4)


def test_inherited_fields_come_first_and_an_override_keeps_its_place(tmp_path: Path) -> None:
    project = schemas(
        tmp_path,
        """
        class First(BaseModel):
            z: int
            roles: list[RoleOut]
        class Out(First):
            a: int
            roles: list[PermissionOut]
        """,
    )
    found = fields(project)
    assert list(found) == ["z", "roles", "a"]
    assert found["roles"].nested == (schema("PermissionOut"),)


NO_FIELDS = {
    "class variables": "roles: ClassVar[list[RoleOut]] = []",
    "class variables by their module": "roles: typing.ClassVar[int] = 1",
    "private attributes": "_roles: list[RoleOut] = []",
    "settings": "model_config: ConfigDict = ConfigDict(from_attributes=True)",
    "computed fields": "@computed_field\n    @property\n    def roles(self) -> int: return 1",
    "methods": "def roles(self) -> list[RoleOut]: return []",
    "names without a type": "roles = []",
}


@pytest.mark.parametrize("form", NO_FIELDS)
def test_what_is_no_field(form: str, tmp_path: Path) -> None:
    project = schemas(tmp_path, f"class Out(BaseModel):\n    id: int\n    {NO_FIELDS[form]}\n")
    assert list(fields(project)) == ["id"]


def test_class_variable_takes_away_the_field_of_a_base(tmp_path: Path) -> None:
    body = "class In(BaseModel):\n    id: int\n    roles: int\nclass Out(In):\n    roles: ClassVar[int] = 1\n"
    assert list(fields(schemas(tmp_path, body))) == ["id"]


NESTED = {
    "the schema itself": "CityOut",
    "list": "list[CityOut]",
    "List": "List[CityOut]",
    "Sequence": "Sequence[CityOut]",
    "set": "set[CityOut]",
    "tuple of any length": "tuple[CityOut, ...]",
    "tuple of several": "tuple[int, CityOut]",
    "values of a dict": "dict[str, CityOut]",
    "values of a Dict": "Dict[str, CityOut]",
    "Optional": "Optional[CityOut]",
    "or None": "CityOut | None",
    "list or None": "list[CityOut] | None",
    "list of one or None": "list[CityOut | None]",
    "Union with None": "Union[CityOut, None]",
    "Annotated": "Annotated[CityOut, Field(description='x')]",
    "Annotated in a list": "list[Annotated[CityOut, 'the city of it']]",
    "quoted": "'CityOut'",
    "quoted in a list": "list['CityOut']",
    "quoted whole": "'Optional[list[CityOut]]'",
    "through a name": "Cities",
    "under a name with two homes": "Maybe[CityOut]",
    "list of lists": "list[list[CityOut]]",
}


@pytest.mark.parametrize("form", NESTED)
def test_nested_schema_is_found(form: str, tmp_path: Path) -> None:
    before = """
    Cities = List[CityOut]
    try:
        from typing import Optional as Maybe
    except ImportError:
        from typing_extensions import Optional as Maybe
    """
    project = schemas(tmp_path, f"{dedent(before)}class Out(BaseModel):\n    city: {NESTED[form]} = None\n")
    one = only(project)
    assert (one.nested, one.nested_surely, one.unknown) == ((schema("CityOut"),), True, "")


PLAIN = [
    "int",
    "str | None",
    "datetime.datetime",
    "list[str]",
    "Any",
    "Literal['CityOut']",
    "dict[CityOut, int]",
    "Kind",
]


@pytest.mark.parametrize("form", PLAIN)
def test_plain_type_nests_nothing(form: str, tmp_path: Path) -> None:
    project = schemas(tmp_path, f"class Kind(enum.Enum):\n    a = 1\nclass Out(BaseModel):\n    city: {form}\n")
    one = only(project)
    assert (one.nested, one.unknown) == ((), "")


def test_union_of_schemas_is_read_by_each_but_not_surely(tmp_path: Path) -> None:
    one = only(schemas(tmp_path, "class Out(BaseModel):\n    city: CityOut | RoleOut | None\n"))
    assert one.nested == (schema("CityOut"), schema("RoleOut"))
    assert (one.surely, one.nested_surely) == (True, False)


def test_forward_reference_to_a_schema_further_down(tmp_path: Path) -> None:
    one = only(schemas(tmp_path, "class Out(BaseModel):\n    x: 'Later'\nclass Later(BaseModel):\n    id: int\n"))
    assert one.nested == (schema("Later"),)


def test_schema_of_another_file_that_is_imported_for_types_only(tmp_path: Path) -> None:
    more = "from pydantic import BaseModel\nclass TeamOut(BaseModel):\n    id: int\n"
    body = "if typing.TYPE_CHECKING:\n    from teams import TeamOut\nclass Out(BaseModel):\n    team: 'TeamOut'\n"
    assert only(schemas(tmp_path, body, teams=more)).nested == (schema("TeamOut", "teams.py"),)


def test_schema_in_the_body_of_a_schema(tmp_path: Path) -> None:
    body = "class Out(BaseModel):\n    class Item(BaseModel):\n        id: int\n    items: list[Item]\n"
    assert only(schemas(tmp_path, body)).nested == (schema("Out.Item"),)


def test_field_of_the_name_of_its_type(tmp_path: Path) -> None:
    one = only(schemas(tmp_path, "class Out(BaseModel):\n    CityOut: Optional[CityOut] = None\n"))
    assert one.nested == (schema("CityOut"),)


PAGE = "T = TypeVar('T')\nclass Page(BaseModel, Generic[T]):\n    items: list[T]\n    total: int\n"
UNKNOWN_TYPES = {
    "a type variable": ("T = TypeVar('T')\n", "T", "`T` stands for any type"),
    "a generic schema without its type": (
        f"{PAGE}class UserPage(Page): pass\n",
        "UserPage[CityOut]",
        "`UserPage[...]` is generic",
    ),
    "a generic schema of another number of types": (PAGE, "Page[CityOut, int]", "`Page[...]` is generic"),
    "another name of a generic schema": (
        f"{PAGE}Pages = List[Page[T]]\n",
        "Pages[CityOut]",
        "`Pages[...]` is generic",
    ),
    "another name of a generic type": (
        "T = TypeVar('T')\nByName = Dict[str, T]\n",
        "ByName[CityOut]",
        "`ByName[...]` is generic",
    ),
    "a name that nothing binds": ("", "'Nowhere'", "`Nowhere` is not in view"),
    "a class of another package": ("from elsewhere import Thing\n", "Thing", "`Thing` is not in view"),
    "what a call makes": ("", "conlist(CityOut)", "its type cannot be read"),
    "a schema below a base that is not in view": (
        "from elsewhere import Base\nclass Read(Base):\n    id: int\n",
        "Read",
        "not all bases of `Read` are in view",
    ),
}


@pytest.mark.parametrize("form", UNKNOWN_TYPES)
def test_type_that_cannot_be_followed_is_told(form: str, tmp_path: Path) -> None:
    before, type_, why = UNKNOWN_TYPES[form]
    project = schemas(tmp_path, f"{before}class Out(BaseModel):\n    city: {type_}\n")
    assert only(project).unknown == why
    assert [(one.names, one.why) for one in unsure(project)] == [(("city",), why)]


def test_list_behind_a_name_in_another_module_is_followed(tmp_path: Path) -> None:
    more = "from typing import List\nfrom pydantic import BaseModel\nclass TownOut(BaseModel):\n    id: int\n"
    body = "import towns\nclass Out(BaseModel):\n    city: towns.Towns\n"
    one = only(schemas(tmp_path, body, towns=f"{more}Towns = List[TownOut]\n"))
    assert (one.nested, one.unknown) == ((schema("TownOut", "towns.py"),), "")


def test_type_that_cannot_be_followed_does_not_matter_where_no_relationship_is_read(tmp_path: Path) -> None:
    project = schemas(tmp_path, "class Out(BaseModel):\n    id: 'Nowhere'\n")
    assert only(project).unknown == "`Nowhere` is not in view"
    assert unsure(project) == ()


def test_root_model_stands_for_what_is_in_it(tmp_path: Path) -> None:
    body = """
    class Cities(RootModel[list[CityOut]]): pass
    class Roles(RootModel):
        root: list[RoleOut]
    class Out(BaseModel):
        city: Cities
        roles: Roles
    """
    found = fields(schemas(tmp_path, body))
    assert (found["city"].nested, found["roles"].nested) == ((schema("CityOut"),), (schema("RoleOut"),))


# --- names that are read --------------------------------------------------------------------------------------------

ALIASES = {
    "validation_alias": ("x: int = Field(validation_alias='roles')", "roles"),
    "alias": ("x: int = Field(alias='roles')", "roles"),
    "alias beside a default": ("x: int = Field(None, alias='roles')", "roles"),
    "alias and validation_alias": ("x: int = Field(alias='id', validation_alias='roles')", "roles"),
    "in Annotated": ("x: Annotated[int, Field(alias='roles')]", "roles"),
    "the default beats Annotated": ("x: Annotated[int, Field(alias='id')] = Field(alias='roles')", "roles"),
    "the later one in Annotated": ("x: Annotated[int, Field(alias='id'), Field(validation_alias='roles')]", "roles"),
    "a constant": ("x: int = Field(alias=NAME)", "roles"),
    "serialization_alias is written, not read": ("roles: int = Field(serialization_alias='x')", "roles"),
    "a field that is left out is read": ("roles: int = Field(exclude=True)", "roles"),
    "a choice of one": ("x: int = Field(validation_alias=AliasChoices('roles'))", "roles"),
    "none given": ("roles: int = Field(default_factory=list)", "roles"),
    "alias is None": ("roles: int = Field(alias=None)", "roles"),
}


@pytest.mark.parametrize("form", ALIASES)
def test_name_that_is_read(form: str, tmp_path: Path) -> None:
    line, name = ALIASES[form]
    one = only(schemas(tmp_path, f"NAME = 'roles'\nclass Out(BaseModel):\n    {line}\n"))
    assert (one.name, one.names, one.surely, one.unknown) == (name, (name,), True, "")


def test_choices_of_names_read_the_first_that_the_class_has(tmp_path: Path) -> None:
    line = "x: list[RoleOut] = Field(validation_alias=AliasChoices('circles', 'roles', 'city'))"
    project = schemas(tmp_path, f"class Out(BaseModel):\n    {line}\n")
    assert only(project).name is None
    assert {names: one.surely for names, one in paths(project).items()} == {
        ("roles",): True,
        ("roles", "permissions"): True,
    }


def test_path_of_an_alias_reads_its_first_name(tmp_path: Path) -> None:
    line = "x: int = Field(validation_alias=AliasPath('city', 'id'))"
    project = schemas(tmp_path, f"class Out(BaseModel):\n    {line}\n")
    assert list(paths(project)) == [("city",)]
    assert [(one.names, one.why) for one in unsure(project)] == [(("city",), "it reads on along an `AliasPath`")]


BY_NAME = {
    "populate_by_name": "model_config = ConfigDict(populate_by_name=True)",
    "validate_by_name": "model_config = ConfigDict(validate_by_name=True)",
    "pydantic 1": "class Config:\n        allow_population_by_field_name = True",
}


@pytest.mark.parametrize("form", BY_NAME)
def test_name_is_read_where_the_object_lacks_the_alias(form: str, tmp_path: Path) -> None:
    project = schemas(
        tmp_path, f"class Out(BaseModel):\n    {BY_NAME[form]}\n    roles: list[RoleOut] = Field(alias='theRoles')\n"
    )
    assert only(project).names == ("theRoles", "roles")
    assert paths(project)[("roles",)].surely


def test_alias_that_the_object_lacks_reads_nothing(tmp_path: Path) -> None:
    project = schemas(tmp_path, "class Out(BaseModel):\n    roles: list[RoleOut] = Field(None, alias='theRoles')\n")
    assert paths(project) == {}


def test_alias_that_is_another_relationship_beats_the_name(tmp_path: Path) -> None:
    body = """
    class Out(BaseModel):
        model_config = {"populate_by_name": True}
        roles: CityOut = Field(alias="city")
    """
    assert list(paths(schemas(tmp_path, body))) == [("city",)]


def test_camel_case_of_a_name_of_several_words_is_another_name(tmp_path: Path) -> None:
    body = """
    class Out(BaseModel):
        model_config = ConfigDict(alias_generator=to_camel)
        user_tags: list[int]
        roles: list[int]
    """
    project = schemas(tmp_path, body)
    assert [one.name for one in fields_read(schema(), project)] == ["userTags", "roles"]
    assert list(paths(project)) == [("roles",)]


def test_camel_case_and_by_name(tmp_path: Path) -> None:
    body = """
    class Schema(BaseModel):
        model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, from_attributes=True)
    class Out(Schema):
        user_tags: list[int]
    """
    assert paths(schemas(tmp_path, body))[("user_tags",)].surely


def test_generator_that_only_names_what_is_written_changes_nothing(tmp_path: Path) -> None:
    body = """
    from pydantic import AliasGenerator
    class Out(BaseModel):
        model_config = ConfigDict(alias_generator=AliasGenerator(serialization_alias=to_camel))
        user_tags: list[int]
    """
    assert only(schemas(tmp_path, body)).name == "user_tags"


def test_generator_of_the_project_is_told(tmp_path: Path) -> None:
    body = """
    def camel(name): return name
    class Out(BaseModel):
        model_config = ConfigDict(alias_generator=camel, populate_by_name=True)
        roles: list[RoleOut]
        x: int = Field(alias="city")
    """
    project = schemas(tmp_path, body)
    found = fields(project)
    assert (found["roles"].name, found["roles"].surely) == (None, False)
    assert found["x"].names == ("city", "x")
    assert {names: one.surely for names, one in paths(project).items()} == {
        ("roles",): False,
        ("roles", "permissions"): False,
        ("city",): True,
    }
    assert [one.why for one in unsure(project)] == ["its alias is generated, and cannot be told"]


UNTOLD_NAMES = {
    "a function of the project": ("def named(): ...\n", "named()"),
    "an alias that is computed": ("", "Field(alias='ro' + 'les')"),
    "an alias that is made": ("", "Field(alias=make())"),
    "double star": ("DEFAULTS = {}\n", "Field(**DEFAULTS)"),
}


@pytest.mark.parametrize("form", UNTOLD_NAMES)
def test_name_that_cannot_be_told(form: str, tmp_path: Path) -> None:
    before, value = UNTOLD_NAMES[form]
    project = schemas(tmp_path, f"{before}class Out(BaseModel):\n    roles: list[int] = {value}\n")
    one = only(project)
    assert (one.name, one.surely, one.names) == (None, False, ("roles",))
    assert one.unknown != ""
    assert [path.surely for path in paths(project).values()] == [False]
    assert [each.why for each in unsure(project)] == [one.unknown]


# --- what takes over ------------------------------------------------------------------------------------------------

TAKES_OVER_A_FIELD = {
    "before": "@field_validator('roles', mode='before')\n    @classmethod\n    def v(cls, v): return v",
    "plain": "@field_validator('id', 'roles', mode='plain')\n    @classmethod\n    def v(cls, v): return v",
    "wrap": "@field_validator('roles', mode='wrap')\n    @classmethod\n    def v(cls, v, h): return h(v)",
    "all fields": "@field_validator('*', mode='before')\n    @classmethod\n    def v(cls, v): return v",
    "fields that cannot be told": "@field_validator(*NAMES, mode='before')\n    def v(cls, v): return v",
    "pydantic 1": "@validator('roles', pre=True)\n    def v(cls, v): return v",
    "used again": "_v = validator('roles', pre=True, allow_reuse=True)(clean)",
}


@pytest.mark.parametrize("form", TAKES_OVER_A_FIELD)
def test_validator_before_a_field_gets_what_was_surely_read(form: str, tmp_path: Path) -> None:
    body = f"class Out(BaseModel):\n    roles: list[RoleOut]\n    {TAKES_OVER_A_FIELD[form]}\n"
    project = schemas(tmp_path, body)
    assert {names: one.surely for names, one in paths(project).items()} == {
        ("roles",): True,
        ("roles", "permissions"): False,
    }


def test_what_a_validator_of_a_field_reads_is_told(tmp_path: Path) -> None:
    body = """
    class Out(BaseModel):
        roles: list[str]
        id: int
        @field_validator("*", mode="before")
        @classmethod
        def names(cls, value): return [one.user.name for one in value]
    """
    (one,) = unsure(schemas(tmp_path, body))
    why = "`names` of the schema gets it before it is read"
    assert (one.names, one.why, one.computed) == (("roles",), why, True)


def test_what_a_model_validator_reads_is_told_though_no_field_names_a_relationship(tmp_path: Path) -> None:
    body = """
    class Out(BaseModel):
        id: int
        @model_validator(mode="before")
        @classmethod
        def count(cls, data): return {"id": len(data.roles)}
    """
    project = schemas(tmp_path, body)
    (one,) = unsure(project)
    assert (one.names, one.why) == ((), "`count` of the schema gets the object before it is read")
    assert unsure(project, class_="City") == ()


def test_settings_that_are_not_in_view_may_name_fields_otherwise(tmp_path: Path) -> None:
    body = "class Out(BaseModel):\n    model_config = ConfigDict(**DEFAULTS)\n    city: CityOut\n"
    assert not paths(schemas(tmp_path, body))[("city",)].surely


def test_generator_as_an_argument_of_the_class(tmp_path: Path) -> None:
    project = schemas(tmp_path, "class Out(BaseModel, alias_generator=to_camel):\n    user_tags: list[int]\n")
    assert only(project).name == "userTags"


def test_validator_before_a_field_that_a_base_has(tmp_path: Path) -> None:
    body = """
    class Clean(BaseModel):
        @field_validator("roles", mode="before", check_fields=False)
        @classmethod
        def v(cls, v): return []
    class Out(Clean):
        roles: list[RoleOut]
        city: CityOut
    """
    found = fields(schemas(tmp_path, body))
    assert (found["roles"].nested_surely, found["city"].nested_surely) == (False, True)


@pytest.mark.parametrize("name", ["BeforeValidator(f)", "PlainValidator(f)", "CLEAN"])
def test_validator_in_the_type_gets_what_was_surely_read(name: str, tmp_path: Path) -> None:
    body = f"""
    def f(v): return v
    CLEAN = BeforeValidator(f)
    class Out(BaseModel):
        roles: list[Annotated[RoleOut, {name}]] | None
    """
    one = only(schemas(tmp_path, body))
    assert (one.surely, one.nested_surely, one.nested) == (True, False, (schema("RoleOut"),))


@pytest.mark.parametrize("mode", ["mode='after'", ""])
def test_validator_after_changes_nothing(mode: str, tmp_path: Path) -> None:
    method = f"@field_validator('roles', {mode})\n    def v(cls, v): return v"
    body = f"class Out(BaseModel):\n    roles: list[RoleOut]\n    {method}\n"
    assert only(schemas(tmp_path, body)).nested_surely


def test_validator_of_the_same_name_from_elsewhere_is_none(tmp_path: Path) -> None:
    body = """
    from mine import field_validator
    class Out(BaseModel):
        roles: list[RoleOut]
        @field_validator("roles", mode="before")
        def v(cls, v): ...
    """
    mine = "def field_validator(*names, mode): return lambda f: f\n"
    text = HEAD.replace("field_validator, ", "") + SMALL + dedent(body)
    project = written(tmp_path, {"models.py": MODELS, "schemas.py": text, "mine.py": mine})
    assert only(project).nested_surely


TAKES_OVER_ALL = {
    "model validator": "@model_validator(mode='before')\n    @classmethod\n    def take(cls, data): return data",
    "root validator": "@root_validator(pre=True)\n    def take(cls, data): return data",
    "from_orm of its own": "@classmethod\n    def from_orm(cls, obj): return cls()",
    "a core schema of its own": "@classmethod\n    def __get_pydantic_core_schema__(cls, s, h): return h(s)",
    "a getter of its own": "class Config:\n        getter_dict = MyGetter",
}


@pytest.mark.parametrize("form", TAKES_OVER_ALL)
def test_what_gets_the_object_itself_may_read_in_its_own_way(form: str, tmp_path: Path) -> None:
    body = f"class In(BaseModel):\n    {TAKES_OVER_ALL[form]}\nclass Out(In):\n    roles: list[RoleOut]\n"
    project = schemas(tmp_path, body)
    assert {names: one.surely for names, one in paths(project).items()} == {
        ("roles",): False,
        ("roles", "permissions"): False,
    }
    assert [one.names for one in unsure(project)] == [(), ("roles",)]


def test_method_that_is_called_like_a_hook_is_none(tmp_path: Path) -> None:
    body = "class Out(BaseModel):\n    roles: list[int]\n    def validate(self): return self\n"
    assert paths(schemas(tmp_path, body))[("roles",)].surely


def test_own_init_and_validators_after_read_as_ever(tmp_path: Path) -> None:
    body = """
    class Out(BaseModel):
        roles: list[RoleOut]
        def __init__(self, **data): super().__init__(**data)
        @model_validator(mode="after")
        def check(self): return self
    """
    assert all(one.surely for one in paths(schemas(tmp_path, body)).values())


def test_annotations_of_a_base_that_is_no_model_are_fields_on_pydantic_2_only(tmp_path: Path) -> None:
    body = "class Mixin:\n    roles: list[int]\nclass Out(Mixin, BaseModel):\n    id: int\n"
    assert {one.field: one.surely for one in fields(schemas(tmp_path, body)).values()} == {"id": True, "roles": False}


def test_base_that_is_not_in_view_is_told(tmp_path: Path) -> None:
    body = "from fastapi_users import schemas as theirs\nclass Out(theirs.BaseUser[int]):\n    city: CityOut\n"
    project = schemas(tmp_path, body)
    assert is_serializer(schema(), project) is None
    assert [(one.field, one.name) for one in fields_read(schema(), project)] == [("", None), ("city", "city")]
    why = "the schema inherits from `fastapi_users.schemas.BaseUser`, which is not in view"
    assert [(one.names, one.why) for one in unsure(project)] == [((), why)]
    assert list(paths(project)) == [("city",)]


NO_SCHEMAS = {
    "a plain class": "class Out:\n    roles: list[RoleOut]",
    "an enum": "class Out(enum.Enum):\n    roles: int = 1",
    "a typed dict": "class Out(typing.TypedDict):\n    roles: list[RoleOut]",
    "a SQLModel with a table": "from sqlmodel import SQLModel\nclass Out(SQLModel, table=True):\n    roles: list[int]",
}


@pytest.mark.parametrize("form", NO_SCHEMAS)
def test_class_that_is_no_schema_reads_nothing(form: str, tmp_path: Path) -> None:
    project = schemas(tmp_path, NO_SCHEMAS[form])
    assert (is_serializer(schema(), project), fields_read(schema(), project)) == (False, ())


# --- settings -------------------------------------------------------------------------------------------------------

SETTINGS = {
    "nothing": ("class Out(BaseModel):\n    id: int", False),
    "ConfigDict": ("class Out(BaseModel):\n    model_config = ConfigDict(from_attributes=True)", True),
    "a dict": ("class Out(BaseModel):\n    model_config = {'from_attributes': True}", True),
    "dict()": ("class Out(BaseModel):\n    model_config = dict(from_attributes=True)", True),
    "orm_mode": ("class Out(BaseModel):\n    class Config:\n        orm_mode = True", True),
    "from_attributes in Config": ("class Out(BaseModel):\n    class Config:\n        from_attributes = True", True),
    "argument of the class": ("class Out(BaseModel, from_attributes=True):\n    id: int", True),
    "False": ("class Out(BaseModel):\n    model_config = ConfigDict(from_attributes=False)", False),
    "another setting": ("class Out(BaseModel):\n    model_config = ConfigDict(frozen=True)", False),
    "inherited": (
        "class In(BaseModel):\n    model_config = ConfigDict(from_attributes=True)\n"
        "class Out(In):\n    model_config = ConfigDict(frozen=True)",
        True,
    ),
    "taken back": (
        "class In(BaseModel):\n    class Config:\n        orm_mode = True\n"
        "class Out(In):\n    class Config:\n        orm_mode = False",
        False,
    ),
    "of a second base": (
        "class Orm(BaseModel):\n    model_config = ConfigDict(from_attributes=True)\n"
        "class In(BaseModel):\n    id: int\nclass Out(In, Orm): pass",
        True,
    ),
    "bases that disagree": (
        "class A(BaseModel, from_attributes=True): pass\nclass B(BaseModel, from_attributes=False): pass\n"
        "class Out(A, B): pass",
        None,
    ),
    "a Config that inherits": (
        "class Shared:\n    orm_mode = True\nclass Out(BaseModel):\n    class Config(Shared):\n        frozen = True",
        True,
    ),
    "a Config from elsewhere in the file": (
        "class Shared:\n    orm_mode = True\nclass Out(BaseModel):\n    Config = Shared",
        True,
    ),
    "a name": ("ORM = ConfigDict(from_attributes=True)\nclass Out(BaseModel):\n    model_config = ORM", True),
    "a constant": ("ON = True\nclass Out(BaseModel):\n    model_config = ConfigDict(from_attributes=ON)", True),
    "joined with another": ("class Out(BaseModel):\n    model_config = {**DEFAULTS, 'frozen': True}", None),
    "double star": ("class Out(BaseModel):\n    model_config = ConfigDict(**DEFAULTS)", None),
    "computed": ("class Out(BaseModel):\n    model_config = ConfigDict(from_attributes=is_on())", None),
    "base that is not in view": ("from elsewhere import Base\nclass Out(Base):\n    id: int", None),
    "base that is not in view, set here": (
        "from elsewhere import Base\nclass Out(Base):\n    model_config = ConfigDict(from_attributes=True)",
        True,
    ),
    "SQLModel": ("from sqlmodel import SQLModel\nclass Out(SQLModel):\n    id: int", True),
    "SQLModel below another": (
        "from sqlmodel import SQLModel\nclass In(SQLModel):\n    id: int\nclass Out(In):\n    name: str",
        True,
    ),
}


@pytest.mark.parametrize("form", SETTINGS)
def test_whether_attributes_of_objects_are_read(form: str, tmp_path: Path) -> None:
    body, expected = SETTINGS[form]
    assert reads_attributes(schema(), schemas(tmp_path, body)) is expected


# --- paths ----------------------------------------------------------------------------------------------------------


def test_relationships_are_read_as_deep_as_the_schemas_go(tmp_path: Path) -> None:
    body = "class Out(BaseModel):\n    id: int\n    city_id: int\n    city: CityOut\n    roles: list[RoleOut]\n"
    project = schemas(tmp_path, body)
    found = paths(project)
    assert list(found) == [("city",), ("roles",), ("roles", "permissions")]
    assert unsure(project) == ()
    lines = (tmp_path / "schemas.py").read_text().splitlines()
    assert lines[found[("city",)].line - 1] == "    city: CityOut"
    assert lines[found[("roles", "permissions")].line - 1] == "    permissions: list[PermissionOut]"
    assert {one.path for one in found.values()} == {"schemas.py"}


def test_columns_alone_lead_nowhere(tmp_path: Path) -> None:
    project = schemas(tmp_path, "class Out(BaseModel):\n    id: int\n    nothing_of_it: str = ''\n")
    assert (paths(project), unsure(project)) == ({}, ())


def test_relationship_is_read_whatever_the_field_makes_of_it(tmp_path: Path) -> None:
    project = schemas(tmp_path, "class Out(BaseModel):\n    roles: list[Any]\n    city: Any = None\n")
    assert list(paths(project)) == [("roles",), ("city",)]


def test_synonym_of_a_relationship(tmp_path: Path) -> None:
    project = schemas(tmp_path, "class Out(BaseModel):\n    groups: list[RoleOut]\n")
    assert list(paths(project)) == [("roles",), ("roles", "permissions")]


def test_proxy_of_a_relationship_reads_both(tmp_path: Path) -> None:
    body = "class TagOut(BaseModel):\n    city: CityOut\nclass Out(BaseModel):\n    tags: list[TagOut]\n"
    project = schemas(tmp_path, body)
    assert list(paths(project)) == [("user_tags",), ("user_tags", "tag"), ("user_tags", "tag", "city")]


def test_proxy_of_a_column_reads_the_relationship_alone(tmp_path: Path) -> None:
    project = schemas(tmp_path, "class Out(BaseModel):\n    notes: list[str]\n")
    assert list(paths(project)) == [("user_tags",)]


@pytest.mark.parametrize("name", ["role_count", "title"])
def test_what_the_class_computes_is_told_and_not_followed(name: str, tmp_path: Path) -> None:
    project = schemas(tmp_path, f"class Out(BaseModel):\n    {name}: str\n")
    assert paths(project) == {}
    (one,) = unsure(project)
    assert (one.names, one.computed) == ((), True)
    assert f"`{name}` of `User` is computed" in one.why


def test_schema_of_itself_goes_one_level(tmp_path: Path) -> None:
    project = schemas(tmp_path, "class Out(BaseModel):\n    id: int\n    children: list['Out']\n")
    (one,) = paths(project, class_="Node").values()
    assert (one.names, one.recursive, one.surely) == (("children",), True, True)


def test_schemas_of_each_other_end_where_they_meet_again(tmp_path: Path) -> None:
    body = """
    class OwnedOut(BaseModel):
        user: "Out"
    class Out(BaseModel):
        roles: list[OwnedOut]
    """
    found = paths(schemas(tmp_path, body))
    assert {names: one.recursive for names, one in found.items()} == {("roles",): False, ("roles", "user"): True}


def test_another_schema_of_the_same_class_is_no_circle(tmp_path: Path) -> None:
    body = """
    class Owner(BaseModel):
        city: CityOut
    class OwnedOut(BaseModel):
        user: Owner
    class Out(BaseModel):
        roles: list[OwnedOut]
    """
    found = paths(schemas(tmp_path, body))
    assert list(found) == [("roles",), ("roles", "user"), ("roles", "user", "city")]
    assert not any(one.recursive for one in found.values())


def test_schemas_that_all_name_each_other_come_to_an_end(tmp_path: Path) -> None:
    body = "".join(
        f"class S{number}(BaseModel):\n    children: list[{' | '.join(f'S{other}' for other in range(4))}]\n"
        for number in range(4)
    )
    found = paths(schemas(tmp_path, body), "S0", "Node")
    assert max(len(names) for names in found) <= 6
    assert found[("children",)].recursive


def test_two_fields_of_one_relationship_make_one_path_the_surer_one(tmp_path: Path) -> None:
    body = """
    class Out(BaseModel):
        city: CityOut | RoleOut
        place: CityOut = Field(alias="city")
        groups: list[RoleOut]
        roles: list[Annotated[RoleOut, BeforeValidator(str)]]
    """
    found = paths(schemas(tmp_path, body))
    assert {names: one.surely for names, one in found.items()} == {
        ("city",): True,
        ("roles",): True,
        ("roles", "permissions"): True,
    }


def test_class_that_is_not_mapped_is_told(tmp_path: Path) -> None:
    project = schemas(tmp_path, "class Out(BaseModel):\n    roles: list[RoleOut]\n")
    assert paths(project, class_="Base") == {}
    assert [one.why for one in unsure(project, class_="Base")] == ["`Base` is not known to be mapped"]


def test_attribute_that_may_be_a_relationship_of_a_base_that_is_not_in_view(tmp_path: Path) -> None:
    more = MODELS.replace("class City(Base):", "from elsewhere import Mixin\nclass City(Mixin, Base):")
    body = "class Out(BaseModel):\n    id: int\n    owner: CityOut\n"
    project = written(tmp_path, {"models.py": more, "schemas.py": HEAD + SMALL + body})
    assert paths(project, class_="City") == {}
    assert [one.why for one in unsure(project, class_="City")] == [
        "`owner` of `City` may be a relationship that is not in view"
    ]


def test_sqlmodel_schema_reads_the_relationships_of_a_table(tmp_path: Path) -> None:
    text = """
    from typing import List, Optional
    from sqlmodel import Field, Relationship, SQLModel
    class Team(SQLModel, table=True):
        id: Optional[int] = Field(default=None, primary_key=True)
        heroes: List["Hero"] = Relationship(back_populates="team")
    class Hero(SQLModel, table=True):
        id: Optional[int] = Field(default=None, primary_key=True)
        team_id: Optional[int] = Field(default=None, foreign_key="team.id")
        team: Optional[Team] = Relationship(back_populates="heroes")
    class HeroOut(SQLModel):
        id: int
    class TeamOut(SQLModel):
        heroes: List[HeroOut]
    """
    project = written(tmp_path, {"app.py": text})
    found = relationship_paths(schema("TeamOut", "app.py"), ClassMeaning("app.py", "Team"), project)
    assert [one.names for one in found] == [("heroes",)]


# --- type parameters ------------------------------------------------------------------------------------------------

CITIES = Within((schema("CityOut"),))
CITY_PAGE = ParameterizedSchema("schemas.py", "Page", (CITIES,))


def of(schema_: ClassMeaning, project: Project) -> dict[str, SchemaField]:
    return {one.field: one for one in fields_read(schema_, project)}


def test_generic_schema_reads_by_the_type_that_it_is_given(tmp_path: Path) -> None:
    project = schemas(tmp_path, f"{PAGE}class Out(BaseModel):\n    city: Page[CityOut]\n")
    one = only(project)
    assert (one.nested, one.unknown) == ((CITY_PAGE,), "")
    items, total = fields_read(CITY_PAGE, project)
    assert (items.names, items.nested, items.nested_surely, items.unknown) == (
        ("items",),
        (schema("CityOut"),),
        True,
        "",
    )
    assert (total.nested, total.unknown) == ((), "")


def test_generic_schema_without_a_type_is_told(tmp_path: Path) -> None:
    project = schemas(tmp_path, PAGE)
    assert fields(project, "Page")["items"].unknown == "`T` stands for any type"


PARAMETERS = {
    ("T",): ((schema("CityOut"),), ""),
    ("*T",): ((), "`Page[...]` is generic"),
    ("T", "**P"): ((), "`Page[...]` is generic"),
}


@pytest.mark.parametrize("names", PARAMETERS)
def test_type_parameters_in_brackets(names: tuple[str, ...], tmp_path: Path) -> None:
    # `class Page[T](BaseModel)` needs Python 3.12 to be read: here its facts are made of those of a class without
    text = f"{HEAD}{SMALL}class Page(BaseModel):\n    items: list[T]\nclass Out(BaseModel):\n    city: Page[CityOut]\n"
    (tmp_path / "schemas.py").write_text(text)
    source = sources.read(tmp_path, "schemas.py")
    assert isinstance(source, Source)
    facts = scan(source)
    classes = [replace(one, type_parameters=names) if one.qualname == "Page" else one for one in facts.classes]
    project = link([replace(facts, classes=tuple(classes))], {"schemas.py": ModuleName("schemas", False)})
    one = only(project)
    nested = [inner for page in one.nested for inner in of(page, project)["items"].nested]
    assert (tuple(nested), one.unknown) == PARAMETERS[names]


def test_type_parameter_hides_a_class_of_its_name(tmp_path: Path) -> None:
    more = "from typing import Generic, TypeVar\nfrom pydantic import BaseModel\nT = TypeVar('T')\n"
    more += "class Page(BaseModel, Generic[T]):\n    items: list[T]\n"
    body = "from pages import Page\nclass T(BaseModel):\n    id: int\nclass Out(BaseModel):\n    x: Page[T]\n"
    project = schemas(tmp_path, body, pages=more)
    (page,) = only(project).nested
    assert of(page, project)["items"].nested == (schema("T"),)


BOUND = {
    "a base with its type": "class Out(Has[CityOut]): pass",
    "the base of a base": "class Mine(Has[T], Generic[T]): pass\nclass Out(Mine[CityOut]): pass",
    "under another parameter": "K = TypeVar('K')\nclass Mine(Has[K], Generic[K]): pass\nclass Out(Mine[CityOut]): pass",
    "a base behind a name": "HasCity = Has[CityOut]\nclass Out(HasCity): pass",
    "the second of two": "K = TypeVar('K')\nclass Two(BaseModel, Generic[K, T]):\n    id: K\n    city: T\n"
    "class Out(Two[int, CityOut]): pass",
    "a second parameter that a base fills": "K = TypeVar('K')\nclass Two(BaseModel, Generic[K, T]):\n    id: K\n"
    "    city: T\nclass Half(Two[int, T], Generic[T]): pass\nclass Out(Half[CityOut]): pass",
    "a field that is declared anew": "class Out(Has[RoleOut]):\n    city: CityOut",
    "one or none": "class Maybe(BaseModel, Generic[T]):\n    city: Optional[T]\nclass Out(Maybe[CityOut]): pass",
    "an optional type": "class Out(Has[Optional[CityOut]]): pass",
    "a root model": "class Whole(RootModel[T], Generic[T]): pass\nclass Out(BaseModel):\n    city: Whole[CityOut]",
}


@pytest.mark.parametrize("form", BOUND)
def test_type_parameter_stands_for_what_is_given(form: str, tmp_path: Path) -> None:
    before = "T = TypeVar('T')\nclass Has(BaseModel, Generic[T]):\n    city: T\n"
    project = schemas(tmp_path, f"{before}{BOUND[form]}\n")
    one = fields(project)["city"]
    assert (one.names, one.nested, one.unknown) == (("city",), (schema("CityOut"),), "")
    assert set(paths(project)) == {("city",)}
    assert unsure(project) == ()
    assert [one for one in read_by_fastapi(f"{before}{BOUND[form]}\n") if one != ".id"] == [".city", "city.id"]


def test_base_that_is_inherited_in_two_ways_is_told(tmp_path: Path) -> None:
    body = "class Has(BaseModel, Generic[T]):\n    city: T\nclass A(Has[CityOut]): pass\nclass B(Has[RoleOut]): pass\n"
    one = only(schemas(tmp_path, f"T = TypeVar('T')\n{body}class Out(A, B): pass\n"))
    assert (one.nested, one.unknown) == ((), "`T` stands for any type")


def test_type_parameter_of_a_base_that_is_no_model_stays_open(tmp_path: Path) -> None:
    body = "T = TypeVar('T')\nclass Has(Generic[T]):\n    city: T\nclass Out(BaseModel, Has[CityOut]):\n    id: int\n"
    one = fields(schemas(tmp_path, body))["city"]
    assert (one.nested, one.unknown) == ((), "`T` stands for any type")


def test_base_is_given_a_schema_in_quotes(tmp_path: Path) -> None:
    body = "T = TypeVar('T')\nclass Has(BaseModel, Generic[T]):\n    city: T\nclass Out(Has['CityOut']): pass\n"
    assert only(schemas(tmp_path, body)).nested == (schema("CityOut"),)


def test_root_of_a_schema_of_its_own_is_given_a_type(tmp_path: Path) -> None:
    body = "T = TypeVar('T')\nclass Whole(BaseModel, Generic[T]):\n    __root__: List[T]\n"
    one = only(schemas(tmp_path, f"{body}class City(Whole[CityOut]): pass\nclass Out(BaseModel):\n    city: City\n"))
    assert (one.nested, one.unknown) == ((schema("CityOut"),), "")


def test_union_that_a_base_is_given_is_told(tmp_path: Path) -> None:
    body = "T = TypeVar('T')\nclass Has(BaseModel, Generic[T]):\n    city: T\nclass Out(Has[CityOut | RoleOut]): pass\n"
    one = only(schemas(tmp_path, body))
    assert one.nested == (schema("CityOut"), schema("RoleOut")) or one.unknown == "its type cannot be read"


def test_generic_schema_in_a_generic_schema(tmp_path: Path) -> None:
    body = (
        f"{PAGE}class Box(BaseModel, Generic[T]):\n    data: T\nclass Out(BaseModel):\n    city: Box[Page[CityOut]]\n"
    )
    project = schemas(tmp_path, body)
    (box,) = only(project).nested
    assert box == ParameterizedSchema("schemas.py", "Box", (Within((CITY_PAGE,)),))
    assert of(box, project)["data"].nested == (CITY_PAGE,)


def test_generic_schema_reads_relationships_by_the_names_of_its_fields(tmp_path: Path) -> None:
    body = "T = TypeVar('T')\nclass Has(BaseModel, Generic[T]):\n    roles: list[T]\n"
    project = schemas(tmp_path, body)
    has = ParameterizedSchema("schemas.py", "Has", (Within((schema("RoleOut"),)),))
    found = relationship_paths(has, ClassMeaning("models.py", "User"), project)
    assert [one.names for one in found] == [("roles",), ("roles", "permissions")]
    assert untold(has, ClassMeaning("models.py", "User"), project) == ()


def test_page_reads_nothing_of_what_is_no_page(tmp_path: Path) -> None:
    project = schemas(tmp_path, PAGE.replace("CityOut", "RoleOut"))
    assert relationship_paths(CITY_PAGE, ClassMeaning("models.py", "User"), project) == ()


def test_what_is_under_a_name_is_read_by_the_schemas_of_the_field_that_reads_that_name(tmp_path: Path) -> None:
    body = "class Out(BaseModel):\n    x: CityOut = Field(alias='city')\n    city: RoleOut = Field(alias='role')\n"
    project = schemas(tmp_path, body)
    assert read_under(schema(), "city", project) == (schema("CityOut"),)
    assert read_under(schema(), "x", project) == ()


def test_settings_of_a_generic_schema_are_those_of_its_class(tmp_path: Path) -> None:
    body = "T = TypeVar('T')\nclass Page(BaseModel, Generic[T]):\n"
    body += "    model_config = ConfigDict(from_attributes=True)\n    items: list[T]\n"
    project = schemas(tmp_path, body)
    assert reads_attributes(CITY_PAGE, project) is True
    assert is_serializer(CITY_PAGE, project) is True


ENDLESS = {
    "of itself": "class Node(BaseModel, Generic[T]):\n    children: list['Node[T]']",
    "of ever more": "class Box(BaseModel, Generic[T]):\n    user: T\n"
    "class Node(BaseModel, Generic[T]):\n    children: list['Node[Box[T]]']",
    "a root of itself": "class Whole(RootModel[T], Generic[T]): pass\nclass Tree(Whole['Tree']): pass\n"
    "class Node(BaseModel, Generic[T]):\n    children: list['Node[T]']\n    x: Tree",
    "a base with itself": "class Has(BaseModel, Generic[T]):\n    children: list[T]\n"
    "class Node(Has['Node[T]'], Generic[T]): pass",
    "its own base": "class Node(Node[T], BaseModel, Generic[T]):\n    children: list['Node[T]']",
}


@pytest.mark.parametrize("form", ENDLESS)
def test_generic_schema_of_itself_comes_to_an_end(form: str, tmp_path: Path) -> None:
    project = schemas(tmp_path, f"T = TypeVar('T')\n{ENDLESS[form]}\nclass Out(Node[CityOut]): pass\n")
    found = paths(project, "Out", "Node")
    assert ("children",) in found
    assert any(one.recursive for one in found.values())


PAGES_SENT = {
    "a dict": "{'items': [user], 'total': 1}",
    "a page without its type": "Page(items=[user], total=1)",
    "a page of anything": "Page[Any](items=[user], total=1)",
}


@pytest.mark.parametrize("form", PAGES_SENT)
def test_fastapi_reads_by_the_type_of_a_page_what_the_page_holds(form: str, tmp_path: Path) -> None:
    body = f"{PAGE}class UserOut(BaseModel):\n    city: CityOut\nOut = Page[UserOut]\n"
    assert read_by_fastapi(body, PAGES_SENT[form]) == [".city", "city.id"]
    project = schemas(tmp_path, body)
    page = ParameterizedSchema("schemas.py", "Page", (Within((schema("UserOut"),)),))
    (reader,) = read_under(page, "items", project)
    found = relationship_paths(reader, ClassMeaning("models.py", "User"), project)
    assert [one.names for one in found] == [("city",)]


# --- routes ---------------------------------------------------------------------------------------------------------

ROUTES = """
import fastapi
from collections.abc import Iterable
from typing import Annotated, Any, AsyncIterator, DefaultDict, List, Optional, Sequence, TypeVar, Union
from fastapi import APIRouter, FastAPI, Response
from fastapi.responses import JSONResponse
from schemas import CityOut, RoleOut
from models import User
app = FastAPI(title="x")
router = APIRouter(prefix="/x", tags=["x"])
"""
CITY = (schema("CityOut"),)


def routes(root: Path, body: str, more: str = "") -> Project:
    return schemas(root, more, routes=ROUTES + dedent(body))


def response(project: Project, name: str = "read") -> Response | None:
    return responses(project).get(("routes.py", name))


ROUTERS = {
    "a router": "@router.get('/')",
    "the application": "@app.post('/')",
    "the router of the application": "@app.router.put('/')",
    "a second name": "api = router\n@api.patch('/')",
    "through the module": "api = fastapi.APIRouter()\n@api.delete('/')",
    "any method": "@router.api_route('/', methods=['GET'])",
    "a class below it": "class Mine(APIRouter): pass\napi = Mine()\n@api.get('/')",
    "what a function makes": "def make(): return APIRouter()\napi = make()\n@api.get('/')",
    "below another decorator": "@cached\n@router.get('/')",
    "above another decorator": "@router.get('/')\n@cached",
}


@pytest.mark.parametrize("form", ROUTERS)
def test_route_is_known_by_what_it_is_added_to(form: str, tmp_path: Path) -> None:
    project = routes(tmp_path, f"def cached(f): return f\n{ROUTERS[form]}\nasync def read() -> CityOut: ...\n")
    found = response(project)
    assert found is not None
    assert (found.schemas, found.many, found.by, found.unknown) == (CITY, False, ANNOTATION, "")


def test_response_tells_where_the_function_stands(tmp_path: Path) -> None:
    project = routes(tmp_path, "@router.get(\n    '/',\n    response_model=CityOut,\n)\nasync def read(): ...\n")
    line = (tmp_path / "routes.py").read_text().splitlines().index("async def read(): ...") + 1
    assert response(project) == Response(CITY, False, "routes.py", line, RESPONSE_MODEL)


MANY = {
    "CityOut": False,
    "list[CityOut]": True,
    "List[CityOut]": True,
    "Sequence[CityOut]": True,
    "dict[str, CityOut]": True,
    "DefaultDict[str, CityOut]": True,
    "tuple[CityOut, ...]": True,
    "Optional[CityOut]": False,
    "Optional[List[CityOut]]": True,
    "'CityOut'": False,
    "list['CityOut']": True,
    "Annotated[CityOut, 'x']": False,
    "Cities": True,
    "CityOut | None": False,
    "None | CityOut": False,
    "list[CityOut] | None": True,
    "list[CityOut | None]": True,
    "'list[CityOut] | None'": True,
    "dict[str, CityOut | None]": True,
}


@pytest.mark.parametrize("form", MANY)
@pytest.mark.parametrize("by", [RESPONSE_MODEL, ANNOTATION])
def test_forms_of_what_is_sent(form: str, by: str, tmp_path: Path) -> None:
    model, told = (f", response_model={form}", "") if by == RESPONSE_MODEL else ("", f" -> {form}")
    project = routes(tmp_path, f"Cities = List[CityOut]\n@router.get('/'{model})\nasync def read(){told}: ...\n")
    found = response(project)
    assert found is not None
    assert (found.schemas, found.many, found.by, found.unknown) == (CITY, MANY[form], by, "")


@pytest.mark.parametrize("form", ["CityOut | RoleOut", "Union[CityOut, RoleOut, None]", "CityOut | None | RoleOut"])
@pytest.mark.parametrize("by", [RESPONSE_MODEL, ANNOTATION])
def test_union_has_the_schemas_of_all_its_members(form: str, by: str, tmp_path: Path) -> None:
    model, told = (f", response_model={form}", "") if by == RESPONSE_MODEL else ("", f" -> {form}")
    found = response(routes(tmp_path, f"@router.get('/'{model})\nasync def read(){told}: ...\n"))
    assert found is not None
    assert (found.schemas, found.unknown) == ((*CITY, schema("RoleOut")), "")


def test_response_model_that_depends_on_a_condition_has_the_schemas_of_both(tmp_path: Path) -> None:
    given = "CityOut if fastapi.__version__ > '1' else RoleOut"
    found = response(routes(tmp_path, f"@router.get('/', response_model={given})\nasync def read(): ...\n"))
    assert found is not None
    assert found.schemas == (*CITY, schema("RoleOut"))


PAGES = {
    "by the model": ("response_model=Page[CityOut]", "", False),
    "by the annotation": ("", " -> Page[CityOut]", False),
    "in quotes": ("response_model='Page[CityOut]'", "", False),
    "or none": ("response_model=Page[CityOut] | None", "", False),
    "several": ("response_model=list[Page[CityOut]]", "", True),
    "under a name": ("response_model=CityPage", "", False),
}


@pytest.mark.parametrize("form", PAGES)
def test_page_is_sent_by_a_schema_with_its_type(form: str, tmp_path: Path) -> None:
    given, told, many = PAGES[form]
    body = (
        f"from schemas import Page\nCityPage = Page[CityOut]\n@router.get('/', {given})\nasync def read(){told}: ...\n"
    )
    found = response(routes(tmp_path, body, PAGE))
    assert found is not None
    assert (found.schemas, found.many, found.unknown) == ((CITY_PAGE,), many, "")


def test_response_model_beats_the_annotation(tmp_path: Path) -> None:
    found = response(routes(tmp_path, "@router.get('/', response_model=CityOut)\nasync def read() -> RoleOut: ...\n"))
    assert found is not None
    assert (found.schemas, found.by) == (CITY, RESPONSE_MODEL)


NO_RESPONSES = {
    "no model": "@router.get('/')\nasync def read(): ...",
    "response_model=None": "@router.get('/', response_model=None)\nasync def read() -> CityOut: ...",
    "a Response": "@router.get('/')\nasync def read() -> Response: ...",
    "a JSONResponse": "@router.get('/')\nasync def read() -> JSONResponse: ...",
    "a Response of the project": "class Mine(JSONResponse): pass\n@router.get('/')\nasync def read() -> Mine: ...",
    "a plain dict": "@router.get('/')\nasync def read() -> dict: ...",
    "a dict of plain values": "@router.get('/')\nasync def read() -> dict[str, int]: ...",
    "a dict of several plain values": "@router.get('/')\nasync def read() -> dict[str, str | bool]: ...",
    "plain values by the model": "@router.get('/', response_model=dict[str, str | None])\nasync def read(): ...",
    "a Response or nothing": "@router.get('/')\nasync def read() -> Response | None: ...",
    "None": "@router.delete('/')\nasync def read() -> None: ...",
    "Any": "@router.get('/')\nasync def read() -> Any: ...",
    "an entity": "@router.get('/', response_model=User)\nasync def read(): ...",
    "another decorator": "@app.middleware('http')\nasync def read() -> CityOut: ...",
    "an event": "@app.on_event('startup')\nasync def read() -> CityOut: ...",
    "a decorator of another class": "class Cache:\n    def get(self, key): ...\ncache = Cache()\n"
    "@cache.get('/')\nasync def read() -> CityOut: ...",
    "a client": "import httpx\nclient = httpx.AsyncClient()\n@client.get('/')\nasync def read() -> CityOut: ...",
    "no decorator": "async def read() -> CityOut: ...",
}


@pytest.mark.parametrize("form", NO_RESPONSES)
def test_function_whose_result_no_schema_reads(form: str, tmp_path: Path) -> None:
    assert response(routes(tmp_path, NO_RESPONSES[form])) is None


UNKNOWN_RESPONSES = {
    "a generic schema of two": ("response_model=Page[CityOut, int]", "the response model: `Page[...]` is generic"),
    "a generic schema of a package": ("response_model=Theirs[CityOut]", "the response model: `Theirs[...]` is generic"),
    "a model that is made": ("response_model=make()", "the response model: its type cannot be read"),
    "a name that nothing binds": ("response_model=Nowhere", "the response model: `Nowhere` is not in view"),
    "double star": ("**OPTIONS", "a response model may be among what `**` gives"),
}


@pytest.mark.parametrize("form", UNKNOWN_RESPONSES)
def test_response_that_cannot_be_told(form: str, tmp_path: Path) -> None:
    given, why = UNKNOWN_RESPONSES[form]
    more = "T = TypeVar('T')\nclass Page(BaseModel, Generic[T]):\n    items: list[T]\n"
    body = f"from elsewhere import Theirs\nfrom schemas import Page\n@router.get('/', {given})\nasync def read(): ...\n"
    found = response(routes(tmp_path, body, more))
    assert found is not None
    assert (found.schemas, found.unknown) == ((), why)


@pytest.mark.parametrize("told", ["Iterable", "AsyncIterator"])
def test_generator_is_told(told: str, tmp_path: Path) -> None:
    found = response(routes(tmp_path, f"@router.get('/')\nasync def read() -> {told}[CityOut]:\n    yield 1\n"))
    assert found is not None
    assert (found.schemas, found.unknown) == ((), "it yields what is sent")


@pytest.mark.parametrize("given", ["response_model=CityOut", ""])
def test_router_that_cannot_be_told(given: str, tmp_path: Path) -> None:
    body = "from elsewhere import SpecialRouter\napi = SpecialRouter()\n"
    found = response(routes(tmp_path, f"{body}@api.get('/', {given})\nasync def read() -> CityOut: ...\n"))
    assert found is not None
    assert (found.schemas, found.unknown) == (CITY, "whether it is a route of FastAPI cannot be told")


def test_route_in_a_function_that_is_given_the_application(tmp_path: Path) -> None:
    body = "def install(app: FastAPI):\n    @app.get('/')\n    async def read() -> CityOut: ...\n"
    found = response(routes(tmp_path, body), "install.read")
    assert found is not None
    assert (found.schemas, found.unknown) == (CITY, "")


def test_route_in_a_function_that_is_given_anything(tmp_path: Path) -> None:
    body = "def install(app):\n    @app.get('/')\n    async def read() -> CityOut: ...\n"
    found = response(routes(tmp_path, body.replace("(app)", "(api)").replace("@app", "@api")), "install.read")
    assert found is not None
    assert (found.schemas, found.unknown) == (CITY, "whether it is a route of FastAPI cannot be told")


def test_two_routes_of_one_function_have_the_schemas_of_both(tmp_path: Path) -> None:
    body = (
        "@router.get('/', response_model=CityOut)\n@app.get('/', response_model=list[RoleOut])\nasync def read(): ...\n"
    )
    found = response(routes(tmp_path, body))
    assert found is not None
    assert (found.schemas, found.many) == ((*CITY, schema("RoleOut")), True)


ADDED = {
    "by its place": "router.add_api_route('/', read, response_model=CityOut)",
    "by its name": "router.add_api_route(path='/', endpoint=read, response_model=CityOut | None)",
    "to the application": "app.add_api_route('/', read, response_model=CityOut)",
    "in a function": "def install(app: FastAPI):\n    app.add_api_route('/', read, response_model=CityOut)",
    "by a method": "class Api:\n    def __init__(self):\n        self.router = APIRouter()\n"
    "        self.router.add_api_route('/', read, response_model=CityOut)",
    "in a router of its own": "class Mine(APIRouter):\n    def __init__(self):\n        super().__init__()\n"
    "        self.add_api_route('/', read, response_model=CityOut)",
}


@pytest.mark.parametrize("form", ADDED)
def test_route_that_is_added_by_a_call(form: str, tmp_path: Path) -> None:
    project = routes(tmp_path, f"async def read() -> RoleOut: ...\n{ADDED[form]}\n")
    found = response(project)
    assert found is not None
    assert (found.schemas, found.by, found.unknown) == (CITY, RESPONSE_MODEL, "")
    assert routes_unseen(project) == ()


def test_function_of_another_file_that_is_added_by_a_call(tmp_path: Path) -> None:
    handlers = "from schemas import CityOut\nasync def read() -> CityOut: ...\n"
    body = "import handlers\nrouter.add_api_route('/', handlers.read)\n"
    project = schemas(tmp_path, "", routes=ROUTES + body, handlers=handlers)
    assert responses(project) == {("handlers.py", "read"): Response(CITY, False, "handlers.py", 2, ANNOTATION)}


def test_method_that_is_added_by_a_call(tmp_path: Path) -> None:
    body = """
    class Cities:
        def __init__(self):
            router.add_api_route("/", self.read, response_model=CityOut)
        async def read(self): ...
    """
    found = response(routes(tmp_path, body), "Cities.read")
    assert found is not None
    assert found.schemas == CITY


def test_route_that_is_added_below_a_decorator_has_the_schemas_of_both(tmp_path: Path) -> None:
    body = "@router.get('/', response_model=CityOut)\nasync def read(): ...\n"
    found = response(routes(tmp_path, f"{body}app.add_api_route('/', read, response_model=RoleOut)\n"))
    assert found is not None
    assert found.schemas == (*CITY, schema("RoleOut"))


ADDED_UNSEEN = {
    "in a loop": "for path, read in TABLE:\n    router.add_api_route(path, read, response_model=CityOut)",
    "by a parameter": "def add(read):\n    router.add_api_route('/', read)",
    "among what a star gives": "router.add_api_route(*ARGUMENTS, read)",
    "among what two stars give": "router.add_api_route('/', **OPTIONS)",
    "wrapped": "router.add_api_route('/', cached(read))",
    "to what cannot be told": "def add(anything):\n    anything.add_api_route('/', one)",
}


@pytest.mark.parametrize("form", ADDED_UNSEEN)
def test_route_that_is_added_by_a_call_with_a_function_out_of_view_is_told_by_its_file(
    form: str, tmp_path: Path
) -> None:
    body = f"from elsewhere import ARGUMENTS, OPTIONS, TABLE, cached\nasync def read(): ...\n{ADDED_UNSEEN[form]}\n"
    assert routes_unseen(routes(tmp_path, body)) == ("routes.py",)


def test_call_of_that_name_on_something_else_adds_no_route(tmp_path: Path) -> None:
    body = "class Registry:\n    def add_api_route(self, path, endpoint): ...\nasync def read() -> CityOut: ...\n"
    project = routes(tmp_path, f"{body}Registry().add_api_route('/', read)\nRegistry().add_api_route('/', 1)\n")
    assert (responses(project), routes_unseen(project)) == ({}, ())


def test_no_route_is_added_by_a_call(tmp_path: Path) -> None:
    assert routes_unseen(routes(tmp_path, "@router.get('/')\nasync def read() -> CityOut: ...\n")) == ()


def test_files_that_no_word_selected_are_read_for_routes(tmp_path: Path) -> None:
    schemas(tmp_path, "", routes=ROUTES + "@router.get('/')\nasync def read() -> CityOut: ...\n")
    found = [sources.read(tmp_path, path) for path in ("models.py", "routes.py", "schemas.py")]
    every = {one.path: one for one in found if isinstance(one, Source)}
    names = {path: ModuleName(one.module, one.is_package) for path, one in every.items()}
    project = link([scan(every["models.py"])], names, load=lambda path: scan(every[path]))
    assert list(responses(project)) == [("routes.py", "read")]


def test_answers_are_remembered_and_go_with_the_project(tmp_path: Path) -> None:
    project = routes(tmp_path, "@router.get('/')\nasync def read() -> RoleOut: ...\n")
    assert responses(project) is responses(project)
    assert fields_read(schema("RoleOut"), project) is fields_read(schema("RoleOut"), project)
    assert paths(project, "RoleOut", "Role")
    held = weakref.ref(project)
    del project
    gc.collect()
    assert held() is None


# --- as FastAPI and pydantic read -----------------------------------------------------------------------------------


class Recorded:
    """An object that writes down which of its attributes are asked for."""

    def __init__(self, name: str, log: list[str], **values: object) -> None:
        self._name = name
        self._log = log
        self._values = values

    def __getattr__(self, name: str) -> object:
        if name.startswith("_") or name not in self._values:
            raise AttributeError(name)
        self._log.append(f"{self._name}.{name}")
        return self._values[name]


AS_READ = {
    "without settings": "class Out(BaseModel):\n    id: int\n    roles: list[RoleOut]",
    "from_attributes=False": "class Out(BaseModel, from_attributes=False):\n    roles: list[RoleOut]",
    "left out": "class Out(BaseModel):\n    roles: list[RoleOut] = Field(exclude=True)",
    "another name": "class Out(BaseModel):\n    x: CityOut = Field(alias='x', validation_alias='city')",
    "written under another name": "class Out(BaseModel):\n    city: CityOut = Field(serialization_alias='x')",
    "the default beats Annotated": "class Out(BaseModel):\n"
    "    x: Annotated[CityOut, Field(alias='id')] = Field(alias='city')",
    "by name": "class Out(BaseModel):\n    model_config = ConfigDict(populate_by_name=True)\n"
    "    roles: list[RoleOut] = Field(alias='theRoles')",
    "choices": "class Out(BaseModel):\n    x: CityOut = Field(validation_alias=AliasChoices('town', 'city'))",
    "camel case": "class Out(BaseModel):\n    model_config = ConfigDict(alias_generator=to_camel)\n    city: CityOut",
    "a mixin": "class Mixin:\n    city: CityOut\nclass Out(Mixin, BaseModel):\n    id: int",
    "computed": "class Out(BaseModel):\n    id: int\n    @computed_field\n    @property\n"
    "    def roles(self) -> int: return self.id",
    "an init of its own": "class Out(BaseModel):\n    city: CityOut\n    def __init__(self, **k): raise ValueError",
    "before a field": "class Out(BaseModel):\n    city: CityOut\n    @field_validator('city', mode='before')\n"
    "    @classmethod\n    def v(cls, v): return CityOut(id=1)",
}


def read_by_fastapi(body: str, sent: str = "user") -> list[str]:
    """What FastAPI reads by `Out` of a user with one role and a city, when `sent` is returned, by running it."""
    text = HEAD.replace("from models import User\n", "") + SMALL + body
    space: dict[str, object] = {"__name__": __name__}
    exec(compile(text.replace("from __future__ import annotations", ""), "<schemas>", "exec", dont_inherit=True), space)
    log: list[str] = []
    role = Recorded("roles", log, id=2, permissions=[Recorded("permissions", log, id=3)])
    user = Recorded("", log, id=1, roles=[role], city=Recorded("city", log, id=4))
    app = FastAPI()
    app.get("/", response_model=space["Out"])(lambda: eval(sent, space, {"user": user}))

    async def status() -> int:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            return (await client.get("/")).status_code

    assert asyncio.run(status()) == 200
    return log


@pytest.mark.parametrize("form", AS_READ)
def test_relationships_are_those_that_fastapi_reads(form: str, tmp_path: Path) -> None:
    relations = {".city": ("city",), ".roles": ("roles",), "roles.permissions": ("roles", "permissions")}
    read = {relations[one] for one in read_by_fastapi(AS_READ[form]) if one in relations}
    project = schemas(tmp_path, AS_READ[form])
    assert set(paths(project)) == read
