"""The lines that expunge what is returned, as the practices write them. Text only; decides nothing."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Collection
from dataclasses import dataclass
from keyword import iskeyword

import inflection

from codemods.flow.scope import Scope
from codemods.project.sessions import ClassMeaning


@dataclass(frozen=True, slots=True)
class Target:
    """One value that is expunged: the name it has, and in which form.

    `exact`: its class defines its own truth, so `if user:` would not do. `without_none`: a list of which each None has
    been left out.
    """

    name: str
    class_: ClassMeaning
    many: bool
    optional: bool
    guarded: bool
    exact: bool = False
    without_none: bool = False


def code(target: Target, session: str, element: str) -> str:
    """The statements that expunge one value; `element` is the loop variable for many."""
    if target.many:
        inner = f"{session}.expunge({element})"
        if target.guarded:
            test = f"{element} in {session}"
            test = test if target.without_none else f"{element} is not None and {test}"
            return f"for {element} in {target.name}:\n    if {test}:\n        {inner}"
        return f"for {element} in {target.name}:\n    {inner}"
    expunge = f"{session}.expunge({target.name})"
    if target.guarded:
        return f"if {target.name} is not None and {target.name} in {session}:\n    {expunge}"
    if target.optional:
        test = f"{target.name} is not None" if target.exact else target.name
        return f"if {test}:\n    {expunge}"
    return expunge


def singular(class_: ClassMeaning) -> str:
    """`ChatMessage` -> `chat_message`."""
    return inflection.underscore(class_.qualname.rpartition(".")[2]).strip("_") or "entity"


def plural(class_: ClassMeaning) -> str:
    """`ChatMessage` -> `chat_messages`."""
    return inflection.pluralize(singular(class_))


def free(wanted: str, scope: Scope, taken: Collection[str] = ()) -> str:
    """`wanted`, or a name made of it that nothing in view uses."""
    used = {node.id for node in ast.walk(scope.node) if isinstance(node, ast.Name)}
    used |= {node.arg for node in ast.walk(scope.node) if isinstance(node, ast.arg)}
    used |= {one.name for one in ast.walk(scope.node) if isinstance(one, _DEFINING)}
    used |= _module_names(scope.parents.root) | set(taken)
    candidates = [wanted, f"found_{wanted}", f"loaded_{wanted}"]
    candidates += [f"{wanted}_{number}" for number in range(2, 100)]
    return next(name for name in candidates if name not in used and not hasattr(builtins, name) and not iskeyword(name))


_DEFINING = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def _module_names(root: ast.AST) -> set[str]:
    found: set[str] = set()
    for statement in getattr(root, "body", ()):
        if isinstance(statement, _DEFINING):
            found.add(statement.name)
            continue
        for node in ast.walk(statement):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                found.add(node.id)
            elif isinstance(node, ast.alias):
                found.add((node.asname or node.name).partition(".")[0])
            elif isinstance(node, _DEFINING):
                found.add(node.name)
    return found
