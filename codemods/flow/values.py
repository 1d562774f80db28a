"""What an expression carries out of a session: nothing, loaded objects, or the session itself. Pure.

Few answers are enough to place a block (`Carry`): a PLAIN value may leave it; a LOADED value may be read lazily
through the session; a HOLDER can use the session again (the session, a service made with it, an un-awaited
coroutine, a generator, a streaming result). In doubt the answer is the larger one. Kinds of results: semantics D.
"""

from __future__ import annotations

import ast
import enum
from collections.abc import Iterable, Mapping

from codemods.flow.reaching import binds_directly, captures
from codemods.flow.scope import Loop, Scope, With, own_expressions
from codemods.project.expressions import dotted, expression, is_logging
from codemods.project.facts import Attribute, Either, Expression, FunctionFacts, Item, Literal, Name
from codemods.project.keeping import Fate, handed
from codemods.project.keeping_methods import KEEPING
from codemods.project.link import Place, Project
from codemods.project.models import Member, is_mapped, is_schema, member
from codemods.project.own_object import gives_own_object
from codemods.project.sessions import ClassMeaning, External, FunctionMeaning, InstanceMeaning, Meaning, ModuleMeaning

# semantics D1
SYNC_METHODS = frozenset(
    {
        "add",
        "add_all",
        "begin",
        "begin_nested",
        "expire",
        "expire_all",
        "expunge",
        "expunge_all",
        "get_bind",
        "get_transaction",
        "in_nested_transaction",
        "in_transaction",
        "is_modified",
        "__contains__",
        "__iter__",
    }
)
_GIVES_NOTHING = frozenset(
    {
        "aclose",
        "add",
        "add_all",
        "close",
        "commit",
        "delete",
        "expire",
        "expire_all",
        "expunge",
        "expunge_all",
        "flush",
        "get_bind",
        "in_nested_transaction",
        "in_transaction",
        "invalidate",
        "is_modified",
        "refresh",
        "reset",
        "rollback",
        "bulk_save_objects",
        "bulk_insert_mappings",
        "bulk_update_mappings",
    }
)
METHODS = (
    SYNC_METHODS
    | _GIVES_NOTHING
    | {"get", "get_one", "merge", "execute", "scalar", "scalars", "exec", "stream", "stream_scalars", "connection"}
    | {"run_sync", "query"}
)
ATTACHING = frozenset({"add", "add_all", "refresh", "merge", "delete", "enable_relationship_loading"})
_SELECTING = frozenset({"execute", "scalar", "scalars", "exec", "stream", "stream_scalars"})
_STREAMING = frozenset({"stream", "stream_scalars"})
PLAIN_BUILTINS = frozenset(
    f"builtins.{name}"
    for name in (
        *("len", "str", "int", "float", "bool", "bytes", "repr", "isinstance", "issubclass", "any", "all", "hash"),
        *("round", "sum", "id", "format", "hasattr", "type", "callable", "abs", "ord", "chr", "print", "range"),
    )
)
_PLAIN_TYPES = frozenset(
    f"builtins.{name}" for name in ("int", "str", "float", "bool", "bytes", "complex", "None")
) | frozenset(
    {
        "datetime.datetime",
        "datetime.date",
        "datetime.time",
        "datetime.timedelta",
        "decimal.Decimal",
        "uuid.UUID",
        "pathlib.Path",
    }
)
_COLLECTIONS = frozenset(
    {"list", "dict", "set", "tuple", "frozenset", "List", "Dict", "Set", "Tuple", "Sequence", "Iterable", "Mapping"}
    | {"Optional", "Union", "Collection"}
)
SELECTS = frozenset(
    {
        "sqlalchemy.select",
        "sqlalchemy.future.select",
        "sqlalchemy.sql.select",
        "sqlalchemy.sql.expression.select",
        "sqlmodel.select",
        "sqlmodel.sql.expression.select",
    }
)
_PLAIN_STATEMENTS = frozenset(
    {
        f"{module}.{name}"
        for module in ("sqlalchemy", "sqlalchemy.sql", "sqlalchemy.sql.expression", "sqlmodel")
        for name in ("text", "insert", "update", "delete", "exists", "func", "literal", "literal_column")
    }
    | {"sqlalchemy.dialects.postgresql.insert", "sqlalchemy.dialects.sqlite.insert", "sqlalchemy.dialects.mysql.insert"}
)
_PLAIN_ATTRIBUTES = frozenset({"rowcount", "inserted_primary_key", "lastrowid", "is_active"})


