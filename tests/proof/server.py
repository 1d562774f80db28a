"""A server process of one version of the application, and what its probe tells. Started and ended here."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from proof import serve

TESTS = Path(__file__).parent.parent
PATIENCE = 30.0  # seconds for a server to answer, and for what is under way in it to end
LET_GO = 5.0  # seconds until a server that should end is killed
OURS = ("DATABASE_URL", "MESSAGE_RETENTION_DAYS", "PG", "PYTHON", "SQL_ECHO", "WAREHOUSE_ENABLED")


class ProofError(Exception):
    """The proof cannot be carried out; says why."""


@dataclass(frozen=True, slots=True)
class State:
    """What the probe tells: see `serve.Observed`. The pool of the endpoints comes before the one of the thread pool."""

    pools: tuple[Mapping[str, Any], ...]
    out: tuple[int, ...]  # connections, by pool
    collected: int  # connections that only the garbage collector gave back
    in_flight: int
    raised: Mapping[str, int]
    raised_later: Mapping[str, int]
    gc: bool

    @property
    def checked_out(self) -> int:
        """Connections that are out of any pool."""
        return sum(self.out)


@dataclass(frozen=True, slots=True)
class Server:
    """A server that runs. `http` is for the probe; visitors bring a client of their own."""

    url: str
    http: httpx.AsyncClient
    log: Path

    async def state(self) -> State:
        return _state(await self._ask(serve.STATE))

    async def collect(self) -> State:
        """The state after a run of the garbage collector, and after what that ended has gone."""
        state = _state(await self._ask(serve.COLLECT))
        ends = time.monotonic() + LET_GO
        while state.checked_out and time.monotonic() < ends:
            await asyncio.sleep(0.02)
            state = _state(await self._ask(serve.COLLECT))
        return state

    async def chat(self) -> list[tuple[int, str]]:
        """What went to the messenger."""
        return [(to, text) for to, text in await self._ask(serve.CHAT)]

    async def quiet(self, patience: float = PATIENCE) -> State:
        """The state once nothing is under way, background tasks neither, or when patience ends."""
        ends = time.monotonic() + patience
        while (state := await self.state()).in_flight and time.monotonic() < ends:
            await asyncio.sleep(0.02)
        return state

    async def operations(self) -> frozenset[str]:
        """All that the application offers, as in its OpenAPI document."""
        document = (await self.http.get("/openapi.json")).json()
        return frozenset(
            f"{method.upper()} {path}" for path, methods in document["paths"].items() for method in methods
        )

    async def _ask(self, path: str) -> Any:
        return (await self.http.get(path)).json()


def _state(told: dict[str, Any]) -> State:
    return State(**{**told, "pools": tuple(told["pools"]), "out": tuple(told["out"])})


def environment(application: Path, url: str) -> dict[str, str]:
    """That of this process, less what would reach the application, with its folder to import it from."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    path = os.pathsep.join((str(application), str(TESTS)))
    return kept | {"DATABASE_URL": url, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}


@contextlib.asynccontextmanager
async def running(
    application: Path, url: str, log: Path, *, pool_timeout: float, collector: bool = True
) -> AsyncIterator[Server]:
    """Runs a server of the application in this folder on the database behind the URL, until the block ends.

    What it writes to stderr is in `log`. Raises ProofError when it does not answer.
    """
    command = [sys.executable, "-P", serve.__file__, str(pool_timeout), "on" if collector else "off"]
    with log.open("wb") as errors:
        process = subprocess.Popen(
            command,
            cwd=application,
            env=environment(application, url),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            start_new_session=True,  # an interrupt from the terminal is ours to pass on
        )
    try:
        assert process.stdout is not None
        line = await asyncio.to_thread(process.stdout.readline)
        if not line.strip():
            raise ProofError(f"the server did not start: {last_lines(log)}")
        base = f"http://127.0.0.1:{int(line)}"
        async with httpx.AsyncClient(base_url=base, timeout=PATIENCE, trust_env=False) as http:
            server = Server(base, http, log)
            await _answering(server, process)
            yield server
    finally:
        _end(process)


async def _answering(server: Server, process: subprocess.Popen[bytes]) -> None:
    ends = time.monotonic() + PATIENCE
    while True:
        with contextlib.suppress(httpx.TransportError):
            await server.state()
            return
        if process.poll() is not None or time.monotonic() > ends:
            raise ProofError(f"the server does not answer: {last_lines(server.log)}")
        await asyncio.sleep(0.05)


def _end(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    assert process.stdout is not None
    with contextlib.suppress(OSError):
        process.stdin.close()
    try:
        process.wait(LET_GO)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        process.stdout.close()


def last_lines(log: Path) -> str:
    """The end of what a server wrote."""
    return log.read_text("utf-8", "replace").strip()[-2000:] or "nothing was said"
