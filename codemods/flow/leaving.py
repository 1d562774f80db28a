"""What that was loaded through the session leaves the function, and how."""

from __future__ import annotations

import ast

from codemods.flow.containers import contains_holder
from codemods.flow.lifetime import HAND_OVER, TO_TASK, Closed, Leave, Lifetime
from codemods.flow.nested_calls import is_over_in_block
from codemods.flow.plain_attributes import is_plain_attribute
from codemods.flow.quiet import is_quiet
from codemods.flow.reaching import bindings_of, declares_outside, reaching
from codemods.flow.scope import Loop, With, inside, own_expressions
from codemods.flow.values import Carry
from codemods.project.expressions import dotted, expression, last_name, shown
from codemods.project.keeping import Fate, constructed, handed, starts_later
from codemods.project.keeping_methods import KEEPING, TAKING
from codemods.project.keeping_parts import keeps_own_object, may_keep_part
from codemods.project.name_uses import binds
from codemods.project.nodes import SCOPES
from codemods.project.schedulers import runs_later
from codemods.project.sessions import ClassMeaning, External, FunctionMeaning, Meaning, SessionMeaning

_WAITING = frozenset({"asyncio.gather", "asyncio.shield", "asyncio.sleep", "asyncio.wait", "asyncio.wait_for"})
_CLOSING = frozenset({"contextlib.aclosing", "contextlib.closing"})  # entered, as they count as awaited


def find_leaves(life: Lifetime, *, returns: bool = True) -> None:
    """Notes what leaves (a reason to look) and what cannot leave without the session (an obstacle).

    Without `returns` what is returned does not leave: the caller looks at it.
    """
    for statement in _after(life):
        if returns and isinstance(statement, ast.Return) and not _is_lent(life, statement.value):
            _leave(life, statement.value, statement, "returned")
        if isinstance(statement, ast.Raise) and not life.is_async and isinstance(statement.exc, ast.Call):
            for argument in statement.exc.args:
                _leave(life, argument, statement, "raised")
        for node in own_expressions(statement):
            if isinstance(node, (ast.Yield, ast.YieldFrom)) and not life.scope.is_fixture:
                if _is_lent(life, node.value):
                    continue
                _leave(life, node.value, node, "yielded")
            if isinstance(node, ast.Call):
                _call_leaves(life, node)
                _started(life, node)
        for target, value in _stores(statement):
            if _outlives(life, target, augmented=isinstance(statement, ast.AugAssign)):
                _leave(life, value, statement, "stored")
    assert life.values is not None
    least = Carry.LOADED if life.is_async else Carry.BUFFERED  # a sync result reads from its cursor (semantics B6)
    loaded = {name for name, carry in life.values.names.items() if carry >= least}
    for name, line in life.values.attached.items():
        if not _is_own(life, name):
            life.leaves.append(Leave(line, f"`{name}` comes from outside, is tied to the session at line {line}"))
    _captured(life, loaded)
    if life.last is not None and not isinstance(life.statement, With):
        _read_outside(life, loaded)
        _used_next_turn(life)


def _is_lent(life: Lifetime, value: ast.expr | None) -> bool:
    return life.lent and isinstance(value, ast.Name) and value.id == life.name


def _after(life: Lifetime) -> list[ast.stmt]:
    """The statements that can run after the session is made: those behind it, at any depth."""
    own = set(inside(life.statement)) if isinstance(life.statement, With) else set()
    return [
        statement
        for statement in life.scope.statements()
        if (statement.lineno > life.statement.lineno or _begins_it(life, statement)) and statement not in own
    ]


def _begins_it(life: Lifetime, statement: ast.stmt) -> bool:
    """The statement that makes the session counts when it uses it, too; in a nested function every one does."""
    return life.around is not None or (life.inline and statement is life.statement)


def _stores(statement: ast.stmt) -> list[tuple[ast.expr, ast.expr]]:
    """(target, what goes into it), the parts of tuple targets one by one."""
    found: list[tuple[ast.expr, ast.expr]] = []
    match statement:
        case ast.Assign(targets=targets, value=value):
            found = [(target, value) for target in targets]
        case ast.AugAssign(target=target, value=value) | ast.AnnAssign(target=target, value=ast.expr() as value):
            found = [(target, value)]
        case ast.For(target=target, iter=value) | ast.AsyncFor(target=target, iter=value):
            found = [(target, value)]
        case ast.With(items=items) | ast.AsyncWith(items=items):
            found = [(item.optional_vars, item.context_expr) for item in items if item.optional_vars is not None]
    for target, value in list(found):
        if isinstance(target, (ast.Tuple, ast.List)):
            found += [(part, value) for part in target.elts]
    return found


