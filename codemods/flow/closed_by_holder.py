"""`repo = Repo(F())` that is closed through what holds it: `repo.session.close()`, `repo.close()`, leaving
`async with Repo(session):`. Reads only.

It decides nothing: it says by which statement, and on which paths. A class that is not in view may close it or not.
"""

from __future__ import annotations

import ast
import enum
from collections.abc import Sequence
from dataclasses import dataclass

from codemods.flow.closing import CLOSES
from codemods.flow.closing_methods import kept_attributes, method_closes
from codemods.flow.reaching import bindings_of
from codemods.flow.scope import Loop, Scope, inside
from codemods.project.expressions import LOG_METHODS
from codemods.project.keeping import Fate, constructed
from codemods.project.name_uses import NameUse, Role
from codemods.project.sessions import ClassMeaning


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


def closed_by_holder(
    scope: Scope, statement: ast.stmt, given: ast.expr, *, is_async: bool, others: Sequence[NameUse] = ()
) -> HolderClose | None:
    """How what `statement` makes of the session closes it; None: it does not, or the statement makes no such object.

    `given` is the session as it stands in the call: its name, or what makes it. `others` are the other uses of the
    session: where there are any, only a close on every path that comes after all of them is told.
    """
    match statement:
        case ast.Assign(targets=[ast.Name(id=holder)], value=ast.Call() as call):
            pass
        case ast.AnnAssign(target=ast.Name(id=holder), value=ast.Call() as call):
            pass
        case ast.With() | ast.AsyncWith():
            return _left_by_block(scope, statement, given, is_async, others)
        case _:
            return None
    place = _place(call, given)
    if place is None or not all(_is_apart(scope, one, statement) for one in bindings_of(scope, holder)):
        return None
    class_ = scope.callee(call)
    uses = [use for use in scope.uses(holder) if use.role is not Role.BOUND]
    found = [(use, sure) for use in uses if (sure := _closes(scope, use, class_, place, is_async)) is not None]
    known = [use for use, sure in found if sure]
    changed = any(use.role is Role.SET for use in uses)  # `repo.session = other`
    for use in known:
        guard = _guard(scope, use, holder, class_)
        if guard is not None and not changed and _is_always(scope, use, uses, statement, guard, holder):
            if all(_is_over(scope, other, statement, guard, use.line) for other in others):
                return HolderClose(Through.ALWAYS, holder, use.line)
    if not found or others:
        return None
    if not known:
        return HolderClose(Through.PERHAPS, holder, found[0][0].line)
    through = Through.SOME_PATHS if any(_is_in_finally(scope, use) for use in known) else Through.HAPPY_PATH
    return HolderClose(through, holder, known[0].line)


def _left_by_block(
    scope: Scope, block: ast.With | ast.AsyncWith, given: ast.expr, is_async: bool, others: Sequence[NameUse]
) -> HolderClose | None:
    """`async with Repo(session) as repo:`, whose way out is in view and closes it behind all that is done with it."""
    if is_async and not isinstance(block, ast.AsyncWith):
        return None
    for item in block.items:
        call = item.context_expr
        place = _place(call, given) if isinstance(call, ast.Call) else None
        if place is None or not isinstance(call, ast.Call):
            continue
        class_ = scope.callee(call)
        leaving = "__aexit__" if isinstance(block, ast.AsyncWith) else "__exit__"
        if not isinstance(class_, ClassMeaning) or not _is_plainly_entered(scope, class_):
            return None
        sure = method_closes(
            class_, leaving, kept_attributes(class_, place, scope.project), scope.project, is_async=is_async
        )
        if sure is None:
            return None
        if not sure:
            return HolderClose(Through.SOME_PATHS, ast.unparse(call.func), block.lineno)
        members = set(inside(block))
        bound = scope.uses(item.optional_vars.id) if isinstance(item.optional_vars, ast.Name) else []
        ours = [use for use in bound if use.role is not Role.BOUND]
        if item.optional_vars is not None and not isinstance(item.optional_vars, ast.Name):
            return None
        if not all(_works_with(scope, use) for use in ours):
            return None
        if all(scope.statement(use.node) in members for use in [*others, *ours]):
            return HolderClose(Through.ALWAYS, ast.unparse(call.func), block.lineno)
    return None


