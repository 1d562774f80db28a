"""Gives each repository a name that is a folder's: unique, and harmless on every file system. Touches nothing."""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Sequence
from pathlib import PurePath

_BYTES = 120
_PUNCTUATION = frozenset("._-+@")
# what Windows takes for a device, whatever follows the first dot
_DEVICES = re.compile(r"(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(?:\.|\Z)", re.IGNORECASE)


def names(paths: Sequence[str], taken: Collection[str]) -> tuple[str, ...]:
    """A name for each of these absolute paths, which are different ones; none of them is among `taken`.

    It is the name of the folder; where several would have one, the folders above are put before it (`team-api`), and
    where these do not tell them apart either, a short hash of the path follows.
    """
    parts = [[part for part in PurePath(path).parts if part != PurePath(path).anchor] for path in paths]
    depths = [1] * len(paths)
    reserved = {_folded(name) for name in taken}
    while True:
        made = [_name(path, part, depth) for path, part, depth in zip(paths, parts, depths, strict=True)]
        alike = defaultdict(list)
        for index, name in enumerate(made):
            alike[_folded(name)].append(index)
        twins = [index for key, some in alike.items() if len(some) > 1 or key in reserved for index in some]
        if not twins:
            return tuple(made)
        for index in twins:
            depths[index] += 1


def _name(path: str, parts: Sequence[str], depth: int) -> str:
    """The last parts of a path as one name; more than there are: with so many more digits of its hash."""
    name = _harmless("-".join(parts[-depth:]))
    if depth <= max(len(parts), 1):
        return name
    digest = hashlib.sha256(os.fsencode(path)).hexdigest()
    return f"{_cut(name, _BYTES // 3)}-{digest[: 7 + depth - len(parts)]}"


def _harmless(text: str) -> str:
    plain = "".join(
        char if char.isalnum() or char in _PUNCTUATION else "_" for char in unicodedata.normalize("NFC", text)
    )
    name = _cut(plain.lstrip(".-"), _BYTES).rstrip(".") or "repository"
    return f"_{name}" if _DEVICES.match(name) else name


def _cut(text: str, size: int) -> str:
    return text.encode()[:size].decode("utf-8", "ignore")


def _folded(name: str) -> str:
    """Equal for names that some file system takes for one."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
