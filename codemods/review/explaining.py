"""What the rules decided at one line, and on what facts: the text of `explain FILE:LINE`. Prints nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from codemods.plan import UNUSED, End, Entry, Finding, Group, Plan
from codemods.review.terminal import RuleText, Viewpoint
from codemods.review.visible import visible
from codemods.review.words import word_of_reason

_ENDS = {
    End.CHANGED: "to be changed",
    End.RIGHT: "right as it is",
    End.REFUSED: "left alone",
    End.HELD_BACK: "held back",
    End.SUPPRESSED: "suppressed by a comment",
    End.KNOWN: "found before",
}


def explanation(plan: Plan, path: str, line: int, rules: Sequence[RuleText], seen: Viewpoint) -> str:
    """Every place of the ledger that line `line` of `path` (relative to the project's root) is part of, in the order of
    the rules; and the rules that looked at nothing there. `rules` are those that ran on the file."""
    entries = [one for one in plan.ledger.entries if one.site.path == path]
    here = [one for one in entries if one.site.line <= line <= one.site.end_line]
    made = {finding.key: (finding, group) for group in plan.groups for finding in group.findings}
    out: list[str] = []
    for name in (*(rule.name for rule in rules), UNUSED):
        for entry in here:
            if entry.rule == name:
                out += _entry(entry, made.get(entry.key), seen)
    out += [text for text in _edited(plan, path, line, here, seen) if text not in out]
    silent = [rule.name for rule in rules if all(one.rule != rule.name for one in here)]
    if silent:
        out.append(f"nothing to look at here: {', '.join(silent)}")
    if not here:
        near = sorted({one.site.line for one in entries}, key=lambda one: (abs(one - line), one))[:3]
        if near:
            places = ", ".join(f"{seen(path)}:{one}" for one in sorted(near))
            out.append(f"the nearest places that were looked at: {places}")
    return "".join(f"{text}\n" for text in out)


def _entry(entry: Entry, made: tuple[Finding, Group] | None, seen: Viewpoint) -> Iterator[str]:
    site = entry.site
    yield f"{seen(site.path)}:{site.line}:{site.column}  {entry.rule}  {_ENDS[entry.end]}  in {visible(site.function)}"
    if made is None:
        yield f"  {'why' if entry.end is not End.RIGHT else 'because'}: {visible(entry.text)}"
        if entry.advice:
            yield f"  by hand: {visible(entry.advice)}"
        return
    finding, group = made
    yield f"  {finding.level.label}: {visible(finding.message)}"
    if finding.reason:
        yield f"  {word_of_reason(finding)}: {visible(finding.reason)}"
    for fact in finding.facts:
        yield f"  {seen(fact.path)}:{fact.line}  {visible(fact.text)}"
    for rule, path, line in finding.requires_at:
        yield f"  only together with {rule} at {seen(path)}:{line}"
    others = [other for other in group.findings if other.key != finding.key]
    yield f"  group {visible(group.id)}: {len(finding.edits)} of its {group.edit_count} edits are of this place"
    for other in others:
        yield f"  with it: {other.rule} at {seen(other.site.path)}:{other.site.line}  {visible(other.message)}"


def _edited(plan: Plan, path: str, line: int, here: Sequence[Entry], seen: Viewpoint) -> Iterator[str]:
    """Findings of other places that edit this file: a task's function, the import of a name."""
    told = {entry.key for entry in here}
    for group in plan.groups:
        for finding in group.findings:
            if finding.key in told or finding.site.path == path:
                continue
            lines = {getattr(edit, "line", 0) for edit in finding.edits if edit.path == path}
            lines |= {edit.span.line for edit in finding.edits if edit.path == path and hasattr(edit, "span")}
            if line in lines:
                place = f"{seen(finding.site.path)}:{finding.site.line}"
                yield f"edited from {place}  {finding.rule}  {finding.level.label}: {visible(finding.message)}"
