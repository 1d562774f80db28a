"""Runs pytest on a small project made of the programs beside this file, in a process of its own."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from codemods.leak_report import LeakReport, load

HERE = Path(__file__).parent
INI = """\
[pytest]
pythonpath = .
asyncio_mode = auto
asyncio_default_fixture_loop_scope = function
"""
COMMENT = re.compile(r"# (?P<strict>strict: )?(?P<kind>held|reused|unclosed)(?: by (?P<where>.+))?$")


@dataclass(frozen=True, slots=True)
class Seen:
    """One leak as the comments state it."""

    where: str  # the end of the test's id
    kind: str
    line: int


@dataclass(frozen=True, slots=True)
class Watched:
    """What came of one run."""

    code: int
    output: str
    errors: str
    report: LeakReport | None

    def seen(self, program: str) -> frozenset[Seen]:
        """What was told of a program's lines; a leak counts for all lines of the program that made it."""
        assert self.report is not None, self.output + self.errors
        return frozenset(
            Seen(where.removeprefix(f"test_{program}.py::"), leak.kind.value, frame.line)
            for leak in self.report.leaks
            for where in leak.where
            for frame in leak.frames
            if frame.path == f"test_{program}.py"
        )


def project(folder: Path, *programs: str, ini: str = INI) -> Path:
    """A project with these programs as its test files."""
    (folder / "watch").mkdir(parents=True)
    for name in ("__init__.py", "database.py"):
        shutil.copy(HERE / name, folder / "watch" / name)
    for program in programs:
        shutil.copy(HERE / f"{program}.py", folder / f"test_{program}.py")
    (folder / "pytest.ini").write_text(ini)
    return folder


def environment(*paths: Path, **variables: str) -> Mapping[str, str]:
    """Ours, without what pytest and coverage leave in it; `paths` first on the way to modules."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "PYTHON", "SESSION_"))}
    kept["PYTHONPATH"] = os.pathsep.join(map(str, paths))
    return kept | variables


def pytest_run(
    folder: Path, *options: str, paths: Sequence[Path] = (), report: bool = True, variables: Mapping[str, str] = {}
) -> Watched:
    """Run pytest there, writing a report if wanted."""
    file = folder / "leaks.json"
    file.unlink(missing_ok=True)
    wanted = ["--session-leaks-report", file.name] if report else []
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *wanted, *options],
        cwd=folder,
        env=environment(*paths, **variables),
        capture_output=True,
        text=True,
        timeout=300,
    )
    return Watched(done.returncode, done.stdout, done.stderr, load(file) if file.is_file() else None)


def expected(program: str, *, strict: bool) -> Iterator[Seen]:
    """What its comments state."""
    text = (HERE / f"{program}.py").read_text(encoding="utf-8")
    functions = list(_functions(ast.parse(text).body))
    for number, line in enumerate(text.splitlines(), start=1):
        comment = COMMENT.search(line)
        if comment and (strict or not comment["strict"]):
            around = [name for name, first, last in functions if first <= number <= last]
            yield Seen(comment["where"] or around[0], comment["kind"], number)


def _functions(statements: Sequence[ast.stmt], prefix: str = "") -> Iterator[tuple[str, int, int]]:
    """The functions of a module, and of its classes, as pytest names them; their first and last lines."""
    for one in statements:
        if isinstance(one, ast.ClassDef):
            yield from _functions(one.body, f"{one.name}::")
        elif isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef):
            yield prefix + one.name, one.lineno, one.end_lineno or one.lineno


def functions_tested(program: str) -> frozenset[str]:
    """The functions of a program that are tests."""
    text = (HERE / f"{program}.py").read_text(encoding="utf-8")
    return frozenset(re.findall(r"def (test_\w+)", text))
