"""A dependency closes the session that it lends on every path, and nobody drives its generator by hand.

What it changes
    A generator that makes a session, yields it and does not close it on every path: used by `Depends` it gets the
    practices' form, `try` / `yield` / `except Exception:` rollback, `raise` / `finally:` close, with all that stood
    behind the `yield` kept where it ran; used otherwise it opens the session with a block. A plain function that
    returns a session to `Depends` becomes a generator, when every use in view is a `Depends`. A generator that is
    driven by hand (`async for session in get_session()`, `await anext(get_session())`, `next(get_db())`) gives way to
    a block: over the factory that it opens, where it only opens and closes, else over the generator itself as a
    context manager.

Why
    FastAPI closes nothing that a dependency returns, and resumes a generator behind its `yield` only when nothing was
    raised. A generator that is left by `return` or `break`, or advanced once, is closed by the garbage collector or by
    the event loop, a moment later or in the middle of the work; an exception never reaches its `except`, and what
    stands behind its `yield` never runs.

Before
    async def get_session():
        session = new_async_session()
        yield session
        await session.commit()

After
    async def get_session():
        session = new_async_session()
        try:
            yield session
            await session.commit()
        except Exception:
            await session.rollback()
            raise
        finally:
            await session.close()

Leaves alone
    Dependencies that close on every path, in whatever form. Refused, each with its reason: generators with several
    yields, or that swallow exceptions; functions that somebody calls directly; loops that are left in the middle, or
    whose session is used after them; sessions that go to a task. Reported: `Depends` on a sessionmaker, generators
    that are driven in a way that fails, responses that stream through an injected session.

Safety
    `safe` where what worked goes on in the same way. `review` where something starts to run that did not run before (a
    commit behind the `yield`), where a returned session becomes a yielded one, where what was loaded is detached
    earlier than before, and where tests replace the dependency.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import replace

from codemods.flow.driving import Driven, Form, driven
from codemods.flow.entering import Entering, entering
from codemods.flow.escapes import check_uses
from codemods.flow.examine import examine
from codemods.flow.inline import examine_inline, free_name
from codemods.flow.lent import Cure, cure
from codemods.flow.lifetime import TO_TASK, Closed, Leave, Lifetime, Obstacle
from codemods.flow.loops import Leaving, shape
from codemods.flow.made import Made, made
from codemods.flow.opening import AS_WRITTEN
from codemods.flow.ownership import given_to_exit_stack
from codemods.flow.reaching import reaching
from codemods.flow.scope import Scope, With, inside, own_expressions
from codemods.flow.streaming import streams
from codemods.flow.values import Carry, Values
from codemods.flow.widening import widening
from codemods.plan import (
    AddFinally,
    ChangeDefinition,
    Edit,
    Examined,
    Fact,
    Finding,
    GuardBlock,
    Level,
    LoopToBlock,
    RemoveStatement,
    ReplaceExpression,
    ReplaceStatement,
    Request,
)
from codemods.project.dependencies import is_depends
from codemods.project.expressions import annotation, dotted, expression
from codemods.project.keeping import Fate, handed, starts_later
from codemods.project.link import Place
from codemods.project.mentions import is_driven_once
from codemods.project.name_uses import NameUse, Role
from codemods.project.openers import replaced_by
from codemods.project.sessions import (
    CoroutineMeaning,
    External,
    FunctionMeaning,
    GeneratorMeaning,
    MakerMeaning,
    Ownership,
    ScopeMeaning,
    SessionMeaning,
)
from codemods.rules.base import Keys, ModuleView
from codemods.rules.blocks import Block, Blocks

NAME = "session-dependency"
_PAGE = __doc__ or ""
_AS_BLOCK = "enter the generator as a context manager, or open a session of its own with a block"
_YIELD = "yield the session inside of `async with`, so that it is closed on every path"


class SessionDependency:
    """The rule. Its page is the docstring of this module."""

    name = NAME
    summary = "a dependency closes its session on every path, and nobody drives its generator by hand"
    level_text = "safe, review"
    words = (b"ession", b"Depends")
    page = _PAGE

    def examine(self, view: ModuleView) -> Iterable[Examined]:
        """A finding or a `Right` for every generator that lends a session, and for every place that drives one."""
        keys = Keys(NAME)
        for scope in view.scopes:
            yield from _Scope(view, scope, keys).examine()


class _Scope:
    """The dependencies and driven generators of one function, module or class body."""

    def __init__(self, view: ModuleView, scope: Scope, keys: Keys) -> None:
        self.view = view
        self.scope = scope
        self.path = view.source.path
        self.function = FunctionMeaning(self.path, scope.place.qualname)
        self.dependencies = view.customs.dependencies
        self.places = list(driven(scope))
        counts: dict[str, int] = {}
        ordinals: dict[ast.expr, int] = {}
        for place in self.places:
            text = ast.unparse(place.node)
            counts[text] = ordinals[place.node] = counts.get(text, 0) + 1
        self.blocks = Blocks(view, scope, keys, NAME, ordinals)

    def examine(self) -> Iterator[Examined]:
        if self.scope.is_function and not self.scope.is_fixture:
            yield from self._lending()
        opened: list[Block] = []
        for place in self.places:
            found = self._driven(place)
            if isinstance(found, Block):
                opened.append(found)
            elif found is not None:
                yield found
        yield from self.blocks.fitted(opened)
        yield from self._given_to_depends()
        for stream in streams(self.scope, self.dependencies):
            reason = (
                f"{stream.what} streams through the injected `{stream.session}`: FastAPI 0.106 to 0.117 close it before"
                " the stream runs, the others keep its connection until the last byte is sent"
            )
            advice = "open a session with a block inside of the generator"
            yield self.blocks.manual(stream.call, self.scope.statement(stream.call), reason, advice)

    # --- functions that lend what they made --------------------------------------------------------------------

    def _lending(self) -> Iterator[Examined]:
        uses = self.dependencies.of(self.function)
        for node in self.scope.watched():
            if isinstance(node, ast.Call):
                found = made(self.scope, node)
                if found is not None and found.session.through != "generator":
                    yield from self._made(found, uses)
            elif isinstance(node, With):
                yield from self._opened(node, uses)

    def _made(self, found: Made, uses: tuple[Fact, ...]) -> Iterator[Examined]:
        scope, statement = self.scope, self.scope.statement(found.node)
        if isinstance(scope.parents.of(found.node), ast.withitem):
            return
        match statement:
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=value)
                | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value)
            ):
                if self._is_yielded(name):
                    yield self._yielded(statement, name, found, value, uses)
                elif uses and value is found.node and self._returns(name):
                    yield self._returned_name(statement, name, found)
            case ast.Expr(value=ast.Yield(value=value)) if value is found.node:
                yield self._yielded_at_once(statement, found, uses)
            case ast.Return(value=value) if value is found.node and uses:
                yield self._returned(statement, found)
            case ast.Return(value=ast.IfExp() | ast.BoolOp() as chosen) if uses and self._is_first(found, chosen):
                reason = f"`{scope.place.qualname}` returns one of several sessions: which one depends on the path"
                advice = "choose the factory first, then yield in a block"
                yield self.blocks.manual(found.node, statement, reason, advice)

    def _is_first(self, found: Made, expression_node: ast.expr) -> bool:
        """Whether no other session is made before this one in the expression: one finding is enough."""
        calls = [node for node in ast.walk(expression_node) if isinstance(node, ast.Call) and made(self.scope, node)]
        return min(calls, key=lambda node: (node.lineno, node.col_offset), default=found.call) is found.call

    def _is_yielded(self, name: str) -> bool:
        return any(use.role is Role.YIELDED for use in self.scope.uses(name))

    def _returns(self, name: str) -> bool:
        return any(use.role is Role.RETURNED for use in self.scope.uses(name))

    def _opened(self, block: ast.With | ast.AsyncWith, uses: tuple[Fact, ...]) -> Iterator[Examined]:
        """`async with F() as session: yield session` is right; to return it out of its block is not."""
        for item in block.items:
            means = self.scope.meaning(item.context_expr)
            session = means.value if isinstance(means, ScopeMeaning) else means
            if not isinstance(session, SessionMeaning) or not isinstance(item.optional_vars, ast.Name):
                continue
            is_async = means.is_async if isinstance(means, ScopeMeaning) else session.is_async
            if session.through == "generator" or is_async != isinstance(block, ast.AsyncWith):
                continue
            name, own = item.optional_vars.id, set(inside(block))
            here = [use for use in self.scope.uses(name) if self.scope.statement(use.node) in own]
            if any(use.role is Role.YIELDED for use in here):
                if widening(self.scope, block, name, is_async=session.is_async) is None:
                    yield self.blocks.right(item.context_expr, "lent out by a block that closes it")
            elif uses and any(use.role is Role.RETURNED for use in here):
                yield self._returned_out(block, item, name, session)

    # --- generators --------------------------------------------------------------------------------------------

    def _yielded(
        self, statement: ast.stmt, name: str, found: Made, value: ast.expr, uses: tuple[Fact, ...]
    ) -> Examined:
        session = found.session
        if session.through == "registry":
            return self.blocks.right(found.node, "belongs to a scoped registry")
        if given_to_exit_stack(self.scope, found):
            return self.blocks.right(found.node, "handed to an exit stack that closes it")
        if value is not found.node:
            reason = "made only when none is given: who has to close it depends on the caller"
            return self.blocks.manual(found.node, statement, reason, _YIELD)
        life = examine(self.scope, statement, name, is_async=session.is_async, lent=True)
        if life.right:
            return self.blocks.right(found.node, life.right)
        yields = [use for use in life.uses if use.role is Role.YIELDED]
        if len(yields) > 1:
            life.obstacles.insert(0, Obstacle(f"yielded at lines {_lines(yields)}", statement.lineno, _YIELD))
        block = self.blocks.judged(life, found, statement)
        if not isinstance(block, Block):
            return block
        obstacle, reasons = self._users(lent=bool(uses))
        if obstacle is not None:
            return self.blocks.manual(found.node, statement, obstacle.reason, obstacle.advice)
        block.opening = AS_WRITTEN
        block.needs = self._driven_once()
        block.message = f"the session that `{self.scope.place.qualname}` yields is {life.closed}"
        # what left was detached before, where the old code closed when all went well
        block.reasons = reasons if uses or life.closed in (Closed.HAPPY_PATH, Closed.GAP) else [*reasons, _DETACHED]
        life.leaves.clear()
        how, guard = cure(life) if uses else (Cure.BLOCK, None)
        assert life.last is not None
        below = life.seat.suite[life.last + 1 : life.last + 2]
        if guard is None and below and below[0] in life.removed:
            block.last = life.last = life.last + 1  # the comments of the close that goes stay with what it closed
        if how is Cure.BLOCK:
            return replace(self.blocks.open(block), facts=uses[:1])
        return self._guarded(block, guard, uses)

    def _guarded(self, block: Block, guard: ast.Try | None, uses: tuple[Fact, ...]) -> Finding:
        """The practices' form for a dependency, as far as what stands there allows it."""
        life, made_here = block.life, block.made
        assert life.last is not None
        suite, is_async = life.seat.suite, life.is_async
        edits: list[Edit] = [RemoveStatement(self.path, close.lineno) for close in life.removed]
        if guard is not None:
            edits.append(AddFinally(self.path, guard.lineno, is_async, life.name))
            cured = "a `finally` that closes it"
        else:
            first = suite[life.seat.index + 1].lineno
            edits.append(GuardBlock(self.path, first, suite[life.last].lineno, is_async, life.name))
            cured = "try / except rollback / finally close"
        return self._finding(
            made_here.node,
            life.statement,
            f"{block.message} -> {cured}",
            edits,
            reasons=block.reasons + self.blocks.reasons(life),
            facts=uses[:1],
            needs=block.needs,
        )

    def _yielded_at_once(self, statement: ast.stmt, found: Made, uses: tuple[Fact, ...]) -> Examined:
        """`yield F()`"""
        session = found.session
        if session.through or session.ownership is Ownership.SHARED:
            return self.blocks.right(found.node, "belongs to someone else")
        obstacle = self._first_obstacle(found, statement)
        more, reasons = self._users(lent=bool(uses))
        obstacle = obstacle or more
        if obstacle is not None:
            return self.blocks.manual(found.node, statement, obstacle.reason, obstacle.advice)
        name = free_name(self.scope)
        text = self.view.text(found.node)
        if uses:
            code = _guard_code(name, text, session.is_async)
        else:
            code = f"{'async ' if session.is_async else ''}with {text} as {name}:\n    yield {name}"
            reasons = [*reasons, _DETACHED]
        message = f"the session that `{self.scope.place.qualname}` yields is never closed -> {_word(uses, session)}"
        edits: list[Edit] = [ReplaceStatement(self.path, statement.lineno, code)]
        return self._finding(
            found.node, statement, message, edits, reasons=reasons, facts=uses[:1], needs=self._driven_once()
        )

    def _first_obstacle(self, found: Made, statement: ast.stmt) -> Obstacle | None:
        """What stands in the way of rewriting one statement that makes a session and gives it away."""
        session, line = found.session, statement.lineno
        if session.ownership is not Ownership.FRESH or session.optional:
            return Obstacle(f"`{found.called}()` may give a session that someone else holds", line)
        if session.own_exit:
            return Obstacle(f"its class has a `{session.own_exit}()` of its own, which would run at the end", line)
        if found.node.lineno != found.node.end_lineno or statement.lineno != statement.end_lineno:
            return Obstacle("made in an expression of several lines", line)
        return None

    def _users(self, *, lent: bool) -> tuple[Obstacle | None, list[str]]:
        """What those who receive the session do with it: a task that outlives it, or something that may be one."""
        reasons: list[str] = []
        project = self.view.project
        for receiver in self.dependencies.receivers.get(self.function, ()):
            given = handed(receiver.function, None, receiver.parameter, project)
            where = f"{receiver.fact.path}:{receiver.fact.line}"
            if given.fate is Fate.SCHEDULED:
                where = f"{given.fact.path}:{given.fact.line}" if given.fact else where
                reason = f"its session goes to a task ({where}), which FastAPI 0.106 to 0.117 would run on a closed one"
                return Obstacle(reason, 0, TO_TASK), []
            if later := starts_later(receiver.function, project):
                reasons.append(
                    f"{receiver.fact.path}:{later} schedules a task: see that it needs nothing that is still attached"
                )
        if lent:
            reasons += [
                f"{fact.path}:{fact.line} enters it, too: what is loaded there is detached where that block ends"
                for fact in self._entered_by_others()
            ]
        return None, reasons[:2]

    def _entered_by_others(self) -> list[Fact]:
        by_hand = {
            (mention.path, mention.line)
            for mention in self.dependencies.mentions(self.function)
            if is_driven_once(mention) or mention.role is Role.ITERATED
        }
        return [fact for fact in self.dependencies.other_uses(self.function) if (fact.path, fact.line) not in by_hand]

    def _driven_once(self) -> tuple[tuple[str, int], ...]:
        """The places that advance this generator once: closing it would close the session under them (semantics B8)."""
        return tuple(
            (mention.path, mention.line)
            for mention in self.dependencies.mentions(self.function)
            if is_driven_once(mention) and mention.role is not Role.ALIASED
        )

    # --- functions that return a session to Depends ------------------------------------------------------------

    def _returned(self, statement: ast.stmt, found: Made) -> Examined:
        """`return F()`"""
        if found.session.ownership is Ownership.SHARED or found.session.through:
            return self.blocks.right(found.node, "belongs to someone else")
        obstacle = self._first_obstacle(found, statement) or self._not_a_generator(statement)
        if obstacle is not None:
            return self.blocks.manual(found.node, statement, obstacle.reason, obstacle.advice)
        name = free_name(self.scope)
        code = _guard_code(name, self.view.text(found.node), found.session.is_async)
        edits: list[Edit] = [ReplaceStatement(self.path, statement.lineno, code)]
        return self._generator(found.node, statement, found.session, edits)

    def _returned_name(self, statement: ast.stmt, name: str, found: Made) -> Examined:
        """`session = F(); ...; return session`"""
        session = found.session
        if session.ownership is Ownership.SHARED or session.through:
            return self.blocks.right(found.node, "belongs to someone else")
        life = examine(self.scope, statement, name, is_async=session.is_async, lent=True)
        returns = [use for use in life.uses if use.role is Role.RETURNED]
        last = self.scope.statement(returns[-1].node) if returns else statement
        if not (isinstance(last, ast.Return) and isinstance(last.value, ast.Name) and len(returns) == 1):
            life.stop("returned in a form that cannot be followed", last.lineno, _YIELD)
        if life.seat.suite[-1] is not last:
            life.stop(f"returned at line {last.lineno} under a condition", last.lineno, _YIELD)
        if life.right:
            reason = f"{life.right} before its user gets it: what the user does opens it anew"
            life.obstacles.append(Obstacle(reason, last.lineno, _YIELD))
        if self.scope.is_async or not session.is_async:
            block = self.blocks.judged(life, found, statement)
            if not isinstance(block, Block):
                return block
        elif life.obstacles or self._awaits(life):
            first = life.obstacles[0] if life.obstacles else Obstacle("used before it is returned", statement.lineno)
            return self.blocks.manual(found.node, statement, first.reason, first.advice)
        obstacle = self._not_a_generator(last)
        if obstacle is None and (life.removed or life.dissolved):
            obstacle = Obstacle("closed before its user gets it", statement.lineno, _YIELD)
        if obstacle is not None:
            return self.blocks.manual(found.node, statement, obstacle.reason, obstacle.advice)
        suite = life.seat.suite
        first_line = suite[life.seat.index + 1].lineno
        edits: list[Edit] = [
            ReplaceStatement(self.path, last.lineno, f"yield {name}"),
            GuardBlock(self.path, first_line, last.lineno, session.is_async, name),
        ]
        return self._generator(found.node, statement, session, edits)

    def _awaits(self, life: Lifetime) -> bool:
        """Whether a function that is not async does anything with its async session but returning it."""
        return any(use.role is not Role.RETURNED for use in life.uses)

    def _returned_out(
        self, block: ast.With | ast.AsyncWith, item: ast.withitem, name: str, session: SessionMeaning
    ) -> Examined:
        """`async with F() as session: return session`: closed before its user gets it, and opened anew by the use."""
        node = item.context_expr
        uses = [use for use in self.scope.uses(name) if use.role is Role.RETURNED]
        last = self.scope.statement(uses[-1].node)
        plain = isinstance(last, ast.Return) and isinstance(last.value, ast.Name)
        obstacle = self._not_a_generator(last)
        if obstacle is None and not (plain and len(uses) == 1 and last in set(inside(block))):
            obstacle = Obstacle("returned in a form that cannot be followed", last.lineno, _YIELD)
        if obstacle is not None:
            reason = f"returned out of the block that closes it; {obstacle.reason}"
            return self.blocks.manual(node, block, reason, obstacle.advice)
        edits: list[Edit] = [ReplaceStatement(self.path, last.lineno, f"yield {name}")]
        return self._generator(node, block, session, edits)

    def _not_a_generator(self, last: ast.stmt) -> Obstacle | None:
        """Why this function cannot yield what it returns at `last`."""
        scope = self.scope
        assert isinstance(scope.node, (ast.FunctionDef, ast.AsyncFunctionDef))
        returns = [one for one in scope.statements() if isinstance(one, ast.Return)]
        if len(returns) > 1:
            lines = ", ".join(str(one.lineno) for one in returns)
            return Obstacle(f"it returns at several places (lines {lines})", last.lineno, _YIELD)
        owner = scope.owner_statement(last)
        while owner is not None:
            if not isinstance(owner, With):
                return Obstacle(f"returned at line {last.lineno} under a condition", last.lineno, _YIELD)
            owner = scope.owner_statement(owner)
        plain = {"staticmethod", "classmethod"}
        odd = [one for one in scope.node.decorator_list if dotted(expression(one)) not in plain]
        if odd:
            return Obstacle(f"`{scope.node.name}` is decorated with `{ast.unparse(odd[0])}`", odd[0].lineno, _YIELD)
        if overrides := self.view.project.overrides(self.function):
            other = overrides[0]
            return Obstacle(f"`{other.qualname}` ({other.module}) overrides it", last.lineno, _YIELD)
        others = self.dependencies.other_uses(self.function)
        if others:
            places = ", ".join(f"{fact.path}:{fact.line}" for fact in others[:3])
            more = f" and {len(others) - 3} more" if len(others) > 3 else ""
            reason = f"`{scope.node.name}` is used directly at {places}{more}: a generator would not do there"
            return Obstacle(reason, last.lineno, "give those callers a block of their own first")
        obstacle, _ = self._users(lent=False)
        return obstacle

    def _generator(self, node: ast.expr, anchor: ast.stmt, session: SessionMeaning, edits: list[Edit]) -> Examined:
        """The function becomes a generator dependency: `def` and annotation follow."""
        definition = self.scope.node
        assert isinstance(definition, (ast.FunctionDef, ast.AsyncFunctionDef))
        requests: tuple[Request, ...] = ()
        is_async = session.is_async or self.scope.is_async
        returns = None
        if definition.returns is not None:
            annotated = self._iterator(definition.returns, is_async=is_async)
            if annotated is None:
                reason = "its return annotation cannot be made that of a generator: the name is taken"
                return self.blocks.manual(node, anchor, reason, _YIELD)
            returns, requests = annotated
        if returns or (is_async and not self.scope.is_async):
            edits = [*edits, ChangeDefinition(self.path, definition.lineno, is_async, returns)]
        uses = self.dependencies.of(self.function)
        _, reasons = self._users(lent=False)
        confirm = f"every use of `{definition.name}` in view is a `Depends`; a caller out of view would get a generator"
        message = f"`Depends` never closes what `{definition.name}` returns -> a generator that closes it"
        return self._finding(
            node, anchor, message, edits, reasons=[confirm, *reasons], facts=uses[:1], requests=requests
        )

    def _iterator(self, returns: ast.expr, *, is_async: bool) -> tuple[str | None, tuple[Request, ...]] | None:
        """`AsyncIterator[X]` for the annotation `X` of a session; (None, ()) for others; None: cannot be written."""
        told = annotation(returns)
        outside = Place(self.path, self.scope.place.qualname.rpartition(".")[0])
        if told is None or not isinstance(self.view.project.declared(told, outside), SessionMeaning):
            return None, ()
        name = "AsyncIterator" if is_async else "Iterator"
        standard = self.blocks.openings.standard("collections.abc", name, "typing")
        if standard is None or returns.lineno != returns.end_lineno:
            return None
        written, requests = standard
        if isinstance(returns, ast.Constant) and isinstance(returns.value, str):
            return f'"{written}[{returns.value}]"', requests
        return f"{written}[{self.view.text(returns)}]", requests

    # --- generators driven by hand -----------------------------------------------------------------------------

    def _driven(self, place: Driven) -> Examined | Block | None:
        if place.session.through == "registry":
            return self.blocks.right(place.node, "belongs to a scoped registry")
        match place.form:
            case Form.WRONG:
                return self._refuse(place, f"`{ast.unparse(place.node)}`: {place.wrong}")
            case Form.DELEGATED | Form.CLOSED:
                return self.blocks.right(place.node, f"{place.form}")
            case Form.LOOP:
                return self._loop(place)
            case Form.STEP:
                return self._step(place)
            case Form.BLOCK:
                return self._entered(place)
            case Form.VARIABLE:
                return self._variable(place)
        if isinstance(self.scope.parents.of(place.call), ast.Return):
            return None  # a second name for the generator: its callers drive it
        where = str(place.form)
        targets = place.statement.targets if isinstance(place.statement, ast.Assign) else []
        if targets and isinstance(targets[0], ast.Attribute):
            where = f"kept on `{ast.unparse(targets[0])}`"
        reason = f"the generator `{place.name}()` is {where}: nothing closes its session in time"
        return self._refuse(place, reason)

    def _refuse(self, place: Driven, reason: str, advice: str = _AS_BLOCK) -> Finding:
        return self.blocks.manual(place.node, place.statement, reason, advice)

    def _entering(self, place: Driven, leaving: Leaving | None) -> Entering:
        call = place.call
        if call.lineno != call.end_lineno or place.node.lineno != place.node.end_lineno:
            return Entering(None, f"`{place.name}(...)` is called over several lines")
        replacers = replaced_by(place.generator, self.path, dotted(expression(call.func)), self.view.project)
        return entering(place, leaving, self.blocks.openings, self.view.text(call), replacers)

    def _loop(self, place: Driven) -> Examined:
        """`async for session in get_session(): ...`"""
        loop = self.scope.parents.of(place.call)
        assert isinstance(loop, (ast.For, ast.AsyncFor))
        how = shape(self.scope, loop)
        told = f"`{place.name}()` is looped over by hand"
        if how.obstacle:
            return self._refuse(place, f"{told}: {how.obstacle}")
        assert isinstance(loop.target, ast.Name)
        life = self._life_of_loop(place, loop, loop.target.id)
        if how.leaving is not Leaving.END and not life.obstacles:
            self._check_returned(life, loop)
        if life.obstacles:
            return self._refuse(place, f"{told}: {life.obstacles[0].reason}", life.obstacles[0].advice)
        found = self._entering(place, how.leaving)
        if found.opening is None:
            return self._refuse(place, f"{told}: {found.reason}")
        assert found.opening.context is not None
        edits: list[Edit] = [LoopToBlock(self.path, loop.lineno, found.opening.context)]
        edits += [RemoveStatement(self.path, line) for line in how.jumps]
        life.notes.clear()
        header = f"{'async ' if place.is_async else ''}with {found.opening.context}"
        return self._finding(
            place.node,
            loop,
            f"{told} and {how.leaving} -> {header}",
            edits,
            reasons=found.confirm + self.blocks.reasons(life),
            requests=found.opening.requests,
            needs=found.needs,
        )

    def _life_of_loop(self, place: Driven, loop: ast.For | ast.AsyncFor, name: str) -> Lifetime:
        """The life of the session that a loop binds: its uses in the body, and what else is done with it."""
        scope, own = self.scope, set(inside(loop))
        lends = any(isinstance(node, ast.Yield) for one in scope.statements() for node in own_expressions(one))
        life = Lifetime(scope, name, loop, scope.seat(loop), place.is_async, lent=lends)
        body: list[NameUse] = []
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
        life.values = Values(scope, [name], following, is_async=place.is_async)
        if not life.obstacles:
            check_uses(life)
        return life

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
                life.leaves.append(Leave(statement.lineno, f"`{_short(statement.value)}` is returned"))

    def _step(self, place: Driven) -> Examined | Block | None:
        """`session = await anext(get_session())`, `crud(next(get_db()))`"""
        statement, made_here = place.statement, Made(place.node, place.call, place.session)
        told = f"`{place.name}()` is advanced by hand and abandoned"
        if not self.scope.is_function:
            return self._refuse(place, f"{told} at module level: every user of its session shares it")
        inline = False
        match statement:
            case ast.Return(value=value) if value is place.node:
                if self.dependencies.of(self.function):
                    return self._returned_step(place)
                return self._refuse(place, f"{told}, its session is returned: closed under the caller, and opened anew")
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=value)
                | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value)
            ) if value is place.node:
                life = examine(
                    self.scope,
                    statement,
                    name,
                    is_async=place.is_async,
                    tidy=place.is_async or self.view.settings.tidy,
                )
            case ast.Assign(targets=[ast.Attribute() as target]) | ast.AnnAssign(target=ast.Attribute() as target):
                return self._refuse(place, f"{told}, its session is stored on `{ast.unparse(target)}`")
            case _:
                if sum(other.statement is statement for other in self.places) > 1:
                    return self._refuse(place, f"{told}, one of several in one statement")
                inline = True
                life = examine_inline(self.scope, statement, made_here)
        if life.right and not place.is_async:
            return self.blocks.right(place.node, f"{life.right}, although its generator is abandoned")
        if life.right:
            reason = f"{told}: the event loop closes it while the session is in use"
            return self._refuse(place, reason)
        return self._block(place, made_here, life, told, inline=inline)

    def _block(
        self, place: Driven, made_here: Made, life: Lifetime, told: str, *, inline: bool = False
    ) -> Examined | Block:
        if not life.obstacles and any(use.role is Role.YIELDED for use in life.uses):
            life.stop(f"yielded at line {life.uses[-1].line}", life.uses[-1].line, _YIELD)
        found = self.blocks.judged(life, made_here, life.statement)
        if not isinstance(found, Block):
            if isinstance(found, Finding):
                reason = f"{told}: {found.reason}"
                return replace(found, message=reason, reason=reason)
            return found
        way = self._entering(place, None)
        if way.opening is None:
            return self._refuse(place, f"{told}: {way.reason}")
        found.opening, found.needs, found.message = way.opening, way.needs, told
        found.reasons += way.confirm
        return found

    def _returned_step(self, place: Driven) -> Examined:
        """`return next(get_db())` in a function that `Depends` uses."""
        obstacle = self._not_a_generator(place.statement)
        told = f"`{place.name}()` is advanced by hand and abandoned"
        way = self._entering(place, None)
        if obstacle is None and way.opening is None:
            obstacle = Obstacle(way.reason, place.statement.lineno, _AS_BLOCK)
        if obstacle is not None:
            return self._refuse(place, f"{told}; {obstacle.reason}", obstacle.advice)
        lends = place.definition.lends if place.definition is not None else None
        assert way.opening is not None
        requests: tuple[Request, ...] = ()
        if not place.is_async and not self.scope.is_async:
            code, confirm = f"yield from {self.view.text(place.call)}", []
            if lends is not None and lends.after:
                where = f"{place.generator.module}:{lends.after}"
                confirm = [f"what `{place.name}()` does behind its yield ({where}) never ran here, and starts to run"]
        else:
            name, confirm = free_name(self.scope), way.confirm
            code = f"{'async ' if place.is_async else ''}with {way.opening.context} as {name}:\n    yield {name}"
            requests = way.opening.requests
        found = self._generator(
            place.node, place.statement, place.session, [ReplaceStatement(self.path, place.statement.lineno, code)]
        )
        if isinstance(found, Finding) and found.edits:
            reasons = "; ".join([*confirm, found.reason])
            return replace(found, reason=reasons, requests=(*found.requests, *requests), requires_at=way.needs)
        return found

    def _entered(self, place: Driven) -> Examined:
        """`with next(get_db()) as session:`"""
        block = place.statement
        assert isinstance(block, With)
        told = f"`{place.name}()` is advanced by hand and abandoned"
        item = next(item for item in block.items if item.context_expr is place.node)
        if place.is_async != isinstance(block, ast.AsyncWith):
            form = "`async with`" if place.is_async else "`with`"
            return self._refuse(place, f"{told}: its session needs {form}, this raises TypeError")
        if isinstance(item.optional_vars, ast.Name):
            later = widening(self.scope, block, item.optional_vars.id, is_async=place.is_async)
            if later is not None:
                reason = f"{told}: `{later.life.name}` is used at line {later.first_line}, after its block has ended"
                return self._refuse(place, reason, "open a second block for what follows")
        way = self._entering(place, None)
        if way.opening is None:
            return self._refuse(place, f"{told}: {way.reason}")
        assert way.opening.context is not None
        return self._finding(
            place.node,
            block,
            f"{told} -> with {way.opening.context}",
            [ReplaceExpression(self.path, self.view.span(place.node), way.opening.context)],
            reasons=way.confirm,
            requests=way.opening.requests,
            needs=way.needs,
        )

    def _variable(self, place: Driven) -> Examined | Block | None:
        """`gen = get_session()`, advanced by `next(gen)` or `await anext(gen)`."""
        statement = place.statement
        target = statement.targets[0] if isinstance(statement, ast.Assign) else getattr(statement, "target", None)
        assert isinstance(target, ast.Name)
        told = f"`{place.name}()` is driven by hand through `{target.id}`"
        steps: list[NameUse] = []
        closes: list[NameUse] = []
        for use in self.scope.uses(target.id):
            if use.role is Role.BOUND:
                continue
            if self._is_step(use):
                steps.append(use)
            elif use.role is Role.METHOD and use.attribute in ("close", "aclose"):
                closes.append(use)
            elif self._is_closing(use):
                return self.blocks.right(place.node, f"closed by a block (line {use.line})")
            else:
                return self._refuse(place, f"{told}: `{target.id}` is used at line {use.line} in another way")
        if any(self._in_finally(use) and (use.awaited or not place.is_async) for use in closes):
            return self.blocks.right(place.node, "the generator is closed in `finally`")
        again = [use for use in steps[1:] if self._in_finally(use)]
        lends = place.definition.lends if place.definition is not None else None
        if again and lends is not None and lends.after:
            reason = f"its end is run in `finally` (line {again[0].line}): `{lends.after_text}` runs after errors, too"
            return self._refuse(place, f"{told}: {reason}")
        if again:
            return self.blocks.right(place.node, f"the generator is run to its end in `finally` (line {again[0].line})")
        if len(steps) != 1:
            lines = _lines(steps) or str(statement.lineno)
            reason = "never advanced" if not steps else f"advanced at lines {lines}, and not to its end on every path"
            return self._refuse(place, f"{told}: {reason}")
        return self._through_variable(place, statement, steps[0], closes, told)

    def _through_variable(
        self, place: Driven, statement: ast.stmt, step: NameUse, closes: list[NameUse], told: str
    ) -> Examined | Block:
        scope = self.scope
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
        life = examine(scope, bound, name, is_async=place.is_async, tidy=self.view.settings.tidy)
        if life.right:
            return self.blocks.right(place.node, life.right)
        gone = [scope.statement(use.node) for use in closes]
        if not all(isinstance(one, ast.Expr) and scope.seat(one).suite is second.suite for one in gone):
            return self._refuse(place, f"{told}: it is closed on some paths only (line {gone[0].lineno})")
        found = self._block(place, Made(node, place.call, place.session), life, told)
        if isinstance(found, Block):
            found.edits += [RemoveStatement(self.path, one.lineno) for one in (statement, *gone)]
        return found

    def _is_step(self, use: NameUse) -> bool:
        if use.role is Role.METHOD:
            return use.attribute in ("__next__", "__anext__", "send", "asend")
        if use.role is not Role.ARGUMENT or use.call is None or use.position != 0:
            return False
        called = self.scope.callee(use.call)
        return isinstance(called, External) and called.dotted in ("builtins.next", "builtins.anext")

    def _is_closing(self, use: NameUse) -> bool:
        if use.role is not Role.ARGUMENT or use.call is None:
            return False
        called = self.scope.callee(use.call)
        return isinstance(called, External) and called.dotted in ("contextlib.closing", "contextlib.aclosing")

    def _in_finally(self, use: NameUse) -> bool:
        current: ast.stmt | None = self.scope.statement(use.node)
        while current is not None:
            above = self.scope.owner_statement(current)
            if isinstance(above, ast.Try) and self.scope.seat(current).suite is above.finalbody:
                return True
            current = above
        return False

    # --- Depends on what is no dependency ----------------------------------------------------------------------

    def _given_to_depends(self) -> Iterator[Examined]:
        """`Depends(SessionLocal)`, `Depends(get_db())`, `Depends(lambda: SessionLocal())`"""
        for node in self.scope.watched():
            if not isinstance(node, ast.Call) or not is_depends(self.scope.callee(node)):
                continue
            given = [*node.args[:1], *(keyword.value for keyword in node.keywords if keyword.arg == "dependency")]
            for argument in given:
                reason = self._not_a_dependency(argument)
                if reason:
                    advice = self._advised(argument)
                    yield self.blocks.manual(argument, self.scope.statement(node), reason, advice)

    def _not_a_dependency(self, argument: ast.expr) -> str:
        means = self.scope.meaning(argument)
        text = ast.unparse(argument)
        if isinstance(argument, ast.Lambda):
            return f"`Depends` never closes what `{text}` returns" if isinstance(means, MakerMeaning) else ""
        if isinstance(means, MakerMeaning):
            return (
                f"`{text}` is a session factory: FastAPI takes its `local_kw` for a required query parameter, and"
                " nothing closes what it makes"
            )
        if isinstance(argument, (ast.Call, ast.Await)):
            inner = means.value if isinstance(means, (CoroutineMeaning, GeneratorMeaning)) else means
            if isinstance(inner, SessionMeaning):
                return f"`{text}` is called here: `Depends` takes the function itself"
        return ""

    def _advised(self, argument: ast.expr) -> str:
        if isinstance(argument, ast.Call):
            return f"write `Depends({ast.unparse(argument.func)})`"
        made_by = argument
        if isinstance(argument, ast.Lambda) and isinstance(argument.body, ast.Call):
            made_by = argument.body.func
        known = self._known_dependency(made_by)
        if known is not None:
            return f"use `Depends({known.text})` ({known.path}:{known.line})"
        return "write a generator that yields inside of `async with`, and give that to `Depends`"

    def _known_dependency(self, maker: ast.expr) -> Fact | None:
        """A dependency generator of the project over the same factory."""
        wanted = self.scope.meaning(maker)
        project = self.view.project
        for path in project.symbols.paths():
            for definition in project.symbols.all_functions(path):
                lends = definition.lends
                if lends is None or lends.opens is None or definition.decorators or not lends.closes:
                    continue
                if project.meaning(lends.opens, Place(path, definition.qualname)) == wanted:
                    return Fact(path, definition.line, definition.name)
        return None

    # --- findings ----------------------------------------------------------------------------------------------

    def _finding(
        self,
        node: ast.expr,
        anchor: ast.stmt,
        message: str,
        edits: list[Edit],
        *,
        reasons: list[str],
        facts: tuple[Fact, ...] = (),
        requests: tuple[Request, ...] = (),
        needs: tuple[tuple[str, int], ...] = (),
    ) -> Finding:
        site = self.view.site(node, self.scope)
        compound = isinstance(anchor, (With, ast.For, ast.AsyncFor))
        return Finding(
            key=self.blocks.key(site, node if compound else anchor, node),
            rule=NAME,
            site=site,
            level=Level.REVIEW if reasons else Level.SAFE,
            message=message,
            reason="; ".join(reasons),
            facts=facts,
            edits=tuple(edits),
            requests=requests,
            requires_at=needs,
        )


_DETACHED = "what its users loaded is detached where their block ends; until now it stayed attached"


def _word(uses: tuple[Fact, ...], session: SessionMeaning) -> str:
    if uses:
        return "try / except rollback / finally close"
    return "async with" if session.is_async else "with"


def _guard_code(name: str, text: str, is_async: bool) -> str:
    """The practices' form, over a session that `text` makes."""
    waits = "await " if is_async else ""
    return (
        f"{name} = {text}\ntry:\n    yield {name}\nexcept Exception:\n    {waits}{name}.rollback()\n    raise\n"
        f"finally:\n    {waits}{name}.close()"
    )


def _short(node: ast.expr) -> str:
    text = ast.unparse(node)
    return text if len(text) <= 40 else f"{text[:37]}..."


def _lines(uses: list[NameUse]) -> str:
    return ", ".join(str(use.line) for use in uses)
