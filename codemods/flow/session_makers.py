"""The calls that make a maker of async sessions, and whether the objects of its sessions expire at a commit.

Told by definition: `async_sessionmaker`, `sessionmaker` of a class of async sessions, and what the project derives
from these. Reads trees and the project; decides nothing.
"""

from __future__ import annotations

import ast
import enum
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from codemods.flow.call_options import Reader, setting
from codemods.flow.call_options import Setting as Told
from codemods.flow.only_factory import is_test_path
from codemods.flow.scope import Scope, scopes
from codemods.project.expressions import expression, last_name, shown
from codemods.project.facts import ModuleFacts
from codemods.project.link import Project
from codemods.project.sessions import (
    ASYNC_MAKERS,
    ASYNC_SESSION_CLASSES,
    SESSION_CLASSES,
    SYNC_MAKERS,
    ClassMeaning,
    External,
    MakerMeaning,
    Meaning,
    RegistryMeaning,
    UnknownMeaning,
)

OPTION = "expire_on_commit"
_MAKERS = ASYNC_MAKERS | (SYNC_MAKERS - {"sqlalchemy.orm.create_session"})
_PARTIAL = frozenset({"functools.partial", "functools.partialmethod"})
_PROVIDERS = "dependency_injector.providers."  # `providers.Singleton(async_sessionmaker, bind=engine)`
_CLASS_AT, _OPTION_AT = 1, 4  # where SQLAlchemy 1.4 takes `class_` and `expire_on_commit` by position
_MAKING = ("__init__", "__new__", "__call__")
Tree = Callable[[str], ast.Module | None]


class Setting(enum.StrEnum):
    """What a maker is told about `expire_on_commit`."""

    MISSING = "nothing"  # the objects of its sessions expire at every commit
    FALSE = "False"
    TRUE = "True"
    OTHER = "another expression"
    UNTOLD = "cannot be told"


@dataclass(frozen=True, slots=True, eq=False)
class SessionMaker:
    """One call that makes a maker. `why` says what cannot be told, or where the option is set."""

    call: ast.Call
    setting: Setting
    origin: str  # by what its sessions are known to come from it, `app/db.py:new_session`; "" where it has no name
    why: str = ""


def session_makers(scope: Scope, tree: Tree, reader: Reader) -> list[SessionMaker]:
    """The makers of async sessions that one scope makes, in source order. `tree` gives the tree of a file."""
    found = []
    for node in scope.watched():
        if isinstance(node, ast.Call) and (maker := _maker(node, scope, reader)) is not None:
            found.append(_configured(maker, scope, tree))
    return found


def count_of_makers(project: Project, tree: Tree, reader: Reader) -> int:
    """How many calls of the project, tests apart, make a maker of async sessions."""
    symbols = project.symbols
    count = 0
    for path in symbols.paths():
        here = None if is_test_path(path) or not _may_make(symbols.facts[path]) else tree(path)
        for one in scopes(here, path, project) if here is not None else ():
            count += sum(isinstance(node, ast.Call) and _maker(node, one, reader) is not None for node in one.watched())
    return count


def _may_make(facts: ModuleFacts) -> bool:
    """Whether a file can make a maker at all: a quick no for nearly every file there is."""
    names = {"async_sessionmaker", "sessionmaker"}
    return not names.isdisjoint(facts.calls) or any(
        one.module.partition(".")[0] in ("sqlalchemy", "sqlmodel") and one.attribute in names for one in facts.imports
    )


# --- what is made ---------------------------------------------------------------------------------------------------


