"""Generators driven by hand: a block in the place of the loop, the `next`, the `anext`. Decides; edits nothing."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import replace

from codemods.flow.driving import STEPS, Driven, Form
from codemods.flow.entering import Entering, entering
from codemods.flow.escapes import check_uses
from codemods.flow.examine import examine
from codemods.flow.inline import examine_inline, free_name
from codemods.flow.leaving import find_leaves
from codemods.flow.lent import bound_to
from codemods.flow.lifetime import Leave, Lifetime, Obstacle
from codemods.flow.loops import Leaving, shape
from codemods.flow.made import Made
from codemods.flow.reaching import reaching
from codemods.flow.scope import With, inside, own_expressions
from codemods.flow.values import Carry, Values
from codemods.flow.widening import widening
from codemods.plan import (
    Edit,
    Examined,
    Finding,
    LoopToBlock,
    RemoveStatement,
    ReplaceExpression,
    ReplaceStatement,
    Request,
)
from codemods.project.expressions import dotted, expression, shown
from codemods.project.name_uses import NameUse, Role
from codemods.project.openers import replaced_by
from codemods.project.sessions import (
    External,
)
from codemods.rules.blocks import Block
from codemods.rules.session_dependency.look import AS_BLOCK, NAME, YIELD, Look, lines_of
from codemods.rules.session_dependency.returning import Returning


class Driving:
    """The places that drive a generator by hand."""

    def __init__(self, look: Look) -> None:
        self.look = look
        self.returning = Returning(look)

    def examine(self) -> Iterator[Examined]:
        """A finding or a `Right` for every place that drives a generator."""
        opened: list[Block] = []
        for place in self.look.places:
            found = self._driven(place)
            if isinstance(found, Block):
                opened.append(found)
            elif found is not None:
                yield found
        yield from self.look.blocks.fitted(opened)

    def _driven(self, place: Driven) -> Examined | Block | None:
        if place.session.through == "registry":
            return self.look.blocks.right(place.node, "belongs to a scoped registry")
        if place.indirect:
            return self._indirect(place)
        match place.form:
            case Form.WRONG:
                return self._refuse(place, f"`{ast.unparse(place.node)}`: {place.wrong}")
            case Form.DELEGATED | Form.CLOSED:
                return self.look.blocks.right(place.node, f"{place.form}")
            case Form.LOOP:
                return self._loop(place)
            case Form.STEP:
                return self._step(place)
            case Form.BLOCK:
                return self._entered(place)
            case Form.VARIABLE:
                return self._variable(place)
        if isinstance(self.look.scope.parents.of(place.call), ast.Return):
            return None  # a second name for the generator: its callers drive it
        where = str(place.form)
        targets = place.statement.targets if isinstance(place.statement, ast.Assign) else []
        if targets and isinstance(targets[0], ast.Attribute):
            where = f"kept on `{ast.unparse(targets[0])}`"
        reason = f"the generator `{place.name}()` is {where}: nothing closes its session in time"
        return self._refuse(place, reason, undecided=where == Form.OTHER)

    def _indirect(self, place: Driven) -> Finding | None:
        """A generator that yields `Repo(session)`: told of where it may not be run to its end in time."""
        scope = self.look.scope
        match place.form:
            case Form.DELEGATED | Form.CLOSED:
                return None
            case Form.LOOP:
                loop = scope.parents.of(place.call)
                assert isinstance(loop, (ast.For, ast.AsyncFor))
                how = shape(scope, loop, _LINE_END.split(self.look.view.source.text))
                if how.leaving is Leaving.END and not how.obstacle:
                    return None
                told = f"looped over by hand and {how.leaving}"
            case Form.VARIABLE:
                name = bound_to(place.statement)[0]
                ends = [use for use in scope.uses(name) if self._is_step(use) or use.attribute in ("close", "aclose")]
                if any(scope.in_finally(scope.statement(use.node)) for use in ends):
                    return None
                told = "driven by hand"
            case _ if isinstance(scope.parents.of(place.call), ast.Return):
                return None
            case _:
                told = "advanced by hand and abandoned"
        reason = f"`{place.name}()` lends what holds a session and is {told}: it is not closed in time"
        return self._refuse(place, reason, "enter the generator as a context manager")

    def _refuse(
        self,
        place: Driven,
        reason: str,
        advice: str = AS_BLOCK,
        *,
        indifferent: bool = False,
        undecided: bool = False,
    ) -> Finding:
        """`indifferent`: whether the generator's own end may close the session without harm to this place."""
        blocks = self.look.blocks
        return blocks.manual(place.node, place.statement, reason, advice, indifferent=indifferent, undecided=undecided)

    def _stays_in(self, place: Driven, loop: ast.For | ast.AsyncFor) -> bool:
        """Whether nothing of what the loop does with its session reaches beyond the loop."""
        if not isinstance(loop.target, ast.Name):
            return False
        life = self._life_of_loop(place, loop, loop.target.id)
        if not life.obstacles:
            self._check_held(life, loop)
        if not life.obstacles:
            life.first = life.last = life.seat.index
            find_leaves(life)
        return not life.obstacles and not life.leaves

    def _stays_here(self, place: Driven, steps: list[NameUse]) -> bool:
        """Whether the sessions of a generator variable are only used in this function, which returns plain values."""
        scope = self.look.scope
        names = {bound_to(scope.statement(step.node))[0] for step in steps}
        for name in names - {""}:
            if {use.role for use in scope.uses(name)} - _USED_HERE:
                return False
            values = Values(scope, [name], scope.statements(), is_async=place.session.is_async)
            returned = [one.value for one in scope.statements() if isinstance(one, ast.Return)]
            if any(value is not None and values.carry(value) is not Carry.PLAIN for value in returned):
                return False
        unbound = [step for step in steps if not bound_to(scope.statement(step.node))[0]]
        return all(isinstance(scope.statement(step.node), ast.Expr) for step in unbound)

    def _entering(self, place: Driven, leaving: Leaving | None) -> Entering:
        call = place.call
        if call.lineno != call.end_lineno or place.node.lineno != place.node.end_lineno:
            return Entering(None, f"`{place.name}(...)` is called over several lines")
        replacers = replaced_by(place.generator, self.look.path, dotted(expression(call.func)), self.look.view.project)
        return entering(place, leaving, self.look.blocks.openings, self.look.view.text(call), replacers)

    def _loop(self, place: Driven) -> Examined:
        """`async for session in get_session(): ...`"""
        loop = self.look.scope.parents.of(place.call)
        assert isinstance(loop, (ast.For, ast.AsyncFor))
        how = shape(self.look.scope, loop, _LINE_END.split(self.look.view.source.text))
        told = f"`{place.name}()` is looped over by hand"
        if how.obstacle:
            return self._refuse(place, f"{told}: {how.obstacle}", indifferent=self._stays_in(place, loop))
        assert isinstance(loop.target, ast.Name)
        life = self._life_of_loop(place, loop, loop.target.id)
        lends = place.definition.lends if place.definition is not None else None
        if not life.obstacles:
            self._check_held(life, loop)
        if lends is not None and not lends.closes and not life.obstacles:
            # nothing closed it until now: what was loaded stayed attached, as with a bare session
            life.first = life.last = life.seat.index
            find_leaves(life)
            if life.leaves and not life.is_async:
                leave = life.leaves[0]
                reason = f"{leave.text} (line {leave.line}) and stayed attached: in a block it would be detached"
                life.stop(reason, leave.line, "load what is read later, then open a block by hand")
        elif how.leaving is not Leaving.END and not life.obstacles:
            self._check_returned(life, loop)
        if life.obstacles:
            return self._refuse(place, f"{told}: {life.obstacles[0].reason}", life.obstacles[0].advice)
        found = self._entering(place, how.leaving)
        if found.opening is None:
            return self._refuse(place, f"{told}: {found.reason}", indifferent=not life.leaves)
        assert found.opening.context is not None
        edits: list[Edit] = [LoopToBlock(self.look.path, loop.lineno, found.opening.context)]
        edits += [RemoveStatement(self.look.path, line) for line in how.jumps]
        life.notes.clear()
        header = f"{'async ' if place.is_async else ''}with {found.opening.context}"
        return self.look.finding(
            place.node,
            loop,
            f"{told} and {how.leaving} -> {header}",
            edits,
            reasons=found.confirm + self.look.blocks.reasons(life),
            requests=found.opening.requests,
            needs=_places(found),
        )

    def _life_of_loop(self, place: Driven, loop: ast.For | ast.AsyncFor, name: str) -> Lifetime:
        """The life of the session that a loop binds: its uses in the body, and what else is done with it."""
        scope, own = self.look.scope, set(inside(loop))
        lends = any(isinstance(node, ast.Yield) for one in scope.statements() for node in own_expressions(one))
        life = Lifetime(scope, name, loop, scope.seat(loop), place.session.is_async, lent=lends)
        body: list[NameUse] = []
        for one in scope.statements():
            if isinstance(one, (ast.Global, ast.Nonlocal)) and name in one.names:
                life.stop(f"`{name}` is declared {type(one).__name__.lower()}: others can see it", one.lineno)
        for use in scope.uses(name):
            if use.role is Role.CAPTURED:
                life.stop(f"a nested function at line {use.line} holds on to `{name}`", use.line)
            elif use.role is Role.BOUND:
                continue
            elif scope.statement(use.node) in own - {loop}:
                body.append(use)
            elif loop in reaching(scope, scope.statement(use.node), name).statements:
                life.stop(f"`{name}` is used at line {use.line}, after the loop", use.line)
        life.uses = [use for use in body if use.role not in (Role.TESTED, Role.ENTERED)]
        following = [*own, *(one for one in scope.statements() if one.lineno > loop.lineno and one not in own)]
        life.values = Values(scope, [name], following, is_async=life.is_async)
        if not life.obstacles:
            check_uses(life)
        return life

    def _check_held(self, life: Lifetime, block: ast.stmt) -> None:
        """What holds the session, a service or a query, and is used behind the loop or block: it would open it anew."""
        assert life.values is not None
        own = set(inside(block))
        holders = {name for name, carry in life.values.names.items() if carry is Carry.HOLDER and name != life.name}
        for statement in life.scope.statements():
            if statement in own or statement.lineno < block.lineno:
                continue
            for node in own_expressions(statement):
                if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in holders:
                    if any(one in own for one in reaching(life.scope, statement, node.id).statements):
                        reason = f"`{node.id}`, which holds the session, is used at line {node.lineno}, after it"
                        life.stop(reason, node.lineno, "take it into the block by hand")

    def _check_returned(self, life: Lifetime, loop: ast.For | ast.AsyncFor) -> None:
        """What is returned out of the loop: until now an async session was closed a moment after that."""
        assert life.values is not None
        for statement in inside(loop):
            if not isinstance(statement, ast.Return) or statement.value is None:
                continue
            if life.values.is_pending(statement.value):
                life.stop(
                    f"what is returned at line {statement.lineno} has yet to run on the session", statement.lineno
                )
            elif life.values.carry(statement.value) is not Carry.PLAIN and life.is_async:
                life.leaves.append(Leave(statement.lineno, f"`{shown(statement.value, 40)}` is returned"))

    def _step(self, place: Driven) -> Examined | Block | None:
        """`session = await anext(get_session())`, `crud(next(get_db()))`"""
        statement, made_here = place.statement, Made(place.node, place.call, place.session)
        told = f"`{place.name}()` is advanced by hand and abandoned"
        if not self.look.scope.is_function:
            return self._refuse(place, f"{told} at module level: every user of its session shares it")
        match statement:
            case ast.Return(value=value) if value is place.node:
                if self.look.dependencies.of(self.look.function):
                    return self._returned_step(place)
                return self._refuse(place, f"{told}, its session is returned: closed under the caller, and opened anew")
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=value)
                | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value)
            ) if value is place.node:
                life = examine(
                    self.look.scope,
                    statement,
                    name,
                    is_async=place.session.is_async,
                    tidy=place.session.is_async or self.look.view.settings.tidy,
                )
            case ast.Assign(targets=[ast.Attribute() as target]) | ast.AnnAssign(target=ast.Attribute() as target):
                return self._refuse(place, f"{told}, its session is stored on `{ast.unparse(target)}`")
            case _:
                if sum(other.statement is statement for other in self.look.places) > 1:
                    return self._refuse(place, f"{told}, one of several in one statement")
                life = examine_inline(self.look.scope, statement, made_here)
        if life.right and not place.session.is_async:
            return self.look.blocks.right(place.node, f"{life.right}, although its generator is abandoned")
        if life.right:
            reason = f"{told}: the event loop closes it while the session is in use"
            return self._refuse(place, reason)
        return self._block(place, made_here, life, told)

    def _block(
        self, place: Driven, made_here: Made, life: Lifetime, told: str, *, until: int | None = None
    ) -> Examined | Block:
        """`until` is the last statement before the generator is closed today: what it tears down is torn down there."""
        if not life.obstacles and any(use.role is Role.YIELDED for use in life.uses):
            life.stop(f"yielded at line {life.uses[-1].line}", life.uses[-1].line, YIELD)
        if not life.obstacles and life.late:
            life.stop("made in a `try` that only guards its creation", life.statement.lineno)
        found = self.look.blocks.judged(life, made_here, life.statement)
        if not isinstance(found, Block):
            if isinstance(found, Finding):
                reason = f"{told}: {found.reason}"
                return replace(found, message=reason, reason=reason, undecided=False)
            return found
        way = self._entering(place, None)
        if way.opening is None:
            return self._refuse(place, f"{told}: {way.reason}")
        found.opening, found.needs, found.message = way.opening, _places(way), told
        found.reasons += way.confirm
        if way.runs_it and until is not None:
            found.last = max(found.last, until)
        return found

    def _returned_step(self, place: Driven) -> Examined:
        """`return next(get_db())` in a function that `Depends` uses."""
        obstacle = self.returning.not_a_generator(place.statement)
        told = f"`{place.name}()` is advanced by hand and abandoned"
        way = self._entering(place, None)
        if obstacle is None and way.opening is None:
            obstacle = Obstacle(way.reason, place.statement.lineno, AS_BLOCK)
        if obstacle is not None:
            return self._refuse(place, f"{told}; {obstacle.reason}", obstacle.advice)
        lends = place.definition.lends if place.definition is not None else None
        assert way.opening is not None
        requests: tuple[Request, ...] = ()
        if not place.is_async and not self.look.scope.is_async:
            code, confirm = f"yield from {self.look.view.text(place.call)}", []
            if lends is not None and lends.after:
                where = f"{place.generator.module}:{lends.after}"
                confirm = [f"what `{place.name}()` does behind its yield ({where}) never ran here, and starts to run"]
        else:
            name, confirm = free_name(self.look.scope), way.confirm
            code = f"{'async ' if place.is_async else ''}with {way.opening.context} as {name}:\n    yield {name}"
            requests = way.opening.requests
        found = self.returning.generator(
            place.node, place.statement, place.session, [ReplaceStatement(self.look.path, place.statement.lineno, code)]
        )
        if isinstance(found, Finding) and found.edits:
            reasons = "; ".join([*confirm, found.reason])
            return replace(found, reason=reasons, requests=(*found.requests, *requests), requires_at=_places(way))
        return found

    def _entered(self, place: Driven) -> Examined:
        """`with next(get_db()) as session:`"""
        block = place.statement
        assert isinstance(block, With)
        told = f"`{place.name}()` is advanced by hand and abandoned"
        item = next(item for item in block.items if item.context_expr is place.node)
        if place.session.is_async != isinstance(block, ast.AsyncWith):
            form = "`async with`" if place.session.is_async else "`with`"
            return self._refuse(place, f"{told}: its session needs {form}, this raises TypeError")
        if isinstance(item.optional_vars, ast.Name):
            name, is_async = item.optional_vars.id, place.session.is_async
            later = widening(self.look.scope, block, name, is_async=is_async)
            if later is not None:
                reason = f"{told}: `{later.life.name}` is used at line {later.first_line}, after its block has ended"
                return self._refuse(place, reason, "open a second block for what follows")
            life = Lifetime(self.look.scope, name, block, self.look.scope.seat(block), is_async)
            behind = [one for one in self.look.scope.statements() if one.lineno >= block.lineno]
            life.values = Values(self.look.scope, [name], behind, is_async=is_async)
            self._check_held(life, block)
            if life.obstacles:
                return self._refuse(place, f"{told}: {life.obstacles[0].reason}", life.obstacles[0].advice)
        way = self._entering(place, None)
        if way.opening is None:
            return self._refuse(place, f"{told}: {way.reason}")
        assert way.opening.context is not None
        return self.look.finding(
            place.node,
            block,
            f"{told} -> {'async ' if place.is_async else ''}with {way.opening.context}",
            [ReplaceExpression(self.look.path, self.look.view.span(place.node), way.opening.context)],
            reasons=way.confirm,
            requests=way.opening.requests,
            needs=_places(way),
        )

    def _variable(self, place: Driven) -> Examined | Block | None:
        """`gen = get_session()`, advanced by `next(gen)` or `await anext(gen)`."""
        statement = place.statement
        target = statement.targets[0] if isinstance(statement, ast.Assign) else getattr(statement, "target", None)
        assert isinstance(target, ast.Name)
        told = f"`{place.name}()` is driven by hand through `{target.id}`"
        steps: list[NameUse] = []
        closes: list[NameUse] = []
        for use in self.look.scope.uses(target.id):
            if use.role is Role.BOUND:
                continue
            if self._is_step(use):
                steps.append(use)
            elif use.role is Role.METHOD and use.attribute in ("close", "aclose"):
                closes.append(use)
            elif self._is_closing(use):
                return self.look.blocks.right(place.node, f"closed by a block (line {use.line})")
            else:
                reason = f"{told}: `{target.id}` is used at line {use.line} in another way"
                return self._refuse(place, reason, undecided=True)
        scope = self.look.scope
        ending = [use for use in closes if scope.in_finally(scope.statement(use.node))]
        if any(use.awaited or not place.is_async for use in ending):
            return self.look.blocks.right(place.node, "the generator is closed in `finally`")
        again = [use for use in steps[1:] if scope.in_finally(scope.statement(use.node))]
        lends = place.definition.lends if place.definition is not None else None
        if again and lends is not None and lends.after:
            reason = f"its end is run in `finally` (line {again[0].line}): `{lends.after_text}` runs after errors, too"
            return self._refuse(place, f"{told}: {reason}")
        if again:
            return self.look.blocks.right(
                place.node, f"the generator is run to its end in `finally` (line {again[0].line})"
            )
        if len(steps) != 1:
            lines = lines_of(steps) or str(statement.lineno)
            reason = "never advanced" if not steps else f"advanced at lines {lines}, and not to its end on every path"
            return self._refuse(place, f"{told}: {reason}", indifferent=self._stays_here(place, steps))
        return self._through_variable(place, statement, steps[0], closes, told)

    def _through_variable(
        self, place: Driven, statement: ast.stmt, step: NameUse, closes: list[NameUse], told: str
    ) -> Examined | Block:
        scope = self.look.scope
        call = step.call
        assert call is not None
        above = scope.parents.of(call)
        node: ast.expr = above if isinstance(above, ast.Await) else call
        bound = scope.statement(node)
        match bound:
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if value is node:
                pass
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value) if value is node:
                pass
            case _:
                return self._refuse(place, f"{told}: its session is not bound to a name")
        first, second = scope.seat(statement), scope.seat(bound)
        if first.suite is not second.suite or second.index != first.index + 1:
            return self._refuse(place, f"{told}: it is advanced somewhere else (line {bound.lineno})")
        if isinstance(above, ast.Await) != place.is_async:
            return self._refuse(place, f"{told}: it is advanced in a way that fails (line {bound.lineno})")
        life = examine(scope, bound, name, is_async=place.session.is_async, tidy=self.look.view.settings.tidy)
        if life.right:
            return self.look.blocks.right(place.node, life.right)
        gone = [scope.statement(use.node) for use in closes]
        if not all(isinstance(one, ast.Expr) and scope.seat(one).suite is second.suite for one in gone):
            return self._refuse(place, f"{told}: it is closed on some paths only (line {gone[0].lineno})")
        closed = min((scope.seat(one).index for one in gone), default=len(second.suite))
        # where the session is used outside of the statements in which it is advanced, the block says what is in the way
        late = next((use.line for use in life.uses if (scope.in_suite(second.suite, use.node) or 0) > closed), 0)
        if not life.obstacles and late:
            return self._refuse(place, f"{told}: `{name}` is used at line {late}, after its generator is closed")
        found = self._block(place, Made(node, place.call, place.session), life, told, until=closed - 1)
        if isinstance(found, Block):
            found.told_of = place.node
            found.edits += [RemoveStatement(self.look.path, one.lineno) for one in (statement, *gone)]
        return found

    def _is_step(self, use: NameUse) -> bool:
        if use.role is Role.METHOD:
            return use.attribute in STEPS
        if use.role is not Role.ARGUMENT or use.call is None or use.position != 0:
            return False
        called = self.look.scope.callee(use.call)
        return isinstance(called, External) and called.dotted in ("builtins.next", "builtins.anext")

    def _is_closing(self, use: NameUse) -> bool:
        if use.role is not Role.ARGUMENT or use.call is None:
            return False
        called = self.look.scope.callee(use.call)
        return isinstance(called, External) and called.dotted in ("contextlib.closing", "contextlib.aclosing")


_LINE_END = re.compile(r"\r\n|\r|\n")


_USED_HERE = frozenset({Role.METHOD, Role.ATTRIBUTE, Role.ARGUMENT, Role.TESTED, Role.BOUND})


def _places(way: Entering) -> tuple[tuple[str, str, int], ...]:
    """The places that have to change in the same run."""
    return tuple((NAME, path, line) for path, line in way.needs)
