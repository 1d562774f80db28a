"""A session that a generator makes and lends out: how the code after its creation can be made to close it. Reads."""

from __future__ import annotations

import ast
import enum

from codemods.flow.lifetime import Lifetime
from codemods.flow.scope import inside
from codemods.project.name_uses import NameUse, Role


class Cure(enum.StrEnum):
    """What has to be done to a generator that does not close on every path."""

    GUARD = "try / except / finally around all that follows"
    FINALLY = "a `finally` at the `try` that is there"
    BLOCK = "a block around all that follows"


def is_lent(life: Lifetime) -> bool:
    """Whether the session is yielded by the function that makes it."""
    return any(use.role is Role.YIELDED for use in life.uses)


def cure(life: Lifetime) -> tuple[Cure, ast.Try | None]:
    """Which form fits a generator that `Depends` uses, and the `try` that it concerns.

    The practices' form where nothing catches or finishes around the yield yet; a `finally` more where one `try`
    stands directly below the creation and is the last that is done; a block around everything else.
    """
    around = _tries_around_the_yield(life)
    if life.dissolved is not None:
        return Cure.BLOCK, None
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
