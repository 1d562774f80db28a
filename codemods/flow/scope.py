"""One function (or module, or class body): its tree, where its statements stand, what names mean in it."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from codemods.project.expressions import expression
from codemods.project.link import Place, Project
from codemods.project.name_uses import Function, NameUse, name_uses
from codemods.project.nodes import FIELDS, Parents, children, parents_of
from codemods.project.sessions import External, Meaning

_SUITES = ("body", "orelse", "finalbody")
_NESTED = frozenset({*_SUITES, "handlers", "cases"})
_FIXTURES = frozenset({"pytest.fixture", "pytest_asyncio.fixture", "pytest_asyncio.plugin.fixture"})
Loop = (ast.For, ast.AsyncFor, ast.While)
With = (ast.With, ast.AsyncWith)
Definition = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


@dataclass(frozen=True, slots=True, eq=False)
class Seat:
    """Where a statement stands: its suite, its index there, and the node whose suite it is."""

    suite: Sequence[ast.stmt]
    index: int
    owner: ast.AST


class Scope:
    """A function, a module or a class body, with its own statements only: those of nested ones are scopes of theirs."""

    def __init__(self, node: Function | ast.Module | ast.ClassDef, place: Place, parents: Parents, project: Project):
        self.node = node
        self.place = place
        self.parents = parents
        self.project = project
        self._callees: dict[ast.Call, Meaning] = {}
        self._uses: dict[str, list[NameUse]] = {}

    @cached_property
    def _seats(self) -> dict[ast.stmt, Seat]:
        seats: dict[ast.stmt, Seat] = {}
        waiting: list[ast.AST] = [self.node]
        while waiting:
            current = waiting.pop()
            for suite in suites(current):
                for index, statement in enumerate(suite):
                    seats[statement] = Seat(suite, index, current)
                    if not isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                        waiting.append(statement)
            waiting += [*getattr(current, "handlers", ()), *getattr(current, "cases", ())]
        return seats

    @property
    def is_async(self) -> bool:
        return isinstance(self.node, ast.AsyncFunctionDef)

    @property
    def is_function(self) -> bool:
        return isinstance(self.node, (ast.FunctionDef, ast.AsyncFunctionDef))

    @cached_property
    def parameters(self) -> frozenset[str]:
        """The names of all parameters, `*args` and `**kwargs` included; none for a module or a class body."""
        if not isinstance(self.node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            return frozenset()
        given = self.node.args
        every = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
        return frozenset(argument.arg for argument in every if argument is not None)

    @cached_property
    def is_fixture(self) -> bool:
        """A pytest fixture: what it yields is used while the test runs, and never by anyone later."""
        for decorator in getattr(self.node, "decorator_list", ()):
            means = self.meaning(decorator.func if isinstance(decorator, ast.Call) else decorator)
            if isinstance(means, External) and means.dotted in _FIXTURES:
                return True
        return False

    def statements(self) -> list[ast.stmt]:
        """Every statement of the scope at any depth, in source order."""
        return list(self._in_order)

    @cached_property
    def _in_order(self) -> list[ast.stmt]:
        return sorted(self._seats, key=lambda statement: (statement.lineno, statement.col_offset))

    def seat(self, statement: ast.stmt) -> Seat:
        return self._seats[statement]

    def statement(self, node: ast.AST) -> ast.stmt:
        """The innermost statement of THIS scope that holds the node (a nested function counts as one statement)."""
        found = self.parents.statement(node)
        while found not in self._seats:
            found = next(around for around in self.parents.chain(found) if isinstance(around, ast.stmt))
        return found

    def in_suite(self, suite: Sequence[ast.stmt], node: ast.AST) -> int | None:
        """The index of the statement of `suite` that holds the node at any depth; None when none does."""
        statement = self.statement(node)
        while True:
            seat = self._seats[statement]
            if seat.suite is suite:
                return seat.index
            owner = seat.owner
            if isinstance(owner, (ast.ExceptHandler, ast.match_case)):
                above = self.parents.of(owner)
                assert above is not None
                owner = above
            if not isinstance(owner, ast.stmt) or owner not in self._seats:
                return None
            statement = owner

    def owner_statement(self, statement: ast.stmt) -> ast.stmt | None:
        """The compound statement of this scope in whose suite the statement stands; None at the top."""
        owner: ast.AST | None = self._seats[statement].owner
        if isinstance(owner, (ast.ExceptHandler, ast.match_case)):
            owner = self.parents.of(owner)
        return owner if isinstance(owner, ast.stmt) and owner in self._seats else None

    def in_finally(self, statement: ast.stmt, within: ast.stmt | None = None) -> bool:
        """Whether the statement stands in a `finally`, at any depth; `within` is where to stop looking."""
        current: ast.stmt | None = statement
        while current is not None and current is not within:
            above = self.owner_statement(current)
            if isinstance(above, ast.Try) and self._seats[current].suite is above.finalbody:
                return True
            current = above
        return False

    def uses(self, name: str) -> list[NameUse]:
        if name not in self._uses:
            self._uses[name] = name_uses(self.node, name, self.parents)
        return list(self._uses[name])

    def meaning(self, node: ast.expr) -> Meaning:
        """What the expression means in this scope."""
        return self.project.meaning(expression(node), self.place)

    def callee(self, call: ast.Call) -> Meaning:
        """What is called. Every rule asks it of every call: what is settled is kept with the call."""
        known = self._callees.get(call)
        if known is not None:
            return known
        called = expression(call.func)
        found = self.project.meaning(called, self.place)
        if self.project.is_settled(called, self.place):
            self._callees[call] = found
        return found

    def watched(self) -> list[ast.AST]:
        """The calls, `with` and `for` statements of this scope, in source order."""
        return list(self._watched)

    @cached_property
    def _watched(self) -> list[ast.AST]:
        return sorted(
            self.parents.watched.get(self.node, ()),
            key=lambda node: (getattr(node, "lineno", 0), getattr(node, "col_offset", 0)),
        )


def suites(node: ast.AST) -> Iterator[Sequence[ast.stmt]]:
    """The lists of statements that a node holds directly."""
    for field in _SUITES:
        suite = getattr(node, field, None)
        if isinstance(suite, list) and suite and isinstance(suite[0], ast.stmt):
            yield suite


def inside(statement: ast.stmt) -> Iterator[ast.stmt]:
    """The statement and all statements inside it, nested functions and classes not entered."""
    waiting = [statement]
    while waiting:
        current = waiting.pop()
        yield current
        if not isinstance(current, Definition):
            for part in [*getattr(current, "cases", ())[::-1], *getattr(current, "handlers", ())[::-1]]:
                waiting += part.body[::-1]
            for suite in reversed([*suites(current)]):
                waiting += suite[::-1]


def own_expressions(statement: ast.stmt) -> Sequence[ast.AST]:
    """The expression nodes that belong to the statement itself, not to the statements inside it.

    Kept with the statement, as `expression` keeps its form: every question about a name goes through them again.
    """
    known: list[ast.AST] | None = statement.__dict__.get("_own_expressions")
    if known is None:
        known = statement.__dict__["_own_expressions"] = _own_expressions(statement)
    return known


def _own_expressions(statement: ast.stmt) -> list[ast.AST]:
    stack: list[ast.AST] = []
    for field in FIELDS[statement.__class__]:
        if field not in _NESTED:
            value = getattr(statement, field, None)
            stack += [child for child in (value if isinstance(value, list) else [value]) if child is not None]
    found: list[ast.AST] = []
    while stack:
        node = stack.pop()
        found.append(node)
        stack += children(node)
    return found


def scopes(tree: ast.Module, path: str, project: Project) -> Sequence[Scope]:
    """Every scope of a file: the module, its classes, its functions at any depth, in source order.

    They are made once for a project, and what they remember serves everyone who looks at the file.
    """
    kept = project.kept.get(("scopes", path))
    if isinstance(kept, _Scopes) and kept.tree is tree:
        return kept.scopes
    parents = parents_of(tree)
    found = [Scope(tree, Place(path), parents, project)]
    for definition in parents.definitions:
        names = [definition.name]
        names += [around.name for around in parents.chain(definition) if isinstance(around, Definition)]
        found.append(Scope(definition, Place(path, ".".join(reversed(names))), parents, project))
    project.kept["scopes", path] = _Scopes(tree, found)
    return found


@dataclass(frozen=True, slots=True, eq=False)
class _Scopes:
    tree: ast.Module
    scopes: Sequence[Scope]
