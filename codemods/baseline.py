"""What was found before: in a report that was kept, or in an earlier revision. Only what is new then counts.

Reads the report, or asks git for the files of a revision, which are put into a temporary folder. Writes nothing else.
"""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import tarfile
import tempfile
from dataclasses import replace
from pathlib import Path

from codemods import engine
from codemods.engine import NoPythonFiles, RunRequest
from codemods.plan import Plan


class BaselineError(Exception):
    """There is nothing to compare with. The text says why, and what to do."""


def keys(plan: Plan) -> frozenset[str]:
    """The keys of all that `check` tells: what would be changed at the plan's level, and what is left alone."""
    made = {finding.key for group in plan.included for finding in group.findings}
    return frozenset(made | {entry.key for entry in plan.refused if entry.key})


def of_report(path: Path) -> frozenset[str]:
    """The keys in a report of `check --output-format json`. Raises BaselineError."""
    try:
        content = json.loads(path.read_bytes())
        found = [finding["key"] for finding in content["findings"]]
    except OSError as error:
        raise BaselineError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        advice = "`check --output-format json -o FILE` makes one"
        raise BaselineError(f"{path}: no report of check; {advice}") from error
    return frozenset(key for key in found if isinstance(key, str))


def of_revision(revision: str, request: RunRequest) -> frozenset[str]:
    """The keys of what the same check finds in the project at `revision`, under the present settings.

    Raises BaselineError when git does not know the revision or is not there.
    """
    data = _archive(revision, request.root)
    with tempfile.TemporaryDirectory(prefix="session-codemods-") as temporary:
        root = Path(temporary).resolve() / "project"
        root.mkdir()
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            if hasattr(tarfile, "data_filter"):  # since Python 3.11.4; git writes nothing that it would refuse
                archive.extractall(root, filter="data")
            else:
                archive.extractall(root)
        relative = [path.resolve().relative_to(request.root) for path in request.paths]
        paths = tuple(root / path for path in relative if (root / path).exists())
        if relative and not paths:
            return frozenset()
        try:
            # what git ignores is not in the archive
            return keys(engine.run(replace(request, root=root, paths=paths)))
        except NoPythonFiles:
            return frozenset()


def _archive(revision: str, root: Path) -> bytes:
    git = shutil.which("git")
    if git is None:
        raise BaselineError("--since needs git, which is not there")
    if revision.startswith("-"):
        raise BaselineError(f"--since: {revision!r} is no revision")
    command = [git, "-C", str(root), "archive", "--format=tar", revision]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode != 0:
        told = done.stderr.decode("utf-8", "replace").strip().removeprefix("fatal: ")
        raise BaselineError(f"--since: git cannot give the files of {revision!r}: {told}")
    return done.stdout
