"""Starts Python processes safely: none imports from the folder one stands in, none is stopped by Ctrl-C on its own.

Touches the environment and the signal mask of the calling thread while a process is started, and puts both back.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator

# Python puts the working directory before its own library for `-c`, and processes are started by that: one who stands
# in a stranger's checkout would run its `random.py`.
ENVIRONMENT = {"PYTHONSAFEPATH": "1"}


@contextlib.contextmanager
def starting() -> Iterator[None]:
    """Processes that are started in the block inherit the safe path and a blocked Ctrl-C. One that comes meanwhile
    reaches us when the block ends."""
    before = {name: os.environ.get(name) for name in ENVIRONMENT}
    os.environ |= ENVIRONMENT
    masked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT}) if hasattr(signal, "pthread_sigmask") else None
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        if masked is not None:
            signal.pthread_sigmask(signal.SIG_SETMASK, masked)
