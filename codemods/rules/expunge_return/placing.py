"""Where the lines that expunge go: how things stand there, what the session is called, why none can. Reads only."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import replace

from codemods.flow.objects.record import Exit, Record, Session
from codemods.flow.objects.values import Closure, Origin, SessionValue, Value, objects, sessions
from codemods.flow.objects.world import World
from codemods.flow.scope import Scope
from codemods.flow.session_end import Around, Names
from codemods.rules.expunge_return.origins import own_origins
from codemods.rules.expunge_return.refusals import Refused
from codemods.rules.expunge_return.targets import copied


def names_of(session: Session, own: Iterable[Origin], world: World) -> Names:
    """What the names of the function hold, as far as one session and the objects that leave are concerned."""
    every, wanted = world.names.items(), set(own)
    holders = {name for name, held in every if session.number in sessions(held)}
    direct = {name for name in holders if SessionValue(session.number) in world.names[name]}
    leaving = {name for name, held in every if wanted & {one.origin for one in objects(held)}}
    # a nested function has what it mentions
    closures = {name: one.names for name, held in every for one in held if isinstance(one, Closure)}
    holders |= {name for name, mentioned in closures.items() if mentioned & (direct | {session.name})}
    leaving |= {name for name, mentioned in closures.items() if mentioned & leaving}
    return Names(frozenset({*direct, session.name} - {""}), frozenset(holders - direct), frozenset(leaving))


def world_at(where: Around, node: ast.expr, left: Exit, record: Record) -> tuple[World, Refused | None]:
    """How things stand where the lines would go, and why none can go there."""
    if where.inside or where.end is None:
        return left.world, None
    world = left.world
    if where.block is not None:
        if where.block not in record.ends:
            return world, Refused("the block has been left by an exception where this is returned")
        world = record.ends[where.block]
    line = left.statement.lineno
    parts = _parts(node)
    if parts is None:
        return world, Refused(
            f"what is returned is put together after the block (line {line})", "name it inside of the block"
        )
    for part in parts:
        if isinstance(part, ast.Name):
            now, inside = _origins(part.id, left.world), _origins(part.id, world)
            if now & own_origins(left.value, record).keys() and not now <= inside:
                reason = f"`{part.id}` is only read after the block (line {line})"
                return world, Refused(reason, "read it inside of the block")
    return world, None


def _origins(name: str, world: World) -> set[Origin]:
    held: Value = world.names.get(name, frozenset())
    return {one.origin for one in objects(held)}


def _parts(node: ast.expr) -> list[ast.expr] | None:
    """The parts of what is returned, where names are all that holds objects in it; None: it is put together there."""
    match copied(node) or node:
        case ast.Name() as name:
            return [name]
        case ast.Tuple(elts=parts) | ast.List(elts=parts) | ast.Dict(values=parts):
            return parts
        case _:
            return None


def called_there(session: Session, where: Around, world: World) -> Session | None:
    """The session by a name that means it where the lines go; None where no name does."""
    itself = frozenset({SessionValue(session.number)})
    if where.needs or world.names.get(session.name) == itself:
        return session
    for name, held in sorted(world.names.items()):
        if held == itself and "." not in name:
            return replace(session, name=name)
    return None


def shares_line(statement: ast.stmt, scope: Scope) -> bool:
    """`if user: return user`, `found = 1; return user`."""
    return any(
        other is not statement and statement.lineno in (other.lineno, _header_end(other))
        for other in scope.statements()
    )


def _header_end(statement: ast.stmt) -> int:
    """The line on which the header of a compound statement ends; 0 for a simple one."""
    match statement:
        case ast.If(test=node) | ast.While(test=node) | ast.For(iter=node) | ast.AsyncFor(iter=node):
            return node.end_lineno or 0
        case ast.With(items=items) | ast.AsyncWith(items=items):
            return items[-1].context_expr.end_lineno or 0
        case _:
            return 0
