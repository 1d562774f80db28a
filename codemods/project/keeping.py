"""What becomes of an object that is handed to a function of the project: summaries, followed through calls. Pure."""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace

from codemods.plan import Fact
from codemods.project.expressions import dotted, last_name
from codemods.project.facts import Call, FunctionFacts, ParameterUse, Passed
from codemods.project.keeping_methods import KEEPING, TAKING
from codemods.project.link import Place, Project
from codemods.project.schedulers import runs_later
from codemods.project.sessions import (
    CONTEXT_MANAGERS,
    TRANSPARENT_DECORATORS,
    ClassMeaning,
    CoroutineMeaning,
    External,
    FunctionMeaning,
    InstanceMeaning,
    SessionMeaning,
    UnknownMeaning,
)


class Fate(enum.IntEnum):
    """From harmless to harmful; the worst over all that a function does with the object."""

    USED = 0  # only while the call runs
    IN_RESULT = 1  # the result is it, or holds it
    UNKNOWN = 2  # handed on to something that is not in view
    CAPTURED = 3
    KEPT = 4
    SCHEDULED = 5


@dataclass(frozen=True, slots=True)
class Handed:
    fate: Fate
    fact: Fact | None = None


def handed(
    function: FunctionMeaning, position: int | None, keyword: str | None, project: Project, awaited: bool = True
) -> Handed:
    """The worst that happens to the argument given to `function` at this position or by this keyword."""
    return _handed(function, position, keyword, project, awaited, frozenset())


def closes(function: FunctionMeaning, position: int | None, keyword: str | None, project: Project) -> bool:
    """Whether the function itself closes the argument."""
    for definition in project.symbols.functions(function.module, function.qualname):
        name = parameter_name(definition, function, position, keyword)
        if any(use.name == name and use.closed for use in definition.uses):
            return True
    return False


def parameter_name(
    definition: FunctionFacts, function: FunctionMeaning, position: int | None, keyword: str | None
) -> str | None:
    """The parameter that an argument goes to; None when it goes to `*args`, `**kwargs` or nowhere."""
    if keyword is not None:
        return next((p.name for p in definition.parameters if p.name == keyword and p.kind != "**"), None)
    if position is None:
        return None
    positional = [p for p in definition.parameters if p.kind == "positional"]
    index = position + (1 if function.bound else 0)
    return positional[index].name if index < len(positional) else None


def _handed(
    function: FunctionMeaning,
    position: int | None,
    keyword: str | None,
    project: Project,
    awaited: bool,
    seen: frozenset[tuple[str, str, str]],
) -> Handed:
    worst = Handed(Fate.USED)
    here = (function.module, function.qualname, "")
    if here in seen:
        return worst
    for override in project.overrides(function):
        found = _handed(override, position, keyword, project, awaited, seen | {here})
        worst = max(worst, found, key=lambda one: one.fate)
    for definition in project.symbols.functions(function.module, function.qualname):
        decorated = _decorated(definition, function, project)
        worst = max(worst, decorated, key=lambda one: one.fate)
        name = parameter_name(definition, function, position, keyword)
        if name is None:
            return Handed(
                Fate.CAPTURED, Fact(function.module, definition.line, f"{definition.name}() takes it in bulk")
            )
        key = (function.module, function.qualname, name)
        use = next((use for use in definition.uses if use.name == name), None)
        if use is None or key in seen:
            continue
        worst = max(worst, _used(definition, function, use, project, seen | {key}), key=lambda one: one.fate)
    return worst


def constructed(class_: ClassMeaning, position: int | None, keyword: str | None, project: Project) -> Handed:
    """What making an object of the class does with an argument beyond holding it: what its `__init__` starts."""
    for base in project.bases(class_):
        if not isinstance(base, ClassMeaning):
            continue
        init = FunctionMeaning(base.module, f"{base.qualname}.__init__", bound=True)
        for definition in project.symbols.functions(init.module, init.qualname):
            fact = Fact(init.module, definition.line, f"{base.qualname}() starts something that runs later")
            if starts_later(init, project):
                return Handed(Fate.SCHEDULED, fact)
            name = parameter_name(definition, init, position, keyword)
            receiver = definition.parameters[0].name if definition.parameters else ""
            worst = Handed(Fate.USED)
            for use in definition.uses:
                if use.name == name and use.kept and use.kept_by_self:
                    continue  # an object that holds it, which is followed where it is made
                if use.name == receiver:
                    use = replace(use, kept=0, captured=0, returned=0)
                if use.name in (name, receiver):
                    worst = max(worst, _used(definition, init, use, project, frozenset()), key=lambda one: one.fate)
            return worst
    return Handed(Fate.USED)


def holds(class_: ClassMeaning, position: int | None, keyword: str | None, project: Project) -> bool:
    """Whether an object of the class keeps the argument that it is made with; also when that cannot be seen."""
    for base in project.bases(class_):
        if isinstance(base, ClassMeaning):
            init = FunctionMeaning(base.module, f"{base.qualname}.__init__", bound=True)
            for definition in project.symbols.functions(init.module, init.qualname):
                name = parameter_name(definition, init, position, keyword)
                return any(use.name == name and (use.kept or use.captured or use.passed) for use in definition.uses)
    return True  # a dataclass, or a base that is not in view


