"""Engines that are made anew on each call of a function, each with a pool of its own (practices, pool settings).

An engine is meant to be made once, and its pool to outlive the calls that use it. What becomes of one that a function
makes is followed through its names, through what is made with it, and into the callers that it is returned to.
Whatever may keep it, and whatever may run only once, is believed: only what is certainly made anew is told of. Reads.
"""

from __future__ import annotations

import ast
import enum
from dataclasses import dataclass, replace

from codemods.flow.only_factory import is_test_path
from codemods.flow.quiet import is_quiet
from codemods.flow.scope import Scope, inside, scopes
from codemods.flow.tasks.index import Tasks
from codemods.flow.waited_for import repeated_by
from codemods.plan import Fact
from codemods.project.expressions import chained, dotted, expression, last_name
from codemods.project.facts import Attribute, Call, Expression, FunctionFacts
from codemods.project.keeping import Fate, constructed, handed, parameter_name
from codemods.project.link import Place, Project
from codemods.project.name_uses import Role
from codemods.project.named_in_tests import is_test
from codemods.project.openers import Customs
from codemods.project.scheduler_names import QUEUES, Kind
from codemods.project.sessions import (
    CONTEXT_MANAGERS,
    TRANSPARENT_DECORATORS,
    ClassMeaning,
    External,
    FunctionMeaning,
    InstanceMeaning,
    MakerMeaning,
    UnknownMeaning,
)

MAKE_ONCE = "make the engine once, at module level or in the lifespan, and use that one here"
OR_DISPOSE = "make the engine once, at module level or in the lifespan; or dispose of it where this work ends"

_DEEP = 4  # callers of callers that are followed
_ROUTES = frozenset({"get", "post", "put", "patch", "delete", "options", "head", "trace", "api_route", "route"})
_ROUTES |= {"websocket", "websocket_route", "middleware", "exception_handler"}
_WEB = ("fastapi.", "starlette.", "flask.", "quart.", "litestar.", "sanic.", "aiohttp.web.")
_ROUTERS = frozenset({"fastapi.FastAPI", "fastapi.applications.FastAPI", "fastapi.APIRouter"})
_ROUTERS |= {"fastapi.routing.APIRouter", "fastapi.routers.APIRouter"}
_AGAIN = ("tenacity.", "backoff.")  # decorators that call the function, perhaps several times, and keep nothing
_SQLALCHEMY = ("sqlalchemy.", "sqlmodel.")
_STARTING = frozenset({"asyncio.run", "anyio.run", "uvloop.run"})
_THROUGH = _STARTING | {"asyncio.wait_for", "asyncio.shield", "typing.cast", "builtins.next"}
_THROUGH |= {"builtins.anext", "builtins.list", "builtins.tuple", "contextlib.closing", "contextlib.aclosing"}
# methods of tables, of metadata and of data frames that use the engine which they are given while they run
_USING = frozenset({"create_all", "drop_all", "reflect", "to_sql", "read_sql", "read_sql_query", "read_sql_table"})
_LEADING_ON = frozenset({"connect", "begin", "raw_connection", "execution_options", "sync_engine", "engine", "bind"})
_ENDING = frozenset({"close", "aclose", "disconnect", "shutdown", "stop", "cleanup", "teardown"})
_HARMLESS_BASES = frozenset({"builtins.object", "abc.ABC", "typing.Protocol", "typing.Generic"})
_CONNECTING = frozenset({"connect", "begin", "raw_connection"})
_MIGRATING = frozenset({"alembic.context.configure", "alembic.context.run_migrations"})
_ONCE = frozenset({"main", "_main", "amain", "async_main"})  # started by an entry point that is not in view


@dataclass(frozen=True, slots=True)
class PerCall:
    """Why an engine is one per call, and what to do. `facts` are the callers that show it, the nearest first."""

    reason: str
    advice: str
    facts: tuple[Fact, ...] = ()
    undecided: bool = False  # nothing in view calls the function: it may be started once, as a script is


def per_call(call: ast.Call, scope: Scope, customs: Customs, tasks: Tasks) -> PerCall | None:
    """Why the engine that `call` makes is made anew on each call of the function `scope`.

    None when it is made once, kept, or disposed of by a piece of work that is no request; and when that cannot be told.
    """
    path, root = scope.place.path, scope.parents.root
    if not scope.is_function or is_test_path(path) or (isinstance(root, ast.Module) and is_test(path, root)):
        return None
    found = _Lifetimes(customs, tasks).of(call, scope, _Held.ENGINE, (), disposed=False)
    return None if found is None else _told(found, scope)


