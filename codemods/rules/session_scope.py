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
    Sessions that are right already: opened by `with`, closed in `finally`, handed to an exit stack, bound to a
    connection of the caller or of Alembic, or made by a function that is itself a factory. Sessions of a scoped
    registry that something removes. Refused, each with its reason: sessions that are returned, yielded, stored, cached,
    captured by a nested function, given by a factory that keeps them, too, handed to a task or to something that keeps
    them, made on some paths only, tested for None, or bound to what may be a connection; sync sessions whose objects
    leave the block, because lazy loading on them worked.

Safety
    `safe` where nothing that was loaded leaves the function, or a close had detached it before it left. `review`
    where entities leave it, where the session is handed on to code that is not in view, where a generator holds it
    while its consumer runs, and where tests replace the factory.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property

from codemods.flow.bound_session import OF_CALLER
from codemods.flow.close_condition import only_while_active
from codemods.flow.closed_by_holder import Through, closed_by_holder, left_open_by_block
from codemods.flow.driving import Form, driven
from codemods.flow.examine import examine
from codemods.flow.handed_makers import handed_maker
from codemods.flow.inline import examine_inline
from codemods.flow.lent import bound_to, lending_form
from codemods.flow.lifetime import HAND_OVER, Closed, Lifetime, Obstacle
from codemods.flow.made import Made, made
from codemods.flow.objects.lent_out import doubt_of
from codemods.flow.optional import made_if_none
from codemods.flow.ownership import (
    alembic,
    closes_in,
    default_of,
    exit_stack,
    from_contextlib,
    given_to_exit_stack,
    held_by_block,
    is_never_left,
    kept_by_cache,
    kept_or_made,
)
from codemods.flow.scope import Scope, With
from codemods.flow.suspects import hiding, suspects
from codemods.flow.widening import Widening, left_open, widening
from codemods.plan import (
    Edit,
    Examined,
    Fact,
    Finding,
    Level,
    RemoveStatement,
    Request,
    Right,
    WidenBlock,
)
from codemods.project.expressions import shown
from codemods.project.link import Place
from codemods.project.name_uses import NameUse, Role
from codemods.project.nodes import SCOPES
from codemods.project.retaining import retains
from codemods.project.sessions import (
    ClassMeaning,
    External,
    FunctionMeaning,
    GeneratorMeaning,
    MakerMeaning,
    Meaning,
    Ownership,
    ScopeMeaning,
    SessionMeaning,
    UnknownMeaning,
)
from codemods.rules.base import Keys, ModuleView
from codemods.rules.blocks import IN_A_BLOCK, TASKS, WHOSE, Block, Blocks

NAME = "session-scope"
DEPENDENCIES = "session-dependency"  # the rule that looks at what this one leaves to it
_PAGE = __doc__ or ""
_CASTS = frozenset({"typing.cast", "typing_extensions.cast"})
_STEPS = frozenset({"builtins.next", "builtins.anext"})  # what takes the session out of a generator


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
        keys = view.keys(NAME)
        for scope in view.scopes:
            yield from _Scope(view, scope, keys).examine()


