"""What is said of a session that is bound to a connection, or may be: no rule closes such a one where nothing did.

Its close rolls back what was begun on the connection, with what the one who opened that did there (SQLAlchemy, "Joining
a Session into an External Transaction"). Reads trees and the project; which session it is a rule knows.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass

from codemods.flow.handed_makers import ScopesOf
from codemods.flow.lifetime import Obstacle
from codemods.flow.made import made
from codemods.flow.scope import Scope
from codemods.project.bound import binding_argument
from codemods.project.engines import CONNECTION
from codemods.project.expressions import dotted, expression, shown
from codemods.project.link import Place
from codemods.project.name_uses import NameUse, Role
from codemods.project.sessions import Bound, ClassMeaning, External, InstanceMeaning, MakerMeaning, SessionMeaning

OF_CALLER = "bound to the caller's connection"
_OPEN_IT = "open the connection with a block; the session needs none of its own"
_CLOSE_THAT = "see that who opens the connection closes it"
_LOST = "its close would roll back what was begun there"
_MAKING = (External, ClassMeaning, MakerMeaning)  # what makes a session by being called, without code in between
_SEE = "see what it is: on an engine the session belongs into a block, on a connection of the caller it does not"


@dataclass(frozen=True, slots=True)
class Told:
    """What is said: `obstacle` is why no block is put around it; `right`: it is that of a caller, and needs none."""

    certain: bool  # it is a connection
    obstacle: Obstacle
    right: bool = False


def bound_told(scope: Scope, node: ast.expr, session: SessionMeaning, scopes_of: ScopesOf) -> Told | None:
    """What is said of the session that `node` gives, by what it is bound to; None where that is no connection."""
    bound = session.bound
    if bound is None:
        return None
    call = node.value if isinstance(node, ast.Await) else node
    own = _own_argument(call, bound, scope)
    line = node.lineno
    text, where, is_given = (
        (shown(own), f"line {line}", True) if own is not None else _elsewhere(bound, scope, scopes_of)
    )
    what = f"bound to {f'`{text}`' if text else 'something'} ({where})"
    if not bound.certain:
        reason = f"{what}, which may be a connection: {_LOST}"
        return Told(False, Obstacle(reason, line, _SEE, undecided=True))
    if own is not None and _is_left_open(own, scope):
        return Told(True, Obstacle(f"{what}, a connection that nothing here closes", line, _OPEN_IT))
    by_function = isinstance(call, ast.Call) and not isinstance(scope.callee(call), _MAKING)
    obstacle = Obstacle(f"{what}, a connection: {_LOST}", line, _CLOSE_THAT, undecided=True)
    return Told(True, obstacle, right=is_given or not by_function)


def _own_argument(call: ast.AST, bound: Bound, scope: Scope) -> ast.expr | None:
    """What the call itself binds the session to; None where something else has bound it."""
    if not isinstance(call, ast.Call) or Place(bound.path, bound.qualname) != scope.place:
        return None
    if expression(call) != bound.call:
        return None
    keyword = next((one.value for one in call.keywords if one.arg == "bind"), None)
    return keyword or (call.args[0] if call.args else None)


def _elsewhere(bound: Bound, here: Scope, scopes_of: ScopesOf) -> tuple[str, str, bool]:
    """The text of what a session is bound to by another call, where that stands, and whether callers give it."""
    for scope in scopes_of(bound.path):
        for node in scope.watched() if scope.place.qualname == bound.qualname else ():
            own = _own_argument(node, bound, scope) if isinstance(node, ast.Call) else None
            if own is not None:
                where = f"line {own.lineno}" if bound.path == here.place.path else f"{bound.path}:{own.lineno}"
                return shown(own), where, isinstance(own, ast.Name) and own.id in scope.parameters
    given = binding_argument(bound.call)
    return dotted(given) if given is not None else "", bound.path, False


def _is_left_open(node: ast.expr, scope: Scope) -> bool:
    """Whether it is a connection that is opened right here, and nobody closes: `Session(engine.connect())`."""
    if isinstance(node, (ast.Call, ast.Await)):
        return _opens(node, scope)
    if not isinstance(node, ast.Name) or node.id in scope.parameters:
        return False
    values = [
        one.value
        for one in scope.statements()
        if isinstance(one, ast.Assign) and any(isinstance(to, ast.Name) and to.id == node.id for to in one.targets)
    ]
    return (
        scope.is_function
        and bool(values)
        and all(_opens(value, scope) for value in values)
        and all(_only_uses(use, scope) for use in scope.uses(node.id))
    )


def _opens(value: ast.expr, scope: Scope) -> bool:
    """`engine.connect()`: a method of an engine, not one that hands out what others have open."""
    call = value.value if isinstance(value, ast.Await) else value
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute) or call.func.attr != "connect":
        return False
    return scope.meaning(value) == InstanceMeaning(External(CONNECTION))


def _only_uses(use: NameUse, scope: Scope) -> bool:
    """Whether this neither closes the connection nor leaves it to anyone but a session."""
    match use.role:
        case Role.METHOD:
            return use.attribute not in ("close", "aclose", "__enter__", "__aenter__")
        case Role.ARGUMENT:
            return use.call is not None and made(scope, use.call) is not None
        case _:
            return use.role in (Role.BOUND, Role.ATTRIBUTE)
