"""The field trial: the real command over the packages of `corpus.toml`, its promises checked on each of them.

`make field`, or `PYTHONPATH=tests python -m field.run [--only NAME]... [--short] [--quick] [--keep]`, with the Python
that the tool is installed for. Writes into a temporary folder outside any repository and, through `fetch`, into
`.packages/`. What is read is data: no package is built, installed or imported.

For every package, at the levels safe and review, in git repositories made for the purpose:

- `diff` changes no byte, and its exit code agrees with its output;
- its patch is taken by plain `git apply`, and gives the bytes that `apply` writes into another copy, in every file;
- the files that are changed are those that the report names, and each of them compiles;
- a second `diff` offers nothing;
- every place looked at has one end in the ledger, and what is held back at `safe` is changed at `review`;
- a file said not to parse really does not, and no other step failed on any file;
- a package that makes no sessions has no change and no finding;
- the report and the patch are the same bytes with and without everything that makes the tool fast (`both_ways`).

The table is on stdout, the progress on stderr. `--keep` leaves the copies, patches and reports for reading. Exit
codes: 0 every check held, 1 one did not, 2 a wrong call, 3 a package could not be fetched. Times are told, not judged.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from field.both_ways import PLAIN, Compared, compare
from field.fetch import FetchError, Package, fetch, load, unpack
from field.process import last_line
from field.process import run as _run

LEVELS = ("safe", "review")
TOP_REASONS = 25


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the trial of one package gave. `problems` are the checks that did not hold; none is what is hoped for."""

    package: Package
    files: int
    lines: int
    reports: Mapping[str, Mapping[str, Any]]  # level -> the JSON report of `apply`
    problems: tuple[str, ...]
    seconds: float
    compared: Compared | None = None  # with and without accelerations

    def count(self, end: str, level: str = "review") -> int:
        """How many places came to this end of the ledger."""
        return int(self.reports[level]["ledger"]["counts"][end]) if level in self.reports else 0

    @property
    def places(self) -> int:
        return int(self.reports["review"]["ledger"]["sites"]) if "review" in self.reports else 0

    def told(self, end: str) -> tuple[tuple[str, str], ...]:
        """The places that came to this end of the ledger at level review, each with what is said of it."""
        entries = self.reports["review"]["ledger"]["entries"] if "review" in self.reports else ()
        return tuple(
            (f"{one['path']}:{one['line']}", f"{one['rule']}: {one['text']}") for one in entries if one["end"] == end
        )

    @property
    def failures(self) -> int:
        return len(self.reports["review"]["failures"]) if "review" in self.reports else 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the trial; gives the exit code."""
    options = _options(arguments)
    try:
        packages = _chosen(options, load())
        tool = installed_tool()
    except FetchError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    outcomes: list[Outcome] = []
    missing: list[str] = []
    plain = None if options.quick else PLAIN
    with _folder(options.keep) as folder:
        for number, package in enumerate(packages, 1):
            _tell(f"[{number}/{len(packages)}] {package.pin} ...")
            try:
                wheel = fetch(package)
                outcomes.append(examine(package, wheel, folder / package.name, tool, plain))
            except FetchError as error:
                missing.append(str(error))
                _tell(f"  not tried: {error}")
                continue
            for problem in outcomes[-1].problems:
                _tell(f"  {problem}")
            if not options.keep:
                shutil.rmtree(folder / package.name)
        if options.keep:
            _tell(f"Copies, patches and reports are in {folder}")
    sys.stdout.write(summary(outcomes))
    for name in missing:
        sys.stdout.write(f"NOT TRIED  {name}\n")
    if any(outcome.problems for outcome in outcomes):
        return 1
    return 3 if missing else 0


def installed_tool() -> tuple[str, ...]:
    """The command as a user types it. Raises FetchError when it is not installed beside this Python.

    Not `python -m codemods`: that puts the working directory, here a foreign package, before what is installed.
    """
    command = shutil.which("session-codemods", path=str(Path(sys.executable).parent))
    if command is None:
        raise FetchError(f"session-codemods is not installed for {sys.executable}")
    return (command,)


def examine(
    package: Package, wheel: Path, folder: Path, tool: Sequence[str], plain: Sequence[str] | None = None
) -> Outcome:
    """Try `tool` on the package, in copies below `folder`, which must not exist yet. Raises what `unpack` raises.

    `plain` is the command that does without accelerations; None: that is not tried.
    """
    started = time.monotonic()
    original = folder / "original"
    unpack(wheel, original)
    _git(original, "init", "--quiet", "--template=")
    _git(original, "add", "--all", "--force")
    _git(original, "commit", "--quiet", "--message", "as published")
    sources = [path for path in original.rglob("*.py") if path.is_file()]
    trials = {level: _Trial(package, original, folder, tool, level) for level in LEVELS}
    for trial in trials.values():
        trial.run()
    reports = {level: trial.report for level, trial in trials.items() if trial.report is not None}
    problems = [f"{level}: {problem}" for level, trial in trials.items() for problem in trial.problems]
    compared = None if plain is None else compare(original, folder / "both-ways", tool, plain)
    problems += [f"both ways: {problem}" for problem in (compared.problems if compared is not None else ())]
    return Outcome(
        package=package,
        files=len(sources),
        lines=sum(path.read_bytes().count(b"\n") for path in sources),
        reports=reports,
        problems=(*problems, *_between_levels(reports)),
        seconds=time.monotonic() - started,
        compared=compared,
    )


class _Trial:
    """One package at one level. `run` fills `report` and `problems`."""

    def __init__(self, package: Package, original: Path, folder: Path, tool: Sequence[str], level: str) -> None:
        self.package = package
        self.original = original
        self.folder = folder
        self.tool = tool
        self.level = level
        self.report: Mapping[str, Any] | None = None
        self.problems: list[str] = []

    def run(self) -> None:
        before = digests(self.original)
        patched = self._copy("patched")
        applied = self._copy("applied")

        diff = self._tool(patched, "diff")
        (self.folder / f"{self.level}.patch").write_bytes(diff.stdout)
        self._expect(digests(patched) == before, "diff wrote into the tree")
        if diff.stdout:
            taken = _run(["git", "apply", str(self.folder / f"{self.level}.patch")], patched)
            self._expect(taken.returncode == 0, f"git apply does not take the patch: {last_line(taken.stderr)}")

        apply = self._tool(applied, "apply", "--output-format", "json")
        (self.folder / f"{self.level}.json").write_bytes(apply.stdout)
        try:
            self.report = report = json.loads(apply.stdout)
        except ValueError:
            self.problems.append(f"apply gave no report, exit code {apply.returncode}: {last_line(apply.stderr)}")
            return

        after = digests(applied)
        for path in _differing(after, digests(patched)):
            self.problems.append(f"{path}: apply wrote other bytes than its patch")
        changed = _differing(before, after)
        self._expect(bool(changed) == bool(diff.stdout), "a patch without a change, or a change without a patch")
        named = {change["path"] for change in report["changes"]}
        for path in named.symmetric_difference(changed):
            self.problems.append(f"{path}: changed but not in the report, or the other way round")
        for path in changed:
            self._expect(_compiles(applied / path), f"{path}: does not compile after the change")

        failures = report["failures"]
        self._expect(
            diff.returncode == (3 if failures else int(bool(changed))),
            f"diff ended with exit code {diff.returncode}: {last_line(diff.stderr)}",
        )
        self._expect(apply.returncode == (3 if failures else 0), f"apply ended with exit code {apply.returncode}")
        if changed:
            again = self._tool(applied, "diff")
            self._expect(not again.stdout, f"a second run offers more: {_headers(again.stdout)}")
            self._expect(again.returncode == (3 if failures else 0), f"a second run ended with {again.returncode}")
        self._judge(report)

    def _judge(self, report: Mapping[str, Any]) -> None:
        """What the report must say of itself."""
        ledger = report["ledger"]
        entries = collections.Counter(entry["end"] for entry in ledger["entries"])
        self._expect(
            ledger["sites"] == entries.total()
            and all(count == entries[end] for end, count in ledger["counts"].items()),
            "the counts of the ledger are not those of its entries",
        )
        for failed in report["failures"]:
            honest = failed["stage"] == "parse" and not _compiles(self.original / failed["path"])
            self._expect(honest, f"{failed['path']}: failed in {failed['stage']}: {failed['message']}")
        if not self.package.uses_sessions:
            for finding in report["findings"]:
                self.problems.append(f"{finding['path']}:{finding['line']}: a finding where there are no sessions")
            self._expect(not report["changes"], "changes a package without sessions")

    def _copy(self, name: str) -> Path:
        return shutil.copytree(self.original, self.folder / f"{self.level}-{name}")

    def _tool(self, folder: Path, command: str, *options: str) -> subprocess.CompletedProcess[bytes]:
        done = _run([*self.tool, command, "--level", self.level, *options], folder, self.folder / "home")
        self._expect(b"Traceback (most recent call last)" not in done.stderr, f"{command} shows a traceback")
        return done

    def _expect(self, holds: bool, problem: str) -> None:
        if not holds:
            self.problems.append(problem)


def _between_levels(reports: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """What the two levels must say of each other: the same places, and review changes all that safe does."""
    if len(reports) < len(LEVELS):
        return
    places = [[_place(entry) for entry in reports[level]["ledger"]["entries"]] for level in LEVELS]
    if sorted(places[0]) != sorted(places[1]):
        yield "safe and review did not look at the same places"
    changed = [
        {_place(entry) for entry in reports[level]["ledger"]["entries"] if entry["end"] == "changed"}
        for level in LEVELS
    ]
    for path, line, _ in sorted(changed[0] - changed[1]):
        yield f"{path}:{line}: changed at safe and not at review"


def _place(entry: Mapping[str, Any]) -> tuple[str, int, int]:
    return (entry["path"], entry["line"], entry["column"])


def digests(folder: Path) -> dict[str, bytes]:
    """A hash of every file below the folder, git's own left out."""
    found = {}
    for directory, names, files in os.walk(folder):
        if ".git" in names:
            names.remove(".git")
        for name in files:
            path = Path(directory, name)
            found[path.relative_to(folder).as_posix()] = hashlib.sha256(path.read_bytes()).digest()
    return found


