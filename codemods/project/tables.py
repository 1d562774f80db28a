"""The dicts that a module or an object keeps, and all that is put into them: `_makers[key] = sessionmaker(engine)`.

One tree in, facts out; `ast` only. What is told is whole or not told: a dict that is handed on may be filled by others.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from codemods.project.expressions import annotation, called_name, expression, last_name
from codemods.project.facts import Either, Expression, Item, Literal, Mapping, Opaque, Table
from codemods.project.nodes import DEFINITIONS, Parents

_EMPTY = frozenset({"dict", "OrderedDict", "WeakKeyDictionary", "WeakValueDictionary"})  # called without arguments
_READING = frozenset({"get", "pop", "popitem", "items", "values", "keys", "clear", "copy"})
_LOOKING = frozenset({"len", "list", "sorted", "set", "tuple", "bool", "iter", "any", "all", "str", "repr", "print"})
_DICTS = frozenset({"dict", "Dict", "DefaultDict", "defaultdict", "Mapping", "MutableMapping", "OrderedDict"}) | _EMPTY
_PLAIN = frozenset({"str", "bytes", "int", "float", "bool", "object", "list", "dict", "set", "tuple", "Any"})
_BODIES = (ast.FunctionDef, ast.AsyncFunctionDef)
_Bound = ast.Assign | ast.AnnAssign


@dataclass(slots=True)
class _Kept:
    """One dict while it is looked at. `values` is None when it cannot be told what else is put into it."""

    values: list[ast.expr] | None = field(default_factory=list)
    annotation: Item | None = None


def tables(parents: Parents) -> tuple[Table, ...]:
    """The dicts of the file of which it is told what is in them, or that are declared."""
    found = _kept(parents)
    if not found:
        return ()
    of_class: defaultdict[str, list[str]] = defaultdict(list)
    for qualname in found:
        class_, _, name = qualname.rpartition(".")
        if class_:
            of_class[name].append(qualname)
    for mention in parents.of_kind(ast.Name):
        if mention.id in found or mention.id in of_class:
            own = _place(mention, parents) or mention.id
            _use(mention, [found[one] for one in {own, mention.id} if one in found], parents)
    for attribute in parents.of_kind(ast.Attribute) if of_class else ():
        if attribute.attr in of_class:
            own = f"{_receiving_class(attribute, parents)}.{attribute.attr}"
            meant = [own] if own in found else of_class[attribute.attr]
            _use(attribute, [found[one] for one in meant], parents)
    return tuple(table for qualname, kept in found.items() if (table := _table(qualname, kept, parents)) is not None)


def _kept(parents: Parents) -> dict[str, _Kept]:
    """The dicts that are bound to names of the module, of a class, or to attributes of `self`, by qualified name."""
    found: dict[str, _Kept] = {}
    bindings: Iterable[_Bound] = (*parents.of_kind(ast.Assign), *parents.of_kind(ast.AnnAssign))
    for statement in bindings:
        match statement:
            case ast.Assign(targets=[target], value=value):
                told = None
            case ast.AnnAssign(target=target, annotation=written, value=value):
                told = _declared(annotation(written))
            case _:
                continue
        if told is None and (value is None or _is_nothing(value) or _put_in(value) is None):
            continue
        qualname = _place(target, parents)
        if qualname:
            kept = found.setdefault(qualname, _Kept())
            kept.annotation = kept.annotation or told
    return found


def _declared(told: Expression | None) -> Item | None:
    """`dict[str, async_sessionmaker[AsyncSession]]`, in a `ClassVar` or not; None for another type, or plain values."""
    while isinstance(told, Item) and last_name(told.value) in ("ClassVar", "Final"):
        told = told.key
    if not isinstance(told, Item) or last_name(told.value) not in _DICTS or not isinstance(told.key, Either):
        return None
    value = told.key.options[-1]
    of = value.value if isinstance(value, Item) else value
    return None if last_name(of) in _PLAIN | {""} else told


def _place(target: ast.expr, parents: Parents) -> str:
    """`_makers` of a module, `Registry._makers` for a name in a class body or for `self._makers`; "" for neither."""
    inside = _inside(target, parents)
    match target:
        case ast.Name(id=name) if inside is None:
            return name
        case ast.Name(id=name) if isinstance(inside, ast.ClassDef):
            return f"{_qualname(target, parents)}.{name}"
        case ast.Attribute(attr=name):
            class_ = _receiving_class(target, parents)
            return f"{class_}.{name}" if class_ else ""
        case _:
            return ""


def _receiving_class(attribute: ast.Attribute, parents: Parents) -> str:
    """The class in one of whose methods this is an attribute of the first parameter; "" for any other attribute."""
    method = _inside(attribute, parents)
    class_ = parents.of(method) if isinstance(method, _BODIES) else None
    if isinstance(class_, ast.ClassDef) and isinstance(method, _BODIES) and isinstance(attribute.value, ast.Name):
        first = [*method.args.posonlyargs, *method.args.args][:1]
        if first and first[0].arg == attribute.value.id:
            return _qualname(method, parents)
    return ""


def _use(mention: ast.Name | ast.Attribute, kept: list[_Kept], parents: Parents) -> None:
    """Notes what one mention of a dict puts into it."""
    put = _values(mention, parents)
    for one in kept:
        if put is None:
            one.values = None
        elif one.values is not None:
            one.values += put


def _values(mention: ast.Name | ast.Attribute, parents: Parents) -> list[ast.expr] | None:
    """What is put into a dict where it is mentioned; None where that cannot be told: it may be handed on, too."""
    around = parents.of(mention)
    match around:
        case ast.Assign(value=value) if isinstance(mention.ctx, ast.Store):
            return _put_in(value)
        case ast.AnnAssign(value=value) if isinstance(mention.ctx, ast.Store):
            return [] if value is None else _put_in(value)
        case ast.Subscript(ctx=ast.Store()) if around.value is mention:
            match parents.of(around):
                case ast.Assign(value=value) | ast.AnnAssign(value=ast.expr() as value):
                    return [value]
            return None
        case ast.Subscript() if around.value is mention:
            return []
        case ast.Attribute(attr=method):
            call = parents.of(around)
            if isinstance(call, ast.Call) and call.func is around:
                return _put_by(method, call)
            return [] if method in _READING else None
        case ast.Compare() | ast.FormattedValue():
            return []
        case ast.For() | ast.AsyncFor() | ast.comprehension() if around.iter is mention:
            return []
        case ast.Call(func=function) if mention in around.args and called_name(function) in _LOOKING:
            return []
    return [] if _is_condition(mention, parents) else None


def _put_by(method: str, call: ast.Call) -> list[ast.expr] | None:
    """What a call of a method of a dict puts into it."""
    if method in _READING or (method == "setdefault" and len(call.args) == 1 and not call.keywords):
        return []
    if any(isinstance(one, ast.Starred) for one in call.args):
        return None
    match method, call.args, call.keywords:
        case "setdefault", [_, value], []:
            return [value]
        case "update", [given], []:
            return _put_in(given) if isinstance(given, ast.Dict) else None
        case "update", [], keywords if all(one.arg for one in keywords):
            return [one.value for one in keywords]
    return None


def _put_in(value: ast.expr) -> list[ast.expr] | None:
    """What a new dict holds to begin with: `{}`, `{"a": maker}`, `dict()`, or none yet; None if it isn't seen."""
    match value:
        case ast.Constant() if _is_nothing(value):
            return []
        case ast.Dict(keys=keys, values=values) if None not in keys:
            return list(values)
        case ast.DictComp(value=ast.Call() as each):
            return [each]
        case ast.Call(func=function, args=[], keywords=keywords) if called_name(function) in _EMPTY:
            return [one.value for one in keywords] if all(one.arg for one in keywords) else None
    return None