def left_open_by_block(scope: Scope, block: ast.With | ast.AsyncWith, given: ast.expr, *, is_async: bool) -> str:
    """What holds the session in `async with Repo(F()):`, where its way out is in view and need not close it; or ""."""
    leaving = "__aexit__" if isinstance(block, ast.AsyncWith) else "__exit__"
    for item in block.items:
        call = item.context_expr
        place = _place(call, given) if isinstance(call, ast.Call) else None
        class_ = scope.callee(call) if isinstance(call, ast.Call) and place is not None else None
        if place is None or not isinstance(call, ast.Call) or not isinstance(class_, ClassMeaning):
            continue
        for base in scope.project.bases(class_):
            if not isinstance(base, ClassMeaning):
                break
            if scope.project.symbols.functions(base.module, f"{base.qualname}.{leaving}"):
                sure = method_closes(
                    class_, leaving, kept_attributes(class_, place, scope.project), scope.project, is_async=is_async
                )
                return "" if sure else ast.unparse(call.func)
    return ""


def _is_plainly_entered(scope: Scope, class_: ClassMeaning) -> bool:
    """Whether nothing can fail on the way into the block of an object: else its way out does not come."""
    symbols = scope.project.symbols
    for base in scope.project.bases(class_):
        if not isinstance(base, ClassMeaning):
            return False
        for name in ("__aenter__", "__enter__"):
            for definition in symbols.functions(base.module, f"{base.qualname}.{name}"):
                return definition.calls <= LOG_METHODS
    return False


def _works_with(scope: Scope, use: NameUse) -> bool:
    """Whether a use of the object hands no part of it on: `repo.users.get()`, not `users = repo.users`.

    What a call that gets the object does with it is followed elsewhere.
    """
    if use.role is Role.ATTRIBUTE:
        above = scope.parents.of(use.node)
        node: ast.AST | None = use.node
        while isinstance(above, ast.Attribute):
            node, above = above, scope.parents.of(above)
        return isinstance(above, ast.Call) and above.func is node
    return use.role in (Role.METHOD, Role.ARGUMENT, Role.TESTED)


def _is_apart(scope: Scope, binding: ast.stmt, made: ast.stmt) -> bool:
    """Whether a binding of the name of the object is the one that makes it, gives it no object, or runs instead."""
    if binding is made or _is_none(binding):
        return True
    branch = scope.owner_statement(made)
    return (
        isinstance(branch, ast.If)
        and scope.owner_statement(binding) is branch
        and scope.seat(binding).suite is not scope.seat(made).suite
    )


def _is_none(statement: ast.stmt) -> bool:
    """`repo = None`, and `repo: Repo` without a value."""
    match statement:
        case ast.Assign(value=ast.Constant(value=None)):
            return True
        case ast.AnnAssign(value=None | ast.Constant(value=None)):
            return True
    return False


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
    if not path or len(path) > 2 or not isinstance(node, ast.Call):
        return None
    if path[-1] not in CLOSES and (len(path) == 2 or not isinstance(class_, ClassMeaning)):
        return None
    if is_async and not any(isinstance(above, ast.Await) for above in scope.parents.chain(node)):
        return None
    if not isinstance(class_, ClassMeaning):
        return len(path) == 2 and "session" in path[0]
    kept = kept_attributes(class_, place, scope.project)
    if len(path) == 2:
        return True if path[0].strip("_") in kept else None
    sure = method_closes(class_, path[0], kept, scope.project, is_async=is_async)
    if path[0] not in CLOSES and sure is False and not _is_in_finally(scope, use):
        return None  # a method of any name that may close it: where it ends nothing, that is no doubt
    return sure


def _is_in_finally(scope: Scope, close: NameUse) -> bool:
    current: ast.stmt | None = scope.statement(close.node)
    while current is not None:
        above = scope.owner_statement(current)
        if isinstance(above, ast.Try) and scope.seat(current).suite is above.finalbody:
            return True
        current = above
    return False


