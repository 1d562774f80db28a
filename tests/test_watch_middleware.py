"""The ASGI middleware: sessions are judged when their request is over, and named by it."""

from __future__ import annotations

import asyncio
import importlib.util
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from codemods.leak_report import LeakKind, load
from codemods.watch import asgi, instrument
from codemods.watch.asgi import Application, Receive, Scope, Send, SessionLeaks

NEEDS = ("aiosqlite", "fastapi", "greenlet", "httpx", "sqlalchemy")
pytestmark = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in NEEDS), reason="the demo-app extra is not installed"
)


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[SessionLeaks]:
    from watch import served

    monkeypatch.setattr(served, "KEPT", [])
    monkeypatch.setattr(served, "TASKS", [])
    monkeypatch.setattr(asgi, "GRACE", GRACE)
    middleware = SessionLeaks(served.app, report=tmp_path / "leaks.json")
    yield middleware
    middleware.stop()


GRACE = 0.1
Answer = tuple[int, bytes, list[tuple[str, str]]]


def ask(app: Application, *paths: str, before_the_end: Callable[[], None] = lambda: None) -> list[Answer]:
    """Requests in one event loop, one after the other; leaves no connection behind."""
    import httpx
    from watch import served

    async def work() -> list[Answer]:
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            got = [await client.get(path) for path in paths]
        await asyncio.sleep(3 * GRACE)
        before_the_end()
        for task in served.TASKS:
            await task
        for session in served.KEPT:
            await session.close()
        await served.maker.kw["bind"].dispose()
        return [(one.status_code, one.content, sorted(one.headers.items())) for one in got]

    return asyncio.run(work())


def told(middleware: SessionLeaks) -> dict[tuple[str, ...], tuple[LeakKind, int]]:
    return {leak.where: (leak.kind, leak.count) for leak in middleware.leaks()}


def test_a_leak_is_named_by_its_request(watched: SessionLeaks) -> None:
    ask(watched, "/bare", "/good", "/dependency", "/bare")
    assert told(watched) == {("GET /bare",): (LeakKind.HELD, 2), ("GET /dependency",): (LeakKind.HELD, 1)}


def test_each_line_is_logged_once(watched: SessionLeaks, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "session_leaks"):
        ask(watched, "/bare", "/bare", "/good")
    (record,) = caplog.records
    assert "a session ended with a connection out: " in record.getMessage()
    assert record.getMessage().endswith("in GET /bare")


def test_an_endpoint_that_raises(watched: SessionLeaks) -> None:
    ask(watched, "/fails")
    assert told(watched) == {("GET /fails",): (LeakKind.HELD, 1)}


def test_a_task_that_outlives_its_request_and_closes_its_session(watched: SessionLeaks) -> None:
    seen = []
    ask(watched, "/afterwards?seconds=0.8", "/good", before_the_end=lambda: seen.append(told(watched)))
    assert (seen, told(watched)) == ([{}], {})


def test_a_task_that_outlives_its_request_and_leaks(watched: SessionLeaks) -> None:
    ask(watched, "/afterwards/bare", "/good")
    assert told(watched) == {("GET /afterwards/bare",): (LeakKind.HELD, 1)}


def test_strict_mode_tells_what_a_thread_never_closed() -> None:
    from watch import served

    for strict, expected in (False, {}), (True, {("GET /thread",): (LeakKind.UNCLOSED, 1)}):
        middleware = SessionLeaks(served.app, strict=strict)
        ask(middleware, "/thread")
        middleware.stop()
        assert told(middleware) == expected


def test_a_generator_that_ends_a_moment_after_its_request(watched: SessionLeaks) -> None:
    ask(watched, "/early", "/early")
    assert told(watched) == {}


def test_a_thread_that_outlives_its_request_and_closes_its_session(watched: SessionLeaks) -> None:
    seen = []
    ask(watched, "/thread/afterwards", "/good", before_the_end=lambda: seen.append(told(watched)))
    assert (seen, told(watched)) == ([{}], {})


def test_a_leak_is_told_when_no_other_request_comes(watched: SessionLeaks, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "session_leaks"):
        seen: list[str] = []
        ask(watched, "/bare", before_the_end=lambda: seen.extend(one.getMessage() for one in caplog.records))
    assert [message[-len("in GET /bare") :] for message in seen] == ["in GET /bare"]


