"""What an expression gives and does, with things standing as they do where it is evaluated. Changes only the world."""

from __future__ import annotations

import ast
from dataclasses import replace
from functools import cached_property
from typing import Protocol

from codemods.flow.objects import results
from codemods.flow.objects.asking import asked, caught
from codemods.flow.objects.calls import Calls
from codemods.flow.objects.collection_calls import CollectionCalls
from codemods.flow.objects.function_calls import FunctionCalls
from codemods.flow.objects.narrow import may_be, narrowed
from codemods.flow.objects.record import Asked, Passed, Read, Record, Seen, Session, Summary, Watched
from codemods.flow.objects.session_calls import SessionCalls
from codemods.flow.objects.values import (
    EMPTY,
    NOTHING,
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
    Plain,
    Query,
    Result,
    Row,
    SessionValue,
    Table,
    Unbound,
    Unknown,
    Value,
    awaited,
    elements,
    holds_others,
    index_of,
    is_doubled,
    listed,
    objects,
    sessions,
    unguarded,
    union,
    value,
)
from codemods.flow.objects.world import SessionStanding, Standing, World, joined, stand
from codemods.flow.scope import Scope
from codemods.flow.values import METHODS
from codemods.project.mapped_classes import mapped
from codemods.project.nodes import walk
from codemods.project.sessions import (
    ClassMeaning,
    CoroutineMeaning,
    External,
    FunctionMeaning,
    Ownership,
    RegistryMeaning,
    SessionMeaning,
)
from codemods.syntax import nodes

_FROM_ELSEWHERE = frozenset({How.GIVEN, How.CALLED})
_WAITING = frozenset({"asyncio.wait_for", "asyncio.shield", "asyncio.gather"})


class Summaries(Protocol):
    """Says what a function of the project gives; None when that cannot be told."""

    def of(
        self, function: FunctionMeaning, lent: tuple[tuple[str, bool], ...] = (), *, alone: bool = False
    ) -> Summary | None:
        """`lent`: the parameters that get a session, with whether it is async; `alone`: nothing of ours goes in."""
        ...


