"""An apply that a command has to pass: writes, runs it in the project's root, does what was asked for when it fails.

Writes and takes back through what it is given. Signals are held from the first write on: when one comes, the command
is ended, what was not verified is taken back (unless it was to be kept), and then the signal has its way.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from codemods.apply.held_signals import Interrupted, held_signals
from codemods.batches import Contents, Needs
from codemods.plan import Group
from codemods.repository import GitError, Repository
from codemods.saved_plan import Decision, SavedPlan, Verdict
from codemods.user_command import run
from codemods.verifying.bisecting import Found, LeftOut, NothingToBlame, Say, bisect
from codemods.verifying.on_fail import OnFail

__all__ = ["FAILED", "NOTHING", "NotBack", "OnFail", "Tree", "Verified", "ready", "recorded", "verified"]

FAILED = 4  # exit code


class NotBack(Exception):
    """A run was not taken back: its files stand as they are. The text says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Tree:
    """What can be done to the project at `root`. `write` gives the id of the run, and raises what it likes; `take_back`
    raises NotBack. `contents` is composed, not read. `needs`: the ids of the groups that one cannot be made without,
    by its id. `fence` stands around what the command says."""

    root: Path
    write: Callable[[Sequence[Group]], str]
    take_back: Callable[[str], None]
    contents: Contents
    needs: Needs = field(default_factory=dict)
    fence: Callable[[], AbstractContextManager[None]] = contextlib.nullcontext


@dataclass(frozen=True, slots=True)
class Verified:
    """What stands in the tree now: `groups`, written by `run`, and "" when nothing is. `stuck`: why that was not taken
    back, although it should have been."""

    passed: bool  # with all that was to be written
    run: str
    groups: tuple[Group, ...]
    left_out: tuple[LeftOut, ...] = ()
    stuck: str = ""

    @property
    def exit_code(self) -> int:
        return 0 if self.passed else FAILED


NOTHING = Verified(True, "", ())  # there was nothing to write: nothing was verified either


def ready(root: Path, on_fail: OnFail) -> None:
    """To be asked before anything is written. Raises GitError when there is no repository to bisect in."""
    if on_fail is OnFail.bisect:
        Repository.of(root)


def verified(groups: Sequence[Group], command: str, on_fail: OnFail, tree: Tree, say: Say) -> Verified:
    """Write the groups, and leave in the tree what passes, or what `on_fail` wants.

    `say` gets lines, and a line in parts, not escaped, with their newlines. Raises what `write` raises, and
    KeyboardInterrupt.
    """
    if not groups:
        return NOTHING
    result: Verified | None = None
    with held_signals() as check, contextlib.suppress(Interrupted):
        result = _Verification(tuple(groups), command, on_fail, tree, check, say).result()
    if result is None:  # the program's own handler of the signal let us live
        raise KeyboardInterrupt
    return result


def recorded(plan: SavedPlan, left_out: Sequence[LeftOut], command: str, at: str) -> SavedPlan:
    """The plan in which the groups that were left out are refused, with the reason as the note."""
    for one in left_out:
        note = f"left out, because `{command}` fails with it: {one.why}"
        plan = plan.decided([one.group], Decision(Verdict.REFUSED, "apply --verify", note, at))
    return plan


class _Verification:
    def __init__(
        self,
        groups: tuple[Group, ...],
        command: str,
        on_fail: OnFail,
        tree: Tree,
        check: Callable[[], None],
        say: Say,
    ) -> None:
        self._groups, self._command, self._on_fail, self._tree = groups, command, on_fail, tree
        self._check, self._say = check, say

    def result(self) -> Verified:
        run_id, passed = self._tried(self._groups)
        if passed:
            return Verified(True, run_id, self._groups)
        if self._on_fail is OnFail.keep:
            self._say("The changes were kept all the same.\n")
            return Verified(False, run_id, self._groups)
        if stuck := self._take_back(run_id):
            return Verified(False, run_id, self._groups, stuck=stuck)
        if self._on_fail is OnFail.bisect and (found := self._found()):
            return self._kept(found)
        return Verified(False, "", ())

    def _tried(self, groups: tuple[Group, ...]) -> tuple[str, bool]:
        """The run that wrote the groups, and whether the command passes with them."""
        run_id = self._tree.write(groups)
        try:
            self._say(f"verify: {self._command}\n")
            with self._tree.fence():
                ended = run(self._command, self._tree.root, self._check, shown=True)
        except BaseException:
            if self._on_fail is not OnFail.keep:
                self._take_back(run_id)
            raise
        self._say(f"verify: {ended.how} ({ended.seconds:.1f} s)\n")
        return run_id, ended.passed

    def _take_back(self, run_id: str) -> str:
        """Gives why that could not be done; "" when it was."""
        if run_id:
            try:
                self._tree.take_back(run_id)
            except NotBack as error:
                self._say(f"The files stay as they are: {error}\n")
                return str(error)
        self._say("All files were put back as they were.\n")
        return ""

    def _found(self) -> Found | None:
        self._say("Looking for the groups that it fails with, in a working tree of git apart:\n")
        tree = self._tree
        try:
            return bisect(self._groups, tree.needs, tree.contents, self._command, tree.root, self._check, self._say)
        except NothingToBlame as error:
            self._say(f"No group can be blamed: {error}.\n")
        except (GitError, OSError) as error:
            self._say(f"The search could not be made: {error}\n")
        return None

    def _kept(self, found: Found) -> Verified:
        """Write what passed, and see that it does so in the user's tree, too: that may hold more than git knows."""
        self._say(f"It fails with {len(found.left_out)} of {len(self._groups)} groups:\n")
        for one in found.left_out:
            self._say(f"  {one.group.id}\n    {one.why}\n")
        if not found.kept:
            return Verified(False, "", (), found.left_out)
        run_id, passed = self._tried(found.kept)
        if not passed:
            stuck = self._take_back(run_id)
            self._say("It fails here without these groups, too, although it passed in a fresh working tree of git.\n")
            groups = found.kept if stuck else ()
            return Verified(False, run_id if stuck else "", groups, found.left_out, stuck)
        return Verified(False, run_id, found.kept, found.left_out)