def summary(outcomes: Sequence[Outcome]) -> str:
    """The tables that are printed at the end."""
    head = ("package", "files", "lines", "places", "safe", "review", "right", "left alone", "failures", "checks", "s")
    rows: list[tuple[str, ...]] = [
        (
            outcome.package.pin,
            f"{outcome.files}",
            f"{outcome.lines}",
            f"{outcome.places}",
            f"{outcome.count('changed', 'safe')}",
            f"{outcome.count('changed')}",
            f"{outcome.count('already right')}",
            f"{outcome.count('refused')}",
            f"{outcome.failures}",
            f"{len(outcome.problems)} FAILED" if outcome.problems else "ok",
            f"{outcome.seconds:.1f}",
        )
        for outcome in outcomes
    ]
    totals = [str(sum(int(row[column]) for row in rows)) for column in range(1, 9)]
    failed = sum(bool(outcome.problems) for outcome in outcomes)
    total_seconds = f"{sum(outcome.seconds for outcome in outcomes):.1f}"
    rows.append((f"{len(outcomes)} packages", *totals, f"{failed} FAILED" if failed else "ok", total_seconds))
    lines = list(_aligned([head, *rows]))
    lines.append("safe, review: places changed at that level; right: already right; s: seconds of all runs together")
    lines += _both_ways(outcomes)
    lines += ["", *_reasons(outcomes, "refused", "Left alone, by reason"), ""]
    lines += [*_reasons(outcomes, "changed", "Changed, by what was found"), ""]
    lines += [*_reasons(outcomes, "already right", "Already right, by why"), ""]
    for outcome in outcomes:
        lines += [f"FAILED  {outcome.package.pin}  {problem}" for problem in outcome.problems]
    return "\n".join(lines).rstrip("\n") + "\n"