# methods of a legacy Query that give the same query, narrowed
_QUERYING = frozenset({"filter", "filter_by", "where", "order_by", "options", "limit", "offset", "join", "outerjoin"})
# `Order(user=models.User())`: neither the module nor the class is tied to anything
_DEFINED = (ModuleMeaning, ClassMeaning, FunctionMeaning)
_OTHER_BINDINGS = (*Loop, *With, ast.Match, ast.Import, ast.ImportFrom)
_GATHERING = frozenset({"asyncio.gather", "asyncio.wait_for", "asyncio.shield"})
_LOADED_SETS = frozenset({"new", "dirty", "deleted", "identity_map"})
_STILL_RESULTS = frozenset({"scalars", "mappings", "tuples", "unique", "columns", "yield_per", "freeze", "partitions"})


class Carry(enum.IntEnum):
    """What a value takes along when it leaves the block; ordered."""

    PLAIN = 0
    BUFFERED = 1  # a result of plain rows, not consumed yet: an async one may leave (semantics B6), a sync one not
    LOADED = 2
    HOLDER = 3


class Values:
    """What the names of one function carry, for one session in it. Flow-insensitive: the most that they ever carry."""

    def __init__(
        self,
        scope: Scope,
        sessions: Iterable[str],
        statements: Iterable[ast.stmt],
        *,
        is_async: bool,
        made: ast.expr | None = None,
        known: Mapping[str, Carry] | None = None,
        gives: Mapping[ast.Call, Carry] | None = None,
        freed: frozenset[ast.Call] = frozenset(),
    ) -> None:
        """`sessions`: the names of the session; `statements`: those in which it lives (others cannot load from it).

        `made` is the expression that gives it, when it has no name; `known` is what names carry for
        another reason; `gives` says of calls of nested functions what they give, as these use the session by its name.
        `freed` are calls that carry nothing, whatever they are given.
        """
        self._freed = freed
        self._gives = gives or {}
        self._made = made
        self.scope = scope
        self.sessions = frozenset(sessions)
        self.is_async = is_async
        self.names: dict[str, Carry] = dict(known or {})
        self.entities: dict[str, ClassMeaning] = {}
        self._assigned: dict[str, list[ast.expr]] = {}
        self._ambiguous: set[str] = set()
        self._relations: list[tuple[str, str, str]] = []
        self._related: dict[str, set[str]] = {}
        self.attached: dict[str, int] = {}  # names of objects tied to the session by `add` and its like, first line
        every = list(statements)
        for statement in scope.statements():
            self._note(statement)
        changed = True
        while changed:
            before = dict(self.names), dict(self.entities)
            self._settle_relations()
            for statement in every:
                self._run(statement)
            changed = before != (self.names, self.entities)

    # --- names -------------------------------------------------------------------------------------------------

    def _note(self, statement: ast.stmt) -> None:
        for node in own_expressions(statement):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in KEEPING:
                if isinstance(node.func.value, ast.Attribute):
                    self._relate(node.func.value, node.args)
        for target, value in _assignments(statement):
            if isinstance(target, ast.Attribute):
                self._relate(target, [value])
            if isinstance(target, ast.Name):
                self._assigned.setdefault(target.id, []).append(value)

    def _relate(self, target: ast.Attribute, values: Iterable[ast.expr]) -> None:
        """`order.user = user`, `user.orders.append(order)`: the one that is tied to a session ties the other."""
        if not isinstance(target.value, ast.Name):
            return
        one = target.value.id
        for value in values:
            for node in ast.walk(value):
                if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id != one:
                    self._relations.append((one, target.attr, node.id))

    def _settle_relations(self) -> None:
        """Keeps of the noted pairs those whose attribute is a relationship of a mapped class."""
        for one, attribute, other in self._relations:
            class_ = self.entity(ast.Name(one, ast.Load()))
            if class_ is not None and member(class_, attribute, self.scope.project) is not Member.COLUMN:
                self._related.setdefault(one, set()).add(other)
                self._related.setdefault(other, set()).add(one)

    def _run(self, statement: ast.stmt) -> None:
        for target, value in _assignments(statement):
            self._bind(target, self.carry(value))
            self._is_entity(target, value)
        for node in own_expressions(statement):
            if isinstance(node, ast.NamedExpr):
                self._bind(node.target, max(self.carry(node.value), self._around(node)))
        if isinstance(statement, (ast.For, ast.AsyncFor)):
            self._bind(statement.target, self._element(statement.iter))
            self._is_entity(statement.target, statement.iter)
        if isinstance(statement, ast.Match):
            for case in statement.cases:
                for name in captures(case.pattern):
                    self._bind(ast.Name(name, ast.Store()), self.carry(statement.subject))
        if isinstance(statement, (ast.With, ast.AsyncWith)):
            for item in statement.items:
                if item.optional_vars is not None:
                    self._bind(item.optional_vars, self.carry(item.context_expr))
        for node in own_expressions(statement):
            if isinstance(node, ast.Call):
                self._effects(node)

    def _is_entity(self, target: ast.expr, value: ast.expr) -> None:
        """A name that is bound to entities of two classes is of neither."""
        if not isinstance(target, ast.Name) or target.id in self._ambiguous:
            return
        found, before = self.entity(value), self.entities.get(target.id)
        if found is None or found == before:
            return
        if before is None:
            self.entities[target.id] = found
        else:
            del self.entities[target.id]
            self._ambiguous.add(target.id)

    def _around(self, node: ast.expr) -> Carry:
        """What the comprehensions around an expression run over."""
        found = Carry.PLAIN
        for around in self.scope.parents.chain(node):
            if isinstance(around, ast.stmt):
                break
            for generator in getattr(around, "generators", ()):
                found = max(found, self._element(generator.iter))
        return found

    def _element(self, iterated: ast.expr) -> Carry:
        """What one element carries: the rows of a buffered result are plain."""
        carry = self.carry(iterated)
        if carry is Carry.HOLDER and (self.entity(iterated) or self._result_class(iterated)):
            return Carry.LOADED  # a query is run by iterating over it
        return Carry.PLAIN if carry is Carry.BUFFERED else carry

    def _bind(self, target: ast.expr, carry: Carry) -> None:
        if carry is Carry.PLAIN:
            return
        match target:
            case ast.Name(id=name) if name not in self.sessions:
                self.names[name] = max(self.names.get(name, Carry.PLAIN), carry)
            case ast.Tuple(elts=elements) | ast.List(elts=elements):
                for element in elements:
                    self._bind(element, carry)
            case ast.Starred(value=inner) | ast.Attribute(value=inner) | ast.Subscript(value=inner):
                self._bind(inner, carry)

    def _effects(self, node: ast.Call) -> None:
        """`session.add(user)` ties user to the session; `found.append(user)` puts it into found."""
        if not isinstance(node.func, ast.Attribute):
            self._filled(node)
            return
        base = node.func.value
        if isinstance(base, ast.Name) and base.id in self.sessions and node.func.attr in ATTACHING:
            for argument in node.args:
                for listed in argument.elts if isinstance(argument, (ast.List, ast.Tuple)) else [argument]:
                    given = listed
                    if isinstance(listed, ast.NamedExpr):
                        given = listed.target
                        self._cascade(listed.value, node.lineno)
                    if isinstance(given, ast.Name):
                        self._bind(given, Carry.LOADED)
                        if node.func.attr != "merge":  # it gives a copy, and leaves its argument alone (semantics D2)
                            self._attach(given.id, node.lineno)
                        if (found := self.entity(given)) is not None:
                            self.entities[given.id] = found
                    else:
                        self._cascade(given, node.lineno)
        elif node.func.attr in KEEPING:
            if isinstance(base, ast.Attribute) and self.carry(base) is not Carry.PLAIN:
                # `user.orders.append(order)`: the cascade ties the order to the session of the user
                for argument in node.args:
                    if isinstance(argument, ast.Name):
                        self._attach(argument.id, node.lineno)
            self._bind(base, self._most([*node.args, *(keyword.value for keyword in node.keywords)]))
        else:
            self._filled(node)

    def _attach(self, name: str, line: int) -> None:
        if name not in self.sessions and name not in self.attached:
            if isinstance(self.scope.project.name(name, self.scope.place), _DEFINED):
                return
            self.attached[name] = line
            self._bind(ast.Name(name, ast.Load()), Carry.LOADED)
            for value in self._assigned.get(name, ()):
                self._cascade(value, line)
            for other in sorted(self._related.get(name, ())):
                self._attach(other, line)

    def _cascade(self, made: ast.expr, line: int) -> None:
        """`session.add(Order(user=user))` ties the user to the session too: the save-update cascade."""
        if self._constructed(made) is not None:
            for name in sorted(self._given(made)):
                self._attach(name, line)

    def _given(self, value: ast.AST) -> set[str]:
        """The names whose objects `value` may be or hold; of an entity made in it, those its relationships get."""
        if isinstance(value, ast.Call) and (class_ := self._constructed(value)) is not None:
            related = [
                keyword.value
                for keyword in value.keywords
                if keyword.arg is not None and member(class_, keyword.arg, self.scope.project) is Member.RELATIONSHIP
            ]
            return {name for one in related for name in self._given(one)}
        if isinstance(value, (ast.ListComp, ast.SetComp, ast.GeneratorExp)):
            found = self._given(value.elt)
            for generator in reversed(value.generators):
                targets = set(_names(generator.target))
                if found & targets:  # the elements come from what it runs over
                    found = (found - targets) | self._given(generator.iter)
            return found
        if isinstance(value, ast.Name):
            return {value.id}
        return {name for inner in ast.iter_child_nodes(value) for name in self._given(inner)}

    def _filled(self, node: ast.Call) -> None:
        """`heappush(box, user)`, `setattr(dto, "user", user)`: made for its effect, it may put one into the other."""
        statement = self.scope.parents.of(node)
        if isinstance(statement, ast.Await):
            statement = self.scope.parents.of(statement)
        if not isinstance(statement, ast.Expr):
            return
        called = self.scope.callee(node)
        names = [argument for argument in node.args if isinstance(argument, ast.Name)]
        given = self._most([*node.args, *(keyword.value for keyword in node.keywords)])
        if given <= Carry.BUFFERED or any(name.id in self.sessions for name in names):
            return
        if isinstance(called, External) and called.dotted in PLAIN_BUILTINS:
            return
        if is_logging(expression(node.func)):
            return
        for index, argument in enumerate(node.args):
            if not isinstance(argument, ast.Name) or argument.id in self.sessions:
                continue
            if isinstance(called, FunctionMeaning):
                others = [other for other in range(len(node.args)) if other != index]
                project = self.scope.project
                if all(handed(called, other, None, project).fate < Fate.UNKNOWN for other in others):
                    continue
            self._bind(argument, given)

    # --- expressions -------------------------------------------------------------------------------------------

    def carry(self, node: ast.expr | None) -> Carry:
        """The most that the value of the expression can take along."""
        if node is not None and node is self._made:
            return Carry.HOLDER
        match node:
            case None | ast.Constant() | ast.JoinedStr() | ast.Compare() | ast.UnaryOp(op=ast.Not()) | ast.Slice():
                return Carry.PLAIN
            case ast.Name(id=name):
                return Carry.HOLDER if name in self.sessions else self.names.get(name, Carry.PLAIN)
            case ast.Await(value=value):
                return self._awaited(value)
            case ast.Call():
                return self._call(node, awaited=False)
            case ast.Attribute():
                return self._attribute(node)
            case ast.IfExp(body=body, orelse=orelse):
                return max(self.carry(body), self.carry(orelse))
            case ast.Subscript(value=value) | ast.Starred(value=value) | ast.NamedExpr(value=value):
                return self.carry(value)
            case ast.Yield() | ast.YieldFrom():
                return Carry.PLAIN
            case ast.ListComp(elt=element, generators=generators) | ast.SetComp(elt=element, generators=generators):
                return self._comprehension([element], generators, lazy=False)
            case ast.GeneratorExp(elt=element, generators=generators):
                return self._comprehension([element], generators, lazy=True)
            case ast.DictComp(key=key, value=value, generators=generators):
                return self._comprehension([key, value], generators, lazy=False)
            case _:
                return self._most(child for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr))

    def _most(self, nodes: Iterable[ast.expr | None]) -> Carry:
        return max((self.carry(node) for node in nodes), default=Carry.PLAIN)

    def _comprehension(self, elements: list[ast.expr], generators: list[ast.comprehension], *, lazy: bool) -> Carry:
        saved, saved_entities = dict(self.names), dict(self.entities)
        iterated = Carry.PLAIN
        try:
            for generator in generators:
                given = self._element(generator.iter)
                # a generator expression reads its rows when it is consumed
                iterated = max(iterated, given, self.carry(generator.iter) if lazy else given)
                for name in _names(generator.target):
                    self.names[name] = given
                    self.entities.pop(name, None)
                    if isinstance(generator.target, ast.Name) and (found := self.entity(generator.iter)) is not None:
                        self.entities[name] = found
            result = self._most(elements)
        finally:
            self.names, self.entities = saved, saved_entities
        return max(result, iterated) if lazy else result

    def _awaited(self, value: ast.expr) -> Carry:
        if isinstance(value, ast.Call):
            return self._call(value, awaited=True)
        # `await task`: what a coroutine that held the session gives
        return min(self.carry(value), Carry.LOADED)

    def is_pending(self, node: ast.expr | None, seen: frozenset[str] = frozenset()) -> bool:
        """Whether the value has yet to run on the session: a query, an un-awaited call, a stream, or a name of one."""
        match node:
            case ast.Name(id=name):
                values = () if name in seen else self._assigned.get(name, ())
                return any(self.is_pending(value, seen | {name}) for value in values)
            case ast.Await(value=ast.Call(func=ast.Attribute(value=base, attr=method))):
                return self.is_session(base) and method in _STREAMING
            case ast.Call(func=ast.Attribute(value=base, attr=method)):
                if self.is_session(base):
                    return method == "query" or (self.is_async and method in METHODS and method not in SYNC_METHODS)
                return not self.is_async and method in _QUERYING and self.is_pending(base, seen)
            case _:
                return False

    def is_session(self, node: ast.expr) -> bool:
        """Whether the expression is the session itself."""
        return node is self._made or (isinstance(node, ast.Name) and node.id in self.sessions)

    def _attribute(self, node: ast.Attribute) -> Carry:
        if self.is_session(node.value) and node.attr in _LOADED_SETS:
            return Carry.LOADED
        base = self.carry(node.value)
        if base <= Carry.BUFFERED or node.attr in _PLAIN_ATTRIBUTES:
            return Carry.PLAIN
        if base is Carry.LOADED:
            class_ = self.entity(node.value)
            if class_ is not None and member(class_, node.attr, self.scope.project) is Member.COLUMN:
                return Carry.PLAIN
        return base

    # --- calls -------------------------------------------------------------------------------------------------

    def _call(self, node: ast.Call, *, awaited: bool) -> Carry:
        if node in self._freed:
            return Carry.PLAIN
        given = self._most([*node.args, *(keyword.value for keyword in node.keywords)])
        if node in self._gives:
            return max(self._gives[node], min(given, Carry.LOADED) if awaited else given)
        if isinstance(node.func, ast.Attribute):
            base = self.carry(node.func.value)
            if self.is_session(node.func.value):
                return self._session_method(node, node.func.attr, awaited=awaited)
            if base is not Carry.PLAIN:
                return self._method(node, node.func.attr, base, given, awaited=awaited)
        held = self.carry(node.func) if not isinstance(node.func, ast.Attribute) else Carry.PLAIN
        if held > Carry.BUFFERED:
            # `run = session.execute`, `partial(load, session)`, an object that holds it and is called
            return Carry.LOADED if awaited or held is Carry.LOADED else Carry.HOLDER
        if given is Carry.BUFFERED and _is_lazy(self.scope.callee(node)):
            return given
        if given <= Carry.BUFFERED:
            return Carry.PLAIN
        return self._function(node, given, awaited=awaited)

    def _session_method(self, node: ast.Call, method: str, *, awaited: bool) -> Carry:
        if self.is_async and method not in SYNC_METHODS and not awaited:
            return Carry.HOLDER
        if method in _GIVES_NOTHING:
            return Carry.PLAIN
        if method in _SELECTING and node.args and self.selects_plain(node.args[0]):
            if method in _STREAMING:
                return Carry.HOLDER
            return Carry.PLAIN if method == "scalar" else Carry.BUFFERED
        if method in _STREAMING or method in ("query", "connection", "begin", "begin_nested", "get_transaction"):
            return Carry.HOLDER
        return Carry.LOADED

    def _method(self, node: ast.Call, method: str, base: Carry, given: Carry, *, awaited: bool) -> Carry:
        if base is Carry.BUFFERED:
            return Carry.BUFFERED if method in _STILL_RESULTS else given
        called = self.scope.meaning(node.func)
        if isinstance(called, FunctionMeaning):
            result = self._project_function(called, node, max(base, given), awaited=awaited)
            if base is Carry.HOLDER and result is Carry.LOADED and gives_own_object(called, self.scope.project):
                return Carry.HOLDER
            if base is Carry.HOLDER and self.is_async and not awaited and result is not Carry.PLAIN:
                return Carry.HOLDER  # it may hand out a coroutine of the object that holds the session
            return result
        if awaited:
            return Carry.LOADED
        if base is Carry.HOLDER and not self.is_async:
            # a legacy Query: `session.query(User).filter(...).all()`
            if method in ("count", "update", "delete", "exists"):
                return Carry.PLAIN
            if method in ("all", "first", "one", "one_or_none", "get", "scalar", "scalars", "fetchall", "fetchone"):
                return Carry.LOADED
        return max(base, given)

    def _function(self, node: ast.Call, given: Carry, *, awaited: bool) -> Carry:
        called = self.scope.meaning(node.func)
        project = self.scope.project
        match called:
            case External(dotted=name) if name in PLAIN_BUILTINS:
                return Carry.PLAIN
            case External(dotted=name) if awaited and name in _GATHERING:
                return max(self._awaited(one.value if isinstance(one, ast.Starred) else one) for one in node.args)
            case External(dotted=name):
                last = name.rpartition(".")[2]
                if last.endswith(("Error", "Exception")):
                    return Carry.PLAIN
                return min(given, Carry.LOADED) if awaited else given
            case FunctionMeaning():
                return self._project_function(called, node, given, awaited=awaited)
            case ClassMeaning() if is_schema(called, project):
                return Carry.PLAIN
            case _:
                return min(given, Carry.LOADED) if awaited else given

    def _project_function(self, called: FunctionMeaning, node: ast.Call, given: Carry, *, awaited: bool) -> Carry:
        definitions = self.scope.project.symbols.functions(called.module, called.qualname)
        suspended = any(one.is_async or one.is_generator for one in definitions) and not awaited
        if suspended:
            return given
        if definitions and all(gives_plain(one, called, self.scope.project) for one in definitions):
            return Carry.PLAIN
        if given is Carry.HOLDER and self._holds_in_result(called, node):
            return Carry.HOLDER
        return min(given, Carry.LOADED)

    def _holds_in_result(self, called: FunctionMeaning, node: ast.Call) -> bool:
        project = self.scope.project
        for index, argument in enumerate(node.args):
            if self.carry(argument) is Carry.HOLDER and handed(called, index, None, project).fate >= Fate.IN_RESULT:
                return True
        for keyword in node.keywords:
            if self.carry(keyword.value) is Carry.HOLDER and keyword.arg is not None:
                if handed(called, None, keyword.arg, project).fate >= Fate.IN_RESULT:
                    return True
        return False

    # --- statements and entities -------------------------------------------------------------------------------

    def selects_plain(self, statement: ast.expr) -> bool:
        """Whether a SQL expression gives rows of plain values: columns, functions, text, or no rows (semantics D2)."""
        return self._selects_plain(statement, frozenset())

    def _selects_plain(self, statement: ast.expr, seen: frozenset[str]) -> bool:
        if isinstance(statement, ast.Name):
            if statement.id in seen:
                return True  # `statement = statement.where(...)`: what it was before decides
            values = self._assigned.get(statement.id, [])
            if self._bound_otherwise(statement.id):
                return False
            return bool(values) and all(self._selects_plain(value, seen | {statement.id}) for value in values)
        root = statement
        while isinstance(root, ast.Call) and isinstance(root.func, ast.Attribute):
            if root.func.attr in ("returning", "add_columns", "from_statement", "options", "with_only_columns"):
                return False
            if isinstance(self.scope.meaning(root.func), External):
                break
            root = root.func.value
        if isinstance(root, ast.Name):
            return root.id in seen or (root is not statement and self._selects_plain(root, seen))
        if not isinstance(root, ast.Call):
            return False
        called = self.scope.meaning(root.func)
        if not isinstance(called, External):
            return False
        if called.dotted in SELECTS:
            return bool(root.args) and all(self._plain_column(argument) for argument in root.args)
        return called.dotted in _PLAIN_STATEMENTS or called.dotted.startswith("sqlalchemy.func.")

    def _bound_otherwise(self, name: str) -> bool:
        """Whether the name is a parameter, or bound by something else than an assignment."""
        return name in self.scope.parameters or any(
            isinstance(statement, _OTHER_BINDINGS) and binds_directly(statement, name)
            for statement in self.scope.statements()
        )

    def _plain_column(self, node: ast.expr) -> bool:
        if isinstance(node, ast.Call):
            called = self.scope.meaning(node.func)
            if isinstance(called, External) and called.dotted.startswith(("sqlalchemy.func.", "sqlalchemy.sql.func.")):
                return True
            # `func.count(User.id).label("n")`, `User.name.label("x")`
            return isinstance(node.func, ast.Attribute) and self._plain_column(node.func.value)
        if isinstance(node, ast.Attribute):
            owner = self.scope.meaning(node.value)
            return isinstance(owner, ClassMeaning) and (member(owner, node.attr, self.scope.project) is Member.COLUMN)
        return isinstance(node, ast.Constant)

    def entity(self, node: ast.expr) -> ClassMeaning | None:
        """The mapped class whose instance (or list of instances) the expression gives, where that can be seen."""
        match node:
            case ast.Name(id=name):
                if name in self.entities:
                    return self.entities[name]
                values = self._assigned.get(name, [])
                return self._constructed(values[0]) if len(values) == 1 else None
            case ast.Await(value=value) | ast.Subscript(value=value) | ast.NamedExpr(value=value):
                return self.entity(value)
            case (
                ast.ListComp(elt=element, generators=[generator, *_])
                | ast.SetComp(elt=element, generators=[generator, *_])
            ):
                if isinstance(element, ast.Name) and element.id in _names(generator.target):
                    return self.entity(generator.iter)
                return self.entity(element)
            case ast.Call(func=ast.Attribute(value=base, attr=method)):
                if self.is_session(base):
                    return self._loaded_class(node, method)
                if method in ("all", "first", "one", "one_or_none", "scalar_one", "scalar_one_or_none", "scalar"):
                    return self._result_class(base)
                return self._declared_class(node)
            case ast.Call(func=ast.Name(id="list" | "sorted"), args=[inner, *_]):
                return self.entity(inner) or self._result_class(inner)
            case ast.Call():
                return self._constructed(node) or self._declared_class(node)
            case _:
                return None

    def _constructed(self, node: ast.expr) -> ClassMeaning | None:
        if isinstance(node, ast.Call):
            class_ = self.scope.meaning(node.func)
            if isinstance(class_, ClassMeaning) and is_mapped(class_, self.scope.project):
                return class_
        return None

    def _loaded_class(self, node: ast.Call, method: str) -> ClassMeaning | None:
        if not node.args:
            return None
        if method in ("get", "get_one"):
            class_ = self.scope.meaning(node.args[0])
            return class_ if isinstance(class_, ClassMeaning) else None
        if method in ("scalar", "scalars"):
            return self.selected_class(node.args[0])
        return None

    def _result_class(self, node: ast.expr) -> ClassMeaning | None:
        """The entity class of a result: `result`, `result.scalars()`, `(await session.scalars(select(E)))`."""
        match node:
            case ast.Await(value=value):
                return self._result_class(value)
            case ast.Name(id=name):
                values = self._assigned.get(name, [])
                return self._result_class(values[0]) if len(values) == 1 else None
            case ast.Call(func=ast.Attribute(value=base, attr=method), args=arguments):
                if self.is_session(base) and arguments:
                    if method == "query":
                        class_ = self.scope.meaning(arguments[0])
                        mapped = isinstance(class_, ClassMeaning) and len(arguments) == 1
                        return class_ if mapped and isinstance(class_, ClassMeaning) else None
                    return self.selected_class(arguments[0]) if method in ("execute", "scalars", "exec") else None
                if isinstance(base, ast.Call) and not self.is_async and method in _QUERYING:
                    return self._result_class(base)
                return self._result_class(base) if method in ("scalars", "unique", "all") else None
            case _:
                return None

    def is_sql(self, statement: ast.expr) -> bool:
        """Whether the expression is built by SQLAlchemy's `select`, `insert`, `update`, `delete` or `text`."""
        root, seen = statement, set[str]()
        while True:
            if isinstance(root, ast.Name) and root.id not in seen and self._assigned.get(root.id):
                seen.add(root.id)
                root = self._assigned[root.id][0]
            elif isinstance(root, ast.Call):
                called = self.scope.meaning(root.func)
                if isinstance(called, External):
                    return called.dotted in SELECTS | _PLAIN_STATEMENTS
                root = root.func
            elif isinstance(root, ast.Attribute):
                root = root.value
            else:
                return False

    def selected_class(self, statement: ast.expr) -> ClassMeaning | None:
        """The mapped class that a SQL expression selects, when it is `select` of just that class."""
        root: ast.expr = statement
        seen: set[str] = set()
        while True:
            if isinstance(root, ast.Name) and root.id not in seen:
                seen.add(root.id)
                values = self._assigned.get(root.id, [])
                if not values:
                    return None
                root = values[0]
            elif isinstance(root, ast.Call) and isinstance(root.func, ast.Attribute):
                if isinstance(self.scope.meaning(root.func), External):
                    break
                root = root.func.value
            else:
                break
        if isinstance(root, ast.Call) and len(root.args) == 1:
            called = self.scope.meaning(root.func)
            if isinstance(called, External) and called.dotted in SELECTS:
                class_ = self.scope.meaning(root.args[0])
                if isinstance(class_, ClassMeaning) and is_mapped(class_, self.scope.project):
                    return class_
        return None

    def _declared_class(self, node: ast.Call) -> ClassMeaning | None:
        """The entity that a project function is declared to give: `-> User | None`, `-> list[User]`."""
        called = self.scope.meaning(node.func)
        if not isinstance(called, FunctionMeaning):
            return None
        for definition in self.scope.project.symbols.functions(called.module, called.qualname):
            told = definition.returns_annotation
            if isinstance(told, Item) and dotted(told.value).rpartition(".")[2] in ("list", "List", "Sequence"):
                told = told.key
            if told is None:
                return None
            declared = self.scope.project.declared(told, Place(called.module, definition.parent))
            if isinstance(declared, InstanceMeaning) and isinstance(declared.of, ClassMeaning):
                if is_mapped(declared.of, self.scope.project):
                    return declared.of
        return None


