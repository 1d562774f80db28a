"""Options of the test suite: `--update` rewrites what the fixture cases expect, and runs nothing else.

What the tool keeps in the user's state and cache folders goes to temporary ones, also from programs that the tests
start.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session", autouse=True)
def folders_of_the_user() -> Iterator[None]:
    names = ("XDG_STATE_HOME", "XDG_CACHE_HOME")
    before = {name: os.environ.get(name) for name in names}
    with tempfile.TemporaryDirectory(prefix="session-codemods-") as folder:
        os.environ |= {name: os.path.join(folder, name) for name in names}
        yield
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update",
        action="store_true",
        default=False,
        help="rewrite expect.toml and after of the fixture cases as the tool behaves now, and fail",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "rewrites: writes into fixtures/; runs with --update only, and then alone")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    wanted: list[pytest.Item] = []
    others: list[pytest.Item] = []
    for item in items:
        rewrites = item.get_closest_marker("rewrites") is not None
        (wanted if rewrites == config.getoption("--update") else others).append(item)
    if others:
        config.hook.pytest_deselected(items=others)
        items[:] = wanted
