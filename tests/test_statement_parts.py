"""What the tool takes to change nothing changes nothing: every name it allows is called in a session full of changes.

The names are read from `statement_parts` and `harmless_calls`: one that is added there and that nothing here says how
to call makes a test fail.
"""

from __future__ import annotations

import datetime as dt
import importlib
import sys
import uuid
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import event, orm
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, configure_mappers, mapped_column, relationship
from sqlalchemy.pool import StaticPool

from codemods.flow.objects import harmless_calls, statement_parts

_WATCHED = ("orm/session.py", "orm/unitofwork.py", "orm/state.py", "orm/identity.py")
type_of_list = postgresql.ARRAY(sa.String)


@compiles(postgresql.ARRAY, "sqlite")
def _array_on_sqlite(element: object, compiler: object, **options: object) -> str:
    return "JSON"


class Base(DeclarativeBase):
    pass


class Role(Base):
    __tablename__ = "roles"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(sa.ForeignKey("users.id"))


class User(Base):
    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    data: Mapped[dict[str, str]] = mapped_column(sa.JSON, default=dict)
    boss_id: Mapped[int | None] = mapped_column(sa.ForeignKey("users.id"))
    roles: Mapped[list[Role]] = relationship()
    boss: Mapped[User | None] = relationship(remote_side="User.id")


def touched(function: Callable[[], object]) -> list[str]:
    """What a call does in a session with a changed object and a new one: code of sessions and states, SQL, changes."""
    engine = sa.create_engine("sqlite://", poolclass=StaticPool)
    Base.metadata.create_all(engine)
    configure_mappers()
    found: list[str] = []

    def watch(frame: Any, what: str, argument: object) -> None:
        if what == "call" and frame.f_code.co_filename.replace("\\", "/").endswith(_WATCHED):
            found.append(frame.f_code.co_name)

    def standing(session: Session) -> tuple[set[object], set[object], set[object], int]:
        return set(session.dirty), set(session.new), set(session.deleted), len(session.identity_map)

    with Session(engine) as session:
        session.add(User(id=1, name="a", roles=[Role(id=1)]))
        session.commit()
    with Session(engine) as session:
        user = session.get_one(User, 1)
        user.name = "changed"
        session.add(User(id=9, name="new"))
        before = standing(session)
        event.listen(engine, "before_cursor_execute", lambda *given: found.append(given[2]))
        with _profiled(watch), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what SQLAlchemy is about to take away
            function()
        if standing(session) != before:
            found.append("changed the session")
    engine.dispose()
    return found


@contextmanager
def _profiled(watch: Callable[[Any, str, object], None]) -> Iterator[None]:
    so_far = sys.getprofile()
    sys.setprofile(watch)
    try:
        yield
    finally:
        sys.setprofile(so_far)


def resolved(dotted: str) -> Any:
    """What a dotted name stands for; skips where this version of the package does not have it."""
    parts = dotted.split(".")
    for end in range(len(parts) - 1, 0, -1):
        try:
            found: Any = importlib.import_module(".".join(parts[:end]))
        except ModuleNotFoundError:
            continue
        for part in parts[end:]:
            if not hasattr(found, part):
                pytest.skip(f"this version has no {dotted}")
            found = getattr(found, part)
        return found
    raise AssertionError(dotted)


def measured(names: Collection[str]) -> list[str]:
    """All but those of SQLModel, which has them from SQLAlchemy."""
    return sorted(one for one in names if not one.startswith("sqlmodel."))


def last(dotted: str) -> str:
    return dotted.rpartition(".")[2]