def _guard(scope: Scope, close: NameUse, holder: str, class_: object) -> ast.Try | None:
    """The `try` in whose `finally` the close stands, under no condition but that there is an object."""
    statement = scope.statement(close.node)
    conditional = (ast.IfExp, ast.BoolOp, ast.Lambda)
    for around in scope.parents.chain(close.node):
        if around is statement:
            break
        if isinstance(around, conditional):
            return None
    seat = scope.seat(statement)
    if _may_leave(seat.suite[: seat.index]):
        return None
    above = scope.owner_statement(statement)
    if isinstance(above, ast.If) and seat.suite is above.body and _asks_for(scope, above.test, holder, class_):
        seat = scope.seat(above)
        above = scope.owner_statement(above)
        if _may_leave(seat.suite[: seat.index]):
            return None
    return above if isinstance(above, ast.Try) and seat.suite is above.finalbody else None


def _may_leave(before: Sequence[ast.stmt]) -> bool:
    """Whether one of the statements may jump over what follows them."""
    leaving = (ast.Return, ast.Raise, ast.Continue, ast.Break)
    return any(isinstance(inner, leaving) for one in before for inner in inside(one))


def _asks_for(scope: Scope, test: ast.expr, holder: str, class_: object) -> bool:
    """`repo is not None`; `repo`, where the class says nothing of its own on what is true."""
    match test:
        case ast.Compare(
            left=ast.Name(id=name), ops=[ast.IsNot() | ast.NotEq()], comparators=[ast.Constant(value=None)]
        ):
            return name == holder
        case ast.Name(id=name) if name == holder:
            bases = scope.project.bases(class_) if isinstance(class_, ClassMeaning) else ()
            return not any(
                scope.project.symbols.functions(base.module, f"{base.qualname}.{method}")
                for base in bases
                if isinstance(base, ClassMeaning)
                for method in ("__bool__", "__len__")
            )
    return False


def _is_always(
    scope: Scope, close: NameUse, uses: Sequence[NameUse], made: ast.stmt, guard: ast.Try, holder: str
) -> bool:
    """Whether the close in the `finally` of `guard` is of each object that `made` makes, and comes after all else."""
    members = set(inside(guard))
    if any(scope.statement(use.node) not in members for use in uses):
        return False
    if any(_is_none(one) and made.lineno < one.lineno < close.line for one in bindings_of(scope, holder)):
        return False
    if made in {inner for one in guard.finalbody for inner in inside(one)}:
        return False
    for start, other in ((guard, made), (made, guard)):  # a loop around the one alone
        current: ast.stmt | None = start
        while current is not None:
            if isinstance(current, Loop) and other not in set(inside(current)):
                return False
            current = scope.owner_statement(current)
    return not any(use in _behind(scope, close, guard, uses) for use in uses)


def _behind(scope: Scope, close: NameUse, guard: ast.Try, uses: Sequence[NameUse]) -> list[NameUse]:
    """The uses in the `finally` that may run after the close."""
    final = {inner for one in guard.finalbody for inner in inside(one)}
    mine = scope.statement(close.node)
    return [
        use
        for use in uses
        if scope.statement(use.node) in final and scope.statement(use.node) is not mine and use.line > close.line
    ]


def _is_over(scope: Scope, use: NameUse, made: ast.stmt, guard: ast.Try, close: int) -> bool:
    """Whether a use of the session itself has come to its end where `guard` closes it on line `close`.

    It stands in the `try`, where the object has been made for certain, or makes another object that holds it, which is
    used there alone.
    """
    statement = scope.statement(use.node)
    members = set(inside(guard))
    seat = scope.seat(made)
    if statement in members:
        behind = scope.in_suite(seat.suite, guard if made not in members else use.node)
        return statement.lineno <= close and behind is not None and behind > seat.index
    match statement:
        case ast.Assign(targets=[ast.Name(id=other)], value=ast.Call() as call):
            pass
        case ast.AnnAssign(target=ast.Name(id=other), value=ast.Call() as call):
            pass
        case _:
            return False
    class_ = scope.callee(call)
    if use.call is not call or statement.lineno > guard.lineno or not isinstance(class_, ClassMeaning):
        return False
    if len(bindings_of(scope, other)) > 1:
        return False
    if constructed(class_, use.position, use.keyword, scope.project).fate > Fate.IN_RESULT:
        return False
    return all(
        scope.statement(one.node) in members and one.line <= close
        for one in scope.uses(other)
        if one.role is not Role.BOUND
    )
