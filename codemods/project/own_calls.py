"""What a method calls of its own object, of what that holds, and of its base class; what of it for certain. Pure.

Certain is what comes first, what comes after statements that can neither leave nor fail, and what a `finally` does.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from codemods.project.expressions import dotted, expression, is_logging, last_name
from codemods.project.facts import OwnCall
from codemods.project.name_uses import Function

# it ends the transaction, and is done on the way to a close; that it fails is told of the close itself, too
_BEFORE_A_CLOSE = "rollback"
_AROUND = frozenset({"shield", "wait_for"})  # `await asyncio.shield(self.session.close())`
_QUIET = (ast.Pass, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom, ast.Global)
_DOING = (ast.Call, ast.Await, ast.Yield, ast.YieldFrom)


def own_calls(method: Function) -> Iterator[OwnCall]:
    """The calls, each chain once: `self.session.close` of `if self.session is not None: await self.session.close()`.

    A test of a call's own receiver does not make it less certain: there is nothing to call where it fails.
    """
    receiver = next((one.arg for one in [*method.args.posonlyargs, *method.args.args]), "")
    if not receiver:
        return
    certain = dict.fromkeys(_of_suite(method.body, receiver))
    for chain, awaited in certain:
        yield OwnCall(chain, awaited, certain=True)
    seen = {chain for chain, _ in certain}
    for node in ast.walk(method):
        if isinstance(node, ast.Call) and (chain := _chain(node, receiver)) and chain not in seen:
            seen.add(chain)
            yield OwnCall(chain, awaited=False, certain=False)


def _of_suite(suite: Sequence[ast.stmt], receiver: str) -> list[tuple[str, bool]]:
    found: list[tuple[str, bool]] = []
    for index, statement in enumerate(suite):
        if missing := _left_without(statement, receiver):
            behind = _of_suite(suite[index + 1 :], receiver)
            return [*found, *(one for one in behind if one[0].startswith((f"{missing}.", "super.")))]
        here, goes_on = _of_statement(statement, receiver)
        found += here
        if not goes_on:
            break
    return found


def _of_statement(statement: ast.stmt, receiver: str) -> tuple[list[tuple[str, bool]], bool]:
    """What the statement calls for certain, and whether what follows it is as certain."""
    match statement:
        case ast.Try(body=body, finalbody=final):
            return [*_of_suite(body, receiver), *_of_suite(final, receiver)], False
        case ast.With(body=body) | ast.AsyncWith(body=body):
            return _of_suite(body, receiver), False
        case ast.If(test=test, body=body, orelse=[]) if asked := _asked(test, receiver):
            found = [one for one in _of_suite(body, receiver) if one[0].startswith(f"{asked}.")]
            return found, _is_harmless(body, receiver)
        case ast.If(test=test, body=body, orelse=orelse):
            return [], not _does(test) and _is_harmless([*body, *orelse], receiver)
        case ast.Expr(value=value) | ast.Assign(value=value) | ast.Return(value=ast.expr() as value):
            call = _call(value, receiver)
            if call is not None:
                return [call], call[0].endswith(f".{_BEFORE_A_CLOSE}") and not isinstance(statement, ast.Return)
    return [], _is_harmless([statement], receiver)


def _left_without(statement: ast.stmt, receiver: str) -> str:
    """`self.session` of `if self.session is None: return`, where there is nothing to call; "" for anything else."""
    match statement:
        case ast.If(test=ast.UnaryOp(op=ast.Not(), operand=test), body=[ast.Return(value=None)], orelse=[]):
            return _asked(test, receiver) if isinstance(test, ast.Attribute) else ""
        case ast.If(
            test=ast.Compare(left=ast.Attribute() as test, ops=[ast.Is()], comparators=[ast.Constant(value=None)]),
            body=[ast.Return(value=None)],
            orelse=[],
        ):
            return _asked(test, receiver)
    return ""


def _is_harmless(statements: Sequence[ast.stmt], receiver: str) -> bool:
    """Whether none of the statements leaves the method, or does what may fail beyond a `rollback`."""
    for statement in statements:
        if isinstance(statement, _QUIET):
            continue
        match statement:
            case ast.If(test=test, body=body, orelse=orelse):
                if _does(test) or not _is_harmless([*body, *orelse], receiver):
                    return False
            case ast.Expr(value=value):
                call = _call(value, receiver)
                if call is not None and call[0].endswith(f".{_BEFORE_A_CLOSE}"):
                    continue
                logged = isinstance(value, ast.Call) and is_logging(expression(value.func))
                if not logged and _does(value):
                    return False
            case ast.Assign(value=value) | ast.AnnAssign(value=ast.expr() as value):
                if _does(value):
                    return False
            case _:
                return False
    return True


def _does(node: ast.expr) -> bool:
    return any(isinstance(inner, _DOING) for inner in ast.walk(node))


def _call(value: ast.expr, receiver: str) -> tuple[str, bool] | None:
    """`self.session.close` and True of `await self.session.close()`; None for what calls nothing of the object."""
    awaited = isinstance(value, ast.Await)
    call = value.value if isinstance(value, ast.Await) else value
    if awaited and isinstance(call, ast.Call) and call.args and last_name(expression(call.func)) in _AROUND:
        call = call.args[0]
    chain = _chain(call, receiver) if isinstance(call, ast.Call) else ""
    return (chain, awaited) if chain else None


def _chain(call: ast.Call, receiver: str) -> str:
    match call.func:
        case ast.Attribute(value=ast.Call(func=ast.Name(id="super")), attr=name):
            return f"super.{name}"
        case _:
            first, _, rest = dotted(expression(call.func)).partition(".")
            return f"self.{rest}" if first == receiver and rest else ""


def _asked(test: ast.expr, receiver: str) -> str:
    """`self.session` of `if self.session:` and `if self.session is not None:`; "" for any other test."""
    match test:
        case ast.Attribute():
            asked = test
        case ast.Compare(
            left=ast.Attribute() as asked, ops=[ast.IsNot() | ast.NotEq()], comparators=[ast.Constant(value=None)]
        ):
            pass
        case _:
            return ""
    first, _, rest = dotted(expression(asked)).partition(".")
    return f"self.{rest}" if first == receiver and rest else ""
