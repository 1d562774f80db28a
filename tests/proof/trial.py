"""The proof on one kind of database: both versions asked calmly, then both under the same load."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from proof import office, seed
from proof.application import Applications
from proof.databases import TEMPLATE, Database, Row
from proof.load import Bounds, CalmReply, Load, ask_calmly, ask_together
from proof.server import PATIENCE, ProofError, State, environment, running
from proof.visits import Visit, calm, left_alone, turn_of

POOL_TIMEOUT = 2.0
ALONE = 10  # visits to each operation that the tool left alone
TIMES = frozenset({"created_at", "last_seen_at", "reminded_at"})
TABLES = tuple(office.rows(0, 0))

DONE = {
    "greet_user": "select user_id as id from messages where delivery = 'sent' and text like 'Hello %'",
    "deliver_message": "select id from messages where delivery = 'sent'",
    "process_item": "select id from items where state = 'ready' and attempts = 1",
    "prepare_item": "select id from items where state = 'ready' and attempts = 1",
    "confirm_slot": "select id from slots where status = 'confirmed'",
}
"""By task, what gives the ids that it was done for. `notify_recruiter` writes no row, but to the messenger."""
NOTIFIED = re.compile(r"Slot (\d+) is booked")


@dataclass(frozen=True, slots=True)
class Size:
    """How much is asked: turns of each visitor, and where that ends all the same."""

    rounds: int
    bounds: Bounds


FULL = Size(rounds=3, bounds=Bounds(seconds=60, problems=120))
SHORT = Size(rounds=1, bounds=Bounds(seconds=60, problems=8))


@dataclass(frozen=True, slots=True)
class Calm:
    """What came of asking calmly. `rows` are those of all tables afterwards, without times."""

    operations: frozenset[str]
    replies: tuple[CalmReply, ...]
    kept_alone: int  # connections kept by ALONE visits to each operation that the tool left alone
    chat: tuple[tuple[int, str], ...]
    rows: Mapping[str, Sequence[Row]]
    state: State


@dataclass(frozen=True, slots=True)
class Loaded:
    """What came of the load, with how many tasks were promised by an answer, and how many of these were done."""

    load: Load
    promised: int
    done: int


@dataclass(frozen=True, slots=True)
class Side:
    """One version of the application."""

    calm: Calm
    loaded: Loaded


@dataclass(frozen=True, slots=True)
class Trial:
    """Both versions on one kind of database, with what each visitor was to ask for."""

    kind: str
    plans: Sequence[Sequence[Visit]]
    before: Side
    after: Side


async def tried(
    database: Database, applications: Applications, size: Size, logs: Path, tell: Callable[[str], None]
) -> Trial:
    """Fills the template and carries out the trial. Raises ProofError when a server does not run."""
    tell("filling the database")
    _fill(database, applications.before, size)
    folders = {"before": applications.before, "after": applications.after}
    for label in folders:
        await database.copy(f"{label}_calm")
    tell("asking both calmly")
    calms = await asyncio.gather(*(_calm(database, label, folder, logs) for label, folder in folders.items()))
    plans = [
        [visit for turn in range(size.rounds) for visit in turn_of(visitor, turn)] for visitor in range(office.VISITORS)
    ]
    sides = []
    for (label, folder), quiet in zip(folders.items(), calms, strict=True):
        sides.append(Side(quiet, await _loaded(database, label, folder, plans, size, logs, tell)))
    return Trial(database.kind, plans, *sides)


def _fill(database: Database, application: Path, size: Size) -> None:
    done = subprocess.run(
        [sys.executable, "-P", seed.__file__, str(size.rounds)],
        cwd=application,
        env=environment(application, database.url(TEMPLATE)),
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE * 2,
    )
    if done.returncode != 0:
        raise ProofError(f"the database could not be filled: {done.stderr[-2000:]}")


async def _calm(database: Database, label: str, application: Path, logs: Path) -> Calm:
    name = f"{label}_calm"
    log = logs / f"{database.kind}_{name}.log"
    async with running(application, database.url(name), log, pool_timeout=POOL_TIMEOUT, collector=False) as server:
        operations = await server.operations()
        replies = await ask_calmly(server, calm(), migrated=label == "after")
        chat = await server.chat()
        alone = [visit for _ in range(ALONE) for visit in left_alone(0)]
        kept = sum(one.kept for one in await ask_calmly(server, alone, migrated=label == "after"))
        state = await server.state()
    return Calm(operations, tuple(replies), kept, tuple(chat), await _all_rows(database, name), state)


async def _all_rows(database: Database, name: str) -> Mapping[str, Sequence[Row]]:
    found = {}
    for table in TABLES:
        rows = await database.rows(name, f"select * from {table} order by 1, 2")
        found[table] = [{key: value for key, value in row.items() if key not in TIMES} for row in rows]
    return found


async def _loaded(
    database: Database,
    label: str,
    application: Path,
    plans: Sequence[Sequence[Visit]],
    size: Size,
    logs: Path,
    tell: Callable[[str], None],
) -> Loaded:
    name = f"{label}_load"
    await database.copy(name)
    log = logs / f"{database.kind}_{name}.log"
    async with running(application, database.url(name), log, pool_timeout=POOL_TIMEOUT) as server:
        tell(f"{label}: {len(plans)} visitors, {sum(map(len, plans))} visits")
        load = await ask_together(server, database, name, plans, size.bounds, lambda text: tell(f"{label}: {text}"))
        chat = await server.chat()
    done = {task: {int(row["id"]) for row in await database.rows(name, query)} for task, query in DONE.items()}
    done["notify_recruiter"] = {int(found[1]) for _, text in chat if (found := NOTIFIED.fullmatch(text))}
    promised = promises(plans, load)
    return Loaded(load, len(promised), sum(number in done[task] for task, number in promised))


def promises(plans: Sequence[Sequence[Visit]], load: Load) -> list[tuple[str, int]]:
    """The tasks that answers have promised, each with the id of the row that it is for."""
    found = []
    for (visitor, place), reply in load.replies.items():
        visit = plans[visitor][place]
        if visit.task is not None and reply.problem is None:
            found.append((visit.task, visit.about if visit.about is not None else reply.new_id))
    return found
