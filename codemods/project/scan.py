"""One file's text to its facts. Pure: cacheable by content; never imports or runs what it reads."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import replace

from codemods import syntax
from codemods.plan import Source
from codemods.project.depends_calls import depends_calls, overrides
from codemods.project.expressions import OPAQUE, annotation, called_name, declared, dotted_name, expression
from codemods.project.facts import (
    IN_A_TEST,
    Attribute,
    AttributeSet,
    Binding,
    ClassFacts,
    Entered,
    Expression,
    FunctionFacts,
    Import,
    Iterated,
    ModuleFacts,
    Opaque,
    Parameter,
    ParameterUse,
    Passed,
    Replaced,
    RouteCall,
    Summary,
)
from codemods.project.field_expressions import class_attributes, field_value, returned_value, type_expression
from codemods.project.fixed_names import fixed_names
from codemods.project.given_back import given_back
from codemods.project.handed_names import handed_names
from codemods.project.handing_back import hands_back
from codemods.project.handing_on import handed_on
from codemods.project.lending import lending
from codemods.project.name_uses import Function, NameUse, Role, name_uses
from codemods.project.named_in_tests import is_test, named_by_text
from codemods.project.nodes import FIELDS, children, parents_of
from codemods.project.own_calls import own_calls
from codemods.project.parts_taken import parts_taken
from codemods.project.route_calls import decorator, route_call
from codemods.project.scheduler_names import STREAMING, SUSPECTED
from codemods.project.tables import tables
from codemods.project.type_scopes import shadowed
from codemods.syntax import nodes

_YIELDS: tuple[type[ast.AST], ...] = (ast.Yield, ast.YieldFrom)
_OBJECT_SESSION = {"async_object_session", "object_session", "awaitable_attrs"}


def parse(source: Source) -> ast.Module:
    """The tree of one file. Raises SyntaxError (also for what the running Python cannot read) and RecursionError."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # invalid escapes in someone else's strings are not ours to report
        try:
            return syntax.parse(source.text, source.path)
        except ValueError as error:  # NUL bytes
            raise SyntaxError(str(error)) from error
        except MemoryError as error:  # CPython's parser says so of too deep nesting
            raise RecursionError("nested too deeply for the parser") from error


def scan(source: Source) -> ModuleFacts:
    """The facts of one file. Raises SyntaxError and RecursionError as `parse` does."""
    return scan_tree(parse(source), source)


def scan_tree(tree: ast.Module, source: Source) -> ModuleFacts:
    """The facts of a file that is already parsed."""
    scanner = _Scanner(source, tree)
    bindings: Bound = {}
    scanner.body(tree.body, "", "", bindings)
    parents = scanner.parents
    if is_test(source.path, tree):
        known = {(one.target, one.line) for one in scanner.replaced}
        scanner.replaced += [
            Replaced(text, IN_A_TEST, line) for text, line in named_by_text(parents) if (text, line) not in known
        ]
    for global_name, values in scanner.globals.items():
        bindings.setdefault(global_name, []).extend(values)
    return ModuleFacts(
        path=source.path,
        module=source.module,
        is_package=source.is_package,
        imports=tuple(scanner.imports),
        stars=tuple(scanner.stars),
        public=_public(tree),
        bindings=_bindings(bindings),
        functions=tuple(scanner.functions),
        classes=tuple(scanner.classes),
        replaced=tuple(scanner.replaced),
        routes=tuple(scanner.routes),
        calls=frozenset(scanner.calls),
        attributes=frozenset(scanner.attributes),
        depends=(*depends_calls(parents, scanner.imports), *overrides(tree, parents)),
        object_session_lines=tuple(sorted(scanner.object_session_lines)),
        tables=tables(parents),
        handed_names=Summary(lambda: handed_names(parents)),
        fixed=fixed_names(tree, parents),
    )


Bound = dict[str, list[Expression]]


_OUTLIVING = frozenset({Role.STORED, Role.CONTAINED, Role.CAPTURED, Role.ALIASED, Role.YIELDED})


