"""A session that a function makes for itself is opened by a block that always closes it.

What it changes
    A bare session, made by a session factory and bound to a name, is opened with `async with` (`with` for a sync
    session). The block reaches from the first use of the session to the last use of it or of anything loaded
    through it. Closes that the block makes superfluous go. A session that is used after its own `async with` block
    has ended is taken back into that block. A session that is made inside of an expression, `g(F())` or
    `await F().execute(q)`, gets a name and a block around the statement. One that is made only when the caller gave
    none, `s = s or F()`, is opened beside `nullcontext(s)`: the caller's stays open. With `tidy = true` correct
    try/finally/close forms become blocks, too.

Why
    A session that is not closed keeps its connection until the garbage collector comes by: the pool runs dry
    ("QueuePool limit reached", "garbage collector is trying to clean up non-checked-in connection"). A close on the
    happy path alone leaks on every exception. A closed session is not dead: its next use opens a new connection in
    silence, and nothing gives that one back.

Before
    session = new_async_session()
    user = await session.get(User, user_id)
    return user.name

After
    async with async_session() as session:
        user = await session.get(User, user_id)
        return user.name

Leaves alone
    Sessions that are right already: opened by `with`, closed in `finally`, handed to an exit stack, bound to
    Alembic's own connection, or made by a function that is itself a factory. Sessions of a scoped registry. Refused,
    each with its reason: sessions that are returned, yielded, stored, captured by a nested function, handed to a
    task or to something that keeps them, made on some paths only, or tested for None; sync sessions whose objects
    leave the block, because lazy loading on them worked.

Safety
    `safe` where nothing that was loaded leaves the function, or a close had detached it before it left. `review`
    where entities leave it, where the session is handed on to code that is not in view, where a generator holds it
    while its consumer runs, and where tests replace the factory.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from codemods.flow.examine import examine
from codemods.flow.inline import examine_inline, free_name
from codemods.flow.lifetime import Closed, Lifetime, Obstacle
from codemods.flow.made import Made, made
from codemods.flow.moving import movable
from codemods.flow.opening import AS_WRITTEN, Openings
from codemods.flow.ownership import (
    alembic,
    closes_in,
    from_contextlib,
    given_to_exit_stack,
    held_by_block,
    kept_or_made,
    tests_truth,
)
from codemods.flow.scope import Scope, With
from codemods.flow.suspects import suspects
from codemods.flow.widening import Widening, left_open, widening
from codemods.plan import (
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
    WidenBlock,
)
from codemods.project.name_uses import SCOPES, Role
from codemods.project.openers import replaced_by
from codemods.project.sessions import (
    FunctionMeaning,
    GeneratorMeaning,
    Meaning,
    Ownership,
    ScopeMeaning,
    SessionMeaning,
)
from codemods.rules.base import Keys, ModuleView

NAME = "session-scope"
_PAGE = __doc__ or ""
_IN_A_BLOCK = "open the session with a block around the statements that use it"


class SessionScope:
    """The rule. Its page is the docstring of this module."""

    name = NAME
    summary = "a session that a function makes for itself is opened by a block that always closes it"
    level_text = "safe, review"
    # every file in which a session can be made, handed on or declared; the engine adds the names of factories
    words = (b"ession", b"awaitable_attrs")
    page = _PAGE

    def examine(self, view: ModuleView) -> Iterable[Examined]:
        """A finding or a `Right` for every session that the file makes."""
        keys = Keys(NAME)
        for scope in view.scopes:
            yield from _Scope(view, scope, keys).examine()


@dataclass(slots=True, eq=False)
class _Block:
    """A block that could be opened, before blocks of one scope are fitted into each other."""

    life: Lifetime
    made: Made
    first: int
    last: int


class _Scope:
    """The sessions of one function, module or class body."""

    def __init__(self, view: ModuleView, scope: Scope, keys: Keys) -> None:
        self.view = view
        self.scope = scope
        self.keys = keys
        self.openings = Openings(scope, view.tree, view.source, view.customs.openers, view.settings.scope)

    def examine(self) -> Iterator[Examined]:
        blocks: list[_Block] = []
        seen: set[ast.stmt] = set()
        crowded = self._crowded()
        for node in self.scope.watched():
            if isinstance(node, ast.Call):
                yield from self._read_anew(node)
                found_made = made(self.scope, node)
                if found_made is not None and not self._is_item(found_made.node):
                    seen.add(statement := self.scope.statement(node))
                    found = self._place(statement, found_made)
                    if isinstance(found, _Block) and found.life.inline and statement in crowded:
                        reason = "one of several sessions that are made in one statement"
                        found = self._manual(found_made.node, statement, reason, _IN_A_BLOCK)
                    if isinstance(found, _Block):
                        blocks.append(found)
                    else:
                        yield found
            elif isinstance(node, With):
                yield from self._with(node)
            elif isinstance(node, (ast.For, ast.AsyncFor)):
                yield from self._driven(node)
        for suspect in suspects(self.scope, seen):
            reason = (
                f"`{suspect.called}` is not in view, but line {suspect.line} runs an ORM statement on what it gives:"
                " a session that nothing closes?"
            )
            advice = "open the session with a block by hand"
            if "." not in suspect.called and "[" not in suspect.called:
                advice = f"name the factory in `sessions` of the settings, or {advice}"
            yield self._manual(suspect.value, suspect.statement, reason, advice)
        self._name_apart(blocks)
        crossing = _fit(blocks)
        for block in blocks:
            if block in crossing:
                reason = f"its uses cross those of another session (line {crossing[block]})"
                yield self._manual(block.made.node, block.life.statement, reason, _IN_A_BLOCK)
            else:
                yield self._open(block)

    def _name_apart(self, blocks: list[_Block]) -> None:
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

    def _crowded(self) -> set[ast.stmt]:
        """The statements that make more than one session: one name and one block would make one of them."""
        counts: dict[ast.stmt, int] = {}
        for node in self.scope.watched():
            if isinstance(node, ast.Call) and made(self.scope, node) is not None:
                statement = self.scope.statement(node)
                counts[statement] = counts.get(statement, 0) + 1
        return {statement for statement, count in counts.items() if count > 1}

    def _read_anew(self, call: ast.Call) -> Iterator[Examined]:
        """`await self.session.scalar(...)`, `f(self.session)`, where the property makes a session each time."""
        read = [*call.args, *(keyword.value for keyword in call.keywords)]
        if isinstance(call.func, ast.Attribute):
            read.append(call.func.value)
        for owner in read:
            if isinstance(owner, ast.Attribute) and owner.attr in self.view.customs.session_properties:
                means = self.scope.meaning(owner)
                if isinstance(means, SessionMeaning) and means.ownership is Ownership.FRESH:
                    reason = f"`{ast.unparse(owner)}` is a property that makes a session each time it is read"
                    advice = "read it once, into a block: `async with self.session as session:`"
                    yield self._manual(owner, self.scope.statement(call), reason, advice)

    @cached_property
    def _ordinals(self) -> dict[ast.expr, int]:
        """For each session of the scope, made or opened, which one under its name it is, in source order."""
        counts: dict[str, int] = {}
        found: dict[ast.expr, int] = {}
        for node in self.scope.watched():
            named: list[tuple[ast.expr, ast.expr | None]] = []
            if isinstance(node, With):
                for item in node.items:
                    means = self.scope.meaning(item.context_expr)
                    if isinstance(means.value if isinstance(means, ScopeMeaning) else means, SessionMeaning):
                        named.append((item.context_expr, item.optional_vars))
            elif isinstance(node, ast.Call) and (one := made(self.scope, node)) is not None:
                if not self._is_item(one.node):
                    statement = self.scope.statement(node)
                    bound = statement.value is one.node if isinstance(statement, (ast.Assign, ast.AnnAssign)) else False
                    targets = statement.targets if isinstance(statement, ast.Assign) else []
                    target = targets[0] if targets else getattr(statement, "target", None)
                    named.append((one.node, target if bound else None))
            for expression_node, target in named:
                name = target.id if isinstance(target, ast.Name) else ""
                counts[name] = found[expression_node] = counts.get(name, 0) + 1
        return found

    # --- where sessions are made -------------------------------------------------------------------------------

    def _is_item(self, node: ast.expr) -> bool:
        """`with F()` and `with closing(F())`: looked at as items of the `with`."""
        parent = self.scope.parents.of(node)
        if isinstance(parent, ast.Call) and isinstance(self.scope.meaning(parent), ScopeMeaning):
            parent = self.scope.parents.of(parent)
        return isinstance(parent, ast.withitem)

    def _place(self, statement: ast.stmt, made: Made) -> Examined | _Block:
        """What becomes of one session, by where it is made."""
        settled = self._not_ours(statement, made)
        if settled is not None:
            return settled
        parent = self.scope.parents.of(made.node)
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if value is made.node:
                return self._bound(statement, name, made)
            case ast.AnnAssign(target=ast.Name(id=name), value=value) if value is made.node:
                return self._bound(statement, name, made)
            case ast.Assign(targets=[ast.Attribute() as target], value=value) if value is made.node:
                return self._stored(made, statement, ast.unparse(target))
            case ast.AnnAssign(target=ast.Attribute() as target, value=value) if value is made.node:
                return self._stored(made, statement, ast.unparse(target))
            case ast.Return(value=value) if value is made.node:
                return self._returned(made, statement)
            case ast.Expr(value=value) if value is made.node:
                return self._manual(made.node, statement, "made and never used", "delete the line")
            case ast.Expr(value=ast.Yield(value=value)) if value is made.node:
                reason = "yielded where it is made: nothing closes it"
                return self._manual(made.node, statement, reason, "yield inside of `async with`")
        optional = kept_or_made(self.scope, statement, made)
        if optional is not None:
            return self._optional(statement, optional, made)
        match parent:
            case ast.BoolOp():
                reason = "made only when none is given: who has to close it depends on the caller"
                return self._manual(made.node, statement, reason, "split the function, or use `nullcontext`")
            case ast.IfExp(body=body, orelse=orelse):
                other = orelse if body is made.node else body
                if isinstance(other, (ast.Name, ast.Attribute)):
                    reason = "made only when none is given: who has to close it depends on the caller"
                    return self._manual(made.node, statement, reason, "split the function, or use `nullcontext`")
                reason = "made in a conditional expression: which session it is depends on the path"
                return self._manual(made.node, statement, reason, "choose the factory first, then open it with a block")
            case ast.Attribute() | ast.Call() | ast.keyword() if self.scope.is_function:
                return self._inline(statement, made)
        return self._manual(made.node, statement, "made in a form that cannot be followed", _IN_A_BLOCK)

    def _not_ours(self, statement: ast.stmt, made: Made) -> Examined | None:
        """Sessions that no block belongs around, whatever stands around them."""
        scope, session = self.scope, made.session
        if session.through:
            return self._of_others(made.node, statement, session)
        if held_by_block(scope, made):
            return self._right(made.node, "closed by the object that holds it, when its block is left")
        if given_to_exit_stack(scope, made):
            return self._right(made.node, "handed to a context manager that closes it")
        lambdas = [node for node in scope.parents.chain(made.node) if isinstance(node, SCOPES)]
        if lambdas and isinstance(lambdas[0], ast.Lambda):
            return self._right(made.node, "a factory: whoever calls the lambda owns the session")
        if alembic(scope, made.call):
            return self._right(made.node, "bound to Alembic's own connection")
        if session.ownership is Ownership.SHARED:
            return self._right(made.node, "belongs to someone else")
        return None

    def _stored(self, made: Made, statement: ast.stmt, target: str) -> Examined:
        method = self.scope.place.qualname.rpartition(".")[2]
        if method in ("__aenter__", "__enter__") and self._closed_on_exit(target):
            return self._right(made.node, "closed when the object is left")
        for node in ast.walk(self.scope.node):
            if isinstance(node, ast.Try) and closes_in(node.finalbody, target):
                return self._right(made.node, "closed in `finally`")
        reason = f"stored on `{target}`: it outlives the function"
        advice = "keep the factory instead of the session, and open a block where the session is used"
        return self._manual(made.node, statement, reason, advice)

    def _left_by_exit(self, life: Lifetime) -> bool:
        """`session = F(); self.session = session` in `__aenter__`, closed in `__aexit__`."""
        if self.scope.place.qualname.rpartition(".")[2] not in ("__aenter__", "__enter__"):
            return False
        for use in life.uses:
            statement = self.scope.statement(use.node)
            if use.role is Role.STORED and isinstance(statement, ast.Assign):
                if any(self._closed_on_exit(ast.unparse(target)) for target in statement.targets):
                    return True
        return False

    def _closed_on_exit(self, target: str) -> bool:
        """Whether `__aexit__`/`__exit__` of the same class closes what the target holds."""
        owner = self.scope.parents.of(self.scope.node)
        return any(
            closes_in(method.body, target)
            for method in getattr(owner, "body", ())
            if isinstance(method, (ast.FunctionDef, ast.AsyncFunctionDef)) and method.name in ("__aexit__", "__exit__")
        )

    def _returned(self, made: Made, statement: ast.stmt) -> Examined:
        function = FunctionMeaning(self.view.source.path, self.scope.place.qualname)
        used = self.view.customs.dependencies.get(function)
        if used is not None:
            reason = f"given to `Depends` ({used.path}:{used.line}), which never closes what a plain function returns"
            return self._manual(made.node, statement, reason, "make it a generator: `async with ... as s: yield s`")
        return self._right(made.node, "a factory: its callers own the session")

    def _bound(self, statement: ast.stmt, name: str, made: Made) -> Examined | _Block:
        scope, session = self.scope, made.session
        if not scope.is_function:
            where = "the class body" if isinstance(scope.node, ast.ClassDef) else "module level"
            reason = f"made at {where}: every user of it shares one session"
            return self._manual(made.node, statement, reason, "open a session with a block in each function")
        life = examine(scope, statement, name, is_async=session.is_async, tidy=self.view.settings.tidy)
        if life.right:
            return self._right(made.node, life.right)
        return self._judged(life, made, statement)

    def _optional(self, statement: ast.stmt, name: str, made: Made) -> Examined | _Block:
        """`session = session or F()`: the caller's is left alone, an own one has to be closed."""
        # not tidied: the owner-flag forms are right and stay as they are
        life = examine(self.scope, statement, name, is_async=made.session.is_async, given=True)
        if life.right:
            return self._right(made.node, life.right)
        python = self.view.settings.target_python
        if made.session.is_async and python is not None and python < (3, 10):
            life.stop("`nullcontext` is an async context manager from Python 3.10 on", statement.lineno)
        if made.node.lineno != made.node.end_lineno:
            life.stop("made in an expression of several lines", statement.lineno)
        if self.openings.nullcontext() is None:
            life.stop("`nullcontext` means something else in this file", statement.lineno)
        if life.closed is not Closed.NEVER:
            line = life.closing[0].lineno if life.closing else statement.lineno
            life.obstacles.insert(0, Obstacle(f"line {line} closes the session of the caller, too", line))
        return self._judged(life, made, statement)

    def _inline(self, statement: ast.stmt, made: Made) -> Examined | _Block:
        """`g(F())`, `await F().execute(q)`."""
        life = examine_inline(self.scope, statement, made)
        if life.right:
            return self._right(made.node, life.right)
        return self._judged(life, made, statement)

    def _judged(self, life: Lifetime, made: Made, statement: ast.stmt) -> Examined | _Block:
        """A block, unless something stands in the way of one."""
        scope, session = self.scope, made.session
        only_given = {use.role for use in life.uses} <= {Role.RETURNED, Role.ATTRIBUTE, Role.SET}
        if life.uses and only_given and any(use.role is Role.RETURNED for use in life.uses):
            return self._returned(made, statement)
        if life.obstacles and self._left_by_exit(life):
            return self._right(made.node, "closed when the object is left")
        text = made.called or "what makes it"
        if session.own_exit:
            reason = f"its class has a `{session.own_exit}()` of its own, which would run at the end of a block"
            life.obstacles.insert(0, Obstacle(reason, statement.lineno))
        if session.optional and any(use.role is not Role.METHOD for use in life.uses):
            life.obstacles.insert(0, Obstacle(f"`{text}()` may give None instead of a session", statement.lineno))
        if session.ownership is Ownership.UNKNOWN:
            life.obstacles.insert(
                0, Obstacle(f"`{text}()` may give a session that someone else holds", statement.lineno)
            )
        version = self.view.settings.sqlalchemy
        if version is not None and version < (1, 4):
            reason = (
                f"sessions are context managers from SQLAlchemy 1.4 on; the project declares {version[0]}.{version[1]}"
            )
            life.obstacles.insert(0, Obstacle(reason, statement.lineno, "close it in `finally`"))
        stopped_early = bool(life.obstacles) and life.values is None
        if session.is_async and not scope.is_async and not stopped_early:
            reason = "an async session in a function that is not async: it cannot be awaited here"
            life.obstacles.insert(0, Obstacle(reason, statement.lineno, "make the function async"))
        if not life.obstacles and life.first is None:
            reason = "never used: it holds no connection"
            life.obstacles.append(Obstacle(reason, statement.lineno, "delete the line"))
        if not session.is_async and life.leaves:
            leave = life.leaves[0]
            reason = (
                f"{leave.text} (line {leave.line}): objects of a sync session load lazily as long as it lives,"
                " in a block they no longer would"
            )
            life.obstacles.append(Obstacle(reason, leave.line, "load what is read later, then open a block by hand"))
        if life.leaves and (reader := self._object_session_reader()):
            reason = f"its objects leave the function, and {reader} asks an object for its session"
            life.obstacles.append(Obstacle(reason, life.leaves[0].line, "load eagerly what is read there"))
        if life.obstacles:
            worst = life.obstacles[0]
            return self._manual(made.node, statement, worst.reason, worst.advice)
        assert life.first is not None
        assert life.last is not None
        stays = life.inline or life.late
        first = life.first if stays or movable(made, life) else life.seat.index + 1
        return _Block(life, made, first, life.last)

    def _object_session_reader(self) -> str:
        """A place that reads the session of an entity behind its back, in a module that calls this function (C7)."""
        name = self.scope.place.qualname.rpartition(".")[2]
        symbols = self.view.project.symbols
        for path in symbols.paths():
            facts = symbols.facts[path]
            if facts.object_session_lines and (path == self.view.source.path or name in facts.calls):
                return f"{path}:{facts.object_session_lines[0]}"
        return ""

    # --- with --------------------------------------------------------------------------------------------------

    def _with(self, statement: ast.With | ast.AsyncWith) -> Iterator[Examined]:
        for item in statement.items:
            node = item.context_expr
            means = self.scope.meaning(node)
            if isinstance(means, ScopeMeaning) and isinstance(means.value, SessionMeaning):
                session, why = means.value, "opened by a context manager of the project"
                if isinstance(node, ast.Call) and from_contextlib(self.scope.callee(node)):
                    if not any(isinstance(argument, (ast.Call, ast.Await)) for argument in node.args):
                        continue  # `closing(session)`: looked at where it is made
                    why = "handed to a context manager that closes it"
            elif isinstance(means, SessionMeaning) and isinstance(node, (ast.Call, ast.Await)):
                session, why = means, "opened by a block"
            else:
                continue
            if session.through and not isinstance(means, ScopeMeaning):
                later = None
                if isinstance(item.optional_vars, ast.Name) and session.through == "generator":
                    later = widening(self.scope, statement, item.optional_vars.id, is_async=session.is_async)
                if later is not None:
                    reason = f"`{later.life.name}` is used at line {later.first_line}, after its block has ended"
                    yield self._manual(node, statement, reason, "open a second block for what follows")
                else:
                    yield self._of_others(node, statement, session)
                continue
            is_async = means.is_async
            if is_async != isinstance(statement, ast.AsyncWith):
                form = "`async with`" if is_async else "`with`"
                reason = f"{'an async' if is_async else 'a sync'} session needs {form}: this raises TypeError"
                yield self._manual(node, statement, reason, f"open it with {form}")
                continue
            if isinstance(item.optional_vars, ast.Name):
                found = widening(self.scope, statement, item.optional_vars.id, is_async=session.is_async)
                if found is not None:
                    yield self._widen(statement, item, means, found)
                    continue
                out = left_open(self.scope, statement, item.optional_vars.id, is_async=session.is_async)
                if out is not None and self.scope.is_function:
                    yield self._manual(node, statement, out.reason, out.advice)
                    continue
            yield self._right(node, why)

    def _of_others(self, node: ast.expr, statement: ast.stmt, session: SessionMeaning) -> Examined:
        """A session of a scoped registry, or out of a generator that somebody drives by hand."""
        if session.through == "registry":
            return self._right(node, "belongs to a scoped registry")
        if isinstance(statement, ast.With) and any(item.context_expr is node for item in statement.items):
            # wild-sessions 5: the generator is closed first, then the session opens anew and the `with` closes it
            return self._right(node, "closed by the `with`, although its generator is abandoned")
        reason = "taken from a generator that is driven by hand: nothing runs the rest of it in time"
        return self._manual(node, statement, reason, "enter the generator as a context manager")

    def _widen(self, statement: ast.stmt, item: ast.withitem, means: Meaning, found: Widening) -> Finding:
        assert isinstance(statement, With)
        name = found.life.name
        line = found.first_line
        message = f"`{name}` is used at line {line}, after its block has ended: it opens anew and is never closed"
        obstacles = list(found.life.obstacles)
        if isinstance(means, ScopeMeaning) and means.commits:
            reason = f"{message}; the block commits at its end, a wider one would commit more"
            obstacles.insert(0, Obstacle(reason, line, "open a second block for what follows"))
        if len(statement.items) > 1:
            reason = f"{message}; its `with` holds something else open too"
            obstacles.insert(0, Obstacle(reason, line, "open a second block for what follows"))
        if obstacles or found.life.last is None:
            first = obstacles[0] if obstacles else Obstacle(message, line)
            reason = first.reason if message in first.reason else f"{message}; {first.reason}"
            return self._manual(item.context_expr, statement, reason, first.advice)
        suite = found.life.seat.suite
        edits: list[Edit] = [WidenBlock(self.view.source.path, statement.lineno, suite[found.life.last].lineno)]
        edits += [RemoveStatement(self.view.source.path, close.lineno) for close in found.life.removed]
        reasons = self._reasons(found.life) + found.reasons
        return Finding(
            key=self._key(site := self.view.site(item.context_expr, self.scope), statement.items[0], item.context_expr),
            rule=NAME,
            site=site,
            level=Level.REVIEW if reasons else Level.SAFE,
            message=f"{message} -> taken into the block",
            reason="; ".join(reasons),
            facts=(Fact(self.view.source.path, line, f"`{name}` is used here"),),
            edits=tuple(edits),
        )

    def _driven(self, statement: ast.For | ast.AsyncFor) -> Iterator[Examined]:
        """`async for session in get_session():`"""
        means = self.scope.meaning(statement.iter)
        if isinstance(means, GeneratorMeaning) and isinstance(means.value, SessionMeaning):
            leaves = any(isinstance(inner, (ast.Break, ast.Return)) for inner in ast.walk(statement))
            how = "left early, it is closed late and its end never runs" if leaves else "an exception never reaches it"
            reason = f"a dependency generator is driven by hand: {how}"
            advice = "open the session with `async with` over the factory"
            yield self._manual(statement.iter, statement, reason, advice)

    # --- findings ----------------------------------------------------------------------------------------------

    def _right(self, node: ast.expr, why: str) -> Right:
        return Right(NAME, self.view.site(node, self.scope), why)

    def _manual(self, node: ast.expr, anchor: ast.stmt, reason: str, advice: str) -> Finding:
        site = self.view.site(node, self.scope)
        anchored: ast.AST = node if isinstance(anchor, (With, ast.For, ast.AsyncFor)) else anchor
        if isinstance(anchor, (ast.If, ast.While, ast.Try, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            anchored = node
        key = self._key(site, anchored, node)
        return Finding(key, NAME, site, Level.MANUAL, reason, reason=reason, advice=advice)

    def _key(self, site: Site, anchor: ast.AST, node: ast.expr) -> str:
        return self.keys.key(site, anchor, self._ordinals.get(node, 1))

    def _reasons(self, life: Lifetime) -> list[str]:
        """What a person should confirm before taking the block."""
        reasons = []
        if life.leaves:
            leave = life.leaves[0]
            reasons.append(
                f"{leave.text} (line {leave.line}) and is detached then: what was not loaded can no longer be loaded"
            )
        reasons += [f"line {note.line}: {note.text}" for note in life.notes[:2]]
        return reasons

    def _open(self, block: _Block) -> Finding:
        view, life, made = self.view, block.life, block.made
        path, suite = view.source.path, life.seat.suite
        statement = life.statement
        replacers = replaced_by(self.scope.meaning(made.call.func), path, made.called, view.project)
        opening = AS_WRITTEN if replacers else self.openings.opening(made)
        context, requests = opening.context, opening.requests
        reasons = self._reasons(life)
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
            test = life.name if tests_truth(statement) else f"{life.name} is not None"
            context = f"({nothing}({life.name}) if {test} else {own})"
            requests = (*requests, *more)
        edits: list[Edit] = [
            OpenBlock(
                path=path,
                creation=None if life.inline or life.late else statement.lineno,
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
        if life.dissolved is not None:
            guard, close = life.dissolved
            edits.append(DissolveTry(path, guard.lineno, (close.lineno,)))
        if isinstance(statement, ast.AnnAssign):
            requests = (*requests, *self.openings.annotation_imports(statement.annotation))
        site = view.site(made.node, self.scope)
        header = f"{'async ' if made.session.is_async else ''}with {context or ast.unparse(made.node)}"
        return Finding(
            key=self._key(site, statement, made.node),
            rule=NAME,
            site=site,
            level=Level.REVIEW if reasons else Level.SAFE,
            message=f"session made at line {statement.lineno} is {life.closed} -> {header}",
            reason="; ".join(reasons),
            facts=replacers,
            edits=tuple(edits),
            requests=tuple(requests),
        )


def _fit(blocks: list[_Block]) -> dict[_Block, int]:
    """Blocks in one suite must lie apart or in each other: the earlier one is widened over the later one.

    Gives those that cannot be fitted, with the line of the other session.
    """
    crossing: dict[_Block, int] = {}
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


def _ends_at_close(block: _Block) -> bool:
    if block.life.dissolved is not None:
        return True
    suite = block.life.seat.suite
    return any(block.life.scope.seat(close).suite is suite for close in block.life.removed)
