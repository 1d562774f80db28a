"""The plan file: a `SavedPlan` as JSON, and back. Reads and writes the one file that it is given; no pickle.

Format 1, one object: `format`, `tool`, `tool_version`, and the fields of `SavedPlan`. An edit or request carries its
type's name as `kind`; bytes are base85; levels are 0 safe, 1 review, 2 manual; all paths are relative to the project's
root. Each group, file and decision has a line of its own, so that versions of a plan can be compared.

A file of another format is refused, and named as such; unknown keys, and what contradicts itself, are refused too: a
plan is never half understood. It may come from a stranger: paths that leave the project, or lead to where git keeps its
own files, are refused here, once.
"""

from __future__ import annotations

import contextlib
import enum
import hashlib
import json
import os
import re
import reprlib
import stat
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

from cattrs import Converter, transform_error
from cattrs.preconf.json import make_converter
from cattrs.strategies import configure_tagged_union
from cattrs.v import format_exception

from codemods.plan import Edit, End, Level, Request
from codemods.protected_names import protected_part
from codemods.saved_plan import SavedFile, SavedPlan, Verdict

FORMAT = 1
_TOOL = "session-codemods"
_OTHER = "take it from git or from a copy; `diff --save FILE` makes another one, without the answers"
_CONFLICT = re.compile(r"^(?:<{7}|>{7}) ", re.MULTILINE)
_RULE = re.compile(r"[a-z-]+")


class PlanFileError(Exception):
    """A plan file that cannot be used. The text names the file and says why, and what to do."""


def dump(plan: SavedPlan) -> str:
    """The plan as the text of a plan file."""
    content = {"format": FORMAT, "tool": _TOOL, **_converter().unstructure(plan)}
    return "{\n" + ",\n".join(f" {json.dumps(key)}: {_laid_out(value)}" for key, value in content.items()) + "\n}\n"


def _laid_out(value: object) -> str:
    """A value as JSON, each of its items on a line. (`json` with an indent is many times slower.)"""
    match value:
        case dict() if value:
            return "{\n" + ",\n".join(f"  {json.dumps(key)}: {_json(one)}" for key, one in value.items()) + "\n }"
        case list() | tuple() if value:
            return "[\n" + ",\n".join(f"  {_json(one)}" for one in value) + "\n ]"
        case _:
            return _json(value)


def _json(value: object) -> str:
    return json.dumps(value, allow_nan=False)


def parse(text: str, where: str) -> SavedPlan:
    """The plan of a plan file's text; `where` names the file in errors. Raises PlanFileError."""
    try:
        content = json.loads(text, object_pairs_hook=_keys_once)
    except (ValueError, RecursionError) as error:
        raise PlanFileError(f"{where}: not a plan file: {_no_json(text, error)}; {_OTHER}") from error
    if not isinstance(content, dict) or content.pop("tool", None) != _TOOL:
        raise PlanFileError(f"{where}: not a plan file of {_TOOL}; `diff --save FILE` makes one")
    found = content.pop("format", None)
    if type(found) is not int or found != FORMAT:
        raise PlanFileError(
            f"{where}: its format is {found!r}, this version reads {FORMAT}; make the plan anew with `diff --save`"
        )
    try:
        plan = _converter().structure(content, SavedPlan)
    except Exception as error:  # cattrs raises groups of whatever a value's type raised
        told = "; ".join(transform_error(error, format_exception=_told)[:3])
        raise PlanFileError(f"{where}: not a whole plan file: {told}; {_OTHER}") from error
    if wrong := next(_contradictions(plan), None):
        raise PlanFileError(f"{where}: not a whole plan file: {wrong}; {_OTHER}")
    return plan


def _no_json(text: str, error: Exception) -> str:
    """Why a text cannot be a plan, in words for who has not written it."""
    if not text.strip():
        return "it is empty"
    if _CONFLICT.search(text):
        return "it holds the marks of a merge that was not finished"
    if not isinstance(error, json.JSONDecodeError):
        return str(error)
    if error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated"):
        return f"it ends in the middle, on line {error.lineno}"
    return f"it is damaged on line {error.lineno}"


def _told(error: BaseException, type_: type | None) -> str:
    """One error of cattrs in words that name the value."""
    match error:
        case KeyError():
            return f"{error} is missing or not known"
        case ValueError() if not isinstance(error, UnicodeError):
            return str(error)
        case _:
            return format_exception(error, type_)


