"""How a loader option is written in a file: by which names, and with what imports. Decides no edit; pure.

A name counts only where it is bound when the code runs: not under TYPE_CHECKING, not in a `try`, not by an import of
another function. What is not there yet joins an import at the top of the file, or stands on a line of its own below.
"""

from __future__ import annotations

import ast
import builtins
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from codemods.flow.at_hand import at_hand
from codemods.flow.loader_options import Missing
from codemods.flow.reaching import binds_directly
from codemods.flow.scope import Scope, inside
from codemods.plan import NeedsImport, Request, Source
from codemods.project.expressions import chained
from codemods.project.link import Place, Project
from codemods.project.sessions import ClassMeaning, External, Meaning, ModuleMeaning

_ORM = "sqlalchemy.orm"


@dataclass(frozen=True, slots=True)
class Written:
    """The text of an option, and the imports that it needs."""

    text: str
    requests: tuple[Request, ...] = ()


def written(
    missing: Missing,
    owner_text: str,
    scope: Scope,
    tree: ast.Module,
    source: Source,
    project: Project,
    line: int | None = None,
) -> Written | str:
    """The option for a path that is missing, e.g. `selectinload(User.roles)`; or the reason why it cannot be written.

    `owner_text` is the text of the entity as the statement has it (`User`, `models.User`, an alias). `line` is where
    the option will stand: imports of the function above it count; without it only those of the module do.
    """
    return _Names(missing, owner_text, scope, tree, source, project, line).option()


def class_written(class_: ClassMeaning, scope: Scope, tree: ast.Module, source: Source) -> Written | str:
    """How a class is named in a scope of a file, e.g. `User`, `models.User`; or the reason why it cannot be."""
    return _Names(Missing((), (), ()), "", scope, tree, source, scope.project, None).class_(class_)


