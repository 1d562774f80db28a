"""A group as the page shows it: where it stands, what was decided, and its files as data. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from codemods.plan import Change, Finding, Group, Site
from codemods.review.html_report.colour import Coloured, coloured, recoloured
from codemods.review.html_report.file_diff import Note, Versions, hunks, written
from codemods.review.html_report.lines import NONE, Lines, encoded, read
from codemods.review.matching import Stretch, differing
from codemods.review.visible import visible
from codemods.review.words import word_of_reason
from codemods.saved_plan import Decision, SavedPlan

STATES = ("open", "accepted", "refused", "written", "held back")  # in the order in which they are told


@dataclass(frozen=True, slots=True)
class Card:
    """`data` is what the page's script builds the diff from."""

    group: Group
    state: str
    decision: Decision
    data: Mapping[str, object]

    @property
    def first(self) -> Finding:
        return self.group.findings[0]

    @property
    def rules(self) -> str:
        return " ".join(dict.fromkeys(finding.rule for finding in self.group.findings))

    @property
    def paths(self) -> str:
        return " ".join(dict.fromkeys([self.first.site.path, *self.group.paths]))


def state(plan: SavedPlan, group: Group) -> str:
    """What became of a group, one of STATES; "held back" is one above the level that the plan was made for."""
    if group.id in plan.written:
        return "written"
    if group.level > plan.asked.level:
        return "held back"
    return plan.decision(group).verdict.value


@dataclass(frozen=True, slots=True)
class _Known:
    """A file of the plan as groups find it, looked at once for all of them that find it so."""

    encoding: str
    bom: bytes
    lines: Lines
    colours: Coloured
    moved: tuple[Stretch, ...] = ()  # what other groups changed in it before: notes name lines as they were

    def line(self, number: int) -> int:
        """Where a line of the file as it was stands now, from 1; in what was changed: the last line of that."""
        by = 0
        for one in self.moved:
            if one.last >= number:
                return max(1, min(number + by, one.new_last)) if one.first < number else number + by
            by = one.new_last - one.last
        return number + by


class Pages:
    """Makes the cards of a plan."""

    def __init__(self, plan: SavedPlan) -> None:
        self._plan = plan
        self._files = {file.path: file for file in plan.files}
        self._known: dict[tuple[str, bytes], _Known] = {}

    def card(self, group: Group, changes: Sequence[Change]) -> Card:
        """The card of a group; `changes` are the files that it changes, by itself."""
        by_path = {change.path: change for change in changes}
        files = [
            self._file(by_path[path], group) if path in by_path else {"path": visible(path), "hunks": []}
            for path in sorted({*group.paths, *by_path})
        ]
        return Card(
            group,
            state(self._plan, group),
            self._plan.decision(group),
            {"files": files},
        )

    def _file(self, change: Change, group: Group) -> dict[str, object]:
        known = self._known_of(change)
        new = read(change.after, known.encoding, known.bom)
        stretches = differing(known.lines.keys, new.keys)
        colours = recoloured(known.colours, new.texts, stretches)
        usual = (known.lines if known.lines.texts else new).usual_end
        notes = _notes(group, change.path, known) if change.before is not None else {}
        versions = Versions(
            known.lines,
            new,
            stretches,
            lambda line: encoded(known.colours.lines[line], known.lines.ends[line], usual),
            lambda line: encoded(colours[line], new.ends[line], usual),
        )
        return {
            "path": visible(change.path),
            "new": change.before is None,
            "added": sum(one.new_last - one.new_first for one in stretches),
            "removed": sum(one.last - one.first for one in stretches),
            "hunks": hunks(versions, notes),
            "notes": written(notes),
        }

    def _known_of(self, change: Change) -> _Known:
        if change.before is None:
            return _Known("utf-8", b"", NONE, coloured(()))
        version = change.path, change.before
        if version not in self._known:
            file = self._files.get(change.path)
            encoding, bom = (file.encoding, file.bom) if file else ("utf-8", b"")
            lines = read(change.before, encoding, bom)
            moved = differing(read(file.data, encoding, bom).keys, lines.keys) if file else []
            self._known[version] = _Known(encoding, bom, lines, coloured(lines.texts), tuple(moved))
        return self._known[version]


def _notes(group: Group, path: str, known: _Known) -> dict[int, list[Note]]:
    """What is to be read beside lines of a file, by the line; nothing twice."""
    found: dict[int, list[Note]] = defaultdict(list)
    for site, note in _told(group):
        if site[0] == path and note not in found[line := known.line(site[1])]:
            found[line].append(note)
    return dict(found)


def _told(group: Group) -> Iterator[tuple[tuple[str, int], Note]]:
    for finding in group.findings:
        place = _place(finding.site)
        yield place, Note("why", f"{finding.rule} · {finding.level.label}", finding.message)
        if finding.reason:
            yield place, Note("confirm", word_of_reason(finding), finding.reason)
        for fact in finding.facts:
            yield (fact.path, fact.line), Note("fact", "fact", fact.text)


def _place(site: Site) -> tuple[str, int]:
    return site.path, site.line
