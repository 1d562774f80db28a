"""What a URL expression says about the database: a server, SQLite, another dialect, or nothing. Reads only.

Believed is what is written: a literal, or the literal beginning of a text that is put together, followed through names
that are bound once, and functions and properties of the project that return nothing else.
"""

from __future__ import annotations

import ast
import enum
import re
from collections.abc import Iterator
from dataclasses import dataclass

from codemods.flow.scope import Scope
from codemods.flow.sole_value import ModuleScope, sole_value
from codemods.flow.url_branches import Branch, branch_of, is_bound_by_expressions
from codemods.project.engines import SERVER_DIALECTS, SQLITE, URL_CLASSES, URL_MAKERS, dialect_of_type
from codemods.project.expressions import last_name, shown
from codemods.project.link import Place, Project
from codemods.project.nodes import walk
from codemods.project.sessions import ClassMeaning, External, FunctionMeaning, InstanceMeaning, Meaning

_SCHEME = re.compile(r"\s*([A-Za-z][A-Za-z0-9_]*)(?:\+[A-Za-z0-9_]+)?:")
_SQLITE_URL = re.compile(r"\s*sqlite(?:\+[a-z0-9_]+(?:\Z|:)|:)")
_IN_MEMORY = re.compile(r"\s*sqlite(?:\+[a-z0-9_]+)?://(?:/?|.*(?::memory:|mode=memory).*)\s*")
# with these a literal is only looked for
_LOOKING = frozenset({"startswith", "replace", "removeprefix", "split", "partition", "count", "find", "lstrip"})
_PROPERTIES = frozenset({"property", "cached_property", "computed_field"})
_KEEPING = frozenset({"cache", "lru_cache", "staticmethod", "classmethod"})
_DEPTH = 8


class Family(enum.StrEnum):
    """What kind of database it is."""

    SERVER = "a server"
    SQLITE = "SQLite"
    OTHER = "another dialect"
    UNKNOWN = "not told"


@dataclass(frozen=True, slots=True)
class DatabaseUrl:
    """What is known. `text` is the dialect, or the expression that does not say it."""

    family: Family
    text: str
    in_memory: bool = False  # SQLite whose database is gone with its connection
    not_sqlite: bool = False  # UNKNOWN, in a branch that is not SQLite's


def database_url(node: ast.expr, call: ast.Call | None, scope: Scope, module_scope: ModuleScope) -> DatabaseUrl:
    """What a URL that is written in `scope` says; with the conditions around `call`, when that stands there, too."""
    hidden = call is not None and is_bound_by_expressions(node, call, scope)
    found = {_judged(one) for one in _Beginnings(module_scope).of(node, scope)} if not hidden else set()
    if len(found) == 1:
        (one,) = found
        if one.family is not Family.UNKNOWN:
            return one
    families = {one.family for one in found}
    if families and families <= {Family.SERVER}:
        return DatabaseUrl(Family.SERVER, " or ".join(sorted(one.text for one in found)))
    if families and families <= {Family.SQLITE}:
        return DatabaseUrl(Family.SQLITE, SQLITE, any(one.in_memory for one in found))
    branch = branch_of(node, call, scope, module_scope) if call is not None else None
    if branch is Branch.SQLITE:
        return DatabaseUrl(Family.SQLITE, SQLITE)
    if branch is Branch.SERVER:
        return DatabaseUrl(Family.SERVER, "a server")
    return DatabaseUrl(Family.UNKNOWN, shown(node), not_sqlite=branch is Branch.NOT_SQLITE)


def _judged(beginning: _Beginning) -> DatabaseUrl:
    scheme = _SCHEME.match(beginning.text)
    if scheme is None:
        return DatabaseUrl(Family.UNKNOWN, "")
    dialect = scheme[1].lower()
    if dialect in SERVER_DIALECTS:
        return DatabaseUrl(Family.SERVER, dialect)
    if dialect == SQLITE:
        in_memory = beginning.whole and _IN_MEMORY.fullmatch(beginning.text) is not None
        return DatabaseUrl(Family.SQLITE, dialect, in_memory)
    return DatabaseUrl(Family.OTHER, dialect)


# --- how a text begins ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Beginning:
    """The literal beginning of a text; `whole`: it is all of it."""

    text: str
    whole: bool


_NOTHING = _Beginning("", False)


