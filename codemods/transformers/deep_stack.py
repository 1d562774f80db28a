"""Composes where deeply nested code can be parsed, and says of what is nested deeper that the edit cannot be made."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from codemods import deep_stack
from codemods.transformers.errors import ComposeError

Result = TypeVar("Result")


def with_deep_stack(work: Callable[[], Result]) -> Result:
    """What `work` returns; raises what it raises, and ComposeError where even a deep stack is too small."""
    try:
        return deep_stack.with_deep_stack(work)
    except (RecursionError, MemoryError) as error:
        raise ComposeError("the code is nested too deeply") from error
