"""The pytest plugin `session_leaks`: its options, and nothing else until one of them is given.

Every pytest run of the environment loads this file, so it imports what pytest has loaded anyway.
"""

from __future__ import annotations

import pytest

OFF = ("", "0", "false", "no", "off")
ON = ("1", "true", "yes", "on")
STRICT = "strict"


def pytest_addoption(parser: pytest.Parser) -> None:
    """A group of its own in `pytest --help`."""
    group = parser.getgroup("session leaks", "SQLAlchemy sessions that are never given back (session-codemods)")
    # two options, not one with a value that may be left out: that one would take the next argument for its value
    group.addoption(
        "--session-leaks",
        "--session-leaks=true",
        dest="session_leaks",
        action="store_const",
        const="true",
        default=None,
        help="tell which line made a session that still holds a connection when its test is over",
    )
    group.addoption(
        "--session-leaks=strict",
        dest="session_leaks",
        action="store_const",
        const=STRICT,
        default=None,
        help="also sessions that are never closed, though they hold nothing",
    )
    group.addoption(
        "--session-leaks-report",
        dest="session_leaks_report",
        metavar="FILE",
        default=None,
        help="write them to FILE as JSON, for `session-codemods check --witness FILE`; turns --session-leaks on",
    )
    group.addoption(
        "--session-leaks-fail",
        dest="session_leaks_fail",
        action="store_true",
        default=False,
        help="exit status 1 when there are any; turns --session-leaks on",
    )
    parser.addini("session_leaks", "watch every run for leaked sessions: true, strict or false", default="")


def pytest_configure(config: pytest.Config) -> None:
    """Turns the watch on where it is wanted, and tests are to run."""
    mode = wanted(config)
    if not mode or config.option.collectonly:
        return
    from codemods.watch.watched_run import WatchedRun

    config.pluginmanager.register(WatchedRun(config, strict=mode == STRICT), "session_leaks_watch")


def wanted(config: pytest.Config) -> str:
    """ "true", "strict", or "" for off. Raises pytest.UsageError."""
    given: str | None = config.getoption("session_leaks")
    stated = str(config.getini("session_leaks")).strip().lower()
    if stated not in (*OFF, *ON, STRICT):
        raise pytest.UsageError(f"session_leaks = {stated}: must be true, strict or false")
    if given is not None:
        return given
    if stated == STRICT:
        return STRICT
    if stated in ON or config.getoption("session_leaks_report") or config.getoption("session_leaks_fail"):
        return "true"
    return ""
