"""All facts together: what any expression of the project means. Pure; asks nothing but the facts.

`Project.meaning` evaluates expressions by definition, never by spelling. Recursion (functions that call each other,
modules that import each other) ends at the least fixed point: an evaluation that meets itself contributes nothing,
and what was computed on the way to such a meeting is not remembered, so no answer depends on who asked first.
"""

from __future__ import annotations

import sys
from collections import abc
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from codemods.project.engines import CONNECTION, CONNECTION_CLASSES, given_by
from codemods.project.expressions import last_name
from codemods.project.facts import (
    Annotated,
    Attribute,
    Awaited,
    Call,
    ClassFacts,
    Either,
    Entered,
    Expression,
    FunctionFacts,
    HandsBack,
    Import,
    Item,
    Iterated,
    Lambda,
    Literal,
    Mapping,
    ModuleFacts,
    Name,
    Opaque,
    Parameter,
    Table,
)
from codemods.project.sessions import (
    ASYNC_MAKERS,
    ASYNC_SESSION_CLASSES,
    CACHES,
    CONTEXT_MANAGERS,
    DICTS,
    NOTHING,
    REGISTRIES,
    SESSION_CLASSES,
    SYNC_MAKERS,
    TRANSPARENT_DECORATORS,
    UNKNOWN,
    Bound,
    ClassMeaning,
    CoroutineMeaning,
    External,
    FunctionMeaning,
    GeneratorMeaning,
    InstanceMeaning,
    MakerMeaning,
    Meaning,
    ModuleMeaning,
    NothingMeaning,
    Ownership,
    RegistryMeaning,
    ScopeFactoryMeaning,
    ScopeMeaning,
    SessionMeaning,
    TableMeaning,
    UnknownMeaning,
    join,
    lent,
    shared,
)
from codemods.project.symbols import Loader, ModuleName, Symbols

_NO_MEMBER = External("")
_CONNECTION = InstanceMeaning(External(CONNECTION))
_EXITS = ("__aexit__", "__exit__", "aclose", "close", "__aenter__", "__enter__")
_ENTERING = {"enter_async_context", "enter_context"}
_FILLING = ("__setitem__", "update", "setdefault")
_TAKING_OUT = {"get", "pop", "setdefault"}  # what a dict gives by a key, or what is given in its place
_DEPENDS = {"fastapi.Depends", "fastapi.Security", "fastapi.params.Depends", "fastapi.param_functions.Depends"}


@dataclass(frozen=True, slots=True)
class Place:
    """Where an expression stands: a file and the function (or class) in it; "" is the module itself."""

    path: str
    qualname: str = ""


def link(
    facts: Iterable[ModuleFacts],
    names: abc.Mapping[str, ModuleName],
    factories: Iterable[str] = (),
    load: Loader | None = None,
    schedulers: Iterable[str] = (),
) -> Project:
    """The project that these files make up.

    `names` holds the dotted name of every file; `load` gives the facts of one that is not among `facts`. `factories`
    and `schedulers` are dotted names that the settings declare to be session factories, and to run callables later.
    """
    return Project(Symbols(facts, names, load), frozenset(factories), frozenset(schedulers))


