"""A review as a value, and what each command makes of it. Pure: clock, terminal and plan file are others' concern."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass, replace

from codemods.plan import Group, Level
from codemods.review.interactive import choosing
from codemods.review.interactive.commands import Command, Typed
from codemods.review.visible import visible
from codemods.review.words import counted
from codemods.saved_plan import Decision, SavedPlan, Verdict


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer, of one group or of many: what was decided before, and what since."""

    place: int
    before: tuple[tuple[str, Decision], ...]
    given: Decision


@dataclass(frozen=True, slots=True)
class Reviewing:
    """A review under way. `place` counts the groups of `order`; behind the last one it is at the end."""

    plan: SavedPlan
    order: tuple[str, ...]  # the ids of the groups that are shown
    place: int
    history: tuple[Answer, ...] = ()  # the answers of this sitting, which can be taken back
    sought: str = ""  # what was looked for last

    @classmethod
    def begun(cls, plan: SavedPlan, order: Sequence[str]) -> Reviewing:
        """A review that stands at the first open group."""
        start = cls(plan, tuple(order), 0)
        return replace(start, place=start.next_open(0))

    @property
    def groups(self) -> tuple[Group, ...]:
        by_id = {group.id: group for group in self.plan.groups}
        return tuple(by_id[one] for one in self.order)

    @property
    def group(self) -> Group | None:
        """The group that is asked about; None at the end."""
        return self.groups[self.place] if self.place < len(self.order) else None

    @property
    def open(self) -> tuple[Group, ...]:
        """The groups that are shown and not decided."""
        return tuple(group for group in self.groups if self.is_open(group))

    def is_open(self, group: Group) -> bool:
        return self.plan.decision(group).verdict is Verdict.OPEN

    def next_open(self, place: int) -> int:
        """The place of the first open group from this one on; the end when there is none."""
        groups = self.groups
        return next((at for at in range(place, len(groups)) if self.is_open(groups[at])), len(groups))

    def with_plan(self, plan: SavedPlan) -> Reviewing:
        """The review of the same groups with what others decided meanwhile."""
        return replace(self, plan=plan)


class Show(enum.Enum):
    """What is to be shown after a command, besides what is told of it."""

    GROUP = "group"  # the group asked about, or that the end is reached
    PROMPT = "prompt"
    WHY = "why"
    HELP = "help"
    LEAVE = "leave"


@dataclass(frozen=True, slots=True)
class Step:
    """What a command made of a review."""

    reviewing: Reviewing
    show: Show
    told: str = ""


@dataclass(frozen=True, slots=True)
class Signature:
    """Who answers, and when: UTC, as ISO 8601 writes it."""

    by: str = ""
    at: str = ""

    def on(self, verdict: Verdict, note: str = "") -> Decision:
        return Decision(verdict, self.by, note, self.at)


def step(now: Reviewing, typed: Typed, signature: Signature) -> Step:
    """The review after a command, and what to show. Any command may come at any time."""
    group = now.group
    match typed.command:
        case None:
            return Step(now, Show.PROMPT, "Not a command; ? or help lists them.")
        case Command.QUIT:
            return Step(now, Show.LEAVE)
        case Command.HELP:
            return Step(now, Show.HELP)
        case Command.UNDO:
            return _undone(now)
        case Command.FIND:
            return _found(now, typed.text)
        case Command.SKIP if group is None:
            return Step(replace(now, place=now.next_open(0)), Show.GROUP)
        case Command.SKIP:
            return Step(replace(now, place=now.next_open(now.place + 1)), Show.GROUP, "Left open.")
        case _ if group is None:
            return Step(now, Show.PROMPT, "There is no group here: all have been shown.")
        case Command.WHY:
            return Step(now, Show.WHY)
        case Command.ACCEPT:
            return _answered(now, [group], signature.on(Verdict.ACCEPTED), "Accepted.")
        case Command.REFUSE:
            return _answered(now, [group], signature.on(Verdict.REFUSED), "Refused.")
        case Command.REFUSE_NOTED if not typed.text:
            return Step(now, Show.PROMPT, "No note was typed; nothing is refused.")
        case Command.REFUSE_NOTED:
            return _answered(now, [group], signature.on(Verdict.REFUSED, typed.text), "Refused, with the note.")
        case Command.ACCEPT_RULE:
            rule = choosing.rule(group)
            many = [one for one in now.open if choosing.rule(one) == rule]
            return _accepted(now, many, signature, f"of {visible(rule)}")
        case Command.ACCEPT_FILE:
            home = choosing.home(group)
            many = [one for one in now.groups[now.place :] if now.is_open(one) and choosing.home(one) == home]
            return _accepted(now, many, signature, f"in {visible(home)}")


def _answered(now: Reviewing, groups: Sequence[Group], decision: Decision, told: str) -> Step:
    before = tuple((group.id, now.plan.decision(group)) for group in groups)
    after = replace(
        now,
        plan=now.plan.decided(groups, decision),
        history=(*now.history, Answer(now.place, before, decision)),
    )
    told = "\n".join([told, *_unmet(after.plan, groups)])
    return Step(replace(after, place=after.next_open(now.place + 1)), Show.GROUP, told)


def _unmet(plan: SavedPlan, groups: Sequence[Group]) -> list[str]:
    """What to say of answers that do not go together with these: `apply` would stop at them."""
    answered = {group.id for group in groups}
    return [
        f"{visible(one.id)} is accepted, but needs {visible(needed.id)}, which is {plan.decision(needed).verdict}."
        for one, needed in plan.unmet()
        if answered & {one.id, needed.id}
    ]


def _accepted(now: Reviewing, groups: Sequence[Group], signature: Signature, which: str) -> Step:
    if not groups:
        return Step(now, Show.PROMPT, f"No open group {which}.")
    step = _answered(now, groups, signature.on(Verdict.ACCEPTED), f"Accepted {_counted(groups)} {which}.")
    after = step.reviewing
    # the group that is shown may have been decided before, and is then none of these
    return replace(step, reviewing=replace(after, place=after.next_open(now.place)))


def _counted(groups: Sequence[Group]) -> str:
    levels = [group.level for group in groups]
    named = ", ".join(f"{levels.count(level)} {level.label}" for level in Level if level in levels)
    return f"{counted(len(groups), 'group')} ({named})"


def _undone(now: Reviewing) -> Step:
    if not now.history:
        return Step(now, Show.PROMPT, "Nothing to take back in this sitting.")
    *earlier, last = now.history
    by_id = {group.id: group for group in now.plan.groups}
    plan, kept = now.plan, 0
    for group, before in last.before:
        if plan.decision(by_id[group]) == last.given:
            plan = plan.decided([by_id[group]], before)
        else:
            kept += 1  # somebody else answered since
    told = "Took back the last answer"
    told += f", of {len(last.before)} groups" if len(last.before) > 1 else ""
    told += f"; {kept} of them somebody else decided since" if kept else ""
    return Step(replace(now, plan=plan, place=last.place, history=tuple(earlier)), Show.GROUP, f"{told}.")


def _found(now: Reviewing, text: str) -> Step:
    words = text.strip() or now.sought
    if not words:
        return Step(now, Show.PROMPT, "Nothing to find was typed.")
    now = replace(now, sought=words)
    hits = [at for at, group in enumerate(now.groups) if choosing.has_text(group, words)]
    if not hits:
        return Step(now, Show.PROMPT, f"Nothing found for {words!r}.")
    place = next((at for at in hits if at > now.place), hits[0])
    return Step(replace(now, place=place), Show.GROUP, f"Found {hits.index(place) + 1} of {len(hits)} for {words!r}.")
