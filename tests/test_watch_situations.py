"""In every situation of `tests/watch` the line that leaked is named, and no other: with each plugin for asyncio, in
strict mode, over workers of xdist, with another SQLAlchemy, on PostgreSQL.
"""

from __future__ import annotations

import functools
import importlib.util
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from engines import versions
from field.fetch import Unreachable
from leaving.postgres import NoServer, server
from watch.runs import Seen, Watched, expected, functions_tested, project, pytest_run

NEEDS = ("aiosqlite", "anyio", "fastapi", "greenlet", "httpx", "pytest_asyncio", "sqlalchemy", "xdist")
pytestmark = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in NEEDS), reason="the demo-app extra is not installed"
)


@dataclass(frozen=True, slots=True)
class Way:
    """How a program is run."""

    program: str
    options: tuple[str, ...]
    version: str = versions.INSTALLED
    strict: bool = False


ASYNC, SYNC, ANYIO, POSTGRES = (f"{name}_situations" for name in ("async", "sync", "anyio", "postgres"))
WAYS = {
    "asyncio": Way(ASYNC, ()),
    "asyncio, strict": Way(ASYNC, ("--session-leaks=strict",), strict=True),
    "asyncio, two workers": Way(ASYNC, ("-n", "2")),
    "asyncio, SQLAlchemy 2.0": Way(ASYNC, (), version=versions.OTHER_LINE),
    "sync": Way(SYNC, ("-p", "no:asyncio", "-p", "no:anyio")),
    "sync, strict": Way(SYNC, ("--session-leaks=strict",), strict=True),
    "sync, SQLAlchemy 2.0": Way(SYNC, (), version=versions.OTHER_LINE),
    "anyio": Way(ANYIO, ("-p", "no:asyncio", "-o", "asyncio_mode=", "-o", "asyncio_default_fixture_loop_scope=")),
    "anyio, two workers": Way(ANYIO, ("-p", "no:asyncio", "-n", "2")),
}


@functools.cache
def run(name: str) -> Watched:
    way = WAYS[name]
    with tempfile.TemporaryDirectory() as folder:
        paths = [] if way.version == versions.INSTALLED else [versions.install(way.version, Path(folder, "packages"))]
        return pytest_run(project(Path(folder, "project"), way.program), *way.options, paths=paths)


def of_test(seen: frozenset[Seen], test: str) -> frozenset[Seen]:
    """What concerns a test function, whatever its parameters and class."""
    return frozenset(one for one in seen if one.where.split("::")[-1].split("[")[0] == test)


@pytest.mark.parametrize("name", WAYS)
def test_each_leak_is_named_at_its_line_and_nothing_else_is(name: str) -> None:
    way = WAYS[name]
    try:
        done = run(name)
    except Unreachable as error:
        pytest.skip(str(error))
    stated = frozenset(expected(way.program, strict=way.strict))
    assert stated
    assert done.code in (0, 1), done.output
    assert done.report is not None
    assert done.report.strict is way.strict
    seen = done.seen(way.program)
    assert not stated - seen, f"missed: {done.output}"
    # other lines of the same leak are those that called the stated one
    places = {(one.where, one.kind) for one in stated}
    assert not {one for one in seen if (one.where, one.kind) not in places}, done.output
    assert sum(leak.count for leak in done.report.leaks) == sum(
        2 if one.where == "test_gathered" else 1 for one in stated
    )


def test_the_programs_have_tests_that_must_stay_silent() -> None:
    for program in (ASYNC, SYNC, ANYIO):
        told = {one.where.split("::")[-1].split("[")[0] for one in expected(program, strict=False)}
        assert len(functions_tested(program) - told) >= 3


@pytest.mark.parametrize(("one", "other"), [("asyncio", "asyncio, two workers"), ("anyio", "anyio, two workers")])
def test_workers_hand_over_the_same_table(one: str, other: str) -> None:
    def table(name: str) -> Mapping[object, object]:
        report = run(name).report
        assert report is not None
        return {(leak.kind, leak.frames): (leak.count, set(leak.where)) for leak in report.leaks}

    assert table(one) == table(other)
    assert "session leaks" in run(other).output


def test_only_an_uncollected_session_still_holds_its_connection() -> None:
    report = run("asyncio").report
    assert report is not None
    held = {leak.where[0].split("::")[-1]: leak.still_held for leak in report.leaks}
    assert held["test_collected_before_the_test_ends"] == 0
    assert held["test_pool_of_one_in_memory"] == 1


def test_the_callers_of_a_factory_stand_above_it() -> None:
    report = run("asyncio").report
    assert report is not None
    (leak,) = [one for one in report.leaks if one.where == (f"test_{ASYNC}.py::test_made_by_a_factory",)]
    assert [(one.path, one.function, one.code) for one in leak.frames] == [
        ("watch/database.py", "new_session", "return maker()"),
        (f"test_{ASYNC}.py", "test_made_by_a_factory", "session = new_session(maker)  # held"),
    ]


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    try:
        with server() as folder:
            yield folder
    except NoServer as reason:
        pytest.skip(str(reason))


def test_on_postgresql(postgres: str, tmp_path: Path) -> None:
    done = pytest_run(project(tmp_path / "project", POSTGRES), variables={"POSTGRES_FOLDER": postgres})
    assert done.code == 0, done.output
    assert done.seen(POSTGRES) == frozenset(expected(POSTGRES, strict=False))
