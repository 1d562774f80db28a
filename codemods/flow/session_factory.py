"""Which factory stands behind a session that a function has, however it came by it. Asks the project; pure."""

from __future__ import annotations

import ast

from codemods.flow.factory_search import Factory as Factory
from codemods.flow.factory_search import Search, Untold
from codemods.flow.objects.record import Session
from codemods.flow.only_factory import NO_FACTORY, only_factory
from codemods.flow.scope import Scope
from codemods.project.expressions import dotted
from codemods.project.link import Place, Project
from codemods.project.openers import Customs
from codemods.project.sessions import FunctionMeaning, SessionMeaning


def factory_behind(scope: Scope, session: Session, customs: Customs) -> Factory | str:
    """The factory of a session of this function; else why it cannot be told, a clause."""
    name = session.name or ast.unparse(session.node)
    try:
        found = Search(scope.project, customs).of(scope, session)
    except Untold as untold:
        return f"it cannot be told which factory makes `{name}`: {untold}"
    if found.is_async != session.is_async:
        return (
            f"it cannot be told which factory makes `{name}`: `{dotted(found.callee)}` makes sessions of another kind"
        )
    return found


def factory_given_to(function: FunctionMeaning, project: Project, customs: Customs) -> Factory | str:
    """The factory of the session that `Depends` gives a function, `get_current_user()`; else why it cannot be told.

    For an entity that a dependency gives: the session that it belongs to is the dependency's.
    """
    definitions = project.symbols.functions(function.module, function.qualname)
    place = Place(function.module, function.qualname)
    parameters = definitions[0].parameters if len(definitions) == 1 else ()
    meanings = [(parameter, project.name(parameter.name, place)) for parameter in parameters]
    sessions = [(parameter, means) for parameter, means in meanings if isinstance(means, SessionMeaning)]
    if len(sessions) == 1:
        parameter, session = sessions[0]
        try:
            return Search(project, customs).given(parameter, place, is_async=session.is_async)
        except Untold as untold:
            return f"it cannot be told which factory makes `{parameter.name}`: {untold}"
    return f"it cannot be told which session `{function.qualname.rpartition('.')[2]}()` loads it in"


def sole_factory(project: Project, customs: Customs) -> Factory | str:
    """The only factory of the project, for what nothing says where it comes from; else why there is none."""
    told = [only_factory(project, is_async=is_async) for is_async in (True, False)]
    kinds = [is_async for is_async, one in zip((True, False), told, strict=True) if one != NO_FACTORY]
    if len(kinds) != 1:
        return f"it cannot be told which factory is meant: {'there are several' if kinds else NO_FACTORY}"
    try:
        return Search(project, customs).only(kinds[0])
    except Untold as untold:
        return f"it cannot be told which factory is meant: {untold}"
