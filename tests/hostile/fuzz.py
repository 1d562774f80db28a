"""`python -m hostile.fuzz --minutes N --seed S`: programs that nobody would write, until the time is up.

Each program is tried in a worker process; one that dies is a failure of the program that it was at, too. What breaks
the tool is made smaller, line by line, and left in `fuzz-failures/`. Exit code 1 when something did.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures import TimeoutError as TooLongError
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from hostile.programs import program
from hostile.verdict import wrong

FAILURES = Path(__file__).parents[2] / "fuzz-failures"
SECONDS = 60.0  # that one program may take


def judged(data: bytes) -> str:
    """`wrong` in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        return wrong(Path(folder), data)


class Worker:
    """A process that judges programs; a new one takes its place when it dies or hangs."""

    def __init__(self) -> None:
        self._pool = self._fresh()

    def judged(self, data: bytes) -> str:
        """As `judged`; also when that ends the process, or never ends."""
        try:
            return self._pool.submit(judged, data).result(SECONDS)
        except BrokenProcessPool:
            self._pool = self._fresh()
            return "ended the process"
        except TooLongError:
            for process in multiprocessing.active_children():
                process.kill()
            self._pool = self._fresh()
            return f"took longer than {SECONDS:.0f} seconds"

    @staticmethod
    def _fresh() -> ProcessPoolExecutor:
        return ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))


def kind_of(problem: str) -> str:
    """What problems of one cause have in common."""
    return problem.split(":")[0]


def smaller(data: bytes, fails: Callable[[bytes], bool], seconds: float = 120.0) -> bytes:
    """The fewest lines, found by leaving out ever smaller stretches, that still fail."""
    end = time.monotonic() + seconds
    lines = data.splitlines(keepends=True)
    size = len(lines) // 2
    while size:
        at = 0
        while at < len(lines) and time.monotonic() < end:
            fewer = lines[:at] + lines[at + size :]
            if fewer and fails(b"".join(fewer)):
                lines = fewer
            else:
                at += size
        size //= 2
    return b"".join(lines)


def kept(seed: int, data: bytes, problem: str, worker: Worker) -> Path:
    """The file in which a program that fails is left, made small."""
    kind = kind_of(problem)
    FAILURES.mkdir(exist_ok=True)
    path = FAILURES / f"seed-{seed}.py"
    path.write_bytes(smaller(data, lambda fewer: kind_of(worker.judged(fewer)) == kind))
    return path


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m hostile.fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=0, help="of the first program; the others follow")
    asked = parser.parse_args()
    end = time.monotonic() + asked.minutes * 60
    worker, seed, found = Worker(), asked.seed, dict[str, Path]()
    while time.monotonic() < end:
        data = program(seed)
        problem = worker.judged(data)
        if problem and kind_of(problem) not in found:
            found[kind_of(problem)] = kept(seed, data, problem, worker)
            print(f"seed {seed}: {problem}: {os.path.relpath(found[kind_of(problem)])}", flush=True)
        seed += 1
    print(f"{seed - asked.seed} programs, {len(found)} kinds of failure")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
