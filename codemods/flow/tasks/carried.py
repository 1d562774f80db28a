"""What the calls of one function that run something later hand over, and how that stands then. Reads only."""

from __future__ import annotations

import ast
import enum
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property

from codemods.flow.objects.record import Record, Session, Watched
from codemods.flow.objects.values import (
    EMPTY,
    Alternative,
    Bearer,
    Closure,
    How,
    Many,
    Nothing,
    One,
    Pack,
    Plain,
    SessionValue,
    Unbound,
    Unknown,
    Value,
    objects,
    sessions,
)
from codemods.flow.objects.world import SessionStanding, Standing, World
from codemods.flow.scheduling import Argument, Scheduling
from codemods.flow.scope import Scope, With
from codemods.project.expressions import last_name
from codemods.project.facts import Expression, Item
from codemods.project.keeping import parameter_name
from codemods.project.link import Place, Project
from codemods.project.mapped_classes import mapped
from codemods.project.mapping import Direction
from codemods.project.models import is_schema
from codemods.project.session_holders import holds_session
from codemods.project.sessions import ClassMeaning, External, FunctionMeaning, InstanceMeaning, SessionMeaning

_OF_SESSIONS = frozenset({"commit", "rollback", "scalars", "scalar", "flush", "refresh", "execute", "add", "merge"})
_PLAIN = ("builtins.", "uuid.", "datetime.", "decimal.", "enum.", "pathlib.", "fastapi.UploadFile", "pydantic.")


class What(enum.StrEnum):
    """What an argument is."""

    PLAIN = "plain"
    SESSION = "a session"
    ENTITY = "an entity"
    ENTITIES = "a collection of entities"
    HOLDER = "something that holds a session"
    CONTAINER = "something that holds an entity"
    MIXED = "one of several things"
    UNTOLD = "had through a session"  # and it cannot be told what it is
    OTHER = "unknown"


@dataclass(frozen=True, slots=True, eq=False)
class Given:
    """One argument: what it is, and how it stands where the call is made."""

    argument: Argument
    what: What
    one: One | None = None  # of an entity, or of the elements of a collection
    optional: bool = False  # it may be None
    session: int = 0  # its number: the session itself, or the one that the entity is in
    standing: Standing = field(default_factory=Standing)
    mixed_in: bool = False  # one of the several things that it may be does not matter

    @property
    def text(self) -> str:
        return ast.unparse(self.argument.value)

    @property
    def class_(self) -> ClassMeaning | None:
        return self.one.class_ if self.one is not None else None

    @property
    def matters(self) -> bool:
        """It is a session or an entity, or holds one."""
        return self.what not in (What.PLAIN, What.OTHER)

    @property
    def is_certain(self) -> bool:
        """Whether it is told that it matters, in one way or another."""
        return self.matters and self.what is not What.UNTOLD and not self.mixed_in


@dataclass(frozen=True, slots=True)
class Owner:
    """`service` in `service.send`."""

    text: str
    what: What


