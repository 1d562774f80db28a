"""In which folder a new module with a router goes: beside the project's own routers. Reads only."""

from __future__ import annotations

from collections import Counter
from posixpath import dirname

from codemods.project.facts import Call
from codemods.project.link import Place
from codemods.project.sessions import ClassMeaning, External
from codemods.scaffold.applications import Application, included_modules
from codemods.scaffold.look import Look

_ROUTERS = frozenset({"fastapi.APIRouter", "fastapi.routing.APIRouter", "fastapi.routers.APIRouter"})


def folder_of_routers(application: Application, look: Look) -> str:
    """The folder of the routers that the application includes, seen from the root; else that of its own module.

    Routers that each have a folder of their own (`users/router.py`, `orders/router.py`) have no common place.
    """
    own = dirname(application.path)
    for modules in (list(included_modules(application, look)), _routers_reached(application.path, look)):
        folders = Counter(dirname(module) for module in dict.fromkeys(modules) if module != application.path)
        if folders:
            best, count = max(folders.items(), key=lambda pair: pair[1])  # the first of equals
            return best if count > 1 or len(folders) == 1 else own
    return own


def _routers_reached(path: str, look: Look) -> list[str]:
    """The files with a router in them that the file imports, directly or not."""
    reached = [one for one in look.reached(path) if one in look.codebase.trees and not look.is_test(one)]
    return [one for one in reached if _has_router(one, look)]


def _has_router(path: str, look: Look) -> bool:
    for binding in look.project.symbols.facts[path].bindings:
        for value in binding.values:
            if isinstance(value, Call):
                means = look.project.meaning(value.function, Place(path))
                bases = look.project.bases(means) if isinstance(means, ClassMeaning) else [means]
                if any(isinstance(base, External) and base.dotted in _ROUTERS for base in bases):
                    return True
    return False
