"""`app.main:app`, as people name a thing of a project to uvicorn: which file it means. Reads only."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from codemods.scaffold.errors import ScaffoldError
from codemods.scaffold.look import Look

_REFERENCE = re.compile(r"(?P<module>[^:]+):(?P<name>[^\W\d]\w*(?:\.[^\W\d]\w*)*)(?:\(\))?")


@dataclass(frozen=True, slots=True)
class Reference:
    """A file or a dotted module, and a name in it, as they were typed."""

    module: str
    name: str


def parsed(text: str) -> Reference | None:
    """The two parts of `app.main:app` or `app/main.py:app`; None for a text of another form."""
    match = _REFERENCE.fullmatch(text)
    return Reference(match["module"], match["name"]) if match else None


def file_of(reference: Reference, folder: Path, look: Look, root: Path) -> str:
    """The file that is meant by somebody who stands in `folder`. Raises ScaffoldError: none, or more than one."""
    codebase, symbols = look.codebase, look.project.symbols
    typed = os.path.relpath(folder / reference.module, root).replace(os.sep, "/")
    for given in (typed, f"{typed}/__init__.py"):
        if given in codebase.sources:
            return _read(given, look)
    below = os.path.relpath(folder, root).replace(os.sep, "/")
    here = "" if below in (".", "..") or below.startswith("../") else f"{below}/"
    path = symbols.module_path(reference.module, f"{here}_.py")
    if path is None:
        ends = f".{reference.module}"
        found = [one for one, name in symbols.names.items() if f".{name.module}".endswith(ends)]
        if len(found) > 1:
            raise ScaffoldError(f"{reference.module} may be {' or '.join(found[:3])}; give the path of the file")
        path = found[0] if found else None
    if path is None:
        raise ScaffoldError(f"{reference.module}: no module of this project has that name")
    return _read(path, look)


def _read(path: str, look: Look) -> str:
    if path not in look.codebase.trees:
        failure = look.codebase.failures.get(path)
        raise ScaffoldError(f"{path} could not be read{f': {failure.message}' if failure else ''}")
    return path


def front_of(reference: Reference, path: str, look: Look) -> str | None:
    """What the typed dotted name leaves out in front: "backend." for `main` of backend/main.py; None: it is a path."""
    whole = look.source(path).module
    if whole == reference.module or whole.endswith(f".{reference.module}"):
        return whole.removesuffix(reference.module)
    return None
