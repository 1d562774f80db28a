"""The only place that knows the order of the steps: scan, link, examine, settle, compose, verify, plan.

Reads files through `sources`; writes nothing. `run` gives the `Plan` from which everything else is made.
"""

from __future__ import annotations

import ast
import contextlib
import gc
import sys
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from pathlib import Path

from codemods import __version__, nesting, sources, syntax
from codemods.clearing import RULE as CLEARING
from codemods.clearing import Cleared, cleared, clears, may_gain, merged
from codemods.declared import TOO_LARGE
from codemods.deep_stack import OutOfTime, time_limit, with_deep_stack
from codemods.flow.objects.readers import Readers
from codemods.flow.objects.summaries import FunctionSummaries
from codemods.flow.tasks.index import Tasks
from codemods.plan import (
    Change,
    End,
    Entry,
    Examined,
    Failure,
    Finding,
    Group,
    Ledger,
    Level,
    Plan,
    Right,
    Source,
)
from codemods.project.facts import ModuleFacts
from codemods.project.link import Project, link
from codemods.project.mentions import Mention, mentions
from codemods.project.nodes import parents_of
from codemods.project.openers import Customs
from codemods.project.providers import provider_names
from codemods.project.scan import parse, scan_tree
from codemods.project.schedulers import handing_names
from codemods.project.symbols import ModuleName
from codemods.rules import RULES, SILENT_WITHOUT_WORDS
from codemods.rules.base import ModuleView, Rule
from codemods.settings import Settings, SettingsError
from codemods.settle import settle
from codemods.suppression import Suppressions

Progress = Callable[[str, int, int], None]

_LINKING = (b"import *", b"sessionmaker", b"dependency_overrides")


SECONDS_PER_FILE = 120.0
"""A file that takes longer is a failure of its own: no one file keeps the others from being handled."""


