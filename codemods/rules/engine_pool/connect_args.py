"""What the arguments that go to the database's driver say of the database. Reads; decides nothing."""

from __future__ import annotations

import ast

from codemods.flow.call_options import Setting
from codemods.flow.scope import Scope
from codemods.flow.sole_value import ModuleScope, sole_value
from codemods.project.name_uses import Role
from codemods.project.sessions import External

_SQLITE_ONLY = "check_same_thread"  # every other driver refuses it


def only_for_sqlite(given: Setting | None, module_scope: ModuleScope) -> bool:
    """Whether `connect_args`, as an engine gets them under no condition, are such as SQLite alone takes."""
    if given is None or given.value is None or not given.certain:
        return False
    node, scope = given.value, given.scope
    if isinstance(node, (ast.Name, ast.Attribute)):
        found = sole_value(node, scope, module_scope)
        if isinstance(found, str) or not _stays(found.name, found.owner):
            return False
        node, scope = found.node, found.owner
    match node:
        case ast.Dict(keys=keys):
            return any(isinstance(key, ast.Constant) and key.value == _SQLITE_ONLY for key in keys)
        case ast.Call(func=func, keywords=keywords) if scope.meaning(func) == External("builtins.dict"):
            return any(keyword.arg == _SQLITE_ONLY for keyword in keywords)
    return False


def _stays(name: str, owner: Scope) -> bool:
    """Whether the dict of this name is only handed to calls: nothing is taken out of it."""
    return all(use.role in (Role.BOUND, Role.ARGUMENT) for use in owner.uses(name))
