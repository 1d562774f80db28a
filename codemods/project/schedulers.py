"""What runs a callable later, out of sight of the block that hands it its arguments. Asks the project; pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from weakref import WeakKeyDictionary

from codemods.project.expressions import last_name
from codemods.project.facts import (
    Attribute,
    Awaited,
    Call,
    Either,
    Entered,
    Expression,
    FunctionFacts,
    HandedOn,
    Literal,
    ModuleFacts,
    Name,
    Passed,
)
from codemods.project.link import Place, Project
from codemods.project.scheduler_names import (
    ACTOR_METHODS,
    BY_NAME,
    DECLARED,
    FUNCTIONS,
    METHODS,
    OBJECTS,
    QUEUES,
    SUSPECTED,
    TASK_METHODS,
    Form,
    Kind,
    Runner,
)
from codemods.project.sessions import (
    ClassMeaning,
    External,
    FunctionMeaning,
    InstanceMeaning,
    Meaning,
    ModuleMeaning,
    UnknownMeaning,
)

_SCHEDULERS = frozenset(
    {
        "asyncio.create_task",
        "asyncio.ensure_future",
        "asyncio.run_coroutine_threadsafe",
        "asyncio.tasks.create_task",
        "asyncio.Task",
        "asyncio.TaskGroup().create_task",
        "anyio.create_task_group().start_soon",
        "concurrent.futures.ThreadPoolExecutor().submit",
        "concurrent.futures.ProcessPoolExecutor().submit",
        "multiprocessing.Process",
        "threading.Thread",
        "threading.Timer",
        "fastapi.BackgroundTasks().add_task",
        "fastapi.background.BackgroundTasks().add_task",
        "starlette.background.BackgroundTask",
        "starlette.background.BackgroundTasks",
        "starlette.background.BackgroundTasks().add_task",
    }
)
_DEPTH = 5  # how many names, or functions that hand on, are followed
# what is known of the functions of a project: one function is asked for wherever it is called
_KNOWN: WeakKeyDictionary[Project, dict[tuple[FunctionMeaning, int], Runner | None]] = WeakKeyDictionary()
_WORDS: WeakKeyDictionary[Project, tuple[int, frozenset[str]]] = WeakKeyDictionary()
_LAST_NAMES = (
    SUSPECTED
    | frozenset(BY_NAME)
    | {dotted.rpartition(".")[2] for dotted in FUNCTIONS}
    | {method for _, method in METHODS}
)


def runs_later(called: Meaning, last_name: str, awaited: bool, project: Project) -> str:
    """How a called thing runs its arguments later: "task" when proved, "suspected" by an unresolved name, "" when not.

    `last_name` is the last name of the called expression. An awaited `run_in_executor` or `to_thread` is sequential.
    """
    if isinstance(called, External):
        if called.dotted in _SCHEDULERS or called.dotted in project.schedulers:
            return "task"
        return "suspected" if last_name in SUSPECTED and not awaited else ""
    if isinstance(called, FunctionMeaning):
        return "task" if project.dotted(called) in project.schedulers else ""
    if isinstance(called, UnknownMeaning) and last_name in SUSPECTED and not awaited:
        return "suspected"
    return ""


def runner(called: Expression, means: Meaning, place: Place, project: Project) -> Runner | None:
    """What the called thing runs later, and how it is called; None when nothing says that it runs anything.

    `called` is the called expression, `means` what that means at `place`. What the project defines itself is a
    scheduler only when it hands on to one; what only goes by such a name is not proved.
    """
    return _runner(called, means, place, project, _DEPTH)


def handing_names(project: Project) -> frozenset[str]:
    """The names of the functions of the project that hand on what they are given, with its arguments."""
    every = (one for facts in project.symbols.facts.values() for one in facts.functions)
    return frozenset(one.name for one in every if one.hands_on is not None and one.suspected_later)


def scheduler_words(project: Project) -> frozenset[str]:
    """The last names by which anything can be called that runs something later: those of the tables, of what the
    settings name, and of the project's own functions that may hand something on to one of these."""
    count = len(project.symbols.facts)
    known = _WORDS.get(project)
    if known is None or known[0] != count:
        first = set(_LAST_NAMES) | {one.rpartition(".")[2] for one in project.schedulers}
        seen, found = (0, first) if known is None else (known[0], set(known[1]))
        every = list(project.symbols.facts.values())
        # files are only ever added: where those that came since then bring no new name, the others need no look
        if _have_grown(found, every[seen:]):
            while _have_grown(found, every):
                pass
        known = _WORDS[project] = (count, frozenset(found))
    return known[1]