class NoPythonFiles(Exception):
    """There is no Python file at all under what was asked for."""


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What to run on. `paths` say whose findings are wanted; the whole of `root` is read (none: all of it)."""

    root: Path
    paths: tuple[Path, ...]
    settings: Settings
    level: Level = Level.REVIEW
    cross_paths: bool = False
    prefilter: bool = True  # off: every file is scanned, whatever words it holds (to test the filter itself)


@dataclass(slots=True)
class Codebase:
    """The sources of one look at the project, and what was learned from them."""

    sources: dict[str, Source]
    trees: dict[str, ast.Module] = field(default_factory=dict)
    facts: dict[str, ModuleFacts] = field(default_factory=dict)
    failures: dict[str, Failure] = field(default_factory=dict)
    indexed: set[str] = field(default_factory=set)  # the files whose names are in `mentioning`
    mentioning: dict[str, list[str]] = field(default_factory=dict)  # name -> the scanned files that read it
    giving: frozenset[bytes] = frozenset()  # the words by which a session is had without any word of a rule

    def names(self) -> Mapping[str, ModuleName]:
        return {path: ModuleName(source.module, source.is_package) for path, source in self.sources.items()}


def run(request: RunRequest, progress: Progress | None = None, discovery: sources.Discovery | None = None) -> Plan:
    """Looks at the project and says what there is to do. Raises NoPythonFiles and `sources.SourceError`.

    `discovery` are the files of the project, where the caller has looked for them already.
    """
    tell = progress or (lambda stage, done, total: None)

    def found() -> Plan:
        files = discovery or sources.discover(request.root, request.paths, request.settings)
        if not files.files and not files.failures:
            raise NoPythonFiles
        codebase, unread = read(files, tell)
        return _plan(request, files, codebase, unread, tell)

    with collector_held():
        return with_deep_stack(found)


_DUE = 3_000_000  # objects of earlier runs, about 300 MB, that a process keeps before it looks for what is left of them
_kept = 0  # objects that the runs of this process made since then


@contextlib.contextmanager
def collector_held() -> Iterator[None]:
    """All that a run makes lasts until its end: the collector would look through millions of objects for nothing.

    What is left of a run is found by a later one, in a process that makes many.
    """
    global _kept
    was_enabled = gc.isenabled()
    if was_enabled and _kept > _DUE:
        gc.collect()
        _kept = 0
    gc.disable()
    before = gc.get_count()[0]
    try:
        yield
    finally:
        if was_enabled:
            _kept += max(0, gc.get_count()[0] - before)
            if gc.get_freeze_count() == 0:  # else it is someone else's business
                # to the oldest of the objects with what was made meanwhile: as the youngest, all of it would be looked
                # through by the next collection (a second for 150,000 lines)
                gc.freeze()
                gc.unfreeze()
            gc.enable()


def _plan(
    request: RunRequest, discovery: sources.Discovery, codebase: Codebase, unread: list[Failure], tell: Progress
) -> Plan:
    rules = chosen_rules(request.settings)
    examined = _examine(codebase, rules, request, discovery.wanted, tell)
    findings = [one for one in examined if isinstance(one, Finding)]
    if len({finding.key for finding in findings}) != len(findings):
        raise AssertionError("two findings have one id")  # a plan in which one would hide the other
    looked_at = set(discovery.wanted) | {finding.site.path for finding in findings}
    suppressions = Suppressions(codebase.sources[path] for path in sorted(looked_at & set(codebase.sources)))
    suppressed = {finding.key for finding in findings if suppressions.covers(finding)}
    live = [finding for finding in findings if finding.key not in suppressed]

    right = {(one.rule, one.site.path, one.site.line) for one in examined if isinstance(one, Right) or one.indifferent}
    dropped: dict[str, str] = {}
    impossible: set[str] = set()
    made: Made = {}
    while True:
        settled = settle(live, dropped, discovery.wanted, cross_paths=request.cross_paths, right=right)
        tell("compose", 0, 1)
        changes, broken = composed(codebase, settled.groups, request.level, made)
        # the safe subset is what `apply` writes by default: it has to stand by itself
        _, also_broken = composed(codebase, settled.groups, Level.SAFE, made)
        broken |= also_broken
        impossible |= set(broken)
        if not broken:
            broken = _not_quiet(
                codebase,
                changes,
                rules,
                request,
                discovery.wanted,
                settled.groups,
                settled.refused,
                impossible,
                examined,
            )
        if not broken:
            break
        dropped |= broken
    tell("compose", 1, 1)

    # of a file that was not asked for, only what changes with another one is told
    changing = {finding.key for group in settled.groups for finding in group.findings}
    told = [
        one
        for one in examined
        if one.site.path in discovery.wanted or (isinstance(one, Finding) and one.key in changing)
    ]
    ledger = _ledger(told, suppressed, settled.groups, settled.refused, request.level)
    ran = {path: {rule.name for rule in rules} - request.settings.ignored_in(path) for path in discovery.wanted}
    unused = suppressions.unused(ran, {rule.name for rule in RULES})
    ledger = Ledger((*ledger.entries, *(entry for entry in unused if entry.site.path in discovery.wanted)))
    failures = sorted({*discovery.failures, *unread, *codebase.failures.values(), *undeclared(request.settings)})
    return Plan(
        root=str(discovery.root),
        level=request.level,
        groups=settled.groups,
        ledger=ledger,
        failures=tuple(failures),
        changes=changes,
        hashes={path: source.sha256 for path, source in codebase.sources.items()},
        files_read=len(codebase.sources),
        lines_read=sum(source.data.count(b"\n") for source in codebase.sources.values()),
        settings_hash=request.settings.digest(),
        tool_version=__version__,
    )


def chosen_rules(settings: Settings) -> tuple[Rule, ...]:
    """The rules that the settings select and do not ignore, in the order of RULES."""
    return tuple(
        rule
        for rule in RULES
        if (settings.select is None or rule.name in settings.select) and rule.name not in settings.ignore
    )


def undeclared(settings: Settings) -> list[Failure]:
    """The files that would say on what the project runs, were they not too large to be read."""
    return [Failure(path, "read", TOO_LARGE) for path in settings.unread]


# --- reading --------------------------------------------------------------------------------------------------------


def read(discovery: sources.Discovery, tell: Progress) -> tuple[Codebase, list[Failure]]:
    found: dict[str, Source] = {}
    failures: list[Failure] = []
    for done, path in enumerate(discovery.files):
        tell("read", done, len(discovery.files))
        source = sources.read(discovery.root, path)
        if isinstance(source, Failure):
            failures.append(source)
        else:
            found[path] = source
    tell("read", len(discovery.files), len(discovery.files))
    return Codebase(found), failures


def _scan(codebase: Codebase, paths: Collection[str], tell: Progress) -> None:
    for done, path in enumerate(sorted(paths)):
        if len(paths) > 1:
            tell("scan", done, len(paths))
        if path in codebase.facts or path in codebase.failures:
            continue
        source = codebase.sources[path]
        try:
            with time_limit(SECONDS_PER_FILE):
                nesting.check_size(source.text)
                tree = parse(source)
                nesting.check(tree, source.text)
                facts = scan_tree(tree, source)
            codebase.facts[path], codebase.trees[path] = facts, tree
        except SyntaxError as error:
            codebase.failures[path] = Failure(path, "parse", _syntax(error), error.lineno or 0)
        except (nesting.TooDeepError, nesting.TooLargeError) as error:
            codebase.failures[path] = Failure(path, "parse", str(error), error.line)
        except (RecursionError, MemoryError):
            codebase.failures[path] = Failure(path, "parse", "nested too deeply to be read")
        except OutOfTime:
            codebase.failures[path] = Failure(path, "parse", _TOO_LONG)


_TOO_LONG = f"took longer than {SECONDS_PER_FILE:.0f} seconds; split the file or exclude it"


def _syntax(error: SyntaxError) -> str:
    newest = max(sys.version_info[:2], tuple(map(int, syntax.NEWEST.split("."))))
    told = f"not valid Python {'.'.join(map(str, newest))} ({error.msg})"
    if isinstance(error, IndentationError) or error.msg.startswith("Missing parentheses in call to"):
        return told  # of no version of Python 3
    return f"{told}; for newer syntax run the tool with the Python it is written for"


def linked(codebase: Codebase, rules: Sequence[Rule], request: RunRequest, tell: Progress) -> Project:
    """Scans what can matter, and links it. The names of what gives a session, once learned, make more files matter."""
    named = {name.rpartition(".")[2].encode() for name in (*request.settings.sessions, *request.settings.schedulers)}
    words = {word for rule in rules for word in rule.words} | set(_LINKING) | named
    waiting = set(codebase.sources)
    unseen = words  # no file that waits has any other of the words

    def load(path: str) -> ModuleFacts | None:
        _scan(codebase, [path], tell)
        return codebase.facts.get(path)

    while True:
        wanted = {
            path
            for path in waiting
            # one without the ending was named by the user, who is to be told when it is no Python
            if not (request.prefilter and path.endswith(".py")) or sources.has_word(codebase.sources[path].data, unseen)
        }
        _scan(codebase, wanted, tell)
        waiting -= wanted
        settings = request.settings
        project = link(codebase.facts.values(), codebase.names(), settings.sessions, load, settings.schedulers)
        names = {*provider_names(project), *handing_names(project)}
        learned = {name.encode("utf-8", "surrogatepass") for name in names}
        codebase.giving = frozenset({*learned, *_LINKING, *named})
        learned -= words
        if not learned or not waiting:
            return project
        words |= learned
        unseen = learned


class _Look:
    """One look at the files of a project: all that remembers answers about it, and what the rules say file by file."""

    def __init__(self, codebase: Codebase, project: Project, rules: Sequence[Rule], request: RunRequest) -> None:
        """`rules` are those that look; a file is told of all that the settings let run on it."""
        self.codebase = codebase
        self.project = project
        self.rules = rules
        self.settings = request.settings
        self.customs = Customs(project, lambda names: _mentions(codebase, names))
        self._summaries = FunctionSummaries(project, codebase.trees.get)
        self._readers = Readers(
            project, self._summaries, codebase.trees.get, lambda names: _mentioning(codebase, names)
        )
        self._tasks = Tasks(project, self._summaries, codebase.trees.get, lambda names: _mentions(codebase, names))
        self._running = frozenset(rule.name for rule in chosen_rules(request.settings))
        self._views: dict[str, ModuleView] = {}
        self._prefilter = request.prefilter

    def view_of(self, path: str) -> ModuleView | None:
        if path not in self.codebase.trees:
            return None
        if path not in self._views:
            self._views[path] = ModuleView(
                self.codebase.sources[path],
                self.codebase.trees[path],
                self.project,
                self.settings,
                self.customs,
                self._running - self.settings.ignored_in(path),
                self._summaries,
                self._readers,
                self._tasks,
                self.view_of,
            )
        return self._views[path]

    def _may_speak(self, rule: Rule, source: Source) -> bool:
        """Whether the rule can have anything to say of a file, which another rule's words may have brought in."""
        if not self._prefilter or rule.name not in SILENT_WITHOUT_WORDS:
            return True
        return sources.has_word(source.data, rule.words) or sources.has_word(source.data, self.codebase.giving)

    def at(self, path: str) -> list[Examined]:
        """What the rules say of a file. What stops them is a failure of that file."""
        view = self.view_of(path)
        assert view is not None  # what can be examined has been read
        failures = self.codebase.failures
        if path in failures:
            return []
        try:
            with time_limit(SECONDS_PER_FILE):
                for rule in self.rules:
                    if rule.name in view.running and self._may_speak(rule, view.source):
                        view.decided.extend(list(rule.examine(view)))
            return view.decided
        except OutOfTime:
            failures[path] = Failure(path, "examine", _TOO_LONG)
            raise
        except RecursionError:
            failures[path] = Failure(path, "examine", "nested too deeply to be followed")
            return []
        except Exception as error:  # one file must not stop the others
            told = f"internal error ({type(error).__name__}: {error}); please report it with this file"
            failures[path] = Failure(path, "examine", told)
            return []