NAME, NUMBER = User.name, User.id
CONDITION = User.name == "x"
SELECT = sa.select(NUMBER)
_OF_A_COLUMN = dict.fromkeys(
    (
        *("desc", "asc", "nulls_first", "nulls_last", "nullsfirst", "nullslast", "distinct", "not_"),
        *("and_", "or_"),
    ),
    (CONDITION,),
)
ELEMENT_ARGUMENTS: Mapping[str, tuple[Any, ...]] = _OF_A_COLUMN | {
    "case": ((CONDITION, 1),),
    "cast": (NUMBER, sa.String),
    "try_cast": (NUMBER, sa.String),
    "type_coerce": (NUMBER, sa.String),
    "extract": ("year", NAME),
    "between": (NUMBER, 1, 2),
    "collate": (NAME, "x"),
    "tuple_": (NUMBER, NAME),
    "over": (sa.func.count(),),
    "funcfilter": (sa.func.count(), CONDITION),
    "within_group": (sa.func.count(), NUMBER),
    "any_": (SELECT.scalar_subquery(),),
    "all_": (SELECT.scalar_subquery(),),
    "label": ("x", NAME),
    "bindparam": ("x",),
    "null": (),
    "true": (),
    "false": (),
    "column": ("x",),
    "literal_column": ("1",),
    "exists": (SELECT,),
    "literal": (1,),
    "bitwise_not": (NUMBER,),
}
TYPE_ARGUMENTS: Mapping[str, tuple[Any, ...]] = {
    "ARRAY": (sa.String,),
    **dict.fromkeys(("String", "Text", "Unicode", "UnicodeText", "LargeBinary", "CHAR", "VARCHAR", "TEXT"), (20,)),
    **dict.fromkeys(("Integer", "SmallInteger", "BigInteger", "INTEGER", "BIGINT", "Boolean", "Date", "Interval"), ()),
    **dict.fromkeys(("Numeric", "Float", "NUMERIC", "DECIMAL", "FLOAT", "Double"), (10,)),
    **dict.fromkeys(("DateTime", "Time", "TIMESTAMP"), (True,)),
    **dict.fromkeys(("Uuid", "UUID", "JSON", "JSONB"), ()),
}
OPTION_ARGUMENTS: Mapping[str, tuple[Any, ...]] = {
    **dict.fromkeys(("selectinload", "joinedload", "subqueryload", "immediateload", "contains_eager"), (User.roles,)),
    **dict.fromkeys(("raiseload", "noload", "defaultload", "lazyload"), (User.roles,)),
    **dict.fromkeys(("load_only", "defer", "undefer"), (NAME,)),
    "undefer_group": ("x",),
    "selectin_polymorphic": (User, []),
    "Load": (User,),
}
_OF_A_TEXT = {
    **dict.fromkeys(
        ("like", "ilike", "not_like", "notlike", "not_ilike", "notilike", "is_", "is_not", "isnot"), ("x",)
    ),
    **dict.fromkeys(("is_distinct_from", "is_not_distinct_from", "isnot_distinct_from", "startswith"), ("x",)),
    **dict.fromkeys(("endswith", "contains", "istartswith", "iendswith", "icontains", "match"), ("x",)),
    **dict.fromkeys(("regexp_match", "collate", "concat", "op", "bool_op", "label"), ("x",)),
    **dict.fromkeys(("in_", "not_in", "notin_"), (["x"],)),
    **dict.fromkeys(("desc", "asc", "nulls_first", "nulls_last", "nullsfirst", "nullslast", "distinct"), ()),
    "regexp_replace": ("x", "y"),
}
_JSON = sa.type_coerce(User.data, postgresql.JSONB)
METHODS: Mapping[str, tuple[Any, tuple[Any, ...]]] = {
    **{name: (NAME, arguments) for name, arguments in _OF_A_TEXT.items()},
    **dict.fromkeys(("bitwise_and", "bitwise_or", "bitwise_xor"), (NUMBER, (1,))),
    "between": (NUMBER, (1, 2)),
    "cast": (NUMBER, (sa.String,)),
    "any": (User.roles, ()),
    "has": (User.boss, ()),
    "of_type": (User.roles, (Role,)),
    "and_": (User.roles, (Role.id == 1,)),
    "any_": (SELECT.scalar_subquery(), ()),
    "all_": (SELECT.scalar_subquery(), ()),
    "over": (sa.func.count(), ()),
    "filter": (sa.func.count(), (CONDITION,)),
    "within_group": (sa.func.count(), (NUMBER,)),
    **dict.fromkeys(("as_string", "as_integer", "as_float", "as_boolean", "as_json"), (User.data["x"], ())),
    "as_numeric": (User.data["x"], (1, 2)),
    "has_key": (_JSON, ("x",)),
    "has_any": (_JSON, ("x",)),
    "has_all": (_JSON, ("x",)),
    "contained_by": (_JSON, ({},)),
    "overlap": (sa.type_coerce(User.data, type_of_list), (["x"],)),
}
_CHAINED_ARGUMENTS: Mapping[str, tuple[Any, ...]] = {
    **OPTION_ARGUMENTS,
    "options": (orm.load_only(Role.id),),
    "selectin_polymorphic": ([],),
}
_EXISTS_ARGUMENTS: Mapping[str, tuple[Any, ...]] = {
    "where": (CONDITION,),
    "select_from": (User,),
    "correlate": (User,),
    "correlate_except": (User,),
}
_SELECT_ARGUMENTS: Mapping[str, tuple[Any, ...]] = {
    "scalar_subquery": (),
    "as_scalar": (),
    "exists": (),
    "label": ("x",),
}
UTC = dt.UTC
COMPUTING_ARGUMENTS: Mapping[str, tuple[Any, ...]] = {
    "datetime.datetime.now": (UTC,),
    "datetime.datetime.fromtimestamp": (0, UTC),
    "datetime.datetime.fromisoformat": ("2024-01-01",),
    "datetime.date.fromisoformat": ("2024-01-01",),
    "datetime.time.fromisoformat": ("10:00",),
    "datetime.datetime.strptime": ("2024", "%Y"),
    "datetime.datetime.combine": (dt.date(2024, 1, 1), dt.time()),
    "datetime.datetime.fromordinal": (1,),
    "datetime.datetime": (2024, 1, 1),
    "datetime.date": (2024, 1, 1),
    "datetime.timezone": (dt.timedelta(),),
    "decimal.Decimal": ("1",),
    "zoneinfo.ZoneInfo": ("UTC",),
    "os.getenv": ("HOME",),
    "os.urandom": (4,),
    "secrets.randbelow": (10,),
    **dict.fromkeys(("uuid.uuid3", "uuid.uuid5"), (uuid.NAMESPACE_DNS, "x")),
    "uuid.UUID": ("12345678123456781234567812345678",),
    **dict.fromkeys(("re.escape", "html.escape"), ("a.b",)),
    **dict.fromkeys((f"urllib.parse.{name}" for name in ("quote", "quote_plus", "unquote", "unquote_plus")), ("a b",)),
    **dict.fromkeys((f"base64.{name}" for name in ("b64encode", "urlsafe_b64encode")), (b"abcd",)),
    **dict.fromkeys((f"base64.{name}" for name in ("b64decode", "urlsafe_b64decode")), (b"YWJjZA==",)),
    **dict.fromkeys((f"math.{name}" for name in ("ceil", "floor", "sqrt", "log", "log2", "log10", "exp")), (2.0,)),
    **dict.fromkeys(("math.pow", "math.isclose"), (2.0, 3.0)),
}
_WITHOUT_ARGUMENTS = frozenset(
    {
        *("datetime.datetime.utcnow", "datetime.datetime.today", "datetime.date.today", "datetime.time"),
        *("datetime.timedelta", "uuid.uuid1", "uuid.uuid4", "secrets.token_hex", "secrets.token_urlsafe"),
        *("secrets.token_bytes", "time.time", "time.time_ns", "time.monotonic", "time.monotonic_ns"),
        "time.perf_counter",
    }
)


