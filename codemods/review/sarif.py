"""The plan as a SARIF 2.1.0 log, for code scanning and editors. One run, plain ASCII, the same for the same plan.

Results are the findings at or below the plan's level, each place left alone, and what a comment suppresses. The fix of
a group stands at its first finding, and only there: who applies every fix of the log applies each group once. Each is
made for the files as they are, so two of them may want the same line: `apply` makes them together, SARIF cannot.

Columns are 1-based and count code points. Paths are relative to `%SRCROOT%`, whose address is not told.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from codemods.plan import UNUSED, Change, End, Entry, Fact, Failure, Finding, Group, Level, Plan, Site
from codemods.review.replacements import NEWLINES, Replacement, Rewriting, rewriting
from codemods.review.rule_page import as_markdown
from codemods.review.terminal import RuleText
from codemods.review.visible import encodable, visible
from codemods.review.words import counted

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
ROOT = "%SRCROOT%"
_STAGES = {
    "read": "A file could not be read.",
    "parse": "A file could not be parsed.",
    "examine": "A rule could not look at a file.",
    "compose": "The edits of a file could not be made.",
    "verify": "The result of the edits could not be read back.",
}

Json = dict[str, object]
Alone = Callable[[Group], Sequence[Change]]


def report(
    plan: Plan,
    tool_version: str,
    path: Callable[[str], str],
    rules: Sequence[RuleText],
    alone: Alone | None = None,
) -> str:
    """The log as text, with a final newline.

    `path` turns a path of the plan into the one below `%SRCROOT%`: from the top of the repository, where GitHub looks
    for it. `rules` are all that there are, whether they found something or not. `alone` gives the bytes of a group
    without any other one; without it there are no fixes. A group that makes a new file, which SARIF has no word for,
    has none.
    """
    fixes = {group.id: _fix(group, alone(group), path) for group in plan.included} if alone else {}
    log = _Log(path, {rule.name: index for index, rule in enumerate(rules)}, fixes)
    content: Json = {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": _driver(tool_version, rules)},
                "invocations": [
                    {
                        "executionSuccessful": not plan.failures,
                        "toolExecutionNotifications": [log.notification(one) for one in sorted(plan.failures)],
                    }
                ],
                "originalUriBaseIds": {ROOT: {"description": _message("The root of the checked out source.")}},
                "columnKind": "unicodeCodePoints",
                "newlineSequences": list(NEWLINES),
                "artifacts": _artifacts(fixes.values()),
                "results": log.results(plan),
            }
        ],
    }
    return json.dumps(content, indent=2) + "\n"


# --- what the run is ------------------------------------------------------------------------------------------------


def _driver(tool_version: str, rules: Sequence[RuleText]) -> Json:
    return {
        "name": "session-codemods",
        "version": tool_version,
        "rules": [*(_rule(rule) for rule in rules), _unused_rule()],
        "notifications": [_stage(name, told) for name, told in _STAGES.items()],
    }


def _rule(rule: RuleText) -> Json:
    page = rule.page.strip("\n") + "\n"
    return {
        "id": rule.name,
        "shortDescription": _message(rule.summary),
        "fullDescription": _message(page.partition("\n")[0] or rule.summary),
        "help": {**_message(page, keep="\n"), "markdown": _literal(visible(as_markdown(page), keep="\n"))},
        "defaultConfiguration": {"level": "warning"},
        "properties": {"tags": ["reliability", "sqlalchemy"], "trust": rule.level_text},
    }


def _unused_rule() -> Json:
    advice = "Delete the comment, or move it to the line of the finding: `# session-codemods: ignore[rule] reason`."
    told = _described("A comment that suppresses nothing.", advice)
    return {"id": UNUSED, **told, "defaultConfiguration": {"level": "note"}}


def _stage(name: str, told: str) -> Json:
    return {"id": name, **_described(told, f"{told} The other files were looked at; the run is not complete.")}


def _described(told: str, advice: str) -> Json:
    """What GitHub wants of whatever a log defines."""
    text = _message(told)
    return {
        "shortDescription": text,
        "fullDescription": text,
        "help": {**_message(advice), "markdown": _literal(advice)},
    }


# --- what was found -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Fix:
    content: Json
    encodings: dict[str, str]  # by the address of the file


@dataclass(frozen=True, slots=True)
class _Log:
    """What the parts of one log share."""

    path: Callable[[str], str]
    rules: dict[str, int]
    fixes: dict[str, _Fix | None]

    def results(self, plan: Plan) -> list[Json]:
        """Every result, by place."""
        found = [(one.site, self._finding(one, group)) for group in plan.included for one in group.findings]
        found += [(entry.site, self._left_alone(entry)) for entry in plan.refused]
        found += [(entry.site, self._suppressed(entry)) for entry in plan.ledger.of(End.SUPPRESSED)]
        return [result for _, result in sorted(found, key=lambda pair: pair[0])]

    def notification(self, failure: Failure) -> Json:
        """A file that could not be handled."""
        place = {"artifactLocation": _artifact(self.path(failure.path))}
        region = {"region": {"startLine": failure.line}} if failure.line > 0 else {}
        stage = {"descriptor": {"id": failure.stage}} if failure.stage in _STAGES else {}
        return {
            **stage,
            "level": "error",
            "message": _message(failure.message),
            "locations": [{"physicalLocation": {**place, **region}}],
        }

    def _finding(self, finding: Finding, group: Group) -> Json:
        reason = f" ({finding.reason})" if finding.reason else ""
        fix = self.fixes.get(group.id) if finding is group.findings[0] else None
        return {
            **self._named(finding.rule),
            "level": "warning",
            "message": _message(f"{finding.message}{reason}"),
            **self._placed(finding.site, finding.facts),
            "partialFingerprints": _fingerprint(finding.key),
            **({"fixes": [fix.content]} if fix else {}),
            "properties": {"trust": finding.level.label, "group": encodable(group.id)},
        }

    def _left_alone(self, entry: Entry) -> Json:
        told = f"{entry.text} -> {entry.advice}" if entry.advice else entry.text
        is_comment = entry.rule == UNUSED
        return {
            **self._named(entry.rule),
            "level": "note",
            "message": _message(told if is_comment else f"left alone: {told}"),
            **self._placed(entry.site),
            "partialFingerprints": _fingerprint(entry.key),
            "properties": {"trust": Level.MANUAL.label},
        }

    def _suppressed(self, entry: Entry) -> Json:
        return {
            **self._named(entry.rule),
            "level": "warning",
            "message": _message(entry.text),
            **self._placed(entry.site),
            "partialFingerprints": _fingerprint(entry.key),
            "suppressions": [{"kind": "inSource"}],
        }

    def _named(self, rule: str) -> Json:
        index = len(self.rules) if rule == UNUSED else self.rules.get(rule)
        return {"ruleId": encodable(rule), **({} if index is None else {"ruleIndex": index})}

    def _placed(self, site: Site, facts: Sequence[Fact] = ()) -> Json:
        location: Json = {
            "physicalLocation": {"artifactLocation": _artifact(self.path(site.path)), **_region(site)},
            "logicalLocations": [{"fullyQualifiedName": visible(site.function)}],
        }
        related = [
            {
                "id": number,
                "message": _message(fact.text),
                "physicalLocation": {
                    "artifactLocation": _artifact(self.path(fact.path)),
                    **({"region": {"startLine": fact.line}} if fact.line > 0 else {}),
                },
            }
            for number, fact in enumerate(dict.fromkeys(facts), 1)
        ]
        return {"locations": [location], **({"relatedLocations": related} if related else {})}


def _fingerprint(key: str) -> Json:
    return {"findingKey/v1": encodable(key)}


def _region(site: Site) -> Json:
    if site.line < 1:
        return {}
    region = _stretch(site.line, site.column, site.end_line, site.end_column)
    is_whole = site.column > 0 and (site.line, site.column) <= (site.end_line, site.end_column)
    return {"region": region if is_whole else {"startLine": site.line}}


def _stretch(line: int, column: int, end_line: int, end_column: int) -> Json:
    return {"startLine": line, "startColumn": column, "endLine": end_line, "endColumn": end_column}


def _artifact(path: str) -> Json:
    return {"uri": _address(path), "uriBaseId": ROOT}


def _address(path: str) -> str:
    """The path as a relative address; the bytes of a name that is not UTF-8 come out as they are."""
    return quote(os.fsencode(path), safe="/")


# --- fixes ----------------------------------------------------------------------------------------------------------


def _fix(group: Group, changes: Iterable[Change], path: Callable[[str], str]) -> _Fix | None:
    """The group as one fix; None when SARIF cannot tell it."""
    changed: list[Json] = []
    encodings: dict[str, str] = {}
    for change in changes:
        if change.before == change.after:
            continue
        rewritten = None if change.before is None else rewriting(change.before, change.after)
        if rewritten is None:
            return None
        where = _artifact(path(change.path))
        encodings[str(where["uri"])] = rewritten.encoding
        changed.append({"artifactLocation": where, "replacements": _replacements(rewritten)})
    if not changed:
        return None
    edits = counted(group.edit_count, "edit")
    files = f" in {len(changed)} files" if len(changed) > 1 else ""
    return _Fix({"description": _message(f"{edits}{files}: {group.id}"), "artifactChanges": changed}, encodings)


def _replacements(rewritten: Rewriting) -> list[Json]:
    return [_replacement(one) for one in rewritten.replacements]


def _replacement(one: Replacement) -> Json:
    region = _stretch(one.line, one.column, one.end_line, one.end_column)
    return {"deletedRegion": region, **({"insertedContent": {"text": one.text}} if one.text else {})}


def _artifacts(fixes: Iterable[_Fix | None]) -> list[Json]:
    """The files with a fix, each with its encoding: without it a fix could not be applied safely."""
    encodings = {uri: encoding for fix in fixes if fix for uri, encoding in fix.encodings.items()}
    return [
        {"location": {"uri": uri, "uriBaseId": ROOT}, "encoding": encoding, "sourceLanguage": "python"}
        for uri, encoding in sorted(encodings.items())
    ]


# --- texts ----------------------------------------------------------------------------------------------------------


def _message(told: str, keep: str = "") -> Json:
    # `[text](address)` is a link in every message; nothing else about a bracket is
    return {"text": _literal(visible(told, keep)).replace("](", "] (")}


def _literal(told: str) -> str:
    """SARIF keeps single braces for the arguments of a message."""
    return told.replace("{", "{{").replace("}", "}}")