def _examine(
    codebase: Codebase,
    rules: Sequence[Rule],
    request: RunRequest,
    wanted: Collection[str],
    tell: Progress,
    *,
    foreseeing: bool = True,
) -> list[Examined]:
    """What the rules say of the wanted files, in the order of paths and of RULES.

    `foreseeing`: also what can be done once the makers that the run clears are cleared (see `clearing`).
    """
    while True:
        try:
            return _examine_once(codebase, rules, request, wanted, tell, foreseeing=foreseeing)
        except OutOfTime:  # its file is a failure now; what was remembered half goes, and the others are begun anew
            continue


def _examine_once(
    codebase: Codebase,
    rules: Sequence[Rule],
    request: RunRequest,
    wanted: Collection[str],
    tell: Progress,
    *,
    foreseeing: bool,
) -> list[Examined]:
    project = linked(codebase, rules, request, tell)
    look = _Look(codebase, project, rules, request)
    _check_scope(request.settings, look.customs, project)
    paths = [path for path in project.symbols.paths() if path in wanted]
    by_path: dict[str, list[Examined]] = {}
    for done, path in enumerate(paths):
        tell("examine", done, len(paths))
        by_path[path] = look.at(path)
    tell("examine", len(paths), len(paths))
    makers = _cleared(by_path, look) if foreseeing else Cleared()
    others = [rule for rule in rules if rule.name != CLEARING]
    then = _Look(codebase, project.with_cleared(makers.calls), others, request)

    def both(path: str) -> list[Examined]:
        """What is said of a file in both looks."""
        now = by_path[path] if path in by_path else look.at(path)
        if not makers.calls or path in codebase.failures or not may_gain(now):
            return now
        return merged(now, then.at(path), makers.findings)

    examined: list[Examined] = []
    for done, path in enumerate(paths):
        if makers.calls:
            tell("foresee", done, len(paths))
        examined += both(path)
    if makers.calls:
        tell("foresee", len(paths), len(paths))
    return [*examined, *_needed_elsewhere(examined, set(paths), set(project.symbols.paths()), both)]


