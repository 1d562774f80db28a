"""What a test says of the names in it: `if user is None`, `if isinstance(user, Admin)`, `if user in session`. Pure."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from codemods.flow.objects.guards import is_key
from codemods.flow.objects.values import (
    Alternative,
    Class,
    Guard,
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
from codemods.flow.objects.world import Holds, World, joined, stand
from codemods.project.mapped_classes import mapped
from codemods.project.sessions import ClassMeaning

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
            return _compared(left, op, right, truth, world, evaluation)
        case ast.Call(func=ast.Name(id="isinstance"), args=[subject, classes]) if _named(subject):
            return of_class(_named(subject), classes, truth, world, evaluation)
        case ast.Attribute() if not truth:
            return _false(test, world, evaluation)
        case _:
            return world.copy()


def of_class(name: str, classes: ast.expr, truth: bool, world: World, evaluation: Evaluation) -> World | None:
    """How things stand where what the name holds is of one of the classes, or (not `truth`) of none of them."""
    result = _kept(name, world, lambda one: not isinstance(one, (Nothing, Unbound))) if truth else world.copy()
    tested = _classes(classes, evaluation)
    known = frozenset(one for one in tested if one is not None)
    if result is not None and known and not (truth and None in tested):
        _guard(result, name, (), lambda one: True, known, truth)
    return result


def _classes(node: ast.expr, evaluation: Evaluation) -> list[ClassMeaning | None]:
    """The classes that `isinstance` is asked for; None for one that cannot be told."""
    match node:
        case ast.Tuple(elts=given):
            return [found for one in given for found in _classes(one, evaluation)]
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return [*_classes(left, evaluation), *_classes(right, evaluation)]
        case _:
            means = evaluation.scope.meaning(node)
            return [means if isinstance(means, ClassMeaning) else None]


def _guard(
    world: World,
    name: str,
    path: tuple[str, ...],
    test: Callable[[One], bool],
    classes: frozenset[ClassMeaning] = frozenset(),
    truth: bool = False,
) -> None:
    """Notes what has been tested on the objects that a name holds, or on what a path leads to from there."""

    def guarded(one: Alternative) -> Alternative:
        if not isinstance(one, One) or not test(one):
            return one
        return replace(one, guards=one.guards | {Guard((*one.names, *path), classes, truth)})

    if name in world.names:
        world.names[name] = frozenset(guarded(one) for one in world.names[name])


def _false(node: ast.Attribute, world: World, evaluation: Evaluation) -> World:
    """`job.project_id` is false, or None: that says something where it is a key of a row, or may be one."""
    result, path, root = world.copy(), [node.attr], node.value
    while isinstance(root, ast.Attribute):
        path.append(root.attr)
        root = root.value
    if isinstance(root, ast.Name):
        names = tuple(reversed(path))

        def may_be_key(one: One) -> bool:
            if one.origin.how is How.MADE:
                return False  # a new object has no key before it is written
            return one.class_ is None or is_key(one.class_, names, evaluation.project)

        _guard(result, root.id, names, may_be_key)
    return result


def _named(node: ast.expr) -> str:
    """The name that an expression is, or binds; or ""."""
    node = node.target if isinstance(node, ast.NamedExpr) else node
    return node.id if isinstance(node, ast.Name) else ""


def _class_of(node: ast.expr) -> str:
    """The name in `type(model)` and `model.__class__`; or ""."""
    match node:
        case (
            ast.Call(func=ast.Name(id="type"), args=[inner], keywords=[]) | ast.Attribute(value=inner, attr="__class__")
        ):
            return _named(inner)
        case _:
            return ""


def _compared(
    left: ast.expr, op: ast.cmpop, right: ast.expr, truth: bool, world: World, evaluation: Evaluation
) -> World | None:
    if isinstance(left, ast.NamedExpr):
        left = left.target
    is_same = isinstance(op, (ast.Is, ast.Eq, ast.In))
    if (
        (name := _class_of(left))
        and truth is is_same
        and isinstance(right, ast.Tuple) is isinstance(op, (ast.In, ast.NotIn))
    ):
        # nothing follows where it is not: it may be of a class below
        return of_class(name, right, True, world, evaluation)
    if isinstance(left, ast.Attribute) and isinstance(right, ast.Constant) and right.value is None:
        if isinstance(op, (ast.Is, ast.Eq, ast.IsNot, ast.NotEq)) and truth is is_same:
            return _false(left, world, evaluation)
    if isinstance(op, (ast.Is, ast.Eq, ast.IsNot, ast.NotEq)) and isinstance(left, ast.Name):
        if not (isinstance(right, ast.Constant) and right.value is None):
            return world.copy()
        is_none = truth is isinstance(op, (ast.Is, ast.Eq))
        if is_none:
            result = _kept(left.id, world, lambda one: _is_given(one) or not isinstance(one, (One, SessionValue)))
            return _noted(result, left.id, Holds.NONE, evaluation)
        result = _kept(left.id, world, lambda one: not isinstance(one, (Nothing, Unbound)))
        return _noted(result, left.id, Holds.SOME, evaluation)
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
    result = _kept(node.id, world, lambda one: may_be(one, truth, evaluation))
    return _noted(result, node.id, Holds.TRUE if truth else Holds.FALSE, evaluation)


def _noted(world: World | None, name: str, holds: Holds, evaluation: Evaluation) -> World | None:
    """The world with what a test says of a parameter, which is what the caller has given."""
    if world is not None and name in evaluation.scope.parameters and name not in evaluation.bound:
        world.tested |= {(name, holds)}
    return world


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
