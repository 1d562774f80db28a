"""A session that a function makes and gives away: in which form, and how a generator can be made to close it. Reads."""

from __future__ import annotations

import ast
import enum

from codemods.flow.lifetime import Lifetime
from codemods.flow.made import Made
from codemods.flow.ownership import exit_stack, given_to_exit_stack
from codemods.flow.reaching import reaching
from codemods.flow.scope import Scope, inside
from codemods.project.name_uses import NameUse, Role


class Lent(enum.StrEnum):
    """In which form a function makes a session and gives it away."""

    YIELDED_NAME = "bound to a name that is yielded"
    YIELDED_AT_ONCE = "yielded where it is made"
    YIELDED_INSIDE = "yielded inside of something else"
    RETURNED_NAME = "bound to a name that is returned"
    RETURNED_AT_ONCE = "returned where it is made"
    RETURNED_INSIDE = "returned inside of something else"


def lending_form(scope: Scope, made: Made, *, is_dependency: bool) -> Lent | None:
    """The form, or None where the function keeps its session to itself, or only hands it to what it calls.

    What a plain function returns counts only when it `is_dependency`; all else is a factory. Two rules ask this, so
    that every session is looked at by one of them.
    """
    if not scope.is_function or scope.is_fixture or made.session.through == "generator":
        return None
    statement = scope.statement(made.node)
    if isinstance(scope.parents.of(made.node), ast.withitem):
        return None
    match statement:
        case ast.Expr(value=ast.Yield(value=value)):
            if value is made.node:
                return Lent.YIELDED_AT_ONCE
            return Lent.YIELDED_INSIDE if _is_in_value(scope, made.node) else None
        case ast.Return(value=value) if is_dependency:
            if value is made.node:
                return Lent.RETURNED_AT_ONCE
            return Lent.RETURNED_INSIDE if _is_in_value(scope, made.node) else None
    name, value = bound_to(statement)
    if not name or value is None:
        return None
    kept = exit_stack(scope, made) is not None or given_to_exit_stack(scope, made)
    if not (kept or value is made.node or _is_alternative(value, made.node)):
        return None
    roles = {
        use.role
        for use in scope.uses(name)
        if use.role in (Role.YIELDED, Role.RETURNED)
        and statement in reaching(scope, scope.statement(use.node), name).statements
    }
    if Role.YIELDED in roles:
        return Lent.YIELDED_NAME
    return Lent.RETURNED_NAME if Role.RETURNED in roles and is_dependency else None


def bound_to(statement: ast.stmt) -> tuple[str, ast.expr | None]:
    """The one name that a statement assigns, and the value; ("", None) for every other statement."""
    match statement:
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            return name, value
        case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
            return name, value
        case _:
            return "", None


def _is_in_value(scope: Scope, node: ast.expr) -> bool:
    """Whether what surrounds the session in its statement holds it or is it: `Repo(F())`, `(F(), 1)`, `a or F()`."""
    for around in scope.parents.chain(node):
        if isinstance(around, (ast.Yield, ast.Return)):
            return True
        if not isinstance(around, _HOLDING):
            return False  # awaited, or a method of it is called: used here, not handed out
    return False


_HOLDING = (ast.Call, ast.keyword, ast.Tuple, ast.List, ast.Set, ast.Dict, ast.NamedExpr, ast.IfExp, ast.BoolOp)


def _is_alternative(value: ast.expr, node: ast.expr) -> bool:
    """`given or F()`, `F() if primary else G()`"""
    if isinstance(value, ast.BoolOp):
        return node in value.values
    return isinstance(value, ast.IfExp) and node in (value.body, value.orelse)


class Cure(enum.StrEnum):
    """What has to be done to a generator that does not close on every path."""

    GUARD = "try / except / finally around all that follows"
    FINALLY = "a `finally` at the `try` that is there"
    BLOCK = "a block around all that follows"


def cure(life: Lifetime) -> tuple[Cure, ast.Try | None]:
    """Which form fits a generator that `Depends` uses, and the `try` that it concerns.

    The practices' form where nothing catches or finishes around the yield yet; a `finally` more where one `try`
    stands directly below the creation and is the last that is done; a block around everything else.
    """
    around = _tries_around_the_yield(life)
    if life.dissolved is not None:
        return Cure.BLOCK, None
    if not around and any(isinstance(inner, ast.Try) for one in life.block for inner in inside(one)):
        return Cure.BLOCK, None  # a `try` around a `try` reads worse than a block
    if not around:
        inner = life.seat.suite[life.seat.index + 1 : (life.last or 0) + 1]
        direct = any(_yields(life, statement) for statement in inner)
        return (Cure.GUARD, None) if direct else (Cure.BLOCK, None)
    only = around[0]
    follows = life.seat.index + 1 < len(life.seat.suite) and life.seat.suite[life.seat.index + 1] is only
    if len(around) == 1 and follows and not only.finalbody and life.last == life.seat.index + 1:
        return Cure.FINALLY, only
    return Cure.BLOCK, None


def _yields(life: Lifetime, statement: ast.stmt) -> bool:
    """`yield session` itself, not a compound statement that holds it: a lock, a condition."""
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Yield)


def _tries_around_the_yield(life: Lifetime) -> list[ast.Try]:
    return [
        statement
        for statement in life.scope.statements()
        if isinstance(statement, ast.Try)
        and statement.lineno > life.statement.lineno
        and any(life.scope.statement(use.node) in set(inside(statement)) for use in _yielding(life))
    ]


def _yielding(life: Lifetime) -> list[NameUse]:
    return [use for use in life.uses if use.role is Role.YIELDED]