def test_a_path_is_named_by_its_route(watched: SessionLeaks) -> None:
    ask(watched, "/reset/secret", "/reset/another?token=secret")
    assert told(watched) == {("GET /reset/{token}",): (LeakKind.HELD, 2)}


async def nowhere() -> dict[str, object]:
    raise NotImplementedError


async def ignored(message: object) -> None:
    pass


def called(scope: Scope, app: Application) -> tuple[SessionLeaks, list[str]]:
    """An application without a framework; gives the middleware, and where it saw leaks."""

    async def work() -> SessionLeaks:
        middleware = SessionLeaks(app)
        await middleware({"type": "http", "method": "GET", "path": "/", **scope}, nowhere, ignored)
        return middleware

    middleware = asyncio.run(work())
    middleware.stop()
    return middleware, [where for leak in middleware.leaks() for where in leak.where]


async def leak(scope: Scope, receive: Receive, send: Send) -> None:
    from sqlalchemy import create_engine
    from sqlalchemy.orm import Session

    Session(create_engine("sqlite://")).connection()


@pytest.mark.parametrize(
    ("scope", "where"),
    [
        ({"path": "/x\n2026-01-01 CRITICAL forged\x1b[2J"}, "GET /x\\n2026-01-01 CRITICAL forged\\x1b[2J"),
        ({"path": "/\u2028\u202e"}, "GET /\\u2028\\u202e"),
        ({"path": "/gr\u00fc\u00dfe"}, "GET /gr\u00fc\u00dfe"),
        ({"path": "/" + 1000 * "x"}, "GET /" + 195 * "x"),
        ({"path": "/reset/secret", "path_params": {"token": "secret"}}, "GET /reset/{token}"),
        ({"type": "websocket", "method": "WEBSOCKET", "path": "/"}, "WEBSOCKET /"),
    ],
)
def test_a_path_without_a_route_forges_nothing(scope: Scope, where: str) -> None:
    assert called(scope, leak)[1] == [where]


def test_a_websocket_that_makes_many_sessions_keeps_none_of_them() -> None:
    """And a leak among them is told at once."""
    kept: list[int] = []

    async def many(scope: Scope, receive: Receive, send: Send) -> None:
        from sqlalchemy import create_engine
        from sqlalchemy.orm import Session

        for _ in range(5 * asgi.CROWDED):
            Session(create_engine("sqlite://")).close()
        await leak(scope, receive, send)
        place = instrument.PLACE.get()
        assert place is not None
        kept.append(len(place.records))

    _, where = called({"type": "websocket", "method": "WEBSOCKET", "path": "/ws"}, many)
    assert where == ["WEBSOCKET /ws"]
    assert kept[0] <= 2 * asgi.CROWDED


def test_a_task_that_makes_many_sessions_keeps_none_of_them() -> None:
    kept: list[int] = []

    async def work() -> None:
        from sqlalchemy import create_engine
        from sqlalchemy.orm import Session

        tasks = []
        over = asyncio.Event()

        async def poll() -> None:
            await over.wait()
            for _ in range(5 * asgi.CROWDED):
                Session(create_engine("sqlite://")).close()
            kept.append(len(middleware._open))

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            tasks.append(asyncio.create_task(poll()))

        middleware = SessionLeaks(app)
        await middleware({"type": "http", "method": "GET", "path": "/"}, nowhere, ignored)
        over.set()
        await tasks[0]
        middleware.stop()

    asyncio.run(work())
    assert kept[0] <= 2 * asgi.CROWDED


def test_two_middlewares_do_not_count_twice(watched: SessionLeaks) -> None:
    outer = SessionLeaks(watched)
    ask(outer, "/bare")
    outer.stop()
    assert (told(watched), told(outer)) == ({("GET /bare",): (LeakKind.HELD, 1)}, {})


def test_the_report(watched: SessionLeaks, tmp_path: Path) -> None:
    ask(watched, "/bare")
    watched.write()
    assert [leak.where for leak in load(tmp_path / "leaks.json").leaks] == [("GET /bare",)]


def test_answers_are_as_without(watched: SessionLeaks) -> None:
    from watch import served

    paths = ("/good", "/fails", "/nowhere")
    answers = ask(watched, *paths)
    assert [code for code, _, _ in answers] == [200, 500, 404]
    assert answers == ask(served.app, *paths)