@dataclass(frozen=True, eq=False)
class Site:
    """One call that runs something later, in the function `scope`, which was run as `record` says."""

    scope: Scope
    record: Record
    scheduling: Scheduling
    given: tuple[Given, ...]
    captured: tuple[str, ...] = ()  # names of sessions and entities that the nested function, or lambda, holds
    owner: Owner | None = None  # the object whose method is run, where that matters
    shared: frozenset[str] = frozenset()  # the sessions that go along, in whatever form, by what tells them apart

    @property
    def path(self) -> str:
        return self.scope.place.path

    @property
    def line(self) -> int:
        return self.scheduling.call.lineno

    @cached_property
    def function(self) -> FunctionMeaning | None:
        """The function of the project that is run later."""
        if self.scheduling.target is None:
            return None
        means = self.scope.meaning(self.scheduling.target)
        return means if isinstance(means, FunctionMeaning) else None

    @property
    def is_carrying(self) -> bool:
        """Whether a session or an entity goes along."""
        return any(one.matters for one in self.given) or bool(self.captured or self.owner)

    @property
    def is_certain(self) -> bool:
        """Whether it is told that a session or an entity goes along, and that what it goes to runs later."""
        certain = any(one.is_certain for one in self.given) or bool(self.captured)
        certain = certain or (self.owner is not None and self.owner.what is not What.UNTOLD)
        return self.scheduling.proved and certain

    @property
    def has_session(self) -> bool:
        """Whether what goes along is, or holds, a session."""
        kinds = {one.what for one in self.given} | ({self.owner.what} if self.owner is not None else set())
        return bool(self.shared) or bool(kinds & {What.SESSION, What.HOLDER})

    @property
    def is_waited_for(self) -> bool:
        """Whether the function waits for it while the sessions that go along are open."""
        if not self.scheduling.result_used:
            return False
        for number in self.numbers | {int(one) for one in self.shared if one.isdigit()}:
            session = self.session(number)
            block = session.block if session is not None else None
            if block is not None and not any(self._is_in(wait, block) for wait in self.scheduling.waits):
                return False
        return True

    def _is_in(self, wait: ast.AST, block: ast.AST) -> bool:
        return wait is block or any(around is block for around in self.scope.parents.chain(wait))

    @property
    def is_plain(self) -> bool:
        """Whether it is certain that nothing but values goes along, and that what runs holds nothing else."""
        if any(one.what is not What.PLAIN for one in self.given) or self.function is None:
            return self.scheduling.target is None and all(one.what is What.PLAIN for one in self.given)
        parent = self.function.qualname.rpartition(".")[0]
        symbols = self.scope.project.symbols
        return not parent or symbols.class_(self.function.module, parent) is not None

    def session(self, number: int) -> Session | None:
        return self.record.sessions[number - 1] if 0 < number <= len(self.record.sessions) else None

    @cached_property
    def numbers(self) -> frozenset[int]:
        """The sessions whose writes the task may need."""
        return frozenset(one.session for one in self.given if one.session)

    # --- what is committed -------------------------------------------------------------------------------------

    def unwritten(self, *, at_once: bool) -> int:
        """The line of something that is, or may be, not committed when the task starts; 0: everything is.

        `at_once`: it may start right at the call, and run on behind it; else it starts when the function has ended.
        """
        if at_once:
            seen = self.record.seen.get(self.scheduling.call)
            at_call = self._in(seen.world) if seen is not None else self.line
            if at_call or (changed := self._changed_since()):
                return at_call or changed
            # what is written behind the call, the task may commit today
        for left in self.record.exits.values():
            if (line := self._in(left.world)) and not self._commits(left.statement):
                return line
        return self._in(self.record.end) if self.record.end is not None else 0

    def is_saved(self, number: int) -> bool:
        """Whether the session has surely been committed by this function when the call is made."""
        seen = self.record.seen.get(self.scheduling.call)
        known = seen.world.sessions.get(number) if seen is not None else None
        return known is not None and known.saved

    def _changed_since(self) -> int:
        """The line behind the call that changes an entity which goes along: the task may run before or after that."""
        worlds = [left.world for left in self.record.exits.values()]
        for world in [*worlds, *([self.record.end] if self.record.end is not None else [])]:
            for one in self.given:
                if one.one is not None and (line := world.standing(one.one.origin).changed_since):
                    return line
        return 0

    def _in(self, world: World) -> int:
        for number in sorted(self.numbers):
            known = world.sessions.get(number, SessionStanding())
            if known.scheduled and known.uncommitted:
                return known.uncommitted
        for one in self.given:
            if one.one is not None and not one.session:
                standing = world.standing(one.one.origin)
                if line := standing.changed or standing.pending or standing.flushed:
                    return line
        return 0

    def _commits(self, statement: ast.stmt) -> bool:
        """Whether leaving the function there leaves a block that commits."""
        current = self.scope.owner_statement(statement)
        while current is not None:
            if isinstance(current, With):
                mine = [session for session in self.record.sessions if session.number in self.numbers]
                if any(session.block is current and session.commits for session in mine):
                    return True
                names = {session.name for session in mine}
                for item in current.items:
                    match item.context_expr:
                        case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr="begin")) if name in names:
                            return True
            current = self.scope.owner_statement(current)
        return False


