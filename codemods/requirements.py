"""The packages that a project asks for, wherever it does.

Reads requirements files, pyproject.toml, setup.cfg, setup.py (without running it) and Pipfile. Writes nothing, and what
cannot be read asks for nothing.
"""

from __future__ import annotations

import ast
import configparser
import os
import re
import tomllib
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codemods import asked, syntax

FILES = ("*requirements*.txt", "*requirements*.in", "requirements/*.txt", "requirements/*.in")
SIZE_LIMIT = 16 * 1024 * 1024
"""A larger file of declarations asks for nothing: neither a hand nor a tool wrote it."""
_REQUIREMENT = re.compile(r"([a-z0-9](?:[a-z0-9._-]*[a-z0-9])?)\s*(?:\[([^]]*)])?\s*(?:[<>=!~;@(#,\\]|--|$)", re.I)
_OTHER_FILE = re.compile(r"(?:-r|--requirement)[\s=]\s*(\S+)")
_EGG = re.compile(r"[#&]egg=([^&\s;#]+)")
_SKIPPED = frozenset({"source", "requires", "pipenv", "scripts"})  # tables of a Pipfile that hold no packages


@dataclass(frozen=True, slots=True)
class Requirement:
    """A package, and the file (posix path relative to the root) that asks for it. Names as they are written."""

    name: str
    extras: tuple[str, ...]
    path: str


def requirements(root: Path) -> Iterator[Requirement]:
    """Everything that the project at `root` asks for, for running it, testing it or working on it."""
    seen: set[Path] = set()
    asked.names_below(root, *FILES)
    for pattern in FILES:
        for path in sorted(root.glob(pattern)):
            yield from _of_file(path, root, seen)
    for name, reader in {
        "pyproject.toml": _of_pyproject,
        "setup.cfg": _of_setup_cfg,
        "setup.py": _of_setup_py,
        "Pipfile": _of_pipfile,
    }.items():
        for package, extras in reader(root / name):
            yield Requirement(package, extras, name)


def data_of(path: Path) -> bytes:
    """What a file holds; nothing when it is none, cannot be read, or is larger than SIZE_LIMIT."""
    asked.data(path)
    try:
        if not path.is_file():
            return b""
        with path.open("rb") as file:
            data = file.read(SIZE_LIMIT + 1)
    except OSError:
        return b""
    return data if len(data) <= SIZE_LIMIT else b""


def lines_of(path: Path) -> list[str]:
    """The lines of a text file; none when it is none."""
    data = data_of(path)
    # `pip freeze > requirements.txt` in PowerShell writes UTF-16.
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    return data.decode(encoding, errors="replace").splitlines()


def toml_of(path: Path) -> dict[str, Any]:
    """The document of a TOML file; empty when it is none."""
    try:
        return tomllib.loads(data_of(path).decode())
    except (ValueError, RecursionError):
        return {}


def ini_of(path: Path) -> configparser.RawConfigParser:
    """The sections of a file of settings; none when it is none."""
    parser = configparser.RawConfigParser(strict=False, allow_no_value=True)
    try:
        parser.read_string("\n".join(lines_of(path)))
    except configparser.Error:
        return configparser.RawConfigParser()
    return parser


def at(document: Any, *keys: str) -> Any:
    """What stands at a path of keys in nested tables; None where there is nothing."""
    for key in keys:
        if not isinstance(document, Mapping):
            return None
        document = document.get(key)
    return document


_Package = tuple[str, tuple[str, ...]]  # its name and its extras


def _of_file(path: Path, root: Path, seen: set[Path]) -> Iterator[Requirement]:
    """The requirements of a file, and of the files of the project that it names."""
    try:
        name = Path(os.path.normpath(path)).relative_to(os.path.normpath(root)).as_posix()
        place = path.resolve()
    except (OSError, ValueError, RuntimeError):  # a file of somebody else, a name that is none, links in a circle
        return
    if place in seen:
        return
    seen.add(place)
    for line in lines_of(path):
        if other := _OTHER_FILE.match(line.strip()):
            yield from _of_file(path.parent / other[1], root, seen)
        for package, extras in _packages([line]):
            yield Requirement(package, extras, name)


def _of_pyproject(path: Path) -> Iterator[_Package]:
    document = toml_of(path)
    tool = at(document, "tool")
    yield from _packages(_texts(at(document, "project", "dependencies")))
    for groups in (
        at(document, "project", "optional-dependencies"),
        at(document, "dependency-groups"),
        at(tool, "pdm", "dev-dependencies"),
    ):
        for group in _values(groups):
            yield from _packages(_texts(group))
    yield from _packages(_texts(at(tool, "uv", "dev-dependencies")))
    yield from _packages(_texts(at(tool, "flit", "metadata", "requires")))
    for environment in _values(at(tool, "hatch", "envs")):
        yield from _packages(_texts(at(environment, "dependencies")))
        yield from _packages(_texts(at(environment, "extra-dependencies")))
    poetry = at(tool, "poetry")
    for table in (at(poetry, "dependencies"), at(poetry, "dev-dependencies")):
        yield from _keyed(table)
    for group in _values(at(poetry, "group")):
        yield from _keyed(at(group, "dependencies"))


def _of_setup_cfg(path: Path) -> Iterator[_Package]:
    parser = ini_of(path)
    stated = [parser.get("options", key, fallback=None) for key in ("install_requires", "tests_require")]
    if parser.has_section("options.extras_require"):
        stated += [value for _, value in parser.items("options.extras_require")]
    for text in stated:
        yield from _packages(re.split(r"[\n;]", text or ""))


def _of_setup_py(path: Path) -> Iterator[_Package]:
    """Every text in it that reads like a requirement."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = syntax.parse("\n".join(lines_of(path)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from _packages(node.value.splitlines())


def _of_pipfile(path: Path) -> Iterator[_Package]:
    for name, table in toml_of(path).items():
        if name not in _SKIPPED:
            yield from _keyed(table)


def _packages(lines: Iterable[str]) -> Iterator[_Package]:
    """The packages of lines such as `SQLAlchemy[asyncio]>=2 ; marker`; other lines ask for none."""
    for line in lines:
        line = " ".join(line.split())  # many blanks would be tried in many ways
        if match := _REQUIREMENT.match(line) or _REQUIREMENT.match(_egg(line)):
            yield match[1], tuple(extra.strip() for extra in (match[2] or "").split(",") if extra.strip())


def _egg(line: str) -> str:
    match = _EGG.search(line)
    return match[1] if match else ""


def _keyed(table: Any) -> Iterator[_Package]:
    """The packages that are the keys of a table, as Poetry and Pipenv have them."""
    for name, stated in table.items() if isinstance(table, Mapping) else ():
        several = stated if isinstance(stated, list) else [stated]
        yield name, tuple(extra for one in several for extra in _texts(at(one, "extras")))


def _texts(stated: Any) -> list[str]:
    return [one for one in stated if isinstance(one, str)] if isinstance(stated, list) else []


def _values(table: Any) -> list[Any]:
    return list(table.values()) if isinstance(table, Mapping) else []
