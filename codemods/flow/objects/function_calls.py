"""What calls of the project's own functions give and do, by the summaries of these. Changes the world."""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import TYPE_CHECKING

from codemods.flow.objects.record import Passed, Summary
from codemods.flow.objects.values import (
    EMPTY,
    UNKNOWN,
    How,
    Later,
    One,
    Origin,
    Selection,
    Unknown,
    Value,
    changed,
    objects,
    sessions,
    union,
    value,
)
from codemods.project.sessions import (
    FunctionMeaning,
)

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
        summary = self._all.summaries.of(called) if self._all.summaries is not None else None
        given = self.hand_over(called, node, receiver, bound=called.bound)
        held = sorted({number for one in [receiver, *given.values()] for number in sessions(one)})
        if summary is None:
            for number in held:
                self._all.session_calls.unknown(number, node.lineno)
            why = ast.unparse(node.func) if held else ""
            return value(Unknown(why))
        return self._from_summary(node, called, summary, given, held)

    def _from_summary(
        self, node: ast.Call, called: FunctionMeaning, summary: Summary, given: dict[str, Value], held: list[int]
    ) -> Value:
        number = held[0] if len(held) == 1 else 0
        for one in held:
            self._all.session_calls.affected(one, summary.effects, node.lineno)
        for parameter, standing in summary.given.items():
            for other in objects(given.get(parameter, EMPTY)):
                self._all.session_calls.handed_back(other.origin, standing, node.lineno, number)
        moved: dict[Origin, Origin] = {}
        for index, origin in enumerate(summary.origins):
            if origin.how is How.GIVEN:
                continue
            own = origin in summary.own or not number
            new = Origin(
                How.CALLED, self._all.path, node.lineno, node.col_offset, index, called.qualname, origin.class_,
                0 if own else number, (node.lineno, node.col_offset), origin.joined,
            )  # fmt: skip
            moved[origin] = new
            self._all.record.called[new] = (called, index)
            self._all.record.nodes[(node.lineno, node.col_offset)] = node
            standing = summary.standings[origin]
            known = self._all.world.objects.get(new)
            if known is None:
                self._all.world.objects[new] = replace(standing, attached=standing.attached and not own)

        def arrive(one: One) -> One:
            return replace(one, origin=moved[one.origin]) if one.origin in moved else one

        result = frozenset(
            replace(one, anchor=(node.lineno, node.col_offset), options=(), foreign=called.qualname)
            if isinstance(one, Selection)
            else one
            for one in changed(summary.value, arrive)
        )
        self._all.record.nodes.setdefault((node.lineno, node.col_offset), node)
        for parameter in summary.parameters:
            replaced: list[Value] = []
            for alternative in result:
                if isinstance(alternative, One) and alternative.origin.how is How.GIVEN and not alternative.names:
                    if alternative.origin.what == parameter:
                        replaced.append(given.get(parameter) or UNKNOWN)
                        continue
                replaced.append(value(alternative))
            result = union(replaced)
        left = [one for one in objects(result) if one.origin.how is How.GIVEN and one.origin.path != self._all.path]
        if left:
            result = value(Unknown(ast.unparse(node.func) if held else ""))
        return value(Later(result)) if summary.is_async else result

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

    def _hand_on(
        self, called: FunctionMeaning, position: int | None, keyword: str | None, given: Value, line: int
    ) -> None:
        for one in objects(given):
            left = self._all.is_left(one.origin.session)
            self._all.record.passed[Passed(one, called, position, keyword, line, left)] = None
            self._all.session_calls.wrote(self._all.number(one.origin), line)
