"""The application twice: as it is, and with the patch of the tool's own command. Writes below a given folder."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from proof.server import ProofError

LEGACY = Path(__file__).parent.parent.parent / "fixtures" / "legacy_app"
LEVEL = "review"
PATIENCE = 300  # seconds for the tool


@dataclass(frozen=True, slots=True)
class LeftAlone:
    """A place that the tool reports and does not change."""

    place: str
    function: str
    rule: str
    reason: str


@dataclass(frozen=True, slots=True)
class Applications:
    """The folders of both, and what the tool said of the way from one to the other."""

    before: Path
    after: Path
    groups: int
    files: int
    left_alone: tuple[LeftAlone, ...]


def prepared(folder: Path) -> Applications:
    """Copies the application twice and migrates the second copy. Raises ProofError when the tool does not do it."""
    before, after = folder / "before", folder / "after"
    for copy in (before, after):
        shutil.copytree(LEGACY, copy, ignore=shutil.ignore_patterns("__pycache__", "*.db", ".*"))
    command = shutil.which("session-codemods", path=str(Path(sys.executable).parent))
    if command is None:
        raise ProofError(f"session-codemods is not installed for {sys.executable}")
    options = ("--level", LEVEL, "--allow-no-vcs", "--output-format", "json")
    done = subprocess.run(
        [command, "apply", *options, "."], cwd=after, capture_output=True, text=True, check=False, timeout=PATIENCE
    )
    if done.returncode != 0:
        raise ProofError(f"session-codemods apply ended with exit code {done.returncode}: {done.stderr.strip()}")
    report = json.loads(done.stdout)
    manual = [one for one in report["findings"] if one["level"] == "manual"]
    return Applications(
        before,
        after,
        groups=len({one["group"] for one in report["findings"] if one["group"] is not None}),
        files=len(report["changes"]),
        left_alone=tuple(
            LeftAlone(f"{one['path']}:{one['line']}", one["function"], one["rule"], one["reason"]) for one in manual
        ),
    )
