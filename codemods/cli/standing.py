"""How a saved plan stands to the files, with all that is known of what was written: the plan's own runs, and those of
the run store that the plan was not told of. Only reads. What is heavy is imported inside the functions.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from codemods.cli.dry_run import warn_of_half_written
from codemods.cli.stopping import Stopped

if TYPE_CHECKING:
    from codemods.plan import Group
    from codemods.saved_plan import AppliedRun, Present, SavedPlan


def standing(plan: SavedPlan, root: Path) -> Present:
    """What of the plan is in the files now; also what a run wrote that was stopped before the plan knew of it."""
    from codemods import planned

    warn_of_half_written(root)
    return planned.present(plan, root, _kept(plan, root))


def _kept(plan: SavedPlan, root: Path) -> list[AppliedRun]:
    """The runs of the store that wrote groups of this plan, in the order in which they were made."""
    from codemods.apply.errors import RunError
    from codemods.apply.git import GitError
    from codemods.apply.run_store import State
    from codemods.apply.runs import listed
    from codemods.saved_plan import AppliedRun

    try:
        runs, _ = listed(root)
    except (GitError, RunError):  # who writes hears of it
        return []
    known = {group.id for group in plan.groups}
    found = [
        AppliedRun(run.id, tuple(group.id for group in run.groups if group.id in known))
        for run in reversed(runs)
        if run.state is State.DONE and not run.undoes
    ]
    return [run for run in found if run.groups]


def all_applied(plan: SavedPlan) -> str:
    """That nothing accepted is left to be written, in words; "" when nothing was ever accepted.

    `plan` holds the runs that are in the files.
    """
    from codemods.saved_plan import Verdict

    count = sum(plan.decision(group).verdict is Verdict.ACCEPTED for group in plan.included)
    if count and count == len(plan.included):
        return f"all {count} groups are applied" if count > 1 else "its one group is applied"
    return f"what is accepted is applied already, {count} of {len(plan.included)} groups" if count else ""


def check_needs(plan: SavedPlan) -> None:
    """Raises Stopped when a group is accepted, and one that it needs is not."""
    for group, needed in plan.unmet():
        verdict = plan.decision(needed).verdict
        raise Stopped(
            f"nothing was written: {group.id} is accepted, but needs {needed.id}, which is {verdict};"
            " accept that, too, or refuse this"
        )


def fresh(plan: SavedPlan, accepted: Sequence[Group], there: Present) -> tuple[list[Group], dict[str, str]]:
    """The accepted groups that can be written, and why each of the others cannot.

    `plan` holds the runs that are in the files. Raises Stopped for decisions that contradict each other.
    """
    from codemods import planned

    check_needs(plan)
    stale = {group.id: why for group in accepted if (why := there.reason(group))}
    others = [group for group in accepted if group.id not in stale]
    for path in planned.otherwise(plan, others):
        for group in others:
            if path in group.paths:
                why = f"{path}: this version of the program makes another change there than the plan was made with"
                stale.setdefault(group.id, why)
    needs = plan.needs_of(accepted)
    for group in accepted:
        for needed in sorted(needs[group.id] & stale.keys()):
            stale.setdefault(group.id, f"it needs {needed}: {stale[needed]}")
    return [group for group in accepted if group.id not in stale], stale