def _cleared(by_path: Mapping[str, list[Examined]], look: _Look) -> Cleared:
    """The makers that the run clears; one whose finding a comment suppresses stays as it is."""
    findings = [one for here in by_path.values() for one in here if isinstance(one, Finding) and clears(one)]
    suppressions = Suppressions(look.codebase.sources[path] for path in sorted({one.site.path for one in findings}))
    return cleared([one for one in findings if not suppressions.covers(one)], look.view_of)


def _needed_elsewhere(
    examined: Sequence[Examined], seen: set[str], known: Collection[str], look: Callable[[str], list[Examined]]
) -> list[Examined]:
    """What the rules say of places in files that were not asked for, but that a finding needs to change with it."""
    others: list[Examined] = []
    kept: list[Examined] = []
    while True:
        findings = [one for one in [*examined, *kept] if isinstance(one, Finding)]
        needed = {place for one in findings for place in one.requires_at}
        for path in sorted({path for _, path, _ in needed if path in known} - seen):
            seen.add(path)
            others += look(path)
        now = [one for one in others if (one.rule, one.site.path, one.site.line) in needed]
        if len(now) == len(kept):
            return now
        kept = now


def _mentions(codebase: Codebase, names: Collection[str]) -> Iterator[Mention]:
    """Every mention of one of the names in the files that were scanned."""
    for path in _mentioning(codebase, names):
        yield from mentions(codebase.trees[path], path, names)


