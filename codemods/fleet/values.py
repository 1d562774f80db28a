"""The values of a fleet run: what a worker is asked, what it answers, what each repository came to. Touches nothing."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from codemods.plan import End, Failure, Level


class FleetError(Exception):
    """The run cannot begin. The text says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Options:
    """What is asked of every repository. `again` also does what is done; `timeout` is in seconds, for each."""

    level: Level = Level.REVIEW
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    extend_exclude: tuple[str, ...] = ()
    timeout: float | None = None
    again: bool = False


@dataclass(frozen=True, slots=True)
class Task:
    """One repository for a worker. `known` is the key of the result that is there already, "" when there is none."""

    name: str
    path: str
    options: Options
    known: str = ""
    apart: bool = False  # in a process of its own, whose death takes nobody along
    version: str = ""  # of the tool that asks


@dataclass(frozen=True, slots=True)
class Result:
    """What a repository came to. Two looks with equal keys find the same; "" is the key of what may come otherwise."""

    key: str
    tool_version: str
    root: str  # the project's folder, as the worker sees it
    base: str  # the folder in which `git apply` takes the patch
    files: int
    lines: int
    ends: Mapping[str, int]  # places looked at, by their end in the ledger
    safe: int  # places that the patch changes, by the level of their group
    review: int
    groups: int
    failures: tuple[Failure, ...]
    seconds: float

    @property
    def places(self) -> int:
        return sum(self.ends.values())

    @property
    def left_alone(self) -> int:
        return self.ends.get(End.REFUSED.value, 0)

    @property
    def found(self) -> bool:
        """Whether there is something for the patch or for a person."""
        return bool(self.safe or self.review or self.left_alone)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a worker says of a task: the result with the bytes of its files, that the one known still holds (`kept`), or
    why there is none."""

    result: Result | None = None
    plan: bytes = b""
    patch: bytes = b""
    kept: bool = False
    error: str = ""


Work = Callable[[Task], Answer]


class State(enum.StrEnum):
    """How a repository ended in a run."""

    DONE = "done"
    KEPT = "unchanged"  # done by an earlier run, and nothing has changed since
    FAILED = "failed"
    LEFT = "not looked at"  # the run was stopped before


@dataclass(frozen=True, slots=True)
class Outcome:
    """One repository at the end of a run. `message` says why there is no result, where there is none."""

    name: str
    path: str
    state: State
    result: Result | None = None
    message: str = ""

    @property
    def handled(self) -> bool:
        """Whether all of the repository was: none of its files, either, failed."""
        return self.result is not None and not self.result.failures


@dataclass(frozen=True, slots=True)
class Summary:
    """All repositories, in the order of the list."""

    outcomes: tuple[Outcome, ...]

    @property
    def whole(self) -> bool:
        return all(one.state is not State.LEFT for one in self.outcomes)

    @property
    def found(self) -> bool:
        return any(one.result is not None and one.result.found for one in self.outcomes)

    @property
    def handled(self) -> bool:
        return all(one.handled for one in self.outcomes)
