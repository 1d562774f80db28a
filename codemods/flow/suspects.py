"""Sessions that cannot be proved to be any: what makes them is not in view, yet they run ORM statements. Reads only."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from codemods.flow.examine import examine
from codemods.flow.scope import Scope
from codemods.flow.values import Values
from codemods.project.models import is_mapped
from codemods.project.sessions import ClassMeaning, External, Meaning, Ownership, SessionMeaning, UnknownMeaning

_SELECTING = frozenset({"execute", "scalar", "scalars", "exec", "stream", "stream_scalars", "query", "get"})


@dataclass(frozen=True, slots=True, eq=False)
class Suspect:
    """`session = state["maker"]()`: used like a session at `line`, and nothing closes it."""

    value: ast.expr
    statement: ast.stmt
    called: str
    line: int


def suspects(scope: Scope, known: Collection[ast.stmt]) -> Iterator[Suspect]:
    """The suspects of one function; `known` are the statements whose sessions were already looked at."""
    used: dict[str, ast.Call] = {}
    committed: set[str] = set()
    for node in scope.watched():
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=verb), args=[_, *_]):
                if verb in _SELECTING:
                    used.setdefault(name, node)
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr="commit")):
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
                            yield Suspect(value, statement, ast.unparse(value), used[name].lineno)
                    continue
                call = value.value if isinstance(value, ast.Await) else value
                if not isinstance(call, ast.Call) or not _out_of_view(scope.callee(call)):
                    continue
                called = ast.unparse(call.func)
                names = f"{name} {called}".lower()
                if not (name in committed and "session" in names) and not _is_orm(values, used[name].args[0], names):
                    continue
                if not any(examine(scope, statement, name, is_async=is_async).right for is_async in (True, False)):
                    yield Suspect(value, statement, called, used[name].lineno)


def _is_orm(values: Values, statement: ast.expr, names: str) -> bool:
    """Whether running the statement makes its runner a session: it selects entities, or is named like one.

    `names` are those of the variable and of what is called, in lower case.
    """
    if values.selected_class(statement) is not None:
        return True
    class_ = values.scope.meaning(statement)  # `query(User)`, `get(User, ...)`
    if isinstance(class_, ClassMeaning) and is_mapped(class_, values.scope.project):
        return "session" in names
    return "session" in names and values.is_sql(statement)


def _out_of_view(callee: Meaning) -> bool:
    if isinstance(callee, External):
        return not callee.dotted.startswith("sqlalchemy.")  # `engine.connect()` and its like are known: no sessions
    return isinstance(callee, UnknownMeaning)