class _Scope:
    """The sessions of one function, module or class body."""

    def __init__(self, view: ModuleView, scope: Scope, keys: Keys) -> None:
        self.view = view
        self.scope = scope
        self.keys = keys
        self.blocks = Blocks(view, scope, keys, NAME, self._ordinals, self._aspect)

    def examine(self) -> Iterator[Examined]:
        blocks: list[Block] = []
        seen: set[ast.stmt] = set()
        crowded = self._crowded()
        for node in self.scope.watched():
            if isinstance(node, ast.Call):
                yield from self._read_anew(node)
                found_made = made(self.scope, node)
                if found_made is not None and not self._is_item(found_made.node) and not self._is_by_cast(node):
                    seen.add(statement := self.scope.statement(node))
                    found = self._place(statement, found_made)
                    if isinstance(found, Block) and found.life.inline and statement in crowded:
                        reason = "one of several sessions that are made in one statement"
                        found = self.blocks.manual(found_made.node, statement, reason, IN_A_BLOCK)
                    if self._is_lent(found, found_made):
                        continue
                    if isinstance(found, Finding) and found_made.session.ownership is Ownership.UNKNOWN:
                        found = replace(found, undecided=True)  # one that someone else holds is none to be opened here
                    if isinstance(found, Block):
                        blocks.append(found)
                    else:
                        yield found
                elif found_made is None and (handed := self._handed(node)) is not None:
                    seen.add(self.scope.statement(node))
                    yield handed
            elif isinstance(node, With):
                yield from self._with(node)
            elif isinstance(node, (ast.For, ast.AsyncFor)):
                yield from self._driven(node)
        for suspect in suspects(self.scope, seen):
            if DEPENDENCIES in self.view.running and suspect.value in self._driven_by_hand:
                continue
            unknown = f"what `{suspect.called}` gives cannot be followed"
            if suspect.is_maker:
                unknown = f"`{suspect.called}` is annotated `sessionmaker`, which does not say of what sessions"
            elif not suspect.in_view:
                unknown = f"`{suspect.called}` is not in view"
            reason = f"{unknown}, but line {suspect.line} runs an ORM statement on what it gives:"
            reason += " a session that nothing closes?"
            advice = "open the session with a block by hand"
            if "." not in suspect.called and "[" not in suspect.called:
                advice = f"name the factory in `sessions` of the settings, or {advice}"
            known = isinstance(self.scope.meaning(suspect.value), SessionMeaning)
            yield self.blocks.manual(suspect.value, suspect.statement, reason, advice, undecided=not known)
        for statement in self.scope.statements():
            if (decorator := hiding(self.scope, statement)) is not None:
                name = getattr(statement, "name", "")
                reason = f"`@{shown(decorator)}` hides what `{name}()` gives: the blocks over it are not looked at"
                advice = "look by hand at what leaves these blocks"
                yield self.blocks.manual(decorator, statement, reason, advice, undecided=True)
        yield from self.blocks.fitted(blocks)

    def _is_lent(self, found: Examined | Block, found_made: Made) -> bool:
        """Whether a session that cannot be put into a block is a dependency's, which a rule of its own looks at."""
        if DEPENDENCIES not in self.view.running:
            return False
        if found_made.session.through == "generator":
            return found_made.node in self._driven_by_hand
        if isinstance(found, Right) and found.why != OF_CALLER:
            return False
        return lending_form(self.scope, found_made, is_dependency=bool(self._dependents())) is not None

    def _is_closed_by_block(self, name: str) -> bool:
        """`async with aclosing(get_session()) as name:`"""
        return any(
            isinstance(item.optional_vars, ast.Name)
            and item.optional_vars.id == name
            and isinstance(item.context_expr, ast.Call)
            and from_contextlib(self.scope.callee(item.context_expr))
            for node in self.scope.watched()
            if isinstance(node, With)
            for item in node.items
        )

    @cached_property
    def _driven_by_hand(self) -> set[ast.expr]:
        """The places that the rule for dependencies looks at: calls of generators, and what advances them."""
        found: set[ast.expr] = set()
        for place in driven(self.scope):
            found |= {place.node, place.call}
            name, _ = bound_to(place.statement)
            if place.form is Form.VARIABLE:
                # what is done with the variable is a matter of the same place
                for use in self.scope.uses(name):
                    found |= {node for node in self.scope.parents.chain(use.node) if isinstance(node, ast.expr)}
                    found.add(use.node)
        return found

    def _dependents(self) -> tuple[Fact, ...]:
        """The places where this function is given to `Depends`."""
        return self.view.customs.dependencies.of(FunctionMeaning(self.view.source.path, self.scope.place.qualname))

    def _crowded(self) -> set[ast.stmt]:
        """The statements that make more than one session: one name and one block would make one of them."""
        counts: dict[ast.stmt, int] = {}
        for node in self.scope.watched():
            if isinstance(node, ast.Call) and made(self.scope, node) is not None and not self._is_by_cast(node):
                statement = self.scope.statement(node)
                counts[statement] = counts.get(statement, 0) + 1
        return {statement for statement, count in counts.items() if count > 1}

    def _is_by_cast(self, call: ast.Call) -> bool:
        """`cast(AsyncSession, session)`, which makes none; and `F()` in `cast(AsyncSession, F())`: the whole is one."""
        above = self.scope.parents.of(call)
        around, inner = (self.scope.parents.of(above), above) if isinstance(above, ast.Await) else (above, call)
        if isinstance(around, ast.Call) and inner in around.args[1:] and self._is_cast(around):
            return True
        if not self._is_cast(call) or len(call.args) != 2:
            return False
        value = call.args[1].value if isinstance(call.args[1], ast.Await) else call.args[1]
        return isinstance(value, (ast.Name, ast.Attribute))

    def _is_cast(self, call: ast.Call) -> bool:
        means = self.scope.callee(call)
        return isinstance(means, External) and means.dotted in _CASTS

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
                    yield self.blocks.manual(owner, self.scope.statement(call), reason, advice)

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

    def _aspect(self, node: ast.expr) -> str:
        """Who gives the session: "function" for one of the project, "maker" where a class or a maker is called."""
        call = node.value if isinstance(node, ast.Await) else node
        if not isinstance(call, ast.Call):
            return "function"  # a property, or a generator that is kept in a name
        called = self.scope.callee(call)
        if from_contextlib(called) or (isinstance(called, External) and called.dotted in _STEPS):
            return self._aspect(call.args[0]) if call.args else "maker"
        return "function" if isinstance(called, FunctionMeaning) else "maker"

    # --- where sessions are made -------------------------------------------------------------------------------

    def _is_item(self, node: ast.expr) -> bool:
        """`with F()` and `with closing(F())`: looked at as items of the `with`."""
        parent = self.scope.parents.of(node)
        if isinstance(parent, ast.Call) and isinstance(self.scope.meaning(parent), ScopeMeaning):
            parent = self.scope.parents.of(parent)
        return isinstance(parent, ast.withitem)

    def _place(self, statement: ast.stmt, made: Made) -> Examined | Block:
        """What becomes of one session, by where it is made."""
        settled = self._a_default(statement, made) or self._not_ours(statement, made) or self._chosen(statement, made)
        if settled is not None:
            return settled
        parent = self.scope.parents.of(made.node)
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if value is made.node:
                branch = made_if_none(self.scope, statement, made)
                if branch is not None:
                    return self._optional(statement, name, made, branch)
                return self._bound(statement, name, made)
            case ast.AnnAssign(target=ast.Name(id=name), value=value) if value is made.node:
                return self._bound(statement, name, made)
            case ast.Assign(targets=[ast.Attribute() as target], value=value) if value is made.node:
                return self._stored(made, statement, ast.unparse(target))
            case ast.AnnAssign(target=ast.Attribute() as target, value=value) if value is made.node:
                return self._stored(made, statement, ast.unparse(target))
            case ast.Assign(targets=[_, _, *_] as targets, value=value) if value is made.node and (
                kept := next((one for one in targets if isinstance(one, (ast.Attribute, ast.Subscript))), None)
            ):
                reason = f"stored on `{ast.unparse(kept)}`: it outlives the function"
                return self.blocks.manual(made.node, statement, reason, HAND_OVER, undecided=True)
            case ast.Return(value=value) if value is made.node:
                return self._returned(made, statement)
            case ast.Return(value=ast.Tuple(elts=elements)) if made.node in elements:
                reason = f"returned in a tuple at line {statement.lineno}: it belongs to the caller"
                advice = "see that every caller closes it"
                return self.blocks.manual(made.node, statement, reason, advice, undecided=True)
            case ast.Expr(value=value) if value is made.node:
                return self._unused(statement, made)
            case ast.Expr(value=ast.Yield(value=value)) if value is made.node:
                reason = "yielded where it is made: nothing closes it"
                return self.blocks.manual(made.node, statement, reason, "yield inside of `async with`")
        optional = kept_or_made(self.scope, statement, made)
        if optional is not None:
            return self._optional(statement, optional, made)
        match parent:
            case ast.BoolOp():
                return self._made_if_none(made, statement)
            case ast.IfExp(body=body, orelse=orelse):
                other = orelse if body is made.node else body
                if isinstance(other, (ast.Name, ast.Attribute)):
                    return self._made_if_none(made, statement)
                reason = "made in a conditional expression: which session it is depends on the path"
                advice = "choose the factory first, then open it with a block"
                given = not bound_to(statement)[0]  # to the caller, or to a call that may close it
                return self.blocks.manual(made.node, statement, reason, advice, undecided=given)
            case ast.Compare(ops=[ast.Is() | ast.IsNot()]):
                return self.blocks.right(made.node, "only asked whether it is there: it holds no connection")
            case ast.Attribute() | ast.Call() | ast.keyword() if self.scope.is_function:
                return self._inline(statement, made)
        reason = "made in a form that cannot be followed"
        return self.blocks.manual(made.node, statement, reason, IN_A_BLOCK, undecided=True)

    def _unused(self, statement: ast.stmt, made: Made) -> Finding:
        """`F()`, whose session nobody takes: a function of the project may be called for what else it does."""
        if not isinstance(self.scope.callee(made.call), (MakerMeaning, External, ClassMeaning)):
            text = f"`{made.called}()`" if made.called else "what makes it"
            if made.session.ownership is Ownership.UNKNOWN:
                reason = f"{text} may give a session that someone else holds"
                return self.blocks.manual(made.node, statement, reason, WHOSE, undecided=True)
            reason = f"the session that {text} gives is not used"
            advice = "see what else it is called for: a call that does nothing more can go"
            return self.blocks.manual(made.node, statement, reason, advice)
        return self.blocks.manual(made.node, statement, "made and never used", "delete the line")

    def _handed(self, call: ast.Call) -> Examined | None:
        """A session that a parameter makes, or an attribute, which is a maker as far as calls in view tell."""
        scope = self.scope
        if not scope.is_function or call.args or call.keywords or not isinstance(scope.callee(call), UnknownMeaning):
            return None
        maker = handed_maker(call.func, scope, self._scopes_of)
        outer: ast.expr = call
        above = scope.parents.of(call)
        if maker is None or maker.awaited != isinstance(above, ast.Await):
            return None
        if isinstance(above, ast.Await):
            outer, above = above, scope.parents.of(above)
        made = Made(outer, call, SessionMeaning(maker.is_async, Ownership.FRESH))
        by_contextlib = isinstance(above, ast.Call) and from_contextlib(scope.callee(above))
        if by_contextlib or isinstance(above, (ast.withitem, ast.Return, ast.Lambda)):
            return None
        statement = scope.statement(call)
        by = f"handed over at {maker.where}" if maker.where else "unless it is given another maker"
        known = f"`{ast.unparse(call.func)}()` makes a session of `{maker.maker}` ({by})"
        name, value = bound_to(statement)
        if value is outer:
            life = examine(scope, statement, name, is_async=maker.is_async)
            if life.right:
                return self.blocks.right(outer, life.right)
            if _only_returned(life):
                return self.blocks.right(outer, "a factory: its callers own the session")
            if life.obstacles and self._left_by_exit(life):
                return self.blocks.right(outer, "closed when the object is left")
            what = life.obstacles[0].reason if life.obstacles else f"it is {life.closed}"
            opened = f"{'async ' if maker.is_async else ''}with {ast.unparse(outer)} as {name}:"
            advice = life.obstacles[0].advice if life.obstacles else f"open it with `{opened}`"
        else:
            found = self._place(statement, made)
            if isinstance(found, Right):
                return found
            if isinstance(found, Finding) and found.level is Level.MANUAL:
                reason = f"{known}: {found.reason}"
                return replace(found, message=reason, reason=reason, undecided=found.undecided or not maker.only)
            what, advice = "nothing closes it", IN_A_BLOCK
        return self.blocks.manual(outer, statement, f"{known}: {what}", advice, undecided=not maker.only)

    def _scopes_of(self, path: str) -> Sequence[Scope]:
        there = self.view.beside(path)
        return there.scopes if there is not None else ()

    def _made_if_none(self, made: Made, statement: ast.stmt) -> Finding:
        reason = "made only when none is given: who has to close it depends on the caller"
        advice = "split the function, or use `nullcontext`"
        return self.blocks.manual(made.node, statement, reason, advice, undecided=True)

    def _a_default(self, statement: ast.stmt, made: Made) -> Examined | None:
        """`def f(session=F())`"""
        function = default_of(self.scope, made.node)
        if function is None or made.session.through or made.session.ownership is Ownership.SHARED:
            return None
        when = f"each time `{self.scope.place.qualname}()` runs" if self.scope.is_function else "once, at import"
        reason = f"made as a default {when}: all calls share one session"
        advice = "let the default be None, and open a session with a block in the function"
        return self.blocks.manual(made.node, statement, reason, advice)

    def _not_removed(self, statement: ast.stmt, made: Made) -> Examined | None:
        """A session of a scoped registry, where nothing in view tells the registry to let go of it."""
        if made.session.through != "registry" or isinstance(statement, (ast.Return, With)):
            return None
        name, value = bound_to(statement)
        if self.view.customs.registries_are_removed or not self.scope.is_function:
            return None
        if value is made.node and examine(self.scope, statement, name, is_async=made.session.is_async).right:
            return None
        reason = (
            "belongs to a scoped registry, which keeps it until its `remove()` is called: nothing in view calls that"
        )
        remove = f"{'await ' if made.session.is_async else ''}{made.called or 'the registry'}.remove()"
        advice = f"call `{remove}` where the request or the job ends, or open a session of a maker with a block"
        return self.blocks.manual(made.node, statement, reason, advice, undecided=True)

    def _not_ours(self, statement: ast.stmt, made: Made) -> Examined | None:
        """Sessions that no block belongs around, whatever stands around them."""
        scope, session = self.scope, made.session
        if session.through:
            return self._not_removed(statement, made) or self._of_others(made.node, statement, session)
        if held_by_block(scope, made):
            if isinstance(statement, With):
                holder = left_open_by_block(scope, statement, made.node, is_async=session.is_async)
                if holder:
                    reason = f"`{holder}` holds it, and leaving its block closes it on some paths only"
                    advice = "close it first, or in `finally`, in the method that leaves the block"
                    return self.blocks.manual(made.node, statement, reason, advice, undecided=True)
            return self.blocks.right(made.node, "closed by the object that holds it, when its block is left")
        stack = exit_stack(scope, made)
        if stack is not None and is_never_left(scope, stack):
            reason = f"`{ast.unparse(stack)}`, which it is handed to, is never left"
            return self.blocks.manual(made.node, statement, reason, "open the exit stack with a block")
        if given_to_exit_stack(scope, made):
            return self.blocks.right(made.node, "handed to a context manager that closes it")
        lambdas = [node for node in scope.parents.chain(made.node) if isinstance(node, SCOPES)]
        if lambdas and isinstance(lambdas[0], ast.Lambda):
            return self.blocks.right(made.node, "a factory: whoever calls the lambda owns the session")
        if alembic(scope, made.call):
            return self.blocks.right(made.node, "bound to Alembic's own connection")
        told = self.blocks.bound(made.node, session)
        if told is not None and told.certain:
            if told.right:
                return self.blocks.right(made.node, OF_CALLER)
            why = told.obstacle
            return self.blocks.manual(made.node, statement, why.reason, why.advice, undecided=why.undecided)
        if session.ownership is Ownership.SHARED:
            return self.blocks.right(made.node, "belongs to someone else")
        return None

    def _chosen(self, statement: ast.stmt, made: Made) -> Examined | None:
        """`async with F() if a else G() as s`, and `s = F() if a else G()` that is closed on every path already."""
        inner: ast.AST = made.node
        around = self.scope.parents.of(inner)
        while isinstance(around, (ast.IfExp, ast.BoolOp)) and not (
            isinstance(around, ast.IfExp) and around.test is inner
        ):
            inner, around = around, self.scope.parents.of(around)
        if inner is made.node:
            return None
        if isinstance(around, ast.withitem) and made.session.is_async == isinstance(statement, ast.AsyncWith):
            return self.blocks.right(made.node, "opened by a block, or another in its place")
        name, value = bound_to(statement)
        if value is inner and self.scope.is_function and kept_or_made(self.scope, statement, made) is None:
            life = examine(self.scope, statement, name, is_async=made.session.is_async)
            return self.blocks.right(made.node, life.right) if life.right else None
        return None

    def _stored(self, made: Made, statement: ast.stmt, target: str) -> Examined:
        method = self.scope.place.qualname.rpartition(".")[2]
        if method in ("__aenter__", "__enter__") and self._closed_on_exit(target):
            return self.blocks.right(made.node, "closed when the object is left")
        for node in ast.walk(self.scope.node):
            if isinstance(node, ast.Try) and closes_in(node.finalbody, target):
                if condition := only_while_active(node.finalbody, target):
                    asks = condition.obstacle
                    return self.blocks.manual(made.node, statement, asks.reason, asks.advice)
                return self.blocks.right(made.node, "closed in `finally`")
        reason = f"stored on `{target}`: it outlives the function"
        advice = "keep the factory instead of the session, and open a block where the session is used"
        # its exit may close it by way of another method
        enters = method in ("__aenter__", "__enter__")
        return self.blocks.manual(made.node, statement, reason, advice, undecided=enters)

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
        used = self._dependents()
        if used:
            where = f"{used[0].path}:{used[0].line}"
            reason = f"given to `Depends` ({where}), which never closes what a plain function returns"
            return self.blocks.manual(
                made.node, statement, reason, "make it a generator: `async with ... as s: yield s`"
            )
        if cache := kept_by_cache(self.scope):
            kept = f"self.{self.scope.place.qualname.rpartition('.')[2]}"
            if self._closed_on_exit(kept):
                return self.blocks.right(made.node, "closed when the object is left")
            reason = f"`{cache}` keeps it: whoever asks again gets the same session"
            advice = "keep the maker instead, and open a session with a block where one is used"
            # a method may close it
            around = getattr(self.scope.parents.of(self.scope.node), "body", [])
            return self.blocks.manual(made.node, statement, reason, advice, undecided=closes_in(around, kept))
        return self.blocks.right(made.node, "a factory: its callers own the session")

    def _is_left_elsewhere(self) -> bool:
        """Whether something else may hold what the function returns: a factory that is not its caller's alone."""
        return self._retains(self.scope.place)

    def _may_be_held(self, means: Meaning) -> bool:
        """Whether someone else may still hold a session whose block has ended, and commit what is done with it then."""
        if isinstance(means, ScopeMeaning):
            return any(self._retains(Place(one.module, one.qualname)) for one in means.by)
        return isinstance(means, SessionMeaning) and means.ownership is not Ownership.FRESH

    def _retains(self, place: Place) -> bool:
        project = self.view.project
        return any(retains(one, place, project) for one in project.symbols.functions(place.path, place.qualname))

    def _bound(self, statement: ast.stmt, name: str, made: Made) -> Examined | Block:
        scope, session = self.scope, made.session
        if not scope.is_function:
            where = "the class body" if isinstance(scope.node, ast.ClassDef) else "module level"
            reason = f"made at {where}: every user of it shares one session"
            return self.blocks.manual(made.node, statement, reason, "open a session with a block in each function")
        life = examine(scope, statement, name, is_async=session.is_async, tidy=self.view.settings.tidy)
        if life.right:
            return self.blocks.right(made.node, life.right)
        if _only_returned(life) and not self._is_left_elsewhere():
            return self._returned(made, statement)
        if life.obstacles and self._left_by_exit(life):
            return self.blocks.right(made.node, "closed when the object is left")
        given = [use for use in life.uses if use.role is not Role.TESTED]
        for use in given:
            if use.role is Role.ARGUMENT:
                others = [other for other in given if other is not use]
                through = self._closed_by_holder(life, self.scope.statement(use.node), use.node, made, others)
                if through is not None:
                    return through
        return self._without_tasks(life, statement, made) or self.blocks.judged(life, made, statement)

    def _without_tasks(self, life: Lifetime, statement: ast.stmt, made: Made) -> Examined | Block | None:
        """The block that there can be when the tasks which the function starts get ids instead; a session that only
        went to them is not needed any more."""
        sites = self.blocks.sites(life)
        if not sites:
            return None
        freed = frozenset(sites.values())
        if all(any(around in freed for around in self.scope.parents.chain(use.node)) for use in life.uses):
            return self._needless(life, statement, made, sorted(sites))
        alone = examine(self.scope, statement, life.name, is_async=made.session.is_async, freed=freed)
        block = self.blocks.judged(alone, made, statement) if not alone.right else None
        if not isinstance(block, Block):
            return None
        path = self.view.source.path
        block.needs = tuple((TASKS, path, line) for line in sorted(sites))
        block.unless = next(one.reason for one in life.obstacles if one.scheduled)
        return block

    def _needless(self, life: Lifetime, statement: ast.stmt, made: Made, lines: list[int]) -> Finding:
        """The session that is made for tasks alone."""
        path, openings = self.view.source.path, self.blocks.openings
        requests: tuple[Request, ...] = ()
        called = made.call.func
        if isinstance(called, ast.Name) and (drop := openings.drop(called.id)) is not None:
            requests = (drop,)
        if isinstance(statement, ast.AnnAssign):
            requests = (*requests, *openings.annotation_imports(statement.annotation))
        site = self.view.site(made.node, self.scope)
        return Finding(
            key=self.blocks.key(site, statement, made.node),
            rule=NAME,
            site=site,
            level=Level.SAFE,
            message=f"session made at line {statement.lineno} only goes to a task, which opens its own -> not made",
            edits=(RemoveStatement(path, statement.lineno),),
            requests=requests,
            aspect=self._aspect(made.node),
            requires_at=tuple((TASKS, path, line) for line in lines),
            unless=next(one.reason for one in life.obstacles if one.scheduled),
        )

    def _optional(self, statement: ast.stmt, name: str, made: Made, branch: ast.If | None = None) -> Examined | Block:
        """`session = session or F()`: the caller's is left alone, an own one has to be closed."""
        # not tidied: the owner-flag forms are right and stay as they are
        life = examine(self.scope, statement, name, is_async=made.session.is_async, given=True, branch=branch)
        if life.right:
            return self.blocks.right(made.node, life.right)
        if _only_returned(life):
            return self._returned(made, statement)
        python = self.view.settings.target_python
        if made.session.is_async and python is not None and python < (3, 10):
            life.stop("`nullcontext` is an async context manager from Python 3.10 on", statement.lineno)
        if made.node.lineno != made.node.end_lineno:
            life.stop("made in an expression of several lines", statement.lineno)
        if self.blocks.openings.nullcontext() is None:
            life.stop("`nullcontext` means something else in this file", statement.lineno)
        if life.closed is not Closed.NEVER and life.condition is not None:
            life.obstacles.insert(0, life.condition.obstacle)  # `if self.owned:`, and it cannot be seen what that says
        elif life.closed is not Closed.NEVER:
            line = life.closing[0].lineno if life.closing else statement.lineno
            life.obstacles.insert(0, Obstacle(f"line {line} closes the session of the caller, too", line))
        return self.blocks.judged(life, made, statement)

    def _inline(self, statement: ast.stmt, made: Made) -> Examined | Block:
        """`g(F())`, `await F().execute(q)`."""
        life = examine_inline(self.scope, statement, made)
        if life.right:
            return self.blocks.right(made.node, life.right)
        through = self._closed_by_holder(life, statement, made.node, made)
        return through or self.blocks.judged(life, made, statement)

    def _closed_by_holder(
        self, life: Lifetime, holding: ast.stmt, given: ast.expr, made: Made, others: Sequence[NameUse] = ()
    ) -> Examined | None:
        """`repo = Repo(F())`, and `await repo.session.close()`: what `holding` makes of the session closes it."""
        found = closed_by_holder(self.scope, holding, given, is_async=made.session.is_async, others=others)
        if found is None or life.closed is not Closed.NEVER:
            return None
        if found.through is Through.ALWAYS:
            where = "by the block of" if isinstance(holding, With) else "in `finally` through"
            return self.blocks.right(made.node, f"closed {where} `{found.holder}` (line {found.line})")
        if found.through is Through.PERHAPS:
            reason = f"`{found.holder}`, which holds it, is closed at line {found.line}: it may close it, too"
            advice = "see what it closes: a session that it leaves open belongs into a block"
            return self.blocks.manual(made.node, life.statement, reason, advice, undecided=True)
        life.closed = Closed.HAPPY_PATH if found.through is Through.HAPPY_PATH else Closed.SOME_PATHS
        return None

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
            if session.through == "generator" and not isinstance(means, ScopeMeaning):
                if DEPENDENCIES in self.view.running and node in self._driven_by_hand:
                    continue
            if session.through and not isinstance(means, ScopeMeaning):
                later = None
                if isinstance(item.optional_vars, ast.Name) and session.through == "generator":
                    later = widening(self.scope, statement, item.optional_vars.id, is_async=session.is_async)
                if later is not None:
                    reason = f"`{later.life.name}` is used at line {later.first_line}, after its block has ended"
                    yield self.blocks.manual(node, statement, reason, "open a second block for what follows")
                else:
                    yield self._of_others(node, statement, session)
                continue
            is_async = means.is_async
            if is_async != isinstance(statement, ast.AsyncWith):
                form = "`async with`" if is_async else "`with`"
                reason = f"{'an async' if is_async else 'a sync'} session needs {form}: this raises TypeError"
                yield self.blocks.manual(node, statement, reason, f"open it with {form}")
                continue
            if isinstance(item.optional_vars, ast.Name):
                found = widening(self.scope, statement, item.optional_vars.id, is_async=session.is_async)
                if found is not None:
                    doubt = doubt_of(means, node, self.view.project) if isinstance(means, ScopeMeaning) else ""
                    if not doubt and self._may_be_held(means):
                        how = "lend" if isinstance(means, ScopeMeaning) else "give"
                        doubt = f"`{self.view.text(node)}` may {how} a session that someone else holds"
                    told = None if doubt else self.blocks.bound(node, session)
                    if told is not None and told.right and not isinstance(means, ScopeMeaning):
                        yield self.blocks.right(node, OF_CALLER)  # what opens anew takes no connection of its own
                        continue
                    doubt = told.obstacle.reason if told is not None else doubt
                    if doubt:
                        where = f"`{found.life.name}` is used at line {found.first_line}, after its block has ended"
                        advice = "open a second block for what follows"
                        yield self.blocks.manual(node, statement, f"{where}; {doubt}", advice, undecided=True)
                        continue
                    yield self._widen(statement, item, means, found)
                    continue
                out = left_open(self.scope, statement, item.optional_vars.id, is_async=session.is_async)
                if out is not None and out.returned and DEPENDENCIES in self.view.running and self._dependents():
                    continue
                if out is not None and self.scope.is_function and not self._is_of_task(out):
                    yield self.blocks.manual(node, statement, out.reason, out.advice, undecided=out.undecided)
                    continue
            yield self.blocks.right(node, why)

    def _is_of_task(self, out: Obstacle) -> bool:
        """Whether what goes wrong with the block is a matter of a call that another rule looks at."""
        return (
            bool(out.scheduled)
            and TASKS in self.view.running
            and any(
                site.line == out.scheduled and site.scope.place == self.scope.place and site.is_carrying
                for site in self.view.tasks.sites(self.view.source.path)
            )
        )

    def _of_others(self, node: ast.expr, statement: ast.stmt, session: SessionMeaning) -> Examined:
        """A session of a scoped registry, or out of a generator that somebody drives by hand."""
        if session.through == "registry":
            return self.blocks.right(node, "belongs to a scoped registry")
        argument = self._advanced(node)
        if argument is not None and self._is_closed_by_block(argument):
            return self.blocks.right(node, "its generator is closed by a block")
        if isinstance(statement, ast.With) and any(item.context_expr is node for item in statement.items):
            # wild-sessions 5: the generator is closed first, then the session opens anew and the `with` closes it
            return self.blocks.right(node, "closed by the `with`, although its generator is abandoned")
        reason = "taken from a generator that is driven by hand: nothing runs the rest of it in time"
        return self.blocks.manual(node, statement, reason, "enter the generator as a context manager")

    def _advanced(self, node: ast.expr) -> str | None:
        """The variable of `next(gen)` and `await anext(gen)`."""
        call = node.value if isinstance(node, ast.Await) else node
        if isinstance(call, ast.Call) and len(call.args) == 1 and isinstance(call.args[0], ast.Name):
            return call.args[0].id
        return None

    def _widen(self, statement: ast.stmt, item: ast.withitem, means: Meaning, found: Widening) -> Finding:
        assert isinstance(statement, With)
        name = found.life.name
        line = found.first_line
        message = f"`{name}` is used at line {line}, after its block has ended: it opens anew and is never closed"
        obstacles = list(found.life.obstacles)
        if isinstance(means, ScopeMeaning) and means.commits:
            commits = "may commit" if means.may_not_commit else "commits"
            reason = f"{message}; the block {commits} at its end, a wider one would commit more"
            obstacles.insert(0, Obstacle(reason, line, "open a second block for what follows"))
        if len(statement.items) > 1:
            reason = f"{message}; its `with` holds something else open too"
            obstacles.insert(0, Obstacle(reason, line, "open a second block for what follows"))
        if obstacles or found.life.last is None:
            first = obstacles[0] if obstacles else Obstacle(message, line)
            reason = first.reason if message in first.reason else f"{message}; {first.reason}"
            return self.blocks.manual(item.context_expr, statement, reason, first.advice)
        suite = found.life.seat.suite
        edits: list[Edit] = [WidenBlock(self.view.source.path, statement.lineno, suite[found.life.last].lineno)]
        edits += [RemoveStatement(self.view.source.path, close.lineno) for close in found.life.removed]
        reasons = self.blocks.reasons(found.life) + found.reasons
        return Finding(
            key=self.blocks.key(
                site := self.view.site(item.context_expr, self.scope), statement.items[0], item.context_expr
            ),
            rule=NAME,
            site=site,
            level=Level.REVIEW if reasons else Level.SAFE,
            message=f"{message} -> taken into the block",
            reason="; ".join(reasons),
            facts=(Fact(self.view.source.path, line, f"`{name}` is used here"),),
            edits=tuple(edits),
            aspect=self._aspect(item.context_expr),
        )

    def _driven(self, statement: ast.For | ast.AsyncFor) -> Iterator[Examined]:
        """`async for session in get_session():`"""
        if DEPENDENCIES in self.view.running and statement.iter in self._driven_by_hand:
            return
        means = self.scope.meaning(statement.iter)
        if isinstance(means, GeneratorMeaning) and isinstance(means.value, SessionMeaning):
            if isinstance(statement.iter, ast.Name) and self._is_closed_by_block(statement.iter.id):
                yield self.blocks.right(statement.iter, "its generator is closed by a block")
                return
            leaves = any(isinstance(inner, (ast.Break, ast.Return)) for inner in ast.walk(statement))
            how = "left early, it is closed late and its end never runs" if leaves else "an exception never reaches it"
            reason = f"a dependency generator is driven by hand: {how}"
            advice = "open the session with `async with` over the factory"
            yield self.blocks.manual(statement.iter, statement, reason, advice)


def _only_returned(life: Lifetime) -> bool:
    """Whether nothing is done with the session but to return it: then the function is a factory."""
    roles = {use.role for use in life.uses}
    return Role.RETURNED in roles and roles <= {Role.RETURNED, Role.ATTRIBUTE, Role.SET}