def _both_ways(outcomes: Sequence[Outcome]) -> Iterator[str]:
    compared = [outcome.compared for outcome in outcomes if outcome.compared is not None]
    if compared:
        same = sum(not one.problems for one in compared)
        remembered = sum(one.remembered for one in compared)
        which = "all" if remembered == len(compared) else f"{remembered}"
        yield f"{same} packages: identical with and without accelerations ({which} also from memory)"
        if same < len(compared):
            yield f"{len(compared) - same} packages: NOT identical with and without accelerations"


def _reasons(outcomes: Iterable[Outcome], end: str, title: str) -> Iterator[str]:
    places: dict[str, list[str]] = {}
    for outcome in outcomes:
        for place, reason in outcome.told(end):
            places.setdefault(kind_of(reason), []).append(f"{outcome.package.name} {place}")
    yield f"{title} ({len(places)})"
    ranked = sorted(places.items(), key=lambda item: (-len(item[1]), item[0]))
    for reason, where in ranked[:TOP_REASONS]:
        yield f"{len(where):6}  {reason}  [{where[0]}]"
    rest = ranked[TOP_REASONS:]
    if rest:
        yield f"{sum(len(where) for _, where in rest):6}  for {len(rest)} other reasons"


def kind_of(reason: str) -> str:
    """The reason without the names and lines that make it the reason of one place."""
    return re.sub(r"\b(lines?) \d+(?:(?:, | and )\d+)*", r"\1 N", re.sub(r"`[^`]*`", "`...`", reason))


