"""Which assignments of a name can still hold at a statement: a structured approximation that errs to "maybe"."""

from __future__ import annotations

import ast
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from codemods.flow.scope import Loop, Scope, With, inside, own_expressions


@dataclass(frozen=True, slots=True)
class Reaching:
    """The statements whose binding of the name may be seen; `unbound`: perhaps none of them (or a parameter)."""

    statements: frozenset[ast.stmt]
    unbound: bool


def binds_directly(statement: ast.stmt, name: str) -> bool:
    """Whether the statement itself, not one inside it, gives the name a value."""
    return name in _bound_by(statement)


def bindings_of(scope: Scope, name: str) -> Sequence[ast.stmt]:
    """The statements of the scope that give the name a value, in source order; those of nested scopes are theirs."""
    return _by_name(scope).get(name, ())


def declares_outside(scope: Scope, name: str) -> bool:
    """Whether the scope declares the name `global` or `nonlocal`."""
    known: frozenset[str] | None = scope.node.__dict__.get("_declared_outside")
    if known is None:
        declaring = [one for one in scope.statements() if isinstance(one, (ast.Global, ast.Nonlocal))]
        known = scope.node.__dict__["_declared_outside"] = frozenset(one for each in declaring for one in each.names)
    return name in known


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


def bindings_inside(statements: Iterable[ast.stmt], name: str) -> set[ast.stmt]:
    return {inner for statement in statements for inner in _bindings_in(statement).get(name, ())}


# --- what is kept ---------------------------------------------------------------------------------------------------

# Every use of a session asks who binds its name, and what stands before it may be long. So what a statement, a suite
# and a scope bind is found once and kept with their nodes, as `own_expressions` keeps what it finds.


def _bound_by(statement: ast.stmt) -> frozenset[str]:
    """The names that the statement itself gives a value."""
    known: frozenset[str] | None = statement.__dict__.get("_bound")
    if known is None:
        known = statement.__dict__["_bound"] = frozenset(_names_bound(statement))
    return known


def _names_bound(statement: ast.stmt) -> Iterator[str]:
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        yield statement.name
    elif isinstance(statement, (ast.Import, ast.ImportFrom)):
        for alias in statement.names:
            yield alias.asname or alias.name.partition(".")[0]
    else:
        for node in _expressions(statement):
            if isinstance(node, ast.Name) and isinstance(node.ctx, (ast.Store, ast.Del)):
                yield node.id
        for handler in getattr(statement, "handlers", ()):
            if handler.name is not None:
                yield handler.name
        for case in getattr(statement, "cases", ()):
            yield from captures(case.pattern)


def _bindings_in(statement: ast.stmt) -> Mapping[str, Sequence[ast.stmt]]:
    """The statements inside a statement, itself included, by the names that they bind."""
    known: Mapping[str, Sequence[ast.stmt]] | None = statement.__dict__.get("_bindings")
    if known is None:
        found: dict[str, list[ast.stmt]] = {}
        for inner in inside(statement):
            for name in _bound_by(inner):
                found.setdefault(name, []).append(inner)
        known = statement.__dict__["_bindings"] = found
    return known


def _binding_places(suite: Sequence[ast.stmt], name: str) -> Sequence[int]:
    """The indexes of the statements of a whole suite in which the name is bound, at any depth."""
    if not suite:
        return ()
    # a suite is a list, which can keep nothing; its first statement stands in no other
    known: dict[str, list[int]] | None = suite[0].__dict__.get("_binding_places")
    if known is None:
        known = suite[0].__dict__["_binding_places"] = {}
        for index, statement in enumerate(suite):
            for bound in _bindings_in(statement):
                known.setdefault(bound, []).append(index)
    return known.get(name, ())


def _bindings_in_suite(suite: Sequence[ast.stmt], name: str) -> set[ast.stmt]:
    return bindings_inside((suite[index] for index in _binding_places(suite, name)), name)


def _by_name(scope: Scope) -> Mapping[str, Sequence[ast.stmt]]:
    known: dict[str, list[ast.stmt]] | None = scope.node.__dict__.get("_bindings_by_name")
    if known is None:
        known = scope.node.__dict__["_bindings_by_name"] = {}
        for statement in scope.statements():
            for name in _bound_by(statement):
                known.setdefault(name, []).append(statement)
    return known


# --- what reaches ---------------------------------------------------------------------------------------------------


def reaching(scope: Scope, statement: ast.stmt, name: str) -> Reaching:
    """The bindings of `name` that may hold when `statement` starts to run."""
    found: set[ast.stmt] = set()
    if isinstance(statement, ast.While):
        # the use stands in the test, which runs again after the body
        found |= _bindings_in_suite(statement.body, name)
    current: ast.stmt | None = statement
    while current is not None:
        seat = scope.seat(current)
        if _look_back(seat.suite, seat.index, name, found):
            return Reaching(frozenset(found), False)
        above = scope.owner_statement(current)
        if above is not None and _leave(above, current, seat.owner, seat.suite, name, found):
            return Reaching(frozenset(found), False)
        current = above
    return Reaching(frozenset(found), True)


def _look_back(suite: Sequence[ast.stmt], end: int, name: str, found: set[ast.stmt]) -> bool:
    """Adds the bindings of the statements before index `end`, nearest first; True once one of them holds for certain.

    `suite` is a whole one.
    """
    places = _binding_places(suite, name)
    for index in reversed(places[: bisect_left(places, end)]):
        statement = suite[index]
        if isinstance(statement, With):
            if _look_back(statement.body, len(statement.body), name, found):
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
        found |= _bindings_in_suite(above.body, name)
        if binds_directly(above, name):
            found.add(above)
            return True
    if isinstance(above, Loop) and suite is above.orelse:
        found |= _bindings_in_suite(above.body, name)
        if binds_directly(above, name):
            found.add(above)
    if isinstance(above, ast.Try):
        if suite is above.orelse and _look_back(above.body, len(above.body), name, found):
            return True
        if isinstance(owner, ast.ExceptHandler) or suite is above.finalbody:
            found |= _bindings_in_suite(above.body, name)
            if isinstance(owner, ast.ExceptHandler) and owner.name == name:
                return True
        if suite is above.finalbody:
            for handler in above.handlers:
                found |= _bindings_in_suite(handler.body, name)
            found |= _bindings_in_suite(above.orelse, name)
    if isinstance(above, With) and binds_directly(above, name):
        found.add(above)
        return True
    return False
