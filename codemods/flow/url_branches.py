"""What the branch that a call stands in says of the call's URL: `if url.startswith("sqlite")`. Reads trees only.

Of SQLite's own arm any test that names it will do, as nothing is changed there. The other arm counts when the test is
about that very URL, leaves no driver of SQLite out, and no name of the URL may be bound anew between test and call.
"""

from __future__ import annotations

import ast
import enum
import re
from collections.abc import Iterator

from codemods.flow.bound_once import Bound, sole_binding
from codemods.flow.reaching import binds_directly
from codemods.flow.scope import Loop, Scope
from codemods.flow.sole_value import ModuleScope, Value, sole_value
from codemods.project.engines import SERVER_DIALECTS, SQLITE, URL_MAKERS
from codemods.project.sessions import External

_LEAVING = (ast.Return, ast.Raise, ast.Continue, ast.Break)
_DEPTH = 8
_Comprehension = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


class Branch(enum.Enum):
    """Whose branch it is."""

    SERVER = enum.auto()
    SQLITE = enum.auto()
    NOT_SQLITE = enum.auto()


class _Part(enum.Enum):
    """What of the URL a test looks at; each begins with the dialect."""

    URL = enum.auto()
    DRIVER = enum.auto()  # `sqlite+aiosqlite`
    DIALECT = enum.auto()


def branch_of(url: ast.expr, call: ast.Call, scope: Scope, module_scope: ModuleScope) -> Branch | None:
    """What the branch in which `call` stands says of `url`, which is read there; None: nothing."""
    branches = _Branches(url, call, scope, module_scope)
    said = (branches.said(test, scope, arm=arm) for test, arm in _conditions(call, scope))
    return next((one for one in said if one is not None), None)


def is_bound_by_expressions(url: ast.expr, call: ast.Call, scope: Scope) -> bool:
    """Whether a comprehension or a lambda around the call binds a name of the URL."""
    found: set[str] = set()
    for around in scope.parents.chain(call):
        if around is scope.node:
            break
        if isinstance(around, ast.Lambda):
            found.update(one.arg for one in ast.walk(around.args) if isinstance(one, ast.arg))
        elif isinstance(around, _Comprehension):
            targets = [each for one in around.generators for each in ast.walk(one.target)]
            found.update(one.id for one in targets if isinstance(one, ast.Name))
    return any(isinstance(node, ast.Name) and node.id in found for node in ast.walk(url))


