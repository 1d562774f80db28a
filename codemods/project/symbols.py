"""Which definition a name stands for: modules by dotted name, imports, re-exports, class hierarchy. Pure tables."""

from __future__ import annotations

import posixpath
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from codemods.project.facts import ClassFacts, Expression, FunctionFacts, Import, ModuleFacts, Table

Loader = Callable[[str], ModuleFacts | None]
Key = TypeVar("Key")
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class ModuleName:
    """The dotted name by which a file of the project is imported."""

    module: str
    is_package: bool


class Symbols:
    """Look-ups over all files of the project. The order in which facts come in cannot matter: all is sorted by path."""

    def __init__(
        self, facts: Iterable[ModuleFacts], names: Mapping[str, ModuleName], load: Loader | None = None
    ) -> None:
        """`names` holds every file of the project; `load` gives the facts of one that is not among `facts`.

        A file that no word selected is loaded when a definition in it is asked for, so an answer never depends on
        which files were read first.
        """
        self.facts: dict[str, ModuleFacts] = {}
        self.names = dict(sorted(names.items()))
        self._load = load
        self._unloadable: set[str] = set()
        self._by_module: dict[str, list[str]] = defaultdict(list)
        self._by_suffix: dict[str, list[str]] = defaultdict(list)
        self._by_folders: dict[str, list[str]] = defaultdict(list)
        self._named = Counter(name.module for name in self.names.values())
        for path, name in self.names.items():
            # `backend/core/db.py` is also `backend.core.db`, for code that is started at the project's root
            self._by_folders[path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")].append(path)
            if name.module:
                self._by_module[name.module].append(path)
                parts = name.module.split(".")
                for start in range(1, len(parts)):
                    self._by_suffix[".".join(parts[start:])].append(path)
        self._packages = {name.module for name in self.names.values() if name.is_package}
        self._folders = {
            ".".join(name.module.split(".")[:depth])
            for name in self.names.values()
            for depth in range(1, name.module.count(".") + 1)
        }
        self._functions: dict[str, dict[str, tuple[FunctionFacts, ...]]] = {}
        self._classes: dict[str, dict[str, ClassFacts]] = {}
        self._bindings: dict[str, dict[str, tuple[Expression, ...]]] = {}
        self._tables: dict[str, dict[str, Table]] = {}
        self._imports: dict[str, dict[tuple[str, str], tuple[Import, ...]]] = {}
        self._locals: dict[str, dict[str, set[str]]] = {}
        self._sorted: list[str] = []
        self._loaded: dict[str, set[str]] = {}
        self._found: dict[tuple[str, str], str | None] = {}
        for fact in sorted(facts, key=lambda fact: fact.path):
            self._add(fact)

    def _add(self, fact: ModuleFacts) -> None:
        path = fact.path
        self.facts[path] = fact
        self._functions[path] = _grouped((function.qualname, function) for function in fact.functions)
        self._classes[path] = {class_.qualname: class_ for class_ in fact.classes}
        self._bindings[path] = {binding.name: binding.values for binding in fact.bindings}
        if fact.tables:
            self._tables[path] = {table.qualname: table for table in fact.tables}
        self._imports[path] = _grouped(((imported.scope, imported.name), imported) for imported in fact.imports)
        self._sorted = []

    def paths(self) -> list[str]:
        """The files whose facts are known by now, sorted."""
        if not self._sorted:
            self._sorted = sorted(self.facts)
        return list(self._sorted)

    def module_path(self, dotted: str, importer: str) -> str | None:
        """The file that `import dotted` in the file `importer` loads; None when it is not one of the project.

        A folder that is no package may be the place that Python was started in: `app.db` is `backend/app/db.py` for
        the files below `backend`. Where two files have one name the nearer one is meant; None when that is undecided.
        """
        key = (dotted, importer)
        try:
            path = self._found[key]
        except KeyError:
            path = self._found[key] = self._find_module(dotted, importer)
        if path is not None and path not in self.facts and path not in self._unloadable:
            fact = self._load(path) if self._load else None
            if fact is None:
                self._unloadable.add(path)
            else:
                self._add(fact)
        return path

    def _find_module(self, dotted: str, importer: str) -> str | None:
        found = self._by_module.get(dotted) or self._by_folders.get(dotted, [])
        if not found:
            found = [path for path in self._by_suffix.get(dotted, []) if self._started_above(path, dotted, importer)]
        if len(found) > 1:
            found = _nearest(_without_hidden(found), importer)
        return found[0] if len(found) == 1 else None

    def _started_above(self, path: str, dotted: str, importer: str) -> bool:
        front = self.names[path].module[: -len(dotted) - 1]
        if front in self._packages:
            return False
        depth = dotted.count(".") + (2 if self.names[path].is_package else 1)
        folder = "/".join(path.split("/")[:-depth])
        return importer.startswith(f"{folder}/")

    def shares_its_name(self, path: str) -> bool:
        """Whether another file goes by the same dotted name, or by none, too."""
        known = self.names.get(path)
        return known is None or self._named[known.module] > 1

    def is_folder(self, dotted: str) -> bool:
        """Whether modules of the project lie below this dotted name (a package, or a folder without `__init__.py`)."""
        return dotted in self._folders

    def functions(self, path: str, qualname: str) -> tuple[FunctionFacts, ...]:
        return self._functions.get(path, _NO_FUNCTIONS).get(qualname, ())

    def all_functions(self, path: str) -> Iterable[FunctionFacts]:
        return self.facts[path].functions if path in self.facts else ()

    def class_(self, path: str, qualname: str) -> ClassFacts | None:
        return self._classes.get(path, _NO_CLASSES).get(qualname)

    def binding(self, path: str, name: str) -> tuple[Expression, ...]:
        return self._bindings.get(path, _NO_BINDINGS).get(name, ())

    def table(self, path: str, qualname: str) -> Table | None:
        """The dict that a file keeps under a name of the module, or that its objects keep as an attribute."""
        known = self._tables.get(path)
        return None if known is None else known.get(qualname)

    def imports(self, path: str, scope: str, name: str) -> tuple[Import, ...]:
        return self._imports.get(path, _NO_IMPORTS).get((scope, name), ())

    def locals(self, path: str, qualname: str) -> Collection[str]:
        """The names that the functions of this name bind themselves: parameters, variables, imports, definitions."""
        if path not in self._locals:
            self._locals[path] = self._find_locals(path)
        return self._locals[path].get(qualname, ())

    def _find_locals(self, path: str) -> dict[str, set[str]]:
        found: dict[str, set[str]] = defaultdict(set)
        for scope, name in self._imports.get(path, ()):
            found[scope].add(name)
        for qualname, functions in self._functions.get(path, {}).items():
            for function in functions:
                found[qualname].update([parameter.name for parameter in function.parameters])
                found[qualname].update([binding.name for binding in function.bindings])
        for qualname in (*self._functions.get(path, ()), *self._classes.get(path, ())):
            outside, _, name = qualname.rpartition(".")
            found[outside].add(name)
        return found

    def submodule(self, path: str, name: str) -> str | None:
        """The file of the module `name` in the package that the file `path` is the `__init__.py` of."""
        known = self.names.get(path)
        if known is None or not known.is_package:
            return None
        return self.module_path(f"{known.module}.{name}", path)

    def imported_modules(self, path: str) -> set[str]:
        """The files that are loaded by the module-level imports of this one."""
        if path not in self._loaded:
            self._loaded[path] = self._imported_modules(path)
        return self._loaded[path]

    def _imported_modules(self, path: str) -> set[str]:
        fact = self.facts.get(path)
        if fact is None:
            return set()
        loaded: set[str] = set()
        for imported in fact.imports:
            if imported.scope:
                continue
            target = self.module_path(imported.module, path)
            if imported.attribute is not None:
                inner = self.module_path(f"{imported.module}.{imported.attribute}", path)
                target = inner or target
            if target:
                loaded.add(target)
        for star in fact.stars:
            target = self.module_path(star, path)
            if target:
                loaded.add(target)
        return loaded

    def loads(self, start: str, target: str) -> bool:
        """Whether importing the file `start` loads the file `target` too, through module-level imports."""
        seen, stack = {start}, [start]
        while stack:
            for following in self.imported_modules(stack.pop()):
                if following == target:
                    return True
                if following not in seen:
                    seen.add(following)
                    stack.append(following)
        return False


# of a file that is not known
_NO_FUNCTIONS: Mapping[str, tuple[FunctionFacts, ...]] = {}
_NO_CLASSES: Mapping[str, ClassFacts] = {}
_NO_BINDINGS: Mapping[str, tuple[Expression, ...]] = {}
_NO_IMPORTS: Mapping[tuple[str, str], tuple[Import, ...]] = {}


def _grouped(pairs: Iterable[tuple[Key, Value]]) -> dict[Key, tuple[Value, ...]]:
    grouped: dict[Key, list[Value]] = defaultdict(list)
    for key, value in pairs:
        grouped[key].append(value)
    return {key: tuple(values) for key, values in grouped.items()}


def _without_hidden(paths: list[str]) -> list[str]:
    """Without the modules that Python never finds: of `db.py` and `db/__init__.py` it takes the package."""
    return [path for path in paths if f"{path.removesuffix('.py')}/__init__.py" not in paths]


def _nearest(paths: list[str], importer: str) -> list[str]:
    """Those that share the longest folder with the importer."""
    folder = posixpath.dirname(importer)

    def shared(path: str) -> int:
        return len(posixpath.commonprefix([posixpath.dirname(path).split("/"), folder.split("/")]))

    best = max(shared(path) for path in paths)
    return [path for path in paths if shared(path) == best]
