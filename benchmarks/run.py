"""The benchmark: this tool beside ruff, ripgrep, libcst's codemod runner and codemodder, on the same trees in one run.

`make benchmark`, or `PYTHONPATH=tests:. python -m benchmarks.run [--short] [--rounds N] [--minutes N] [--grown NAME]
[--copies N,N] [--no-corpus] [--into README.md] [-o FOLDER]`, with the Python that the tool and the extra `benchmark`
are installed for. Trees and caches stand in a temporary folder. Writes table.md, chart.svg and results.json into
FOLDER, and with `--into` the most of it between the markers of that file, all of it into benchmarks/ beside it.

How it is measured stands below the table. Programs that are not there are named and left out. The table is on stdout,
the progress on stderr. Exit codes: 0 all was measured, 1 something was not, or a command wrote into a tree; 2 a wrong
call; 3 a package could not be fetched; 130 interrupted.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import platform
import shutil
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from field.fetch import FetchError, load

from benchmarks import chart, table
from benchmarks.figures import Measured
from benchmarks.report import Report
from benchmarks.rounds import Failed, Results, Size, measured, version
from benchmarks.targets import Role
from benchmarks.tools import NothingToMeasure, Program, Toolbox, found
from benchmarks.trees import Tree, changed, copied, package

FOLDER = "benchmarks"  # beside the document that gets the table: for all tables and the plot
ALL = "all"


@dataclasses.dataclass(frozen=True, slots=True)
class Choice:
    """What is measured. Names are those of packages of the field corpus.

    `detailed` are told of command by command, in all rounds, and the slow commands run on those that `slow` names, too;
    `corpus`, in a line each, and `grown`, with its copies, are only in the last rounds: as many as stand beside them.
    """

    application: str  # of 50,000 lines and more; its double stands for one of 100,000
    dense: str  # the one with most async sessions
    slow: tuple[str, ...]
    grown: str
    copies: tuple[int, ...]
    grown_rounds: int
    corpus: tuple[str, ...]  # ALL: the whole field corpus
    corpus_rounds: int
    size: Size

    @property
    def detailed(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*self.slow, self.application, self.dense)))


SHORT = Choice(
    application="jupyterhub",
    dense="argilla-server",
    slow=("argilla-server",),
    grown="argilla-server",
    copies=(2, 4),
    grown_rounds=3,
    corpus=(),
    corpus_rounds=0,
    size=Size(3, 1, seconds=165),
)
# 45 % of datajunction-server's lines stand in files with async sessions; cognee has 475,000 lines
FULL = Choice(
    application="jupyterhub",
    dense="datajunction-server",
    slow=("fractal-server", "jupyterhub"),
    grown="cognee",
    copies=(2, 4, 10),
    grown_rounds=1,
    corpus=(ALL,),
    corpus_rounds=2,
    size=Size(4, 1, seconds=1260),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and write; gives the exit code."""
    options = _options(arguments)
    choice = chosen(options)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # the temporary folder goes, whoever ends the run
    try:
        if options.into is not None:  # before minutes are spent
            table.replaced(options.into.read_text(encoding="utf-8"), "")
        with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
            return benchmark(choice, Path(folder), options.output, options.into)
    except FetchError as error:
        _tell(f"{error}")
        return 3
    except (NothingToMeasure, OSError, table.NoMarkers) as error:
        _tell(f"{error}")
        return 2
    except Failed as error:
        _tell(f"{error}")
        return 1
    except KeyboardInterrupt:
        _tell("interrupted")
        return 130


def chosen(options: argparse.Namespace) -> Choice:
    """The short or the full form, with what the command line says of it."""
    choice = SHORT if options.short else FULL
    size = choice.size
    if options.rounds:
        size = dataclasses.replace(size, rounds=options.rounds)
    if options.minutes:
        size = dataclasses.replace(size, seconds=60 * options.minutes)
    return dataclasses.replace(
        choice,
        grown=options.grown or choice.grown,
        copies=choice.copies if options.copies is None else options.copies,
        corpus=() if options.no_corpus else choice.corpus,
        size=size,
    )


def benchmark(choice: Choice, folder: Path, output: Path, into: Path | None) -> int:
    """The whole benchmark in `folder`; gives the exit code. Raises FetchError, NothingToMeasure, Failed."""
    scratch = folder / "scratch"
    scratch.mkdir()
    toolbox, versions = _working(found(scratch), scratch)
    trees, missing = _trees(choice, folder)
    load = os.getloadavg()[0]
    results = measured(trees.every(), toolbox, choice.size, scratch, _tell)

    problems = [f"{command} on {tree}: {said}" for (tree, command), said in results.failures.items()]
    problems += [f"something wrote into {tree.name}" for tree in trees.every() if changed(tree)]
    report = Report(
        trees=_measured(trees.detailed, results),
        growth=_measured(trees.growth, results),
        corpus=_measured(trees.corpus, results),
        starts=results.starts,
        programs={command.name: command.program for command in toolbox.commands},
        about=f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, load {load:.1f} at the start; "
        f"Python {platform.python_version()}; {'; '.join(versions)}.",
        notes=(*toolbox.missing, *missing, *results.skipped, *problems),
        roles=trees.roles,
        edits=results.edits,
    )
    _write(report, output, into)
    for problem in problems:
        sys.stdout.write(f"FAILED  {problem}\n")
    return 1 if problems else 0