class _Names:
    """The names of one file at one place in it."""

    def __init__(
        self,
        missing: Missing,
        owner_text: str,
        scope: Scope,
        tree: ast.Module,
        source: Source,
        project: Project,
        line: int | None,
    ) -> None:
        self._missing = missing
        self._owner_text = owner_text
        self._scope = scope
        self._tree = tree
        self._source = source
        self._project = project
        self._symbols = project.symbols
        body = getattr(scope.node, "body", [])
        self._line = line if line is not None else body[0].lineno if scope.is_function else sys.maxsize
        self._module = Scope(tree, Place(source.path), scope.parents, project)
        self._aliases = list(self._imported_names())

    def option(self) -> Written | str:
        missing = self._missing
        if missing.refused or not missing.path or len(missing.classes) != len(missing.path):
            return missing.refused or "there is nothing to load"
        function = self._function(missing.strategies[0])
        if isinstance(function, str):
            return function
        requests: dict[Request, None] = dict.fromkeys(function.requests)
        text = f"{function.text}({self._owner_text}.{missing.path[0]})"
        for name, class_, strategy in zip(missing.path[1:], missing.classes[1:], missing.strategies[1:], strict=True):
            owner = self.class_(class_)
            if isinstance(owner, str):
                return owner
            requests |= dict.fromkeys(owner.requests)
            text += f".{strategy}({owner.text}.{name})"
        return Written(text, tuple(requests))

    # --- the function --------------------------------------------------------------------------------------------

    def _function(self, name: str) -> Written | str:
        """How SQLAlchemy's function of this name is written here."""
        meant = {External(f"{_ORM}.{name}"), External(f"{_ORM}.strategy_options.{name}")}
        for alias in self._aliases:
            if self._project.name(alias, self._scope.place) in meant and self._is_bound_when_run(alias):
                return Written(alias)
        for prefix in self._orm_modules():
            return Written(f"{prefix}.{name}")
        if not self._is_free(name):
            return self._taken(name)
        beside = self._import_for_orm(name)
        return (
            f"there is no import in {self._source.path} beside which `{name}` could stand"
            if beside is None
            else (Written(name, (beside,)))
        )

    def _orm_modules(self) -> Iterator[str]:
        """How `sqlalchemy.orm` itself is reached: `orm`, `sa.orm` where the file writes so."""
        place = self._scope.place
        used = self._symbols.facts[self._source.path].attributes
        for alias in self._aliases:
            means = self._project.name(alias, place)
            if means == External(_ORM) and self._is_bound_when_run(alias):
                yield alias
            elif means == External("sqlalchemy") and self._is_bound_when_run(alias):
                if any(chain.startswith(f"{alias}.orm.") for chain in used):
                    yield f"{alias}.orm"

    def _import_for_orm(self, name: str) -> NeedsImport | None:
        """Where `from sqlalchemy.orm import name` goes."""
        path = self._source.path
        tops = list(self._top_imports())
        for one in tops:
            if isinstance(one, ast.ImportFrom) and (one.level, one.module) == (0, _ORM) and one.names[0].name != "*":
                return NeedsImport(path, one.lineno, _ORM, name)
        tops = [one for one in tops if self._stands_alone(one) and not _is_future(one)]
        installed = [one for one in tops if self._is_installed(one)]
        beside = [one for one in installed if _package(one) == "sqlalchemy"] or installed
        if beside:
            lower = [one for one in beside if _module(one) < _ORM]
            if lower:
                return NeedsImport(path, lower[-1].lineno, _ORM, name)
            return NeedsImport(path, beside[0].lineno, _ORM, name, above=True)
        ours = [one for one in tops if not self._is_standard(one)]
        if ours:
            return NeedsImport(path, ours[0].lineno, _ORM, name, above=True, apart=True)
        return NeedsImport(path, tops[-1].lineno, _ORM, name, apart=True) if tops else None

    def _is_standard(self, statement: ast.Import | ast.ImportFrom) -> bool:
        level = statement.level if isinstance(statement, ast.ImportFrom) else 0
        return not level and _package(statement) in sys.stdlib_module_names

    def _is_installed(self, statement: ast.Import | ast.ImportFrom) -> bool:
        """Whether the import is of a package that is neither the project's nor Python's own."""
        if self._is_standard(statement) or (isinstance(statement, ast.ImportFrom) and statement.level):
            return False
        return self._symbols.module_path(_module(statement), self._source.path) is None and not (
            self._symbols.is_folder(_package(statement))
        )

    # --- classes -------------------------------------------------------------------------------------------------

    def class_(self, class_: ClassMeaning) -> Written | str:
        """How a mapped class is written here."""
        place, name = self._scope.place, class_.qualname
        owner = chained(self._owner_text) if _is_chain(self._owner_text) else None
        if owner is not None and self._project.meaning(owner, place) == class_:
            return Written(self._owner_text)
        outer, _, inner = name.rpartition(".")
        if outer:
            around = self.class_(ClassMeaning(class_.module, outer))
            return Written(f"{around.text}.{inner}", around.requests) if isinstance(around, Written) else around
        prefix = self._owner_text.rpartition(".")[0]
        if prefix and _is_chain(prefix) and self._has(self._project.meaning(chained(prefix), place), name, class_):
            return Written(f"{prefix}.{name}")
        found = [
            alias
            for alias in [*self._aliases, *([name] if class_.module == self._source.path else [])]
            if self._project.name(alias, place) == class_ and self._is_bound_when_run(alias)
        ]
        if found:
            return Written(name if name in found else found[0])
        if self._comes_by_star(name, class_):
            return Written(name)
        for alias in self._aliases:
            if self._has(self._project.name(alias, place), name, class_) and self._is_bound_when_run(alias):
                return Written(f"{alias}.{name}")
        return self._joined(class_)

    def _has(self, owner: Meaning, name: str, class_: ClassMeaning) -> bool:
        return isinstance(owner, ModuleMeaning) and self._offers(owner.module, name, class_)

    def _comes_by_star(self, name: str, class_: ClassMeaning) -> bool:
        """`from app.models import *` gives the class, and nothing else binds its name."""
        if self._project.name(name, self._scope.place) != class_ or self._is_bound_in(self._module, name):
            return False
        return any(
            module is not None and self._offers(module, name, class_)
            for one, module in self._from_imports()
            if one.names[0].name == "*"
        )

    def _joined(self, class_: ClassMeaning) -> Written | str:
        """The class joins an import of the very module that defines it, or of a package that hands it on."""
        name, path = class_.qualname, self._source.path
        found: list[tuple[bool, int, str]] = []
        for one, module in self._from_imports():
            if one.names[0].name == "*" or module is None:
                continue
            if self._offers(module, name, class_) and not self._symbols.loads(module, path):
                found.append((module != class_.module, one.lineno, "." * one.level + (one.module or "")))
        if not self._is_free(name):
            return self._taken(name)
        if not found:
            return f"`{name}` is not imported in {path}"
        _, line, written_module = min(found)
        return Written(name, (NeedsImport(path, line, written_module, name),))

    def _from_imports(self) -> Iterator[tuple[ast.ImportFrom, str | None]]:
        """The `from ... import` statements of the module's own level, as far as they are run before the place is.

        Each with the file of the project that it reads.
        """
        path = self._source.path
        known = self._symbols.names.get(path)
        for one in self._tree.body:
            if isinstance(one, ast.ImportFrom) and self._is_in_time(one):
                module = one.module or ""
                if one.level:
                    parts = (known.module if known else "").split(".")
                    parts = parts[: len(parts) - one.level + (1 if self._source.is_package else 0)]
                    module = ".".join([*parts, *([module] if module else [])])
                yield one, self._symbols.module_path(module, path) if module else None

    def _offers(self, path: str, name: str, class_: ClassMeaning, depth: int = 0) -> bool:
        """Whether a file has the class under this name when it is run: it defines it, or a package hands it on.

        Other modules may import it for type checkers only.
        """
        facts = self._symbols.facts.get(path)
        if facts is None or depth > 8:
            return False
        if path == class_.module:
            return name == class_.qualname and name in facts.fixed
        if not facts.is_package or self._project.member(path, name) != class_:
            return False
        imports = self._symbols.imports(path, "", name)
        if len(imports) == 1 and imports[0].attribute is not None:
            module = self._symbols.module_path(imports[0].module, path)
            return module is not None and self._offers(module, imports[0].attribute, class_, depth + 1)
        if imports or self._symbols.binding(path, name):
            return False
        modules = [self._symbols.module_path(star, path) for star in facts.stars]
        return any(module is not None and self._offers(module, name, class_, depth + 1) for module in modules)

    # --- names ---------------------------------------------------------------------------------------------------

    def _imported_names(self) -> Iterator[str]:
        """The names that imports bind in the functions around the place and in the module, the innermost first."""
        qualname = self._scope.place.qualname
        facts = self._symbols.facts[self._source.path]
        while True:
            for one in facts.imports:
                if one.scope == qualname:
                    yield one.name
            if not qualname:
                return
            qualname = qualname.rpartition(".")[0]

    def _is_bound_when_run(self, name: str) -> bool:
        """Whether the name, read at the place, is bound for certain by one statement.

        A function reads the names of its module when it is called: one that is bound below it will do.
        """
        if at_hand(self._scope, name, self._line):
            return True
        if not self._scope.is_function or any(self._is_bound_in(one, name) for one in self._functions()):
            return False
        return at_hand(self._module, name, sys.maxsize)

    def _functions(self) -> Iterator[Scope]:
        """The function at hand and those around it."""
        node, place = self._scope.node, self._scope.place
        if self._scope.is_function:
            yield self._scope
        qualname = place.qualname
        for around in self._scope.parents.chain(node):
            if isinstance(around, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                qualname = qualname.rpartition(".")[0]
                if not isinstance(around, ast.ClassDef):
                    yield Scope(around, Place(place.path, qualname), self._scope.parents, self._project)

    def _is_bound_in(self, scope: Scope, name: str) -> bool:
        if name in scope.parameters:
            return True
        return any(
            binds_directly(one, name) or (isinstance(one, (ast.Global, ast.Nonlocal)) and name in one.names)
            for one in scope.statements()
        )

    def _is_free(self, name: str) -> bool:
        """Whether an import at the top of the file may bind the name: nothing here reads or binds another thing by it.

        A function that binds the name for itself is in nobody's way, unless the option is to stand in it.
        """
        if hasattr(builtins, name) or self._is_bound_in(self._module, name):
            return False
        if any(self._is_bound_in(one, name) for one in self._functions()):
            return False
        return not _is_mentioned(self._tree, name, {id(one.node) for one in self._functions()})

    def _taken(self, name: str) -> str:
        path = self._source.path
        for statement in self._module.statements():
            if isinstance(statement, (ast.Import, ast.ImportFrom)) and statement not in self._tree.body:
                if binds_directly(statement, name):
                    return f"`{name}` is not imported in {path} but under a condition"
        return f"`{name}` means something else in {path}"

    # --- imports at the top of the file --------------------------------------------------------------------------

    def _top_imports(self) -> Iterator[ast.Import | ast.ImportFrom]:
        """The import statements at the head of the file; where there are none, those of its own level further down."""
        every = [one for one in self._tree.body if isinstance(one, (ast.Import, ast.ImportFrom))]
        first = next((one.lineno for one in self._tree.body if isinstance(one, _DEFINITIONS)), sys.maxsize)
        head = [one for one in every if one.lineno < first]
        yield from (one for one in head or every if self._is_in_time(one))

    def _is_in_time(self, statement: ast.stmt) -> bool:
        return self._scope.is_function or statement.lineno < self._line

    def _stands_alone(self, statement: ast.stmt) -> bool:
        """Whether no other statement shares a line with it."""
        return all(
            one is statement or (one.end_lineno or 0) < statement.lineno or one.lineno > (statement.end_lineno or 0)
            for one in self._tree.body
        )


_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_DEFINITIONS = (*_FUNCTIONS, ast.ClassDef)


def _is_chain(text: str) -> bool:
    """Whether the text is a name or a chain of attributes on one."""
    return all(part.isidentifier() for part in text.split("."))


def _is_future(statement: ast.Import | ast.ImportFrom) -> bool:
    return isinstance(statement, ast.ImportFrom) and statement.module == "__future__"


def _module(statement: ast.Import | ast.ImportFrom) -> str:
    """The dotted name of what is imported, or imported from."""
    return statement.module or "" if isinstance(statement, ast.ImportFrom) else statement.names[0].name


def _package(statement: ast.Import | ast.ImportFrom) -> str:
    if isinstance(statement, ast.ImportFrom):
        return "" if statement.level else (statement.module or "").partition(".")[0]
    return statement.names[-1].name.partition(".")[0]


def _is_mentioned(tree: ast.AST, name: str, ours: set[int]) -> bool:
    """Whether the name is read or bound anywhere but in functions that bind it for themselves."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Name) and node.id == name:
            return True
        if isinstance(node, _FUNCTIONS) and id(node) not in ours and _keeps_to_itself(node, name):
            waiting += [*node.decorator_list, *node.args.defaults]
        else:
            waiting += ast.iter_child_nodes(node)
    return False


def _keeps_to_itself(function: ast.FunctionDef | ast.AsyncFunctionDef, name: str) -> bool:
    """Whether the name is a variable of the function's own."""
    given = function.args
    every = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
    statements = [inner for one in function.body for inner in inside(one)]
    if any(isinstance(one, (ast.Global, ast.Nonlocal)) and name in one.names for one in statements):
        return False
    return any(one is not None and one.arg == name for one in every) or any(
        binds_directly(one, name) for one in statements
    )
