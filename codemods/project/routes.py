"""What serialises the results of FastAPI's routes: `response_model`, or the return annotation. Asks `Project`; pure.

As FastAPI does: a `response_model` beats the annotation, `response_model=None` takes both away, a declared result that
is a `Response` is sent as it is. Routes are functions below a decorator, and those that `add_api_route` is given.
Remembered per project; the first question reads every file.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from codemods.project.facts import Attribute, Call, Expression, FunctionFacts, Literal, RouteCall
from codemods.project.link import Place, Project
from codemods.project.mapping_bases import Hierarchy
from codemods.project.route_calls import ADD_ROUTE
from codemods.project.schemas import schemas_within
from codemods.project.sessions import ClassMeaning, External, FunctionMeaning, InstanceMeaning, UnknownMeaning

_METHODS = frozenset({"get", "post", "put", "patch", "delete", "options", "head", "trace", "api_route"})
_ROUTERS = frozenset({"fastapi.FastAPI", "fastapi.applications.FastAPI", "fastapi.APIRouter"})
_ROUTERS |= {"fastapi.routing.APIRouter", "fastapi.routers.APIRouter"}
_NOT_ROUTERS = sys.stdlib_module_names | {"builtins", "httpx", "requests", "aiohttp", "starlette", "flask", "redis"}
RESPONSE_MODEL = "response_model"
ANNOTATION = "annotation"


@dataclass(frozen=True, slots=True)
class Response:
    """What reads the result of a route. `path` and `line` are those of the function's `def`.

    A schema may be a `ParameterizedSchema`: then a page is sent, and what its fields nest reads what the page holds
    (see `schemas`).
    """

    schemas: tuple[ClassMeaning, ...]
    many: bool  # a collection of them
    path: str
    line: int
    by: str  # RESPONSE_MODEL or ANNOTATION
    unknown: str = ""  # what else may read it, or why it is not certain that these do


def responses(project: Project) -> Mapping[tuple[str, str], Response]:
    """What serialises the result of each route, by the path and the qualified name of the function.

    Functions whose result no schema reads are left out. One that is a route several times, or defined several times,
    has the schemas of all of them.
    """
    known = _REMEMBERED.get(project)
    if known is None:
        known = _responses(project)
        _REMEMBERED[project] = known
    return known


def routes_unseen(project: Project) -> tuple[str, ...]:
    """The files in which `add_api_route` is called with something that cannot be told to be one function."""
    _read_every_file(project)
    symbols = project.symbols
    return tuple(
        path
        for path in symbols.paths()
        if any(_is_unseen(route, path, project) for route in symbols.facts[path].routes)
        or (ADD_ROUTE in symbols.facts[path].calls and not symbols.facts[path].routes)
    )


_REMEMBERED: WeakKeyDictionary[Project, dict[tuple[str, str], Response]] = WeakKeyDictionary()


def _read_every_file(project: Project) -> None:
    symbols = project.symbols
    for path, name in symbols.names.items():
        if path not in symbols.facts and name.module:
            symbols.module_path(name.module, path)


def _responses(project: Project) -> dict[tuple[str, str], Response]:
    _read_every_file(project)
    found: dict[tuple[str, str], Response] = {}
    for route in _routes(project):
        one = _response(route, project)
        if one is not None:
            key = (route.path, route.function.qualname)
            found[key] = _joined(found[key], one) if key in found else one
    return found


@dataclass(frozen=True, slots=True)
class _Route:
    """A function, and the call that makes a route of it."""

    function: FunctionFacts
    path: str
    call: Call
    router: Expression
    place: Place  # where the call stands


def _routes(project: Project) -> Iterator[_Route]:
    symbols = project.symbols
    for path in symbols.paths():
        for function in symbols.all_functions(path):
            for decorator in function.decorators:
                if isinstance(decorator, Call) and isinstance(decorator.function, Attribute):
                    if decorator.function.name in _METHODS:
                        place = Place(path, function.parent)
                        yield _Route(function, path, decorator, decorator.function.value, place)
    for path in symbols.paths():
        for added in symbols.facts[path].routes:
            place = Place(path, added.scope)
            endpoint = project.meaning(added.endpoint, place)
            if isinstance(endpoint, FunctionMeaning) and isinstance(added.call.function, Attribute):
                for function in symbols.functions(endpoint.module, endpoint.qualname):
                    yield _Route(function, endpoint.module, added.call, added.call.function.value, place)


def _is_unseen(route: RouteCall, path: str, project: Project) -> bool:
    place = Place(path, route.scope)
    if isinstance(project.meaning(route.endpoint, place), FunctionMeaning):
        return False
    return not isinstance(route.call.function, Attribute) or (
        _is_router(route.call.function.value, place, project) is not False
    )


def _joined(first: Response, second: Response) -> Response:
    return Response(
        tuple(dict.fromkeys((*first.schemas, *second.schemas))),
        first.many or second.many,
        first.path,
        first.line,
        first.by,
        first.unknown or second.unknown,
    )


def _response(route: _Route, project: Project) -> Response | None:
    function, path = route.function, route.path
    is_router = _is_router(route.router, route.place, project)
    if is_router is False:
        return None
    given = route.call.keyword(RESPONSE_MODEL)
    if given == Literal(None):
        return None
    by = ANNOTATION if given is None else RESPONSE_MODEL
    if given is None and route.call.has_double_star:
        why = "a response model may be among what `**` gives"
        return Response((), False, path, function.line, RESPONSE_MODEL, why) if is_router else None
    told, place = (given, route.place) if given is not None else (function.returns_type, Place(path, function.parent))
    if told is None:
        return None
    within = schemas_within(told, place, project)
    unknown, schemas = within.unknown, within.classes
    if unknown:
        what = "the response model" if by == RESPONSE_MODEL else "the declared result"
        unknown = f"{what}: {unknown}"
    elif schemas and by == ANNOTATION and function.is_generator:
        unknown, schemas = "it yields what is sent", ()
    if is_router is None and (schemas or by == RESPONSE_MODEL):
        unknown = unknown or "whether it is a route of FastAPI cannot be told"
    elif is_router is None:
        return None
    return Response(schemas, within.many, path, function.line, by, unknown) if schemas or unknown else None


def _is_router(node: Expression, place: Place, project: Project) -> bool | None:
    """Whether it is a FastAPI or an APIRouter, or of a class below one; None when it cannot be told."""
    means = project.meaning(node, place)
    if isinstance(means, UnknownMeaning):
        return None
    if isinstance(means, External):  # `app.router`
        return means.dotted in {f"{name}().router" for name in _ROUTERS}
    if not isinstance(means, InstanceMeaning):
        return False
    bases = (means.of,) if isinstance(means.of, External) else Hierarchy(project).ancestry(means.of).order
    outside = [base.dotted for base in bases if isinstance(base, External)]
    if any(name in _ROUTERS for name in outside):
        return True
    return None if any(name.partition(".")[0] not in _NOT_ROUTERS for name in outside) else False
