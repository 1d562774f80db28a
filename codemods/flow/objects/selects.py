"""What a SQL statement selects: `select(User).join(...)`, read step by step. Pure (semantics D2)."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import replace

from codemods.flow.objects.values import Class, Selected, Selection, Value
from codemods.flow.scope import Scope
from codemods.project.expressions import expression
from codemods.project.facts import Call
from codemods.project.link import Place
from codemods.project.mapped_classes import mapped
from codemods.project.mapping_definitions import definition
from codemods.project.mapping_names import TABLES
from codemods.project.sessions import ClassMeaning, External

Evaluate = Callable[[ast.expr], Value]

_SQL = ("sqlalchemy", "sqlalchemy.sql", "sqlalchemy.sql.expression", "sqlmodel")
WRITING = frozenset(f"{module}.{name}" for module in _SQL for name in ("insert", "update", "delete")) | frozenset(
    f"sqlalchemy.dialects.{name}.insert" for name in ("postgresql", "sqlite", "mysql")
)
ALIASES = frozenset({"sqlalchemy.orm.aliased", "sqlalchemy.orm.util.aliased", "sqlalchemy.alias"})
TEXTS = frozenset(f"{module}.{name}" for module in _SQL for name in ("text", "exists", "literal", "values", "table"))
_PLAIN_CALLS = ("sqlalchemy.func.", "sqlalchemy.sql.func.", "sqlalchemy.sql.functions.", "sqlmodel.func.")
_PLAIN_FUNCTIONS = frozenset(
    f"{module}.{name}"
    for module in _SQL
    for name in (
        *(
            "func",
            "distinct",
            "case",
            "cast",
            "literal",
            "literal_column",
            "exists",
            "null",
            "true",
            "false",
            "extract",
        ),
        *("desc", "asc", "label", "type_coerce", "column", "text", "and_", "or_", "not_", "nulls_last", "nulls_first"),
    )
) | {"sqlmodel.col", "sqlmodel.sql.expression.col"}
# steps whose arguments may name another source of rows: an implicit join
_NAMING = frozenset({"where", "filter", "having", "order_by", "group_by", "filter_by"})
# methods of a column or relationship whose argument is a statement of its own
_NESTED = frozenset({"any", "has", "in_", "not_in", "notin_", "op", "is_", "is_not", "isnot"})
# steps that neither change what is selected nor how often it comes
_SAME = frozenset(
    {
        *("where", "filter", "filter_by", "order_by", "limit", "offset", "group_by", "having", "with_for_update"),
        *("execution_options", "correlate", "correlate_except", "prefix_with", "suffix_with", "with_hint", "fetch"),
        *("slice", "distinct", "add_cte", "with_statement_hint", "options", "populate_existing", "yield_per"),
        *("enable_eagerloads", "enable_assertions", "autoflush", "params", "reset_joinpoint"),
    }
)
_JOINING = frozenset({"join", "outerjoin", "join_from", "outerjoin_from", "select_from", "from_statement"})
# the statement is a part of another one from here on: nothing is loaded by it
NESTING = frozenset(
    {"subquery", "cte", "alias", "scalar_subquery", "exists", "lateral", "as_scalar", "label", "in_", "compile"}
)


def end_of(node: ast.expr) -> tuple[int, int]:
    """Where an expression ends: what tells the calls of one chain apart."""
    return node.end_lineno or node.lineno, node.end_col_offset or 0


def selection(node: ast.Call, called: str, scope: Scope, evaluate: Evaluate) -> Selection:
    """What `select(...)` selects; `called` is the dotted name of the function."""
    selected = tuple(_selected(argument, scope, evaluate) for argument in node.args)
    if not selected or any(isinstance(argument, ast.Starred) for argument in node.args):
        selected = (Selected(None, "", unknown=True),)
    # several things may be a join already; rows of an alias of a subquery may repeat
    joined = len(selected) > 1 or _is_doubtful(node.args[0], evaluate) if node.args else True
    position = (node.lineno, node.col_offset)
    return Selection(selected, position, joined, sqlmodel=called.startswith("sqlmodel."))


def query(node: ast.Call, scope: Scope, evaluate: Evaluate) -> Selection:
    """What `session.query(...)` selects."""
    found = selection(node, "", scope, evaluate)
    return replace(found, unique=len(node.args) == 1)


def step(known: Selection, node: ast.Call, method: str, scope: Scope, evaluate: Evaluate) -> Selection | None:
    """The statement after one more step of its chain; None when it is no statement that loads something any more."""
    if method == "returning":
        given = tuple(_selected(argument, scope, evaluate) for argument in node.args)
        told = tuple(one if _is_modern(one, scope) else replace(one, class_=None, unknown=True) for one in given)
        return Selection(told, (node.lineno, node.col_offset), joined=True, writes=known.writes)
    if not known.selected:
        return known  # `insert(User).values(...)`: it gives no rows
    if method == "options":
        return replace(known, options=(*known.options, end_of(node)))
    if method in _NAMING:
        other = any(_names_another(one, known, scope, evaluate) for one in node.args)
        return replace(known, joined=known.joined or other)
    if method == "yield_per":
        return replace(known, unique=False)
    if method == "with_for_update":
        return replace(known, locks=True)
    if method in _SAME:
        return known
    if method in _JOINING:
        return replace(known, joined=True)
    if method in NESTING:
        return None
    if method in ("add_columns", "add_entity", "column"):
        more = tuple(_selected(argument, scope, evaluate) for argument in node.args)
        return replace(known, selected=(*known.selected, *more), unique=False, joined=True)
    if method in ("with_only_columns", "with_entities"):
        chosen = tuple(_selected(argument, scope, evaluate) for argument in node.args)
        return replace(known, selected=chosen or (Selected(None, "", unknown=True),), unique=False, joined=True)
    if method in ("union", "union_all", "intersect", "intersect_all", "except_", "except_all"):
        return replace(known, selected=tuple(Selected(None) for _ in known.selected), unique=False)
    return replace(known, selected=(Selected(None, "", unknown=True),))


def _is_doubtful(node: ast.expr, evaluate: Evaluate) -> bool:
    return isinstance(node, ast.Name) and any(isinstance(one, Class) and one.doubtful for one in evaluate(node))


def _names_another(node: ast.expr, known: Selection, scope: Scope, evaluate: Evaluate, *, top: bool = True) -> bool:
    """Whether a condition may name something else than the one class that is selected: then rows may repeat.

    A condition that stands in a variable may; a value in it that does is taken for one.
    """
    match node:
        case ast.Constant():
            return False
        case ast.Name(id=name):
            return top and name not in ("True", "False")
        case ast.Starred():
            return True
        case ast.Compare(left=left, comparators=others):
            return any(_names_another(one, known, scope, evaluate, top=False) for one in [left, *others])
        case ast.BinOp(left=left, op=op, right=right):
            both = isinstance(op, (ast.BitAnd, ast.BitOr)) and top
            return any(_names_another(one, known, scope, evaluate, top=both) for one in (left, right))
        case ast.UnaryOp(operand=inner):
            return _names_another(inner, known, scope, evaluate, top=top)
        case ast.Attribute(value=owner):
            return _is_of_another(owner, known, scope, evaluate)
        case ast.Call(func=ast.Attribute(value=base, attr=method) as function):
            called = scope.meaning(function)
            if isinstance(called, External):
                return _in_call(node, called.dotted, known, scope, evaluate, top=top)
            if method == "contains" and _is_relationship(base, scope):
                return True
            if _names_another(base, known, scope, evaluate, top=False):
                return True
            if method in _NESTED:
                return False
            return any(_names_another(one, known, scope, evaluate, top=False) for one in node.args)
        case ast.Call(func=function):
            called = scope.meaning(function)
            if not isinstance(called, External):
                return True
            return _in_call(node, called.dotted, known, scope, evaluate, top=top)
        case ast.JoinedStr() | ast.List() | ast.Tuple() | ast.Set() | ast.Dict():
            return False
        case _:
            return top


def _in_call(node: ast.Call, dotted: str, known: Selection, scope: Scope, evaluate: Evaluate, *, top: bool) -> bool:
    """`and_(...)`, `func.lower(User.email)`, `exists(...)`, `datetime.now()`."""
    last = dotted.rpartition(".")[2]
    if not dotted.startswith(("sqlalchemy", "sqlmodel")):
        return top
    if last in ("exists", "select", "text", "literal", "literal_column", "bindparam"):
        return last in ("text", "literal_column") and top
    inner = last in ("and_", "or_", "not_") and top
    return any(_names_another(one, known, scope, evaluate, top=inner) for one in node.args)


def _is_relationship(node: ast.expr, scope: Scope) -> bool:
    if not isinstance(node, ast.Attribute):
        return False
    owner = scope.meaning(node.value)
    found = mapped(owner, scope.project) if isinstance(owner, ClassMeaning) else None
    return found is None or node.attr not in found.columns


def _is_of_another(owner: ast.expr, known: Selection, scope: Scope, evaluate: Evaluate) -> bool:
    """Whether `owner`, of which a condition names an attribute, is another source of rows than the selected class."""
    chosen = known.selected[0] if known.selected else Selected(None)
    if isinstance(owner, ast.Name):
        aliases = [one for one in evaluate(owner) if isinstance(one, Class) and one.alias]
        if aliases:
            return owner.id != chosen.text
    class_ = scope.meaning(owner)
    if isinstance(class_, ClassMeaning):
        found = mapped(class_, scope.project)
        if found is None:
            return False  # an enum, settings: plain values
        selected = mapped(chosen.class_, scope.project) if chosen.class_ is not None else None
        inherited = selected is not None and class_ in selected.parents
        return chosen.alias or (class_ != chosen.class_ and not inherited)
    # `cte.c.user_id`, `subquery.c.id`, `users.c.id`
    return isinstance(owner, ast.Attribute) and owner.attr in ("c", "columns")


def _is_modern(one: Selected, scope: Scope) -> bool:
    """SQLAlchemy 1.4 gives the first column instead of the entity; it does not have `DeclarativeBase`."""
    if one.class_ is None:
        return True
    return any(
        isinstance(base, External) and base.dotted.rpartition(".")[2].startswith("DeclarativeBase")
        for base in scope.project.bases(one.class_)
    )


def _selected(node: ast.expr, scope: Scope, evaluate: Evaluate) -> Selected:
    if isinstance(node, ast.Name):
        for one in evaluate(node):
            if isinstance(one, Class):
                return Selected(one.class_, node.id, alias=one.alias)
    means = scope.meaning(node)
    if isinstance(means, ClassMeaning):
        if mapped(means, scope.project) is not None:
            return Selected(means, ast.unparse(node))
        return Selected(None, ast.unparse(node), unknown=True)
    return Selected(None, ast.unparse(node), unknown=not (_is_column(node, scope, evaluate) or _is_table(node, scope)))


def _is_table(node: ast.expr, scope: Scope) -> bool:
    """`users = Table("users", metadata, ...)`."""
    made = definition(expression(node), Place(scope.place.path), scope.project)
    if made is None or not isinstance(made.expression, Call):
        return False
    means = scope.project.meaning(made.expression.function, made.place)
    return isinstance(means, External) and means.dotted in TABLES


def _is_column(node: ast.expr, scope: Scope, evaluate: Evaluate) -> bool:
    """A column, a function of SQL, an operation on such: it gives plain values."""
    match node:
        case ast.Constant():
            return True
        case ast.Attribute(value=owner):
            class_ = scope.meaning(owner)
            if isinstance(owner, ast.Name):
                class_ = next((one.class_ for one in evaluate(owner) if isinstance(one, Class)), class_)
            if isinstance(class_, ClassMeaning):
                return True  # whatever an attribute of a class is in a SELECT, it is no entity
            if isinstance(class_, External) and class_.dotted.rpartition(".")[2][:1].isupper():
                return True  # a class of an installed package, or one that is not in view
            # `subquery.c.total`, `User.__table__.c.id`, `users.c.id`
            return isinstance(owner, ast.Attribute) and owner.attr in ("c", "columns")
        case ast.Call(func=ast.Attribute(value=base) as function):
            called = scope.meaning(function)
            if isinstance(called, External):
                return called.dotted in _PLAIN_FUNCTIONS or called.dotted.startswith(_PLAIN_CALLS)
            if function.attr in ("scalar_subquery", "as_scalar", "exists"):
                return True
            return _is_column(base, scope, evaluate) or _is_plain_call(base, scope)
        case ast.Call(func=function):
            called = scope.meaning(function)
            return isinstance(called, External) and called.dotted in _PLAIN_FUNCTIONS | TEXTS
        case ast.BinOp(left=left, right=right):
            return _is_column(left, scope, evaluate) or _is_column(right, scope, evaluate)
        case ast.UnaryOp() | ast.Compare():
            return True
        case _:
            return False


def _is_plain_call(node: ast.expr, scope: Scope) -> bool:
    """`func.count(...)` of `func.count(...).over(...)`, `select(...).scalar_subquery()`."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        if node.func.attr in ("scalar_subquery", "as_scalar", "exists"):
            return True
        called = scope.meaning(node.func)
        return isinstance(called, External) and called.dotted.startswith(_PLAIN_CALLS)
    return False