def _have_grown(words: set[str], files: Iterable[ModuleFacts]) -> bool:
    """Adds the names of the functions that may hand something on to what goes by one of the words: whether any came."""
    size = len(words)
    for facts in files:
        if not facts.calls.isdisjoint(words):
            words |= {one.name for one in facts.functions if one.hands_on is not None or one.suspected_later}
            words |= {one.name for one in facts.functions if _passes_on(one, words)}
    return len(words) > size


def _passes_on(function: FunctionFacts, words: set[str]) -> bool:
    """Whether the function hands a parameter to something that goes by one of the names."""
    return not function.calls.isdisjoint(words) and any(
        last_name(callee) in words
        for use in function.uses
        for passed in use.passed
        for callee in (passed.function, *passed.around)
    )


def _runner(called: Expression, means: Meaning, place: Place, project: Project, depth: int) -> Runner | None:
    match means:
        case External(dotted=dotted):
            found = DECLARED if dotted in project.schedulers else FUNCTIONS.get(dotted)
            if found is None:
                owner, _, method = dotted.rpartition("().")
                found = METHODS.get((OBJECTS.get(owner, ""), method))
                return found or _by_name(called)
            return found
        case FunctionMeaning():
            if project.dotted(means) in project.schedulers:
                return DECLARED
            return _handing_on(means, project, depth)
        case ClassMeaning():
            return _subclass(means, project)
        case UnknownMeaning():
            return _of_object(called, place, project) or _by_name(called)
        case _:
            return None


def _by_name(called: Expression) -> Runner | None:
    found = BY_NAME.get(last_name(called))
    return None if found is None else replace(found, proved=False)


def _subclass(class_: ClassMeaning, project: Project) -> Runner | None:
    """`class Mailing(BackgroundTask)`, as long as it is made like one."""
    for base in project.bases(class_):
        if isinstance(base, External) and base.dotted in FUNCTIONS:
            return FUNCTIONS[base.dotted]
        if isinstance(base, ClassMeaning) and project.symbols.functions(base.module, f"{base.qualname}.__init__"):
            return None
    return None


def _of_object(called: Expression, place: Place, project: Project) -> Runner | None:
    if not isinstance(called, Attribute):
        return None
    owner = project.meaning(called.value, place)
    if isinstance(owner, FunctionMeaning):
        return _of_task(owner, called.name, project)
    return METHODS.get((object_kind(called.value, place, project), called.name))


def _of_task(function: FunctionMeaning, method: str, project: Project) -> Runner | None:
    """`send_mail.delay(...)`: a function of the project that a decorator has made a task of a queue."""
    for definition in project.symbols.functions(function.module, function.qualname):
        outside = Place(function.module, definition.parent)
        for decorator in definition.decorators:
            callee = decorator.function if isinstance(decorator, Call) else decorator
            means = project.meaning(callee, outside)
            dotted = means.dotted if isinstance(means, External) else ""
            methods = ACTOR_METHODS if last_name(callee) == "actor" else TASK_METHODS
            if method in methods:
                return replace(methods[method], proved=dotted.startswith(tuple(f"{queue}." for queue in QUEUES)))
    return replace(TASK_METHODS[method], proved=False) if method in TASK_METHODS else None