def _outlives(life: Lifetime, target: ast.expr, *, augmented: bool = False) -> bool:
    """`self.x = ...`, `cache[k] = ...` of something that this function did not make or load itself."""
    if isinstance(target, (ast.Attribute, ast.Subscript)):
        root = _root(target)
        return root is None or not _is_own(life, root)
    if isinstance(target, ast.Name):
        if augmented:
            return not _is_own(life, target.id)  # `found += ...` changes the list in its place
        return declares_outside(life.scope, target.id) and not (life.around and _is_variable(life.around, target.id))
    return False


def _is_variable(life: Lifetime, name: str) -> bool:
    """Whether the name is a variable of this very function."""
    bound = name in life.scope.parameters or bool(bindings_of(life.scope, name))
    return bound and not declares_outside(life.scope, name)


def _is_own(life: Lifetime, name: str) -> bool:
    """Whether what the name stands for was made or loaded by this function: nobody else holds it."""
    if life.around is not None and not _is_variable(life, name) and _is_variable(life.around, name):
        return _is_own(life.around, name)
    values: list[ast.expr | None] = []
    for statement in bindings_of(life.scope, name):
        match statement:
            case ast.Assign(value=value) | ast.AnnAssign(value=value):
                values.append(value)
            case ast.AugAssign():
                continue
            case ast.For(iter=iterated) | ast.AsyncFor(iter=iterated):
                root = _root(iterated)
                if isinstance(iterated, ast.Name) and root is not None and root != name and _is_own(life, root):
                    continue
                values.append(iterated)
            case ast.With() | ast.AsyncWith():
                continue
            case _:
                named = [node for node in own_expressions(statement) if isinstance(node, ast.NamedExpr)]
                if not any(node.target.id == name for node in named):
                    return False
                values += [node.value for node in named if node.target.id == name]
    return bool(values) and all(value is not None and _makes(life, value) for value in values)


def _makes(life: Lifetime, value: ast.expr) -> bool:
    """A display, a comprehension, an object made by calling a class, or something loaded through the session."""
    assert life.values is not None
    match value:
        case ast.List() | ast.Dict() | ast.Set() | ast.Tuple() | ast.Constant() | ast.JoinedStr():
            return True
        case ast.ListComp() | ast.DictComp() | ast.SetComp() | ast.GeneratorExp() | ast.BinOp() | ast.Compare():
            return True
        case ast.IfExp(body=body, orelse=orelse):
            return _makes(life, body) and _makes(life, orelse)
    if life.values.carry(value) is not Carry.PLAIN:
        return True
    if isinstance(value, ast.Call):
        called, last = life.scope.callee(value), last_name(expression(value.func))
        if isinstance(called, ClassMeaning) or last[:1].isupper():
            return True
        return isinstance(called, External) and called.dotted.startswith(("builtins.", "collections."))
    return False


def _call_leaves(life: Lifetime, call: ast.Call) -> None:
    """`cache.append(user)`, `create_task(notify(user))`, `scheduler.add_job(service.clear)`."""
    values, scope = life.values, life.scope
    assert values is not None
    if any(around in life.freed for around in [call, *scope.parents.chain(call)]):
        return
    arguments = [*call.args, *(keyword.value for keyword in call.keywords)]
    # the session itself is looked at use by use
    arguments = [one for one in arguments if not values.is_session(one)]
    given = max((values.carry(argument) for argument in arguments), default=Carry.PLAIN)
    if given <= Carry.BUFFERED:
        return
    called, last = scope.callee(call), last_name(expression(call.func))
    name = dotted(expression(call.func)) or last
    awaited = scope.parents.is_awaited(call)
    how = "" if awaited else runs_later(called, last, awaited=False, project=scope.project)
    if how:
        what = "something loaded" if given is Carry.LOADED else f"what holds `{life.name}`"
        when = "runs later" if how == "task" else "may run later"
        reason = f"{what} goes to `{name}()` at line {call.lineno}, which {when}"
        life.stop_for_task(reason, call.lineno, undecided=how != "task")
    elif (
        last in (TAKING if given is Carry.HOLDER else KEEPING)
        and isinstance(call.func, ast.Attribute)
        and not isinstance(called, FunctionMeaning)
    ):
        root = _root(call.func.value)
        if root == life.name:
            return  # `session.add(user)`
        if root is None or not _is_own(life, root):
            if given is Carry.HOLDER:
                reason = f"what holds `{life.name}` is stored at line {call.lineno}"
                life.stop(reason, call.lineno, HAND_OVER, undecided=True)
            else:
                life.leaves.append(Leave(call.lineno, f"something loaded is put into `{name.rpartition('.')[0]}`"))
    elif given is Carry.HOLDER and not awaited:
        _holder_given(life, call, called, name, awaited=False)
    else:
        if given is Carry.HOLDER:
            _holder_given(life, call, called, name, awaited=True)
        _loaded_given(life, call, called, name, awaited=awaited)


