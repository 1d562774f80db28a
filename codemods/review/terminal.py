"""What a person reads of a plan besides the patch: findings, what was left alone, the summary, the rule pages.

Every function gives text back and prints nothing. Names and source come out through `visible`, so that they can
neither move the cursor nor forge a line.
"""

from __future__ import annotations

import os
import re
import secrets
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from codemods.plan import End, Entry, Failure, Group, Level, Plan, Site
from codemods.review.visible import visible
from codemods.review.witnessed import seen_line
from codemods.review.words import ENDS, counted
from codemods.witness import Witness

_RED, _GREEN, _CYAN, _BOLD, _RESET = "\x1b[31m", "\x1b[32m", "\x1b[36m", "\x1b[1m", "\x1b[0m"
_HUNK = re.compile(r"@@ -\d+(?:,(\d+))? \+\d+(?:,(\d+))? @@")
_COMMAND = re.compile(r"^\s*::|##\[", re.MULTILINE)


class RuleText(Protocol):
    """What the tables and pages need of a rule."""

    @property
    def name(self) -> str: ...
    @property
    def summary(self) -> str: ...
    @property
    def level_text(self) -> str: ...
    @property
    def page(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Viewpoint:
    """Turns paths of a plan into paths as they are seen from the working directory. Both folders absolute."""

    root: str
    folder: str

    def path(self, path: str) -> str:
        """The path as a person would type it, whatever characters it holds."""
        seen = os.path.relpath(os.path.join(self.root, path), self.folder)
        return seen.replace(os.sep, "/")

    def __call__(self, path: str) -> str:
        """The path as it is shown on a line of text."""
        return visible(self.path(path))


def colour_wanted(choice: str, is_terminal: bool, environment: Mapping[str, str]) -> bool:
    """Whether to colour a stream, from `--color` (auto, always, never), NO_COLOR and FORCE_COLOR."""
    if choice != "auto":
        return choice == "always"
    if environment.get("NO_COLOR"):
        return False
    if environment.get("FORCE_COLOR", "0") not in ("", "0"):
        return True
    return is_terminal and environment.get("TERM") != "dumb"


def patch_for_eyes(patch: bytes, colour: bool) -> str:
    """A patch as a terminal shows it: control characters escaped, coloured like git's. Not for `git apply`."""
    return "".join(f"{line}\n" for line in _shown(patch, colour))


def _shown(patch: bytes, colour: bool) -> Iterator[str]:
    # Only the counts of the hunk tell a removed line `-- x` from a header `--- x`.
    old = new = 0
    for raw in patch.split(b"\n")[:-1]:
        line = visible(raw.removesuffix(b"\r").decode("utf-8", "backslashreplace"), keep="\t")
        paint = ""
        if old > 0 or new > 0:
            if line[:1] == "-":
                old, paint = old - 1, _RED
            elif line[:1] == "+":
                new, paint = new - 1, _GREEN
            elif line[:1] == " ":
                old, new = old - 1, new - 1
        elif hunk := _HUNK.match(line):
            old, new, paint = int(hunk[1] or "1"), int(hunk[2] or "1"), _CYAN
        elif line.startswith(("diff --git ", "--- ", "+++ ", "# ")):
            paint = _CYAN if line.startswith("# ") else _BOLD
        yield f"{paint}{line}{_RESET}" if colour and paint else line


def fenced(text: bytes) -> bytes:
    """Text that GitHub's runner prints without obeying it. The fence lines are noise to `git apply`."""
    token = secrets.token_hex(16).encode()
    return b"::stop-commands::" + token + b"\n" + text + b"::" + token + b"::\n"


def holds_command(text: str) -> bool:
    """Whether GitHub's runner would take a line of this text for a command."""
    return _COMMAND.search(text) is not None


def findings(plan: Plan, seen: Viewpoint, colour: bool = False, witness: Witness | None = None) -> str:
    """One line for each finding at or below the plan's level and for each place left alone, by place.

    Those that `witness` saw leaking come first, the most frequent before the others, each with a line about that.
    """
    witness = witness or Witness()
    lines = [(f.site, f.rule, f.level.label, f.message, f.reason, f.key) for g in plan.included for f in g.findings]
    lines += [(e.site, e.rule, Level.MANUAL.label, f"left alone: {_with_advice(e)}", "", e.key) for e in plan.refused]
    ranked = [(-witness.sessions(line[-1])[0], _place(line[0]), *line[1:]) for line in lines]
    out = []
    for _, (path, line, column), rule, level, message, reason, key in sorted(ranked):
        place = f"{seen(path)}:{line}:{column}"
        why = f" ({visible(reason)})" if reason else ""
        out.append(f"{_bold(place, colour)}: {rule} [{level}] {visible(message)}{why}\n{seen_line(witness, key)}")
    return "".join(out)


def left_alone(plan: Plan, seen: Viewpoint) -> str:
    """The places that cannot be edited, each with the reason; "" when there are none."""
    return _listing("Left alone", plan.refused, seen)


def held_back(plan: Plan, seen: Viewpoint) -> str:
    """The places that only the level, the selection, a decision or a comment keeps from an edit; "" when none."""
    held = _listing("Held back", plan.ledger.of(End.HELD_BACK), seen)
    return held + _listing("Suppressed", plan.ledger.of(End.SUPPRESSED), seen)


def not_handled(failures: Sequence[Failure], seen: Viewpoint) -> str:
    """The files that could not be read, parsed or rewritten; "" when there are none."""
    if not failures:
        return ""
    out = [f"Not handled ({len(failures)})\n"]
    for failure in sorted(failures):
        place = f"{seen(failure.path)}:{failure.line}" if failure.line else seen(failure.path)
        out.append(f"  {place}  {failure.stage}  {visible(failure.message)}\n")
    return "".join(out)


def summary(plan: Plan, seconds: float | None = None) -> str:
    """The ledger in a few lines whose numbers add up."""
    counts = plan.ledger.counts()
    took = f" in {seconds:.1f} s" if seconds is not None else ""
    failed = len({failure.path for failure in plan.failures})
    ends = [f"{counts[end]} {word}" for end, word in ENDS.items() if end is not End.KNOWN or counts[end]]
    return (
        f"{counted(plan.files_read, 'file')} read{took} · {counted(failed, 'file')} not handled\n"
        f"{counted(sum(counts.values()), 'place')} looked at: {', '.join(ends)}\n"
        f"{groups_line(plan.included)}\n"
    )


def groups_line(groups: Sequence[Group]) -> str:
    """How much the groups are: `37 groups (61 edits in 29 files): 30 safe, 7 review`."""
    if not groups:
        return "0 groups"
    edits = sum(group.edit_count for group in groups)
    files = len({path for group in groups for path in group.paths})
    levels = Counter(group.level for group in groups)
    named = ", ".join(f"{levels[level]} {level.label}" for level in sorted(levels))
    return f"{counted(len(groups), 'group')} ({counted(edits, 'edit')} in {counted(files, 'file')}): {named}"


def statistics(plan: Plan) -> str:
    """A table, one line for each rule: how many places came to which end."""
    ends = [end for end in End if end is not End.KNOWN or plan.ledger.of(end)]
    rows = Counter((entry.rule, entry.end) for entry in plan.ledger.entries)
    rules = sorted({rule for rule, _ in rows})
    width = max(len(name) for name in ["rule", "total", *rules])
    out = [f"{'rule':{width}}  " + "  ".join(end.value for end in ends) + "  total"]
    for rule in [*rules, "total"]:
        row = [sum(rows[name, end] for name in rules if rule in (name, "total")) for end in ends]
        cells = [f"{count:>{len(end.value)}}" for end, count in zip(ends, row, strict=True)]
        out.append(f"{rule:{width}}  " + "  ".join(cells) + f"  {sum(row):>5}")
    return "\n".join(out) + "\n"


def next_step(plan: Plan, command: str, review_command: str) -> str:
    """The last line of a dry run. The commands are the `apply` that writes what was shown, at each level."""
    if not plan.changes:
        return "Nothing was written; there is nothing to write.\n"
    levels = {group.level for group in plan.included}
    if levels == {Level.SAFE}:
        return f"Nothing was written. Next: {command}\n"
    if Level.SAFE not in levels:
        return f"Nothing was written. Next: {review_command}\n"
    return f"Nothing was written. Next: {command}   or, with the review ones, {review_command}\n"


def next_of_the_new(plan: Plan, command: str) -> str:
    """The last line of a dry run beside a baseline. `command` saves a plan of the same dry run to choose from, as
    `apply` would also write what was there before."""
    if not plan.included and not plan.refused:
        return "Nothing new. Nothing was written.\n"
    if not plan.changes:
        return "Nothing was written; of what is new there is nothing to write.\n"
    return f"Nothing was written. `apply` would also write what was there before; to choose: {command}\n"


def written(plan: Plan, groups: Sequence[Group] | None = None) -> str:
    """The last lines of an `apply`: what was done and what is left to do. `groups` are those that were written, when
    not all of the plan's level were."""
    files = counted(len(plan.changes), "file")
    made = plan.included if groups is None else groups
    nothing = "Nothing was written.\n" if plan.included else "Nothing to write at this level.\n"
    done = f"Wrote {files}: {groups_line(made)}\n" if plan.changes else nothing
    more = [group for group in plan.groups if group.level > plan.level]
    if more:
        done += f"Not written, because they are above --level {plan.level.label}: {groups_line(more)}\n"
    if plan.refused:
        done += f"Left for a person: {counted(len(plan.refused), 'place')} (check names them)\n"
    return done


def rule_table(rules: Sequence[RuleText], markdown: bool = False) -> str:
    """Every rule with its level and what it does, in the order in which they run."""
    if markdown:
        rows = [f"| `{rule.name}` | {_cell(rule.level_text)} | {_cell(rule.summary)} |" for rule in rules]
        return "\n".join(["| rule | level | what it does |", "| --- | --- | --- |", *rows]) + "\n"
    name = max((len(rule.name) for rule in rules), default=0)
    level = max((len(rule.level_text) for rule in rules), default=0)
    return "".join(f"{rule.name:{name}}  {rule.level_text:{level}}  {rule.summary}\n" for rule in rules)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _listing(title: str, entries: Sequence[Entry], seen: Viewpoint) -> str:
    if not entries:
        return ""
    rows = [(f"{seen(entry.site.path)}:{entry.site.line}", entry) for entry in sorted(entries, key=_by_place)]
    place = min(max(len(shown) for shown, _ in rows), 60)
    rule = max(len(entry.rule) for entry in entries)
    out = [f"{title} ({len(entries)})\n"]
    for shown, entry in rows:
        out.append(f"  {shown:{place}}  {entry.rule:{rule}}  {visible(_with_advice(entry))}\n")
    return "".join(out)


def _with_advice(entry: Entry) -> str:
    return f"{entry.text} -> {entry.advice}" if entry.advice else entry.text


def _by_place(entry: Entry) -> tuple[str, int, int, str]:
    return (*_place(entry.site), entry.rule)


def _place(site: Site) -> tuple[str, int, int]:
    return (site.path, site.line, site.column)


def _bold(text: str, colour: bool) -> str:
    return f"{_BOLD}{text}{_RESET}" if colour else text
