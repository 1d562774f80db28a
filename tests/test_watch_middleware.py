"""The ASGI middleware: sessions are judged when their request is over, and named by it."""

from __future__ import annotations

import asyncio
import importlib.util
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from codemods.leak_report import LeakKind, load
from codemods.watch.asgi import Application, SessionLeaks

NEEDS = ("aiosqlite", "fastapi", "greenlet", "httpx", "sqlalchemy")
pytestmark = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in NEEDS), reason="the demo-app extra is not installed"
)


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[SessionLeaks]:
    from watch import served

    monkeypatch.setattr(served, "KEPT", [])
    monkeypatch.setattr(served, "TASKS", [])
    middleware = SessionLeaks(served.app, report=tmp_path / "leaks.json")
    yield middleware
    middleware.stop()


Answer = tuple[int, bytes, list[tuple[str, str]]]


def ask(app: Application, *paths: str, before_the_end: Callable[[], None] = lambda: None) -> list[Answer]:
    """Requests in one event loop, one after the other; leaves no connection behind."""
    import httpx
    from watch import served

    async def work() -> list[Answer]:
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            got = [await client.get(path) for path in paths]
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
    ask(watched, "/afterwards?seconds=0.2", "/good", before_the_end=lambda: seen.append(told(watched)))
    assert (seen, told(watched)) == ([{}], {})


def test_a_task_that_outlives_its_request_and_leaks(watched: SessionLeaks) -> None:
    ask(watched, "/afterwards/bare", "/good")
    assert told(watched) == {("GET /afterwards/bare",): (LeakKind.HELD, 1)}


def test_strict_mode_tells_what_a_thread_never_closed() -> None:
    from watch import served

    for strict, expected in (False, {}), (True, {("GET /thread",): (LeakKind.UNCLOSED, 1)}):
        middleware = SessionLeaks(served.app, strict=strict)
        ask(middleware, "/thread")
        assert told(middleware) == expected
        middleware.stop()


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
