"""What a function does, beside giving it back, with what it returns or yields. Pure; `ast` only.

A function that makes a session and returns it is a factory; one that puts it into a list, too, is none: then someone
else holds the session, and may commit and close it when its caller is long done.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from codemods.project.expressions import expression, last_name
from codemods.project.facts import GivenBack, Passed
from codemods.project.name_uses import Function, NameUse, Role, name_uses, value_use
from codemods.project.nodes import Parents, walk

# attributes of a session that are not the session in another guise, nor a way to work with it
_PLAIN = frozenset(
    {"autoflush", "bind", "deleted", "dirty", "expire_on_commit", "identity_map", "info", "is_active", "new"}
)
# what these give works on with the session
_LASTING = frozenset({"begin", "begin_nested", "connection", "get_nested_transaction", "get_transaction"})
_HARMLESS = frozenset(
    {Role.SET, Role.RETURNED, Role.YIELDED, Role.ENTERED, Role.DELETED, Role.AWAITED, Role.BOUND, Role.METHOD}
)


def given_back(
    function: Function,
    returned: Iterable[ast.expr | None],
    parents: Parents,
    passed: Callable[[NameUse, ast.Call], Passed],
) -> Iterator[GivenBack]:
    """An entry for each variable that `returned` may give back and with which something else is done that matters.

    `passed` tells of a call that a variable is handed to.
    """
    values = _values(function, parents)
    waiting = [node for node in returned if node is not None]
    seen: set[str] = set()
    while waiting:
        for node in walk(waiting.pop()):
            if isinstance(node, ast.Name) and node.id in values and node.id not in seen:
                seen.add(node.id)
                waiting += [value for value, _ in values[node.id]]
    for name in sorted(seen):
        found = _Followed(function, parents, passed, values).of(name)
        if found.kept or found.passed:
            yield found


_Values = dict[str, list[tuple[ast.expr, ast.AST]]]


def _values(function: Function, parents: Parents) -> _Values:
    """What is assigned to each name of the function, with the assignment."""
    found: _Values = {}
    for node in parents.within(function):
        targets: list[ast.expr] = []
        if isinstance(node, ast.Assign):
            targets = node.targets
        elif isinstance(node, (ast.NamedExpr, ast.AnnAssign)):
            targets = [node.target]
        elif isinstance(node, ast.withitem) and node.optional_vars is not None:
            targets = [node.optional_vars]
        value = node.context_expr if isinstance(node, ast.withitem) else getattr(node, "value", None)
        for target in targets:
            if isinstance(target, ast.Name) and isinstance(value, ast.expr):
                found.setdefault(target.id, []).append((value, node))
    return found


class _Followed:
    """One variable, and the other names that it goes by."""

    def __init__(
        self,
        function: Function,
        parents: Parents,
        passed: Callable[[NameUse, ast.Call], Passed],
        values: _Values,
    ) -> None:
        self.function = function
        self.parents = parents
        self.tell = passed
        self.values = values
        self.names: list[str] = []
        self.kept: list[int] = []
        self.passed: list[Passed] = []

    def of(self, name: str) -> GivenBack:
        self.names.append(name)
        for one in self.names:  # grows on the way
            for use in name_uses(self.function, one, self.parents):
                self._use(use)
            for _, node in self.values.get(one, ()):
                self._bound_by(node)
        return GivenBack(name, min(self.kept, default=0), tuple(dict.fromkeys(self.passed)))

    def _also(self, target: ast.expr) -> None:
        """It goes by a second name, which the function may have declared to be one of the module, or goes elsewhere."""
        if not isinstance(target, ast.Name):
            self.kept.append(target.lineno)
        elif target.id not in self.names:
            self.names.append(target.id)

    def _bound_by(self, node: ast.AST) -> None:
        """`self.session = session = F()`, `found.append(session := F())`"""
        if isinstance(node, ast.Assign):
            for target in node.targets:
                self._also(target)
        elif isinstance(node, ast.NamedExpr):
            self._use(value_use(node, self.parents))

    def _use(self, use: NameUse) -> None:
        parents, node = self.parents, use.node
        match use.role:
            case Role.BOUND:
                self._declared(node)
            case Role.METHOD if use.attribute in _LASTING and use.call is not None:
                above = parents.of(use.call)
                self._part(above if isinstance(above, ast.Await) else use.call)
            case role if role in _HARMLESS:
                pass
            case Role.ATTRIBUTE:
                attribute = parents.of(node)
                if use.attribute not in _PLAIN and isinstance(attribute, ast.expr):
                    self._part(attribute)
            case Role.ARGUMENT if use.call is not None:
                if use.position == 1 and last_name(expression(use.call.func)) == "cast":
                    self._part(use.call)
                else:
                    self.passed.append(self.tell(use, use.call))
            case Role.ALIASED:
                self._second_name(node)
            case Role.TESTED:
                self._tested(node)
            case Role.OTHER if isinstance(parents.of(node), ast.FormattedValue):
                pass
            case _:
                self.kept.append(use.line)

    def _part(self, node: ast.expr) -> None:
        """What is the session in another guise, or works on with it."""
        if isinstance(self.parents.of(node), ast.Expr):
            return
        use = value_use(node, self.parents)
        if use.role is not Role.ATTRIBUTE:
            self._use(replace(use, role=Role.DELETED) if use.role in _HARMLESS else use)

    def _declared(self, node: ast.expr) -> None:
        for statement in self.parents.within(self.function):
            if isinstance(statement, (ast.Global, ast.Nonlocal)) and isinstance(node, ast.Name):
                if node.id in statement.names and self.parents.scope(statement) is self.function:
                    self.kept.append(statement.lineno)

    def _second_name(self, node: ast.expr) -> None:
        parents = self.parents
        for around in parents.chain(node):
            if isinstance(around, ast.NamedExpr):
                self._also(around.target)
                self._use(value_use(around, parents))
                return
            if isinstance(around, ast.Assign):
                for target in around.targets:
                    self._also(target)
                return
            if isinstance(around, ast.AnnAssign):
                self._also(around.target)
                return

    def _tested(self, node: ast.expr) -> None:
        """`session or other` gives it on."""
        inner: ast.AST = node
        for around in self.parents.chain(node):
            if isinstance(around, ast.BoolOp):
                self._part(around)
                return
            if not isinstance(around, (ast.NamedExpr, ast.IfExp)) or getattr(around, "test", None) is inner:
                return
            inner = around