def watched(schedulings: Iterable[Scheduling]) -> Watched:
    """What is to be watched when the function is run."""
    expressions: set[ast.expr] = set()
    scheduling: set[ast.expr] = set()
    for one in schedulings:
        expressions |= {one.call, *(argument.value for argument in one.arguments)}
        scheduling |= {one.call, *([one.holder] if one.holder is not None else [])}
        if isinstance(one.target, ast.Attribute):
            expressions.add(one.target.value)
    return Watched(frozenset(expressions), frozenset(scheduling))


def site(scope: Scope, record: Record, scheduling: Scheduling) -> Site:
    """What the call hands over."""
    given = tuple(_given(one, record, scope) for one in scheduling.arguments)
    owner = _owner(scope, record, scheduling)
    captured = _captured(scope, record, scheduling)
    shared = _sessions(scope, record, scheduling, captured, owner)
    return _as_declared(Site(scope, record, scheduling, given, captured, owner, shared))


def _element(annotation: Expression) -> Expression:
    """`User`, of `list[User]`."""
    if isinstance(annotation, Item) and last_name(annotation.value) in ("list", "List", "Sequence", "Iterable", "set"):
        return annotation.key
    return annotation


def _sessions(
    scope: Scope, record: Record, scheduling: Scheduling, captured: tuple[str, ...], owner: Owner | None
) -> frozenset[str]:
    """The sessions that the call hands over: by their numbers, or by the object that has one of its own."""
    target = scheduling.target
    nodes = [one.value for one in scheduling.arguments]
    nodes += [target.value] if isinstance(target, ast.Attribute) else []
    found = {number for node in nodes if node in record.seen for number in sessions(record.seen[node].value)}
    seen = record.seen.get(scheduling.call)
    for name in captured if seen is not None else ():
        assert seen is not None
        found |= sessions(seen.world.names.get(name, EMPTY))
    keys = {f"{number}" for number in found}
    if owner is not None and owner.what is What.HOLDER and not found:
        keys.add(owner.text)
    return frozenset(keys)


def _as_declared(site: Site) -> Site:
    """What the argument does not say, the parameter may: `session: AsyncSession`, `order: Order`."""
    function = site.function
    if function is None:
        return site
    project = site.scope.project
    definitions = project.symbols.functions(function.module, function.qualname)
    if len(definitions) != 1:
        return site
    outside = Place(function.module, definitions[0].parent)
    told: list[Given] = []
    for one in site.given:
        name = parameter_name(definitions[0], function, one.argument.position, one.argument.keyword)
        parameter = next((each for each in definitions[0].parameters if each.name == name), None)
        if one.what is What.OTHER and parameter is not None and parameter.annotation is not None:
            means = project.declared(_element(parameter.annotation), outside)
            if isinstance(means, SessionMeaning):
                one = replace(one, what=What.SESSION)
            elif isinstance(means, InstanceMeaning) and isinstance(means.of, ClassMeaning):
                if mapped(means.of, project) is not None:
                    one = replace(one, what=What.UNTOLD)
                elif holds_session(means.of, project):
                    one = replace(one, what=What.HOLDER)
        if one.what is What.OTHER and parameter is not None and parameter.annotation is None:
            used = next((use for use in definitions[0].uses if use.name == name), None)
            if used is not None and len(_OF_SESSIONS & set(used.methods)) > 1:
                one = replace(one, what=What.UNTOLD)  # it is used as only a session is
        told.append(one)
    return replace(site, given=tuple(told))


