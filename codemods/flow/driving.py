"""Generators that lend a session and are driven by hand: every place in one scope, and in which form. Reads only.

What each form really does is measured in `wild-sessions.md` 5 and semantics B8.
"""

from __future__ import annotations

import ast
import enum
from collections.abc import Iterator
from dataclasses import dataclass, replace

from codemods.flow.scope import Scope
from codemods.project.dependencies import is_depends
from codemods.project.expressions import expression, last_name
from codemods.project.facts import Call, FunctionFacts, Name
from codemods.project.link import Place
from codemods.project.name_uses import COMPREHENSIONS, Role, value_use
from codemods.project.sessions import (
    External,
    FunctionMeaning,
    GeneratorMeaning,
    Meaning,
    Ownership,
    SessionMeaning,
)

STEPS = frozenset({"__next__", "__anext__", "send", "asend"})


class Form(enum.StrEnum):
    """How a generator is driven."""

    LOOP = "looped over"
    STEP = "advanced once"  # `next(dep())`, `await anext(dep())`, `dep().__anext__()`
    BLOCK = "advanced once and entered"  # `with next(dep()) as session:`
    VARIABLE = "bound to a variable"  # `gen = dep()`
    DELEGATED = "delegated to"  # `yield from dep()`
    CLOSED = "closed by a block"  # `aclosing(dep())`
    WRONG = "driven in a way that fails"
    OTHER = "used in a way that cannot be followed"


@dataclass(frozen=True, slots=True, eq=False)
class Driven:
    """One place. `node` is the expression that people are told of: `dep()` of a loop, else all that drives it."""

    form: Form
    node: ast.expr
    call: ast.Call  # `dep(...)`
    statement: ast.stmt
    generator: FunctionMeaning
    definition: FunctionFacts | None  # None when there is not exactly one in view
    is_async: bool
    session: SessionMeaning
    wrong: str = ""  # why it fails
    indirect: bool = False  # it yields something that holds its session, not the session itself

    @property
    def name(self) -> str:
        return last_name(expression(self.call.func)) or ast.unparse(self.call.func)


def driven(scope: Scope) -> Iterator[Driven]:
    """The hand-driven generators of one scope, in source order. Those given to `Depends` are not driven."""
    for node in scope.watched():
        if isinstance(node, ast.Call) and (found := _driven(scope, node)) is not None:
            yield found


def _driven(scope: Scope, call: ast.Call) -> Driven | None:
    generator = scope.callee(call)
    if not isinstance(generator, FunctionMeaning):
        return None
    means = scope.project.called(generator)
    if not isinstance(means, GeneratorMeaning):
        return None
    definitions = scope.project.symbols.functions(generator.module, generator.qualname)
    definition = definitions[0] if len(definitions) == 1 else None
    indirect = not isinstance(means.value, SessionMeaning)
    given = _held(definition, generator, scope) if indirect else means.value
    if not isinstance(given, SessionMeaning):
        return None
    session = replace(given, ownership=Ownership.FRESH)
    form, node, wrong = _form(scope, call, means.is_async)
    if form is Form.OTHER and _is_given_to_depends(scope, call):
        return None
    statement = scope.statement(call)
    return Driven(form, node, call, statement, generator, definition, means.is_async, session, wrong, indirect)


def _held(definition: FunctionFacts | None, generator: FunctionMeaning, scope: Scope) -> Meaning | None:
    """The session of the generator in `yield Repo(session)`; None when it yields something else."""
    yields = definition.lends.yields if definition is not None and definition.lends is not None else None
    if definition is None or not isinstance(yields, Call):
        return None
    place = Place(generator.module, generator.qualname)
    bound = {binding.name for binding in definition.bindings}
    for argument in [*yields.arguments, *(value for _, value in yields.keywords)]:
        if isinstance(argument, Name) and argument.id in bound:
            means = scope.project.meaning(argument, place)
            if isinstance(means, SessionMeaning):
                return means
    return None


def _is_given_to_depends(scope: Scope, call: ast.Call) -> bool:
    parent = scope.parents.of(call)
    return isinstance(parent, ast.Call) and is_depends(scope.callee(parent))


def _form(scope: Scope, call: ast.Call, is_async: bool) -> tuple[Form, ast.expr, str]:
    parent, statement = scope.parents.of(call), scope.statement(call)
    match parent:
        case ast.For() | ast.AsyncFor() if parent.iter is call:
            return _kind(Form.LOOP, call, is_async, isinstance(parent, ast.AsyncFor))
        case ast.comprehension():
            return Form.OTHER, call, ""
        case ast.Await():
            return Form.WRONG, parent, "a generator cannot be awaited"
        case ast.YieldFrom():
            return Form.DELEGATED, call, ""
        case ast.Yield():
            return Form.WRONG, call, "the generator itself is yielded, not its session"
        case ast.withitem():
            return Form.WRONG, call, "a generator is no context manager: this raises TypeError"
        case ast.Assign(targets=[ast.Name()]) | ast.AnnAssign(target=ast.Name()):
            return Form.VARIABLE, call, ""
    use = value_use(call, scope.parents)
    if use.role is Role.METHOD and use.attribute in STEPS and use.call is not None:
        return _step(scope, use.call, is_async, use.attribute.startswith(("__a", "as")), statement)
    if use.role is Role.ARGUMENT and use.call is not None and use.position == 0:
        called = scope.callee(use.call)
        if isinstance(called, External) and called.dotted in ("builtins.next", "builtins.anext"):
            return _step(scope, use.call, is_async, called.dotted.endswith("anext"), statement)
        if isinstance(called, External) and called.dotted in ("contextlib.closing", "contextlib.aclosing"):
            return Form.CLOSED, call, ""
    return Form.OTHER, call, ""


def _step(
    scope: Scope, driver: ast.Call, is_async: bool, steps_async: bool, statement: ast.stmt
) -> tuple[Form, ast.expr, str]:
    above = scope.parents.of(driver)
    node: ast.expr = driver
    if steps_async:
        if not isinstance(above, ast.Await):
            return Form.OTHER, driver, ""
        node, above = above, scope.parents.of(above)
    form = Form.BLOCK if isinstance(above, ast.withitem) else Form.STEP
    if any(isinstance(around, COMPREHENSIONS) for around in scope.parents.chain(node)) and form is Form.STEP:
        if scope.statement(node) is statement:
            return Form.OTHER, node, ""
    return _kind(form, node, is_async, steps_async)


def _kind(form: Form, node: ast.expr, is_async: bool, driven_async: bool) -> tuple[Form, ast.expr, str]:
    if is_async == driven_async:
        return form, node, ""
    kind, other = ("an async", "async") if is_async else ("a sync", "sync")
    return Form.WRONG, node, f"{kind} generator needs the {other} form: this raises TypeError"
