"""Makers of sessions that a function does not name: a parameter, or an attribute that its object was made with.

Told by the default of the parameter, and by what the calls in view hand over. Reads trees and the project.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from codemods.flow.scope import Scope
from codemods.project.expressions import dotted, expression, last_name
from codemods.project.facts import Either, Expression, FunctionFacts, ModuleFacts, Name
from codemods.project.link import Place, Project
from codemods.project.sessions import (
    ClassMeaning,
    CoroutineMeaning,
    FunctionMeaning,
    InstanceMeaning,
    MakerMeaning,
    Meaning,
    Ownership,
    SessionMeaning,
)

_DEPTH = 3  # functions that hand a parameter of theirs on
ScopesOf = Callable[[str], Sequence[Scope]]
"""All scopes of a file, by its path; none for one that is not in view."""


@dataclass(frozen=True, slots=True)
class HandedMaker:
    """`maker` is the text of what is handed over; `where` says by whom: a place, or "" for a default."""

    maker: str
    is_async: bool
    where: str = ""
    awaited: bool = False  # what a call of it gives has to be awaited
    only: bool = True  # all that hand anything over in view hand over a maker


def handed_maker(called: ast.expr, scope: Scope, scopes_of: ScopesOf) -> HandedMaker | None:
    """The maker that `called` may be, whatever else it may be; None where nothing in view says that it is one."""
    return _Search(scope.project, scopes_of).of(called, scope, _DEPTH)


class _Search:
    def __init__(self, project: Project, scopes_of: ScopesOf) -> None:
        self._project = project
        self._scopes_of = scopes_of

    def of(self, node: ast.expr, scope: Scope, depth: int) -> HandedMaker | None:
        match node:
            case ast.Name(id=name):
                return self._named(name, scope, depth)
            case ast.Attribute(value=owner, attr=name):
                means = scope.meaning(owner)
                if isinstance(means, InstanceMeaning) and isinstance(means.of, ClassMeaning):
                    return self._of_object(means.of, name, depth)
        return None

    def _named(self, name: str, scope: Scope, depth: int) -> HandedMaker | None:
        """What a parameter of the function, or of one around it, is given."""
        qualname = scope.place.qualname
        symbols = self._project.symbols
        while qualname:
            definitions = symbols.functions(scope.place.path, qualname)
            if len(definitions) > 1:
                return None
            if definitions and name in symbols.locals(scope.place.path, qualname):
                (definition,) = definitions
                if all(one.name != name for one in definition.parameters):
                    return None
                values = [value for one in definition.bindings if one.name == name for value in one.values]
                for value in values or [Name(name)]:  # `factory = factory or maker`
                    if (found := self._value(value, scope.place.path, definition, depth)) is not None:
                        return found
                return None
            qualname = qualname.rpartition(".")[0]
        return None

    def _of_object(self, class_: ClassMeaning, name: str, depth: int) -> HandedMaker | None:
        """What an attribute is set to by `__init__`: to one of its parameters, or to a maker in its place."""
        for base in self._project.bases(class_):
            facts = self._project.class_facts(base) if isinstance(base, ClassMeaning) else None
            places = [one for one in facts.attributes if one.name == name] if facts is not None else []
            if not isinstance(base, ClassMeaning) or not places:
                continue
            init = f"{base.qualname}.__init__"
            definitions = self._project.symbols.functions(base.module, init)
            if len(places) != 1 or places[0].method != init or len(definitions) != 1:
                return None
            return self._value(places[0].value, base.module, definitions[0], depth)
        return None

    def _value(self, value: Expression, path: str, function: FunctionFacts, depth: int) -> HandedMaker | None:
        """The maker that an expression of a function is, or may be."""
        options = value.options if isinstance(value, Either) else (value,)
        for one in options:
            if isinstance(one, Name) and any(given.name == one.id for given in function.parameters):
                if (found := self._given(path, function, one.id, depth)) is not None:
                    return found
            elif (found := self._maker(self._project.meaning(one, Place(path, function.qualname)), one)) is not None:
                return found
        return None

    def _maker(self, means: Meaning, written: Expression) -> HandedMaker | None:
        """The maker that an expression is; what gives a session that others hold, or only lends one out, is none."""
        text = dotted(written)
        match means:
            case MakerMeaning(is_async=is_async, ownership=Ownership.FRESH):
                return HandedMaker(text or "a maker of sessions", is_async)
            case FunctionMeaning() if text:
                given = self._project.called(means)
                awaited = isinstance(given, CoroutineMeaning)
                told = given.value if isinstance(given, CoroutineMeaning) else given
                if isinstance(told, SessionMeaning) and told.ownership is Ownership.FRESH and not told.through:
                    return HandedMaker(text, told.is_async, awaited=awaited)
        return None

    def _given(self, path: str, definition: FunctionFacts, name: str, depth: int) -> HandedMaker | None:
        """What a parameter is by default, or what the calls in view give it."""
        parameter = next((one for one in definition.parameters if one.name == name), None)
        if parameter is None or parameter.kind in ("*", "**"):
            return None
        if parameter.default is not None:
            place = Place(path, definition.parent)
            if (found := self._maker(self._project.meaning(parameter.default, place), parameter.default)) is not None:
                return found
        if not depth:
            return None
        first, others = None, False
        for argument, around, line in self._arguments(path, definition, name):
            found = self._maker(around.meaning(argument), expression(argument))
            found = found or self.of(argument, around, depth - 1)
            if found is None:
                others = True
            elif first is None:
                first = replace(found, where=f"{around.place.path}:{line}")
        return replace(first, only=first.only and not others) if first is not None else None

    def _arguments(self, path: str, definition: FunctionFacts, name: str) -> Iterator[tuple[ast.expr, Scope, int]]:
        """What every call in view hands over as one parameter: the argument, where it stands, and the line."""
        is_init = definition.name == "__init__" and bool(definition.in_class)
        wanted = definition.in_class if is_init else definition.qualname
        short = wanted.rpartition(".")[2]
        symbols = self._project.symbols
        positional = [one.name for one in definition.parameters if one.kind == "positional"]
        for other in symbols.paths():
            if other != path and not _may_call(symbols.facts[other], short):
                continue
            for scope in self._scopes_of(other):
                for call in scope.watched():
                    if not isinstance(call, ast.Call):
                        continue
                    for target, arguments in _handing(call, short):
                        means = scope.meaning(target)
                        if (getattr(means, "module", ""), getattr(means, "qualname", "")) != (path, wanted):
                            continue
                        bound = is_init or (isinstance(means, FunctionMeaning) and means.bound)
                        given = _argument(call, arguments, positional[1:] if bound else positional, name)
                        if given is not None:
                            yield given, scope, call.lineno


def _may_call(facts: ModuleFacts, name: str) -> bool:
    return name in facts.calls or any(name in (one.attribute, one.name) for one in facts.imports)


def _handing(call: ast.Call, short: str) -> Iterator[tuple[ast.expr, list[ast.expr]]]:
    """What a call runs, with its positional arguments: `f(maker)`, and `add_middleware(DbMiddleware, pool=maker)`."""
    if last_name(expression(call.func)) == short:
        yield call.func, call.args
    for index, one in enumerate(call.args):
        if isinstance(one, (ast.Name, ast.Attribute)) and last_name(expression(one)) == short:
            yield one, call.args[index + 1 :]


def _argument(call: ast.Call, arguments: list[ast.expr], positional: list[str], name: str) -> ast.expr | None:
    """The argument that goes to one parameter; None where it is left out, or where that cannot be told."""
    for keyword in call.keywords:
        if keyword.arg == name:
            return keyword.value
    for parameter, argument in zip(positional, arguments, strict=False):
        if isinstance(argument, ast.Starred):
            return None
        if parameter == name:
            return argument
    return None
