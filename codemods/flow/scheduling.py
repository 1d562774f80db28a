"""The calls of one function that run something later or at the same time: what they run, and what they hand it.

Reads a `Scope` and the project's summaries only; changes nothing. Whether an argument is a session or an entity is no
question here. Nested functions and classes are scopes of their own.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from codemods.flow.bound_once import bound_once
from codemods.flow.scope import Scope
from codemods.flow.waited_for import repeated_by, several, waiting
from codemods.project.expressions import dotted, expression, last_name
from codemods.project.name_uses import Role
from codemods.project.scheduler_names import SIGNATURES, Form, Kind, Runner
from codemods.project.schedulers import runner, scheduler_words
from codemods.project.sessions import (
    CoroutineMeaning,
    External,
    FunctionMeaning,
    InstanceMeaning,
    UnknownMeaning,
)

__all__ = ["Argument", "Kind", "Scheduling", "schedulings"]

_PARTIAL = "functools.partial"
_OWN_OF_TASKS = frozenset({"name", "context", "loop", "eager_start"})
# coroutines that wait for the one they are given, and give its result
_THROUGH = frozenset({"asyncio.wait_for", "asyncio.shield", "asyncio.tasks.wait_for", "asyncio.tasks.shield"})
_FILLING = frozenset({"append", "add", "extend", "insert", "appendleft"})
_DEPTH = 5  # how many names and calls are looked through


@dataclass(frozen=True, slots=True, eq=False)
class Argument:
    """One argument for what runs later, and where it goes in the parameters of that.

    Without position and keyword it is given in bulk, or behind something that is.
    """

    value: ast.expr
    index: int  # place among the arguments as written (source order) of the holder, or of the literal it stands in
    position: int | None = None
    keyword: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Scheduling:
    """One thing that is run later or at the same time. A call of `gather` is told of once for each of its awaitables.

    `target` may be any expression: a name, an attribute, a lambda, a call that makes the callable. Without a `holder`
    the arguments stand in several places, and cannot be exchanged.
    """

    kind: Kind
    call: ast.Call  # the scheduling call, that people are told of
    name: str  # as written: "background_tasks.add_task"
    target: ast.expr | None  # what runs later, as written; None: it cannot be told
    holder: ast.Call | None  # the call in which the arguments stand: `add_task(...)`, the `f(...)` in `create_task`
    arguments: tuple[Argument, ...]
    in_bulk: bool = False  # `*args` or `**kwargs` at the site
    result_used: bool = False  # TASK and THREAD: it is awaited, gathered or its result read in the same function
    proved: bool = True  # False: only the name suggests it
    many: bool = False  # several at once: it stands in a comprehension, or in a loop that does not wait for each
    in_thread: bool = False  # what it runs is run in a thread, also where that is awaited or gathered
    waits: tuple[ast.AST, ...] = ()  # where `result_used` is seen; a `with` of a task group waits at its end


def schedulings(scope: Scope) -> tuple[Scheduling, ...]:
    """The sites of this function, module or class body, in source order; nested functions apart."""
    return tuple(_Sites(scope).found())


@dataclass(frozen=True, slots=True, eq=False)
class _Work:
    """What a site runs, and the arguments as they are written for it."""

    target: ast.expr | None
    holder: ast.Call | None = None
    arguments: tuple[Argument, ...] = ()
    in_bulk: bool = False
    in_thread: bool = False
    many: bool = False


class _Sites:
    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.words = scheduler_words(scope.project)
        self.calls = [node for node in scope.watched() if isinstance(node, ast.Call)]
        self.following: set[str] = set()  # the containers that are being looked into
        self.runners: dict[ast.Call, Runner] = {}
        for call in self.calls:
            takes_nothing = not call.args and not call.keywords and not isinstance(call.func, ast.Attribute)
            found = None if takes_nothing else self.runner(call)
            if found is not None:
                self.runners[call] = found

    def found(self) -> Iterator[Scheduling]:
        gathered: dict[ast.Call, list[_Work]] = {}
        claimed: set[ast.Call] = set()  # `to_thread(...)` inside of a `gather` that was told of
        for call, how in self.runners.items():
            if how.form in (Form.GATHERED, Form.GATHERED_LIST):
                gathered[call] = list(self.gathered(call, how, claimed))
        for call, how in self.runners.items():
            if call in gathered:
                for work in gathered[call]:
                    yield from self.sites(call, how, work)
            elif call not in claimed:
                for work in self.works(call, how):
                    yield from self.sites(call, how, work)

    # --- what is a scheduler -----------------------------------------------------------------------------------

    def runner(self, call: ast.Call) -> Runner | None:
        scope = self.scope
        if not self.may_schedule(call.func):
            return None
        called = expression(call.func)
        found = runner(called, scope.callee(call), scope.place, scope.project)
        if found is None or (not found.proved and not self.is_plausible(call, found)):
            return None
        if isinstance(means := scope.callee(call), FunctionMeaning) and isinstance(scope.parents.of(call), ast.Await):
            definitions = scope.project.symbols.functions(means.module, means.qualname)
            if any(one.is_async for one in definitions):
                return None  # a coroutine of the project that starts something may well wait for it
        return found

    def may_schedule(self, function: ast.expr) -> bool:
        """Whether the name is one that such things go by: cheap, and asked first."""
        last = last_name(expression(function))
        if last in self.words or last[:1].isupper() or not last:
            return True
        if isinstance(function, ast.Name):
            imported = self.scope.project.symbols.imports(self.scope.place.path, "", last)
            return any(one.attribute in self.words for one in imported)
        return False

    def is_plausible(self, call: ast.Call, found: Runner) -> bool:
        """Whether something that is called like a scheduler may be one, by what it is given."""
        awaited = isinstance(self.scope.parents.of(call), ast.Await)
        if found.form in (Form.METHOD, Form.METHOD_PACKED):
            return isinstance(call.func, ast.Attribute)
        if found.form is Form.PACKED and found.kind is Kind.THREAD:
            return any(keyword.arg == found.target_keyword for keyword in call.keywords)
        target = _given(call, found)
        if found.form is Form.COROUTINE:
            return self.is_coroutine_alone(call, target, awaited)
        if awaited and found.kind is not Kind.QUEUE and not found.awaitable:
            return False
        if target is None or isinstance(target, ast.Starred):
            return target is not None
        if last_name(expression(call.func)) == "add_done_callback":
            known = isinstance(self.scope.meaning(target), FunctionMeaning)
            return known or isinstance(target, ast.Lambda) or self.is_partial(target)
        if isinstance(self.scope.callee(call), FunctionMeaning):
            return self.is_callable(target, certainly=True)
        if found.kind is Kind.QUEUE and isinstance(target, ast.Constant) and isinstance(target.value, str):
            return True
        return self.is_callable(target)

    def is_coroutine_alone(self, call: ast.Call, target: ast.expr | None, awaited: bool) -> bool:
        """`loop.create_task(f(x), name="n")`, not `service.create_task(session, data)`."""
        if not isinstance(target, ast.Call):
            return False
        if not isinstance(self.scope.callee(call), FunctionMeaning):
            if len(call.args) > 1 or not {keyword.arg for keyword in call.keywords} <= _OWN_OF_TASKS:
                return False
        if self.is_coroutine(target):
            return True
        means = self.scope.callee(target)
        unknown = isinstance(means, UnknownMeaning) or (
            isinstance(means, External) and not means.dotted.rpartition(".")[2][:1].isupper()
        )
        last = last_name(expression(target.func))
        return unknown and not awaited and not last[:1].isupper()

    def is_coroutine(self, node: ast.expr) -> bool:
        """Whether the expression is a call of an async function of the project."""
        if not isinstance(node, ast.Call):
            return False
        means = self.scope.callee(node)
        if isinstance(means, FunctionMeaning):
            definitions = self.scope.project.symbols.functions(means.module, means.qualname)
            if any(one.is_async and not one.is_generator for one in definitions):
                return True
        return isinstance(self.scope.meaning(node), CoroutineMeaning)

    def is_callable(self, node: ast.expr, *, certainly: bool = False) -> bool:
        """Whether the expression may be something to call; `certainly` asks for more than not knowing."""
        if isinstance(node, ast.Lambda) or self.is_partial(node):
            return True
        means = self.scope.meaning(node)
        if isinstance(means, FunctionMeaning):
            return True
        if certainly or isinstance(node, (ast.Constant, ast.JoinedStr, ast.List, ast.Dict, ast.Tuple, ast.BinOp)):
            return False
        match means:
            case External(dotted=name):
                return not name.rpartition(".")[2][:1].isupper()
            case InstanceMeaning(of=External(dotted=name)):
                return name.rpartition(".")[2] == "Callable"
            case UnknownMeaning():
                return isinstance(node, (ast.Name, ast.Attribute, ast.Subscript))
            case _:
                return False

    def is_partial(self, node: ast.expr) -> bool:
        return isinstance(node, ast.Call) and self.scope.callee(node) == External(_PARTIAL)

    # --- what a site runs --------------------------------------------------------------------------------------

    def works(self, call: ast.Call, how: Runner) -> Iterator[_Work]:
        match how.form:
            case Form.COROUTINE:
                target = _given(call, how)
                if isinstance(target, ast.Starred):
                    yield _Work(None, in_bulk=True)
                elif target is not None:
                    yield from self.coroutines(target, _DEPTH)
            case Form.CALLABLE:
                yield from self.callable(call, how)
            case Form.PACKED:
                yield from self.packed(call, how)
            case Form.METHOD | Form.METHOD_PACKED:
                yield self.of_task(call, how)

    def coroutines(self, node: ast.expr, depth: int) -> Iterator[_Work]:
        """What runs when the awaitable does. Nothing where that is a site of its own: `create_task(to_thread(f))`."""
        match self.followed(node, depth):
            case ast.IfExp(body=body, orelse=orelse) if depth:
                yield from self.coroutines(body, depth - 1)
                yield from self.coroutines(orelse, depth - 1)
            case ast.Call() as call if call in self.runners:
                return
            case ast.Call() as call if self.is_through(call) and depth and call.args:
                yield from self.coroutines(call.args[0], depth - 1)
            case ast.Call() as call:
                yield self.called(call)
            case _:
                yield _Work(None)

    def called(self, call: ast.Call) -> _Work:
        arguments, in_bulk = _arguments(call)
        return _Work(call.func, call, arguments, in_bulk)

    def is_through(self, call: ast.Call) -> bool:
        means = self.scope.callee(call)
        return isinstance(means, External) and means.dotted in _THROUGH

    def followed(self, node: ast.expr, depth: int) -> ast.expr:
        """What a name of this very function is bound to once: `job = f(session)`, `create_task(job)`."""
        if isinstance(node, ast.NamedExpr):
            return self.followed(node.value, depth)
        if isinstance(node, ast.Name) and depth:
            if any(use.role is Role.BOUND for use in self.scope.uses(node.id)):
                value = bound_once(node.id, self.scope)
                if isinstance(value, ast.expr):
                    return self.followed(value, depth - 1)
        return node

    def callable(self, call: ast.Call, how: Runner) -> Iterator[_Work]:
        target = _given(call, how)
        if target is None:
            return
        if isinstance(target, ast.Starred):
            yield _Work(None, call, (Argument(target.value, 0),), in_bulk=True)
            return
        arguments, in_bulk = _arguments(call, how.first, how.own | {how.target_keyword})
        if isinstance(target, ast.Constant):
            yield _Work(None, call, arguments, in_bulk)  # a task that goes by its name
            return
        if self.is_coroutine(target) and not how.awaitable:
            yield from self.coroutines(target, _DEPTH)  # `spawn(f(x))`, where it is told to take a function
            return
        yield self.with_partial(target, call, arguments, in_bulk)

    def with_partial(self, target: ast.expr, call: ast.Call, arguments: tuple[Argument, ...], in_bulk: bool) -> _Work:
        """The function behind `partial(f, a)`, and behind what only runs its first argument in a thread."""
        followed = self.followed(target, _DEPTH)
        if self.is_partial(followed):
            assert isinstance(followed, ast.Call)
            if followed.args and not isinstance(followed.args[0], ast.Starred):
                given, inner_bulk = _arguments(followed, 1)
                shift = sum(one.keyword is None for one in given)
                behind = tuple(
                    replace(one, position=None if one.position is None else one.position + shift) for one in arguments
                )
                holder = call if not given else followed if not arguments else None
                return _Work(followed.args[0], holder, given + behind, in_bulk or inner_bulk)
            return _Work(None, followed, (), in_bulk=True)
        how = self.thread_runner(target)
        first = next((one for one in arguments if how is not None and one.position == how.target), None)
        if how is not None and first is not None:
            behind = tuple(
                replace(one, position=None if one.position is None else one.position - how.first)
                for one in arguments
                if one.position is None or one.position >= how.first
            )
            return replace(self.with_partial(first.value, call, behind, in_bulk), in_thread=True)
        return _Work(target, call, arguments, in_bulk)

    def thread_runner(self, target: ast.expr) -> Runner | None:
        """`run_in_threadpool` as what is run: `start_soon(run_in_threadpool, f, x)`."""
        means = self.scope.meaning(target)
        if not isinstance(means, External):
            return None
        found = runner(expression(target), means, self.scope.place, self.scope.project)
        if found is None or not found.proved or found.form is not Form.CALLABLE:
            return None
        return found if found.kind is Kind.THREAD and found.awaitable else None

    def packed(self, call: ast.Call, how: Runner) -> Iterator[_Work]:
        """`Thread(target=f, args=(a,), kwargs={"k": b})`"""
        target = _given(call, how)
        if target is None:
            return
        if isinstance(target, ast.Starred):
            yield _Work(None, call, (Argument(target.value, 0),), in_bulk=True)
            return
        arguments, in_bulk = self.unpacked(call, how.first)
        if isinstance(target, ast.Constant):
            yield _Work(None, call, arguments, in_bulk)
        else:
            yield self.with_partial(target, call, arguments, in_bulk)

    def unpacked(self, call: ast.Call, first: int) -> tuple[tuple[Argument, ...], bool]:
        """The arguments in the literal tuple and dict of a call; True when they are not all in view."""
        stars = any(isinstance(one, ast.Starred) for one in call.args) or any(one.arg is None for one in call.keywords)
        row = _part(call, first, "args")
        table = _part(call, first + 1, "kwargs", "kwds")
        found: list[Argument] = []
        match self.followed(row, _DEPTH) if row is not None else None:
            case None | ast.Constant(value=None):
                pass
            case ast.Tuple(elts=elements) | ast.List(elts=elements):
                for index, element in enumerate(elements):
                    starred = isinstance(element, ast.Starred)
                    stars = stars or starred
                    value = element.value if isinstance(element, ast.Starred) else element
                    found.append(Argument(value, index, None if stars else index))
            case ast.expr() as other:
                found.append(Argument(other, 0))
                stars = True
        match self.followed(table, _DEPTH) if table is not None else None:
            case None | ast.Constant(value=None):
                pass
            case ast.Dict(keys=keys, values=values):
                for index, (key, value) in enumerate(zip(keys, values, strict=True)):
                    name = key.value if isinstance(key, ast.Constant) and isinstance(key.value, str) else None
                    stars = stars or name is None
                    found.append(Argument(value, index, keyword=name))
            case ast.Call(func=ast.Name(id="dict"), args=[], keywords=keywords):
                for index, keyword in enumerate(keywords):
                    stars = stars or keyword.arg is None
                    found.append(Argument(keyword.value, index, keyword=keyword.arg))
            case ast.expr() as other:
                found.append(Argument(other, 0))
                stars = True
        return tuple(found), stars

    def of_task(self, call: ast.Call, how: Runner) -> _Work:
        """`f.delay(a)`, `f.apply_async(args=[a])`, `f.s(a).apply_async()`"""
        assert isinstance(call.func, ast.Attribute)
        target: ast.expr = call.func.value
        if isinstance(target, ast.Call) and isinstance(target.func, ast.Attribute) and target.func.attr in SIGNATURES:
            return replace(self.called(target), target=target.func.value)
        if how.form is Form.METHOD:
            arguments, in_bulk = _arguments(call)
            return _Work(target, call, arguments, in_bulk)
        if call.args and self.is_callable(call.args[0], certainly=True):
            # `pool.apply_async(f, (a,))`, on something of which it is not known to be a pool
            arguments, in_bulk = self.unpacked(call, 1)
            return _Work(call.args[0], call, arguments, in_bulk)
        arguments, in_bulk = self.unpacked(call, how.first)
        return _Work(target, call, arguments, in_bulk)

    # --- gather ------------------------------------------------------------------------------------------------

    def gathered(self, call: ast.Call, how: Runner, claimed: set[ast.Call]) -> Iterator[_Work]:
        if how.form is Form.GATHERED_LIST:
            elements = list(self.elements(call.args[0], call, _DEPTH)) if call.args else []
        else:
            elements = list(self.spread(call.args, call, many=False, depth=_DEPTH))
        for element, many in elements:
            for work in self.awaitable(element, claimed, call, _DEPTH):
                yield replace(work, many=work.many or many)

    def spread(
        self, nodes: Sequence[ast.expr], call: ast.Call, many: bool, depth: int
    ) -> Iterator[tuple[ast.expr | None, bool]]:
        for node in nodes:
            if isinstance(node, ast.Starred):
                yield from self.elements(node.value, call, depth)
            else:
                yield node, many

    def elements(self, node: ast.expr, call: ast.Call, depth: int) -> Iterator[tuple[ast.expr | None, bool]]:
        """The elements of what is gathered in bulk, each with whether it stands for many; None for the unknown."""
        match node:
            case ast.List(elts=elements) | ast.Tuple(elts=elements) | ast.Set(elts=elements):
                yield from self.spread(elements, call, False, depth)
            case ast.ListComp(elt=element) | ast.SetComp(elt=element) | ast.GeneratorExp(elt=element):
                yield element, True
            case ast.DictComp(value=value):
                yield value, True
            case ast.Dict(values=values):
                yield from ((value, False) for value in values)
            case ast.BinOp(left=left, op=ast.Add(), right=right) if depth:
                yield from self.elements(left, call, depth - 1)
                yield from self.elements(right, call, depth - 1)
            case ast.IfExp(body=body, orelse=orelse) if depth:
                yield from self.elements(body, call, depth - 1)
                yield from self.elements(orelse, call, depth - 1)
            case ast.Call(func=ast.Attribute(value=value, attr="values"), args=[]) if depth:
                yield from self.elements(value, call, depth - 1)
            case ast.Call(func=ast.Name(id="list" | "tuple" | "set"), args=[inner]) if depth:
                yield from self.elements(inner, call, depth - 1)
            case ast.Call(func=ast.Name(id="map"), args=[_, *_]):
                yield node, True
            case ast.Name(id=name) if depth:
                found = list(self.filled(name, call, depth - 1))
                yield from found if found or name in self.following else [(None, True)]
            case _:
                yield None, True

    def filled(self, name: str, call: ast.Call, depth: int) -> Iterator[tuple[ast.expr | None, bool]]:
        """What a container of this function gets: when it is bound, and later by `append` and its like."""
        if name in self.scope.parameters:
            yield None, True
            return
        if name in self.following:
            return
        self.following.add(name)
        for use in self.scope.uses(name):
            match use.role:
                case Role.BOUND:
                    value = _bound_value(self.scope.parents.of(use.node), use.node)
                    if value is not None:
                        yield from self.elements(value, call, depth)
                    elif isinstance(use.node, ast.Name):
                        yield from self.stored(use.node, call, depth)
                case Role.METHOD if use.attribute in _FILLING and use.call is not None and use.call.args:
                    given = use.call.args[-1]
                    if use.attribute == "extend":
                        yield from self.elements(given, call, depth)
                    else:
                        yield given, self.is_repeated(use.call, call)
                case _:
                    parent = self.scope.parents.of(use.node)
                    if isinstance(parent, ast.Subscript) and isinstance(parent.ctx, ast.Store):
                        value = _bound_value(self.scope.parents.of(parent), parent)
                        yield value, self.is_repeated(parent, call)
        self.following.discard(name)

    def stored(self, node: ast.Name, call: ast.Call, depth: int) -> Iterator[tuple[ast.expr | None, bool]]:
        """`jobs += [f(x)]`; what else binds the name leaves open what is in it."""
        parent = self.scope.parents.of(node)
        if isinstance(parent, ast.AugAssign):
            repeated = self.is_repeated(parent, call)
            for element, many in self.elements(parent.value, call, depth):
                yield element, many or repeated
        else:
            yield None, True

    def is_repeated(self, node: ast.AST, call: ast.Call) -> bool:
        """Whether a loop around the node fills the container before the call comes."""
        around_call = set(self.scope.parents.chain(call))
        return any(loop not in around_call for loop in repeated_by(self.scope, node))

    def awaitable(self, node: ast.expr | None, claimed: set[ast.Call], gather: ast.Call, depth: int) -> Iterator[_Work]:
        """What one awaitable of a `gather` runs. A task that was started before is a site of its own."""
        if node is None or not depth:
            yield _Work(None)
            return
        match node:
            case ast.Name(id=name) if name not in self.scope.parameters and self.bindings(name):
                for value in self.bindings(name):
                    yield from self.awaitable(value, claimed, gather, depth - 1)
            case ast.NamedExpr(value=value):
                yield from self.awaitable(value, claimed, gather, depth - 1)
            case ast.IfExp(body=body, orelse=orelse):
                yield from self.awaitable(body, claimed, gather, depth - 1)
                yield from self.awaitable(orelse, claimed, gather, depth - 1)
            case ast.Call() as call if call in self.runners:
                how = self.runners[call]
                if how.kind is Kind.THREAD and how.awaitable and call not in claimed:
                    claimed.add(call)
                    yield from (replace(work, in_thread=True) for work in self.callable(call, how))
            case ast.Call() as call if self.is_through(call) and call.args:
                yield from self.awaitable(call.args[0], claimed, gather, depth - 1)
            case ast.Call(func=ast.Name(id="map"), args=[function, *rest]) as call:
                given = tuple(Argument(value, index + 1) for index, value in enumerate(rest))
                yield replace(self.with_partial(function, call, given, True), in_bulk=True, many=True)
            case ast.Call() as call:
                yield self.called(call)
            case _:
                yield _Work(None)

    def bindings(self, name: str) -> list[ast.expr | None]:
        """What this function binds the name to; None for what is no plain assignment."""
        return [
            _bound_value(self.scope.parents.of(use.node), use.node)
            for use in self.scope.uses(name)
            if use.role is Role.BOUND
        ]

    # --- the sites ---------------------------------------------------------------------------------------------

    def sites(self, call: ast.Call, how: Runner, work: _Work) -> Iterator[Scheduling]:
        kind, many, waits = how.kind, work.many, tuple[ast.AST, ...]()
        in_thread = work.in_thread or kind is Kind.THREAD
        if kind in (Kind.TASK, Kind.THREAD):
            if how.awaitable and self.is_awaited_at_once(call, kind):
                kind = Kind.AWAITED
            else:
                places = waiting(self.scope, call)
                many = many or several(self.scope, call, places)
                waits = tuple(place.node for place in places)
        elif kind is not Kind.GATHER:
            many = any(True for _ in repeated_by(self.scope, call))
        if last_name(expression(call.func)) == "map" and kind is Kind.THREAD:
            many = True
        proved = how.proved and not self.is_in_lambda(call)
        name = dotted(expression(call.func)) or ast.unparse(call.func)
        site = Scheduling(
            kind,
            call,
            name,
            work.target,
            work.holder,
            work.arguments,
            work.in_bulk,
            result_used=bool(waits),
            proved=proved,
            many=many,
            in_thread=in_thread,
            waits=waits,
        )
        yield site
        for inner in self.handed_along(work):
            yield replace(
                site,
                target=inner.target,
                holder=inner.holder,
                arguments=inner.arguments,
                in_bulk=inner.in_bulk,
                proved=False,
            )

    def handed_along(self, work: _Work) -> Iterator[_Work]:
        """The coroutines and partials among the arguments, which what is run will run in turn: `log_errors(f(x))`."""
        for argument in work.arguments:
            value = self.followed(argument.value, _DEPTH)
            if isinstance(value, ast.Call) and self.is_partial(value):
                yield self.with_partial(value, value, (), in_bulk=False)
            elif isinstance(value, ast.Call) and value not in self.runners and self.is_coroutine(value):
                inner = self.called(value)
                yield inner
                yield from self.handed_along(inner)

    def is_awaited_at_once(self, call: ast.Call, kind: Kind) -> bool:
        """`await to_thread(f)`. A thread goes on behind a `wait_for` whose time is over; a task does not."""
        parent = self.scope.parents.of(call)
        if kind is Kind.TASK and isinstance(parent, ast.Call) and parent.args[:1] == [call]:
            means = self.scope.callee(parent)
            if isinstance(means, External) and means.dotted.endswith(".wait_for") and self.is_through(parent):
                parent = self.scope.parents.of(parent)
        return isinstance(parent, ast.Await)

    def is_in_lambda(self, call: ast.Call) -> bool:
        for around in self.scope.parents.chain(call):
            if isinstance(around, ast.Lambda):
                return True
            if isinstance(around, ast.stmt):
                return False
        return False


def _given(call: ast.Call, how: Runner) -> ast.expr | None:
    """What a call is given to run; the starred argument that it may be in; None when there is none."""
    for position, argument in enumerate(call.args):
        if isinstance(argument, ast.Starred) or position == how.target:
            return argument
    return next((keyword.value for keyword in call.keywords if keyword.arg == how.target_keyword), None)


def _part(call: ast.Call, position: int, *names: str) -> ast.expr | None:
    """The argument at a position or by one of the names."""
    if position < len(call.args) and not any(isinstance(one, ast.Starred) for one in call.args[: position + 1]):
        return call.args[position]
    return next((keyword.value for keyword in call.keywords if keyword.arg in names), None)


def _arguments(
    call: ast.Call, first: int = 0, own: frozenset[str] | set[str] = frozenset()
) -> tuple[tuple[Argument, ...], bool]:
    """The arguments of a call from the position `first` on, in source order, but not its `own` keywords.

    True when some are given in bulk.
    """
    written: list[ast.expr | ast.keyword] = [*call.args, *call.keywords]
    written.sort(key=lambda one: (one.lineno, one.col_offset))
    found: list[Argument] = []
    in_bulk = False
    position = -first
    starred = False
    for index, one in enumerate(written):
        match one:
            case ast.Starred(value=value):
                starred = in_bulk = True
                found.append(Argument(value, index))
            case ast.keyword(arg=None, value=value):
                in_bulk = True
                found.append(Argument(value, index))
            case ast.keyword(arg=name, value=value):
                if name not in own:
                    found.append(Argument(value, index, keyword=name))
            case ast.expr() as value:
                if position >= 0:
                    found.append(Argument(value, index, None if starred else position))
                position += 1
    return tuple(found), in_bulk


def _bound_value(statement: ast.AST | None, target: ast.expr) -> ast.expr | None:
    """The value of the plain assignment that the node is the target of."""
    match statement:
        case ast.Assign(targets=targets, value=value) if target in targets:
            return value
        case ast.AnnAssign(target=found, value=value) if found is target:
            return value
        case ast.NamedExpr(target=found, value=value) if found is target:
            return value
        case _:
            return None
