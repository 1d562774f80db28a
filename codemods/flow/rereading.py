"""Where entities are read through a session again after a commit in the same session (semantics C11).

With `expire_on_commit=False` such a read gives the objects that the session holds as they were, whatever others wrote
meanwhile. A rollback, `expire_all()`, `close()` and a new session under the same name end it. Followed are the session
by its names, functions of the project that are given it, and objects of the project that are made with it and keep it
(repositories, services, units of work). What else is given a session is told as not followed. Reads trees and the
project; decides nothing.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from weakref import WeakKeyDictionary

from codemods.flow.only_factory import is_test_path
from codemods.flow.scope import Scope, own_expressions, scopes
from codemods.flow.values import Values
from codemods.project.expressions import dotted, expression, shown
from codemods.project.facts import Call
from codemods.project.link import Place, Project
from codemods.project.named_in_tests import is_test
from codemods.project.sessions import (
    UNKNOWN,
    ClassMeaning,
    External,
    FunctionMeaning,
    InstanceMeaning,
    Meaning,
    ScopeMeaning,
    SessionMeaning,
)

_READING = frozenset({"execute", "scalar", "scalars", "exec", "get", "get_one", "query", "stream", "stream_scalars"})
_BY_STATEMENT = _READING - {"get", "get_one", "query"}
_ENDING = frozenset({"rollback", "expire_all", "expunge_all", "close", "aclose", "reset", "invalidate"})
_SETTING_UP = ("__init__", "__aenter__", "__enter__")
_DATA_CLASSES = frozenset({"dataclasses.dataclass", "attr.s", "attr.define", "attrs.define", "attrs.frozen"})
_HARMLESS = ("builtins.", "contextlib.", "sqlalchemy.", "sqlmodel.", "typing.")
_DEEP = 6  # a chain of calls longer than this is not followed
Tree = Callable[[str], ast.Module | None]
Committed = dict[str, int]
"""The sessions that have been committed, as they are written, with the line of the commit."""


@dataclass(frozen=True, slots=True, order=True)
class Reread:
    """A read after a commit. `origins`: where the sessions come from that it may be; "" is one that is not in view."""

    path: str
    line: int
    text: str
    commit: int  # line of the commit, in the same function
    origin: str


@dataclass(frozen=True, slots=True, order=True)
class Unfollowed:
    """What is given a session and cannot be followed. The place: of its definition, else of the call."""

    path: str
    line: int
    text: str
    origin: str  # as in `Reread`

    @property
    def place(self) -> str:
        return f"{self.path}:{self.line}"


_REMEMBERED: WeakKeyDictionary[Project, tuple[tuple[Reread, ...], tuple[Unfollowed, ...]]] = WeakKeyDictionary()


def rereads(project: Project, tree: Tree) -> tuple[Reread, ...]:
    """All such reads of async sessions in the project, tests apart, in the order of paths and lines; remembered."""
    return _remembered(project, tree)[0]


def unfollowed(project: Project, tree: Tree) -> tuple[Unfollowed, ...]:
    """Where such reads may be out of view, tests apart, in the order of paths and lines; remembered."""
    return _remembered(project, tree)[1]


def _remembered(project: Project, tree: Tree) -> tuple[tuple[Reread, ...], tuple[Unfollowed, ...]]:
    if project not in _REMEMBERED:
        _REMEMBERED[project] = _found(project, tree)
    return _REMEMBERED[project]


def _found(project: Project, tree: Tree) -> tuple[tuple[Reread, ...], tuple[Unfollowed, ...]]:
    scope_of = _Scopes(project, tree)
    found: set[Reread] = set()
    for path in project.symbols.paths():
        here = None if is_test_path(path) else tree(path)
        if here is None or is_test(path, here):
            continue
        for scope in scope_of.all(path):
            if scope.is_function and any(isinstance(node, ast.Call) for node in scope.watched()):
                walk = _Walk(scope, scope_of)
                walk.suite(scope.node.body, {})
                found |= walk.found
    first: dict[tuple[str, int], Reread] = {}
    for one in sorted(found):
        first.setdefault((one.path, one.line), one)
    return tuple(first.values()), tuple(sorted(scope_of.unfollowed))


class _Scopes:
    """The functions of the project by their names; remembers them, and what they do with sessions given to them."""

    def __init__(self, project: Project, tree: Tree) -> None:
        self.project = project
        self._tree = tree
        self._found: dict[str, list[Scope]] = {}
        self._held: dict[ClassMeaning, tuple[tuple[str, ...], ...]] = {}
        self.known: dict[tuple[FunctionMeaning, tuple[str, ...], bool], _Done | None] = {}
        self.unfollowed: set[Unfollowed] = set()

    def all(self, path: str) -> list[Scope]:
        if path not in self._found:
            here = self._tree(path)
            self._found[path] = list(scopes(here, path, self.project)) if here is not None else []
        return self._found[path]

    def of(self, function: FunctionMeaning) -> Scope | None:
        """The one definition of a function that runs when it is called and awaited; None where that is not so."""
        definitions = self.project.symbols.functions(function.module, function.qualname)
        if len(definitions) != 1 or definitions[0].is_generator:
            return None
        # which `__init__` runs is told by the class that is made
        if not function.qualname.endswith(".__init__") and self.project.overrides(function):
            return None
        named = [one for one in self.all(function.module) if one.place.qualname == function.qualname]
        return named[0] if len(named) == 1 and named[0].is_function else None

    def method(self, class_: ClassMeaning, name: str, *, above: bool = False) -> FunctionMeaning | None:
        """The nearest method of this name of the class, or (`above`) of what it inherits from."""
        for base in self.project.bases(class_)[above:]:
            if isinstance(base, ClassMeaning) and self.project.symbols.functions(
                base.module, f"{base.qualname}.{name}"
            ):
                return FunctionMeaning(base.module, f"{base.qualname}.{name}", bound=True)
        return None

    def held(self, class_: ClassMeaning) -> tuple[tuple[str, ...], ...]:
        """The sessions that an object of the class holds by itself: for each the attributes that lead to it."""
        if class_ in self._held:
            return self._held[class_]
        self._held[class_] = ()
        groups: list[tuple[str, ...]] = []
        for name in _SETTING_UP:
            method = self.method(class_, name)
            scope = self.of(method) if method is not None else None
            if scope is not None:
                walk = _Walk(scope, self)
                walk.suite(scope.node.body, {})
                groups += walk.kept().values()
        seen = {path for group in groups for path in group}
        for base in self.project.bases(class_):
            facts = self.project.class_facts(base) if isinstance(base, ClassMeaning) else None
            for attribute in facts.attributes if facts else ():
                means = self.project.attribute(InstanceMeaning(class_), attribute.name, Place(class_.module))
                if attribute.name not in seen and isinstance(means, SessionMeaning) and means.is_async:
                    groups.append((attribute.name,))
                seen.add(attribute.name)
        self._held[class_] = tuple(groups)
        return self._held[class_]

    def field(self, class_: ClassMeaning, index: int | None, keyword: str | None) -> str:
        """The field of a dataclass that gets an argument; "" where it is none, or cannot be told."""
        names: dict[str, None] = {}
        for base in reversed(self.project.bases(class_)):
            facts = self.project.class_facts(base) if isinstance(base, ClassMeaning) else None
            for decorator in facts.decorators if facts else ():
                named = decorator.function if isinstance(decorator, Call) else decorator
                means = self.project.meaning(named, Place(base.module if isinstance(base, ClassMeaning) else ""))
                if facts and isinstance(means, External) and means.dotted in _DATA_CLASSES:
                    fields = [one for one in facts.attributes if not one.method and one.annotation is not None]
                    names |= dict.fromkeys(one.name for one in fields)
        if keyword is not None:
            return keyword if keyword in names else ""
        return list(names)[index] if index is not None and index < len(names) else ""


@dataclass(frozen=True, slots=True)
class _Done:
    """What a function does with a session that it is given: reads it before anything ends the commit; leaves it so."""

    reads: int  # line of the first such read; 0: none
    committed: bool  # it may be committed, and nothing ended, when the function is over
    kept: tuple[str, ...] = ()  # the attributes of the method's own object that lead to it now
    returned: tuple[str, ...] = ()  # the attributes of what is returned that lead to it; "" is the session itself


@dataclass(slots=True)
class _Walk:
    """One function, run over statement by statement. None stands for a place that is not reached."""

    scope: Scope
    scope_of: _Scopes
    depth: int = 0
    found: set[Reread] = field(default_factory=set)
    exits: list[Committed] = field(default_factory=list)
    leaving: list[list[Committed]] = field(default_factory=list)  # what `break` and `continue` carry, by loop
    values: dict[str, Values] = field(default_factory=dict)
    sessions: dict[str, bool] = field(default_factory=dict)  # what was asked of a name before
    # session by the names and attributes that lead to it, where that is not the name that it goes by here
    names: dict[str, str] = field(default_factory=dict)
    roots: set[str] = field(default_factory=set)  # the names of which it is known what they hold
    made: dict[ast.AST, dict[str, str]] = field(default_factory=dict)  # the same of what calls give
    returned: dict[str, str] = field(default_factory=dict)

    def suite(self, statements: Iterable[ast.stmt], state: Committed | None) -> Committed | None:
        for statement in statements:
            if state is None:
                return None
            state = self.statement(statement, state)
        return state

    def statement(self, statement: ast.stmt, state: Committed) -> Committed | None:
        match statement:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                return _without(state, statement.name)
            case ast.If():
                state = self.expressions(statement, state)
                return _either(self.suite(statement.body, dict(state)), self.suite(statement.orelse, dict(state)))
            case ast.While() | ast.For() | ast.AsyncFor():
                return self.loop(statement, state)
            case ast.With() | ast.AsyncWith():
                return self.block(statement, state)
            case ast.Try() | ast.TryStar():
                return self.attempt(statement, state)
            case ast.Match():
                state = self.expressions(statement, state)
                ends = [self.suite(case.body, dict(state)) for case in statement.cases]
                return _either(*ends, state)
            case ast.Return() | ast.Raise():
                state = self.expressions(statement, state)
                if isinstance(statement, ast.Return):
                    if statement.value is not None:
                        self.returned |= self.holding(statement.value)
                    self.exits.append(state)
                return None
            case ast.Break() | ast.Continue():
                if self.leaving:
                    self.leaving[-1].append(state)
                return None
            case _:
                return self.expressions(statement, state)

    def loop(self, statement: ast.While | ast.For | ast.AsyncFor, state: Committed) -> Committed | None:
        """A commit in one turn is before the reads of the next one."""
        entry = state
        self.leaving.append([])
        for _ in range(2):
            before = self.expressions(statement, dict(entry))
            after = self.suite(statement.body, dict(before))
            entry = _either(before, after, *self.leaving[-1]) or before
        self.leaving.pop()
        return self.suite(statement.orelse, entry) if statement.orelse else entry

    def block(self, statement: ast.With | ast.AsyncWith, state: Committed) -> Committed | None:
        """`async with session.begin():` commits when it ends."""
        state = self.expressions(statement, state)
        for item in statement.items:
            if isinstance(item.optional_vars, ast.Name) and isinstance(item.context_expr, ast.Call):
                self.bind(item.optional_vars.id, self.made.get(item.context_expr, {}))
        end = self.suite(statement.body, state)
        for item in statement.items:
            begun = item.context_expr
            if isinstance(begun, ast.Call) and isinstance(begun.func, ast.Attribute) and begun.func.attr == "begin":
                name = self.session(begun.func.value)
                if name and end is not None:
                    end = {**end, name: statement.end_lineno or statement.lineno}
            if item.optional_vars is not None and end is not None and self.is_entered_session(begun):
                end = _without(end, *_names(item.optional_vars))
        return end

    def is_entered_session(self, node: ast.expr) -> bool:
        return isinstance(self.scope.meaning(node), (SessionMeaning, ScopeMeaning))

    def attempt(self, statement: ast.Try | ast.TryStar, state: Committed) -> Committed | None:
        body = self.suite(statement.body, dict(state))
        whole = self.suite(statement.orelse, dict(body)) if body is not None and statement.orelse else body
        raised = _either(state, body) or state
        ends = [self.suite(handler.body, dict(raised)) for handler in statement.handlers]
        end = _either(whole, *ends)
        if not statement.finalbody:
            return end
        after = self.suite(statement.finalbody, dict(end if end is not None else raised))
        return after if end is not None else None

    # --- expressions -------------------------------------------------------------------------------------------

    def expressions(self, statement: ast.stmt, state: Committed) -> Committed:
        """The calls of the statement itself in the order in which they are made; then what it binds."""
        nodes = [node for node in _evaluated(statement) if isinstance(node, ast.Call)]
        for call in sorted(nodes, key=lambda node: (node.end_lineno or 0, node.end_col_offset or 0)):
            state = self.call(call, state)
        gives = self.holding(statement.value) if isinstance(statement, (ast.Assign, ast.AnnAssign)) else {}
        bound = _bound(statement)
        state = _without(state, *bound)
        for name in bound:
            self.bind(name, gives if len(bound) == 1 else {})
        return state

    def bind(self, name: str, gives: dict[str, str]) -> None:
        """A name has got a value that holds these sessions."""
        for path in [path for path in self.names if path == name or path.startswith(f"{name}.")]:
            del self.names[path]
        self.names |= {_joined(name, path): session for path, session in gives.items()}
        if gives:
            self.roots.add(name)
        else:
            self.roots.discard(name)

    def call(self, call: ast.Call, state: Committed) -> Committed:
        if isinstance(call.func, ast.Attribute) and (name := self.session(call.func.value)):
            method = call.func.attr
            if method == "commit":
                return {**state, name: call.lineno}
            if method in _ENDING:
                return _without(state, name)
            if method in _READING and name in state and self.loads(call, method, name):
                self.note(call, name, state[name])
            return state
        return self.function(call, state)

    def note(self, call: ast.Call, name: str, commit: int) -> None:
        self.found.add(Reread(self.scope.place.path, call.lineno, shown(call.func, 40), commit, self.origin(name)))

    def session(self, node: ast.expr) -> str:
        """The session that an expression names, as it is written; "" when it is none, or a sync one."""
        name = dotted(expression(node))
        self.look_into(name.partition(".")[0])
        if name in self.names:
            return self.names[name]
        if name not in self.sessions:
            means = self.scope.meaning(node) if name else None
            self.sessions[name] = isinstance(means, SessionMeaning) and means.is_async
        return name if self.sessions[name] else ""

    def look_into(self, root: str) -> None:
        """Learn which sessions the object holds that a name stands for."""
        if not root or root in self.roots:
            return
        self.roots.add(root)
        means = self.scope.meaning(ast.Name(root, ast.Load()))
        if isinstance(means, InstanceMeaning) and isinstance(means.of, ClassMeaning):
            for group in self.scope_of.held(means.of):
                self.names |= {f"{root}.{path}": f"{root}.{group[0]}" for path in group}

    def holding(self, node: ast.expr | None) -> dict[str, str]:
        """The sessions that an expression gives: by the attributes that lead to them, "" is the expression itself."""
        if isinstance(node, ast.Await):
            node = node.value
        if node is None or isinstance(node, ast.Call):
            return self.made.get(node, {}) if node is not None else {}
        if session := self.session(node):
            return {"": session}
        name = dotted(expression(node))
        return {path[len(name) + 1 :]: one for path, one in self.names.items() if name and path.startswith(f"{name}.")}

    def receiver(self) -> str:
        """What a method calls its own object; "" in other functions."""
        node, place = self.scope.node, self.scope.place
        around = self.scope.project.symbols.class_(place.path, place.qualname.rpartition(".")[0])
        if around is None or not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            return ""
        return next((one.arg for one in [*node.args.posonlyargs, *node.args.args]), "")

    def kept(self) -> dict[str, tuple[str, ...]]:
        """The sessions that the method's own object holds, by the attributes that lead to each."""
        own = f"{self.receiver()}."
        found: dict[str, list[str]] = {}
        for path, session in sorted(self.names.items()):
            if path.startswith(own):
                found.setdefault(session, [])
                if path != session:
                    found[session].append(path[len(own) :])
        for session, paths in found.items():
            if session.startswith(own):
                paths.insert(0, session[len(own) :])
        return {session: tuple(paths) for session, paths in found.items()}

    def loads(self, call: ast.Call, method: str, name: str) -> bool:
        """Whether a read gives entities, and those that the session holds: not anew (`populate_existing`)."""
        for node in ast.walk(call):
            if isinstance(node, ast.keyword) and node.arg == "populate_existing":
                return False
            if isinstance(node, ast.Constant) and node.value == "populate_existing":
                return False
        if method not in _BY_STATEMENT or not call.args:
            return True
        if name not in self.values:
            self.values[name] = Values(self.scope, [name], self.scope.statements(), is_async=True)
        return not self.values[name].selects_plain(call.args[0])

    def function(self, call: ast.Call, state: Committed) -> Committed:
        """Something that is given sessions, or a method of an object that holds some."""
        given = [
            (index, keyword, held)
            for index, keyword, node in [
                *((index, None, node) for index, node in enumerate(call.args)),
                *((None, one.arg, one.value) for one in call.keywords),
            ]
            if (held := self.holding(node))
        ]
        above = _is_super(call)
        owner = call.func.value if isinstance(call.func, ast.Attribute) else None
        if above:
            owner = _chain(self.receiver()) if self.receiver() else None
        own = self.holding(owner) if owner is not None else {}
        if not given and not own:
            return state
        called = self.above(call) if above else self.scope.callee(call)
        is_class = isinstance(called, ClassMeaning)
        runs = self.scope_of.method(called, "__init__") if isinstance(called, ClassMeaning) else called
        inside: dict[str, list[str]] = {}
        followed = True
        for index, keyword, held in given:
            if isinstance(runs, FunctionMeaning):
                parameter = _parameter(runs, index, keyword, self.scope)
            else:
                parameter = self.scope_of.field(called, index, keyword) if isinstance(called, ClassMeaning) else ""
            followed = followed and bool(parameter)
            for path, session in held.items():
                inside.setdefault(session, []).append(_joined(parameter, path))
        made: dict[str, str] = {}
        if isinstance(runs, FunctionMeaning) and self.depth < _DEEP:
            receiver = "" if is_class else _parameter(replace(runs, bound=False), 0, None, self.scope)
            for path, session in own.items() if receiver else ():
                inside.setdefault(session, []).append(_joined(receiver, path))
            for session, names in sorted(inside.items()):
                done = _done(runs, tuple(sorted(names)), session in state, self)
                if done is None:
                    followed = False
                    continue
                if done.reads and session in state:
                    self.note(call, session, state[session])
                kept = {session: state.get(session, call.lineno)} if done.committed else {}
                state = {**_without(state, session), **kept}
                made |= dict.fromkeys(done.kept if is_class else done.returned, session)
                if owner is not None and not is_class and (name := dotted(expression(owner))):
                    self.names |= {_joined(name, path): session for path in done.kept}
        elif isinstance(runs, FunctionMeaning):
            followed = False
        elif is_class and followed:
            made = {name: session for session, names in inside.items() for name in names}
        self.made[call] = made
        if is_class:
            followed = followed and bool(made)
        elif not isinstance(called, FunctionMeaning):
            # what the method's own object has for attributes is called too, and has most often no part in this
            is_own = owner is None or not own or above or dotted(expression(owner)) == self.receiver()
            followed = not any("" in held for _, _, held in given) and (is_own or called != UNKNOWN)
            inside |= {} if is_own else {session: [] for session in own.values()}
        if not followed:
            self.miss(call, called, [*inside])
        return state

    def above(self, call: ast.Call) -> Meaning:
        """What `super().method` stands for."""
        assert isinstance(call.func, ast.Attribute)
        class_ = ClassMeaning(self.scope.place.path, self.scope.place.qualname.rpartition(".")[0])
        return self.scope_of.method(class_, call.func.attr, above=True) or self.scope.callee(call)

    def miss(self, call: ast.Call, called: Meaning, sessions: list[str]) -> None:
        """These sessions are given to what is not followed."""
        path, line, text = self.scope.place.path, call.lineno, shown(call.func, 40)
        symbols = self.scope.project.symbols
        match called:
            case External(dotted=name) if name.startswith(_HARMLESS):
                return
            case ClassMeaning() if facts := self.scope.project.class_facts(called):
                path, line, text = called.module, facts.line, called.qualname
            case FunctionMeaning() if functions := symbols.functions(called.module, called.qualname):
                path, line, text = called.module, functions[0].line, called.qualname
        for session in sessions:
            self.scope_of.unfollowed.add(Unfollowed(path, line, text, self.origin(session)))

    def origin(self, session: str) -> str:
        means = self.scope.meaning(_chain(session))
        return means.origin if isinstance(means, SessionMeaning) else ""


