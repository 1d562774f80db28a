"""What a function that is run later does with the session and the entities that it gets. Reads only."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from codemods.flow.objects.readers import Readers
from codemods.flow.objects.record import Record
from codemods.flow.objects.summaries import FunctionSummaries
from codemods.flow.objects.values import Nothing, Plain, Value, parts
from codemods.flow.objects.world import SessionStanding, World
from codemods.flow.scope import Scope
from codemods.flow.values import gives_plain as declared_plain
from codemods.plan import Fact
from codemods.project.expressions import expression, last_name
from codemods.project.facts import Call, FunctionFacts
from codemods.project.link import Project
from codemods.project.mapped_classes import below, mapped
from codemods.project.name_uses import Role
from codemods.project.sessions import ClassMeaning, External, FunctionMeaning

_OF_EVERY_CLASS = frozenset({"metadata", "registry", "awaitable_attrs", "model_fields", "model_config"})
_OF_SQLMODEL = frozenset({"model_dump", "model_dump_json", "model_copy", "sqlmodel_update", "dict", "json", "copy"})
_DEEP = 3


@dataclass(frozen=True, slots=True)
class Transient:
    """State of an object that its row does not hold."""

    text: str
    path: str
    line: int


def unmapped_reads(
    scope: Scope,
    name: str,
    class_: ClassMeaning,
    readers: Readers,
    by_hand: frozenset[str] = frozenset(),
    depth: int = _DEEP,
    *,
    many: bool = False,
) -> Iterator[Transient]:
    """What the function, and what it hands the object on to, reads of it that is neither mapped nor of its class.

    `by_hand` are attributes that are set on the object before it is handed over. `many`: it is a collection of such.
    """
    project = scope.project
    known = mapped(class_, project)
    for each in _elements(scope, name) if depth else ():
        yield from unmapped_reads(scope, each, class_, readers, by_hand, depth - 1)
    for use in () if many else scope.uses(name):
        if use.role is Role.ARGUMENT and use.call is not None and last_name(expression(use.call.func)) == "getattr":
            told = (
                use.call.args[1].value if len(use.call.args) > 1 and isinstance(use.call.args[1], ast.Constant) else ""
            )
            if isinstance(told, str) and told and _transient(class_, told, project, readers):
                yield Transient(f"{name}.{told}", scope.place.path, use.line)
        if use.role is Role.ATTRIBUTE and use.attribute in by_hand and known is not None:
            if not known.may_have(use.attribute):
                yield Transient(f"{name}.{use.attribute}", scope.place.path, use.line)
                continue
        if use.role in (Role.ATTRIBUTE, Role.METHOD) and use.attribute:
            if found := _transient(class_, use.attribute, project, readers):
                yield Transient(f"{name}.{use.attribute}", scope.place.path, use.line)
            elif found is None:
                return
        elif use.role is Role.ARGUMENT and use.call is not None and depth:
            called = scope.callee(use.call)
            if not isinstance(called, FunctionMeaning):
                continue
            inner = readers.summaries.scope(FunctionMeaning(called.module, called.qualname))
            parameter = _parameter(inner, use.position, use.keyword, bound=called.bound) if inner is not None else ""
            if inner is not None and parameter:
                yield from unmapped_reads(inner, parameter, class_, readers, by_hand, depth - 1)


def _elements(scope: Scope, name: str) -> Iterator[str]:
    """The names that loops and comprehensions give the elements of a collection."""
    for node in ast.walk(scope.node):
        if isinstance(node, (ast.For, ast.AsyncFor, ast.comprehension)) and isinstance(node.target, ast.Name):
            if isinstance(node.iter, ast.Name) and node.iter.id == name and node.target.id != name:
                yield node.target.id


def _parameter(scope: Scope, position: int | None, keyword: str | None, *, bound: bool) -> str:
    assert isinstance(scope.node, (ast.FunctionDef, ast.AsyncFunctionDef))
    if keyword is not None:
        return keyword if keyword in scope.parameters else ""
    names = [one.arg for one in [*scope.node.args.posonlyargs, *scope.node.args.args]]
    index = (position or 0) + (1 if bound else 0)
    return names[index] if position is not None and index < len(names) else ""


def _transient(class_: ClassMeaning, name: str, project: Project, readers: Readers) -> bool | None:
    """Whether an attribute is state that the row does not hold; None: nothing can be told of the class."""
    known = mapped(class_, project)
    if known is None:
        return None
    if name in known.column_properties and _is_query_expression(class_, name, project):
        return True
    if known.may_have(name) or name in _OF_EVERY_CLASS or name.startswith("__"):
        return False
    if any(_transient_below(other, name, project) for other in below(class_, project)):
        return True  # a SELECT of the class above does not load it
    for base in project.bases(class_):
        if not isinstance(base, ClassMeaning):
            continue
        if project.symbols.functions(base.module, f"{base.qualname}.{name}"):
            return _method_reads(base, name, class_, project, readers)
        facts = project.class_facts(base)
        if facts is not None and any(one.name == name and not one.method for one in facts.attributes):
            return False
    external = [base.dotted for base in project.bases(class_) if isinstance(base, External)]
    if any(one.startswith("sqlmodel") for one in external) and name in _OF_SQLMODEL:
        return False
    if any(not one.startswith(("sqlalchemy", "sqlmodel", "builtins.object", "abc.")) for one in external):
        return None
    return True


def _is_query_expression(class_: ClassMeaning, name: str, project: Project) -> bool:
    """`rank = query_expression()`: only a statement that says so fills it."""
    for base in project.bases(class_):
        facts = project.class_facts(base) if isinstance(base, ClassMeaning) else None
        for attribute in facts.attributes if facts else ():
            if attribute.name == name and isinstance(attribute.value, Call):
                return last_name(attribute.value.function) == "query_expression"
    return False


def _transient_below(class_: ClassMeaning, name: str, project: Project) -> bool:
    known = mapped(class_, project)
    return known is not None and (name in known.columns or name in known.relationships)


def _method_reads(owner: ClassMeaning, name: str, class_: ClassMeaning, project: Project, readers: Readers) -> bool:
    """Whether a method or property reads state of its object that the row does not hold."""
    scope = readers.summaries.scope(FunctionMeaning(owner.module, f"{owner.qualname}.{name}"))
    if scope is None or not isinstance(scope.node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return False
    own = [*scope.node.args.posonlyargs, *scope.node.args.args]
    if not own:
        return False
    return any(
        use.role in (Role.ATTRIBUTE, Role.METHOD)
        and use.attribute
        and use.attribute != name
        and _transient(class_, use.attribute, project, readers)
        for use in scope.uses(own[0].arg)
    )


def unsaved(record: Record, number: int) -> int:
    """The line of something that the function is to write and has not committed where it ends; 0: nothing."""
    for world in _ends(record):
        if number:
            known = world.sessions.get(number, SessionStanding())
            if known.uncommitted:
                return known.uncommitted
    return 0


def changed(record: Record, name: str) -> int:
    """The line on which the function changes the entity that it is given as `name`, uncommitted where it ends."""
    for world in _ends(record):
        for origin, standing in world.objects.items():
            if origin.what == name and origin.how.value == "given" and standing.changed:
                return standing.changed
    return 0


def deleted(record: Record, name: str) -> int:
    """The line on which the function deletes the entity that it is given as `name`; 0: it does not."""
    for world in _ends(record):
        for origin, standing in world.objects.items():
            if origin.what == name and origin.how.value == "given" and (standing.deleted or standing.may_be_deleted):
                return standing.deleted or standing.may_be_deleted
    return 0


def _ends(record: Record) -> Iterator[World]:
    yield from (left.world for left in record.exits.values())
    if record.end is not None:
        yield record.end


def gives_something(record: Record) -> bool:
    """Whether a `return` of the function gives something other than None."""
    return any(left.statement.value is not None and left.value != {Nothing()} for left in record.exits.values())


def gives_plain(record: Record, definition: FunctionFacts, function: FunctionMeaning, project: Project) -> bool:
    """Whether everything that the function gives is plain: as it is declared, or as far as can be seen."""
    return declared_plain(definition, function, project) or all(_is_plain(left.value) for left in record.exits.values())


def _is_plain(of: Value) -> bool:
    for one in of:
        inner = parts(one)
        if not isinstance(one, (Nothing, Plain)) and not inner:
            return False
        if any(not _is_plain(each) for each in inner):
            return False
    return True


def only_reads(record: Record, number: int) -> bool:
    """Whether the function does nothing with the session of this number but to read through it."""
    for world in _ends(record):
        known = world.sessions.get(number, SessionStanding())
        if known.uncommitted or known.committed or known.rolled_back or known.detached:
            return False
    return number not in record.escapes


def deferred_reads(scope: Scope, name: str, class_: ClassMeaning, readers: Readers) -> Iterator[tuple[str, int]]:
    """The deferred columns that the function reads of the object, each once, with the line."""
    known = mapped(class_, scope.project)
    seen: set[str] = set()
    for use in scope.uses(name):
        column = known.columns.get(use.attribute) if known is not None and use.role is Role.ATTRIBUTE else None
        if column is not None and column.deferred and column.name not in seen:
            seen.add(column.name)
            yield column.name, use.line


def raises_for_http(scope: Scope, summaries: FunctionSummaries, depth: int = 2) -> Fact | None:
    """Where the function, or one of the project that it calls, raises an HTTPException; None: it does not."""
    for node in scope.watched() if depth else ():
        called = scope.callee(node) if isinstance(node, ast.Call) else None
        if isinstance(called, FunctionMeaning):
            inner = summaries.scope(FunctionMeaning(called.module, called.qualname))
            if inner is not None and (fact := raises_for_http(inner, summaries, depth - 1)):
                return fact
    line = _raises(scope)
    return Fact(scope.place.path, line, "raises HTTPException") if line else None


def _raises(scope: Scope) -> int:
    for statement in scope.statements():
        if isinstance(statement, ast.Raise) and statement.exc is not None:
            call = statement.exc.func if isinstance(statement.exc, ast.Call) else statement.exc
            means = scope.meaning(call)
            dotted = means.dotted if isinstance(means, External) else ""
            if dotted.rpartition(".")[2] == "HTTPException":
                return statement.lineno
    return 0


def reads_only_key(scope: Scope, name: str, key: str) -> bool:
    """Whether all that the function does with the parameter is to read its key."""
    uses = [use for use in scope.uses(name) if use.role is not Role.BOUND]
    return bool(uses) and all(use.role is Role.ATTRIBUTE and use.attribute == key for use in uses)


def logger_of(scope: Scope) -> str:
    """The name of the logger of the function's file: `logger = logging.getLogger(...)` at its top level; "": none that
    the function can use by it."""
    bound = {node.id for node in ast.walk(scope.node) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    symbols = scope.project.symbols
    facts = symbols.facts.get(scope.place.path)
    for binding in facts.bindings if facts is not None else ():
        if len(binding.values) == 1 and last_name(getattr(binding.values[0], "function", binding.values[0])) == (
            "getLogger"
        ):
            return "" if binding.name in scope.parameters or binding.name in bound else binding.name
    return ""