@dataclasses.dataclass(frozen=True, slots=True)
class _Trees:
    detailed: list[Tree]
    corpus: list[Tree]
    growth: list[Tree]
    roles: dict[str, str]

    def every(self) -> list[Tree]:
        """Each tree once, the largest last: what there is no time for is left out there."""
        trees = (*self.detailed, *self.corpus, *sorted(self.growth, key=lambda tree: tree.lines))
        return list({tree.name: tree for tree in reversed(trees)}.values())[::-1]


def _trees(choice: Choice, folder: Path) -> tuple[_Trees, list[str]]:
    """The trees, and which packages of the corpus cannot be had. Raises FetchError for one that has another part."""
    _tell("unpacking packages ...")
    place = folder / "trees"
    detailed = [package(name, place / name, slow=name in choice.slow) for name in choice.detailed]
    by_package = dict(zip(choice.detailed, detailed, strict=True))
    double = copied(by_package[choice.application], 2, place / "double")
    if choice.grown in by_package:
        first = by_package[choice.grown]
    else:
        first = dataclasses.replace(package(choice.grown, place / choice.grown), rounds=choice.grown_rounds)
    growth = [first, *(copied(first, count, place / f"{count}x", choice.grown_rounds) for count in choice.copies)]

    names = [one.name for one in load()] if choice.corpus == (ALL,) else choice.corpus
    corpus, missing = [], []
    for name in names:
        if name in by_package or name == choice.grown:
            continue
        try:
            corpus.append(dataclasses.replace(package(name, place / name), rounds=choice.corpus_rounds))
        except FetchError as error:
            missing.append(str(error))
    roles = {
        Role.APPLICATION.value: by_package[choice.application].name,
        Role.DENSE.value: by_package[choice.dense].name,
        Role.LARGE.value: double.name,
    }
    return _Trees([*detailed, double], corpus, growth, roles), missing


def _working(toolbox: Toolbox, scratch: Path) -> tuple[Toolbox, list[str]]:
    """The toolbox without the programs that do not start, and the versions of the others. Raises Failed for ours."""
    working: list[Program] = []
    versions = []
    missing = list(toolbox.missing)
    for program in toolbox.programs:
        try:
            said = version(program, scratch)
        except Failed as failed:
            if program is toolbox.programs[0]:
                raise
            missing.append(str(failed))
            continue
        working.append(program)
        versions.append(said if program.name in said.lower() else f"{program.name} {said}")
    names = {program.name for program in working}
    commands = [command for command in toolbox.commands if command.program in names]
    for word in missing:
        _tell(f"left out: {word}")
    return dataclasses.replace(toolbox, programs=working, commands=commands, missing=missing), versions


def _measured(trees: Sequence[Tree], results: Results) -> list[Measured]:
    """Those of the trees on which anything was measured."""
    return [Measured(tree.name, tree.files, tree.lines, runs) for tree in trees if (runs := results.runs[tree.name])]


def _write(report: Report, output: Path, into: Path | None) -> None:
    output.mkdir(parents=True, exist_ok=True)
    told = json.dumps(dataclasses.asdict(report), indent=1)
    (output / "results.json").write_text(told + "\n", encoding="utf-8")
    plot = output / "chart.svg"
    try:
        chart.draw(report, plot)
    except ImportError:
        plot.unlink(missing_ok=True)
        _tell("chart.svg is not drawn: matplotlib is not installed")
    text = table.block(report, plot.name if plot.exists() else "")
    (output / "table.md").write_text(text, encoding="utf-8")
    sys.stdout.write(text)
    _tell(f"table.md, chart.svg and results.json are in {output}")
    if into is not None:
        place = into.parent / FOLDER
        place.mkdir(exist_ok=True)
        for name in ("table.md", *([plot.name] if plot.exists() else ())):
            shutil.copyfile(output / name, place / name)
        text = table.block(report, f"{FOLDER}/{plot.name}" if plot.exists() else "", f"{FOLDER}/table.md")
        into.write_text(table.replaced(into.read_text(encoding="utf-8"), text), encoding="utf-8")
        _tell(f"the table is in {into}, all tables and the plot in {place}")


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.run", description="This tool beside others, on the same trees.")
    few = "fewer and smaller trees, fewer rounds: four minutes"
    parser.add_argument("--short", "--quick", action="store_true", help=few)
    parser.add_argument("--rounds", type=_positive, metavar="N", help="how often, except for the slow commands")
    limit = "begin nothing after the first round that would end later than this (full form: 21)"
    parser.add_argument("--minutes", type=_positive, metavar="N", help=limit)
    names = [one.name for one in load()]
    parser.add_argument("--grown", choices=names, metavar="NAME", help="the package that is copied")
    sizes = "how many copies there are in the trees that grow, such as 2,4,10; 1 is always there"
    parser.add_argument("--copies", type=_sizes, metavar="N,N", help=sizes)
    parser.add_argument("--no-corpus", action="store_true", help="leave out the packages that have a line each")
    parser.add_argument("--into", type=Path, metavar="FILE", help="also put the table between the markers of this file")
    folder = Path("benchmark-report")
    parser.add_argument("-o", "--output", type=Path, default=folder, metavar="FOLDER", help="write here")
    options = parser.parse_args(arguments)
    if shutil.which("git") is None:
        parser.error("git is not on the PATH")
    return options


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("one round at least")
    return number


def _sizes(text: str) -> tuple[int, ...]:
    sizes = sorted({int(word) for word in text.split(",")})
    if sizes[0] < 1:
        raise argparse.ArgumentTypeError("one copy at least")
    return tuple(size for size in sizes if size > 1)


def _tell(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
