"""A session made inside of an expression, `g(F())` or `await F().execute(q)`: can a block give it a name? Reads."""

from __future__ import annotations

import ast
from collections.abc import Collection

from codemods.flow.closures import READS_ALL_NAMES
from codemods.flow.escapes import check_uses
from codemods.flow.extent import measure
from codemods.flow.leaving import find_leaves
from codemods.flow.lifetime import Lifetime
from codemods.flow.made import Made
from codemods.flow.scope import Scope, With, inside, own_expressions
from codemods.flow.values import Values
from codemods.project.name_uses import COMPREHENSIONS, Role, value_use
from codemods.project.sessions import External, ScopeMeaning, SessionMeaning, UnknownMeaning

_NAMES = ("session", "db_session", "own_session", "new_session")
_CONDITIONAL = (ast.IfExp, ast.BoolOp, ast.Lambda, *COMPREHENSIONS)
_WHOLE = (ast.Expr, ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Return)
_BY_HAND = "open the session with a block around the statements that use it"


def examine_inline(scope: Scope, statement: ast.stmt, made: Made) -> Lifetime:
    """The life of a session that nothing names; `Lifetime.name` is a free name for it."""
    session = made.session
    life = Lifetime(scope, free_name(scope), statement, scope.seat(statement), session.is_async, inline=True)
    _check_place(life, made)
    if life.obstacles:
        return life
    use = value_use(made.node, scope.parents)
    if use.role not in (Role.METHOD, Role.ARGUMENT):
        life.stop("made in a form that cannot be followed", statement.lineno, _BY_HAND, undecided=True)
        return life
    if use.role is Role.METHOD and use.attribute in ("begin", "begin_nested", "stream", "stream_scalars", "connection"):
        life.stop(f"`{use.attribute}` of a session that nothing names holds it open", statement.lineno, _BY_HAND)
        return life
    life.uses = [use]
    following = [inner for one in life.seat.suite[life.seat.index :] for inner in inside(one)]
    life.values = Values(scope, (), following, is_async=session.is_async, made=made.node)
    check_uses(life)
    measure(life)
    find_leaves(life)
    return life


def _check_place(life: Lifetime, made: Made) -> None:
    """The statement runs the expression exactly once, unconditionally, and no other session is there to be meant."""
    scope, statement = life.scope, life.statement
    if not isinstance(statement, _WHOLE):
        life.stop("made in the header of a statement: nothing can close it", statement.lineno, _BY_HAND)
        return
    if made.node.lineno != made.node.end_lineno:
        life.stop("made in an expression of several lines: nothing can close it", statement.lineno, _BY_HAND)
        return
    inner: ast.AST = made.node
    for around in scope.parents.chain(made.node):
        if isinstance(around, ast.stmt):
            break
        if _runs_first(around, inner):
            inner = around
            continue
        inner = around
        if isinstance(around, ast.JoinedStr):
            life.stop("made inside of an f-string: nothing can close it", statement.lineno, _BY_HAND)
            return
        if isinstance(around, _CONDITIONAL):
            reason = "made in a part of an expression that may not run: nothing can close it"
            life.stop(reason, statement.lineno, _BY_HAND)
            return
    for node in scope.watched():
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in READS_ALL_NAMES:
            life.stop(f"`{node.func.id}()` at line {node.lineno} would see the new name", node.lineno, _BY_HAND)
            return
    before = _runs_before(scope, statement, made)
    if before is not None:
        reason = f"`{ast.unparse(before)}` runs before it is made, and would run after"
        life.stop(reason, statement.lineno, _BY_HAND)
        return
    other = _session_in_scope(scope, statement)
    if other:
        life.stop(
            f"made although {other}: the same transaction may be meant, or another",
            statement.lineno,
            "use the session that is in scope, or open a block of its own for this one",
        )


def _runs_first(around: ast.AST, inner: ast.AST) -> bool:
    """The first operand of `or`, the test of a conditional expression, and what a comprehension loops over run once."""
    match around:
        case ast.BoolOp(values=[first, *_]):
            return first is inner
        case ast.IfExp(test=test):
            return test is inner
        case (
            ast.ListComp(generators=[first, *_])
            | ast.SetComp(generators=[first, *_])
            | ast.DictComp(generators=[first, *_])
        ):
            return first is inner
        case ast.comprehension(iter=iterated):
            return iterated is inner
        case _:
            return False


def _runs_before(scope: Scope, statement: ast.stmt, made: Made) -> ast.expr | None:
    """What the statement evaluates before the session is made, and could change what is made: calls, and new names."""
    start = (made.node.lineno, made.node.col_offset)
    around = set(scope.parents.chain(made.node))
    for node in own_expressions(statement):
        if not isinstance(node, (ast.Call, ast.Await, ast.NamedExpr)) or node in around:
            continue
        if (node.lineno, node.col_offset) >= start:
            continue
        if isinstance(node, ast.Call):
            called = scope.callee(node)
            if isinstance(called, External) and called.dotted.startswith(("sqlalchemy.", "sqlmodel.")):
                continue
            if isinstance(called, UnknownMeaning) and _root_is_sql(scope, node):
                continue
        return node
    return None


def _root_is_sql(scope: Scope, call: ast.Call) -> bool:
    """`select(User).where(...)`: a method of a statement that SQLAlchemy builds."""
    root: ast.expr = call
    while isinstance(root, (ast.Call, ast.Attribute)):
        if isinstance(root, ast.Call):
            called = scope.callee(root)
            if isinstance(called, External):
                return called.dotted.startswith(("sqlalchemy.", "sqlmodel."))
        root = root.func if isinstance(root, ast.Call) else root.value
    return False


def _session_in_scope(scope: Scope, statement: ast.stmt) -> str:
    """Another session that the statement could have meant."""
    current: ast.stmt | None = statement
    while current is not None:
        if isinstance(current, With):
            for item in current.items:
                means = scope.meaning(item.context_expr)
                if isinstance(means.value if isinstance(means, ScopeMeaning) else means, SessionMeaning):
                    return f"a block around it holds a session (line {current.lineno})"
        current = scope.owner_statement(current)
    for other in scope.statements():
        if other.lineno >= statement.lineno or not isinstance(other, (ast.Assign, ast.AnnAssign)):
            continue
        targets = other.targets if isinstance(other, ast.Assign) else [other.target]
        for target in targets:
            if isinstance(target, ast.Name) and isinstance(scope.project.name(target.id, scope.place), SessionMeaning):
                if any(use.line > statement.lineno for use in scope.uses(target.id)):
                    return f"`{target.id}` is a session"
    for name in sorted(scope.parameters):
        if isinstance(scope.project.name(name, scope.place), SessionMeaning):
            return f"`{name}` is a session"
    return ""


def free_name(scope: Scope, given: Collection[str] = ()) -> str:
    """A name for a session that neither the function nor the module uses, and that was not given already."""
    taken = {node.id for node in ast.walk(scope.parents.root) if isinstance(node, ast.Name)}
    taken |= {node.arg for node in ast.walk(scope.parents.root) if isinstance(node, ast.arg)}
    local = {node.id for node in ast.walk(scope.node) if isinstance(node, ast.Name)}
    local |= {node.arg for node in ast.walk(scope.node) if isinstance(node, ast.arg)}
    module = {
        node.id
        for statement in getattr(scope.parents.root, "body", ())
        for node in ast.walk(statement)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and not isinstance(statement, _FUNCTIONS)
    }
    for name in _NAMES:
        if name not in local and name not in module and name not in given:
            return name
    number = 2
    while f"session_{number}" in taken:
        number += 1
    return f"session_{number}"


_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
