"""Runs the commands in rounds, so that all of them meet the same machine: each round has every command on every tree.

Starts the commands, one at a time, through `stopwatch`, and writes what they print into a scratch folder.
"""

from __future__ import annotations

import contextlib
import math
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.figures import Edits, Run
from benchmarks.tools import Command, Program, Toolbox
from benchmarks.trees import Tree

STOPWATCH = Path(__file__).with_name("stopwatch.py")
PATIENCE = 900  # seconds until a run counts as hanging
UNIT = 1 if sys.platform == "darwin" else 1024  # of the peak memory as the system counts it
# set by the machine that runs the benchmark, and would change what is measured
DROPPED = ("SESSION_CODEMODS_NO_CACHE", "PYTHONPATH", "RUFF_CACHE_DIR", "RIPGREP_CONFIG_PATH", "FORCE_COLOR")


class Failed(Exception):
    """A run did not do its work: the text says which and why."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much is run: rounds for all commands, and for the slow ones.

    After the first round, nothing is begun on a tree that would, by what it took there before, or what as many lines of
    the tree before it took, end later than `seconds` after the beginning.
    """

    rounds: int
    slow_rounds: int
    seconds: float = math.inf


@dataclass(slots=True)
class Results:
    """What came of all rounds: runs that only start a program, by its name; runs by tree and command; what failed."""

    starts: dict[str, list[Run]] = field(default_factory=dict)
    runs: dict[str, dict[str, list[Run]]] = field(default_factory=dict)
    failures: dict[tuple[str, str], str] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)  # rounds for which there was no time
    edits: dict[str, list[Edits]] = field(default_factory=dict)  # by tree


def measured(
    trees: Sequence[Tree], toolbox: Toolbox, size: Size, scratch: Path, tell: Callable[[str], None]
) -> Results:
    """All rounds. A command that fails on a tree is said in `failures`, and has no runs on it; the others go on."""
    starters = (*toolbox.programs, *toolbox.beside)
    results = Results({program.name: [] for program in starters}, {tree.name: {} for tree in trees})
    clock = _Clock(size.seconds)
    for program in starters:  # once beforehand: no run pays for bytecode that is not there yet
        _start(program, scratch)
    for number in range(size.rounds):
        tell(f"round {number + 1} of {size.rounds} ...")
        for program in starters:
            results.starts[program.name].append(_start(program, scratch))
        for tree in trees:
            if tree.rounds is not None and number < size.rounds - tree.rounds:
                continue
            if number and not clock.has_time_for(tree):
                results.skipped.append(f"{tree.name} in round {number + 1}: there was no time for it")
                tell(results.skipped[-1])
                continue
            with clock.running(tree):
                _round(number, tree, toolbox, size, scratch, results, tell)
    for tree_name, command_name in results.failures:
        results.runs[tree_name].pop(command_name, None)
    return results


def _round(
    number: int, tree: Tree, toolbox: Toolbox, size: Size, scratch: Path, results: Results, tell: Callable[[str], None]
) -> None:
    """All commands on one tree, once; before the first time, its caches are filled."""
    tell(f"  {tree.name}: {tree.files:,} files, {tree.lines:,} lines")
    if not results.runs[tree.name]:
        for command in toolbox.commands:
            if command.cached:
                _attempt(command, tree, scratch, results)
    for command in turned(toolbox.commands, number):
        if command.slow and (not tree.slow or number >= size.slow_rounds):
            continue
        if took := _attempt(command, tree, scratch, results):
            results.runs[tree.name].setdefault(command.name, []).append(took)
    if toolbox.edits and tree.slow and number < size.slow_rounds:
        _edits(toolbox.edits, tree, scratch, results)


