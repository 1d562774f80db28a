"""Whether what a call starts is waited for in the same function: awaited, gathered, or its result read. Reads only."""

from __future__ import annotations

import ast
from collections.abc import Generator, Iterator
from dataclasses import dataclass

from codemods.flow.scope import Loop, Scope, With
from codemods.project.expressions import expression, last_name
from codemods.project.name_uses import COMPREHENSIONS, Role
from codemods.project.nodes import SCOPES, walk

_READING = frozenset({"result", "exception", "join"})
_FILLING = frozenset({"append", "appendleft", "add", "extend", "insert", "put_nowait"})
_VIEWS = frozenset({"values", "items", "copy", "union"})
_WAITING = frozenset({"wait", "as_completed"})  # of `concurrent.futures`, without `await`
# what gives back the same tasks, or something that has to be awaited itself
_THROUGH = frozenset(
    {"gather", "wait", "as_completed", "wait_for", "shield", "wrap_future"}
    | {"list", "tuple", "set", "sorted", "enumerate", "zip", "dict", "reversed"}
)


@dataclass(frozen=True, slots=True, eq=False)
class Waiting:
    """A place at which it is waited for; `collected` when it came there in a container."""

    node: ast.AST
    collected: bool


def waiting(scope: Scope, call: ast.Call) -> tuple[Waiting, ...]:
    """Every place of this scope that waits for the end of what `call` gives; nothing when it is left to itself."""
    found = tuple(_Search(scope).places(call))
    group = owner_block(scope, call)
    return found if group is None else (*found, Waiting(group, True))


def owner_block(scope: Scope, call: ast.Call) -> ast.stmt | None:
    """The `with` statement of the task group or executor whose method is called: its end waits for all of them."""
    receiver = call.func.value if isinstance(call.func, ast.Attribute) else None
    if not isinstance(receiver, ast.Name):
        return None
    for around in scope.parents.chain(call):
        if around is scope.node:
            return None
        if isinstance(around, With) and any(
            isinstance(item.optional_vars, ast.Name) and item.optional_vars.id == receiver.id for item in around.items
        ):
            return around
    return None


def several(scope: Scope, call: ast.Call, places: tuple[Waiting, ...]) -> bool:
    """Whether the call may have started a second one before the first is over: in a comprehension or a loop."""
    until = owner_block(scope, call)
    for around in repeated_by(scope, call):
        if until is not None and until not in scope.parents.chain(around):
            return False
        if isinstance(around, COMPREHENSIONS):
            return True
        inside = set(ast.walk(around))
        if not any(place.node in inside and not place.collected for place in places):
            return True
    return False


def repeated_by(scope: Scope, node: ast.AST) -> Iterator[ast.AST]:
    """The loops and comprehensions of this scope that run the node again and again, the innermost first."""
    current = node
    for around in scope.parents.chain(node):
        if around is scope.node or isinstance(around, SCOPES):
            return
        if isinstance(around, COMPREHENSIONS):
            if around.generators[0] is not current:
                yield around
        elif isinstance(around, ast.While) or (isinstance(around, Loop) and current in around.body):
            yield around
        current = around


class _Search:
    """Follows one value through the names and containers of a scope."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.seen: set[str] = set()
        self.shared = {
            name for node in walk(scope.node) if isinstance(node, (ast.Global, ast.Nonlocal)) for name in node.names
        }

    def places(self, node: ast.expr, collected: bool = False) -> Iterator[Waiting]:
        current: ast.AST = node
        for parent in self.scope.parents.chain(node):
            match parent:
                case ast.Await():
                    yield Waiting(parent, collected)
                    return
                case ast.List() | ast.Tuple() | ast.Set() | ast.Dict():
                    collected = True
                case ast.ListComp() | ast.SetComp() | ast.GeneratorExp() | ast.DictComp():
                    collected = True
                case ast.comprehension():
                    above = self.scope.parents.of(parent)
                    assert above is not None
                    if parent.iter is current:
                        names = {one.id for one in ast.walk(parent.target) if isinstance(one, ast.Name)}
                        for inner in ast.walk(above):
                            if inner is current or not isinstance(inner, ast.Name) or inner.id not in names:
                                continue
                            if isinstance(inner.ctx, ast.Load):
                                yield from self.places(inner, True)
                    return
                case ast.NamedExpr(target=target):
                    yield from self.names(target, collected)
                case ast.Starred() | ast.IfExp() | ast.keyword() | ast.Subscript():
                    pass
                case ast.Attribute(attr=attr):
                    call = self.scope.parents.of(parent)
                    if not isinstance(call, ast.Call) or call.func is not parent:
                        return
                    if attr in _READING:
                        yield Waiting(call, collected)
                        return
                    if attr not in _VIEWS:
                        return
                case ast.Call(func=function) if current is function:
                    pass  # `tasks.values()`
                case ast.Call():
                    stop = yield from self.handed(parent, collected)
                    if stop:
                        return
                case ast.Assign(targets=targets):
                    for target in targets:
                        yield from self.names(target, collected)
                    return
                case ast.AnnAssign(target=target):
                    yield from self.names(target, collected)
                    return
                case ast.AugAssign(target=target):
                    yield from self.names(target, True)
                    return
                case ast.For(target=target) | ast.AsyncFor(target=target):
                    if parent.iter is current:
                        yield from self.names(target, True)
                    return
                case _:
                    return
            current = parent

    def handed(self, call: ast.Call, collected: bool) -> Generator[Waiting, None, bool]:
        """True when what the call gives back need not be followed any more."""
        name = last_name(expression(call.func))
        if name in _FILLING and isinstance(call.func, ast.Attribute):
            yield from self.names(call.func.value, True)
            return True
        if name in _WAITING and not self.scope.parents.is_awaited(call):
            if isinstance(self.scope.parents.of(call), ast.Expr):
                yield Waiting(call, collected)
                return True
        if name in _THROUGH:
            return False
        if self.scope.parents.is_awaited(call):
            yield Waiting(call, collected)
        return True

    def names(self, target: ast.expr, collected: bool) -> Iterator[Waiting]:
        match target:
            case ast.Name(id=name):
                if name in self.seen or name in self.shared or name in self.scope.parameters:
                    return
                if not any(use.role is Role.BOUND for use in self.scope.uses(name)):
                    return
                self.seen.add(name)
                for use in self.scope.uses(name):
                    if isinstance(use.node.ctx if isinstance(use.node, ast.Name) else None, ast.Load):
                        if use.role is not Role.CAPTURED:
                            yield from self.places(use.node, collected)
            case ast.Subscript(value=value):
                yield from self.names(value, True)
            case ast.Tuple(elts=elements) | ast.List(elts=elements):
                for element in elements:
                    yield from self.names(element, collected)
            case ast.Starred(value=value):
                yield from self.names(value, True)
