"""What a project declares by itself: the versions it runs on, the length of its lines, its database drivers.

Reads pyproject.toml, requirements, lock files, and the settings of the formatter and the linter; never an error: what
is not declared, or cannot be read, is None or empty. Writes nothing.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from codemods import asked
from codemods.project.drivers import drivers_of, normalized
from codemods.requirements import FILES, SIZE_LIMIT, at, data_of, ini_of, lines_of, requirements, toml_of

Version = tuple[int, int]
"""Major and minor."""
LINE_LENGTHS = range(40, 401)

_POETRY = ("tool", "poetry", "dependencies")
# where the environment of a program, or of its tests, is set
_ENVIRONMENTS = (
    *(".env", ".env.*", "*.env", "pytest.ini", "tox.ini", "setup.cfg", "pyproject.toml", "alembic.ini"),
    *("docker-compose*.y*ml", "compose*.y*ml", "Dockerfile*", "Makefile", ".github/workflows/*.y*ml"),
)
_SQLITE_URL = re.compile(rb"\bsqlite(\+\w+)?:/")
_LOCK_FILES = ("uv.lock", "poetry.lock", "pdm.lock")
_SETTINGS = ("setup.py", "Pipfile", ".ruff.toml", "ruff.toml", ".flake8", *_LOCK_FILES)
TOO_LARGE = f"larger than {SIZE_LIMIT // 1024 // 1024} MB, so that what it declares is not known"


@dataclass(frozen=True, slots=True)
class Declared:
    """What a project says of itself; None where it does not."""

    python: Version | None
    sqlalchemy: Version | None
    line_length: int | None
    drivers: tuple[tuple[str, str], ...]  # normalized name, and the first file that asks for it; by name
    sqlite_in: tuple[str, int] | None  # the first settings file (no Python) with a URL of SQLite in it, and the line
    unread: tuple[str, ...]  # files that may declare something and are too large to be read


def declared(root: Path) -> Declared:
    """What the project at `root` declares."""
    pyproject = toml_of(root / "pyproject.toml")
    return Declared(
        _python(pyproject),
        _sqlalchemy(root, pyproject),
        _line_length(root, pyproject),
        tuple(_drivers(root)),
        _sqlite_in(root),
        tuple(_unread(root)),
    )


def _unread(root: Path) -> Iterator[str]:
    read = (*FILES, *_ENVIRONMENTS, *_SETTINGS)
    for folder in sorted({glob.rpartition("/")[0] for glob in read}):
        names = [glob.rpartition("/")[2] for glob in read if glob.rpartition("/")[0] == folder]
        try:
            # those who read them have asked for them
            for entry in sorted(os.scandir(root / folder), key=lambda entry: entry.name):
                if any(fnmatchcase(entry.name, name) for name in names) and entry.is_file():
                    if entry.stat().st_size > SIZE_LIMIT:
                        yield f"{folder}/{entry.name}".lstrip("/")
        except OSError:
            continue


def _sqlite_in(root: Path) -> tuple[str, int] | None:
    asked.names_below(root, *_ENVIRONMENTS)
    for path in sorted({one for glob in _ENVIRONMENTS for one in root.glob(glob)}):
        for number, line in enumerate(data_of(path).splitlines(), 1):
            if _SQLITE_URL.search(line) and not line.lstrip().startswith((b"#", b";")):
                return path.relative_to(root).as_posix(), number
    return None


def _drivers(root: Path) -> list[tuple[str, str]]:
    found: dict[str, str] = {}
    for one in requirements(root):
        for name in drivers_of(normalized(one.name), [normalized(extra) for extra in one.extras]):
            found.setdefault(name, one.path)
    return sorted(found.items())


def _python(pyproject: Mapping[str, Any]) -> Version | None:
    """The lowest Python of `requires-python`, or of Poetry's `python` dependency."""
    for stated in (at(pyproject, "project", "requires-python"), at(pyproject, *_POETRY, "python")):
        if isinstance(stated, str) and (lowest := _lowest(stated)):
            return lowest
    return None


