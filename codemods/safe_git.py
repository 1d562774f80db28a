"""Asks git about a project that may be a stranger's.

Starts git, made unable to write, to run a program of the repository, or to fetch; touches nothing itself.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from codemods import asked
from codemods.git_environment import without_git

SECONDS = 60.0
"""A .gitignore can have patterns (`**/a/**/a/**/a/b`) on which git ponders for years."""


def ask(folder: Path, *arguments: str) -> subprocess.CompletedProcess[bytes] | None:
    """What git answers in `folder`; None when it cannot be run."""
    asked.command(folder, *arguments)
    running = start(str(folder), *arguments)
    return None if running is None else answer(running)


def start(folder: str, *arguments: str) -> subprocess.Popen[bytes] | None:
    """git at work; None when it cannot be run."""
    program = shutil.which("git")
    if program is None or not os.path.isabs(program):
        return None
    environment = without_git() | {
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "LC_ALL": "C",
    }
    command = [program, "-c", "core.fsmonitor=", "-c", "core.hooksPath=/dev/null", *arguments]
    pipe = subprocess.PIPE
    try:
        return subprocess.Popen(
            command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe
        )
    except OSError:
        return None


def answer(running: subprocess.Popen[bytes]) -> subprocess.CompletedProcess[bytes]:
    """What it says at last; a negative return code when it takes longer than SECONDS."""
    with running:
        try:
            out, err = running.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            running.kill()
            out, err = b"", b""
        except BaseException:
            running.kill()
            raise
    return subprocess.CompletedProcess(running.args, running.returncode, out, err)