def _mentioning(codebase: Codebase, names: Collection[str]) -> list[str]:
    """The files that were scanned in which one of the names is read, as a name or as an attribute."""
    for path in codebase.trees.keys() - codebase.indexed:
        for name in parents_of(codebase.trees[path]).read:
            codebase.mentioning.setdefault(name, []).append(path)
        codebase.indexed.add(path)  # last: a time limit may stop this anywhere, and it is begun anew then
    return sorted({path for name in names for path in codebase.mentioning.get(name, ())})


def _check_scope(settings: Settings, customs: Customs, project: Project) -> None:
    """A context manager that the settings name has to be there, or blocks would silently be opened otherwise."""
    if settings.scope is None:
        return
    known = {project.dotted(opener.function) for opener in customs.openers}
    if settings.scope not in known:
        there = f"; there are: {', '.join(sorted(known))}" if known else ""
        where = f"{settings.file}: " if settings.file else ""
        raise SettingsError(
            f"{where}scope: `{settings.scope}` is no context manager of this project that only opens, rolls back and"
            f" closes a session{there}"
        )


# --- composing ------------------------------------------------------------------------------------------------------


Made = dict[tuple[str, tuple[str, ...]], bytes]
"""What a file becomes with some findings, by its path and their keys."""


def composed(
    codebase: Codebase, groups: Sequence[Group], level: Level, made: Made | None = None
) -> tuple[tuple[Change, ...], dict[str, str]]:
    """The changed files for the groups at or below a level; and the keys of findings that cannot be made, and why.

    `made` is what was composed before of the same findings: it is used, and added to.
    """
    made = {} if made is None else made
    included = [group for group in groups if group.level <= level]
    if not included:
        return (), {}  # nothing to edit: libcst, half of the start-up, is not even imported
    from codemods.transformers.compose import ComposeError, compose
    from codemods.transformers.create_file import create

    by_path: dict[str, list[Group]] = defaultdict(list)
    for group in included:
        for path in group.paths:
            by_path[path].append(group)
    changes: list[Change] = []
    broken: dict[str, str] = {}
    for path in sorted(by_path):
        source = codebase.sources.get(path)

        def made_with(chosen: Sequence[Group], path: str = path, source: Source | None = source) -> bytes:
            findings = [finding for group in chosen for finding in group.findings]
            edits = [edit for finding in findings for edit in finding.edits if edit.path == path]
            requests = [asked for finding in findings for asked in finding.requests if asked.path == path]
            return create(edits) if source is None else compose(source, edits, requests)

        key = (path, tuple(finding.key for group in by_path[path] for finding in group.findings))
        try:
            if key not in made:  # as it is for the second level, of a file whose groups are all of one level
                with time_limit(SECONDS_PER_FILE):
                    made[key] = made_with(by_path[path])
            after = made[key]
        except OutOfTime:
            broken |= {one.key: f"the edit {_TOO_LONG}" for group in by_path[path] for one in group.findings}
            continue
        except ComposeError as error:
            culprits = _culprits(by_path[path], made_with, ComposeError) or by_path[path]
            for group in culprits:
                for finding in group.findings:
                    broken[finding.key] = f"the edit could not be made: {error}"
            continue
        before = None if source is None else source.data
        if after != before:
            changes.append(Change(path, before, after, tuple(by_path[path])))
    return tuple(changes), broken


def _culprits(
    groups: Sequence[Group], made_with: Callable[[Sequence[Group]], bytes], error: type[Exception]
) -> list[Group]:
    """The groups that cannot be composed even by themselves."""
    found = []
    for group in groups:
        try:
            made_with([group])
        except error:
            found.append(group)
    return found


# --- quiet ----------------------------------------------------------------------------------------------------------


