"""Where functions of given names are mentioned in one file, and what is done with them there. Facts; pure.

A second, narrow look at files that were scanned already: only once it is known which functions lend sessions out, it
is known whose callers matter.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from codemods.project.expressions import expression
from codemods.project.facts import Expression
from codemods.project.name_uses import Role, value_use
from codemods.project.nodes import Parents, parents_of


@dataclass(frozen=True, slots=True)
class Mention:
    """One place at which a name is read that may be the function in question."""

    path: str
    line: int
    scope: str  # qualified name of the function or class in whose body it stands; "" at module level
    chain: Expression  # the name, or the chain of attributes
    called: bool
    role: Role  # what is done with the function, or with the result when it is called
    around: Expression | None = None  # what it, or its result, is handed to
    attribute: str = ""  # the method of the result, or the attribute, that is read
    is_override: bool = False  # in a statement about `dependency_overrides`, and not called
    bare: bool = False  # it is the whole value of an assignment: a second name for it


def mentions(tree: ast.Module, path: str, names: Collection[str]) -> Iterator[Mention]:
    """Every read of one of the names in a file: as a name, or as the last attribute of a chain. In no order."""
    parents = parents_of(tree)
    for node in parents.in_order(node for name in names for node in parents.read.get(name, ())):
        above = parents.of(node)
        called = isinstance(above, ast.Call) and above.func is node
        use = value_use(above if called and isinstance(above, ast.Call) else node, parents)
        yield Mention(
            path,
            node.lineno,
            _scope(node, parents),
            expression(node),
            called,
            use.role,
            None if use.call is None else expression(use.call.func),
            use.attribute,
            not called and _is_override(node, parents),
            _is_second_name(above),
        )


def _is_second_name(above: ast.AST | None) -> bool:
    """`provider = get_session`; not `app.state.provider = get_session`, whose uses cannot be found."""
    if isinstance(above, ast.Assign):
        return all(isinstance(target, ast.Name) for target in above.targets)
    return isinstance(above, ast.AnnAssign) and isinstance(above.target, ast.Name)


def _scope(node: ast.AST, parents: Parents) -> str:
    names: list[str] = []
    inside: ast.AST = node
    for around in parents.chain(node):
        if isinstance(around, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            if names or inside in around.body:
                names.append(around.name)
        inside = around
    return ".".join(reversed(names))


def _is_override(node: ast.AST, parents: Parents) -> bool:
    statement = parents.statement(node)
    return any(
        isinstance(inner, ast.Attribute) and inner.attr == "dependency_overrides" for inner in ast.walk(statement)
    )
