"""Starts the programs of the field trial: in a given folder, with nothing of the user's settings. Writes nothing."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

PATIENCE = 1800  # seconds until a run of the tool counts as hanging
DROPPED = ("GITHUB_ACTIONS", "FORCE_COLOR", "PYTHONPATH", "SESSION_CODEMODS_NO_CACHE")


def run(command: Sequence[str], folder: Path, home: Path | None = None) -> subprocess.CompletedProcess[bytes]:
    """Run a command in the folder; one that hangs is ended and counts as failed.

    `home`: what the tool keeps for its user, its cache and its history, goes below that folder.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    for name in DROPPED:
        environment.pop(name, None)
    environment |= {"NO_COLOR": "1", "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    if home is not None:
        environment |= {"XDG_CACHE_HOME": str(home / "cache"), "XDG_STATE_HOME": str(home / "state")}
    try:
        return subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=False, timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, -1, b"", f"no answer within {PATIENCE} s".encode())


def last_line(output: bytes) -> str:
    return (output.decode("utf-8", "replace").strip().splitlines() or ["nothing was said"])[-1]
