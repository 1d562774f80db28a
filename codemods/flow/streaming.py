"""Responses that stream through an injected session: the session may be closed before the stream runs. Reads only.

Both orders exist (semantics E1, E2): FastAPI 0.106 to 0.117 leave a dependency before the response is sent, the
others keep its connection until the last byte.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from codemods.flow.scope import Scope
from codemods.project.dependencies import Dependencies
from codemods.project.expressions import expression, last_name
from codemods.project.link import Place
from codemods.project.name_uses import binds
from codemods.project.scheduler_names import STREAMING
from codemods.project.sessions import ClassMeaning, External, FunctionMeaning, Meaning, SessionMeaning

_ROOTS = frozenset({"fastapi", "starlette", "sse_starlette"})
Function = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True, slots=True, eq=False)
class Stream:
    """`call` makes the response; `what` is the generator that uses the injected `session`."""

    call: ast.Call
    what: str
    session: str


def streams(scope: Scope, dependencies: Dependencies) -> Iterator[Stream]:
    """The streaming responses of one function over a session that `Depends` gave it, or what holds it."""
    if not any(isinstance(node, ast.Call) and _is_named_like_one(node) for node in scope.watched()):
        return  # resolving the parameters of every function of a code base takes time
    sessions = _with_second_names(scope, _injected(scope, dependencies))
    holders = _holders(scope, sessions) | _injected_holders(scope, dependencies)
    if not sessions and not holders:
        return
    for node in scope.watched():
        if not isinstance(node, ast.Call):
            continue
        if not _is_response(scope, scope.callee(node)):
            continue
        given = [*node.args[:1], *(keyword.value for keyword in node.keywords if keyword.arg == "content")]
        for content in given:
            found = _reads(scope, _followed(scope, content), sessions, holders)
            if found is not None:
                yield Stream(node, *found)


def _is_named_like_one(call: ast.Call) -> bool:
    return last_name(expression(call.func)).endswith("Response")


def _is_response(scope: Scope, called: Meaning) -> bool:
    bases = scope.project.bases(called) if isinstance(called, ClassMeaning) else [called]
    return any(
        isinstance(base, External)
        and base.dotted.rpartition(".")[2] in STREAMING
        and base.dotted.partition(".")[0] in _ROOTS
        for base in bases
    )


def _with_second_names(scope: Scope, sessions: set[str]) -> set[str]:
    """`db = session`"""
    found = set(sessions)
    for statement in scope.statements():
        if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Name) and statement.value.id in found:
            found |= {target.id for target in statement.targets if isinstance(target, ast.Name)}
    return found


def _injected(scope: Scope, dependencies: Dependencies) -> set[str]:
    if not scope.is_function:
        return set()
    found = set()
    for definition in scope.project.symbols.functions(scope.place.path, scope.place.qualname):
        outside = Place(scope.place.path, definition.parent)
        for parameter in definition.parameters:
            if isinstance(scope.project.name(parameter.name, scope.place), SessionMeaning):
                if dependencies.injected(parameter, outside) is not None:
                    found.add(parameter.name)
    return found


def _injected_holders(scope: Scope, dependencies: Dependencies) -> dict[str, str]:
    """The parameters that receive what another dependency made with a session: `service = Depends(get_service)`."""
    found: dict[str, str] = {}
    if not scope.is_function:
        return found
    for definition in scope.project.symbols.functions(scope.place.path, scope.place.qualname):
        outside = Place(scope.place.path, definition.parent)
        for parameter in definition.parameters:
            target = dependencies.injected(parameter, outside)
            if target is None or isinstance(scope.project.name(parameter.name, scope.place), SessionMeaning):
                continue
            for made in scope.project.symbols.functions(target.module, target.qualname):
                place = Place(target.module, target.qualname)
                for inner in made.parameters:
                    given = dependencies.injected(inner, Place(target.module, made.parent))
                    if given is not None and isinstance(scope.project.name(inner.name, place), SessionMeaning):
                        found[parameter.name] = inner.name
    return found


def _holders(scope: Scope, sessions: set[str]) -> dict[str, str]:
    """The names of objects that were made with a session: `service = ReportService(session)`."""
    found: dict[str, str] = {}
    for statement in scope.statements():
        if isinstance(statement, ast.Assign) and _holds_it(scope, statement.value):
            given = _names(statement.value) & sessions
            for target in statement.targets:
                if given and isinstance(target, ast.Name):
                    found[target.id] = min(given)
    return found


def _holds_it(scope: Scope, value: ast.expr) -> bool:
    """`ReportService(session)` and `await session.stream(q)` use the session later; `await load(session)` does not."""
    if isinstance(value, ast.Await):
        call = value.value
        return isinstance(call, ast.Call) and _is_stream(call)
    if not isinstance(value, ast.Call):
        return False
    name = last_name(expression(value.func))
    return isinstance(scope.callee(value), ClassMeaning) or name[:1].isupper() or _is_stream(value)


def _is_stream(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Attribute) and call.func.attr in ("stream", "stream_scalars")


def _followed(scope: Scope, content: ast.expr) -> ast.expr:
    """What a name was bound to, when that was done once."""
    if isinstance(content, ast.Name):
        values = [
            statement.value
            for statement in scope.statements()
            if isinstance(statement, ast.Assign) and any(_is(target, content.id) for target in statement.targets)
        ]
        return values[0] if len(values) == 1 else content
    return content


def _reads(scope: Scope, content: ast.expr, sessions: set[str], holders: dict[str, str]) -> tuple[str, str] | None:
    """What runs while the response is sent, and the session that it uses."""
    if isinstance(content, ast.GeneratorExp):
        # the first iterable is evaluated at once, all else when the response is sent
        first = content.generators[0].iter
        used = (_names(content) - _names(first)) & sessions
        used |= {holders[name] for name in _names(content) & set(holders)}
        streamed = [node for node in ast.walk(first) if isinstance(node, ast.Call) and _is_stream(node)]
        used |= {name for call in streamed for name in _names(call.func) & sessions}
        return ("the generator expression", min(used)) if used else None
    if not isinstance(content, ast.Call):
        return None
    called = scope.callee(content)
    text = f"`{ast.unparse(content.func)}()`"
    if isinstance(content.func, ast.Attribute):
        root = content.func.value
        if isinstance(root, ast.Name) and root.id in holders and _is_generator(scope, called, unknown=True):
            return text, holders[root.id]
        if isinstance(root, ast.Name) and root.id in sessions and content.func.attr.startswith("stream"):
            return text, root.id
    for argument in [*content.args, *(keyword.value for keyword in content.keywords)]:
        # a generator around a generator; what is awaited is over before the response is sent
        inner = _reads(scope, _followed(scope, argument), sessions, holders)
        if inner is not None:
            return inner
        if isinstance(argument, ast.Name) and _is_generator(scope, called):
            if argument.id in sessions or argument.id in holders:
                return text, holders.get(argument.id, argument.id)
    for node in ast.walk(scope.node):
        if isinstance(node, Function) and isinstance(content.func, ast.Name) and node.name == content.func.id:
            names = {name for name in _names(node) if not binds(node, name)}
            captured = (names & sessions) | {holders[name] for name in names & set(holders)}
            if captured and _is_generator(scope, called):
                return text, min(captured)
    return None


def _is_generator(scope: Scope, called: object, *, unknown: bool = False) -> bool:
    if not isinstance(called, FunctionMeaning):
        return unknown
    definitions = scope.project.symbols.functions(called.module, called.qualname)
    return any(definition.is_generator for definition in definitions)


def _names(node: ast.AST) -> set[str]:
    return {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Load)}


def _is(target: ast.expr, name: str) -> bool:
    return isinstance(target, ast.Name) and target.id == name
