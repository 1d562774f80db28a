"""The engine whose pool is shown: which names at the top of a module hold one, or give one when called. Reads only."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from codemods.flow.definition_site import member_site
from codemods.project.engines import ASYNC_ENGINES, maker_behind
from codemods.project.expressions import last_name
from codemods.project.facts import Annotated, Attribute, Call, Either, Expression, FunctionFacts, Literal, Name
from codemods.project.link import Place
from codemods.project.sessions import (
    CACHES,
    ClassMeaning,
    External,
    FunctionMeaning,
    InstanceMeaning,
    ModuleMeaning,
)
from codemods.scaffold.errors import ScaffoldError
from codemods.scaffold.look import Look

_ASYNC_CLASSES = frozenset({"sqlalchemy.ext.asyncio.AsyncEngine", "sqlalchemy.ext.asyncio.engine.AsyncEngine"})
_SYNC_CLASSES = frozenset({"sqlalchemy.Engine", "sqlalchemy.engine.Engine", "sqlalchemy.engine.base.Engine"})
_ASYNC_FROM_CONFIG = "async_engine_from_config"
_DEEPEST = 8
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Engine:
    """An engine that other modules can name. `name` may have dots, `database.engine`; `is_called`: it is a function."""

    path: str
    name: str
    is_async: bool
    is_called: bool = False

    @property
    def text(self) -> str:
        """The expression that gives it."""
        return f"{self.name}()" if self.is_called else self.name


@dataclass(frozen=True, slots=True)
class _Made:
    """What evaluating an expression gives: an engine. `fresh`: another one each time."""

    is_async: bool
    fresh: bool


def find_engine(look: Look) -> Engine:
    """The only async engine that a name of a module holds, tests apart; without one the only other engine.

    Raises ScaffoldError when there is none or more than one.
    """
    engines = [engine for path in look.paths() for engine in _held(look, path)]
    best = [engine for engine in engines if engine.is_async] or engines
    if len(best) == 1:
        return best[0]
    if best:
        raise ScaffoldError(
            f"there are {len(best)} engines: {_some(look, best)}; "
            f"name the one to watch: --engine {look.reference(best[0].path, best[0].name)}"
        )
    functions = [engine for path in look.paths() for engine in _functions(look, path)]
    if functions:
        raise ScaffoldError(
            f"no name of a module holds an engine; these functions give one: {_some(look, functions)}; "
            f"name the one to watch: --engine {look.reference(functions[0].path, functions[0].name)}"
        )
    asking = [one for path in look.paths() for one in _functions(look, path, asking=True)]
    if asking:
        raise ScaffoldError(
            f"no name of a module holds an engine; {_some(look, asking[:1])} takes an argument, so it cannot be called "
            "at each request: bind what it gives at module level"
        )
    made = list(_made(look, in_functions=True))
    if made:
        raise ScaffoldError(
            f"every engine is made in a function ({_places(made)}), so nothing can name it: "
            "bind it in a module, or return it from a function with functools.cache"
        )
    made = list(_made(look, in_functions=False))
    if made:
        said = "the engine of {} has no name of its" if len(made) == 1 else "the engines of {} have no name of their"
        raise ScaffoldError(f"{said.format(_places(made))} own; bind one at module level")
    raise ScaffoldError("no SQLAlchemy engine was found; name it: --engine app.db:engine")


def named_engine(look: Look, path: str, name: str) -> Engine:
    """The engine that a name of a file, `engine`, `database.engine` or `get_engine`, stands for.

    Raises ScaffoldError, which says why, when it is none that can be read at each request.
    """
    root, _, rest = name.partition(".")
    site = member_site(path, root, look.project)
    if site is None:
        raise _none_such(look, path, name)
    home, root = site
    dotted = f"{root}.{rest}" if rest else root
    for engine in [*_held(look, home, private=True), *_functions(look, home)]:
        if engine.name == dotted:
            return engine
    functions = look.project.symbols.functions(home, root)
    if functions and not rest:
        if any(function.is_async for function in functions):
            raise ScaffoldError(f"--engine: {name} of {home} is a coroutine function; name a function without async")
        if any(parameter.default is None and parameter.kind[:1] != "*" for parameter in functions[0].parameters):
            raise ScaffoldError(f"--engine: {name} of {home} takes arguments; name an engine or a function without any")
        made = _of_function(look, FunctionMeaning(home, root), 0)
        if made is not None:
            raise ScaffoldError(
                f"--engine: {name} of {home} makes a new engine at each call, whose pool would always be empty; "
                "put functools.cache on it"
            )
    values = [_value(look, value, Place(home), 0) for value in look.project.symbols.binding(home, root)]
    if any(values) and not rest:
        raise ScaffoldError(
            f"--engine: {name} of {home} is not an engine from the start; name a function that returns the engine"
        )
    raise _none_such(look, path, name)


def _none_such(look: Look, path: str, name: str) -> ScaffoldError:
    engines = [one for path in look.paths() for one in [*_held(look, path), *_functions(look, path)]]
    there = f"; engines are: {_some(look, engines)}" if engines else ""
    return ScaffoldError(f"--engine: {name} of {path} is not an engine that can be followed{there}")


def _some(look: Look, engines: Iterable[Engine]) -> str:
    named = [look.reference(engine.path, engine.name) for engine in engines]
    more = f" and {len(named) - _SHOWN} more" if len(named) > _SHOWN else ""
    return ", ".join(named[:_SHOWN]) + more


# --- which names hold an engine -------------------------------------------------------------------------------------


def _held(look: Look, path: str, *, private: bool = False) -> Iterator[Engine]:
    """The names of a module that hold an engine as soon as it is loaded, and the objects in it that do."""
    symbols = look.project.symbols
    facts = symbols.facts.get(path)
    if facts is None:
        return
    later = _set_later(look.tree(path))
    for binding in facts.bindings:
        if binding.name in later:
            continue
        calls = [value for value in binding.values if isinstance(value, Call)]
        if len(calls) != len(binding.values):
            continue  # another name for what a name holds already, or for nothing at first
        made = [_value(look, call, Place(path), 0) for call in calls]
        if all(made):
            yield Engine(path, binding.name, any(one.is_async for one in made if one))
        elif len(calls) == 1:
            means = look.project.meaning(calls[0].function, Place(path))
            if isinstance(means, ClassMeaning):
                for name, is_async in _attributes(look, means):
                    if private or not name.startswith("_"):
                        yield Engine(path, f"{binding.name}.{name}", is_async)


def _set_later(tree: ast.Module) -> set[str]:
    return {name for node in ast.walk(tree) if isinstance(node, ast.Global) for name in node.names}


def _attributes(look: Look, class_: ClassMeaning) -> Iterator[tuple[str, bool]]:
    """The attributes of an object of the class that are an engine from its making on."""
    names: dict[str, None] = {}
    for base in look.project.bases(class_):
        facts = look.project.class_facts(base) if isinstance(base, ClassMeaning) else None
        if isinstance(base, ClassMeaning) and facts is not None:
            names |= dict.fromkeys(attribute.name for attribute in facts.attributes)
            names |= dict.fromkeys(
                one.name for one in look.project.symbols.all_functions(base.module) if one.in_class == base.qualname
            )
    for name in names:
        made = _of_attribute(look, class_, name, 0)
        if made is not None:
            yield name, made.is_async


def _of_attribute(look: Look, class_: ClassMeaning, name: str, depth: int) -> _Made | None:
    """The engine that `name` is on every object of the class as soon as it is made."""
    found: list[_Made | None] = []
    for base in look.project.bases(class_):
        facts = look.project.class_facts(base) if isinstance(base, ClassMeaning) else None
        if not isinstance(base, ClassMeaning) or facts is None:
            continue
        for attribute in facts.attributes:
            if attribute.name == name:
                at_once = attribute.method in ("", f"{base.qualname}.__init__")
                place = Place(base.module, attribute.method or base.qualname)
                found.append(_value(look, attribute.value, place, depth + 1) if at_once else None)
        method = FunctionMeaning(base.module, f"{base.qualname}.{name}")
        for function in look.project.symbols.functions(method.module, method.qualname):
            is_property = any(last_name(decorator) in _PROPERTIES for decorator in function.decorators)
            made = _of_function(look, method, depth + 1) if is_property else None
            found.append(None if made is None or made.fresh else made)
    return _joined(found)


_PROPERTIES = frozenset({"property", "cached_property"})


def _functions(look: Look, path: str, *, asking: bool = False) -> Iterator[Engine]:
    """The functions of a module that give the same engine at each call; `asking`: cached ones that take arguments."""
    for function in look.project.symbols.all_functions(path):
        if function.parent or function.is_async or function.is_generator or bool(function.parameters) != asking:
            continue
        made = _of_function(look, FunctionMeaning(path, function.qualname), 0)
        if made is not None and not made.fresh and (not asking or _is_cached(look, function, path)):
            yield Engine(path, function.name, made.is_async, is_called=True)


def _made(look: Look, *, in_functions: bool) -> Iterator[str]:
    """The places that make engines, in functions or elsewhere."""
    for path in look.paths():
        for scope in look.scopes(path) if b"engine" in look.source(path).data else ():
            for node in scope.watched():
                if isinstance(node, ast.Call) and scope.is_function == in_functions:
                    means = scope.callee(node)
                    if isinstance(means, External) and maker_behind(means.dotted, ()):
                        yield f"{path}:{node.lineno}"


def _places(made: list[str]) -> str:
    """`app/session.py:13, 14, app/other.py:3`: a path is said once for all that follow each other in it."""
    said: list[str] = []
    last = ""
    for place in made[:_SHOWN]:
        path, _, line = place.rpartition(":")
        said.append(line if path == last else place)
        last = path
    return ", ".join(said)


# --- what an expression gives ---------------------------------------------------------------------------------------


def _value(look: Look, node: Expression, place: Place, depth: int) -> _Made | None:
    """The engine that evaluating the expression gives; None when it gives something else, or cannot be told."""
    if depth > _DEEPEST:
        return None
    match node:
        case Call(function=function):
            means = look.project.meaning(function, place)
            if isinstance(means, External):
                return _external(look, means.dotted, place)
            if isinstance(means, FunctionMeaning):
                return _of_function(look, means, depth + 1)
        case Either(options=options):
            return _joined([_value(look, option, place, depth + 1) for option in options])
        case Annotated():
            return _declared(look, node, place)
        case Name(id=name):
            return _of_name(look, name, place, depth)
        case Attribute(value=value, name=name):
            owner = look.project.meaning(value, place)
            if isinstance(owner, ModuleMeaning):
                return _of_name(look, name, Place(owner.module), depth)
            if isinstance(owner, InstanceMeaning) and isinstance(owner.of, ClassMeaning):
                held = _of_attribute(look, owner.of, name, depth + 1)
                return replace(held, fresh=False) if held is not None else None
    return None


def _external(look: Look, dotted: str, place: Place) -> _Made | None:
    facts = look.project.symbols.facts.get(place.path)
    maker = maker_behind(dotted, facts.stars if facts else ())
    if maker:
        return _Made(maker in ASYNC_ENGINES or maker.endswith(_ASYNC_FROM_CONFIG), fresh=True)
    return _Made(is_async=True, fresh=True) if dotted in _ASYNC_CLASSES else None


def _declared(look: Look, node: Expression, place: Place) -> _Made | None:
    means = look.project.meaning(node, place)
    if isinstance(means, InstanceMeaning) and isinstance(means.of, External):
        if means.of.dotted in _ASYNC_CLASSES | _SYNC_CLASSES:
            return _Made(means.of.dotted in _ASYNC_CLASSES, fresh=False)
    return None


def _of_name(look: Look, name: str, place: Place, depth: int) -> _Made | None:
    symbols = look.project.symbols
    for function in symbols.functions(place.path, place.qualname) if place.qualname else ():
        local = next((one.values for one in function.bindings if one.name == name), ())
        if local:
            return _joined([_value(look, value, place, depth + 1) for value in local])
    site = member_site(place.path, name, look.project)
    if site is None:
        return None
    values = [value for value in symbols.binding(*site) if value != Literal(None)]
    made = _joined([_value(look, value, Place(site[0]), depth + 1) for value in values])
    return replace(made, fresh=False) if made is not None else None


def _of_function(look: Look, means: FunctionMeaning, depth: int) -> _Made | None:
    found: list[_Made | None] = []
    for function in look.project.symbols.functions(means.module, means.qualname):
        if function.is_async or function.is_generator:
            return None
        place = Place(means.module, means.qualname)
        made = _joined([_value(look, given, place, depth + 1) for given in function.returns])
        if made is not None and _is_cached(look, function, means.module):
            made = replace(made, fresh=False)
        found.append(made)
    return _joined(found)


def _is_cached(look: Look, function: FunctionFacts, path: str) -> bool:
    for decorator in function.decorators:
        called = decorator.function if isinstance(decorator, Call) else decorator
        means = look.project.meaning(called, Place(path, function.parent))
        if isinstance(means, External) and means.dotted in CACHES:
            return True
    return False


def _joined(made: list[_Made | None]) -> _Made | None:
    """What several branches give that all give an engine."""
    known = [one for one in made if one is not None]
    if not known or len(known) != len(made):
        return None
    return _Made(any(one.is_async for one in known), any(one.fresh for one in known))
