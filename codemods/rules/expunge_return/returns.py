"""The returns of one function: which of them let entities out of a session, and what becomes of each. Edits nothing."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import replace

from codemods.flow.objects.interpret import run
from codemods.flow.objects.record import Exit, Session
from codemods.flow.objects.sight import has_session
from codemods.flow.objects.values import (
    Closure,
    How,
    Later,
    Origin,
    Query,
    Result,
    SessionValue,
    Value,
    objects,
    sessions,
)
from codemods.flow.objects.world import World
from codemods.flow.scope import Scope
from codemods.flow.session_end import Around, Names, around, planned
from codemods.flow.values import gives_plain
from codemods.plan import Edit, Examined, Fact, Finding, InsertAfter, InsertBefore, Level, NameReturned, Right, Site
from codemods.project.expressions import dotted, expression
from codemods.project.openers import replaced_by
from codemods.project.sessions import FunctionMeaning
from codemods.rules.base import Keys, ModuleView
from codemods.rules.expunge_return.expunged import is_emptied_above, is_expunged_above
from codemods.rules.expunge_return.forms import code, free, singular
from codemods.rules.expunge_return.targets import Leaving, Refused, Targets, never_added, own_origins, untold


class Returns:
    """Examines one function."""

    def __init__(self, view: ModuleView, scope: Scope, keys: Keys, rule: str) -> None:
        self.view = view
        self.scope = scope
        self.keys = keys
        self.rule = rule

    def examine(self) -> Iterator[Examined]:
        if not self._may_say_something():
            return
        self.record = run(self.scope, self.view.summaries, planned(self.scope, self.view.decided))
        self._placed: dict[int, set[str]] = {}  # by the line of a block's end: the names that are expunged there
        for statement, ordinal in self._returns():
            found = self.record.exits.get(statement)
            if found is not None and statement.value is not None:
                yield from self._examined(found, statement.value, ordinal)

    def _may_say_something(self) -> bool:
        """Whether a session is in sight at all, and something is returned."""
        if not any(one.value is not None for one, _ in self._returns()):
            return False
        if any(isinstance(node, (ast.Yield, ast.YieldFrom)) for node in self._own_nodes()):
            return False
        return has_session(self.scope)

    def _own_nodes(self) -> Iterator[ast.AST]:
        waiting: list[ast.AST] = list(ast.iter_child_nodes(self.scope.node))
        while waiting:
            node = waiting.pop()
            yield node
            if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)):
                waiting += list(ast.iter_child_nodes(node))

    def _returns(self) -> list[tuple[ast.Return, int]]:
        """The returns of the function in order, each with its number among those of the same text."""
        counts: dict[str, int] = {}
        found = []
        for statement in self.scope.statements():
            if isinstance(statement, ast.Return):
                text = ast.unparse(statement)
                counts[text] = counts.get(text, 0) + 1
                found.append((statement, counts[text]))
        return found

    # --- one return ----------------------------------------------------------------------------------------------

    def _examined(self, left: Exit, node: ast.expr, ordinal: int) -> Iterator[Examined]:
        given = left.value
        if any(isinstance(one, Later) for one in given):
            return  # a coroutine that runs on a closed session: a matter of `session-scope`
        if unread := self._unread(given):
            reason = f"{unread} is returned unread: its rows are read after the block"
            late = Refused(reason, "read it before the return")
            yield self._manual(left.statement, node, ordinal, late)
            return
        own = own_origins(given, self.record)
        if not own:
            yield from self._without_own(given, node, left, ordinal)
            return
        numbers = set(own.values())
        if len(numbers) > 1:
            two = Refused("it is loaded in one of two sessions, or in both", "expunge it where it is loaded")
            yield self._manual(left.statement, node, ordinal, two)
            return
        if any(0 < self._number(one.origin) not in numbers for one in objects(given)):
            mixed = Refused(
                "its session is the caller's, or one of its own", "split the function, or use `nullcontext`"
            )
            yield self._manual(left.statement, node, ordinal, mixed)
            return
        session = self.record.sessions[numbers.pop() - 1]
        names = self._names(session, own, left.world)
        entered = self.record.entered.get(session.number)
        where = around(self.scope, session, left.statement, self.view.decided, names, entered)
        if where.before:
            return
        if where.name:
            session = replace(session, name=where.name)
        world, refused_there = self._at(where, node, left)
        if isinstance(node, ast.Name) and not where.inside:
            given = world.names.get(node.id, given)
            own = own_origins(given, self.record) or own
        standings = [world.standing(origin) for origin in own]
        if all(one.expunged and not one.lost for one in standings):
            yield self._right(node, "it is out of the session before it is returned")
            return
        reason = where.refused or self._untrusted(session)
        stopped = refused_there or (Refused(reason, _ADVICE.get(reason, "")) if reason else None)
        if stopped is not None:
            yield self._manual(left.statement, node, ordinal, stopped)
            return
        chosen = Targets(self.scope, self.view.project).leaving(node, given, world, self.record, after=not where.inside)
        if isinstance(chosen, Refused):
            yield self._manual(left.statement, node, ordinal, chosen)
            return
        if self._is_done(left, chosen, session) and not any(one.lost or one.deleted for one in standings):
            yield self._right(node, "it is expunged before it is returned")
            return
        known = self._called(session, where, world)
        if known is None:
            other = Refused(f"`{session.name}` is something else where the lines would go")
            yield self._manual(left.statement, node, ordinal, other)
            return
        if self._shares_line(left.statement):
            crowded = Refused("its line holds another statement, too", "put it on a line of its own")
            yield self._manual(left.statement, node, ordinal, crowded)
            return
        if not self._is_placed(where, chosen):
            yield self._finding(left, node, ordinal, known, where, world, chosen)

    def _names(self, session: Session, own: Iterable[Origin], world: World) -> Names:
        """What the names of the function hold, as far as one session is concerned."""
        every, wanted = world.names.items(), set(own)
        holders = {name for name, held in every if session.number in sessions(held)}
        direct = {name for name in holders if SessionValue(session.number) in world.names[name]}
        leaving = {name for name, held in every if wanted & {one.origin for one in objects(held)}}
        # a nested function has what it mentions
        closures = {name: one.names for name, held in every for one in held if isinstance(one, Closure)}
        holders |= {name for name, mentioned in closures.items() if mentioned & (direct | {session.name})}
        leaving |= {name for name, mentioned in closures.items() if mentioned & leaving}
        return Names(frozenset({*direct, session.name} - {""}), frozenset(holders - direct), frozenset(leaving))

    def _number(self, origin: Origin) -> int:
        return self.record.added.get(origin, 0) or origin.session

    def _untrusted(self, session: Session) -> str:
        line = self.record.escapes.get(session.number, 0)
        return f"line {line} hands a method of its session on: what runs later is not told" if line else ""

    def _is_done(self, left: Exit, found: Leaving, session: Session) -> bool:
        """Whether the lines above the return do what would be done."""
        if found.name_it or not (found.targets or found.everything):
            return False
        if found.everything:
            return is_emptied_above(self.scope, left.statement, session.name)
        return all(is_expunged_above(self.scope, left.statement, one.name, session.name) for one in found.targets)

    def _called(self, session: Session, where: Around, world: World) -> Session | None:
        """The session by a name that means it where the lines go."""
        if where.needs or world.names.get(session.name) == frozenset({SessionValue(session.number)}):
            return session
        for name, held in sorted(world.names.items()):
            if held == frozenset({SessionValue(session.number)}) and "." not in name:
                return replace(session, name=name)
        return None

    def _shares_line(self, statement: ast.stmt) -> bool:
        """`if user: return user`, `found = 1; return user`."""
        return any(
            other is not statement and statement.lineno in (other.lineno, _header_end(other))
            for other in self.scope.statements()
        )

    def _is_placed(self, where: Around, found: Leaving) -> bool:
        """Whether another return after the same block has brought the lines already; leaves out what it brought."""
        if where.inside or where.end is None:
            return False
        placed = self._placed.setdefault(where.end.lineno, set())
        if "*" in placed:
            return True
        if placed:
            found.everything = False
            found.targets = [replace(one, guarded=True) for one in found.targets if one.name not in placed]
            if not found.targets:
                return True
        placed |= {"*"} if found.everything else {one.name for one in found.targets}
        return False

    def _without_own(self, given: Value, node: ast.expr, left: Exit, ordinal: int) -> Iterator[Examined]:
        held = [one for one in objects(given) if one.class_ is not None]
        if any(one.origin.session or one.origin in self.record.added for one in held):
            yield self._right(node, "its session is the caller's, and still open")
            return
        unsure = never_added(given, self.record, left.world) or untold(given, self.record)
        if unsure is not None and not self._gives_plain():
            yield self._manual(left.statement, node, ordinal, unsure)

    def _gives_plain(self) -> bool:
        """Whether the function is declared to give a number, a text, a schema."""
        place = self.scope.place
        definitions = self.view.project.symbols.functions(place.path, place.qualname)
        function = FunctionMeaning(place.path, place.qualname)
        return bool(definitions) and all(
            gives_plain(one, function, self.view.project, schemas=False) for one in definitions
        )

    def _unread(self, given: Value) -> str:
        """The text of a result or query that is returned before it is read, and may hold entities."""
        for one in given:
            if isinstance(one, (Result, Query)) and self._is_own(one.session) and one.selection is not None:
                if any(chosen.class_ is not None or chosen.unknown for chosen in one.selection.selected):
                    return "a query" if isinstance(one, Query) else "a result"
        return ""

    def _is_own(self, number: int) -> bool:
        return number > 0 and self.record.sessions[number - 1].own

    def _at(self, where: Around, node: ast.expr, left: Exit) -> tuple[World, Refused | None]:
        """How things stand where the lines would go, and why none can go there."""
        if where.inside or where.end is None:
            return left.world, None
        world = left.world
        if where.block is not None:
            if where.block not in self.record.ends:
                return world, Refused("the block has been left by an exception where this is returned")
            world = self.record.ends[where.block]
        line = left.statement.lineno
        parts = _parts(node)
        if parts is None:
            return world, Refused(
                f"what is returned is put together after the block (line {line})", "name it inside of the block"
            )
        for part in parts:
            if isinstance(part, ast.Name):
                now = {one.origin for one in objects(left.world.names.get(part.id, frozenset()))}
                inside = {one.origin for one in objects(world.names.get(part.id, frozenset()))}
                if now & own_origins(left.value, self.record).keys() and not now <= inside:
                    reason = f"`{part.id}` is only read after the block (line {line})"
                    return world, Refused(reason, "read it inside of the block")
        return world, None

    # --- findings ------------------------------------------------------------------------------------------------

    def _finding(
        self,
        left: Exit,
        node: ast.expr,
        ordinal: int,
        session: Session,
        where: Around,
        world: World,
        found: Leaving,
    ) -> Examined:
        wrote = world.sessions[session.number].wrote if session.number in world.sessions else 0
        reasons: list[str] = []
        if where.commits:
            if wrote:
                reason = (
                    f"the commit at the end (line {where.commits}) may write what line {wrote} changed:"
                    " expunged, it would be lost"
                )
                return self._manual(left.statement, node, ordinal, Refused(reason, "commit before the return"))
            reasons.append(
                f"the block of line {where.commits} ends with a commit; nothing is left to write then, as far as seen"
            )
        if self.view.settings.expunge == "needed" and not (where.commits and session.expire_on_commit is not False):
            return self._right(node, "the end of the block detaches it: an expunge would change nothing")
        if found.changed:
            what = node.id if isinstance(node, ast.Name) else "what is returned"
            reasons.append(
                f"`{what}` is changed at line {found.changed} and nothing writes that before the block ends:"
                " it is lost, with the expunge or without it"
            )
        if not session.plain and not session.commits:
            if wrote:
                reason = (
                    "what the context manager does at its end is not all in view: it may write what"
                    f" line {wrote} changed"
                )
                return self._manual(left.statement, node, ordinal, Refused(reason, "commit before the return"))
            reasons.append("what the context manager does at its end beside closing is not all in view")
        if declared := next((one for one in own_origins(left.value, self.record) if one.how is How.DECLARED), None):
            reasons.append(f"`{declared.what}` is only declared to give `{_class(declared)}`: it is not followed")
        if replacers := self._replacers(session):
            reasons.append(
                f"tests replace the factory ({replacers[0].path}:{replacers[0].line}): see that they still hold"
            )
        edits = self._edits(left, node, session, where, found)
        what = "everything in the session is" if found.everything else _told(found)
        return Finding(
            key=self.keys.key(site := self._site(node), left.statement, ordinal),
            rule=self.rule,
            site=site,
            level=Level.REVIEW if reasons else Level.SAFE,
            message=f"`{_short(node)}` leaves the block of `{session.name}` -> {what} expunged before",
            reason="; ".join(reasons),
            edits=edits,
            requires=(where.needs,) if where.needs else (),
        )

    def _edits(self, left: Exit, node: ast.expr, session: Session, where: Around, found: Leaving) -> tuple[Edit, ...]:
        path, line = self.view.source.path, left.statement.lineno
        name = free(found.name_it, self.scope) if found.name_it else ""
        taken = [name] if name else []
        lines: list[str] = []
        if found.everything:
            lines.append(f"{session.name}.expunge_all()")
        else:
            for target in found.targets:
                named = replace(target, name=target.name or name)
                element = free(singular(target.class_), self.scope, [*taken, named.name]) if target.many else ""
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

    def _site(self, node: ast.expr) -> Site:
        return self.view.site(node, self.scope)

    def _right(self, node: ast.expr, why: str) -> Right:
        return Right(self.rule, self._site(node), why)

    def _manual(self, statement: ast.stmt, node: ast.expr, ordinal: int, refused: Refused) -> Finding:
        site = self._site(node)
        reason = refused.reason
        key = self.keys.key(site, statement, ordinal)
        return Finding(key, self.rule, site, Level.MANUAL, reason, reason=reason, advice=refused.advice)


def _class(origin: Origin) -> str:
    return origin.class_.qualname if origin.class_ is not None else ""


# what to do about a reason
_ADVICE = {"nothing closes its session here": "open the session with a block first (rule session-scope)"}


def _header_end(statement: ast.stmt) -> int:
    """The line on which the header of a compound statement ends; 0 for a simple one."""
    match statement:
        case ast.If(test=node) | ast.While(test=node) | ast.For(iter=node) | ast.AsyncFor(iter=node):
            return node.end_lineno or 0
        case ast.With(items=items) | ast.AsyncWith(items=items):
            return items[-1].context_expr.end_lineno or 0
        case _:
            return 0


def _parts(node: ast.expr) -> list[ast.expr] | None:
    """The parts of what is returned, where names are all that holds objects in it; None: it is put together there."""
    match node:
        case ast.Name():
            return [node]
        case ast.Call(func=ast.Name(id="list" | "tuple"), args=[ast.Name() as inner], keywords=[]):
            return [inner]
        case ast.Tuple(elts=parts) | ast.List(elts=parts):
            return list(parts)
        case ast.Dict(values=parts):
            return list(parts)
        case _:
            return None


def _told(found: Leaving) -> str:
    many = any(target.many for target in found.targets) or len(found.targets) > 1
    return "they are" if many else "it is"


def _short(node: ast.expr) -> str:
    text = ast.unparse(node)
    return text if len(text) <= 60 else f"{text[:57]}..."
