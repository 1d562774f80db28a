"""A session that is used after its own `with` block has ended (semantics B4). Reads; decides nothing."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from codemods.flow.closing import CLOSES
from codemods.flow.escapes import scheduled_by
from codemods.flow.examine import examine
from codemods.flow.lifetime import TO_TASK, Lifetime, Obstacle
from codemods.flow.reaching import reaching
from codemods.flow.scope import Scope, inside, own_expressions
from codemods.flow.stored_last import stored_last
from codemods.flow.values import METHODS, SYNC_METHODS, Carry
from codemods.project.keeping import holds
from codemods.project.name_uses import NameUse, Role
from codemods.project.sessions import ClassMeaning

_OF_TRANSACTIONS = frozenset({"begin", "begin_nested", "connection", "in_transaction", "get_transaction"})
_REREADING = frozenset({"get", "get_one", "merge", "refresh", "execute", "scalar", "scalars", "exec", "stream_scalars"})
_READING = frozenset({"get", "get_one", "scalar", "scalars", "stream", "stream_scalars", "execute", "exec"})
_WRITING_STATEMENTS = frozenset({"insert", "update", "delete", "text"})


@dataclass(frozen=True, slots=True, eq=False)
class Widening:
    life: Lifetime
    first_line: int  # of the first use after the block
    reasons: list[str]  # what a person should confirm


def widening(scope: Scope, block: ast.With | ast.AsyncWith, name: str, *, is_async: bool) -> Widening | None:
    """The life of the session behind the end of its own block; None when nothing but closes comes there."""
    if not scope.is_function:
        return None
    life = examine(scope, block, name, is_async=is_async)
    own = set(inside(block))
    later = [use for use in life.uses if scope.statement(use.node) not in own]
    # neither a close nor a test opens a connection
    real = [
        use
        for use in later
        if use.role is not Role.TESTED and not (use.role is Role.METHOD and use.attribute in CLOSES)
    ]
    if not real:
        return None
    for use in later:
        if use.role is Role.METHOD and use.attribute in _OF_TRANSACTIONS:
            reason = f"line {use.line} looks at or begins a transaction of its own, which the block already holds then"
            life.stop(reason, use.line, "open a second block for what follows")
    for use in life.uses:
        if use.role is Role.CAPTURED:
            # what the nested function writes, begins or waits for is not looked into here
            reason = f"a nested function that is called at line {use.line} uses it, too"
            life.stop(reason, use.line, "open a second block for what follows")
            break
    reasons = _pending(life, block, {id(use) for use in later}) + _later(life, block, {id(use) for use in later})
    return Widening(life, real[0].line, reasons)


def _later(life: Lifetime, block: ast.With | ast.AsyncWith, later: set[int]) -> list[str]:
    """What a wider block changes for the statements behind it: objects stay attached, the connection stays out."""
    reasons = []
    using = {life.scope.statement(use.node) for use in life.uses if id(use) in later}
    for use in life.uses:
        if id(use) in later and use.role is Role.METHOD and use.attribute in _REREADING and use.call is not None:
            if use.attribute in ("get", "get_one", "merge", "refresh") or _selects_entities(life, use.call):
                reasons.append(
                    f"what line {use.line} loads was read anew; in one block, objects loaded before are kept"
                )
                break
    if life.last is None:
        return reasons
    behind = [
        inner for statement in life.seat.suite[life.seat.index + 1 : life.last + 1] for inner in inside(statement)
    ]
    for statement in behind:
        for node in own_expressions(statement):
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and _loaded(life, node.value):
                reasons.append(
                    f"line {statement.lineno} changes an object that was detached; a later commit would write it"
                )
            if isinstance(node, ast.Call) and any(_loaded(life, argument) for argument in node.args):
                reasons.append(f"line {statement.lineno} hands on an object that was detached and stays attached now")
        waits = any(isinstance(node, ast.Await) for node in own_expressions(statement))
        if (waits or isinstance(statement, (ast.AsyncFor, ast.AsyncWith))) and statement not in using:
            reasons.append(f"the connection is held while line {statement.lineno} waits for something else")
    return list(dict.fromkeys(reasons))[:3]


def _selects_entities(life: Lifetime, call: ast.Call) -> bool:
    return life.values is not None and bool(call.args) and not life.values.selects_plain(call.args[0])


def left_open(scope: Scope, block: ast.With | ast.AsyncWith, name: str, *, is_async: bool) -> Obstacle | None:
    """A session that gets out of its own block although nothing uses it behind: returned, or in a coroutine that is."""
    own = set(inside(block))
    for use in scope.uses(name):
        if use.role is Role.CAPTURED or scope.statement(use.node) not in own:
            continue
        statement = scope.statement(use.node)
        if use.role is Role.RETURNED:
            return Obstacle(
                f"returned at line {use.line} out of the block that closes it: what the caller does opens it anew",
                use.line,
                "yield it instead, or let the caller open the block",
                returned=True,
            )
        if use.role is Role.ARGUMENT and isinstance(statement, ast.Return) and statement.value is use.call:
            assert use.call is not None
            called = scope.callee(use.call)
            if isinstance(called, ClassMeaning):
                if holds(called, use.position, use.keyword, scope.project):
                    text = ast.unparse(use.call.func)
                    return Obstacle(
                        f"`{text}(...)` holds it and is returned at line {use.line} out of the block that closes it",
                        use.line,
                        "yield it instead, or let the caller open the block",
                        returned=True,
                    )
        if use.role is Role.ARGUMENT and isinstance(statement, ast.Assign) and statement.value is use.call:
            held = _held_after(scope, block, statement, use)
            if held is not None:
                return held
        if use.role is Role.ARGUMENT and use.call is not None and is_async:
            scheduler = scheduled_by(scope, use.call)
            if scheduler is not None:
                return Obstacle(
                    f"handed to `{scheduler[0]}()` at line {scheduler[1]}: its block closes it under the task",
                    use.line,
                    TO_TASK,
                    scheduled=scheduler[1],
                    undecided=scheduler[2] != "task",
                )
        if how := stored_last(scope, block, use):
            return Obstacle(
                f"{how} at line {use.line}, at the end of the block that closes it: what is done with it opens it anew",
                use.line,
                "let whoever uses it open the block, or pass the factory instead",
            )
        if use.role is Role.METHOD and isinstance(statement, ast.Return) and is_async and not use.awaited:
            if use.attribute in METHODS and use.attribute not in SYNC_METHODS:
                return Obstacle(
                    f"`{name}.{use.attribute}(...)` is returned at line {use.line} un-awaited: it runs after the block",
                    use.line,
                    "await the call in the block",
                )
    return None


def _held_after(scope: Scope, block: ast.With | ast.AsyncWith, statement: ast.Assign, use: NameUse) -> Obstacle | None:
    """`repo = Repo(session)` in the block, and `repo` behind it: what it does with the session opens it anew."""
    target = statement.targets[0]
    if use.call is None or not isinstance(target, ast.Name):
        return None
    called = scope.callee(use.call)
    if not isinstance(called, ClassMeaning):
        return None
    if not holds(called, use.position, use.keyword, scope.project):
        return None
    own = set(inside(block))
    for later in scope.uses(target.id):
        where = scope.statement(later.node)
        if where not in own and later.role is not Role.BOUND and later.role is not Role.CAPTURED:
            if statement in reaching(scope, where, target.id).statements:
                return Obstacle(
                    f"`{target.id}` holds it and is used at line {later.line}, after the block that closes it",
                    later.line,
                    "open a block around what is done with it",
                    returned=later.role is Role.RETURNED,
                )
    return None


def _pending(life: Lifetime, block: ast.With | ast.AsyncWith, later: set[int]) -> list[str]:
    """What the end of the block rolled back until now, and a wider block could write."""
    methods = [use for use in life.uses if id(use) not in later and use.role is Role.METHOD]
    ends_with_commit = bool(methods) and methods[-1].attribute == "commit"
    changes = [
        use for use in life.uses if id(use) not in later and not (use.role is Role.METHOD and use.attribute in _READING)
    ]
    writes = [use for use in changes if use.role is not Role.ATTRIBUTE and use.attribute != "commit"]
    stores = [
        statement
        for statement in inside(block)
        for node in own_expressions(statement)
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and _loaded(life, node.value)
    ]
    raw = [use for use in methods if use.attribute in ("execute", "exec") and use.call and _writes(use.call)]
    if ends_with_commit or not (writes or stores or raw):
        return []
    line = writes[0].line if writes else stores[0].lineno if stores else raw[0].line
    return [f"what line {line} left uncommitted was rolled back at the end of the block; a later commit would write it"]


def _loaded(life: Lifetime, node: ast.expr) -> bool:
    return life.values is not None and life.values.carry(node) is not Carry.PLAIN


def _writes(call: ast.Call) -> bool:
    """Whether the statement may write: anything that is not visibly a select."""
    names = {node.id for node in ast.walk(call) if isinstance(node, ast.Name)}
    attributes = {node.attr for node in ast.walk(call) if isinstance(node, ast.Attribute)}
    return bool((names | attributes) & _WRITING_STATEMENTS) or "select" not in names | attributes
