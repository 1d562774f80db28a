"""The settings of a run: `[tool.session-codemods]` of the project, and what the project declares by itself.

Reads the project's pyproject.toml (or the file of `--config`) and what `declared` reads. Writes nothing.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import re
import stat
import tomllib
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from codemods import asked
from codemods.declared import LINE_LENGTHS, Version, declared
from codemods.gitignore import Globs

TABLE = "session-codemods"
_SIZE_LIMIT = 4 * 1024 * 1024  # of a file of settings: nobody wrote a larger one

_LARGEST = 2**31 - 1  # number that is obeyed
_SHOWN = 120  # characters of a value that a message repeats


class SettingsError(Exception):
    """Settings that cannot be obeyed. `message` names the file, the key, and what would be right."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


@dataclass(frozen=True, slots=True)
class EnginePool:
    """The values that the rule `engine-pool` gives engines that have none. None, or False: it leaves the option alone.

    The key of a field has dashes where the field has underscores, and `false` for None.
    """

    pool_size: int | None = 5
    max_overflow: int | None = 10
    pool_timeout: int | None = 30  # seconds
    pool_pre_ping: bool = True
    pool_recycle: int | None = 3600  # seconds
    echo_pool: bool = True  # in development, where the project tells
    makers: bool = True  # whether makers of async sessions get `expire_on_commit=False`
    server: bool | None = None  # whether a URL that is not in the code is a server's; None: what the project declares


@dataclass(frozen=True, slots=True)
class Settings:
    """What a run was asked to do. The key of a field has dashes where the field has underscores."""

    select: tuple[str, ...] | None = None  # None: every rule
    ignore: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()  # gitignore-style globs, relative to the root, after the built-in ones
    extend_exclude: tuple[str, ...] = ()  # added to `exclude`, for a command line that replaces `exclude`
    respect_gitignore: bool = True
    sessions: tuple[str, ...] = ()
    scope: str | None = None
    schedulers: tuple[str, ...] = ()
    expunge: str = "always"  # or "needed"
    tidy: bool = False
    target_python: Version | None = None  # the lowest that the project runs on; None when unknown
    sqlalchemy: Version | None = None  # the lowest that the project runs with; None when unknown
    per_file_ignores: tuple[tuple[str, tuple[str, ...]], ...] = ()
    line_length: int = 88  # columns that a line may have after an edit
    engine_pool: EnginePool = EnginePool()
    drivers: tuple[str, ...] = ()  # normalized names of the database drivers that the project declares, sorted
    driver_files: tuple[tuple[str, str], ...] = ()  # each of `drivers` with the first file that asks for it
    sqlite_in: tuple[str, int] | None = None  # a file that is no Python and names a URL of SQLite, and the line
    unread: tuple[str, ...] = ()  # files in which the project may declare something, too large to be read
    file: str = field(default="", compare=False)  # where they were read, for messages; "": nowhere

    def ignored_in(self, path: str) -> frozenset[str]:
        """The rules that `per-file-ignores` turns off for a file (posix path relative to the root)."""
        return frozenset(rule for glob, rules in self.per_file_ignores if _covers(glob, path) for rule in rules)

    def digest(self) -> str:
        """Hex digest of every setting: equal settings, equal digest. A plan made under another one is stale."""
        values = asdict(self)
        del values["file"]  # the same settings, wherever the project lies
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def load(root: Path, config: Path | None = None, isolated: bool = False, *, rules: Collection[str]) -> Settings:
    """The settings for the project at `root`; `rules` are the names of the rules there are.

    They stand in `[tool.session-codemods]` of the root's pyproject.toml. `config` names another file instead: one
    with that table, or a bare TOML file with the keys at its top level; globs in it are relative to `root` all the
    same. `isolated` reads neither. `target-python`, `sqlalchemy` and `line-length`, when not set, are what the project
    at `root` declares, whatever `config` and `isolated` say; None, and 88 columns, when it declares nothing. Its
    drivers are always those that it declares.

    Raises SettingsError for a file that cannot be read or is not TOML, an unknown key or rule, a value of the wrong
    type, and a glob that is not one or leaves the root.
    """
    values: dict[str, Any] = {}
    if not isolated:
        path = root / "pyproject.toml" if config is None else config
        values = _values(path, named=config is not None, rules=rules)
        values["file"] = str(path)
    found = declared(root)
    values.setdefault("target_python", found.python)
    values.setdefault("sqlalchemy", found.sqlalchemy)
    values.setdefault("line_length", found.line_length or Settings().line_length)
    values |= {"drivers": tuple(name for name, _ in found.drivers), "driver_files": found.drivers}
    values |= {"sqlite_in": found.sqlite_in, "unread": found.unread}
    return Settings(**values)


