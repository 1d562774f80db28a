"""What a saved plan gives for a chosen set of its groups: bytes before and after, and how it stands to the files.

Composes from the bytes that the plan holds, so that what is left out changes nothing of what is made. Reads the files
of the project for `present`; writes nothing.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from codemods.batches import changed
from codemods.plan import Change, Group
from codemods.saved_plan import AppliedRun, Present, SavedPlan, histories
from codemods.transformers.compose import ComposeError, compose
from codemods.transformers.create_file import create

__all__ = ["ComposeError", "Composer", "changes", "contents", "otherwise", "present", "remaining"]


def contents(plan: SavedPlan, groups: Iterable[Group], paths: Collection[str] | None = None) -> dict[str, bytes | None]:
    """What the files that the groups touch hold with just these groups made; of `paths` alone when given.

    None: the file is not there. Raises ComposeError, which names the line, where the groups cannot be made together.
    """
    touching = _by_path(groups)
    return {path: _content(plan, path, touching[path]) for path in sorted(touching if paths is None else set(paths))}


class Composer:
    """`contents` of the same files again and again, where `made` are made already: no state of a file is composed
    twice. For those who go through the groups one by one, or by halves, in any order: what is made is made in the order
    of the plan, so that parts come to the same as all at once, and `present` finds them."""

    def __init__(self, plan: SavedPlan, paths: Iterable[str], made: Iterable[Group] = ()) -> None:
        self._plan, self._paths, self._made = plan, sorted(set(paths)), tuple(made)
        self._place = {group.id: place for place, group in enumerate(plan.groups)}
        self._known: dict[tuple[str, tuple[str, ...]], bytes | None] = {}  # by the path and the ids of what edits it

    def __call__(self, groups: Iterable[Group]) -> dict[str, bytes | None]:
        """All of the files with these groups made, too. Raises ComposeError."""
        touching = _by_path(sorted((*self._made, *groups), key=lambda group: self._place[group.id]))
        return {path: self._content(path, touching.get(path, ())) for path in self._paths}

    def _content(self, path: str, touching: Sequence[Group]) -> bytes | None:
        state = path, tuple(group.id for group in touching)
        if state not in self._known:
            self._known[state] = _content(self._plan, path, touching)
        return self._known[state]


def _by_path(groups: Iterable[Group]) -> defaultdict[str, list[Group]]:
    """The groups that edit each file, in their order."""
    touching: defaultdict[str, list[Group]] = defaultdict(list)
    for group in groups:
        for path in group.paths:
            touching[path].append(group)
    return touching


def _content(plan: SavedPlan, path: str, touching: Iterable[Group]) -> bytes | None:
    findings = [finding for group in touching for finding in group.findings]
    edits = [edit for finding in findings for edit in finding.edits if edit.path == path]
    requests = [asked for finding in findings for asked in finding.requests if asked.path == path]
    saved = plan.file(path)
    if saved is None:
        return create(edits) if edits else None
    return compose(saved.source, edits, requests) if edits or requests else saved.data


def changes(plan: SavedPlan, groups: Iterable[Group], made_before: Iterable[Group] = ()) -> tuple[Change, ...]:
    """The files that change when the groups are made where `made_before` are made already. Raises ComposeError."""
    chosen = list(groups)
    composed = Composer(plan, (path for group in chosen for path in group.paths), made_before)
    return changed(composed(()), composed(chosen), chosen)


def otherwise(plan: SavedPlan, groups: Iterable[Group]) -> tuple[str, ...]:
    """The files of these groups in which all of the plan gives something else than it did when the plan was made.

    Then this is another version of the tool, or the plan was changed: what was reviewed is not what would be written.
    """
    found = []
    for path in sorted({path for group in groups for path in group.paths}):
        saved = plan.file(path)
        if saved is None:
            continue
        try:
            now = contents(plan, plan.included, [path])[path]
        except (ComposeError, UnicodeError, LookupError):
            now = None
        if now is None or hashlib.sha256(now).hexdigest() != saved.after:
            found.append(path)
    return tuple(found)


def present(plan: SavedPlan, root: Path, known: Iterable[AppliedRun] = ()) -> Present:
    """How the plan stands to the files under `root`: which of its runs are in them, and which files changed otherwise.

    `known` are runs that may have written groups of the plan, besides those that it knows of. What is in a file is told
    by its bytes alone, for each file by itself: runs are taken back one by one, and files by git.
    """
    named = {run.run for run in plan.applied}
    runs = (*plan.applied, *(run for run in known if run.run not in named))
    by_path = _by_path(plan.groups)
    here = {path: _Here.of(plan, runs, root, path, by_path[path]) for path in sorted(by_path)}
    stale = {path: one.stale for path, one in here.items() if one.stale}
    made: set[str] = set()
    applied, gone = [], set()
    for run in runs:
        whole = []
        groups = {group.id: group for group in remaining(plan, [run])}
        for name in dict.fromkeys(run.groups):
            paths = groups[name].paths if name in groups else ()
            there = [path for path in paths if run in here[path].runs]
            if there:
                made.add(name)
            if there and len(there) == len(paths):
                whole.append(name)
        if whole:
            applied.append(AppliedRun(run.run, tuple(whole)))
        elif not any(run in here[path].runs or path in stale for group in groups.values() for path in group.paths):
            gone.add(run.run)
    for group in plan.groups:
        if group.id in made:
            for path in group.paths:
                if path not in stale and group.id not in here[path].groups:
                    stale[path] = f"{path}: {group.id} was taken back there, and not in its other files"
    return Present(tuple(applied), stale, frozenset(made), frozenset(gone & named))


def remaining(plan: SavedPlan, applied: Iterable[AppliedRun]) -> tuple[Group, ...]:
    """The groups of the plan that are in the files with these runs, in the order of the plan."""
    ids = {one for run in applied for one in run.groups}
    return tuple(group for group in plan.groups if group.id in ids)


@dataclass(frozen=True, slots=True)
class _Here:
    """One file as it is now: the runs that are in it, or why none can be told."""

    path: str
    runs: tuple[AppliedRun, ...]
    stale: str = ""

    @property
    def groups(self) -> frozenset[str]:
        """The ids of the groups of these runs."""
        return frozenset(one for run in self.runs for one in run.groups)

    @classmethod
    def of(cls, plan: SavedPlan, runs: Iterable[AppliedRun], root: Path, path: str, editing: Iterable[Group]) -> _Here:
        """`editing` are the groups of the plan that edit the file."""
        by_id = {group.id: group for group in editing}
        touching = [run for run in runs if not by_id.keys().isdisjoint(run.groups)]
        found = _read(root, path)
        if isinstance(found, OSError):
            return cls(path, (), f"{path} cannot be read: {found.strerror or found}")
        wanted: list[bytes | None] = []
        for history in histories(touching):
            try:
                made = {one for run in history for one in run.groups}
                wanted.append(_content(plan, path, [group for name, group in by_id.items() if name in made]))
            except (ComposeError, UnicodeError, LookupError) as error:
                return cls(path, (), f"what the plan holds of {path} is damaged: {error}")
            if wanted[-1] == found:
                return cls(path, history)
        if found is None:
            return cls(path, (), f"{path} is not there any more")
        if wanted == [None]:
            return cls(path, (), f"{path} is there already")
        since = f"run {touching[-1].run} wrote it" if touching else "the plan was made"
        return cls(path, (), f"{path} changed since {since}")


def _read(root: Path, path: str) -> bytes | OSError | None:
    try:
        return (root / path).read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        return error