class _Scanner:
    """Walks one file once, scope by scope."""

    def __init__(self, source: Source, tree: ast.Module) -> None:
        self.source = source
        self.parents = parents_of(tree)
        self.has_yields = any(self.parents.of_kind(kind) for kind in _YIELDS)
        self.imports: list[Import] = []
        self.stars: list[str] = []
        self.functions: list[FunctionFacts] = []
        self.classes: list[ClassFacts] = []
        self.replaced: list[Replaced] = []
        self.routes: list[RouteCall] = []
        self.calls: set[str] = set()
        self.attributes: set[str] = set()
        self.object_session_lines: set[int] = set()
        self.globals: Bound = {}
        self.scope = ""
        self.type_names: frozenset[str] = frozenset()  # the type parameters of what stands around
        self.nonlocals: dict[str, Bound] = {}

    def body(self, statements: Iterable[ast.stmt], scope: str, in_class: str, bindings: Bound) -> None:
        """Statements of one scope; what they bind is added to `bindings`. `in_class`: the class whose body this is."""
        for statement in statements:
            self.statement(statement, scope, in_class, bindings)

    def statement(self, statement: ast.stmt, scope: str, in_class: str, bindings: Bound) -> None:
        match statement:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                self.function(statement, scope, in_class)
                return
            case ast.ClassDef():
                self.class_(statement, scope)
                return
            case ast.Import() | ast.ImportFrom():
                self.import_(statement, scope)
            case ast.Assign(targets=targets, value=value):
                for target in targets:
                    self.bind(target, expression(value), bindings)
                self.overrides(targets, statement.lineno, value)
            case ast.AnnAssign(target=target, annotation=told, value=value):
                known = expression(value)
                self.bind(target, declared(told) if isinstance(known, Opaque) else known, bindings)
            case nodes.TypeAlias(name=alias, value=value):
                generic = self.type_names.union(nodes.type_parameter_names(statement))
                self.bind(alias, shadowed(annotation(value), generic) or OPAQUE, bindings)
            case ast.AugAssign(target=target):
                self.bind(target, OPAQUE, bindings)
            case ast.For() | ast.AsyncFor():
                self.bind(statement.target, Iterated(expression(statement.iter)), bindings)
            case ast.With() | ast.AsyncWith():
                for item in statement.items:
                    if item.optional_vars is not None:
                        self.bind(item.optional_vars, Entered(expression(item.context_expr)), bindings)
        self.expressions(statement, bindings)
        for field in _SUITES[statement.__class__]:
            for child in getattr(statement, field):
                if isinstance(child, (ast.ExceptHandler, ast.match_case)):
                    if isinstance(child, ast.ExceptHandler) and child.name:
                        bindings.setdefault(child.name, []).append(OPAQUE)
                    if isinstance(child, ast.match_case):
                        for name in _captures(child.pattern):
                            bindings.setdefault(name, []).append(OPAQUE)
                    self.body(child.body, scope, in_class, bindings)
                else:
                    self.statement(child, scope, in_class, bindings)

    def expressions(self, statement: ast.stmt, bindings: Bound) -> None:
        """The expressions of one statement, but not of the statements inside it."""
        for node in _own_expressions(statement):
            if isinstance(node, ast.Call):
                called = called_name(node.func)
                self.calls.add(called)
                if called in _OBJECT_SESSION:
                    self.object_session_lines.add(node.lineno)
                self.replacement(node, called)
                route = route_call(node, self.scope)
                if route is not None:
                    self.routes.append(route)
            elif isinstance(node, ast.Attribute):
                self.attributes.add(dotted_name(node))
                if node.attr in _OBJECT_SESSION:
                    self.object_session_lines.add(node.lineno)
            elif isinstance(node, ast.NamedExpr):
                self.bind(node.target, expression(node.value), bindings)

    def bind(self, target: ast.expr, value: Expression, bindings: Bound) -> None:
        match target:
            case ast.Name(id=name):
                bindings.setdefault(name, []).append(value)
            case ast.Tuple(elts=elements) | ast.List(elts=elements):
                for element in elements:
                    self.bind(element, OPAQUE, bindings)
            case ast.Starred(value=inner):
                self.bind(inner, OPAQUE, bindings)

    def import_(self, statement: ast.Import | ast.ImportFrom, scope: str) -> None:
        if isinstance(statement, ast.Import):
            for alias in statement.names:
                module = alias.name if alias.asname else alias.name.partition(".")[0]
                self.imports.append(Import(alias.asname or module, module, None, statement.lineno, scope))
            return
        module = self.absolute(statement.module or "", statement.level)
        written = "." * statement.level + (statement.module or "")
        for alias in statement.names:
            if alias.name == "*":
                self.stars.append(module)
                continue
            self.imports.append(
                Import(alias.asname or alias.name, module, alias.name, statement.lineno, scope, written)
            )

    def absolute(self, module: str, level: int) -> str:
        """The absolute name of what a (relative) import names; "" when it leaves the package."""
        if level == 0:
            return module
        parts = self.source.module.split(".") if self.source.module else []
        if not self.source.is_package:
            parts = parts[:-1]
        if level - 1 > len(parts):
            return ""
        front = parts[: len(parts) - (level - 1)]
        return ".".join([*front, module] if module else front)

    def function(self, node: Function, scope: str, in_class: str) -> None:
        qualname = f"{scope}.{node.name}" if scope else node.name
        bindings: Bound = {}
        outer, self.scope = self.scope, qualname
        around = self.type_names
        type_names = self.type_names = around.union(nodes.type_parameter_names(node))
        self.body(node.body, qualname, "", bindings)
        self.scope, self.type_names = outer, around
        for name in type_names.difference(one.name for one in _parameters(node)):
            bindings.setdefault(name, [OPAQUE])
        own = list(_own_statements(node.body))
        declared_global = {name for statement in own if isinstance(statement, ast.Global) for name in statement.names}
        for name in declared_global:
            self.globals.setdefault(name, []).extend(bindings.pop(name, []))
        for statement in own:
            if isinstance(statement, ast.Nonlocal):
                # what the nested function binds is a value of the outer variable, too
                for name in statement.names:
                    self.nonlocals.setdefault(scope, {}).setdefault(name, []).extend(bindings.pop(name, [OPAQUE]))
        for name, values in self.nonlocals.pop(qualname, {}).items():
            bindings.setdefault(name, []).extend(values)
        yields = self.yields(node, own)
        calls = self.parents.of_kind_within(node, ast.Call)
        called = frozenset([called_name(call.func) for call in calls])
        given = [*(s.value for s in own if isinstance(s, ast.Return)), *yields]
        self.functions.append(
            FunctionFacts(
                qualname=qualname,
                line=node.lineno,
                is_async=isinstance(node, ast.AsyncFunctionDef),
                is_generator=bool(yields),
                in_class=in_class,
                decorators=tuple(decorator(one) for one in node.decorator_list),
                parameters=tuple(
                    replace(one, annotation=shadowed(one.annotation, type_names)) for one in _parameters(node)
                ),
                returns_annotation=shadowed(annotation(node.returns), type_names),
                returns_type=None if node.returns is None else type_expression(node.returns),
                bindings=_bindings(bindings),
                returns=tuple(
                    returned_value(node.name, s.value) for s in own if isinstance(s, ast.Return) and s.value is not None
                ),
                yields=tuple(expression(value) for value in yields),
                summary=Summary(lambda: tuple(self.summary(node))),
                gives=Summary(lambda: tuple(given_back(node, given, self.parents, self.passed))),
                returned_as_is=_returned_as_is(node.body),
                lends=lending(node) if yields else None,
                streams=_first_call(node, called & STREAMING),
                suspected_later=_first_call(node, called & SUSPECTED),
                calls=called,
                takes=Summary(lambda: tuple(parts_taken(node, self.parents))),
                calls_own=Summary(lambda: tuple(own_calls(node))) if in_class else Summary(()),
                hands_back=hands_back(node, self.parents),
                hands_on=handed_on(node, self.parents),
            )
        )
        for written in node.decorator_list:
            self.expressions(ast.Expr(written), {})

    def yields(self, node: Function, own: list[ast.stmt]) -> list[ast.expr | None]:
        """What the function yields, which is what no nested function yields."""
        if not self.has_yields:
            return []  # no function of the file yields, as nearly always
        return [
            inner.value
            for statement in own
            for inner in _own_expressions(statement)
            if isinstance(inner, (ast.Yield, ast.YieldFrom))
        ]

    def summary(self, node: Function) -> Iterator[ParameterUse]:
        arguments = node.args
        for argument in [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]:
            uses = name_uses(node, argument.arg, self.parents)
            if uses:
                yield self.parameter_use(argument.arg, uses)

    def parameter_use(self, name: str, uses: list[NameUse]) -> ParameterUse:
        def line(*roles: Role) -> int:
            return next((use.line for use in uses if use.role in roles), 0)

        returned = line(Role.RETURNED) or next(
            # `return session.scalar(...)` without await: what comes back still uses it
            (use.line for use in uses if use.role is Role.METHOD and not use.awaited and self.is_returned(use.call)),
            0,
        )
        closed = next((use.line for use in uses if use.role is Role.METHOD and use.attribute in ("close", "aclose")), 0)
        return ParameterUse(
            name,
            kept=line(Role.STORED, Role.CONTAINED),
            kept_by_self=all(self.is_on_self(use) for use in uses if use.role in (Role.STORED, Role.CONTAINED)),
            captured=line(Role.CAPTURED) or self.method_given_away(uses),
            returned=returned,
            yielded=line(Role.YIELDED),
            closed=closed,
            aliased=line(Role.ALIASED),
            methods=tuple(sorted({use.attribute for use in uses if use.role is Role.METHOD})),
            passed=tuple(
                self.passed(use, use.call) for use in uses if use.role is Role.ARGUMENT and use.call is not None
            ),
        )

    def is_returned(self, call: ast.Call | None) -> bool:
        return call is not None and isinstance(self.parents.of(call), ast.Return)

    def is_scheduled(self, call: ast.Call | None) -> bool:
        """Whether a call around this one goes by the name of a scheduler."""
        around = self.parents.chain(call) if call is not None else ()
        return any(isinstance(node, ast.Call) and called_name(node.func) in SUSPECTED for node in around)

    def is_on_self(self, use: NameUse) -> bool:
        """`self.session = session` in a method."""
        statement, function = self.parents.statement(use.node), self.parents.scope(use.node)
        targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
        first = function.args.args[:1] if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)) else []
        return bool(first) and all(target is not None and _is_attribute_of(target, first[0].arg) for target in targets)

    def method_given_away(self, uses: list[NameUse]) -> int:
        """The line on which a bound method is not called but handed on: `found.append(session.execute)`."""
        for use in uses:
            attribute = self.parents.of(use.node)
            if use.role is Role.ATTRIBUTE and attribute is not None:
                if isinstance(self.parents.of(attribute), (ast.Call, ast.keyword, ast.Assign, ast.List, ast.Tuple)):
                    if use.attribute in ("execute", "scalar", "scalars", "commit", "close", "add", "get", "delete"):
                        return use.line
        return 0

    def passed(self, use: NameUse, call: ast.Call) -> Passed:
        around: list[Expression] = []
        outermost: ast.AST = call
        for node in self.parents.chain(call):
            if isinstance(node, ast.stmt):
                break
            if isinstance(node, ast.Call):
                around.append(expression(node.func))
            outermost = node
        statement = self.parents.of(outermost)
        targets = statement.targets if isinstance(statement, ast.Assign) else []
        kept = any(isinstance(target, (ast.Attribute, ast.Subscript)) for target in targets)
        function = self.parents.scope(call)
        for target in targets:
            if isinstance(target, ast.Name) and not use.awaited:
                kept = kept or any(
                    result.role in _OUTLIVING
                    or (result.role is Role.ARGUMENT and not result.awaited)
                    or (result.role is Role.METHOD and not result.awaited and self.is_scheduled(result.call))
                    for result in name_uses(function, target.id, self.parents)
                )
        return Passed(
            expression(call.func), use.position, use.keyword, use.awaited, use.line, tuple(around), result_kept=kept
        )

    def class_(self, node: ast.ClassDef, scope: str) -> None:
        qualname = f"{scope}.{node.name}" if scope else node.name
        bindings: Bound = {}
        around = self.type_names
        self.type_names = around.union(nodes.type_parameter_names(node))
        self.body(node.body, qualname, qualname, bindings)
        self.type_names = around
        attributes = class_attributes(node, bindings)
        for method in node.body:
            if isinstance(method, (ast.FunctionDef, ast.AsyncFunctionDef)) and method.args.args:
                attributes += _attributes_set(method, method.args.args[0].arg, f"{qualname}.{method.name}")
        self.classes.append(
            ClassFacts(
                qualname=qualname,
                line=node.lineno,
                bases=tuple(expression(base) for base in node.bases),
                keywords=tuple((k.arg, expression(k.value)) for k in node.keywords if k.arg),
                attributes=tuple(attributes),
                decorators=tuple(expression(written) for written in node.decorator_list),
                type_parameters=_type_parameters(node),
            )
        )
        for written in node.decorator_list:
            self.expressions(ast.Expr(written), {})

    def overrides(self, targets: list[ast.expr], line: int, value: ast.expr) -> None:
        """`app.dependency_overrides[get_db] = ...`, `module.get_db = ...`"""
        for target in targets:
            match target:
                case ast.Subscript(value=ast.Attribute(attr="dependency_overrides"), slice=key):
                    self.replaced.append(Replaced(expression(key), "dependency_overrides", line, self.scope))
                case ast.Subscript(value=value):
                    self.attributes.add(f"{dotted_name(value)}.__setitem__")
                case ast.Attribute(value=ast.Name() | ast.Attribute()):
                    called = field_value(value) if isinstance(value, ast.Call) and not self.scope else None
                    self.replaced.append(Replaced(expression(target), "assignment", line, self.scope, called))

    def replacement(self, node: ast.Call, called: str) -> None:
        """`patch("a.b")`, `patch.object(a, "b")`, `monkeypatch.setattr("a.b", ...)` or `(a, "b", ...)`."""
        if called not in ("patch", "setattr", "object") or not node.args:
            return
        how = "monkeypatch.setattr" if called == "setattr" else "patch"
        match node.args:
            case [ast.Constant(value=str(text)), *_] if "." in text:
                self.replaced.append(Replaced(text, how, node.lineno, self.scope))
            case [target, ast.Constant(value=str(name)), *_]:
                base = expression(target)
                if not isinstance(base, Opaque):
                    self.replaced.append(Replaced(Attribute(base, name), how, node.lineno, self.scope))


