"""Writes changes to the disk, all of them or none. The only code that changes a user's file.

First every file is checked, then every new content is put beside its file under a temporary name, then all are moved
into place; when anything fails on the way, or the user interrupts, what was moved is moved back, and what is new goes
again. A file keeps its mode, its owner and its extended attributes; its temporary companions never outlive the call.

A witness is told of each stage before it begins, so that what is known of a run is on the disk before the first file
is touched: see `journal`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path

from codemods.apply.durable import sync_folder
from codemods.apply.errors import NotPutBack, SavedMeanwhile, StaleFile, WriteRefused, told_of
from codemods.apply.held_signals import Interrupted, held_signals
from codemods.apply.new_file import Creation
from codemods.apply.removal import Removal
from codemods.apply.replacement import Replacement
from codemods.apply.rewriting import Nobody, Rewrite, Witness
from codemods.plan import Change
from codemods.protected_names import protected_part

__all__ = ["NotPutBack", "StaleFile", "WriteRefused", "rewrite", "write"]

_Step = Creation | Removal | Replacement


def write(root: Path, changes: Sequence[Change], witness: Witness | None = None) -> None:
    """Write the `after` of each change to its path under `root`.

    Raises StaleFile when a file does not hold `before` any more, or when one that was not there is there now;
    WriteRefused when it is no regular file, leaves the root through a symbolic link, stands in git's own folder or in
    that of the runs, has several hard links, is read-only, cannot be written, or has no folder to be made in. In every
    case, and on an interrupt, all files are as they were. Only when a file cannot be put back, because the system does
    not let us or because somebody has saved it meanwhile, is NotPutBack raised; the others are put back all the same.
    Signals wait until the files are whole.
    """
    rewrite(root, [Rewrite(change.path, change.before, change.after) for change in changes], witness)


def rewrite(root: Path, rewrites: Sequence[Rewrite], witness: Witness | None = None) -> None:
    """As `write`, for files that may also go, or get a mode and a time. Raises the same."""
    told = Nobody() if witness is None else witness
    steps: list[_Step] = []
    done = False
    with held_signals() as check, contextlib.suppress(Interrupted):
        try:
            top = root.resolve()
            for one in rewrites:
                steps.append(_step(top, one, told.token))
            _refuse_twins(steps)
            check()
            told.begin([step.known for step in steps])
            for step in steps:
                check()
                step.prepare()
            for step in steps:
                check()
                step.place()
            for step in steps:
                step.confirm()
            _sync(steps)
            told.commit()
            done = True
        except BaseException:
            try:
                _put_back(steps)
            finally:
                is_clean = _clean(steps)
            if is_clean:
                told.abandon()
            raise
        if _clean(steps):
            told.settle()
    if not done:  # the program's own handler of the signal let us live; that nothing was written must be told
        raise KeyboardInterrupt


def _step(root: Path, rewrite: Rewrite, token: str) -> _Step:
    _refuse_protected(rewrite.path, rewrite.path)
    step = _made(root, rewrite, token)
    _refuse_protected(rewrite.path, step.known.path)  # a link may lead there
    return step


def _refuse_protected(path: str, place: str) -> None:
    part = protected_part(place)
    if part is not None:
        raise WriteRefused(path, f"stands in {part}, which is not the project's")


def _made(root: Path, rewrite: Rewrite, token: str) -> _Step:
    before, after = rewrite.before, rewrite.after
    if before is not None and after is not None:
        return Replacement(root, rewrite, before, after, token)
    if before is not None:
        return Removal(root, rewrite, before, token)
    if after is not None:
        return Creation(root, rewrite, after, token)
    raise ValueError(f"{rewrite.path}: nothing before and nothing after")


def _put_back(steps: Sequence[_Step]) -> None:
    """Put every file back, even when one of them cannot be; then say which, and where its old content lies."""
    stuck: list[NotPutBack] = []
    for step in reversed(steps):
        try:
            step.put_back()
        except SavedMeanwhile:
            stuck.append(NotPutBack(step.path, step.left("it was changed meanwhile, and was left as it is now")))
        except OSError as error:
            stuck.append(NotPutBack(step.path, step.left(str(error.strerror or error))))
    if stuck:
        raise stuck[-1]


def _clean(steps: Sequence[_Step]) -> bool:
    """Remove the companions; whether all of them are gone, as far as is known."""
    is_clean = True
    for step in steps:
        try:
            step.clean()
        except OSError:
            is_clean = False
    try:
        _sync(steps)
    except WriteRefused:
        is_clean = False
    return is_clean


def _sync(steps: Sequence[_Step]) -> None:
    """Make the renames last; the contents themselves are safe already. Raises WriteRefused."""
    for folder, path in {step.target.parent: step.path for step in steps}.items():
        with told_of(path, "its folder cannot be written"):
            sync_folder(folder)


def _refuse_twins(steps: Sequence[_Step]) -> None:
    first: dict[Path, str] = {}
    for step in steps:
        other = first.setdefault(step.target, step.path)
        if other != step.path:
            raise WriteRefused(step.path, f"is the same file as {other}")