def starts_later(function: FunctionMeaning, project: Project, seen: frozenset[str] = frozenset()) -> int:
    """The line on which a function, or a method of its own object that it calls, starts something to run later."""
    key = f"{function.module}:{function.qualname}"
    if key in seen:
        return 0
    for definition in project.symbols.functions(function.module, function.qualname):
        if definition.suspected_later:
            return definition.suspected_later
        receiver = definition.parameters[0].name if definition.in_class and definition.parameters else ""
        for use in definition.uses:
            for method in use.methods if use.name == receiver else ():
                owner = InstanceMeaning(ClassMeaning(function.module, definition.in_class))
                called = project.attribute(owner, method, Place(function.module, function.qualname))
                if isinstance(called, FunctionMeaning) and (line := starts_later(called, project, seen | {key})):
                    return line
    return 0


def _decorated(definition: FunctionFacts, function: FunctionMeaning, project: Project) -> Handed:
    """What a decorator may do with the arguments: one of the project that schedules is as bad as a task."""
    worst = Handed(Fate.USED)
    outside = Place(function.module, definition.parent)
    for decorator in definition.decorators:
        callee = decorator.function if isinstance(decorator, Call) else decorator
        means = project.meaning(callee, outside)
        if isinstance(means, External) and means.dotted.removeprefix("builtins.") in TRANSPARENT_DECORATORS:
            continue
        if isinstance(means, External) and means.dotted in CONTEXT_MANAGERS:
            continue
        if project.hands_back(decorator, definition, outside):
            continue
        fact = Fact(function.module, definition.line, f"{definition.name}() is decorated with {last_name(callee)}")
        later = isinstance(means, FunctionMeaning) and any(
            one.suspected_later for one in project.symbols.functions(means.module, means.qualname)
        )
        worst = max(worst, Handed(Fate.SCHEDULED if later else Fate.UNKNOWN, fact), key=lambda one: one.fate)
    return worst


def _used(
    definition: FunctionFacts,
    function: FunctionMeaning,
    use: ParameterUse,
    project: Project,
    seen: frozenset[tuple[str, str, str]],
) -> Handed:
    path, name = function.module, definition.name
    if use.kept:
        return Handed(Fate.KEPT, Fact(path, use.kept, f"{name}() stores it"))
    if use.captured:
        return Handed(Fate.CAPTURED, Fact(path, use.captured, f"a function inside {name}() holds on to it"))
    if use.aliased:
        return Handed(Fate.CAPTURED, Fact(path, use.aliased, f"{name}() gives it a second name"))
    worst = Handed(Fate.USED)
    if use.returned or use.yielded:
        worst = Handed(Fate.IN_RESULT, Fact(path, use.returned or use.yielded, f"{name}() gives it back"))
    for passed in use.passed:
        worst = max(worst, _passed(passed, function, definition, project, seen), key=lambda one: one.fate)
    return worst


def _passed(
    passed: Passed,
    function: FunctionMeaning,
    definition: FunctionFacts,
    project: Project,
    seen: frozenset[tuple[str, str, str]],
) -> Handed:
    place = Place(function.module, function.qualname)
    called = project.meaning(passed.function, place)
    name = dotted(passed.function) or last_name(passed.function)
    fact = Fact(function.module, passed.line, f"{definition.name}() hands it to {name}()")
    for function_around in (passed.function, *passed.around):
        means = called if function_around is passed.function else project.meaning(function_around, place)
        if runs_later(means, last_name(function_around), passed.awaited, project):
            return Handed(Fate.SCHEDULED, fact)
        if last_name(function_around) in KEEPING and not isinstance(means, FunctionMeaning):
            owner = getattr(function_around, "value", None)
            if owner is None or not isinstance(project.meaning(owner, place), SessionMeaning):
                return Handed(Fate.KEPT, fact)
    if last_name(passed.function) in TAKING - KEEPING and not isinstance(called, FunctionMeaning):
        return Handed(Fate.UNKNOWN, fact)
    if isinstance(called, External) and called.dotted in ("functools.partial", "builtins.setattr"):
        return Handed(Fate.CAPTURED, fact)
    if passed.result_kept and not isinstance(called, FunctionMeaning):
        return Handed(Fate.SCHEDULED if definition.suspected_later else Fate.KEPT, fact)
    if isinstance(called, FunctionMeaning):
        following = project.symbols.functions(called.module, called.qualname)
        if any(one.is_async or one.is_generator for one in following) and not passed.awaited:
            return Handed(Fate.UNKNOWN, fact)
        return _handed(called, passed.position, passed.keyword, project, passed.awaited, seen)
    if isinstance(called, ClassMeaning):
        built = constructed(called, passed.position, passed.keyword, project)
        if built.fate > Fate.IN_RESULT:
            return built
        result = project.called(function)
        if isinstance(result, CoroutineMeaning):
            result = result.value
        if isinstance(result, InstanceMeaning):
            return Handed(Fate.IN_RESULT, fact)
        return Handed(Fate.USED)
    if isinstance(called, UnknownMeaning) and not passed.awaited:
        return Handed(Fate.UNKNOWN, fact)
    return Handed(Fate.USED)