def _loaded_given(life: Lifetime, call: ast.Call, called: Meaning, name: str, *, awaited: bool) -> None:
    """An entity is handed to a function: one in view is asked what it does with it."""
    assert life.values is not None
    if isinstance(called, FunctionMeaning):
        for argument, position, keyword in _arguments(call):
            if life.values.carry(argument) is Carry.LOADED:
                if handed(called, position, keyword, life.scope.project).fate >= Fate.CAPTURED:
                    life.leaves.append(Leave(call.lineno, f"`{name}()` keeps something loaded"))
                    return
    elif not life.is_async and not awaited and isinstance(life.scope.parents.of(call), ast.Expr):
        if not isinstance(called, ClassMeaning) and not is_quiet(called, call) and _root(call.func) != life.name:
            life.leaves.append(Leave(call.lineno, f"something loaded goes to `{name}()`, which is not in view"))


def _arguments(call: ast.Call) -> list[tuple[ast.expr, int | None, str | None]]:
    """The arguments of a call, each with its position or its keyword."""
    places: list[tuple[ast.expr, int | None, str | None]] = [(one, index, None) for index, one in enumerate(call.args)]
    return places + [(keyword.value, None, keyword.arg) for keyword in call.keywords]


def _holder_given(life: Lifetime, call: ast.Call, called: Meaning, name: str, *, awaited: bool) -> None:
    """A service made with the session, or its method, is handed to a call: awaited it is over with the block."""
    assert life.values is not None
    if isinstance(called, FunctionMeaning):
        for argument, position, keyword in _arguments(call):
            if life.values.carry(argument) is Carry.HOLDER:
                fate = handed(called, position, keyword, life.scope.project).fate
                if fate >= Fate.CAPTURED:
                    reason = f"`{name}()` at line {call.lineno} keeps what holds `{life.name}`"
                    life.stop(reason, call.lineno, HAND_OVER, undecided=fate is Fate.CAPTURED)
                    return
                contained = contains_holder(life, argument)
                if may_keep_part(called, position, keyword, life.scope.project, contained=contained):
                    taken = f"what it takes out of `{shown(argument, 40)}`"
                    reason = f"`{name}()` at line {call.lineno} may keep {taken}, which holds `{life.name}`"
                    life.stop(reason, call.lineno, HAND_OVER, undecided=True)
                    return
                if fate is Fate.UNKNOWN:
                    text = f"`{name}()` hands what holds `{life.name}` on to something that is not in view"
                    life.notes.append(Leave(call.lineno, text))
    elif isinstance(called, ClassMeaning):
        for argument, position, keyword in _arguments(call):
            if life.values.carry(argument) is Carry.HOLDER:
                built = constructed(called, position, keyword, life.scope.project)
                if built.fate > Fate.IN_RESULT and built.fate is not Fate.UNKNOWN:
                    reason = f"`{name}()` at line {call.lineno} keeps what holds `{life.name}`"
                    life.stop(reason, call.lineno, HAND_OVER, undecided=built.fate is Fate.CAPTURED)
                    return
    elif is_quiet(called, call):
        return
    elif awaited:
        # what `Event(repo)` gives is looked at where it is handed on
        is_object = last_name(expression(call.func))[:1].isupper()
        if not is_object and not _only_waits(called) and not _is_of_session(life, call):
            text = f"`{name}()` is not in view: it should not keep what holds `{life.name}`"
            life.notes.append(Leave(call.lineno, text))
    elif isinstance(life.scope.parents.of(call), ast.Expr):
        reason = f"what holds `{life.name}` goes to `{name}()` at line {call.lineno}, which is not in view"
        life.stop(reason, call.lineno, HAND_OVER, undecided=True)


def _only_waits(called: Meaning) -> bool:
    """`await gather(repo.load())`, `await wait_for(repo.load(), 5)`: what it is given is over when it is."""
    if not isinstance(called, External):
        return False
    return called.dotted in _WAITING | _CLOSING or called.dotted.startswith(("sqlalchemy.", "sqlmodel."))


