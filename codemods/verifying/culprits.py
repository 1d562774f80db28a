"""The search for what makes a check fail, apart from all running. Pure, but for what `passes` does."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TypeVar

T = TypeVar("T")


class FailsAnyway(Exception):
    """The check fails with nothing chosen at all: there is nothing to blame."""


def culprits(
    groups: Sequence[T],
    passes: Callable[[Sequence[T]], bool],
    needs: Mapping[int, Collection[int]] | None = None,
) -> tuple[tuple[T, ...], tuple[T, ...]]:
    """What can be kept, and what must be left out so that it passes, both in the order given.

    `needs` says, by position, which others one cannot be without, and what these need in turn; no choice is tried that
    lacks one of those. The smallest beginning that fails is found by halving, its last group is left out with all that
    needs it, and so on until the rest passes; then each one left out is tried with the rest once more. So `passes` was
    true of what is kept, and was false of it with any one of those left out that do not need another one left out.
    When that are several, it is tried whether what the first of them fails with is enough to leave out. It need not be
    the smallest choice all the same: to find that would take too many runs. No choice is asked about twice. Raises
    FailsAnyway.
    """
    search = _Search(groups, passes, needs or {})
    if not search.right(()):
        raise FailsAnyway
    order = search.units()
    out = search.left_out(order, len(order) + 1)
    assert out is not None  # no choice leaves out more than all
    if len(out) > 1 and (partner := search.partner(order, out)) is not None:
        fewer = search.left_out(search.without(order, partner), len(out))
        if fewer is not None:
            out = fewer
    gone = {at for unit in out for at in unit}
    return (
        tuple(one for at, one in enumerate(groups) if at not in gone),
        tuple(one for at, one in enumerate(groups) if at in gone),
    )


Unit = tuple[int, ...]  # positions of what needs each other, in order; most often of one alone


class _Search:
    def __init__(
        self, groups: Sequence[T], passes: Callable[[Sequence[T]], bool], needs: Mapping[int, Collection[int]]
    ) -> None:
        self._count = len(groups)
        self._needs = needs
        self._known: dict[Unit, bool] = {}

        def asked(chosen: Unit) -> bool:
            return passes([groups[at] for at in chosen])

        self._asked = asked

    def right(self, units: Sequence[Unit]) -> bool:
        key = tuple(sorted(at for unit in units for at in unit))
        if key not in self._known:
            self._known[key] = self._asked(key)
        return self._known[key]

    def units(self) -> list[Unit]:
        """All, each after what it needs, else in the order given."""
        order: list[Unit] = []
        placed: set[int] = set()

        def place(at: int) -> None:
            if at in placed:
                return
            mutual = sorted({at, *(one for one in self._of(at) if at in self._of(one))})
            placed.update(mutual)
            for needed in sorted({needed for one in mutual for needed in self._of(one)} - set(mutual)):
                place(needed)
            order.append(tuple(mutual))

        for at in range(self._count):
            place(at)
        return order

    def without(self, units: Sequence[Unit], one: Unit) -> list[Unit]:
        """All but this one and what needs it."""
        return [other for other in units if other != one and not self._is_needed(one, other)]

    def left_out(self, kept: Sequence[Unit], fewer_than: int) -> list[Unit] | None:
        """What must be left out so that the rest passes, where only `kept` is left to choose from; None when that
        comes to so many as are not wanted."""
        order, kept = self.units(), list(kept)
        good = 0  # so many of `kept`, from the first, are known to pass
        while not self.right(kept):
            bad = len(kept)  # so many fail
            while bad - good > 1:
                middle = (good + bad) // 2
                if self.right(kept[:middle]):
                    good = middle
                else:
                    bad = middle
            kept = self.without(kept, kept[bad - 1])
            if len(order) - len(kept) >= fewer_than:
                return None
        again = True
        while again:  # what one brings in may be what another one needs
            again = False
            for one in [one for one in order if one not in kept]:
                if any(self._is_needed(other, one) for other in order if other not in kept):
                    continue
                with_it = [other for other in order if other == one or other in kept]
                if self.right(with_it):
                    kept, again = with_it, True
        out = [one for one in order if one not in kept]
        return out if len(out) < fewer_than else None

    def partner(self, order: Sequence[Unit], out: Sequence[Unit]) -> Unit | None:
        """What the first one of `out` that does not fail by itself fails together with."""
        kept = [one for one in order if one not in out]
        for one in out:
            alone = [other for other in order if other == one or self._is_needed(other, one)]
            if not self.right(alone):
                continue
            rest = [other for other in kept if other not in alone]
            good, bad = 0, len(rest)
            if self.right([*alone, *rest]):  # needs another one that is left out
                continue
            while bad - good > 1:
                middle = (good + bad) // 2
                if self.right([*alone, *rest[:middle]]):
                    good = middle
                else:
                    bad = middle
            return rest[bad - 1]
        return None

    def _of(self, at: int) -> Collection[int]:
        return self._needs.get(at, ())

    def _is_needed(self, one: Unit, by: Unit) -> bool:
        return one != by and one[0] in self._of(by[0])
