"""Tries one action with faults at its calls, each time in a process of its own, and prints what was wrong.

    python -m crashing.trials FOLDER ACTION WAY PER_KIND:FAULT ...

Of the calls of each kind PER_KIND are tried: see `points`.

Forks: so it wants a process with one thread, and is not run inside of the test suite's own.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from codemods.apply import companions
from codemods.apply.errors import NotPutBack, RunError, WriteRefused
from codemods.apply.recovery import TakenBack, recover
from codemods.apply.run_record import RunText
from codemods.apply.runs import listed, written
from codemods.apply.undo import undo
from crashing import points, project
from crashing.faults import ONLY_WRITES, Calls, Fault, Way

RETURNED, REFUSED, INTERRUPTED, CRASHED = range(4)


def silent(taken: TakenBack) -> None:
    """For those who do not listen."""


def apply(root: Path) -> None:
    written(root, project.CHANGES, what=RunText(), tell=silent)


def take_the_last_one_back(root: Path) -> None:
    undo(root, tell=silent)


def take_back(root: Path) -> None:
    recover(root, silent)


@dataclass(frozen=True, slots=True)
class Action:
    """What is tried. `prepare` makes a project that is ready for it."""

    prepare: Callable[[Path], None]
    run: Callable[[Path], None]
    may_end: bool  # as it is meant to: recovery alone always goes back to what was before the run


def applied(root: Path) -> None:
    project.make(root)
    apply(root)


def cut_off(root: Path) -> None:
    """An apply that died at its last moment: all is in place, nothing is cleaned."""
    project.make(root)
    calls = in_a_child(root, apply, Calls(), Way.EXCHANGE).made
    shutil.rmtree(root)
    shutil.rmtree(root.parent / "state")  # the key is made again, too
    project.make(root)
    last = min(number for number, call in enumerate(calls, 1) if call.startswith("rename") and "written.json" in call)
    assert in_a_child(root, apply, Calls(Fault.KILL, last), Way.EXCHANGE).how == -signal.SIGKILL


ACTIONS = {
    "apply": Action(project.make, apply, may_end=True),
    "undo": Action(applied, take_the_last_one_back, may_end=True),
    "recover": Action(cut_off, take_back, may_end=False),
}


@dataclass(frozen=True, slots=True)
class Ended:
    """How a child ended."""

    how: int  # one of the codes above, or minus the number of the signal that killed it
    said: str
    made: list[str]
    uncounted: list[str]


def in_a_child(root: Path, run: Callable[[Path], None], calls: Calls, way: Way) -> Ended:
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(reading)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        how, said = RETURNED, ""
        send = os.write
        try:
            calls.install(way)
            run(root)
        except (RunError, WriteRefused, NotPutBack) as error:
            how, said = REFUSED, f"{type(error).__name__}: {error}"
        except KeyboardInterrupt:
            how = INTERRUPTED
        except BaseException:
            how, said = CRASHED, traceback.format_exc()
        left = json.dumps([how, said, calls.made, calls.uncounted]).encode()
        while left:
            left = left[send(writing, left) :]
        os._exit(0)
    os.close(writing)
    with open(reading, "rb") as pipe:
        data = pipe.read()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return Ended(-os.WTERMSIG(status), "", [], [])
    return Ended(*json.loads(data))


def without_companions(files: project.Picture) -> dict[str, bytes]:
    return {name: data for name, data in project.contents(files).items() if not name.endswith(companions.MARK)}


class Trial:
    """One action in one folder, with one fault after another."""

    def __init__(self, folder: Path, action: Action, way: Way) -> None:
        self.here = folder / "here"  # the project and the user's state folder
        self.root = self.here / "project"
        self.ready = folder / "ready"  # the same, prepared, to be copied
        self.action = action
        self.way = way
        self.root.mkdir(parents=True)
        action.prepare(self.root)
        self.start = project.picture(self.root)
        self.here.rename(self.ready)
        self.seen: set[str] = set()  # how things looked when it was tried to go on from there
        self._prepare()
        self.calls = self._run(Calls())
        assert self.calls.how == RETURNED, self.calls.said
        self.end = project.picture(self.root)
        self.wrong: list[str] = []

    def _prepare(self) -> None:
        shutil.rmtree(self.here, ignore_errors=True)
        shutil.copytree(self.ready, self.here)

    def _run(self, calls: Calls) -> Ended:
        return in_a_child(self.root, self.action.run, calls, self.way)

    def with_fault(self, fault: Fault, per_kind: int) -> None:
        for number in points.some_of_each_kind(self.calls.made, per_kind):
            if fault in ONLY_WRITES and not self.calls.made[number - 1].startswith("write "):
                continue
            with self._noting(f"{fault} at call {number} ({self.calls.made[number - 1]})"):
                self._prepare()
                ended = self._run(Calls(fault, number))
                assert ended.how != CRASHED, ended.said
                if fault is Fault.KILL:
                    assert ended.how == -signal.SIGKILL
                self._judge(ended)

    @contextlib.contextmanager
    def _noting(self, what: str) -> Iterator[None]:
        try:
            yield
        except AssertionError as error:
            self.wrong.append(f"{what}: {traceback.extract_tb(error.__traceback__)[-1].line}: {error}")
        except Exception:
            self.wrong.append(f"{what}: {traceback.format_exc()}")

    def _judge(self, ended: Ended) -> None:
        root, start, end = self.root, project.contents(self.start), project.contents(self.end)
        now = project.picture(root)
        for name in {*start, *end}:
            data = now[name][2] if name in now else None
            is_a_taken_name = self.way is Way.NO_HARD_LINKS and data == b"" and (name not in start or name not in end)
            if self.action.may_end or name == "untouched.py":
                assert data in (start.get(name), end.get(name)) or is_a_taken_name, f"{name} is neither old nor new"
        if ended.how == RETURNED:
            assert without_companions(now) == end, "it said that all was done"
        elif ended.how == REFUSED:
            assert ended.said
            if not ended.said.startswith(("NotPutBack", "NotTakenBack")):
                assert without_companions(now) == without_companions(self.start), "it said that nothing was done"
                assert self.start.items() <= now.items(), "modes and times are as before"

        told: list[TakenBack] = []
        recover(root, told.append)
        now = project.picture(root)
        assert not [one for one in told if one.left or one.kept], "nobody else wrote here"
        assert not [name for name in now if name.endswith(companions.MARK)], "no companion is left"
        store = root / project.STORE
        litter = [path.name for path in store.glob(".*")] if store.exists() else []
        assert set(litter) <= {".gitignore"}, "nothing unfinished is in the store"
        if self.action.may_end:
            assert project.contents(now) in (start, end), "all old or all new"
            if project.contents(now) == start:
                assert now == self.start, "modes and times, too"
            if ended.how == RETURNED:
                assert project.contents(now) == end, "what was told as done stays"
        else:
            assert now == self.end, "it is as it was before the run"
        before = sorted((path, path.lstat().st_mtime_ns) for path in root.rglob("*"))
        recover(root, told.append)
        assert before == sorted((path, path.lstat().st_mtime_ns) for path in root.rglob("*")), "nothing is left to do"
        self._there_and_back()

    def _there_and_back(self) -> None:
        """Whatever happened: from here the run can be made, and undone to the byte, the mode and the time."""
        root = self.root
        made = project.picture(root)
        if self._was_seen(made):
            return
        if project.contents(made)["app/part0.py"].startswith(b"# changed"):
            undo(root, tell=silent)
        original = project.picture(root)
        apply(root)
        undo(root, tell=silent)
        assert project.picture(root) == original, "undone to the byte, the mode and the time"
        fresh = self.here.with_name("fresh")
        if not fresh.exists():
            project.make(fresh)
        assert original == project.picture(fresh), "as it was made"
        assert all(run.state != "writing" for run in listed(root)[0])

    def _was_seen(self, made: project.Picture) -> bool:
        """Whether the files and the runs looked like this before, but for names and times that are new each time."""
        runs = [(run.state, bool(run.undoes)) for run in listed(self.root)[0]]
        store = sorted(path.name for path in self.root.glob(f"{project.STORE}/*") if path.is_file())
        files = sorted((name, mode, data) for name, (mode, _, data) in made.items())
        looks = repr((runs, store, files))
        was_seen = looks in self.seen
        self.seen.add(looks)
        return was_seen

    def with_saves(self, path: str, per_kind: int, by_rename: bool, then_killed: bool) -> None:
        """Somebody saves this file before calls of each kind, and before all that have to do with it."""
        mine = b"saved by somebody\n"
        place = self.root / path

        def save() -> None:
            # what an editor does, past what is counted
            if by_rename:
                temporary = self.root / "editor.tmp"
                write_plainly(temporary, mine)
                real_replace(temporary, place)
            else:
                write_plainly(place, mine)

        made = self.calls.made
        for number in sorted({*points.some_of_each_kind(made, per_kind), *points.around(made, path)}):
            with self._noting(f"{path} is saved at call {number} ({self.calls.made[number - 1]})"):
                self._prepare()
                fault = Fault.KILL if then_killed else Fault.NONE
                ended = self._run(Calls(fault, number + 1, {number: save}))
                assert ended.how != CRASHED, ended.said
                told: list[TakenBack] = []
                recover(self.root, told.append)
                now = project.contents(project.picture(self.root))
                kept = {name for one in told for name in one.kept}
                if then_killed and now.get(path) != mine:
                    assert [now[name] for name in kept] == [mine], f"{path} holds {now.get(path)!r}, kept: {kept}"
                else:
                    assert now.get(path) == mine, f"{path} holds {now.get(path)!r}"
                others = {name: data for name, data in now.items() if name != path and name not in kept}
                start, end = project.contents(self.start), project.contents(self.end)
                assert others in (
                    {name: data for name, data in start.items() if name != path},
                    {name: data for name, data in end.items() if name != path},
                ), "the others are all old or all new"


real_open, real_write, real_replace = os.open, os.write, os.replace


def write_plainly(place: Path, data: bytes) -> None:
    handle = real_open(place, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    real_write(handle, data)
    os.close(handle)


def main(arguments: Sequence[str]) -> None:
    folder, action, way, *faults = arguments
    os.fsync = lambda fd: None  # nobody cuts the power here
    os.environ["XDG_STATE_HOME"] = str(Path(folder) / "here/state")
    trial = Trial(Path(folder), ACTIONS[action], Way(way))
    for fault in faults:
        count, _, what = fault.partition(":")
        if what.startswith("saved"):
            for path in (project.REPLACED[0], project.REPLACED[-1], *project.MADE[:1]):
                elsewhere = int(count) if path == project.REPLACED[0] else 0
                trial.with_saves(path, elsewhere, by_rename="rename" in what, then_killed="kill" in what)
        else:
            trial.with_fault(Fault(what), int(count))
    print(
        json.dumps(
            {
                "calls": len(trial.calls.made),
                "made": trial.calls.made,
                "uncounted": trial.calls.uncounted,
                "wrong": trial.wrong,
            }
        )
    )


if __name__ == "__main__":
    main(sys.argv[1:])
