"""The engine and the dependency that the user names, or the engine that is found without. Reads only."""

from __future__ import annotations

from dataclasses import dataclass

from codemods.flow.definition_site import member_site
from codemods.scaffold.asked import PoolStatus
from codemods.scaffold.engines import Engine, find_engine, named_engine
from codemods.scaffold.errors import ScaffoldError
from codemods.scaffold.look import Look
from codemods.scaffold.references import file_of, parsed


@dataclass(frozen=True, slots=True)
class Gate:
    """A function or class of the project that every request has to pass as a dependency."""

    path: str
    name: str


def asked_engine(asked: PoolStatus, look: Look) -> Engine:
    """The engine of `--engine`, or the only one that can be meant. Raises ScaffoldError."""
    if not asked.engine:
        return find_engine(look)
    reference = parsed(asked.engine)
    if reference is None:
        raise ScaffoldError(f"--engine: {asked.engine!r} is not of the form app.db:engine")
    return named_engine(look, file_of(reference, asked.folder, look, asked.root), reference.name)


def asked_gate(asked: PoolStatus, look: Look) -> Gate | None:
    """The function or class of `--depends`; None when none was named. Raises ScaffoldError."""
    if not asked.depends:
        return None
    reference = parsed(asked.depends)
    if reference is None:
        raise ScaffoldError(f"--depends: {asked.depends!r} is not of the form app.deps:require_admin")
    path = file_of(reference, asked.folder, look, asked.root)
    site = member_site(path, reference.name, look.project)
    symbols = look.project.symbols
    if site is None or not (symbols.functions(*site) or symbols.class_(*site)):
        raise ScaffoldError(f"--depends: there is no function or class {reference.name} in {path}")
    return Gate(*site)
