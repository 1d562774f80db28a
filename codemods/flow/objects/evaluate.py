"""What an expression gives and does, with things standing as they do where it is evaluated. Changes only the world."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import replace
from typing import Protocol

from codemods.flow.objects import results, selects
from codemods.flow.objects.record import Passed, Read, Record, Serialized, Session, Summary
from codemods.flow.objects.session_calls import SessionCalls
from codemods.flow.objects.values import (
    EMPTY,
    NOTHING,
    PLAIN,
    UNKNOWN,
    Alternative,
    Bearer,
    Class,
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
    Selection,
    SessionValue,
    Table,
    Unbound,
    Unknown,
    Value,
    changed,
    elements,
    is_doubled,
    objects,
    sessions,
    union,
    value,
)
from codemods.flow.objects.world import Standing, World, stand
from codemods.flow.scope import Scope
from codemods.project.expressions import expression, is_logging
from codemods.project.mapped_classes import mapped
from codemods.project.models import is_schema
from codemods.project.sessions import (
    ClassMeaning,
    CoroutineMeaning,
    External,
    FunctionMeaning,
    InstanceMeaning,
    ModuleMeaning,
    Ownership,
    RegistryMeaning,
    SessionMeaning,
)

_COLLECTING = frozenset({"list", "tuple", "set", "frozenset", "sorted", "reversed", "iter", "deque", "OrderedSet"})
_FILLING = frozenset({"append", "add", "extend", "insert", "update", "appendleft", "remove", "discard", "clear"})
_FIRSTS = frozenset({"max", "min", "next"})
_PLAIN_BUILTINS = frozenset(
    {"len", "str", "int", "float", "bool", "bytes", "repr", "isinstance", "issubclass", "any", "all", "hash", "sum"}
    | {"round", "id", "format", "hasattr", "type", "callable", "abs", "ord", "chr", "print", "range", "divmod", "pow"}
)
_CASTS = frozenset({"typing.cast", "typing_extensions.cast"})
_GATHERING = frozenset({"asyncio.gather"})
_AWAITING = frozenset({"asyncio.wait_for", "asyncio.shield", "asyncio.create_task", "asyncio.ensure_future"})
_VALIDATING = frozenset({"model_validate", "from_orm", "parse_obj", "validate"})


class Summaries(Protocol):
    """Says what a function of the project gives; None when that cannot be told."""

    def of(self, function: FunctionMeaning) -> Summary | None: ...


class Evaluation:
    """Evaluates the expressions of one function."""

    def __init__(
        self,
        scope: Scope,
        record: Record,
        summaries: Summaries | None,
        taken: frozenset[tuple[int, int]] = frozenset(),
    ) -> None:
        """`taken`: where expressions stand that make a session which is to get a block of its own."""
        self.taken = taken
        self.scope = scope
        self.project = scope.project
        self.path = scope.place.path
        self.record = record
        self.summaries = summaries
        self.world = World()
        self.calls = SessionCalls(self)
        self.loops: list[set[One]] = []  # the loops around, each with the objects that it meets once
        self.filled: dict[One, set[tuple[int, int]]] = {}  # where objects are put into lists

    # --- expressions -------------------------------------------------------------------------------------------

    def value(self, node: ast.expr | None) -> Value:
        """What the expression gives; what it does is done to the world."""
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
                return self.call(node)
            case ast.Attribute(value=inner, attr=attribute):
                return self.attribute(node, self.value(inner), attribute)
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
                return value(Table(union([self.value(one) for one in given] or [PLAIN])))
            case ast.ListComp(elt=element) | ast.SetComp(elt=element):
                return self._comprehension([element], node.generators, lazy=False)
            case ast.GeneratorExp(elt=element):
                return self._comprehension([element], node.generators, lazy=True)
            case ast.DictComp(key=key, value=inner):
                return self._comprehension([key, inner], node.generators, lazy=False, table=True)
            case ast.BinOp(left=left, op=op, right=right):
                sides = [self.value(left), self.value(right)]
                if isinstance(op, ast.Add) and any(objects(side) for side in sides):
                    return value(Many(union([elements(_listed(side)) for side in sides]), doubled=True))
                return PLAIN
            case ast.Starred(value=inner):
                return self.value(inner)
            case ast.Lambda():
                return UNKNOWN
            case ast.Yield() | ast.YieldFrom():
                self.value(node.value)
                return UNKNOWN
            case _:
                for child in ast.iter_child_nodes(node):
                    if isinstance(child, ast.expr):
                        self.value(child)
                return PLAIN

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
        made = Session(number, name, node, means.is_async, means.expire_on_commit, own, **more)  # type: ignore[arg-type]
        self.record.sessions.append(made)
        return number

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
            case ast.Tuple(elts=targets) | ast.List(elts=targets):
                self._unpack(targets, given)
            case ast.Starred(value=inner):
                self.bind(inner, value(Many(union([elements(_listed(given))]))))
            case ast.Attribute(value=inner, attr=attribute):
                self.set_attribute(self.value(inner), attribute, given, target.lineno)
            case ast.Subscript(value=ast.Name(id=name) as inner):
                self.value(target.slice)
                known = self.value(inner)
                if any(isinstance(one, (Table, Many, Pack)) for one in known):
                    self.world.names[name] = union([known, value(Table(given))])
            case ast.Subscript(value=inner):
                self.value(inner)
                self.value(target.slice)

    def _unpack(self, targets: list[ast.expr], given: Value) -> None:
        found: list[list[Value]] = [[] for _ in targets]
        starred = any(isinstance(target, ast.Starred) for target in targets)
        for one in given:
            known = one.elements if isinstance(one, (Pack, Row)) else None
            if known is not None and len(known) == len(targets) and not starred:
                for place, element in zip(found, known, strict=True):
                    place.append(element)
            else:
                each = elements(_listed(value(one)))
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
            self.touched(one, line)
            known = mapped(one.class_, self.project) if one.class_ is not None else None
            if known is not None and attribute in known.relationships:
                if not one.names:
                    standing = self.world.standing(one.origin)
                    stand(self.world, one.origin, loaded=standing.loaded | {attribute})
                for other in objects(given):
                    self.tie(one.origin, other.origin, line)

    def touched(self, one: One, line: int) -> None:
        """An object is changed."""
        standing = self.world.standing(one.origin)
        if one.origin.how is not How.MADE or standing.attached or standing.may_be_attached:
            if not standing.changed:
                stand(self.world, one.origin, changed=line)
        self.calls.wrote(self.number(one.origin), line)

    def tie(self, one: Origin, other: Origin, line: int) -> None:
        """A relationship leads from one object to the other: what adds the one adds the other (save-update)."""
        self.world.relate(one, other)
        if self.world.standing(one).attached or self.world.standing(one).may_be_attached:
            self.calls.cascade(one, line, into=self.number(one))

    def number(self, origin: Origin) -> int:
        """The session that an object is in, or was last; 0: none."""
        return self.record.added.get(origin, 0) or origin.session

    # --- attributes and items ------------------------------------------------------------------------------------

    def attribute(self, node: ast.Attribute, base: Value, attribute: str) -> Value:
        found: list[Value] = []
        for one in base:
            match one:
                case One():
                    found.append(self._of_object(node, one, attribute))
                case SessionValue() if attribute == "sync_session":
                    found.append(value(one))
                case Row(elements=tuple(inner)):
                    found.append(union(inner) if inner else PLAIN)
                case Row():
                    found.append(value(Unknown("row")))
                case Plain() | Result() | Query():
                    found.append(PLAIN)
                case _:
                    found.append(self._meaning(node) if isinstance(node.value, (ast.Name, ast.Attribute)) else UNKNOWN)
        return union(found)

    def _of_object(self, node: ast.Attribute, one: One, attribute: str) -> Value:
        if attribute == "awaitable_attrs" or (one.names and one.names[-1] == "awaitable_attrs"):
            return self._awaitable(one, attribute)
        known = mapped(one.class_, self.project) if one.class_ is not None else None
        read = Read(one, attribute, node.lineno, node.col_offset, ast.unparse(node), self.is_left(one.origin.session))
        if known is None:
            if one.class_ is not None:
                return UNKNOWN
            self.record.reads[read] = None
            return value(One(one.origin, (*one.names, attribute)))
        relationship = known.relationships.get(attribute)
        if relationship is None:
            if attribute in known.proxies:
                self.record.reads[read] = None
                return UNKNOWN
            plain = attribute in known.columns or attribute in known.column_properties
            return PLAIN if plain else UNKNOWN
        above = self.scope.parents.of(node)
        if not (relationship.lazy == "write_only" and isinstance(above, ast.Attribute)):
            # `user.orders.select()` makes a statement, and works without a session
            self.record.reads[read] = None
        other = One(one.origin, (*one.names, attribute), relationship.target)
        if relationship.to_many is None:
            return value(replace(other, class_=None))
        return value(Many(value(other))) if relationship.to_many else value(other, Nothing())

    def _awaitable(self, one: One, attribute: str) -> Value:
        """`await user.awaitable_attrs.roles`: it is loaded when it is awaited."""
        if attribute == "awaitable_attrs":
            return value(replace(one, names=(*one.names, attribute)))
        owner = replace(one, names=one.names[:-1])
        known = mapped(one.class_, self.project) if one.class_ is not None else None
        relationship = known.relationships.get(attribute) if known is not None else None
        if relationship is None:
            return value(Later(UNKNOWN))
        if not owner.names and not self.is_left(one.origin.session):
            stand(self.world, one.origin, loaded=self.world.standing(one.origin).loaded | {attribute})
        other = One(one.origin, (*owner.names, attribute), relationship.target)
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
                    index = _index(key)
                    if index is not None and -len(inner) <= index < len(inner):
                        found.append(inner[index])
                    elif isinstance(key, ast.Slice):
                        found.append(value(Many(union(inner))))
                    else:
                        found.append(union(inner) if inner else PLAIN)
                case Row():
                    found.append(value(Unknown("row")))
                case Table(values=inner):
                    found.append(inner)
                case One(class_=None):
                    found.append(value(one))
                case Unknown(why=why) if why:
                    found.append(value(Unknown(why)))
                case Plain():
                    found.append(PLAIN)
                case _:
                    found.append(UNKNOWN)
        return union(found)

    # --- choices and collections ---------------------------------------------------------------------------------

    def _chosen(self, test: ast.expr, body: ast.expr, orelse: ast.expr) -> Value:
        from codemods.flow.objects.narrow import narrowed
        from codemods.flow.objects.world import joined

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
        from codemods.flow.objects.narrow import narrowed
        from codemods.flow.objects.world import joined

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
                elements(_listed(self.iterable(given))) if isinstance(node, ast.Starred) else given
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
            if not isinstance(each, One)
            for one in objects(value(each), rows=True)
        )
        if known is None or not held:
            self.world.objects[origin] = Standing(attached=True, may_be_attached=True)

    def each(self, given: Value) -> Value:
        """What iterating over the value gives."""
        return elements(_listed(self.iterable(given)))

    def _comprehension(
        self, nodes: list[ast.expr], generators: list[ast.comprehension], *, lazy: bool, table: bool = False
    ) -> Value:
        from codemods.flow.objects.narrow import narrowed

        before = dict(self.world.names)
        doubled = len(generators) > 1
        source: set[One] = set()
        for generator in generators:
            given = self.iterable(self.value(generator.iter))
            doubled = doubled or is_doubled(given)
            source |= objects(given, rows=True)
            self.bind(generator.target, self.each(given))
            for test in generator.ifs:
                self.value(test)
                self.world = narrowed(test, True, self.world, self) or self.world
        values = [self.value(node) for node in nodes]
        bound = {name for generator in generators for name in _targets(generator.target)}
        for name in bound:
            if name in before:
                self.world.names[name] = before[name]
            else:
                self.world.names.pop(name, None)
        if table:
            return value(Table(values[1]))
        others = {one for one in objects(values[0]) - source if one.origin.how is not How.MADE or one.names}
        return value(Many(values[0], doubled or bool(others), lazy))

    # --- calls ---------------------------------------------------------------------------------------------------

    def call(self, node: ast.Call) -> Value:
        if isinstance(node.func, ast.Attribute):
            base = self.value(node.func.value)
            found = self._method(node, node.func, base)
            if found is not None:
                return found
        return self._function(node)

    def _method(self, node: ast.Call, function: ast.Attribute, base: Value) -> Value | None:
        """What a method of something known gives; None: it is a function like any other."""
        method = function.attr
        found: list[Value] = []
        known = False
        for one in base:
            given: Value | None = None
            match one:
                case SessionValue(number=number):
                    given = self.calls.call(node, method, number)
                case Selection():
                    step = selects.step(one, node, method, self.scope, self.value)
                    if method == "options":
                        self.record.options[selects.end_of(node)] = node
                    self.arguments(node)
                    given = PLAIN if step is None else value(step)
                case Query(selection=Selection() as selection):
                    if method == "options":
                        self.record.options[selects.end_of(node)] = node
                    step = selects.step(selection, node, method, self.scope, self.value)
                    queried = results.called(one, method, self.path)
                    if all(isinstance(each, Unknown) for each in queried) and step is not None:
                        given = value(replace(one, selection=step))
                    else:
                        given = queried
                        self.came(given)
                    self.arguments(node)
                case Result():
                    self.arguments(node)
                    given = results.called(one, method, self.path)
                    if method == "scalars" and node.args:
                        index = _index(node.args[0])
                        chosen = replace(one, scalars=True, index=index or 0)
                        given = value(chosen) if index is not None and index >= 0 else PLAIN
                    self.came(given)
                case Many() | Pack() | Table():
                    given = self._collection(node, function, one, method)
                case One(names=names) if names or one.class_ is not None:
                    given = self._object_method(node, function, one, method)
            if given is not None:
                known = True
                found.append(given)
            elif not isinstance(one, (Nothing, Unbound)):
                found.append(UNKNOWN)
        return union(found) if known else None

    def _object_method(self, node: ast.Call, function: ast.Attribute, one: One, method: str) -> Value | None:
        self.attribute(function, value(one), method)
        self.arguments(node)
        if one.names and one.class_ is None and method in _FILLING:
            self.touched(one, node.lineno)
        means = self.scope.callee(node)
        if isinstance(means, FunctionMeaning):
            self._pass(means, node, value(one), bound=True)
        self.calls.wrote(self.number(one.origin), node.lineno)
        return UNKNOWN

    def _collection(self, node: ast.Call, function: ast.Attribute, one: Alternative, method: str) -> Value:
        given = union(self.arguments(node)) or PLAIN
        inner = elements(value(one)) if not isinstance(one, Table) else one.values
        if method in _FILLING:
            for owner in inner:
                if isinstance(owner, One) and owner.names:
                    # `user.orders.append(order)`
                    self.touched(One(owner.origin), node.lineno)
                    for other in objects(given):
                        self.tie(owner.origin, other.origin, node.lineno)
            if isinstance(function.value, ast.Name) and method not in ("remove", "discard", "clear"):
                name = function.value.id
                more = elements(_listed(self.iterable(given))) if method in ("extend", "update") else given
                before = self.world.names.get(name, EMPTY)
                filled = [each for each in before if isinstance(each, (Many, Pack))]
                if isinstance(one, Table):
                    self.world.names[name] = union([before, value(Table(more))])
                elif filled:
                    kept = frozenset(each for each in before if not isinstance(each, (Many, Pack)))
                    old = [
                        elements(value(each)) for each in filled if not (isinstance(each, Pack) and not each.elements)
                    ]
                    twice = any(isinstance(each, Many) and each.doubled for each in filled) or is_doubled(given)
                    many = Many(union([*old, more]), twice or self._may_repeat(node, more))
                    self.world.names[name] = union([kept, value(many)])
            return PLAIN
        if method in ("values", "copy"):
            return value(Many(inner)) if method == "values" else value(one)
        if method == "items":
            return value(Many(value(Pack((PLAIN, inner)))))
        if method in ("get", "pop", "setdefault", "popleft"):
            return union(
                [inner, NOTHING if method == "get" else EMPTY, given if method in ("get", "setdefault") else EMPTY]
            )
        return PLAIN

    def _may_repeat(self, node: ast.Call, more: Value) -> bool:
        """Whether what is put into a list may be in it already: not where one loop over distinct objects does it."""
        for one in objects(more):
            if one.origin.how is How.MADE and not one.names:
                continue
            places = self.filled.setdefault(one, set())
            places.add((node.lineno, node.col_offset))
            if len(self.loops) != 1 or one not in self.loops[0] or len(places) > 1:
                return True
        return False

    def arguments(self, node: ast.Call) -> list[Value]:
        """What the arguments give, in order; a lambda is taken to be called with the elements of the others."""
        given: list[Value] = []
        lambdas: list[ast.Lambda] = []
        for argument in [*node.args, *(keyword.value for keyword in node.keywords)]:
            if isinstance(argument, ast.Lambda):
                lambdas.append(argument)
                continue
            given.append(self.value(argument))
        for one in lambdas:
            bound = [*one.args.posonlyargs, *one.args.args]
            inner = union([elements(_listed(self.iterable(each))) for each in given] or [UNKNOWN])
            before = dict(self.world.names)
            for parameter in bound:
                self.world.names[parameter.arg] = inner
            self.value(one.body)
            self.world.names = {**before}
        return given

    def _function(self, node: ast.Call) -> Value:
        called = self.scope.callee(node)
        match called:
            case External(dotted=dotted):
                return self._external(node, dotted)
            case ClassMeaning():
                return self._constructed(node, called)
            case FunctionMeaning():
                return self._project_function(node, called)
            case _:
                return self._made_session(node) or self._unknown(node)

    def _made_session(self, node: ast.Call) -> Value | None:
        """`F()`: a session, where its block or assignment has not said so already."""
        means = self.scope.meaning(node)
        is_later = isinstance(means, CoroutineMeaning)
        if isinstance(means, CoroutineMeaning):
            means = means.value
        if isinstance(means, SessionMeaning):
            above = self.scope.parents.of(node)
            outer = above if isinstance(above, ast.Await) else node
            if (outer.lineno, outer.col_offset) in self.taken:
                means = replace(means, ownership=Ownership.FRESH, through="")
            number = self.session(node, means, "")
            given = value(SessionValue(number))
            return value(Later(given)) if is_later else given
        return None

    def _external(self, node: ast.Call, dotted: str) -> Value:
        if dotted in selects.SELECTS:
            self.record.nodes[(node.lineno, node.col_offset)] = node
            return value(selects.selection(node, dotted, self.scope, self.value))
        if dotted in selects.ALIASES and node.args:
            inner = self.value(node.args[0])
            return inner if any(isinstance(one, Class) for one in inner) else UNKNOWN
        if dotted in selects.WRITING or dotted in selects.TEXTS:
            self.arguments(node)
            if dotted in selects.TEXTS:
                return PLAIN
            gone = self.scope.meaning(node.args[0]) if node.args and dotted.endswith(".delete") else None
            deleted = gone if isinstance(gone, ClassMeaning) else None
            return value(Selection((), (node.lineno, node.col_offset), deletes=deleted))
        given = self.arguments(node)
        short = dotted.removeprefix("builtins.")
        if dotted.startswith("builtins.") or short in ("collections.deque",):
            found = self._builtin(node, short, given)
            if found is not None:
                return found
        if dotted in _CASTS and len(given) > 1:
            return given[1]
        if dotted in _GATHERING:
            gathered = tuple(awaited(one) for one in given)
            if any(self.number(one.origin) for each in gathered for one in objects(each)):
                return value(Later(value(Unknown(dotted))))  # one session in several tasks
            return value(Later(value(Pack(gathered))))
        if dotted in _AWAITING and given:
            return given[0]
        if dotted.startswith(("itertools.", "operator.")):
            return UNKNOWN
        if (made := self._made_session(node)) is not None:
            return made
        return self.opaque(node, given)

    def _builtin(self, node: ast.Call, name: str, given: list[Value]) -> Value | None:
        if name in _PLAIN_BUILTINS:
            for one in given:
                self.iterable(one)
            return PLAIN
        if name in _COLLECTING and given:
            listed = self.iterable(given[0])
            return value(Many(elements(_listed(listed)), is_doubled(listed), lazy=name in ("reversed", "iter")))
        if name in _FIRSTS and given:
            return union([self.each(given[0]), *given[1:2]]) if name == "next" else self.each(union(given[:1]))
        if name == "enumerate" and given:
            return value(Many(value(Pack((PLAIN, self.each(given[0])))), lazy=True))
        if name == "zip":
            return value(Many(value(Pack(tuple(self.each(one) for one in given))), lazy=True))
        if name == "dict" and given:
            return value(Table(union(given)))
        if name == "filter" and len(given) >= 1:
            listed = self.iterable(given[-1])
            return value(Many(elements(_listed(listed)), is_doubled(listed), lazy=True))
        if name == "setattr" and given:
            for each in given[0]:
                if isinstance(each, One):
                    self.touched(each, node.lineno)
            return PLAIN
        if name == "getattr" and given:
            return UNKNOWN
        return None

    def _constructed(self, node: ast.Call, class_: ClassMeaning) -> Value:
        if mapped(class_, self.project) is not None:
            origin = Origin(
                How.MADE, self.path, node.lineno, node.col_offset, 0, ast.unparse(node.func), class_, 0,
                (node.lineno, node.col_offset),
            )  # fmt: skip
            self.record.nodes[(node.lineno, node.col_offset)] = node
            set_by_hand = set()
            ties: list[Origin] = []
            known = mapped(class_, self.project)
            assert known is not None
            for argument in node.args:
                self.value(argument)
            for keyword in node.keywords:
                given = self.value(keyword.value)
                if keyword.arg in known.relationships:
                    set_by_hand.add(keyword.arg)
                    ties += [one.origin for one in objects(given)]
            stand(
                self.world, origin, attached=False, may_be_attached=False, pending=0, flushed=0, expired=0, changed=0,
                deleted=0, expunged=False, loaded=frozenset(set_by_hand),
            )  # fmt: skip
            for other in ties:
                self.tie(origin, other, node.lineno)
            return value(One(origin, (), class_))
        given_values = self.arguments(node)
        if is_schema(class_, self.project):
            return PLAIN
        if (made := self._made_session(node)) is not None:
            return made
        held = frozenset(number for one in given_values for number in sessions(one))
        if held:
            return value(Bearer(class_, held))
        if any(self._is_own(self.number(one.origin)) for each in given_values for one in objects(each)):
            return value(Unknown(f"{ast.unparse(node.func)}(...)"))
        return UNKNOWN

    def _project_function(self, node: ast.Call, called: FunctionMeaning) -> Value:
        made = self._made_session(node)
        if made is not None:
            return made
        receiver = self.value(node.func.value) if isinstance(node.func, ast.Attribute) else EMPTY
        summary = self.summaries.of(called) if self.summaries is not None else None
        given = self._pass(called, node, receiver, bound=called.bound)
        held = sorted({number for one in [receiver, *given.values()] for number in sessions(one)})
        if summary is None:
            for number in held:
                self.calls.unknown(number, node.lineno)
            why = ast.unparse(node.func) if held else ""
            return value(Unknown(why))
        return self._from_summary(node, called, summary, given, held)

    def _from_summary(
        self, node: ast.Call, called: FunctionMeaning, summary: Summary, given: dict[str, Value], held: list[int]
    ) -> Value:
        number = held[0] if len(held) == 1 else 0
        for one in held:
            self.calls.affected(one, summary.effects, node.lineno)
        for parameter, standing in summary.given.items():
            for other in objects(given.get(parameter, EMPTY)):
                self.calls.handed_back(other.origin, standing, node.lineno, number)
        moved: dict[Origin, Origin] = {}
        for index, origin in enumerate(summary.origins):
            if origin.how is How.GIVEN:
                continue
            own = origin in summary.own or not number
            new = Origin(
                How.CALLED, self.path, node.lineno, node.col_offset, index, called.qualname, origin.class_,
                0 if own else number, (node.lineno, node.col_offset), origin.joined,
            )  # fmt: skip
            moved[origin] = new
            self.record.called[new] = (called, index)
            self.record.nodes[(node.lineno, node.col_offset)] = node
            standing = summary.standings[origin]
            known = self.world.objects.get(new)
            if known is None:
                self.world.objects[new] = replace(standing, attached=standing.attached and not own)

        def arrive(one: One) -> One:
            return replace(one, origin=moved[one.origin]) if one.origin in moved else one

        result = frozenset(
            replace(one, anchor=(node.lineno, node.col_offset), options=(), foreign=called.qualname)
            if isinstance(one, Selection)
            else one
            for one in changed(summary.value, arrive)
        )
        self.record.nodes.setdefault((node.lineno, node.col_offset), node)
        for parameter in summary.parameters:
            replaced: list[Value] = []
            for alternative in result:
                if isinstance(alternative, One) and alternative.origin.how is How.GIVEN and not alternative.names:
                    if alternative.origin.what == parameter:
                        replaced.append(given.get(parameter) or UNKNOWN)
                        continue
                replaced.append(value(alternative))
            result = union(replaced)
        left = [one for one in objects(result) if one.origin.how is How.GIVEN and one.origin.path != self.path]
        if left:
            result = value(Unknown(ast.unparse(node.func) if held else ""))
        return value(Later(result)) if summary.is_async else result

    def _pass(self, called: FunctionMeaning, node: ast.Call, receiver: Value, *, bound: bool) -> dict[str, Value]:
        """Evaluates the arguments, notes what objects are handed on, and gives the values by parameter."""
        definitions = self.project.symbols.functions(called.module, called.qualname)
        names = [one.name for one in definitions[0].parameters if one.kind == "positional"] if definitions else []
        by_name: dict[str, Value] = {}
        offset = 1 if bound and definitions and definitions[0].in_class else 0
        if offset and names:
            by_name[names[0]] = receiver
            self._hand_on(called, 0, None, receiver, node.lineno)
        lambdas = any(isinstance(one, ast.Lambda) for one in [*node.args, *(key.value for key in node.keywords)])
        if lambdas:
            self.arguments(node)
        for index, argument in enumerate(node.args):
            given = UNKNOWN if isinstance(argument, ast.Lambda) else self.value(argument)
            if isinstance(argument, ast.Starred):
                continue
            if index + offset < len(names):
                by_name[names[index + offset]] = given
            self._hand_on(called, index + offset, None, given, node.lineno)
        for keyword in node.keywords:
            given = UNKNOWN if isinstance(keyword.value, ast.Lambda) else self.value(keyword.value)
            if keyword.arg is not None:
                by_name[keyword.arg] = given
                self._hand_on(called, None, keyword.arg, given, node.lineno)
        return by_name

    def _hand_on(
        self, called: FunctionMeaning, position: int | None, keyword: str | None, given: Value, line: int
    ) -> None:
        for one in objects(given):
            left = self.is_left(one.origin.session)
            self.record.passed[Passed(one, called, position, keyword, line, left)] = None
            self.calls.wrote(self.number(one.origin), line)

    def _unknown(self, node: ast.Call) -> Value:
        """Something that is not in view is called."""
        given = self.arguments(node)
        if isinstance(node.func, ast.Attribute):
            owner = self.scope.meaning(node.func.value)
            schema = owner if isinstance(owner, ClassMeaning) else None
            if schema is not None and node.func.attr in _VALIDATING and is_schema(schema, self.project):
                for one in {inner for each in given for inner in objects(self.iterable(each))}:
                    found = Serialized(one, schema, node.lineno, self.is_left(one.origin.session))
                    self.record.serialized[found] = None
                return PLAIN
            given.append(self.value(node.func.value))
        return self.opaque(node, given)

    def opaque(self, node: ast.Call, given: Iterable[Value]) -> Value:
        """What a call that cannot be followed gives: perhaps something out of the session it was handed."""
        held = {number for one in given for number in sessions(one)}
        if is_logging(expression(node.func)):
            return PLAIN
        for number in held:
            self.calls.unknown(number, node.lineno)
        for one in {inner.origin for each in given for inner in objects(each)}:
            standing = self.world.standing(one)
            self.calls.wrote(self.number(one), node.lineno)
            if held and not standing.may_be_expunged:
                stand(self.world, one, may_be_expunged=node.lineno)
        why = ast.unparse(node.func) if any(self._is_own(number) for number in held) else ""
        return value(Unknown(why))

    def _is_own(self, number: int) -> bool:
        session = self.session_of(number)
        return session is not None and session.own


def awaited(given: Value) -> Value:
    """What awaiting the value gives."""
    later = [one for one in given if isinstance(one, Later)]
    if later:
        return union([one.value for one in later])
    return given


def may_be(one: Alternative, truth: bool, evaluation: Evaluation) -> bool:
    """Whether the alternative can be true, or false."""
    match one:
        case Nothing() | Unbound():
            return not truth
        case One(class_=class_) if class_ is not None:
            known = mapped(class_, evaluation.project)
            return truth or known is None or known.own_truth
        case SessionValue() | Class() | Selection():
            return truth
        case Pack(elements=inner):
            return truth == bool(inner)
        case _:
            return True


def _listed(given: Value) -> Value:
    """Without what cannot be iterated over."""
    return frozenset(one for one in given if not isinstance(one, (Result, Query, Nothing, Unbound)))


def _index(key: ast.expr) -> int | None:
    match key:
        case ast.Constant(value=int(index)):
            return index
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int(index))):
            return -index
        case _:
            return None


def _targets(target: ast.expr) -> list[str]:
    return [node.id for node in ast.walk(target) if isinstance(node, ast.Name)]


__all__ = ["Evaluation", "InstanceMeaning", "ModuleMeaning", "Summaries", "awaited", "may_be"]
