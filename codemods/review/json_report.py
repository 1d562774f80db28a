"""The plan as one JSON object, for programs. Paths as seen from the working directory; lines and columns 1-based.

A name that is not UTF-8 comes out with its odd bytes as `\\xNN`, so the text is valid JSON whatever was
read; it is plain ASCII, so no terminal and no encoding can spoil it.
"""

from __future__ import annotations

import json
from collections.abc import Callable

from codemods.plan import Change, End, Entry, Failure, Finding, Group, Level, Plan, Site
from codemods.review.visible import encodable
from codemods.review.witnessed import seen_json, unexplained_json
from codemods.witness import Witness

FORMAT_VERSION = 1

Json = dict[str, object]


def report(
    plan: Plan,
    tool_version: str,
    path: Callable[[str], str],
    with_changes: bool = False,
    witness: Witness | None = None,
) -> str:
    """The object as text, with a final newline.

    `path` turns a path of the plan into the one to print. `findings` holds what would be edited at or below the
    plan's level, and each place left alone at level "manual"; `ledger.entries` holds every place looked at.
    `with_changes` adds which files would change, by which groups; `new` is said of those that are not there yet.
    `witness` adds `seen` to each finding, null where it was not seen leaking, and `not_found`: what was seen leaking
    and no finding explains.
    """
    found = [(finding.site, _finding(finding, group, path)) for group in plan.included for finding in group.findings]
    found += [(entry.site, _refusal(entry, path)) for entry in plan.refused]
    found.sort(key=lambda pair: pair[0])
    if witness is not None:
        found = [(site, {**finding, "seen": seen_json(witness, str(finding["key"]))}) for site, finding in found]
        found.sort(key=lambda pair: -witness.sessions(str(pair[1]["key"]))[0])
    counts = plan.ledger.counts()
    content: Json = {
        "version": FORMAT_VERSION,
        "tool": {"name": "session-codemods", "version": tool_version},
        "level": plan.level.label,
        "files_read": plan.files_read,
        "findings": [finding for _, finding in found],
        "groups": [_group(group, plan, path) for group in plan.groups],
        "ledger": {
            "sites": sum(counts.values()),
            "counts": {end.value: count for end, count in counts.items() if count or end is not End.KNOWN},
            "entries": [_entry(entry, path) for entry in plan.ledger.entries],
        },
        "failures": [_failure(failure, path) for failure in sorted(plan.failures)],
    }
    if witness is not None:
        content |= unexplained_json(witness, path)
    if with_changes:
        content["changes"] = [_change(change, path) for change in plan.changes]
    return json.dumps(_clean(content), indent=2) + "\n"


def _place(site: Site, path: Callable[[str], str]) -> Json:
    return {
        "path": path(site.path),
        "line": site.line,
        "column": site.column,
        "end_line": site.end_line,
        "end_column": site.end_column,
        "function": site.function,
    }


def _finding(finding: Finding, group: Group, path: Callable[[str], str]) -> Json:
    return {
        "key": finding.key,
        "rule": finding.rule,
        "level": finding.level.label,
        **_place(finding.site, path),
        "message": finding.message,
        "reason": finding.reason,
        "facts": [{"path": path(fact.path), "line": fact.line, "text": fact.text} for fact in finding.facts],
        "group": group.id,
    }


def _refusal(entry: Entry, path: Callable[[str], str]) -> Json:
    return {
        "key": entry.key,
        "rule": entry.rule,
        "level": Level.MANUAL.label,
        **_place(entry.site, path),
        "message": f"left alone: {entry.text}",
        "reason": entry.text,
        "advice": entry.advice,
        "facts": [],
        "group": entry.group or None,
    }


def _group(group: Group, plan: Plan, path: Callable[[str], str]) -> Json:
    return {
        "id": group.id,
        "level": group.level.label,
        "included": group.level <= plan.level,
        "paths": [path(one) for one in group.paths],
        "edits": group.edit_count,
        "findings": [finding.key for finding in group.findings],
    }


def _entry(entry: Entry, path: Callable[[str], str]) -> Json:
    place = _place(entry.site, path)
    return {"end": entry.end.value, "rule": entry.rule, **place, "text": entry.text, "group": entry.group or None}


def _failure(failure: Failure, path: Callable[[str], str]) -> Json:
    line = failure.line or None
    return {"path": path(failure.path), "stage": failure.stage, "message": failure.message, "line": line}


def _change(change: Change, path: Callable[[str], str]) -> Json:
    is_new: Json = {"new": True} if change.before is None else {}
    return {"path": path(change.path), **is_new, "groups": [group.id for group in change.groups]}


def _clean(value: object) -> object:
    match value:
        case str():
            return encodable(value)
        case dict():
            return {key: _clean(item) for key, item in value.items()}
        case list():
            return [_clean(item) for item in value]
        case _:
            return value
