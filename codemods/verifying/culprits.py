"""The search for what makes a check fail, apart from all running. Pure, but for what `passes` does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")


class FailsAnyway(Exception):
    """The check fails with nothing chosen at all: there is nothing to blame."""


def culprits(groups: Sequence[T], passes: Callable[[Sequence[T]], bool]) -> tuple[tuple[T, ...], tuple[T, ...]]:
    """What can be kept, and what must be left out so that it passes, both in the order given.

    The smallest prefix that fails is found by halving, its last group is left out, and so on until the rest passes;
    then each one left out is tried with the rest once more. So `passes` was true of what is kept, and was false of it
    with any one of those left out, whatever they have to do with each other. No choice is asked about twice. Raises
    FailsAnyway.
    """
    known: dict[tuple[int, ...], bool] = {}

    def right(chosen: Sequence[int]) -> bool:
        key = tuple(chosen)
        if key not in known:
            known[key] = passes([groups[at] for at in key])
        return known[key]

    if not right(()):
        raise FailsAnyway
    kept, out = list(range(len(groups))), list[int]()
    good = 0  # so many of `kept`, from the first, are known to pass
    while not right(kept):
        bad = len(kept)  # so many fail
        while bad - good > 1:
            middle = (good + bad) // 2
            if right(kept[:middle]):
                good = middle
            else:
                bad = middle
        out.append(kept.pop(bad - 1))
    again = True
    while again:  # what one brings in may be what another one needs
        again = False
        for one in list(out):
            with_it = sorted([*kept, one])
            if right(with_it):
                kept, again = with_it, True
                out.remove(one)
    return tuple(groups[at] for at in kept), tuple(groups[at] for at in sorted(out))
