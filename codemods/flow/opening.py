"""How a block over a factory is written at a place: with which context manager, and with what imports. Decides no edit.

The project's own context manager over the same factory is taken where there is exactly one that only opens, rolls
back and closes, and where its name can be had without a new import between modules; else the factory itself.
"""

from __future__ import annotations

import ast
import sys
from dataclasses import dataclass

from codemods.flow.at_hand import at_hand
from codemods.flow.import_place import is_bound, standard_place, top_imports
from codemods.flow.made import Made
from codemods.flow.scope import Scope
from codemods.plan import DropIfUnused, NeedsImport, Request, Source
from codemods.project.expressions import chained, dotted, expression
from codemods.project.facts import Attribute, Call, GeneratorScope, Name
from codemods.project.link import Place
from codemods.project.openers import Opener, is_replaced, source_of
from codemods.project.sessions import (
    CoroutineMeaning,
    External,
    FunctionMeaning,
    Meaning,
    ModuleMeaning,
    Ownership,
    ScopeMeaning,
    SessionMeaning,
    UnknownMeaning,
)


@dataclass(frozen=True, slots=True)
class Opening:
    """`context` is the text of the context expression; None: what makes the session, as it is written."""

    context: str | None
    requests: tuple[Request, ...] = ()


AS_WRITTEN = Opening(None)


