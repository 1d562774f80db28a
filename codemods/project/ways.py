"""What runs before and after the one `yield` of a generator, by the way in which it is left. Pure; `ast` only.

A generator that somebody drives by hand rarely runs to its end: which of its statements then run, and which would
start to run once it is entered as a context manager, is what decides how the place may be rewritten
(`wild-sessions.md` 5).
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass, field

from codemods.project.expressions import expression, is_logging, last_name
from codemods.project.facts import Enclosing
from codemods.project.name_uses import Function

CLOSING = frozenset({"close", "aclose"})
_HARMLESS = CLOSING | {"rollback", "remove"}
_UNDER_CONDITION = (ast.IfExp, ast.BoolOp, ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_Path = list[tuple[Sequence[ast.stmt], int, ast.AST]]


@dataclass(slots=True)
class Ways:
    """See `facts.GeneratorScope`; every number is a line, 0 where there is nothing."""

    opens: ast.Call | None = None
    awaited: bool = False
    made: int = 0
    prepares: int = 0
    set_up: int = 0
    after: int = 0
    after_text: str = ""
    swallows: bool = False
    closed: int = 0
    translates: int = 0
    translates_text: str = ""
    handles: int = 0
    logs: int = 0
    enclosing: list[Enclosing] = field(default_factory=list)
    tears_down: int = 0
    odd: int = 0


def ways_around(function: Function, yielded: ast.Yield, name: str) -> Ways:
    """How the generator gets to its `yield` of the variable `name` ("" for another expression), and what follows."""
    ways = Ways()
    path = _path(function.body, function, yielded)
    for suite, index, owner in path:
        for earlier in suite[:index]:
            _before(ways, earlier, name)
        for later in suite[index + 1 :]:
            ways.closed = ways.closed or (0 if ways.after else _closes(later, name))
            _after(ways, later, name)
        _owner(ways, owner, suite, name)
    statement: ast.stmt | None = path[0][0][path[0][1]] if path else None
    if not (isinstance(statement, ast.Expr) and statement.value is yielded):
        ways.odd = ways.odd or yielded.lineno
    _find_opening(ways, function, yielded, name)
    return ways


def _path(suite: Sequence[ast.stmt], owner: ast.AST, target: ast.AST) -> _Path:
    """The suites that hold the target, the innermost first, each with the index of its statement and its owner."""
    for index, statement in enumerate(suite):
        for part in [statement, *getattr(statement, "handlers", ()), *getattr(statement, "cases", ())]:
            for suite_name in ("body", "orelse", "finalbody"):
                inner = getattr(part, suite_name, None)
                if isinstance(inner, list) and inner and isinstance(inner[0], ast.stmt):
                    found = _path(inner, part, target)
                    if found:
                        return [*found, (suite, index, owner)]
        if not isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            if any(node is target for node in ast.walk(statement)):
                return [(suite, index, owner)]
    return []


def _before(ways: Ways, statement: ast.stmt, name: str) -> None:
    match statement:
        case ast.Pass() | ast.Import() | ast.ImportFrom() | ast.Expr(value=ast.Constant()):
            return
        case (
            ast.Assign(targets=[ast.Name(id=bound)], value=value)
            | ast.AnnAssign(target=ast.Name(id=bound), value=ast.expr() as value)
        ) if bound == name and (is_opening(value) or (isinstance(value, ast.Constant) and value.value is None)):
            return
        case ast.AnnAssign(value=None):
            return
        case ast.Expr(value=value) if is_harmless(value, name):
            _note_log(ways, value)
            return
    ways.set_up = ways.set_up or statement.lineno
    binds = isinstance(statement, (ast.Assign, ast.AnnAssign)) and _is_bound_by(statement, name)
    if not binds and _holds(statement, name):
        ways.prepares = ways.prepares or statement.lineno


def _is_bound_by(statement: ast.Assign | ast.AnnAssign, name: str) -> bool:
    targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
    return any(is_name(target, name) for target in targets)


def _after(ways: Ways, statement: ast.stmt, name: str) -> None:
    match statement:
        case ast.Pass() | ast.Expr(value=ast.Constant()) | ast.Return(value=None) | ast.Break() | ast.Continue():
            return
        case ast.Expr(value=value) if is_harmless(value, name):
            _note_log(ways, value)
            return
        case ast.If(test=test, body=body, orelse=[]) if _is_about(test, name):
            for inner in body:
                _after(ways, inner, name)
            return
    if not ways.after:
        ways.after, ways.after_text = statement.lineno, ast.unparse(statement).partition("\n")[0]


def _owner(ways: Ways, owner: ast.AST, suite: Sequence[ast.stmt], name: str) -> None:
    match owner:
        case ast.Try(body=body, handlers=handlers, orelse=orelse, finalbody=finalbody):
            if suite is not body:
                if suite is not orelse:
                    ways.odd = ways.odd or suite[0].lineno
                handlers, orelse = [], []
            for statement in orelse:
                _after(ways, statement, name)
            for handler in handlers:
                _handler(ways, handler, name)
            for statement in finalbody:
                ways.closed = ways.closed or _closes(statement, name)
                _final(ways, statement, name)
        case ast.With(items=items) | ast.AsyncWith(items=items):
            for item in items:
                _item(ways, item, name)
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            pass
        case ast.For(iter=iterated) | ast.AsyncFor(iter=iterated) if _passes_on(owner, name):
            ways.enclosing.append(Enclosing(expression(iterated), iterated.lineno, is_loop=True))
        case _:
            ways.odd = ways.odd or getattr(owner, "lineno", suite[0].lineno)


def _handler(ways: Ways, handler: ast.ExceptHandler, name: str) -> None:
    if not raises(handler):
        ways.swallows = True
        return
    last = handler.body[-1]
    if isinstance(last, ast.Raise) and last.exc is not None:
        if not (isinstance(last.exc, ast.Name) and last.exc.id == handler.name and last.cause is None):
            if not ways.translates:
                ways.translates, ways.translates_text = last.lineno, ast.unparse(last)
    for statement in handler.body[:-1]:
        if isinstance(statement, ast.Expr) and _is_logged(statement.value):
            ways.logs = ways.logs or statement.lineno  # who reads the log would miss it
            continue
        before = ways.tears_down
        ways.tears_down = 0
        _final(ways, statement, name)
        ways.handles = ways.handles or ways.tears_down
        ways.tears_down = before or ways.tears_down


def _note_log(ways: Ways, value: ast.expr) -> None:
    if _is_logged(value):
        ways.logs = ways.logs or value.lineno


def _is_logged(value: ast.expr) -> bool:
    return isinstance(value, ast.Call) and is_logging(expression(value.func))


def _final(ways: Ways, statement: ast.stmt, name: str) -> None:
    match statement:
        case ast.Pass() | ast.Expr(value=ast.Constant()):
            return
        case ast.Expr(value=value) if is_harmless(value, name):
            _note_log(ways, value)
            return
        case ast.If(test=test, body=body, orelse=[]) if _is_about(test, name):
            for inner in body:
                _final(ways, inner, name)
            return
    if any(isinstance(node, (ast.Return, ast.Break, ast.Continue)) for node in ast.walk(statement)):
        ways.swallows = True
    ways.tears_down = ways.tears_down or statement.lineno


def _closes(statement: ast.stmt, name: str) -> int:
    """The line on which the statement closes the variable, under no condition but that there is something to close."""
    suites: list[list[ast.stmt]] = []
    match statement:
        case ast.Expr(value=value):
            # `await shield(session.close())`, but not `create_task(session.close())`
            parts = list(ast.walk(value)) if isinstance(value, ast.Await) else [value]
            closes = any(is_call_of(part, *CLOSING, of=name) for part in parts)
            return statement.lineno if closes and not any(isinstance(part, _UNDER_CONDITION) for part in parts) else 0
        case ast.If(test=test, body=body) if _is_about(test, name):
            suites = [body]
        case ast.Try(body=body, finalbody=finalbody):
            suites = [body, finalbody]
        case ast.With(body=body) | ast.AsyncWith(body=body):
            suites = [body]  # shielded from being cancelled, or what it raises is suppressed
    return next((line for suite in suites for inner in suite if (line := _closes(inner, name))), 0)


def _item(ways: Ways, item: ast.withitem, name: str) -> None:
    node, target = item.context_expr, item.optional_vars
    if is_name(node, name) or (target is not None and is_name(target, name)):
        ways.closed = ways.closed or node.lineno
        if is_call_of(node, "begin"):
            _committing(ways, node)
        else:
            ways.enclosing.append(Enclosing(expression(node), node.lineno))
        return
    if is_call_of(node, "begin", of=name):
        _committing(ways, node)
        return
    if isinstance(node, ast.Call) and "suppress" in last_name(expression(node.func)):
        ways.swallows = True
    else:
        ways.enclosing.append(Enclosing(expression(node), node.lineno))
    ways.set_up = ways.set_up or node.lineno
    ways.tears_down = ways.tears_down or node.lineno


def _committing(ways: Ways, node: ast.expr) -> None:
    if not ways.after:
        ways.after, ways.after_text = node.lineno, f"the commit at the end of `{ast.unparse(node)}`"


def _find_opening(ways: Ways, function: Function, yielded: ast.Yield, name: str) -> None:
    """The one call that makes what is yielded."""
    values: list[ast.expr | None] = []
    for node in ast.walk(function):
        match node:
            case ast.Assign(targets=targets, value=value):
                values += [value for target in targets if _holds(target, name)]
            case ast.AnnAssign(target=target, value=value) if value is not None:
                values += [value] if _holds(target, name) else []
            case ast.withitem(context_expr=value, optional_vars=ast.expr() as target):
                values += [value] if _holds(target, name) else []
            case ast.For(target=target, iter=value) | ast.AsyncFor(target=target, iter=value) if _passes_on(node, name):
                values += [value] if _holds(target, name) else []
            case ast.For(target=target) | ast.AsyncFor(target=target) | ast.NamedExpr(target=target):
                values += [None] if _holds(target, name) else []
            case ast.arg(arg=argument) if argument == name:
                values.append(None)
    if not name:
        values = [yielded.value]
    values = [value for value in values if not (isinstance(value, ast.Constant) and value.value is None)]
    if len(values) == 1 and isinstance(values[0], (ast.Call, ast.Await)):
        ways.made = values[0].lineno
    if len(values) == 1 and values[0] is not None and is_opening(values[0]):
        value = values[0]
        ways.awaited = isinstance(value, ast.Await)
        call = value.value if isinstance(value, ast.Await) else value
        assert isinstance(call, ast.Call)
        ways.opens = call


def _passes_on(loop: ast.AST, name: str) -> bool:
    """`for session in get_session(): yield session`: what another generator lends is handed on.

    Such a loop runs once, as if it were a block, where the other generator yields once: that is for others to look at.
    """
    if not isinstance(loop, (ast.For, ast.AsyncFor)) or loop.orelse:
        return False
    return is_name(loop.target, name) and isinstance(loop.iter, ast.Call)


def _holds(target: ast.AST, name: str) -> bool:
    return any(is_name(node, name) for node in ast.walk(target))


def is_opening(value: ast.expr) -> bool:
    """A call without arguments (awaited or not): it can only make the session."""
    call = value.value if isinstance(value, ast.Await) else value
    return isinstance(call, ast.Call) and not call.args and not call.keywords


def _is_about(test: ast.expr, name: str) -> bool:
    """`if session:`, `if session is not None:`"""
    if isinstance(test, ast.Compare):
        return is_name(test.left, name) and isinstance(test.ops[0], (ast.Is, ast.IsNot))
    return is_name(test, name)


def is_name(node: ast.AST, name: str) -> bool:
    """Whether the node is this variable."""
    return bool(name) and isinstance(node, ast.Name) and node.id == name


def is_call_of(node: ast.AST, *methods: str, of: str | None = None) -> bool:
    """Whether the node calls one of the methods: of whatever it may be, or of the variable `of`."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or node.func.attr not in methods:
        return False
    return of is None or is_name(node.func.value, of)


def raises(handler: ast.ExceptHandler) -> bool:
    """Whether a handler ends in `raise`."""
    return bool(handler.body) and isinstance(handler.body[-1], ast.Raise)


def is_harmless(value: ast.expr, name: str) -> bool:
    """A close or rollback of the variable, or a call of a logger that computes nothing."""
    call = value.value if isinstance(value, ast.Await) else value
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
        return False
    if is_name(call.func.value, name):
        return call.func.attr in _HARMLESS
    given = [node for argument in [*call.args, *call.keywords] for node in ast.walk(argument)]
    return (
        call is value
        and is_logging(expression(call.func))
        and not any(isinstance(node, (ast.Call, ast.Await)) or is_name(node, name) for node in given)
    )
