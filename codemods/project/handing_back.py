"""Decorators that hand each call through as it is, and give back what it gives. Pure; `ast` only.

def trace(function):
    @wraps(function)
    def wrapper(*args, **kwargs):
        logger.info(function.__name__)
        return function(*args, **kwargs)
    return wrapper
"""

from __future__ import annotations

import ast

from codemods.project.expressions import called_name, expression, is_logging
from codemods.project.facts import HandsBack
from codemods.project.name_uses import Function
from codemods.project.nodes import DEFINITIONS, Parents

_YIELDS: tuple[type[ast.AST], ...] = (ast.Yield, ast.YieldFrom)


def hands_back(node: Function, parents: Parents) -> HandsBack:
    """Which decorated functions still give what they gave before.

    The decorator returns what it is given, or a function of its own that calls that with all its arguments. Of several
    functions each must do so; an async one that is for coroutines alone must hang on `iscoroutinefunction`.
    """
    given = node.args
    match node.body[-1]:
        case ast.Return(value=ast.Name()) | ast.If():
            pass
        case _:
            return HandsBack.NOTHING  # as nearly every function
    if isinstance(node, ast.AsyncFunctionDef) or node.decorator_list or not _always_gives(node.body):
        return HandsBack.NOTHING
    if len(given.args) + len(given.posonlyargs) != 1 or given.vararg or given.kwarg or given.kwonlyargs:
        return HandsBack.NOTHING
    [function] = [one.arg for one in (*given.posonlyargs, *given.args)]
    inside = [one for one in parents.within(node) if isinstance(one, (ast.FunctionDef, ast.AsyncFunctionDef))]
    wrappers = [one for one in inside if one is not node and _owner(one, parents) is node]
    found = HandsBack.ALL
    for returned in _returns(node, parents):
        if not isinstance(returned.value, ast.Name):
            return HandsBack.NOTHING
        name = returned.value.id
        if name == function:
            continue
        meant = [one for one in wrappers if one.name == name]
        if not meant or not all(_Wrapper(one, function, parents).calls_through() for one in meant):
            return HandsBack.NOTHING
        for one in meant:
            chosen = any(_is_for_coroutines(place, function, parents) for place in (one, returned))
            if isinstance(one, ast.AsyncFunctionDef) and not chosen:
                found = HandsBack.COROUTINES
    is_bound_anew = any(isinstance(one.ctx, ast.Store) for one in parents.named_within(node).get(function, ()))
    return HandsBack.NOTHING if is_bound_anew else found


