"""What loader options load, what is missing beside them, and how what is missing is written in a file.

What is said of SQLAlchemy is asked of SQLAlchemy itself at the end: objects are loaded, detached, and read.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from codemods import sources
from codemods.flow.loader_names import Written, written
from codemods.flow.loader_options import Loaded, Missing, loaded_by, missing
from codemods.flow.scope import Scope, scopes
from codemods.plan import NeedsImport, Request, Source
from codemods.project.link import Project, link
from codemods.project.scan import scan
from codemods.project.sessions import ClassMeaning
from codemods.project.symbols import ModuleName
from codemods.transformers.imports import settle_imports

MODELS = """
from sqlalchemy import Column, ForeignKey, Integer, String, Table
from sqlalchemy.ext.associationproxy import association_proxy
from sqlalchemy.orm import declarative_base, relationship, synonym

Base = declarative_base()

user_roles = Table(
    "user_roles", Base.metadata, Column("user_id", ForeignKey("user.id")), Column("role_id", ForeignKey("role.id"))
)


class City(Base):
    __tablename__ = "city"
    id = Column(Integer, primary_key=True)
    name = Column(String)


class Permission(Base):
    __tablename__ = "permission"
    id = Column(Integer, primary_key=True)
    role_id = Column(ForeignKey("role.id"))


class Role(Base):
    __tablename__ = "role"
    id = Column(Integer, primary_key=True)
    permissions = relationship("Permission")
    badges = relationship("Badge", lazy="selectin")


class Badge(Base):
    __tablename__ = "badge"
    id = Column(Integer, primary_key=True)
    role_id = Column(ForeignKey("role.id"))
    colours = relationship("Colour")


class Colour(Base):
    __tablename__ = "colour"
    id = Column(Integer, primary_key=True)
    badge_id = Column(ForeignKey("badge.id"))


class User(Base):
    __tablename__ = "user"
    id = Column(Integer, primary_key=True)
    city_id = Column(ForeignKey("city.id"))
    roles = relationship("Role", secondary=user_roles)
    orders = relationship("Order", back_populates="user")
    city = relationship("City")
    notes = relationship("Note", lazy="selectin", back_populates="user")
    cards = relationship("Card", lazy="joined")
    log = relationship("Entry", lazy="dynamic", overlaps="entries")
    entries = relationship("Entry", lazy="noload")
    strict = relationship("Entry", lazy="raise", overlaps="log,entries")
    elsewhere = relationship("Entry", lazy=LAZY, overlaps="log,entries,strict")
    permissions = association_proxy("roles", "permissions")
    role_ids = association_proxy("roles", "id")
    town = synonym("city")


class Order(Base):
    __tablename__ = "order"
    id = Column(Integer, primary_key=True)
    kind = Column(String)
    user_id = Column(ForeignKey("user.id"))
    user = relationship("User", back_populates="orders")
    items = relationship("Item")
    __mapper_args__ = {"polymorphic_on": kind, "polymorphic_identity": "plain"}


class BigOrder(Order):
    __mapper_args__ = {"polymorphic_identity": "big"}


class Item(Base):
    __tablename__ = "item"
    id = Column(Integer, primary_key=True)
    order_id = Column(ForeignKey("order.id"))


class Note(Base):
    __tablename__ = "note"
    id = Column(Integer, primary_key=True)
    user_id = Column(ForeignKey("user.id"))
    user = relationship("User", lazy="selectin", back_populates="notes")
    tags = relationship("Tag")


class Tag(Base):
    __tablename__ = "tag"
    id = Column(Integer, primary_key=True)
    note_id = Column(ForeignKey("note.id"))


class Card(Base):
    __tablename__ = "card"
    id = Column(Integer, primary_key=True)
    user_id = Column(ForeignKey("user.id"))
    marks = relationship("Mark")


class Mark(Base):
    __tablename__ = "mark"
    id = Column(Integer, primary_key=True)
    card_id = Column(ForeignKey("card.id"))


class Entry(Base):
    __tablename__ = "entry"
    id = Column(Integer, primary_key=True)
    user_id = Column(ForeignKey("user.id"))


class Node(Base):
    __tablename__ = "node"
    id = Column(Integer, primary_key=True)
    parent_id = Column(ForeignKey("node.id"))
    children = relationship("Node", lazy="selectin")
    parent = relationship("Node", remote_side=[id], overlaps="children")
