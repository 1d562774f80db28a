"""Whether one file of the project may import another at its top without going round in a circle. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from posixpath import dirname

from codemods.project.symbols import Symbols


def would_circle(importer: str, imported: str, symbols: Symbols) -> bool:
    """Whether loading the file `imported` loads the file `importer`, by imports at the top of modules.

    A module loads the packages that it stands in, too. Those of the importer are loaded before it anyway.
    """
    above = set(_packages(importer, symbols))
    seen: set[str] = set()
    waiting = [imported, *_packages(imported, symbols)]
    while waiting:
        path = waiting.pop()
        if path == importer:
            return True
        if path in seen or path in above:
            continue
        seen.add(path)
        if path not in symbols.facts:
            symbols.module_path(symbols.names[path].module, path)  # reads it
        if _may_load(path, importer, symbols):
            return True
        for following in symbols.imported_modules(path):
            waiting += [following, *_packages(following, symbols)]
    return False


def _may_load(path: str, importer: str, symbols: Symbols) -> bool:
    """Whether the file has an `import app.x`: the facts keep its first name only, so it may be any module below."""
    known = f".{symbols.names[importer].module}"
    return any(
        not one.scope and one.attribute is None and one.name == one.module and f".{one.name}." in known
        for one in (symbols.facts[path].imports if path in symbols.facts else ())
    )


def _packages(path: str, symbols: Symbols) -> Iterator[str]:
    """The `__init__.py` files that are loaded before this one."""
    folder = dirname(path)
    if path.endswith("__init__.py"):
        folder = dirname(folder)
    while folder and f"{folder}/__init__.py" in symbols.names:
        yield f"{folder}/__init__.py"
        folder = dirname(folder)
