"""Runs a function in the head: every way through it, loops until nothing changes any more. Reads; never runs code."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from codemods.flow.made import made
from codemods.flow.objects.calls import CLOSING
from codemods.flow.objects.evaluate import Evaluation, Summaries
from codemods.flow.objects.lent_out import doubt_of, is_harmless
from codemods.flow.objects.narrow import narrowed, of_class
from codemods.flow.objects.record import Exit, Planned, Record, Watched
from codemods.flow.objects.sight import runs_orm
from codemods.flow.objects.values import (
    EMPTY,
    NOTHING,
    PLAIN,
    UNKNOWN,
    Bearer,
    Closure,
    How,
    Many,
    Nothing,
    One,
    Origin,
    SessionValue,
    Value,
    agreed,
    awaited,
    is_doubled,
    objects,
    union,
    value,
)
from codemods.flow.objects.world import World, joined, of_names, same
from codemods.flow.reaching import captures
from codemods.flow.scope import Scope
from codemods.project.expressions import annotation
from codemods.project.facts import Call, Item
from codemods.project.link import is_annotated
from codemods.project.mapped_classes import mapped
from codemods.project.nodes import walk
from codemods.project.sessions import (
    ClassMeaning,
    External,
    GeneratorMeaning,
    InstanceMeaning,
    Ownership,
    ScopeMeaning,
    SessionMeaning,
)

_ROUNDS = 6
_TRANSACTIONS = frozenset({"begin", "begin_nested"})


@dataclass(slots=True)
class _Loop:
    """Where `break` and `continue` lead, while a loop is run."""

    breaks: list[World | None] = field(default_factory=list)
    continues: list[World | None] = field(default_factory=list)
    depth: int = 0  # how many statements with something to do at their end are around the loop


@dataclass(slots=True)
class _Ending:
    """The ways that leave a statement which has something to do at its end, before that is done.

    Each is kept with where it leads: a `return` with what it gives and how things stand there, or the list of a loop.
    """

    returns: list[tuple[ast.Return, Value, World, World]] = field(default_factory=list)
    jumps: list[tuple[_Loop, list[World | None], World]] = field(default_factory=list)


def run(
    scope: Scope,
    summaries: Summaries | None = None,
    planned: Planned | None = None,
    lent: tuple[tuple[str, bool], ...] = (),
    watched: Watched | None = None,
) -> Record:
    """Runs a function as it will be when what is planned is done.

    `lent`: the parameters that get a session from the caller, with whether that is an async one. `watched`: the
    expressions of which the record is to tell what they give.
    """
    record, planned = Record(), planned or Planned()
    runner = _Runner(Evaluation(scope, record, summaries, planned.inside, watched), planned, dict(lent))
    try:
        runner.start()
        runner.suite(getattr(scope.node, "body", ()))
        record.end = None if runner.dead else runner.all.world
    except RecursionError:
        record.stopped = "nested too deeply to be followed"
    return record


class _Runner:
    def __init__(self, evaluation: Evaluation, planned: Planned, lent: dict[str, bool]) -> None:
        self.all = evaluation
        self.lent = lent
        self.planned = planned
        self.scope = evaluation.scope
        self.record = evaluation.record
        self.loops: list[_Loop] = []
        self.raising: list[list[World | None]] = []
        self.endings: list[_Ending] = []
        self.dead = False  # no way leads to where we are
        self.optional: set[str] = set()  # the parameters that are None unless they are given

    # --- the start -----------------------------------------------------------------------------------------------

    def start(self) -> None:
        node = self.scope.node
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            return
        given = node.args
        positional = [*given.posonlyargs, *given.args]
        defaults = [*zip(reversed(positional), reversed(given.defaults), strict=False)]
        defaults += [
            (one, default) for one, default in zip(given.kwonlyargs, given.kw_defaults, strict=True) if default
        ]
        self.optional = {one.arg for one, default in defaults if _is_none(default)}
        for parameter in [*given.posonlyargs, *given.args, *given.kwonlyargs]:
            self.all.world.names[parameter.arg] = self._parameter(parameter)

    def _parameter(self, parameter: ast.arg) -> Value:
        means = self.scope.meaning(ast.copy_location(ast.Name(parameter.arg, ast.Load()), parameter))
        if not isinstance(means, SessionMeaning) and parameter.arg in self.lent:
            means = SessionMeaning(self.lent[parameter.arg], Ownership.SHARED)
        if isinstance(means, SessionMeaning):
            means = replace(means, ownership=Ownership.SHARED)
            number = self.all.session(ast.Name(parameter.arg, ast.Load()), means, parameter.arg)
            given = value(SessionValue(number))
            return given | NOTHING if parameter.arg in self.optional else given
        class_ = self._declared(parameter.annotation)
        may_be_none = parameter.annotation is not None and _names_none(parameter.annotation)
        if parameter.arg in ("self", "cls"):
            outer = ClassMeaning(self.scope.place.path, self.scope.place.qualname.rpartition(".")[0])
            if parameter.arg == "cls" or mapped(outer, self.scope.project) is None:
                return UNKNOWN
            class_ = outer
        origin = Origin(
            How.GIVEN, self.all.path, parameter.lineno, parameter.col_offset, what=parameter.arg, class_=class_
        )
        given = value(One(origin, (), class_))
        return given | NOTHING if may_be_none and class_ is not None else given

    def _declared(self, node: ast.expr | None) -> ClassMeaning | None:
        """The mapped class that a parameter is declared to be of."""
        told = annotation(node)
        if told is None or isinstance(told, Call) or (isinstance(told, Item) and not is_annotated(told)):
            return None
        means = self.scope.project.declared(told, self.scope.place)
        of = means.of if isinstance(means, InstanceMeaning) else None
        if isinstance(of, ClassMeaning) and mapped(of, self.scope.project) is not None:
            return of
        return None

    # --- statements ----------------------------------------------------------------------------------------------

    def suite(self, statements: Iterable[ast.stmt]) -> None:
        for statement in statements:
            if self.dead:
                return
            if statement.lineno in self.planned.removed:
                continue
            self.statement(statement)
            for waiting in self.raising:
                waiting.append(self.all.world.copy())

    def statement(self, node: ast.stmt) -> None:
        match node:
            case ast.Expr(value=inner):
                self.all.value(inner)
            case ast.Assign(targets=targets, value=inner):
                given = self._assigned(node, targets, inner)
                for target in targets:
                    self.all.bind(target, given)
            case ast.AnnAssign(target=target, value=ast.expr() as inner):
                self.all.bind(target, self._assigned(node, [target], inner))
            case ast.AugAssign(target=target, op=op, value=inner):
                loaded = _loading(target)
                both = ast.copy_location(ast.BinOp(loaded, op, inner), node)
                self.all.bind(target, self.all.value(both))
            case ast.Return(value=inner):
                given = self.all.value(inner) if inner is not None else value(Nothing())
                self._leave(node, given)
                self.dead = True
            case ast.Raise():
                self.all.value(node.exc)
                self.dead = True
            case ast.Assert(test=test):
                self.all.value(test)
                self._go(narrowed(test, True, self.all.world, self.all))
            case ast.If():
                self._if(node)
            case ast.For() | ast.AsyncFor():
                self._for(node)
            case ast.While():
                self._while(node)
            case ast.With() | ast.AsyncWith():
                self._with(node)
            case ast.Try() | ast.TryStar():
                self._try(node)
            case ast.Match():
                self._match(node)
            case ast.Break():
                if self.loops:
                    self._jump(self.loops[-1], self.loops[-1].breaks)
                self.dead = True
            case ast.Continue():
                if self.loops:
                    self._jump(self.loops[-1], self.loops[-1].continues)
                self.dead = True
            case ast.Delete(targets=targets):
                for target in targets:
                    if isinstance(target, ast.Name):
                        self.all.world.names.pop(target.id, None)
                    else:
                        self.all.session_calls.wrote_somewhere(node.lineno)
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                self.all.world.names[node.name] = self._nested(node)
            case _:
                pass

    def _nested(self, node: ast.stmt) -> Value:
        """A nested function that mentions a session has it, whenever it is called."""
        if getattr(node, "decorator_list", []):
            self.all.session_calls.wrote_somewhere(node.lineno)  # `@event.listens_for(...)`: it may be called by anyone
        return value(Closure(frozenset(inner.id for inner in walk(node) if isinstance(inner, ast.Name))))

    def _go(self, world: World | None) -> None:
        """Goes on from there; None: no way leads on."""
        if world is None:
            self.dead = True
        else:
            self.all.world = world
            self.dead = False

    def _assigned(self, statement: ast.stmt, targets: Sequence[ast.expr], inner: ast.expr) -> Value:
        """The value of an assignment; one that makes a session names it."""
        call = inner.value if isinstance(inner, ast.Await) else inner
        if isinstance(call, ast.Call) and len(targets) == 1 and isinstance(targets[0], ast.Name):
            found = made(self.scope, call)
            if found is not None and found.node is inner:
                self.all.calls.arguments(call)
                means = found.session
                if statement.lineno in self.planned.opened:
                    means = replace(means, ownership=Ownership.FRESH, through="")
                number = self.all.session(inner, means, targets[0].id, statement=statement)
                return value(SessionValue(number))
        return self.all.value(inner)

    def _leave(self, node: ast.Return, given: Value) -> None:
        given = awaited(given) if isinstance(node.value, ast.Await) else given
        world = self.all.world.copy()
        self._left(node, given, world, world)

    def _left(self, node: ast.Return, given: Value, world: World, after: World) -> None:
        """A `return` leads out of what is around it: `after` is how things stand by now."""
        if self.endings:
            self.endings[-1].returns.append((node, given, world, after))
            return
        known = self.record.exits.get(node)
        if known is not None:
            same_end = world is after and known.world is known.after
            world = _of_both((known.value, known.world), (given, world))
            after = world if same_end else _of_both((known.value, known.after), (given, after))
            given = agreed(union([known.value, given]))
        self.record.exits[node] = Exit(node, given, world, after)

    def _jump(self, loop: _Loop, way: list[World | None]) -> None:
        if len(self.endings) > loop.depth:
            self.endings[-1].jumps.append((loop, way, self.all.world))
        else:
            way.append(self.all.world)

    def _ended(self, ending: _Ending, finish: Callable[[], None]) -> None:
        """Lets each way out of a statement do what is to be done at its end, and go on from there."""
        before, dead = self.all.world, self.dead
        for node, given, world, after in ending.returns:
            self._go(after.copy())
            finish()
            if not self.dead:
                self._left(node, given, world, self.all.world)
        for loop, way, world in ending.jumps:
            self._go(world.copy())
            finish()
            if not self.dead:
                self._jump(loop, way)
        self.all.world, self.dead = before, dead

    # --- ways that part ------------------------------------------------------------------------------------------

    def _branch(self, world: World | None, suite: Sequence[ast.stmt]) -> World | None:
        """Where a suite that starts there ends."""
        if world is None:
            return None
        self._go(world.copy())
        self.suite(suite)
        end = None if self.dead else self.all.world
        self.dead = False
        return end

    def _if(self, node: ast.If) -> None:
        self.all.value(node.test)
        start = self.all.world
        ends = [
            self._branch(narrowed(node.test, True, start, self.all), node.body),
            self._branch(narrowed(node.test, False, start, self.all), node.orelse),
        ]
        self._go(joined(ends, named_only=True))

    def _match(self, node: ast.Match) -> None:
        subject = self.all.value(node.subject)
        start = self.all.world
        ends: list[World | None] = [start]
        tested = node.subject.id if isinstance(node.subject, ast.Name) else ""
        for case in node.cases:
            world = start.copy()
            if tested and (classes := _matched(case.pattern)):
                taken = of_class(tested, ast.Tuple(classes, ast.Load()), True, world, self.all)
                if _takes_all(case):
                    start = of_class(tested, ast.Tuple(classes, ast.Load()), False, start, self.all) or start
                    ends[0] = start
                if taken is None:
                    continue
                world, subject = taken, taken.names.get(tested, subject)
            elif tested:
                subject = start.names.get(tested, subject)
            for name in captures(case.pattern):
                world.names[name] = UNKNOWN
            if isinstance(case.pattern, ast.MatchAs) and case.pattern.name is not None:
                told = subject
                if isinstance(case.pattern.pattern, ast.MatchClass):
                    told = frozenset(one for one in subject if not isinstance(one, Nothing))
                world.names[case.pattern.name] = told
            ends.append(self._branch(world, case.body))
        self._go(joined(ends, named_only=True))

    def _for(self, node: ast.For | ast.AsyncFor) -> None:
        if node.lineno in self.planned.loops and isinstance(node.target, ast.Name):
            means = self.scope.meaning(node.iter)
            if isinstance(means, GeneratorMeaning) and isinstance(means.value, SessionMeaning):
                self._entered(node, node.target.id, means.value)
                return
        given = self.all.iterable(self.all.value(node.iter))
        start = self.all.world
        loop = _Loop(depth=len(self.endings))
        self.loops.append(loop)
        met = {inner for each in given if isinstance(each, Many) for inner in objects(each.element)}
        self.all.loops.append(set() if is_doubled(given) else met)
        held = {one.origin for one in met}
        entry: World | None = start
        end: World | None = None
        for _ in range(_ROUNDS):
            assert entry is not None
            self._go(entry.copy())
            self.all.bind(node.target, self.all.each(given))
            self.suite(node.body)
            ways = [None if self.dead else self.all.world, *loop.continues]
            end = joined(ways, named_only=True, also=held)
            self.dead = False
            following = joined([entry, end], named_only=True, also=held)
            if same(following, entry):
                break
            entry = following
        self.loops.pop()
        self.all.loops.pop()
        after = joined([start, end], named_only=True, also=held)
        if after is not None and end is not None and not loop.breaks:
            # every object of what is run over has been through the body
            for one in met:
                if not one.names and one.origin in end.objects:
                    after.objects[one.origin] = end.objects[one.origin]
        last = self._branch(after, node.orelse) if node.orelse else after
        self._go(joined([last, *loop.breaks], named_only=True))

    def _while(self, node: ast.While) -> None:
        loop = _Loop(depth=len(self.endings))
        self.loops.append(loop)
        self.all.loops.append(set())
        entry: World | None = self.all.world
        out: World | None = None
        for _ in range(_ROUNDS):
            assert entry is not None
            self._go(entry.copy())
            self.all.value(node.test)
            tested = self.all.world
            out = narrowed(node.test, False, tested, self.all)
            end = self._branch(narrowed(node.test, True, tested, self.all), node.body)
            following = joined([entry, end, *loop.continues], named_only=True)
            if same(following, entry):
                break
            entry = following
        self.loops.pop()
        self.all.loops.pop()
        last = self._branch(out, node.orelse) if node.orelse else out
        self._go(joined([last, *loop.breaks], named_only=True))

    def _try(self, node: ast.Try | ast.TryStar) -> None:
        start = self.all.world.copy()
        points: list[World | None] = [start]
        ending, thrown = _Ending(), list[World | None]()
        outside = self.raising
        if node.finalbody:
            self.endings.append(ending)
            self.raising = [thrown]  # what is raised gets further out only behind the `finally`
        self.raising.append(points)
        end = self._branch(start, node.body)
        self.raising.pop()
        if end is not None:
            self.record.ends[node] = joined([self.record.ends.get(node), end]) or end
        raised = joined(points, named_only=True)
        if node.orelse:
            end = self._branch(end, node.orelse)
        ends = [end]
        for handler in node.handlers:
            world = raised.copy() if raised is not None else None
            if world is not None and handler.name:
                world.names[handler.name] = PLAIN
            ends.append(self._branch(world, handler.body))
        self._go(joined(ends, named_only=True))
        if node.finalbody:
            self.endings.pop()
            self.raising = outside
            self._ended(ending, lambda: self.suite(node.finalbody))
            after = self._thrown([start, *thrown], node.finalbody)
            for waiting in self.raising:
                waiting.append(after)
            if not self.dead:
                self.suite(node.finalbody)

    def _thrown(self, points: Sequence[World | None], suite: Sequence[ast.stmt]) -> World | None:
        """How things stand behind a `finally` that is run because something is raised."""
        before, dead = self.all.world, self.dead
        end = self._branch(joined(points, named_only=True), suite)
        self.all.world, self.dead = before, dead
        return end

    def _entered(self, node: ast.For | ast.AsyncFor, name: str, means: SessionMeaning) -> None:
        """A loop that is to become a block."""
        means = replace(means, ownership=Ownership.FRESH, through="")
        number = self.all.session(node.iter, means, name, block=node)
        self.all.world.names[name] = value(SessionValue(number))
        self.suite(node.body)
        if not self.dead:
            self.record.ends[node] = joined([self.record.ends.get(node), self.all.world]) or self.all.world
            self.all.session_calls.emptied(number, node.end_lineno or node.lineno, ends=True)

    # --- with ----------------------------------------------------------------------------------------------------

    def _with(self, node: ast.With | ast.AsyncWith) -> None:
        opened: list[int] = []
        committing: list[int] = []
        flushing: list[int] = []
        lent: list[Value] = []
        for item in node.items:
            number = self._opened(node, item) or self._closed(node, item)
            if number:
                opened.append(number)
                continue
            if (begun := self._begun(item.context_expr)) is not None:
                committing.append(begun)
            if (saved := self._begun(item.context_expr, "begin_nested")) is not None:
                flushing.append(saved)
            given = self.all.value(item.context_expr)
            if begun is None and saved is None:
                lent += self._lent(item.context_expr, given)
            if item.optional_vars is not None:
                entered = [one for one in given if isinstance(one, SessionValue)]
                self.all.bind(item.optional_vars, frozenset(entered) if entered else UNKNOWN)
                if isinstance(item.optional_vars, ast.Name) and not entered:
                    self.record.lenders.add(item.optional_vars.id)
        points: list[World | None] = [self.all.world.copy()]
        suppresses = _commits(node.body) and any(self._suppresses(item.context_expr) for item in node.items)
        if suppresses:
            self.raising.append(points)
        line = node.end_lineno or node.lineno
        someone_elses = [one for one in committing if not self._is_own(one)]

        def finish() -> None:
            for number in flushing:
                self.all.session_calls.flush(number)
            for number in committing:
                self.all.session_calls.commit(number, line)
            self.all.functions.doubt(lent, line)

        if framed := bool(someone_elses or lent):
            ending, thrown, outside = _Ending(), list[World | None](), self.raising
            self.endings.append(ending)
            self.raising = [*outside, thrown] if lent else outside
        self.suite(node.body)
        if framed:
            self.endings.pop()
            self.raising = outside
            self._ended(ending, finish)
            if lent and thrown and outside:
                before, dead = self.all.world, self.dead
                self._go(joined(thrown, named_only=True))
                self.all.functions.doubt(lent, line)
                for waiting in outside:
                    waiting.append(self.all.world)
                self.all.world, self.dead = before, dead
        if suppresses:
            # what it raises does not get further: every statement may be the last one
            self.raising.pop()
            self._go(joined([*points, None if self.dead else self.all.world], named_only=True))
        if self.dead:
            return
        self.record.ends[node] = joined([self.record.ends.get(node), self.all.world]) or self.all.world
        finish()
        for number in reversed(opened):
            session = self.all.session_of(number)
            if session is not None and session.commits:
                self.all.session_calls.commit(number, node.end_lineno or node.lineno)
            self.all.session_calls.emptied(number, node.end_lineno or node.lineno, ends=True)

    def _is_own(self, number: int) -> bool:
        session = self.all.session_of(number)
        return session is not None and session.own

    def _lent(self, node: ast.expr, given: Value) -> list[Value]:
        """The sessions and objects that a context manager has: at its end it may do anything to them."""
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _TRANSACTIONS:
            if all(isinstance(one, Bearer) and one.class_ is None for one in given):
                return []
        found = [given]
        for argument in [*node.args, *(one.value for one in node.keywords)] if isinstance(node, ast.Call) else ():
            if isinstance(argument, (ast.Name, ast.Attribute)):
                found.append(self.all.value(argument))
        return [one for one in found if self.all.held_by(one) or objects(one)]

    def _suppresses(self, node: ast.expr) -> bool:
        """`contextlib.suppress(...)`."""
        called = self.scope.callee(node) if isinstance(node, ast.Call) else None
        return isinstance(called, External) and called.dotted == "contextlib.suppress"

    def _opened(self, node: ast.With | ast.AsyncWith, item: ast.withitem) -> int:
        """The number of the session that an item of a `with` opens; 0: it opens none of its own."""
        if self._closes_another(item.context_expr):
            return 0
        means = self.scope.meaning(item.context_expr)
        commits, plain, may_not = False, True, False
        if isinstance(means, ScopeMeaning):
            commits, plain, inner, may_not = means.commits, means.plain, means.value, means.may_not_commit
        else:
            inner = means
        doubt = ""
        if not isinstance(inner, SessionMeaning) and isinstance(item.context_expr, ast.Call):
            entered = self.scope.project.entered(means)
            if isinstance(entered, SessionMeaning):
                inner = entered
                doubt = f"what `{ast.unparse(item.context_expr.func)}` does with it at its end is not told"
        if not isinstance(inner, SessionMeaning) and item.optional_vars is not None:
            if runs_orm(self.scope, item.context_expr, item.optional_vars):
                inner = SessionMeaning(isinstance(node, ast.AsyncWith), Ownership.FRESH)
                called = ast.unparse(item.context_expr).partition("(")[0]
                doubt = f"`{called}` is not in view: if it gives a session of its own, name it in `sessions`"
        if isinstance(item.context_expr, ast.IfExp) and isinstance(inner, SessionMeaning):
            doubt = "it may be a session that someone else holds"
        elif (
            not isinstance(inner, SessionMeaning)
            or not isinstance(item.context_expr, (ast.Call, ast.Await))
            or (isinstance(means, SessionMeaning) and (inner.ownership is not Ownership.FRESH or inner.through))
        ):
            return 0
        if isinstance(means, ScopeMeaning):
            doubt = doubt_of(means, item.context_expr, self.scope.project)
            plain = plain or (not doubt and is_harmless(means, self.scope.project))
        if isinstance(item.context_expr, ast.Call):
            self.all.calls.arguments(item.context_expr)
        name = item.optional_vars.id if isinstance(item.optional_vars, ast.Name) else ""
        if isinstance(means, ScopeMeaning) or doubt:
            inner = replace(inner, ownership=Ownership.FRESH, through="")
        more: dict[str, object] = {"doubt": doubt} if doubt else {}
        more |= {"commits": commits, "plain": plain, "may_not_commit": may_not}
        number = self.all.session(item.context_expr, inner, name, block=node, **more)
        if number in self.all.world.sessions:
            # another round of a loop: another session, and other objects
            self.all.world.sessions.pop(number)
            for origin in [one for one in self.all.world.objects if self.all.number(one) == number]:
                self.all.world.objects.pop(origin)
        if item.optional_vars is not None:
            self.all.bind(item.optional_vars, value(SessionValue(number)))
        return number

    def _closes_another(self, node: ast.expr) -> bool:
        """`aclosing(session)`, where that is a session of another block, or of someone else."""
        called = self.scope.callee(node) if isinstance(node, ast.Call) else None
        if not isinstance(called, External) or called.dotted not in CLOSING or not isinstance(node, ast.Call):
            return False
        if len(node.args) != 1 or not isinstance(node.args[0], (ast.Name, ast.Attribute)):
            return False
        held = [self.all.session_of(number) for number in self.all.held_by(self.all.value(node.args[0]))]
        return any(one is not None and (one.block is not None or not one.own) for one in held)

    def _closed(self, node: ast.With | ast.AsyncWith, item: ast.withitem) -> int:
        """`async with session:`, where the function has made it: the number of the session."""
        if not isinstance(item.context_expr, ast.Name):
            return 0
        held = self.all.world.names.get(item.context_expr.id, EMPTY)
        numbers = [one.number for one in held if isinstance(one, SessionValue)]
        session = self.all.session_of(numbers[0]) if len(numbers) == 1 and len(held) == 1 else None
        if session is None or not session.own:
            return 0
        self.record.entered[session.number] = node
        if item.optional_vars is not None:
            self.all.bind(item.optional_vars, held)
        return session.number

    def _begun(self, node: ast.expr, method: str = "begin") -> int | None:
        """The session of `session.begin()`: its block commits."""
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=called)) if called == method:
                held = self.all.world.names.get(name, EMPTY)
                numbers = [one.number for one in held if isinstance(one, SessionValue)]
                return numbers[0] if len(numbers) == 1 else None
        return None


def _matched(pattern: ast.pattern) -> list[ast.expr]:
    """The classes of which one has to be the class of what the pattern matches; [] where it need not."""
    match pattern:
        case ast.MatchClass(cls=class_):
            return [class_]
        case ast.MatchAs(pattern=ast.pattern() as inner):
            return _matched(inner)
        case ast.MatchOr(patterns=patterns):
            found = [_matched(one) for one in patterns]
            return [class_ for one in found for class_ in one] if all(found) else []
        case _:
            return []


def _takes_all(case: ast.match_case) -> bool:
    """Whether whatever is of its classes goes into the case."""
    every = [one for one in ast.walk(case.pattern) if isinstance(one, ast.MatchClass)]
    return case.guard is None and not any(one.patterns or one.kwd_patterns for one in every)


def _of_both(*ways: tuple[Value, World]) -> World:
    """How things stand on one of two ways to a `return`, each with what it gives.

    How an object stands on a way that does not return it, as in another round of a loop, says nothing of it.
    """
    both = joined(of_names(there, {one.origin for one in objects(given, rows=True)}) for given, there in ways)
    assert both is not None
    return both


def _commits(suite: Sequence[ast.stmt]) -> bool:
    """Whether something in the suite commits: that is what has to be told when it may be left anywhere."""
    return any(
        isinstance(node, ast.Attribute) and node.attr == "commit" for statement in suite for node in walk(statement)
    )


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _names_none(annotation: ast.expr) -> bool:
    """`User | None`, `Optional[User]`."""
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        return "None" in annotation.value or "Optional" in annotation.value
    return any(
        (isinstance(node, ast.Constant) and node.value is None)
        or (isinstance(node, ast.Name) and node.id == "Optional")
        or (isinstance(node, ast.Attribute) and node.attr == "Optional")
        for node in walk(annotation)
    )


def _loading(target: ast.expr) -> ast.expr:
    """The target of `x += 1`, to be read."""
    match target:
        case ast.Name(id=name):
            made: ast.expr = ast.Name(name, ast.Load())
        case ast.Attribute(value=inner, attr=attribute):
            made = ast.Attribute(inner, attribute, ast.Load())
        case ast.Subscript(value=inner, slice=key):
            made = ast.Subscript(inner, key, ast.Load())
        case _:
            return target
    return ast.copy_location(made, target)