def _bindings(found: Bound) -> tuple[Binding, ...]:
    return tuple(Binding(name, tuple(values)) for name, values in sorted(found.items()))


def _own_statements(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of one scope, those of nested functions and classes left out."""
    for statement in body:
        yield statement
        if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            continue
        for field in _SUITES[statement.__class__]:
            for child in getattr(statement, field):
                if isinstance(child, (ast.ExceptHandler, ast.match_case)):
                    yield from _own_statements(child.body)
                else:
                    yield from _own_statements([child])


def _own_expressions(statement: ast.stmt) -> list[ast.AST]:
    """Every expression node of a statement, but not of the statements inside it; lambdas included."""
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return []
    stack: list[ast.AST] = []
    for field in _HEAD[statement.__class__]:
        value = getattr(statement, field, None)
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, (ast.expr, ast.withitem, ast.keyword)):
                stack.append(child)
            elif isinstance(child, ast.ExceptHandler) and child.type is not None:
                stack.append(child.type)
            elif isinstance(child, ast.match_case) and child.guard is not None:
                stack.append(child.guard)
    found: list[ast.AST] = []
    while stack:
        node = stack.pop()
        found.append(node)
        stack += children(node)
    return found


class _FieldsOf(dict[type[ast.AST], tuple[str, ...]]):
    """Which of these fields, or which but these, a kind of statement has; looked up once for each kind."""

    def __init__(self, *fields: str, others: bool = False) -> None:
        self._fields = fields
        self._others = others

    def __missing__(self, kind: type[ast.AST]) -> tuple[str, ...]:
        if self._others:
            found = tuple(field for field in FIELDS[kind] if field not in self._fields)
        else:
            found = tuple(field for field in self._fields if field in kind._fields)
        self[kind] = found
        return found


_SUITES = _FieldsOf("body", "orelse", "finalbody", "handlers", "cases")
_HEAD = _FieldsOf("body", "orelse", "finalbody", others=True)


def _captures(pattern: ast.pattern) -> Iterator[str]:
    for node in ast.walk(pattern):
        name = getattr(node, "name", None) or getattr(node, "rest", None)
        if isinstance(name, str):
            yield name


def _parameters(node: Function) -> Iterator[Parameter]:
    arguments = node.args
    positional = [*arguments.posonlyargs, *arguments.args]
    defaults: list[ast.expr | None] = [None] * (len(positional) - len(arguments.defaults)) + list(arguments.defaults)
    for argument, default in zip(positional, defaults, strict=True):
        yield Parameter(
            argument.arg,
            annotation(argument.annotation),
            None if default is None else expression(default),
            "positional",
        )
    if arguments.vararg:
        yield Parameter(arguments.vararg.arg, None, None, "*")
    for argument, keyword_default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        default_value = None if keyword_default is None else expression(keyword_default)
        yield Parameter(argument.arg, annotation(argument.annotation), default_value, "keyword")
    if arguments.kwarg:
        yield Parameter(arguments.kwarg.arg, None, None, "**")


def _type_parameters(node: ast.ClassDef) -> tuple[str, ...]:
    """The names in `class Page[T, *Ts, **P]`, which Python knows since 3.12."""
    stars = {"TypeVarTuple": "*", "ParamSpec": "**"}
    return tuple(stars.get(one.__class__.__name__, "") + one.name for one in getattr(node, "type_params", ()))


def _first_call(node: Function, names: frozenset[str]) -> int:
    """The line of the least deeply nested call in a function that goes by one of the names; 0: none."""
    calls = ast.walk(node) if names else ()
    return next((one.lineno for one in calls if isinstance(one, ast.Call) and called_name(one.func) in names), 0)


def _returned_as_is(body: list[ast.stmt]) -> bool:
    """`return F()`, or `s = F()` and `return s`, with nothing in between: it only makes what it returns."""
    rest = [s for s in body if not (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant))]
    match rest:
        case [ast.Return()]:
            return True
        case [ast.Assign(targets=[ast.Name(id=bound)]), ast.Return(value=ast.Name(id=returned))]:
            return bound == returned
        case _:
            return False


def _attributes_set(method: Function, receiver: str, qualname: str) -> Iterator[AttributeSet]:
    for statement in _own_statements(method.body):
        match statement:
            case ast.Assign(targets=targets, value=value):
                for target in targets:
                    if _is_attribute_of(target, receiver):
                        yield AttributeSet(target.attr, expression(value), qualname)  # type: ignore[attr-defined]
            case ast.AnnAssign(target=ast.Attribute(value=ast.Name(id=name), attr=attr), annotation=told, value=value):
                if name == receiver:
                    known = expression(value)
                    yield AttributeSet(attr, declared(told) if isinstance(known, Opaque) else known, qualname)
            case ast.With(items=items) | ast.AsyncWith(items=items):
                for item in items:
                    if item.optional_vars is not None and _is_attribute_of(item.optional_vars, receiver):
                        entered = Entered(expression(item.context_expr))
                        yield AttributeSet(item.optional_vars.attr, entered, qualname)  # type: ignore[attr-defined]


def _is_attribute_of(node: ast.expr, receiver: str) -> bool:
    return isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == receiver


def _public(tree: ast.Module) -> tuple[str, ...] | None:
    """What `__all__` names; None when there is none, or when it is built in a way that cannot be read."""
    names: list[str] | None = None
    for statement in tree.body:
        match statement:
            case (
                ast.Assign(targets=[ast.Name(id="__all__")], value=value)
                | ast.AnnAssign(target=ast.Name(id="__all__"), value=ast.expr() as value)
            ):
                names = _literal_names(value)
                if names is None:
                    return None
            case ast.AugAssign(target=ast.Name(id="__all__"), value=value):
                more = _literal_names(value)
                if names is None or more is None:
                    return None
                names += more
            case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id="__all__")))):
                return None
    return None if names is None else tuple(names)


def _literal_names(value: ast.expr) -> list[str] | None:
    if not isinstance(value, (ast.List, ast.Tuple)):
        return None
    found = [e.value for e in value.elts if isinstance(e, ast.Constant) and isinstance(e.value, str)]
    return found if len(found) == len(value.elts) else None
