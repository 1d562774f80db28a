"""What a mapped class is, as values: its columns, relationships and the rest of its mapping. Touches nothing.

Everything that cannot be told is None, "" or an `Unknown` with its reason; nothing here is ever a guess.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass

from codemods.project.sessions import ClassMeaning

DEFAULT_CASCADE = frozenset({"save-update", "merge"})
_ALL = frozenset({"save-update", "merge", "refresh-expire", "expunge", "delete"})


class Direction(enum.StrEnum):
    MANY_TO_ONE = "many to one"
    ONE_TO_MANY = "one to many"
    MANY_TO_MANY = "many to many"


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """`ForeignKey("users.id")`: the table as it is written, "" when it cannot be told."""

    column: str  # the attribute that holds the key
    table: str


@dataclass(frozen=True, slots=True)
class Column:
    """One column attribute. `path` and `line` say where it is declared, which may be a mixin."""

    name: str
    path: str
    line: int
    nullable: bool | None
    optional: bool | None  # the declared type allows None; None: no type is declared, or it cannot be read
    primary_key: bool | None = False  # None: it cannot be told
    deferred: bool = False
    plain: bool = False  # its values are known to be plain: numbers, texts, dates, enum members, JSON
    python_type: str = ""  # "int", "uuid.UUID"; "" when it cannot be told which
    server_default: bool = False  # the database fills it in, or computes it
    onupdate: bool = False  # an UPDATE changes it beside what was set (semantics C10)
    foreign_keys: tuple[ForeignKey, ...] = ()
    sort_order: bool = False  # it asks for another place among the columns than where it stands
    column_name: str = ""  # its name in the table, where that is given


@dataclass(frozen=True, slots=True)
class Relationship:
    """One relationship attribute. `path` and `line` say where it is declared, or what it is implied by."""

    name: str
    path: str
    line: int
    target: ClassMeaning | None
    unresolved: str  # why there is no target; "" when there is one
    to_many: bool | None
    direction: Direction | None
    lazy: str | None
    cascade: frozenset[str] | None  # "all" is written out
    back_populates: str | None = None
    secondary: str = ""  # the table between, as it is written; "" when there is none
    viewonly: bool | None = False
    implied: bool = False  # made by the `backref` of another class; there is no declaration

    @property
    def expunges(self) -> bool | None:
        """Whether expunging the owner expunges what is loaded here; None when it cannot be told."""
        return None if self.cascade is None else "expunge" in self.cascade


@dataclass(frozen=True, slots=True)
class Proxy:
    """`association_proxy("through", "attribute")`. `through` is "" when it cannot be told."""

    name: str
    path: str
    line: int
    through: str
    attribute: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """What may be mapped in a way that is not in view: one attribute, or (`name` is "") any attribute."""

    name: str
    why: str
    path: str
    line: int
    only_columns: bool = False  # whatever it is, it is no relationship


@dataclass(frozen=True, slots=True)
class Mapped:
    """What the mapping of one class says. Inherited attributes are among its own."""

    class_: ClassMeaning
    path: str
    line: int
    columns: Mapping[str, Column]
    primary_key: tuple[str, ...] | None  # names of attributes in the order in which `get` takes them
    relationships: Mapping[str, Relationship]
    hybrids: frozenset[str]
    proxies: Mapping[str, Proxy]
    synonyms: Mapping[str, str]  # name -> the attribute it stands for, "" when it cannot be told
    column_properties: frozenset[str]  # `column_property`, `query_expression`: computed by the SELECT
    own_truth: bool  # it, a project base or a mapped class below it defines `__bool__` or `__len__`
    unknown: tuple[Unknown, ...] = ()
    parents: tuple[ClassMeaning, ...] = ()  # the mapped classes it inherits from, the nearest first

    def may_have(self, name: str) -> bool:
        """Whether an attribute of this name is, or may be, mapped."""
        known = name in self.columns or name in self.relationships or name in self.proxies or name in self.synonyms
        known = known or name in self.hybrids or name in self.column_properties
        return known or any(one.name in ("", name) for one in self.unknown)

    @property
    def may_relate_more(self) -> bool:
        """There may be relationships that are not among `relationships`."""
        return any(not one.only_columns for one in self.unknown)


def cascades(text: str) -> frozenset[str]:
    """The words of a `cascade` argument, written out as SQLAlchemy does."""
    words = {word.strip() for word in text.split(",")} - {""}
    if "all" in words:
        words |= _ALL
    if "none" in words:
        words.clear()
    return frozenset(words - {"all"})
