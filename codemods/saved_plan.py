"""A dry run that was frozen for review: what was found, the bytes that it was found in, and what people decided.

Values and pure questions about them; touches nothing. `plan_file` writes and reads it as JSON. What is composed from it
starts from the bytes that it holds, never from those on disk, so that refusing one group changes no other one.
"""

from __future__ import annotations

import enum
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from codemods.plan import Failure, Group, Ledger, Level, Source
from codemods.settings import Settings


class Verdict(enum.StrEnum):
    """What a person decided about a group."""

    OPEN = "open"
    ACCEPTED = "accepted"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Decision:
    """`by` and `note` are free text, and may be empty; `at` is a UTC time as ISO 8601 writes it, or empty."""

    verdict: Verdict
    by: str = ""
    note: str = ""
    at: str = ""


OPEN = Decision(Verdict.OPEN)


@dataclass(frozen=True, slots=True)
class SavedFile:
    """A file that a group would change, as it was when the plan was made."""

    path: str
    module: str
    is_package: bool
    encoding: str
    newline: str
    indent: str
    bom: bytes
    data: bytes
    before: str  # sha256 of `data`
    after: str  # sha256 of the file with every group of the plan's level made

    @classmethod
    def of(cls, source: Source, after: bytes) -> SavedFile:
        return cls(
            source.path,
            source.module,
            source.is_package,
            source.encoding,
            source.newline,
            source.indent,
            source.bom,
            source.data,
            source.sha256,
            hashlib.sha256(after).hexdigest(),
        )

    @property
    def source(self) -> Source:
        """The file as a `Source` again. Raises UnicodeDecodeError and LookupError when the plan was damaged."""
        text = self.data[len(self.bom) :].decode(self.encoding)
        return Source(
            self.path,
            self.module,
            self.is_package,
            self.data,
            text,
            self.encoding,
            self.bom,
            self.newline,
            self.indent,
        )


@dataclass(frozen=True, slots=True)
class AppliedRun:
    """Groups that one `apply --plan` wrote. `run` is the id under which `undo` knows it."""

    run: str
    groups: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Asked:
    """What the dry run was asked to do, so that it can be done again on the present code. Paths are relative to the
    project's root, posix; none means all of it."""

    paths: tuple[str, ...]
    level: Level
    cross_paths: bool
    settings: Settings


@dataclass(frozen=True, slots=True)
class SavedPlan:
    """The frozen dry run. `groups` are all that edit something, at any level; those above `asked.level` cannot be
    accepted."""

    tool_version: str
    asked: Asked
    groups: tuple[Group, ...]
    ledger: Ledger
    failures: tuple[Failure, ...]
    files: tuple[SavedFile, ...]
    files_read: int = 0
    lines_read: int = 0
    settings_hash: str = ""
    decisions: Mapping[str, Decision] = field(default_factory=dict)  # by the id of the group; none: open
    applied: tuple[AppliedRun, ...] = ()  # in the order in which they were written

    @property
    def included(self) -> tuple[Group, ...]:
        """The groups that can be decided about, in the order of the plan."""
        return tuple(group for group in self.groups if group.level <= self.asked.level)

    @property
    def written(self) -> frozenset[str]:
        """The ids of the groups that are applied."""
        return frozenset(one for run in self.applied for one in run.groups)

    def decision(self, group: Group) -> Decision:
        return self.decisions.get(group.id, OPEN)

    def having(self, verdict: Verdict) -> tuple[Group, ...]:
        """The groups with this verdict that are not written yet."""
        written = self.written
        return tuple(
            group for group in self.included if group.id not in written and self.decision(group).verdict is verdict
        )

    def decided(self, groups: Iterable[Group], decision: Decision) -> SavedPlan:
        """The plan with one decision about these groups. An open one takes earlier ones back."""
        now = {**self.decisions, **{group.id: decision for group in groups}}
        return replace(self, decisions={key: one for key, one in now.items() if one != OPEN})

    def needs(self, group: Group) -> tuple[Group, ...]:
        """The other groups without which this one must not be made, themselves and what they need in turn.

        What is trusted as far as this, or further, stands in a group of its own (see `settle`): it can do without this.
        """
        return self._needs(group, self._by_place())

    def needs_of(self, groups: Iterable[Group]) -> dict[str, frozenset[str]]:
        """The same for many groups at once, all by their ids."""
        by_place = self._by_place()
        return {group.id: frozenset(one.id for one in self._needs(group, by_place)) for group in groups}

    def unmet(self) -> tuple[tuple[Group, Group], ...]:
        """Pairs of a group that is accepted and not written yet, and one that it needs, which is refused or open."""
        by_place = self._by_place()
        accepted = self.having(Verdict.ACCEPTED)
        there = {group.id for group in accepted} | self.written
        return tuple(
            (one, needed) for one in accepted for needed in self._needs(one, by_place) if needed.id not in there
        )

    def _by_place(self) -> dict[tuple[str, str, int], list[Group]]:
        by_place: dict[tuple[str, str, int], list[Group]] = {}
        for one in self.groups:
            for finding in one.findings:
                by_place.setdefault((finding.rule, finding.site.path, finding.site.line), []).append(one)
        return by_place

    def _needs(self, group: Group, by_place: Mapping[tuple[str, str, int], Sequence[Group]]) -> tuple[Group, ...]:
        found: dict[str, Group] = {group.id: group}
        waiting = [group]
        while waiting:
            for finding in waiting.pop().findings:
                for place in finding.requires_at:
                    for needed in by_place.get(place, ()):
                        if needed.id not in found:
                            found[needed.id] = needed
                            waiting.append(needed)
        return tuple(one for one in self.groups if one.id in found and one.id != group.id)

    def file(self, path: str) -> SavedFile | None:
        return next((one for one in self.files if one.path == path), None)


@dataclass(frozen=True, slots=True)
class Present:
    """What a plan is worth on the code as it stands now."""

    applied: tuple[AppliedRun, ...]  # the runs that are found in the files, each with the groups that are found whole
    stale: Mapping[str, str]  # path -> why what the plan holds of it does not fit
    made: frozenset[str]  # ids of the groups that are in a file at least: what is composed starts from there
    gone: frozenset[str]  # ids of runs of the plan that are in no file any more

    def reason(self, group: Group) -> str:
        """Why a group cannot be written; "" when it can."""
        return "; ".join(dict.fromkeys(self.stale[path] for path in group.paths if path in self.stale))


def histories(runs: Sequence[AppliedRun]) -> Iterator[tuple[AppliedRun, ...]]:
    """What of these runs, which wrote one file, may be in it: all, or less, as an `undo` takes the last ones back
    first; or all but one, which was taken back in another way. The most likely first."""
    for count in range(len(runs), -1, -1):
        yield tuple(runs[:count])
    for at in range(len(runs) - 2, -1, -1):
        yield (*runs[:at], *runs[at + 1 :])
