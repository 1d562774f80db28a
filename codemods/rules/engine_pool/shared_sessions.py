"""The places of a project at which several tasks use one session: `pool_pre_ping` makes them fail (semantics F2).

Looks at every file, so it is only asked where an engine would get that option. Remembered per project.
"""

from __future__ import annotations

from weakref import WeakKeyDictionary

from codemods.flow.tasks.sharing import WORDS, sharings
from codemods.plan import Fact
from codemods.project.link import Project
from codemods.rules.base import ModuleView

_REMEMBERED: WeakKeyDictionary[Project, tuple[Fact, ...]] = WeakKeyDictionary()


def shared_sessions(view: ModuleView) -> tuple[Fact, ...]:
    """The calls at which a session is shared, as the rule `shared-session` names them."""
    known = _REMEMBERED.get(view.project)
    if known is None:
        _REMEMBERED[view.project] = known = tuple(_find(view))
    return known


def _find(view: ModuleView) -> list[Fact]:
    found: list[Fact] = []
    for path in view.project.symbols.paths():
        there = view.beside(path)
        if there is None or not any(word in there.source.data for word in WORDS):
            continue
        for sharing in sharings(view.tasks.sites(path)):
            line = sharing.sites[0].line
            found.append(Fact(path, line, "one session in several tasks at once"))
    return list(dict.fromkeys(found))
