"""The returns of one function: which of them let entities out of a session, and what becomes of each. Edits nothing."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace

from codemods.flow.objects.interpret import run
from codemods.flow.objects.record import Exit, Planned, Record, Session
from codemods.flow.objects.sight import has_session
from codemods.flow.objects.values import Later, Query, Result, Selected, Value, objects
from codemods.flow.scope import Scope
from codemods.flow.session_end import Around, around, planned
from codemods.flow.values import gives_plain
from codemods.plan import Examined
from codemods.project.name_uses import Function, own_nodes
from codemods.project.sessions import FunctionMeaning
from codemods.rules.base import Keys, ModuleView
from codemods.rules.expunge_return.expunged import is_emptied_above, is_expunged_above
from codemods.rules.expunge_return.origins import own_origins, own_sessions, session_number
from codemods.rules.expunge_return.placing import called_there, names_of, shares_line, world_at
from codemods.rules.expunge_return.refusals import Refused, is_copy, never_added, untold
from codemods.rules.expunge_return.targets import Leaving, Targets
from codemods.rules.expunge_return.verdicts import Verdicts


class Returns:
    """Examines one function."""

    def __init__(self, view: ModuleView, scope: Scope, keys: Keys, rule: str) -> None:
        self._view = view
        self._scope = scope
        self._keys = keys
        self._rule = rule
        self._placed: dict[int, set[str]] = {}  # by the line of a block's end: the names that are expunged there

    def examine(self) -> Iterator[Examined]:
        """A finding or a `Right` for every `return` of an entity that was had from a session."""
        if not self._may_say_something():
            return
        self._record = self._run()
        for statement, ordinal in self._returns():
            left = self._record.exits.get(statement)
            if left is None or statement.value is None:
                continue
            verdicts = Verdicts(
                self._view, self._scope, self._keys, self._rule, self._record, left, statement.value, ordinal
            )
            examined = self._examined(left, statement.value, verdicts)
            if examined is not None:
                yield examined

    def _run(self) -> Record:
        changing = planned(self._scope, self._view.decided)
        if changing == Planned():
            return self._view.readers.run(self._scope).record  # the readers have run it, nearly always
        return run(self._scope, self._view.summaries, changing)

    def _may_say_something(self) -> bool:
        """Whether something is returned by a function that is no generator, and a session is in sight at all."""
        if not any(one.value is not None for one, _ in self._returns()):
            return False
        assert isinstance(self._scope.node, Function)
        if any(isinstance(node, (ast.Yield, ast.YieldFrom)) for node in own_nodes(self._scope.node)):
            return False
        return has_session(self._scope)

    def _returns(self) -> list[tuple[ast.Return, int]]:
        """The returns of the function in order, each with its number among those of the same text."""
        counts: dict[str, int] = {}
        found = []
        for statement in self._scope.statements():
            if isinstance(statement, ast.Return):
                text = ast.unparse(statement)
                counts[text] = counts.get(text, 0) + 1
                found.append((statement, counts[text]))
        return found

    # --- one return ----------------------------------------------------------------------------------------------

    def _examined(self, left: Exit, node: ast.expr, verdicts: Verdicts) -> Examined | None:
        """What becomes of one return; None where it is none of the rule's business."""
        given = left.value
        if any(isinstance(one, Later) for one in given):
            return None  # a coroutine that runs on a closed session: a matter of `session-scope`
        if unread := self._unread(given):
            what = "a query" if all(isinstance(one, Query) for one in unread) else "a result"
            reason = f"{what} is returned unread: its rows are read after the block"
            untold = not any(chosen.class_ is not None for one in unread for chosen in _selected(one))
            return verdicts.manual(Refused(reason, "read it before the return", undecided=untold))
        own = own_origins(given, self._record)
        if not own:
            return self._without_own(given, left, verdicts)
        numbers = set(own.values())
        if len(numbers) > 1:
            reason = "it is loaded in one of two sessions, or in both"
            return verdicts.manual(Refused(reason, "expunge it where it is loaded"))
        if any(0 < session_number(one.origin, self._record) not in numbers for one in objects(given)):
            reason = "its session is the caller's, or one of its own"
            return verdicts.manual(Refused(reason, "split the function, or use `nullcontext`", undecided=True))
        session = self._record.sessions[numbers.pop() - 1]
        names = names_of(session, own, left.world)
        entered = self._record.entered.get(session.number)
        where = around(self._scope, session, left.statement, self._view.decided, names, entered)
        if where.before:
            return None
        if where.name:
            session = replace(session, name=where.name)
        world, refused_there = world_at(where, node, left, self._record)
        if isinstance(node, ast.Name) and not where.inside:
            given = world.names.get(node.id, given)
            own = own_origins(given, self._record) or own
        standings = [world.standing(origin) for origin in own]
        if all(one.expunged and not one.lost for one in standings):
            return verdicts.right("it is out of the session before it is returned")
        if refused := refused_there or self._not_closed(where, session):
            return verdicts.manual(refused)
        targets = Targets(self._scope, self._view.project, self._record, given, world, after=not where.inside)
        chosen = targets.leaving(node)
        if isinstance(chosen, Refused):
            return verdicts.manual(chosen)
        if self._is_done(left, chosen, session) and not any(one.lost or one.deleted for one in standings):
            return verdicts.right("it is expunged before it is returned")
        known = called_there(session, where, world)
        if known is None:
            return verdicts.manual(Refused(f"`{session.name}` is something else where the lines would go"))
        if shares_line(left.statement, self._scope):
            return verdicts.manual(Refused("its line holds another statement, too", "put it on a line of its own"))
        if self._is_placed(where, chosen):
            return None
        return verdicts.made(known, where, world, chosen)

    def _without_own(self, given: Value, left: Exit, verdicts: Verdicts) -> Examined | None:
        held = [one for one in objects(given) if one.class_ is not None]
        if any(one.origin.session or one.origin in self._record.added for one in held):
            return verdicts.right("its session is the caller's, and still open")
        project = self._view.project
        unsure = never_added(given, self._record, left.world, project) or untold(given, self._record)
        if unsure is None and any(is_copy(one.origin, self._record, left.world, project) for one in held):
            return verdicts.right("it is a copy: no session has ever held it")
        return verdicts.manual(unsure) if unsure is not None and not self._gives_plain() else None

    def _unread(self, given: Value) -> list[Result | Query]:
        """The results and queries that are returned before they are read, and may hold entities."""
        own = own_sessions(self._record)
        return [
            one
            for one in given
            if isinstance(one, (Result, Query)) and one.session in own
            if any(chosen.class_ is not None or chosen.unknown for chosen in _selected(one))
        ]

    def _gives_plain(self) -> bool:
        """Whether the function is declared to give a number, a text, a schema."""
        place = self._scope.place
        definitions = self._view.project.symbols.functions(place.path, place.qualname)
        function = FunctionMeaning(place.path, place.qualname)
        return bool(definitions) and all(
            gives_plain(one, function, self._view.project, schemas=False) for one in definitions
        )

    def _not_closed(self, where: Around, session: Session) -> Refused | None:
        """Nothing can be said of the end of the session, or something may still run on it then."""
        if where.refused:
            # of a session whose end is not told it is not told either whose it is
            return Refused(where.refused, _ADVICE.get(where.refused, ""), undecided=bool(session.doubt))
        if line := self._record.escapes.get(session.number, 0):
            reason = f"line {line} hands a method of its session on: what runs later is not told"
            return Refused(reason, undecided=True)  # it may be the one that expunges
        return None

    # --- what is there already -----------------------------------------------------------------------------------

    def _is_done(self, left: Exit, found: Leaving, session: Session) -> bool:
        """Whether the lines above the return do what would be done."""
        if found.name_it or not (found.targets or found.everything):
            return False
        if found.everything:
            return is_emptied_above(self._scope, left.statement, session.name)
        return all(is_expunged_above(self._scope, left.statement, one.name, session.name) for one in found.targets)

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


def _selected(one: Result | Query) -> tuple[Selected, ...]:
    return one.selection.selected if one.selection is not None else ()


# what to do about a reason
_ADVICE = {"nothing closes its session here": "open the session with a block first (rule session-scope)"}
