"""Writes groups into the tree, in every way that `apply` knows: verified, committed, formatted; `undo` takes it back.

Files of the project are written by `apply` alone. Whatever stops this after the first file was written says which run
stands in the files. What is heavy is imported inside the functions.
"""

from __future__ import annotations

import contextlib
import dataclasses
import secrets
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from codemods.batch_unit import By
from codemods.cli import PROGRAM, stopping
from codemods.cli.streams import on_github, say_visible
from codemods.verifying.on_fail import OnFail

if TYPE_CHECKING:
    from codemods.apply.recovery import TakenBack
    from codemods.apply.run_writer import RunWriter
    from codemods.batches import Needs
    from codemods.committing import Commit, CommitStopped
    from codemods.plan import Change, Group
    from codemods.saved_plan import SavedPlan
    from codemods.verifying.applying import Verified
    from codemods.verifying.bisecting import LeftOut


@dataclasses.dataclass(frozen=True, slots=True)
class Ways:
    """How to write."""

    allow_dirty: bool
    allow_no_vcs: bool
    verify: str | None
    on_fail: OnFail
    commit_per: By | None
    format_cmd: str | None


@dataclasses.dataclass(frozen=True, slots=True)
class Written:
    """What stands in the tree now. `changes`: the files that changed; `unformatted`: those of them in which nothing of
    the formatter's work was taken over, and why; `commits`, in order."""

    done: Verified
    changes: tuple[Change, ...] = ()
    unformatted: Mapping[str, str] = dataclasses.field(default_factory=dict)
    commits: tuple[Commit, ...] = ()


class Notes:
    """Who wants to know what stands in the files, as soon as it does. This one does not; raise PlanFileError.

    `plan`: the plan file that the groups are of."""

    plan = ""

    def written(self, run: str, groups: Sequence[Group]) -> None:
        """This run wrote these groups."""

    def taken_back(self, run: str) -> None:
        """The run is not in the files any more."""

    def left_out(self, some: Sequence[LeftOut]) -> None:
        """These groups are not written after all."""


def write(
    saved: SavedPlan, groups: Sequence[Group], made: Sequence[Group], root: Path, ways: Ways, notes: Notes
) -> Written:
    """Write the groups where `made` are made already. Raises Stopped, and what `named_when_stopped` leaves."""
    from codemods import committing, planned
    from codemods.apply.run_writer import RunWriter
    from codemods.batches import batches, changed
    from codemods.formatting import Formatter
    from codemods.verifying import applying

    paths = sorted({path for group in groups for path in group.paths})
    composed = planned.Composer(saved, paths, made)
    before = composed(())
    formatter = Formatter(root, ways.format_cmd) if ways.format_cmd else None
    needs = saved.needs_of(groups)

    def contents(some: Sequence[Group]) -> Mapping[str, bytes | None]:
        after = composed(some)
        return formatter.contents(before, after) if formatter else after

    def changes(some: Sequence[Group]) -> Sequence[Change]:
        return changed(before, contents(some), some)

    _check(root, paths, [path for path in paths if before[path] is None], ways)
    commits: list[Commit] = []
    with RunWriter(root, tell_taken_back) as writer, named_when_stopped(lambda: files.run, commits):
        files = _Files(writer, changes, notes, needs, ways.verify or "")
        if ways.verify:
            tree = applying.Tree(root, files.write, files.take_back, contents, needs, _fence)
            done = applying.verified(groups, ways.verify, ways.on_fail, tree, say_visible)
            if done.run:
                writer.note_verified(done.run)
        else:
            done = applying.Verified(True, files.write(groups), tuple(groups))
        if done.left_out:
            notes.left_out(done.left_out)
        if not done.run:
            return Written(done)
        if ways.commit_per and not done.stuck:
            note = writer.commit_notes(done.run)

            def made_one(one: Commit) -> None:
                commits.append(one)
                note(one.id)

            committing.commit(root, batches(done.groups, ways.commit_per, needs), contents, made_one)
        unformatted = formatter.formatted(changed(before, composed(done.groups), ())).kept if formatter else {}
        return Written(done, tuple(changes(done.groups)), unformatted, tuple(commits))


def _check(root: Path, paths: Sequence[str], new: Sequence[str], ways: Ways) -> None:
    """Raises Stopped, and what `guard` and `committing.ready` raise, where these paths cannot be written like this;
    `new` are those that are not there yet."""
    from codemods import committing, run_words
    from codemods.apply.git import DirtyFiles, GitError, NoRepository, guard
    from codemods.apply.runs import as_written
    from codemods.verifying import applying

    if ways.commit_per:  # first: what can be allowed of the rest is of no help to it
        try:
            committing.ready(root, paths, new)
        except DirtyFiles as error:
            what = "not saved in git as they are now, and a commit would hold that, too; commit or stash that first"
            raise stopping.Stopped(f"nothing was written: {run_words.some(error.paths)}: {what}") from error
        except (NoRepository, GitError) as error:
            raise stopping.Stopped(f"nothing was written: --commit-per needs a git repository: {error}") from error
    here = [path for path in paths if path not in new]
    guard(root, here, ways.allow_dirty, ways.allow_no_vcs, new=new, kept=as_written(root, here))
    if ways.verify:
        try:
            applying.ready(root, ways.on_fail)
        except GitError as error:
            raise stopping.Stopped(f"nothing was written: --on-fail bisect needs a git repository: {error}") from error