def _given(argument: Argument, record: Record, scope: Scope) -> Given:
    seen = record.seen.get(argument.value)
    told = _by_type(argument.value, scope)
    if told is not None and (seen is None or not any(_what(one) not in (What.OTHER, What.PLAIN) for one in seen.value)):
        return Given(argument, told)
    if seen is None:
        return Given(argument, What.OTHER)
    world = seen.world
    optional = any(isinstance(one, (Nothing, Unbound)) for one in seen.value)
    held = frozenset(one for one in seen.value if not isinstance(one, (Nothing, Unbound)))
    if any(isinstance(one, Many) for one in held):
        held -= {Pack(())}  # the list before anything is put into it
    optional = optional or any(isinstance(one, Many) and Nothing() in one.element for one in held)
    kinds = {_what(one) for one in held}
    if not kinds:
        return Given(argument, What.PLAIN, optional=optional)
    if len(kinds) > 1:
        if What.UNTOLD not in kinds and not kinds & {What.SESSION, What.ENTITY, What.ENTITIES, What.HOLDER}:
            return Given(argument, What.CONTAINER if What.CONTAINER in kinds else What.OTHER)
        mixed_in = bool(kinds & {What.PLAIN, What.OTHER, What.UNTOLD})
        return Given(argument, What.MIXED, session=min(_numbers(held, record), default=0), mixed_in=mixed_in)
    (what,) = kinds
    number = min(_numbers(held, record), default=0)
    found = {one for one in objects(held, rows=True) if one.class_ is not None}
    if what in (What.ENTITY, What.ENTITIES):
        classes = {one.class_ for one in found}
        if len(classes) > 1:
            return Given(argument, What.MIXED, session=number)
        ones = sorted(found, key=lambda one: (one.origin.place, one.names))
        standing = _worst([world.standing(one.origin) for one in ones])
        if optional and what is What.ENTITY and _is_always_there(held, scope.project):
            optional = any(isinstance(one, Unbound) for one in seen.value)
        return Given(argument, what, ones[0], optional, number, standing)
    return Given(argument, what, optional=optional, session=number)


def _is_always_there(held: Value, project: Project) -> bool:
    """Whether what a relationship leads to cannot be None: its foreign key says so."""
    for one in held:
        if not isinstance(one, One) or len(one.names) != 1 or one.origin.class_ is None:
            return False
        known = mapped(one.origin.class_, project)
        relationship = known.relationships.get(one.names[0]) if known is not None else None
        if known is None or relationship is None or relationship.direction is not Direction.MANY_TO_ONE:
            return False
        keys = [
            column
            for column in known.columns.values()
            if column.foreign_keys and column.name.startswith(f"{relationship.name}_")
        ]
        if not keys or any(column.nullable is not False for column in keys):
            return False
    return True


def _by_type(node: ast.expr, scope: Scope) -> What | None:
    """What the declared type of a name says of it."""
    means = scope.meaning(node) if isinstance(node, (ast.Name, ast.Attribute)) else None
    of = means.of if isinstance(means, InstanceMeaning) else None
    if isinstance(of, External) and of.dotted.startswith(_PLAIN):
        return What.PLAIN
    if isinstance(of, ClassMeaning):
        if is_schema(of, scope.project):
            return What.PLAIN
        if mapped(of, scope.project) is None and holds_session(of, scope.project):
            return What.HOLDER
    return None


def _what(one: Alternative) -> What:
    match one:
        case SessionValue():
            return What.SESSION
        case One(class_=None):
            return What.OTHER
        case One():
            return What.ENTITY
        case Many(element=element) if {_what(each) for each in element if not isinstance(each, Nothing)} == {
            What.ENTITY
        }:
            return What.ENTITIES
        case Plain():
            return What.PLAIN
        case Bearer():
            return What.HOLDER
        case Unknown(why=why, session=number, holds=holds) if why or number or holds:
            return What.CONTAINER if holds else What.UNTOLD
        case Closure():
            return What.OTHER
        case _:
            value: Value = frozenset({one})
            if sessions(value):
                return What.HOLDER
            if any(each.class_ is not None for each in objects(value, rows=True)):
                return What.CONTAINER
            return What.OTHER


def _numbers(held: Value, record: Record) -> set[int]:
    found = set(sessions(held))
    for one in objects(held, rows=True):
        found.add(record.added.get(one.origin, 0) or one.origin.session)
    for each in held:
        if isinstance(each, Unknown) and each.session:
            found.add(each.session)
    return found - {0}


