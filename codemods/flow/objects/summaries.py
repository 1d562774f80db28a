"""What the functions of the project give and do, asked for one at a time. Remembers; the answers are plain data."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable

from codemods.flow.objects.interpret import run
from codemods.flow.objects.record import Effects, Record, Summary
from codemods.flow.objects.sight import has_session
from codemods.flow.objects.values import EMPTY, How, Nothing, Origin, Value, objects, union, value
from codemods.flow.objects.world import Standing, joined
from codemods.flow.scope import Scope, scopes
from codemods.project.link import Place, Project
from codemods.project.sessions import TRANSPARENT_DECORATORS, External, FunctionMeaning

_DEEP = 24  # a chain of calls longer than this is not followed, unless its end is known already
_RUNS = 300  # more functions than this are not run to answer one question
Lent = tuple[tuple[str, bool], ...]


class FunctionSummaries:
    """`tree` gives the tree of a file of the project by its path; None where it could not be read."""

    def __init__(self, project: Project, tree: Callable[[str], ast.Module | None]) -> None:
        self.project = project
        self._tree = tree
        self._scopes: dict[str, dict[str, list[Scope]]] = {}
        self._known: dict[tuple[FunctionMeaning, Lent], Summary | None] = {}
        self._active: dict[tuple[FunctionMeaning, Lent], int] = {}
        self._met = sys.maxsize  # the outermost of the functions being looked at that the current one ran into
        self._budget = _RUNS
        self._records: dict[ast.AST, Record] = {}
        self._reaching: dict[str, bool] = {}
        self._with_sessions: dict[str, bool] = {}

    def scope(self, function: FunctionMeaning) -> Scope | None:
        """The one definition of a function; None where there is none, or more than one."""
        if function.module not in self._scopes:
            tree = self._tree(function.module)
            found: dict[str, list[Scope]] = {}
            for one in scopes(tree, function.module, self.project) if tree is not None else ():
                if one.is_function:
                    found.setdefault(one.place.qualname, []).append(one)
            self._scopes[function.module] = found
        known = self._scopes[function.module].get(function.qualname, [])
        return known[0] if len(known) == 1 else None

    def of(self, function: FunctionMeaning, lent: Lent = (), *, alone: bool = False) -> Summary | None:
        """What calling the function gives; None when that cannot be told.

        `lent`: the parameters that get a session, with whether it is async. `alone`: neither a session nor an object
        goes in, so that what has nothing to do with sessions gives none.
        """
        plain = FunctionMeaning(function.module, function.qualname)
        if alone and not self.may_reach_sessions(function.module):
            return None
        key = (plain, lent)
        if key in self._known:
            return self._known[key]
        if key in self._active:
            self._met = min(self._met, self._active[key])
            return self._bottom(plain)
        if len(self._active) >= _DEEP or self._budget <= 0:
            self._met = 0
            return None
        depth = self._active[key] = len(self._active)
        outer, self._met = self._met, sys.maxsize
        if depth == 0:
            self._budget = _RUNS
        self._budget -= 1
        try:
            found = self._summary(plain, lent)
        finally:
            del self._active[key]
        # what met a function that is still being looked at is only right for that one's sake
        if self._met >= depth:
            self._known[key] = found
            self._met = outer
        else:
            self._met = min(self._met, outer)
        return found

    def record(self, scope: Scope) -> Record | None:
        """The record of a function without anything lent to it, where it was run already.

        None also where that run met the function itself, or a limit: another one may then tell more.
        """
        return self._records.get(scope.node)

    def may_reach_sessions(self, path: str) -> bool:
        """Whether something in the file, or in a file of the project that it imports, has to do with sessions."""
        if path not in self._reaching:
            self._reaching[path] = self._has_sessions(path) or any(
                self._has_sessions(other) for other in self._imported(path)
            )
        return self._reaching[path]

    def _imported(self, path: str) -> set[str]:
        """All files of the project that a file imports, through others too."""
        found: set[str] = set()
        waiting = [path]
        while waiting:
            for other in self.project.symbols.imported_modules(waiting.pop()):
                if other not in found:
                    found.add(other)
                    waiting.append(other)
        return found

    def _has_sessions(self, path: str) -> bool:
        if path not in self._with_sessions:
            tree = self._tree(path)
            facts = self.project.symbols.facts.get(path)
            # a function that makes a statement says what is loaded
            self._with_sessions[path] = (facts is not None and "select" in facts.calls) or (
                tree is not None and any(has_session(one) for one in scopes(tree, path, self.project))
            )
        return self._with_sessions[path]

    def _bottom(self, function: FunctionMeaning) -> Summary:
        """What a function that calls itself gives there: nothing that its other ways do not give."""
        facts = self.project.symbols.functions(function.module, function.qualname)[0]
        names = tuple(one.name for one in facts.parameters)
        return Summary(EMPTY, (), {}, {}, is_async=facts.is_async, is_bound=bool(facts.in_class), parameters=names)

    def _summary(self, function: FunctionMeaning, lent: Lent) -> Summary | None:
        definitions = self.project.symbols.functions(function.module, function.qualname)
        if len(definitions) != 1:
            return None
        if not function.qualname.endswith(".__init__") and self.project.overrides(function):
            return None  # which class is made is known where it is made
        facts = definitions[0]
        for decorator in facts.decorators:
            means = self.project.meaning(decorator, _outside(function))
            if not isinstance(means, External) or means.dotted.removeprefix("builtins.") not in TRANSPARENT_DECORATORS:
                return None
        if facts.is_generator:
            return None
        scope = self.scope(FunctionMeaning(function.module, function.qualname))
        if scope is None:
            return None
        record = run(scope, self, lent=lent)
        if record.stopped:
            return None
        if not lent and self._met == sys.maxsize:
            self._records[scope.node] = record
        return _summed(record, scope, facts.is_async, bool(facts.in_class))


def _summed(record: Record, scope: Scope, is_async: bool, is_bound: bool) -> Summary:
    values: list[Value] = [one.value for one in record.exits.values()]
    if record.end is not None:
        values.append(value(Nothing()))
    given = union(values)
    world = joined([*(one.after for one in record.exits.values()), record.end])
    standings: dict[Origin, Standing] = dict(world.objects) if world is not None else {}
    origins = tuple(sorted({one.origin for one in objects(given)}, key=_place))
    handed = {origin.what: standing for origin, standing in standings.items() if origin.how is How.GIVEN}
    own = {one.number for one in record.sessions if one.own}
    effects = Effects()
    for number, session in world.sessions.items() if world is not None else ():
        if number not in own:
            effects = Effects(
                effects.commits or session.committed,
                effects.rolls_back or session.rolled_back,
                effects.detaches or session.detached,
                effects.writes or session.wrote,
                effects.saves or session.saved,
                effects.uncommitted or session.uncommitted,
                effects.keeps or session.kept,
            )
    node = scope.node
    arguments = node.args if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) else None
    names = [one.arg for one in [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]] if arguments else []
    return Summary(
        given,
        origins,
        {origin: standings.get(origin, Standing()) for origin in origins},
        handed,
        frozenset(origin for origin in origins if record.added.get(origin, origin.session) in own),
        effects,
        is_async,
        is_bound,
        tuple(names),
        any(not one.own for one in record.sessions),
        record.may_write,
    )


def _place(origin: Origin) -> tuple[int, int, int, str]:
    return origin.line, origin.column, origin.index, origin.how.value


def _outside(function: FunctionMeaning) -> Place:
    return Place(function.module, function.qualname.rpartition(".")[0])
