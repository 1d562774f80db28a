"""Whose a session is, by the form of the code around the place where it is made. Reads; decides nothing."""

from __future__ import annotations

import ast

from codemods.flow.made import Made
from codemods.flow.scope import Scope
from codemods.project.expressions import dotted, expression
from codemods.project.name_uses import Role
from codemods.project.sessions import CACHES, ClassMeaning, External, Meaning, ScopeMeaning


def kept_or_made(scope: Scope, statement: ast.stmt, made: Made) -> str | None:
    """The parameter of `s = s or F()`, `s = s if s is not None else F()` and their like; None for other forms."""
    match statement:
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            pass
        case _:
            return None
    if name not in scope.parameters:
        return None
    match value:
        case ast.BoolOp(op=ast.Or(), values=[ast.Name(id=kept), other]):
            pass
        case ast.IfExp(test=ast.Name(id=tested), body=ast.Name(id=kept), orelse=other) if tested == name:
            pass
        case ast.IfExp(
            test=ast.Compare(left=ast.Name(id=tested), ops=[ast.IsNot()], comparators=[ast.Constant(value=None)]),
            body=ast.Name(id=kept),
            orelse=other,
        ) if tested == name:
            pass
        case ast.IfExp(
            test=ast.Compare(left=ast.Name(id=tested), ops=[ast.Is()], comparators=[ast.Constant(value=None)]),
            body=other,
            orelse=ast.Name(id=kept),
        ) if tested == name:
            pass
        case _:
            return None
    return name if kept == name and other is made.node else None


def tests_truth(statement: ast.stmt) -> bool:
    """Whether the form of `kept_or_made` asks `if session`, not `if session is not None`: falsy counts as none."""
    value = statement.value if isinstance(statement, ast.Assign) else None
    return isinstance(value, ast.BoolOp) or (isinstance(value, ast.IfExp) and isinstance(value.test, ast.Name))


def closes_in(body: list[ast.stmt], target: str) -> bool:
    """Whether the statements close (or leave) what the attribute holds."""
    return any(
        isinstance(node, ast.Attribute)
        and node.attr in ("close", "aclose", "__aexit__", "__exit__")
        and ast.unparse(node.value) == target
        for statement in body
        for node in ast.walk(statement)
    )


def held_by_block(scope: Scope, made: Made) -> bool:
    """`async with UnitOfWork(F()) as work`: the object that holds it closes it when the block is left."""
    call = scope.parents.of(made.node)
    if not isinstance(call, ast.Call) or not isinstance(scope.parents.of(call), ast.withitem):
        return False
    class_ = scope.callee(call)
    if not isinstance(class_, ClassMeaning):
        return False
    symbols = scope.project.symbols
    leaves = any(symbols.functions(class_.module, f"{class_.qualname}.{name}") for name in ("__aexit__", "__exit__"))
    chains = symbols.facts[class_.module].attributes if class_.module in symbols.facts else ()
    return leaves and any(chain.startswith("self.") and chain.endswith((".close", ".aclose")) for chain in chains)


def kept_by_cache(scope: Scope) -> str:
    """The decorator that keeps what the function gives, as it is written: `@lru_cache(maxsize=1)`; "" for none."""
    for decorator in getattr(scope.node, "decorator_list", ()):
        means = scope.meaning(decorator.func if isinstance(decorator, ast.Call) else decorator)
        if isinstance(means, External) and means.dotted in CACHES:
            return f"@{ast.unparse(decorator)}"
    return ""


def default_of(scope: Scope, node: ast.expr) -> ast.AST | None:
    """The function or lambda in whose header the expression stands as a default, or as a part of one."""
    for around in scope.parents.chain(node):
        if isinstance(around, ast.arguments):
            return scope.parents.of(around)
        if isinstance(around, (ast.stmt, ast.Lambda)):
            return None
    return None


def from_contextlib(callee: Meaning) -> bool:
    """`closing`, `aclosing`."""
    return isinstance(callee, External) and callee.dotted.startswith("contextlib.")


def exit_stack(scope: Scope, made: Made) -> ast.expr | None:
    """The `stack` of `stack.enter_async_context(F())`."""
    parent = scope.parents.of(made.node)
    return _stack_of(parent) if isinstance(parent, ast.Call) else None


def _stack_of(call: ast.Call) -> ast.expr | None:
    if isinstance(call.func, ast.Attribute) and call.func.attr in ("enter_async_context", "enter_context"):
        return call.func.value
    return None


def entered_by_stack(scope: Scope, call: ast.Call) -> bool:
    """`stack.enter_async_context(...)`, whatever is entered: the stack leaves it."""
    stack = _stack_of(call)
    return stack is not None and not is_never_left(scope, stack)


def given_to_exit_stack(scope: Scope, made: Made) -> bool:
    parent = scope.parents.of(made.node)
    if not isinstance(parent, ast.Call):
        return False
    means = scope.meaning(parent)
    if isinstance(means, ScopeMeaning):
        return True  # contextlib.closing, aclosing
    stack = exit_stack(scope, made)
    return stack is not None and not is_never_left(scope, stack)


def is_never_left(scope: Scope, stack: ast.expr) -> bool:
    """Whether an exit stack is made here, and neither entered nor closed nor given to anyone."""
    if not isinstance(stack, ast.Name) or stack.id in scope.parameters:
        return False
    made_here = any(
        isinstance(statement, ast.Assign)
        and isinstance(statement.value, ast.Call)
        and dotted(expression(statement.value.func)).endswith("ExitStack")
        and any(isinstance(target, ast.Name) and target.id == stack.id for target in statement.targets)
        for statement in scope.statements()
    )
    filling = {"enter_async_context", "enter_context", "push", "push_async_exit", "callback", "push_async_callback"}
    return made_here and all(
        use.role is Role.BOUND or (use.role is Role.METHOD and use.attribute in filling) for use in scope.uses(stack.id)
    )


def alembic(scope: Scope, call: ast.Call) -> bool:
    """`Session(bind=op.get_bind())`: the connection belongs to Alembic."""
    given = [*call.args, *(keyword.value for keyword in call.keywords if keyword.arg == "bind")]
    for argument in given:
        value: ast.expr | None = argument
        if isinstance(argument, ast.Name):
            assigned = [
                statement.value
                for statement in scope.statements()
                if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == argument.id
            ]
            value = assigned[0] if len(assigned) == 1 else None
        if isinstance(value, ast.Call) and dotted(expression(value.func)).endswith("op.get_bind"):
            return True
    return False