def _worst(standings: list[Standing]) -> Standing:
    result = standings[0]
    for one in standings[1:]:
        result = replace(
            result,
            pending=result.pending or one.pending,
            flushed=result.flushed or one.flushed,
            expired=result.expired or one.expired,
            expired_by=result.expired_by or one.expired_by,
            changed=result.changed or one.changed,
            deleted=result.deleted or one.deleted,
            attached=result.attached and one.attached,
        )
    return result


def _captured(scope: Scope, record: Record, scheduling: Scheduling) -> tuple[str, ...]:
    """The sessions and entities of the function that the nested function or lambda mentions."""
    target = scheduling.target
    body: ast.AST | None = target if isinstance(target, ast.Lambda) else None
    if isinstance(target, ast.Name):
        nested = [
            one
            for one in scope.statements()
            if isinstance(one, (ast.FunctionDef, ast.AsyncFunctionDef)) and one.name == target.id
        ]
        body = nested[-1] if nested else None
        if body is None:
            return _captured_further_out(scope, target)
    seen = record.seen.get(scheduling.call)
    if body is None or seen is None:
        return ()
    bound = {node.arg for node in ast.walk(body) if isinstance(node, ast.arg)}
    bound |= {node.id for node in ast.walk(body) if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)}
    names = []
    for node in ast.walk(body):
        if isinstance(node, ast.Name) and node.id not in bound and node.id not in names:
            held = seen.world.names.get(node.id, EMPTY)
            if any(_what(one) not in (What.PLAIN, What.OTHER) for one in held if not isinstance(one, Nothing)):
                names.append(node.id)
    return tuple(names)


def _captured_further_out(scope: Scope, target: ast.Name) -> tuple[str, ...]:
    """The sessions that a nested function of a function around this one mentions."""
    means = scope.meaning(target)
    if not isinstance(means, FunctionMeaning) or means.module != scope.place.path:
        return ()
    symbols = scope.project.symbols
    parent = means.qualname.rpartition(".")[0]
    if not parent or symbols.class_(means.module, parent) is not None:
        return ()
    body = next(
        (
            node
            for node in scope.parents.definitions
            if not isinstance(node, ast.ClassDef)
            and [one.line for one in symbols.functions(means.module, means.qualname)] == [node.lineno]
        ),
        None,
    )
    names: list[str] = []
    for node in ast.walk(body) if body is not None else ():
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id not in names:
            inside = Place(means.module, means.qualname)
            own = {one.arg for one in ast.walk(body) if isinstance(one, ast.arg)} if body is not None else set()
            if node.id not in own and isinstance(scope.project.name(node.id, inside), SessionMeaning):
                names.append(node.id)
    return tuple(names)


def _owner(scope: Scope, record: Record, scheduling: Scheduling) -> Owner | None:
    """`service` in `service.send`, where that object holds a session, is one, or is an entity."""
    target = scheduling.target
    if not isinstance(target, ast.Attribute):
        return None
    seen = record.seen.get(target.value)
    for one in seen.value if seen is not None else EMPTY:
        if (what := _what(one)) in (What.SESSION, What.ENTITY, What.HOLDER, What.UNTOLD):
            return Owner(ast.unparse(target.value), what)
    means = scope.meaning(target.value)
    of = means.of if isinstance(means, InstanceMeaning) else None
    if isinstance(target.value, ast.Name) and target.value.id == "self":
        of = ClassMeaning(scope.place.path, scope.place.qualname.rpartition(".")[0])
        function = scope.meaning(target)
        if isinstance(function, FunctionMeaning) and not function.bound:
            return None
    if isinstance(of, ClassMeaning) and mapped(of, scope.project) is None and holds_session(of, scope.project):
        return Owner(ast.unparse(target.value), What.HOLDER)
    return None


def is_own_parameter(given: Given) -> bool:
    """Whether the entity is what the function was given."""
    return given.one is not None and given.one.origin.how is How.GIVEN
