"""Which stretches of lines differ between two versions of a file. Pure.

Patience matching: lines that occur once on each side hold the two versions together, `difflib` fills in between. So a
long file with many blank lines costs no more than its length, and a block that only moved to the right is not
matched to a blank line somewhere else.
"""

from __future__ import annotations

import bisect
from collections import Counter
from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

# Above this many pairs of lines without one unique line between them, matching costs more than it tells.
_LARGEST_GAP = 4_000_000


class Stretch(NamedTuple):
    """Lines `[first, last)` of the old version stand as lines `[new_first, new_last)` in the new one."""

    first: int
    last: int
    new_first: int
    new_last: int


def differing(old: Sequence[bytes], new: Sequence[bytes]) -> list[Stretch]:
    """The stretches that differ, in order, each as small as the matching allows; empty when nothing differs."""
    stretches: list[Stretch] = []
    line = new_line = 0
    for first, new_first, size in [*_matching(old, new), (len(old), len(new), 0)]:
        if line < first or new_line < new_first:
            stretches.append(Stretch(line, first, new_line, new_first))
        line, new_line = first + size, new_first + size
    return stretches


def _matching(old: Sequence[bytes], new: Sequence[bytes]) -> list[tuple[int, int, int]]:
    """Blocks (line, new line, length) that are equal, ascending on both sides, none touching the next."""
    found: list[tuple[int, int, int]] = []
    gaps = [Stretch(0, len(old), 0, len(new))]
    while gaps:
        first, last, new_first, new_last = gaps.pop()
        head = 0
        while first + head < last and new_first + head < new_last and old[first + head] == new[new_first + head]:
            head += 1
        if head:
            found.append((first, new_first, head))
            first, new_first = first + head, new_first + head
        tail = 0
        while first < last - tail and new_first < new_last - tail and old[last - tail - 1] == new[new_last - tail - 1]:
            tail += 1
        if tail:
            last, new_last = last - tail, new_last - tail
            found.append((last, new_last, tail))
        if first == last or new_first == new_last:
            continue
        anchors = _anchors(old, new, Stretch(first, last, new_first, new_last))
        if anchors:
            for line, new_line in [*anchors, (last, new_last)]:
                gaps.append(Stretch(first, line, new_first, new_line))
                first, new_first = line, new_line
            continue
        if (last - first) * (new_last - new_first) <= _LARGEST_GAP:
            matcher = SequenceMatcher(None, old[first:last], new[new_first:new_last], autojunk=False)
            found.extend((first + a, new_first + b, size) for a, b, size in matcher.get_matching_blocks() if size)
    return _joined(sorted(found))


def _anchors(old: Sequence[bytes], new: Sequence[bytes], gap: Stretch) -> list[tuple[int, int]]:
    """The longest run of lines, ascending on both sides, that occur exactly once on each side of the gap."""
    counts = Counter(old[gap.first : gap.last])
    new_counts = Counter(new[gap.new_first : gap.new_last])
    new_at = {new[at]: at for at in range(gap.new_first, gap.new_last) if new_counts[new[at]] == 1}
    pairs = [(at, new_at[old[at]]) for at in range(gap.first, gap.last) if counts[old[at]] == 1 and old[at] in new_at]
    # Longest increasing subsequence: `ends[n]` is the smallest new line on which a run of n + 1 pairs can end.
    ends: list[int] = []
    chosen: list[int] = []
    before: list[int] = []
    for index, (_, new_line) in enumerate(pairs):
        length = bisect.bisect_left(ends, new_line)
        before.append(chosen[length - 1] if length else -1)
        ends[length : length + 1] = [new_line]
        chosen[length : length + 1] = [index]
    run: list[tuple[int, int]] = []
    index = chosen[-1] if chosen else -1
    while index >= 0:
        run.append(pairs[index])
        index = before[index]
    return run[::-1]


def _joined(blocks: Sequence[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    joined: list[tuple[int, int, int]] = []
    for first, new_first, size in blocks:
        if joined and joined[-1][0] + joined[-1][2] == first and joined[-1][1] + joined[-1][2] == new_first:
            first, new_first, size = joined[-1][0], joined[-1][1], joined[-1][2] + size
            joined.pop()
        joined.append((first, new_first, size))
    return joined
