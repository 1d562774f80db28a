"""On what a close in a `finally` hangs: the tests that have to hold for it to run. Reads only.

A test that holds whenever the session was made is none: `session is not None`, a flag that says whose the session is.
`session.in_transaction()` is none either: without a transaction a session holds no connection. `session.is_active` is
one: after a failed flush it is false, and the connection is still held.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence

from codemods.flow.lifetime import Condition, Lifetime
from codemods.flow.ownership import closes_in
from codemods.flow.reaching import bindings_of
from codemods.flow.scope import Loop, inside
from codemods.project.expressions import dotted, expression, shown
from codemods.project.keeping import Fate, handed
from codemods.project.name_uses import NameUse, Role
from codemods.project.sessions import FunctionMeaning

LEAVING = (ast.Return, ast.Raise, ast.Continue, ast.Break)
_LOOKS = frozenset({"isinstance", "hasattr", "callable"})
_RUNNING = frozenset({Role.METHOD, Role.ARGUMENT, Role.CAPTURED, Role.ENTERED})


def condition_of(
    life: Lifetime, close: NameUse, guard: ast.Try, is_closing: Callable[[Lifetime, NameUse], bool]
) -> Condition | None:
    """On what a close in the `finally` of `guard` hangs; None: it runs whenever the session was made."""
    found = [(test, holds) for test, holds in _tests(life, close, guard, is_closing) if not _holds(life, test, holds)]
    if not found:
        return None
    test, holds = found[0]
    active = all(_holds(life, one, way, active=True) for one, way in found)
    return Condition(shown(test if holds else _negated(test)), test.lineno, active)


def _negated(test: ast.expr) -> ast.expr:
    return (
        test.operand if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not) else ast.UnaryOp(ast.Not(), test)
    )


def only_while_active(body: Sequence[ast.stmt], target: str) -> Condition | None:
    """On what the closes of a `finally` hang, where each stands below `if target.is_active:`; None: one does not."""
    found: Condition | None = None
    for statement in body:
        if isinstance(statement, ast.If) and _asks_activity(statement.test, target):
            if closes_in(statement.orelse, target):
                return None
            if closes_in(statement.body, target):
                found = found or Condition(shown(statement.test), statement.lineno, active=True)
        elif closes_in([statement], target):
            return None
    return found


def _asks_activity(test: ast.expr, target: str) -> bool:
    if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And):
        return any(_asks_activity(one, target) for one in test.values)
    return isinstance(test, ast.Attribute) and test.attr == "is_active" and ast.unparse(test.value) == target


def _tests(
    life: Lifetime, close: NameUse, guard: ast.Try, is_closing: Callable[[Lifetime, NameUse], bool]
) -> Iterator[tuple[ast.expr, bool]]:
    """The tests around a close and before it, from the inside out, each with what it has to give."""
    scope = life.scope
    statement = scope.statement(close.node)
    inner: ast.AST = close.node
    for around in scope.parents.chain(close.node):
        if isinstance(around, ast.IfExp) and inner is not around.test:
            yield around.test, inner is around.body
        elif isinstance(around, ast.BoolOp) and inner in around.values:
            yield from ((one, isinstance(around.op, ast.And)) for one in around.values[: around.values.index(inner)])
        if around is statement:
            break
        inner = around
    current: ast.stmt | None = statement
    while current is not None and current is not guard:
        seat = scope.seat(current)
        for one in seat.suite[: seat.index]:
            if isinstance(one, ast.If) and one.body and isinstance(one.body[-1], LEAVING):
                yield one.test, False
            elif isinstance(one, ast.If) and one.orelse and isinstance(one.orelse[-1], LEAVING):
                yield one.test, True
        above = scope.owner_statement(current)
        if isinstance(above, ast.If):
            other = above.orelse if seat.suite is above.body else above.body
            if not _closes_always(life, other, above, is_closing):
                yield above.test, seat.suite is above.body
        current = above


def _closes_always(
    life: Lifetime, suite: list[ast.stmt], branch: ast.If, is_closing: Callable[[Lifetime, NameUse], bool]
) -> bool:
    """Whether the other branch closes the session, too, and asks nothing more before it does."""
    members = {inner for statement in suite for inner in inside(statement)}
    for use in life.uses:
        if not is_closing(life, use) or (life.is_async and not use.awaited):
            continue
        current: ast.stmt | None = life.scope.statement(use.node)
        if current in members and life.scope.owner_statement(current) is branch:
            return True
    return False


def _holds(life: Lifetime, test: ast.expr, wanted: bool, *, active: bool = False) -> bool:
    """Whether a test gives what is wanted whenever the session was made. `active`: as if it were always active."""
    name = life.name
    match test:
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return _holds(life, operand, not wanted, active=active)
        case ast.BoolOp(op=op, values=values):
            each = (_holds(life, one, wanted, active=active) for one in values)
            return all(each) if isinstance(op, ast.And) is wanted else any(each)
        case ast.Constant(value=value):
            return bool(value) is wanted
        case ast.Name(id=tested) if tested == name:
            return wanted
        case ast.Compare(left=ast.Name(id=left), ops=[op], comparators=[ast.Name() | ast.Constant() as right]):
            other = right.id if isinstance(right, ast.Name) else ""
            if name in (left, other):
                differs = isinstance(op, (ast.IsNot, ast.NotEq))
                return differs is wanted and isinstance(op, (ast.Is, ast.IsNot, ast.Eq, ast.NotEq))
            return _says_whose(life, left)
        case ast.Name(id=tested):
            return _says_whose(life, tested) or _says_closed(life, tested, not wanted)
        case ast.Attribute(value=ast.Name(id=owner), attr="is_active") if owner == name:
            return active and wanted
        case ast.Call(func=ast.Attribute(value=ast.Name(id=owner), attr="in_transaction")) if owner == name:
            return wanted
        case ast.Call(func=function, args=[ast.Name(id=owner), *_]) if owner == name:
            return wanted and dotted(expression(function)) in _LOOKS
    return False


def _says_whose(life: Lifetime, flag: str) -> bool:
    """Whether a name says whose the session is, or whether one was made: not what became of the work with it."""
    if "own" in flag or "close" in flag:
        return flag in life.scope.parameters or _set_before_use(life, flag)
    if _asked_where_made(life, flag):
        return flag in life.scope.parameters or _set_before_use(life, flag)
    made_here = life.scope.seat(life.statement).suite
    return _set_before_use(life, flag) and any(one in made_here for one in _bindings(life, flag))


def _says_closed(life: Lifetime, flag: str, closed: bool) -> bool:
    """`closed = True` directly after a close, and nothing done with the session after that: else it is `closed`'s
    contrary from the beginning on."""
    scope = life.scope
    if not all(use.role in (Role.METHOD, Role.TESTED, Role.BOUND) or _is_over(life, use) for use in life.uses):
        return False  # it may be used again by another name
    first = min((use.line for use in life.uses if use.role in _RUNNING), default=0)
    begun = False
    for one in _bindings(life, flag):
        if not isinstance(one, ast.Assign) or not isinstance(one.value, ast.Constant):
            return False
        seat = scope.seat(one)
        if bool(one.value.value) is not closed:
            if one.lineno >= first or not any(seat.suite is suite for suite in (life.seat.suite, _body(scope.node))):
                return False
            begun = True
            continue
        if not seat.index or not _is_close(life, seat.suite[seat.index - 1]) or _is_repeated(life, one):
            return False
        later = [use for use in life.uses if use.role in _RUNNING and use.line > one.lineno]
        if not all(use.role is Role.METHOD and use.attribute in ("close", "aclose") for use in later):
            return False
    return begun


def _is_over(life: Lifetime, use: NameUse) -> bool:
    """Whether a call that gets the session is done with it when it ends."""
    called = life.scope.callee(use.call) if use.role is Role.ARGUMENT and use.call is not None else None
    if not isinstance(called, FunctionMeaning) or not use.awaited:
        return False
    return handed(called, use.position, use.keyword, life.scope.project).fate is Fate.USED


def _body(node: ast.AST) -> Sequence[ast.stmt]:
    return getattr(node, "body", ())


def _is_close(life: Lifetime, statement: ast.stmt) -> bool:
    """`await session.close()`."""
    value = statement.value if isinstance(statement, ast.Expr) else None
    if life.is_async:
        value = value.value if isinstance(value, ast.Await) else None
    match value:
        case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr="close" | "aclose")):
            return name == life.name
    return False


def _is_repeated(life: Lifetime, statement: ast.stmt) -> bool:
    """Whether a loop around the statement does not make the session anew in each round."""
    current = life.scope.owner_statement(statement)
    while current is not None:
        if isinstance(current, Loop) and life.statement not in set(inside(current)):
            return True
        current = life.scope.owner_statement(current)
    return False


def _asked_where_made(life: Lifetime, flag: str) -> bool:
    """Whether a test on which the making of the session hangs asks the name, or the name holds such a test."""
    asked: list[ast.AST] = [life.statement]
    current = life.scope.owner_statement(life.statement)
    while current is not None:
        if isinstance(current, ast.If):
            asked.append(current.test)
        current = life.scope.owner_statement(current)
    names = {node.id for one in asked for node in ast.walk(one) if isinstance(node, ast.Name)} - {life.name}
    if flag in names:
        return True
    return any(
        isinstance(node, ast.Name) and node.id in names | {life.name}
        for one in _bindings(life, flag)
        for node in ast.walk(getattr(one, "value", None) or one)
    )


def _set_before_use(life: Lifetime, flag: str) -> bool:
    """Whether the function sets the name, and nowhere after the session has begun to be used."""
    first = min((use.line for use in life.uses if use.role in _RUNNING), default=0)
    found = _bindings(life, flag)
    return bool(found) and all(isinstance(one, (ast.Assign, ast.AnnAssign)) and one.lineno < first for one in found)


def _bindings(life: Lifetime, flag: str) -> list[ast.stmt]:
    return list(bindings_of(life.scope, flag))
