"""What a function takes out of its parameters, and where it puts that: `kept.append(repo.session)`. Pure; `ast` only.

A part is reached by attributes, items and iteration, under whatever name of the function; what a call makes of one is
none, but for the methods of containers that give what is in them.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from codemods.project.expressions import dotted, expression
from codemods.project.facts import PartTaken
from codemods.project.keeping_methods import TAKING
from codemods.project.name_uses import Function
from codemods.project.nodes import Parents

ITEM = "[]"  # a step to what is in a container
_GIVING = frozenset({"values", "items", "get", "pop", "popleft", "copy"})
_PASSING = frozenset({"list", "tuple", "set", "sorted", "reversed", "iter", "enumerate", "zip", "dict"})
Path = tuple[str, ...]


def parts_taken(function: Function, parents: Parents) -> Iterator[PartTaken]:
    """Each part that is stored where it outlives the call, or handed to another function."""
    arguments = function.args
    for argument in [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]:
        yield from _Parts(function, argument.arg, parents).taken()


class _Parts:
    """The parts of one parameter."""

    def __init__(self, function: Function, parameter: str, parents: Parents) -> None:
        self.function = function
        self.parameter = parameter
        self.parents = parents
        self.paths: dict[str, set[Path]] = {parameter: {()}}
        given = function.args
        named = [*given.posonlyargs, *given.args, *given.kwonlyargs]
        self.parameters = {one.arg for one in named}
        shared: list[ast.Global | ast.Nonlocal] = [*parents.of_kind_within(function, ast.Global)]
        shared += parents.of_kind_within(function, ast.Nonlocal)
        self.shared = {name for node in shared for name in node.names}

    def taken(self) -> Iterator[PartTaken]:
        if self.parameter not in self.parents.names_within(self.function):
            return
        while self._learn():
            pass
        self.made = {
            node.id
            for node in self.parents.of_kind_within(self.function, ast.Name)
            if isinstance(node.ctx, ast.Store) and node.id not in self.shared
        } - self.parameters
        for name in self.parents.of_kind_within(self.function, ast.Name):
            if isinstance(name.ctx, ast.Load) and name.id in self.paths:
                for path in sorted(self.paths[name.id]):
                    yield from self._of(name, path)

    def _learn(self) -> bool:
        """Gives names to parts; whether a new one was found."""
        before = sum(len(paths) for paths in self.paths.values())
        of_kind = self.parents.of_kind_within
        for assignment in of_kind(self.function, ast.Assign):
            for target in assignment.targets:
                self._bind(target, self._paths(assignment.value))
        for declared in of_kind(self.function, ast.AnnAssign):
            if declared.value is not None:
                self._bind(declared.target, self._paths(declared.value))
        for named in of_kind(self.function, ast.NamedExpr):
            self._bind(named.target, self._paths(named.value))
        loops: list[ast.For | ast.AsyncFor | ast.comprehension] = [*of_kind(self.function, ast.For)]
        loops += [*of_kind(self.function, ast.AsyncFor), *of_kind(self.function, ast.comprehension)]
        for loop in loops:
            self._bind(loop.target, {(*path, ITEM) for path in self._paths(loop.iter)})
        return sum(len(paths) for paths in self.paths.values()) > before

    def _bind(self, target: ast.expr, paths: set[Path]) -> None:
        paths = {path for path in paths if len(path) < 6}
        if isinstance(target, ast.Name) and paths and target.id not in self.parameters:
            self.paths.setdefault(target.id, set()).update(paths)
        elif isinstance(target, (ast.Tuple, ast.List)):
            for one in target.elts:
                self._bind(one.value if isinstance(one, ast.Starred) else one, {(*path, ITEM) for path in paths})

    def _paths(self, node: ast.expr) -> set[Path]:
        """The parts that an expression may be."""
        match node:
            case ast.Name(id=name):
                return set(self.paths.get(name, ()))
            case ast.Attribute(value=value, attr=attr):
                return {(*path, attr) for path in self._paths(value)}
            case ast.Subscript(value=value):
                return {(*path, ITEM) for path in self._paths(value)}
            case ast.Call(func=ast.Attribute(value=value, attr=method)) if method in _GIVING:
                return {(*path, ITEM) for path in self._paths(value)}
            case ast.Call(func=ast.Name(id=called), args=given) if called in _PASSING:
                return {path for one in given for path in self._paths(one)}
            case ast.NamedExpr(value=value) | ast.Await(value=value) | ast.Starred(value=value):
                return self._paths(value)
            case ast.IfExp(body=first, orelse=second):
                return self._paths(first) | self._paths(second)
            case ast.BoolOp(values=values):
                return {path for one in values for path in self._paths(one)}
            case _:
                return set()

    def _of(self, name: ast.Name, path: Path) -> Iterator[PartTaken]:
        """What becomes of the part that begins with this mention."""
        node: ast.expr = name
        around = self.parents.of(node)
        while True:
            if isinstance(around, ast.Attribute):
                path = (*path, around.attr)
            elif isinstance(around, ast.Subscript) and around.value is node:
                path = (*path, ITEM)
            else:
                break
            node, around = around, self.parents.of(around)
        if isinstance(getattr(node, "ctx", None), (ast.Store, ast.Del)):
            return
        if isinstance(around, ast.Call) and around.func is node:
            if path[-1] not in _GIVING:
                return  # a call of its method: what that gives is none of its parts
            path, node, around = (*path[:-1], ITEM), around, self.parents.of(around)
        if path and (path, name.id) != ((), self.parameter):
            yield from self._put(node, around, path)

    def _put(self, node: ast.expr, around: ast.AST | None, path: Path) -> Iterator[PartTaken]:
        line = node.lineno
        while isinstance(around, (ast.Tuple, ast.List, ast.Set, ast.Dict, ast.IfExp, ast.BoolOp, ast.Starred)):
            if isinstance(around, ast.IfExp) and around.test is node:
                return
            node, around = around, self.parents.of(around)
        keyword = None
        if isinstance(around, ast.keyword):
            keyword, node, around = around.arg, around.value, self.parents.of(around)
        match around:
            case ast.Assign(targets=targets) if any(self._outlives(one) for one in targets):
                yield PartTaken(self.parameter, path, line)
            case ast.AnnAssign(target=target) if self._outlives(target):
                yield PartTaken(self.parameter, path, line)
            case ast.Call(func=ast.Attribute(value=owner, attr=method)) if method in TAKING:
                if self._is_others(owner):
                    yield PartTaken(self.parameter, path, line)
            case ast.Call(func=ast.Name(id="setattr"), args=[owner, *_]) if owner is not node:
                if self._is_others(owner):
                    yield PartTaken(self.parameter, path, line)
            case ast.Call(func=function, args=given) if function is not node:
                position = next((index for index, one in enumerate(given) if one is node), None)
                if position is not None or keyword is not None:
                    yield PartTaken(self.parameter, path, line, expression(function), position, keyword)

    def _outlives(self, target: ast.expr) -> bool:
        if isinstance(target, ast.Name):
            return target.id in self.shared
        return isinstance(target, (ast.Attribute, ast.Subscript)) and self._is_others(target.value)

    def _is_others(self, owner: ast.expr) -> bool:
        """Whether a thing was there before: neither the parameter, nor made by the function, nor a session."""
        while isinstance(owner, (ast.Attribute, ast.Subscript)):
            owner = owner.value
        if not isinstance(owner, ast.Name):
            return True
        if owner.id in self.paths:
            return False
        return owner.id not in self.made or self._is_borrowed(owner.id)

    def _is_borrowed(self, name: str) -> bool:
        """`kept = self.kept`"""
        for node in self.parents.of_kind_within(self.function, ast.Assign):
            if any(isinstance(one, ast.Name) and one.id == name for one in node.targets):
                chain = dotted(expression(node.value))
                if chain and chain.partition(".")[0] not in self.made:
                    return True
        return False
