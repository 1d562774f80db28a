"""What a saved plan gives for a chosen set of its groups: bytes before and after, and how it stands to the files.

Composes from the bytes that the plan holds, so that what is left out changes nothing of what is made. Reads the files
of the project for `present`; writes nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from codemods.plan import Change, CreateFile, Group
from codemods.saved_plan import AppliedRun, Present, SavedPlan, candidates
from codemods.transformers.compose import ComposeError, compose
from codemods.transformers.create_file import create

__all__ = ["ComposeError", "changes", "contents", "creates", "present", "remaining"]


def contents(plan: SavedPlan, groups: Iterable[Group], paths: Collection[str] | None = None) -> dict[str, bytes | None]:
    """What the files that the groups touch hold with just these groups made; of `paths` alone when given.

    None: the file is not there. Raises ComposeError, which names the line, where the groups cannot be made together.
    """
    touching = _by_path(groups)
    return {path: _content(plan, path, touching[path]) for path in sorted(touching if paths is None else set(paths))}


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
    chosen, earlier = list(groups), list(made_before)
    paths = {path for group in chosen for path in group.paths}
    before = contents(plan, earlier, paths)
    after = contents(plan, [*earlier, *chosen], paths)
    found = []
    for path in sorted(paths):
        new = after[path]
        if new is not None and new != before[path]:
            found.append(Change(path, before[path], new, tuple(group for group in chosen if path in group.paths)))
    return tuple(found)


def present(plan: SavedPlan, root: Path) -> Present:
    """How the plan stands to the files under `root`: which of its runs are in them, and which files changed otherwise.

    The longest history of runs is taken that fits the most files: `undo` takes the last runs back first.
    """
    now = {path: _read(root, path) for path in sorted({path for group in plan.groups for path in group.paths})}
    best: tuple[int, tuple[AppliedRun, ...], dict[str, str]] | None = None
    for history in candidates(plan):
        stale = _stale(plan, history, now)
        if best is None or len(stale) < best[0]:
            best = len(stale), history, stale
        if not stale:
            break
    assert best is not None  # no run at all is a history, too
    _, applied, stale = best
    there = {path: data for path, data in now.items() if path not in stale and isinstance(data, bytes)}
    return Present(applied, stale, there)


def remaining(plan: SavedPlan, applied: Iterable[AppliedRun]) -> tuple[Group, ...]:
    """The groups of the plan that are in the files with these runs, in the order of the plan."""
    ids = {one for run in applied for one in run.groups}
    return tuple(group for group in plan.groups if group.id in ids)


def _stale(
    plan: SavedPlan, history: tuple[AppliedRun, ...], now: Mapping[str, bytes | OSError | None]
) -> dict[str, str]:
    made = _by_path(remaining(plan, history))
    stale: dict[str, str] = {}
    for path, found in now.items():
        if isinstance(found, OSError):
            stale[path] = f"{path} cannot be read: {found.strerror or found}"
            continue
        try:
            wanted = _content(plan, path, made[path])
        except (ComposeError, UnicodeError, LookupError) as error:
            stale[path] = f"what the plan holds of {path} is damaged: {error}"
            continue
        if found == wanted:
            continue
        if found is None:
            stale[path] = f"{path} is not there any more"
        elif wanted is None:
            stale[path] = f"{path} is there already"
        else:
            stale[path] = f"{path} changed since the plan was made"
    return stale


def _read(root: Path, path: str) -> bytes | OSError | None:
    try:
        return (root / path).read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        return error


def creates(group: Group) -> tuple[str, ...]:
    """The files that a group makes anew."""
    edits = [edit for finding in group.findings for edit in finding.edits]
    return tuple(sorted({edit.path for edit in edits if isinstance(edit, CreateFile)}))
