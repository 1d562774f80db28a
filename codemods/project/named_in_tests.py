"""What a test file names by text, and so may replace: `patch(f"{MODULE}.get_db")`, `patch.multiple(m, get_db=...)`.

Cheap on purpose: in a test nobody writes such a text for another reason. Pure; `ast` only.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from posixpath import basename

from codemods.project.expressions import called_name
from codemods.project.nodes import Parents

_DOTTED = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+")
_TAIL = re.compile(r"[\w.]*\.([A-Za-z_]\w*)")
_TESTING = frozenset({"pytest", "pytest_asyncio", "unittest", "mock"})
_TELLING: tuple[type[ast.AST], ...] = (ast.Constant, ast.JoinedStr, ast.BinOp, ast.Call)
_PATCHING = frozenset({"multiple", "dict"})


def is_test(path: str, tree: ast.Module) -> bool:
    """Whether the file is a test by its name, or imports what tests are written with."""
    name = basename(path)
    if name.startswith("test_") or name.endswith("_test.py") or name == "conftest.py":
        return True
    for statement in tree.body:
        if isinstance(statement, ast.Import):
            if any(alias.name.partition(".")[0] in _TESTING for alias in statement.names):
                return True
        elif isinstance(statement, ast.ImportFrom) and not statement.level:
            if (statement.module or "").partition(".")[0] in _TESTING:
                return True
    return False


def named_by_text(parents: Parents) -> Iterator[tuple[str, int]]:
    """(dotted text, line); ".name" where the module cannot be told."""
    telling = [node for kind in _TELLING for node in parents.of_kind(kind) if any(_named(node))]
    for node in parents.in_order(telling):
        yield from _named(node)


def _named(node: ast.AST) -> Iterator[tuple[str, int]]:
    match node:
        case ast.Constant(value=str(text)) if _DOTTED.fullmatch(text):
            yield text, node.lineno
        case ast.JoinedStr(values=[*_, ast.Constant(value=str(text))]) if found := _TAIL.fullmatch(text):
            yield f".{found[1]}", node.lineno
        case ast.BinOp(op=ast.Add() | ast.Mod(), right=ast.Constant(value=str(text))) if found := _TAIL.fullmatch(text):
            yield f".{found[1]}", node.lineno
        case ast.Call(func=function, args=arguments, keywords=keywords):
            if called_name(function) not in _PATCHING:
                return
            for keyword in keywords:
                if keyword.arg is not None:
                    yield f".{keyword.arg}", node.lineno
            for argument in [*arguments, *(keyword.value for keyword in keywords)]:
                if isinstance(argument, ast.Dict):
                    for key in argument.keys:
                        if isinstance(key, ast.Constant) and isinstance(key.value, str):
                            yield f".{key.value}", key.lineno