def _maker(call: ast.Call, scope: Scope, reader: Reader) -> SessionMaker | None:
    """The maker that the call makes; None where it makes none, or one of sync sessions."""
    called = scope.callee(call)
    if isinstance(called, External) and (called.dotted in _PARTIAL or called.dotted.startswith(_PROVIDERS)):
        return _made_later(call, scope)
    kind, of_two = _kind(called, scope), ""
    if kind is None:
        kind, of_two = _kind_of_two(call, called, scope)
    if kind is None:
        return None
    is_async = kind in ASYNC_MAKERS
    given, unseen = _given(call, scope, reader)
    class_, doubt = given.get("class_"), ""
    if class_ is not None:
        made_async, doubt = _session_class(class_)
        if made_async is False or (made_async is None and not is_async and not _names_async_sessions(scope)):
            return None
    elif not is_async and (not unseen or OPTION in given or not _names_async_sessions(scope)):
        return None
    if OPTION in given:
        told = given[OPTION]
        return SessionMaker(call, _setting(told.value) if told.certain else Setting.OTHER, _origin(call, scope))
    doubt = of_two or doubt
    if not doubt and isinstance(called, ClassMeaning):
        doubt = _own_method(called, scope, _MAKING)
    if not doubt and (sync_class := given.get("sync_session_class")) is not None:
        _, doubt = _session_class(sync_class)
    doubt = unseen or doubt
    return SessionMaker(call, Setting.UNTOLD if doubt else Setting.MISSING, _origin(call, scope), doubt)


def _made_later(call: ast.Call, scope: Scope) -> SessionMaker | None:
    """`partial(async_sessionmaker, engine)`: what is given later cannot be told."""
    if not call.args or _kind(scope.meaning(call.args[0]), scope) not in ASYNC_MAKERS:
        return None
    for keyword in call.keywords:
        if keyword.arg == OPTION:
            return SessionMaker(call, _setting(keyword.value), "")
    return SessionMaker(call, Setting.UNTOLD, "", f"`{shown(call.func)}()` calls `{shown(call.args[0])}`")


def _kind(called: Meaning, scope: Scope) -> str | None:
    """The maker class of SQLAlchemy that is called, or that a class of the project derives from."""
    if isinstance(called, External) and called.dotted.startswith("builtins."):
        # `from sqlalchemy.ext.asyncio import *`
        facts = scope.project.symbols.facts.get(scope.place.path)
        name = called.dotted.removeprefix("builtins.")
        return next((f"{star}.{name}" for star in (facts.stars if facts else ()) if f"{star}.{name}" in _MAKERS), None)
    bases = scope.project.bases(called) if isinstance(called, ClassMeaning) else [called]
    return next((one.dotted for one in bases if isinstance(one, External) and one.dotted in _MAKERS), None)


def _kind_of_two(call: ast.Call, called: Meaning, scope: Scope) -> tuple[str | None, str]:
    """The maker behind a name that is imported in one way or, where that fails, in another; and what is not known then.

    `except ImportError: from sqlalchemy.orm import sessionmaker as async_sessionmaker`
    """
    if not isinstance(called, UnknownMeaning) or not isinstance(call.func, ast.Name):
        return None, ""
    path, name = scope.place.path, call.func.id
    if name in scope.parameters:
        return None, ""
    symbols = scope.project.symbols
    imports = symbols.imports(path, "", name)
    kinds = {f"{one.module}.{one.attribute}" for one in imports}
    if len(kinds) < 2 or not kinds <= _MAKERS or symbols.binding(path, name):
        return None, ""
    lines = " and ".join(str(one.line) for one in imports)
    why = f"`{name}` is imported in more than one way (lines {lines}), so its sessions are not followed"
    return next((one for one in sorted(kinds) if one not in ASYNC_MAKERS), sorted(kinds)[0]), why


def _session_class(told: Told) -> tuple[bool | None, str]:
    """Whether a class makes async sessions (None: cannot be told); why it may set the option by itself, or ""."""
    scope, node = told.scope, told.value
    if node is not None and told.certain:
        means = scope.meaning(node)
        for one in scope.project.bases(means) if isinstance(means, ClassMeaning) else [means]:
            if isinstance(one, External) and one.dotted in SESSION_CLASSES:
                own = _own_method(means, scope, ("__init__", "__new__")) if isinstance(means, ClassMeaning) else ""
                return one.dotted in ASYNC_SESSION_CLASSES, own
    text = f", `{shown(node)}`," if node is not None else ""
    return None, f"the class of its sessions{text} is not in view"


