"""Where a name of a module is defined, imports followed: the thing itself, not what it is like. Pure."""

from __future__ import annotations

from codemods.project.facts import Attribute, Expression, Name
from codemods.project.link import Place, Project
from codemods.project.sessions import ModuleMeaning


def definition_site(node: Expression, place: Place, project: Project) -> tuple[str, str] | None:
    """(file, name) of what a module-level name, or `module.name`, stands for; None when that is no single thing."""
    if isinstance(node, Name):
        return member_site(place.path, node.id, project)
    if isinstance(node, Attribute):
        owner = project.meaning(node.value, place)
        if isinstance(owner, ModuleMeaning):
            return member_site(owner.module, node.name, project)
    return None


def member_site(path: str, name: str, project: Project) -> tuple[str, str] | None:
    """The same for a name at the top level of the file `path`."""
    symbols, seen = project.symbols, set[tuple[str, str]]()
    while (path, name) not in seen and path in symbols.facts:
        seen.add((path, name))
        imported = symbols.imports(path, "", name)
        defined = bool(symbols.binding(path, name) or symbols.functions(path, name) or symbols.class_(path, name))
        if defined or not imported:
            return (path, name) if defined and not imported else None
        module = symbols.module_path(imported[0].module, path)
        attribute = imported[0].attribute
        if len(imported) != 1 or attribute is None or module is None:
            return None
        path, name = module, attribute
    return None
