"""What was decided of one call: it can be changed, or why not. Values only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from codemods.flow.session_factory import Factory
from codemods.flow.tasks.carried import Given, Site
from codemods.project.sessions import FunctionMeaning

BY_ID = "give it the id, and let it open a session of its own"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a place is left alone, and what to do by hand."""

    reason: str
    advice: str = BY_ID
    leaves_unsaved: bool = False  # the task changes what it gets, and somebody else has to commit that


@dataclass(frozen=True, slots=True, eq=False)
class Accepted:
    """A call whose session and entities can be replaced. `carried` says by the name of the task's parameter what goes
    there; `plain` are the parameters that get anything else. `assumed` are reasons for a person to look."""

    site: Site
    function: FunctionMeaning
    carried: Mapping[str, Given]
    plain: frozenset[str]
    factory: Factory | None  # None: nothing needs a session
    assumed: tuple[str, ...] = ()
    needs: tuple[tuple[str, str, int], ...] = ()  # places that have to change with it
