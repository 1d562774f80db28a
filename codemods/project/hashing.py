"""Values that remember their hash: for frozen dataclasses that are keys again and again. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

Kind = TypeVar("Kind")


class Hashed:
    """Room for the hash of a value."""

    __slots__ = ("_hash",)
    _hash: int


def hashed_once(kind: type[Kind]) -> type[Kind]:
    """Makes the values of a class remember their hash.

    Expressions and meanings are keys wherever answers are remembered. What was hashed before, and all that it consists
    of, need not be gone through again (a tenth of a run went there). The class is a frozen dataclass below `Hashed`.
    """
    compute: Callable[[object], int] = kind.__hash__

    def remembered(self: Hashed) -> int:
        try:
            return self._hash
        except AttributeError:
            found = compute(self)
            object.__setattr__(self, "_hash", found)
            return found

    kind.__hash__ = remembered  # type: ignore[assignment, method-assign]
    return kind
