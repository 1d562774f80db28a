"""Looks at a scaffold's result as a reader of the project would: what was written means what it was meant to. Pure."""

from __future__ import annotations

import ast
from collections.abc import Iterable

from codemods.plan import Change
from codemods.project.expressions import expression, last_name
from codemods.scaffold.applications import home_of
from codemods.scaffold.errors import ScaffoldError
from codemods.scaffold.look import Look


def check_result(look: Look, changes: Iterable[Change], application: str, home: str, engine: str) -> None:
    """Raise ScaffoldError unless the application's file includes the router of `home`, and that imports the engine.

    `engine` is the file of the engine; that of the application when it hands the engine over.
    """
    after = look.with_changes(changes)
    included = any(
        isinstance(node, ast.Call)
        and last_name(expression(node.func)) == "include_router"
        and node.args
        and home_of(_router(node.args[0]), scope) == home
        for scope in after.scopes(application)
        for node in scope.watched()
    )
    if not included:
        raise ScaffoldError(f"{application} could not be made to import {home}; please report it")
    symbols = after.project.symbols
    imported = {symbols.module_path(one.module, home) for one in symbols.facts[home].imports}
    if engine not in {*imported, application}:
        raise ScaffoldError(f"{home} could not be made to import {engine}; please report it")


def _router(given: ast.expr) -> ast.expr:
    """`pool_status_router` of `pool_status_router(engine)`."""
    return given.func if isinstance(given, ast.Call) else given
