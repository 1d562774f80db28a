"""What the functions of the project give and do, asked for one at a time. Remembers; the answers are plain data."""

from __future__ import annotations

import ast
from collections.abc import Callable

from codemods.flow.objects.interpret import run
from codemods.flow.objects.record import Effects, Record, Summary
from codemods.flow.objects.values import EMPTY, How, Nothing, Origin, Value, objects, union, value
from codemods.flow.objects.world import Standing, joined
from codemods.flow.scope import Scope, scopes
from codemods.project.link import Place, Project
from codemods.project.sessions import TRANSPARENT_DECORATORS, External, FunctionMeaning

_DEEP = 8  # a chain of calls longer than this is not followed


class FunctionSummaries:
    """`tree` gives the tree of a file of the project by its path; None where it could not be read."""

    def __init__(self, project: Project, tree: Callable[[str], ast.Module | None]) -> None:
        self.project = project
        self._tree = tree
        self._scopes: dict[str, dict[str, list[Scope]]] = {}
        self._known: dict[FunctionMeaning, Summary | None] = {}
        self._active: list[FunctionMeaning] = []

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

    def of(self, function: FunctionMeaning) -> Summary | None:
        """What calling the function gives; None when that cannot be told."""
        key = FunctionMeaning(function.module, function.qualname)
        if key in self._known:
            return self._known[key]
        if key in self._active:
            return self._bottom(key)
        if len(self._active) >= _DEEP:
            return None
        self._active.append(key)
        try:
            found = self._summary(function)
        finally:
            self._active.pop()
        if not self._active:
            self._known[key] = found
        return found

    def _bottom(self, function: FunctionMeaning) -> Summary:
        """What a function that calls itself gives there: nothing that its other ways do not give."""
        facts = self.project.symbols.functions(function.module, function.qualname)[0]
        names = tuple(one.name for one in facts.parameters)
        return Summary(EMPTY, (), {}, {}, is_async=facts.is_async, is_bound=bool(facts.in_class), parameters=names)

    def _summary(self, function: FunctionMeaning) -> Summary | None:
        definitions = self.project.symbols.functions(function.module, function.qualname)
        if len(definitions) != 1 or self.project.overrides(function):
            return None
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
        record = run(scope, self)
        if record.stopped:
            return None
        return _summed(record, scope, facts.is_async, bool(facts.in_class))


def _summed(record: Record, scope: Scope, is_async: bool, is_bound: bool) -> Summary:
    values: list[Value] = [one.value for one in record.exits.values()]
    if record.end is not None:
        values.append(value(Nothing()))
    given = union(values)
    world = joined([*(one.world for one in record.exits.values()), record.end])
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
    )


def _place(origin: Origin) -> tuple[int, int, int, str]:
    return origin.line, origin.column, origin.index, origin.how.value


def _outside(function: FunctionMeaning) -> Place:
    return Place(function.module, function.qualname.rpartition(".")[0])