class Openings:
    """Answers for one scope of one file.

    `openers` are those of the project; `wanted` is the setting `scope`: the dotted name of the one to use.
    """

    def __init__(
        self, scope: Scope, tree: ast.Module, source: Source, openers: tuple[Opener, ...], wanted: str | None
    ) -> None:
        self.openers = openers
        self.scope = scope
        self.tree = tree
        self.source = source
        self.wanted = wanted
        self.project = scope.project
        self.symbols = scope.project.symbols

    def opening(self, made: Made) -> Opening:
        """How to open a block in the place of what makes this session."""
        if made.has_arguments or isinstance(made.node, ast.Await):
            return AS_WRITTEN
        source = source_of(expression(made.call.func), self.scope.place, self.project)
        if not source:
            return AS_WRITTEN
        found = [
            named
            for opener in self.openers
            if opener.source == source
            and opener.scope.is_async == made.session.is_async
            and not self._within(opener)
            and self._is_wanted(opener)
            and (named := self._opener_reached(made.call.func, opener)) is not None
        ]
        return found[0] if len(found) == 1 else AS_WRITTEN

    def _within(self, opener: Opener) -> bool:
        """Whether this very code is (part of) the context manager."""
        place = self.scope.place
        return opener.function.module == place.path and (
            place.qualname == opener.function.qualname or place.qualname.startswith(f"{opener.function.qualname}.")
        )

    def _is_wanted(self, opener: Opener) -> bool:
        if self.wanted is None:
            return True
        known = self.symbols.names.get(opener.function.module)
        return known is not None and f"{known.module}.{opener.function.qualname}" == self.wanted

    def _defined_beside(self, name: str, wanted: Meaning) -> tuple[int, str, str] | None:
        """An import of this file from the very module that defines the name: a better place than a re-export."""
        for one in self.tree.body:
            if isinstance(one, ast.ImportFrom):
                written = "." * one.level + (one.module or "")
                found = [i for i in self.symbols.facts[self.source.path].imports if i.line == one.lineno]
                module = self.symbols.module_path(found[0].module, self.source.path) if found else None
                if module is not None and self.project.member(module, name) == wanted:
                    if self.symbols.binding(module, name) or self.symbols.functions(module, name):
                        return one.lineno, written, module
        return None

    def _import_of(self, name: str) -> tuple[int, str, str] | None:
        """(line, module as written, file) of the import that binds the name here, the innermost one."""
        path = self.source.path
        qualname = self.scope.place.qualname
        while True:
            found = self.symbols.imports(path, qualname, name)
            if len(found) == 1 and found[0].attribute is not None:
                module = self.symbols.module_path(found[0].module, path)
                return (found[0].line, found[0].written_module, module) if module else None
            if found or not qualname:
                return None
            qualname = qualname.rpartition(".")[0]

    def nullcontext(self) -> tuple[str, tuple[Request, ...]] | None:
        """How `contextlib.nullcontext` is written here, and the import that this needs; None: the name is taken."""
        return self.standard("contextlib", "nullcontext")

    def standard(
        self, module: str, name: str, *others: str, above: int | None = None
    ) -> tuple[str, tuple[Request, ...]] | None:
        """How a name of the standard library is written here, and the import that this needs; None: it is taken.

        `others` are modules that have the same thing under the same name: it will do where it is imported already.

        `above` is the line of a definition whose header uses the name, which is read in the scope around it.
        """
        place = self.scope.place
        if above is not None:
            place = Place(place.path, place.qualname.rpartition(".")[0])
            if not self._is_imported_above(name, above):
                if is_bound(self.tree, name):
                    return None
                return name, (standard_place(self.source.path, top_imports(self.tree, above), module, name),)
        line = getattr(self.scope.node, "end_lineno", None) or sys.maxsize
        for source in (module, *others):
            if self.project.name(name, place) == External(f"{source}.{name}") and at_hand(self.scope, name, line):
                return name, ()
        for source in (module, *others):
            if self.project.meaning(chained(f"{source}.{name}"), place) == External(f"{source}.{name}"):
                if at_hand(self.scope, source.partition(".")[0], line):
                    return f"{source}.{name}", ()
        if is_bound(self.tree, name):
            return None
        return name, (standard_place(self.source.path, top_imports(self.tree, above), module, name),)

    def _is_imported_above(self, name: str, line: int) -> bool:
        """Whether a definition on this line can read the name in its header: an import at the top level gives it."""
        for one in self.tree.body:
            if isinstance(one, (ast.Import, ast.ImportFrom)) and one.lineno < line:
                if any((alias.asname or alias.name) == name for alias in one.names):
                    return True
        return False

    # --- generators that lend a session ------------------------------------------------------------------------

    def within(self, call: ast.Call, generator: FunctionMeaning, lends: GeneratorScope) -> Opening | None:
        """How to open what the generator, called here by `call`, opens itself: with its own factory.

        The project's own context manager over that factory is taken where there is exactly one that only opens. None
        when what it calls cannot be named here.
        """
        opens, place = lends.opens, Place(generator.module, generator.qualname)
        root = dotted(opens).partition(".")[0] if opens is not None else ""
        if opens is None or not root:
            return None
        wanted = self.project.member(generator.module, root)
        made = self.project.meaning(Call(opens), place)
        if isinstance(made, CoroutineMeaning):
            made = made.value
        if isinstance(wanted, UnknownMeaning) or self.project.name(root, place) != wanted:
            return None
        form = f"{{}}{dotted(opens).removeprefix(root)}()"
        if isinstance(made, ScopeMeaning) and made.plain and not lends.awaited:
            # the generator lends what the project's own context manager does
            return self._reached(call.func, root, wanted, form, generator.module)
        if not isinstance(made, SessionMeaning) or made.ownership is not Ownership.FRESH or made.own_exit:
            return None
        source = source_of(opens, place, self.project)
        found = [
            named
            for opener in self.openers
            if source and opener.source == source and opener.scope.is_async == made.is_async
            if not self._within(opener) and self._is_wanted(opener)
            if (named := self._opener_reached(call.func, opener)) is not None
        ]
        if len(found) == 1:
            return found[0]
        return self._reached(call.func, root, wanted, f"await {form}" if lends.awaited else form, generator.module)

    def wrapped(self, call: ast.Call, text: str, *, is_async: bool) -> Opening | None:
        """`asynccontextmanager(dep)(...)` for the `dep(...)` that `text` is; None when the name is taken."""
        standard = self.standard("contextlib", "asynccontextmanager" if is_async else "contextmanager")
        called = ast.get_source_segment(self.source.text, call.func) or ast.unparse(call.func)
        if standard is None or not text.startswith(called):
            return None
        name, requests = standard
        return Opening(f"{name}({called}){text.removeprefix(called)}", requests)

    def _opener_reached(self, callee: ast.expr, opener: Opener) -> Opening | None:
        return self._reached(callee, opener.function.qualname, opener.function, "{}()", opener.function.module)

    def _reached(self, callee: ast.expr, name: str, wanted: Meaning, form: str, home: str) -> Opening | None:
        """How `name`, which means `wanted` in the file `home`, is written in the place of `callee`; None: it cannot be.

        What is imported is a copy: it will do only where nothing binds the name anew. What is read from its module, or
        in it, is always what the module itself uses.
        """
        place, written_callee = self.scope.place, expression(callee)
        if isinstance(written_callee, Attribute):
            owner = self.project.meaning(written_callee.value, place)
            if isinstance(owner, ModuleMeaning) and self.project.member(owner.module, name) == wanted:
                if not name.startswith("_") and (owner.module == home or self._is_fixed(home, name, wanted)):
                    return Opening(form.format(f"{dotted(written_callee.value)}.{name}"))
        callee_at_hand = isinstance(written_callee, Name) and at_hand(self.scope, written_callee.id, callee.lineno)
        drop = self.drop(written_callee.id) if isinstance(written_callee, Name) and callee_at_hand else None
        if self.project.name(name, place) == wanted:
            if home != place.path:
                if not at_hand(self.scope, name, callee.lineno) or is_replaced(place.path, name, self.project):
                    return None
                if not isinstance(wanted, ModuleMeaning) and not self._is_fixed(home, name, wanted):
                    return None
            return Opening(form.format(name), () if drop is None else (drop,))
        if (
            not isinstance(written_callee, Name)
            or not callee_at_hand
            or is_bound(self.tree, name)
            or name.startswith("_")
        ):
            return None
        imported = self._import_of(written_callee.id)
        if imported is None:
            return None
        line, written, module = self._defined_beside(name, wanted) or imported
        if not written or self.project.member(module, name) != wanted or self.symbols.loads(module, place.path):
            return None  # the module may load this one half way: what is imported now need not be there yet
        if not self._offers(module, name, wanted) or not self._is_fixed(home, name, wanted):
            return None
        needs = NeedsImport(place.path, line, written, name)
        return Opening(form.format(name), (needs,) if drop is None else (needs, drop))

    def _offers(self, path: str, name: str, wanted: Meaning) -> bool:
        """Whether a file has the name for others to import: what it defines itself, or a package hands on."""
        known = self.symbols.facts[path]
        handed_on = known.is_package and not isinstance(wanted, (ModuleMeaning, External))
        return name in known.fixed or (handed_on and len(self.symbols.imports(path, "", name)) == 1)

    def _is_fixed(self, path: str, name: str, wanted: Meaning) -> bool:
        """Whether a name of the file stands for the same thing as long as the program runs, and in its tests."""
        seen: set[tuple[str, str]] = set()
        while (path, name) not in seen:
            seen.add((path, name))
            if path not in self.symbols.facts or is_replaced(path, name, self.project):
                return False
            if name in self.symbols.facts[path].fixed:
                return True
            found = self.symbols.imports(path, "", name)
            if len(found) != 1 or found[0].attribute is None or self.symbols.binding(path, name):
                return False
            module = self.symbols.module_path(found[0].module, path)
            if module is None:
                return isinstance(wanted, External)
            path, name = module, found[0].attribute
        return False

    # --- imports that may go -----------------------------------------------------------------------------------

    def drop(self, name: str) -> DropIfUnused | None:
        """The import of a name may go with its last use, unless another file takes the name from here."""
        path, qualname = self.source.path, self.scope.place.qualname
        found = self.symbols.imports(path, qualname, name)
        while not found and qualname:
            qualname = qualname.rpartition(".")[0]
            found = self.symbols.imports(path, qualname, name)
        if len(found) != 1 or (not qualname and self._is_taken_from_here(name)):
            return None
        return DropIfUnused(path, found[0].line, name)

    def annotation_imports(self, annotation: ast.expr) -> tuple[Request, ...]:
        """A block's name takes no annotation; what only the annotation needed may go."""
        names = {node.id for node in ast.walk(annotation) if isinstance(node, ast.Name)}
        return tuple(request for name in sorted(names) if (request := self.drop(name)) is not None)

    def _reads(self, chain: str, other: str) -> bool:
        """Whether `module.name`, read in the file `other`, is a name of this file."""
        owner = chain.rpartition(".")[0]
        means = self.project.meaning(chained(owner), Place(other))
        if isinstance(means, ModuleMeaning):
            return means.module == self.source.path
        # imported in a function, perhaps: the module's own name is reason enough to keep the import
        return owner.rpartition(".")[2] == self.source.module.rpartition(".")[2]

    def _is_taken_from_here(self, name: str) -> bool:
        path = self.source.path
        if self.source.is_package:
            return True  # what a package's `__init__` imports is often meant for others
        for other in self.symbols.paths():
            if other == path:
                continue
            facts = self.symbols.facts[other]
            if any(self.symbols.module_path(star, other) == path for star in facts.stars):
                return True
            for imported in facts.imports:
                if imported.attribute == name and self.symbols.module_path(imported.module, other) == path:
                    return True
            if any(self._reads(chain, other) for chain in facts.attributes if chain.endswith(f".{name}")):
                return True
        return False
