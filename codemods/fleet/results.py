"""The folder of results: a folder for each repository, and the summary of the whole run.

Writes `NAME/plan.json`, `NAME/fix.patch`, `NAME/result.json` and `summary.json`, each whole or not at all, and nothing
that is not its own: no link is followed, no plan with answers of a review and no other file is written over.
`result.json` comes last and is taken back first: where it has a key, the two others belong to it.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import codemods
from codemods.fleet.values import FleetError, Options, Outcome, Result, Summary
from codemods.plan import Failure

PLAN, PATCH, RESULT, SUMMARY, LOCK = "plan.json", "fix.patch", "result.json", "summary.json", "fleet.lock"
RESERVED = (SUMMARY, LOCK)
"""Names that no repository's folder may have."""
_FORMAT = 1
_TOOL = "session-codemods"
_PART = ".part"


class NotWritten(Exception):
    """The results of one repository cannot be written. The text says why."""


@contextlib.contextmanager
def opened(folder: Path, places: Sequence[tuple[str, str]]) -> Iterator[Results]:
    """The folder, made if it is not there, for this run alone; `places` are the repositories: name and path.

    Raises FleetError when it cannot be written, holds a summary that is not of this tool, is being written by another
    run, or lies within one of the repositories.
    """
    from filelock import FileLock, Timeout

    try:
        folder.mkdir(parents=True, exist_ok=True)
        top = folder.resolve(strict=True)
    except (OSError, RuntimeError) as error:
        raise FleetError(f"{folder}: no folder can be made there: {_why(error)}") from error
    if not os.access(top, os.W_OK | os.X_OK):
        raise FleetError(f"{folder}: cannot be written")
    for name, path in places:
        if top.is_relative_to(path) or str(top / name) == path:
            raise FleetError(f"{folder}: the results would be written into the repository {path}; name another folder")
    if os.path.lexists(top / SUMMARY) and _ours(top / SUMMARY) is None:
        raise FleetError(f"{folder / SUMMARY} is not of this tool, and would be written over; name another folder")
    if os.path.islink(top / LOCK):  # locking would empty the file that it leads to
        raise FleetError(f"{folder / LOCK} is a link; remove it")
    lock = FileLock(top / LOCK, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise FleetError(f"{folder}: another run is writing there; wait for it, or name another folder") from None
    except OSError as error:
        raise FleetError(f"{folder}: cannot be written: {_why(error)}") from error
    try:
        yield Results(top)
    finally:
        lock.release()


class Results:
    """What earlier runs left, and where this one writes. Only one run has it at a time."""

    def __init__(self, folder: Path) -> None:
        """`folder` is there, without links in its path."""
        self.folder = folder

    def check(self, name: str) -> None:
        """Raises NotWritten where the results of a repository of this name would meet something else."""
        place = self.folder / name
        if not os.path.lexists(place):
            return
        if not _is(place, stat.S_ISDIR):
            raise NotWritten(f"{place} is no folder, and the results would go there")
        try:
            there = [one for one in os.listdir(place) if not one.endswith(_PART)]
        except OSError as error:
            raise NotWritten(f"{place} cannot be read: {_why(error)}") from error
        if there and _ours(place / RESULT) is None:
            raise NotWritten(f"{place} holds something that is not of this tool; name another folder for the results")

    def known(self, name: str) -> Result | None:
        """The whole result that an earlier run left."""
        place = self.folder / name
        content = _ours(place / RESULT)
        if content is None or not all(_is(place / one, stat.S_ISREG) for one in (PLAN, PATCH)):
            return None
        try:
            result = _result(content)
        except (AttributeError, KeyError, TypeError, ValueError):
            return None
        return result if result.key else None

    def put(self, name: str, result: Result, plan: bytes, patch: bytes) -> None:
        """Write the result of a repository. Raises NotWritten; then what was there still is, or is known to be none."""
        self.check(name)
        place = self.folder / name
        self._check_plan(place / PLAN)
        try:
            place.mkdir(exist_ok=True)
            _write(place / RESULT, _json({"state": "being written"}))
            _write(place / PLAN, plan)
            _write(place / PATCH, patch)
            _write(place / RESULT, _json(asdict(result)))
        except OSError as error:
            raise NotWritten(f"{place} cannot be written: {_why(error)}") from error

    def _check_plan(self, file: Path) -> None:
        from codemods import plan_file

        if not os.path.lexists(file):
            return
        if not _is(file, stat.S_ISREG):
            raise NotWritten(f"{file} is no file, and the plan would go there")
        try:
            has_answers = bool(plan_file.load(file).decisions)
        except plan_file.PlanFileError as error:
            raise NotWritten(f"{error}; it could hold answers, so it is not written over: remove it") from error
        if has_answers:
            raise NotWritten(
                f"{file} holds answers of a review, and the code is another one now;"
                " `review --rebase` carries them over, or name another folder"
            )

    def put_summary(self, summary: Summary, options: Options) -> None:
        """Write the summary. Raises FleetError."""
        whole = {
            "whole": summary.whole,
            "options": {**asdict(options), "level": options.level.label},
            "repositories": [self._told(one) for one in summary.outcomes],
        }
        try:
            _write(self.folder / SUMMARY, _json(whole))
        except OSError as error:
            raise FleetError(f"{self.folder / SUMMARY}: cannot be written: {_why(error)}") from error

    def _told(self, outcome: Outcome) -> dict[str, object]:
        told: dict[str, object] = {
            "name": outcome.name,
            "path": outcome.path,
            "state": outcome.state.value,
            "message": outcome.message,
        }
        if (result := outcome.result) is not None:
            told |= {"plan": f"{outcome.name}/{PLAN}", "patch": f"{outcome.name}/{PATCH}", "apply_in": result.base}
            told |= {"files": result.files, "lines": result.lines, "places": result.places, "ends": dict(result.ends)}
            told |= {"safe": result.safe, "review": result.review, "left_alone": result.left_alone}
            told |= {"groups": result.groups, "seconds": result.seconds, "root": result.root}
            told["failures"] = [asdict(one) for one in result.failures]
        return told


def _result(content: Mapping[str, Any]) -> Result:
    """Raises AttributeError, KeyError, TypeError and ValueError for what is none."""
    ends = {str(end): _count(count) for end, count in content["ends"].items()}
    failures = [
        Failure(str(one["path"]), str(one["stage"]), str(one["message"]), _count(one["line"]))
        for one in content["failures"]
    ]
    return Result(
        key=str(content["key"]),
        tool_version=str(content["tool_version"]),
        root=str(content["root"]),
        base=str(content["base"]),
        files=_count(content["files"]),
        lines=_count(content["lines"]),
        ends=ends,
        safe=_count(content["safe"]),
        review=_count(content["review"]),
        groups=_count(content["groups"]),
        failures=tuple(failures),
        seconds=float(content["seconds"]),
    )


def _count(value: object) -> int:
    if type(value) is not int:
        raise TypeError(f"{value!r} is no count")
    return value


def _json(content: Mapping[str, object]) -> bytes:
    whole = {"format": _FORMAT, "tool": _TOOL, "tool_version": codemods.__version__, **content}
    return (json.dumps(whole, indent=2) + "\n").encode()


def _ours(file: Path) -> dict[str, Any] | None:
    """What a file of this tool holds; None for any other, and for what is none."""
    if not _is(file, stat.S_ISREG):
        return None
    try:
        content = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(content, dict) or content.get("tool") != _TOOL or "format" not in content:
        return None
    return content if content["format"] == _FORMAT else {}


def _is(path: Path, kind: Any) -> bool:
    """Whether something of this kind is there itself, not only a link to it."""
    try:
        return bool(kind(path.lstat().st_mode))
    except OSError:
        return False


def _write(file: Path, data: bytes) -> None:
    """All of it or nothing. Whoever reads meanwhile sees the old content or the new one. Raises OSError."""
    part = file.with_name(f".{file.name}{_PART}")  # one that was left is ours: no other run is at work in here
    with contextlib.suppress(FileNotFoundError):
        part.unlink()
    try:
        with open(part, "xb") as opened_file:
            opened_file.write(data)
            opened_file.flush()
            os.fsync(opened_file.fileno())
        os.replace(part, file)
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink()
        raise


def _why(error: BaseException) -> str:
    return getattr(error, "strerror", None) or str(error)
