"""What the loader options of one statement say of relationships, read as they are written. Pure; `ast` + Project."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from codemods.flow.bound_once import bound_once
from codemods.flow.scope import Scope
from codemods.project.expressions import shown
from codemods.project.mapped_classes import are_kin
from codemods.project.sessions import ClassMeaning, External, FunctionMeaning

LOADING = frozenset({"selectinload", "joinedload", "subqueryload", "immediateload", "contains_eager"})
_STRATEGIES = LOADING | {"raiseload", "noload", "defaultload", "lazyload"}
ANY = "*"  # all relationships of an entity
# options that say nothing of relationships; chained they stay at the entity they are called for
_OF_COLUMNS = frozenset(
    {
        "load_only",
        "defer",
        "undefer",
        "undefer_group",
        "with_expression",
        "selectin_polymorphic",
        "with_loader_criteria",
        "set_relationship_caching_options",
    }
)
_ALIASES = frozenset(
    f"sqlalchemy.orm{module}.{name}"
    for module in ("", ".util", "._orm_constructors")
    for name in ("aliased", "with_polymorphic")
)
_ALL_LEVELS = 12  # how deep `recursion_depth=-1` is written out; nobody reads deeper by name


@dataclass(frozen=True, slots=True)
class Loaded:
    """What the options of one statement say of relationships.

    `paths` leads from the selected class: names of relationships -> the strategy that is given for the last of them. A
    path that ends in "*" is for all relationships of the entity there; `everywhere` is for all those of every entity.
    """

    paths: Mapping[tuple[str, ...], str]
    unknown: str = ""  # why some of it could not be read; "" if all could
    particular: Mapping[tuple[str, ...], str] = field(default_factory=dict)  # "arguments", "criteria", "of_type", ...
    everywhere: str = ""


def loaded_by(call_arguments: Sequence[ast.expr], class_: ClassMeaning, scope: Scope) -> Loaded:
    """What the arguments of the `.options(...)` calls of a statement (or an `options=[...]`) load of the class.

    Options for other entities of the statement are passed over. Names are followed to what they are bound to, once, in
    the same function or module.
    """
    reading = _Reading(class_, scope)
    for argument in call_arguments:
        reading.option(argument, (), {class_}, frozenset())
    return Loaded(reading.paths, reading.unknown, reading.particular, reading.everywhere)


class _Reading:
    """Reads the options of one statement."""

    def __init__(self, class_: ClassMeaning, scope: Scope) -> None:
        self._class = class_
        self._scope = scope
        self.paths: dict[tuple[str, ...], str] = {}
        self.particular: dict[tuple[str, ...], str] = {}
        self.everywhere = ""
        self.unknown = ""

    def option(
        self, node: ast.expr, at: tuple[str, ...], roots: set[ClassMeaning], seen: frozenset[str]
    ) -> tuple[str, ...] | None:
        """Notes one option below the path `at`; gives the path that it ends at, None when it is for another entity.

        What cannot be read is noted as unknown.
        """
        match node:
            case (
                ast.List(elts=elements)
                | ast.Tuple(elts=elements)
                | ast.Starred(value=ast.List(elts=elements) | ast.Tuple(elts=elements))
            ):
                for element in elements:
                    self.option(element, at, roots, seen)
                return at
            case ast.Starred(value=ast.Name() as inner):
                return self.option(inner, at, roots, seen)
            case ast.Name(id=name):
                value = self._bound(name, seen)
                return None if value is None else self.option(value, at, roots, seen | {name})
            case ast.Call(func=ast.Attribute(value=base, attr=method)) if self._external(node.func) is None:
                return self._chained(node, base, method, at, roots, seen)
            case ast.Call():
                return self._called(node, at, roots)
            case _:
                return self._untold(f"`{shown(node)}` cannot be followed")

    def _chained(
        self,
        node: ast.Call,
        base: ast.expr,
        method: str,
        at: tuple[str, ...],
        roots: set[ClassMeaning],
        seen: frozenset[str],
    ) -> tuple[str, ...] | None:
        """`selectinload(User.roles).selectinload(Role.permissions)`, `.options(...)`, `Load(User).joinedload(...)`."""
        known = method in _STRATEGIES or method in _OF_COLUMNS or method == "options"
        if not known or isinstance(self._scope.meaning(node.func), FunctionMeaning):
            return self._untold(f"`{shown(node)}` cannot be followed")
        before = self.unknown
        end = self.option(base, at, roots, seen)
        if end is None or self.unknown != before:
            return None
        if method == "options":
            for argument in node.args:
                self.option(argument, end, set(), seen)
            return end
        if method in _OF_COLUMNS:
            return end
        return self._noted(node, method, end, is_bound=True)

    def _called(self, node: ast.Call, at: tuple[str, ...], roots: set[ClassMeaning]) -> tuple[str, ...] | None:
        """`selectinload(...)`, `Load(User)`, `load_only(...)`: the start of an option."""
        name = self._external(node.func)
        if name is None:
            return self._untold(f"`{shown(node)}` cannot be followed")
        if name == "Load" and len(node.args) == 1:
            return self._entity(node.args[0], at, roots)
        if name == "with_loader_criteria":
            return None
        if name in _OF_COLUMNS:
            return self._of_columns(node, at, roots)
        if name not in _STRATEGIES or not node.args:
            return self._untold(f"`{shown(node)}` cannot be read")
        first = node.args[0]
        if isinstance(first, ast.Constant) and isinstance(first.value, str):
            return self._noted(node, name, at, is_bound=bool(at))
        attribute = _attribute(first)
        if attribute is None:
            return self._untold(f"`{shown(first)}` cannot be read")
        if roots and self._entity(attribute.node.value, at, roots) is None:
            return None
        return self._noted(node, name, at, is_bound=True)

    def _of_columns(self, node: ast.Call, at: tuple[str, ...], roots: set[ClassMeaning]) -> tuple[str, ...] | None:
        """`load_only(User.name)`, `selectin_polymorphic(User, [Admin])`: what is chained to it is for that entity."""
        given = node.args[0] if node.args else None
        if given is None or not roots:
            return at
        attribute = _attribute(given)
        if attribute is None or entity_class(given, self._scope) is not None:
            return self._entity(given, at, roots) if isinstance(given, (ast.Name, ast.Attribute)) else None
        return self._entity(attribute.node.value, at, roots)

    def _noted(self, node: ast.Call, strategy: str, at: tuple[str, ...], *, is_bound: bool) -> tuple[str, ...] | None:
        """Notes the strategy for each of the keys of the call."""
        if not node.args or any(keyword.arg is None for keyword in node.keywords):
            return self._untold(f"`{shown(node)}` cannot be read")
        path = at
        for position, key in enumerate(node.args):
            is_last = position == len(node.args) - 1
            if isinstance(key, ast.Constant) and isinstance(key.value, str):
                if key.value == ANY:
                    if is_bound or path:
                        self.paths[(*path, ANY)] = strategy
                    else:
                        self.everywhere = strategy
                    return path
                names, particular = key.value.split("."), ""
            else:
                attribute = _attribute(key)
                if attribute is None:
                    return self._untold(f"`{shown(key)}` cannot be read")
                names, particular = [attribute.node.attr], attribute.particular
            for index, name in enumerate(names):
                path = (*path, name)
                given = strategy if is_last and index == len(names) - 1 else "defaultload"
                if given != "defaultload" or path not in self.paths:
                    self.paths[path] = given
                if particular:
                    self.particular[path] = particular
        return self._with_arguments(node, strategy, path)

    def _with_arguments(self, node: ast.Call, strategy: str, path: tuple[str, ...]) -> tuple[str, ...] | None:
        if not node.keywords:
            return path
        depth = next((keyword.value for keyword in node.keywords if keyword.arg == "recursion_depth"), None)
        if depth is None or (isinstance(depth, ast.Constant) and depth.value is None):
            self.particular.setdefault(path, "arguments")
            return path
        try:
            levels = ast.literal_eval(depth)
        except ValueError:
            levels = None
        if not isinstance(levels, int):
            return self._untold(f"`{shown(node)}` cannot be read")
        self.particular[path] = "recursion_depth"
        further = path
        for _ in range(_ALL_LEVELS if levels < 0 else levels):
            further = (*further, path[-1])
            self.paths[further] = strategy
            self.particular[further] = "recursion_depth"
        return path

    # --- names ---------------------------------------------------------------------------------------------------

    def _external(self, function: ast.expr) -> str | None:
        """The name of SQLAlchemy's own that is called; None for all else."""
        called = self._scope.meaning(function)
        if isinstance(called, External) and called.dotted.startswith("sqlalchemy.orm.") and "(" not in called.dotted:
            return called.dotted.rpartition(".")[2]
        return None

    def _entity(self, node: ast.expr, at: tuple[str, ...], roots: set[ClassMeaning]) -> tuple[str, ...] | None:
        """The path `at` when the entity is the selected class, one above or one below it; None for another one."""
        class_ = entity_class(node, self._scope)
        if class_ is None:
            return self._untold(f"it cannot be told which class `{shown(node)}` is")
        return at if not roots or any(are_kin(class_, root, self._scope.project) for root in roots) else None

    def _bound(self, name: str, seen: frozenset[str]) -> ast.expr | None:
        if name in seen:
            self._untold(f"`{name}` cannot be followed")
            return None
        value = bound_once(name, self._scope)
        if isinstance(value, str):
            self._untold(value)
            return None
        return value

    def _untold(self, why: str) -> tuple[str, ...] | None:
        self.unknown = self.unknown or why
        return None


@dataclass(frozen=True, slots=True)
class _Key:
    """`User.roles`, with what `.of_type(...)` and `.and_(...)` make particular about it."""

    node: ast.Attribute
    particular: str


def _attribute(node: ast.expr) -> _Key | None:
    particular = ""
    while isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("of_type", "and_"):
        if node.func.attr == "of_type" or not particular:
            particular = "of_type" if node.func.attr == "of_type" else "criteria"
        node = node.func.value
    return _Key(node, particular) if isinstance(node, ast.Attribute) else None


def entity_class(node: ast.expr, scope: Scope) -> ClassMeaning | None:
    """The mapped class that an expression stands for: `User`, `models.User`, `alias` after `alias = aliased(User)`."""
    means = scope.meaning(node)
    if isinstance(means, ClassMeaning):
        return means
    made: ast.expr | str = node
    if isinstance(node, ast.Name):
        made = bound_once(node.id, scope)
    if isinstance(made, ast.Call) and made.args:
        called = scope.meaning(made.func)
        if isinstance(called, External) and called.dotted in _ALIASES:
            of = scope.meaning(made.args[0])
            return of if isinstance(of, ClassMeaning) else None
    return None
