"""Writes groups into the tree, in every way that `apply` knows: verified, committed, formatted; `undo` takes it back.

Files of the project are written by `apply` alone. What is heavy is imported inside the functions.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from codemods.cli.streams import say_visible

if TYPE_CHECKING:
    from codemods.apply.recovery import TakenBack
    from codemods.plan import Change, Group
    from codemods.saved_plan import SavedPlan
    from codemods.verifying.applying import Verified


class OnFailure(enum.StrEnum):
    """The values of `--on-fail`."""

    rollback = "rollback"
    keep = "keep"
    bisect = "bisect"


class CommitPer(enum.StrEnum):
    """The values of `--commit-per`."""

    rule = "rule"
    group = "group"
    dir = "dir"


@dataclasses.dataclass(frozen=True, slots=True)
class Ways:
    """How to write."""

    allow_dirty: bool
    allow_no_vcs: bool
    verify: str | None
    on_fail: OnFailure
    commit_per: CommitPer | None
    format_cmd: str | None


def write(
    saved: SavedPlan, groups: Sequence[Group], made: Sequence[Group], root: Path, ways: Ways
) -> tuple[Verified, Sequence[Change]]:
    """Write the groups where `made` are made already; gives what stands in the tree now, and the changed files."""
    from codemods import committing, planned
    from codemods.apply.git import guard
    from codemods.apply.run_record import RunText
    from codemods.apply.runs import written
    from codemods.apply.undo import undo
    from codemods.batches import By, batches
    from codemods.formatting import Formatter
    from codemods.plan import Change
    from codemods.verifying import applying

    paths = sorted({path for group in groups for path in group.paths})
    before = planned.contents(saved, made, paths)
    formatter = Formatter(root, ways.format_cmd) if ways.format_cmd else None

    def contents(some: Sequence[Group]) -> Mapping[str, bytes | None]:
        after = planned.contents(saved, [*made, *some], paths)
        return formatter.contents(before, after) if formatter else after

    def changes(some: Sequence[Group]) -> list[Change]:
        return [
            Change(path, before[path], new, tuple(group for group in some if path in group.paths))
            for path, new in contents(some).items()
            if new is not None and new != before[path]
        ]

    tree = applying.Tree(
        root,
        lambda some: written(root, changes(some), what=RunText.of(some), tell=tell_taken_back),
        lambda run: _ignored(undo(root, run, tell=tell_taken_back)),
        contents,
    )
    on_fail = applying.OnFail(ways.on_fail.value)
    new = [path for path in paths if before[path] is None]
    guard(root, [path for path in paths if path not in new], ways.allow_dirty, ways.allow_no_vcs, new=new)
    if ways.verify:
        applying.ready(root, on_fail)
    if ways.commit_per:
        committing.ready(root, paths, new)
    if ways.verify:
        done = applying.verified(groups, ways.verify, on_fail, tree, say_visible)
    else:
        done = applying.Verified(True, tree.write(groups), tuple(groups))
    final = changes(done.groups) if done.run else []
    if ways.commit_per and done.run:
        for one in committing.commit(root, batches(done.groups, By(ways.commit_per.value)), contents):
            changed = f"; a hook changed {', '.join(one.changed_by_hook)}" if one.changed_by_hook else ""
            say_visible(f"committed {one.id[:12]} {one.batch.subject}{changed}\n")
    return done, final


def _ignored(_: object) -> None:
    return None


def tell_taken_back(taken: TakenBack) -> None:
    """Say on stderr that a run had been cut off, and what was done about it."""
    from codemods import run_words

    say_visible(run_words.taken_back(taken))
