"""Runs a command that the user gave, in a shell: a test run, a formatter. Starts processes; what they touch is theirs.

The command gets a session of its own, so that whoever interrupts us does not interrupt it behind our back: `check` is
asked all the while, and when it raises, the command and all that it started in its session is ended first.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

_NOT_FOUND, _NOT_EXECUTABLE = 127, 126  # by what shells end with them
_GRACE = 5.0  # seconds in which an interrupted command may put its things in order
_TAIL = 16_384  # bytes of output that are kept
_FIRST_WORD = re.compile(r"\s*([\w./+-]+)")


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended. `output` is the end of what it said, "" when that was passed through."""

    code: int  # below zero: the number of the signal that ended it
    seconds: float
    output: str = ""

    @property
    def passed(self) -> bool:
        return self.code == 0

    @property
    def how(self) -> str:
        """`passed`, or `failed` and how."""
        if self.code == 0:
            return "passed"
        if self.code < 0:
            return f"failed, ended by {_signal_name(-self.code)}"
        words = {_NOT_FOUND: ": the shell found no such command", _NOT_EXECUTABLE: ": the shell could not run it"}
        return f"failed with exit code {self.code}{words.get(self.code, '')}"

    @property
    def last_line(self) -> str:
        """The last line of the output that holds something."""
        return next((line.strip() for line in reversed(self.output.splitlines()) if line.strip()), "")


def run(
    command: str,
    folder: Path,
    check: Callable[[], None],
    *,
    shown: bool,
    environment: Mapping[str, str] | None = None,
) -> Ended:
    """Run it in this folder, without input. `shown`: what it says goes to stderr as it comes; else it is kept.

    Raises what `check` raises, once the command has ended.
    """
    started = time.monotonic()
    with contextlib.ExitStack() as stack:
        kept = None if shown else stack.enter_context(tempfile.TemporaryFile())
        sys.stderr.flush()
        process = subprocess.Popen(
            command,
            shell=True,
            cwd=folder,
            env=None if environment is None else dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=_stderr() if kept is None else kept,
            stderr=None if kept is None else subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            while True:
                check()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    code = process.wait(0.1)
                    break
        except BaseException:
            _end(process)
            raise
        seconds = time.monotonic() - started
        return Ended(code, seconds, "" if kept is None else _tail(kept))


def located(command: str, root: Path, folder: Path) -> str:
    """The command for `folder` in the place of `root`: a program named by a path that only `root` has is taken there.

    `.venv/bin/pytest -q` is what people type; git knows nothing of `.venv`.
    """
    first = _FIRST_WORD.match(command)
    if first is None or "/" not in first[1] or first[1].startswith("/"):
        return command
    if (folder / first[1]).exists() or not (root / first[1]).exists():
        return command
    return shlex.quote(os.path.join(root, first[1])) + command[first.end() :]


def _stderr() -> int:
    try:
        return sys.stderr.fileno()
    except (OSError, ValueError):  # something that only looks like a stream stands in its place
        return 2


def _tail(kept: IO[bytes]) -> str:
    size = kept.seek(0, os.SEEK_END)
    kept.seek(max(size - _TAIL, 0))
    return kept.read().decode("utf-8", "replace")


def _end(process: subprocess.Popen[bytes]) -> None:
    """As Ctrl-C would, so that test runs clean up after themselves; then, for what does not listen, for good."""
    if sys.platform == "win32":
        process.kill()
        process.wait()
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
