"""Whether a project answers a path already: its routes, with the prefixes that they are under. Reads only.

A prefix that cannot be told stands as `*`: with one in it a path may be the one asked for, and a person has to say.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from codemods.flow.definition_site import definition_site
from codemods.flow.scope import Scope
from codemods.project.expressions import expression, last_name
from codemods.project.facts import Literal
from codemods.project.link import Place
from codemods.project.sessions import FunctionMeaning
from codemods.scaffold.errors import ScaffoldError
from codemods.scaffold.look import Look

_ROUTES = frozenset({"get", "post", "put", "patch", "delete", "options", "head", "trace", "route", "api_route"})
_ROUTES |= {"add_api_route", "add_route", "Route", "APIRoute"}
_GETTING = _ROUTES - {"post", "put", "patch", "delete", "options", "trace"}
_WORDS = re.compile(rb"Router|FastAPI|Starlette|include_router|mount|prefix")
_ANYTHING = "*"
_Router = tuple[str, str]
"""The file and the name of a router or an application; functions of one file that use one name are not told apart."""


def route_to(path: str, look: Look) -> str | None:
    """The place, `file:line`, of a route that answers GET of this path, tests apart; None when there is none.

    Raises ScaffoldError where a route ends so and its prefix cannot be told.
    """
    tail = path.rstrip("/").rpartition("/")[2]
    mentioning = [one for one in look.paths() if tail.encode() in look.source(one).data]
    if not mentioning:
        return None
    routers = _Routers.of(look)
    holders = look.paths() if any(tail in prefix for _, _, prefix in routers.inclusions) else mentioning
    doubtful = None
    for holder in holders:
        module = look.scopes(holder)[0]
        for call, given in _routes(module):
            for prefix in sorted(_under(call, routers, module)):
                if _same(prefix + given, path):
                    return f"{holder}:{call.lineno}"
                if doubtful is None and _may_be(prefix + given, path):
                    doubtful = f"{holder}:{call.lineno}"
    if doubtful is not None:
        raise ScaffoldError(
            f"{doubtful} is a route that ends with /{tail}, and the prefix it is under cannot be told: if it is not "
            f"{path}, which would be answered twice, name another path: --path /debug/pool"
        )
    return None


def _same(one: str, other: str) -> bool:
    return one.rstrip("/") == other.rstrip("/")


def _may_be(one: str, path: str) -> bool:
    known = one.rstrip("/").rpartition(_ANYTHING)[2]
    pattern = ".*".join(re.escape(part) for part in one.rstrip("/").split(_ANYTHING))
    ends_so = known.endswith("/" + path.rstrip("/").rpartition("/")[2])
    return known != one.rstrip("/") and ends_so and re.fullmatch(pattern, path.rstrip("/")) is not None


def _routes(module: Scope) -> Iterator[tuple[ast.Call, str]]:
    for node in ast.walk(module.node):
        if isinstance(node, ast.Call) and last_name(expression(node.func)) in _GETTING:
            given = _told(node.args[0] if node.args else _keyword(node, "path"), module)
            if (node.args or node.keywords) and (not given or given.startswith("/")):
                yield node, given


def _under(call: ast.Call, routers: _Routers, module: Scope) -> set[str]:
    """What may stand before the path that a call gives a route."""
    if not isinstance(call.func, ast.Attribute):
        return {""}  # `Route(...)`
    return routers.above(routers.named(call.func.value, module))


@dataclass(frozen=True, slots=True)
class _Routers:
    """The prefixes that routers are made with; and which one is included where, under which further prefix."""

    own: dict[_Router, set[str]]
    inclusions: list[tuple[_Router | None, _Router | None, str]]

    @classmethod
    def of(cls, look: Look) -> _Routers:
        made = cls({}, [])
        paths = [path for path in look.paths() if _WORDS.search(look.source(path).data)]
        for path in paths:
            module = look.scopes(path)[0]
            for node in ast.walk(look.tree(path)):
                match node:
                    case (
                        ast.Assign(targets=[ast.Name(id=name)], value=ast.Call() as call)
                        | ast.AnnAssign(target=ast.Name(id=name), value=ast.Call() as call)
                    ):
                        made.own.setdefault((path, name), set()).update(_own(call, module))
        for path in paths:
            for scope in look.scopes(path):
                for one in scope.watched():
                    if isinstance(one, ast.Call) and isinstance(one.func, ast.Attribute):
                        made._include(one, one.func, scope)
        return made

    def _include(self, call: ast.Call, function: ast.Attribute, scope: Scope) -> None:
        match function.attr, call.args:
            case "include_router", given:
                router = given[0] if given else _keyword(call, "router")
                prefix = _keyword(call, "prefix")
            case "mount", [prefix, router, *_]:
                pass
            case _:
                return
        if router is not None:
            into = self.named(function.value, scope)
            self.inclusions.append((self.named(router, scope), into, _told(prefix, scope)))

    def named(self, node: ast.expr, scope: Scope) -> _Router | None:
        """The router that an expression names, other names for it followed; None when that cannot be told."""
        site = definition_site(expression(node), scope.place, scope.project)
        if site is None and isinstance(node, ast.Name):
            site = (scope.place.path, node.id)
        for _ in range(10):  # `client = router`
            if site is None or site in self.own:
                return site
            values = scope.project.symbols.binding(*site)
            site = definition_site(values[0], Place(site[0]), scope.project) if len(values) == 1 else None
        return None

    def above(self, router: _Router | None, seen: frozenset[_Router] = frozenset()) -> set[str]:
        """What may stand before the routes of a router."""
        if router is None:
            return {"", _ANYTHING}
        if router in seen:
            return set()
        known = [(into, prefix) for one, into, prefix in self.inclusions if one == router]
        others = [(into, _ANYTHING + prefix) for one, into, prefix in self.inclusions if one is None]
        further = {before + prefix for into, prefix in known or others for before in self.above(into, seen | {router})}
        if not known:
            further.add("")
        return {before + own for before in further for own in self.own.get(router, {""})}


def _own(call: ast.Call, scope: Scope) -> set[str]:
    """The prefix that a call makes a router with; a function of the project may use any."""
    prefix = _told(_keyword(call, "prefix"), scope)
    return {prefix, _ANYTHING} if isinstance(scope.callee(call), FunctionMeaning) else {prefix}


def _told(node: ast.expr | None, scope: Scope) -> str:
    """The text of a string, with `*` for what cannot be told; "" for none at all."""
    match node:
        case None:
            return ""
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(_told(part, scope) for part in parts)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _told(left, scope) + _told(right, scope)
        case ast.Name() | ast.Attribute():
            site = definition_site(expression(node), scope.place, scope.project)
            match scope.project.symbols.binding(*site) if site is not None else ():
                case [Literal(value=str(text))]:
                    return text
    return _ANYTHING


def _keyword(call: ast.Call, name: str) -> ast.expr | None:
    return next((one.value for one in call.keywords if one.arg == name), None)