class _Beginnings:
    """The beginnings that a URL can have, one for each thing that it may be."""

    def __init__(self, module_scope: ModuleScope) -> None:
        self._module_scope = module_scope

    def of(self, node: ast.expr, scope: Scope, depth: int = 0) -> list[_Beginning]:
        if depth > _DEPTH:
            return [_NOTHING]
        deeper = depth + 1
        match node:
            case ast.Constant(value=str(text)):
                return [_Beginning(text, True)]
            case ast.NamedExpr(value=value):
                return self.of(value, scope, deeper)
            case ast.IfExp(body=body, orelse=orelse):
                return [*self.of(body, scope, deeper), *self.of(orelse, scope, deeper)]
            case ast.BoolOp(op=ast.Or(), values=values):
                return [one for value in values for one in self.of(value, scope, deeper)]
            case ast.JoinedStr(values=values):
                return self._joined(values, scope, deeper)
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                return self._joined([left, right], scope, deeper)
            case ast.BinOp(left=left, op=ast.Mod()):
                return [_cut(one, "%") for one in self.of(left, scope, deeper)]
            case ast.Call():
                return self._called(node, scope, deeper)
            case ast.Name() | ast.Attribute():
                return self._named(node, scope, deeper)
            case _:
                return [_NOTHING]

    def _named(self, node: ast.Name | ast.Attribute, scope: Scope, depth: int) -> list[_Beginning]:
        found = sole_value(node, scope, self._module_scope)
        if not isinstance(found, str):
            return self.of(found.node, found.owner, depth)
        if told := _of_type(scope.meaning(node)):
            return [told]
        return self._read(node, scope, depth) if isinstance(node, ast.Attribute) else [_NOTHING]

    def _read(self, node: ast.Attribute, scope: Scope, depth: int) -> list[_Beginning]:
        """What a property of an object of the project gives, and those of subclasses in its place."""
        owner, project = scope.meaning(node.value), scope.project
        if not isinstance(owner, InstanceMeaning) or not isinstance(owner.of, ClassMeaning):
            return [_NOTHING]
        if _is_set_below(owner.of, node.attr, project):
            return [_NOTHING]
        for base in project.bases(owner.of):
            if not isinstance(base, ClassMeaning):
                continue
            function = FunctionMeaning(base.module, f"{base.qualname}.{node.attr}")
            facts = project.class_facts(base)
            fields = [one for one in facts.attributes if one.name == node.attr] if facts is not None else []
            if fields:
                place = Place(base.module, base.qualname)
                told = [project.declared(one.annotation, place) for one in fields if one.annotation is not None]
                return [found] if len(fields) == len(told) == 1 and (found := _of_type(told[0])) else [_NOTHING]
            if project.symbols.functions(function.module, function.qualname):
                every = [function, *project.overrides(function)]
                return [one for each in every for one in self._returned(each, depth, _PROPERTIES)]
        return [_NOTHING]

    def _returned(
        self, function: FunctionMeaning, depth: int, decorators: frozenset[str] = frozenset()
    ) -> list[_Beginning]:
        """What the returns of a function of the project give; nothing for one with other decorators."""
        module = self._module_scope(function.module)
        facts = module.project.symbols.functions(function.module, function.qualname) if module is not None else ()
        if module is None or len(facts) != 1 or facts[0].is_generator or facts[0].is_async:
            return [_NOTHING]
        given = {last_name(one) for one in facts[0].decorators}
        if not given <= (decorators or _KEEPING) or bool(decorators) != bool(given & decorators):
            return [_NOTHING]
        node = next((one for one in module.parents.definitions if one.lineno == facts[0].line), None)
        if not isinstance(node, ast.FunctionDef):
            return [_NOTHING]
        inside = Scope(node, Place(function.module, function.qualname), module.parents, module.project)
        returns = [one.value for one in inside.statements() if isinstance(one, ast.Return)]
        if not returns:
            return [_NOTHING]
        return [
            one for value in returns for one in (self.of(value, inside, depth) if value is not None else [_NOTHING])
        ]

    def _joined(self, parts: list[ast.expr], scope: Scope, depth: int) -> list[_Beginning]:
        found = [_Beginning("", True)]
        for part in parts:
            inner = part.value if isinstance(part, ast.FormattedValue) else part
            plain = not isinstance(part, ast.FormattedValue) or (part.conversion == -1 and part.format_spec is None)
            told = self.of(inner, scope, depth) if plain else [_NOTHING]
            found = [_Beginning(one.text + next_.text, next_.whole) for one in found for next_ in told]
            if not all(one.whole for one in found):
                # the rest only matters where all before it is known
                return [one if not one.whole else _Beginning(one.text, False) for one in found]
        return found

    def _called(self, call: ast.Call, scope: Scope, depth: int) -> list[_Beginning]:
        means = scope.callee(call)
        dotted = means.dotted if isinstance(means, External) else ""
        if dotted == "builtins.str" or dotted in URL_MAKERS:
            return self.of(call.args[0], scope, depth) if len(call.args) == 1 else [_NOTHING]
        if dotted in URL_CLASSES or dotted.removesuffix(".create") in URL_CLASSES:
            return self._of_driver(_given(call, 0, "drivername"), call, scope, depth)
        if dotted.startswith("pydantic") and dotted.endswith(".build"):
            return self._of_driver(_given(call, None, "scheme"), call, scope, depth)
        if isinstance(means, FunctionMeaning):
            of, _, name = means.qualname.rpartition(".")
            if of and _is_set_below(ClassMeaning(means.module, of), name, scope.project):
                return [_NOTHING]
            every = [means, *scope.project.overrides(means)]
            return [one for each in every for one in self._returned(each, depth)]
        match call.func:
            case ast.Attribute(value=value, attr="format" | "format_map"):
                return [_cut(one, "{") for one in self.of(value, scope, depth)]
            case ast.Attribute(value=value, attr="render_as_string" | "unicode_string" | "strip"):
                return self.of(value, scope, depth)
            case ast.Attribute(value=value, attr="set"):
                driver = _given(call, None, "drivername")
                return self.of(value, scope, depth) if driver is None else self._of_driver(driver, call, scope, depth)
            case ast.Attribute(value=value, attr="replace"):
                return [_replaced(one, call) for one in self.of(value, scope, depth)]
        return [_NOTHING]

    def _of_driver(self, driver: ast.expr | None, call: ast.Call, scope: Scope, depth: int) -> list[_Beginning]:
        if driver is None:
            return [_NOTHING]
        database = _given(call, 5, "database")
        nowhere = isinstance(database, ast.Constant) and database.value in (None, "", ":memory:")
        in_memory = database is None or nowhere
        return [
            _Beginning(f"{one.text}://", in_memory) if one.whole and one.text else _NOTHING
            for one in self.of(driver, scope, depth)
        ]


