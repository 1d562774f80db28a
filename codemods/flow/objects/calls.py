"""What calls give and do: methods of what is known, functions of Python and SQLAlchemy, classes. Changes the world."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from codemods.flow.objects import harmless_calls, results, selects, statement_parts
from codemods.flow.objects.asking import DICTS, STATES, asked, asked_of_state
from codemods.flow.objects.collection_calls import FILLING, READING
from codemods.flow.objects.record import Serialized
from codemods.flow.objects.values import (
    EMPTY,
    PLAIN,
    UNKNOWN,
    Bearer,
    Class,
    Closure,
    How,
    Later,
    Many,
    Nothing,
    One,
    Origin,
    Pack,
    Query,
    Result,
    Selection,
    SessionValue,
    Table,
    Unbound,
    Unknown,
    Value,
    awaited,
    elements,
    index_of,
    is_doubled,
    listed,
    objects,
    sessions,
    union,
    value,
)
from codemods.flow.objects.world import Standing, stand
from codemods.flow.values import SELECTS
from codemods.project.expressions import called_name, expression, is_logging
from codemods.project.mapped_classes import mapped
from codemods.project.models import is_schema
from codemods.project.sessions import (
    ClassMeaning,
    CoroutineMeaning,
    External,
    FunctionMeaning,
    Ownership,
    SessionMeaning,
)

if TYPE_CHECKING:
    from codemods.flow.objects.evaluate import Evaluation

_COLLECTING = frozenset({"list", "tuple", "set", "frozenset", "sorted", "reversed", "iter", "deque", "OrderedSet"})
_FIRSTS = frozenset({"max", "min", "next"})
_PLAIN_BUILTINS = frozenset(
    {"len", "str", "int", "float", "bool", "bytes", "repr", "isinstance", "issubclass", "any", "all", "hash", "sum"}
    | {"round", "id", "format", "hasattr", "type", "callable", "abs", "ord", "chr", "print", "range", "divmod", "pow"}
)
_CASTS = frozenset({"typing.cast", "typing_extensions.cast"})
_GATHERING = frozenset({"asyncio.gather"})
_AWAITING = frozenset({"asyncio.wait_for", "asyncio.shield", "asyncio.create_task", "asyncio.ensure_future"})
_TAKING_OUT = frozenset({"expunge", "expunge_all", "close", "aclose", "reset", "invalidate"})
CLOSING = frozenset({"contextlib.closing", "contextlib.aclosing"})
_PASSING = frozenset({"random.choice", "random.sample", "copy.copy", "copy.deepcopy", "functools.reduce"})
_SETTERS = {  # with whether nothing is written for it
    "sqlalchemy.orm.attributes.set_committed_value": True,
    "sqlalchemy.orm.attributes.set_attribute": False,
    "builtins.setattr": False,
}
_STATES_AND_SETTERS = frozenset(name.rpartition(".")[2] for name in [*_SETTERS, *STATES, *DICTS])
_VALIDATING = frozenset({"model_validate", "from_orm", "parse_obj", "validate"})


class Calls:
    """The calls in one function."""

    def __init__(self, evaluation: Evaluation) -> None:
        self._all = evaluation

    def call(self, node: ast.Call) -> Value:
        if called_name(node.func) in _STATES_AND_SETTERS and self._is_set(node):
            return PLAIN
        if isinstance(node.func, ast.Attribute):
            base = self._all.value(node.func.value)
            if node.func.attr in _TAKING_OUT and not any(isinstance(one, SessionValue) for one in base):
                # `holder.session.expunge(user)`: a session may go by more names than are followed
                for session in self._all.record.sessions:
                    self._all.session_calls.unknown(session.number, node.lineno)
            if not base and node.func.attr in FILLING:
                # `groups[key].append(order)` of a dict that was empty so far
                self._all.collections.put_in(node.func.value, union(self.arguments(node)))
                return PLAIN
            found = self._method(node, node.func, base)
            if found is not None:
                return found
            if (harmless := self._harmless(node)) is not None:
                return harmless
            if self._all.functions.is_of_the_base(node):
                return self._all.functions.initialized_by_base(node)
            self._keeper_called(node, node.func.value)
            starts = statement_parts.starts_statement(node, self._all.scope)
            # what a method of a class of the project does is not told by its name
            reads = node.func.attr in READING and not any(
                isinstance(one, Unknown) and (one.holds or one.keeps) for one in base
            )
            if not reads and not starts:
                self._all.session_calls.wrote_on(base, node.lineno)
        elif isinstance(node.func, ast.Name):
            held = self._all.world.names.get(node.func.id, EMPTY)
            if numbers := self._all.held_by(held):
                return self._closure(node, value(Bearer(None, numbers)))
            if any(isinstance(one, Closure) for one in held):
                self._all.session_calls.wrote_somewhere(node.lineno)
            elif (harmless := self._harmless(node)) is not None:
                return harmless
        elif (harmless := self._harmless(node)) is not None:
            return harmless
        elif numbers := self._all.held_by(self._all.value(node.func)):
            return self._closure(node, value(Bearer(None, numbers)))  # `(lambda: session.close())()`
        return self._function(node)

    def _keeper_called(self, node: ast.Call, owner: ast.expr) -> None:
        """A method is called on something of which an attribute was set here: it has what that is."""
        if not isinstance(owner, ast.Name):
            return
        start = f"{owner.id}."
        kept = [given for name, given in self._all.world.names.items() if name.startswith(start)]
        for number in sorted({number for one in kept for number in self._all.held_by(one)}):
            self._all.session_calls.unknown(number, node.lineno)
        for origin in {one.origin for each in kept for one in objects(each)}:
            self._all.session_calls.touched(origin, node.lineno)

    def _is_set(self, node: ast.Call) -> bool:
        """Whether a call only sets an attribute of an object; one that tells what is loaded is noted."""
        called = self._all.scope.callee(node)
        if not isinstance(called, External) or not node.args:
            return False
        if called.dotted in STATES or called.dotted in DICTS:
            for held in objects(self._all.value(node.args[0])):
                found = asked_of_state(self._all.scope, node, held)
                if called.dotted in DICTS:
                    found = asked(self._all.scope, node, held)
                if found is not None:
                    self._all.record.asked[found] = None
            return False
        if called.dotted not in _SETTERS or len(node.args) < 3 or node.keywords:
            return False
        base, _, given = (self._all.value(argument) for argument in node.args[:3])
        name = node.args[1].value if isinstance(node.args[1], ast.Constant) else None
        for one in base:
            if not isinstance(one, One):
                continue
            known = mapped(one.class_, self._all.project) if one.class_ is not None else None
            if not one.names and isinstance(name, str) and (known is None or name in known.relationships):
                self._all.session_calls.given(one.origin, name)
                for other in objects(given):
                    self._all.world.relate(one.origin, other.origin)
        return _SETTERS[called.dotted] and all(isinstance(one, (One, Nothing)) for one in base)

    def _harmless(self, node: ast.Call) -> Value | None:
        """What a call gives that changes nothing; None: it may change something, or is none of these."""
        scope = self._all.scope
        if harmless_calls.is_message(node, scope):
            given = self.arguments(node)  # what is computed for a message may do anything
            if self._are_called(node, given):
                return None
            return PLAIN
        if statement_parts.only_builds(node, scope, self._all.value):
            return UNKNOWN if self._is_given_values(node) else None
        if harmless_calls.computes(node, scope):
            return PLAIN if self._is_given_values(node) else None
        return None

    def _are_called(self, node: ast.Call, given: list[Value]) -> bool:
        """Whether something among the arguments of a message may be called by it: `opt(lazy=True).info("{}", note)`."""
        arguments = [*node.args, *(keyword.value for keyword in node.keywords)]
        named = [one for one in arguments if isinstance(one, (ast.Name, ast.Attribute))]
        for inner in union(given):
            if isinstance(inner, Closure) or (isinstance(inner, Bearer) and inner.class_ is None):
                return True
        if any(isinstance(self._all.scope.meaning(one), FunctionMeaning) for one in named):
            return True
        told = all(isinstance(one, (ast.Constant, ast.JoinedStr, ast.Lambda)) for one in arguments)
        return not told and harmless_calls.is_lazy(node)

    def _is_given_values(self, node: ast.Call) -> bool:
        """Whether no argument is an entity, a session, or something out of a session: what it does reaches none."""
        for one in self.arguments(node):
            added = any(self._all.number(inner.origin) for inner in objects(one, rows=True))
            if added or self._all.held_by(one) or not statement_parts.is_harmless(one):
                return False
        return True

    def _closure(self, node: ast.Call, held: Value) -> Value:
        """A nested function, or a method, that has a session is called."""
        given = self.arguments(node)
        return self.opaque(node, [*given, held])

    def _method(self, node: ast.Call, function: ast.Attribute, base: Value) -> Value | None:
        """What a method of something known gives; None: it is a function like any other."""
        method = function.attr
        found: list[Value] = []
        known = False
        for one in base:
            given: Value | None = None
            match one:
                case SessionValue(number=number):
                    given = self._all.session_calls.call(node, method, number)
                case Selection():
                    step = selects.step(one, node, method, self._all.scope, self._all.value)
                    if method == "options":
                        self._all.record.options[selects.end_of(node)] = node
                    self.arguments(node)
                    given = PLAIN if step is None else value(step)
                case Query(selection=Selection() as selection):
                    if method == "options":
                        self._all.record.options[selects.end_of(node)] = node
                    step = selects.step(selection, node, method, self._all.scope, self._all.value)
                    queried = results.called(one, method, self._all.path)
                    if all(isinstance(each, Unknown) for each in queried) and step is not None:
                        given = value(replace(one, selection=step))
                    else:
                        given = queried
                        self._all.came(given)
                    self.arguments(node)
                case Result():
                    self.arguments(node)
                    given = results.called(one, method, self._all.path)
                    if method == "scalars" and node.args:
                        index = index_of(node.args[0])
                        chosen = replace(one, scalars=True, index=index or 0)
                        given = value(chosen) if index is not None and index >= 0 else PLAIN
                    self._all.came(given)
                case Many() | Pack() | Table():
                    given = self._all.collections.called(node, function, one, method)
                case One(names=names) if names or one.class_ is not None:
                    given = self._object_method(node, function, one, method)
            if given is not None:
                known = True
                found.append(given)
            elif not isinstance(one, (Nothing, Unbound)):
                found.append(UNKNOWN)
        return union(found) if known else None

    def _object_method(self, node: ast.Call, function: ast.Attribute, one: One, method: str) -> Value | None:
        self._all.attribute(function, value(one), method)
        self.arguments(node)
        if one.names and one.class_ is None and method in FILLING:
            self._all.touched(one, node.lineno)
        means = self._all.scope.callee(node)
        if isinstance(means, FunctionMeaning):
            self._all.functions.hand_over(means, node, value(one), bound=True)
        if method not in READING:
            self._all.session_calls.touched(one.origin, node.lineno)
        return UNKNOWN

    def arguments(self, node: ast.Call) -> list[Value]:
        """What the arguments give, in order; a lambda is taken to be called with the elements of the others."""
        given: list[Value] = []
        lambdas: list[ast.Lambda] = []
        for argument in [*node.args, *(keyword.value for keyword in node.keywords)]:
            if isinstance(argument, ast.Lambda):
                lambdas.append(argument)
                continue
            given.append(self._all.value(argument))
        for one in lambdas:
            bound = [*one.args.posonlyargs, *one.args.args]
            inner = union([elements(listed(self._all.iterable(each))) for each in given] or [UNKNOWN])
            before = dict(self._all.world.names)
            for parameter in bound:
                self._all.world.names[parameter.arg] = inner
            self._all.value(one.body)
            self._all.world.names = {**before}
        return given

    def _function(self, node: ast.Call) -> Value:
        called = self._all.scope.callee(node)
        match called:
            case External(dotted=dotted):
                return self._external(node, dotted)
            case ClassMeaning():
                return self._constructed(node, called)
            case FunctionMeaning():
                return self._all.functions.called(node, called)
            case _:
                return self.made_session(node) or self._unknown(node)

    def made_session(self, node: ast.Call) -> Value | None:
        """`F()`: a session, where its block or assignment has not said so already."""
        means = self._all.scope.meaning(node)
        is_later = isinstance(means, CoroutineMeaning)
        if isinstance(means, CoroutineMeaning):
            means = means.value
        if isinstance(means, SessionMeaning):
            above = self._all.scope.parents.of(node)
            outer = above if isinstance(above, ast.Await) else node
            if (outer.lineno, outer.col_offset) in self._all.taken:
                means = replace(means, ownership=Ownership.FRESH, through="")
            number = self._all.session(node, means, "")
            given = value(SessionValue(number))
            return value(Later(given)) if is_later else given
        return None

    def _external(self, node: ast.Call, dotted: str) -> Value:
        if dotted in SELECTS:
            self._all.record.nodes[(node.lineno, node.col_offset)] = node
            return value(selects.selection(node, dotted, self._all.scope, self._all.value))
        if dotted in selects.ALIASES and node.args:
            classes = [one for one in self._all.value(node.args[0]) if isinstance(one, Class)]
            if not classes:
                return UNKNOWN
            return value(*(Class(one.class_, alias=True, doubtful=len(node.args) > 1) for one in classes))
        if dotted in selects.WRITING or dotted in selects.TEXTS:
            self.arguments(node)
            if dotted in selects.TEXTS:
                return PLAIN
            gone = self._all.scope.meaning(node.args[0]) if node.args and dotted.endswith(".delete") else None
            deleted = gone if isinstance(gone, ClassMeaning) else None
            return value(Selection((), (node.lineno, node.col_offset), deletes=deleted, writes=True))
        given = self.arguments(node)
        short = dotted.removeprefix("builtins.")
        if dotted.startswith("builtins.") or short in ("collections.deque",):
            found = self._builtin(node, short, given)
            if found is not None:
                return found
        if dotted in _CASTS and len(given) > 1:
            return given[1]
        if dotted in CLOSING and len(given) == 1 and any(isinstance(one, SessionValue) for one in given[0]):
            return given[0]  # it gives what it closes at its end
        if dotted in _GATHERING:
            gathered = tuple(awaited(one) for one in given)
            if any(self._all.number(one.origin) for each in gathered for one in objects(each)):
                number = next(self._all.number(one.origin) for each in gathered for one in objects(each))
                return value(Later(value(Unknown(dotted, number))))  # one session in several tasks
            return value(Later(value(Pack(gathered))))
        if dotted in _AWAITING and given:
            return given[0]
        if dotted == "collections.defaultdict":
            return value(Table(EMPTY))
        if dotted in _PASSING or dotted.startswith(("itertools.", "operator.")):
            return self._passed_on(node, given)
        if dotted.startswith("sqlalchemy"):
            self._of_sqlalchemy(node, dotted, given)
        if (made := self.made_session(node)) is not None:
            return made
        return self.opaque(node, given)

    def _passed_on(self, node: ast.Call, given: list[Value]) -> Value:
        """`random.choice(users)`: some of what it is given, in a way that is not followed."""
        self._all.session_calls.wrote_somewhere(node.lineno)
        numbers = {self._all.number(one.origin) for each in given for one in objects(self._all.iterable(each))}
        own = next((number for number in sorted(numbers) if self.is_own(number)), 0)
        return value(Unknown(ast.unparse(node.func), own)) if own else UNKNOWN

    def _of_sqlalchemy(self, node: ast.Call, dotted: str, given: list[Value]) -> None:
        """`make_transient(user)`, `object_session(user)`: the session behind an object is reached."""
        for origin in {one.origin for each in given for one in objects(each)}:
            number = self._all.number(origin)
            if number:
                self._all.session_calls.unknown(number, node.lineno)
            if dotted.endswith(".make_transient"):
                stand(self._all.world, origin, expunged=True)

    def _builtin(self, node: ast.Call, name: str, given: list[Value]) -> Value | None:
        if name == "filter" or (name in _COLLECTING and node.keywords):
            self._all.session_calls.wrote_somewhere(node.lineno)  # it calls what it is given for every element
        if name in _PLAIN_BUILTINS:
            for one in given:
                self._all.iterable(one)
            return PLAIN
        if name in _COLLECTING and not given:
            return value(Pack(()))
        if name == "dict" and not node.args and not node.keywords:
            return value(Table(EMPTY))
        if name == "map" and given:
            return self._passed_on(node, given)
        if name in _COLLECTING and given:
            source = self._all.iterable(given[0])
            return value(Many(elements(listed(source)), is_doubled(source), lazy=name in ("reversed", "iter")))
        if name in _FIRSTS and given:
            if any(one.arg in ("key", None) and not isinstance(one.value, ast.Lambda) for one in node.keywords):
                self._all.session_calls.wrote_somewhere(node.lineno)
            return (
                union([self._all.each(given[0]), *given[1:2]]) if name == "next" else self._all.each(union(given[:1]))
            )
        if name == "enumerate" and given:
            return value(Many(value(Pack((PLAIN, self._all.each(given[0])))), lazy=True))
        if name == "zip":
            return value(Many(value(Pack(tuple(self._all.each(one) for one in given))), lazy=True))
        if name == "dict" and given:
            return union([value(one) if isinstance(one, Table) else value(Table(value(one))) for one in union(given)])
        if name == "filter" and len(given) >= 1:
            source = self._all.iterable(given[-1])
            return value(Many(elements(listed(source)), is_doubled(source), lazy=True))
        if name == "setattr" and given:
            for each in given[0]:
                if isinstance(each, One):
                    self._all.touched(each, node.lineno)
            return PLAIN
        if name == "getattr" and given and (held := self._all.held_by(given[0])):
            # `getattr(session, "expunge_all")`: whoever has a method has the session
            for number in held:
                self._all.session_calls.unknown(number, node.lineno)
            return value(Bearer(None, held))
        if name == "getattr" and given:
            return self._passed_on(node, given[:1]) if len(node.args) > 1 else UNKNOWN
        return None

    def _constructed(self, node: ast.Call, class_: ClassMeaning) -> Value:
        if mapped(class_, self._all.project) is not None:
            origin = Origin(
                How.MADE, self._all.path, node.lineno, node.col_offset, 0, ast.unparse(node.func), class_, 0,
                (node.lineno, node.col_offset),
            )  # fmt: skip
            self._all.record.nodes[(node.lineno, node.col_offset)] = node
            set_by_hand: set[str] = set()
            ties: list[Origin] = []
            known = mapped(class_, self._all.project)
            assert known is not None
            for argument in node.args:
                self._all.value(argument)
            for keyword in node.keywords:
                given = self._all.value(keyword.value)
                if keyword.arg is not None and keyword.arg in known.relationships:
                    set_by_hand.add(keyword.arg)
                    ties += [one.origin for one in objects(given)]
            self._all.world.objects[origin] = Standing(loaded=frozenset(set_by_hand))
            for other in ties:
                self._all.tie(origin, other, node.lineno)
            return value(One(origin, (), class_))
        given_values = self.arguments(node)
        if is_schema(class_, self._all.project):
            return PLAIN
        if (made := self.made_session(node)) is not None:
            return made
        self._all.functions.initialized(node, class_, given_values)
        held = frozenset(number for one in given_values for number in sessions(one))
        if held:
            return value(Bearer(class_, held))
        for one in {inner for each in given_values for inner in objects(each)}:
            if self.is_own(number := self._all.number(one.origin)):
                return value(Unknown(f"{ast.unparse(node.func)}(...)", number, holds=True))
        return value(Unknown(keeps=True)) if any(objects(one) for one in given_values) else UNKNOWN

    def _unknown(self, node: ast.Call) -> Value:
        """Something that is not in view is called."""
        given = self.arguments(node)
        if isinstance(node.func, ast.Attribute):
            owner = self._all.scope.meaning(node.func.value)
            schema = owner if isinstance(owner, ClassMeaning) else None
            if schema is not None and node.func.attr in _VALIDATING and is_schema(schema, self._all.project):
                for one in {inner for each in given for inner in objects(self._all.iterable(each))}:
                    self._all.noted_where_caught(node, one)
                    by_hand = self._all.world.standing(one.origin).loaded
                    left = self._all.is_left(one.origin.session)
                    found = Serialized(one, schema, node.lineno, left, by_hand, self._all.world.tested)
                    self._all.record.serialized[found] = None
                return PLAIN
            base = self._all.value(node.func.value)
            held = frozenset(number for one in given for number in sessions(one))
            if held and isinstance(node.func.value, ast.Name) and node.func.value.id in self._all.world.names:
                # `stack.push_async_callback(session.commit)`: it may keep what it is given
                self._all.world.names[node.func.value.id] = union([base, value(Bearer(None, held))])
            given.append(base)
        return self.opaque(node, given)

    def opaque(self, node: ast.Call, given: Iterable[Value]) -> Value:
        """What a call that cannot be followed gives: perhaps something out of the session it was handed."""
        if len(node.args) > 1 and isinstance(node.args[0], (ast.Name, ast.Attribute)):
            # `background_tasks.add_task(send, user)`: it will be called with what follows
            called = self._all.scope.meaning(node.args[0])
            if isinstance(called, FunctionMeaning):
                self._all.functions.handed_to(called, node)
        held = {number for one in given for number in self._all.held_by(one)}
        if is_logging(expression(node.func)):
            return PLAIN
        self._all.session_calls.wrote_somewhere(node.lineno)
        if held and not self._all.is_awaited(node):
            for number in held:
                session = self._all.session_of(number)
                if session is not None and session.is_async:
                    self._all.record.escapes.setdefault(number, node.lineno)
        for number in held:
            self._all.session_calls.unknown(number, node.lineno)
        for one in {inner.origin for each in given for inner in objects(each)}:
            standing = self._all.world.standing(one)
            self._all.session_calls.touched(one, node.lineno)
            if held and not standing.may_be_expunged:
                stand(self._all.world, one, may_be_expunged=node.lineno)
        own = next((number for number in sorted(held) if self.is_own(number)), 0)
        return value(Unknown(ast.unparse(node.func), own)) if own else UNKNOWN

    def is_own(self, number: int) -> bool:
        session = self._all.session_of(number)
        return session is not None and session.own
