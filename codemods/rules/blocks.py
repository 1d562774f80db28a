"""From the life of one session to a finding: the block that is opened for it, or why none is. What rules share.

Decides levels and reasons; edits nothing. A `Blocks` speaks for one rule in one scope.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from codemods.flow.bound_session import Told, bound_told
from codemods.flow.inline import free_name
from codemods.flow.lifetime import HAND_OVER, Closed, Lifetime, Obstacle
from codemods.flow.made import Made
from codemods.flow.moving import movable
from codemods.flow.opening import AS_WRITTEN, Opening, Openings
from codemods.flow.optional import falsy_is_none
from codemods.flow.scope import Scope, With
from codemods.plan import (
    DissolveBlock,
    DissolveTry,
    Edit,
    Examined,
    Fact,
    Finding,
    Level,
    OpenBlock,
    RemoveStatement,
    ReplaceExpression,
    Right,
    Site,
)
from codemods.project.name_uses import Role
from codemods.project.openers import replaced_by
from codemods.project.sessions import FunctionMeaning, Ownership, SessionMeaning
from codemods.rules.base import Keys, ModuleView
from codemods.rules.object_session import object_session_reader

WHOSE = "see what it gives: one that it makes belongs into a block, one that someone else holds does not"
TASKS = "task-arguments"  # the rule that takes the session from tasks
IN_A_BLOCK = "open the session with a block around the statements that use it"


@dataclass(slots=True, eq=False)
class Block:
    """A block that could be opened, before blocks of one scope are fitted into each other.

    `opening` says how, where that is not for `Openings` to find; `reasons` are more for a person to confirm; `edits`
    come along.
    """

    life: Lifetime
    made: Made
    first: int
    last: int
    opening: Opening | None = None
    reasons: list[str] = field(default_factory=list)
    edits: list[Edit] = field(default_factory=list)
    told_of: ast.expr | None = None  # the expression that people are told of, where it is not what makes the session
    needs: tuple[tuple[str, str, int], ...] = ()  # (rule, path, line) of places that have to change in the same run
    message: str = ""  # in place of the usual one; what opens the block follows it
    unless: str = ""  # why there is no block, when one of those places stays as it is


class Blocks:
    """The findings of one rule about the sessions of one function, module or class body.

    `ordinals` says which of its like an expression is, for keys that stay the same when another one is changed.
    `aspect` says which part of the rule is about an expression, where the rule has several.
    """

    def __init__(
        self,
        view: ModuleView,
        scope: Scope,
        keys: Keys,
        rule: str,
        ordinals: Mapping[ast.expr, int] | None = None,
        aspect: Callable[[ast.expr], str] = lambda node: "",
    ) -> None:
        self.view = view
        self.scope = scope
        self.keys = keys
        self.rule = rule
        self.ordinals = ordinals if ordinals is not None else {}
        self.aspect = aspect
        self.openings = Openings(scope, view.tree, view.source, view.customs.openers, view.settings.scope)

    # --- deciding ----------------------------------------------------------------------------------------------

    def judged(self, life: Lifetime, made: Made, statement: ast.stmt) -> Examined | Block:
        """A block, unless something stands in the way of one."""
        scope, session = self.scope, made.session
        text = f"`{made.called}()`" if made.called else "what makes it"
        if session.own_exit:
            reason = f"its class has a `{session.own_exit}()` of its own, which would run at the end of a block"
            life.obstacles.insert(0, Obstacle(reason, statement.lineno))
        if session.optional and any(use.role is not Role.METHOD for use in life.uses):
            life.obstacles.insert(0, Obstacle(f"{text} may give None instead of a session", statement.lineno))
        if session.ownership is Ownership.UNKNOWN:
            life.obstacles.insert(
                0, Obstacle(f"{text} may give a session that someone else holds", statement.lineno, WHOSE)
            )
        version = self.view.settings.sqlalchemy
        if version is not None and version < (1, 4):
            reason = (
                f"sessions are context managers from SQLAlchemy 1.4 on; the project declares {version[0]}.{version[1]}"
            )
            life.obstacles.insert(0, Obstacle(reason, statement.lineno, "close it in `finally`"))
        stopped_early = bool(life.obstacles) and life.values is None
        if session.is_async and not scope.is_async and not stopped_early:
            away = next((one for one in life.obstacles if one.advice == HAND_OVER), None)
            if away is not None:  # closing it is not up to this function, async or not
                life.obstacles.insert(0, away)
            else:
                reason = "an async session in a function that is not async: it cannot be awaited here"
                life.obstacles.insert(0, Obstacle(reason, statement.lineno, "make the function async"))
        if not life.obstacles and life.first is None:
            reason = "never used: it holds no connection"
            # a function of the project may be called for what else it does
            alone = isinstance(scope.callee(made.call), FunctionMeaning)
            advice = "see what else it is called for: a call that does nothing more can go"
            life.obstacles.append(Obstacle(reason, statement.lineno, advice if alone else "delete the line"))
        if not session.is_async and life.leaves:
            leave = life.leaves[0]
            reason = (
                f"{leave.text} (line {leave.line}): objects of a sync session load lazily as long as it lives,"
                " in a block they no longer would"
            )
            life.obstacles.append(Obstacle(reason, leave.line, "load what is read later, then open a block by hand"))
        if life.leaves and (reader := object_session_reader(view=self.view, scope=scope, life=life)):
            reason = (
                f"its objects leave the function, and {reader} asks an object for its session: one that left a"
                " block has none, and it is not told that none of these gets there"
            )
            life.obstacles.append(Obstacle(reason, life.leaves[0].line, "load eagerly what is read there"))
        if life.closed is not Closed.BY_HAND and (told := self.bound(made.node, session)):
            # one that a `finally` closes already rolls back no more in a block
            life.obstacles.append(told.obstacle)
        if life.obstacles:
            worst = life.obstacles[0]
            undecided = worst.undecided or session.ownership is Ownership.UNKNOWN
            return self.manual(made.node, statement, worst.reason, worst.advice, undecided=undecided)
        assert life.first is not None
        assert life.last is not None
        stays = life.inline or life.late
        first = life.first if stays or movable(made, life) else life.seat.index + 1
        return Block(life, made, first, life.last)

    def sites(self, life: Lifetime) -> dict[int, ast.Call]:
        """The calls by which the function runs something later with this session, and at which another rule looks, by
        their lines.

        Without that rule the block would lose what the task writes, in silence (semantics E6).
        """
        lines = {one.scheduled for one in life.obstacles if one.scheduled}
        if TASKS not in self.view.running or not lines:
            return {}
        known = {
            site.line: site.scheduling.call
            for site in self.view.tasks.sites(self.view.source.path)
            if site.line in lines and site.scope.place == self.scope.place and site.is_carrying
        }
        return {line: self._own(call) for line, call in known.items()}

    def _own(self, call: ast.Call) -> ast.Call:
        """The same call in the tree of this scope."""
        place = (call.lineno, call.col_offset, call.end_lineno, call.end_col_offset)
        return next(
            node
            for node in self.scope.watched()
            if isinstance(node, ast.Call)
            and (node.lineno, node.col_offset, node.end_lineno, node.end_col_offset) == place
        )

    def bound(self, node: ast.expr, session: SessionMeaning) -> Told | None:
        """What is said of the session that `node` gives, where it is bound to a connection, or may be."""
        return bound_told(self.scope, node, session, self.scopes_of)

    def scopes_of(self, path: str) -> Sequence[Scope]:
        """All scopes of a file; none for one that is not in view."""
        there = self.view if path == self.view.source.path else self.view.beside(path)
        return there.scopes if there is not None else ()

    def right(self, node: ast.expr, why: str) -> Right:
        return Right(self.rule, self.view.site(node, self.scope), why, self.aspect(node))

    def manual(
        self,
        node: ast.expr,
        anchor: ast.stmt,
        reason: str,
        advice: str,
        *,
        indifferent: bool = False,
        undecided: bool = False,
    ) -> Finding:
        """A place that is left alone. `undecided`: it may be right, for all that can be seen."""
        site = self.view.site(node, self.scope)
        anchored: ast.AST = node if isinstance(anchor, (With, ast.For, ast.AsyncFor)) else anchor
        if isinstance(anchor, (ast.If, ast.While, ast.Try, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            anchored = node
        key = self.key(site, anchored, node)
        return Finding(
            key,
            self.rule,
            site,
            Level.MANUAL,
            reason,
            reason=reason,
            advice=advice,
            indifferent=indifferent,
            aspect=self.aspect(node),
            undecided=undecided,
        )

    def key(self, site: Site, anchor: ast.AST, node: ast.expr) -> str:
        return self.keys.key(site, anchor, self.ordinals.get(node, 1))

    def reasons(self, life: Lifetime) -> list[str]:
        """What a person should confirm before taking the block."""
        reasons = []
        if life.leaves:
            leave = life.leaves[0]
            reasons.append(
                f"{leave.text} (line {leave.line}) and is detached then: what was not loaded can no longer be loaded"
            )
        reasons += [f"line {note.line}: {note.text}" for note in life.notes[:2]]
        return reasons

    def open(self, block: Block) -> Finding:
        view, life, made = self.view, block.life, block.made
        path, suite = view.source.path, life.seat.suite
        statement = life.statement
        replacers: tuple[Fact, ...] = ()
        opening = block.opening
        if opening is None:
            replacers = replaced_by(self.scope.meaning(made.call.func), path, made.called, view.project)
            # a function that is a dependency stays the one that is called: whoever calls it keeps it what it is
            called = self.scope.callee(made.call)
            kept = isinstance(called, FunctionMeaning) and bool(view.customs.dependencies.of(called))
            opening = AS_WRITTEN if replacers or kept else self.openings.opening(made)
        context, requests = opening.context, opening.requests
        reasons = self.reasons(life) + block.reasons
        if replacers:
            reasons.append(
                f"tests replace the factory ({replacers[0].path}:{replacers[0].line}): see that they still hold"
            )
        name: str | None = life.name
        if life.late:
            context, requests, name = life.name, (), None
        elif life.inline:
            context = context or view.text(made.node)
        elif life.given:
            nothing, more = self.openings.nullcontext() or ("nullcontext", ())
            own = context or view.text(made.node)
            test = life.name if falsy_is_none(life) else f"{life.name} is not None"
            context = f"({nothing}({life.name}) if {test} else {own})"
            requests = (*requests, *more)
        edits: list[Edit] = [
            OpenBlock(
                path=path,
                creation=None if life.inline or life.late else (life.branch or statement).lineno,
                first=suite[block.first].lineno,
                last=suite[block.last].lineno,
                is_async=made.session.is_async,
                name=name,
                context=context,
            )
        ]
        if life.inline:
            edits.append(ReplaceExpression(path, view.span(made.node), life.name))
        edits += [RemoveStatement(path, close.lineno) for close in life.removed]
        edits += [DissolveBlock(path, entered.lineno) for entered in life.entered]
        edits += block.edits
        if life.dissolved is not None:
            guard, close = life.dissolved
            edits.append(DissolveTry(path, guard.lineno, (close.lineno,)))
        for gone in (statement, *life.removed):
            if isinstance(gone, ast.AnnAssign):
                requests = (*requests, *self.openings.annotation_imports(gone.annotation))
        node = block.told_of or made.node
        site = view.site(node, self.scope)
        header = f"{'async ' if made.session.is_async else ''}with {context or ast.unparse(made.node)}"
        return Finding(
            key=self.key(site, statement, node),
            rule=self.rule,
            site=site,
            level=Level.REVIEW if reasons else Level.SAFE,
            message=f"{block.message or f'session made at line {statement.lineno} is {life.closed}'} -> {header}",
            reason="; ".join(reasons),
            facts=replacers,
            edits=tuple(edits),
            requests=tuple(requests),
            requires_at=block.needs,
            unless=block.unless,
            aspect=self.aspect(node),
        )

    def fitted(self, blocks: list[Block]) -> Iterator[Finding]:
        """A finding for each block, once those of one suite are fitted into each other."""
        self._name_apart(blocks)
        crossing = _fit(blocks)
        for block in blocks:
            if block in crossing:
                reason = f"its uses cross those of another session (line {crossing[block]})"
                yield self.manual(block.made.node, block.life.statement, reason, IN_A_BLOCK)
            else:
                yield self.open(block)

    def _name_apart(self, blocks: list[Block]) -> None:
        """A block inside of another one needs a name of its own."""
        inline = [block for block in blocks if block.life.inline]
        for place, block in enumerate(inline):
            outer = [
                other.life.name
                for other in inline[:place]
                if other.life.seat.suite is block.life.seat.suite and other.last >= block.first
            ]
            if block.life.name in outer:
                block.life.name = free_name(self.scope, outer)


def _fit(blocks: list[Block]) -> dict[Block, int]:
    """Blocks in one suite must lie apart or in each other: the earlier one is widened over the later one.

    Gives those that cannot be fitted, with the line of the other session.
    """
    crossing: dict[Block, int] = {}
    changed = True
    while changed:
        changed = False
        for outer in blocks:
            for inner in blocks:
                if outer is inner or outer.life.seat.suite is not inner.life.seat.suite:
                    continue
                if not (outer.first < inner.first <= outer.last < inner.last):
                    continue
                if _ends_at_close(outer):
                    crossing.setdefault(outer, inner.life.statement.lineno)
                    crossing.setdefault(inner, outer.life.statement.lineno)
                else:
                    outer.last = inner.last
                    changed = True
    return crossing


def _ends_at_close(block: Block) -> bool:
    if block.life.dissolved is not None or block.life.entered:
        return True
    suite = block.life.seat.suite
    return any(block.life.scope.seat(close).suite is suite for close in block.life.removed)
