"""Executors on this machine: one after the other, or a pool of processes that can be made anew when a worker dies.

Starts and ends these processes. They end with us, however we end, and none outlives a Ctrl-C.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, ParamSpec, TypeVar

from codemods.fleet.safe_start import starting

_MOST = 61  # Windows waits for no more of them at once

P = ParamSpec("P")
T = TypeVar("T")


def processors() -> int:
    """How many of them we may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@dataclass(frozen=True, slots=True)
class Local:
    """This machine, with so many repositories at a time, each in a process that may die; or, with `inside`, one after
    the other in this process, which a death takes along."""

    jobs: int
    inside: bool = False

    @property
    def window(self) -> int:
        """How many tasks are handed out at a time: few, as a worker that dies makes all of them suspects."""
        return 1 if self.inside else 2 * self.jobs

    def make(self) -> Executor:
        """A new executor, to be ended by its `shutdown` or, with all it does, by `stop`."""
        return Serial() if self.inside else Pool(min(self.jobs, _MOST))


class Serial(Executor):
    """Does a task while it is handed over."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        future: Future[T] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


class Pool(ProcessPoolExecutor):
    """Spawned processes: nothing of this one's threads and locks is copied into them."""

    def __init__(self, jobs: int) -> None:
        reader, self._life = multiprocessing.Pipe(duplex=False)
        context = multiprocessing.get_context("spawn")
        with starting():  # not a worker yet, but Python's own process that looks after semaphores
            super().__init__(jobs, mp_context=context, initializer=_live_with, initargs=(reader,))

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        with starting():
            return super().submit(fn, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        super().shutdown(wait, cancel_futures=cancel_futures)
        self._life.close()

    def stop(self) -> None:
        """End the processes, whatever they do."""
        processes: dict[int, Any] = dict(getattr(self, "_processes", None) or {})
        self._life.close()
        for process in processes.values():
            with contextlib.suppress(OSError, ValueError):
                process.kill()
        super().shutdown(wait=True, cancel_futures=True)


def _live_with(parent: Connection[Any, Any]) -> None:
    """In a worker: leave Ctrl-C to the parent, and end when it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        with contextlib.suppress(EOFError, OSError):
            parent.recv_bytes()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
