"""Hands the repositories to an executor and keeps what comes back, one by one. One bad repository stops nothing.

Writes through `results` alone. A worker that dies takes others' tasks along: all that were handed out with it are done
once more, each in a process of its own, and the one that dies again is the guilty one.
"""

from __future__ import annotations

import contextlib
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from dataclasses import dataclass, replace
from pathlib import Path

import codemods
from codemods.fleet.apart import handled
from codemods.fleet.local import Local, Pool
from codemods.fleet.look import look
from codemods.fleet.names import names
from codemods.fleet.results import RESERVED, NotWritten, Results, opened
from codemods.fleet.values import Answer, Options, Outcome, State, Summary, Task, Work

Told = Callable[[Outcome, int, int], None]


def run(
    repositories: Iterable[str | os.PathLike[str]],
    folder: Path,
    options: Options,
    executor: Executor | Local,
    *,
    told: Told | None = None,
    work: Work = look,
) -> Summary:
    """The dry run of all these checkouts, written into `folder`; one that is named twice is done once.

    The executor's workers must see the checkouts under the same absolute paths, and hold this version of the tool; it
    is not shut down. A `Local` makes its own, and makes it anew when it breaks. `told` hears of each repository as it
    is finished, with how many are and how many there are. `work` is what is done with each; it must be importable.

    Raises FleetError when the run cannot begin, and SettingsError for options that no repository could obey. Whatever
    else happens, and on Ctrl-C, the results that are there are whole, and so is the summary.
    """
    from codemods.fleet.look import check

    check(options)
    paths = tuple(dict.fromkeys(os.path.realpath(path) for path in repositories))
    named = tuple(zip(names(paths, RESERVED), paths, strict=True))
    with opened(folder, named) as results:
        fleet = _Fleet(results, options, named, told or (lambda outcome, done, total: None))
        try:
            with _crew(executor) as crew:
                fleet.work_through(crew, work)
        finally:
            summary = fleet.summary()
            results.put_summary(summary, options)
    return summary


class _Crew:
    """The executor, and what to do when it breaks."""

    def __init__(self, executor: Executor | Local) -> None:
        self.local = executor if isinstance(executor, Local) else None
        self.executor = executor.make() if isinstance(executor, Local) else executor

    @property
    def window(self) -> float:
        return self.local.window if self.local is not None else float("inf")

    def renew(self, broken: Executor) -> None:
        """Another executor in the place of this one, if nobody has done so yet and it is ours."""
        if self.local is not None and broken is self.executor:
            self.stop()
            self.executor = self.local.make()

    def stop(self) -> None:
        """End what is ours at once, whatever it does."""
        if isinstance(self.executor, Pool) and self.local is not None:
            self.executor.stop()


@contextlib.contextmanager
def _crew(executor: Executor | Local) -> Iterator[_Crew]:
    crew = _Crew(executor)
    try:
        yield crew
    except BaseException:  # nobody waits for what it does
        crew.stop()
        raise
    if crew.local is not None:
        crew.executor.shutdown()


@dataclass(frozen=True, slots=True)
class _Handed:
    """A task that was handed out, and to whom."""

    task: Task
    executor: Executor


class _Fleet:
    """What of the list is done, and what waits."""

    def __init__(self, results: Results, options: Options, named: Sequence[tuple[str, str]], told: Told) -> None:
        self._results = results
        self._told = told
        self._options = options
        self._outcomes = {name: Outcome(name, path, State.LEFT) for name, path in named}
        self._waiting: deque[str] = deque(self._outcomes)
        self._suspects: deque[Task] = deque()
        self._done = 0

    def summary(self) -> Summary:
        return Summary(tuple(self._outcomes.values()))

    def work_through(self, crew: _Crew, work: Work) -> None:
        running: dict[Future[Answer], _Handed] = {}
        try:
            while True:
                while len(running) < crew.window and (task := self._next(running.values())) is not None:
                    executor = crew.executor
                    try:
                        future = executor.submit(handled, work, task)
                    except BrokenExecutor as error:
                        self._broken(task, error, executor, crew)
                        continue
                    running[future] = _Handed(task, executor)
                if not running:
                    return
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    self._collect(future, running.pop(future), crew)
        finally:
            for future in running:
                future.cancel()

    def _next(self, running: Iterable[_Handed]) -> Task | None:
        """The next task; what can be told without a worker is told on the way.

        Suspects come first, and nobody else as long as one is at work: another death would fall on them again.
        """
        if self._suspects:
            return self._suspects.popleft()
        if any(handed.task.apart for handed in running):
            return None
        while self._waiting:
            name = self._waiting.popleft()
            try:
                self._results.check(name)
            except NotWritten as error:
                self._failed(name, str(error))
                continue
            known = None if self._options.again else self._results.known(name)
            key = known.key if known is not None else ""
            return Task(name, self._outcomes[name].path, self._options, key, version=codemods.__version__)
        return None

    def _collect(self, future: Future[Answer], handed: _Handed, crew: _Crew) -> None:
        task = handed.task
        try:
            answer = future.result()
        except Exception as error:  # the worker's: `look` itself raises nothing
            self._broken(task, error, handed.executor, crew)
            return
        if answer.kept and (known := self._results.known(task.name)) is not None:
            self._ended(replace(self._outcomes[task.name], state=State.KEPT, result=known))
        elif answer.result is None:
            self._failed(task.name, answer.error or "its result was changed meanwhile; run again")
        else:
            done = replace(self._outcomes[task.name], state=State.DONE, result=answer.result)
            try:
                self._results.put(task.name, answer.result, answer.plan, answer.patch)
            except NotWritten as error:
                self._failed(task.name, str(error))
            except KeyboardInterrupt:
                if self._results.known(task.name) == answer.result:  # the stop came behind the last of its files
                    self._outcomes[task.name] = done
                raise
            else:
                self._ended(done)

    def _broken(self, task: Task, error: Exception, executor: Executor, crew: _Crew) -> None:
        """A worker died, or something else came between: who was there is done once more, apart from all others."""
        is_broken = isinstance(error, BrokenExecutor)
        if is_broken:
            crew.renew(executor)
        if task.apart or (is_broken and executor is crew.executor):  # an executor that is not ours stays broken
            self._failed(task.name, f"no worker could look at it: {type(error).__name__}: {error}")
        else:
            self._suspects.append(replace(task, apart=True))

    def _failed(self, name: str, why: str) -> None:
        left = "; the result of an earlier run is still there" if self._results.known(name) is not None else ""
        self._ended(replace(self._outcomes[name], state=State.FAILED, message=f"{why}{left}"))

    def _ended(self, outcome: Outcome) -> None:
        self._outcomes[outcome.name] = outcome
        self._done += 1
        self._told(outcome, self._done, len(self._outcomes))
