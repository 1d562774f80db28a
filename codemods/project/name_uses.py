"""What is done with a name inside one function: every place it stands, and in which role. Pure; `ast` only.

Both the summaries of functions (`scan`) and the lifetime of a session (`flow`) are made from these.
"""

from __future__ import annotations

import ast
import enum
from collections.abc import Iterator
from dataclasses import dataclass, replace

from codemods.project.nodes import DEFINITIONS, SCOPES, Parents, children, walk
from codemods.syntax.nodes import type_parameter_names

Function = ast.FunctionDef | ast.AsyncFunctionDef
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


class Role(enum.StrEnum):
    """What a use does with the object behind the name."""

    METHOD = "a method is called on it"
    ATTRIBUTE = "an attribute is read"
    SET = "an attribute is set on it"
    ARGUMENT = "handed to a call"
    CONTAINED = "put into a container"
    RETURNED = "returned"
    YIELDED = "yielded"
    STORED = "stored"
    ALIASED = "given a second name"
    ENTERED = "entered by with"
    TESTED = "tested"
    CAPTURED = "captured by a nested function"
    AWAITED = "awaited"
    ITERATED = "iterated"
    BOUND = "bound"
    DELETED = "deleted"
    OTHER = "used"


@dataclass(frozen=True, slots=True, eq=False)
class NameUse:
    """One use of the object, by its name or as an expression. `call` is the call that METHOD and ARGUMENT are about."""

    node: ast.expr
    role: Role
    call: ast.Call | None = None
    attribute: str = ""
    position: int | None = None
    keyword: str | None = None
    awaited: bool = False
    holder: ast.AST | None = None  # CAPTURED: the nested function; ENTERED: the with statement

    @property
    def line(self) -> int:
        return self.node.lineno


_CLOSED = frozenset({*DEFINITIONS, ast.Lambda})  # what is inside of these is theirs


def own_nodes(function: Function) -> list[ast.AST]:
    """The nodes of the function's body, in no order; what nested functions, lambdas and classes hold is theirs."""
    found: list[ast.AST] = []
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        found.append(node)
        if node.__class__ not in _CLOSED:
            waiting += children(node)
    return found


def name_uses(function: ast.AST, name: str, parents: Parents) -> list[NameUse]:
    """Every use of `name` as this function's own variable, in source order; not in nested functions that rebind it."""
    if name not in parents.names_within(function):
        return []
    found = [
        _classify(node, function, parents)
        for node in _occurrences(function, name, parents)
        if not _is_told_unused(node, function, parents)
    ]
    if any(use.role is Role.ALIASED for use in found):
        shared = _declared_outside(function, parents)
        found = [
            replace(use, role=Role.STORED) if use.role is Role.ALIASED and _goes_to(use.node, shared, parents) else use
            for use in found
        ]
    return sorted(found, key=lambda use: (use.node.lineno, use.node.col_offset))


def _is_told_unused(node: ast.Name, function: ast.AST, parents: Parents) -> bool:
    """`_ = user_id, session`: the usual way to say that a parameter is not needed, where nothing reads `_`."""
    around = parents.of(node)
    statement = parents.of(around) if isinstance(around, ast.Tuple) else around
    match statement:
        case ast.Assign(targets=[ast.Name(id="_")]) if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
            named = parents.named_within(function).get("_", ())
            return "_" not in _declared_outside(function, parents) and not any(
                isinstance(one.ctx, ast.Load) for one in named
            )
    return False


def _declared_outside(function: ast.AST, parents: Parents) -> set[str]:
    """The names that the function declares `global` or `nonlocal`."""
    if not parents.of_kind(ast.Global) and not parents.of_kind(ast.Nonlocal):
        return set()  # nor does any other in the file
    return {name for node in walk(function) if isinstance(node, (ast.Global, ast.Nonlocal)) for name in node.names}


def _goes_to(node: ast.expr, names: set[str], parents: Parents) -> bool:
    statement = parents.statement(node)
    targets = statement.targets if isinstance(statement, ast.Assign) else []
    return any(isinstance(target, ast.Name) and target.id in names for target in targets)


def _occurrences(function: ast.AST, name: str, parents: Parents) -> Iterator[ast.Name]:
    """Where the name stands in the body for this function's own variable, in no order."""
    return (node for node in parents.named_within(function).get(name, ()) if _is_its_own(node, function, parents))


def _is_its_own(node: ast.Name, function: ast.AST, parents: Parents) -> bool:
    """Whether no function or comprehension between the name and the function has a variable of its own by the name."""
    inner: ast.AST = node  # two steps below `around`
    below: ast.AST = node
    for around in parents.chain(node):
        kind = around.__class__
        if around is function:
            return below is around.body if kind is ast.Lambda else isinstance(below, ast.stmt)  # type: ignore[attr-defined]
        if kind in _LOOKED_INTO:
            if isinstance(around, SCOPES):
                if isinstance(below, ast.stmt) or (kind is ast.Lambda and below is around.body):
                    if binds(around, node.id):
                        return False
                elif below is around.args:
                    # default values, like decorators, run outside of the nested function; annotations are no uses
                    if isinstance(inner, ast.arg):
                        return False
                elif not isinstance(around, ast.Lambda) and below is around.returns:
                    return False
            elif isinstance(around, COMPREHENSIONS):
                first = around.generators[0]
                if any(_targets(generator.target, node.id) for generator in around.generators):
                    if below is not first or inner is not first.iter:
                        return False
        inner, below = below, around
    return False


