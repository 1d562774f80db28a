"""Serves the application in the working directory with uvicorn, and tells how its pools are. Run as a script.

`python serve.py POOL_TIMEOUT GC` with the application on the import path and its database in DATABASE_URL. Prints the
port on 127.0.0.1 that it listens on, and ends when its standard input does, so it never outlives who started it.

The application is untouched but for two things, in every version alike: its pools wait POOL_TIMEOUT seconds for a
connection instead of 30, and with GC `off` the garbage collector runs only when it is asked to. Around it stands
`Observed`, which answers under PROBE itself, without a database.
"""

from __future__ import annotations

import asyncio
import collections
import gc
import importlib
import json
import os
import socket
import sys
import threading
import traceback
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any

import uvicorn
from sqlalchemy import event
from sqlalchemy.pool import Pool, QueuePool

PROBE = "/__proof__"
STATE, COLLECT, CHAT = f"{PROBE}/state", f"{PROBE}/collect", f"{PROBE}/chat"
ERROR_HEADER = b"x-proof-error"

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]


class Observed:
    """An ASGI application around another: counts what is under way and what is raised, and answers under PROBE.

    An answer 500 gets a header with the name of the exception that made it.
    """

    def __init__(self, application: Application, pools: Sequence[Pool], chat: Sequence[object]) -> None:
        self.application = application
        self.pools = pools
        self.chat = chat
        self.in_flight = 0
        self.raised: collections.Counter[str] = collections.Counter()
        self.raised_later: collections.Counter[str] = collections.Counter()  # when the answer had been sent
        self.collected = 0
        for pool in pools:
            # of a connection that comes back only because its session was garbage
            event.listen(pool, "detach", self._count_collected)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.application(scope, receive, send)
        elif scope["path"].startswith(PROBE):
            await _answer(send, self._probe(scope["path"]))
        else:
            await self._observe(scope, receive, send)

    async def _observe(self, scope: Message, receive: Receive, send: Send) -> None:
        held: list[Message] = []  # an answer 500, until it is known what made it
        answered = False

        async def passing(message: Message) -> None:
            nonlocal answered
            if held or (message["type"] == "http.response.start" and message["status"] == 500):
                held.append(message)
                return
            answered = True
            await send(message)

        self.in_flight += 1
        try:
            await self.application(scope, receive, passing)
        except Exception as error:
            name = f"{type(error).__module__}.{type(error).__qualname__}"
            (self.raised_later if answered else self.raised)[name] += 1
            if held:
                held[0]["headers"] = [*held[0].get("headers", ()), (ERROR_HEADER, name.encode())]
            raise
        finally:
            self.in_flight -= 1
            for message in held:
                await send(message)

    def _probe(self, path: str) -> object:
        if path == CHAT:
            return list(self.chat)
        if path == COLLECT:
            gc.collect()
        return {
            "pools": [_told(pool) for pool in self.pools],
            "out": [pool.checkedout() if isinstance(pool, QueuePool) else 0 for pool in self.pools],
            "collected": self.collected,
            "in_flight": self.in_flight,
            "raised": self.raised,
            "raised_later": self.raised_later,
            "gc": gc.isenabled(),
        }

    def _count_collected(self, *_: object) -> None:
        self.collected += 1


def _told(pool: Pool) -> dict[str, object]:
    told: dict[str, object] = {"class": type(pool).__name__}
    if isinstance(pool, QueuePool):
        told |= {"size": pool.size(), "max_overflow": pool._max_overflow, "timeout": pool.timeout()}
    return told


async def _answer(send: Send, value: object) -> None:
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(value).encode()})


def main(pool_timeout: str, collector: str) -> None:
    application = importlib.import_module("app.main").app
    engine = importlib.import_module("app.core.db").engine
    sync_engine = importlib.import_module("app.core.sync_db").sync_engine
    chat = importlib.import_module("app.bot.transport").outbox
    pools = (engine.sync_engine.pool, sync_engine.pool)
    for pool in pools:
        if isinstance(pool, QueuePool):
            pool._timeout = float(pool_timeout)  # no engine takes it once it is made
    if collector == "off":
        gc.disable()
        gc.freeze()  # what was imported is never garbage; without it a collection takes no time

    observed = Observed(application, pools, chat)
    options = {"log_level": "warning", "access_log": False, "loop": "asyncio", "http": "h11", "ws": "none"}
    server = uvicorn.Server(uvicorn.Config(observed, timeout_graceful_shutdown=1, **options))  # type: ignore[arg-type]

    def end_with_standard_input() -> None:
        sys.stdin.buffer.read()
        server.should_exit = True

    # asyncio turns off the waiting for full packets only where the protocol is named
    with socket.socket(proto=socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        print(listener.getsockname()[1], flush=True)
        threading.Thread(target=end_with_standard_input, daemon=True).start()
        asyncio.run(server.serve([listener]))


if __name__ == "__main__":
    status = 1
    try:
        main(*sys.argv[1:])
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)  # connections that leak keep their threads alive
