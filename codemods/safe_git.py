"""Asks git about a project that may be a stranger's.

Starts git, made unable to write, to run a program of the repository, or to fetch; touches nothing itself.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from codemods import asked

# What would make git look at another repository than the one it stands in; a hook sets them.
_PLACES = frozenset(
    f"GIT_{name}"
    for name in (
        *("DIR", "WORK_TREE", "INDEX_FILE", "COMMON_DIR", "OBJECT_DIRECTORY", "ALTERNATE_OBJECT_DIRECTORIES"),
        *("PREFIX", "NAMESPACE", "INTERNAL_SUPER_PREFIX", "LITERAL_PATHSPECS", "GLOB_PATHSPECS", "ICASE_PATHSPECS"),
    )
)


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
    environment = {name: value for name, value in os.environ.items() if name not in _PLACES}
    environment |= {"GIT_OPTIONAL_LOCKS": "0", "GIT_NO_LAZY_FETCH": "1", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    command = [program, "-c", "core.fsmonitor=", "-c", "core.hooksPath=/dev/null", *arguments]
    pipe = subprocess.PIPE
    try:
        return subprocess.Popen(
            command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe
        )
    except OSError:
        return None


def answer(running: subprocess.Popen[bytes]) -> subprocess.CompletedProcess[bytes]:
    """What it says at last."""
    with running:
        try:
            out, err = running.communicate()
        except BaseException:
            running.kill()
            raise
    return subprocess.CompletedProcess(running.args, running.returncode, out, err)
