"""`repo = Repo(F())` that is closed through what holds it: `repo.session.close()`, `repo.close()`. Reads only.

It decides nothing: it says by which statement, and on which paths. A class that is not in view may close it or not.
"""

from __future__ import annotations

import ast
import enum
from dataclasses import dataclass

from codemods.flow.closing import CLOSES
from codemods.flow.reaching import bindings_of
from codemods.flow.scope import Loop, Scope, inside
from codemods.project.keeping import parameter_name
from codemods.project.name_uses import NameUse, Role
from codemods.project.sessions import ClassMeaning, FunctionMeaning


class Through(enum.StrEnum):
    """On which paths it is closed."""

    ALWAYS = "always"
    HAPPY_PATH = "unless something is raised before"
    SOME_PATHS = "in a `finally` that does not hold all that is done with it, or under a condition"
    PERHAPS = "perhaps"


@dataclass(frozen=True, slots=True)
class HolderClose:
    """The close of the object called `holder` on `line`."""

    through: Through
    holder: str
    line: int


def closed_by_holder(scope: Scope, statement: ast.stmt, given: ast.expr, *, is_async: bool) -> HolderClose | None:
    """How what `statement` makes of the session closes it; None: it does not, or the statement makes no such object.

    `given` is the session as it stands in the call: its name, or what makes it.
    """
    match statement:
        case ast.Assign(targets=[ast.Name(id=holder)], value=ast.Call() as call):
            pass
        case _:
            return None
    place = _place(call, given)
    if place is None or len(bindings_of(scope, holder)) > 1:
        return None
    class_ = scope.callee(call)
    uses = [use for use in scope.uses(holder) if use.role is not Role.BOUND]
    found = [(use, sure) for use in uses if (sure := _closes(scope, use, class_, place, is_async)) is not None]
    if not found:
        return None
    known = [use for use, sure in found if sure]
    if not known:
        return HolderClose(Through.PERHAPS, holder, found[0][0].line)
    for use in known:
        if _is_always(scope, use, uses, statement):
            return HolderClose(Through.ALWAYS, holder, use.line)
    through = Through.SOME_PATHS if any(_is_in_finally(scope, use) for use in known) else Through.HAPPY_PATH
    return HolderClose(through, holder, known[0].line)


def _place(call: ast.Call, given: ast.expr) -> tuple[int | None, str | None] | None:
    """Which argument of the call the session is."""
    for position, argument in enumerate(call.args):
        if argument is given:
            return position, None
        if isinstance(argument, ast.Starred):
            return None
    return next(((None, keyword.arg) for keyword in call.keywords if keyword.value is given and keyword.arg), None)


def _closes(
    scope: Scope, use: NameUse, class_: object, place: tuple[int | None, str | None], is_async: bool
) -> bool | None:
    """Whether a use of the object closes the session in it for certain; None: it does not."""
    path, node = [], scope.parents.of(use.node)
    while isinstance(node, ast.Attribute):
        path.append(node.attr)
        node = scope.parents.of(node)
    if not path or path[-1] not in CLOSES or len(path) > 2 or not isinstance(node, ast.Call):
        return None
    if is_async and not any(isinstance(above, ast.Await) for above in scope.parents.chain(node)):
        return None
    if not isinstance(class_, ClassMeaning):
        return len(path) == 2 and "session" in path[0]
    kept = _kept_as(scope, class_, place)
    if len(path) == 2:
        return True if path[0].strip("_") in kept else None
    symbols = scope.project.symbols
    for base in scope.project.bases(class_):
        if not isinstance(base, ClassMeaning):
            return False
        chains = symbols.facts[base.module].attributes if base.module in symbols.facts else ()
        for definition in symbols.functions(base.module, f"{base.qualname}.{path[0]}"):
            through = any(_is_close_of(chain, kept) for chain in chains)
            return True if through and definition.calls & CLOSES else None
    return None


def _is_close_of(chain: str, kept: frozenset[str]) -> bool:
    parts = chain.split(".")
    return len(parts) == 3 and parts[0] == "self" and parts[1].strip("_") in kept and parts[2] in CLOSES


def _kept_as(scope: Scope, class_: ClassMeaning, place: tuple[int | None, str | None]) -> frozenset[str]:
    """The names, without underscores around them, under which an object keeps the session, by the usual convention."""
    for base in scope.project.bases(class_):
        if isinstance(base, ClassMeaning):
            init = FunctionMeaning(base.module, f"{base.qualname}.__init__", bound=True)
            for definition in scope.project.symbols.functions(init.module, init.qualname):
                name = parameter_name(definition, init, *place)
                return frozenset({"session", "db_session", (name or "").strip("_")} - {""})
    return frozenset({place[1] or "session"})  # a dataclass


def _is_in_finally(scope: Scope, close: NameUse) -> bool:
    current: ast.stmt | None = scope.statement(close.node)
    while current is not None:
        above = scope.owner_statement(current)
        if isinstance(above, ast.Try) and scope.seat(current).suite is above.finalbody:
            return True
        current = above
    return False


def _is_always(scope: Scope, close: NameUse, uses: list[NameUse], made: ast.stmt) -> bool:
    """Whether the close stands in a `finally`, under no condition, and everything else is done inside of its `try`."""
    statement = scope.statement(close.node)
    guard = scope.owner_statement(statement)
    if not isinstance(guard, ast.Try) or scope.seat(statement).suite is not guard.finalbody:
        return False
    members = set(inside(guard))
    if any(scope.statement(use.node) not in members for use in uses):
        return False
    current: ast.stmt | None = guard
    while current is not None:
        if isinstance(current, Loop) and made not in set(inside(current)):
            return False
        current = scope.owner_statement(current)
    behind = {one for later in guard.finalbody[scope.seat(statement).index + 1 :] for one in inside(later)}
    return not any(scope.statement(use.node) in behind for use in uses)
