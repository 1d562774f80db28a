"""Shows how far a run is, on stderr and only for a person. Loads rich only when there is something to show."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping

Progress = Callable[[str, int, int], None]


def wanted(is_terminal: bool, quiet: bool, environment: Mapping[str, str]) -> bool:
    """Whether somebody watches: a terminal, no `-q`, and no CI that only keeps a log."""
    return is_terminal and not quiet and not environment.get("CI") and environment.get("TERM") != "dumb"


def unseen(stage: str, done: int, total: int) -> None:
    """Progress that nobody watches."""


@contextlib.contextmanager
def bar() -> Iterator[Progress]:
    """A bar per stage that goes away at the end; yields the function to report (stage, done, total) to."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
    from rich.progress import Progress as Bars

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn())
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
        tasks = {}

        def report(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=total)
            bars.update(tasks[stage], completed=done, total=total)

        yield report