def _is_super(call: ast.Call) -> bool:
    match call.func:
        case ast.Attribute(value=ast.Call(func=ast.Name(id="super"), args=[])):
            return True
    return False


def _joined(name: str, path: str) -> str:
    return f"{name}.{path}" if path else name


def _done(function: FunctionMeaning, names: tuple[str, ...], committed: bool, caller: _Walk) -> _Done | None:
    """What the function does with the session that goes by these names in it; None when that is not in view."""
    known = caller.scope_of.known
    key = (replace(function, bound=False), names, committed)
    if key in known:
        return known[key]
    scope = caller.scope_of.of(key[0])
    known[key] = _Done(0, committed) if scope is not None else None  # a function that calls itself changes nothing
    if scope is None:
        return None
    walk = _Walk(scope, caller.scope_of, caller.depth + 1)
    session = names[0]
    walk.names = dict.fromkeys(names, session)
    walk.roots = {name.partition(".")[0] for name in names}
    end = walk.suite(scope.node.body, {session: _BEFORE} if committed else {})
    ends = [one for one in [*walk.exits, end] if one is not None]
    # what is a session here may be known by its callers alone
    caller.found |= {one for one in walk.found if one.commit != _BEFORE}
    reads = min((one.line for one in walk.found if one.commit == _BEFORE), default=0)
    returned = tuple(path for path, one in walk.returned.items() if one == session)
    known[key] = _Done(reads, any(session in one for one in ends), walk.kept().get(session, ()), returned)
    return known[key]


