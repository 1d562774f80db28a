"""What the proof asks of a trial: the version before leaks, the one after does not, and both give the same. Pure."""

from __future__ import annotations

import collections
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from proof.application import Applications
from proof.load import Load
from proof.trial import ALONE, Side, Trial
from proof.visits import LEFT_ALONE, Answer

POOL_SIZE, MAX_OVERFLOW = 5, 10
LIMIT = POOL_SIZE + MAX_OVERFLOW
EXHAUSTED = "sqlalchemy.exc.TimeoutError"
ENOUGH = 20  # bodies that must have been compared under load, or that comparison says nothing


@dataclass(frozen=True, slots=True)
class Compared:
    """Answers that were as expected on both sides under load, and do not depend on what others did."""

    bodies: int
    different: tuple[str, ...]


def problems(trial: Trial, applications: Applications) -> list[str]:
    """Why the proof does not hold on this database; nothing where it does."""
    found = [*_about_the_trial(trial), *_before(trial.before, trial.kind), *_after(trial.after)]
    found += [*_same(trial), *_left_alone(trial, applications)]
    return [f"{trial.kind}: {problem}" for problem in found]


def errors(load: Load) -> collections.Counter[str]:
    """What was not as expected, by kind."""
    return collections.Counter(reply.problem for reply in load.replies.values() if reply.problem is not None)


def exhausted(load: Load) -> int:
    """How often somebody waited for a connection in vain, visitors and tasks alike."""
    return load.end.raised.get(EXHAUSTED, 0) + load.end.raised_later.get(EXHAUSTED, 0)


def leaking(side: Side) -> dict[str, int]:
    """The operations after which connections were out in the calm, each with the most that one visit kept."""
    kept: dict[str, int] = {}
    for one in side.calm.replies:
        if one.kept > 0:
            kept[one.visit.operation] = max(one.kept, kept.get(one.visit.operation, 0))
    return kept


def most_lingering(load: Load) -> int | None:
    """The most transactions that lingered at a time. None where the database cannot tell."""
    return max((sample.lingering for sample in load.samples if sample.lingering is not None), default=None)


def compared(trial: Trial) -> Compared:
    """The answers under load, held against each other; ids of new rows are left out, since they are given in turn."""
    bodies, different = 0, []
    before, after = (side.loaded.load.replies for side in (trial.before, trial.after))
    for key in sorted(before.keys() & after.keys()):
        visit = trial.plans[key[0]][key[1]]
        one, other = before[key], after[key]
        if visit.answer is Answer.SHARED or one.problem is not None or other.problem is not None:
            continue
        bodies += 1
        if visit.answer is Answer.NUMBERED:
            same = one.body_without_id == other.body_without_id
        else:
            same = one.body == other.body
        if not same:
            different.append(f"{visit.method} {visit.path}: {one.body!r} before, {other.body!r} after")
    return Compared(bodies, tuple(different))


def _about_the_trial(trial: Trial) -> Iterator[str]:
    asked = {one.visit.operation for one in trial.before.calm.replies}
    loaded = {visit.operation for plan in trial.plans for visit in plan}
    for name, side in (("before", trial.before), ("after", trial.after)):
        for operation in sorted(side.calm.operations ^ asked):
            yield f"{name}: {operation} is offered and not asked for, or the other way round"
        for operation in sorted((side.calm.operations ^ loaded) - LEFT_ALONE.keys()):
            yield f"{name}: {operation} is not part of the load, or only of it"
        for pool in (*side.calm.state.pools, *side.loaded.load.end.pools):
            if (pool.get("size"), pool.get("max_overflow")) != (POOL_SIZE, MAX_OVERFLOW):
                yield f"{name}: a pool is {dict(pool)}, not {POOL_SIZE} + {MAX_OVERFLOW}"
        if not side.loaded.load.end.gc:
            yield f"{name}: the garbage collector was off under load"


def _before(side: Side, kind: str) -> Iterator[str]:
    load = side.loaded.load
    if load.end.checked_out + load.end.collected == 0:
        yield "before: every connection was given back, so nothing is shown"
    if exhausted(load) == 0:
        yield "before: the pool was never exhausted, so nothing is shown"
    if kind == "postgresql" and not most_lingering(load):
        yield "before: no transaction was left idle, so nothing is shown"
    if not leaking(side).keys() - LEFT_ALONE.keys():
        yield "before: no operation keeps a connection, so nothing is shown"
    for one in side.calm.replies:
        if one.reply.problem is not None:
            yield f"before, in the calm: {one.visit.method} {one.visit.path}: {one.reply.problem}"


def _after(side: Side) -> Iterator[str]:
    load = side.loaded.load
    for kind, amount in errors(load).items():
        yield f"after: {amount} times {kind}"
    for name, amount in (*load.end.raised.items(), *load.end.raised_later.items()):
        yield f"after: {amount} times {name} in the server"
    if load.unmade:
        yield f"after: {load.unmade} visits could not be made"
    if load.end.in_flight:
        yield f"after: {load.end.in_flight} requests or their tasks did not end"
    if load.end.checked_out:
        yield f"after: {load.end.checked_out} connections are out at the end"
    if load.end.collected:
        yield f"after: {load.end.collected} connections were given back by the garbage collector only"
    if load.idle:
        yield f"after: {load.idle} transactions are idle at the end"
    if side.loaded.done != side.loaded.promised:
        yield f"after: {side.loaded.done} of {side.loaded.promised} background tasks were done"
    for one in side.calm.replies:
        if one.reply.problem is not None:
            yield f"after, in the calm: {one.visit.method} {one.visit.path}: {one.reply.problem}"
    for operation, kept in leaking(side).items():
        if operation not in LEFT_ALONE:
            yield f"after, in the calm: {operation} keeps {kept}"


def _same(trial: Trial) -> Iterator[str]:
    before, after = trial.before.calm, trial.after.calm
    for one, other in zip(before.replies, after.replies, strict=True):
        if one.visit.before is None and (one.reply.status, one.reply.body) != (other.reply.status, other.reply.body):
            yield f"{one.visit.method} {one.visit.path}: {one.reply.body!r} before, {other.reply.body!r} after"
    for table in before.rows:
        if before.rows[table] != after.rows[table]:
            yield f"the table {table} has other rows after the same visits"
    if before.chat != after.chat:
        yield "other messages went to the messenger after the same visits"
    under_load = compared(trial)
    yield from under_load.different
    if under_load.bodies < ENOUGH:
        yield f"only {under_load.bodies} answers could be compared under load"


def _left_alone(trial: Trial, applications: Applications) -> Iterator[str]:
    reported = {one.function for one in applications.left_alone}
    kept = leaking(trial.after)
    for operation, function in LEFT_ALONE.items():
        if function not in reported:
            yield f"the tool does not say that it left {function} alone"
        if operation not in kept:
            yield f"after: {operation} keeps no connection any more; it belongs into the load"


def alone(side: Side) -> str:
    """How many connections the visits to what was left alone kept."""
    return f"{side.calm.kept_alone} of {ALONE * len(LEFT_ALONE)}"


def statuses(side: Side) -> Sequence[int | None]:
    """What answered, in the calm, those visits that only the migration makes work."""
    return [one.reply.status for one in side.calm.replies if one.visit.before is not None]
