"""Sessions that cannot be proved to be any: what makes them is not in view, yet they run ORM statements. Reads only."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from codemods.flow.bound_once import bound_once
from codemods.flow.examine import examine
from codemods.flow.ownership import entered_by_stack
from codemods.flow.scope import Scope
from codemods.flow.values import Values
from codemods.project.expressions import annotation, last_name
from codemods.project.facts import Awaited, Call, Expression, FunctionFacts, Name
from codemods.project.link import Place, Project
from codemods.project.models import is_mapped
from codemods.project.sessions import (
    CACHES,
    CONTEXT_MANAGERS,
    SYNC_MAKERS,
    TRANSPARENT_DECORATORS,
    ClassMeaning,
    External,
    FunctionMeaning,
    InstanceMeaning,
    Meaning,
    Ownership,
    SessionMeaning,
    UnknownMeaning,
)

_SELECTING = frozenset({"execute", "scalar", "scalars", "exec", "stream", "stream_scalars", "query", "get", "get_one"})
_TAKING = frozenset({"add", "add_all", "merge", "delete", "refresh", "expunge"})  # entities; repositories do, too
_ENDING = frozenset({"commit", "flush", "rollback"})
# what goes by these names hands out what is there already, or no session: `current.get()`, `pool.connect()`
_LOOKING_UP = frozenset({"get", "pop", "setdefault", "getattr", "connect", "begin"})
_DEEPEST = 4  # functions that give what another one gives


@dataclass(frozen=True, slots=True, eq=False)
class Suspect:
    """`session = state["maker"]()`: used like a session at `line`, and nothing closes it."""

    value: ast.expr
    statement: ast.stmt
    called: str
    line: int
    in_view: bool = False  # the function that is called is, yet what it gives cannot be followed
    is_maker: bool = False  # what is called is annotated `sessionmaker`, which leaves open of what sessions


def suspects(scope: Scope, known: Collection[ast.stmt]) -> Iterator[Suspect]:
    """The suspects of one function; `known` are the statements whose sessions were already looked at."""
    used: dict[str, list[ast.Call]] = {}
    committed: set[str] = set()
    for node in scope.watched():
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=verb), args=[_, *_]):
                if verb in _SELECTING | _TAKING:
                    used.setdefault(name, []).append(node)
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=verb)) if verb in _ENDING:
                committed.add(name)
    if not used or not scope.is_function:
        return
    values = Values(scope, used, (), is_async=True)
    for statement in scope.statements():
        match statement:
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=value)
                | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value)
            ) if name in used and statement not in known:
                given = scope.meaning(value)
                if isinstance(given, SessionMeaning):
                    if isinstance(value, ast.Attribute) and given.ownership is Ownership.FRESH:
                        # a property that makes a session each time it is read
                        if not examine(scope, statement, name, is_async=given.is_async).right:
                            yield Suspect(value, statement, ast.unparse(value), used[name][0].lineno)
                    continue
                call = value.value if isinstance(value, ast.Await) else value
                if not isinstance(call, ast.Call) or entered_by_stack(scope, call):
                    continue
                callee = scope.callee(call)
                in_view = isinstance(callee, FunctionMeaning) and isinstance(given, UnknownMeaning)
                if isinstance(callee, FunctionMeaning) and in_view:
                    if not _may_make(callee, scope.project, _DEEPEST):
                        continue
                elif not _out_of_view(callee):
                    continue
                called = ast.unparse(call.func)
                names = f"{name} {called}".lower()
                every = used[name]
                if not (name in committed and "session" in names):
                    every = [one for one in every if _is_orm(values, one, names, commits=name in committed)]
                if not every:
                    continue
                if not any(examine(scope, statement, name, is_async=is_async).right for is_async in (True, False)):
                    maker = _is_bare_maker(scope, call.func)
                    yield Suspect(value, statement, called, every[0].lineno, in_view, maker)


def hiding(scope: Scope, statement: ast.stmt) -> ast.expr | None:
    """What stands above the `asynccontextmanager` of a function that lends out a session, and cannot be followed.

    Nobody can tell then what the blocks over it are given: nothing in them is looked at.
    """
    if not isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)) or len(statement.decorator_list) < 2:
        return None
    project, path = scope.project, scope.place.path
    qualname = f"{scope.place.qualname}.{statement.name}".lstrip(".")
    for definition in project.symbols.functions(path, qualname):
        if definition.line != statement.lineno or not definition.is_generator:
            continue
        means = [scope.meaning(one.func if isinstance(one, ast.Call) else one) for one in statement.decorator_list]
        dotted = [one.dotted.removeprefix("builtins.") if isinstance(one, External) else "" for one in means]
        last = next((at for at, name in enumerate(dotted) if name in CONTEXT_MANAGERS), 0)
        place = Place(path, qualname)
        if not any(isinstance(project.meaning(one, place), SessionMeaning) for one in definition.yields if last):
            continue
        for at in range(last):
            known = dotted[at] in TRANSPARENT_DECORATORS | CACHES
            if not known and not project.hands_back(definition.decorators[at], definition, scope.place):
                return statement.decorator_list[at]
    return None


def _is_orm(values: Values, call: ast.Call, names: str, *, commits: bool) -> bool:
    """Whether the call makes what it is made on a session: it is about entities, or that is named like one.

    `names` are those of the variable and of what gives it, in lower case; `commits`: it ends transactions, too.
    """
    assert isinstance(call.func, ast.Attribute)
    scope, given, verb = values.scope, call.args[0], call.func.attr
    if verb in _TAKING:
        return (commits or "session" in names) and _is_entity(values, given)
    if values.selected_class(given) is not None:
        return True
    class_ = scope.meaning(given)  # `query(User)`, `get(User, ...)`
    if isinstance(class_, ClassMeaning) and is_mapped(class_, scope.project):
        # the async one alone is awaited: `Registry.get(User, None)` is a look into a dict
        of_async = verb.startswith("get") and len(call.args) > 1 and isinstance(scope.parents.of(call), ast.Await)
        return of_async or "session" in names
    return "session" in names and values.is_sql(given)


def _is_entity(values: Values, node: ast.expr) -> bool:
    """`User(...)`, a variable or a parameter that is one, a list of such."""
    if isinstance(node, (ast.List, ast.Tuple)):
        return any(_is_entity(values, one) for one in node.elts)
    means = values.scope.meaning(node)
    if isinstance(means, InstanceMeaning) and isinstance(means.of, ClassMeaning):
        return is_mapped(means.of, values.scope.project)
    return values.entity(node) is not None


def _may_make(function: FunctionMeaning, project: Project, deepest: int) -> bool:
    """Whether a function of which it is unknown what it gives may make that: it gives what a call of its own gives.

    What it looks up somewhere is someone else's: `return request.state.session`, `return current.get()`.
    """
    place = Place(function.module, function.qualname)
    for definition in project.symbols.functions(function.module, function.qualname):
        for returned in definition.returns:
            for value in _assigned(returned, definition):
                value = value.value if isinstance(value, Awaited) else value
                if not isinstance(value, Call) or last_name(value.function) in _LOOKING_UP:
                    continue
                means = project.meaning(value, place)
                if isinstance(means, SessionMeaning) and means.ownership is Ownership.FRESH:
                    return True  # behind a decorator that cannot be followed
                callee = project.meaning(value.function, place)
                if isinstance(callee, FunctionMeaning):
                    if deepest and isinstance(means, UnknownMeaning) and _may_make(callee, project, deepest - 1):
                        return True
                elif _out_of_view(callee):
                    return True
    return False


def _assigned(returned: Expression, definition: FunctionFacts) -> Iterator[Expression]:
    """The expression, or what is assigned to the variable of the function that it is."""
    if isinstance(returned, Name):
        yield from next((one.values for one in definition.bindings if one.name == returned.id), ())
    else:
        yield returned


def _is_bare_maker(scope: Scope, called: ast.expr) -> bool:
    """Whether a function that gives it, or the parameter that it is, is annotated `sessionmaker` without more.

    That may make sync sessions or async ones: which of the two blocks belongs around them is not said.
    """
    project, place = scope.project, scope.place
    told: list[tuple[Expression | None, Place]] = []
    if isinstance(called, ast.Name) and isinstance(scope.node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        outside = Place(place.path, place.qualname.rpartition(".")[0])
        given = (one for one in ast.walk(scope.node.args) if isinstance(one, ast.arg))
        told += [(annotation(one.annotation), outside) for one in given if one.arg == called.id]
    value = bound_once(called.id, scope) if isinstance(called, ast.Name) else called
    value = value.value if isinstance(value, ast.Await) else value
    callee = scope.callee(value) if isinstance(value, ast.Call) else None
    if isinstance(callee, FunctionMeaning):
        for definition in project.symbols.functions(callee.module, callee.qualname):
            told.append((definition.returns_annotation, Place(callee.module, definition.parent)))
    means = [project.meaning(one, where) for one, where in told if one is not None]
    return any(isinstance(one, External) and one.dotted in SYNC_MAKERS for one in means)


def _out_of_view(callee: Meaning) -> bool:
    if isinstance(callee, External):
        return not callee.dotted.startswith("sqlalchemy.")  # `engine.connect()` and its like are known: no sessions
    return isinstance(callee, UnknownMeaning)