def object_kind(node: Expression, place: Place, project: Project, depth: int = _DEPTH) -> str:
    """What kind of scheduling object the expression gives, as `OBJECTS` names them; "" when it cannot be told.

    Followed are names and attributes to what they are bound to: `loop = asyncio.get_running_loop()`, `async with
    asyncio.TaskGroup() as group`. All bindings of a name have to agree.
    """
    match project.meaning(node, place):
        case InstanceMeaning(of=External(dotted=dotted)):
            return OBJECTS.get(dotted, "")
        case InstanceMeaning(of=ClassMeaning() as class_):
            outside = [base.dotted for base in project.bases(class_) if isinstance(base, External)]
            return next((OBJECTS[dotted] for dotted in outside if dotted in OBJECTS), "")
        case UnknownMeaning():
            return _bound_kind(node, place, project, depth - 1) if depth else ""
        case _:
            return ""


def _bound_kind(node: Expression, place: Place, project: Project, depth: int) -> str:
    match node:
        case Call(function=function):
            means = project.meaning(function, place)
            return OBJECTS.get(means.dotted, "") if isinstance(means, External) else ""
        case Awaited(value=value) | Entered(value=value):
            return object_kind(value, place, project, depth)
        case Either(options=options):
            return _agreed(options, place, project, depth)
        case Name(id=name):
            return _name_kind(name, place, project, depth)
        case Attribute(value=value, name=name):
            match project.meaning(value, place):
                case ModuleMeaning(module=path):
                    return _agreed(project.symbols.binding(path, name), Place(path), project, depth)
                case InstanceMeaning(of=ClassMeaning() as class_):
                    return _attribute_kind(class_, name, project, depth)
    return ""


def _name_kind(name: str, place: Place, project: Project, depth: int) -> str:
    """By what the innermost function that binds the name binds it to, else the module, else what is imported."""
    qualname = place.qualname
    while qualname:
        for function in project.symbols.functions(place.path, qualname):
            if any(parameter.name == name for parameter in function.parameters):
                return ""
            values = next((one.values for one in function.bindings if one.name == name), ())
            if values:
                return _agreed(values, Place(place.path, qualname), project, depth)
        qualname = qualname.rpartition(".")[0]
    values = project.symbols.binding(place.path, name)
    for imported in project.symbols.imports(place.path, "", name) if not values else ():
        path = project.symbols.module_path(imported.module, place.path)
        if path is not None and imported.attribute is not None:
            return _agreed(project.symbols.binding(path, imported.attribute), Place(path), project, depth)
    return _agreed(values, Place(place.path), project, depth)


def _attribute_kind(class_: ClassMeaning, name: str, project: Project, depth: int) -> str:
    """`self.loop`, by what the methods of the class set it to."""
    for base in project.bases(class_):
        facts = project.class_facts(base) if isinstance(base, ClassMeaning) else None
        if isinstance(base, ClassMeaning) and facts is not None:
            kinds = {
                object_kind(one.value, Place(base.module, one.method or base.qualname), project, depth)
                for one in facts.attributes
                if one.name == name and one.value != Literal(None)
            }
            if kinds:
                return kinds.pop() if len(kinds) == 1 else ""
    return ""


def _agreed(values: tuple[Expression, ...], place: Place, project: Project, depth: int) -> str:
    kinds = {object_kind(one, place, project, depth) for one in values if one != Literal(None)}
    return kinds.pop() if len(kinds) == 1 else ""


# --- functions of the project that hand on ---------------------------------------------------------------------


def _handing_on(function: FunctionMeaning, project: Project, depth: int) -> Runner | None:
    known = _KNOWN.setdefault(project, {})
    key = (function, depth)
    if key not in known:
        known[key] = _look_for_handing_on(function, project, depth)
    return known[key]


