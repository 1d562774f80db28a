"""The FastAPI applications of a project, by definition: where each is made, and under which name. Reads only."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from codemods.flow.definition_site import definition_site, member_site
from codemods.flow.scope import Scope
from codemods.project.expressions import expression, last_name
from codemods.project.facts import Call
from codemods.project.link import Place
from codemods.project.sessions import ClassMeaning, External, FunctionMeaning
from codemods.scaffold.errors import ScaffoldError
from codemods.scaffold.look import Look
from codemods.sources import has_word

FASTAPI = frozenset({"fastapi.FastAPI", "fastapi.applications.FastAPI"})
COMMAND = "session-codemods scaffold pool-status"
_SHOWN = 5


@dataclass(frozen=True, slots=True, eq=False)
class Application:
    """One application: the statements that bind it (several are branches), in the module or in a factory."""

    scope: Scope
    name: str
    statements: tuple[ast.stmt, ...]

    @property
    def path(self) -> str:
        return self.scope.place.path

    @property
    def factory(self) -> str:
        """The qualified name of the function that makes it; "" at module level."""
        return self.scope.place.qualname


def find_application(look: Look, wanted: Collection[str]) -> Application:
    """The only application of these files, tests apart. Raises ScaffoldError when there is none or more than one."""
    found, unnamed = _all(look, wanted)
    if len(found) == 1:
        return found[0]
    if found:
        named = [f"{look.reference(one.path, one.factory or one.name)} ({_line(one)})" for one in found]
        raise ScaffoldError(
            f"there are {len(found)} FastAPI applications: {_some(named)}; name one: {COMMAND} {named[0].split(' ')[0]}"
        )
    if unnamed:
        raise ScaffoldError(
            f"the FastAPI application on {unnamed[0]} has no name of its own in a module or function: "
            "bind it with `app = FastAPI(...)` first"
        )
    raise ScaffoldError(f"no FastAPI application was found; name it as for uvicorn: {COMMAND} app.main:app")


def named_application(look: Look, path: str, attribute: str) -> Application:
    """The application that `attribute` of a file is: bound there, imported, made by a factory, or the factory itself.

    Raises ScaffoldError when it is none.
    """
    site = member_site(path, attribute, look.project) or (path, attribute)
    for _ in range(10):  # `application = app`, `app = create_app()`: each step leads nearer to FastAPI()
        home, name = site
        found = [one for one in _all(look, {home}, tests=True)[0] if name == (one.factory or one.name)]
        if len(found) == 1:
            return found[0]
        values = look.project.symbols.binding(home, name)
        if len(found) > 1 or len(values) != 1:
            break
        value = values[0]
        if isinstance(value, Call):
            called = look.project.meaning(value.function, Place(home))
            following = (called.module, called.qualname) if isinstance(called, FunctionMeaning) else None
        else:
            following = definition_site(value, Place(home), look.project)
        if following is None or following == site:
            break
        site = following
    others = [look.reference(one.path, one.factory or one.name) for one in _all(look, look.paths())[0]]
    there = f"; applications are: {_some(others)}" if others else ""
    raise ScaffoldError(f"{attribute} of {path} is not a FastAPI application that can be followed{there}")


def _all(look: Look, wanted: Collection[str], *, tests: bool = False) -> tuple[list[Application], list[str]]:
    """The applications with a name, by place; and the places of those that have none."""
    words = _words(look)
    found: list[Application] = []
    unnamed: list[str] = []
    for path in sorted(wanted):
        if path not in look.codebase.trees or not has_word(look.source(path).data, words):
            continue
        if look.is_test(path) and not tests:
            continue
        for scope in look.scopes(path):
            calls = [node for node in scope.watched() if isinstance(node, ast.Call) and _is_application(node, scope)]
            by_name: dict[str, list[ast.stmt]] = {}
            for call in calls:
                statement = scope.statement(call)
                name = _bound(statement, call)
                if name and not isinstance(scope.node, ast.ClassDef):
                    by_name.setdefault(name, []).append(statement)
                else:
                    unnamed.append(f"{path}:{call.lineno}")
            found += [Application(scope, name, tuple(statements)) for name, statements in by_name.items()]
    return found, unnamed


def _words(look: Look) -> set[bytes]:
    """What a file must hold to make an application: the class's name, that of a class below it, or another for them."""
    names = {"FastAPI"}
    facts = look.project.symbols.facts.values()
    while True:
        more = {
            one.qualname.rpartition(".")[2]
            for fact in facts
            for one in fact.classes
            if any(last_name(base) in names for base in one.bases)
        }
        more |= {one.name for fact in facts for one in fact.imports if one.attribute in names}
        if more <= names:
            return {name.encode("utf-8", "surrogatepass") for name in names}
        names |= more


def _is_application(call: ast.Call, scope: Scope) -> bool:
    means = scope.callee(call)
    if isinstance(means, ClassMeaning):
        return any(isinstance(base, External) and base.dotted in FASTAPI for base in scope.project.bases(means))
    return isinstance(means, External) and means.dotted in FASTAPI


def _bound(statement: ast.stmt, call: ast.Call) -> str:
    match statement:
        case ast.Assign(targets=[ast.Name(id=name)], value=value) if value is call:
            return name
        case ast.AnnAssign(target=ast.Name(id=name), value=value) if value is call:
            return name
    return ""


def _line(one: Application) -> str:
    return f"{one.path}:{one.statements[0].lineno}"


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


# --- what an application includes -----------------------------------------------------------------------------------


def includes(application: Application) -> list[ast.Call]:
    """The calls of `include_router` on the application in the scope that it is made in, in source order."""
    return [
        node
        for node in application.scope.watched()
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "include_router"
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == application.name
    ]


def included_modules(application: Application, look: Look) -> Iterator[str]:
    """The files that define the routers that the application is given, in order, where that can be told."""
    for call in includes(application):
        given = call.args[0] if call.args else next((one.value for one in call.keywords if one.arg == "router"), None)
        site = home_of(given, application.scope) if given is not None else None
        if site is not None and site in look.codebase.trees:
            yield site


def home_of(node: ast.expr, scope: Scope) -> str | None:
    """The file that defines what a name or `module.name` stands for at a place; None when that cannot be told."""
    if isinstance(node, ast.Name):
        for imported in scope.project.symbols.imports(scope.place.path, scope.place.qualname, node.id):
            module = scope.project.symbols.module_path(imported.module, scope.place.path)
            if module is None or imported.attribute is None:
                return None
            site = member_site(module, imported.attribute, scope.project)
            return site[0] if site else None
    site = definition_site(expression(node), scope.place, scope.project)
    return site[0] if site else None
