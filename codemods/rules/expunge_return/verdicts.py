"""What the rule says of one return: right, left alone, or the finding with its edits and what to confirm."""

from __future__ import annotations

import ast
from dataclasses import dataclass, replace

from codemods.flow.objects.record import Exit, Record, Session
from codemods.flow.objects.values import How
from codemods.flow.objects.world import World
from codemods.flow.scope import Scope
from codemods.flow.session_end import Around
from codemods.plan import Edit, Examined, Fact, Finding, InsertAfter, InsertBefore, Level, NameReturned, Right, Site
from codemods.project.expressions import dotted, expression, shown
from codemods.project.openers import replaced_by
from codemods.rules.base import Keys, ModuleView
from codemods.rules.expunge_return.forms import code, free, singular
from codemods.rules.expunge_return.origins import own_origins
from codemods.rules.expunge_return.refusals import Refused
from codemods.rules.expunge_return.targets import Leaving


@dataclass(frozen=True, slots=True, eq=False)
class Verdicts:
    """Speaks for the rule of one `return`: the expression `node`, the number `ordinal` among those of its text."""

    view: ModuleView
    scope: Scope
    keys: Keys
    rule: str
    record: Record
    left: Exit
    node: ast.expr
    ordinal: int

    def right(self, why: str) -> Right:
        return Right(self.rule, self._site(), why)

    def manual(self, refused: Refused) -> Finding:
        """A return that is left alone."""
        site, reason = self._site(), refused.reason
        advice, undecided = refused.advice, refused.undecided
        return Finding(
            self._key(site), self.rule, site, Level.MANUAL, reason, reason=reason, advice=advice, undecided=undecided
        )

    def made(self, session: Session, where: Around, world: World, found: Leaving) -> Examined:
        """A return before which something is expunged, unless the end of the block has more to do with it."""
        # what a `finally` behind the `return` changes is written by the end of the block, too
        wrote = next((w.sessions[session.number].wrote for w in (world, self.left.after) if _wrote(w, session)), 0)
        reasons: list[str] = []
        if where.commits:
            if wrote:
                commit = "a commit" if session.may_not_commit else "the commit"
                reason = (
                    f"{commit} at the end (line {where.commits}) may write what line {wrote} may have changed:"
                    " expunged, it would be lost"
                )
                return self.manual(Refused(reason, "commit before the return"))
            ends = "may end" if session.may_not_commit else "ends"
            reasons.append(
                f"the block of line {where.commits} {ends} with a commit; nothing is left to write then, as far as seen"
            )
        if self.view.settings.expunge == "needed" and not (where.commits and session.expire_on_commit is not False):
            return self.right("the end of the block detaches it: an expunge would change nothing")
        if found.changed:
            what = self.node.id if isinstance(self.node, ast.Name) else "what is returned"
            reasons.append(
                f"`{what}` is changed at line {found.changed} and nothing writes that before the block ends:"
                " it is lost, with the expunge or without it"
            )
        if not session.plain and not session.commits:
            if wrote:
                reason = (
                    "what the context manager does at its end is not all in view: it may write what"
                    f" line {wrote} may have changed"
                )
                return self.manual(Refused(reason, "commit before the return"))
            reasons.append("what the context manager does at its end beside closing is not all in view")
        reasons += self._declared()
        if replacers := self._replacers(session):
            reasons.append(
                f"tests replace the factory ({replacers[0].path}:{replacers[0].line}): see that they still hold"
            )
        what = "everything in the session is" if found.everything else _told(found)
        site = self._site()
        return Finding(
            key=self._key(site),
            rule=self.rule,
            site=site,
            level=Level.REVIEW if reasons else Level.SAFE,
            message=f"`{shown(self.node)}` leaves the block of `{session.name}` -> {what} expunged before",
            reason="; ".join(reasons),
            edits=self._edits(session, where, found),
            requires=(where.needs,) if where.needs else (),
        )

    def _declared(self) -> list[str]:
        """What is returned comes from a function that is not followed."""
        for one in own_origins(self.left.value, self.record):
            if one.how is How.DECLARED:
                class_ = one.class_.qualname if one.class_ is not None else ""
                return [f"`{one.what}` is only declared to give `{class_}`: it is not followed"]
        return []

    def _edits(self, session: Session, where: Around, found: Leaving) -> tuple[Edit, ...]:
        path, line = self.view.source.path, self.left.statement.lineno
        name = free(found.name_it, self.scope) if found.name_it else ""
        lines: list[str] = []
        if found.everything:
            lines.append(f"{session.name}.expunge_all()")
        else:
            for target in found.targets:
                named = replace(target, name=target.name or name)
                taken = [name, named.name]
                element = free(singular(target.class_), self.scope, taken) if target.many else ""
                lines.append(code(named, session.name, element))
        text = "\n".join(lines)
        if not where.inside:
            assert where.end is not None
            return (InsertAfter(path, where.end.lineno, text),)
        if name:
            return (NameReturned(path, line, name, text),)
        return (InsertBefore(path, line, text),)

    def _replacers(self, session: Session) -> tuple[Fact, ...]:
        """The tests that put something else in the place of the session's factory: a mock has an async `expunge`."""
        call = session.node.value if isinstance(session.node, ast.Await) else session.node
        if not isinstance(call, ast.Call):
            return ()
        text = dotted(expression(call.func))
        return replaced_by(self.scope.meaning(call.func), self.view.source.path, text, self.view.project)

    def _site(self) -> Site:
        return self.view.site(self.node, self.scope)

    def _key(self, site: Site) -> str:
        return self.keys.key(site, self.left.statement, self.ordinal)


def _wrote(world: World, session: Session) -> bool:
    return session.number in world.sessions and bool(world.sessions[session.number].wrote)


def _told(found: Leaving) -> str:
    many = any(target.many for target in found.targets) or len(found.targets) > 1
    return "they are" if many else "it is"
