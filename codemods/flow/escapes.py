"""How a session can get away from the function that made it: use by use, followed into calls."""

from __future__ import annotations

import ast

from codemods.flow.closing import CLOSES
from codemods.flow.late_entry import enter
from codemods.flow.lent_for_a_call import lent_for_a_call
from codemods.flow.lifetime import HAND_OVER, TO_TASK, Leave, Lifetime
from codemods.flow.quiet import is_quiet
from codemods.flow.scope import Scope, With, inside
from codemods.flow.values import METHODS, SYNC_METHODS
from codemods.plan import Fact
from codemods.project.expressions import dotted, expression, last_name
from codemods.project.keeping import Fate, constructed, handed
from codemods.project.keeping_methods import TAKING
from codemods.project.name_uses import COMPREHENSIONS, NameUse, Role
from codemods.project.schedulers import runs_later
from codemods.project.sessions import ClassMeaning, External, FunctionMeaning

_ENTERS = frozenset({"__aenter__", "__enter__"})
_IMMEDIATE = frozenset(
    {"list", "tuple", "set", "dict", "frozenset", "sorted", "sum", "any", "all", "min", "max", "join", "gather"}
)
# what containers, and the methods of repositories and clients, go by
_OF_REPOSITORIES = frozenset({"add", "extend", "insert", "register", "send", "set", "update"})


def check_uses(life: Lifetime) -> None:
    own = set(inside(life.statement)) if isinstance(life.statement, With) else set()
    for use in life.uses:
        if life.scope.statement(use.node) in own:
            continue  # inside its own block: not a question of where the block ends
        _check_comprehension(life, use)
        match use.role:
            case Role.RETURNED if life.lent and isinstance(life.scope.parents.of(use.node), ast.Return):
                pass
            case Role.RETURNED:
                reason = f"returned at line {use.line}: it belongs to the caller"
                life.stop(reason, use.line, HAND_OVER, undecided=True)
            case Role.YIELDED if life.scope.is_fixture or life.lent:
                pass
            case Role.YIELDED:
                life.stop(
                    f"yielded at line {use.line}: this is a dependency or a context manager",
                    use.line,
                    "close it in `finally` around the yield, or yield inside of `async with`",
                )
            case Role.STORED | Role.CONTAINED if (lent := lent_for_a_call(life, use)) is not None:
                life.obstacles.append(lent)
            case Role.STORED | Role.CONTAINED:
                # an object that enters it may close it in its exit; what is put into a list may be closed from there
                kept = use.role is Role.CONTAINED or life.scope.place.qualname.rpartition(".")[2] in _ENTERS
                life.stop(f"stored at line {use.line}: it outlives the function", use.line, HAND_OVER, undecided=kept)
            case Role.ALIASED:
                reason = f"given a second name at line {use.line}"
                life.stop(reason, use.line, "use one name for the session", undecided=True)
            case Role.TESTED:
                life.stop(
                    f"tested at line {use.line}: whether there is a session depends on the path",
                    use.line,
                    "make the session unconditionally, in a block",
                )
            case Role.DELETED:
                life.stop(f"deleted at line {use.line}", use.line, "drop the `del`")
            case Role.AWAITED | Role.ITERATED | Role.OTHER:
                life.stop(f"used at line {use.line} in a way that cannot be followed", use.line, undecided=True)
            case Role.ENTERED:
                _entered(life, use)
            case Role.METHOD:
                _method(life, use)
            case Role.ATTRIBUTE:
                _attribute(life, use)
            case Role.SET if use.attribute == "bind":
                reason = (
                    f"bound anew at line {use.line}, perhaps to a connection: its close would roll back what was begun"
                )
                life.stop(f"{reason} there", use.line, "see what it is bound to", undecided=True)
            case Role.ARGUMENT:
                _argument(life, use)
            case _:
                pass


def captured(life: Lifetime, use: NameUse) -> None:
    holder = use.holder
    what = f"`{holder.name}()`" if isinstance(holder, (ast.FunctionDef, ast.AsyncFunctionDef)) else "a lambda"
    line = getattr(holder, "lineno", use.line)
    life.stop(
        f"{what} at line {line} holds on to `{life.name}` and can run after the block",
        use.line,
        "pass the session as a parameter, or open a session inside the nested function",
        undecided=any(isinstance(one, ast.Attribute) and one.attr in CLOSES for one in ast.walk(holder or use.node)),
    )


