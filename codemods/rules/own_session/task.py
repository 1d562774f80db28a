"""A function that gets a session of its own: its new parameters, and how it fetches what it needs. Values only."""

from __future__ import annotations

import ast
import keyword
from dataclasses import dataclass, field

import inflection

from codemods.flow.own_session import OwnSession
from codemods.flow.scope import Scope
from codemods.flow.tasks.behaviour import logger_of
from codemods.flow.tasks.carried import What
from codemods.plan import Request
from codemods.project.facts import FunctionFacts
from codemods.project.sessions import ClassMeaning, FunctionMeaning
from codemods.rules.base import ModuleView
from codemods.rules.own_session.layout import laid_out


@dataclass(frozen=True, slots=True)
class Key:
    """One new parameter: a column of a primary key."""

    name: str
    attribute: str
    annotation: str  # "" when the type cannot be told, or would have to be imported and cannot be
    requests: tuple[Request, ...] = ()

    @property
    def text(self) -> str:
        return f"{self.name}: {self.annotation}" if self.annotation else self.name


@dataclass(frozen=True, slots=True)
class Replaced:
    """One parameter that carries a session (no keys) or an entity, and what takes its place."""

    name: str
    what: What
    class_: ClassMeaning | None = None
    keys: tuple[Key, ...] = ()
    only_key: bool = False  # the task reads nothing but the key
    options: tuple[str, ...] = ()
    requests: tuple[Request, ...] = ()
    class_text: str = ""
    local: str = ""  # the import of the class that must stand in the function


@dataclass(slots=True, eq=False)
class Task:
    """A function that is run later, with all that is known of it. `replaced` is in the order of its parameters."""

    function: FunctionMeaning
    scope: Scope
    view: ModuleView
    definition: FunctionFacts
    replaced: tuple[Replaced, ...]
    own: OwnSession | None
    is_async: bool
    in_place: bool
    needs: tuple[tuple[str, str, int], ...] = ()  # sites inside of it that have to change, too
    reasons: list[str] = field(default_factory=list)
    plain: frozenset[str] = frozenset()  # what the sites give beside that
    suffix: str = "_background"  # of the wrapper's name
    behind: int = 0  # line of the statement behind which the block begins; 0: it holds the whole body
    gives: bool = False  # the wrapper hands back what the function gives

    @property
    def node(self) -> ast.FunctionDef | ast.AsyncFunctionDef:
        assert isinstance(self.scope.node, (ast.FunctionDef, ast.AsyncFunctionDef))
        return self.scope.node

    @property
    def session_name(self) -> str:
        """What the task's own session is called."""
        named = [one.name for one in self.replaced if one.what is What.SESSION]
        if named:
            return named[0]
        taken = {*self.scope.parameters, *(key.name for one in self.replaced for key in one.keys)}
        return next(name for name in ("session", "db_session", "task_session", "own_session") if name not in taken)

    @property
    def fetched(self) -> tuple[Replaced, ...]:
        return tuple(one for one in self.replaced if one.keys and not (one.only_key and self.in_place))

    @property
    def local(self) -> tuple[str, ...]:
        """The imports that must stand in the function itself."""
        own = [self.own.local] if self.own is not None and self.own.local else []
        return tuple(dict.fromkeys([*own, *(one.local for one in self.fetched if one.local)]))

    def fetch(self, margin: int) -> list[str]:
        """The statements that fetch the entities, and leave when one is gone; to be indented by `margin`."""
        limit = self.view.settings.line_length
        lines: list[str] = []
        logger = logger_of(self.scope)
        wait = "await " if self.is_async else ""
        for one in self.fetched:
            names = [key.name for key in one.keys]
            if one.what is What.ENTITIES:
                for line in self._fetch_all(one, wait):
                    lines += laid_out(line, margin, limit)
                continue
            key = names[0] if len(names) == 1 else f"({', '.join(names)})"
            options = f", options=[{', '.join(one.options)}]" if one.options else ""
            got = f"{one.name} = {wait}{self.session_name}.get({one.class_text}, {key}{options})"
            lines += laid_out(got, margin, limit)
            lines.append(f"if {one.name} is None:")
            if logger:
                told = ", ".join(["%s"] * len(names))
                label = one.class_text.rpartition(".")[2]
                warning = f'{logger}.warning("{label} {told} no longer exists", {", ".join(names)})'
                lines += [f"    {line}" for line in laid_out(warning, margin + 4, limit)]
            lines.append("    return None" if self.gives else "    return")
        return lines

    def _fetch_all(self, one: Replaced, wait: str) -> list[str]:
        (key,) = one.keys
        options = f".options({', '.join(one.options)})" if one.options else ""
        column = f"{one.class_text}.{key.attribute}"
        each = element_of(one.name)
        statement = f"select({one.class_text}){options}.where({column}.in_({key.name}))"
        return [
            f"found = {wait}{self.session_name}.scalars({statement})",
            f"by_id = {{{each}.{key.attribute}: {each} for {each} in found}}",
            f"{one.name} = [by_id[{_singular(key.name)}] for {_singular(key.name)} in {key.name}"
            f" if {_singular(key.name)} in by_id]",
        ]


def _singular(name: str) -> str:
    """`item_id`, of `item_ids`."""
    return name.removesuffix("s")


def element_of(name: str) -> str:
    """What one of a collection is called: `entry`, of `entries`; `each` where that cannot be told."""
    one = inflection.singularize(name)
    return one if one != name and one.isidentifier() and not keyword.iskeyword(one) else "each"
