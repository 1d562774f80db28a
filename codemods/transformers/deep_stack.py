"""Runs a function where deeply nested code can be parsed: a thread with a big stack and a raised recursion limit."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import TypeVar

from codemods.transformers.errors import ComposeError

_STACK_BYTES = 512 * 1024 * 1024
_RECURSION_LIMIT = 50_000
_GUARD = threading.Lock()  # stack size and recursion limit belong to the whole process
_INSIDE = threading.local()

Result = TypeVar("Result")


def with_deep_stack(work: Callable[[], Result]) -> Result:
    """What `work` returns; raises what it raises, and ComposeError where even this stack is too small."""
    if getattr(_INSIDE, "deep", False):
        return work()
    results: list[Result] = []
    errors: list[BaseException] = []

    def run() -> None:
        _INSIDE.deep = True
        try:
            results.append(work())
        except BaseException as error:  # handed on to the caller's thread
            errors.append(error)

    with _GUARD:
        limit = sys.getrecursionlimit()
        size = threading.stack_size(_STACK_BYTES)
        sys.setrecursionlimit(max(limit, _RECURSION_LIMIT))
        try:
            thread = threading.Thread(target=run, name="compose")
            thread.start()
            thread.join()
        finally:
            sys.setrecursionlimit(limit)
            threading.stack_size(size)
    if errors:
        if isinstance(errors[0], RecursionError | MemoryError):
            raise ComposeError("the code is nested too deeply") from errors[0]
        raise errors[0]
    return results[0]