_LOOKED_INTO = frozenset({*SCOPES, *COMPREHENSIONS})


def _inside(function: ast.AST) -> Iterator[ast.AST]:
    if isinstance(function, ast.Lambda):
        yield function.body
    elif isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Module, ast.ClassDef)):
        yield from function.body


def _targets(target: ast.expr, name: str) -> bool:
    if isinstance(target, ast.Name):
        return target.id == name
    return any(isinstance(node, ast.Name) and node.id == name for node in walk(target))


def binds(function: ast.AST, name: str) -> bool:
    """Whether the nested function has a variable of its own by this name (parameter, type parameter, assignment)."""
    if name in type_parameter_names(function):
        return True
    if isinstance(function, SCOPES):
        arguments = function.args
        every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
        if any(argument is not None and argument.arg == name for argument in every):
            return True
    return name in _stored(function)


def _stored(function: ast.AST) -> frozenset[str]:
    """The names that the function's own body gives a value, and that are its own. Kept with the function."""
    known: frozenset[str] | None = function.__dict__.get("_stored")
    if known is None:
        stored: set[str] = set()
        declared: set[str] = set()
        stack = list(_inside(function))
        while stack:
            node = stack.pop()
            if isinstance(node, (ast.Global, ast.Nonlocal)):
                declared.update(node.names)
            if isinstance(node, ast.Name) and isinstance(node.ctx, (ast.Store, ast.Del)):
                stored.add(node.id)
            if node.__class__ not in _CLOSED:
                stack += children(node)
        known = function.__dict__["_stored"] = frozenset(stored - declared)
    return known


def _classify(node: ast.Name, function: ast.AST, parents: Parents) -> NameUse:
    scope = parents.scope(node)
    if scope is not function and not _decorates(node, scope, parents):
        return NameUse(node, Role.CAPTURED, holder=scope)
    if isinstance(node.ctx, ast.Store):
        return NameUse(node, Role.BOUND)
    if isinstance(node.ctx, ast.Del):
        return NameUse(node, Role.DELETED)
    return value_use(node, parents)


def _decorates(node: ast.AST, scope: ast.AST, parents: Parents) -> bool:
    """Decorators of a nested function run where it is defined; a default value is held by the function."""
    inside: ast.AST = node
    for around in parents.chain(node):
        if around is scope:
            return inside in getattr(scope, "decorator_list", [])
        inside = around
    return False


def value_use(node: ast.expr, parents: Parents) -> NameUse:
    """What is done with the value of an expression, by where it stands."""
    current: ast.AST = node
    parent = parents.of(node)
    while isinstance(parent, (ast.NamedExpr, ast.IfExp, ast.Starred)) and not (
        isinstance(parent, ast.IfExp) and parent.test is current
    ):
        if isinstance(parent, ast.NamedExpr):
            return NameUse(node, Role.ALIASED)
        current, parent = parent, parents.of(parent)
    match parent:
        case ast.Attribute(attr=attr):
            above = parents.of(parent)
            if isinstance(above, ast.Call) and above.func is parent:
                return NameUse(node, Role.METHOD, above, attr, awaited=parents.is_awaited(above))
            role = Role.SET if isinstance(parent.ctx, (ast.Store, ast.Del)) else Role.ATTRIBUTE
            return NameUse(node, role, attribute=attr)
        case ast.Call(func=called) if called is not current:
            position = next((i for i, argument in enumerate(parent.args) if argument is current), None)
            return NameUse(node, Role.ARGUMENT, parent, position=position, awaited=parents.is_awaited(parent))
        case ast.keyword(arg=keyword):
            call = parents.of(parent)
            if isinstance(call, ast.Call):
                return NameUse(node, Role.ARGUMENT, call, keyword=keyword, awaited=parents.is_awaited(call))
            return NameUse(node, Role.OTHER)
        case ast.Return():
            return NameUse(node, Role.RETURNED)
        case ast.Yield() | ast.YieldFrom():
            return NameUse(node, Role.YIELDED)
        case ast.Assign(targets=targets):
            plain = all(isinstance(target, ast.Name) for target in targets)
            return NameUse(node, Role.ALIASED if plain else Role.STORED)
        case ast.AnnAssign(target=target):
            return NameUse(node, Role.ALIASED if isinstance(target, ast.Name) else Role.STORED)
        case ast.withitem():
            return NameUse(node, Role.ENTERED, holder=parents.of(parent))
        case ast.Tuple() | ast.List() | ast.Set() | ast.Dict():
            outer = parents.of(parent)
            if isinstance(outer, ast.Return):
                return NameUse(node, Role.RETURNED)
            if isinstance(outer, (ast.Yield, ast.YieldFrom)):
                return NameUse(node, Role.YIELDED)
            return NameUse(node, Role.CONTAINED)
        case ast.Compare() | ast.UnaryOp() | ast.BoolOp() | ast.If() | ast.While() | ast.IfExp() | ast.Assert():
            return NameUse(node, Role.TESTED)
        case ast.Await():
            return NameUse(node, Role.AWAITED)
        case ast.For() | ast.AsyncFor() | ast.comprehension():
            return NameUse(node, Role.ITERATED)
        case _:
            return NameUse(node, Role.OTHER)
