"""The statement by which an application includes the new router: where it stands, and what it needs. Decides edits."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass

from codemods.flow.import_place import is_bound
from codemods.plan import InsertAfter, NeedsImport
from codemods.project.keeping import parameter_name
from codemods.project.sessions import FunctionMeaning, ModuleMeaning
from codemods.scaffold.applications import Application, home_of, includes
from codemods.scaffold.endpoint import MODULE, ROUTER_FUNCTION
from codemods.scaffold.errors import ScaffoldError
from codemods.scaffold.imports import placed_import
from codemods.scaffold.look import Look


@dataclass(frozen=True, slots=True)
class Inclusion:
    """The router as the application's module names it, and the import that makes it known there."""

    router: str
    request: NeedsImport


def anchor(application: Application, below: Iterable[int] = ()) -> ast.stmt:
    """The statement behind which the router is included: the last one that includes another, or that makes it.

    A call of a function of the project that is given the application and includes routers is such a one.

    What stands in a loop, in a condition or in a block below the making counts as the whole of that. At module level
    the anchor ends at or behind each of the lines `below`.
    """
    scope = application.scope
    calls = [scope.statement(call) for call in [*includes(application), *_registrations(application)]]
    everything = [*application.statements, *calls]
    suite = scope.seat(application.statements[0]).suite
    if any(scope.in_suite(suite, one) is None for one in everything) or len(application.statements) > 1:
        suite = scope.node.body
    found = suite[max(index for one in everything if (index := scope.in_suite(suite, one)) is not None)]
    for line in below if not application.factory else ():
        if line > (found.end_lineno or found.lineno):
            found = next(one for one in scope.node.body if (one.end_lineno or one.lineno) >= line)
    return found


def _registrations(application: Application) -> list[ast.Call]:
    """The calls of functions of the project that include routers in the application, `register_routers(app)`."""
    scope = application.scope
    found = []
    for call in (node for node in scope.watched() if isinstance(node, ast.Call)):
        given = [(index, None, node) for index, node in enumerate(call.args)]
        for index, keyword, node in [*given, *((None, one.arg, one.value) for one in call.keywords)]:
            if not isinstance(node, ast.Name) or node.id != application.name:
                continue
            called = scope.callee(call)
            if isinstance(called, FunctionMeaning):
                for function in scope.project.symbols.functions(called.module, called.qualname):
                    name = parameter_name(function, called, index, keyword)
                    if any(use.name == name and "include_router" in use.methods for use in function.uses):
                        found.append(call)
    return found


def inclusion(application: Application, home: str, line: int, look: Look, *, engine: str = "") -> Inclusion:
    """How the router of the new file `home` is named behind `line` of the application's module.

    `engine` is the expression that the router is made for, where the module hands it over. Raises ScaffoldError.
    """
    path = application.path
    written = look.written(home, path)
    tree = look.tree(path)
    local = _local_imports(application)
    stem = written[: -len(MODULE)]
    package = stem.rstrip(".") or stem
    if engine:
        name, router, module = ROUTER_FUNCTION, f"{ROUTER_FUNCTION}({engine})", written
    elif package and _by_module(application) and not is_bound(tree, MODULE):
        name, router, module = MODULE, f"{MODULE}.router", package
    else:
        alias = f"{MODULE}_router"
        name, router, module = f"router as {alias}", alias, written
    bound = name.rpartition(" ")[2]
    if is_bound(tree, bound):
        raise ScaffoldError(f"{path} uses the name `{bound}` for something else")
    if local:
        return Inclusion(router, NeedsImport(path, local, module, name))
    return Inclusion(router, placed_import(module, name, path, line, look))


def _by_module(application: Application) -> bool:
    """Whether routers are named as `users.router`, as far as that is seen."""
    for call in includes(application):
        given = call.args[0] if call.args else None
        if isinstance(given, ast.Attribute):
            return isinstance(application.scope.meaning(given.value), ModuleMeaning)
        if isinstance(given, ast.Name) and home_of(given, application.scope) not in (None, application.path):
            return False
    return True


def _local_imports(application: Application) -> int:
    """The line of the last import of a router in the factory itself; 0: they are imported at the top."""
    scope = application.scope
    symbols, place = scope.project.symbols, scope.place
    if not place.qualname:
        return 0
    names = {node.id for call in includes(application) for node in ast.walk(call) if isinstance(node, ast.Name)}
    lines = {
        one.line
        for name in names
        for one in symbols.imports(place.path, place.qualname, name)
        if one.attribute is not None and symbols.module_path(one.module, place.path) is not None
    }
    ours = [one.lineno for one in scope.node.body if isinstance(one, ast.ImportFrom) and one.lineno in lines]
    return max(ours, default=0)


def statement(
    application: Application, after: ast.stmt, router: str, *, depends: str, condition: str, step: str, width: int
) -> InsertAfter:
    """The edit that includes the router, under the condition when there is one."""
    indent = after.col_offset + (len(step.expandtabs(4)) if condition else 0)
    lines = _call(f"{application.name}.include_router", [router, *([depends] if depends else [])], width - indent)
    if condition:
        lines = [f"if {condition}:", *(f"    {line}" for line in lines)]
    return InsertAfter(application.path, after.lineno, "\n".join(lines))


def _call(function: str, arguments: list[str], width: int) -> list[str]:
    """A call, laid out as a formatter would."""
    line = f"{function}({', '.join(arguments)})"
    if len(line) <= width:
        return [line]
    inner = f"    {', '.join(arguments)}"
    if len(inner) <= width:
        return [f"{function}(", inner, ")"]
    return [f"{function}(", *(f"    {argument}," for argument in arguments), ")"]
