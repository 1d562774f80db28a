"""What a test says of the names in it: `if user is None`, `if not user`, `if user in session`. Pure."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import TYPE_CHECKING

from codemods.flow.objects.values import (
    Alternative,
    Class,
    How,
    Nothing,
    One,
    Pack,
    Selection,
    SessionValue,
    Unbound,
    Value,
    objects,
)
from codemods.flow.objects.world import World, joined, stand
from codemods.project.mapped_classes import mapped

if TYPE_CHECKING:
    from codemods.flow.objects.evaluate import Evaluation


def narrowed(test: ast.expr, truth: bool, world: World, evaluation: Evaluation) -> World | None:
    """How things stand where the test, evaluated already, came out so; None where it cannot. `world` is left alone."""
    match test:
        case ast.Constant(value=constant):
            return world.copy() if bool(constant) is truth else None
        case ast.UnaryOp(op=ast.Not(), operand=inner):
            return narrowed(inner, not truth, world, evaluation)
        case ast.BoolOp(op=op, values=values):
            if isinstance(op, ast.And) is truth:
                current: World | None = world
                for one in values:
                    current = narrowed(one, truth, current, evaluation) if current is not None else None
                return current
            ways: list[World | None] = []
            current = world
            for one in values:
                if current is None:
                    break
                ways.append(narrowed(one, truth, current, evaluation))
                current = narrowed(one, not truth, current, evaluation)
            return joined(ways)
        case ast.NamedExpr(target=target):
            return _name(target, truth, world, evaluation)
        case ast.Name():
            return _name(test, truth, world, evaluation)
        case ast.Compare(left=left, ops=[op], comparators=[right]):
            return _compared(left, op, right, truth, world)
        case ast.Call(func=ast.Name(id="isinstance"), args=[ast.Name() as name, *_]) if truth:
            return _kept(name.id, world, lambda one: not isinstance(one, (Nothing, Unbound)))
        case _:
            return world.copy()


def _compared(left: ast.expr, op: ast.cmpop, right: ast.expr, truth: bool, world: World) -> World | None:
    if isinstance(left, ast.NamedExpr):
        left = left.target
    if isinstance(op, (ast.Is, ast.Eq, ast.IsNot, ast.NotEq)) and isinstance(left, ast.Name):
        if not (isinstance(right, ast.Constant) and right.value is None):
            return world.copy()
        is_none = truth is isinstance(op, (ast.Is, ast.Eq))
        if is_none:
            return _kept(left.id, world, lambda one: _is_given(one) or not isinstance(one, (One, SessionValue)))
        return _kept(left.id, world, lambda one: not isinstance(one, (Nothing, Unbound)))
    if isinstance(op, (ast.In, ast.NotIn)) and isinstance(left, ast.Name) and isinstance(right, ast.Name):
        holder = world.names.get(right.id, frozenset())
        if any(isinstance(one, SessionValue) for one in holder):
            result = world.copy()
            if truth is isinstance(op, ast.NotIn):
                for one in objects(world.names.get(left.id, frozenset())):
                    stand(result, one.origin, expunged=True)
            return result
    return world.copy()


def _name(node: ast.expr, truth: bool, world: World, evaluation: Evaluation) -> World | None:
    if not isinstance(node, ast.Name):
        return world.copy()
    return _kept(node.id, world, lambda one: may_be(one, truth, evaluation))


def _kept(name: str, world: World, test: Callable[[Alternative], bool]) -> World | None:
    """The world in which the name holds only what passes the test; None where nothing does."""
    result = world.copy()
    if name not in result.names:
        return result
    before = result.names[name]
    after: Value = frozenset(one for one in before if test(one))
    if not after and before:
        return None
    result.names[name] = after
    gone = {one.origin for one in objects(before)} - {one.origin for one in objects(after)}
    if gone:
        held = {one.origin for each in result.names.values() for one in objects(each, rows=True)}
        for origin in gone - held:
            result.objects.pop(origin, None)
    return result


def _is_given(one: Alternative) -> bool:
    """A parameter may be None, whatever it is declared to be."""
    return isinstance(one, One) and one.origin.how is How.GIVEN and not one.names


def may_be(one: Alternative, truth: bool, evaluation: Evaluation) -> bool:
    """Whether the alternative can be true, or false."""
    match one:
        case Nothing() | Unbound():
            return not truth
        case One(class_=class_) if class_ is not None and not _is_given(one):
            known = mapped(class_, evaluation.project)
            return truth or known is None or known.own_truth
        case SessionValue() | Class() | Selection():
            return truth
        case Pack(elements=inner):
            return truth == bool(inner)
        case _:
            return True
