"""A project that was read and linked, as scaffolds look at it: its scopes, and what things are called. Reads only."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from codemods.engine import Codebase
from codemods.flow.import_circle import would_circle
from codemods.flow.module_names import module_name
from codemods.flow.only_factory import is_test_path
from codemods.flow.scope import Scope, scopes
from codemods.plan import Change, Source
from codemods.project.link import Project, link
from codemods.project.named_in_tests import is_test
from codemods.project.scan import parse, scan_tree
from codemods.scaffold.errors import ScaffoldError


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """All files of the project. `front` is what the dotted names that its code is imported by leave out."""

    codebase: Codebase
    project: Project
    front: str | None = None  # "backend." where `backend/main.py` is imported as `main`; None: as its imports have it
    _scopes: dict[str, tuple[Scope, ...]] = field(default_factory=dict)

    def paths(self) -> list[str]:
        """The files that could be read and are no tests, sorted."""
        return [path for path in sorted(self.codebase.trees) if not self.is_test(path)]

    def is_test(self, path: str) -> bool:
        return is_test_path(path) or is_test(path, self.codebase.trees[path])

    def scopes(self, path: str) -> tuple[Scope, ...]:
        """The module, its classes and its functions, in source order."""
        if path not in self._scopes:
            self._scopes[path] = tuple(scopes(self.codebase.trees[path], path, self.project))
        return self._scopes[path]

    def source(self, path: str) -> Source:
        return self.codebase.sources[path]

    def tree(self, path: str) -> ast.Module:
        return self.codebase.trees[path]

    def reached(self, path: str) -> list[str]:
        """The files that a file imports, wherever in it, and those that these import; in the order of the imports."""
        symbols = self.project.symbols
        found: list[str] = []
        waiting = [path]
        while waiting:
            current = waiting.pop(0)
            for imported in symbols.facts[current].imports if current in symbols.facts else ():
                inner = symbols.module_path(f"{imported.module}.{imported.attribute}", current)
                for target in (inner, symbols.module_path(imported.module, current)):
                    if target is not None and target != path and target not in found:
                        found.append(target)
                        waiting.append(target)
        return found

    def would_circle(self, importer: str, imported: str) -> bool:
        """Whether `importer`, which cannot be loaded without a module that imports `imported`, is loaded by that."""
        symbols = self.project.symbols
        if symbols.loads(imported, importer):
            return True
        # a package is loaded before what stands in it, and what is loaded already goes round in no circle
        if self.source(importer).is_package or symbols.loads(importer, imported):
            return False
        return would_circle(importer, imported, symbols)

    def reference(self, path: str, name: str) -> str:
        """What to type for a name of a file: `app.main:app`, or `my-app/main.py:app` where it has no dotted name."""
        module = self.source(path).module
        if self.front and module.startswith(self.front):
            module = module.removeprefix(self.front)
        return f"{module or path}:{name}"

    def written(self, home: str, importer: str) -> str:
        """What stands after `from` where the file `importer` imports `home`. Raises ScaffoldError: no name does."""
        if self.front is not None:
            whole = self.project.symbols.names[home].module
            name = whole.removeprefix(self.front)
            if self.project.symbols.module_path(name, importer) == home:
                # relative names are as right as they were
                relative = module_name(home, self.tree(importer), self.source(importer), self.project)
                return relative if relative.startswith(".") else name
        name = module_name(home, self.tree(importer), self.source(importer), self.project)
        if not name:
            raise ScaffoldError(f"{importer} cannot import {home}: no dotted name leads to it")
        return name

    def with_new(self, path: str, like: str) -> Look:
        """The same project with a new file in it that imports what the file `like` imports, and nothing else.

        So it is asked how a file would import others before it is written.
        """
        imports = [one for one in self.tree(like).body if isinstance(one, (ast.Import, ast.ImportFrom))]
        text = "".join(f"{ast.unparse(one)}\n" for one in imports)
        new = Source(path, self._module_of(path), False, text.encode(), text, "utf-8", b"", "\n", "    ")
        tree = parse(new)
        codebase = Codebase(
            {**self.codebase.sources, path: new},
            {**self.codebase.trees, path: tree},
            {**self.codebase.facts, path: scan_tree(tree, new)},
        )
        return Look(codebase, link(codebase.facts.values(), codebase.names()), self.front)

    def with_changes(self, changes: Iterable[Change]) -> Look:
        """The same project as these changes of its files leave it."""
        codebase = Codebase(dict(self.codebase.sources), dict(self.codebase.trees), dict(self.codebase.facts))
        for change in changes:
            old = codebase.sources[change.path]
            new = replace(old, data=change.after, text=change.after[len(old.bom) :].decode(old.encoding))
            codebase.sources[change.path] = new
            codebase.trees[change.path] = tree = parse(new)
            codebase.facts[change.path] = scan_tree(tree, new)
        return Look(codebase, link(codebase.facts.values(), codebase.names()), self.front)

    def _module_of(self, path: str) -> str:
        """The dotted name of a new file: that of the files beside it, with its own name at the end."""
        folder, _, name = path.rpartition("/")
        for other, known in self.codebase.sources.items():
            if other.rpartition("/")[0] == folder and known.module:
                package = known.module if known.is_package else known.module.rpartition(".")[0]
                return f"{package}.{name.removesuffix('.py')}".lstrip(".")
        return ""