def _look_for_handing_on(function: FunctionMeaning, project: Project, depth: int) -> Runner | None:
    definitions = project.symbols.functions(function.module, function.qualname)
    if depth == 0 or len(definitions) != 1 or project.overrides(function):
        return None
    [definition] = definitions
    if definition.hands_on is not None:
        found = handing_runner(function, definition.hands_on, project, depth)
        if found is not None:
            return found
    place = Place(function.module, function.qualname)
    for use in definition.uses:
        for passed in use.passed:
            found = _runner(passed.function, project.meaning(passed.function, place), place, project, depth=depth - 1)
            if found is not None and _is_target(passed, found):
                return _like(found, use.name, definition, function)
    return _calling_on(definition, function)


def _is_target(passed: Passed, found: Runner) -> bool:
    """Whether the parameter goes where the scheduler takes what it runs, and nobody waits for that."""
    if passed.awaited and (found.awaitable or found.form is Form.GATHERED):
        return False
    if passed.position is not None and passed.position == found.target:
        return found.form in (Form.CALLABLE, Form.COROUTINE)
    return passed.keyword is not None and passed.keyword == found.target_keyword


def _like(found: Runner, name: str, definition: FunctionFacts, function: FunctionMeaning) -> Runner | None:
    """A function that takes its callable as the parameter `name`, as something of the same kind.

    A coroutine carries its arguments with it. How a callable meets its arguments is not in the summary of the
    function, so that is proved only by who reads the function itself (`handing_on`).
    """
    position = _position(definition, function, name)
    if position is None:
        return None
    if found.form is Form.COROUTINE:
        proved = found.proved and not definition.decorators
        return Runner(found.kind, Form.COROUTINE, position, name, position + 1, proved=proved)
    return replace(_callable(definition, position, name, found.kind), proved=False)


def _calling_on(definition: FunctionFacts, function: FunctionMeaning) -> Runner | None:
    """`def later(f, *args)` with a call in it that by its name runs things later: `create_task(f(*args))`, perhaps."""
    positional = [one for one in definition.parameters if one.kind == "positional"]
    takes_all = any(one.kind == "*" for one in definition.parameters)
    if not definition.suspected_later or not takes_all or not positional:
        return None
    position = _position(definition, function, positional[-1].name)
    if position is None or position < 0:
        return None
    return replace(_callable(definition, position, positional[-1].name, Kind.TASK), proved=False)


def handing_runner(function: FunctionMeaning, told: HandedOn, project: Project, depth: int = _DEPTH) -> Runner | None:
    """The runner that a function is which hands its callable, `*args` and `**kwargs` on as `told` says; None when
    where they go is no scheduler, or the function may be another one."""
    definitions = project.symbols.functions(function.module, function.qualname)
    if len(definitions) != 1 or definitions[0].decorators or project.overrides(function):
        return None
    place = Place(function.module, function.qualname)
    inner = _runner(told.scheduler, project.meaning(told.scheduler, place), place, project, depth - 1)
    form = Form.COROUTINE if told.called else Form.CALLABLE
    if inner is None or not inner.proved or inner.form is not form or inner.target != told.position:
        return None
    position = _position(definitions[0], function, told.parameter)
    return None if position is None else _callable(definitions[0], position, told.parameter, inner.kind)


def _callable(definition: FunctionFacts, position: int, name: str, kind: Kind) -> Runner:
    positional = [one for one in definition.parameters if one.kind == "positional"]
    behind = [one.name for one in positional][[one.name for one in positional].index(name) + 1 :]
    own = frozenset(one.name for one in definition.parameters if one.kind in ("positional", "keyword"))
    return Runner(kind, Form.CALLABLE, position, name, position + 1 + len(behind), own - {name})


def _position(definition: FunctionFacts, function: FunctionMeaning, name: str) -> int | None:
    positional = [one.name for one in definition.parameters if one.kind == "positional"]
    if name not in positional:
        return None
    position = positional.index(name) - (1 if function.bound else 0)
    return position if position >= 0 else None