def laid_over(
    read: Settings,
    rules: Collection[str],
    *,
    select: Iterable[str] = (),
    ignore: Iterable[str] = (),
    exclude: Iterable[str] = (),
    extend_exclude: Iterable[str] = (),
    respect_gitignore: bool | None = None,
) -> Settings:
    """The settings with the options of a command laid over them: `--select` also revives what they ignore.

    Raises SettingsError for options that cannot be obeyed, whatever the settings say.
    """
    select, ignore = check_rules(select, rules, "--select"), check_rules(ignore, rules, "--ignore")
    if select and not set(select) - set(ignore):
        raise SettingsError("no rule is left: what --select names is what --ignore names too")
    return replace(
        read,
        select=select or read.select,
        ignore=(*(rule for rule in read.ignore if rule not in select), *ignore),
        exclude=check_globs(exclude, "--exclude") or read.exclude,
        extend_exclude=(*read.extend_exclude, *check_globs(extend_exclude, "--extend-exclude")),
        respect_gitignore=read.respect_gitignore if respect_gitignore is None else respect_gitignore,
    )


def check_rules(names: Iterable[str], rules: Collection[str], where: str) -> tuple[str, ...]:
    """The names as a tuple. Raises SettingsError, beginning with `where`, for one that is not among `rules`."""
    checked = tuple(names)
    for name in checked:
        if name not in rules:
            raise SettingsError(f"{where}: unknown rule {_shown(name)}{_nearest(name, rules)}")
    return checked


def check_globs(globs: Iterable[str], where: str) -> tuple[str, ...]:
    """The globs as a tuple. Raises SettingsError, beginning with `where`, for one that leaves the root or is none."""
    checked = tuple(globs)
    for glob in checked:
        place = glob.removeprefix("!")
        if ".." in re.split(r"[/\\]", place) or place.startswith("~") or re.match(r"[A-Za-z]:[/\\]", place):
            raise SettingsError(
                f"{where}: {_shown(glob)} leaves the project root; give a glob relative to it, such as 'migrations/'"
            )
        if not place.strip() or place.startswith("#") or "\n" in place or "\0" in place:
            raise SettingsError(f"{where}: {_shown(glob)} is not a glob")
        if not Globs([glob]):
            raise SettingsError(f"{where}: {_shown(glob)} is not a glob")
    return checked


def _covers(glob: str, path: str) -> bool:
    """Whether a glob means a file, or a folder above it."""
    patterns, parts = Globs([glob]), path.split("/")
    return any(
        patterns.match("/".join(parts[:count]), is_folder=count < len(parts)) for count in range(1, len(parts) + 1)
    )


# --- the table --------------------------------------------------------------------------------------------------


def _values(path: Path, *, named: bool, rules: Collection[str]) -> dict[str, Any]:
    """The checked values of a settings file by field name; `named`: the user asked for this very file."""
    document = _toml(path, required=named)
    tools = document.get("tool", {})
    if not isinstance(tools, dict):
        raise SettingsError(f"{path}: [tool] is {_kind(tools)}, expected a table")
    if TABLE in tools:
        table = tools[TABLE]
    elif named and path.name != "pyproject.toml" and not {"tool", "project", "build-system"} & document.keys():
        table = document
    else:
        for name in difflib.get_close_matches(TABLE, tools, n=1, cutoff=0.85):
            raise SettingsError(f"{path}: unknown table [tool.{name}]; did you mean [tool.{TABLE}]?")
        if named:
            raise SettingsError(f"{path}: there is no table [tool.{TABLE}] in it")
        return {}
    if not isinstance(table, dict):
        raise SettingsError(f"{path}: [tool.{TABLE}] is {_kind(table)}, expected a table")

    return _checked(table, _readers(rules), f"{path}")


