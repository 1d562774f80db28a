"""By what name one file imports another: relative or absolute, as it and the project write their imports. Pure."""

from __future__ import annotations

import ast
from collections import Counter

from codemods.plan import Source
from codemods.project.link import Project


def module_name(home: str, tree: ast.Module, source: Source, project: Project) -> str:
    """What stands after `from` where the file `source` imports the file `home`; "" when no name is known to reach it.

    Relative where the file imports its own package only in that way.
    """
    symbols, path = project.symbols, source.path
    known = symbols.names.get(home)
    if known is None or not known.module:
        return ""
    if _is_relative(tree, source) and (relative := _relative(known.module, source)):
        return relative
    names = Counter[str]()
    for name in [*_by_this_file(known.module, path, project), *_by_others(home, project), known.module]:
        if symbols.module_path(name, path) == home:
            names[name] += 1
            break
    return next(iter(names), "")


def _is_relative(tree: ast.Module, source: Source) -> bool:
    """Whether what the file imports of its own package is imported by relative names."""
    root = source.module.partition(".")[0]
    statements = [one for one in tree.body if isinstance(one, (ast.Import, ast.ImportFrom))]
    relative = any(isinstance(one, ast.ImportFrom) and one.level for one in statements)
    absolute = any(
        (not one.level and (one.module or "").partition(".")[0] == root)
        if isinstance(one, ast.ImportFrom)
        else any(alias.name.partition(".")[0] == root for alias in one.names)
        for one in statements
    )
    return relative and not absolute


def _relative(module: str, source: Source) -> str:
    own = source.module.split(".")
    package = own if source.is_package else own[:-1]
    wanted = module.split(".")
    shared = 0
    while shared < min(len(package), len(wanted)) and package[shared] == wanted[shared]:
        shared += 1
    if not shared:
        return ""
    return "." * (len(package) - shared + 1) + ".".join(wanted[shared:])


def _by_this_file(module: str, path: str, project: Project) -> list[str]:
    """The name as the file's own imports would have it: without the folders that they leave out."""
    symbols, found = project.symbols, []
    for imported in symbols.facts[path].imports if path in symbols.facts else ():
        if imported.scope or imported.written_module.startswith("."):
            continue
        target = symbols.module_path(imported.module, path)
        whole = symbols.names[target].module if target is not None else ""
        if whole.endswith(imported.module):
            front = whole.removesuffix(imported.module)
            if module.startswith(front):
                found.append(module.removeprefix(front))
    return found


def _by_others(home: str, project: Project) -> list[str]:
    """The absolute names by which other files import it, the most usual one first."""
    symbols, found = project.symbols, Counter[str]()
    for other in symbols.paths():
        for imported in symbols.facts[other].imports:
            if imported.attribute is not None and not imported.written_module.startswith("."):
                if symbols.module_path(imported.module, other) == home:
                    found[imported.module] += 1
    return sorted(found, key=lambda name: (-found[name], name))
