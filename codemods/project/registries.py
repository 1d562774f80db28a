"""Whether a project ever takes the sessions of its scoped registries back. Asks `Project`; pure."""

from __future__ import annotations

from codemods.project.expressions import chained
from codemods.project.link import Place, Project
from codemods.project.sessions import RegistryMeaning

_NAMED = ("session", "registry", "scope")  # what a registry goes by where it is a parameter, or an attribute


def are_removed(project: Project) -> bool:
    """Whether `remove()` (or `close()`) of a registry is called, or handed to something that calls it, in any file."""
    symbols = project.symbols
    for path in symbols.paths():
        for chain in symbols.facts[path].attributes:
            owner, _, method = chain.rpartition(".")
            if method not in ("remove", "close") or not owner:
                continue
            if isinstance(project.meaning(chained(owner), Place(path, "")), RegistryMeaning):
                return True
            if method == "remove" and any(word in owner.rpartition(".")[2].lower() for word in _NAMED):
                return True
    return False