def _check_comprehension(life: Lifetime, use: NameUse) -> None:
    for around in life.scope.parents.chain(use.node):
        if isinstance(around, ast.stmt):
            return
        if isinstance(around, ast.GeneratorExp):
            call = life.scope.parents.of(around)
            if isinstance(call, ast.Call) and last_name(expression(call.func)) in _IMMEDIATE:
                return
            if isinstance(call, ast.Starred):
                return
            life.stop(f"a generator expression at line {use.line} uses it when it is consumed", use.line)
            return
        if isinstance(around, COMPREHENSIONS):
            return


def _entered(life: Lifetime, use: NameUse) -> None:
    """`async with session:` although the session is used outside of that block too (else it is `settled`)."""
    if isinstance(use.holder, With):
        enter(life, use, use.holder)


def _method(life: Lifetime, use: NameUse) -> None:
    if use.attribute in ("__aenter__", "__enter__", "__aexit__", "__exit__"):
        life.stop(f"`{use.attribute}` is called by hand at line {use.line}", use.line, undecided=True)
        return
    if not life.is_async or use.awaited or use.attribute in SYNC_METHODS:
        return
    assert use.call is not None
    if _scheduled(life, use, use.call):
        return
    what = f"`{life.name}.{use.attribute}(...)`"
    if use.attribute in CLOSES and isinstance(life.scope.parents.of(use.call), ast.Expr):
        life.stop(f"{what} at line {use.line} is not awaited", use.line, "await it")
        return
    life.stop(
        f"{what} at line {use.line} is not awaited there: it runs after the close",
        use.line,
        "await the call where it is made",
    )


def _attribute(life: Lifetime, use: NameUse) -> None:
    """`run = session.execute` is followed as a name that holds the session; a method that is given away is not."""
    if use.attribute not in METHODS and use.attribute != "sync_session":
        return
    node = life.scope.parents.of(use.node)
    assert node is not None
    parent = life.scope.parents.of(node)
    if isinstance(parent, ast.Attribute):
        return
    if use.attribute in CLOSES and isinstance(parent, ast.Call) and node in parent.args:
        if last_name(expression(parent.func)) == ("push_async_callback" if life.is_async else "callback"):
            life.right = f"closed by an exit stack (line {use.line})"
            return
    plain_name = isinstance(parent, ast.Assign) and all(isinstance(target, ast.Name) for target in parent.targets)
    if not plain_name:
        what = f"`{life.name}.{use.attribute}`"
        reason = f"{what} is given away at line {use.line}: it can be used after the block"
        life.stop(reason, use.line, HAND_OVER, undecided=use.attribute in CLOSES)


def _argument(life: Lifetime, use: NameUse) -> None:
    call = use.call
    assert call is not None
    scope = life.scope
    name = dotted(expression(call.func)) or last_name(expression(call.func)) or "a call"
    if _scheduled(life, use, call):
        return
    called = scope.meaning(call.func)
    if last_name(expression(call.func)) in ("enter_async_context", "enter_context", "push_async_exit"):
        life.right = f"handed to an exit stack at line {use.line}"
        return
    match called:
        case FunctionMeaning():
            _handed_to_function(life, use, called, name)
        case ClassMeaning():
            # an object that holds the session: `Values` follows it as a HOLDER
            built = constructed(called, use.position, use.keyword, life.scope.project)
            if built.fate > Fate.IN_RESULT:
                where = f" ({_place(built.fact)})" if built.fact else ""
                reason = f"`{name}()` keeps it or starts something with it{where}"
                life.stop(reason, use.line, HAND_OVER, undecided=built.fate <= Fate.CAPTURED)
        case External(dotted="functools.partial" | "functools.partialmethod"):
            pass  # `Values` follows it as a HOLDER
        case _ if not is_quiet(called, call):
            _unfollowed(life, use, call, name)


