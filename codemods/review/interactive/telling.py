"""What a reviewer reads. Every function gives text back and prints nothing; names and source come out `visible`.

Plain texts stand for themselves when they are read aloud: words instead of signs, one thing on each line.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from codemods.plan import Change, Fact, Finding, Group
from codemods.review import patch, terminal
from codemods.review.interactive.commands import Command
from codemods.review.interactive.reviewing import Reviewing
from codemods.review.terminal import Viewpoint
from codemods.review.visible import visible
from codemods.review.words import counted, extent, word_of_reason
from codemods.saved_plan import Decision, SavedPlan, Verdict

_LINE_END = re.compile(r"\r\n|\r|\n")
_NAMED = 10  # stale groups that are named one by one
_BOLD, _RESET = "\x1b[1m", "\x1b[0m"
_KEYS = (
    "y accept, n refuse, N with a note, a all of this rule, d rest of this file, s skip, w why, u undo,"
    " / find, q quit, ? help"
)
_WORDS = "Type accept, refuse, rule, file, skip, why, undo, find, quit or help, and Enter."
_KEYS_AT_END = "u undo, / find, s the ones left open, q quit, ? help"
_WORDS_AT_END = "Type undo, find, skip for the ones left open, quit or help, and Enter."


@dataclass(frozen=True, slots=True)
class Voice:
    """How things are told: paths as seen from the working directory, in colour or not, in keys or in plain words."""

    seen: Viewpoint
    colour: bool = False
    plain: bool = False

    def strong(self, text: str) -> str:
        return f"{_BOLD}{text}{_RESET}" if self.colour else text


def group(now: Reviewing, shown: Group, changes: Callable[[Group], Sequence[Change]], voice: Voice) -> str:
    """A group as it is asked about: which, where, why, and the diff of all its files."""
    title = f"Group {now.place + 1} of {len(now.order)}: {visible(shown.id)}"
    answer = decision(now.plan.decision(shown))
    lines = [voice.strong(title), f"  {extent(shown)}, level {shown.level.label}, {answer}"]
    needed = [f"{visible(one.id)} ({now.plan.decision(one).verdict})" for one in now.plan.needs(shown)]
    lines += [f"  needs: {', '.join(needed)}"] if needed else []
    for finding in shown.findings:
        lines += _finding(finding, voice)
    return "".join(f"{line}\n" for line in lines) + _diff(shown, changes, voice)


def decision(one: Decision) -> str:
    """A decision in words, with who made it, when, and the note."""
    by = f" by {visible(one.by)}" if one.by else ""
    at = f" at {visible(one.at)}" if one.at else ""
    note = f", note: {visible(one.note)}" if one.note else ""
    return f"{one.verdict}{by}{at}{note}"


def prompt(now: Reviewing, voice: Voice) -> str:
    """The lines that end with where the answer is typed. Plain: a line of its own, so that it is read whole."""
    place = f"{now.place + 1} of {len(now.order)}" if now.group is not None else "end"
    if voice.plain:
        return f"{_WORDS if now.group is not None else _WORDS_AT_END}\n"
    keys = _KEYS if now.group is not None else _KEYS_AT_END
    return f"{keys}\n{voice.strong(f'[{place}, {len(now.open)} open]')} "


def end(now: Reviewing) -> str:
    """What is told behind the last group."""
    left = len(now.open)
    if not now.order:
        return "No group to show.\n"
    if not left:
        return "All groups are decided.\n"
    return f"That was the last group; {left} {'is' if left == 1 else 'are'} left open.\n"


def help_text(voice: Voice) -> str:
    """All commands, and how they are typed."""
    lines = []
    for command in Command:
        typed = ", ".join((*command.words, command.key)) if voice.plain else command.key
        lines.append(f"  {typed}: {command.meaning}\n" if voice.plain else f"  {typed}  {command.meaning}\n")
    if voice.plain:
        lines.append("  A text behind refuse is the note; a text behind find is what to find.\n")
    return "".join(lines)


def why(plan: SavedPlan, shown: Group, pages: Mapping[str, str], voice: Voice) -> str:
    """What a group rests on: each finding with its facts and the source they stand in, and the pages of its rules."""
    out = []
    for finding in shown.findings:
        out += _finding(finding, voice, plan)
        out += [f"    function: {visible(finding.site.function)}"] if finding.site.function else []
        out += [f"    by hand: {visible(finding.advice)}"] if finding.advice else []
    for rule in dict.fromkeys(finding.rule for finding in shown.findings):
        if page := pages.get(rule, "").strip("\n"):
            out += ["", voice.strong(f"Rule {visible(rule)}"), *page.split("\n")]
    return "".join(f"{line}\n" for line in out)


def left_out(stale: Sequence[tuple[Group, str]], written: int, command: str) -> str:
    """The groups that are not shown because they cannot be written any more, or are written already."""
    out = ""
    if written:
        out += f"Applied already, not shown: {counted(written, 'group')}.\n"
    if stale:
        out += f"Stale, not shown: {counted(len(stale), 'group')}.\n"
        out += "".join(f"  {visible(group.id)}: {visible(reason)}\n" for group, reason in stale[:_NAMED])
        out += f"  and {len(stale) - _NAMED} more\n" if len(stale) > _NAMED else ""
        out += f"To carry the answers over to the present code: {command}\n"
    return out


@dataclass(frozen=True, slots=True)
class Commands:
    """What can be typed next, as one would type it."""

    review: str
    apply: str
    rebase: str


def summary(plan: SavedPlan, shown: Sequence[str], stale: Mapping[str, str], commands: Commands) -> str:
    """The last lines: how all groups of the plan stand, which adds up, and what to type next."""
    undecided = plan.included
    written = [group for group in undecided if group.id in plan.written]
    gone = [group for group in undecided if group.id in stale and group.id not in plan.written]
    out = {group.id for group in (*written, *gone)}
    count = {
        verdict: sum(plan.decision(group).verdict is verdict for group in undecided if group.id not in out)
        for verdict in Verdict
    }
    accepted, refused, left = count[Verdict.ACCEPTED], count[Verdict.REFUSED], count[Verdict.OPEN]
    line = f"{counted(len(undecided), 'group')}: {accepted} accepted, {refused} refused, {left} open"
    line += f", {len(written)} applied" if written else ""
    line += f", {len(gone)} stale" if gone else ""
    line += f" ({len(shown)} in this review)" if len(shown) != len(undecided) - len(out) else ""
    if accepted:
        following = commands.apply
    elif left:
        following = commands.review
    else:
        following = commands.rebase if gone else ""
    next_line = f"Next: {following}\n" if following else ""
    line += "".join(
        f"\n{visible(one.id)} is accepted, but needs {visible(needed.id)}, which is {plan.decision(needed).verdict}"
        for one, needed in plan.unmet()
    )
    return f"{line}\nThe answers are in the plan; no file of the project was written.\n{next_line}"


def _finding(finding: Finding, voice: Voice, plan: SavedPlan | None = None) -> list[str]:
    site = finding.site
    lines = [
        f"  {voice.seen(site.path)}:{site.line}  {visible(finding.rule)}, {finding.level.label}",
        f"    {visible(finding.message)}",
    ]
    if finding.reason:
        lines.append(f"    {word_of_reason(finding)}: {visible(finding.reason)}")
    for fact in finding.facts:
        lines.append(f"    {voice.seen(fact.path)}:{fact.line}  {visible(fact.text)}")
        if plan is not None and (source := _source(plan, fact)):
            lines.append(f"      {source}")
    return lines


def _source(plan: SavedPlan, fact: Fact) -> str:
    """The line of source that a fact stands on; "" when the plan does not hold it."""
    file = plan.file(fact.path)
    if file is None:
        return ""
    lines = _LINE_END.split(file.data[len(file.bom) :].decode(file.encoding, "replace"))
    return visible(lines[fact.line - 1].strip()) if 0 < fact.line <= len(lines) else ""


def _diff(shown: Group, changes: Callable[[Group], Sequence[Change]], voice: Voice) -> str:
    try:
        made = changes(shown)
    except Exception as error:  # a plan from elsewhere: what cannot be made must not stop the review of the others
        return f"  cannot be shown: {visible(str(error))}\n"
    named = [replace(change, path=voice.seen.path(change.path)) for change in made]
    return terminal.patch_for_eyes(patch.patch(named, explain=False), voice.colour)