def _is_nothing(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and value.value is None


def _is_condition(node: ast.AST, parents: Parents) -> bool:
    """`if makers and key in makers:`: only whether there is anything in it is asked."""
    around = parents.of(node)
    while isinstance(around, ast.BoolOp) or (isinstance(around, ast.UnaryOp) and isinstance(around.op, ast.Not)):
        node, around = around, parents.of(around)
    return isinstance(around, (ast.If, ast.While, ast.IfExp, ast.Assert)) and around.test is node


def _table(qualname: str, kept: _Kept, parents: Parents) -> Table | None:
    """The fact; None where nothing is told that could be a maker of sessions."""
    items = tuple(dict.fromkeys(_items(kept.values or (), parents)))
    if any(_is_plain(value) for _, value in items) or all(isinstance(value, Literal) for _, value in items):
        items = ()  # most dicts are of plain values
    if not items and kept.annotation is None:
        return None
    return Table(qualname, items, kept.annotation)


def _items(values: Iterable[ast.expr], parents: Parents) -> Iterator[tuple[str, Expression]]:
    return ((_qualname(value, parents), expression(value)) for value in values)


def _is_plain(value: Expression) -> bool:
    return isinstance(value, (Opaque, Mapping)) or (isinstance(value, Literal) and value.value is not None)


def _inside(node: ast.AST, parents: Parents) -> ast.AST | None:
    """The innermost function or class around a node; None at module level."""
    return next((around for around in parents.chain(node) if isinstance(around, DEFINITIONS)), None)


def _qualname(node: ast.AST, parents: Parents) -> str:
    """The qualified name of the function or class in which a node stands; "" at module level."""
    names = [around.name for around in parents.chain(node) if isinstance(around, DEFINITIONS)]
    return ".".join(reversed(names))