def _is_lazy(called: Meaning) -> bool:
    """`enumerate(rows)`, `itertools.chain(rows)`: read while they are consumed."""
    return isinstance(called, External) and (
        called.dotted.startswith("itertools.")
        or called.dotted in {f"builtins.{name}" for name in ("iter", "enumerate", "zip", "map", "filter", "reversed")}
    )


def _assignments(statement: ast.stmt) -> list[tuple[ast.expr, ast.expr]]:
    found: list[tuple[ast.expr, ast.expr]] = []
    match statement:
        case ast.Assign(targets=targets, value=value):
            found += [(target, value) for target in targets]
        case ast.AnnAssign(target=target, value=ast.expr() as value) | ast.AugAssign(target=target, value=value):
            found.append((target, value))
    found += [(node.target, node.value) for node in own_expressions(statement) if isinstance(node, ast.NamedExpr)]
    return found


def _names(target: ast.expr) -> list[str]:
    return [node.id for node in ast.walk(target) if isinstance(node, ast.Name)]


def gives_plain(
    definition: FunctionFacts, function: FunctionMeaning, project: Project, *, schemas: bool = True
) -> bool:
    """Whether the return annotation promises plain values: `int`, `str | None`, `list[UUID]`, a pydantic schema.

    Without `schemas` a schema promises nothing: what a route is declared to give is made of what it returns.
    """
    told = definition.returns_annotation
    return told is not None and plain_type(told, Place(function.module, definition.parent), project, schemas)


def plain_type(told: Expression, place: Place, project: Project, schemas: bool = True) -> bool:
    """Whether a declared type is one of plain values."""
    match told:
        case Literal(value=None):
            return True
        case Item(value=Name() | Attribute() as outer, key=key) if dotted(outer).rpartition(".")[2] in _COLLECTIONS:
            return plain_type(key, place, project, schemas)
        case Either(options=options):
            return all(plain_type(option, place, project, schemas) for option in options)
        case Name() | Attribute():
            meaning = project.meaning(told, place)
            if isinstance(meaning, External):
                return meaning.dotted in _PLAIN_TYPES
            return schemas and isinstance(meaning, ClassMeaning) and is_schema(meaning, project)
        case _:
            return False
