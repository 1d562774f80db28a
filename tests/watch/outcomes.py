"""Tests that end in every way, print and warn, and leak."""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Iterator

import pytest
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from watch.database import read_now

KEPT: list[Session] = []


def leak() -> None:
    session = Session(create_engine("sqlite://"))
    read_now(session)
    KEPT.append(session)


@pytest.fixture
def broken() -> None:
    leak()
    raise LookupError("in the setup")


@pytest.fixture
def broken_later() -> Iterator[None]:
    yield
    leak()
    raise LookupError("in the teardown")


def test_passes() -> None:
    leak()


def test_fails() -> None:
    leak()
    print("printed")
    print("printed to stderr", file=sys.stderr)
    logging.getLogger("here").warning("logged")
    raise AssertionError("on purpose")


def test_skips() -> None:
    leak()
    pytest.skip("on purpose")


@pytest.mark.xfail(reason="on purpose", strict=True)
def test_is_expected_to_fail() -> None:
    leak()
    raise AssertionError("on purpose")


@pytest.mark.xfail(reason="on purpose", strict=True)
def test_passes_against_expectation() -> None:
    leak()


def test_setup_fails(broken: None) -> None:
    leak()


def test_teardown_fails(broken_later: None) -> None:
    leak()


def test_warns() -> None:
    leak()
    warnings.warn("on purpose", stacklevel=1)


def test_wrong_arguments() -> None:
    """The traceback ends in the program's own line, as it would without us."""
    Session(nonsense=1)  # type: ignore[call-arg]
