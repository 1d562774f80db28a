"""Runs a function where deeply nested code can be followed: a thread with a big stack and a raised recursion limit.

Touches the process's recursion limit and the size of new threads' stacks while it runs, and puts both back. The thread
that waits is told of Ctrl-C, and hands it on. Pieces of the work can be given a time (`time_limit`).
"""

from __future__ import annotations

import ctypes
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

_STACKS = (512 * 1024 * 1024, 64 * 1024 * 1024)  # of addresses: what is not used takes no memory
_LEVEL_BYTES = 10 * 1024  # what one level of recursion may take of it
_LOOK_EVERY = 0.25  # seconds between two looks at the clock
_GUARD = threading.Lock()  # stack size and recursion limit belong to the whole process
_HERE = threading.local()

Result = TypeVar("Result")


class OutOfTime(Exception):
    """A piece of work took longer than its `time_limit`. What it left half done must not be used."""


class _Clock:
    """The time at which the thread's present piece of work is to be stopped, infinite when there is none; and whether
    all of its work is done."""

    def __init__(self) -> None:
        # not `Thread.join`: after a Ctrl-C that one takes the thread for ended (CPython, bpo-45274)
        self.done = threading.Event()
        self.lock = threading.Lock()
        self.end = float("inf")


def with_deep_stack(work: Callable[[], Result]) -> Result:
    """What `work` returns; raises what it raises. Calls from inside run at once, where they stand."""
    if getattr(_HERE, "clock", None) is not None:
        return work()
    results: list[Result] = []
    errors: list[BaseException] = []
    clock = _Clock()

    def run() -> None:
        _HERE.clock = clock
        try:
            results.append(work())
        except BaseException as error:  # handed on to the caller's thread
            errors.append(error)
        finally:
            clock.done.set()

    with _GUARD:
        limit = sys.getrecursionlimit()
        size = threading.stack_size()
        try:
            thread = _started(run, limit)
            try:
                _watch(thread, clock)
            except BaseException:  # Ctrl-C, or another signal's handler: the work ends with the waiting
                _raise_in(thread, KeyboardInterrupt)
                clock.done.wait(1)
                raise
        finally:
            sys.setrecursionlimit(limit)
            threading.stack_size(size)
    if errors:
        raise errors[0]
    return results[0]


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Ends what is in the block with OutOfTime when it takes longer, as far as it is our own code and not a parser's.

    Holds inside of `with_deep_stack` only, where another thread can look at the clock; elsewhere nothing is limited. Of
    two around each other the outer one counts.
    """
    clock: _Clock | None = getattr(_HERE, "clock", None)
    if clock is None or clock.end != float("inf"):
        yield
        return
    with clock.lock:
        clock.end = time.monotonic() + seconds
    try:
        yield
    finally:
        with clock.lock:  # after this it is too late to be stopped, and what was raised is raised in here
            clock.end = float("inf")


def _started(run: Callable[[], None], limit: int) -> threading.Thread:
    """The thread, on the biggest stack that there is room for."""
    for stack in _STACKS:
        threading.stack_size(stack)
        sys.setrecursionlimit(max(limit, stack // _LEVEL_BYTES))
        # a daemon: one that hangs in foreign code does not hold up the end of the program
        thread = threading.Thread(target=run, name="deep stack", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # no room
            if stack == _STACKS[-1]:
                raise
        else:
            break
    return thread


def _watch(thread: threading.Thread, clock: _Clock) -> None:
    while not clock.done.wait(_LOOK_EVERY):
        with clock.lock:
            if time.monotonic() > clock.end:
                clock.end = float("inf")
                _raise_in(thread, OutOfTime)


def _raise_in(thread: threading.Thread, error: type[BaseException]) -> None:
    """Raises in another thread, at its next step in Python code."""
    if thread.ident is not None:
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(error))
