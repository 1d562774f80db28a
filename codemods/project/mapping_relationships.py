"""What a declared relationship says: its target, direction, loading and cascade. Asks `Project`; pure."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from codemods.project import facts
from codemods.project.expressions import OPAQUE, dotted, expression
from codemods.project.facts import Attribute, Call, Expression, Lambda, Literal, Name, Series
from codemods.project.link import Place, Project
from codemods.project.mapping import DEFAULT_CASCADE, Column, Direction, Relationship, cascades
from codemods.project.mapping_definitions import definition, literal
from codemods.project.mapping_fields import RelationshipCall
from codemods.project.mapping_names import BACKREFS, RELATIONSHIPS
from codemods.project.sessions import ClassMeaning, External, FunctionMeaning

_LAZY = {True: "select", False: "joined", None: "noload"}


@dataclass(frozen=True, slots=True)
class Backref:
    """The reverse attribute that a relationship makes on its target."""

    name: str
    call: Call | None  # `backref("name", ...)`, with the settings of the reverse side
    place: Place


@dataclass(frozen=True, slots=True)
class Tables:
    """The tables of one mapped class and its parents, and the keys that lead from them to others."""

    class_: ClassMeaning
    names: frozenset[str]
    family: frozenset[ClassMeaning]  # the class, the mapped classes above it
    references: frozenset[tuple[str, str]]  # (attribute, table or "@path:Class")

    def refers_to(self, other: Tables) -> frozenset[str]:
        """The attributes that hold keys to the other class."""
        return frozenset(attribute for attribute, table in self.references if other.is_named(table))

    def is_kin(self, other: Tables) -> bool:
        """One inherits from the other, or both are the same."""
        return self.class_ in other.family or other.class_ in self.family

    def is_named(self, table: str) -> bool:
        """Whether what a foreign key names is one of these tables; a schema in front of it may be left out."""
        if table.startswith("@"):
            return any(table == f"@{class_.module}:{class_.qualname}" for class_ in self.family)
        return table in self.names or (bool(table) and table.rpartition(".")[2] in self.names)


def keyword(call: RelationshipCall, name: str) -> Expression | None:
    """A setting of the relationship; SQLModel hands the ones of SQLAlchemy through `sa_relationship_kwargs`."""
    given = call.call.keyword(name)
    if given is not None or not call.is_sqlmodel:
        return given
    inner = call.call.keyword("sa_relationship")
    if isinstance(inner, Call):
        return inner.keyword(name)
    further = call.call.keyword("sa_relationship_kwargs")
    if isinstance(further, facts.Mapping):
        return next((value for key, value in further.items if key == name), None)
    if isinstance(further, Call) and further.function == Name("dict"):
        return further.keyword(name)
    return None


def is_partly_seen(call: RelationshipCall) -> bool:
    """There are settings that cannot be read: `**options`."""
    further = call.call.keyword("sa_relationship_kwargs") if call.is_sqlmodel else None
    inner = call.call.keyword("sa_relationship") if call.is_sqlmodel else None
    readable = isinstance(further, facts.Mapping) or (isinstance(further, Call) and further.function == Name("dict"))
    return (
        call.call.has_double_star
        or (further not in (None, Literal(None)) and not readable)
        or (isinstance(further, Call) and further.has_double_star)
        or (inner not in (None, Literal(None)) and not isinstance(inner, Call))
    )


# --- targets --------------------------------------------------------------------------------------------------------

Find = Callable[[str, Place], ClassMeaning | str]


def target_of(call: RelationshipCall, project: Project, find: Find) -> ClassMeaning | str:
    """The class that a relationship leads to, or why it cannot be told.

    `find` looks a name up among the classes of the registry: a class, or the reason why there is none.
    """
    written = None if call.is_sqlmodel else call.call.arguments[0] if call.call.arguments else None
    written = written or keyword(call, "argument")
    inner = call.call.keyword("sa_relationship") if call.is_sqlmodel else None
    if isinstance(inner, Call) and inner.arguments:
        written = inner.arguments[0]
    if written is not None and written != Literal(None):
        return _named(written, call.place, project, find, 0)
    if call.told is None or call.told.element is None:
        return "no target is given" if call.told is None else "its declared type cannot be read"
    return _typed(call.told.element, call.told.place, project, find)


def _named(node: Expression, place: Place, project: Project, find: Find, depth: int) -> ClassMeaning | str:
    if isinstance(node, Lambda) and depth < 3:
        return _named(node.value, place, project, find, depth + 1)
    text = literal(node, place, project)
    if isinstance(text, str):
        return find(text, place)
    means = project.meaning(node, place)
    if isinstance(means, ClassMeaning):
        return means
    if isinstance(means, FunctionMeaning) and depth < 3:
        given = [
            _named(one, Place(means.module, means.qualname), project, find, depth + 1)
            for function in project.symbols.functions(means.module, means.qualname)
            for one in function.returns
        ]
        if len(given) == 1:
            return given[0]
    if isinstance(means, External) and not means.dotted.startswith("builtins."):
        return f"`{means.dotted}` is not in view"
    return f"`{dotted(node) or '(...)'}` cannot be followed"


def _typed(element: Expression, place: Place, project: Project, find: Find) -> ClassMeaning | str:
    means = project.meaning(element, place)
    if isinstance(means, ClassMeaning):
        return means
    text = dotted(element)
    if not text:
        return "its declared type cannot be read"
    if isinstance(means, External) and not means.dotted.startswith("builtins."):
        return f"`{means.dotted}` is not in view"
    return find(text, place)


# --- direction ------------------------------------------------------------------------------------------------------


def secondary_of(call: RelationshipCall, project: Project) -> str:
    """The table between, as it is written; "" when there is none."""
    written = keyword(call, "secondary")
    if written is None and not call.is_sqlmodel and len(call.call.arguments) > 1:
        written = call.call.arguments[1]
    if written is None and call.is_sqlmodel:
        written = call.call.keyword("link_model")
    if written is None or written == Literal(None):
        return ""
    if isinstance(written, Lambda):
        written = written.value
    text = literal(written, call.place, project)
    return text if isinstance(text, str) else dotted(written) or "(...)"


def direction_of(
    call: RelationshipCall, owner: Tables, target: Tables, columns: Mapping[str, Column], project: Project
) -> Direction | None:
    """On which side the foreign key is; None when it cannot be told.

    Without `foreign_keys` SQLAlchemy takes only what is unambiguous, so a key that is found on one side decides.
    """
    if secondary_of(call, project):
        return Direction.MANY_TO_MANY
    if is_partly_seen(call):
        return None
    if keyword(call, "primaryjoin") is not None and keyword(call, "foreign_keys") is None:
        return None
    given = _names(keyword(call, "foreign_keys"), call.place, owner, target, project)
    here, there = owner.refers_to(target), target.refers_to(owner)
    if given is not None:
        mine = frozenset(name for side, name in given if side is owner or owner.is_kin(target))
        if not given or any(side is None for side, _ in given):
            return None
        if owner.is_kin(target):
            here = there = mine
        elif all(side is owner for side, _ in given):
            here, there = mine, frozenset()
        elif all(side is target for side, _ in given):
            here, there = frozenset(), frozenset({name for _, name in given})
        else:
            return None
    elif keyword(call, "foreign_keys") is not None:
        return None
    if owner.is_kin(target):
        return _among_themselves(call, owner, target, columns, here | there, project)
    if here and not there:
        return Direction.MANY_TO_ONE
    if there and not here:
        return Direction.ONE_TO_MANY
    return None


def _among_themselves(
    call: RelationshipCall,
    owner: Tables,
    target: Tables,
    columns: Mapping[str, Column],
    keys: frozenset[str],
    project: Project,
) -> Direction | None:
    """A class that relates to itself: `remote_side` says which side is the one."""
    written = keyword(call, "remote_side")
    if owner.class_ != target.class_ or not keys:
        return None
    if written is None:
        return Direction.ONE_TO_MANY
    remote = _names(written, call.place, owner, target, project)
    if remote is None or any(side is None for side, _ in remote):
        return None
    names = {name for _, name in remote}
    if names & keys:
        return Direction.ONE_TO_MANY
    return Direction.MANY_TO_ONE if all(name in columns and columns[name].primary_key for name in names) else None


def _names(
    written: Expression | None, place: Place, owner: Tables, target: Tables, project: Project
) -> list[tuple[Tables | None, str]] | None:
    """The columns in `[a_id, Child.b_id]` or "Child.b_id", each with the side it is of; None when there are none."""
    if isinstance(written, Lambda):
        written = written.value
    text = literal(written, place, project) if written is not None else ...
    if isinstance(text, str):
        try:
            node = ast.parse(text.strip(), mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None
        elements = (
            [expression(one) for one in node.elts] if isinstance(node, ast.List | ast.Tuple) else [expression(node)]
        )
    elif isinstance(written, Series):
        elements = list(written.elements)
    elif isinstance(written, (Name, Attribute, Literal)):
        elements = [written]
    else:
        return None
    return [_side(one, place, owner, target, project) for one in elements]


def _side(node: Expression, place: Place, owner: Tables, target: Tables, project: Project) -> tuple[Tables | None, str]:
    if isinstance(node, Literal) and isinstance(node.value, str):
        first, _, rest = node.value.rpartition(".")
        node = Attribute(Name(first.rpartition(".")[2]), rest) if first else Name(rest)
    if isinstance(node, Name):
        return owner, node.id
    if isinstance(node, Attribute):
        inner = node.value
        if isinstance(inner, Attribute) and inner.name == "c":
            return None, node.name
        means = project.meaning(inner, place)
        called = dotted(inner).rpartition(".")[2]
        for side in (owner, target):
            if means in side.family:
                return side, node.name
        if not isinstance(means, ClassMeaning):
            for side in (owner, target):
                if called == side.class_.qualname.rpartition(".")[2]:
                    return side, node.name
    return None, ""


# --- settings -------------------------------------------------------------------------------------------------------


def lazy_of(call: RelationshipCall, project: Project) -> str | None:
    """How it is loaded; None when that cannot be told."""
    if call.is_dynamic:
        return "dynamic"
    wrapper = call.told.wrapper.rpartition(".")[2] if call.told else ""
    written = keyword(call, "lazy")
    if written is None:
        if is_partly_seen(call):
            return None
        return {"DynamicMapped": "dynamic", "WriteOnlyMapped": "write_only"}.get(wrapper, "select")
    return _lazy(literal(written, call.place, project))


def _lazy(given: object) -> str | None:
    if isinstance(given, str):
        return given
    return _LAZY[given] if given is None or isinstance(given, bool) else None


def cascade_of(call: RelationshipCall, project: Project, *, viewonly: bool | None) -> frozenset[str] | None:
    """The words of its cascade; None when they cannot be told."""
    written = keyword(call, "cascade")
    if written is None and call.is_sqlmodel:
        deletes = call.call.keyword("cascade_delete")
        if deletes is not None:
            given = literal(deletes, call.place, project)
            if given is True:
                return cascades("all, delete-orphan")
            if given is not False:
                return None
    if is_partly_seen(call) and written is None:
        return None
    return _cascade(written, call.place, project, viewonly=viewonly)


def _cascade(
    written: Expression | None, place: Place, project: Project, *, viewonly: bool | None
) -> frozenset[str] | None:
    if written is None:
        # neither default expunges, so what cannot be told of `viewonly` changes little
        return frozenset({"merge"}) if viewonly else DEFAULT_CASCADE
    given = literal(written, place, project)
    if isinstance(given, str):
        return cascades(given)
    return cascades("") if given is False else None


def relationship_of(
    call: RelationshipCall, target: ClassMeaning | str, direction: Direction | None, project: Project
) -> Relationship:
    """The value that is made of a declaration once its target and direction are known."""
    partly = is_partly_seen(call)

    def told(name: str) -> object:
        written = keyword(call, name)
        return (... if partly else None) if written is None else literal(written, call.place, project)

    viewonly_given = told("viewonly")
    viewonly = None if viewonly_given is ... else bool(viewonly_given)
    back_populates = told("back_populates")
    return Relationship(
        name=call.name,
        path=call.path,
        line=call.line,
        target=target if isinstance(target, ClassMeaning) else None,
        unresolved=target if isinstance(target, str) else "",
        to_many=_to_many(call, direction, told("uselist")),
        direction=direction,
        lazy=lazy_of(call, project),
        cascade=cascade_of(call, project, viewonly=viewonly),
        back_populates=back_populates if isinstance(back_populates, str) else None,
        secondary=secondary_of(call, project),
        viewonly=viewonly,
    )


def _to_many(call: RelationshipCall, direction: Direction | None, uselist: object) -> bool | None:
    if isinstance(uselist, bool):
        return uselist
    if uselist is ... and keyword(call, "uselist") is not None:
        return None
    told = call.told
    if told is not None and told.element is not None and (told.wrapper or call.is_sqlmodel):
        # `DynamicMapped[X]`, `WriteOnlyMapped[X]` are collections of X
        return told.collection or told.wrapper.rpartition(".")[2] in ("DynamicMapped", "WriteOnlyMapped")
    if call.is_dynamic or keyword(call, "collection_class") not in (None, Literal(None)):
        return True
    if direction is not None:
        return direction is not Direction.MANY_TO_ONE
    return True if told is not None and told.collection else None


# --- the other side -------------------------------------------------------------------------------------------------


def backref_of(call: RelationshipCall, project: Project) -> Backref | None:
    """The reverse attribute that a relationship makes; its name is "" when it cannot be told."""
    written = keyword(call, "backref")
    if written is None or written == Literal(None):
        return Backref("", None, call.place) if written is None and is_partly_seen(call) else None
    if isinstance(written, Call):
        means = project.meaning(written.function, call.place)
        if isinstance(means, External) and means.dotted in BACKREFS | RELATIONSHIPS and written.arguments:
            name = literal(written.arguments[0], call.place, project)
            return Backref(name if isinstance(name, str) else "", written, call.place)
        return Backref("", None, call.place)
    name = literal(written, call.place, project)
    if isinstance(written, (Name, Attribute)) and not isinstance(name, str):
        made = definition(written, call.place, project)
        if made is not None and isinstance(made.expression, Call) and made.expression.arguments:
            name = literal(made.expression.arguments[0], made.place, project)
            if isinstance(name, str):
                return Backref(name, made.expression, made.place)
    return Backref(name if isinstance(name, str) else "", None, call.place)


def implied(forward: Relationship, backref: Backref, owner: ClassMeaning, project: Project) -> Relationship:
    """The reverse side of a relationship with `backref`: an attribute of its target."""
    call = backref.call or Call(OPAQUE)
    partly = call.has_double_star
    reverse = {
        Direction.MANY_TO_ONE: Direction.ONE_TO_MANY,
        Direction.ONE_TO_MANY: Direction.MANY_TO_ONE,
        Direction.MANY_TO_MANY: Direction.MANY_TO_MANY,
    }
    direction = reverse[forward.direction] if forward.direction else None

    def told(name: str) -> object:
        written = call.keyword(name)
        return (... if partly else None) if written is None else literal(written, backref.place, project)

    viewonly_given = told("viewonly")
    viewonly = forward.viewonly if viewonly_given is None else None if viewonly_given is ... else bool(viewonly_given)
    uselist = told("uselist")
    if isinstance(uselist, bool):
        to_many: bool | None = uselist
    elif uselist is ...:
        to_many = None
    else:
        to_many = None if direction is None else direction is not Direction.MANY_TO_ONE
    lazy = None if partly and call.keyword("lazy") is None else "select"
    if call.keyword("lazy") is not None:
        lazy = _lazy(told("lazy"))
    cascade = _cascade(call.keyword("cascade"), backref.place, project, viewonly=viewonly)
    return Relationship(
        name=backref.name,
        path=forward.path,
        line=forward.line,
        target=owner,
        unresolved="",
        to_many=to_many,
        direction=direction,
        lazy=lazy,
        cascade=None if partly and call.keyword("cascade") is None else cascade,
        back_populates=forward.name,
        secondary=forward.secondary,
        viewonly=viewonly,
        implied=True,
    )
