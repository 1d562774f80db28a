"""Options of the test suite: `--update` rewrites what the fixture cases expect, and runs nothing else."""

from __future__ import annotations

import pytest


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
