"""Holds back the signals that end a process, until the files are whole. Touches the process's signal handlers."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator


class Interrupted(Exception):
    """A signal came while files were being written."""


@contextlib.contextmanager
def held_signals() -> Iterator[Callable[[], None]]:
    """Yields a check that raises Interrupted when a signal has come.

    They are raised again at the end. Only the main thread can do this; elsewhere nothing is held.
    """
    came: list[int] = []

    def check() -> None:
        if came:
            raise Interrupted

    if threading.current_thread() is not threading.main_thread():
        yield check
        return
    names = ("SIGINT", "SIGTERM", "SIGHUP")
    held = {number: signal.getsignal(number) for name in names if (number := getattr(signal, name, None)) is not None}
    held = {number: handler for number, handler in held.items() if handler not in (None, signal.SIG_IGN)}
    for number in held:
        signal.signal(number, lambda number, frame: came.append(number))
    try:
        yield check
    finally:
        for number, handler in held.items():
            signal.signal(number, handler)
        for number in came[:1]:
            signal.raise_signal(number)
