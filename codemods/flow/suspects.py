"""Sessions that cannot be proved to be any: what makes them is not in view, yet they run ORM statements. Reads only."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from codemods.flow.examine import examine
from codemods.flow.scope import Scope
from codemods.flow.values import Values
from codemods.project.models import is_mapped
from codemods.project.sessions import (
    ClassMeaning,
    External,
    InstanceMeaning,
    Meaning,
    Ownership,
    SessionMeaning,
    UnknownMeaning,
)

_SELECTING = frozenset({"execute", "scalar", "scalars", "exec", "stream", "stream_scalars", "query", "get", "get_one"})
_TAKING = frozenset({"add", "add_all", "merge", "delete", "refresh", "expunge"})  # entities; repositories do, too
_ENDING = frozenset({"commit", "flush", "rollback"})


@dataclass(frozen=True, slots=True, eq=False)
class Suspect:
    """`session = state["maker"]()`: used like a session at `line`, and nothing closes it."""

    value: ast.expr
    statement: ast.stmt
    called: str
    line: int


def suspects(scope: Scope, known: Collection[ast.stmt]) -> Iterator[Suspect]:
    """The suspects of one function; `known` are the statements whose sessions were already looked at."""
    used: dict[str, list[ast.Call]] = {}
    committed: set[str] = set()
    for node in scope.watched():
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=verb), args=[_, *_]):
                if verb in _SELECTING | _TAKING:
                    used.setdefault(name, []).append(node)
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=verb)) if verb in _ENDING:
                committed.add(name)
    if not used or not scope.is_function:
        return
    values = Values(scope, used, (), is_async=True)
    for statement in scope.statements():
        match statement:
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=value)
                | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value)
            ) if name in used and statement not in known:
                given = scope.meaning(value)
                if isinstance(given, SessionMeaning):
                    if isinstance(value, ast.Attribute) and given.ownership is Ownership.FRESH:
                        # a property that makes a session each time it is read
                        if not examine(scope, statement, name, is_async=given.is_async).right:
                            yield Suspect(value, statement, ast.unparse(value), used[name][0].lineno)
                    continue
                call = value.value if isinstance(value, ast.Await) else value
                if not isinstance(call, ast.Call) or not _out_of_view(scope.callee(call)):
                    continue
                called = ast.unparse(call.func)
                names = f"{name} {called}".lower()
                every = used[name]
                if not (name in committed and "session" in names):
                    every = [one for one in every if _is_orm(values, one, names, commits=name in committed)]
                if not every:
                    continue
                if not any(examine(scope, statement, name, is_async=is_async).right for is_async in (True, False)):
                    yield Suspect(value, statement, called, every[0].lineno)


def _is_orm(values: Values, call: ast.Call, names: str, *, commits: bool) -> bool:
    """Whether the call makes what it is made on a session: it is about entities, or that is named like one.

    `names` are those of the variable and of what gives it, in lower case; `commits`: it ends transactions, too.
    """
    assert isinstance(call.func, ast.Attribute)
    scope, given, verb = values.scope, call.args[0], call.func.attr
    if verb in _TAKING:
        return (commits or "session" in names) and _is_entity(values, given)
    if values.selected_class(given) is not None:
        return True
    class_ = scope.meaning(given)  # `query(User)`, `get(User, ...)`
    if isinstance(class_, ClassMeaning) and is_mapped(class_, scope.project):
        # the async one alone is awaited: `Registry.get(User, None)` is a look into a dict
        of_async = verb.startswith("get") and len(call.args) > 1 and isinstance(scope.parents.of(call), ast.Await)
        return of_async or "session" in names
    return "session" in names and values.is_sql(given)


def _is_entity(values: Values, node: ast.expr) -> bool:
    """`User(...)`, a variable or a parameter that is one, a list of such."""
    if isinstance(node, (ast.List, ast.Tuple)):
        return any(_is_entity(values, one) for one in node.elts)
    means = values.scope.meaning(node)
    if isinstance(means, InstanceMeaning) and isinstance(means.of, ClassMeaning):
        return is_mapped(means.of, values.scope.project)
    return values.entity(node) is not None


def _out_of_view(callee: Meaning) -> bool:
    if isinstance(callee, External):
        return not callee.dotted.startswith("sqlalchemy.")  # `engine.connect()` and its like are known: no sessions
    return isinstance(callee, UnknownMeaning)
