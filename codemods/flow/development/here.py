"""Which sign of development can be written at one place of a file. Reads trees."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from codemods.flow.bound_once import Bound, bound_once, sole_binding
from codemods.flow.definition_site import definition_site
from codemods.flow.development.constant_names import constant_of
from codemods.flow.development.readable import is_hidden, is_readable
from codemods.flow.development.signs import Signs, Tail
from codemods.flow.lent import bound_to
from codemods.flow.scope import Scope
from codemods.plan import Fact
from codemods.project.expressions import expression
from codemods.project.facts import Attribute, Expression, Import, Name
from codemods.project.sessions import ClassMeaning, FunctionMeaning, InstanceMeaning, Meaning, ModuleMeaning


@dataclass(frozen=True, slots=True)
class Sign:
    """An expression that is true in development, as it can be written at a place, and what shows that it is."""

    text: str
    facts: tuple[Fact, ...] = ()


class Here:
    """The signs that can be named at one place: at the expression `node`, in its scope."""

    def __init__(self, node: ast.expr, scope: Scope, signs: Signs) -> None:
        self.node = node
        self.scope = scope
        self.signs = signs
        self.project = scope.project

    def found(self) -> Sign | None:
        """The best sign of the objects that are read; else of the module it is from; else of what else is there."""
        parts = list(self._parts(self.node, frozenset()))
        objects = self._objects(parts)
        several = len({class_ for _, _, class_ in objects if class_ is not None}) > 1
        read = self._named(self._of_objects(objects, several))
        if read and not several:
            return read[0][1]
        for signs in (read, self._named(self._constants(parts)), self._named(self._around(parts))):
            best = list(dict.fromkeys(sign for rank, sign in signs if rank == signs[0][0]))
            if best:
                return best[0] if len(best) == 1 else None
        return None

    def _named(self, candidates: Iterator[tuple[str, Tail]]) -> list[tuple[int, Sign]]:
        """Those that can be written, the best first, and in the order in which they came."""
        written: dict[str, tuple[int, Sign]] = {}
        for owner, tail in candidates:
            text = self._text(self._held(owner), tail)
            if text is not None and self._is_readable(text):
                written.setdefault(text, (tail.rank, Sign(text, tail.facts)))
        return sorted(written.values(), key=lambda one: one[0])

    def _held(self, owner: str) -> str:
        """The name that the function has for `get_settings()` by then, bound once and by just that call; else it."""
        if not owner.endswith("()") or not self.scope.is_function:
            return owner
        for statement in self.scope.statements():
            name, value = bound_to(statement)
            if not isinstance(value, ast.Call) or value.args or value.keywords or ast.unparse(value) != owner:
                continue
            sole = sole_binding(name, self.scope)
            if isinstance(sole, Bound) and sole.statement is statement and self._is_readable(name):
                return name
        return owner

    def _text(self, owner: str, tail: Tail) -> str | None:
        if tail.member is None:
            return owner + tail.text
        enum, member = tail.member
        names = [enum.qualname, *(one.name for one in self._imports() if one.attribute == enum.qualname)]
        for name in names:
            if self.project.name(name, self.scope.place) == enum and self._is_readable(name):
                return f"{owner}{tail.text}{name}.{member}"
        return None

    def _is_readable(self, text: str) -> bool:
        names = {one.id for one in ast.walk(ast.parse(text, mode="eval")) if isinstance(one, ast.Name)}
        return all(is_readable(name, self.node, self.scope) for name in names)

    def _parts(self, node: ast.expr, seen: frozenset[str]) -> Iterator[ast.expr]:
        """The expressions in the node, and in what its names are bound to for good, the outermost first."""
        names: list[str] = []
        for inner in ast.walk(node):
            if isinstance(inner, (ast.Name, ast.Attribute)) or (
                isinstance(inner, ast.Call) and not inner.args and not inner.keywords
            ):
                yield inner
            if isinstance(inner, ast.Name) and inner.id not in seen and not is_hidden(inner.id, inner, self.scope):
                names.append(inner.id)
        for name in names:
            value = bound_once(name, self.scope)
            if isinstance(value, ast.expr):
                yield from self._parts(value, seen | {name})

    def _objects(self, parts: Sequence[ast.expr]) -> list[tuple[ast.expr, Meaning, ClassMeaning | None]]:
        """The objects that are read, and their classes; None for one that is a part of another."""
        called = [part.func for part in parts if isinstance(part, ast.Call)]
        found: list[tuple[ast.expr, Meaning, ClassMeaning | None]] = []
        for part in parts:
            root = _root(part)
            if root is None or part in called or is_hidden(root, part, self.scope):
                continue
            means = self.scope.meaning(part)
            class_ = _class_of(means)
            if class_ is None:
                continue
            if self._is_own_object(part) and not self.signs.is_settings(class_):
                continue  # an object that makes engines: what it calls `debug` is its own affair
            found.append((part, means, class_))
        objects = [part for part, _, _ in found]
        return [
            (part, means, None if isinstance(part, ast.Attribute) and part.value in objects else class_)
            for part, means, class_ in found
        ]

    def _of_objects(
        self, objects: Sequence[tuple[ast.expr, Meaning, ClassMeaning | None]], several: bool
    ) -> Iterator[tuple[str, Tail]]:
        for part, means, _ in objects:
            tail = self.signs.of_object(means, bare=not several)
            if tail is not None and all(self._is_kept(call) for call in ast.walk(part) if isinstance(call, ast.Call)):
                yield ast.unparse(part), tail

    def _is_kept(self, call: ast.Call) -> bool:
        """Whether calling it a second time gives the same object."""
        means = self.scope.meaning(call.func)
        return isinstance(means, FunctionMeaning) and self.signs.given_by(means) is not None

    def _is_own_object(self, part: ast.expr) -> bool:
        """`self`"""
        node = self.scope.node
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) or not isinstance(part, ast.Name):
            return False
        first = [*node.args.posonlyargs, *node.args.args][:1]
        return bool(first) and first[0].arg == part.id and first[0].annotation is None

    def _homes(self, parts: Sequence[ast.expr]) -> set[str]:
        """The files of the constants that the value is made of, objects of which something is read apart."""
        sites = (
            constant_of(expression(part), self.scope.place, self.project)
            for part in parts
            if _class_of(self.scope.meaning(part)) is None
        )
        return {site[0] for site in sites if site is not None}

    def _constants(self, parts: Sequence[ast.expr]) -> Iterator[tuple[str, Tail]]:
        """Constants of this file, and of the files that the value comes from."""
        place = self.scope.place
        homes = {place.path, *self._homes(parts)}
        for part in parts:
            home = constant_of(expression(part), place, self.project)
            if home is not None and isinstance(part, ast.Attribute):  # `config.DATABASE_URL`
                for name, tail in self.signs.constants(home[0]).items():
                    chain = Attribute(expression(part.value), name)
                    if constant_of(chain, place, self.project) == (home[0], name):
                        yield f"{ast.unparse(part.value)}.{name}", tail
        for name in self._names():
            constant = constant_of(Name(name), place, self.project)
            if constant is not None and constant[0] in homes:
                found = self.signs.constants(constant[0]).get(constant[1])
                if found is not None:
                    yield name, found

    def _around(self, parts: Sequence[ast.expr]) -> Iterator[tuple[str, Tail]]:
        """Settings objects that the file has by a name, though nothing of them is read here."""
        homes = self._homes(parts)
        for name in self._names():
            yield from self._settings(name, Name(name), self.project.name(name, self.scope.place), homes)
        for part in parts:
            owner = self.scope.meaning(part.value) if isinstance(part, ast.Attribute) else None
            facts = self.project.symbols.facts.get(owner.module) if isinstance(owner, ModuleMeaning) else None
            if isinstance(part, ast.Attribute) and isinstance(owner, ModuleMeaning) and facts is not None:
                for name in sorted({one.name for one in facts.bindings}):  # beside `config.DATABASE_URL`
                    chain = Attribute(expression(part.value), name)
                    member = self.project.member(owner.module, name)
                    yield from self._settings(f"{ast.unparse(part.value)}.{name}", chain, member, homes)

    def _settings(self, text: str, node: Expression, means: Meaning, homes: set[str]) -> Iterator[tuple[str, Tail]]:
        given = self.signs.given_by(means) if isinstance(means, FunctionMeaning) else means
        class_ = _class_of(given) if given is not None else None
        if given is not None and class_ is not None and self.signs.is_settings(class_):
            site = definition_site(node, self.scope.place, self.project)
            is_home = site is not None and site[0] in homes and self.signs.holds_url(class_)
            tail = self.signs.of_object(given, bare=is_home)
            if tail is not None:
                yield f"{text}()" if isinstance(means, FunctionMeaning) else text, tail

    def _imports(self) -> list[Import]:
        facts = self.project.symbols.facts.get(self.scope.place.path)
        inside = self.scope.place.qualname
        return [
            one
            for one in (facts.imports if facts is not None else ())
            if not one.scope or inside == one.scope or inside.startswith(f"{one.scope}.")
        ]

    def _names(self) -> list[str]:
        """The names of the module, and what the functions around import."""
        facts = self.project.symbols.facts.get(self.scope.place.path)
        own = [one.name for one in facts.bindings] if facts is not None else []
        own += [one.name for one in facts.functions if not one.parent] if facts is not None else []
        return sorted({*own, *(one.name for one in self._imports())})


def _class_of(means: Meaning) -> ClassMeaning | None:
    """The class of the project that the object is of, or that it is itself."""
    class_ = means.of if isinstance(means, InstanceMeaning) else means
    return class_ if isinstance(class_, ClassMeaning) else None


def _root(node: ast.expr) -> str | None:
    """The name at the front of `settings`, `self.settings`, `get_settings()`: what may be written a second time."""
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=inner) | ast.Call(func=inner, args=[], keywords=[]):
            return _root(inner)
    return None