@pytest.mark.parametrize("dotted", measured(statement_parts.ELEMENTS))
def test_functions_that_make_an_element(dotted: str) -> None:
    function, arguments = resolved(dotted), ELEMENT_ARGUMENTS[last(dotted)]
    assert touched(lambda: function(*arguments)) == []


@pytest.mark.parametrize("dotted", measured(statement_parts.SETS))
def test_functions_that_put_selects_together(dotted: str) -> None:
    function = resolved(dotted)
    assert touched(lambda: function(SELECT, SELECT)) == []


@pytest.mark.parametrize("dotted", measured(statement_parts.TYPES))
def test_types_of_columns(dotted: str) -> None:
    class_, arguments = resolved(dotted), TYPE_ARGUMENTS[last(dotted)]
    assert touched(lambda: sa.cast(NUMBER, class_(*arguments))) == []


@pytest.mark.parametrize("dotted", measured(statement_parts.OPTIONS))
def test_loader_options(dotted: str) -> None:
    function, arguments = resolved(dotted), OPTION_ARGUMENTS[last(dotted)]
    assert touched(lambda: function(*arguments)) == []


@pytest.mark.parametrize("name", sorted(statement_parts.CHAINED))
def test_loader_options_on_top_of_others(name: str) -> None:
    base = orm.selectinload(User.roles) if name == "options" else orm.Load(User)
    assert touched(lambda: getattr(base, name)(*_CHAINED_ARGUMENTS[name])) == []


