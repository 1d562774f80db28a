"""What came of the trials as text: a table, a chart, and values for JSON. Pure."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from proof import office, verdict
from proof.application import LEVEL, Applications
from proof.databases import LINGERING
from proof.load import GIVES_UP, Load, Sample
from proof.trial import POOL_TIMEOUT, Side, Size, Trial
from proof.verdict import LIMIT
from proof.visits import LEFT_ALONE

BUCKETS = 12  # lines of a chart

Row = tuple[str, str, str]


def table(trials: Sequence[Trial], applications: Applications, size: Size, versions: str) -> str:
    """All of it in Markdown: a table for each database, and what has to be known to read them."""
    parts = []
    for trial in trials:
        head: Row = (trial.kind, "before", "after")
        parts.append("\n".join(_aligned([head, *_rows(trial)])))
    parts.append("\n".join(f"- {note}" for note in _notes(trials, applications, size, versions)))
    return "\n\n".join(parts) + "\n"


def _rows(trial: Trial) -> Iterator[Row]:
    sides = (trial.before, trial.after)
    loads = [side.loaded.load for side in sides]
    kinds = [verdict.errors(load) for load in loads]

    def row(name: str, values: Iterable[object]) -> Row:
        before, after = values
        return (name, str(before), str(after))

    yield row("visits made, of " + str(sum(map(len, trial.plans))), (len(load.replies) for load in loads))
    yield row(
        "answered as expected", (len(load.replies) - kind.total() for load, kind in zip(loads, kinds, strict=True))
    )
    for kind in sorted(set().union(*kinds), key=lambda kind: -sum(one[kind] for one in kinds)):
        yield row(f"  not: {kind}", (one[kind] for one in kinds))
    yield row("waited in vain for a connection, tasks too", map(verdict.exhausted, loads))
    yield row("median answer", (_seconds(statistics.median(_times(load))) for load in loads))
    yield row("slowest answer", (_seconds(max(_times(load))) for load in loads))
    yield row(f"connections out at most, of {LIMIT}", (max(sample.out for sample in load.samples) for load in loads))
    yield row("connections out at the end", (load.end.checked_out for load in loads))
    yield row("connections that only garbage collection gave back", (load.end.collected for load in loads))
    yield row("idle in transaction at the end", (_or_dash(load.idle) for load in loads))
    yield row(
        f"idle in transaction over {LINGERING:g} s, at most", (_or_dash(verdict.most_lingering(load)) for load in loads)
    )
    yield row(
        "background tasks done, of those promised", (_of(side.loaded.done, side.loaded.promised) for side in sides)
    )
    compared = verdict.compared(trial)
    same = _of(compared.bodies - len(compared.different), compared.bodies)
    yield ("answers under load the same as before", "", same)
    quiet = [side.calm.replies for side in sides]
    yield row(
        "calm: answered as expected", (_of(sum(one.reply.problem is None for one in many), len(many)) for many in quiet)
    )
    pairs = [pair for pair in zip(*quiet, strict=True) if pair[0].visit.before is None]
    equal = sum((one.reply.status, one.reply.body) == (other.reply.status, other.reply.body) for one, other in pairs)
    yield ("calm: status and body the same as before", "", _of(equal, len(pairs)))
    rows = [side.calm.rows for side in sides]
    yield (
        "calm: tables with the same rows as before",
        "",
        _of(sum(rows[0][n] == rows[1][n] for n in rows[0]), len(rows[0])),
    )
    offered = [len(side.calm.operations) for side in sides]
    in_load = [_leaking_in_load(side) for side in sides]
    yield row(
        "calm: operations that keep a connection",
        (_of(leaks, most - len(LEFT_ALONE)) for leaks, most in zip(in_load, offered, strict=True)),
    )
    for operation in LEFT_ALONE:
        yield row(f"calm: kept by {operation}, left alone", map(verdict.alone, sides))
    for one, other in zip(*quiet, strict=True):
        if one.visit.before is not None:
            yield row(f"calm: {one.visit.method} {one.visit.path}, mended", (one.reply.status, other.reply.status))


def _leaking_in_load(side: Side) -> int:
    return len(verdict.leaking(side).keys() - LEFT_ALONE.keys())


def _notes(trials: Sequence[Trial], applications: Applications, size: Size, versions: str) -> Iterator[str]:
    yield (
        f"After is before with the patch of `session-codemods apply --level {LEVEL}`: {applications.groups} groups in "
        f"{applications.files} files. Database, rows, visits, server and pool (5 + 10) are the same."
    )
    bounds = size.bounds
    operations = len(trials[0].after.calm.operations)
    yield (
        f"Load: {office.VISITORS} visitors at a time, {size.rounds} turn(s) each, over TCP on 127.0.0.1 to one uvicorn "
        f"process, until {bounds.problems} are not as expected, {bounds.seconds:g} s at most; right and wrong requests "
        f"to {operations - len(LEFT_ALONE)} of the {operations} operations of the OpenAPI document. Not covered: the "
        "bot, the scripts, and nightly jobs that no operation starts."
    )
    for operation, function in LEFT_ALONE.items():
        reason = next((one.reason for one in applications.left_alone if one.function == function), "")
        yield f"Not in the load, because it leaks after, too: {operation}. The tool left `{function}` alone: {reason}"
    for one in applications.left_alone:
        if one.function not in LEFT_ALONE.values():
            yield f"Left alone, too: {one.place} {one.rule}"
    yield "Mended: what fails before by reading a relationship after its block; it is part of the calm only."
    yield (
        f"In both, the pools wait {POOL_TIMEOUT:g} s for a connection instead of 30, which makes errors come sooner; "
        f"visitors give up after {GIVES_UP:g} s, each with a TCP connection for each visit."
    )
    yield (
        "Under load, garbage collection is as Python has it: what it gave back is counted. In the calm, it is held off "
        "in both and run after each visit that kept a connection, so what is kept is counted exactly."
    )
    yield (
        "Compared in the calm: status and body byte by byte, and all rows without the times at which they were made. "
        "Compared under load: what was answered as expected both times and does not depend on the other visitors; the "
        "id of a new row is left out."
    )
    yield versions


def chart(trials: Sequence[Trial]) -> str:
    """How many connections were out while the visits went on."""
    parts = []
    for trial in trials:
        loads = [side.loaded.load for side in (trial.before, trial.after)]
        width = LIMIT + 4
        lines = [f"{trial.kind}: connections out of the pool, at most, of {LIMIT}"]
        lines.append(f"{'':>7}  {'before':<{width}}  after")
        step = max(load.seconds for load in loads) / BUCKETS
        columns = [_buckets(load.samples, step) for load in loads]
        for number, (before, after) in enumerate(zip(*columns, strict=True)):
            lines.append(f"{step * number:5.1f} s  {_bar(before):<{width}}  {_bar(after)}".rstrip())
        before, after = (_bar(load.end.out[0]) for load in loads)
        lines.append(f"{'at end':>7}  {before:<{width}}  {after}")
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"


def _buckets(samples: Sequence[Sample], step: float) -> list[int | None]:
    most: dict[int, int] = {}
    for sample in samples:
        bucket = min(int(sample.seconds / step), BUCKETS - 1)
        most[bucket] = max(most.get(bucket, 0), sample.out)
    return [most.get(bucket) for bucket in range(BUCKETS)]


def _bar(amount: int | None) -> str:
    return "" if amount is None else f"{'#' * amount} {amount}".lstrip()


def results(trials: Sequence[Trial], applications: Applications, problems: Sequence[str]) -> dict[str, Any]:
    """The same for programs."""
    return {
        "version": 1,
        "holds": not problems,
        "problems": list(problems),
        "groups": applications.groups,
        "files": applications.files,
        "left_alone": [dataclasses.asdict(one) for one in applications.left_alone],
        "trials": [
            {
                "database": trial.kind,
                "visits": sum(map(len, trial.plans)),
                "answers_compared": verdict.compared(trial).bodies,
                "before": _told(trial.before),
                "after": _told(trial.after),
            }
            for trial in trials
        ],
    }


def _told(side: Side) -> dict[str, Any]:
    load = side.loaded.load
    return {
        "visits": len(load.replies),
        "errors": dict(verdict.errors(load)),
        "waited_in_vain": verdict.exhausted(load),
        "seconds": round(load.seconds, 3),
        "median_seconds": round(statistics.median(_times(load)), 4),
        "slowest_seconds": round(max(_times(load)), 4),
        "out_at_end": list(load.end.out),
        "collected": load.end.collected,
        "idle_in_transaction_at_end": load.idle,
        "most_lingering": verdict.most_lingering(load),
        "tasks_promised": side.loaded.promised,
        "tasks_done": side.loaded.done,
        "operations": sorted(side.calm.operations),
        "operations_that_keep_connections": verdict.leaking(side),
        "pools": [dict(pool) for pool in load.end.pools],
        "samples": [dataclasses.asdict(sample) for sample in load.samples],
    }


def _times(load: Load) -> list[float]:
    return [reply.seconds for reply in load.replies.values()] or [0.0]


def _seconds(value: float) -> str:
    return f"{value:.2f} s" if value >= 0.1 else f"{1000 * value:.0f} ms"


def _of(some: int, total: int) -> str:
    return f"{some} of {total}"


def _or_dash(value: int | None) -> str:
    return "–" if value is None else str(value)


def _aligned(rows: Sequence[Row]) -> Iterator[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for number, (name, before, after) in enumerate(rows):
        yield f"| {name:<{widths[0]}} | {before:>{widths[1]}} | {after:>{widths[2]}} |"
        if number == 0:
            yield f"| {'-' * widths[0]} | {'-' * (widths[1] - 1)}: | {'-' * (widths[2] - 1)}: |"
