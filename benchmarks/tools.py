"""What is measured: the commands, and where they are found. Looks for programs and starts none.

Every command runs in the root of the tree, on all of it. Caches go to a folder for the purpose and never to the user's.
"""

from __future__ import annotations

import importlib.util
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

REPOSITORY = Path(__file__).parent.parent
OURS = "session-codemods"
COLD, CACHED = "session-codemods diff", "session-codemods diff, cached"
RUFF, RUFF_CACHED = "ruff F401", "ruff F401, cached"
RIPGREP = "ripgrep"
LIBCST = "libcst no-op codemod"
CODEMODDER = "codemodder, one codemod"
PYTHON, TYPER = "python -c pass", "python -c 'import typer'"
JOBS = 2
EDITS = (sys.executable, "-P", str(Path(__file__).with_name("edits.py")))


@dataclass(frozen=True, slots=True)
class Program:
    """A program that is there, and how it is only started: `version` does that, and prints which one it is."""

    name: str
    version: Sequence[str]


@dataclass(frozen=True, slots=True)
class Command:
    """One way to run a program over a tree. `proof` is text that it prints when it has really been over the tree."""

    name: str
    program: str
    words: Sequence[str]
    accepted: frozenset[int] = frozenset({0})  # exit codes of a run that did its work
    proof: str = ""
    cached: bool = False  # runs once before it is measured
    slow: bool = False  # runs on few trees, in few rounds
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Toolbox:
    """What there is to measure; `missing` says of every program that is not there how it would be.

    `beside` are only started, to be compared with how ours starts. `edits` tells what making the edits takes, where
    slow commands run; () for not at all.
    """

    programs: Sequence[Program]
    commands: Sequence[Command]
    missing: Sequence[str]
    beside: Sequence[Program] = ()
    edits: Sequence[str] = ()


class NothingToMeasure(Exception):
    """The tool itself is not installed beside this Python."""


def found(scratch: Path) -> Toolbox:
    """The programs of this machine and their commands, which keep caches in `scratch`. Raises NothingToMeasure."""
    ours = _beside_python(OURS)
    if ours is None:
        raise NothingToMeasure(f"{OURS} is not installed for {sys.executable}")
    programs = [Program(OURS, (ours, "--version"))]
    commands = list(_ours(ours, scratch))
    missing = []

    if ruff := _beside_python("ruff") or shutil.which("ruff"):
        programs.append(Program("ruff", (ruff, "--version")))
        commands += _ruff(ruff, scratch)
    else:
        missing.append("ruff is not installed")
    if ripgrep := _beside_python("rg") or shutil.which("rg"):
        programs.append(Program("ripgrep", (ripgrep, "--version")))
        commands.append(
            Command(RIPGREP, "ripgrep", (ripgrep, "-l", "-t", "py", "AsyncSession", "."), frozenset({0, 1}))
        )
    else:
        missing.append("ripgrep (`rg`) is not on the PATH")
    if importlib.util.find_spec("libcst") is not None:
        runner = (sys.executable, "-m", "libcst.tool")
        programs.append(Program("libcst", (*runner, "--version")))
        commands.append(_libcst(runner))
    else:
        missing.append("libcst is not installed")
    beside = shutil.which("codemodder", path=str(REPOSITORY / ".venv" / "codemodder" / "bin"))
    if codemodder := beside or shutil.which("codemodder"):
        programs.append(Program("codemodder", (codemodder, "--version")))
        commands.append(_codemodder(codemodder, scratch))
    else:
        missing.append("codemodder is neither in .venv/codemodder, where `make benchmark` puts it, nor on the PATH")
    only_started = (
        Program(PYTHON, (sys.executable, "-c", "pass")),
        Program(TYPER, (sys.executable, "-c", "import typer")),
    )
    return Toolbox(tuple(programs), tuple(commands), tuple(missing), only_started, EDITS)


def _beside_python(name: str) -> str | None:
    return shutil.which(name, path=str(Path(sys.executable).parent))


def _ours(program: str, scratch: Path) -> Iterator[Command]:
    accepted = frozenset({0, 1, 3})  # nothing to do, a patch, some files that do not parse
    yield Command(COLD, OURS, (program, "diff", "--no-cache", "."), accepted, "files read")
    environment = {"XDG_CACHE_HOME": str(scratch / "cache")}
    yield Command(CACHED, OURS, (program, "diff", "."), accepted, "files read", cached=True, environment=environment)


def _ruff(program: str, scratch: Path) -> Iterator[Command]:
    words = (program, "check", "--isolated", "--select", "F401", "--quiet", "--exit-zero")
    yield Command(RUFF, "ruff", (*words, "--no-cache", "."))
    yield Command(RUFF_CACHED, "ruff", (*words, "--cache-dir", str(scratch / "ruff"), "."), cached=True)


def _libcst(runner: Sequence[str]) -> Command:
    words = (*runner, "codemod", "-x", "benchmarks.noop.NoopCommand", "-j", str(JOBS), "--no-format", "--hide-progress")
    return Command(
        *(LIBCST, "libcst", (*words, "."), frozenset({0, 1}), "files successfully"),  # 1: some files do not parse
        slow=True,
        environment={"PYTHONPATH": str(REPOSITORY), "PYTHONSAFEPATH": "1"},  # nothing is imported from the tree
    )


def _codemodder(program: str, scratch: Path) -> Command:
    include = "--codemod-include=pixee:python/fix-file-resource-leak"
    output = ("--output", str(scratch / "codemodder.json"), "--max-workers", str(JOBS))
    words = (program, ".", include, "--dry-run", *output)
    return Command(CODEMODDER, "codemodder", words, proof="total elapsed", slow=True)
