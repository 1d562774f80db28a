"""What a module defines once and for all: names that another module may import and keep. Pure; `ast` only.

A name that is bound anew at run time has to be looked up in its module each time; who imports it keeps the old value.
"""

from __future__ import annotations

import ast
from collections import Counter

from codemods.project.nodes import Parents, children


def fixed_names(tree: ast.Module, parents: Parents) -> frozenset[str]:
    """The names that a statement at the top of the module binds, under no condition, and nothing binds again.

    Imports, loops, `del`, `global` in functions, annotations without a value and a plain None count as not fixed.
    """
    bound: Counter[str] = Counter()
    given: set[str] = set()
    for statement in tree.body:
        match statement:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                given.add(name)
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if not _is_nothing(value):
                given.add(name)
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value) if not _is_nothing(value):
                given.add(name)
        for name in _bindings(statement):
            bound[name] += 1
    for node in parents.of_kind(ast.Global):
        bound.update(node.names)
    return frozenset(name for name in given if bound[name] == 1)


def _is_nothing(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and value.value is None


def _bindings(statement: ast.stmt) -> list[str]:
    """The names that a statement of a module binds there, at any depth."""
    found: list[str] = []
    waiting: list[ast.AST] = [statement]
    while waiting:
        node = waiting.pop()
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                found.append(name)
                continue
            case ast.Lambda():
                continue
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
                found.append(name)
            case ast.Import(names=names) | ast.ImportFrom(names=names):
                found += [alias.asname or alias.name.partition(".")[0] for alias in names]
            case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                found.append(name)
            case ast.MatchMapping(rest=str(name)):
                found.append(name)
        waiting += children(node)
    return found
