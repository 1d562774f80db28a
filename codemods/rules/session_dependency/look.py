"""What this rule sees of one scope, and how it speaks of it. Shared by its parts; decides no form."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property

from codemods.flow.bound_session import OF_CALLER
from codemods.flow.driving import Driven
from codemods.flow.lifetime import Obstacle
from codemods.flow.made import Made
from codemods.flow.scope import Scope, With
from codemods.plan import (
    Edit,
    Examined,
    Fact,
    Finding,
    Level,
    Request,
    Right,
)
from codemods.project.keeping import Fate
from codemods.project.name_uses import NameUse, Role
from codemods.project.receiving import outlives, received
from codemods.project.sessions import (
    FunctionMeaning,
    GeneratorMeaning,
    Ownership,
    ScopeMeaning,
    SessionMeaning,
)
from codemods.rules.base import Keys, ModuleView
from codemods.rules.blocks import Blocks

NAME = "session-dependency"
AS_BLOCK = "enter the generator as a context manager, or open a session of its own with a block"
YIELD = "yield the session inside of `async with`, so that it is closed on every path"
DETACHED = "what its users loaded is detached where their block ends; until now it stayed attached"


class Look:
    """One function, module or class body, with the places in it that drive a generator by hand."""

    def __init__(self, view: ModuleView, scope: Scope, keys: Keys, places: Sequence[Driven]) -> None:
        self.view = view
        self.scope = scope
        self.path = view.source.path
        self.function = FunctionMeaning(self.path, scope.place.qualname)
        self.dependencies = view.customs.dependencies
        self.places = places
        counts: dict[str, int] = {}
        ordinals: dict[ast.expr, int] = {}
        for place in places:
            text = ast.unparse(place.node)
            counts[text] = ordinals[place.node] = counts.get(text, 0) + 1
        self.blocks = Blocks(view, scope, keys, NAME, ordinals)

    @cached_property
    def dependents(self) -> tuple[Fact, ...]:
        """The places where this function is given to `Depends`."""
        return self.dependencies.of(self.function)

    def opened(self, block: ast.With | ast.AsyncWith) -> Iterator[tuple[ast.withitem, str, SessionMeaning]]:
        """The sessions that a block of the right kind opens, each with its item and its name."""
        for item in block.items:
            means = self.scope.meaning(item.context_expr)
            session = means.value if isinstance(means, ScopeMeaning) else means
            if not isinstance(session, SessionMeaning) or not isinstance(item.optional_vars, ast.Name):
                continue
            is_async = means.is_async if isinstance(means, ScopeMeaning) else session.is_async
            if session.through != "generator" and is_async == isinstance(block, ast.AsyncWith):
                yield item, item.optional_vars.id, session

    def first_obstacle(self, found: Made, statement: ast.stmt) -> Obstacle | None:
        """What stands in the way of rewriting one statement that makes a session and gives it away."""
        session, line = found.session, statement.lineno
        if session.ownership is not Ownership.FRESH or session.optional:
            return Obstacle(f"`{found.called}()` may give a session that someone else holds", line)
        if session.own_exit:
            return Obstacle(f"its class has a `{session.own_exit}()` of its own, which would run at the end", line)
        if found.node.lineno != found.node.end_lineno or statement.lineno != statement.end_lineno:
            return Obstacle("made in an expression of several lines", line)
        return self.bound(found)

    def bound(self, found: Made) -> Obstacle | None:
        """Why a session must not be closed where nothing did: it is bound to a connection, or may be."""
        told = self.blocks.bound(found.node, found.session)
        return told.obstacle if told is not None else None

    def of_caller(self, found: Made) -> Right | None:
        """Of a session that a caller's connection is given to: it takes none that would have to be given back."""
        told = self.blocks.bound(found.node, found.session)
        return self.blocks.right(found.node, OF_CALLER) if told is not None and told.right else None

    def users(self, *, lent: bool) -> list[str]:
        """What those who receive the session do with it: a task that outlives it, or something that may be one."""
        reasons: list[str] = []
        for one in received(self.function, self.dependencies, self.view.project):
            fact = one.fate.fact or one.receiver.fact
            where = f"{fact.path}:{fact.line}"
            if one.fate.fate is Fate.SCHEDULED:
                reasons.append(
                    f"its session goes to a task ({where}): FastAPI 0.106 to 0.117 run it after the close, and what it"
                    " changes on objects of the request is lost then without an error"
                )
                continue
            if outlives(one.fate.fate):
                reasons.append(f"{where} keeps it: it is closed when the request is over")
            if one.schedules is not None:
                reasons.append(
                    f"{one.schedules.path}:{one.schedules.line} schedules a task: see that it needs nothing that is"
                    " still attached"
                )
            if one.streams is not None:
                reasons.append(
                    f"{one.streams.path}:{one.streams.line} streams a response: FastAPI 0.106 to 0.117 close its"
                    " session before it is sent"
                )
        reasons = list(dict.fromkeys(reasons))
        if lent:
            reasons += [
                f"{fact.path}:{fact.line} uses it, too: what is loaded there is detached when the session is closed"
                for fact in self.entered_by_others()
            ]
        return reasons[:2]

    def entered_by_others(self) -> list[Fact]:
        """The places that take the generator for a context manager, or hand it on."""
        by_hand = {(path, line) for _, path, line in self.driven_once()}
        return [fact for fact in self.dependencies.other_uses(self.function) if (fact.path, fact.line) not in by_hand]

    def driven_once(self) -> tuple[tuple[str, str, int], ...]:
        """The places that drive this generator by hand: closing it closes the session under them (semantics B8).

        Each of them has to be right, or to change in the same run. Whatever is done with the generator that a call
        gives counts, but for handing it through: `yield from get_session()`, `return get_session()`.
        """
        if not isinstance(self.view.project.called(self.function), GeneratorMeaning):
            return ()  # a context manager is entered
        return tuple(
            (NAME, mention.path, mention.line)
            for mention in self.dependencies.mentions(self.function)
            if mention.called and mention.role not in (Role.YIELDED, Role.RETURNED)
        )

    def finding(
        self,
        node: ast.expr,
        anchor: ast.stmt,
        message: str,
        edits: list[Edit],
        *,
        reasons: list[str],
        facts: tuple[Fact, ...] = (),
        requests: tuple[Request, ...] = (),
        needs: tuple[tuple[str, str, int], ...] = (),
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


def of_unknown(examined: Examined, found: Made) -> Examined:
    """What was said of a session. Nothing is wrong with one that somebody else may hold, as far as can be told."""
    if isinstance(examined, Finding) and not examined.edits and found.session.ownership is Ownership.UNKNOWN:
        return replace(examined, undecided=True)
    return examined


def guard_code(name: str, text: str, is_async: bool) -> str:
    """The practices' form, over a session that `text` makes."""
    waits = "await " if is_async else ""
    return (
        f"{name} = {text}\ntry:\n    yield {name}\nexcept Exception:\n    {waits}{name}.rollback()\n    raise\n"
        f"finally:\n    {waits}{name}.close()"
    )


def lines_of(uses: list[NameUse]) -> str:
    """The lines of the uses, as people read them."""
    return ", ".join(str(use.line) for use in uses)
