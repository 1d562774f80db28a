"""Folders that nothing of a project is ever written to: git's own, and that of the runs. Touches nothing.

A plan and the record of a run may come from strangers; a file in `.git/hooks` would be run by the next commit.
"""

from __future__ import annotations

import re

_PROTECTED = frozenset({".git", "git~1", ".session-codemods"})  # git~1: its short name on Windows
# What file systems leave out of a name: HFS+ these characters, Windows what stands at the end.
_IGNORED = re.compile(r"[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]")
_END = re.compile(r"[ .]*(?::.*)?\Z", re.DOTALL)


def protected_part(path: str) -> str | None:
    """The first part of a path that names such a folder, in whatever case or spelling a file system knows it by."""
    return next((part for part in re.split(r"[/\\]", path) if _plain(part) in _PROTECTED), None)


def _plain(part: str) -> str:
    return _END.sub("", _IGNORED.sub("", part)).casefold()
