"""What calls of the project's own functions give and do, by the summaries of these. Changes the world."""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import TYPE_CHECKING

from codemods.flow.objects.record import Passed, Summary
from codemods.flow.objects.values import (
    EMPTY,
    NOTHING,
    PLAIN,
    UNKNOWN,
    Alternative,
    Bearer,
    How,
    Later,
    Many,
    One,
    Origin,
    Query,
    Result,
    Selection,
    SessionValue,
    Unknown,
    Value,
    changed,
    objects,
    sessions,
    union,
    value,
)
from codemods.flow.objects.world import Standing
from codemods.flow.values import gives_plain
from codemods.project.expressions import dotted
from codemods.project.facts import Item
from codemods.project.link import Place
from codemods.project.mapped_classes import mapped
from codemods.project.nodes import walk
from codemods.project.sessions import ClassMeaning, FunctionMeaning, InstanceMeaning

if TYPE_CHECKING:
    from codemods.flow.objects.evaluate import Evaluation


class FunctionCalls:
    """The calls of functions of the project in one function."""

    def __init__(self, evaluation: Evaluation) -> None:
        self._all = evaluation

    def called(self, node: ast.Call, called: FunctionMeaning) -> Value:
        made = self._all.calls.made_session(node)
        if made is not None:
            return made
        receiver = self._all.value(node.func.value) if isinstance(node.func, ast.Attribute) else EMPTY
        given = self.hand_over(called, node, receiver, bound=called.bound)
        held = sorted({number for one in [receiver, *given.values()] for number in sessions(one)})
        definitions = self._all.project.symbols.functions(called.module, called.qualname)
        if held and any(one.is_async for one in definitions) and not self._all.is_awaited(node):
            for number in held:
                self._all.record.escapes.setdefault(number, node.lineno)
        for name in {inner.id for inner in walk(node) if isinstance(inner, ast.Name)}:
            for passed in objects(self._all.world.names.get(name, EMPTY)):
                if not any(passed in objects(each) for each in given.values()):
                    self._all.session_calls.wrote(self._all.number(passed.origin), node.lineno)  # `tag(user.tags)`
        summary = None
        if self._all.summaries is not None:
            bare = held or any(objects(one) for one in given.values())
            summary = self._all.summaries.of(called, self._lent(given), alone=not bare)
        if summary is None or (held and not summary.lends):
            for number in held:
                self._all.session_calls.unknown(number, node.lineno)
            for one in {inner.origin for each in given.values() for inner in objects(each)}:
                self._all.session_calls.touched(one, node.lineno)
        plain = self._gives_plain(called)
        if summary is None:
            if plain:
                return PLAIN
            own = next((number for number in held if self._all.calls.is_own(number)), 0)
            if not own:
                return UNKNOWN
            return self._declared(node, called, own) or value(Unknown(ast.unparse(node.func), own))
        result = self._from_summary(node, called, summary, given, held)
        return PLAIN if plain else result

    def _lent(self, given: dict[str, Value]) -> tuple[tuple[str, bool], ...]:
        """The parameters that get a session, each with whether that is an async one."""
        found = []
        for name, one in sorted(given.items()):
            numbers = [each.number for each in one if isinstance(each, SessionValue)]
            session = self._all.session_of(numbers[0]) if numbers else None
            if session is not None:
                found.append((name, session.is_async))
        return tuple(found)

    def _declared(self, node: ast.Call, called: FunctionMeaning, number: int) -> Value | None:
        """The entity, or list of entities, that a function is declared to give; None when it is neither."""
        project = self._all.project
        definitions = project.symbols.functions(called.module, called.qualname)
        told = definitions[0].returns_annotation if len(definitions) == 1 else None
        many = isinstance(told, Item) and dotted(told.value).rpartition(".")[2] in ("list", "List", "Sequence")
        if many and isinstance(told, Item):
            told = told.key
        if told is None or definitions[0].is_generator:
            return None
        declared = project.declared(told, Place(called.module, definitions[0].parent))
        class_ = declared.of if isinstance(declared, InstanceMeaning) else None
        if not isinstance(class_, ClassMeaning) or mapped(class_, project) is None:
            return None
        position = (node.lineno, node.col_offset)
        text = ast.unparse(node.func)
        origin = Origin(How.DECLARED, self._all.path, *position, 0, text, class_, number, position, joined=True)
        self._all.world.objects.setdefault(origin, Standing(may_be_attached=True))
        found = value(One(origin, (), class_))
        given = value(Many(found, doubled=True)) if many else union([found, NOTHING])
        return value(Later(given)) if definitions[0].is_async else given

    def _gives_plain(self, called: FunctionMeaning) -> bool:
        """Whether the function is declared to give a number, a text, a schema: nothing that leaves a session."""
        definitions = self._all.project.symbols.functions(called.module, called.qualname)
        return bool(definitions) and all(gives_plain(one, called, self._all.project) for one in definitions)

    def _from_summary(
        self, node: ast.Call, called: FunctionMeaning, summary: Summary, given: dict[str, Value], held: list[int]
    ) -> Value:
        number = held[0] if len(held) == 1 else 0
        if summary.lends:
            for one in held:
                self._all.session_calls.affected(one, summary.effects, node.lineno)
        for parameter, standing in summary.given.items():
            for other in objects(given.get(parameter, EMPTY)):
                self._all.session_calls.handed_back(other.origin, standing, node.lineno, number)
                if standing.touched or standing.changed:
                    self._all.session_calls.wrote(self._all.number(other.origin), node.lineno)
                if standing.changed:
                    self._all.session_calls.unsaved(self._all.home(other.origin), node.lineno)
        moved = self._arrived(node, called, summary, number)
        self._all.record.nodes.setdefault((node.lineno, node.col_offset), node)
        text = ast.unparse(node.func)
        own = number if self._all.calls.is_own(number) else 0

        def arrive(one: Alternative) -> Value:
            match one:
                case One(origin=origin) if origin in moved:
                    return value(replace(one, origin=moved[origin]))
                case One(origin=origin, names=()) if origin.how is How.GIVEN and origin.what in given:
                    return given[origin.what]
                case One() | Bearer() | SessionValue() | Result() | Query():
                    return value(Unknown(text, own))
                case Unknown(why=why):
                    return value(Unknown(text, own)) if why or own else UNKNOWN
                case Selection():
                    position = (node.lineno, node.col_offset)
                    return value(replace(one, anchor=position, options=(), foreign=called.qualname))
                case _:
                    return value(one)

        result = changed(summary.value, arrive)
        return value(Later(result)) if summary.is_async else result

    def _arrived(self, node: ast.Call, called: FunctionMeaning, summary: Summary, number: int) -> dict[Origin, Origin]:
        """What the objects of the callee are here."""
        session = self._all.session_of(number)
        moved: dict[Origin, Origin] = {}
        for index, origin in enumerate(summary.origins):
            if origin.how is How.GIVEN:
                continue
            own = origin in summary.own or not number
            new = Origin(
                How.CALLED,
                self._all.path,
                node.lineno,
                node.col_offset,
                index,
                called.qualname,
                origin.class_,
                0 if own else number,
                (node.lineno, node.col_offset),
                origin.joined,
            )
            moved[origin] = new
            self._all.record.called[new] = (called, index)
            standing = summary.standings[origin]
            if standing.expired and standing.expired_by.startswith("commit") and session is not None and not own:
                # the callee did not see by which factory the session is made
                lasts = session.expire_on_commit is False
                unseen = session.expire_on_commit is None
                by = "commit?" if unseen else "commit"
                standing = replace(standing, expired=0 if lasts else standing.expired, expired_by="" if lasts else by)
            if new not in self._all.world.objects:
                self._all.world.objects[new] = replace(standing, attached=standing.attached and not own)
        return moved

    def hand_over(self, called: FunctionMeaning, node: ast.Call, receiver: Value, *, bound: bool) -> dict[str, Value]:
        """Evaluates the arguments, notes what objects are handed on, and gives the values by parameter."""
        definitions = self._all.project.symbols.functions(called.module, called.qualname)
        names = [one.name for one in definitions[0].parameters if one.kind == "positional"] if definitions else []
        by_name: dict[str, Value] = {}
        offset = 1 if bound and definitions and definitions[0].in_class else 0
        if offset and names:
            by_name[names[0]] = receiver
            self._hand_on(called, 0, None, receiver, node.lineno)
        lambdas = any(isinstance(one, ast.Lambda) for one in [*node.args, *(key.value for key in node.keywords)])
        if lambdas:
            self._all.calls.arguments(node)
        for index, argument in enumerate(node.args):
            given = UNKNOWN if isinstance(argument, ast.Lambda) else self._all.value(argument)
            if isinstance(argument, ast.Starred):
                continue
            if index + offset < len(names):
                by_name[names[index + offset]] = given
            self._hand_on(called, index + offset, None, given, node.lineno)
        for keyword in node.keywords:
            given = UNKNOWN if isinstance(keyword.value, ast.Lambda) else self._all.value(keyword.value)
            if keyword.arg is not None:
                by_name[keyword.arg] = given
                self._hand_on(called, None, keyword.arg, given, node.lineno)
        return by_name

    def handed_to(self, called: FunctionMeaning, node: ast.Call) -> None:
        """The arguments behind the first one go to the function that the first one is."""
        offset = 1 if called.bound else 0
        for index, argument in enumerate(node.args[1:]):
            if not isinstance(argument, (ast.Starred, ast.Lambda)):
                self._hand_on(called, index + offset, None, self._all.value(argument), node.lineno)

    def _hand_on(
        self, called: FunctionMeaning, position: int | None, keyword: str | None, given: Value, line: int
    ) -> None:
        for one in objects(given):
            left = self._all.is_left(one.origin.session)
            self._all.record.passed[Passed(one, called, position, keyword, line, left)] = None