def _sqlalchemy(root: Path, pyproject: Mapping[str, Any]) -> Version | None:
    """The lowest SQLAlchemy that the project may run with: a lock file knows best, then a pin, then a lower bound."""
    for name in _LOCK_FILES:
        packages = at(toml_of(root / name), "package")
        locked = [
            version
            for package in (packages if isinstance(packages, list) else [])
            if str(at(package, "name")).lower() == "sqlalchemy" and (version := _lowest(f"=={at(package, 'version')}"))
        ]
        if locked:
            return min(locked)
    required = [specifier for line in _requirement_lines(root) if (specifier := _sqlalchemy_specifier(line))]
    pinned = [version for one in required if one.startswith("==") and (version := _lowest(one))]
    if pinned:
        return min(pinned)

    dependencies = at(pyproject, "project", "dependencies")
    for line in dependencies if isinstance(dependencies, list) else []:
        if specifier := _sqlalchemy_specifier(str(line)):
            required.append(specifier)
    poetry = at(pyproject, *_POETRY)
    for name, stated in poetry.items() if isinstance(poetry, Mapping) else ():
        if name.lower() == "sqlalchemy":
            bound = stated if isinstance(stated, str) else at(stated, "version")
            required.append(str(bound))
    return min((version for one in required if (version := _lowest(one))), default=None)


def _requirement_lines(root: Path) -> Iterator[str]:
    asked.names_below(root, "requirements*.txt")
    for path in sorted(root.glob("requirements*.txt")):
        yield from lines_of(path)


def _sqlalchemy_specifier(requirement: str) -> str | None:
    """`>=2.0,<3` of `SQLAlchemy[asyncio] (>=2.0,<3) ; marker`; None for another package or no version."""
    requirement = " ".join(requirement.split())  # many blanks would be tried in many ways
    match = re.match(r"\s*sqlalchemy\s*(?:\[[^\]]*\])?\s*\(?\s*((?:[<>=!~]=?)[^;#\\)]*)", requirement, re.IGNORECASE)
    return match[1].split(" --")[0].strip() if match else None


def _lowest(specifier: str) -> Version | None:
    """The lowest major and minor that a version specifier (PEP 440 or Poetry) allows; None when it names none."""
    lowest: list[Version] = []
    specifier = " ".join(specifier.split())
    for alternative in re.split(r"\|\|?", specifier):
        bounds = []
        for clause in re.split(r",|\s+(?=[<>=!~^])", alternative):
            match = re.fullmatch(
                r"\s*(===?|~=|>=|<=|!=|[<>~^=])?\s*v?(\d{1,9})(?!\d)(?:\.(\d{1,9})(?!\d))?\S*\s*", clause, re.ASCII
            )
            if match and match[1] not in ("<", "<=", "!="):
                bounds.append((int(match[2]), int(match[3] or 0)))
        if not bounds:
            return None
        lowest.append(max(bounds))
    return min(lowest)


def _line_length(root: Path, pyproject: Mapping[str, Any]) -> int | None:
    """The line length of the project's formatter, else that of its linter; None when neither has a usable one."""
    ruff = [at(toml_of(root / name), "line-length") for name in (".ruff.toml", "ruff.toml")]
    tools = [at(pyproject, "tool", name, "line-length") for name in ("ruff", "black")]
    for stated in (*ruff, *tools, *_linter_line_lengths(root)):
        if isinstance(stated, int) and not isinstance(stated, bool) and stated in LINE_LENGTHS:
            return stated
    return None


def _linter_line_lengths(root: Path) -> Iterator[int]:
    for name in (".flake8", "setup.cfg", "tox.ini"):
        parser = ini_of(root / name)
        for section in ("flake8", "pycodestyle"):
            for key in ("max-line-length", "max_line_length"):
                stated = parser.get(section, key, fallback=None) or ""
                if match := re.match(r"\s*(\d{1,4})\b", stated, re.ASCII):
                    yield int(match[1])
