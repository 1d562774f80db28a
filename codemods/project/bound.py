"""Whether a session is bound to an engine or to a connection. Asks the project; pure.

On an engine a session takes a connection of its own, and its close gives that back. On a connection that it is given
it takes none, and its close rolls back what was begun there, with all that others did on it.
"""

from __future__ import annotations

import enum

from codemods.project.engines import CONNECTION_CLASSES, ENGINE_CLASSES
from codemods.project.expressions import last_name
from codemods.project.facts import (
    Attribute,
    Awaited,
    Call,
    Either,
    Entered,
    Expression,
    FunctionFacts,
    Item,
    Literal,
    Name,
    Opaque,
)
from codemods.project.link import Place, Project
from codemods.project.sessions import (
    Bound,
    ClassMeaning,
    External,
    FunctionMeaning,
    InstanceMeaning,
    NothingMeaning,
    SessionMeaning,
)

_DEPTH = 5  # names, calls and functions that are followed behind one another


class _Kind(enum.Enum):
    ENGINE = enum.auto()
    CONNECTION = enum.auto()
    NOTHING = enum.auto()  # None: the session is bound to nothing
    UNKNOWN = enum.auto()
    MAYBE = enum.auto()  # a connection on some ways, or by its name: whatever else is called an engine


def binding_argument(call: Call) -> Expression | None:
    """What the making of a session, or of a maker, is bound to: `Session(x)`, `sessionmaker(bind=x)`; None: nothing."""
    return call.keyword("bind") or (call.arguments[0] if call.arguments else None)


def bound_by(call: Call, place: Place, project: Project) -> Bound | None:
    """What a call that makes a session, or a maker, binds it to; None for an engine, and for nothing."""
    given = binding_argument(call)
    if given is None or isinstance(given, Opaque):
        return None  # nothing, or `*args`
    kind = _kind(given, place, project, _DEPTH)
    if kind in (_Kind.ENGINE, _Kind.NOTHING):
        return None
    return Bound(kind is _Kind.CONNECTION, place.path, place.qualname, call)


def _kind(node: Expression, place: Place, project: Project, depth: int) -> _Kind:
    known = _declared_kind(node, place, project)
    if known is not _Kind.UNKNOWN:
        return known
    if depth and (followed := _followed(node, place, project, depth - 1)) is not _Kind.UNKNOWN:
        return followed
    if _goes_by_engine(node, place, project):
        return _Kind.ENGINE
    return _Kind.MAYBE if "conn" in last_name(node).lower() else _Kind.UNKNOWN


def _declared_kind(node: Expression, place: Place, project: Project) -> _Kind:
    """What the project's definitions say of it."""
    match project.meaning(node, place):
        case NothingMeaning():
            return _Kind.NOTHING
        case InstanceMeaning(of=of):
            classes = project.bases(of) if isinstance(of, ClassMeaning) else [of]
            names = {one.dotted for one in classes if isinstance(one, External)}
            if names & ENGINE_CLASSES:
                return _Kind.ENGINE
            return _Kind.CONNECTION if names & CONNECTION_CLASSES else _Kind.UNKNOWN
        case _:
            return _Kind.UNKNOWN


def _followed(node: Expression, place: Place, project: Project, depth: int) -> _Kind:
    """What it is made of, where that is not a matter of definitions alone: `engine.connect()` of whatever `engine`."""
    match node:
        case Either(options=options):
            return _one_of([_kind(one, place, project, depth) for one in options])
        case Awaited(value=value):
            return _kind(value, place, project, depth)
        case Entered(value=value):
            inner = _kind(value, place, project, depth)
            return inner if inner is _Kind.CONNECTION else _Kind.UNKNOWN
        case Call(function=Attribute(value=owner, name="connection")) if isinstance(
            project.meaning(owner, place), SessionMeaning
        ):
            return _Kind.CONNECTION
        case Call(function=Attribute(value=owner, name="execution_options")):
            return _kind(owner, place, project, depth)
        case Call(function=Attribute(value=owner, name="connect" | "begin")) if (
            _kind(owner, place, project, depth) is _Kind.ENGINE
        ):
            return _Kind.CONNECTION
        case Call(function=function):
            called = project.meaning(function, place)
            if not isinstance(called, FunctionMeaning):
                return _Kind.UNKNOWN
            inside = Place(called.module, called.qualname)
            definitions = project.symbols.functions(called.module, called.qualname)
            return _one_of(
                [
                    _kind(value, inside, project, depth)
                    for one in definitions
                    if not one.is_generator
                    for value in one.returns
                ]
            )
        case Name(id=name):
            return _one_of([_kind(value, there, project, depth) for value, there in _values(name, place, project)])
        case _:
            return _Kind.UNKNOWN


def _one_of(kinds: list[_Kind]) -> _Kind:
    """What is one of these; None beside something else does not count."""
    found = {kind for kind in kinds if kind is not _Kind.NOTHING}
    if not found:
        return _Kind.NOTHING if kinds else _Kind.UNKNOWN
    if len(found) == 1:
        return found.pop()
    return _Kind.MAYBE if found & {_Kind.MAYBE, _Kind.CONNECTION} else _Kind.UNKNOWN


def _owner(name: str, place: Place, project: Project) -> FunctionFacts | None:
    """The function, the one at the place or one around it, that the name is a variable of."""
    qualname = place.qualname
    while qualname:
        definitions = project.symbols.functions(place.path, qualname)
        if definitions and name in project.symbols.locals(place.path, qualname):
            return definitions[-1]
        qualname = qualname.rpartition(".")[0]
    return None


def _values(name: str, place: Place, project: Project) -> list[tuple[Expression, Place]]:
    """The expressions that are bound to a name, each with its place; none for a parameter, which callers bind, too."""
    owner = _owner(name, place, project)
    if owner is not None:
        if any(one.name == name for one in owner.parameters):
            return []
        inside = Place(place.path, owner.qualname)
        return [(value, inside) for one in owner.bindings if one.name == name for value in one.values]
    path, symbols = place.path, project.symbols
    imported = symbols.imports(path, "", name)
    if len(imported) == 1 and imported[0].attribute is not None:
        home = symbols.module_path(imported[0].module, path)
        path, name = (home, imported[0].attribute) if home is not None else (path, name)
    return [(value, Place(path)) for value in symbols.binding(path, name)]


def _goes_by_engine(node: Expression, place: Place, project: Project) -> bool:
    """Whether nothing is known of it but its name, and that is an engine's: `self.engine`, `get_engine()`."""
    if isinstance(node, Name):
        owner = _owner(node.id, place, project)
        parameter = next((one for one in owner.parameters if one.name == node.id), None) if owner is not None else None
        if parameter is not None and parameter.annotation is not None:
            if _may_say_connection(parameter.annotation):
                return False
    while isinstance(node, (Call, Awaited, Item)):
        if isinstance(node, Item) and isinstance(node.key, Literal) and "engine" in str(node.key.value).lower():
            return True
        node = node.function if isinstance(node, Call) else node.value
    name = last_name(node).lower()
    return "engine" in name and "conn" not in name


def _may_say_connection(annotation: Expression) -> bool:
    """Whether a declared type that is not followed may be a connection's, too: `Engine | Connection`."""
    match annotation:
        case Item(value=value, key=key):
            return _may_say_connection(value) or _may_say_connection(key)
        case Either(options=options):
            return any(_may_say_connection(one) for one in options)
        case Name() | Attribute():
            return "connect" in last_name(annotation).lower()
        case _:
            return not isinstance(annotation, (Literal, Call))