class Project:
    """Answers what an expression means. Immutable as far as anyone can see; remembers its answers."""

    def __init__(
        self,
        symbols: Symbols,
        factories: frozenset[str] = frozenset(),
        schedulers: frozenset[str] = frozenset(),
        cleared: frozenset[tuple[str, Call]] = frozenset(),
    ) -> None:
        """`cleared` are calls, by file, that make a maker and count as if `expire_on_commit=False` stood in them."""
        self.symbols = symbols
        self.factories = factories
        self.schedulers = schedulers
        self.cleared = cleared
        self.kept: dict[tuple[str, str], object] = {}  # what others keep for as long as there is the project
        self._known: dict[tuple[str, ...], Meaning] = {}
        self._active: dict[tuple[str, ...], int] = {}
        self._settled: dict[tuple[Expression | str, str, str], Meaning] = {}
        self._bases: dict[ClassMeaning, list[ClassMeaning | External]] = {}
        self._inheriting: dict[str, list[tuple[ClassMeaning, list[ClassMeaning]]]] = {}
        self._asked_every_file = 0  # how often an answer hung on which files are read by now
        self._looking_for_subclasses = False
        self._all_subclasses: dict[ClassMeaning, list[ClassMeaning]] = {}
        self._subclasses_of = -1  # how many files were known when they were looked for
        self._reached = sys.maxsize  # the outermost evaluation that the current one ran into

    def with_cleared(self, calls: frozenset[tuple[str, Call]]) -> Project:
        """The same files, in which these calls make their maker with `expire_on_commit=False`."""
        return Project(self.symbols, self.factories, self.schedulers, calls)

    # --- remembering -------------------------------------------------------------------------------------------

    def _remember(self, key: tuple[str, ...], compute: Callable[[], Meaning]) -> Meaning:
        if key in self._known:
            return self._known[key]
        if key in self._active:
            self._reached = min(self._reached, self._active[key])
            return NOTHING
        depth = self._active[key] = len(self._active)
        before, self._reached = self._reached, sys.maxsize
        try:
            result = compute()
        finally:
            del self._active[key]
        if self._reached >= depth:
            self._known[key] = result
            self._reached = before
        else:
            self._reached = min(self._reached, before)
        return result

    # --- expressions -------------------------------------------------------------------------------------------

    def meaning(self, node: Expression, place: Place) -> Meaning:
        """What evaluating the expression at this place gives."""
        if node.__class__ is Opaque:
            return UNKNOWN
        key = _key(node, place)
        known = self._settled.get(key)
        if known is not None:
            return known
        reached, self._reached = self._reached, sys.maxsize
        asked = self._asked_every_file
        found = self.name(node.id, place) if isinstance(node, Name) else self._meaning(node, place)
        if self._reached == sys.maxsize and self._asked_every_file == asked:
            # neither on the way to an answer that is not there yet, nor by what happens to be read by now
            self._settled[key] = found
        self._reached = min(self._reached, reached)
        return found

    def is_settled(self, node: Expression, place: Place) -> bool:
        """Whether `meaning` will give the answer that it gave already, whatever is read and asked meanwhile."""
        return _key(node, place) in self._settled

    def _meaning(self, node: Expression, place: Place) -> Meaning:
        match node:
            case Attribute(value=value, name=name):
                return self.attribute(self.meaning(value, place), name, place)
            case Call():
                return self._call(node, place)
            case Awaited(value=value):
                inner = self.meaning(value, place)
                if inner == _CONNECTION:
                    return inner  # `await engine.connect()`
                return inner.value if isinstance(inner, CoroutineMeaning) else UNKNOWN
            case Item(key=Call(arguments=(inner_type, *_))) if is_annotated(node):
                return self.declared(inner_type, place)
            case Item(value=value, key=Literal(value=key)) if (found := self._mapping(value, place)) is not None:
                return join([self.meaning(given, found[1]) for name, given in found[0].items if name == key])
            case Item(value=value):
                # `async_sessionmaker[AsyncSession]`, `Repository[User]`: the class itself
                inner = self.meaning(value, place)
                if isinstance(inner, TableMeaning):
                    return self._item(inner)
                is_type = isinstance(inner, External) and (
                    inner.dotted.rpartition(".")[2][:1].isupper() or inner.dotted in ASYNC_MAKERS | SYNC_MAKERS
                )
                return inner if is_type or isinstance(inner, ClassMeaning) else UNKNOWN
            case Either(options=options):
                return join([self.meaning(option, place) for option in options])
            case Entered(value=value):
                return self.entered(self.meaning(value, place))
            case Iterated(value=value):
                inner = self.meaning(value, place)
                return _through_generator(inner.value) if isinstance(inner, GeneratorMeaning) else UNKNOWN
            case Annotated(annotation=annotation):
                return self.declared(annotation, place)
            case Literal(value=None):
                return NOTHING
            case Lambda(value=value):
                given = self.meaning(value, place)
                if isinstance(given, SessionMeaning):
                    return MakerMeaning(
                        given.is_async, given.origin, given.expire_on_commit, given.ownership, bound=given.bound
                    )
                return UNKNOWN
            case _:
                return UNKNOWN

    def _mapping(self, node: Expression, place: Place) -> tuple[Mapping, Place] | None:
        """The dict literal that a name of the module stands for, when it is bound to just that."""
        if isinstance(node, Mapping):
            return node, place
        if isinstance(node, Name):
            values = self.symbols.binding(place.path, node.id)
            if len(values) == 1 and isinstance(values[0], Mapping) and not self._is_changed(node.id):
                return values[0], Place(place.path)
        return None

    def _is_changed(self, name: str) -> bool:
        """Whether a dict of this name is filled or changed somewhere in the project."""
        self._asked_every_file += 1
        ends = tuple(
            f"{name}.{method}" for method in ("__setitem__", "update", "setdefault", "pop", "clear", "popitem")
        )
        return any(
            chain.endswith(ends) for path in self.symbols.paths() for chain in self.symbols.facts[path].attributes
        )

    def _item(self, table: TableMeaning) -> Meaning:
        """What each item of a dict is, where all are makers of one kind; unknown for any other dict."""
        facts = self.symbols.table(table.module, table.qualname)
        if facts is None:
            return UNKNOWN if table.declared is None else table.declared
        return self._remember(("table", table.module, table.qualname), lambda: self._find_item(facts, table.module))

    def _find_item(self, table: Table, path: str) -> Meaning:
        if table.items:
            found = join([self.meaning(value, Place(path, scope)) for scope, value in table.items])
            if isinstance(found, (MakerMeaning, RegistryMeaning, NothingMeaning)):
                # NothingMeaning: on the way to the answer for what is put in
                if not self._is_filled_elsewhere(table, path):
                    return found
        if table.annotation is not None:
            told = self.declared(table.annotation, Place(path, table.qualname.rpartition(".")[0]))
            if isinstance(told, TableMeaning):
                return self._item(told)
        return UNKNOWN

    def _is_filled_elsewhere(self, table: Table, path: str) -> bool:
        """Whether another file may put something into a dict, or change it: told by its name there."""
        self._asked_every_file += 1
        for other, named in self.symbols.names.items():
            if other not in self.symbols.facts and named.module:
                self.symbols.module_path(named.module, other)  # reads it: no word selects a file that only fills a dict
        class_, _, name = table.qualname.rpartition(".")
        ends = tuple(f".{name}.{method}" for method in _FILLING)
        below = {one.module for one in self._subclasses.get(ClassMeaning(path, class_), ())} if class_ else set()
        for other in self.symbols.paths():
            if other == path:
                continue
            facts = self.symbols.facts[other]
            if name in facts.handed_names.uses:
                return True  # `makers = db._makers`, `put(db._makers)`: who fills it then is not seen
            names = {one.name for one in facts.imports if one.attribute == name} | ({name} if facts.stars else set())
            if class_:
                names = set()
            for chain in facts.attributes:
                if chain.endswith(ends) and (not chain.startswith(("self.", "cls.")) or other in below):
                    return True
                if names and chain.endswith(_FILLING) and chain.rpartition(".")[0] in names:
                    return True
        return False

    def name(self, name: str, place: Place) -> Meaning:
        """What a name means in the function at this place: its own variables first, then outwards to the module."""
        qualname = place.qualname
        innermost = True
        while qualname:
            functions = self.symbols.functions(place.path, qualname)
            if functions:
                if name in self.symbols.locals(place.path, qualname):
                    found = self._local(name, functions, place.path, qualname)
                    if found is not None:
                        return found
            elif innermost and self.symbols.class_(place.path, qualname) is not None:
                found = self._class_attribute(ClassMeaning(place.path, qualname), name, unbound=True)
                if not isinstance(found, UnknownMeaning):
                    return found
            qualname = qualname.rpartition(".")[0]
            innermost = False
        return self.member(place.path, name)

    def _local(self, name: str, functions: tuple[FunctionFacts, ...], path: str, qualname: str) -> Meaning | None:
        found: list[Meaning] = []
        place = Place(path, qualname)
        for number, function in enumerate(functions):
            for index, parameter in enumerate(function.parameters):
                if parameter.name == name:
                    found.append(self._parameter(function, parameter, index, place))
            for binding in function.bindings:
                if binding.name == name:
                    key = ("local", path, qualname, name, str(number))
                    values = binding.values
                    found.append(self._remember(key, lambda v=values: join([self.meaning(x, place) for x in v])))  # type: ignore[misc]
        for imported in self.symbols.imports(path, qualname, name):
            found.append(self._imported(imported, path))
        inner = f"{qualname}.{name}"
        if self.symbols.functions(path, inner):
            found.append(FunctionMeaning(path, inner))
        if self.symbols.class_(path, inner):
            found.append(ClassMeaning(path, inner))
        return join(found) if found else None

    def _parameter(self, function: FunctionFacts, parameter: Parameter, index: int, place: Place) -> Meaning:
        if index == 0 and function.in_class and parameter.annotation is None:
            decorators = {last_name(decorator) for decorator in function.decorators}
            if "staticmethod" not in decorators:
                owner = ClassMeaning(place.path, function.in_class)
                return owner if "classmethod" in decorators or function.name == "__new__" else InstanceMeaning(owner)
        outside = Place(place.path, place.qualname.rpartition(".")[0])
        told = UNKNOWN if parameter.annotation is None else self.declared(parameter.annotation, outside)
        if isinstance(told, UnknownMeaning) and isinstance(parameter.default, Call):
            told = self._depends(parameter.default, outside)
        return told

    def _depends(self, default: Call, place: Place) -> Meaning:
        function = self.meaning(default.function, place)
        if isinstance(function, External) and function.dotted in _DEPENDS and default.arguments:
            given = self.meaning(Call(default.arguments[0]), place)
            if isinstance(given, CoroutineMeaning):
                given = given.value
            if isinstance(given, GeneratorMeaning):
                given = given.value
            return shared(given)
        return UNKNOWN

    def declared(self, annotation: Expression, place: Place) -> Meaning:
        """What a value of this declared type is. A session that is declared, not made, belongs to someone else."""
        if isinstance(annotation, Item) and is_annotated(annotation):
            return self.meaning(annotation, place)
        if isinstance(annotation, Item) and last_name(annotation.value) == "Callable":
            result = annotation.key.options[-1] if isinstance(annotation.key, Either) else annotation.key
            given = self.declared(result, place)
            if isinstance(given, SessionMeaning):
                return MakerMeaning(given.is_async, ownership=Ownership.UNKNOWN)
            return UNKNOWN
        if isinstance(annotation, Item) and isinstance(annotation.key, Either):
            of = self.meaning(annotation.value, place)
            if isinstance(of, External) and of.dotted in DICTS:
                each = self.declared(annotation.key.options[-1], place)
                if isinstance(each, (MakerMeaning, RegistryMeaning)):
                    return TableMeaning(declared=each)
        match self.meaning(annotation, place):
            case External(dotted=dotted) if dotted in SESSION_CLASSES:
                return SessionMeaning(dotted in ASYNC_SESSION_CLASSES, Ownership.SHARED)
            case External(dotted=dotted) if dotted in ASYNC_MAKERS:
                return MakerMeaning(True)
            case External(dotted=dotted) if dotted in SYNC_MAKERS:
                return self._declared_maker(annotation, place)
            case External(dotted=dotted) if dotted in REGISTRIES:
                return RegistryMeaning("async" in dotted)
            case External() as other:
                return InstanceMeaning(other)
            case ClassMeaning() as class_:
                return self._instance(class_, Ownership.SHARED)
            case InstanceMeaning() | SessionMeaning() | MakerMeaning() as alias:
                return shared(alias)  # a type alias that was already followed (`SessionDep = Annotated[...]`)
            case _:
                return UNKNOWN

    def _declared_maker(self, annotation: Expression, place: Place) -> Meaning:
        """`sessionmaker[AsyncSession]`: the parameter says which; a bare `sessionmaker` leaves it open."""
        if isinstance(annotation, Item):
            given = self.declared(annotation.key, place)
            if isinstance(given, SessionMeaning):
                return MakerMeaning(given.is_async)
        return UNKNOWN

    # --- modules -----------------------------------------------------------------------------------------------

    def member(self, path: str, name: str) -> Meaning:
        """What the name means at the top level of a file; a builtin when the file does not define it."""
        found = self._member(path, name)
        return External(f"builtins.{name}") if found is None else found

    def _member(self, path: str, name: str) -> Meaning | None:
        known = self._known.get(("member", path, name))
        if known is None:
            known = self._remember(("member", path, name), lambda: self._find_member(path, name) or _NO_MEMBER)
        return None if known.__class__ is External and known == _NO_MEMBER else known

    def _find_member(self, path: str, name: str) -> Meaning | None:
        place = Place(path)
        found: list[Meaning] = []
        if self.symbols.functions(path, name):
            found.append(FunctionMeaning(path, name))
        if self.symbols.class_(path, name):
            found.append(ClassMeaning(path, name))
        for imported in self.symbols.imports(path, "", name):
            found.append(self._imported(imported, path))
        is_table = self.symbols.table(path, name) is not None
        if is_table:
            found.append(TableMeaning(path, name))
        for value in () if is_table else self.symbols.binding(path, name):
            found.append(_named(shared(self.meaning(value, place)), f"{path}:{name}"))
        if found and not all(isinstance(meaning, UnknownMeaning) for meaning in found):
            return join(found)
        facts = self.symbols.facts.get(path)
        if f"{facts.module if facts else ''}.{name}" in self.factories:
            return MakerMeaning(True, f"{path}:{name}")
        if found:
            return UNKNOWN
        for star in facts.stars if facts else ():
            target = self.symbols.module_path(star, path)
            if target is not None:
                there = self.symbols.facts.get(target)
                public = there.public if there else None
                if (public is None and not name.startswith("_")) or (public is not None and name in public):
                    member = self._member(target, name)
                    if member is not None:
                        found.append(member)
        if found:
            return join(found)
        inner = self.symbols.submodule(path, name)
        return ModuleMeaning(inner) if inner else None

    def _imported(self, imported: Import, path: str) -> Meaning:
        module = self.symbols.module_path(imported.module, path)
        if imported.attribute is None:
            return ModuleMeaning(module) if module else External(imported.module)
        if module is None:
            return self._outside(f"{imported.module}.{imported.attribute}", path)
        if module == path:
            # `from . import db` in a package's own `__init__`: the submodule
            inner = self.symbols.submodule(path, imported.attribute)
            return ModuleMeaning(inner) if inner else UNKNOWN
        found = self._member(module, imported.attribute)
        return UNKNOWN if found is None else found

    def _outside(self, dotted: str, path: str) -> Meaning:
        """A dotted name that is no attribute of a project module: a project module itself, or somebody else's."""
        module = self.symbols.module_path(dotted, path)
        return ModuleMeaning(module) if module else External(dotted)

    # --- attributes --------------------------------------------------------------------------------------------

    def attribute(self, owner: Meaning, name: str, place: Place) -> Meaning:
        """What `owner.name` means."""
        match owner:
            case ModuleMeaning(module=path):
                found = self._member(path, name)
                return UNKNOWN if found is None else found
            case External(dotted=dotted):
                return self._outside(f"{dotted}.{name}", place.path)
            case ClassMeaning() as class_:
                return self._class_attribute(class_, name, unbound=True)
            case InstanceMeaning(of=ClassMeaning() as class_):
                return self._instance_attribute(class_, name)
            case InstanceMeaning(of=External(dotted=dotted)):
                return External(f"{dotted}().{name}")
            case MakerMeaning() as maker if name == "begin":
                session = SessionMeaning(
                    maker.is_async, Ownership.SHARED, maker.origin, maker.expire_on_commit, bound=maker.bound
                )
                return ScopeFactoryMeaning(ScopeMeaning(maker.is_async, session, commits=True, plain=False))
            case _:
                return UNKNOWN

    def below(self, class_: ClassMeaning) -> tuple[ClassMeaning, ...]:
        """The classes that inherit from the class."""
        return tuple(self._subclasses.get(class_, ()))

    def _instance_attribute(self, class_: ClassMeaning, name: str) -> Meaning:
        """An attribute of an object that may be of a subclass: what those set under the name counts too."""
        found = [self._class_attribute(class_, name, unbound=False)]
        for below in self._subclasses.get(class_, ()):
            facts = self.class_facts(below)
            if facts and any(attribute.name == name for attribute in facts.attributes):
                found.append(self._class_attribute(below, name, unbound=False))
        return join(found)

    def bases(self, class_: ClassMeaning) -> list[ClassMeaning | External]:
        """The class and everything it inherits from, nearest first; cycles are cut."""
        known = self._bases.get(class_)
        if known is not None:
            return list(known)
        reached, self._reached = self._reached, sys.maxsize
        asked = self._asked_every_file
        found = self._find_bases(class_)
        if self._reached == sys.maxsize and self._asked_every_file == asked:
            self._bases[class_] = found
        self._reached = min(self._reached, reached)
        return list(found)

    def _find_bases(self, class_: ClassMeaning) -> list[ClassMeaning | External]:
        found: dict[ClassMeaning | External, None] = {}
        waiting: list[ClassMeaning | External] = [class_]
        while waiting:
            current = waiting.pop(0)
            if current in found:
                continue
            found[current] = None
            if isinstance(current, ClassMeaning):
                facts = self.symbols.class_(current.module, current.qualname)
                outside = Place(current.module, current.qualname.rpartition(".")[0])
                for base in facts.bases if facts else ():
                    inherited = self.meaning(base, outside)
                    if isinstance(inherited, InstanceMeaning) and isinstance(inherited.of, External):
                        # `Base = declarative_base()`: a class made by a call
                        inherited = inherited.of
                    if isinstance(inherited, (ClassMeaning, External)):
                        waiting.append(inherited)
        return list(found)

    def overrides(self, function: FunctionMeaning) -> list[FunctionMeaning]:
        """The methods of subclasses that may run instead when this one is called on an instance."""
        owner, _, name = function.qualname.rpartition(".")
        if not owner or self.symbols.class_(function.module, owner) is None:
            return []
        return [
            FunctionMeaning(below.module, f"{below.qualname}.{name}", function.bound)
            for below in self._subclasses.get(ClassMeaning(function.module, owner), ())
            if self.symbols.functions(below.module, f"{below.qualname}.{name}")
        ]

    @property
    def _subclasses(self) -> abc.Mapping[ClassMeaning, list[ClassMeaning]]:
        """The classes below each class; nothing while they are being looked for.

        `class Row(plugin.Model)`, where `plugin` is an object, asks for them to know what its own base is. What is
        found on the way is not remembered.
        """
        self._asked_every_file += 1
        if self._looking_for_subclasses:
            self._reached = -1
            return {}
        self._looking_for_subclasses = True
        try:
            if len(self.symbols.facts) != self._subclasses_of:
                # a file that was read since then may define more
                self._all_subclasses, self._subclasses_of = self._find_subclasses(), len(self.symbols.facts)
            return self._all_subclasses
        finally:
            self._looking_for_subclasses = False

    def _find_subclasses(self) -> dict[ClassMeaning, list[ClassMeaning]]:
        found: dict[ClassMeaning, list[ClassMeaning]] = {}
        for path in self.symbols.paths():
            inheriting = self._inheriting.get(path)
            if inheriting is None:
                classes = [ClassMeaning(path, facts.qualname) for facts in self.symbols.facts[path].classes]
                inheriting = [
                    (one, [base for base in self.bases(one)[1:] if isinstance(base, ClassMeaning)]) for one in classes
                ]
                if all(one in self._bases for one in classes):
                    # the bases of these are known for good, whatever is read yet
                    inheriting = self._inheriting[path] = [pair for pair in inheriting if pair[1]]
            for below, bases in inheriting:
                for above in bases:
                    found.setdefault(above, []).append(below)
        return found

    def class_facts(self, class_: ClassMeaning) -> ClassFacts | None:
        return self.symbols.class_(class_.module, class_.qualname)

    def _class_attribute(self, class_: ClassMeaning, name: str, *, unbound: bool) -> Meaning:
        def compute() -> Meaning:
            found: list[Meaning] = []
            for base in self.bases(class_):
                if isinstance(base, External):
                    continue
                method = f"{base.qualname}.{name}"
                functions = self.symbols.functions(base.module, method)
                if functions:
                    decorators = {last_name(d) for function in functions for d in function.decorators}
                    if "property" in decorators:
                        # read anew each time: a session that it makes is fresh
                        return self.called(FunctionMeaning(base.module, method, bound=True))
                    if "cached_property" in decorators:
                        return shared(self.called(FunctionMeaning(base.module, method, bound=True)))
                    bound = not unbound or "classmethod" in decorators
                    return FunctionMeaning(base.module, method, bound and "staticmethod" not in decorators)
                if self.symbols.table(base.module, method) is not None:
                    return TableMeaning(base.module, method)
                facts = self.symbols.class_(base.module, base.qualname)
                for attribute in facts.attributes if facts else ():
                    if attribute.name == name:
                        place = Place(base.module, attribute.method or base.qualname)
                        found.append(shared(self.meaning(attribute.value, place)))
                if self.symbols.class_(base.module, method):
                    found.append(ClassMeaning(base.module, method))
                if found:
                    return _named(join(found), f"{base.module}:{method}")
            return UNKNOWN

        return self._remember(("attribute", class_.module, class_.qualname, name, str(unbound)), compute)

    # --- calls -------------------------------------------------------------------------------------------------

    def _call(self, node: Call, place: Place) -> Meaning:
        if isinstance(node.function, Attribute) and node.function.name in _ENTERING and node.arguments:
            return CoroutineMeaning(self.entered(self.meaning(node.arguments[0], place)))
        if isinstance(node.function, Attribute) and node.function.name in _TAKING_OUT and node.arguments:
            owner = self.meaning(node.function.value, place)
            if isinstance(owner, TableMeaning):
                return join([self._item(owner), *(self.meaning(one, place) for one in node.arguments[1:])])
        function = self.meaning(node.function, place)
        match function:
            case MakerMeaning(
                is_async=is_async, origin=origin, expire_on_commit=setting, ownership=ownership, own_exit=own_exit
            ):
                given = node.keyword("expire_on_commit")
                if isinstance(given, Literal) and isinstance(given.value, bool):
                    setting = given.value
                bound = function.bound if node.keyword("bind") is None else self._bound(node, place)
                return SessionMeaning(is_async, ownership, origin, setting, own_exit=own_exit, bound=bound)
            case ScopeFactoryMeaning(scope=scope):
                return scope
            case RegistryMeaning(is_async=is_async):
                return SessionMeaning(is_async, Ownership.SHARED, through="registry")
            case External(dotted=dotted):
                return self._call_external(dotted, node, place)
            case ClassMeaning() as class_:
                return self._construct(class_, node, place)
            case InstanceMeaning(of=ClassMeaning() as class_):
                method = self._class_attribute(class_, "__call__", unbound=False)
                return self.called(method) if isinstance(method, FunctionMeaning) else UNKNOWN
            case FunctionMeaning():
                return self.called(function)
            case _:
                return UNKNOWN

    def _construct(self, class_: ClassMeaning, node: Call, place: Place) -> Meaning:
        for base in self.bases(class_):
            if isinstance(base, External) and base.dotted in SYNC_MAKERS | ASYNC_MAKERS:
                maker = self._maker(base.dotted, node, place)
                if isinstance(maker, MakerMeaning) and self._has_own(class_, ("__call__",)):
                    return replace(maker, ownership=Ownership.UNKNOWN)  # it may keep what it gives
                return maker
        made = self._instance(class_, Ownership.FRESH)
        if isinstance(made, SessionMeaning):
            if self._has_own(class_, ("__init__", "__new__")):
                # what it takes first need not be what it is bound to; a connection hardly is for anything else
                bound = self._bound(replace(node, arguments=()), place) or self._given_a_connection(node, place)
            else:
                bound = self._bound(node, place)
            made = replace(made, bound=bound)
            given = node.keyword("expire_on_commit")
            if isinstance(given, Literal) and isinstance(given.value, bool):
                return replace(made, expire_on_commit=given.value)
        return made

    def _has_own(self, class_: ClassMeaning, methods: tuple[str, ...]) -> bool:
        """Whether a class of the project, or a base of it in the project, defines one of the methods."""
        return any(
            isinstance(base, ClassMeaning) and self.symbols.functions(base.module, f"{base.qualname}.{name}")
            for base in self.bases(class_)
            for name in methods
        )

    def _given_a_connection(self, node: Call, place: Place) -> Bound | None:
        for one in [*node.arguments, *(value for _, value in node.keywords)]:
            bound = self._bound(replace(node, arguments=(one,), keywords=()), place)
            if bound is not None and bound.certain:
                return replace(bound, certain=False)
        return None

    def _bound(self, node: Call, place: Place) -> Bound | None:
        from codemods.project.bound import bound_by  # that asks what we answer

        return bound_by(node, place, self)

    def _instance(self, class_: ClassMeaning, ownership: Ownership) -> Meaning:
        from codemods.project.retaining import leaves_itself  # that asks what we answer

        for base in self.bases(class_):
            if isinstance(base, External) and base.dotted in SESSION_CLASSES:
                origin = f"{class_.module}:{class_.qualname}"
                is_async = base.dotted in ASYNC_SESSION_CLASSES
                if ownership is Ownership.FRESH and leaves_itself(class_, self):
                    ownership = Ownership.UNKNOWN
                return SessionMeaning(is_async, ownership, origin, own_exit=self._own_exit(class_))
        return InstanceMeaning(class_)

    def _own_exit(self, class_: ClassMeaning) -> str:
        """The first method of a session subclass of the project that runs when a block over it ends."""
        for base in self.bases(class_):
            if isinstance(base, External):
                continue
            for name in _EXITS:
                if self.symbols.functions(base.module, f"{base.qualname}.{name}"):
                    return f"{base.qualname}.{name}"
        return ""

    def _maker(self, dotted: str, node: Call, place: Place) -> Meaning:
        is_async, own_exit, ownership = dotted in ASYNC_MAKERS, "", Ownership.FRESH
        given = node.keyword("class_")
        if given is None and node.has_double_star and not is_async:
            return UNKNOWN
        if given is not None:
            made = self.meaning(given, place)
            if isinstance(made, ClassMeaning):
                made = self._instance(made, Ownership.FRESH)
            elif isinstance(made, External) and made.dotted in SESSION_CLASSES:
                made = SessionMeaning(made.dotted in ASYNC_SESSION_CLASSES, Ownership.FRESH)
            if isinstance(made, SessionMeaning):
                is_async, own_exit, ownership = made.is_async, made.own_exit, made.ownership
            elif not is_async:
                return UNKNOWN
        setting = node.keyword("expire_on_commit")
        expire: bool | None = None if setting is not None or node.has_double_star else True
        if isinstance(setting, Literal) and isinstance(setting.value, bool):
            expire = setting.value
        if setting is None and (place.path, node) in self.cleared:
            expire = False
        return MakerMeaning(is_async, "", expire, ownership, own_exit, self._bound(node, place))

    def _call_external(self, dotted: str, node: Call, place: Place) -> Meaning:
        if dotted in SESSION_CLASSES:
            setting = node.keyword("expire_on_commit")
            expire: bool | None = None if setting is not None or node.has_double_star else True
            if isinstance(setting, Literal) and isinstance(setting.value, bool):
                expire = setting.value
            is_async, bound = dotted in ASYNC_SESSION_CLASSES, self._bound(node, place)
            return SessionMeaning(is_async, Ownership.FRESH, dotted, expire, bound=bound)
        if dotted in self.factories:
            return SessionMeaning(True, Ownership.FRESH, dotted)
        if dotted in SYNC_MAKERS | ASYNC_MAKERS:
            return self._maker(dotted, node, place)
        if dotted in REGISTRIES:
            return RegistryMeaning("async" in dotted)
        if given := given_by(dotted):
            return InstanceMeaning(External(given))
        if not node.arguments:
            return self._external_instance(dotted)
        first = self.meaning(node.arguments[0], place)
        if dotted in CONTEXT_MANAGERS and isinstance(first, FunctionMeaning):
            scope = self._scope(first)
            return ScopeFactoryMeaning(scope) if scope else UNKNOWN
        if dotted in ("contextlib.closing", "contextlib.aclosing"):
            return ScopeMeaning("aclosing" in dotted, shared(first), commits=False, plain=True)
        if dotted in ("builtins.next", "builtins.anext") and isinstance(first, GeneratorMeaning):
            value = _through_generator(first.value)
            return CoroutineMeaning(value) if dotted.endswith("anext") else value
        if dotted in ("functools.partial", "functools.partialmethod") and isinstance(first, (MakerMeaning, External)):
            if isinstance(first, External) and first.dotted in SESSION_CLASSES:
                bound = self._bound(replace(node, arguments=node.arguments[1:]), place)
                return MakerMeaning(first.dotted in ASYNC_SESSION_CLASSES, first.dotted, bound=bound)
            return first if isinstance(first, MakerMeaning) else UNKNOWN
        if dotted in ("typing.cast", "typing_extensions.cast") and len(node.arguments) > 1:
            value = self.meaning(node.arguments[1], place)
            return self.declared(node.arguments[0], place) if isinstance(value, UnknownMeaning) else value
        return self._external_instance(dotted)

    def _external_instance(self, dotted: str) -> Meaning:
        name = dotted.rpartition(".")[2]
        if name[:1].isupper() or name in ("declarative_base", "automap_base"):
            return InstanceMeaning(External(dotted))
        return UNKNOWN

    def called(self, function: FunctionMeaning) -> Meaning:
        """What calling the function gives (before awaiting it)."""
        key = ("called", function.module, function.qualname, str(function.bound))
        return self._remember(key, lambda: self._called(function))

    def _called(self, function: FunctionMeaning) -> Meaning:
        definitions = self.symbols.functions(function.module, function.qualname)
        if self.dotted(function) in self.factories:
            is_async = not any(definition.is_async for definition in definitions)
            made = SessionMeaning(True, Ownership.FRESH, f"{function.module}:{function.qualname}")
            return made if is_async else CoroutineMeaning(made)
        results = [self._called_definition(definition, function) for definition in definitions]
        if function.bound:
            # an object of a subclass may answer in its own way
            results += [self.called(replace(override, bound=False)) for override in self.overrides(function)]
        return join(results)

    def dotted(self, function: FunctionMeaning) -> str:
        """The importable name of a function: module and qualified name."""
        name = self.symbols.names.get(function.module)
        return f"{name.module}.{function.qualname}" if name else function.qualname

    def _called_definition(self, definition: FunctionFacts, function: FunctionMeaning) -> Meaning:
        place = Place(function.module, function.qualname)
        outside = Place(function.module, definition.parent)
        cached = is_scope = is_wrapped = False
        for decorator in definition.decorators:
            inner = decorator.function if isinstance(decorator, Call) else decorator
            means = self.meaning(inner, outside)
            dotted = means.dotted.removeprefix("builtins.") if isinstance(means, External) else ""
            if dotted in CONTEXT_MANAGERS:
                is_scope = True
            elif dotted in CACHES:
                cached = True
            elif dotted not in TRANSPARENT_DECORATORS:
                if not self.hands_back(decorator, definition, outside):
                    return self._declared_result(definition, outside)
                is_wrapped = True
        if definition.is_generator:
            value = join([self.meaning(given, place) for given in definition.yields])
            if isinstance(value, UnknownMeaning):
                value = self._declared_element(definition, outside)
            if is_scope:
                scope = self._scope_of(definition, self._unless_retained(value, definition, place), function)
                return replace(scope, plain=False) if is_wrapped else scope  # what wraps it does more
            return GeneratorMeaning(definition.is_async, shared(value))
        result = join([self.meaning(given, place) for given in definition.returns]) if definition.returns else NOTHING
        if isinstance(result, (UnknownMeaning, NothingMeaning)):
            declared_result = self._declared_result(definition, outside)
            told = declared_result.value if isinstance(declared_result, CoroutineMeaning) else declared_result
            if not isinstance(told, UnknownMeaning):
                result = told
        result = shared(result) if cached else self._unless_retained(result, definition, place)
        return CoroutineMeaning(result) if definition.is_async else result

    def hands_back(self, decorator: Expression, definition: FunctionFacts, outside: Place) -> bool:
        """Whether a decorator of the project hands each call through, and gives back what the function gives."""
        means = self.meaning(decorator, outside)
        if not isinstance(means, FunctionMeaning) or means.bound:
            return False
        is_coroutine = definition.is_async and not definition.is_generator
        wanted = {HandsBack.ALL, HandsBack.COROUTINES} if is_coroutine else {HandsBack.ALL}
        decorators = self.symbols.functions(means.module, means.qualname)
        return bool(decorators) and all(one.hands_back in wanted for one in decorators)

    def _unless_retained(self, given: Meaning, definition: FunctionFacts, place: Place) -> Meaning:
        """What the function gives: a session that it leaves with someone else, too, is not its caller's alone."""
        from codemods.project.retaining import retains  # that asks what we answer

        if isinstance(given, SessionMeaning) and given.ownership is Ownership.FRESH:
            if retains(definition, place, self):
                return replace(given, ownership=Ownership.UNKNOWN)
        return given

    def _declared_element(self, definition: FunctionFacts, outside: Place) -> Meaning:
        """What `-> AsyncIterator[AsyncSession]` says of a generator whose yields cannot be followed."""
        told = definition.returns_annotation
        if not isinstance(told, Item):
            return UNKNOWN
        element = told.key.options[0] if isinstance(told.key, Either) else told.key
        given = self.declared(element, outside)
        return replace(given, ownership=Ownership.UNKNOWN) if isinstance(given, SessionMeaning) else UNKNOWN

    def _declared_result(self, definition: FunctionFacts, outside: Place) -> Meaning:
        """What the return annotation says of a function that cannot be followed: a session, but whose is unknown."""
        if definition.returns_annotation is None or definition.is_generator:
            return UNKNOWN
        told = self.declared(definition.returns_annotation, outside)
        if isinstance(told, SessionMeaning):
            held = definition.returns and all(self._is_held(one, definition, outside) for one in definition.returns)
            told = replace(told, ownership=Ownership.SHARED if held else Ownership.UNKNOWN)
        elif not isinstance(told, (MakerMeaning, InstanceMeaning)):
            return UNKNOWN
        return CoroutineMeaning(told) if definition.is_async else told

    def _is_held(self, returned: Expression, definition: FunctionFacts, outside: Place) -> bool:
        """`return current_session.get()`: what a context variable holds belongs to who has set it."""
        values: tuple[Expression, ...] = (returned,)
        if isinstance(returned, Name):
            values = next((one.values for one in definition.bindings if one.name == returned.id), ())
        place = Place(outside.path, definition.qualname)
        return bool(values) and all(
            isinstance(value, Call)
            and isinstance(value.function, Attribute)
            and value.function.name == "get"
            and self.meaning(value.function.value, place) == InstanceMeaning(External("contextvars.ContextVar"))
            for value in values
        )

    def _scope(self, function: FunctionMeaning) -> ScopeMeaning | None:
        for definition in self.symbols.functions(function.module, function.qualname):
            if definition.is_generator:
                place = Place(function.module, function.qualname)
                value = join([self.meaning(given, place) for given in definition.yields])
                return self._scope_of(definition, value, function)
        return None

    def _scope_of(self, definition: FunctionFacts, value: Meaning, function: FunctionMeaning) -> ScopeMeaning:
        lends = definition.lends
        plain = lends is not None and lends.plain and lends.closes and not lends.swallows and not lends.commits
        commits = lends is None or lends.commits
        return ScopeMeaning(
            definition.is_async,
            value,
            commits=commits,
            plain=plain,
            by=(FunctionMeaning(function.module, function.qualname),),
            may_not_commit=commits and (lends is None or not _ends_with_commit(lends.after_text)),
        )

    def entered(self, meaning: Meaning) -> Meaning:
        """What `with x as name` binds."""
        match meaning:
            case SessionMeaning() as session:
                return lent(session)
            case ScopeMeaning(value=value):
                return lent(value)
            case InstanceMeaning(of=External(dotted=dotted)) if dotted in CONNECTION_CLASSES:
                return meaning
            case InstanceMeaning(of=ClassMeaning() as class_):
                for name in ("__aenter__", "__enter__"):
                    method = self._class_attribute(class_, name, unbound=False)
                    if isinstance(method, FunctionMeaning):
                        given = self.called(method)
                        return lent(given.value if isinstance(given, CoroutineMeaning) else given)
                return UNKNOWN
            case _:
                return UNKNOWN


def _ends_with_commit(after: str) -> bool:
    """Whether the first thing behind the `yield` of a generator is a commit under no condition.

    `after` is that as it is written, or what `ways` says of a `begin()` around the `yield`.
    """
    call = after.removeprefix("await ").strip()
    return call.startswith("the commit at the end of ") or (call.endswith(".commit()") and call.count("(") == 1)


def is_annotated(node: Item) -> bool:
    """`Annotated[X, ...]`, as `expressions.annotation` writes it."""
    return isinstance(node.key, Call) and node.key.function == Name("Annotated") and bool(node.key.arguments)


def _through_generator(value: Meaning) -> Meaning:
    value = shared(value)
    return replace(value, through="generator") if isinstance(value, SessionMeaning) else value


def _named(meaning: Meaning, origin: str) -> Meaning:
    """A maker takes its identity from the name that it was first given."""
    return replace(meaning, origin=origin) if isinstance(meaning, MakerMeaning) and not meaning.origin else meaning


def _key(node: Expression, place: Place) -> tuple[Expression | str, str, str]:
    # a name goes by its text: that is hashed without a call, and half of what is asked for are names
    return (node.id if isinstance(node, Name) else node, place.path, place.qualname)
