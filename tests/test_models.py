"""What the mapped classes of a project say, by definition and across files; and the same as SQLAlchemy says of them.

Small projects are written to temporary folders. They are imported in one place only: where SQLAlchemy is asked for its
own account of them, in a process of its own.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from textwrap import dedent

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from codemods import sources
from codemods.plan import Source
from codemods.project.facts import ModuleFacts
from codemods.project.link import Project, link
from codemods.project.mapped_cascades import expunge_reaches
from codemods.project.mapped_classes import all_mapped, mapped
from codemods.project.mapping import Direction, Mapped, Relationship
from codemods.project.scan import scan
from codemods.project.sessions import ClassMeaning
from codemods.project.symbols import ModuleName

HEAD = """
from __future__ import annotations
import datetime, decimal, enum, uuid
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, List, Optional, Set, Union
from sqlalchemy import (
    Column, Computed, Enum, ForeignKey, ForeignKeyConstraint, Identity, Index, Integer, PrimaryKeyConstraint, String,
    Table, UniqueConstraint, func,
)
from sqlalchemy.ext.associationproxy import AssociationProxy, association_proxy
from sqlalchemy.ext.hybrid import hybrid_method, hybrid_property
from sqlalchemy.orm import (
    DeclarativeBase, DynamicMapped, Mapped, MappedAsDataclass, WriteOnlyMapped, backref, column_property,
    declarative_base, declared_attr, deferred, dynamic_loader, mapped_column, registry, relationship, synonym,
)
"""
BASE = f"{HEAD}\nclass Base(DeclarativeBase):\n    pass\n"
PK = "id: Mapped[int] = mapped_column(primary_key=True)"


class Written:
    """A project on disk: its sources as the tool reads them."""

    def __init__(self, root: Path, files: Mapping[str, str]) -> None:
        for path, text in files.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(dedent(text), encoding="utf-8")
        self.sources: dict[str, Source] = {}
        for path in files:
            source = sources.read(root, path)
            assert isinstance(source, Source)
            self.sources[path] = source
        self.names = {path: ModuleName(one.module, one.is_package) for path, one in self.sources.items()}

    def facts(self) -> list[ModuleFacts]:
        return [scan(source) for source in self.sources.values()]

    def project(self) -> Project:
        return link(self.facts(), self.names)

    def mapped(self, name: str, path: str = "models.py") -> Mapped | None:
        return mapped(ClassMeaning(path, name), self.project())

    def known(self, name: str, path: str = "models.py") -> Mapped:
        found = self.mapped(name, path)
        assert found is not None, name
        return found


def models(root: Path, body: str, head: str = BASE) -> Written:
    """One module of models below the imports and a `Base`."""
    return Written(root, {"models.py": head + dedent(body)})


# --- what is mapped -------------------------------------------------------------------------------------------------

MAPPED_FORMS = {
    "below a DeclarativeBase": ("class Base(DeclarativeBase): pass", "class User(Base):"),
    "below declarative_base()": ("Base = declarative_base()", "class User(Base):"),
    "below a base with a second name": ("Base = declarative_base()\nModel = Base", "class User(Model):"),
    "below registry().generate_base()": ("reg = registry()\nBase = reg.generate_base()", "class User(Base):"),
    "below a base made on the spot": ("Base = registry().generate_base()", "class User(Base):"),
    "by the decorator of a registry": ("reg = registry()", "@reg.mapped\nclass User:"),
    "as a dataclass by a registry": ("reg = registry()", "@reg.mapped_as_dataclass(init=False)\nclass User:"),
    "below as_declarative": (
        "from sqlalchemy.orm import as_declarative\n@as_declarative()\nclass Base: pass",
        "class User(Base):",
    ),
    "with a dataclass in its bases": ("class Base(MappedAsDataclass, DeclarativeBase): pass", "class User(Base):"),
    "below a base that the type checker takes for Any": (
        "if TYPE_CHECKING:\n    Base = Any\nelse:\n    Base = declarative_base()",
        "class User(Base):",
    ),
    "below a class made of a class of its name": (
        "class Base:\n    pass\nBase = declarative_base(cls=Base)",
        "class User(Base):",
    ),
    "when the base has two homes": (
        "try:\n    from sqlalchemy.orm import declarative_base as make\n"
        "except ImportError:\n    from sqlalchemy.ext.declarative import declarative_base as make\nBase = make()",
        "class User(Base):",
    ),
}


@pytest.mark.parametrize("form", MAPPED_FORMS)
def test_class_is_mapped(form: str, tmp_path: Path) -> None:
    base, header = MAPPED_FORMS[form]
    text = f"{HEAD}\n{base}\n{header}\n    __tablename__ = 'users'\n    {PK}\n"
    user = Written(tmp_path, {"models.py": text}).known("User")
    assert (list(user.columns), user.primary_key, user.unknown) == (["id"], ("id",), ())


NOT_MAPPED = {
    "the base of the registry": "class User(DeclarativeBase): pass",
    "an abstract class": "class Base(DeclarativeBase): pass\nclass User(Base):\n    __abstract__ = True",
    "a mixin": f"class User:\n    {PK}",
    "a schema of SQLModel": "from sqlmodel import SQLModel\nclass User(SQLModel):\n    id: int",
    "a class whose base is not in view": "from elsewhere import Base\nclass User(Base):\n    __tablename__ = 'u'",
    "a plain class that is called Base": "class Base: pass\nclass User(Base):\n    __tablename__ = 'u'",
}


@pytest.mark.parametrize("form", NOT_MAPPED)
def test_class_is_not_mapped(form: str, tmp_path: Path) -> None:
    assert Written(tmp_path, {"models.py": HEAD + NOT_MAPPED[form]}).mapped("User") is None


def test_class_inside_of_a_function_is_left_out(tmp_path: Path) -> None:
    text = f"def make():\n    class User(Base):\n        __tablename__ = 'u'\n        {PK}\n    return User\n"
    assert not all_mapped(models(tmp_path, text).project())


def test_sqlmodel_with_table_is_mapped_with_the_fields_of_its_bases_first(tmp_path: Path) -> None:
    text = """
    from typing import Optional
    from sqlmodel import Field, SQLModel
    class Keyed(SQLModel):
        tenant: int = Field(primary_key=True)
    class Hero(Keyed, table=True):
        id: Optional[int] = Field(default=None, primary_key=True)
        name: str = "nobody"
        _hidden: int = 3
    """
    hero = Written(tmp_path, {"models.py": text}).known("Hero")
    assert hero.primary_key == ("tenant", "id")
    assert set(hero.columns) == {"tenant", "id", "name"}
    assert (hero.columns["id"].optional, hero.columns["name"].optional) == (True, False)


# --- primary keys ---------------------------------------------------------------------------------------------------

KEYS: dict[str, tuple[str, tuple[str, ...] | None]] = {
    "composite": (
        "class A(Base):\n b: Mapped[int] = mapped_column(primary_key=True)\n a = Column(Integer, primary_key=True)",
        ("b", "a"),
    ),
    "from a mixin": (f"class Keyed:\n    {PK}\nclass A(Keyed, Base):\n    __tablename__ = 'a'", ("id",)),
    "from an abstract base": (
        f"class Keyed(Base):\n    __abstract__ = True\n    {PK}\nclass A(Keyed):\n    __tablename__ = 'a'",
        ("id",),
    ),
    "from a declared_attr": (
        "class Keyed:\n    @declared_attr\n    def id(cls):\n        return Column(Integer, primary_key=True)\n"
        "class A(Keyed, Base):\n    __tablename__ = 'a'",
        ("id",),
    ),
    "in an alias of the type": (
        "Key = Annotated[int, mapped_column(primary_key=True)]\nclass A(Base):\n    id: Mapped[Key]",
        ("id",),
    ),
    "in the type itself": (
        "class A(Base):\n    id: Mapped[Annotated[int, mapped_column(primary_key=True)]]",
        ("id",),
    ),
    "from a function": (
        "def key(**more):\n    return mapped_column(primary_key=True, **more)\n"
        "class A(Base):\n    id: Mapped[int] = key()",
        ("id",),
    ),
    "decided by an argument of a function": (
        "def column(is_key=False):\n    return mapped_column(primary_key=is_key)\n"
        "class A(Base):\n    id: Mapped[int] = column(is_key=True)\n    name: Mapped[str] = column()",
        ("id",),
    ),
    "decided by what cannot be told": (
        "import settings\nclass A(Base):\n    id: Mapped[int] = mapped_column(primary_key=settings.KEYED)",
        None,
    ),
    "of a constraint": (
        "class A(Base):\n    a: Mapped[int]\n    b: Mapped[int]\n"
        "    __table_args__ = (PrimaryKeyConstraint('b', 'a'),)",
        ("b", "a"),
    ),
    "of a constraint by attributes": (
        "class A(Base):\n    a: Mapped[int] = mapped_column(primary_key=True)\n"
        "    b: Mapped[int] = mapped_column(primary_key=True)\n    __table_args__ = (PrimaryKeyConstraint(b, a), {})",
        ("b", "a"),
    ),
    "of a constraint by names of columns": (
        "class A(Base):\n    a: Mapped[int] = mapped_column('a_')\n    __table_args__ = (PrimaryKeyConstraint('a_'),)",
        ("a",),
    ),
    "where the arguments of the table cannot be read": (
        f"import settings\nclass A(Base):\n    {PK}\n    __table_args__ = settings.ARGUMENTS",
        None,
    ),
    "of two classes, whose order depends on the version": (
        f"class Keyed:\n    tenant: Mapped[int] = mapped_column(primary_key=True)\nclass A(Keyed, Base):\n    {PK}",
        None,
    ),
    "that asks for another order": (
        "class A(Base):\n    a: Mapped[int] = mapped_column(primary_key=True)\n"
        "    b: Mapped[int] = mapped_column(primary_key=True, sort_order=-1)",
        None,
    ),
    "that the mapper chooses": (
        f"class A(Base):\n    {PK}\n    code: Mapped[str]\n    __mapper_args__ = {{'primary_key': [code]}}",
        None,
    ),
    "of the parent in joined inheritance": (
        f"class P(Base):\n    __tablename__ = 'p'\n    {PK}\nclass A(P):\n    __tablename__ = 'a'\n"
        "    a_id: Mapped[int] = mapped_column(ForeignKey('p.id'), primary_key=True)",
        ("id",),
    ),
    "of the parent in one table": (
        f"class P(Base):\n    __tablename__ = 'p'\n    {PK}\nclass A(P):\n    extra: Mapped[Optional[str]]",
        ("id",),
    ),
    "beside a base that is not in view": (
        f"from elsewhere import Mixin\nclass A(Mixin, Base):\n    __tablename__ = 'a'\n    {PK}",
        None,
    ),
}


@pytest.mark.parametrize("form", KEYS)
def test_primary_key(form: str, tmp_path: Path) -> None:
    body, expected = KEYS[form]
    assert models(tmp_path, body).known("A").primary_key == expected


# --- columns --------------------------------------------------------------------------------------------------------


def test_columns_say_what_they_hold(tmp_path: Path) -> None:
    body = """
    class Colour(enum.Enum):
        RED = 1
    Text = Annotated[str, mapped_column(String(30))]
    class A(Base):
        __tablename__ = "a"
        id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
        name: Mapped[Optional[str]]
        nick: Mapped["str | None"] = mapped_column(nullable=False)
        age = Column(Integer)
        colour: Mapped[Colour]
        note: Mapped[Text] = mapped_column(deferred=True)
        blob = deferred(Column(String))
        made: Mapped[datetime.datetime] = mapped_column(server_default=func.now(), onupdate=func.now())
        total: Mapped[int] = mapped_column(Computed("age + 1"))
        price: Mapped[Union[decimal.Decimal, int]]
        odd: Mapped[Any]
        shown: ClassVar[int] = 3
        b_id = Column("bid", ForeignKey("b.id"), nullable=False)
    """
    columns = models(tmp_path, body).known("A").columns
    assert {name: column.python_type for name, column in columns.items() if column.python_type} == {
        "id": "uuid.UUID",
        "name": "str",
        "nick": "str",
        "age": "int",
        "colour": "models.Colour",
        "note": "str",
        "blob": "str",
        "made": "datetime.datetime",
        "total": "int",
    }
    assert {name for name, column in columns.items() if not column.plain} == {"price", "odd", "b_id"}
    assert {name for name, column in columns.items() if column.optional} == {"name", "nick"}
    assert {name for name, column in columns.items() if column.nullable} == {"name", "age", "blob"}
    assert {name for name, column in columns.items() if column.deferred} == {"note", "blob"}
    assert {name for name, column in columns.items() if column.server_default} == {"made", "total"}
    assert {name for name, column in columns.items() if column.onupdate} == {"made", "total"}
    assert [(key.column, key.table) for key in columns["b_id"].foreign_keys] == [("b_id", "b")]
    assert (columns["odd"].optional, columns["odd"].nullable) == (None, None)
    assert "shown" not in columns


def test_hybrids_proxies_synonyms_and_computed_attributes_are_told_apart(tmp_path: Path) -> None:
    body = f"""
    class Tag(Base):
        __tablename__ = "tags"
        {PK}
        a_id: Mapped[int] = mapped_column(ForeignKey("a.id"))
    class A(Base):
        __tablename__ = "a"
        {PK}
        tags: Mapped[list[Tag]] = relationship()
        tag_ids: AssociationProxy[list[int]] = association_proxy("tags", "id")
        key = synonym("id")
        twice = column_property(id + id)
        @hybrid_property
        def half(self): return self.id / 2
        @half.inplace.expression
        @classmethod
        def _half(cls): return cls.id / 2
        @hybrid_method
        def above(self, n): return self.id > n
        def plain(self): return 1
    """
    a = models(tmp_path, body).known("A")
    assert a.hybrids == {"half", "above"}
    assert [(proxy.name, proxy.through, proxy.attribute) for proxy in a.proxies.values()] == [("tag_ids", "tags", "id")]
    assert (dict(a.synonyms), set(a.column_properties), set(a.relationships)) == ({"key": "id"}, {"twice"}, {"tags"})
    assert set(a.columns) == {"id"}


TRUTHS = {
    "in the class": "class A(Base):\n    {pk}\n    def __len__(self): return 0",
    "in a mixin": "class Sized:\n    def __bool__(self): return False\nclass A(Sized, Base):\n    {pk}",
    "as an attribute": "class A(Base):\n    {pk}\n    __len__ = lambda self: 0",
    "in a class below, whose objects it loads": (
        "class A(Base):\n    __tablename__ = 'a'\n    {pk}\nclass B(A):\n    def __len__(self): return 0"
    ),
}


@pytest.mark.parametrize("form", TRUTHS)
def test_own_truth_is_seen(form: str, tmp_path: Path) -> None:
    assert models(tmp_path, TRUTHS[form].format(pk=PK)).known("A").own_truth


def test_class_without_own_truth_has_none(tmp_path: Path) -> None:
    assert not models(tmp_path, f"class A(Base):\n    {PK}\n    def size(self): return 0").known("A").own_truth


# --- targets --------------------------------------------------------------------------------------------------------

PARENT = f"class Parent(Base):\n    __tablename__ = 'parents'\n    {PK}\n"
CHILD = f"class Child(Base):\n    __tablename__ = 'children'\n    {PK}\n"
CHILD += "    parent_id: Mapped[int] = mapped_column(ForeignKey('parents.id'))\n"
TARGETS = {
    "in quotes": "children = relationship('Child')",
    "in quotes with a part of its module": "children = relationship('app.child.Child')",
    "in quotes with the last part of its module": "children = relationship('child.Child')",
    "behind a lambda": "children = relationship(lambda: Child)",
    "behind a lambda in quotes": "children = relationship(lambda: 'Child')",
    "behind a constant": "children = relationship(CHILD)",
    "by keyword": "children = relationship(argument='Child')",
    "in the declared type": "children: Mapped[list['Child']] = relationship()",
    "in a declared type in quotes": "children: Mapped['list[Child]'] = relationship()",
    "in a declared type all in quotes": "children: 'Mapped[List[Child]]' = relationship()",
    "in a set": "children: Mapped[Set['Child']] = relationship()",
    "as the values of a dict": "children: Mapped[dict[str, 'Child']] = relationship()",
    "of a dynamic collection": "children: DynamicMapped['Child'] = relationship()",
    "of a written collection": "children: WriteOnlyMapped['Child'] = relationship()",
    "in a loader": "children = dynamic_loader('Child')",
    "in a declared_attr": "@declared_attr\n    def children(cls):\n        return relationship('Child')",
    "in the type of a declared_attr": (
        "@declared_attr\n    def children(cls) -> Mapped[List['Child']]:\n        return relationship()"
    ),
}


@pytest.mark.parametrize("form", TARGETS)
def test_target_is_found_in_another_file(form: str, tmp_path: Path) -> None:
    head = (
        "from typing import TYPE_CHECKING\nfrom app.base import *\nif TYPE_CHECKING:\n    from app.child import Child\n"
    )
    files = {
        "app/__init__.py": "",
        "app/base.py": BASE,
        "app/parent.py": f"{head}CHILD = 'Child'\n{PARENT}    {TARGETS[form]}\n",
        "app/child.py": f"from app.base import *\n{CHILD}",
    }
    children = Written(tmp_path, files).known("Parent", "app/parent.py").relationships["children"]
    assert children.target == ClassMeaning("app/child.py", "Child"), children.unresolved
    assert children.to_many is True


ONE_FORMS = {
    "optional in quotes": "parent: Mapped['Parent | None'] = relationship()",
    "Optional of quotes": "parent: Mapped[Optional['Parent']] = relationship()",
    "untyped, by the foreign key": "parent = relationship('Parent')",
    "with a declared type that SQLAlchemy does not read": "parent: Parent = relationship('Parent')",
    "untyped with uselist": "parent = relationship('Parent', uselist=False)",
    "an attribute of a module": "parent: Mapped['parents.Parent'] = relationship()",
}


@pytest.mark.parametrize("form", ONE_FORMS)
def test_relationship_to_one(form: str, tmp_path: Path) -> None:
    head = "from base import *\nimport parents\n"
    files = {
        "base.py": BASE,
        "child.py": f"{head}{CHILD}    {ONE_FORMS[form]}\n",
        "parents.py": f"from base import *\n{PARENT}",
    }
    parent = Written(tmp_path, files).known("Child", "child.py").relationships["parent"]
    assert parent.target == ClassMeaning("parents.py", "Parent"), parent.unresolved
    assert (parent.to_many, parent.direction) == (False, Direction.MANY_TO_ONE)


def test_two_classes_of_one_name_are_ambiguous(tmp_path: Path) -> None:
    other = f"from base import *\nclass Child(Base):\n    __tablename__ = 'c{{}}'\n    {PK}\n"
    files = {
        "base.py": BASE,
        "parent.py": f"from base import *\n{PARENT}    children = relationship('Child', cascade='all')\n",
        "one.py": other.format(1),
        "two.py": other.format(2),
    }
    written = Written(tmp_path, files)
    children = written.known("Parent", "parent.py").relationships["children"]
    assert (children.target, children.unresolved) == (None, "2 mapped classes are called `Child`")
    assert expunge_reaches(ClassMeaning("parent.py", "Parent"), written.project()) is None


def test_of_two_classes_of_one_name_the_one_that_is_imported_is_meant(tmp_path: Path) -> None:
    other = f"from base import *\nclass Child(Base):\n    __tablename__ = 'c{{}}'\n    {PK}\n"
    files = {
        "base.py": BASE,
        "parent.py": f"from base import *\nimport two\n{PARENT}    children = relationship('Child')\n",
        "one.py": other.format(1),
        "two.py": other.format(2),
    }
    children = Written(tmp_path, files).known("Parent", "parent.py").relationships["children"]
    assert children.target == ClassMeaning("two.py", "Child")


def test_a_class_of_another_registry_is_no_target(tmp_path: Path) -> None:
    body = f"class Other(DeclarativeBase): pass\nclass Child(Other):\n    __tablename__ = 'c'\n    {PK}\n{PARENT}"
    children = models(tmp_path, f"{body}    children = relationship('Child')").known("Parent").relationships["children"]
    assert (children.target, children.unresolved) == (None, "no mapped class `Child` is in view")


UNRESOLVED = {
    "a name that is nowhere": ("relationship('Nobody')", "no mapped class `Nobody` is in view"),
    "nothing at all": ("relationship()", "no target is given"),
    "a class of another package": ("relationship(Foreign)", "`elsewhere.Foreign` is not in view"),
    "a plain class": ("relationship(Plain)", "`Plain` is not known to be mapped"),
    "what is computed": ("relationship('Ch' + 'ild')", "`(...)` cannot be followed"),
}


@pytest.mark.parametrize("form", UNRESOLVED)
def test_target_that_cannot_be_told_says_why(form: str, tmp_path: Path) -> None:
    written, why = UNRESOLVED[form]
    body = f"from elsewhere import Foreign\nclass Plain: pass\n{PARENT}    children = {written}\n{CHILD}"
    children = models(tmp_path, body).known("Parent").relationships["children"]
    assert (children.target, children.unresolved) == (None, why)


# --- SQLModel -------------------------------------------------------------------------------------------------------


def test_relationships_of_sqlmodel(tmp_path: Path) -> None:
    text = """
    from typing import List, Optional
    from sqlmodel import Field, Relationship, SQLModel
    class Link(SQLModel, table=True):
        hero_id: int = Field(primary_key=True, foreign_key="hero.id")
        power_id: int = Field(primary_key=True, foreign_key="power.id")
    class Hero(SQLModel, table=True):
        __tablename__ = "hero"
        id: Optional[int] = Field(default=None, primary_key=True)
        team_id: Optional[int] = Field(default=None, foreign_key="team.id")
        team: Optional["Team"] = Relationship(back_populates="heroes", sa_relationship_kwargs={"lazy": "selectin"})
        powers: list["Power"] = Relationship(link_model=Link)
    class Team(SQLModel, table=True):
        __tablename__ = "team"
        id: Optional[int] = Field(default=None, primary_key=True)
        heroes: List["Hero"] = Relationship(back_populates="team", cascade_delete=True)
        others: List["Hero"] = Relationship(sa_relationship_kwargs=dict(cascade="all", viewonly=True))
    class Power(SQLModel, table=True):
        __tablename__ = "power"
        id: Optional[int] = Field(default=None, primary_key=True)
    """
    written = Written(tmp_path, {"models.py": text})
    hero, team = written.known("Hero"), written.known("Team")
    assert (hero.relationships["team"].lazy, hero.relationships["team"].to_many) == ("selectin", False)
    assert hero.relationships["team"].direction is Direction.MANY_TO_ONE
    assert hero.relationships["powers"].direction is Direction.MANY_TO_MANY
    assert team.relationships["heroes"].expunges
    assert "delete-orphan" in (team.relationships["heroes"].cascade or ())
    assert team.relationships["others"].expunges
    assert team.relationships["others"].viewonly
    assert set(hero.columns) == {"id", "team_id"}


# --- settings and the other side ------------------------------------------------------------------------------------


def relation(root: Path, written: str, more: str = "") -> Relationship:
    body = f"{more}{PARENT}    children = {written}\n{CHILD}"
    return models(root, body).known("Parent").relationships["children"]


CASCADES: dict[str, tuple[str, frozenset[str] | None]] = {
    "by default": ("relationship('Child')", frozenset({"save-update", "merge"})),
    "all": (
        "relationship('Child', cascade='all, delete-orphan')",
        frozenset({"save-update", "merge", "refresh-expire", "expunge", "delete", "delete-orphan"}),
    ),
    "without spaces": ("relationship('Child', cascade='merge,expunge')", frozenset({"merge", "expunge"})),
    "of a constant": ("relationship('Child', cascade=WORDS)", frozenset({"merge", "expunge"})),
    "none": ("relationship('Child', cascade='all, none')", frozenset()),
    "off": ("relationship('Child', cascade=False)", frozenset()),
    "viewed only": ("relationship('Child', viewonly=True)", frozenset({"merge"})),
    "computed": ("relationship('Child', cascade=words())", None),
    "perhaps in options": ("relationship('Child', **options)", None),
}


@pytest.mark.parametrize("form", CASCADES)
def test_cascade(form: str, tmp_path: Path) -> None:
    written, expected = CASCADES[form]
    assert relation(tmp_path, written, "WORDS = 'merge, expunge'\n").cascade == expected


LAZY: dict[str, tuple[str, str | None]] = {
    "by default": ("relationship('Child')", "select"),
    "in words": ("relationship('Child', lazy='raise_on_sql')", "raise_on_sql"),
    "true": ("relationship('Child', lazy=True)", "select"),
    "false": ("relationship('Child', lazy=False)", "joined"),
    "none": ("relationship('Child', lazy=None)", "noload"),
    "dynamic": ("dynamic_loader('Child')", "dynamic"),
    "computed": ("relationship('Child', lazy=how())", None),
}


@pytest.mark.parametrize("form", LAZY)
def test_lazy(form: str, tmp_path: Path) -> None:
    written, expected = LAZY[form]
    assert relation(tmp_path, written).lazy == expected


def test_lazy_of_collections_that_are_declared_to_be_queries(tmp_path: Path) -> None:
    body = f"{PARENT}    a: DynamicMapped['Child'] = relationship()\n    b: WriteOnlyMapped[Child] = relationship()\n"
    found = models(tmp_path, body + CHILD).known("Parent").relationships
    assert {name: (one.lazy, one.to_many) for name, one in found.items()} == {
        "a": ("dynamic", True),
        "b": ("write_only", True),
    }


def test_backref_makes_an_attribute_on_the_other_class(tmp_path: Path) -> None:
    body = f"{PARENT}    children = relationship('Child', backref='parent')\n{CHILD}"
    parent = models(tmp_path, body).known("Child").relationships["parent"]
    assert parent.implied
    assert parent.target == ClassMeaning("models.py", "Parent")
    assert (parent.to_many, parent.lazy, parent.back_populates) == (False, "select", "children")


def test_backref_with_settings_of_its_own(tmp_path: Path) -> None:
    written = "relationship('Parent', backref=backref('children', cascade='all', lazy='joined'))"
    children = models(tmp_path, f"{PARENT}{CHILD}    parent = {written}\n").known("Parent").relationships["children"]
    assert (children.to_many, children.lazy, children.expunges) == (True, "joined", True)


def test_classes_below_have_the_backref_too(tmp_path: Path) -> None:
    body = f"{PARENT}{CHILD}    parent = relationship('Parent', backref='children')\nclass Stepchild(Child): pass\n"
    written = models(tmp_path, f"{body}class Stepparent(Parent): pass\n")
    assert written.known("Stepparent").relationships["children"].implied
    assert set(written.known("Stepchild").relationships) == {"parent"}


def test_backref_without_a_known_target_is_known_to_be_missing(tmp_path: Path) -> None:
    body = f"{PARENT}{CHILD}    parent = relationship(which(), backref=backref('children', cascade='all'))\n"
    assert models(tmp_path, body).known("Parent").may_relate_more


def test_relationship_that_is_set_after_the_class(tmp_path: Path) -> None:
    files = {
        "base.py": BASE,
        "models.py": f"from base import *\n{PARENT}{CHILD}",
        "wiring.py": "from sqlalchemy.orm import relationship\nfrom models import *\n"
        "Parent.children = relationship('Child', cascade='all')\n",
    }
    children = Written(tmp_path, files).known("Parent").relationships["children"]
    assert (children.target, children.expunges, children.path) == (
        ClassMeaning("models.py", "Child"),
        True,
        "wiring.py",
    )


def test_attribute_that_hides_an_inherited_relationship(tmp_path: Path) -> None:
    body = f"class Related:\n    @declared_attr\n    def children(cls):\n        return relationship('Child')\n{CHILD}"
    body += f"class Parent(Related, Base):\n    __tablename__ = 'parents'\n    {PK}\n    children = None\n"
    assert not models(tmp_path, body).known("Parent").relationships


def test_what_is_made_out_of_view_is_said_to_be_unknown(tmp_path: Path) -> None:
    body = f"from elsewhere import magic\n{PARENT}    children = magic()\n"
    unknown = models(tmp_path, body).known("Parent").unknown
    assert [(one.name, one.why) for one in unknown] == [
        ("children", "it is made by `elsewhere.magic`, which is not in view")
    ]


# --- what expunging reaches -----------------------------------------------------------------------------------------

TREE = f"""
class Node(Base):
    __tablename__ = "nodes"
    {PK}
    parent_id: Mapped[Optional[int]] = mapped_column(ForeignKey("nodes.id"))
    children = relationship("Node", cascade="CASCADE")
