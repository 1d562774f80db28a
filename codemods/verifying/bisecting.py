"""Finds the groups that a command fails with, by running it in a working tree apart with some of them at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from codemods.batches import Contents, Needs
from codemods.git_environment import without_git
from codemods.plan import Group
from codemods.planned import ComposeError
from codemods.user_command import Ended, located, run
from codemods.verifying.culprits import FailsAnyway, culprits
from codemods.verifying.worktree import Worktree, worktree

Say = Callable[[str], None]

_TOLD = 20  # lines of a command's output
_NOT_REPEATABLE = (
    "the command does not end the same way each time, it is not repeatable: it failed and passed with the same groups"
)


class NothingToBlame(Exception):
    """No group can be named; the text says why."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A group that the command fails with; `why` is the last line that it said then, or how it ended. Or one that needs
    such a group; `why` says so."""

    group: Group
    why: str


@dataclass(frozen=True, slots=True)
class Found:
    """The command passes with those that are kept, and fails with them and any one of those left out, but for those
    that need another one of these."""

    kept: tuple[Group, ...]
    left_out: tuple[LeftOut, ...]


def bisect(
    groups: Sequence[Group],
    needs: Needs,
    contents: Contents,
    command: str,
    root: Path,
    check: Callable[[], None],
    say: Say,
) -> Found:
    """Find the groups to leave out. Every run is told; what the command says is not, but for the end of it when it
    fails without any group.

    No group is tried without those that it needs. Groups that cannot be composed together count as failing. The command
    has to fail twice with all groups, twice with each one left out, and to pass twice with those that are kept: one
    that does not end the same way each time would have anybody blamed. Raises NothingToBlame, GitError, OSError, and
    what `check` raises.
    """
    at = {group.id: position for position, group in enumerate(groups)}
    needed = {at[group.id]: [at[one] for one in needs.get(group.id, ()) if one in at] for group in groups}
    with worktree(root) as tree:
        trial = _Trial(tree, len(groups), contents, located(command, root, tree.root), check, say)

        def passes(some: Sequence[Group]) -> bool:
            passed = trial.run(some).passed
            if len(some) == len(groups) and not passed and trial.run(some).passed:
                raise NothingToBlame(_NOT_REPEATABLE)
            return passed

        try:
            kept, out = culprits(groups, passes, needed)
        except FailsAnyway as error:
            say(_quoted(trial.last.output))
            raise NothingToBlame(
                f"the command fails without any change, too, in a fresh working tree of git ({trial.last.how});"
                " perhaps it needs files that git does not track"
            ) from error
        if not out:
            raise NothingToBlame(
                "the command passes with all groups in a fresh working tree of git; it does not end the same way each"
                " time, or looks at other files than those of the folder that it runs in"
            )
        if not trial.run(kept).passed:  # the search saw it pass with just these
            raise NothingToBlame(_NOT_REPEATABLE)
        found = []
        gone = {group.id for group in out}
        for one in out:
            if lacking := sorted(gone.intersection(needs.get(one.id, ()))):
                found.append(LeftOut(one, f"it needs {lacking[0]}, which is left out"))
                continue
            chosen = {group.id for group in (*kept, one)}
            ended = trial.run([group for group in groups if group.id in chosen])
            if ended.passed:  # the search saw it fail with just these
                raise NothingToBlame(_NOT_REPEATABLE)
            found.append(LeftOut(one, ended.last_line or ended.how))
    return Found(kept, tuple(found))


class _Trial:
    """Runs the command with some of the groups, and counts."""

    def __init__(
        self, tree: Worktree, count: int, contents: Contents, command: str, check: Callable[[], None], say: Say
    ) -> None:
        self._tree, self._count, self._contents, self._command = tree, count, contents, command
        self._check, self._say = check, say
        self._environment = without_git()
        self._runs = 0
        self.last = Ended(0, 0.0)

    def run(self, some: Sequence[Group]) -> Ended:
        self._runs += 1
        self._say(f"run {self._runs}: {len(some)} of {self._count} groups ... ")
        self._check()
        try:
            self._tree.hold(self._contents(some))
        except ComposeError as error:
            self._say(f"cannot be made: {error}\n")
            self.last = Ended(1, 0.0, f"cannot be made together: {error}")
            return self.last
        self.last = run(self._command, self._tree.root, self._check, shown=False, environment=self._environment)
        self._say(f"{'passes' if self.last.passed else 'fails'} ({self.last.seconds:.1f} s)\n")
        return self.last


def _quoted(output: str) -> str:
    return "".join(f"  | {line}\n" for line in output.splitlines()[-_TOLD:])