def _is_of_session(life: Lifetime, call: ast.Call) -> bool:
    """`await session.execute(repo.query())`, `await repo.session.execute(...)`: a method of a session."""
    if not isinstance(call.func, ast.Attribute):
        return False
    return _root(call.func.value) == life.name or isinstance(life.scope.meaning(call.func.value), SessionMeaning)


def _started(life: Lifetime, call: ast.Call) -> None:
    """`await worker.start()` of an object that holds the session: a method that starts something to run later."""
    assert life.values is not None
    if not isinstance(call.func, ast.Attribute) or _root(call.func.value) == life.name:
        return
    if life.values.carry(call.func.value) is not Carry.HOLDER:
        return
    called, name = life.scope.callee(call), dotted(expression(call.func))
    if isinstance(called, FunctionMeaning):
        if line := starts_later(called, life.scope.project):
            reason = f"`{name}()` at line {call.lineno} starts something that runs later ({called.module}:{line})"
            life.stop(reason, call.lineno, TO_TASK)
        elif keeps_own_object(called, life.scope.project):
            reason = f"`{name}()` at line {call.lineno} stores what holds `{life.name}` elsewhere"
            life.stop(reason, call.lineno, HAND_OVER, undecided=True)
    elif life.is_async and isinstance(life.scope.parents.of(call), ast.Expr):
        life.notes.append(Leave(call.lineno, f"`{name}()` is not in view: it should not start anything"))


def _root(node: ast.expr) -> str | None:
    while isinstance(node, (ast.Attribute, ast.Subscript)):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None


def _leave(life: Lifetime, value: ast.expr | None, statement: ast.AST, how: str) -> None:
    values, line = life.values, getattr(statement, "lineno", 0)
    assert values is not None
    carry = values.carry(value)
    if carry is Carry.HOLDER:
        if all(obstacle.line != line for obstacle in life.obstacles):  # else it was already said use by use
            life.stop(f"what is {how} at line {line} may still use it", line, HAND_OVER, undecided=True)
    elif carry is Carry.BUFFERED and not life.is_async:
        # a sync result reads from its cursor while it is consumed (semantics B6)
        life.stop(
            f"a result that is not consumed yet is {how} at line {line}", line, "consume it in the block: `.all()`"
        )
    elif carry is Carry.LOADED and value is not None and not _was_detached(life, statement):
        life.leaves.append(Leave(line, f"`{shown(value, 40)}` is {how}"))


def _captured(life: Lifetime, loaded: set[str]) -> None:
    """Loaded objects that a nested function holds on to, unless a call consumes that function on the spot.

    One that stands above the session, too, finds what holds it under the name: it binds the variable.
    """
    assert life.values is not None
    behind = set(_after(life))
    holders = {name for name in loaded if life.values.names[name] is Carry.HOLDER}
    above = [] if isinstance(life.statement, With) or not holders else life.scope.statements()
    for statement in sorted(behind.union(above), key=lambda one: (one.lineno, one.col_offset)):
        names = sorted(loaded if statement in behind else holders)
        for node in [statement, *own_expressions(statement)]:
            if not isinstance(node, SCOPES) or _consumed(life, node):
                continue
            if any(one.function is node for one in life.closures):  # looked into
                continue
            for name in names:
                if binds(node, name) or not any(isinstance(n, ast.Name) and n.id == name for n in ast.walk(node)):
                    continue
                if name not in holders:
                    life.leaves.append(Leave(node.lineno, f"`{name}` is handed on or kept by a nested function"))
                elif statement in behind or not is_over_in_block(life, node, name):
                    what = f"`{node.name}()`" if not isinstance(node, ast.Lambda) else "a lambda"
                    reason = f"{what} at line {node.lineno} holds on to `{name}`, which uses the session"
                    life.stop(reason, node.lineno, HAND_OVER)


def _consumed(life: Lifetime, node: ast.AST) -> bool:
    call = life.scope.parents.of(node)
    if isinstance(call, ast.keyword):
        call = life.scope.parents.of(call)
    return isinstance(call, ast.Call) and (
        last_name(expression(call.func)) in ("sorted", "sort", "min", "max", "map", "filter", "run_sync", "groupby")
    )


def _was_detached(life: Lifetime, node: ast.AST) -> bool:
    """Whether the old code had closed the session for certain when this runs, or closes it on the way out."""
    statement = life.scope.statement(node)
    if any(inner is statement for block in life.entered for inner in inside(block)):
        return True
    if life.dissolved is not None:
        guard = life.dissolved[0]
        if any(inner is statement for inner in inside(guard)):
            return True
        place, end = life.scope.in_suite(life.seat.suite, statement), life.scope.in_suite(life.seat.suite, guard)
        if end is None:
            return life.closed is Closed.BY_HAND  # made inside of the try that closes it
        return place is not None and place > end
    if not life.let_go or life.last is None:
        return False
    # behind the close in its own suite: there only what fell through the close arrives
    place = life.scope.in_suite(life.seat.suite, statement)
    return place is not None and place > life.last