Reader = Callable[[Any, str], Any]


def _checked(table: Mapping[str, Any], readers: Mapping[str, Reader], where: str) -> dict[str, Any]:
    """The checked values of a table by field name."""
    values = {}
    for key, value in table.items():
        if key not in readers:
            raise SettingsError(f"{where}: unknown key {_shown(key)}{_nearest(key, readers)}")
        values[key.replace("-", "_")] = readers[key](value, f"{where}: {key}")
    return values


def _readers(rules: Collection[str]) -> dict[str, Reader]:
    """For every key the function that checks its value and gives the field's; raises SettingsError."""

    def rule_names(value: Any, where: str) -> tuple[str, ...]:
        return check_rules(_strings(value, where, "rule names"), rules, where)

    def globs(value: Any, where: str) -> tuple[str, ...]:
        return check_globs(_strings(value, where, "globs"), where)

    def rule_names_by_glob(value: Any, where: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
        if not isinstance(value, dict):
            raise SettingsError(f"{where}: found {_kind(value)}, expected a table of globs and lists of rule names")
        check_globs(value, where)
        return tuple((glob, rule_names(names, f"{where}: {_shown(glob)}")) for glob, names in value.items())

    return {
        "select": rule_names,
        "ignore": rule_names,
        "exclude": globs,
        "extend-exclude": globs,
        "respect-gitignore": _flag,
        "sessions": _dotted_names,
        "scope": _dotted_name,
        "schedulers": _dotted_names,
        "expunge": _expunge,
        "tidy": _flag,
        "target-python": _python_version,
        "sqlalchemy": _sqlalchemy_version,
        "per-file-ignores": rule_names_by_glob,
        "line-length": _line_length,
        "engine-pool": _engine_pool,
    }


def _strings(value: Any, where: str, what: str) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise SettingsError(f"{where}: found {_kind(value)}, expected a list of {what}")
    for item in value:
        if not isinstance(item, str):
            raise SettingsError(f"{where}: found {_kind(item)} in the list, expected a list of {what}")
    return tuple(value)


def _flag(value: Any, where: str) -> bool:
    if not isinstance(value, bool):
        raise SettingsError(f"{where}: found {_kind(value)}, expected true or false")
    return value


def _dotted_name(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise SettingsError(f"{where}: found {_kind(value)}, expected a dotted name such as 'app.db.new_session'")
    if "." not in value or not all(part.isidentifier() for part in value.split(".")):
        raise SettingsError(f"{where}: {_shown(value)} is not a dotted name such as 'app.db.new_session'")
    return value


def _dotted_names(value: Any, where: str) -> tuple[str, ...]:
    return tuple(_dotted_name(name, where) for name in _strings(value, where, "dotted names"))


def _expunge(value: Any, where: str) -> str:
    if value not in ("always", "needed"):
        found = _shown(value) if isinstance(value, str) else _kind(value)
        raise SettingsError(f"{where}: found {found}, expected 'always' or 'needed'")
    return str(value)


def _version(value: Any, where: str, example: str, majors: Collection[int]) -> Version:
    if not isinstance(value, str):
        # A bare 3.10 is the number 3.1: taking it would be a guess.
        raise SettingsError(f"{where}: found {_kind(value)}, expected a version in quotes such as '{example}'")
    match = re.fullmatch(r"(\d{1,3})\.(\d{1,4})(?:\.\d+)?", value, re.ASCII)
    if match is None or int(match[1]) not in majors:
        raise SettingsError(f"{where}: found {_shown(value)}, expected a version such as '{example}'")
    return int(match[1]), int(match[2])


def _python_version(value: Any, where: str) -> Version:
    return _version(value, where, "3.11", (3,))


def _sqlalchemy_version(value: Any, where: str) -> Version:
    return _version(value, where, "2.0", range(100))


def _line_length(value: Any, where: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise SettingsError(f"{where}: found {_kind(value)}, expected a number of columns such as 88")
    if value not in LINE_LENGTHS:
        raise SettingsError(
            f"{where}: found {_number(value)}, expected {LINE_LENGTHS[0]} to {LINE_LENGTHS[-1]} columns"
        )
    return value


def _engine_pool(value: Any, where: str) -> EnginePool:
    if not isinstance(value, dict):
        raise SettingsError(f"{where}: found {_kind(value)}, expected a table")
    readers = {
        "pool-size": _pool_option(5, lowest=0),  # SQLAlchemy: 0 is no limit
        "max-overflow": _pool_option(10, lowest=-1),  # -1 is no limit
        "pool-timeout": _pool_option(30, lowest=1),
        "pool-pre-ping": _flag,
        "pool-recycle": _pool_option(3600, lowest=-1),  # -1 is never
        "echo-pool": _flag,
        "makers": _flag,
        "server": _flag,
    }
    return EnginePool(**_checked(value, readers, where))


def _pool_option(example: int, *, lowest: int) -> Reader:
    """What reads a number; None for `false`."""

    def read(value: Any, where: str) -> int | None:
        if value is False:
            return None
        if not isinstance(value, int) or isinstance(value, bool):
            raise SettingsError(f"{where}: found {_kind(value)}, expected a whole number such as {example}, or false")
        if not lowest <= value <= _LARGEST:
            most = "or more" if value < lowest else f"to {_LARGEST}"
            raise SettingsError(f"{where}: found {_number(value)}, expected {lowest} {most}, or false")
        return value

    return read


def _kind(value: Any) -> str:
    """How a TOML value is called in a message."""
    match value:
        case bool():
            return str(value).lower()
        case str():
            return f"the string {_shown(value)}"
        case int() if abs(value) > _LARGEST:
            return "a number that is far too large"
        case int() | float():
            return f"the number {value}"
        case list():
            return "a list"
        case dict():
            return "a table"
        case _:
            return f"the date or time {value}"


def _number(value: int) -> str:
    return str(value) if abs(value) <= _LARGEST else "a number that is far too large"


def _shown(text: str) -> str:
    """The text in quotes, as long as it can be read at a glance."""
    return repr(text) if len(text) <= _SHOWN else f"{text[:_SHOWN]!r}..."


def _nearest(name: str, known: Iterable[str]) -> str:
    names = sorted(known)
    for near in difflib.get_close_matches(name.lower().replace("_", "-"), names, n=1, cutoff=0.5):
        return f"; did you mean {near!r}?"
    return f"; known are: {', '.join(names)}"


def _toml(path: Path, *, required: bool) -> dict[str, Any]:
    """The document; empty when the file is absent and not `required`. Raises SettingsError."""
    asked.data(path)
    try:
        # a pipe of that name would be waited for, and a device may never end
        if not stat.S_ISREG(path.stat().st_mode):
            raise SettingsError(f"{path}: cannot be read: not a file")
        with path.open("rb") as file:
            data = file.read(_SIZE_LIMIT + 1)
    except FileNotFoundError as error:
        if not required:
            return {}
        raise SettingsError(f"{path}: cannot be read: {error.strerror}") from error
    except (OSError, ValueError) as error:
        raise SettingsError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if len(data) > _SIZE_LIMIT:
        raise SettingsError(f"{path}: cannot be read: larger than {_SIZE_LIMIT // 1024 // 1024} MB")
    try:
        return tomllib.loads(data.decode())
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise SettingsError(f"{path}:{line}: not valid TOML: the file is not UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        at = re.search(r" \(at (?:line (\d+), column \d+|end of document)\)$", str(error))
        line = int(at[1]) if at and at[1] else data.count(b"\n") + 1
        text = str(error)[: at.start()] if at else str(error)
        raise SettingsError(f"{path}:{line}: not valid TOML: {text}") from error
    except RecursionError as error:
        raise SettingsError(f"{path}: not valid TOML: nested too deeply") from error
    except ValueError as error:  # Python reads no number of more than some thousand digits
        raise SettingsError(f"{path}: not valid TOML: it has a number that is far too large") from error