def one_piece_of_work(call: ast.Call, scope: Scope, tasks: Tasks) -> str:
    """What ends the engine with the function that makes it, where nothing keeps it: that it is disposed of there, or
    that it is one of Alembic's environment, whose process ends with the migration; "" when neither is seen.
    """
    if not scope.is_function:
        return ""
    try:
        following = _Following(scope)
        following.value(call, _Held.ENGINE)
    except _MayBeKept:
        return ""
    if following.given is not None:
        return ""
    if following.disposed:
        users = [tasks.summaries.scope(replace(one, bound=False)) for one in following.users]
        if any(_never_ends(one) for one in (scope, *users) if one is not None):
            return ""  # a service: its pool is as old as the process
        return "an engine for one piece of work, disposed of at its end"
    return "an engine for one piece of work: a migration by Alembic" if _is_environment(scope) else ""


def _never_ends(scope: Scope) -> bool:
    """Whether the function holds a `while True:` that nothing in it leaves."""
    return any(
        isinstance(loop, ast.While)
        and isinstance(loop.test, ast.Constant)
        and bool(loop.test.value)
        and not any(isinstance(one, (ast.Break, ast.Return)) for one in inside(loop))
        for loop in scope.statements()
    )


def _is_environment(scope: Scope) -> bool:
    """Whether the file is the `env.py` of Alembic, which configures the context that runs the migrations."""
    root = scope.parents.root
    return isinstance(root, ast.Module) and any(
        isinstance(node, ast.Call) and isinstance(means := one.callee(node), External) and means.dotted in _MIGRATING
        for one in scopes(root, scope.place.path, scope.project)
        for node in one.watched()
    )


class _Often(enum.IntEnum):
    """How sure it is that a function runs more than once."""

    NO = 0
    UNSEEN = 1  # nothing says that it runs once, but who starts it is not in view
    YES = 2


@dataclass(frozen=True, slots=True)
class _Found:
    """`callers`: from the function that makes the engine to the one in which it is let go."""

    callers: tuple[Fact, ...]
    route: Fact | None  # what shows that it is made while a request is served
    disposed: bool
    often: _Often


def _told(found: _Found, scope: Scope) -> PerCall:
    name = scope.place.qualname.rpartition(".")[2]
    facts = found.callers if found.route is None else (*found.callers, found.route)
    facts = tuple(dict.fromkeys(facts))
    undecided = found.often is not _Often.YES
    if found.route is not None:
        route = found.route
        is_own = not found.callers and (route.path, route.text) == (scope.place.path, scope.place.qualname)
        where = "" if is_own else f" (`{route.text}`, {route.path}:{route.line})"
        end = "thrown away each time" if found.disposed else "never disposed of"
        return PerCall(f"an engine per request{where}: a pool is built and {end}", MAKE_ONCE, facts)
    if found.callers:
        caller = found.callers[0]
        return PerCall(
            f"`{name}` makes a new engine on each call, and `{caller.text}` calls it each time it runs"
            f" ({caller.path}:{caller.line})",
            OR_DISPOSE,
            facts,
            undecided,
        )
    reason = f"`{name}` makes a new engine, with a pool of its own, each time it runs, and never disposes of it"
    return PerCall(reason + ("; who starts it is not in view" if undecided else ""), OR_DISPOSE, facts, undecided)


@dataclass(frozen=True, slots=True, eq=False)
class _Use:
    """One use of a function. `node` is the expression that gives its result; None where it is not called at once."""

    path: str
    line: int
    scope: Scope | None = None  # the function that it stands in; None at module level
    node: ast.expr | None = None
    is_scheduled: bool = False
    is_queued: bool = False


