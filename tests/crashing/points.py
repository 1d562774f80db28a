"""At which of many calls something goes wrong: a few of each kind, as the fourteenth file is written as the second one.

Touches nothing.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from pathlib import PurePath

from crashing import project

_RUN = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{4}")
_COMPANION = re.compile(r"\S*/\.[^/\s]+\.[0-9a-f]{8}\.session-codemods\b")


def some_of_each_kind(made: Sequence[str], per_kind: int) -> list[int]:
    """Numbers of calls, counted from 1. A kind is what is done to what sort of file, and after what."""
    kinds: dict[tuple[str, str], list[int]] = {}
    for number, kind in enumerate(itertools.pairwise(["", *_plain(made)]), 1):
        kinds.setdefault(kind, []).append(number)
    return sorted(number for numbers in kinds.values() for number in _spread(numbers, per_kind))


def around(made: Sequence[str], path: str) -> list[int]:
    """The calls that have to do with this file or its companions, and their neighbours."""
    companions = {name for call in made if path in call for name in _COMPANION.findall(call)}
    own = [number for number, call in enumerate(made, 1) if path in call or any(name in call for name in companions)]
    return sorted({near for number in own for near in (number - 1, number, number + 1) if 0 < near <= len(made)})


def _spread(numbers: Sequence[int], at_most: int) -> Sequence[int]:
    if at_most < 2:
        return numbers[len(numbers) // 2 :][:at_most]
    step = (len(numbers) - 1) / (at_most - 1)
    return sorted({numbers[round(step * index)] for index in range(at_most)})


def _plain(made: Sequence[str]) -> list[str]:
    """The calls without what tells one file of a kind from another."""
    found: list[str] = []
    opened = ""
    for call in made:
        verb, *words = call.split(" ")
        if words and words[0].isdigit():  # a handle
            found.append(f"{verb} {opened}")
            continue
        places = [_sort(word) for word in words if word.startswith("/")]
        opened = places[0] if verb == "open" else opened
        found.append(" ".join([verb, *places]))
    return found


def _sort(place: str) -> str:
    if _COMPANION.fullmatch(place):
        return "companion"
    if f"/{project.STORE}" in place:
        return _RUN.sub("run", place.partition(f"/{project.STORE}")[2] or "store")
    if any(place.endswith(f"/{path}") for path in project.MADE):
        return "new file"
    return "file" if PurePath(place).suffix == ".py" else "folder"
