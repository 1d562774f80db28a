"""Asks a server for things over HTTP: calmly, one after the other, and as many visitors at a time."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from proof.databases import Database
from proof.serve import ERROR_HEADER
from proof.server import Server, State
from proof.visits import Visit

GIVES_UP = 10.0  # seconds after which a visitor waits for an answer no longer
SAMPLED = 0.1  # seconds between two looks at the pool


@dataclass(frozen=True, slots=True)
class Bounds:
    """When a load ends before all visits are made: after so much time, or when so many were not as expected."""

    seconds: float
    problems: int


@dataclass(frozen=True, slots=True)
class Reply:
    """What came of a visit. No status where nothing came; `problem` is how it was not as it should be."""

    status: int | None
    body: bytes
    seconds: float
    problem: str | None = None

    @property
    def new_id(self) -> int:
        """The id that the body tells."""
        return int(json.loads(self.body)["id"])

    @property
    def body_without_id(self) -> Any:
        """The body of an answer that tells the id of a new row, without it."""
        return {key: value for key, value in json.loads(self.body).items() if key != "id"}


@dataclass(frozen=True, slots=True)
class CalmReply:
    """The same for a visit made while nothing else is under way."""

    visit: Visit
    reply: Reply
    kept: int  # connections that were out after it, and not before


@dataclass(frozen=True, slots=True)
class Sample:
    """How things stood at a moment of the load."""

    seconds: float
    finished: int  # visits, well or not
    problems: int  # of these
    out: int  # connections, of the pool that the endpoints share
    idle: int | None
    lingering: int | None


@dataclass(frozen=True, slots=True)
class Load:
    """What came of a load: a reply for every visit that was made, by visitor and place in what it asks for."""

    replies: Mapping[tuple[int, int], Reply]
    unmade: int  # visits that the bounds kept from being made
    seconds: float
    samples: tuple[Sample, ...]
    end: State
    idle: int | None  # transactions at the end


async def ask_calmly(server: Server, visits: Iterable[Visit], migrated: bool) -> list[CalmReply]:
    """Makes each visit when the one before has ended with its tasks. What it left out is collected at once."""
    replies = []
    async with _client(server, 1) as http:
        for visit in visits:
            before = (await server.state()).checked_out
            reply = await ask(http, visit, migrated)
            state = await server.quiet()
            replies.append(CalmReply(visit, reply, state.checked_out - before))
            if state.checked_out:
                await server.collect()
    return replies


async def ask_together(
    server: Server,
    database: Database,
    name: str,
    plans: Sequence[Sequence[Visit]],
    bounds: Bounds,
    tell: Callable[[str], None],
) -> Load:
    """Has one visitor for each plan make its visits one by one, all visitors at a time, within the bounds."""
    replies: dict[tuple[int, int], Reply] = {}
    samples: list[Sample] = []
    total = sum(map(len, plans))
    problems = 0
    begun = time.monotonic()

    async def visitor(number: int, http: httpx.AsyncClient) -> None:
        nonlocal problems
        for place, visit in enumerate(plans[number]):
            if problems >= bounds.problems or time.monotonic() - begun > bounds.seconds:
                return
            replies[number, place] = reply = await ask(http, visit, True)
            problems += reply.problem is not None

    async def look() -> None:
        said = begun
        while True:
            state = await server.state()
            idle, lingering = await database.idle(name) or (None, None)
            passed = time.monotonic() - begun
            samples.append(Sample(passed, len(replies), problems, state.out[0], idle, lingering))
            if time.monotonic() - said > 2:
                said = time.monotonic()
                tell(f"{len(replies)} of {total}, {problems} not as expected, {state.out[0]} connections out")
            await asyncio.sleep(SAMPLED)

    async with _client(server, len(plans)) as http:
        looking = asyncio.create_task(look())
        try:
            async with asyncio.TaskGroup() as group:
                for number in range(len(plans)):
                    group.create_task(visitor(number, http))
            seconds = time.monotonic() - begun
            end = await server.quiet()
        finally:
            looking.cancel()
            with contextlib.suppress(asyncio.CancelledError, httpx.HTTPError):
                await looking
    idle, lingering = await database.idle(name) or (None, None)
    samples.append(Sample(time.monotonic() - begun, len(replies), problems, end.out[0], idle, lingering))
    return Load(replies, total - len(replies), seconds, tuple(samples), end, idle)


async def ask(http: httpx.AsyncClient, visit: Visit, migrated: bool) -> Reply:
    """Makes one visit; nothing that goes wrong is raised."""
    begun = time.monotonic()
    try:
        answer = await http.request(visit.method, visit.path, params=dict(visit.parameters), json=visit.body)
    except httpx.TimeoutException:
        return Reply(None, b"", time.monotonic() - begun, f"no answer within {GIVES_UP:g} s")
    except httpx.TransportError as error:
        return Reply(None, b"", time.monotonic() - begun, f"no answer: {type(error).__name__}")
    expected = visit.before if visit.before is not None and not migrated else visit.status
    problem = None
    if answer.status_code != expected:
        cause = answer.headers.get(ERROR_HEADER.decode())
        problem = f"HTTP {answer.status_code}" + (f", {cause}" if cause else "")
    return Reply(answer.status_code, answer.content, time.monotonic() - begun, problem)


@contextlib.asynccontextmanager
async def _client(server: Server, visitors: int) -> AsyncIterator[httpx.AsyncClient]:
    limits = httpx.Limits(max_connections=visitors, max_keepalive_connections=0)
    async with httpx.AsyncClient(base_url=server.url, timeout=GIVES_UP, limits=limits, trust_env=False) as http:
        yield http
