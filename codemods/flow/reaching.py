"""Which assignments of a name can still hold at a statement: a structured approximation that errs to "maybe"."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from codemods.flow.scope import Loop, Scope, With, inside, own_expressions


@dataclass(frozen=True, slots=True)
class Reaching:
    """The statements whose binding of the name may be seen; `unbound`: perhaps none of them (or a parameter)."""

    statements: frozenset[ast.stmt]
    unbound: bool


def binds_directly(statement: ast.stmt, name: str) -> bool:
    """Whether the statement itself, not one inside it, gives the name a value."""
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return statement.name == name
    if isinstance(statement, (ast.Import, ast.ImportFrom)):
        return any((alias.asname or alias.name.partition(".")[0]) == name for alias in statement.names)
    return (
        any(
            isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, (ast.Store, ast.Del))
            for node in _expressions(statement)
        )
        or any(handler.name == name for handler in getattr(statement, "handlers", ()))
        or any(name in captures(case.pattern) for case in getattr(statement, "cases", ()))
    )


def captures(pattern: ast.pattern) -> set[str]:
    """The names that a `case` pattern binds."""
    found = {getattr(node, "name", None) or getattr(node, "rest", None) for node in ast.walk(pattern)}
    return {name for name in found if isinstance(name, str)}


def _expressions(statement: ast.stmt) -> Iterator[ast.AST]:
    """Its own expressions; not the targets of comprehensions and not the insides of lambdas: other scopes."""
    hidden: set[ast.AST] = set()
    for node in own_expressions(statement):
        if isinstance(node, ast.comprehension):
            hidden.update(ast.walk(node.target))
        elif isinstance(node, ast.Lambda):
            hidden.update(ast.walk(node.body))
        if node not in hidden:
            yield node


def bindings_inside(statements: Sequence[ast.stmt], name: str) -> set[ast.stmt]:
    return {inner for statement in statements for inner in inside(statement) if binds_directly(inner, name)}


def reaching(scope: Scope, statement: ast.stmt, name: str) -> Reaching:
    """The bindings of `name` that may hold when `statement` starts to run."""
    found: set[ast.stmt] = set()
    if isinstance(statement, ast.While):
        # the use stands in the test, which runs again after the body
        found |= bindings_inside(statement.body, name)
    current: ast.stmt | None = statement
    while current is not None:
        seat = scope.seat(current)
        if _look_back(seat.suite[: seat.index], name, found):
            return Reaching(frozenset(found), False)
        above = scope.owner_statement(current)
        if above is not None and _leave(above, current, seat.owner, seat.suite, name, found):
            return Reaching(frozenset(found), False)
        current = above
    return Reaching(frozenset(found), True)


def _look_back(before: Sequence[ast.stmt], name: str, found: set[ast.stmt]) -> bool:
    """Adds the bindings of the preceding siblings, nearest first; True once one of them holds for certain."""
    for statement in reversed(before):
        if isinstance(statement, With):
            if _look_back(statement.body, name, found):
                return True
        else:
            found |= bindings_inside(_passed_through(statement), name) - {statement}
        if binds_directly(statement, name):
            found.add(statement)
            if not isinstance(statement, (*Loop, ast.Try, ast.Match)):
                return True
    return False


def _passed_through(statement: ast.stmt) -> Sequence[ast.stmt]:
    """The statements inside that may run before what follows: not those of a branch that always leaves."""
    if not isinstance(statement, ast.If):
        return [statement]
    branches = [suite for suite in (statement.body, statement.orelse) if suite and not _always_leaves(suite)]
    return [inner for suite in branches for inner in suite]


def _always_leaves(suite: Sequence[ast.stmt]) -> bool:
    """Whether the statements end by leaving. A `with` or a `try` may swallow what is raised, but not a `return`."""
    last = suite[-1]
    if isinstance(last, (ast.Return, ast.Raise, ast.Break, ast.Continue)):
        return True
    if isinstance(last, With):
        return _returns(last.body)
    if isinstance(last, ast.Try):
        return _returns(last.body) and all(_always_leaves(handler.body) for handler in last.handlers)
    return isinstance(last, ast.If) and bool(last.orelse) and _always_leaves(last.body) and _always_leaves(last.orelse)


def _returns(suite: Sequence[ast.stmt]) -> bool:
    """Whether the statements end by `return`, inside of whatever `with` they stand."""
    last = suite[-1]
    return isinstance(last, ast.Return) or (isinstance(last, With) and _returns(last.body))


def _leave(
    above: ast.stmt,
    current: ast.stmt,
    owner: ast.AST,
    suite: Sequence[ast.stmt],
    name: str,
    found: set[ast.stmt],
) -> bool:
    """What the statement around the suite adds; True when its binding holds for certain."""
    if isinstance(above, Loop) and suite is above.body:
        found |= bindings_inside(above.body, name)
        if binds_directly(above, name):
            found.add(above)
            return True
    if isinstance(above, Loop) and suite is above.orelse:
        found |= bindings_inside(above.body, name)
        if binds_directly(above, name):
            found.add(above)
    if isinstance(above, ast.Try):
        if suite is above.orelse and _look_back(above.body, name, found):
            return True
        if isinstance(owner, ast.ExceptHandler) or suite is above.finalbody:
            found |= bindings_inside(above.body, name)
            if isinstance(owner, ast.ExceptHandler) and owner.name == name:
                return True
        if suite is above.finalbody:
            for handler in above.handlers:
                found |= bindings_inside(handler.body, name)
            found |= bindings_inside(above.orelse, name)
    if isinstance(above, With) and binds_directly(above, name):
        found.add(above)
        return True
    return False