class _Clock:
    """How much time is left, and what a tree takes of it."""

    def __init__(self, seconds: float) -> None:
        self.end = time.monotonic() + seconds
        self._took: dict[str, float] = {}
        self._of_a_line = 0.0

    def has_time_for(self, tree: Tree) -> bool:
        expected = self._took.get(tree.name, 2 * self._of_a_line * tree.lines)  # twice: its caches have to be filled
        return time.monotonic() + expected <= self.end

    @contextlib.contextmanager
    def running(self, tree: Tree) -> Iterator[None]:
        began = time.monotonic()
        yield
        self._took[tree.name] = time.monotonic() - began
        self._of_a_line = self._took[tree.name] / max(1, tree.lines)


def turned(commands: Sequence[Command], number: int) -> Sequence[Command]:
    """The commands in the order of this round: each begins with another one, so that none always follows the same."""
    first = number % len(commands) if commands else 0
    return (*commands[first:], *commands[:first])


def version(program: Program, scratch: Path) -> str:
    """The first line that the program prints of its version. Raises Failed."""
    _start(program, scratch)
    return (scratch / "output").read_text(encoding="utf-8", errors="replace").strip().partition("\n")[0]


def run(words: Sequence[str], folder: Path, environment: Mapping[str, str], output: Path) -> tuple[int, Run]:
    """One run in `folder`: its exit code, and what it took. What it prints goes to `output`. Raises Failed.

    Not to be had on Windows, which does not tell what a child took.
    """
    inherited = {name: value for name, value in os.environ.items() if name not in DROPPED}
    stopwatch = subprocess.Popen(
        [sys.executable, "-I", "-S", str(STOPWATCH), str(output), *words],
        cwd=folder,
        env=inherited | {"NO_COLOR": "1"} | dict(environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        told, problem = stopwatch.communicate(timeout=PATIENCE)
    except BaseException as error:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(stopwatch.pid, signal.SIGKILL)
        stopwatch.communicate()
        if isinstance(error, subprocess.TimeoutExpired):
            raise Failed(f"{words[0]} did not end within {PATIENCE} s") from error
        raise
    if stopwatch.returncode != 0:
        raise Failed(f"{words[0]} cannot be started: {problem.strip()[-400:]}")
    code, wall, cpu, memory = told.split()
    return int(code), Run(float(wall), float(cpu), int(memory) * UNIT)


def _start(program: Program, scratch: Path) -> Run:
    code, took = run(program.version, scratch, {}, scratch / "output")
    if code != 0:
        raise Failed(f"{program.name}: {' '.join(program.version)} ended with exit code {code}")
    return took


def _attempt(command: Command, tree: Tree, scratch: Path, results: Results) -> Run | None:
    """One run of the command on the tree, unless it has failed there before; a failure goes to the results."""
    key = (tree.name, command.name)
    if key in results.failures:
        return None
    output = scratch / "output"
    try:
        code, took = run(command.words, tree.folder, command.environment, output)
    except Failed as failed:
        results.failures[key] = str(failed)
        return None
    printed = output.read_text(encoding="utf-8", errors="replace")
    if code not in command.accepted or command.proof not in printed:
        last = (printed.strip().splitlines() or ["nothing printed"])[-1]
        results.failures[key] = f"exit code {code}: {last[:200]}"
        return None
    return took


def _edits(command: Sequence[str], tree: Tree, scratch: Path, results: Results) -> None:
    """What making the edits takes on the tree; that it could not be told goes to the failures."""
    output = scratch / "output"
    try:
        code, _ = run(command, tree.folder, {}, output)
        printed = output.read_text(encoding="utf-8", errors="replace")
        told = re.search(r"^(\d+) edits, (\S+) seconds", printed, re.MULTILINE)
        if code != 0 or told is None:
            raise Failed((printed.strip().splitlines() or ["nothing printed"])[-1][:200])
    except Failed as failed:
        results.failures[tree.name, "the cost of edits"] = str(failed)
        return
    results.edits.setdefault(tree.name, []).append(Edits(int(told[1]), float(told[2])))
