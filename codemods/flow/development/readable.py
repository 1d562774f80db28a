"""Whether a name can be read at a place, for certain: a sign that names what is not there would break the module.

Reads trees.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from codemods.flow.reaching import binds_directly
from codemods.flow.scope import Scope, inside, suites

_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_Owner = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def is_readable(name: str, node: ast.expr, scope: Scope) -> bool:
    """Whether the name means behind `node`, in the same call, what it means in the scope.

    It does where the expression itself reads it, and where it was bound by then, by the one statement that binds it.
    """
    if is_hidden(name, node, scope):
        return False
    read = any(isinstance(one, ast.Name) and one.id == name for one in _evaluated(node))
    return read or _is_bound_above(name, node, scope)


def is_hidden(name: str, node: ast.expr, scope: Scope) -> bool:
    """Whether a comprehension or a lambda around the expression has a variable of that name."""
    for around in scope.parents.chain(node):
        if around is scope.node:
            return False
        if isinstance(around, ast.Lambda) and any(
            isinstance(one, ast.arg) and one.arg == name for one in ast.walk(around.args)
        ):
            return True
        if isinstance(around, _COMPREHENSIONS):
            targets = [one for generator in around.generators for one in ast.walk(generator.target)]
            if any(isinstance(one, ast.Name) and one.id == name for one in targets):
                return True
    return False


def is_bound_at_top(name: str, tree: ast.Module, line: int) -> bool:
    """Whether a statement at the top of the module, above the line, binds the name, and nothing else ever does."""
    statement = _sole_statement(name, tree)
    return statement is not None and statement in tree.body and statement.lineno < line


def is_bound_in_a_function(name: str, tree: ast.Module) -> bool:
    """Whether a function of the module has a parameter or a variable of that name."""
    functions = [one for one in ast.walk(tree) if isinstance(one, _FUNCTIONS)]
    return any(_parameter(name, one) is not None or any(True for _ in _binding(name, one)) for one in functions)


def _evaluated(node: ast.AST) -> Iterator[ast.AST]:
    """The parts of an expression that are evaluated whenever it is, in its own scope."""
    yield node
    match node:
        case ast.Lambda() | ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
            return
        case ast.IfExp(test=first) | ast.BoolOp(values=[first, *_]):
            yield from _evaluated(first)
        case _:
            for child in ast.iter_child_nodes(node):
                yield from _evaluated(child)


def _is_bound_above(name: str, node: ast.expr, scope: Scope) -> bool:
    statement = scope.statement(node)
    for owner in (scope.node, *scope.parents.chain(scope.node)):
        if not isinstance(owner, _Owner):
            continue
        if not isinstance(owner, ast.ClassDef) or owner is scope.node:  # methods do not see what their class binds
            bound = any(True for _ in _binding(name, owner))
            if isinstance(owner, _FUNCTIONS) and (argument := _parameter(name, owner)) is not None:
                return not bound and not _may_be_none(argument, owner)
            if bound or _is_declared(name, owner):
                found = _sole_statement(name, owner)
                return found is not None and _is_before(found, statement, owner.body)
        if isinstance(owner, ast.stmt):
            statement = owner
    return False


def _binding(name: str, owner: _Owner) -> Iterator[ast.stmt]:
    return (inner for one in owner.body for inner in inside(one) if binds_directly(inner, name))


def _is_declared(name: str, owner: _Owner) -> bool:
    """Whether something inside declares the name `global` or `nonlocal`, and so may bind it."""
    return any(isinstance(one, (ast.Global, ast.Nonlocal)) and name in one.names for one in ast.walk(owner))


def _sole_statement(name: str, owner: _Owner) -> ast.stmt | None:
    """The plain statement that binds the name to something, when nothing else can bind it."""
    found = list(_binding(name, owner))
    if len(found) != 1 or _is_declared(name, owner) or not _gives(found[0], name):
        return None
    for one in owner.body:
        for inner in inside(one):
            if isinstance(inner, ast.ImportFrom) and inner.names[0].name == "*" and inner.lineno > found[0].lineno:
                return None
    return found[0]


def _gives(statement: ast.stmt, name: str) -> bool:
    match statement:
        case ast.Assign(targets=targets, value=value):
            named = any(isinstance(one, ast.Name) and one.id == name for target in targets for one in ast.walk(target))
        case ast.AnnAssign(target=ast.Name(id=target), value=ast.expr() as value):
            named = target == name
        case _:
            return isinstance(statement, (ast.Import, ast.ImportFrom, *_FUNCTIONS, ast.ClassDef))
    return named and not (isinstance(value, ast.Constant) and value.value is None)


def _parameter(name: str, function: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.arg | None:
    return next((one for one in ast.walk(function.args) if isinstance(one, ast.arg) and one.arg == name), None)


def _may_be_none(argument: ast.arg, function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    given = function.args
    starred = argument in (given.vararg, given.kwarg)
    told = ast.unparse(argument.annotation) if argument.annotation is not None else ""
    defaults = [*given.defaults, *given.kw_defaults]
    none = any(isinstance(one, ast.Constant) and one.value is None for one in defaults)
    return starred or none or "None" in told or "Optional" in told


def _is_before(statement: ast.stmt, later: ast.stmt, body: Sequence[ast.stmt]) -> bool:
    """Whether the one statement has run whenever the other, at any depth of the body, is reached."""
    for index, one in enumerate(body):
        if one is later or any(inner is later for inner in inside(one)):
            if any(other is statement for other in body[:index]):
                return True
            parts = [*getattr(one, "handlers", ()), *getattr(one, "cases", ())]
            return any(_is_before(statement, later, suite) for part in (one, *parts) for suite in suites(part))
    return False