def _keys_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """`json` silently keeps the last of two equal keys: what a merge by hand leaves behind."""
    found = dict(pairs)
    if len(found) != len(pairs):
        twice = next(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        raise ValueError(f"it holds {twice!r} twice in one object")
    return found


def _contradictions(plan: SavedPlan) -> Iterator[str]:
    """What is wrong with a plan whose values are all of the right types."""
    edited = {edit.path for group in plan.groups for finding in group.findings for edit in finding.edits}
    asked = {request.path for group in plan.groups for finding in group.findings for request in finding.requests}
    files = [file.path for file in plan.files]
    for path in sorted({*edited, *asked, *files, *plan.asked.paths}):
        if not _stays_inside(path):
            yield f"the path {path!r} leaves the project"
        if protected_part(path) is not None:
            yield f"the path {path!r} leads to where git, or this tool, keeps its own files"
        if not _is_encodable(path):
            yield f"the path {path!r} can be the name of no file"
    ids = [group.id for group in plan.groups]
    for what, names in (("group", ids), ("file", files)):
        if twice := _twice(names):
            yield f"the {what} {twice!r} is there twice"
    for group in plan.groups:
        if not group.findings:
            yield f"the group {group.id!r} holds nothing"
    rules = {finding.rule for group in plan.groups for finding in group.findings}
    rules |= {rule for group in plan.groups for finding in group.findings for rule, _, _ in finding.requires_at}
    rules |= {entry.rule for entry in plan.ledger.entries}
    for rule in sorted(rules):
        if not _RULE.fullmatch(rule):
            yield f"{rule!r} is no name of a rule"
    if plan.ledger.of(End.KNOWN):
        yield "its ledger speaks of a baseline"  # `check` alone has one
    known = set(ids)
    for named in (*plan.decisions, *(one for run in plan.applied for one in run.groups)):
        if named not in known:
            yield f"it speaks of a group {named!r} that is not in it"
    for file in plan.files:
        if hashlib.sha256(file.data).hexdigest() != file.before or not file.data.startswith(file.bom):
            yield f"what it holds of {file.path!r} is damaged"
        elif not _is_text(file):
            yield f"what it holds of {file.path!r} is no text in {file.encoding!r}"
        if file.newline not in ("\n", "\r\n", "\r") or not file.indent or file.indent.strip(" \t"):
            yield f"the line ends or the indentation of {file.path!r} are none"


def _stays_inside(path: str) -> bool:
    parts = PurePosixPath(path).parts
    return not path.startswith("/") and ".." not in parts and "\0" not in path and not Path(path).drive


def _is_encodable(path: str) -> bool:
    try:
        os.fsencode(path)
    except ValueError:
        return False
    return True


def _is_text(file: SavedFile) -> bool:
    """Whether the bytes are text in the encoding, and come back from it as they are."""
    try:
        return file.bom + file.source.text.encode(file.encoding) == file.data
    except (LookupError, ValueError):  # no encoding, none of text, or not the one
        return False


def _twice(names: Iterable[str]) -> str | None:
    return next((name for name, count in Counter(names).items() if count > 1), None)


def load(path: Path) -> SavedPlan:
    """The plan in a file. Raises PlanFileError."""
    try:
        text = path.read_bytes().decode()
    except UnicodeDecodeError as error:
        raise PlanFileError(f"{path}: not a plan file: it is not UTF-8; {_OTHER}") from error
    except OSError as error:
        raise PlanFileError(f"{path}: cannot be read: {error.strerror or error}") from error
    return parse(text, str(path))


def save(plan: SavedPlan, path: Path) -> bytes:
    """Writes the plan, all of it or nothing: a plan that was there stays until the new one is whole.

    Gives what was written. Raises PlanFileError when it cannot be written. What others wrote there meanwhile is
    overwritten: `shared_plan` is for a plan that may be under review.
    """
    data = dump(plan).encode()
    new: Path | None = None
    try:
        target = path.resolve()
        if target.exists() and not stat.S_ISREG(target.stat().st_mode):
            raise PlanFileError(f"{path}: cannot be written: not a regular file")  # a device would be replaced
        with tempfile.NamedTemporaryFile(prefix=f".{target.name}.", dir=target.parent, delete=False) as file:
            new = Path(file.name)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if target.exists():
            new.chmod(target.stat().st_mode & 0o777)
        else:
            new.chmod(0o666 & ~_umask())
        new.replace(target)
        new = None
    except (OSError, RuntimeError) as error:  # RuntimeError: a loop of symbolic links, before Python 3.13
        why = error.strerror if isinstance(error, OSError) else None
        raise PlanFileError(f"{path}: cannot be written: {why or error}") from error
    finally:
        if new is not None:
            with contextlib.suppress(OSError):
                new.unlink()
    return data


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@cache
def _converter() -> Converter:
    converter = _strict(make_converter(forbid_extra_keys=True))
    for union in (Edit, Request):  # after the hooks of their fields, which are built into theirs
        configure_tagged_union(union, converter, tag_name="kind")
    return converter


def _strict(converter: Converter) -> Converter:
    """cattrs takes `int("3")` for an int and anything for a str; a plan is data of others, so types are held."""

    def exactly(type_: type) -> Any:
        def check(value: Any, _: type) -> Any:
            if type(value) is not type_:
                raise ValueError(f"found {reprlib.repr(value)}, expected {type_.__name__}")
            return value

        return check

    def one_of(type_: type[enum.Enum], of: type) -> Any:
        def check(value: Any, _: type) -> Any:
            return type_(exactly(of)(value, of))

        return check

    for type_ in (int, str, bool):
        converter.register_structure_hook(type_, exactly(type_))
    # each by itself: else the hook of `int` or `str`, which they inherit from, would take them and leave them as that
    converter.register_structure_hook(Level, one_of(Level, int))
    for kind in (End, Verdict):
        converter.register_structure_hook(kind, one_of(kind, str))
    return converter
