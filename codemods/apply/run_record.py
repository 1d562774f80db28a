"""What is kept of a run of `apply`, and of `undo`: a value, and its form as JSON. Touches nothing.

Format 1: one object with `format` and the fields of `RunRecord`. The record never changes once it is written; what has
become of the run is told by the name of its file (see `run_store`).
"""

from __future__ import annotations

import datetime
import hashlib
import json
import os
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from codemods.plan import Change, Group
from codemods.protected_names import protected_part

if TYPE_CHECKING:
    from cattrs import Converter

FORMAT = 1
RUN_ID = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{4}")
PERMISSIONS = 0o777  # of a mode; what is above them, as setuid, is not put back
_SHA256 = re.compile(r"[0-9a-f]{64}")
_TIMES = 2**63


@dataclass(frozen=True, slots=True)
class GroupText:
    """A group that was written, with the message of each of its findings, and the ids of the groups without which it
    must not be made."""

    id: str
    messages: tuple[str, ...]
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RunText:
    """What a run does, for people. `plan`: the saved plan that it is of; `why`: what made the program take a run back
    by itself; `verify`: the command that it has to pass."""

    groups: tuple[GroupText, ...] = ()
    plan: str = ""
    why: str = ""
    verify: str = ""

    @classmethod
    def of(
        cls,
        groups: Iterable[Group],
        needs: Mapping[str, Collection[str]] | None = None,
        plan: str = "",
        verify: str = "",
    ) -> RunText:
        """`needs`: by the id of a group, the ids of those that it cannot be made without."""
        return cls(
            tuple(
                GroupText(
                    group.id,
                    tuple(finding.message for finding in group.findings),
                    tuple(sorted((needs or {}).get(group.id, ()))),
                )
                for group in groups
            ),
            plan,
            verify=verify,
        )

    @classmethod
    def of_changes(cls, changes: Iterable[Change]) -> RunText:
        """Of all groups of these changes, each once."""
        return cls.of({group.id: group for change in changes for group in change.groups}.values())


@dataclass(frozen=True, slots=True)
class FileRecord:
    """One file of a run. None: it was not there, or is not there afterwards."""

    path: str  # relative to the run's root, without symbolic links
    existed: bool
    before: str | None  # sha256
    after: str | None  # sha256
    mode: int | None  # of the file before: who may read, write and run it
    mtime_ns: int | None


@dataclass(frozen=True, slots=True)
class RunRecord:
    """`number` counts the runs of a store, as ids of one second have no order."""

    id: str
    number: int
    tool_version: str
    started: str  # UTC, ISO 8601
    root: str  # the project's root, relative to the folder that the store belongs to
    undoes: str  # the id of the run that this one took back; "" for an `apply`
    what: RunText
    files: tuple[FileRecord, ...]


class RecordError(Exception):
    """Not a record of this version; the text says why."""


def sha256(data: bytes | None) -> str | None:
    return None if data is None else hashlib.sha256(data).hexdigest()


def dump(record: RunRecord) -> bytes:
    content = {"format": FORMAT, **_converter().unstructure(record)}
    return (json.dumps(content, indent=1) + "\n").encode("ascii")


def parse(data: bytes) -> RunRecord:
    """Raises RecordError. A record may come with a stranger's folder: paths that leave the project are refused, or that
    lead to what is not the project's, and modes that say more than who may read, write and run a file."""
    try:
        content = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise RecordError(f"not JSON: {error}") from error
    found = content.pop("format", None) if isinstance(content, dict) else None
    if found != FORMAT:
        raise RecordError(f"its format is {found!r}, this version reads {FORMAT}")
    try:
        record = _converter().structure(content, RunRecord)
    except Exception as error:  # cattrs raises groups of whatever a value's type raised
        from cattrs import transform_error

        raise RecordError("; ".join(transform_error(error)[:3])) from error
    if not RUN_ID.fullmatch(record.id):
        raise RecordError(f"{record.id!r} is no id of a run")
    try:
        aware = datetime.datetime.fromisoformat(record.started).utcoffset() is not None
    except ValueError:
        aware = False
    if not aware:
        raise RecordError(f"{record.started!r} is no time")
    for path in (record.root, *(file.path for file in record.files)):
        _check_path(path)
    for file in record.files:
        if not all(one is None or _SHA256.fullmatch(one) for one in (file.before, file.after)):
            raise RecordError(f"{file.path!r} has no right checksum")
        if file.existed is not (file.before is not None):
            raise RecordError(f"{file.path!r} contradicts itself")
        if file.mode is not None and not 0 <= file.mode <= PERMISSIONS:
            raise RecordError(f"{file.path!r} has the mode {file.mode:#o}")
        if file.mtime_ns is not None and not -_TIMES <= file.mtime_ns < _TIMES:
            raise RecordError(f"{file.path!r} has no right time")
    return record


def _check_path(path: str) -> None:
    pure = PurePath(path)
    if pure.is_absolute() or pure.anchor or ".." in pure.parts or "\0" in path:
        raise RecordError(f"{path!r} leads out of the project")
    if protected_part(path) is not None:
        raise RecordError(f"{path!r} leads to what is not the project's")
    try:
        os.fsencode(path)
    except UnicodeEncodeError as error:
        raise RecordError(f"{path!r} is no name of a file") from error


@cache
def _converter() -> Converter:
    from cattrs.preconf.json import make_converter  # heavy, and most who ask about runs find none

    converter = make_converter(forbid_extra_keys=True, detailed_validation=True)
    for type_ in (str, int, bool):
        converter.register_structure_hook(type_, _exactly(type_))
    return converter


def _exactly(type_: type) -> Any:
    def check(value: Any, _: type) -> Any:
        if type(value) is not type_:
            raise TypeError(f"{value!r} is no {type_.__name__}")
        return value

    return check