def _unfollowed(life: Lifetime, use: NameUse, call: ast.Call, name: str) -> None:
    """A call that is not in view. Awaited it is over with the block, as far as anyone can see; else it may keep it."""
    last = name.rpartition(".")[2]
    if isinstance(call.func, ast.Attribute) and last in TAKING and not _works_with(last, use, call):
        reason = f"`{name}()` at line {use.line} keeps what it is given, as far as its name tells"
        life.stop(reason, use.line, HAND_OVER, undecided=True)
    elif use.awaited:
        life.notes.append(Leave(use.line, f"`{name}()` is not in view: it should not keep the session"))
    elif last[:1].isupper():
        # the object that holds it is followed; what else making it does cannot be seen
        life.notes.append(Leave(use.line, f"`{name}(...)` is not in view: it should only hold the session"))
    else:
        life.stop(
            f"handed to `{name}()` at line {use.line}, which is not in view and may keep it or run it later",
            use.line,
            "look whether it keeps the session; if not, open the session with a block by hand",
            undecided=True,
        )


def _works_with(name: str, use: NameUse, call: ast.Call) -> bool:
    """`await users.add(session, user)`: a method that is given the session first, and then what it works on."""
    if not use.awaited or name not in _OF_REPOSITORIES or use.position != 0:
        return False
    return len(call.args) > 1 or bool(call.keywords)


def _handed_to_function(life: Lifetime, use: NameUse, called: FunctionMeaning, name: str) -> None:
    definitions = life.scope.project.symbols.functions(called.module, called.qualname)
    if not use.awaited:
        if any(one.is_async and not one.is_generator for one in definitions):
            life.stop(
                f"the coroutine of `{name}()` at line {use.line} is not awaited there: it runs after the close",
                use.line,
                "await the call where it is made, or let the task open its own session",
            )
            return
        if any(one.is_generator for one in definitions) and not _iterated_here(life, use):
            life.stop(
                f"it goes to the generator `{name}()` at line {use.line}, which can outlive this function",
                use.line,
                "consume the generator inside of the block, or let it open its own session",
            )
            return
    found = handed(called, use.position, use.keyword, life.scope.project)
    where = f" ({_place(found.fact)})" if found.fact else ""
    match found.fate:
        case Fate.SCHEDULED:
            life.stop(f"`{name}()` hands it to a task{where}", use.line, TO_TASK)
        case Fate.KEPT:
            life.stop(f"`{name}()` keeps it{where}", use.line, HAND_OVER)
        case Fate.CAPTURED:
            why = f": {found.fact.text}" if found.fact else ""
            life.stop(f"`{name}()` may keep it{why}{where}", use.line, HAND_OVER, undecided=True)
        case Fate.UNKNOWN:
            life.notes.append(Leave(use.line, f"`{name}()` hands it on to something that is not in view{where}"))
        case _:
            pass


def _place(fact: Fact | None) -> str:
    return f"{fact.path}:{fact.line}" if fact else ""


def _iterated_here(life: Lifetime, use: NameUse) -> bool:
    current: ast.AST = use.node
    for around in life.scope.parents.chain(use.node):
        if isinstance(around, (ast.For, ast.AsyncFor, ast.comprehension)):
            return around.iter is current
        if isinstance(around, ast.Call) and current is not use.node:
            if last_name(expression(around.func)) in _IMMEDIATE:
                return True
        if isinstance(around, ast.stmt):
            return False
        current = around
    return False


def _scheduled(life: Lifetime, use: NameUse, call: ast.Call) -> bool:
    """Whether a call around the use runs it later; says so when it does."""
    if any(around in life.freed for around in [call, *life.scope.parents.chain(call)]):
        return True
    found = scheduled_by(life.scope, call)
    if found is None:
        return False
    name, line, how = found
    kind = "runs it later" if how == "task" else "may run it later"
    life.stop_for_task(f"handed to `{name}()` at line {line}, which {kind}", line, undecided=how != "task")
    return True


def scheduled_by(scope: Scope, call: ast.Call) -> tuple[str, int, str] | None:
    """(name, line, "task" or "suspected") of the call, this one or one around it, that runs its arguments later."""
    for around in [call, *scope.parents.chain(call)]:
        if isinstance(around, ast.stmt):
            return None
        if not isinstance(around, ast.Call):
            continue
        awaited = scope.parents.is_awaited(around)
        how = runs_later(scope.callee(around), last_name(expression(around.func)), awaited, scope.project)
        if how and not (awaited and how == "suspected"):
            return dotted(expression(around.func)) or last_name(expression(around.func)), around.lineno, how
    return None