def _read_outside(life: Lifetime, loaded: set[str]) -> None:
    """Loaded names that are read behind the suite, where the block cannot reach."""
    suite, told = life.seat.suite, False
    for statement in _after(life):
        place = life.scope.in_suite(suite, statement)
        if place is not None and (life.last is None or place <= life.last):
            continue
        for node in own_expressions(statement):
            if isinstance(node, ast.Name) and node.id in loaded and isinstance(node.ctx, ast.Load):
                if life.values is not None and life.values.is_pending(node):
                    reason = f"`{node.id}` runs on the session at line {node.lineno}, after its close"
                    life.stop(reason, node.lineno, "run it before the close: `.all()`, `await`")
                    return
                if _was_detached(life, node):
                    continue
                if _uses_holder(life, node, statement):
                    reason = f"`{node.id}`, which holds it, is used at line {node.lineno}, outside of the block of"
                    life.stop(f"{reason} statements in which it is made", node.lineno, _ALL_AROUND, undecided=True)
                    return
                if not told:
                    life.leaves.append(Leave(node.lineno, f"`{node.id}` is read after the block"))
                    told = True


_ALL_AROUND = "make the session where all of its uses are, or open it with a block around all of them"


def _uses_holder(life: Lifetime, node: ast.Name, statement: ast.stmt) -> bool:
    """Whether a name that is read out of the block works on with the session: what it stands for holds it.

    Not when the name is bound anew on the way, nor when one only asks whether it stands for something, or reads a
    number or a text of it.
    """
    assert life.values is not None
    if life.values.names.get(node.id) is not Carry.HOLDER or _only_asked(life, node):
        return False
    read = life.scope.parents.of(node)
    if isinstance(read, ast.Attribute) and is_plain_attribute(life.scope.meaning(node), read.attr, life.scope.project):
        return False
    within = {inner for one in [life.statement, *life.block] for inner in inside(one)}
    if within & reaching(life.scope, statement, node.id).statements:
        return True
    return any(_fills(life, one, node.id) for one in within)


def _fills(life: Lifetime, statement: ast.stmt, name: str) -> bool:
    """`repos.append(repo)`, `repos["users"] = repo`: the name stands for what was made before, and holds it now."""
    assert life.values is not None
    for target, value in _stores(statement):
        if not isinstance(target, ast.Name) and _root(target) == name and life.values.carry(value) is Carry.HOLDER:
            return True
    for node in own_expressions(statement):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in KEEPING:
            given = [*node.args, *(keyword.value for keyword in node.keywords)]
            if _root(node.func.value) == name and any(life.values.carry(one) is Carry.HOLDER for one in given):
                return True
    return False


def _used_next_turn(life: Lifetime) -> None:
    """What holds the session is used above it in the same loop: on the next turn, when its block has ended."""
    assert life.values is not None
    if Carry.HOLDER not in life.values.names.values():
        return
    loop = life.scope.owner_statement(life.statement)
    while loop is not None:
        for statement in inside(loop) if isinstance(loop, Loop) else ():
            if statement is loop and not isinstance(loop, ast.While):
                continue  # what `for` runs over is asked for once; the test of `while` on each turn
            if statement.lineno < life.statement.lineno and _next_turn(life, statement):
                return
        loop = life.scope.owner_statement(loop)


def _next_turn(life: Lifetime, statement: ast.stmt) -> bool:
    for node in own_expressions(statement):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and _uses_holder(life, node, statement):
            reason = f"`{node.id}`, which holds it, is used at line {node.lineno}, on the next turn of the loop"
            life.stop(reason, node.lineno, _ALL_AROUND, undecided=True)
            return True
    return False


def _only_asked(life: Lifetime, node: ast.Name) -> bool:
    """`if repo:`, `if repo is not None:`, `not repo`"""
    above = life.scope.parents.of(node)
    inner: ast.AST = node
    if isinstance(above, ast.Compare) and all(isinstance(one, (ast.Is, ast.IsNot)) for one in above.ops):
        return True
    while isinstance(above, (ast.UnaryOp, ast.BoolOp)):
        inner, above = above, life.scope.parents.of(above)
    return isinstance(above, (ast.If, ast.While, ast.IfExp)) and above.test is inner
