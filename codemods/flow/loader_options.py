"""What the loader options of one statement load, and which relationships they leave unloaded. Pure; `ast` + Project.

Measured with SQLAlchemy 1.4.54, 2.0.58 and 2.1.9, which agree:

- Two options for one path must be the same strategy with the same arguments, or the statement raises. `defaultload`
  goes with every other one, and keeps what that says: arguments (`innerjoin=True`), criteria (`.and_()`), an alias of
  `contains_eager`. Repeating `selectinload(A.b)` beside `selectinload(A.b.and_(...))` loses the criteria in silence.
- A relationship that the mapping (or `selectinload("*")`) loads by itself is not loaded where its target, or a class
  below the target, stands on the path already: not even `Node.children` with `lazy="selectin"`. An option always loads.
- `raiseload("*")` and its like hold for every entity, `Load(A).raiseload("*")` and `selectinload(A.b).raiseload("*")`
  for one; they take the place of what the mapping says, and an option for the path takes theirs.
- `selectinload(A.b, B.c)` is `defaultload(A.b).selectinload(B.c)`. `recursion_depth=1` loads two levels.
- A `backref` makes no attribute of its class before the mappers are configured: the first query that is run, the first
  object that is made, an option for another relationship (2.x only); `select(A)` alone does not do it.
- Below `A.b.of_type(...)` of several classes nothing that is written for `A.b` has any effect.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from codemods.flow.reaching import binds_directly
from codemods.flow.scope import Scope
from codemods.project.link import Place, Project
from codemods.project.mapped_classes import mapped
from codemods.project.mapping import Mapped, Relationship
from codemods.project.sessions import ClassMeaning, External, FunctionMeaning

LOADING = frozenset({"selectinload", "joinedload", "subqueryload", "immediateload", "contains_eager"})
_STRATEGIES = LOADING | {"raiseload", "noload", "defaultload", "lazyload"}
_LOADED_BY_MAPPING = {
    "selectin": "selectinload",
    "joined": "joinedload",
    "subquery": "subqueryload",
    "immediate": "immediateload",
}
_NEVER_POPULATED = frozenset({"dynamic", "write_only"})
_WHEN_READ = frozenset({"select", "raise", "raise_on_sql"})
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
_CHANGING = frozenset({"append", "extend", "insert", "remove", "pop", "clear", "__setitem__", "__iadd__", "reverse"})
_ANY = "*"
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


@dataclass(frozen=True, slots=True)
class Missing:
    """A relationship path that has to be loaded: an option for it is to be written, or (`refused`) cannot be.

    `classes` are the classes by which the steps are written (the first is the selected one), `strategies` the
    functions: that of an option which is there for the step already, or of the mapping, else `selectinload`.

    `backrefs` are the indexes of the steps whose attribute a `backref` makes, and no option of the statement names yet:
    where the statement is the first of the process, naming it raises AttributeError (the first step in every version
    of SQLAlchemy, others in 1.4 only).
    """

    path: tuple[str, ...]
    classes: tuple[ClassMeaning, ...]
    strategies: tuple[str, ...]
    refused: str = ""
    backrefs: tuple[int, ...] = ()


def loaded_by(call_arguments: Sequence[ast.expr], class_: ClassMeaning, scope: Scope) -> Loaded:
    """What the arguments of the `.options(...)` calls of a statement (or an `options=[...]`) load of the class.

    Options for other entities of the statement are passed over. Names are followed to what they are bound to, once, in
    the same function or module.
    """
    reading = _Reading(class_, scope)
    for argument in call_arguments:
        reading.option(argument, (), {class_}, frozenset())
    return Loaded(reading.paths, reading.unknown, reading.particular, reading.everywhere)


# --- reading options ------------------------------------------------------------------------------------------------


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
                return self._untold(f"`{_text(node)}` cannot be followed")

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
            return self._untold(f"`{_text(node)}` cannot be followed")
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
            return self._untold(f"`{_text(node)}` cannot be followed")
        if name == "Load" and len(node.args) == 1:
            return self._entity(node.args[0], at, roots)
        if name == "with_loader_criteria":
            return None
        if name in _OF_COLUMNS:
            return self._of_columns(node, at, roots)
        if name not in _STRATEGIES or not node.args:
            return self._untold(f"`{_text(node)}` cannot be read")
        first = node.args[0]
        if isinstance(first, ast.Constant) and isinstance(first.value, str):
            return self._noted(node, name, at, is_bound=bool(at))
        attribute = _attribute(first)
        if attribute is None:
            return self._untold(f"`{_text(first)}` cannot be read")
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
            return self._untold(f"`{_text(node)}` cannot be read")
        path = at
        for position, key in enumerate(node.args):
            is_last = position == len(node.args) - 1
            if isinstance(key, ast.Constant) and isinstance(key.value, str):
                if key.value == _ANY:
                    if is_bound or path:
                        self.paths[(*path, _ANY)] = strategy
                    else:
                        self.everywhere = strategy
                    return path
                names, particular = key.value.split("."), ""
            else:
                attribute = _attribute(key)
                if attribute is None:
                    return self._untold(f"`{_text(key)}` cannot be read")
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
            return self._untold(f"`{_text(node)}` cannot be read")
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
            return self._untold(f"it cannot be told which class `{_text(node)}` is")
        return at if not roots or any(_are_kin(class_, root, self._scope.project) for root in roots) else None

    def _bound(self, name: str, seen: frozenset[str]) -> ast.expr | None:
        if name in seen:
            self._untold(f"`{name}` cannot be followed")
            return None
        value = _bound_once(name, self._scope)
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
        made = _bound_once(node.id, scope)
    if isinstance(made, ast.Call) and made.args:
        called = scope.meaning(made.func)
        if isinstance(called, External) and called.dotted in _ALIASES:
            of = scope.meaning(made.args[0])
            return of if isinstance(of, ClassMeaning) else None
    return None


def _bound_once(name: str, scope: Scope) -> ast.expr | str:
    """The expression that the function or module binds the name to, for good; else why that cannot be told."""
    for owner in _owners(scope):
        if name in owner.parameters:
            return f"`{name}` is a parameter"
        bindings = [one for one in owner.statements() if binds_directly(one, name)]
        if not bindings:
            continue
        if any(isinstance(one, (ast.Import, ast.ImportFrom)) for one in bindings):
            return f"`{name}` comes from another file"
        if len(bindings) > 1 or _is_declared_outside(owner.node, name):
            return f"`{name}` is bound more than once"
        match bindings[0]:
            case ast.Assign(targets=[ast.Name(id=target)], value=value) if target == name:
                pass
            case ast.AnnAssign(target=ast.Name(id=target), value=ast.expr() as value) if target == name:
                pass
            case _:
                return f"`{name}` cannot be followed"
        if isinstance(value, (ast.List, ast.ListComp)) and _may_be_changed(owner.node, name):
            return f"`{name}` is filled in several places"
        return value
    return f"`{name}` cannot be followed"


def _owners(scope: Scope) -> Iterable[Scope]:
    """The scope, the functions around it and the module: where a name is looked for."""
    yield scope
    qualname = scope.place.qualname
    for around in scope.parents.chain(scope.node):
        if isinstance(around, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            qualname = qualname.rpartition(".")[0]
            if not isinstance(around, ast.ClassDef):
                yield Scope(around, Place(scope.place.path, qualname), scope.parents, scope.project)
        elif isinstance(around, ast.Module):
            yield Scope(around, Place(scope.place.path), scope.parents, scope.project)


def _is_declared_outside(owner: ast.AST, name: str) -> bool:
    """Whether something inside declares the name `global` or `nonlocal`, and so may bind it anew."""
    return any(isinstance(node, (ast.Global, ast.Nonlocal)) and name in node.names for node in ast.walk(owner))


def _may_be_changed(owner: ast.AST, name: str) -> bool:
    """Whether a list of this name is filled or cut, or handed to something that may do so."""
    for node in ast.walk(owner):
        match node:
            case ast.Attribute(value=ast.Name(id=found), attr=attr) if found == name and attr in _CHANGING:
                return True
            case ast.Subscript(value=ast.Name(id=found), ctx=ast.Store() | ast.Del()) if found == name:
                return True
            case ast.Call(args=arguments) if any(isinstance(one, ast.Name) and one.id == name for one in arguments):
                return True
            case ast.Assign(value=ast.Name(id=found)) | ast.Return(value=ast.Name(id=found)) if found == name:
                return True
    return False


def _are_kin(one: ClassMeaning, other: ClassMeaning, project: Project) -> bool:
    """Both are the same, or one inherits from the other."""
    if one == other:
        return True
    first, second = mapped(one, project), mapped(other, project)
    return (first is not None and other in first.parents) or (second is not None and one in second.parents)


def _text(node: ast.AST) -> str:
    """The expression as people read it in a sentence."""
    text = ast.unparse(node)
    return text if len(text) <= 60 else f"{text[:57]}..."


# --- what is missing ------------------------------------------------------------------------------------------------


def missing(
    wanted: Iterable[tuple[str, ...]], class_: ClassMeaning, loaded: Loaded, project: Project
) -> tuple[Missing, ...]:
    """Which of the wanted relationship paths are not loaded, by options or by the mapping, in declaration order.

    A path is a tuple of names that leads from the class; association proxies and synonyms in it give way to what they
    stand for. Only the longest paths are given; `lazy="noload"` of the mapping reads as empty and is left out. Whether
    the options could be read at all (`loaded.unknown`) is for the caller to look at.
    """
    found: dict[Missing, None] = {}
    for path in wanted:
        one = _Path(class_, loaded, project).missing(path)
        if one is not None:
            found[one] = None
    written = [one for one in found if not one.refused]
    longest = [
        one
        for one in found
        if one.refused or not any(len(other.path) > len(one.path) and _starts(other, one) for other in written)
    ]
    return tuple(sorted(longest, key=lambda one: (_declared_at(one, project), one.path, one.refused)))


def _starts(other: Missing, one: Missing) -> bool:
    return other.path[: len(one.path)] == one.path


def _declared_at(one: Missing, project: Project) -> list[int]:
    """Where each step of the path stands among the relationships of its class."""
    places: list[int] = []
    for name, class_ in zip(one.path, one.classes, strict=False):
        known = mapped(class_, project)
        names = list(known.relationships) if known else []
        places.append(names.index(name) if name in names else len(names))
    return places


class _Path:
    """One path, followed from the selected class."""

    def __init__(self, class_: ClassMeaning, loaded: Loaded, project: Project) -> None:
        self._loaded = loaded
        self._project = project
        self._owner: ClassMeaning | None = class_
        self._names: list[str] = []
        self._classes: list[ClassMeaning] = []
        self._strategies: list[str] = []
        self._backrefs: list[int] = []
        self._needed = 0  # how many steps an option has to name
        self._closed = ""  # why nothing can be written below here

    def missing(self, path: tuple[str, ...]) -> Missing | None:
        """What has to be written for this path; None when it is loaded."""
        waiting = list(path)
        followed: set[tuple[ClassMeaning, str]] = set()
        while waiting:
            name = waiting.pop(0)
            owner = self._owner
            known = None if owner is None else mapped(owner, self._project)
            if owner is not None and known is not None and name not in known.relationships:
                meant = self._stands_for(name, known)
                if meant is not None and (owner, name) not in followed:
                    followed.add((owner, name))
                    waiting = [*meant, *waiting]
                    continue
            refused = self._step(name, known)
            if refused == "noload of the mapping":
                break
            if refused:
                whole = (*self._names, name, *waiting)
                return Missing(whole, tuple(self._classes), tuple(self._strategies), refused)
        if not self._needed:
            return None
        count = self._needed
        return Missing(
            tuple(self._names[:count]),
            tuple(self._classes[:count]),
            tuple(self._strategies[:count]),
            backrefs=tuple(step for step in self._backrefs if step < count),
        )

    def _stands_for(self, name: str, known: Mapped) -> list[str] | None:
        """The names that an association proxy or a synonym stands for."""
        if known.synonyms.get(name):
            return [known.synonyms[name]]
        proxy = known.proxies.get(name)
        if proxy is None or not proxy.through:
            return None
        through = known.relationships.get(proxy.through)
        target = None if through is None or through.target is None else mapped(through.target, self._project)
        if target is None:
            return None
        leads_on = proxy.attribute in target.relationships or proxy.attribute in target.proxies
        leads_on = leads_on or target.synonyms.get(proxy.attribute, "") in target.relationships
        return [proxy.through, proxy.attribute] if leads_on else [proxy.through]

    def _step(self, name: str, known: Mapped | None) -> str:
        """Follows one relationship; why the path cannot be loaded, or "" when it can."""
        here = (*self._names, name)
        given = self._loaded.paths.get(here, "")
        relationship = known.relationships.get(name) if known else None
        text = f"`{self._owner.qualname}.{name}`" if self._owner else f"`{name}`"
        if relationship is None and given not in LOADING:
            return f"{text} is not known to be a relationship"
        if given in ("raiseload", "noload", "lazyload"):
            return f"{given} stands on {text} in the options"
        if given in LOADING:
            particular = self._loaded.particular.get(here, "")
            strategy = "defaultload" if particular or given == "contains_eager" else given
            self._take(name, relationship, strategy)
            if particular in ("of_type", "recursion_depth") and not self._closed:
                self._closed = f"the option for {text} has `{particular}`"
            return ""
        assert relationship is not None
        return self._unwritten(name, relationship, text)

    def _unwritten(self, name: str, relationship: Relationship, text: str) -> str:
        """A step for which no option says a strategy."""
        lazy = relationship.lazy
        if lazy in _NEVER_POPULATED:
            return f'{text} is lazy="{lazy}", and cannot be loaded ahead'
        default = self._loaded.paths.get((*self._names, _ANY)) or self._loaded.everywhere
        if default == "noload":
            return f"noload stands on all relationships of {text.partition('.')[0].strip('`')} in the options"
        if default in LOADING or (default in ("", "defaultload") and lazy in _LOADED_BY_MAPPING):
            by_itself = default if default in LOADING else _LOADED_BY_MAPPING[lazy or ""]
            if not self._is_cut(relationship):
                self._take(name, relationship, by_itself)
                return ""
        elif default in ("", "defaultload") and lazy == "noload":
            return "noload of the mapping"
        elif lazy is None or lazy not in _WHEN_READ | _LOADED_BY_MAPPING.keys() | {"noload"}:
            return f"how {text} is loaded cannot be told"
        if self._closed:
            return self._closed
        if relationship.target is None:
            return f"the class that {text} leads to cannot be told: {relationship.unresolved}"
        self._take(name, relationship, "selectinload")
        self._needed = len(self._names)
        return ""

    def _is_cut(self, relationship: Relationship) -> bool:
        """Whether what loads by itself stops here: the target stands on the path already."""
        target = relationship.target
        if target is None:
            return False
        for class_ in self._classes if self._owner is None else [*self._classes, self._owner]:
            known = mapped(class_, self._project)
            if class_ == target or (known is not None and target in known.parents):
                return True
        return False

    def _take(self, name: str, relationship: Relationship | None, strategy: str) -> None:
        if relationship is not None and relationship.implied and (*self._names, name) not in self._loaded.paths:
            self._backrefs.append(len(self._names))
        self._names.append(name)
        if self._owner is not None:
            self._classes.append(self._owner)
        self._strategies.append(strategy)
        self._owner = None if relationship is None else relationship.target
