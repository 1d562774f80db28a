"""A new object has no statement that loads it: its relationships are loaded by one more `refresh` (rule 21)."""

from __future__ import annotations

import ast

from codemods.flow.loader_options import Missing
from codemods.flow.objects.readers import Reading
from codemods.flow.objects.record import Exit, Record
from codemods.flow.objects.values import One, Origin, objects, unguarded
from codemods.flow.scope import Scope, With, inside
from codemods.plan import Finding, InsertAfter
from codemods.rules.base import ModuleView
from codemods.rules.eager_load.verdicts import Verdicts

_ANCHORS = frozenset({"commit", "flush", "refresh"})


def refreshed(
    view: ModuleView,
    scope: Scope,
    record: Record,
    verdicts: Verdicts,
    node: ast.expr,
    origin: Origin,
    wanting: list[Missing],
    readings: list[Reading],
    requires: tuple[str, ...],
) -> Finding:
    """The finding that adds the `refresh`, or says why it cannot be added."""
    session = record.sessions[record.added[origin] - 1]
    called = session.name or (ast.unparse(session.node) if isinstance(session.node, (ast.Name, ast.Attribute)) else "")
    name = _name(record, origin)
    anchor = _anchor(scope, record, origin, called, name)
    where = anchor.value if anchor is not None else node
    version = view.settings.sqlalchemy
    why = ""
    if version is None or version < (2, 0):
        told = "the project does not say that it runs on" if version is None else "the project does not run on"
        why = f"a relationship of a new object is loaded by `refresh`, which takes SQLAlchemy 2; {told} it"
    elif any(len(one.path) > 1 for one in wanting):
        why = "what is read lies deeper than `refresh` loads"
    elif anchor is None or not name or not called:
        why = "it cannot be told after which line it would have to be refreshed"
    elif _is_in_transaction(scope, anchor):
        why = "its block commits at its end, and lets nothing be read behind another commit"
    elif any(
        left.world.standing(origin).expunged and not _is_left(record, left, origin) for left in _exits(record, origin)
    ):
        why = "it is expunged before it leaves"
    if why:
        return verdicts.manual(where, readings, why, "load it again by a `select` with options")
    assert anchor is not None
    names = ", ".join(f'"{one.path[0]}"' for one in wanting)
    call = f"{called}.refresh({name}, attribute_names=[{names}])"
    edit = InsertAfter(view.source.path, anchor.lineno, f"await {call}" if session.is_async else call)
    return verdicts.made(where, readings, (edit,), f"refresh of {names}", requires=requires)


def _is_in_transaction(scope: Scope, anchor: ast.Expr) -> bool:
    """Whether the line is a commit in a block of `begin()`: that raises when it is used any further (semantics B12)."""
    if "commit" not in ast.unparse(anchor):
        return False
    current = scope.owner_statement(anchor)
    while current is not None:
        if isinstance(current, With):
            for item in current.items:
                match item.context_expr:
                    case ast.Call(func=ast.Attribute(attr="begin")):
                        return True
        current = scope.owner_statement(current)
    return False


def _exits(record: Record, origin: Origin) -> list[Exit]:
    """The returns by which the object leaves."""
    return [left for left in record.exits.values() if any(one.origin == origin for one in objects(left.value))]


def _is_left(record: Record, left: Exit, origin: Origin) -> bool:
    """Whether the block of the session has ended where the object is returned."""
    standing = left.world.sessions.get(record.added[origin])
    return standing is not None and standing.left


def _anchor(scope: Scope, record: Record, origin: Origin, session: str, name: str) -> ast.Expr | None:
    """The last statement after which the object is in the database: a commit, flush or refresh of its own."""
    standings = [left.world.sessions.get(record.added[origin]) for left in _exits(record, origin)]
    last = max((one.committed for one in standings if one is not None), default=0)
    found: ast.Expr | None = None
    block = record.sessions[record.added[origin] - 1].block
    # another block may have another session by the same name
    for statement in scope.statements() if block is None else inside(block):
        call = statement.value if isinstance(statement, ast.Expr) else None
        call = call.value if isinstance(call, ast.Await) else call
        match call:
            case ast.Call(func=ast.Attribute(value=owner, attr=method), args=arguments) if (
                ast.unparse(owner) == session and method in _ANCHORS and statement.lineno > origin.line
            ):
                mine = bool(arguments) and isinstance(arguments[0], ast.Name) and arguments[0].id == name
                if method == "refresh" and not mine:
                    continue
                assert isinstance(statement, ast.Expr)
                found = statement
    leaving = min((left.statement.lineno for left in _exits(record, origin)), default=0)
    if found is None or found.lineno > leaving or scope.in_finally(found):
        return None  # it runs after the object has left, or on another way
    made = next((one for one in scope.statements() if one.lineno <= origin.line <= (one.end_lineno or 0)
                 and not hasattr(one, "body")), None)  # fmt: skip
    if made is None or scope.in_suite(scope.seat(made).suite, found) is None:
        return None  # the object is made on one way only
    if found.lineno < last:
        return None  # a commit at the end of a block, or in a function that is called
    return found


def _name(record: Record, origin: Origin) -> str:
    """The only name that holds just the object."""
    found = {
        name
        for left in _exits(record, origin)
        for name, held in left.world.names.items()
        if frozenset(unguarded(one) if isinstance(one, One) else one for one in held)
        == frozenset({One(origin, (), origin.class_)})
        and "." not in name
    }
    return found.pop() if len(found) == 1 else ""