class _Wrapper:
    """A function that may stand in the place of `function`."""

    def __init__(self, node: Function, function: str, parents: Parents) -> None:
        self.node = node
        self.function = function
        self.parents = parents

    def calls_through(self) -> bool:
        """Whether it gives what `function(*args, **kwargs)` gives, awaited where it is async, and keeps none of it."""
        node, parents = self.node, self.parents
        if not all(self._is_wraps(one) for one in node.decorator_list) or not _always_gives(node.body):
            return False
        inside = [one for one in parents.within(node) if one is not node]
        if any(isinstance(one, (*_YIELDS, *DEFINITIONS, ast.Lambda, ast.Global, ast.Nonlocal)) for one in inside):
            return False
        returned = [one.value for one in _returns(node, parents)]
        if not all(isinstance(value, ast.Name) or self._is_through(value) for value in returned):
            return False
        results = {value.id for value in returned if isinstance(value, ast.Name)}
        given = node.args
        made = {one.id for one in parents.of_kind_within(node, ast.Name) if isinstance(one.ctx, ast.Store)}
        taken = {one.arg for one in (*given.posonlyargs, *given.args, given.vararg, given.kwarg) if one is not None}
        for name in parents.of_kind_within(node, ast.Name):
            if name.id == self.function and not self._is_function_used(name):
                return False
            if name.id in results and (name.id not in made or not self._is_result_used(name)):
                return False
            if name.id in taken and not (self._is_argument(name) or self._is_logged(name)):
                return False
        return True

    def _is_wraps(self, decorator: ast.expr) -> bool:
        return isinstance(decorator, ast.Call) and called_name(decorator.func) == "wraps" and not decorator.keywords

    def _is_through(self, value: ast.AST | None) -> bool:
        """`function(*args, **kwargs)`, with all that the wrapper takes; `await` before it in an async one."""
        if isinstance(self.node, ast.AsyncFunctionDef):
            return isinstance(value, ast.Await) and self._is_call(value.value)
        return self._is_call(value)

    def _is_call(self, value: ast.AST | None) -> bool:
        given = self.node.args
        if given.kwonlyargs or given.defaults or not isinstance(value, ast.Call):
            return False
        handed = [one.value if isinstance(one, ast.Starred) else one for one in value.args]
        handed += [one.value for one in value.keywords]
        stars = [isinstance(one, ast.Starred) for one in value.args] + [one.arg is None for one in value.keywords]
        names = [one.arg for one in (*given.posonlyargs, *given.args)]
        wanted = [(name, False) for name in names]
        wanted += [(one.arg, True) for one in (given.vararg, given.kwarg) if one is not None]
        told = [(one.id if isinstance(one, ast.Name) else "", star) for one, star in zip(handed, stars, strict=True)]
        return isinstance(value.func, ast.Name) and value.func.id == self.function and told == wanted

    def _is_function_used(self, name: ast.Name) -> bool:
        """In the call whose result is given back, for `wraps`, or for its `__name__`."""
        around = self.parents.of(name)
        if isinstance(around, ast.Attribute):
            call = self.parents.of(around)
            return around.attr.startswith("__") and not (isinstance(call, ast.Call) and call.func is around)
        if not isinstance(around, ast.Call):
            return False
        if around in self.node.decorator_list:
            return True
        value: ast.AST = around
        if isinstance(self.node, ast.AsyncFunctionDef):
            value = self.parents.of(around) or around
        return self._is_through(value) and isinstance(self.parents.of(value), (ast.Return, ast.Assign))

    def _is_result_used(self, name: ast.Name) -> bool:
        """`result = function(*args, **kwargs)`, `return result`"""
        around = self.parents.of(name)
        if isinstance(around, ast.Assign):
            return around.targets == [name] and self._is_through(around.value)
        return isinstance(around, ast.Return)

    def _is_argument(self, name: ast.Name) -> bool:
        around = self.parents.of(name)
        if isinstance(around, (ast.Starred, ast.keyword)):
            around = self.parents.of(around)
        return self._is_call(around)

    def _is_logged(self, name: ast.Name) -> bool:
        """`logger.info("%s", args)`, `print(args)`"""
        for around in self.parents.chain(name):
            if isinstance(around, ast.Call):
                return is_logging(expression(around.func)) or called_name(around.func) == "print"
        return False


def _returns(node: Function, parents: Parents) -> list[ast.Return]:
    """The `return` statements of a function, and none of those in it."""
    return [one for one in parents.of_kind_within(node, ast.Return) if _owner(one, parents) is node]


def _owner(node: ast.AST, parents: Parents) -> ast.AST | None:
    return next((around for around in parents.chain(node) if isinstance(around, DEFINITIONS)), None)


def _is_for_coroutines(node: ast.stmt, function: str, parents: Parents) -> bool:
    """Whether a statement stands below `if iscoroutinefunction(function):`."""
    inner: ast.AST = node
    for around in parents.chain(node):
        if isinstance(around, ast.If) and inner in around.body and isinstance(around.test, ast.Call):
            [first, *_] = [*around.test.args, None]
            if called_name(around.test.func) == "iscoroutinefunction" and isinstance(first, ast.Name):
                return first.id == function
        inner = around
    return False


def _always_gives(body: list[ast.stmt]) -> bool:
    """Whether the end of these statements is never reached: what is called gives something, or raises."""
    match body[-1] if body else None:
        case ast.Return(value=ast.expr()) | ast.Raise():
            return True
        case ast.If(body=then, orelse=otherwise):
            return _always_gives(then) and _always_gives(otherwise)
        case ast.With(items=items, body=inner) | ast.AsyncWith(items=items, body=inner):
            opened = [one.context_expr for one in items]
            return _always_gives(inner) and not any(
                isinstance(one, ast.Call) and called_name(one.func) == "suppress" for one in opened
            )
        case ast.Try(body=tried, handlers=handlers, orelse=otherwise, finalbody=last):
            ends = [one.body for one in handlers]
            return _always_gives(last) or all(map(_always_gives, [otherwise or tried, *ends]))
        case _:
            return False
