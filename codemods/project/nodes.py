"""The nodes of one tree, found by one walk: who stands around whom, and which nodes there are of a kind. `ast` only.

Trees are read, never changed, so what the walk finds is kept with the tree: asking again is free.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import cached_property
from typing import Any, TypeVar

from codemods.syntax import nodes as syntax

SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
Node = TypeVar("Node", bound=ast.AST)

# awaiting `gather(f(s), g(s))` awaits what is inside it: these expressions hand the await through
_TRANSPARENT = (ast.Call, ast.Starred, ast.keyword, ast.List, ast.Tuple, ast.ListComp, ast.GeneratorExp, ast.IfExp)
_DEFINING = frozenset(DEFINITIONS)
_WATCHED = frozenset({ast.Call, ast.With, ast.AsyncWith, ast.For, ast.AsyncFor})


# --- the children of a node -----------------------------------------------------------------------------------------

# Fields that never hold a node that anyone asks for: texts, numbers, and the marks for operators and contexts, which
# are half of all that `ast.iter_child_nodes` gives.
_LEAVES = frozenset(
    {"arg", "asname", "attr", "conversion", "ctx", "id", "is_async", "is_lazy", "kind", "kwd_attrs", "level", "lineno"}
    | {"module", "op", "ops", "rest", "simple", "tag", "type_comment", "type_ignores"}
)
_ALSO_LEAVES: dict[type[ast.AST], frozenset[str]] = {
    ast.Constant: frozenset({"value"}),
    ast.MatchSingleton: frozenset({"value"}),
    ast.Global: frozenset({"names"}),
    ast.Nonlocal: frozenset({"names"}),
    syntax.Interpolation: frozenset({"str"}),
}


# in a Python that does not know them, type parameters are a field of the single node
_GENERIC = frozenset(DEFINITIONS)


def _fields_of_nodes(kind: type[ast.AST]) -> tuple[str, ...]:
    leaves = _LEAVES | _ALSO_LEAVES.get(kind, frozenset())
    if kind is not syntax.TypeAlias:
        leaves |= {"name"}  # a text everywhere else
    fields = (*kind._fields, "type_params") if kind in _GENERIC else kind._fields
    return tuple(dict.fromkeys(field for field in fields if field not in leaves))


class _Fields(dict[type[ast.AST], tuple[str, ...]]):
    """The fields of a kind of node in which nodes, lists of nodes or None stand; made when first asked for."""

    def __missing__(self, kind: type[ast.AST]) -> tuple[str, ...]:
        fields = self[kind] = _fields_of_nodes(kind)
        return fields


FIELDS = _Fields()


def children(node: ast.AST) -> list[ast.AST]:
    """The nodes directly in a node, in the order of `ast.iter_child_nodes`, but for operators and contexts."""
    found: list[ast.AST] = []
    for field in FIELDS[node.__class__]:
        value = getattr(node, field, None)
        if value.__class__ is list:
            found += value
            if None in value:  # `{**more}` has no key, a parameter need not have a default
                found = [one for one in found if one is not None]
        elif value is not None:
            found.append(value)
    return found


def walk(node: ast.AST) -> Iterator[ast.AST]:
    """The node and all nodes in it, in no order. Where the order matters, `ast.walk` is the one to use."""
    waiting = [node]
    while waiting:
        current = waiting.pop()
        yield current
        for field in FIELDS[current.__class__]:
            value = getattr(current, field, None)
            if value.__class__ is list:
                waiting += [one for one in value if one is not None]
            elif value is not None:
                waiting.append(value)


# --- one tree -------------------------------------------------------------------------------------------------------


class _Mark:
    """Stands among the nodes that wait: what was put there before it lies in this scope again, or a definition ends."""

    __slots__ = ("ends", "scope")

    def __init__(self, scope: ast.AST, ends: ast.AST | None = None) -> None:
        self.scope = scope
        self.ends = ends


class Parents:
    """Who stands around whom, for one tree; and what of interest stands in which scope, noted on the same walk.

    `definitions` are the functions and classes, in source order. `watched` are the calls, `with` and `for` statements
    by the innermost function or class in whose body they stand (a lambda is part of its statement).
    """

    def __init__(self, root: ast.AST) -> None:
        self.root = root
        self.definitions: list[Definition] = []
        self.watched: dict[ast.AST, list[ast.AST]] = {}
        self._parent: dict[ast.AST, ast.AST] = {}
        self._of_kind: defaultdict[type[ast.AST], list[ast.AST]] = defaultdict(list)
        self._order: list[ast.AST] = []  # what is in a definition stands together, right behind it
        self._span: dict[ast.AST, tuple[int, int]] = {}
        self._named_in: dict[ast.AST, dict[str, list[ast.Name]]] = {}
        self._walk(root)
        self._span[root] = (0, len(self._order))
        for kind in DEFINITIONS:
            self.definitions += self._of_kind.get(kind, ())  # type: ignore[arg-type]
        self.definitions.sort(key=lambda node: (node.lineno, node.col_offset))

    def _walk(self, root: ast.AST) -> None:
        parent, of_kind, order, watched = self._parent, self._of_kind, self._order, self.watched
        begun: dict[ast.AST, int] = {}
        scope = root
        # Any: nodes and marks, told apart by their class. Every node of every file comes through here, and an
        # `isinstance` or a call for each of them would be felt.
        waiting: list[Any] = [root]
        while waiting:
            node = waiting.pop()
            kind = node.__class__
            if kind is _Mark:
                if node.ends is not None:
                    self._span[node.ends] = (begun[node.ends], len(order))
                scope = node.scope
                continue
            of_kind[kind].append(node)
            order.append(node)
            if kind in _WATCHED:
                watched.setdefault(scope, []).append(node)
            is_definition = kind in _DEFINING
            if is_definition:
                begun[node] = len(order) - 1
                waiting.append(_Mark(scope, node))
            for field in FIELDS[kind]:
                value = getattr(node, field, None)
                if value.__class__ is list:
                    if is_definition and field == "body":
                        waiting.append(_Mark(scope))
                    for child in value:
                        if child is not None:
                            parent[child] = node
                            waiting.append(child)
                    if is_definition and field == "body":
                        waiting.append(_Mark(node))
                elif value is not None:
                    parent[value] = node
                    waiting.append(value)

    def of_kind(self, kind: type[Node]) -> list[Node]:
        """All nodes of just this class in the tree, in no order."""
        return self._of_kind.get(kind, [])  # type: ignore[return-value]

    def within(self, node: ast.AST) -> list[ast.AST]:
        """The node and all nodes in it, in no order: quick for the whole tree, a function or a class."""
        span = self._span.get(node)
        return list(walk(node)) if span is None else self._order[span[0] : span[1]]

    def of_kind_within(self, node: ast.AST, kind: type[Node]) -> list[Node]:
        """The nodes of just this class in a function, a class or the tree, in no order."""
        return [one for one in self.within(node) if one.__class__ is kind]

    def names_within(self, node: ast.AST) -> AbstractSet[str]:
        """Every name in a function, a class or the tree: what is not among them is not used there."""
        return self.named_within(node).keys()

    def named_within(self, node: ast.AST) -> Mapping[str, Sequence[ast.Name]]:
        """Where each name stands in a function, a class or the tree, in no order."""
        known = self._named_in.get(node)
        if known is None:
            found: dict[str, list[ast.Name]] = {}
            for one in self.of_kind_within(node, ast.Name):
                found.setdefault(one.id, []).append(one)
            known = self._named_in[node] = found
        return known

    @cached_property
    def read(self) -> Mapping[str, Sequence[ast.Name | ast.Attribute]]:
        """The places at which each name is read, as a name or as an attribute, in no order."""
        found: defaultdict[str, list[ast.Name | ast.Attribute]] = defaultdict(list)
        for name in self.of_kind(ast.Name):
            if isinstance(name.ctx, ast.Load):
                found[name.id].append(name)
        for attribute in self.of_kind(ast.Attribute):
            if isinstance(attribute.ctx, ast.Load):
                found[attribute.attr].append(attribute)
        return found

    def in_order(self, nodes: Iterable[Node]) -> list[Node]:
        """The nodes in the order of `ast.walk`: the less deep ones first, then from left to right."""
        nodes = list(nodes)
        if len(nodes) > 1:
            # our own walk goes from right to left
            nodes.sort(key=lambda node: (sum(1 for _ in self.chain(node)), -self._places[node]))
        return nodes

    @cached_property
    def _places(self) -> dict[ast.AST, int]:
        return {node: place for place, node in enumerate(self._order)}

    def of(self, node: ast.AST) -> ast.AST | None:
        return self._parent.get(node)

    def chain(self, node: ast.AST) -> Iterator[ast.AST]:
        """The nodes around `node`, from the inside out."""
        current = self._parent.get(node)
        while current is not None:
            yield current
            current = self._parent.get(current)

    def statement(self, node: ast.AST) -> ast.stmt:
        """The innermost statement that holds the node (itself, when it is one)."""
        current = node
        while not isinstance(current, ast.stmt):
            current = self._parent[current]
        return current

    def scope(self, node: ast.AST) -> ast.AST:
        """The innermost function or lambda around the node, else the root."""
        return next((around for around in self.chain(node) if isinstance(around, SCOPES)), self.root)

    def is_awaited(self, node: ast.AST) -> bool:
        """Whether the value is awaited within its own statement, directly or through `gather(...)` and its like."""
        current: ast.AST = node
        for around in self.chain(node):
            if isinstance(around, ast.Await):
                return True
            if isinstance(around, (ast.AsyncFor, ast.comprehension)) and around.iter is current:
                return isinstance(around, ast.AsyncFor) or bool(around.is_async)
            if isinstance(around, (ast.withitem, ast.AsyncWith)):
                return True
            if not isinstance(around, _TRANSPARENT):
                return False
            current = around
        return False


def parents_of(tree: ast.Module) -> Parents:
    """The `Parents` of a tree: made once, and kept on the tree itself for as long as that lives."""
    known = tree.__dict__.get("_parents")
    if known is None:
        known = tree.__dict__["_parents"] = Parents(tree)
    assert isinstance(known, Parents)
    return known
