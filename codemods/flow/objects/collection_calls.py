"""What the methods of lists, sets and dicts give, and what they put into them. Changes the world."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from codemods.flow.objects.values import (
    EMPTY,
    NOTHING,
    PLAIN,
    Alternative,
    How,
    Many,
    One,
    Pack,
    Table,
    Value,
    elements,
    is_doubled,
    listed,
    objects,
    union,
    value,
)

if TYPE_CHECKING:
    from codemods.flow.objects.evaluate import Evaluation

FILLING = frozenset({"append", "add", "extend", "insert", "update", "appendleft", "remove", "discard", "clear"})
# what leaves the object that it is called on, and those in it, as they are
READING = frozenset(
    {
        *("lower", "upper", "strip", "lstrip", "rstrip", "split", "rsplit", "splitlines", "startswith", "endswith"),
        *("format", "isoformat", "strftime", "get", "items", "keys", "values", "copy", "count", "index", "encode"),
        *("decode", "total_seconds", "date", "time", "timestamp", "astimezone", "replace", "title", "capitalize"),
        *("join", "find", "isdigit", "zfill", "casefold", "weekday", "quantize", "hex", "as_dict", "select"),
    }
)


class CollectionCalls:
    """The calls of methods of collections in one function."""

    def __init__(self, evaluation: Evaluation) -> None:
        self._all = evaluation
        self._filled: dict[One, set[tuple[int, int]]] = {}  # where objects are put into lists

    def put_in(self, holder: ast.expr, given: Value) -> bool:
        """`groups[key].append(user)`, `groups.setdefault(key, [])`: puts it into the collection that a name holds."""
        root: ast.expr = holder
        while not isinstance(root, ast.Name):
            match root:
                case ast.Subscript(value=inner) | ast.Call(func=ast.Attribute(value=inner, attr="setdefault" | "get")):
                    root = inner
                case _:
                    return False
        before = self._all.world.names.get(root.id, EMPTY)
        if not any(isinstance(one, (Table, Many, Pack)) for one in before):
            return False
        self._all.world.names[root.id] = union([before, value(Table(value(Many(given, doubled=True))))])
        return True

    def called(self, node: ast.Call, function: ast.Attribute, one: Alternative, method: str) -> Value:
        every = self._all.calls.arguments(node)
        # the key of `get` and the index of `insert` are no elements
        given = union(every[1:] if method in ("get", "pop", "setdefault", "insert") else every) or EMPTY
        inner = elements(value(one)) if not isinstance(one, Table) else one.values
        if node.keywords:
            self._all.session_calls.wrote_somewhere(node.lineno)  # `users.sort(key=...)`
        related = isinstance(one, Many) and one.relation
        if related and method not in READING:
            for owner in inner:
                if isinstance(owner, One) and owner.names:
                    self._all.touched(One(owner.origin), node.lineno)
        if isinstance(one, Table) and method == "setdefault" and isinstance(function.value, ast.Name):
            name = function.value.id
            self._all.world.names[name] = union([self._all.world.names.get(name, EMPTY), value(Table(given))])
        if method in FILLING:
            for owner in inner:
                if related and isinstance(owner, One) and owner.names:
                    # `user.orders.append(order)`
                    self._all.touched(One(owner.origin), node.lineno)
                    if owner.origin.how is How.MADE and len(owner.names) == 1:
                        self._all.session_calls.loaded(owner.origin, owner.names[0])
                    for other in objects(given):
                        self._all.tie(owner.origin, other.origin, node.lineno)
            if not isinstance(function.value, ast.Name) and objects(given):
                self.put_in(function.value, given)
            if isinstance(function.value, ast.Name) and method not in ("remove", "discard", "clear"):
                name = function.value.id
                more = elements(listed(self._all.iterable(given))) if method in ("extend", "update") else given
                before = self._all.world.names.get(name, EMPTY)
                filled = [each for each in before if isinstance(each, (Many, Pack))]
                if isinstance(one, Table):
                    self._all.world.names[name] = union([before, value(Table(more))])
                elif filled:
                    kept = frozenset(each for each in before if not isinstance(each, (Many, Pack)))
                    old = [
                        elements(value(each)) for each in filled if not (isinstance(each, Pack) and not each.elements)
                    ]
                    twice = any(isinstance(each, Many) and each.doubled for each in filled) or is_doubled(given)
                    many = Many(union([*old, more]), twice or self._may_repeat(node, more))
                    self._all.world.names[name] = union([kept, value(many)])
            return PLAIN
        if method in ("values", "copy"):
            return value(Many(inner, doubled=True)) if method == "values" else value(one)
        if method == "items":
            return value(Many(value(Pack((PLAIN, inner)))))
        if method in ("get", "pop", "setdefault", "popleft"):
            return union(
                [inner, NOTHING if method == "get" else EMPTY, given if method in ("get", "setdefault") else EMPTY]
            )
        return PLAIN

    def _may_repeat(self, node: ast.Call, more: Value) -> bool:
        """Whether what is put into a list may be in it already: not where one loop over distinct objects does it."""
        for one in objects(more):
            if one.origin.how is How.MADE and not one.names:
                continue
            places = self._filled.setdefault(one, set())
            places.add((node.lineno, node.col_offset))
            if len(self._all.loops) != 1 or one not in self._all.loops[0] or len(places) > 1:
                return True
        return False
