"""Generators that lend a session which they made: closed on every path, or cured. Decides; edits nothing."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace

from codemods.flow.examine import examine
from codemods.flow.inline import free_name
from codemods.flow.lent import Cure, Lent, bound_to, cure, lending_form
from codemods.flow.lifetime import Closed, Lifetime, Obstacle
from codemods.flow.made import Made, made
from codemods.flow.opening import AS_WRITTEN
from codemods.flow.ownership import exit_stack, given_to_exit_stack, is_never_left
from codemods.flow.reaching import bindings_inside
from codemods.flow.scope import Loop, With, inside
from codemods.flow.widening import left_open, widening
from codemods.plan import (
    AddFinally,
    Edit,
    Examined,
    Fact,
    Finding,
    GuardBlock,
    RemoveStatement,
    ReplaceStatement,
)
from codemods.project.name_uses import NameUse, Role
from codemods.project.sessions import (
    Ownership,
)
from codemods.rules.blocks import Block
from codemods.rules.session_dependency.look import DETACHED, YIELD, Look, guard_code, lines_of, of_unknown


class Lending:
    """The generators that make a session and yield it."""

    def __init__(self, look: Look) -> None:
        self.look = look

    def examine(self) -> Iterator[Examined]:
        """A finding or a `Right` for every session that this generator makes and yields."""
        scope = self.look.scope
        if not scope.is_function or scope.is_fixture:
            return
        uses = self.look.dependents
        for node in scope.watched():
            if isinstance(node, ast.Call):
                found = made(scope, node)
                form = None if found is None else lending_form(scope, found, is_dependency=bool(uses))
                if found is not None and form is not None:
                    yield from self._made(found, form, uses)
            elif isinstance(node, With):
                yield from self._opened(node)

    def _made(self, found: Made, form: Lent, uses: tuple[Fact, ...]) -> Iterator[Examined]:
        statement = self.look.scope.statement(found.node)
        if form in (Lent.RETURNED_NAME, Lent.RETURNED_AT_ONCE, Lent.RETURNED_INSIDE):
            return
        if (right := self.look.of_caller(found)) is not None:
            yield right
            return
        match form:
            case Lent.YIELDED_NAME:
                yield of_unknown(self._yielded(statement, found, uses), found)
            case Lent.YIELDED_AT_ONCE:
                yield of_unknown(self._yielded_at_once(statement, found, uses), found)
            case Lent.YIELDED_INSIDE:
                reason = "yielded inside of something else: nothing closes it"
                yield of_unknown(self.look.blocks.manual(found.node, statement, reason, YIELD), found)

    def _opened(self, block: ast.With | ast.AsyncWith) -> Iterator[Examined]:
        """`async with F() as session: yield session` is right."""
        for item, name, session in self.look.opened(block):
            own = set(inside(block))
            uses = [use for use in self.look.scope.uses(name) if self.look.scope.statement(use.node) in own]
            if not any(use.role is Role.YIELDED for use in uses):
                continue
            if widening(self.look.scope, block, name, is_async=session.is_async) is not None:
                continue  # used after its block: a matter of its own
            if left_open(self.look.scope, block, name, is_async=session.is_async) is None:
                yield self.look.blocks.right(item.context_expr, "lent out by a block that closes it")

    def _yielded(self, statement: ast.stmt, found: Made, uses: tuple[Fact, ...]) -> Examined:
        name, value = bound_to(statement)
        session = found.session
        if session.through == "registry":
            return self.look.blocks.right(found.node, "belongs to a scoped registry")
        stack = exit_stack(self.look.scope, found)
        if stack is not None and is_never_left(self.look.scope, stack):
            reason = f"`{ast.unparse(stack)}`, which it is handed to, is never left"
            return self.look.blocks.manual(found.node, statement, reason, "open the exit stack with a block")
        if stack is not None or given_to_exit_stack(self.look.scope, found):
            return self.look.blocks.right(found.node, "handed to an exit stack that closes it")
        if value is not found.node:
            reason = "made only when none is given: who has to close it depends on the caller"
            return self.look.blocks.manual(found.node, statement, reason, YIELD, undecided=True)
        life = examine(self.look.scope, statement, name, is_async=session.is_async, lent=True)
        if life.right:
            return self.look.blocks.right(found.node, life.right)
        following = life.seat.suite[life.seat.index + 1 :]
        if bound := bindings_inside(following, name):
            line = min(one.lineno for one in bound)
            life.obstacles.insert(0, Obstacle(f"`{name}` is bound anew at line {line}", line, YIELD))
        yields = [use for use in life.uses if use.role is Role.YIELDED]
        if loop := self._loop_around(life, yields):
            life.obstacles.insert(0, Obstacle(f"yielded in the loop at line {loop.lineno}", loop.lineno, YIELD))
        if len(yields) > 1:
            life.obstacles.insert(0, Obstacle(f"yielded at lines {lines_of(yields)}", statement.lineno, YIELD))
        block = self.look.blocks.judged(life, found, statement)
        if not isinstance(block, Block):
            return block
        reasons = self.look.users(lent=bool(uses))
        block.opening = AS_WRITTEN
        # one that its end closes already is closed no earlier than before
        block.needs = () if life.closed is Closed.GAP else self.look.driven_once()
        block.message = f"the session that `{self.look.scope.place.qualname}` yields is {life.closed}"
        # what left was detached before, where the old code closed when all went well
        block.reasons = reasons if uses or life.closed in (Closed.HAPPY_PATH, Closed.GAP) else [*reasons, DETACHED]
        life.leaves.clear()
        how, guard = cure(life) if uses else (Cure.BLOCK, None)
        assert life.last is not None
        below = life.seat.suite[life.last + 1 : life.last + 2]
        if guard is None and below and below[0] in life.removed:
            block.last = life.last = life.last + 1  # the comments of the close that goes stay with what it closed
        if how is Cure.BLOCK:
            return replace(self.look.blocks.open(block), facts=uses[:1])
        return self._guarded(block, guard, uses)

    def _loop_around(self, life: Lifetime, yields: list[NameUse]) -> ast.stmt | None:
        """A loop that yields one session over and over."""
        for use in yields:
            current: ast.stmt | None = self.look.scope.statement(use.node)
            while current is not None and self.look.scope.seat(current).suite is not life.seat.suite:
                current = self.look.scope.owner_statement(current)
                if isinstance(current, Loop):
                    return current
        return None

    def _guarded(self, block: Block, guard: ast.Try | None, uses: tuple[Fact, ...]) -> Finding:
        """The practices' form for a dependency, as far as what stands there allows it."""
        life, made_here = block.life, block.made
        assert life.last is not None
        suite, is_async = life.seat.suite, life.is_async
        edits: list[Edit] = [RemoveStatement(self.look.path, close.lineno) for close in life.removed]
        if guard is not None:
            edits.append(AddFinally(self.look.path, guard.lineno, is_async, life.name))
            cured = "a `finally` that closes it"
        else:
            first = suite[life.seat.index + 1].lineno
            edits.append(GuardBlock(self.look.path, first, suite[life.last].lineno, is_async, life.name))
            cured = "try / except rollback / finally close"
        return self.look.finding(
            made_here.node,
            life.statement,
            f"{block.message} -> {cured}",
            edits,
            reasons=block.reasons + self.look.blocks.reasons(life),
            facts=uses[:1],
            needs=block.needs,
        )

    def _yielded_at_once(self, statement: ast.stmt, found: Made, uses: tuple[Fact, ...]) -> Examined:
        """`yield F()`"""
        session = found.session
        if session.through or session.ownership is Ownership.SHARED:
            return self.look.blocks.right(found.node, "belongs to someone else")
        obstacle = self.look.first_obstacle(found, statement)
        reasons = self.look.users(lent=bool(uses))
        if obstacle is not None:
            undecided = obstacle.undecided
            return self.look.blocks.manual(found.node, statement, obstacle.reason, obstacle.advice, undecided=undecided)
        name = free_name(self.look.scope)
        text = self.look.view.text(found.node)
        if uses:
            code, cured = guard_code(name, text, session.is_async), "try / except rollback / finally close"
        else:
            cured = f"{'async ' if session.is_async else ''}with {text}"
            code = f"{cured} as {name}:\n    yield {name}"
            reasons = [*reasons, DETACHED]
        message = f"the session that `{self.look.scope.place.qualname}` yields is never closed -> {cured}"
        edits: list[Edit] = [ReplaceStatement(self.look.path, statement.lineno, code)]
        return self.look.finding(
            found.node, statement, message, edits, reasons=reasons, facts=uses[:1], needs=self.look.driven_once()
        )
