"""How a function of the project opens a session of its own: with what block, and with what imports. Decides no edit.

The project's only context manager over the same factory is taken, if it only opens, rolls back and closes; else the
factory by its own name; else a function that only gives what the factory makes. Where an import at the top of the file
would go round in a circle it is written into the function.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from codemods.flow.at_hand import at_hand
from codemods.flow.definition_site import member_site
from codemods.flow.factory_search import Factory
from codemods.flow.import_circle import would_circle
from codemods.flow.import_place import ImportStatement, is_bound, own_place, top_imports, written_module
from codemods.flow.module_names import module_name
from codemods.flow.only_factory import is_test_path
from codemods.flow.own_candidates import Candidate, candidates
from codemods.flow.scope import Scope
from codemods.plan import Fact, NeedsImport, Request, Source
from codemods.project.expressions import chained, dotted
from codemods.project.facts import Attribute
from codemods.project.link import Place
from codemods.project.openers import Customs, replaced_by
from codemods.project.sessions import ModuleMeaning
from codemods.project.symbols import Symbols

_Function = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


@dataclass(frozen=True, slots=True)
class OwnSession:
    """`context` is the text of the block's context expression, `async_session()`.

    Neither the block nor the function that it stands in may bind the first name of it.
    """

    context: str
    requests: tuple[Request, ...] = ()
    local: str = ""  # the import that must be the function's first statement: at the top it would go round in a circle
    replaced: tuple[Fact, ...] = ()  # tests that put something else in the place of the dependency or the factory


def own_session(
    factory: Factory, task: Scope, tree: ast.Module, source: Source, customs: Customs, wanted: str | None
) -> OwnSession | str:
    """How `task`, a function of the file `source` whose tree is `tree`, opens a session of its own.

    `wanted` is the setting `scope`: the dotted name of the context manager to use. Gives the reason, a clause, where
    that cannot be written.
    """
    if factory.is_async and not task.is_async:
        return f"`{task.place.qualname.rpartition('.')[2]}()` is a plain function: it cannot await"
    writing = _Writing(factory, task, tree, source)
    reasons: list[str] = []
    for candidate in candidates(factory, source.path, task.project, customs, wanted):
        written = writing.written(candidate)
        if isinstance(written, OwnSession):
            return written
        reasons.append(written)
    if reasons:
        return reasons[0]
    return f"no name of a module reaches `{dotted(factory.callee)}`, which makes its session"


class _Writing:
    def __init__(self, factory: Factory, task: Scope, tree: ast.Module, source: Source) -> None:
        self.factory = factory
        self.task = task
        self.tree = tree
        self.source = source
        self.path = source.path
        self.project = task.project
        self.symbols = task.project.symbols

    def written(self, candidate: Candidate) -> OwnSession | str:
        """How the candidate is written in the function; else why it cannot be."""
        home, name = candidate.home, candidate.name
        if candidate.awaited and not self.task.is_async:
            return f"`{candidate.text}()` has to be awaited, and `{self.task.place.qualname}()` is a plain function"
        if home == self.path:
            if self._is_hidden(name):
                return f"`{name}` means something else in `{self.task.place.qualname}()`"
            return self._opened(candidate, name)
        rebound = self._is_rebound(home, name)
        reached = ("" if rebound else self._bound_here(home, name)) or self._through_module(home, name, rebound)
        if reached:
            return self._opened(candidate, reached)
        if name.startswith("_"):
            return f"`{name}` is private to {home}"
        if rebound:
            return f"`{name}` is bound anew at run time in {home}: what is imported would be the old one"
        if is_test_path(home) and not is_test_path(self.path):
            return f"`{name}` is made in a test ({home})"
        if is_bound(self.tree, name):
            return f"`{name}` means something else in {self.path}"
        return self._imported(candidate)

    def _opened(self, candidate: Candidate, reached: str, *requests: Request, local: str = "") -> OwnSession:
        form = "await {}()" if candidate.awaited else "{}()"
        return OwnSession(form.format(reached + candidate.rest), requests, local, self._replaced(candidate))

    # --- what is at hand ---------------------------------------------------------------------------------------

    def _is_hidden(self, name: str) -> bool:
        """Whether the function, or one around it, gives the name a meaning of its own."""
        for around in (self.task.node, *self.task.parents.chain(self.task.node)):
            if isinstance(around, _Function) and name in _bound_names(around):
                return True
        return False

    def _is_at_hand(self, name: str) -> bool:
        line = getattr(self.task.node, "end_lineno", None) or 0
        return not self._is_hidden(name) and at_hand(self.task, name, line)

    def _is_rebound(self, home: str, name: str) -> bool:
        """Whether the name may stand for something else later on: then it has to be looked up in its module."""
        if name not in self.symbols.facts[home].fixed:
            return True
        for path in self.symbols.paths():
            if is_test_path(path):
                continue
            for replaced in self.symbols.facts[path].replaced:
                target = replaced.target
                if replaced.how == "assignment" and isinstance(target, Attribute) and target.name == name:
                    if self.project.meaning(target.value, Place(path, replaced.scope)) == ModuleMeaning(home):
                        return True
        return False

    def _bound_here(self, home: str, name: str) -> str:
        """The name by which the file has imported the very thing; "" when it has not."""
        for imported in self.symbols.facts[self.path].imports:
            if not imported.scope and member_site(self.path, imported.name, self.project) == (home, name):
                if self._is_at_hand(imported.name):
                    return imported.name
        return ""

    def _through_module(self, home: str, name: str, rebound: bool) -> str:
        """`db.async_session`, where the file has imported the module that defines it, or its package; "" else."""
        if name.startswith("_"):
            return ""
        for statement in self.tree.body:
            if not isinstance(statement, (ast.Import, ast.ImportFrom)):
                continue
            for alias in statement.names:
                chain = alias.asname or alias.name
                means = self.project.meaning(chained(chain), Place(self.path))
                if not isinstance(means, ModuleMeaning):
                    continue
                if means.module != home and (rebound or not _is_package(means, self.symbols)):
                    continue
                if member_site(means.module, name, self.project) == (home, name):
                    if self._is_at_hand(chain.partition(".")[0]):
                        return f"{chain}.{name}"
        return ""

    # --- new imports -------------------------------------------------------------------------------------------

    def _imported(self, candidate: Candidate) -> OwnSession | str:
        home, name = candidate.home, candidate.name
        imports = top_imports(self.tree)
        places = [*self._beside(home, name)]
        written = module_name(home, self.tree, self.source, self.project)
        for module, place in places:
            if not would_circle(self.path, module, self.symbols):
                return self._opened(candidate, name, place)
        if not written:
            return f"no name is known by which {self.path} could import {home}"
        if would_circle(self.path, home, self.symbols):
            return self._opened(candidate, name, local=f"from {written} import {name}")
        place_of_its_own = own_place(self.path, imports, written, name, self._is_own)
        if place_of_its_own is None:
            return f"{self.path} has no import beside which `{name}` could be imported"
        return self._opened(candidate, name, place_of_its_own)

    def _beside(self, home: str, name: str) -> Iterator[tuple[str, NeedsImport]]:
        """(file, place) of the imports that the name could join: of where it is defined, then of a package."""
        found: list[tuple[str, NeedsImport]] = []
        for statement in self.tree.body:
            if not isinstance(statement, ast.ImportFrom) or any(alias.name == "*" for alias in statement.names):
                continue
            lines = [one for one in self.symbols.facts[self.path].imports if one.line == statement.lineno]
            module = self.symbols.module_path(lines[0].module, self.path) if lines else None
            if module is None or member_site(module, name, self.project) != (home, name):
                continue
            if module == home or self.symbols.facts[module].is_package:
                place = NeedsImport(self.path, statement.lineno, written_module(statement), name)
                found.append((module, place))
        yield from sorted(found, key=lambda one: one[0] != home)

    def _is_own(self, statement: ImportStatement) -> bool:
        module = statement.names[0].name if isinstance(statement, ast.Import) else statement.module or ""
        if self.symbols.module_path(module, self.path) is not None:
            return True
        return self.symbols.is_folder(module) or module.partition(".")[0] == self.source.module.partition(".")[0]

    # --- tests -------------------------------------------------------------------------------------------------

    def _replaced(self, candidate: Candidate) -> tuple[Fact, ...]:
        """The tests that replace what gave the session, or what is to give it."""
        found: list[Fact] = []
        given = self.factory.dependency
        if given is not None:
            found += replaced_by(given, given.module, given.qualname, self.project)
        means = self.project.meaning(chained(candidate.text), Place(candidate.home))
        last = candidate.text.rpartition(".")[2]
        for path in (self.path, candidate.home):
            found += replaced_by(means, path, last, self.project)
        path, _, name = self.factory.source.partition(":")
        if name and path in self.symbols.facts:
            found += replaced_by(self.project.meaning(chained(name), Place(path)), path, name, self.project)
        # what the application itself binds anew is no test: that is looked at in `_is_rebound`
        return tuple(sorted({fact for fact in found if is_test_path(fact.path) or "assignment" not in fact.text}))


def _is_package(means: ModuleMeaning, symbols: Symbols) -> bool:
    """What a package's `__init__` imports is meant for others; what another module imports is not."""
    return means.module in symbols.facts and symbols.facts[means.module].is_package


def _bound_names(function: ast.AST) -> set[str]:
    """What a function binds, parameters and the functions inside of it included."""
    found: set[str] = set()
    for node in ast.walk(function):
        match node:
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()) | ast.arg(arg=name):
                found.add(name)
            case ast.alias(name=name, asname=alias):
                found.add(alias or name.partition(".")[0])
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                if node is not function:
                    found.add(name)
            case ast.ExceptHandler(name=str(name)):
                found.add(name)
    return found
