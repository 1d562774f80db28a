"""From a session, or the parameter that is given one, to the factory that makes it. Asks the project; decides no edit.

What is handed in by `Depends` is followed into the dependency, what a context manager or a function gives is followed
into that. A session of which nothing is told has the project's only factory of its kind, which is said.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, replace

from codemods.flow.definition_site import definition_site
from codemods.flow.objects.record import Session
from codemods.flow.only_factory import is_test_path, only_factory
from codemods.flow.scope import Scope
from codemods.plan import Fact
from codemods.project.dependencies import is_depends
from codemods.project.expressions import chained, dotted, expression
from codemods.project.facts import Attribute, Call, Expression, FunctionFacts, GeneratorScope, Item, Name, Parameter
from codemods.project.link import Place, Project
from codemods.project.openers import Customs, replaced_by, source_of
from codemods.project.sessions import (
    CoroutineMeaning,
    External,
    FunctionMeaning,
    MakerMeaning,
    Ownership,
    RegistryMeaning,
    ScopeFactoryMeaning,
    SessionMeaning,
)

_DRIVING = frozenset({"builtins.next", "builtins.anext"})
_CLOSING = frozenset({"contextlib.closing", "contextlib.aclosing"})
_ENTERING = frozenset({"enter_async_context", "enter_context"})
_REGISTRY = "it comes from a scoped registry, whose sessions belong to a thread or a task"


@dataclass(frozen=True, slots=True)
class Called:
    """What is called, and where that is written."""

    callee: Expression
    place: Place


@dataclass(frozen=True, slots=True)
class Factory:
    """What makes the session: calling `callee`, read at `place`, without arguments."""

    source: str  # what really makes it: `source_of`
    callee: Expression
    place: Place
    is_async: bool
    expire_on_commit: bool | None = None
    assumed: bool = False  # it is the project's only one; nothing at the site says so
    dependency: FunctionMeaning | None = None  # the one that `Depends` names, when it comes from there
    commits: Fact | None = None  # where what lends it out commits behind its `yield`
    through: tuple[Called, ...] = ()  # the functions that the session comes through, the one at the site first


class Untold(Exception):
    """Why the factory cannot be told."""


class Search:
    def __init__(self, project: Project, customs: Customs) -> None:
        self.project = project
        self.dependencies = customs.dependencies
        self.through: list[Called] = []
        self.dependency: FunctionMeaning | None = None
        self.commits: Fact | None = None

    def of(self, scope: Scope, session: Session) -> Factory:
        node = session.node.value if isinstance(session.node, ast.Await) else session.node
        if isinstance(node, ast.Call):
            return self._called(node, scope)
        if isinstance(node, ast.Name):
            owner = self._parameter_of(node.id, scope.place)
            if owner is not None:
                function, parameter = owner
                return self.given(parameter, Place(scope.place.path, function), is_async=session.is_async)
        means = scope.meaning(node)
        if isinstance(means, RegistryMeaning) or (isinstance(means, SessionMeaning) and means.through == "registry"):
            raise Untold(_REGISTRY)
        if isinstance(means, SessionMeaning) and means.origin:
            return self._origin(means.origin)
        return self.only(session.is_async)

    def _called(self, node: ast.Call, scope: Scope) -> Factory:
        callee = scope.callee(node)
        known = callee.dotted if isinstance(callee, External) else ""
        if known in _DRIVING | _CLOSING or (isinstance(node.func, ast.Attribute) and node.func.attr in _ENTERING):
            inner = node.args[0] if node.args else None
            if isinstance(inner, ast.Call):
                return self._called(inner, scope)
            raise Untold(f"what `{ast.unparse(node.func)}` is given at line {node.lineno} cannot be followed")
        if node.args or node.keywords:
            raise Untold(f"`{ast.unparse(node.func)}` is given arguments at line {node.lineno}")
        return self.follow(expression(node.func), scope.place)

    # --- parameters --------------------------------------------------------------------------------------------

    def _parameter_of(self, name: str, place: Place) -> tuple[str, Parameter] | None:
        """The function, this one or one around it, that has a parameter of this name; with the parameter."""
        qualname = place.qualname
        while qualname:
            for definition in self.project.symbols.functions(place.path, qualname):
                for parameter in definition.parameters:
                    if parameter.name == name:
                        return qualname, parameter
            qualname = qualname.rpartition(".")[0]
        return None

    def given(self, parameter: Parameter, place: Place, *, is_async: bool) -> Factory:
        """The factory of the session that a parameter of the function at `place` is given."""
        outside = Place(place.path, place.qualname.rpartition(".")[0])
        target = self.dependencies.injected(parameter, outside)
        if target is None:
            if self._is_injected(parameter, outside):
                raise Untold("the dependency that gives it is not in view")
            return self.only(is_async)
        self.dependency = self.dependency or target
        if self.project.overrides(target):
            raise Untold(f"`{target.qualname}()` is defined anew in a subclass")
        for fact in replaced_by(target, target.module, target.qualname, self.project):
            if not is_test_path(fact.path):
                raise Untold(f"`{target.qualname}()` is replaced at {fact.path}:{fact.line}")
        return self.follow_function(target, Called(Name(target.qualname), Place(target.module)))

    def _is_injected(self, parameter: Parameter, outside: Place) -> bool:
        """Whether `Depends` gives it something, whatever that is."""
        place, given = outside, [parameter.default, parameter.annotation]
        if isinstance(parameter.annotation, (Name, Attribute)):
            at = definition_site(parameter.annotation, outside, self.project)
            values = self.project.symbols.binding(*at) if at else ()
            if at and len(values) == 1:
                place, given = Place(at[0]), [parameter.default, values[0]]
        for one in given:
            calls: tuple[Expression, ...] = ()
            if isinstance(one, Call):
                calls = (one,)
            elif isinstance(one, Item) and isinstance(one.key, Call):
                calls = one.key.arguments
            for call in calls:
                if isinstance(call, Call):
                    means = [self.project.meaning(call.function, at) for at in (place, outside)]
                    if any(is_depends(one) for one in means):
                        return True
        return False

    def only(self, is_async: bool) -> Factory:
        found = only_factory(self.project, is_async=is_async)
        if isinstance(found, str):
            raise Untold(found)
        return replace(self._origin(found[0]), assumed=True)

    # --- what is called ----------------------------------------------------------------------------------------

    def follow(self, callee: Expression, place: Place) -> Factory:
        """The factory behind what calling this (awaiting, entering or iterating it) gives."""
        means = self.project.meaning(callee, place)
        match means:
            case MakerMeaning():
                return self._made(callee, place)
            case ScopeFactoryMeaning():
                return self._scope_factory(callee, place)
            case FunctionMeaning():
                return self.follow_function(means, Called(callee, place))
            case RegistryMeaning():
                raise Untold(_REGISTRY)
            case External(dotted=known):
                raise Untold(f"`{known.rpartition('.')[2]}()` is made without a factory")
            case _:
                raise Untold(f"{_text(callee)} cannot be followed")

    def _scope_factory(self, callee: Expression, place: Place) -> Factory:
        if isinstance(callee, Attribute) and callee.name == "begin":
            line = self._line(place)
            self.commits = self.commits or Fact(place.path, line, f"the commit at the end of `{dotted(callee)}()`")
            return self.follow(callee.value, place)
        at = definition_site(callee, place, self.project)
        values = self.project.symbols.binding(*at) if at else ()
        if at and len(values) == 1 and isinstance(values[0], Call) and len(values[0].arguments) == 1:
            means = self.project.meaning(values[0].arguments[0], Place(at[0]))
            if isinstance(means, FunctionMeaning):
                return self.follow_function(means, Called(callee, place))
        raise Untold(f"{_text(callee)} cannot be followed")

    def _line(self, place: Place) -> int:
        found = self.project.symbols.functions(place.path, place.qualname)
        return found[0].line if found else 1

    def follow_function(self, function: FunctionMeaning, called: Called) -> Factory:
        """The factory behind what a function of the project gives or lends out."""
        name = function.qualname.rpartition(".")[2]
        definitions = self.project.symbols.functions(function.module, function.qualname)
        if len(definitions) != 1:
            raise Untold(f"`{name}()` is defined more than once")
        if any(one.callee == called.callee and one.place == called.place for one in self.through):
            raise Untold(f"`{name}()` goes round in a circle")
        self.through.append(called)
        definition, place = definitions[0], Place(function.module, function.qualname)
        if function.bound and self.project.overrides(function):
            raise Untold(f"`{name}()` is defined anew in a subclass")
        if definition.is_generator:
            return self._lent(definition, place, name)
        returned = definition.returns
        if len(returned) == 1 and isinstance(returned[0], Name):
            parameter = next((one for one in definition.parameters if one.name == returned[0].id), None)
            if parameter is not None:
                raise Untold(f"`{name}()` hands on what it is given")
        source = source_of(called.callee, called.place, self.project)
        if source == f"{function.module}:{function.qualname}" and needs_arguments(definition):
            raise Untold(f"`{name}()` is given arguments")
        return self._made(called.callee, called.place)

    def _lent(self, definition: FunctionFacts, place: Place, name: str) -> Factory:
        lends = definition.lends
        if lends is None:
            raise Untold(f"`{name}()` has more than one `yield`")
        if lends.prepares:
            raise Untold(f"`{name}()` does more with it before it lends it out ({place.path}:{lends.prepares})")
        if lends.opens is None and lends.made:
            raise Untold(f"`{name}()` does not get it by a plain call ({place.path}:{lends.made})")
        # what runs behind the yield may be given the session, and commit it
        unclear = lends.after or (0 if lends.closes else lends.tears_down)
        if lends.commits or unclear:
            text = lends.after_text or f"what `{name}()` does behind its `yield`"
            self.commits = self.commits or Fact(place.path, unclear or lends.line, text)
        looped = self._check_enclosing(lends, place, name)
        parameter = next((one for one in definition.parameters if lends.yields == Name(one.name)), None)
        if parameter is not None:
            return self.given(parameter, place, is_async=definition.is_async)
        if looped is not None:
            return self.follow(looped, place)
        if lends.opens is None:
            raise Untold(f"it cannot be seen how `{name}()` gets it ({place.path}:{lends.line})")
        return self.follow(lends.opens, place)

    def _check_enclosing(self, lends: GeneratorScope, place: Place, name: str) -> Expression | None:
        """What gives the generator that it hands on, if it does. Raises for any other block around the `yield`."""
        looped: Expression | None = None
        for one in lends.enclosing:
            if one.is_loop and isinstance(one.value, Call) and not one.value.arguments and not one.value.keywords:
                looped = one.value.function
                continue
            value = one.value
            if isinstance(value, Call) and not value.arguments and value.function == lends.opens:
                continue
            if value == lends.yields:
                continue
            if isinstance(value, Call) and value.arguments == (lends.yields,):
                means = self.project.meaning(value.function, place)
                if isinstance(means, External) and means.dotted in _CLOSING:
                    continue
            raise Untold(f"`{name}()` lends it out inside of another block ({place.path}:{one.line})")
        return looped

    # --- the end of the way ------------------------------------------------------------------------------------

    def _origin(self, origin: str) -> Factory:
        path, _, name = origin.partition(":")
        if not name or path not in self.project.symbols.facts:
            raise Untold(f"`{origin.rpartition('.')[2]}()` is made without a factory")
        if "." in name:
            raise Untold(f"`{name}` is an attribute of an object")
        return self.follow(chained(name), Place(path))

    def _made(self, callee: Expression, place: Place) -> Factory:
        source = source_of(callee, place, self.project)
        made = self.project.meaning(Call(callee), place)
        made = made.value if isinstance(made, CoroutineMeaning) else made
        if not source or not isinstance(made, SessionMeaning):
            raise Untold(f"{_text(callee)} cannot be followed")
        if made.through == "registry":
            raise Untold(_REGISTRY)
        if made.ownership is not Ownership.FRESH or made.optional:
            raise Untold(f"{_text(callee)} may give one that someone else holds")
        if made.own_exit:
            raise Untold(f"its class has a `{made.own_exit}()` of its own, which would run at the end of a block")
        if made.bound is not None:
            which = "is bound to a connection" if made.bound.certain else "may be bound to a connection"
            raise Untold(f"what {_text(callee)} gives {which}, on which no task can have a session of its own")
        return Factory(
            source,
            callee,
            place,
            made.is_async,
            made.expire_on_commit,
            dependency=self.dependency,
            commits=self.commits,
            through=tuple(self.through),
        )


def _text(callee: Expression) -> str:
    name = dotted(callee)
    return f"`{name}()`" if name else "what makes it"


def needs_arguments(definition: FunctionFacts) -> bool:
    """Whether a function cannot be called with none: a required parameter, or one that `Depends` would fill."""
    own = definition.parameters[1:] if definition.in_class else definition.parameters
    return any(
        parameter.kind in ("positional", "keyword")
        and (parameter.default is None or isinstance(parameter.default, Call))
        for parameter in own
    )
