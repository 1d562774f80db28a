"""What has become of runs: an `undo` is a run, too, and says of another one that it is undone. Touches nothing."""

from __future__ import annotations

from collections.abc import Sequence

from codemods.apply.run_store import Run, State


def states(runs: Sequence[Run], and_then_undone: str = "") -> dict[str, State]:
    """By id, for runs in the order in which they were made: `writing`, `done` or `undone`.

    `and_then_undone`: as it will be when the run of this id is undone, too.
    """
    found: dict[str, State] = {}
    taken_back = {and_then_undone}
    for run in reversed(runs):
        state = State.DONE if run.state is State.WRITTEN else run.state
        if state is State.DONE and run.id in taken_back:
            state = State.UNDONE
        if state is State.DONE and run.record.undoes:
            taken_back.add(run.record.undoes)
        found[run.id] = state
    return found
