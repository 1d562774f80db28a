"""Which calls only build a part of a SQL statement: `desc(User.name)`, `User.id.in_(ids)`, `selectinload(User.roles)`.

Such a call changes nothing: it makes an element or an option out of what it is given. Measured with SQLAlchemy 2.0 and
2.1 (tests/test_statement_parts.py), in a session with an object that is changed and one that is new: none of the
functions and methods below (each was called; SQLModel has them from there, and its `col` gives back what it is given)
sends a statement, changes what is new, dirty or deleted in the session, or so much as enters the code of a session or
of the state of an object. With an object among the arguments (`User.roles.contains(role)`) some enter the latter,
though they change nothing that was seen: what they are given is for the caller to look at.

A name counts by its definition, a method by what it is called on: a column or relationship of a mapped class in view,
or what another such call makes. Hybrids, synonyms and association proxies run code of the project when they are asked
for; so does a column where the project has a `comparator_factory` anywhere. Asks `Project`; pure.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import fields, is_dataclass

from codemods.flow.bound_once import bound_inside, bound_once
from codemods.flow.loader_reading import LOADING
from codemods.flow.objects import selects
from codemods.flow.objects.values import Alternative, Class, How, Unknown, Value, objects, parts
from codemods.flow.scope import Scope
from codemods.flow.values import SELECTS
from codemods.project.facts import Expression
from codemods.project.link import Project
from codemods.project.mapped_classes import all_mapped, mapped
from codemods.project.sessions import ClassMeaning, External

Evaluate = Callable[[ast.expr], Value]

_CORE = ("sqlalchemy", "sqlalchemy.sql", "sqlalchemy.sql.expression", "sqlmodel")
_ORM = ("sqlalchemy.orm", "sqlalchemy.orm.strategy_options")
_FUNCTIONS = ("sqlalchemy.func.", "sqlalchemy.sql.func.", "sqlalchemy.sql.expression.func.", "sqlmodel.func.")
ELEMENTS = frozenset(
    f"{module}.{name}"
    for module in _CORE
    for name in (
        *("desc", "asc", "nulls_first", "nulls_last", "nullsfirst", "nullslast", "and_", "or_", "not_", "distinct"),
        *("case", "cast", "try_cast", "type_coerce", "extract", "between", "collate", "tuple_", "over", "funcfilter"),
        *("within_group", "any_", "all_", "label", "bindparam", "null", "true", "false", "column", "literal_column"),
        *("exists", "literal", "bitwise_not"),
    )
) | {"sqlmodel.col", "sqlmodel.sql.expression.col"}
SETS = frozenset(
    f"{module}.{name}"
    for module in _CORE
    for name in ("union", "union_all", "intersect", "intersect_all", "except_", "except_all")
)
# types that take nothing which they would call: no `Enum`, `PickleType`, `TypeDecorator`
TYPES = frozenset(
    f"{module}.{name}"
    for module in ("sqlalchemy", "sqlalchemy.types", "sqlalchemy.sql.sqltypes", "sqlmodel")
    for name in (
        *("String", "Text", "Unicode", "UnicodeText", "Integer", "SmallInteger", "BigInteger", "Numeric", "Float"),
        *("Boolean", "Date", "DateTime", "Time", "Interval", "LargeBinary", "Uuid", "JSON", "ARRAY", "Double"),
        *("CHAR", "VARCHAR", "TEXT", "INTEGER", "BIGINT", "NUMERIC", "DECIMAL", "FLOAT", "TIMESTAMP", "UUID"),
    )
) | frozenset(f"sqlalchemy.dialects.postgresql.{name}" for name in ("JSONB", "JSON", "ARRAY", "UUID", "TIMESTAMP"))
_STRATEGIES = LOADING | {"raiseload", "noload", "defaultload", "lazyload"}
_OF_COLUMNS = frozenset({"load_only", "defer", "undefer", "undefer_group", "selectin_polymorphic"})
OPTIONS = frozenset(f"{module}.{name}" for module in _ORM for name in _STRATEGIES | _OF_COLUMNS | {"Load"})
CHAINED = _STRATEGIES | _OF_COLUMNS | {"options"}
OPERATORS = frozenset(
    {
        *("like", "ilike", "not_like", "notlike", "not_ilike", "notilike", "is_", "is_not", "isnot", "in_", "not_in"),
        *("notin_", "is_distinct_from", "is_not_distinct_from", "isnot_distinct_from", "startswith", "endswith"),
        *("contains", "istartswith", "iendswith", "icontains", "match", "regexp_match", "regexp_replace", "collate"),
        *("concat", "op", "bool_op", "label", "desc", "asc", "nulls_first", "nulls_last", "nullsfirst", "nullslast"),
        *("distinct", "between", "cast", "any", "has", "of_type", "and_", "any_", "all_", "over", "filter"),
        *("within_group", "as_string", "as_integer", "as_float", "as_numeric", "as_boolean", "as_json", "has_key"),
        *("has_any", "has_all", "contained_by", "overlap", "bitwise_and", "bitwise_or", "bitwise_xor"),
    }
)
OF_EXISTS = frozenset({"where", "select_from", "correlate", "correlate_except"})
AS_AN_ELEMENT = frozenset({"scalar_subquery", "as_scalar", "exists", "label"})
_AS_ROWS = frozenset({"subquery", "cte", "alias", "lateral"})
_OWN_OPERATORS = "comparator_factory"
_OF_THE_BASE = frozenset({"metadata", "registry", "type_annotation_map"})
_DEEP = 24  # a chain of more names and calls than this is not followed


def only_builds(node: ast.Call, scope: Scope, evaluate: Evaluate) -> bool:
    """Whether the call makes a part of a statement and does nothing else, as long as `is_harmless` of its arguments."""
    reading = _Reading(scope, evaluate)
    return reading.is_element(node, 0) or reading.is_option(node, 0) or _external(node, scope) in SETS | TYPES


def starts_statement(node: ast.Call, scope: Scope) -> bool:
    """`sa.select(...)`, `sa.update(User)`, `sa.text("...")`: it makes what only its execution runs."""
    return _external(node, scope) in SELECTS | selects.WRITING | selects.TEXTS | selects.ALIASES


def is_harmless(given: Value) -> bool:
    """Whether an argument holds no entity, and nothing else that a session gave and that is not followed.

    A parameter of which no class is known passes: `ids`, `name`. Should it be an entity, it is one of the caller's.
    """
    if any(one.origin.how is not How.GIVEN or one.origin.class_ is not None for one in objects(given, rows=True)):
        return False
    return not any(_is_of_a_session(one) for one in given)


def _is_of_a_session(one: Alternative) -> bool:
    if isinstance(one, Unknown):
        return bool(one.session) or one.holds
    return any(_is_of_a_session(inner) for held in parts(one) for inner in held)


def _external(node: ast.expr, scope: Scope) -> str:
    """The dotted name of what is called, if it is of an installed package; else ""."""
    called = scope.callee(node) if isinstance(node, ast.Call) else None
    # "sqlalchemy.Column(...).desc" is a method of what a call of an installed package gives
    return called.dotted if isinstance(called, External) and "(" not in called.dotted else ""


class _Reading:
    """Reads one expression, as deep as it goes."""

    def __init__(self, scope: Scope, evaluate: Evaluate) -> None:
        self._scope = scope
        self._evaluate = evaluate

    def is_element(self, node: ast.expr, depth: int) -> bool:
        """A column, a condition, an order: something that operators of SQL are called on."""
        if depth > _DEEP:
            return False
        deeper = depth + 1
        match node:
            case ast.Name():
                bound = self._bound(node)
                return bound is not None and self.is_element(bound, deeper)
            case ast.Attribute(value=owner, attr=name):
                if name == "astext":
                    return self.is_element(owner, deeper)
                return self._is_attribute_of_class(owner, name) or self._is_column_of_rows(owner, deeper)
            case ast.Subscript(value=base):
                return self.is_element(base, deeper) or self._is_column_of_rows(base, deeper)
            case ast.Call(func=function):
                dotted = _external(node, self._scope)
                if dotted == "builtins.getattr":
                    return self._is_named_column(node)
                if dotted:
                    return dotted in ELEMENTS or dotted.startswith(_FUNCTIONS)
                return self._is_called_element(function, deeper)
            case ast.BinOp(left=left, right=right):
                return self.is_element(left, deeper) or self.is_element(right, deeper)
            case ast.UnaryOp(op=ast.Invert() | ast.USub(), operand=inner):
                return self.is_element(inner, deeper)
            case ast.Compare(left=left, ops=[operator], comparators=[right]):
                if isinstance(operator, (ast.Is, ast.IsNot, ast.In, ast.NotIn)):
                    return False
                return self.is_element(left, deeper) or self.is_element(right, deeper)
            case _:
                return False

    def _is_called_element(self, function: ast.expr, depth: int) -> bool:
        """What is called for an element that is none of the functions of SQLAlchemy."""
        match function:
            case ast.Call(func=ast.Attribute(attr="op" | "bool_op")):  # `User.tags.op("&&")(tags)`
                return self.is_element(function, depth)
            case ast.Attribute(value=base, attr=method):
                if method in AS_AN_ELEMENT and self._is_select(base, depth):
                    return True
                if method in OF_EXISTS:
                    return self._is_exists(base, depth)
                return method in OPERATORS and self.is_element(base, depth)
            case _:
                return False

    def is_option(self, node: ast.expr, depth: int) -> bool:
        """`selectinload(User.roles).options(load_only(Role.name))`."""
        if depth > _DEEP or not isinstance(node, ast.Call):
            return False
        if dotted := _external(node, self._scope):
            return dotted in OPTIONS
        function = node.func
        if not isinstance(function, ast.Attribute) or function.attr not in CHAINED:
            return False
        base: ast.expr | None = function.value
        if isinstance(base, ast.Name):
            base = self._bound(base)
        return base is not None and self.is_option(base, depth + 1)

    def _bound(self, node: ast.Name) -> ast.expr | None:
        if bound_inside(node, node.id, self._scope):
            return None
        found = bound_once(node.id, self._scope)
        return None if isinstance(found, str) else found

    def _is_attribute_of_class(self, owner: ast.expr, name: str) -> bool:
        """`User.name`, `models.User.roles`, `boss.name` after `boss = aliased(User)`."""
        if not _is_dotted(owner):
            return False
        given = self._evaluate(owner)
        if not given or _has_own_operators(self._scope.project):
            return False
        return all(isinstance(one, Class) and self._is_mapped_attribute(one, name) for one in given)

    def _is_named_column(self, node: ast.Call) -> bool:
        """`getattr(User, order)`, where a class has nothing but what is mapped: it is a column, or an error."""
        if len(node.args) != 2 or node.keywords or not _is_dotted(node.args[0]) or self._own_operators():
            return False
        given = self._evaluate(node.args[0])
        return bool(given) and all(isinstance(one, Class) and self._has_columns_only(one) for one in given)

    def _has_columns_only(self, one: Class) -> bool:
        """Whether no attribute of a class runs code when it is asked for or called: no hybrid, no proxy, no manager."""
        project = self._scope.project
        known = mapped(one.class_, project)
        if known is None or known.hybrids or known.proxies or known.synonyms or known.unknown:
            return False
        for base in project.bases(one.class_):
            facts = project.class_facts(base) if isinstance(base, ClassMeaning) else None
            if facts is None or not isinstance(base, ClassMeaning):
                continue
            if project.symbols.functions(base.module, f"{base.qualname}.__getattr__"):
                return False
            for attribute in facts.attributes:
                if not attribute.method and not attribute.name.startswith("__") and attribute.name not in _OF_THE_BASE:
                    if not self._is_mapped_attribute(one, attribute.name):
                        return False
        return True

    def _is_mapped_attribute(self, one: Class, name: str) -> bool:
        known = mapped(one.class_, self._scope.project)
        if known is None:
            return False
        return name in known.columns or name in known.relationships or name in known.column_properties

    def _is_column_of_rows(self, owner: ast.expr, depth: int) -> bool:
        """`newest.c.total` of `newest = select(...).subquery()`; `User.__table__.c.id`."""
        if not isinstance(owner, ast.Attribute) or owner.attr not in ("c", "columns"):
            return False
        rows: ast.expr | None = owner.value
        if isinstance(rows, ast.Attribute) and rows.attr == "__table__" and _is_dotted(rows.value):
            classes = self._evaluate(rows.value)
            return bool(classes) and all(isinstance(one, Class) for one in classes) and not self._own_operators()
        if isinstance(rows, ast.Name):
            rows = self._bound(rows)
        if not isinstance(rows, ast.Call) or not isinstance(rows.func, ast.Attribute) or self._own_operators():
            return False
        return rows.func.attr in _AS_ROWS and self._is_select(rows.func.value, depth)

    def _own_operators(self) -> bool:
        return _has_own_operators(self._scope.project)

    def _is_select(self, node: ast.expr, depth: int) -> bool:
        """`select(User.id).where(...)`: a chain that starts with a `select` of SQLAlchemy."""
        if depth > _DEEP:
            return False
        if isinstance(node, ast.Name):
            bound = self._bound(node)
            return bound is not None and self._is_select(bound, depth + 1)
        if not isinstance(node, ast.Call):
            return False
        if dotted := _external(node, self._scope):
            return dotted in SELECTS or dotted in SETS
        return isinstance(node.func, ast.Attribute) and self._is_select(node.func.value, depth + 1)

    def _is_exists(self, node: ast.expr, depth: int) -> bool:
        """`exists(...)`, `select(...).exists()`, and what is chained to it."""
        if depth > _DEEP or not isinstance(node, ast.Call):
            return False
        if dotted := _external(node, self._scope):
            return dotted.rpartition(".")[2] == "exists" and dotted in ELEMENTS
        match node.func:
            case ast.Attribute(value=base, attr="exists"):
                return self._is_select(base, depth + 1)
            case ast.Attribute(value=base, attr=method) if method in OF_EXISTS:
                return self._is_exists(base, depth + 1)
            case _:
                return False


def _is_dotted(node: ast.expr) -> bool:
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name)


def _has_own_operators(project: Project) -> bool:
    """Whether anything in the project gives a type, a column or a relationship operators of its own."""
    known = project.kept.get(("statement parts", _OWN_OPERATORS))
    if not isinstance(known, bool):
        all_mapped(project)  # reads every file
        known = any(_gives_operators(project, path) for path in project.symbols.paths())
        project.kept["statement parts", _OWN_OPERATORS] = known
    return known


def _gives_operators(project: Project, path: str) -> bool:
    facts = project.symbols.facts[path]
    named = [one.qualname for one in facts.classes] + [one.qualname for one in facts.functions if one.in_class]
    if any(name.rpartition(".")[2] == _OWN_OPERATORS for name in named):
        return True
    for class_ in facts.classes:
        for attribute in class_.attributes:
            if attribute.name == _OWN_OPERATORS or _mentions_operators(attribute.value):
                return True
    for one in facts.replaced:
        target = one.target if isinstance(one.target, str) else getattr(one.target, "name", "")
        if target.rpartition(".")[2] == _OWN_OPERATORS or (one.value is not None and _mentions_operators(one.value)):
            return True
    return False


def _mentions_operators(node: Expression) -> bool:
    """`relationship(..., comparator_factory=...)`, at any depth of the expression."""
    waiting: list[object] = [node]
    while waiting:
        one = waiting.pop()
        if isinstance(one, tuple):
            waiting += one
        elif one == _OWN_OPERATORS:
            return True
        elif is_dataclass(one):
            waiting += [getattr(one, field.name) for field in fields(one)]
    return False
