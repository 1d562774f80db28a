"""What a project assigns to attributes of modules and of objects, by the attribute's name. Asks `Project`."""

from __future__ import annotations

from dataclasses import dataclass

from codemods.project.facts import Attribute, Name
from codemods.project.link import Place, Project
from codemods.project.mapped_classes import all_mapped
from codemods.project.sessions import External, InstanceMeaning, ModuleMeaning


@dataclass(frozen=True, slots=True)
class _Assigned:
    """For one name: the modules whose attribute of that name is assigned, and whether that of an unknown object is."""

    files: int  # how many were read when this was looked for
    modules: frozenset[str]
    anywhere: bool


def is_assigned(path: str, name: str, project: Project) -> bool:
    """`module.name = value` anywhere, where `module` is the file `path`."""
    return path in _assigned(name, project).modules


def is_assigned_somewhere(name: str, project: Project) -> bool:
    """`something.name = value` outside of the methods of its class, where it is not told what that is."""
    return _assigned(name, project).anywhere


def _assigned(name: str, project: Project) -> _Assigned:
    all_mapped(project)  # reads every file
    key, files = ("assigned", name), len(project.symbols.facts)
    kept = project.kept.get(key)
    if isinstance(kept, _Assigned) and kept.files == files:
        return kept
    modules, anywhere = set(), False
    for path in project.symbols.paths():
        for one in project.symbols.facts[path].replaced:
            target = one.target
            if one.how != "assignment" or not isinstance(target, Attribute) or target.name != name:
                continue
            if isinstance(target.value, Name) and target.value.id in ("self", "cls"):
                continue  # the class that does it tells of it
            means = project.meaning(target.value, Place(path, one.scope))
            if isinstance(means, ModuleMeaning):
                modules.add(means.module)
            elif not isinstance(means, External) and not _is_of_a_library(means):
                anywhere = True
    found = _Assigned(files, frozenset(modules), anywhere)
    project.kept[key] = found
    return found


def _is_of_a_library(means: object) -> bool:
    return isinstance(means, InstanceMeaning) and isinstance(means.of, External)
