"""Functions inside of a function that use its session and are only called there: what they do counts as done there.

A nested function binds the variable, not the session: each of its calls is a use of the session that the variable holds
then. Only what is called on the spot is followed; what is handed on, returned or stored can run at any time. Reads.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence

from codemods.flow.closing import CLOSES
from codemods.flow.extent import check_held_open
from codemods.flow.leaving import find_leaves
from codemods.flow.lifetime import Closure, Lifetime
from codemods.flow.nested_calls import calls_of, consumed_later, is_generator
from codemods.flow.scope import Scope
from codemods.flow.values import SYNC_METHODS, Carry, Values
from codemods.project.link import Place
from codemods.project.name_uses import Function, NameUse, Role, binds, name_uses

READS_ALL_NAMES = frozenset({"locals", "vars", "eval", "exec", "dir"})
_BY_HAND = frozenset({"__aenter__", "__enter__", "__aexit__", "__exit__"})


def closure(life: Lifetime, holder: ast.AST | None, held: Sequence[NameUse]) -> Closure | None:
    """The nested function that holds on to the session, when it is only called, and uses it only while it runs.

    `held` are the uses of the session in it. None when it may run at another time, or does more with the session.
    """
    if not isinstance(holder, (ast.FunctionDef, ast.AsyncFunctionDef)) or life.scope.statement(holder) is not holder:
        return None
    if holder.decorator_list or is_generator(holder) or _sees_all(holder, life.name):
        return None
    uses = name_uses(holder, life.name, life.scope.parents)
    if {use.node for use in held} != {use.node for use in uses}:  # a default value holds on to it
        return None
    if not all(_passing(life, use) for use in uses):
        return None
    calls = calls_of(life.scope, holder)
    if not calls:
        return None
    place = Place(life.scope.place.path, f"{life.scope.place.qualname}.{holder.name}")
    return Closure(holder, Scope(holder, place, life.scope.parents, life.scope.project), calls)


def values_of(life: Lifetime, statements: Sequence[ast.stmt]) -> Values:
    """What the names of the function carry, with what its closures give and put into them, and the other way round."""
    found = Values(life.scope, [life.name], statements, is_async=life.is_async, freed=life.freed)
    if not life.closures:
        return found
    known: dict[str, Carry] = {}
    gives: dict[ast.Call, Carry] = {}
    while True:  # ends: what is known only grows
        before = dict(known), dict(gives)
        for one in life.closures:
            _run(one, life, found, known, gives)
        found = Values(
            life.scope, [life.name], statements, is_async=life.is_async, known=known, gives=gives, freed=life.freed
        )
        _raise(known, found.names)
        if (known, gives) == before:
            return found


def _run(one: Closure, life: Lifetime, around: Values, known: dict[str, Carry], gives: dict[ast.Call, Carry]) -> None:
    """What a closure carries, given what the names `around` it do; adds what its calls give, and put into names."""
    function = one.function
    handed = [(parameter, argument) for call in one.calls for parameter, argument in _handed(function, call)]
    seen = {name: carry for name, carry in known.items() if not binds(function, name)}
    for parameter, argument in handed:
        _raise(seen, {parameter: around.carry(argument)})
    statements = one.scope.statements()
    one.values = Values(one.scope, [life.name], statements, is_async=life.is_async, known=seen)
    given = [one.values.carry(each.value) for each in statements if isinstance(each, ast.Return)]
    for call in one.calls:
        gives[call] = max(gives.get(call, Carry.PLAIN), *given, Carry.PLAIN)
    _raise(known, {name: carry for name, carry in one.values.names.items() if not binds(function, name)})
    for parameter, argument in handed:
        if isinstance(argument, ast.Name) and argument.id != life.name:
            _raise(known, {argument.id: one.values.names.get(parameter, Carry.PLAIN)})


def _raise(known: dict[str, Carry], more: Mapping[str, Carry]) -> None:
    """Takes the larger answer for each name."""
    for name, carry in more.items():
        if carry is not Carry.PLAIN:
            known[name] = max(carry, known.get(name, carry))


def _handed(function: Function, call: ast.Call) -> list[tuple[str, ast.expr]]:
    """The parameters of a function, each with what a call may give to it."""
    names = function.args
    positional = [argument.arg for argument in [*names.posonlyargs, *names.args]]
    keywords = {argument.arg for argument in [*names.args, *names.kwonlyargs]}
    several = [argument.arg for argument in (names.vararg, names.kwarg) if argument is not None]
    unpacked = [one.value for one in call.args if isinstance(one, ast.Starred)]
    unpacked += [keyword.value for keyword in call.keywords if keyword.arg is None]
    if unpacked:
        every = [*unpacked, *call.args, *(keyword.value for keyword in call.keywords)]
        return [(name, argument) for name in {*positional, *keywords, *several} for argument in every]
    handed = list(zip(positional, call.args, strict=False))
    rest = call.args[len(positional) :]
    for keyword in call.keywords:
        if keyword.arg in keywords:
            handed.append((keyword.arg, keyword.value))
        else:
            rest.append(keyword.value)
    return handed + [(name, argument) for name in several for argument in rest]


def look_into(life: Lifetime, one: Closure) -> None:
    """Notes what gets away from the session in a nested function, and what would hold its block open."""
    first = one.function.body[0]
    inner = Lifetime(one.scope, life.name, first, one.scope.seat(first), life.is_async, inline=True, around=life)
    inner.values = one.values
    find_leaves(inner, returns=False)
    check_held_open(inner, one.scope.statements())
    life.obstacles += inner.obstacles
    life.leaves += inner.leaves
    life.notes += inner.notes


def _sees_all(function: Function, name: str) -> bool:
    """`locals()` holds the session, too; `nonlocal` may make it another one."""
    for node in ast.walk(function):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in READS_ALL_NAMES:
            return True
        if isinstance(node, (ast.Global, ast.Nonlocal)) and name in node.names:
            return True
    return False


def _passing(life: Lifetime, use: NameUse) -> bool:
    """A method that has run when its expression has: awaited on the spot, where it has to be; no close."""
    if use.role is not Role.METHOD or use.call is None or use.attribute in CLOSES | _BY_HAND:
        return False
    if consumed_later(life.scope, use.call):
        return False
    awaited = isinstance(life.scope.parents.of(use.call), ast.Await)
    return awaited if life.is_async and use.attribute not in SYNC_METHODS else True
