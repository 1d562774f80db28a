"""Where a `return` stands, seen from the block that closes a session: in it, after it, or with none. Reads only."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from codemods.flow.bystanders import is_bystander
from codemods.flow.objects.record import Planned, Session
from codemods.flow.ownership import closes_in
from codemods.flow.scope import Loop, Scope, With
from codemods.plan import (
    Examined,
    Finding,
    LoopToBlock,
    OpenBlock,
    RemoveStatement,
    ReplaceExpression,
    WidenBlock,
)
from codemods.project.expressions import expression, is_logging
from codemods.project.sessions import SessionMeaning
from codemods.project.ways import is_call_of

_CLOSING = frozenset({"close", "aclose", "rollback", "expunge_all", "invalidate", "reset"})
_HARMLESS = frozenset({"no_autoflush", "in_transaction", "is_active", "info"})


@dataclass(frozen=True, slots=True)
class Around:
    """How a session ends behind a `return`.

    `inside`: the return stands in what closes it. `end`: else the last statement of that. `needs`: the key of the
    finding that opens or widens the block. `commits`: line of what commits when the return is left, `refused` why
    nothing can be said of it.
    """

    inside: bool
    end: ast.stmt | None = None
    block: ast.stmt | None = None  # the block, or `try`, as it stands, when the return is after it
    needs: str = ""
    commits: int = 0
    refused: str = ""
    name: str = ""  # what the session is called there; "": as it is now
    before: bool = False  # the return stands above the block: nothing of it has happened yet


@dataclass(frozen=True, slots=True)
class Names:
    """What names hold where a function is left: the session itself, something that has it, objects that leave."""

    session: frozenset[str] = frozenset()
    holders: frozenset[str] = frozenset()
    objects: frozenset[str] = frozenset()


def planned(scope: Scope, decided: Iterable[Examined]) -> Planned:
    """What the rules before are about to do in a function."""
    path = scope.place.path
    edits = [edit for one in decided if isinstance(one, Finding) for edit in one.edits if edit.path == path]
    return Planned(
        frozenset(edit.line for edit in edits if isinstance(edit, RemoveStatement)),
        frozenset(edit.line for edit in edits if isinstance(edit, LoopToBlock)),
        frozenset(edit.creation for edit in edits if isinstance(edit, OpenBlock) and edit.creation is not None),
        frozenset(
            (edit.span.line, edit.span.column)
            for edit in edits
            if isinstance(edit, ReplaceExpression)
            and any(isinstance(other, OpenBlock) and other.name == edit.text for other in edits)
        ),
    )


def around(
    scope: Scope,
    session: Session,
    leaving: ast.Return,
    decided: Iterable[Examined],
    names: Names,
    entered: ast.With | ast.AsyncWith | None = None,
) -> Around:
    """How the session ends behind this `return`. `entered` is the `async with session:` that closes it, if there is."""
    if session.doubt:
        return Around(False, refused=session.doubt)
    block = session.block or entered
    suite, first, last, needs, name = _extent(scope, session, decided, entered)
    if suite is None:
        guard = _closed_by_hand(scope, session, leaving)
        if guard is None:
            after = _closed_before(scope, session, leaving)
            if after is None:
                return Around(False, refused="nothing closes its session here")
            return Around(False, after.body[-1], after)
        commits, refused = _on_the_way(scope, names, leaving, guard, session.node)
        return Around(True, commits=commits, refused=refused)
    index = scope.in_suite(suite, leaving)
    within = block is not None and _is_in(scope, leaving, block)
    if within or (index is not None and first <= index <= last):
        commits, refused = _on_the_way(scope, names, leaving, block, session.node)
        if session.commits and block is not None:
            commits = commits or block.lineno
        return Around(True, needs=needs, commits=commits, refused=refused, name=name)
    if leaving.lineno < suite[first].lineno:
        if _share_loop(scope, suite[first], leaving):
            return Around(False, refused="it stands above the block, in one loop with it")
        return Around(False, before=True)
    end = suite[last]
    if block is not None and end is block:
        end = block.body[-1]
    if _is_looped(scope, end, leaving):
        return Around(False, refused="the block is opened anew in each round of a loop")
    commits = block.lineno if session.commits and block is not None else 0
    if isinstance(block, With) and not commits:
        for item in block.items:
            if _mentions(item.context_expr, names.session) and is_call_of(item.context_expr, "begin"):
                commits = block.lineno
    return Around(False, end, block, needs, commits, name=name)


def is_closed(scope: Scope, session: Session) -> bool:
    """Whether a `finally` of the function closes the session by its name."""
    return bool(session.name) and any(
        isinstance(one, (ast.Try, ast.TryStar)) and closes_in(one.finalbody, session.name) for one in scope.statements()
    )


def needed_block(scope: Scope, session: Session, decided: Iterable[Examined]) -> str:
    """The key of the finding that opens or widens the block of a session; "" where none has to."""
    return _extent(scope, session, decided)[3]


def _extent(
    scope: Scope,
    session: Session,
    decided: Iterable[Examined],
    entered: ast.With | ast.AsyncWith | None = None,
) -> tuple[Sequence[ast.stmt] | None, int, int, str, str]:
    """The suite in which the block stands or will stand, its first and last statement, the finding that it needs, and
    the name that the session gets there."""
    path = scope.place.path
    findings = [one for one in decided if isinstance(one, Finding) and one.site.path == path]
    block = session.block or entered
    if block is not None:
        seat = scope.seat(block)
        for finding in findings:
            for edit in finding.edits:
                if isinstance(edit, WidenBlock) and edit.block == block.lineno:
                    last = next(i for i, one in enumerate(seat.suite) if one.lineno == edit.last)
                    return seat.suite, seat.index, last, finding.key, ""
                if isinstance(edit, LoopToBlock) and edit.line == block.lineno:
                    return seat.suite, seat.index, seat.index, finding.key, ""
        return seat.suite, seat.index, seat.index, "", ""
    for finding in findings:
        for edit in finding.edits:
            if isinstance(edit, OpenBlock) and _is_of(scope, edit, finding, session):
                found = _suite_of(scope, edit.first, edit.last)
                if found is not None:
                    return (*found, finding.key, edit.name or session.name)
    return None, 0, 0, "", ""


def _is_of(scope: Scope, edit: OpenBlock, finding: Finding, session: Session) -> bool:
    """Whether the block is opened for this session."""
    statement = session.statement
    if statement is not None:
        if edit.creation is None:
            return edit.name is None and edit.context == session.name  # entered late
        made = scope.owner_statement(statement)
        return edit.name == session.name and edit.creation in {statement.lineno, made.lineno if made else 0}
    start = session.node.lineno
    return edit.creation is None and any(
        isinstance(other, ReplaceExpression) and other.span.line == start and other.text == edit.name
        for other in finding.edits
    )


def _suite_of(scope: Scope, first: int, last: int) -> tuple[Sequence[ast.stmt], int, int] | None:
    for statement in scope.statements():
        if statement.lineno == first:
            seat = scope.seat(statement)
            for index in range(seat.index, len(seat.suite)):
                if seat.suite[index].lineno == last:
                    return seat.suite, seat.index, index
    return None


def _is_in(scope: Scope, statement: ast.stmt, block: ast.stmt) -> bool:
    current: ast.stmt | None = statement
    while current is not None:
        if current is block:
            return True
        current = scope.owner_statement(current)
    return False


def _closed_by_hand(scope: Scope, session: Session, leaving: ast.stmt) -> ast.stmt | None:
    """The `try` around the return whose `finally` closes the session."""
    current: ast.stmt | None = leaving
    while current is not None:
        above = scope.owner_statement(current)
        if isinstance(above, (ast.Try, ast.TryStar)) and scope.seat(current).suite is not above.finalbody:
            if session.name and closes_in(above.finalbody, session.name):
                return above
        current = above
    return None


def _closed_before(scope: Scope, session: Session, leaving: ast.stmt) -> ast.Try | None:
    """The `try` before the return whose `finally` closes the session."""
    for statement in scope.statements():
        if isinstance(statement, ast.Try) and (statement.end_lineno or 0) < leaving.lineno and not statement.orelse:
            if session.name and closes_in(statement.finalbody, session.name):
                if not _is_looped(scope, statement.body[-1], leaving):
                    return statement
    return None


def _is_looped(scope: Scope, inner: ast.stmt, leaving: ast.stmt) -> bool:
    """Whether a loop around the one statement does not hold the other."""
    current = scope.owner_statement(inner)
    while current is not None:
        if isinstance(current, Loop) and not _is_in(scope, leaving, current):
            return True
        current = scope.owner_statement(current)
    return False


def _share_loop(scope: Scope, one: ast.stmt, other: ast.stmt) -> bool:
    """Whether a loop holds both statements."""
    current = scope.owner_statement(one)
    while current is not None:
        if isinstance(current, Loop) and _is_in(scope, other, current):
            return True
        current = scope.owner_statement(current)
    return False


def _on_the_way(
    scope: Scope, names: Names, leaving: ast.stmt, outermost: ast.stmt | None, node: ast.expr
) -> tuple[int, str]:
    """What runs between the return and the end of the session: the line of a commit, and what cannot be judged.

    `node` is the expression that gives the session.
    """
    commits = 0
    current: ast.stmt | None = leaving
    while current is not None:
        above = scope.owner_statement(current)
        if isinstance(above, (ast.Try, ast.TryStar)) and scope.seat(current).suite is not above.finalbody:
            for final in above.finalbody:
                line, refused = _runs(scope, final, names)
                commits = commits or line
                if refused:
                    return commits, refused
        if isinstance(above, With):
            for item in above.items:
                own = above is outermost and (item.context_expr is node or _mentions(item.context_expr, names.session))
                line, refused = _at_exit(item, above, names, scope, is_own=own)
                commits = commits or line
                if refused:
                    return commits, refused
        if above is outermost and above is not None:
            break
        current = above
    return commits, ""


def _at_exit(item: ast.withitem, block: ast.stmt, names: Names, scope: Scope, *, is_own: bool) -> tuple[int, str]:
    """What leaving one item of a `with` does with the session, or with the objects."""
    node, bound = item.context_expr, item.optional_vars
    if is_call_of(node, "begin") and _mentions(node, names.session):
        return block.lineno, ""
    if is_own or (isinstance(node, ast.Attribute) and node.attr in _HARMLESS):
        return 0, ""
    told = f"`{ast.unparse(node)}` (line {block.lineno})"
    if _mentions(node, names.session | names.holders):
        if is_call_of(node, "begin_nested"):
            return 0, ""
        return 0, f"{told} has its session: its end cannot be judged"
    if _mentions(node, names.objects):
        return 0, f"{told} has what is returned: its end cannot be judged"
    if isinstance(bound, ast.Name) and not isinstance(scope.meaning(node), SessionMeaning):
        # `stack.callback(...)`, `box.user = user`: whatever is bound may have been given the session or the object
        ours = names.session | names.holders | names.objects
        for statement in scope.statements():
            simple = not hasattr(statement, "body")
            if simple and _mentions(statement, frozenset({bound.id})) and _mentions(statement, ours):
                return 0, f"{told} may have been given what is returned: its end cannot be judged"
    return 0, ""


def _mentions(node: ast.AST, names: frozenset[str]) -> bool:
    return any(isinstance(inner, ast.Name) and inner.id in names for inner in ast.walk(node))


def _runs(scope: Scope, statement: ast.stmt, names: Names) -> tuple[int, str]:
    """What a statement of a `finally` does: the line of a commit, and what cannot be judged.

    Closing the session, messages to a logger, plain assignments and letting go of something else (`lock.release()`)
    are all that is known to do no harm: the session and the objects can be reached in more ways than by their names.
    """
    if _mentions(statement, names.objects):
        return 0, f"line {statement.lineno} uses what is returned once more"
    if isinstance(statement, ast.If):
        found = [_runs(scope, inner, names) for inner in [*statement.body, *statement.orelse]]
        called = any(isinstance(node, ast.Call) for node in ast.walk(statement.test))
        if called:
            found.append((0, f"line {statement.lineno} runs before the session is closed"))
        return next((line for line, _ in found if line), 0), next((told for _, told in found if told), "")
    call = statement.value if isinstance(statement, ast.Expr) else None
    call = call.value if isinstance(call, ast.Await) else call
    match call:
        case ast.Call(func=ast.Attribute(value=ast.Name(id=owner), attr=method)) if owner in names.session:
            if method in ("commit", "flush"):
                return statement.lineno, ""
            if method in _CLOSING:
                return 0, ""
            return 0, f"line {statement.lineno} uses its session once more"
        case ast.Call(func=ast.Attribute(value=ast.Name(id=owner), attr="commit")) if owner in names.holders:
            return statement.lineno, ""
        case ast.Call(func=ast.Name(id=owner)) if owner in names.holders:
            return 0, f"line {statement.lineno} calls `{owner}`, which has its session"
        case ast.Call() if is_logging(expression(call.func)) and not _mentions(call, names.holders):
            return 0, ""
    if isinstance(statement, ast.Pass) or not any(
        isinstance(node, (ast.Call, ast.Await)) for node in ast.walk(statement)
    ):
        return 0, ""
    if is_bystander(scope, statement, names.session | names.holders | names.objects):
        return 0, ""
    return 0, f"line {statement.lineno} runs before the session is closed: whether it needs the object is not told"
