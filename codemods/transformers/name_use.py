"""Whether a name that an import binds is used in a file. Pure; reads the tree and comments of the text it is given."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator

from codemods import syntax
from codemods.transformers.physical_lines import Comment

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def is_used(name: str, scope: ast.AST, statement: ast.stmt, comments: Iterable[Comment]) -> bool:
    """Whether anything in `scope` but the import `statement` may use or bind `name`, a dotted name by its first part.

    Reads generously, since an import too many is a lesser harm than one too few: any identifier of that name, a
    string that is an expression with it in it (string annotations, `__all__`), any string of an assignment to
    `__all__`, a doctest, an annotation or a type comment that holds the word, another import of it, `global`.
    """
    name = name.partition(".")[0]
    word = re.compile(rf"\b{re.escape(name)}\b")
    if any(word.search(comment.text) for comment in comments if re.match(r"#\s*type:", comment.text)):
        return True
    annotations = {id(node) for annotation in _annotations(scope) for node in ast.walk(annotation)}
    annotations |= {id(node) for public in _public(scope) for node in ast.walk(public)}
    for node in ast.walk(scope):
        if node is statement:
            continue
        match node:
            case ast.Name(id=found) if found == name:
                return True
            case ast.Constant(value=str(text)) if name in text and (
                ((id(node) in annotations or ">>>" in text) and word.search(text)) or name in _names_in(text)
            ):
                return True
            case ast.Global(names=names) | ast.Nonlocal(names=names) if name in names:
                return True
            case ast.Import() | ast.ImportFrom() if any(bound_name(alias) == name for alias in node.names):
                return True
            case ast.ExceptHandler(name=found) | ast.MatchAs(name=found) | ast.MatchStar(name=found) if found == name:
                return True
            case ast.FunctionDef(name=found) | ast.AsyncFunctionDef(name=found) | ast.ClassDef(name=found) if (
                found == name and node is not scope
            ):
                return True
    return False


def bound_name(alias: ast.alias) -> str:
    """The name that an import binds: `a` for `import a.b`, `c` for `import a.b as c`."""
    return alias.asname or alias.name.partition(".")[0]


def innermost_function(tree: ast.Module, statement: ast.stmt) -> ast.AST:
    """The function whose body the statement stands in, or the module; a class body counts as its surroundings."""
    scope: ast.AST = tree
    for node in ast.walk(tree):
        # ast.walk goes from the outside to the inside, so the last one that holds the statement is the innermost
        if isinstance(node, _FUNCTIONS) and node.lineno <= statement.lineno <= (node.end_lineno or node.lineno):
            scope = node
    return scope


def _annotations(scope: ast.AST) -> Iterator[ast.expr]:
    for node in ast.walk(scope):
        if isinstance(node, ast.AnnAssign | ast.arg) and node.annotation is not None:
            yield node.annotation
        elif isinstance(node, _FUNCTIONS) and node.returns is not None:
            yield node.returns


def _public(scope: ast.AST) -> Iterator[ast.expr]:
    """What is assigned to `__all__`, however it is built."""
    for node in ast.walk(scope):
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(isinstance(target, ast.Name) and target.id == "__all__" for target in targets):
                yield node.value


def _names_in(text: str) -> set[str]:
    try:
        tree = syntax.parse_expression(text.strip())
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set()
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