class Evaluation:
    """Evaluates the expressions of one function."""

    def __init__(
        self,
        scope: Scope,
        record: Record,
        summaries: Summaries | None,
        taken: frozenset[tuple[int, int]] = frozenset(),
        watched: Watched | None = None,
    ) -> None:
        """`taken`: where expressions stand that make a session which is to get a block of its own. `watched`: what is
        to be told of each time it is evaluated; behind what is `scheduling` in it, something runs later."""
        self.watched = watched.expressions if watched is not None else frozenset()
        self.scheduling = watched.scheduling if watched is not None else frozenset()
        self.taken = taken
        self.scope = scope
        self.project = scope.project
        self.path = scope.place.path
        self.record = record
        self.summaries = summaries
        self.world = World()
        self.calls = Calls(self)
        self.session_calls = SessionCalls(self)
        self.collections = CollectionCalls(self)
        self.functions = FunctionCalls(self)
        self.bound = _bound_again(scope)
        self.loops: list[set[One]] = []  # the loops around, each with the objects that it meets once

    # --- expressions -------------------------------------------------------------------------------------------

    def value(self, node: ast.expr | None) -> Value:
        """What the expression gives; what it does is done to the world."""
        before = self.world.copy() if node is not None and node in self.scheduling else None
        given = self._value(node)
        if node is not None and before is not None:
            self._scheduled(node, before)
        if node is not None and node in self.watched:
            known, world = self.record.seen.get(node), self.world.copy()
            if known is not None:
                given_so_far, so_far = union([known.value, given]), joined([known.world, world])
                self.record.seen[node] = Seen(given_so_far, so_far or world)
            else:
                self.record.seen[node] = Seen(given, world)
        return given

    def _value(self, node: ast.expr | None) -> Value:
        match node:
            case None:
                return EMPTY
            case ast.Constant(value=constant):
                return NOTHING if constant is None else PLAIN
            case ast.Name(id=name):
                return self.name(name, node)
            case ast.Await(value=inner):
                return awaited(self.value(inner))
            case ast.NamedExpr(target=target, value=inner):
                given = self.value(inner)
                self.bind(target, given)
                return given
            case ast.Call():
                return self.calls.call(node)
            case ast.Attribute(value=inner, attr=attribute):
                found = self.attribute(node, self.value(inner), attribute)
                self.is_something(inner)
                return found
            case ast.Subscript(value=inner, slice=key):
                base = self.value(inner)
                self.value(key)
                return self._item(base, key)
            case ast.IfExp(test=test, body=body, orelse=orelse):
                return self._chosen(test, body, orelse)
            case ast.BoolOp(op=op, values=values):
                return self._either(values, is_or=isinstance(op, ast.Or))
            case ast.Tuple(elts=given) | ast.List(elts=given) | ast.Set(elts=given):
                return self._display(given)
            case ast.Dict(keys=keys, values=given):
                for key in (one for one in keys if one is not None):
                    self.value(key)
                return value(Table(union([self.value(one) for one in given])))
            case ast.ListComp(elt=element) | ast.SetComp(elt=element):
                return self._comprehension([element], node.generators, lazy=False)
            case ast.GeneratorExp(elt=element):
                return self._comprehension([element], node.generators, lazy=True)
            case ast.DictComp(key=key, value=inner):
                parts = [one for one in (key, inner) if one is not None]  # `{**key for ...}` has no value
                return self._comprehension(parts, node.generators, lazy=False, table=len(parts) == 2)
            case ast.BinOp(left=left, op=op, right=right):
                sides = [self.value(left), self.value(right)]
                if any(objects(side) for side in sides) and isinstance(op, (ast.Add, ast.BitOr, ast.Mult)):
                    if any(isinstance(one, Table) for one in sides[0]):
                        return union(sides)
                    lists = [side for side in sides if side != PLAIN]
                    return value(Many(union([elements(listed(side)) for side in lists]), doubled=True))
                return PLAIN
            case nodes.TemplateStr(values=parts):
                return self._display([part.value for part in parts if isinstance(part, nodes.Interpolation)])
            case ast.Starred(value=inner):
                return self.value(inner)
            case ast.Lambda():
                names = frozenset(inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name))
                return value(Closure(names))
            case ast.Yield() | ast.YieldFrom():
                self.value(node.value)
                return UNKNOWN
            case _:
                for child in ast.iter_child_nodes(node):
                    if isinstance(child, ast.expr):
                        self.value(child)
                return PLAIN

    def _scheduled(self, node: ast.expr, before: World) -> None:
        """Something is to run later: what it does has not been done yet."""
        for session in self.record.sessions:
            known = before.sessions.get(session.number, SessionStanding())
            self.world.sessions[session.number] = replace(known, scheduled=node.lineno)
        self.world.objects |= before.objects
        held = {one.origin for given in self.world.names.values() for one in objects(given)}
        for origin in held | set(self.world.objects):
            stand(self.world, origin, scheduled=node.lineno)

    def is_something(self, node: ast.expr) -> None:
        """An attribute of it was asked for: it is not None, or we are not here."""
        if isinstance(node, ast.Name) and node.id in self.world.names:
            held = self.world.names[node.id]
            kept = frozenset(one for one in held if not isinstance(one, (Nothing, Unbound)))
            if kept and kept != held and any(isinstance(one, One) for one in kept):
                self.world.names[node.id] = kept

    def name(self, name: str, node: ast.expr) -> Value:
        if name in self.world.names:
            return self.world.names[name]
        if name in self.scope.parameters:
            return UNKNOWN
        return self._meaning(node)

    def _meaning(self, node: ast.expr) -> Value:
        """What a name or attribute that this function does not bind means: a session of someone else, or nothing."""
        means = self.scope.meaning(node)
        if isinstance(means, CoroutineMeaning):
            means = means.value
        if isinstance(means, RegistryMeaning):
            means = SessionMeaning(means.is_async, Ownership.SHARED, through="registry")
        if isinstance(means, SessionMeaning):
            root = node
            while isinstance(root, ast.Attribute):
                root = root.value
            if isinstance(root, ast.Name) and root.id in self.record.lenders:
                # `async with Unit() as unit: unit.session`
                means = replace(means, ownership=Ownership.FRESH, through="")
                doubt = f"it is a session of `{root.id}`: what the end of its block does with it is not told"
                return value(SessionValue(self.session(node, means, "", doubt=doubt)))
            return value(SessionValue(self.session(node, means, "")))
        if isinstance(means, ClassMeaning) and mapped(means, self.project) is not None:
            return value(Class(means))
        return UNKNOWN

    def session(self, node: ast.expr, means: SessionMeaning, name: str, **more: object) -> int:
        """The number of the session that an expression gives: the same each time it is evaluated."""
        key = ast.dump(node) if isinstance(node, (ast.Name, ast.Attribute)) else ""
        for known in self.record.sessions:
            if known.node is node or (key and not known.own and ast.dump(known.node) == key):
                return known.number
        number = len(self.record.sessions) + 1
        own = means.ownership is Ownership.FRESH and not means.through
        if own and means.own_exit:
            more.setdefault("doubt", f"its class has a `{means.own_exit}()` of its own, which may commit")
        made = Session(number, name, node, means.is_async, means.expire_on_commit, own, **more)  # type: ignore[arg-type]
        self.record.sessions.append(made)
        return number

    def is_awaited(self, node: ast.expr) -> bool:
        """Whether a call is done when its statement is: awaited there, or a statement of its own."""
        if isinstance(self.scope.parents.of(node), ast.Expr):
            return True
        for above in self.scope.parents.chain(node):
            match above:
                case ast.Await():
                    return True
                case ast.Call(func=function) if function is not node:
                    called = self.scope.meaning(function)
                    if not isinstance(called, External) or called.dotted not in _WAITING:
                        return False
                case ast.Starred() | ast.List() | ast.Tuple() | ast.GeneratorExp() | ast.ListComp() | ast.IfExp():
                    pass
                case _:
                    return False
        return False

    def held_by(self, given: Value) -> frozenset[int]:
        """The sessions that something has: those of the names that a nested function mentions, too."""
        found = set(sessions(given))
        for one in given:
            if isinstance(one, Closure):
                found |= {number for name in one.names for number in sessions(self.world.names.get(name, EMPTY))}
        return frozenset(found)

    def session_of(self, number: int) -> Session | None:
        return self.record.sessions[number - 1] if 0 < number <= len(self.record.sessions) else None

    def is_left(self, number: int) -> bool:
        """Whether the session has been left: what was loaded in it is detached."""
        standing = self.world.sessions.get(number)
        return standing is not None and standing.left

    def bind(self, target: ast.expr, given: Value) -> None:
        """What an assignment to the target does."""
        match target:
            case ast.Name(id=name):
                self.world.names[name] = given
                if name in self._outer_names:
                    self.escaped(given, target.lineno)
            case ast.Tuple(elts=targets) | ast.List(elts=targets):
                self._unpack(targets, given)
            case ast.Starred(value=inner):
                self.bind(inner, value(Many(union([elements(listed(given))]))))
            case ast.Attribute(value=inner, attr=attribute):
                base = self.value(inner)
                self.is_something(inner)
                self.set_attribute(base, attribute, given, target.lineno)
                if isinstance(inner, ast.Name) and not any(isinstance(one, One) for one in base):
                    # `self.user = user`: read again by the same text
                    self.world.names[f"{inner.id}.{attribute}"] = given
                    if inner.id != "self":
                        self.session_calls.wrote_somewhere(target.lineno)
                else:
                    self.session_calls.wrote_somewhere(target.lineno)
            case ast.Subscript(value=ast.Name(id=name) as inner):
                self.value(target.slice)
                known = self.value(inner)
                if any(isinstance(one, (Table, Many, Pack)) for one in known):
                    self.world.names[name] = union([known, value(Table(given))])
                else:
                    self.session_calls.wrote_somewhere(target.lineno)
            case ast.Subscript(value=inner):
                self.value(target.slice)
                if not self.collections.put_in(inner, given):
                    self.value(inner)
                    self.session_calls.wrote_somewhere(target.lineno)

    @cached_property
    def _outer_names(self) -> frozenset[str]:
        """The names that the function binds for others, too: `global current`."""
        declared = [one for one in self.scope.statements() if isinstance(one, (ast.Global, ast.Nonlocal))]
        return frozenset(name for one in declared for name in one.names)

    def escaped(self, given: Value, line: int) -> None:
        """Something is put where other functions find it."""
        if objects(given):
            self.session_calls.wrote_somewhere(line)
        for number in self.held_by(given):
            self.session_calls.kept(number, line)

    def _unpack(self, targets: list[ast.expr], given: Value) -> None:
        found: list[list[Value]] = [[] for _ in targets]
        starred = any(isinstance(target, ast.Starred) for target in targets)
        for one in given:
            known = one.elements if isinstance(one, (Pack, Row)) else None
            if known is not None and len(known) == len(targets) and not starred:
                for place, element in zip(found, known, strict=True):
                    place.append(element)
            else:
                each = elements(listed(value(one)))
                for place in found:
                    place.append(each)
        for target, values in zip(targets, found, strict=True):
            if isinstance(target, ast.Starred):
                self.bind(target.value, value(Many(union(values))))
            else:
                self.bind(target, union(values))

    def set_attribute(self, base: Value, attribute: str, given: Value, line: int) -> None:
        """`user.name = name`."""
        for one in base:
            if not isinstance(one, One):
                continue
            known = mapped(one.class_, self.project) if one.class_ is not None else None
            self.touched(one, line, writes=known is None or bool(one.names) or known.may_have(attribute))
            if one.class_ is None and not one.names:
                self.session_calls.given(one.origin, attribute)  # it may be a relationship
            if known is not None and attribute in known.relationships:
                if not one.names:
                    self.session_calls.given(one.origin, attribute)
                for other in objects(given):
                    self.tie(one.origin, other.origin, line)

    def touched(self, one: One, line: int, *, writes: bool = True) -> None:
        """An object is changed; `writes`: that is something for the database."""
        standing = self.world.standing(one.origin)
        if writes and standing.scheduled and not standing.changed_since:
            stand(self.world, one.origin, changed_since=line)
        if one.origin.how is not How.MADE or standing.attached or standing.may_be_attached:
            if not standing.changed:
                stand(self.world, one.origin, changed=line, touched=standing.touched or line)
        self.session_calls.wrote(self.number(one.origin), line)
        if writes:
            self.session_calls.unsaved(self.home(one.origin), line)

    def tie(self, one: Origin, other: Origin, line: int) -> None:
        """A relationship leads from one object to the other: what adds the one adds the other (save-update)."""
        self.world.relate(one, other)
        if self.world.standing(one).attached or self.world.standing(one).may_be_attached:
            self.session_calls.cascade(one, line, into=self.number(one))

    def number(self, origin: Origin) -> int:
        """The session that an object is in, or was last; 0: none."""
        return self.record.added.get(origin, 0) or origin.session

    def home(self, origin: Origin) -> int:
        """The session that writes the object's changes: what is given beside a session is taken to be of that one."""
        if origin.how is How.GIVEN and not self.number(origin) and len(self.record.sessions) == 1:
            return 1
        return self.number(origin)

    # --- attributes and items ------------------------------------------------------------------------------------

    def attribute(self, node: ast.Attribute, base: Value, attribute: str) -> Value:
        if isinstance(node.value, ast.Name) and f"{node.value.id}.{attribute}" in self.world.names:
            return self.world.names[f"{node.value.id}.{attribute}"]
        found: list[Value] = []
        for one in base:
            match one:
                case One():
                    found.append(self._of_object(node, one, attribute))
                case SessionValue() if attribute == "sync_session":
                    found.append(value(one))
                case SessionValue(number=number) if attribute in METHODS:
                    # `detach = session.expunge`: whoever has the method has the session
                    self.record.escapes.setdefault(number, node.lineno)
                    self.session_calls.unknown(number, node.lineno)
                    found.append(value(Bearer(None, frozenset({number}))))
                case Row(elements=tuple(inner), names=names):
                    if attribute in names:
                        found.append(inner[names.index(attribute)])
                    else:
                        found.append(union(inner) if inner else PLAIN)
                case Row():
                    found.append(UNKNOWN)
                case Bearer(class_=ClassMeaning()) if (
                    held := self.functions.attribute(node, one, attribute)
                ) is not None:
                    found.append(held)
                case Plain() | Result() | Query():
                    found.append(PLAIN)
                case _:
                    found.append(self._meaning(node) if isinstance(node.value, (ast.Name, ast.Attribute)) else UNKNOWN)
        return union(found)

    def _of_object(self, node: ast.Attribute, one: One, attribute: str) -> Value:
        if attribute == "awaitable_attrs" or (one.names and one.names[-1] == "awaitable_attrs"):
            return self._awaitable(one, attribute)
        known = mapped(one.class_, self.project) if one.class_ is not None else None
        if attribute == "__dict__":
            self.record.asked[asked(self.scope, node, one)] = None
        by_hand = self.world.standing(one.origin).loaded
        left = self.is_left(self.number(one.origin))
        read = Read(one, attribute, node.lineno, node.col_offset, ast.unparse(node), left, by_hand, self.world.tested)
        if known is None:
            if one.class_ is not None:
                return UNKNOWN
            self._read(node, read)
            return value(One(one.origin, (*one.names, attribute), guards=one.guards))
        relationship = known.relationships.get(attribute)
        if relationship is None:
            if attribute in known.proxies:
                self._read(node, read)
                return UNKNOWN
            self._property(one, attribute, node.lineno)
            plain = attribute in known.columns or attribute in known.column_properties
            return PLAIN if plain else UNKNOWN
        above = self.scope.parents.of(node)
        if not (relationship.lazy == "write_only" and isinstance(above, ast.Attribute)):
            # `user.orders.select()` makes a statement, and works without a session
            self._read(node, read)
        session = self.session_of(self.number(one.origin))
        if session is not None and not session.is_async and not one.names and not read.left:
            self.session_calls.loaded(one.origin, attribute)  # it loads lazily
        other = One(one.origin, (*one.names, attribute), relationship.target, one.guards)
        if relationship.to_many is None:
            return value(replace(other, class_=None))
        return value(Many(value(other), relation=True)) if relationship.to_many else value(other, Nothing())

    def _read(self, node: ast.Attribute, read: Read) -> None:
        self.record.reads[read] = None
        self.noted_where_caught(node, read.one, read.attribute)

    def noted_where_caught(self, node: ast.expr, one: One, attribute: str = "") -> None:
        """Something of a detached object is read: it is noted where the code does something else if that raises."""
        if self.is_left(self.number(one.origin)) or one.origin.how in _FROM_ELSEWHERE:
            if text := caught(self.scope, node):
                self.record.asked[Asked(one, attribute, node.lineno, text)] = None

    def _property(self, one: One, attribute: str, line: int) -> None:
        """`user.home_city`, where that is a property of the class: it gets the object."""
        assert one.class_ is not None
        for base in self.project.bases(one.class_):
            if isinstance(base, ClassMeaning):
                name = f"{base.qualname}.{attribute}"
                if len(self.project.symbols.functions(base.module, name)) == 1:
                    left = self.is_left(one.origin.session)
                    function = FunctionMeaning(base.module, name, bound=True)
                    by_hand = self.world.standing(one.origin).loaded
                    self.record.passed[Passed(one, function, 0, None, line, left, by_hand, self.world.tested)] = None
                    return

    def _awaitable(self, one: One, attribute: str) -> Value:
        """`await user.awaitable_attrs.roles`: it is loaded when it is awaited."""
        if attribute == "awaitable_attrs":
            return value(replace(one, names=(*one.names, attribute)))
        owner = replace(one, names=one.names[:-1])
        known = mapped(one.class_, self.project) if one.class_ is not None else None
        relationship = known.relationships.get(attribute) if known is not None else None
        if relationship is None:
            return value(Later(UNKNOWN))
        if not owner.names and not self.is_left(self.number(one.origin)):
            self.session_calls.loaded(one.origin, attribute)
        other = One(one.origin, (*owner.names, attribute), relationship.target, one.guards)
        return value(Later(value(Many(value(other))) if relationship.to_many else value(other, Nothing())))

    def _item(self, base: Value, key: ast.expr) -> Value:
        found: list[Value] = []
        for one in base:
            match one:
                case Many() if isinstance(key, ast.Slice):
                    found.append(value(one))
                case Many(element=element):
                    found.append(element)
                case Pack(elements=inner) | Row(elements=tuple(inner)):
                    index = index_of(key)
                    if index is not None and -len(inner) <= index < len(inner):
                        found.append(inner[index])
                    elif isinstance(key, ast.Slice):
                        found.append(value(Many(union(inner))))
                    else:
                        found.append(union(inner) if inner else PLAIN)
                case Row() | Unbound():
                    found.append(UNKNOWN)
                case Nothing():
                    pass  # an error where it is run
                case Table(values=inner):
                    found.append(inner)
                case One(class_=None):
                    found.append(value(one))
                case Unknown(why=why) if why:
                    found.append(value(one))
                case Plain():
                    found.append(PLAIN)
                case _:
                    found.append(UNKNOWN)
        return union(found) if found else UNKNOWN

    # --- choices and collections ---------------------------------------------------------------------------------

    def _chosen(self, test: ast.expr, body: ast.expr, orelse: ast.expr) -> Value:
        self.value(test)
        start = self.world
        found, ends = [], []
        for branch, truth in ((body, True), (orelse, False)):
            narrow = narrowed(test, truth, start, self)
            if narrow is None:
                continue
            self.world = narrow
            found.append(self.value(branch))
            ends.append(self.world)
        self.world = joined(ends) or start
        return union(found)

    def _either(self, values: list[ast.expr], *, is_or: bool) -> Value:
        found: list[Value] = []
        ends = []
        for place, node in enumerate(values):
            given = self.value(node)
            if place == len(values) - 1:
                found.append(given)
                ends.append(self.world)
                break
            # the value stays when it decides: a true one of `or`, a false one of `and`
            kept = frozenset(one for one in given if may_be(one, is_or, self))
            if kept:
                found.append(kept)
                decided = narrowed(node, is_or, self.world, self)
                if decided is not None:
                    ends.append(decided)
            further = narrowed(node, not is_or, self.world, self)
            if further is None:
                break
            self.world = further
        self.world = joined(ends) or self.world
        return union(found)

    def _display(self, nodes: list[ast.expr]) -> Value:
        values = [self.value(node) for node in nodes]
        if any(isinstance(node, ast.Starred) for node in nodes):
            flat = [
                elements(listed(self.iterable(given))) if isinstance(node, ast.Starred) else given
                for node, given in zip(nodes, values, strict=True)
            ]
            return value(Many(union(flat), doubled=True))
        return value(Pack(tuple(values)))

    def iterable(self, given: Value) -> Value:
        """The value with results run: what can be iterated over."""
        found: list[Value] = []
        for one in given:
            if isinstance(one, (Result, Query)):
                found.append(results.many(one, self.path))
                self.came(found[-1])
            else:
                found.append(value(one))
        return union(found)

    def came(self, given: Value) -> None:
        """Objects have been loaded: they are in the session, as the database has them."""
        for one in objects(given, rows=True):
            self.arrived(one.origin)

    def arrived(self, origin: Origin) -> None:
        known = self.world.objects.get(origin)
        # others of that origin may be in a collection since another round of a loop
        held = any(
            one.origin == origin
            for given in self.world.names.values()
            for each in given
            if holds_others(each)
            for one in objects(value(each), rows=True)
        )
        if known is None or not held:
            session = self.world.sessions.get(self.number(origin))
            doubt = session.kept if session is not None else 0
            self.world.objects[origin] = Standing(attached=True, may_be_attached=True, may_be_expunged=doubt)

    def each(self, given: Value) -> Value:
        """What iterating over the value gives."""
        return elements(listed(self.iterable(given)))

    def _comprehension(
        self, nodes: list[ast.expr], generators: list[ast.comprehension], *, lazy: bool, table: bool = False
    ) -> Value:
        before = dict(self.world.names)
        doubled = len(generators) > 1
        source: set[One] = set()
        for generator in generators:
            given = self.iterable(self.value(generator.iter))
            doubled = doubled or is_doubled(given)
            source |= objects(given, rows=True)
            self.bind(generator.target, self.each(given))
            self.loops.append(set() if is_doubled(given) else objects(given))
            for test in generator.ifs:
                self.value(test)
                self.world = narrowed(test, True, self.world, self) or self.world
        values = [self.value(node) for node in nodes]
        del self.loops[len(self.loops) - len(generators) :]
        bound = {name for generator in generators for name in _targets(generator.target)}
        for name in bound:
            if name in before:
                self.world.names[name] = before[name]
            else:
                self.world.names.pop(name, None)
        if table:
            return value(Table(values[1]))
        met = {unguarded(one) for one in source}
        others = {one for one in objects(values[0]) if unguarded(one) not in met}
        others = {one for one in others if one.origin.how is not How.MADE or one.names}
        return value(Many(values[0], doubled or bool(others), lazy))


def _bound_again(scope: Scope) -> frozenset[str]:
    """The names that the function binds itself: a parameter among them need not be what was given."""
    return frozenset(
        node.id
        for node in walk(scope.node)
        if isinstance(node, ast.Name) and isinstance(node.ctx, (ast.Store, ast.Del))
    )


def _targets(target: ast.expr) -> list[str]:
    return [node.id for node in ast.walk(target) if isinstance(node, ast.Name)]