def _aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        first, *others = (cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        yield "  ".join([first.strip().ljust(widths[0]), *others]).rstrip()


def _differing(one: Mapping[str, bytes], other: Mapping[str, bytes]) -> list[str]:
    return sorted(path for path in one.keys() | other.keys() if one.get(path) != other.get(path))


def _compiles(path: Path) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            compile(path.read_bytes(), str(path), "exec", dont_inherit=True)
        except (SyntaxError, ValueError):
            return False
    return True


def _headers(patch: bytes) -> str:
    return ", ".join(re.findall(r"(?m)^diff --git (.*)$", patch.decode("utf-8", "replace")))


def _git(folder: Path, *arguments: str) -> None:
    done = _run(["git", "-c", "user.name=field", "-c", "user.email=field@example.org", *arguments], folder)
    if done.returncode != 0:
        raise RuntimeError(f"git {arguments[0]}: {last_line(done.stderr)}")


@contextlib.contextmanager
def _folder(keep: bool) -> Iterator[Path]:
    if keep:
        yield Path(tempfile.mkdtemp(prefix="field-"))
        return
    with tempfile.TemporaryDirectory(prefix="field-") as folder:
        yield Path(folder)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="field.run", description="The tool over published packages, checked.")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--only", action="append", default=[], metavar="NAME", help="only this package; repeatable")
    which.add_argument("--short", action="store_true", help="only the few small packages of the short form")
    parser.add_argument("--quick", action="store_true", help="do not compare with a run without accelerations")
    parser.add_argument("--keep", action="store_true", help="leave copies, patches and reports for reading")
    return parser.parse_args(arguments)


def _chosen(options: argparse.Namespace, packages: Sequence[Package]) -> list[Package]:
    unknown = set(options.only) - {package.name for package in packages}
    if unknown:
        raise FetchError(f"not in the corpus: {', '.join(sorted(unknown))}")
    if options.only:
        return [package for package in packages if package.name in options.only]
    return [package for package in packages if package.short or not options.short]


def _tell(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
