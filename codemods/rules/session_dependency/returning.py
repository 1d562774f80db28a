"""Functions that return a session to `Depends`, which never closes it: they become generators. Decides only."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace

from codemods.flow.examine import examine
from codemods.flow.inline import free_name
from codemods.flow.lent import Lent, bound_to, lending_form
from codemods.flow.lifetime import Lifetime, Obstacle
from codemods.flow.made import Made, made
from codemods.flow.scope import With, inside
from codemods.flow.widening import left_open
from codemods.plan import (
    ChangeDefinition,
    Edit,
    Examined,
    Finding,
    GuardBlock,
    ReplaceStatement,
    Request,
)
from codemods.project.expressions import annotation, dotted, expression
from codemods.project.link import Place
from codemods.project.name_uses import Role
from codemods.project.sessions import (
    Ownership,
    ScopeMeaning,
    SessionMeaning,
)
from codemods.rules.blocks import Block
from codemods.rules.session_dependency.look import YIELD, Look, guard_code, of_unknown

_RETURNED = (Lent.RETURNED_NAME, Lent.RETURNED_AT_ONCE, Lent.RETURNED_INSIDE)


class Returning:
    """The functions that return a session to `Depends`."""

    def __init__(self, look: Look) -> None:
        self.look = look

    def examine(self) -> Iterator[Examined]:
        """A finding or a `Right` for every session that this dependency makes and returns."""
        scope = self.look.scope
        if not self.look.dependents or not scope.is_function or scope.is_fixture:
            return
        one_of_several: set[ast.stmt] = set()
        for node in scope.watched():
            if isinstance(node, ast.Call):
                found = made(scope, node)
                form = None if found is None else lending_form(scope, found, is_dependency=True)
                if found is None or form not in _RETURNED:
                    continue
                statement = scope.statement(found.node)
                if (right := self.look.of_caller(found)) is not None:
                    yield right
                elif form is Lent.RETURNED_NAME:
                    yield of_unknown(self._returned_name(statement, found), found)
                elif form is Lent.RETURNED_AT_ONCE:
                    yield of_unknown(self._returned(statement, found), found)
                elif form is Lent.RETURNED_INSIDE and statement not in one_of_several:
                    one_of_several.add(statement)
                    yield of_unknown(self._returned_inside(statement, found), found)
            elif isinstance(node, With):
                yield from self._opened(node)

    def _returned_inside(self, statement: ast.stmt, found: Made) -> Finding:
        """`return Repo(F())`, `return F() if primary else G()`"""
        name = self.look.scope.place.qualname
        if isinstance(statement, ast.Return) and isinstance(statement.value, (ast.IfExp, ast.BoolOp)):
            reason = f"`{name}` returns one of several sessions: which one depends on the path"
            return self.look.blocks.manual(
                found.node, statement, reason, "choose the factory first, then yield in a block"
            )
        reason = f"`{name}` returns it inside of something else, and `Depends` never closes that"
        return self.look.blocks.manual(found.node, statement, reason, YIELD)

    def _opened(self, block: ast.With | ast.AsyncWith) -> Iterator[Examined]:
        """A session that is returned out of its own block: closed before its user gets it."""
        for item, name, session in self.look.opened(block):
            out = left_open(self.look.scope, block, name, is_async=session.is_async)
            if out is None or not out.returned:
                continue
            if any(use.role is Role.RETURNED for use in self.look.scope.uses(name)):
                yield self._returned_out(block, item, name, session)
            else:
                yield self.look.blocks.manual(item.context_expr, block, out.reason, out.advice)

    def _returned(self, statement: ast.stmt, found: Made) -> Examined:
        """`return F()`"""
        if found.session.ownership is Ownership.SHARED or found.session.through:
            return self.look.blocks.right(found.node, "belongs to someone else")
        obstacle = self.look.first_obstacle(found, statement) or self.not_a_generator(statement)
        if obstacle is not None:
            undecided = obstacle.undecided
            return self.look.blocks.manual(found.node, statement, obstacle.reason, obstacle.advice, undecided=undecided)
        name = free_name(self.look.scope)
        code = guard_code(name, self.look.view.text(found.node), found.session.is_async)
        edits: list[Edit] = [ReplaceStatement(self.look.path, statement.lineno, code)]
        return self.generator(found.node, statement, found.session, edits)

    def _returned_name(self, statement: ast.stmt, found: Made) -> Examined:
        """`session = F(); ...; return session`"""
        name, value = bound_to(statement)
        if value is not found.node:
            reason = "made only when none is given: who has to close it depends on the caller"
            return self.look.blocks.manual(found.node, statement, reason, YIELD)
        session = found.session
        if session.ownership is Ownership.SHARED or session.through:
            return self.look.blocks.right(found.node, "belongs to someone else")
        life = examine(self.look.scope, statement, name, is_async=session.is_async, lent=True)
        returns = [use for use in life.uses if use.role is Role.RETURNED]
        last = self.look.scope.statement(returns[-1].node) if returns else statement
        if not (isinstance(last, ast.Return) and isinstance(last.value, ast.Name) and len(returns) == 1):
            life.stop("returned in a form that cannot be followed", last.lineno, YIELD)
        if life.seat.suite[-1] is not last:
            life.stop(f"returned at line {last.lineno} under a condition", last.lineno, YIELD)
        if life.right:
            reason = f"{life.right} before its user gets it: what the user does opens it anew"
            life.obstacles.append(Obstacle(reason, last.lineno, YIELD))
        doubt = None if life.obstacles else self.look.bound(found)
        if doubt is not None:
            return self.look.blocks.manual(found.node, statement, doubt.reason, doubt.advice, undecided=True)
        if self.look.scope.is_async or not session.is_async:
            block = self.look.blocks.judged(life, found, statement)
            if not isinstance(block, Block):
                # wherever else it goes, `Depends` does not close what is returned
                return replace(block, undecided=False) if isinstance(block, Finding) else block
        elif life.obstacles or self._awaits(life):
            first = life.obstacles[0] if life.obstacles else Obstacle("used before it is returned", statement.lineno)
            return self.look.blocks.manual(found.node, statement, first.reason, first.advice)
        obstacle = self.not_a_generator(last)
        if obstacle is None and (life.removed or life.dissolved):
            obstacle = Obstacle("closed before its user gets it", statement.lineno, YIELD)
        if obstacle is not None:
            undecided = obstacle.undecided
            return self.look.blocks.manual(found.node, statement, obstacle.reason, obstacle.advice, undecided=undecided)
        suite = life.seat.suite
        first_line = suite[life.seat.index + 1].lineno
        edits: list[Edit] = [
            ReplaceStatement(self.look.path, last.lineno, f"yield {name}"),
            GuardBlock(self.look.path, first_line, last.lineno, session.is_async, name),
        ]
        return self.generator(found.node, statement, session, edits)

    def _awaits(self, life: Lifetime) -> bool:
        """Whether a function that is not async does anything with its async session but returning it."""
        return any(use.role is not Role.RETURNED for use in life.uses)

    def _returned_out(
        self, block: ast.With | ast.AsyncWith, item: ast.withitem, name: str, session: SessionMeaning
    ) -> Examined:
        """`async with F() as session: return session`: closed before its user gets it, and opened anew by the use."""
        node = item.context_expr
        uses = [use for use in self.look.scope.uses(name) if use.role is Role.RETURNED]
        last = self.look.scope.statement(uses[-1].node)
        plain = isinstance(last, ast.Return) and isinstance(last.value, ast.Name)
        obstacle = self.not_a_generator(last, block)
        told = self.look.blocks.bound(node, session)
        if obstacle is None and told is not None:
            obstacle = told.obstacle
        if obstacle is None and not (plain and len(uses) == 1 and last in set(inside(block))):
            obstacle = Obstacle("returned in a form that cannot be followed", last.lineno, YIELD)
        if obstacle is not None:
            reason = f"returned out of the block that closes it; {obstacle.reason}"
            undecided = told is not None and obstacle is told.obstacle
            return self.look.blocks.manual(node, block, reason, obstacle.advice, undecided=undecided)
        edits: list[Edit] = [ReplaceStatement(self.look.path, last.lineno, f"yield {name}")]
        return self.generator(node, block, session, edits)

    def not_a_generator(self, last: ast.stmt, within: ast.With | ast.AsyncWith | None = None) -> Obstacle | None:
        """Why this function cannot yield what it returns at `last`; `within` is the block that opens it."""
        scope = self.look.scope
        assert isinstance(scope.node, (ast.FunctionDef, ast.AsyncFunctionDef))
        returns = [one for one in scope.statements() if isinstance(one, ast.Return)]
        if len(returns) > 1:
            lines = ", ".join(str(one.lineno) for one in returns)
            return Obstacle(f"it returns at several places (lines {lines})", last.lineno, YIELD)
        owner = scope.owner_statement(last)
        if owner is not None and owner is not within:
            how = "inside of another block" if isinstance(owner, With) else "under a condition"
            return Obstacle(f"returned at line {last.lineno} {how}", last.lineno, YIELD)
        if within is not None:
            if scope.owner_statement(within) is not None or len(within.items) != 1:
                reason = f"its block at line {within.lineno} holds more open, or stands in another one"
                return Obstacle(reason, within.lineno, YIELD)
            means = scope.meaning(within.items[0].context_expr)
            if isinstance(means, ScopeMeaning) and means.commits:
                return Obstacle(f"the block at line {within.lineno} commits at its end", within.lineno, YIELD)
        if scope.node.name == "__call__":
            return Obstacle("an object that is called gives it: who else calls it cannot be seen", last.lineno, YIELD)
        plain = {"staticmethod", "classmethod"}
        odd = [one for one in scope.node.decorator_list if dotted(expression(one)) not in plain]
        if odd:
            reason = f"`{scope.node.name}` is decorated with `{ast.unparse(odd[0])}`"
            return Obstacle(reason, odd[0].lineno, YIELD, undecided=True)  # which may close what it returns
        if overrides := self.look.view.project.overrides(self.look.function):
            other = overrides[0]
            return Obstacle(f"`{other.qualname}` ({other.module}) overrides it", last.lineno, YIELD)
        dependencies, function = self.look.dependencies, self.look.function
        others = dependencies.other_uses(function) + dependencies.possible_uses(function)
        if others:
            places = ", ".join(f"{fact.path}:{fact.line}" for fact in others[:3])
            more = f" and {len(others) - 3} more" if len(others) > 3 else ""
            reason = f"`{scope.node.name}` is used directly at {places}{more}: a generator would not do there"
            return Obstacle(reason, last.lineno, "give those callers a block of their own first")
        return None

    def generator(self, node: ast.expr, anchor: ast.stmt, session: SessionMeaning, edits: list[Edit]) -> Examined:
        """The function becomes a generator dependency: `def` and annotation follow."""
        definition = self.look.scope.node
        assert isinstance(definition, (ast.FunctionDef, ast.AsyncFunctionDef))
        requests: tuple[Request, ...] = ()
        is_async = session.is_async or self.look.scope.is_async
        returns = None
        if definition.returns is not None:
            annotated = self._iterator(definition.returns, is_async=is_async)
            if annotated is None:
                reason = "its return annotation cannot be made that of a generator: the name is taken"
                return self.look.blocks.manual(node, anchor, reason, YIELD)
            returns, requests = annotated
        if returns or (is_async and not self.look.scope.is_async):
            edits = [*edits, ChangeDefinition(self.look.path, definition.lineno, is_async, returns)]
        uses = self.look.dependencies.of(self.look.function)
        reasons = self.look.users(lent=False)
        confirm = f"every use of `{definition.name}` in view is a `Depends`; a caller out of view would get a generator"
        message = f"`Depends` never closes what `{definition.name}` returns -> a generator that closes it"
        return self.look.finding(
            node, anchor, message, edits, reasons=[confirm, *reasons], facts=uses[:1], requests=requests
        )

    def _iterator(self, returns: ast.expr, *, is_async: bool) -> tuple[str | None, tuple[Request, ...]] | None:
        """`AsyncIterator[X]` for the annotation `X` of a session; (None, ()) for others; None: cannot be written."""
        told = annotation(returns)
        outside = Place(self.look.path, self.look.scope.place.qualname.rpartition(".")[0])
        if told is None or not isinstance(self.look.view.project.declared(told, outside), SessionMeaning):
            return None, ()
        name = "AsyncIterator" if is_async else "Iterator"
        line = getattr(self.look.scope.node, "lineno", 0)
        standard = self.look.blocks.openings.standard("collections.abc", name, "typing", above=line)
        if standard is None or returns.lineno != returns.end_lineno:
            return None
        written, requests = standard
        if isinstance(returns, ast.Constant) and isinstance(returns.value, str):
            return f'"{written}[{returns.value}]"', requests
        return f"{written}[{self.look.view.text(returns)}]", requests
