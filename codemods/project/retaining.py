"""Whether a function that gives back a session may leave it with someone else, too. Asks the project; pure."""

from __future__ import annotations

from dataclasses import replace

from codemods.project.expressions import is_logging, last_name
from codemods.project.facts import Attribute, Call, Expression, FunctionFacts, Name, Passed
from codemods.project.keeping import Fate, constructed, handed, parameter_name
from codemods.project.keeping_methods import TAKING
from codemods.project.link import Place, Project
from codemods.project.sessions import ClassMeaning, External, FunctionMeaning, SessionMeaning

# builtins that look at a value and let go of it; what `setattr` is given first it only changes
_LOOKING = frozenset(
    {"print", "repr", "str", "id", "type", "isinstance", "hasattr", "getattr", "bool", "hash", "vars", "super"}
)
_FIRST_ONLY = frozenset({"builtins.setattr", "builtins.delattr", "builtins.object.__setattr__"})


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
        if project.symbols.functions(base.module, f"{base.qualname}.__new__") or _is_called_otherwise(base, project):
            return True  # it may give one that was made before
        if _hands_itself_on(base, "__init__", class_, project, set()):
            return True
    return False


def _is_called_otherwise(class_: ClassMeaning, project: Project) -> bool:
    """Whether a metaclass of the project says what calling the class does."""
    facts = project.symbols.class_(class_.module, class_.qualname)
    place = Place(class_.module, class_.qualname.rpartition(".")[0])
    for written in (value for key, value in facts.keywords if key == "metaclass") if facts is not None else ():
        metaclass = project.meaning(written, place)
        for one in project.bases(metaclass) if isinstance(metaclass, ClassMeaning) else ():
            if isinstance(one, ClassMeaning) and project.symbols.functions(one.module, f"{one.qualname}.__call__"):
                return True
    return False


def _hands_itself_on(owner: ClassMeaning, method: str, class_: ClassMeaning, project: Project, seen: set[str]) -> bool:
    """Whether a method that runs while the object is made, or one that it calls, stores it or hands it on."""
    seen.add(f"{owner.module}:{owner.qualname}.{method}")
    for definition in project.symbols.functions(owner.module, f"{owner.qualname}.{method}"):
        receiver = definition.parameters[0].name if definition.parameters else ""
        place = Place(owner.module, definition.qualname)
        for use in definition.uses:
            if use.name != receiver:
                continue
            if (use.kept and not use.kept_by_self) or use.aliased:
                return True
            if use.captured and not _only_listens(definition, receiver, place, project):
                return True
            helpers = _made_for_itself(definition, receiver, place, project)
            for one in use.passed:
                if one.function in helpers:
                    helpers.remove(one.function)
                    one = replace(one, result_kept=False)
                if not _makes(one, place, project) and _keeps(one, place, project, frozenset()):
                    return True
            for called in use.methods:
                for base in project.bases(class_):
                    if isinstance(base, ClassMeaning) and f"{base.module}:{base.qualname}.{called}" not in seen:
                        if _hands_itself_on(base, called, class_, project, seen):
                            return True
    return False


def _makes(passed: Passed, place: Place, project: Project) -> bool:
    """`Base.__init__(self, bind)`: it goes on being made; where that is in view it is looked into."""
    if passed.position != 0 or last_name(passed.function) != "__init__":
        return False
    return not isinstance(project.meaning(passed.function, place), FunctionMeaning)


def _made_for_itself(definition: FunctionFacts, receiver: str, place: Place, project: Project) -> list[Expression]:
    """What a method makes with its own object, and keeps on that alone: `self.users = UserRepo(self)`."""
    class_ = project.symbols.class_(place.path, definition.in_class)
    return [
        one.value.function
        for one in (class_.attributes if class_ is not None else ())
        if one.method == definition.qualname and isinstance(one.value, Call)
        if Name(receiver) in [*one.value.arguments, *(value for _, value in one.value.keywords)]
    ]


def _only_listens(definition: FunctionFacts, receiver: str, place: Place, project: Project) -> bool:
    """Whether the functions in a method only hold on to its object as listeners of that: `@listens_for(self, ...)`."""
    nested = [one for one in project.symbols.all_functions(place.path) if one.parent == definition.qualname]
    if not nested or definition.calls & TAKING:
        return False
    return all(any(_listens_to(one, receiver, place, project) for one in each.decorators) for each in nested)


def _listens_to(decorator: Expression, receiver: str, place: Place, project: Project) -> bool:
    if not isinstance(decorator, Call) or not decorator.arguments:
        return False
    called = project.meaning(decorator.function, place)
    target = decorator.arguments[0]
    return (
        isinstance(called, External)
        and called.dotted.startswith("sqlalchemy.")
        and called.dotted.endswith(".listens_for")
        and target in (Name(receiver), Attribute(Name(receiver), "sync_session"))
    )


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
