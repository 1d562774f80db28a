"""Which parts of a returned expression have nothing to do with the objects that are expunged before it. Reads only."""

from __future__ import annotations

import ast
from collections.abc import Collection

from codemods.flow.scope import Scope
from codemods.project.sessions import External, ModuleMeaning

_PURE = frozenset({"len", "int", "str", "float", "bool", "max", "min", "round", "math.ceil", "math.floor", "abs"})


def is_apart(part: ast.expr, names: Collection[str], scope: Scope) -> bool:
    """Whether evaluating the part has nothing to do with the objects that the names hold, whoever else has them."""
    match part:
        case ast.Constant():
            return True
        case ast.Name(id=name):
            return name not in names
        case ast.Attribute():
            root: ast.expr = part
            while isinstance(root, ast.Attribute):
                root = root.value
            if not isinstance(root, ast.Name) or root.id in names:
                return False
            # an attribute of a parameter, of the object itself, of a module
            return root.id in scope.parameters or isinstance(scope.meaning(root), (ModuleMeaning, External))
        case ast.Call(func=ast.Name(id="len"), args=[ast.Name()], keywords=[]):
            return True
        case ast.Call(func=function, args=arguments, keywords=keywords):
            called = scope.meaning(function)
            if not isinstance(called, External) or called.dotted.removeprefix("builtins.") not in _PURE:
                return False
            inner = [*arguments, *(word.value for word in keywords)]
        case ast.BinOp(left=left, right=right):
            inner = [left, right]
        case ast.BoolOp(values=values):
            inner = values
        case ast.Compare(left=left, comparators=others):
            inner = [left, *others]
        case ast.UnaryOp(operand=operand):
            inner = [operand]
        case ast.IfExp(test=test, body=body, orelse=orelse):
            inner = [test, body, orelse]
        case _:
            return False
    return all(is_apart(one, names, scope) for one in inner)