class _Files:
    """The files of the project. `run` is the one that stands in them, "" when they are as they were."""

    def __init__(
        self,
        writer: RunWriter,
        changes: Callable[[Sequence[Group]], Sequence[Change]],
        notes: Notes,
        needs: Needs,
        verify: str,
    ) -> None:
        """`verify`: the command that what is written has to pass, "" for none."""
        self._writer, self._changes, self._notes, self._needs, self._verify = writer, changes, notes, needs, verify
        self._why = f"`{verify}` did not pass"  # a run is taken back that was to be written
        self.run = ""

    def write(self, groups: Sequence[Group]) -> str:
        """As `RunWriter.write`; either it is noted, too, or nothing is written. A signal waits for both."""
        from codemods.apply.held_signals import held_signals
        from codemods.apply.run_record import RunText
        from codemods.plan_file import PlanFileError

        changes = self._changes(groups)
        with held_signals():
            self.run = self._writer.write(changes, RunText.of(groups, self._needs, self._notes.plan, self._verify))
            if self.run:
                try:
                    self._notes.written(self.run, groups)
                except PlanFileError as error:
                    self._why = str(error)
                    self.take_back(self.run)
                    raise stopping.Stopped(f"nothing was written: {error}") from error
            return self.run

    def take_back(self, run: str) -> None:
        """Undo what was just written. Raises NotBack."""
        from codemods import run_words
        from codemods.apply.errors import ChangedSince
        from codemods.plan_file import PlanFileError
        from codemods.verifying.applying import NotBack

        try:
            self._writer.take_back(run, self._why)
        except ChangedSince as error:
            advice = f"{PROGRAM} undo {run} --force puts all back, and keeps what they hold now"
            raise NotBack(f"changed since they were written: {', '.join(error.paths)}; {advice}") from error
        except run_words.REFUSALS as error:
            raise NotBack(run_words.why_not(error, "put back")) from error
        self.run = ""
        with contextlib.suppress(PlanFileError):  # the files tell that the run is not in them
            self._notes.taken_back(run)


@contextlib.contextmanager
def named_when_stopped(run: Callable[[], str], commits: Sequence[Commit]) -> Iterator[None]:
    """Whatever ends the block tells which run stands in the files, "" for none, and how many commits were made of it
    by then. Raises Stopped for what has words."""
    from codemods import run_words
    from codemods.apply.git import GitError
    from codemods.committing import CommitStopped
    from codemods.formatting import FormatError
    from codemods.plan_file import PlanFileError
    from codemods.review.words import counted
    from codemods.transformers.errors import ComposeError
    from codemods.verifying.applying import NotBack

    known = (CommitStopped, GitError, FormatError, PlanFileError, ComposeError, NotBack, stopping.Stopped, OSError)
    try:
        yield
    except BaseException as error:
        if not (stands := run()):
            raise
        so_far = f", {counted(len(commits), 'commit')} {'were' if len(commits) > 1 else 'was'} made" if commits else ""
        how = f"to take it back: {PROGRAM} undo {stands}"
        if not isinstance(error, (*known, *run_words.REFUSALS)):
            say_visible(f"The files are written{so_far}; {how}\n")
            raise
        if isinstance(error, CommitStopped):
            how = _half_committed(error, how)
        raise stopping.Stopped(f"the files are written{so_far}, then: {error}; {how}") from error


def _half_committed(error: CommitStopped, how: str) -> str:
    """`undo` brings the files back, not the branch: its commits are put back upon what they were made, and out of the
    index, in which what the user has staged besides stays."""
    start = error.start[:12]
    reset = f", then git read-tree -i -m HEAD {start} && git reset --soft {start}" if error.made else ""
    left = "what is not committed stands in the files: mend what keeps it from being committed, then commit it"
    return f"{left}; or {how}{reset}"


@contextlib.contextmanager
def _fence() -> Iterator[None]:
    """GitHub's runner does not obey what is said within."""
    if not on_github():
        yield
        return
    token = secrets.token_hex(16)
    _straight(f"::stop-commands::{token}\n")
    try:
        yield
    finally:
        _straight(f"::{token}::\n")


def _straight(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()


def tell_taken_back(taken: TakenBack) -> None:
    """Say on stderr that a run had been cut off, and what was done about it."""
    from codemods import run_words

    say_visible(run_words.taken_back(taken))