"""
CHAIN = f"""
class A(Base):
    __tablename__ = "a"
    {PK}
    bs = relationship("B", cascade="all")
class B(Base):
    __tablename__ = "b"
    {PK}
    a_id = Column(ForeignKey("a.id"))
    cs = relationship("C", cascade="all")
class C(Base):
    __tablename__ = "c"
    {PK}
    b_id = Column(ForeignKey("b.id"))
    a_id = Column(ForeignKey("a.id"))
    a = relationship("A"BACK)
"""


def reaches(root: Path, body: str, name: str) -> set[str] | None:
    found = expunge_reaches(ClassMeaning("models.py", name), models(root, body).project())
    return None if found is None else {class_.qualname for class_ in found}


def test_tree_reaches_itself(tmp_path: Path) -> None:
    assert reaches(tmp_path, TREE.replace("CASCADE", "all"), "Node") == {"Node"}


def test_tree_with_the_default_cascade_reaches_nothing(tmp_path: Path) -> None:
    assert reaches(tmp_path, TREE.replace("CASCADE", "save-update, merge"), "Node") == set()


def test_cascade_goes_on_and_on(tmp_path: Path) -> None:
    assert reaches(tmp_path, CHAIN.replace("BACK", ""), "A") == {"B", "C"}


def test_cascade_that_comes_back(tmp_path: Path) -> None:
    assert reaches(tmp_path, CHAIN.replace("BACK", ", cascade='all'"), "A") == {"A", "B", "C"}


def test_cascade_through_a_backref(tmp_path: Path) -> None:
    back = "parent = relationship('Parent', cascade='all', backref=backref('children', cascade='all'))"
    assert reaches(tmp_path, f"{PARENT}{CHILD}    {back}\n", "Parent") == {"Parent", "Child"}


def test_object_of_a_class_below_brings_its_own_cascades(tmp_path: Path) -> None:
    body = f"{PARENT}class Stepparent(Parent):\n    children = relationship('Child', cascade='all')\n{CHILD}"
    assert reaches(tmp_path, body, "Parent") == {"Child"}


def test_what_is_reached_is_also_of_the_classes_above_and_below(tmp_path: Path) -> None:
    body = f"{PARENT}    children = relationship('Child', cascade='all')\n{CHILD}class Stepchild(Child): pass\n"
    assert reaches(tmp_path, body, "Parent") == {"Child", "Stepchild"}
    body = body.replace("relationship('Child'", "relationship('Stepchild'")
    assert reaches(tmp_path, body, "Parent") == {"Child", "Stepchild"}


NOT_KNOWN = {
    "a target": f"{PARENT}    children = relationship('Nobody', cascade='all')\n",
    "a cascade": f"{PARENT}    children = relationship('Child', cascade=words())\n{CHILD}",
    "a base": f"from elsewhere import Mixin\nclass Parent(Mixin, Base):\n    {PK}\n",
    "an attribute": f"from elsewhere import magic\n{PARENT}    children = magic()\n",
    "what the mapper is told": f"import more\nclass Parent(Base):\n    {PK}\n    __mapper_args__ = more.ARGUMENTS\n",
    "the properties of the mapper": (
        f"class Parent(Base):\n    {PK}\n    __mapper_args__ = {{'properties': {{'a': relationship('Child')}}}}\n"
    ),
    "the metadata of its fields": f"class Parent(Base):\n    {PK}\n    __sa_dataclass_metadata_key__ = 'sa'\n",
    "what the target says": (
        f"from elsewhere import magic\n{PARENT}    children = relationship('Child', cascade='all')\n"
        f"{CHILD}    more = magic()\n"
    ),
    "reflected tables": "from sqlalchemy.ext.automap import automap_base\nBase = automap_base()\nclass Parent(Base):\n"
    "    __tablename__ = 'parents'\n",
}


@pytest.mark.parametrize("what", NOT_KNOWN)
def test_something_on_the_way_is_not_known(what: str, tmp_path: Path) -> None:
    assert reaches(tmp_path, NOT_KNOWN[what], "Parent") is None


def test_table_that_is_made_by_hand_relates_to_nothing(tmp_path: Path) -> None:
    body = "class Parent(Base):\n    __table__ = Table('p', Base.metadata, Column('id', Integer, primary_key=True))\n"
    parent = models(tmp_path, body).known("Parent")
    assert (set(parent.columns), parent.primary_key) == ({"id"}, None)
    assert reaches(tmp_path, body, "Parent") == set()


def test_unknown_target_without_expunge_does_not_matter(tmp_path: Path) -> None:
    assert reaches(tmp_path, f"{PARENT}    children = relationship('Nobody')\n", "Parent") == set()


# --- the order of files ---------------------------------------------------------------------------------------------

FILES = {
    "base.py": BASE,
    "a.py": f"from base import *\n{PARENT}    children = relationship('Child', backref='parent', cascade='all')\n",
    "b.py": f"from base import *\n{CHILD}    toys: Mapped[list['Toy']] = relationship(cascade='all')\n",
    "c.py": f"from base import *\nclass Toy(Base):\n    __tablename__ = 'toys'\n    {PK}\n"
    "    owner_id = Column(ForeignKey('children.id'))\n    owner = relationship('Child')\n",
    "d.py": f"from b import *\nclass Child(Base):\n    __tablename__ = 'others'\n    {PK}\n",
    "e.py": "from sqlalchemy.orm import relationship\nfrom a import Parent\nParent.toys = relationship('Toy')\n",
}


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(order=st.permutations(sorted(FILES)), loaded=st.sets(st.sampled_from(sorted(FILES))))
def test_neither_the_order_of_files_nor_when_they_are_read_matters(
    order: list[str], loaded: set[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    written = Written(tmp_path_factory.mktemp("order"), FILES)
    expected = all_mapped(written.project())
    facts = {fact.path: fact for fact in written.facts()}
    project = link([facts[path] for path in order if path in loaded], written.names, load=facts.get)
    assert all_mapped(project) == expected
    assert len(expected) == 4


def test_answers_are_remembered_for_a_project(tmp_path: Path) -> None:
    project = models(tmp_path, PARENT).project()
    class_ = ClassMeaning("models.py", "Parent")
    assert mapped(class_, project) is mapped(class_, project)


# --- what SQLAlchemy says itself ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Account:
    """A module of models. `unsaid` are the answers, as "Class.attribute.what", that we do not give."""

    text: str
    unsaid: frozenset[str] = frozenset()
    needs: str = "sqlalchemy"


ACCOUNTS = {
    "trees and pairs": Account(
        BASE
        + dedent(
            """
            class Node(Base):
                __tablename__ = "nodes"
                id: Mapped[int] = mapped_column(primary_key=True)
                parent_id: Mapped[Optional[int]] = mapped_column(ForeignKey("nodes.id"))
                children = relationship("Node", cascade="all, delete-orphan", back_populates="parent")
                parent = relationship("Node", back_populates="children", remote_side=[id])
            class Sibling(Base):
                __tablename__ = "siblings"
                a = Column("a_", Integer, primary_key=True)
                b = Column(Integer, primary_key=True)
                node_id = Column(ForeignKey(Node.id))
                other_id = Column(ForeignKey("nodes.id"))
                node = relationship(
                    Node, foreign_keys=[node_id], backref=backref("siblings", cascade="all", lazy="joined")
                )
                other = relationship("Node", foreign_keys="Sibling.other_id", uselist=False, lazy="selectin")
                one = relationship("Node", foreign_keys=lambda: [Sibling.other_id], viewonly=True, lazy="raise")
            class Extra(Base):
                __tablename__ = "extras"
                id: Mapped[int] = mapped_column(primary_key=True)
                a: Mapped[int]
                b: Mapped[int]
                sibling = relationship("Sibling", backref="extras")
                __table_args__ = (ForeignKeyConstraint(["a", "b"], ["siblings.a_", "siblings.b"]), {})
            """
        )
    ),
    "many to many": Account(
        BASE
        + dedent(
            """
            links = Table(
                "links", Base.metadata, Column("l", ForeignKey("lefts.id")), Column("r", ForeignKey("rights.id"))
            )
            class Left(Base):
                __tablename__ = "lefts"
                id: Mapped[int] = mapped_column(primary_key=True)
                rights: Mapped[Set["Right"]] = relationship(secondary=links, back_populates="lefts", cascade="all")
                named = relationship("Right", secondary="links", viewonly=True)
            class Right(Base):
                __tablename__ = "rights"
                id: Mapped[int] = mapped_column(primary_key=True)
                lefts = relationship("Left", links, back_populates="rights", cascade="merge, expunge")
            """
        )
    ),
    "inheritance": Account(
        BASE
        + dedent(
            """
            class Keyed:
                id: Mapped[int] = mapped_column(primary_key=True)
            class Owned:
                @declared_attr
                def boss_id(cls): return mapped_column(ForeignKey("people.id"))
                @declared_attr
                def boss(cls) -> Mapped[Optional["Person"]]: return relationship("Person", cascade="all")
            class Person(Keyed, Base):
                __tablename__ = "people"
                kind: Mapped[str]
                __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "person"}
            class Worker(Person):
                __tablename__ = "workers"
                worker_id: Mapped[int] = mapped_column(ForeignKey("people.id"), primary_key=True)
                tools: Mapped[list["Tool"]] = relationship(foreign_keys="Tool.worker_id")
                __mapper_args__ = {"polymorphic_identity": "worker"}
            class Guest(Person):
                note: Mapped[Optional[str]] = mapped_column(nullable=True)
                __mapper_args__ = {"polymorphic_identity": "guest"}
            class Tool(Keyed, Owned, Base):
                __tablename__ = "tools"
                worker_id: Mapped[int] = mapped_column(ForeignKey("workers.worker_id"))
                worker = relationship("Worker", foreign_keys="[Tool.worker_id]", viewonly=True)
            """
        )
    ),
    "loading": Account(
        BASE
        + dedent(
            """
            Key = Annotated[int, mapped_column(primary_key=True)]
            class Owner(Base):
                __tablename__ = "owners"
                id: Mapped[Key]
                a: DynamicMapped["Thing"] = relationship(viewonly=True)
                b: WriteOnlyMapped["Thing"] = relationship()
                c = relationship("Thing", lazy=False, viewonly=True)
                d = relationship("Thing", lazy=True, viewonly=True)
                e: Mapped["Thing"] = relationship(viewonly=True)
                f = relationship("Thing", cascade="all, none", viewonly=True)
            class Thing(Base):
                __tablename__ = "things"
                id: Mapped[Key]
                owner_id: Mapped[int] = mapped_column(ForeignKey("owners.id"))
            """
        )
    ),
    "older style": Account(
        HEAD
        + dedent(
            """
            class Made:
                id = Column(Integer, primary_key=True)
            Base = declarative_base(cls=Made)
            class Parent(Base):
                __tablename__ = "parents"
                __table_args__ = {"schema": None}
            class Child(Base):
                __tablename__ = "children"
                parent_id = Column(Integer, ForeignKey("parents.id", ondelete="CASCADE"), nullable=False)
                parent = relationship(Parent, backref=backref("children", uselist=True, passive_deletes=True))
                name = deferred(Column(String(10)))
            Parent.first = relationship("Child", viewonly=True, uselist=False)
            """
        )
    ),
    "primary keys of constraints": Account(
        BASE
        + dedent(
            """
            class Pair(Base):
                __tablename__ = "pairs"
                a: Mapped[int] = mapped_column(primary_key=True)
                b: Mapped[int] = mapped_column(primary_key=True)
                __table_args__ = (PrimaryKeyConstraint("b", "a"), Index("i", "a"))
            class Other(Base):
                __tablename__ = "others"
                c: Mapped[int] = mapped_column("c_")
                __table_args__ = (PrimaryKeyConstraint("c_"),)
            class Mixed:
                tenant: Mapped[int] = mapped_column(primary_key=True)
            class Both(Mixed, Base):
                __tablename__ = "both"
                id: Mapped[int] = mapped_column(primary_key=True)
            """
        ),
        frozenset({"Both.primary_key"}),
    ),
    "a schema in front of the table": Account(
        BASE
        + dedent(
            """
            class Parent(Base):
                __tablename__ = "parents"
                __table_args__ = {"schema": "app"}
                id: Mapped[int] = mapped_column(primary_key=True)
                children = relationship("Child")
            class Child(Base):
                __tablename__ = "children"
                id: Mapped[int] = mapped_column(primary_key=True)
                parent_id: Mapped[int] = mapped_column(ForeignKey("app.parents.id"))
                joined = relationship("Parent", primaryjoin="Child.parent_id == Parent.id", viewonly=True)
            """
        ),
        frozenset({"Child.joined.to_many", "Child.joined.direction"}),
    ),
    "SQLModel": Account(
        dedent(
            """
            from typing import List, Optional
            from sqlmodel import Field, Relationship, SQLModel
            class Keyed(SQLModel):
                tenant: int = Field(primary_key=True)
            class Hero(Keyed, table=True):
                id: Optional[int] = Field(default=None, primary_key=True)
                team_id: Optional[int] = Field(default=None, foreign_key="team.id")
                team: Optional["Team"] = Relationship(
                    back_populates="heroes", sa_relationship_kwargs={"lazy": "joined"}
                )
            class Team(SQLModel, table=True):
                id: Optional[int] = Field(default=None, primary_key=True)
                name: str
                heroes: List["Hero"] = Relationship(back_populates="team", cascade_delete=True)
            """
        ),
        frozenset({"Hero.team.direction", "Team.heroes.direction"}),
        needs="sqlmodel",
    ),
}
_ASK = """
import json, sys
import models
from sqlalchemy import inspect
from sqlalchemy.orm import configure_mappers
configure_mappers()
base = getattr(models, "Base", None) or models.SQLModel
registry = base.registry if hasattr(base, "registry") else base._sa_registry
told = {}
for mapper in registry.mappers:
    told[mapper.class_.__name__] = {
        "primary_key": [mapper.get_property_by_column(column).key for column in mapper.primary_key],
        "columns": {
            each.key: {"nullable": each.columns[0].nullable, "deferred": each.deferred} for each in mapper.column_attrs
        },
        "relationships": {
            each.key: {
                "target": each.mapper.class_.__name__,
                "to_many": each.uselist,
                "direction": each.direction.name,
                "lazy": {True: "select", False: "joined", None: "noload"}.get(each.lazy, each.lazy),
                "cascade": sorted(each.cascade),
                "viewonly": each.viewonly,
            }
            for each in mapper.relationships
        },
    }