""".replace("lazy=LAZY", "lazy=how_lazy()")

QUERIES_HEAD = """
from sqlalchemy import select
from sqlalchemy import orm
from sqlalchemy.orm import (
    Load, aliased, contains_eager, defaultload, defer, immediateload, joinedload, lazyload, load_only, noload,
    raiseload, selectin_polymorphic, selectinload, subqueryload, undefer, with_loader_criteria, with_polymorphic,
)
from app import models
from app.models import *
from app.other import some_options
"""


class Files:
    """A project on disk, and the scopes of its files."""

    def __init__(self, root: Path, files: Mapping[str, str]) -> None:
        self.sources: dict[str, Source] = {}
        for path, text in files.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(dedent(text), encoding="utf-8")
        for path in files:
            source = sources.read(root, path)
            assert isinstance(source, Source)
            self.sources[path] = source
        names = {path: ModuleName(one.module, one.is_package) for path, one in self.sources.items()}
        self.project: Project = link([scan(one) for one in self.sources.values()], names)
        self.trees = {path: ast.parse(one.text) for path, one in self.sources.items()}

    def scope(self, path: str, qualname: str) -> Scope:
        return next(one for one in scopes(self.trees[path], path, self.project) if one.place.qualname == qualname)


def user(name: str = "User") -> ClassMeaning:
    return ClassMeaning("app/models.py", name)


def reading(root: Path, body: str) -> tuple[Files, Scope]:
    """A function `load` below the usual imports."""
    files = Files(
        root,
        {
            "app/__init__.py": "",
            "app/models.py": MODELS,
            "app/other.py": "some_options = []\n",
            "app/queries.py": QUERIES_HEAD + dedent(body),
        },
    )
    return files, files.scope("app/queries.py", "load")


def options_in(scope: Scope) -> list[ast.expr]:
    """The arguments of every `.options(...)` that belongs to the statement, and the lists of `options=`."""
    found: list[ast.expr] = []
    for call in ast.walk(scope.node):
        if isinstance(call, ast.Call):
            if isinstance(call.func, ast.Attribute) and call.func.attr == "options":
                if "select(" in ast.unparse(call.func.value) and "load(" not in ast.unparse(call.func.value):
                    found += call.args
            found += [keyword.value for keyword in call.keywords if keyword.arg == "options"]
    return found


def loaded(root: Path, options: str, above: str = "", entity: str = "User", class_: str = "User") -> Loaded:
    """What `select(entity).options(...)` loads."""
    lines = "".join(f"    {line}\n" for line in dedent(above).splitlines())
    _, scope = reading(root, f"def load(given):\n{lines}    return select({entity}).options({options})\n")
    return loaded_by(options_in(scope), user(class_), scope)


def lacking(root: Path, options: str, *wanted: str, class_: str = "User") -> list[str]:
    """The missing paths as text: `roles.permissions: joinedload selectinload`, or `log! reason`."""
    files, scope = reading(root, f"def load(given):\n    return select({class_}).options({options})\n")
    given = loaded_by(options_in(scope), user(class_), scope)
    assert given.unknown == ""
    found = missing([tuple(one.split(".")) for one in wanted], user(class_), given, files.project)
    return [
        ".".join(one.path) + (f"! {one.refused}" if one.refused else ": " + " ".join(one.strategies)) for one in found
    ]


# --- what options load ----------------------------------------------------------------------------------------------

ONE = {("roles",): "selectinload"}
TWO = {("roles",): "selectinload", ("roles", "permissions"): "selectinload"}


@pytest.mark.parametrize(
    ("options", "paths"),
    [
        pytest.param("selectinload(User.roles)", ONE, id="one"),
        pytest.param("selectinload(User.roles).selectinload(Role.permissions)", TWO, id="chained"),
        pytest.param("selectinload(models.User.roles).selectinload(models.Role.permissions)", TWO, id="by the module"),
        pytest.param("orm.selectinload(User.roles)", ONE, id="function of the module"),
        pytest.param("selectinload(User.roles).options(selectinload(Role.permissions))", TWO, id="inner options"),
        pytest.param("Load(User).selectinload(User.roles)", ONE, id="Load"),
        pytest.param("Load(User).options(selectinload(User.roles))", ONE, id="options of a Load"),
        pytest.param("*[selectinload(User.roles)]", ONE, id="a list taken apart"),
        pytest.param("[selectinload(User.roles)]", ONE, id="a list as it is"),
        pytest.param("selectinload(User.roles.of_type(Role))", ONE, id="of_type"),
        pytest.param("selectinload(User.roles.and_(Role.id > 1))", ONE, id="criteria load a part"),
        pytest.param("selectinload(User.roles).load_only(Role.id)", ONE, id="columns of the related"),
        pytest.param("selectinload(User.roles).load_only(Role.id).selectinload(Role.permissions)", TWO, id="behind"),
        pytest.param("selectinload('roles')", ONE, id="by name, as 1.4 has it"),
        pytest.param("load_only(User.id)", {}, id="load_only"),
        pytest.param("defer(User.id), undefer(User.city_id)", {}, id="defer and undefer"),
        pytest.param("with_loader_criteria(Role, lambda cls: cls.id > 1)", {}, id="with_loader_criteria"),
        pytest.param("load_only(User.id).selectinload(User.roles)", ONE, id="chained to columns"),
        pytest.param("selectinload(Order.items)", {}, id="of another entity"),
        pytest.param("Load(Order).selectinload(Order.items)", {}, id="Load of another entity"),
        pytest.param("selectinload(Order.user).selectinload(User.roles)", {}, id="starts at another entity"),
        pytest.param("lazyload(User.roles)", {("roles",): "lazyload"}, id="lazyload"),
        pytest.param("noload(User.roles)", {("roles",): "noload"}, id="noload"),
        pytest.param("subqueryload(User.roles)", {("roles",): "subqueryload"}, id="subqueryload"),
        pytest.param("immediateload(User.roles)", {("roles",): "immediateload"}, id="immediateload"),
        pytest.param("contains_eager(User.roles)", {("roles",): "contains_eager"}, id="contains_eager"),
        pytest.param("Load(User).raiseload('*')", {("*",): "raiseload"}, id="all of one entity"),
        pytest.param(
            "selectinload(User.roles, Role.permissions)",
            {("roles",): "defaultload", ("roles", "permissions"): "selectinload"},
            id="several keys are steps, and only the last is loaded",
        ),
        pytest.param(
            "selectinload(User.roles).options(joinedload(Role.permissions), subqueryload(Role.badges))",
            {
                ("roles",): "selectinload",
                ("roles", "permissions"): "joinedload",
                ("roles", "badges"): "subqueryload",
            },
            id="two inner options",
        ),
        pytest.param(
            "selectinload(User.roles).raiseload('*')",
            {("roles",): "selectinload", ("roles", "*"): "raiseload"},
            id="all of the related",
        ),
        pytest.param(
            "selectinload(User.roles), defaultload(User.roles).joinedload(Role.permissions)",
            {("roles",): "selectinload", ("roles", "permissions"): "joinedload"},
            id="defaultload takes nothing away",
        ),
    ],
)
def test_options_are_read(tmp_path: Path, options: str, paths: dict[tuple[str, ...], str]) -> None:
    found = loaded(tmp_path, options)

    assert (dict(found.paths), found.unknown) == (paths, "")


@pytest.mark.parametrize("options", ["selectinload(chosen.roles)", "Load(chosen).selectinload(chosen.roles)"])
def test_an_option_through_an_alias_is_one_of_its_class(tmp_path: Path, options: str) -> None:
    found = loaded(tmp_path, options, "chosen = aliased(User, name='chosen')", entity="chosen")

    assert (dict(found.paths), found.unknown) == (ONE, "")


def test_an_option_of_the_class_above_is_for_the_selected_one_too(tmp_path: Path) -> None:
    found = loaded(tmp_path, "selectinload(Order.items)", entity="BigOrder", class_="BigOrder")

    assert dict(found.paths) == {("items",): "selectinload"}


def test_an_unbound_star_is_for_every_entity(tmp_path: Path) -> None:
    found = loaded(tmp_path, "selectinload(User.roles), raiseload('*')")

    assert (dict(found.paths), found.everywhere) == (ONE, "raiseload")


@pytest.mark.parametrize(
    "above",
    [
        "wanted = selectinload(User.roles)",
        "wanted: object = selectinload(User.roles)",
        "wanted = (selectinload(User.roles),)",
    ],
)
def test_a_name_bound_once_in_the_function_is_followed(tmp_path: Path, above: str) -> None:
    options = "*wanted" if "(selectinload(User.roles),)" in above else "wanted"

    found = loaded(tmp_path, options, above)

    assert (dict(found.paths), found.unknown) == (ONE, "")


def test_a_name_of_the_module_is_followed(tmp_path: Path) -> None:
    body = """
    ROLES = [selectinload(User.roles)]

    def load(given):
        return select(User).options(*ROLES, joinedload(User.city))
    """
    _, scope = reading(tmp_path, body)

    found = loaded_by(options_in(scope), user(), scope)

    assert dict(found.paths) == {("roles",): "selectinload", ("city",): "joinedload"}


def test_a_named_option_is_extended(tmp_path: Path) -> None:
    found = loaded(tmp_path, "roles.selectinload(Role.permissions)", "roles = selectinload(User.roles)")

    assert (dict(found.paths), found.unknown) == (TWO, "")


def test_the_list_given_to_get_is_read(tmp_path: Path) -> None:
    _, scope = reading(
        tmp_path, "def load(session):\n    return session.get(User, 1, options=[joinedload(User.city)])\n"
    )

    assert dict(loaded_by(options_in(scope), user(), scope).paths) == {("city",): "joinedload"}


@pytest.mark.parametrize(
    ("options", "above", "why"),
    [
        ("*given", "", "`given` is a parameter"),
        ("given", "", "`given` is a parameter"),
        ("*some_options", "", "comes from another file"),
        ("*wanted", "wanted = []\nif given:\n    wanted.append(selectinload(User.roles))", "filled in several places"),
        ("*wanted", "wanted = [noload('*')]\nwanted += [selectinload(User.roles)]", "bound more than once"),
        ("*wanted", "wanted = [noload('*')]\ngiven(wanted)", "filled in several places"),
        ("wanted", "wanted = noload('*') if given else raiseload('*')", "cannot be followed"),
        ("user_options()", "", "`user_options()` cannot be followed"),
        ("*[joinedload(one) for one in given]", "", "cannot be followed"),
        ("selectinload(getattr(User, given))", "", "cannot be read"),
        ("selectinload(given.roles)", "", "it cannot be told which class `given` is"),
        ("selectinload(*given)", "", "cannot be read"),
        ("selectinload(User.roles, **given)", "", "cannot be read"),
        ("selectinload(User.roles).and_more(1)", "", "cannot be followed"),
        ("wanted", "wanted = wanted", "`wanted` cannot be followed"),
    ],
)
def test_what_cannot_be_read_is_told(tmp_path: Path, options: str, above: str, why: str) -> None:
    assert why in loaded(tmp_path, options, above).unknown


def test_a_function_that_only_shares_the_name_is_no_option(tmp_path: Path) -> None:
    body = """
    def load(given, selectinload):
        return select(User).options(selectinload(User.roles))
    """
    _, scope = reading(tmp_path, body)

    found = loaded_by(options_in(scope), user(), scope)

    assert not found.paths
    assert "selectinload(User.roles)" in found.unknown


# --- what is missing ------------------------------------------------------------------------------------------------


def test_without_options_every_relationship_that_loads_when_read_is_missing(tmp_path: Path) -> None:
    assert lacking(tmp_path, "", "city", "roles") == ["roles: selectinload", "city: selectinload"]


@pytest.mark.parametrize(
    ("options", "path"),
    [
        ("selectinload(User.roles)", "roles"),
        ("joinedload(User.city)", "city"),
        ("selectinload(User.roles).selectinload(Role.permissions)", "roles.permissions"),
        ("selectinload(User.roles)", "roles.badges"),
        ("selectinload(User.roles)", "role_ids"),
        ("selectinload(User.roles).selectinload(Role.permissions)", "permissions"),
        ("joinedload(User.city)", "town"),
        ("", "notes"),
        ("", "cards"),
        ("", "entries"),
        ("selectinload('*')", "roles.permissions"),
        ("Load(User).selectinload('*')", "orders"),
        ("contains_eager(User.orders)", "orders"),
        ("selectinload(User.orders.and_(Order.id > 1))", "orders"),
    ],
)
def test_what_options_and_mapping_load_is_not_missing(tmp_path: Path, options: str, path: str) -> None:
    assert lacking(tmp_path, options, path) == []


@pytest.mark.parametrize(
    ("options", "path", "told"),
    [
        pytest.param("", "roles.permissions", "roles.permissions: selectinload selectinload", id="two levels"),
        pytest.param("", "roles.badges", "roles: selectinload", id="the mapping loads the second level"),
        pytest.param("", "strict", "strict: selectinload", id="an option overrides lazy=raise"),
        pytest.param("", "notes.tags", "notes.tags: selectinload selectinload", id="below lazy=selectin"),
        pytest.param("", "cards.marks", "cards.marks: joinedload selectinload", id="below lazy=joined"),
        pytest.param("", "orders.user", "orders.user: selectinload selectinload", id="back to where it came from"),
        pytest.param("", "notes.user", "notes.user: selectinload selectinload", id="the mapping does not go back"),
        pytest.param("", "permissions", "roles.permissions: selectinload selectinload", id="proxy of relationships"),
        pytest.param("", "role_ids", "roles: selectinload", id="proxy of columns"),
        pytest.param("", "town", "city: selectinload", id="synonym"),
        pytest.param(
            "", "roles.badges.colours", "roles.badges.colours: selectinload selectinload selectinload", id="three"
        ),
        pytest.param(
            "joinedload(User.roles)", "roles.permissions", "roles.permissions: joinedload selectinload", id="joinedload"
        ),
        pytest.param(
            "joinedload(User.orders, innerjoin=True)",
            "orders.items",
            "orders.items: defaultload selectinload",
            id="arguments stay as they are",
        ),
        pytest.param(
            "selectinload(User.orders.and_(Order.id > 1))",
            "orders.items",
            "orders.items: defaultload selectinload",
            id="criteria stay as they are",
        ),
        pytest.param(
            "contains_eager(User.orders)",
            "orders.items",
            "orders.items: defaultload selectinload",
            id="contains_eager is never written",
        ),
        pytest.param("selectinload(User.orders, Order.items)", "orders.items", "orders: selectinload", id="two keys"),
        pytest.param("raiseload('*')", "roles", "roles: selectinload", id="raiseload of all"),
        pytest.param("raiseload('*')", "notes", "notes: selectinload", id="raiseload of all takes the mapping's place"),
        pytest.param("lazyload('*')", "cards", "cards: selectinload", id="lazyload of all"),
        pytest.param("Load(User).lazyload('*')", "notes", "notes: selectinload", id="lazyload of all of one"),
        pytest.param(
            "selectinload(User.roles).lazyload('*')",
            "roles.badges",
            "roles.badges: selectinload selectinload",
            id="lazyload of all of the related",
        ),
        pytest.param(
            "selectinload('*')", "orders.user", "orders.user: selectinload selectinload", id="star does not go back"
        ),
        pytest.param(
            "Load(User).selectinload('*')",
            "orders.items",
            "orders.items: selectinload selectinload",
            id="star of one entity",
        ),
    ],
)
def test_what_is_missing(tmp_path: Path, options: str, path: str, told: str) -> None:
    assert lacking(tmp_path, options, path) == [told]


def test_a_mapping_does_not_load_a_class_below_itself(tmp_path: Path) -> None:
    assert lacking(tmp_path, "", "children", class_="Node") == ["children: selectinload"]


@pytest.mark.parametrize(("depth", "levels"), [("1", 2), ("2", 3), ("-1", 6)])
def test_recursion_depth_loads_one_level_more(tmp_path: Path, depth: str, levels: int) -> None:
    option = f"selectinload(Node.children, recursion_depth={depth})"

    assert lacking(tmp_path, option, ".".join(["children"] * levels), class_="Node") == []


def test_below_a_recursion_nothing_is_written(tmp_path: Path) -> None:
    option = "selectinload(Node.children, recursion_depth=1)"

    (told,) = lacking(tmp_path, option, "children.children.children", class_="Node")

    assert "`recursion_depth`" in told


@pytest.mark.parametrize(
    ("options", "path", "why"),
    [
        ("", "log", 'lazy="dynamic"'),
        ("", "elsewhere", "how `User.elsewhere` is loaded cannot be told"),
        ("", "nowhere", "`User.nowhere` is not known to be a relationship"),
        ("", "roles.id", "`Role.id` is not known to be a relationship"),
        ("raiseload(User.roles)", "roles", "raiseload stands on `User.roles`"),
        ("noload(User.roles)", "roles.permissions", "noload stands on `User.roles`"),
        ("lazyload(User.roles)", "roles", "lazyload stands on `User.roles`"),
        ("selectinload(User.roles).raiseload(Role.permissions)", "roles.permissions", "raiseload stands on"),
        ("noload('*')", "roles", "noload stands on all relationships of User"),
        ("selectinload(User.orders.of_type(BigOrder))", "orders.items", "`of_type`"),
        ("selectinload('*')", "log", 'lazy="dynamic"'),
    ],
)
def test_what_must_not_be_loaded_is_refused_with_the_reason(tmp_path: Path, options: str, path: str, why: str) -> None:
    (told,) = lacking(tmp_path, options, path)

    assert told.startswith(f"{path}! ")
    assert why in told


def test_only_the_longest_paths_are_given_in_the_order_of_declaration(tmp_path: Path) -> None:
    found = lacking(tmp_path, "", "city", "orders", "orders.items", "roles.permissions", "roles", "orders.user.city")

    assert found == [
        "roles.permissions: selectinload selectinload",
        "orders.user.city: selectinload selectinload selectinload",
        "orders.items: selectinload selectinload",
        "city: selectinload",
    ]


def test_a_refused_path_does_not_stand_for_the_way_to_it(tmp_path: Path) -> None:
    found = lacking(tmp_path, "", "orders", "orders.user.log")

    assert found[0] == "orders: selectinload"
    assert found[1].startswith("orders.user.log! ")


def test_relationships_of_an_unresolved_target_are_refused(tmp_path: Path) -> None:
    text = MODELS + "\nclass Odd(Base):\n    __tablename__ = 'odd'\n    id = Column(Integer, primary_key=True)\n"
    text += "    other = relationship(somewhere())\n"
    files = Files(tmp_path, {"app/__init__.py": "", "app/models.py": text})

    (found,) = missing([("other",)], user("Odd"), Loaded({}), files.project)

    assert "cannot be told" in found.refused


WITH_BACKREF = (
    MODELS
    + """