def _not_quiet(
    codebase: Codebase,
    changes: Sequence[Change],
    rules: Sequence[Rule],
    request: RunRequest,
    wanted: Collection[str],
    groups: Sequence[Group],
    refused: Collection[str],
    impossible: AbstractSet[str],
    now: Iterable[Examined],
) -> dict[str, str]:
    """Looks at the result as a second run would; gives the findings to drop so that such a run offers nothing.

    `now` is what this run says of every place.
    `impossible` are findings whose edits could not be made: a second run cannot make them either, nor what needs them.
    What a second run would still change in a function that this run changes makes both uncertain: neither is made.
    """
    if not changes:
        return {}
    after = Codebase(
        {**codebase.sources, **{change.path: _with_data(codebase.sources[change.path], change) for change in changes}},
        {path: tree for path, tree in codebase.trees.items() if all(path != change.path for change in changes)},
        {path: facts for path, facts in codebase.facts.items() if all(path != change.path for change in changes)},
    )
    # a block changes nothing that another file can see, so only what was changed is looked at again
    changed = {change.path for change in changes}
    # makers that this run leaves alone the next one leaves alone, too: there is nothing to foresee
    examined = _examine(after, rules, request, changed, lambda stage, done, total: None, foreseeing=False)
    made = {finding.key: finding for group in groups if group.level <= request.level for finding in group.findings}
    held_back = {finding.key for group in groups if group.level > request.level for finding in group.findings}
    suppressions = Suppressions(after.sources[path] for path in changed)
    again = [
        one
        for one in examined
        if isinstance(one, Finding) and one.edits and one.level <= request.level and one.key not in held_back
        if one.site.path in changed and one.site.path in wanted
        # what waits for a place that is left alone waits for it in the next run, too
        if not (one.requires_at and one.key in refused)
        if one.key not in impossible and not impossible & set(one.requires)
        if not suppressions.covers(one)
    ]
    dropped: dict[str, str] = {}
    for new in again:
        for key, old in made.items():
            if old.site.path == new.site.path and _related(
                old.site.function, new.site.function, after.sources[new.site.path].module
            ):
                dropped[key] = _halfway(new, now)
    for path, failure in after.failures.items():
        if path not in codebase.failures:
            for key, old in made.items():
                if path in old.paths:
                    dropped[key] = f"the result could not be read back: {failure.message}"
    return dropped


def _halfway(new: Finding, now: Iterable[Examined]) -> str:
    """Why something is not made that would let a rule change the function once more: in the words of that rule."""
    told = f"it would only go halfway: after it {new.rule} would change the function again ({new.message})"
    waiting = [
        one
        for one in now
        if isinstance(one, Finding) and one.level is Level.MANUAL
        if (one.rule, one.site.path, one.site.function) == (new.rule, new.site.path, new.site.function)
    ]
    if len(waiting) != 1:
        return told
    return f"{told}, which it cannot do now: {waiting[0].reason} (line {waiting[0].site.line})"


def _related(function: str, other: str, module: str) -> bool:
    """Whether these are one function, or one is nested in the other (dotted names); the module itself is nested in
    nothing, and nothing in it."""
    if function == other:
        return True
    nested = f"{function}.".startswith(f"{other}.") or f"{other}.".startswith(f"{function}.")
    return nested and module not in (function, other)


def _with_data(source: Source, change: Change) -> Source:
    text = change.after[len(source.bom) :].decode(source.encoding)
    return replace(source, data=change.after, text=text)


# --- the ledger -----------------------------------------------------------------------------------------------------


def _ledger(
    examined: Sequence[Examined],
    suppressed: Collection[str],
    groups: Sequence[Group],
    refused: Mapping[str, str],
    level: Level,
) -> Ledger:
    group_of = {finding.key: group for group in groups for finding in group.findings}
    entries: list[Entry] = []
    for one in examined:
        if isinstance(one, Right):
            entries.append(Entry(End.RIGHT, one.rule, one.site, one.why, aspect=one.aspect))
            continue
        key, group = one.key, group_of.get(one.key)
        if key in suppressed:
            entries.append(Entry(End.SUPPRESSED, one.rule, one.site, one.message, key=key, aspect=one.aspect))
        elif group is None:
            reason = refused.get(key) or one.reason or one.message
            undecided = one.undecided and key not in refused
            entries.append(
                Entry(End.REFUSED, one.rule, one.site, reason, "", key, one.advice, one.aspect, undecided=undecided)
            )
        elif group.level <= level:
            entries.append(Entry(End.CHANGED, one.rule, one.site, one.message, group.id, key, aspect=one.aspect))
        else:
            text = f"level {group.level.label}: {one.message}"
            entries.append(Entry(End.HELD_BACK, one.rule, one.site, text, group.id, key, aspect=one.aspect))
    return Ledger(tuple(sorted(entries, key=lambda entry: (entry.site, entry.rule, entry.end.value))))
