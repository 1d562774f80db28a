"""What calls of the project's own functions give and do, by the summaries of these. Changes the world."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from codemods.flow.objects.record import Constants, Passed, Summary
from codemods.flow.objects.values import (
    EMPTY,
    NOTHING,
    PLAIN,
    UNKNOWN,
    Alternative,
    Bearer,
    Closure,
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
from codemods.flow.objects.world import Standing, of_constant
from codemods.flow.values import gives_plain
from codemods.project.expressions import dotted, last_name
from codemods.project.facts import Expression, Item, Name
from codemods.project.link import Place
from codemods.project.mapped_classes import mapped
from codemods.project.nodes import walk
from codemods.project.sessions import ClassMeaning, External, FunctionMeaning, InstanceMeaning

if TYPE_CHECKING:
    from codemods.flow.objects.evaluate import Evaluation

_PROPERTIES = frozenset({"property", "cached_property", "hybrid_property"})
_BARE_BASES = frozenset(
    {"builtins.object", "abc.ABC", "typing.Generic", "typing.Protocol", "typing_extensions.Protocol"}
)


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
        self._loose(called, node, given)
        held = sorted({number for one in [receiver, *given.values()] for number in sessions(one)})
        definitions = self._all.project.symbols.functions(called.module, called.qualname)
        if held and any(one.is_async for one in definitions) and not self._all.is_awaited(node):
            for number in held:
                self._all.record.escapes.setdefault(number, node.lineno)
        for name in {inner.id for inner in walk(node) if isinstance(inner, ast.Name)}:
            for passed in objects(self._all.world.names.get(name, EMPTY)):
                if not any(passed in objects(each) for each in given.values()):
                    self._all.session_calls.wrote(self._all.number(passed.origin), node.lineno)  # `tag(user.tags)`
        summary = self._followed(called, node, given, held)
        if any(isinstance(inner, Closure) for one in given.values() for inner in one):
            # a nested function that is handed on is called there, or later
            self.doubt(given.values(), node.lineno)
            self._all.session_calls.wrote_somewhere(node.lineno)
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

    def _followed(
        self, called: FunctionMeaning, node: ast.Call, given: dict[str, Value], held: list[int]
    ) -> Summary | None:
        """The summary of what is called; without one it may do anything to what it is given."""
        summary = None
        if self._all.summaries is not None:
            bare = held or any(objects(one) for one in given.values())
            summary = self._all.summaries.of(called, self._lent(given), alone=not bare)
        if summary is None or (held and not summary.lends):
            self.doubt(given.values(), node.lineno)
            for number in held:
                self._all.session_calls.unknown(number, node.lineno)
        return summary

    def doubt(self, given: Iterable[Value], line: int) -> None:
        """Anything may be done to these."""
        for number in sorted({number for one in given for number in self._all.held_by(one)}):
            self._all.session_calls.unknown(number, line)
        for origin in {one.origin for each in given for one in objects(each)}:
            self._all.session_calls.touched(origin, line)

    def _loose(self, called: FunctionMeaning, node: ast.Call, given: dict[str, Value]) -> None:
        """What goes to `*args` and `**kwargs` is not followed: anything may be done to it."""
        definitions = self._all.project.symbols.functions(called.module, called.qualname)
        if len(definitions) != 1:
            return
        parameters = definitions[0].parameters
        names = {one.name for one in parameters if one.kind in ("positional", "keyword")}
        room = sum(one.kind == "positional" for one in parameters)
        room -= 1 if called.bound and definitions[0].in_class else 0
        loose = [one for name, one in given.items() if name not in names]
        for index, argument in enumerate(node.args):
            if isinstance(argument, ast.Starred) or (index >= room and not isinstance(argument, ast.Lambda)):
                loose.append(self._all.value(argument))
        loose += [self._all.value(one.value) for one in node.keywords if one.arg is None]
        self.doubt(loose, node.lineno)

    # --- objects of the project's classes ------------------------------------------------------------------------

    def initialized(self, node: ast.Call, class_: ClassMeaning, given: list[Value]) -> None:
        """An object of a class of the project is made: its `__init__` may do anything with what it gets."""
        if not any(sessions(one) or objects(one) or self._all.held_by(one) for one in given):
            return
        functions = self._all.project.symbols.functions
        above = [one for one in self._all.project.bases(class_) if isinstance(one, ClassMeaning)]
        for name in ("__new__", "__post_init__"):
            if any(functions(one.module, f"{one.qualname}.{name}") for one in above):
                self.doubt(given, node.lineno)
        found = next((one for one in above if functions(one.module, f"{one.qualname}.__init__")), None)
        if found is not None:
            self._initialize(FunctionMeaning(found.module, f"{found.qualname}.__init__", bound=True), node)

    def _initialize(self, called: FunctionMeaning, node: ast.Call) -> None:
        given = self.hand_over(called, node, EMPTY, bound=True, noted=False)
        self._loose(called, node, given)
        held = sorted({number for one in given.values() for number in sessions(one)})
        summary = self._followed(called, node, given, held)
        if summary is not None:
            self._affected(node, summary, given, held)

    def is_of_the_base(self, node: ast.Call) -> bool:
        """`super().__init__(session)` in a method."""
        match node.func:
            case ast.Attribute(value=ast.Call(func=ast.Name("super"), args=[], keywords=[]), attr="__init__"):
                return self._all.project.class_facts(self._owner) is not None
        return False

    @property
    def _owner(self) -> ClassMeaning:
        place = self._all.scope.place
        return ClassMeaning(place.path, place.qualname.rpartition(".")[0])

    def initialized_by_base(self, node: ast.Call) -> Value:
        """What `super().__init__(...)` gives and does."""
        project = self._all.project
        given = self._all.calls.arguments(node)
        above = project.bases(self._owner)[1:]
        for one in above:
            name = f"{one.qualname}.__init__" if isinstance(one, ClassMeaning) else ""
            if isinstance(one, ClassMeaning) and project.symbols.functions(one.module, name):
                self._initialize(FunctionMeaning(one.module, name, bound=True), node)
                return NOTHING
        if any(isinstance(one, External) and one.dotted not in _BARE_BASES for one in above):
            return self._all.calls.opaque(node, given)
        return NOTHING

    def attribute(self, node: ast.Attribute, one: Bearer, attribute: str) -> Value | None:
        """`repository.attribute`: a property may do anything to the session, a method has it; None: it is neither."""
        assert one.class_ is not None
        project = self._all.project
        for base in project.bases(one.class_):
            name = f"{base.qualname}.{attribute}" if isinstance(base, ClassMeaning) else ""
            found = project.symbols.functions(base.module, name) if isinstance(base, ClassMeaning) else ()
            if any(not _is_property(each.decorators) for each in found):
                return value(Bearer(None, one.sessions))
            called = {each for definition in found for each in definition.calls}
            outside = Place(base.module) if isinstance(base, ClassMeaning) else None
            if outside and not all(isinstance(project.meaning(Name(each), outside), ClassMeaning) for each in called):
                # `return UserRepository(self.session)` only makes something
                for number in sorted(one.sessions):
                    self._all.session_calls.unknown(number, node.lineno)
            if found:
                break
        return None

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
        number = self._affected(node, summary, given, held)
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

    def _affected(self, node: ast.Call, summary: Summary, given: dict[str, Value], held: list[int]) -> int:
        """What the callee does to what it is given; the number of the one session among that, 0: none or several."""
        number = held[0] if len(held) == 1 else 0
        if summary.lends:
            for one in held:
                self._all.session_calls.affected(one, summary.effects, node.lineno)
        for parameter, standing in summary.given.items():
            singles = {one.origin for one in given.get(parameter, EMPTY) if isinstance(one, One)}
            for other in objects(given.get(parameter, EMPTY)):
                back = standing
                if other.origin in singles and not (self._all.loops or self._all.session_calls.is_alone(other.origin)):
                    back = replace(standing, loaded=frozenset())  # it is done to one of several
                self._all.session_calls.handed_back(other.origin, back, node.lineno, number)
                if standing.touched or standing.changed:
                    self._all.session_calls.wrote(self._all.number(other.origin), node.lineno)
                if standing.changed:
                    self._all.session_calls.unsaved(self._all.home(other.origin), node.lineno)
        if summary.may_write:
            passed = {self._all.number(one.origin) for each in given.values() for one in objects(each)}
            self._all.record.may_write = self._all.record.may_write or 0 in passed
            for each in sorted(passed):
                self._all.session_calls.wrote(each, node.lineno)
        return number

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

    def hand_over(
        self, called: FunctionMeaning, node: ast.Call, receiver: Value, *, bound: bool, noted: bool = True
    ) -> dict[str, Value]:
        """Evaluates the arguments, notes what objects are handed on (if `noted`), gives the values by parameter."""
        if noted:
            return self._handed_over(called, node, receiver, bound=bound)
        record = self._all.record
        passed, asked = dict(record.passed), dict(record.asked)
        given = self._handed_over(called, node, receiver, bound=bound)
        record.passed, record.asked = passed, asked
        return given

    def _handed_over(
        self, called: FunctionMeaning, node: ast.Call, receiver: Value, *, bound: bool
    ) -> dict[str, Value]:
        definitions = self._all.project.symbols.functions(called.module, called.qualname)
        names = [one.name for one in definitions[0].parameters if one.kind == "positional"] if definitions else []
        by_name: dict[str, Value] = {}
        offset = 1 if bound and definitions and definitions[0].in_class else 0
        constants = _constants(node, offset)
        if offset and names:
            by_name[names[0]] = receiver
            self._hand_on(called, 0, None, receiver, node, constants)
        lambdas = any(isinstance(one, ast.Lambda) for one in [*node.args, *(key.value for key in node.keywords)])
        if lambdas:
            self._all.calls.arguments(node)
        for index, argument in enumerate(node.args):
            given = UNKNOWN if isinstance(argument, ast.Lambda) else self._all.value(argument)
            if isinstance(argument, ast.Starred):
                continue
            if index + offset < len(names):
                by_name[names[index + offset]] = given
            self._hand_on(called, index + offset, None, given, node, constants)
        for keyword in node.keywords:
            given = UNKNOWN if isinstance(keyword.value, ast.Lambda) else self._all.value(keyword.value)
            if keyword.arg is not None:
                by_name[keyword.arg] = given
                self._hand_on(called, None, keyword.arg, given, node, constants)
        return by_name

    def handed_to(self, called: FunctionMeaning, node: ast.Call) -> None:
        """The arguments behind the first one go to the function that the first one is."""
        offset = 1 if called.bound else 0
        for index, argument in enumerate(node.args[1:]):
            if not isinstance(argument, (ast.Starred, ast.Lambda)):
                self._hand_on(called, index + offset, None, self._all.value(argument), node, None)

    def _hand_on(
        self,
        called: FunctionMeaning,
        position: int | None,
        keyword: str | None,
        given: Value,
        node: ast.Call,
        constants: Constants,
    ) -> None:
        for one in objects(given):
            self._all.noted_where_caught(node, one)
            left = self._all.is_left(one.origin.session)
            by_hand = self._all.world.standing(one.origin).loaded
            tested = self._all.world.tested
            found = Passed(one, called, position, keyword, node.lineno, left, by_hand, tested, constants)
            self._all.record.passed[found] = None


def _constants(node: ast.Call, offset: int) -> Constants:
    """What the call gives beside objects, as far as it is written out."""
    if any(isinstance(one, ast.Starred) for one in node.args) or any(one.arg is None for one in node.keywords):
        return None
    given: list[tuple[int | str, ast.expr]] = [*enumerate(node.args, offset)]
    given += [(one.arg, one.value) for one in node.keywords if one.arg is not None]
    return frozenset((place, of_constant(one.value) if isinstance(one, ast.Constant) else None) for place, one in given)


def _is_property(decorators: Iterable[Expression]) -> bool:
    return any(last_name(one) in _PROPERTIES for one in decorators)
