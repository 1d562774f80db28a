"""What one function loads, who reads what of it later, and what it lacks for that. Decides; edits nothing."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from codemods.flow.loader_options import Missing, loaded_by, missing
from codemods.flow.objects.guards import led_to
from codemods.flow.objects.readers import Reading, Run
from codemods.flow.objects.record import Exit, Record
from codemods.flow.objects.values import How, Origin, objects
from codemods.flow.objects.world import Standing
from codemods.flow.scope import Scope
from codemods.flow.session_end import is_closed, needed_block
from codemods.plan import Examined, Finding
from codemods.project.mapped_classes import mapped
from codemods.project.sessions import ClassMeaning
from codemods.rules.base import Keys, ModuleView
from codemods.rules.eager_load.refreshing import refreshed
from codemods.rules.eager_load.statement import Loaded, options_added
from codemods.rules.eager_load.verdicts import Verdicts, of

_LOADS = frozenset({How.LOADED, How.GOT, How.MADE})


@dataclass(frozen=True, slots=True)
class _Refused:
    """Why a load is left alone. `undecided`: what is read may be loaded all the same."""

    why: str
    undecided: bool = False


class Loads:
    """Examines one function."""

    def __init__(self, view: ModuleView, scope: Scope, keys: Keys, rule: str) -> None:
        self.view = view
        self.scope = scope
        self.verdicts = Verdicts(view, scope, keys, rule)

    def examine(self) -> Iterator[Examined]:
        self.run: Run = self.view.readers.run(self.scope)
        self.record: Record = self.run.record
        by_load: dict[tuple[tuple[int, int], int], list[tuple[Origin, list[Reading]]]] = defaultdict(list)
        for origin in self._origins():
            assert origin.class_ is not None
            detached = self._is_detached(origin)
            if self.record.sessions[self.number(origin) - 1].own and not detached:
                continue  # nothing closes the session: it lasts as long as its objects do
            readings = self.view.readers.readings(self.run, origin, origin.class_, detached=detached)
            if readings:
                by_load[origin.anchor, origin.index].append((origin, readings))
        for (anchor, _), found in sorted(by_load.items(), key=lambda item: item[0]):
            node = self.record.nodes.get(anchor)
            if node is not None:
                yield from self._load(node, found)

    def _origins(self) -> list[Origin]:
        """The objects that the function loads or makes, and that may leave it."""
        record = self.record
        found = {one.origin for left in record.exits.values() for one in objects(left.value)}
        found |= {read.one.origin for read in record.reads if read.left}
        found |= {one.one.origin for one in record.passed if one.left}
        found |= {one.one.origin for one in record.serialized if one.left}
        known = (one for one in found if one.how in _LOADS and one.class_ is not None)
        return sorted((one for one in known if one.session or one in record.added), key=lambda one: one.place)

    def _is_detached(self, origin: Origin) -> bool:
        """Whether the session is the function's own, and closed when it returns."""
        session = self.record.sessions[self.number(origin) - 1]
        if not session.own:
            return False
        entered = self.record.entered.get(session.number)
        return bool(session.block or entered or needed_block(self.scope, session, self.view.decided)) or is_closed(
            self.scope, session
        )

    def number(self, origin: Origin) -> int:
        return self.record.added.get(origin, 0) or origin.session

    # --- one load ------------------------------------------------------------------------------------------------

    def _load(self, node: ast.expr, found: list[tuple[Origin, list[Reading]]]) -> Iterator[Examined]:
        origin = found[0][0]
        class_ = origin.class_
        assert class_ is not None
        every = sorted({one for _, each in found for one in each}, key=lambda one: (one.path, one.line, one.names))
        asks = [one for one in every if one.asks]
        readings = [one for one in every if not one.asks and not self._is_never_loaded(class_, one.names)]
        if not readings:
            return
        near = [one for one in readings if not one.far]
        wanting = self._lacking(node, found, near, class_) if near else []
        if isinstance(wanting, Finding):
            yield wanting
            return
        below = [one for one in readings if one.far and any(_is_below(one, each) for each in wanting)]
        if below or (not wanting and len(near) < len(readings)):
            deep = self._lacking(node, found, [*near, *(below or [one for one in readings if one.far])], class_)
            if isinstance(deep, Finding):
                yield deep
                return
            if {one.path for one in deep} != {one.path for one in wanting}:
                why = "that is many calls away, and it is not followed whether something on the way loads it"
                yield self.verdicts.manual(node, of(readings, deep), why, undecided=True)
                return
        if not wanting:
            if origin.how is not How.MADE or origin in self.record.refreshed:
                yield self.verdicts.right(node)
            return
        readings = of(near, wanting)
        if asked := next((one for one in asks if any(_is_about(one, each) for each in wanting)), None):
            why = f"{asked.path}:{asked.line} {asked.text}, and would do something else where it is loaded"
            yield self.verdicts.manual(node, readings, why, "look at what it does where it is loaded", undecided=True)
            return
        if refused := self._refused(found, wanting):
            yield self.verdicts.manual(node, readings, refused.why, undecided=refused.undecided)
            return
        session = self.record.sessions[self.number(origin) - 1]
        block = needed_block(self.scope, session, self.view.decided)
        # a block that is opened around the load ends what was read through the session by luck (semantics C7)
        requires = (block,) if block else ()
        if origin.how is How.MADE:
            yield refreshed(
                self.view, self.scope, self.record, self.verdicts, node, origin, wanting, readings, requires
            )
        else:
            loads = Loaded(node, tuple(each for each, _ in found))
            yield options_added(self.view, self.scope, self.record, self.verdicts, loads, wanting, readings, requires)

    def _lacking(
        self, node: ast.expr, found: list[tuple[Origin, list[Reading]]], readings: list[Reading], class_: ClassMeaning
    ) -> list[Missing] | Finding:
        """What of the readings is not loaded; or a finding that says why that cannot be told."""
        stopped = next((one for one in readings if one.stopped), None)
        if stopped is not None:
            return self.verdicts.manual(node, [stopped], stopped.stopped, undecided=True)
        lacking: dict[tuple[str, ...], Missing] = {}
        for each, read in found:
            loaded = loaded_by(self._arguments(each), class_, self.scope)
            if loaded.unknown:
                why = f"its options cannot be told: {loaded.unknown}"
                return self.verdicts.manual(node, readings, why, undecided=True)
            by_hand = self._by_hand(each)
            # how much of each path is loaded by hand
            paths = {
                one.names: one.by_hand or (one.names[:1] if one.names[0] in by_hand else ())
                for one in sorted(read, key=lambda one: one.by_hand, reverse=True)
                if one in readings
            }
            wanted = [path for path, front in paths.items() if not front]
            lacking |= {one.path: one for one in missing(wanted, class_, loaded, self.view.project)}
            if below := self._below_by_hand(class_, paths):
                why = f"`{below}` is loaded by hand here, and what is read below it is not"
                return self.verdicts.manual(node, [one for one in readings if one.by_hand != one.names], why)
        return list(lacking.values())

    def _refused(self, found: list[tuple[Origin, list[Reading]]], wanting: list[Missing]) -> _Refused | None:
        """Why nothing that is added to the load would help, or why it would do harm."""
        refused = [one for one in wanting if one.refused]
        if refused:
            # what is certainly not loaded is wrong, whatever else cannot be told
            return _Refused(refused[0].refused, undecided=all(one.untold for one in wanting))
        for origin, _ in found:
            if origin.what.partition(".")[0] in self.scope.parameters:
                return _Refused(f"it cannot be told of which class `{origin.what}` is in a class below", undecided=True)
            if origin.foreign:
                # nor which options it has: those that stand there are not read here
                why = f"it cannot be told who else uses the statement that `{origin.foreign}` makes"
                return _Refused(why, undecided=True)
            for standing in self._standings(origin):
                if standing.expired:
                    by = standing.expired_by.rstrip("?")
                    why = f"the {by} at line {standing.expired} expires it: whatever is loaded before is gone then"
                    return _Refused(why)
                if standing.deleted:
                    return _Refused(f"line {standing.deleted} deletes it")
        session = self.record.sessions[self.number(found[0][0]) - 1]
        if session.own and session.doubt and not session.is_async:
            # a sync session that is open still loads what is read; an async one raises there, too
            return _Refused(
                f"it is loaded when it is read, if its session is open then: {session.doubt}", undecided=True
            )
        for node in ast.walk(self.scope.node):
            if isinstance(node, ast.Attribute) and node.attr == "__dict__":
                return _Refused(f"line {node.lineno} may fill the object by hand", undecided=True)
        why = self._expunged(wanting)
        return _Refused(why) if why else None

    def _expunged(self, wanting: list[Missing]) -> str:
        """An expunge in the function takes along what an option loads: a second one of that would raise (C4)."""
        expunges = [
            node
            for node in self.scope.watched()
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "expunge"
        ]
        for one in wanting:
            for class_, name in zip(one.classes, one.path, strict=True):
                known = mapped(class_, self.view.project)
                relationship = known.relationships.get(name) if known is not None else None
                if relationship is not None and relationship.expunges is not False and expunges:
                    if len(expunges) > 1 or relationship.target == class_ or not self._is_alone(expunges[0]):
                        line = expunges[0].lineno
                        return f"line {line} expunges, and would take `{name}` along: what is expunged twice raises"
        return ""

    def _is_alone(self, expunge: ast.Call) -> bool:
        """Whether the expunge stands outside of loops: it is for one object."""
        current = self.scope.owner_statement(self.scope.statement(expunge))
        while current is not None:
            if isinstance(current, (ast.For, ast.AsyncFor, ast.While)):
                return False
            current = self.scope.owner_statement(current)
        return True

    def _standings(self, origin: Origin) -> list[Standing]:
        """How the objects stand where they leave."""
        exits: list[Exit] = [
            left
            for left in self.record.exits.values()
            if any(one.origin == origin for one in objects(left.value)) and origin in left.world.objects
        ]
        worlds = [left.world for left in exits]
        if not worlds and self.record.end is not None and origin in self.record.end.objects:
            worlds = [self.record.end]
        return [world.objects[origin] for world in worlds]

    def _arguments(self, origin: Origin) -> list[ast.expr]:
        """The loader options that the statement has."""
        found = [argument for end in origin.options for argument in self.record.options[end].args]
        node = self.record.nodes.get(origin.anchor)
        if origin.how is How.GOT and isinstance(node, ast.Call):
            found += [keyword.value for keyword in node.keywords if keyword.arg == "options"]
        return [one for one in found if not (isinstance(one, ast.Constant) and one.value is None)]

    def _is_never_loaded(self, class_: ClassMeaning | None, names: tuple[str, ...]) -> bool:
        """Whether a relationship on the way is `lazy="noload"`: it reads as empty, and was meant to."""
        for name in names:
            known = mapped(class_, self.view.project) if class_ is not None else None
            relationship = known.relationships.get(name) if known is not None else None
            if relationship is None:
                return False
            if relationship.lazy == "noload":
                return True
            class_ = relationship.target
        return False

    def _by_hand(self, origin: Origin) -> set[str]:
        """The relationships that the function loads or sets by other means, wherever the object leaves."""
        loaded = [standing.loaded for standing in self._standings(origin)]
        return set(frozenset.intersection(*loaded)) if loaded else set()

    def _below_by_hand(self, class_: ClassMeaning, paths: dict[tuple[str, ...], tuple[str, ...]]) -> str:
        """A relationship that is loaded by hand, and of which something is read that is not loaded."""
        for path, front in paths.items():
            below = path[len(front) :]
            target = led_to(class_, front, self.view.project)
            if front and below and target is not None:
                nothing = loaded_by([], target, self.scope)
                if missing([below], target, nothing, self.view.project):
                    return front[-1]
        return ""


def _is_below(far: Reading, one: Missing) -> bool:
    """Whether more may be read of what the missing relationship leads to."""
    return far.names[: len(one.path)] == one.path and (bool(far.stopped) or len(far.names) > len(one.path))


def _is_about(asked: Reading, one: Missing) -> bool:
    """Whether what is asked may be whether the relationship, or one before it, is loaded."""
    names = asked.names[: len(one.path)]
    return names == one.path[: len(names)] and (asked.asks != "?" or len(asked.names) < len(one.path))