print(json.dumps(told))
"""


def flat(told: object, front: str = "") -> Iterable[tuple[str, object]]:
    """Every single answer, as "Class.relationships.name.what" without the middle word."""
    if isinstance(told, dict):
        for key, value in told.items():
            yield from flat(value, front if key in ("relationships", "columns") else f"{front}{key}.")
    else:
        yield front.rstrip("."), told


def our_account(root: Path, text: str) -> dict[str, object]:
    known = all_mapped(Written(root, {"models.py": text}).project())
    return {
        class_.qualname: {
            "primary_key": None if one.primary_key is None else list(one.primary_key),
            "columns": {
                name: {"nullable": column.nullable, "deferred": column.deferred} for name, column in one.columns.items()
            },
            "relationships": {
                name: {
                    "target": each.target.qualname if each.target else None,
                    "to_many": each.to_many,
                    "direction": each.direction.name.replace("_TO_", "TO").replace("_", "") if each.direction else None,
                    "lazy": each.lazy,
                    "cascade": None if each.cascade is None else sorted(each.cascade),
                    "viewonly": each.viewonly,
                }
                for name, each in one.relationships.items()
            },
        }
        for class_, one in known.items()
    }


@pytest.mark.parametrize("name", ACCOUNTS)
def test_sqlalchemy_says_the_same(name: str, tmp_path: Path) -> None:
    account = ACCOUNTS[name]
    if find_spec(account.needs) is None:
        pytest.skip(f"{account.needs} is not installed")
    ours = dict(flat(our_account(tmp_path, account.text)))
    asked = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _ASK], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert asked.returncode == 0, asked.stderr
    theirs = dict(flat(json.loads(asked.stdout)))
    unsaid = {key for key, value in ours.items() if value is None}
    assert unsaid == account.unsaid
    assert {key: value for key, value in ours.items() if key not in unsaid} == {
        key: value for key, value in theirs.items() if key not in unsaid
    }