_BEFORE = -1  # the line of a commit that was made before the function was called


def _parameter(function: FunctionMeaning, index: int | None, keyword: str | None, scope: Scope) -> str:
    """The parameter that gets an argument; "" when that cannot be told."""
    definitions = scope.project.symbols.functions(function.module, function.qualname)
    if len(definitions) != 1:
        return ""
    parameters = [one for one in definitions[0].parameters if one.kind in ("positional", "keyword")]
    if keyword is not None:
        return keyword if any(one.name == keyword for one in parameters) else ""
    place = (index or 0) + bool(function.bound and definitions[0].in_class)
    positional = [one for one in parameters if one.kind == "positional"]
    return positional[place].name if place < len(positional) else ""


def _either(*states: Committed | None) -> Committed | None:
    """Where ways meet: what is committed on one of them may be. None when none of them leads here."""
    there = [one for one in states if one is not None]
    if not there:
        return None
    found: Committed = {}
    for one in there:
        for name, line in one.items():
            found.setdefault(name, line)
    return found


def _without(state: Committed, *names: str) -> Committed:
    """The state after these names have got another value."""
    if not state or not names:
        return state
    gone = tuple(f"{name}." for name in names)
    return {name: line for name, line in state.items() if name not in names and not name.startswith(gone)}


def _evaluated(statement: ast.stmt) -> Iterator[ast.AST]:
    """The expressions of the statement itself; not the insides of lambdas, which run later."""
    hidden: set[ast.AST] = set()
    for node in own_expressions(statement):
        if isinstance(node, ast.Lambda):
            hidden.update(ast.walk(node.body))
        if node not in hidden:
            yield node


def _bound(statement: ast.stmt) -> list[str]:
    """The names, and attributes of names, that the statement itself binds."""
    found = []
    for node in own_expressions(statement):
        if isinstance(node, (ast.Name, ast.Attribute)) and isinstance(node.ctx, (ast.Store, ast.Del)):
            found.append(dotted(expression(node)))
    return [name for name in found if name]


def _names(target: ast.expr) -> list[str]:
    return [node.id for node in ast.walk(target) if isinstance(node, ast.Name)]


def _chain(name: str) -> ast.expr:
    first, *rest = name.split(".")
    node: ast.expr = ast.Name(first, ast.Load())
    for attribute in rest:
        node = ast.Attribute(node, attribute, ast.Load())
    return node
