"""Which options a call is given by keyword, `**` looked through, and where more of them may be written.

Only what is in view is looked through: a dict display or `dict(...)`, in its place or behind a name that is bound once
and used for nothing but `**`, reads, and keys that are written out. Reads only; decides nothing.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace

from codemods.flow.bound_once import binds, bound_inside, owners
from codemods.flow.scope import Scope
from codemods.flow.sole_value import ModuleScope, Value, sole_value
from codemods.project.expressions import expression, is_logging, shown
from codemods.project.link import Place
from codemods.project.sessions import External

_READING = frozenset({"get", "items", "keys", "values"})
_SHOWING = frozenset(External(f"builtins.{name}") for name in ("print", "len", "bool", "repr", "str"))


@dataclass(frozen=True, slots=True, eq=False)
class Setting:
    """What one option is set to. `line` is where; `certain`: on every way to the call."""

    value: ast.expr | None  # None: not to be told
    scope: Scope
    line: int
    certain: bool = True

    def in_doubt(self) -> Setting:
        """The same option, set on some ways only: then to what cannot be told, even where one value is in view."""
        return replace(self, value=None, certain=False)


def setting(value: ast.expr, scope: Scope) -> Setting:
    """What an option is set to that is written in `scope`.

    Not to be told when it holds a name of a comprehension or of a lambda: `scope` knows nothing of that.
    """
    names = (one for one in ast.walk(value) if isinstance(one, ast.Name))
    hidden = any(bound_inside(one, one.id, scope) for one in names)
    return Setting(None if hidden else value, scope, value.lineno)


@dataclass(frozen=True, slots=True, eq=False)
class Room:
    """The dict that takes more options: a display, or a call of `dict`. `name` is "" for one in its place."""

    node: ast.Dict | ast.Call
    scope: Scope
    name: str = ""
    calls: tuple[ast.Call, ...] = ()  # those that get it by `**`


@dataclass(frozen=True, slots=True)
class Options:
    """The options of a call. `unseen`: what hides others, in words; "" when all are in view."""

    settings: dict[str, Setting] = field(default_factory=dict)
    room: Room | None = None  # None: at the call itself
    unseen: str = ""

    def get(self, name: str) -> Setting | None:
        return self.settings.get(name)


Mentioning = Callable[[str], Iterable[Scope]]
"""The module scopes of the files in which a word stands."""


class Reader:
    """Reads the options of calls. `module_scope` gives the module of a file, `mentioning` those that hold a word."""

    def __init__(self, module_scope: ModuleScope, mentioning: Mentioning) -> None:
        self._module_scope = module_scope
        self._mentioning = mentioning

    def options(self, call: ast.Call, scope: Scope) -> Options:
        """The options that a call in this scope is given."""
        found = Options()
        rooms: list[Room] = []
        for keyword in call.keywords:
            if keyword.arg is not None:
                found.settings[keyword.arg] = setting(keyword.value, scope)
                continue
            spread = self._spread(keyword.value, scope, call)
            if spread.unseen:
                return replace(found, unseen=spread.unseen)
            found.settings.update(spread.settings)
            rooms += [spread.room] if spread.room is not None else []
        return replace(found, room=rooms[0] if len(rooms) == 1 else None)

    # --- what stands behind the stars ----------------------------------------------------------------------------

    def _spread(self, node: ast.expr, scope: Scope, call: ast.Call) -> Options:
        made = self._made(node, scope)
        if made is not None:
            room = Room(node, scope, calls=(call,)) if isinstance(node, (ast.Dict, ast.Call)) else None
            return replace(made, room=None if made.unseen else room)
        value = sole_value(node, scope, self._module_scope)
        if isinstance(value, str):
            return Options(unseen=f"`**{shown(node)}`: {value}")
        made = self._made(value.node, value.owner)
        if made is None:
            return Options(unseen=f"`**{shown(node)}` is `{shown(value.node)}`")
        if made.unseen:
            return made
        return self._followed(value, made)

    def _made(self, node: ast.expr, scope: Scope) -> Options | None:
        """What a dict that is written here holds; None for anything but dicts that are written out."""
        match node:
            case ast.Dict(keys=keys, values=values):
                return self._joined([self._item(key, value, scope) for key, value in zip(keys, values, strict=True)])
            case ast.Call(func=function, args=arguments, keywords=keywords) if scope.meaning(function) == External(
                "builtins.dict"
            ):
                if len(arguments) > 1 or any(isinstance(one, ast.Starred) for one in arguments):
                    return None
                parts = [self._inner(one, scope) for one in arguments]
                parts += [
                    self._inner(one.value, scope) if one.arg is None else Options({one.arg: setting(one.value, scope)})
                    for one in keywords
                ]
                return self._joined(parts)
            case ast.IfExp(body=body, orelse=orelse):
                sides = [self._made(body, scope), self._made(orelse, scope)]
                if sides[0] is None or sides[1] is None:
                    return None
                joined = self._joined([sides[0], sides[1]])
                return replace(joined, settings={name: one.in_doubt() for name, one in joined.settings.items()})
            case ast.BinOp(left=left, op=ast.BitOr(), right=right):
                sides = [self._made(left, scope), self._made(right, scope)]
                return None if sides[0] is None or sides[1] is None else self._joined([sides[0], sides[1]])
            case _:
                return None

    def _item(self, key: ast.expr | None, value: ast.expr, scope: Scope) -> Options:
        if key is None:
            return self._inner(value, scope)
        if isinstance(key, ast.Constant) and isinstance(key.value, str):
            return Options({key.value: setting(value, scope)})
        return Options(unseen=f"the key `{shown(key)}` on line {key.lineno} cannot be told")

    def _inner(self, node: ast.expr, scope: Scope) -> Options:
        """A dict that is spread into another one."""
        found = self._made(node, scope)
        if found is None:
            value = sole_value(node, scope, self._module_scope)
            found = None if isinstance(value, str) else self._made(value.node, value.owner)
            if found is not None and not isinstance(value, str) and not found.unseen:
                found = self._followed(value, found)
        if found is None:
            return Options(unseen=f"`{shown(node)}` on line {node.lineno} cannot be seen")
        return replace(found, room=None)

    def _joined(self, parts: list[Options]) -> Options:
        settings: dict[str, Setting] = {}
        for part in parts:
            if part.unseen:
                return part
            settings.update(part.settings)
        return Options(settings)

    # --- what becomes of a dict that has a name ------------------------------------------------------------------

    def _followed(self, value: Value, made: Options) -> Options:
        """The same dict with what is stored in it later; unseen when somebody else may fill it."""
        if isinstance(value.owner.node, ast.ClassDef):
            return Options(unseen=f"`{value.name}` is an attribute of a class, which anyone may fill")
        settings = dict(made.settings)
        calls: list[ast.Call] = []
        other = False
        for scope, node in self._mentions(value):
            use = _use(node, scope, value)
            if use.unseen:
                return Options(unseen=use.unseen)
            for name, one in use.settings.items():
                settings[name] = one if name not in settings else replace(settings[name], value=None)
            calls += [use.call] if use.call is not None else []
            other = other or use.goes_elsewhere
        room = None
        if isinstance(value.node, (ast.Dict, ast.Call)) and not other:
            room = Room(value.node, value.owner, value.name, tuple(calls))
        return Options(settings, room)

    def _mentions(self, value: Value) -> Iterator[tuple[Scope, ast.expr]]:
        """Every read of the dict, by whatever name, with the scope of the file or function around it."""
        owner = value.owner
        for node in ast.walk(owner.node):
            if isinstance(node, ast.Name) and node.id == value.name and isinstance(node.ctx, ast.Load):
                if not bound_inside(node, node.id, owner):
                    yield owner, node
        if not isinstance(owner.node, ast.Module):
            return
        modules, names = self._modules(value.name)
        for module in modules:
            if module.place.path == owner.place.path:
                continue
            for node in ast.walk(module.node):
                if not isinstance(node, (ast.Name, ast.Attribute)) or not isinstance(node.ctx, ast.Load):
                    continue
                if (node.id if isinstance(node, ast.Name) else node.attr) in names:
                    around = _around(node, module)
                    found = sole_value(node, around, self._module_scope)
                    may_be = _may_be(node, around, value, names) if isinstance(found, str) else found.node is value.node
                    if may_be:
                        yield module, node

    def _modules(self, name: str) -> tuple[list[Scope], set[str]]:
        """The modules in which a name stands, and the names that imports give it: `from config import OPTIONS as o`."""
        modules: dict[str, Scope] = {}
        names, new = set[str](), {name}
        while new:
            modules |= {one.place.path: one for word in sorted(new) for one in self._mentioning(word)}
            names |= new
            facts = [one.project.symbols.facts.get(path) for path, one in modules.items()]
            new = {one.name for fact in facts if fact for one in fact.imports if one.attribute in names} - names
        return [modules[path] for path in sorted(modules)], names


def _may_be(node: ast.Name | ast.Attribute, around: Scope, value: Value, names: set[str]) -> bool:
    """Whether an import lets what cannot be followed stand for the dict of another file."""
    symbols, path, home = around.project.symbols, around.place.path, value.owner.place.path
    facts = symbols.facts.get(path)
    imports, stars = (facts.imports, facts.stars) if facts is not None else ((), ())
    if isinstance(node, ast.Name):
        if bound_inside(node, node.id, around):
            return False
        if any(symbols.module_path(star, path) for star in stars) and node.id == value.name:
            if not any(binds(one, node.id) for one in owners(around)):
                return True
        return any(
            one.name == node.id and one.attribute in names and symbols.module_path(one.module, path) for one in imports
        )
    root: ast.expr = node
    while isinstance(root, ast.Attribute):
        root = root.value
    known = symbols.names.get(home)
    for one in imports if isinstance(root, ast.Name) else ():
        if isinstance(root, ast.Name) and one.name == root.id:
            modules = [one.module] if one.attribute is None else [f"{one.module}.{one.attribute}"]
            if home in [symbols.module_path(module, path) for module in modules]:
                return True
            if known is not None and any(known.module.startswith(f"{module}.") for module in modules):
                return True
    return False


def _around(node: ast.expr, module: Scope) -> Scope:
    """The function in whose body the node stands, else the module."""
    names: list[str] = []
    inner: ast.FunctionDef | ast.AsyncFunctionDef | None = None
    for around in module.parents.chain(node):
        if isinstance(around, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            names.append(around.name)
            inner = inner or (around if not isinstance(around, ast.ClassDef) else None)
    if inner is None:
        return module
    names = names[names.index(inner.name) :]
    return Scope(inner, Place(module.place.path, ".".join(reversed(names))), module.parents, module.project)


@dataclass(frozen=True, slots=True)
class _Use:
    settings: dict[str, Setting] = field(default_factory=dict)
    call: ast.Call | None = None  # gets it by `**`
    goes_elsewhere: bool = False  # something else is made of it, which a new key would reach, too
    unseen: str = ""


def _use(node: ast.expr, scope: Scope, value: Value) -> _Use:
    """What is done with the dict at one place."""
    parents = scope.parents
    above = parents.of(node)
    outer = parents.of(above) if above is not None else None
    match above:
        case ast.keyword(arg=None) if isinstance(outer, ast.Call):
            return _Use(call=outer)
        case ast.Subscript(ctx=ast.Load()) | ast.Compare() | ast.If() | ast.UnaryOp():
            return _Use()
        case ast.IfExp(test=test) if test is node:
            return _Use()
        case ast.Subscript(slice=ast.Constant(value=str(key)), ctx=ast.Store()):
            stored = outer.value if isinstance(outer, ast.Assign) else None
            return _Use({key: _kept(stored, node, scope, value)})
        case ast.Attribute(attr=attr) if isinstance(outer, ast.Call) and outer.func is above:
            if attr in _READING:
                return _Use()
            given = _stored(outer, attr)
            if given is not None:
                return _Use({key: _kept(one, node, scope, value) for key, one in given.items()})
            if attr == "copy":
                return _Use(goes_elsewhere=True)
        case ast.Dict(keys=keys, values=values) if node in values and keys[values.index(node)] is None:
            return _Use(goes_elsewhere=True)
        case ast.FormattedValue():
            return _Use()
        case ast.Call(func=function) if is_logging(expression(function)) or scope.meaning(function) in _SHOWING:
            return _Use()
    return _Use(unseen=f"`{value.name}` may be changed ({scope.place.path}:{node.lineno})")


def _stored(call: ast.Call, method: str) -> dict[str, ast.expr] | None:
    """What `update` or `setdefault` stores under keys that are written out; None for anything else."""
    match method, call.args:
        case "update", []:
            found: dict[str, ast.expr] = {}
        case "update", [ast.Dict(keys=keys, values=values)]:
            found = {
                key.value: value
                for key, value in zip(keys, values, strict=True)
                if isinstance(key, ast.Constant) and isinstance(key.value, str)
            }
            if len(found) != len(keys):
                return None
        case "setdefault", [ast.Constant(value=str(key)), value] if not call.keywords:
            return {key: value}
        case _:
            return None
    for keyword in call.keywords:
        if keyword.arg is None:
            return None
        found[keyword.arg] = keyword.value
    return found


def _kept(stored: ast.expr | None, node: ast.expr, scope: Scope, value: Value) -> Setting:
    """What is stored in the dict at `node`; in doubt where that only happens on some ways."""
    found = Setting(None, scope, node.lineno) if stored is None else replace(setting(stored, scope), line=node.lineno)
    return found if _is_certain(node, scope, value) else found.in_doubt()


def _is_certain(node: ast.expr, scope: Scope, value: Value) -> bool:
    """Whether the statement stands in the same suite as the one that binds the dict: under no condition."""
    if scope is not value.owner:
        return False
    suite = getattr(value.owner.node, "body", [])
    return scope.parents.statement(node) in suite and scope.parents.statement(value.node) in suite