def _own_method(class_: ClassMeaning, scope: Scope, names: tuple[str, ...]) -> str:
    """A method of the project that runs when an object is made, and may set what the call leaves out; "": none."""
    for base in scope.project.bases(class_):
        if isinstance(base, External):
            continue
        for name in names:
            for function in scope.project.symbols.functions(base.module, f"{base.qualname}.{name}"):
                return f"`{base.qualname}.{name}()` ({base.module}:{function.line}) may set it"
    return ""


def _names_async_sessions(scope: Scope) -> bool:
    """Whether the file has anything to do with async sessions; else an unknown class of sessions is not asked after."""
    facts = scope.project.symbols.facts.get(scope.place.path)
    return facts is not None and any(
        one.module.startswith(("sqlalchemy.ext.asyncio", "sqlmodel.ext.asyncio")) or one.attribute == "AsyncSession"
        for one in facts.imports
    )


def _origin(call: ast.Call, scope: Scope) -> str:
    """By what name the project knows the maker; "" where it goes by none."""
    statement = scope.statement(call)
    match statement:
        case ast.Assign(targets=[target, *_]) | ast.AnnAssign(target=target):
            means = scope.meaning(target)
            return means.origin if isinstance(means, MakerMeaning) else ""
    return ""


def _setting(value: ast.expr | None) -> Setting:
    match value:
        case ast.Constant(value=False):
            return Setting.FALSE
        case ast.Constant(value=True):
            return Setting.TRUE
        case _:
            return Setting.OTHER


# --- what a call is given -------------------------------------------------------------------------------------------


def _given(call: ast.Call, scope: Scope, reader: Reader) -> tuple[dict[str, Told], str]:
    """The options of a maker call, those of dicts in view too; and why there may be more, or ""."""
    given: dict[str, Told] = {}
    for name, index in (("class_", _CLASS_AT), (OPTION, _OPTION_AT)):
        if len(call.args) > index and not any(isinstance(one, ast.Starred) for one in call.args):
            given[name] = setting(call.args[index], scope)
    read = reader.options(call, scope)
    given |= read.settings
    # what stands in the call itself is told, whatever comes before it
    given |= {one.arg: setting(one.value, scope) for one in call.keywords if one.arg is not None}
    return given, read.unseen


# --- what is set later ----------------------------------------------------------------------------------------------


def _configured(maker: SessionMaker, scope: Scope, tree: Tree) -> SessionMaker:
    """The maker as `maker.configure(...)`, anywhere in the project, leaves it."""
    if maker.setting is not Setting.MISSING:
        return maker
    for path, call, around in _configurations(scope, tree):
        assert isinstance(call.func, ast.Attribute)
        given = next((one.value for one in call.keywords if one.arg == OPTION), None)
        means = around.meaning(call.func.value)
        match means:
            case MakerMeaning(is_async=True, origin=origin) if not origin or not maker.origin or origin == maker.origin:
                pass
            case RegistryMeaning(is_async=True):
                pass
            case UnknownMeaning() | External() if given is not None:
                why = f"`{shown(call.func)}()` ({path}:{call.lineno}) sets it, and may be called on this one"
                return SessionMaker(maker.call, Setting.UNTOLD, maker.origin, why)
            case _:
                continue
        place = f"`{shown(call.func)}()` ({path}:{call.lineno})"
        if given is not None:
            return SessionMaker(maker.call, _setting(given), maker.origin, f"by {place}")
        if any(one.arg is None for one in call.keywords):
            return SessionMaker(maker.call, Setting.UNTOLD, maker.origin, f"{place} may set it")
    return maker


def _configurations(scope: Scope, tree: Tree) -> Iterator[tuple[str, ast.Call, Scope]]:
    """Every call of a method `configure` in the project."""
    symbols = scope.project.symbols
    for path in symbols.paths():
        here = tree(path) if "configure" in symbols.facts[path].calls else None
        for one in scopes(here, path, scope.project) if here is not None else ():
            for node in one.watched():
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                    if last_name(expression(node.func)) == "configure":
                        yield path, node, one