@pytest.mark.parametrize("name", sorted(statement_parts.OPERATORS))
def test_operators_of_columns(name: str) -> None:
    base, arguments = METHODS[name]
    if not hasattr(base, name):
        pytest.skip(f"this version has no `{name}`")
    assert touched(lambda: getattr(base, name)(*arguments)) == []


@pytest.mark.parametrize("name", sorted(statement_parts.OF_EXISTS))
def test_steps_of_an_exists(name: str) -> None:
    assert touched(lambda: getattr(sa.exists(SELECT), name)(*_EXISTS_ARGUMENTS[name])) == []


@pytest.mark.parametrize("name", sorted(statement_parts.AS_AN_ELEMENT))
def test_selects_that_become_an_element(name: str) -> None:
    if not hasattr(SELECT, name):
        pytest.skip(f"this version has no `{name}`")
    assert touched(lambda: getattr(SELECT, name)(*_SELECT_ARGUMENTS[name])) == []


def test_column_that_is_asked_for_by_its_name() -> None:
    assert touched(lambda: getattr(User, "na" + "me").desc()) == []


@pytest.mark.parametrize("dotted", sorted(harmless_calls.COMPUTING))
def test_functions_of_the_standard_library_that_compute(dotted: str) -> None:
    function = resolved(dotted)
    arguments = COMPUTING_ARGUMENTS.get(dotted, ())
    assert arguments or dotted in _WITHOUT_ARGUMENTS, f"say how {dotted} is called"
    assert touched(lambda: function(*arguments)) == []


def in_a_session(what: Callable[[User], object]) -> list[str]:
    """What is seen of a call that is given an entity of another session."""
    engine = sa.create_engine("sqlite://", poolclass=StaticPool)
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.add(User(id=1, name="a", roles=[Role(id=1)]))
        session.commit()
        user = session.get_one(User, 1)
        assert user.roles
        found = touched(lambda: what(user))
    engine.dispose()
    return found


@pytest.mark.parametrize(
    "reaching",
    [
        pytest.param(lambda user: orm.object_session(user), id="object_session"),
        pytest.param(lambda user: orm.make_transient(user), id="make_transient"),
        pytest.param(lambda user: setattr(user, "name", "x"), id="attribute"),
        pytest.param(lambda user: User.roles.contains(user.roles[0]), id="entity in a condition"),
    ],
)
def test_what_reaches_an_object_is_seen(reaching: Callable[[User], object]) -> None:
    assert in_a_session(reaching)
