"""Plans to make pages of: that of the legacy application, and one in which every text tries to break out of the page.

Runs the engine on a copy; each plan comes with what composes its groups.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from codemods import __version__, engine, settings, sources
from codemods.plan import (
    Change,
    End,
    Entry,
    Fact,
    Failure,
    Finding,
    Group,
    Ledger,
    Level,
    Plan,
    RemoveStatement,
    Site,
    Source,
)
from codemods.rules import RULES
from codemods.saved_plan import Asked, Decision, SavedFile, SavedPlan, Verdict

LEGACY_APP = Path(__file__).parents[2] / "fixtures" / "legacy_app"

Composed = Callable[[Sequence[Group]], Sequence[Change]]


@dataclass(frozen=True, slots=True)
class Case:
    plan: SavedPlan
    composed: Composed


def of_the_legacy_app(folder: Path) -> Case:
    """The dry run over a copy of the legacy application, in `folder`, with the engine to compose its groups."""
    root = folder / "legacy_app"
    shutil.copytree(LEGACY_APP, root, ignore=shutil.ignore_patterns("__pycache__", "*.db", ".*"))
    asked = settings.load(root, rules=[rule.name for rule in RULES])
    plan = engine.run(engine.RunRequest(root, (), asked))
    files = [_saved(root, change) for change in plan.changes]
    saved = _frozen(plan, asked, tuple(files))
    codebase = engine.Codebase({file.path: file.source for file in saved.files})

    @cache  # the tests ask for the same ones again and again
    def composed(groups: tuple[Group, ...]) -> Sequence[Change]:
        return engine.composed(codebase, groups, Level.REVIEW)[0]

    return Case(saved, lambda groups: composed(tuple(groups)))


def _saved(root: Path, change: Change) -> SavedFile:
    source = sources.read(root, change.path)
    assert isinstance(source, Source)
    return SavedFile.of(source, change.after)


def _frozen(plan: Plan, asked: settings.Settings, files: tuple[SavedFile, ...]) -> SavedPlan:
    return SavedPlan(
        __version__,
        Asked((), plan.level, False, asked),
        plan.groups,
        plan.ledger,
        plan.failures,
        files,
        plan.files_read,
        plan.lines_read,
        plan.settings_hash,
    )


# --- plans made by hand -----------------------------------------------------------------------------------------------


def of_files(files: dict[str, tuple[bytes | None, bytes]], *groups: Group, encoding: str = "utf-8") -> Case:
    """A plan over files given as bytes before and after; every group makes all of the change to its files."""
    saved = [
        SavedFile.of(Source(path, "", False, before, "", encoding, b"", "\n", "    "), after)
        for path, (before, after) in files.items()
        if before is not None
    ]
    entries = [
        Entry(End.CHANGED, finding.rule, finding.site, finding.message, group.id, finding.key)
        for group in groups
        for finding in group.findings
    ]
    plan = SavedPlan(
        "1.0",
        Asked((), Level.REVIEW, False, settings.Settings()),
        groups,
        Ledger(tuple(entries)),
        (),
        tuple(saved),
        len(files),
        100,
    )

    def composed(chosen: Sequence[Group]) -> Sequence[Change]:
        paths = sorted({path for group in chosen for path in group.paths} & set(files))
        return [Change(path, *files[path], tuple(chosen)) for path in paths]

    return Case(plan, composed)


def a_group(path: str, line: int = 1, **more: object) -> Group:
    return Group(f"a-rule:{path}:{line}", (a_finding(path, line, **more),))


def a_finding(path: str, line: int = 1, **more: object) -> Finding:
    values: dict[str, object] = {
        "key": f"a-rule:{path}:{line}",
        "rule": "a-rule",
        "site": Site(path, line, 1, line, 9, "app.work"),
        "level": Level.SAFE,
        "message": "something is wrong",
        "edits": (RemoveStatement(path, line),),
    }
    return Finding(**{**values, **more})  # type: ignore[arg-type]


EVIL = (
    "</script><script>window.hacked = 1</script>",
    "<img src=x onerror='window.hacked = 2'>",
    '"><b onmouseover="window.hacked = 3" x=\'',
    "{{ 7 * 7 }} {% raw %} ${window.hacked = 4}",
    "<!--<script>]]>&lt;&#60;",
    "\u202eleft\u2066\u200b\x1b[31m\x00\x07\x85\u2028\r\n\ud800\udcff",
)


def hostile() -> Case:
    """Every text that a page shows holds every one of EVIL."""
    evil = " ".join(EVIL)
    path = f"app/{evil}.py"
    before = f'x = """{evil}"""\nclass A: # {evil}\ny = 1\n# {evil}\n'.encode("utf-8", "replace") + b"# \xff\xfe \xe9\n"
    after = before.replace(b"y = 1", f"y = {EVIL[0]!r}".encode())
    finding = a_finding(
        path,
        3,
        rule=evil,
        level=Level.REVIEW,
        message=evil,
        reason=evil,
        advice=evil,
        site=Site(path, 3, 1, 3, 2, f"app.{evil}"),
        facts=(Fact(path, 1, evil), Fact(evil, 2, evil)),
    )
    case = of_files({path: (before, after)}, Group(evil, (finding,)))
    site = Site(path, 1, 1, 1, 2, evil)
    others = [Entry(end, evil, site, evil, "", evil, evil) for end in End if end is not End.CHANGED]
    plan = SavedPlan(
        evil,
        Asked((evil,), Level.REVIEW, False, settings.Settings()),
        case.plan.groups,
        Ledger((*case.plan.ledger.entries, *others)),
        (Failure(path, evil, evil, 3),),
        case.plan.files,
        1,
        5,
        decisions={evil: Decision(Verdict.ACCEPTED, evil, evil, evil)},
    )
    return Case(plan, case.composed)
