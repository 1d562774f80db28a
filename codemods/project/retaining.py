"""Whether a function that gives back a session may leave it with someone else, too. Asks the project; pure."""

from __future__ import annotations

from codemods.project.expressions import is_logging, last_name
from codemods.project.facts import Expression, FunctionFacts, Name, Passed
from codemods.project.keeping import TAKING, Fate, constructed, handed, parameter_name
from codemods.project.link import Place, Project
from codemods.project.sessions import ClassMeaning, External, FunctionMeaning, SessionMeaning

# builtins that look at a value and let go of it; what `setattr` is given first it only changes
_LOOKING = frozenset({"print", "repr", "str", "id", "type", "isinstance", "hasattr", "getattr", "bool", "hash", "vars"})
_FIRST_ONLY = frozenset({"builtins.setattr", "builtins.delattr"})
# what the making of a session hands itself to without leaving it there
_MAKING = _LOOKING | {"super", "setattr", "delattr", "__init__", "__setattr__", "listen"}


def retains(definition: FunctionFacts, place: Place, project: Project) -> bool:
    """Whether a session that the function returns or yields may be held by something else when it is back.

    Also where that cannot be seen: it is handed to something that is not in view.
    """
    for given in definition.given_back:
        if isinstance(project.meaning(Name(given.name), place), SessionMeaning):
            if given.kept or any(_keeps(passed, place, project, frozenset()) for passed in given.passed):
                return True
    return False


def leaves_itself(class_: ClassMeaning, project: Project) -> bool:
    """Whether a session class of the project, when one is made, may leave it with something else: a registry.

    Looks at what the project writes, and asks what nothing means: what a session is made of is asked on the way here.
    """
    for base in project.bases(class_):
        if not isinstance(base, ClassMeaning):
            continue
        if project.symbols.functions(base.module, f"{base.qualname}.__new__"):
            return True  # it may give one that was made before
        if _hands_itself_on(base, "__init__", class_, project, set()):
            return True
    return False


def _hands_itself_on(owner: ClassMeaning, method: str, class_: ClassMeaning, project: Project, seen: set[str]) -> bool:
    """Whether a method that runs while the object is made, or one that it calls, stores it or hands it on."""
    seen.add(f"{owner.module}:{owner.qualname}.{method}")
    for definition in project.symbols.functions(owner.module, f"{owner.qualname}.{method}"):
        receiver = definition.parameters[0].name if definition.parameters else ""
        for use in definition.uses:
            if use.name != receiver:
                continue
            if (use.kept and not use.kept_by_self) or use.captured or use.aliased:
                return True
            if any(last_name(one.function) not in _MAKING and not is_logging(one.function) for one in use.passed):
                return True
            for called in use.methods:
                for base in project.bases(class_):
                    if isinstance(base, ClassMeaning) and f"{base.module}:{base.qualname}.{called}" not in seen:
                        if _hands_itself_on(base, called, class_, project, seen):
                            return True
    return False


def _keeps(passed: Passed, place: Place, project: Project, seen: frozenset[FunctionMeaning]) -> bool:
    called = project.meaning(passed.function, place)
    if _lets_go(passed.function, called):
        return False
    goes_on = passed.result_kept or any(
        not _lets_go(around, project.meaning(around, place)) for around in passed.around
    )
    match called:
        case External(dotted=dotted) if dotted in _FIRST_ONLY:
            return passed.position != 0
        case External(dotted=dotted) if dotted.startswith("sqlalchemy.") and last_name(passed.function) not in TAKING:
            return goes_on or last_name(passed.function)[:1].isupper()
        case FunctionMeaning():
            following = project.symbols.functions(called.module, called.qualname)
            if not passed.awaited and any(one.is_async or one.is_generator for one in following):
                return True  # it runs later, whoever awaits it
            fate = handed(called, passed.position, passed.keyword, project, passed.awaited).fate
            if fate is Fate.UNKNOWN and called not in seen:
                return not _only_looks(called, passed, project, seen | {called})
            return fate >= Fate.UNKNOWN or (fate is Fate.IN_RESULT and goes_on)
        case ClassMeaning():
            return goes_on or constructed(called, passed.position, passed.keyword, project).fate >= Fate.UNKNOWN
        case _:
            return True


def _only_looks(function: FunctionMeaning, passed: Passed, project: Project, seen: frozenset[FunctionMeaning]) -> bool:
    """Whether what a function hands the argument on to, though it is not in view, is known to let go of it: a log."""
    if project.overrides(function):
        return False
    for definition in project.symbols.functions(function.module, function.qualname):
        name = parameter_name(definition, function, passed.position, passed.keyword)
        use = next((one for one in definition.uses if one.name == name), None)
        if definition.decorators or name is None or (use is not None and (use.returned or use.yielded)):
            return False
        place = Place(function.module, function.qualname)
        if use is not None and any(_keeps(one, place, project, seen) for one in use.passed):
            return False
    return True


def _lets_go(callee: Expression, called: object) -> bool:
    """Whether not even what the call gives holds the argument any more."""
    if isinstance(called, External) and called.dotted.removeprefix("builtins.") in _LOOKING:
        return True
    return is_logging(callee) or (isinstance(called, External) and called.dotted.startswith("logging."))