class Letter(Base):
    __tablename__ = "letter"
    id = Column(Integer, primary_key=True)
    user_id = Column(ForeignKey("user.id"))
    sender = relationship("User", backref="letters")
"""
)


@pytest.mark.parametrize(
    ("class_", "path", "given", "backrefs"),
    [
        ("User", "letters", {}, (0,)),
        ("User", "letters.sender", {}, (0,)),
        ("Letter", "sender.letters", {}, (1,)),
        ("Letter", "sender.roles", {}, ()),
        ("User", "letters.sender", {("letters",): "joinedload"}, ()),
        ("User", "orders", {}, ()),
    ],
)
def test_attributes_that_a_backref_makes_are_told(
    tmp_path: Path, class_: str, path: str, given: dict[tuple[str, ...], str], backrefs: tuple[int, ...]
) -> None:
    files = Files(tmp_path, {"app/__init__.py": "", "app/models.py": WITH_BACKREF})

    (found,) = missing([tuple(path.split("."))], user(class_), Loaded(given), files.project)

    assert (".".join(found.path), found.refused, found.backrefs) == (path, "", backrefs)


# --- how it is written ----------------------------------------------------------------------------------------------

ROLES = Missing(("roles",), (user(),), ("selectinload",))
PERMISSIONS = Missing(("roles", "permissions"), (user(), user("Role")), ("selectinload", "selectinload"))
PACKAGE = {
    "app/__init__.py": "",
    "app/models/__init__.py": "from .user import User\nfrom .role import Role\n",
    "app/models/base.py": "from sqlalchemy.orm import declarative_base\nBase = declarative_base()\n",
    "app/models/user.py": """
        from typing import TYPE_CHECKING
        from sqlalchemy import Column, Integer
        from sqlalchemy.orm import relationship
        from .base import Base
        if TYPE_CHECKING:
            from .role import Role

        class User(Base):
            __tablename__ = "user"
            id = Column(Integer, primary_key=True)
            roles = relationship("Role")
        """,
    "app/models/role.py": """
        from sqlalchemy import Column, ForeignKey, Integer
        from sqlalchemy.orm import relationship
        from .base import Base

        class Role(Base):
            __tablename__ = "role"
            id = Column(Integer, primary_key=True)
            user_id = Column(ForeignKey("user.id"))
            permissions = relationship("Permission")

        class Permission(Base):
            __tablename__ = "permission"
            id = Column(Integer, primary_key=True)
            role_id = Column(ForeignKey("role.id"))
        """,
}
ACROSS = Missing(
    ("roles", "permissions"),
    (ClassMeaning("app/models/user.py", "User"), ClassMeaning("app/models/role.py", "Role")),
    ("selectinload", "selectinload"),
)
ONE_MODULE = {"app/__init__.py": "", "app/models.py": MODELS}


def in_file(
    root: Path,
    head: str,
    what: Missing = ROLES,
    owner: str = "User",
    body: str = "",
    others: Mapping[str, str] = ONE_MODULE,
    *,
    line: bool = True,
) -> str:
    """The option in the function `load` of a file with this head, and the head as the imports leave it.

    The text, or the reason in brackets; then the lines of the head that are new.
    """
    head = dedent(head).lstrip("\n")
    text = f"{head}\n\ndef load(session):\n{''.join(f'    {one}{chr(10)}' for one in dedent(body).splitlines())}"
    text += f"    return select({owner})\n"
    files = Files(root, {**others, "app/services.py": text})
    source, tree = files.sources["app/services.py"], files.trees["app/services.py"]
    at = len(text.splitlines()) if line else None
    found = written(what, owner, files.scope("app/services.py", "load"), tree, source, files.project, at)
    if isinstance(found, str):
        return f"({found})"
    return "\n".join([found.text, *added(source, tree, found.requests)])


def added(source: Source, tree: ast.Module, requests: tuple[Request, ...]) -> list[str]:
    """The lines that are not in the file before the imports are settled."""
    before = source.text.splitlines()
    after = settle_imports(source, tree, source.text, requests).splitlines()
    return [f"{number}: {line}" for number, line in enumerate(after, 1) if line not in before]


@pytest.mark.parametrize(
    ("head", "owner", "told"),
    [
        pytest.param(
            "from sqlalchemy.orm import selectinload\nfrom app.models import User",
            "User",
            "selectinload(User.roles)",
            id="imported",
        ),
        pytest.param(
            "from sqlalchemy.orm import selectinload as sil\nfrom app.models import User",
            "User",
            "sil(User.roles)",
            id="under another name",
        ),
        pytest.param(
            "from sqlalchemy import orm, select\nfrom app import models",
            "models.User",
            "orm.selectinload(models.User.roles)",
            id="of the module",
        ),
        pytest.param(
            "import sqlalchemy.orm as so\nfrom app.models import User",
            "User",
            "so.selectinload(User.roles)",
            id="of the renamed module",
        ),
        pytest.param(
            "import sqlalchemy as sa\nfrom app.models import User\nSTRATEGY = sa.orm.joinedload",
            "User",
            "sa.orm.selectinload(User.roles)",
            id="as the file writes it elsewhere",
        ),
        pytest.param(
            "from sqlalchemy import select\nfrom sqlalchemy.orm import joinedload\nfrom app.models import User",
            "User",
            "selectinload(User.roles)\n2: from sqlalchemy.orm import joinedload, selectinload",
            id="joins the import",
        ),
        pytest.param(
            "from sqlalchemy import select\nfrom sqlalchemy.ext import asyncio\n\nfrom app.models import User",
            "User",
            "selectinload(User.roles)\n3: from sqlalchemy.orm import selectinload",
            id="below the last import of SQLAlchemy",
        ),
        pytest.param(
            "import sqlalchemy as sa\n\nfrom app.models import User",
            "User",
            "selectinload(User.roles)\n2: from sqlalchemy.orm import selectinload",
            id="below a plain import",
        ),
        pytest.param(
            "from app.db import Session\nfrom app.models import User\nfrom app.rest import more",
            "User",
            "selectinload(User.roles)\n1: from sqlalchemy.orm import selectinload",
            id="above the imports of the project",
        ),
        pytest.param(
            '"""Loads."""\nfrom __future__ import annotations\nfrom app import models',
            "models.User",
            "selectinload(models.User.roles)\n3: from sqlalchemy.orm import selectinload",
            id="below a docstring and the future",
        ),
        pytest.param(
            "from typing import TYPE_CHECKING\nfrom sqlalchemy import select\nfrom app.models import User\n"
            "if TYPE_CHECKING:\n    from sqlalchemy.orm import Session",
            "User",
            "selectinload(User.roles)\n3: from sqlalchemy.orm import selectinload",
            id="never under TYPE_CHECKING",
        ),
        pytest.param(
            "from sqlalchemy import select\nfrom app.models import User\ndef other():\n"
            "    from sqlalchemy.orm import selectinload\n    return selectinload",
            "User",
            "selectinload(User.roles)\n2: from sqlalchemy.orm import selectinload",
            id="what another function imports is its own",
        ),
    ],
)
def test_the_function_is_written_as_the_file_has_it(tmp_path: Path, head: str, owner: str, told: str) -> None:
    assert in_file(tmp_path, head, owner=owner) == told


@pytest.mark.parametrize(
    ("head", "body", "why"),
    [
        pytest.param(
            "from sqlalchemy import select\nfrom app.models import User\nselectinload = None",
            "",
            "`selectinload` means something else in app/services.py",
            id="of the module",
        ),
        pytest.param(
            "from sqlalchemy import select\nfrom app.models import User",
            "selectinload = session.options",
            "`selectinload` means something else in app/services.py",
            id="of the function",
        ),
        pytest.param(
            "from sqlalchemy import select\nfrom app.models import User\ntry:\n"
            "    from sqlalchemy.orm import selectinload\nexcept ImportError:\n    pass",
            "",
            "`selectinload` is not imported in app/services.py but under a condition",
            id="under a condition",
        ),
        pytest.param(
            "from sqlalchemy import select\nfrom app.models import User\ndef other():\n    return selectinload(1)",
            "",
            "`selectinload` means something else in app/services.py",
            id="read though nothing binds it",
        ),
    ],
)
def test_a_name_with_another_meaning_is_not_written_over(tmp_path: Path, head: str, body: str, why: str) -> None:
    assert in_file(tmp_path, head, body=body) == f"({why})"


def test_an_import_of_the_function_counts_above_the_place_only(tmp_path: Path) -> None:
    head = "from sqlalchemy import select\nfrom app.models import User"
    body = "from sqlalchemy.orm import selectinload as load_in"

    assert in_file(tmp_path, head, body=body) == "load_in(User.roles)"
    assert "from sqlalchemy.orm import selectinload" in in_file(tmp_path, head, body=body, line=False)


def test_a_file_without_imports_to_stand_beside_is_refused(tmp_path: Path) -> None:
    assert in_file(tmp_path, "from app.models import User; from app.db import select").startswith("(there is no import")


ORM = "from sqlalchemy.orm import selectinload\n"


@pytest.mark.parametrize(
    ("head", "owner", "told"),
    [
        pytest.param(
            "from app.models import Role, User",
            "User",
            "selectinload(User.roles).selectinload(Role.permissions)",
            id="both",
        ),
        pytest.param(
            "from app.models import Role as R, User",
            "User",
            "selectinload(User.roles).selectinload(R.permissions)",
            id="under another name",
        ),
        pytest.param(
            "from app import models",
            "models.User",
            "selectinload(models.User.roles).selectinload(models.Role.permissions)",
            id="where the owner comes from",
        ),
        pytest.param(
            "import app.models",
            "app.models.User",
            "selectinload(app.models.User.roles).selectinload(app.models.Role.permissions)",
            id="by the whole path",
        ),
        pytest.param(
            "from app import models as m\nfrom app.models import User",
            "User",
            "selectinload(User.roles).selectinload(m.Role.permissions)",
            id="by a module that is there",
        ),
        pytest.param(
            "from app.models import User",
            "User",
            "selectinload(User.roles).selectinload(Role.permissions)\n2: from app.models import Role, User",
            id="joins the import",
        ),
        pytest.param(
            "from .models import User",
            "User",
            "selectinload(User.roles).selectinload(Role.permissions)\n2: from .models import Role, User",
            id="joins a relative import",
        ),
        pytest.param(
            "from app.models import *",
            "User",
            "selectinload(User.roles).selectinload(Role.permissions)",
            id="by a star",
        ),
        pytest.param(
            "from sqlalchemy.orm import aliased\nfrom app.models import User, Role\na = aliased(User)",
            "a",
            "selectinload(a.roles).selectinload(Role.permissions)",
            id="through an alias",
        ),
    ],
)
def test_a_class_is_written_by_the_name_it_has_here(tmp_path: Path, head: str, owner: str, told: str) -> None:
    assert in_file(tmp_path, ORM + head, PERMISSIONS, owner) == told


def test_the_owner_is_written_again_as_the_statement_has_it(tmp_path: Path) -> None:
    back = Missing(
        ("orders", "user", "city"), (user(), user("Order"), user()), ("selectinload", "joinedload", "selectinload")
    )

    found = in_file(tmp_path, f"{ORM}from app.models import Order, User as U", back, "U")

    assert found == "selectinload(U.orders).joinedload(Order.user).selectinload(U.city)"


@pytest.mark.parametrize(
    ("head", "told"),
    [
        pytest.param(
            "from app.models import User",
            "selectinload(User.roles).selectinload(Role.permissions)\n2: from app.models import Role, User",
            id="the package hands it on",
        ),
        pytest.param(
            "from app.models.user import User\nfrom app.models.role import Permission",
            "selectinload(User.roles).selectinload(Role.permissions)\n3: from app.models.role import Permission, Role",
            id="the module that defines it",
        ),
        pytest.param(
            "from app.models.user import User",
            "(`Role` is not imported in app/services.py)",
            id="the other module has it for type checkers only",
        ),
        pytest.param(
            "import app.models.user as users\nfrom app.models.user import User",
            "(`Role` is not imported in app/services.py)",
            id="neither has it as an attribute",
        ),
    ],
)
def test_a_class_joins_an_import_that_has_it_when_it_is_run(tmp_path: Path, head: str, told: str) -> None:
    assert in_file(tmp_path, ORM + head, ACROSS, others=PACKAGE) == told


@pytest.mark.parametrize(
    ("head", "why"),
    [
        pytest.param(
            "from typing import TYPE_CHECKING\nfrom app.models import User\nif TYPE_CHECKING:\n"
            "    from app.models import Role",
            "`Role` is not imported in app/services.py but under a condition",
            id="for type checkers",
        ),
        pytest.param(
            "from app.models import User\nfrom app.other import Role",
            "`Role` means something else in app/services.py",
            id="another class",
        ),
        pytest.param(
            "import app.models as m\nfrom app.other import User", "", id="module of the class, whatever the owner is"
        ),
    ],
)
def test_a_class_that_is_not_at_hand_is_refused(tmp_path: Path, head: str, why: str) -> None:
    found = in_file(tmp_path, ORM + head, PERMISSIONS)

    assert found == (f"({why})" if why else "selectinload(User.roles).selectinload(m.Role.permissions)")


def test_an_import_of_this_function_is_not_joined(tmp_path: Path) -> None:
    found = in_file(tmp_path, ORM, PERMISSIONS, body="from app.models import User")

    assert found == "(`Role` is not imported in app/services.py)"


def test_a_module_that_loads_this_file_is_not_imported_from_further(tmp_path: Path) -> None:
    others = {**ONE_MODULE, "app/models.py": f"from app import services\n{MODELS}"}

    found = in_file(tmp_path, f"{ORM}from app.models import User", PERMISSIONS, others=others)

    assert found == "(`Role` is not imported in app/services.py)"


def test_classes_of_the_same_file_may_stand_below_the_function(tmp_path: Path) -> None:
    text = f"def load(session):\n    return select(User)\n\n{MODELS}".replace("import Column", "import select, Column")
    files = Files(tmp_path, {"app/__init__.py": "", "app/models.py": text})
    scope = files.scope("app/models.py", "load")

    found = written(
        PERMISSIONS, "User", scope, files.trees["app/models.py"], files.sources["app/models.py"], files.project
    )

    assert isinstance(found, Written)
    assert found.text == "selectinload(User.roles).selectinload(Role.permissions)"
    assert [one.module for one in found.requests if isinstance(one, NeedsImport)] == ["sqlalchemy.orm"]


def test_a_refused_path_is_never_written(tmp_path: Path) -> None:
    what = Missing(("log",), (user(),), (), "`User.log` is dynamic")

    assert in_file(tmp_path, f"{ORM}from app.models import User", what) == "(`User.log` is dynamic)"


# --- what SQLAlchemy says -------------------------------------------------------------------------------------------

ASKED = (
    "roles", "roles.permissions", "roles.badges", "roles.badges.colours", "orders", "orders.items", "orders.user",
    "orders.user.city", "orders.user.notes", "city", "notes", "notes.user", "notes.tags", "cards", "cards.marks",
    "strict", "permissions", "town",
)  # fmt: skip
STATEMENTS = (
    "",
    "selectinload(User.roles)",
    "joinedload(User.roles)",
    "joinedload(User.roles, innerjoin=True)",
    "selectinload(User.orders), joinedload(User.city)",
    "selectinload(User.orders, Order.items)",
    "selectinload(User.orders).options(selectinload(Order.items), joinedload(Order.user))",
    "selectinload(User.orders.and_(Order.id > 0))",
    "Load(User).joinedload(User.orders).load_only(Order.id)",
    "subqueryload(User.orders)",
    "immediateload(User.orders)",
    "defaultload(User.notes).selectinload(Note.tags)",
    "defaultload(User.cards).load_only(Card.id)",
    "raiseload('*')",
    "lazyload('*')",
    "selectinload('*')",
    "Load(User).selectinload('*')",
    "Load(User).raiseload('*'), selectinload(User.roles)",
    "selectinload(User.orders).raiseload('*')",
    "selectinload(User.orders), raiseload('*')",
)


@pytest.fixture(scope="module")
def database() -> Any:
    """The models, run, with one row of everything, and a function that loads one user and detaches it."""
    sqlalchemy = pytest.importorskip("sqlalchemy")
    orm = pytest.importorskip("sqlalchemy.orm")
    names: dict[str, Any] = {}
    for name in ("Load", "selectinload", "joinedload", "subqueryload", "immediateload", "defaultload", "raiseload"):
        names[name] = getattr(orm, name)
    names |= {"lazyload": orm.lazyload, "how_lazy": lambda: "select", "select": sqlalchemy.select}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # `selectinload("*")` of a class with a dynamic relationship raises by itself
        exec(MODELS.replace("dynamic", "select"), names)
        orm.configure_mappers()
        engine = sqlalchemy.create_engine("sqlite://", poolclass=sqlalchemy.pool.StaticPool)
        names["Base"].metadata.create_all(engine)
        made = {name: names[name] for name in ("User", "Role", "Order", "Note", "Card", "City", "Badge")}
        with orm.Session(engine) as session:
            role = made["Role"](
                permissions=[names["Permission"]()], badges=[made["Badge"](colours=[names["Colour"]()])]
            )
            user = made["User"](
                roles=[role],
                city=made["City"](name="Ulm"),
                orders=[made["Order"](kind="plain", items=[names["Item"]()])],
                notes=[made["Note"](tags=[names["Tag"]()])],
                cards=[made["Card"](marks=[names["Mark"]()])],
            )
            session.add(user)
            session.flush()
            session.add(names["Entry"](user_id=user.id))
            session.commit()

    def load(options: str) -> Any:
        with warnings.catch_warnings(), orm.Session(engine) as session:
            warnings.simplefilter("ignore")
            statement = eval(f"select(User).options({options})", names)
            return session.execute(statement).unique().scalars().one()

    yield load
    engine.dispose()


def _reads(found: Any, path: str) -> bool:
    """Whether the detached object gives what is there; an error, or nothing, is none of it."""
    for name in path.split("."):
        try:
            value = getattr(found, name)
            found = value if hasattr(value, "_sa_instance_state") else next(iter(value))
        except Exception as error:
            if type(error).__name__ not in ("DetachedInstanceError", "InvalidRequestError"):
                raise
            return False
    return True


@pytest.mark.parametrize("options", STATEMENTS)
def test_what_is_said_to_be_loaded_can_be_read_and_what_is_written_cures_the_rest(
    tmp_path: Path, database: Any, options: str
) -> None:
    files, scope = reading(tmp_path, f"def load(given):\n    return select(User).options({options})\n")
    given = loaded_by(options_in(scope), user(), scope)
    assert given.unknown == ""
    tree, source = files.trees["app/queries.py"], files.sources["app/queries.py"]
    plain = database(options)
    everything: list[str] = []
    for path in ASKED:
        found = missing([tuple(path.split("."))], user(), given, files.project)
        readable = _reads(plain, path)
        if not found:
            assert readable, f"{path} is said to be loaded by {options}"
            continue
        assert not readable, f"{path} is said to be missing beside {options}"
        (one,) = found
        assert not one.refused, (path, one.refused)
        option = written(one, "User", scope, tree, source, files.project)
        assert isinstance(option, Written), option
        everything.append(option.text)
        assert _reads(database(f"{options}, {option.text}" if options else option.text), path), option.text
    both = database(", ".join([*([options] if options else []), *everything]))
    assert all(_reads(both, path) for path in ASKED)