class _Branches:
    """What tests say of one URL that is read in `scope`."""

    def __init__(self, url: ast.expr, call: ast.Call, scope: Scope, module_scope: ModuleScope) -> None:
        self._url = _bare(url, scope)
        self._scope = scope
        self._module_scope = module_scope
        self._is_hidden = is_bound_by_expressions(url, call, scope)

    def said(self, test: ast.expr, scope: Scope, *, arm: bool, names: int = 0) -> Branch | None:
        """What an arm of a test says, which stands in `scope`; its result was followed through so many names."""
        match test:
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return self.said(operand, scope, arm=not arm, names=names)
            case ast.BoolOp(op=op, values=values) if isinstance(op, ast.And) == arm:
                told = (self.said(value, scope, arm=arm, names=names) for value in values)
                return next((one for one in told if one is not None), None)
            case ast.Name() if names < _DEPTH:
                value = sole_value(test, scope, self._module_scope)
                if isinstance(value, Value):
                    return self.said(value.node, value.owner, arm=arm, names=names + 1)
                return None
        match test:
            case ast.Call(func=ast.Attribute(value=asked, attr="startswith"), args=[given]):
                part = self._part(asked, scope)
                whole, exact = part is not None, True
            case ast.Compare(left=given, ops=[ast.In() | ast.NotIn() as operator], comparators=[asked]):
                arm = arm == isinstance(operator, ast.In)
                part = self._part(asked, scope)
                whole, exact = part is not None, False
            case ast.Compare(left=asked, ops=[ast.Eq() | ast.NotEq() as operator], comparators=[given]):
                arm = arm == isinstance(operator, ast.Eq)
                part = self._part(asked, scope)
                whole, exact = part is _Part.DIALECT, True
            case _:
                return None
        elements = given.elts if isinstance(given, ast.Tuple) else [given]
        texts = [str(one.value) if isinstance(one, ast.Constant) else "" for one in elements]
        if arm and all(text.lower().startswith(SQLITE) or ":memory:" in text for text in texts):
            return Branch.SQLITE
        if arm and exact and part is not None and all(re.split(r"[:+]", text)[0] in SERVER_DIALECTS for text in texts):
            return Branch.SERVER if self._is_still(asked, scope, named=names > 0) else None
        # `"sqlite+aiosqlite" in url` and `url == "sqlite://"` leave other URLs of SQLite open
        if not arm and whole and SQLITE in texts:
            return Branch.NOT_SQLITE if self._is_still(asked, scope, named=names > 0) else None
        return None

    def _part(self, node: ast.expr, scope: Scope) -> _Part | None:
        """The part of this very URL that an expression is; None for anything else."""
        node = _bare(node, scope)
        if ast.unparse(node) == ast.unparse(self._url):
            return _Part.URL
        match node:
            case ast.Call(func=ast.Attribute(value=value, attr="lower"), args=[]):
                return self._part(value, scope)
            case ast.Attribute(value=value, attr="drivername" | "scheme"):
                return _Part.DRIVER if self._part(value, scope) is _Part.URL else None
            case (
                ast.Call(func=ast.Attribute(value=value, attr="get_backend_name"), args=[])
                | ast.Attribute(value=ast.Call(func=ast.Attribute(value=value, attr="get_dialect")), attr="name")
            ):
                return _Part.DIALECT if self._part(value, scope) is _Part.URL else None
            case ast.Subscript(
                value=ast.Call(
                    func=ast.Attribute(value=value, attr="split" | "partition"), args=[ast.Constant(value=mark), *_]
                ),
                slice=ast.Constant(value=0),
            ):
                match mark, self._part(value, scope):
                    case ":" | "://", _Part.URL:
                        return _Part.DRIVER
                    case "+", _Part.DRIVER:
                        return _Part.DIALECT
        return None

    def _is_still(self, asked: ast.expr, there: Scope, *, named: bool) -> bool:
        """Whether the URL is, at the call, what it was when the test was made."""
        nodes = list(ast.walk(self._url))
        attributes = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
        tested = _at(there.statement(asked)) if there.node is self._scope.node else (0, 0)
        stored = any(
            isinstance(node, ast.Attribute)
            and isinstance(node.ctx, (ast.Store, ast.Del))
            and node.attr in attributes
            and _at(node) > tested
            for node in ast.walk(self._scope.node)
        )
        names = [node for node in nodes if isinstance(node, ast.Name)]
        return (
            not stored and not self._is_hidden and all(self._is_same(name, asked, there, named=named) for name in names)
        )

    def _is_same(self, name: ast.Name, asked: ast.expr, there: Scope, *, named: bool) -> bool:
        here = self._scope
        bindings = [one for one in here.statements() if binds_directly(one, name.id)]
        if there.node is here.node and (name.id in here.parameters or (bindings and not named)):
            # from a binding before the test nothing leads to the call but through the test
            declared = any(
                isinstance(node, (ast.Global, ast.Nonlocal)) and name.id in node.names for node in ast.walk(here.node)
            )
            before = all(not named and _at(one) < _at(here.statement(asked)) for one in bindings)
            return before and not declared
        found, other = sole_binding(name.id, here), sole_binding(name.id, there)
        if not isinstance(found, Bound) or not isinstance(other, Bound) or _is_in_loop(found):
            return False
        if found.statement is other.statement:
            return True
        value, same = (sole_value(name, scope, self._module_scope) for scope in (here, there))
        return isinstance(value, Value) and isinstance(same, Value) and value.node is same.node


def _bare(node: ast.expr, scope: Scope) -> ast.expr:
    """The URL itself, of `str(url)` and `make_url(url)`."""
    match node:
        case ast.Call(args=[inner], keywords=[]):
            means = scope.callee(node)
            if isinstance(means, External) and means.dotted in URL_MAKERS | {"builtins.str"}:
                return _bare(inner, scope)
        case ast.Call(func=ast.Attribute(value=inner, attr="render_as_string" | "unicode_string")):
            return _bare(inner, scope)
    return node


def _is_in_loop(bound: Bound) -> bool:
    statement: ast.stmt | None = bound.statement
    while statement is not None and not isinstance(statement, Loop):
        statement = bound.owner.owner_statement(statement)
    return statement is not None


def _at(node: ast.stmt | ast.expr) -> tuple[int, int]:
    return node.lineno, node.col_offset


def _conditions(call: ast.Call, scope: Scope) -> Iterator[tuple[ast.expr, bool]]:
    """(test, whether it was true) of what is decided before the call is made, the innermost first."""
    current: ast.AST = call
    for around in scope.parents.chain(call):
        if around is scope.node:
            break
        if isinstance(around, ast.If) and current is not around.test:
            yield around.test, current in around.body
        elif isinstance(around, ast.IfExp) and current is not around.test:
            yield around.test, current is around.body
        elif isinstance(around, ast.Match) and isinstance(current, ast.match_case):
            yield from _cases(around, current)
        current = around
    statement: ast.stmt | None = scope.statement(call)
    while statement is not None:
        seat = scope.seat(statement)
        for before in seat.suite[: seat.index]:
            # `if url.startswith("sqlite"): return create_engine(url)`, and then the rest
            if isinstance(before, ast.If) and not before.orelse and isinstance(before.body[-1], _LEAVING):
                yield before.test, False
        statement = scope.owner_statement(statement)


def _cases(match: ast.Match, taken: ast.match_case) -> Iterator[tuple[ast.expr, bool]]:
    """The comparisons that lead to the case that is taken: its own holds, and those before it do not."""
    for case in match.cases:
        if isinstance(case.pattern, ast.MatchValue) and (case is taken or case.guard is None):
            compared = ast.Compare(match.subject, [ast.Eq()], [case.pattern.value])
            yield ast.copy_location(compared, match.subject), case is taken
        if case is taken:
            return
