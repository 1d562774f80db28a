"""Whether a function may keep what it takes out of an argument: an item of a list, the session of a repository. Pure.

The facts tell what becomes of the argument itself (`keeping`), and of what is reached from it (`parts_taken`).
"""

from __future__ import annotations

from codemods.project.expressions import dotted, last_name
from codemods.project.facts import Attribute, Expression, FunctionFacts, Name, PartTaken
from codemods.project.keeping import Fate, handed, parameter_name
from codemods.project.keeping_methods import TAKING
from codemods.project.link import Place, Project
from codemods.project.parts_taken import ITEM
from codemods.project.sessions import (
    ClassMeaning,
    FunctionMeaning,
    InstanceMeaning,
    NothingMeaning,
    SessionMeaning,
    UnknownMeaning,
)


def may_keep_part(
    function: FunctionMeaning,
    position: int | None,
    keyword: str | None,
    project: Project,
    *,
    contained: bool,
    seen: frozenset[FunctionMeaning] = frozenset(),
) -> bool:
    """Whether something of the argument at this position, or of this keyword, may be kept when the call is over.

    `contained`: the argument is a container, or an object, of what holds a session; else it holds the session itself.
    """
    if function in seen:
        return False
    for one in [function, *project.overrides(function)]:
        for definition in project.symbols.functions(one.module, one.qualname):
            name = parameter_name(definition, one, position, keyword)
            if name is not None and _keeps(definition, one, name, project, contained, seen | {function}):
                return True
    return False


def keeps_own_object(method: FunctionMeaning, project: Project) -> bool:
    """Whether a method stores its own object, or the session in it, elsewhere: `unit.session = self.session`."""
    for one in [method, *project.overrides(method)]:
        for definition in project.symbols.functions(one.module, one.qualname):
            if not definition.in_class or not definition.parameters:
                continue
            receiver = definition.parameters[0].name
            if _keeps(definition, one, receiver, project, False, frozenset({method})):
                return True
            use = next((use for use in definition.uses if use.name == receiver), None)
            if use is None:
                continue
            given_to = [passed.function for passed in use.passed if last_name(passed.function) in TAKING]
            if use.kept and not use.kept_by_self:
                return True
            if any(dotted(one).partition(".")[0] != receiver for one in given_to):
                return True
    return False


def _keeps(
    definition: FunctionFacts,
    function: FunctionMeaning,
    name: str,
    project: Project,
    contained: bool,
    seen: frozenset[FunctionMeaning],
) -> bool:
    place = Place(function.module, function.qualname)
    for part in definition.parts_taken:
        if part.parameter != name or not _may_hold(part, place, project, contained):
            continue
        if part.function is None:
            return True
        called = project.meaning(part.function, place)
        if isinstance(called, FunctionMeaning):
            if handed(called, part.position, part.keyword, project).fate >= Fate.CAPTURED:
                return True
    use = next((use for use in definition.uses if use.name == name), None)
    for passed in use.passed if use is not None else ():
        called = project.meaning(passed.function, place)
        if isinstance(called, FunctionMeaning):
            if may_keep_part(called, passed.position, passed.keyword, project, contained=contained, seen=seen):
                return True
    return False


def _may_hold(part: PartTaken, place: Place, project: Project, contained: bool) -> bool:
    """Whether the part may be the session, or hold it."""
    if ITEM in part.path:
        behind = part.path[len(part.path) - part.path[::-1].index(ITEM) :]
        return contained and (not behind or _is_session_like(behind[-1]))
    node: Expression = Name(part.parameter)
    for attribute in part.path:
        node = Attribute(node, attribute)
        if isinstance(project.meaning(node, place), SessionMeaning):
            return True  # `repo.session`, and `repo.session.commit`
    match project.meaning(node, place):
        case FunctionMeaning():
            return True
        case InstanceMeaning(of=ClassMeaning()):
            return contained
        case UnknownMeaning() | NothingMeaning():
            return contained or any(_is_session_like(one) for one in part.path)
        case _:
            return False


def _is_session_like(name: str) -> bool:
    """`session`, `_db_session`, `db`: called as sessions are."""
    return name.lower().rstrip("_").endswith("session") or name.strip("_") == "db"