def _is_set_below(class_: ClassMeaning, name: str, project: Project) -> bool:
    """Whether a subclass sets an attribute in the place of what the class has under that name."""
    for path in project.symbols.paths():
        for facts in project.symbols.facts[path].classes:
            below = ClassMeaning(path, facts.qualname)
            if below != class_ and any(one.name == name for one in facts.attributes) and class_ in project.bases(below):
                return True
    return False


def _of_type(means: Meaning) -> _Beginning | None:
    """How every value of a declared type begins."""
    if isinstance(means, InstanceMeaning) and isinstance(means.of, External):
        if dialect := dialect_of_type(means.of.dotted):
            return _Beginning(f"{dialect}://", False)
    return None


def _given(call: ast.Call, position: int | None, keyword: str) -> ast.expr | None:
    if position is not None and len(call.args) > position:
        return call.args[position]
    return next((one.value for one in call.keywords if one.arg == keyword), None)


def _cut(beginning: _Beginning, mark: str) -> _Beginning:
    before, found, _ = beginning.text.partition(mark)
    return _Beginning(before, beginning.whole and not found)


def _replaced(beginning: _Beginning, call: ast.Call) -> _Beginning:
    """What `text.replace(old, new)` gives, of a text that is known whole."""
    match call.args:
        case [ast.Constant(value=str(old)), ast.Constant(value=str(new)), *_] if old and beginning.whole:
            return _Beginning(beginning.text.replace(old, new), True)
    return _NOTHING


# --- the URLs that a file names -------------------------------------------------------------------------------------


def sqlite_urls(tree: ast.Module, *, or_its_name: bool = False) -> Iterator[tuple[int, bool]]:
    """(line, whether it is in memory) of the literals of a file that are URLs of SQLite, or begin like one.

    `or_its_name`: of a bare `"sqlite"`, too, as in `url.startswith("sqlite")`.
    """
    pieces: set[ast.AST] = set()  # literals that are only part of a URL
    looked_for: set[ast.AST] = set()
    for node in walk(tree):
        match node:
            case ast.JoinedStr(values=values) if len(values) > 1:
                pieces.update(values)
            case ast.BinOp(left=left):
                pieces.add(left)
            case ast.Call(func=ast.Attribute(value=value, attr=attr), args=arguments):
                if attr in _LOOKING:
                    looked_for.update(arguments)
                elif attr == "format":
                    pieces.add(value)
    for node in walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and _SQLITE_URL.match(node.value):
            whole = node not in pieces and node not in looked_for
            yield node.lineno, whole and ":" in node.value and _IN_MEMORY.fullmatch(node.value) is not None
        elif or_its_name and isinstance(node, ast.Constant) and node.value == SQLITE:
            yield node.lineno, False
        elif isinstance(node, ast.keyword) and node.arg == "drivername" and _is_sqlite(node.value):
            yield node.value.lineno, False
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "create":
            if node.args and _is_sqlite(node.args[0]):
                yield node.lineno, False


def _is_sqlite(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.partition("+")[0] == SQLITE