class _Lifetimes:
    """Follows engines through the functions of a project."""

    def __init__(self, customs: Customs, tasks: Tasks) -> None:
        self.customs = customs
        self.tasks = tasks
        self.project: Project = tasks.project

    def of(
        self, node: ast.expr, scope: Scope, held: _Held, seen: tuple[FunctionMeaning, ...], *, disposed: bool
    ) -> _Found | None:
        """Where the engine that the value of `node` is, or holds, turns out to be made anew; None when nowhere."""
        function = _function(scope)
        definition = self._definition(function)
        if definition is None or scope.is_fixture or function in seen or len(seen) >= _DEEP:
            return None
        if not self._is_run_each_time(definition, function):
            return None
        keeper = _keeper(scope)
        try:
            following = _Following(scope, keeper)
            following.value(node, held)
        except _MayBeKept:
            return None
        if keeper and following.given is not None:
            return self._of_object(function, ClassMeaning(function.module, definition.in_class), seen)
        disposed = disposed or following.disposed
        if following.given is not None:
            route = self._endpoint(function)
            if route is not None:
                return _Found((), route, disposed, _Often.YES)
            for use in self._uses(function):
                if use.scope is not None and use.node is not None:
                    found = self.of(use.node, use.scope, following.given, (*seen, function), disposed=disposed)
                    if found is not None:
                        caller = Fact(use.path, use.line, use.scope.place.qualname)
                        return replace(found, callers=(caller, *found.callers))
            return None
        route = self._request(function, ())
        if route is not None:
            return _Found((), route, disposed, _Often.YES)
        often = self._runs_often(function, ())
        return None if disposed or often is _Often.NO else _Found((), None, disposed, often)

    def _of_object(
        self, function: FunctionMeaning, class_: ClassMeaning, seen: tuple[FunctionMeaning, ...]
    ) -> _Found | None:
        """Where objects that keep the engine which they make are made while a request is served, and thrown away."""
        route = self._endpoint(function)
        if route is not None:
            return _Found((), route, True, _Often.YES)
        for path in self.project.symbols.paths():
            for one in () if is_test_path(path) else self.project.symbols.all_functions(path):
                scope = self.tasks.summaries.scope(FunctionMeaning(path, one.qualname))
                for call in scope.watched() if scope is not None else ():
                    if isinstance(call, ast.Call) and scope is not None and scope.callee(call) == class_:
                        # what else disposes of the engine is not looked for, so only a request is told of
                        found = self.of(call, scope, _Held.BY_OBJECT, (*seen, function), disposed=True)
                        if found is not None:
                            caller = Fact(path, call.lineno, one.qualname)
                            return replace(found, callers=(caller, *found.callers))
        return None

    def _definition(self, function: FunctionMeaning) -> FunctionFacts | None:
        definitions = self.project.symbols.functions(function.module, function.qualname)
        return definitions[0] if len(definitions) == 1 else None

    # --- decorators, routes and dependencies -------------------------------------------------------------------------

    def _is_run_each_time(self, definition: FunctionFacts, function: FunctionMeaning) -> bool:
        """Whether the body certainly runs each time the function is called: no decorator keeps what it gives."""
        outside = Place(function.module, definition.parent)
        return all(self._is_let_through(one, outside, definition) for one in definition.decorators)

    def _is_let_through(self, decorator: Expression, outside: Place, definition: FunctionFacts) -> bool:
        callee = decorator.function if isinstance(decorator, Call) else decorator
        means = self.project.meaning(callee, outside)
        if isinstance(means, External):
            name = means.dotted.removeprefix("builtins.")
            if name in TRANSPARENT_DECORATORS | CONTEXT_MANAGERS or name.startswith(_AGAIN) or _is_queue(name):
                return True
        return self._is_route(callee, outside, definition)

    def _is_route(self, callee: Expression, outside: Place, definition: FunctionFacts) -> bool:
        means = self.project.meaning(callee, outside)
        if last_name(callee) not in _ROUTES:
            return False
        if isinstance(means, External):
            return means.dotted.startswith(_WEB) or self._is_injected(definition, outside)
        owner = self.project.meaning(callee.value, outside) if isinstance(callee, Attribute) else means
        if isinstance(owner, InstanceMeaning) and isinstance(owner.of, ClassMeaning):
            return any(isinstance(one, External) and one.dotted in _ROUTERS for one in self.project.bases(owner.of))
        return isinstance(owner, UnknownMeaning) and self._is_injected(definition, outside)

    def _is_injected(self, definition: FunctionFacts, outside: Place) -> bool:
        return any(self.customs.dependencies.is_injected(one, outside) for one in definition.parameters)

    def _endpoint(self, function: FunctionMeaning) -> Fact | None:
        """What shows that FastAPI, or its like, calls the function for each request: a route, or a dependency."""
        definition = self._definition(function)
        if definition is None:
            return None
        outside = Place(function.module, definition.parent)
        here = Fact(function.module, definition.line, function.qualname)
        for decorator in definition.decorators:
            callee = decorator.function if isinstance(decorator, Call) else decorator
            if self._is_route(callee, outside, definition):
                return here
        if self._is_injected(definition, outside):
            return here
        if any(not is_test_path(fact.path) for fact in self.customs.dependencies.of(function)):
            return here
        for path in self.project.symbols.paths():
            for route in self.project.symbols.facts[path].routes:
                if self.project.meaning(route.endpoint, Place(path, route.scope)) == function:
                    return here
        return None

    def _request(self, function: FunctionMeaning, seen: tuple[FunctionMeaning, ...]) -> Fact | None:
        """The endpoint or dependency by which the function runs while a request is served; None when by none."""
        if function in seen or len(seen) >= _DEEP:
            return None
        found = self._endpoint(function)
        if found is not None:
            return found
        for use in self._uses(function):
            if use.scope is not None and use.node is not None:
                caller = _function(use.scope)
                definition = self._definition(caller)
                if definition is not None and self._is_run_each_time(definition, caller):
                    found = self._request(caller, (*seen, function))
                    if found is not None:
                        return found
        return None

    # --- callers -----------------------------------------------------------------------------------------------------

    def _runs_often(self, function: FunctionMeaning, seen: tuple[FunctionMeaning, ...]) -> _Often:
        """NO when anything says that the function runs only once, as what is called at module level does."""
        definition = self._definition(function)
        if definition is None or function in seen or len(seen) >= _DEEP:
            return _Often.NO
        if definition.name in _ONCE or (definition.name.startswith("__") and definition.name.endswith("__")):
            return _Often.NO
        if not self._is_run_each_time(definition, function):
            return _Often.NO
        if any(self._is_queued(one, Place(function.module, definition.parent)) for one in definition.decorators):
            return _Often.YES
        uses = self._uses(function)
        if not uses:
            unseen = definition.in_class and self._may_be_called_unseen(definition, function)
            return _Often.NO if unseen else _Often.UNSEEN
        return max(self._repeats(use, (*seen, function)) for use in uses)

    def _may_be_called_unseen(self, definition: FunctionFacts, function: FunctionMeaning) -> bool:
        """Whether a method goes by the name of something that is read off unknown objects, or a library may run it."""
        class_ = ClassMeaning(function.module, definition.in_class)
        outside = [one for one in self.project.bases(class_) if isinstance(one, External)]
        return bool(self.tasks.uses(function).others) or any(one.dotted not in _HARMLESS_BASES for one in outside)

    def _repeats(self, use: _Use, seen: tuple[FunctionMeaning, ...]) -> _Often:
        if use.is_queued:
            return _Often.YES
        if use.scope is None or (use.node is None and not use.is_scheduled):
            return _Often.NO
        if use.node is not None and any(True for _ in repeated_by(use.scope, use.node)):
            return _Often.YES
        caller = _function(use.scope)
        if self._endpoint(caller) is not None:
            return _Often.YES
        if use.node is not None and self._starts_a_loop(use.node, use.scope) and not self._uses(caller):
            definition = self._definition(caller)  # an entry point, as it seems, unless a queue runs it
            outside = Place(caller.module, caller.qualname.rpartition(".")[0])
            is_queued = definition is not None and any(self._is_queued(one, outside) for one in definition.decorators)
            return _Often.YES if is_queued else _Often.NO
        return self._runs_often(caller, seen)

    def _starts_a_loop(self, node: ast.expr, scope: Scope) -> bool:
        """`asyncio.run(node)`"""
        above = scope.parents.of(node)
        means = scope.callee(above) if isinstance(above, ast.Call) and above.func is not node else None
        return isinstance(means, External) and means.dotted in _STARTING

    def _is_queued(self, decorator: Expression, outside: Place) -> bool:
        callee = decorator.function if isinstance(decorator, Call) else decorator
        means = self.project.meaning(callee, outside)
        return isinstance(means, External) and _is_queue(means.dotted)

    def _uses(self, function: FunctionMeaning) -> list[_Use]:
        """The uses of a function that are certainly of this one, tests and imports apart."""
        found = self.tasks.uses(function)
        uses = [
            _Use(one.path, one.line, one.scope, is_scheduled=True, is_queued=one.scheduling.kind is Kind.QUEUE)
            for one in found.sites
            if not is_test_path(one.path)
        ]
        for fact in found.others:
            if not is_test_path(fact.path):
                scope = self._around(fact)
                place = Place(fact.path) if scope is None else scope.place
                chain = chained(fact.text)
                is_property = self._is_property(chain, place, function)
                if is_property or self.project.meaning(chain, place) in (function, replace(function, bound=True)):
                    node = None if scope is None else _result(fact, scope, is_property=is_property)
                    uses.append(_Use(fact.path, fact.line, scope, node))
        return uses

    def _around(self, fact: Fact) -> Scope | None:
        """The innermost function in whose body a place stands."""
        found: Scope | None = None
        for one in self.project.symbols.all_functions(fact.path):
            scope = self.tasks.summaries.scope(FunctionMeaning(fact.path, one.qualname))
            if scope is None or not isinstance(scope.node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                continue
            if scope.node.body[0].lineno <= fact.line <= (scope.node.end_lineno or 0):
                if found is None or len(scope.place.qualname) > len(found.place.qualname):
                    found = scope
        return found

    def _is_property(self, chain: Expression, place: Place, function: FunctionMeaning) -> bool:
        """Whether `self.engine` runs the function: a property of the class that the object is of."""
        owner, _, name = function.qualname.rpartition(".")
        definition = self._definition(function)
        if definition is None or not isinstance(chain, Attribute) or chain.name != name:
            return False
        if all(last_name(one) != "property" for one in definition.decorators):
            return False
        means = self.project.meaning(chain.value, place)
        if not isinstance(means, InstanceMeaning) or not isinstance(means.of, ClassMeaning):
            return False
        return ClassMeaning(function.module, owner) in self.project.bases(means.of)


def _function(scope: Scope) -> FunctionMeaning:
    return FunctionMeaning(scope.place.path, scope.place.qualname)


def _is_queue(name: str) -> bool:
    """A decorator of a task queue that makes a task: what is hooked to its start and its end runs once."""
    return name.startswith(tuple(f"{queue}." for queue in QUEUES)) and ".signals." not in name


def _result(fact: Fact, scope: Scope, *, is_property: bool) -> ast.expr | None:
    """The expression that gives what the function gives, where the fact says that it is named."""
    for node in ast.walk(scope.node):
        if isinstance(node, (ast.Name, ast.Attribute)) and node.lineno == fact.line:
            if dotted(expression(node)) == fact.text:
                if is_property:
                    return node
                above = scope.parents.of(node)
                if isinstance(above, ast.Call) and above.func is node:
                    return above
    return None


# --- inside of one function ------------------------------------------------------------------------------------------


class _Held(enum.Enum):
    """What a value has to do with the engine."""

    ENGINE = "it is the engine"
    CONNECTION = "a connection that its block closes"
    BY_SQLALCHEMY = "a maker, a session or a connection"
    BY_OBJECT = "an object of the project, or a container"


class _MayBeKept(Exception):
    """Something may keep the engine, or not all that becomes of it can be told."""


def _keeper(scope: Scope) -> str:
    """`self` of an `__init__` that runs for each object of its class, and hands the object to nobody; else ""."""
    node, owner = scope.node, scope.parents.of(scope.node)
    if not isinstance(node, ast.FunctionDef) or node.name != "__init__" or not isinstance(owner, ast.ClassDef):
        return ""
    is_plain = not owner.keywords and not owner.decorator_list and not owner.bases and not node.decorator_list
    if not is_plain or any(isinstance(one, ast.FunctionDef) and one.name == "__new__" for one in owner.body):
        return ""
    name = next((one.arg for one in [*node.args.posonlyargs, *node.args.args]), "")
    for use in scope.uses(name) if name else ():
        above = scope.parents.of(use.node)
        if not isinstance(above, ast.Attribute):
            return ""
        further = scope.parents.of(above)
        if isinstance(further, ast.Call) and further.func is above:
            return ""  # a method may hand the object on
        if isinstance(above.ctx, ast.Store) and scope.statement(above) not in node.body:
            return ""  # under a condition an object may take over the engine of another one
    return name


class _Following:
    """Follows a value through the names of one function. Raises _MayBeKept."""

    def __init__(self, scope: Scope, keeper: str = "") -> None:
        """`keeper` is the name of the object that the function makes: what it keeps is given with it."""
        self.scope = scope
        self.keeper = keeper
        self.given: _Held | None = None  # it is returned or yielded, inside of what
        self.disposed = False
        self.users: list[FunctionMeaning] = []  # functions of the project that it is handed to
        self._seen: set[tuple[str, _Held]] = set()
        self._outer = {
            name for node in ast.walk(scope.node) if isinstance(node, (ast.Global, ast.Nonlocal)) for name in node.names
        }

    def value(self, node: ast.expr, held: _Held) -> None:
        """Notes what becomes of the value of an expression."""
        current: ast.AST = node
        for parent in self.scope.parents.chain(node):
            match parent:
                case ast.Await() | ast.Starred() | ast.keyword() | ast.GeneratorExp():
                    pass
                case ast.List() | ast.Tuple() | ast.Set() | ast.Dict() | ast.ListComp() | ast.SetComp():
                    held = _Held.BY_OBJECT
                case ast.DictComp():
                    held = _Held.BY_OBJECT
                case ast.IfExp(test=test):
                    if test is current:
                        return
                case ast.NamedExpr(target=target):
                    self._name(target, held)
                case ast.Subscript(value=value):
                    if value is not current:
                        return
                case ast.Attribute(attr=attr):
                    if attr == "dispose" or (held is _Held.BY_OBJECT and attr in _ENDING):
                        self.disposed = True
                        return
                    if held is not _Held.BY_OBJECT and attr not in _LEADING_ON:
                        return
                    if attr in _CONNECTING or (held is _Held.CONNECTION and attr != "execution_options"):
                        held = max(held, _Held.BY_SQLALCHEMY, key=list(_Held).index)
                case ast.Call(func=function) if function is current:
                    pass  # a session of a maker; the result of a method that leads on
                case ast.Call():
                    try:
                        further = self._argument(parent, current, held)
                    except _MayBeKept:
                        if held is not _Held.CONNECTION:
                            raise
                        return  # whatever keeps it has what its block closes, and no engine
                    if further is None:
                        return
                    held = further
                case ast.Return() | ast.Yield() | ast.YieldFrom():
                    self.given = held if self.given is None else max(self.given, held, key=list(_Held).index)
                    return
                case ast.Assign(targets=targets):
                    for target in targets:
                        self._target(target, held)
                    return
                case ast.AnnAssign(target=target) | ast.AugAssign(target=target):
                    self._target(target, held)
                    return
                case ast.For(target=target, iter=iterated) | ast.AsyncFor(target=target, iter=iterated):
                    if iterated is current:
                        self._target(target, held)
                    return
                case ast.withitem(optional_vars=target):
                    # the object may dispose of it when its block ends
                    self.disposed = self.disposed or held is _Held.BY_OBJECT
                    if held is _Held.BY_SQLALCHEMY and _is_connecting(current):
                        held = _Held.CONNECTION
                    if target is not None:
                        self._target(target, held)
                    return
                case ast.Expr() | ast.Compare() | ast.UnaryOp() | ast.If() | ast.While() | ast.Assert():
                    return
                case ast.FormattedValue() | ast.JoinedStr():
                    return
                case ast.FunctionDef(decorator_list=decorators) | ast.AsyncFunctionDef(decorator_list=decorators):
                    if current not in decorators:
                        raise _MayBeKept
                    return  # `@event.listens_for(engine, "connect")`
                case _:
                    raise _MayBeKept
            current = parent

    def _target(self, target: ast.expr, held: _Held) -> None:
        match target:
            case ast.Name():
                self._name(target, held)
            case ast.Tuple(elts=elements) | ast.List(elts=elements):
                for element in elements:
                    self._target(element, held)
            case ast.Starred(value=value):
                self._target(value, _Held.BY_OBJECT)
            case ast.Attribute(value=ast.Name(id=name)) if self.keeper and name == self.keeper:
                self.given = _Held.BY_OBJECT
            case ast.Attribute(value=value) | ast.Subscript(value=value):
                while isinstance(value, (ast.Attribute, ast.Subscript)):
                    value = value.value
                if held is _Held.CONNECTION:
                    return  # as above
                if not isinstance(value, ast.Name) or not self._is_made_here(value.id):
                    raise _MayBeKept
                self._name(value, _Held.BY_OBJECT)

    def _name(self, name: ast.Name, held: _Held) -> None:
        if name.id in self._outer or name.id in self.scope.parameters:
            raise _MayBeKept  # a parameter: it may be made only where none is given
        if (name.id, held) in self._seen:
            return
        self._seen.add((name.id, held))
        for use in self.scope.uses(name.id):
            if use.role is Role.CAPTURED:
                if held is _Held.CONNECTION:
                    continue
                raise _MayBeKept
            if use.role not in (Role.BOUND, Role.DELETED):
                self.value(use.node, held)

    def _is_made_here(self, name: str) -> bool:
        """Whether the name stands for an object or a container that this function makes."""
        if name in self._outer or name in self.scope.parameters:
            return False
        bound = [use.node for use in self.scope.uses(name) if use.role is Role.BOUND]
        for node in bound:
            statement = self.scope.parents.of(node)
            if not isinstance(statement, (ast.Assign, ast.AnnAssign)) or not self._is_new(statement.value):
                return False
        return bool(bound)

    def _is_new(self, value: ast.expr | None) -> bool:
        match value:
            case ast.List() | ast.Dict() | ast.Set() | ast.ListComp() | ast.DictComp() | ast.SetComp():
                return True
            case ast.Call():
                means = self.scope.callee(value)
                if isinstance(means, External):
                    return means.dotted.rpartition(".")[2][:1].isupper() or means.dotted in ("builtins.dict",)
                return isinstance(means, ClassMeaning)
            case _:
                return False

    def _argument(self, call: ast.Call, given: ast.AST, held: _Held) -> _Held | None:
        """What the result of the call holds of what it is given; None when it is only used while the call runs."""
        means = self.scope.callee(call)
        keyword = given.arg if isinstance(given, ast.keyword) else None
        position = next((index for index, one in enumerate(call.args) if one is given), None)
        if is_quiet(means, call) or (last_name(expression(call.func)) in _USING and not _is_of_project(means)):
            return None
        if keyword is None and (position is None or isinstance(given, ast.Starred)):
            raise _MayBeKept
        match means:
            case External(dotted=name) if name.startswith(_SQLALCHEMY):
                return _Held.ENGINE if name.endswith(".AsyncEngine") else _Held.BY_SQLALCHEMY
            case External(dotted=name) if name in _THROUGH:
                return held
            case MakerMeaning():
                return _Held.BY_SQLALCHEMY
            case ClassMeaning():
                if constructed(means, position, keyword, self.scope.project).fate > Fate.IN_RESULT:
                    raise _MayBeKept
                return _Held.BY_OBJECT
            case FunctionMeaning():
                return self._handed(call, means, position, keyword, held)
            case _:
                raise _MayBeKept

    def _handed(
        self, call: ast.Call, function: FunctionMeaning, position: int | None, keyword: str | None, held: _Held
    ) -> _Held | None:
        project = self.scope.project
        self.users.append(function)
        definitions = project.symbols.functions(function.module, function.qualname)
        fate = handed(function, position, keyword, project).fate
        is_async = any(one.is_async for one in definitions)
        if fate > Fate.IN_RESULT or not definitions or (is_async and not self._runs(call)):
            raise _MayBeKept
        for one in definitions:
            name = parameter_name(one, function, position, keyword)
            if any(use.name == name and "dispose" in use.methods for use in one.uses):
                self.disposed = True
        if fate is Fate.IN_RESULT or any(one.is_generator for one in definitions):
            return held
        return None

    def _runs(self, call: ast.Call) -> bool:
        """Whether what is called runs here and now: awaited, entered, looped over, or given to `asyncio.run`."""
        if self.scope.parents.is_awaited(call):
            return True
        above = self.scope.parents.of(call)
        means = self.scope.callee(above) if isinstance(above, ast.Call) and above.func is not call else None
        return isinstance(means, External) and means.dotted in _THROUGH


def _is_connecting(node: ast.AST) -> bool:
    """`engine.connect()`, also awaited: of what SQLAlchemy gives, these are the blocks that end with a close."""
    node = node.value if isinstance(node, ast.Await) else node
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _CONNECTING


def _is_of_project(means: object) -> bool:
    return isinstance(means, (FunctionMeaning, ClassMeaning))
