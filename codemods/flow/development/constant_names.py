"""Which constant of which file a name or a chain stands for. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from codemods.project.facts import Attribute, Expression, Import, Name
from codemods.project.link import Place, Project
from codemods.project.sessions import ModuleMeaning


def constant_of(node: Expression, place: Place, project: Project) -> tuple[str, str] | None:
    """The file and the name of the constant that a name or a chain stands for; None when it is no such thing."""
    symbols, seen = project.symbols, frozenset[tuple[str, str]]()
    match node:
        case Name(id=name):
            qualname = place.qualname
            while qualname:
                for function in symbols.functions(place.path, qualname):
                    if any(one.name == name for one in function.parameters):
                        return None
                    if any(one.name == name for one in function.bindings):
                        return None
                if imports := symbols.imports(place.path, qualname, name):
                    return _imported(imports, place.path, seen, project)
                qualname = qualname.rpartition(".")[0]
            return _member(place.path, name, seen, project)
        case Attribute(value=value, name=name):
            owner = project.meaning(value, place)
            return _member(owner.module, name, seen, project) if isinstance(owner, ModuleMeaning) else None
    return None


def _member(path: str, name: str, seen: frozenset[tuple[str, str]], project: Project) -> tuple[str, str] | None:
    if (path, name) in seen:
        return None
    seen |= {(path, name)}
    symbols = project.symbols
    if symbols.binding(path, name):
        return path, name
    if imports := symbols.imports(path, "", name):
        return _imported(imports, path, seen, project)
    facts = symbols.facts.get(path)
    for star in facts.stars if facts is not None else ():
        module = symbols.module_path(star, path)
        found = _member(module, name, seen, project) if module is not None else None
        if found is not None:
            return found
    return None


def _imported(
    imports: Sequence[Import], path: str, seen: frozenset[tuple[str, str]], project: Project
) -> tuple[str, str] | None:
    if len(imports) != 1 or imports[0].attribute is None:
        return None
    module = project.symbols.module_path(imports[0].module, path)
    return _member(module, imports[0].attribute, seen, project) if module is not None else None
